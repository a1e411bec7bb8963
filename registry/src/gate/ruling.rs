//! Who rules: the roster and the policies of the log, and whose envelopes it takes.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use attestry_schemas::digest::{DigestSet, Sha256};
use attestry_schemas::document::pattern::is_plain;
use attestry_schemas::dsse::Envelope;
use attestry_schemas::gate::governance::{Governance, PublishedPolicy, Roots, sha256};
use attestry_schemas::gate::{Evidence, Held, Said};
use attestry_schemas::key::PublicKey;
use attestry_schemas::policy::Policy;
use attestry_schemas::predicate::Predicate as _;
use attestry_schemas::predicate::attestry::environment::Deployment;
use attestry_schemas::predicate::attestry::governance::{self, Genesis};
use attestry_schemas::problem::chain;
use attestry_schemas::roster::trust::Distrust;
use attestry_schemas::roster::{Roster, SIGNATURE};
use attestry_schemas::statement::Statement;
use attestry_schemas::verify::{SignedStatement, Signer, Verified};

use super::{Gate, shelf};
use crate::log::Receipt;
use crate::store::key::{Term, TermKind};
use crate::store::{Content, Reader, StoreError};

/// The most bytes of a document that the gate reads.
const MAX_DOCUMENT_BYTES: u64 = 4 << 20;
/// The most governance statements of one kind that are read.
const MAX_STATEMENTS: usize = 100_000;

/// Why the gate does not open.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The store failed.
    #[error("what rules cannot be read from the store")]
    Store(#[source] StoreError),
    /// Leaf 0 is no genesis statement.
    #[error("expected the genesis statement at leaf 0, found {0}")]
    Genesis(String),
}

/// Who rules, as of the newest governance statement.
#[derive(Debug)]
pub struct Ruling {
    /// The roster, the policies and what waits.
    pub governance: Governance,
    /// The statements.
    pub(super) statements: Vec<Arc<Evidence>>,
    /// The sequence after that of the newest of them.
    pub(super) newest: u64,
    /// How many leaves were completed when they were read.
    pub(super) completed: u64,
    /// Whether they were read at all.
    pub(super) is_read: bool,
    /// The size of the log that was looked through for them.
    pub(super) looked_through: AtomicU64,
    /// The keys whose envelopes may be accepted.
    pub(super) keys: Vec<PublicKey>,
}

impl Ruling {
    pub(super) fn none() -> Self {
        let governance = Governance {
            trust: None,
            rosters: Vec::new(),
            roster_indexes: Vec::new(),
            unread: None,
            policies: Vec::new(),
            history: Vec::new(),
            pending: Vec::new(),
            revocations: Vec::new(),
        };
        Self {
            governance,
            statements: Vec::new(),
            newest: 0,
            completed: 0,
            is_read: false,
            looked_through: AtomicU64::new(0),
            keys: Vec::new(),
        }
    }

    /// The same with one policy alone.
    pub(super) fn with_policy(&self, policy: &Arc<Policy>) -> Self {
        let published =
            PublishedPolicy { policy: Arc::clone(policy), at: policy.expires, index: u64::MAX };
        let governance = Governance { policies: vec![published], ..self.governance.clone() };
        Self { governance, ..Self::none() }
    }

    /// The roster, policy and revocation statements.
    #[must_use]
    pub fn statements(&self) -> &[Arc<Evidence>] {
        &self.statements
    }

    /// The keys whose envelopes may be accepted.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }
}

/// Why an envelope with a good signature is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Its signer may not sign it.
    #[error("{0}")]
    Signer(String),
    /// It publishes a document that cannot rule.
    #[error("{0}")]
    Document(String),
}

