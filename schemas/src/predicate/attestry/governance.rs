//! Who may, what is demanded, and what was decided by people: genesis, roster, policy, approval,
//! waiver, break-glass and revocation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::digest::DigestSet;
use crate::key::Fingerprint;
use crate::predicate::Predicate;
use crate::predicate::rules::{
    Form, Section, Specification, Unknown, nothing_more, optional, required,
};
use crate::predicate::time::UtcTime;
use crate::predicate::walk::{Linter, quote};

/// The first entry of a log: which log it is, and who keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Genesis {
    /// The origin line of the log's checkpoints: the host name of the registry.
    pub origin: String,
    /// The log id, in base64, as in `logId.keyId` of a transparency log entry.
    pub log_id: String,
    /// The log's public key: SPKI PEM.
    pub public_key: String,
    /// When the log was created.
    pub created_at: UtcTime,
    /// The version of the registry that created the log.
    pub version: String,
    /// The fingerprints of the keys that publish the roster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub root_keys: Vec<Fingerprint>,
    /// How many of them must sign it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    pub root_threshold: Option<u64>,
}

impl Predicate for Genesis {
    const URI: &'static str = "https://attestry.dev/genesis/v1";
}

/// One version of the roster: who may sign what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Roster {
    /// The version of the roster; it only grows.
    pub version: u64,
    /// The digest of the roster's TOML document, with `sha256`.
    pub digest: DigestSet,
    /// When this version stops to count.
    pub expires: UtcTime,
}

impl Predicate for Roster {
    const URI: &'static str = "https://attestry.dev/roster/v1";
}

/// One version of a policy: what an environment demands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// The name of the policy.
    pub name: String,
    /// The version of the policy; it only grows.
    pub version: u64,
    /// The digest of the policy document, with `sha256`.
    pub digest: DigestSet,
    /// When this version stops to count.
    pub expires: UtcTime,
}

impl Predicate for Policy {
    const URI: &'static str = "https://attestry.dev/policy/v1";
}

/// The consent of the signer that the subjects enter an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approval {
    /// The environment that the consent is for.
    pub environment: String,
    /// When the consent stops to count.
    pub expires: UtcTime,
    /// What the consent is to; to a deployment when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ApprovalPurpose")]
    pub purpose: Option<ApprovalPurpose>,
    /// Why the approver consents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub reason: Option<String>,
    /// What the approver wants readers to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub note: Option<String>,
}

/// What an approval consents to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalPurpose {
    /// That the subjects are deployed.
    Deployment,
    /// That the subjects are deployed although something newer runs.
    Rollback,
}

impl Predicate for Approval {
    const URI: &'static str = "https://attestry.dev/approval/v1";
}

/// The consent of the signer that one finding of one rule does not count for the subjects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Waiver {
    /// The rule of the policy.
    pub rule: String,
    /// The finding, as the rule names it, such as a CVE number.
    pub finding: String,
    /// When the finding counts again.
    pub until: UtcTime,
    /// Why it does not count until then.
    pub reason: String,
    /// The only environment that the waiver is for; every one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub environment: Option<String>,
}

impl Predicate for Waiver {
    const URI: &'static str = "https://attestry.dev/waiver/v1";
}

/// An emergency: the subjects enter an environment against its policy, to be reviewed after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BreakGlass {
    /// The environment.
    pub environment: String,
    /// What the emergency is.
    pub reason: String,
    /// When the exception stops to count.
    pub expires: UtcTime,
    /// By when it must have been reviewed.
    pub review_by: UtcTime,
    /// The group of the roster that must review it.
    pub group: String,
}

impl Predicate for BreakGlass {
    const URI: &'static str = "https://attestry.dev/break-glass/v1";
}

/// That a signer must not be trusted from a moment on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Revocation {
    /// Whose signatures stop to count.
    pub signer: RevokedSigner,
    /// Why.
    pub reason: RevocationReason,
    /// From when; for `compromised` also against an earlier log time.
    pub effective_at: UtcTime,
}

impl Predicate for Revocation {
    const URI: &'static str = "https://attestry.dev/revocation/v1";
}

/// The signer that a revocation names: by key or by identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum RevokedSigner {
    /// A key: `SHA256:` and the unpadded base64 of the SHA-256 of its SPKI DER.
    Fingerprint(
        #[schemars(with = "String", regex(pattern = "^SHA256:[A-Za-z0-9+/]{43}$"))] Fingerprint,
    ),
    /// A certificate identity.
    Identity(Identity),
}

/// A certificate identity: both parts match exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// The issuer of the identity token: a URL.
    pub issuer: String,
    /// The subject alternative name of the certificate.
    pub subject: String,
}

