//! A decision that was made, once it is seen to be the gate's.

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::dsse::Envelope;
use attestry_schemas::gate::consent::Consents;
use attestry_schemas::gate::{Details, explain};
use attestry_schemas::predicate::vsa::{VerificationResult, VerificationSummary};
use attestry_schemas::predicate::{Predicate as _, UtcTime};
use attestry_schemas::statement::Statement;
use attestry_schemas::trusted_root::TrustedRoot;
use attestry_schemas::verify::{self, Claim, Keys, Verifier};
use serde_json::Value;

use crate::client::{Answer, Client};
use crate::output::{Failure, chain};

/// A decision and what it says.
pub(in crate::command) struct Made {
    /// The artifact.
    pub(in crate::command) subject: Sha256,
    /// The verdict.
    pub(in crate::command) result: VerificationResult,
    /// What was asked, who ruled, and what the rules answered.
    pub(in crate::command) details: Details,
    /// The explanation, line by line.
    pub(in crate::command) lines: Vec<String>,
    /// The waivers that it names, as far as they are known.
    pub(in crate::command) consents: Consents,
    /// When it was made.
    pub(in crate::command) time: Option<String>,
    /// The digest of its attestation; none where nobody has signed it.
    pub(in crate::command) digest: Option<Sha256>,
    /// Its place in the log.
    pub(in crate::command) index: Option<u64>,
    /// The whole statement.
    pub(in crate::command) statement: Value,
}

impl Made {
    /// Whether it allows.
    pub(in crate::command) fn passed(&self) -> bool {
        self.result == VerificationResult::Passed
    }

    /// The same, explained with what is known of the waivers that it names.
    pub(in crate::command) fn knowing(self, consents: Consents) -> Self {
        let lines = explain::lines_of(&self.details, self.result, &consents);
        Self { lines, consents, ..self }
    }

    /// From when on the verdict may be another without new evidence.
    pub(in crate::command) fn until(&self) -> Option<String> {
        self.details.until.map(|until| until.to_string())
    }

    /// Why it lets nothing enter at a moment, whatever its verdict is; `moment` says what that moment is.
    pub(in crate::command) fn why_void(&self, at: UtcTime, moment: &str) -> Option<String> {
        if self.details.run.is_some() {
            return Some("it is about what runs already, and lets nothing enter".to_owned());
        }
        let until = self.details.until.filter(|until| at >= *until)?;
        Some(format!("it held until {until}, and {moment} {at}"))
    }

    /// Reads a decision's statement; nothing of it is verified.
    ///
    /// # Errors
    /// What it is instead.
    pub(in crate::command) fn read(statement: &Statement) -> Result<Self, String> {
        if statement.predicate_type != VerificationSummary::URI {
            return Err(format!("a statement of type {}", statement.predicate_type));
        }
        let summary =
            VerificationSummary::from_value(&statement.predicate).map_err(|e| chain(&e))?;
        let Some(details) = Details::read(&summary) else {
            return Err("the summary of another verifier".to_owned());
        };
        let mut digests = statement.subject_digests().filter_map(|digest| digest.as_sha256());
        let (Some(subject), None) = (digests.next(), digests.next()) else {
            return Err("a decision that is not about one artifact".to_owned());
        };
        Ok(Self {
            subject,
            result: summary.verification_result,
            lines: explain::lines_of(&details, summary.verification_result, &Consents::default()),
            consents: Consents::default(),
            details,
            time: summary.time_verified,
            digest: None,
            index: None,
            statement: serde_json::from_slice(&statement.to_json()).unwrap_or_default(),
        })
    }

    /// Verifies a decision: the key of the log has signed it, and the log holds it.
    ///
    /// # Errors
    /// Refused, where it is not what a gate of this log has decided.
    pub(in crate::command) fn verified(
        bundle: &Bundle,
        root: &TrustedRoot,
        client: &Client,
    ) -> Result<Self, Failure> {
        let refuse = |found: String| {
            Failure::refused(format!("{}: expected a decision of its gate, found {found}", client.url()))
                .fix("check that the trusted root is that of this registry, and that the digest is a decision's")
        };
        let Content::Envelope(envelope) = &bundle.content else {
            return Err(refuse("a signature of an artifact".to_owned()));
        };
        let statement = Statement::parse(&envelope.payload).map_err(|e| refuse(chain(&e)))?;
        let made = Self::read(&statement).map_err(|found| {
            let url = client.url();
            Failure::undecided(format!("{url}: expected a decision of its gate, found {found}"))
                .fix("give the digest of a decision: attestry search --subject ARTIFACT --type vsa lists them")
        })?;
        let keys = Keys::Managed(root.logs().iter().map(|log| log.key.clone()).collect());
        let digest = Digest::from(made.subject);
        let about = verify::Subject::of_digest(&digest);
        let claim = Claim::Type(VerificationSummary::URI.to_owned());
        Verifier { keys, root: Some(root) }
            .bundle(bundle, about, &claim)
            .map_err(|refusal| refuse(format!("one that does not verify: {refusal}")))?;
        let index = bundle.tlog_entries.first().map(|entry| entry.log_index);
        // What the registry keeps of an envelope out of a bundle, and names by its digest.
        let digest = Some(Sha256::of(&envelope.to_json()));
        Ok(Self { digest, index, ..made })
    }

    /// Takes a decision from a registry and verifies it.
    ///
    /// # Errors
    /// When the registry has none of that digest, and as [`Self::verified`].
    pub(in crate::command) fn fetch(
        decision: Sha256,
        root: &TrustedRoot,
        client: &Client,
    ) -> Result<Self, Failure> {
        let posted = client.fetch(&format!("/v1/attestations/{decision}"))?;
        Self::of_posted(&posted, decision, root, client)
    }

    /// As [`Self::fetch`], of what the registry has of that digest.
    ///
    /// # Errors
    /// As [`Self::verified`].
    pub(in crate::command) fn of_posted(
        posted: &Answer,
        decision: Sha256,
        root: &TrustedRoot,
        client: &Client,
    ) -> Result<Self, Failure> {
        // The bytes that were posted have the digest; the bundle has the proof.
        let answer = client.fetch(&format!("/v1/attestations/{decision}/bundle"))?;
        let bundle = Bundle::parse(&answer.body).map_err(|e| answer.malformed(chain(&e)))?;
        let same = |envelope: &Envelope| match &bundle.content {
            Content::Envelope(other) => {
                (&envelope.payload, &envelope.signature) == (&other.payload, &other.signature)
            }
            Content::Message(_) => false,
        };
        let envelope = Envelope::parse(&posted.body).ok();
        if Sha256::of(&posted.body) != decision || !envelope.is_some_and(|e| same(&e)) {
            return Err(Failure::refused(format!(
                "{}: expected the decision {decision}, found another attestation",
                answer.url
            ))
            .fix("check the digest; attestry gate tells it with each decision"));
        }
        Self::verified(&bundle, root, client)
    }
}
