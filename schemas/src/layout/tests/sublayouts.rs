//! Steps that a functionary handed on by a layout of his own.

use super::*;

/// Writes by 1, builds by 2 or 3.
fn above() -> Value {
    layout(vec![
        step("write", &[1], 1, &[], &[]),
        step(
            "build",
            &[2, 3],
            1,
            &["MATCH * WITH PRODUCTS FROM write", "DISALLOW *"],
            &["CREATE app", "DISALLOW *"],
        ),
    ])
}

/// The build in two steps by 4.
fn below() -> Value {
    layout(vec![
        step("compile", &[4], 1, &["ALLOW *.c", "DISALLOW *"], &["CREATE *.o", "DISALLOW *"]),
        step("link", &[4], 1, &["MATCH * WITH PRODUCTS FROM compile", "DISALLOW *"], &[]),
    ])
}

fn links() -> Vec<StepLink> {
    vec![
        link("write", 1, "", "a.c=a"),
        link("compile", 4, "a.c=a", "a.o=b"),
        link("link", 4, "a.o=b", "app=d"),
    ]
}

fn check_with(
    layout: &Value,
    links: &[StepLink],
    sublayouts: &[LayoutDocument],
) -> Result<LayoutReport, LayoutRefusal> {
    verify(&owned(layout), links, sublayouts, time(NOW), &digest('d'))
}

#[test]
fn a_sublayout_of_a_functionary_stands_for_a_link() {
    let sublayout = document(&below(), &[2]);
    let report = check_with(&above(), &links(), std::slice::from_ref(&sublayout)).unwrap();
    let [counted] = report.steps[1].counted.as_slice() else { panic!("{report:?}") };
    assert_eq!((counted.signer, counted.source), (signer(2), sublayout.source()));
    let names: Vec<_> = counted.sublayout.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(names, ["compile", "link"]);
    assert_eq!(counted.sublayout[1].counted[0].source, links()[2].source);
}

#[test]
fn only_a_key_that_the_step_names_hands_it_on() {
    for signers in [&[][..], &[1], &[4], &[STRANGER], &[OWNER]] {
        let outcome = check_with(&above(), &links(), &[document(&below(), signers)]);
        refused(outcome, LayoutCheck::Threshold, "step \"build\"");
    }
    let mut sent = metablock(&below(), &[2]);
    sent["signed"]["readme"] = "changed".into();
    let outcome = check_with(&above(), &links(), &[parse(&sent).unwrap()]);
    refused(outcome, LayoutCheck::Threshold, "step \"build\"");
    // One that others signed too, and those of others beside it, do no harm.
    let documents = [document(&below(), &[STRANGER]), document(&below(), &[STRANGER, 2, 1])];
    check_with(&above(), &links(), &documents).unwrap();
}

#[test]
fn a_sublayout_is_held_to_all_that_a_layout_is() {
    type Change = fn(&mut Value);
    let cases: &[(Change, &str)] = &[
        (
            |l| l["expires"] = "2025-01-01T00:00:00Z".into(),
            "expiry: expected a layout that has not",
        ),
        (|l| l["inspect"] = json!([{"name": "x"}]), "inspections: expected"),
        (|l| l["steps"][1]["name"] = "ld".into(), "threshold of step \"ld\""),
        (|l| l["steps"][0]["expected_products"][0][1] = "*.a".into(), "rule of step \"compile\""),
    ];
    for (change, expected) in cases {
        let mut sublayout = below();
        change(&mut sublayout);
        let outcome = check_with(&above(), &links(), &[document(&sublayout, &[2])]);
        let refusal = refused(outcome, LayoutCheck::Threshold, expected);
        assert_eq!(refusal.step.as_deref(), Some("build"));
        // Another one, or a link, is as good as if it were not there.
        let documents = [document(&sublayout, &[2]), document(&below(), &[2])];
        check_with(&above(), &links(), &documents).unwrap();
        let mut links = links();
        links.push(link("build", 3, "a.c=a", "app=d"));
        check_with(&above(), &links, &documents[..1]).unwrap();
    }
}

#[test]
fn the_rules_above_are_applied_to_the_first_materials_and_the_last_products() {
    let sublayout = [document(&below(), &[2])];
    for (index, changed) in [
        (0, link("write", 1, "", "a.c=f")),
        (1, link("compile", 4, "a.c=f", "a.o=b")),
        (2, link("link", 4, "a.o=b", "app=d sh=0")),
    ] {
        let mut links = links();
        links[index] = changed;
        let refusal = refused(check_with(&above(), &links, &sublayout), LayoutCheck::Rule, "");
        assert_eq!(refusal.step.as_deref(), Some("build"), "{refusal}");
    }
}

