//! Classic in-toto links against another implementation of in-toto: the crate `in-toto` reads,
//! verifies and applies layouts to what we write, and the other way round.

use std::collections::HashMap;
use std::path::Path;

use attestry_schemas::classic_link::{ClassicLink, KeyForm, keyid, layout_key};
use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::key::{KeyType, SigningKey};
use attestry_schemas::predicate::in_toto::Link;
use attestry_schemas::statement::ResourceDescriptor;
use attestry_schemas::verify;
use in_toto::crypto::{self, PrivateKey, PublicKey, SignatureScheme};
use in_toto::interchange::Json;
use in_toto::models::byproducts::ByProducts;
use in_toto::models::rule::{Artifact, ArtifactRule};
use in_toto::models::step::Step;
use in_toto::models::{
    LayoutMetadataBuilder, LinkMetadataBuilder, Metablock, MetablockBuilder, MetadataWrapper,
};
use in_toto::verifylib::in_toto_verify;
use serde_json::{Value, json};

const SOURCE: &[u8] = b"int main(void) { return 0; }";
const PRODUCT: &[u8] = b"the program";
const SEED: [u8; 32] = [3; 32];

fn p256() -> SigningKey {
    SigningKey::from_pkcs8_pem(include_str!("../../schemas/vectors/keys/p256.pem")).unwrap()
}

fn ed25519() -> SigningKey {
    SigningKey::from_ed25519_seed(SEED)
}

fn file(name: &str, content: &[u8]) -> ResourceDescriptor {
    ResourceDescriptor::named(name, Sha256::of(content).into())
}

/// A step that makes the products of the materials.
fn step(
    name: &str,
    materials: &[ResourceDescriptor],
    products: &[ResourceDescriptor],
    key: &SigningKey,
) -> ClassicLink {
    let output = json!({"name": "stdout", "digest": {"sha256": Sha256::of(b"output").hex()}});
    let byproducts: [(String, Value); 2] =
        [("return-value".to_owned(), 0.into()), ("stdout".to_owned(), output)];
    let link = Link {
        name: name.to_owned(),
        command: ["sh", "-c", "echo \"a\\b\"\nmake 'ü'"].map(str::to_owned).to_vec(),
        materials: materials.to_vec(),
        byproducts: byproducts.into_iter().collect(),
        environment: serde_json::Map::new(),
    };
    ClassicLink::sign(&link, products, key).unwrap()
}

fn build(key: &SigningKey) -> ClassicLink {
    step("build", &[file("main.c", SOURCE)], &[file("app", PRODUCT)], key)
}

/// The text of a link in which the last hex digit of the product's digest is another.
fn with_another_product(link: &ClassicLink) -> String {
    let text = String::from_utf8(link.to_json()).unwrap();
    let good = Sha256::of(PRODUCT).hex();
    let digit = if good.ends_with('0') { "1" } else { "0" };
    let changed = text.replace(&good, &format!("{}{digit}", &good[..63]));
    assert_ne!(changed, text);
    changed
}

/// The public key as the crate makes it, in each of the ways that it has.
fn keys_of_the_crate(public: &attestry_schemas::key::PublicKey) -> Vec<PublicKey> {
    let of_layout = |form| serde_json::from_value::<PublicKey>(layout_key(public, form)).unwrap();
    match public.key_type() {
        KeyType::P256 => vec![
            PublicKey::from_pem_spki(&public.to_pem(), SignatureScheme::EcdsaP256Sha256).unwrap(),
            PublicKey::from_spki(public.spki_der(), SignatureScheme::EcdsaP256Sha256).unwrap(),
            PublicKey::from_ecdsa(public.p256_raw().unwrap()).unwrap(),
            of_layout(KeyForm::RustPoint),
            of_layout(KeyForm::RustSpki),
        ],
        KeyType::Ed25519 => {
            let of_raw = PublicKey::from_ed25519(public.ed25519_raw().unwrap()).unwrap();
            let of_layouts = KeyForm::ALL.map(of_layout);
            [of_raw].into_iter().chain(of_layouts).collect()
        }
    }
}

/// Whether the crate verifies a link with a key.
pub(crate) fn the_crate_verifies(link: &[u8], key: &attestry_schemas::key::PublicKey) -> bool {
    let read: Metablock = serde_json::from_slice(link).unwrap();
    keys_of_the_crate(key).iter().all(|key| read.verify(1, [key]).is_ok())
}

