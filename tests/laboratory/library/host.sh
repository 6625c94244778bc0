# shellcheck shell=bash
# The life of a host: create, boot, crash, stop, remove.

host_exists() {
    [ -d "$hosts/$1" ] || die "there is no host '$1' (there are: $(host_names | paste -sd' '))"
}

host_names() {
    [ ! -d "$hosts" ] || find "$hosts" -mindepth 1 -maxdepth 1 -type d -name '[!.]*' -printf '%f\n' | sort
}

# Prints the host's PID 1; fails when it is off.
host_leader() {
    local leader start
    read -r leader start 2>/dev/null <"$hosts/$1/leader" || return 1
    process_lives "$leader" "$start" || return 1
    printf '%s\n' "$leader"
}

host_unit() {
    printf '%s-%s.service\n' "$hub" "$1"
}

# Makes the folder and the network. $1: name, $2: lower layers, then further settings.
# Until the caller clears the EXIT trap, a failure removes the host again.
host_create() {
    local name="$1" lower="$2"
    shift 2
    mkdir -p "$hosts"
    mkdir "$hosts/$name" 2>/dev/null || die "there is a host '$name' already"
    # shellcheck disable=SC2064 # the name is wanted as it is now
    trap "host_remove '$name'" EXIT
    mkdir "$hosts/$name/upper"
    {
        printf 'lower=%q\nnamespace=%q\n' "$lower" "$(host_namespace "$name")"
        [ $# = 0 ] || printf '%s\n' "$@"
    } >"$hosts/$name/settings"
    cat /proc/sys/kernel/random/boot_id >"$hosts/$name/machine-boot"
    with_lock network network_up "$name"
}

host_boot() {
    local name="$1" folder="$hosts/$1"
    rm -f "$folder/off" "$folder/leader"
    local supervise=(unshare --mount --propagation slave /bin/bash "$laboratory_source/library/supervise.sh" "$folder")
    if [ -d /run/systemd/system ]; then
        systemd-run --quiet --collect --unit="$(host_unit "$name")" --description="laboratory host $name" \
            --property=Delegate=yes --property=KillMode=mixed --property=TasksMax=infinity \
            --property="StandardOutput=append:$folder/console.log" --property=StandardError=inherit \
            --setenv=AGENT_UPDATER_LABORATORY="$cache" "${supervise[@]}"
    else
        (
            close_locks
            setsid "${supervise[@]}" </dev/null >>"$folder/console.log" 2>&1 &
            printf '%s %s\n' "$!" "$(process_start "$!")" >"$folder/supervisor"
        )
    fi
    until_true 10 test -s "$folder/leader" -o -e "$folder/off" || true
    host_leader "$name" >/dev/null || die "host '$name' did not start: $(tail -n 5 "$folder/console.log")"
}

# Waits until the host's own init says that it is up.
host_ready() {
    local name="$1" state
    if grep -qx 'systemd=no' "$hosts/$name/settings"; then
        until_true 10 test -e "/proc/$(host_leader "$name")/root/run/laboratory-up" || die "host '$name' does not come up"
        return
    fi
    until_true 20 host_manager_answers "$name" || die "host '$name': systemd does not answer"
    state="$(enter_host "$name" systemctl is-system-running --wait 2>/dev/null || true)"
    case "$state" in
    running) ;;
    *) say "host '$name' is $state: $(enter_host "$name" systemctl list-units --failed --no-legend --plain | cut -d' ' -f1 | paste -sd' ')" ;;
    esac
}

host_manager_answers() {
    [ -S "/proc/$(host_leader "$1")/root/run/systemd/private" ] &&
        enter_host "$1" systemctl show --property=Version >/dev/null 2>&1
}

host_off() {
    ! host_leader "$1" >/dev/null && [ -e "$hosts/$1/off" ]
}

# Cuts the host off at once; its disk stays as it is.
host_crash() {
    local leader
    ! leader="$(host_leader "$1")" || kill -9 "$leader"
    host_wait_off "$1"
}

host_wait_off() {
    local name="$1" process start
    [ -d "$hosts/$name" ] || return 0
    if [ -d /run/systemd/system ]; then
        until_true 30 host_unit_gone "$name" || systemctl stop "$(host_unit "$name")" || true
    elif read -r process start 2>/dev/null <"$hosts/$name/supervisor"; then
        until_true 30 process_ended "$process" "$start" || say "the supervisor $process of '$name' does not end"
    fi
}

host_unit_gone() {
    ! systemctl --quiet is-active "$(host_unit "$1")"
}

process_ended() {
    ! process_lives "$1" "$2"
}

host_remove() {
    local name="$1"
    host_crash "$name"
    with_lock network network_down "$name"
    rm -rf --one-file-system "${hosts:?}/$name"
}

hub_down_if_unused() {
    [ -d "$hosts" ] || return 0
    [ -z "$(find "$hosts" -mindepth 1 -maxdepth 1 ! -name .hub)" ] || return 0
    hub_down
}

down_command() {
    local names=() name
    need_root
    case "${1:-}" in
    '') usage_error "down: which host? (or --all)" ;;
    --all) mapfile -t names < <(find "$hosts" -mindepth 1 -maxdepth 1 -type d ! -name .hub -printf '%f\n' 2>/dev/null) ;;
    *) names=("$@") ;;
    esac
    for name in "${names[@]}"; do
        host_exists "$name"
        host_remove "$name"
    done
    with_lock network hub_down_if_unused
}

list_command() {
    local name state
    for name in $(host_names); do
        if state="$(host_leader "$name")"; then state="up, leader $state"; else state=off; fi
        printf '%-24s %-20s 10.213.0.%-4s %s\n' "$name" "$(cat "$hosts/$name/about" 2>/dev/null)" \
            "$(cat "$hosts/$name/number" 2>/dev/null)" "$state"
    done
}

netns_command() {
    host_exists "${1:?netns: which host?}"
    printf '/run/netns/%s\n' "$(host_namespace "$1")"
}

crash_command() {
    need_root
    host_exists "${1:?crash: which host?}"
    host_crash "$1"
}

stop_command() {
    local leader
    need_root
    host_exists "${1:?stop: which host?}"
    leader="$(host_leader "$1")" || die "host '$1' is off already"
    if grep -qx 'systemd=no' "$hosts/$1/settings"; then kill -9 "$leader"; else kill -SIGRTMIN+4 "$leader"; fi
    host_wait_off "$1"
}

boot_command() {
    need_root
    host_exists "${1:?boot: which host?}"
    ! host_leader "$1" >/dev/null || die "host '$1' is up already"
    host_boot "$1"
    host_ready "$1"
}

# Removes what a vanished owner, or an earlier boot of the machine, left behind.
clean_command() {
    local name owner start
    need_root
    for name in $(host_names); do
        if [ "$(cat "$hosts/$name/machine-boot")" = "$(cat /proc/sys/kernel/random/boot_id)" ]; then
            read -r owner start 2>/dev/null <"$hosts/$name/owner" || continue
            ! process_lives "$owner" "$start" || continue
        fi
        say "removing '$name': its owner is gone"
        host_remove "$name"
    done
    with_lock network hub_down_if_unused
}
