//! The case that a rule judges: a question, who is trusted, and the evidence that counts.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::earlier;
use super::evidence::{Evidence, Said};
use super::{Documents, Question};
use crate::digest::{Digest, Sha256};
use crate::document::duration::lasting;
use crate::policy::{Demand, Policy};
use crate::predicate::UtcTime;
use crate::roster::Signer;
use crate::roster::trust::{Distrust, Trust};

/// What a rule judges.
#[derive(Clone, Copy)]
pub(super) struct Case<'c> {
    pub(super) question: &'c Question,
    pub(super) trust: &'c Trust,
    pub(super) evidence: &'c [Weighed<'c>],
    pub(super) documents: &'c Documents<'c>,
    /// The artifact's names: the one that was asked for, and those that trusted evidence gives it.
    pub(super) names: &'c [String],
    /// The policy that the rule stands in.
    pub(super) policy: Option<&'c Policy>,
}

/// Evidence with its signer, if the roster permits that signer what it says; otherwise why not.
pub(super) struct Weighed<'c> {
    pub(super) evidence: &'c Evidence,
    pub(super) signer: Result<&'c Signer, String>,
}

impl<'c> Weighed<'c> {
    pub(super) fn of(evidence: &'c Evidence, trust: &'c Trust) -> Self {
        let word = evidence.permission();
        let uri = evidence.predicate_type().unwrap_or(word);
        let signer = match trust.signer(evidence.signer(), evidence.logged_at()) {
            Err(distrust) => Err(distrust.to_string()),
            Ok(signer) if signer.may.contains(word) || signer.may.contains(uri) => Ok(signer),
            Ok(signer) => Err(format!("the roster does not let {} sign {word}", signer.name)),
        };
        Self { evidence, signer }
    }
}

/// Evidence that counts, with its signer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted<'c> {
    pub(super) evidence: &'c Evidence,
    pub(super) signer: &'c Signer,
    /// From when on its age counts.
    pub(super) since: UtcTime,
    /// When its signer said it first, and at which index.
    first: (UtcTime, u64),
    /// When it was said, and at which index: the newest first is by this.
    at: (UtcTime, u64),
}

impl<'c> Counted<'c> {
    /// What was said once.
    pub(super) fn once(evidence: &'c Evidence, signer: &'c Signer) -> Self {
        let at = (evidence.time(), evidence.index());
        Self { evidence, signer, since: at.0, first: at, at }
    }

    pub(super) fn digest(&self) -> Sha256 {
        self.evidence.digest()
    }

    /// When it was said.
    pub(super) fn time(&self) -> UtcTime {
        self.at.0
    }
}

/// The evidence for one demand: what counts, the newest first, and why the rest does not.
pub(super) struct Selection<'c> {
    pub(super) counted: Vec<Counted<'c>>,
    set_aside: Vec<Aside>,
    /// The last that said again what its signer had said before, and counts as of then.
    pub(super) repeated: Option<Sha256>,
    max_age: Option<i64>,
}

impl<'c> Selection<'c> {
    /// From when on this evidence is too old, if a rule says so.
    pub(super) fn expires(&self, evidence: &Counted<'_>) -> Option<UtcTime> {
        later(evidence.since, self.max_age?)
    }

