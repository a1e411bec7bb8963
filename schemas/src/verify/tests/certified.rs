//! Bundles with certificates as a registry is sent them, and as it reads them back.

use std::convert::Infallible;

use super::*;
use crate::bundle::SignerMaterial;
use crate::note::NoteKey;
use crate::rekor;
use crate::tile::{Pyramid, TILE_WIDTH};

/// By a workflow.
const STATEMENT: &str = include_str!("../../../vectors/certificate/statement.json");
/// By a person, over a file.
const MESSAGE: &str = include_str!("../../../vectors/certificate/message.json");
const NOBODY: &str = include_str!("../../../vectors/certificate/without-an-identity.json");
/// Their authority, their log and what proves their times.
const ROOT: &str = include_str!("../../../vectors/certificate/trusted_root.json");
const ROOT_WITHOUT_A_LOG: &str =
    include_str!("../../../vectors/certificate/trusted_root-without-a-log.json");

fn bundle(text: &str) -> Bundle {
    Bundle::parse(text.as_bytes()).unwrap()
}

fn roots() -> CertificateRoots {
    CertificateRoots::given([("example", ROOT)]).unwrap()
}

fn verify(bundle: &Bundle) -> Result<Certified, Refusal> {
    certified(bundle, &roots())
}

fn leaf_certificate(bundle: &Bundle) -> Vec<u8> {
    match &bundle.signer {
        SignerMaterial::Certificate { der } => der.clone(),
        SignerMaterial::CertificateChain { ders } => ders[0].clone(),
        SignerMaterial::PublicKey { .. } => panic!("a certificate is expected"),
    }
}

fn signature(bundle: &Bundle) -> Vec<u8> {
    match &bundle.content {
        Content::Envelope(envelope) => envelope.signature.clone(),
        Content::Message(message) => message.signature.clone(),
    }
}

#[test]
fn it_says_whose_certificate_it_is_and_what_the_log_records() {
    let workflow = "https://git.example.org/pay/api/.ci/release.yml@refs/heads/main";
    for (text, issuer, subject, is_statement) in [
        (STATEMENT, "https://token.git.example.org", workflow, true),
        (MESSAGE, "https://login.example.org", "release@example.org", false),
    ] {
        let bundle = bundle(text);
        let certified = verify(&bundle).unwrap_or_else(|refusal| panic!("{subject}: {refusal}"));
        let (subject, issuer) = (subject.to_owned(), issuer.to_owned());
        assert_eq!(certified.author().signer(), Signer::Identity { subject, issuer });
        let entry = certified.entry();
        let verifier = rekor::Verifier::Certificate {
            der: leaf_certificate(&bundle),
            key_details: "PKIX_ECDSA_P256_SHA_256".to_owned(),
        };
        assert_eq!((&entry.verifier, &entry.signature), (&verifier, &signature(&bundle)));
        assert_eq!(Entry::parse(&entry.body()).unwrap(), *entry);
        match (&certified, &bundle.content) {
            (Certified::Statement(signed), Content::Envelope(envelope)) => {
                assert_eq!(entry.digest, envelope.pae_digest());
                assert_eq!(signed.get().envelope, *envelope);
                assert!(is_statement);
            }
            (Certified::Message(signed), Content::Message(message)) => {
                assert_eq!(Some(entry.digest), message.digest.as_sha256());
                assert_eq!(signed.get().message, *message);
                assert!(!is_statement);
            }
            other => panic!("another content: {other:?}"),
        }
    }
}

