//! The command line against the OCI side of a real registry: what is signed lies beside its artifact, is found there,
//! moves with it, and a tag's history is proven; what lies is refused.

use attestry_schemas::digest::Sha256;
use attestry_schemas::key::PublicKey;
use attestry_tests::{Client, Dir, Registry, Request, Server, programs};
use serde_json::{Value, json};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

struct Setting {
    dir: Dir,
    registry: Registry,
    server: Server,
    /// Host and port.
    host: String,
}

impl Setting {
    /// A registry that trusts the key `ours`, and an image at `pay/api:1`.
    fn new() -> Self {
        let programs = programs!();
        let mut dir = Dir::new(&programs);
        for name in ["ours", "theirs"] {
            dir.run(&["key", "generate", "--out", name, "--type", "p256"]).expect(0);
        }
        let ours = PublicKey::from_pem(&String::from_utf8(dir.read("ours.pub")).unwrap()).unwrap();
        let (registry, server) = Registry::init_and_serve_at_its_url(&programs, &[&ours]);
        let root = server.client().get("/v1/trusted-root").expect(200).body;
        dir.write("trusted-root", root);
        dir.write("provenance.json", attestry_tests::provenance().to_string());
        dir.set("ATTESTRY_TOKEN", &server.token);
        dir.set("ATTESTRY_REGISTRY", &server.url);
        let host = server.url.trim_start_matches("http://").to_owned();
        let setting = Self { dir, registry, server, host };
        setting.image("pay/api", "1", b"the first");
        setting
    }

    fn client(&self) -> Client {
        self.server.client()
    }

    fn reference(&self, rest: &str) -> String {
        format!("oci://{}/{rest}", self.host)
    }

    fn blob(&self, name: &str, bytes: &[u8]) -> Value {
        let digest = Sha256::of(bytes);
        let path = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        let request = Request::new("POST", &path)
            .header("content-type", "application/octet-stream")
            .body(bytes);
        let _ = self.client().send(&request).unwrap().expect(201);
        json!({ "mediaType": "application/octet-stream", "digest": digest, "size": bytes.len() })
    }

    fn manifest(&self, name: &str, reference: &str, kind: &str, document: &Value) -> String {
        let bytes = document.to_string().into_bytes();
        let digest = Sha256::of(&bytes).to_string();
        let reference = if reference.is_empty() { digest.clone() } else { reference.to_owned() };
        let path = format!("/v2/{name}/manifests/{reference}");
        let request = Request::new("PUT", &path).header("content-type", kind).body(bytes);
        let _ = self.client().send(&request).unwrap().expect(201);
        digest
    }

    /// An image of one layer; gives its digest.
    fn image(&self, name: &str, tag: &str, layer: &[u8]) -> String {
        let mut config = self.blob(name, b"{}");
        config["mediaType"] = EMPTY.into();
        let document = json!({
            "schemaVersion": 2, "mediaType": IMAGE, "artifactType": "application/vnd.example",
            "config": config, "layers": [self.blob(name, layer)],
        });
        self.manifest(name, tag, IMAGE, &document)
    }

    /// A referrer of one layer; gives its digest.
    fn referrer(&self, name: &str, subject: &str, layer: &[u8], annotations: Value) -> String {
        let mut config = self.blob(name, b"{}");
        config["mediaType"] = EMPTY.into();
        let mut layer = self.blob(name, layer);
        layer["mediaType"] = BUNDLE.into();
        let document = json!({
            "schemaVersion": 2, "mediaType": IMAGE, "artifactType": BUNDLE, "config": config,
            "layers": [layer], "annotations": annotations,
            "subject": { "mediaType": IMAGE, "digest": subject, "size": 1 },
        });
        self.manifest(name, "", IMAGE, &document)
    }

    fn digest_of(&self, name: &str, tag: &str) -> String {
        let path = format!("/v2/{name}/manifests/{tag}");
        let request = Request::new("GET", &path).header("accept", IMAGE);
        let reply = self.client().send(&request).unwrap().expect(200);
        reply.header("docker-content-digest").to_owned()
    }
}

