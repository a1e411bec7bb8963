//! A registry with a roster and a policy, and both ways to ask for a verdict: the running gate, and the command line over a pack.

use std::collections::{BTreeMap, BTreeSet};

use attestry_schemas::digest::Sha256;
use attestry_schemas::gate::pack::Pack;
use attestry_schemas::key::SigningKey;
use attestry_tests::{Client, Dir, Registry, Server, p256_key, programs};
use serde_json::{Value, json};

use super::evidence::{Draft, Evidence};

pub(crate) const BUILDER: &str = "https://ci.example.org/builder";
pub(crate) const REPOSITORY: &str = "https://git.example.org/pay/api";
pub(crate) const VERIFIER: &str = "https://verifier.example.org";

/// Everyone who has a key, and what the roster lets them sign. `outsider` is not in the roster.
const SIGNERS: &[(&str, &[&str])] = &[
    ("ci", &["signature", "provenance", "cyclonedx", "link"]),
    ("rogue-ci", &["signature", "provenance"]),
    ("host", &["review"]),
    ("tester", &["test-result"]),
    ("scanner", &["vulns", "secret-scan"]),
    ("verifier", &["vsa", "openvex"]),
    ("lead-one", &["approval", "openvex", "waiver", "break-glass"]),
    ("lead-two", &["approval", "openvex", "waiver", "break-glass"]),
    ("author", &["approval"]),
    ("old", &["signature", "provenance", "approval"]),
    ("early", &["signature", "provenance", "approval"]),
    ("stolen", &["signature", "provenance", "approval"]),
];

pub(crate) const POLICY: &str = r#"
schema = "policy/v1"
name = "production"
version = 1
expires = 2099-01-01T00:00:00Z
mode = "enforce"
[match]
artifacts = ["pay/**"]
environments = ["production"]
[[rule]]
type = "signature"
signers = ["ci"]
[[rule]]
type = "provenance"
signers = ["builders"]
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
suites = ["unit"]
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
[waivers]
group = "leads"
threshold = 2
rules = ["vuln-scan", "test-result"]
longest = "30d"
[break_glass]
group = "leads"
threshold = 2
longest = "4h"
"#;

/// A verdict, whoever gave it.
pub(crate) struct Verdict {
    pub(crate) passed: bool,
    /// The rules that do not hold; `none` when nothing was evaluated.
    pub(crate) failing: BTreeSet<String>,
    pub(crate) statement: Value,
    pub(crate) told: String,
}

impl Verdict {
    fn of(statement: Value) -> Self {
        let predicate = &statement["predicate"];
        let gate = &predicate["https://attestry.dev/gate/v1"];
        let mut failing = BTreeSet::new();
        for policy in gate["policies"].as_array().into_iter().flatten() {
            for rule in policy["rules"].as_array().into_iter().flatten() {
                if !matches!(rule["outcome"].as_str(), Some("pass" | "waived")) {
                    failing.insert(rule["rule"].as_str().unwrap().to_owned());
                }
            }
        }
        if gate["refused"].is_object() {
            failing.insert("none".to_owned());
        }
        let passed = predicate["verificationResult"] == "PASSED";
        let told = gate.to_string();
        Self { passed, failing, statement, told }
    }
}

