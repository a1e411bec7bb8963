//! How much a principal may keep, over HTTP.

use super::*;

const DOCUMENT: &str = r#"
[[grant]]
to = ["token:pay", "token:web"]
roles = ["pull", "push"]
on = ["pay/**"]

[[limit]]
to = ["token:pay"]
stored_bytes = 600
"#;

#[test]
fn what_goes_beyond_the_quota_of_a_principal_is_denied_and_others_are_not() {
    Guarded::new(DOCUMENT, &["pay", "web"]).serve(async |server| {
        push(server, &as_("pay"), "pay/api", "v1", "1").await;
        let large = vec![7; 600];
        let digest = attestry_schemas::digest::Sha256::of(&large);
        let path = format!("POST /v2/pay/api/blobs/uploads/?digest={digest}");
        let refused = ask(server, &as_("pay"), &path, &[], large.as_slice()).await;
        assert_eq!(refused.status(), 403, "{}", refused.text());
        let error = refused.json()["errors"][0].clone();
        assert_eq!(error["code"], "DENIED");
        let message = error["message"].as_str().unwrap();
        for word in ["token:pay", "at most 600 bytes", "stored_bytes", "600 more"] {
            assert!(message.contains(word), "{message}");
        }
        let blob = format!("HEAD /v2/pay/api/blobs/{digest}");
        assert_eq!(status(server, &as_("pay"), &blob).await, 404, "nothing of it is kept");
        assert_eq!(ask(server, &as_("web"), &path, &[], large.as_slice()).await.status(), 201);
    });
}
