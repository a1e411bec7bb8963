//! `layout`: a classic in-toto layout holds over the links of the artifact's supply chain.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use super::super::answer::Judgement;
use super::super::case::{Case, joined, short};
use super::super::evidence::{Evidence, Said};
use crate::digest::Sha256;
use crate::key::PublicKey;
use crate::layout::{self, LayoutDocument, StepLink, StepReport};
use crate::policy::{Demand, RuleKind};
use crate::predicate::UtcTime;
use crate::problem::chain;
use crate::roster::Signer;
use crate::verify;

pub(super) fn judge(case: &Case<'_>, kind: &RuleKind) -> Judgement {
    let RuleKind::Layout { owners, .. } = kind else {
        return Judgement::error("a layout rule", "another", "report this");
    };
    // Whatever it is, it stands no longer than until an owner's right to sign a layout changes.
    let entries = case.trust.roster().entries_of(owners);
    let changes = entries.filter_map(|entry| case.trust.next_change(entry, case.now()));
    verdict(case, kind).until(changes.min())
}

fn verdict(case: &Case<'_>, kind: &RuleKind) -> Judgement {
    let RuleKind::Layout { document, owners, threshold, sublayouts } = kind else {
        return Judgement::error("a layout rule", "another", "report this");
    };
    let wanted = format!(
        "the in-toto layout {} by {threshold} of {} to hold",
        short(*document),
        joined(owners, "nobody")
    );
    let fix = "store the signed layout as content (PUT /v1/content), and have every step attested: attestry run --step";
    let layout = match read(case, *document) {
        Ok(layout) => layout,
        Err(found) => return Judgement::error(wanted, found, fix),
    };
    let keys = keys(case, owners);
    if keys.is_empty() {
        let found = "no key of theirs that counts now and stands whole in the roster, not by fingerprint alone";
        return Judgement::error(wanted, found, fix);
    }
    let least = usize::try_from(*threshold).ok().and_then(NonZeroUsize::new);
    let least = least.unwrap_or(NonZeroUsize::MIN);
    let signed = match verify::layout(&layout, &keys, least) {
        Ok(signed) => signed,
        Err(refusal) => return Judgement::fail("owners", wanted, refusal.to_string(), fix),
    };
    // A signer with two keys is one owner.
    let roster = case.trust.roster();
    let names: BTreeSet<&str> = signed
        .get()
        .keys
        .iter()
        .filter_map(|key| roster.signer(&verify::Signer::Key(key.fingerprint())))
        .map(|signer| signer.name.as_str())
        .collect();
    if (names.len() as u64) < *threshold {
        let found = format!(
            "{} of {threshold} owners: {}",
            names.len(),
            joined(&Vec::from_iter(names), "nobody")
        );
        return Judgement::fail("owners", wanted, found, fix);
    }
    let mut parts = Vec::new();
    for digest in sublayouts {
        match read(case, *digest) {
            Ok(part) => parts.push(part),
            Err(found) => return Judgement::error(wanted, found, fix),
        }
    }
    let links = links(case);
    let ends = parts.iter().map(|part| part.layout().expires);
    let expires =
        ends.filter(|end| case.now() < *end).fold(signed.get().layout.expires, UtcTime::min);
    match layout::verify(&signed, &links, &parts, case.now(), &case.subject()) {
        Ok(report) => {
            let steps: Vec<&str> = report.steps.iter().map(|step| step.step.as_str()).collect();
            let mut evidence = Vec::new();
            report.steps.iter().for_each(|step| sources(step, &mut evidence));
            let found = format!("{} made it, by {}", joined(&steps, "no step"), report.product);
            Judgement::pass(wanted, found).on(evidence).until(Some(expires))
        }
        Err(refusal) => {
            let until = (case.now() < expires).then_some(expires);
            let id = refusal.step.clone().unwrap_or_else(|| refusal.check.name().to_owned());
            Judgement::fail(&id, wanted, refusal.to_string(), fix).until(until)
        }
    }
}

fn read(case: &Case<'_>, digest: Sha256) -> Result<LayoutDocument, String> {
    let text = (case.documents)(digest)
        .ok_or_else(|| format!("no content {digest}, which the policy names"))?;
    LayoutDocument::parse(&text).map_err(|error| format!("{digest}: {}", chain(&error)))
}

/// The keys of the owners that stand in the roster and count now.
fn keys(case: &Case<'_>, owners: &[String]) -> Vec<PublicKey> {
    let counts = |key: &&PublicKey| {
        case.trust.signer(&verify::Signer::Key(key.fingerprint()), case.now()).is_ok()
    };
    let entries = case.trust.roster().entries_of(owners);
    entries.filter_map(Signer::key).filter(counts).cloned().collect()
}

/// The links of signers whom the roster lets sign links. Who may do which step is the layout's business.
fn links(case: &Case<'_>) -> Vec<StepLink> {
    let is_link = |evidence: &Evidence| matches!(evidence.said(), Said::Link(_));
    let selection = case.select_where(&Demand::default(), is_link);
    let links = selection.counted.iter().filter_map(|one| match one.evidence.said() {
        Said::Link(link) => Some(link.as_ref().clone()),
        _ => None,
    });
    links.collect()
}

fn sources(step: &StepReport, all: &mut Vec<Sha256>) {
    for counted in &step.counted {
        all.push(counted.source);
        counted.sublayout.iter().for_each(|inner| sources(inner, all));
    }
}