pub(crate) struct Scene {
    pub(crate) now: String,
    pub(crate) later: String,
    pub(crate) keys: BTreeMap<&'static str, SigningKey>,
    client: Client,
    dir: Dir,
    log_key: SigningKey,
    _server: Server,
    _registry: Registry,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let programs = programs!();
        let root = p256_key();
        let registry = Registry::with_roots(&programs, &[root.public_key()]);
        let server = registry.serve();
        let client = server.client();
        let mut keys: BTreeMap<&'static str, SigningKey> =
            SIGNERS.iter().map(|(name, _)| (*name, p256_key())).collect();
        keys.insert("outsider", p256_key());
        keys.insert("root", root);
        let dir = Dir::new(&programs);
        let log_key = std::fs::read_to_string(registry.data.join("log.key")).unwrap();
        let document = std::fs::read(registry.data.join("trusted_root.json")).unwrap();
        dir.write("trusted_root.json", document);
        let listed = client.get("/v1/attestations?limit=1").expect(200).json();
        let now = listed["items"][0]["logged_at"].as_str().unwrap();
        let (now, year) = (format!("{}Z", &now[..19]), now[..4].parse::<u32>().unwrap());
        let scene = Self {
            now,
            later: format!("{}-01-01T00:00:00Z", year + 2),
            keys,
            client,
            dir,
            log_key: SigningKey::from_pkcs8_pem(&log_key).unwrap(),
            _server: server,
            _registry: registry,
        };
        scene.publish("roster", &scene.roster(), "root", json!({"version": 1}));
        let policy = POLICY.to_owned() + super::rego::RULE;
        scene.publish("policy", &policy, "lead-one", json!({"name": "production", "version": 1}));
        scene
    }

    pub(crate) fn roster(&self) -> String {
        let mut text =
            "schema = \"roster/v1\"\nversion = 1\nexpires = 2099-01-01T00:00:00Z\n".to_owned();
        for (name, may) in SIGNERS {
            let more = match *name {
                "ci" => format!("builders = [{{ id = \"{BUILDER}\", level = 3 }}]"),
                "rogue-ci" => "builders = [{ id = \"https://rogue.example.org\", level = 3 }, { id = \"https://ci.example.org/builder\", level = 1 }]".to_owned(),
                "old" => "valid_until = 2020-01-01T00:00:00Z".to_owned(),
                "early" => "valid_from = 2098-01-01T00:00:00Z".to_owned(),
                "stolen" => "revoked_at = 2020-01-01T00:00:00Z\nreason = \"compromised\"".to_owned(),
                _ => String::new(),
            };
            let pem = self.keys[name].public_key().to_pem();
            text += &format!(
                "[[signer]]\nname = \"{name}\"\nkey = \"\"\"\n{pem}\"\"\"\nmay = {may:?}\n{more}\n"
            );
        }
        text + "[groups]\nleads = [\"lead-one\", \"lead-two\"]\nbuilders = [\"ci\", \"rogue-ci\", \"old\", \"early\", \"stolen\"]\n\
                [policies]\ngroup = \"leads\"\nthreshold = 1\n"
    }

    fn publish(&self, kind: &str, document: &str, signer: &'static str, predicate: Value) {
        let (status, text) = self.try_to_publish(kind, document, signer, predicate);
        assert_eq!(status, 201, "{text}");
    }

    /// Stores a document and publishes it by one signature; tells what was answered.
    pub(crate) fn try_to_publish(
        &self,
        kind: &str,
        document: &str,
        signer: &'static str,
        mut predicate: Value,
    ) -> (u16, String) {
        let digest = Sha256::of(document.as_bytes());
        let stored = self.client.store(&digest.to_string(), document.as_bytes()).unwrap();
        assert!(matches!(stored.status, 200 | 201), "{}", stored.text());
        predicate["digest"] = json!({"sha256": digest.hex()});
        if predicate.get("expires").is_none() {
            predicate["expires"] = "2099-01-01T00:00:00Z".into();
        }
        let draft = Draft {
            signer,
            subject: Vec::new(),
            kind: format!("https://attestry.dev/{kind}/v1"),
            predicate,
        };
        let envelope = draft.about(kind, digest).sign(&self.keys[signer]);
        let reply = self.client.submit(&envelope).unwrap();
        (reply.status, reply.text())
    }

    /// Who rules, as the registry tells.
    pub(crate) fn ruling(&self) -> (Value, Value) {
        let roster = self.client.get("/v1/roster").expect(200).json();
        (roster, self.client.get("/v1/policies").expect(200).json())
    }

    pub(crate) fn evidence(&self, case: &str) -> Evidence {
        Evidence::honest(self, case)
    }

    /// Posts everything: drafts are taken, the rest is refused. Tells what was otherwise.
    pub(crate) fn post_all(&self, evidence: &Evidence) -> Vec<String> {
        let mut faults = Vec::new();
        let mut post = |bytes: &[u8], what: &str, expected: &[u16]| {
            let reply = self.client.submit(bytes).unwrap();
            if !expected.contains(&reply.status) {
                faults.push(format!("{what} is answered {}: {}", reply.status, reply.text()));
            }
        };
        for draft in evidence.drafts.values() {
            post(&draft.sign(&self.keys[draft.signer]), &draft.kind, &[200, 201]);
        }
        for draft in &evidence.refused {
            post(&draft.sign(&self.keys[draft.signer]), &draft.kind, &[422]);
        }
        for bytes in &evidence.forged {
            post(bytes, "what is forged", &[400, 413, 422]);
        }
        faults
    }

    /// Asks the gate, then the command line over the gate's pack, with what was forged in it.
    pub(crate) fn decide(&self, evidence: &Evidence) -> (Verdict, Verdict) {
        let mut asked =
            json!({"subject": evidence.subject.to_string(), "environment": evidence.environment});
        if let Some(name) = &evidence.asked_name {
            asked["name"] = name.as_str().into();
        }
        let reply = self.client.post("/v1/decisions", asked.to_string().as_bytes()).unwrap();
        let answer = reply.expect(201).json();
        let gate = Verdict::of(answer["statement"].clone());
        let details = &gate.statement["predicate"]["https://attestry.dev/gate/v1"];
        let path = format!(
            "/v1/packs?subject={}&environment={}{}",
            evidence.subject,
            evidence.environment,
            evidence.asked_name.as_ref().map_or_else(String::new, |name| format!("&name={name}"))
        );
        let mut pack = self.client.get(&path).expect(200).json();
        // The decision is in the log by now; the verdict is about the log before it.
        pack["size"] = details["logSize"].clone();
        self.forge(evidence, &mut pack);
        // What the registry would never pack is held against each proof by itself: here with its key.
        let pack = Pack::parse(pack.to_string().as_bytes()).unwrap().signed(&self.log_key).unwrap();
        self.dir.write("pack.json", serde_json::to_string(&pack).unwrap());
        let subject = evidence.subject.to_string();
        let time = gate.statement["predicate"]["timeVerified"].as_str().unwrap().to_owned();
        let mut args = vec!["gate", &subject, "--environment", &evidence.environment];
        args.extend(["--pack", "pack.json", "--trusted-root", "trusted_root.json"]);
        args.extend(["--at", &time, "--caller", "token:admin", "--json"]);
        if let Some(name) = &evidence.asked_name {
            args.extend(["--name", name]);
        }
        let answer = self.dir.run(&args);
        let told = answer.json();
        let offline = Verdict::of(told["statement"].clone());
        (gate, offline)
    }

    /// Puts what was refused into the pack, beside the log proof of something honest.
    fn forge(&self, evidence: &Evidence, pack: &mut Value) {
        let honest = pack["evidence"][0].clone();
        let refused = evidence.refused.iter().map(|draft| draft.sign(&self.keys[draft.signer]));
        for bytes in evidence.forged.iter().cloned().chain(refused) {
            // What is no JSON at all cannot be in a pack.
            let Ok(envelope) = serde_json::from_slice::<Value>(&bytes) else { continue };
            let mut bundle = honest.clone();
            bundle["bundle"]["dsseEnvelope"] = envelope;
            pack["evidence"].as_array_mut().unwrap().push(bundle);
        }
    }
}
