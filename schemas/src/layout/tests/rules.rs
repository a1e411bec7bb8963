//! How rules are read, and what each kind of them does.

use super::*;
use crate::layout::artifacts::{Record, RuleFault, Work, apply};
use crate::layout::pattern::MAX_PATTERN_BYTES;

/// Applies rules for products to a step with these artifacts, beside a step `other`.
fn products(rules: &[&str], materials: &str, products: &str, other: &str) -> Result<(), RuleFault> {
    outcome(step("own", &[1], 1, &[], rules), materials, products, other)
}

fn outcome(own: Value, materials: &str, products: &str, other: &str) -> Result<(), RuleFault> {
    let read = Layout::from_value(layout(vec![own, step("other", &[1], 1, &[], &[])])).unwrap();
    let [materials, products, other] = [materials, products, other].map(artifacts);
    let none = Artifacts::new();
    let own = Record { materials: &materials, products: &products };
    let other = Record { materials: &none, products: &other };
    let others = |name: &str| (name == "other").then_some(other);
    apply(&read.steps[0], own, others, &mut Work::new(MAX_WORK))
}

#[track_caller]
fn fault(outcome: Result<(), RuleFault>) -> (String, String) {
    match outcome {
        Err(RuleFault::Broken { rule, found, .. }) => (rule, found),
        other => panic!("expected a broken rule, found {other:?}"),
    }
}

#[test]
fn a_rule_is_written_as_it_was_read() {
    for rule in [
        "MATCH * WITH PRODUCTS FROM build",
        "MATCH a?[b-c] IN src WITH MATERIALS FROM build",
        "MATCH * WITH PRODUCTS IN out FROM build",
        "MATCH * IN src WITH PRODUCTS IN out/ FROM in",
        "CREATE *",
        "DELETE *",
        "MODIFY *",
        "ALLOW *",
        "DISALLOW *",
        "REQUIRE a.c",
    ] {
        let words: Vec<_> = rule.split(' ').map(str::to_owned).collect();
        assert_eq!(ArtifactRule::from_words(&words).unwrap().to_string(), rule);
        let mut lower = words.clone();
        lower[0].make_ascii_lowercase();
        assert_eq!(ArtifactRule::from_words(&lower), ArtifactRule::from_words(&words));
    }
}

#[test]
fn refuses_rules_of_other_forms() {
    for rule in [
        "MATCH",
        "MATCH *",
        "MATCH * WITH PRODUCTS",
        "MATCH * WITH PRODUCTS FROM",
        "MATCH * WITH BYPRODUCTS FROM build",
        "MATCH * FROM build WITH PRODUCTS",
        "MATCH * IN WITH PRODUCTS FROM build",
        "MATCH * WITH PRODUCTS FROM build x",
        "MATCH * WITH PRODUCTS IN out",
        "CREATE",
        "CREATE a b",
        "REQUIRE a b",
        "FORBID *",
        "",
    ] {
        let words: Vec<_> = rule.split_whitespace().map(str::to_owned).collect();
        let refusal = ArtifactRule::from_words(&words).expect_err(rule).to_string();
        assert!(refusal.starts_with("expected "), "{refusal}");
    }
    let long = ["ALLOW".to_owned(), "a".repeat(MAX_PATTERN_BYTES + 1)];
    assert_eq!(ArtifactRule::from_words(&long), Err(RuleError::TooLong { found_bytes: 1025 }));
}

#[test]
fn an_artifact_that_no_rule_consumes_is_allowed_unless_one_disallows_it() {
    products(&[], "", "a=1", "").unwrap();
    products(&["CREATE b"], "", "a=1", "").unwrap();
    let (rule, found) = fault(products(&["CREATE b", "DISALLOW *"], "", "a=1 b=1 c=1", ""));
    assert_eq!((rule.as_str(), found.as_str()), ("DISALLOW *", "\"a\", \"c\""));
    products(&["ALLOW a", "DISALLOW *"], "", "a=1", "").unwrap();
    fault(products(&["DISALLOW *", "ALLOW a"], "", "a=1", ""));
}

#[test]
fn require_demands_what_is_left_by_its_very_path() {
    products(&["REQUIRE a", "ALLOW *"], "", "a=1", "").unwrap();
    let (rule, found) = fault(products(&["REQUIRE a"], "a=1", "b=1", ""));
    assert_eq!((rule.as_str(), found.as_str()), ("REQUIRE a", "\"b\""));
    fault(products(&["ALLOW a", "REQUIRE a"], "", "a=1", ""));
    // It has a path, not a pattern, in all implementations.
    fault(products(&["REQUIRE *"], "", "a=1", ""));
    products(&["REQUIRE *"], "", "*=1", "").unwrap();
}

#[test]
fn create_consumes_new_products_only() {
    products(&["CREATE *", "DISALLOW *"], "b=1", "a=1", "").unwrap();
    fault(products(&["CREATE *", "DISALLOW *"], "a=1", "a=1", ""));
    fault(products(&["CREATE *", "DISALLOW *"], "a=2", "a=1", ""));
}

#[test]
fn delete_consumes_lost_materials_only() {
    let delete = || step("own", &[1], 1, &["DELETE *", "DISALLOW *"], &[]);
    outcome(delete(), "a=1", "b=1", "").unwrap();
    fault(outcome(delete(), "a=1", "a=1", ""));
    fault(outcome(delete(), "a=1", "a=2", ""));
}

