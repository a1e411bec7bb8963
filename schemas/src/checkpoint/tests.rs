use super::*;
use crate::note::NoteSignature;

const ORIGIN: &str = "registry.example.com";
const TIME_S: u64 = 1_679_315_147;
const BODY: &str = "registry.example.com\n70000\no5IPun8jmgcam9EHIfE0Gt3vuu3ttBx+JEN6nRa98Ao=\n";

/// The checkpoint above as Attestry signs it, and as Go implementations do with the same key.
const SIGNED: &str = include_str!("../../vectors/log/checkpoint.txt");
const SIGNED_BY_GO: &str = include_str!("../../vectors/log/checkpoint-golang.txt");
const GO_TIME_S: u64 = 1_795_480_867;

fn signing_key() -> SigningKey {
    SigningKey::from_ed25519_seed([7; 32])
}

fn log_key() -> NoteKey {
    let raw = signing_key().public_key().ed25519_raw().unwrap();
    NoteKey::ed25519(ORIGIN, raw).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint::parse(BODY).unwrap()
}

/// A note over `text` with the log's line and any others.
fn signed_with(text: &str, others: &[NoteSignature]) -> String {
    let line = log_key().sign(text, |message| signing_key().sign(message)).unwrap();
    let lines = std::iter::once(line).chain(others.iter().cloned()).collect();
    Note::new(text.to_owned(), lines).unwrap().to_string()
}

fn cosigned(text: &str, time_s: u64) -> NoteSignature {
    let cosigner = log_key().with_type(SignatureType::CosignatureV1);
    cosignature::sign(&cosigner, text, time_s, |message| signing_key().sign(message)).unwrap()
}

fn refused_signature(signature_type: SignatureType) -> CheckpointError {
    let key_id = log_key().with_type(signature_type).key_id();
    CheckpointError::Note(NoteError::Signature { name: ORIGIN.to_owned(), key_id })
}

#[test]
fn signs_what_go_implementations_verify() {
    let signed = SignedCheckpoint::sign(&checkpoint(), &signing_key(), TIME_S).unwrap();
    assert_eq!(signed.as_str(), SIGNED);
    assert_eq!(
        (signed.to_string(), signed.clone().into_string().as_str()),
        (SIGNED.into(), SIGNED)
    );
}

#[test]
fn opens_what_it_signed_and_what_go_implementations_signed() {
    for (signed, time_s) in [(SIGNED, TIME_S), (SIGNED_BY_GO, GO_TIME_S)] {
        let opened = SignedCheckpoint::open(signed, &log_key()).unwrap();
        assert_eq!(opened.checkpoint, checkpoint());
        assert_eq!(opened.cosigned_at_s, Some(time_s));
    }
}

#[test]
fn the_log_line_comes_first_and_then_its_own_cosignature() {
    let note = Note::parse(SIGNED).unwrap();
    let ids: Vec<_> = note.signatures().iter().map(|line| line.key_id).collect();
    let cosigner = log_key().with_type(SignatureType::CosignatureV1);
    assert_eq!(ids, [log_key().key_id(), cosigner.key_id()]);
}

#[test]
fn a_checkpoint_without_the_cosignature_opens_without_a_time() {
    let opened = SignedCheckpoint::open(signed_with(BODY, &[]), &log_key()).unwrap();
    assert_eq!((opened.checkpoint, opened.cosigned_at_s), (checkpoint(), None));
}

#[test]
fn lines_of_witnesses_are_ignored() {
    let mut witness = cosigned(BODY, TIME_S);
    witness.name = "witness.example/w1".to_owned();
    let unknown_type = NoteSignature { key_id: [1, 2, 3, 4], ..cosigned(BODY, TIME_S) };
    let signed = signed_with(BODY, &[witness, unknown_type]);
    let opened = SignedCheckpoint::open(signed, &log_key()).unwrap();
    assert_eq!(opened.cosigned_at_s, None);
}

