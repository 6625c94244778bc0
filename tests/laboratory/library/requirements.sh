# shellcheck shell=bash
# What the laboratory needs from the machine it runs on.

# Debian package and a program of it that is looked for.
requirement_table() {
    cat <<'END'
mmdebstrap               mmdebstrap        builds the root file systems
systemd-container        systemd-nspawn    boots them
iproute2                 ip                their network
util-linux               setpriv           enters them
apt                      apt-get           source of the packages
dpkg                     dpkg-deb          builds the demo packages
gcc                      cc                links the demo agent
libc6-dev                -                 links the demo agent
debian-archive-keyring   -                 trust in the packages
e2fsprogs                mke2fs            a disk of a host's own (lab up --disk)
jq                       jq                reads what is printed as JSON (tests)
strace                   strace            kills at a chosen system call (scripts/crash)
END
}

requirement_missing() {
    local package program purpose
    requirement_table | while read -r package program purpose; do
        if [ "$program" != - ] && command -v "$program" >/dev/null; then continue; fi
        # shellcheck disable=SC2016 # dpkg-query's own field
        [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null)" = 'ii ' ] ||
            printf '%s\n' "$package"
    done
}

requirements_command() {
    local install=no missing
    while [ $# -gt 0 ]; do
        case "$1" in
        --install) install=yes ;;
        *) usage_error "requirements: unknown option '$1'" ;;
        esac
        shift
    done
    requirement_table | while read -r package _ purpose; do
        printf '%-24s %s\n' "$package" "$purpose"
    done
    printf '%-24s %s\n' 'rustc (not from apt)' 'compiles the demo agent'
    command -v rustc >/dev/null || say "missing: rustc"
    mapfile -t missing < <(requirement_missing)
    if [ "${#missing[@]}" = 0 ]; then
        say "every Debian package is there"
        return 0
    fi
    say "missing: ${missing[*]}"
    [ "$install" = yes ] || die "install them, or let 'lab requirements --install' do it"
    need_root
    say "installing with apt-get: ${missing[*]}"
    apt-get -q update
    DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "${missing[@]}"
}

requirements_met() {
    local missing
    mapfile -t missing < <(requirement_missing)
    [ "${#missing[@]}" = 0 ] || die "missing Debian packages: ${missing[*]}; see 'lab requirements --install'"
    command -v rustc >/dev/null || die "missing: rustc"
}
