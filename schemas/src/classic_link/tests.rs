//! Links that are written, and what classic metadata cannot hold. What is read is in
//! `schemas/vectors/classic-link`; who signed is tested beside [`crate::verify`].

use serde_json::{Value, json};

use super::*;
use crate::digest::{Digest, DigestSet, Sha256};
use crate::key::{PublicKey, SigningKey};
use crate::predicate::in_toto::Link;
use crate::problem::chain;
use crate::statement::ResourceDescriptor;

fn p256() -> SigningKey {
    SigningKey::from_pkcs8_pem(include_str!("../../vectors/keys/p256.pem")).unwrap()
}

fn ed25519() -> SigningKey {
    SigningKey::from_pkcs8_pem(include_str!("../../vectors/keys/ed25519.pem")).unwrap()
}

fn file(name: &str, digit: &str) -> ResourceDescriptor {
    ResourceDescriptor::named(name, Digest::new("sha256", &digit.repeat(64)).unwrap())
}

fn map(value: Value) -> serde_json::Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn link() -> Link {
    Link {
        name: "build".to_owned(),
        command: ["make", "all\tnow", "say \"\\n\""].map(str::to_owned).to_vec(),
        materials: vec![file("src/é.c", "b"), file("src/a.c", "a")],
        byproducts: map(json!({
            "return-value": 0,
            "stdout": {"name": "stdout", "digest": {"sha256": "a".repeat(64)}}
        })),
        environment: map(json!({"variables": {"PATH": "/bin"}})),
    }
}

fn sign(change: impl FnOnce(&mut Link, &mut Vec<ResourceDescriptor>)) -> Signed {
    let (mut link, mut products) = (link(), vec![file("out/app", "c")]);
    change(&mut link, &mut products);
    ClassicLink::sign(&link, &products, &ed25519())
}

type Signed = Result<ClassicLink, ClassicLinkError>;

#[test]
fn names_a_key_as_each_implementation_does() {
    // in-toto 3.1.0 with securesystemslib 1.6.0: load_public_key_from_file; in-toto-golang 0.11.0:
    // Key.LoadKeyDefaults (also in-toto 2.0.0: import_ecdsakey_from_public_pem); the crate in-toto
    // 0.4.0: PublicKey::from_ecdsa and PublicKey::from_pem_spki, for Ed25519 from_ed25519.
    let of_p256 = [
        "f500679938e2c8db817467db02d64854e09d99f264f999780739e0b57a3b9fd7",
        "947089ded165bd5c52afbcf744f7f1c279fc462d54eab2303b50f80fa5869d89",
        "8bff6bda04ce38563bb3f66a36fecea42a5b089c5297edf2699a4ac9bad7167d",
        "7ddac44a637a6f1e711ca3680059bd2eebef4e9dc02fd8a6f2d1c42a2c951cd0",
    ];
    let of_ed25519 = [
        "f84ff180ffc9776a1cff47620e4535c81346bdf31691e1f41972dae4bc36b535",
        "6854b73eba90ca0796917a34aae0f26fa010a3280585a8839c0e6f159a20fcaf",
    ];
    let (p256, ed25519) = (p256(), ed25519());
    assert_eq!(keyids(p256.public_key()), of_p256);
    assert_eq!(keyids(ed25519.public_key()), of_ed25519);
    for (form, of_p256) in KeyForm::ALL.into_iter().zip(of_p256) {
        assert_eq!(keyid(p256.public_key(), form), of_p256);
    }
    for (form, of_ed25519) in KeyForm::ALL.into_iter().zip(of_ed25519.repeat(2)) {
        assert_eq!(keyid(ed25519.public_key(), form), of_ed25519);
    }
}

#[test]
fn writes_a_key_as_a_layout_of_each_implementation_holds_it() {
    let pem = include_str!("../../vectors/keys/p256.pub");
    let key = PublicKey::from_pem(pem).unwrap();
    let of = |form, public: &str| {
        let keyid = keyid(&key, form);
        let (keytype, scheme) = ("ecdsa", "ecdsa-sha2-nistp256");
        json!({"keyid": keyid, "keytype": keytype, "scheme": scheme, "keyval": {"public": public}})
    };
    let hashed = |mut value: Value| {
        value["keyid_hash_algorithms"] = json!(["sha256", "sha512"]);
        value
    };
    let point = hex::encode(&key.spki_der()[26..]);
    assert!(point.starts_with("04") && point.len() == 130, "{point}");
    for (form, expected) in [
        (KeyForm::Python, of(KeyForm::Python, pem)),
        (KeyForm::Go, hashed(of(KeyForm::Go, pem.trim_end()))),
        (KeyForm::RustPoint, of(KeyForm::RustPoint, &point)),
        (KeyForm::RustSpki, hashed(of(KeyForm::RustSpki, &point))),
    ] {
        assert_eq!(layout_key(&key, form), expected);
    }
    let key = ed25519().public_key().clone();
    assert_eq!(
        layout_key(&key, KeyForm::Python),
        json!({
            "keyid": "f84ff180ffc9776a1cff47620e4535c81346bdf31691e1f41972dae4bc36b535",
            "keytype": "ed25519",
            "scheme": "ed25519",
            "keyval": {"public": "2e296e6007479b264c306c695260d3335bee663aee4d9aeea91bbe6b4edf5e26"}
        })
    );
}

