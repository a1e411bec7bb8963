//! A decision: the verdict of the gate, as a SLSA VSA v1 with our details.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Answer, Outcome, Purpose, Question, Run};
use crate::digest::{Digest, Sha256};
use crate::json;
use crate::policy::Mode;
use crate::predicate::vsa::{GATE_EXTENSION, VerificationResult, VerificationSummary, Verifier};
use crate::predicate::{Predicate as _, UtcTime};
use crate::roster::trust::Trust;
use crate::statement::{ResourceDescriptor, Statement};

/// The version of SLSA that the summary follows.
const SLSA_VERSION: &str = "1.2";

/// The verdict of one policy.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyVerdict {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// The digest of its document.
    pub digest: Sha256,
    /// What a failure of it does.
    pub mode: Mode,
    /// Whether every rule holds or is waived, or the glass is broken.
    pub passed: bool,
    /// The emergency that lets it pass.
    pub break_glass: Option<BrokenGlass>,
    /// Emergencies that were signed and do not count, each with why.
    pub set_aside: Vec<String>,
    /// The answers, in the order of its rules.
    pub rules: Vec<Answer>,
}

/// An emergency that counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BrokenGlass {
    /// What it is.
    pub reason: String,
    /// When it ends.
    pub expires: UtcTime,
    /// By when it must have been reviewed.
    pub review_by: UtcTime,
    /// The group that reviews it.
    pub reviewers: String,
    /// The statements, by digest.
    pub evidence: Vec<String>,
    /// Who signed them.
    pub signers: Vec<String>,
}

/// A decision, before it is signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    question: Question,
    passed: bool,
    policies: Vec<PolicyVerdict>,
    details: Details,
    until: Option<UtcTime>,
}

/// What a decision says beyond the summary: the member [`GATE_EXTENSION`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Details {
    /// The environment.
    pub environment: String,
    /// What the caller called the artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The names by which policies were found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// As whom the registry knew the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The configuration that was being applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<String>,
    /// The size of the log.
    pub log_size: u64,
    /// The roster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roster: Option<RosterUsed>,
    /// The policies and their answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<PolicyDetails>,
    /// Why nothing was evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// From when on the verdict may be another without new evidence: who deploys later asks again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UtcTime>,
    /// What runs, where the verdict is about that; it lets nothing enter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunJudged>,
}

/// What runs, and why it was judged again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunJudged {
    /// The statement that it was deployed, `sha256:…`.
    pub deployment: String,
    /// What it is called where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The attestation that changed the verdict; none when the passing of time did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// When time ran out, where its passing alone changed the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<UtcTime>,
}

impl RunJudged {
    fn of(run: &Run) -> Self {
        Self {
            deployment: run.deployment.to_string(),
            name: run.name.clone(),
            because: run.because.map(|digest| digest.to_string()),
            since: run.since,
        }
    }

    /// The digests; none where they are no SHA-256.
    #[must_use]
    pub fn read(&self) -> Option<Run> {
        let because = self.because.as_deref().map(str::parse).transpose().ok()?;
        let deployment = self.deployment.parse().ok()?;
        Some(Run { deployment, name: self.name.clone(), because, since: self.since })
    }
}

/// The roster of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RosterUsed {
    /// Its version.
    pub version: u64,
    /// The digest of its document, `sha256:…`.
    pub digest: String,
}

/// Why nothing was evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Refused {
    /// What was expected, and found.
    pub why: String,
    /// What to do.
    pub fix: String,
    /// What kept the gate from evaluating; none where a verdict needs no rule, as without a roster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Failure>,
}

/// What kept the gate from evaluating. It denies, and says nothing of the artifact: who asks again may get another verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// What the verdict depends on could not be read.
    Error,
    /// There was no verdict in time.
    Timeout,
    /// The evaluation ended by a panic.
    Panic,
    /// The image has no digest that could be decided about. The decision's subject is the SHA-256 of the reference's text, and its
    /// name the reference.
    NoDigest,
}