#[test]
fn rejects_a_cosignature_of_another_checkpoint_or_another_time() {
    let other = cosigned(&BODY.replace("70000", "70001"), TIME_S);
    let mut later = cosigned(BODY, TIME_S);
    later.signature[7] ^= 1;
    let mut short = cosigned(BODY, TIME_S);
    short.signature.truncate(7);
    for wrong in [other, later, short] {
        let opened = SignedCheckpoint::open(signed_with(BODY, &[wrong]), &log_key());
        assert_eq!(opened, Err(refused_signature(SignatureType::CosignatureV1)));
    }
}

#[test]
fn rejects_a_checkpoint_with_only_the_cosignature() {
    let note = Note::new(BODY.to_owned(), vec![cosigned(BODY, TIME_S)]).unwrap();
    let key_id = log_key().key_id();
    let not_signed = NoteError::NotSigned { name: ORIGIN.to_owned(), key_id };
    let opened = SignedCheckpoint::open(note.to_string(), &log_key());
    assert_eq!(opened, Err(CheckpointError::Note(not_signed)));
}

#[test]
fn rejects_every_change_of_a_signed_checkpoint() {
    let text_bytes = BODY.len();
    for at in 0..SIGNED.len() {
        let mut changed = SIGNED.as_bytes().to_vec();
        changed[at] ^= 1;
        let Ok(opened) = SignedCheckpoint::open(&changed, &log_key()) else { continue };
        // Only a line that names another key is left alone: at worst the time is gone.
        assert!(at > text_bytes, "byte {at} of the text");
        assert_eq!((opened.checkpoint, opened.cosigned_at_s), (checkpoint(), None), "byte {at}");
    }
}

#[test]
fn rejects_a_signature_by_another_key() {
    let other = SigningKey::from_ed25519_seed([8; 32]);
    let signed = SignedCheckpoint::sign(&checkpoint(), &other, TIME_S).unwrap();
    let opened = SignedCheckpoint::open(&signed, &log_key());
    let not_signed = NoteError::NotSigned { name: ORIGIN.to_owned(), key_id: log_key().key_id() };
    assert_eq!(opened, Err(CheckpointError::Note(not_signed)));
}

#[test]
fn rejects_a_checkpoint_whose_origin_is_not_the_name_of_its_key() {
    let found = "other.example.com".to_owned();
    let body = BODY.replace(ORIGIN, &found);
    let opened = SignedCheckpoint::open(signed_with(&body, &[]), &log_key());
    assert_eq!(opened, Err(CheckpointError::Origin { expected: ORIGIN.to_owned(), found }));
}

#[test]
fn rejects_signed_text_that_is_no_checkpoint() {
    let opened = SignedCheckpoint::open(signed_with("hello\n", &[]), &log_key());
    assert_eq!(opened, Err(CheckpointError::Lines { found: 1 }));
}

#[test]
fn a_body_is_written_and_read_in_one_form() {
    let empty_root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    for (body, size, extensions) in [
        (BODY.to_owned(), 70_000, 0),
        (format!("go.sum database tree\n0\n{empty_root}\n"), 0, 0),
        (format!("è\n18446744073709551615\n{empty_root}\nx\n— y z\n"), u64::MAX, 2),
    ] {
        let parsed = Checkpoint::parse(&body).unwrap();
        assert_eq!((parsed.size, parsed.extensions.len()), (size, extensions));
        assert_eq!(parsed.body().unwrap(), body);
    }
}

