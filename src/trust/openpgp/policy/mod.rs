//! The policy: which certificate may sign, and which of its signatures count.
//!
//! Each rule stands above the function that keeps it, with where it comes from. Where `gpgv` is
//! laxer, that is said: it reports GOODSIG or a return code of 0 for several of these.
//!
//! The certificates come from files that only root can write. Their own statements are therefore
//! checked against accident and staleness, not against a forger; see `owner`.

mod document;
mod owner;

use super::cleartext::Cleartext;
use super::keyring::{Certificate, Key, Keyring};
use crate::trust::Proof;
use crate::trust::refusal::{Refusal, malformed};
use chrono::{DateTime, TimeDelta, Utc};
use document::{
    claims, critical, dated, form, hash_of_document, issuer, signatures, strength, upper,
};
use owner::{bound, standing};
use pgp::packet::{PublicSubkey, Signature, SignatureType};
use pgp::types::{KeyDetails, PublicKeyTrait};
use std::io::{self, Read};

/// How far a signature may lie in the future: clocks differ, and the gate `clock` is stricter.
pub(crate) const SKEW: TimeDelta = TimeDelta::days(1);

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
                    subkeys_sign: certificate.subkeys.iter().any(|(key, statements)| {
                        let bound = bound(certificate, key, statements, now);
                        !matches!(bound, Err(Refusal::UnusableKey { .. }))
                    }),
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

#[cfg(test)]
mod tests;
