use ed25519_dalek::{Signer as _, SigningKey};

use super::*;

/// A head of the Go checksum database, as published by its log on 2023-01-10.
const SUMDB_NOTE: &str = "go.sum database tree\n15081221\n\
    BoMMe1wd25Tco0mYGROkyqxHZWx+hcSCtMV315Lu6Lg=\n\n\
    — sum.golang.org Az3grilD7vQqTrv66jRgKM84Y80KTprrSt4bKmiOPxgmS5ZVBTeCl6dUvjYnN13R+C8j0jGY1WnUADGMkok3U0m2Zgo=\n";

/// The key of the Go checksum database, as the go command has it built in.
const SUMDB_KEY: &str = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

const LINE: &str = "— a.example AAECAwQ=\n";

fn signer() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn key() -> NoteKey {
    let raw = signer().verifying_key().to_bytes();
    NoteKey::ed25519("registry.example.com", raw).unwrap()
}

fn line(text: &str) -> NoteSignature {
    key().sign(text, |message| signer().sign(message).to_bytes().to_vec()).unwrap()
}

fn stranger() -> NoteSignature {
    NoteSignature { name: "a.example".to_owned(), key_id: [0, 1, 2, 3], signature: vec![4] }
}

#[test]
fn verifies_a_signed_note_of_the_go_checksum_database() {
    let note = Note::parse(SUMDB_NOTE).unwrap();
    let key: NoteKey = SUMDB_KEY.parse().unwrap();
    assert_eq!(key.verify_note(&note), Ok(()));
    assert_eq!(note.to_string(), SUMDB_NOTE);
    assert_eq!((key.to_string().as_str(), key.name()), (SUMDB_KEY, "sum.golang.org"));
    assert_eq!(
        (key.key_id(), key.signature_type()),
        ([3, 0x3d, 0xe0, 0xae], SignatureType::Ed25519)
    );

    let changed = Note::parse(SUMDB_NOTE.replace("15081221", "15081222")).unwrap();
    let refused = NoteError::Signature { name: key.name().to_owned(), key_id: key.key_id() };
    assert_eq!(key.verify_note(&changed), Err(refused));
}

#[test]
fn a_note_is_written_and_read_in_one_form() {
    for text in ["one\n", "\n", "a\n\nb\n\n", "— not.a signature\n", "trafitto da un raggio: è\n"]
    {
        let note = Note::new(text.to_owned(), vec![stranger(), line(text)]).unwrap();
        assert_eq!(note.to_string(), format!("{text}\n{LINE}{}\n", line(text)));
        let parsed = Note::parse(note.to_string()).unwrap();
        assert_eq!(parsed, note);
        assert_eq!((parsed.text(), parsed.signatures().len()), (text, 2));
        assert_eq!(key().verify_note(&parsed), Ok(()));
    }
}

#[test]
fn refuses_what_is_not_text_blank_line_and_signature_lines() {
    for note in [
        String::new(),
        "\n".to_owned(),
        "text\n".to_owned(),
        "text".to_owned(),
        format!("text\n{LINE}"),
        format!("\n{LINE}"),
        format!("text\n\n{}", LINE.trim_end()),
        "text\n\n".to_owned(),
    ] {
        assert_eq!(Note::parse(&note), Err(NoteError::Form), "{note:?}");
    }
}

#[test]
fn refuses_signature_lines_that_are_not_dash_name_base64() {
    for line in [
        "- a.example AAECAwQ=",
        "—a.example AAECAwQ=",
        "—  AAECAwQ=",
        "—\u{a0}a.example AAECAwQ=",
        "— a.example",
        "— a.example ",
        "— a.example  AAECAwQ=",
        "— a.example AAECAwQ= ",
        "— a+b AAECAwQ=",
        "— a\u{2003}b AAECAwQ=",
        "— a.example AAECAw==",
        "— a.example AAECAwQ",
        "— a.example AAECAwR=",
        "— a.example AAEC-wQ=",
        "— a.example AAECAwQ=x",
        " — a.example AAECAwQ=",
        "comment",
    ] {
        let expected = NoteError::SignatureLine { line: 2, found: line.to_owned() };
        assert_eq!(Note::parse(format!("text\n\n{LINE}{line}\n")), Err(expected), "{line:?}");
    }
}

