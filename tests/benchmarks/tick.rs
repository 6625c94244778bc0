//! What the tick that finds nothing to do costs, beside a shell script that does the same; and what
//! `status` costs, beside `systemctl status`.
//!
//! `scripts/bench` builds it, copies it to a laboratory host and runs it there:
//! `tick tick|status RUNS --check|--show NAME COMMAND… -- NAME COMMAND…`. Both commands take turns, so that
//! whatever else the machine does befalls both alike.
#![expect(
    clippy::print_stdout,
    reason = "a program of its own: it prints a table"
)]

#[expect(dead_code, reason = "the update aims at a difference, too")]
mod measure;

use measure::{
    Aim, Contestant, Row, Run, conclude, count, in_turns, mebibytes, median, milliseconds,
};
use std::process::ExitCode;

/// The shares of the reference's wall clock and processor time that we aim at.
const SHARE: f64 = 0.6;
/// How long `status` may take, in milliseconds.
const STATUS_MS: f64 = 50.0;
/// The aim for the peak memory.
const MEMORY_MIB: f64 = 12.0;
/// The first runs fill the page cache.
const WARM_UP: usize = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((is_status, runs, check, contestants)) = read(&arguments) else {
        println!("this runs inside a laboratory host: call scripts/bench");
        return ExitCode::SUCCESS;
    };
    let measured = in_turns(runs, WARM_UP, |index| contestants[index].run());
    let calls = contestants
        .each_ref()
        .map(|contestant| count(contestant.trace("all").len()));
    let row = |title, aim, value: fn(&Run) -> f64| Row {
        title,
        aim,
        values: measured.each_ref().map(|runs| median(runs, value)),
    };
    let (wall, processor) = if is_status {
        (Aim::Value(STATUS_MS), Aim::None)
    } else {
        (Aim::Ratio(SHARE), Aim::Ratio(SHARE))
    };
    let rows = [
        row("wall clock (ms)", wall, |run| milliseconds(run.wall)),
        row("processor time (ms)", processor, |run| {
            milliseconds(run.user + run.system)
        }),
        row("  user (ms)", Aim::None, |run| milliseconds(run.user)),
        row("  system (ms)", Aim::None, |run| milliseconds(run.system)),
        row("peak memory (MiB)", Aim::Value(MEMORY_MIB), |run| {
            mebibytes(run.peak_bytes)
        }),
        Row {
            title: "system calls",
            aim: Aim::None,
            values: calls,
        },
    ];
    conclude(runs, check, &contestants, &rows)
}

fn read(arguments: &[String]) -> Option<(bool, usize, bool, [Contestant; 2])> {
    match arguments {
        [what, runs, check, rest @ ..] => Some((
            what == "status",
            runs.parse().ok()?,
            check == "--check",
            Contestant::pair(rest)?,
        )),
        _ => None,
    }
}
