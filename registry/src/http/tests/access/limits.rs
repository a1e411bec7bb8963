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

async fn begin(server: &Described, who: &str) -> String {
    let begun = ask(server, &as_(who), "POST /v2/pay/api/blobs/uploads/", &[], "").await;
    begun.header("location").to_owned()
}

/// Appends so many bytes, of which the client does not tell how many they are.
async fn append(server: &Described, who: &str, path: &str, count: usize) -> Answer {
    ask(server, &as_(who), &format!("PATCH {path}"), &[], vec![7_u8; count]).await
}

#[test]
fn what_comes_in_chunks_counts_while_it_comes_and_the_session_that_goes_beyond_ends() {
    Guarded::new(DOCUMENT, &["pay", "web"]).serve(async |server| {
        let pay = as_("pay");
        let (one, two) = (begin(server, "pay").await, begin(server, "pay").await);
        assert_eq!(append(server, "pay", &one, 400).await.status(), 202);
        let refused = append(server, "pay", &two, 201).await;
        assert_eq!(refused.status(), 403, "{}", refused.text());
        let told = error(&refused);
        assert_eq!(told["code"], "DENIED");
        assert!(told["message"].as_str().unwrap().contains("0 and 601 more"), "{told}");
        assert_eq!(status(server, &pay, &format!("GET {two}")).await, 404, "it has ended");
        assert_eq!(status(server, &pay, &format!("GET {one}")).await, 204);
        // What is announced is refused before it comes.
        let announced = [("content-length", "201")];
        let refused = ask(server, &pay, &format!("PATCH {one}"), &announced, "").await;
        assert_eq!(refused.status(), 403, "{}", refused.text());
        assert_eq!(status(server, &pay, &format!("GET {one}")).await, 404);
        let again = begin(server, "pay").await;
        assert_eq!(append(server, "pay", &again, 600).await.status(), 202, "there is room again");
        let other = begin(server, "web").await;
        assert_eq!(append(server, "web", &other, 100_000).await.status(), 202);
    });
}
