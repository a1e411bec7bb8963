//! A pipeline that ends at a gate: a roster, a policy, and the twenty attestations that each artifact gets on its way.

use std::collections::BTreeMap;

use attestry_registry::clock::Clock;
use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::dsse::{Envelope, PAYLOAD_TYPE};
use attestry_schemas::key::SigningKey;
use attestry_schemas::statement::{ResourceDescriptor, Statement};
use serde_json::{Value, json};

use crate::{Context as _, Failure, fixtures};

/// The attestations that an artifact has: those about it, and the review of its commit.
pub const ATTESTATIONS: usize = 20;
/// The environment that artifacts enter.
pub const ENVIRONMENT: &str = "production";
/// How many services there are; each artifact is a version of one of them.
const SERVICES: u64 = 50;
/// The components of a bill of materials, and the findings of a scan.
const COMPONENTS: usize = 100;
const FINDINGS: usize = 20;
const EXPIRES: &str = "2099-01-01T00:00:00Z";
const BUILDER: &str = "https://ci.example.org/builder";
const REPOSITORY: &str = "https://git.example.org/pay/api";
const VERIFIER: &str = "https://verifier.example.org";
const SUITES: [&str; 5] = ["unit", "integration", "contract", "end-to-end", "load"];
const SCANNERS: [&str; 5] = ["trivy", "grype", "osv-scanner", "clair", "snyk"];

/// Who has a key, and what the roster lets them sign.
const SIGNERS: [(&str, &[&str]); 9] = [
    ("ci", &["signature", "provenance", "cyclonedx"]),
    ("host", &["review"]),
    ("tester", &["test-result"]),
    ("scanner", &["vulns", "secret-scan"]),
    ("verifier", &["vsa"]),
    ("lead-one", &["approval"]),
    ("lead-two", &["approval"]),
    ("author", &["approval"]),
    ("deployer", &["deployment"]),
];

const POLICY: &str = r#"schema = "policy/v1"
name = "production"
version = 1
expires = 2099-01-01T00:00:00Z
mode = "enforce"
[match]
artifacts = ["registry.example.com/pay/**"]
environments = ["production"]
[[rule]]
type = "signature"
signers = ["ci"]
[[rule]]
type = "provenance"
signers = ["ci"]
builders = ["https://ci.example.org/builder"]
level = 3
sources = ["https://git.example.org/pay/**"]
refs = ["refs/heads/main"]
build_types = ["https://ci.example.org/build/v1"]
parameters = { step = ["build"] }
[[rule]]
type = "source"
signers = ["host"]
two_party = true
[[rule]]
type = "test-result"
signers = ["tester"]
suites = ["unit", "integration", "contract", "end-to-end", "load"]
least_passed = 2
[[rule]]
type = "vuln-scan"
signers = ["scanner"]
block = "high"
vex = ["leads"]
max_age = "1d"
[[rule]]
type = "sbom"
signers = ["ci"]
deny_components = ["pkg:cargo/openssl"]
[[rule]]
type = "secret-scan"
signers = ["scanner"]
[[rule]]
type = "vsa"
verifier = "https://verifier.example.org"
signers = ["verifier"]
levels = ["SLSA_BUILD_LEVEL_2"]
[[rule]]
type = "approval"
signers = ["leads"]
threshold = 2
distinct_from = ["author", "builder"]
"#;

/// The rule that looks at what runs in the environment.
const NO_ROLLBACK: &str = "[[rule]]\ntype = \"no-rollback\"\napprovers = [\"leads\"]\n";

/// The keys of a pipeline, and the moment at which it has run.
pub struct Pipeline {
    root: SigningKey,
    keys: BTreeMap<&'static str, SigningKey>,
    now: String,
}

/// An artifact of the pipeline.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// What it is called.
    pub name: String,
    /// Its digest.
    pub digest: Sha256,
    commit: String,
}

impl Artifact {
    /// Artifact `n`.
    #[must_use]
    pub fn number(n: u64) -> Self {
        let digest = fixtures::subject_digest(n);
        let name = format!("registry.example.com/pay/service-{}", n % SERVICES);
        Self { name, digest, commit: digest.hex().chars().take(40).collect() }
    }

    /// As Kubernetes names it.
    #[must_use]
    pub fn image(&self) -> String {
        format!("{}@{}", self.name, self.digest)
    }

    fn descriptor(&self) -> ResourceDescriptor {
        ResourceDescriptor::named(&self.name, self.digest.into())
    }
}

/// A document and the envelope that publishes it.
pub struct Published {
    /// The document.
    pub text: String,
    /// Its digest.
    pub digest: Sha256,
    /// The statement, signed.
    pub bundle: Vec<u8>,
}

