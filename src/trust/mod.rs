//! Proof before installing: whose signature stands behind an index and a package.
//!
//! The package managers check signatures as the host's settings tell them; this is the updater's own
//! word, which no setting switches off. Bytes in, verdict out; only [`view`] and [`keys`] read files.
//! Nothing here runs a program, asks the network or looks at a clock.
//!
//! In this order, for the entry that offers the target:
//!
//! 1. [`keys::trust`]: the keys that the host has for the entry, narrowed by `signing_keys`. Where
//!    [`keys::needs_database`] says so, the answers to `adapters::rpm_keys` first.
//! 2. After the refresh of the private view, [`view::index`]: the signature of the index, its dates.
//! 3. [`Freshness::check`] with the date and proof of that index, where it has a proof; the record it
//!    returns is kept, whatever becomes of the update.
//! 4. [`view::Index::package`]: the target in that index, out of lists whose checksums it signs.
//! 5. After the download, [`view::downloaded`] and [`view::Index::file`]: the file is the one listed;
//!    of an rpm, its own signature as well. The [`Proof`] is what is reported.
//! 6. At the last moment before the installer, the same [`view::Index::file`] again.
//!
//! | | apt | dnf, zypper |
//! |---|---|---|
//! | index | `InRelease`, or `Release` and `Release.gpg` | `repomd.xml` and `repomd.xml.asc`, where it is signed |
//! | list | `Packages`, by SHA-256 or SHA-512 | `primary.xml`, by SHA-256 or SHA-512 |
//! | package | by SHA-256 of the list | by the checksum of the list, and by its own signature |
//!
//! [`Refusal`] says what was wrong and how to get out of it; all of them are exit code 23.

/// The way out where a key is wrong.
pub mod advice;
/// The chain of a Debian repository.
pub mod apt;
/// Compressed lists.
mod compression;
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
