//! `attestry search`: finds attestations in a registry.

use std::ops::ControlFlow;

use crate::answers::{Found, FoundItem};
use crate::args::SearchArgs;
use crate::client::{Client, query_value};
use crate::output::{Exit, Failure, Session, printable};

/// The most attestations that are asked for in one page.
const PAGE_ITEMS: u32 = 100;

/// What is searched for.
#[derive(Debug, Clone, Default)]
pub(super) struct Query {
    parameters: Vec<(&'static str, String)>,
}

impl Query {
    /// Adds a condition, where one is given.
    pub(super) fn with(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            self.parameters.push((name, value.to_string()));
        }
        self
    }

    fn path(&self, limit: u32) -> String {
        self.parameters.iter().fold(
            format!("/v1/attestations?limit={}", limit.min(PAGE_ITEMS)),
            |path, (name, value)| format!("{path}&{name}={}", query_value(value)),
        )
    }

    /// Asks page by page, at most `limit` attestations in all, until `each` has enough. Says whether
    /// the limit left some out.
    ///
    /// # Errors
    /// When the registry cannot be asked, or `each` fails.
    pub(super) fn each(
        &self,
        client: &Client,
        limit: u32,
        mut each: impl FnMut(FoundItem) -> Result<ControlFlow<()>, Failure>,
    ) -> Result<bool, Failure> {
        let mut left = limit;
        let mut path = self.path(limit);
        loop {
            let answer = client.fetch(&path)?;
            let page: Found = answer.json()?;
            // A page that gives nothing and names a next one could go on for ever.
            let empty = page.items.is_empty();
            for item in page.items {
                if left == 0 {
                    return Ok(true);
                }
                left -= 1;
                if each(item)?.is_break() {
                    return Ok(false);
                }
            }
            match page.next {
                Some(_) if left == 0 => return Ok(true),
                Some(next) if next.starts_with('/') && !empty => path = next,
                Some(_) => return Err(answer.malformed("its next page is no path").into()),
                None => return Ok(false),
            }
        }
    }
}

/// Runs `attestry search`.
pub(super) fn run(args: &SearchArgs, session: &mut Session) -> Result<Exit, Failure> {
    let settings = super::settings(session)?;
    let client = super::client(settings.demand_registry(&args.registry)?, session)?;
    let query = Query::default()
        .with("subject", args.subject.as_ref())
        .with("component", args.component.as_ref())
        .with("type", args.predicate_type.as_ref().map(|t| t.uri()))
        .with("signer", args.signer.as_ref())
        .with("since", args.since)
        .with("until", args.until);
    let mut found = 0;
    let more = query.each(&client, args.limit, |item| {
        found += 1;
        if session.json() {
            session.answer(&item)?;
        } else {
            tell(&item, session);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if found == 0 {
        session.say("found none");
    }
    if more {
        session
            .say(format!("there are more; --limit {} shows them", args.limit.saturating_mul(10)));
    }
    Ok(Exit::Success)
}

fn tell(item: &FoundItem, session: &mut Session) {
    let kind = item.predicate_type.as_deref().or(item.kind.as_deref()).unwrap_or("-");
    session.line(printable(&format!("{} {kind}", item.digest)));
    let logged_at = item.logged_at.as_deref().unwrap_or("-");
    let namespace = item.namespace.as_deref().unwrap_or("-");
    session.line(printable(&format!("  index {} at {logged_at} in {namespace}", item.index)));
    let known = if item.signer_known == Some(false) { " (unknown)" } else { "" };
    let signer = item.signer.as_deref().unwrap_or("-");
    session.line(printable(&format!("  signed by {signer}{known}")));
    for subject in &item.subjects {
        let name = subject.name.as_deref().map(|name| format!("{name} ")).unwrap_or_default();
        session.line(printable(&format!("  about {name}{}", digests(&subject.digest))));
    }
}

/// A DigestSet, or one digest as text.
fn digests(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Object(set) => set
            .iter()
            .map(|(algorithm, value)| format!("{algorithm}:{}", value.as_str().unwrap_or("-")))
            .collect::<Vec<_>>()
            .join(" "),
        _ => "-".to_owned(),
    }
}
