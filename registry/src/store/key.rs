//! The keys of the column families: how a sequence, a term, a tile or an edge becomes bytes.
//!
//! ```text
//! leaves, statements   index, 8 bytes big-endian
//! tiles                level (1 byte) ‖ tile index (8 bytes big-endian)
//! postings             kind (1 byte) ‖ length (2 bytes) ‖ value ‖ sequence (8 bytes big-endian)
//! edges                node ‖ direction (1 byte) ‖ kind (1 byte) ‖ node ‖ sequence (8 bytes)
//!                      node = length (2 bytes) ‖ text
//! lookups              `l` ‖ leaf hash, `d` ‖ attestation digest (32 bytes each)
//! meta                 text
//! ```
//!
//! Big-endian numbers make the store's order the numbers' order; length prefixes keep one value
//! from being another's prefix. A value longer than [`MAX_VALUE_BYTES`] is replaced by its SHA-256.

use attestry_schemas::digest::Sha256;

/// The longest value that stands in a key as it is.
pub const MAX_VALUE_BYTES: usize = 512;

/// What a posting is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TermKind {
    /// A subject's digest, `algorithm:value`.
    Subject = 3,
    /// A predicate type's URI.
    PredicateType = 4,
    /// A signer's fingerprint.
    Signer = 5,
    /// A builder's id.
    Builder = 6,
    /// A source repository.
    Source = 7,
    /// A commit.
    Commit = 8,
    /// A material's digest.
    Material = 9,
    /// A component's package URL.
    Component = 10,
    /// An environment.
    Environment = 11,
    /// A verdict.
    Verdict = 12,
    /// A namespace.
    Namespace = 13,
    /// A name of a subject.
    SubjectName = 14,
    /// A short name of a predicate type, such as `provenance`.
    TypeName = 15,
    /// The digest of a manifest to which a tag pointed.
    Tagged = 16,
}

/// One term of the index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    /// What it is about.
    pub kind: TermKind,
    /// Its value.
    pub value: String,
}

impl Term {
    /// Builds a term.
    #[must_use]
    pub fn new(kind: TermKind, value: impl Into<String>) -> Self {
        Self { kind, value: value.into() }
    }

    /// The part of a posting's key in front of the sequence.
    #[must_use]
    pub fn prefix(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(1 + text_bytes(&self.value) + SEQUENCE_BYTES);
        key.push(self.kind as u8);
        push_text(&mut key, &self.value);
        key
    }

    /// A posting's key.
    #[must_use]
    pub fn posting(&self, sequence: u64) -> Vec<u8> {
        let mut key = self.prefix();
        key.extend_from_slice(&sequence.to_be_bytes());
        key
    }
}

/// What an edge says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum EdgeKind {
    /// A statement says something of a subject: predicate type → subject.
    Attests = 1,
    /// A product was built from a material: subject → material.
    BuiltFrom = 2,
    /// A product was built from a commit: subject → commit.
    BuiltFromCommit = 3,
    /// A product was built by a builder: subject → builder.
    BuiltBy = 4,
    /// A subject contains a component: subject → package URL.
    Contains = 5,
    /// A subject was signed: subject → signer.
    SignedBy = 6,
}

/// One edge of the graph, with the statement that proves it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    /// Where it starts.
    pub from: String,
    /// What it says.
    pub kind: EdgeKind,
    /// Where it ends.
    pub to: String,
}

impl Edge {
    /// The two keys of an edge: as seen from its start and from its end.
    #[must_use]
    pub fn keys(&self, sequence: u64) -> [Vec<u8>; 2] {
        let key = |near: &str, direction: u8, far: &str| {
            let bytes = text_bytes(near) + 2 + text_bytes(far) + SEQUENCE_BYTES;
            let mut key = Vec::with_capacity(bytes);
            push_text(&mut key, near);
            key.extend_from_slice(&[direction, self.kind as u8]);
            push_text(&mut key, far);
            key.extend_from_slice(&sequence.to_be_bytes());
            key
        };
        [key(&self.from, 0, &self.to), key(&self.to, 1, &self.from)]
    }
}

