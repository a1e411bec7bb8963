//! The record of who did what, over HTTP.

use super::*;

const DOCUMENT: &str = r#"
[[grant]]
to = ["token:pay"]
roles = ["pull", "push"]
on = ["pay/**"]

[[grant]]
to = ["token:auditor"]
roles = ["audit"]
on = ["**"]

[[grant]]
to = ["token:narrow"]
roles = ["audit"]
on = ["ads/**"]

[[limit]]
to = ["token:fast"]
requests_per_second = 1
burst = 3
"#;

async fn events(server: &Described, who: &str, query: &str) -> Vec<Value> {
    // An event is written in a moment: the page is asked for until the last refusal is there.
    let answer = ask(server, &as_(who), &format!("GET /v1/audit/access{query}"), &[], "").await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.json()["items"].as_array().unwrap().clone()
}

/// Asks until there are so many.
async fn eventually(server: &Described, query: &str, count: usize) -> Vec<Value> {
    let begin = std::time::Instant::now();
    loop {
        let found = events(server, "auditor", query).await;
        if found.len() >= count || begin.elapsed().as_secs() > 30 {
            assert_eq!(found.len(), count, "{found:#?}");
            return found;
        }
    }
}

#[test]
fn every_write_and_every_refusal_says_who_what_where_and_what_became_of_it() {
    Guarded::new(DOCUMENT, &["pay", "auditor", "narrow"]).serve(async |server| {
        push(server, &as_("pay"), "pay/api", "v1", "1").await;
        push_blob(server, &as_("pay"), "ads/web", b"x").await;
        status(server, &as_("narrow"), "GET /v2/pay/api/manifests/v1").await;
        status(server, &basic("x", "wrong"), "GET /v2/pay/api/tags/list").await;
        status(server, "", "GET /v1/attestations").await;
        let done = eventually(server, "?outcome=allowed", 2).await;
        let upload = format!("/v2/pay/api/blobs/uploads/?digest={}", Sha256::of(b"{}"));
        for (event, path) in done.iter().zip(["/v2/pay/api/manifests/v1", upload.as_str()]) {
            assert_eq!(event["path"], path, "{event:#}");
            for (name, expected) in [
                ("outcome", "allowed"),
                ("principal", "token:pay"),
                ("role", "push"),
                ("namespace", "pay/api"),
            ] {
                assert_eq!(event[name], expected, "{event:#}");
            }
            assert_eq!(event["status"], 201);
            assert_eq!(event["request"].as_str().unwrap().len(), 36, "the id that the answer has");
        }
        let denied = eventually(server, "?outcome=denied", 4).await;
        let told = |name: &str| denied.iter().map(|event| event[name].clone()).collect::<Vec<_>>();
        assert_eq!(
            told("principal"),
            [json!("anyone"), Value::Null, json!("token:narrow"), json!("token:pay")]
        );
        // The answer hides that it was refused; the record does not.
        assert_eq!(told("status"), [401, 401, 404, 403].map(|status| json!(status)));
        assert_eq!(
            told("namespace"),
            [Value::Null, Value::Null, json!("pay/api"), json!("ads/web")]
        );
        let by = eventually(server, "?principal=token:pay&outcome=denied", 1).await;
        let upload = format!("/v2/ads/web/blobs/uploads/?digest={}", Sha256::of(b"x"));
        assert_eq!(by[0]["path"], upload);
        // Whoever may audit some namespaces sees the events of those.
        let narrow = events(server, "narrow", "").await;
        assert_eq!(narrow.len(), 1, "{narrow:#?}");
        assert_eq!(narrow[0]["namespace"], "ads/web");
        assert_eq!(status(server, &as_("pay"), "GET /v1/audit/access").await, 403);
        assert_eq!(status(server, "", "GET /v1/audit/access").await, 401);
    });
}

#[test]
fn a_query_that_names_what_was_asked_for_is_recorded_as_it_came_and_others_are_not() {
    Guarded::new(DOCUMENT, &["pay", "auditor"]).serve(async |server| {
        let (pay, thing) = (as_("pay"), manifest("1"));
        push_blob(server, &pay, "pay/api", b"{}").await;
        let tagged = format!("{}?tag=v1&tag=v%32", Sha256::of(&thing));
        assert_eq!(put(server, &pay, "pay/api", &tagged, thing).await, 201);
        let long = format!("POST /v2/ads/web/blobs/uploads/?mount={}", "x".repeat(2000));
        assert_eq!(status(server, &pay, &long).await, 403);
        let wrong = basic("x", "wrong");
        for path in ["/v2/token", "/v2/tok%65n", "/v1/attestations"] {
            let what = format!("GET {path}?subject=secret");
            assert_eq!(status(server, &wrong, &what).await, 401, "{path}");
        }
        let done = eventually(server, "?outcome=allowed", 2).await;
        assert_eq!(done[0]["path"], format!("/v2/pay/api/manifests/{tagged}"));
        let denied = eventually(server, "?outcome=denied", 4).await;
        let paths: Vec<&str> = denied.iter().map(|one| one["path"].as_str().unwrap()).collect();
        assert_eq!(paths[..3], ["/v1/attestations", "/v2/tok%65n", "/v2/token"]);
        assert!(paths[3].starts_with("/v2/ads/web/blobs/uploads/?mount=xxx"), "{paths:?}");
        assert_eq!(paths[3].len(), 1000);
    });
}

