//! The OCI API: every route and its refusals, in the specification's form and as they are described.

use attestry_schemas::digest::Sha256;
use attestry_schemas::oci::BlobDigest;
use attestry_schemas::oci::media_type::{EMPTY, OCI_INDEX, OCI_MANIFEST};
use serde_json::{Value, json};

use super::conformance::{Answer, Described, small, with_server};
use super::*;

const NAME: &str = "pay/api";

/// The media type that a request names.
fn typed<'a>(server: &'a Described, media_type: &'a str) -> [(&'static str, &'a str); 2] {
    [("authorization", &server.token), ("content-type", media_type)]
}

fn digest(bytes: &[u8]) -> String {
    Sha256::of(bytes).to_string()
}

pub(super) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest(bytes), "size": bytes.len()})
}

/// An image of these layers, about a subject if one is given.
fn image(layers: &[&[u8]], subject: Option<&[u8]>) -> Vec<u8> {
    let layers: Vec<Value> = layers.iter().map(|l| descriptor("application/x-layer", l)).collect();
    let mut image = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/x-thing",
        "config": descriptor(EMPTY, b"{}"),
        "layers": layers,
        "annotations": {"org.opencontainers.image.title": "thing"},
    });
    if let Some(subject) = subject {
        image["subject"] = descriptor(OCI_MANIFEST, subject);
    }
    image.to_string().into_bytes()
}

fn index(manifests: &[&[u8]]) -> Vec<u8> {
    let manifests: Vec<Value> = manifests.iter().map(|m| descriptor(OCI_MANIFEST, m)).collect();
    json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests})
        .to_string()
        .into_bytes()
}

