//! What everybody who logs in is told, where somebody has to act. Pure.

use super::attention::{Urgency, is_unhealthy, one_line, urgency};
use super::document::AgentReport;
use chrono::{DateTime, TimeDelta, Utc};
use std::fmt::Write as _;
use std::time::Duration;

/// How long a line is at most: what fits on a terminal twice.
const MOST: usize = 156;

/// The message over agents, each with the grace of its faults that may pass; `None` where nobody has
/// to act. No colours, no control characters: what a package's script printed may stand in it.
pub fn render<'a>(
    agents: impl IntoIterator<Item = (&'a AgentReport, Duration)>,
    now: DateTime<Utc>,
) -> Option<String> {
    let mut text = String::new();
    for (agent, grace) in agents {
        if !needs_a_person(agent, grace, now) {
            continue;
        }
        let message = if agent.exit_code == 0 && is_unhealthy(agent) {
            format!("the agent is unhealthy: {}", agent.health.evidence)
        } else {
            agent.message.clone()
        };
        let line = format!("{}: {message}", agent.name);
        let _ = writeln!(text, "  {}", one_line(&line, MOST));
        if let Some(hint) = &agent.hint {
            let _ = writeln!(text, "    hint: {}", one_line(hint, MOST));
        }
    }
    (!text.is_empty()).then(|| {
        format!(
            "agent-updater needs attention on this host:\n{text}  `agent-updater status` shows it all\n"
        )
    })
}

fn needs_a_person(agent: &AgentReport, grace: Duration, now: DateTime<Utc>) -> bool {
    match urgency(agent) {
        Urgency::None => false,
        Urgency::Soon | Urgency::Now => true,
        Urgency::MayPass => {
            let grace = TimeDelta::from_std(grace).unwrap_or(TimeDelta::MAX);
            let since = agent.failing_since;
            since.is_some_and(|since| now - since >= grace)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Reason;
    use crate::report::build::without_facts;

    fn now() -> DateTime<Utc> {
        "2026-06-01T02:00:00Z".parse().unwrap()
    }

    fn of(report: &AgentReport) -> Option<String> {
        render([(report, Duration::from_secs(12 * 3600))], now())
    }

    #[test]
    fn it_appears_only_where_somebody_has_to_act() {
        let hours_ago = |hours| Some(now() - TimeDelta::hours(hours));
        let table = [
            (Reason::UpToDate, None, false),
            (Reason::OutsideWindow, None, false),
            (Reason::NotInstalled, None, false),
            (Reason::VersionServerUnreachable, hours_ago(1), false),
            (Reason::VersionServerUnreachable, hours_ago(12), true),
            (Reason::Quarantined, None, true),
            (Reason::RepositoryUntrusted, None, true),
            (Reason::ConfigurationInvalid, None, true),
        ];
        for (reason, failing_since, expected) in table {
            let mut report = without_facts("demo", "", reason, "it is so".to_owned(), None);
            report.failing_since = failing_since;
            assert_eq!(of(&report).is_some(), expected, "{reason:?}");
        }
    }

    #[test]
    fn it_says_which_agent_what_and_the_way_out_and_nothing_else() {
        let mut report = without_facts(
            "demo",
            "",
            Reason::Quarantined,
            "1.1.0 crashed:\n\u{1b}[31mred".to_owned(),
            Some("agent-updater allow demo 1.1.0".to_owned()),
        );
        assert_eq!(
            of(&report).unwrap(),
            "agent-updater needs attention on this host:\n  demo: 1.1.0 crashed: [31mred\n    \
             hint: agent-updater allow demo 1.1.0\n  `agent-updater status` shows it all\n"
        );
        report.exit_code = 0;
        report.health.verdict = "unhealthy".to_owned();
        report.health.evidence = "http 503".to_owned();
        let text = of(&report).unwrap();
        assert!(
            text.contains("demo: the agent is unhealthy: http 503\n"),
            "{text}"
        );
    }
}
