//! What a bundle is about: whether it names this artifact, by the digest that the caller computed.

use super::{Check, Refusal};
use crate::bundle::{Bundle, Content, MessageSignature};
use crate::digest::{Algorithm, Digest, Sha256};
use crate::dsse;
use crate::statement::{ResourceDescriptor, Statement};

/// The artifact.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its digest, computed by the caller; see [`subject_algorithm`].
    pub digest: &'a Digest,
    /// Its bytes, where the caller has them at hand: only an Ed25519 signature over the artifact
    /// itself needs them. They must have that digest.
    pub bytes: Option<&'a [u8]>,
    /// Whether its bytes begin with [`dsse::PAE_PREFIX`], as far as the caller has seen them. What a
    /// key signed for an envelope would pass for a signature of such an artifact, so none counts.
    pub begins_as_pae: bool,
}

impl<'a> Subject<'a> {
    /// An artifact of which nothing but the digest is known.
    #[must_use]
    pub fn of_digest(digest: &'a Digest) -> Self {
        Self { digest, bytes: None, begins_as_pae: false }
    }
}

/// The algorithm of the digest by which `bundle` may name the artifact with this SHA-256: SHA-512
/// for a statement that has subjects without a SHA-256 (npm's provenance) and none with this one,
/// else SHA-256.
///
/// It only says which digest to hand to [`super::Verifier::bundle`]; nothing of it is verified.
#[must_use]
pub fn subject_algorithm(bundle: &Bundle, sha256: &Digest) -> Algorithm {
    let Content::Envelope(envelope) = &bundle.content else { return Algorithm::Sha256 };
    let Ok(statement) = Statement::parse(&envelope.payload) else { return Algorithm::Sha256 };
    let by_sha512_alone = |subject: &ResourceDescriptor| {
        let has = |name| subject.digest.as_ref().is_some_and(|set| set.value(name).is_some());
        has("sha512") && !has("sha256")
    };
    if statement.subject_with(sha256).is_none() && statement.subject.iter().any(by_sha512_alone) {
        Algorithm::Sha512
    } else {
        Algorithm::Sha256
    }
}

/// Demands that the signed digest is the artifact's, and says which it is.
pub(super) fn message_subject(
    message: &MessageSignature,
    artifact: Subject<'_>,
) -> Result<String, Refusal> {
    let refuse = |found| {
        let expected = format!("the signed artifact {}", message.digest);
        Err(Refusal::new(Check::Subject, expected, found))
    };
    if message.digest != *artifact.digest {
        return refuse(format!("an artifact with digest {}", artifact.digest));
    }
    if artifact.begins_as_pae || artifact.bytes.is_some_and(|b| b.starts_with(dsse::PAE_PREFIX)) {
        let expected = "an artifact that a signature of an envelope cannot be mistaken for one of";
        let found = "one that begins with \"DSSEv1 \", as what an envelope signs does";
        return Err(Refusal::new(Check::Subject, expected, found));
    }
    // A signature over other bytes would say nothing about the artifact with that digest.
    match artifact.bytes.map(|bytes| Digest::from(Sha256::of(bytes))) {
        Some(found) if found != *artifact.digest => refuse(format!("bytes with digest {found}")),
        _ => Ok(artifact.digest.to_string()),
    }
}

/// Demands that a subject of the statement has the artifact's digest, and says which it is.
pub(super) fn statement_subject(
    statement: &Statement,
    artifact: &Digest,
) -> Result<String, Refusal> {
    if !artifact.algorithm().tells_artifacts_apart() {
        let found = format!("one with {}", artifact.algorithm().name());
        return Err(Refusal::new(Check::Subject, "a digest that no other artifact has", found));
    }
    if let Some(subject) = statement.subject_with(artifact) {
        let name = subject.name.as_deref().unwrap_or_default();
        return Ok(format!("{name}{}{artifact}", if name.is_empty() { "" } else { " " }));
    }
    let of_kind = |d: &Digest| d.algorithm() == artifact.algorithm();
    let listed: Vec<String> =
        statement.subject_digests().filter(of_kind).take(3).map(|d| d.to_string()).collect();
    let more = statement.subject.len().saturating_sub(listed.len());
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    let listed = if listed.is_empty() {
        format!("no subject with a {} digest", artifact.algorithm().name())
    } else {
        format!("one of the statement's subjects ({}{rest})", listed.join(", "))
    };
    Err(Refusal::new(Check::Subject, listed, format!("an artifact with digest {artifact}")))
}
