//! What the tick that finds nothing to do costs, beside a shell script that does the same.
//!
//! `scripts/bench` builds it, copies it to a laboratory host and runs it there:
//! `tick RUNS --check|--show NAME COMMAND… -- NAME COMMAND…`. Both commands take turns, so that
//! whatever else the machine does befalls both alike.
#![expect(
    clippy::print_stdout,
    reason = "a program of its own: it prints a table and takes the time"
)]

use std::fs;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use wait4::Wait4 as _;

/// The shares of the reference's wall clock and processor time that we aim at.
const SHARE: f64 = 0.6;
/// The aim for the peak memory.
const MEMORY_MIB: f64 = 12.0;

struct Contestant {
    name: String,
    command: Vec<String>,
}

/// One run with all the processes that it started.
struct Run {
    wall: Duration,
    user: Duration,
    system: Duration,
    /// Of the largest process.
    peak_bytes: u64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((runs, check, contestants)) = read(&arguments) else {
        println!("this runs inside a laboratory host: call scripts/bench");
        return ExitCode::SUCCESS;
    };
    let mut measured = [Vec::new(), Vec::new()];
    for number in 0..runs + 3 {
        for turn in 0..2 {
            let index = (number + turn) % 2;
            let run = contestants[index].run();
            // The first three fill the page cache.
            if number >= 3 {
                measured[index].push(run);
            }
        }
    }
    let calls = contestants.each_ref().map(Contestant::system_calls);
    let [ours, theirs] = &measured;
    let rows = [
        Row::new(
            "wall clock (ms)",
            Some(SHARE),
            None,
            [ours, theirs].map(|runs| median(runs, |run| milliseconds(run.wall))),
        ),
        Row::new(
            "processor time (ms)",
            Some(SHARE),
            None,
            [ours, theirs].map(|runs| median(runs, |run| milliseconds(run.user + run.system))),
        ),
        Row::new(
            "  user (ms)",
            None,
            None,
            [ours, theirs].map(|runs| median(runs, |run| milliseconds(run.user))),
        ),
        Row::new(
            "  system (ms)",
            None,
            None,
            [ours, theirs].map(|runs| median(runs, |run| milliseconds(run.system))),
        ),
        Row::new(
            "peak memory (MiB)",
            None,
            Some(MEMORY_MIB),
            [ours, theirs].map(|runs| median(runs, |run| mebibytes(run.peak_bytes))),
        ),
        Row::new("system calls", None, None, calls),
    ];
    println!(
        "median of {runs:<14} {:>14} {:>14} {:>7}  aim",
        contestants[0].name, contestants[1].name, "ratio"
    );
    for row in &rows {
        row.print();
    }
    if check && rows.iter().any(Row::missed) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn read(arguments: &[String]) -> Option<(usize, bool, [Contestant; 2])> {
    let (runs, check, rest) = match arguments {
        [runs, check, rest @ ..] => (runs.parse().ok()?, check == "--check", rest),
        _ => return None,
    };
    let contestant = |words: &[String]| {
        let (name, command) = words.split_first()?;
        Some(Contestant {
            name: name.clone(),
            command: command.to_vec(),
        })
    };
    let mut parts = rest.split(|word| word == "--").map(contestant);
    Some((runs, check, [parts.next()??, parts.next()??]))
}

impl Contestant {
    fn run(&self) -> Run {
        let started = Instant::now();
        let mut child = Command::new(&self.command[0])
            .args(&self.command[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let used = child.wait4().expect("wait for a child");
        let wall = started.elapsed();
        assert!(
            used.status.success(),
            "{} ended with {}",
            self.name,
            used.status
        );
        Run {
            wall,
            user: used.rusage.utime,
            system: used.rusage.stime,
            peak_bytes: used.rusage.maxrss,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
    fn system_calls(&self) -> f64 {
        let file = "/tmp/strace";
        let status = Command::new("strace")
            .args(["-f", "-qq", "-e", "signal=none", "-o", file])
            .args(&self.command)
            .stdout(Stdio::null())
            .status()
            .expect("run strace");
        assert!(
            status.success(),
            "{} under strace ended with {status}",
            self.name
        );
        // A call during which another process had its turn takes two lines.
        let trace = fs::read_to_string(file).expect("read the trace");
        trace
            .lines()
            .filter(|line| line.contains('(') && !line.contains(" resumed>"))
            .count() as f64
    }
}

/// One line of the table: ours first.
struct Row {
    title: &'static str,
    share: Option<f64>,
    limit: Option<f64>,
    values: [f64; 2],
}

impl Row {
    fn new(title: &'static str, share: Option<f64>, limit: Option<f64>, values: [f64; 2]) -> Self {
        Self {
            title,
            share,
            limit,
            values,
        }
    }

    fn ratio(&self) -> f64 {
        self.values[0] / self.values[1]
    }

    fn missed(&self) -> bool {
        self.share.is_some_and(|share| self.ratio() > share)
            || self.limit.is_some_and(|limit| self.values[0] > limit)
    }

    fn print(&self) {
        let aim = match (self.share, self.limit) {
            (Some(share), _) => format!("ratio {share} at most"),
            (_, Some(limit)) => format!("{limit} at most"),
            _ => String::new(),
        };
        let verdict = match (aim.is_empty(), self.missed()) {
            (true, _) => "",
            (false, false) => ": met",
            (false, true) => ": MISSED",
        };
        let [ours, theirs] = self.values;
        println!(
            "{:<24} {ours:>14.1} {theirs:>14.1} {:>7.2}  {aim}{verdict}",
            self.title,
            self.ratio()
        );
    }
}

fn median(runs: &[Run], value: impl Fn(&Run) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}
