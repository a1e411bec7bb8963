//! Evidence in memory: attestations that were read, verified and parsed once.
//!
//! What is not in memory is read from the store, and verified again before it counts. That takes one of three ways:
//!
//! - Its leaf is in a full tile under a checkpoint that this log's key has signed, and what it says was written down under this
//!   registry's seal for that leaf ([`Seal`]; `facts.rs` writes it).
//! - Its leaf is in such a tile under a checkpoint that this log's key has signed, and records the signature of exactly these
//!   bytes ([`verify::own_leaves`], [`verify::own_envelope`]). The log holds only what was verified before it was logged (a
//!   `Submission` is made of nothing else), so an unchanged leaf is a signature that was good.
//! - Everything else, such as the newest leaves and the signatures of artifacts, by its signature and the key of its leaf.
//!
//! The first two take hashes alone, and are no weaker against whoever can change the files: with the log's key, which lies
//! beside them, they could make decisions; without it, they can make no checkpoint. `fsck` verifies every signature.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::Envelope;
use attestry_schemas::gate::{Evidence, Held, Seal, SealError};
use attestry_schemas::key::{Fingerprint, PublicKey, SigningKey};
use attestry_schemas::merkle;
use attestry_schemas::note::NoteKey;
use attestry_schemas::oci::image_signature::ImageSignature;
use attestry_schemas::problem::chain;
use attestry_schemas::rekor::{Entry, Verifier};
use attestry_schemas::tile::TILE_WIDTH;
use attestry_schemas::verify::{
    self, CertificateRoots, OwnLeaves, SignedStatement, Signer, Verified,
};
use jiff::Timestamp;

use crate::log::ProofFault;
use crate::store::engine::EngineError;
use crate::store::record::{Kind, Record};
use crate::store::{Reader, StoreError};

/// What an attestation takes in memory beside what it says, in bytes: an estimate.
const OVERHEAD_BYTES: usize = 4 << 10;
/// What it takes for each byte of its statement, parsed: an estimate, measured over the statements of the bench (of 3.5 KB, about
/// 14 KiB of the process).
const BYTES_A_BYTE: usize = 3;
/// The most full tiles of leaves that are kept, of 8 KiB each.
const MAX_TILES: usize = 2_048;
/// The most attestations that are read at once.
const MAX_AT_ONCE: usize = 256;
/// The most keys that are kept.
const MAX_KEYS: usize = 10_000;

/// The shelf.
pub(super) struct Shelf {
    kept: RwLock<Kept>,
    /// Full tiles of level 0 by their index; none of one that the newest checkpoint does not cover.
    leaves: RwLock<HashMap<u64, Option<Arc<Verified<OwnLeaves>>>>>,
    /// Keys of leaves that were read.
    keys: RwLock<HashMap<Fingerprint, PublicKey>>,
    log: Option<NoteKey>,
    seal: Seal,
    most_bytes: usize,
    /// Whose certificates are believed.
    roots: CertificateRoots,
}

/// Reads attestations themselves, whatever is kept of them, to compare the two.
pub struct Rereading(Shelf);

impl Rereading {
    /// Of the log with this key.
    #[must_use]
    pub fn new(note_key: NoteKey, log_key: &SigningKey) -> Self {
        Self(Shelf::new(Some(note_key), Seal::of(log_key), 0))
    }

    /// What is kept of an attestation, as it should be; none of what nothing may be kept of.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sealed(
        &self,
        reader: &Reader<'_>,
        sequence: u64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.sealed(reader, sequence)
    }
}

/// Evidence by its sequence, in the order in which it came; what was asked for since goes round once more.
#[derive(Default)]
struct Kept {
    by: HashMap<u64, Slot>,
    order: VecDeque<u64>,
    bytes: usize,
}

struct Slot {
    evidence: Arc<Evidence>,
    bytes: usize,
    asked_for: AtomicBool,
}

impl Kept {
    fn put(&mut self, evidence: Arc<Evidence>, most_bytes: usize) {
        let (sequence, bytes) = (evidence.index(), estimated_bytes(&evidence));
        let slot = Slot { evidence, bytes, asked_for: AtomicBool::new(false) };
        self.bytes += bytes;
        match self.by.insert(sequence, slot) {
            Some(before) => self.bytes = self.bytes.saturating_sub(before.bytes),
            None => self.order.push_back(sequence),
        }
        // The newest stays, so that whoever asks for it again at once has it.
        while self.bytes > most_bytes
            && self.order.len() > 1
            && let Some(oldest) = self.order.pop_front()
        {
            let Some(slot) = self.by.get(&oldest) else { continue };
            if oldest == sequence || slot.asked_for.swap(false, Ordering::Relaxed) {
                self.order.push_back(oldest);
            } else {
                self.bytes = self.bytes.saturating_sub(slot.bytes);
                self.by.remove(&oldest);
            }
        }
    }
}

