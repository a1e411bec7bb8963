//! The distribution specification against the real server over a real socket: the project's own mirror of the
//! official conformance program, which `./dev conformance` runs where Go is. The cases are data: what is
//! asked, and what status and headers the answer has.

use attestry_schemas::oci::BlobDigest;
use attestry_schemas::oci::media_type::{DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use attestry_tests::oci::{NOTHING, digest, image, index};
use attestry_tests::{Client, Registry, Reply, Request, Server, programs};
use serde_json::{Value, json};

const NAME: &str = "conformance/one";
const OTHER: &str = "conformance/two";

/// One question with what is expected of its answer.
struct Case<'c> {
    what: &'c str,
    ask: String,
    headers: Vec<(&'c str, String)>,
    body: Vec<u8>,
    status: u16,
    expected: Vec<(&'c str, String)>,
}

impl<'c> Case<'c> {
    fn new(what: &'c str, ask: impl Into<String>, status: u16) -> Self {
        let (headers, body, expected) = (Vec::new(), Vec::new(), Vec::new());
        Self { what, ask: ask.into(), headers, body, status, expected }
    }

    fn with(mut self, name: &'c str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = bytes.into();
        self
    }

    /// A header that the answer must have; an empty value stands for none.
    fn gives(mut self, name: &'c str, value: impl Into<String>) -> Self {
        self.expected.push((name, value.into()));
        self
    }
}

/// Asks all cases, and names each that is answered otherwise.
#[track_caller]
fn conforms(client: &Client, cases: Vec<Case<'_>>) {
    let faults: Vec<String> = cases.iter().filter_map(|case| fault(client, case)).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

fn fault(client: &Client, case: &Case<'_>) -> Option<String> {
    let (method, path) = case.ask.split_once(' ').unwrap();
    let mut request = Request::new(method, path);
    for (name, value) in &case.headers {
        request = request.header(name, value.as_str());
    }
    if matches!(method, "PUT" | "POST" | "PATCH") {
        request = request.body(case.body.clone());
    }
    let reply = client.send(&request).unwrap();
    let said =
        || format!("{}: {} gave {}: {:.300}", case.what, case.ask, reply.status, reply.text());
    if reply.status != case.status {
        return Some(format!("expected {}, {}", case.status, said()));
    }
    if reply.status >= 400 && method != "HEAD" && !is_refusal(&reply) {
        return Some(format!("expected the specification's form of errors, {}", said()));
    }
    let other = case.expected.iter().find(|(name, value)| reply.header(name) != value);
    other.map(|(name, value)| {
        format!("expected {name}: {value:?}, found {:?}, {}", reply.header(name), said())
    })
}

/// Whether a body has the form of distribution-spec, "Error Codes".
fn is_refusal(reply: &Reply) -> bool {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let code = body["errors"][0]["code"].as_str().unwrap_or_default();
    !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

fn served() -> (Registry, Server, Client) {
    let registry = Registry::init(&programs!(), &[]);
    let server = registry.serve();
    let client = server.client();
    (registry, server, client)
}

fn session(client: &Client, name: &str) -> String {
    let path = format!("/v2/{name}/blobs/uploads/");
    let reply = client.send(&Request::new("POST", &path).body("")).unwrap().expect(202);
    reply.header("location").to_owned()
}

fn whole(name: &str, bytes: &[u8]) -> String {
    format!("POST /v2/{name}/blobs/uploads/?digest={}", digest(bytes))
}

#[test]
fn blobs_are_pushed_in_every_way_and_pulled() {
    let (registry, server, client) = served();
    let (one, two, three) = (b"in one piece".as_slice(), b"in chunks".as_slice(), b"in a stream");
    let long = vec![7; 300_000];
    let sha512 = BlobDigest::sha512_of(one).to_string();
    let path = |bytes: &[u8]| format!("/v2/{NAME}/blobs/{}", digest(bytes));
    let [put, chunks, stream, cancelled] = [(); 4].map(|()| session(&client, NAME));
    let created = |case: Case<'static>, bytes: &[u8]| {
        case.gives("location", path(bytes)).gives("docker-content-digest", digest(bytes))
    };
    let chunk = |range: &str, status, bytes: &[u8]| {
        Case::new("a chunk", format!("PATCH {chunks}"), status)
            .with("content-range", range)
            .with("content-type", "application/octet-stream")
            .body(bytes)
    };
    conforms(
        &client,
        vec![
            Case::new("the base", "GET /v2/", 200),
            Case::new("a blob that is not here", format!("GET {}", path(one)), 404),
            Case::new("HEAD of it", format!("HEAD {}", path(one)), 404),
            created(Case::new("POST of a whole", whole(NAME, one), 201).body(one), one),
            created(
                Case::new("POST and PUT", format!("PUT {put}?digest={}", digest(&long)), 201)
                    .body(long.clone()),
                &long,
            ),
            chunk("0-3", 202, b"in c").gives("range", "0-3"),
            chunk("5-8", 416, b"unks").gives("range", "0-3").gives("location", chunks.clone()),
            Case::new("the status", format!("GET {chunks}"), 204).gives("range", "0-3"),
            chunk("4-6", 202, b"hun").gives("range", "0-6"),
            created(
                Case::new("the last chunk", format!("PUT {chunks}?digest={}", digest(two)), 201)
                    .with("content-range", "7-8")
                    .body("ks"),
                two,
            ),
            Case::new("an ended session", format!("GET {chunks}"), 404),
            Case::new("a stream", format!("PATCH {stream}"), 202).body(three.to_vec()),
            Case::new("its end", format!("PUT {stream}?digest={}", digest(three)), 201),
            Case::new("cancel", format!("DELETE {cancelled}"), 204),
            Case::new("a cancelled session", format!("PATCH {cancelled}"), 404).body("x"),
            Case::new("sha512", format!("POST /v2/{NAME}/blobs/uploads/?digest={sha512}"), 201)
                .body(one)
                .gives("location", format!("/v2/{NAME}/blobs/{sha512}")),
            Case::new("sha512 read", format!("HEAD /v2/{NAME}/blobs/{sha512}"), 200)
                .gives("content-length", one.len().to_string()),
            Case::new("another digest", whole(NAME, b"x"), 400).body("y"),
            Case::new("no digest", format!("POST /v2/{NAME}/blobs/uploads/?digest=sha256:1"), 400),
            Case::new("a blob", format!("GET {}", path(&long)), 200)
                .gives("content-length", "300000")
                .gives("content-type", "application/octet-stream")
                .gives("content-disposition", "attachment"),
            Case::new("a range", format!("GET {}", path(&long)), 206)
                .with("range", "bytes=10-19")
                .gives("content-length", "10")
                .gives("content-range", "bytes 10-19/300000"),
            Case::new("the end", format!("GET {}", path(&long)), 206)
                .with("range", "bytes=-5")
                .gives("content-range", "bytes 299995-299999/300000"),
            Case::new("beyond the end", format!("GET {}", path(&long)), 416)
                .with("range", "bytes=300000-")
                .gives("content-range", "bytes */300000"),
        ],
    );
    assert_eq!(client.get(&path(&long)).body, long);
    assert_eq!(client.get(&path(two)).body, two);
    let mount = format!("POST /v2/{OTHER}/blobs/uploads/?mount={}", digest(one));
    conforms(
        &client,
        vec![
            Case::new("a mount", format!("{mount}&from={NAME}"), 201)
                .gives("location", format!("/v2/{OTHER}/blobs/{}", digest(one))),
            Case::new(
                "a mount from anywhere",
                format!("POST /v2/conformance/three/blobs/uploads/?mount={}", digest(one)),
                201,
            ),
            Case::new(
                "of what is not there",
                format!("POST /v2/{OTHER}/blobs/uploads/?mount={}&from={NAME}", digest(b"nobody")),
                202,
            ),
            Case::new("a deletion", format!("DELETE {}", path(one)), 202),
            Case::new("again", format!("DELETE {}", path(one)), 404),
            Case::new("gone", format!("GET {}", path(one)), 404),
            Case::new(
                "there for who mounted it",
                format!("GET /v2/{OTHER}/blobs/{}", digest(one)),
                200,
            ),
        ],
    );
    server.terminate();
    registry.demand_clean();
}

#[test]
fn manifests_tags_and_referrers_are_pushed_listed_and_deleted() {
    let (registry, server, client) = served();
    let layer = b"layer".as_slice();
    let thing = image(&[layer], None);
    let docker = String::from_utf8(thing.clone()).unwrap().replace(OCI_MANIFEST, DOCKER_MANIFEST);
    let list = index(&[&thing], None);
    let (about, list_about) = (image(&[], Some(&thing)), index(&[], Some(&thing)));
    let sparse = index(&[b"not here"], None);
    let orphan = image(&[], Some(b"not here"));
    let put = |what: &'static str, at: &str, media_type: &str, bytes: &[u8]| {
        Case::new(what, format!("PUT /v2/{NAME}/manifests/{at}"), 201)
            .with("content-type", media_type)
            .body(bytes)
            .gives("docker-content-digest", digest(bytes))
    };
    let at = |reference: &str| format!("/v2/{NAME}/manifests/{reference}");
    let sha512 = BlobDigest::sha512_of(&thing).to_string();
    let mut missing = put("before its blobs", "early", OCI_MANIFEST, &thing);
    (missing.status, missing.expected) = (400, Vec::new());
    conforms(
        &client,
        vec![
            missing,
            Case::new("configuration", whole(NAME, NOTHING), 201).body(NOTHING),
            Case::new("layer", whole(NAME, layer), 201).body(layer),
            put("by tag", "v1", OCI_MANIFEST, &thing).gives("location", at("v1")),
            put("by digest", &digest(&thing), OCI_MANIFEST, &thing)
                .gives("location", at(&digest(&thing))),
            put("with tags", &format!("{}?tag=v2&tag=v3", digest(&thing)), OCI_MANIFEST, &thing)
                .gives("oci-tag", "v2"),
            Case::new("under sha512", format!("PUT {}", at(&sha512)), 201)
                .with("content-type", OCI_MANIFEST)
                .body(thing.clone())
                .gives("docker-content-digest", sha512.clone()),
            put("Docker's", "docker", DOCKER_MANIFEST, docker.as_bytes()),
            put("an index", "list", OCI_INDEX, &list),
            put("a sparse index", "sparse", OCI_INDEX, &sparse),
            put("about another", &digest(&about), OCI_MANIFEST, &about)
                .gives("oci-subject", digest(&thing)),
            put("an index about another", &digest(&list_about), OCI_INDEX, &list_about)
                .gives("oci-subject", digest(&thing)),
            put("about what is not here", &digest(&orphan), OCI_MANIFEST, &orphan)
                .gives("oci-subject", digest(b"not here")),
            put("a fallback tag", &digest(&thing).replace(':', "-"), OCI_INDEX, &list),
            Case::new("another's digest", format!("PUT {}", at(&digest(b"x"))), 400)
                .with("content-type", OCI_MANIFEST)
                .body(thing.clone()),
            Case::new("by tag", format!("GET {}", at("v1")), 200)
                .gives("content-type", OCI_MANIFEST)
                .gives("docker-content-digest", digest(&thing)),
            Case::new("HEAD", format!("HEAD {}", at("v2")), 200)
                .gives("content-length", thing.len().to_string()),
            Case::new("an index by tag", format!("GET {}", at("list")), 200)
                .gives("content-type", OCI_INDEX),
            Case::new("a tag that is not here", format!("GET {}", at("v9")), 404),
            Case::new("a digest that is not here", format!("HEAD {}", at(&digest(b"x"))), 404),
        ],
    );
    assert_eq!(client.get(&at("v1")).body, thing);
    listings(&client, &thing, &[&about, &list_about], &orphan);
    conforms(
        &client,
        vec![
            Case::new("a tag goes", format!("DELETE {}", at("v3")), 202),
            Case::new("it is gone", format!("GET {}", at("v3")), 404),
            Case::new("again", format!("DELETE {}", at("v3")), 404),
            Case::new("its manifest stays", format!("GET {}", at(&digest(&thing))), 200),
            Case::new("a referrer goes", format!("DELETE {}", at(&digest(&about))), 202),
            Case::new("a manifest goes", format!("DELETE {}", at(&digest(&thing))), 202),
            Case::new("with its tags", format!("GET {}", at("v1")), 404),
            Case::new("a blob goes", format!("DELETE /v2/{NAME}/blobs/{}", digest(layer)), 202),
        ],
    );
    let left = client.get(&format!("/v2/{NAME}/referrers/{}", digest(&thing))).json();
    assert_eq!(left["manifests"].as_array().unwrap().len(), 1, "{left:#}");
    let moves = client.get(&format!("/v2/{NAME}/_oci/tag-history/v3")).expect(200).json();
    let events: Vec<&Value> = moves["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["annotations"]["org.opencontainers.distribution.tag.event"])
        .collect();
    assert_eq!(events, ["deleted", "created"]);
    server.terminate();
    registry.demand_clean();
}

fn listings(client: &Client, thing: &[u8], about: &[&[u8]], orphan: &[u8]) {
    let list = |path: &str| {
        let reply = client.get(path).expect(200);
        let link = reply.header("link").split(['<', '>']).nth(1).map(str::to_owned);
        (reply.json(), link)
    };
    let all = ["docker", "list", &digest(thing).replace(':', "-"), "sparse", "v1", "v2", "v3"];
    let tags = format!("/v2/{NAME}/tags/list");
    assert_eq!(list(&tags).0, json!({"name": NAME, "tags": all}));
    let (mut path, mut seen) = (Some(format!("{tags}?n=3")), Vec::new());
    while let Some(page) = path.take() {
        let (found, next) = list(&page);
        seen.extend(found["tags"].as_array().unwrap().clone());
        path = next;
    }
    assert_eq!(seen, all);
    assert_eq!(list(&format!("{tags}?n=0")).0["tags"], json!([]));
    assert_eq!(list(&format!("{tags}?last=v1")).0["tags"], json!(["v2", "v3"]));
    let referrers = |of: &[u8], query: &str| {
        let path = format!("/v2/{NAME}/referrers/{}{query}", digest(of));
        let reply = client.get(&path).expect(200);
        assert_eq!(reply.header("content-type"), OCI_INDEX);
        let found = reply.json()["manifests"].as_array().unwrap().clone();
        (found, reply.header("oci-filters-applied").to_owned())
    };
    let digests = |found: &[Value]| {
        let mut digests: Vec<String> =
            found.iter().map(|one| one["digest"].as_str().unwrap().to_owned()).collect();
        digests.sort();
        digests
    };
    let mut expected: Vec<String> = about.iter().map(|bytes| digest(bytes)).collect();
    expected.sort();
    let (found, filters) = referrers(thing, "");
    assert_eq!((digests(&found), filters.as_str()), (expected, ""));
    let (found, filters) = referrers(thing, "?artifactType=application/x-list");
    assert_eq!((digests(&found), filters.as_str()), (vec![digest(about[1])], "artifactType"));
    assert_eq!(found[0]["artifactType"], "application/x-list");
    let (found, _) = referrers(b"not here", "");
    assert_eq!(digests(&found), [digest(orphan)]);
    assert_eq!(found[0]["annotations"]["org.opencontainers.image.title"], "a thing");
    assert_eq!(referrers(b"nobody", "").0, Vec::<Value>::new());
}

#[test]
fn urls_in_manifests_are_never_fetched_and_annotations_write_no_lines() {
    let (registry, server, client) = served();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/layer", listener.local_addr().unwrap());
    conforms(&client, vec![Case::new("configuration", whole(NAME, NOTHING), 201).body(NOTHING)]);
    let mut thing: Value = serde_json::from_slice(&image(&[b"elsewhere"], None)).unwrap();
    thing["layers"][0]["urls"] = json!([url]);
    let forged = "x\n2026-01-01T00:00:00Z ERROR forged\r\nSet-Cookie: a=b";
    thing["annotations"][forged] = json!(forged);
    thing["subject"] =
        json!({"mediaType": OCI_MANIFEST, "digest": digest(b"s"), "size": 1, "urls": [url]});
    let bytes = thing.to_string().into_bytes();
    let path = format!("/v2/{NAME}/manifests/t");
    let request = Request::new("PUT", &path).header("content-type", OCI_MANIFEST);
    let reply = client.send(&request.body(bytes.clone())).unwrap().expect(201);
    assert!(reply.headers.get("set-cookie").is_none());
    assert_eq!(client.get(&path).expect(200).body, bytes);
    let listed = client.get(&format!("/v2/{NAME}/referrers/{}", digest(b"s"))).expect(200);
    assert!(listed.headers.get("set-cookie").is_none());
    assert_eq!(listed.json()["manifests"][0]["annotations"][forged], forged);
    for reference in ["a%0aERROR%20forged", "a%0d%0aset-cookie:%20a=b"] {
        let refused = client.get(&format!("/v2/{NAME}/manifests/{reference}")).expect(400);
        assert!(refused.headers.get("set-cookie").is_none());
    }
    let log = server.log();
    let is_forged = |line: &str| line.starts_with("2026-01-01") || line.starts_with("Set-Cookie");
    assert!(!log.lines().any(is_forged), "{log}");
    drop(server);
    let asked = listener.accept();
    assert!(asked.is_err(), "somebody was asked: {asked:?}");
    registry.demand_clean();
}

#[test]
fn a_good_referrer_is_not_hidden_by_thousands_of_others() {
    let (_registry, _server, client) = served();
    conforms(&client, vec![Case::new("configuration", whole(NAME, NOTHING), 201).body(NOTHING)]);
    let thing = image(&[], None);
    let junk = |n: u64| {
        let mut one: Value = serde_json::from_slice(&image(&[], Some(&thing))).unwrap();
        one["artifactType"] = json!("application/x-junk");
        one["annotations"] = json!({"n": n.to_string()});
        one.to_string().into_bytes()
    };
    std::thread::scope(|scope| {
        for part in 0..8 {
            let (client, junk) = (&client, &junk);
            scope.spawn(move || {
                for n in (part * 1250)..((part + 1) * 1250) {
                    let bytes = junk(n);
                    let path = format!("/v2/{NAME}/manifests/{}", digest(&bytes));
                    let request = Request::new("PUT", &path).header("content-type", OCI_MANIFEST);
                    let _ = client.send(&request.body(bytes)).unwrap().expect(201);
                }
            });
        }
    });
    let good = image(&[], Some(&thing));
    let path = format!("/v2/{NAME}/manifests/{}", digest(&good));
    let request = Request::new("PUT", &path).header("content-type", OCI_MANIFEST);
    let _ = client.send(&request.body(good.clone())).unwrap().expect(201);
    let path = format!("/v2/{NAME}/referrers/{}", digest(&thing));
    let found = client.get(&format!("{path}?artifactType=application/x-thing")).expect(200).json();
    assert_eq!(found["manifests"].as_array().unwrap().len(), 1);
    assert_eq!(found["manifests"][0]["digest"], digest(&good));
    // Ten thousand are two pages, and each stands in one of them.
    let (mut path, mut all) = (Some(path), std::collections::BTreeSet::new());
    while let Some(page) = path.take() {
        let reply = client.get(&page).expect(200);
        assert!(reply.body.len() < (4 << 20) + 1024, "{} bytes", reply.body.len());
        for one in reply.json()["manifests"].as_array().unwrap() {
            assert!(all.insert(one["digest"].as_str().unwrap().to_owned()));
        }
        path = reply.header("link").split(['<', '>']).nth(1).map(str::to_owned);
    }
    assert_eq!(all.len(), 10_001);
    assert!(all.contains(&digest(&good)));
}
