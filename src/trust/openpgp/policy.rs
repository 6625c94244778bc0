//! The policy: which certificate may sign, and which of its signatures count.
//!
//! Each rule stands above the function that keeps it, with where it comes from. Where `gpgv` is
//! laxer, that is said: it reports GOODSIG or a return code of 0 for several of these.
//!
//! The certificates come from files that only root can write. Their own statements are therefore
//! checked against accident and staleness, not against a forger; see [`hash_of_statement`].

use super::armor;
use super::cleartext::Cleartext;
use super::keyring::{Certificate, Key, Keyring};
use super::packets::frames;
use crate::trust::Proof;
use crate::trust::refusal::{Refusal, malformed};
use chrono::{DateTime, TimeDelta, Utc};
use pgp::armor::BlockType;
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::public_key::PublicKeyAlgorithm;
use pgp::packet::{
    Packet, PublicSubkey, Signature, SignatureType, SignatureVersion, SubpacketData,
};
use pgp::types::{
    EcdsaPublicParams, EddsaLegacyPublicParams, Fingerprint, KeyDetails, KeyId, PublicKeyTrait,
    PublicParams, Tag,
};
use rsa::traits::PublicKeyParts;
use std::io::{self, Read};

/// How far a signature may lie in the future: clocks differ, and the gate `clock` is stricter.
pub(crate) const SKEW: TimeDelta = TimeDelta::days(1);
/// Most signatures of one document. Debian's releases carry two to four.
const MOST_SIGNATURES: usize = 16;
/// Largest block of signatures.
const MOST_SIGNATURE_BYTES: usize = 64 << 10;
/// Most statements of an owner about one key, name or subkey that are verified.
const MOST_STATEMENTS: usize = 100;
/// Smallest RSA modulus in bits. NIST SP 800-131A; apt's and sqv's limit; RHEL 9's DEFAULT policy.
const LEAST_RSA_BITS: usize = 2048;

/// What is signed, which decides about the forms of signature that are accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// A text signed in place: line ends are normal ones for the signature, whatever its type.
    Cleartext,
    /// A file beside its signature, of type binary, or text where the file has no carriage return.
    Detached,
    /// A package: of type binary. rpm before 4.14 made signatures of version 3, and much of what is
    /// in the field carries one (RSA only: their hash does not cover the algorithm).
    Package,
}

/// Whom to believe: the keys of a repository, narrowed by `signing_keys` where there are any.
#[derive(Clone, Debug)]
pub struct Trust {
    keyring: Keyring,
    signing_keys: Vec<String>,
}

/// What may be read more than once: a signature is verified anew for every key that may fit.
pub(crate) type Source<'a> = dyn Fn() -> io::Result<Box<dyn Read + 'a>> + 'a;

impl Trust {
    /// `signing_keys` are fingerprints of primary keys, in hexadecimal of any case, blanks allowed;
    /// none means that every key of the keyring is trusted.
    pub fn new(keyring: Keyring, signing_keys: &[String]) -> Self {
        let signing_keys = signing_keys
            .iter()
            .map(|key| {
                key.split_whitespace()
                    .collect::<String>()
                    .to_ascii_uppercase()
            })
            .collect();
        Self {
            keyring,
            signing_keys,
        }
    }

    /// Whether there is anybody to believe.
    pub fn is_empty(&self) -> bool {
        self.keyring.is_empty()
    }

    /// Every certificate with what would be said of a signature by it, for people and metrics.
    pub fn keys(&self, now: DateTime<Utc>) -> Vec<Key> {
        self.keyring
            .certificates
            .iter()
            .map(|certificate| {
                let standing = standing(certificate, now);
                let fingerprint = upper(&certificate.primary.fingerprint());
                let refusal = standing.as_ref().err().cloned().or_else(|| {
                    (!self.names(&fingerprint)).then(|| Refusal::NotTrusted {
                        fingerprint: fingerprint.clone(),
                    })
                });
                Key {
                    user_ids: certificate
                        .users
                        .iter()
                        .map(|(id, _)| String::from_utf8_lossy(id.id()).into_owned())
                        .collect(),
                    expires: standing.ok().and_then(|standing| standing.expires),
                    fingerprint,
                    refusal,
                }
            })
            .collect()
    }

    /// Rule: `signing_keys` names primary keys and narrows, never widens (contract, section 3).
    fn names(&self, fingerprint: &str) -> bool {
        self.signing_keys.is_empty() || self.signing_keys.iter().any(|key| key == fingerprint)
    }