impl Failure {
    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Panic => "panic",
            Self::NoDigest => "no-digest",
        }
    }
}

/// A policy's verdict as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyDetails {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// The digest of its document, `sha256:…`.
    pub digest: String,
    /// `enforce`, `warn` or `shadow`.
    pub mode: String,
    /// Its verdict.
    pub result: VerificationResult,
    /// The emergency that let it pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BrokenGlass>,
    /// Emergencies that were signed and do not count, each with why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<String>,
    /// The answers of its rules.
    pub rules: Vec<Answer>,
}

impl Decision {
    /// The decision of these verdicts: all that enforce must have passed.
    pub(super) fn of(
        question: &Question,
        trust: &Trust,
        names: Vec<String>,
        policies: Vec<PolicyVerdict>,
        until: Option<UtcTime>,
    ) -> Self {
        let passed = policies.iter().all(|policy| policy.passed || policy.mode != Mode::Enforce);
        let mut details = Details::of(question, Some(trust));
        details.names = names;
        details.policies = policies.iter().map(PolicyDetails::of).collect();
        details.until = until;
        Self { question: question.clone(), passed, policies, details, until }
    }

    /// A denial for which no rule was evaluated: errors deny.
    #[must_use]
    pub fn denied(question: &Question, trust: Option<&Trust>, why: &str, fix: &str) -> Self {
        let mut details = Details::of(question, trust);
        details.refused = Some(Refused { why: why.to_owned(), fix: fix.to_owned(), cause: None });
        Self {
            question: question.clone(),
            passed: false,
            policies: Vec::new(),
            details,
            until: None,
        }
    }

    /// The same denial, with what kept the gate from evaluating.
    #[must_use]
    pub fn failing(mut self, cause: Failure) -> Self {
        if let Some(refused) = &mut self.details.refused {
            refused.cause = Some(cause);
        }
        self
    }

    /// The same denial, with what policies say of which none counts.
    pub(super) fn recording(mut self, names: Vec<String>, policies: Vec<PolicyVerdict>) -> Self {
        self.details.names = names;
        self.details.policies = policies.iter().map(PolicyDetails::of).collect();
        Self { policies, ..self }
    }

    /// The same verdict about what runs, with the attestation that changed it, or the moment at which time ran out.
    #[must_use]
    pub fn because(mut self, because: Option<Sha256>, since: Option<UtcTime>) -> Self {
        if let Purpose::Run(run) = &mut self.question.purpose {
            (run.because, run.since) = (because, since);
            self.details.run = Some(RunJudged::of(run));
        }
        self
    }

