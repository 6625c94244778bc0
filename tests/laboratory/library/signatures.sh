# shellcheck shell=bash
# The repositories of the signature matrix; signatures-inside.sh has the cases.

signatures_recipe() {
    key_of_files "$laboratory_source/library/signatures-inside.sh" "$cache/keys/demo.gpg" -- "$(basename "$(packages_folder)")"
}

# Made once and kept, until the recipe, the packages or the keys change.
signatures_build() {
    local tree
    [ "$(cat "$cache/served/signatures/made-from" 2>/dev/null)" != "$(signatures_recipe)" ] || return 0
    say "making the repositories of the signature matrix"
    mkdir -p "$cache/served"
    tree="$(mktemp -d "$cache/served/.signatures-XXXXXX")"
    chmod 0755 "$tree"
    in_workshop "$tree" signatures
    signatures_recipe >"$tree/made-from"
    with_lock served repository_publish signatures "$tree"
}

signatures_command() {
    [ $# = 0 ] || usage_error "signatures: no arguments"
    need_root
    with_lock packages keys_build
    with_lock packages packages_build
    with_lock signatures signatures_build
    printf '%s\n' "$cache/served/signatures"
}
