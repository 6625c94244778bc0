//! The end of the key that proved the last package, read anew where it comes near: the publisher may
//! have prolonged the key since, and a host that is up to date asks no repository.

use crate::gather::Sources;
use crate::host;
use crate::state::Layout;
use crate::state::agent::{AgentState, Signature};
use crate::trust::keys;
use adapters::RepositoryEntry;
use chrono::{DateTime, TimeDelta, Utc};
use std::os::unix::fs::MetadataExt as _;

/// So long before it ends somebody may be alarmed.
const NEAR: TimeDelta = TimeDelta::days(90);

/// Takes what the host's own key files say today, where they were written since the key was seen. A key
/// that is not among them any more has no end that anybody has to know.
pub(super) fn look_again<R>(
    sources: &Sources<'_, R>,
    state: &mut AgentState,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let is_near = |signature: &&mut Signature| {
        let end = signature.key_expires;
        end.is_some_and(|end| end <= now + NEAR)
    };
    let Some(signature) = state.signature.as_mut().filter(is_near) else {
        return Ok(());
    };
    let (manager, layout) = (sources.manager, sources.layout);
    let texts = host::configuration(layout, &manager.configuration_files())?;
    let (entries, _) = manager.entries(&texts);
    let mut entries = entries.iter();
    let Some(entry) = entries.find(|entry| entry.place() == signature.repository) else {
        return Ok(());
    };
    if keys::needs_database(manager.kind(), entry) || !is_newer(entry, signature, layout) {
        return Ok(());
    }
    let signing_keys = &sources.policy.repository.signing_keys;
    // What is wrong with a key is the next change's to refuse for.
    if let Ok((trust, _)) = keys::trust(manager.kind(), entry, signing_keys, None, layout) {
        let keys = trust.keys(now);
        let key = keys
            .iter()
            .find(|key| key.fingerprint == signature.fingerprint);
        signature.key_expires = key.and_then(|key| key.expires);
    }
    Ok(())
}

/// Whether one of the files with the entry's keys was written after the key was seen. Its inode says so
/// also of a file that a package brought with an old date.
fn is_newer(entry: &RepositoryEntry, signature: &Signature, layout: &Layout) -> bool {
    let Some(seen) = signature.proven_at else {
        return true;
    };
    let embedded = entry.embedded_key.is_some().then_some(&entry.defined_at.0);
    entry.key_files.iter().chain(embedded).any(|file| {
        std::fs::metadata(layout.host(file)).is_ok_and(|file| file.ctime() > seen.timestamp())
    })
}
