//! Who consented to a waiver, until when and why: what a decision names by digest, for a reader.
//!
//! A decision has the digests of the waivers alone, which is all that a verdict needs. Whoever has the waivers tells what they say;
//! so what is told can grow, and every decision that was ever recorded keeps its bytes.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::cut;
use super::decision::Details;
use super::evidence::{Evidence, Said};
use super::{Answer, explain};
use crate::predicate::UtcTime;
use crate::predicate::attestry::governance::Waiver;
use crate::roster::Roster;
use crate::verify::Signer;

/// The consent of one signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    by: String,
    until: UtcTime,
    reason: String,
}

impl Consent {
    /// The consent that a waiver is, by the name that the roster has for its signer; by its key where it has none.
    #[must_use]
    pub fn of(waiver: &Waiver, signer: &Signer, roster: Option<&Roster>) -> Self {
        let entry = roster.and_then(|roster| roster.signer(signer));
        Self {
            by: entry.map_or_else(|| signer.to_string(), |entry| entry.name.clone()),
            until: waiver.until,
            reason: waiver.reason.clone(),
        }
    }
}

/// The waivers that are known, by the digests that decisions have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Consents(BTreeMap<String, Consent>);

impl Consents {
    /// Those that are among the evidence.
    pub fn among<'e>(
        evidence: impl IntoIterator<Item = &'e Evidence>,
        roster: Option<&Roster>,
    ) -> Self {
        let mut all = Self::default();
        for one in evidence {
            if let Said::Waiver(waiver) = one.said() {
                all.add(one.digest().to_string(), Consent::of(waiver, one.signer(), roster));
            }
        }
        all
    }

    /// Adds the one of a digest.
    pub fn add(&mut self, digest: String, consent: Consent) {
        self.0.insert(digest, consent);
    }

    /// What covers a finding: `alice, bob until 2026-12-01T00:00:00Z: not reachable (sha256:…, sha256:…)`; of what is not known the
    /// digests alone.
    #[must_use]
    pub fn told(&self, waived_by: &[String]) -> String {
        let digests: Vec<String> = waived_by.iter().map(|digest| explain::brief(digest)).collect();
        let digests = digests.join(", ");
        let known: Vec<&Consent> =
            waived_by.iter().filter_map(|digest| self.0.get(digest)).collect();
        // They are signatures over one payload.
        let Some(Consent { until, reason, .. }) = known.first() else { return digests };
        let names: BTreeSet<&str> = known.iter().map(|consent| consent.by.as_str()).collect();
        let mut names: Vec<&str> = names.into_iter().collect();
        if known.len() < waived_by.len() {
            names.push("others");
        }
        format!("{} until {until}: {} ({digests})", names.join(", "), cut(reason.clone()))
    }
}

/// The waivers that a decision names, by digest, sorted.
#[must_use]
pub fn waivers(details: &Details) -> BTreeSet<String> {
    fn of(answer: &Answer, all: &mut BTreeSet<String>) {
        all.extend(answer.findings.iter().flat_map(|finding| finding.waived_by.iter().cloned()));
        answer.any.iter().for_each(|inner| of(inner, all));
    }
    let mut all = BTreeSet::new();
    details.policies.iter().flat_map(|policy| &policy.rules).for_each(|one| of(one, &mut all));
    all
}
