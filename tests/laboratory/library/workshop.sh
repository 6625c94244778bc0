# shellcheck shell=bash
# The workshop: rpm, gpg and the repository tools run inside a root file system of the
# laboratory, so that the machine needs none of them and every machine has the same ones.

# in_workshop FOLDER COMMAND…: runs a command of workshop-inside.sh with FOLDER as /mnt/work.
# Mounts and left-over processes (gpg's agent) end with it.
in_workshop() {
    local work="$1" root
    shift
    root="$("$laboratory_source/lab" build --release "$default_release")"
    mkdir -p "$cache/keys"
    # shellcheck disable=SC2016 # the inner shell's own arguments
    unshare --mount --propagation private --uts --pid --fork --kill-child /bin/bash -euo pipefail -c '
        root="$1" work="$2" keys="$3" packages="$4" library="$5"
        shift 5
        hostname localhost
        mount -t tmpfs -o mode=0755 tmpfs "$root/mnt"
        mkdir "$root/mnt/keys" "$root/mnt/work" "$root/mnt/packages" "$root/mnt/tmp"
        cp "$library/workshop-inside.sh" "$library/signatures-inside.sh" "$root/mnt"
        mount --bind "$keys" "$root/mnt/keys"
        mount --bind "$work" "$root/mnt/work"
        [ ! -d "$packages" ] || mount --bind "$packages" "$root/mnt/packages"
        mount -t proc proc "$root/proc"
        exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/mnt LC_ALL=C.UTF-8 \
            TMPDIR=/mnt/tmp GPG_TTY=/dev/null SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-}" /bin/bash /mnt/workshop-inside.sh "$@"
    ' workshop "$root" "$work" "$cache/keys" "$(packages_folder)" "$laboratory_source/library" "$@"
}

# The signing keys are made once per cache folder and never again, whatever is rebuilt.
keys_build() {
    if [ ! -e "$cache/keys/demo.gpg" ]; then
        say "making the signing keys"
        in_workshop "$cache/keys" keys
    fi
    [ -e "$cache/keys/authority.pem" ] || in_workshop "$cache/keys" certificates "$hub_address"
}
