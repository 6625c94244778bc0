//! What the owner of a certificate says of it: which statements count, what they allow, until when.

use super::super::keyring::Certificate;
use super::document::{claims, critical, dated, ends, upper};
use crate::trust::refusal::Refusal;
use chrono::{DateTime, Utc};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{PublicSubkey, Signature, SignatureType, SignatureVersion, SubpacketData};
use pgp::types::{KeyDetails, PublicKeyTrait, Tag};

/// Most statements of an owner about one key, name or subkey that are verified.
const MOST_STATEMENTS: usize = 100;

/// Rule: an owner's statements about the own key may rest on SHA-1, too. Many publishers' keys
/// still do (`gpgv` accepts them, rpm-sequoia and sqv until 2026). It is no way in: whoever could
/// forge one would have to put it into the host's key file, and then needs no forgery. The crate
/// recognises the known collisions. MD5 and RIPEMD-160 are refused.
fn hash_of_statement(signature: &Signature) -> bool {
    matches!(
        signature.hash_alg(),
        Some(
            HashAlgorithm::Sha1
                | HashAlgorithm::Sha224
                | HashAlgorithm::Sha256
                | HashAlgorithm::Sha384
                | HashAlgorithm::Sha512
        )
    )
}

/// What a certificate's owner says of it today.
pub(super) struct Standing {
    pub(super) expires: Option<DateTime<Utc>>,
    /// Whether the primary key may sign documents itself.
    pub(super) signs: bool,
}

/// A verified statement of the owner, by its date.
struct Statement<'a> {
    at: DateTime<Utc>,
    signature: &'a Signature,
}

/// Rule: a statement counts when its date is not before the key's and not in the future, it has not
/// ended, its hash and critical parts are accepted and its signature verifies.
fn statements<'a>(
    certificate: &Certificate,
    signatures: &'a [Signature],
    wanted: impl Fn(SignatureType) -> bool,
    now: DateTime<Utc>,
    verify: impl Fn(&Signature) -> bool,
) -> Vec<Statement<'a>> {
    signatures
        .iter()
        .filter(|signature| {
            signature.typ().is_some_and(&wanted)
                && claims(signature, &certificate.primary)
                && matches!(
                    signature.version(),
                    SignatureVersion::V4 | SignatureVersion::V6
                )
        })
        .take(MOST_STATEMENTS)
        .filter(|signature| hash_of_statement(signature) && critical(signature).is_ok())
        .filter_map(|signature| {
            let at = dated("a key", signature, now).ok()?;
            (at >= *certificate.primary.created_at() && verify(signature))
                .then_some(Statement { at, signature })
        })
        .collect()
}

fn is_certification(kind: SignatureType) -> bool {
    matches!(
        kind,
        SignatureType::CertGeneric
            | SignatureType::CertPersona
            | SignatureType::CertCasual
            | SignatureType::CertPositive
    )
}

/// Rules for a certificate:
/// - A verified revocation by the key itself ends it for good, also for what was signed before:
///   `gpgv` says REVKEYSIG to those, and a stolen key can date as it likes. A revocation by somebody
///   whom the owner appointed cannot be verified here (that key is not at hand) and counts.
/// - The owner's latest word counts: the newest valid statement on the key itself or on a name that
///   is not revoked. It says when the key ends and what it is for. Of two of the same second, the
///   earlier end. A key without any valid statement is not used.
/// - A key that has ended is not used, not even for what it signed in its time (contract: "key not
///   expired"). `gpgv` returns 0 for those, rpm 4 does not look.
pub(super) fn standing(certificate: &Certificate, now: DateTime<Utc>) -> Result<Standing, Refusal> {
    let primary = &certificate.primary;
    let fingerprint = upper(&primary.fingerprint());
    let on_key = |signature: &Signature| signature.verify_key(primary).is_ok();
    let said = |kind: SignatureType| {
        statements(
            certificate,
            &certificate.direct,
            move |one| one == kind,
            now,
            on_key,
        )
    };
    let mut words = said(SignatureType::Key);
    for (id, signatures) in certificate.users.iter().take(MOST_STATEMENTS) {
        let verify = |signature: &Signature| {
            signature
                .verify_certification(primary, Tag::UserId, id)
                .is_ok()
        };
        let withdrawn = statements(
            certificate,
            signatures,
            |kind| kind == SignatureType::CertRevocation,
            now,
            verify,
        )
        .iter()
        .map(|statement| statement.at)
        .max();
        words.extend(
            statements(certificate, signatures, is_certification, now, verify)
                .into_iter()
                .filter(|statement| withdrawn.is_none_or(|at| statement.at > at)),
        );
    }
    let appointed = |signature: &Signature| {
        signature.typ() == Some(SignatureType::KeyRevocation)
            && words.iter().any(|word| {
                word.signature.revocation_key().is_some_and(|key| {
                    let named = signature.issuer_fingerprint();
                    let mut ids = signature.issuer().into_iter();
                    named
                        .iter()
                        .any(|one| one.as_bytes() == &key.fingerprint[..])
                        || ids.any(|id| key.fingerprint.ends_with(id.as_ref()))
                })
            })
    };
    if certificate
        .direct
        .iter()
        .any(|one| revokes(one, on_key) || appointed(one))
    {
        return Err(Refusal::KeyRevoked(fingerprint));
    }
    let end =
        |word: &Statement<'_>| ends(*primary.created_at(), word.signature.key_expiration_time());
    let latest = words.iter().max_by_key(|word| {
        (
            word.at,
            std::cmp::Reverse(end(word).unwrap_or(DateTime::<Utc>::MAX_UTC)),
        )
    });
    let Some(latest) = latest else {
        return Err(Refusal::UnusableKey {
            fingerprint,
            why: "it has no valid statement of its owner",
        });
    };
    let expires = end(latest);
    match expires {
        Some(at) if at <= now => Err(Refusal::KeyExpired { fingerprint, at }),
        _ => Ok(Standing {
            expires,
            signs: may_sign(latest.signature, true),
        }),
    }
}

