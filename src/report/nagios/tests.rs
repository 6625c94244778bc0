use super::*;
use crate::decision::Reason;
use crate::report::build::without_facts;
use crate::state::agent::{Quarantined, Signature};
use crate::state::operator::{Hold, Person};

const THRESHOLDS: Thresholds = Thresholds {
    age: Limits {
        warning: TimeDelta::minutes(90),
        critical: TimeDelta::hours(2),
    },
    pending: Limits {
        warning: TimeDelta::days(7),
        critical: TimeDelta::days(30),
    },
    failing: Limits {
        warning: TimeDelta::hours(12),
        critical: TimeDelta::days(3),
    },
    held: TimeDelta::days(30),
    key: Limits {
        warning: TimeDelta::days(30),
        critical: TimeDelta::days(7),
    },
};

fn now() -> DateTime<Utc> {
    "2026-06-01T02:00:00Z".parse().unwrap()
}

fn agent(reason: Reason) -> AgentReport {
    without_facts("teleport", "", reason, "15.4.2 it is".to_owned(), None)
}

fn with(change: impl Fn(&mut AgentReport)) -> AgentReport {
    let mut agent = agent(Reason::UpToDate);
    change(&mut agent);
    agent
}

fn signature(expires: &str) -> Signature {
    Signature {
        fingerprint: String::new(),
        user_id: None,
        signed_at: now(),
        key_expires: Some(expires.parse().unwrap()),
        covers: "metadata".to_owned(),
        index_fingerprint: None,
        package_version: String::new(),
        repository: String::new(),
        proven_at: None,
    }
}

/// The answer over these agents after so many minutes.
fn check(agents: Vec<AgentReport>, minutes: i64, names: &[&str]) -> Answer {
    let at = now() - TimeDelta::minutes(minutes);
    let text = serde_json::to_string(&Document::new(at, "web1".to_owned(), agents)).unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let answer = answer(Some(&text), &names, &THRESHOLDS, now());
    assert_grammar(&answer.line);
    answer
}

/// One line: the words, and after the only bar the performance data, each
/// `'label'=value[unit];[warning];[critical];[minimum]`.
fn assert_grammar(line: &str) {
    assert!(!line.contains(['\n', '\r', '\t', '\u{1b}']), "{line:?}");
    let Some((_, data)) = line.split_once('|') else {
        return;
    };
    assert!(!data.contains('|'), "{line}");
    let mut rest = data;
    while !rest.is_empty() {
        rest = rest.strip_prefix(" '").expect(line);
        // Two quotes in a label are one of its own.
        let mut end = 0;
        while rest[end..].starts_with("''") || !rest[end..].starts_with('\'') {
            end += if rest[end..].starts_with("''") { 2 } else { 1 };
        }
        assert!(!rest[..end].contains('='), "{line}");
        rest = rest[end..].strip_prefix("'=").expect(line);
        let (value, after) = rest.split_at(rest.find(' ').unwrap_or(rest.len()));
        let mut parts = value.split(';');
        let number = parts.next().unwrap();
        let number = number.strip_suffix('s').unwrap_or(number);
        number.parse::<i64>().expect(line);
        for limit in parts {
            let limit = limit.strip_suffix(':').unwrap_or(limit);
            assert!(limit.is_empty() || limit.parse::<i64>().is_ok(), "{line}");
        }
        rest = after;
    }
}

#[test]
fn the_line_of_an_agent_that_is_well() {
    let mut agent = agent(Reason::UpToDate);
    agent.signature = Some(signature("2026-08-30T02:00:00Z"));
    assert_eq!(
        check(vec![agent], 2, &[]).line,
        "AGENT-UPDATER OK - teleport: 15.4.2 it is | 'teleport_age'=120s;5400;7200;0 \
         'teleport_pending'=0s;604800;2592000;0 'teleport_failing'=0s;43200;259200;0 \
         'teleport_failures'=0;;;0 'teleport_quarantined'=0;;;0 'teleport_key_days'=90;30:;7:"
    );
}

/// One that has been held for so many days.
fn held(days: i64, until: Option<DateTime<Utc>>) -> AgentReport {
    with(|agent| {
        agent.hold = Some(Hold {
            placed_by: "hold".to_owned(),
            version: None,
            since: now() - TimeDelta::days(days),
            until,
            until_target_changes: false,
            server_said: None,
            why: None,
            who: Person::default(),
        });
    })
}

