//! The gate over evidence that is really signed.
//!
//! [`Trial`] is everything that a decision is given: a roster of throw-away keys, statements that are signed
//! and verified, policies as text, and a question about one artifact. A test changes one thing and looks
//! at the answer of one rule.

mod any;
mod approval;
mod break_glass;
mod decision;
mod deployer;
mod difference;
mod explanation;
mod freshness;
mod no_rollback;
mod policies;
mod promotion;
mod provenance;
mod readiness;
#[cfg(feature = "rego")]
mod rego;
mod sbom;
mod sealed;
mod secret_scan;
mod signature;
mod source;
mod test_result;
mod trust;
mod vsa;
mod vuln_scan;
mod waiver;
mod window;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::*;
use crate::digest::Digest;
use crate::dsse::{Envelope, PAYLOAD_TYPE};
use crate::key::SigningKey;
use crate::predicate::from_short;
use crate::roster::Roster;
use crate::roster::trust::{Published, Revocation};
use crate::statement::{ResourceDescriptor, Statement};
use crate::verify;

/// A Friday.
const NOW: &str = "2026-11-27T10:00:00Z";
/// When evidence is logged unless a test says otherwise: an hour before.
const LOGGED: &str = "2026-11-27T09:00:00Z";
const NAME: &str = "pay/api";
const BUILDER: &str = "https://ci.example/builder";
const REPOSITORY: &str = "https://git.example/pay/api";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const TRIVY: &str = "pkg:github/aquasecurity/trivy";

/// The signers of every trial, with what they may sign.
const SIGNERS: [(&str, &str); 10] = [
    ("ci", "provenance test-result signature sbom"),
    ("tester", "test-result"),
    ("scanner", "vulns secret-scan readiness"),
    ("host", "review vsa"),
    ("verifier", "vsa"),
    ("triage", "openvex"),
    ("alice", "approval waiver break-glass review signature"),
    ("bob", "approval waiver break-glass review signature"),
    ("carol", "approval waiver break-glass signature"),
    ("deployer", "deployment approval"),
];

/// The registry of every trial.
static OWN: LazyLock<sealed::Own> = LazyLock::new(|| sealed::Own::of("log"));

fn time(text: &str) -> UtcTime {
    text.parse().unwrap()
}

/// The throw-away key of this name.
fn key(name: &str) -> SigningKey {
    SigningKey::from_ed25519_seed(Sha256::of(name.as_bytes()).0)
}

fn artifact() -> Sha256 {
    Sha256::of(b"the artifact")
}

fn other_artifact() -> Sha256 {
    Sha256::of(b"another artifact")
}

/// A statement on its way into the log.
struct Saying {
    key: String,
    subjects: Vec<ResourceDescriptor>,
    uri: String,
    predicate: Value,
    logged_at: UtcTime,
}

impl Saying {
    /// The signer of this name says something of this type, by its short name or URI, about the artifact.
    fn of(signer: &str, kind: &str, predicate: Value) -> Self {
        let uri = from_short(kind).map_or(kind, |known| known.uri).to_owned();
        let subjects = vec![ResourceDescriptor::named(NAME, artifact().into())];
        Self { key: signer.to_owned(), subjects, uri, predicate, logged_at: time(LOGGED) }
    }

    fn at(mut self, logged_at: &str) -> Self {
        self.logged_at = time(logged_at);
        self
    }

    fn about(self, digest: impl Into<Digest>) -> Self {
        self.about_named(NAME, digest)
    }

    fn about_named(mut self, name: &str, digest: impl Into<Digest>) -> Self {
        self.subjects = vec![ResourceDescriptor::named(name, digest.into())];
        self
    }

    fn about_commit(self, commit: &str) -> Self {
        self.about(Digest::new("gitCommit", commit).unwrap())
    }

    fn by_key(mut self, name: &str) -> Self {
        self.key = name.to_owned();
        self
    }

    fn evidence(&self, index: u64) -> Evidence {
        let statement =
            Statement::new(self.subjects.clone(), &self.uri, self.predicate.clone()).unwrap();
        let key = key(&self.key);
        let envelope = Envelope::sign(PAYLOAD_TYPE, &statement.to_json(), &key);
        let verified = verify::envelope(&envelope, &[key.public_key().clone()]).unwrap();
        let digest = Sha256::of(&envelope.to_json());
        Evidence::of_statement(&verified, Held { digest, index, logged_at: self.logged_at })
    }
}

/// Everything that a decision is given.
struct Trial {
    signers: BTreeMap<String, String>,
    groups: String,
    roster_expires: String,
    revocations: Vec<Revocation>,
    policies: Vec<Arc<Policy>>,
    evidence: Vec<Arc<Evidence>>,
    question: Question,
}