#[test]
fn what_is_signed_about_an_image_lies_beside_it_and_verifies_by_tag_and_digest() {
    let setting = Setting::new();
    let Setting { dir, .. } = &setting;
    let image = setting.reference("pay/api:1");
    let verify = ["verify", &image, "--key", "ours.pub"];
    dir.run(&verify).expect(1).says(&["none, and nothing else about it"]);
    let signed = dir.run(&["sign", &image, "--key", "ours.key"]).expect(0);
    let signed = signed.says(&["logged by", "bundle in oci://", " is sha256:"]);
    assert_eq!(signed.stdout, "");
    let attest = ["attest", &image, "--type", "provenance", "--predicate", "provenance.json"];
    let attested = dir.run(&[&attest[..], &["--key", "ours.key", "--json"]].concat()).expect(0);
    let attached = attested.json()["attached"][0].as_str().unwrap().to_owned();
    assert!(attached.starts_with(&setting.reference("pay/api@sha256:")), "{attached}");

    let rooted = ["--trusted-root", "trusted-root"];
    dir.run(&[&verify[..], &rooted].concat()).expect(0).says(&["✓ inclusion", "✓ checkpoint"]);
    let typed = ["--type", "provenance", "--type", "spdx"];
    dir.run(&[&verify[..], &rooted, &typed[..2]].concat()).expect(0);
    dir.run(&[&verify[..], &rooted, &typed].concat()).expect(1).says(&["spdx"]);
    let digest = setting.digest_of("pay/api", "1");
    let by_digest = setting.reference(&format!("pay/api@{digest}"));
    dir.run(&["verify", &by_digest, "--key", "ours.pub"]).expect(0).says(&["not checked"]);
    dir.run(&["verify", &by_digest, "--key", "theirs.pub"]).expect(1).says(&["signature"]);

    // The tag moves on; what was signed stays signed, and the new image is not.
    setting.image("pay/api", "1", b"the second");
    dir.run(&verify).expect(1);
    dir.run(&["verify", &by_digest, "--key", "ours.pub"]).expect(0);
    // The evidence that was pushed is also in the log's index, once.
    let found = dir.run(&["search", "--subject", &digest, "--json"]).expect(0);
    assert_eq!(found.stdout.lines().count(), 2, "{}", found.stdout);
    setting.finish();
}

#[test]
fn a_bundle_is_put_beside_the_image_that_it_is_about_and_only_once() {
    let setting = Setting::new();
    let Setting { dir, .. } = &setting;
    let image = setting.reference("pay/api:1");
    let out = ["--out", "s.json", "--no-push", "--offline"];
    dir.run(&[&["sign", &image, "--key", "ours.key"][..], &out].concat()).expect(0);
    dir.run(&["verify", &image, "--key", "ours.pub"]).expect(1);
    dir.run(&["verify", &image, "--key", "ours.pub", "--bundle", "s.json"]).expect(0);
    let first = dir.run(&["push", &image, "s.json"]).expect(0);
    assert_eq!(dir.run(&["push", &image, "s.json"]).expect(0).stdout, first.stdout);
    dir.run(&["verify", &image, "--key", "ours.pub"]).expect(0);
    let tree = dir.run(&["tree", &image, "--json"]).expect(0).json();
    assert_eq!(tree["artifact"]["children"].as_array().unwrap().len(), 1, "{tree}");

    setting.image("pay/api", "2", b"another");
    let other = setting.reference("pay/api:2");
    dir.run(&["push", &other, "s.json"]).expect(1).says(&["as a subject"]);
    dir.run(&["push", &image]).expect(2).says(&["expected bundles"]);
    dir.run(&["push", &image, "provenance.json"]).expect(2);
    dir.run(&["push", "oci://UPPER CASE/x", "s.json"]).expect(2);
    dir.run(&["sign", &setting.reference("pay/none:1"), "--key", "ours.key"])
        .expect(2)
        .says(&["404"]);
    setting.finish();
}

#[test]
fn junk_beside_an_image_hides_no_signature() {
    let setting = Setting::new();
    let Setting { dir, .. } = &setting;
    let digest = setting.digest_of("pay/api", "1");
    let image = setting.reference("pay/api:1");
    for number in 0..300 {
        let sign = "https://sigstore.dev/cosign/sign/v1";
        let junk = format!("{{\"junk\": {number}}}");
        let says = json!({ "dev.sigstore.bundle.predicateType": sign });
        setting.referrer("pay/api", &digest, junk.as_bytes(), says);
    }
    dir.run(&["verify", &image, "--key", "ours.pub"]).expect(1).says(&["300 pieces of evidence"]);
    dir.run(&["sign", &image, "--key", "ours.key"]).expect(0);
    dir.run(&["verify", &image, "--key", "ours.pub"]).expect(0);
    setting.finish();
}

