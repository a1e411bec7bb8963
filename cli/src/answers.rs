//! What the registry answers, as far as this program reads it. Further members are left alone.

pub(crate) mod gate;
pub(crate) mod governance;

use attestry_schemas::digest::Sha256;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::Problem;

/// `POST /v1/attestations`.
#[derive(Debug, Deserialize)]
pub(crate) struct Posted {
    /// One for each line that was sent, in that order.
    pub(crate) items: Vec<PostedItem>,
}

/// What became of one attestation.
#[derive(Debug, Deserialize)]
pub(crate) struct PostedItem {
    /// Whether it is in the log.
    pub(crate) status: PostedStatus,
    /// The digest of its stored bytes.
    pub(crate) digest: Option<String>,
    /// Its place in the log.
    pub(crate) index: Option<u64>,
    /// The namespace that it belongs to.
    #[serde(default)]
    pub(crate) namespace: Option<String>,
    /// The complete bundle, with the log's proof.
    pub(crate) bundle: Option<Value>,
    /// Why it was refused.
    pub(crate) problem: Option<Problem>,
}

impl PostedItem {
    /// An attestation that was refused on its own.
    pub(crate) fn refused(problem: Problem) -> Self {
        let status = PostedStatus::Refused;
        Self {
            status,
            digest: None,
            index: None,
            namespace: None,
            bundle: None,
            problem: Some(problem),
        }
    }
}

/// `GET /v1/digests/{start}`.
#[derive(Debug, Deserialize)]
pub(crate) struct Digests {
    /// The attestations whose digests begin so.
    pub(crate) digests: Vec<Sha256>,
}

/// Whether an attestation is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PostedStatus {
    /// It is, as of now.
    Created,
    /// It was already.
    Existing,
    /// It is not.
    Refused,
}

impl PostedStatus {
    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Existing => "existing",
            Self::Refused => "refused",
        }
    }
}

/// `GET /v1/attestations`.
#[derive(Debug, Deserialize)]
pub(crate) struct Found {
    /// One page.
    pub(crate) items: Vec<FoundItem>,
    /// Where the next page is: a path with its query.
    pub(crate) next: Option<String>,
}

/// One attestation of a search.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FoundItem {
    /// The digest of its stored bytes.
    pub(crate) digest: String,
    /// Its place in the log.
    pub(crate) index: u64,
    /// When the log first held it, RFC 3339.
    #[serde(default)]
    pub(crate) logged_at: Option<String>,
    /// What its statement says; nothing for a message signature.
    #[serde(default)]
    pub(crate) predicate_type: Option<String>,
    /// What it is about.
    #[serde(default)]
    pub(crate) subjects: Vec<FoundSubject>,
    /// Whose signature it is.
    #[serde(default)]
    pub(crate) signer: Option<String>,
    /// Whether the registry knows the signer.
    #[serde(default)]
    pub(crate) signer_known: Option<bool>,
    /// Where it belongs.
    #[serde(default)]
    pub(crate) namespace: Option<String>,
    /// An envelope or a bundle.
    #[serde(default)]
    pub(crate) kind: Option<String>,
}

/// A subject of an attestation of a search.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FoundSubject {
    /// Its name.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// Its digests.
    #[serde(default)]
    pub(crate) digest: Value,
}

/// `GET /v1/audit/access`.
#[derive(Debug, Deserialize)]
pub(crate) struct AccessEvents {
    /// One page, the newest first.
    pub(crate) items: Vec<AccessEvent>,
    /// Where the next page is: a path with its query.
    pub(crate) next: Option<String>,
}

/// Who did what, or was refused.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AccessEvent {
    /// Its number; numbers only grow.
    pub(crate) number: u64,
    /// When, RFC 3339.
    pub(crate) at: String,
    /// `allowed` or `denied`.
    pub(crate) outcome: String,
    /// As whom the registry knew the caller; nothing for a credential that it did not know.
    pub(crate) principal: Option<String>,
    /// What the caller's issuer or certificate calls them.
    pub(crate) subject: Option<String>,
    /// The role that was demanded.
    pub(crate) role: Option<String>,
    /// Where it was demanded.
    pub(crate) namespace: Option<String>,
    /// The method of the request.
    pub(crate) method: String,
    /// The path of the request.
    pub(crate) path: String,
    /// The address that it came from.
    pub(crate) address: Option<String>,
    /// The status of the answer.
    pub(crate) status: u16,
    /// The id of the request.
    pub(crate) request: String,
    /// How many events of this outcome were dropped before this one.
    #[serde(default)]
    pub(crate) dropped: u64,
}

/// `GET /v1/log/inclusion`.
#[derive(Debug, Deserialize)]
pub(crate) struct Inclusion {
    /// The leaf's place.
    pub(crate) index: u64,
    /// The size of the tree that the proof is for.
    pub(crate) size: u64,
    /// The hash of the leaf.
    pub(crate) leaf_hash: String,
    /// The root of that tree.
    pub(crate) root: String,
    /// The proof, in base64.
    pub(crate) hashes: Vec<String>,
    /// A signed checkpoint.
    pub(crate) checkpoint: String,
}

/// `GET /v1/log/consistency`.
#[derive(Debug, Deserialize)]
pub(crate) struct Consistency {
    /// The proof, in base64.
    pub(crate) hashes: Vec<String>,
}
