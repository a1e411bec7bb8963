//! Evidence as the gate sees it: a verified attestation, read once into what rules ask for.
//!
//! Only a [`Verified`] value becomes [`Evidence`]. What its predicate says is read into [`Said`] when it
//! is made, so that rules evaluate over facts. A predicate that does not fit its type is
//! [`Said::Malformed`]: it satisfies nothing, and it stands in nobody's way.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bill::Sbom;
use super::decision::Details;
use super::findings::Scan;
use super::vex::Vex;
use crate::digest::{Digest, DigestSet, Sha256};
use crate::layout::StepLink;
use crate::predicate::attestry::environment::{CheckStatus, Deployment, Readiness, SecretScan};
use crate::predicate::attestry::governance::{self, Approval, BreakGlass, Waiver};
use crate::predicate::attestry::source::Review;
use crate::predicate::in_toto::{TestResult, TestVerdict};
use crate::predicate::provenance::Provenance;
use crate::predicate::vsa::VerificationSummary;
use crate::predicate::{self, Facts, Predicate, UtcTime};
use crate::statement::{ResourceDescriptor, Statement};
use crate::verify::{
    self, Author, Certified, SIGN_V1, SignedMessage, SignedStatement, Signer, Verified,
};

mod sealed;

pub use sealed::{FORMAT as SEALED_FORMAT, Seal, SealError};

/// Where and when the log first held an attestation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The digest under which the attestation is kept.
    pub digest: Sha256,
    /// Its index in the log.
    pub index: u64,
    /// When the log first held it, in whole seconds.
    pub logged_at: UtcTime,
}

/// A verified attestation and what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    held: Held,
    signer: Signer,
    predicate_type: Option<String>,
    subjects: Vec<ResourceDescriptor>,
    payload: Sha256,
    statement_bytes: usize,
    claimed_at: Option<UtcTime>,
    said: Said,
    #[cfg(feature = "rego")]
    predicate: Predicated,
}

/// The predicate as it was written, for rules that are modules.
#[cfg(feature = "rego")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Predicated {
    /// There is none.
    None,
    /// Its JSON.
    Json(String),
    /// So many bytes of JSON, which are not kept.
    TooLarge(usize),
}

/// The largest predicate that is kept as it was written, in bytes: the registry has the evidence of many artifacts in memory.
#[cfg(feature = "rego")]
pub const MAX_PREDICATE_BYTES: usize = 256 << 10;

#[cfg(feature = "rego")]
impl Predicated {
    fn of(predicate: &Value) -> Self {
        let json = predicate.to_string();
        if json.len() > MAX_PREDICATE_BYTES { Self::TooLarge(json.len()) } else { Self::Json(json) }
    }
}

/// What an attestation says, by its type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// The artifact is what the signer released.
    Signature,
    /// How it was built, with the facts of the index.
    Provenance(Box<Provenance>, Box<Facts>),
    /// What a step did.
    Link(Box<StepLink>),
    /// How tests ended.
    TestResult(Box<TestResult>),
    /// What a scanner found.
    Scan(Box<Scan>),
    /// Which vulnerabilities do not matter.
    Vex(Vec<Vex>),
    /// What is inside.
    Sbom(Box<Sbom>),
    /// Which secrets were found.
    SecretScan(Box<SecretScan>),
    /// How an environment is configured.
    Readiness(Box<Readiness>),
    /// What another verifier, or this gate, decided; of a decision with its details, which the summary then has no longer.
    Summary(Box<VerificationSummary>, Option<Box<Details>>),
    /// That a change was reviewed.
    Review(Box<Review>),
    /// That somebody consents.
    Approval(Box<Approval>),
    /// That a finding does not count.
    Waiver(Box<Waiver>),
    /// That there is an emergency.
    BreakGlass(Box<BreakGlass>),
    /// What entered or left an environment.
    Deployment(Box<Deployment>),
    /// A version of the roster.
    Roster(Box<governance::Roster>),
    /// A version of a policy.
    Policy(Box<governance::Policy>),
    /// That a signer is revoked.
    Revocation(Box<governance::Revocation>),
    /// Something that no rule asks for.
    Other,
    /// Something that does not fit its type.
    Malformed(String),
}

