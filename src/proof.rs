//! Proves what a refresh and a download left in a private view, with the keys that the host has.
//!
//! Order: [`prove_index`] after the refresh, [`Proven::listed`] for the chosen change,
//! [`Proven::prove_file`] after the download and before the installer gets the file.

use crate::config::{Metadata, OlderIndex, RepositoryPolicy};
use crate::repository::Request;
use crate::state::agent::Signature;
use crate::trust::digest::Expected;
use crate::trust::keys::{self, Database};
use crate::trust::view::{self, Index, Listed, Unproven};
use crate::trust::{Freshness, Key, Keyring, Proof, Trust, advice};
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
    /// The agent, as commands name it.
    pub agent: &'a str,
    /// Whom to trust, and what must be signed.
    pub policy: &'a RepositoryPolicy,
    /// The newest index ever seen of each repository.
    pub freshness: &'a Freshness,
}

/// Why there is no proof, and the way out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused {
    /// What is wrong.
    pub failure: Failure,
    /// The way out, where there is one beyond the failure's own.
    pub hint: Option<String>,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            hint: None,
        }
    }
}

/// An index that was proven.
#[derive(Debug)]
pub struct Proven {
    agent: String,
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
) -> Result<Proven, Refused> {
    let kind = request.manager.kind();
    let Trusting { agent, policy, .. } = request.trusting;
    let (trust, mut warnings) = match trust(request, entry, runner).await? {
        Ok(trusted) => trusted,
        Err(unproven) => {
            let keyless = Trust::new(Keyring::default(), &[]);
            return Err(refused(unproven, agent, Some((kind, entry, &keyless)), now));
        }
    };
    let refused = |unproven| refused(unproven, agent, Some((kind, entry, &trust)), now);
    let place = entry.place();
    // A repository that was ever seen signed has to stay so; taking the signature away would be
    // the easiest attack.
    let seen_signed = freshness.seen.iter().any(|seen| seen.repository == place);
    let metadata = match policy.metadata {
        Metadata::Signed => view::Metadata::Signed,
        Metadata::Auto if entry.signed_metadata || seen_signed => view::Metadata::Signed,
        Metadata::Auto | Metadata::Package => view::Metadata::IfSigned,
    };
    let index = view::index(view, kind, metadata, &trust, now).map_err(refused)?;
    let mut kept = freshness.clone();
    if let Some(proof) = &index.proof {
        let checked = freshness.check(&place, proof, index.date, policy.older_index, now);
        let checked = checked.map_err(|refusal| refused(refusal.into()))?;
        let once = kept.accept_older && !checked.record.accept_older;
        kept = checked.record;
        warnings.extend(checked.warning.map(|refusal| {
            let because = if once {
                "accepted once, as the operator said; it is the mark from now on"
            } else {
                "accepted, since `repository.older_index = \"warn\"`"
            };
            format!("{refusal}: {because}")
        }));
    }
    Ok(Proven {
        agent: agent.to_owned(),
        trust,
        index,
        freshness: kept,
        warnings,
    })
}

/// Whom to believe for the entry; the outer error is a package database that does not answer.
async fn trust(
    request: &Request<'_>,
    entry: &RepositoryEntry,
    runner: &impl Runner,
) -> Result<Result<(Trust, Vec<String>), Unproven>, Failure> {
    let kind = request.manager.kind();
    let database = if keys::needs_database(kind, entry) {
        Some(ask_database(request, runner).await?)
    } else {
        None
    };
    Ok(keys::trust(
        kind,
        entry,
        &request.trusting.policy.signing_keys,
        database.as_ref(),
        request.layout,
    ))
}

/// Takes what apt keeps out of its way where an older index is to be accepted: of two signed
/// indexes it stays with the newer one by itself, and says nothing. The others take what they get.
pub fn make_room_for_an_older_index(
    request: &Request<'_>,
    view: &PrivateView,
    freshness: &Freshness,
) -> anyhow::Result<()> {
    let welcome = freshness.accept_older || request.trusting.policy.older_index == OlderIndex::Warn;
    if request.manager.kind() == ManagerKind::Apt && welcome {
        view::forget_apt_lists(view)?;
    }
    Ok(())
}

