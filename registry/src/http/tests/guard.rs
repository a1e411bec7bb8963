//! Guards of the pull: what the gate would not let in is refused, or told.

use attestry_schemas::digest::Sha256;
use attestry_schemas::oci::media_type::{EMPTY, OCI_INDEX, OCI_MANIFEST};
use serde_json::json;

use super::admission::{Cluster, with_cluster_of};
use super::conformance::Answer;
use super::oci::{descriptor, push_blob, push_image, refused};
use super::*;

const GUARDS: &str = r#"schema = "guards/v1"
[[guards]]
repositories = ["pay/**"]
environment = "production"
mode = "enforce"
[[guards]]
repositories = ["web/**"]
environment = "production"
mode = "report"
[[guards]]
repositories = ["lab/**"]
environment = "production"
mode = "report"
quarantine = true
[[guards]]
repositories = ["scan/**"]
environment = "production"
mode = "enforce"
exempt = ["anyone"]
"#;

/// An image that a runtime would run.
fn image(layer: &[u8]) -> String {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", b"{}"),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer)],
    })
    .to_string()
}

async fn push(cluster: &Cluster<'_>, name: &str, image: &str) -> String {
    for blob in [b"{}".as_slice(), b"layer"] {
        push_blob(cluster.server, name, blob).await;
    }
    let digest = Sha256::of(image.as_bytes()).to_string();
    push_image(cluster.server, name, &digest, image.as_bytes()).await;
    digest
}

async fn pull(cluster: &Cluster<'_>, name: &str, digest: &str, status: u16) -> Answer {
    let path = format!("/v2/{name}/manifests/{digest}");
    cluster.server.ask(&format!("HEAD {path}"), status, &[], "").await;
    cluster.server.get(&path, status).await
}

async fn decide(cluster: &Cluster<'_>, name: &str, digest: &str) {
    let name = format!("attest.example.org/{name}");
    let asked = json!({"subject": digest, "environment": "production", "name": name});
    let made = cluster.server.write("POST /v1/decisions", 201, asked.to_string()).await.json();
    assert_eq!(made["result"], "PASSED", "{made:#}");
}

fn with_guards(cases: impl AsyncFnOnce(&Cluster<'_>)) {
    let registry = testing::Registry::rooted(&testing::ed25519());
    std::fs::write(registry.path().join(crate::oci::guard::GUARDS_FILE), GUARDS).unwrap();
    with_cluster_of(&registry, Settings::default(), cases);
}

#[test]
fn a_pull_is_refused_until_a_decision_lets_the_image_in_and_once_it_does_not_hold() {
    with_guards(async |cluster| {
        let image = image(b"layer");
        let digest = push(cluster, "pay/api", &image).await;
        let words = ["production", "expected a PASSED decision", "attestry gate"];
        refused(&pull(cluster, "pay/api", &digest, 403).await, "DENIED", &words);
        cluster.sign(&image).await;
        refused(&pull(cluster, "pay/api", &digest, 403).await, "DENIED", &words);
        decide(cluster, "pay/api", &digest).await;
        for _ in 0..2 {
            pull(cluster, "pay/api", &digest, 200).await;
        }
        // Another image of the repository has a decision of its own to get.
        let other = image.replace("schemaVersion\":2", "schemaVersion\":2 ");
        let other = push(cluster, "pay/api", &other).await;
        pull(cluster, "pay/api", &other, 403).await;
        let revoked = "revoked_at = 2020-01-01T00:00:00Z\nreason = \"compromised\"";
        cluster.roster(2, revoked).await;
        refused(&pull(cluster, "pay/api", &digest, 403).await, "DENIED", &["release@1"]);
    });
}

#[test]
fn an_index_that_was_let_in_lets_its_images_pass() {
    with_guards(async |cluster| {
        let image = image(b"layer");
        let digest = push(cluster, "pay/api", &image).await;
        let entry = descriptor(OCI_MANIFEST, image.as_bytes());
        let index =
            json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}).to_string();
        let of_index = Sha256::of(index.as_bytes()).to_string();
        let header =
            [("authorization", cluster.server.token.as_str()), ("content-type", OCI_INDEX)];
        let path = format!("PUT /v2/pay/api/manifests/{of_index}");
        cluster.server.ask(&path, 201, &header, index.clone()).await;
        pull(cluster, "pay/api", &digest, 403).await;
        cluster.sign(&index).await;
        decide(cluster, "pay/api", &of_index).await;
        pull(cluster, "pay/api", &of_index, 200).await;
        pull(cluster, "pay/api", &digest, 200).await;
    });
}

