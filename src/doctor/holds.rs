//! Who keeps the package as it is: operators, administrators, and our own pin.

use super::finding::Finding;
use crate::decision::{Facts, HoldFact, Reading};
use crate::report::document::PinReport;
use crate::report::words;
use chrono::{DateTime, Utc};

const NAME: &str = "hold";

/// Each hold with the command that releases it.
pub(super) fn check(agent: &str, facts: &Facts, now: DateTime<Utc>) -> Vec<Finding> {
    match &facts.holds {
        Reading::Taken { value, .. } if value.is_empty() => {
            vec![Finding::ok(NAME, "nobody holds the package")]
        }
        Reading::Taken { value, .. } => value.iter().map(|hold| held(agent, hold, now)).collect(),
        Reading::Failed { error, .. } => vec![Finding::unknown(
            NAME,
            format!("it is not known whether somebody holds the package: {error}"),
            "make that file readable",
        )],
        Reading::NotTaken => Vec::new(),
    }
}

fn held(agent: &str, hold: &HoldFact, now: DateTime<Utc>) -> Finding {
    let until = hold
        .until
        .map(|until| format!(", until {}", words::moment(until, now)))
        .unwrap_or_default();
    if hold.by_operator {
        return Finding::warning(
            NAME,
            format!("{}{until}", hold.description),
            format!("agent-updater unhold {agent}"),
        );
    }
    let told = hold
        .description
        .split_once(" (release: ")
        .and_then(|(text, release)| Some((text, release.strip_suffix(')')?)));
    match told {
        Some((text, release)) => Finding::warning(NAME, format!("{text}{until}"), release),
        None => Finding::warning(
            NAME,
            format!("{}{until}", hold.description),
            "release it where it is",
        ),
    }
}

/// Our own pin, which keeps a general upgrade from moving the package.
pub(super) fn pin(pin: Option<&PinReport>) -> Option<Finding> {
    const NAME: &str = "pin";
    let pin = pin?;
    Some(match pin.state.as_str() {
        "placed" => Finding::ok(NAME, format!("ours is in {}", pin.places.join(" and "))),
        "off" => Finding::ok(
            NAME,
            "`pin = false`: a general upgrade moves the package, too",
        ),
        _ => Finding::ok(
            NAME,
            "none yet: a run that finds the package in order places it",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn each_hold_comes_with_what_releases_it() {
        let now: DateTime<Utc> = "2026-12-01T00:00:00Z".parse().unwrap();
        let hold = |by_operator, description: &str, until| HoldFact {
            by_operator,
            description: description.to_owned(),
            until,
        };
        let table = [
            (
                hold(
                    false,
                    "held by the administrator: apt-mark hold (release: apt-mark unhold web)",
                    None,
                ),
                "held by the administrator: apt-mark hold",
                "apt-mark unhold web",
            ),
            (
                hold(
                    false,
                    "held by the administrator: /etc/zypp/locks line 3 (x) (release: zypper removelock web)",
                    None,
                ),
                "held by the administrator: /etc/zypp/locks line 3 (x)",
                "zypper removelock web",
            ),
            (
                hold(true, "held by kim", Some(now + TimeDelta::hours(3))),
                "held by kim, until Tue 2026-12-01 03:00 UTC (in 3 h 0 min)",
                "agent-updater unhold web",
            ),
        ];
        for (hold, found, hint) in table {
            let finding = held("web", &hold, now);
            assert_eq!(finding.hint.as_deref(), Some(hint));
            assert!(
                finding
                    .found
                    .starts_with(found.split(" UTC").next().unwrap()),
                "{finding:?}"
            );
        }
    }
}
