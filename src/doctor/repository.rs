//! The repository that offers the package, its keys, and what the package manager would do.

use super::finding::Finding;
use super::gates::of_gate;
use super::server::AHEAD;
use crate::decision::{GateName, Reason};
use crate::outcome::{exit_code, fault};
use crate::report::words;
use crate::state::agent::Signature;
use crate::tick::Asked;
use crate::trust::Key;
use anyhow::Result;
use chrono::{DateTime, Utc};

/// What was found out through the repository.
pub(super) fn check(
    agent: &str,
    asked: Option<&Result<Asked>>,
    installed: Option<&Signature>,
    now: DateTime<Utc>,
) -> Vec<Finding> {
    match asked {
        None => Vec::new(),
        Some(Err(error)) => vec![not_asked(error)],
        Some(Ok(asked)) => {
            let mut findings = gates(agent, asked, now);
            let prepared = &asked.prepared;
            findings.extend(prepared.warnings.iter().map(|warning| {
                Finding::warning(
                    "repository",
                    warning.clone(),
                    "see to it where that is not meant",
                )
            }));
            if let Some(offer) = &prepared.offer {
                let files: Vec<_> = offer
                    .entry
                    .key_files
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect();
                findings.extend(keys(&offer.proven.keys(now), &files, now));
                findings.extend(valid_until(offer.proven.valid_until(), now));
            }
            findings.extend(installed.and_then(|signature| installed_key(signature, now)));
            findings
        }
    }
}

fn not_asked(error: &anyhow::Error) -> Finding {
    let found = format!("it could not be asked: {error:#}");
    match fault(error) {
        Reason::DiskFull => Finding::unknown("repository", found, "make room first"),
        reason => Finding::problem(
            "repository",
            exit_code(reason),
            found,
            "`agent-updater run --dry-run -vv` shows each command",
        ),
    }
}

/// The gates over it. A version that is installed already need not be offered any more.
fn gates(agent: &str, asked: &Asked, now: DateTime<Utc>) -> Vec<Finding> {
    let shown =
        |name| name == GateName::Repository || (name == GateName::Transaction && asked.is_due);
    let of_asked = asked
        .gates
        .iter()
        .filter(|gate| shown(gate.name))
        .filter_map(|gate| {
            let finding = of_gate(agent, gate, asked.prepared.hint.as_deref(), now)?;
            let is_past = gate.reason == Some(Reason::NotOffered) && !asked.is_due;
            Some(if is_past {
                Finding::warning(
                    finding.name,
                    finding.found,
                    format!(
                        "{} is installed; it cannot be fetched anew from there",
                        asked.version
                    ),
                )
            } else {
                finding
            })
        });
    of_asked.collect()
}

/// Every key of the entry; those that count and end soon are warned of.
fn keys(keys: &[Key], files: &[String], now: DateTime<Utc>) -> Vec<Finding> {
    const NAME: &str = "signing key";
    let (good, bad): (Vec<_>, Vec<_>) = keys.iter().partition(|key| key.refusal.is_none());
    let mut findings = Vec::new();
    for key in &good {
        let named = named(key);
        findings.push(match key.expires {
            Some(end) if end - now < AHEAD => Finding::warning(
                NAME,
                format!("{named} ends {}", words::moment(end, now)),
                renew(files),
            ),
            Some(end) => Finding::ok(NAME, format!("{named} until {}", end.format("%Y-%m-%d"))),
            None => Finding::ok(NAME, format!("{named} without end")),
        });
    }
    // One that is over beside one that counts is what a rotation leaves behind.
    for key in bad {
        if let Some(refusal) = &key.refusal {
            findings.push(Finding::ok(
                NAME,
                format!("{} does not count: {refusal}", named(key)),
            ));
        }
    }
    findings
}

fn renew(files: &[String]) -> String {
    let place = if files.is_empty() {
        "where the entry's keys are".to_owned()
    } else {
        format!("into {}", files.join(" or "))
    };
    format!(
        "get the publisher's renewed key over https, compare its fingerprint, and put it {place}; \
         once it is over nothing can be installed from there"
    )
}

fn named(key: &Key) -> String {
    match key.user_ids.first() {
        Some(user_id) => format!("{} ({user_id})", key.fingerprint),
        None => key.fingerprint.clone(),
    }
}

/// apt's `Valid-Until`, after which a mirror that is not refreshed is refused.
fn valid_until(end: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<Finding> {
    const NAME: &str = "index";
    let end = end?;
    // Debian's own security archive gives a week, so that less than this is no sign of neglect.
    Some(if end - now < chrono::TimeDelta::days(2) {
        Finding::warning(
            NAME,
            format!("its Valid-Until is {}", words::moment(end, now)),
            "see that the mirror is refreshed: once it is over the repository is refused",
        )
    } else {
        Finding::ok(NAME, format!("valid until {}", words::moment(end, now)))
    })
}

/// The key of what this program installed, which the way back needs no more than a look.
fn installed_key(signature: &Signature, now: DateTime<Utc>) -> Option<Finding> {
    let end = signature.key_expires.filter(|end| *end <= now)?;
    Some(Finding::warning(
        "signing key",
        format!(
            "{} proved what is installed and ended {}",
            signature.fingerprint,
            words::moment(end, now)
        ),
        "the publisher's next version has to be signed by a key that lasts",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;
    use crate::trust::Refusal;
    use chrono::TimeDelta;

    #[test]
    fn a_key_is_spoken_of_a_month_before_its_end() {
        let now: DateTime<Utc> = "2026-12-01T00:00:00Z".parse().unwrap();
        let key = |expires: Option<i64>, refusal| Key {
            fingerprint: "AB".to_owned(),
            user_ids: vec!["Web <web@example>".to_owned()],
            expires: expires.map(|days| now + TimeDelta::days(days)),
            subkeys_sign: false,
            refusal,
        };
        let table = [
            (key(None, None), Verdict::Ok, "without end"),
            (key(Some(31), None), Verdict::Ok, "until 2027-01-01"),
            (
                key(Some(29), None),
                Verdict::Warning,
                "AB (Web <web@example>) ends",
            ),
            (
                key(Some(-1), Some(Refusal::KeyRevoked("AB".to_owned()))),
                Verdict::Ok,
                "does not count: the signing key AB was revoked",
            ),
        ];
        for (key, verdict, words) in table {
            let found = keys(std::slice::from_ref(&key), &["/k.gpg".to_owned()], now);
            assert_eq!((found.len(), found[0].verdict), (1, verdict), "{found:?}");
            assert!(found[0].found.contains(words), "{found:?}");
            let names_file = found[0]
                .hint
                .as_ref()
                .is_some_and(|hint| hint.contains("/k.gpg"));
            assert_eq!(names_file, verdict == Verdict::Warning);
        }
    }

    #[test]
    fn an_index_is_spoken_of_two_days_before_its_end() {
        let now: DateTime<Utc> = "2026-12-01T00:00:00Z".parse().unwrap();
        let at = |hours| {
            valid_until(Some(now + TimeDelta::hours(hours)), now)
                .unwrap()
                .verdict
        };
        assert_eq!((at(47), at(49)), (Verdict::Warning, Verdict::Ok));
        assert_eq!(valid_until(None, now), None);
    }
}
