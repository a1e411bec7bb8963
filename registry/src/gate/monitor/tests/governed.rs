//! A running registry with a roster and a policy, for tests.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::dsse::{Envelope, PAYLOAD_TYPE};
use attestry_schemas::key::SigningKey;
use attestry_schemas::predicate::UtcTime;
use attestry_schemas::statement::{ResourceDescriptor, Statement};
use attestry_schemas::trusted_root::TrustedRoot;
use attestry_schemas::verify;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::config::{Config, Settings};
use crate::gate::delivery::{DeliveryNumbers, Scope};
use crate::gate::deployments::Brought;
use crate::gate::status::Status;
use crate::gate::{Decided, Request};
use crate::init::{DEFAULT_NAMESPACE, InitOptions, init};
use crate::log::{Receipt, Submission};
use crate::metrics::Metrics;
use crate::server::Running;
use crate::testing::{self, Registry};

/// The environment of the policy.
pub(super) const ENVIRONMENT: &str = "production";
/// The name of every artifact.
pub(super) const NAME: &str = "pay/api";
pub(super) const EXPIRES: &str = "2099-01-01T00:00:00Z";

/// The policy of most tests: a signed artifact without grave vulnerabilities, deployed by the deployer.
pub(super) const RULES: &str = r#"
[[rule]]
type = "signature"
signers = ["ci"]
[[rule]]
type = "vuln-scan"
signers = ["scanner"]
block = "high"
[[rule]]
type = "deployer"
signers = ["deployer"]
[waivers]
group = "leads"
threshold = 1
[break_glass]
group = "leads"
threshold = 1
"#;

/// The registry.
pub(super) struct Governed {
    pub(super) running: Running,
    registry: Registry,
    _dir: tempfile::TempDir,
}

/// A signer by its name in the roster; `stranger` is trusted and not in it.
pub(super) fn key(name: &str) -> SigningKey {
    let names = ["root", "ci", "scanner", "deployer", "lead", "stranger", "boss"];
    let number = names.iter().position(|known| *known == name).unwrap();
    SigningKey::from_ed25519_seed([100 + u8::try_from(number).unwrap(); 32])
}

/// So many seconds from now.
pub(super) fn at(seconds: i64) -> UtcTime {
    let now = Clock::system().now().as_second();
    jiff::Timestamp::from_second(now + seconds).unwrap().into()
}

/// Artifact `n`.
pub(super) fn artifact(n: u64) -> Sha256 {
    Sha256::of(&n.to_be_bytes())
}

