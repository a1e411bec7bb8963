//! Evidence that arrives by push: what verifies enters the log, the index and the graph as if it had been posted.
//!
//! A layer that does not verify, or that nobody signed, is kept as what it is, an ordinary artifact: it is in
//! no index of evidence and no gate sees it. What became of each layer is kept beside the manifest, told by
//! the answer to the push, and given again by `GET /v1/repositories/<name>/evidence/<digest>`.

use std::str::FromStr;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use attestry_schemas::json;
use attestry_schemas::oci::image_signature::ImageSignature;
use attestry_schemas::oci::{BlobDigest, Carried, Form, NameError, RepositoryName, carried};
use attestry_schemas::problem::ProblemType;
use attestry_schemas::verify;
use serde::Serialize;

use super::State;
use crate::http::access::{self, Stating};
use crate::http::problem::Refusal;
use crate::http::query;
use crate::http::submit::{Admission, Item, verified};
use crate::log::Submission;
use crate::oci::OciError;
use crate::oci::manifest::Push;
use crate::store::oci::{EvidenceOutcome, EvidenceRecord, LinkKind};

/// The most characters of a reason that is kept.
const MAX_REASON_CHARS: usize = 500;

/// What became of a manifest's evidence.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(in crate::http) struct Arrivals {
    /// The manifest.
    digest: String,
    /// Its layers that hold evidence, in their order.
    evidence: Vec<ArrivalAnswer>,
}

/// What became of one layer.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(in crate::http) struct ArrivalAnswer {
    /// The layer's digest.
    layer: String,
    /// `logged`, `unsigned` or `refused`.
    outcome: &'static str,
    /// The attestation under which the log has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    attestation: Option<String>,
    /// Why it is not in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// `GET /v1/repositories/<name>/evidence/<digest>`.
pub(in crate::http) async fn list(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    let visibility = access::read(&request, &state)?;
    query::read(&request, &[])?;
    let name: RepositoryName = named(&request, "name")?;
    let digest: BlobDigest = named(&request, "digest")?;
    let (repository, wanted) = (name.clone(), digest.clone());
    let link =
        state.read(move |reader, _| Ok(reader.link(&repository, LinkKind::Manifest, &wanted)?));
    let link = link.await?.filter(|_| visibility.allows(name.as_str())).ok_or_else(|| {
        let detail = format!("expected the manifest {digest} in the repository {name}, found none");
        Refusal::new(ProblemType::NotFound, detail)
    })?;
    let evidence = link.evidence.into_iter().map(|record| ArrivalAnswer {
        layer: record.layer.to_string(),
        outcome: word(record.outcome),
        attestation: record.attestation.map(|digest| digest.to_string()),
        reason: record.reason,
    });
    let answer = Arrivals { digest: digest.to_string(), evidence: evidence.collect() };
    Ok(HttpResponse::Ok().json(answer))
}

fn named<T: FromStr<Err = NameError>>(request: &HttpRequest, of: &str) -> Result<T, Refusal> {
    let read = request.match_info().query(of).parse();
    read.map_err(|error: NameError| Refusal::new(ProblemType::MalformedPath, error.to_string()))
}

fn word(outcome: EvidenceOutcome) -> &'static str {
    match outcome {
        EvidenceOutcome::Logged => "logged",
        EvidenceOutcome::Unsigned => "unsigned",
        EvidenceOutcome::Refused => "refused",
    }
}

/// The header's value: how many layers of each outcome; nothing for a manifest without evidence.
pub(super) fn told(records: &[EvidenceRecord]) -> Option<String> {
    let count =
        |outcome| records.iter().filter(|record| record.outcome == outcome).count().to_string();
    (!records.is_empty()).then(|| {
        let outcomes =
            [EvidenceOutcome::Logged, EvidenceOutcome::Unsigned, EvidenceOutcome::Refused];
        outcomes.map(|outcome| format!("{}={}", word(outcome), count(outcome))).join(", ")
    })
}