fn estimated_bytes(evidence: &Evidence) -> usize {
    OVERHEAD_BYTES.saturating_add(evidence.statement_bytes().saturating_mul(BYTES_A_BYTE))
}

impl Shelf {
    /// An empty shelf of a log, which keeps so many bytes, as far as these can be estimated.
    pub(super) fn new(log: Option<NoteKey>, seal: Seal, most_bytes: usize) -> Self {
        Self {
            kept: RwLock::default(),
            leaves: RwLock::default(),
            keys: RwLock::default(),
            log,
            seal,
            most_bytes,
            roots: CertificateRoots::embedded(),
        }
    }

    /// The same, which believes the certificates of these authorities.
    pub(super) fn believing(self, roots: CertificateRoots) -> Self {
        Self { roots, ..self }
    }

    /// The evidence of a sequence. None of a leaf of which nothing but a digest is known, and of one that does not verify: it
    /// satisfies nothing.
    pub(super) fn evidence(
        &self,
        reader: &Reader<'_>,
        sequence: u64,
    ) -> Result<Option<Arc<Evidence>>, StoreError> {
        match self.kept(sequence) {
            Some(known) => Ok(Some(known)),
            None => Ok(self.load(reader, &[sequence])?.pop()),
        }
    }

    /// The evidence of sequences that are sorted, without those that have none.
    pub(super) fn all(
        &self,
        reader: &Reader<'_>,
        sequences: &[u64],
    ) -> Result<Vec<Arc<Evidence>>, StoreError> {
        let mut all = Vec::with_capacity(sequences.len());
        for some in sequences.chunks(MAX_AT_ONCE) {
            let (mut known, mut missing) = (Vec::with_capacity(some.len()), Vec::new());
            for sequence in some {
                match self.kept(*sequence) {
                    Some(evidence) => known.push(evidence),
                    None => missing.push(*sequence),
                }
            }
            if !missing.is_empty() {
                known.extend(self.load(reader, &missing)?);
                known.sort_by_key(|evidence| evidence.index());
            }
            all.extend(known);
        }
        Ok(all)
    }

