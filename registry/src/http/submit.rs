//! From bytes to a receipt: reading items, verifying them, and waiting for the log.

use std::sync::Arc;

use attestry_schemas::bundle::{
    Bundle, Content, MAX_BUNDLE_BYTES, MAX_TLOG_ENTRIES, SignerMaterial,
};
use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::Envelope;
use attestry_schemas::gate::Evidence;
use attestry_schemas::json;
use attestry_schemas::key::{Fingerprint, PublicKey};
use attestry_schemas::predicate;
use attestry_schemas::problem::{ProblemType, chain};
use attestry_schemas::rekor::LogId;
use attestry_schemas::verify::{self, Certified, SignedStatement, Signer, Verified};
use serde_json::Value;

use super::State;
use super::access::Stating;
use super::problem::Refusal;
use crate::gate::{Refused, Ruling};
pub(super) use crate::init::DEFAULT_NAMESPACE;
use crate::log::{Receipt, Submission};
use crate::store::Reader;

/// The most bytes that the entry of this log adds to a bundle: its body, its proof and a checkpoint.
const OWN_ENTRY_BYTES: usize = 256 << 10;

/// The most characters of a namespace.
const MAX_NAMESPACE_CHARS: usize = 200;

/// An item that was verified, with what its answer needs.
pub(super) struct Item {
    pub(super) submission: Submission,
    /// Its bundle, without an entry of this log.
    pub(super) bundle: Bundle,
    /// What it says, of an envelope.
    pub(super) evidence: Option<Evidence>,
}

/// Reads a namespace: a path of plain segments such as `pay/api`.
pub(super) fn namespace(text: Option<&str>) -> Result<String, Refusal> {
    let Some(text) = text else { return Ok(DEFAULT_NAMESPACE.to_owned()) };
    let plain =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    let segment = |s: &str| !s.is_empty() && !s.starts_with('.') && s.chars().all(plain);
    if text.len() <= MAX_NAMESPACE_CHARS && text.split('/').all(segment) {
        return Ok(text.to_owned());
    }
    let expected = format!(
        "a path such as pay/api of at most {MAX_NAMESPACE_CHARS} lower-case letters, digits, '-', '_' and '.'"
    );
    Err(super::query::wrong("namespace", &expected, text))
}

/// Splits a body into items: one JSON document, or JSON lines. A document keeps its exact bytes.
pub(super) fn items(body: &[u8], limit: usize) -> Result<Vec<&[u8]>, Refusal> {
    let lines: Vec<&[u8]> = body
        .split(|b| *b == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.trim_ascii().is_empty())
        .collect();
    let Some(first) = lines.first() else {
        let expected = "expected a DSSE envelope, a Sigstore bundle, or JSON lines of them, found an empty body";
        return Err(Refusal::new(ProblemType::MalformedBody, expected));
    };
    // A first line that is whole by itself begins a list of lines.
    let is_list = lines.len() > 1 && json::parse(first, body.len()).is_ok();
    if !is_list {
        return Ok(vec![body]);
    }
    if lines.len() > limit {
        return Err(Refusal::new(
            ProblemType::TooLarge,
            format!("expected at most {limit} items in one request, found {}", lines.len()),
        )
        .with("limit_items", limit));
    }
    Ok(lines)
}

/// What decides whether an item is taken, as of one moment.
pub(super) struct Admission<'s> {
    pub(super) state: &'s State,
    pub(super) reader: Reader<'s>,
    pub(super) ruling: Arc<Ruling>,
}

impl<'s> Admission<'s> {
    pub(super) fn now(state: &'s State) -> Result<Self, Refusal> {
        let reader = state.store.reader();
        let ruling = state.gate.ruling(&reader)?;
        Ok(Self { state, reader, ruling })
    }

    /// What lets the registry trust a further key.
    pub(super) fn remedy(&self) -> &'static str {
        match self.ruling.governance.trust {
            Some(_) => "attestry roster show tells who may sign; root keys publish a new roster",
            None => "its operator adds keys with attestry-registry trust add",
        }
    }

    /// The keys whose signatures may be accepted.
    pub(super) fn keys(&self) -> &[PublicKey] {
        self.ruling.keys()
    }

    pub(super) fn key(&self, fingerprint: &Fingerprint) -> Option<&PublicKey> {
        self.keys().iter().find(|key| key.fingerprint() == *fingerprint)
    }

    /// Demands that the roster, where one rules, lets the signer sign this; gives what it says.
    pub(super) fn statement(
        &self,
        signed: &Verified<SignedStatement>,
        bytes: &[u8],
    ) -> Result<Evidence, Refusal> {
        self.state
            .gate
            .admit(&self.reader, &self.ruling, signed, Sha256::of(bytes))
            .map_err(|refused| not_admitted(&refused, &signed.get().author.signer()))
    }

    /// As [`Admission::statement`], for what is signed without a statement.
    pub(super) fn signature(&self, signer: &Signer) -> Result<(), Refusal> {
        self.state
            .gate
            .admit_signature(&self.ruling, signer)
            .map_err(|refused| not_admitted(&refused, signer))
    }
}

