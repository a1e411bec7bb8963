//! Layouts and links of keys of seeds, and what the reference implementation says of the same.

mod document;
mod groups;
mod reference;
mod rules;
mod sublayouts;
mod verification;

use std::num::NonZeroUsize;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::*;
use crate::classic_link::{KeyForm, canonical, keyid, layout_key};
use crate::digest::{Digest, DigestSet, Sha256};
use crate::key::SigningKey;
use crate::problem::chain;
use crate::verify::{self, SignedLayout, Verified};

/// The last moment of [`layout`].
const EXPIRES: &str = "2030-01-01T00:00:00Z";
const NOW: &str = "2026-01-31T09:30:00Z";
const OWNER: u8 = 100;
const STRANGER: u8 = 50;

/// Whose keys are used: made once, because that takes long without optimization.
static CAST: LazyLock<BTreeMap<u8, (SigningKey, String)>> = LazyLock::new(|| {
    let member = |seed| {
        let key = SigningKey::from_ed25519_seed([seed; 32]);
        let keyid = keyid(key.public_key(), KeyForm::Python);
        (seed, (key, keyid))
    };
    [1, 2, 3, 4, 5, STRANGER, OWNER].map(member).into()
});

fn key(seed: u8) -> &'static SigningKey {
    &CAST[&seed].0
}

fn public(seed: u8) -> PublicKey {
    key(seed).public_key().clone()
}

fn signer(seed: u8) -> Fingerprint {
    public(seed).fingerprint()
}

fn keyid_of(seed: u8) -> String {
    CAST[&seed].1.clone()
}

fn time(text: &str) -> UtcTime {
    text.parse().unwrap()
}

/// The SHA-256 of this digit.
fn digest(digit: char) -> Digest {
    Digest::new("sha256", &digit.to_string().repeat(64)).unwrap()
}

/// Artifacts, written `path=digit` with spaces between.
fn artifacts(text: &str) -> Artifacts {
    let one = |word: &str| {
        let (path, digit) = word.split_once('=').unwrap();
        (path.to_owned(), DigestSet::from(digest(digit.parse().unwrap())))
    };
    text.split_whitespace().map(one).collect()
}

/// A step with its rules written as one text each.
fn step(name: &str, keys: &[u8], threshold: i64, materials: &[&str], products: &[&str]) -> Value {
    let words = |rules: &[&str]| -> Vec<Vec<String>> {
        rules.iter().map(|rule| rule.split(' ').map(str::to_owned).collect()).collect()
    };
    json!({
        "_type": "step",
        "name": name,
        "threshold": threshold,
        "pubkeys": keys.iter().map(|seed| keyid_of(*seed)).collect::<Vec<_>>(),
        "expected_materials": words(materials),
        "expected_products": words(products),
        "expected_command": [],
    })
}

/// A layout with the keys that its steps name.
fn layout(steps: Vec<Value>) -> Value {
    let entry = |seed| (keyid_of(seed), layout_key(&public(seed), KeyForm::Python));
    let text = json!(steps).to_string();
    let named = CAST.keys().filter(|seed| text.contains(&CAST[seed].1));
    json!({
        "_type": "layout",
        "expires": EXPIRES,
        "readme": "",
        "keys": named.copied().map(entry).collect::<serde_json::Map<_, _>>(),
        "steps": steps,
        "inspect": [],
    })
}

/// The metadata of a layout, signed by these keys.
fn metablock(layout: &Value, signers: &[u8]) -> Value {
    let message = canonical(layout).unwrap();
    let signature = |seed: &u8| json!({"keyid": keyid_of(*seed), "sig": hex::encode(key(*seed).sign(&message))});
    json!({"signed": layout, "signatures": signers.iter().map(signature).collect::<Vec<_>>()})
}

fn parse(value: &Value) -> Result<LayoutDocument, LayoutError> {
    LayoutDocument::parse(value.to_string().as_bytes())
}

/// A document of this layout, signed by these keys.
fn document(layout: &Value, signers: &[u8]) -> LayoutDocument {
    parse(&metablock(layout, signers)).unwrap()
}

/// This layout, signed by its owner.
fn owned(layout: &Value) -> Verified<SignedLayout> {
    verify::layout(&document(layout, &[OWNER]), &[public(OWNER)], NonZeroUsize::MIN).unwrap()
}

/// The word of a key on a step.
fn link(step: &str, seed: u8, materials: &str, products: &str) -> StepLink {
    StepLink {
        step: step.to_owned(),
        signer: signer(seed),
        materials: artifacts(materials),
        products: artifacts(products),
        command: vec!["make".to_owned()],
        source: Sha256::of(format!("{step} {seed} {materials} > {products}").as_bytes()),
    }
}

/// Verifies that links fulfil a layout, for the artifact of this digit.
fn check(
    layout: &Value,
    links: &[StepLink],
    artifact: char,
) -> Result<LayoutReport, LayoutRefusal> {
    verify(&owned(layout), links, &[], time(NOW), &digest(artifact))
}

#[track_caller]
fn refused(
    outcome: Result<LayoutReport, LayoutRefusal>,
    check: LayoutCheck,
    message: &str,
) -> LayoutRefusal {
    let refusal = match outcome {
        Ok(report) => panic!("expected a refusal, found {report:?}"),
        Err(refusal) => refusal,
    };
    assert_eq!(refusal.check, check, "{refusal}");
    assert!(refusal.to_string().contains(message), "{refusal}");
    refusal
}

/// Writes, then builds: the two steps of most tests, by the keys 1 and 2.
fn two_steps() -> Value {
    layout(vec![
        step("write", &[1], 1, &["DISALLOW *"], &["CREATE *.c", "DISALLOW *"]),
        step(
            "build",
            &[2],
            1,
            &["MATCH *.c WITH PRODUCTS FROM write", "DISALLOW *"],
            &["CREATE app", "DISALLOW *"],
        ),
    ])
}

fn two_links() -> Vec<StepLink> {
    vec![link("write", 1, "", "a.c=a b.c=b"), link("build", 2, "a.c=a b.c=b", "app=d")]
}
