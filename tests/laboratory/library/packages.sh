# shellcheck shell=bash
# The demo packages: one line per version, the scripts a vendor would ship, .deb and .rpm.

# label: how the laboratory's commands name it.   agent: the version compiled into the program.
package_table() {
    cat <<'END'
# label     package      agent       deb          rpm: epoch version release
1.0.0       demo-agent   1.0.0       1.0.0        0 1.0.0      1
1.1.0       demo-agent   1.1.0       1.1.0        0 1.1.0      1
1.2.0-rc.1  demo-agent   1.2.0-rc.1  1.2.0~rc.1   0 1.2.0~rc.1 1
2.0.0       demo-agent   2.0.0       2.0.0        0 2.0.0      1
2.1.0-1     demo-agent   2.1.0       2.1.0-1      0 2.1.0      1
2.1.0-2     demo-agent   2.1.0       2.1.0-2      0 2.1.0      2
3.0.0       demo-agent   3.0.0       1:3.0.0      1 3.0.0      1
4.0.0       demo-agent   4.0.0       4.0.0        0 4.0.0      1
4.1.0       demo-agent   4.1.0       4.1.0        0 4.1.0      1
5.0.0       demo-agent   5.0.0       5.0.0        0 5.0.0      1
5.1.0       demo-agent   5.1.0       5.1.0        0 5.1.0      1
5.2.0       demo-agent   5.2.0       5.2.0        0 5.2.0      1
5.3.0       demo-agent   5.3.0       5.3.0        0 5.3.0      1
5.4.0       demo-agent   5.4.0       5.4.0        0 5.4.0      1
5.5.0       demo-agent   5.5.0       5.5.0        0 5.5.0      1
5.6.0       demo-agent   5.6.0       5.6.0        0 5.6.0      1
5.7.0       demo-agent   5.7.0       5.7.0        0 5.7.0      1
5.8.0       demo-agent   5.8.0       5.8.0        0 5.8.0      1
5.9.0       demo-agent   5.9.0       5.9.0        0 5.9.0      1
5.10.0      demo-agent   5.10.0      5.10.0       0 5.10.0     1
5.11.0      demo-agent   5.11.0      5.11.0       0 5.11.0     1
5.12.0      demo-agent   5.12.0      5.12.0       0 5.12.0     1
5.13.0      demo-agent   5.13.0      5.13.0       0 5.13.0     1
plugin      demo-plugin  1.0.0       1.0.0        0 1.0.0      1
END
}

# What is wrong, or special, with a version; one of these is in the repository `trouble` only.
package_trait() {
    case "$1" in
    5.0.0) echo crashes-at-start ;;
    5.1.0) echo crashes-after-5s ;;
    5.2.0) echo answers-503 ;;
    5.3.0) echo never-ready ;;
    5.4.0) echo before-hangs ;;
    5.5.0) echo after-hangs ;;
    5.6.0) echo before-fails ;;
    5.7.0) echo after-fails ;;
    5.8.0) echo restarts-updater ;;
    5.9.0) echo other-configuration ;;
    5.10.0) echo big ;;
    5.11.0) echo truncates ;;
    5.12.0) echo can-reload ;;
    5.13.0) echo leaves-restart ;;
    esac
}

package_rows() {
    package_table | grep -v '^#'
}

package_labels() {
    package_rows | cut -d' ' -f1
}

# What a version does to another package, for .deb and .rpm; one that does anything is not in the
# repository `demo`.
package_relations() {
    case "$1:$2" in
    4.0.0:deb) printf 'Conflicts: demo-plugin\nReplaces: demo-plugin\n' ;;
    4.0.0:rpm) printf 'Obsoletes: demo-plugin\n' ;;
    4.1.0:deb) printf 'Depends: demo-plugin\n' ;;
    4.1.0:rpm) printf 'Requires: demo-plugin\n' ;;
    esac
}

package_labels_demo() {
    local label
    for label in $(package_labels); do
        [ -n "$(package_relations "$label" deb)$(package_trait "$label")" ] || printf '%s\n' "$label"
    done
}

package_labels_trouble() {
    local label
    package_labels_demo
    for label in $(package_labels); do
        [ -z "$(package_trait "$label")" ] || printf '%s\n' "$label"
    done
}

