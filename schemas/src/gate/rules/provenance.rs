//! `provenance`: SLSA provenance v1 by a signer who may claim its builder, at a level, of an allowed source.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::answer::{Finding, Judgement};
use super::super::case::{Case, Counted, by, joined, short};
use super::super::evidence::Said;
use crate::digest::Digest;
use crate::document::Pattern;
use crate::policy::{Demand, Policy, RuleKind};
use crate::predicate::Facts;
use crate::predicate::provenance::Provenance;

/// Any one provenance that fits suffices: an artifact that was built twice, identically, has two. All that is wrong
/// with the one of which the least is wrong is told, so that no waiver covers more than it names.
pub(super) fn judge(case: &Case<'_>, kind: &RuleKind) -> Judgement {
    let RuleKind::Provenance { demand, level, sources, refs, build_types, parameters, .. } = kind
    else {
        return Judgement::error("a provenance rule", "another", "report this");
    };
    let mut wanted = format!("SLSA provenance by {} at build level {level} or above", by(demand));
    if !sources.is_empty() {
        wanted += &format!(", from {}", joined(&texts(sources), "anywhere"));
    }
    if !refs.is_empty() {
        wanted += &format!(" at {}", joined(&texts(refs), "any reference"));
    }
    if !build_types.is_empty() {
        wanted += &format!(", of the build type {}", joined(build_types, "any"));
    }
    if let Some(parameters) = parameters {
        let allowed = parameters.iter().map(|(name, values)| match values.as_slice() {
            [] => name.clone(),
            values => format!("{name} = {}", values.join(" or ")),
        });
        let allowed: Vec<String> = allowed.collect();
        wanted += &format!(", with no external parameters but {}", joined(&allowed, "none"));
    }
    let selection = case.select(demand, |said| matches!(said, Said::Provenance(..)));
    let mut nearest: Option<(&Counted<'_>, Vec<Finding>)> = None;
    for one in &selection.counted {
        let Said::Provenance(provenance, facts) = one.evidence.said() else { continue };
        let faults = faults(one, provenance, facts, kind);
        if faults.is_empty() {
            let (level, told) = told(one, provenance, facts);
            let mut judgement =
                Judgement::pass(wanted, told).on([one.digest()]).until(selection.expires(one));
            judgement.level = Some(format!("SLSA_BUILD_LEVEL_{level}"));
            return judgement;
        }
        if nearest.as_ref().is_none_or(|(_, least)| faults.len() < least.len()) {
            nearest = Some((one, faults));
        }
    }
    let fix = "build where the policy says, with attestry run or the builder's own SLSA provenance v1, and push the attestation";
    let Some((one, faults)) = nearest else {
        return Judgement::fail(
            "provenance",
            wanted,
            case.instead(&selection, "no provenance", &["provenance", "provenance-v0.2"]),
            fix,
        );
    };
    let texts: Vec<&String> = faults.iter().map(|fault| &fault.text).collect();
    let found = format!("{}: {}", short(one.digest()), joined(&texts, ""));
    // Of two that are equally near the older one is the nearest once the newer is too old.
    let until = selection.expires(one);
    Judgement::failing(faults, wanted, found, fix).on([one.digest()]).until(until)
}

/// The provenances of a digest that the provenance rules of the policy accept, the newest first; where there are
/// none, such a rule is missing, waived or fails by itself: then those of signers who may claim their builder.
pub(super) fn accepted<'c>(case: &Case<'c>, digest: &Digest) -> Vec<Counted<'c>> {
    let about = case.select_where(&Demand::default(), |evidence| {
        matches!(evidence.said(), Said::Provenance(..)) && evidence.is_about(digest)
    });
    let claimed = |one: &Counted<'_>| match one.evidence.said() {
        Said::Provenance(provenance, _) => claimed_level(one, provenance).is_some(),
        _ => false,
    };
    let rules: Vec<&RuleKind> =
        case.policy.into_iter().flat_map(Policy::all_rules).map(|rule| &rule.kind).collect();
    let accepted = |one: &Counted<'_>| rules.iter().any(|kind| accepts(kind, one, case));
    let all: Vec<Counted<'c>> = about.counted.into_iter().filter(claimed).collect();
    let fitting: Vec<Counted<'c>> = all.iter().copied().filter(accepted).collect();
    if fitting.is_empty() { all } else { fitting }
}