    /// The signed text and its proof.
    pub fn cleartext(
        &self,
        message: &Cleartext,
        now: DateTime<Utc>,
    ) -> Result<(String, Proof), Refusal> {
        let signatures = signatures(message.signatures.as_bytes(), "the index")?;
        let canonical = message.text.replace('\n', "\r\n");
        let proof = self.judge(Kind::Cleartext, "the index", &signatures, now, &|| {
            Ok(Box::new(canonical.as_bytes()))
        })?;
        Ok((message.text.clone(), proof))
    }

    /// The proof of a file with its signatures beside it, armored or binary.
    pub fn detached(
        &self,
        what: &str,
        bytes: &[u8],
        signature: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Proof, Refusal> {
        let signatures = signatures(signature, what)?;
        let has_return = bytes.contains(&b'\r');
        if has_return
            && signatures
                .iter()
                .any(|signature| signature.typ() == Some(SignatureType::Text))
        {
            return Err(malformed(format!(
                "{what} has carriage returns, and a signature that does not cover them"
            )));
        }
        self.judge(Kind::Detached, what, &signatures, now, &|| {
            Ok(Box::new(bytes))
        })
    }

    /// The proof of what a package's signature covers. `signature` is one binary packet or more.
    pub(crate) fn package(
        &self,
        what: &str,
        source: &Source<'_>,
        signature: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Proof, Refusal> {
        self.judge(
            Kind::Package,
            what,
            &signatures(signature, what)?,
            now,
            source,
        )
    }

    /// Rule: one good signature by a trusted key suffices; signatures by unknown keys and bad ones
    /// beside it are ignored. Debian signs with the old and the new key during a rotation. When none
    /// is good, the refusal that tells most is returned.
    fn judge(
        &self,
        kind: Kind,
        what: &str,
        signatures: &[Signature],
        now: DateTime<Utc>,
        source: &Source<'_>,
    ) -> Result<Proof, Refusal> {
        let mut worst = Refusal::NotSigned(what.to_owned());
        let mut seen = false;
        for signature in signatures {
            match self.judge_one(kind, what, signature, now, source) {
                Ok(proof) => return Ok(proof),
                Err(refusal) if !seen || refusal.weight() > worst.weight() => {
                    (worst, seen) = (refusal, true);
                }
                Err(_) => {}
            }
        }
        Err(worst)
    }

    fn judge_one(
        &self,
        kind: Kind,
        what: &str,
        signature: &Signature,
        now: DateTime<Utc>,
        source: &Source<'_>,
    ) -> Result<Proof, Refusal> {
        let mut refusal = Refusal::UnknownKey(issuer(signature));
        let mut seen = false;
        for certificate in &self.keyring.certificates {
            let primary = claims(signature, &certificate.primary).then_some(Signer::Primary);
            let subkeys = certificate
                .subkeys
                .iter()
                .filter(|(key, _)| claims(signature, key))
                .map(|(key, statements)| Signer::Subkey(key, statements));
            for signer in primary.into_iter().chain(subkeys) {
                match self.proven(kind, what, signature, certificate, &signer, now, source) {
                    Ok(proof) => return Ok(proof),
                    Err(found) if !seen || found.weight() > refusal.weight() => {
                        (refusal, seen) = (found, true);
                    }
                    Err(_) => {}
                }
            }
        }
        Err(refusal)
    }

    /// Judges a signature by one key. The mathematics come before the key's standing, so that an
    /// altered file is called altered whoever signed it.
    #[allow(clippy::too_many_arguments)]
    fn proven(
        &self,
        kind: Kind,
        what: &str,
        signature: &Signature,
        certificate: &Certificate,
        signer: &Signer<'_>,
        now: DateTime<Utc>,
        source: &Source<'_>,
    ) -> Result<Proof, Refusal> {
        let fingerprint = upper(&certificate.primary.fingerprint());
        if !self.names(&fingerprint) {
            return Err(Refusal::NotTrusted { fingerprint });
        }
        form(kind, signature)?;
        hash_of_document(signature)?;
        critical(signature)?;
        let bad = || Refusal::BadSignature(what.to_owned());
        let data = source().map_err(|error| malformed(format!("{what}: {error}")))?;
        match signer {
            Signer::Primary => {
                strength(certificate.primary.public_params())?;
                signature
                    .verify(&certificate.primary, data)
                    .map_err(|_| bad())?;
            }
            Signer::Subkey(key, _) => {
                strength(key.public_params())?;
                signature.verify(key, data).map_err(|_| bad())?;
            }
        }
        let signed_at = dated(what, signature, now)?;
        let standing = standing(certificate, now)?;
        let key_expires = match signer {
            Signer::Primary if !standing.signs => {
                return Err(Refusal::UnusableKey {
                    fingerprint,
                    why: "its owner did not make it for signing",
                });
            }
            Signer::Primary => standing.expires,
            Signer::Subkey(key, statements) => {
                let bound = bound(certificate, key, statements, now)?;
                if signed_at < *key.created_at() {
                    return Err(bad());
                }
                [standing.expires, bound].into_iter().flatten().min()
            }
        };
        // Rule: made after the key and before its end. The end counts as its owner states it today:
        // who prolongs a key means its older signatures too.
        if signed_at < *certificate.primary.created_at() {
            return Err(bad());
        }
        match key_expires {
            Some(at) if signed_at >= at => Err(Refusal::KeyExpired { fingerprint, at }),
            _ => Ok(Proof {
                fingerprint,
                signed_at,
                key_expires,
            }),
        }
    }
}

/// Which key of a certificate is said to have signed.
enum Signer<'a> {
    Primary,
    Subkey(&'a PublicSubkey, &'a [Signature]),
}

/// The signature packets, armored or binary, and nothing else beside them.
fn signatures(bytes: &[u8], what: &str) -> Result<Vec<Signature>, Refusal> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Refusal::NotSigned(what.to_owned()));
    }
    if bytes.len() > 2 * MOST_SIGNATURE_BYTES {
        return Err(malformed(format!("the signature of {what} is too large")));
    }
    let blocks = if bytes[0] & 0x80 == 0 {
        armor::blocks(
            bytes,
            "SIGNATURE",
            &BlockType::Signature,
            MOST_SIGNATURE_BYTES,
        )?
    } else {
        vec![bytes.to_vec()]
    };
    let mut found = Vec::new();
    for block in &blocks {
        for frame in frames(block, MOST_SIGNATURES)? {
            match (frame.tag, frame.packet()) {
                (2, Some(Packet::Signature(signature))) => found.push(signature),
                // Of a version or form to come: it may stand beside one that is understood.
                (2, None) | (10, _) => {}
                _ => {
                    return Err(malformed(format!(
                        "the signature of {what} holds something else"
                    )));
                }
            }
        }
    }
    if found.len() > MOST_SIGNATURES {
        return Err(malformed(format!("{what} has too many signatures")));
    }
    if found.is_empty() {
        return Err(malformed(format!("the signature of {what}")));
    }
    Ok(found)
}