#[test]
fn a_sublayout_and_a_link_reach_a_threshold_together() {
    let mut layout = above();
    layout["steps"][1]["threshold"] = 2.into();
    let mut links = links();
    let one = [document(&below(), &[2])];
    refused(check_with(&layout, &links, &one), LayoutCheck::Threshold, "found 1");
    // One key, by a link and a sublayout, is one functionary.
    links.push(link("build", 2, "a.c=a", "app=d"));
    refused(check_with(&layout, &links, &one), LayoutCheck::Threshold, "found 1");
    links.push(link("build", 3, "a.c=a", "app=d"));
    assert_eq!(check_with(&layout, &links, &one).unwrap().steps[1].counted.len(), 2);
    // Two functionaries who sign one sublayout are two.
    links.truncate(3);
    check_with(&layout, &links, &[document(&below(), &[2, 3])]).unwrap();
}

#[test]
fn of_several_versions_below_the_one_that_fits_is_taken() {
    let mut links = links();
    for (source, object, app) in [('1', '2', '3'), ('4', '5', '6')] {
        links.insert(0, link("compile", 4, &format!("a.c={source}"), &format!("a.o={object}")));
        links.insert(0, link("link", 4, &format!("a.o={object}"), &format!("app={app}")));
    }
    // Made from something else, to the same artifact.
    links.insert(0, link("compile", 4, "a.c=9", "a.o=b"));
    check_with(&above(), &links, &[document(&below(), &[2])]).unwrap();
    // Below a step that is not the last.
    let mut steps = above()["steps"].as_array().unwrap().clone();
    steps.push(step("pack", &[5], 1, &["MATCH app WITH PRODUCTS FROM build", "DISALLOW *"], &[]));
    let layout = layout(steps);
    links.push(link("pack", 5, "app=d", "app.tar=e"));
    let sublayout = [document(&below(), &[2])];
    let verify =
        |artifact| verify(&owned(&layout), &links, &sublayout, time(NOW), &digest(artifact));
    verify('e').unwrap();
    refused(verify('d'), LayoutCheck::Artifact, "step \"pack\"");
}

/// A layout of one step.
fn only(name: &str, seed: u8) -> Value {
    layout(vec![step(name, &[seed], 1, &[], &[])])
}

#[test]
fn sublayouts_stand_in_each_other_to_a_bound() {
    const KEYS: [u8; MAX_SUBLAYOUT_DEPTH + 2] = [1, 2, 3, 4, 5, STRANGER];
    let nested = |depth: usize| {
        let pairs = KEYS.windows(2).take(depth);
        let documents: Vec<_> =
            pairs.map(|pair| document(&only("step", pair[1]), &[pair[0]])).collect();
        let link = link("step", KEYS[depth], "", "app=d");
        check_with(&only("top", KEYS[0]), &[link], &documents)
    };
    for depth in 1..=MAX_SUBLAYOUT_DEPTH {
        nested(depth).unwrap();
    }
    let refusal = nested(MAX_SUBLAYOUT_DEPTH + 1);
    refused(refusal, LayoutCheck::Threshold, "step \"top\"");
}

#[test]
fn a_sublayout_is_not_part_of_itself() {
    let sublayout = document(&only("top", 2), &[2]);
    let outcome = check_with(&only("top", 2), &[], &[sublayout]);
    let refusal = refused(outcome, LayoutCheck::Threshold, "found none");
    assert_eq!(refusal.found.matches("passed over: sublayout").count(), 1, "{refusal}");
}

#[test]
fn sublayouts_of_each_other_end() {
    let documents: Vec<_> = (0..8).map(|at| document(&only(&format!("s{at}"), 2), &[2])).collect();
    let refusal = check_with(&only("top", 2), &[], &documents).unwrap_err();
    assert!(matches!(refusal.check, LayoutCheck::Threshold | LayoutCheck::Bounds), "{refusal}");
    assert!(refusal.to_string().len() < 4096, "{}", refusal.to_string().len());
}

#[test]
fn too_many_sublayouts_are_refused() {
    let documents = vec![document(&below(), &[2]); MAX_SUBLAYOUTS + 1];
    refused(
        check_with(&above(), &links(), &documents),
        LayoutCheck::Bounds,
        "at most 32 sublayouts",
    );
}