/// Demands that a refusal has this code, and words in its message.
#[track_caller]
pub(super) fn refused(answer: &Answer, code: &str, words: &[&str]) {
    let error = answer.json()["errors"][0].clone();
    assert_eq!(error["code"], code, "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(words.iter().all(|word| message.contains(word)), "{message}");
}

pub(super) async fn push_blob(server: &Described, name: &str, bytes: &[u8]) {
    let path = format!("POST /v2/{name}/blobs/uploads/?digest={}", digest(bytes));
    let pushed = server.write(&path, 201, bytes).await;
    assert_eq!(pushed.header("docker-content-digest"), digest(bytes));
}

pub(super) async fn push_image(server: &Described, name: &str, at: &str, bytes: &[u8]) -> Answer {
    let path = format!("PUT /v2/{name}/manifests/{at}");
    server.ask(&path, 201, &typed(server, OCI_MANIFEST), bytes).await
}

/// Begins a session; returns its path.
async fn session(server: &Described) -> String {
    let begun = server.write(&format!("POST /v2/{NAME}/blobs/uploads/"), 202, "").await;
    begun.header("location").to_owned()
}

/// Asks every route with success.
pub(super) async fn conforms(server: &Described) {
    for method in ["GET", "HEAD"] {
        server.ask(&format!("{method} /v2/"), 401, &[], "").await;
        server.write(&format!("{method} /v2/"), 200, "").await;
        server.write(&format!("{method} /v2/token?scope=repository:{NAME}:pull"), 200, "").await;
        let wrong = [("authorization", "Bearer attestry_wrong")];
        server.ask(&format!("{method} /v2/token"), 401, &wrong, "").await;
    }
    let password = server.token.trim_start_matches("Bearer ");
    let form = format!("grant_type=password&password={password}&scope=repository:{NAME}:push");
    server.ask("POST /v2/token", 200, &[], form).await;
    server.ask("POST /v2/token", 401, &[], "grant_type=password&password=x").await;
    let refused_form = server.ask("POST /v2/token", 400, &[], "grant_type=refresh_token").await;
    refused(&refused_form, "UNSUPPORTED", &["grant_type=password"]);
    blobs(server).await;
    let thing = manifests(server).await;
    listings(server, &thing).await;
    for what in [format!("manifests/{}", digest(&thing)), format!("blobs/{}", digest(b"layer"))] {
        server.ask(&format!("DELETE /v2/{NAME}/{what}"), 401, &[], "").await;
        server.write(&format!("DELETE /v2/{NAME}/{what}"), 202, "").await;
        server.write(&format!("DELETE /v2/{NAME}/{what}"), 404, "").await;
        server.get(&format!("/v2/{NAME}/{what}"), 404).await;
    }
}

async fn blobs(server: &Described) {
    push_blob(server, NAME, b"{}").await;
    push_blob(server, NAME, b"layer").await;
    let path = session(server).await;
    let first = server.write(&format!("PATCH {path}"), 202, "chunk").await;
    assert_eq!(first.header("range"), "0-4");
    for method in ["GET", "HEAD"] {
        let status = server.write(&format!("{method} {path}"), 204, "").await;
        assert_eq!(status.header("range"), "0-4");
        server.ask(&format!("{method} {path}"), 401, &[], "").await;
    }
    let end = format!("PUT {path}?digest={}", digest(b"chunked"));
    let ended = server.write(&end, 201, "ed").await;
    assert_eq!(ended.header("location"), format!("/v2/{NAME}/blobs/{}", digest(b"chunked")));
    server.write(&format!("GET {path}"), 404, "").await;
    let path = session(server).await;
    server.write(&format!("DELETE {path}"), 204, "").await;
    server.write(&format!("DELETE {path}"), 404, "").await;
    let blob = format!("/v2/{NAME}/blobs/{}", digest(b"chunked"));
    assert_eq!(server.get(&blob, 200).await.body, b"chunked");
    for method in ["GET", "HEAD"] {
        let what = format!("{method} {blob}");
        let tag = format!("\"{}\"", digest(b"chunked"));
        server.ask(&what, 200, &[], "").await;
        server.ask(&what, 304, &[("if-none-match", &tag)], "").await;
    }
    let part = server.ask(&format!("GET {blob}"), 206, &[("range", "bytes=1-2")], "").await;
    assert_eq!((part.body.as_slice(), part.header("content-range")), (&b"hu"[..], "bytes 1-2/7"));
    let beyond = server.ask(&format!("GET {blob}"), 416, &[("range", "bytes=7-")], "").await;
    refused(&beyond, "SIZE_INVALID", &["7 bytes", "bytes=7-"]);
    let mount = format!("POST /v2/pay/web/blobs/uploads/?mount={}", digest(b"chunked"));
    server.write(&format!("{mount}&from={NAME}"), 201, "").await;
    server.write(&format!("{mount}&from=nobody/here"), 202, "").await;
}

/// Returns the manifest that `latest` points to.
async fn manifests(server: &Described) -> Vec<u8> {
    let thing = image(&[b"layer"], None);
    let pushed = push_image(server, NAME, "latest", &thing).await;
    assert_eq!(pushed.header("docker-content-digest"), digest(&thing));
    let tagged = format!("{}?tag=v1&tag=v2", digest(&thing));
    push_image(server, NAME, &tagged, &thing).await;
    for reference in ["latest", "v1", "v2", &digest(&thing)] {
        let path = format!("/v2/{NAME}/manifests/{reference}");
        let answer = server.get(&path, 200).await;
        assert_eq!(
            (answer.body.as_slice(), answer.header("content-type")),
            (&thing[..], OCI_MANIFEST)
        );
        let head = server.ask(&format!("HEAD {path}"), 200, &[], "").await;
        assert_eq!(head.header("docker-content-digest"), digest(&thing));
    }
    let list = index(&[&thing]);
    let path = format!("PUT /v2/{NAME}/manifests/all");
    server.ask(&path, 201, &typed(server, OCI_INDEX), list.clone()).await;
    assert_eq!(server.get(&format!("/v2/{NAME}/manifests/all"), 200).await.body, list);
    let about = image(&[], Some(&thing));
    let pushed = push_image(server, NAME, &digest(&about), &about).await;
    assert_eq!(pushed.header("oci-subject"), digest(&thing));
    server.write(&format!("DELETE /v2/{NAME}/manifests/v2"), 202, "").await;
    server.get(&format!("/v2/{NAME}/manifests/v2"), 404).await;
    thing
}

async fn listings(server: &Described, thing: &[u8]) {
    let digest = digest(thing);
    let expect = |path: String, at: &'static str, expected: Value| async move {
        let found = server.get(&path, 200).await.json();
        server.ask(&format!("HEAD {path}"), 200, &[], "").await;
        assert_eq!(found.pointer(at), Some(&expected), "{path}: {found:#}");
    };
    expect(format!("/v2/{NAME}/tags/list"), "/tags", json!(["all", "latest", "v1"])).await;
    expect("/v2/_catalog?n=1".to_owned(), "/repositories", json!([NAME])).await;
    expect("/v2/_catalog?n=1&last=pay/api".to_owned(), "/repositories", json!(["pay/web"])).await;
    let referrers = format!("/v2/{NAME}/referrers/{digest}");
    expect(referrers.clone(), "/manifests/0/artifactType", json!("application/x-thing")).await;
    let filtered = format!("{referrers}?artifactType=application/x-other");
    expect(filtered.clone(), "/manifests", json!([])).await;
    assert_eq!(server.get(&filtered, 200).await.header("oci-filters-applied"), "artifactType");
    let history = format!("/v2/{NAME}/_oci/tag-history/v2");
    let event = "/manifests/0/annotations/org.opencontainers.distribution.tag.event";
    expect(history, event, json!("deleted")).await;
    let evidence = format!("/v1/repositories/{NAME}/evidence/{digest}");
    expect(evidence, "/evidence", json!([])).await;
    let unknown = format!("/v1/repositories/{NAME}/evidence/{}", self::digest(b"unknown"));
    let problem = server.get(&unknown, 404).await.json();
    assert!(problem["type"].as_str().unwrap().ends_with("/not-found"), "{problem}");
}

