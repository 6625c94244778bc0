//! Proves what a refresh and a download left in a private view, with the keys that the host has.
//!
//! Order: [`prove_index`] after the refresh, [`Proven::listed`] for the chosen change,
//! [`Proven::prove_file`] after the download and before the installer gets the file.

use crate::config::{Metadata, RepositoryPolicy};
use crate::repository::Request;
use crate::trust::digest::Expected;
use crate::trust::keys::{self, Database};
use crate::trust::view::{self, Index, Listed, Unproven};
use crate::trust::{Freshness, Proof, Refusal, Trust};
use adapters::{
    Change, Failure, ManagerKind, Offered, PackageName, PrivateView, RepositoryEntry, Runner,
    rpm_keys,
};
use chrono::{DateTime, Utc};
use std::fs;
use std::path::PathBuf;

/// What the policy and the past say of trust.
#[derive(Clone, Copy, Debug)]
pub struct Trusting<'a> {
    /// Whom to trust, and what must be signed.
    pub policy: &'a RepositoryPolicy,
    /// The newest index ever seen of each repository.
    pub freshness: &'a Freshness,
}

/// An index that was proven.
#[derive(Debug)]
pub struct Proven {
    trust: Trust,
    index: Index,
    /// The record to keep.
    pub freshness: Freshness,
    /// What deserves attention and stopped nothing.
    pub warnings: Vec<String>,
}

/// Proves the index that a refresh left in the view.
pub async fn prove_index(
    request: &Request<'_>,
    (entry, view): (&RepositoryEntry, &PrivateView),
    freshness: &Freshness,
    runner: &impl Runner,
    now: DateTime<Utc>,
) -> Result<Proven, Failure> {
    let kind = request.manager.kind();
    let policy = request.trusting.policy;
    let database = if keys::needs_database(kind, entry) {
        Some(ask_database(request, runner).await?)
    } else {
        None
    };
    let (trust, mut warnings) = keys::trust(
        kind,
        entry,
        &policy.signing_keys,
        database.as_ref(),
        request.layout,
    )
    .map_err(failure)?;
    let place = entry.place();
    // A repository that was ever seen signed has to stay so; taking the signature away would be
    // the easiest attack.
    let seen_signed = freshness.seen.iter().any(|seen| seen.repository == place);
    let metadata = match policy.metadata {
        Metadata::Signed => view::Metadata::Signed,
        Metadata::Auto if entry.signed_metadata || seen_signed => view::Metadata::Signed,
        Metadata::Auto | Metadata::Package => view::Metadata::IfSigned,
    };
    let index = view::index(view, kind, metadata, &trust, now).map_err(failure)?;
    let mut kept = freshness.clone();
    if let Some(proof) = &index.proof {
        let checked = freshness.check(&place, proof, index.date, policy.older_index, now);
        let checked = checked.map_err(|refusal| failure(refusal.into()))?;
        kept = checked.record;
        warnings.extend(checked.warning.map(|refusal| refusal.to_string()));
    }
    Ok(Proven {
        trust,
        index,
        freshness: kept,
        warnings,
    })
}

/// The keys of the rpm database, and the one that signed what is installed.
async fn ask_database(request: &Request<'_>, runner: &impl Runner) -> Result<Database, Failure> {
    let keys = rpm_keys::read_list(&runner.run(&rpm_keys::list()).await?)?;
    let signer = rpm_keys::read_signer(&runner.run(&rpm_keys::signer(request.package)).await?)?;
    Ok(Database { keys, signer })
}

impl Proven {
    /// Whose word the index is; `None` for rpm metadata without a signature, where the package's
    /// own signature has to do.
    pub fn proof(&self) -> Option<&Proof> {
        self.index.proof.as_ref()
    }

    /// Every version of the package that the proven index offers.
    pub fn offered(&self, package: &PackageName) -> Result<Vec<Offered>, Failure> {
        self.index.offered(package).map_err(failure)
    }

    /// The package after the change, as the proven index lists it.
    pub fn listed(&self, change: &Change) -> Result<Listed, Failure> {
        self.index.package(change).map_err(failure)
    }

    /// Proves the downloaded file. One that is not what was signed is removed, so that the next
    /// tick fetches it anew instead of meeting it again.
    pub fn prove_file(
        &self,
        view: &PrivateView,
        kind: ManagerKind,
        listed: &Listed,
        change: &Change,
        now: DateTime<Utc>,
    ) -> Result<(PathBuf, Proof), Failure> {
        let path = view::downloaded(view, kind, listed, change).map_err(failure)?;
        let proof = self.index.file(listed, &path, change, &self.trust, now);
        if let Err(Unproven::Refused(_)) = &proof {
            let _ = fs::remove_file(&path);
        }
        Ok((path, proof.map_err(failure)?))
    }
}

/// The hash of the file that the guard will accept, in hexadecimal; only apt's index has it so.
pub fn sha256(expected: &Expected) -> Option<String> {
    expected.checksum.sha256_hex()
}

fn failure(unproven: Unproven) -> Failure {
    match unproven {
        Unproven::Refused(refusal) => Failure::Untrusted(with_hint(&refusal)),
        Unproven::Unreadable(error) => Failure::Unexpected(format!("{error:#}")),
    }
}

fn with_hint(refusal: &Refusal) -> String {
    format!("{refusal} ({})", refusal.hint())
}
