use serde_json::Value;

use super::encrypted::{self, KeyFileError, Protection};
use super::*;

pub(crate) fn p256() -> SigningKey {
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
    check("", "found none");
    let one = p256().public_key().to_pem();
    check(&format!("{one}{one}"), "found 2");
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

/// An RFC 5280 `SubjectPublicKeyInfo` of Ed25519 around these 32 bytes.
fn ed25519_spki(point: [u8; 32]) -> Vec<u8> {
    let mut der = SigningKey::from_ed25519_seed([1; 32]).public_key().spki_der().to_vec();
    let at = der.len() - 32;
    der[at..].copy_from_slice(&point);
    der
}

#[test]
fn an_ed25519_point_has_one_encoding() {
    // 2^255 - 19 is ed ff .. ff 7f, so these are y = p + k: read modulo p they are the points of
    // k, all on the curve, but RFC 8032 §5.1.3 does not encode them so.
    for k in [0_u8, 1, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18] {
        for sign in [0x7f, 0xff] {
            let mut point = [0xff; 32];
            (point[0], point[31]) = (0xed + k, sign);
            let refusal = PublicKey::from_spki_der(&ed25519_spki(point)).expect_err("y >= p");
            let small_order = KeyError::Point { key_type: KeyType::Ed25519 };
            let expected = if k < 2 { small_order } else { KeyError::NotCanonical };
            assert_eq!(refusal, expected, "k of {k}, last byte {sign:x}");
        }
    }
}

#[test]
fn refuses_every_ed25519_point_of_small_order() {
    // The canonical encodings of the eight points, x of either sign.
    for text in [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ] {
        let point: [u8; 32] = hex::decode(text).unwrap().try_into().unwrap();
        assert!(VerifyingKey::from_bytes(&point).unwrap().is_weak(), "{text}");
        let weak = KeyError::Point { key_type: KeyType::Ed25519 };
        assert_eq!(PublicKey::from_spki_der(&ed25519_spki(point)), Err(weak), "{text}");
    }
}

#[test]
fn names_what_a_public_key_is_when_it_is_not_used() {
    let spki = |algorithm: &str, key: &str| {
        let content = [hex::decode(algorithm).unwrap(), hex::decode(key).unwrap()].concat();
        [&[0x30, u8::try_from(content.len()).unwrap()], content.as_slice()].concat()
    };
    let ec = "06072a8648ce3d0201";
    for (algorithm, key, expected) in [
        ("300d06092a864886f70d0101010500", "03020030", "found an RSA key"),
        (&format!("3010{ec}06052b81040023"), "03020004", "found a P-521 key"),
        (&format!("3010{ec}06052b8104000a"), "03020004", "found a secp256k1 key"),
        (&format!("3009{ec}"), "03020004", "found a key without a named curve"),
        // RFC 5480 §2.1.1: specifiedCurve, an explicit SEQUENCE, is not allowed.
        (&format!("300e{ec}3003020101"), "03020004", "found a key without a named curve"),
        ("300506032b6571", "03020000", "found an Ed448 key"),
        ("300506032b656e", "03020000", "found an X25519 key"),
        ("300506032a0304", "03020000", "found algorithm 1.2.3.4"),
    ] {
        let refusal = PublicKey::from_spki_der(&spki(algorithm, key)).expect_err(expected);
        let message = refusal.to_string();
        assert_eq!(message, format!("expected a P-256 or Ed25519 key, {expected}"));
    }
}

#[test]
fn refuses_every_other_encoding_of_a_public_key() {
    let p256 = include_str!("../../vectors/keys/p256.pub");
    let p256 = PublicKey::from_pem(p256).unwrap().spki_der().to_vec();
    let changed = |change: fn(&mut Vec<u8>)| {
        let mut der = p256.clone();
        change(&mut der);
        PublicKey::from_spki_der(&der)
    };
    let point = KeyError::Point { key_type: KeyType::P256 };
    // SEC 1 §2.3.3: 0x06 and 0x07 are the hybrid form of X9.62, which RFC 5480 §2.2 leaves out.
    assert_eq!(changed(|der| der[26] = 6), Err(point.clone()));
    assert_eq!(changed(|der| der[26] = 7), Err(point));
    assert_eq!(changed(|der| der[25] = 1), Err(KeyError::NotCanonical), "one unused bit");
    for (what, change) in [
        ("a byte after it", (|der| der.push(0)) as fn(&mut Vec<u8>)),
        ("a byte too few", |der| der.truncate(der.len() - 1)),
        ("the long form of a short length", |der| drop(der.splice(1..2, [0x81, 0x59]))),
        ("an indefinite length", |der| {
            der[1] = 0x80;
            der.extend([0, 0]);
        }),
    ] {
        let refusal = changed(change).expect_err(what);
        assert!(matches!(refusal, KeyError::Der { .. }), "{what}: {refusal}");
    }
    let compressed = "-----BEGIN PUBLIC KEY-----
MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgADTDErKskL9HDnNWaXHG4XTuZkhiYG
d83YHRYaiq7Rb/E=
-----END PUBLIC KEY-----
";
    assert_eq!(PublicKey::from_pem(compressed), Err(KeyError::Compressed));
    // RFC 8410 §3: the parameters must be absent.
    let mut null = ed25519_spki([9; 32]);
    null.splice(9..9, [5, 0]);
    (null[1], null[3]) = (0x2c, 7);
    assert_eq!(PublicKey::from_spki_der(&null), Err(KeyError::NotCanonical));
    let large = PublicKey::from_spki_der(&[0x30; MAX_SPKI_BYTES + 1]).expect_err("large");
    assert!(large.to_string().contains("at most 1024 are read"), "{large}");
}

#[test]
fn names_the_remedy_for_other_public_key_files() {
    for (label, remedy) in [
        ("PRIVATE KEY", "give the public key"),
        (encrypted::LABEL, "give the public key"),
        ("CERTIFICATE", "openssl x509 -noout -pubkey"),
        ("RSA PUBLIC KEY", "only P-256 and Ed25519"),
    ] {
        let refusal = PublicKey::from_pem(&encode_pem(label, b"x")).expect_err(label).to_string();
        assert!(refusal.starts_with("expected a PEM block PUBLIC KEY, found"), "{refusal}");
        assert!(refusal.contains(&format!("found {label}; ")), "{refusal}");
        assert!(refusal.contains(remedy), "{refusal}");
    }
}

#[test]
fn reads_one_whole_pem_block_and_no_headers() {
    let one = p256().public_key().to_pem();
    let explained = format!("A key of nobody.\n{one}\nEnd.\n");
    assert!(PublicKey::from_pem(&explained).is_ok(), "RFC 7468 §2 allows text around a block");
    assert!(PublicKey::from_pem(&one.replace('\n', "\r\n")).is_ok());
    let headers = one.replace("KEY-----\nM", "KEY-----\nProc-Type: 4,ENCRYPTED\n\nM");
    let large = format!("{one}{}", " ".repeat(MAX_PEM_BYTES));
    for (what, text, detail) in [
        ("a second block that does not end", format!("{one}-----BEGIN X-----\nAA"), "found 2"),
        ("a second block of another kind", format!("{one}{}", encode_pem("X", b"x")), "found 2"),
        ("no end", one.replace("END", "AND"), "cut off"),
        ("another end", one.replace("END PUBLIC", "END PRIVATE"), "another kind"),
        ("headers", headers, "one with headers"),
        ("a character outside base64", one.replace("KEY-----\nM", "KEY-----\n*"), "not base64"),
        ("too much text", large, "at most 65536 are read"),
    ] {
        let refusal = PublicKey::from_pem(&text).expect_err(what);
        assert!(matches!(refusal, KeyError::Pem { .. }), "{what}: {refusal}");
        assert!(refusal.to_string().contains(detail), "{what}: {refusal}");
    }
}

#[test]
fn refuses_the_raw_form_and_ber_of_a_signature_that_is_valid_in_der() {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
    let key = p256();
    let raw = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key.to_pkcs8_der())
        .unwrap()
        .sign(&aws_lc_rs::rand::SystemRandom::new(), b"m")
        .unwrap();
    assert_eq!(raw.as_ref().len(), 64);
    let der = key.sign(b"m");
    let length = der[1];
    for (what, signature) in [
        ("IEEE P1363", raw.as_ref().to_vec()),
        ("a byte after it", [der.as_slice(), &[0]].concat()),
        ("a byte too few", der[..der.len() - 1].to_vec()),
        ("a long length", [&[0x30, 0x81, length], &der[2..]].concat()),
        ("an indefinite length", [&[0x30, 0x80], &der[2..], &[0, 0]].concat()),
        ("nothing", Vec::new()),
    ] {
        let refusal = key.public_key().verify(b"m", &signature).expect_err(what);
        assert!(matches!(refusal, SignatureError::Encoding { .. }), "{what}: {refusal}");
        assert!(refusal.to_string().contains("an ECDSA signature in ASN.1 DER"), "{refusal}");
    }
    // One zero too many before r (X.690 §8.3.2), every length adjusted.
    let padded = [&[0x30, length + 1, 2, der[3] + 1, 0], &der[4..]].concat();
    assert_eq!(key.public_key().verify(b"m", &padded), Err(SignatureError::Invalid));
    let short = keys()[1].public_key().verify(b"m", &[0; 63]).expect_err("63 bytes");
    assert!(short.to_string().contains("64 bytes of an Ed25519 signature, found 63"), "{short}");
}

