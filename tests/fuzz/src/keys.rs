//! Targets for key files.

use attestry_schemas::base64;
use attestry_schemas::key::{Fingerprint, PublicKey, SigningKey, encrypted};

use crate::text;

/// A public key, a plain private key or a fingerprint, as text.
pub fn key_pem(input: &[u8]) -> bool {
    let Some(text) = text(input) else { return false };
    let public = PublicKey::from_pem(text).ok();
    if let Some(key) = &public {
        let again = PublicKey::from_pem(&key.to_pem()).expect("a key is written so that it parses");
        assert_eq!(&again, key);
        assert_eq!(PublicKey::from_spki_der(key.spki_der()).as_ref(), Ok(key));
        let named: Fingerprint = key
            .fingerprint()
            .to_string()
            .parse()
            .expect("a fingerprint is written so that it parses");
        assert_eq!(named, key.fingerprint());
        assert!(key.verify(b"", input).is_err(), "PEM is no signature");
    }
    let private = SigningKey::from_pkcs8_pem(text).ok();
    if let Some(key) = &private {
        let signature = key.sign(input);
        assert_eq!(key.public_key().verify(input, &signature), Ok(()), "a key that does not sign");
        let again = SigningKey::from_pkcs8_der(&key.to_pkcs8_der()).expect("PKCS#8 reads again");
        assert_eq!(again.public_key(), key.public_key());
    }
    let fingerprint = text.parse::<Fingerprint>().ok();
    if let Some(fingerprint) = &fingerprint {
        assert_eq!(fingerprint.to_string(), text, "a fingerprint has one spelling");
    }
    public.is_some() || private.is_some() || fingerprint.is_some()
}

/// An encrypted private key file: the file itself, or the JSON inside its PEM block.
///
/// Inputs that ask for an accepted derivation cost as much as the format demands, a tenth of a second.
pub fn encrypted_key(input: &[u8]) -> bool {
    const PASSWORD: &[u8] = b"fuzz";
    let key = match text(input).filter(|text| text.starts_with("-----BEGIN")) {
        Some(file) => encrypted::open(file, Some(PASSWORD)),
        None => encrypted::open(&in_pem(input), Some(PASSWORD)),
    };
    if let Ok(key) = &key {
        let message = b"message";
        assert_eq!(key.public_key().verify(message, &key.sign(message)), Ok(()));
    }
    key.is_ok()
}

/// RFC 7468: base64 in lines of 64 characters between the boundaries.
fn in_pem(body: &[u8]) -> String {
    let (label, mut file) = (encrypted::LABEL, String::new());
    let encoded = base64::encode(body);
    let mut rest = encoded.as_str();
    while let Some((line, after)) = rest.split_at_checked(64) {
        file.push_str(line);
        file.push('\n');
        rest = after;
    }
    format!("-----BEGIN {label}-----\n{file}{rest}\n-----END {label}-----\n")
}