#[test]
fn pages_hold_every_event_once_and_end() {
    Guarded::new(DOCUMENT, &["pay", "auditor"]).serve(async |server| {
        for number in 0..5_u8 {
            push_blob(server, &as_("pay"), "pay/api", &[number]).await;
            push_blob(server, &as_("pay"), "ads/web", &[number]).await;
        }
        eventually(server, "", 10).await;
        let (mut path, mut numbers) = ("/v1/audit/access?limit=3".to_owned(), Vec::new());
        loop {
            let page = ask(server, &as_("auditor"), &format!("GET {path}"), &[], "").await.json();
            numbers.extend(
                page["items"].as_array().unwrap().iter().map(|e| e["number"].as_u64().unwrap()),
            );
            match page["next"].as_str() {
                Some(next) => path = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(numbers, (1..=10).rev().collect::<Vec<u64>>());
    });
}

#[test]
fn who_asks_more_than_its_share_waits_and_others_do_not() {
    Guarded::new(DOCUMENT, &["pay", "fast", "auditor"]).serve(async |server| {
        let mut answers = Vec::new();
        for _ in 0..6 {
            answers.push(ask(server, &as_("fast"), "GET /v2/", &[], "").await);
        }
        let refused: Vec<&Answer> = answers.iter().filter(|one| one.status() == 429).collect();
        assert!((2..=3).contains(&refused.len()), "{}", refused.len());
        assert_eq!(refused[0].header("retry-after"), "1");
        assert_eq!(error(refused[0])["code"], "TOOMANYREQUESTS");
        let v1 = ask(server, &as_("fast"), "GET /v1/attestations", &[], "").await;
        assert_eq!((v1.status(), v1.header("retry-after")), (429, "1"));
        // The record says whom it was.
        let query = "?principal=token:fast&outcome=denied";
        let recorded = eventually(server, query, refused.len() + 1).await;
        assert!(recorded.iter().all(|event| event["status"] == 429), "{recorded:#?}");
        assert_eq!(status(server, &as_("pay"), "GET /v2/").await, 200);
    });
}

#[test]
fn no_answer_is_one_that_a_browser_runs() {
    Guarded::new(DOCUMENT, &["pay"]).serve(async |server| {
        let page = b"<script>alert(1)</script>";
        push_blob(server, &as_("pay"), "pay/api", page).await;
        let blob = format!("GET /v2/pay/api/blobs/{}", Sha256::of(page));
        for what in
            [blob.as_str(), "GET /healthz", "GET /nothing", "GET /v2/nothing", "PUT /v1/roster"]
        {
            let answer = ask(server, &as_("pay"), what, &[], "").await;
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
            assert!(answer.header("content-security-policy").contains("sandbox"), "{what}");
            assert_eq!(answer.header("x-frame-options"), "DENY", "{what}");
            assert_eq!(answer.header("strict-transport-security"), "", "only over TLS");
            assert!(!answer.header("content-type").contains("html"), "{what}");
        }
    });
}

#[test]
fn a_refused_overwrite_is_told_by_the_role_that_was_lacking() {
    Guarded::new(DOCUMENT, &["pay", "auditor"]).serve(async |server| {
        push(server, &as_("pay"), "pay/api", "v1", "1").await;
        assert_eq!(put(server, &as_("pay"), "pay/api", "v1", manifest("2")).await, 403);
        let [event] = eventually(server, "?role=overwrite", 1).await.try_into().unwrap();
        assert_eq!((&event["outcome"], &event["status"]), (&json!("denied"), &json!(403)));
        assert_eq!(event["path"], "/v2/pay/api/manifests/v1");
    });
}

#[test]
fn a_mount_from_where_one_may_not_read_is_told_by_the_record_alone() {
    Guarded::new(DOCUMENT, &["pay", "auditor"]).serve(async |server| {
        let digest = Sha256::of(b"x");
        let mount = format!("POST /v2/pay/api/blobs/uploads/?mount={digest}&from=ads/web");
        assert_eq!(status(server, &as_("pay"), &mount).await, 202, "as if it were not there");
        let [event] = eventually(server, "?outcome=denied", 1).await.try_into().unwrap();
        assert_eq!((&event["role"], &event["namespace"]), (&json!("pull"), &json!("ads/web")));
        assert!(event["path"].as_str().unwrap().ends_with("&from=ads/web"), "{event:#}");
    });
}