    /// What is in memory.
    fn kept(&self, sequence: u64) -> Option<Arc<Evidence>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let slot = kept.by.get(&sequence)?;
        slot.asked_for.store(true, Ordering::Relaxed);
        Some(Arc::clone(&slot.evidence))
    }

    /// Reads what is not in memory, and keeps it there.
    fn load(
        &self,
        reader: &Reader<'_>,
        sequences: &[u64],
    ) -> Result<Vec<Arc<Evidence>>, StoreError> {
        let mut all = Vec::with_capacity(sequences.len());
        let facts = readable(reader.facts(sequences), sequences.len())?;
        for (sequence, facts) in sequences.iter().zip(facts) {
            let written = match facts {
                Some(facts) => self.written(reader, *sequence, &facts)?,
                None => None,
            };
            let evidence = match written {
                Some(evidence) => Some(evidence),
                None => self.read(reader, *sequence, &record(reader, *sequence)?)?,
            };
            all.extend(evidence.map(Arc::new));
        }
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        all.iter().for_each(|evidence| kept.put(Arc::clone(evidence), self.most_bytes));
        Ok(all)
    }

    /// What an attestation says, to be written down. None of what may still be completed, and of what is no evidence.
    pub(super) fn sealed(
        &self,
        reader: &Reader<'_>,
        sequence: u64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let record = record(reader, sequence)?;
        if !record.is_complete() {
            return Ok(None);
        }
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let known = kept.by.get(&sequence).map(|slot| Arc::clone(&slot.evidence));
        drop(kept);
        // What is in memory may be what was known before the leaf was completed.
        let evidence = match known.filter(|known| known.digest() == record.digest) {
            Some(known) => Some(known),
            None => self.read(reader, sequence, &record)?.map(Arc::new),
        };
        Ok(evidence.and_then(|evidence| self.seal.close(&evidence, &record.leaf_hash)))
    }

    /// Reads what was written down of an attestation.
    fn written(
        &self,
        reader: &Reader<'_>,
        sequence: u64,
        facts: &[u8],
    ) -> Result<Option<Evidence>, StoreError> {
        let Some(leaves) = self.leaves(reader, sequence)? else { return Ok(None) };
        match self.seal.open(facts, &leaves, sequence) {
            Ok(evidence) => Ok(Some(evidence)),
            Err(SealError::Format(_)) => Ok(None),
            Err(error) => {
                tracing::error!(
                    error = chain(&error),
                    sequence,
                    "the kept facts of an attestation are damaged, and it is read itself; attestry-registry fsck names what is affected"
                );
                Ok(None)
            }
        }
    }

    /// Keeps evidence that was verified when it came, so that it need not be read and verified again.
    pub(super) fn put(&self, evidence: Arc<Evidence>) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        kept.put(evidence, self.most_bytes);
    }

    /// Reads an attestation and verifies it again: by its leaf where that can be, else by its signature.
    fn read(
        &self,
        reader: &Reader<'_>,
        sequence: u64,
        record: &Record,
    ) -> Result<Option<Evidence>, StoreError> {
        if record.kind == Kind::Bundle {
            return self.bundle(reader, sequence, record);
        }
        if record.kind == Kind::Envelope
            && let Signer::Key(fingerprint) = &record.signer
            && let Some(key) = self.key(fingerprint)
            && let Some(leaves) = self.leaves(reader, sequence)?
            && let Some(held) = held(record.digest, sequence, record.logged_at_ms)
            && let Ok(envelope) = Envelope::parse(&reader.stored_bytes(record)?)
            && let Ok(signed) = verify::own_envelope(&envelope, &key, &leaves, sequence)
        {
            return Ok(Some(Evidence::of_statement(&signed, held)));
        }
        let Some((key, evidence)) = by_signature(reader, sequence, record)? else {
            return Ok(None);
        };
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MAX_KEYS {
            keys.clear();
        }
        keys.insert(key.fingerprint(), key);
        Ok(Some(evidence))
    }

    /// As [`Shelf::read`], of a certificate's bundle: by its leaf, whatever became of its authority since, else by the roots.
    fn bundle(
        &self,
        reader: &Reader<'_>,
        sequence: u64,
        record: &Record,
    ) -> Result<Option<Evidence>, StoreError> {
        let Some(held) = held(record.digest, sequence, record.logged_at_ms) else {
            return Ok(None);
        };
        let Ok(bundle) = Bundle::parse(&reader.stored_bytes(record)?) else { return Ok(None) };
        let leaves = match self.leaves(reader, sequence)? {
            Some(leaves) => Some(leaves),
            None => self.leaf(reader, sequence)?.map(Arc::new),
        };
        if let Some(leaves) = leaves
            && let Ok(own) = verify::own_bundle(&bundle, &leaves, sequence)
        {
            return Ok(Some(Evidence::of_certified(&own, held)));
        }
        let Ok(certified) = verify::certified(&bundle, &self.roots) else { return Ok(None) };
        // Any bundle that verifies could have been put in the place of the one that the log holds.
        let forms = [Some(certified.entry().clone()), certified.entry().other_form()];
        let leaf = reader.leaf(sequence)?;
        let is_leaf = forms.into_iter().flatten().any(|entry| Some(entry.body()) == leaf);
        Ok(is_leaf.then(|| Evidence::of_certified(&certified, held)))
    }

    fn key(&self, fingerprint: &Fingerprint) -> Option<PublicKey> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(fingerprint).cloned()
    }

    /// One leaf, held against the newest checkpoint.
    fn leaf(
        &self,
        reader: &Reader<'_>,
        sequence: u64,
    ) -> Result<Option<Verified<OwnLeaves>>, StoreError> {
        let Some(log) = &self.log else { return Ok(None) };
        let Some((size, checkpoint)) = reader.latest_checkpoint()? else { return Ok(None) };
        let Some(body) = reader.leaf(sequence)? else { return Ok(None) };
        let proof = match reader.inclusion(sequence, size) {
            Ok(proof) => proof,
            Err(ProofFault::Store(error)) => return Err(error),
            Err(_) => return Ok(None),
        };
        let leaf = merkle::leaf_hash(&body);
        Ok(verify::own_leaf(&checkpoint.text, log, leaf, sequence, &proof).ok())
    }

    /// The leaves of the full tile that holds a sequence, once they are held against the newest checkpoint.
    fn leaves(
        &self,
        reader: &Reader<'_>,
        sequence: u64,
    ) -> Result<Option<Arc<Verified<OwnLeaves>>>, StoreError> {
        let index = sequence / u64::from(TILE_WIDTH);
        let known = self.leaves.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(&index) {
            return Ok(known.clone());
        }
        drop(known);
        let Some(log) = &self.log else { return Ok(None) };
        let Some((size, checkpoint)) = reader.latest_checkpoint()? else { return Ok(None) };
        let first = index * u64::from(TILE_WIDTH);
        if size - first.min(size) < u64::from(TILE_WIDTH) {
            return Ok(None);
        }
        let proof = match reader.inclusion(first, size) {
            Ok(proof) => proof,
            Err(ProofFault::Store(error)) => return Err(error),
            Err(_) => Vec::new(),
        };
        let tile = reader.tile(0, index)?;
        let verified = verify::own_leaves(&checkpoint.text, log, &tile, index, &proof);
        let leaves = verified
            .inspect_err(|refusal| {
                tracing::error!(
                    error = chain(refusal),
                    "a tile of the log is damaged, its attestations are verified by their signatures; attestry-registry fsck names what is affected"
                );
            })
            .ok()
            .map(Arc::new);
        let mut known = self.leaves.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_TILES {
            known.clear();
        }
        known.insert(index, leaves.clone());
        Ok(leaves)
    }
}

