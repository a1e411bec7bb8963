//! API tokens and the bearer tokens that are made for them.

use super::*;
use crate::rights::Grant;
use crate::tokens::{parse_patterns, parse_roles};

const DOCUMENT: &str = r#"
[[grant]]
to = ["token:ci", "token:narrow"]
roles = ["pull", "push"]
on = ["pay/**"]
"#;

fn narrow() -> Bounds {
    let (roles, on) =
        (parse_roles("pull,push").unwrap(), parse_patterns("pay/api,other/**").unwrap());
    Bounds { scope: Some(std::sync::Arc::new(Grant { roles, on })), expires: None }
}

/// Asks for a bearer token.
async fn bearer(server: &Described, who: &str, scopes: &[&str]) -> String {
    let scopes: String = scopes.iter().map(|scope| format!("&scope={scope}")).collect();
    let what = format!("GET /v2/token?service=attest.example.org&account=x{scopes}");
    let answer = ask(server, who, &what, &[], "").await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    let body = answer.json();
    assert_eq!(body["token"], body["access_token"]);
    assert!((1..=300).contains(&body["expires_in"].as_i64().unwrap()), "{body}");
    assert!(body["issued_at"].as_str().unwrap().ends_with('Z'), "{body}");
    format!("Bearer {}", body["token"].as_str().unwrap())
}

#[test]
fn a_token_may_what_is_granted_within_its_scope_and_until_it_ends() {
    let guarded = Guarded::new(DOCUMENT, &["ci"]);
    guarded.add("narrow", &narrow());
    let ended =
        Bounds { expires: Some("2020-01-01T00:00:00Z".parse().unwrap()), ..Bounds::default() };
    guarded.add("ended", &ended);
    guarded.serve(async |server| {
        for (who, name, expected) in [
            ("ci", "pay/web", 201),
            ("narrow", "pay/api", 201),
            ("narrow", "pay/web", 403),
            ("narrow", "other/x", 403),
            ("ended", "pay/web", 401),
        ] {
            assert_eq!(push_blob(server, &as_(who), name, b"x").await, expected, "{who} {name}");
        }
    });
}

#[test]
fn without_a_document_a_token_may_everything_but_what_its_scope_leaves_out() {
    let guarded = Guarded { registry: Registry::new() };
    guarded.add("free", &Bounds::default());
    guarded.add("narrow", &narrow());
    guarded.serve(async |server| {
        for (who, name, expected) in
            [("free", "any/thing", 201), ("narrow", "other/x", 201), ("narrow", "any/thing", 403)]
        {
            assert_eq!(push_blob(server, &as_(who), name, b"x").await, expected, "{who} {name}");
        }
        assert_eq!(push_blob(server, "", "any/thing", b"x").await, 401);
    });
}

#[test]
fn the_challenge_names_where_to_get_a_token_for_what_was_asked() {
    Guarded::new(DOCUMENT, &["ci"]).serve(async |server| {
        let realm =
            "Bearer realm=\"https://attest.example.org/v2/token\",service=\"attest.example.org\"";
        let base = ask(server, "", "GET /v2/", &[], "").await;
        assert_eq!((base.status(), base.header("www-authenticate")), (401, realm));
        let pull = ask(server, "", "GET /v2/pay/api/manifests/v1", &[], "").await;
        let scoped = |actions: &str| format!("{realm},scope=\"repository:pay/api:{actions}\"");
        assert_eq!(pull.header("www-authenticate"), scoped("pull"));
        let push = ask(server, "", "POST /v2/pay/api/blobs/uploads/", &[], "").await;
        assert_eq!(push.header("www-authenticate"), scoped("pull,push"));
        assert_eq!(error(&push)["code"], "UNAUTHORIZED");
        let wrong = ask(server, &basic("ci", "wrong"), "GET /v2/token?service=x", &[], "").await;
        assert_eq!(wrong.status(), 401);
        assert!(
            wrong.header("www-authenticate").starts_with("Basic "),
            "no token for a wrong password"
        );
    });
}

