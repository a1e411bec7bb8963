//! Records at rest: deterministic CBOR (RFC 8949 §4.2.1) beside a version. Members are written in
//! the order of their declaration, so every type here declares them in that section's order: the
//! shorter name first, then by bytes.
//!
//! A record that another version of the program wrote is refused, never misread.

use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::verify::Signer;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of the records that this program writes.
pub const RECORD_VERSION: u32 = 1;

/// Why a stored record could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The bytes are not the CBOR of this record.
    #[error("the stored {what} is damaged: {detail}")]
    Damaged {
        /// Which record.
        what: &'static str,
        /// What the decoder met.
        detail: String,
    },
    /// Another version of the program wrote it.
    #[error(
        "expected version {RECORD_VERSION} of the stored {what}, found {found}; run the version of attestry-registry that wrote it"
    )]
    Version {
        /// Which record.
        what: &'static str,
        /// Its version.
        found: u32,
    },
}

/// What a sequence number stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A DSSE envelope with an in-toto statement, stored as content.
    Envelope,
    /// A signature over an artifact's digest, stored as content.
    Message,
    /// A signature over a document that names an image, stored with that document as content.
    ImageSignature,
    /// A Sigstore bundle with a certificate, stored as content: an envelope, or a signature over an artifact's digest, with what proves
    /// when the certificate was used.
    Bundle,
    /// A leaf that a stock client logged by digest alone; nothing but the leaf is stored.
    Entry,
}

impl Kind {
    /// How much of what was signed is kept: a submission that brings more completes a record. A bundle has a statement or none.
    #[must_use]
    pub fn completeness(self, has_statement: bool) -> u8 {
        match (self, has_statement) {
            (Self::Entry, _) => 0,
            (Self::Message, _) | (Self::Bundle, false) => 1,
            (Self::Envelope | Self::ImageSignature, _) | (Self::Bundle, true) => 2,
        }
    }
}

/// One subject of a statement, or the artifact of a message signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedSubject {
    /// The name, where the statement gives one.
    pub name: Option<String>,
    /// Every digest of it.
    pub digests: Vec<Digest>,
}

/// The record of one attestation: everything that a listing shows, so that listings read no
/// content. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What it stands for.
    pub kind: Kind,
    /// The digest of the stored bytes; for [`Kind::Entry`] of the leaf's body.
    pub digest: Sha256,
    /// Who signed it.
    #[serde(with = "signer")]
    pub signer: Signer,
    /// The digest of the bundle that was kept of the same signature before this one came, which says more: a certificate's signature
    /// over an artifact's digest, which turned out to be that of an envelope. It stays where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Sha256>,
    /// What it is about; at most [`MAX_RECORDED_SUBJECTS`] are kept for listings, all are indexed.
    pub subjects: Vec<RecordedSubject>,
    /// The leaf's hash.
    pub leaf_hash: Sha256,
    /// The namespace it belongs to.
    pub namespace: String,
    /// Whether nobody with a token has submitted it yet: it came over the path that needs none, and
    /// the first who submits it with one says which namespace it belongs to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unclaimed: bool,
    /// The size of the tree of the batch that held it, whose checkpoint is kept.
    pub batch_size: u64,
    /// When the log first held it.
    pub logged_at_ms: i64,
    /// Whether the signer was one that the registry is told to trust.
    pub signer_known: bool,
    /// How many subjects there are in all.
    pub subject_count: u64,
    /// The predicate type, for envelopes.
    pub predicate_type: Option<String>,
}

impl Record {
    /// As [`Kind::completeness`].
    #[must_use]
    pub fn completeness(&self) -> u8 {
        self.kind.completeness(self.predicate_type.is_some())
    }

    /// Whether all that was signed is kept, so that it never changes again.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.completeness() == Kind::Envelope.completeness(true)
    }
}

/// A signer at rest: the fingerprint of a key as text, or the two names of a certificate's identity.
mod signer {
    use attestry_schemas::key::Fingerprint;
    use attestry_schemas::verify::Signer;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Stored<'s> {
        Key(Fingerprint),
        Identity { issuer: std::borrow::Cow<'s, str>, subject: std::borrow::Cow<'s, str> },
    }

    pub(super) fn serialize<S: Serializer>(signer: &Signer, s: S) -> Result<S::Ok, S::Error> {
        let stored = match signer {
            Signer::Key(fingerprint) => Stored::Key(*fingerprint),
            Signer::Identity { subject, issuer } => {
                Stored::Identity { issuer: issuer.into(), subject: subject.into() }
            }
        };
        stored.serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Signer, D::Error> {
        Ok(match Stored::deserialize(d)? {
            Stored::Key(fingerprint) => Signer::Key(fingerprint),
            Stored::Identity { issuer, subject } => {
                Signer::Identity { subject: subject.into_owned(), issuer: issuer.into_owned() }
            }
        })
    }
}

/// The most subjects a record keeps for listings.
pub const MAX_RECORDED_SUBJECTS: usize = 8;

/// The checkpoint of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCheckpoint {
    /// The signed note.
    pub text: String,
    /// When it was signed, Unix milliseconds.
    pub signed_at_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    r: T,
    v: u32,
}

