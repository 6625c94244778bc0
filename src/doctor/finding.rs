//! What a check found, and what follows from all of them.

use crate::outcome::most_urgent;
use chrono::{DateTime, Utc};
use serde::Serialize;

/// The exit code of a problem that no run refuses for, and that yet keeps updates from this host:
/// what a pre-flight refuses has the same.
pub(super) const PREREQUISITE: u8 = 26;

/// How one thing stands.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It could not be found out.
    Unknown,
    /// It deserves attention, and stops nothing.
    Warning,
    /// It stops updates, or the agent does not work.
    Problem,
}

impl Verdict {
    /// The word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// Whose it is; nothing for what is the host's.
    pub agent: Option<String>,
    /// What was looked at.
    pub name: &'static str,
    /// How it stands.
    pub verdict: Verdict,
    /// What was found, in words.
    pub found: String,
    /// The way out, where it is not as it should be.
    pub hint: Option<String>,
    /// What the command would exit with for this one alone.
    pub exit_code: u8,
}

impl Finding {
    fn new(name: &'static str, verdict: Verdict, found: impl Into<String>) -> Self {
        Self {
            agent: None,
            name,
            verdict,
            found: found.into(),
            hint: None,
            exit_code: 0,
        }
    }

    /// All is well.
    pub fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self::new(name, Verdict::Ok, found)
    }

    /// It could not be found out.
    pub fn unknown(name: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(name, Verdict::Unknown, found).hint(hint)
    }

    /// Only root can find out.
    pub fn for_root(name: &'static str, found: impl Into<String>) -> Self {
        Self::unknown(name, found, "say it as root to have this looked at, too")
    }

    /// Something deserves attention.
    pub fn warning(name: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(name, Verdict::Warning, found).hint(hint)
    }

    /// Something stops updates, with the code that a run would exit with.
    pub fn problem(
        name: &'static str,
        exit_code: u8,
        found: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            exit_code,
            ..Self::new(name, Verdict::Problem, found).hint(hint)
        }
    }

    /// With another way out; an empty one is none.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()).filter(|hint: &String| !hint.is_empty()),
            ..self
        }
    }

    /// As a finding about one agent.
    #[must_use]
    pub fn of(self, agent: &str) -> Self {
        Self {
            agent: Some(agent.to_owned()),
            ..self
        }
    }
}

/// Everything that was looked at, as `--json` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct Examination {
    /// The schema of all documents of this program.
    pub schema: &'static str,
    /// When it was looked at. UTC.
    pub generated_at: DateTime<Utc>,
    /// Name of the host.
    pub host: String,
    /// Always `false`: nothing was changed.
    pub changed: bool,
    /// Whether there is a problem.
    pub failed: bool,
    /// The exit code.
    pub exit_code: u8,
    /// The same for a person, in one line.
    pub message: String,
    /// The findings: first the host's, then each agent's.
    pub checks: Vec<Finding>,
}

impl Examination {
    /// What follows from the findings.
    pub fn new(now: DateTime<Utc>, host: String, checks: Vec<Finding>) -> Self {
        let exit_code = most_urgent(checks.iter().map(|finding| finding.exit_code));
        Self {
            schema: crate::report::document::SCHEMA,
            generated_at: now,
            host,
            changed: false,
            failed: exit_code != 0,
            exit_code,
            message: conclusion(&checks),
            checks,
        }
    }
}

/// The last line: `all is well`, or how much is not, by name.
fn conclusion(checks: &[Finding]) -> String {
    let of = |verdict| {
        let is_of = move |finding: &&Finding| finding.verdict == verdict;
        checks.iter().filter(is_of).collect::<Vec<_>>()
    };
    let (problems, warnings, unknown) = (
        of(Verdict::Problem),
        of(Verdict::Warning),
        of(Verdict::Unknown),
    );
    let is_wrong = !problems.is_empty() || !warnings.is_empty();
    let mut counts = Vec::new();
    for (found, one, many) in [
        (problems, "problem", "problems"),
        (warnings, "warning", "warnings"),
        (unknown, "unknown", "unknown"),
    ] {
        let names = names(&found);
        match found.len() {
            0 => {}
            1 => counts.push(format!("1 {one} ({names})")),
            count => counts.push(format!("{count} {many} ({names})")),
        }
    }
    match (counts.is_empty(), is_wrong) {
        (true, _) => "all is well".to_owned(),
        (false, true) => counts.join(", "),
        (false, false) => format!(
            "nothing is wrong as far as could be seen; {}",
            counts.join(", ")
        ),
    }
}

/// What findings are about, each once.
fn names(findings: &[&Finding]) -> String {
    let mut names: Vec<String> = Vec::new();
    for finding in findings {
        let name = match &finding.agent {
            Some(agent) => format!("{} of {agent}", finding.name),
            None => finding.name.to_owned(),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examined(checks: Vec<Finding>) -> (u8, bool, String) {
        let examination = Examination::new(DateTime::UNIX_EPOCH, "web".to_owned(), checks);
        (
            examination.exit_code,
            examination.failed,
            examination.message,
        )
    }

    #[test]
    fn the_conclusion_counts_and_names() {
        let ok = || Finding::ok("clock", "agrees");
        let warning = || Finding::warning("timer", "disabled", "enable it");
        let problem = |name, code| Finding::problem(name, code, "x", "y");
        let table = [
            (vec![ok()], (0, false, "all is well")),
            (vec![], (0, false, "all is well")),
            (vec![ok(), warning()], (0, false, "1 warning (timer)")),
            (
                vec![ok(), Finding::for_root("journal", "closed")],
                (
                    0,
                    false,
                    "nothing is wrong as far as could be seen; 1 unknown (journal)",
                ),
            ),
            (
                vec![
                    warning(),
                    problem("server", 21),
                    problem("key", 23).of("web"),
                    problem("key", 23).of("web"),
                ],
                (
                    23,
                    true,
                    "3 problems (server, key of web), 1 warning (timer)",
                ),
            ),
            (
                vec![problem("disk", 26), problem("journal", 32)],
                (32, true, "2 problems (disk, journal)"),
            ),
        ];
        for (checks, (code, failed, message)) in table {
            assert_eq!(
                examined(checks.clone()),
                (code, failed, message.to_owned()),
                "{checks:?}"
            );
        }
    }

    #[test]
    fn json_has_what_the_contract_names() {
        let checks = vec![Finding::warning("hold", "held", "release it").of("web")];
        let examination = Examination::new(DateTime::UNIX_EPOCH, "a".to_owned(), checks);
        let json = serde_json::to_value(examination).unwrap();
        assert_eq!(json["schema"], "agent-updater/v1");
        assert_eq!(json["changed"], false);
        assert_eq!(json["failed"], false);
        assert_eq!(
            json["checks"][0],
            serde_json::json!({
                "agent": "web", "name": "hold", "verdict": "warning",
                "found": "held", "hint": "release it", "exit_code": 0
            })
        );
    }
}