fn not_admitted(refused: &Refused, signer: &Signer) -> Refusal {
    let text = match refused {
        Refused::Signer(text) => text.clone(),
        Refused::Document(text) => return Refusal::new(ProblemType::DoesNotVerify, text.clone()),
    };
    let refusal = Refusal::new(ProblemType::UntrustedSigner, text);
    match signer {
        Signer::Key(fingerprint) => refusal.with("fingerprint", fingerprint.to_string()),
        Signer::Identity { subject, issuer } => {
            refusal.with("subject", subject.as_str()).with("issuer", issuer.as_str())
        }
    }
}

/// Verifies one item against the trusted keys, or against the authorities of certificates.
pub(super) fn verified(
    bytes: &[u8],
    namespace: &str,
    admission: &Admission<'_>,
    stating: &Stating,
) -> Result<Item, Refusal> {
    let state = admission.state;
    let malformed =
        |e: &(dyn std::error::Error + 'static)| Refusal::new(ProblemType::MalformedBody, chain(e));
    let value = json::parse(bytes, state.config.max_body_bytes).map_err(|e| malformed(&e))?;
    let has = |member: &str| value.get(member).is_some();
    if has("payload") && has("signatures") {
        let envelope = Envelope::from_value(value).map_err(|e| malformed(&e))?;
        return of_envelope(envelope, None, bytes.to_vec(), namespace, (admission, stating));
    }
    if !has("verificationMaterial") && !has("verification_material") {
        return Err(Refusal::new(
            ProblemType::MalformedBody,
            "expected a DSSE envelope (payload, payloadType, signatures) or a Sigstore bundle (mediaType, verificationMaterial), found neither",
        ));
    }
    let bundle = Bundle::from_value(value).map_err(|e| malformed(&e))?;
    let SignerMaterial::PublicKey { hint } = &bundle.signer else {
        return certified(bundle, namespace, admission, stating);
    };
    let hint = hint.clone();
    match bundle.content {
        Content::Envelope(envelope) => {
            let bytes = envelope.to_json();
            of_envelope(envelope, Some(&hint), bytes, namespace, (admission, stating))
        }
        Content::Message(message) => {
            stating.demand(None)?;
            let keys = candidates(Some(&hint), admission);
            let signed = verify::message(&message, &keys)
                .map_err(|refusal| unsigned(&refusal, Some(&hint), admission))?;
            let author = &signed.get().author;
            admission.signature(&author.signer())?;
            let bundle = Bundle::of_signer(author.material(), Content::Message(message));
            let submission = Submission::of_message(&signed, namespace, true);
            let submission = submission.prepared(&state.store)?;
            Ok(Item { submission, bundle, evidence: None })
        }
    }
}

/// Verifies a bundle with a certificate, and demands that the roster names whom it is of.
fn certified(
    mut bundle: Bundle,
    namespace: &str,
    admission: &Admission<'_>,
    stating: &Stating,
) -> Result<Item, Refusal> {
    let state = admission.state;
    if admission.ruling.governance.trust.is_none() {
        let expected = "expected a signature of a trusted key, found one with a certificate; certificates count where a roster names their identities (issuer and subject), and none is published here: attestry roster push publishes one";
        return Err(Refusal::new(ProblemType::UntrustedSigner, expected));
    }
    // What this registry answered before is what it was sent then.
    let own = state.log.identity().id;
    bundle.tlog_entries.retain(|entry| entry.log_id.key_id != own.0);
    let bytes = bounded(&bundle)?;
    let signed = verify::certified(&bundle, &state.config.certificate_roots)
        .map_err(|refusal| Refusal::unverified(&refusal))?;
    let evidence = match &signed {
        Certified::Statement(signed) => {
            stating.demand(Some(&signed.get().statement.predicate_type))?;
            check_predicate(signed)?;
            Some(admission.statement(signed, &bytes)?)
        }
        Certified::Message(signed) => {
            stating.demand(None)?;
            admission.signature(&signed.get().author.signer())?;
            None
        }
    };
    let submission = Submission::of_bundle(&signed, bytes, namespace, true);
    let submission = submission.prepared(&state.store)?;
    Ok(Item { submission, bundle, evidence })
}

/// The bytes of a certificate's bundle as they are kept, with room for the entry of this log in what is answered.
fn bounded(bundle: &Bundle) -> Result<Vec<u8>, Refusal> {
    let entries = bundle.tlog_entries.len();
    if entries >= MAX_TLOG_ENTRIES {
        let most = MAX_TLOG_ENTRIES - 1;
        let detail = format!(
            "expected at most {most} log entries in the bundle, because this log adds one, found {entries}"
        );
        return Err(Refusal::new(ProblemType::MalformedBody, detail));
    }
    let bytes = bundle.to_json();
    let most = MAX_BUNDLE_BYTES - OWN_ENTRY_BYTES;
    if bytes.len() > most {
        let detail = format!("expected a bundle of at most {most} bytes, found {}", bytes.len());
        return Err(Refusal::new(ProblemType::TooLarge, detail).with("limit_bytes", most));
    }
    Ok(bytes)
}

fn of_envelope(
    envelope: Envelope,
    hint: Option<&str>,
    bytes: Vec<u8>,
    namespace: &str,
    (admission, stating): (&Admission<'_>, &Stating),
) -> Result<Item, Refusal> {
    let keys = candidates(hint, admission);
    let signed = verify::envelope(&envelope, &keys)
        .map_err(|refusal| unsigned(&refusal, hint, admission))?;
    stating.demand(Some(&signed.get().statement.predicate_type))?;
    check_predicate(&signed)?;
    let evidence = Some(admission.statement(&signed, &bytes)?);
    let material = signed.get().author.material();
    let submission = Submission::of_statement(&signed, bytes, namespace, true);
    let submission = submission.prepared(&admission.state.store)?;
    let bundle = Bundle::of_signer(material, Content::Envelope(envelope));
    Ok(Item { submission, bundle, evidence })
}

/// The keys to try: the one that the hint names, or all.
fn candidates(hint: Option<&str>, admission: &Admission<'_>) -> Vec<PublicKey> {
    let named = |key: &&PublicKey| hint == Some(attestry_schemas::bundle::key_hint(key).as_str());
    match admission.keys().iter().find(named) {
        Some(key) => vec![key.clone()],
        None => admission.keys().to_vec(),
    }
}

/// Says whether the key is unknown or the signature wrong, as far as the item tells.
fn unsigned(refusal: &verify::Refusal, hint: Option<&str>, admission: &Admission<'_>) -> Refusal {
    if refusal.check != verify::Check::Signature {
        return Refusal::unverified(refusal);
    }
    let claimed = hint.and_then(|hint| attestry_schemas::base64::decode(hint, "hint").ok());
    let claimed = claimed.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let known = |id: &[u8; 32]| admission.keys().iter().any(|k| k.fingerprint().as_bytes() == id);
    let remedy = admission.remedy();
    match claimed {
        Some(id) if !known(&id) => {
            let unpadded = LogId(id).to_string();
            let fingerprint = format!("SHA256:{}", unpadded.trim_end_matches('='));
            let detail = format!(
                "the key {fingerprint} is not one of the {} that this registry trusts; {remedy}",
                admission.keys().len()
            );
            Refusal::new(ProblemType::UntrustedSigner, detail).with("fingerprint", fingerprint)
        }
        Some(_) => Refusal::unverified(refusal),
        None => {
            let detail = format!("{refusal}; if the key is not trusted here yet, {remedy}");
            let problem = Refusal::unverified(refusal).problem().clone();
            problem
                .extensions
                .into_iter()
                .fold(Refusal::new(ProblemType::UntrustedSigner, detail), |r, (name, value)| {
                    r.with(&name, value)
                })
        }
    }
}

/// Refuses a predicate that breaks what its specification requires.
pub(super) fn check_predicate(signed: &Verified<SignedStatement>) -> Result<(), Refusal> {
    let statement = &signed.get().statement;
    let Err(findings) = predicate::check(&statement.predicate_type, &statement.predicate) else {
        return Ok(());
    };
    let first: Vec<String> = findings.iter().take(3).map(ToString::to_string).collect();
    let listed: Value = serde_json::to_value(&findings).unwrap_or_default();
    Err(Refusal::new(
        ProblemType::DoesNotVerify,
        format!(
            "the predicate breaks its specification in {} places: {}",
            findings.len(),
            first.join("; ")
        ),
    )
    .with("findings", listed))
}

/// Submits and waits until the leaf is durable.
pub(super) async fn receipt(
    state: &Arc<State>,
    submission: Submission,
) -> Result<Receipt, Refusal> {
    let receiver = state.log.submit(submission)?;
    answered(receiver).await
}

/// Waits for a receipt.
pub(super) async fn answered(
    receiver: tokio::sync::oneshot::Receiver<Result<Receipt, crate::log::SubmitError>>,
) -> Result<Receipt, Refusal> {
    match receiver.await {
        Ok(result) => Ok(result?),
        Err(_) => Err(crate::log::SubmitError::Stopping.into()),
    }
}
