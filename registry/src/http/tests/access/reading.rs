//! What may not be read is as if it were not there, by every path.

use super::*;

const DOCUMENT: &str = r#"
[groups]
payers = ["token:pay"]

[[grant]]
to = ["anyone"]
roles = ["pull"]
on = ["public/*"]

[[grant]]
to = ["group:payers"]
roles = ["pull", "push", "attest"]
on = ["pay/**"]

[[grant]]
to = ["token:ads"]
roles = ["pull", "push", "attest"]
on = ["ads/**"]

[[grant]]
to = ["token:boss"]
roles = ["admin"]
on = ["**"]
"#;
const NAMES: &[&str] = &["pay", "ads", "boss", "idle"];

#[test]
fn a_repository_that_may_not_be_read_is_answered_as_one_that_is_not_there() {
    Guarded::new(DOCUMENT, NAMES).serve(async |server| {
        let digest = push(server, &as_("pay"), "pay/api", "v1", "1").await;
        let blob = Sha256::of(b"{}");
        for path in [
            "manifests/v1".to_owned(),
            format!("manifests/{digest}"),
            format!("blobs/{blob}"),
            "tags/list".to_owned(),
            format!("referrers/{digest}"),
            "_oci/tag-history/v1".to_owned(),
        ] {
            for who in ["ads", "idle", ""] {
                let who = if who.is_empty() { String::new() } else { as_(who) };
                for method in ["GET", "HEAD"] {
                    let there =
                        ask(server, &who, &format!("{method} /v2/pay/api/{path}"), &[], "").await;
                    let not =
                        ask(server, &who, &format!("{method} /v2/pay/nil/{path}"), &[], "").await;
                    assert_eq!(there.status(), if who.is_empty() { 401 } else { 404 }, "{path}");
                    assert_eq!(there.status(), not.status(), "{path}");
                    let same = |answer: &Answer| answer.text().replace("pay/nil", "pay/api");
                    assert_eq!(same(&there), same(&not), "{path}");
                    assert_eq!(there.header("docker-content-digest"), "", "{path}");
                }
            }
            let own = ask(server, &as_("pay"), &format!("GET /v2/pay/api/{path}"), &[], "").await;
            assert_eq!(own.status(), 200, "{path}");
        }
        for (who, expected) in [
            ("pay", json!(["pay/api"])),
            ("boss", json!(["pay/api"])),
            ("ads", json!([])),
            ("idle", json!([])),
        ] {
            let listed = ask(server, &as_(who), "GET /v2/_catalog", &[], "").await.json();
            assert_eq!(listed["repositories"], expected, "{who}");
        }
    });
}

#[test]
fn a_blob_of_another_repository_is_reached_by_no_mount_and_no_deduplication() {
    Guarded::new(DOCUMENT, NAMES).serve(async |server| {
        let secret = b"the secret of pay";
        let digest = Sha256::of(secret);
        assert_eq!(push_blob(server, &as_("pay"), "pay/api", secret).await, 201);
        let ads = as_("ads");
        for query in [
            format!("mount={digest}&from=pay/api"),
            format!("mount={digest}&from=pay/nil"),
            format!("mount={digest}"),
        ] {
            // A session begins, as it would for a blob that nobody has.
            let what = format!("POST /v2/ads/web/blobs/uploads/?{query}");
            assert_eq!(status(server, &ads, &what).await, 202, "{query}");
        }
        let head = format!("HEAD /v2/ads/web/blobs/{digest}");
        assert_eq!(status(server, &ads, &head).await, 404);
        let content = format!("GET /v1/content/{digest}");
        for who in ["ads", "pay", "boss"] {
            assert_eq!(status(server, &as_(who), &content).await, 404, "not by its digest alone");
        }
        let put =
            ask(server, &ads, &format!("PUT /v1/content/{digest}"), &[], secret.to_vec()).await;
        assert_eq!(put.status(), 201, "whoever has the bytes is not told that others have them");
        // Who may read both may mount.
        let boss = format!("POST /v2/ads/web/blobs/uploads/?mount={digest}&from=pay/api");
        assert_eq!(status(server, &as_("boss"), &boss).await, 201);
        assert_eq!(status(server, &ads, &head).await, 200);
    });
}

