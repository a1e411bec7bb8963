//! Bundles with certificates, of identities that the roster names: from the request to the gate, the pack and `fsck`.

use std::path::Path;

use attestry_schemas::bundle::{Bundle, Content, MessageSignature};
use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::{Envelope, PAYLOAD_TYPE};
use attestry_schemas::gate::{Purpose, Question, decide, pack::Opened, pack::Pack};
use attestry_schemas::key::SigningKey;
use attestry_schemas::oci::media_type::{EMPTY, OCI_MANIFEST};
use attestry_schemas::statement::{ResourceDescriptor, Statement};
use attestry_schemas::trusted_root::TrustedRoot;
use attestry_schemas::verify::{self, CertificateRoots, EMBEDDED_ROOTS};
use serde_json::{Value, json};

use super::conformance::{Answer, Described, says, with_registry};
use super::oci::{descriptor, push_blob, push_image};
use super::*;

/// Provenance, by a workflow.
const STATEMENT: &str = include_str!("../../../../schemas/vectors/certificate/statement.json");
/// A signature of the same artifact, by a person.
const MESSAGE: &str = include_str!("../../../../schemas/vectors/certificate/message.json");
/// Their authority.
const ROOT: &str = include_str!("../../../../schemas/vectors/certificate/trusted_root.json");

const POST: &str = "POST /v1/attestations";
const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// An identity as a roster names it: its entry's name, its issuer and its subject.
type Named = (&'static str, &'static str, &'static str);

const OF_STATEMENT: Named = (
    "workflow",
    "https://token.git.example.org",
    "https://git.example.org/pay/api/.ci/release.yml@refs/heads/main",
);
const OF_MESSAGE: Named = ("releaser", "https://login.example.org", "release@example.org");
const OF_SAMPLE: Named = (
    "github",
    "https://token.actions.githubusercontent.com",
    "https://github.com/actions/attest-demo/.github/workflows/build-python.yml@refs/heads/main",
);

fn shown((_, issuer, subject): Named) -> String {
    format!("{subject} ({issuer})")
}

/// A `[[signer]]` of a roster.
fn signer((name, issuer, subject): Named, more: &str) -> String {
    format!(
        "[[signer]]\nname = \"{name}\"\nissuer = \"{issuer}\"\nsubject = \"{subject}\"\n{more}\n"
    )
}

/// A registry whose root key is that of the tests.
struct Keyless<'s> {
    server: &'s Described,
    root: SigningKey,
}

