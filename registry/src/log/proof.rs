//! Proofs from the store: any index, any past size, and the bundle that carries one.

use attestry_schemas::bundle::{Bundle, Content, MessageSignature};
use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::Envelope;
use attestry_schemas::key::PublicKey;
use attestry_schemas::merkle::{self, NodeAddress, ProofError};
use attestry_schemas::problem::chain;
use attestry_schemas::rekor::{
    Checkpoint, Entry, InclusionProof, KIND, KeyId, KindVersion, LogId, TlogEntry, VERSION,
    Verifier,
};

use super::tree::TileReader;
use crate::store::record::{Kind, Record};
use crate::store::{Content as StoredContent, Reader, StoreError};

/// Why a proof could not be given.
#[derive(Debug, thiserror::Error)]
pub enum ProofFault {
    /// The index or size is beyond the tree.
    #[error("{0}")]
    OutOfRange(String),
    /// No batch ended at this size, so no checkpoint was signed for it.
    #[error("expected the size of a signed checkpoint, found {size}; the next one is {next}")]
    NoCheckpoint {
        /// The size that was asked for.
        size: u64,
        /// The next greater size with a checkpoint, or the size of the tree.
        next: u64,
    },
    /// The store failed or is damaged.
    #[error("the proof cannot be read from the store")]
    Store(#[source] StoreError),
}

/// A leaf's place in the tree of a size, with its proof.
#[derive(Debug, Clone)]
pub struct Proven {
    /// The leaf's index.
    pub index: u64,
    /// The size of the tree.
    pub size: u64,
    /// The root of that tree.
    pub root: Sha256,
    /// The sibling hashes, from the leaf up.
    pub hashes: Vec<Sha256>,
    /// The checkpoint of that tree.
    pub checkpoint: String,
}

/// Which log this is.
#[derive(Debug, Clone)]
pub struct LogIdentity {
    /// The origin line of its checkpoints.
    pub origin: String,
    /// Its id.
    pub id: LogId,
    /// Its public key.
    pub key: PublicKey,
}

impl LogIdentity {
    /// The log entry that a bundle carries.
    #[must_use]
    pub fn tlog_entry(&self, body: Vec<u8>, proven: &Proven) -> TlogEntry {
        TlogEntry {
            log_index: proven.index,
            log_id: KeyId { key_id: self.id.0.to_vec() },
            kind_version: KindVersion { kind: KIND.to_owned(), version: VERSION.to_owned() },
            integrated_time: 0,
            inclusion_promise: None,
            inclusion_proof: Some(InclusionProof {
                log_index: proven.index,
                root_hash: proven.root.0.to_vec(),
                tree_size: proven.size,
                hashes: proven.hashes.iter().map(|h| h.0.to_vec()).collect(),
                checkpoint: Checkpoint { envelope: proven.checkpoint.clone() },
            }),
            canonicalized_body: body,
        }
    }
}

fn fault(error: ProofError<StoreError>) -> ProofFault {
    match error {
        ProofError::Node { source, .. } => ProofFault::Store(source),
        other => ProofFault::OutOfRange(chain(&other)),
    }
}

impl Reader<'_> {
    fn node(&self) -> impl FnMut(NodeAddress) -> Result<Sha256, StoreError> + '_ {
        let mut tiles = TileReader::new(|level, index| self.tile(level, index));
        move |node| {
            let missing = || StoreError::Missing {
                what: format!("tile with node {} of level {}", node.index, node.level),
            };
            tiles.node(node)?.ok_or_else(missing)
        }
    }

    /// How many leaves the tree has.
    ///
    /// # Errors
    /// [`ProofFault::Store`].
    pub fn tree_size(&self) -> Result<u64, ProofFault> {
        self.size().map_err(ProofFault::Store)
    }

    /// The root of the tree at a past size.
    ///
    /// # Errors
    /// [`ProofFault`].
    pub fn root(&self, size: u64) -> Result<Sha256, ProofFault> {
        self.check_size(size)?;
        merkle::root(size, self.node()).map_err(fault)
    }

    fn check_size(&self, size: u64) -> Result<(), ProofFault> {
        let tree = self.tree_size()?;
        if size <= tree {
            return Ok(());
        }
        Err(ProofFault::OutOfRange(format!("expected a size of at most {tree}, found {size}")))
    }

    /// The sibling hashes of a leaf in the tree of any past size.
    ///
    /// # Errors
    /// [`ProofFault`].
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Sha256>, ProofFault> {
        self.check_size(size)?;
        merkle::inclusion_proof(index, size, self.node()).map_err(fault)
    }

    /// The consistency proof between any two past sizes.
    ///
    /// # Errors
    /// [`ProofFault`].
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Sha256>, ProofFault> {
        self.check_size(new)?;
        merkle::consistency_proof(old, new, self.node()).map_err(fault)
    }

    /// The proof of a leaf under the checkpoint of a size.
    ///
    /// # Errors
    /// [`ProofFault::NoCheckpoint`] for a size inside a batch.
    pub fn proven(&self, index: u64, size: u64) -> Result<Proven, ProofFault> {
        let checkpoint = self.checkpoint(size).map_err(ProofFault::Store)?;
        let Some(checkpoint) = checkpoint else {
            self.check_size(size)?;
            return Err(ProofFault::NoCheckpoint { size, next: self.next_checkpoint(size)? });
        };
        Ok(Proven {
            index,
            size,
            root: self.root(size)?,
            hashes: self.inclusion(index, size)?,
            checkpoint: checkpoint.text,
        })
    }

    fn next_checkpoint(&self, size: u64) -> Result<u64, ProofFault> {
        use crate::store::engine::Family;
        use crate::store::key;
        let mut next = None;
        self.snapshot()
            .visit(Family::Meta, key::CHECKPOINT_PREFIX, Some(&key::checkpoint(size)), |k, _| {
                next = key::sequence_of(k);
                std::ops::ControlFlow::Break(())
            })
            .map_err(|e| ProofFault::Store(StoreError::Engine(e)))?;
        Ok(next.unwrap_or(size))
    }

    /// What stands under one of a record's digests: beside its stored bytes the leaf, which a stock
    /// client logged by digest alone, and a message signature, or a certificate's bundle of one, whose envelope came later. One
    /// digest names the same bytes for ever.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn kind_under(
        &self,
        sequence: u64,
        record: &Record,
        digest: &Sha256,
    ) -> Result<Kind, StoreError> {
        if record.digest == *digest || record.earlier == Some(*digest) {
            return Ok(record.kind);
        }
        let missing = || StoreError::Missing { what: format!("leaf {sequence}") };
        let body = self.leaf(sequence)?.ok_or_else(missing)?;
        Ok(if Sha256::of(&body) == *digest { Kind::Entry } else { Kind::Message })
    }

    /// The complete bundle of a record, or of what it was as `kind`: its signature with the log entry at `size`, or at the size
    /// of the batch that first held it. A certificate's bundle has the entries that it came with in front.
    ///
    /// # Errors
    /// [`ProofFault`].
    pub fn bundle(
        &self,
        sequence: u64,
        record: &Record,
        kind: Kind,
        size: Option<u64>,
        log: &LogIdentity,
    ) -> Result<Bundle, ProofFault> {
        let missing = |what: String| ProofFault::Store(StoreError::Missing { what });
        let body = self
            .leaf(sequence)
            .map_err(ProofFault::Store)?
            .ok_or_else(|| missing(format!("leaf {sequence}")))?;
        let entry = Entry::parse(&body).map_err(|e| missing(format!("leaf {sequence}: {e}")))?;
        let proven = self.proven(sequence, size.unwrap_or(record.batch_size))?;
        let content = match kind {
            Kind::Bundle => {
                let bytes = self.stored_bytes(record).map_err(ProofFault::Store)?;
                let mut bundle = Bundle::parse(&bytes)
                    .map_err(|e| missing(format!("bundle {}: {e}", record.digest)))?;
                bundle.tlog_entries.push(log.tlog_entry(body, &proven));
                return Ok(bundle);
            }
            Kind::Envelope => {
                let bytes = self.stored_bytes(record).map_err(ProofFault::Store)?;
                let envelope = Envelope::parse(&bytes)
                    .map_err(|e| missing(format!("envelope {}: {e}", record.digest)))?;
                // The leaf may record the signature in its other form.
                Content::Envelope(envelope).with_signature(entry.signature.clone())
            }
            Kind::Message | Kind::ImageSignature | Kind::Entry => {
                Content::Message(MessageSignature {
                    digest: entry.digest.into(),
                    signature: entry.signature.clone(),
                })
            }
        };
        let Verifier::PublicKey(key) = &entry.verifier else {
            return Err(missing(format!("key in leaf {sequence}")));
        };
        let mut bundle = Bundle::of_key(key, content);
        bundle.tlog_entries = vec![log.tlog_entry(body, &proven)];
        Ok(bundle)
    }

    /// The stored bytes of an attestation, whole. They were bounded when they came in.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when they are gone.
    pub fn stored_bytes(&self, record: &Record) -> Result<Vec<u8>, StoreError> {
        self.attested_bytes(record.digest)
    }

    /// The bytes of an attestation under a digest, whole.
    ///
    /// # Errors
    /// As [`Reader::stored_bytes`].
    pub fn attested_bytes(&self, digest: Sha256) -> Result<Vec<u8>, StoreError> {
        let missing = || StoreError::Missing { what: format!("content {digest}") };
        match self.content(digest)?.ok_or_else(missing)? {
            StoredContent::Inline(bytes) => Ok(bytes),
            StoredContent::File(file) => {
                let size = usize::try_from(file.size_bytes()).map_err(|_| missing())?;
                let mut bytes = vec![0; size];
                let read = file.read_at(0, &mut bytes).map_err(StoreError::Content)?;
                if read == size { Ok(bytes) } else { Err(missing()) }
            }
        }
    }
}
