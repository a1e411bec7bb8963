//! Searches for secrets: secret-scan v1. The secrets themselves are never copied.
//!
//! Every importer collects the secrets beside the findings; what goes into the predicate, and the
//! copy of the report that is kept in its place, have gone through the redactor.

mod gitleaks;
mod sarif;
mod trufflehog;

#[cfg(test)]
mod tests;

use attestry_schemas::digest::Sha256;
use attestry_schemas::predicate::UtcTime;
use attestry_schemas::predicate::attestry::MAX_RESULTS;
use attestry_schemas::predicate::attestry::environment::{SecretFinding, SecretScan};
use attestry_schemas::statement::ResourceDescriptor;

use super::place::{Absolutes, Place};
use super::redact::{Redactor, Rule, Secrets};
use super::scanner::Scanner;
use super::{Evidence, Format, ImportError, Imported, Product, Report, Supplement, Totals};

/// The formats that become it.
pub(super) const FORMATS: &[Format] = &[gitleaks::FORMAT, trufflehog::FORMAT, sarif::FORMAT];

/// What a rule is called that has no name.
const NO_RULE: &str = "unknown";

/// What one search found.
#[derive(Debug)]
struct Search {
    scanner: Scanner,
    time: Option<UtcTime>,
    found: Found,
}

/// Findings, as many as a statement lists.
#[derive(Debug, Default)]
struct Found {
    findings: Vec<SecretFinding>,
    /// How many more there are.
    unlisted: u64,
}

impl Found {
    fn count(&self) -> u64 {
        self.findings.len() as u64 + self.unlisted
    }
}

impl Evidence for Search {
    fn product(
        &self,
        report: &Report,
        original: &ResourceDescriptor,
        supplement: &Supplement,
    ) -> Result<Product, ImportError> {
        let Found { findings, unlisted } = &self.found;
        let product = Product::of(&SecretScan {
            scanner: self.scanner.tool(supplement),
            findings: findings.clone(),
            unlisted: (*unlisted > 0).then_some(*unlisted),
            scanned_at: supplement.scanned_at(self.stated_time(), report)?,
            redacted: true,
            report: original.clone(),
        });
        Ok(match product {
            Product::Predicate { uri, value, mut warnings } if *unlisted > 0 => {
                warnings.push(format!(
                    "{unlisted} findings are counted and not listed, because a statement lists no \
                     more than {}",
                    findings.len()
                ));
                Product::Predicate { uri, value, warnings }
            }
            product => product,
        })
    }

    fn totals(&self) -> Totals {
        vec![("findings", self.found.count())]
    }

    fn stated_time(&self) -> Option<UtcTime> {
        self.time
    }

    fn tool(&self) -> Option<String> {
        Some(self.scanner.told())
    }
}

/// Where a tool found a secret, before anything was taken out of it.
#[derive(Debug, Default)]
struct Leak {
    rule: String,
    file: String,
    line: u64,
    commit: String,
    /// The tool's own.
    fingerprint: Option<String>,
}

/// The leaks of a report, as they are read: the first ones are kept.
struct Leaks {
    leaks: Vec<Leak>,
    /// How many are kept.
    limit: usize,
    /// How many more there are.
    unlisted: u64,
    absolutes: Absolutes,
}

impl Default for Leaks {
    fn default() -> Self {
        Self::with(MAX_RESULTS)
    }
}

impl Leaks {
    fn with(limit: usize) -> Self {
        Self { leaks: Vec::new(), limit, unlisted: 0, absolutes: Absolutes::default() }
    }

    /// Adds one. `on_machine` is whether its file is one of the machine on which the tool ran.
    fn add(&mut self, leak: Leak, on_machine: bool) {
        if self.leaks.len() >= self.limit {
            self.unlisted += 1;
            return;
        }
        if on_machine {
            self.absolutes.note(&Place::of(&leak.file));
        }
        self.leaks.push(leak);
    }

    /// What a person should know of the files.
    fn warning(&self) -> Option<String> {
        self.absolutes.warning("findings", "they are signed as they are")
    }

    /// The findings, without secrets.
    ///
    /// # Errors
    /// [`ImportError::SecretLeft`], which would be a defect.
    fn found(self, report: &Report, redactor: &Redactor) -> Result<Found, ImportError> {
        let finding = |leak: Leak| {
            let Leak { mut rule, mut file, line, mut commit, fingerprint } = leak;
            for text in [&mut rule, &mut file, &mut commit] {
                redactor.clean(text);
            }
            if rule.is_empty() {
                NO_RULE.clone_into(&mut rule);
            }
            let own = fingerprint.filter(|own| !own.is_empty() && !redactor.suspects(own));
            let fingerprint = own.unwrap_or_else(|| fingerprint_of(&rule, &file, line, &commit));
            let clean = [&rule, &file, &fingerprint].into_iter().all(|text| !redactor.finds(text));
            let left = || ImportError::SecretLeft { name: report.name().to_owned() };
            clean.then_some(SecretFinding { rule, file, line, fingerprint }).ok_or_else(left)
        };
        let findings = self.leaks.into_iter().map(finding).collect::<Result<_, _>>()?;
        Ok(Found { findings, unlisted: self.unlisted })
    }

    /// What an importer gives of a report that is nothing but a list of findings.
    ///
    /// # Errors
    /// Those of [`Redactor::copy`].
    fn import(
        self,
        report: &Report,
        secrets: Secrets,
        scanner: Scanner,
        rule: &Rule<'_>,
    ) -> Result<Imported, ImportError> {
        let redactor = Redactor::new(secrets);
        let mut warnings: Vec<String> = self.warning().into_iter().collect();
        let found = self.found(report, &redactor)?;
        let mut redacted = None;
        if found.count() > 0 {
            redacted = Some(redactor.copy(report, rule)?);
            warnings.push(format!(
                "the secrets of {} findings were redacted: the copy without them is kept and named, not the report itself",
                found.count()
            ));
        }
        let search = Search { scanner, time: None, found };
        Ok(Imported { evidence: vec![Box::new(search)], warnings, redacted })
    }
}

/// Names a finding across scans where the tool does not: the SHA-256 of rule, file, line and commit,
/// each followed by a zero byte. Never of the secret, which could be guessed from it.
fn fingerprint_of(rule: &str, file: &str, line: u64, commit: &str) -> String {
    Sha256::of(format!("{rule}\0{file}\0{line}\0{commit}\0").as_bytes()).hex()
}
