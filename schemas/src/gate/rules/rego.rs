//! `rego`: a module of the policy finds nothing to deny in the evidence that counts.
//!
//! The module sees what [`Case::select_where`] lets count, and the question without the size of the log. It is asked for its
//! denials alone, and whatever it does instead of answering is an error.

use super::super::answer::Judgement;
use super::super::case::Case;
use crate::policy::Demand;

#[cfg(feature = "rego")]
pub(super) use with::judge;

/// The loader refuses such a policy; one that came by another way allows nothing.
#[cfg(not(feature = "rego"))]
pub(super) fn judge(_: &Case<'_>, _: &Demand, _: &[String], _: bool, _: &str) -> Judgement {
    let fix = "build it with --features attestry/rego,attestry-registry/rego";
    Judgement::error("a program that evaluates Rego", "one that was built without it", fix)
}

#[cfg(feature = "rego")]
mod with {
    use serde_json::{Value, json};

    use super::super::super::answer::{Finding, earlier};
    use super::super::super::case::{Counted, Selection, by, joined, later, short};
    use super::super::super::evidence::{Evidence, Said};
    use super::{Case, Demand, Judgement};
    use crate::digest::Digest;
    use crate::rego::{self, Denial};

    pub(in super::super) fn judge(
        case: &Case<'_>,
        demand: &Demand,
        types: &[String],
        moment: bool,
        module: &str,
    ) -> Judgement {
        let kinds = joined(types, "every type");
        let wanted = format!("no denial by the module over evidence of {kinds} by {}", by(demand));
        let fix = "bring evidence that the module does not deny, or change the module";
        let selection = selected(case, demand, types);
        let mut until = selection.counted.iter().filter_map(|one| selection.expires(one)).min();
        if moment {
            // What a module makes of the time is its own affair: the answer is for this moment.
            until = earlier(until, later(case.now(), 1));
        }
        let asking = case.asking();
        until = earlier(until, asking.until);
        let evidence: Vec<_> = selection.counted.iter().map(Counted::digest).collect();
        let found = input(case, &selection, moment)
            .and_then(|input| rego::denials(module, &input).map_err(|error| error.to_string()));
        match found {
            Err(found) => Judgement::error(wanted, found, fix),
            Ok(denials) if denials.is_empty() => {
                let found = format!("no denial over {} attestations", selection.counted.len());
                Judgement::pass(wanted, found)
            }
            Ok(denials) => {
                let first: Vec<&str> =
                    denials.iter().take(3).map(|one| one.message.as_str()).collect();
                let count = denials.len();
                let noun = if count == 1 { "denial" } else { "denials" };
                let found = format!("{count} {noun}: {}", joined(&first, ""));
                Judgement::failing(denials.iter().map(finding).collect(), wanted, found, fix)
            }
        }
        .on(evidence)
        .until(until)
    }

    fn finding(denial: &Denial) -> Finding {
        Finding::new(&denial.id, denial.message.as_str())
    }

    /// The evidence that the module sees, in the order of the log.
    fn selected<'c>(case: &Case<'c>, demand: &Demand, types: &[String]) -> Selection<'c> {
        let subject = case.subject();
        let is_of = |evidence: &Evidence| {
            let names = [Some(evidence.permission()), evidence.predicate_type()];
            types.is_empty() || types.iter().any(|name| names.contains(&Some(name.as_str())))
        };
        let mut selection = case.select_where(demand, |evidence| {
            let is_whole = !matches!(evidence.said(), Said::Malformed(_));
            is_whole && is_of(evidence) && evidence.is_about(&subject)
        });
        selection.counted.sort_by_key(|one| one.evidence.index());
        selection
    }

    /// What the module sees. The size of the log is left out: it changes with every entry, and the answer would with it.
    fn input(case: &Case<'_>, selection: &Selection<'_>, moment: bool) -> Result<Value, String> {
        let question = case.question;
        let asking = case.asking();
        let evidence = selection.counted.iter().map(|one| {
            let predicate = one.evidence.predicate();
            let predicate = predicate.map_err(|why| format!("{}: {why}", short(one.digest())))?;
            Ok(json!({
                "digest": Digest::from(one.digest()).to_string(),
                "signer": one.signer.name,
                "type": one.evidence.permission(),
                "predicate_type": one.evidence.predicate_type(),
                "predicate": predicate,
                "index": one.evidence.index(),
                "logged_at": one.evidence.logged_at(),
                "time": one.time(),
            }))
        });
        let mut input = json!({
            "artifact": { "digest": case.subject().to_string(), "names": case.names },
            "name": question.name,
            "environment": question.environment,
            "purpose": if question.purpose.is_run() { "run" } else { "deploy" },
            "configuration": question.configuration.map(|digest| Digest::from(digest).to_string()),
            "caller": {
                "principal": question.caller,
                "signer": asking.name.filter(|_| asking.stands.is_ok()),
            },
            "evidence": evidence.collect::<Result<Vec<_>, String>>()?,
        });
        if moment && let Some(members) = input.as_object_mut() {
            members.insert("moment".to_owned(), json!(question.now));
        }
        Ok(input)
    }
}
