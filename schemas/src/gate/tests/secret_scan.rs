//! `secret-scan`.

use super::*;

pub(super) fn searched(scanner: &str, fingerprints: &[&str], at: &str) -> Saying {
    let findings: Vec<Value> = fingerprints
        .iter()
        .map(|f| json!({ "rule": "aws-key", "file": "a.env", "line": 3, "fingerprint": f }))
        .collect();
    let predicate = json!({
        "scanner": { "uri": scanner, "version": "8" },
        "findings": findings, "scannedAt": at, "redacted": true,
        "report": { "name": "r.json", "digest": { "sha256": Sha256::of(b"r").hex() } },
    });
    Saying::of("scanner", "secret-scan", predicate).at(at)
}

#[test]
fn findings_above_the_tolerated_number_fail_by_their_fingerprints() {
    let mut trial = Trial::of(&rule("secret-scan", "most = 1"));
    trial.fails("secret-scan", &["secret-scan"]);
    trial.say(searched("pkg:x/gitleaks", &["f1"], LOGGED));
    trial.passes("secret-scan");
    trial.say(searched("pkg:x/trufflehog", &["f2"], LOGGED));
    let answer = trial.fails("secret-scan", &["f1", "f2"]);
    assert!(answer.found.contains("aws-key in a.env:3"), "{}", answer.found);
}

#[test]
fn the_newest_search_of_each_scanner_counts() {
    let mut trial = Trial::of(&rule("secret-scan", ""));
    trial.say(searched("pkg:x/gitleaks", &[], "2026-11-27T08:00:00Z"));
    trial.say(searched("pkg:x/gitleaks", &["f1"], "2026-11-27T09:00:00Z"));
    trial.fails("secret-scan", &["f1"]);
    trial.say(searched("pkg:x/gitleaks", &[], "2026-11-27T09:30:00Z"));
    trial.passes("secret-scan");
}

#[test]
fn a_search_that_is_malformed_or_by_a_stranger_is_none() {
    let mut trial = Trial::of(&rule("secret-scan", ""));
    let mut shown = searched("pkg:x/gitleaks", &[], LOGGED);
    shown.predicate["redacted"] = false.into();
    trial.say(shown).say(searched("pkg:x/gitleaks", &[], LOGGED).by_key("stranger"));
    trial.fails("secret-scan", &["secret-scan"]);
}
