use super::*;
use crate::key::SigningKey;

fn key() -> SigningKey {
    SigningKey::from_ed25519_seed([7; 32])
}

fn entry() -> Entry {
    Entry::for_envelope(&Envelope::sign("t", b"payload", &key()), key().public_key())
}

#[test]
fn the_body_is_the_canonical_form_of_itself() {
    let certificate = Entry {
        verifier: Verifier::Certificate { der: vec![1, 2], key_details: "PKIX \"x\"".to_owned() },
        ..entry()
    };
    for entry in [entry(), certificate] {
        let body = entry.body();
        let value = strict::parse(&body, MAX_BODY_BYTES).unwrap();
        assert_eq!(strict::canonical(&value).unwrap(), body);
        assert_eq!(Entry::parse(&body).unwrap(), entry);
    }
}

#[test]
fn refuses_bodies_that_are_not_the_one_spelling_of_an_entry() {
    let body = String::from_utf8(entry().body()).unwrap();
    let check = |changed: String, expected: BodyError| {
        assert_eq!(Entry::parse(changed.as_bytes()).expect_err(&changed), expected);
    };
    check(format!("{body} "), BodyError::NotCanonical);
    check(body.replace("\"kind\"", "\"more\":1,\"kind\""), BodyError::NotCanonical);
    check(
        body.replace("0.0.2", "0.0.1"),
        BodyError::Kind { found: "hashedrekord 0.0.1".to_owned() },
    );
    check(
        body.replace("PKIX_ED25519", "PKIX_ED25519_PH"),
        BodyError::KeyDetails { expected: "PKIX_ED25519", found: "PKIX_ED25519_PH".to_owned() },
    );
    check(
        body.replace("\"digest\":\"", "\"digest\":\"AA"),
        BodyError::Member { member: "/spec/hashedRekordV002/data/digest" },
    );
}

#[test]
fn reads_requests_in_both_spellings_and_verifies_them() {
    let envelope = Envelope::sign("t", b"payload", &key());
    let verifier = |public_key: &str, raw_bytes: &str, key_details: &str| {
        json!({public_key: {raw_bytes: base64::encode(key().public_key().spki_der())},
               key_details: "PKIX_ED25519"})
    };
    for (name, verifier) in [
        ("dsseRequestV002", verifier("publicKey", "rawBytes", "keyDetails")),
        ("dsse_request_v002", verifier("public_key", "raw_bytes", "key_details")),
    ] {
        let text = json!({name: {"envelope": envelope.to_value(), "verifiers": [verifier]}});
        let request = WriteRequest::parse(text.to_string().as_bytes()).unwrap();
        assert_eq!(request.verified_entry().unwrap(), entry());
    }
}

#[test]
fn a_digest_alone_cannot_vouch_for_an_ed25519_signature() {
    let request = WriteRequest::parse(request_for(&entry()).to_string().as_bytes()).unwrap();
    assert_eq!(
        request.verified_entry(),
        Err(RequestError::Signature(SignatureError::NeedsMessage))
    );
}

#[test]
fn names_the_kinds_that_are_supported() {
    for text in [r#"{"rfc3161RequestV001":{}}"#, "{}", r#"{"dsseRequestV002":{},"x":{}}"#, "[]"] {
        let message = WriteRequest::parse(text.as_bytes()).expect_err(text).to_string();
        assert!(message.contains("hashedRekordRequestV002 and dsseRequestV002"), "{message}");
    }
}

#[test]
fn the_log_id_is_the_untruncated_note_key_hash() {
    // SHA-256("example.org" ‖ 0x0a ‖ 0x01 ‖ 32 zero bytes), computed with coreutils' sha256sum.
    assert_eq!(
        hex::encode(LogId::of_ed25519("example.org", &[0; 32]).0),
        "0e68fa12aa2a6c9ceac4f545413cd84252424dadf6146599917499d8b7c02dd9"
    );
}