    /// The newest of each kind, by a key that tells kinds apart.
    pub(super) fn newest_by<K: Ord>(&self, key: impl Fn(&Counted<'c>) -> K) -> Vec<Counted<'c>> {
        let mut newest: BTreeMap<K, Counted<'c>> = BTreeMap::new();
        for counted in &self.counted {
            newest.entry(key(counted)).or_insert(*counted);
        }
        newest.into_values().collect()
    }

    /// Of each kind what was said no earlier than the newest that its signer had not said before: of what may speak for the artifact as
    /// well as against it, what is said again hides nothing, and is not hidden.
    pub(super) fn standing_by<K: Ord>(&self, key: impl Fn(&Counted<'c>) -> K) -> Vec<Counted<'c>> {
        let mut newest: BTreeMap<K, (UtcTime, u64)> = BTreeMap::new();
        for one in &self.counted {
            let known = newest.entry(key(one)).or_insert(one.first);
            *known = (*known).max(one.first);
        }
        let stands = |one: &&Counted<'c>| newest.get(&key(one)).is_some_and(|new| one.at >= *new);
        self.counted.iter().filter(stands).copied().collect()
    }

    /// Why what does not count does not.
    pub(super) fn aside(&self) -> Vec<String> {
        self.set_aside.iter().map(|(_, why)| why.clone()).collect()
    }

    /// What there is instead of evidence that counts.
    pub(super) fn instead(&self, nothing: &str) -> String {
        instead(self.set_aside.clone(), nothing)
    }
}

/// Evidence that does not count, by its index in the log, and why.
type Aside = (u64, String);

/// Tells the newest. How many there are depends on how much of what cannot count was looked at.
fn instead(mut aside: Vec<Aside>, nothing: &str) -> String {
    aside.sort_by_key(|(index, _)| std::cmp::Reverse(*index));
    match aside.as_slice() {
        [] => nothing.to_owned(),
        [(_, one)] => format!("none that counts: {one}"),
        [(_, first), ..] => format!("none that counts: {first}; and others"),
    }
}

impl<'c> Case<'c> {
    pub(super) fn subject(&self) -> Digest {
        self.question.subject.into()
    }

    pub(super) fn now(&self) -> UtcTime {
        self.question.now
    }

    /// The evidence about the artifact that says something of this kind and counts.
    pub(super) fn select(&self, demand: &Demand, is: impl Fn(&Said) -> bool) -> Selection<'c> {
        let subject = self.subject();
        self.select_where(demand, |evidence| is(evidence.said()) && evidence.is_about(&subject))
    }

    /// What there is about the artifact instead of evidence of these types that counts, also what a permitted signer says in a way
    /// that no rule reads.
    pub(super) fn instead(
        &self,
        selection: &Selection<'_>,
        nothing: &str,
        types: &[&str],
    ) -> String {
        let subject = self.subject();
        let unread = self.evidence.iter().filter_map(|Weighed { evidence, signer }| {
            let is_meant = signer.is_ok()
                && types.contains(&evidence.permission())
                && evidence.is_about(&subject);
            let why = match evidence.said() {
                Said::Malformed(why) => format!("does not fit its type: {why}"),
                Said::Other => format!("is {}, which no rule reads", evidence.predicate_type()?),
                _ => return None,
            };
            is_meant.then(|| (evidence.index(), format!("{} {why}", short(evidence.digest()))))
        });
        instead(selection.set_aside.iter().cloned().chain(unread).collect(), nothing)
    }

    /// The evidence that fits and counts: of a signer whom the roster permits it and the demand names,
    /// young enough.
    pub(super) fn select_where(
        &self,
        demand: &Demand,
        fits: impl Fn(&Evidence) -> bool,
    ) -> Selection<'c> {
        let mut counted = Vec::new();
        let mut set_aside = Vec::new();
        // Who signs the same payload again says nothing new, and nothing newer: it counts as of the first time. Not so what speaks
        // against the artifact, which is the newest word each time. A signature of the artifact has nothing else to say, so signing again
        // is how it is renewed; and of two entries of one signer the second may have rights that the first does not have, so that it
        // counts, as of the first time. A bill or an
        // assessment may speak for it as well, so that it is no younger than the first time.
        let (mut said, mut entries) = (BTreeMap::new(), BTreeSet::new());
        let mut repeated = None;
        for Weighed { evidence, signer } in self.evidence.iter().filter(|one| fits(one.evidence)) {
            match self.named(signer, demand) {
                Ok(signer) => {
                    let payload = evidence.payload();
                    let now = (evidence.time(), evidence.index());
                    let first = *said.entry((payload, signer.name.as_str())).or_insert(now);
                    let is_new = entries.insert((payload, signer.id.to_string()));
                    let is_newest_word = matches!(evidence.said(), Said::Signature)
                        || evidence.said().speaks_against();
                    if is_new || is_newest_word {
                        let at = if is_newest_word { now } else { first };
                        let (since, _) = match evidence.said() {
                            Said::Sbom(_) | Said::Vex(_) => first,
                            _ => at,
                        };
                        counted.push(Counted { evidence, signer, since, first, at });
                    } else {
                        repeated = Some(evidence.digest());
                    }
                }
                Err(why) => {
                    let told = format!("{}: {why}", short(evidence.digest()));
                    set_aside.push((evidence.index(), told));
                }
            }
        }
        counted.sort_by_key(|one| std::cmp::Reverse(one.at));
        let max_age = demand.max_age.map(crate::document::Duration::seconds);
        if let Some(most) = max_age {
            counted.retain(|one| {
                let young = later(one.since, most).is_some_and(|end| self.now() < end);
                if !young {
                    let age = self.now().unix_seconds() - one.since.unix_seconds();
                    let told = format!("{}: {} old", short(one.digest()), lasting(age));
                    let told = format!("{told}, less than {} is allowed", lasting(most));
                    set_aside.push((one.evidence.index(), told));
                }
                young
            });
        }
        Selection { counted, set_aside, repeated, max_age }
    }

    /// The signer of evidence that counts for a demand; otherwise why it does not.
    fn named(
        &self,
        signer: &Result<&'c Signer, String>,
        demand: &Demand,
    ) -> Result<&'c Signer, String> {
        let signer = signer.as_ref().map_err(Clone::clone)?;
        let named = demand.signers.iter().map(String::as_str);
        if demand.signers.is_empty() || self.trust.roster().is_named(&signer.name, named) {
            Ok(signer)
        } else {
            Err(format!("{} is not one of {}", signer.name, demand.signers.join(", ")))
        }
    }

    /// Names that a demand has and the roster does not: a rule with one cannot be judged.
    pub(super) fn unknown_name<'n>(&self, names: &'n [String]) -> Option<&'n str> {
        names.iter().map(String::as_str).find(|name| !self.trust.roster().knows(name))
    }

    /// The name of who asks: that of the signer whom the registry knows as this principal.
    pub(super) fn caller(&self) -> Option<&'c str> {
        let principal = self.question.caller.as_deref()?;
        self.trust.roster().principal(principal)
    }

    /// Who asks, and whether the roster trusts them now.
    pub(super) fn asking(&self) -> Asking<'c> {
        let principal = self.question.caller.as_deref().unwrap_or_default();
        let entries = self.trust.roster().signers.iter();
        let mut asking = Asking { name: None, stands: Err(String::new()), until: None };
        for entry in entries.filter(|entry| entry.principals.contains(principal)) {
            asking.name = Some(entry.name.as_str());
            asking.until = earlier(asking.until, self.trust.next_change(entry, self.now()));
            // One of several keys of a signer suffices.
            if asking.stands.is_err() {
                asking.stands = self.trust.stands(entry, self.now()).map_err(|d| now(&d));
            }
        }
        asking
    }
}