const SEQUENCE_BYTES: usize = size_of::<u64>();

/// At least what [`push_text`] adds: keys are made by the dozen for every statement, so each is
/// allocated once.
fn text_bytes(text: &str) -> usize {
    2 + text.len().min(MAX_VALUE_BYTES)
}

pub(super) fn push_text(key: &mut Vec<u8>, text: &str) {
    if text.len() <= MAX_VALUE_BYTES {
        let length = u16::try_from(text.len()).expect("at most 512");
        key.extend_from_slice(&length.to_be_bytes());
        key.extend_from_slice(text.as_bytes());
    } else {
        // No text that stands as it is has this length, so a hash is never taken for a text.
        key.extend_from_slice(&u16::MAX.to_be_bytes());
        key.extend_from_slice(Sha256::of(text.as_bytes()).as_bytes());
    }
}

/// The key of a leaf and of a record.
#[must_use]
pub fn sequence(index: u64) -> [u8; 8] {
    index.to_be_bytes()
}

/// The number at the end of a key.
#[must_use]
pub fn sequence_of(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}

/// The key of a tile.
#[must_use]
pub fn tile(level: u8, index: u64) -> [u8; 9] {
    let mut key = [0; 9];
    let (first, rest) = key.split_at_mut(1);
    first.copy_from_slice(&[level]);
    rest.copy_from_slice(&index.to_be_bytes());
    key
}

/// What stands in front of the keys of checkpoints.
pub const CHECKPOINT_PREFIX: &[u8] = b"checkpoint/";

/// The key of the checkpoint of a tree of `size` leaves.
#[must_use]
pub fn checkpoint(size: u64) -> Vec<u8> {
    [CHECKPOINT_PREFIX, &size.to_be_bytes()].concat()
}

/// What lookups by digest begin with.
const DIGEST: u8 = b'd';

/// The key of a lookup by leaf hash.
#[must_use]
pub fn leaf_lookup(leaf_hash: &Sha256) -> [u8; 33] {
    lookup(b'l', leaf_hash)
}

/// The key of a lookup by the digest of an attestation's stored bytes.
#[must_use]
pub fn digest_lookup(digest: &Sha256) -> [u8; 33] {
    lookup(DIGEST, digest)
}

/// What the keys of lookups by digests that begin with these bytes begin with.
#[must_use]
pub fn digests_beginning(first_bytes: &[u8]) -> Vec<u8> {
    [&[DIGEST], first_bytes].concat()
}

fn lookup(kind: u8, hash: &Sha256) -> [u8; 33] {
    let mut key = [kind; 33];
    let (_, rest) = key.split_at_mut(1);
    rest.copy_from_slice(hash.as_bytes());
    key
}

/// The key of the store's version.
pub const STORE_VERSION: &[u8] = b"version";

/// The key of the sequence below which the events of every leaf are told.
pub const EVENT_CURSOR: &[u8] = b"events";

/// The key of how far facts are kept.
pub const FACTS_CURSOR: &[u8] = b"facts";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_is_another_values_prefix() {
        let prefix = |value: &str| Term::new(TermKind::Subject, value).prefix();
        for (a, b) in [("a", "ab"), ("", "a"), ("a\0", "a")] {
            assert!(!prefix(b).starts_with(&prefix(a)) && !prefix(a).starts_with(&prefix(b)));
        }
    }

    #[test]
    fn long_values_are_hashed_and_stay_apart() {
        let term = |last: char| Term::new(TermKind::Source, "x".repeat(600) + &last.to_string());
        assert_ne!(term('a').prefix(), term('b').prefix());
        assert_eq!(term('a').prefix().len(), 1 + 2 + 32);
    }

    #[test]
    fn the_order_of_keys_is_the_order_of_sequences() {
        let term = Term::new(TermKind::Verdict, "");
        assert!(term.posting(255) < term.posting(256));
        assert_eq!(sequence_of(&term.posting(256)), Some(256));
    }
}
