//! Who signed a classic link, and what nobody signed.

use serde_json::{Value, json};

use super::*;
use crate::classic_link::{ClassicLink, canonical, keyid, keyids};
use crate::predicate::in_toto::Link;

const OF_PYTHON_P256: &str =
    include_str!("../../../vectors/classic-link/accepted/of-in-toto-3.1.0-p256.json");
const OF_PYTHON_ED25519: &str =
    include_str!("../../../vectors/classic-link/accepted/of-in-toto-3.1.0-ed25519.json");
const OF_GO_P256: &str =
    include_str!("../../../vectors/classic-link/accepted/of-in-toto-golang-p256.json");
const OF_GO_ED25519: &str =
    include_str!("../../../vectors/classic-link/accepted/of-in-toto-golang-ed25519.json");

fn of_vectors() -> [SigningKey; 2] {
    [
        include_str!("../../../vectors/keys/p256.pem"),
        include_str!("../../../vectors/keys/ed25519.pem"),
    ]
    .map(|pem| SigningKey::from_pkcs8_pem(pem).unwrap())
}

fn public(keys: &[SigningKey]) -> Vec<PublicKey> {
    keys.iter().map(|key| key.public_key().clone()).collect()
}

/// A link of ours, as JSON.
fn ours(key: &SigningKey) -> Value {
    let link = Link {
        name: "build".to_owned(),
        command: vec!["make".to_owned()],
        materials: vec![ResourceDescriptor::named("main.c", digest(OTHER))],
        byproducts: serde_json::Map::from_iter([("return-value".to_owned(), 0.into())]),
        environment: serde_json::Map::new(),
    };
    let products = [ResourceDescriptor::named("app", digest(ARTIFACT))];
    let written = ClassicLink::sign(&link, &products, key).unwrap();
    serde_json::from_slice(&written.to_json()).unwrap()
}

fn verify(link: &Value, keys: &[SigningKey]) -> Result<SignedLink, Refusal> {
    let link = ClassicLink::parse(link.to_string().as_bytes()).unwrap();
    super::classic_link(&link, &public(keys)).map(Verified::into_inner)
}

#[test]
fn links_of_the_other_implementations_verify_and_no_changed_one_does() {
    let [p256_key, ed25519_key] = of_vectors();
    for (text, key) in [
        (OF_PYTHON_P256, &p256_key),
        (OF_PYTHON_ED25519, &ed25519_key),
        (OF_GO_P256, &p256_key),
        (OF_GO_ED25519, &ed25519_key),
    ] {
        let link = ClassicLink::parse(text.as_bytes()).unwrap();
        let keys = public(&of_vectors());
        let signed = classic_link(&link, &keys).unwrap().into_inner();
        assert_eq!(signed.keys, [key.public_key().clone()]);
        assert_eq!(&signed.record, link.record());
        // SHA-256 of main.c begins so.
        let changed = text.replace("2ad75d95", "2ad75d96");
        assert_ne!(changed, text);
        let changed = ClassicLink::parse(changed.as_bytes()).unwrap();
        assert_eq!(classic_link(&changed, &keys).unwrap_err().check, Check::Signature);
    }
}

#[test]
fn a_link_of_ours_says_what_its_key_signed() {
    for key in [p256(1), ed25519(1)] {
        let link = ours(&key);
        let signed = verify(&link, &[p256(2), key, ed25519(2)]).unwrap();
        assert_eq!(signed.keys.len(), 1);
        assert_eq!(signed.record.name, "build");
        assert_eq!(signed.record.subjects(), [ResourceDescriptor::named("app", digest(ARTIFACT))]);
    }
}

#[test]
fn refuses_each_change_of_what_was_signed() {
    type Change = fn(&mut Value);
    let cases: &[(&str, Change)] = &[
        ("the digest of a product", |v| {
            v["signed"]["products"]["app"]["sha256"] = "0".repeat(64).into()
        }),
        ("the digest of a material", |v| {
            v["signed"]["materials"]["main.c"]["sha256"] = "0".repeat(64).into()
        }),
        ("one more product", |v| {
            v["signed"]["products"]["b"] = v["signed"]["products"]["app"].clone()
        }),
        ("no product", |v| v["signed"]["products"] = json!({})),
        ("the step", |v| v["signed"]["name"] = "test".into()),
        ("the command", |v| v["signed"]["command"] = json!(["make", ""])),
        ("the status", |v| v["signed"]["byproducts"]["return-value"] = 1.into()),
        ("the environment", |v| v["signed"]["environment"]["a"] = "b".into()),
        ("a member that is not read", |v| v["signed"]["note"] = "x".into()),
    ];
    for key in [p256(1), ed25519(1)] {
        let good = ours(&key);
        for (what, change) in cases {
            let mut link = good.clone();
            change(&mut link);
            let refusal = match verify(&link, &[p256(1), ed25519(1)]) {
                Ok(signed) => panic!("{what} was changed and verified as {signed:?}"),
                Err(refusal) => refusal,
            };
            assert_eq!(refusal.check, Check::Signature, "{what}: {refusal}");
        }
    }
}