impl Said {
    /// Whether it can be what a rule denies for. What a policy denies in a bill of materials is not known here.
    pub(super) fn speaks_against(&self) -> bool {
        match self {
            Self::TestResult(result) => {
                result.result == TestVerdict::Failed
                    || result.failed_tests.as_ref().is_some_and(|failed| !failed.is_empty())
            }
            Self::Scan(scan) => !scan.findings.is_empty() || !scan.unlisted.is_empty(),
            Self::SecretScan(scan) => !scan.findings.is_empty() || scan.unlisted.is_some(),
            Self::Readiness(readiness) => {
                readiness.checks.iter().any(|check| check.status != CheckStatus::Pass)
            }
            Self::Summary(summary, _) => !summary.has_passed(),
            Self::Vex(statements) => statements.iter().any(|statement| !statement.harmless),
            Self::Sbom(_) => true,
            _ => false,
        }
    }
}

impl Evidence {
    /// The evidence of a signed statement.
    #[must_use]
    pub fn of_statement(signed: &Verified<SignedStatement>, held: Held) -> Self {
        let signed = signed.get();
        let payload = &signed.envelope.payload;
        let signer = signed.author.signer();
        let stated = Self::stating(&signed.statement, Sha256::of(payload), signer, held);
        Self { statement_bytes: payload.len(), ..stated }.signed_before(&signed.author)
    }

    /// The evidence of a signature over an artifact's digest, or over a document that names an image: of both then.
    #[must_use]
    pub fn of_message(signed: &Verified<SignedMessage>, held: Held) -> Self {
        let signed = signed.get();
        let digest = signed.message.digest.clone();
        let mut evidence = Self::signing(digest, signed.author.signer(), held);
        let image = signed.image.iter().map(|image| about(image.clone()));
        evidence.subjects.extend(image);
        evidence.signed_before(&signed.author)
    }

    /// The same, no younger than what it was signed with: whoever has an old bundle can bring it late.
    fn signed_before(mut self, author: &Author) -> Self {
        if let Some(end) = author.signed_before() {
            self.claimed_at = Some(self.claimed_at.map_or(end, |claimed| claimed.min(end)));
        }
        self
    }

    /// The evidence of what a certificate's holder signed.
    #[must_use]
    pub fn of_certified(certified: &Certified, held: Held) -> Self {
        match certified {
            Certified::Statement(signed) => Self::of_statement(signed, held),
            Certified::Message(signed) => Self::of_message(signed, held),
        }
    }

    /// The evidence of a bundle that was verified with its log entry; `payload` is the digest of the
    /// envelope's payload.
    #[must_use]
    pub fn of_bundle(evidence: &Verified<verify::Evidence>, payload: Sha256, held: Held) -> Self {
        let evidence = evidence.get();
        match &evidence.statement {
            Some(statement) => Self::stating(statement, payload, evidence.signer.clone(), held),
            None => Self::signing(evidence.subject.clone(), evidence.signer.clone(), held),
        }
    }

    fn signing(digest: Digest, signer: Signer, held: Held) -> Self {
        let payload = digest.as_sha256().unwrap_or(held.digest);
        Self {
            held,
            signer,
            predicate_type: None,
            subjects: vec![about(digest)],
            payload,
            statement_bytes: 0,
            claimed_at: None,
            said: Said::Signature,
            #[cfg(feature = "rego")]
            predicate: Predicated::None,
        }
    }

    fn stating(statement: &Statement, payload: Sha256, signer: Signer, held: Held) -> Self {
        let said = match link(statement, &signer, held.digest) {
            Some(link) => link,
            None => read(&statement.predicate_type, &statement.predicate),
        };
        Self {
            held,
            signer,
            predicate_type: Some(statement.predicate_type.clone()),
            subjects: statement.subject.clone(),
            payload,
            statement_bytes: 0,
            claimed_at: claimed_at(&said),
            said,
            #[cfg(feature = "rego")]
            predicate: Predicated::of(&statement.predicate),
        }
    }

