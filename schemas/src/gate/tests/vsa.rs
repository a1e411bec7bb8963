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
    trial.fails("vsa", &["failed", "SLSA_BUILD_LEVEL_2"]);
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
fn the_gates_own_decision_is_no_summary_of_another_verifier() {
    let mut trial = Trial::of(&rule(
        "vsa",
        "signers = [\"verifier\"]\nverifier = \"https://registry.example.com/v1/decisions\"",
    ));
    trial.say(summary("gate", "https://registry.example.com/v1/decisions", "PASSED", &[]));
    trial.fails("vsa", &["vsa"]);
}
