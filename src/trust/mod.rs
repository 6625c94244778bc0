//! Proof before installing: whose signature stands behind an index and a package. Pure, but for
//! `view`, which reads the files.

/// The chain of a Debian repository.
pub mod apt;
/// Sizes and checksums.
pub mod digest;
/// The newest index ever seen, against replays.
pub mod freshness;
/// The keys that the host trusts for a repository.
pub mod keys;
/// OpenPGP.
pub mod openpgp;
mod refusal;
/// The chain of an rpm repository.
pub mod rpm;
/// The files of a private view.
pub mod view;

pub(crate) use openpgp::SKEW;

pub use freshness::{Checked, Freshness};
pub use openpgp::{Cleartext, Key, Keyring, Trust};
pub use refusal::Refusal;

use chrono::{DateTime, Utc};

/// Whose word something is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proof {
    /// Fingerprint of the primary key, in upper-case hexadecimal.
    pub fingerprint: String,
    /// When it was signed. UTC.
    pub signed_at: DateTime<Utc>,
    /// When the key ends, where it does. UTC.
    pub key_expires: Option<DateTime<Utc>>,
}
