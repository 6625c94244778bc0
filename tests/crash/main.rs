//! Cuts an update off at chosen moments, lets the next ticks alone mend it, and counts.
//!
//! Needs root and the laboratory; `scripts/crash` says how.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test fails loudly"
)]

#[path = "../end_to_end/laboratory.rs"]
#[allow(dead_code, unreachable_pub, reason = "it has more than is needed here")]
mod laboratory;
#[path = "../support/mod.rs"]
mod support;

mod fault;
mod group;
mod options;
mod own;
mod points;
mod run;
mod scene;
mod tally;
mod trace;
mod tree;

use clap::Parser as _;
use options::{MANAGERS, Options};
use points::{done, plan};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use std::collections::{HashSet, VecDeque};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tally::{Results, attempt, summary};

fn main() -> ExitCode {
    let options = Options::parse();
    let tools = scene::tools();
    let started = Instant::now();
    let mut jobs = VecDeque::new();
    let wanted: Vec<&str> = MANAGERS
        .into_iter()
        .filter(|manager| {
            options.manager.is_empty() || options.manager.iter().any(|wanted| wanted == manager)
        })
        .collect();
    for managers in wanted.chunks(options.jobs.max(1)) {
        std::thread::scope(|scope| {
            let plan = |manager| plan(&options, manager, (&options.binary, tools.path()));
            let plans: Vec<_> = managers
                .iter()
                .map(|manager| scope.spawn(move || plan(manager)))
                .collect();
            for plan in plans {
                jobs.extend(plan.join().expect("an undisturbed update"));
            }
        });
    }
    if let Some(path) = &options.after {
        let text = std::fs::read_to_string(path).expect("what the earlier run printed");
        let done: HashSet<String> = text.lines().filter_map(done).collect();
        jobs.retain(|job| !done.contains(&job.key()));
    }
    if options.list {
        for job in &jobs {
            println!(
                "{} {:?} {}/{} {} {}",
                job.manager,
                job.kind,
                job.number,
                job.of,
                job.what(),
                job.point.text()
            );
        }
        return ExitCode::SUCCESS;
    }
    if options.minutes.is_some() {
        let mut random = StdRng::seed_from_u64(options.seed);
        jobs.make_contiguous().shuffle(&mut random);
    }
    let over = || {
        options
            .minutes
            .is_some_and(|minutes| started.elapsed() > Duration::from_secs(minutes * 60))
    };
    let queue = Mutex::new(jobs);
    let results = Mutex::new((Results::new(), Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                while !over() {
                    let Some(job) = queue.lock().unwrap().pop_front() else {
                        return;
                    };
                    attempt(&job, (&options.binary, tools.path()), &results);
                }
            });
        }
    });
    let not_reached = queue.into_inner().unwrap().len();
    if not_reached > 0 {
        println!("{not_reached} points were not reached in the time given");
    }
    let (tallies, failures) = results.into_inner().unwrap();
    summary(&tallies, &failures, started)
}
