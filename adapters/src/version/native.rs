use super::target::{PreRelease, TargetVersion};
use super::{debian, has_shape, looks_like_a_file, rpm};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use thiserror::Error;

/// Which family of package formats a version belongs to; it decides grammar and order.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Family {
    /// dpkg: `[epoch:]upstream[-revision]`.
    Debian,
    /// rpm: `[epoch:]version-release`.
    Rpm,
}

impl fmt::Display for Family {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Debian => "debian",
            Self::Rpm => "rpm",
        })
    }
}

/// A package's version as the package database or a signed index writes it, validated so that it
/// can be named on a command line.
///
/// It keeps its exact text, which is what the tools compare arguments with; two texts can be
/// different and yet the same version (`0:1.0-1` and `1.0-1`): use [`compare`](Self::compare).
/// Serialized with its family: `debian:1:2.0-1`.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct NativeVersion {
    family: Family,
    text: String,
}

/// A native version that is refused.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{family} version {text:?} is refused: it cannot be named safely on a command line")]
pub struct InvalidVersion {
    /// The family that it was read for.
    pub family: Family,
    /// The text.
    pub text: String,
}

impl NativeVersion {
    /// Validates `[epoch:]upstream[-revision]`. It must start with a digit and end with a letter
    /// or digit: a trailing `-` or `+` is a command to apt.
    pub fn debian(text: &str) -> Result<Self, InvalidVersion> {
        let digit = |c: char| c.is_ascii_digit();
        let valid = strip_valid_epoch(text).is_some_and(|rest| has_shape(rest, digit, ".+~-", 120));
        Self::validated(Family::Debian, text, valid)
    }

    /// Validates `[epoch:]version-release`.
    pub fn rpm(text: &str) -> Result<Self, InvalidVersion> {
        let digit = |c: char| c.is_ascii_digit();
        let alphanumeric = |c: char| c.is_ascii_alphanumeric();
        let valid = strip_valid_epoch(text)
            .and_then(|rest| rest.split_once('-'))
            .is_some_and(|(version, release)| {
                has_shape(version, digit, "._+~^", 64)
                    && has_shape(release, alphanumeric, "._+~^", 64)
            });
        Self::validated(Family::Rpm, text, valid)
    }

    fn validated(family: Family, text: &str, valid: bool) -> Result<Self, InvalidVersion> {
        let text = text.to_owned();
        if valid && !looks_like_a_file(&text) {
            Ok(Self { family, text })
        } else {
            Err(InvalidVersion { family, text })
        }
    }

    /// The exact text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The family.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The epoch; 0 where none is written.
    pub fn epoch(&self) -> u64 {
        split_epoch(&self.text).0
    }

    /// The upstream version (Debian) or the version (rpm), without epoch and revision.
    pub fn version(&self) -> &str {
        debian::split_revision(split_epoch(&self.text).1).0
    }

    /// The revision (Debian, empty where none is written) or the release (rpm).
    pub fn revision(&self) -> &str {
        debian::split_revision(split_epoch(&self.text).1).1
    }

    /// Compares in the family's own order, as `dpkg --compare-versions` and `rpm.vercmp` do.
    /// Versions of different families have no order that means anything; Debian's come first.
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self.family, other.family) {
            (Family::Debian, Family::Debian) => debian::compare(&self.text, &other.text),
            (Family::Rpm, Family::Rpm) => rpm::compare(&self.text, &other.text),
            (mine, theirs) => mine.cmp(&theirs),
        }
    }

    /// The server's word for this version: without epoch and revision, and with the pre-release
    /// after a `-`. `None` when there is no such word, or when there could be two: a revision
    /// such as `rc1` or `0.1.beta` may be a packager's or may name a pre-release.
    pub fn target(&self) -> Option<TargetVersion> {
        let (version, revision) = (self.version(), self.revision());
        // A Debian package built from `1.2.3-rc.1` without a revision of its own.
        if self.family == Family::Debian && PreRelease::from_text(revision).is_some() {
            let release = TargetVersion::parse(version).ok()?;
            let whole = TargetVersion::parse(&format!("{version}-{revision}")).ok();
            return whole.filter(|_| release.pre_release().is_none());
        }
        if !is_plain_revision(revision) {
            return None;
        }
        let spelling = match self.family {
            // Version `1.2.3-rc.1` keeps its `-` when a revision follows it.
            Family::Debian => version.replacen('~', "-", 1),
            // `_` is what fpm writes, because an rpm version cannot contain `-`.
            Family::Rpm => version.replacen(['~', '_'], "-", 1),
        };
        TargetVersion::parse(&spelling).ok()
    }
}

/// Whether a revision says only how often the same version was packaged, and for which
/// distribution.
fn is_plain_revision(revision: &str) -> bool {
    const SUSPICIOUS: [&str; 7] = ["alpha", "beta", "dev", "git", "pre", "rc", "snapshot"];
    let mut words = revision.split(|c: char| !c.is_ascii_alphabetic());
    revision.is_empty()
        || revision.starts_with(|c: char| c.is_ascii_digit())
            && !words.any(|word| SUSPICIOUS.contains(&word.to_ascii_lowercase().as_str()))
}

/// Removes an epoch of one to six digits; `None` where something else stands before a `:`.
fn strip_valid_epoch(text: &str) -> Option<&str> {
    match text.split_once(':') {
        Some((epoch, rest)) => {
            let valid = (1..=6).contains(&epoch.len()) && epoch.bytes().all(|b| b.is_ascii_digit());
            valid.then_some(rest)
        }
        None => Some(text),
    }
}

/// Epoch and the rest. What is not a number before a `:` counts as part of the version.
pub(super) fn split_epoch(text: &str) -> (u64, &str) {
    let split = text.split_once(':');
    split
        .and_then(|(epoch, rest)| Some((epoch.parse().ok()?, rest)))
        .unwrap_or((0, text))
}

impl fmt::Display for NativeVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl TryFrom<String> for NativeVersion {
    type Error = InvalidVersion;

    fn try_from(text: String) -> Result<Self, InvalidVersion> {
        match text.split_once(':') {
            Some(("debian", version)) => Self::debian(version),
            Some(("rpm", version)) => Self::rpm(version),
            _ => Err(InvalidVersion {
                family: Family::Debian,
                text,
            }),
        }
    }
}

impl From<NativeVersion> for String {
    fn from(version: NativeVersion) -> Self {
        format!("{}:{}", version.family, version.text)
    }
}
