//! Where an update is cut off, and in which order the points are tried.

use crate::options::{KINDS, Kind, Options};
use crate::scene::Scene;
use crate::trace::Phase;
use crate::{fault, own, tree};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use std::fmt;
use std::path::Path;

/// Who is killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Victim {
    Everything,
    FrontEnd,
    Caller,
    Host,
    /// Nobody; the disk is filled to the last byte.
    Disk,
}

/// Where an update is cut off.
#[derive(Clone, Debug)]
pub(crate) enum Point {
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
    pub(crate) fn needs_disk(&self) -> bool {
        let victim = match self {
            Self::Tree { victim, .. } => Some(*victim),
            _ => None,
        };
        matches!(self, Self::Full { .. }) || matches!(victim, Some(Victim::Host | Victim::Disk))
    }

    /// The call as the undisturbed update made it.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Own { text, .. } | Self::Fault { text, .. } | Self::Full { text, .. } => text,
            Self::Tree { .. } => "",
        }
    }
}

pub(crate) struct Job {
    pub(crate) manager: &'static str,
    pub(crate) kind: Kind,
    pub(crate) number: usize,
    pub(crate) of: usize,
    pub(crate) point: Point,
}

impl Job {
    /// What tells it from the others of two runs with the same seed.
    pub(crate) fn key(&self) -> String {
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
pub(crate) fn key(manager: &str, kind: &str, number: usize, point: &str) -> String {
    match kind {
        "Own" | "Fault" => format!("{manager} {kind} {point}"),
        _ => format!("{manager} {kind} {number}"),
    }
}

/// The key of a point that a line of an earlier run says is in order.
pub(crate) fn done(line: &str) -> Option<String> {
    let (name, _) = line.split_once(" ticks, ")?.0.rsplit_once(": ")?;
    let mut words = name.splitn(4, ' ');
    let (manager, kind) = (words.next()?, words.next()?);
    let number = words.next()?.split('/').next()?.parse().ok()?;
    Some(key(manager, kind, number, words.next()?))
}

/// Moments of the package manager's work at which the disk runs full.
pub(crate) const FULL_POINTS: usize = 15;

/// The points of one manager, found on a host that is updated undisturbed.
pub(crate) fn plan(options: &Options, manager: &'static str, tools: (&Path, &Path)) -> Vec<Job> {
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
pub(crate) fn some(points: Vec<Point>, wanted: usize, random: &mut StdRng) -> Vec<Point> {
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