#[test]
fn the_crate_verifies_what_we_write_and_nothing_that_was_changed() {
    for (key, other) in [(p256(), ed25519()), (ed25519(), p256())] {
        let link = build(&key);
        let read: Metablock = serde_json::from_slice(&link.to_json()).unwrap();
        let changed: Metablock = serde_json::from_str(&with_another_product(&link)).unwrap();
        for key in keys_of_the_crate(key.public_key()) {
            let MetadataWrapper::Link(signed) = read.verify(1, [&key]).unwrap() else {
                panic!("a link is read as a layout");
            };
            assert_eq!((signed.name.as_str(), signed.products.len()), ("build", 1));
            assert_eq!(signed.command.as_ref(), link.record().command);
            assert_eq!(signed.byproducts.return_value(), Some(0));
            assert_eq!(signed.byproducts.stdout().as_deref(), Some(""));
            assert!(changed.verify(1, [&key]).is_err(), "a changed product verifies");
        }
        for key in keys_of_the_crate(other.public_key()) {
            assert!(read.verify(1, [&key]).is_err(), "another key verifies");
        }
    }
}

#[test]
fn the_crate_names_keys_as_we_do() {
    for (key, forms) in [
        (p256(), [KeyForm::RustPoint, KeyForm::RustSpki]),
        (ed25519(), [KeyForm::Python, KeyForm::Go]),
    ] {
        for form in forms {
            let read: PublicKey =
                serde_json::from_value(layout_key(key.public_key(), form)).unwrap();
            assert_eq!(json!(read.key_id()), json!(keyid(key.public_key(), form)));
        }
    }
}

/// A layout of the crate: what `fetch` brought, `build` takes, and `app` alone comes of it. The
/// functionary signs the links of both; the layout's owner signs the layout.
struct Layout {
    signed: Metablock,
    owner: PublicKey,
}

impl Layout {
    fn of(functionary: &PublicKey) -> Self {
        let everything = || ArtifactRule::Disallow("*".into());
        let step = |name: &str| Step::new(name).threshold(1).add_key(functionary.key_id().clone());
        let fetch = step("fetch")
            .add_expected_product(ArtifactRule::Create("*".into()))
            .add_expected_product(everything());
        let build = step("build")
            .add_expected_material(ArtifactRule::Match {
                pattern: "*".into(),
                in_src: None,
                with: Artifact::Products,
                in_dst: None,
                from: "fetch".into(),
            })
            .add_expected_material(everything())
            .add_expected_product(ArtifactRule::Create("app".into()))
            .add_expected_product(everything());
        let layout = LayoutMetadataBuilder::new()
            .add_key(functionary.clone())
            .add_step(fetch)
            .add_step(build)
            .build()
            .unwrap();
        let owner = PrivateKey::new(crypto::KeyType::Ed25519).unwrap();
        let owner = PrivateKey::from_pkcs8(&owner, SignatureScheme::Ed25519).unwrap();
        let signed = MetablockBuilder::from_metadata(Box::new(layout));
        let signed = signed.sign(&[&owner]).unwrap().build();
        // As it would be read from its file.
        let signed = serde_json::from_str(&serde_json::to_string(&signed).unwrap()).unwrap();
        Self { signed, owner: owner.public().clone() }
    }

    fn verify(&self, links: &Path) -> in_toto::Result<Metablock> {
        let owners = HashMap::from([(self.owner.key_id().clone(), self.owner.clone())]);
        in_toto_verify(&self.signed, owners, links.to_str().unwrap(), None)
    }
}

/// Writes a link where a layout that holds the key under this keyid looks for it.
fn save(folder: &Path, link: &ClassicLink, keyid: &str) {
    let mut named = link.signatures().iter().zip(link.file_names());
    let found = named.find(|(signature, _)| signature.keyid == keyid);
    let (_, name) = found.expect("the link is signed under this keyid");
    std::fs::write(folder.join(name), link.to_json()).unwrap();
}

#[test]
fn the_crate_accepts_our_links_for_a_layout() {
    let fetched = [file("main.c", SOURCE)];
    for key in [p256(), ed25519()] {
        for functionary in keys_of_the_crate(key.public_key()) {
            let layout = Layout::of(&functionary);
            let keyid = json!(functionary.key_id());
            let folder = tempfile::tempdir().unwrap();
            let save = |link: &ClassicLink| save(folder.path(), link, keyid.as_str().unwrap());
            save(&step("fetch", &[], &fetched, &key));
            save(&build(&key));
            let summary = layout.verify(folder.path()).unwrap();
            let MetadataWrapper::Link(summary) = summary.metadata else {
                panic!("the summary is no link");
            };
            let product = &summary.products[&"app".into()];
            assert_eq!(json!(product), json!({"sha256": Sha256::of(PRODUCT).hex()}));
        }
    }
}

