//! What is a layout, and who signed it.

use super::*;
use crate::base64;
use crate::dsse::{Envelope, PAYLOAD_TYPE};
use crate::verify::Check;

/// The message of the refusal of a layout with one change.
#[track_caller]
fn message(change: impl FnOnce(&mut Value)) -> String {
    let mut layout = two_steps();
    change(&mut layout);
    chain(&parse(&metablock(&layout, &[OWNER])).expect_err("a refusal"))
}

fn envelope(layout: &Value, signers: &[u8]) -> Value {
    let payload = layout.to_string();
    let sign = |seed: &u8| Envelope::sign(PAYLOAD_TYPE, payload.as_bytes(), key(*seed));
    let signature = |seed| json!({"sig": base64::encode(&sign(seed).signature), "keyid": ""});
    json!({
        "payloadType": PAYLOAD_TYPE,
        "payload": base64::encode(payload.as_bytes()),
        "signatures": signers.iter().map(signature).collect::<Vec<_>>(),
    })
}

#[test]
fn reads_what_a_layout_says_in_both_forms() {
    let mut value = two_steps();
    value["steps"][1]["expected_command"] = json!(["make", "-j"]);
    let [one, other] = [metablock(&value, &[OWNER]), envelope(&value, &[OWNER])];
    let document = parse(&one).unwrap();
    let layout = document.layout();
    assert_eq!(parse(&other).unwrap().layout(), layout);
    assert_eq!((layout.expires, layout.keys.len()), (time(EXPIRES), 2));
    let build = &layout.steps[1];
    assert_eq!((build.name.as_str(), build.threshold), ("build", 1));
    assert_eq!(build.expected_command, ["make", "-j"]);
    assert_eq!(build.expected_materials[0].to_string(), "MATCH *.c WITH PRODUCTS FROM write");
    assert_eq!(layout.functionaries(build), [public(2)]);
    assert_eq!(document.source(), Sha256::of(one.to_string().as_bytes()));
}