#[test]
fn evidence_is_never_held_back_and_a_subject_makes_no_evidence() {
    with_guards(async |cluster| {
        let image = image(b"layer");
        let about = descriptor(OCI_MANIFEST, image.as_bytes());
        let mut signature: serde_json::Value = serde_json::from_str(&image).unwrap();
        signature["subject"] = about.clone();
        let disguised = push(cluster, "pay/api", &signature.to_string()).await;
        pull(cluster, "pay/api", &disguised, 403).await;
        signature["config"] = descriptor(EMPTY, b"{}");
        signature["artifactType"] = json!("application/x-signature");
        let digest = push(cluster, "pay/api", &signature.to_string()).await;
        pull(cluster, "pay/api", &digest, 403).await;
        // The manifest as a blob is behind the same guard.
        let blob = format!("/v2/pay/api/blobs/{digest}");
        refused(&cluster.server.get(&blob, 403).await, "DENIED", &["production"]);
        signature["layers"] =
            json!([descriptor("application/vnd.dsse.envelope.v1+json", b"layer")]);
        let digest = push(cluster, "pay/api", &signature.to_string()).await;
        pull(cluster, "pay/api", &digest, 200).await;
        // Clients take this for an image, whatever its configuration and layers are called.
        for config in ["application/octet-stream", "text/html", "application/json"] {
            signature["config"] = descriptor(config, b"{}");
            let digest = push(cluster, "pay/api", &signature.to_string()).await;
            pull(cluster, "pay/api", &digest, 403).await;
        }
        // A layer that is no document of cosign 2, but says so.
        signature["config"] = descriptor("application/vnd.oci.image.config.v1+json", b"{}");
        let mut layer = descriptor("application/vnd.dev.cosign.simplesigning.v1+json", b"layer");
        layer["annotations"] = json!({"dev.cosignproject.cosign/signature": "MEUC"});
        signature["layers"] = json!([layer]);
        let digest = push(cluster, "pay/api", &signature.to_string()).await;
        pull(cluster, "pay/api", &digest, 403).await;
    });
}

#[test]
fn a_report_serves_and_tells_but_for_what_is_in_quarantine() {
    with_guards(async |cluster| {
        let image = image(b"layer");
        let digest = push(cluster, "web/shop", &image).await;
        push(cluster, "lab/shop", &image).await;
        push(cluster, "scan/shop", &image).await;
        let told = pull(cluster, "web/shop", &digest, 200).await;
        assert!(told.header("attestry-guard").contains("expected a PASSED decision"));
        pull(cluster, "lab/shop", &digest, 403).await;
        assert_eq!(pull(cluster, "scan/shop", &digest, 200).await.header("attestry-guard"), "");
        cluster.sign(&image).await;
        decide(cluster, "lab/shop", &digest).await;
        pull(cluster, "lab/shop", &digest, 200).await;
        // Another repository has another name, and another decision to get.
        let told = pull(cluster, "web/shop", &digest, 200).await;
        assert!(told.header("attestry-guard").contains("--name web/shop"));
        decide(cluster, "web/shop", &digest).await;
        assert_eq!(pull(cluster, "web/shop", &digest, 200).await.header("attestry-guard"), "");
    });
}
