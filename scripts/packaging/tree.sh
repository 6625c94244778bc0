# shellcheck shell=bash
# What an installation is made of, for the packages and for scripts/install alike. Sourced.

# lay_out PROGRAM FOLDER [GENERATOR]: puts every file below FOLDER. The manual pages and completions
# are printed by GENERATOR, where PROGRAM is for another processor than this machine's.
lay_out() {
    local program="$1" folder="$2" generator="${3:-$1}" unit file
    install -D -m 0755 "$program" "$folder/usr/bin/agent-updater"
    for unit in systemd/*.service systemd/*.timer; do
        install -D -m 0644 "$unit" "$folder/usr/lib/systemd/system/$(basename "$unit")"
    done
    install -D -m 0644 systemd/agent-updater.tmpfiles "$folder/usr/lib/tmpfiles.d/agent-updater.conf"
    install -D -m 0644 scripts/agent-updater.cron "$folder/etc/cron.d/agent-updater"
    install -D -m 0644 src/config/example.toml "$folder/usr/share/agent-updater/example.toml"
    install -D -m 0644 src/report/schema.json "$folder/usr/share/agent-updater/schema.json"
    install -D -m 0644 src/state/history/schema.json "$folder/usr/share/agent-updater/history.schema.json"
    for file in scripts/monitoring/alerts.yml scripts/monitoring/alerts.test.yml \
        scripts/monitoring/dashboard.json systemd/metrics-folder.conf; do
        install -D -m 0644 "$file" "$folder/usr/share/agent-updater/monitoring/$(basename "$file")"
    done
    install -d "$folder/usr/share/man/man5" "$folder/usr/share/man/man8" \
        "$folder/usr/share/bash-completion/completions" "$folder/usr/share/zsh/site-functions" \
        "$folder/usr/share/fish/vendor_completions.d"
    "$generator" man agent-updater.8 | gzip -9n >"$folder/usr/share/man/man8/agent-updater.8.gz"
    "$generator" man agent-updater.toml.5 | gzip -9n >"$folder/usr/share/man/man5/agent-updater.toml.5.gz"
    "$generator" completions bash >"$folder/usr/share/bash-completion/completions/agent-updater"
    "$generator" completions zsh >"$folder/usr/share/zsh/site-functions/_agent-updater"
    "$generator" completions fish >"$folder/usr/share/fish/vendor_completions.d/agent-updater.fish"
}
