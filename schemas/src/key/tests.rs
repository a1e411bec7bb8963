use serde_json::Value;

use super::encrypted::{self, KeyFileError, Protection};
use super::*;

fn p256() -> SigningKey {
    let key = aws_lc_rs::signature::EcdsaKeyPair::generate(
        &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING,
    )
    .unwrap();
    SigningKey::from_pkcs8_der(key.to_pkcs8v1().unwrap().as_ref()).unwrap()
}

fn keys() -> [SigningKey; 2] {
    [p256(), SigningKey::from_ed25519_seed([1; 32])]
}

#[test]
fn signs_and_verifies_and_refuses_every_changed_byte() {
    for key in keys() {
        let (public, message) = (key.public_key(), b"message".to_vec());
        let signature = key.sign(&message);
        public.verify(&message, &signature).unwrap();
        for i in 0..signature.len() {
            let mut changed = signature.clone();
            changed[i] ^= 1;
            assert!(public.verify(&message, &changed).is_err(), "{} byte {i}", key.key_type());
        }
        assert_eq!(public.verify(b"messagf", &signature), Err(SignatureError::Invalid));
    }
}

#[test]
fn only_p256_signs_and_verifies_by_digest() {
    let [p256, ed25519] = keys();
    let digest = Sha256::of(b"message");
    let signature = p256.sign_digest(&digest).unwrap();
    p256.public_key().verify(b"message", &signature).unwrap();
    assert_eq!(ed25519.sign_digest(&digest), Err(SignatureError::NeedsMessage));
    assert_eq!(
        ed25519.public_key().verify_digest(&digest, &[0; 64]),
        Err(SignatureError::NeedsMessage)
    );
}

#[test]
fn names_the_encoding_when_a_signature_is_raw() {
    let message = p256().public_key().verify(b"m", &[7; 64]).expect_err("raw").to_string();
    assert!(message.contains("ASN.1 DER"), "{message}");
}

#[test]
fn keys_survive_pem_and_have_one_fingerprint() {
    for key in keys() {
        let public = key.public_key();
        assert_eq!(PublicKey::from_pem(&public.to_pem()).as_ref(), Ok(public));
        let text = public.fingerprint().to_string();
        assert_eq!(text.len(), "SHA256:".len() + 43);
        assert_eq!(text.parse(), Ok(public.fingerprint()));
        assert!(text.replace("SHA256", "sha256").parse::<Fingerprint>().is_err());
    }
}

#[test]
fn refuses_keys_of_other_kinds_by_name() {
    let check = |pem: &str, expected: &str| {
        let message = PublicKey::from_pem(pem).expect_err(expected).to_string();
        assert!(message.contains(expected), "{message}");
    };
    let generate = |algorithm| {
        let key = aws_lc_rs::signature::EcdsaKeyPair::generate(algorithm).unwrap();
        use aws_lc_rs::encoding::AsDer as _;
        use aws_lc_rs::signature::KeyPair as _;
        let der: aws_lc_rs::encoding::PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
        encode_pem("PUBLIC KEY", der.as_ref())
    };
    check(&generate(&aws_lc_rs::signature::ECDSA_P384_SHA384_ASN1_SIGNING), "P-384");
    check(&encode_pem("PRIVATE KEY", b"x"), "found PRIVATE KEY");
    check(&encode_pem("PUBLIC KEY", b"x"), "does not parse");
    check("", "0 PEM blocks");
    let one = p256().public_key().to_pem();
    check(&format!("{one}{one}"), "2 PEM blocks");
}

#[test]
fn refuses_points_that_are_invalid_or_of_small_order() {
    let key = SigningKey::from_ed25519_seed([1; 32]);
    let mut der = key.public_key().spki_der().to_vec();
    let at = der.len() - 32;
    // The neutral element of the group: y = 1.
    der[at..].fill(0);
    der[at] = 1;
    let weak = KeyError::Point { key_type: KeyType::Ed25519 };
    assert_eq!(PublicKey::from_spki_der(&der), Err(weak));
    let mut der = p256().public_key().spki_der().to_vec();
    *der.last_mut().unwrap() ^= 1;
    let invalid = KeyError::Point { key_type: KeyType::P256 };
    assert_eq!(PublicKey::from_spki_der(&der), Err(invalid));
}

