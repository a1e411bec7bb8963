//! Which attestations can matter to a question: what the index says of the artifact, its commits, the environment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attestry_schemas::digest::{Digest, DigestSet, Sha256};
use attestry_schemas::gate::{self, Evidence, Question, Said};
use attestry_schemas::policy::RuleKind;
use attestry_schemas::predicate::vsa::VerificationResult;
use attestry_schemas::roster::trust::Trust;
use attestry_schemas::verify::Signer;

use super::history::subjects;
use super::{Gate, Ruling};
use crate::store::key::{Term, TermKind};
use crate::store::query::Search;
use crate::store::{Reader, StoreError};

/// The most attestations about one artifact that are looked at. With more, nothing is decided but a denial: what is not
/// looked at could be what denies.
const MAX_ABOUT_ARTIFACT: usize = 100_000;
/// The most about one commit or step, likewise; and the newest of the state of one environment.
const MAX_ABOUT_OTHERS: usize = 1_000;
/// The most artifacts of a chain of links that are followed.
const MAX_MATERIALS: usize = 4_096;
/// The most artifacts of one name, those that were deployed last, of which it is looked up when they were built.
const MAX_PREDECESSORS: usize = 32;

/// The statements about deployments that are looked at first to find what runs, and how many times as many with each further look.
const FIRST_STATEMENTS: usize = 8;
const MORE_STATEMENTS: usize = 8;

/// What was found, sorted by sequence.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) sequences: Vec<u64>,
    pub(super) evidence: Vec<Arc<Evidence>>,
    /// The digests about which evidence was looked for: new evidence about one of them can matter.
    pub(super) about: BTreeSet<String>,
    /// Whether there is more about one of them than is looked at.
    pub(super) is_cut: bool,
    /// Whether decisions of this gate, those about earlier environments, are evidence here.
    pub(super) has_decisions: bool,
}

/// What the rules of the policies for an environment ask for beyond the artifact.
#[derive(Debug, Default)]
struct Asked {
    source: bool,
    readiness: bool,
    running: bool,
    links: bool,
    earlier: BTreeSet<String>,
}

/// At which moment what is gathered is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    OfTheQuestion,
    /// Whoever has a pack may ask of another.
    Any,
}

impl Asked {
    /// The same but for what rules about the act of deploying ask.
    fn of_what_runs(self) -> Self {
        Self { running: false, earlier: BTreeSet::new(), ..self }
    }

    fn of(ruling: &Ruling, environment: &str) -> Self {
        let mut asked = Self::default();
        let policies = ruling.governance.policies.iter().map(|published| &published.policy);
        let here = policies.filter(|p| p.environments.iter().any(|e| e.matches(environment)));
        for rule in here.flat_map(|policy| policy.all_rules()) {
            match &rule.kind {
                // Who wrote a change stands in the review of its commit.
                RuleKind::Source { .. } | RuleKind::Approval { .. } => asked.source = true,
                RuleKind::Readiness { .. } => asked.readiness = true,
                RuleKind::NoRollback { .. } => asked.running = true,
                RuleKind::Layout { .. } => asked.links = true,
                RuleKind::Promotion { from, .. } => {
                    asked.earlier.insert(from.clone());
                }
                _ => {}
            }
        }
        asked
    }
}

/// Attestations by sequence.
struct Basket<'g, 'r> {
    gate: &'g Gate,
    reader: &'r Reader<'r>,
    search: Search<'r, 'r>,
    below: u64,
    found: BTreeMap<u64, Arc<Evidence>>,
    about: BTreeSet<String>,
    is_cut: bool,
}

impl Basket<'_, '_> {
    /// Adds what has all of the terms; tells what was found.
    fn add(&mut self, terms: &[Term], limit: usize) -> Result<Vec<Arc<Evidence>>, StoreError> {
        let digests = terms.iter().filter(|term| term.kind == TermKind::Subject);
        self.about.extend(digests.map(|term| term.value.clone()));
        let mut sequences = self.search.sequences_with(terms, self.below, limit)?;
        let is_about = terms.iter().any(|term| term.kind == TermKind::Subject);
        self.is_cut |= is_about && sequences.len() == limit;
        sequences.reverse();
        let all = self.gate.shelf.all(self.reader, &sequences)?;
        self.found.extend(all.iter().map(|one| (one.index(), Arc::clone(one))));
        Ok(all)
    }

