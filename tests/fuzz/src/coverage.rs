//! Coverage by line of the parsers' own files, from the places that the compiler instrumented.
//!
//! The compiler's own report (`-C instrument-coverage`) needs LLVM tools of rustc's very version,
//! which a stable toolchain from Debian or rustup does not bring along.

use crate::targets::Target;
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::Mutex;

// The compiler's tables: one counter for each edge, and for each the place of its code.
unsafe extern "C" {
    #[link_name = "__start___sancov_cntrs"]
    static mut FIRST_COUNTER: u8;
    #[link_name = "__stop___sancov_cntrs"]
    static mut END_OF_COUNTERS: u8;
    #[link_name = "__start___sancov_pcs"]
    static FIRST_PLACE: [usize; 2];

    fn atexit(function: extern "C" fn()) -> i32;
}

struct Seen {
    target: &'static Target,
    edges: Vec<bool>,
}

static SEEN: Mutex<Option<Seen>> = Mutex::new(None);

pub(crate) fn at_exit(function: extern "C" fn()) {
    // SAFETY: the function neither panics nor unwinds.
    unsafe { atexit(function) };
}

fn counters() -> &'static [u8] {
    // SAFETY: the linker defines both symbols around one section; the fuzzer's thread, which is
    // the only one, does not write counters while this slice is read.
    unsafe {
        let first = &raw const FIRST_COUNTER;
        let length = (&raw const END_OF_COUNTERS).addr() - first.addr();
        std::slice::from_raw_parts(first, length)
    }
}

/// From here on every input's edges are added up, and told at the end.
pub(crate) fn collect(target: &'static Target) {
    let edges = vec![false; counters().len()];
    *SEEN.lock().expect("one thread") = Some(Seen { target, edges });
    at_exit(report);
}

/// libFuzzer clears the counters before the next input.
pub(crate) fn after_input() {
    if let Some(seen) = SEEN.lock().expect("one thread").as_mut() {
        for (seen, counter) in seen.edges.iter_mut().zip(counters()) {
            *seen |= *counter != 0;
        }
    }
}

extern "C" fn report() {
    let Ok(mut seen) = SEEN.lock() else { return };
    let Some(Seen { target, edges }) = seen.take() else {
        return;
    };
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let root = std::fs::canonicalize(root).unwrap_or_default();
    let root = format!("{}/", root.display());
    let mut files: BTreeMap<String, BTreeMap<u32, bool>> = BTreeMap::new();
    let (mut reached, mut all) = (0, 0);
    // SAFETY: the compiler writes one entry for each counter.
    let places = unsafe { std::slice::from_raw_parts(&raw const FIRST_PLACE, edges.len()) };
    for ([address, _], was_reached) in places.iter().zip(&edges) {
        let mut ours = None;
        // The function takes return addresses, which point behind what is meant.
        backtrace::resolve((address + 1) as *mut c_void, |symbol| {
            let name = symbol.filename().map(|name| name.display().to_string());
            let relative = name
                .as_deref()
                .map(|name| name.strip_prefix(&root).unwrap_or(name));
            if let (None, Some(name), Some(line)) = (&ours, relative, symbol.lineno()) {
                if target.files.iter().any(|file| name.starts_with(file)) {
                    ours = Some((name.to_owned(), line));
                }
            }
        });
        if let Some((name, line)) = ours {
            all += 1;
            reached += u32::from(*was_reached);
            *files.entry(name).or_default().entry(line).or_default() |= was_reached;
        }
    }
    let lines: Vec<bool> = files
        .values()
        .flat_map(|lines| lines.values().copied())
        .collect();
    let covered = lines.iter().filter(|line| **line).count();
    if std::env::var_os("FUZZ_UNCOVERED").is_some() {
        for (name, lines) in &files {
            let missed: Vec<String> = lines
                .iter()
                .filter(|(_, covered)| !**covered)
                .map(|(line, _)| line.to_string())
                .collect();
            println!("  {name}: {}", missed.join(" "));
        }
    }
    println!(
        "coverage {}: edges {reached}/{all} ({} %), lines {covered}/{} ({} %)",
        target.name,
        100 * reached / all.max(1),
        lines.len(),
        100 * covered / lines.len().max(1),
    );
}