/// Waits until something is so.
#[track_caller]
pub(super) fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is() {
        assert!(Instant::now() < deadline, "{what}: not within 20 seconds");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Settings with a webhook.
pub(super) fn telling(url: &str) -> Settings {
    Settings { event_webhook_url: Some(url.to_owned()), ..Settings::default() }
}

fn start(path: &Path, clock: Clock, settings: Settings) -> Running {
    let config = Config::load(path, None, settings).unwrap();
    let folder = Registry::of(path.to_owned()).folder();
    Running::start(&folder, config, clock, Arc::new(Metrics::new())).unwrap()
}

/// A signed statement about an artifact.
pub(super) fn envelope(
    by: &str,
    type_: &str,
    subject: Sha256,
    name: Option<&str>,
    predicate: Value,
) -> Envelope {
    let digest = Some(Digest::from(subject).into());
    let name = name.map(str::to_owned);
    let subject = ResourceDescriptor { name, digest, ..Default::default() };
    let statement = Statement::new(vec![subject], type_, predicate).unwrap();
    Envelope::sign(PAYLOAD_TYPE, &statement.to_json(), &key(by))
}

impl Governed {
    pub(super) fn new() -> Self {
        Self::with(RULES, None)
    }

    pub(super) fn with(rules: &str, webhook: Option<&str>) -> Self {
        Self::set(rules, Clock::system(), webhook.map(telling).unwrap_or_default())
    }

    /// A registry whose clock stands so many seconds ago.
    pub(super) fn ago(rules: &str, seconds: i64) -> Self {
        Self::set(rules, Clock::fixed(at(-seconds).timestamp()), Settings::default())
    }

    pub(super) fn set(rules: &str, clock: Clock, settings: Settings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let public = |name: &str| key(name).public_key().clone();
        let signers = ["ci", "scanner", "deployer", "lead", "stranger", "boss"];
        init(InitOptions {
            root_keys: vec![public("root")],
            trusted_keys: signers.map(public).to_vec(),
            ..testing::options(&path)
        })
        .unwrap();
        let governed = Self {
            running: start(&path, clock, settings),
            registry: Registry::of(path),
            _dir: dir,
        };
        governed.publish_roster();
        governed.publish_policy(1, rules);
        governed
    }

    /// Stops, and starts again.
    pub(super) fn restarted(self) -> Self {
        self.restarted_with(Settings::default())
    }

    /// Stops, and starts again by the system's clock.
    pub(super) fn restarted_with(self, settings: Settings) -> Self {
        let Self { mut running, registry, _dir } = self;
        running.stop();
        drop(running);
        Self { running: start(registry.path(), Clock::system(), settings), registry, _dir }
    }

    /// The roster as a document.
    pub(super) fn roster_text(&self, version: u64) -> String {
        let signer = |name: &str, may: &str, more: &str| {
            let fingerprint = key(name).public_key().fingerprint();
            format!(
                "[[signer]]\nname = \"{name}\"\nkey = \"{fingerprint}\"\nmay = [{may}]\n{more}\n"
            )
        };
        let builder = "builders = [{ id = \"https://example.org/builder\", level = 3 }]";
        format!("schema = \"roster/v1\"\nversion = {version}\nexpires = {EXPIRES}\n")
            + &signer("ci", "\"signature\", \"provenance\"", builder)
            + &signer("scanner", "\"vulns\", \"readiness\"", "")
            + &signer("deployer", "\"deployment\"", "principals = [\"token:deploy\"]")
            + &signer(
                "lead",
                "\"waiver\", \"approval\", \"break-glass\", \"policy\", \"review\"",
                "",
            )
            + &signer("boss", "\"approval\", \"review\"", "")
            + "[groups]\nleads = [\"lead\", \"boss\"]\n[policies]\ngroup = \"leads\"\nthreshold = 1\n"
    }

    fn publish_roster(&self) {
        let digest = self.content(&self.roster_text(1));
        let predicate =
            json!({"version": 1, "digest": {"sha256": digest.hex()}, "expires": EXPIRES});
        self.state("root", "https://attestry.dev/roster/v1", digest, predicate);
    }

    pub(super) fn publish_policy(&self, version: u64, rules: &str) -> Receipt {
        self.publish_policy_by("lead", version, rules)
    }

    pub(super) fn publish_policy_by(&self, by: &str, version: u64, rules: &str) -> Receipt {
        let text = format!(
            "schema = \"policy/v1\"\nname = \"{ENVIRONMENT}\"\nversion = {version}\nexpires = {EXPIRES}\nmode = \"enforce\"\n[match]\nartifacts = [\"pay/**\"]\nenvironments = [\"{ENVIRONMENT}\"]\n{rules}"
        );
        let digest = self.content(&text);
        let predicate = json!({
            "name": ENVIRONMENT,
            "version": version,
            "digest": {"sha256": digest.hex()},
            "expires": EXPIRES,
        });
        self.state(by, "https://attestry.dev/policy/v1", digest, predicate)
    }

    pub(super) fn content(&self, text: &str) -> Sha256 {
        let digest = Sha256::of(text.as_bytes());
        self.running.store.put_small_content(digest, text.as_bytes()).unwrap();
        digest
    }

    /// Logs a statement about an artifact.
    pub(super) fn state(
        &self,
        by: &str,
        type_: &str,
        subject: Sha256,
        predicate: Value,
    ) -> Receipt {
        self.log(&envelope(by, type_, subject, None, predicate), by)
    }

    pub(super) fn log(&self, envelope: &Envelope, by: &str) -> Receipt {
        self.submit(testing::of_envelope(envelope, &key(by), DEFAULT_NAMESPACE))
    }

    pub(super) fn submit(&self, submission: Submission) -> Receipt {
        let payload = &submission.payload;
        self.running.store.prepare_content(payload.digest, &payload.bytes).unwrap();
        self.running.log.submit(submission).unwrap().blocking_recv().unwrap().unwrap()
    }

    /// By which a pack of the registry is opened.
    pub(super) fn trusted_root(&self) -> TrustedRoot {
        let text = std::fs::read(self.registry.path().join("trusted_root.json")).unwrap();
        TrustedRoot::parse(&text).unwrap()
    }

    /// Has CI sign the artifact.
    pub(super) fn sign(&self, n: u64) {
        self.state("ci", verify::SIGN_V1, artifact(n), json!({}));
    }

    /// How many leaves there are: what has it inside is another statement each time.
    pub(super) fn size(&self) -> u64 {
        self.running.store.reader().tree_size().unwrap()
    }

    /// Logs a scan that finds these, each of high severity.
    pub(super) fn scan(&self, n: u64, found: &[&str]) -> Receipt {
        let result = found.iter().map(
            |id| json!({"id": id, "severity": [{"method": "cvss_severity", "score": "high"}]}),
        );
        let predicate = json!({
            "scanner": {
                "uri": "pkg:generic/scanner@1",
                "version": "1",
                "db": {"uri": "pkg:generic/db", "version": self.size().to_string(), "lastUpdate": at(0)},
                "result": result.collect::<Vec<_>>(),
            },
            "metadata": {"scanStartedOn": at(0), "scanFinishedOn": at(0)},
        });
        let type_ = "https://in-toto.io/attestation/vulns/v0.2";
        self.state("scanner", type_, artifact(n), predicate)
    }

    /// Asks the gate as the deployer.
    pub(super) fn decide(&self, n: u64) -> Decided {
        self.decide_for(n, ENVIRONMENT)
    }

    pub(super) fn decide_for(&self, n: u64, environment: &str) -> Decided {
        let request = Request {
            subject: artifact(n),
            name: Some(NAME.to_owned()),
            environment: environment.to_owned(),
            caller: Some("token:deploy".to_owned()),
            configuration: None,
        };
        self.running.gate.decide(&request).unwrap().0
    }

    /// Signs, scans and decides.
    pub(super) fn allow(&self, n: u64) -> Sha256 {
        self.sign(n);
        self.scan(n, &[]);
        let decided = self.decide(n);
        assert!(decided.decision.passed(), "{:#?}", decided.decision.policies());
        decided.digest
    }

    pub(super) fn deployment(kind: &str, decision: Option<Sha256>) -> Value {
        let mut predicate = json!({
            "environment": ENVIRONMENT,
            "kind": kind,
            "startedAt": at(0),
            "finishedAt": at(0),
        });
        if let Some(decision) = decision {
            predicate["decision"] = json!({"sha256": decision.hex()});
        }
        predicate
    }

    pub(super) fn record(&self, by: &str, n: u64, predicate: Value) -> Receipt {
        let type_ = "https://attestry.dev/deployment/v1";
        self.log(&envelope(by, type_, artifact(n), Some(NAME), predicate), by)
    }

    /// Records a deployment by a decision.
    pub(super) fn deploy(&self, n: u64, decision: Sha256) -> Receipt {
        self.record("deployer", n, Self::deployment("deployed", Some(decision)))
    }

    pub(super) fn status(&self) -> Vec<Status> {
        self.running.gate.status(None, false).unwrap().0
    }

    pub(super) fn numbers(&self) -> DeliveryNumbers {
        self.running.gate.numbers(&Scope::default()).unwrap()
    }

    /// The newest verdict in the log about a deployment.
    pub(super) fn verdict(&self, deployment: Sha256, n: u64) -> Option<bool> {
        self.verdict_as(NAME, deployment, n)
    }

    /// The same of what it brought by another name.
    pub(super) fn verdict_as(&self, name: &str, statement: Sha256, n: u64) -> Option<bool> {
        let brought = Brought { statement, subject: artifact(n), name: Some(name.to_owned()) };
        let ledger = self.running.gate.ledger().unwrap();
        ledger.counted.decisions.verdict(&brought).map(|(compliant, _)| compliant)
    }
}