#[test]
fn a_session_of_another_principal_is_not_there() {
    Guarded::new(DOCUMENT, NAMES).serve(async |server| {
        let begun = ask(server, &as_("pay"), "POST /v2/pay/api/blobs/uploads/", &[], "").await;
        let place = begun.header("location").to_owned();
        for (who, expected) in [("boss", 404), ("ads", 403), ("pay", 204)] {
            assert_eq!(status(server, &as_(who), &format!("GET {place}")).await, expected, "{who}");
        }
        let digest = Sha256::of(b"x");
        let end = format!("PUT {place}?digest={digest}");
        assert_eq!(ask(server, &as_("boss"), &end, &[], "x").await.status(), 404);
        assert_eq!(status(server, &as_("boss"), &format!("DELETE {place}")).await, 404);
        assert_eq!(ask(server, &as_("pay"), &end, &[], "x").await.status(), 201);
    });
}

#[test]
fn attestations_of_other_namespaces_are_neither_listed_nor_found() {
    let guarded = Guarded::new(DOCUMENT, NAMES);
    guarded.serve(async |server| {
        let envelope = crate::testing::signed(1, &server.key).to_json();
        let post = "POST /v1/attestations?namespace=pay/api";
        assert_eq!(ask(server, &as_("ads"), post, &[], envelope.clone()).await.status(), 403);
        assert_eq!(ask(server, "", post, &[], envelope.clone()).await.status(), 401);
        let made = ask(server, &as_("pay"), post, &[], envelope).await;
        assert_eq!(made.status(), 201);
        let digest = made.json()["items"][0]["digest"].as_str().unwrap().to_owned();
        for (who, seen) in [("pay", true), ("boss", true), ("ads", false)] {
            let who = as_(who);
            let listed = ask(server, &who, "GET /v1/attestations", &[], "").await.json();
            let count = listed["items"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|one| one["namespace"] == "pay/api")
                .count();
            assert_eq!(count == 1, seen, "{listed:#}");
            for path in ["", "/bundle"] {
                let found =
                    status(server, &who, &format!("GET /v1/attestations/{digest}{path}")).await;
                assert_eq!(found, if seen { 200 } else { 404 });
            }
            let whole = format!("GET /v1/digests/{}", &digest[..15]);
            assert_eq!(status(server, &who, &whole).await, if seen { 200 } else { 404 });
            let proof = format!("GET /v1/log/inclusion?digest={digest}");
            assert_eq!(status(server, &who, &proof).await, if seen { 200 } else { 404 });
        }
        let idle = status(server, &as_("idle"), "GET /v1/attestations").await;
        // Whoever may pull what is public may list, and sees nothing of others.
        assert_eq!(idle, 200);
        for path in ["/v1/metrics/delivery", "/v1/packs?environment=a"] {
            assert_eq!(status(server, &as_("pay"), &format!("GET {path}")).await, 403, "{path}");
        }
        assert_eq!(status(server, &as_("pay"), "GET /v1/deployments").await, 403);
        assert_eq!(status(server, &as_("boss"), "GET /v1/deployments").await, 200);
    });
}

#[test]
fn who_leaves_a_group_loses_what_it_had_with_the_next_request() {
    let guarded = Guarded::new(DOCUMENT, NAMES);
    guarded.serve(async |server| {
        push(server, &as_("pay"), "pay/api", "v1", "1").await;
        let get = "GET /v2/pay/api/manifests/v1";
        assert_eq!(status(server, &as_("pay"), get).await, 200);
        guarded
            .document(&DOCUMENT.replace("payers = [\"token:pay\"]", "payers = [\"token:other\"]"));
        assert_eq!(status(server, &as_("pay"), get).await, 404);
        assert_eq!(push_blob(server, &as_("pay"), "pay/api", b"x").await, 403);
        // A document with a fault, and one that is gone, open nothing and close nothing.
        guarded.document("[[grant]]\nto = [\"anyone\"]\nroles = [\"admin\"]\n");
        assert_eq!(status(server, "", get).await, 401);
        std::fs::remove_file(guarded.path(ACCESS_FILE)).unwrap();
        assert_eq!(status(server, &as_("idle"), get).await, 404);
        assert_eq!(status(server, &as_("boss"), get).await, 200);
    });
}

#[test]
fn anyone_pulls_what_is_public_and_nothing_else() {
    Guarded::new(DOCUMENT, NAMES).serve(async |server| {
        push(server, &as_("boss"), "public/base", "v1", "1").await;
        assert_eq!(status(server, "", "GET /v2/public/base/manifests/v1").await, 200);
        assert_eq!(push_blob(server, "", "public/base", b"x").await, 401);
        assert_eq!(push_blob(server, &as_("pay"), "public/base", b"x").await, 403);
        assert_eq!(
            status(server, &as_("pay"), "GET /v2/public/base/manifests/v1").await,
            200,
            "as anyone may"
        );
        // A credential that is wrong is not taken for none.
        assert_eq!(
            status(server, &basic("x", "attestry_wrong"), "GET /v2/public/base/manifests/v1").await,
            401
        );
    });
}