#[test]
fn signatures_of_cosign_2_count_for_the_image_that_they_name() {
    use attestry_schemas::base64;
    use attestry_schemas::key::SigningKey;

    let setting = Setting::new();
    let Setting { dir, .. } = &setting;
    let key: SigningKey = attestry_tests::p256_key();
    dir.write("cosign.pub", key.public_key().to_pem());
    let image = setting.digest_of("pay/api", "1");
    let other = setting.image("pay/api", "2", b"another");
    let document = json!({
        "critical": {
            "identity": { "docker-reference": "pay/api" },
            "image": { "docker-manifest-digest": image },
            "type": "cosign container image signature",
        },
        "optional": null,
    })
    .to_string();
    let mut config = setting.blob("pay/api", b"{}");
    config["mediaType"] = EMPTY.into();
    let mut layer = setting.blob("pay/api", document.as_bytes());
    layer["mediaType"] = "application/vnd.dev.cosign.simplesigning.v1+json".into();
    let signature = base64::encode(key.sign(document.as_bytes()));
    layer["annotations"] = json!({ "dev.cosignproject.cosign/signature": signature });
    let signatures =
        json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [layer] });
    for digest in [&image, &other] {
        let tag = format!("{}.sig", digest.replace(':', "-"));
        setting.manifest("pay/api", &tag, IMAGE, &signatures);
    }
    let verify = |tag: &str, key: &str| {
        dir.run(&["verify", &setting.reference(&format!("pay/api:{tag}")), "--key", key])
    };
    verify("1", "cosign.pub").expect(0).says(&[".sig", "which the signed document"]);
    verify("1", "ours.pub").expect(1).says(&["signature"]);
    // The same signature beside another image is none of that image.
    verify("2", "cosign.pub").expect(1).says(&["subject"]);
    setting.finish();
}

#[test]
fn a_copy_has_the_manifests_and_all_evidence_and_is_made_once() {
    let setting = Setting::new();
    let target = Registry::init_and_serve_at_its_url(&programs!(), &[]);
    let (other, served) = &target;
    let Setting { dir, .. } = &setting;
    let one = setting.digest_of("pay/api", "1");
    let two = setting.image("pay/api", "", b"the second");
    let entry = |digest: &str| json!({ "mediaType": IMAGE, "digest": digest, "size": 1 });
    let mut entries = vec![entry(&one), entry(&two)];
    for entry in &mut entries {
        let path = format!("/v2/pay/api/manifests/{}", entry["digest"].as_str().unwrap());
        entry["size"] = setting.client().get(&path).expect(200).body.len().into();
    }
    entries[1]["platform"] = json!({ "os": "linux", "architecture": "arm64" });
    let document = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
    setting.manifest("pay/api", "all", INDEX, &document);
    let source = setting.reference("pay/api:all");
    dir.run(&["sign", &source, "--key", "ours.key"]).expect(0);
    let by_digest = setting.reference(&format!("pay/api@{one}"));
    dir.run(&["sign", &by_digest, "--key", "ours.key"]).expect(0);
    let tree =
        dir.run(&["tree", &source]).expect(0).says(&["linux/arm64", "sign/v1", "said to be by"]);
    assert_eq!(tree.stdout.lines().count(), 6, "{}", tree.stdout);

    // Within one registry, by mount.
    let near = setting.reference("mirror/api");
    let copied = dir.run(&["copy", &source, &near, "--json"]).expect(0).json();
    assert_eq!(copied["blobs"], 0, "{copied}");
    assert_eq!((&copied["manifests"], &copied["referrers"]), (&json!(5), &json!(2)), "{copied}");
    // To another, with its token in docker's configuration.
    let host = served.url.trim_start_matches("http://");
    let auth = attestry_schemas::base64::encode(format!("any:{}", other.token));
    std::fs::create_dir(dir.path(".docker")).unwrap();
    let config = json!({ "auths": { host: { "auth": auth } } });
    dir.write(".docker/config.json", config.to_string());
    let far = format!("oci://{host}/mirror/api:released");
    let copied = dir.run(&["copy", &source, &far, "--json"]).expect(0).json();
    assert_eq!(copied["manifests"], 5, "{copied}");
    assert_eq!(copied["blobs_mounted"], 0, "{copied}");
    let again = dir.run(&["copy", &source, &far, "--json"]).expect(0).json();
    assert_eq!((&again["manifests"], &again["bytes"]), (&json!(0), &json!(0)), "{again}");
    for place in [&near, &far] {
        let place =
            if place.ends_with("released") { place.clone() } else { format!("{place}:all") };
        dir.run(&["verify", &place, "--key", "ours.pub"]).expect(0);
        let copy = dir.run(&["tree", &place]).expect(0).stdout;
        let below = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(below(&copy), below(&tree.stdout));
    }
    // Nobody writes there without the token.
    std::fs::remove_file(dir.path(".docker/config.json")).unwrap();
    let refused = format!("oci://{host}/mirror/api:more");
    dir.run(&["copy", &source, &refused]).expect(2).says(&["401", "log in"]);
    setting.finish();
    let (other, served) = target;
    served.terminate();
    other.demand_clean();
}

