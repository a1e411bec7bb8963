//! `provenance`.

use super::*;

const RULES: &str = r#"
signers = ["builders"]
level = 3
builders = ["https://ci.example/builder"]
sources = ["https://git.example/pay/**"]
refs = ["refs/heads/main"]
build_types = ["https://ci.example/build/v1"]
parameters = { target = ["release", "debug"] }
"#;

fn trial() -> Trial {
    Trial::of(&rule("provenance", RULES))
}

/// What is wrong with the good provenance after one change.
#[track_caller]
fn refused(change: impl FnOnce(&mut Value), findings: &[&str]) {
    let mut trial = trial();
    let mut predicate = provenance_of(BUILDER, REPOSITORY, COMMIT);
    change(&mut predicate);
    trial.say(Saying::of("ci", "provenance", predicate));
    trial.fails("provenance", findings);
}

#[test]
fn provenance_that_fits_passes_with_its_level() {
    let mut trial = trial();
    trial.fails("provenance", &["provenance"]);
    trial.say(built());
    let answer = trial.passes("provenance");
    assert_eq!(answer.level.as_deref(), Some("SLSA_BUILD_LEVEL_3"));
    assert!(answer.found.contains("from https://git.example/pay/api at 0123456789ab"));
    assert_eq!(trial.decide().summary().verified_levels, ["SLSA_BUILD_LEVEL_3"]);
}

#[test]
fn a_trusted_signer_cannot_claim_a_foreign_builder() {
    let foreign = "https://ci.example/builder/";
    refused(|p| p["runDetails"]["builder"]["id"] = foreign.into(), &["claim", "builder", "level"]);
}

#[test]
fn a_level_is_what_the_roster_trusts_the_signer_for() {
    let mut trial = trial();
    let ci = trial.signers.get_mut("ci").unwrap();
    *ci = ci.replace("level = 3", "level = 2");
    trial.say(built());
    trial.fails("provenance", &["level"]);
}

#[test]
fn source_reference_and_build_type_must_be_allowed() {
    let dependency = |p: &mut Value, uri: &str| {
        p["buildDefinition"]["resolvedDependencies"][0]["uri"] = uri.into();
    };
    for (uri, findings) in [
        ("git+https://git.example/payroll/api@refs/heads/main", vec!["source"]),
        ("git+https://git.example/pay/../evil/api@refs/heads/main", vec!["source"]),
        ("git+https://git.example@evil.example/pay/api@refs/heads/main", vec!["source"]),
        ("git+https://git.example/Pay/api@refs/heads/main", vec!["source"]),
        ("git+https://git.example/pay/api@refs/heads/maintenance", vec!["ref"]),
        ("git+https://git.example/pay/api", vec!["ref"]),
    ] {
        let mut trial = trial();
        let mut predicate = provenance_of(BUILDER, REPOSITORY, COMMIT);
        dependency(&mut predicate, uri);
        trial.say(Saying::of("ci", "provenance", predicate));
        let found: Vec<String> =
            trial.answer("provenance").findings.into_iter().map(|finding| finding.id).collect();
        assert_eq!(found, findings, "{uri}");
    }
    refused(|p| p["buildDefinition"]["buildType"] = "https://x.example/v1".into(), &["build-type"]);
    refused(|p| p["buildDefinition"]["resolvedDependencies"] = json!([]), &["source", "ref"]);
}

#[test]
fn external_parameters_that_the_policy_does_not_name_or_allow_fail() {
    let set = |name: &'static str, value: Value| {
        move |p: &mut Value| p["buildDefinition"]["externalParameters"][name] = value
    };
    refused(set("target", "nightly".into()), &["parameter target"]);
    refused(set("target", json!(["release"])), &["parameter target"]);
    refused(set("script", "curl evil".into()), &["parameter script"]);
    let any = RULES.replace("[\"release\", \"debug\"]", "[\"*\"]");
    let mut trial = Trial::of(&rule("provenance", &any));
    trial.say(built());
    trial.passes("provenance");
}

#[test]
fn a_bad_provenance_neither_hides_a_good_one_nor_is_hidden_as_good() {
    let mut bad = provenance_of(BUILDER, "https://evil.example/api", COMMIT);
    bad["buildDefinition"]["externalParameters"] = json!({ "x": 1 });
    for bad_first in [true, false] {
        let mut trial = trial();
        let bad = Saying::of("ci", "provenance", bad.clone());
        match bad_first {
            true => trial.say(bad).say(built().at("2026-11-27T09:30:00Z")),
            false => trial.say(built()).say(bad.at("2026-11-27T09:30:00Z")),
        };
        trial.passes("provenance");
    }
    let mut trial = trial();
    trial.say(Saying::of("ci", "provenance", bad));
    trial.fails("provenance", &["source", "parameter x"]);
}