# Prints the table's line of a label.
package_row() {
    package_rows | awk -v label="$1" '$1 == label { $1 = $1; print }' | grep . ||
        die "no such version: $1 (there are $(package_labels | paste -sd' '))"
}

# The files of a package below a folder.
package_tree() {
    local package="$1" agent="$2" tree="$3" programs="$4" type=simple more=""
    if [ "$package" = demo-plugin ]; then
        install -D -m 0755 /dev/stdin "$tree/usr/bin/demo-plugin" <<<'#!/bin/sh
echo demo-plugin '"$agent"
        return
    fi
    install -D -m 0755 "$programs/$agent" "$tree/usr/bin/demo-agent"
    install -D -m 0644 /dev/stdin "$tree/etc/demo-agent/config" <<'END'
# healthy=false     /healthz answers 503
# crash=at-start    aborts at once
# crash=after:5s    aborts five seconds after its start
END
    case "$(package_trait "$agent")" in
    # Nobody ever says READY=1.
    never-ready) type=notify more=$'\nTimeoutStartSec=3' ;;
    can-reload) more=$'\nExecReload=/usr/bin/curl -sSf http://127.0.0.1:7777/reload' ;;
    other-configuration) echo '# a line that is new in this version' >>"$tree/etc/demo-agent/config" ;;
    # More than fits on the file system that a test mounts there.
    big)
        install -d "$tree/opt/demo-agent"
        head -c 8M /dev/zero >"$tree/opt/demo-agent/data"
        ;;
    esac
    install -D -m 0644 /dev/stdin "$tree/lib/systemd/system/demo-agent.service" <<END
[Unit]
Description=Demo agent
After=network.target

[Service]
Type=$type
ExecStart=/usr/bin/demo-agent
Restart=on-failure
RestartSec=1$more

[Install]
WantedBy=multi-user.target
END
}

# Maintainer scripts. $when is `first` or `upgrade` where they are called, $1 is what is special with the version.
script_before_install() {
    case "$1" in
    before-hangs) echo 'sleep 1000' ;;
    before-fails) echo 'echo "this version does not like this host" >&2; exit 4' ;;
    esac
}

script_after_install() {
    # A test's own moment inside the transaction.
    [ -z "$1" ] || echo 'if [ -x /root/at-post ]; then /root/at-post; fi'
    case "$1" in
    after-hangs) echo 'sleep 1000' ;;
    after-fails) echo 'exit 3' ;;
    # Under another name first: a program that runs cannot be written to.
    truncates) echo ': >/usr/bin/demo-agent.new; chmod 755 /usr/bin/demo-agent.new; mv /usr/bin/demo-agent.new /usr/bin/demo-agent' ;;
    restarts-updater) echo 'systemctl try-restart agent-updater.service || true' ;;
    can-reload | leaves-restart)
        echo 'if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi'
        return
        ;;
    esac
    cat <<'END'
if [ "$when" = first ]; then
    systemctl enable demo-agent.service >/dev/null 2>&1 || true
fi
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    if [ "$when" = first ]; then
        systemctl restart demo-agent.service || true
    else
        systemctl try-restart demo-agent.service || true
    fi
fi
END
}

script_before_removal() {
    cat <<'END'
if [ -d /run/systemd/system ]; then
    systemctl --no-reload disable --now demo-agent.service || true
fi
END
}