    fn keep(&mut self, sequence: u64) -> Result<Option<Arc<Evidence>>, StoreError> {
        if let Some(known) = self.found.get(&sequence) {
            return Ok(Some(Arc::clone(known)));
        }
        let evidence = self.gate.shelf.evidence(self.reader, sequence)?;
        if let Some(evidence) = &evidence {
            self.found.insert(sequence, Arc::clone(evidence));
        }
        Ok(evidence)
    }

    /// Adds the links of the steps that led to an artifact: those about it, about their materials, and so on.
    fn chain(&mut self, artifact: Digest) -> Result<(), StoreError> {
        let mut seen = BTreeSet::from([artifact.clone()]);
        let mut waiting = vec![artifact];
        while let Some(digest) = waiting.pop() {
            let terms = [
                Term::new(TermKind::Subject, digest.to_string()),
                Term::new(TermKind::TypeName, "link"),
            ];
            for evidence in self.add(&terms, MAX_ABOUT_OTHERS)? {
                let Said::Link(link) = evidence.said() else { continue };
                for material in link.materials.values().flat_map(DigestSet::iter) {
                    if seen.len() == MAX_MATERIALS {
                        self.is_cut = true;
                    } else if seen.insert(material.clone()) {
                        waiting.push(material);
                    }
                }
            }
        }
        Ok(())
    }

    /// The gate's own decisions are evidence of earlier environments alone; counting those for this one would
    /// make every decision change what the next one depends on.
    fn leave_out_decisions(&mut self, earlier: &BTreeSet<String>) -> Result<(), StoreError> {
        let gate = Signer::Key(self.gate.roots.gate);
        let mut judged: BTreeMap<String, (u64, bool)> = BTreeMap::new();
        self.found.retain(|sequence, evidence| {
            let (Said::Summary(summary, details), true) =
                (evidence.said(), *evidence.signer() == gate)
            else {
                return true;
            };
            let Some(details) = details else { return false };
            if !earlier.contains(&details.environment) {
                return false;
            }
            let Some(run) = &details.run else { return true };
            let passed = summary.verification_result == VerificationResult::Passed;
            judged.insert(run.deployment.clone(), (*sequence, passed));
            false
        });
        // Of the verdicts about what runs there, the newest counts where it denies; none of them allows anything.
        for (sequence, _) in judged.into_values().filter(|(_, passed)| !passed) {
            self.keep(sequence)?;
        }
        Ok(())
    }

    /// Adds the statements about deployments in an environment that can concern an artifact.
    fn deployments(
        &mut self,
        environment: &str,
        subject: Sha256,
        names: &BTreeSet<String>,
    ) -> Result<(), StoreError> {
        let (gate, below) = (self.gate, self.below);
        let all = gate.deployments_concerning(environment, below, subject, names, usize::MAX)?;
        for sequence in all.sequences {
            self.keep(sequence)?;
        }
        Ok(())
    }

    /// Adds what tells which artifact runs in the environment of a question, and the provenance of that. The statements are read from
    /// the newest on: one that the log held before what runs entered can say nothing of it.
    fn running(
        &mut self,
        question: &Question,
        trust: &Trust,
        names: &BTreeSet<String>,
    ) -> Result<(), StoreError> {
        let (gate, environment) = (self.gate, &question.environment);
        let mut count = FIRST_STATEMENTS;
        loop {
            let newest = gate.deployments_concerning(
                environment,
                self.below,
                question.subject,
                names,
                count,
            )?;
            for sequence in newest.sequences {
                self.keep(sequence)?;
            }
            let found: Vec<Arc<Evidence>> = self.found.values().cloned().collect();
            let runs = gate::running(question, trust, &found);
            let held = newest.oldest.and_then(|oldest| Some(self.found.get(&oldest)?.logged_at()));
            let has_older = match (newest.oldest, held, runs) {
                (None, ..) => false,
                (_, Some(held), Some((_, entered))) => held >= entered,
                _ => true,
            };
            if !has_older {
                return self.provenance(runs.map(|(artifact, _)| artifact), question.subject);
            }
            count = count.saturating_mul(MORE_STATEMENTS);
        }
    }

    /// Adds the provenance of artifacts, but for that of the one that is asked about, which is there already.
    fn provenance(
        &mut self,
        artifacts: impl IntoIterator<Item = Sha256>,
        subject: Sha256,
    ) -> Result<(), StoreError> {
        let artifacts = artifacts.into_iter().filter(|artifact| *artifact != subject);
        let all = self.gate.provenance_of(artifacts, self.below, MAX_ABOUT_OTHERS)?;
        for (artifact, sequences) in all {
            self.about.insert(Digest::from(artifact).to_string());
            self.is_cut |= sequences.len() >= MAX_ABOUT_OTHERS;
            let all = self.gate.shelf.all(self.reader, &sequences)?;
            self.found.extend(all.into_iter().map(|one| (one.index(), one)));
        }
        Ok(())
    }