    /// Whether the artifact may enter.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.passed
    }

    /// What was asked.
    #[must_use]
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// The verdicts of the policies that matched, by name.
    #[must_use]
    pub fn policies(&self) -> &[PolicyVerdict] {
        &self.policies
    }

    /// What it says beyond the summary.
    #[must_use]
    pub fn details(&self) -> &Details {
        &self.details
    }

    /// From when on the verdict may be another without new evidence; never without a moment, it stays.
    #[must_use]
    pub fn until(&self) -> Option<UtcTime> {
        self.until
    }

    /// Whether rules were evaluated, and each could be: only then does the verdict follow from the evidence alone.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        self.details.refused.is_none() && !self.has_error(&|_| true)
    }

    /// Whether something kept rules from being judged that may be over in a moment without anything in the log: an evaluation that failed, a
    /// layout that is not stored.
    #[must_use]
    pub fn may_be_judged_later(&self) -> bool {
        let lacks_document = |answer: &Answer| answer.kind == "layout";
        self.details.failure().is_some() || self.has_error(&lacks_document)
    }

    fn has_error(&self, is: &dyn Fn(&Answer) -> bool) -> bool {
        fn any(answer: &Answer, is: &dyn Fn(&Answer) -> bool) -> bool {
            (answer.outcome == Outcome::Error && is(answer))
                || answer.any.iter().any(|inner| any(inner, is))
        }
        self.policies.iter().flat_map(|policy| &policy.rules).any(|answer| any(answer, is))
    }

    /// Every attestation that an answer stands on, sorted.
    #[must_use]
    pub fn inputs(&self) -> BTreeSet<String> {
        fn of(answer: &Answer, all: &mut BTreeSet<String>) {
            all.extend(answer.evidence.iter().cloned());
            answer.any.iter().for_each(|inner| of(inner, all));
        }
        let mut all = BTreeSet::new();
        for policy in &self.policies {
            policy.rules.iter().for_each(|answer| of(answer, &mut all));
            all.extend(policy.break_glass.iter().flat_map(|glass| glass.evidence.iter().cloned()));
        }
        all
    }

    /// The decision as a SLSA VSA v1.
    #[must_use]
    pub fn summary(&self) -> VerificationSummary {
        let result =
            if self.passed { VerificationResult::Passed } else { VerificationResult::Failed };
        let inputs = self.inputs().into_iter().filter_map(|digest| {
            let uri = format!("https://{}/v1/attestations/{digest}", self.question.origin);
            let digest: Digest = digest.parse().ok()?;
            Some(ResourceDescriptor {
                uri: Some(uri),
                digest: Some(digest.into()),
                ..Default::default()
            })
        });
        let details = serde_json::to_value(&self.details).unwrap_or_default();
        VerificationSummary {
            verifier: Verifier {
                id: format!("https://{}/v1/decisions", self.question.origin),
                version: None,
            },
            time_verified: Some(self.question.now.to_string()),
            resource_uri: resource_uri(&self.question),
            policy: self.policy_descriptor(),
            input_attestations: Some(inputs.collect()),
            verification_result: result,
            verified_levels: self.levels(),
            dependency_levels: None,
            slsa_version: Some(SLSA_VERSION.to_owned()),
            extensions: BTreeMap::from([(GATE_EXTENSION.to_owned(), details)]),
        }
    }

    /// The lowest level of each track that the policies have verified.
    fn levels(&self) -> Vec<String> {
        fn of(answer: &Answer, all: &mut BTreeMap<String, String>) {
            if let Some(level) = answer.level.as_ref().filter(|_| answer.outcome.is_good()) {
                let track = level.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
                let lowest = all.entry(track).or_insert_with(|| level.clone());
                *lowest = level.clone().min(lowest.clone());
            }
            answer.any.iter().for_each(|inner| of(inner, all));
        }
        let mut all = BTreeMap::new();
        self.policies
            .iter()
            .flat_map(|policy| &policy.rules)
            .for_each(|answer| of(answer, &mut all));
        match (self.passed, all.is_empty()) {
            (false, _) => vec!["FAILED".to_owned()],
            (true, true) => vec!["SLSA_BUILD_LEVEL_UNEVALUATED".to_owned()],
            (true, false) => all.into_values().collect(),
        }
    }

    /// The one policy; of several the list of their digests.
    fn policy_descriptor(&self) -> ResourceDescriptor {
        let described = |uri: String, digest: Sha256| ResourceDescriptor {
            uri: Some(uri),
            digest: Some(Digest::from(digest).into()),
            ..Default::default()
        };
        match self.policies.as_slice() {
            [one] => {
                let uri = format!("https://attestry.dev/policy/{}@{}", one.name, one.version);
                described(uri, one.digest)
            }
            all => {
                let digests: Vec<String> = all.iter().map(|p| p.digest.to_string()).collect();
                let list = json::canonical(&digests).unwrap_or_default();
                described("https://attestry.dev/policies".to_owned(), Sha256::of(&list))
            }
        }
    }

    /// The statement that the gate signs.
    ///
    /// # Panics
    /// Never: the subject and the predicate are built here.
    #[must_use]
    pub fn statement(&self) -> Statement {
        let name = self.question.name.clone();
        let digest = Some(Digest::from(self.question.subject).into());
        let subject = ResourceDescriptor { name, digest, ..Default::default() };
        let predicate = self.summary().to_value().expect("a summary has texts for keys");
        Statement::new(vec![subject], VerificationSummary::URI, predicate)
            .expect("one subject with a digest, and a known type")
    }
}

