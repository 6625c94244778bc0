//! What the real tools do not make: keys and signatures that are put together wrongly on purpose.

use super::*;
use pgp::composed::{KeyType, SecretKeyParamsBuilder, SignedSecretKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{
    KeyFlags, PacketTrait, SecretKey, SignatureConfig, Subpacket, SubpacketData, UserId,
};
use pgp::ser::Serialize;
use pgp::types::{PacketHeaderVersion, Password, RevocationKey, RevocationKeyClass, Tag};
use rand::SeedableRng;
use rand::rngs::StdRng;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn now() -> DateTime<Utc> {
    at("2026-06-01T00:00:00Z")
}

fn random() -> StdRng {
    StdRng::seed_from_u64(7)
}

/// A secret key, different for each seed, with a signing subkey.
fn secret(seed: u64) -> SignedSecretKey {
    let mut random = StdRng::seed_from_u64(seed);
    let subkey = pgp::composed::SubkeyParamsBuilder::default()
        .key_type(KeyType::Ed25519Legacy)
        .can_sign(true)
        .created_at(at("2025-01-01T00:00:00Z"))
        .build()
        .unwrap();
    let key = SecretKeyParamsBuilder::default()
        .key_type(KeyType::Ed25519Legacy)
        .can_certify(true)
        .can_sign(true)
        .created_at(at("2025-01-01T00:00:00Z"))
        .primary_user_id("somebody".to_owned())
        .subkey(subkey)
        .build()
        .unwrap()
        .generate(&mut random)
        .unwrap();
    key.sign(&mut random, &Password::empty()).unwrap()
}

/// A signature to be, with its date, its issuer and more.
fn draft(
    kind: SignatureType,
    by: &impl KeyDetails,
    day: &str,
    more: Vec<SubpacketData>,
) -> SignatureConfig {
    let mut config = SignatureConfig::v4(kind, by.algorithm(), HashAlgorithm::Sha256);
    let made = at(&format!("{day}T00:00:00Z"));
    let mut data = vec![
        SubpacketData::SignatureCreationTime(made),
        SubpacketData::IssuerFingerprint(by.fingerprint()),
    ];
    data.extend(more);
    config.hashed_subpackets = data
        .into_iter()
        .map(|data| Subpacket::regular(data).unwrap())
        .collect();
    config
}

fn signing() -> SubpacketData {
    let mut flags = KeyFlags::default();
    flags.set_sign(true);
    SubpacketData::KeyFlags(flags)
}

fn days(days: i64) -> SubpacketData {
    SubpacketData::KeyExpirationTime(TimeDelta::days(days))
}

/// What the owner, or somebody else, says of the key itself.
fn word(
    by: &SecretKey,
    of: &SecretKey,
    kind: SignatureType,
    day: &str,
    more: Vec<SubpacketData>,
) -> Signature {
    draft(kind, by, day, more)
        .sign_key(by, &Password::empty(), of.public_key())
        .unwrap()
}

fn self_word(key: &SecretKey, day: &str, more: Vec<SubpacketData>) -> Signature {
    word(key, key, SignatureType::Key, day, more)
}

/// A certificate with these statements on its key and nothing else.
fn certificate(key: &SecretKey, direct: Vec<Signature>) -> Certificate {
    Certificate {
        primary: key.public_key().clone(),
        direct,
        users: Vec::new(),
        subkeys: Vec::new(),
    }
}

fn trust(certificate: Certificate) -> Trust {
    let keyring = Keyring {
        certificates: vec![certificate],
    };
    Trust::new(keyring, &[])
}

const DATA: &[u8] = b"a document";

/// The verdict over a signature of [`DATA`].
fn judge(trust: &Trust, signature: &Signature) -> Result<Proof, Refusal> {
    let mut bytes = Vec::new();
    signature.to_writer_with_header(&mut bytes).unwrap();
    trust.detached("it", DATA, &bytes, now())
}

fn document(key: &SecretKey, day: &str, more: Vec<SubpacketData>) -> Signature {
    draft(SignatureType::Binary, key, day, more)
        .sign(key, &Password::empty(), DATA)
        .unwrap()
}

#[test]
fn the_owners_latest_word_counts_and_nobody_elses() {
    let (key, stranger) = (secret(1).primary_key, secret(2).primary_key);
    let signature = document(&key, "2026-05-01", Vec::new());
    let judged = |words: Vec<Signature>| judge(&trust(certificate(&key, words)), &signature);
    let forever = |day| self_word(&key, day, vec![signing()]);
    let short = |day| self_word(&key, day, vec![signing(), days(30)]);

    assert!(judged(vec![forever("2025-01-02")]).is_ok());
    assert!(matches!(judged(vec![]), Err(Refusal::UnusableKey { .. })));
    assert!(judged(vec![short("2025-01-02"), forever("2025-01-03")]).is_ok());
    let ended = judged(vec![forever("2025-01-02"), short("2025-01-03")]);
    assert!(matches!(ended, Err(Refusal::KeyExpired { .. })));
    // Of the same second: the earlier end.
    for words in [
        vec![forever("2025-01-02"), short("2025-01-02")],
        vec![short("2025-01-02"), forever("2025-01-02")],
    ] {
        assert!(matches!(judged(words), Err(Refusal::KeyExpired { .. })));
    }
    // From the future, before the key was made, or by somebody else: no word.
    let others = word(
        &stranger,
        &key,
        SignatureType::Key,
        "2025-01-04",
        vec![signing()],
    );
    for no_word in [forever("2027-01-01"), forever("2024-12-31"), others] {
        let ended = judged(vec![short("2025-01-03"), no_word]);
        assert!(matches!(ended, Err(Refusal::KeyExpired { .. })));
    }
    // Somebody else's, who says that it is this key: the mathematics decide.
    let mut lie = draft(SignatureType::Key, &key, "2025-01-04", vec![signing()]);
    lie.pub_alg = stranger.algorithm();
    let lie = lie
        .sign_key(&stranger, &Password::empty(), key.public_key())
        .unwrap();
    let ended = judged(vec![short("2025-01-03"), lie]);
    assert!(matches!(ended, Err(Refusal::KeyExpired { .. })));
}

#[test]
fn a_name_that_was_withdrawn_says_nothing_more() {
    let key = secret(1).primary_key;
    let id = UserId::from_str(PacketHeaderVersion::New, "somebody").unwrap();
    let on_name = |kind, day: &str, more| {
        draft(kind, &key, day, more)
            .sign_certification(&key, key.public_key(), &Password::empty(), Tag::UserId, &id)
            .unwrap()
    };
    let judged = |signatures: Vec<Signature>| {
        let mut certificate = certificate(
            &key,
            vec![self_word(&key, "2025-01-02", vec![signing(), days(9)])],
        );
        certificate.users.push((id.clone(), signatures));
        judge(
            &trust(certificate),
            &document(&key, "2026-05-01", Vec::new()),
        )
    };
    let certified = on_name(SignatureType::CertPositive, "2025-02-01", vec![signing()]);
    let withdrawn = on_name(SignatureType::CertRevocation, "2025-03-01", Vec::new());
    let again = on_name(SignatureType::CertPositive, "2025-04-01", vec![signing()]);
    assert!(judged(vec![certified.clone()]).is_ok());
    let ended = judged(vec![certified.clone(), withdrawn.clone()]);
    assert!(matches!(ended, Err(Refusal::KeyExpired { .. })));
    assert!(judged(vec![certified, withdrawn, again]).is_ok());
}

#[test]
fn revocations_by_the_owner_and_whom_the_owner_appointed() {
    let (key, friend, stranger) = (
        secret(1).primary_key,
        secret(2).primary_key,
        secret(3).primary_key,
    );
    let signature = document(&key, "2026-05-01", Vec::new());
    let revocation = |by: &SecretKey| {
        word(
            by,
            &key,
            SignatureType::KeyRevocation,
            "2030-01-01",
            Vec::new(),
        )
    };
    let appointing = SubpacketData::RevocationKey(RevocationKey::new(
        RevocationKeyClass::Default,
        friend.algorithm(),
        friend.fingerprint().as_bytes(),
    ));
    let judged = |more: Vec<SubpacketData>, revocation: Signature| {
        let words = vec![self_word(&key, "2025-01-02", more), revocation];
        judge(&trust(certificate(&key, words)), &signature)
    };
    // Whatever its date.
    let revoked = Err(Refusal::KeyRevoked(format!("{:X}", key.fingerprint())));
    assert_eq!(judged(vec![signing()], revocation(&key)), revoked);
    assert_eq!(
        judged(vec![signing(), appointing.clone()], revocation(&friend)),
        revoked
    );
    assert!(judged(vec![signing(), appointing], revocation(&stranger)).is_ok());
    assert!(judged(vec![signing()], revocation(&friend)).is_ok());
    // A revocation of another key is none of this one.
    let of_another = word(
        &key,
        &friend,
        SignatureType::KeyRevocation,
        "2026-01-01",
        Vec::new(),
    );
    assert!(judged(vec![signing()], of_another).is_ok());
}

#[test]
fn a_key_signs_only_what_it_was_made_for() {
    let key = secret(1).primary_key;
    let signature = document(&key, "2026-05-01", Vec::new());
    let mut certifying = KeyFlags::default();
    certifying.set_certify(true);
    let judged = |more| {
        judge(
            &trust(certificate(&key, vec![self_word(&key, "2025-01-02", more)])),
            &signature,
        )
    };
    assert!(matches!(
        judged(vec![SubpacketData::KeyFlags(certifying)]),
        Err(Refusal::UnusableKey { .. })
    ));
    assert!(
        judged(Vec::new()).is_ok(),
        "a key that is older than flags are"
    );
}

#[test]
fn a_subkey_has_to_answer_for_the_key_that_adopts_it() {
    let (owner, thief) = (secret(1), secret(2));
    let subkey = &owner.secret_subkeys[0].key;
    let signature = draft(SignatureType::Binary, subkey, "2026-05-01", Vec::new())
        .sign(subkey, &Password::empty(), DATA)
        .unwrap();
    let judged = |by: &SignedSecretKey, binding: Signature| {
        let mut certificate = certificate(
            &by.primary_key,
            vec![self_word(&by.primary_key, "2025-01-02", vec![signing()])],
        );
        certificate
            .subkeys
            .push((subkey.public_key().clone(), vec![binding]));
        judge(&trust(certificate), &signature)
    };
    let bind = |by: &SignedSecretKey, more: Vec<SubpacketData>| {
        draft(
            SignatureType::SubkeyBinding,
            &by.primary_key,
            "2025-01-02",
            more,
        )
        .sign_subkey_binding(
            &by.primary_key,
            by.primary_key.public_key(),
            &Password::empty(),
            subkey.public_key(),
        )
        .unwrap()
    };
    let answer = |to: &SignedSecretKey, kind| {
        let back = draft(kind, subkey, "2025-01-02", Vec::new())
            .sign_primary_key_binding(
                subkey,
                subkey.public_key(),
                &Password::empty(),
                to.primary_key.public_key(),
            )
            .unwrap();
        SubpacketData::EmbeddedSignature(Box::new(back))
    };
    let back = SignatureType::KeyBinding;
    assert!(judged(&owner, bind(&owner, vec![signing(), answer(&owner, back)])).is_ok());
    for binding in [
        // Nobody answers.
        bind(&thief, vec![signing()]),
        // The answer is to another key.
        bind(&thief, vec![signing(), answer(&owner, back)]),
        // It answers by a signature of another type.
        bind(
            &thief,
            vec![signing(), answer(&thief, SignatureType::SubkeyBinding)],
        ),
        // It is not for signing.
        bind(&thief, vec![answer(&thief, back)]),
        // Bound by another key.
        bind(&owner, vec![signing(), answer(&owner, back)]),
    ] {
        assert!(matches!(
            judged(&thief, binding),
            Err(Refusal::UnusableKey { .. })
        ));
    }
    let ended = judged(
        &owner,
        bind(&owner, vec![signing(), answer(&owner, back), days(30)]),
    );
    assert!(matches!(ended, Err(Refusal::KeyExpired { .. })));
}

#[test]
fn other_signatures_are_none_of_a_document() {
    let key = secret(1).primary_key;
    let trust = trust(certificate(
        &key,
        vec![self_word(&key, "2025-01-02", vec![signing()])],
    ));
    let of = |kind| {
        let signature =
            draft(kind, &key, "2026-05-01", Vec::new()).sign(&key, &Password::empty(), DATA);
        signature.map(|signature| judge(&trust, &signature))
    };
    assert!(of(SignatureType::Binary).unwrap().is_ok());
    assert!(of(SignatureType::Text).unwrap().is_ok());
    for kind in [
        SignatureType::Standalone,
        SignatureType::Timestamp,
        SignatureType::CertPositive,
    ] {
        // The crate refuses to make some of them.
        if let Ok(judged) = of(kind) {
            assert!(matches!(judged, Err(Refusal::Malformed(_))), "{kind:?}");
        }
    }
    // Made before the key was, and without any date.
    let early = document(&key, "2024-12-31", Vec::new());
    assert!(matches!(
        judge(&trust, &early),
        Err(Refusal::BadSignature(_))
    ));
    let mut dateless = draft(SignatureType::Binary, &key, "2026-05-01", Vec::new());
    dateless.hashed_subpackets.remove(0);
    let dateless = dateless.sign(&key, &Password::empty(), DATA).unwrap();
    assert!(matches!(
        judge(&trust, &dateless),
        Err(Refusal::Malformed(_))
    ));
    // A date that is not in the signed part is none.
    let mut moved = draft(SignatureType::Binary, &key, "2026-05-01", Vec::new());
    let date = moved.hashed_subpackets.remove(0);
    moved.unhashed_subpackets.push(date);
    let moved = moved.sign(&key, &Password::empty(), DATA).unwrap();
    assert!(matches!(judge(&trust, &moved), Err(Refusal::Malformed(_))));
}

#[test]
fn carriage_returns_are_not_hidden_by_a_signature_of_a_text() {
    let key = secret(1).primary_key;
    let trust = trust(certificate(
        &key,
        vec![self_word(&key, "2025-01-02", vec![signing()])],
    ));
    let signature = draft(SignatureType::Text, &key, "2026-05-01", Vec::new())
        .sign(&key, &Password::empty(), &b"a\nb\n"[..])
        .unwrap();
    let mut bytes = Vec::new();
    signature.to_writer_with_header(&mut bytes).unwrap();
    assert!(trust.detached("it", b"a\nb\n", &bytes, now()).is_ok());
    assert!(trust.detached("it", b"a\r\nb\n", &bytes, now()).is_err());
}

#[test]
fn nothing_of_a_damaged_key_file_is_believed() {
    let public = pgp::composed::SignedPublicKey::from(secret(1));
    let mut bytes = Vec::new();
    public.to_writer(&mut bytes).unwrap();
    Keyring::default().add("whole", &bytes).unwrap();
    let secret_key_follows = [0xc5, 0];
    let mut twice = bytes.repeat(2);
    twice.extend(secret_key_follows);
    let mut keyring = Keyring::default();
    keyring.add("damaged", &twice).unwrap_err();
    assert!(keyring.is_empty());
}

#[test]
fn keys_of_version_6() {
    let key = SecretKeyParamsBuilder::default()
        .version(pgp::types::KeyVersion::V6)
        .key_type(KeyType::Ed25519)
        .can_certify(true)
        .can_sign(true)
        .created_at(at("2025-01-01T00:00:00Z"))
        .build()
        .unwrap()
        .generate(random())
        .unwrap()
        .sign(random(), &Password::empty())
        .unwrap();
    let mut config = SignatureConfig::v6(
        random(),
        SignatureType::Binary,
        key.primary_key.algorithm(),
        HashAlgorithm::Sha512,
    )
    .unwrap();
    config.hashed_subpackets = [
        SubpacketData::SignatureCreationTime(at("2026-05-01T00:00:00Z")),
        SubpacketData::IssuerFingerprint(key.primary_key.fingerprint()),
    ]
    .map(|data| Subpacket::regular(data).unwrap())
    .to_vec();
    let signature = config
        .sign(&key.primary_key, &Password::empty(), DATA)
        .unwrap();
    let mut keyring = Keyring::default();
    let public = pgp::composed::SignedPublicKey::from(key.clone());
    let mut bytes = Vec::new();
    public.to_writer(&mut bytes).unwrap();
    keyring.add("a file", &bytes).unwrap();
    // Its own statements bear the real date of the test, so look at it then.
    let mut signed = Vec::new();
    signature.to_writer_with_header(&mut signed).unwrap();
    let later = at("2100-01-01T00:00:00Z");
    let proof = Trust::new(keyring, &[])
        .detached("it", DATA, &signed, later)
        .unwrap();
    assert_eq!(proof.fingerprint.len(), 64);
}
