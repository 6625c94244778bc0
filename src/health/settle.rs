//! Whether a version that was just installed works: watched until its main process is stable and
//! every probe passes, or until the time for that is over.

use super::probe::{Examination, INTERVAL, Probes, sample};
use super::unit::UnitState;
use super::verdict::{ProbeResult, Sample, verdict};
use crate::decision::Health;
use crate::stop::StopRequest;
use adapters::Runner;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// So many crashes are forgiven while it starts.
const FORGIVEN_CRASHES: u32 = 2;

/// The main process has to stay the same for this share of the time, at most
/// [`LONGEST_STABLE`] looks.
const SHARE: u32 = 6;
const LONGEST_STABLE: u32 = 5;

/// What was seen while it settled.
#[derive(Debug)]
pub enum Settled {
    /// It works, or somebody had stopped it, or nobody can tell.
    Accepted(Examination),
    /// It does not work; the text says what was seen.
    Sick(Examination, String),
    /// We were told to stop before it was known.
    Interrupted,
}

/// What the looks so far come to.
#[derive(Debug, Default)]
struct Watch {
    process: Option<u32>,
    restarts: Option<u64>,
    crashes: u32,
    stable: u32,
}

#[derive(Debug, Eq, PartialEq)]
enum Word {
    Works,
    Sick(String),
    NotYet(String),
    CannotTell,
}

impl Watch {
    /// One more look.
    fn see(&mut self, sample: &Sample, needed: u32) -> Word {
        let probe = sample.probes.iter().find_map(|probe| match probe {
            ProbeResult::Failed(why) => Some(why.clone()),
            ProbeResult::Passed(_) | ProbeResult::NotRun(_) => None,
        });
        let Some(unit) = &sample.unit else {
            return match probe {
                Some(why) => Word::NotYet(why),
                None if sample.probes.is_empty() => Word::CannotTell,
                None => Word::Works,
            };
        };
        let crashed = self.restarts.is_some_and(|before| unit.restarts > before);
        let replaced = self.process.is_some() && unit.main_pid != self.process;
        self.restarts = Some(unit.restarts);
        if crashed || (replaced && unit.main_pid.is_some()) {
            self.crashes += 1;
        }
        if unit.main_pid.is_some() && !replaced && unit.state == UnitState::Active {
            self.stable += u32::from(self.process.is_some());
        } else {
            self.stable = 0;
        }
        self.process = unit.main_pid;
        if self.crashes > FORGIVEN_CRASHES {
            return Word::Sick(format!("it crashed {} times while watched", self.crashes));
        }
        match &unit.state {
            UnitState::Failed(result) => Word::Sick(format!("the unit failed ({result})")),
            UnitState::AutoRestart(result) => Word::NotYet(format!(
                "the unit crashed and waits for its restart ({result})"
            )),
            UnitState::InTransition(step) => {
                Word::NotYet(format!("the unit never became ready ({step})"))
            }
            UnitState::Inactive(_) | UnitState::Masked => Word::Works,
            UnitState::OneShot => probe.map_or(Word::Works, Word::NotYet),
            UnitState::Unknown(_) => match probe {
                Some(why) => Word::NotYet(why),
                None if sample.probes.is_empty() => Word::CannotTell,
                None => Word::Works,
            },
            UnitState::Active => match probe {
                Some(why) => Word::NotYet(why),
                // A unit without a main process (oneshot) is as stable as it gets.
                None if self.stable >= needed || unit.main_pid.is_none() => Word::Works,
                None => Word::NotYet("its main process has not been stable for long".to_owned()),
            },
        }
    }
}