    /// Adds the provenance of what was deployed last under one of the names: among that is what ran at a moment not long ago.
    fn predecessors(
        &mut self,
        question: &Question,
        names: &BTreeSet<String>,
    ) -> Result<(), StoreError> {
        let mut last: Vec<Sha256> = Vec::new();
        for evidence in self.found.values().rev() {
            let Said::Deployment(deployment) = evidence.said() else { continue };
            if deployment.environment != question.environment {
                continue;
            }
            for digest in subjects(evidence, Some(names)) {
                if last.len() < MAX_PREDECESSORS && !last.contains(&digest) {
                    last.push(digest);
                }
            }
        }
        self.provenance(last, question.subject)
    }

    fn about(&mut self, digest: &Digest, limit: usize) -> Result<Vec<Arc<Evidence>>, StoreError> {
        self.add(&[Term::new(TermKind::Subject, digest.to_string())], limit)
    }
}

fn typed(name: &str, environment: &str) -> [Term; 2] {
    [Term::new(TermKind::TypeName, name), Term::new(TermKind::Environment, environment)]
}

impl Gate {
    /// The attestations that can matter to a question.
    pub(super) fn gather(
        &self,
        reader: &Reader<'_>,
        question: &Question,
        ruling: &Ruling,
    ) -> Result<Gathered, StoreError> {
        self.gather_for(reader, question, ruling, Moment::OfTheQuestion)
    }

    /// Those that can matter to it also at another moment, later or not long ago.
    pub(super) fn gather_for(
        &self,
        reader: &Reader<'_>,
        question: &Question,
        ruling: &Ruling,
        moment: Moment,
    ) -> Result<Gathered, StoreError> {
        let asked = match question.purpose.is_run() && moment == Moment::OfTheQuestion {
            true => Asked::of(ruling, &question.environment).of_what_runs(),
            false => Asked::of(ruling, &question.environment),
        };
        let mut basket = Basket {
            gate: self,
            reader,
            search: Search::of(reader),
            below: question.log_size,
            found: BTreeMap::new(),
            about: BTreeSet::new(),
            is_cut: false,
        };
        let about = basket.about(&question.subject.into(), MAX_ABOUT_ARTIFACT)?;
        if asked.source {
            for commit in commits(&about) {
                basket.about(&commit, MAX_ABOUT_OTHERS)?;
            }
        }
        if asked.links {
            basket.chain(question.subject.into())?;
        }
        if asked.readiness {
            basket.add(&typed("readiness", &question.environment), MAX_ABOUT_OTHERS)?;
        }
        let names = names(question, &about);
        for environment in &asked.earlier {
            basket.deployments(environment, question.subject, &names)?;
        }
        match (moment, ruling.governance.trust.as_deref()) {
            (Moment::OfTheQuestion, Some(trust)) if asked.running => {
                basket.running(question, trust, &names)?;
            }
            (Moment::Any, _) if asked.running => {
                basket.deployments(&question.environment, question.subject, &names)?;
                basket.predecessors(question, &names)?;
            }
            _ => {}
        }
        basket.leave_out_decisions(&asked.earlier)?;
        let sequences = basket.found.keys().copied().collect();
        let evidence = basket.found.into_values().collect();
        Ok(Gathered {
            sequences,
            evidence,
            about: basket.about,
            is_cut: basket.is_cut,
            has_decisions: !asked.earlier.is_empty(),
        })
    }
}

/// The commits that the provenance of an artifact names.
fn commits(about: &[Arc<Evidence>]) -> BTreeSet<Digest> {
    let mut commits = BTreeSet::new();
    for evidence in about {
        let Said::Provenance(_, facts) = evidence.said() else { continue };
        for commit in facts.sources.iter().filter_map(|source| source.commit.as_deref()) {
            for algorithm in ["gitCommit", "sha1"] {
                commits.extend(Digest::new(algorithm, commit).ok());
            }
        }
    }
    commits
}

/// The names of the artifact: the one that was asked for, and those that any evidence gives it.
fn names(question: &Question, about: &[Arc<Evidence>]) -> BTreeSet<String> {
    let subject = question.subject.into();
    let given = about.iter().flat_map(|one| one.names_of(&subject)).map(str::to_owned);
    question.name.iter().cloned().chain(given).collect()
}
