//! The registry of artifacts on a real store and a real log, and what is pushed to it.

use std::sync::Arc;
use std::time::Duration;

use attestry_schemas::digest::Sha256;
use attestry_schemas::oci::media_type::{EMPTY, OCI_INDEX, OCI_MANIFEST};
use attestry_schemas::oci::{BlobDigest, Reference, RepositoryName};
use serde_json::{Value, json};

use super::Registry;
use crate::clock::Clock;
use crate::log::{Log, LogLimits};
use crate::oci::manifest::Push;
use crate::oci::upload::UploadLimits;
use crate::oci::{Actor, Oci, OciError, Parts};
use crate::store::Store;

/// The bounds of uploads in tests.
pub(crate) const UPLOADS: UploadLimits =
    UploadLimits { blob_bytes: 1 << 20, sessions: 64, idle: Duration::from_secs(3600) };

/// A registry of artifacts that runs.
pub(crate) struct Artifacts {
    pub(crate) oci: Arc<Oci>,
    pub(crate) store: Arc<Store>,
    pub(crate) log: Arc<Log>,
    /// How many bytes of what is pushed may be kept.
    pub(crate) most_stored_bytes: Option<u64>,
    runtime: tokio::runtime::Runtime,
}

impl Drop for Artifacts {
    fn drop(&mut self) {
        self.log.stop();
    }
}

/// A repository's name.
pub(crate) fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

/// Who acts in tests.
pub(crate) fn actor() -> Actor {
    Actor {
        name: "token:test".to_owned(),
        may_pull: true,
        may_overwrite: true,
        may_attest: true,
        may_deploy: true,
        may_approve: true,
        may_untag: true,
        most_stored_bytes: None,
    }
}

impl Artifacts {
    pub(crate) fn open(registry: &Registry) -> Self {
        Self::open_at(registry, super::clock(), UPLOADS)
    }

    pub(crate) fn open_at(registry: &Registry, clock: Clock, uploads: UploadLimits) -> Self {
        let limits = LogLimits { queue_capacity: 4096, batch_limit: 32 };
        let (store, log) = registry.start_at(limits, clock);
        let parts = Parts {
            store: Arc::clone(&store),
            log: Arc::clone(&log),
            key: registry.folder().log_key().unwrap(),
            clock,
            uploads,
            guards: crate::oci::guard::Standing::default(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let (oci, runtime) = (Arc::new(Oci::new(parts)), runtime.unwrap());
        Self { oci, store, log, most_stored_bytes: None, runtime }
    }

    /// Pushes a blob whole.
    pub(crate) fn blob(&self, to: &str, bytes: &[u8]) -> Result<BlobDigest, OciError> {
        self.blob_as(to, bytes, Sha256::of(bytes).into())
    }

    /// Who acts.
    fn actor(&self) -> Actor {
        Actor { most_stored_bytes: self.most_stored_bytes, ..actor() }
    }

    /// Pushes a blob under a digest.
    pub(crate) fn blob_as(
        &self,
        to: &str,
        bytes: &[u8],
        digest: BlobDigest,
    ) -> Result<BlobDigest, OciError> {
        let (name, uploads) = (name(to), self.oci.uploads());
        let id = uploads.begin(&name, "token:test", digest.is_sha512())?;
        let mut writing = uploads.hold(&name, "token:test", &id.to_string())?;
        writing.write(bytes)?;
        let arrived = writing.finish(digest.clone())?;
        uploads.forget(&id);
        self.runtime.block_on(self.oci.link_blob(&name, arrived, self.actor()))?;
        Ok(digest)
    }

    pub(crate) fn mount(
        &self,
        to: &str,
        from: &str,
        digest: &BlobDigest,
    ) -> Result<bool, OciError> {
        self.runtime.block_on(self.oci.mount_blob(&name(to), &name(from), digest, &self.actor()))
    }

    /// Pushes a manifest under a tag or its digest.
    pub(crate) fn push(&self, to: &str, at: &str, bytes: &[u8]) -> Result<BlobDigest, OciError> {
        let at: Reference = at.parse().unwrap();
        let push = Push::read(name(to), at, Vec::new(), None, bytes.to_vec(), self.actor())?;
        let digest = push.digest.clone();
        self.runtime.block_on(self.oci.push(push))?;
        Ok(digest)
    }

    /// Deletes a tag or a manifest.
    pub(crate) fn delete(&self, from: &str, at: &str) -> Result<(), OciError> {
        self.runtime.block_on(self.oci.delete(&name(from), &at.parse().unwrap(), self.actor()))
    }

    pub(crate) fn delete_blob(&self, from: &str, digest: &BlobDigest) -> Result<(), OciError> {
        self.runtime.block_on(self.oci.delete_blob(&name(from), digest, self.actor()))
    }

    /// The bytes of a blob, as the repository shows it.
    pub(crate) fn read(&self, from: &str, digest: &BlobDigest) -> Option<Vec<u8>> {
        let link = self.oci.blob(&name(from), digest).ok()?;
        Some(self.store.reader().attested_bytes(link.content).unwrap())
    }

    /// The digest of a manifest that is there.
    pub(crate) fn manifest(&self, from: &str, at: &str) -> Option<BlobDigest> {
        let held = self.oci.manifest(&name(from), &at.parse().unwrap()).ok()?;
        let bytes = self.store.reader().attested_bytes(held.link.content).unwrap();
        assert_eq!(held.digest.of_same_algorithm(&bytes), held.digest);
        Some(held.digest)
    }
}

/// The digest of bytes.
pub(crate) fn digest(bytes: &[u8]) -> BlobDigest {
    Sha256::of(bytes).into()
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest(bytes), "size": bytes.len()})
}

/// An image of these layers, with the configuration of nothing, about a subject if one is given.
pub(crate) fn image(layers: &[&[u8]], subject: Option<&[u8]>) -> Vec<u8> {
    let layers: Vec<Value> = layers.iter().map(|l| descriptor("application/x-layer", l)).collect();
    let mut image = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(EMPTY, b"{}"),
        "layers": layers,
        "annotations": {"title": "a thing"},
    });
    if let Some(subject) = subject {
        image["subject"] = descriptor(OCI_MANIFEST, subject);
    }
    image.to_string().into_bytes()
}

/// An index of manifests; `kind` is their media type.
pub(crate) fn index_of(kind: &str, manifests: &[&[u8]]) -> Vec<u8> {
    let manifests: Vec<Value> = manifests.iter().map(|m| descriptor(kind, m)).collect();
    json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests})
        .to_string()
        .into_bytes()
}

/// An index of images.
pub(crate) fn index(manifests: &[&[u8]]) -> Vec<u8> {
    index_of(OCI_MANIFEST, manifests)
}