#[test]
fn refuses_control_characters_and_what_is_not_utf_8_anywhere() {
    for (at, byte) in [(0, 0), (2, b'\t'), (4, b'\r'), (1, 0x1f), (3, 0xff), (9, 0x0b), (11, 0xc0)]
    {
        let mut note = format!("text\n\n{LINE}").into_bytes();
        note.insert(at, byte);
        // The em dash at 6 is three bytes; an offset within it faults at its beginning.
        assert_eq!(Note::parse(&note), Err(NoteError::Character { at }), "{byte:#04x} at {at}");
    }
    let refused = Note::new("a\tb\n".to_owned(), vec![stranger()]);
    assert_eq!(refused, Err(NoteError::Character { at: 1 }));
}

#[test]
fn bounds_the_length_of_a_note() {
    let rest = format!("\n\n{LINE}");
    let fits = "x".repeat(MAX_NOTE_BYTES - rest.len()) + &rest;
    assert!(Note::parse(&fits).is_ok());
    let refused = Err(NoteError::TooLarge { found_bytes: MAX_NOTE_BYTES + 1 });
    assert_eq!(Note::parse(format!("x{fits}")), refused);
    let text = format!("{}\n", "x".repeat(MAX_NOTE_BYTES - rest.len() + 1));
    assert_eq!(Note::new(text, vec![stranger()]), refused);
}

#[test]
fn bounds_the_number_of_signatures() {
    for (found, fits) in [(1, true), (MAX_SIGNATURES, true), (MAX_SIGNATURES + 1, false)] {
        let refused = NoteError::SignatureCount { found };
        let parsed = Note::parse(format!("text\n\n{}", LINE.repeat(found)));
        assert_eq!(parsed.as_ref().err(), (!fits).then_some(&refused));
        let made = Note::new("text\n".to_owned(), vec![stranger(); found]);
        assert_eq!(made.as_ref().err(), (!fits).then_some(&refused));
    }
    let none = Note::new("text\n".to_owned(), Vec::new());
    assert_eq!(none, Err(NoteError::SignatureCount { found: 0 }));
}

#[test]
fn a_note_that_could_not_be_read_back_is_not_made() {
    let text = "text\n".to_owned();
    assert_eq!(Note::new("text".to_owned(), vec![stranger()]), Err(NoteError::Form));
    let spaced = NoteSignature { name: "a b".to_owned(), ..stranger() };
    let refused = NoteError::Name { found: "a b".to_owned() };
    assert_eq!(Note::new(text.clone(), vec![spaced]), Err(refused));
    let empty = NoteSignature { signature: Vec::new(), ..stranger() };
    let refused = NoteError::SignatureLine { line: 2, found: empty.to_string() };
    assert_eq!(Note::new(text, vec![stranger(), empty]), Err(refused));
}

#[test]
fn rejects_a_note_that_the_key_did_not_sign() {
    let text = "text\n";
    let not_signed = NoteError::NotSigned { name: key().name().to_owned(), key_id: key().key_id() };
    let other_name = NoteSignature { name: "other.example".to_owned(), ..line(text) };
    let other_id = NoteSignature { key_id: [0; 4], ..line(text) };
    for line in [stranger(), other_name, other_id] {
        let note = Note::new(text.to_owned(), vec![line]).unwrap();
        assert_eq!(key().verify_note(&note), Err(not_signed.clone()));
    }
}

#[test]
fn rejects_a_note_with_a_wrong_signature_beside_a_right_one() {
    let text = "text\n";
    let refused = NoteError::Signature { name: key().name().to_owned(), key_id: key().key_id() };
    for lines in [[line(text), line("other\n")], [line("other\n"), line(text)]] {
        let note = Note::new(text.to_owned(), lines.to_vec()).unwrap();
        assert_eq!(key().verify_note(&note), Err(refused.clone()));
    }
}

#[test]
fn rejects_a_signature_with_any_bit_flipped_and_of_any_other_length() {
    let (text, made) = ("text\n", line("text\n").signature);
    assert_eq!(key().verify(text, &made), Ok(()));
    for bit in 0..made.len() * 8 {
        let mut flipped = made.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(key().verify(text, &flipped).is_err(), "bit {bit}");
    }
    for length in 0..made.len() {
        assert!(key().verify(text, &made[..length]).is_err(), "{length} bytes");
    }
    assert!(key().verify(text, &[&made[..], &[0]].concat()).is_err());
}

