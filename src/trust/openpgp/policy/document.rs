//! The form of a signature: where it is read from, what it claims, and which algorithms, parts and
//! dates are accepted.

use super::super::armor;
use super::super::packets::frames;
use super::{Kind, SKEW};
use crate::trust::refusal::{Refusal, malformed};
use chrono::{DateTime, TimeDelta, Utc};
use pgp::armor::BlockType;
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::public_key::PublicKeyAlgorithm;
use pgp::packet::{Packet, Signature, SignatureType, SignatureVersion, SubpacketData};
use pgp::types::{
    EcdsaPublicParams, EddsaLegacyPublicParams, Fingerprint, KeyDetails, KeyId, PublicParams,
};
use rsa::traits::PublicKeyParts;

/// Most signatures of one document. Debian's releases carry two to four.
const MOST_SIGNATURES: usize = 16;
/// Largest block of signatures.
const MOST_SIGNATURE_BYTES: usize = 64 << 10;
/// Smallest RSA modulus in bits. NIST SP 800-131A; apt's and sqv's limit; RHEL 9's DEFAULT policy.
const LEAST_RSA_BITS: usize = 2048;

/// The signature packets, armored or binary, and nothing else beside them.
pub(super) fn signatures(bytes: &[u8], what: &str) -> Result<Vec<Signature>, Refusal> {
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
pub(super) fn claims(signature: &Signature, key: &impl KeyDetails) -> bool {
    let (ids, fingerprints) = (signature.issuer(), signature.issuer_fingerprint());
    let key_id = key.key_id();
    (ids.is_empty() && fingerprints.is_empty())
        || ids.iter().any(|id| **id == key_id)
        || fingerprints.contains(&&key.fingerprint())
}

pub(super) fn issuer(signature: &Signature) -> String {
    let fingerprints = signature.issuer_fingerprint();
    let ids: Vec<&KeyId> = signature.issuer();
    match (fingerprints.first(), ids.first()) {
        (Some(fingerprint), _) => upper(fingerprint),
        (None, Some(id)) => id.to_string().to_ascii_uppercase(),
        (None, None) => "without a name".to_owned(),
    }
}

pub(super) fn upper(fingerprint: &Fingerprint) -> String {
    format!("{fingerprint:X}")
}

/// Rule: documents carry signatures of type binary or text, of version 4 (RFC 4880) or 6 (RFC
/// 9580). A certification, a timestamp or a binding is not a signature of a document, whatever it
/// verifies over; version 3 only for packages, see [`Kind::Package`].
pub(super) fn form(kind: Kind, signature: &Signature) -> Result<(), Refusal> {
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
pub(super) fn hash_of_document(signature: &Signature) -> Result<(), Refusal> {
    match signature.hash_alg() {
        Some(HashAlgorithm::Sha256 | HashAlgorithm::Sha384 | HashAlgorithm::Sha512) => Ok(()),
        Some(weak) => Err(Refusal::WeakSignature(format!("made with {weak}"))),
        None => Err(malformed("a signature without a hash algorithm")),
    }
}

/// Rule: what a signature marks as critical has to be understood, or the signature does not count
/// (RFC 9580, section 5.2.3.7). No notation is understood.
pub(super) fn critical(signature: &Signature) -> Result<(), Refusal> {
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
pub(super) fn strength(parameters: &PublicParams) -> Result<(), Refusal> {
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
pub(super) fn dated(
    what: &str,
    signature: &Signature,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, Refusal> {
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
pub(super) fn ends(start: DateTime<Utc>, life: Option<&TimeDelta>) -> Option<DateTime<Utc>> {
    let life = life.filter(|life| !life.is_zero())?;
    start.checked_add_signed(*life)
}