#[test]
fn the_history_of_a_tag_is_proven_by_the_log() {
    let setting = Setting::new();
    let Setting { dir, .. } = &setting;
    let tag = setting.reference("pay/api:1");
    setting.image("pay/api", "1", b"the second");
    let verify = ["tag", "verify", &tag, "--trusted-root", "trusted-root"];
    dir.run(&verify).expect(0).says(&["2 moves, numbered without gaps", "points to sha256:"]);
    let request = Request::new("DELETE", "/v2/pay/api/manifests/1");
    let _ = setting.client().send(&request).unwrap().expect(202);
    dir.run(&verify).expect(0).says(&["3 moves", "points to nowhere"]);
    setting.image("pay/api", "1", b"the third");
    let proven = dir.run(&[&verify[..], &["--json"]].concat()).expect(0).json();
    assert_eq!((&proven["moves"], &proven["verified"]), (&json!(4), &json!(true)), "{proven}");
    assert_eq!(proven["digest"], setting.digest_of("pay/api", "1"), "{proven}");

    let history = dir.run(&["tag", "history", &tag]).expect(0);
    let events: Vec<&str> =
        history.stdout.lines().map(|line| line.split_whitespace().nth(2).unwrap()).collect();
    assert_eq!(events, ["created", "deleted", "created", "created"], "{}", history.stdout);
    let newest =
        dir.run(&["tag", "history", &tag, "--limit", "1"]).expect(0).says(&["there are more"]);
    assert_eq!(newest.stdout.lines().count(), 1);
    dir.run(&["tag", "verify", &setting.reference("pay/api:never")]).expect(2).says(&["never was"]);
    // Another log's root proves nothing.
    let (other, served) = Registry::init_and_serve_at_its_url(&programs!(), &[]);
    dir.write("other-root", served.client().get("/v1/trusted-root").expect(200).body);
    let wrong = ["tag", "verify", &tag, "--trusted-root", "other-root"];
    dir.run(&wrong).expect(1).says(&["is not proven"]);
    drop((other, served));
    setting.finish();
}

#[test]
fn stock_cosign_verifies_what_lies_beside_an_image_and_the_other_way_round() {
    let Some(cosign) = crate::cosign::cosign() else { return };
    let setting = Setting::new();
    let Setting { dir, .. } = &setting;
    dir.run_program(&cosign, &["generate-key-pair", "--output-key-prefix", "stock"]).expect(0);
    let auth = attestry_schemas::base64::encode(format!("any:{}", setting.registry.token));
    std::fs::create_dir(dir.path(".docker")).unwrap();
    let config = json!({ "auths": { &setting.host: { "auth": auth } } });
    dir.write(".docker/config.json", config.to_string());
    let image = setting.reference("pay/api:1");
    let named = image.trim_start_matches("oci://").to_owned();
    dir.run(&["sign", &image, "--key", "ours.key"]).expect(0);
    let attest = ["attest", &image, "--type", "provenance", "--predicate", "provenance.json"];
    dir.run(&[&attest[..], &["--key", "ours.key"]].concat()).expect(0);
    let stock = |command: &[&str], key: &str, rest: &[&str]| {
        let args = [command, &["--key", key, "--allow-http-registry"], rest, &[&named]].concat();
        dir.run_program(&cosign, &args)
    };
    let rooted = ["--trusted-root", "trusted-root"];
    stock(&["verify"], "ours.pub", &rooted).expect(0);
    let kind = ["--type", "slsaprovenance1"];
    stock(&["verify-attestation"], "ours.pub", &[&rooted[..], &kind].concat()).expect(0);
    assert_ne!(stock(&["verify"], "stock.pub", &rooted).status, Some(0));

    let unlogged = ["--use-signing-config=false", "--tlog-upload=false", "--yes"];
    stock(&["sign"], "stock.key", &unlogged).expect(0);
    let predicate = ["--predicate", "provenance.json"];
    stock(&["attest"], "stock.key", &[&unlogged[..], &kind, &predicate].concat()).expect(0);
    let verify = ["verify", &image, "--key", "stock.pub"];
    dir.run(&verify).expect(0);
    dir.run(&[&verify[..], &["--type", "provenance"]].concat()).expect(0);
    // What moves keeps its evidence, for cosign too.
    let copy = setting.reference("mirror/api:1");
    dir.run(&["copy", &image, &copy]).expect(0);
    let copied = copy.trim_start_matches("oci://").to_owned();
    let args = ["verify", "--key", "ours.pub", "--allow-http-registry", &copied];
    dir.run_program(&cosign, &[&args[..], &rooted].concat()).expect(0);
    setting.finish();
}

impl Setting {
    /// Whatever happened, the store is sound.
    fn finish(self) {
        let Self { registry, server, .. } = self;
        server.terminate();
        registry.demand_clean();
    }
}
