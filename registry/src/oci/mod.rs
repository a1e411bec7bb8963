//! The OCI registry: blobs, manifests, tags and referrers, on the one store and in the one log.
//!
//! Nothing here knows HTTP. What is pushed is written by changes ([`crate::log::Prepared`]) that the
//! sequencer works out in its one order, so that a manifest, its tags, its referrers and the leaf that tells
//! of a tag's move are one batch, and a success means that all of it is durable.
//!
//! | module | is |
//! |---|---|
//! | [`upload`] | sessions in which blobs arrive |
//! | [`blob`] | linking, mounting and unlinking blobs |
//! | [`manifest`] | pushing and deleting manifests |
//! | [`quota`] | how much of what a principal has pushed is kept |
//! | [`tag`] | moves of tags, each a statement that the registry signs |
//! | [`guard`] | which repositories' manifests are held against an environment's policies |
//! | [`collect`] | what nothing refers to goes |
//! | [`collector`] | the thread that collects from time to time |

pub mod blob;
pub mod collect;
pub mod collector;
pub mod error;
pub mod guard;
pub mod manifest;
pub mod quota;
pub mod tag;
pub mod upload;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use attestry_schemas::key::SigningKey;
use attestry_schemas::oci::RepositoryName;

use crate::clock::Clock;
use crate::log::{Log, View};
use crate::store::engine::{Batch, Family};
use crate::store::oci::{RepositoryRecord, key};
use crate::store::{Store, record};

pub use error::OciError;

/// Who acts, and what they may do beyond the right that let them in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// As whom the registry knows them, such as `token:ci`.
    pub name: String,
    /// Whether they may read what is there: a refusal tells others nothing of it.
    pub may_pull: bool,
    /// Whether they may make a tag that is, or was, there point elsewhere.
    pub may_overwrite: bool,
    /// Whether evidence that they push enters the log.
    pub may_attest: bool,
    /// The same for what states deployments.
    pub may_deploy: bool,
    /// The same for approvals, waivers and broken glass.
    pub may_approve: bool,
    /// Whether they may remove tags.
    pub may_untag: bool,
    /// How many bytes of what they push may be kept; as many as there is room for when absent.
    pub most_stored_bytes: Option<u64>,
}

/// What the registry of artifacts is made of.
pub struct Parts {
    /// The store.
    pub store: Arc<Store>,
    /// The log.
    pub log: Arc<Log>,
    /// The key with which moves of tags are signed: that of the log.
    pub key: SigningKey,
    /// The clock.
    pub clock: Clock,
    /// Bounds of uploads.
    pub uploads: upload::UploadLimits,
    /// The guards of the pull.
    pub guards: guard::Standing,
}

/// The registry of artifacts.
pub struct Oci {
    store: Arc<Store>,
    log: Arc<Log>,
    key: Arc<SigningKey>,
    clock: Clock,
    uploads: upload::Uploads,
    guards: guard::Standing,
    /// Whether a collection under way is to end.
    stopping: AtomicBool,
}

impl Oci {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let uploads = upload::Uploads::new(Arc::clone(&parts.store), parts.uploads);
        Self {
            store: parts.store,
            log: parts.log,
            key: Arc::new(parts.key),
            clock: parts.clock,
            uploads,
            guards: parts.guards,
            stopping: AtomicBool::new(false),
        }
    }

    /// The guards of the pull, as they stand now.
    #[must_use]
    pub fn guards(&self) -> Arc<guard::Guards> {
        self.guards.now()
    }

    /// Ends the collection that is under way after its next step, and every later one.
    fn stop_collecting(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// The sessions in which blobs arrive.
    #[must_use]
    pub fn uploads(&self) -> &upload::Uploads {
        &self.uploads
    }
}

/// Writes that a repository is there, when it is not yet.
fn begin_repository(view: &View<'_>, writes: &mut Batch, name: &RepositoryName) {
    let key = key::repository(name);
    if view.value(Family::Repositories, &key).is_none() {
        let begun = RepositoryRecord { created_at_ms: view.at_ms() };
        writes.put(Family::Repositories, key, record::encode(&begun));
    }
}

#[cfg(test)]
mod tests;
