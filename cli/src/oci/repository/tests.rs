use attestry_schemas::digest::Sha256 as Digest;

use super::*;
use crate::oci::transport::tests::{response, serve, transport};

const INDEX: &str = "content-type: application/vnd.oci.image.index.v1+json";
const IMAGE: &str = "content-type: application/vnd.oci.image.manifest.v1+json";

fn repository(authority: &str) -> Repository {
    Repository::new(transport(authority, None), "a".parse().unwrap())
}

fn image() -> String {
    let empty = Digest::of(EMPTY);
    format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{empty}","size":2}},"layers":[]}}"#
    )
}

fn digest(text: &str) -> BlobDigest {
    Digest::of(text.as_bytes()).into()
}

fn page(digests: &[&BlobDigest]) -> String {
    let entries: Vec<String> = digests
        .iter()
        .map(|digest| format!(r#"{{"mediaType":"x/y","digest":"{digest}","size":1}}"#))
        .collect();
    format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","))
}

#[test]
fn a_manifest_is_what_its_digest_names_or_nothing() {
    let (good, other) = (image(), image().replace("[]", "[ ]"));
    let (authority, server) =
        serve(|_| vec![response("200 OK", &[IMAGE], &good), response("200 OK", &[IMAGE], &other)]);
    let repository = repository(&authority);
    assert_eq!(repository.manifest(&digest(&good)).unwrap().bytes, good.as_bytes());
    let error = repository.manifest(&digest(&good)).unwrap_err();
    assert!(matches!(error, OciError::Digest { .. }), "{error}");
    server.join().unwrap();
}

#[test]
fn a_tag_points_to_the_bytes_that_were_read_and_not_to_what_a_header_says() {
    let good = image();
    let lie = format!("docker-content-digest: {}", digest("other"));
    let long = response("200 OK", &[IMAGE], &" ".repeat(MAX_MANIFEST_BYTES + 1));
    let wrong_type = "content-type: application/vnd.oci.image.index.v1+json";
    let (authority, server) = serve(|_| {
        vec![
            response("200 OK", &[IMAGE], &good),
            response("200 OK", &[IMAGE, &lie], &good),
            response("200 OK", &[wrong_type], &good),
            long,
            response("404 Not Found", &[], ""),
        ]
    });
    let (repository, tag) = (repository(&authority), "t".parse().unwrap());
    assert_eq!(repository.tagged(&tag).unwrap().unwrap().digest, digest(&good));
    assert!(matches!(repository.tagged(&tag), Err(OciError::Digest { .. })));
    assert!(matches!(repository.tagged(&tag), Err(OciError::Manifest { .. })));
    assert!(matches!(repository.tagged(&tag), Err(OciError::Malformed { .. })));
    assert!(repository.tagged(&tag).unwrap().is_none());
    drop(server);
}

#[test]
fn a_blob_has_the_size_and_the_digest_of_its_descriptor() {
    let (authority, server) = serve(|_| {
        ["blob", "blo", "blobs", "blub"].map(|body| response("200 OK", &[], body)).to_vec()
    });
    let repository = repository(&authority);
    let wanted = digest("blob");
    assert_eq!(repository.blob(&wanted, 4, 100).unwrap(), b"blob");
    assert!(matches!(repository.blob(&wanted, 4, 100), Err(OciError::Size { .. })));
    assert!(matches!(repository.blob(&wanted, 4, 100), Err(OciError::Size { .. })));
    assert!(matches!(repository.blob(&wanted, 4, 100), Err(OciError::Digest { .. })));
    server.join().unwrap();
}

#[test]
fn a_stream_fails_before_its_end_where_it_is_not_what_its_digest_names() {
    let (authority, server) =
        serve(|_| ["blob", "blub", "blo"].map(|body| response("200 OK", &[], body)).to_vec());
    let repository = repository(&authority);
    let read = || {
        let mut bytes = Vec::new();
        let mut stream = repository.open_blob(&digest("blob"), 4).unwrap();
        stream.read_to_end(&mut bytes).map(|_| bytes.len()).map_err(|e| e.to_string())
    };
    assert_eq!(read(), Ok(4));
    assert!(read().unwrap_err().contains("expected bytes with digest"));
    assert!(read().unwrap_err().contains("expected 1 more bytes"));
    server.join().unwrap();
}