#[test]
fn a_keyid_and_the_order_of_members_neither_help_nor_harm() {
    let mut link = ours(&p256(1));
    let stranger = keyid(p256(2).public_key(), crate::classic_link::KeyForm::Python);
    for signature in link["signatures"].as_array_mut().unwrap() {
        signature["keyid"] = stranger.clone().into();
    }
    verify(&link, &[p256(1)]).unwrap();
    verify(&link, &[p256(2)]).unwrap_err();
    let text = serde_json::to_string_pretty(&link).unwrap();
    let name = r#""name": "build","#;
    let moved = text.replacen(name, "", 1).replacen(r#""_type""#, &format!("{name}\"_type\""), 1);
    assert_ne!(moved, text);
    let moved = ClassicLink::parse(moved.as_bytes()).unwrap();
    classic_link(&moved, &public(&[p256(1)])).unwrap();
}

#[test]
fn each_key_that_signed_is_named_once() {
    let mut link = ours(&p256(1));
    let message = canonical(&link["signed"]).unwrap();
    let also = |key: &SigningKey| {
        let keyid = &keyids(key.public_key())[0];
        json!({"keyid": keyid, "sig": hex::encode(key.sign(&message))})
    };
    // A second signature of the same key differs, because ECDSA is randomized.
    let more = [also(&ed25519(1)), also(&p256(1))];
    link["signatures"].as_array_mut().unwrap().extend(more);
    let asked = [ed25519(1), p256(1), ed25519(2), p256(1), ed25519(1)];
    let signed = verify(&link, &asked).unwrap();
    assert_eq!(signed.keys, public(&[ed25519(1), p256(1)]));
}

#[test]
fn says_why_nobody_signed() {
    type Change = fn(&mut Value);
    let cases: &[(Change, &str)] = &[
        (|v| v["signatures"] = json!([]), "a link without signatures"),
        (
            |v| {
                let signature =
                    json!({"keyid": "0".repeat(40), "signature": "00", "other_headers": "04"});
                v["signatures"] = json!([signature]);
            },
            "signatures of OpenPGP only",
        ),
        (
            |v| v["signatures"][0]["sig"] = "00".repeat(64).into(),
            "64 bytes in the place of an ECDSA signature in ASN.1 DER",
        ),
        (
            // Over the same bytes as JSON, not in the canonical form.
            |v| v["signatures"][0]["sig"] = hex::encode(p256(1).sign(b"{}")).into(),
            "does not verify with this key",
        ),
    ];
    for (change, found) in cases {
        let mut link = ours(&p256(1));
        link["signatures"].as_array_mut().unwrap().truncate(1);
        change(&mut link);
        let refusal = verify(&link, &[p256(1)]).expect_err(found);
        assert!(refusal.found.contains(found), "{refusal}");
        assert!(refusal.expected.starts_with("a signature by SHA256:"), "{refusal}");
    }
    let refusal = verify(&ours(&p256(1)), &[]).unwrap_err();
    assert_eq!(refusal.expected, "a key to verify with");
}

#[test]
fn an_envelope_around_a_link_gives_it_too() {
    let text = json!({"_type": "link", "name": "package"}).to_string();
    let keys = public(&[ed25519(1), p256(1)]);
    let check = |payload_type: &str, payload: &str, signer: &SigningKey| {
        let sent = Envelope::sign(payload_type, payload.as_bytes(), signer);
        link_envelope(&sent, &keys).map(Verified::into_inner).map_err(|refusal| refusal.check)
    };
    let signed = check(PAYLOAD_TYPE, &text, &p256(1)).unwrap();
    assert_eq!((signed.record.name.as_str(), signed.keys), ("package", public(&[p256(1)])));
    assert_eq!(check(PAYLOAD_TYPE, &text, &p256(2)).unwrap_err(), Check::Signature);
    assert_eq!(check("text/plain", &text, &p256(1)).unwrap_err(), Check::Statement);
    assert_eq!(check(PAYLOAD_TYPE, "{}", &p256(1)).unwrap_err(), Check::Statement);
}