impl Trial {
    /// A trial with one policy of these rules for production.
    fn of(rules: &str) -> Self {
        let mut trial = Self {
            signers: BTreeMap::new(),
            groups: "leads = [\"alice\", \"bob\", \"carol\"]\nbuilders = [\"ci\"]\n".to_owned(),
            roster_expires: "2027-12-31T00:00:00Z".to_owned(),
            revocations: Vec::new(),
            policies: Vec::new(),
            evidence: Vec::new(),
            question: Question {
                subject: artifact(),
                name: Some(NAME.to_owned()),
                environment: "production".to_owned(),
                caller: Some("token:deployer".to_owned()),
                configuration: None,
                now: time(NOW),
                log_size: 1_000,
                origin: "registry.example.com".to_owned(),
                purpose: Purpose::Deploy,
            },
        };
        for (name, may) in SIGNERS {
            let may = may.replace("sbom", "cyclonedx spdx");
            let may: Vec<&str> = may.split(' ').collect();
            let principals = format!("principals = [\"token:{name}\"]\n");
            trial.signer(name, name, &format!("may = {may:?}\n{principals}"));
        }
        let ci = trial.signers.get_mut("ci").unwrap();
        writeln!(ci, "builders = [{{ id = \"{BUILDER}\", level = 3 }}]").unwrap();
        trial.policy("production", "enforce", rules);
        trial
    }

    /// Puts an entry into the roster: a signer of this name with the key of that name.
    fn signer(&mut self, name: &str, key_name: &str, more: &str) {
        let fingerprint = key(key_name).public_key().fingerprint();
        let entry = format!("[[signer]]\nname = \"{name}\"\nkey = \"{fingerprint}\"\n{more}");
        self.signers.insert(key_name.to_owned(), entry);
    }

    /// Says more of a signer's entry.
    fn more(&mut self, key_name: &str, more: &str) {
        writeln!(self.signers.get_mut(key_name).unwrap(), "{more}").unwrap();
    }

    fn policy(&mut self, name: &str, mode: &str, rules: &str) -> &mut Self {
        let text = policy_text(name, mode, "2027-06-30T00:00:00Z", rules);
        self.policies.push(Arc::new(Policy::read(text.as_bytes(), None).unwrap()));
        self
    }

    fn say(&mut self, saying: Saying) -> &mut Self {
        self.held(saying);
        self
    }

    /// Logs a statement and returns its digest. Facts of it, kept at rest, are the same.
    #[track_caller]
    fn held(&mut self, saying: Saying) -> Sha256 {
        let evidence = saying.evidence(self.evidence.len() as u64);
        OWN.demand_kept(&evidence);
        let digest = evidence.digest();
        self.evidence.push(Arc::new(evidence));
        digest
    }

    fn roster(&self) -> Roster {
        let signers: String = self.signers.values().map(String::as_str).collect();
        let text = format!(
            "schema = \"roster/v1\"\nversion = 1\nexpires = {}\n{signers}[groups]\n{}",
            self.roster_expires, self.groups
        );
        Roster::read(text.as_bytes()).unwrap()
    }

    fn trust(&self) -> Trust {
        let at = time("2026-01-01T00:00:00Z");
        let published = [Published { roster: self.roster(), at }];
        let gate = key("gate").public_key().fingerprint();
        Trust::new(&published, &self.revocations, gate).unwrap()
    }

    fn decide(&self) -> Decision {
        decide(&self.question, Some(&self.trust()), &self.policies, &self.evidence, &|_| None)
    }

    /// The answer of a rule of the first policy.
    fn answer(&self, rule: &str) -> Answer {
        let decision = self.decide();
        let rules = &decision.policies()[0].rules;
        rules.iter().find(|answer| answer.rule == rule).expect(rule).clone()
    }

    #[track_caller]
    fn passes(&self, rule: &str) -> Answer {
        let answer = self.answer(rule);
        assert_eq!(answer.outcome, Outcome::Pass, "{answer:#?}");
        assert_eq!(answer.findings, []);
        answer
    }

    /// Expects a failure with exactly these findings.
    #[track_caller]
    fn fails(&self, rule: &str, findings: &[&str]) -> Answer {
        let answer = self.answer(rule);
        assert_eq!(answer.outcome, Outcome::Fail, "{answer:#?}");
        let found: Vec<&str> = answer.findings.iter().map(|finding| finding.id.as_str()).collect();
        assert_eq!(found, findings, "{answer:#?}");
        assert!(answer.fix.is_some());
        answer
    }