/// Demands that a deployment can be counted: it tells of artifacts by the digest that decisions are about, in a place that can be asked
/// for, and ended no earlier than it began.
fn placed(evidence: &Evidence, said: &Deployment) -> Result<(), String> {
    let shown = |text: &str| format!("{:?}", text.chars().take(100).collect::<String>());
    let named = |what: &str, text: &str| {
        let expected = "a name such as pay/api without empty segments, .., %, \\ and spaces";
        match is_plain(text) {
            true => Ok(()),
            false => Err(format!(
                "expected the {what} of a deployment to be {expected}, found {}",
                shown(text)
            )),
        }
    };
    named("environment", &said.environment)?;
    for subject in evidence.subjects() {
        if let Some(name) = &subject.name {
            named("subject", name)?;
        }
        let mut digests = subject.digest.iter().flat_map(DigestSet::iter);
        if !digests.any(|digest| digest.as_sha256().is_some()) {
            return Err(format!(
                "expected the subject {} of a deployment to have a sha256 digest, by which decisions are about it, found none",
                shown(subject.name.as_deref().unwrap_or_default())
            ));
        }
    }
    if said.finished_at < said.started_at {
        return Err(format!(
            "expected a deployment that finished no earlier than it started, at {}, found {}",
            said.started_at, said.finished_at
        ));
    }
    Ok(())
}

/// The roots that the genesis statement names.
pub(super) fn roots(reader: &Reader<'_>, key: &PublicKey) -> Result<Roots, RootsError> {
    let other = |what: &str| RootsError::Genesis(what.to_owned());
    let record = reader.record(0).map_err(RootsError::Store)?.ok_or_else(|| other("nothing"))?;
    let bytes = reader.stored_bytes(&record).map_err(RootsError::Store)?;
    let statement = Envelope::parse(&bytes).ok().and_then(|e| Statement::parse(&e.payload).ok());
    let genesis = statement.and_then(|s| Genesis::from_value(&s.predicate).ok());
    let genesis = genesis.ok_or_else(|| other("another statement"))?;
    Ok(Roots::of_genesis(&genesis, key.fingerprint()))
}

/// A document by its digest; none where it is not stored or too long.
pub(super) fn document(reader: &Reader<'_>, digest: Sha256) -> Result<Option<Vec<u8>>, StoreError> {
    match reader.content(digest)? {
        None => Ok(None),
        Some(Content::Inline(bytes)) => Ok(Some(bytes)),
        Some(Content::File(file)) if file.size_bytes() > MAX_DOCUMENT_BYTES => Ok(None),
        Some(Content::File(file)) => {
            let mut bytes = vec![0; usize::try_from(file.size_bytes()).unwrap_or_default()];
            let read = file.read_at(0, &mut bytes)?;
            if read < bytes.len() {
                return Ok(None);
            }
            Ok(Some(bytes))
        }
    }
}

/// Who rules at a size of the log. A document that a failing disk keeps from being read is an error, and not one that is missing.
pub(super) fn governance(
    reader: &Reader<'_>,
    size: u64,
    roots: &Roots,
    statements: &[Arc<Evidence>],
) -> Result<Governance, StoreError> {
    let failed = Cell::new(None);
    let documents = |digest| {
        document(reader, digest).unwrap_or_else(|error| {
            failed.set(Some(error));
            None
        })
    };
    let governance = Governance::at(size, roots, statements, &documents);
    failed.into_inner().map_or(Ok(governance), Err)
}

/// Tells of documents that were published and cannot be read, once for each reading of what rules.
fn tell_unread(governance: &Governance) {
    if let Some(roster) = &governance.unread {
        let (version, why) = (roster.version, roster.why.as_str());
        tracing::error!(version, why, "the newest roster cannot be read; everything is denied");
    }
    for policy in governance.policies.iter().map(|published| &published.policy) {
        if let Some(why) = &policy.unread {
            let name = policy.title();
            tracing::error!(
                policy = name,
                why,
                "a policy cannot be read; what it is for is denied"
            );
        }
    }
}

/// An emergency that names a group which the roster does not know could be reviewed by nobody.
fn reviewable(ruling: &Ruling, group: &str) -> Result<(), Refused> {
    let Some(trust) = &ruling.governance.trust else { return Ok(()) };
    let groups = &trust.roster().groups;
    if groups.contains_key(group) {
        return Ok(());
    }
    let shown: String = group.chars().take(100).collect();
    let known: Vec<&str> = groups.keys().map(String::as_str).take(20).collect();
    Err(Refused::Document(format!(
        "expected a group of the roster that reviews the emergency, found {shown:?}; the roster (version {}) has {}",
        trust.roster().version,
        if known.is_empty() { "none".to_owned() } else { known.join(", ") }
    )))
}