impl Details {
    fn of(question: &Question, trust: Option<&Trust>) -> Self {
        Self {
            environment: question.environment.clone(),
            name: question.name.clone(),
            names: Vec::new(),
            caller: question.caller.clone(),
            configuration: question.configuration.map(|digest| digest.to_string()),
            log_size: question.log_size,
            roster: trust.map(|trust| RosterUsed {
                version: trust.roster().version,
                digest: trust.digest().to_string(),
            }),
            policies: Vec::new(),
            refused: None,
            until: None,
            run: match &question.purpose {
                Purpose::Deploy => None,
                Purpose::Run(run) => Some(RunJudged::of(run)),
            },
        }
    }

    /// What kept it from being evaluated, where something did.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        self.refused.as_ref()?.cause
    }

    /// What policies say that can deny: the decision stands on no other.
    pub fn enforcing(&self) -> impl Iterator<Item = &PolicyDetails> {
        self.policies.iter().filter(|policy| policy.mode == Mode::Enforce.name())
    }

    /// What the artifact is called where it runs, of a verdict about that: one without it is about the name that was asked for.
    #[must_use]
    pub fn runs_as(&self) -> Option<&str> {
        let run = self.run.as_ref()?;
        run.name.as_deref().or(self.name.as_deref())
    }

    /// The emergencies that the decision stands on.
    pub fn broken_glass(&self) -> impl Iterator<Item = &BrokenGlass> {
        self.enforcing().filter_map(|policy| policy.break_glass.as_ref())
    }

    /// What does not hold in policies that only warn, and where an emergency let it pass.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let told = self.policies.iter().filter(|policy| policy.mode != Mode::Shadow.name());
        let broken = told.filter_map(|policy| {
            let glass = policy.break_glass.as_ref()?;
            let title = format!("{}@{}", policy.name, policy.version);
            Some(format!(
                "{title}: passed in an emergency alone (break-glass), to be reviewed until {}",
                glass.review_by
            ))
        });
        let warns = |policy: &&PolicyDetails| {
            policy.mode == Mode::Warn.name() && policy.result == VerificationResult::Failed
        };
        let warning = self.policies.iter().filter(warns);
        warning
            .flat_map(|policy| policy.rules.iter().map(move |answer| (policy, answer)))
            .filter(|(_, answer)| !answer.outcome.is_good())
            .map(|(policy, answer)| {
                format!("{}@{}: {}: {}", policy.name, policy.version, answer.rule, answer.found)
            })
            .chain(broken)
            .collect()
    }

    /// Takes the details out of a decision; none, and nothing changes, of another verifier's summary.
    #[must_use]
    pub fn take(summary: &mut VerificationSummary) -> Option<Self> {
        let details = Self::read(summary)?;
        summary.extensions.remove(GATE_EXTENSION);
        Some(details)
    }

    /// The details of a decision that was read; none of another verifier's summary.
    #[must_use]
    pub fn read(summary: &VerificationSummary) -> Option<Self> {
        json::from_value(summary.extensions.get(GATE_EXTENSION)?.clone(), "decision").ok()
    }
}

impl PolicyDetails {
    fn of(verdict: &PolicyVerdict) -> Self {
        let result =
            if verdict.passed { VerificationResult::Passed } else { VerificationResult::Failed };
        Self {
            name: verdict.name.clone(),
            version: verdict.version,
            digest: verdict.digest.to_string(),
            mode: verdict.mode.name().to_owned(),
            result,
            break_glass: verdict.break_glass.clone(),
            set_aside: verdict.set_aside.clone(),
            rules: verdict.rules.clone(),
        }
    }
}

/// The artifact as a package URL, which any name fits.
fn resource_uri(question: &Question) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '~');
    let name = question.name.as_deref().unwrap_or_default().trim_matches('/');
    let name: String = match name {
        "" => "artifact".to_owned(),
        name => name.chars().map(|c| if plain(c) { c } else { '-' }).collect(),
    };
    format!("pkg:generic/{name}?checksum=sha256:{}", question.subject.hex())
}
