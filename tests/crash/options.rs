//! What is asked for.

use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// What is cut.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, ValueEnum)]
pub(crate) enum Kind {
    /// Our own processes, before each call that writes, syncs, renames, links, starts or waits.
    Own,
    /// The package manager's tree: all of it with the installer, its front end, the installer alone,
    /// or the process that calls.
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
pub(crate) struct Options {
    /// Only this package manager; may be repeated.
    #[arg(long, value_parser = ["apt", "yum", "zypper"])]
    pub(crate) manager: Vec<String>,
    /// Only this kind of cut; may be repeated.
    #[arg(long)]
    pub(crate) kind: Vec<Kind>,
    /// So many seeded points of each kind; 0 takes every call of ours [default: 0 for own and
    /// fault, 300 for manager, 100 for host].
    #[arg(long)]
    pub(crate) points: Option<usize>,
    /// One process decides and installs, as cron has it on a host without systemd, instead of PID 1
    /// starting the installer for a service.
    #[arg(long)]
    pub(crate) in_process: bool,
    /// A small seeded selection of all cuts, without the faults: 30 points for each manager.
    #[arg(long, conflicts_with_all = ["kind", "points"])]
    pub(crate) sample: bool,
    /// What is chosen by chance follows from it.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// The first point of the list, from 1.
    #[arg(long, default_value_t = 1)]
    pub(crate) from: usize,
    /// The last point of the list.
    #[arg(long, default_value_t = usize::MAX)]
    pub(crate) to: usize,
    /// What an earlier run with the same seed printed: its points are left out, but for those that
    /// were not brought into order.
    #[arg(long)]
    pub(crate) after: Option<PathBuf>,
    /// Hosts at the same time.
    #[arg(long, default_value_t = 2)]
    pub(crate) jobs: usize,
    /// Begins no further point after so many minutes, and takes them in an order by chance; says
    /// how many were not reached.
    #[arg(long)]
    pub(crate) minutes: Option<u64>,
    /// An agent-updater that is built already.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_agent-updater"))]
    pub(crate) binary: PathBuf,
    /// Only lists the points.
    #[arg(long)]
    pub(crate) list: bool,
}

pub(crate) const KINDS: [Kind; 4] = [Kind::Own, Kind::Manager, Kind::Host, Kind::Fault];

pub(crate) const MANAGERS: [&str; 3] = ["apt", "yum", "zypper"];