#[test]
fn how_bad_each_finding_is() {
    use Severity::{Critical, Ok, Unknown, Warning};
    let days_ago = |days| Some(now() - TimeDelta::days(days));
    let failing = |hours: i64| {
        let mut agent = agent(Reason::VersionServerUnreachable);
        agent.failing_since = Some(now() - TimeDelta::hours(hours));
        agent
    };
    let table = vec![
        (agent(Reason::UpToDate), 0, Ok, "OK - teleport: 15"),
        (agent(Reason::OutsideWindow), 89, Ok, "OK"),
        (agent(Reason::UpToDate), 90, Warning, "last run was 1 h 30"),
        (agent(Reason::UpToDate), 120, Unknown, "2 h 0 min ago"),
        (agent(Reason::UpToDate), -4, Ok, "OK"),
        (agent(Reason::UpToDate), -60, Unknown, "in 1 h 0 min"),
        (agent(Reason::RolledBack), 0, Warning, "teleport: WARNING"),
        (agent(Reason::Quarantined), 0, Warning, "WARNING"),
        (agent(Reason::InstallFailed), 0, Warning, "WARNING"),
        (agent(Reason::RollbackFailed), 0, Critical, "CRITICAL"),
        (agent(Reason::RollbackFailed), 500, Critical, "last run"),
        (agent(Reason::RepositoryUntrusted), 0, Critical, "CRITICAL"),
        (agent(Reason::NotInstalled), 0, Ok, "OK"),
        (failing(11), 0, Ok, "OK"),
        (failing(12), 0, Warning, "failing for 12 h"),
        (failing(72), 0, Critical, "failing for 3 d"),
        (with(|a| a.pending_since = days_ago(6)), 0, Ok, "OK"),
        (
            with(|a| a.pending_since = days_ago(7)),
            0,
            Warning,
            "due for 7 d",
        ),
        (
            with(|a| a.pending_since = days_ago(30)),
            0,
            Critical,
            "due for 30 d",
        ),
        (held(29, None), 0, Ok, "OK"),
        (
            held(30, None),
            0,
            Warning,
            "held for 30 d 0 h without an end",
        ),
        (held(90, days_ago(-1)), 0, Ok, "OK"),
        (
            with(|a| a.signature = Some(signature("2026-06-30T02:00:00Z"))),
            0,
            Warning,
            "ends in 29 d",
        ),
        (
            with(|a| a.signature = Some(signature("2026-06-07T02:00:00Z"))),
            0,
            Critical,
            "ends in 6 d",
        ),
        (
            with(|a| a.signature = Some(signature("2026-05-31T02:00:00Z"))),
            0,
            Critical,
            "ended 1 d 0 h ago",
        ),
        (
            with(|a| {
                a.health.verdict = "unhealthy".to_owned();
                a.health.evidence = "http 503".to_owned();
            }),
            0,
            Critical,
            "unhealthy: http 503",
        ),
        (
            with(|a| {
                a.quarantine = vec![Quarantined {
                    version: adapters::TargetVersion::parse("1.0.0").unwrap(),
                    since: now(),
                    cause: String::new(),
                }];
            }),
            0,
            Ok,
            "'teleport_quarantined'=1;;;0",
        ),
    ];
    for (agent, minutes, expected, words) in table {
        let reason = agent.reason;
        let answer = check(vec![agent], minutes, &[]);
        assert_eq!(answer.severity, expected, "{reason:?}: {}", answer.line);
        assert!(answer.line.contains(words), "{words}: {}", answer.line);
        let first = format!("AGENT-UPDATER {} - ", expected.as_str());
        assert!(answer.line.starts_with(&first), "{}", answer.line);
    }
}

#[test]
fn the_worst_agent_wins_and_all_are_named() {
    let named = |name: &str, reason| AgentReport {
        name: name.to_owned(),
        ..agent(reason)
    };
    let both = || {
        vec![
            named("a", Reason::Quarantined),
            named("b", Reason::UpToDate),
        ]
    };
    let all = check(both(), 0, &[]);
    assert_eq!(all.severity, Severity::Warning);
    let words = "- a: WARNING: 15.4.2 it is; b: 15.4.2 it is | 'a_age'=";
    assert!(all.line.contains(words), "{}", all.line);
    assert!(all.line.contains(" 'b_age'=0s;"), "{}", all.line);
    assert_eq!(check(both(), 0, &["b"]).severity, Severity::Ok);
    let other = check(both(), 0, &["b", "c|d"]);
    assert_eq!(other.severity, Severity::Unknown);
    assert!(other.line.contains("c/d: UNKNOWN"), "{}", other.line);
}

#[test]
fn no_message_breaks_the_line() {
    let hostile = with(|agent| {
        agent.name = "it's=a|b\nc".to_owned();
        agent.message = "x | 'y'=1\r\n\u{1b}[31mz".repeat(100);
    });
    let line = check(vec![hostile], 0, &[]).line;
    assert!(line.contains(" 'it''s_a/b c_age'=0s;"), "{line}");
}

#[test]
fn what_is_no_document_of_ours_is_unknown() {
    let table = [
        (None, "none since boot"),
        (Some(""), "cannot be read"),
        (Some("{\"schema\": \"agent-up"), "cannot be read"),
        (Some("[]"), "schema of nobody"),
        (
            Some("{\"schema\": \"agent-updater/v9\"}"),
            "agent-updater/v9",
        ),
        (Some("{\"schema\": \"agent-updater/v1\"}"), "generated_at"),
    ];
    for (text, words) in table {
        let answer = answer(text, &[], &THRESHOLDS, now());
        assert_eq!(answer.severity, Severity::Unknown, "{text:?}");
        assert!(answer.line.contains(words), "{}", answer.line);
        assert_grammar(&answer.line);
    }
    let none = check(Vec::new(), 0, &[]);
    assert_eq!(none.severity, Severity::Unknown, "{}", none.line);
}
