use super::*;
use crate::key::PublicKey;

const PASSWORD: &[u8] = b"correct horse battery staple";
const OURS: &str = include_str!("../../../vectors/keys/p256.key");
const COSIGN: &str = include_str!("../../../vectors/keys/cosign.key");
const PLAIN: &str = include_str!("../../../vectors/keys/p256.pem");

fn body(file: &str) -> String {
    String::from_utf8(one_pem_block(file).unwrap().into_contents()).unwrap()
}

/// Opens the file of ours with one text in its body replaced by another.
fn open_changed(from: &str, to: &str) -> Result<SigningKey, KeyFileError> {
    let body = body(OURS);
    assert_eq!(body.matches(from).count(), 1, "{from} in {body}");
    decrypt(&encode_pem(LABEL, body.replace(from, to).as_bytes()), PASSWORD)
}

fn member<'a>(body: &'a str, name: &str) -> &'a str {
    body.split_once(&format!("\"{name}\":\"")).unwrap().1.split_once('"').unwrap().0
}

#[test]
fn opens_the_key_files_that_cosign_and_this_code_wrote() {
    for (file, public) in [
        (OURS, include_str!("../../../vectors/keys/p256.pub")),
        (COSIGN, include_str!("../../../vectors/keys/cosign.pub")),
        (
            include_str!("../../../vectors/keys/ed25519.key"),
            include_str!("../../../vectors/keys/ed25519.pub"),
        ),
    ] {
        assert_eq!(protection(file), Ok(Protection::Encrypted));
        let key = open(file, Some(PASSWORD)).unwrap();
        assert_eq!(key.public_key(), &PublicKey::from_pem(public).unwrap());
        assert_eq!(open(file, None).err(), Some(KeyFileError::PasswordNeeded));
        assert_eq!(open(file, Some(b"")).err(), Some(KeyFileError::WrongPassword));
    }
}

#[test]
fn writes_the_same_file_from_the_same_key_password_salt_and_nonce() {
    let key = SigningKey::from_pkcs8_pem(PLAIN).unwrap();
    assert_eq!(encrypt(&key, PASSWORD, [1; 32], [2; 24]), OURS);
    let ed25519 = SigningKey::from_pkcs8_pem(include_str!("../../../vectors/keys/ed25519.pem"));
    assert_eq!(
        encrypt(&ed25519.unwrap(), PASSWORD, [3; 32], [4; 24]),
        include_str!("../../../vectors/keys/ed25519.key")
    );
}

#[test]
fn opens_the_three_costs_in_use_and_no_other() {
    let key = SigningKey::from_pkcs8_pem(PLAIN).unwrap();
    for log2_n in [15, 16, 17] {
        let sealed = secretbox(PASSWORD, &[1; 32], log2_n)
            .encrypt(&Nonce::from([2; 24]), key.to_pkcs8_der().as_slice())
            .unwrap();
        let body = body(OURS)
            .replace("\"N\":65536", &format!("\"N\":{}", 1_u64 << log2_n))
            .replace(member(&body(OURS), "ciphertext"), &crate::base64::encode(&sealed));
        let opened = decrypt(&encode_pem(LABEL, body.as_bytes()), PASSWORD).unwrap();
        assert_eq!(opened.public_key(), key.public_key(), "N of 2^{log2_n}");
    }
    for n in ["16384", "262144", "65537", "1", "0", "18446744073709551615"] {
        let refusal = open_changed("\"N\":65536", &format!("\"N\":{n}")).expect_err(n);
        assert!(matches!(refusal, KeyFileError::Parameter { .. }), "{n}: {refusal}");
        assert!(refusal.to_string().contains(&format!("found scrypt with N of {n},")), "{refusal}");
    }
}

#[test]
fn refuses_a_file_that_was_altered() {
    let body = body(OURS);
    for name in ["salt", "nonce", "ciphertext"] {
        let value = member(&body, name);
        let first = if value.starts_with('A') { "B" } else { "A" };
        let changed = open_changed(value, &format!("{first}{}", &value[1..]));
        assert_eq!(changed.err(), Some(KeyFileError::WrongPassword), "{name}");
    }
    for shorter in ["", "AAAA"] {
        let changed = open_changed(member(&body, "ciphertext"), shorter);
        assert_eq!(changed.err(), Some(KeyFileError::WrongPassword), "{shorter:?}");
    }
}

#[test]
fn says_which_parameter_it_refuses() {
    let body = body(OURS);
    let short = crate::base64::encode([2; 23]);
    for (from, to, found) in [
        (member(&body, "nonce"), short.as_str(), "nacl/secretbox with a nonce of 23 bytes"),
        ("nacl/secretbox", "aes-gcm", "aes-gcm with a nonce of 24 bytes"),
        (member(&body, "salt"), "AAAA", "a salt of 3 bytes"),
        ("\"scrypt\"", "\"argon2\"", "argon2 with N of 65536"),
        ("\"r\":8", "\"r\":16", "r of 16"),
        ("\"p\":1", "\"p\":2", "p of 2"),
    ] {
        let refusal = open_changed(from, to).expect_err(to);
        assert!(matches!(refusal, KeyFileError::Parameter { .. }), "{to}: {refusal}");
        assert!(refusal.to_string().contains(found), "{to}: {refusal}");
    }
}

#[test]
fn reads_the_body_strictly() {
    for (from, to) in [
        ("{\"kdf\"", "{\"ciphertext\":\"AAAA\",\"kdf\""),
        ("\"p\":1", "\"p\":1,\"p\":1"),
        ("\"p\":1", "\"p\":1,\"q\":1"),
        ("\"N\":65536", "\"N\":65536.0"),
        ("\"N\":65536", "\"N\":\"65536\""),
        ("\"N\":65536", "\"N\":-65536"),
        ("\"r\":8,", ""),
        ("\"salt\":\"", "\"salt\":\"*"),
    ] {
        let refusal = open_changed(from, to).expect_err(to);
        assert!(matches!(refusal, KeyFileError::Body(_)), "{to}: {refusal}");
    }
}

#[test]
fn names_the_file_that_should_have_been_given() {
    for (label, remedy) in [
        ("PUBLIC KEY", "; signing needs the private key"),
        ("EC PRIVATE KEY", "; `openssl pkcs8 -topk8 -nocrypt` writes it as PKCS#8"),
        ("CERTIFICATE", ""),
    ] {
        let file = encode_pem(label, b"x");
        for refusal in [protection(&file).err(), open(&file, Some(PASSWORD)).err()] {
            assert_eq!(
                refusal.map(|e| e.to_string()),
                Some(format!("expected a PEM block {LABEL} or PRIVATE KEY, found {label}{remedy}"))
            );
        }
    }
    let plain = KeyFileError::Label { found: "PRIVATE KEY".to_owned() };
    assert_eq!(decrypt(PLAIN, PASSWORD).err(), Some(plain), "decrypt is for encrypted files");
}

#[test]
fn refuses_a_well_sealed_file_around_something_else() {
    let sealed = secretbox(PASSWORD, &[1; 32], WRITTEN_LOG2_N)
        .encrypt(&Nonce::from([2; 24]), b"not PKCS#8".as_slice())
        .unwrap();
    let refusal = open_changed(member(&body(OURS), "ciphertext"), &crate::base64::encode(&sealed));
    assert!(matches!(refusal, Err(KeyFileError::Key(KeyError::Der { .. }))), "{refusal:?}");
}
