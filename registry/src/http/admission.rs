//! `/k8s/admission`: the gate as a validating webhook of Kubernetes.
//!
//! Whatever keeps the gate from deciding denies, with the reason, and before the API server stops waiting: a
//! configuration whose `failurePolicy` is `Ignore` would let in what is not answered. Only what is no review at all, or comes
//! without the right to ask, is answered by a problem. Every denial of an image is a signed decision in the log, also of one
//! without a digest, and of one for which there was no time; only a dry run leaves none.
//!
//! The caller of a decision is `kubernetes:` and the user's name as the API server has authenticated it. Pods are made by
//! Kubernetes' controllers, so a rule about deployers that shall hold for a cluster names their accounts
//! (`kubernetes:system:serviceaccount:kube-system:replicaset-controller`), too. Whoever may ask speaks for the cluster;
//! nobody else should have that token.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{FromRequest as _, HttpRequest, HttpResponse, web};
use attestry_schemas::admission::{
    AdmissionReview, Asked, Demand, Judged, Logged, MAX_REVIEW_BYTES, Review, ReviewError,
    Undecidable,
};
use attestry_schemas::digest::Sha256;
use attestry_schemas::document::pattern::is_plain;
use attestry_schemas::gate::Failure;
use attestry_schemas::problem::{ProblemType, chain};
use futures_util::StreamExt as _;
use futures_util::future::join;
use futures_util::stream;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::problem::Refusal;
use super::query::Parameters;
use super::{State, access, body, query};
use crate::gate::Request;
use crate::gate::recorded::ADMISSION_CALLER;

/// How many images of one object are decided about at once.
const MAX_AT_ONCE: usize = 8;
/// How often what became of an object's images is looked at until it stands.
const MAX_ROUNDS: usize = 3;
/// The longest time that an API server waits for a webhook, in milliseconds.
const MAX_TIMEOUT_MS: u64 = 30_000;
/// The most characters of an image reference that a decision repeats.
const MAX_REFERENCE_CHARS: usize = 512;
/// The most denials that are recorded after their answers at once; of one more there is a line in the server's log alone.
const MAX_RECORDING: usize = 256;

/// By when the answer must be on its way.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: Instant,
    within_ms: u64,
}

impl Deadline {
    /// The setting, or nine tenths of what the API server says it waits, whichever is earlier.
    fn of(parameters: &Parameters, setting_ms: u64) -> Result<Self, Refusal> {
        let now = Instant::now();
        let within_ms = match parameters.text("timeout") {
            None => setting_ms,
            Some(text) => {
                let expected = "a duration such as 10s, of at most 30 seconds";
                let timeout_ms = milliseconds(text).filter(|ms| *ms <= MAX_TIMEOUT_MS);
                let timeout_ms =
                    timeout_ms.ok_or_else(|| query::wrong("timeout", expected, text))?;
                setting_ms.min(timeout_ms / 10 * 9)
            }
        };
        Ok(Self { at: now + Duration::from_millis(within_ms), within_ms })
    }

    fn has_passed(self) -> bool {
        Instant::now() >= self.at
    }

    /// Why what missed it is denied.
    fn missed(self) -> String {
        format!("expected a decision within {} ms, found none", self.within_ms)
    }
}

/// A duration as Go writes one: `10s`, `1m30s`, `500ms`.
fn milliseconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut sum: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(|b| !b.is_ascii_digit()).count();
        let (unit, tail) = tail.split_at(letters);
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            _ => return None,
        };
        sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(unit_ms)?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(sum)
}

/// `POST /k8s/admission[/ENVIRONMENT][?environment=&timeout=]`.
pub(super) async fn review(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let state: Arc<State> = state.into_inner();
    access::admission(&request, &state)?;
    let in_path = environment_in_path(&request);
    let known: &[&str] = if in_path.is_some() { &["timeout"] } else { &["environment", "timeout"] };
    let parameters = query::read(&request, known)?;
    let deadline = Deadline::of(&parameters, state.config.admission_timeout_ms)?;
    body::plain(&request)?;
    let text = body::whole(payload, MAX_REVIEW_BYTES, deadline.within_ms).await?;
    let review = match Review::parse(&text) {
        Ok(review) => review,
        Err(ReviewError::Request { uid, detail }) => {
            return Ok(HttpResponse::Ok().json(AdmissionReview::denying(&uid, &detail)));
        }
        Err(error) => return Err(Refusal::new(ProblemType::MalformedBody, chain(&error))),
    };
    let named = parameters.text("environment").map(str::to_owned);
    let environment = in_path.or(named).or_else(|| state.config.admission_environment.clone());
    Ok(HttpResponse::Ok().json(answer(&state, &review, environment, deadline).await))
}

/// The environment that the path names, decoded. One with slashes comes with its slashes: the API server decodes the path of
/// the webhook's URL before it asks.
fn environment_in_path(request: &HttpRequest) -> Option<String> {
    request.match_info().get("path")?;
    let path = web::Path::<String>::extract(request).into_inner();
    Some(path.map(web::Path::into_inner).unwrap_or_default())
}

