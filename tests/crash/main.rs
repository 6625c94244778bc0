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
mod own;
mod scene;
mod trace;
mod tree;

use clap::{Parser, ValueEnum};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use scene::{Recovery, Scene};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use trace::Phase;

/// What is cut.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, ValueEnum)]
enum Kind {
    /// Our own process, before each call that writes, syncs, renames, links, starts or waits.
    Own,
    /// The package manager's tree: all of it with us, its front end, or the process that calls.
    Manager,
    /// The whole host; what was not synced is lost.
    Host,
    /// Nothing is killed: each write of ours is told that the disk is broken, or it is full from
    /// there on; and it runs full while the package manager works.
    Fault,
}

/// Cuts an update from 1.0.0 to 1.1.0 off at chosen moments. After each cut at most five ticks, and
/// nothing else, have to bring the host into order: a clean package database with exactly one
/// version, old or new, the agent healthy and running the installed file, and no change open.
#[derive(Debug, Parser)]
#[command(name = "crash")]
struct Options {
    /// Only this package manager; may be repeated.
    #[arg(long, value_parser = ["apt", "yum", "zypper"])]
    manager: Vec<String>,
    /// Only this kind of cut; may be repeated.
    #[arg(long)]
    kind: Vec<Kind>,
    /// So many seeded points of each kind; 0 takes every call of ours [default: 0 for own and
    /// fault, 300 for manager, 100 for host].
    #[arg(long)]
    points: Option<usize>,
    /// A small seeded selection of all cuts, without the faults: 30 points for each manager.
    #[arg(long, conflicts_with_all = ["kind", "points"])]
    sample: bool,
    /// What is chosen by chance follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The first point of the list, from 1.
    #[arg(long, default_value_t = 1)]
    from: usize,
    /// The last point of the list.
    #[arg(long, default_value_t = usize::MAX)]
    to: usize,
    /// What an earlier run with the same seed printed: its points are left out, but for those that
    /// were not brought into order.
    #[arg(long)]
    after: Option<PathBuf>,
    /// Hosts at the same time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Begins no further point after so many minutes, and takes them in an order by chance; says
    /// how many were not reached.
    #[arg(long)]
    minutes: Option<u64>,
    /// An agent-updater that is built already.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_agent-updater"))]
    binary: PathBuf,
    /// Only lists the points.
    #[arg(long)]
    list: bool,
}

/// Who is killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Victim {
    Everything,
    FrontEnd,
    Caller,
    Host,
    /// Nobody; the disk is filled to the last byte.
    Disk,
}

/// Where an update is cut off.
#[derive(Clone, Debug)]
enum Point {
    Own {
        call: String,
        nth: usize,
        text: String,
    },
    Fault {
        call: String,
        nth: usize,
        error: &'static str,
        from_there_on: &'static str,
        text: String,
    },
    /// The disk is full, to the last byte, once that call of ours has returned.
    Full {
        call: String,
        nth: usize,
        text: String,
    },
    Tree {
        index: usize,
        phase: Phase,
        victim: Victim,
    },
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own { call, nth, .. } => write!(formatter, "{call}#{nth}"),
            Self::Fault {
                call,
                nth,
                error,
                from_there_on,
                ..
            } => {
                write!(formatter, "{call}#{nth}{from_there_on} {error}")
            }
            Self::Full { call, nth, .. } => write!(formatter, "{call}#{nth} disk full"),
            Self::Tree {
                index,
                phase,
                victim,
            } => {
                write!(formatter, "call {index} ({phase:?}), {victim:?}")
            }
        }
    }
}

impl Point {
    /// Whether the host has to have a disk of its own.
    fn needs_disk(&self) -> bool {
        let victim = match self {
            Self::Tree { victim, .. } => Some(*victim),
            _ => None,
        };
        matches!(self, Self::Full { .. }) || matches!(victim, Some(Victim::Host | Victim::Disk))
    }

    /// The call as the undisturbed update made it.
    fn text(&self) -> &str {
        match self {
            Self::Own { text, .. } | Self::Fault { text, .. } | Self::Full { text, .. } => text,
            Self::Tree { .. } => "",
        }
    }
}

/// What came of a cut.
struct Outcome {
    /// What was hit; `None` when the update was over before.
    hit: Option<String>,
    /// What was wrong with the report of a fault.
    complaint: Option<String>,
    recovery: Recovery,
}

