use serde_json::{Value, json};

use super::*;
use crate::digest::Sha256;

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({
        "mediaType": media_type,
        "digest": Sha256::of(bytes).to_string(),
        "size": bytes.len(),
    })
}

fn image() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", b"{}"),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", b"layer")],
        "annotations": {"org.opencontainers.image.title": "app"},
    })
}

fn index() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_INDEX,
        "manifests": [descriptor(media_type::OCI_MANIFEST, b"manifest")],
        "subject": descriptor(media_type::OCI_MANIFEST, b"subject"),
    })
}

fn parse(value: &Value, content_type: Option<&str>) -> Result<Manifest, ManifestError> {
    Manifest::parse(&serde_json::to_vec(value).unwrap(), content_type)
}

/// The value with one member replaced.
fn with(mut value: Value, at: &str, member: Value) -> Value {
    *value.pointer_mut(at).unwrap() = member;
    value
}

/// The value with one member more.
fn plus(mut value: Value, name: &str, member: Value) -> Value {
    value.as_object_mut().unwrap().insert(name.to_owned(), member);
    value
}

#[test]
fn an_image_and_an_index_are_read() {
    let read = parse(&image(), Some("application/vnd.oci.image.manifest.v1+json; q=1")).unwrap();
    assert_eq!(read.kind, Kind::Image);
    assert_eq!(read.artifact_type.as_deref(), Some("application/vnd.oci.image.config.v1+json"));
    let places: Vec<&str> = read.links().map(|link| link.at.as_str()).collect();
    assert_eq!(places, ["config", "layers[0]"]);
    assert_eq!(read.listed_annotations()["org.opencontainers.image.title"], "app");
    let read = parse(&index(), None).unwrap();
    assert_eq!((read.kind, read.artifact_type), (Kind::Index, None));
    assert_eq!(read.subject.unwrap().digest.as_sha256(), Some(Sha256::of(b"subject")));
    let typed = plus(image(), "artifactType", json!("application/vnd.example+json"));
    let read = parse(&typed, None).unwrap();
    assert_eq!(read.artifact_type.as_deref(), Some("application/vnd.example+json"));
}

#[test]
fn dockers_manifests_are_read_as_those_they_have_the_form_of() {
    for (value, media_type, kind) in [
        (image(), media_type::DOCKER_MANIFEST, Kind::Image),
        (index(), media_type::DOCKER_LIST, Kind::Index),
    ] {
        let value = with(value, "/mediaType", json!(media_type));
        assert_eq!(parse(&value, Some(media_type)).unwrap().kind, kind);
    }
    // Without a type of its own it is what the header says, as long as it has that form.
    let mut untyped = index();
    untyped.as_object_mut().unwrap().remove("mediaType");
    assert_eq!(parse(&untyped, Some(media_type::OCI_INDEX)).unwrap().kind, Kind::Index);
    assert!(parse(&untyped, Some(media_type::OCI_MANIFEST)).is_err());
    assert!(parse(&untyped, None).is_err());
}

#[test]
fn what_could_be_two_kinds_of_document_is_refused() {
    let confused = [
        plus(image(), "manifests", json!([])),
        plus(index(), "layers", json!([])),
        plus(index(), "config", json!({})),
        plus(image(), "fsLayers", json!([])),
    ];
    for value in confused {
        let refused = parse(&value, None).unwrap_err();
        assert!(matches!(refused, ManifestError::Confusion { .. }), "{refused}");
    }
    let refused = parse(&image(), Some(media_type::OCI_INDEX)).unwrap_err();
    assert!(matches!(refused, ManifestError::Contradiction { .. }), "{refused}");
    let twice = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"manifests":[]}"#;
    let refused = Manifest::parse(twice, None).unwrap_err();
    assert!(matches!(refused, ManifestError::Json(_)), "{refused}");
}

#[test]
fn members_out_of_form_are_refused_by_their_place() {
    let link = |at: &str, member: Value| with(image(), at, member);
    let upper = format!("sha256:{}", "A".repeat(64));
    for (value, place) in [
        (link("/schemaVersion", json!(1)), "schemaVersion"),
        (link("/layers/0/digest", json!("sha256:../../etc")), "layers[0].digest"),
        (link("/layers/0/digest", json!(upper)), "layers[0].digest"),
        (link("/layers/0/digest", json!(format!("md5:{}", "0".repeat(32)))), "layers[0].digest"),
        (link("/layers/0/mediaType", json!("a\r\nSet-Cookie: b")), "layers[0].mediaType"),
        (link("/config/mediaType", json!("")), "config.mediaType"),
        (plus(image(), "artifactType", json!("a b")), "artifactType"),
    ] {
        let refused = parse(&value, None).unwrap_err();
        match &refused {
            ManifestError::Member { at, .. } => assert_eq!(at, place),
            // The reader of the types has its own words for digests that it does not take.
            ManifestError::Json(_) => assert!(place.ends_with("digest"), "{place}: {refused}"),
            _ => panic!("{place}: {refused}"),
        }
    }
    let other = with(image(), "/mediaType", json!("application/json"));
    assert!(matches!(parse(&other, None), Err(ManifestError::MediaType { .. })));
}

#[test]
fn embedded_data_must_be_the_content_that_it_stands_for() {
    let with_data = |data: &str| {
        let mut value = image();
        value["config"]["data"] = json!(data);
        parse(&value, None)
    };
    assert!(with_data("e30=").is_ok());
    for data in ["e31=", "", "!"] {
        let refused = with_data(data).unwrap_err();
        assert!(
            matches!(&refused, ManifestError::Member { at, .. } if at == "config.data"),
            "{refused}"
        );
    }
}

#[test]
fn sizes_and_counts_are_bounded() {
    let large = vec![b' '; MAX_MANIFEST_BYTES + 1];
    assert!(matches!(Manifest::parse(&large, None), Err(ManifestError::TooLarge { .. })));
    let many = vec![descriptor(media_type::OCI_MANIFEST, b"manifest"); MAX_DESCRIPTORS + 1];
    let refused = parse(&with(index(), "/manifests", Value::Array(many)), None).unwrap_err();
    assert!(matches!(&refused, ManifestError::Member { at, .. } if at == "manifests"), "{refused}");
    let text = "x".repeat(MAX_LISTED_ANNOTATION_BYTES);
    let noisy = with(image(), "/annotations/org.opencontainers.image.title", json!(text));
    let read = parse(&noisy, None).unwrap();
    assert!(read.listed_annotations().is_empty() && !read.annotations.is_empty());
}