#[test]
fn follows_pages_on_the_same_registry_and_stops_at_a_loop() {
    let (one, two) = (digest("1"), digest("2"));
    let next = "link: </v2/a/referrers/x?last=1>; rel=\"next\"";
    let (authority, server) = serve(|_| {
        vec![
            response("200 OK", &[INDEX, next], &page(&[&one])),
            response("200 OK", &[INDEX], &page(&[&two])),
        ]
    });
    let listing = repository(&authority).referrers(&digest("x")).unwrap();
    assert_eq!(listing.entries.len(), 2);
    assert!(!listing.is_cut);
    assert!(server.join().unwrap()[1].starts_with("GET /v2/a/referrers/x?last=1 "));

    let (authority, server) =
        serve(|_| vec![response("200 OK", &[INDEX, next], &page(&[&one])); 2]);
    let error = repository(&authority).referrers(&digest("x")).unwrap_err();
    assert!(error.to_string().contains("lead back"), "{error}");
    server.join().unwrap();

    let elsewhere = "link: <http://evil.example.com/v2/a>; rel=\"next\"";
    let (authority, server) =
        serve(|_| vec![response("200 OK", &[INDEX, elsewhere], &page(&[&one]))]);
    let error = repository(&authority).referrers(&digest("x")).unwrap_err();
    assert!(matches!(error, OciError::Elsewhere { .. }), "{error}");
    server.join().unwrap();
}

#[test]
fn a_list_that_never_ends_is_cut() {
    let pages = |count: usize| -> Vec<String> {
        let one = |number| {
            let next = format!("link: </v2/a/referrers/x?last={number}>; rel=\"next\"");
            response("200 OK", &[INDEX, &next], &page(&[&digest("1"), &digest("2")]))
        };
        (0..count).map(one).collect()
    };
    let (authority, server) = serve(|_| pages(3));
    let listing = repository(&authority).pages("referrers/x", &[200], 5).unwrap().unwrap();
    assert_eq!(listing.entries.len(), 5);
    assert!(listing.is_cut);
    server.join().unwrap();
}

#[test]
fn an_entry_that_cannot_be_read_hides_no_other() {
    let body = page(&[&digest("1")])
        .replace("[{", r#"[{"mediaType":"x/y","digest":"md5:00","size":1},{"digest":7},{"#);
    let (authority, server) = serve(|_| vec![response("200 OK", &[INDEX], &body)]);
    assert_eq!(repository(&authority).referrers(&digest("x")).unwrap().entries.len(), 1);
    server.join().unwrap();
}

#[test]
fn without_a_list_of_referrers_the_fallback_tag_is_read() {
    let body = page(&[&digest("1")]).replace(
        "\"schemaVersion\":2",
        "\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\"",
    );
    let (authority, server) = serve(|_| {
        vec![
            response("404 Not Found", &[], "404 page not found"),
            response("200 OK", &[INDEX], &body),
            // One that answers with something else has none either.
            response("200 OK", &["content-type: text/html"], "<html>"),
            response("404 Not Found", &[], ""),
        ]
    });
    let repository = repository(&authority);
    let subject = digest("x");
    assert_eq!(repository.referrers(&subject).unwrap().entries.len(), 1);
    assert_eq!(repository.referrers(&subject).unwrap().entries.len(), 0);
    let tag = subject.to_string().replace(':', "-");
    let requests = server.join().unwrap();
    assert!(requests[1].starts_with(&format!("GET /v2/a/manifests/{tag} ")), "{}", requests[1]);
}

#[test]
fn reads_the_links_that_registries_send() {
    for (value, expected) in [
        ("</v2/a?n=1>; rel=\"next\"", Some("/v2/a?n=1")),
        ("</v2/a>;rel=next", Some("/v2/a")),
        ("</p>; rel=\"prev\", </n>; rel=\"next\"", Some("/n")),
        ("</p>; rel=\"prev\",</n>; rel=\"next\"", Some("/n")),
        ("</v2/a>", None),
        ("rel=\"next\"", None),
        ("", None),
    ] {
        assert_eq!(next_link(value).as_deref(), expected, "{value}");
    }
}
