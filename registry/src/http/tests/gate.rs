//! Decisions, replays, packs, and who rules, as they are described.

use attestry_schemas::digest::Sha256;
use serde_json::json;

use super::admission::Cluster;
use super::conformance::says;

/// Asks every route of decisions and governance.
pub(super) async fn conforms(cluster: &Cluster<'_>) {
    let server = cluster.server;
    let path = "POST /v1/decisions";
    let subject = Sha256::of(b"v1");
    let asked = json!({"subject": subject.to_string(), "environment": "production", "name": "registry.example.com/pay/api"});
    let made = server.write(path, 201, asked.to_string()).await.json();
    assert_eq!(made["result"], "PASSED", "{made:#}");
    let again = server.write(path, 200, asked.to_string()).await.json();
    assert_eq!((&again["decision"], &again["cached"]), (&made["decision"], &json!(true)));
    server.ask(path, 401, &[], asked.to_string()).await;
    for (member, value, words) in [
        ("subject", json!("sha256:00"), "subject to be sha256"),
        ("environment", json!("a/../b"), "environment to be a name"),
        ("name", json!("a%2fb"), "name to be a name"),
        ("other", json!(1), "unknown field"),
    ] {
        let mut wrong = asked.clone();
        wrong[member] = value;
        says(&server.write(path, 400, wrong.to_string()).await, &[words]);
    }
    let decision = made["decision"].as_str().unwrap();
    let replay = format!("POST /v1/decisions/{decision}/replay");
    let replayed = server.write(&replay, 200, "").await.json();
    assert_eq!(replayed["same"], true, "{replayed:#}");
    assert_eq!((&replayed["differences"], &replayed["changes"]), (&json!([]), &json!([])));
    let none = Sha256::of(b"no decision");
    server.write(&format!("POST /v1/decisions/{none}/replay"), 404, "").await;
    let roster = server.get("/v1/roster", 200).await.json();
    let signature = roster["signatures"][0].as_str().unwrap();
    server.write(&format!("POST /v1/decisions/{signature}/replay"), 422, "").await;
    server.get("/v1/roster?version=99", 404).await;
    let policies = server.get("/v1/policies", 200).await.json();
    let name = policies["items"][0]["name"].as_str().unwrap().to_owned();
    let policy = server.get(&format!("/v1/policies/{name}"), 200).await.json();
    server.get("/v1/policies/nobody", 404).await;
    let what_if = json!({"policy": policy["document"], "since": "2020-01-01T00:00:00Z"});
    server.write("POST /v1/replays", 200, what_if.to_string()).await;
    let faulty = json!({"policy": "schema = 1", "since": "2020-01-01T00:00:00Z"});
    says(&server.write("POST /v1/replays", 400, faulty.to_string()).await, &["line 1"]);
    let pack = format!("/v1/packs?subject={subject}&environment=production");
    for path in ["/v1/roster", "/v1/policies", &format!("/v1/policies/{name}"), &pack] {
        server.get(path, 200).await;
        server.ask(&format!("HEAD {path}"), 200, &[], "").await;
    }
    server.get("/v1/packs?environment=production", 400).await;
}
