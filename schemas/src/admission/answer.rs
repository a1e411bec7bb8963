//! The answer to a review: `AdmissionResponse` of `admission.k8s.io/v1`, with a message that a person can act on.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::demand::{Asked, Demand, Undecidable};
use super::review::{API_VERSION, KIND};
use crate::digest::Sha256;
use crate::gate::{Answer, Decision};
use crate::policy::Mode;

/// The most characters of one warning: clients show no more of it (`admission.k8s.io/v1`, AdmissionResponse.warnings).
pub const MAX_WARNING_CHARS: usize = 120;
/// The most warnings of one answer.
pub const MAX_WARNINGS: usize = 20;
/// The most that cannot be decided about that is told; of all of it decisions are recorded.
const MAX_UNDECIDABLE: usize = 10;
/// The most failing rules that are told of one image; its decision has them all.
const MAX_RULES: usize = 8;
/// The most characters of what one rule found, and of its remedy.
const MAX_TEXT_CHARS: usize = 300;

/// An AdmissionReview that answers one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdmissionReview {
    /// `admission.k8s.io/v1`.
    pub api_version: String,
    /// `AdmissionReview`.
    pub kind: String,
    /// The answer.
    pub response: Response,
}

/// Whether the object is admitted, and why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// That of the request.
    pub uid: String,
    /// Whether the object is admitted.
    pub allowed: bool,
    /// Why it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// What whoever asked should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What the audit log of the cluster keeps: the decisions, by digest and log index.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub audit_annotations: BTreeMap<String, String>,
}

/// Why an object is not admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// 403: it is refused; there is nothing else that this webhook does.
    pub code: u16,
    /// Which image, which rules, what to do.
    pub message: String,
}

/// A decision that is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logged {
    /// The digest of its attestation.
    pub digest: Sha256,
    /// Its index.
    pub index: u64,
}

/// What became of one image.
#[derive(Debug, Clone)]
pub enum Judged {
    /// The gate has decided.
    Decided {
        /// The decision.
        decision: std::sync::Arc<Decision>,
        /// Where it is; none for a dry run, of which nothing is kept.
        logged: Option<Logged>,
        /// The decision under which it runs already, where the gate denies it now and it may restart all the same.
        recorded: Option<Logged>,
    },
    /// There is no decision, which denies.
    Undecided(String),
    /// There was no decision in time, which denies, too; the denial is recorded after the answer.
    Late(String),
}

impl Judged {
    /// Whether the image may start.
    #[must_use]
    pub fn admits(&self) -> bool {
        match self {
            Self::Decided { decision, recorded, .. } => decision.passed() || recorded.is_some(),
            Self::Undecided(_) | Self::Late(_) => false,
        }
    }

    /// Whether it is decided, and no decision about it is in the log.
    #[must_use]
    pub fn is_unrecorded(&self) -> bool {
        matches!(self, Self::Decided { logged: None, .. })
    }
}

impl AdmissionReview {
    /// Denies for a reason that no decision can change.
    #[must_use]
    pub fn denying(uid: &str, reason: &str) -> Self {
        Self::of(uid, Some(reasons([reason])))
    }

    fn of(uid: &str, message: Option<String>) -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            response: Response {
                uid: uid.to_owned(),
                allowed: message.is_none(),
                status: message.map(|message| Status { code: 403, message }),
                warnings: Vec::new(),
                audit_annotations: BTreeMap::new(),
            },
        }
    }

    /// Answers by what became of every image that the review asks about, and with the decision that was recorded of each
    /// reference that cannot be decided about, if any.
    ///
    /// An image of which nothing is told is denied.
    #[must_use]
    pub fn answering(
        uid: &str,
        demand: &Demand,
        judged: &[Judged],
        recorded: &[Option<Logged>],
    ) -> Self {
        let mut denials: Vec<String> = refusal(&demand.undecidable).into_iter().collect();
        let mut warnings: Vec<String> = demand.warning.iter().cloned().collect();
        let mut annotations = BTreeMap::new();
        let is_denied = !denials.is_empty()
            || judged.len() < demand.images.len()
            || judged.iter().any(|judged| !judged.admits());
        for (place, asked) in demand.images.iter().enumerate() {
            let nothing = Judged::Undecided("no decision was made".to_owned());
            let judged = judged.get(place).unwrap_or(&nothing);
            denials.extend(denial(asked, judged));
            warnings.extend(told_warnings(asked, judged));
            annotate(&mut annotations, place + 1, asked, judged, is_denied);
        }
        for (place, one) in demand.undecidable.iter().enumerate().take(MAX_UNDECIDABLE) {
            let Some(reference) = &one.reference else { continue };
            let logged = recorded.get(place).copied().flatten();
            let number = demand.images.len() + place + 1;
            let text = undecided(reference, &one.reason, logged);
            annotations.insert(format!("decision-{number}"), text);
        }
        let message = (!denials.is_empty()).then(|| denials.join("\n"));
        let mut answer = Self::of(uid, message);
        answer.response.warnings = bounded(warnings);
        answer.response.audit_annotations = annotations;
        answer
    }
}

fn reasons<'r>(reasons: impl IntoIterator<Item = &'r str>) -> String {
    let mut told = vec!["attestry denies this:".to_owned()];
    told.extend(reasons.into_iter().map(|reason| format!("- {reason}")));
    told.join("\n")
}

/// Why what cannot be decided about is denied; nothing where there is none.
fn refusal(undecidable: &[Undecidable]) -> Option<String> {
    let told = undecidable.iter().take(MAX_UNDECIDABLE).map(|one| one.reason.as_str());
    let more = undecidable.len().saturating_sub(MAX_UNDECIDABLE);
    let more = (more > 0).then(|| format!("and {more} more images that cannot be decided about"));
    (!undecidable.is_empty()).then(|| reasons(told.chain(more.as_deref())))
}