#[test]
fn names_that_are_none_are_refused_with_the_code_of_what_they_should_be() {
    with_server(small(), async |server| {
        let good = digest(b"x");
        let upper = format!("sha256:{}", "A".repeat(64));
        for name in ["Pay/api", "pay/../api", "pay//api", "pay%00api", "pay%2f..%2fapi", "pay/.api"]
        {
            for path in
                ["tags/list".to_owned(), format!("blobs/{good}"), "manifests/latest".to_owned()]
            {
                let path = format!("/v2/{name}/{path}");
                let answer = server.get(&path, 400).await;
                refused(&answer, "NAME_INVALID", &["repository"]);
            }
            let path = format!("POST /v2/{name}/blobs/uploads/");
            refused(&server.write(&path, 400, "").await, "NAME_INVALID", &["repository"]);
        }
        for wrong in ["sha256:1", &upper, "md5:00", "sha256:%00", "sha256:..%2f..%2fetc"] {
            for path in [
                format!("blobs/{wrong}"),
                format!("referrers/{wrong}"),
                format!("manifests/{wrong}"),
            ] {
                let answer = server.get(&format!("/v2/{NAME}/{path}"), 400).await;
                refused(&answer, "DIGEST_INVALID", &["sha256:<64 hex digits>"]);
            }
        }
        let long = "a".repeat(129);
        for wrong in [".hidden", "-a", "a%0d%0aSet-Cookie:%20a=b", "a%00", "a%20b", long.as_str()] {
            for path in [format!("manifests/{wrong}"), format!("_oci/tag-history/{wrong}")] {
                // A text with a colon is to be a digest.
                let code = if wrong.contains(':') && path.starts_with("man") {
                    "DIGEST_INVALID"
                } else {
                    "TAG_INVALID"
                };
                let answer = server.get(&format!("/v2/{NAME}/{path}"), 400).await;
                refused(&answer, code, &["expected"]);
                assert!(answer.headers.get("set-cookie").is_none(), "{wrong}");
            }
        }
    });
}

#[test]
fn pages_of_any_size_are_answered_and_what_is_no_number_is_refused() {
    with_server(small(), async |server| {
        push_blob(server, NAME, b"{}").await;
        let thing = image(&[], None);
        for tag in ["a", "b", "c"] {
            push_image(server, NAME, tag, &thing).await;
        }
        let long = "9".repeat(5000);
        for (n, tags) in
            [("0", 0), ("1", 1), ("2", 2), ("3", 3), ("18446744073709551616", 3), (&long, 3)]
        {
            for path in
                [format!("/v2/{NAME}/tags/list"), format!("/v2/{NAME}/referrers/{}", digest(b"s"))]
            {
                let page = server.get(&format!("{path}?n={n}"), 200).await;
                if let Some(found) = page.json()["tags"].as_array() {
                    assert_eq!(found.len(), tags, "{n:.20}");
                    assert_eq!(page.header("link").is_empty(), !(1..3).contains(&tags), "{n:.20}");
                }
            }
            server.get(&format!("/v2/_catalog?n={n}"), 200).await;
            server.get(&format!("/v2/{NAME}/_oci/tag-history/a?n={n}"), 200).await;
        }
        for n in ["-1", "a", "1.5", "", "%00", "0x10"] {
            for path in
                ["_catalog", &format!("{NAME}/tags/list"), &format!("{NAME}/_oci/tag-history/a")]
            {
                let answer = server.get(&format!("/v2/{path}?n={n}"), 400).await;
                refused(&answer, "PAGINATION_NUMBER_INVALID", &["whole number"]);
            }
        }
        // Following the links gives each tag once.
        let (mut path, mut seen) = (format!("/v2/{NAME}/tags/list?n=1"), Vec::new());
        while !path.is_empty() {
            let page = server.get(&path, 200).await;
            seen.extend(page.json()["tags"].as_array().unwrap().clone());
            let link = page.header("link");
            path = link.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        }
        assert_eq!(seen, ["a", "b", "c"]);
    });
}