#[test]
fn key_types_are_written_as_they_are_read() {
    for (key_type, text, details) in [
        (KeyType::P256, "p256", "PKIX_ECDSA_P256_SHA_256"),
        (KeyType::Ed25519, "ed25519", "PKIX_ED25519"),
    ] {
        assert_eq!(key_type.to_string(), text);
        assert_eq!(text.parse(), Ok(key_type));
        assert!(text.to_uppercase().parse::<KeyType>().is_err());
        let key = keys().into_iter().find(|key| key.key_type() == key_type).unwrap();
        assert_eq!(key.public_key().key_details(), details);
    }
}

#[test]
fn refuses_an_ed25519_signature_whose_r_is_of_small_order() {
    // R is the neutral element and S = H(R, A, M) times the secret scalar: RFC 8032 §5.1.7 holds,
    // so only the strict check refuses it.
    let signature = "0100000000000000000000000000000000000000000000000000000000000000\
                     324a58ccc042d3ab39bbdc26597fb39827a159256aed3c62b396d4c6830c0808";
    let signature: [u8; 64] = hex::decode(signature).unwrap().try_into().unwrap();
    let public = SigningKey::from_ed25519_seed([1; 32]).public_key().clone();
    let lenient = VerifyingKey::from_bytes(&public.ed25519_raw().unwrap()).unwrap();
    let parsed = ed25519_dalek::Signature::from_bytes(&signature);
    assert!(ed25519_dalek::Verifier::verify(&lenient, b"m", &parsed).is_ok());
    assert_eq!(public.verify(b"m", &signature), Err(SignatureError::Invalid));
}
