//! What one input may cost: memory that is allocated at one time, and processor time.
//!
//! libFuzzer's own limits are of the whole process, which grows with the corpus, and of the clock
//! on the wall, which a busy machine makes meaningless. These are of one input, exactly.

use rustix::time::{ClockId, clock_gettime};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicU64, Ordering::Relaxed};

/// Most memory for one input beyond what was in use before it, in bytes.
const MOST_BYTES: isize = 64 << 20;
/// Most processor time for one input, in milliseconds; a hang ends at libFuzzer's `-timeout`.
pub(crate) const MOST_MILLISECONDS: u64 = 1000;
/// The same for a stretched one. The instrumented readers of a package manager's output, nine of
/// them on the same text, take half a second where cost is proportional to size.
pub(crate) const MOST_MILLISECONDS_STRETCHED: u64 = 4000;

static IN_USE: AtomicIsize = AtomicIsize::new(0);
static ALLOWED: AtomicIsize = AtomicIsize::new(isize::MAX);
static PEAK: AtomicIsize = AtomicIsize::new(0);
static WORST_BYTES: AtomicIsize = AtomicIsize::new(0);
static WORST_MICROSECONDS: AtomicU64 = AtomicU64::new(0);
static REPORTED: AtomicBool = AtomicBool::new(false);

/// The system's allocator, counted.
pub(crate) struct Counting;

impl Counting {
    fn charge(size: usize) {
        let size = isize::try_from(size).unwrap_or(isize::MAX / 2);
        let in_use = IN_USE.fetch_add(size, Relaxed) + size;
        PEAK.fetch_max(in_use, Relaxed);
        if in_use > ALLOWED.load(Relaxed) && !REPORTED.swap(true, Relaxed) {
            // Nothing here may allocate. libFuzzer keeps the input on SIGABRT.
            let text = b"error: more than 64 MiB of memory for one input\n";
            let _ = rustix::io::write(rustix::stdio::stderr(), text);
            std::process::abort();
        }
    }
}

// SAFETY: every call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::charge(layout.size());
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::charge(layout.size());
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size().cast_signed(), Relaxed);
        // SAFETY: the caller's contract is the same.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::charge(size);
        IN_USE.fetch_sub(layout.size().cast_signed(), Relaxed);
        // SAFETY: the caller's contract is the same.
        unsafe { System.realloc(place, layout, size) }
    }
}

fn microseconds() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec.cast_unsigned() * 1_000_000 + time.tv_nsec.cast_unsigned() / 1000
}

/// Runs one input within the limits; beyond them it is a crash.
pub(crate) fn guarded(most_milliseconds: u64, input: impl FnOnce()) {
    let before = IN_USE.load(Relaxed);
    PEAK.store(before, Relaxed);
    ALLOWED.store(before + MOST_BYTES, Relaxed);
    let started = microseconds();
    input();
    let spent = microseconds() - started;
    ALLOWED.store(isize::MAX, Relaxed);
    WORST_BYTES.fetch_max(PEAK.load(Relaxed) - before, Relaxed);
    WORST_MICROSECONDS.fetch_max(spent, Relaxed);
    assert!(
        spent < most_milliseconds * 1000,
        "{} ms of processor time for one input",
        spent / 1000
    );
}

extern "C" fn report() {
    eprintln!(
        "most for one input: {} KiB, {} us",
        WORST_BYTES.load(Relaxed) / 1024,
        WORST_MICROSECONDS.load(Relaxed)
    );
}

/// Tells at the end what the most expensive input cost.
pub(crate) fn report_at_exit() {
    crate::coverage::at_exit(report);
}