#[test]
fn manifests_that_lie_or_confuse_are_refused() {
    with_server(small(), async |server| {
        push_blob(server, NAME, b"{}").await;
        push_blob(server, NAME, b"layer").await;
        let thing = image(&[b"layer"], None);
        let text = String::from_utf8(thing.clone()).unwrap();
        let put = format!("PUT /v2/{NAME}/manifests/t");
        let cases: &[(&str, &str, String, u16, &str)] = &[
            ("no JSON", OCI_MANIFEST, "{".to_owned(), 400, "MANIFEST_INVALID"),
            ("an index by its header", OCI_INDEX, text.clone(), 400, "MANIFEST_INVALID"),
            ("no manifest", "application/json", "{}".to_owned(), 400, "MANIFEST_INVALID"),
            (
                "an image with manifests",
                OCI_MANIFEST,
                text.replacen('{', "{\"manifests\":[],", 1),
                400,
                "MANIFEST_INVALID",
            ),
            (
                "a member twice",
                OCI_MANIFEST,
                text.replacen('{', "{\"schemaVersion\":2,", 1),
                400,
                "MANIFEST_INVALID",
            ),
            (
                "another size than the blob's",
                OCI_MANIFEST,
                text.replacen("\"size\":5", "\"size\":6", 1),
                400,
                "MANIFEST_INVALID",
            ),
            (
                "a layer that is not here",
                OCI_MANIFEST,
                text.replace(&digest(b"layer"), &digest(b"other")),
                400,
                "MANIFEST_BLOB_UNKNOWN",
            ),
            ("deep", OCI_MANIFEST, "[".repeat(100_000), 400, "MANIFEST_INVALID"),
            ("large", OCI_MANIFEST, " ".repeat((4 << 20) + 1), 413, "MANIFEST_INVALID"),
        ];
        for (what, media_type, body, status, code) in cases {
            let answer = server.ask(&put, *status, &typed(server, media_type), body.as_str()).await;
            assert_eq!(answer.json()["errors"][0]["code"], *code, "{what}");
            server.get(&format!("/v2/{NAME}/manifests/t"), 404).await;
        }
        let elsewhere = format!("PUT /v2/{NAME}/manifests/{}", digest(b"other"));
        let answer = server.ask(&elsewhere, 400, &typed(server, OCI_MANIFEST), thing.clone()).await;
        refused(&answer, "DIGEST_INVALID", &[&digest(&thing), &digest(b"other")]);
        let beside_a_tag = format!("{put}?tag=v1");
        let answer =
            server.ask(&beside_a_tag, 400, &typed(server, OCI_MANIFEST), thing.clone()).await;
        refused(&answer, "UNSUPPORTED", &["tag"]);
        let many: Vec<String> = (0..33).map(|n| format!("tag=t{n}")).collect();
        let many = format!("PUT /v2/{NAME}/manifests/{}?{}", digest(&thing), many.join("&"));
        server.ask(&many, 400, &typed(server, OCI_MANIFEST), thing).await;
    });
}

#[test]
fn a_manifest_with_a_million_descriptors_is_refused_before_it_costs_much() {
    with_server(small(), async |server| {
        push_blob(server, NAME, b"{}").await;
        let put = format!("PUT /v2/{NAME}/manifests/t");
        // As many as four MiB hold, each of the fewest bytes that parse at all.
        let entry =
            format!("{{\"mediaType\":\"a/b\",\"digest\":\"{}\",\"size\":1}},", digest(b"x"));
        let fit = (4 << 20) / entry.len() - 3;
        let body = format!(
            "{{\"schemaVersion\":2,\"mediaType\":\"{OCI_INDEX}\",\"manifests\":[{}]}}",
            entry.repeat(fit).trim_end_matches(',')
        );
        let answer = server.ask(&put, 400, &typed(server, OCI_INDEX), body).await;
        refused(&answer, "MANIFEST_INVALID", &["at most 10000", &fit.to_string()]);
        let body = format!(
            "{{\"schemaVersion\":2,\"mediaType\":\"{OCI_INDEX}\",\"manifests\":[{}]}}",
            "{},".repeat(1_000_000).trim_end_matches(',')
        );
        server.ask(&put, 400, &typed(server, OCI_INDEX), body).await;
    });
}

