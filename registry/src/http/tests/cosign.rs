//! Signatures of cosign 2: over a document that names the image, pushed as a tag beside it.

use attestry_schemas::base64;
use attestry_schemas::bundle::{Bundle, Content, MessageSignature};
use attestry_schemas::digest::Sha256;
use attestry_schemas::gate::{Purpose, Question, decide, pack::Pack};
use attestry_schemas::key::SigningKey;
use attestry_schemas::oci::image_signature::{ImageSignature, MEDIA_TYPE};
use attestry_schemas::oci::media_type::{EMPTY, OCI_MANIFEST};
use attestry_schemas::trusted_root::TrustedRoot;
use serde_json::{Value, json};

use super::admission::{Cluster, with_cluster_of};
use super::oci::{descriptor, push_blob, push_image};
use super::*;

const NAME: &str = "pay/api";

fn document(image: &str) -> Vec<u8> {
    let document = json!({
        "critical": {
            "identity": {"docker-reference": "registry.example.com/pay/api"},
            "image": {"docker-manifest-digest": image},
            "type": "cosign container image signature",
        },
        "optional": null,
    });
    document.to_string().into_bytes()
}

/// Pushes a document with its signature beside an image; gives what became of it.
async fn push(cluster: &Cluster<'_>, beside: &str, document: &[u8], key: &SigningKey) -> String {
    for blob in [b"{}".as_slice(), document] {
        push_blob(cluster.server, NAME, blob).await;
    }
    let mut layer = descriptor("application/vnd.dev.cosign.simplesigning.v1+json", document);
    let signature = base64::encode(key.sign(document));
    layer["annotations"] = json!({"dev.cosignproject.cosign/signature": signature});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(EMPTY, b"{}"), "layers": [layer],
    });
    let tag = format!("{}.sig", beside.replace(':', "-"));
    let pushed = push_image(cluster.server, NAME, &tag, manifest.to_string().as_bytes()).await;
    pushed.header("attestry-evidence").to_owned()
}

/// The verdict; 201 where it is a new one, 200 where nothing has come that it depends on.
async fn verdict(cluster: &Cluster<'_>, image: &str, status: u16) -> String {
    let asked = json!({"subject": image, "environment": "production", "name": "registry.example.com/pay/api"});
    let made = cluster.server.write("POST /v1/decisions", status, asked.to_string()).await.json();
    made["result"].as_str().unwrap().to_owned()
}

