//! What a log's own program may believe of what it reads back: that it verified it before.
//!
//! A registry logs only what it has verified, so a leaf of its own tree stands for a signature that was good. To rely on that it must
//! know that the leaf is in its tree, unchanged: the 256 hashes of a full tile are held against a checkpoint that the log's
//! own key has signed ([`own_leaves`]), and an envelope or a bundle with a certificate against its leaf ([`own_envelope`],
//! [`own_bundle`]). That takes hashes, and a signature for each tile instead of one for each envelope.
//!
//! It says nothing about the log of anybody else: whoever was handed an envelope by another registry asks [`super::envelope`] or
//! [`super::Verifier`]. Whoever holds the log's key could make a tree of envelopes that nobody has signed.

use super::certified::{Certificate, Certified};
use super::ingest::{self, SignedStatement};
use super::{Author, Check, Refusal, Verified};
use crate::bundle::Bundle;
use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::digest::Sha256;
use crate::dsse::Envelope;
use crate::key::PublicKey;
use crate::merkle;
use crate::note::NoteKey;
use crate::problem::chain;
use crate::rekor::Entry;
use crate::tile::{Pyramid, TILE_HEIGHT, TILE_WIDTH};

/// The hashes of leaves that follow one another, those of a full tile or one alone, which are in the log's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnLeaves {
    first: u64,
    hashes: Vec<Sha256>,
}

impl OwnLeaves {
    /// The hash of a leaf, where it is one of these.
    #[must_use]
    pub fn hash(&self, index: u64) -> Option<&Sha256> {
        self.hashes.get(usize::try_from(index.checked_sub(self.first)?).ok()?)
    }
}

/// Verifies that the hashes of a full tile of level 0 are those of the leaves in the tree of a checkpoint that the log's key has
/// signed.
///
/// `index` is the tile's. `proof` is the inclusion proof of its first leaf at the checkpoint's size: what it says of the tile
/// itself is computed from the hashes, and not believed.
///
/// # Errors
/// [`Refusal`] of [`Check::Checkpoint`] or [`Check::Inclusion`], also for a tile that is not full.
pub fn own_leaves(
    checkpoint: &str,
    key: &NoteKey,
    tile: &Pyramid,
    index: u64,
    proof: &[Sha256],
) -> Result<Verified<OwnLeaves>, Refusal> {
    let head = head(checkpoint, key)?;
    let refuse = |found: String| {
        let expected =
            format!("the full tile {index} of level 0 in the tree of size {}", head.size);
        Refusal::new(Check::Inclusion, expected, found)
    };
    let inside: Option<Vec<Sha256>> = (0..TILE_HEIGHT).map(|level| tile.node(level, 1)).collect();
    let leaf = tile.hashes().first();
    let (Some(inside), Some(leaf), true) = (inside, leaf, tile.is_full()) else {
        return Err(refuse(format!("{} hashes", tile.width())));
    };
    let first = index.checked_mul(u64::from(TILE_WIDTH));
    let first = first.ok_or_else(|| refuse("an index beyond every log".to_owned()))?;
    let above = proof.get(inside.len()..).unwrap_or_default();
    let proof = [inside.as_slice(), above].concat();
    merkle::verify_inclusion(leaf, first, head.size, &proof, &head.root)
        .map_err(|e| refuse(chain(&e)))?;
    Ok(Verified::new(OwnLeaves { first, hashes: tile.hashes().to_vec() }))
}

/// Verifies that one leaf is in the tree of a checkpoint that the log's key has signed: for those that are in no full tile yet.
///
/// # Errors
/// [`Refusal`] of [`Check::Checkpoint`] or [`Check::Inclusion`].
pub fn own_leaf(
    checkpoint: &str,
    key: &NoteKey,
    leaf: Sha256,
    index: u64,
    proof: &[Sha256],
) -> Result<Verified<OwnLeaves>, Refusal> {
    let head = head(checkpoint, key)?;
    merkle::verify_inclusion(&leaf, index, head.size, proof, &head.root).map_err(|e| {
        let expected = format!("leaf {index} in the tree of size {}", head.size);
        Refusal::new(Check::Inclusion, expected, chain(&e))
    })?;
    Ok(Verified::new(OwnLeaves { first: index, hashes: vec![leaf] }))
}

fn head(checkpoint: &str, key: &NoteKey) -> Result<Checkpoint, Refusal> {
    let opened = SignedCheckpoint::open(checkpoint, key).map_err(|e| {
        let expected = format!("a checkpoint of {}, signed by its own key", key.name());
        Refusal::new(Check::Checkpoint, expected, chain(&e))
    })?;
    Ok(opened.checkpoint)
}

/// Gives back the verified envelope of a leaf of the log's own: the leaf records the signature of exactly these bytes by this key,
/// which was verified before it was logged.
///
/// # Errors
/// [`Refusal`] of [`Check::LogEntry`] when the leaf records another signature, or the same in its other form; then of
/// [`Check::Statement`].
pub fn own_envelope(
    envelope: &Envelope,
    key: &PublicKey,
    leaves: &Verified<OwnLeaves>,
    index: u64,
) -> Result<Verified<SignedStatement>, Refusal> {
    let entry = Entry::for_envelope(envelope, key);
    demand_leaf(&entry, leaves, index)?;
    let statement = ingest::statement(envelope)?;
    Ok(Verified::new(SignedStatement {
        envelope: envelope.clone(),
        statement,
        author: Author::Key(key.clone()),
        entry,
    }))
}

/// Gives back the verified bundle of a leaf of the log's own: the leaf records the signature of exactly this by the certificate that
/// is in the bundle, whose authority was verified before it was logged, and may no longer be believed since.
///
/// # Errors
/// [`Refusal`] of [`Check::LogEntry`] when the leaf records another signature or certificate, or the same signature in its other
/// form; of [`Check::Certificate`] for a bundle without a certificate that can be read, and of [`Check::Statement`].
pub fn own_bundle(
    bundle: &Bundle,
    leaves: &Verified<OwnLeaves>,
    index: u64,
) -> Result<Certified, Refusal> {
    let certified = Certificate::of(bundle)?.says(bundle)?;
    demand_leaf(certified.entry(), leaves, index)?;
    Ok(certified)
}

/// Gives back the verified bundle of the log's own by the signature in it: the key of its certificate made it.
///
/// Nothing vouches for the certificate here. The caller compares [`Certified::entry`] with the leaf, which is there because the
/// certificate was verified before.
///
/// # Errors
/// [`Refusal`] of [`Check::Certificate`], of [`Check::Statement`], and of [`Check::Signature`] when another key made the signature.
pub fn own_bundle_signature(bundle: &Bundle) -> Result<Certified, Refusal> {
    let certificate = Certificate::of(bundle)?;
    certificate.verify_signature(bundle)?;
    certificate.says(bundle)
}

fn demand_leaf(entry: &Entry, leaves: &Verified<OwnLeaves>, index: u64) -> Result<(), Refusal> {
    let leaf = entry.leaf_hash();
    let found = match leaves.get().hash(index) {
        Some(hash) if *hash == leaf => return Ok(()),
        Some(hash) => format!("leaf {hash}"),
        None => "none".to_owned(),
    };
    let expected = format!("an entry at {index} that records this signature (leaf {leaf})");
    Err(Refusal::new(Check::LogEntry, expected, found))
}
