//! What the registry answers about who rules.

use serde::{Deserialize, Serialize};

/// `GET /v1/roster`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct RulingRoster {
    /// The version that rules; none before one does.
    pub(crate) version: Option<u64>,
    /// The digest of its document.
    #[serde(default)]
    pub(crate) digest: Option<String>,
    /// From when on it no longer counts.
    #[serde(default)]
    pub(crate) expires: Option<String>,
    /// Since when it rules.
    #[serde(default)]
    pub(crate) published_at: Option<String>,
    /// The document.
    #[serde(default)]
    pub(crate) document: Option<String>,
    /// The statements that made it rule, by digest.
    #[serde(default)]
    pub(crate) signatures: Vec<String>,
    /// How many root keys must sign.
    #[serde(default)]
    pub(crate) threshold: Option<u64>,
    /// What too few have signed yet.
    #[serde(default)]
    pub(crate) pending: Vec<Pending>,
    /// Who is revoked, and by statements that too few have signed.
    #[serde(default)]
    pub(crate) revocations: Vec<RevokedSigner>,
}

/// That a signer is revoked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RevokedSigner {
    /// The key's fingerprint, or the identity.
    pub(crate) signer: String,
    /// The signer's name, where the roster has one.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// Why.
    pub(crate) reason: String,
    /// From when on, as it states.
    pub(crate) effective_at: String,
    /// From when on nothing counts; none while too few have signed.
    #[serde(default)]
    pub(crate) from: Option<String>,
    /// When the log first held it.
    #[serde(default)]
    pub(crate) logged_at: Option<String>,
    /// The statements, by digest; none where the roster says it.
    #[serde(default)]
    pub(crate) statements: Vec<String>,
    /// How many have signed.
    pub(crate) have: u64,
    /// How many must.
    pub(crate) need: u64,
}

/// A document that too few have signed yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// The policy's name; none of a roster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// Its version.
    pub(crate) version: u64,
    /// The digest of the document.
    pub(crate) digest: String,
    /// How many have signed.
    pub(crate) have: u64,
    /// How many must.
    pub(crate) need: u64,
}

/// `GET /v1/policies`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RulingPolicies {
    /// Those that rule.
    pub(crate) items: Vec<RulingPolicy>,
    /// Those that too few have signed yet.
    #[serde(default)]
    pub(crate) pending: Vec<Pending>,
}

/// One policy, and `GET /v1/policies/{name}` with its document.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RulingPolicy {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: u64,
    /// The digest of its document.
    pub(crate) digest: String,
    /// `enforce`, `warn` or `shadow`.
    pub(crate) mode: String,
    /// From when on it no longer counts.
    pub(crate) expires: String,
    /// Which artifacts it is for.
    #[serde(default)]
    pub(crate) artifacts: Vec<String>,
    /// Which environments it is for.
    #[serde(default)]
    pub(crate) environments: Vec<String>,
    /// Since when it rules.
    #[serde(default)]
    pub(crate) published_at: Option<String>,
    /// What was found where its rules count for nothing, and all that it is for is denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unread: Option<String>,
    /// The document, of one policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) document: Option<String>,
}