async fn answer(
    state: &Arc<State>,
    review: &Review,
    environment: Option<String>,
    deadline: Deadline,
) -> AdmissionReview {
    let demand = Demand::of(review);
    if demand.is_empty() {
        return AdmissionReview::answering(&review.uid, &demand, &[], &[]);
    }
    if let Err(reason) = review.check_user() {
        return AdmissionReview::denying(&review.uid, &reason);
    }
    let environment = match usable(environment) {
        Ok(environment) => environment,
        Err(reason) => {
            let judged = vec![Judged::Undecided(reason); demand.images.len()];
            return AdmissionReview::answering(&review.uid, &demand, &judged, &[]);
        }
    };
    // What is admitted may start again under its decision. So of an object with several images none is recorded as let in before it is known
    // that all are.
    let is_alone = demand.images.len() + demand.undecidable.len() == 1;
    let circumstances = Circumstances {
        caller: format!("{ADMISSION_CALLER}{}", review.user),
        environment,
        dry_run: review.dry_run,
        records: is_alone && !review.dry_run,
        may_be_restart: demand.may_be_restart,
        is_made_again: review.is_by_controller(),
        deadline,
    };
    let judging = demand.images.iter().map(|asked| judged(state, asked, &circumstances));
    let recording = demand.undecidable.iter().map(|one| recorded(state, one, &circumstances));
    let (mut judged, recorded): (Vec<_>, Vec<_>) = join(
        stream::iter(judging).buffered(MAX_AT_ONCE).collect(),
        stream::iter(recording).buffered(MAX_AT_ONCE).collect(),
    )
    .await;
    if !is_alone && !review.dry_run {
        judged = settled(state, &demand, judged, circumstances).await;
    }
    AdmissionReview::answering(&review.uid, &demand, &judged, &recorded)
}

/// Records what became of the images of an object: that all are let in, or each denial.
async fn settled(
    state: &Arc<State>,
    demand: &Demand,
    found: Vec<Judged>,
    circumstances: Circumstances,
) -> Vec<Judged> {
    let circumstances = Circumstances { records: true, ..circumstances };
    let mut settled = found;
    // What is judged anew may end otherwise, and with it the whole.
    for _ in 0..MAX_ROUNDS {
        let is_admitted = demand.undecidable.is_empty() && settled.iter().all(Judged::admits);
        let is_open = |one: &Judged| one.is_unrecorded() && (is_admitted || !one.admits());
        if !settled.iter().any(is_open) {
            return settled;
        }
        let settling = demand.images.iter().zip(settled).map(|(asked, found)| async {
            if is_open(&found) { judged(state, asked, &circumstances).await } else { found }
        });
        settled = stream::iter(settling).buffered(MAX_AT_ONCE).collect().await;
    }
    let is_admitted = demand.undecidable.is_empty() && settled.iter().all(Judged::admits);
    let unrecorded = |one: &&mut Judged| is_admitted && one.is_unrecorded();
    settled.iter_mut().filter(unrecorded).for_each(|one| {
        let why = "expected a decision that stands, found that it changed while the object was decided about; try again";
        *one = Judged::Undecided(why.to_owned());
    });
    settled
}

/// The environment that decisions are about, or why there is none.
fn usable(environment: Option<String>) -> Result<String, String> {
    match environment {
        Some(environment) if is_plain(&environment) => Ok(environment),
        other => {
            let found = other.map_or_else(|| "none".to_owned(), |text| format!("{text:?}"));
            let found: String = found.chars().take(200).collect();
            Err(format!(
                "expected the URL of the webhook to end in the cluster's environment, such as /k8s/admission/production, or the registry to have the setting admission_environment; found {found}"
            ))
        }
    }
}

/// Records the denial of an image reference without a digest, within the deadline. There is no artifact, so the decision is
/// about the text of the reference. Of a dry run nothing is kept.
async fn recorded(
    state: &Arc<State>,
    one: &Undecidable,
    circumstances: &Circumstances,
) -> Option<Logged> {
    let reference = one.reference.as_ref().filter(|_| !circumstances.dry_run)?;
    let name = reference.chars().take(MAX_REFERENCE_CHARS).collect();
    let request = circumstances.question(Sha256::of(reference.as_bytes()), name);
    let why = format!("{}; this decision is about the text of the reference", one.reason);
    let recorded = record(state, request, Failure::NoDigest, why);
    tokio::time::timeout_at(circumstances.deadline.at, recorded).await.ok().flatten()
}

/// Records a denial for which nothing was evaluated. It goes on when nobody waits for it any more.
async fn record(
    state: &Arc<State>,
    request: Request,
    cause: Failure,
    why: String,
) -> Option<Logged> {
    let fix = match cause {
        Failure::NoDigest => "name the image by its digest: IMAGE@sha256:...",
        _ => "try again, and look at the registry if it stays so",
    };
    let recorded =
        state.blocking(move |state| Ok(state.gate.refuse(&request, cause, &why, fix)?));
    match recorded.await {
        Ok(decided) => Some(Logged { digest: decided.digest, index: decided.index }),
        Err(refusal) => {
            let error = &refusal.problem().detail;
            tracing::error!(error, cause = cause.name(), "a denial of admission is not recorded");
            None
        }
    }
}

