use super::*;

#[cfg(feature = "rego")]
mod rego;

const HEAD: &str = "schema = \"policy/v1\"\nname = \"production\"\nversion = 3\nexpires = 2027-06-30T00:00:00Z\nmode = \"enforce\"\n[match]\nartifacts = [\"pay/**\"]\nenvironments = [\"production\"]\n";

fn roster() -> Roster {
    let signer = |name: &str, key: &str| {
        format!("[[signer]]\nname = \"{name}\"\nkey = \"{key}\"\nmay = [\"provenance\"]\n")
    };
    let text = "schema = \"roster/v1\"\nversion = 1\nexpires = 2027-12-31T00:00:00Z\n".to_owned()
        + &signer("ci", "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")
        + &signer("lead", "SHA256:ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs")
        + "[groups]\nleads = [\"lead\"]\n";
    Roster::read(text.as_bytes()).unwrap()
}

fn faults(rules: &str) -> String {
    let text = format!("{HEAD}{rules}");
    match Policy::read(text.as_bytes(), Some(&roster())) {
        Ok(policy) => format!("accepted: {policy:?}"),
        Err(faults) => faults.to_string(),
    }
}

#[test]
fn reads_every_rule() {
    let rules = r#"
[[rule]]
type = "signature"
signers = ["ci"]
[[rule]]
type = "provenance"
signers = ["ci"]
builders = ["https://ci.example/b"]
level = 3
sources = ["https://git.example/pay/**"]
refs = ["refs/heads/main", "refs/tags/*"]
build_types = ["https://example.org/build/v1"]
max_age = "30d"
parameters = { step = ["build"], command = ["*"] }
[[rule]]
type = "source"
level = 2
two_party = true
[[rule]]
type = "test-result"
suites = ["unit"]
least_passed = 10
[[rule]]
type = "vuln-scan"
block = "high"
leeway = { high = "14d", critical = "2d" }
vex = ["leads"]
max_age = "1d"
[[rule]]
type = "sbom"
kinds = ["cyclonedx"]
deny_components = ["pkg:cargo/openssl"]
deny_licenses = ["AGPL-3.0-only"]
[[rule]]
type = "secret-scan"
[[rule]]
type = "readiness"
checks = ["CKV_K8S_1"]
categories = ["permissions"]
block = "medium"
bind_configuration = true
[[rule]]
type = "promotion"
from = "staging"
soak = "1h"
[[rule]]
type = "approval"
signers = ["leads"]
threshold = 1
distinct_from = ["author", "builder", "deployer"]
[[rule]]
type = "deployer"
signers = ["ci"]
[[rule]]
type = "window"
hours = ["mon-fri 08:00-16:00"]
freezes = [{ from = 2026-12-20T00:00:00Z, until = 2027-01-02T00:00:00Z, reason = "holidays" }]
exceptions = ["leads"]
[[rule]]
type = "no-rollback"
approvers = ["leads"]
[[rule]]
type = "vsa"
signers = ["ci"]
verifier = "https://verifier.example"
resource = "pkg:oci/**"
levels = ["SLSA_BUILD_LEVEL_2"]
[[rule]]
type = "layout"
document = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
owners = ["lead"]
[[rule]]
id = "one-of"
any = [{ type = "vsa", id = "v", signers = ["ci"], verifier = "https://x.example" }, { type = "signature", id = "s" }]
[waivers]
group = "leads"
threshold = 1
rules = ["vuln-scan"]
[break_glass]
group = "leads"
threshold = 1
longest = "4h"
"#;
    let text = format!("{HEAD}{rules}");
    let policy = Policy::read(text.as_bytes(), Some(&roster())).unwrap();
    let names: Vec<&str> = policy.rules.iter().map(|rule| rule.kind.name()).collect();
    assert_eq!(names.len(), 16);
    assert_eq!(policy.rules[15].id, "one-of");
    assert_eq!(policy.all_rules().count(), 18);
    assert_eq!(policy.title(), "production@3");
    assert!(policy.matches("production", ["pay/api"]));
    assert!(!policy.matches("staging", ["pay/api"]));
    assert!(!policy.matches("production", ["other/api"]));
    assert!(policy.matches("production", ["other/api", "pay/api"]));
    assert_eq!(policy.break_glass.unwrap().longest.seconds(), 4 * 3_600);
}

