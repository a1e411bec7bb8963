//! The gate as a webhook, over a registry with a roster and policies.

use std::time::Instant;

use attestry_schemas::bundle::{Bundle, Content, MessageSignature};
use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::dsse::{Envelope, PAYLOAD_TYPE};
use attestry_schemas::key::SigningKey;
use attestry_schemas::statement::{ResourceDescriptor, Statement};
use serde_json::{Value, json};

use super::conformance::{Described, with_registry};
use super::*;

const PATH: &str = "POST /k8s/admission/production?timeout=10s";
const REPOSITORY: &str = "registry.example.com/pay/api";
const CONTROLLER: &str = "system:serviceaccount:kube-system:replicaset-controller";

/// A review of a new Pod that runs an image, asked for by a user.
fn review(image: &str, user: &str) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "operation": "CREATE",
            "userInfo": {"username": user},
            "object": {"kind": "Pod", "spec": {"containers": [{"name": "api", "image": image}]}},
            "oldObject": null,
            "dryRun": false,
        },
    })
}

fn image(artifact: &str) -> String {
    format!("{REPOSITORY}:v1@{}", Sha256::of(artifact.as_bytes()))
}

/// A registry with a roster, of which the tests publish policies and evidence.
pub(super) struct Cluster<'s> {
    pub(super) server: &'s Described,
    root: SigningKey,
    pub(super) ci: SigningKey,
}

impl Cluster<'_> {
    /// What is answered to a review.
    async fn answer(&self, review: &Value) -> Value {
        let answer = self.server.write(PATH, 200, review.to_string()).await.json();
        assert_eq!(answer["response"]["uid"], review["request"]["uid"]);
        let warnings = answer["response"]["warnings"].as_array().cloned().unwrap_or_default();
        for warning in warnings {
            assert!(warning.as_str().unwrap().chars().count() < 120, "{warning}");
        }
        answer["response"].clone()
    }

    async fn asks(&self, artifact: &str, user: &str) -> Value {
        self.answer(&review(&image(artifact), user)).await
    }

    async fn state(&self, subject: ResourceDescriptor, kind: &str, says: Value, key: &SigningKey) {
        let uri = format!("https://attestry.dev/{kind}/v1");
        let statement = Statement::new(vec![subject], &uri, says).unwrap();
        let envelope = Envelope::sign(PAYLOAD_TYPE, &statement.to_json(), key);
        self.server.write("POST /v1/attestations", 201, envelope.to_json()).await;
    }

    /// Stores a document and publishes it.
    async fn publish(&self, kind: &str, name: &str, text: &str, mut says: Value, key: &SigningKey) {
        let digest = Sha256::of(text.as_bytes());
        self.server.write(&format!("PUT /v1/content/{digest}"), 201, text).await;
        says["digest"] = json!({"sha256": digest.hex()});
        says["expires"] = json!("2099-01-01T00:00:00Z");
        self.state(ResourceDescriptor::named(name, digest.into()), kind, says, key).await;
    }

    pub(super) async fn roster(&self, version: u64, revoked: &str) {
        let signer = |name: &str, key: &SigningKey, may: &str, more: &str| {
            let key = key.public_key().to_pem();
            format!("[[signer]]\nname = \"{name}\"\nkey = '''{key}'''\nmay = {may}\n{more}\n")
        };
        let text = format!(
            "schema = \"roster/v1\"\nversion = {version}\nexpires = 2099-01-01T00:00:00Z\n"
        ) + &signer("lead", &self.root, "[\"policy\", \"deployment\"]", "")
            + &signer("ci", &self.ci, "[\"signature\"]", revoked)
            + "[groups]\nleads = [\"lead\"]\n[policies]\ngroup = \"leads\"\nthreshold = 1\n";
        self.publish("roster", "roster.toml", &text, json!({"version": version}), &self.root).await;
    }

    /// Publishes a policy of one rule for production.
    async fn policy(&self, name: &str, version: u64, mode: &str, rule: &str) {
        let text = format!(
            "schema = \"policy/v1\"\nname = \"{name}\"\nversion = {version}\nexpires = 2099-01-01T00:00:00Z\nmode = \"{mode}\"\n[match]\nartifacts = [\"registry.example.com/**\", \"attest.example.org/**\"]\nenvironments = [\"production\"]\n[[rule]]\ntype = \"{rule}\"\n"
        );
        let file = format!("{name}.policy.toml");
        let says = json!({"name": name, "version": version});
        self.publish("policy", &file, &text, says, &self.root).await;
    }

    /// The CI releases an artifact.
    pub(super) async fn sign(&self, artifact: &str) {
        let digest = Sha256::of(artifact.as_bytes());
        let signature = self.ci.sign_digest(&digest).unwrap();
        let message = MessageSignature { digest: digest.into(), signature };
        let bundle = Bundle::of_key(self.ci.public_key(), Content::Message(message)).to_json();
        self.server.write("POST /v1/attestations", 201, bundle).await;
    }

    /// The predicates of the decisions about a subject, once there are so many.
    async fn verdicts(&self, subject: Sha256, count: usize) -> Vec<Value> {
        let path = format!("GET /v1/attestations?type=vsa&subject={subject}");
        let deadline = Instant::now() + Duration::from_secs(30);
        let digests = loop {
            let found = self.server.ask(&path, 200, &[], "").await.json();
            let items = found["items"].as_array().unwrap();
            if items.len() >= count {
                assert_eq!(items.len(), count, "{found:#}");
                break items
                    .iter()
                    .map(|item| item["digest"].as_str().unwrap().to_owned())
                    .collect::<Vec<_>>();
            }
            assert!(Instant::now() < deadline, "there are not {count} decisions about {subject}");
            actix_web::rt::time::sleep(Duration::from_millis(10)).await;
        };
        let mut predicates = Vec::new();
        for digest in digests {
            let path = format!("GET /v1/attestations/{digest}");
            let envelope = self.server.ask(&path, 200, &[], "").await.json();
            let envelope = Envelope::parse(&envelope.to_string().into_bytes()).unwrap();
            let statement: Value = serde_json::from_slice(&envelope.payload).unwrap();
            predicates.push(statement["predicate"].clone());
        }
        predicates
    }

    async fn deployment(&self, artifact: &str, kind: &str, at: &str) {
        let digest = Sha256::of(artifact.as_bytes());
        let subject = ResourceDescriptor::named(REPOSITORY, digest.into());
        let says =
            json!({"environment": "production", "kind": kind, "startedAt": at, "finishedAt": at});
        self.state(subject, "deployment", says, &self.root).await;
    }
}

