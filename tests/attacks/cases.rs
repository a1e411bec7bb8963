//! The attacks. Each changes the evidence of an honest artifact in one way; the rest of it stays good.

use attestry_schemas::base64;
use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::{Envelope, PAYLOAD_TYPE};
use serde_json::{Value, json};

use super::Attack;
use super::evidence::{Draft, Evidence, scan, secrets};
use super::scene::Scene;

macro_rules! attacks {
    ($($rule:literal: $name:literal => $change:expr;)+) => {
        pub(crate) const ATTACKS: &[Attack] =
            &[$(Attack { name: $name, rule: $rule, change: $change }),+];
    };
}

/// The envelope of a draft as a JSON value, to be tampered with.
fn envelope(scene: &Scene, draft: &Draft) -> Value {
    serde_json::from_slice(&draft.sign(&scene.keys[draft.signer])).unwrap()
}

/// Takes a draft out, and forges what the change makes of its envelope.
fn forge(scene: &Scene, evidence: &mut Evidence, label: &str, change: fn(&mut Value)) {
    let draft = evidence.remove(label);
    let mut value = envelope(scene, &draft);
    change(&mut value);
    evidence.forged.push(value.to_string().into_bytes());
}

fn approval(evidence: &Evidence, signer: &'static str) -> Draft {
    let mut draft = evidence.drafts["9-approval-one"].clone();
    draft.signer = signer;
    draft
}

fn waiver(scene: &Scene, evidence: &Evidence, signer: &'static str, finding: &str) -> Draft {
    let mut draft = approval(evidence, signer);
    draft.kind = "https://attestry.dev/waiver/v1".to_owned();
    let until = soon(scene);
    draft.predicate = json!({
        "rule": "vuln-scan", "finding": finding, "until": until, "reason": "not reachable",
    });
    draft
}

/// A moment some days from now, as far as the first of a month allows: the exceptions of the policy last 30 days.
fn soon(scene: &Scene) -> String {
    let day: u32 = scene.now[8..10].parse().unwrap();
    match day {
        1..=27 => format!("{}28T00:00:00Z", &scene.now[..8]),
        _ => {
            let (year, month): (u32, u32) =
                (scene.now[..4].parse().unwrap(), scene.now[5..7].parse().unwrap());
            let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            format!("{year}-{month:02}-20T00:00:00Z")
        }
    }
}

fn break_glass(scene: &Scene, evidence: &Evidence, signer: &'static str) -> Draft {
    let mut draft = approval(evidence, signer);
    draft.kind = "https://attestry.dev/break-glass/v1".to_owned();
    draft.predicate = json!({
        "environment": "production", "reason": "outage", "group": "leads",
        "expires": format!("{}T23:59:59Z", &scene.now[..10]),
        "reviewBy": scene.later,
    });
    draft
}