#[test]
fn refuses_what_would_allow_more_than_it_says() {
    let one = "[[rule]]\ntype = \"signature\"\n";
    for (rules, expected) in [
        ("", "an empty policy would allow everything"),
        ("[[rule]]\nany = []\n", "a list of 1 to"),
        ("[[rule]]\ntype = \"signature\"\nsigners = []\n", "a list of 1 to"),
        (
            "[[rule]]\ntype = \"signature\"\nthreshold = 0\n",
            "line 11, column 13: expected rule[0].threshold to be a whole number of at least 1, found 0",
        ),
        (
            "[[rule]]\ntype = \"signature\"\nsigners = [\"nobody\"]\n",
            "a signer or group of the roster, found \"nobody\"",
        ),
        (
            "[[rule]]\ntype = \"approval\"\nsigners = [\"leads\"]\nthreshold = 2\n",
            "the 1 named signers can reach",
        ),
        ("[[rule]]\ntype = \"signature\"\nthreshold = 99\n", "signers of the roster can reach"),
        (
            "[[rule]]\ntype = \"provenance\"\nbuilders = [\"https://ci.example/*\"]\n",
            "there are no patterns of them",
        ),
        (
            "[[rule]]\nid = \"one\"\nany = [{ type = \"signature\" }]\n[waivers]\ngroup = \"leads\"\nthreshold = 1\nrules = [\"one\"]\n",
            "a rule inside any",
        ),
        ("[[rule]]\ntype = \"approval\"\n", "the group whose consent is needed"),
        ("[[rule]]\ntype = \"vsa\"\nverifier = \"https://x\"\n", "who may speak for the verifier"),
        ("[[rule]]\ntype = \"sigature\"\n", "found \"sigature\""),
        ("[[rule]]\ntype = \"provenance\"\nsources = [\"a//b\"]\n", "a pattern such as"),
        ("[[rule]]\ntype = \"provenance\"\nlevel = 4\n", "0 to 3"),
        ("[[rule]]\ntype = \"provenance\"\nparameters = { step = [] }\n", "a list of 1 to"),
        (
            "[[rule]]\ntype = \"vuln-scan\"\n",
            "rule[0].block (low, medium, high, critical), found none",
        ),
        (
            "[[rule]]\ntype = \"vuln-scan\"\nblock = \"high\"\nleeway = { hgh = \"1d\" }\n",
            "leeway.hgh",
        ),
        (
            "[[rule]]\ntype = \"sbom\"\ndeny_components = [\"pkg:cargo\"]\n",
            "a package URL such as pkg:cargo/openssl",
        ),
        (
            "[[rule]]\ntype = \"sbom\"\ndeny_components = [\"pkg:cargo/open*\"]\n",
            "there are no patterns of them",
        ),
        ("[[rule]]\ntype = \"sbom\"\ndeny_licenses = [\"GPL-3.0 \"]\n", "a licence by its SPDX"),
        ("[[rule]]\ntype = \"sbom\"\ndeny_licenses = [\"GPL-*\"]\n", "there are no patterns"),
        (
            "[[rule]]\ntype = \"vuln-scan\"\nblock = \"high\"\nscanners = [\"Trivy \"]\n",
            "a scanner by its name or URI",
        ),
        (
            "[[rule]]\ntype = \"promotion\"\nfrom = \"stag*\"\nsoak = \"1d\"\n",
            "line 11, column 8: expected one environment by its name, such as staging",
        ),
        ("[[rule]]\ntype = \"no-rollback\"\nthreshold = 1\n", "of whom so many approve a rollback"),
        ("[[rule]]\ntype = \"window\"\n", "hours, freezes, or both"),
        ("[[rule]]\ntype = \"window\"\nhours = [\"mon 16:00-08:00\"]\n", "days and hours in UTC"),
        ("[[rule]]\nany = [{ any = [{ type = \"signature\" }] }]\n", "type (signature"),
        (
            "[[rule]]\ntype = \"signature\"\n[[rule]]\ntype = \"signature\"\n",
            "line 12, column 8: expected each rule's id once, found \"signature\" again, which a rule of line 10 has",
        ),
        (
            "[[rule]]\nid = \"a\"\ntype = \"signature\"\n[[rule]]\ntype = \"sbom\"\nid = \"a\"\n",
            "line 14, column 6: expected each rule's id once",
        ),
        (
            "[[rule]]\nid = \"a\"\nany = [\n{ type = \"sbom\", id = \"a\" },\n]\n",
            "line 12, column 23: expected each rule's id once, found \"a\" again, which a rule of line 10",
        ),
        (
            &format!("{one}[waivers]\ngroup = \"leads\"\nthreshold = 1\nrules = [\"x\"]\n"),
            "line 14, column 10: expected waivers.rules to name rules of this policy, found \"x\"",
        ),
        (&format!("{one}[break_glass]\ngroup = \"leads\"\nthreshold = 0\n"), "at least 1"),
        (
            &format!(
                "{one}[break_glass]\ngroup = \"leads\"\nthreshold = 1\nrules = [\"signature\"]\n"
            ),
            "found \"break_glass.rules\"",
        ),
        (
            "[[rule]]\ntype = \"promotion\"\nfrom = \"production\"\nsoak = \"1h\"\n",
            "line 11, column 8: expected an earlier environment to promote from, found \"production\", the only one that this policy is for",
        ),
        (&format!("{one}maxage = \"1d\"\n"), "found \"rule[0].maxage\""),
        (&format!("{one}[mach]\n"), "found \"mach\""),
    ] {
        let found = faults(rules);
        assert!(found.contains(expected), "{expected}: {found}");
    }
}