fn with_keyless(
    registry: &testing::Registry,
    settings: Settings,
    cases: impl AsyncFnOnce(&Keyless<'_>),
) {
    with_registry(registry, settings, async |server| {
        cases(&Keyless { server, root: testing::ed25519() }).await;
    });
}

fn rooted() -> testing::Registry {
    testing::Registry::rooted(&testing::ed25519())
}

/// Settings that believe the authority of the bundles alone.
fn believing() -> Settings {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/vectors/certificate");
    let root = vectors.join("trusted_root.json");
    Settings { certificate_roots: Some(vec![root]), ..Settings::default() }
}

fn roots() -> CertificateRoots {
    CertificateRoots::given([("example", ROOT)]).unwrap()
}

/// Demands that nothing is wrong with the registry, which does not run.
#[track_caller]
fn demand_clean(registry: &testing::Registry) {
    let report = crate::fsck::check(registry.path(), &mut |_| {}).unwrap();
    assert!(report.is_clean(), "{report:?}");
}

impl Keyless<'_> {
    async fn post(&self, bundle: &str, status: u16) -> Answer {
        self.server.write(POST, status, bundle).await
    }

    /// Stores a document and publishes it.
    async fn publish(&self, kind: &str, text: &str, mut says: Value) {
        let digest = Sha256::of(text.as_bytes());
        self.server.write(&format!("PUT /v1/content/{digest}"), 201, text).await;
        says["digest"] = json!({"sha256": digest.hex()});
        says["expires"] = json!("2099-01-01T00:00:00Z");
        let subject = ResourceDescriptor::named(kind, digest.into());
        let uri = format!("https://attestry.dev/{kind}/v1");
        let statement = Statement::new(vec![subject], &uri, says).unwrap();
        let envelope = Envelope::sign(PAYLOAD_TYPE, &statement.to_json(), &self.root);
        self.server.write(POST, 201, envelope.to_json()).await;
    }

    async fn roster(&self, version: u64, signers: &str) {
        let key = self.root.public_key().to_pem();
        let text = format!(
            "schema = \"roster/v1\"\nversion = {version}\nexpires = 2099-01-01T00:00:00Z\n[[signer]]\nname = \"lead\"\nkey = '''{key}'''\nmay = [\"policy\"]\n{signers}\n[groups]\nleads = [\"lead\"]\n[policies]\ngroup = \"leads\"\nthreshold = 1\n"
        );
        self.publish("roster", &text, json!({"version": version})).await;
    }

    /// Publishes the policy of production.
    async fn policy(&self, rule: &str) {
        let text = format!(
            "schema = \"policy/v1\"\nname = \"production\"\nversion = 1\nexpires = 2099-01-01T00:00:00Z\nmode = \"enforce\"\n[match]\nartifacts = [\"pay/**\"]\nenvironments = [\"production\"]\n[[rule]]\n{rule}\n"
        );
        self.publish("policy", &text, json!({"name": "production", "version": 1})).await;
    }

    /// What is listed of a signer.
    async fn listed(&self, signer: &str) -> Vec<Value> {
        let signer: String =
            signer.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
        let path = format!("/v1/attestations?signer={signer}");
        self.server.get(&path, 200).await.json()["items"].as_array().unwrap().clone()
    }

    /// The verdict about an artifact.
    async fn verdict(&self, artifact: Sha256) -> String {
        let asked = json!({"subject": artifact, "environment": "production", "name": "pay/api"});
        let headers = [("authorization", self.server.token.as_str())];
        let (made, _) = self.server.send("POST /v1/decisions", &headers, asked.to_string()).await;
        made.json()["result"].as_str().unwrap().to_owned()
    }

    /// A pack about an artifact, with the root that opens it.
    async fn pack(&self, artifact: Sha256) -> (Pack, TrustedRoot) {
        let path = format!("/v1/packs?subject={artifact}&environment=production&name=pay/api");
        let pack = Pack::parse(self.server.get(&path, 200).await.body()).unwrap();
        let root = self.server.plain("GET /v1/trusted-root", 200).await;
        (pack, TrustedRoot::parse(root.body()).unwrap())
    }
}

/// What a pack decides offline.
fn offline(opened: &Opened, artifact: Sha256) -> bool {
    let question = Question {
        subject: artifact,
        name: Some("pay/api".to_owned()),
        environment: "production".to_owned(),
        caller: None,
        configuration: None,
        now: crate::clock::Clock::system().now().into(),
        log_size: opened.size,
        origin: opened.origin.clone(),
        purpose: Purpose::Deploy,
    };
    let (trust, policies) = (opened.governance.trust.as_deref(), opened.governance.ruling());
    decide(&question, trust, &policies, &opened.evidence, &|digest| opened.document(digest))
        .passed()
}

/// The one item of an answer.
fn item(answer: &Answer) -> Value {
    answer.json()["items"][0].clone()
}

