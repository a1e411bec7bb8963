//! `vsa`.

use super::*;

const VERIFIER: &str = "https://verifier.example";
const RULE: &str = "signers = [\"verifier\"]\nverifier = \"https://verifier.example\"\nlevels = [\"SLSA_BUILD_LEVEL_2\"]";

#[test]
fn a_passed_summary_of_the_verifier_suffices_at_the_level_or_above() {
    for (levels, findings) in [
        (vec!["SLSA_BUILD_LEVEL_2"], vec![]),
        (vec!["SLSA_BUILD_LEVEL_3"], vec![]),
        (vec!["SLSA_BUILD_LEVEL_1"], vec!["SLSA_BUILD_LEVEL_2"]),
        (vec!["SLSA_SOURCE_LEVEL_3"], vec!["SLSA_BUILD_LEVEL_2"]),
        (vec!["SLSA_BUILD_LEVEL_UNEVALUATED"], vec!["SLSA_BUILD_LEVEL_2"]),
    ] {
        let mut trial = Trial::of(&rule("vsa", RULE));
        trial.say(summary("verifier", VERIFIER, "PASSED", &levels));
        let found: Vec<String> =
            trial.answer("vsa").findings.into_iter().map(|finding| finding.id).collect();
        assert_eq!(found, findings, "{levels:?}");
    }
}

#[test]
fn a_failed_summary_fails_and_its_level_too() {
    let mut trial = Trial::of(&rule("vsa", RULE));
    trial.say(summary("verifier", VERIFIER, "PASSED", &["SLSA_BUILD_LEVEL_3"]));
    trial.say(summary("verifier", VERIFIER, "FAILED", &["FAILED"]));
    trial.fails("vsa", &["failed pkg:oci/api", "SLSA_BUILD_LEVEL_2"]);
}

#[test]
fn a_foreign_summary_counts_for_nothing() {
    let passed =
        |signer: &str, verifier: &str| summary(signer, verifier, "PASSED", &["SLSA_BUILD_LEVEL_3"]);
    let mut trial = Trial::of(&rule("vsa", RULE));
    trial.say(passed("verifier", "https://verifier.example/other"));
    trial.say(passed("host", VERIFIER));
    trial.say(passed("stranger", VERIFIER));
    trial.say(passed("verifier", VERIFIER).about(other_artifact()));
    trial.fails("vsa", &["vsa"]);
}

#[test]
fn a_summary_must_be_for_a_resource_that_fits() {
    let mut trial = Trial::of(&rule("vsa", &format!("{RULE}\nresource = \"pkg:oci/web\"")));
    trial.say(summary("verifier", VERIFIER, "PASSED", &["SLSA_BUILD_LEVEL_3"]));
    trial.fails("vsa", &["vsa"]);
    let mut trial = Trial::of(&rule("vsa", &format!("{RULE}\nresource = \"pkg:oci/*\"")));
    trial.say(summary("verifier", VERIFIER, "PASSED", &["SLSA_BUILD_LEVEL_3"]));
    trial.passes("vsa");
}

#[test]
fn a_failure_for_one_resource_is_not_hidden_behind_another_one() {
    let of = |resource: &str, result: &str, levels: &[&str]| {
        let mut saying = summary("verifier", VERIFIER, result, levels);
        saying.predicate["resourceUri"] = resource.into();
        saying
    };
    let passed = |resource: &str| of(resource, "PASSED", &["SLSA_BUILD_LEVEL_3"]);
    let mut trial = Trial::of(&rule("vsa", RULE));
    trial.say(of("pkg:oci/a", "FAILED", &["SLSA_BUILD_LEVEL_3"]));
    trial.say(passed("pkg:oci/b"));
    let answer = trial.fails("vsa", &["failed pkg:oci/a"]);
    assert_eq!(answer.evidence.len(), 2);
    trial.say(passed("pkg:oci/a"));
    trial.passes("vsa");
    // One has the levels, and that is enough.
    trial.say(of("pkg:oci/c", "PASSED", &["SLSA_BUILD_LEVEL_1"]));
    trial.passes("vsa");
    trial.say(of("pkg:oci/a", "PASSED", &[])).say(of("pkg:oci/b", "PASSED", &[]));
    trial.fails("vsa", &["SLSA_BUILD_LEVEL_2"]);
    let mut trial = Trial::of(&rule("vsa", &format!("{RULE}\nresource = \"pkg:oci/b\"")));
    trial.say(of("pkg:oci/a", "FAILED", &[])).say(passed("pkg:oci/b"));
    trial.passes("vsa");
}

#[test]
fn the_gates_own_decision_is_no_summary_of_another_verifier() {
    let mut trial = Trial::of(&rule(
        "vsa",
        "signers = [\"verifier\"]\nverifier = \"https://registry.example.com/v1/decisions\"",
    ));
    trial.say(summary("gate", "https://registry.example.com/v1/decisions", "PASSED", &[]));
    trial.fails("vsa", &["vsa"]);
}

#[test]
fn a_failure_is_not_passed_over_for_the_spelling_of_its_resource() {
    let of = |resource: &str, result: &str| {
        let mut saying = summary("verifier", VERIFIER, result, &["SLSA_BUILD_LEVEL_3"]);
        saying.predicate["resourceUri"] = resource.into();
        saying
    };
    for (resource, finding) in [
        ("pkg:oci/api@sha256%3Aabc", "failed pkg:oci/api@sha256%3Aabc"),
        ("pkg:oci/a b", "failed pkg:oci/a b"),
    ] {
        let mut trial = Trial::of(&rule("vsa", &format!("{RULE}\nresource = \"pkg:oci/*\"")));
        trial.say(of("pkg:oci/api", "PASSED")).say(of(resource, "FAILED"));
        trial.fails("vsa", &[finding]);
    }
    // Another spelling of the same makes it good; and what is clearly something else denies nothing.
    let mut trial = Trial::of(&rule("vsa", &format!("{RULE}\nresource = \"pkg:oci/*\"")));
    trial.say(of("pkg:oci/api@sha256%3Aabc", "FAILED")).say(of("pkg:oci/api@sha256:abc", "PASSED"));
    trial.say(of("https://mirror.example/web/", "FAILED"));
    trial.say(of("pkg:generic/x?download_url=https%3A%2F%2Fh%2Fx", "FAILED"));
    trial.passes("vsa");
    let mut trial = Trial::of(&rule("vsa", &format!("{RULE}\nresource = \"pkg:oci/*\"")));
    trial.say(of("pkg:oci/api@sha256%3Aabc", "PASSED"));
    trial.passes("vsa");
}

#[test]
fn a_level_that_says_failed_is_a_failure() {
    let mut trial = Trial::of(&rule(
        "vsa",
        "signers = [\"verifier\"]\nverifier = \"https://verifier.example\"",
    ));
    trial.say(summary("verifier", VERIFIER, "PASSED", &["FAILED"]));
    trial.fails("vsa", &["failed pkg:oci/api"]);
}
