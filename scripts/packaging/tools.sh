# shellcheck shell=bash
# The tools that build packages, installed below target/tools once. Sourced by scripts/package.

tools="$PWD/target/tools"
zigbuild_version=0.24.0
deb_version=3.8.0
rpm_version=0.21.1

# Wheels by version and hash: whatever the index answers, nothing else is installed.
wheels() {
    cat <<'END'
cargo-zigbuild==0.24.0 --hash=sha256:484412e39e4c6039474535ce97ee75a22bab22d58233056f8ec8a8f9034bb957
ziglang==0.17.1 --hash=sha256:ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54
END
}

# Into folders named after their versions, so that a change of those installs anew.
install_tools() {
    local wheels_folder
    wheels_folder="$tools/zigbuild-$zigbuild_version-$(wheels | sha256sum | cut -c1-12)"
    local crates_folder="$tools/crates-$deb_version-$rpm_version"
    if [ ! -e "$wheels_folder/installed" ]; then
        say "installing cargo-zigbuild and zig"
        rm -rf "$wheels_folder"
        python3 -m venv "$wheels_folder" ||
            die "python3 cannot make a virtual environment" "apt-get install python3-venv"
        wheels >"$wheels_folder/requirements"
        "$wheels_folder/bin/pip" install --quiet --no-deps --require-hashes --only-binary :all: \
            -r "$wheels_folder/requirements"
        touch "$wheels_folder/installed"
    fi
    if [ ! -e "$crates_folder/installed" ]; then
        say "compiling cargo-deb and cargo-generate-rpm"
        # Not optimised: they run for a second, and would take minutes to compile.
        CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$tools/target" cargo install --quiet --locked --debug \
            --root "$crates_folder" --no-default-features --features lzma --version "$deb_version" cargo-deb
        CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$tools/target" cargo install --quiet --locked --debug \
            --root "$crates_folder" --version "$rpm_version" cargo-generate-rpm
        rm -rf "$tools/target"
        touch "$crates_folder/installed"
    fi
    export PATH="$crates_folder/bin:$wheels_folder/bin:$PATH"
}
