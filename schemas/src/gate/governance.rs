//! Who rules at a size of the log: the roster that k of n root keys have signed, the policies that the roster's quorum has signed.
//!
//! A pure function of the governance statements, their documents and the size, so that the registry, a replay and
//! an offline pack come to the same answer. A version only grows: what is signed later with a lower version does
//! not rule, so an old roster or policy that somebody sends again changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Documents;
use super::evidence::{Evidence, Said};
use crate::digest::{DigestSet, Sha256};
use crate::key::Fingerprint;
use crate::policy::Policy;
use crate::predicate::UtcTime;
use crate::predicate::attestry::governance::{self as said};
use crate::roster::Roster;
use crate::roster::trust::{Published, Revocation, Trust, Unread};
use crate::verify::Signer;

/// The root of trust: the keys that `init` was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// The keys that publish the roster.
    pub keys: BTreeSet<Fingerprint>,
    /// How many of them must sign it: at least 1.
    pub threshold: u64,
    /// The key of the registry, which signs decisions.
    pub gate: Fingerprint,
}

impl Roots {
    /// The roots that a log's genesis statement names.
    #[must_use]
    pub fn of_genesis(genesis: &said::Genesis, gate: Fingerprint) -> Self {
        let keys: BTreeSet<Fingerprint> = genesis.root_keys.iter().copied().collect();
        let threshold = genesis.root_threshold.unwrap_or(1).max(1);
        Self { keys, threshold, gate }
    }
}

/// A policy that rules, or ruled.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedPolicy {
    /// The policy.
    pub policy: Arc<Policy>,
    /// When the log first held the signature that made it rule.
    pub at: UtcTime,
    /// The index of that signature.
    pub index: u64,
}

/// A document that is signed by some and not yet by enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The policy's name; none for a roster.
    pub name: Option<String>,
    /// The version.
    pub version: u64,
    /// The digest of the document.
    pub digest: Sha256,
    /// How many have signed.
    pub have: u64,
    /// How many must.
    pub need: u64,
}

/// A revocation that root keys have signed as a statement of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Revoking {
    /// What they have signed.
    pub said: said::Revocation,
    /// When the log first held enough signatures; none while there are too few.
    pub at: Option<UtcTime>,
    /// The signed statements, by digest, in the order of the log.
    pub statements: Vec<Sha256>,
    /// How many have signed.
    pub have: u64,
    /// How many must.
    pub need: u64,
}

/// What is not in the log and would be published next: to see what follows from it before anybody signs it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Proposal {
    /// A roster, and when it would come to rule.
    pub roster: Option<Published>,
    /// A revocation.
    pub revocation: Option<Revocation>,
}

/// Who rules at one size of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Governance {
    /// The trust; none before a roster rules.
    pub trust: Option<Arc<Trust>>,
    /// Every roster that was published, by version.
    pub rosters: Vec<Published>,
    /// The index of the signature that made each of them rule.
    pub roster_indexes: Vec<u64>,
    /// The newest roster, where it was published and cannot be read: nothing is decided, and nobody may sign.
    pub unread: Option<Unread>,
    /// The newest version of each policy, by name.
    pub policies: Vec<PublishedPolicy>,
    /// Every policy that was published, in the order of the log.
    pub history: Vec<PublishedPolicy>,
    /// What waits for signatures.
    pub pending: Vec<Pending>,
    /// Every revocation outside a roster, in the order of the log.
    pub revocations: Vec<Revoking>,
}

impl Governance {
    /// Whether a type of statement changes who rules.
    #[must_use]
    pub fn concerns(said: &Said) -> bool {
        matches!(said, Said::Roster(_) | Said::Policy(_) | Said::Revocation(_))
    }

    /// Who rules when the log has `size` leaves.
    #[must_use]
    pub fn at(
        size: u64,
        roots: &Roots,
        statements: &[Arc<Evidence>],
        documents: &Documents<'_>,
    ) -> Self {
        Self::with(size, roots, statements, documents, &Proposal::default())
    }