#[derive(Default)]
struct Tally {
    tried: usize,
    missed: usize,
    recovered: usize,
    worst: u32,
    seconds: f64,
    new: usize,
    remarks: BTreeMap<String, usize>,
    phases: BTreeMap<String, usize>,
}

type Results = BTreeMap<(&'static str, Kind), Tally>;

struct Job {
    manager: &'static str,
    kind: Kind,
    number: usize,
    of: usize,
    point: Point,
}

impl Job {
    /// What tells it from the others of two runs with the same seed.
    fn key(&self) -> String {
        let point = self.point.to_string();
        key(
            self.manager,
            &format!("{:?}", self.kind),
            self.number,
            &point,
        )
    }
}

/// Our own calls may shift by one from run to run, the others' points are numbers in a list.
fn key(manager: &str, kind: &str, number: usize, point: &str) -> String {
    match kind {
        "Own" | "Fault" => format!("{manager} {kind} {point}"),
        _ => format!("{manager} {kind} {number}"),
    }
}

/// The key of a point that a line of an earlier run says is in order.
fn done(line: &str) -> Option<String> {
    let (name, _) = line.split_once(" ticks, ")?.0.rsplit_once(": ")?;
    let mut words = name.splitn(4, ' ');
    let (manager, kind) = (words.next()?, words.next()?);
    let number = words.next()?.split('/').next()?.parse().ok()?;
    Some(key(manager, kind, number, words.next()?))
}

/// Moments of the package manager's work at which the disk runs full.
const FULL_POINTS: usize = 15;
const MANAGERS: [&str; 3] = ["apt", "yum", "zypper"];
const KINDS: [Kind; 4] = [Kind::Own, Kind::Manager, Kind::Host, Kind::Fault];

fn main() -> ExitCode {
    let options = Options::parse();
    let tools = scene::tools();
    let started = Instant::now();
    let mut jobs = VecDeque::new();
    for manager in MANAGERS {
        if options.manager.is_empty() || options.manager.iter().any(|wanted| wanted == manager) {
            jobs.extend(plan(&options, manager, (&options.binary, tools.path())));
        }
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
                job.point,
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

/// The points of one manager, found on a host that is updated undisturbed.
fn plan(options: &Options, manager: &'static str, tools: (&Path, &Path)) -> Vec<Job> {
    let mut jobs = Vec::new();
    for kind in KINDS {
        let left_out = !options.kind.is_empty() && !options.kind.contains(&kind);
        if left_out || (options.sample && kind == Kind::Fault) {
            continue;
        }
        let mut random = StdRng::seed_from_u64(options.seed);
        let wanted = match kind {
            _ if options.points.is_some() => options.points.unwrap_or_default(),
            Kind::Own if options.sample => 11,
            Kind::Manager if options.sample => 12,
            Kind::Host if options.sample => 7,
            Kind::Own | Kind::Fault => 0,
            Kind::Manager => 300,
            Kind::Host => 100,
        };
        let scene = Scene::up(manager, tools, false);
        let points = match kind {
            Kind::Own => some(own::kills(&scene), wanted, &mut random),
            Kind::Fault => {
                let mut points = fault::points(&scene);
                let other = Scene::up(manager, tools, false);
                points.extend(tree::map(&other).full(FULL_POINTS, &mut random));
                some(points, wanted, &mut random)
            }
            Kind::Manager | Kind::Host => {
                let map = tree::map(&scene);
                println!(
                    "{manager}: calls of an undisturbed update: {}",
                    map.describe()
                );
                match kind {
                    Kind::Host => map.host(wanted, &mut random),
                    _ => map.manager(wanted, &mut random),
                }
            }
        };
        let of = points.len();
        assert!(of > 0, "{manager} {kind:?}: no point was found");
        jobs.extend(
            points
                .into_iter()
                .enumerate()
                .map(|(index, point)| Job {
                    manager,
                    kind,
                    number: index + 1,
                    of,
                    point,
                })
                .filter(|job| (options.from..=options.to).contains(&job.number)),
        );
    }
    jobs
}

/// So many of them by chance, in their order; all for 0.
fn some(points: Vec<Point>, wanted: usize, random: &mut StdRng) -> Vec<Point> {
    if wanted == 0 || wanted >= points.len() {
        return points;
    }
    let all: Vec<usize> = (0..points.len()).collect();
    let mut chosen: Vec<usize> = all.choose_multiple(random, wanted).copied().collect();
    chosen.sort_unstable();
    chosen
        .into_iter()
        .map(|index| points[index].clone())
        .collect()
}

fn attempt(job: &Job, tools: (&Path, &Path), results: &Mutex<(Results, Vec<String>)>) {
    let started = Instant::now();
    let name = format!("{} {:?} {}/{}", job.manager, job.kind, job.number, job.of);
    let run = || {
        let scene = Scene::up(job.manager, tools, job.point.needs_disk());
        match &job.point {
            Point::Own { call, nth, .. } => own::kill(&scene, call, *nth),
            Point::Fault {
                call,
                nth,
                error,
                from_there_on,
                ..
            } => fault::fail(&scene, call, *nth, error, from_there_on),
            Point::Full { call, nth, .. } => fault::fill(&scene, call, *nth),
            Point::Tree {
                index,
                victim: Victim::Disk,
                ..
            } => fault::fill_tree(&scene, *index),
            Point::Tree { index, victim, .. } => tree::cut(&scene, *index, *victim),
        }
    };
    let outcome = catch_unwind(AssertUnwindSafe(run));
    let seconds = started.elapsed().as_secs_f64();
    let mut results = results.lock().unwrap();
    let (tallies, failures) = &mut *results;
    let tally = tallies.entry((job.manager, job.kind)).or_default();
    tally.tried += 1;
    tally.seconds += seconds;
    let Ok(outcome) = outcome else {
        failures.push(format!("{name} {}: the laboratory failed", job.point));
        return;
    };
    let recovery = &outcome.recovery;
    tally.missed += usize::from(outcome.hit.is_none());
    tally.new += usize::from(recovery.version == "1.1.0");
    for remark in &recovery.remarks {
        let kind = remark.split(':').next().unwrap_or(remark);
        *tally.remarks.entry(kind.to_owned()).or_default() += 1;
    }
    if let Some(phase) = outcome
        .hit
        .as_deref()
        .and_then(|hit| hit.strip_prefix('[')?.split(']').next())
    {
        *tally.phases.entry(phase.to_owned()).or_default() += 1;
    }
    let hit = outcome.hit.as_deref().unwrap_or("over before");
    let what = job.point.to_string();
    match (recovery.ticks, &outcome.complaint) {
        (Some(ticks), None) => {
            tally.recovered += 1;
            tally.worst = tally.worst.max(ticks);
            println!(
                "{name} {what}: {ticks} ticks, {} {seconds:.1} s {:?} | {hit}",
                recovery.version, recovery.remarks
            );
            if ticks > 1
                || recovery
                    .remarks
                    .iter()
                    .any(|remark| remark == "quarantined")
            {
                println!("{}", indented(&recovery.told));
            }
        }
        (_, complaint) => {
            println!(
                "{name} {what}: NOT RECOVERED, {seconds:.1} s | {hit}\n{}",
                indented(&recovery.told)
            );
            let complaint = complaint.clone().unwrap_or_else(|| {
                recovery
                    .told
                    .lines()
                    .filter(|line| line.starts_with("problem"))
                    .collect::<Vec<_>>()
                    .join("; ")
            });
            println!("{}", indented(&complaint));
            failures.push(format!("{name} {what} | {hit}\n{}", indented(&complaint)));
        }
    }
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("    {line}")).collect();
    lines.join("\n")
}

fn summary(tallies: &Results, failures: &[String], started: Instant) -> ExitCode {
    for failure in failures {
        println!("FAILED {failure}");
    }
    println!(
        "\nmanager  kind     points  over before  recovered  at 1.1.0  worst ticks  s/point  remarks, phases that were hit"
    );
    let (mut good, mut bad) = (0, 0);
    for ((manager, kind), tally) in tallies {
        println!(
            "{manager:8} {:8} {:6}  {:11}  {:9}  {:8}  {:11}  {:7.1}  {:?} {:?}",
            format!("{kind:?}").to_lowercase(),
            tally.tried,
            tally.missed,
            tally.recovered,
            tally.new,
            tally.worst,
            tally.seconds / f64::from(u32::try_from(tally.tried).unwrap_or(u32::MAX)),
            tally.remarks,
            tally.phases,
        );
        good += tally.recovered;
        bad += tally.tried - tally.recovered;
    }
    println!("{:.0} s", started.elapsed().as_secs_f64());
    let verdict = if bad == 0 && good > 0 { "ok" } else { "FAILED" };
    // In the words of a Rust test, which scripts/test counts.
    println!(
        "test result: {verdict}. {good} passed; {bad} failed; 0 ignored; 0 measured; 0 filtered out"
    );
    ExitCode::from(u8::from(verdict != "ok"))
}
