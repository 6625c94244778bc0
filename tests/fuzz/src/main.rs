//! One program for all targets, so that the parsers are compiled once. `scripts/fuzz` builds and
//! runs it; the environment says which target.

#![no_main]

mod coverage;
mod limits;
mod seeds;
mod stretch;
mod targets;

use std::env;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::OnceLock;

use limits::{MOST_MILLISECONDS, MOST_MILLISECONDS_STRETCHED};
use targets::{TARGETS, Target};

#[global_allocator]
static ALLOCATOR: limits::Counting = limits::Counting;

static TARGET: OnceLock<&Target> = OnceLock::new();
static STRETCHED: OnceLock<PathBuf> = OnceLock::new();

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
    if let Some(file) = env::var_os("FUZZ_STRETCH") {
        let _ = STRETCHED.set(file.into());
    }
    if env::var_os("FUZZ_COVERAGE").is_some() {
        coverage::collect(target);
    }
    limits::report_at_exit();
    // What is set up once is not charged to an input.
    (target.run)(b"");
}

libfuzzer_sys::fuzz_target!(init: start(), |data: &[u8]| {
    let Some(target) = TARGET.get() else { return };
    if let Some(file) = STRETCHED.get() {
        for input in stretch::forms_of(data) {
            // libFuzzer would only keep what the form was made of.
            std::fs::write(file, &input).expect("a file for the stretched input");
            limits::guarded(MOST_MILLISECONDS_STRETCHED, || (target.run)(&input));
        }
    } else {
        limits::guarded(MOST_MILLISECONDS, || (target.run)(data));
    }
    coverage::after_input();
});
