//! What links must be so that a layout of two steps holds.

use super::*;
use crate::classic_link::ClassicLink;
use crate::layout::artifacts::Work;
use crate::layout::verification::verify_within;
use crate::predicate::Predicate;
use crate::predicate::in_toto::Link;
use crate::statement::{ResourceDescriptor, Statement};

#[test]
fn links_that_fulfil_a_layout_are_named_in_its_report() {
    let links = two_links();
    let layout = owned(&two_steps());
    let report = verify(&layout, &links, &[], time(NOW), &digest('d')).unwrap();
    assert_eq!(report.layout, layout.get().source);
    assert_eq!(report.owners, [signer(OWNER)]);
    assert_eq!(report.product, "app");
    let counted = |seed, source| vec![Counted { signer: signer(seed), source, sublayout: vec![] }];
    let expected = [
        StepReport {
            step: "write".to_owned(),
            counted: counted(1, links[0].source),
            warnings: vec![],
        },
        StepReport {
            step: "build".to_owned(),
            counted: counted(2, links[1].source),
            warnings: vec![],
        },
    ];
    assert_eq!(report.steps, expected);
}

#[test]
fn a_layout_holds_to_its_last_second_and_no_longer() {
    let layout = owned(&two_steps());
    let at = |now: &str| verify(&layout, &two_links(), &[], time(now), &digest('d'));
    at(EXPIRES).unwrap();
    let refusal = refused(at("2030-01-01T00:00:00.000000001Z"), LayoutCheck::Expiry, "expired at");
    assert!(refusal.to_string().contains(EXPIRES), "{refusal}");
}

#[test]
fn inspections_are_refused_because_they_run_commands() {
    let mut layout = two_steps();
    let inspection = json!({"_type": "inspection", "name": "untar", "run": ["tar", "xf", "app"]});
    layout["inspect"] = json!([inspection]);
    let refusal = refused(check(&layout, &two_links(), 'd'), LayoutCheck::Inspections, "untar");
    assert!(refusal.expected.contains("a gate runs no commands"), "{refusal}");
}

#[test]
fn each_step_needs_a_link_of_its_own_functionary() {
    for missing in 0..2 {
        let mut links = two_links();
        links.remove(missing);
        let refusal = refused(check(&two_steps(), &links, 'd'), LayoutCheck::Threshold, "none");
        assert_eq!(refusal.step.as_deref(), Some(["write", "build"][missing]));
    }
    // The other functionary of the layout, a stranger, and the owner are none.
    for other in [1, STRANGER, OWNER] {
        let links = [two_links().remove(0), link("build", other, "a.c=a b.c=b", "app=d")];
        let outcome = check(&two_steps(), &links, 'd');
        refused(outcome, LayoutCheck::Threshold, "links by other keys, 1");
    }
    let links = [two_links().remove(0), link("built", 2, "a.c=a b.c=b", "app=d")];
    refused(check(&two_steps(), &links, 'd'), LayoutCheck::Threshold, "step \"build\"");
}

#[test]
fn links_of_others_and_links_that_exceed_what_is_read_do_not_block() {
    let mut links = two_links();
    links.insert(0, link("build", STRANGER, "", "app=e"));
    links.insert(0, link("build", 1, "x=a", "app=d y=f"));
    links.insert(0, link("other", 2, "", "app=d"));
    links.insert(0, links[4].clone());
    let mut long = link("build", 2, "a.c=a b.c=b", "app=d");
    long.products.insert("p".repeat(MAX_PATH_BYTES + 1), digest('d').into());
    links.insert(0, long.clone());
    let report = check(&two_steps(), &links, 'd').unwrap();
    assert_eq!(report.steps[1].counted.len(), 1);
    let outcome = check(&two_steps(), &[links.pop().unwrap(), long, two_links().remove(0)], 'd');
    assert!(outcome.is_ok());
}

#[test]
fn a_link_that_exceeds_what_is_read_counts_for_nothing() {
    let mut links = two_links();
    links[1].products.insert("p".repeat(MAX_PATH_BYTES + 1), digest('d').into());
    refused(check(&two_steps(), &links, 'd'), LayoutCheck::Threshold, "exceeds what is read");
}

#[test]
fn a_broken_rule_is_named_with_its_step() {
    let links = [two_links().remove(0), link("build", 2, "a.c=a b.c=f", "app=d")];
    let refusal = refused(check(&two_steps(), &links, 'd'), LayoutCheck::Rule, "found \"b.c\"");
    assert_eq!(refusal.step.as_deref(), Some("build"));
    assert_eq!(refusal.rule.as_deref(), Some("DISALLOW *"));
    let expected = "rule of step \"build\", DISALLOW *: expected no materials left that it takes, \
                    found \"b.c\"";
    assert_eq!(refusal.to_string(), expected);
    let links = [link("write", 1, "", "a.c=a b.c=b sh=0"), two_links().remove(1)];
    let refusal = refused(check(&two_steps(), &links, 'd'), LayoutCheck::Rule, "products left");
    assert_eq!(refusal.step.as_deref(), Some("write"));
}

