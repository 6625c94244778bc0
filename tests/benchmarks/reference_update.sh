#!/bin/sh
# The bare package manager on a laboratory host, and the starting points of the update that
# `update.rs` measures against it. The update goes from 1.1.0 to 2.0.0.
set -eu
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

snapshots=/root/snapshots
# Everything that either leaves behind and that would make the next run another one.
places="/etc/apt/preferences.d /etc/yum.repos.d /etc/zypp /var/lib/apt /var/cache/apt /var/cache/dnf
    /var/lib/dnf /var/cache/zypp /var/cache/agent-updater /var/lib/agent-updater"

manager() {
    for program in apt-get dnf zypper; do
        ! command -v "$program" >/dev/null || echo "$program"
    done
}

usage() {
    cat <<'END_OF_USAGE'
Usage: reference_update.sh COMMAND
  refresh               the index of the repository `demo`, and of no other
  update                that, and the install of 2.0.0
  snapshot NAME         remembers the caches, entries and state as they are now
  start-over NAME       1.1.0 again, with the caches, entries and state of that snapshot
  new                   succeeds when 2.0.0 is installed
END_OF_USAGE
}

refresh() {
    case "$(manager)" in
    apt-get)
        apt-get -q -o Dir::Etc::SourceList=/etc/apt/sources.list.d/demo.sources -o Dir::Etc::SourceParts=- \
            -o APT::Get::List-Cleanup=0 update
        ;;
    dnf) dnf -q -y --repo=demo --refresh makecache ;;
    zypper) zypper --non-interactive refresh demo ;;
    esac
}

install() {
    case "$(manager)" in
    apt-get) apt-get -q -y install demo-agent=2.0.0 ;;
    dnf) dnf -y --repo=demo install demo-agent-2.0.0-1 ;;
    zypper) zypper --non-interactive --no-refresh install demo-agent=2.0.0-1 ;;
    esac
}

back() {
    case "$(manager)" in
    apt-get) apt-get -q -y --allow-downgrades install demo-agent=1.1.0 ;;
    dnf) dnf -y downgrade demo-agent-1.1.0-1 ;;
    zypper) zypper --non-interactive install --oldpackage demo-agent=1.1.0-1 ;;
    esac
}

installed() {
    case "$(manager)" in
    apt-get) dpkg-query -W -f '${db:Status-Abbrev}${Version}' demo-agent ;;
    *) rpm -q --qf 'ii %{VERSION}' demo-agent ;;
    esac
}

restore() {
    for place in $places; do
        rm -rf "$place"
        [ ! -e "$snapshots/$1$place" ] || cp -a "$snapshots/$1$place" "$place"
    done
}

case "${1:-}" in
refresh) refresh ;;
update)
    refresh
    install
    ;;
snapshot)
    for place in $places; do
        [ -e "$place" ] || continue
        mkdir -p "$snapshots/$2$(dirname "$place")"
        cp -a "$place" "$snapshots/$2$place"
    done
    ;;
start-over)
    # A pin of ours would stand in the way of the bare manager.
    restore bare
    [ "$(installed)" = "ii 1.1.0" ] || back >/dev/null
    restore "$2"
    # What was written is not to be written out while somebody measures.
    sync
    ;;
new) [ "$(installed)" = "ii 2.0.0" ] ;;
*)
    usage
    exit 2
    ;;
esac
