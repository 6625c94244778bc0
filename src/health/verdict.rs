use super::unit::{UnitSample, UnitState};
use crate::decision::Health;

/// What one probe found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ProbeResult {
    /// It is content.
    Passed(String),
    /// It ran and says no.
    Failed(String),
    /// It could not be run, so that it says nothing of the agent.
    NotRun(String),
}

/// One look at the agent. `unit` is `None` where the policy does not ask for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sample {
    /// What the service manager says.
    pub unit: Option<UnitSample>,
    /// What the probes say, in the order of the policy.
    pub probes: Vec<ProbeResult>,
}

impl Sample {
    fn first_failure(&self) -> Option<&str> {
        self.probes.iter().find_map(|probe| match probe {
            ProbeResult::Failed(why) => Some(why.as_str()),
            ProbeResult::Passed(_) | ProbeResult::NotRun(_) => None,
        })
    }

    /// Whether one look is not enough: something may be wrong and has to be confirmed.
    /// `restarts_before` is the count of an earlier tick, which shows a loop whose process happens
    /// to be up at this moment; without one every restart is worth a second look.
    pub fn is_suspicious(&self, restarts_before: Option<u64>) -> bool {
        let unit = self.unit.as_ref().is_some_and(|unit| match unit.state {
            UnitState::Failed(_) | UnitState::AutoRestart(_) | UnitState::InTransition(_) => true,
            UnitState::Active => unit.restarts > restarts_before.unwrap_or(0),
            UnitState::Inactive(_)
            | UnitState::Masked
            | UnitState::OneShot
            | UnitState::Unknown(_) => false,
        });
        unit || (self.probes_count() && self.first_failure().is_some())
    }

    /// A probe says something only of an agent that is meant to run.
    fn probes_count(&self) -> bool {
        !matches!(
            self.unit.as_ref().map(|unit| &unit.state),
            Some(UnitState::Inactive(_) | UnitState::Masked)
        )
    }
}

/// The verdict over samples taken in order over `health.confirm`; one sample is enough when it was
/// not suspicious.
pub fn verdict(samples: &[Sample]) -> Health {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
        return Health::Unknown("no probe was run".to_owned());
    };
    if let (Some(before), Some(unit)) = (&first.unit, &last.unit) {
        match &unit.state {
            UnitState::Failed(result) => {
                return Health::Unhealthy(format!("the unit failed ({result})"));
            }
            UnitState::Masked => return Health::Stopped("the unit is masked".to_owned()),
            UnitState::OneShot if last.probes.is_empty() => {
                return Health::Stopped("the unit runs and ends, and there is no probe".to_owned());
            }
            UnitState::Inactive(enabled) => {
                return Health::Stopped(format!("the unit is inactive ({enabled})"));
            }
            _ if unit.restarts > before.restarts => {
                let count = unit.restarts - before.restarts;
                return Health::Unhealthy(format!(
                    "the unit is in a restart loop ({count} restarts while watched)"
                ));
            }
            UnitState::AutoRestart(result) => {
                return Health::Unhealthy(format!(
                    "the unit crashed and waits for its restart ({result})"
                ));
            }
            UnitState::Active
            | UnitState::InTransition(_)
            | UnitState::OneShot
            | UnitState::Unknown(_) => {}
        }
    }
    if last.first_failure().is_some()
        && samples
            .iter()
            .all(|sample| sample.first_failure().is_some())
    {
        return Health::Unhealthy(last.first_failure().unwrap_or_default().to_owned());
    }
    settled(last)
}