package_deb() {
    local label="$1" package="$2" version="$3" tree="$4" out="$5" trait before
    trait="$(package_trait "$label")"
    before="$(script_before_install "$trait")"
    install -d "$tree/DEBIAN"
    cat >"$tree/DEBIAN/control" <<END
Package: $package
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: Laboratory <laboratory@example.invalid>
Section: admin
Priority: optional
Description: $package of the laboratory
END
    package_relations "$label" deb >>"$tree/DEBIAN/control"
    if [ "$package" = demo-agent ]; then
        printf '/etc/demo-agent/config\n' >"$tree/DEBIAN/conffiles"
        {
            # shellcheck disable=SC2016 # the script's own variables
            printf '%s\n' '#!/bin/sh' 'set -e' '[ "$1" = configure ] || exit 0' \
                'if [ -z "$2" ]; then when=first; else when=upgrade; fi'
            script_after_install "$trait"
        } >"$tree/DEBIAN/postinst"
        {
            # shellcheck disable=SC2016
            printf '%s\n' '#!/bin/sh' 'set -e' '[ "$1" = remove ] || exit 0'
            script_before_removal
        } >"$tree/DEBIAN/prerm"
        printf '%s\n' '#!/bin/sh' 'set -e' 'if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi' \
            >"$tree/DEBIAN/postrm"
        chmod 0755 "$tree/DEBIAN/postinst" "$tree/DEBIAN/prerm" "$tree/DEBIAN/postrm"
        # shellcheck disable=SC2016
        [ -z "$before" ] ||
            printf '%s\n' '#!/bin/sh' '[ "$1" = upgrade ] || exit 0' "$before" |
            install -m 0755 /dev/stdin "$tree/DEBIAN/preinst"
    fi
    # Not compressed: several of these are built and installed in every suite.
    dpkg-deb --root-owner-group -Znone --build "$tree" "$out/${package}_${version#*:}_$(dpkg --print-architecture).deb" >/dev/null
    rm -r "$tree/DEBIAN"
}

package_spec() {
    local label="$1" package="$2" epoch="$3" version="$4" release="$5" tree="$6" trait before
    trait="$(package_trait "$label")"
    before="$(script_before_install "$trait")"
    printf 'Name: %s\nVersion: %s\nRelease: %s\nSummary: %s of the laboratory\nLicense: Apache-2.0\nAutoReqProv: no\n' \
        "$package" "$version" "$release" "$package"
    package_relations "$label" rpm
    [ "$epoch" = 0 ] || printf 'Epoch: %s\n' "$epoch"
    printf '%%description\n%s of the laboratory.\n' "$package"
    if [ "$package" = demo-agent ]; then
        # shellcheck disable=SC2016
        printf '%s\n' '%post' 'if [ "$1" = 1 ]; then when=first; else when=upgrade; fi'
        script_after_install "$trait"
        [ -z "$before" ] || printf '%s\n' '%pre' "$before"
        # shellcheck disable=SC2016
        printf '%s\n' '%preun' '[ "$1" = 0 ] || exit 0'
        script_before_removal
        printf '%s\n' '%postun' 'if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi'
    fi
    printf '%%install\ncp -a /mnt/work/trees/%s/. %%{buildroot}/\n%%files\n' "$label"
    (cd "$tree" && find . -type f -printf '/%P\n' | sed 's#^/etc/#%config(noreplace) /etc/#')
}

packages_folder() {
    printf '%s/packages/%s\n' "$cache" \
        "$(key_of_files "$laboratory_source"/library/{packages.sh,workshop.sh,workshop-inside.sh} "$laboratory_source/demo_agent.rs")"
}

# Compiles the agents, builds every package and signs the rpms with the right and the wrong key.
packages_build() {
    local folder work label package agent deb epoch version release
    folder="$(packages_folder)"
    [ -d "$folder" ] && return 0
    requirements_met
    say "building the demo packages"
    mkdir -p "$cache/packages"
    work="$(mktemp -d "$cache/packages/.building-XXXXXX")"
    # shellcheck disable=SC2064 # the name is wanted as it is now
    trap "rm -rf '$work'" EXIT
    mkdir "$work/programs" "$work/trees" "$work/specs" "$work/deb"
    export SOURCE_DATE_EPOCH=1767225600
    package_rows | while read -r label package agent deb epoch version release; do
        if [ "$package" = demo-agent ] && [ ! -e "$work/programs/$agent" ]; then
            DEMO_AGENT_VERSION="$agent" DEMO_AGENT_TRAIT="$(package_trait "$agent")" rustc --edition 2021 -C opt-level=s -C panic=abort -C strip=symbols \
                -C target-feature=+crt-static -o "$work/programs/$agent" "$laboratory_source/demo_agent.rs"
        fi
        package_tree "$package" "$agent" "$work/trees/$label" "$work/programs"
        mkdir -p "$work/deb/$label"
        package_deb "$label" "$package" "$deb" "$work/trees/$label" "$work/deb/$label"
        package_spec "$label" "$package" "$epoch" "$version" "$release" "$work/trees/$label" >"$work/specs/$label.spec"
    done
    in_workshop "$work" packages
    rm -r "$work/trees" "$work/specs"
    mv "$work" "$folder"
    trap - EXIT
}
