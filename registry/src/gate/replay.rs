//! Making a recorded decision again, to see that it comes out the same.

use std::sync::{Arc, PoisonError};

use attestry_schemas::digest::{DigestSet, Sha256};
use attestry_schemas::dsse::Envelope;
use attestry_schemas::gate::decision::Refused;
use attestry_schemas::gate::difference::Differences;
use attestry_schemas::gate::{Decision, Details, Evidence, Failure, Purpose, Question, Said};
use attestry_schemas::predicate::vsa::{VerificationResult, VerificationSummary};
use attestry_schemas::verify::Signer;

use super::{Gate, Request, Ruling, ruling};
use crate::store::{Reader, StoreError};

/// The most past rulings that are kept; beyond, all make room.
const MAX_PAST_RULINGS: usize = 64;

/// Why a decision cannot be made again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The store failed.
    #[error("the decision cannot be read from the store")]
    Store(#[source] StoreError),
    /// It is no decision of this gate.
    #[error("expected a decision of this registry's gate, found {0}")]
    NotADecision(&'static str),
}

impl From<StoreError> for ReplayError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A recorded decision beside the one that is made of the same inputs now.
#[derive(Debug)]
pub struct Replayed {
    /// What was recorded.
    pub recorded: VerificationResult,
    /// The decision as it is made now.
    pub decision: Decision,
    /// Whether its statement has the very bytes that were signed.
    pub same: bool,
    /// Where it differs; nowhere when it is the same.
    pub differences: Differences,
}

/// What a decision was asked, as it is recorded.
pub(super) struct Recorded<'e> {
    pub(super) question: Question,
    pub(super) request: Request,
    summary: &'e VerificationSummary,
    details: &'e Details,
}

impl Gate {
    /// Makes a recorded decision again, of the evidence, the roster and the policies as they were.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn replay(
        &self,
        reader: &Reader<'_>,
        digest: &Sha256,
    ) -> Result<Option<Replayed>, ReplayError> {
        let Some(sequence) = reader.sequence_of_digest(digest)? else { return Ok(None) };
        let Some(evidence) = self.shelf.evidence(reader, sequence)? else {
            return Err(ReplayError::NotADecision("a leaf without an envelope"));
        };
        let recorded = self.recorded(&evidence)?;
        let decision = self.again(reader, &recorded)?;
        let bytes = reader.attested_bytes(*digest)?;
        let payload = Envelope::parse(&bytes).map(|envelope| envelope.payload).unwrap_or_default();
        let same = decision.statement().to_json() == payload;
        let differences = match same {
            true => Differences::default(),
            false => Differences::between(recorded.summary, recorded.details, &decision),
        };
        Ok(Some(Replayed {
            recorded: recorded.summary.verification_result,
            same,
            differences,
            decision,
        }))
    }

    /// The decision of the same inputs. What has no digest is about no artifact: nothing was evaluated, and is not now.
    fn again(&self, reader: &Reader<'_>, recorded: &Recorded<'_>) -> Result<Decision, StoreError> {
        let question = &recorded.question;
        if let Some(Refused { why, fix, cause: Some(Failure::NoDigest) }) =
            &recorded.details.refused
        {
            let denied = Decision::denied(question, None, why, fix);
            return Ok(denied.failing(Failure::NoDigest));
        }
        let ruling = self.ruling_at(reader, question.log_size)?;
        let gathered = self.gather(reader, question, &ruling)?;
        Ok(self.evaluate(question, &ruling, &gathered, reader))
    }

    /// What a decision of this gate was asked.
    pub(super) fn recorded<'e>(&self, evidence: &'e Evidence) -> Result<Recorded<'e>, ReplayError> {
        let other = ReplayError::NotADecision;
        if *evidence.signer() != Signer::Key(self.roots.gate) {
            return Err(other("an attestation of another signer"));
        }
        let Said::Summary(summary, details) = evidence.said() else {
            return Err(other("another statement"));
        };
        let details = details.as_deref().ok_or_else(|| other("a summary without our details"))?;
        let subjects = evidence.subjects().iter().filter_map(|subject| subject.digest.as_ref());
        let subject = subjects.flat_map(DigestSet::iter).find_map(|digest| digest.as_sha256());
        let subject = subject.ok_or_else(|| other("a summary without a SHA-256"))?;
        let now = summary.time_verified.as_deref().and_then(|text| text.parse().ok());
        let now = now.ok_or_else(|| other("a summary without a time"))?;
        let request = Request {
            subject,
            name: details.name.clone(),
            environment: details.environment.clone(),
            caller: details.caller.clone(),
            configuration: details.configuration.as_deref().and_then(|text| text.parse().ok()),
        };
        let purpose = match details.run.as_ref().map(|run| run.read()) {
            None => Purpose::Deploy,
            Some(Some(run)) => Purpose::Run(run),
            Some(None) => return Err(other("a summary of what runs without a SHA-256")),
        };
        let question = Question { purpose, ..self.question(&request, now, details.log_size) };
        Ok(Recorded { question, request, summary, details })
    }

    /// Who ruled when the log had `size` leaves.
    pub(super) fn ruling_at(
        &self,
        reader: &Reader<'_>,
        size: u64,
    ) -> Result<Arc<Ruling>, StoreError> {
        let now = self.ruling(reader)?;
        if now.newest <= size {
            return Ok(now);
        }
        // The newest statement then says which of them there were.
        let then = now.statements.iter().map(|one| one.index() + 1).filter(|next| *next <= size);
        let newest = then.max().unwrap_or_default();
        let key = (now.completed, newest);
        let past = || self.past_rulings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = past().get(&key) {
            return Ok(Arc::clone(known));
        }
        let governance = ruling::governance(reader, size, &self.roots, &now.statements)?;
        let completed = now.completed;
        let ruling = Arc::new(Ruling { governance, newest, completed, ..Ruling::none() });
        // A document that is not stored may come, which is no leaf of the log.
        let is_read = ruling.governance.unread.is_none()
            && ruling.governance.policies.iter().all(|one| one.policy.unread.is_none());
        if !is_read {
            return Ok(ruling);
        }
        let mut past = past();
        if past.len() >= MAX_PAST_RULINGS {
            past.clear();
        }
        past.insert(key, Arc::clone(&ruling));
        Ok(ruling)
    }
}