/// Rule: a revocation counts whatever its date, its hash and its critical parts, as long as it
/// verifies. To believe one too many stops an update; one too few installs a thief's package.
fn revokes(signature: &Signature, verify: impl Fn(&Signature) -> bool) -> bool {
    matches!(
        signature.typ(),
        Some(SignatureType::KeyRevocation | SignatureType::SubkeyRevocation)
    ) && verify(signature)
}

/// Rule: a key signs documents only where its owner says so (flag 0x02; RFC 9580, section
/// 5.2.3.29). A primary key without any flags is older than they are, and may.
fn may_sign(statement: &Signature, unless_said: bool) -> bool {
    let said = statement.config().is_some_and(|config| {
        config
            .hashed_subpackets()
            .any(|one| matches!(one.data, SubpacketData::KeyFlags(_)))
    });
    if said {
        statement.key_flags().sign()
    } else {
        unless_said
    }
}

/// Rules for a signing subkey, whose end is returned:
/// - bound by the primary key's latest valid binding signature, which gives it the flag to sign;
/// - that binding holds a valid signature of the subkey over the primary key in turn, or anybody
///   could adopt another's signing key (RFC 9580, section 5.2.1, type 0x19);
/// - not revoked by the primary key, not over.
pub(super) fn bound(
    certificate: &Certificate,
    key: &PublicSubkey,
    signatures: &[Signature],
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Refusal> {
    let primary = &certificate.primary;
    let fingerprint = upper(&primary.fingerprint());
    let verify = |signature: &Signature| signature.verify_subkey_binding(primary, key).is_ok();
    let unusable = |why| Refusal::UnusableKey {
        fingerprint: fingerprint.clone(),
        why,
    };
    if signatures.iter().any(|one| revokes(one, verify)) {
        return Err(Refusal::KeyRevoked(fingerprint));
    }
    let bindings = statements(
        certificate,
        signatures,
        |kind| kind == SignatureType::SubkeyBinding,
        now,
        verify,
    );
    let end = |word: &Statement<'_>| ends(*key.created_at(), word.signature.key_expiration_time());
    let latest = bindings
        .iter()
        .max_by_key(|word| {
            (
                word.at,
                std::cmp::Reverse(end(word).unwrap_or(DateTime::<Utc>::MAX_UTC)),
            )
        })
        .ok_or_else(|| unusable("its signing subkey is not bound to it"))?;
    if !may_sign(latest.signature, false) {
        return Err(unusable("its owner did not make the subkey for signing"));
    }
    let answered = latest.signature.embedded_signature().is_some_and(|back| {
        back.typ() == Some(SignatureType::KeyBinding)
            && hash_of_statement(back)
            && critical(back).is_ok()
            && back.verify_primary_key_binding(key, primary).is_ok()
    });
    if !answered {
        return Err(unusable("its signing subkey does not answer for it"));
    }
    match end(latest) {
        Some(at) if at <= now => Err(Refusal::KeyExpired { fingerprint, at }),
        expires => Ok(expires),
    }
}