pub(super) fn with_cluster(settings: Settings, cases: impl AsyncFnOnce(&Cluster<'_>)) {
    let root = testing::ed25519();
    with_cluster_of(&testing::Registry::rooted(&root), settings, cases);
}

/// As [`with_cluster`], over a registry whose root key is that of the tests.
pub(super) fn with_cluster_of(
    registry: &testing::Registry,
    settings: Settings,
    cases: impl AsyncFnOnce(&Cluster<'_>),
) {
    let root = testing::ed25519();
    with_registry(registry, settings, async |server| {
        let cluster = Cluster { server, root, ci: testing::p256() };
        cluster.roster(1, "").await;
        cluster.policy("release", 1, "enforce", "signature").await;
        for artifact in ["v1", "v2"] {
            cluster.sign(artifact).await;
        }
        cases(&cluster).await;
    });
}

#[track_caller]
fn admitted(answer: &Value) {
    assert_eq!(answer["allowed"], true, "{answer:#}");
}

/// Demands a denial whose message has some words.
#[track_caller]
fn denied(answer: &Value, words: &[&str]) {
    assert_eq!(answer["allowed"], false, "{answer:#}");
    assert_eq!(answer["status"]["code"], 403, "{answer:#}");
    let message = answer["status"]["message"].as_str().unwrap();
    assert!(words.iter().all(|word| message.contains(word)), "{message}");
}

/// Demands that the image restarts under a recorded decision, and that everybody is told.
#[track_caller]
fn restarted(answer: &Value) {
    admitted(answer);
    assert!(answer["warnings"][0].as_str().unwrap().contains("denied now"), "{answer:#}");
    assert!(answer["auditAnnotations"]["restarted-under-1"].is_string(), "{answer:#}");
    let decision = answer["auditAnnotations"]["decision-1"].as_str().unwrap();
    assert!(decision.contains("FAILED"), "{answer:#}");
}

#[test]
fn an_image_is_admitted_by_its_evidence_and_its_decision_named_for_the_audit_log() {
    with_cluster(Settings::default(), async |cluster| {
        let answer = cluster.asks("v1", "alice").await;
        admitted(&answer);
        let text = answer["auditAnnotations"]["decision-1"].as_str().unwrap();
        assert!(text.contains("PASSED") && text.contains("at log index"), "{text}");
        let digest = text.split(' ').next().unwrap();
        let path = format!("GET /v1/attestations/{digest}");
        let envelope = cluster.server.ask(&path, 200, &[], "").await;
        let decision = Envelope::parse(&envelope.json().to_string().into_bytes()).unwrap();
        let decision: Value = serde_json::from_slice(&decision.payload).unwrap();
        let details = &decision["predicate"]["https://attestry.dev/gate/v1"];
        assert_eq!(details["caller"], "kubernetes:alice");
        assert_eq!(
            (&details["name"], &details["environment"]),
            (&json!(REPOSITORY), &json!("production"))
        );
        // The same again is the same decision, until something that it depends on comes.
        for _ in 0..3 {
            let again = cluster.asks("v1", "alice").await;
            assert_eq!(again["auditAnnotations"], answer["auditAnnotations"]);
        }
        cluster.policy("release", 2, "enforce", "secret-scan").await;
        let mut dry = review(&image("v1"), "alice");
        dry["request"]["dryRun"] = json!(true);
        dry["request"]["operation"] = json!("UPDATE");
        denied(&cluster.answer(&dry).await, &["release@2 secret-scan"]);
        dry["request"]["dryRun"] = json!(false);
        denied(&cluster.answer(&dry).await, &["release@2 secret-scan"]);
    });
}

#[test]
fn a_denial_names_the_image_the_rule_the_fix_and_the_decision() {
    with_cluster(Settings::default(), async |cluster| {
        let answer = cluster.asks("unsigned", "alice").await;
        let words = [REPOSITORY, "container api", "release@1 signature", "fix: ", "log index"];
        denied(&answer, &words);
        let elsewhere = format!("elsewhere.example.com/x@{}", Sha256::of(b"v1"));
        denied(
            &cluster.answer(&review(&elsewhere, "alice")).await,
            &["none that matches", "fix: "],
        );
    });
}

#[test]
fn an_image_without_a_digest_is_denied_by_a_decision_about_its_reference() {
    with_cluster(Settings::default(), async |cluster| {
        let odd = format!("registry.example.com/Pay:{}", "x".repeat(2_000));
        for (reference, words) in [("nginx:1.27", "tag"), (odd.as_str(), "expected an image")] {
            let answer = cluster.answer(&review(reference, "alice")).await;
            denied(&answer, &["container api", words]);
            let subject = Sha256::of(reference.as_bytes());
            let [recorded] = cluster.verdicts(subject, 1).await.try_into().unwrap();
            let details = &recorded["https://attestry.dev/gate/v1"];
            assert_eq!(recorded["verificationResult"], "FAILED", "{recorded:#}");
            assert_eq!(details["refused"]["cause"], "no-digest", "{details:#}");
            assert_eq!(details["caller"], "kubernetes:alice");
            assert!(reference.starts_with(details["name"].as_str().unwrap()), "{details:#}");
            let why = details["refused"]["why"].as_str().unwrap();
            assert!(why.contains("text of the reference"), "{why}");
            let text = answer["auditAnnotations"]["decision-1"].as_str().unwrap();
            assert!(text.starts_with("sha256:") && text.contains("FAILED"), "{text}");
            let decision = text.split(' ').next().unwrap();
            let replay = format!("POST /v1/decisions/{decision}/replay");
            let replayed = cluster.server.write(&replay, 200, "").await.json();
            assert_eq!(replayed["same"], true, "{replayed:#}");
            // Asked again, it is the same decision, and a dry run makes none.
            let again = cluster.answer(&review(reference, "alice")).await;
            assert_eq!(again["auditAnnotations"], answer["auditAnnotations"]);
            let mut dry = review(reference, "bob");
            dry["request"]["dryRun"] = json!(true);
            let dry = cluster.answer(&dry).await;
            denied(&dry, &["container api", words]);
            let text = dry["auditAnnotations"]["decision-1"].as_str().unwrap();
            assert!(text.starts_with("not recorded"), "{text}");
            cluster.verdicts(subject, 1).await;
        }
    });
}

#[test]
fn an_image_without_a_digest_leaves_the_others_decided() {
    with_cluster(Settings::default(), async |cluster| {
        let mut review = review("nginx:1.27", "alice");
        review["request"]["object"]["spec"]["initContainers"] = json!([{"name": "seed", "image": image("v1")}, {"name": "bad", "image": image("unsigned")}]);
        let answer = cluster.answer(&review).await;
        denied(&answer, &["container api: ", "init container bad", "release@1 signature"]);
        let told: Vec<&str> = [1, 2, 3]
            .map(|n| answer["auditAnnotations"][format!("decision-{n}")].as_str().unwrap())
            .into();
        let passed = |text: &&&str| text.contains("not recorded (its object is denied): PASSED ");
        assert_eq!(told.iter().filter(passed).count(), 1, "{told:?}");
        assert!(told[2].contains(": FAILED nginx:1.27, which"), "{told:?}");
        cluster.verdicts(Sha256::of(b"unsigned"), 1).await;
        cluster.verdicts(Sha256::of(b"nginx:1.27"), 1).await;
        // What was not let in for its neighbour's sake did not start, and does not start again.
        cluster.verdicts(Sha256::of(b"v1"), 0).await;
        cluster.policy("release", 2, "enforce", "secret-scan").await;
        denied(&cluster.asks("v1", "alice").await, &["secret-scan"]);
    });
}

#[test]
fn images_that_are_let_in_together_are_recorded_each() {
    with_cluster(Settings::default(), async |cluster| {
        let mut review = review(&image("v1"), "alice");
        review["request"]["object"]["spec"]["initContainers"] =
            json!([{"name": "seed", "image": image("v2")}]);
        admitted(&cluster.answer(&review).await);
        cluster.verdicts(Sha256::of(b"v1"), 1).await;
        cluster.verdicts(Sha256::of(b"v2"), 1).await;
    });
}

#[test]
fn a_policy_that_warns_warns_and_admits() {
    with_cluster(Settings::default(), async |cluster| {
        cluster.policy("secrets", 1, "warn", "secret-scan").await;
        let answer = cluster.asks("v1", "alice").await;
        admitted(&answer);
        assert!(answer["warnings"][0].as_str().unwrap().contains("secrets@1"), "{answer:#}");
    });
}

#[test]
fn a_dry_run_leaves_no_trace() {
    with_cluster(Settings::default(), async |cluster| {
        let size = async || cluster.server.ask("GET /api/v2/checkpoint", 200, &[], "").await.text();
        let before = size().await;
        for (artifact, allowed) in [("v1", true), ("unsigned", false)] {
            let mut review = review(&image(artifact), "alice");
            review["request"]["dryRun"] = json!(true);
            let answer = cluster.answer(&review).await;
            assert_eq!(answer["allowed"], allowed, "{answer:#}");
            let text = answer["auditAnnotations"]["decision-1"].as_str().unwrap();
            assert!(text.contains("dry run"), "{text}");
        }
        assert_eq!(size().await, before);
    });
}

#[test]
fn what_admission_let_in_last_restarts_under_its_recorded_decision() {
    with_cluster(Settings::default(), async |cluster| {
        admitted(&cluster.asks("v1", "alice").await);
        cluster.policy("release", 2, "enforce", "secret-scan").await;
        restarted(&cluster.asks("v1", "alice").await);
        // Nor for who was never let start it, whatever its object says of who made it.
        denied(&cluster.asks("v1", "mallory").await, &["secret-scan"]);
        let mut owned = review(&image("v1"), "mallory");
        owned["request"]["object"]["metadata"] = json!({"ownerReferences": [{"controller": true}]});
        denied(&cluster.answer(&owned).await, &["secret-scan"]);
        // Not what was never let in, nor an object that no restart makes.
        denied(&cluster.asks("v2", CONTROLLER).await, &["secret-scan"]);
        let mut deployment = review(&image("v1"), "alice");
        deployment["request"]["kind"] =
            json!({"group": "apps", "version": "v1", "kind": "Deployment"});
        let spec = deployment["request"]["object"]["spec"].take();
        deployment["request"]["object"] =
            json!({"kind": "Deployment", "spec": {"template": {"spec": spec}}});
        denied(&cluster.answer(&deployment).await, &["secret-scan"]);
    });
}

#[test]
fn what_was_replaced_restarts_for_a_controller_alone() {
    with_cluster(Settings::default(), async |cluster| {
        admitted(&cluster.asks("v1", "alice").await);
        admitted(&cluster.asks("v2", "alice").await);
        cluster.policy("release", 2, "enforce", "secret-scan").await;
        denied(&cluster.asks("v1", "alice").await, &["secret-scan"]);
        restarted(&cluster.asks("v1", CONTROLLER).await);
        restarted(&cluster.asks("v2", "alice").await);
    });
}

#[test]
fn what_was_let_in_again_is_the_last_of_its_name() {
    with_cluster(Settings::default(), async |cluster| {
        for artifact in ["v1", "v2", "v1", "v1"] {
            admitted(&cluster.asks(artifact, "alice").await);
        }
        // The log says so: the third review left a decision of its own, and the fourth none.
        cluster.verdicts(Sha256::of(b"v1"), 2).await;
        cluster.verdicts(Sha256::of(b"v2"), 1).await;
        // A controller's is one, too.
        admitted(&cluster.asks("v2", CONTROLLER).await);
        admitted(&cluster.asks("v1", "alice").await);
        cluster.verdicts(Sha256::of(b"v1"), 3).await;
        cluster.verdicts(Sha256::of(b"v2"), 2).await;
        cluster.policy("release", 2, "enforce", "secret-scan").await;
        denied(&cluster.asks("v2", "alice").await, &["secret-scan"]);
        restarted(&cluster.asks("v1", "alice").await);
    });
}

#[test]
fn what_leaves_needs_no_caller_and_what_comes_does() {
    with_cluster(Settings::default(), async |cluster| {
        let mut review = review(&image("v1"), "alice");
        review["request"].as_object_mut().unwrap().remove("userInfo");
        denied(&cluster.answer(&review).await, &["userInfo.username"]);
        review["request"]["oldObject"] = review["request"]["object"].take();
        review["request"]["operation"] = json!("DELETE");
        admitted(&cluster.answer(&review).await);
    });
}

#[test]
fn a_deployment_that_could_not_be_counted_is_refused() {
    with_cluster(Settings::default(), async |cluster| {
        let at = "2026-01-01T00:00:00Z";
        let says = |environment: &str, finished: &str| json!({"environment": environment, "kind": "deployed", "startedAt": at, "finishedAt": finished});
        let artifact = |name: &str| ResourceDescriptor::named(name, Sha256::of(b"v1").into());
        let commit = Digest::new("gitCommit", &"a".repeat(40)).unwrap();
        for (subject, says, expected) in [
            (artifact("pay/api"), says("a b", at), "expected the environment of a deployment"),
            (artifact("na me"), says("production", at), "expected the subject of a deployment"),
            (ResourceDescriptor::named("x", commit), says("production", at), "a sha256 digest"),
            (artifact("pay/api"), says("production", "1999-01-01T00:00:00Z"), "no earlier than"),
        ] {
            let uri = "https://attestry.dev/deployment/v1";
            let statement = Statement::new(vec![subject], uri, says).unwrap();
            let envelope = Envelope::sign(PAYLOAD_TYPE, &statement.to_json(), &cluster.root);
            let posted = cluster.server.write("POST /v1/attestations", 422, envelope.to_json());
            let detail = posted.await.json()["detail"].to_string();
            assert!(detail.contains(expected), "{detail}");
        }
    });
}

#[test]
fn what_runs_by_the_deployment_statements_restarts_until_it_left() {
    with_cluster(Settings::default(), async |cluster| {
        admitted(&cluster.asks("v1", "alice").await);
        admitted(&cluster.asks("v2", "alice").await);
        cluster.policy("release", 2, "enforce", "secret-scan").await;
        cluster.deployment("v1", "deployed", "2026-01-01T00:00:00Z").await;
        restarted(&cluster.asks("v1", "alice").await);
        cluster.deployment("v2", "deployed", "2026-01-02T00:00:00Z").await;
        denied(&cluster.asks("v1", "alice").await, &["secret-scan"]);
        restarted(&cluster.asks("v2", "alice").await);
        cluster.deployment("v2", "decommissioned", "2026-01-03T00:00:00Z").await;
        denied(&cluster.asks("v2", CONTROLLER).await, &["secret-scan"]);
    });
}

#[test]
fn what_was_deployed_without_a_decision_does_not_restart_though_it_was_found_compliant() {
    with_cluster(Settings::default(), async |cluster| {
        let path = format!("GET /v1/attestations?type=vsa&subject={}", Sha256::of(b"late"));
        let deadline = Instant::now() + Duration::from_secs(30);
        let judged = async |times: usize| {
            while !cluster.server.ask(&path, 200, &[], "").await.json()["items"][times - 1]
                .is_object()
            {
                assert!(Instant::now() < deadline, "what runs was not judged {times} times");
                actix_web::rt::time::sleep(Duration::from_millis(10)).await;
            }
        };
        cluster.deployment("late", "deployed", "2026-01-01T00:00:00Z").await;
        judged(1).await;
        cluster.sign("late").await;
        judged(2).await;
        cluster.policy("release", 2, "enforce", "secret-scan").await;
        denied(&cluster.asks("late", CONTROLLER).await, &["secret-scan"]);
        denied(&cluster.asks("late", "alice").await, &["secret-scan"]);
    });
}

#[test]
fn nothing_restarts_on_evidence_of_a_compromised_signer() {
    with_cluster(Settings::default(), async |cluster| {
        admitted(&cluster.asks("v1", "alice").await);
        let revoked = "revoked_at = 2020-01-01T00:00:00Z\nreason = \"compromised\"";
        cluster.roster(2, revoked).await;
        denied(&cluster.asks("v1", CONTROLLER).await, &["signature"]);
    });
}

#[test]
fn whatever_keeps_the_gate_from_deciding_denies() {
    with_cluster(Settings::default(), async |cluster| {
        let late = PATH.replace("10s", "0s");
        let body = review(&image("v1"), "alice").to_string();
        let late = cluster.server.write(&late, 200, body.clone()).await.json();
        denied(&late["response"], &["container api", "within 0 ms"]);
        let text = late["response"]["auditAnnotations"]["decision-1"].as_str().unwrap();
        assert!(text.contains("recorded after this answer"), "{text}");
        let recorded = cluster.verdicts(Sha256::of(b"v1"), 1).await;
        let refused = &recorded[0]["https://attestry.dev/gate/v1"]["refused"];
        assert_eq!(recorded[0]["verificationResult"], "FAILED");
        assert_eq!(refused["cause"], "timeout", "{refused:#}");
        assert!(refused["why"].as_str().unwrap().contains("within 0 ms"), "{refused:#}");
        let elsewhere = cluster.server.write("POST /k8s/admission", 200, body.clone()).await.json();
        denied(&elsewhere["response"], &["admission_environment"]);
        let odd = cluster.server.write("POST /k8s/admission/a%20b", 200, body).await.json();
        denied(&odd["response"], &["a b"]);
        cluster.server.stop_log();
        denied(&cluster.asks("v1", "bob").await, &["stopping"]);
    });
}

#[test]
fn the_environment_comes_from_the_path_the_query_or_the_settings() {
    let settings =
        Settings { admission_environment: Some("production".to_owned()), ..Settings::default() };
    with_cluster(settings, async |cluster| {
        let body = review(&image("v1"), "alice").to_string();
        for (path, allowed) in [
            ("/k8s/admission", true),
            ("/k8s/admission?environment=production", true),
            ("/k8s/admission?environment=other&timeout=5s", false),
            ("/k8s/admission/production", true),
            ("/k8s/admission/other", false),
            ("/k8s/admission/", false),
        ] {
            let answer = cluster.server.write(&format!("POST {path}"), 200, body.clone()).await;
            assert_eq!(answer.json()["response"]["allowed"], allowed, "{path}");
        }
        for path in ["/k8s/admission/pay%2Fother", "/k8s/admission/pay/other?timeout=5s"] {
            let answer = cluster.server.write(&format!("POST {path}"), 200, body.clone()).await;
            denied(&answer.json()["response"], &["in pay/other"]);
        }
    });
}

#[test]
fn a_cluster_needs_no_token_where_the_settings_say_so() {
    let settings = Settings { require_token_for_admission: Some(false), ..Settings::default() };
    with_cluster(settings, async |cluster| {
        let body = review(&image("v1"), "alice").to_string();
        let answer = cluster.server.ask(PATH, 200, &[], body.clone()).await.json();
        admitted(&answer["response"]);
        cluster.server.ask(PATH, 401, &[("authorization", "Bearer other")], body).await;
    });
}

/// Every answer of both addresses, as it is described.
pub(super) async fn conforms(server: &Described) {
    let body = review(&image("v1"), "alice").to_string();
    for path in ["POST /k8s/admission?environment=production&timeout=10s", PATH] {
        let answer = server.write(path, 200, body.clone()).await.json();
        denied(&answer["response"], &["expected a roster"]);
        server.ask(path, 401, &[], body.clone()).await;
        for nothing in ["", "{}", "[]", "{\"kind\":\"AdmissionReview\"}"] {
            server.write(path, 400, nothing).await;
        }
        let coded = [("authorization", server.token.as_str()), ("content-encoding", "gzip")];
        server.ask(path, 415, &coded, body.clone()).await;
        server.write(path, 413, vec![b' '; (8 << 20) + 1]).await;
    }
    for query in ["timeout=soon", "timeout=31s", "environment=production", "x=1"] {
        server.write(&format!("POST /k8s/admission/production?{query}"), 400, body.clone()).await;
    }
}