/// Who asks.
pub(super) struct Asking<'c> {
    /// The name of the signer; none when the roster does not know the caller.
    pub(super) name: Option<&'c str>,
    /// Whether it is valid now and not revoked; otherwise why not.
    pub(super) stands: Result<(), String>,
    /// From when on that may be otherwise.
    pub(super) until: Option<UtcTime>,
}

/// Why somebody is not trusted now.
fn now(distrust: &Distrust) -> String {
    match distrust {
        Distrust::Unknown { .. } => "not in the roster".to_owned(),
        Distrust::NotYetValid { from, .. } => format!("valid from {from} on"),
        Distrust::NoLongerValid { until, .. } => format!("valid until {until}"),
        Distrust::Revoked { reason, from, .. } => format!("revoked ({reason}) from {from} on"),
    }
}

/// A moment so many seconds later.
pub(super) fn later(moment: UtcTime, seconds: i64) -> Option<UtcTime> {
    let at = moment.timestamp().checked_add(jiff::SignedDuration::from_secs(seconds)).ok()?;
    Some(at.into())
}

/// The first hex digits of a digest, for a reader.
pub(super) fn short(digest: Sha256) -> String {
    digest.hex().chars().take(12).collect()
}

/// `1 scan`, `2 scans`.
pub(super) fn count(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// Names after one another, or a word for none.
pub(super) fn joined<S: AsRef<str>>(names: &[S], none: &str) -> String {
    if names.is_empty() {
        return none.to_owned();
    }
    names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}

/// Whose evidence a demand asks for.
pub(super) fn by(demand: &Demand) -> String {
    joined(&demand.signers, "a signer whom the roster permits it")
}
