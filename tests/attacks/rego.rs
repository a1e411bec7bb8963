//! The rule `rego` of the policy, where the programs have it, and the attacks on it.

use super::Attack;
use super::evidence::scan;

/// What the policy has beyond its typed rules. The module believes a number that evidence tells.
pub(crate) const RULE: &str = r#"
[[rule]]
type = "rego"
types = ["vulns"]
signers = ["scanner"]
module = '''
package gate

ids contains result.id if {
    some e in input.evidence
    some result in e.predicate.scanner.result
}

deny contains {"id": id, "msg": "exploited in the wild"} if {
    some id in ids
    id == "CVE-2026-0666"
}

deny contains "too many" if {
    some id in ids
    startswith(id, "COUNT-")
    count(numbers.range(1, to_number(split(id, "-")[1]))) > 100
}

allow := true
'''
"#;

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "an older scan with what a module denies, behind a newer one without",
        rule: "rego",
        change: |scene, e| {
            let mut older = e.drafts["5-scan"].clone();
            older.predicate = scan(&scene.now, &["CVE-2026-0666"]);
            e.add("4-scan-before", older);
        },
    },
    Attack {
        name: "a number by which a module would take all memory",
        rule: "rego",
        change: |scene, e| {
            e.draft("5-scan").predicate = scan(&scene.now, &["COUNT-1000000000000"]);
        },
    },
    Attack {
        name: "a text by which a module fails instead of answering",
        rule: "rego",
        change: |scene, e| e.draft("5-scan").predicate = scan(&scene.now, &["COUNT-many"]),
    },
];
