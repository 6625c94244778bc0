#!/bin/bash
# Boots one host and keeps it: runs in a mount namespace of its own, until the host is off.
# Usage: supervise.sh FOLDER, the host's folder with its `settings` file.
set -euo pipefail
folder="$1"
hostname="" lower="" namespace="" systemd=yes privileged=no disk="" binds=()
# shellcheck source=/dev/null
. "$folder/settings"
name="$(basename "$folder")"
hostname="${hostname:-$name}"

# The machine's unified cgroup tree, alone (pure v2) or beside the old controllers: this mount
# namespace, nspawn and the host see it alone.
machine_groups=/sys/fs/cgroup
[ "$(stat -f -c %T "$machine_groups")" = cgroup2fs ] || mount -t cgroup2 cgroup2 "$machine_groups"

# This host's part of that tree: `keeper` holds this process, `boot-N` nspawn and the host. On
# a machine run by systemd the part is the unit's own (Delegate=), elsewhere it is made here.
if [ -d /run/systemd/system ]; then
    group="$machine_groups$(sed -n 's/^0:://p' /proc/self/cgroup)"
else
    group="$machine_groups/laboratory-$name-$$"
    mkdir "$group"
fi

enter_group() {
    local controller controllers
    mkdir -p "$group/keeper"
    echo $$ >"$group/keeper/cgroup.procs"
    read -ra controllers <"$group/cgroup.controllers" || true
    for controller in "${controllers[@]}"; do
        echo "+$controller" >"$group/cgroup.subtree_control" || true
    done
}

# A killed host's groups stay busy for a moment.
remove_group() {
    for _ in $(seq 500); do
        find "$1" -depth -type d -exec rmdir {} + 2>/dev/null && return 0
        sleep 0.02
    done
    echo "laboratory: $1 stays busy"
}

leave_group() {
    [ ! -d /run/systemd/system ] || return 0
    echo $$ >"$machine_groups/cgroup.procs"
    remove_group "$group"
}

# The host's PID 1: the child of nspawn that is number 1 in its own namespace.
find_leader() {
    local child children start
    until [ -s "$folder/leader" ]; do
        kill -0 "$1" 2>/dev/null || return 0
        read -ra children <"/proc/$1/task/$1/children" || true
        for child in "${children[@]}"; do
            if grep -qs '^NSpid:.*[[:space:]]1$' "/proc/$child/status"; then
                start="$(sed 's/.*) //' "/proc/$child/stat" | cut -d' ' -f20)"
                printf '%s %s\n' "$child" "$start" >"$folder/leader.new"
                mv "$folder/leader.new" "$folder/leader"
            fi
        done
        sleep 0.01
    done
}

# In one function: bash has read it whole before it runs, whatever becomes of the file then.
main() {
    mkdir -p "$folder/upper" "$folder/work" "$folder/root" /run/systemd/nspawn
    # nspawn cleans up its folder, which only a tmpfs lets it.
    mount -t tmpfs tmpfs /run/systemd/nspawn
    layer="$folder"
    if [ -n "$disk" ]; then
        layer="$folder/disk"
        mkdir -p "$layer"
        mount -t ext4 -o loop "$folder/disk.img" "$layer"
    fi
    mount -t overlay laboratory -o "lowerdir=$lower,upperdir=$layer/upper,workdir=$layer/work" "$folder/root"

    arguments=(--quiet --keep-unit --register=no --directory="$folder/root" --machine="$hostname" --hostname="$hostname"
        --console=pipe --link-journal=no --resolv-conf=off --timezone=off
        --network-namespace-path="/run/netns/$namespace")
    if [ "$privileged" = yes ]; then
        # Enough to run a laboratory inside; still without the machine's clock, modules and devices.
        export SYSTEMD_SECCOMP=0
        # shellcheck disable=SC2054 # a list of nspawn's
        arguments+=(--capability=all
            --drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE,CAP_SYS_RAWIO,CAP_SYSLOG,CAP_MAC_ADMIN)
    else
        # What IPAddressDeny= and DevicePolicy= of a unit need to work.
        # shellcheck disable=SC2054
        arguments+=(--capability=CAP_BPF,CAP_NET_ADMIN,CAP_PERFMON --system-call-filter=bpf)
    fi
    arguments+=("${binds[@]}")
    if [ "$systemd" = yes ]; then
        arguments+=(--boot)
    else
        arguments+=(--as-pid2 /usr/bin/busybox sh /etc/laboratory-init)
    fi

    enter_group
    boot=0
    while :; do
        boot=$((boot + 1))
        mkdir "$group/boot-$boot"
        (
            echo "$BASHPID" >"$group/boot-$boot/cgroup.procs"
            exec systemd-nspawn "${arguments[@]}"
        ) &
        nspawn=$!
        find_leader "$nspawn"
        status=0
        wait "$nspawn" || status=$?
        rm -f "$folder/leader"
        remove_group "$group/boot-$boot"
        # 133: the host reboots.
        [ "$status" = 133 ] || break
    done
    leave_group
    printf '%s\n' "$status" >"$folder/off"
}

main
exit
