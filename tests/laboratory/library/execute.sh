# shellcheck shell=bash
# Commands inside a host.

# Options for setpriv that take away every capability which the host's own PID 1 lacks: nsenter
# would keep the caller's, and with them the machine's clock and modules.
capabilities_to_drop() {
    local bounding number last list=""
    bounding="$(awk '$1 == "CapBnd:" { print $2 }' "/proc/$1/status")"
    read -r last </proc/sys/kernel/cap_last_cap
    for ((number = 0; number <= last; number++)); do
        ((0x$bounding >> number & 1)) || list+="${list:+,}-cap_$number"
    done
    printf '%s\n' "$list"
}

# Moves this process into the host's own part of the cgroup tree.
join_group() {
    local leader="$1" path root=/sys/fs/cgroup
    [ "$(stat -f -c %T "$root")" = cgroup2fs ] || root=/sys/fs/cgroup/unified
    path="$(sed -n 's/^0:://p' "/proc/$leader/cgroup")"
    echo "$BASHPID" >"$root$path/cgroup.procs"
}

# enter_host NAME COMMAND…: with a clean environment, beside the host's PID 1. 10 ms.
enter_host() (
    leader="$(host_leader "$1")" || die "host '$1' is off"
    shift
    close_locks
    join_group "$leader"
    exec setpriv --bounding-set "$(capabilities_to_drop "$leader")" --inh-caps -all \
        nsenter --target "$leader" --all --wdns=/ -- /usr/bin/env -i \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root USER=root LOGNAME=root \
        SHELL=/bin/bash LANG=C.UTF-8 "$@"
)

host_has_systemd() {
    ! grep -qx 'systemd=no' "$hosts/$1/settings"
}

exec_command() {
    local name="${1:-}" user=root
    need_root
    [ -n "$name" ] || usage_error "exec: which host?"
    shift
    host_exists "$name"
    while [ $# -gt 0 ]; do
        case "$1" in
        --user)
            user="${2:?--user needs a value}"
            shift
            ;;
        --)
            shift
            break
            ;;
        -*) usage_error "exec: unknown option '$1'" ;;
        *) break ;;
        esac
        shift
    done
    [ $# -gt 0 ] || usage_error "exec: which command?"
    run_in_host "$name" "$user" "$@"
}

# In a scope of its own, as a session's commands are: a process of the host in every respect.
run_in_host() {
    local name="$1" user="$2"
    shift 2
    if host_has_systemd "$name"; then
        local options=(--scope --quiet --collect)
        [ "$user" = root ] || options+=(--uid="$user")
        enter_host "$name" systemd-run "${options[@]}" -- "$@"
    elif [ "$user" = root ]; then
        enter_host "$name" "$@"
    else
        enter_host "$name" setpriv --reuid="$user" --regid=users --init-groups \
            env HOME="/home/$user" USER="$user" LOGNAME="$user" "$@"
    fi
}

shell_command() {
    local name="${1:-}"
    need_root
    [ -n "$name" ] || usage_error "shell: which host?"
    host_exists "$name"
    say "a root shell on '$name'; leave it with exit"
    if host_has_systemd "$name"; then
        enter_host "$name" systemd-run --pty --quiet --collect --wait --setenv=TERM="${TERM:-dumb}" \
            --working-directory=/root /bin/bash -l
    else
        run_in_host "$name" root /bin/bash -l
    fi
}
