//! Who may do what, with the real programs: tokens that are made and revoked while the server runs, and the
//! record of it on the command line.

use std::process::Command;

use attestry_schemas::digest::Sha256;
use attestry_tests::{Client, Dir, Registry, Request, programs, wait_for};

/// Runs the server's program on the data folder; gives its answer.
fn program(registry: &Registry, args: &[&str]) -> (i32, String) {
    let output = Command::new(programs!().registry)
        .args(args)
        .arg("--data")
        .arg(&registry.data)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code().unwrap(), text + &String::from_utf8_lossy(&output.stderr))
}

fn new_token(registry: &Registry, args: &[&str]) -> String {
    let (status, text) = program(registry, &[&["token", "new"], args].concat());
    assert_eq!(status, 0, "{text}");
    text.lines().next().unwrap().to_owned()
}

fn push(client: &Client, repository: &str, bytes: &[u8]) -> u16 {
    let path = format!("/v2/{repository}/blobs/uploads/?digest={}", Sha256::of(bytes));
    client.send(&Request::new("POST", &path).body(bytes)).unwrap().status
}

#[test]
fn a_token_is_good_from_when_it_is_made_until_it_is_revoked_without_a_restart() {
    let registry = Registry::init(&programs!(), &[]);
    let server = registry.serve();
    let scope = ["ci", "--role", "pull,push", "--on", "pay/**", "--expires", "90d"];
    let token = new_token(&registry, &scope);
    let ci = server.client().with_token(Some(&token));
    assert_eq!(push(&ci, "pay/api", b"x"), 201);
    assert_eq!(push(&ci, "ads/web", b"x"), 403);
    let (_, listed) = program(&registry, &["token", "list"]);
    assert!(listed.contains("ci roles=pull,push on=pay/** expires="), "{listed}");
    assert!(!listed.contains(&token), "a token in the clear");
    let path = "/v2/token?service=x&scope=repository:pay/api:pull,push";
    let made = ci.get(path).expect(200).json();
    let bearer = server.client().with_token(made["token"].as_str());
    assert_eq!(push(&bearer, "pay/api", b"y"), 201);
    assert_eq!(program(&registry, &["token", "revoke", "ci"]).0, 0);
    for client in [&ci, &bearer] {
        assert_eq!(push(client, "pay/api", b"z"), 401);
    }
    assert_eq!(program(&registry, &["token", "revoke", "ci"]).0, 1);
    for wrong in [["ci", "--expires", "2020-01-01T00:00:00Z"], ["ci", "--role", "pull"]] {
        let (status, text) = program(&registry, &[&["token", "new"][..], &wrong].concat());
        assert_eq!(status, 2, "{text}");
    }
    server.terminate();
    let _ = registry.demand_clean();
}

#[test]
fn the_document_rules_from_when_it_is_there_and_its_faults_are_told_by_line() {
    let registry = Registry::init(&programs!(), &[]);
    let server = registry.serve();
    let token = new_token(&registry, &["ci"]);
    let ci = server.client().with_token(Some(&token));
    assert_eq!(push(&ci, "ads/web", b"x"), 201, "every token may everything");
    let path = registry.data.join("access.toml");
    let document = "schema = \"access/v1\"\n[[grant]]\nto = [\"token:ci\"]\nroles = [\"push\"]\non = [\"pay/**\"]\n";
    std::fs::write(&path, document).unwrap();
    assert_eq!((push(&ci, "ads/web", b"y"), push(&ci, "pay/api", b"y")), (403, 201));
    assert_eq!(program(&registry, &["access", "check"]).0, 0);
    std::fs::write(&path, document.replace("push", "psh")).unwrap();
    let (status, text) = program(&registry, &["access", "check"]);
    assert!(status == 1 && text.contains("line 4, column 10"), "{text}");
    assert_eq!((push(&ci, "ads/web", b"z"), push(&ci, "pay/api", b"z")), (403, 201));
    server.terminate();
    let refused = registry.serve_refused();
    assert!(refused.contains("access.toml") && refused.contains("line 4"), "{refused}");
}

#[test]
fn the_command_line_tells_who_did_what() {
    let registry = Registry::init(&programs!(), &[]);
    let server = registry.serve();
    let token = new_token(&registry, &["ci", "--role", "push", "--on", "pay/**"]);
    let ci = server.client().with_token(Some(&token));
    assert_eq!((push(&ci, "pay/api", b"x"), push(&ci, "ads/web", b"x")), (201, 403));
    let mut dir = Dir::new(&programs!());
    dir.set("ATTESTRY_REGISTRY", &server.url);
    dir.set("ATTESTRY_TOKEN", &server.token);
    let told = wait_for("both events", || {
        let told = dir.run(&["audit", "access", "--principal", "token:ci"]).expect(0);
        (told.stdout.lines().count() == 2).then_some(told)
    });
    told.says(&[
        "denied token:ci push POST /v2/ads/web/blobs/uploads/?digest=sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 403 from 127.0.0.1",
        "allowed token:ci push POST /v2/pay/api/blobs/uploads/?digest=sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 201 from 127.0.0.1",
    ]);
    let one = dir.run(&["audit", "access", "--limit", "1", "--outcome", "denied", "--json"]);
    assert_eq!(one.expect(0).json()["namespace"], "ads/web");
    dir.run(&["audit", "access", "--role", "decide"]).expect(0).says(&["found none"]);
    dir.set("ATTESTRY_TOKEN", &token);
    dir.run(&["audit", "access"]).expect(2).says(&["the role audit"]);
    let log = server.log();
    assert!(!log.contains(&token) && log.contains("token:ci"), "{log}");
}
