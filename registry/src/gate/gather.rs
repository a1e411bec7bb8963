//! Which attestations can matter to a question: what the index says of the artifact, its commits, the environment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attestry_schemas::digest::{Digest, DigestSet, Sha256};
use attestry_schemas::gate::{self, Evidence, Question, Said};
use attestry_schemas::policy::RuleKind;
use attestry_schemas::predicate::vsa::VerificationResult;
use attestry_schemas::roster::trust::Trust;

use super::history::subjects;
use super::{Gate, Ruling};
use crate::store::key::{Term, TermKind};
use crate::store::query::Search;
use crate::store::{Reader, StoreError};

/// The most attestations about one artifact that are looked at. With more, nothing is decided but a denial: what is not
/// looked at could be what denies.
const MAX_ABOUT_ARTIFACT: usize = 100_000;
/// The most about one commit or step, or by one name, likewise.
const MAX_ABOUT_OTHERS: usize = 1_000;
/// The most artifacts of a chain of links that are followed: as many as one link may name.
const MAX_MATERIALS: usize = 200_000;
/// The most artifacts of one name, those that were deployed last, of which it is looked up when they were built.
const MAX_PREDECESSORS: usize = 32;

/// How many statements about deployments by one name are looked at first to find what runs, and how many at most.
const FIRST_STATEMENTS: usize = 4;
const MAX_STATEMENTS: usize = 20_000;
/// The most statements about the state of one environment, of those that are young enough. With more, a scanner that found something
/// could be among those that are not looked at.
const MAX_READINESS: usize = 20_000;

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

/// What the rules of the policies for an artifact in an environment ask for beyond it.
#[derive(Debug, Default)]
struct Asked {
    source: bool,
    /// How old it may be at most, where it is asked for.
    readiness: Option<MaxAge>,
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