#[test]
fn who_is_not_in_the_roster_is_refused_by_name_and_told_what_to_do() {
    with_keyless(&rooted(), believing(), async |keyless| {
        let answer = keyless.post(STATEMENT, 422).await;
        assert_eq!(answer.json()["type"], json!("https://attestry.dev/problems/untrusted-signer"));
        says(&answer, &["certificate", "roster", "none is published"]);
        keyless.roster(1, &signer(OF_MESSAGE, "may = [\"signature\"]")).await;
        let answer = keyless.post(STATEMENT, 422).await;
        let (_, issuer, subject) = OF_STATEMENT;
        says(&answer, &[issuer, subject, "not in the roster (version 1)", "[[signer]]"]);
        assert_eq!(
            (&answer.json()["issuer"], &answer.json()["subject"]),
            (&json!(issuer), &json!(subject))
        );
        assert_eq!(keyless.listed(&shown(OF_STATEMENT)).await, [] as [Value; 0]);
        // Whom the roster names may sign what it says, and nothing else.
        keyless.roster(2, &signer(OF_STATEMENT, "may = [\"signature\"]")).await;
        says(&keyless.post(STATEMENT, 422).await, &["lets workflow sign signature", "provenance"]);
    });
    with_keyless(&rooted(), Settings::default(), async |keyless| {
        keyless.roster(1, &signer(OF_STATEMENT, "may = [\"provenance\"]")).await;
        // The authorities that ship do not vouch for it.
        let answer = keyless.post(STATEMENT, 422).await;
        assert_eq!(answer.json()["check"], "certificate");
    });
}

#[test]
fn an_identity_of_the_roster_is_logged_listed_and_answered_with_its_proofs() {
    let registry = rooted();
    let digest = std::cell::RefCell::new(String::new());
    with_keyless(&registry, believing(), async |keyless| {
        keyless.roster(1, &signer(OF_STATEMENT, &format!("may = [\"{PROVENANCE}\"]"))).await;
        let made = item(&keyless.post(STATEMENT, 201).await);
        assert_eq!(made["status"], "created");
        // Its own entry first, then ours; both prove what they did for whoever believes their logs.
        let answered = Bundle::from_value(made["bundle"].clone()).unwrap();
        let sent = Bundle::parse(STATEMENT.as_bytes()).unwrap();
        let [theirs, ours] = answered.tlog_entries.as_slice() else { panic!("two entries") };
        assert_eq!(std::slice::from_ref(theirs), sent.tlog_entries.as_slice());
        assert_eq!((&answered.signer, &answered.content), (&sent.signer, &sent.content));
        let certified = verify::certified(&answered, &roots()).unwrap();
        let root = keyless.server.plain("GET /v1/trusted-root", 200).await;
        let root = TrustedRoot::parse(root.body()).unwrap();
        let logged = verify::log_entry(ours, certified.entry(), &root).unwrap();
        assert_eq!(json!(logged.get().index), made["index"]);
        // Whatever of it comes again is the same.
        let pretty = serde_json::to_string_pretty(&sent.to_value()).unwrap();
        for again in [STATEMENT, &pretty, &made["bundle"].to_string()] {
            let again = item(&keyless.post(again, 200).await);
            assert_eq!(again["status"], "existing");
            for member in ["index", "digest", "bundle"] {
                assert_eq!(again[member], made[member]);
            }
        }
        let [listed] = keyless.listed(&shown(OF_STATEMENT)).await.try_into().unwrap();
        assert_eq!(listed["kind"], "bundle");
        assert_eq!(listed["signer"], json!(shown(OF_STATEMENT)));
        assert_eq!(
            (&listed["predicate_type"], &listed["signer_known"]),
            (&json!(PROVENANCE), &json!(true))
        );
        assert_eq!((&listed["index"], &listed["digest"]), (&made["index"], &made["digest"]));
        let path = format!("/v1/attestations/{}", made["digest"].as_str().unwrap());
        let exact = keyless.server.get(&path, 200).await;
        assert_eq!(made["digest"], json!(Sha256::of(exact.body()).to_string()));
        assert_eq!(Bundle::parse(exact.body()).unwrap(), sent, "as it came, without our entry");
        let bundle = keyless.server.get(&format!("{path}/bundle"), 200).await.json();
        assert_eq!(bundle, made["bundle"]);
        made["digest"].as_str().unwrap().clone_into(&mut digest.borrow_mut());
    });
    demand_clean(&registry);
    with_keyless(&registry, believing(), async |keyless| {
        let [listed] = keyless.listed(&shown(OF_STATEMENT)).await.try_into().unwrap();
        assert_eq!(listed["digest"], json!(*digest.borrow()));
    });
}

