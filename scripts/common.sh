# shellcheck shell=bash
# What quickstart, test and bench share: messages, durations, cargo. Sourced, never run.

# shellcheck disable=SC2034 # some of these are used only by the scripts that source this file
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' plain=$'\e[0m'
else
    bold="" red="" green="" yellow="" plain=""
fi
# shellcheck disable=SC2034 # used by the scripts that source this file
lab=tests/laboratory/lab

heading() {
    printf '\n%s== %s%s\n' "$bold" "$*" "$plain"
}

# One line on what takes long, or was found.
say() {
    printf '   %s\n' "$*"
}

warn() {
    printf '%s   %s%s\n' "$yellow" "$*" "$plain"
}

# die MESSAGE [HINT]
die() {
    printf '%serror:%s %s\n' "$red" "$plain" "$1" >&2
    [ $# -lt 2 ] || printf '%shint:%s %s\n' "$bold" "$plain" "$2" >&2
    exit 1
}

usage_error() {
    printf '%serror:%s %s\nhint: see %s --help\n' "$red" "$plain" "$1" "$0" >&2
    exit 2
}

seconds() {
    local all="$1"
    if [ "$all" -lt 60 ]; then printf '%d s' "$all"; else printf '%d min %d s' $((all / 60)) $((all % 60)); fi
}

# Under sudo, rustup's cargo belongs to the user who called it and is not in root's PATH.
find_cargo() {
    local home wanted found
    if ! command -v cargo >/dev/null && [ -n "${SUDO_USER:-}" ]; then
        home="$(getent passwd "$SUDO_USER" | cut -d: -f6)"
        if [ -x "$home/.cargo/bin/cargo" ]; then
            export PATH="$home/.cargo/bin:$PATH" RUSTUP_HOME="${RUSTUP_HOME:-$home/.rustup}"
        fi
    fi
    command -v cargo >/dev/null ||
        die "cargo is not here" "install Rust from https://rustup.rs (Debian's own is new enough from Debian 13 on)"
    wanted="$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)"
    found="$(rustc --version | cut -d' ' -f2)"
    printf '%s\n' "$wanted" "$found" | sort --version-sort --check=quiet ||
        die "Rust $found is too old: the program needs $wanted" "install a newer one from https://rustup.rs"
}

# Under sudo, what cargo built belongs to whom the clone belongs.
give_back_target() {
    local target="${CARGO_TARGET_DIR:-target}"
    [ -n "${SUDO_USER:-}" ] && [ -d "$target" ] && [ "$(stat -c %U .)" = "$SUDO_USER" ] || return 0
    chown -R "$SUDO_USER:" "$target"
}

# check_namespaces FOLDER: refuses a machine that cannot make the namespaces and mounts of the
# laboratory's hosts. Leaves only a log in the folder.
check_namespaces() {
    local folder="$1" log="$1/namespaces.log"
    # shellcheck disable=SC2016 # the inner shell's own argument
    unshare --mount --net --pid --fork --propagation private /bin/sh -euc '
        mount -t tmpfs tmpfs "$1"
        mkdir "$1/lower" "$1/upper" "$1/work" "$1/root" "$1/groups"
        mount -t overlay overlay -o "lowerdir=$1/lower,upperdir=$1/upper,workdir=$1/work" "$1/root"
        mount -t cgroup2 cgroup2 "$1/groups"' check "$folder" 2>"$log" ||
        die "root may not make namespaces, overlays or cgroups here: $(cat "$log")" \
            "this looks like a container: take a virtual machine, or a container with --privileged"
}

# check_disk FOLDER MEBIBYTES: free space where FOLDER is, or will be.
check_disk() {
    local folder="$1" free
    while [ ! -d "$folder" ]; do folder="$(dirname "$folder")"; done
    free="$(df --output=avail --block-size=1M "$folder" | tail -n 1 | tr -d ' ')"
    [ "$free" -ge "$2" ] || die "only $free MiB are free in $folder, $2 MiB are needed"
}

# host_is_there NAME. (Not `grep -q`: it would end before `lab list` has said everything.)
host_is_there() {
    "$lab" list | grep "^$1 " >/dev/null
}