/// Why a signer is revoked (after RFC 5280 §5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RevocationReason {
    /// Someone else has, or may have, the key: nothing from `effectiveAt` on counts.
    Compromised,
    /// Another key took its place.
    Superseded,
    /// The signer has another duty now, or left.
    AffiliationChanged,
    /// The signer, a service, is no more.
    CessationOfOperation,
    /// No reason is given.
    Unspecified,
}

/// Writes down the specification of a closed predicate.
macro_rules! closed {
    (
        $(#[$doc:meta])* $spec:ident, $section:ident, $title:literal, $more:expr,
        [$($rule:expr),* $(,)?]
    ) => {
        $(#[$doc])*
        pub(in crate::predicate) static $spec: Specification = Specification {
            name: concat!("Attestry ", $title, " v1"),
            root: &$section,
            more: $more,
            strict: true,
        };
        static $section: Section =
            Section { title: $title, unknown: Unknown::Refused, rules: &[$($rule),*] };
    };
}
pub(super) use closed;

closed!(
    /// `schemas/json/genesis-v1.json`.
    GENESIS, GENESIS_FIELDS, "genesis", nothing_more,
    [
        required("origin", Form::Name),
        required("logId", Form::Name),
        required("publicKey", Form::Name),
        required("createdAt", Form::Time),
        required("version", Form::Name),
        optional("rootKeys", Form::List(&Form::Name)),
        optional("rootThreshold", Form::Count),
    ]
);

closed!(
    /// `schemas/json/roster-v1.json`.
    ROSTER, ROSTER_FIELDS, "roster", nothing_more,
    [
        required("version", Form::Count),
        required("digest", Form::Sha256Set),
        required("expires", Form::Time),
    ]
);

closed!(
    /// `schemas/json/policy-v1.json`.
    POLICY, POLICY_FIELDS, "policy", nothing_more,
    [
        required("name", Form::Name),
        required("version", Form::Count),
        required("digest", Form::Sha256Set),
        required("expires", Form::Time),
    ]
);

closed!(
    /// `schemas/json/approval-v1.json`.
    APPROVAL, APPROVAL_FIELDS, "approval", nothing_more,
    [
        required("environment", Form::Name),
        required("expires", Form::Time),
        optional("purpose", Form::OneOf(&["deployment", "rollback"])),
        optional("reason", Form::Text),
        optional("note", Form::Text),
    ]
);

closed!(
    /// `schemas/json/waiver-v1.json`.
    WAIVER, WAIVER_FIELDS, "waiver", nothing_more,
    [
        required("rule", Form::Name),
        required("finding", Form::Name),
        required("until", Form::Time),
        required("reason", Form::Name),
        optional("environment", Form::Name),
    ]
);

closed!(
    /// `schemas/json/break-glass-v1.json`.
    BREAK_GLASS, BREAK_GLASS_FIELDS, "break-glass", nothing_more,
    [
        required("environment", Form::Name),
        required("reason", Form::Name),
        required("expires", Form::Time),
        required("reviewBy", Form::Time),
        required("group", Form::Name),
    ]
);

closed!(
    /// `schemas/json/revocation-v1.json`.
    REVOCATION, REVOCATION_FIELDS, "revocation", more_revocation,
    [
        required("signer", Form::Map),
        required("reason", Form::OneOf(&[
            "compromised",
            "superseded",
            "affiliation-changed",
            "cessation-of-operation",
            "unspecified",
        ])),
        required("effectiveAt", Form::Time),
    ]
);

static IDENTITY: Section = Section {
    title: "identity",
    unknown: Unknown::Refused,
    rules: &[required("issuer", Form::Uri), required("subject", Form::Name)],
};

fn more_revocation(linter: &mut Linter<'_>, predicate: &Map<String, Value>) {
    const CLAUSE: &str = "revocation: signer is a fingerprint or an identity";
    let Some(signer) = predicate.get("signer").and_then(Value::as_object) else { return };
    linter.at("signer", |linter| match (signer.len(), signer.iter().next()) {
        (1, Some((name, value))) if name == "fingerprint" => linter.at(name, |linter| {
            if value.as_str().is_none_or(|text| text.parse::<Fingerprint>().is_err()) {
                let expected = "SHA256: and 43 characters of base64";
                linter.broken(CLAUSE, expected, &quote(value));
            }
        }),
        (1, Some((name, Value::Object(identity)))) if name == "identity" => {
            linter.at(name, |linter| linter.section(&IDENTITY, identity));
        }
        _ => {
            let found = quote(&Value::Object(signer.clone()));
            linter.broken(CLAUSE, "one of fingerprint and identity", &found);
        }
    });
}
