//! What an update costs with every proof on, beside the bare package manager's refresh of that
//! repository and install of that version.
//!
//! `scripts/bench` builds it, copies it to a laboratory host and runs it there:
//! `update RUNS --check|--show START_OVER NAME COMMAND… -- NAME COMMAND…`. Both commands take turns.
//! Before each, `START_OVER start-over ours|bare` puts the old version and the caches back; that
//! does not count. After each, `START_OVER new` has to find the new version.
#![expect(
    clippy::print_stdout,
    reason = "a program of its own: it prints a table"
)]

#[expect(dead_code, reason = "the tick aims at values, too")]
mod measure;

use measure::{
    Aim, Contestant, Row, Run, conclude, count, in_turns, mebibytes, median, milliseconds,
};
use rustix::time::{ClockId, clock_gettime};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What the proofs may cost, as a multiple of the bare manager.
const MULTIPLE: f64 = 1.5;
/// So much longer than with the bare manager the agent may be away, in milliseconds.
const AWAY: f64 = 100.0;
/// Where the agent answers, and how often it is asked.
const AGENT: ([u8; 4], u16) = ([127, 0, 0, 1], 7777);
const POLL: Duration = Duration::from_millis(2);
/// When all is done it has to answer once more within this.
const PATIENCE: Duration = Duration::from_secs(60);
/// The first runs fill the page cache.
const WARM_UP: usize = 2;
/// What tells the starting points of both apart.
const WHOSE: [&str; 2] = ["ours", "bare"];

/// One update.
struct Update {
    run: Run,
    /// From the start of the command until the new version's process was started.
    installed: Duration,
    /// The longest time between two answers of the agent.
    away: Duration,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((runs, check, script, contestants)) = read(&arguments) else {
        println!("this runs inside a laboratory host: call scripts/bench");
        return ExitCode::SUCCESS;
    };
    let measured = in_turns(runs, WARM_UP, |index| {
        update(&contestants[index], &script, WHOSE[index])
    });
    let mut programs = [0.0; 2];
    for index in 0..2 {
        start_over(&script, WHOSE[index]);
        let calls = contestants[index].trace("execve");
        programs[index] = count(calls.iter().filter(|line| line.ends_with("= 0")).count());
    }
    let row = |title, aim, value: fn(&Update) -> f64| Row {
        title,
        aim,
        values: measured.each_ref().map(|updates| median(updates, value)),
    };
    let rows = [
        row("until installed (ms)", Aim::Ratio(MULTIPLE), |update| {
            milliseconds(update.installed)
        }),
        row("agent away (ms)", Aim::More(AWAY), |update| {
            milliseconds(update.away)
        }),
        row("whole command (ms)", Aim::None, |update| {
            milliseconds(update.run.wall)
        }),
        row("processor time (ms)", Aim::None, |update| {
            milliseconds(update.run.user + update.run.system)
        }),
        row("peak memory (MiB)", Aim::None, |update| {
            mebibytes(update.run.peak_bytes)
        }),
        Row {
            title: "programs started",
            aim: Aim::None,
            values: programs,
        },
    ];
    conclude(runs, check, &contestants, &rows)
}

fn read(arguments: &[String]) -> Option<(usize, bool, String, [Contestant; 2])> {
    match arguments {
        [runs, check, script, rest @ ..] => Some((
            runs.parse().ok()?,
            check == "--check",
            script.clone(),
            Contestant::pair(rest)?,
        )),
        _ => None,
    }
}

fn start_over(script: &str, whose: &str) {
    let status = Command::new(script).args(["start-over", whose]).status();
    assert!(
        status.expect("run the script").success(),
        "cannot start over"
    );
}

fn update(contestant: &Contestant, script: &str, whose: &str) -> Update {
    start_over(script, whose);
    let started = now();
    let (run, away) = watched(|| contestant.run());
    let status = Command::new(script).arg("new").status();
    assert!(
        status.expect("run the script").success(),
        "{} did not install the new version",
        contestant.name
    );
    Update {
        run,
        away,
        installed: agent_started()
            .checked_sub(started)
            .expect("the agent was started before the command was"),
    }
}

/// The longest time between two answers of the agent while something is done.
fn watched<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let (mut answered, mut away) = (Instant::now(), Duration::ZERO);
            // It answers once more when all is done.
            loop {
                let last = over.load(Ordering::Relaxed);
                if answers() {
                    away = away.max(answered.elapsed());
                    answered = Instant::now();
                    if last {
                        return away;
                    }
                }
                assert!(
                    !last || answered.elapsed() < PATIENCE,
                    "the agent has not answered for {} s",
                    answered.elapsed().as_secs()
                );
                std::thread::sleep(POLL);
            }
        });
        let done = work();
        over.store(true, Ordering::Relaxed);
        (done, watch.join().expect("the watch"))
    })
}

fn answers() -> bool {
    let ask = || {
        let mut stream =
            TcpStream::connect_timeout(&SocketAddr::from(AGENT), Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer.starts_with("HTTP/1.1 200 "))
    };
    ask().unwrap_or(false)
}

/// The clock that systemd takes the time of a start from.
fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).expect("a time since the start")
}

/// When the agent's process was started. The package's own script restarts it once the new files are
/// there, whoever called the manager, and systemd keeps the time: nobody has to watch.
fn agent_started() -> Duration {
    let property = "ExecMainStartTimestampMonotonic";
    let output = Command::new("systemctl")
        .args(["show", "--value", "--property", property, "demo-agent"])
        .output()
        .expect("run systemctl");
    let text = String::from_utf8(output.stdout).expect("a number");
    Duration::from_micros(text.trim().parse().expect("microseconds"))
}