#[cfg(not(feature = "rego"))]
#[test]
fn a_build_without_rego_refuses_a_policy_with_it_and_says_how_to_get_it() {
    let rego =
        "[[rule]]\ntype = \"signature\"\n[[rule]]\ntype = \"rego\"\nmodule = \"package a\"\n";
    assert_eq!(
        faults(rego),
        "line 13, column 10: expected no rule of type rego, because this program was built without it \
         (build it with --features attestry/rego,attestry-registry/rego), found one"
    );
}

#[test]
fn a_source_or_reference_that_no_provenance_has_is_refused_with_the_form_that_one_has() {
    for (list, text, form) in [
        ("sources", "git+https://git.example/pay/**", "\"https://git.example/pay/**\""),
        ("sources", "https://git.example/pay/*.git", "\"https://git.example/pay/*\""),
        (
            "sources",
            "https://git.example/pay/api@refs/heads/main",
            "\"https://git.example/pay/api\"",
        ),
        ("refs", "main", "refs/heads/main or refs/tags/main (**/main"),
        ("refs", "heads/main", "refs/heads/heads/main"),
        ("refs", "refs", "refs/heads/refs"),
    ] {
        let found = faults(&format!("[[rule]]\ntype = \"provenance\"\n{list} = [\"{text}\"]\n"));
        let column = list.len() + 5;
        assert!(found.starts_with(&format!("line 11, column {column}: ")), "{text}: {found}");
        assert!(found.contains(form), "{text}: {found}");
    }
    for (list, text) in [
        ("sources", "https://git.example/pay/**"),
        ("sources", "ssh://git@git.example/pay/api"),
        ("sources", "**/api"),
        ("refs", "refs/tags/v*"),
        ("refs", "**/main"),
        ("refs", "*"),
    ] {
        let found = faults(&format!("[[rule]]\ntype = \"provenance\"\n{list} = [\"{text}\"]\n"));
        assert!(found.starts_with("accepted"), "{text}: {found}");
    }
}

#[test]
fn a_policy_that_has_ended_or_ends_soon_is_told_of() {
    let text = format!("{HEAD}[[rule]]\ntype = \"signature\"\n");
    let policy = Policy::read(text.as_bytes(), None).unwrap();
    let told = |now: &str| policy.warnings(now.parse().unwrap(), None).join("; ");
    assert_eq!(told("2027-06-15T00:00:00Z"), "");
    assert!(told("2027-06-29T00:00:00Z").contains("it expires at 2027-06-30T00:00:00Z, in 1d;"));
    assert!(told("2027-06-30T00:00:00Z").contains("it expired at 2027-06-30T00:00:00Z"));
}

