//! The whole tree of an update under strace, whose words are read while it runs: at the chosen call
//! processes are killed, or the host loses its power.
//!
//! The cut comes some calls after the chosen one: strace goes on while its words are read. What was
//! hit is told as it was seen, and counts as the phase of that call.

use crate::group::{group, kill, kill_all, payload, write, write_if_there};
use crate::laboratory::{Output, must};
use crate::own::complaint_of_decider;
use crate::points::{Point, Victim};
use crate::run::end;
use crate::scene::{Scene, Side};
use crate::tally::Outcome;
use crate::trace::{CALLS, Follower, Phase};
use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};

/// The phases in which the package manager works.
const THEIRS: [Phase; 5] = [
    Phase::Start,
    Phase::Unpack,
    Phase::Scripts,
    Phase::Database,
    Phase::End,
];
/// The whole update.
const ALL: [Phase; 7] = [
    Phase::Before,
    Phase::Start,
    Phase::Unpack,
    Phase::Scripts,
    Phase::Database,
    Phase::End,
    Phase::After,
];

/// The phases of all the calls of one undisturbed update, in order, and whether they are our own
/// process's.
pub(crate) struct Map {
    phases: Vec<(Phase, bool)>,
    side: Side,
}

pub(crate) fn map(scene: &Scene) -> Map {
    let mut follower = Follower::default();
    let mut phases = Vec::new();
    let (output, _) = watch(scene, None, |line| {
        if let Some((call, phase)) = follower.see(line) {
            phases.push((phase, follower.is_main(call.process)));
        }
        false
    });
    assert_eq!(
        output.code,
        0,
        "the undisturbed update: {}",
        scene.printed()
    );
    Map {
        phases,
        side: scene.side,
    }
}

impl Map {
    /// So many points in the package manager's own tree, evenly over its phases.
    pub(crate) fn manager(&self, count: usize, random: &mut StdRng) -> Vec<Point> {
        // Without an installer the tick is the caller's own.
        let third = match self.side {
            Side::Installer => Victim::Installer,
            Side::Alone | Side::Decider => Victim::Everything,
        };
        self.points(&THEIRS, false, count, random, |turn| match turn % 4 {
            0 => Victim::Everything,
            1 => Victim::FrontEnd,
            2 => third,
            _ => Victim::Caller,
        })
    }

    /// So many moments of the whole update, evenly over its phases.
    pub(crate) fn host(&self, count: usize, random: &mut StdRng) -> Vec<Point> {
        self.points(&ALL, true, count, random, |_| Victim::Host)
    }

    /// So many moments at which the disk runs full under the package manager.
    pub(crate) fn full(&self, count: usize, random: &mut StdRng) -> Vec<Point> {
        self.points(&THEIRS, false, count, random, |_| Victim::Disk)
    }

    fn points(
        &self,
        wanted: &[Phase],
        ours_too: bool,
        count: usize,
        random: &mut StdRng,
        victim: impl Fn(usize) -> Victim,
    ) -> Vec<Point> {
        let mut strata: BTreeMap<Phase, Vec<usize>> = BTreeMap::new();
        for (index, (phase, is_ours)) in self.phases.iter().enumerate() {
            if wanted.contains(phase) && (ours_too || !is_ours) {
                strata.entry(*phase).or_default().push(index);
            }
        }
        let mut points = Vec::new();
        let mut turn = random.gen_range(0..4);
        while points.len() < count && !strata.is_empty() {
            for (phase, indices) in &strata {
                let Some(index) = indices.choose(random).filter(|_| points.len() < count) else {
                    continue;
                };
                points.push(Point::Tree {
                    index: *index,
                    phase: *phase,
                    victim: victim(turn),
                });
                turn += 1;
            }
            // Each phase has its turn with each victim.
            turn += 1;
        }
        points
    }

    /// How many calls each phase has.
    pub(crate) fn describe(&self) -> String {
        let mut counts: BTreeMap<Phase, usize> = BTreeMap::new();
        for (phase, _) in &self.phases {
            *counts.entry(*phase).or_default() += 1;
        }
        format!("{counts:?}")
    }
}

