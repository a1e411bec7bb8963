//! Who counts for a step: thresholds, functionaries who disagree, and other versions.

use super::*;

/// A step that two of three functionaries must report.
fn two_of_three() -> Value {
    layout(vec![step("build", &[1, 2, 3], 2, &[], &["CREATE *"])])
}

fn build(seed: u8, products: &str) -> StepLink {
    link("build", seed, "a.c=a", products)
}

fn counted(report: &LayoutReport, step: usize) -> Vec<Fingerprint> {
    report.steps[step].counted.iter().map(|counted| counted.signer).collect()
}

fn sorted(seeds: &[u8]) -> Vec<Fingerprint> {
    let mut signers: Vec<_> = seeds.iter().map(|seed| signer(*seed)).collect();
    signers.sort_unstable();
    signers
}

#[test]
fn a_threshold_counts_distinct_keys_that_report_the_same() {
    let check = |links: &[StepLink]| check(&two_of_three(), links, 'd');
    let report = check(&[build(1, "app=d"), build(3, "app=d")]).unwrap();
    assert_eq!(counted(&report, 0), sorted(&[1, 3]));
    let all = [build(1, "app=d"), build(2, "app=d"), build(3, "app=d")];
    assert_eq!(counted(&check(&all).unwrap(), 0), sorted(&[1, 2, 3]));
    let mut again = build(1, "app=d");
    again.source = Sha256::of(b"again");
    for links in [
        vec![build(1, "app=d")],
        vec![build(1, "app=d"), again],
        vec![build(1, "app=d"), build(4, "app=d"), build(STRANGER, "app=d")],
        vec![build(1, "app=d"), build(2, "app=e")],
        vec![build(1, "app=d"), build(2, "app=d log=0")],
        vec![build(1, "app=d"), link("build", 2, "a.c=b", "app=d")],
    ] {
        let refusal = refused(check(&links), LayoutCheck::Threshold, "expected 2 of SHA256:");
        assert!(refusal.found.starts_with('1'), "{refusal}");
    }
}

#[test]
fn one_key_under_two_keyids_does_not_reach_a_threshold_of_two() {
    let mut layout = two_of_three();
    let other = keyid(&public(1), KeyForm::Go);
    layout["keys"][&other] = layout_key(&public(1), KeyForm::Go);
    layout["steps"][0]["pubkeys"] = json!([keyid_of(1), other, keyid_of(2)]);
    let mut again = build(1, "app=d");
    again.source = Sha256::of(b"again");
    let links = [build(1, "app=d"), again];
    refused(check(&layout, &links, 'd'), LayoutCheck::Threshold, "found 1");
    check(&layout, &[build(1, "app=d"), build(2, "app=d")], 'd').unwrap();
}

#[test]
fn a_key_that_is_not_supported_counts_for_nothing() {
    let mut layout = two_of_three();
    layout["keys"]["aa"] =
        json!({"keytype": "rsa", "scheme": "rsassa-pss-sha256", "keyval": {"public": "x"}});
    layout["steps"][0]["pubkeys"] = json!(["aa", keyid_of(1)]);
    refused(check(&layout, &[build(1, "app=d")], 'd'), LayoutCheck::Threshold, "found 1");
    layout["steps"][0]["threshold"] = 1.into();
    check(&layout, &[build(1, "app=d")], 'd').unwrap();
    layout["steps"][0]["pubkeys"] = json!(["aa"]);
    let outcome = check(&layout, &[build(1, "app=d")], 'd');
    refused(outcome, LayoutCheck::Threshold, "no key that signatures can be verified with");
}

#[test]
fn a_functionary_who_disagrees_alone_cannot_block() {
    let mut links = vec![build(1, "app=d"), build(2, "app=d"), build(3, "app=e")];
    for _ in 0..3 {
        links.rotate_left(1);
        let report = check(&two_of_three(), &links, 'd').unwrap();
        assert_eq!(counted(&report, 0), sorted(&[1, 2]));
    }
    refused(check(&two_of_three(), &links, 'e'), LayoutCheck::Artifact, "in none of 1");
}

#[test]
fn the_same_attestation_counts_whatever_the_order() {
    let mut again = build(1, "app=d");
    again.source = Sha256::of(b"again");
    let links = [build(1, "app=d"), again.clone(), build(2, "app=d")];
    let reversed: Vec<_> = links.iter().rev().cloned().collect();
    let layout = two_of_three();
    let one = check(&layout, &links, 'd').unwrap();
    assert_eq!(one.steps, check(&layout, &reversed, 'd').unwrap().steps);
}

