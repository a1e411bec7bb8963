//! `dev.sigstore.rekor.v1.TransparencyLogEntry` in protobuf JSON, as bundles carry it and as the
//! write path answers it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base64;

/// The most hashes an inclusion proof may have: a tree has fewer than 2^63 leaves.
pub(super) const MAX_PROOF_HASHES: usize = 64;

/// A log entry with its proof. Parsed, not verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlogEntry {
    /// The leaf's index, from 0.
    #[serde(with = "int64", default, alias = "log_index")]
    pub log_index: u64,
    /// Which log.
    #[serde(alias = "log_id")]
    pub log_id: KeyId,
    /// The kind and version of the body.
    #[serde(default, alias = "kind_version")]
    pub kind_version: KindVersion,
    /// Unix seconds, Rekor v1 only; 0 in Rekor v2, whose times come from elsewhere.
    #[serde(with = "int64", default, skip_serializing_if = "is_zero", alias = "integrated_time")]
    pub integrated_time: u64,
    /// Rekor v1's signed entry timestamp.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "inclusion_promise")]
    pub inclusion_promise: Option<InclusionPromise>,
    /// The proof that the leaf is in the tree of a checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "inclusion_proof")]
    pub inclusion_proof: Option<InclusionProof>,
    /// The leaf's data.
    #[serde(with = "base64::bytes", default, alias = "canonicalized_body")]
    pub canonicalized_body: Vec<u8>,
}

/// The id of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyId {
    /// 32 bytes; see [`super::LogId`].
    #[serde(with = "base64::bytes", alias = "key_id")]
    pub key_id: Vec<u8>,
}

/// The kind and version of a body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindVersion {
    /// For example `hashedrekord`.
    #[serde(default)]
    pub kind: String,
    /// For example `0.0.2`.
    #[serde(default)]
    pub version: String,
}

/// Rekor v1's signed entry timestamp.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InclusionPromise {
    /// The signature's bytes.
    #[serde(with = "base64::bytes", alias = "signed_entry_timestamp")]
    pub signed_entry_timestamp: Vec<u8>,
}

/// An inclusion proof with the checkpoint it leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InclusionProof {
    /// The leaf's index in this log's own tree.
    #[serde(with = "int64", default, alias = "log_index")]
    pub log_index: u64,
    /// The root at `tree_size`.
    #[serde(with = "base64::bytes", default, alias = "root_hash")]
    pub root_hash: Vec<u8>,
    /// How many leaves the tree had.
    #[serde(with = "int64", default, alias = "tree_size")]
    pub tree_size: u64,
    /// The sibling hashes from the leaf up.
    #[serde(default, with = "hashes")]
    pub hashes: Vec<Vec<u8>>,
    /// The signed checkpoint.
    #[serde(default)]
    pub checkpoint: Checkpoint,
}

/// A signed checkpoint as text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The signed note.
    #[serde(default)]
    pub envelope: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Protobuf JSON writes 64-bit integers as strings and reads strings and numbers.
mod int64 {
    use super::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Text(String),
        Plain(u64),
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    pub(super) fn serialize<S: Serializer>(n: &u64, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(n)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
        let wrong = || serde::de::Error::custom("expected a non-negative 64-bit integer");
        let n = match Number::deserialize(d).map_err(|_| wrong())? {
            Number::Plain(n) => n,
            Number::Text(t) if t.bytes().all(|b| b.is_ascii_digit()) => {
                t.parse().map_err(|_| wrong())?
            }
            Number::Text(_) => return Err(wrong()),
        };
        if i64::try_from(n).is_ok() { Ok(n) } else { Err(wrong()) }
    }
}

mod hashes {
    use super::{Deserialize, Deserializer, MAX_PROOF_HASHES, Serializer, base64};

    pub(super) fn serialize<S: Serializer>(hashes: &[Vec<u8>], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(hashes.iter().map(base64::encode))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Vec<u8>>, D::Error> {
        let texts = Vec::<String>::deserialize(d)?;
        if texts.len() > MAX_PROOF_HASHES {
            return Err(serde::de::Error::custom("more than 64 hashes in an inclusion proof"));
        }
        let decode = |t: &String| base64::decode(t, "hashes").map_err(serde::de::Error::custom);
        texts.iter().map(decode).collect()
    }
}
