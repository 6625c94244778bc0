//! Times in which nothing starts.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::instant;
use super::window::Opening;

/// The longest reason that is kept, in bytes; it stands on one line of a status report.
const MAX_REASON: usize = 200;

/// A time in which nothing starts but what an operator forces and what `allow` names.
///
/// The schedule document and the configuration write it the same way:
/// `{"start": "2026-12-20T00:00:00Z", "stop": "2027-01-04T00:00:00Z", "reason": "year end", "allow": ["critical"]}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Raw")]
pub struct Freeze {
    /// The first instant of the freeze.
    pub start: DateTime<Utc>,
    /// The first instant after the freeze, later than `start`.
    pub stop: DateTime<Utc>,
    /// Why, for whoever reads the status: one line of at most 200 bytes, may be empty.
    pub reason: String,
    /// What starts all the same, sorted and without duplicates; empty by default.
    pub allow: Vec<Exemption>,
}

/// A cause that a freeze can let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Exemption {
    /// The version server calls the update critical.
    Critical,
    /// The agent is unhealthy.
    Unhealthy,
}

impl Freeze {
    /// Whether the freeze is on at `now`: start ≤ now < stop.
    pub fn covers(&self, now: DateTime<Utc>) -> bool {
        self.start <= now && now < self.stop
    }

    /// Whether the freeze takes some of the opening, or all of it.
    pub fn takes(&self, opening: &Opening) -> bool {
        self.start < opening.stop && opening.start < self.stop
    }

    /// Whether the freeze leaves nothing of the opening.
    pub fn takes_all(&self, opening: &Opening) -> bool {
        self.start <= opening.start && opening.stop <= self.stop
    }

    /// Whether the freeze lets `cause` through.
    pub fn allows(&self, cause: Exemption) -> bool {
        self.allow.contains(&cause)
    }

    /// Of the freezes that are on at `now`, the strictest: the one that allows the least, and of those the one that
    /// ends last.
    ///
    /// A cause passes only where *every* freeze allows it. Two that allow one cause each allow none together, which no
    /// single one of them says: ask [`Freeze::covers`] and [`Freeze::allows`] of each for the verdict, and this for the
    /// message.
    pub fn strictest(freezes: &[Self], now: DateTime<Utc>) -> Option<&Self> {
        freezes
            .iter()
            .filter(|freeze| freeze.covers(now))
            .min_by_key(|freeze| (freeze.allow.len(), std::cmp::Reverse(freeze.stop)))
    }
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, stop) = (instant::to_text(self.start), instant::to_text(self.stop));
        write!(f, "{start} to {stop}")?;
        if !self.reason.is_empty() {
            write!(f, " ({})", self.reason)?;
        }
        Ok(())
    }
}

impl fmt::Display for Exemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Critical => "critical",
            Self::Unhealthy => "unhealthy",
        })
    }
}

/// A freeze as written, before its fields are compared.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(deserialize_with = "instant::deserialize")]
    start: DateTime<Utc>,
    #[serde(deserialize_with = "instant::deserialize")]
    stop: DateTime<Utc>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    allow: Vec<Exemption>,
}

impl TryFrom<Raw> for Freeze {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, Self::Error> {
        if raw.start >= raw.stop {
            return Err("a freeze must stop after it starts; swap `start` and `stop`?".to_owned());
        }
        // The reason comes from afar and ends up on a terminal.
        if raw.reason.len() > MAX_REASON || raw.reason.chars().any(char::is_control) {
            return Err(format!(
                "the reason of a freeze is one line of at most {MAX_REASON} bytes"
            ));
        }
        let mut allow = raw.allow;
        allow.sort_unstable();
        allow.dedup();
        Ok(Self {
            start: raw.start,
            stop: raw.stop,
            reason: raw.reason,
            allow,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn freeze(start: &str, stop: &str, allow: &str) -> Result<Freeze, serde_json::Error> {
        let json = format!(
            r#"{{"start": "{start}T00:00:00Z", "stop": "{stop}T00:00:00Z", "allow": {allow}}}"#
        );
        serde_json::from_str(&json)
    }

    #[test]
    fn what_it_covers_and_allows() {
        let freeze = freeze(
            "2026-12-20",
            "2027-01-04",
            r#"["unhealthy", "critical", "unhealthy"]"#,
        )
        .expect("a freeze");
        let covers = |now: &str| freeze.covers(now.parse().expect(now));
        assert!(!covers("2026-12-19T23:59:59.999Z"));
        assert!(covers("2026-12-20T00:00:00Z"));
        assert!(covers("2027-01-03T23:59:59.999Z"));
        assert!(!covers("2027-01-04T00:00:00Z"));
        assert_eq!(freeze.allow, [Exemption::Critical, Exemption::Unhealthy]);
        let again = serde_json::to_string(&freeze).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Freeze>(&again).expect("its own JSON"),
            freeze
        );
    }

    #[test]
    fn what_it_takes_of_a_window() {
        let freeze = freeze("2026-12-20", "2027-01-04", "[]").expect("a freeze");
        let table = [
            (
                "2026-12-19T22:00:00Z",
                "2026-12-20T00:00:00Z",
                (false, false),
            ),
            (
                "2026-12-19T22:00:00Z",
                "2026-12-20T02:00:00Z",
                (true, false),
            ),
            ("2026-12-20T00:00:00Z", "2026-12-20T02:00:00Z", (true, true)),
            ("2027-01-03T22:00:00Z", "2027-01-04T00:00:00Z", (true, true)),
            (
                "2027-01-04T00:00:00Z",
                "2027-01-04T02:00:00Z",
                (false, false),
            ),
        ];
        for (start, stop, expected) in table {
            let opening = Opening {
                start: start.parse().expect(start),
                stop: stop.parse().expect(stop),
            };
            let taken = (freeze.takes(&opening), freeze.takes_all(&opening));
            assert_eq!(taken, expected, "{start}");
        }
    }

    #[test]
    fn of_several_the_strictest_speaks() {
        let all = [
            freeze("2026-12-01", "2027-02-01", r#"["critical"]"#).expect("a freeze"),
            freeze("2026-12-20", "2027-01-04", "[]").expect("a freeze"),
            freeze("2026-12-24", "2027-01-02", "[]").expect("a freeze"),
        ];
        let at = |now: &str| Freeze::strictest(&all, now.parse().expect(now));
        assert_eq!(at("2026-12-10T00:00:00Z"), Some(&all[0]));
        assert_eq!(at("2026-12-25T00:00:00Z"), Some(&all[1]));
        assert_eq!(at("2027-02-01T00:00:00Z"), None);
    }

    #[test]
    fn mistakes_are_errors() {
        assert!(freeze("2026-12-20", "2026-12-20", "[]").is_err());
        assert!(freeze("2026-12-20", "2026-12-19", "[]").is_err());
        assert!(freeze("2026-12-20", "2026-12-21", r#"["now"]"#).is_err());
        let reason = |reason: &str| {
            let json = serde_json::json!({"start": "2026-12-20T00:00:00Z", "stop": "2026-12-21T00:00:00Z", "reason": reason});
            serde_json::from_value::<Freeze>(json)
        };
        assert_eq!(reason("year end").expect("a reason").reason, "year end");
        assert!(reason("two\nlines").is_err());
        assert!(reason(&"x".repeat(MAX_REASON + 1)).is_err());
    }
}