/// The rule, how it is broken, and the check that says so.
type Case = (&'static str, fn(&mut Bundle), Check);

fn change_envelope(bundle: &mut Bundle, change: impl FnOnce(&mut Envelope)) {
    let Content::Envelope(envelope) = &mut bundle.content else { panic!("an envelope") };
    change(envelope);
}

const ATTACKS: &[Case] = &[
    (
        "the signature covers the payload",
        |b| change_envelope(b, |e| e.payload.push(b' ')),
        Check::Certificate,
    ),
    (
        "the signature covers the type",
        |b| change_envelope(b, |e| e.payload_type.push('x')),
        Check::Statement,
    ),
    (
        "the signature is the certificate's",
        |b| change_envelope(b, |e| e.signature = p256(1).sign(&e.pae())),
        Check::Certificate,
    ),
    (
        "the signature is over this, and not another of some certificate",
        |b| change_envelope(b, |e| e.signature = signature(&bundle(MESSAGE))),
        Check::Certificate,
    ),
    (
        "the certificate is the signer's, and not another's",
        |b| b.signer = bundle(MESSAGE).signer,
        Check::Certificate,
    ),
    (
        "the certificate is as it was issued",
        |b| {
            let mut der = leaf_certificate(b);
            // In the signature of the authority.
            *der.last_mut().unwrap() ^= 1;
            b.signer = SignerMaterial::Certificate { der };
        },
        Check::Certificate,
    ),
    (
        "the time of the certificate is proven",
        |b| {
            b.tlog_entries.clear();
            b.timestamps.clear();
        },
        Check::Certificate,
    ),
    ("the root demands a log entry", |b| b.tlog_entries.clear(), Check::Certificate),
    (
        "an entry of another log than the root knows is none",
        |b| b.tlog_entries[0].log_id.key_id[0] ^= 1,
        Check::Certificate,
    ),
    (
        "a timestamp is of this signature",
        |b| b.timestamps = bundle(MESSAGE).timestamps,
        Check::Certificate,
    ),
    (
        "the entry is of this signature",
        |b| b.tlog_entries = bundle(MESSAGE).tlog_entries,
        Check::Certificate,
    ),
    (
        "a certificate is there",
        |b| b.signer = SignerMaterial::PublicKey { hint: String::new() },
        Check::Certificate,
    ),
    (
        "the content is a statement",
        |b| change_envelope(b, |e| e.payload = b"{}".to_vec()),
        Check::Statement,
    ),
];

#[test]
fn refuses_each_attack() {
    for (rule, change, failing) in ATTACKS {
        let mut changed = bundle(STATEMENT);
        change(&mut changed);
        let refusal = verify(&changed).expect_err(rule);
        assert_eq!(refusal.check, *failing, "{rule}: {refusal}");
    }
    let mut other = bundle(MESSAGE);
    let Content::Message(message) = &mut other.content else { panic!("a message") };
    message.digest = digest(OTHER);
    assert_eq!(verify(&other).unwrap_err().check, Check::Certificate);
    let Content::Message(message) = &mut other.content else { panic!("a message") };
    message.digest = Digest::new("sha512", &"0".repeat(128)).unwrap();
    assert_eq!(verify(&other).unwrap_err().check, Check::Signature);
    let refusal = verify(&bundle(NOBODY)).unwrap_err();
    assert_eq!(refusal.check, Check::Certificate, "{refusal}");
}

#[test]
fn a_statement_that_names_its_subject_by_other_digests_is_told_what_is_missing() {
    let commit = Digest::new("gitCommit", &"1".repeat(40)).unwrap();
    let subject = ResourceDescriptor { digest: Some(commit.into()), ..Default::default() };
    let statement =
        crate::statement::Statement::new(vec![subject], TEST_RESULT, serde_json::json!({}));
    let mut changed = bundle(STATEMENT);
    change_envelope(&mut changed, |e| e.payload = statement.unwrap().to_json());
    let refusal = verify(&changed).unwrap_err();
    assert_eq!(refusal.check, Check::Subject);
    let told = refusal.to_string();
    for word in ["sha256 or sha512", "gitCommit", "a key that the roster names"] {
        assert!(told.contains(word), "{told}");
    }
}

#[test]
fn what_a_registry_adds_to_a_bundle_changes_nothing_for_those_who_do_not_know_its_log() {
    for text in [STATEMENT, MESSAGE] {
        let plain = bundle(text);
        let certified = verify(&plain).unwrap();
        let mut answered = plain.clone();
        answered.tlog_entries.push(Log::holding(certified.entry()).entry(Log::INDEX));
        assert_eq!(verify(&answered).unwrap(), certified);
        // In front of it, and without the entry that the root demands.
        answered.tlog_entries.rotate_right(1);
        assert_eq!(verify(&answered).unwrap(), certified);
        answered.tlog_entries.truncate(1);
        let refusal = verify(&answered).unwrap_err();
        assert!(refusal.found.contains("no log entry of a log that this root knows"), "{refusal}");
        // As for whoever asks for an identity.
        let Signer::Identity { subject, issuer } = certified.author().signer() else {
            panic!("an identity")
        };
        let Certified::Statement(signed) = &certified else { continue };
        let artifact = signed.get().statement.subject_digests().next().unwrap();
        answered.tlog_entries.extend(plain.tlog_entries);
        let keys = Keys::Identity(Identity { subject, issuer });
        let root = TrustedRoot::parse(ROOT.as_bytes()).unwrap();
        let verifier = Verifier { keys, root: Some(&root) };
        let proven = verifier.bundle(&answered, Subject::of_digest(&artifact), &Claim::AnyType);
        assert_eq!(proven.unwrap().get().signer, certified.author().signer());
    }
}

#[test]
fn only_the_roots_that_are_given_vouch() {
    let of = |text: &str| CertificateRoots::given([("mine", text)]).unwrap();
    let good = bundle(STATEMENT);
    for (_, root) in EMBEDDED_ROOTS {
        let refusal = certified(&good, &of(root)).unwrap_err();
        assert!(refusal.found.starts_with("mine: "), "{refusal}");
    }
    certified(&good, &of(ROOT)).unwrap();
    // A root without a log demands no entry, and a time all the same.
    let mut changed = good;
    changed.tlog_entries.clear();
    certified(&changed, &of(ROOT_WITHOUT_A_LOG)).unwrap();
    changed.timestamps.clear();
    let refusal = certified(&changed, &of(ROOT_WITHOUT_A_LOG)).unwrap_err();
    assert_eq!(refusal.check, Check::Certificate, "{refusal}");
}

#[test]
fn a_signature_of_the_bytes_of_an_envelope_is_the_same_entry() {
    let statement = bundle(STATEMENT);
    let Content::Envelope(envelope) = &statement.content else { panic!("an envelope") };
    let digest = envelope.pae_digest().into();
    let message = MessageSignature { digest, signature: envelope.signature.clone() };
    let as_message = Bundle { content: Content::Message(message), ..statement.clone() };
    let (a, b) = (verify(&statement).unwrap(), verify(&as_message).unwrap());
    assert_eq!(a.entry(), b.entry());
    assert!(matches!((a, b), (Certified::Statement(_), Certified::Message(_))));
}

#[test]
fn the_two_forms_of_a_signature_of_a_p_256_certificate_are_one_entry() {
    let bundle = bundle(STATEMENT);
    let entry = verify(&bundle).unwrap().entry().clone();
    let other = entry.other_form().unwrap();
    assert_ne!(other, entry);
    assert_eq!(other.other_form(), Some(entry.clone()));
    // Its key verifies it as well, and what proves its time does not.
    let content = bundle.content.clone().with_signature(other.signature.clone());
    let changed = Bundle { content, ..bundle };
    assert_eq!(*own_bundle_signature(&changed).unwrap().entry(), other);
    assert_eq!(verify(&changed).unwrap_err().check, Check::Certificate);
    let rekor::Verifier::Certificate { der, .. } = entry.verifier.clone() else {
        panic!("a certificate")
    };
    let key_details = "PKIX_ECDSA_P384_SHA_384".to_owned();
    let of_p384 = Entry { verifier: rekor::Verifier::Certificate { der, key_details }, ..entry };
    assert_eq!(of_p384.other_form(), None);
}

/// A full tile of a log's own leaves, of which the tenth is this.
fn leaves_with(entry: &Entry) -> Verified<OwnLeaves> {
    let size = u64::from(TILE_WIDTH);
    let mut bodies: Vec<Vec<u8>> = (0..size).map(|i| i.to_be_bytes().to_vec()).collect();
    bodies[9] = entry.body();
    let log = Log { key: ed25519(7), bodies };
    let key = NoteKey::ed25519(ORIGIN, log.key.public_key().ed25519_raw().unwrap()).unwrap();
    let mut tile = Pyramid::new();
    for body in &log.bodies {
        tile.push(merkle::leaf_hash(body)).unwrap();
    }
    let node = |at| Ok::<_, Infallible>(log.node(at));
    let proof = merkle::inclusion_proof(0, size, node).unwrap();
    own_leaves(&log.signed(&log.head(size)), &key, &tile, 0, &proof).unwrap()
}

#[test]
fn a_bundle_of_the_log_is_read_back_without_any_root() {
    for text in [STATEMENT, MESSAGE] {
        let bundle = bundle(text);
        let certified = verify(&bundle).unwrap();
        let leaves = leaves_with(certified.entry());
        assert_eq!(own_bundle(&bundle, &leaves, 9).unwrap(), certified);
        assert_eq!(own_bundle_signature(&bundle).unwrap(), certified);
        for index in [8, 10, 256, u64::MAX] {
            let refusal = own_bundle(&bundle, &leaves, index).unwrap_err();
            assert_eq!(refusal.check, Check::LogEntry, "{index}");
        }
    }
}

#[test]
fn nothing_that_was_changed_is_read_back() {
    let good = bundle(STATEMENT);
    let leaves = leaves_with(verify(&good).unwrap().entry());
    let changes: [Case; 5] = [
        ("another payload", |b| change_envelope(b, |e| e.payload.push(b' ')), Check::Signature),
        (
            "another signature",
            |b| change_envelope(b, |e| e.signature = p256(1).sign(&e.pae())),
            Check::Signature,
        ),
        ("another certificate", |b| b.signer = bundle(MESSAGE).signer, Check::Signature),
        (
            "a key",
            |b| b.signer = SignerMaterial::PublicKey { hint: String::new() },
            Check::Certificate,
        ),
        (
            "no certificate at all",
            |b| b.signer = SignerMaterial::Certificate { der: vec![0x30, 0] },
            Check::Certificate,
        ),
    ];
    for (what, change, failing) in changes {
        let mut changed = good.clone();
        change(&mut changed);
        assert_eq!(own_bundle_signature(&changed).unwrap_err().check, failing, "{what}");
        let by_leaf = own_bundle(&changed, &leaves, 9).unwrap_err().check;
        assert!(matches!(by_leaf, Check::LogEntry | Check::Certificate), "{what}: {by_leaf}");
    }
}

#[test]
fn what_is_kept_is_written_in_its_canonical_form() {
    for text in [STATEMENT, MESSAGE] {
        let bundle = bundle(text);
        let canonical = crate::json::canonical(&bundle.to_value()).unwrap();
        assert_eq!(bundle.to_json(), canonical);
        assert_eq!(Bundle::parse(&canonical).unwrap(), bundle);
    }
}

#[test]
fn what_is_pushed_late_is_no_younger_than_its_certificate() {
    use crate::gate::{Evidence, Held};
    for text in [STATEMENT, MESSAGE] {
        let certified = verify(&bundle(text)).unwrap();
        let end = certified.author().signed_before().unwrap();
        let at = |logged_at: &str| {
            let (digest, logged_at) =
                (digest(ARTIFACT).as_sha256().unwrap(), logged_at.parse().unwrap());
            Evidence::of_certified(&certified, Held { digest, index: 0, logged_at })
        };
        assert!(at("2099-01-01T00:00:00Z").time() <= end, "{text:.0}");
        assert_eq!(at("2020-01-01T00:00:00Z").time(), "2020-01-01T00:00:00Z".parse().unwrap());
    }
}