#[test]
fn a_line_that_will_not_verify_is_never_made() {
    let refused = NoteError::Signature { name: key().name().to_owned(), key_id: key().key_id() };
    assert_eq!(key().sign("text\n", |_| vec![0; 64]), Err(refused));
}

#[test]
fn a_key_of_one_type_is_not_used_as_one_of_another() {
    let cosigner = key().with_type(SignatureType::CosignatureV1);
    assert_ne!(cosigner.key_id(), key().key_id());
    assert_eq!((cosigner.name(), cosigner.raw()), (key().name(), key().raw()));
    let refused =
        NoteError::KeyUse { expected: SignatureType::Ed25519, found: SignatureType::CosignatureV1 };
    assert_eq!(cosigner.verify("text\n", &line("text\n").signature), Err(refused));
}

#[test]
fn the_key_hash_is_over_name_newline_type_and_key() {
    let hashed = [b"registry.example.com\n\x01", &key().raw()[..]].concat();
    assert_eq!(key().key_hash(), crate::digest::Sha256::of(&hashed));
    assert_eq!(key().key_id(), key().key_hash().as_bytes()[..4]);
}

#[test]
fn verifier_keys_are_those_that_the_go_implementations_write() {
    let written = "registry.example.com+b23d8641+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
    assert_eq!((key().to_string().as_str(), written.parse()), (written, Ok(key())));
    let cosigner = key().with_type(SignatureType::CosignatureV1);
    let written = "registry.example.com+e9fa3d70+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
    assert_eq!((cosigner.to_string().as_str(), written.parse()), (written, Ok(cosigner)));
}

#[test]
fn refuses_verifier_keys_whose_parts_are_missing_or_contradict_each_other() {
    let wrong =
        |expected, found: &str| NoteError::VerifierKey { expected, found: found.to_owned() };
    let whole = "<name>+<hex key ID>+<base64>";
    let base64 = "base64 of type and key";
    let id = "the key ID of the name and key";
    let cases = [
        ("", wrong(whole, "")),
        ("sum.golang.org", wrong(whole, "sum.golang.org")),
        ("sum.golang.org+033de0ae", wrong(whole, "sum.golang.org+033de0ae")),
        ("a+033de0ae+", wrong(base64, "")),
        ("a+033de0ae+*", wrong(base64, "*")),
        ("a+033de0ae+AQ==", wrong("a key of 32 bytes", "AQ==")),
        ("a+033de0ae+Ag==", NoteError::SignatureType { found: 2 }),
    ]
    .map(|(text, error)| (text.to_owned(), error));
    let changed = [
        ("033de0ae", "033de0af", wrong(id, "033de0af")),
        ("033de0ae", "033DE0AE", wrong(id, "033DE0AE")),
        ("sum.golang.org", "sum.golang.com", wrong(id, "033de0ae")),
        ("sum.golang.org", "", NoteError::Name { found: String::new() }),
        ("sum.golang.org", "sum golang", NoteError::Name { found: "sum golang".to_owned() }),
        ("+Ac4z", "+BM4z", wrong(id, "033de0ae")),
    ]
    .map(|(from, to, error)| (SUMDB_KEY.replacen(from, to, 1), error));
    for (text, error) in cases.into_iter().chain(changed) {
        assert_eq!(text.parse::<NoteKey>(), Err(error), "{text:?}");
    }
}

#[test]
fn refuses_keys_that_verify_signatures_nobody_made() {
    // The neutral element, a point of order 4, and 32 bytes that are no point.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    for raw in [neutral, [0; 32], [2; 32]] {
        let key = NoteKey::ed25519("a.example", raw);
        assert_eq!(key, Err(NoteError::Ed25519Key), "{raw:?}");
    }
}

#[test]
fn refuses_names_that_would_end_early_or_hide_something() {
    for name in ["", "a b", "a+b", "a\nb", "a\u{a0}b", "a\u{7f}b", &"a".repeat(MAX_NAME_BYTES + 1)]
    {
        let key = NoteKey::ed25519(name, *key().raw());
        assert_eq!(key, Err(NoteError::Name { found: cut(name) }));
    }
}