fn accepts(kind: &RuleKind, one: &Counted<'_>, case: &Case<'_>) -> bool {
    match (kind, one.evidence.said()) {
        (RuleKind::Provenance { demand, .. }, Said::Provenance(provenance, facts)) => {
            let names = demand.signers.iter().map(String::as_str);
            let named =
                demand.signers.is_empty() || case.trust.roster().is_named(&one.signer.name, names);
            named && faults(one, provenance, facts, kind).is_empty()
        }
        _ => false,
    }
}

fn texts(patterns: &[Pattern]) -> Vec<&str> {
    patterns.iter().map(Pattern::as_str).collect()
}

/// The level that the roster trusts the signer for at the builder that it claims to be.
fn claimed_level(one: &Counted<'_>, provenance: &Provenance) -> Option<u64> {
    let builder = provenance.run_details.builder.id.as_str();
    one.signer.builders.iter().find(|claimed| claimed.id == builder).map(|claimed| claimed.level)
}

/// Everything in which a provenance does not fit the rule.
fn faults(
    one: &Counted<'_>,
    provenance: &Provenance,
    facts: &Facts,
    kind: &RuleKind,
) -> Vec<Finding> {
    let RuleKind::Provenance { builders, level, sources, refs, build_types, parameters, .. } = kind
    else {
        return vec![Finding::new("provenance", "another rule")];
    };
    let mut faults = Vec::new();
    let mut fault = |id: &str, text: String| faults.push(Finding::new(id, text));
    let builder = provenance.run_details.builder.id.as_str();
    let claimed = claimed_level(one, provenance);
    let name = &one.signer.name;
    if claimed.is_none() {
        fault("claim", format!("the roster does not let {name} claim the builder {builder}"));
    }
    if !builders.is_empty() && !builders.iter().any(|id| id == builder) {
        fault("builder", format!("built by {builder}"));
    }
    let trusted = claimed.unwrap_or(0);
    if trusted < *level {
        fault("level", format!("{name} is trusted for build level {trusted} at {builder}"));
    }
    let build_type = &provenance.build_definition.build_type;
    if !build_types.is_empty() && !build_types.contains(build_type) {
        fault("build-type", format!("of the build type {build_type}"));
    }
    let source = facts.sources.first();
    let repository = source.map(|source| source.repository.as_str()).unwrap_or_default();
    if !sources.is_empty() && !sources.iter().any(|pattern| pattern.matches(repository)) {
        fault("source", format!("built from {}", or(repository, "no source")));
    }
    let reference = source.and_then(|source| source.reference.as_deref()).unwrap_or_default();
    if !refs.is_empty() && !refs.iter().any(|pattern| pattern.matches(reference)) {
        fault("ref", format!("built from {}", or(reference, "no reference")));
    }
    if let Some(allowed) = parameters {
        faults.extend(not_allowed(allowed, &provenance.build_definition.external_parameters));
    }
    faults
}

/// The level, and what a provenance that fits says.
fn told(one: &Counted<'_>, provenance: &Provenance, facts: &Facts) -> (u64, String) {
    let level = claimed_level(one, provenance).unwrap_or(0);
    let builder = &provenance.run_details.builder.id;
    let from = facts.sources.first().map(|source| {
        let commit = source.commit.as_deref().map(|c| c.chars().take(12).collect::<String>());
        let commit = commit.unwrap_or_else(|| "a modified tree".to_owned());
        format!(" from {} at {commit}", source.repository)
    });
    (level, format!("built by {builder}{}, SLSA build level {level}", from.unwrap_or_default()))
}

fn or<'t>(text: &'t str, none: &'t str) -> &'t str {
    if text.is_empty() { none } else { text }
}

/// The parameters that are not named, or have a value that is not allowed: a text as it is, anything else as its JSON;
/// `*` allows any.
fn not_allowed(
    allowed: &BTreeMap<String, Vec<String>>,
    found: &Map<String, Value>,
) -> Vec<Finding> {
    let mut faults = Vec::new();
    for (name, value) in found {
        let id = format!("parameter {name}");
        let Some(values) = allowed.get(name) else {
            let text = format!("the external parameter {name}, which the policy does not name");
            faults.push(Finding::new(&id, text));
            continue;
        };
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if !values.iter().any(|allowed| allowed == "*" || *allowed == text) {
            let text: String = text.chars().take(100).collect();
            faults.push(Finding::new(&id, format!("the external parameter {name} = {text}")));
        }
    }
    faults
}
