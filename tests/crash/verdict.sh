#!/bin/sh
# Looks at a host after a tick. Lines that begin with `problem:` are what is not in order.
# shellcheck disable=SC2012,SC2086
problem() { echo "problem: $*"; }
if command -v dpkg-query >/dev/null && dpkg-query -W demo-agent >/dev/null 2>&1; then
    audit="$(dpkg --audit)"; [ -z "$audit" ] || problem "dpkg --audit: $audit"
    # Records are named by numbers; what dpkg leaves behind on a full disk (tmp.i) is none, and is
    # overwritten by its next run.
    left="$(find /var/lib/dpkg/updates -name '[0-9]*')"; [ -z "$left" ] || problem "/var/lib/dpkg/updates: $left"
    check="$(apt-get check 2>&1)" || problem "apt-get check: $check"
    verified="$(dpkg -V demo-agent 2>&1)"
    files="$(printf '%s' "$verified" | grep -v '^[^ ]* c ' || true)"; [ -z "$files" ] || problem "dpkg -V: $files"
    # The administrator's to change, and so not ours to mend.
    [ "$verified" = "$files" ] || echo "remark: configuration differs: $verified $(head -c 200 /etc/demo-agent/config | od -c | head -n 4)"
    status="$(dpkg-query -W -f='${db:Status-Abbrev}' demo-agent)"; [ "$status" = 'ii ' ] || problem "status: $status"
    version="$(dpkg-query -W -f='${Version}' demo-agent)"
else
    version="$(rpm -q --qf '%{VERSION}\n' demo-agent 2>&1)" || problem "rpm -q: $version"
    [ "$(printf '%s\n' "$version" | wc -l)" = 1 ] || problem "registered:" $version
    files="$(rpm -V --noconfig demo-agent 2>&1)" || problem "rpm -V: $files"
fi
case "$version" in 1.0.0 | 1.1.0) ;; *) problem "version: $version" ;; esac
echo "version: $version"
# Restarted a moment ago, it may not listen yet.
end=$(($(date +%s) + 60))
until answer="$(curl -sS --max-time 5 http://127.0.0.1:7777/version 2>&1)"; do
    [ "$(date +%s)" -lt "$end" ] || break
    sleep 0.2
done
[ "$answer" = "$version" ] || problem "the agent answers: $answer"
health="$(curl -s -o /dev/null -w '%{http_code}' --max-time 5 http://127.0.0.1:7777/healthz)"
[ "$health" = 200 ] || problem "healthz: $health"
main="$(systemctl show -p MainPID --value demo-agent)"
file="$(readlink "/proc/$main/exe")"; [ "$file" = /usr/bin/demo-agent ] || problem "main process $main: $file"
journal=/var/lib/agent-updater/journal/demo.json
if [ -e "$journal" ]; then
    # Fetched ahead of a window is nothing under way.
    grep -Eq '"phase": "(idle|prefetched)"' "$journal" || problem "journal: $(tr -d '\n' <"$journal" | cut -c1-600)"
fi
status="$(/opt/updater/agent-updater status --json 2>&1)" || problem "status: $status"
case "$(printf %s "$status" | tr -d ' \n')" in *'"quarantine":[]'*) ;; *) echo "remark: quarantined" ;; esac
litter="$(find /var/lib/agent-updater /var/cache/agent-updater /run/agent-updater /etc -name '.new-*' -o -name '.*agent-updater-new' 2>/dev/null)"
[ -z "$litter" ] || echo "remark: left behind:" $litter
plans="$(find /var/lib/agent-updater/plans -type f 2>/dev/null)"
[ -z "$plans" ] || echo "remark: left behind:" $plans
