//! `deployer`: who asks may deploy here.

use super::super::answer::Judgement;
use super::super::case::{Case, joined};

pub(super) fn judge(case: &Case<'_>, signers: &[String]) -> Judgement {
    let environment = &case.question.environment;
    let wanted = format!("a caller who may deploy to {environment}: {}", joined(signers, "nobody"));
    let fix =
        "ask with the token of one of them; the roster's `principals` say which token is whose";
    let Some(principal) = &case.question.caller else {
        return Judgement::fail("deployer", wanted, "a caller without a name", fix);
    };
    let asking = case.asking();
    let roster = case.trust.roster();
    let judgement = match (asking.name, asking.stands) {
        (Some(name), Ok(())) if roster.is_named(name, signers.iter().map(String::as_str)) => {
            Judgement::pass(wanted, format!("{name} asks, as {principal}"))
        }
        (Some(name), stands) => {
            let why = stands.err().map_or_else(String::new, |why| format!(", who is {why}"));
            Judgement::fail("deployer", wanted, format!("{name} asks, as {principal}{why}"), fix)
        }
        (None, _) => {
            let found = format!("{principal}, whom the roster does not know");
            Judgement::fail("deployer", wanted, found, fix)
        }
    };
    judgement.until(asking.until)
}
