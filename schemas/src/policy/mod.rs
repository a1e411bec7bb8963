//! A policy: what an environment demands of an artifact before it may enter.
//!
//! A TOML document, `schema = "policy/v1"`, published by `policy` statements that the quorum of the
//! roster's `[policies]` signs. [`Policy::read`] is the one loader: what `lint` accepts is what the gate evaluates.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Sha256;
use crate::document::{Duration, Faults, Pattern};
use crate::predicate::UtcTime;
use crate::predicate::attestry::environment::CheckSeverity;
use crate::predicate::attestry::governance as said;
use crate::predicate::cvss::base_score;
use crate::roster::{Quorum, Roster};

mod read;
mod rule;
mod unread;
mod warning;
pub mod window;

pub use read::SCHEMA;
use window::{Freeze, Hours};

/// The most rules of one policy, those inside `any` included.
pub const MAX_RULES: usize = 200;

/// A policy that was read: complete in itself, not yet known to be published by anyone.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// The version, from 1; it only grows.
    pub version: u64,
    /// From when on it no longer counts, and everything it matches is denied.
    pub expires: UtcTime,
    /// What a failure does.
    pub mode: Mode,
    /// Which artifacts it is for, by name.
    pub artifacts: Vec<Pattern>,
    /// Which environments it is for.
    pub environments: Vec<Pattern>,
    /// What it demands; at least one. All must hold.
    pub rules: Vec<Rule>,
    /// Who may waive findings; nobody when absent.
    pub waivers: Option<Exceptions>,
    /// Who may break the glass; nobody when absent.
    pub break_glass: Option<Exceptions>,
    /// The digest of the document.
    pub digest: Sha256,
    /// Why its rules cannot be read, where they cannot; it has none then, and denies all that it is for.
    pub unread: Option<String>,
}

/// What the failure of a policy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It denies.
    Enforce,
    /// It warns, and the artifact may enter.
    Warn,
    /// It is recorded; nobody is told, and the policy counts as not matching.
    Shadow,
}

impl Mode {
    /// The word of the document.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Warn => "warn",
            Self::Shadow => "shadow",
        }
    }
}

/// Who may grant an exception, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exceptions {
    /// So many of which group.
    pub quorum: Quorum,
    /// The longest that one may last.
    pub longest: Duration,
    /// The only rules that may be waived, by id; all when empty.
    pub rules: Vec<String>,
}

/// One demand.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name in this policy; the type's word when the policy gives none.
    pub id: String,
    /// What it demands.
    pub kind: RuleKind,
}

/// Whose evidence counts, and how old it may be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Demand {
    /// Names of signers and groups; anyone whom the roster permits when empty.
    pub signers: Vec<String>,
    /// The greatest age.
    pub max_age: Option<Duration>,
}