    /// Who would rule, if something more were published.
    #[must_use]
    pub fn with(
        size: u64,
        roots: &Roots,
        statements: &[Arc<Evidence>],
        documents: &Documents<'_>,
        proposal: &Proposal,
    ) -> Self {
        let mut statements: Vec<&Arc<Evidence>> =
            statements.iter().filter(|one| one.index() < size).collect();
        statements.sort_by_key(|one| one.index());
        let mut pending = Vec::new();
        let Rosters { published: mut rosters, indexes: mut roster_indexes, mut unread } =
            rosters(roots, &statements, documents, &mut pending);
        if let Some(next) = &proposal.roster {
            rosters.push(next.clone());
            roster_indexes.push(size);
            unread = unread.filter(|unread| unread.version >= next.roster.version);
        }
        let revocations = revocations(roots, &statements);
        let mut revoked: Vec<Revocation> =
            revocations.iter().filter_map(Revoking::ruling).collect();
        revoked.extend(proposal.revocation.clone());
        let trust = Trust::new(&rosters, &revoked, roots.gate);
        let trust = trust.map(|trust| Arc::new(trust.superseded_by(unread.clone())));
        let history = match &trust {
            Some(trust) => {
                let rulers =
                    Rulers { rosters: &rosters, indexes: &roster_indexes, gate: roots.gate };
                policies(trust, &rulers, &statements, documents, &mut pending)
            }
            None => Vec::new(),
        };
        let newest: BTreeMap<&str, &PublishedPolicy> =
            history.iter().map(|one| (one.policy.name.as_str(), one)).collect();
        let policies = newest.into_values().cloned().collect();
        Self { trust, rosters, roster_indexes, unread, policies, history, pending, revocations }
    }

    /// The policies that rule.
    #[must_use]
    pub fn ruling(&self) -> Vec<Arc<Policy>> {
        self.policies.iter().map(|published| Arc::clone(&published.policy)).collect()
    }
}

/// Signatures over the same payload, in the order of the log: the distinct signers so far, and at which statement
/// there were enough.
struct Votes<'e> {
    first: &'e Evidence,
    all: Vec<Sha256>,
    names: BTreeSet<String>,
    enough: Option<&'e Evidence>,
}

/// Counts the votes for each payload of which `vote` gives the voter.
fn votes<'e>(
    statements: &[&'e Arc<Evidence>],
    need: u64,
    vote: impl Fn(&Evidence) -> Option<String>,
) -> Vec<Votes<'e>> {
    let mut order: Vec<Votes<'e>> = Vec::new();
    let mut places: BTreeMap<Sha256, usize> = BTreeMap::new();
    for statement in statements {
        let Some(name) = vote(statement) else { continue };
        let place = *places.entry(statement.payload()).or_insert(order.len());
        if place == order.len() {
            let (all, names) = (Vec::new(), BTreeSet::new());
            order.push(Votes { first: statement, all, names, enough: None });
        }
        let Some(votes) = order.get_mut(place) else { continue };
        votes.names.insert(name);
        votes.all.push(statement.digest());
        if votes.enough.is_none() && votes.names.len() as u64 >= need {
            votes.enough = Some(statement);
        }
    }
    order
}

/// A root key's voice. Keys are distinct by what they are, not by what they are called.
fn root(roots: &Roots, evidence: &Evidence) -> Option<String> {
    match evidence.signer() {
        Signer::Key(key) if roots.keys.contains(key) => Some(key.to_string()),
        _ => None,
    }
}

/// The rosters that enough root keys have signed, in the order of the log.
#[derive(Default)]
struct Rosters {
    published: Vec<Published>,
    /// The index of the signature that made each of them rule.
    indexes: Vec<u64>,
    /// The newest of all, where it cannot be read.
    unread: Option<Unread>,
}

impl Rosters {
    /// The version that is known to rule, read or not.
    fn newest(&self) -> u64 {
        let read = self.published.last().map_or(0, |last| last.roster.version);
        self.unread.as_ref().map_or(read, |unread| unread.version.max(read))
    }
}