    /// The same where and when the log holds it. Its digest stays.
    #[must_use]
    pub fn logged(mut self, index: u64, logged_at: UtcTime) -> Self {
        self.held = Held { index, logged_at, ..self.held };
        self
    }

    /// The digest under which it is kept.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        self.held.digest
    }

    /// Its index in the log.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.held.index
    }

    /// When the log first held it.
    #[must_use]
    pub fn logged_at(&self) -> UtcTime {
        self.held.logged_at
    }

    /// The time that freshness is judged by: the earliest of the claimed one, that of the log (DESIGN 9), and the end of the certificate.
    #[must_use]
    pub fn time(&self) -> UtcTime {
        self.claimed_at.map_or(self.held.logged_at, |claimed| claimed.min(self.held.logged_at))
    }

    /// Who signed it.
    #[must_use]
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The digest of what was signed: k signatures over the same are k voices for the same.
    #[must_use]
    pub fn payload(&self) -> Sha256 {
        self.payload
    }

    /// How many bytes its statement has as JSON, by which its size in memory is estimated; 0 for the signature of an artifact and
    /// where it came in a bundle.
    #[must_use]
    pub fn statement_bytes(&self) -> usize {
        self.statement_bytes
    }

    /// What it says.
    #[must_use]
    pub fn said(&self) -> &Said {
        &self.said
    }

    /// The predicate as it was written; null for the signature of an artifact.
    ///
    /// # Errors
    /// What is wrong, when it is longer than [`MAX_PREDICATE_BYTES`].
    #[cfg(feature = "rego")]
    pub fn predicate(&self) -> Result<Value, String> {
        match &self.predicate {
            Predicated::None => Ok(Value::Null),
            Predicated::Json(json) => serde_json::from_str(json).map_err(|error| error.to_string()),
            Predicated::TooLarge(bytes) => Err(format!(
                "a predicate of {bytes} bytes, of which a module may see {MAX_PREDICATE_BYTES}"
            )),
        }
    }

    /// The details of a decision, by this gate or another; whose it is, the signer says.
    #[must_use]
    pub fn details(&self) -> Option<&Details> {
        match &self.said {
            Said::Summary(_, details) => details.as_deref(),
            _ => None,
        }
    }

    /// What it is about.
    #[must_use]
    pub fn subjects(&self) -> &[ResourceDescriptor] {
        &self.subjects
    }

    /// Whether one of its subjects has exactly this digest.
    #[must_use]
    pub fn is_about(&self, digest: &Digest) -> bool {
        let has = |subject: &ResourceDescriptor| {
            subject.digest.as_ref().is_some_and(|set| set.contains(digest))
        };
        self.subjects.iter().any(has)
    }

    /// The names that it gives to a digest.
    pub fn names_of<'e>(&'e self, digest: &'e Digest) -> impl Iterator<Item = &'e str> {
        let has = move |set: &DigestSet| set.contains(digest);
        self.subjects
            .iter()
            .filter(move |subject| subject.digest.as_ref().is_some_and(has))
            .filter_map(|subject| subject.name.as_deref())
    }

    /// The word by which the roster permits it: `signature`, the short name of its type, or its URI.
    #[must_use]
    pub fn permission(&self) -> &str {
        match self.predicate_type.as_deref() {
            None | Some(SIGN_V1) => crate::roster::SIGNATURE,
            Some(uri) => predicate::from_uri(uri).map_or(uri, |known| known.short),
        }
    }

    /// The predicate type's URI; none for the signature of an artifact.
    #[must_use]
    pub fn predicate_type(&self) -> Option<&str> {
        self.predicate_type.as_deref()
    }
}

/// A subject of which the digest is known, and no name.
fn about(digest: Digest) -> ResourceDescriptor {
    ResourceDescriptor { digest: Some(digest.into()), ..Default::default() }
}

