//! Ages: by the earlier of what a statement claims and when the log first held it.

use super::*;

fn trial() -> Trial {
    Trial::of(&rule("provenance", "max_age = \"1h\""))
}

fn finished(at: &str) -> Saying {
    let mut predicate = provenance_of(BUILDER, REPOSITORY, COMMIT);
    predicate["runDetails"]["metadata"]["finishedOn"] = at.into();
    Saying::of("ci", "provenance", predicate).at("2026-11-27T09:30:00Z")
}

#[test]
fn a_claim_can_make_evidence_older_and_never_younger() {
    for (claimed, passes) in [
        ("2026-11-27T09:30:00Z", true),
        ("2026-11-27T09:00:00Z", false),
        ("2026-11-27T09:00:01Z", true),
        ("2029-01-01T00:00:00Z", true),
    ] {
        let mut trial = trial();
        trial.say(finished(claimed));
        assert_eq!(trial.decide().passed(), passes, "{claimed}");
    }
    let mut trial = trial();
    trial.say(finished("2029-01-01T00:00:00Z").at("2026-11-27T08:59:00Z"));
    let answer = trial.fails("provenance", &["provenance"]);
    assert!(answer.found.contains("1h 1m old, less than 1h is allowed"), "{}", answer.found);
}

#[test]
fn a_claim_in_another_offset_is_a_claim() {
    let mut trial = trial();
    trial.say(finished("2026-11-27T09:30:00+01:00"));
    trial.fails("provenance", &["provenance"]);
    let mut trial = Trial::of(&rule("vuln-scan", "block = \"high\"\nmax_age = \"1h\""));
    let mut old = scanned(&[], "2026-11-27T09:30:00Z");
    old.predicate["metadata"]["scanFinishedOn"] = "2026-11-27T09:30:00+01:00".into();
    trial.say(old);
    trial.fails("vuln-scan", &["vuln-scan"]);
}

#[test]
fn a_bill_that_is_signed_again_is_no_younger() {
    let mut trial = Trial::of(&rule("sbom", "max_age = \"1h\""));
    let bill = || sbom::cyclonedx(json!([]));
    trial.say(bill().at("2026-11-27T08:00:00Z")).say(bill().at("2026-11-27T09:30:00Z"));
    let answer = trial.fails("sbom", &["sbom"]);
    assert!(answer.found.contains("less than 1h is allowed"), "{}", answer.found);
    let other = json!([{ "type": "library", "name": "x" }]);
    trial.say(sbom::cyclonedx(other).at("2026-11-27T09:31:00Z"));
    trial.passes("sbom");
}

#[test]
fn an_unsigned_field_or_an_annotation_makes_nothing_fresh() {
    let mut trial = trial();
    let mut saying = finished("2026-11-20T00:00:00Z");
    saying.predicate["timestamp"] = NOW.into();
    saying.predicate["verified"] = true.into();
    saying.subjects[0].annotations = json!({ "verifiedAt": NOW }).as_object().cloned();
    trial.say(saying);
    trial.fails("provenance", &["provenance"]);
}

#[test]
fn a_verdict_turns_at_the_moment_at_which_evidence_is_too_old() {
    let mut trial = trial();
    trial.say(finished("2026-11-27T09:15:00.5Z"));
    trial.turns_at("2026-11-27T10:15:00.5Z");
}

#[test]
fn every_demand_can_ask_for_an_age() {
    for (rules, saying) in [
        (rule("signature", ""), signature("ci")),
        (rule("test-result", ""), tested("ci", "PASSED", &["a"], &[])),
        (rule("vuln-scan", "block = \"low\""), scanned(&[], LOGGED)),
        (rule("approval", "signers = [\"leads\"]"), approval("bob", "2027-01-01T00:00:00Z")),
        (
            rule("vsa", "signers = [\"verifier\"]\nverifier = \"https://v.example\""),
            summary("verifier", "https://v.example", "PASSED", &[]),
        ),
    ] {
        let mut trial = Trial::of(&format!("{rules}max_age = \"2h\"\n"));
        trial.say(saying);
        assert!(trial.decide().passed(), "{rules}");
        trial.turns_at("2026-11-27T11:00:00Z");
    }
}
