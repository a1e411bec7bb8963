//! Targets for what the gate reads: rosters, policies, packs, layouts, reviews of a cluster.

use attestry_schemas::admission::{Demand, Review};
use attestry_schemas::document::Faults;
use attestry_schemas::gate::pack::Pack;
use attestry_schemas::layout::LayoutDocument;
use attestry_schemas::policy::Policy;
use attestry_schemas::roster::Roster;
use attestry_schemas::roster::diff::changes;

/// A refused document says where what is wrong.
fn told(faults: &Faults) {
    assert!(!faults.0.is_empty(), "a refusal without a fault");
    assert!(faults.0.iter().all(|fault| fault.line > 0 && fault.column > 0), "a fault nowhere");
}

/// A roster.
pub fn roster(input: &[u8]) -> bool {
    match Roster::read(input) {
        Ok(roster) => {
            assert_eq!(Roster::read(input).as_ref(), Ok(&roster), "read twice, two rosters");
            assert_eq!(changes(&roster, &roster), [], "a roster differs from itself");
            true
        }
        Err(faults) => {
            told(&faults);
            false
        }
    }
}

/// A policy.
pub fn policy(input: &[u8]) -> bool {
    match Policy::read(input, None) {
        Ok(policy) => {
            assert!(policy.all_rules().count() > 0, "a policy that demands nothing");
            let _ = policy.matches("production", ["pay/api"]);
            true
        }
        Err(faults) => {
            told(&faults);
            false
        }
    }
}

/// A pack, which is written as it was read.
pub fn pack(input: &[u8]) -> bool {
    let Ok(pack) = Pack::parse(input) else { return false };
    let written = serde_json::to_vec(&pack).expect("a pack is JSON");
    let again = Pack::parse(&written).expect("what parsed is written so that it parses");
    assert_eq!(serde_json::to_vec(&again).ok(), Some(written), "a pack has one spelling");
    true
}

/// A classic layout, plain or in an envelope.
pub fn layout(input: &[u8]) -> bool {
    let Ok(document) = LayoutDocument::parse(input) else { return false };
    for step in &document.layout().steps {
        assert!(step.threshold > 0, "a step that nobody does");
        let _ = document.layout().functionaries(step);
    }
    true
}

/// An AdmissionReview, and which images it asks about.
pub fn admission(input: &[u8]) -> bool {
    let Ok(review) = Review::parse(input) else { return false };
    let demand = Demand::of(&review);
    !demand.images.is_empty() && demand.undecidable.is_empty()
}
