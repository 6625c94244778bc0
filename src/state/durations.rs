use super::journal::Phase;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long each step of a change took so far, in milliseconds by the clock. What was cut off counts
/// until it was taken up again.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Durations {
    /// Fetching and proving the package, before anything was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub download: Option<u64>,
    /// The package manager's transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub install: Option<u64>,
    /// Observing what it left, with repairs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observe: Option<u64>,
    /// Putting the version before back, and observing that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roll_back: Option<u64>,
}

impl Durations {
    /// Adds the time that was spent in a phase. A clock that was set back adds none.
    pub fn add(&mut self, phase: Phase, time: TimeDelta) {
        let step = match phase {
            Phase::Installing => &mut self.install,
            Phase::Verifying => &mut self.observe,
            Phase::RollingBack => &mut self.roll_back,
            Phase::Idle | Phase::Prefetched | Phase::Stuck | Phase::Unknown => return,
        };
        *step = Some(step.unwrap_or_default() + milliseconds(time));
    }

    /// With the time that it took to fetch and prove the package.
    #[must_use]
    pub fn of_download(time: Option<TimeDelta>) -> Self {
        Self {
            download: time.map(milliseconds),
            ..Self::default()
        }
    }

    /// The steps that there were, each in seconds, as the history has them.
    pub fn in_seconds(&self) -> BTreeMap<&'static str, f64> {
        let steps = [
            ("download", self.download),
            ("install", self.install),
            ("observe", self.observe),
            ("roll_back", self.roll_back),
        ];
        let taken = steps.into_iter().filter_map(|(name, milliseconds)| {
            let time = std::time::Duration::from_millis(milliseconds?);
            Some((name, time.as_secs_f64()))
        });
        taken.collect()
    }
}

fn milliseconds(time: TimeDelta) -> u64 {
    u64::try_from(time.num_milliseconds()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_counts_for_its_step_and_again() {
        let mut durations = Durations::of_download(Some(TimeDelta::milliseconds(1200)));
        for (phase, seconds) in [
            (Phase::Idle, 9),
            (Phase::Prefetched, 9),
            (Phase::Installing, 3),
            (Phase::Verifying, 4),
            (Phase::Verifying, 1),
            (Phase::RollingBack, -7),
        ] {
            durations.add(phase, TimeDelta::seconds(seconds));
        }
        let expected = [
            ("download", 1.2),
            ("install", 3.0),
            ("observe", 5.0),
            ("roll_back", 0.0),
        ];
        assert_eq!(durations.in_seconds(), expected.into());
        assert!(Durations::of_download(None).in_seconds().is_empty());
    }
}
