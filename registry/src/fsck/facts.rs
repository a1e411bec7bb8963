//! Kept facts against the attestations that they were read from.

use std::ops::ControlFlow;

use attestry_schemas::digest::Sha256;
use attestry_schemas::gate::SEALED_FORMAT;
use attestry_schemas::key::SigningKey;
use attestry_schemas::note::NoteKey;

use super::{FaultKind, FsckError, Progress, Report};
use crate::gate::Rereading;
use crate::store::engine::Family;
use crate::store::facts::FactsCursor;
use crate::store::record::Kind;
use crate::store::{Reader, StoreError, key};

/// How many facts pass between two calls of `progress`.
const PROGRESS_STEP: u64 = 4096;

/// Reads every attestation again of which facts are kept, and compares.
pub(super) fn check(
    reader: &Reader<'_>,
    log_key: Option<SigningKey>,
    note_key: NoteKey,
    report: &mut Report,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), FsckError> {
    let Some(log_key) = log_key else { return Ok(()) };
    let rereading = Rereading::new(note_key, &log_key);
    let visited = reader.scan(Family::Facts, &[], None, |key, sealed| {
        one(reader, &rereading, key, sealed, report)?;
        if report.counts.facts.is_multiple_of(PROGRESS_STEP) {
            progress(Progress { stage: "facts", done: report.counts.facts, of: None });
        }
        Ok(ControlFlow::Continue(()))
    });
    let checked = visited.and_then(|()| cursor(reader, report));
    checked.or_else(|error| report.damage("the facts of attestations", error))
}

fn one(
    reader: &Reader<'_>,
    rereading: &Rereading,
    key: &[u8],
    sealed: &[u8],
    report: &mut Report,
) -> Result<(), StoreError> {
    let place = || format!("key {} of {}", hex::encode(key), Family::Facts.name());
    let size = reader.size()?;
    let sequence = <[u8; 8]>::try_from(key).map(u64::from_be_bytes);
    let Some(sequence) = sequence.ok().filter(|sequence| *sequence < size) else {
        let expected = format!("sequences of 8 bytes below {size}");
        report.fault(FaultKind::StrayKey, place(), expected, "another");
        return Ok(());
    };
    // Another version of the program reads them no more, and writes its own in their place.
    if sealed.first() != Some(&SEALED_FORMAT) {
        return Ok(());
    }
    report.counts.facts += 1;
    // The walk has named a record that is missing or cannot be read, and what does not verify.
    let expected = match rereading.sealed(reader, sequence) {
        Ok(Some(expected)) => expected,
        // Whether the authority of its certificate counts is a setting of the server.
        Ok(None) if is_bundle(reader, sequence)? => return Ok(()),
        Ok(None) | Err(StoreError::Missing { .. } | StoreError::Record(_)) => {
            let expected = "an attestation that verifies, of which facts may be kept";
            report.fault(FaultKind::Facts, format!("facts {sequence}"), expected, "none");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    if sealed != expected {
        let expected = format!("what record {sequence} says: {}", Sha256::of(&expected));
        let found = Sha256::of(sealed).to_string();
        report.fault(FaultKind::Facts, format!("facts {sequence}"), expected, found);
    }
    Ok(())
}

fn is_bundle(reader: &Reader<'_>, sequence: u64) -> Result<bool, StoreError> {
    Ok(reader.record(sequence)?.is_some_and(|record| record.kind == Kind::Bundle))
}

/// Beyond the log, facts of leaves to come would not be kept.
fn cursor(reader: &Reader<'_>, report: &mut Report) -> Result<(), StoreError> {
    let size = reader.size()?;
    if let Some(FactsCursor { next, .. }) = reader.facts_cursor()?.filter(|it| it.next > size) {
        let place = format!("key {} of {}", hex::encode(key::FACTS_CURSOR), Family::Meta.name());
        report.fault(
            FaultKind::StrayKey,
            place,
            format!("a cursor of at most {size}"),
            next.to_string(),
        );
    }
    Ok(())
}