/// Records that there was no decision in time. The answer is due now, and does not wait for it.
fn record_later(state: &Arc<State>, request: Request, why: String) {
    static RECORDING: Semaphore = Semaphore::const_new(MAX_RECORDING);
    let cause = Failure::Timeout;
    let Ok(place) = RECORDING.try_acquire() else {
        state.metrics.failures.with_label_values(&[cause.name(), "false"]).inc();
        let subject = request.subject;
        tracing::error!(%subject, "a denial is not recorded: {MAX_RECORDING} wait already");
        return;
    };
    let state = Arc::clone(state);
    actix_web::rt::spawn(async move {
        let _place = place;
        record(&state, request, cause, why).await
    });
}

/// What is the same for everything that a review asks about.
#[derive(Debug, Clone)]
struct Circumstances {
    caller: String,
    environment: String,
    dry_run: bool,
    /// Whether decisions are signed and logged.
    records: bool,
    may_be_restart: bool,
    is_made_again: bool,
    deadline: Deadline,
}

impl Circumstances {
    fn question(&self, subject: Sha256, name: String) -> Request {
        Request {
            subject,
            name: Some(name),
            environment: self.environment.clone(),
            caller: Some(self.caller.clone()),
            configuration: None,
        }
    }
}

/// What becomes of one image, within the deadline. A decision that comes too late is recorded, and serves the next try; that
/// this one was denied is recorded, too, once it is answered.
async fn judged(state: &Arc<State>, asked: &Asked, circumstances: &Circumstances) -> Judged {
    let deadline = circumstances.deadline;
    let request = circumstances.question(asked.image.digest, asked.image.repository.clone());
    if let Some(judged) = kept(state, &request, circumstances) {
        return judged;
    }
    let (asked, told) = (request.clone(), circumstances.clone());
    let work = state.deciding(move |state| {
        // Work that nobody waits for any more would keep others from being in time.
        if deadline.has_passed() {
            return Ok(None);
        }
        judge(state, &asked, &told).map(Some)
    });
    match tokio::time::timeout_at(deadline.at, work).await {
        Ok(Ok(Some(judged))) => judged,
        Ok(Err(refusal)) => Judged::Undecided(refusal.problem().detail.clone()),
        Ok(Ok(None)) | Err(_) if circumstances.dry_run => Judged::Undecided(deadline.missed()),
        Ok(Ok(None)) | Err(_) => {
            record_later(state, request, deadline.missed());
            let again = "try again, and look at the registry if it stays so";
            Judged::Late(format!("{}; {again}", deadline.missed()))
        }
    }
}

/// What was decided already, where that needs no look into the store.
fn kept(state: &State, request: &Request, circumstances: &Circumstances) -> Option<Judged> {
    let decided = state.gate.kept(request).filter(|_| !circumstances.dry_run)?;
    // For what is denied and may start again, another decision is looked for. What is let in must be the last by its name in the log.
    let is_answer = match decided.decision.passed() {
        true => circumstances.is_made_again || state.gate.is_known_as_last(request),
        false => !circumstances.may_be_restart,
    };
    let logged = Some(Logged { digest: decided.digest, index: decided.index });
    is_answer.then_some(Judged::Decided { decision: decided.decision, logged, recorded: None })
}

fn judge(
    state: &State,
    request: &Request,
    circumstances: &Circumstances,
) -> Result<Judged, Refusal> {
    let (decision, logged) = if circumstances.records {
        let decided = match circumstances.is_made_again {
            true => state.gate.decide(request)?.0,
            false => state.gate.decide_as_last(request)?,
        };
        (decided.decision, Some(Logged { digest: decided.digest, index: decided.index }))
    } else {
        (Arc::new(state.gate.assess(request)), None)
    };
    let mut recorded = None;
    if !decision.passed() && circumstances.may_be_restart {
        let reader = state.store.reader();
        let pass = state.gate.recorded_pass(&reader, request, circumstances.is_made_again)?;
        recorded = pass.map(|pass| Logged { digest: pass.digest, index: pass.index });
    }
    if let Some(recorded) = recorded.filter(|_| circumstances.records) {
        tracing::warn!(
            subject = %request.subject,
            environment = request.environment,
            decision = %recorded.digest,
            "an image that is denied now restarts under its recorded decision"
        );
    }
    Ok(Judged::Decided { decision, logged, recorded })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_read_as_go_writes_it() {
        for (text, expected) in [
            ("10s", Some(10_000)),
            ("1m30s", Some(90_000)),
            ("500ms", Some(500)),
            ("0s", Some(0)),
            ("", None),
            ("10", None),
            ("s", None),
            ("-1s", None),
            ("1h", None),
            ("99999999999999999999s", None),
            ("18446744073709551615m", None),
        ] {
            assert_eq!(milliseconds(text), expected, "{text:?}");
        }
    }
}
