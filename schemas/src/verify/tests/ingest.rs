//! What a registry is sent.

use super::*;

fn keys() -> Vec<PublicKey> {
    vec![ed25519(1).public_key().clone(), p256(1).public_key().clone()]
}

#[test]
fn an_envelope_of_a_trusted_key_comes_with_its_statement_and_entry() {
    for signer in [p256(1), ed25519(1)] {
        let payload = statement(TEST_RESULT).to_json();
        let sent = Envelope::sign(PAYLOAD_TYPE, &payload, &signer);
        let signed = envelope(&sent, &keys()).unwrap().into_inner();
        assert_eq!(signed.entry, Entry::for_envelope(&sent, signer.public_key()));
        assert_eq!(signed.statement, statement(TEST_RESULT));
        let author = Author::Key(signer.public_key().clone());
        assert_eq!((signed.author, signed.envelope), (author, sent));
    }
}

#[test]
fn refuses_envelopes_that_no_trusted_key_signed_or_that_hold_no_statement() {
    let check = |change: fn(&mut Envelope), failing: Check, found: &str| {
        let mut sent = Envelope::sign(PAYLOAD_TYPE, &statement(TEST_RESULT).to_json(), &p256(1));
        change(&mut sent);
        let refusal = envelope(&sent, &keys()).unwrap_err();
        assert_eq!(refusal.check, failing, "{refusal}");
        assert!(refusal.found.contains(found), "{refusal}");
    };
    check(|e| *e = Envelope::sign(PAYLOAD_TYPE, &e.payload, &p256(2)), Check::Signature, "");
    check(|e| *e = Envelope::sign(PAYLOAD_TYPE, &e.payload, &ed25519(2)), Check::Signature, "");
    check(|e| e.payload.push(b' '), Check::Signature, "does not verify");
    check(|e| e.payload_type.push('x'), Check::Signature, "does not verify");
    check(|e| e.signature = p256(1).sign(&e.payload), Check::Signature, "does not verify");
    check(
        |e| *e = Envelope::sign("text/plain", &e.payload, &p256(1)),
        Check::Statement,
        "text/plain",
    );
    check(|e| *e = Envelope::sign(PAYLOAD_TYPE, b"{}", &p256(1)), Check::Statement, "_type");
}

#[test]
fn a_key_hint_neither_helps_nor_harms() {
    let mut sent = Envelope::sign(PAYLOAD_TYPE, &statement(TEST_RESULT).to_json(), &p256(1));
    sent.keyid = Some(p256(2).public_key().fingerprint().to_string());
    let author = Author::Key(p256(1).public_key().clone());
    assert_eq!(envelope(&sent, &keys()).unwrap().get().author, author);
    sent.signature = p256(2).sign(&sent.pae());
    assert_eq!(envelope(&sent, &keys()).unwrap_err().check, Check::Signature);
}

#[test]
fn a_signature_over_a_digest_comes_with_its_entry() {
    let sent = MessageSignature { digest: digest(ARTIFACT), signature: p256(1).sign(ARTIFACT) };
    let signed = message(&sent, &keys()).unwrap().into_inner();
    let entry = Entry::for_message(Sha256::of(ARTIFACT), &sent.signature, p256(1).public_key());
    let author = Author::Key(p256(1).public_key().clone());
    assert_eq!((signed.entry, signed.author), (entry, author));
}

#[test]
fn refuses_signatures_over_digests_that_no_trusted_key_made_or_that_it_cannot_check() {
    let check = |change: fn(&mut MessageSignature), expected: &str, found: &str| {
        let digest = digest(ARTIFACT);
        let mut sent = MessageSignature { digest, signature: p256(1).sign(ARTIFACT) };
        change(&mut sent);
        let refusal = message(&sent, &keys()).unwrap_err();
        assert_eq!(refusal.check, Check::Signature, "{refusal}");
        assert!(refusal.expected.contains(expected), "{refusal}");
        assert!(refusal.found.contains(found), "{refusal}");
    };
    check(|m| m.digest = digest(OTHER), "one of SHA256:", "does not verify");
    check(|m| m.signature = p256(2).sign(ARTIFACT), "one of SHA256:", "does not verify");
    // The key is trusted, but a digest cannot show that it made the signature.
    check(|m| m.signature = ed25519(1).sign(ARTIFACT), "one of SHA256:", "");
    let sha512 = |m: &mut MessageSignature| {
        m.digest = Digest::new("sha512", &"0".repeat(128)).unwrap();
    };
    check(sha512, "a signature over a SHA-256 digest", "one over sha512");
}