/// Watches the agent for at most `time`, with a look every two seconds.
pub async fn settle(
    probes: &Probes,
    time: Duration,
    stop: &StopRequest,
    runner: &impl Runner,
) -> Settled {
    let end = Instant::now() + time;
    let looks = u32::try_from(time.as_secs() / INTERVAL.as_secs()).unwrap_or(u32::MAX);
    let needed = (looks / SHARE).clamp(1, LONGEST_STABLE);
    let mut watch = Watch::default();
    loop {
        // A host that goes down stops its units; that is not the version's fault.
        if stop.is_asked() {
            return Settled::Interrupted;
        }
        let sample = sample(probes, runner).await;
        let word = watch.see(&sample, needed);
        let over = Instant::now() >= end;
        let why = match word {
            Word::Works | Word::CannotTell => {
                let examination = examination(&sample, verdict(std::slice::from_ref(&sample)));
                return Settled::Accepted(examination);
            }
            Word::NotYet(_) if !over => {
                sleep(INTERVAL.min(end.saturating_duration_since(Instant::now()))).await;
                continue;
            }
            Word::Sick(why) | Word::NotYet(why) => why,
        };
        if stop.is_asked() {
            return Settled::Interrupted;
        }
        return Settled::Sick(examination(&sample, Health::Unhealthy(why.clone())), why);
    }
}

fn examination(sample: &Sample, health: Health) -> Examination {
    Examination {
        health,
        restarts: sample.unit.as_ref().map(|unit| unit.restarts),
        main_pid: sample.unit.as_ref().and_then(|unit| unit.main_pid),
        invocation: sample
            .unit
            .as_ref()
            .and_then(|unit| unit.invocation.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::unit::UnitSample;
    use super::*;

    fn look(state: UnitState, main_pid: Option<u32>, restarts: u64) -> Sample {
        Sample {
            unit: Some(UnitSample {
                state,
                restarts,
                main_pid,
                invocation: None,
                can_reload: false,
            }),
            probes: Vec::new(),
        }
    }

    fn words(samples: &[Sample], needed: u32) -> Word {
        let mut watch = Watch::default();
        let mut last = Word::CannotTell;
        for sample in samples {
            last = watch.see(sample, needed);
            if !matches!(last, Word::NotYet(_)) {
                return last;
            }
        }
        last
    }

    fn active(pid: u32, restarts: u64) -> Sample {
        look(UnitState::Active, Some(pid), restarts)
    }

    #[test]
    fn a_stable_process_works_after_as_many_looks_as_are_needed() {
        assert!(matches!(words(&[active(7, 0); 1], 1), Word::NotYet(_)));
        assert_eq!(words(&[active(7, 0), active(7, 0)], 1), Word::Works);
        assert!(matches!(
            words(&[active(7, 0), active(7, 0)], 2),
            Word::NotYet(_)
        ));
    }

    #[test]
    fn two_crashes_are_forgiven_and_the_third_is_not() {
        let crash = |n: u64| active(7 + u32::try_from(n).unwrap(), n);
        let twice = [crash(0), crash(1), crash(2), crash(2)];
        assert_eq!(words(&twice, 1), Word::Works);
        let thrice = [crash(0), crash(1), crash(2), crash(3)];
        assert_eq!(
            words(&thrice, 1),
            Word::Sick("it crashed 3 times while watched".into())
        );
    }

    #[test]
    fn a_crash_makes_the_count_of_stable_looks_start_anew() {
        let waiting = look(UnitState::AutoRestart("signal".into()), None, 1);
        let samples = [
            active(7, 0),
            active(7, 0),
            waiting,
            active(9, 1),
            active(9, 1),
        ];
        assert!(matches!(words(&samples, 2), Word::NotYet(_)));
    }

    #[test]
    fn what_never_becomes_ready_or_fails_is_told_apart() {
        let starting = look(UnitState::InTransition("start".into()), Some(7), 0);
        assert_eq!(
            words(&[starting.clone(), starting], 1),
            Word::NotYet("the unit never became ready (start)".into())
        );
        let failed = look(UnitState::Failed("exit-code".into()), None, 0);
        assert_eq!(
            words(&[failed], 1),
            Word::Sick("the unit failed (exit-code)".into())
        );
    }

    #[test]
    fn a_failing_probe_is_not_yet_and_a_stopped_unit_is_left_alone() {
        let mut sick = active(7, 0);
        sick.probes = vec![ProbeResult::Failed("http 503".into())];
        assert_eq!(
            words(&[sick.clone(), sick], 1),
            Word::NotYet("http 503".into())
        );
        let stopped = look(UnitState::Inactive("disabled".into()), None, 0);
        assert_eq!(words(&[stopped], 1), Word::Works);
    }
}
