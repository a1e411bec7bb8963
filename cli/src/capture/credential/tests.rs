use super::*;

/// 40 characters as Amazon makes them, in two halves that no scanner takes for a leak.
fn aws_secret() -> String {
    ["wJalrXUtnFEMI/K7MDEN", "G/bPxRfiCYEXAMPLEKEY"].concat()
}

fn tail(count: usize) -> String {
    "aB3dE6gH9jK2".chars().cycle().take(count).collect()
}

#[test]
fn values_that_give_access_are_told() {
    let check = |value: String, expected: Sign| {
        assert_eq!(looks_like_credential("VALUE", &value), Some(expected), "{value}");
    };
    let pem = |kind: &str| format!("-----BEGIN {kind}PRIVATE KEY-----\nMC4C\n-----END");
    for kind in ["", "RSA ", "OPENSSH ", "ENCRYPTED SIGSTORE "] {
        check(pem(kind), Sign::PrivateKey);
    }
    check(format!("AGE-SECRET-KEY-1{}", tail(58)), Sign::PrivateKey);
    for url in [
        "https://me:hunter2@git.example.com/a/b.git",
        "https://oauth2:x@git.example.com",
        "https://atokenasuser@git.example.com/a",
        "postgres://app:hunter2@db/x",
        "redis://:hunter2@cache:6379/0",
        "ssh://git:hunter2@git.example.com/a",
        "mongodb://u:p@a:1,b:2/db",
        "--index-url=https://u:p@pypi.example.com/simple",
        "see https://example.com and http://u:p@h",
        "https://u:pa/ss@git.example.com/a",
    ] {
        check(url.to_owned(), Sign::UserInfo);
    }
    check(format!("https://x.example.com/a?b=c&sig={}", tail(20)), Sign::SignedUrl);
    check("https://x.example.com/a?X-Amz-Signature=0123456789abcdef".into(), Sign::SignedUrl);
    check("https://x.example.com/a?private_token=abc".into(), Sign::Pair);
    let jwt = ["eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiJhIn0", "c2lnbmF0dXJl"].join(".");
    check(jwt.clone(), Sign::Jwt);
    check(format!("x={jwt}"), Sign::Jwt);
    check(format!("Bearer {}", tail(20)), Sign::Authorization);
    check("authorized by: basic dXNlcjpwYXNz".into(), Sign::Authorization);
    check("Authorization: Basic dXNlcjpwYXNz".into(), Sign::Authorization);
    for text in [
        "-Xmx1g -Dpassword=abc",
        "-Djavax.net.ssl.keyStorePassword=abc",
        "-PsigningPassword=abc",
        "--token=abc",
        "//registry.example.com/:_authToken=abc",
        r#"{"user": "a", "password": "abc"}"#,
        r#"{"password":"abc"}"#,
        "X-Api-Key: abc",
        "Authorization: token abc",
        "DefaultEndpointsProtocol=https;AccountKey=abc;EndpointSuffix=x",
        "password='$ecret'",
    ] {
        check(text.to_owned(), Sign::Pair);
    }
    check(aws_secret(), Sign::Random);
    check(tail(32), Sign::Random);
    check(format!("prefix:{}", tail(64)), Sign::Random);
}

#[test]
fn tokens_of_known_issuers_are_told_with_their_issuer() {
    let check = |prefix: &str, chars: usize, expected: &str| {
        for value in [format!("{prefix}{}", tail(chars)), format!("a b={prefix}{}\n", tail(chars))]
        {
            let found = looks_like_credential("VALUE", &value);
            assert!(
                matches!(found, Some(Sign::Token(issuer)) if issuer.contains(expected)),
                "{value}: {found:?}"
            );
        }
    };
    for prefix in ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"] {
        check(prefix, 36, "GitHub");
    }
    check("glpat-", 20, "GitLab");
    for prefix in ["xoxa-", "xoxb-", "xoxp-", "xoxr-", "xoxs-"] {
        check(prefix, 24, "Slack");
    }
    check("sk_live_", 24, "Stripe");
    check("AIza", 35, "Google");
    check("npm_", 36, "npm");
    check("pypi-", 60, "PyPI");
    check("dop_v1_", 64, "DigitalOcean");
    check("hvs.", 24, "Vault");
    check("attestry_", 43, "Attestry");
    for id in ["AKIA", "ASIA"] {
        let value = format!("{id}IOSFODNN7EXAMPLE");
        assert_eq!(looks_like_credential("V", &value), Some(Sign::Token("an AWS key")), "{value}");
    }
}