#[test]
fn a_bearer_token_is_good_for_what_was_asked_and_may_be_done_and_no_more() {
    Guarded::new(DOCUMENT, &["ci"]).serve(async |server| {
        let ci = as_("ci");
        let all =
            bearer(server, &ci, &["repository:pay/api:pull,push", "repository:other/x:pull,push"])
                .await;
        assert_eq!(status(server, &all, "GET /v2/").await, 200);
        push(server, &all, "pay/api", "v1", "1").await;
        assert_eq!(
            push_blob(server, &all, "other/x", b"x").await,
            403,
            "asked for and not granted"
        );
        let pull = bearer(server, &ci, &["repository:pay/api:pull"]).await;
        assert_eq!(status(server, &pull, "GET /v2/pay/api/manifests/v1").await, 200);
        let more = ask(server, &pull, "POST /v2/pay/api/blobs/uploads/", &[], "").await;
        assert_eq!(more.status(), 401, "granted and not asked for: the client asks again");
        let challenge = more.header("www-authenticate");
        assert!(
            challenge
                .contains("scope=\"repository:pay/api:pull,push\",error=\"insufficient_scope\""),
            "{challenge}"
        );
        // A mount from what its principal may read, which clients do not ask for, and no list.
        push_blob(server, &ci, "pay/web", b"web").await;
        let mount =
            format!("POST /v2/pay/api/blobs/uploads/?mount={}&from=pay/web", Sha256::of(b"web"));
        assert_eq!(status(server, &all, &mount).await, 201);
        let both =
            bearer(server, &ci, &["repository:pay/api:pull,push%20repository:pay/web:pull"]).await;
        assert_eq!(status(server, &both, &mount).await, 201);
        let listed = |token: String| async move {
            ask(server, &token, "GET /v2/_catalog", &[], "").await.json()
        };
        assert_eq!(listed(pull).await["repositories"], json!(["pay/api"]));
        let catalog = bearer(server, &ci, &["registry:catalog:*"]).await;
        assert_eq!(listed(catalog).await["repositories"], json!(["pay/api", "pay/web"]));
        // No pattern, and none of another's name.
        for scope in ["repository:**:pull", "repository:pay/*:pull,push"] {
            let none = bearer(server, &ci, &[scope]).await;
            assert_eq!(status(server, &none, "GET /v2/pay/api/manifests/v1").await, 401, "{scope}");
        }
    });
}

#[test]
fn a_bearer_token_gives_none_that_is_good_for_more() {
    Guarded::new(DOCUMENT, &["ci"]).serve(async |server| {
        let ci = as_("ci");
        push(server, &ci, "pay/api", "v1", "1").await;
        push_blob(server, &ci, "pay/web", b"web").await;
        let narrow = bearer(server, &ci, &["repository:pay/api:pull"]).await;
        let wide =
            ["repository:pay/api:pull,push", "repository:pay/web:pull,push", "registry:catalog:*"];
        let by_header = bearer(server, &narrow, &wide).await;
        let form = format!(
            "grant_type=password&password={}&scope={}",
            narrow.trim_start_matches("Bearer "),
            wide.join("%20")
        );
        let by_form = ask(server, "", "POST /v2/token", &[], form).await.json();
        let by_form = format!("Bearer {}", by_form["token"].as_str().unwrap());
        for made in [by_header, by_form] {
            assert_eq!(status(server, &made, "GET /v2/pay/api/manifests/v1").await, 200);
            for name in ["pay/api", "pay/web"] {
                assert_eq!(push_blob(server, &made, name, b"x").await, 401, "{name}");
            }
            let listed = ask(server, &made, "GET /v2/_catalog", &[], "").await.json();
            assert_eq!(listed["repositories"], json!(["pay/api"]));
        }
    });
}

#[test]
fn who_has_no_credential_gets_a_bearer_token_for_what_anyone_may() {
    let anyone = "[[grant]]\nto = [\"anyone\"]\nroles = [\"pull\"]\non = [\"public/*\"]\n";
    Guarded::new(&format!("{DOCUMENT}{anyone}"), &["ci"]).serve(async |server| {
        let scopes = ["repository:public/base:pull,push", "repository:pay/api:pull"];
        let made = bearer(server, "", &scopes).await;
        assert_eq!(status(server, &made, "GET /v2/").await, 200);
        assert_eq!(status(server, &made, "GET /v2/public/base/tags/list").await, 200);
        assert_eq!(status(server, &made, "GET /v2/public/other/tags/list").await, 401);
        assert_eq!(status(server, &made, "GET /v2/pay/api/tags/list").await, 401);
        assert_eq!(push_blob(server, &made, "public/base", b"x").await, 401);
    });
}

