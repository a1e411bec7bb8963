use crate::digest::Sha256;

use super::super::{encode_pem, fingerprint::Fingerprint};
use super::*;

/// RFC 8410 §10.3: one key in version 1, in version 2 with an attribute, and its public half (§10.1).
const RFC8410_V1: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";
const RFC8410_V2: &str = "-----BEGIN PRIVATE KEY-----
MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
Z9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PRIVATE KEY-----
";
const RFC8410_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";

const P256: &str = include_str!("../../../vectors/keys/p256.pem");
const P256_PUBLIC: &str = include_str!("../../../vectors/keys/p256.pub");
const ED25519: &str = include_str!("../../../vectors/keys/ed25519.pem");
const ED25519_PUBLIC: &str = include_str!("../../../vectors/keys/ed25519.pub");

fn der(pem: &str) -> Vec<u8> {
    one_pem_block(pem).unwrap().into_contents()
}

/// The DER with one header for the whole, whose content is `parts`.
fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u8::try_from(content.len()).unwrap();
    [if length < 0x80 { vec![0x30, length] } else { vec![0x30, 0x81, length] }, content].concat()
}

/// PKCS#8 version 2 of the P-256 vector, with `stated` as the public half beside the key.
fn p256_version_2(stated: &[u8]) -> Vec<u8> {
    let v1 = der(P256);
    let rest = &v1[6..]; // past the header (3 bytes) and version 0 (3 bytes)
    let public = [&[0x81, u8::try_from(stated.len() + 1).unwrap(), 0], stated].concat();
    sequence(&[&[2, 1, 1], rest, &public])
}

/// PKCS#8 around an `ECPrivateKey` (RFC 5915) without the optional members.
fn p256_without_public(scalar: &[u8; 32]) -> Vec<u8> {
    let algorithm = &der(P256)[6..27];
    let inner = sequence(&[&[2, 1, 1, 4, 32], scalar]);
    let wrapped = [&[4, u8::try_from(inner.len()).unwrap()], inner.as_slice()].concat();
    sequence(&[&[2, 1, 0], algorithm, &wrapped])
}

fn p256_scalar() -> [u8; 32] {
    der(P256)[36..68].try_into().unwrap()
}

#[test]
fn reads_what_openssl_and_rfc_8410_write_and_finds_the_same_public_key() {
    for (private, public) in [
        (P256, P256_PUBLIC),
        (ED25519, ED25519_PUBLIC),
        (RFC8410_V1, RFC8410_PUBLIC),
        (RFC8410_V2, RFC8410_PUBLIC),
    ] {
        let key = SigningKey::from_pkcs8_pem(private).unwrap();
        assert_eq!(key.public_key().to_pem(), public);
    }
}

#[test]
fn writes_the_pkcs8_that_openssl_writes() {
    for private in [P256, ED25519, RFC8410_V1] {
        let key = SigningKey::from_pkcs8_pem(private).unwrap();
        assert_eq!(encode_pem("PRIVATE KEY", &key.to_pkcs8_der()), private);
    }
    let (v1, v2) = (der(RFC8410_V1), der(RFC8410_V2));
    assert_eq!(SigningKey::from_pkcs8_der(&v2).unwrap().to_pkcs8_der().as_slice(), v1);
}

#[test]
fn reads_p256_with_its_public_half_inside_beside_and_nowhere() {
    let public = PublicKey::from_pem(P256_PUBLIC).unwrap();
    let point = &public.spki_der()[26..];
    for der in [der(P256), p256_version_2(point), p256_without_public(&p256_scalar())] {
        let key = SigningKey::from_pkcs8_der(&der).unwrap();
        assert_eq!(key.public_key(), &public);
        let again = SigningKey::from_pkcs8_der(&key.to_pkcs8_der()).unwrap();
        assert_eq!(again.public_key(), &public);
    }
}

#[test]
fn refuses_a_private_key_beside_the_public_half_of_another() {
    let other = SigningKey::from_pkcs8_der(&p256_without_public(&[1; 32])).unwrap();
    let point = &other.public_key().spki_der()[26..];
    assert_eq!(
        SigningKey::from_pkcs8_der(&p256_version_2(point)).err(),
        Some(KeyError::Mismatch),
        "beside, P-256"
    );
    let mut inside = der(P256);
    let at = inside.len() - 65;
    inside[at..].copy_from_slice(point);
    assert_eq!(
        SigningKey::from_pkcs8_der(&inside).err(),
        Some(KeyError::Private { key_type: KeyType::P256 }),
        "inside, P-256"
    );
    let mut beside = der(RFC8410_V2);
    let at = beside.len() - 32;
    beside[at..].copy_from_slice(&der(ED25519_PUBLIC)[12..]);
    assert_eq!(
        SigningKey::from_pkcs8_der(&beside).err(),
        Some(KeyError::Mismatch),
        "beside, Ed25519"
    );
}