#[test]
fn values_of_builds_pass() {
    for value in [
        "",
        "main",
        "83a20ec058e2fb00e7fa4558c4c6e81e2dcf253d",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "sha512-Qg8q9WZcGmYjJpYPHDmJkmhEzlYJ5dBvQ9vJ3pmt3kGmZdM9H7Z0cRj8dLrfXQ==",
        "SHA256:uNiVztksCsDhcc0u9e8BrrJXVhG6mhrJJnLkbXCb3kU",
        "h1:Khu2En+0gcYPZ2kuIihfswbzxv/mIHXgzPZ018Oty48=",
        "1a222222-e999-3636-8ddd-802222222222",
        "E0730109-DA00-4F11-8A5B-80ABAB2033A2",
        "v1.2.3-rc.1+build.5",
        "v0.0.0-20240102030405-83a20ec058e2",
        "2026-01-31T12:00:00Z",
        "1706702400",
        "/usr/lib/x86_64-linux-gnu/pkgconfig:/usr/share/pkgconfig",
        "/nix/store/0c3b1xv8zq5m7w2k9j4h6g8f0d1s3a5p-rustc-1.89.0/bin/rustc",
        "target/x86_64-unknown-linux-gnu/release/deps/attestry-6f17d22bba15001f",
        "src/main/java/com/example/payments/PaymentServiceConfigurationTest.java",
        "com.example.payments.Http2ServerConnectionFactoryBuilder3Test",
        "-O2 -g -fstack-protector-strong -Wl,-z,relro -march=x86-64-v3",
        "-C target-cpu=native --cfg tokio_unstable",
        "-Xmx2g -XX:+UseG1GC -Dmaven.test.skip=true",
        "https://ci.example.com/job/a%20b/15/",
        "https://example.com/a?b=c&page=2#L10",
        "https://example.com:8443/@scope/pkg",
        "git@github.com:o/r.git",
        "ssh://git@git.example.com:2222/a/b.git",
        "git+ssh://git@git.example.com/a/b",
        "https://$USER:$TOKEN@git.example.com/a",
        "postgres://app@db/x",
        "docker.io/library/nginx-basic-auth:1.2",
        "registry.example.com:5000/vault-token:latest",
        "hvs.prod-1.eu-west-2.example.com",
        "npm_config_registry",
        "pypi-server-2",
        "attestry_schemas",
        "https://fulcio.sigstore.dev",
        "Authorization: Bearer $TOKEN",
        "curl -H \"Authorization: Bearer ${TOKEN}\" https://example.com",
        "--password=$(cat /run/secrets/p)",
        "basic authentication",
        "octocat/hello-world/.github/workflows/my-workflow.yml@refs/heads/my_branch",
        "jenkins-pay-api-153",
        "refs/heads/feature/JIRA-1234-Add-Payment-Service-V2-For-EU-Customers-2026",
        "pkg:npm/%40angular/core@17.0.0",
        "pkg:oci/ubuntu@sha256%3A6042500cf4b44023ea1894effe7890666b0c5c7871ed83a97c36c76ae560bb9b",
        "SPDXRef-Package-sha256-a743268cd3c56f921f3fb706cc0425c8ab78119fd433e38bb7c5dcd5635b0d10",
        "CodeSignSummary-b93a9c08-f6ed-439a-968a-157cab7dc6a3.md",
        "--- PASS: TestNestedSuccess/a (0.00s)",
        "linux/amd64",
        "de_DE.UTF-8",
    ] {
        assert_eq!(looks_like_credential("VALUE", value), None, "{value}");
    }
}

#[test]
fn references_to_a_secret_are_no_secret_and_passwords_with_a_dollar_are_one() {
    for reference in [
        "$TOKEN",
        "$TOKEN_2\" -v",
        "$TOKEN@host",
        "${token}",
        "$(cat /run/secrets/p)",
        "`pass show p`",
        "%TOKEN%",
        "{{ secrets.token }}",
        "${{ secrets.token }}",
        "<your token>",
        "env:TOKEN",
        "file:/run/secrets/p",
        "***",
        REDACTED,
    ] {
        assert!(is_reference(reference), "{reference}");
    }
    for secret in ["$ummer", "$Ummer2026", "$UMMER!", "$", "%a%b", "<a%>", "${", "***a", "hunter2"]
    {
        assert!(!is_reference(secret), "{secret}");
        let pair = format!("--password={secret}");
        assert_eq!(looks_like_credential("VALUE", &pair), Some(Sign::Pair), "{pair}");
    }
}

#[test]
fn a_name_counts_and_an_empty_value_holds_nothing() {
    assert_eq!(looks_like_credential("NPM_TOKEN", "1"), Some(Sign::Name));
    assert_eq!(looks_like_credential("NPM_TOKEN", " "), None);
    assert_eq!(looks_like_credential("RUSTFLAGS", "-C opt-level=3"), None);
}

#[test]
fn urls_lose_what_gives_access_and_keep_the_rest() {
    let check = |url: &str, expected: &str| assert_eq!(without_credentials(url), expected);
    check("https://u:p@git.example.com/a/b.git", "https://git.example.com/a/b.git");
    check("https://token@git.example.com/a", "https://git.example.com/a");
    check("https://u:p@ss@git.example.com/a", "https://git.example.com/a");
    check("https://u:p/w@git.example.com/a", "https://git.example.com/a");
    check("https://git.example.com:8443/@a/b", "https://git.example.com:8443/@a/b");
    check("https://[::1]:8443/a@b", "https://[::1]:8443/a@b");
    check("ssh://git@git.example.com:22/a", "ssh://git@git.example.com:22/a");
    check("ssh://git:p@git.example.com/a", "ssh://git@git.example.com/a");
    check("ssh://:p@git.example.com/a", "ssh://git.example.com/a");
    check("https://h/a?b=c&access_token=x&d=e#f", "https://h/a?b=c&d=e#f");
    check("https://h/a?sig=x", "https://h/a");
    check("https://h/a#access_token=x", "https://h/a");
    check("https://h/a?access_token=$TOKEN", "https://h/a?access_token=$TOKEN");
    check("git@git.example.com:a/b", "git@git.example.com:a/b");
    check("/srv/git/a", "/srv/git/a");
    check("", "");
}
