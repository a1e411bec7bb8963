//! A log entry proves that a signature was recorded: the entry's body describes this signature,
//! the body is a leaf of the tree, and the tree's root is in a checkpoint that the log signed.

use super::{Check, Refusal, Verified};
use crate::checkpoint::{OpenedCheckpoint, SignedCheckpoint};
use crate::digest::Sha256;
use crate::merkle;
use crate::problem::chain;
use crate::rekor::{Entry, KIND, TlogEntry, VERSION};
use crate::trusted_root::{TrustedLog, TrustedRoot};

/// Where and when a signature was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The log's origin.
    pub origin: String,
    /// The leaf's index, from 0.
    pub index: u64,
    /// The size of the tree that the proof is for.
    pub size: u64,
    /// Unix seconds of the log's own cosignature on that checkpoint, if it carries one.
    pub cosigned_at_s: Option<u64>,
}

/// Whether this module reads the entry, or it is of a Rekor v1 kind.
pub(super) fn is_rekor_v2(entry: &TlogEntry) -> bool {
    let kind = &entry.kind_version;
    (kind.kind.as_str(), kind.version.as_str()) == (KIND, VERSION)
}

/// Verifies that `entry` records `expected` in a log that `root` trusts.
///
/// # Errors
/// [`Refusal`] of [`Check::LogEntry`], [`Check::Checkpoint`] or [`Check::Inclusion`].
pub fn log_entry(
    entry: &TlogEntry,
    expected: &Entry,
    root: &TrustedRoot,
) -> Result<Verified<Logged>, Refusal> {
    let log = root.log(&entry.log_id.key_id).ok_or_else(|| {
        let known: Vec<&str> = root.logs().iter().map(|l| l.origin.as_str()).collect();
        Refusal::new(
            Check::LogEntry,
            format!("an entry of a log in the trusted root ({})", known.join(", ")),
            format!("log id {:.100}", crate::base64::encode(&entry.log_id.key_id)),
        )
    })?;
    let body = expected.body();
    if entry.canonicalized_body != body {
        return Err(Refusal::new(
            Check::LogEntry,
            format!("an entry that records this signature (leaf {})", merkle::leaf_hash(&body)),
            format!(
                "one that records another (leaf {})",
                merkle::leaf_hash(&entry.canonicalized_body)
            ),
        ));
    }
    let proof = entry.inclusion_proof.as_ref().ok_or_else(|| {
        Refusal::new(Check::Inclusion, "an inclusion proof in the log entry", "none")
    })?;
    let opened = checkpoint(&proof.checkpoint.envelope, log)?.into_inner();
    let head = &opened.checkpoint;
    if (proof.tree_size, proof.root_hash.as_slice()) != (head.size, head.root.as_bytes().as_slice())
    {
        return Err(Refusal::new(
            Check::Inclusion,
            format!(
                "a proof for the checkpoint's tree of size {} with root {}",
                head.size, head.root
            ),
            format!(
                "one for size {} with root sha256:{:.100}",
                proof.tree_size,
                hex::encode(&proof.root_hash)
            ),
        ));
    }
    let hashes: Option<Vec<Sha256>> = proof.hashes.iter().map(|h| Sha256::from_slice(h)).collect();
    let hashes = hashes.ok_or_else(|| {
        Refusal::new(Check::Inclusion, "hashes of 32 bytes", "hashes of another length")
    })?;
    if proof.log_index != entry.log_index {
        return Err(Refusal::new(
            Check::Inclusion,
            format!("a proof for index {}", entry.log_index),
            format!("one for index {}", proof.log_index),
        ));
    }
    merkle::verify_inclusion(
        &merkle::leaf_hash(&body),
        entry.log_index,
        head.size,
        &hashes,
        &head.root,
    )
    .map_err(|e| {
        Refusal::new(
            Check::Inclusion,
            format!("a proof that leaf {} is in the tree of size {}", entry.log_index, head.size),
            chain(&e),
        )
    })?;
    Ok(Verified::new(Logged {
        origin: log.origin.clone(),
        index: entry.log_index,
        size: head.size,
        cosigned_at_s: opened.cosigned_at_s,
    }))
}

/// Verifies that a checkpoint is signed by `log`, at a time at which its key may sign as far as the
/// log's own cosignature tells one.
///
/// # Errors
/// [`Refusal`] of [`Check::Checkpoint`].
pub fn checkpoint(text: &str, log: &TrustedLog) -> Result<Verified<OpenedCheckpoint>, Refusal> {
    let refuse = |found: String| {
        Refusal::new(
            Check::Checkpoint,
            format!("a checkpoint of {} signed by its key {}", log.origin, log.key.fingerprint()),
            found,
        )
    };
    let key = log.note_key().map_err(|e| refuse(chain(&e)))?;
    let opened = SignedCheckpoint::open(text, &key).map_err(|e| refuse(chain(&e)))?;
    match opened.cosigned_at_s {
        Some(time_s) if !i64::try_from(time_s).is_ok_and(|time_s| log.valid_for.holds(time_s)) => {
            Err(Refusal::new(
                Check::Checkpoint,
                format!("a checkpoint of {}, whose key is valid {}", log.origin, log.valid_for),
                format!("one that says it was signed at Unix second {time_s}"),
            ))
        }
        _ => Ok(Verified::new(opened)),
    }
}