#[derive(Deserialize)]
struct VersionOnly {
    v: u32,
}

/// Writes a record.
#[must_use]
pub fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    serde_cbor::to_vec(&Versioned { r: record, v: RECORD_VERSION })
        .expect("records hold only strings, integers, lists and maps with text keys")
}

/// Reads a record.
///
/// # Errors
/// [`RecordError::Version`] for another version's, [`RecordError::Damaged`] otherwise.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<T, RecordError> {
    let damaged = |e: serde_cbor::Error| RecordError::Damaged { what, detail: e.to_string() };
    let (record, found) = match serde_cbor::from_slice::<Versioned<T>>(bytes) {
        Ok(read) => (Ok(read.r), read.v),
        // Another version's need not even parse.
        Err(error) => {
            let version: VersionOnly = serde_cbor::from_slice(bytes).map_err(damaged)?;
            (Err(damaged(error)), version.v)
        }
    };
    if found == RECORD_VERSION { record } else { Err(RecordError::Version { what, found }) }
}

#[cfg(test)]
mod tests {
    use attestry_schemas::key::Fingerprint;

    use super::*;

    fn checkpoint() -> StoredCheckpoint {
        StoredCheckpoint { text: "x".to_owned(), signed_at_ms: 5 }
    }

    #[test]
    fn reads_what_it_writes() {
        let read: StoredCheckpoint = decode(&encode(&checkpoint()), "checkpoint").unwrap();
        assert_eq!(read, checkpoint());
    }

    fn record() -> Record {
        let digest = Digest::from(Sha256([1; 32]));
        Record {
            kind: Kind::Envelope,
            digest: Sha256([2; 32]),
            signer: Fingerprint::of_spki(b"a key").into(),
            earlier: Some(Sha256([3; 32])),
            subjects: vec![RecordedSubject { name: Some("app".to_owned()), digests: vec![digest] }],
            leaf_hash: Sha256([4; 32]),
            namespace: "default".to_owned(),
            unclaimed: true,
            batch_size: 300,
            logged_at_ms: 5,
            signer_known: true,
            subject_count: 1,
            predicate_type: None,
        }
    }

    fn of_identity() -> Record {
        let subject = "https://example.org/build.yml@refs/heads/main".to_owned();
        let signer = Signer::Identity { subject, issuer: "https://issuer.example.org".to_owned() };
        Record { kind: Kind::Bundle, signer, ..record() }
    }

    #[test]
    fn members_stand_in_the_one_order() {
        // Its maps are sorted as RFC 8949 §4.2.1 has them, and its integers are as short as can be.
        let sorted = |bytes: &[u8]| {
            let value: serde_cbor::Value = serde_cbor::from_slice(bytes).unwrap();
            serde_cbor::to_vec(&value).unwrap()
        };
        for bytes in [encode(&record()), encode(&of_identity()), encode(&checkpoint())] {
            assert_eq!(bytes, sorted(&bytes));
        }
    }

    #[test]
    fn a_signer_is_a_fingerprint_or_the_names_of_an_identity() {
        for record in [record(), of_identity()] {
            let read: Record = decode(&encode(&record), "attestation record").unwrap();
            assert_eq!(read, record);
        }
    }

    /// A record as it was written when signers were keys.
    #[derive(Serialize, Deserialize)]
    struct KeysAlone {
        kind: Kind,
        digest: Sha256,
        signer: Fingerprint,
        subjects: Vec<RecordedSubject>,
        leaf_hash: Sha256,
        namespace: String,
        batch_size: u64,
        logged_at_ms: i64,
        signer_known: bool,
        subject_count: u64,
        predicate_type: Option<String>,
    }

    #[test]
    fn a_record_of_before_is_read_and_written_as_it_was() {
        let new = Record { unclaimed: false, earlier: None, ..record() };
        let old = KeysAlone {
            kind: new.kind,
            digest: new.digest,
            signer: Fingerprint::of_spki(b"a key"),
            subjects: new.subjects.clone(),
            leaf_hash: new.leaf_hash,
            namespace: new.namespace.clone(),
            batch_size: new.batch_size,
            logged_at_ms: new.logged_at_ms,
            signer_known: new.signer_known,
            subject_count: new.subject_count,
            predicate_type: new.predicate_type.clone(),
        };
        let bytes = encode(&old);
        assert_eq!(encode(&new), bytes, "whoever was there before reads what is written now");
        assert_eq!(decode::<Record>(&bytes, "attestation record").unwrap(), new);
    }

    #[test]
    fn refuses_another_version_and_damaged_bytes() {
        let other = serde_cbor::to_vec(&Versioned { r: checkpoint(), v: 2 }).unwrap();
        let read = decode::<StoredCheckpoint>(&other, "checkpoint");
        assert!(matches!(read, Err(RecordError::Version { found: 2, .. })));
        let mut bytes = encode(&checkpoint());
        bytes.truncate(bytes.len() - 1);
        let read = decode::<StoredCheckpoint>(&bytes, "checkpoint");
        assert!(matches!(read, Err(RecordError::Damaged { .. })));
    }
}
