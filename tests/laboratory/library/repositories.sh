# shellcheck shell=bash
# Named repositories, served as http://10.213.0.1/NAME/apt and …/rpm.

repository_names_reserved=(keys signatures)

# Package files of others that the next repository is to have as well.
repository_added=()

# Shows an already finished tree under its name, in one step for whoever is downloading.
repository_publish() {
    local name="$1" tree="$2" old
    old="$(readlink "$cache/served/$name" || true)"
    ln -s "$(basename "$tree")" "$cache/served/.link-$name"
    mv -T "$cache/served/.link-$name" "$cache/served/$name"
    [ -z "$old" ] || rm -rf "$cache/served/${old:?}"
}

repository_make() {
    local name="$1" key="$2" index="$3" tree
    shift 3
    with_lock packages keys_build
    with_lock packages packages_build
    mkdir -p "$cache/served"
    tree="$(mktemp -d "$cache/served/.$name-XXXXXX")"
    chmod 0755 "$tree"
    if [ "${#repository_added[@]}" != 0 ]; then
        mkdir "$tree/added"
        cp "${repository_added[@]}" "$tree/added"
    fi
    in_workshop "$tree" repository "$key" "$index" "$@"
    basename "$(packages_folder)" >"$tree/made-from"
    with_lock served repository_publish "$name" "$tree"
}

# repository_standing NAME LABEL…: made again when the packages were.
repository_standing() {
    [ "$(cat "$cache/served/$1/made-from" 2>/dev/null)" = "$(basename "$(packages_folder)")" ] ||
        repository_make "$1" demo "" "${@:2}"
}

# The default repository has every version that leaves other packages alone and works, `trouble`
# the others as well.
repository_demo() {
    local labels
    mapfile -t labels < <(package_labels_demo)
    repository_standing demo "${labels[@]}"
    mapfile -t labels < <(package_labels_trouble)
    repository_standing trouble "${labels[@]}"
}

repositories_command() {
    [ $# = 0 ] || usage_error "repositories: no arguments"
    need_root
    with_lock repository-demo repository_demo
    printf '%s\n' "$cache/served/demo" "$cache/keys"
}

repository_command() {
    local name="${1:-}" versions="" key=demo plugin=plugin index="" labels label word
    [ -n "$name" ] || usage_error "repository: which name?"
    shift
    valid_name "$name"
    ! contains "$name" "${repository_names_reserved[@]}" || usage_error "the name '$name' is taken"
    while [ $# -gt 0 ]; do
        case "$1" in
        --versions)
            versions="${2?--versions needs a value}"
            shift
            ;;
        --key)
            key="${2:?--key needs a value}"
            shift
            ;;
        --index)
            index="${2?--index needs a value}"
            for word in $index; do
                contains "$word" gz xz bz2 zst lz4 flat sha512 zchunk by-hash detached ||
                    usage_error "--index: unknown word '$word'"
            done
            shift
            ;;
        --add)
            [ -f "${2:?--add needs a value}" ] || die "there is no file $2"
            repository_added+=("$2")
            shift
            ;;
        --unsigned) key=unsigned ;;
        --without-plugin) plugin="" ;;
        --remove)
            rm -rf "$(readlink -f "$cache/served/$name")" "$cache/served/$name"
            return
            ;;
        *) usage_error "repository: unknown option '$1'" ;;
        esac
        shift
    done
    contains "$key" demo wrong unsigned || usage_error "--key is demo or wrong"
    need_root
    labels=()
    for label in ${versions//,/ } $plugin; do
        package_row "$label" >/dev/null
        labels+=("$label")
    done
    repository_make "$name" "$key" "$index" "${labels[@]}"
    printf '%s\n' "$cache/served/$name"
}
