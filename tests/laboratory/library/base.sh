# shellcheck shell=bash
# The root file systems: one per Debian release, built once per machine.

base_packages() {
    cat <<'END'
systemd systemd-sysv systemd-container libpam-systemd dbus cron
apt apt-utils gpgv gnupg ca-certificates
rpm dnf zypper createrepo-c
iproute2 procps curl strace faketime libfaketime busybox tzdata less nginx-light
END
}

base_folder() {
    local release="$1"
    printf '%s/bases/%s-%s\n' "$cache" "$release" \
        "$(key_of_files "$laboratory_source/library/base.sh" "$laboratory_source/library/base-inside.sh" -- "$release")"
}

# Prints one-line apt sources of a Debian release, made of the machine's own Debian entries
# (third-party ones are left out). Prints nothing on a machine without any: mmdebstrap then
# uses its own default.
base_sources() {
    local release="$1" origin address suite component
    # shellcheck disable=SC2016 # apt's own fields
    local format='$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)'
    apt-get indextargets --format "$format" 'Created-By: Packages' |
        while IFS='|' read -r origin address suite component; do
            [ "$origin:$component" = Debian:main ] || continue
            case "$suite" in
            *-updates) suite="$release-updates" ;;
            *-security) suite="$release-security" ;;
            *-*) continue ;;
            *) suite="$release" ;;
            esac
            printf 'deb %s %s main\n' "$address" "$suite"
        done | sort -u
}

base_build() {
    local release="$1" folder temporary sources packages
    folder="$(base_folder "$release")"
    [ -d "$folder" ] && return 0
    requirements_met
    sources="$(base_sources "$release")"
    packages="$(base_packages | tr -s ' \n' ',,' | sed 's/,$//')"
    mkdir -p "$cache/bases"
    temporary="$(mktemp -d "$cache/bases/.building-XXXXXX")"
    # shellcheck disable=SC2064 # the name is wanted as it is now
    trap "rm -rf '$temporary'" EXIT
    # How this machine's apt reaches its sources holds for the laboratory's as well.
    apt-config dump | grep -E '^Acquire::(Check-Valid-Until|Check-Date|Retries|https?::)' >"$temporary/apt.conf" || true
    say "building the $release root file system, about a minute"
    local arguments=(--variant=minbase --mode=root --quiet --include="$packages"
        --aptopt="$temporary/apt.conf" --aptopt='APT::Install-Recommends "false"'
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*'
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-include=/usr/share/locale/de/*')
    if [ -n "$sources" ]; then
        printf '%s\n' "$sources" | mmdebstrap "${arguments[@]}" "$release" "$temporary/root" - >&2
    else
        mmdebstrap "${arguments[@]}" "$release" "$temporary/root" >&2
    fi
    cp "$laboratory_source/library/base-inside.sh" "$temporary/root/base-inside.sh"
    chroot "$temporary/root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
        /bin/bash /base-inside.sh >&2
    rm "$temporary/root/base-inside.sh"
    mv "$temporary/root" "$folder"
    rm -rf "$temporary"
    trap - EXIT
    say "built $folder"
}

build_command() {
    local release="$default_release"
    while [ $# -gt 0 ]; do
        case "$1" in
        --release)
            release="${2:?--release needs a value}"
            shift
            ;;
        *) usage_error "build: unknown option '$1'" ;;
        esac
        shift
    done
    contains "$release" "${releases[@]}" || usage_error "no such release: $release (there are ${releases[*]})"
    need_root
    with_lock "base-$release" base_build "$release"
    base_folder "$release"
}
