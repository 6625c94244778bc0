use super::{has_shape, looks_like_a_file};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A package's name that no tool reads as an option, pattern, path, group or suffix.
///
/// Lower-case letters, digits, `.`, `+` and `-`; 2 to 64 characters; first and last alphanumeric;
/// not ending in `.deb` or `.rpm`. This is narrower than what dpkg and rpm allow: a name ending in
/// `+` or `-` (`g++`) means "install" or "remove" to apt.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackageName(String);

/// A package name that is refused.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error(
    "package name {0:?} is refused: it must be 2 to 64 characters of a-z, 0-9, `.`, `+`, `-`, \
     start and end with a letter or digit, and not end in .deb or .rpm"
)]
pub struct InvalidName(pub String);

impl PackageName {
    /// Validates a name from the host's configuration.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let first = |c: char| c.is_ascii_alphanumeric();
        let valid = has_shape(text, first, ".+-", 64)
            && text.len() >= 2
            && !text.contains(|c: char| c.is_ascii_uppercase())
            && !looks_like_a_file(text);
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName(text.to_owned()))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for PackageName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::parse(text)
    }
}

impl TryFrom<String> for PackageName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::parse(&text)
    }
}

impl From<PackageName> for String {
    fn from(name: PackageName) -> Self {
        name.0
    }
}
