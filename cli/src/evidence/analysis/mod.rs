//! Static analysis: what SARIF says of no other kind, as static-analysis v1.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use attestry_schemas::predicate::UtcTime;
use attestry_schemas::predicate::attestry::MAX_RESULTS;
use attestry_schemas::predicate::attestry::analysis::{
    AnalysisResult, Counts, Level, StaticAnalysis,
};
use attestry_schemas::statement::ResourceDescriptor;

use super::format::Fit;
use super::outline::Outline;
use super::place::Absolutes;
use super::sarif::{self, Finding, Kind, Reading};
use super::scanner::Scanner;
use super::{Evidence, Format, ImportError, Imported, Product, Report, Supplement, Totals};

/// The formats that become it.
pub(super) const FORMATS: &[Format] = &[Format {
    name: "sarif",
    title: "SARIF of a static analysis",
    media_type: sarif::MEDIA_TYPE,
    becomes: Some("static-analysis"),
    remedy: sarif::REMEDY,
    fit,
    import,
}];

fn fit(outline: &Outline) -> Fit {
    sarif::fit(outline, Kind::Analysis)
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    let mut by_run: BTreeMap<usize, Results> = BTreeMap::new();
    let mut reading = sarif::read(report, Kind::Analysis, &mut |run, finding| {
        by_run.entry(run).or_default().add(finding);
        Ok(())
    })?;
    let mut evidence: Vec<Box<dyn Evidence>> = Vec::new();
    let mut warnings = std::mem::take(&mut reading.warnings);
    for run in std::mem::take(&mut reading.runs) {
        let results = by_run.remove(&run.index).unwrap_or_default();
        warnings.extend(results.absolutes.warning("results", "they are signed as they are"));
        let counts = results.counts;
        let (results, omitted) = results.listed(&reading);
        if omitted > 0 {
            warnings.push(format!(
                "{omitted} results are counted but not listed: a statement lists {MAX_RESULTS}, the gravest first"
            ));
        }
        evidence.push(Box::new(Analysis { scanner: run.scanner, time: run.time, counts, results }));
    }
    Ok(Imported { evidence, warnings, redacted: reading.redacted })
}

/// What one run of a tool found.
#[derive(Debug)]
struct Analysis {
    scanner: Scanner,
    time: Option<UtcTime>,
    counts: Counts,
    results: Vec<AnalysisResult>,
}

impl Evidence for Analysis {
    fn product(
        &self,
        report: &Report,
        original: &ResourceDescriptor,
        supplement: &Supplement,
    ) -> Result<Product, ImportError> {
        Ok(Product::of(&StaticAnalysis {
            tool: self.scanner.tool(supplement),
            scanned_at: supplement.scanned_at(self.stated_time(), report)?,
            counts: self.counts,
            results: self.results.clone(),
            report: original.clone(),
        }))
    }

    fn totals(&self) -> Totals {
        let Counts { error, warning, note, none, suppressed } = self.counts;
        vec![
            ("error", error),
            ("warning", warning),
            ("note", note),
            ("none", none),
            ("suppressed", suppressed),
        ]
    }

    fn stated_time(&self) -> Option<UtcTime> {
        self.time
    }

    fn tool(&self) -> Option<String> {
        Some(self.scanner.told())
    }
}

/// The results of a run, as they are read: all of them counted, the gravest kept.
#[derive(Default)]
struct Results {
    counts: Counts,
    /// By whether they are suppressed, then by level; no more of each than can be listed at all.
    kept: BTreeMap<(bool, Level), Vec<AnalysisResult>>,
    absolutes: Absolutes,
}

impl Results {
    fn add(&mut self, finding: Finding<'_>) {
        let Finding { rule_id, level, place, line, fingerprint, suppressed, .. } = finding;
        let counter = match level {
            _ if suppressed => &mut self.counts.suppressed,
            Level::Error => &mut self.counts.error,
            Level::Warning => &mut self.counts.warning,
            Level::Note => &mut self.counts.note,
            Level::None => &mut self.counts.none,
        };
        *counter += 1;
        self.absolutes.note(&place);
        let kept = self.kept.entry((suppressed, level)).or_default();
        if kept.len() < MAX_RESULTS {
            let file = place.into_path();
            kept.push(AnalysisResult { rule: rule_id, level, file, line, fingerprint, suppressed });
        }
    }

    /// The results that are listed, without what they show of secrets, and how many are not.
    fn listed(self, reading: &Reading) -> (Vec<AnalysisResult>, u64) {
        let Counts { error, warning, note, none, suppressed } = self.counts;
        let total =
            [error, warning, note, none, suppressed].into_iter().fold(0, u64::saturating_add);
        let mut listed: Vec<_> = self.kept.into_values().flatten().take(MAX_RESULTS).collect();
        if let Some(redactor) = &reading.redactor {
            for result in &mut listed {
                redactor.clean(&mut result.rule);
                redactor.clean(&mut result.file);
                result.fingerprint =
                    result.fingerprint.take().filter(|own| !redactor.suspects(own));
            }
        }
        let omitted = total.saturating_sub(listed.len() as u64);
        (listed, omitted)
    }
}
