//! Policies with a rule of type `rego`, in a build that has it.

use super::faults;

const SIGNATURE: &str = "[[rule]]\ntype = \"signature\"\n";

fn found(more: &str, module: &str) -> String {
    faults(&format!("{SIGNATURE}[[rule]]\ntype = \"rego\"\n{more}module = '''\n{module}'''\n"))
}

#[test]
fn a_fault_of_a_module_is_told_with_its_place_in_the_policy() {
    for (module, expected) in [
        (
            "package a\n\ndeny contains x if {\n  x := := 1\n}\n",
            "line 17, column 8: expected a Rego module, found expecting expression",
        ),
        (
            "package a\ndeny contains \"x\" if {\n  yy > 1\n}\n",
            "line 16, column 3: expected a Rego module, found use of undefined variable `yy` is unsafe",
        ),
        ("package a\nallow := true\n", "line 14, column 1: expected a rule with the name deny"),
        ("package a\ndeny(x) := x\n", "line 14, column 1: expected a rule with the name deny"),
        (
            "package a\ndeny contains time.now_ns() if true\n",
            "line 15, column 15: expected a function of",
        ),
        (
            "package a\ndeny contains nosuch(1) if true\n",
            "line 15, column 15: expected a function of",
        ),
    ] {
        let found = found("", module);
        assert!(found.contains(expected), "{expected}: {found}");
    }
    let escaped =
        format!("{SIGNATURE}[[rule]]\ntype = \"rego\"\nmodule = \"package a\\nallow := 1\"\n");
    let found = faults(&escaped);
    assert!(found.contains("line 13, column 10: expected a rule with the name deny"), "{found}");
}

#[test]
fn rego_cannot_stand_in_for_typed_rules() {
    let module = "type = \"rego\"\nmodule = \"package a\\ndeny := []\"\n";
    let alone = faults(&format!("[[rule]]\n{module}"));
    assert!(alone.contains("at least one typed rule"), "{alone}");
    let any = "[[rule]]\nid = \"one\"\nany = [{ type = \"signature\" }, \
               { type = \"rego\", module = \"package a\\ndeny := []\" }]\n";
    assert!(faults(any).contains("typed rules in any"), "{}", faults(any));
}

#[test]
fn the_fields_of_a_module_are_read_as_those_of_other_rules() {
    for (more, expected) in [
        (
            "signers = [\"ci\"]\nmax_age = \"1d\"\ntypes = [\"vulns\", \"https://x.example/v1\"]\nmoment = true\n",
            "accepted",
        ),
        ("types = [\"scans\"]\n", "a predicate type by its short name"),
        ("types = []\n", "a list of 1 to"),
        ("signers = [\"nobody\"]\n", "a signer or group of the roster"),
        ("modul = 1\n", "found \"rule[1].modul\""),
    ] {
        let found = found(more, "package a\ndeny := []\n");
        assert!(found.contains(expected), "{expected}: {found}");
    }
}