#[test]
fn the_crate_refuses_links_that_break_the_layout() {
    type Change = fn(&SigningKey) -> (ClassicLink, ClassicLink);
    let fetched = || [file("main.c", SOURCE)];
    let cases: &[(&str, Change, &str)] = &[
        (
            "a material that fetch did not bring",
            |key| {
                let taken = [file("main.c", b"other")];
                let build = step("build", &taken, &[file("app", PRODUCT)], key);
                (step("fetch", &[], &[file("main.c", SOURCE)], key), build)
            },
            r#"Materials in DISALLOW, because {VirtualTargetPath("main.c")}"#,
        ),
        (
            "a product that no rule names",
            |key| {
                let made = [file("app", PRODUCT), file("app.debug", PRODUCT)];
                let taken = [file("main.c", SOURCE)];
                (step("fetch", &[], &taken, key), step("build", &taken, &made, key))
            },
            r#"Products in DISALLOW, because {VirtualTargetPath("app.debug")}"#,
        ),
        (
            "a product that was there before",
            |key| {
                let made = [file("app", PRODUCT)];
                let taken = [file("main.c", SOURCE), file("app", PRODUCT)];
                (step("fetch", &[], &taken, key), step("build", &taken, &made, key))
            },
            r#"Products in DISALLOW, because {VirtualTargetPath("app")}"#,
        ),
        (
            "a product that was changed after it was signed",
            |key| {
                let fetch = step("fetch", &[], &[file("main.c", SOURCE)], key);
                let changed = with_another_product(&build(key));
                (fetch, ClassicLink::parse(changed.as_bytes()).unwrap())
            },
            "valid signature from an authorized signer",
        ),
    ];
    for key in [p256(), ed25519()] {
        let functionary = &keys_of_the_crate(key.public_key())[0];
        let layout = Layout::of(functionary);
        let keyid = json!(functionary.key_id());
        for (rule, change, expected) in cases {
            let folder = tempfile::tempdir().unwrap();
            let (fetch, build) = change(&key);
            for link in [&fetch, &build] {
                save(folder.path(), link, keyid.as_str().unwrap());
            }
            let refusal = layout.verify(folder.path()).expect_err(rule).to_string();
            assert!(refusal.contains(expected), "{rule}: {refusal}");
        }
        // Of another functionary there is no link that the layout would find.
        let folder = tempfile::tempdir().unwrap();
        let stranger = SigningKey::from_ed25519_seed([4; 32]);
        for link in [step("fetch", &[], &fetched(), &stranger), build(&stranger)] {
            std::fs::write(folder.path().join(link.file_name()), link.to_json()).unwrap();
        }
        let refusal = layout.verify(folder.path()).expect_err("another functionary").to_string();
        assert!(refusal.contains("valid signature from an authorized signer"), "{refusal}");
    }
}

#[test]
fn we_verify_what_the_crate_writes_and_nothing_that_was_changed() {
    let public = ed25519().public_key().ed25519_raw().unwrap();
    let of_crate = [
        PrivateKey::from_pkcs8(&p256().to_pkcs8_der(), SignatureScheme::EcdsaP256Sha256),
        PrivateKey::from_ed25519(&[SEED, public].concat()),
    ];
    for (theirs, ours) in of_crate.into_iter().zip([p256(), ed25519()]) {
        let product = serde_json::from_value(json!({"sha256": Sha256::of(PRODUCT).hex()}));
        let status = ByProducts::new().set_return_value(0).set_stdout("a\n\"b\"".to_owned());
        let written = LinkMetadataBuilder::new()
            .name("build".to_owned())
            .products([("app".into(), product.unwrap())].into())
            .byproducts(status)
            .command("make all".into())
            .signed::<Json>(&theirs.unwrap())
            .unwrap();
        let text = serde_json::to_vec_pretty(&written).unwrap();
        let link = ClassicLink::parse(&text).unwrap();
        let keys = [p256().public_key().clone(), ed25519().public_key().clone()];
        let signed = verify::classic_link(&link, &keys).unwrap().into_inner();
        assert_eq!(signed.keys, [ours.public_key().clone()]);
        let app: Digest = Sha256::of(PRODUCT).into();
        assert_eq!(signed.record.subjects(), [ResourceDescriptor::named("app", app)]);
        let changed = ClassicLink::parse(with_another_product(&link).as_bytes()).unwrap();
        verify::classic_link(&changed, &keys).unwrap_err();
    }
}
