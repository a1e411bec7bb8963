//! Whether a deployment was authorized by the decision that it names: the one account of it, for what is told of deployments and for
//! rules that stand on them.

use std::fmt;

use super::decision::Details;
use super::evidence::{Evidence, Said};
use crate::digest::Sha256;
use crate::predicate::UtcTime;
use crate::predicate::vsa::VerificationResult;

/// How far the clock of who deploys may be behind the log's: what is said to have begun earlier than its decision by more, did
/// not wait for it.
const CLOCK_TOLERANCE_S: i64 = 300;

/// How long after the end of a decision the log may first hold the statement of a deployment by it: a deployment that began in
/// time takes its time, and its statement its way. When it began is a claim, which alone is not believed.
pub const DELIVERY_GRACE_S: i64 = 3_600;

/// Why a deployment was not authorized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The roster does not let its signer state deployments.
    OtherSigner,
    /// It names no decision.
    NoDecision,
    /// What it names is no decision of this gate about a deployment, or was logged later.
    UnknownDecision,
    /// The decision denies.
    FailedDecision,
    /// The decision is about another artifact.
    OtherArtifact,
    /// The decision is for another environment.
    OtherEnvironment,
    /// The decision was asked under another name, for which other policies may rule, or the deployment gives none.
    OtherName,
    /// The same was asked again before the deployment, and denied.
    SupersededDecision,
    /// The decision stood until before the deployment began.
    ExpiredDecision,
    /// The log held the statement so long after the decision's end that only a claim says that it began in time.
    LateRecord,
}

impl Cause {
    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OtherSigner => "other-signer",
            Self::NoDecision => "no-decision",
            Self::UnknownDecision => "unknown-decision",
            Self::FailedDecision => "failed-decision",
            Self::OtherArtifact => "other-artifact",
            Self::OtherEnvironment => "other-environment",
            Self::OtherName => "other-name",
            Self::SupersededDecision => "superseded-decision",
            Self::ExpiredDecision => "expired-decision",
            Self::LateRecord => "late-record",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherSigner => "other-signer: the roster does not let its signer state deployments",
            Self::NoDecision => "no-decision: it names no decision",
            Self::UnknownDecision => {
                "unknown-decision: what it names is no decision of this gate that was logged before it"
            }
            Self::FailedDecision => "failed-decision: the decision that it names denies",
            Self::OtherArtifact => "other-artifact: the decision that it names is about another one",
            Self::OtherEnvironment => {
                "other-environment: the decision that it names is for another one"
            }
            Self::OtherName => {
                "other-name: the decision that it names is about the artifact under another name, or it gives none"
            }
            Self::SupersededDecision => {
                "superseded-decision: the same was asked again before it, and denied"
            }
            Self::ExpiredDecision => {
                "expired-decision: the decision that it names no longer stood when it began"
            }
            Self::LateRecord => {
                "late-record: it was logged more than an hour after the decision that it names had ended, and only a claim says that it began in time"
            }
        })
    }
}

/// Something that entered an environment, as its statement says.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The artifact.
    pub subject: Sha256,
    /// Where.
    pub environment: &'a str,
    /// What it is called there.
    pub name: Option<&'a str>,
    /// When it began, no later than the log held its statement.
    pub began: UtcTime,
    /// When the log first held the statement.
    pub held: UtcTime,
}

impl Entry<'_> {
    /// Why a decision of the gate does not allow it, as far as that decision tells itself. Whether the same was asked again, and denied, is
    /// told by [`same_question`] of the newer ones.
    #[must_use]
    pub fn why_not(&self, decision: &Evidence) -> Option<Cause> {
        let Said::Summary(summary, Some(details)) = decision.said() else {
            return Some(Cause::UnknownDecision);
        };
        let latest_s = self.began.unix_seconds().saturating_add(CLOCK_TOLERANCE_S);
        let is_over = |until: &UtcTime| self.began >= *until;
        let is_late = |until: &UtcTime| {
            self.held.unix_seconds() >= until.unix_seconds().saturating_add(DELIVERY_GRACE_S)
        };
        Some(if details.run.is_some() {
            // A verdict about what runs lets nothing enter.
            Cause::UnknownDecision
        } else if summary.verification_result != VerificationResult::Passed {
            Cause::FailedDecision
        } else if !decision.is_about(&self.subject.into()) {
            Cause::OtherArtifact
        } else if details.environment != self.environment {
            Cause::OtherEnvironment
        } else if !is_name_of(details, self.name) {
            Cause::OtherName
        } else if latest_s < decision.logged_at().unix_seconds() {
            Cause::UnknownDecision
        } else if details.until.as_ref().is_some_and(is_over) {
            Cause::ExpiredDecision
        } else if details.until.as_ref().is_some_and(is_late) {
            Cause::LateRecord
        } else {
            return None;
        })
    }
}

/// Whether a deployment is called what the decision was asked about. One that was asked without a name is for any name that
/// the evidence gives.
fn is_name_of(details: &Details, name: Option<&str>) -> bool {
    match (&details.name, name) {
        (Some(asked), name) => name == Some(asked.as_str()),
        (None, Some(name)) => details.names.iter().any(|known| known == name),
        (None, None) => true,
    }
}

/// How a decision answers the question of another one, of which these are the details: whether it passed; nothing where it answers
/// another question, or none. What others asked, who may be denied for who they are, and what could not be judged take nothing from it.
#[must_use]
pub fn same_question(details: &Details, decision: &Evidence) -> Option<bool> {
    let Said::Summary(summary, Some(other)) = decision.said() else { return None };
    let is_same = other.run.is_none()
        && (&other.environment, &other.name) == (&details.environment, &details.name)
        && (&other.caller, &other.configuration) == (&details.caller, &details.configuration);
    let is_judged = other.failure().is_none();
    (is_same && is_judged).then_some(summary.verification_result == VerificationResult::Passed)
}
