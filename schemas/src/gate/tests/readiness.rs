//! `readiness`.

use super::*;

fn configuration() -> Sha256 {
    Sha256::of(b"configuration")
}

/// A scan of an environment: id, status, severity of each check, of the category `network`.
pub(super) fn checked(
    scanner: &str,
    environment: &str,
    checks: &[(&str, &str, &str)],
    at: &str,
) -> Saying {
    let checks: Vec<Value> = checks
        .iter()
        .map(|(id, status, severity)| {
            json!({ "id": id, "status": status, "severity": severity, "category": "network" })
        })
        .collect();
    let predicate = json!({
        "environment": environment, "checks": checks,
        "configuration": { "sha256": configuration().hex() }, "scannedAt": at,
        "scanner": { "uri": scanner, "version": "3" },
        "report": { "name": "r.json", "digest": { "sha256": Sha256::of(b"r").hex() } },
    });
    Saying::of("scanner", "readiness", predicate).about(configuration()).at(at)
}

#[test]
fn required_checks_must_be_there_and_pass() {
    let mut trial = Trial::of(&rule("readiness", "checks = [\"K1\", \"K2\"]"));
    trial.fails("readiness", &["readiness"]);
    trial.say(checked(
        "pkg:x/s",
        "production",
        &[("K1", "pass", "low"), ("K2", "warn", "low")],
        LOGGED,
    ));
    trial.fails("readiness", &["K2"]);
    // It passed here, and there it did not as it should.
    trial.say(checked(
        "pkg:x/s",
        "production",
        &[
            ("K1", "pass", "low"),
            ("K1", "skip", "low"),
            ("K2", "pass", "low"),
            ("K2", "warn", "low"),
        ],
        LOGGED,
    ));
    trial.fails("readiness", &["K2"]);
    trial.say(checked(
        "pkg:x/s",
        "production",
        &[("K1", "fail", "low"), ("K1", "pass", "low"), ("K2", "pass", "low")],
        LOGGED,
    ));
    trial.fails("readiness", &["K1"]);
    trial.say(checked(
        "pkg:x/s",
        "production",
        &[("K1", "pass", "low"), ("K2", "pass", "low")],
        LOGGED,
    ));
    trial.passes("readiness");
}

#[test]
fn failures_deny_by_their_severity() {
    for (block, severity, passes) in [
        ("high", "medium", true),
        ("high", "high", false),
        ("medium", "critical", false),
        ("high", "unknown", true),
        ("low", "unknown", false),
        ("info", "unknown", false),
    ] {
        let mut trial = Trial::of(&rule("readiness", &format!("block = \"{block}\"")));
        trial.say(checked("pkg:x/s", "production", &[("K1", "fail", severity)], LOGGED));
        assert_eq!(trial.decide().passed(), passes, "{block} {severity}");
    }
}

#[test]
fn a_demanded_category_must_have_checks_and_all_must_pass() {
    let mut trial = Trial::of(&rule("readiness", "categories = [\"network\"]"));
    trial.say(checked("pkg:x/s", "production", &[], LOGGED));
    trial.fails("readiness", &["network"]);
    trial.say(checked(
        "pkg:x/s",
        "production",
        &[("K1", "pass", "low"), ("K2", "fail", "info")],
        LOGGED,
    ));
    trial.fails("readiness", &["K2"]);
}

#[test]
fn another_environments_evidence_says_nothing_of_this_one() {
    let mut trial = Trial::of(&rule("readiness", ""));
    trial.say(checked("pkg:x/s", "staging", &[("K1", "pass", "low")], LOGGED));
    trial.fails("readiness", &["readiness"]);
}

#[test]
fn the_newest_of_each_scanner_counts() {
    let mut trial = Trial::of(&rule("readiness", ""));
    trial.say(checked("pkg:x/s", "production", &[("K1", "fail", "high")], "2026-11-27T09:30:00Z"));
    trial.say(checked("pkg:x/s", "production", &[("K1", "pass", "high")], "2026-11-27T08:30:00Z"));
    trial.say(checked("pkg:x/t", "production", &[("K1", "pass", "high")], "2026-11-27T09:45:00Z"));
    trial.fails("readiness", &["K1"]);
}

#[test]
fn the_checked_configuration_must_be_the_one_that_is_applied() {
    let mut trial = Trial::of(&rule("readiness", "bind_configuration = true"));
    trial.say(checked("pkg:x/s", "production", &[("K1", "pass", "low")], LOGGED));
    trial.fails("readiness", &["configuration"]);
    trial.question.configuration = Some(Sha256::of(b"another"));
    trial.fails("readiness", &["configuration"]);
    trial.question.configuration = Some(configuration());
    trial.passes("readiness");
}

#[test]
fn each_scanner_must_have_checked_the_configuration_that_is_applied() {
    let mut trial = Trial::of(&rule("readiness", "bind_configuration = true"));
    trial.question.configuration = Some(configuration());
    trial.say(checked("pkg:x/s", "production", &[("K1", "pass", "low")], LOGGED));
    let mut other = checked("pkg:x/t", "production", &[("K2", "pass", "low")], LOGGED);
    other.predicate["configuration"] = json!({ "sha256": Sha256::of(b"another").hex() });
    trial.say(other);
    trial.fails("readiness", &["configuration"]);
}