/// The verdict of a sample that shows nothing wrong.
fn settled(sample: &Sample) -> Health {
    let passed: Vec<_> = sample
        .probes
        .iter()
        .filter_map(|probe| match probe {
            ProbeResult::Passed(what) => Some(what.as_str()),
            ProbeResult::Failed(_) | ProbeResult::NotRun(_) => None,
        })
        .collect();
    let not_run = sample.probes.iter().find_map(|probe| match probe {
        ProbeResult::NotRun(why) => Some(why.as_str()),
        ProbeResult::Passed(_) | ProbeResult::Failed(_) => None,
    });
    let unit = sample.unit.as_ref().map(|unit| &unit.state);
    match (unit, not_run) {
        (_, Some(why)) => Health::Unknown(why.to_owned()),
        (Some(UnitState::Unknown(why)), None) if passed.is_empty() => Health::Unknown(why.clone()),
        (Some(UnitState::InTransition(state)), None) => {
            Health::Unknown(format!("the unit is in transition ({state})"))
        }
        (Some(UnitState::Active), None) => {
            let mut evidence = vec!["the unit is active"];
            evidence.extend(passed);
            Health::Healthy(evidence.join(", "))
        }
        (_, None) if passed.is_empty() => Health::Unknown("no probe is configured".to_owned()),
        (_, None) => Health::Healthy(passed.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(state: UnitState, restarts: u64, probes: Vec<ProbeResult>) -> Sample {
        Sample {
            unit: Some(UnitSample {
                state,
                restarts,
                main_pid: None,
                invocation: None,
                can_reload: false,
            }),
            probes,
        }
    }

    fn passed() -> ProbeResult {
        ProbeResult::Passed("http 200".into())
    }

    fn failed() -> ProbeResult {
        ProbeResult::Failed("http 503".into())
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn table_of_contract_section_6() {
        use UnitState::{Active, AutoRestart, Failed, InTransition, Inactive, Masked, Unknown};
        let exit = || "exit-code".to_owned();
        let table: Vec<(&str, Vec<Sample>, &str)> = vec![
            ("active", vec![sample(Active, 0, vec![])], "healthy"),
            (
                "active and probe passes",
                vec![sample(Active, 0, vec![passed()])],
                "healthy",
            ),
            (
                "failed",
                vec![sample(Failed(exit()), 0, vec![])],
                "unhealthy",
            ),
            (
                "failed, then came back",
                vec![sample(Failed(exit()), 0, vec![]), sample(Active, 0, vec![])],
                "healthy",
            ),
            (
                "restart loop seen up",
                vec![sample(Active, 3, vec![]), sample(Active, 5, vec![])],
                "unhealthy",
            ),
            (
                "waits for its restart",
                vec![sample(AutoRestart(exit()), 1, vec![])],
                "unhealthy",
            ),
            (
                "one crash, then stable",
                vec![
                    sample(AutoRestart(exit()), 1, vec![]),
                    sample(Active, 1, vec![]),
                ],
                "healthy",
            ),
            (
                "probe fails throughout",
                vec![sample(Active, 0, vec![failed()]); 3],
                "unhealthy",
            ),
            (
                "probe failed once",
                vec![
                    sample(Active, 0, vec![failed()]),
                    sample(Active, 0, vec![passed()]),
                ],
                "healthy",
            ),
            (
                "stopped by hand",
                vec![sample(Inactive("enabled".into()), 0, vec![])],
                "stopped",
            ),
            (
                "stopped, and so its probe fails",
                vec![sample(Inactive("disabled".into()), 0, vec![failed()])],
                "stopped",
            ),
            ("masked", vec![sample(Masked, 0, vec![failed()])], "stopped"),
            (
                "starting",
                vec![sample(InTransition("start".into()), 0, vec![])],
                "unknown",
            ),
            (
                "no such unit",
                vec![sample(Unknown("there is no unit".into()), 0, vec![])],
                "unknown",
            ),
            (
                "no systemd, probe passes",
                vec![sample(Unknown("no systemd".into()), 0, vec![passed()])],
                "healthy",
            ),
            (
                "no systemd, probe fails",
                vec![sample(Unknown("no systemd".into()), 0, vec![failed()])],
                "unhealthy",
            ),
            (
                "probe could not be run",
                vec![sample(
                    Active,
                    0,
                    vec![ProbeResult::NotRun("no such file".into())],
                )],
                "unknown",
            ),
            (
                "nothing to go by",
                vec![Sample {
                    unit: None,
                    probes: vec![],
                }],
                "unknown",
            ),
            ("never sampled", vec![], "unknown"),
        ];
        for (what, samples, expected) in table {
            let found = match verdict(&samples) {
                Health::Healthy(_) => "healthy",
                Health::Unhealthy(_) => "unhealthy",
                Health::Stopped(_) => "stopped",
                Health::Unknown(_) => "unknown",
            };
            assert_eq!(found, expected, "{what}");
        }
    }

    #[test]
    fn what_has_to_be_confirmed() {
        assert!(!sample(UnitState::Active, 4, vec![]).is_suspicious(Some(4)));
        assert!(sample(UnitState::Active, 4, vec![]).is_suspicious(None));
        assert!(!sample(UnitState::Active, 0, vec![]).is_suspicious(None));
        assert!(
            sample(UnitState::Active, 5, vec![]).is_suspicious(Some(4)),
            "restarted since the last tick"
        );
        assert!(sample(UnitState::Active, 0, vec![failed()]).is_suspicious(None));
        assert!(
            !sample(UnitState::Inactive("disabled".into()), 0, vec![failed()]).is_suspicious(None)
        );
        assert!(sample(UnitState::Failed("signal".into()), 0, vec![]).is_suspicious(None));
    }
}