    /// Asks at another moment.
    fn asked_at(&mut self, now: &str) -> &mut Self {
        self.question.now = time(now);
        self
    }

    /// Expects that the verdict is as it is until this moment, and another from then on.
    #[track_caller]
    fn turns_at(&mut self, moment: &str) {
        let before = self.decide();
        assert_eq!(before.until(), Some(time(moment)));
        let just_before = time(moment).timestamp() - jiff::SignedDuration::from_nanos(1);
        self.question.now = just_before.into();
        assert_eq!(self.decide().passed(), before.passed(), "just before {moment}");
        self.question.now = time(moment);
        assert_ne!(self.decide().passed(), before.passed(), "at {moment}");
    }
}

fn policy_text(name: &str, mode: &str, expires: &str, rules: &str) -> String {
    format!(
        "schema = \"policy/v1\"\nname = \"{name}\"\nversion = 3\nexpires = {expires}\nmode = \"{mode}\"\n\
         [match]\nartifacts = [\"pay/**\"]\nenvironments = [\"production\"]\n{rules}"
    )
}

/// One rule of a type, with what else it says.
fn rule(kind: &str, more: &str) -> String {
    format!("[[rule]]\ntype = \"{kind}\"\n{more}\n")
}

fn signature(signer: &str) -> Saying {
    Saying::of(signer, verify::SIGN_V1, json!({}))
}

/// Provenance of the builder, from the repository at a commit of main.
fn provenance_of(builder: &str, repository: &str, commit: &str) -> Value {
    json!({
        "buildDefinition": {
            "buildType": "https://ci.example/build/v1",
            "externalParameters": { "target": "release" },
            "resolvedDependencies": [{
                "uri": format!("git+{repository}@refs/heads/main"),
                "digest": { "gitCommit": commit },
            }],
        },
        "runDetails": {
            "builder": { "id": builder },
            "metadata": { "finishedOn": "2026-11-27T08:00:00Z" },
        },
    })
}

fn built() -> Saying {
    Saying::of("ci", "provenance", provenance_of(BUILDER, REPOSITORY, COMMIT))
}

fn tested(signer: &str, verdict: &str, passed: &[&str], failed: &[&str]) -> Saying {
    let predicate = json!({
        "result": verdict,
        "configuration": [],
        "passedTests": passed,
        "failedTests": failed,
    });
    Saying::of(signer, "test-result", predicate)
}

/// A scan by trivy that found these: id and severity.
fn scanned(found: &[(&str, &str)], at: &str) -> Saying {
    let results = found.iter().map(|(id, severity)| {
        json!({ "id": id, "severity": [{ "method": "trivy", "score": severity }] })
    });
    scan_of(results.collect(), at)
}

fn scan_of(results: Vec<Value>, at: &str) -> Saying {
    let predicate = json!({
        "scanner": { "uri": TRIVY, "db": { "lastUpdate": at }, "result": results },
        "metadata": { "scanStartedOn": at, "scanFinishedOn": at },
    });
    Saying::of("scanner", "vulns", predicate).at(at)
}

fn approval(signer: &str, expires: &str) -> Saying {
    let predicate = json!({ "environment": "production", "expires": expires });
    Saying::of(signer, "approval", predicate)
}

fn reviewed(signer: &str, author: &str, reviewers: &[&str]) -> Saying {
    let predicate = json!({
        "repository": format!("git+{REPOSITORY}.git"),
        "author": author,
        "reviewers": reviewers,
        "reviewedAt": "2026-11-27T07:00:00Z",
    });
    Saying::of(signer, "review", predicate).about_commit(COMMIT)
}

fn summary(signer: &str, verifier: &str, result: &str, levels: &[&str]) -> Saying {
    let predicate = json!({
        "verifier": { "id": verifier },
        "timeVerified": LOGGED,
        "resourceUri": "pkg:oci/api",
        "policy": { "uri": "https://verifier.example/policy" },
        "verificationResult": result,
        "verifiedLevels": levels,
    });
    Saying::of(signer, "vsa", predicate)
}

fn waiver(signer: &str, rule: &str, finding: &str, until: &str) -> Saying {
    let predicate =
        json!({ "rule": rule, "finding": finding, "until": until, "reason": "not reachable" });
    Saying::of(signer, "waiver", predicate)
}

fn deployed(kind: &str, environment: &str, decision: Option<Sha256>, at: &str) -> Saying {
    let mut predicate = json!({
        "environment": environment, "kind": kind, "startedAt": at, "finishedAt": at,
    });
    if let Some(decision) = decision {
        predicate["decision"] = json!({ "sha256": decision.hex() });
    }
    Saying::of("deployer", "deployment", predicate).at(at)
}
