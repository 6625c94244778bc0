use chrono::{DateTime, SecondsFormat, Utc};
use thiserror::Error;

/// Why something is not trusted: exit code 23. One line each; [`Refusal::hint`] is the way out.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Refusal {
    /// There is no signature at all.
    #[error("{0} is not signed")]
    NotSigned(String),
    /// The host has no key for the repository.
    #[error("no key for this repository: {0}")]
    NoKey(String),
    /// Signed, but by no key that the host trusts for this repository.
    #[error("signed by the key {0}, which is not among the keys of this repository")]
    UnknownKey(String),
    /// The signature is good and its key is over.
    #[error("the signing key {fingerprint} expired at {}", utc(at))]
    KeyExpired {
        /// Fingerprint of the primary key.
        fingerprint: String,
        /// When it expired. UTC.
        at: DateTime<Utc>,
    },
    /// The signature is good and its owner has withdrawn the key.
    #[error("the signing key {0} was revoked by its owner")]
    KeyRevoked(String),
    /// The key is there but may not sign: no valid self-signature, no valid binding, wrong usage.
    #[error("the key {fingerprint} cannot be used: {why}")]
    UnusableKey {
        /// Fingerprint of the primary key.
        fingerprint: String,
        /// What is missing.
        why: &'static str,
    },
    /// The signature does not match what it is said to sign.
    #[error("the signature of {0} is bad: it was altered, or the signature is not its own")]
    BadSignature(String),
    /// The signature rests on something that can be forged.
    #[error("the signature is too weak: {0}")]
    WeakSignature(String),
    /// A key of this repository that `signing_keys` does not name.
    #[error("signed by {fingerprint}, which `signing_keys` does not name")]
    NotTrusted {
        /// Fingerprint of the primary key.
        fingerprint: String,
    },
    /// `Valid-Until` of an index, or a signature with an end of its own, is over.
    #[error("{what} was valid until {}", utc(at))]
    Expired {
        /// What is over.
        what: String,
        /// Since when. UTC.
        at: DateTime<Utc>,
    },
    /// Made in the future, as this host's clock sees it.
    #[error("{what} is dated {}, which is in the future", utc(at))]
    FromTheFuture {
        /// What is dated so.
        what: String,
        /// Its date. UTC.
        at: DateTime<Utc>,
    },
    /// The index is older than one that was seen before.
    #[error(
        "the index of {} is older than that of {}, seen before",
        utc(found),
        utc(record)
    )]
    Replayed {
        /// The newest index seen so far. UTC.
        record: DateTime<Utc>,
        /// The index that was offered now. UTC.
        found: DateTime<Utc>,
    },
    /// A file is not the one that the signed index, or the signed header, means.
    #[error("{file} is not the file that was signed: size or checksum differ")]
    HashMismatch {
        /// Which file.
        file: String,
    },
    /// The signed index does not list it.
    #[error("the signed index does not list {0}")]
    NotListed(String),
    /// It cannot be read as what it should be.
    #[error("not understood: {0}")]
    Malformed(String),
}

fn utc(at: &DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl Refusal {
    /// The way out, for the line after `hint:`; `agent` is the name in commands.
    pub fn hint(&self, agent: &str) -> String {
        let text = match self {
            Self::NotSigned(_) => {
                "the publisher has to sign it; a mirror may have left the signature out"
            }
            Self::NoKey(_) => {
                "install the publisher's key and name its file in the repository's entry; keys are never downloaded"
            }
            Self::UnknownKey(_) | Self::NotTrusted { .. } => {
                "if the publisher has announced a new key, install it for this repository and name it in `signing_keys`"
            }
            Self::KeyExpired { .. } => {
                "install the publisher's prolonged key or its successor; compare this host's clock"
            }
            Self::KeyRevoked(_) => {
                "install the publisher's new key; trust nothing that the old one signed"
            }
            Self::UnusableKey { .. } => "install the publisher's key anew, whole",
            Self::BadSignature(_) | Self::HashMismatch { .. } | Self::Malformed(_) => {
                "a mirror or proxy in between may be broken or hostile; the installed version is left as it is"
            }
            Self::WeakSignature(_) => {
                "the publisher has to sign with SHA-256 and RSA 2048 or better"
            }
            Self::Expired { .. } => {
                "the mirror is no longer updated, or this host's clock is ahead"
            }
            Self::FromTheFuture { .. } => "set this host's clock",
            Self::Replayed { .. } => {
                return format!(
                    "if the mirror was rolled back on purpose, run `agent-updater trust {agent} --older-index`"
                );
            }
            Self::NotListed(_) => "the mirror is incomplete; it may be in the middle of a change",
        };
        text.to_owned()
    }

    /// Whether it is the key that is wrong, so that the way out is the publisher's right one.
    pub fn is_about_the_key(&self) -> bool {
        matches!(
            self,
            Self::NoKey(_)
                | Self::UnknownKey(_)
                | Self::NotTrusted { .. }
                | Self::UnusableKey { .. }
        )
    }

    /// How much it tells, when several signatures were refused: the highest is shown.
    pub(super) fn weight(&self) -> u8 {
        match self {
            Self::UnknownKey(_) => 0,
            Self::Malformed(_) => 1,
            Self::NotTrusted { .. } => 2,
            Self::WeakSignature(_) => 3,
            Self::BadSignature(_) => 4,
            Self::UnusableKey { .. } => 5,
            Self::Expired { .. } | Self::FromTheFuture { .. } => 6,
            Self::KeyExpired { .. } => 7,
            Self::KeyRevoked(_) => 8,
            _ => 9,
        }
    }
}

pub(super) fn malformed(what: impl Into<String>) -> Refusal {
    Refusal::Malformed(what.into())
}