#[test]
fn writes_what_the_reference_implementation_writes_and_signs() {
    let written = sign(|_, _| ()).unwrap();
    let (a, b, c) = ("a".repeat(64), "b".repeat(64), "c".repeat(64));
    // The signature is in-toto's own (3.1.0, CryptoSigner) over a Link of these members.
    let sig = "679f13f0d28e39629dc3cc64e310ae59d936404db7a36b05652a6183b84fa83b\
               b985c6f4b874d8f5a26880c9e2110caa0e682365c51fe16712c06d0f96032605";
    let expected = json!({
        "signatures": [
            {
                "keyid": "f84ff180ffc9776a1cff47620e4535c81346bdf31691e1f41972dae4bc36b535",
                "sig": sig
            },
            {
                "keyid": "6854b73eba90ca0796917a34aae0f26fa010a3280585a8839c0e6f159a20fcaf",
                "sig": sig
            }
        ],
        "signed": {
            "_type": "link",
            "name": "build",
            "command": ["make", "all\tnow", "say \"\\n\""],
            "materials": {"src/a.c": {"sha256": a}, "src/é.c": {"sha256": b}},
            "products": {"out/app": {"sha256": c}},
            "byproducts": {"return-value": 0, "stdout": "", "stdout-sha256": a, "stderr": ""},
            "environment": {}
        }
    });
    let json: Value = serde_json::from_slice(&written.to_json()).unwrap();
    assert_eq!(json, expected);
    assert_eq!(written.keyid(), expected["signatures"][0]["keyid"].as_str());
    assert_eq!(written.file_name(), "build.f84ff180.link");
    assert_eq!(written.file_names(), ["build.f84ff180.link", "build.6854b73e.link"]);
}

#[test]
fn what_is_written_is_read_as_it_was() {
    for key in [p256(), ed25519()] {
        let written = ClassicLink::sign(&link(), &[file("app", "c")], &key).unwrap();
        assert_eq!(ClassicLink::parse(&written.to_json()).unwrap(), written);
        assert_eq!(written.signatures().len(), keyids(key.public_key()).len());
    }
}

