//! Manifests behind a guard: served, served with a word, or refused with the gate's reasons.

use std::sync::Arc;

use attestry_schemas::oci::simple_signing::{MAX_PAYLOAD_BYTES, SimpleSigning};
use attestry_schemas::oci::{Manifest, RepositoryName};

use super::State;
use crate::gate::pulls::Pull;
use crate::oci::OciError;
use crate::oci::guard::{Guard, Mode, Nature, nature};
use crate::oci::manifest::Held;
use crate::store::oci::LinkKind;

/// Ours: what a guard that only reports has to say of an answer.
pub(super) const GUARD: &str = "Attestry-Guard";

/// The most indexes whose decision lets a manifest of theirs pass.
const MAX_INDEXES: usize = 64;

/// The most characters of a report's header.
const MAX_REPORT_CHARS: usize = 500;

/// Whether a guard of a repository stands before a caller.
pub(super) fn is_guarded(state: &State, name: &RepositoryName, caller: &str) -> bool {
    state.oci.guards().of(name, caller).next().is_some()
}

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
    let manifest = Manifest::parse(&bytes, held.link.media_type.as_deref())?;
    match nature(&manifest) {
        Nature::Evidence => return Ok(None),
        Nature::Documents if are_documents(state, name, &manifest)? => return Ok(None),
        Nature::Documents | Nature::Other => {}
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

/// The names under which a repository's artifacts are asked about: within this registry, and with its host.
fn names(state: &State, name: &RepositoryName) -> [String; 2] {
    let host = state.public_url.split_once("://").map_or("", |(_, host)| host);
    [name.to_string(), format!("{host}/{name}")]
}

/// Whether every layer is a document that cosign 2 signs, and so nothing that could be unpacked.
fn are_documents(
    state: &State,
    name: &RepositoryName,
    manifest: &Manifest,
) -> Result<bool, OciError> {
    let reader = state.store.reader();
    for layer in &manifest.layers {
        let link = reader.link(name, LinkKind::Blob, &layer.digest)?;
        let Some(link) = link.filter(|link| link.size_bytes <= MAX_PAYLOAD_BYTES as u64) else {
            return Ok(false);
        };
        if SimpleSigning::parse(&reader.attested_bytes(link.content)?).is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What the gate says of a manifest, or of an index that names it: who pulls an index pulls one of its manifests.
fn pulled(
    state: &State,
    name: &RepositoryName,
    guard: &Guard,
    held: &Held,
) -> Result<Arc<Pull>, OciError> {
    let names = names(state, name);
    let own = state.gate.pull(held.link.content, &guard.environment, &names);
    if matches!(&*own, Pull::Allowed(_)) {
        return Ok(own);
    }
    let reader = state.store.reader();
    for index in reader.needed_by_all(name, &held.digest, MAX_INDEXES)? {
        let Some(link) = reader.link(name, LinkKind::Manifest, &index)? else { continue };
        let pull = state.gate.pull(link.content, &guard.environment, &names);
        if matches!(&*pull, Pull::Allowed(_)) {
            return Ok(pull);
        }
    }
    Ok(own)
}