#[test]
fn modify_consumes_what_has_another_digest_only() {
    let rules = ["MODIFY *", "DISALLOW *"];
    products(&rules, "a=1", "a=2", "").unwrap();
    fault(products(&rules, "a=1", "a=1", ""));
    fault(products(&rules, "b=1", "a=2", ""));
    let modify = || step("own", &[1], 1, &rules, &[]);
    outcome(modify(), "a=1", "a=2", "").unwrap();
    fault(outcome(modify(), "a=1", "b=2", ""));
}

#[test]
fn match_consumes_what_the_other_step_has_under_the_same_path_with_the_same_digest() {
    let rules = ["MATCH * WITH PRODUCTS FROM other", "DISALLOW *"];
    products(&rules, "", "a=1", "a=1 b=2").unwrap();
    for (own, other) in [("a=1", "a=2"), ("a=1", "b=1"), ("a=1", ""), ("a=1 b=1", "a=1")] {
        fault(products(&rules, "", own, other));
    }
    // The other step has no materials, and a rule of a step without a record consumes nothing.
    fault(products(&["MATCH * WITH MATERIALS FROM other", "DISALLOW *"], "", "a=1", "a=1"));
    fault(products(&["MATCH * WITH PRODUCTS FROM own", "DISALLOW *"], "", "a=1", "a=1"));
}

#[test]
fn match_moves_paths_between_its_prefixes() {
    let check = |rule: &str, own: &str, other: &str| {
        products(&[rule, "DISALLOW *"], "", own, other).is_ok()
    };
    let rule = "MATCH * IN src WITH PRODUCTS IN out FROM other";
    assert!(check(rule, "src/a=1 src/b/c=2", "out/a=1 out/b/c=2"));
    assert!(check(&rule.replace("src", "src/").replace("out", "out/"), "src/a=1", "out/a=1"));
    for (own, other) in
        [("src/a=1", "a=1"), ("a=1", "out/a=1"), ("srcs/a=1", "out/a=1"), ("src/a=1", "outa=1")]
    {
        assert!(!check(rule, own, other), "{own} {other}");
    }
    // A prefix is no pattern, and the pattern is of what is below it.
    assert!(!check("MATCH * IN s* WITH PRODUCTS IN out FROM other", "src/a=1", "out/a=1"));
    assert!(check("MATCH * IN s* WITH PRODUCTS IN out FROM other", "s*/a=1", "out/a=1"));
    assert!(!check("MATCH src/* IN src WITH PRODUCTS FROM other", "src/a=1", "a=1"));
}

#[test]
fn digests_agree_where_they_share_one_that_tells_artifacts_apart() {
    let [a, b] = ['1', '2'].map(|digit| digit.to_string());
    let [sha256, other_sha256] = [&a, &b].map(|digit| ("sha256", digit.repeat(64)));
    let [sha512, other_sha512] = [&a, &b].map(|digit| ("sha512", digit.repeat(128)));
    let md5 = ("md5", a.repeat(32));
    let check = |one: &[&(&str, String)], other: &[&(&str, String)]| {
        let [here, there] = [one, other].map(|digests| {
            let map = digests.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            Artifacts::from([("a".to_owned(), map.collect::<BTreeMap<_, _>>().try_into().unwrap())])
        });
        let holds = |rule: &str| {
            let own = step("own", &[1], 1, &[], &[rule, "DISALLOW *"]);
            let read =
                Layout::from_value(layout(vec![own, step("other", &[1], 1, &[], &[])])).unwrap();
            let record = Record { materials: &there, products: &here };
            let others = |_: &str| Some(record);
            apply(&read.steps[0], record, others, &mut Work::new(MAX_WORK)).is_ok()
        };
        (holds("MATCH * WITH MATERIALS FROM other"), holds("MODIFY *"))
    };
    let (same, different, neither) = ((true, false), (false, true), (false, false));
    assert_eq!(check(&[&sha256], &[&sha256]), same);
    assert_eq!(check(&[&sha256], &[&other_sha256]), different);
    assert_eq!(check(&[&sha256, &sha512], &[&sha256]), same);
    assert_eq!(check(&[&sha256, &sha512], &[&sha256, &other_sha512]), different);
    assert_eq!(check(&[&sha256], &[&sha512]), neither);
    assert_eq!(check(&[&md5], &[&md5]), neither);
    assert_eq!(check(&[&md5, &sha256], &[&md5, &sha512]), neither);
}

#[test]
fn a_pattern_costs_no_more_than_its_length_times_the_length_of_the_path() {
    let pattern = format!("{}b", "*a".repeat(400));
    let path = "a".repeat(MAX_PATH_BYTES);
    let mut steps = 0;
    assert!(!Pattern::new(&pattern).unwrap().takes(&path, &mut steps));
    assert!(steps > 4096 && steps < 4 * 4096 * 4, "{steps}");
    // Each star starts anew with what follows it, which has no end that fits.
    let pattern = format!("*{}b", "a".repeat(1000));
    let mut steps = 0;
    assert!(!Pattern::new(&pattern).unwrap().takes(&path, &mut steps));
    assert!(steps < 4097 * 1002, "{steps}");
    assert!(Pattern::new(&"*".repeat(MAX_PATTERN_BYTES)).unwrap().takes(&path, &mut 0));
    assert_eq!(Pattern::new(&"a".repeat(MAX_PATTERN_BYTES + 1)), None);
}

#[test]
fn work_that_is_spent_ends_the_rules() {
    let value = layout(vec![step("own", &[1], 1, &[], &["ALLOW *a*b*c", "DISALLOW *"])]);
    let read = Layout::from_value(value).unwrap();
    let [materials, products] = ["", "abc=1"].map(artifacts);
    let own = Record { materials: &materials, products: &products };
    let outcome = apply(&read.steps[0], own, |_| None, &mut Work::new(70));
    assert_eq!(outcome, Err(RuleFault::Exhausted));
}
