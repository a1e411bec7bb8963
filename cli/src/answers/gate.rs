//! What the registry answers about what it decided, and what runs where.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `POST /v1/decisions`. What it says of the verdict, its end and its warnings is not read: the bundle says that.
#[derive(Debug, Deserialize)]
pub(crate) struct Decided {
    /// The decision's digest.
    pub(crate) decision: String,
    /// Whether it was made before.
    #[serde(default)]
    pub(crate) cached: bool,
    /// The signed decision, with the log's proof.
    pub(crate) bundle: Value,
}

/// `POST /v1/decisions/{digest}/replay`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Replayed {
    /// The decision's digest.
    pub(crate) decision: String,
    /// The verdict that was signed.
    pub(crate) recorded: String,
    /// The verdict that comes out now.
    pub(crate) result: String,
    /// Whether everything is the same.
    pub(crate) same: bool,
    /// What is not, in lines.
    #[serde(default)]
    pub(crate) differences: Vec<String>,
    /// The same, member by member: policy, rule, member, what was recorded, and what comes out now.
    #[serde(default)]
    pub(crate) changes: Vec<Value>,
    /// The decision that comes out now.
    #[serde(default)]
    pub(crate) statement: Value,
}

/// `POST /v1/replays`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Tried {
    /// The policy, as name and version.
    #[serde(default)]
    pub(crate) policy: Value,
    /// How many deployments were judged.
    pub(crate) evaluated: u64,
    /// Which of them would be denied.
    pub(crate) denied: Vec<TriedDenial>,
}

/// A deployment that a policy would deny.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TriedDenial {
    /// The artifact.
    pub(crate) subject: String,
    /// What it was called.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// Where it was deployed.
    pub(crate) environment: String,
    /// When.
    #[serde(default)]
    pub(crate) deployed_at: Option<String>,
    /// The statement of the deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deployment: Option<String>,
    /// By which decision.
    #[serde(default)]
    pub(crate) decision: Option<String>,
    /// Whether it still runs.
    #[serde(default)]
    pub(crate) running: bool,
    /// Whether it is denied by what is known now, and was not by what was known then.
    #[serde(default)]
    pub(crate) now: bool,
    /// Why it would be denied.
    #[serde(default)]
    pub(crate) reasons: Vec<String>,
}

/// `GET /v1/deployments`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Deployments {
    /// What runs, or ran.
    pub(crate) items: Vec<Running>,
    /// Whether there is more.
    #[serde(default)]
    pub(crate) truncated: bool,
}

/// One deployment.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Running {
    /// Where.
    pub(crate) environment: String,
    /// What it is called.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// The artifact.
    pub(crate) subject: String,
    /// `deployed`, `rolled-back` or `decommissioned`.
    #[serde(default)]
    pub(crate) kind: Option<String>,
    /// Whether it runs; an older registry told only of what does.
    #[serde(default = "runs")]
    pub(crate) running: bool,
    /// Since when; of what left, when.
    pub(crate) since: String,
    /// Until when, where it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<String>,
    /// The decision that allowed it.
    #[serde(default)]
    pub(crate) decision: Option<String>,
    /// The statement that records it.
    #[serde(default)]
    pub(crate) deployment: Option<String>,
    /// Whether a decision allowed it, and its signer may say so.
    pub(crate) authorized: bool,
    /// Why not, in a word; an older registry tells it among the reasons alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<String>,
    /// Whether it would still be allowed.
    pub(crate) compliant: bool,
    /// Why it was not authorized; of what was, why it would not be allowed.
    #[serde(default)]
    pub(crate) reasons: Vec<String>,
    /// Whether it entered in an emergency.
    #[serde(default)]
    pub(crate) break_glass: bool,
}

fn runs() -> bool {
    true
}

impl Running {
    /// Whether it tells that something left.
    pub(crate) fn left(&self) -> bool {
        self.kind.as_deref() == Some("decommissioned")
    }
}

/// `GET /v1/metrics/delivery`.
#[derive(Debug, Deserialize)]
pub(crate) struct Metrics {
    /// From when on is counted.
    #[serde(default)]
    pub(crate) since: Option<String>,
    /// What runs, and what of it has a valid decision.
    pub(crate) coverage: Coverage,
    /// Attempts to deploy without a decision that allows it.
    pub(crate) unauthorized: Counted,
    /// How often something was rolled back.
    pub(crate) rollbacks: Rollbacks,
    /// How long until something was flagged.
    pub(crate) time_to_detect: TimeToDetect,
    /// What was denied.
    pub(crate) denials: Counted,
    /// What people excepted.
    pub(crate) exceptions: Exceptions,
    /// How old the evidence of what runs is, in seconds.
    #[serde(default)]
    pub(crate) evidence_age_s: Spread,
}

/// Integrity verification coverage.
#[derive(Debug, Deserialize)]
pub(crate) struct Coverage {
    /// How many digests run.
    pub(crate) running: u64,
    /// How many of them have a valid PASSED decision.
    pub(crate) verified: u64,
    /// The share; none where nothing runs.
    #[serde(default)]
    pub(crate) ratio: Option<f64>,
}

/// A number and what it is made of.
#[derive(Debug, Deserialize)]
pub(crate) struct Counted {
    /// The number.
    pub(crate) total: u64,
    /// By cause, or by rule.
    #[serde(default, alias = "by_cause", alias = "by_rule")]
    pub(crate) by: std::collections::BTreeMap<String, u64>,
}

/// Rollback frequency.
#[derive(Debug, Deserialize)]
pub(crate) struct Rollbacks {
    /// How many deployments there were.
    pub(crate) deployments: u64,
    /// How many rollbacks.
    pub(crate) rollbacks: u64,
    /// The share; none without a deployment.
    #[serde(default)]
    pub(crate) ratio: Option<f64>,
}

/// Time to detect.
#[derive(Debug, Deserialize)]
pub(crate) struct TimeToDetect {
    /// How many flags there were.
    pub(crate) count: u64,
    /// From the deployment to the flag.
    #[serde(default)]
    pub(crate) from_deployment_s: Spread,
    /// From the arrival of the evidence to the flag.
    #[serde(default)]
    pub(crate) from_evidence_s: Spread,
    /// From when time ran out to the flag.
    #[serde(default)]
    pub(crate) from_expiry_s: Spread,
}

/// How numbers are spread, in seconds.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Spread {
    /// Half are at most this.
    #[serde(default)]
    pub(crate) p50: Option<f64>,
    /// Of twenty, nineteen are at most this.
    #[serde(default)]
    pub(crate) p95: Option<f64>,
    /// The greatest.
    #[serde(default)]
    pub(crate) max: Option<f64>,
}

/// Use of exceptions.
#[derive(Debug, Deserialize)]
pub(crate) struct Exceptions {
    /// How many waivers were made.
    pub(crate) waivers: u64,
    /// How often the glass was broken.
    pub(crate) break_glass: u64,
    /// How many of those nobody has reviewed.
    #[serde(default)]
    pub(crate) unreviewed: u64,
    /// How many were reviewed too late.
    #[serde(default)]
    pub(crate) reviewed_late: u64,
}