/// The types of the statements that say who rules.
const TYPES: [&str; 3] = ["roster", "policy", "revocation"];

impl Gate {
    /// How many root keys must sign a roster.
    #[must_use]
    pub fn root_threshold(&self) -> u64 {
        self.roots.threshold
    }

    /// Who rules in this view of the store. Read again only when a statement has come that may change it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn ruling(&self, reader: &Reader<'_>) -> Result<Arc<Ruling>, StoreError> {
        let known = Arc::clone(&self.ruling.read().unwrap_or_else(PoisonError::into_inner));
        // Taken after the view: where the view holds nothing that is not told yet, and only decisions came in since the last look,
        // there is nothing new.
        let state = self.log.progress().log();
        let size = reader.size()?;
        let is_looked_through = state.others <= known.looked_through.load(Ordering::Relaxed);
        if known.is_read
            && known.completed == state.completed
            && size <= state.size
            && is_looked_through
            && known.newest <= size
        {
            return Ok(known);
        }
        let mut newest = 0;
        for name in TYPES {
            let term = Term::new(TermKind::TypeName, name);
            let last = reader.sequences_with(&[term], u64::MAX, 1)?;
            newest = newest.max(last.first().map_or(0, |sequence| sequence + 1));
        }
        // A statement that was logged by its digest alone, and came later, is older than the newest.
        let (completed, _) = self.log.progress().completed_since(known.completed);
        if known.newest == newest && known.completed == completed && known.is_read {
            known.looked_through.fetch_max(size, Ordering::Relaxed);
            return Ok(known);
        }
        // What was completed may have come after the view of the caller.
        let fresh = (known.completed != completed).then(|| self.store.reader());
        let ruling = self.read_ruling(fresh.as_ref().unwrap_or(reader), newest)?;
        let looked_through = AtomicU64::new(size);
        let ruling = Arc::new(Ruling { completed, is_read: true, looked_through, ..ruling });
        let mut kept = self.ruling.write().unwrap_or_else(PoisonError::into_inner);
        // Views of the store may overtake one another: the newest stays.
        if newest >= kept.newest {
            *kept = Arc::clone(&ruling);
        }
        Ok(ruling)
    }

    fn read_ruling(&self, reader: &Reader<'_>, newest: u64) -> Result<Ruling, StoreError> {
        let mut statements = Vec::new();
        for name in TYPES {
            let term = Term::new(TermKind::TypeName, name);
            for sequence in reader.sequences_with(&[term], u64::MAX, MAX_STATEMENTS)? {
                statements.extend(self.shelf.evidence(reader, sequence)?);
            }
        }
        let governance = governance(reader, u64::MAX, &self.roots, &statements)?;
        tell_unread(&governance);
        let mut keys = self.known_keys.clone();
        if let Some(trust) = &governance.trust {
            keys.extend(trust.roster().keys().cloned());
            let named = |key: &PublicKey| {
                let fingerprint = key.fingerprint();
                self.roots.keys.contains(&fingerprint)
                    || trust.roster().signer(&Signer::Key(fingerprint)).is_some()
            };
            keys.retain(named);
        }
        keys.sort();
        keys.dedup();
        Ok(Ruling { governance, statements, newest, keys, ..Ruling::none() })
    }

    /// Whether the log takes a verified envelope, of which the sent bytes have this digest: its signer may sign it now, and what it
    /// publishes can rule. Gives what it says, for [`Gate::keep`].
    ///
    /// # Errors
    /// [`Refused`] with what was expected, what was found, and what to do.
    pub fn admit(
        &self,
        reader: &Reader<'_>,
        ruling: &Ruling,
        signed: &Verified<SignedStatement>,
        digest: Sha256,
    ) -> Result<Evidence, Refused> {
        let held = Held { digest, index: 0, logged_at: self.now() };
        let evidence = Evidence::of_statement(signed, held);
        match evidence.said() {
            Said::Roster(said) => {
                self.demand_root(&evidence)?;
                self.roster(reader, ruling, said)
            }
            Said::Revocation(_) => self.demand_root(&evidence),
            Said::Policy(said) => self.policy(reader, ruling, &evidence, said),
            Said::BreakGlass(said) => {
                self.signer(ruling, &evidence)?;
                reviewable(ruling, &said.group)
            }
            Said::Deployment(said) => {
                self.signer(ruling, &evidence)?;
                placed(&evidence, said).map_err(Refused::Document)
            }
            _ => self.signer(ruling, &evidence),
        }?;
        Ok(evidence)
    }

    /// Keeps an admitted envelope in memory by its receipt, so that decisions about it need not read and verify it again. What
    /// the log had before, or keeps in other bytes, is read from there.
    pub fn keep(&self, evidence: Evidence, receipt: &Receipt) {
        let held = shelf::held(receipt.digest, receipt.proven.index, receipt.logged_at_ms);
        if let Some(held) = held.filter(|held| receipt.created && held.digest == evidence.digest())
        {
            self.shelf.put(Arc::new(evidence.logged(held.index, held.logged_at)));
        }
    }

    /// Whether the log takes the signature of an artifact.
    ///
    /// # Errors
    /// [`Refused::Signer`].
    pub fn admit_signature(&self, ruling: &Ruling, signer: &Signer) -> Result<(), Refused> {
        self.may(ruling, signer, &[SIGNATURE])
    }

    fn demand_root(&self, evidence: &Evidence) -> Result<(), Refused> {
        if matches!(evidence.signer(), Signer::Key(key) if self.roots.keys.contains(key)) {
            return Ok(());
        }
        let expected = match self.roots.keys.len() {
            0 => {
                "expected a root key, of which this registry has none, so no roster can rule here: init was given no --root-key, and a registry with one is made anew"
                    .to_owned()
            }
            some => format!("expected one of the {some} root keys that init was given"),
        };
        Err(Refused::Signer(format!("{expected}; found {}", evidence.signer())))
    }

    fn signer(&self, ruling: &Ruling, evidence: &Evidence) -> Result<(), Refused> {
        let word = evidence.permission();
        let uri = evidence.predicate_type().unwrap_or(word);
        self.may(ruling, evidence.signer(), &[word, uri])
    }

    /// Whether the roster, where one rules, lets a signer sign one of these now.
    fn may(&self, ruling: &Ruling, signer: &Signer, words: &[&str]) -> Result<(), Refused> {
        let refused = |text: String| Refused::Signer(text);
        if let Some(unread) = &ruling.governance.unread {
            let text = format!(
                "expected to read version {} of the roster, which the root keys have signed, found {}; publish a version above it",
                unread.version, unread.why
            );
            return Err(refused(text));
        }
        let Some(trust) = &ruling.governance.trust else { return Ok(()) };
        if self.now() >= trust.roster().expires {
            let text = format!(
                "expected a roster that is in force, found version {}, which expired at {}; publish a new one",
                trust.roster().version,
                trust.roster().expires
            );
            return Err(refused(text));
        }
        let signer = trust.signer(signer, self.now()).map_err(|distrust| {
            let remedy = match (&distrust, signer) {
                (Distrust::Unknown { .. }, Signer::Identity { subject, issuer }) => format!(
                    "; root keys publish a roster with a [[signer]] of issuer = {issuer:?} and subject = {subject:?} if it may"
                ),
                _ => String::new(),
            };
            refused(format!("{distrust}; attestry roster show tells who may sign{remedy}"))
        })?;
        if words.iter().any(|word| signer.may.contains(*word)) {
            return Ok(());
        }
        let may: Vec<&str> = signer.may.iter().map(String::as_str).collect();
        let text = format!(
            "the roster (version {}) lets {} sign {}, and not {}",
            trust.roster().version,
            signer.name,
            may.join(", "),
            words.first().unwrap_or(&SIGNATURE)
        );
        Err(refused(text))
    }

    fn roster(
        &self,
        reader: &Reader<'_>,
        ruling: &Ruling,
        said: &governance::Roster,
    ) -> Result<(), Refused> {
        let (digest, version) = (sha256(&said.digest), said.version);
        let text = self.published(reader, digest)?;
        let roster = Roster::read(&text).map_err(|faults| {
            Refused::Document(format!("expected a roster, found faults: {faults}"))
        })?;
        let rules = match (&ruling.governance.unread, &ruling.governance.trust) {
            (Some(unread), _) => Some((unread.version, unread.digest)),
            (None, trust) => trust.as_ref().map(|t| (t.roster().version, t.digest())),
        };
        self.grows("roster", version, roster.version, rules, digest)?;
        says("expires", roster.expires, said.expires)?;
        in_force(self.now(), roster.expires)
    }

    fn policy(
        &self,
        reader: &Reader<'_>,
        ruling: &Ruling,
        evidence: &Evidence,
        said: &governance::Policy,
    ) -> Result<(), Refused> {
        let (digest, version) = (sha256(&said.digest), said.version);
        if let Signer::Identity { .. } = evidence.signer() {
            let text = format!(
                "expected a policy that a key has signed, as what says who rules must verify without certificate authorities, found one that {} has; sign it with a key of the group",
                evidence.signer()
            );
            return Err(Refused::Signer(text));
        }
        let trust = ruling.governance.trust.as_ref().ok_or_else(|| {
            Refused::Signer(
                "expected a roster that says who publishes policies, found none; publish one first"
                    .to_owned(),
            )
        })?;
        let quorum = trust.roster().policies.as_ref().ok_or_else(|| {
            Refused::Signer(
                "expected [policies] in the roster, found none: nobody may publish policies"
                    .to_owned(),
            )
        })?;
        let signer = trust
            .signer(evidence.signer(), self.now())
            .map_err(|distrust| Refused::Signer(distrust.to_string()))?;
        if !trust.roster().is_named(&signer.name, [quorum.group.as_str()]) {
            let text =
                format!("expected a signer of the group {}, found {}", quorum.group, signer.name);
            return Err(Refused::Signer(text));
        }
        let text = self.published(reader, digest)?;
        let policy = Policy::read(&text, Some(trust.roster())).map_err(|faults| {
            Refused::Document(format!("expected a policy, found faults: {faults}"))
        })?;
        let rules = ruling.governance.policies.iter().find(|p| p.policy.name == policy.name);
        let rules = rules.map(|published| (published.policy.version, published.policy.digest));
        self.grows("policy", version, policy.version, rules, digest)?;
        says("name", &policy.name, &said.name)?;
        says("expires", policy.expires, said.expires)?;
        in_force(self.now(), policy.expires)
    }

    fn published(&self, reader: &Reader<'_>, digest: Option<Sha256>) -> Result<Vec<u8>, Refused> {
        let refused = |text: String| Refused::Document(text);
        let digest =
            digest.ok_or_else(|| refused("expected the sha256 of the document".to_owned()))?;
        let found = document(reader, digest).map_err(|error| refused(chain(&error)))?;
        found.ok_or_else(|| {
            refused(format!("expected the document {digest} to be stored, found none; PUT it to /v1/content/{digest} first"))
        })
    }

    /// A version only grows; another signature for what rules already is welcome.
    fn grows(
        &self,
        what: &str,
        stated: u64,
        written: u64,
        rules: Option<(u64, Sha256)>,
        digest: Option<Sha256>,
    ) -> Result<(), Refused> {
        if stated != written {
            let text = format!("expected the version of the document ({written}), found {stated}");
            return Err(Refused::Document(text));
        }
        match rules {
            Some((version, known)) if stated <= version && Some(known) != digest => {
                let text = format!(
                    "expected a {what} of a version above {version}, which rules, found {stated}"
                );
                Err(Refused::Document(text))
            }
            _ => Ok(()),
        }
    }
}

/// The statement must say what the document says.
fn says<T: PartialEq + fmt::Display>(what: &str, written: T, stated: T) -> Result<(), Refused> {
    if written == stated {
        return Ok(());
    }
    let text = format!("expected the {what} of the document ({written}), found {stated}");
    Err(Refused::Document(text))
}

fn in_force(
    now: attestry_schemas::predicate::UtcTime,
    expires: attestry_schemas::predicate::UtcTime,
) -> Result<(), Refused> {
    if now < expires {
        return Ok(());
    }
    Err(Refused::Document(format!("expected an expiry after {now}, found {expires}")))
}
