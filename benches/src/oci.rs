//! What is asked of a registry of artifacts: manifests, blobs and the requests that push and pull them.

use std::net::SocketAddr;

use attestry_schemas::digest::Sha256;
use serde_json::json;

use crate::Failure;
use crate::client::{Connection, Reading};

/// The media type of an image's manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of blobs.
const OCTETS: &str = "application/octet-stream";
/// The empty document of the specification.
pub const EMPTY: &[u8] = b"{}";

/// Bytes that no two numbers share and no file system stores as a hole.
#[must_use]
pub fn bytes(number: u64, count: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        (0..count as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    if let Some(start) = bytes.get_mut(..8) {
        start.copy_from_slice(&number.to_be_bytes());
    }
    bytes
}

fn descriptor(media_type: &str, bytes: &[u8]) -> serde_json::Value {
    json!({"mediaType": media_type, "digest": Sha256::of(bytes).to_string(), "size": bytes.len()})
}

/// An image's manifest that no other number has, with one layer.
#[must_use]
pub fn image(number: u64, layer: &[u8]) -> Vec<u8> {
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", EMPTY),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
        "annotations": {"org.opencontainers.image.version": format!("1.0.{number}")},
    });
    manifest.to_string().into_bytes()
}

/// A manifest that refers to `subject`, and that no other number has.
#[must_use]
pub fn referrer(number: u64, subject: &[u8]) -> Vec<u8> {
    let empty = descriptor("application/vnd.oci.empty.v1+json", EMPTY);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "application/vnd.example.report.v1",
        "config": empty,
        "layers": [empty],
        "subject": descriptor(MANIFEST, subject),
        "annotations": {"org.example.number": number.to_string()},
    });
    manifest.to_string().into_bytes()
}

/// Whom requests are for, and in whose name.
pub struct Target {
    /// Where the registry listens.
    pub address: SocketAddr,
    /// The token, where the registry wants one.
    pub token: Option<String>,
}

impl Target {
    /// A request: a method and a path, and a body of a media type.
    #[must_use]
    pub fn request(&self, line: &str, media_type: &str, body: &[u8]) -> Vec<u8> {
        let address = self.address;
        let token = self.token.as_ref();
        let authorization =
            token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let head = format!(
            "{line} HTTP/1.1\r\nHost: {address}\r\n{authorization}Accept: {MANIFEST}\r\n\
             Content-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    }

    /// A request without a body.
    #[must_use]
    pub fn ask(&self, line: &str) -> Vec<u8> {
        self.request(line, OCTETS, &[])
    }

    /// The push of a manifest by tag or digest.
    #[must_use]
    pub fn put_manifest(&self, repository: &str, reference: &str, manifest: &[u8]) -> Vec<u8> {
        self.request(&format!("PUT /v2/{repository}/manifests/{reference}"), MANIFEST, manifest)
    }

    /// Pushes a blob as clients do: it opens a session, and puts all of it there.
    ///
    /// # Errors
    /// A broken connection, or another answer than the specification's.
    pub fn push_blob(
        &self,
        connection: &mut Connection,
        repository: &str,
        (digest, bytes): (Sha256, &[u8]),
    ) -> Result<(), Failure> {
        let open = self.ask(&format!("POST /v2/{repository}/blobs/uploads/"));
        let opened = connection.exchange(&open, Reading::Whole)?;
        let place = opened.header("location").filter(|_| opened.status == 202);
        let place =
            place.ok_or(format!("expected an upload's session, found {}", opened.status))?;
        let place = place.strip_prefix(&format!("http://{}", self.address)).unwrap_or(place);
        let joint = if place.contains('?') { '&' } else { '?' };
        let put = self.request(&format!("PUT {place}{joint}digest={digest}"), OCTETS, bytes);
        match connection.exchange(&put, Reading::Whole)?.status {
            201 => Ok(()),
            found => Err(format!("expected 201 for a blob, found {found}").into()),
        }
    }
}