/// A document by its digest, which its bytes must have.
fn text(documents: &Documents<'_>, digest: Sha256) -> Option<Vec<u8>> {
    documents(digest).filter(|text| Sha256::of(text) == digest)
}

fn rosters(
    roots: &Roots,
    statements: &[&Arc<Evidence>],
    documents: &Documents<'_>,
    pending: &mut Vec<Pending>,
) -> Rosters {
    let vote = |one: &Evidence| match one.said() {
        Said::Roster(_) => root(roots, one),
        _ => None,
    };
    let mut complete = Vec::new();
    for votes in votes(statements, roots.threshold, vote) {
        let Said::Roster(predicate) = votes.first.said() else { continue };
        let Some(digest) = sha256(&predicate.digest) else { continue };
        match votes.enough {
            Some(enough) => complete.push((enough, predicate, digest)),
            None => pending.push(Pending {
                name: None,
                version: predicate.version,
                digest,
                have: votes.names.len() as u64,
                need: roots.threshold,
            }),
        }
    }
    complete.sort_by_key(|(enough, ..)| enough.index());
    let mut rosters = Rosters::default();
    for (enough, predicate, digest) in complete {
        let version = predicate.version;
        if version <= rosters.newest() {
            continue;
        }
        let read = text(documents, digest).map(|text| Roster::read(&text));
        match read {
            // The document must be the one that was signed for.
            Some(Ok(roster))
                if (roster.version, roster.expires) == (version, predicate.expires) =>
            {
                rosters.published.push(Published { roster, at: enough.logged_at() });
                rosters.indexes.push(enough.index());
                rosters.unread = None;
            }
            Some(Ok(_)) => {}
            Some(Err(faults)) => {
                rosters.unread = Some(Unread { version, digest, why: faults.brief() });
            }
            None => {
                let why = "no document that has its digest".to_owned();
                rosters.unread = Some(Unread { version, digest, why });
            }
        }
    }
    let newest = rosters.newest();
    pending.retain(|one| one.version > newest);
    rosters
}

impl Revoking {
    /// The revocation, once enough have signed it.
    fn ruling(&self) -> Option<Revocation> {
        Some(Revocation {
            signer: self.said.signer.clone(),
            reason: self.said.reason,
            effective_at: self.said.effective_at,
            logged_at: self.at?,
        })
    }
}

fn revocations(roots: &Roots, statements: &[&Arc<Evidence>]) -> Vec<Revoking> {
    let vote = |one: &Evidence| match one.said() {
        Said::Revocation(_) => root(roots, one),
        _ => None,
    };
    let told = votes(statements, roots.threshold, vote).into_iter().filter_map(|votes| {
        let Said::Revocation(predicate) = votes.first.said() else { return None };
        Some(Revoking {
            said: predicate.as_ref().clone(),
            at: votes.enough.map(Evidence::logged_at),
            statements: votes.all,
            have: votes.names.len() as u64,
            need: roots.threshold,
        })
    });
    told.collect()
}

/// Who ruled when.
struct Rulers<'r> {
    rosters: &'r [Published],
    indexes: &'r [u64],
    gate: Fingerprint,
}

impl Rulers<'_> {
    /// The policy statements that made a payload rule, each by the quorum of the roster that ruled then. A roster that came
    /// later, or a revocation, may take that quorum away; it does not undo that the version ruled.
    fn once<'e>(&self, statements: &'e [&'e Arc<Evidence>]) -> Vec<&'e Evidence> {
        let mut then: BTreeMap<usize, Option<Trust>> = BTreeMap::new();
        let mut voices: BTreeMap<Sha256, Option<BTreeSet<String>>> = BTreeMap::new();
        let mut made: Vec<&Evidence> = Vec::new();
        for one in statements {
            let Said::Policy(_) = one.said() else { continue };
            let count = self.indexes.partition_point(|index| *index < one.index());
            let trust = then.entry(count).or_insert_with(|| {
                Trust::new(self.rosters.get(..count).unwrap_or_default(), &[], self.gate)
            });
            let Some(trust) = trust else { continue };
            let Some(quorum) = &trust.roster().policies else { continue };
            let Some(name) = member(trust, &quorum.group, one) else { continue };
            let Some(names) = voices.entry(one.payload()).or_insert_with(|| Some(BTreeSet::new()))
            else {
                continue;
            };
            names.insert(name);
            if names.len() as u64 >= quorum.threshold {
                made.push(one.as_ref());
                voices.insert(one.payload(), None);
            }
        }
        made
    }
}