#[test]
fn nothing_that_was_changed_is_taken() {
    with_keyless(&rooted(), believing(), async |keyless| {
        let may = "may = [\"signature\", \"".to_owned() + PROVENANCE + "\"]";
        let both = signer(OF_STATEMENT, &may) + &signer(OF_MESSAGE, &may);
        keyless.roster(1, &both).await;
        let changes: [fn(&mut Bundle); 5] = [
            |b| {
                let Content::Envelope(envelope) = &mut b.content else { panic!("an envelope") };
                envelope.payload.push(b' ');
            },
            |b| b.content = b.content.clone().with_signature(vec![0x30, 6, 2, 1, 1, 2, 1, 1]),
            // Whom the roster names did not sign this.
            |b| b.signer = Bundle::parse(MESSAGE.as_bytes()).unwrap().signer,
            |b| b.tlog_entries.clear(),
            |b| b.tlog_entries = Bundle::parse(MESSAGE.as_bytes()).unwrap().tlog_entries,
        ];
        for (n, change) in changes.into_iter().enumerate() {
            let mut changed = Bundle::parse(STATEMENT.as_bytes()).unwrap();
            change(&mut changed);
            let answer = keyless.post(&changed.to_value().to_string(), 422).await;
            let problem = answer.json();
            assert_eq!(problem["check"], "certificate", "change {n}: {problem:#}");
        }
        let entry = json!({"hashedRekordRequestV002": {"digest": "", "signature": {"content": "", "verifier": {
            "x509Certificate": {"rawBytes": "AA=="}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}}}});
        let answer = keyless.server.write("POST /api/v2/log/entries", 400, entry.to_string()).await;
        says(&answer, &["x509Certificate", "/v1/attestations"]);
        let answer = keyless.server.get("/v1/attestations?signer=alice", 400).await;
        says(&answer, &["SHA256:", "SUBJECT (ISSUER)"]);
        let mut many = Bundle::parse(STATEMENT.as_bytes()).unwrap();
        many.tlog_entries = vec![many.tlog_entries[0].clone(); 32];
        says(&keyless.post(&many.to_value().to_string(), 400).await, &["at most 31 log entries"]);
    });
}

#[test]
fn what_was_taken_for_an_artifact_s_signature_becomes_the_envelope_s() {
    let registry = rooted();
    with_keyless(&registry, believing(), async |keyless| {
        let may = "may = [\"signature\", \"".to_owned() + PROVENANCE + "\"]";
        keyless.roster(1, &signer(OF_STATEMENT, &may)).await;
        let statement = Bundle::parse(STATEMENT.as_bytes()).unwrap();
        let Content::Envelope(envelope) = &statement.content else { panic!("an envelope") };
        let digest = envelope.pae_digest().into();
        let message = MessageSignature { digest, signature: envelope.signature.clone() };
        let as_message = Bundle { content: Content::Message(message), ..statement.clone() };
        let before = item(&keyless.post(&as_message.to_value().to_string(), 201).await);
        let after = item(&keyless.post(STATEMENT, 201).await);
        assert_eq!(after["index"], before["index"], "one leaf");
        assert_ne!(after["digest"], before["digest"]);
        let [listed] = keyless.listed(&shown(OF_STATEMENT)).await.try_into().unwrap();
        assert_eq!(
            (&listed["digest"], &listed["predicate_type"]),
            (&after["digest"], &json!(PROVENANCE))
        );
        // One digest names the same bytes for ever.
        for (made, sent) in [(&before, &as_message), (&after, &statement)] {
            let path = format!("/v1/attestations/{}", made["digest"].as_str().unwrap());
            assert_eq!(Bundle::parse(keyless.server.get(&path, 200).await.body()).unwrap(), *sent);
            let bundle = keyless.server.get(&format!("{path}/bundle"), 200).await;
            let bundle = Bundle::parse(bundle.body()).unwrap();
            assert_eq!(bundle.content, sent.content);
            verify::certified(&bundle, &roots()).unwrap();
        }
        // And what says less does not take its place again: what is kept is answered.
        let again = item(&keyless.post(&as_message.to_value().to_string(), 200).await);
        assert_eq!((&again["digest"], &again["bundle"]), (&after["digest"], &after["bundle"]));
    });
    demand_clean(&registry);
}