#[test]
fn owners_of_a_layout_who_have_no_key_in_the_roster_are_told_of() {
    let layout = format!(
        "[[rule]]\ntype = \"layout\"\ndocument = \"{}\"\nowners = [\"lead\", \"ci\"]\n",
        Sha256::of(b"")
    );
    let policy = Policy::read(format!("{HEAD}{layout}").as_bytes(), None).unwrap();
    let now = "2026-12-01T00:00:00Z".parse().unwrap();
    assert_eq!(policy.warnings(now, None), Vec::<String>::new());
    let found = policy.warnings(now, Some(&roster()));
    assert!(
        found.len() == 1 && found[0].contains("rule layout: no layout can have 1"),
        "{found:?}"
    );
    let rules = "[[rule]]\ntype = \"signature\"\nsigners = [\"leads\"]\n[[rule]]\ntype = \"deployer\"\nsigners = [\"ci\"]\n[[rule]]\ntype = \"provenance\"\nsigners = [\"ci\"]\n";
    let other = Policy::read(format!("{HEAD}{rules}").as_bytes(), None).unwrap();
    let found = other.warnings(now, Some(&roster()));
    assert_eq!(found.len(), 2, "{found:?}");
    let signature = "rule signature: nothing can satisfy it: the roster lets none of leads sign";
    assert!(found[0].contains(signature), "{found:?}");
    assert!(found[1].contains("rule deployer: nobody can ask as ci"), "{found:?}");
    let key = crate::key::SigningKey::from_ed25519_seed([7; 32]);
    let mut roster = roster();
    roster.signers[0].id = crate::roster::SignerId::Key(key.public_key().clone());
    assert_eq!(policy.warnings(now, Some(&roster)), Vec::<String>::new());
}

/// What is told at a moment of a policy for these environments.
fn warned(environments: &str, rules: &str, now: &str) -> Vec<String> {
    let head = HEAD.replace("[\"production\"]", environments);
    let policy = Policy::read(format!("{head}{rules}").as_bytes(), None).unwrap();
    policy.warnings(now.parse().unwrap(), None)
}

#[test]
fn what_is_never_used_or_never_holds_is_told_of() {
    const NOW: &str = "2026-12-01T00:00:00Z";
    let one = "[\"production\"]";
    let promotion = "type = \"promotion\", soak = \"1h\", from = ";
    let any = format!(
        "[[rule]]\nid = \"a\"\nany = [{{ {promotion}\"production\" }}, {{ type = \"signature\" }}]\n"
    );
    let scan = |leeway: &str| {
        format!("[[rule]]\ntype = \"vuln-scan\"\nblock = \"high\"\nleeway = {{ {leeway} }}\n")
    };
    let window = |until: &str| {
        format!(
            "[[rule]]\ntype = \"window\"\nfreezes = [{{ from = 2026-11-01T00:00:00Z, until = {until}, reason = \"sale\" }}]\n"
        )
    };
    let from = |from: &str| format!("[[rule]]\n{}\"{from}\"\n", promotion.replace(", ", "\n"));
    for (environments, rules, expected) in [
        (one, scan("high = \"1d\", critical = \"1d\""), None),
        (
            one,
            scan("low = \"9d\", critical = \"1d\""),
            Some(
                "rule vuln-scan: leeway for low is never used, because only high and what is graver blocks",
            ),
        ),
        (one, window("2026-12-01T00:00:01Z"), None),
        (
            one,
            window("2026-12-01T00:00:00Z"),
            Some("rule window: the freeze until 2026-12-01T00:00:00Z (sale) is over; take it out"),
        ),
        (one, from("staging"), None),
        (
            "[\"production\", \"staging\"]",
            from("staging"),
            Some("rule promotion: this policy is for staging, too"),
        ),
        ("[\"**\"]", from("staging"), Some("rule promotion: this policy is for staging, too")),
        (one, any, Some("rule promotion: this policy is for production, too")),
    ] {
        let found = warned(environments, &rules, NOW);
        match expected {
            None => assert_eq!(found, Vec::<String>::new(), "{rules}"),
            Some(told) => assert!(found.len() == 1 && found[0].starts_with(told), "{found:?}"),
        }
    }
}

#[test]
fn rates_severities_as_scanners_write_them() {
    for (text, severity) in [
        ("CRITICAL", Severity::Critical),
        ("9.8", Severity::Critical),
        ("7", Severity::High),
        ("Moderate", Severity::Medium),
        ("0.1", Severity::Low),
        ("0.0", Severity::None),
        ("Negligible", Severity::None),
        ("odd", Severity::Unknown),
        ("", Severity::Unknown),
    ] {
        assert_eq!(Severity::of(text), severity, "{text}");
    }
}
