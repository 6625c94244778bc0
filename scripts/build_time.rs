//! Build script: the moment of the build, which a plausible clock can never be before.

#![allow(
    clippy::print_stdout,
    reason = "cargo reads what a build script prints"
)]

#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a build has no other clock than the machine's, and speaks to cargo by printing"
)]
fn main() {
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rerun-if-changed=scripts/build_time.rs");
    let given = std::env::var("SOURCE_DATE_EPOCH")
        .ok()
        .and_then(|text| text.parse::<u64>().ok());
    let now = || {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    };
    println!(
        "cargo::rustc-env=AGENT_UPDATER_BUILT_AT={}",
        given.unwrap_or_else(now)
    );
}
