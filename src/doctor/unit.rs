//! Whether the agent works: its unit and the probes.

use super::finding::{Finding, PREREQUISITE};
use crate::config::Policy;
use crate::decision::{Facts, Health};
use crate::health::unit::{UnitSample, UnitState};

/// What was found about the agent's process.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// The unit's name, or why there is none.
    pub(super) unit: Option<Result<String, String>>,
    /// One look at it.
    pub(super) sample: Option<UnitSample>,
    /// Whether it starts at boot, in systemd's word.
    pub(super) enabled: Option<String>,
    /// Which version it runs, where the process runs the installed file.
    pub(super) running: Option<String>,
}

/// The unit, then the verdict of all probes.
pub(super) fn check(policy: &Policy, facts: &Facts, seen: &Seen) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(unit(policy, seen));
    findings.extend(
        facts
            .health
            .value()
            .map(|health| probes(policy, health, seen)),
    );
    findings
}

fn unit(policy: &Policy, seen: &Seen) -> Option<Finding> {
    const NAME: &str = "unit";
    if !policy.health.unit {
        return Some(Finding::ok(NAME, "not looked at: `health.unit = false`"));
    }
    let name = match seen.unit.as_ref()? {
        Ok(name) => name,
        Err(why) => {
            return Some(Finding::unknown(
                NAME,
                why.clone(),
                "set `unit` to the agent's service",
            ));
        }
    };
    let sample = seen.sample.as_ref()?;
    let journal = format!("journalctl -u {name} -n 50, then systemctl restart {name}");
    let enabled = match seen.enabled.as_deref() {
        Some("disabled") => ", disabled: a reboot does not start it",
        _ => "",
    };
    let restarts = match sample.restarts {
        0 => String::new(),
        1 => ", restarted once".to_owned(),
        count => format!(", restarted {count} times"),
    };
    Some(match &sample.state {
        UnitState::Active if enabled.is_empty() => {
            let version = seen
                .running
                .as_ref()
                .map(|version| format!(", runs {version}"))
                .unwrap_or_default();
            Finding::ok(NAME, format!("{name} is active{version}{restarts}"))
        }
        UnitState::Active => Finding::warning(
            NAME,
            format!("{name} is active{enabled}{restarts}"),
            format!("systemctl enable {name}"),
        ),
        UnitState::OneShot => Finding::ok(
            NAME,
            format!("{name} runs and ends; the probes tell how it does"),
        ),
        UnitState::Inactive(state) => Finding::warning(
            NAME,
            format!("{name} is stopped ({state}){enabled}: an update leaves it so"),
            format!("systemctl enable --now {name}, unless somebody stopped it on purpose"),
        ),
        UnitState::Masked => Finding::warning(
            NAME,
            format!("{name} is masked: it cannot be started"),
            format!("systemctl unmask {name}, unless that is meant"),
        ),
        UnitState::Failed(result) => Finding::problem(
            NAME,
            PREREQUISITE,
            format!("{name} has failed ({result}){restarts}"),
            journal,
        ),
        UnitState::AutoRestart(state) => Finding::problem(
            NAME,
            PREREQUISITE,
            format!("{name} waits to be started again after a crash ({state}){restarts}"),
            journal,
        ),
        UnitState::InTransition(state) => Finding::warning(
            NAME,
            format!("{name} is on its way ({state}){restarts}"),
            journal,
        ),
        UnitState::Unknown(why) => {
            Finding::unknown(NAME, why.clone(), format!("systemctl status {name}"))
        }
    })
}

fn probes(policy: &Policy, health: &Health, seen: &Seen) -> Finding {
    const NAME: &str = "health";
    let unit = match &seen.unit {
        Some(Ok(name)) => name.as_str(),
        _ => "UNIT",
    };
    let way_out = if policy.health.http.is_some() || policy.health.command.is_some() {
        "try the probe by hand; an unhealthy agent is updated ahead of its window"
    } else {
        "an unhealthy agent is updated ahead of its window"
    };
    match health {
        Health::Healthy(evidence) => Finding::ok(NAME, evidence.clone()),
        Health::Unhealthy(evidence) => Finding::problem(
            NAME,
            PREREQUISITE,
            format!("the agent does not work: {evidence}"),
            format!("journalctl -u {unit} -n 50; {way_out}"),
        ),
        Health::Stopped(evidence) => Finding::warning(
            NAME,
            format!("the agent is stopped: {evidence}"),
            format!("systemctl start {unit}, unless somebody stopped it on purpose"),
        ),
        Health::Unknown(evidence) => Finding::unknown(
            NAME,
            format!("nothing tells whether the agent works: {evidence}"),
            "set `health.http` or `health.command` in the configuration",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;
    use crate::doctor::finding::Verdict;
    use std::fs;
    use std::path::Path;

    fn policy() -> Policy {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("etc/agent-updater");
        fs::create_dir_all(&folder).unwrap();
        let text = "[agents.web]\npackage = \"web\"\nversion_server.url = \"https://a.example/\"\n";
        fs::write(folder.join("config.toml"), text).unwrap();
        let configuration = load(root.path(), Path::new("/etc/agent-updater"));
        configuration.agents.into_iter().next().unwrap().1.unwrap()
    }

    #[test]
    fn each_state_of_a_unit_has_its_word() {
        let policy = policy();
        let table = [
            (
                UnitState::Active,
                "enabled",
                Verdict::Ok,
                "is active, runs 1.0.0",
            ),
            (
                UnitState::Active,
                "disabled",
                Verdict::Warning,
                "a reboot does not start it",
            ),
            (
                UnitState::Failed("exit-code".into()),
                "enabled",
                Verdict::Problem,
                "has failed (exit-code)",
            ),
            (
                UnitState::AutoRestart("x".into()),
                "enabled",
                Verdict::Problem,
                "restarted 7 times",
            ),
            (
                UnitState::Inactive("dead".into()),
                "enabled",
                Verdict::Warning,
                "is stopped",
            ),
            (UnitState::Masked, "masked", Verdict::Warning, "is masked"),
            (
                UnitState::Unknown("there is no unit".into()),
                "",
                Verdict::Unknown,
                "there is no unit",
            ),
        ];
        for (state, enabled, verdict, words) in table {
            let crashed = matches!(state, UnitState::AutoRestart(_));
            let seen = Seen {
                unit: Some(Ok("web.service".to_owned())),
                sample: Some(UnitSample {
                    state,
                    restarts: if crashed { 7 } else { 0 },
                    main_pid: None,
                    invocation: None,
                    can_reload: false,
                }),
                enabled: Some(enabled.to_owned()),
                running: Some("1.0.0".to_owned()),
            };
            let found = unit(&policy, &seen).unwrap();
            assert_eq!(found.verdict, verdict, "{found:?}");
            assert!(found.found.contains(words), "{found:?}");
            assert_eq!(found.hint.is_some(), verdict != Verdict::Ok, "{found:?}");
        }
    }
}
