//! Evidence at rest: what was read from a verified attestation, written down for the registry that logged it.
//!
//! An attestation never changes, and neither does what it says; to parse it again for every decision that it is evidence of
//! takes most of the time of a replay. So a registry keeps what [`Evidence`] holds, under a seal that nobody else can make:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | the [`FORMAT`] |
//! | 32 | HMAC-SHA-256 (RFC 2104) over the format, the leaf's hash, and what follows |
//! | the rest | CBOR (RFC 8949): all of [`Evidence`] but its index, which is the leaf's; members by their number |
//!
//! The key of the seal is derived from the log's key (HKDF, RFC 5869). It binds the facts to one leaf, and they
//! are read only with a leaf that a checkpoint of the log proves ([`OwnLeaves`]). That is as strong as reading the attestation under
//! the same leaf, for whoever changes the files: with the log's key, which lies beside them, they could make decisions anyway.
//!
//! Whoever has no facts, or those of another format, reads the attestation itself.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};

use super::{Evidence, Held, Said};
use crate::digest::Sha256;
use crate::key::SigningKey;
use crate::predicate::UtcTime;
use crate::statement::ResourceDescriptor;
use crate::verify::{OwnLeaves, Signer, Verified};

/// The format of what is written. It changes with every type that [`Said`] holds: what has another is not read. Programs with
/// the rule `rego` keep predicates, too.
pub const FORMAT: u8 = if cfg!(feature = "rego") { 0x84 } else { 0x04 };

const TAG_BYTES: usize = 32;
const PURPOSE: &[u8] = b"attestry facts at rest";

/// Why facts at rest are not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Another version of the program wrote them.
    #[error("expected facts of format {FORMAT:#04x}, found {0:#04x}")]
    Format(u8),
    /// No checkpoint proves the leaf.
    #[error("expected a leaf at {0} that a checkpoint proves, found none")]
    Leaf(u64),
    /// This registry did not write them of the leaf with this hash.
    #[error("expected facts under the seal of this registry, for leaf {0}")]
    Seal(Sha256),
    /// What is sealed does not parse.
    #[error("the sealed facts do not parse: {0}")]
    Cbor(String),
}

/// The seal of one registry.
pub struct Seal(hmac::Key);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(..)")
    }
}

/// What is written of evidence.
#[derive(Serialize)]
struct Written<'e> {
    digest: &'e Sha256,
    logged_at: &'e UtcTime,
    signer: &'e Signer,
    predicate_type: &'e Option<String>,
    subjects: &'e [ResourceDescriptor],
    payload: &'e Sha256,
    statement_bytes: usize,
    claimed_at: &'e Option<UtcTime>,
    said: &'e Said,
    #[cfg(feature = "rego")]
    predicate: &'e super::Predicated,
}

/// The same, read.
#[derive(Deserialize)]
struct Read {
    digest: Sha256,
    logged_at: UtcTime,
    signer: Signer,
    predicate_type: Option<String>,
    subjects: Vec<ResourceDescriptor>,
    payload: Sha256,
    statement_bytes: usize,
    claimed_at: Option<UtcTime>,
    said: Said,
    #[cfg(feature = "rego")]
    predicate: super::Predicated,
}

impl Seal {
    /// The seal of the registry whose log has this key.
    #[must_use]
    pub fn of(log_key: &SigningKey) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, log_key.derived(PURPOSE).as_slice()))
    }

    fn tag(&self, format: u8, leaf: &Sha256, cbor: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        for part in [&[format], leaf.as_bytes().as_slice(), cbor] {
            context.update(part);
        }
        context.sign()
    }

    /// Writes down what an attestation says, for the leaf that records its signature. None of what would not be read back the same.
    #[must_use]
    pub fn close(&self, evidence: &Evidence, leaf: &Sha256) -> Option<Vec<u8>> {
        let cbor = serde_cbor::ser::to_vec_packed(&Written {
            digest: &evidence.held.digest,
            logged_at: &evidence.held.logged_at,
            signer: &evidence.signer,
            predicate_type: &evidence.predicate_type,
            subjects: &evidence.subjects,
            payload: &evidence.payload,
            statement_bytes: evidence.statement_bytes,
            claimed_at: &evidence.claimed_at,
            said: &evidence.said,
            #[cfg(feature = "rego")]
            predicate: &evidence.predicate,
        })
        .ok()?;
        if read(&cbor, evidence.held.index).is_ok_and(|again| again == *evidence) {
            let tag = self.tag(FORMAT, leaf, &cbor);
            Some([&[FORMAT], tag.as_ref(), &cbor].concat())
        } else {
            None
        }
    }

    /// Reads what [`Seal::close`] wrote of the attestation that the log holds at an index.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(
        &self,
        sealed: &[u8],
        leaves: &Verified<OwnLeaves>,
        index: u64,
    ) -> Result<Evidence, SealError> {
        let (format, rest) = sealed.split_first().unwrap_or((&0, &[]));
        if *format != FORMAT {
            return Err(SealError::Format(*format));
        }
        let leaf = *leaves.get().hash(index).ok_or(SealError::Leaf(index))?;
        let (tag, cbor) = rest.split_at_checked(TAG_BYTES).ok_or(SealError::Seal(leaf))?;
        let expected = self.tag(*format, &leaf, cbor);
        verify_slices_are_equal(expected.as_ref(), tag).map_err(|_| SealError::Seal(leaf))?;
        read(cbor, index).map_err(|error| SealError::Cbor(error.to_string()))
    }
}

fn read(cbor: &[u8], index: u64) -> Result<Evidence, serde_cbor::Error> {
    let read: Read = serde_cbor::from_slice(cbor)?;
    Ok(Evidence {
        held: Held { digest: read.digest, index, logged_at: read.logged_at },
        signer: read.signer,
        predicate_type: read.predicate_type,
        subjects: read.subjects,
        payload: read.payload,
        statement_bytes: read.statement_bytes,
        claimed_at: read.claimed_at,
        said: read.said,
        #[cfg(feature = "rego")]
        predicate: read.predicate,
    })
}
