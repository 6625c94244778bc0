# shellcheck shell=bash
# Paths, messages, locks and small helpers that every part of the laboratory uses.

cache="${AGENT_UPDATER_LABORATORY:-/var/cache/agent-updater-laboratory}"
hosts="$cache/hosts"
default_release=bookworm
releases=(bullseye bookworm trixie)
managers=(apt yum zypper)

# One hub network per cache folder: two laboratories on one machine never meet.
laboratory_id="$(printf '%s' "$cache" | sha256sum | cut -c1-6)"
hub="laboratory-$laboratory_id"
hub_address=10.213.0.1

say() {
    printf 'laboratory: %s\n' "$*" >&2
}

die() {
    say "error: $*"
    exit 1
}

usage_error() {
    say "error: $*"
    say "see 'lab --help'"
    exit 2
}

need_root() {
    [ "$(id -u)" = 0 ] || die "this needs root: namespaces, mounts and package databases"
}

contains() {
    local wanted="$1" one
    shift
    for one in "$@"; do
        [ "$one" = "$wanted" ] && return 0
    done
    return 1
}

valid_name() {
    [[ "$1" =~ ^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$ ]] ||
        usage_error "'$1' is no name: lower-case letters, digits and hyphens, at most 48"
}

# with_lock NAME COMMAND…: runs the command (a function too) in a subshell that holds an
# exclusive lock. Call it as a plain command: after `if` or before `||` bash would ignore
# errors inside. Locks nest; what shall outlive the command closes them first (close_locks).
# shellcheck disable=SC2030,SC2031 # the variables are meant to end with the subshell
with_lock() (
    mkdir -p "$cache/locks"
    exec {lock_descriptor}>"$cache/locks/$1"
    flock "$lock_descriptor"
    lock_descriptors+=("$lock_descriptor")
    shift
    "$@"
)
lock_descriptors=()

# shellcheck disable=SC2031
close_locks() {
    local descriptor
    for descriptor in "${lock_descriptors[@]}"; do
        exec {descriptor}>&-
    done
}

# The hash of files and further words: the key of whatever is built from them.
key_of_files() {
    local files=() file
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        files+=("$1")
        shift
    done
    [ $# -gt 0 ] && shift
    {
        for file in "${files[@]}"; do sha256sum <"$file"; done
        printf '%s\n' "$@"
    } | sha256sum | cut -c1-12
}

# until_true SECONDS COMMAND…: asks every 10 ms.
until_true() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.01
    done
}

# The start time of a process in clock ticks: tells a process from a later one of the same number.
process_start() {
    local line
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    line="${line##*) }"
    # shellcheck disable=SC2086 # the fields are wanted apart
    set -- $line
    [ "$1" != Z ] || return 1
    printf '%s\n' "${20}"
}

# process_lives NUMBER START
process_lives() {
    [ -n "$1" ] && [ "$(process_start "$1")" = "$2" ]
}