#[test]
fn refuses_each_broken_member_and_says_which() {
    type Change = fn(&mut Value);
    let cases: &[(Change, &str)] = &[
        (|l| l["_type"] = "link".into(), "signed._type to be \"layout\", found \"link\""),
        (|l| l["_type"] = json!(1), "signed._type to be \"layout\", found a number"),
        (|l| l["expires"] = "tomorrow".into(), "expires is not a time: expected an RFC 3339 time"),
        (|l| l["expires"] = "2030-01-01T00:00:00+01:00".into(), "expected an RFC 3339 time in UTC"),
        (|l| l["steps"] = json!([]), "expected 1 to 128 steps in the layout, found 0"),
        (|l| l["steps"] = json!({}), "wrong shape"),
        (|l| l["steps"][1]["threshold"] = 0.into(), "a threshold of 1 to 1, the number"),
        (|l| l["steps"][1]["threshold"] = json!(-1), "distinct keys, found -1"),
        (|l| l["steps"][1]["threshold"] = 2.into(), "distinct keys, found 2"),
        (|l| l["steps"][1]["threshold"] = json!("1"), "wrong shape"),
        (|l| drop(l["steps"][1].as_object_mut().unwrap().remove("threshold")), "`threshold`"),
        (|l| l["steps"][1]["name"] = "write".into(), "each name once in the layout"),
        (|l| l["inspect"] = json!([{"name": "write"}]), "found \"write\" again"),
        (|l| l["steps"][1]["name"] = "".into(), "expected a name of 1 to 200 bytes"),
        (|l| l["steps"][1]["name"] = "a\nb".into(), "found \"a\\nb\""),
        (|l| l["steps"][1]["pubkeys"] = json!([]), "expected 1 to 64 keys of one step"),
        (|l| l["steps"][1]["pubkeys"] = json!(["ab"]), "expected key \"ab\" of step \"build\""),
        (
            |l| l["steps"][1]["expected_materials"][0] = json!(["MATCH", "*"]),
            "rule 0 for the materials of step \"build\" cannot be read: expected MATCH <pattern>",
        ),
        (
            |l| l["steps"][0]["expected_products"][1] = json!(["FORBID", "*"]),
            "rule 1 for the products of step \"write\" cannot be read: expected MATCH, CREATE",
        ),
        (
            |l| l["steps"][1]["expected_materials"][0][5] = "wrote".into(),
            "expected a step of the layout after FROM in \"MATCH *.c WITH PRODUCTS FROM wrote\"",
        ),
        (|l| l["keys"]["zz"] = json!({}), "expected a keyid of 1 to 128 hex digits"),
        (|l| l["keys"]["00"] = json!({}), "key \"00\" of the layout cannot be read"),
        (|l| l["keys"]["00"] = l["keys"][keyid_of(1)].clone(), "the keyid under which it stands"),
        (
            |l| l["keys"][keyid_of(1)]["keyval"]["public"] = "00".into(),
            "expected keyval.public to be a ed25519 key, as 64 hex digits",
        ),
    ];
    for (change, expected) in cases {
        let message = message(change);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn refuses_what_is_neither_form_or_both() {
    let both = |mut one: Value, other: Value| {
        one.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        one
    };
    let [one, other] = [metablock(&two_steps(), &[1]), envelope(&two_steps(), &[1])];
    for value in [two_steps(), json!({}), json!([]), both(one.clone(), other.clone())] {
        assert_eq!(parse(&value), Err(LayoutError::Form));
    }
    let text = one.to_string();
    let fraction = text.replacen("\"readme\":\"\"", "\"readme\":0.5", 1);
    assert_ne!(fraction, text);
    let refusal = LayoutDocument::parse(fraction.as_bytes()).unwrap_err().to_string();
    assert!(refusal.contains("no canonical form"), "{refusal}");
    let twice = text.replacen("{\"signatures\"", "{\"signatures\":[],\"signatures\"", 1);
    assert_ne!(twice, text);
    let refusal = LayoutDocument::parse(twice.as_bytes()).unwrap_err();
    assert!(chain(&refusal).contains("duplicate key"), "{refusal:?}");
    let mut changed = other;
    changed["payloadType"] = "application/json".into();
    assert!(parse(&changed).unwrap_err().to_string().starts_with("expected payloadType"));
    let mut changed = one;
    changed["signatures"] = vec![changed["signatures"][0].clone(); MAX_SIGNATURES + 1].into();
    let refusal = parse(&changed).unwrap_err().to_string();
    assert_eq!(refusal, "expected 0 to 16 signatures in the layout, found 17");
    let refusal = LayoutDocument::parse(&vec![b' '; MAX_LAYOUT_BYTES + 1]).unwrap_err();
    assert!(chain(&refusal).contains("at most 1048576 bytes"), "{refusal:?}");
}

#[test]
fn reads_a_key_in_the_form_of_each_implementation_and_keeps_others_aside() {
    let p256 = PublicKey::from_pem(include_str!("../../../vectors/keys/p256.pub")).unwrap();
    for key in [p256, public(1)] {
        for form in KeyForm::ALL {
            let value = layout_key(&key, form);
            let read = LayoutKey::from_value(&keyid(&key, form), value).unwrap();
            assert_eq!(read, LayoutKey::Known(key.clone()));
        }
    }
    let read = |keytype: &str, scheme: &str, public: Value| {
        let value = json!({"keytype": keytype, "scheme": scheme, "keyval": {"public": public}});
        LayoutKey::from_value("0a", value)
    };
    let p384 = "-----BEGIN PUBLIC KEY-----\n\
        MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEqofKIr6LBTeOscce8yCtdG4dO2KLp5uY\n\
        WfdB4IJUKjhVAvJdv1UpbDpUXjhydgq3NhfeSpYmLG9dnpi/kpLcKfj0Hb0omhR8\n\
        6doxE7XwuMAKYLHOHX6BnXpDHXyQ6g5f\n-----END PUBLIC KEY-----\n";
    for (keytype, scheme, public) in [
        ("rsa", "rsassa-pss-sha256", json!("-----BEGIN PUBLIC KEY-----")),
        ("ecdsa", "ecdsa-sha2-nistp384", json!(p384)),
        ("ecdsa", "ecdsa-sha2-nistp256", json!(p384)),
        ("dsa", "pgp+dsa-fips-180-2", json!({"y": "0", "p": "0"})),
    ] {
        let read = read(keytype, scheme, public).unwrap();
        assert!(matches!(&read, LayoutKey::Unsupported { found } if found.contains(scheme)));
    }
    for public in ["", "04", "-----BEGIN PUBLIC KEY-----"] {
        read("ecdsa", "ecdsa-sha2-nistp256", json!(public)).unwrap_err();
    }
}

#[test]
fn one_key_under_two_keyids_is_one_functionary() {
    let mut value = two_steps();
    let other = keyid(&public(2), KeyForm::Go);
    value["keys"][&other] = layout_key(&public(2), KeyForm::Go);
    value["steps"][1]["pubkeys"] = json!([keyid_of(2), other, keyid_of(2)]);
    let read = document(&value, &[OWNER]);
    assert_eq!(read.layout().functionaries(&read.layout().steps[1]), [public(2)]);
    value["steps"][1]["threshold"] = 2.into();
    let refusal = parse(&metablock(&value, &[OWNER])).unwrap_err().to_string();
    assert!(
        refusal.contains("a threshold of 1 to 1, the number of its distinct keys"),
        "{refusal}"
    );
}

#[test]
fn a_threshold_of_distinct_owners_signs_a_layout() {
    let sign = |signers: &[u8], owners: &[u8], threshold| {
        let owners: Vec<_> = owners.iter().map(|seed| public(*seed)).collect();
        let threshold = NonZeroUsize::new(threshold).unwrap();
        let documents =
            [metablock, envelope].map(|form| parse(&form(&two_steps(), signers)).unwrap());
        let outcomes = documents.map(|document| verify::layout(&document, &owners, threshold));
        let [one, other] = outcomes.map(|outcome| outcome.map(|signed| signed.into_inner().keys));
        assert_eq!(one, other);
        one
    };
    assert_eq!(sign(&[1], &[1], 1).unwrap(), [public(1)]);
    assert_eq!(sign(&[1, 2, 3], &[3, 1], 2).unwrap(), [public(3), public(1)]);
    for (signers, owners, threshold, found) in [
        (&[][..], &[1][..], 1, "a layout without signatures"),
        (&[2], &[1], 1, "one that does not verify"),
        (&[1, 2], &[1, 3], 2, "signatures by 1 of them"),
        (&[1, 1, 1], &[1, 1, 2], 2, "signatures by 1 of them"),
        (&[1], &[], 1, "no key that verifies it"),
    ] {
        let refusal = sign(signers, owners, threshold).unwrap_err();
        assert_eq!(refusal.check, Check::Signature);
        assert!(refusal.found.contains(found), "{refusal}");
    }
}

#[test]
fn a_signature_covers_each_member() {
    let sent = metablock(&two_steps(), &[OWNER]);
    type Change = fn(&mut Value);
    let changes: &[Change] = &[
        |l| l["expires"] = "2040-01-01T00:00:00Z".into(),
        |l| l["readme"] = "x".into(),
        |l| l["steps"][0]["pubkeys"] = json!([keyid_of(2)]),
        |l| l["steps"][0]["expected_products"] = json!([]),
        |l| l["more"] = 1.into(),
    ];
    for change in changes {
        let mut changed = sent.clone();
        change(&mut changed["signed"]);
        let changed = parse(&changed).unwrap();
        let refusal = verify::layout(&changed, &[public(OWNER)], NonZeroUsize::MIN).unwrap_err();
        assert!(refusal.found.contains("does not verify"), "{refusal}");
    }
    let changed = envelope(&two_steps(), &[OWNER]);
    let payload = two_steps().to_string().replace("2030", "2040");
    let mut changed = changed;
    changed["payload"] = base64::encode(payload.as_bytes()).into();
    let changed = parse(&changed).unwrap();
    verify::layout(&changed, &[public(OWNER)], NonZeroUsize::MIN).unwrap_err();
}

#[test]
fn signatures_of_several_envelopes_over_the_same_bytes_are_put_together() {
    let read = |signers: &[u8]| parse(&envelope(&two_steps(), signers)).unwrap();
    let mut both = read(&[1]);
    assert!(both.add_signatures_of(&read(&[2])));
    assert!(both.add_signatures_of(&read(&[1, 2])));
    assert_eq!(both.signatures().len(), 2);
    verify::layout(&both, &[public(1), public(2)], NonZeroUsize::new(2).unwrap()).unwrap();
    // The same layout in the other form is other bytes.
    assert!(!both.add_signatures_of(&document(&two_steps(), &[3])));
    let mut many = envelope(&two_steps(), &[]);
    let signature = |byte: u8| json!({"sig": base64::encode([byte])});
    many["signatures"] = (0..15).map(signature).collect();
    assert!(!both.add_signatures_of(&parse(&many).unwrap()));
    assert_eq!(both.signatures().len(), 2);
}