#[test]
fn chunks_out_of_order_are_refused_and_told_how_far_the_session_is() {
    with_server(small(), async |server| {
        let path = session(server).await;
        let chunk = |range: &'static str| {
            [("authorization", server.token.as_str()), ("content-range", range)]
        };
        let patch = format!("PATCH {path}");
        server.ask(&patch, 202, &chunk("0-3"), "0123").await;
        for wrong in
            ["0-3", "5-8", "4", "4-", "-4", "x-y", "bytes 9-8/*", "4-3", "4-99999999999999999999"]
        {
            let answer = server.ask(&patch, 416, &chunk(wrong), "4567").await;
            refused(&answer, "BLOB_UPLOAD_INVALID", &["byte 4"]);
            assert_eq!((answer.header("location"), answer.header("range")), (path.as_str(), "0-3"));
        }
        server.ask(&patch, 202, &chunk("bytes 4-7/8"), "4567").await;
        let put = format!("PUT {path}?digest={}", digest(b"0123456789"));
        server.ask(&put, 416, &chunk("4-5"), "89").await;
        server.ask(&put, 201, &chunk("8-9"), "89").await;
        let blob = format!("/v2/{NAME}/blobs/{}", digest(b"0123456789"));
        assert_eq!(server.get(&blob, 200).await.body, b"0123456789");
    });
}

#[test]
fn a_chunk_that_is_announced_otherwise_than_its_range_is_refused_before_anything_of_it_is_kept() {
    with_server(small(), async |server| {
        let chunk = |range: &'static str| {
            [("authorization", server.token.as_str()), ("content-range", range)]
        };
        let path = session(server).await;
        server.ask(&format!("PATCH {path}"), 202, &chunk("0-3"), "0123").await;
        for body in ["456", "45678"] {
            let end = format!("?digest={}", digest(format!("0123{body}").as_bytes()));
            for (method, query) in [("PATCH", ""), ("PUT", end.as_str())] {
                let what = format!("{method} {path}{query}");
                let answer = server.ask(&what, 400, &chunk("4-7"), body).await;
                let found = format!("found {}", body.len());
                refused(&answer, "SIZE_INVALID", &["expected 4 bytes", &found]);
                let status = server.write(&format!("GET {path}"), 204, "").await;
                assert_eq!(status.header("range"), "0-3");
            }
        }
        let all = "4-18446744073709551615";
        let answer = server.ask(&format!("PATCH {path}"), 400, &chunk(all), "0123").await;
        refused(&answer, "SIZE_INVALID", &["found 4"]);
    });
}

#[test]
fn uploads_that_lie_about_digest_or_size_leave_nothing() {
    with_server(small(), async |server| {
        let path = session(server).await;
        server.write(&format!("PUT {path}"), 400, "x").await;
        let wrong = server.write(&format!("PUT {path}?digest=sha256:1"), 400, "x").await;
        refused(&wrong, "DIGEST_INVALID", &["sha256:1"]);
        let wrong = server.write(&format!("PUT {path}?digest={}", digest(b"y")), 400, "x").await;
        refused(&wrong, "DIGEST_INVALID", &[&digest(b"y"), &digest(b"x")]);
        server.write(&format!("GET {path}"), 404, "").await;
        let large = vec![7; 200_001];
        let whole = format!("POST /v2/{NAME}/blobs/uploads/?digest={}", digest(&large));
        refused(&server.write(&whole, 413, large.clone()).await, "SIZE_INVALID", &["200000 bytes"]);
        let path = session(server).await;
        server.write(&format!("PATCH {path}"), 202, vec![7; 150_000]).await;
        server.write(&format!("PATCH {path}"), 413, vec![7; 150_000]).await;
        for bytes in [&b"x"[..], b"y", &large] {
            server.get(&format!("/v2/{NAME}/blobs/{}", digest(bytes)), 404).await;
        }
        let sha512 = BlobDigest::sha512_of(b"long").to_string();
        let whole = format!("POST /v2/{NAME}/blobs/uploads/?digest={sha512}");
        server.write(&whole, 400, "other").await;
        server.write(&whole, 201, "long").await;
        assert_eq!(server.get(&format!("/v2/{NAME}/blobs/{sha512}"), 200).await.body, b"long");
    });
}