/// Rule: a signature may be by the key that it names; one that names none may be by any. The name
/// is only a hint, the mathematics decide.
fn claims(signature: &Signature, key: &impl KeyDetails) -> bool {
    let (ids, fingerprints) = (signature.issuer(), signature.issuer_fingerprint());
    let key_id = key.key_id();
    (ids.is_empty() && fingerprints.is_empty())
        || ids.iter().any(|id| **id == key_id)
        || fingerprints.contains(&&key.fingerprint())
}

fn issuer(signature: &Signature) -> String {
    let fingerprints = signature.issuer_fingerprint();
    let ids: Vec<&KeyId> = signature.issuer();
    match (fingerprints.first(), ids.first()) {
        (Some(fingerprint), _) => upper(fingerprint),
        (None, Some(id)) => id.to_string().to_ascii_uppercase(),
        (None, None) => "without a name".to_owned(),
    }
}

fn upper(fingerprint: &Fingerprint) -> String {
    format!("{fingerprint:X}")
}

/// Rule: documents carry signatures of type binary or text, of version 4 (RFC 4880) or 6 (RFC
/// 9580). A certification, a timestamp or a binding is not a signature of a document, whatever it
/// verifies over; version 3 only for packages, see [`Kind::Package`].
fn form(kind: Kind, signature: &Signature) -> Result<(), Refusal> {
    let typed = match signature.typ() {
        Some(SignatureType::Binary) => true,
        Some(SignatureType::Text) => kind != Kind::Package,
        _ => false,
    };
    let is_rsa = signature.config().is_some_and(|config| {
        matches!(
            config.pub_alg,
            PublicKeyAlgorithm::RSA | PublicKeyAlgorithm::RSASign
        )
    });
    let versioned = match signature.version() {
        SignatureVersion::V4 | SignatureVersion::V6 => true,
        SignatureVersion::V3 => kind == Kind::Package && is_rsa,
        _ => false,
    };
    if typed && versioned {
        Ok(())
    } else {
        Err(malformed(
            "a signature of a type or version that is not for documents",
        ))
    }
}