#[test]
fn a_bundle_that_is_pushed_beside_an_artifact_counts_as_one_that_is_posted() {
    with_keyless(&rooted(), believing(), async |keyless| {
        keyless.roster(1, &signer(OF_STATEMENT, &format!("may = [\"{PROVENANCE}\"]"))).await;
        let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
        for blob in [b"{}".as_slice(), STATEMENT.as_bytes(), MESSAGE.as_bytes()] {
            push_blob(keyless.server, "pay/api", blob).await;
        }
        for (text, expected) in [
            (STATEMENT, "logged=1, unsigned=0, refused=0"),
            (MESSAGE, "logged=0, unsigned=0, refused=1"),
        ] {
            let manifest = json!({
                "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": bundle,
                "config": descriptor(EMPTY, b"{}"), "layers": [descriptor(bundle, text.as_bytes())],
            });
            let tag = format!("t{}", text.len());
            let pushed =
                push_image(keyless.server, "pay/api", &tag, manifest.to_string().as_bytes()).await;
            assert_eq!(pushed.header("attestry-evidence"), expected);
        }
        assert_eq!(keyless.listed(&shown(OF_STATEMENT)).await[0]["namespace"], "pay/api");
        keyless.post(STATEMENT, 200).await;
    });
}

/// The digest of the artifact that [`MESSAGE`] signs.
fn released() -> Sha256 {
    match Bundle::parse(MESSAGE.as_bytes()).unwrap().content {
        Content::Message(message) => message.digest.as_sha256().unwrap(),
        Content::Envelope(_) => panic!("a message"),
    }
}

/// Settings that believe GitHub's root alone, which does not vouch for [`MESSAGE`].
fn of_github(registry: &testing::Registry) -> Settings {
    let path = registry.beside("github.json");
    std::fs::write(&path, EMBEDDED_ROOTS[1].1).unwrap();
    Settings { certificate_roots: Some(vec![path]), ..Settings::default() }
}

#[test]
fn the_gate_counts_it_before_and_after_a_restart_and_in_a_pack() {
    let registry = rooted();
    with_keyless(&registry, believing(), async |keyless| {
        keyless.roster(1, &signer(OF_MESSAGE, "may = [\"signature\"]")).await;
        keyless.policy("type = \"signature\"\nsigners = [\"releaser\"]").await;
        assert_eq!(keyless.verdict(released()).await, "FAILED");
        let made = item(&keyless.post(MESSAGE, 201).await);
        assert_eq!(keyless.verdict(released()).await, "PASSED");
        let (pack, root) = keyless.pack(released()).await;
        let opened = pack.open_with(&root, &roots()).unwrap();
        assert_eq!(opened.left_out, []);
        assert!(offline(&opened, released()));
        let evidence = opened.evidence.iter().find(|one| json!(one.index()) == made["index"]);
        let evidence = evidence.unwrap();
        assert_eq!(json!(evidence.digest().to_string()), made["digest"], "as the registry has it");
        assert_eq!(evidence.signer().to_string(), shown(OF_MESSAGE));
        // Other authorities do not vouch for it.
        let opened = pack.open(&root).unwrap();
        assert!(opened.left_out[0].is_certificate, "{:?}", opened.left_out);
        assert!(!offline(&opened, released()));
    });
    // It was verified before it was logged, and counts whatever became of its authority: by its leaf alone at first, and by that of a full
    // tile later.
    for settings in [believing(), of_github(&registry)] {
        with_keyless(&registry, settings, async |keyless| {
            assert_eq!(keyless.verdict(released()).await, "PASSED");
        });
    }
    registry.log((1..300).map(testing::envelope).collect(), 256);
    with_keyless(&registry, of_github(&registry), async |keyless| {
        assert_eq!(keyless.verdict(released()).await, "PASSED");
    });
    demand_clean(&registry);
}