#[test]
fn sessions_are_bounded() {
    let settings = Settings { max_uploads: Some(16), ..small() };
    with_server(settings, async |server| {
        // Of the session of a whole blob nobody knows, so it does not outlive its request.
        let large = vec![7; 200_001];
        let whole = format!("POST /v2/{NAME}/blobs/uploads/?digest={}", digest(&large));
        for _ in 0..3 {
            server.write(&whole, 413, large.clone()).await;
        }
        // One principal has an eighth of all.
        session(server).await;
        session(server).await;
        let path = format!("POST /v2/{NAME}/blobs/uploads/");
        let answer = server.write(&path, 429, "").await;
        refused(&answer, "TOOMANYREQUESTS", &["at most 2 uploads"]);
    });
}

#[test]
fn a_repository_shows_no_blob_of_another() {
    with_server(small(), async |server| {
        let secret = b"a secret layer";
        push_blob(server, "secret/one", secret).await;
        push_blob(server, NAME, b"{}").await;
        let path = format!("/v2/{NAME}/blobs/{}", digest(secret));
        server.get(&path, 404).await;
        server.ask(&format!("HEAD {path}"), 404, &[], "").await;
        server.ask(&format!("GET {path}"), 404, &[("range", "bytes=0-1")], "").await;
        // Not by what keeps files for statements either, neither its bytes nor that it is there.
        server.get(&format!("/v1/content/{}", digest(secret)), 404).await;
        server.write(&format!("PUT /v1/content/{}", digest(secret)), 201, &secret[..]).await;
        assert_eq!(server.get(&format!("/v1/content/{}", digest(secret)), 200).await.body, secret);
        // A manifest that names it does not make it the repository's.
        let thing = image(&[secret], None);
        let put = format!("PUT /v2/{NAME}/manifests/t");
        let answer = server.ask(&put, 400, &typed(server, OCI_MANIFEST), thing).await;
        refused(&answer, "MANIFEST_BLOB_UNKNOWN", &[&digest(secret)]);
        let mount =
            format!("POST /v2/{NAME}/blobs/uploads/?mount={}&from=other/one", digest(secret));
        server.write(&mount, 202, "").await;
        server.get(&path, 404).await;
    });
}

#[test]
fn overlapping_ranges_are_not_multiplied() {
    with_server(small(), async |server| {
        let bytes = vec![7; 100_000];
        push_blob(server, NAME, &bytes).await;
        let ranges = format!("bytes={}", ["0-99999"; 16].join(","));
        let path = format!("GET /v2/{NAME}/blobs/{}", digest(&bytes));
        let answer = server.ask(&path, 200, &[("range", &ranges)], "").await;
        assert_eq!(answer.body.len(), bytes.len());
    });
}

#[test]
fn what_is_not_there_is_refused_in_the_form_of_the_specification() {
    with_server(small(), async |server| {
        for what in ["GET /v2/a/b", "PUT /v2/pay/api/what/ever", "GET /v2/pay/api/blobs"] {
            let answer = server.plain(what, 404).await;
            refused(&answer, "NAME_UNKNOWN", &["nothing is at this path"]);
        }
        for (what, allowed) in [
            ("POST /v2/", "GET, HEAD"),
            ("PUT /v2/pay/api/tags/list", "GET, HEAD"),
            ("PATCH /v2/pay/api/manifests/latest", "GET, HEAD, PUT, DELETE"),
            ("POST /v2/pay/api/blobs/uploads/1", "GET, HEAD, PATCH, PUT, DELETE"),
        ] {
            let answer = server.plain(what, 405).await;
            refused(&answer, "UNSUPPORTED", &["expected", allowed]);
            assert_eq!(answer.header("allow"), allowed);
        }
        // Without HEAD's body, as everywhere.
        server.ask(&format!("HEAD /v2/{NAME}/manifests/latest"), 404, &[], "").await;
        refused(
            &server.get(&format!("/v2/{NAME}/manifests/latest"), 404).await,
            "MANIFEST_UNKNOWN",
            &["latest"],
        );
        server.stop_log();
        let whole = format!("POST /v2/{NAME}/blobs/uploads/?digest={}", digest(b"x"));
        refused(&server.write(&whole, 503, "x").await, "TOOMANYREQUESTS", &["stopping"]);
    });
}