/// What the audit log keeps of an image reference that cannot be decided about.
fn undecided(reference: &str, reason: &str, logged: Option<Logged>) -> String {
    let at = match logged {
        Some(logged) => format!("{} at log index {}", logged.digest, logged.index),
        None => "not recorded".to_owned(),
    };
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let reference: String = cut(reference).chars().map(plain).collect();
    format!("{at}: FAILED {reference}, which cannot be decided about: {}", cut(reason))
}

/// Why an image is denied; nothing where it is not.
fn denial(asked: &Asked, judged: &Judged) -> Option<String> {
    let image = format!("{} ({})", asked.image, asked.places.join(", "));
    let (decision, logged) = match judged {
        Judged::Undecided(reason) | Judged::Late(reason) => {
            return Some(format!("attestry denies {image}: {reason}"));
        }
        Judged::Decided { recorded: Some(_), .. } => return None,
        Judged::Decided { decision, .. } if decision.passed() => return None,
        Judged::Decided { decision, logged, .. } => (decision, logged),
    };
    let mut lines =
        vec![format!("attestry denies {image} in {}:", decision.question().environment)];
    if let Some(refused) = &decision.details().refused {
        lines.push(format!("- {}; fix: {}", cut(&refused.why), cut(&refused.fix)));
    }
    let failed = failing(decision, Mode::Enforce);
    for (policy, answer) in failed.iter().take(MAX_RULES) {
        let fix =
            answer.fix.as_deref().map_or_else(String::new, |fix| format!("; fix: {}", cut(fix)));
        lines.push(format!("- {policy} {}: {}{fix}", answer.rule, cut(&answer.found)));
    }
    if failed.len() > MAX_RULES {
        lines.push(format!("- and {} more rules", failed.len() - MAX_RULES));
    }
    lines.push(match logged {
        Some(logged) => format!("decision {} at log index {}", logged.digest, logged.index),
        None => "a dry run: the decision is not recorded".to_owned(),
    });
    Some(lines.join("\n"))
}

/// The rules that do not hold in policies of a mode, with their policies.
fn failing(decision: &Decision, mode: Mode) -> Vec<(String, &Answer)> {
    let policies = decision.policies().iter().filter(|p| p.mode == mode && !p.passed);
    policies
        .flat_map(|policy| {
            let title = format!("{}@{}", policy.name, policy.version);
            policy.rules.iter().map(move |answer| (title.clone(), answer))
        })
        .filter(|(_, answer)| !answer.outcome.is_good())
        .collect()
}

fn told_warnings(asked: &Asked, judged: &Judged) -> Vec<String> {
    let Judged::Decided { decision, recorded, .. } = judged else { return Vec::new() };
    let mut warnings = Vec::new();
    if recorded.is_some() {
        let hex: String = asked.image.digest.hex().chars().take(12).collect();
        let place = asked.places.first().map_or("", String::as_str);
        warnings.push(format!(
            "attestry: {place} (sha256:{hex}…) restarts by its recorded decision; it is denied now"
        ));
        for (policy, answer) in failing(decision, Mode::Enforce) {
            warnings.push(format!("attestry: {policy} {}: {}", answer.rule, answer.found));
        }
    }
    for (policy, answer) in failing(decision, Mode::Warn) {
        warnings.push(format!("attestry: {policy} {}: {}", answer.rule, answer.found));
    }
    warnings
}

fn annotate(
    annotations: &mut BTreeMap<String, String>,
    number: usize,
    asked: &Asked,
    judged: &Judged,
    is_denied: bool,
) {
    let Judged::Decided { decision, logged, recorded } = judged else {
        let text = match judged {
            Judged::Late(_) => format!(
                "none in time for {}: the denial is recorded after this answer, by the image's digest",
                asked.image
            ),
            _ => format!("none for {}", asked.image),
        };
        annotations.insert(format!("decision-{number}"), text);
        return;
    };
    let result = if decision.passed() { "PASSED" } else { "FAILED" };
    let at = match logged {
        Some(logged) => format!("{} at log index {}", logged.digest, logged.index),
        None if is_denied && judged.admits() => "not recorded (its object is denied)".to_owned(),
        None => "not recorded (dry run)".to_owned(),
    };
    let text = format!("{at}: {result} {} in {}", asked.image, decision.question().environment);
    annotations.insert(format!("decision-{number}"), text);
    if let Some(recorded) = recorded {
        let text = format!(
            "{} at log index {}: admitted {}, which runs and is denied now",
            recorded.digest, recorded.index, asked.image
        );
        annotations.insert(format!("restarted-under-{number}"), text);
    }
}

/// Warnings as clients show them: few, short, without line breaks, each once.
fn bounded(warnings: Vec<String>) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for warning in warnings {
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let mut text: String = warning.chars().map(plain).collect();
        if text.chars().count() >= MAX_WARNING_CHARS {
            text = text.chars().take(MAX_WARNING_CHARS - 2).chain(['…']).collect();
        }
        if !told.contains(&text) {
            told.push(text);
        }
    }
    if told.len() > MAX_WARNINGS {
        let more = told.len() - (MAX_WARNINGS - 1);
        told.truncate(MAX_WARNINGS - 1);
        told.push(format!("attestry: and {more} more warnings; the decisions have them all"));
    }
    told
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MAX_TEXT_CHARS {
        return text.to_owned();
    }
    text.chars().take(MAX_TEXT_CHARS).chain(['…']).collect()
}
