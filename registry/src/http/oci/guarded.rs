//! Manifests behind a guard: served, served with a word, or refused with the gate's reasons.

use std::sync::Arc;

use attestry_schemas::oci::{Manifest, RepositoryName};

use super::State;
use crate::gate::pulls::Pull;
use crate::oci::OciError;
use crate::oci::guard::{Guard, Mode, is_evidence};
use crate::oci::manifest::Held;
use crate::store::oci::LinkKind;

/// Ours: what a guard that only reports has to say of an answer.
pub(super) const GUARD: &str = "Attestry-Guard";

/// The most indexes whose decision lets a manifest of theirs pass.
const MAX_INDEXES: usize = 64;

/// The most characters of a report's header.
const MAX_REPORT_CHARS: usize = 500;

/// Demands that the guards of a repository let a manifest pass; gives what those that only report have to say.
pub(super) fn demand(
    state: &State,
    name: &RepositoryName,
    caller: &str,
    held: &Held,
) -> Result<Option<String>, OciError> {
    let standing = state.oci.guards();
    let mut guards = standing.of(name, caller).peekable();
    if guards.peek().is_none() {
        return Ok(None);
    }
    let bytes = state.store.reader().attested_bytes(held.link.content)?;
    if is_evidence(&Manifest::parse(&bytes, held.link.media_type.as_deref())?) {
        return Ok(None);
    }
    let mut told = Vec::new();
    for guard in guards {
        let pull = pulled(state, name, guard, held)?;
        let Pull::Refused { was_decided, reasons } = &*pull else { continue };
        let reasons = reasons.join("; ");
        let environment = &guard.environment;
        let is_refused = guard.mode == Mode::Enforce || (guard.quarantine && !was_decided);
        let outcome = if is_refused { "refused" } else { "reported" };
        state.metrics.pulls.with_label_values(&[environment.as_str(), outcome]).inc();
        tracing::warn!(repository = %name, digest = %held.digest, environment, caller, reasons, "a pull is {outcome}");
        if is_refused {
            return Err(OciError::Denied(format!(
                "{} may not be pulled for {environment}: {reasons}",
                held.digest
            )));
        }
        told.push(format!("{environment}: {reasons}"));
    }
    let told = told.join("; ");
    // A header is one line of visible characters.
    let visible = |c: char| if c.is_ascii_graphic() { c } else { ' ' };
    Ok((!told.is_empty()).then(|| told.chars().map(visible).take(MAX_REPORT_CHARS).collect()))
}

/// What the gate says of a manifest, or of an index that names it: who pulls an index pulls one of its manifests.
fn pulled(
    state: &State,
    name: &RepositoryName,
    guard: &Guard,
    held: &Held,
) -> Result<Arc<Pull>, OciError> {
    let own = state.gate.pull(held.link.content, &guard.environment);
    if matches!(&*own, Pull::Allowed(_)) {
        return Ok(own);
    }
    let reader = state.store.reader();
    for index in reader.needed_by_all(name, &held.digest, MAX_INDEXES)? {
        let Some(link) = reader.link(name, LinkKind::Manifest, &index)? else { continue };
        let pull = state.gate.pull(link.content, &guard.environment);
        if matches!(&*pull, Pull::Allowed(_)) {
            return Ok(pull);
        }
    }
    Ok(own)
}