/// What a pack of the registry decides offline.
async fn offline(cluster: &Cluster<'_>, image: &str) -> bool {
    let path = format!(
        "/v1/packs?subject={image}&environment=production&name=registry.example.com/pay/api"
    );
    let pack = Pack::parse(cluster.server.get(&path, 200).await.body()).unwrap();
    let root = cluster.server.plain("GET /v1/trusted-root", 200).await;
    let opened = pack.open(&TrustedRoot::parse(root.body()).unwrap()).unwrap();
    assert_eq!(opened.left_out, []);
    let question = Question {
        subject: image.parse().unwrap(),
        name: Some("registry.example.com/pay/api".to_owned()),
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

#[test]
fn it_counts_for_the_image_that_its_document_names_here_and_offline() {
    let registry = testing::Registry::rooted(&testing::ed25519());
    with_cluster_of(&registry, Settings::default(), async |cluster| {
        let (ci, stranger) = (&cluster.ci, SigningKey::from_ed25519_seed([77; 32]));
        let image = |version: &str| {
            let config = descriptor("application/vnd.oci.image.config.v1+json", b"{}");
            json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [],
                "annotations": {"version": version}})
            .to_string()
        };
        let mut digests = Vec::new();
        push_blob(cluster.server, NAME, b"{}").await;
        for version in ["1", "2"] {
            let pushed = push_image(cluster.server, NAME, version, image(version).as_bytes()).await;
            digests.push(pushed.header("docker-content-digest").to_owned());
        }
        let [one, two] = digests.as_slice() else { panic!("two images") };
        assert_eq!(verdict(cluster, one, 201).await, "FAILED");
        let refused = push(cluster, one, &document(one), &stranger).await;
        assert_eq!(refused, "logged=0, unsigned=0, refused=1");
        // A document that names another image signs that one, beside whichever it lies.
        assert_eq!(push(cluster, one, &document(two), ci).await, "logged=1, unsigned=0, refused=0");
        assert_eq!(verdict(cluster, one, 200).await, "FAILED");
        assert!(!offline(cluster, one).await);
        assert_eq!(verdict(cluster, two, 201).await, "PASSED");
        // What was posted as a signature of the document alone becomes one of the image.
        let message = document(one);
        let digest = Sha256::of(&message).into();
        let message = MessageSignature { digest, signature: ci.sign(&message) };
        let bundle = Bundle::of_key(ci.public_key(), Content::Message(message)).to_json();
        cluster.server.write("POST /v1/attestations", 201, bundle).await;
        assert_eq!(verdict(cluster, one, 200).await, "FAILED");
        assert_eq!(push(cluster, one, &document(one), ci).await, "logged=1, unsigned=0, refused=0");
        assert_eq!(verdict(cluster, one, 201).await, "PASSED");
        assert!(offline(cluster, one).await);
        let listed =
            cluster.server.get(&format!("/v1/attestations?subject={one}"), 200).await.json();
        let items = listed["items"].as_array().unwrap();
        let item = items.iter().find(|item| item["kind"] == "image-signature").expect("listed");
        assert_eq!(item["subjects"][0]["digest"], Value::from(one.as_str()));
        let path = format!("/v1/attestations/{}", item["digest"].as_str().unwrap());
        let exact = cluster.server.get(&path, 200).await;
        assert_eq!(exact.header("content-type"), MEDIA_TYPE);
        assert_eq!(ImageSignature::parse(exact.body()).unwrap().document(), document(one));
        cluster.server.get(&format!("{path}/bundle"), 200).await;
    });
    let report = crate::fsck::check(registry.path(), &mut |_| {}).unwrap();
    assert_eq!(report.faults, []);
}

#[test]
fn a_pack_that_was_changed_since_is_no_pack() {
    let registry = testing::Registry::rooted(&testing::ed25519());
    with_cluster_of(&registry, Settings::default(), async |cluster| {
        let subject = Sha256::of(b"v1");
        let path = format!(
            "/v1/packs?subject={subject}&environment=production&name=registry.example.com/pay/api"
        );
        let pack = Pack::parse(cluster.server.get(&path, 200).await.body()).unwrap();
        let root = cluster.server.plain("GET /v1/trusted-root", 200).await;
        let root = TrustedRoot::parse(root.body()).unwrap();
        assert_eq!(pack.evidence.len(), 1);
        pack.open(&root).unwrap();
        // A later proof of the same leaf would make evidence younger than it is.
        let digest = cluster.server.get(&format!("/v1/attestations?subject={subject}"), 200).await;
        let digest = digest.json()["items"][0]["digest"].as_str().unwrap().to_owned();
        let size = pack.size;
        let late = format!("/v1/attestations/{digest}/bundle?size={size}");
        let late = cluster.server.get(&late, 200).await.json();
        let mut younger = pack.clone();
        assert_ne!(younger.evidence[0].bundle, late);
        younger.evidence[0].bundle = late;
        let mut poorer = pack.clone();
        poorer.evidence.clear();
        let mut undocumented = pack.clone();
        undocumented.documents.clear();
        let mut unsigned = pack.clone();
        unsigned.signature.clear();
        for changed in [younger, poorer, undocumented, unsigned] {
            let refused = changed.open(&root).unwrap_err().to_string();
            assert!(
                refused.contains("the signature of the registry over the whole pack"),
                "{refused}"
            );
        }
    });
}
