//! What the benchmarks share: runs of two contestants, and the table of their medians.

use std::fs;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use wait4::Wait4 as _;

/// A command under its name.
pub(crate) struct Contestant {
    pub(crate) name: String,
    pub(crate) command: Vec<String>,
}

/// One run with all the processes that it started.
pub(crate) struct Run {
    pub(crate) wall: Duration,
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    /// Of the largest process.
    pub(crate) peak_bytes: u64,
}

impl Contestant {
    /// Reads `NAME COMMAND…`.
    pub(crate) fn read(words: &[String]) -> Option<Self> {
        let (name, command) = words.split_first()?;
        Some(Self {
            name: name.clone(),
            command: command.to_vec(),
        })
    }

    /// Reads `NAME COMMAND… -- NAME COMMAND…`.
    pub(crate) fn pair(words: &[String]) -> Option<[Self; 2]> {
        let mut parts = words.split(|word| word == "--").map(Self::read);
        Some([parts.next()??, parts.next()??])
    }

    pub(crate) fn run(&self) -> Run {
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

    /// The lines of a trace of those system calls (`all`, or names), of all processes. Strace slows
    /// everything down, so this is no run that counts.
    pub(crate) fn trace(&self, calls: &str) -> Vec<String> {
        let file = "/tmp/strace";
        let status = Command::new("strace")
            .args(["-f", "-qq", "-e", "signal=none", "-o", file])
            .args(["-e", &format!("trace={calls}")])
            .args(&self.command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .expect("run strace");
        assert!(
            status.success(),
            "{} under strace ended with {status}",
            self.name
        );
        let trace = fs::read_to_string(file).expect("read the trace");
        // A call during which another process had its turn takes two lines.
        let whole = |line: &&str| line.contains('(') && !line.contains(" resumed>");
        trace.lines().filter(whole).map(str::to_owned).collect()
    }
}

/// What came of each run of both, which take turns, so that whatever else the machine does befalls
/// both alike. The first runs fill the page cache and do not count.
pub(crate) fn in_turns<T>(runs: usize, warm_up: usize, run: impl Fn(usize) -> T) -> [Vec<T>; 2] {
    let mut measured = [Vec::new(), Vec::new()];
    for number in 0..runs + warm_up {
        for turn in 0..2 {
            let index = (number + turn) % 2;
            let done = run(index);
            if number >= warm_up {
                measured[index].push(done);
            }
        }
    }
    measured
}

/// What is aimed at.
#[derive(Clone, Copy)]
pub(crate) enum Aim {
    None,
    /// Our share of the reference, at most.
    Ratio(f64),
    /// Our own value, at most.
    Value(f64),
    /// The reference's value and so much more, at most.
    More(f64),
}

/// One line of the table: ours first.
pub(crate) struct Row {
    pub(crate) title: &'static str,
    pub(crate) aim: Aim,
    pub(crate) values: [f64; 2],
}

impl Row {
    fn ratio(&self) -> f64 {
        self.values[0] / self.values[1]
    }

    fn missed(&self) -> bool {
        match self.aim {
            Aim::None => false,
            Aim::Ratio(most) => self.ratio() > most,
            Aim::Value(most) => self.values[0] > most,
            Aim::More(most) => self.values[0] > self.values[1] + most,
        }
    }

    fn text(&self) -> String {
        let aim = match self.aim {
            Aim::None => return String::new(),
            Aim::Ratio(most) => format!("ratio {most} at most"),
            Aim::Value(most) => format!("{most} at most"),
            Aim::More(most) => format!("{most} more at most"),
        };
        let verdict = if self.missed() { "MISSED" } else { "met" };
        format!("{aim}: {verdict}")
    }
}

/// Prints the table; a missed aim is a failure where aims are checked.
pub(crate) fn conclude(
    runs: usize,
    check: bool,
    contestants: &[Contestant; 2],
    rows: &[Row],
) -> ExitCode {
    print!("{}", table(runs, contestants, rows));
    if check && rows.iter().any(Row::missed) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// The table, as text.
fn table(runs: usize, contestants: &[Contestant; 2], rows: &[Row]) -> String {
    let mut text = format!(
        "{:<24} {:>14} {:>14} {:>7}  aim\n",
        format!("median of {runs}"),
        contestants[0].name,
        contestants[1].name,
        "ratio"
    );
    for row in rows {
        let [ours, theirs] = row.values;
        let line = format!(
            "{:<24} {ours:>14.1} {theirs:>14.1} {:>7.2}  {}",
            row.title,
            row.ratio(),
            row.text()
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

pub(crate) fn median<R>(runs: &[R], value: impl Fn(&R) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

#[expect(clippy::cast_precision_loss, reason = "some thousands")]
pub(crate) fn count(number: usize) -> f64 {
    number as f64
}
