//! The evidence of an artifact, before it is posted: attestations by label, which attacks change.

use std::collections::BTreeMap;

use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::{Envelope, PAYLOAD_TYPE};
use attestry_schemas::key::SigningKey;
use attestry_schemas::statement::{ResourceDescriptor, Statement};
use serde_json::{Value, json};

use super::scene::{BUILDER, REPOSITORY, Scene, VERIFIER};

/// An attestation of which nothing is signed yet.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// Whose key signs it.
    pub(crate) signer: &'static str,
    /// What it is about: name and digest.
    pub(crate) subject: Vec<(String, String, String)>,
    /// The predicate type.
    pub(crate) kind: String,
    /// The predicate.
    pub(crate) predicate: Value,
}

/// The evidence of one artifact.
pub(crate) struct Evidence {
    /// Its digest.
    pub(crate) subject: Sha256,
    /// What is posted, in the order of the labels; each is taken.
    pub(crate) drafts: BTreeMap<String, Draft>,
    /// What is posted as it is, and refused. Forged into the pack.
    pub(crate) forged: Vec<Vec<u8>>,
    /// Extra attestations that the registry refuses because of their signer.
    pub(crate) refused: Vec<Draft>,
    /// Under which name the gate is asked, in which environment.
    pub(crate) asked_name: Option<String>,
    /// The environment.
    pub(crate) environment: String,
}

impl Draft {
    pub(crate) fn about(mut self, name: &str, digest: Sha256) -> Self {
        self.subject = vec![(name.to_owned(), "sha256".to_owned(), digest.hex())];
        self
    }

    pub(crate) fn by(mut self, signer: &'static str) -> Self {
        self.signer = signer;
        self
    }

    /// The envelope, signed.
    pub(crate) fn sign(&self, key: &SigningKey) -> Vec<u8> {
        Envelope::sign(PAYLOAD_TYPE, &self.payload(), key).to_json()
    }

    /// The statement.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let descriptor = |(name, algorithm, value): &(String, String, String)| {
            let digest = attestry_schemas::digest::Digest::new(algorithm.as_str(), value).unwrap();
            ResourceDescriptor::named(name, digest)
        };
        let subject = self.subject.iter().map(descriptor).collect();
        Statement::new(subject, &self.kind, self.predicate.clone()).unwrap().to_json()
    }
}

impl Evidence {
    pub(crate) fn draft(&mut self, label: &str) -> &mut Draft {
        self.drafts.get_mut(label).unwrap_or_else(|| panic!("no evidence {label}"))
    }

    pub(crate) fn remove(&mut self, label: &str) -> Draft {
        self.drafts.remove(label).unwrap_or_else(|| panic!("no evidence {label}"))
    }

    pub(crate) fn add(&mut self, label: &str, draft: Draft) {
        self.drafts.insert(label.to_owned(), draft);
    }

    /// Everything that the policy asks for.
    pub(crate) fn honest(scene: &Scene, case: &str) -> Self {
        let subject = Sha256::of(case.as_bytes());
        let name = "pay/api".to_owned();
        let commit: String = subject.hex().chars().take(40).collect();
        let mut evidence = Self {
            subject,
            drafts: BTreeMap::new(),
            forged: Vec::new(),
            refused: Vec::new(),
            asked_name: Some(name.clone()),
            environment: "production".to_owned(),
        };
        let draft = |signer: &'static str, kind: &str, predicate: Value| {
            let draft = Draft { signer, subject: Vec::new(), kind: kind.to_owned(), predicate };
            draft.about(&name, subject)
        };
        let now = scene.now.as_str();
        let in_a_day = scene.later.as_str();
        evidence.add("1-signature", draft("ci", "https://sigstore.dev/cosign/sign/v1", json!({})));
        evidence.add(
            "2-provenance",
            draft("ci", "https://slsa.dev/provenance/v1", provenance(&commit, now)),
        );
        let mut review = draft(
            "host",
            "https://attestry.dev/review/v1",
            json!({
                "repository": format!("git+{REPOSITORY}"),
                "author": "author",
                "reviewers": ["lead-one"],
                "reviewedAt": now,
            }),
        );
        review.subject = vec![("commit".to_owned(), "gitCommit".to_owned(), commit)];
        evidence.add("3-review", review);
        evidence.add(
            "4-tests",
            draft("tester", "https://in-toto.io/attestation/test-result/v0.1", tests()),
        );
        evidence.add(
            "5-scan",
            draft("scanner", "https://in-toto.io/attestation/vulns/v0.2", scan(now, &[])),
        );
        evidence.add("6-sbom", draft("ci", "https://cyclonedx.org/bom", json!({
            "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
            "components": [{"type": "library", "name": "serde", "purl": "pkg:cargo/serde@1.0.0"}],
        })));
        evidence.add(
            "7-secrets",
            draft("scanner", "https://attestry.dev/secret-scan/v1", secrets(now, &[])),
        );
        evidence.add(
            "8-summary",
            draft(
                "verifier",
                "https://slsa.dev/verification_summary/v1",
                json!({
                    "verifier": {"id": VERIFIER},
                    "timeVerified": now,
                    "resourceUri": "pkg:generic/pay/api",
                    "policy": {"uri": "https://verifier.example.org/policy"},
                    "verificationResult": "PASSED",
                    "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
                }),
            ),
        );
        for (label, lead) in [("9-approval-one", "lead-one"), ("9-approval-two", "lead-two")] {
            evidence.add(
                label,
                draft(
                    lead,
                    "https://attestry.dev/approval/v1",
                    json!({
                        "environment": "production", "expires": in_a_day,
                    }),
                ),
            );
        }
        evidence
    }
}

pub(crate) fn provenance(commit: &str, now: &str) -> Value {
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

pub(crate) fn tests() -> Value {
    json!({
        "result": "PASSED",
        "configuration": [{"name": "unit", "digest": {"sha256": "00".repeat(32)}}],
        "passedTests": ["a", "b"],
        "failedTests": [],
    })
}

pub(crate) fn scan(time: &str, findings: &[&str]) -> Value {
    let found = findings.iter().map(|id| {
        json!({
            "id": id, "severity": [{"method": "nvd", "score": "critical"}],
        })
    });
    json!({
        "scanner": {
            "uri": "pkg:github/aquasecurity/trivy", "version": "1",
            "db": {"lastUpdate": time}, "result": found.collect::<Vec<_>>(),
        },
        "metadata": {"scanStartedOn": time, "scanFinishedOn": time},
    })
}

pub(crate) fn secrets(time: &str, files: &[&str]) -> Value {
    let found = files.iter().map(|file| {
        json!({
            "rule": "key", "file": file, "line": 1, "fingerprint": format!("fp-{file}"),
        })
    });
    json!({
        "scanner": {"uri": "pkg:github/gitleaks/gitleaks", "version": "8"},
        "findings": found.collect::<Vec<_>>(),
        "scannedAt": time,
        "redacted": true,
        "report": {"name": "report.json", "digest": {"sha256": "00".repeat(32)}},
    })
}
