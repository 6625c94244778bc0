# shellcheck shell=bash
# The hub: a network namespace with a bridge and the web server of the repositories. Every
# host has its own namespace, joined to the bridge. Nothing is bound in the machine's own.

host_namespace() {
    printf '%s-%s\n' "$hub" "$1"
}

hub_up() {
    [ -e "/run/netns/$hub" ] || {
        ip netns add "$hub"
        ip -n "$hub" link set lo up
        # A fixed one: else the bridge takes the lowest of its members, and when a host comes or
        # goes the others talk to the old one for half a minute.
        ip -n "$hub" link add br0 address 02:00:0a:d5:00:01 type bridge
        ip -n "$hub" address add "$hub_address/24" dev br0
        ip -n "$hub" link set br0 up
    }
    mkdir -p "$hosts/.hub"
    [ -e "$hosts/.hub/settings" ] || settings_save
    web_up
}

hub_down() {
    local process
    process="$(cat "$hosts/.hub/nginx.pid" 2>/dev/null || true)"
    if [ -n "$process" ] && [ "$(readlink "/proc/$process/ns/net")" = "$(hub_inode)" ]; then
        kill "$process"
        until_true 5 process_gone "$process" || say "the web server $process does not end"
    fi
    [ ! -e "/run/netns/$hub" ] || ip netns delete "$hub"
    settings_restore
    rm -rf "$hosts/.hub"
}

process_gone() {
    ! process_start "$1" >/dev/null
}

# What /proc/PID/ns/net of a process in the hub says.
hub_inode() {
    printf 'net:[%s]\n' "$(stat -L -c %i "/run/netns/$hub" 2>/dev/null)"
}

web_up() {
    local process root
    process="$(cat "$hosts/.hub/nginx.pid" 2>/dev/null || true)"
    [ -z "$process" ] || [ "$(readlink "/proc/$process/ns/net")" != "$(hub_inode)" ] || return 0
    root="$(base_folder "$default_release")"
    mkdir -p "$cache/served/keys" "$hosts/.hub/temporary"
    with_lock packages keys_build
    cp "$cache/keys/"*.asc "$cache/keys/"*.gpg "$cache/keys/"{authority,client}.pem "$cache/keys/client.key" "$cache/served/keys/"
    cp "$cache/keys/"{authority,server}.pem "$cache/keys/server.key" "$cache/keys/passwords" "$hosts/.hub/"
    chmod 0644 "$cache/served/keys/"* "$hosts/.hub/passwords"
    cat >"$hosts/.hub/nginx.conf" <<END
user root;
worker_processes 1;
pid /mnt/hub/nginx.pid;
error_log /mnt/hub/error.log;
events { worker_connections 256; }
http {
    access_log /mnt/hub/access.log;
    client_body_temp_path /mnt/hub/temporary;
    proxy_temp_path /mnt/hub/temporary;
    fastcgi_temp_path /mnt/hub/temporary;
    uwsgi_temp_path /mnt/hub/temporary;
    scgi_temp_path /mnt/hub/temporary;
    server {
        listen $hub_address:80;
        root /mnt/served;
        location ~ "/\." { return 404; }
        location / { autoindex on; }
        # The same behind a password: user \`reader\`, password \`s3cret-word\`.
        location /locked/ {
            alias /mnt/served/;
            auth_basic laboratory;
            auth_basic_user_file /mnt/hub/passwords;
        }
    }
    # The same for those alone who have the client's certificate, under an authority nobody knows.
    server {
        listen $hub_address:443 ssl;
        root /mnt/served;
        ssl_certificate /mnt/hub/server.pem;
        ssl_certificate_key /mnt/hub/server.key;
        ssl_client_certificate /mnt/hub/authority.pem;
        ssl_verify_client on;
    }
}
END
    (
        close_locks
        # shellcheck disable=SC2016 # the inner shell's own arguments
        ip netns exec "$hub" unshare --mount --propagation private /bin/bash -euo pipefail -c '
            mount -t tmpfs tmpfs "$1/mnt"
            mkdir "$1/mnt/hub" "$1/mnt/served"
            mount --bind "$2" "$1/mnt/hub"
            mount --bind "$3" "$1/mnt/served"
            exec chroot "$1" /usr/sbin/nginx -e /mnt/hub/error.log -c /mnt/hub/nginx.conf
        ' web "$root" "$hosts/.hub" "$cache/served" </dev/null >/dev/null 2>"$hosts/.hub/start.log"
    ) || die "the web server does not start: $(cat "$hosts/.hub/start.log")"
    until_true 5 test -s "$hosts/.hub/nginx.pid" || die "the web server does not start"
}

# Gives a host an address, a namespace and a place on the bridge. Call it under the lock.
network_up() {
    local name="$1" number namespace
    hub_up
    namespace="$(host_namespace "$name")"
    for number in $(seq 10 250); do
        grep -qsx "$number" "$hosts"/*/number "$hosts"/.[!.]*/number || break
    done
    printf '%s\n' "$number" >"$hosts/$name/number"
    ip netns add "$namespace"
    # One hardware address per number: the hub's kernel keeps an address's last one for seconds,
    # and a new host's packets would go to the host that had the number before.
    ip -n "$hub" link add "v-$number" type veth \
        peer name host0 address "02:00:0a:d5:00:$(printf %02x "$number")" netns "$namespace"
    ip -n "$hub" link set "v-$number" master br0 up
    ip -n "$namespace" link set lo up
    ip -n "$namespace" address add "10.213.0.$number/24" dev host0
    ip -n "$namespace" link set host0 up
}

network_down() {
    local name="$1" number
    number="$(cat "$hosts/$name/number" 2>/dev/null || true)"
    [ -z "$number" ] || ip -n "$hub" link delete "v-$number" 2>/dev/null || true
    ip netns delete "$(host_namespace "$name")" 2>/dev/null || true
}

# The machine's kernel settings that a host could reach: a unit with ProtectControlGroups= or
# ProtectProc= gets a writable /proc/sys. Kept while hosts are up and put back afterwards.
settings_list() {
    ls -d /proc/sys/fs/{protected_*,suid_dumpable,file-max,nr_open,inotify/*} \
        /proc/sys/kernel/{core_pattern,core_uses_pid,printk,sysrq,pid_max,threads-max,panic,panic_on_oops,kptr_restrict,dmesg_restrict,randomize_va_space,perf_event_paranoid,unprivileged_*,yama/*,hung_task_timeout_secs} \
        /proc/sys/vm/{swappiness,overcommit_memory,overcommit_ratio,max_map_count,dirty_ratio,mmap_min_addr} 2>/dev/null || true
}

settings_save() {
    local file
    settings_list | while read -r file; do
        printf '%s\t%s\n' "$file" "$(tr '\t' ' ' <"$file")"
    done >"$hosts/.hub/settings"
}

settings_restore() {
    local file value now
    [ -e "$hosts/.hub/settings" ] || return 0
    while IFS=$'\t' read -r file value; do
        now="$(tr '\t' ' ' <"$file")"
        [ "$now" != "$value" ] || continue
        say "a host changed $file to '$now': put back to '$value'"
        printf '%s\n' "$value" >"$file" || say "could not put back $file"
    done <"$hosts/.hub/settings"
}