#[test]
fn the_nearest_of_several_is_told() {
    let mut trial = trial();
    trial.say(Saying::of(
        "ci",
        "provenance",
        provenance_of("https://x.example", "https://y.example/z", COMMIT),
    ));
    trial.say(Saying::of(
        "ci",
        "provenance",
        provenance_of(BUILDER, "https://y.example/z", COMMIT),
    ));
    let answer = trial.fails("provenance", &["source"]);
    assert!(answer.found.ends_with("built from https://y.example/z"), "{}", answer.found);
}

#[test]
fn provenance_in_an_older_form_or_of_the_wrong_type_counts_for_nothing() {
    let mut trial = trial();
    let predicate = provenance_of(BUILDER, REPOSITORY, COMMIT);
    let types = ["https://slsa.dev/provenance/v0.2", "https://example.org/custom/v1", "link"];
    for kind in types {
        trial.say(Saying::of("ci", kind, predicate.clone()));
    }
    let answer = trial.fails("provenance", &["provenance"]);
    assert_eq!(answer.found, "no provenance");
}

#[test]
fn a_predicate_that_does_not_fit_its_type_stands_in_nobodys_way() {
    let mut trial = trial();
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    for predicate in [
        json!({}),
        json!({ "buildDefinition": { "buildType": 1 } }),
        json!({ "buildDefinition": deep, "runDetails": [] }),
        json!({ "huge": "x".repeat(1 << 20) }),
    ] {
        trial.say(Saying::of("ci", "provenance", predicate).at("2026-11-27T09:59:00Z"));
    }
    assert!(trial.evidence.iter().all(|one| matches!(one.said(), Said::Malformed(_))));
    let answer = trial.fails("provenance", &["provenance"]);
    assert!(answer.found.contains("does not fit its type: "), "{}", answer.found);
    assert!(answer.found.ends_with("; and others"), "{}", answer.found);
    trial.say(built());
    trial.passes("provenance");
}

#[test]
fn provenance_of_another_version_is_told_of() {
    let mut trial = trial();
    trial.signer("old", "old", "may = [\"provenance-v0.2\"]\n");
    let before = json!({ "builder": { "id": BUILDER }, "buildType": "https://ci.example/build" });
    let made = trial.held(Saying::of("old", "provenance-v0.2", before.clone()));
    trial.say(Saying::of("tester", "provenance-v0.2", before));
    let answer = trial.fails("provenance", &["provenance"]);
    let expected = format!(
        "none that counts: {} is https://slsa.dev/provenance/v0.2, which no rule reads",
        case::short(made)
    );
    assert_eq!(answer.found, expected);
}

#[test]
fn what_one_entry_of_a_signer_may_not_claim_another_may() {
    let mut trial = trial();
    trial.signer("ci", "ci-before", "may = [\"provenance\"]\n");
    trial.say(built().by_key("ci-before"));
    trial.fails("provenance", &["claim", "level"]);
    // The same payload, by the entry that may.
    trial.say(built());
    trial.passes("provenance");
}

#[test]
fn nothing_is_taken_for_the_first_source_that_stands_behind_one_too_long() {
    let first = |uri: &str| {
        let mut predicate = provenance_of(BUILDER, REPOSITORY, COMMIT);
        let dependencies = &mut predicate["buildDefinition"]["resolvedDependencies"];
        let evil = json!({ "uri": uri, "digest": { "sha1": COMMIT } });
        dependencies.as_array_mut().unwrap().insert(0, evil);
        Saying::of("ci", "provenance", predicate)
    };
    let long = "x".repeat(1_100);
    for uri in [
        format!("git+https://evil.example/{long}@refs/heads/main"),
        format!("git+{REPOSITORY}@refs/heads/{long}"),
        "GIT+https://evil.example/x@refs/heads/main".to_owned(),
    ] {
        let mut trial = Trial::of(&rule("provenance", &format!("sources = [\"{REPOSITORY}\"]")));
        trial.say(first(&uri));
        trial.fails("provenance", &["source"]);
        let mut trial = Trial::of(&rule("source", ""));
        trial.say(first(&uri)).say(reviewed("host", "alice", &["bob"]));
        assert!(!trial.decide().passed(), "{uri}");
    }
}
