//! The end of the key that proved the last package, read anew where it comes near: the publisher may
//! have prolonged the key since, and a host that is up to date asks no repository.

use crate::gather::Sources;
use crate::host;
use crate::report::AgentReport;
use crate::state::agent::{AgentState, Signature};
use crate::trust::{Key, Refusal, keys};
use chrono::{DateTime, TimeDelta, Utc};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// So long before it ends somebody may be alarmed.
const NEAR: TimeDelta = TimeDelta::days(90);

/// Takes what the host's own key files say today, where they were written since the key was seen.
pub(super) fn look_again<R>(
    sources: &Sources<'_, R>,
    state: &mut AgentState,
    report: &mut AgentReport,
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
    let kind = manager.kind();
    // What is wrong with the files is the next change's to refuse for.
    let Ok(files) = keys::files(kind, entry, layout) else {
        return Ok(());
    };
    if keys::needs_database(kind, entry) || !is_newer(&files, signature) {
        return Ok(());
    }
    let signing_keys = &sources.policy.repository.signing_keys;
    let Ok((trust, _)) = keys::trust(kind, entry, signing_keys, None, layout) else {
        return Ok(());
    };
    let end = match end(&trust.keys(now), &signature.fingerprint) {
        End::NotSaid => return Ok(()),
        End::Never => None,
        End::At(at) => Some(at),
    };
    signature.key_expires = end;
    let (fingerprint, repository) = (&signature.fingerprint, &signature.repository);
    for other in [
        &mut state.installed_signature,
        &mut report.installed_signature,
    ]
    .into_iter()
    .flatten()
    {
        if other.fingerprint == *fingerprint && other.repository == *repository {
            other.key_expires = end;
        }
    }
    report.signature.clone_from(&state.signature);
    Ok(())
}

/// When a key ends.
#[derive(Debug, PartialEq)]
enum End {
    At(DateTime<Utc>),
    Never,
    /// Its certificate does not say it.
    NotSaid,
}

/// When the key with that fingerprint ends. One that is not among the keys any more has no end that
/// anybody has to know.
fn end(keys: &[Key], fingerprint: &str) -> End {
    let Some(key) = keys.iter().find(|key| key.fingerprint == fingerprint) else {
        return End::Never;
    };
    match &key.refusal {
        // Its end may be that of the subkey that signed.
        _ if key.subkeys_sign => End::NotSaid,
        None => key.expires.map_or(End::Never, End::At),
        Some(Refusal::KeyExpired { at, .. }) => End::At(*at),
        Some(_) => End::NotSaid,
    }
}

/// Whether one of the files was written after the key was seen. Its inode says so also of a file that a
/// package brought with an old date.
fn is_newer(files: &[PathBuf], signature: &Signature) -> bool {
    let Some(seen) = signature.proven_at else {
        return true;
    };
    files
        .iter()
        .any(|file| std::fs::metadata(file).is_ok_and(|file| file.ctime() > seen.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_that_of_the_key_today() {
        let at = DateTime::UNIX_EPOCH;
        let key = |expires, subkeys_sign, refusal| Key {
            fingerprint: "AB".to_owned(),
            user_ids: Vec::new(),
            expires,
            subkeys_sign,
            refusal,
        };
        let ended = Refusal::KeyExpired {
            fingerprint: "AB".to_owned(),
            at,
        };
        let revoked = Refusal::KeyRevoked("AB".to_owned());
        let table = [
            (key(None, false, None), End::Never),
            (key(Some(at), false, None), End::At(at)),
            (key(None, false, Some(ended)), End::At(at)),
            (key(None, false, Some(revoked)), End::NotSaid),
            (key(None, true, None), End::NotSaid),
        ];
        for (key, expected) in table {
            let told = format!("{key:?}");
            assert_eq!(end(&[key], "AB"), expected, "{told}");
        }
        assert_eq!(end(&[], "AB"), End::Never, "another key is used now");
    }
}
