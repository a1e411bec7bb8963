//! Doors to the parsers of untrusted bytes, for fuzzing: each says whether anything was made of its
//! input. Nothing here is part of the program.

use std::path::Path;

use attestry_schemas::digest::Sha256;
use attestry_schemas::predicate::{UtcTime, check};

use crate::evidence::{FORMATS, Fit, Product, Report, Supplement, original};
use crate::lockfile;

/// Reads a report as every format that becomes `becomes` (the short name of a predicate type, or
/// nothing for documents that say their own type) and that it may be of, and makes the predicates.
///
/// # Panics
/// When a predicate that was made is not accepted by its own specification, but for a bound: that is
/// what fuzzing looks for.
#[must_use]
pub fn evidence(becomes: Option<&str>, bytes: &[u8]) -> bool {
    let Ok(report) = Report::of_memory("report", bytes.to_vec()) else { return false };
    let supplement = Supplement {
        // Later than every database that a report may name.
        scanned_at: Some(UtcTime::from(jiff::Timestamp::MAX)),
        environment: Some("production".to_owned()),
        subject: Some(Sha256::of(b"subject").into()),
        ..Supplement::default()
    };
    let mut made = false;
    let formats = FORMATS.iter().copied().flatten().filter(|format| format.becomes == becomes);
    for format in formats.filter(|format| (format.fit)(report.outline()) != Fit::No) {
        let Ok(imported) = (format.import)(&report) else { continue };
        let kept = imported.redacted.as_ref().unwrap_or(&report);
        for item in &imported.evidence {
            let product = item.product(&report, &original(kept, format), &supplement);
            let product = product.map(Product::read_again);
            if let Ok(Product::Predicate { uri, value, .. }) = &product {
                let findings = check(uri, value).err().unwrap_or_default();
                let bound = |message: &str| message.contains("at most");
                let broken = findings.iter().find(|finding| !bound(&finding.message));
                assert!(broken.is_none(), "{}: {broken:?}", format.name);
            }
            made |= product.is_ok();
        }
    }
    made
}

/// Reads the dependencies of a lockfile that has the given name.
#[must_use]
pub fn dependencies(name: &str, bytes: &[u8]) -> bool {
    let Some(kind) = lockfile::kind_of(Path::new(name)) else { return false };
    lockfile::read(kind, bytes, &|_| None).is_ok()
}
