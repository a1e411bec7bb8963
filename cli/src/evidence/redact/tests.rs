//! Redaction: what goes, what stays, and what is refused.

use super::*;

/// The member `secret` goes as a whole, `code` where it has a word of the secret's code; names
/// under `free` are searched.
fn rule(path: &[Step], role: Role) -> Treatment {
    let under = |name: &str| path.contains(&Step::Name(name.to_owned()));
    match role {
        Role::Name if under("free") => Treatment::Search,
        Role::Name => Treatment::Word,
        Role::Value if under("secret") => Treatment::Blank,
        Role::Value if under("message") => Treatment::Suspect,
        Role::Value => Treatment::Search,
    }
}

fn secrets(texts: &[&str]) -> Secrets {
    let mut secrets = Secrets::default();
    for text in texts {
        secrets.add(&Report::of_bytes("r", "{}"), text).unwrap();
    }
    secrets
}

fn text_of(report: &Report) -> String {
    let mut text = String::new();
    report.read(|reader| Ok(reader.read_to_string(&mut text).unwrap())).unwrap();
    text
}

fn copied(report: &str, secrets: Secrets) -> String {
    text_of(&Redactor::new(secrets).copy(&Report::of_bytes("r.json", report), &rule).unwrap())
}

#[test]
fn takes_a_secret_out_wherever_and_however_it_stands() {
    let check = |report: &str, expected: &str| {
        assert_eq!(copied(report, secrets(&["hunter2/\"=", "0123456789abcdef"])), expected);
    };
    check(r#"{"secret": "", "other": [1.0, null]}"#, r#"{"secret": "", "other": [1.0, null]}"#);
    check(
        r#"{"secret": {"a": "x", "b": ["y", 2]}}"#,
        r#"{"secret": {"a": "REDACTED", "b": ["REDACTED", 2]}}"#,
    );
    check(r#"{"a":"x hunter2/\"= y"}"#, r#"{"a":"x REDACTED y"}"#);
    check(r#"{"a":"\u0068unter2\/\u0022="}"#, r#"{"a":"REDACTED"}"#);
    // Encoded in base64, percent-encoded, and as the text of a JSON text.
    check(r#"{"a":"aHVudGVyMi8iPQ=="}"#, r#"{"a":"REDACTED=="}"#);
    check(r#"{"a":"/hunter2%2F%22%3D/b"}"#, r#"{"a":"/REDACTED/b"}"#);
    check(r#"{"a":"{\"k\":\"hunter2/\\\"=\"}"}"#, r#"{"a":"{\"k\":\"REDACTED\"}"}"#);
    // Names: all of them where anybody may name members, else only what is too long for a word.
    check(r#"{"free":{"hunter2/\"=":1}}"#, r#"{"free":{"REDACTED":1}}"#);
    check(r#"{"hunter2/\"=":1}"#, r#"{"hunter2/\"=":1}"#);
    check(r#"{"0123456789abcdef":1}"#, r#"{"REDACTED":1}"#);
    check("{\"a\":\"\\ud800\"}\n", "{\"a\":\"REDACTED\"}\n");
}

#[test]
fn knows_the_lines_of_a_secret_and_what_it_is_encoded_from() {
    let mut found =
        secrets(&["-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nshort\n-----END KEY-----\n"]);
    found.add_encoded(&Report::of_bytes("r", "{}"), "QUtJQVlWUDRDSVBQRVJVVklGWEc=").unwrap();
    assert_eq!(
        copied(
            r#"{"a":"MIIEvQIBADANBgkqhkiG","b":"-----BEGIN KEY-----","c":"AKIAYVP4CIPPERUVIFXG"}"#,
            found
        ),
        r#"{"a":"REDACTED","b":"-----BEGIN KEY-----","c":"REDACTED"}"#
    );
}

#[test]
fn takes_out_messages_that_repeat_a_word_of_the_code() {
    let mut found = Secrets::default();
    found.add_code(&Report::of_bytes("r", "{}"), "password = \"tr0ub4dor\"; // for tests").unwrap();
    let report =
        r#"[{"message":"tr0ub4dor in a.py"},{"message":"password in a.py"},{"a":"tr0ub4dor"}]"#;
    let expected = r#"[{"message":"REDACTED"},{"message":"password in a.py"},{"a":"tr0ub4dor"}]"#;
    assert_eq!(copied(report, found), expected);
}

#[test]
fn takes_nothing_for_a_secret_that_the_tool_has_masked_or_that_is_in_everything() {
    let report = r#"{"a":"REDACTED, ****, x, abc"}"#;
    assert_eq!(copied(report, secrets(&["REDACTED", "REDACT", "****", "x", "abc", ""])), report);
}

#[test]
fn keeps_the_name_and_makes_json_lines_of_json_lines() {
    let report = Report::of_bytes("scan.jsonl", "{\"a\":\"hunter22\"}\n{\"a\":\"b\"}\n");
    let copy = Redactor::new(secrets(&["hunter22"])).copy(&report, &rule).unwrap();
    assert_eq!(copy.name(), "scan.redacted.jsonl");
    assert_eq!(text_of(&copy), "{\"a\":\"REDACTED\"}\n{\"a\":\"b\"}\n");
    assert!(copy.outline().json_lines().is_some());
    assert_eq!(redacted_name("report"), "report.redacted");
    assert_eq!(redacted_name(".report"), ".report.redacted");
}

#[test]
fn sees_a_secret_that_is_left() {
    let redactor = Redactor::new(secrets(&["hunter22", "0123456789abcdef"]));
    for (text, left) in [
        (r#"{"a":"b"}"#, false),
        (r#"{"hunter22":"b"}"#, false),
        (r#"{"a":["b",{"c":"x hunter22"}]}"#, true),
        ("{\"a\":\"b\"}\n{\"a\":\"\\u0068unter22\"}", true),
        (r#"{"free":{"hunter22":"b"}}"#, true),
        (r#"{"x0123456789abcdef":"b"}"#, true),
        (r#"{"secret":"some of it"}"#, true),
        (r#"{"secret":"REDACTED"}"#, false),
    ] {
        let checked = redactor.check(&Report::of_bytes("r", text), &rule);
        assert_eq!(matches!(checked, Err(ImportError::SecretLeft { .. })), left, "{text}");
        assert_eq!(checked.is_ok(), !left, "{text}");
    }
}

#[test]
fn refuses_its_own_copy_where_a_secret_is_left() {
    let calls = std::cell::Cell::new(0);
    // Forgets to look when the copy is made.
    let forgetful = |_: &[Step], _: Role| {
        calls.set(calls.get() + 1);
        if calls.get() == 1 { Treatment::Word } else { Treatment::Search }
    };
    let report = Report::of_bytes("r", r#"["hunter22"]"#);
    let refused = Redactor::new(secrets(&["hunter22"])).copy(&report, &forgetful);
    assert!(matches!(refused, Err(ImportError::SecretLeft { .. })), "{refused:?}");
}

#[test]
fn cleans_what_goes_into_a_predicate() {
    let redactor = Redactor::new(secrets(&["hunter22"]));
    for (text, expected) in [("a/b", "a/b"), ("a/hunter22/b", "a/REDACTED/b")] {
        let mut clean = text.to_owned();
        redactor.clean(&mut clean);
        assert_eq!(clean, expected);
    }
    let mut text = "a1234".to_owned();
    Redactor::new(secrets(&["1234", "aREDACTED"])).clean(&mut text);
    assert_eq!(text, REDACTED);
}

#[test]
fn keeps_no_more_secrets_than_there_is_room_for() {
    let mut secrets = Secrets::default();
    let report = Report::of_bytes("r", "{}");
    let long = "x".repeat(MAX_SECRET_BYTES);
    secrets.add(&report, &long).unwrap();
    secrets.add(&report, &long).unwrap();
    let refused = secrets.add(&report, "hunter22");
    assert!(matches!(refused, Err(ImportError::TooMuch { what: "bytes of secrets", .. })));
    assert!(!format!("{secrets:?}").contains("xx"));
}