impl Pipeline {
    /// New keys, and the moment of the system's clock.
    #[must_use]
    pub fn new() -> Self {
        let keys = SIGNERS.iter().map(|(name, _)| (*name, fixtures::p256_key())).collect();
        Self { root: fixtures::p256_key(), keys, now: moment() }
    }

    /// The root key, which publishes the roster.
    #[must_use]
    pub fn root(&self) -> &SigningKey {
        &self.root
    }

    /// The moment at which it has run, RFC 3339.
    #[must_use]
    pub fn now(&self) -> &str {
        &self.now
    }

    /// The roster's document.
    ///
    /// # Errors
    /// A signer without a key.
    pub fn roster(&self) -> Result<String, Failure> {
        let mut text = format!("schema = \"roster/v1\"\nversion = 1\nexpires = {EXPIRES}\n");
        for (name, may) in SIGNERS {
            let builders = match name {
                "ci" => format!("builders = [{{ id = \"{BUILDER}\", level = 3 }}]\n"),
                _ => String::new(),
            };
            let pem = self.key(name)?.public_key().to_pem();
            text += &format!(
                "[[signer]]\nname = \"{name}\"\nkey = \"\"\"\n{pem}\"\"\"\nmay = {may:?}\n{builders}"
            );
        }
        text += "[groups]\nleads = [\"lead-one\", \"lead-two\"]\n[policies]\ngroup = \"leads\"\nthreshold = 1\n";
        Ok(text)
    }

    /// The policy's document; with a rule about what runs, or without.
    #[must_use]
    pub fn policy(no_rollback: bool) -> String {
        if no_rollback { format!("{POLICY}{NO_ROLLBACK}") } else { POLICY.to_owned() }
    }

    /// The roster and the policy, with the statements that publish them.
    ///
    /// # Errors
    /// A statement that cannot be made.
    pub fn published(&self, policy: &str) -> Result<[Published; 2], Failure> {
        let roster = self.roster()?;
        let publish = |kind: &str, text: &str, name: Option<&str>, key: &SigningKey| {
            let digest = Sha256::of(text.as_bytes());
            let document = json!({"sha256": digest.hex()});
            let mut says = json!({"version": 1, "digest": document, "expires": EXPIRES});
            if let (Some(name), Some(members)) = (name, says.as_object_mut()) {
                members.insert("name".to_owned(), name.into());
            }
            let subject = ResourceDescriptor::named(kind, digest.into());
            let uri = format!("https://attestry.dev/{kind}/v1");
            let bundle = bundle(key, envelope(key, subject, &uri, says)?);
            Ok::<_, Failure>(Published { text: text.to_owned(), digest, bundle })
        };
        Ok([
            publish("roster", &roster, None, &self.root)?,
            publish("policy", policy, Some("production"), self.key("lead-one")?)?,
        ])
    }

    /// The attestations of an artifact, each with the key that has signed it.
    ///
    /// # Errors
    /// A statement that cannot be made.
    pub fn evidence(&self, artifact: &Artifact) -> Result<Vec<(Envelope, &SigningKey)>, Failure> {
        let now = self.now.as_str();
        let mut drafts = vec![
            ("ci", "https://sigstore.dev/cosign/sign/v1", json!({})),
            ("ci", "https://slsa.dev/provenance/v1", provenance(&artifact.commit, now)),
            ("ci", "https://cyclonedx.org/bom", bill("source")),
            ("ci", "https://cyclonedx.org/bom", bill("image")),
            ("scanner", "https://attestry.dev/secret-scan/v1", secrets("gitleaks", now)),
            ("scanner", "https://attestry.dev/secret-scan/v1", secrets("trufflehog", now)),
            ("verifier", "https://slsa.dev/verification_summary/v1", summary(now)),
        ];
        for lead in ["lead-one", "lead-two"] {
            let approval = json!({"environment": ENVIRONMENT, "expires": EXPIRES});
            drafts.push((lead, "https://attestry.dev/approval/v1", approval));
        }
        let tests = "https://in-toto.io/attestation/test-result/v0.1";
        drafts.extend(SUITES.map(|suite| ("tester", tests, results(suite))));
        let scan = "https://in-toto.io/attestation/vulns/v0.2";
        drafts.extend(SCANNERS.map(|scanner| ("scanner", scan, findings(scanner, now))));
        let commit = Digest::new("gitCommit", &artifact.commit).context("naming a commit")?;
        let review = json!({
            "repository": format!("git+{REPOSITORY}"), "author": "author",
            "reviewers": ["lead-one"], "reviewedAt": now,
        });
        let host = self.key("host")?;
        let subject = ResourceDescriptor::named("commit", commit);
        let review = envelope(host, subject, "https://attestry.dev/review/v1", review)?;
        let mut all = vec![(review, host)];
        for (signer, uri, predicate) in drafts {
            let key = self.key(signer)?;
            all.push((envelope(key, artifact.descriptor(), uri, predicate)?, key));
        }
        Ok(all)
    }