/// Rule: documents are signed over SHA-256, SHA-384 or SHA-512. SHA-1 and MD5 collide in practice
/// (apt refuses SHA-1 since 1.3; RHEL 9's DEFAULT policy); the rest nobody uses.
fn hash_of_document(signature: &Signature) -> Result<(), Refusal> {
    match signature.hash_alg() {
        Some(HashAlgorithm::Sha256 | HashAlgorithm::Sha384 | HashAlgorithm::Sha512) => Ok(()),
        Some(weak) => Err(Refusal::WeakSignature(format!("made with {weak}"))),
        None => Err(malformed("a signature without a hash algorithm")),
    }
}

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

/// Rule: what a signature marks as critical has to be understood, or the signature does not count
/// (RFC 9580, section 5.2.3.7). No notation is understood.
fn critical(signature: &Signature) -> Result<(), Refusal> {
    let config = signature
        .config()
        .ok_or_else(|| malformed("a signature of an unknown version"))?;
    let known = |data: &SubpacketData| {
        !matches!(
            data,
            SubpacketData::Notation(_)
                | SubpacketData::RegularExpression(_)
                | SubpacketData::SignatureTarget(..)
                | SubpacketData::IntendedRecipientFingerprint(_)
                | SubpacketData::Experimental(..)
                | SubpacketData::Other(..)
        )
    };
    let unknown = config
        .hashed_subpackets()
        .chain(config.unhashed_subpackets())
        .any(|subpacket| subpacket.is_critical && !known(&subpacket.data));
    if unknown {
        return Err(malformed(
            "a signature with a critical part that is not understood",
        ));
    }
    Ok(())
}

/// Rule: RSA of 2048 bits or more, Ed25519, Ed448, ECDSA over the NIST curves. DSA is refused
/// whatever its size (RFC 9580, section 12.5: must not be generated any more), and so are curves
/// that no distribution's tools accept.
fn strength(parameters: &PublicParams) -> Result<(), Refusal> {
    let weak = |what: String| Err(Refusal::WeakSignature(what));
    match parameters {
        PublicParams::RSA(rsa) => match rsa.key.n().bits() {
            bits if bits < LEAST_RSA_BITS => weak(format!("an RSA key of {bits} bits")),
            _ => Ok(()),
        },
        PublicParams::Ed25519(_)
        | PublicParams::Ed448(_)
        | PublicParams::EdDSALegacy(EddsaLegacyPublicParams::Ed25519 { .. })
        | PublicParams::ECDSA(
            EcdsaPublicParams::P256 { .. }
            | EcdsaPublicParams::P384 { .. }
            | EcdsaPublicParams::P521 { .. },
        ) => Ok(()),
        PublicParams::DSA(_) => weak("a DSA key".to_owned()),
        _ => weak("a key of an algorithm that is not accepted".to_owned()),
    }
}

/// Rule: a signature has a date in its signed part (RFC 9580, section 5.2.3.11), at most a day ahead
/// of this host's clock; and where it sets an end to itself, that is not over.
fn dated(what: &str, signature: &Signature, now: DateTime<Utc>) -> Result<DateTime<Utc>, Refusal> {
    let at = *signature
        .created()
        .ok_or_else(|| malformed(format!("the signature of {what} has no date")))?;
    if at > now + SKEW {
        let what = format!("the signature of {what}");
        return Err(Refusal::FromTheFuture { what, at });
    }
    match ends(at, signature.signature_expiration_time()) {
        Some(at) if at <= now => Err(Refusal::Expired {
            what: format!("the signature of {what}"),
            at,
        }),
        _ => Ok(at),
    }
}

/// A length of life that is missing or 0 means: no end.
fn ends(start: DateTime<Utc>, life: Option<&TimeDelta>) -> Option<DateTime<Utc>> {
    let life = life.filter(|life| !life.is_zero())?;
    start.checked_add_signed(*life)
}

/// What a certificate's owner says of it today.
struct Standing {
    expires: Option<DateTime<Utc>>,
    /// Whether the primary key may sign documents itself.
    signs: bool,
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
fn standing(certificate: &Certificate, now: DateTime<Utc>) -> Result<Standing, Refusal> {
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
fn bound(
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

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