#[test]
fn a_revoked_identity_is_refused_and_what_it_signed_counts_no_more() {
    with_keyless(&rooted(), believing(), async |keyless| {
        let may = "may = [\"signature\"]";
        keyless.roster(1, &signer(OF_MESSAGE, may)).await;
        keyless.policy("type = \"signature\"\nsigners = [\"releaser\"]").await;
        keyless.post(MESSAGE, 201).await;
        assert_eq!(keyless.verdict(released()).await, "PASSED");
        let revoked = "revoked_at = 2020-01-01T00:00:00Z\nreason = \"compromised\"";
        keyless.roster(2, &signer(OF_MESSAGE, &format!("{may}\n{revoked}"))).await;
        says(&keyless.post(MESSAGE, 422).await, &["releaser is revoked (compromised)"]);
        assert_eq!(keyless.verdict(released()).await, "FAILED");
        let until = "valid_until = 2020-01-01T00:00:00Z";
        keyless.roster(3, &signer(OF_MESSAGE, &format!("{may}\n{until}"))).await;
        says(&keyless.post(MESSAGE, 422).await, &["releaser signed until 2020"]);
    });
}

/// An attestation of GitHub, of the samples.
fn sample() -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples/provenance");
    let file = folder.join("github-artifact-attestation.bundle.jsonl");
    let text = std::fs::read_to_string(&file).ok();
    if text.is_none() {
        eprintln!("skipped: {} is not there", file.display());
    }
    text.map(|text| text.lines().next().unwrap().to_owned())
}

#[test]
fn the_provenance_of_github_satisfies_a_rule_for_its_builder() {
    let Some(sample) = sample() else { return };
    let artifact: Sha256 =
        "sha256:ae57936def59bc4c75edd3a837d89bcefc6d3a5e31d55a6fa7a71624f92c3c3b".parse().unwrap();
    let registry = rooted();
    with_keyless(&registry, Settings::default(), async |keyless| {
        let builder = "https://github.com/actions/runner/github-hosted";
        let entry =
            format!("may = [\"provenance\"]\nbuilders = [{{ id = \"{builder}\", level = 2 }}]");
        keyless.roster(1, &signer(OF_SAMPLE, &entry)).await;
        let rule = format!(
            "type = \"provenance\"\nsigners = [\"github\"]\nbuilders = [\"{builder}\"]\nlevel = 2"
        );
        keyless.policy(&rule).await;
        assert_eq!(keyless.verdict(artifact).await, "FAILED");
        let made = item(&keyless.post(&sample, 201).await);
        assert_eq!(keyless.verdict(artifact).await, "PASSED");
        let again = item(&keyless.post(&made["bundle"].to_string(), 200).await);
        assert_eq!((&again["index"], &again["digest"]), (&made["index"], &made["digest"]));
        let (pack, root) = keyless.pack(artifact).await;
        let opened = pack.open(&root).unwrap();
        assert_eq!(opened.left_out, []);
        assert!(offline(&opened, artifact));
    });
    demand_clean(&registry);
    with_keyless(&registry, Settings::default(), async |keyless| {
        assert_eq!(keyless.verdict(artifact).await, "PASSED");
    });
}
