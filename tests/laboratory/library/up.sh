# shellcheck shell=bash
# `lab up`: raises a host.

up_command() {
    local name="${1:-}" manager="" release="$default_release" repository=demo agent=1.0.0
    local owner="" systemd=yes privileged=no disk="" binds=() folder base prepared
    [ -n "$name" ] || usage_error "up: which name?"
    shift
    valid_name "$name"
    while [ $# -gt 0 ]; do
        case "$1" in
        --without-systemd) systemd=no ;;
        --privileged) privileged=yes ;;
        --manager | --release | --repository | --agent | --owner | --disk | --bind | --bind-ro)
            [ $# -ge 2 ] || usage_error "up: $1 needs a value"
            case "$1" in
            --manager) manager="$2" ;;
            --release) release="$2" ;;
            --repository) repository="$2" ;;
            --agent) agent="$2" ;;
            --owner) owner="$2" ;;
            --disk) disk="$2" ;;
            --bind | --bind-ro) binds+=("$1=$2") ;;
            esac
            shift
            ;;
        *) usage_error "up: unknown option '$1'" ;;
        esac
        shift
    done
    contains "$manager" "${managers[@]}" || usage_error "up: --manager is one of ${managers[*]}"
    contains "$release" "${releases[@]}" || usage_error "up: --release is one of ${releases[*]}"
    [ "$agent" = none ] || package_row "$agent" >/dev/null
    [[ "$disk" =~ ^([1-9][0-9]*)?$ ]] || usage_error "up: --disk needs a number of MiB, not '$disk'"
    need_root
    build_command --release "$release" >/dev/null
    repositories_command >/dev/null
    [ -d "$cache/served/$repository" ] || die "there is no repository '$repository'; see 'lab repository'"

    base="$(base_folder "$release")"
    prepared="$(prepared_folder "$release" "$manager" "$agent")"
    [ -d "$prepared" ] || with_lock "prepare-$(basename "$prepared")" prepare "$release" "$manager" "$agent"
    folder="$hosts/$name"
    if [ "$privileged" = yes ]; then
        # The same laboratory inside: all its parts, but hosts of its own.
        binds+=("--bind=$cache" "--bind=$folder/inner-hosts:$hosts" "--bind-ro=$laboratory_source:/opt/laboratory")
    fi
    host_create "$name" "$prepared:$base" "systemd=$systemd" "privileged=$privileged" \
        "disk=$disk" "binds=(${binds[*]@Q})"
    mkdir "$folder/inner-hosts" "$folder/upper/etc"
    printf '%s\n' "$name" >"$folder/upper/etc/hostname"
    printf '127.0.0.1 localhost %s\n::1 localhost\n' "$name" >"$folder/upper/etc/hosts"
    printf '%s %s agent=%s\n' "$release" "$manager" "$agent" >"$folder/about"
    [ -z "$owner" ] || printf '%s %s\n' "$owner" "$(process_start "$owner")" >"$folder/owner"
    [ "$repository" = demo ] || repository_switch "$folder/upper" "$prepared" "$repository"
    [ -z "$disk" ] || disk_create "$folder" "$disk"
    host_boot "$name"
    host_ready "$name"
    if [ "$agent" != none ]; then
        until_true 10 agent_answers "$name" || say "the demo agent of '$name' does not answer"
    fi
    trap - EXIT
}

# Points the vendor's repository entry at another named repository, before the first boot.
repository_switch() {
    local upper="$1" prepared="$2" repository="$3" file
    for file in etc/apt/sources.list.d/demo.sources etc/yum.repos.d/demo.repo etc/zypp/repos.d/demo.repo; do
        [ -f "$prepared/$file" ] || continue
        (cd "$prepared" && cp --parents --preserve=mode "$file" "$upper")
        sed -i "s#http://$hub_address/demo/#http://$hub_address/$repository/#" "$upper/$file"
    done
}

agent_answers() {
    # shellcheck disable=SC2016 # the inner shell's own variable
    nsenter --net="/run/netns/$(host_namespace "$1")" /bin/bash -c 'exec 3<>/dev/tcp/127.0.0.1/7777
        printf "GET /version HTTP/1.0\r\n\r\n" >&3
        cat <&3 >/dev/null' 2>/dev/null
}