    /// By the names that any evidence gives the artifact: more than count.
    fn of(ruling: &Ruling, environment: &str, names: &BTreeSet<String>) -> Self {
        let mut asked = Self::default();
        let policies = ruling.governance.policies.iter().map(|published| &published.policy);
        let here = policies.filter(|p| p.matches(environment, names.iter().map(String::as_str)));
        for rule in here.flat_map(|policy| policy.all_rules()) {
            match &rule.kind {
                // Who wrote a change stands in the review of its commit.
                RuleKind::Source { .. } | RuleKind::Approval { .. } => asked.source = true,
                RuleKind::Readiness { demand, .. } => {
                    let max_age =
                        demand.max_age.map_or(MaxAge::Any, |age| MaxAge::Seconds(age.seconds()));
                    asked.readiness = asked.readiness.max(Some(max_age));
                }
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

/// How old evidence may be; the greater one is the longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum MaxAge {
    Seconds(i64),
    Any,
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
    /// Adds the newest of what has all of the terms; tells what was found.
    fn some(&mut self, terms: &[Term], limit: usize) -> Result<Vec<Arc<Evidence>>, StoreError> {
        let digests = terms.iter().filter(|term| term.kind == TermKind::Subject);
        self.about.extend(digests.map(|term| term.value.clone()));
        let sequences = self.search.sequences_with(terms, self.below, limit)?;
        self.put(sequences)
    }

    /// Adds what is about an artifact, but for the gate's own decisions, which say something of earlier environments alone.
    fn about(&mut self, artifact: Sha256) -> Result<Vec<Arc<Evidence>>, StoreError> {
        let about = Term::new(TermKind::Subject, Digest::from(artifact).to_string());
        self.about.insert(about.value.clone());
        let own = self.decisions(about.clone());
        let sequences = self.search.without(&[about], &own, self.below, MAX_ABOUT_ARTIFACT)?;
        self.is_cut |= sequences.len() == MAX_ABOUT_ARTIFACT;
        self.put(sequences)
    }

    /// Adds what is about a commit.
    fn about_commit(&mut self, commit: &Digest) -> Result<(), StoreError> {
        let about = Term::new(TermKind::Subject, commit.to_string());
        self.about.insert(about.value.clone());
        let sequences = self.search.sequences_with(&[about], self.below, MAX_ABOUT_OTHERS)?;
        self.is_cut |= sequences.len() == MAX_ABOUT_OTHERS;
        self.put(sequences).map(drop)
    }

    /// The terms of the gate's own decisions about an artifact.
    fn decisions(&self, about: Term) -> [Term; 3] {
        let signer = self.gate.roots.gate.to_string();
        [about, Term::new(TermKind::TypeName, "vsa"), Term::new(TermKind::Signer, signer)]
    }

    fn put(&mut self, mut sequences: Vec<u64>) -> Result<Vec<Arc<Evidence>>, StoreError> {
        sequences.reverse();
        let all = self.gate.shelf.all(self.reader, &sequences)?;
        self.found.extend(all.iter().map(|one| (one.index(), Arc::clone(one))));
        Ok(all)
    }

    /// Adds the readiness of an environment, the newest first, until the log held it before a moment; for other moments also what is older,
    /// as much as is looked at.
    fn readiness(
        &mut self,
        environment: &str,
        since_s: Option<i64>,
        moment: Moment,
    ) -> Result<(), StoreError> {
        let terms = typed("readiness", environment);
        let (mut below, mut count) = (self.below, 0);
        loop {
            let some = self.search.sequences_with(&terms, below, MAX_ABOUT_OTHERS)?;
            count += some.len();
            let last = some.last().copied().filter(|_| some.len() == MAX_ABOUT_OTHERS);
            let all = self.put(some)?;
            let oldest_s = all.first().map(|one| one.logged_at().unix_seconds());
            let is_old = since_s.is_some_and(|since| oldest_s.is_some_and(|oldest| oldest < since));
            let Some(last) = last else { return Ok(()) };
            match moment {
                Moment::OfTheQuestion if is_old => return Ok(()),
                _ if count >= MAX_READINESS => {
                    self.is_cut |= !is_old;
                    return Ok(());
                }
                _ => below = last,
            }
        }
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
            // Links only ever speak for an artifact, so that of those about what many builds share the newest suffice.
            for evidence in self.some(&terms, MAX_ABOUT_OTHERS)? {
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

    /// Adds the gate's own decisions about an artifact for an earlier environment. Those for the environment of the question are none
    /// of its evidence: every decision would change what the next one depends on.
    /// Gives the names that they give it.
    fn decided(
        &mut self,
        environment: &str,
        subject: Sha256,
    ) -> Result<BTreeSet<String>, StoreError> {
        let [about, type_name, signer] =
            self.decisions(Term::new(TermKind::Subject, Digest::from(subject).to_string()));
        let environment = Term::new(TermKind::Environment, environment);
        let terms = [about, environment, type_name, signer];
        let sequences = self.search.sequences_with(&terms, self.below, MAX_ABOUT_ARTIFACT)?;
        self.is_cut |= sequences.len() == MAX_ABOUT_ARTIFACT;
        let (mut judged, mut names) = (BTreeSet::new(), BTreeSet::new());
        // Of the verdicts about what runs there, the newest counts where it denies; none of them allows anything.
        for sequence in sequences {
            let Some(evidence) = self.gate.shelf.evidence(self.reader, sequence)? else { continue };
            let Said::Summary(summary, details) = evidence.said() else { continue };
            let run = details.as_ref().and_then(|details| Some((details.run.as_ref()?, details)));
            let counts = run.is_none_or(|(run, details)| {
                judged.insert((run.deployment.clone(), details.runs_as().map(str::to_owned)))
                    && summary.verification_result != VerificationResult::Passed
            });
            if counts {
                names.extend(evidence.names_of(&subject.into()).map(str::to_owned));
                self.found.insert(sequence, evidence);
            }
        }
        Ok(names)
    }

    /// Adds the statements about deployments in an environment that can concern an artifact.
    fn deployments(
        &mut self,
        environment: &str,
        subject: Sha256,
        names: &BTreeSet<String>,
    ) -> Result<(), StoreError> {
        for sequence in self.gate.deployments_concerning(environment, self.below, subject, names)? {
            self.keep(sequence)?;
        }
        Ok(())
    }

    /// Adds what tells which artifact runs by the names whose places the one that is asked about would take, with its provenance: of
    /// each name the newest statements until one brought something there, and all about that.
    fn running(
        &mut self,
        question: &Question,
        trust: &Trust,
        names: &BTreeSet<String>,
    ) -> Result<(), StoreError> {
        let mut entered = Vec::new();
        match &question.name {
            Some(name) => entered.extend(self.entered(question, trust, name)?),
            None => {
                for name in names {
                    entered.extend(self.entered(question, trust, name)?);
                }
            }
        }
        let environment = &question.environment;
        // What came since can have ended that.
        for (artifact, index) in &entered {
            let about = Term::new(TermKind::Subject, Digest::from(*artifact).to_string());
            let [type_name, environment] = typed("deployment", environment);
            let terms = [about, type_name, environment];
            let since = self.search.between(&terms, *index, self.below, MAX_STATEMENTS)?;
            self.is_cut |= since.len() == MAX_STATEMENTS;
            for sequence in since {
                self.keep(sequence)?;
            }
        }
        let artifacts: BTreeSet<Sha256> =
            entered.into_iter().map(|(artifact, _)| artifact).collect();
        for sequence in self.gate.replacements(environment, self.below, &artifacts)? {
            self.keep(sequence)?;
        }
        self.provenance(artifacts, question.subject)
    }

    /// What was last brought to a name, after a look at the newest statements about it.
    fn entered(
        &mut self,
        question: &Question,
        trust: &Trust,
        name: &str,
    ) -> Result<Option<(Sha256, u64)>, StoreError> {
        let [type_name, environment] = typed("deployment", &question.environment);
        let terms = [type_name, environment, Term::new(TermKind::SubjectName, name)];
        let (mut below, mut looked_at, mut count) = (self.below, 0, FIRST_STATEMENTS);
        loop {
            let some = self.search.sequences_with(&terms, below, count)?;
            let mut statements = Vec::new();
            for sequence in &some {
                statements.extend(self.keep(*sequence)?);
            }
            let asked = Question { name: Some(name.to_owned()), ..question.clone() };
            let entered = gate::entered(&asked, trust, &statements).remove(name).flatten();
            looked_at += some.len();
            match some.last() {
                Some(last) if entered.is_none() && some.len() == count => below = *last,
                _ => return Ok(entered),
            }
            if looked_at >= MAX_STATEMENTS {
                self.is_cut = true;
                return Ok(None);
            }
            count = (count * 4).min(MAX_ABOUT_OTHERS);
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
        let mut basket = Basket {
            gate: self,
            reader,
            search: Search::of(reader),
            below: question.log_size,
            found: BTreeMap::new(),
            about: BTreeSet::new(),
            is_cut: false,
        };
        let about = basket.about(question.subject)?;
        let mut names = names(question, &about);
        let mut earlier = BTreeSet::new();
        // A decision for an earlier environment may give another name, for which other policies rule.
        let asked = loop {
            let asked = Asked::of(ruling, &question.environment, &names);
            let asked = match question.purpose.is_run() && moment == Moment::OfTheQuestion {
                true => asked.of_what_runs(),
                false => asked,
            };
            let Some(environment) = asked.earlier.difference(&earlier).next().cloned() else {
                break asked;
            };
            names.extend(basket.decided(&environment, question.subject)?);
            earlier.insert(environment);
        };
        if asked.source {
            for commit in commits(&about) {
                basket.about_commit(&commit)?;
            }
        }
        if asked.links {
            basket.chain(question.subject.into())?;
        }
        if let Some(max_age) = asked.readiness {
            let since = match max_age {
                MaxAge::Seconds(age) => Some(question.now.unix_seconds().saturating_sub(age)),
                MaxAge::Any => None,
            };
            basket.readiness(&question.environment, since, moment)?;
        }
        for environment in &asked.earlier {
            basket.deployments(environment, question.subject, &names)?;
        }
        if let Some(trust) = ruling.governance.trust.as_deref().filter(|_| asked.running) {
            basket.running(question, trust, &names)?;
        }
        if asked.running && moment == Moment::Any {
            basket.deployments(&question.environment, question.subject, &names)?;
            basket.predecessors(question, &names)?;
        }
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