/// What a rule demands. The fields are those of the document; a list that is empty demands nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleKind {
    /// The artifact itself is signed.
    Signature {
        /// Whose signatures count, and how old they may be.
        demand: Demand,
        /// How many distinct signers must have signed.
        threshold: u64,
    },
    /// SLSA provenance v1, by a signer who may claim its builder.
    Provenance {
        /// Whose provenance counts, and how old it may be.
        demand: Demand,
        /// The allowed values of `builder.id`, exactly.
        builders: Vec<String>,
        /// The least SLSA build level that the roster trusts the signer for at that builder.
        level: u64,
        /// The allowed source repositories.
        sources: Vec<Pattern>,
        /// The allowed branches and tags.
        refs: Vec<Pattern>,
        /// The allowed values of `buildType`, exactly.
        build_types: Vec<String>,
        /// Parameter to its allowed values, `*` for any; all others are refused. Not looked at when absent.
        parameters: Option<BTreeMap<String, Vec<String>>>,
    },
    /// The commit that the provenance names was reviewed, in the repository that it names.
    Source {
        /// Whose summaries and reviews count, and how old they may be.
        demand: Demand,
        /// The least SLSA source level.
        level: u64,
        /// Whether somebody else than the author must have approved it.
        two_party: bool,
    },
    /// Tests passed, and no failure stands.
    TestResult {
        /// Whose results count, and how old they may be.
        demand: Demand,
        /// Suites of which there must be results: names of a configuration, or of what tests are named after.
        suites: Vec<String>,
        /// How many tests must have passed, each counted once.
        least_passed: u64,
    },
    /// A scan for vulnerabilities without any that blocks.
    VulnScan {
        /// Whose scans count, and how old they may be.
        demand: Demand,
        /// Scanners that must have scanned: each by URI, or by the name of its package.
        scanners: Vec<String>,
        /// This severity and what is graver blocks.
        block: Severity,
        /// How long after its publication or first sight, the earlier of them, a finding does not block yet, by severity.
        leeway: BTreeMap<Severity, Duration>,
        /// Whose VEX counts; nobody's when empty.
        vex: Vec<String>,
    },
    /// A bill of materials without what is denied.
    Sbom {
        /// Whose bills count, and how old they may be.
        demand: Demand,
        /// The kinds that count: `cyclonedx`, `spdx`.
        kinds: Vec<String>,
        /// Package URLs that no component may have, with or without a version.
        deny_components: Vec<String>,
        /// Licences that no component may have, alone or in an expression.
        deny_licenses: Vec<String>,
    },
    /// A search for secrets.
    SecretScan {
        /// Whose searches count, and how old they may be.
        demand: Demand,
        /// How many findings are tolerated.
        most: u64,
    },
    /// The state of the target environment.
    Readiness {
        /// Whose evidence counts, and how old it may be.
        demand: Demand,
        /// Checks by id that must be there and pass.
        checks: Vec<String>,
        /// Categories of which there must be checks, all passing.
        categories: Vec<String>,
        /// Failures of this severity and graver deny.
        block: CheckSeverity,
        /// Whether the checked configuration must be the one that is being applied.
        bind_configuration: bool,
    },
    /// It was allowed and ran in an earlier environment.
    Promotion {
        /// The earlier environment.
        from: String,
        /// How long it must have run there.
        soak: Duration,
    },
    /// People consented.
    Approval {
        /// Whose consent counts, and how old it may be.
        demand: Demand,
        /// How many distinct signers must have consented.
        threshold: u64,
        /// Parts in the artifact that none of them may have had.
        distinct_from: Vec<Role>,
    },
    /// Who asks may deploy here.
    Deployer {
        /// The signers and groups who may.
        signers: Vec<String>,
    },
    /// Now is a time to deploy.
    Window {
        /// When it is; always when empty.
        hours: Vec<Hours>,
        /// When it is not.
        freezes: Vec<Freeze>,
        /// Callers for whom it always is.
        exceptions: Vec<String>,
    },
    /// It is not older than what runs.
    NoRollback {
        /// Who may approve a rollback; nobody when empty.
        approvers: Vec<String>,
        /// How many distinct ones of them must.
        threshold: u64,
    },
    /// Another verifier's summary.
    Vsa {
        /// Whose summaries count, and how old they may be.
        demand: Demand,
        /// The `verifier.id`, exactly.
        verifier: String,
        /// Which resources it may be for; any when absent.
        resource: Option<Pattern>,
        /// Levels that it must have verified, or higher ones of the same track.
        levels: Vec<String>,
    },
    /// A classic in-toto layout.
    Layout {
        /// The digest of the layout.
        document: Sha256,
        /// Who signs it.
        owners: Vec<String>,
        /// How many distinct ones of them must have signed it.
        threshold: u64,
        /// The digests of the layouts that its steps may be made of.
        sublayouts: Vec<Sha256>,
    },
    /// A Rego module that denies. What it does not deny is not allowed by that.
    Rego {
        /// Whose evidence the module sees, and how old it may be.
        demand: Demand,
        /// The predicate types that it sees, by short name or URI; all when empty.
        types: Vec<String>,
        /// Whether it sees the moment of the question.
        moment: bool,
        /// Its text.
        module: String,
    },
    /// One of these at least.
    Any(Vec<Rule>),
}

