//! Where an update is cut off, and in which order the points are tried.

use crate::options::{KINDS, Kind, Options};
use crate::scene::{Scene, Side};
use crate::trace::Phase;
use crate::tree::Map;
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
    /// The installer's own process; what it has started goes on.
    Installer,
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
    pub(crate) side: Side,
    pub(crate) point: Point,
}

impl Job {
    /// What tells it from the others of two runs with the same seed.
    pub(crate) fn key(&self) -> String {
        key(
            self.manager,
            &format!("{:?}", self.kind),
            self.number,
            &self.what(),
        )
    }

    /// Whose call it is, and which.
    pub(crate) fn what(&self) -> String {
        format!("{}{}", self.side, self.point)
    }
}

/// Our own calls may shift by one from run to run, the others' points are numbers in a list.
fn key(manager: &str, kind: &str, number: usize, point: &str) -> String {
    match kind {
        "Own" | "Fault" => format!("{manager} {kind} {point}"),
        _ => format!(
            "{manager} {kind} {number} {}",
            point.starts_with("installer ")
        ),
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
const FULL_POINTS: usize = 15;

/// Of the sample's kills of our own process, how many are where one process does everything.
const ALONE_OF_SAMPLE: usize = 3;

/// The points of one manager, found on hosts that are updated undisturbed.
pub(crate) fn plan(options: &Options, manager: &'static str, tools: (&Path, &Path)) -> Vec<Job> {
    let mut jobs = Vec::new();
    // Of all calls: one undisturbed update is enough.
    let mut map = None;
    for kind in KINDS {
        let left_out = !options.kind.is_empty() && !options.kind.contains(&kind);
        if left_out || (options.sample && kind == Kind::Fault) {
            continue;
        }
        let mut random = StdRng::seed_from_u64(options.seed);
        let wanted = match kind {
            _ if options.points.is_some() => options.points.unwrap_or_default(),
            Kind::Own if options.sample => 8,
            Kind::Manager if options.sample => 12,
            Kind::Host if options.sample => 7,
            Kind::Own | Kind::Fault => 0,
            Kind::Manager => 300,
            Kind::Host => 100,
        };
        let mut find = |sides: &[Side]| {
            sided(sides, |side| {
                found(
                    (manager, kind, side),
                    wanted,
                    tools,
                    (&mut random, &mut map),
                )
            })
        };
        let points = if options.in_process {
            find(&[Side::Alone])
        } else if matches!(kind, Kind::Own | Kind::Fault) {
            find(&[Side::Decider, Side::Installer])
        } else {
            find(&[Side::Installer])
        };
        let alone = if options.sample && kind == Kind::Own && !options.in_process {
            find(&[Side::Alone])
        } else {
            Vec::new()
        };
        let mut points = some(points, wanted, &mut random);
        points.extend(some(alone, ALONE_OF_SAMPLE, &mut random));
        let of = points.len();
        assert!(of > 0, "{manager} {kind:?}: no point was found");
        jobs.extend(
            points
                .into_iter()
                .enumerate()
                .map(|(index, (side, point))| Job {
                    manager,
                    kind,
                    number: index + 1,
                    of,
                    side,
                    point,
                })
                .filter(|job| (options.from..=options.to).contains(&job.number)),
        );
    }
    jobs
}

fn sided(sides: &[Side], mut find: impl FnMut(Side) -> Vec<Point>) -> Vec<(Side, Point)> {
    let of_side = |&side: &Side| {
        let points = find(side);
        points.into_iter().map(move |point| (side, point))
    };
    sides.iter().flat_map(of_side).collect()
}

/// The points among the calls of one process, or of its children.
fn found(
    (manager, kind, side): (&'static str, Kind, Side),
    wanted: usize,
    tools: (&Path, &Path),
    (random, map): (&mut StdRng, &mut Option<Map>),
) -> Vec<Point> {
    let scene = || Scene::up(manager, side, tools, false);
    let mut drawn = |draw: &mut dyn FnMut(&Map) -> Vec<Point>| {
        draw(map.get_or_insert_with(|| {
            let map = tree::map(&scene());
            println!(
                "{manager}: calls of an undisturbed update: {}",
                map.describe()
            );
            map
        }))
    };
    match kind {
        Kind::Own => own::kills(&scene()),
        // The package manager is no child of the decider.
        Kind::Fault if side == Side::Decider => fault::points(&scene()),
        Kind::Fault => {
            let mut points = fault::points(&scene());
            points.extend(drawn(&mut |map| map.full(FULL_POINTS, random)));
            points
        }
        Kind::Manager => drawn(&mut |map| map.manager(wanted, random)),
        Kind::Host => drawn(&mut |map| map.host(wanted, random)),
    }
}

/// So many of them by chance, in their order; all for 0.
fn some<T: Clone>(points: Vec<T>, wanted: usize, random: &mut StdRng) -> Vec<T> {
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