/// The package manager's own word on a repository, with the way out where that is about trust: it
/// names the key it missed, and neither the file nor the entry that the right one belongs to.
pub async fn advised(
    request: &Request<'_>,
    entry: &RepositoryEntry,
    failure: Failure,
    runner: &impl Runner,
    now: DateTime<Utc>,
) -> Refused {
    if !matches!(failure, Failure::Untrusted(_)) {
        return failure.into();
    }
    let trust = match trust(request, entry, runner).await {
        Ok(Ok((trust, _))) => trust,
        _ => Trust::new(Keyring::default(), &[]),
    };
    Refused {
        failure,
        hint: Some(advice::right_key(
            request.manager.kind(),
            entry,
            &trust.keys(now),
        )),
    }
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

    /// When the index says that it is over, where it does. UTC.
    pub fn valid_until(&self) -> Option<DateTime<Utc>> {
        self.index.valid_until
    }

    /// The keys that count for the repository, as told to a person.
    pub fn keys(&self, now: DateTime<Utc>) -> Vec<Key> {
        self.trust.keys(now)
    }

    /// Every version of the package that the proven index offers.
    pub fn offered(
        &self,
        package: &PackageName,
        now: DateTime<Utc>,
    ) -> Result<Vec<Offered>, Refused> {
        let offered = self.index.offered(package);
        offered.map_err(|unproven| refused(unproven, &self.agent, None, now))
    }

    /// What is told of a proof: that of the fetched package, or before that of its index, where it
    /// has one.
    pub fn signature(
        &self,
        package: Option<&Proof>,
        entry: &RepositoryEntry,
        change: &Change,
        now: DateTime<Utc>,
    ) -> Option<Signature> {
        let proof = package.or(self.proof())?;
        let keys = self.trust.keys(now);
        let key = keys.iter().find(|key| key.fingerprint == proof.fingerprint);
        let covers = if self.proof().is_some() {
            "metadata"
        } else {
            "package"
        };
        Some(Signature {
            fingerprint: proof.fingerprint.clone(),
            user_id: key.and_then(|key| key.user_ids.first().cloned()),
            signed_at: proof.signed_at,
            key_expires: proof.key_expires,
            covers: covers.to_owned(),
            index_fingerprint: self.proof().map(|proof| proof.fingerprint.clone()),
            package_version: change.to.as_str().to_owned(),
            repository: entry.place(),
            proven_at: Some(now),
        })
    }

    /// The package after the change, as the proven index lists it.
    pub fn listed(&self, change: &Change, now: DateTime<Utc>) -> Result<Listed, Refused> {
        let listed = self.index.package(change);
        listed.map_err(|unproven| refused(unproven, &self.agent, None, now))
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
    ) -> Result<(PathBuf, Proof), Refused> {
        let refused = |unproven| refused(unproven, &self.agent, None, now);
        let path = view::downloaded(view, kind, listed, change).map_err(refused)?;
        let proof = self.index.file(listed, &path, change, &self.trust, now);
        if let Err(Unproven::Refused(_)) = &proof {
            let _ = fs::remove_file(&path);
        }
        Ok((path, proof.map_err(refused)?))
    }
}

/// The hash of the file that the guard will accept, in hexadecimal; only apt's index has it so.
pub fn sha256(expected: &Expected) -> Option<String> {
    expected.checksum.sha256_hex()
}

fn refused(
    unproven: Unproven,
    agent: &str,
    place: Option<(ManagerKind, &RepositoryEntry, &Trust)>,
    now: DateTime<Utc>,
) -> Refused {
    match unproven {
        Unproven::Refused(refusal) => Refused {
            hint: Some(match place {
                Some((kind, entry, trust)) if refusal.is_about_the_key() => {
                    advice::right_key(kind, entry, &trust.keys(now))
                }
                _ => refusal.hint(agent),
            }),
            failure: Failure::Untrusted(refusal.to_string()),
        },
        Unproven::Unreadable(error) => Failure::Unexpected(format!("{error:#}")).into(),
    }
}
