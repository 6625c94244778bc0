# shellcheck shell=bash
# Prepared layers: a host of one manager with one version of the agent, installed by the real
# package manager, kept as a layer that later hosts of that kind start from.

prepared_folder() {
    local release="$1" manager="$2" agent="$3"
    printf '%s/prepared/%s-%s-%s-%s\n' "$cache" "$release" "$manager" "$agent" \
        "$(key_of_files "$laboratory_source"/library/{prepare.sh,prepare-inside.sh} -- \
            "$(basename "$(base_folder "$release")")" "$(basename "$(packages_folder)")" \
            "$(sha256sum <"$cache/keys/demo.gpg")" "$manager" "$agent")"
}

# install_command MANAGER VERSION: prints the commands that a vendor's manual gives.
install_commands() {
    local manager="$1" agent="$2" package deb epoch version release
    [ "$agent" = none ] || read -r _ package _ deb epoch version release < <(package_row "$agent")
    case "$manager" in
    apt)
        echo 'apt-get -q update'
        [ "$agent" = none ] || echo "DEBIAN_FRONTEND=noninteractive apt-get -q -y install $package=$deb"
        ;;
    yum)
        echo 'yum -q -y makecache'
        [ "$agent" = none ] || echo "yum -y install $package-$epoch:$version-$release"
        ;;
    zypper)
        echo 'zypper --non-interactive refresh'
        [ "$agent" = none ] || echo "zypper --non-interactive install $package=$epoch:$version-$release"
        ;;
    esac
}

prepare() {
    local release="$1" manager="$2" agent="$3" folder name base
    folder="$(prepared_folder "$@")"
    [ ! -d "$folder" ] || return 0
    base="$(base_folder "$release")"
    say "preparing a $release host with $manager and demo-agent $agent"
    mkdir -p "$cache/prepared"
    # A leading dot: not one of the hosts that `list` shows.
    name=".prepare-$release-$manager-${agent//./-}"
    [ ! -d "$hosts/$name" ] || host_remove "$name"
    host_create "$name" "$base" "hostname=prepare"
    # shellcheck disable=SC2016 # the inner shell's own arguments
    unshare --mount --propagation private /bin/bash -euo pipefail -c '
        mkdir "$1/root" "$1/work"
        mount -t overlay laboratory -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
        mount -t tmpfs tmpfs "$1/root/mnt"
        mkdir "$1/root/mnt/keys"
        cp "$3"/*.asc "$3"/*.gpg "$1/root/mnt/keys"
        cp "$4" "$1/root/mnt/prepare-inside.sh"
        chroot "$1/root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
            /bin/bash /mnt/prepare-inside.sh "$5" "$6"
    ' prepare "$hosts/$name" "$base" "$cache/keys" "$laboratory_source/library/prepare-inside.sh" \
        "$manager" "http://$hub_address/demo" >&2
    rm -rf "$hosts/$name/work" "$hosts/$name/root"
    host_boot "$name"
    host_ready "$name"
    run_in_host "$name" root /bin/sh -exc "$(install_commands "$manager" "$agent")" >"$hosts/$name/install.log" 2>&1 ||
        die "$(cat "$hosts/$name/install.log")"
    stop_command "$name"
    # Every host gets a machine id and a journal of its own.
    : >"$hosts/$name/upper/etc/machine-id"
    rm -rf "$hosts/$name/upper/var/log/journal/"* "$hosts/$name/upper/var/lib/systemd/random-seed" \
        "$hosts/$name/upper"/{run,tmp}/*
    mv "$hosts/$name/upper" "$folder"
    host_remove "$name"
    trap - EXIT
}
