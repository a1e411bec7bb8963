//! What in-toto (Python) 3.0.0 says: `schemas/vectors/layout`, see the README there.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::*;
use crate::classic_link::ClassicLink;
use crate::layout::artifacts::{Record, Work, apply};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/layout")
}

fn text(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

#[test]
fn patterns_take_what_fnmatch_takes() {
    #[derive(Deserialize)]
    struct Table {
        paths: Vec<String>,
        patterns: Vec<Row>,
    }
    #[derive(Deserialize)]
    struct Row {
        pattern: String,
        takes: Vec<String>,
    }
    let table: Table = serde_json::from_slice(&text("patterns.json")).unwrap();
    for Row { pattern, takes } in table.patterns {
        let own = Pattern::new(&pattern).unwrap();
        assert_eq!(own.to_string(), pattern);
        let taken = table.paths.iter().filter(|path| own.takes(path, &mut 0));
        assert_eq!(taken.cloned().collect::<Vec<_>>(), takes, "{pattern:?}");
    }
}

#[test]
fn rules_hold_where_they_hold_for_the_reference() {
    #[derive(Deserialize)]
    struct Case {
        list: String,
        rules: Value,
        own: [BTreeMap<String, char>; 2],
        other: [BTreeMap<String, char>; 2],
        holds: bool,
    }
    let artifacts = |list: &BTreeMap<String, char>| -> Artifacts {
        list.iter().map(|(path, digit)| (path.clone(), digest(*digit).into())).collect()
    };
    let cases: Vec<Case> = serde_json::from_slice(&text("rules.json")).unwrap();
    assert_eq!(cases.len(), 240);
    for case in cases {
        let mut own = step("own", &[1], 1, &[], &[]);
        own[format!("expected_{}", case.list)] = case.rules.clone();
        let read = Layout::from_value(layout(vec![own, step("other", &[1], 1, &[], &[])])).unwrap();
        let [own, other] = [case.own, case.other].map(|lists| lists.map(|list| artifacts(&list)));
        let [own, other] =
            [&own, &other].map(|[materials, products]| Record { materials, products });
        let others = |name: &str| Some(if name == "own" { own } else { other });
        let outcome = apply(&read.steps[0], own, others, &mut Work::new(MAX_WORK));
        assert_eq!(outcome.is_ok(), case.holds, "{} {}: {outcome:?}", case.list, case.rules);
    }
}

/// The links that the keys of the reference's chain signed.
fn links() -> Vec<StepLink> {
    let known: Vec<PublicKey> = (1..4).map(public).collect();
    let mut links = Vec::new();
    for name in [
        "write.7ab6b86c.link",
        "package.7ab6b86c.link",
        "package.c3f860ca.link",
        "compile.8bf5a507.link",
        "link.8bf5a507.link",
    ] {
        let link = ClassicLink::parse(&text(name)).unwrap();
        let signed = verify::classic_link(&link, &known).unwrap();
        links.extend(StepLink::from_signed_link(&signed, Sha256::of(&text(name))));
    }
    links
}

#[test]
fn a_chain_that_the_reference_signed_and_verifies_is_verified() {
    let owner = PublicKey::from_pem(include_str!("../../../vectors/keys/p256.pub")).unwrap();
    for form in ["metablock", "envelope"] {
        let root = LayoutDocument::parse(&text(&format!("root-{form}.layout"))).unwrap();
        let build = LayoutDocument::parse(&text(&format!("build-{form}.layout"))).unwrap();
        assert_eq!(root.layout().readme, "“é”\t\\n");
        let root = verify::layout(&root, std::slice::from_ref(&owner), NonZeroUsize::MIN).unwrap();
        let check = |links: &[StepLink], sublayouts: &[LayoutDocument]| {
            verify(&root, links, sublayouts, time(NOW), &digest('e'))
        };
        let report = check(&links(), std::slice::from_ref(&build)).unwrap();
        assert_eq!(
            (report.owners, report.product.as_str()),
            (vec![owner.fingerprint()], "app.tar")
        );
        let names: Vec<_> = report.steps.iter().map(|step| step.step.as_str()).collect();
        assert_eq!(names, ["write", "build", "package"]);
        assert_eq!(report.steps[1].counted[0].source, build.source());
        assert_eq!(report.steps[1].counted[0].sublayout.len(), 2);
        assert_eq!(report.steps[2].counted.len(), 2);
        // The reference's layout expects `vi` and the functionary ran `vi src/a.c`.
        assert_eq!(report.steps[0].warnings.len(), 1);
        // Without any one of the links, or the sublayout, it is not.
        refused(check(&links(), &[]), LayoutCheck::Threshold, "step \"build\"");
        for missing in 0..links().len() {
            let mut links = links();
            links.remove(missing);
            let outcome = check(&links, std::slice::from_ref(&build));
            refused(outcome, LayoutCheck::Threshold, "to report the same, found");
        }
    }
}
