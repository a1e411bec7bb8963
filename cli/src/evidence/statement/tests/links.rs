//! Classic links: on their own, in metablocks and in envelopes.

use attestry_schemas::classic_link::ClassicLink;

use super::*;

fn classic() -> Value {
    json!({
        "_type": "link", "name": "package", "command": ["tar"], "environment": {},
        "materials": { "foo.py": { "sha256": SHA256 } },
        "products": { "foo.tar": { "sha256": SHA256, "sha1": "0".repeat(40) } },
        "byproducts": { "return-value": 0 }
    })
}

fn metablock(signer: &SigningKey) -> Value {
    let unsigned = json!({ "signed": classic(), "signatures": [{ "keyid": SHA256, "sig": "00" }] });
    let link = ClassicLink::from_value(unsigned.clone()).unwrap();
    let mut signed = unsigned;
    signed["signatures"][0]["sig"] = hex::encode(signer.sign(link.signed_bytes())).into();
    signed
}

#[test]
fn each_form_of_a_link_becomes_the_same_predicate() {
    let signer = key(1);
    let trust = trusting(&[signer.public_key()]);
    for (format, document, signed) in [
        ("in-toto-link", classic(), false),
        ("in-toto-link", metablock(&signer), true),
        ("dsse", envelope(&classic(), &signer).to_value(), true),
    ] {
        let report = report(&document);
        let imported = read_as(&report, format).unwrap();
        assert_eq!(import(&report, Some("link")).unwrap().0.name, format);
        let about: Vec<_> = imported.evidence[0].about().iter().map(|d| d.value()).collect();
        assert_eq!(about, [SHA256], "{document}");
        let (uri, value, warnings) = predicate_of(&report, &imported, &trust);
        assert_eq!(uri, "https://in-toto.io/attestation/link/v0.3");
        assert_eq!(warnings.len(), usize::from(signed), "{warnings:?}");
        assert_eq!(value["name"], "package");
        let material = json!([{ "name": "foo.py", "digest": { "sha256": SHA256 } }]);
        assert_eq!(value["materials"], material);
        let named = &value["https://attestry.dev/evidence/v1"]["report"]["digest"]["sha256"];
        assert_eq!(*named, report.sha256().hex());
    }
}

#[test]
fn refuses_links_of_other_keys_and_what_is_no_link() {
    let report = report(&metablock(&key(2)));
    let imported = read_as(&report, "in-toto-link").unwrap();
    let refused = product(&report, &imported, &trusting(&[key(1).public_key()])).unwrap_err();
    assert!(matches!(refused, ImportError::Unverified { .. }), "{refused}");
    let mut layout = metablock(&key(1));
    layout["signed"]["_type"] = "layout".into();
    let told = read_as(&self::report(&layout), "in-toto-link").unwrap_err().to_string();
    assert!(told.contains("expected signed._type to be \"link\", found \"layout\""), "{told}");
    let mut changed = metablock(&key(1));
    changed["signed"]["name"] = "other".into();
    let report = self::report(&changed);
    let imported = read_as(&report, "in-toto-link").unwrap();
    let refused = product(&report, &imported, &trusting(&[key(1).public_key()])).unwrap_err();
    assert!(matches!(refused, ImportError::Unverified { .. }), "{refused}");
}
