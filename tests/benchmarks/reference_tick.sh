#!/bin/sh
# The tick that finds nothing to do, as a short shell script would do it: what `tick.rs` measures
# agent-updater against. It has it easy: curl reads one authority, not the host's whole trust store.
# Usage: reference_tick.sh URL PACKAGE AUTHORITY
set -eu
wanted="$(curl --fail --silent --show-error --max-time 10 --cacert "$3" "$1/version")"
# shellcheck disable=SC2016 # dpkg-query's own field
installed="$(dpkg-query --show --showformat '${Version}' "$2")"
[ "$wanted" = "$installed" ] || {
    echo "$installed is installed, $wanted is wanted"
    exit 1
}
