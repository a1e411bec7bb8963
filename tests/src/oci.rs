//! What is pushed to repositories in tests.

use attestry_schemas::digest::Sha256;
use attestry_schemas::oci::media_type::{EMPTY, OCI_INDEX, OCI_MANIFEST};
use serde_json::{Value, json};

/// The configuration of something that has none.
pub const NOTHING: &[u8] = b"{}";

/// The digest of bytes, as names have it.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    Sha256::of(bytes).to_string()
}

/// A descriptor of bytes.
#[must_use]
pub fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest(bytes), "size": bytes.len()})
}

/// An image with the configuration of nothing, of these layers, about a subject if one is given.
#[must_use]
pub fn image(layers: &[&[u8]], subject: Option<&[u8]>) -> Vec<u8> {
    let layers: Vec<Value> =
        layers.iter().map(|bytes| descriptor("application/x-layer", bytes)).collect();
    let mut image = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/x-thing",
        "config": descriptor(EMPTY, NOTHING),
        "layers": layers,
        "annotations": {"org.opencontainers.image.title": "a thing"},
    });
    if let Some(subject) = subject {
        image["subject"] = descriptor(OCI_MANIFEST, subject);
    }
    image.to_string().into_bytes()
}

/// An index of images, about a subject if one is given.
#[must_use]
pub fn index(images: &[&[u8]], subject: Option<&[u8]>) -> Vec<u8> {
    let images: Vec<Value> = images.iter().map(|bytes| descriptor(OCI_MANIFEST, bytes)).collect();
    let mut index = json!({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "artifactType": "application/x-list",
        "manifests": images,
    });
    if let Some(subject) = subject {
        index["subject"] = descriptor(OCI_MANIFEST, subject);
    }
    index.to_string().into_bytes()
}