    /// The attestations of an artifact as one list of bundles to post.
    ///
    /// # Errors
    /// A statement that cannot be made.
    pub fn lines(&self, artifact: &Artifact) -> Result<Vec<u8>, Failure> {
        let mut lines = Vec::new();
        for (envelope, key) in self.evidence(artifact)? {
            lines.extend(bundle(key, envelope));
            lines.push(b'\n');
        }
        Ok(lines)
    }

    /// That an artifact was deployed just now, as a bundle to post.
    ///
    /// # Errors
    /// A statement that cannot be made.
    pub fn deployment(&self, artifact: &Artifact, decision: &Sha256) -> Result<Vec<u8>, Failure> {
        let now = moment();
        let says = json!({
            "environment": ENVIRONMENT, "kind": "deployed",
            "decision": {"sha256": decision.hex()}, "startedAt": now, "finishedAt": now,
        });
        let key = self.key("deployer")?;
        let uri = "https://attestry.dev/deployment/v1";
        Ok(bundle(key, envelope(key, artifact.descriptor(), uri, says)?))
    }

    fn key(&self, name: &str) -> Result<&SigningKey, Failure> {
        self.keys.get(name).ok_or_else(|| format!("expected a key of {name}").into())
    }
}

/// The moment of the system's clock, RFC 3339 in whole seconds.
fn moment() -> String {
    let now: String = Clock::system().now().to_string().chars().take(19).collect();
    format!("{now}Z")
}

impl Default for Pipeline {
    fn default() -> Self {
        Self::new()
    }
}

fn envelope(
    key: &SigningKey,
    subject: ResourceDescriptor,
    uri: &str,
    predicate: Value,
) -> Result<Envelope, Failure> {
    let statement = Statement::new(vec![subject], uri, predicate).context("making a statement")?;
    Ok(Envelope::sign(PAYLOAD_TYPE, &statement.to_json(), key))
}

fn bundle(key: &SigningKey, envelope: Envelope) -> Vec<u8> {
    Bundle::of_key(key.public_key(), Content::Envelope(envelope)).to_json()
}

fn provenance(commit: &str, now: &str) -> Value {
    json!({
        "buildDefinition": {
            "buildType": "https://ci.example.org/build/v1",
            "externalParameters": {"step": "build"},
            "resolvedDependencies": [{
                "uri": format!("git+{REPOSITORY}@refs/heads/main"),
                "digest": {"gitCommit": commit},
            }],
        },
        "runDetails": {
            "builder": {"id": BUILDER},
            "metadata": {"invocationId": "1", "startedOn": now, "finishedOn": now},
        },
    })
}

fn bill(of: &str) -> Value {
    let component = |n: usize| {
        let name = format!("component-{n}");
        json!({"type": "library", "name": name, "version": "1.0.0", "purl": format!("pkg:cargo/{name}@1.0.0")})
    };
    json!({
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {"component": {"type": "application", "name": of}},
        "components": (0..COMPONENTS).map(component).collect::<Vec<_>>(),
    })
}

fn secrets(scanner: &str, now: &str) -> Value {
    json!({
        "scanner": {"uri": format!("pkg:github/example/{scanner}"), "version": "8"},
        "findings": [], "scannedAt": now, "redacted": true,
        "report": {"name": "report.json", "digest": {"sha256": "00".repeat(32)}},
    })
}

fn summary(now: &str) -> Value {
    json!({
        "verifier": {"id": VERIFIER}, "timeVerified": now, "resourceUri": "pkg:generic/pay/api",
        "policy": {"uri": "https://verifier.example.org/policy"},
        "verificationResult": "PASSED", "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
    })
}

fn results(suite: &str) -> Value {
    let passed: Vec<String> = (0..50).map(|n| format!("{suite}::case-{n}")).collect();
    json!({
        "result": "PASSED", "passedTests": passed, "failedTests": [],
        "configuration": [{"name": suite, "digest": {"sha256": "00".repeat(32)}}],
    })
}

fn findings(scanner: &str, now: &str) -> Value {
    let finding = |n: usize| json!({"id": format!("CVE-2026-{}", 1000 + n), "severity": [{"method": "nvd", "score": "low"}]});
    json!({
        "scanner": {
            "uri": format!("pkg:github/example/{scanner}"), "version": "1",
            "db": {"lastUpdate": now}, "result": (0..FINDINGS).map(finding).collect::<Vec<_>>(),
        },
        "metadata": {"scanStartedOn": now, "scanFinishedOn": now},
    })
}
