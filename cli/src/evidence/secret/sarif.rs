//! SARIF of secret scanners.

use std::collections::BTreeMap;

use super::{Found, Leak, Leaks, Search};
use crate::evidence::format::{Fit, Format};
use crate::evidence::outline::Outline;
use crate::evidence::sarif::{self, Kind, Status};
use crate::evidence::{Evidence, ImportError, Imported, Report};

pub(super) const FORMAT: Format = Format {
    name: "sarif-secrets",
    title: "SARIF of a secret scanner",
    media_type: sarif::MEDIA_TYPE,
    becomes: Some("secret-scan"),
    remedy: sarif::REMEDY,
    fit,
    import,
};

fn fit(outline: &Outline) -> Fit {
    sarif::fit(outline, Kind::Secrets)
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    let mut by_run: BTreeMap<usize, Leaks> = BTreeMap::new();
    let mut left_out = 0_u64;
    let reading = sarif::read(report, Kind::Secrets, &mut |run, finding| {
        if finding.suppressed || finding.status != Status::Fail {
            left_out += 1;
            return Ok(());
        }
        let leak = Leak {
            rule: finding.rule_id,
            file: finding.place.clone().into_path(),
            line: finding.line,
            commit: finding.commit.unwrap_or_default(),
            fingerprint: finding.fingerprint,
        };
        by_run.entry(run).or_default().add(leak, true);
        Ok(())
    })?;
    let mut warnings = reading.warnings;
    if left_out > 0 {
        warnings
            .push(format!("{left_out} results that are suppressed or no findings are left out"));
    }
    let mut evidence: Vec<Box<dyn Evidence>> = Vec::new();
    for run in reading.runs {
        let leaks = by_run.remove(&run.index).unwrap_or_default();
        warnings.extend(leaks.warning());
        // A log without findings shows no secret, and has no redactor.
        let found = match &reading.redactor {
            Some(redactor) => leaks.found(report, redactor)?,
            None => Found::default(),
        };
        evidence.push(Box::new(Search { scanner: run.scanner, time: run.time, found }));
    }
    Ok(Imported { evidence, warnings, redacted: reading.redacted })
}