#[test]
fn the_artifact_is_a_product_of_the_last_step() {
    // A material of the last step, a product of the first one, and something else are not.
    for other in ['a', 'b', 'f'] {
        let refusal = refused(
            check(&two_steps(), &two_links(), other),
            LayoutCheck::Artifact,
            "in none of 1",
        );
        assert_eq!(refusal.step.as_deref(), Some("build"));
    }
    let sha512 = Digest::new("sha512", &"d".repeat(128)).unwrap();
    let outcome = verify(&owned(&two_steps()), &two_links(), &[], time(NOW), &sha512);
    refused(outcome, LayoutCheck::Artifact, "sha512:");
}

#[test]
fn another_command_is_worth_a_warning() {
    let mut layout = two_steps();
    layout["steps"][0]["expected_command"] = json!(["make"]);
    layout["steps"][1]["expected_command"] = json!(["make", "all"]);
    let report = check(&layout, &two_links(), 'd').unwrap();
    assert_eq!(report.steps[0].warnings, [] as [String; 0]);
    let warning = format!("expected the command \"make all\", {} ran \"make\"", signer(2));
    assert_eq!(report.steps[1].warnings, [warning]);
}

#[test]
fn a_statement_of_link_v0_3_and_a_classic_link_say_the_same() {
    let file = |name: &str, digit| ResourceDescriptor::named(name, digest(digit));
    let predicate = Link {
        name: "build".to_owned(),
        command: vec!["make".to_owned()],
        materials: vec![file("a.c", 'a'), file("b.c", 'b')],
        byproducts: serde_json::Map::new(),
        environment: serde_json::Map::new(),
    };
    let products = vec![file("app", 'd')];
    let source = Sha256::of(b"source");
    let classic = ClassicLink::sign(&predicate, &products, key(2)).unwrap();
    let classic = verify::classic_link(&classic, &[public(2), public(3)]).unwrap();
    let classic = StepLink::from_signed_link(&classic, source);
    let value = predicate.to_value().unwrap();
    let statement = Statement::new(products, Link::URI, value.clone()).unwrap();
    let link = StepLink::from_statement(&statement, signer(2), source).unwrap();
    assert_eq!(classic, std::slice::from_ref(&link));
    let expected = super::link("build", 2, "a.c=a b.c=b", "app=d");
    assert_eq!(link, StepLink { source, ..expected });
    let read = |subjects: Vec<ResourceDescriptor>, uri: &str, value: Value| {
        let statement = Statement::new(subjects, uri, value).unwrap();
        StepLink::from_statement(&statement, signer(2), source).unwrap_err().to_string()
    };
    let app = || vec![file("app", 'd')];
    let with = |materials: Value| json!({"name": "build", "materials": materials});
    let unnamed = ResourceDescriptor { name: None, ..file("", 'd') };
    for (found, expected) in [
        (
            read(app(), "https://x.dev/y", value.clone()),
            "expected predicateType https://in-toto.io",
        ),
        (read(app(), Link::URI, json!({})), "the link does not parse"),
        (read(vec![unnamed], Link::URI, value.clone()), "a name for product 0 of the link"),
        (read([app(), app()].concat(), Link::URI, value), "each product once in the link"),
        (read(app(), Link::URI, with(json!([{"name": "a"}]))), "a digest of material \"a\""),
        (
            read(app(), Link::URI, with(json!([{"digest": {"sha256": "0".repeat(64)}}]))),
            "a name for material 0",
        ),
    ] {
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn work_is_bounded() {
    // Each star starts anew at each character of each path.
    let allow = format!("ALLOW *{}b", "a".repeat(1000));
    let layout = layout(vec![step("build", &[2], 1, &[], &[&allow, "DISALLOW z"])]);
    let mut build = link("build", 2, "", "app=d");
    build.products.insert("a".repeat(4000), digest('0').into());
    let check = |work| {
        let build = std::slice::from_ref(&build);
        verify_within(Work::new(work), &owned(&layout), build, &[], time(NOW), &digest('d'))
    };
    check(1 << 23).unwrap();
    let refusal = refused(check(1 << 21), LayoutCheck::Bounds, "in 536870912 comparisons");
    assert!(refusal.found.contains("leave out links"), "{refusal}");
}

#[test]
fn signatures_of_sublayouts_are_work_too() {
    let layout = layout(vec![step("build", &[2], 1, &[], &[])]);
    let mut sent = metablock(&two_steps(), &[]);
    let signature = |byte: u8| json!({"keyid": "00000000", "sig": hex::encode([byte; 64])});
    sent["signatures"] = (0..16).map(signature).collect();
    let links = [link("build", 2, "", "app=d")];
    let check = |work| {
        let sublayouts = [parse(&sent).unwrap()];
        let work = Work::new(work);
        verify_within(work, &owned(&layout), &links, &sublayouts, time(NOW), &digest('d'))
    };
    check(1 << 19).unwrap();
    refused(check(1 << 18), LayoutCheck::Bounds, "found more");
}