/// Runs the update and hands every line over until `cut` says that it cut: what the tick said, and
/// the exit code of the process that was watched, if it came to its end.
fn watch(
    scene: &Scene,
    victim: Option<Victim>,
    mut cut: impl FnMut(&str) -> bool,
) -> (Output, Option<i32>) {
    let pipe = scene.shared("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()), "no pipe");
    let child = scene.begin_traced_whole(CALLS);
    let mut reader = BufReader::new(File::open(&pipe).expect("the pipe"));
    let mut line = Vec::new();
    let (mut ours, mut has_cut, mut code) = (None, false, None);
    // A tracer that cannot write any more would end: after the cut the rest is read away.
    while reader
        .read_until(b'\n', &mut line)
        .is_ok_and(|count| count > 0)
    {
        let text = String::from_utf8_lossy(&line);
        let process = text.split_whitespace().next().unwrap_or_default();
        let ours = ours.get_or_insert_with(|| process.to_owned());
        if process == ours && text.contains(" +++ ") {
            code = text
                .split("+++ exited with ")
                .nth(1)
                .and_then(|rest| rest.split(' ').next()?.parse().ok());
            if has_cut && victim == Some(Victim::Installer) {
                // What it has started goes on, and what strace says of it is read until it ends.
                std::thread::spawn(move || io::copy(&mut reader, &mut io::sink()));
            } else if !(has_cut && victim == Some(Victim::Host)) {
                // dnf leaves a gpg-agent behind, for which strace would wait.
                kill_all(scene);
            }
            break;
        }
        has_cut = has_cut || cut(&text);
        line.clear();
    }
    let output = end(child);
    scene.trace_no_more();
    (output, code)
}

/// Does it at the chosen call: what was hit, what the tick said, and its exit code if it came to its
/// end.
pub(crate) fn at(
    scene: &Scene,
    index: usize,
    victim: Victim,
) -> (Option<String>, Output, Option<i32>) {
    let mut follower = Follower::default();
    let (mut count, mut hit) = (0, None);
    let (mut output, code) = watch(scene, Some(victim), |line| {
        let Some((call, phase)) = follower.see(line) else {
            return false;
        };
        count += 1;
        let is_theirs = !follower.is_main(call.process);
        // The exact call of the reference may be one of ours this time: the next one of theirs.
        if count <= index || !(is_theirs || victim == Victim::Host) {
            return false;
        }
        match victim {
            Victim::Everything => kill_all(scene),
            Victim::FrontEnd => kill(scene, follower.front_end.unwrap_or(call.process)),
            Victim::Caller => kill(scene, call.process),
            Victim::Installer => kill(scene, follower.main.unwrap_or(call.process)),
            Victim::Disk => {
                // Nothing moves meanwhile.
                let group = group(scene);
                write_if_there(&group.join("cgroup.freeze"), "1");
                scene.host.fill_disk();
                write_if_there(&group.join("cgroup.freeze"), "0");
            }
            Victim::Host => {
                // At once; `lab cut` takes longer to start, freezes the same group and thaws it.
                let boot = payload(scene).join("../cgroup.freeze");
                write(&boot, "1");
                must(&["cut", &scene.host.name]);
            }
        }
        hit = Some(format!("[{phase:?}] {} {}", call.process, call.text));
        true
    });
    let code = match scene.side {
        Side::Alone => code,
        Side::Decider | Side::Installer => Some(output.code),
    };
    output.stdout += &scene.printed();
    (hit, output, code)
}

pub(crate) fn cut(scene: &Scene, index: usize, victim: Victim) -> Outcome {
    let (mut hit, output, _) = at(scene, index, victim);
    if victim == Victim::Host {
        if hit.is_none() {
            must(&["cut", &scene.host.name]);
            hit = Some("[After] everything".to_owned());
        }
        must(&["boot", &scene.host.name]);
    }
    let is_killed = matches!(victim, Victim::Everything | Victim::Installer);
    let complaint = (is_killed && scene.side == Side::Installer && hit.is_some())
        .then(|| complaint_of_decider(&output))
        .flatten();
    Outcome {
        hit,
        complaint,
        recovery: scene.recover(),
    }
}
