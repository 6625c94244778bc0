use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where a key stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The file, as the host names it (without a root prefix).
    pub file: Arc<Path>,
    /// The line, from 1; none where the whole file is meant.
    pub line: Option<usize>,
}

impl Place {
    /// A whole file.
    pub(super) fn file(path: &Path) -> Self {
        Self {
            file: Arc::from(path),
            line: None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}", self.file.display()),
            None => write!(formatter, "{}", self.file.display()),
        }
    }
}

/// One thing that is wrong in the configuration.
///
/// It never repeats a value that may hold a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// File and line.
    pub place: Place,
    /// The key with its tables, such as `agents.teleport.health.confirm`; empty for a file that
    /// cannot be read.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
    /// The way out.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(formatter, "{}: ", self.key)?;
        }
        formatter.write_str(&self.reason)?;
        match &self.hint {
            Some(hint) => write!(formatter, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Everything that stops one agent, in the order in which it was found; never empty.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}", listed(.problems))]
pub struct ConfigError {
    /// The problems: first those of all agents, then the agent's own.
    pub problems: Vec<Problem>,
}

/// The problems below each other.
fn listed(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

/// Why a value is refused, before it is known which key it belongs to.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// The element within the value, such as `[2].start`; empty for the value itself.
    pub(super) within: String,
    /// Where the element stands, if not where the key does.
    pub(super) place: Option<Place>,
    pub(super) reason: String,
    pub(super) hint: Option<String>,
}

impl Refusal {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self {
            within: String::new(),
            place: None,
            reason: reason.into(),
            hint: None,
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says in which element of a list or table it is.
    pub(super) fn within(mut self, element: &str, place: &Place) -> Self {
        self.within = format!("{element}{}", self.within);
        self.place.get_or_insert_with(|| place.clone());
        self
    }
}

/// The known word that `word` was probably meant to be: at most two slips away, and fewer than
/// half of its letters.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|(slips, candidate)| *slips <= 2 && slips * 2 < candidate.chars().count())
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_only() {
        let known = ["confirm", "settle", "pin", "http"];
        for (word, meant) in [
            ("confrim", Some("confirm")),
            ("setle", Some("settle")),
            ("pim", Some("pin")),
            ("pxm", None),
            ("banana", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