#[test]
fn rejects_bodies_that_break_a_rule_of_tlog_checkpoint() {
    let root = "o5IPun8jmgcam9EHIfE0Gt3vuu3ttBx+JEN6nRa98Ao=";
    let lines = |found| CheckpointError::Lines { found };
    let size = |found: &str| CheckpointError::Size { found: found.to_owned() };
    let mut cases = vec![
        (String::new(), lines(0)),
        ("\n".to_owned(), lines(0)),
        ("a\n1\n".to_owned(), lines(2)),
        (format!("a\n1\n{root}"), lines(0)),
        (format!("\n1\n{root}\n"), lines(0)),
        (format!("a\n\n{root}\n"), lines(1)),
        ("a\n1\n\n".to_owned(), lines(2)),
        (format!("a\n1\n{root}\n\n"), lines(3)),
        (format!("a\n1\n{root}\nx\n\ny\n"), lines(4)),
        (format!("a\r\n1\n{root}\n"), CheckpointError::Line { found: "a\r".to_owned() }),
        (format!("a\n1\n{root}\nx\ty\n"), CheckpointError::Line { found: "x\ty".to_owned() }),
        (format!("a\n0\n{root}\n"), CheckpointError::EmptyRoot { found: checkpoint().root }),
    ];
    for found in
        ["01", "00", "-1", "+1", " 1", "1 ", "0x1", "1.0", "x", "١", "18446744073709551616"]
    {
        cases.push((format!("a\n{found}\n{root}\n"), size(found)));
    }
    for found in [
        "o5IPun8jmgcam9EHIfE0Gt3vuu3ttBx+JEN6nRa98Ao",
        "o5IPun8jmgcam9EHIfE0Gt3vuu3ttBx-JEN6nRa98Ao=",
        "o5IPun8jmgcam9EHIfE0Gt3vuu3ttBx+JEN6nRa98Ap=",
        "o5IPun8jmgcam9EHIfE0Gt3vuu3ttBx+JEN6nRa98A==",
        "o5IPun8jmgcam9EHIfE0Gt3vuu3ttBx+JEN6nRa98AoA",
        " o5IPun8jmgcam9EHIfE0Gt3vuu3ttBx+JEN6nRa98Ao=",
    ] {
        cases.push((format!("a\n1\n{found}\n"), CheckpointError::Root { found: found.to_owned() }));
    }
    for (body, error) in cases {
        assert_eq!(Checkpoint::parse(&body), Err(error), "{body:?}");
    }
}

#[test]
fn what_could_not_be_read_back_is_not_signed() {
    let changed = |change: fn(&mut Checkpoint)| {
        let mut checkpoint = checkpoint();
        change(&mut checkpoint);
        SignedCheckpoint::sign(&checkpoint, &signing_key(), TIME_S).unwrap_err()
    };
    let line = |found: &str| CheckpointError::Line { found: found.to_owned() };
    let name = |found: &str| CheckpointError::Note(NoteError::Name { found: found.to_owned() });
    assert_eq!(changed(|c| c.origin.clear()), line(""));
    assert_eq!(changed(|c| c.origin.push_str("\n1")), line("registry.example.com\n1"));
    assert_eq!(changed(|c| c.origin = "a b".to_owned()), name("a b"));
    assert_eq!(changed(|c| c.origin = "a+b".to_owned()), name("a+b"));
    assert_eq!(changed(|c| c.extensions.push(String::new())), line(""));
    assert_eq!(changed(|c| c.extensions.push("x\n\ny".to_owned())), line("x\n\ny"));
    let root = checkpoint().root;
    assert_eq!(changed(|c| c.size = 0), CheckpointError::EmptyRoot { found: root });
}

#[test]
fn a_time_that_the_format_cannot_hold_is_not_signed() {
    let found_s = cosignature::MAX_TIME_S + 1;
    let refused = SignedCheckpoint::sign(&checkpoint(), &signing_key(), found_s);
    assert_eq!(refused, Err(CheckpointError::Note(NoteError::Time { found_s })));
}

#[test]
fn a_log_does_not_sign_with_a_key_of_another_type() {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
    let generated = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let key = SigningKey::from_pkcs8_der(generated.to_pkcs8v1().unwrap().as_ref()).unwrap();
    let refused = SignedCheckpoint::sign(&checkpoint(), &key, TIME_S);
    assert_eq!(refused, Err(CheckpointError::SigningKeyType));
}