#[test]
fn refuses_private_keys_that_are_malformed_or_out_of_range() {
    let p256 = KeyError::Private { key_type: KeyType::P256 };
    let ed25519 = KeyError::Private { key_type: KeyType::Ed25519 };
    // SEC 1 §3.2.1: the scalar lies in 1 to n - 1.
    let order: [u8; 32] =
        hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
            .unwrap()
            .try_into()
            .unwrap();
    let mut short = der(RFC8410_V1);
    short.truncate(47);
    (short[1], short[13], short[15]) = (0x2d, 0x21, 0x1f);
    let mut parameters = der(RFC8410_V1);
    parameters.splice(12..12, [5, 0]); // NULL
    (parameters[1], parameters[6]) = (0x30, 7);
    for (what, der, expected) in [
        ("a scalar of 0", p256_without_public(&[0; 32]), &p256),
        ("a scalar of n", p256_without_public(&order), &p256),
        ("a seed of 31 bytes", short, &ed25519),
        ("Ed25519 with parameters", parameters, &ed25519),
    ] {
        assert_eq!(SigningKey::from_pkcs8_der(&der).err().as_ref(), Some(expected), "{what}");
    }
    for pem in [P256, ED25519, RFC8410_V2] {
        let whole = der(pem);
        let trailing = [whole.as_slice(), &[0]].concat();
        let truncated = &whole[..whole.len() - 1];
        for der in [trailing.as_slice(), truncated, b"", b"0"] {
            let refusal = SigningKey::from_pkcs8_der(der).expect_err(pem);
            assert!(matches!(refusal, KeyError::Der { .. }), "{refusal}");
        }
    }
}

#[test]
fn names_the_algorithm_of_private_keys_that_are_not_used() {
    let rsa =
        sequence(&[&[2, 1, 0], &hex::decode("300d06092a864886f70d010101050004020500").unwrap()]);
    let p384 = sequence(&[
        &[2, 1, 0],
        &hex::decode("301006072a8648ce3d020106052b8104002204020500").unwrap(),
    ]);
    for (der, expected) in [(rsa, "found an RSA key"), (p384, "found a P-384 key")] {
        let refusal = SigningKey::from_pkcs8_der(&der).expect_err(expected).to_string();
        assert!(refusal.starts_with("expected a P-256 or Ed25519 key"), "{refusal}");
        assert!(refusal.ends_with(expected), "{refusal}");
    }
}

#[test]
fn names_the_remedy_for_other_private_key_files() {
    for (label, remedy) in [
        ("EC PRIVATE KEY", "openssl pkcs8 -topk8 -nocrypt"),
        ("ENCRYPTED PRIVATE KEY", "openssl pkcs8"),
        ("RSA PRIVATE KEY", "only P-256 and Ed25519"),
        ("PUBLIC KEY", "signing needs the private key"),
    ] {
        let refusal = SigningKey::from_pkcs8_pem(&encode_pem(label, b"x")).expect_err(label);
        let message = refusal.to_string();
        assert!(message.contains(&format!("found {label}; ")), "{message}");
        assert!(message.contains(remedy), "{message}");
    }
}

#[test]
fn signs_ed25519_as_rfc_8032_does() {
    // RFC 8032 §7.1, TEST 2.
    let bytes = |text: &str| hex::decode(text).unwrap();
    let seed = bytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    let key = SigningKey::from_ed25519_seed(seed.try_into().unwrap());
    assert_eq!(
        key.public_key().ed25519_raw().unwrap().as_slice(),
        bytes("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    );
    let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                     085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    assert_eq!(key.sign(&[0x72]), bytes(signature));
}

#[test]
fn debug_shows_the_fingerprint_and_nothing_else() {
    let key = SigningKey::from_pkcs8_pem(P256).unwrap();
    let fingerprint = Fingerprint::of_spki(key.public_key().spki_der());
    assert_eq!(format!("{key:?}"), format!("SigningKey({fingerprint})"));
    let digest = Sha256::of(b"m");
    assert_ne!(key.sign_digest(&digest), key.sign_digest(&digest), "ECDSA nonces are fresh");
}
