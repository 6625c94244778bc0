use super::armor;
use super::packets::frames;
use crate::trust::refusal::{Refusal, malformed};
use chrono::{DateTime, Utc};
use pgp::armor::BlockType;
use pgp::packet::{Packet, PublicKey, PublicSubkey, Signature, UserId};
use pgp::types::{KeyDetails, KeyVersion};

/// Largest key file: Debian's whole archive keyring is a twentieth of it.
const MOST_BYTES: usize = 4 << 20;
/// Most certificates of all files together.
const MOST_CERTIFICATES: usize = 1000;
/// Most packets of one file; keys of people carry many signatures of others.
const MOST_PACKETS: usize = 50_000;

/// The certificates that a host trusts for a repository, as they stand in its files. Which of
/// their signatures count is judged only when one is needed.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    pub(super) certificates: Vec<Certificate>,
}

/// A primary key with everything said about it; nothing of it is verified yet.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) primary: PublicKey,
    /// Signatures on the key itself: statements and revocations.
    pub(super) direct: Vec<Signature>,
    pub(super) users: Vec<(UserId, Vec<Signature>)>,
    pub(super) subkeys: Vec<(PublicSubkey, Vec<Signature>)>,
}

/// A certificate as told to a person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Key {
    /// Fingerprint of the primary key, in upper-case hexadecimal.
    pub fingerprint: String,
    /// Its names, as the owner wrote them; unverified text.
    pub user_ids: Vec<String>,
    /// When the primary key ends, where it does. UTC.
    pub expires: Option<DateTime<Utc>>,
    /// Whether a subkey signs, which may end earlier.
    pub subkeys_sign: bool,
    /// Why nothing that it signs is accepted; `None` when it may sign.
    pub refusal: Option<Refusal>,
}

/// What the next signature packet belongs to.
enum Target {
    Primary,
    User(usize),
    Subkey(usize),
    /// Something that is not understood or not needed.
    Nothing,
}

