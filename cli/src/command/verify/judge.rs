//! Holds evidence against a demand, piece by piece: the first that proves it counts, and of those that do not the one
//! that came furthest is told.

use attestry_schemas::trusted_root::TrustedRoot;
use attestry_schemas::verify::{Check, Claim, Refusal, Verifier};

use super::evidence::{Evidence, Found};
use super::report::{Failed, Line, Outcome};
use super::{About, Demand};

/// The most types that a message names.
const MAX_NAMED: usize = 8;

/// Where evidence was looked for.
pub(super) enum Asked {
    /// In files.
    Files,
    /// In a registry of this name.
    Registry(String),
}

/// One demand, and what was heard of it so far.
pub(super) struct Judging<'d> {
    demand: &'d Demand,
    proven: Option<Outcome>,
    /// Of what did not prove it, where it is from and how far it came.
    closest: Option<(String, Refusal)>,
}

impl<'d> Judging<'d> {
    /// A demand of which nothing was heard.
    pub(super) fn of(demand: &'d Demand) -> Self {
        Self { demand, proven: None, closest: None }
    }

    /// The demand.
    pub(super) fn demand(&self) -> &'d Demand {
        self.demand
    }

    /// Whether nothing proved it so far.
    pub(super) fn is_open(&self) -> bool {
        self.proven.is_none()
    }

    /// Holds one piece of evidence against it.
    pub(super) fn hear(&mut self, evidence: &Evidence, verifier: &Verifier<'_>, about: &About<'_>) {
        if !self.is_open() {
            return;
        }
        let (bundle, claim) = (&evidence.bundle, &self.demand.claim);
        let judged = match &evidence.document {
            Some(document) => verifier.simple_signing(bundle, document, about.sha256, claim),
            None => verifier.bundle(bundle, about.of(bundle), claim),
        };
        match judged {
            Ok(proven) => {
                let proven = proven.into_inner();
                let mut lines: Vec<Line> = proven.passed.into_iter().map(Line::passed).collect();
                lines.extend(unchecked_log(evidence, verifier.root));
                self.proven = Some(Outcome {
                    demand: self.demand.name.clone(),
                    evidence: Some(evidence.place.clone()),
                    lines,
                    refusal: None,
                });
            }
            // The refusal that came furthest says the most: a bundle of another type is just another one.
            Err(refusal) => {
                let how_far = |refusal: &Refusal| (distance(refusal.check), refusal.passed.len());
                let closest = self.closest.as_ref().map(|(_, refusal)| how_far(refusal));
                if closest.is_none_or(|closest| closest <= how_far(&refusal)) {
                    self.closest = Some((evidence.place.clone(), refusal));
                }
            }
        }
    }

    /// What came of it.
    pub(super) fn end(self, about: &About<'_>, found: &Found, asked: &Asked) -> Outcome {
        let Self { demand, proven, closest } = self;
        match (proven, closest) {
            (Some(outcome), _) => outcome,
            (None, Some((place, refusal))) => Outcome {
                demand: demand.name.clone(),
                evidence: Some(place),
                lines: refusal.passed.iter().cloned().map(Line::passed).collect(),
                refusal: Some(Failed::of(refusal, &demand.claim)),
            },
            (None, None) => Outcome {
                demand: demand.name.clone(),
                evidence: None,
                lines: Vec::new(),
                refusal: Some(nothing(demand, about, found, asked)),
            },
        }
    }
}

/// That nothing at hand could prove a demand.
fn nothing(demand: &Demand, about: &About<'_>, found: &Found, asked: &Asked) -> Failed {
    let place = match asked {
        Asked::Files => "the files that were read",
        Asked::Registry(name) => name,
    };
    let expected = format!("{} about {} in {place}", describe(demand), about.sha256);
    let (found, fix) = match (asked, found.listed.as_slice()) {
        (Asked::Files, _) => {
            let fix = "name the bundle with --bundle, or the registry with --registry";
            ("none".to_owned(), fix)
        }
        (Asked::Registry(_), []) => {
            let fix = "do not use it before you know why: it was changed, never signed, or is recorded elsewhere";
            ("none, and nothing else about it".to_owned(), fix)
        }
        (Asked::Registry(_), others) => {
            let shown: Vec<&str> = others.iter().take(MAX_NAMED).map(String::as_str).collect();
            let more = if others.len() > shown.len() { ", …" } else { "" };
            let fix = "have whoever makes that evidence push it, or name its bundle with --bundle";
            (format!("only other evidence ({}{more})", shown.join(", ")), fix)
        }
    };
    Failed { check: "evidence", expected, found, fix }
}

fn describe(demand: &Demand) -> String {
    match &demand.claim {
        Claim::Signature => "a signature".to_owned(),
        Claim::AnyType => "an attestation".to_owned(),
        Claim::Type(name) => format!("an attestation of type {name}"),
    }
}

/// How far verification came when this check failed.
fn distance(check: Check) -> u8 {
    match check {
        Check::Statement => 0,
        Check::Type => 1,
        Check::Subject => 2,
        Check::Signature | Check::Certificate => 3,
        Check::LogEntry | Check::Inclusion | Check::Checkpoint => 4,
    }
}

/// Says that a log entry was not looked at, so that nobody believes it was.
fn unchecked_log(evidence: &Evidence, root: Option<&TrustedRoot>) -> Option<Line> {
    let entries = evidence.bundle.tlog_entries.len();
    let managed = matches!(
        evidence.bundle.signer,
        attestry_schemas::bundle::SignerMaterial::PublicKey { .. }
    );
    (managed && root.is_none() && entries > 0).then(|| {
        let detail = "the bundle has a log entry, not checked: no --trusted-root is given";
        Line::skipped(Check::LogEntry, detail)
    })
}