/// Looks at the evidence in a manifest's layers before it is pushed.
pub(super) fn with_evidence(state: &State, mut push: Push) -> Result<Push, OciError> {
    let layers = carried(&push.manifest);
    if layers.is_empty() {
        return Ok(push);
    }
    let mut found = Vec::with_capacity(layers.len());
    {
        let admission = Admission::now(state).map_err(|refusal| failed(&refusal))?;
        let stating = Stating::of_actor(&push.actor, &push.name);
        for layer in layers {
            let Some(bytes) = read(state, &push, &layer)? else { continue };
            let judged = judge(&layer.form, &bytes, push.name.as_str(), (&admission, &stating));
            found.push((layer.link.digest, judged));
        }
    }
    for (layer, judged) in found {
        let (outcome, attestation, reason) = match judged {
            Judged::Logged(submission) => {
                let digest = submission.payload.digest;
                push.evidence.leaves.push(*submission);
                (EvidenceOutcome::Logged, Some(digest), None)
            }
            Judged::Unsigned(reason) => (EvidenceOutcome::Unsigned, None, Some(reason)),
            Judged::Refused(reason) => (EvidenceOutcome::Refused, None, Some(reason)),
        };
        if let (EvidenceOutcome::Refused, Some(reason)) = (outcome, &reason) {
            tracing::warn!(repository = %push.name, manifest = %push.digest, %layer, reason, "pushed evidence does not count");
        }
        state.metrics.submissions.with_label_values(&[word(outcome)]).inc();
        let reason = reason.map(|text| text.chars().take(MAX_REASON_CHARS).collect());
        push.evidence.records.push(EvidenceRecord { layer, reason, outcome, attestation });
    }
    Ok(push)
}

/// The store failed while it was asked who rules.
fn failed(refusal: &Refusal) -> OciError {
    OciError::Signing(refusal.to_string())
}

/// What is to become of a layer.
enum Judged {
    Logged(Box<Submission>),
    Unsigned(String),
    Refused(String),
}

/// The bytes of a layer that the repository has; a push without them is refused by itself.
fn read(state: &State, push: &Push, layer: &Carried) -> Result<Option<Vec<u8>>, OciError> {
    let reader = state.store.reader();
    let Some(link) = reader.link(&push.name, LinkKind::Blob, &layer.link.digest)? else {
        return Ok(None);
    };
    // What is too large to be posted is not looked at either; it is refused for its size.
    if link.size_bytes > state.config.max_body_bytes as u64 {
        return Ok(Some(Vec::new()));
    }
    Ok(Some(reader.attested_bytes(link.content)?))
}

fn judge(
    form: &Form,
    bytes: &[u8],
    namespace: &str,
    (admission, stating): (&Admission<'_>, &Stating),
) -> Judged {
    if bytes.is_empty() {
        let limit = admission.state.config.max_body_bytes;
        return Judged::Refused(format!("expected evidence of 1 to {limit} bytes"));
    }
    match form {
        Form::Unsigned => Judged::Unsigned("nobody signed this document".to_owned()),
        Form::SimpleSigning { signature } => match stating.demand(None) {
            Ok(()) => simple_signing(bytes, signature, namespace, admission),
            Err(refusal) => Judged::Refused(refusal.to_string()),
        },
        Form::InToto if !is_envelope(bytes, admission) => {
            Judged::Unsigned("nobody signed this in-toto statement".to_owned())
        }
        Form::Bundle | Form::Envelope | Form::InToto => {
            match verified(bytes, namespace, admission, stating) {
                Ok(Item { submission, .. }) => Judged::Logged(Box::new(submission)),
                Err(refusal) => Judged::Refused(refusal.to_string()),
            }
        }
    }
}

fn is_envelope(bytes: &[u8], admission: &Admission<'_>) -> bool {
    let value = json::parse(bytes, admission.state.config.max_body_bytes);
    value.is_ok_and(|value| value.get("payload").is_some() && value.get("signatures").is_some())
}

/// A signature of cosign 2: over the layer, a document that names what was signed. It counts for both.
fn simple_signing(
    bytes: &[u8],
    signature: &str,
    namespace: &str,
    admission: &Admission<'_>,
) -> Judged {
    let Ok(signature) = attestry_schemas::base64::decode(signature, "signature") else {
        return Judged::Refused("expected a signature in base64".to_owned());
    };
    let signature = match ImageSignature::new(signature, bytes.to_vec()) {
        Ok(signature) => signature,
        Err(error) => return Judged::Refused(error.to_string()),
    };
    let signed = match verify::image_signature(&signature, admission.keys()) {
        Ok(signed) => signed,
        Err(refusal) => return Judged::Refused(refusal.to_string()),
    };
    if let Err(refusal) = admission.signature(&signed.get().author.signer()) {
        return Judged::Refused(refusal.to_string());
    }
    let submission = Submission::of_image_signature(&signed, &signature, namespace, true);
    match submission.prepared(&admission.state.store) {
        Ok(submission) => Judged::Logged(Box::new(submission)),
        Err(error) => Judged::Refused(attestry_schemas::problem::chain(&error)),
    }
}
