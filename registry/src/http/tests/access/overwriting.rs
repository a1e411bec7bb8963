//! Moving and removing tags is a right of its own, on every path that can do it.

use super::*;

const DOCUMENT: &str = r#"
[[grant]]
to = ["token:pusher"]
roles = ["pull", "push"]
on = ["pay/*"]

[[grant]]
to = ["token:mover"]
roles = ["pull", "push", "overwrite"]
on = ["pay/*"]

[[grant]]
to = ["token:untagger"]
roles = ["pull", "push", "delete-tag"]
on = ["pay/*"]

[[grant]]
to = ["token:purger"]
roles = ["pull", "delete-digest"]
on = ["pay/*"]
"#;
const NAMES: &[&str] = &["pusher", "mover", "untagger", "purger"];

#[test]
fn a_tag_that_is_there_moves_for_nobody_without_the_role_by_any_path() {
    Guarded::new(DOCUMENT, NAMES).serve(async |server| {
        let (pusher, mover) = (as_("pusher"), as_("mover"));
        let first = push(server, &pusher, "pay/api", "latest", "1").await;
        let second = Sha256::of(&manifest("2"));
        let by_query = format!("{second}?tag=other&tag=latest");
        for reference in ["latest", by_query.as_str()] {
            assert_eq!(
                put(server, &pusher, "pay/api", reference, manifest("2")).await,
                403,
                "{reference}"
            );
        }
        let other = ask(server, &pusher, "HEAD /v2/pay/api/manifests/other", &[], "").await;
        assert_eq!(other.status(), 404, "a refused push leaves no tag of it");
        let held = ask(server, &pusher, "HEAD /v2/pay/api/manifests/latest", &[], "").await;
        assert_eq!(held.header("docker-content-digest"), first.to_string());
        // The same again moves nothing, and a digest is no tag.
        assert_eq!(put(server, &pusher, "pay/api", "latest", manifest("1")).await, 201);
        assert_eq!(put(server, &pusher, "pay/api", &second.to_string(), manifest("2")).await, 201);
        assert_eq!(put(server, &mover, "pay/api", &by_query, manifest("2")).await, 201);
        assert_eq!(put(server, &mover, "pay/api", "latest", manifest("1")).await, 201);
    });
}

#[test]
fn deleting_a_tag_is_no_way_to_overwrite_it() {
    Guarded::new(DOCUMENT, NAMES).serve(async |server| {
        let untagger = as_("untagger");
        push(server, &untagger, "pay/api", "v1", "1").await;
        assert_eq!(status(server, &untagger, "DELETE /v2/pay/api/manifests/v1").await, 202);
        assert_eq!(put(server, &untagger, "pay/api", "v1", manifest("2")).await, 403);
        assert_eq!(
            put(server, &untagger, "pay/api", "v1", manifest("1")).await,
            201,
            "what it was"
        );
        assert_eq!(put(server, &untagger, "pay/api", "v2", manifest("2")).await, 201, "a new tag");
        assert_eq!(put(server, &as_("mover"), "pay/api", "v1", manifest("2")).await, 201);
    });
}

#[test]
fn tags_go_only_with_their_role_and_digests_only_with_theirs() {
    Guarded::new(DOCUMENT, NAMES).serve(async |server| {
        let (untagger, purger) = (as_("untagger"), as_("purger"));
        let digest = push(server, &untagger, "pay/api", "v1", "1").await;
        let (by_tag, by_digest) =
            ("DELETE /v2/pay/api/manifests/v1", format!("DELETE /v2/pay/api/manifests/{digest}"));
        assert_eq!(status(server, &purger, by_tag).await, 403);
        assert_eq!(status(server, &purger, &by_digest).await, 403, "its tag would go too");
        assert_eq!(status(server, &untagger, &by_digest).await, 403);
        let blob = format!("DELETE /v2/pay/api/blobs/{}", Sha256::of(b"{}"));
        assert_eq!(status(server, &untagger, &blob).await, 403);
        assert_eq!(status(server, &untagger, by_tag).await, 202);
        assert_eq!(status(server, &purger, &by_digest).await, 202);
        for pusher in ["pusher", "mover"] {
            assert_eq!(status(server, &as_(pusher), &blob).await, 403);
        }
    });
}