#[test]
fn a_form_with_the_password_gives_a_token_too() {
    Guarded::new(DOCUMENT, &["ci"]).serve(async |server| {
        let form = |password: &str| format!("grant_type=password&service=s&scope=repository:pay/api:pull&username=any&password={password}");
        let made = ask(server, "", "POST /v2/token", &[], form(token("ci").reveal())).await;
        assert_eq!(made.status(), 200, "{}", made.text());
        let made = format!("Bearer {}", made.json()["access_token"].as_str().unwrap());
        assert_eq!(status(server, &made, "GET /v2/pay/api/tags/list").await, 200);
        assert_eq!(ask(server, "", "POST /v2/token", &[], form("wrong")).await.status(), 401);
        let refresh = "grant_type=refresh_token&refresh_token=x&service=s";
        assert_eq!(ask(server, "", "POST /v2/token", &[], refresh).await.status(), 400);
    });
}

#[test]
fn a_form_that_is_too_large_is_refused_in_the_form_of_the_specification() {
    Guarded::new(DOCUMENT, &["ci"]).serve(async |server| {
        for size in [40_000, 400_000] {
            let form = format!("grant_type=password&password={}", "x".repeat(size));
            let answer = ask(server, "", "POST /v2/token", &[], form).await;
            assert_eq!(answer.status(), 413, "{}", answer.text());
            assert_eq!(error(&answer)["code"], "SIZE_INVALID");
        }
    });
}

#[test]
fn revoking_a_token_ends_it_and_all_that_was_made_for_it_at_once() {
    let guarded = Guarded::new(DOCUMENT, &["ci"]);
    guarded.serve(async |server| {
        let ci = as_("ci");
        push(server, &ci, "pay/api", "v1", "1").await;
        let made = bearer(server, &ci, &["repository:pay/api:pull,push"]).await;
        let get = "GET /v2/pay/api/manifests/v1";
        assert_eq!([status(server, &ci, get).await, status(server, &made, get).await], [200, 200]);
        guarded.revoke("ci");
        for who in [&ci, &made] {
            assert_eq!(status(server, who, get).await, 401);
            assert_eq!(status(server, who, "GET /v2/token").await, 401);
            assert_eq!(status(server, who, "POST /v1/attestations").await, 401);
        }
        // Another token of the same name does not bring the old one's back.
        let other = Token::of_random([99; 32]);
        assert!(guarded.registry.folder().add_token("ci", &other, &Bounds::default()).unwrap());
        assert_eq!(status(server, &made, get).await, 401);
        assert_eq!(status(server, &basic("ci", other.reveal()), get).await, 200);
    });
}

#[test]
fn a_user_name_says_nothing_wherever_it_says_it() {
    Guarded::new(DOCUMENT, &["ci"]).serve(async |server| {
        for user in ["", "admin", "a\r\nx-evil 1", "\u{1b}[31m", "ci"] {
            let who = basic(user, token("ci").reveal());
            let answer = ask(server, &who, "GET /v2/", &[], "").await;
            assert_eq!(answer.status(), 200, "{user:?}");
            assert_eq!(answer.header("x-evil"), "");
            let wrong = ask(server, &basic(user, "x"), "GET /v2/", &[], "").await;
            assert_eq!(wrong.status(), 401, "{user:?}");
            assert!(!wrong.text().contains("evil") && wrong.header("x-evil").is_empty());
        }
        for header in ["Basic", "Basic !!!", "Basic YQ==", "Digest x", "Bearer", "attestry_x"] {
            assert_eq!(status(server, header, "GET /v2/").await, 401, "{header}");
        }
        let two = [("authorization", as_("ci")), ("authorization", as_("ci"))];
        let two: Vec<(&str, &str)> = two.iter().map(|(n, v)| (*n, v.as_str())).collect();
        assert_eq!(ask(server, "", "GET /v2/", &two[..1], "").await.status(), 200);
    });
}