/// The name of a statement's signer, where its signature counts and the signer is of a group.
fn member(trust: &Trust, group: &str, one: &Evidence) -> Option<String> {
    let signer = trust.signer(one.signer(), one.logged_at()).ok()?;
    trust.roster().is_named(&signer.name, [group]).then(|| signer.name.clone())
}

fn policies(
    trust: &Trust,
    rulers: &Rulers<'_>,
    statements: &[&Arc<Evidence>],
    documents: &Documents<'_>,
    pending: &mut Vec<Pending>,
) -> Vec<PublishedPolicy> {
    let Some(quorum) = &trust.roster().policies else { return Vec::new() };
    let vote = |one: &Evidence| {
        let Said::Policy(_) = one.said() else { return None };
        member(trust, &quorum.group, one)
    };
    let (mut complete, mut waiting) = (Vec::new(), Vec::new());
    let mut counted: BTreeMap<Sha256, u64> = BTreeMap::new();
    for votes in votes(statements, quorum.threshold, vote) {
        let Said::Policy(predicate) = votes.first.said() else { continue };
        let Some(digest) = sha256(&predicate.digest) else { continue };
        let have = votes.names.len() as u64;
        counted.insert(votes.first.payload(), have);
        match votes.enough {
            Some(enough) => complete.push((enough, predicate, digest, None)),
            None => waiting.push(Pending {
                name: Some(predicate.name.clone()),
                version: predicate.version,
                digest,
                have,
                need: quorum.threshold,
            }),
        }
    }
    for once in rulers.once(statements) {
        let have = counted.get(&once.payload()).copied().unwrap_or_default();
        let Said::Policy(predicate) = once.said() else { continue };
        let Some(digest) = sha256(&predicate.digest).filter(|_| have < quorum.threshold) else {
            continue;
        };
        complete.push((once, predicate, digest, Some(have)));
    }
    complete.sort_by_key(|(enough, ..)| enough.index());
    let mut history = Vec::new();
    let mut newest: BTreeMap<String, PublishedPolicy> = BTreeMap::new();
    for (enough, predicate, digest, lapsed) in complete {
        let rules = newest.get(&predicate.name).map_or(0, |one| one.policy.version);
        if predicate.version <= rules {
            continue;
        }
        // Names that the roster does not know are an error of the rule, not of the publication.
        let text = text(documents, digest);
        let policy = match text.as_deref().map(|text| Policy::read(text, None)) {
            Some(Ok(policy)) => match lapsed {
                Some(have) => policy.lapsed(have, quorum),
                None => policy,
            },
            _ => Policy::unread(predicate, digest, text.as_deref()),
        };
        // The document must be the one that was signed for.
        if (&policy.name, policy.version, policy.expires)
            == (&predicate.name, predicate.version, predicate.expires)
        {
            let published = PublishedPolicy {
                policy: Arc::new(policy),
                at: enough.logged_at(),
                index: enough.index(),
            };
            history.push(published.clone());
            newest.insert(predicate.name.clone(), published);
        }
    }
    let grows = |one: &Pending| {
        let name = one.name.as_deref().unwrap_or_default();
        newest.get(name).is_none_or(|rules| rules.policy.version < one.version)
    };
    pending.extend(waiting.into_iter().filter(grows));
    history
}

/// The SHA-256 of a document.
#[must_use]
pub fn sha256(digests: &DigestSet) -> Option<Sha256> {
    format!("sha256:{}", digests.value("sha256")?).parse().ok()
}
