//! The rules, one file each: what a rule of a policy asks of the evidence.
//!
//! A rule selects the evidence that counts, looks at the newest of each kind, and answers with what was wanted, what
//! was found, which evidence, and what to do. Evidence that does not count neither satisfies a rule nor
//! stands in its way.

use super::answer::Judgement;
use super::case::Case;
use crate::policy::RuleKind;

mod approval;
mod deployer;
mod layout;
mod no_rollback;
mod promotion;
mod provenance;
mod readiness;
mod rego;
mod running;
mod sbom;
mod secret_scan;
mod signature;
mod source;
mod test_result;
mod vsa;
mod vuln_scan;
mod window;

pub(super) use running::{entered, names as taken_names};

/// Judges one rule that is not `any`.
pub(super) fn judge(kind: &RuleKind, case: &Case<'_>) -> Judgement {
    let mut judgement = judged(kind, case);
    if let Some(fix) = judgement.fix.as_mut().filter(|fix| fix.contains("--key KEY"))
        && sign_by_certificate(kind, case)
    {
        fix.push_str("; who may sign this has a certificate and no key: make the bundle with cosign or in the CI job, then attestry push BUNDLE --registry URL");
    }
    judgement
}

/// Whether all whom a rule names sign with certificates.
fn sign_by_certificate(kind: &RuleKind, case: &Case<'_>) -> bool {
    let named = names_of(kind).next().unwrap_or_default();
    let mut entries = case.trust.roster().entries_of(named).peekable();
    entries.peek().is_some() && entries.all(|entry| entry.id.fingerprint().is_none())
}

fn judged(kind: &RuleKind, case: &Case<'_>) -> Judgement {
    if case.question.purpose.is_run() && is_about_act(kind) {
        return Judgement::pass("nothing of what runs already", "it runs, so that was judged");
    }
    if let Some(unknown) = names_of(kind).find_map(|names| case.unknown_name(names)) {
        return Judgement::error(
            "signers and groups of the roster",
            format!(
                "{unknown:?}, which the roster (version {}) does not know",
                case.trust.roster().version
            ),
            "publish a roster with that name, or a policy without it",
        );
    }
    match kind {
        RuleKind::Signature { demand, threshold } => signature::judge(case, demand, *threshold),
        RuleKind::Provenance { .. } => provenance::judge(case, kind),
        RuleKind::Source { demand, level, two_party } => {
            source::judge(case, demand, *level, *two_party)
        }
        RuleKind::TestResult { demand, suites, least_passed } => {
            test_result::judge(case, demand, suites, *least_passed)
        }
        RuleKind::VulnScan { .. } => vuln_scan::judge(case, kind),
        RuleKind::Sbom { .. } => sbom::judge(case, kind),
        RuleKind::SecretScan { demand, most } => secret_scan::judge(case, demand, *most),
        RuleKind::Readiness { .. } => readiness::judge(case, kind),
        RuleKind::Promotion { from, soak } => promotion::judge(case, from, *soak),
        RuleKind::Approval { demand, threshold, distinct_from } => {
            approval::judge(case, demand, *threshold, distinct_from)
        }
        RuleKind::Deployer { signers } => deployer::judge(case, signers),
        RuleKind::Window { hours, freezes, exceptions } => {
            window::judge(case, hours, freezes, exceptions)
        }
        RuleKind::NoRollback { approvers, threshold } => {
            no_rollback::judge(case, approvers, *threshold)
        }
        RuleKind::Vsa { .. } => vsa::judge(case, kind),
        RuleKind::Layout { .. } => layout::judge(case, kind),
        RuleKind::Rego { demand, types, moment, module } => {
            rego::judge(case, demand, types, *moment, module)
        }
        RuleKind::Any(_) => Judgement::error(
            "a rule",
            "a list of rules inside a list",
            "write the rules of both lists in one",
        ),
    }
}

/// Whether a rule is about the act of deploying: who, when, instead of what, after which trial. Once the artifact
/// runs, the act is over, and no later moment makes it wrong.
fn is_about_act(kind: &RuleKind) -> bool {
    matches!(
        kind,
        RuleKind::Deployer { .. }
            | RuleKind::Window { .. }
            | RuleKind::NoRollback { .. }
            | RuleKind::Promotion { .. }
    )
}

/// The lists of names that a rule has.
fn names_of(kind: &RuleKind) -> impl Iterator<Item = &[String]> {
    let lists: Vec<&[String]> = match kind {
        RuleKind::Signature { demand, .. }
        | RuleKind::Provenance { demand, .. }
        | RuleKind::Source { demand, .. }
        | RuleKind::TestResult { demand, .. }
        | RuleKind::Sbom { demand, .. }
        | RuleKind::SecretScan { demand, .. }
        | RuleKind::Readiness { demand, .. }
        | RuleKind::Approval { demand, .. }
        | RuleKind::Vsa { demand, .. }
        | RuleKind::Rego { demand, .. } => vec![&demand.signers],
        RuleKind::VulnScan { demand, vex, .. } => vec![&demand.signers, vex],
        RuleKind::Deployer { signers } => vec![signers],
        RuleKind::Window { exceptions, .. } => vec![exceptions],
        RuleKind::NoRollback { approvers, .. } => vec![approvers],
        RuleKind::Layout { owners, .. } => vec![owners],
        RuleKind::Promotion { .. } | RuleKind::Any(_) => Vec::new(),
    };
    lists.into_iter()
}
