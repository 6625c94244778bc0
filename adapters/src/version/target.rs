use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// The version that a server wants: `X.Y.Z`, optionally with `-alpha.N`, `-beta.N` or `-rc.N`.
///
/// Ordered as semantic versions are: a pre-release before its release, alpha, beta, rc. Within
/// this grammar that is also the order of dpkg and rpm, when the `-` is written as `~`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct TargetVersion {
    major: u32,
    minor: u32,
    patch: u32,
    pre_release: Option<PreRelease>,
}

/// The part of a [`TargetVersion`] after the `-`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PreRelease {
    /// How far it is.
    pub stage: Stage,
    /// Its number, at most five digits.
    pub number: u32,
}

/// How far a pre-release is, in order.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Stage {
    /// `alpha`
    Alpha,
    /// `beta`
    Beta,
    /// `rc`
    Candidate,
}

/// A target version that is refused, whole.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("version {0:?} is refused: it must be X.Y.Z, optionally with -alpha.N, -beta.N or -rc.N")]
pub struct InvalidTarget(pub String);

impl TargetVersion {
    /// Validates a version. Strict: no leading `v`, no white space, no build metadata, no
    /// leading zeros.
    pub fn parse(text: &str) -> Result<Self, InvalidTarget> {
        Self::from_text(text).ok_or_else(|| InvalidTarget(text.chars().take(64).collect()))
    }

    fn from_text(text: &str) -> Option<Self> {
        let (core, pre_release) = match text.split_once('-') {
            Some((core, pre_release)) => (core, Some(PreRelease::from_text(pre_release)?)),
            None => (text, None),
        };
        let mut numbers = core.split('.').map(|part| number(part, 9));
        let version = Self {
            major: numbers.next()??,
            minor: numbers.next()??,
            patch: numbers.next()??,
            pre_release,
        };
        numbers.next().is_none().then_some(version)
    }

    /// X of `X.Y.Z`.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// Y of `X.Y.Z`.
    pub fn minor(&self) -> u32 {
        self.minor
    }

    /// Z of `X.Y.Z`.
    pub fn patch(&self) -> u32 {
        self.patch
    }

    /// `rc.N` and the like; `None` for a release.
    pub fn pre_release(&self) -> Option<PreRelease> {
        self.pre_release
    }
}

impl PreRelease {
    /// Reads `alpha.N`, `beta.N` or `rc.N`.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let (stage, rest) = text.split_once('.')?;
        let stage = match stage {
            "alpha" => Stage::Alpha,
            "beta" => Stage::Beta,
            "rc" => Stage::Candidate,
            _ => return None,
        };
        Some(Self {
            stage,
            number: number(rest, 5)?,
        })
    }
}

/// A decimal number without leading zeros, of at most `digits` digits; ASCII only.
fn number(text: &str, digits: usize) -> Option<u32> {
    let canonical = text == "0" || !text.starts_with('0');
    let decimal = (1..=digits).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if canonical && decimal {
        text.parse().ok()
    } else {
        None
    }
}

impl Ord for TargetVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        let core = |v: &Self| (v.major, v.minor, v.patch);
        core(self)
            .cmp(&core(other))
            .then_with(|| match (self.pre_release, other.pre_release) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(mine), Some(theirs)) => mine.cmp(&theirs),
            })
    }
}

impl PartialOrd for TargetVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for TargetVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)?;
        match self.pre_release {
            Some(pre_release) => write!(formatter, "-{pre_release}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for PreRelease {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Alpha => "alpha",
            Stage::Beta => "beta",
            Stage::Candidate => "rc",
        };
        write!(formatter, "{stage}.{}", self.number)
    }
}

impl FromStr for TargetVersion {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        Self::parse(text)
    }
}

impl TryFrom<String> for TargetVersion {
    type Error = InvalidTarget;

    fn try_from(text: String) -> Result<Self, InvalidTarget> {
        Self::parse(&text)
    }
}

impl From<TargetVersion> for String {
    fn from(version: TargetVersion) -> Self {
        version.to_string()
    }
}
