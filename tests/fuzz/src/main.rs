//! One program for all targets, so that the parsers are compiled once. `scripts/fuzz` builds and
//! runs it; the environment says which target.

#![no_main]

mod coverage;
mod limits;
mod seeds;
mod stretch;
mod targets;

use std::env;
use std::path::Path;
use std::process::exit;
use std::sync::OnceLock;

use targets::{TARGETS, Target};

#[global_allocator]
static ALLOCATOR: limits::Counting = limits::Counting;

static TARGET: OnceLock<&Target> = OnceLock::new();
static STRETCHED: OnceLock<bool> = OnceLock::new();

fn start() {
    if env::var_os("FUZZ_LIST").is_some() {
        for target in TARGETS {
            println!("{} {}", target.name, target.longest);
        }
        exit(0);
    }
    let wanted = env::var("FUZZ_TARGET").unwrap_or_default();
    let Some(target) = TARGETS.iter().find(|target| target.name == wanted) else {
        eprintln!("error: there is no target '{wanted}'\nhint: see scripts/fuzz --list");
        exit(2);
    };
    if let Some(folder) = env::var_os("FUZZ_SEEDS") {
        seeds::write(target, Path::new(&folder));
        exit(0);
    }
    let _ = TARGET.set(target);
    let _ = STRETCHED.set(env::var_os("FUZZ_STRETCH").is_some());
    if env::var_os("FUZZ_COVERAGE").is_some() {
        coverage::collect(target);
    }
    limits::report_at_exit();
    // What is set up once is not charged to an input.
    (target.run)(b"");
}

libfuzzer_sys::fuzz_target!(init: start(), |data: &[u8]| {
    let Some(target) = TARGET.get() else { return };
    if STRETCHED.get() == Some(&true) {
        for input in stretch::forms_of(data) {
            limits::guarded(|| (target.run)(&input));
        }
    } else {
        limits::guarded(|| (target.run)(data));
    }
    coverage::after_input();
});