impl RuleKind {
    /// The word of the document.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Signature { .. } => "signature",
            Self::Provenance { .. } => "provenance",
            Self::Source { .. } => "source",
            Self::TestResult { .. } => "test-result",
            Self::VulnScan { .. } => "vuln-scan",
            Self::Sbom { .. } => "sbom",
            Self::SecretScan { .. } => "secret-scan",
            Self::Readiness { .. } => "readiness",
            Self::Promotion { .. } => "promotion",
            Self::Approval { .. } => "approval",
            Self::Deployer { .. } => "deployer",
            Self::Window { .. } => "window",
            Self::NoRollback { .. } => "no-rollback",
            Self::Vsa { .. } => "vsa",
            Self::Layout { .. } => "layout",
            Self::Rego { .. } => "rego",
            Self::Any(_) => "any",
        }
    }
}

/// How grave a vulnerability is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nobody says. Blocks with `low`, because what nobody rated is not harmless.
    Unknown,
    /// None, or negligible.
    None,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Severity {
    /// The severity of a word, of a CVSS score or of a vector of its version 3, as scanners write them.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let text = text.trim();
        if let Some(score) = text.parse().ok().or_else(|| base_score(text)) {
            return match score {
                s if !(0.0..=10.0).contains(&s) => Self::Unknown,
                s if s >= 9.0 => Self::Critical,
                s if s >= 7.0 => Self::High,
                s if s >= 4.0 => Self::Medium,
                s if s > 0.0 => Self::Low,
                _ => Self::None,
            };
        }
        match text.to_ascii_lowercase().as_str() {
            "critical" => Self::Critical,
            "high" | "important" => Self::High,
            "medium" | "moderate" => Self::Medium,
            "low" => Self::Low,
            "none" | "negligible" | "unimportant" | "info" | "informational" => Self::None,
            _ => Self::Unknown,
        }
    }

    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Someone who had a part in the artifact, from whom others must be distinct.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Who wrote the change, as the evidence of its review says.
    Author,
    /// Who signed the provenance.
    Builder,
    /// Who asks to deploy.
    Deployer,
}

impl Role {
    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Author => "author",
            Self::Builder => "builder",
            Self::Deployer => "deployer",
        }
    }
}

impl Policy {
    /// Reads a policy's document; with a roster, names that it does not know are faults, too.
    ///
    /// # Errors
    /// [`Faults`] with line and column: an unknown key, a policy without rules, a threshold of 0, an unknown group, a
    /// pattern that matches nothing possible, a promotion from the only environment that it is for.
    pub fn read(text: &[u8], roster: Option<&Roster>) -> Result<Self, Faults> {
        read::policy(text, roster)
    }

    /// The policy that a quorum published, where its document is not at hand or this version does not read it. It rules, so that no
    /// older version does, and denies what it is for: everything, where the document does not even tell that.
    #[must_use]
    pub fn unread(said: &said::Policy, digest: Sha256, text: Option<&[u8]>) -> Self {
        unread::policy(said, digest, text)
    }

    /// The policy that a quorum published, where too few of its signatures count any more: who signed it has left the group, or is
    /// revoked. It rules, so that no older version does, and denies what it is for until enough have signed it again.
    #[must_use]
    pub fn lapsed(self, have: u64, quorum: &Quorum) -> Self {
        unread::lapsed(self, have, quorum)
    }

    /// Whether it is for an artifact of one of these names in an environment.
    #[must_use]
    pub fn matches<'n>(&self, environment: &str, names: impl IntoIterator<Item = &'n str>) -> bool {
        self.environments.iter().any(|pattern| pattern.matches(environment))
            && names.into_iter().any(|name| self.artifacts.iter().any(|p| p.matches(name)))
    }

    /// What its author should look at twice at a moment, though it is no fault; beside a roster also what its signers can never do.
    #[must_use]
    pub fn warnings(&self, now: UtcTime, roster: Option<&Roster>) -> Vec<String> {
        warning::of(self, now, roster)
    }

    /// Its name and version, as they are told: `production@3`.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// Every rule, those inside `any` included.
    pub fn all_rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().flat_map(|rule| {
            let inner: &[Rule] = match &rule.kind {
                RuleKind::Any(rules) => rules,
                _ => &[],
            };
            std::iter::once(rule).chain(inner)
        })
    }
}

#[cfg(test)]
mod tests;
