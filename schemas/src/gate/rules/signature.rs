//! `signature`: the artifact itself is signed.

use std::collections::BTreeSet;

use super::super::answer::Judgement;
use super::super::case::{Case, Counted, by};
use super::super::evidence::Said;
use crate::policy::Demand;

pub(super) fn judge(case: &Case<'_>, demand: &Demand, threshold: u64) -> Judgement {
    let selection = case.select(demand, |said| matches!(said, Said::Signature));
    let signers: BTreeSet<&str> =
        selection.counted.iter().map(|one| one.signer.name.as_str()).collect();
    let wanted = match threshold {
        1 => format!("a signature of the artifact by {}", by(demand)),
        k => format!("signatures of the artifact by {k} of {}", by(demand)),
    };
    let names = signers.iter().copied().collect::<Vec<_>>().join(", ");
    let until = selection.counted.iter().filter_map(|one| selection.expires(one)).min();
    if signers.len() as u64 >= threshold {
        return Judgement::pass(wanted, format!("signed by {names}"))
            .on(selection.counted.iter().map(Counted::digest))
            .until(until);
    }
    let found = if signers.is_empty() {
        selection.instead("no signature")
    } else {
        format!("{} of {threshold}: {names}", signers.len())
    };
    Judgement::fail("signature", wanted, found, "attestry sign ARTIFACT --key KEY --registry URL")
        .on(selection.counted.iter().map(Counted::digest))
        .until(until)
}