attacks! {
    "signature": "an artifact that nobody signed" => |_, e| { e.remove("1-signature"); };
    "signature": "a signature of another artifact" => |_, e| {
        let other = Sha256::of(b"another artifact");
        let draft = e.remove("1-signature").about("pay/api", other);
        e.add("1-signature", draft);
    };
    "signature": "an attestation of another kind in the place of the signature" => |_, e| {
        let mut draft = e.remove("1-signature");
        draft.kind = "https://example.org/sign/v1".to_owned();
        draft.signer = "ci";
        e.refused.push(draft);
    };
    "signature": "the payload signed raw instead of its PAE" => |scene, e| {
        let draft = e.remove("1-signature");
        let payload = draft.payload();
        let signature = scene.keys["ci"].sign_digest(&Sha256::of(&payload)).unwrap();
        let forged = json!({
            "payloadType": PAYLOAD_TYPE, "payload": base64::encode(&payload),
            "signatures": [{"sig": base64::encode(signature)}],
        });
        e.forged.push(forged.to_string().into_bytes());
    };
    "signature": "a payload type that was swapped after signing" => |scene, e| {
        forge(scene, e, "1-signature", |v| v["payloadType"] = "application/json".into());
    };
    "signature": "a signature by a key that is not in the roster" => |_, e| {
        let draft = e.remove("1-signature").by("outsider");
        e.refused.push(draft);
    };
    "signature": "a signature by a signer who may not sign artifacts" => |_, e| {
        let draft = e.remove("1-signature").by("tester");
        e.refused.push(draft);
    };
    "signature": "a signature by a signer whom the policy does not name" => |_, e| {
        e.draft("1-signature").signer = "rogue-ci";
    };
    "signature": "a signature after its signer was no longer valid" => |_, e| {
        let draft = e.remove("1-signature").by("old");
        e.refused.push(draft);
    };
    "signature": "a signature before its signer was valid" => |_, e| {
        let draft = e.remove("1-signature").by("early");
        e.refused.push(draft);
    };
    "signature": "a signature by a key that was stolen and revoked" => |_, e| {
        let draft = e.remove("1-signature").by("stolen");
        e.refused.push(draft);
    };
    "signature": "an envelope with a thousand signatures, one of them good" => |scene, e| {
        forge(scene, e, "1-signature", |v| {
            let good = v["signatures"][0].clone();
            v["signatures"] = Value::Array(vec![good; 1_000]);
        });
    };
    "signature": "a subject without a digest" => |scene, e| {
        let draft = e.remove("1-signature");
        let payload = json!({
            "_type": "https://in-toto.io/Statement/v1", "subject": [{"name": "pay/api"}],
            "predicateType": draft.kind, "predicate": {},
        });
        let envelope = Envelope::sign(PAYLOAD_TYPE, payload.to_string().as_bytes(), &scene.keys["ci"]);
        e.forged.push(envelope.to_json());
    };
    "signature": "no subject at all" => |scene, e| {
        let draft = e.remove("1-signature");
        let payload = json!({
            "_type": "https://in-toto.io/Statement/v1", "subject": [],
            "predicateType": draft.kind, "predicate": {},
        });
        let envelope = Envelope::sign(PAYLOAD_TYPE, payload.to_string().as_bytes(), &scene.keys["ci"]);
        e.forged.push(envelope.to_json());
    };
    "signature": "a digest under the name of another algorithm" => |_, e| {
        let hex = e.subject.hex();
        e.draft("1-signature").subject = vec![("pay/api".to_owned(), "sha3_256".to_owned(), hex)];
    };
    "signature": "a payload with a key twice, the second for this artifact" => |scene, e| {
        let draft = e.remove("1-signature");
        let text = String::from_utf8(draft.payload()).unwrap();
        let text = text.replacen('{', "{\"subject\":[{\"digest\":{\"sha256\":\"00\"}}],", 1);
        let envelope = Envelope::sign(PAYLOAD_TYPE, text.as_bytes(), &scene.keys["ci"]);
        e.forged.push(envelope.to_json());
    };
    "provenance": "no provenance" => |_, e| { e.remove("2-provenance"); };
    "provenance": "a trusted signer that claims a foreign builder" => |_, e| {
        e.draft("2-provenance").predicate["runDetails"]["builder"]["id"] = "https://rogue.example.org".into();
    };
    "provenance": "a signer that may claim the builder at a lower level only" => |_, e| {
        e.draft("2-provenance").signer = "rogue-ci";
    };
    "provenance": "a builder whose name is longer than the trusted one" => |_, e| {
        e.draft("2-provenance").predicate["runDetails"]["builder"]["id"] = "https://ci.example.org/builder/x".into();
    };
    "provenance": "an external parameter that the policy does not know" => |_, e| {
        e.draft("2-provenance").predicate["buildDefinition"]["externalParameters"]["debug"] = "true".into();
    };
    "provenance": "an external parameter with another value" => |_, e| {
        e.draft("2-provenance").predicate["buildDefinition"]["externalParameters"]["step"] = "build --insecure".into();
    };
    "provenance": "a source whose path climbs out of the allowed one" => |_, e| {
        e.draft("2-provenance").predicate["buildDefinition"]["resolvedDependencies"][0]["uri"] =
            "git+https://git.example.org/pay/../evil@refs/heads/main".into();
    };
    "provenance": "a source that only begins like the allowed one" => |_, e| {
        e.draft("2-provenance").predicate["buildDefinition"]["resolvedDependencies"][0]["uri"] =
            "git+https://git.example.org/payroll/api@refs/heads/main".into();
    };
    "provenance": "a source with an encoded slash" => |_, e| {
        e.draft("2-provenance").predicate["buildDefinition"]["resolvedDependencies"][0]["uri"] =
            "git+https://git.example.org/pay%2f..%2fevil@refs/heads/main".into();
    };
    "provenance": "a source from another branch" => |_, e| {
        e.draft("2-provenance").predicate["buildDefinition"]["resolvedDependencies"][0]["uri"] =
            "git+https://git.example.org/pay/api@refs/heads/evil".into();
    };
    "provenance": "another build type" => |_, e| {
        e.draft("2-provenance").predicate["buildDefinition"]["buildType"] = "https://evil.example.org/v1".into();
    };
    "provenance": "a predicate that is nested too deeply" => |scene, e| {
        let mut draft = e.remove("2-provenance");
        let deep = format!("{}1{}", "[".repeat(600), "]".repeat(600));
        draft.predicate["buildDefinition"]["externalParameters"]["step"] = "DEEP".into();
        let text = String::from_utf8(draft.payload()).unwrap().replace("\"DEEP\"", &deep);
        let envelope = Envelope::sign(PAYLOAD_TYPE, text.as_bytes(), &scene.keys["ci"]);
        e.forged.push(envelope.to_json());
    };
    "source": "a review of another commit" => |_, e| {
        e.draft("3-review").subject = vec![("commit".to_owned(), "gitCommit".to_owned(), "1".repeat(40))];
    };
    "source": "an author who reviews the own change" => |_, e| {
        e.draft("3-review").predicate["reviewers"] = json!(["author"]);
    };
    "source": "a build of a modified tree" => |_, e| {
        e.draft("2-provenance").predicate["buildDefinition"]["resolvedDependencies"][0]["annotations"] =
            json!({"dirty": true});
    };
    "test-result": "a failed test result that is newer than the passed one" => |_, e| {
        let mut failed = e.drafts["4-tests"].clone();
        failed.predicate["result"] = "FAILED".into();
        failed.predicate["failedTests"] = json!(["b"]);
        e.add("4-tests-later", failed);
    };
    "test-result": "a passed result that is logged again does not hide the failed one" => |_, e| {
        let mut failed = e.drafts["4-tests"].clone();
        failed.predicate["result"] = "FAILED".into();
        failed.predicate["failedTests"] = json!(["b"]);
        let good = e.drafts["4-tests"].clone();
        e.add("4-tests-later", failed);
        e.add("4-tests-zz", good);
    };
    "test-result": "a failed result that comes back in the same bytes after a passed one" => |_, e| {
        let good = e.drafts["4-tests"].clone();
        let mut failed = good.clone();
        failed.predicate["result"] = "FAILED".into();
        failed.predicate["failedTests"] = json!(["b"]);
        let mut newer = good;
        newer.predicate["passedTests"] = json!(["a", "b", "c"]);
        e.add("4-tests-later", failed.clone());
        e.add("4-tests-mended", newer);
        e.add("4-tests-zz", failed);
    };
    "test-result": "a failed test that the next run skips" => |_, e| {
        let mut failed = e.drafts["4-tests"].clone();
        failed.predicate["result"] = "FAILED".into();
        failed.predicate["failedTests"] = json!(["b"]);
        let mut skipped = e.drafts["4-tests"].clone();
        skipped.predicate["warnedTests"] = json!(["b"]);
        skipped.predicate["passedTests"] = json!(["a"]);
        e.add("4-tests-later", failed);
        e.add("4-tests-zz", skipped);
    };
    "test-result": "tests of another suite" => |_, e| {
        e.draft("4-tests").predicate["configuration"][0]["name"] = "lint".into();
    };
    "test-result": "fewer tests than the policy asks for" => |_, e| {
        e.draft("4-tests").predicate["passedTests"] = json!(["a"]);
    };
    "test-result": "a test result with the annotation verified by a stranger" => |_, e| {
        let mut draft = e.remove("4-tests").by("outsider");
        draft.predicate["annotations"] = json!({"attestry.verified": true});
        e.refused.push(draft);
    };
    "vuln-scan": "a scan that is too old" => |_, e| {
        e.draft("5-scan").predicate = scan("2020-01-01T00:00:00Z", &[]);
    };
    "vuln-scan": "a newer scan with a critical finding" => |scene, e| {
        let mut bad = e.drafts["5-scan"].clone();
        bad.predicate = scan(&scene.now, &["CVE-2026-0001"]);
        e.add("5-scan-later", bad);
    };
    "vuln-scan": "a VEX document by somebody whom the policy does not name" => |scene, e| {
        e.draft("5-scan").predicate = scan(&scene.now, &["CVE-2026-0002"]);
        let mut vex = e.drafts["5-scan"].clone();
        vex.kind = "https://openvex.dev/ns/v0.2.0".to_owned();
        vex.predicate = json!({
            "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.org/vex/1",
            "author": "scanner", "timestamp": scene.now, "version": 1,
            "statements": [{"vulnerability": {"name": "CVE-2026-0002"}, "status": "not_affected",
                "justification": "vulnerable_code_not_present"}],
        });
        e.add("5-vex", vex.by("verifier"));
    };
    "vuln-scan": "two waivers of one signer each, for the same finding" => |scene, e| {
        e.draft("5-scan").predicate = scan(&scene.now, &["CVE-2026-0003"]);
        let one = waiver(scene, e, "lead-one", "CVE-2026-0003");
        let mut two = waiver(scene, e, "lead-two", "CVE-2026-0003");
        two.predicate["reason"] = "another reason".into();
        e.add("a-waiver", one);
        e.add("b-waiver", two);
    };
    "vuln-scan": "a waiver for another finding" => |scene, e| {
        e.draft("5-scan").predicate = scan(&scene.now, &["CVE-2026-0004"]);
        let (one, two) = (waiver(scene, e, "lead-one", "CVE-1"), waiver(scene, e, "lead-two", "CVE-1"));
        e.add("a-waiver", one);
        e.add("b-waiver", two);
    };
    "vuln-scan": "a waiver for one of two findings" => |scene, e| {
        e.draft("5-scan").predicate = scan(&scene.now, &["CVE-2026-0005", "CVE-2026-0006"]);
        let finding = "CVE-2026-0005";
        let (one, two) = (waiver(scene, e, "lead-one", finding), waiver(scene, e, "lead-two", finding));
        e.add("a-waiver", one);
        e.add("b-waiver", two);
    };
    "vuln-scan": "a waiver that lasts longer than the policy allows" => |scene, e| {
        e.draft("5-scan").predicate = scan(&scene.now, &["CVE-2026-0007"]);
        for signer in ["lead-one", "lead-two"] {
            let mut draft = waiver(scene, e, signer, "CVE-2026-0007");
            draft.predicate["until"] = scene.later.as_str().into();
            e.add(&format!("waiver-{signer}"), draft);
        }
    };
    "signature": "a waiver for a rule that cannot be waived" => |scene, e| {
        e.remove("1-signature");
        for signer in ["lead-one", "lead-two"] {
            let mut draft = waiver(scene, e, signer, "signature");
            draft.predicate["rule"] = "signature".into();
            e.add(&format!("waiver-{signer}"), draft);
        }
    };
    "sbom": "a bill of materials with a denied component" => |_, e| {
        e.draft("6-sbom").predicate["components"] =
            json!([{"type": "library", "name": "openssl", "purl": "pkg:cargo/openssl@0.10.1"}]);
    };
    "sbom": "a denied component under a qualifier and in capitals" => |_, e| {
        e.draft("6-sbom").predicate["components"] =
            json!([{"type": "library", "name": "openssl", "purl": "PKG:Cargo/openssl@0.10.1?os=linux"}]);
    };
    "secret-scan": "a search that found a secret" => |scene, e| {
        e.draft("7-secrets").predicate = secrets(&scene.now, &["src/config"]);
    };
    "vsa": "a FAILED summary" => |_, e| {
        e.draft("8-summary").predicate["verificationResult"] = "FAILED".into();
        e.draft("8-summary").predicate["verifiedLevels"] = json!(["FAILED"]);
    };
    "vsa": "a summary of a foreign verifier" => |_, e| {
        e.draft("8-summary").predicate["verifier"]["id"] = "https://verifier.example.org.evil".into();
    };
    "vsa": "a summary at a lower level" => |_, e| {
        e.draft("8-summary").predicate["verifiedLevels"] = json!(["SLSA_BUILD_LEVEL_1"]);
    };
    "vsa": "a summary that was made by the gate's name and another key" => |_, e| {
        let draft = e.remove("8-summary").by("ci");
        e.refused.push(draft);
    };
    "approval": "one approver with two envelopes" => |_, e| {
        let mut again = e.remove("9-approval-two").by("lead-one");
        again.predicate["note"] = "again".into();
        e.add("9-approval-two", again);
    };
    "approval": "the author approves the own change" => |_, e| {
        let draft = e.remove("9-approval-two").by("author");
        e.add("9-approval-two", draft);
    };
    "approval": "the author is one of the two approvers" => |_, e| {
        e.draft("3-review").predicate["author"] = "lead-two".into();
    };
    "approval": "an approval for another environment" => |_, e| {
        e.draft("9-approval-two").predicate["environment"] = "staging".into();
    };
    "approval": "an approval that has expired" => |_, e| {
        e.draft("9-approval-two").predicate["expires"] = "2020-01-01T00:00:00Z".into();
    };
    "approval": "an approval of another artifact" => |_, e| {
        let other = Sha256::of(b"another artifact");
        let draft = e.remove("9-approval-two").about("pay/api", other);
        e.add("9-approval-two", draft);
    };
    "approval": "a rollback's approval in the place of a deployment's" => |_, e| {
        e.draft("9-approval-two").predicate["purpose"] = "rollback".into();
    };
    "signature": "a broken glass with one of two signers" => |scene, e| {
        e.remove("1-signature");
        let glass = break_glass(scene, e, "lead-one");
        e.add("glass-one", glass);
    };
    "signature": "a broken glass for another environment" => |scene, e| {
        e.remove("1-signature");
        for signer in ["lead-one", "lead-two"] {
            let mut glass = break_glass(scene, e, signer);
            glass.predicate["environment"] = "staging".into();
            e.add(&format!("glass-{signer}"), glass);
        }
    };
    "signature": "a broken glass for two artifacts at once" => |scene, e| {
        e.remove("1-signature");
        for signer in ["lead-one", "lead-two"] {
            let mut glass = break_glass(scene, e, signer);
            let other = Sha256::of(b"another artifact").hex();
            glass.subject.push(("other".to_owned(), "sha256".to_owned(), other));
            e.add(&format!("glass-{signer}"), glass);
        }
    };
    "none": "an environment that no policy is for" => |_, e| e.environment = "Production".to_owned();
    "signature": "a name that avoids the policy does not avoid what trusted evidence calls it" => |_, e| {
        e.remove("1-signature");
        e.asked_name = Some("other/api".to_owned());
    };
    "none": "an artifact that no evidence names, under a name that no policy is for" => |_, e| {
        let labels: Vec<String> = e.drafts.keys().cloned().collect();
        for label in labels {
            e.remove(&label);
        }
        e.asked_name = Some("payroll/api".to_owned());
    };
}