/// A link whose products are the subjects; none of another type, and of one that no key has signed.
fn link(statement: &Statement, signer: &Signer, source: Sha256) -> Option<Said> {
    let known = predicate::from_uri(&statement.predicate_type)?;
    let Signer::Key(fingerprint) = signer else { return None };
    (known.short == "link").then(|| {
        match StepLink::from_statement(statement, *fingerprint, source) {
            Ok(link) => Said::Link(Box::new(link)),
            Err(error) => Said::Malformed(crate::problem::chain(&error)),
        }
    })
}

/// Reads a predicate into what rules ask for.
fn read(predicate_type: &str, predicate: &Value) -> Said {
    if predicate_type == SIGN_V1 {
        return Said::Signature;
    }
    let Some(known) = predicate::from_uri(predicate_type) else { return Said::Other };
    if let Err(findings) = predicate::check(predicate_type, predicate) {
        let first = findings.first().map_or_else(String::new, ToString::to_string);
        return Said::Malformed(first);
    }
    match known.short {
        "provenance" => typed(predicate, |read| {
            Said::Provenance(Box::new(read), Box::new(predicate::facts(predicate_type, predicate)))
        }),
        "test-result" => typed(predicate, |read| Said::TestResult(Box::new(read))),
        "vulns" => {
            Scan::read(predicate).map_or_else(Said::Malformed, |scan| Said::Scan(Box::new(scan)))
        }
        "openvex" => Said::Vex(Vex::read(predicate)),
        "cyclonedx" => Said::Sbom(Box::new(Sbom::cyclonedx(predicate))),
        "spdx" => Said::Sbom(Box::new(Sbom::spdx(predicate))),
        "secret-scan" => typed(predicate, |read| Said::SecretScan(Box::new(read))),
        "readiness" => typed(predicate, |read| Said::Readiness(Box::new(read))),
        "vsa" => typed(predicate, |mut read| {
            let details = Details::take(&mut read).map(Box::new);
            Said::Summary(Box::new(read), details)
        }),
        "review" => typed(predicate, |read| Said::Review(Box::new(read))),
        "approval" => typed(predicate, |read| Said::Approval(Box::new(read))),
        "waiver" => typed(predicate, |read| Said::Waiver(Box::new(read))),
        "break-glass" => typed(predicate, |read| Said::BreakGlass(Box::new(read))),
        "roster" => typed(predicate, |read| Said::Roster(Box::new(read))),
        "policy" => typed(predicate, |read| Said::Policy(Box::new(read))),
        "revocation" => typed(predicate, |read| Said::Revocation(Box::new(read))),
        "deployment" => typed(predicate, |read| Said::Deployment(Box::new(read))),
        _ => Said::Other,
    }
}

fn typed<P: Predicate>(predicate: &Value, said: impl FnOnce(P) -> Said) -> Said {
    match P::from_value(predicate) {
        Ok(read) => said(read),
        Err(error) => Said::Malformed(crate::problem::chain(&error)),
    }
}

/// The time that a predicate claims, with whatever offset it writes it.
fn claimed_at(said: &Said) -> Option<UtcTime> {
    match said {
        Said::Provenance(provenance, _) => {
            let metadata = provenance.run_details.metadata.as_ref()?;
            let finished = metadata.finished_on.as_deref().or(metadata.started_on.as_deref());
            finished.and_then(UtcTime::from_rfc3339)
        }
        Said::Scan(scan) => Some(scan.scanned_at),
        Said::Sbom(sbom) => sbom.created,
        Said::SecretScan(scan) => Some(scan.scanned_at),
        Said::Readiness(readiness) => Some(readiness.scanned_at),
        Said::Summary(summary, _) => {
            summary.time_verified.as_deref().and_then(UtcTime::from_rfc3339)
        }
        Said::Review(review) => Some(review.reviewed_at),
        Said::Deployment(deployment) => Some(deployment.finished_at),
        _ => None,
    }
}
