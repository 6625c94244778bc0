//! Our own pin: what keeps a general upgrade from moving the package.
//!
//! A pin is text in a file of the package manager's. It names no version, so that it is true
//! before and after every change and no crash leaves a stale one; it carries our name, so that it
//! is known as ours whatever else is lost; and a [`crate::PrivateView`] does not see it, so that
//! our own transactions pass without ever lifting it.

use std::fmt;
use std::path::PathBuf;

/// The name that our pins carry.
pub(crate) const MARK: &str = "placed by agent-updater";

/// Where a pin is kept.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct PinPlace {
    /// The file. It need not be there before.
    pub path: PathBuf,
    /// The section in it, where a pin belongs to a repository (yum).
    pub section: Option<String>,
}

impl PinPlace {
    pub(crate) fn file(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            section: None,
        }
    }
}

impl fmt::Display for PinPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.path.display())?;
        match &self.section {
            Some(section) => write!(formatter, " [{section}]"),
            None => Ok(()),
        }
    }
}

/// A file after our pin was taken out of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unpinned {
    /// Nothing but our pin was in it: it goes.
    Removed,
    /// The rest, byte for byte.
    Rest(String),
}

impl Unpinned {
    pub(crate) fn of(rest: String) -> Self {
        if rest.trim().is_empty() {
            Self::Removed
        } else {
            Self::Rest(rest)
        }
    }
}