impl Keyring {
    /// Adds the certificates of a key file: binary, or one or more armored blocks. `name` is for
    /// messages. The same certificate from two files is one with everything said in both: a
    /// revocation in either counts. Of a file that is refused nothing is added: what it would have
    /// revoked further on is not known.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), Refusal> {
        let mut file = Self::default();
        file.read(bytes)
            .map_err(|refusal| malformed(format!("the key file {name}: {refusal}")))?;
        if self.certificates.len() + file.certificates.len() > MOST_CERTIFICATES {
            return Err(malformed(format!(
                "more than {MOST_CERTIFICATES} keys with the key file {name}"
            )));
        }
        self.join(file);
        Ok(())
    }

    /// Whether no certificate is in it.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    /// Keeps the certificates of which the primary key or a subkey has one of these ids or
    /// fingerprints: hexadecimal, of any case, a `!` at the end as apt knows it.
    pub fn retain(&mut self, names: &[String]) {
        let names: Vec<String> = names
            .iter()
            .map(|name| name.trim_end_matches('!').to_ascii_uppercase())
            .collect();
        let is_one = |key: &dyn KeyDetails| {
            let (fingerprint, id) = (format!("{:X}", key.fingerprint()), key.key_id());
            names
                .iter()
                .any(|name| *name == fingerprint || name.eq_ignore_ascii_case(&id.to_string()))
        };
        self.certificates.retain(|certificate| {
            is_one(&certificate.primary) || certificate.subkeys.iter().any(|(key, _)| is_one(key))
        });
    }

    /// Adds another's certificates.
    pub fn join(&mut self, other: Self) {
        self.certificates.extend(other.certificates);
        self.merge();
    }

    fn read(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        if bytes.len() > MOST_BYTES {
            return Err(malformed(format!("larger than {MOST_BYTES} bytes")));
        }
        if bytes.get(8..12) == Some(b"KBXf") {
            return Err(malformed(
                "a GnuPG keybox; export the key with `gpg --export`",
            ));
        }
        if bytes.first().is_some_and(|first| first & 0x80 != 0) {
            self.packets(bytes)?;
        } else {
            let blocks =
                armor::blocks(bytes, "PUBLIC KEY BLOCK", &BlockType::PublicKey, MOST_BYTES)?;
            for block in &blocks {
                self.packets(block)?;
            }
            if blocks.is_empty() {
                return Err(malformed("no OpenPGP key in it"));
            }
        }
        if self.is_empty() {
            return Err(malformed("no usable OpenPGP key in it"));
        }
        self.merge();
        Ok(())
    }

    fn packets(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let mut current: Option<Certificate> = None;
        let mut target = Target::Nothing;
        for frame in frames(bytes, MOST_PACKETS)? {
            if matches!(frame.tag, 5 | 7) {
                return Err(malformed("a secret key"));
            }
            match (frame.tag, frame.packet(), &mut current) {
                (6, packet, _) => {
                    self.certificates.extend(current.take());
                    if self.certificates.len() >= MOST_CERTIFICATES {
                        return Err(malformed(format!("more than {MOST_CERTIFICATES} keys")));
                    }
                    target = Target::Nothing;
                    if let Some(Packet::PublicKey(primary)) = packet {
                        if matches!(primary.version(), KeyVersion::V4 | KeyVersion::V6) {
                            target = Target::Primary;
                            current = Some(Certificate {
                                primary,
                                direct: Vec::new(),
                                users: Vec::new(),
                                subkeys: Vec::new(),
                            });
                        }
                    }
                }
                (2, Some(Packet::Signature(signature)), Some(certificate)) => match target {
                    Target::Primary => certificate.direct.push(signature),
                    Target::User(index) => certificate.users[index].1.push(signature),
                    Target::Subkey(index) => certificate.subkeys[index].1.push(signature),
                    Target::Nothing => {}
                },
                (13, Some(Packet::UserId(id)), Some(certificate)) => {
                    target = Target::User(certificate.users.len());
                    certificate.users.push((id, Vec::new()));
                }
                (14, Some(Packet::PublicSubkey(key)), Some(certificate)) => {
                    target = Target::Subkey(certificate.subkeys.len());
                    certificate.subkeys.push((key, Vec::new()));
                }
                // Trust, marker and padding packets say nothing and end nothing, nor does a
                // signature that is not understood.
                (2 | 10 | 12 | 21, ..) => {}
                // Attributes (pictures), and keys or names that are not understood.
                _ => target = Target::Nothing,
            }
        }
        self.certificates.extend(current);
        Ok(())
    }

    /// Makes one certificate of those with the same primary key.
    fn merge(&mut self) {
        let mut merged: Vec<Certificate> = Vec::new();
        for certificate in self.certificates.drain(..) {
            let fingerprint = certificate.primary.fingerprint();
            let known = merged
                .iter_mut()
                .find(|other| other.primary.fingerprint() == fingerprint);
            if let Some(known) = known {
                known.take(certificate);
                continue;
            }
            let mut first = Certificate {
                primary: certificate.primary.clone(),
                direct: Vec::new(),
                users: Vec::new(),
                subkeys: Vec::new(),
            };
            first.take(certificate);
            merged.push(first);
        }
        self.certificates = merged;
    }
}

impl Certificate {
    fn take(&mut self, other: Self) {
        add_new(&mut self.direct, other.direct);
        for (id, signatures) in other.users {
            match self
                .users
                .iter_mut()
                .find(|(known, _)| known.id() == id.id())
            {
                Some((_, known)) => add_new(known, signatures),
                None => self.users.push((id, signatures)),
            }
        }
        for (key, signatures) in other.subkeys {
            let fingerprint = key.fingerprint();
            match self
                .subkeys
                .iter_mut()
                .find(|(known, _)| known.fingerprint() == fingerprint)
            {
                Some((_, known)) => add_new(known, signatures),
                None => self.subkeys.push((key, signatures)),
            }
        }
    }
}

fn add_new(known: &mut Vec<Signature>, more: Vec<Signature>) {
    for signature in more {
        if !known.contains(&signature) {
            known.push(signature);
        }
    }
}