/// Writes by 1 or 2, then builds by 3; the first step has a product that the second does not take.
fn write_and_build() -> Value {
    layout(vec![
        step("write", &[1, 2], 1, &[], &["ALLOW *"]),
        step("build", &[3], 1, &["MATCH * WITH PRODUCTS FROM write", "DISALLOW *"], &[]),
    ])
}

#[test]
fn two_groups_that_would_both_stand_and_contradict_each_other_are_refused() {
    let links = |other: u8, materials: &str, products: &str| {
        [
            link("write", 1, "in=0", "a.c=a note=1"),
            link("write", other, materials, products),
            link("build", 3, "a.c=a", "app=d"),
        ]
    };
    let outcome = check(&write_and_build(), &links(2, "in=0", "a.c=a note=2"), 'd');
    let refusal = refused(outcome, LayoutCheck::Agreement, "step \"write\"");
    for seed in [1, 2] {
        assert!(refusal.found.contains(&signer(seed).to_string()), "{refusal}");
    }
    for (other, materials, products) in [
        // The same.
        (2, "in=0", "a.c=a note=1"),
        // One that does not fit what was built.
        (2, "in=0", "a.c=b note=1"),
        // Of other materials: another version.
        (2, "in=1", "a.c=a note=2"),
        // The same functionary: done again.
        (1, "in=0", "a.c=a note=2"),
    ] {
        check(&write_and_build(), &links(other, materials, products), 'd').unwrap();
    }
}

#[test]
fn links_of_other_versions_do_not_block_and_do_not_mix() {
    let version = |source: char, object: char, app: char| {
        [
            link("write", 1, "", &format!("a.c={source}")),
            link("compile", 2, &format!("a.c={source}"), &format!("a.o={object}")),
            link("package", 3, &format!("a.o={object}"), &format!("app={app}")),
        ]
    };
    let follow = |name: &str, seed, before: &str| {
        let from = format!("MATCH * WITH PRODUCTS FROM {before}");
        step(name, &[seed], 1, &[&from, "DISALLOW *"], &["CREATE *", "DISALLOW *"])
    };
    let layout = layout(vec![
        step("write", &[1], 1, &["DISALLOW *"], &[]),
        follow("compile", 2, "write"),
        follow("package", 3, "compile"),
    ]);
    let versions = [version('a', 'b', 'c'), version('1', '2', '3'), version('4', '5', '6')];
    let links = versions.concat();
    for (index, app) in ['c', '3', '6'].into_iter().enumerate() {
        let report = check(&layout, &links, app).unwrap();
        let sources: Vec<_> = report.steps.iter().map(|step| step.counted[0].source).collect();
        assert_eq!(sources, versions[index].clone().map(|link| link.source));
    }
    // What is packed in one version was compiled in another, from what nobody wrote.
    let mut mixed = links;
    mixed.retain(|link| {
        link.step != "write"
            || !link.products.contains_key("a.c")
            || link.source != versions[1][0].source
    });
    let refusal = refused(check(&layout, &mixed, '3'), LayoutCheck::Rule, "found \"a.c\"");
    assert_eq!(refusal.step.as_deref(), Some("compile"));
}

#[test]
fn a_step_may_point_forwards_and_to_itself() {
    let layout = layout(vec![
        step("first", &[1], 1, &[], &["MATCH * WITH MATERIALS FROM last", "DISALLOW *"]),
        step("middle", &[1], 1, &["MATCH * WITH PRODUCTS FROM middle", "DISALLOW *"], &[]),
        step("last", &[1], 1, &[], &[]),
    ]);
    let links = |middle: &str| {
        [
            link("first", 1, "", "a=a"),
            link("middle", 1, "x=1", middle),
            link("last", 1, "a=a", "b=b"),
        ]
    };
    check(&layout, &links("x=1"), 'b').unwrap();
    refused(check(&layout, &links("x=2"), 'b'), LayoutCheck::Rule, "step \"middle\"");
    let mut links = links("x=1");
    links[0].products = artifacts("a=b");
    refused(check(&layout, &links, 'b'), LayoutCheck::Rule, "step \"first\"");
}
