//! Who may do what, asked over HTTP: rights, what a refusal tells, and attacks on both.

use attestry_schemas::digest::Sha256;
use base64::Engine as _;
use serde_json::{Value, json};

use super::conformance::{Answer, Described, with_registry};
use crate::config::Settings;
use crate::data::ACCESS_FILE;
use crate::testing::Registry;
use crate::tokens::{Bounds, Token};

mod audit;
mod certificates;
mod limits;
mod overwriting;
mod reading;
mod tokens;
mod workloads;

/// A registry with this `access.toml`, and a token for each name.
pub(super) struct Guarded {
    registry: Registry,
}

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

impl Guarded {
    pub(super) fn new(document: &str, names: &[&str]) -> Self {
        let one = Self { registry: Registry::new() };
        one.document(document);
        for name in names {
            one.add(name, &Bounds::default());
        }
        one
    }

    /// Replaces the document.
    pub(super) fn document(&self, text: &str) {
        let text = format!("schema = \"access/v1\"\n{text}");
        std::fs::write(self.registry.path().join(ACCESS_FILE), text).unwrap();
    }

    pub(super) fn add(&self, name: &str, bounds: &Bounds) {
        assert!(self.registry.folder().add_token(name, &token(name), bounds).unwrap());
    }

    pub(super) fn revoke(&self, name: &str) {
        assert!(self.registry.folder().remove_token(name).unwrap());
    }

    pub(super) fn path(&self, name: &str) -> std::path::PathBuf {
        self.registry.path().join(name)
    }

    pub(super) fn serve(&self, cases: impl AsyncFnOnce(&Described)) {
        with_registry(&self.registry, Settings::default(), cases);
    }
}

fn token(name: &str) -> Token {
    Token::of_random(Sha256::of(name.as_bytes()).0)
}

/// How a token is sent as Docker does.
pub(super) fn basic(user: &str, password: &str) -> String {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {pair}")
}

/// The credential of a token's name.
pub(super) fn as_(name: &str) -> String {
    basic(name, token(name).reveal())
}

/// Asks as somebody; as nobody with an empty credential.
pub(super) async fn ask(
    server: &Described,
    who: &str,
    what: &str,
    more: &[(&str, &str)],
    body: impl Into<Vec<u8>>,
) -> Answer {
    let mut headers = more.to_vec();
    if !who.is_empty() {
        headers.push(("authorization", who));
    }
    server.send(what, &headers, body).await.0
}

/// As [`ask`], with the status alone.
pub(super) async fn status(server: &Described, who: &str, what: &str) -> u16 {
    ask(server, who, what, &[], "").await.status()
}

/// Pushes a blob.
pub(super) async fn push_blob(server: &Described, who: &str, name: &str, bytes: &[u8]) -> u16 {
    let what = format!("POST /v2/{name}/blobs/uploads/?digest={}", Sha256::of(bytes));
    ask(server, who, &what, &[], bytes).await.status()
}

/// A manifest without layers that differs by a mark.
pub(super) fn manifest(mark: &str) -> Vec<u8> {
    let config = b"{}";
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": Sha256::of(config).to_string(),
            "size": config.len(),
        },
        "layers": [],
        "annotations": {"mark": mark},
    });
    serde_json::to_vec(&manifest).unwrap()
}

/// Puts a manifest under a reference, which may carry a query.
pub(super) async fn put(
    server: &Described,
    who: &str,
    name: &str,
    reference: &str,
    bytes: Vec<u8>,
) -> u16 {
    let what = format!("PUT /v2/{name}/manifests/{reference}");
    ask(server, who, &what, &[("content-type", MANIFEST)], bytes).await.status()
}

/// Pushes a whole artifact, and gives its digest.
pub(super) async fn push(
    server: &Described,
    who: &str,
    name: &str,
    tag: &str,
    mark: &str,
) -> Sha256 {
    assert_eq!(push_blob(server, who, name, b"{}").await, 201);
    assert_eq!(put(server, who, name, tag, manifest(mark)).await, 201);
    Sha256::of(&manifest(mark))
}

/// The first error of the specification's form.
pub(super) fn error(answer: &Answer) -> Value {
    answer.json()["errors"][0].clone()
}
