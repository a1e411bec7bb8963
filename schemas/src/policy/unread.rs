//! A published policy of which this version cannot read the rules: what remains of it denies.

use std::str::FromStr;

use toml::{Table, Value};

use super::read::MODES;
use super::{Mode, Policy};
use crate::digest::Sha256;
use crate::document::{MAX_DOCUMENT_BYTES, Pattern};
use crate::predicate::attestry::governance as said;
use crate::roster::Quorum;

/// The pattern of everything.
const ALL: &str = "**";

pub(super) fn policy(said: &said::Policy, digest: Sha256, text: Option<&[u8]>) -> Policy {
    let why = match text.map(|text| Policy::read(text, None)) {
        None => "no document that has its digest".to_owned(),
        Some(Err(faults)) => faults.brief(),
        Some(Ok(_)) => "a document that says something else than its signatures".to_owned(),
    };
    let table = text.and_then(table).unwrap_or_default();
    let scope = table.get("match").and_then(Value::as_table);
    let patterns = |name| scope.and_then(|scope| patterns(scope, name)).unwrap_or_else(all);
    Policy {
        name: said.name.clone(),
        version: said.version,
        expires: said.expires,
        mode: mode(&table).unwrap_or(Mode::Enforce),
        artifacts: patterns("artifacts"),
        environments: patterns("environments"),
        rules: Vec::new(),
        waivers: None,
        break_glass: None,
        digest,
        unread: Some(why),
    }
}

pub(super) fn lapsed(policy: Policy, have: u64, quorum: &Quorum) -> Policy {
    let Quorum { group, threshold } = quorum;
    let why = format!(
        "{have} signatures that count of the {threshold} by {group} that it needs, since who signed it has left or is revoked; let others of {group} sign this version, too: attestry policy push"
    );
    Policy { rules: Vec::new(), waivers: None, break_glass: None, unread: Some(why), ..policy }
}

fn table(text: &[u8]) -> Option<Table> {
    let text = std::str::from_utf8(text.get(..MAX_DOCUMENT_BYTES.min(text.len()))?).ok()?;
    text.parse().ok()
}

fn mode(table: &Table) -> Option<Mode> {
    let word = table.get("mode")?.as_str()?;
    MODES.iter().find(|(name, _)| *name == word).map(|(_, mode)| *mode)
}

/// The patterns of a list of which every one can be read; a list of which one cannot might be for anything.
fn patterns(scope: &Table, name: &str) -> Option<Vec<Pattern>> {
    let list = scope.get(name)?.as_array().filter(|list| !list.is_empty())?;
    list.iter().map(|one| Pattern::from_str(one.as_str()?).ok()).collect()
}

fn all() -> Vec<Pattern> {
    ALL.parse().into_iter().collect()
}