/// The facts that were read; none where they are damaged at rest, as they can be read from the attestations again.
fn readable(
    read: Result<Vec<Option<Vec<u8>>>, StoreError>,
    count: usize,
) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
    match read {
        Err(StoreError::Engine(error @ EngineError::Corruption { .. })) => {
            tracing::error!(
                error = chain(&error),
                "kept facts are damaged, and the attestations are read; attestry-registry fsck names what is affected"
            );
            Ok(vec![None; count])
        }
        read => read,
    }
}

fn record(reader: &Reader<'_>, sequence: u64) -> Result<Record, StoreError> {
    let missing = || StoreError::Missing { what: format!("record {sequence}") };
    reader.record(sequence)?.ok_or_else(missing)
}

/// What the log holds of an attestation; the moment in whole seconds.
pub(super) fn held(digest: Sha256, index: u64, logged_at_ms: i64) -> Option<Held> {
    let logged_at = Timestamp::from_second(logged_at_ms.div_euclid(1000)).ok()?;
    Some(Held { digest, index, logged_at: logged_at.into() })
}

/// Reads an attestation and verifies its signature again, with the key that its leaf names.
fn by_signature(
    reader: &Reader<'_>,
    sequence: u64,
    record: &Record,
) -> Result<Option<(PublicKey, Evidence)>, StoreError> {
    if record.kind == Kind::Entry {
        return Ok(None);
    }
    let Some(body) = reader.leaf(sequence)? else { return Ok(None) };
    let Ok(Entry { verifier: Verifier::PublicKey(key), .. }) = Entry::parse(&body) else {
        return Ok(None);
    };
    let Some(held) = held(record.digest, sequence, record.logged_at_ms) else { return Ok(None) };
    let bytes = reader.stored_bytes(record)?;
    let keys = std::slice::from_ref(&key);
    let of_statement = |signed: &Verified<SignedStatement>| Evidence::of_statement(signed, held);
    let evidence = match record.kind {
        Kind::Envelope => Envelope::parse(&bytes)
            .ok()
            .and_then(|envelope| verify::envelope(&envelope, keys).ok())
            .map(|signed| of_statement(&signed)),
        Kind::Message => match Bundle::parse(&bytes).map(|bundle| bundle.content) {
            Ok(Content::Message(message)) => verify::message(&message, keys)
                .ok()
                .map(|signed| Evidence::of_message(&signed, held)),
            _ => None,
        },
        Kind::ImageSignature => ImageSignature::parse(&bytes)
            .ok()
            .and_then(|signature| verify::image_signature(&signature, keys).ok())
            .map(|signed| Evidence::of_message(&signed, held)),
        Kind::Entry | Kind::Bundle => None,
    };
    Ok(evidence.map(|evidence| (key, evidence)))
}

#[cfg(test)]
mod tests;
