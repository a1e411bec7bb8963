//! Attacks on the gate, each named by the rule that it breaks: every one is refused by the running gate and by the command
//! line over a pack, for the same reason and in the same bytes.
//!
//! An honest artifact has all the evidence that the policy asks for, and is allowed (the control). Each attack takes that evidence and
//! changes one thing. What the registry refuses to take is also forged into the pack, where nobody has checked it before.

mod cases;
mod evidence;
mod governance;
#[cfg(feature = "rego")]
mod rego;
mod scene;

/// Without the cargo feature `rego` the programs refuse a policy with that rule.
#[cfg(not(feature = "rego"))]
mod rego {
    pub(crate) const RULE: &str = "";
    pub(crate) const ATTACKS: &[super::Attack] = &[];
}

use std::collections::BTreeSet;

use scene::{Scene, Verdict};

/// One attack.
pub(crate) struct Attack {
    /// What is attempted.
    pub(crate) name: &'static str,
    /// The rule that must not hold.
    pub(crate) rule: &'static str,
    /// Changes the evidence of an honest artifact.
    pub(crate) change: fn(&Scene, &mut evidence::Evidence),
}

/// What is wrong with a verdict on an attack; nothing when it is refused for the rule that it breaks.
fn fault(attack: &Attack, verdict: &Verdict, by: &str) -> Option<String> {
    let (name, rule) = (attack.name, attack.rule);
    if verdict.passed {
        return Some(format!("{by} allows: {name}"));
    }
    let failing = &verdict.failing;
    (!failing.contains(rule))
        .then(|| format!("{by} refuses for {failing:?} instead of {rule}: {name}"))
}

#[test]
fn the_honest_artifact_is_allowed_and_every_attack_is_refused_by_gate_and_command_line_alike() {
    let scene = Scene::new();
    let honest = scene.evidence("honest");
    assert_eq!(scene.post_all(&honest), Vec::<String>::new());
    let (gate, offline) = scene.decide(&honest);
    assert!(gate.passed, "the gate denies the honest artifact: {:?}", gate.told);
    assert!(offline.passed, "the command line denies the honest artifact: {:?}", offline.told);

    let (mut names, mut faults) = (BTreeSet::new(), Vec::new());
    for attack in cases::ATTACKS.iter().chain(rego::ATTACKS) {
        assert!(names.insert(attack.name), "two attacks are called {}", attack.name);
        let mut evidence = scene.evidence(attack.name);
        (attack.change)(&scene, &mut evidence);
        let posted = scene.post_all(&evidence);
        faults.extend(posted.into_iter().map(|fault| format!("{}: {fault}", attack.name)));
        let (gate, offline) = scene.decide(&evidence);
        faults.extend(fault(attack, &gate, "the gate"));
        faults.extend(fault(attack, &offline, "the command line"));
        let is_forged = !evidence.forged.is_empty() || !evidence.refused.is_empty();
        if !is_forged && gate.statement != offline.statement {
            faults.push(format!("gate and command line differ in their bytes on: {}", attack.name));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(names.len() >= 40, "expected at least 40 attacks, found {}", names.len());
}