#[test]
fn an_encrypted_key_opens_with_its_password_alone() {
    for key in keys() {
        let text = encrypted::encrypt(&key, b"secret", [1; 32], [2; 24]);
        assert_eq!(encrypted::protection(&text), Ok(Protection::Encrypted));
        let opened = encrypted::open(&text, Some(b"secret")).unwrap();
        assert_eq!(opened.public_key(), key.public_key());
        assert_eq!(encrypted::open(&text, None).err(), Some(KeyFileError::PasswordNeeded));
        assert_eq!(
            encrypted::open(&text, Some(b"Secret")).err(),
            Some(KeyFileError::WrongPassword)
        );
        let old = text.replace("SIGSTORE", "COSIGN");
        assert!(encrypted::open(&old, Some(b"secret")).is_ok());
    }
}

#[test]
fn refuses_costs_that_no_signer_uses_before_it_pays_them() {
    let text = encrypted::encrypt(&p256(), b"", [1; 32], [2; 24]);
    let body = String::from_utf8(one_pem_block(&text).unwrap().into_contents()).unwrap();
    for (from, to) in [
        ("\"N\":65536", "\"N\":1073741824"),
        ("\"r\":8", "\"r\":4096"),
        ("\"p\":1", "\"p\":64"),
        ("\"scrypt\"", "\"none\""),
        ("nacl/secretbox", "none"),
    ] {
        assert!(body.contains(from));
        let changed = encode_pem(encrypted::LABEL, body.replace(from, to).as_bytes());
        let refusal = encrypted::decrypt(&changed, b"").expect_err(to);
        assert!(matches!(refusal, KeyFileError::Parameter { .. }), "{to}: {refusal}");
    }
}

#[test]
fn reads_plain_pkcs8_and_refuses_public_keys_by_label() {
    for key in keys() {
        let text = encode_pem("PRIVATE KEY", &key.to_pkcs8_der());
        assert_eq!(encrypted::open(&text, None).unwrap().public_key(), key.public_key());
        let refusal = encrypted::open(&key.public_key().to_pem(), None).expect_err("public");
        assert_eq!(refusal, KeyFileError::Label { found: "PUBLIC KEY".to_owned() });
    }
}

fn vectors(file: &str) -> Option<Value> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/vectors/wycheproof")
        .join(file);
    let Ok(text) = std::fs::read(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    };
    Some(serde_json::from_slice(&text).unwrap())
}

/// Runs every case of a Wycheproof file; `der` is where a group keeps its key.
fn check_wycheproof(file: &str, der: &str) {
    let Some(vectors) = vectors(file) else { return };
    let bytes = |v: &Value| hex::decode(v.as_str().unwrap()).unwrap();
    let mut run = 0;
    for group in vectors["testGroups"].as_array().unwrap() {
        let key = PublicKey::from_spki_der(&bytes(&group[der])).unwrap();
        for case in group["tests"].as_array().unwrap() {
            let outcome = key.verify(&bytes(&case["msg"]), &bytes(&case["sig"]));
            let expected = match case["result"].as_str().unwrap() {
                "valid" => true,
                "invalid" => false,
                other => panic!("{file} case {}: result {other} needs a decision", case["tcId"]),
            };
            assert_eq!(
                outcome.is_ok(),
                expected,
                "{file} case {}: {}",
                case["tcId"],
                case["comment"]
            );
            run += 1;
        }
    }
    assert_eq!(run, vectors["numberOfTests"].as_u64().unwrap(), "{file}");
}

#[test]
fn agrees_with_wycheproof_on_ed25519() {
    check_wycheproof("ed25519_test.json", "publicKeyDer");
}

#[test]
fn agrees_with_wycheproof_on_ecdsa_p256() {
    check_wycheproof("ecdsa_secp256r1_sha256_test.json", "publicKeyDer");
}