#[test]
fn a_link_without_signatures_has_the_short_file_name() {
    let text = r#"{"signatures": [], "signed": {"_type": "link", "name": "untar"}}"#;
    let link = ClassicLink::parse(text.as_bytes()).unwrap();
    assert_eq!((link.file_name().as_str(), link.keyid()), ("untar.link", None));
    assert_eq!(link.signed_bytes(), br#"{"_type":"link","name":"untar"}"#);
}

#[test]
fn says_the_same_as_a_predicate_with_subjects() {
    let record = sign(|_, _| ()).unwrap().record().clone();
    let predicate = record.to_predicate();
    assert_eq!(predicate.materials, [file("src/a.c", "a"), file("src/é.c", "b")]);
    assert_eq!(record.subjects(), [file("out/app", "c")]);
    let again = ClassicLink::sign(&predicate, &record.subjects(), &p256()).unwrap();
    assert_eq!(*again.record(), record);
}

#[test]
fn of_several_digests_the_sha256_is_written() {
    let several: DigestSet =
        serde_json::from_value(json!({"sha512": "0".repeat(128), "sha256": "d".repeat(64)}))
            .unwrap();
    let link = sign(|_, products| products[0].digest = Some(several)).unwrap();
    assert_eq!(link.record().subjects(), [file("out/app", "d")]);
}

#[test]
fn writes_byproducts_as_classic_readers_know_them() {
    let check = |given: Value, expected: Value| {
        let link = sign(|link, _| link.byproducts = map(given.clone())).unwrap();
        assert_eq!(Value::Object(link.record().byproducts.clone()), expected, "{given}");
    };
    let sha256 = Sha256::of(b"output").hex();
    check(json!({}), json!({"stdout": "", "stderr": ""}));
    check(
        json!({"return-value": -7, "stdout": "done\n", "stderr": "", "host": "b1"}),
        json!({"return-value": -7, "stdout": "done\n", "stderr": "", "host": "b1"}),
    );
    check(
        json!({
            "stdout": {"sha256": sha256},
            "stderr": {"name": "stderr", "digest": {"sha256": sha256, "sha512": "0"}},
            "log": {"digest": {"sha256": sha256}}
        }),
        json!({
            "stdout": "",
            "stdout-sha256": sha256,
            "stderr": "",
            "stderr-sha256": sha256,
            "log-sha256": sha256
        }),
    );
}

#[test]
fn refuses_what_a_classic_link_cannot_hold_and_says_what_it_may() {
    type Change = fn(&mut Link, &mut Vec<ResourceDescriptor>);
    let byproduct = "expected byproduct \"x\" to be text, or what has a sha256 digest";
    let status = "expected byproduct \"return-value\" to be an integer of 32 bits";
    let cases: &[(Change, &str, &str)] = &[
        (|l, _| l.materials[1].name = None, "expected a name for material 1, found none", ""),
        (|_, p| p[0].name = Some(String::new()), "expected a name for product 0, found none", ""),
        (
            |_, p| p[0].digest = None,
            "expected a sha256 digest of product \"out/app\", found none",
            "",
        ),
        (
            |l, _| {
                l.materials[0].digest = Digest::new("sha1", &"0".repeat(40)).ok().map(Into::into)
            },
            "expected a sha256 digest of material \"src/é.c\"",
            "",
        ),
        (|_, p| p.push(file("out/app", "d")), "each product once, found \"out/app\" again", ""),
        (|_, p| p.push(p[0].clone()), "each product once, found \"out/app\" again", ""),
        (|l, _| l.byproducts = map(json!({"x": 1})), byproduct, "found a number"),
        (|l, _| l.byproducts = map(json!({"x": null})), byproduct, "found null"),
        (|l, _| l.byproducts = map(json!({"x": []})), byproduct, "found an array"),
        (|l, _| l.byproducts = map(json!({"x": {}})), byproduct, "found an object"),
        (|l, _| l.byproducts = map(json!({"x": {"sha256": "0"}})), byproduct, "an object"),
        (|l, _| l.byproducts = map(json!({"return-value": "0"})), status, "found a string"),
        (|l, _| l.byproducts = map(json!({"return-value": 0.0})), status, "found 0.0"),
        (
            |l, _| l.byproducts = map(json!({"return-value": 2_147_483_648_u32})),
            status,
            "found 2147483648",
        ),
        (
            |l, _| {
                let digest = json!({"sha256": "0".repeat(64)});
                l.byproducts = map(json!({"stdout": digest, "stdout-sha256": "1"}));
            },
            "expected each byproduct once, found \"stdout-sha256\" again",
            "",
        ),
        (|l, _| l.name = "a/b".to_owned(), "expected a step name of 1 to 200 bytes", "\"a/b\""),
        (|l, _| l.name = "n".repeat(201), "expected a step name of 1 to 200 bytes", "nnn…"),
    ];
    for (change, expected, found) in cases {
        let message = chain(&sign(change).expect_err(expected));
        assert!(message.contains(expected) && message.contains(found), "{message}");
    }
}

#[test]
fn bounds_what_is_written() {
    let check = |change: fn(&mut Link, &mut Vec<ResourceDescriptor>), expected: &str| {
        let message = sign(change).expect_err(expected).to_string();
        assert!(message.contains(expected), "{message}");
    };
    check(
        |link, _| link.materials = vec![file("a", "0"); MAX_ARTIFACTS],
        "at most 200000 artifacts in the link, found 200001",
    );
    check(
        |link, _| link.byproducts = (0..=64).map(|i| (i.to_string(), "".into())).collect(),
        "at most 64 byproducts in the link, found 65",
    );
    check(
        |link, _| link.command = vec![String::new(); MAX_ARGUMENTS + 1],
        "at most 65536 arguments in the link, found 65537",
    );
    check(
        |_, products| products[0].name = Some("p".repeat(MAX_LINK_BYTES - (4 << 10))),
        "expected a link of at most 33550336 bytes without its signatures, found 33550",
    );
}

#[test]
fn bounds_what_is_read() {
    let digest: DigestSet = Digest::from(Sha256::of(b"")).into();
    let files = |count: usize| (0..count).map(|i| (i.to_string(), digest.clone())).collect();
    let half = MAX_ARTIFACTS / 2;
    let check = |materials, products| {
        let (materials, products) = (files(materials), files(products));
        let name = "build".to_owned();
        LinkRecord { name, materials, products, ..LinkRecord::default() }.check()
    };
    assert_eq!(check(half, half), Ok(()));
    let refused = check(half, half + 1).unwrap_err().to_string();
    assert_eq!(refused, "expected at most 200000 artifacts in the link, found 200001");
    let refused = ClassicLink::parse(&vec![b' '; MAX_LINK_BYTES + 1]).unwrap_err();
    assert!(
        chain(&refused).ends_with("expected at most 33554432 bytes of JSON, found more"),
        "{refused}"
    );
}

#[test]
fn reads_a_link_of_another_project() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/samples/provenance");
    let Ok(text) = std::fs::read(format!("{folder}/in-toto-link-metablock.link")) else {
        eprintln!("skipped: the samples are not there");
        return;
    };
    let link = ClassicLink::parse(&text).unwrap();
    let record = link.record();
    assert_eq!(link.file_name(), "package.d3ffd108.link");
    assert_eq!(record.command, ["tar", "zcvf", "foo.tar.gz", "foo.py"]);
    assert_eq!((record.materials.len(), record.products.len()), (1, 1));
    assert_eq!(record.byproducts["stderr"], "a foo.py\n");
}
