//! What would no longer count, and what that runs would no longer be allowed, if a roster or a revocation were published.
//!
//! The registry is only asked for what there is. Who rules is taken from a pack, verified against the trusted root; what
//! would rule follows from it by the gate's own code, as do the verdicts about what runs. So the answer is what the
//! registry itself will come to, but for what is logged in between.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use attestry_schemas::digest::Sha256;
use attestry_schemas::document::pattern::is_plain;
use attestry_schemas::gate::governance::{Governance, Proposal};
use attestry_schemas::gate::pack::{LeftOut, MAX_PACK_BYTES, Opened, Pack};
use attestry_schemas::gate::{self, Decision, Purpose, Question, Run};
use attestry_schemas::policy::{Mode, Policy};
use attestry_schemas::predicate::provenance::Provenance;
use attestry_schemas::predicate::{self, Predicate as _, UtcTime};
use attestry_schemas::roster::trust::{Trust, reason_name};
use attestry_schemas::roster::{Builder, SIGNATURE, Signer};
use attestry_schemas::statement::Statement;
use attestry_schemas::trusted_root::TrustedRoot;
use attestry_schemas::verify::{self, CertificateRoots, SIGN_V1};
use serde::Serialize;

use crate::answers::FoundItem;
use crate::answers::gate::{Deployments, Running};
use crate::bundle_file;
use crate::client::{Client, query_value};
use crate::command::count;
use crate::command::gate::Made;
use crate::command::search::Query;
use crate::output::{Exit, Failure, RED, Session, chain, printable};

/// The environment of the pack that is asked for who rules alone.
const NOWHERE: &str = "none";
/// The most reasons that are told of one deployment.
const MAX_REASONS: usize = 20;

/// Whom to ask, and what the answers are checked against.
pub(super) struct Asked<'a> {
    /// The registry.
    pub(super) client: &'a Client,
    /// Its trusted root.
    pub(super) root: &'a TrustedRoot,
    /// The authorities whose certificates count.
    pub(super) certificates: CertificateRoots,
}

/// What would follow.
#[derive(Debug, Serialize)]
pub(super) struct Impact {
    /// Signers of the ruling roster of whom something would no longer count.
    signers: Vec<Falling>,
    /// Policies that rule, and of which too few signatures would count: all that they are for would be denied.
    policies: Vec<Lapsing>,
    /// What runs, would be allowed now, and would not be any more.
    deployments: Vec<Flagged>,
    /// How many running artifacts were judged.
    judged: u64,
    /// How many of them would not be allowed even now.
    flagged_already: u64,
    /// Whether more runs than the registry tells at once.
    truncated: bool,
    /// The evidence that did not verify here, and does not count.
    left_out: BTreeSet<LeftOut>,
    /// What runs in a place that the registry gives no evidence for, and was not judged.
    unjudged: Vec<String>,
}

/// A signer of whom something would no longer count.
#[derive(Debug, Serialize)]
struct Falling {
    name: String,
    signer: String,
    why: Vec<String>,
    falls: u64,
    by_type: BTreeMap<String, u64>,
    attestations: Vec<FoundItem>,
}

/// A policy that would deny all that it is for.
#[derive(Debug, Serialize)]
struct Lapsing {
    name: String,
    version: u64,
    /// What would be found of it.
    found: String,
}

impl Lapsing {
    /// The policies that rule before and would not after.
    fn all(before: &Governance, after: &Governance) -> Vec<Self> {
        let ruling = before.ruling().into_iter().filter(|policy| policy.unread.is_none());
        let after = after.ruling();
        let lapses = |policy: Arc<Policy>| {
            let next = after.iter().find(|other| other.name == policy.name);
            let found = match next.map(|next| &next.unread) {
                Some(None) => return None,
                Some(Some(why)) => why.clone(),
                None => "nobody who publishes it".to_owned(),
            };
            Some(Self { name: policy.name.clone(), version: policy.version, found })
        };
        ruling.filter_map(lapses).collect()
    }
}

/// A deployment that would no longer be allowed.
#[derive(Debug, Serialize)]
struct Flagged {
    environment: String,
    name: Option<String>,
    subject: String,
    deployment: Option<String>,
    reasons: Vec<String>,
}

/// Takes who rules from the registry, with proof.
///
/// # Errors
/// When the registry cannot be asked, its pack does not verify, or no roster rules.
pub(super) fn ruling(asked: &Asked<'_>) -> Result<Opened, Failure> {
    let opened = opened(asked, Sha256::of(b""), NOWHERE, None)?;
    if opened.governance.trust.is_none() {
        return Err(super::none_rules(asked.client));
    }
    Ok(opened)
}

fn opened(
    asked: &Asked<'_>,
    subject: Sha256,
    environment: &str,
    name: Option<&str>,
) -> Result<Opened, Failure> {
    let mut path = format!(
        "/v1/packs?subject={}&environment={}",
        query_value(&subject.to_string()),
        query_value(environment)
    );
    if let Some(name) = name {
        path.push_str(&format!("&name={}", query_value(name)));
    }
    let answer = asked.client.fetch_bounded(&path, MAX_PACK_BYTES as u64)?;
    let pack = Pack::parse(&answer.body).map_err(|e| answer.malformed(chain(&e)))?;
    pack.open_with(asked.root, &asked.certificates).map_err(|e| {
        Failure::refused(format!("{}: {}", answer.url, chain(&e)))
            .fix("check that the trusted root is that of this registry")
    })
}

/// Works out what follows from a proposal.
///
/// # Errors
/// When the registry cannot be asked, or its answers do not verify.
pub(super) fn work_out(
    ruling: &Opened,
    proposal: &Proposal,
    asked: &Asked<'_>,
    now: UtcTime,
) -> Result<Impact, Failure> {
    let client = asked.client;
    let then = ruling.governance_with(proposal);
    let (Some(before), Some(after)) = (&ruling.governance.trust, &then.trust) else {
        return Err(super::none_rules(client));
    };
    let mut signers = Vec::new();
    for entry in &before.roster().signers {
        let change = Change { entry, before, after };
        let why = change.why();
        if !why.is_empty() {
            signers.push(change.falling(why, client)?);
        }
    }
    let running: Deployments = client.fetch("/v1/deployments")?.json()?;
    let mut impact = Impact {
        signers,
        policies: Lapsing::all(&ruling.governance, &then),
        deployments: Vec::new(),
        judged: 0,
        flagged_already: 0,
        truncated: running.truncated,
        left_out: BTreeSet::new(),
        unjudged: Vec::new(),
    };
    for item in &running.items {
        impact.judge(item, proposal, asked, now)?;
    }
    Ok(impact)
}

/// One entry of the ruling roster, and what becomes of it.
struct Change<'t> {
    entry: &'t Signer,
    before: &'t Trust,
    after: &'t Trust,
}

impl Change<'_> {
    fn next(&self) -> Option<&Signer> {
        let id = self.entry.id.to_string();
        self.after.roster().signers.iter().find(|other| other.id.to_string() == id)
    }

    /// What would make something of it fall.
    fn why(&self) -> Vec<String> {
        let Some(next) = self.next() else { return vec!["removed".to_owned()] };
        let mut why = Vec::new();
        let revoked = self.after.revocation(next);
        if let Some((from, reason)) =
            revoked.filter(|_| revoked != self.before.revocation(self.entry))
        {
            why.push(format!("revoked ({}) from {from} on", reason_name(reason)));
        }
        let lost: Vec<&str> = self.entry.may.difference(&next.may).map(String::as_str).collect();
        if !lost.is_empty() {
            why.push(format!("may no longer sign {}", lost.join(", ")));
        }
        let lost = self.lost_builders();
        if !lost.is_empty() {
            let lost: Vec<&str> = lost.into_iter().collect();
            why.push(format!("may no longer claim, at that level, {}", lost.join(", ")));
        }
        if let Some(until) = next.valid_until.filter(|_| next.valid_until != self.entry.valid_until)
        {
            why.push(format!("signs until {until}"));
        }
        if let Some(from) = next.valid_from.filter(|_| next.valid_from != self.entry.valid_from) {
            why.push(format!("signs from {from} on"));
        }
        why
    }

    fn lost_builders(&self) -> BTreeSet<&str> {
        let next = self.next().map_or(&[][..], |entry| entry.builders.as_slice());
        let is_kept = |builder: &Builder| {
            next.iter().any(|kept| kept.id == builder.id && kept.level >= builder.level)
        };
        let lost = self.entry.builders.iter().filter(|builder| !is_kept(builder));
        lost.map(|builder| builder.id.as_str()).collect()
    }

    /// From when on the log can hold something that falls; none where anything can.
    fn earliest(&self) -> Option<UtcTime> {
        let next = self.next()?;
        let narrower = !self.entry.may.is_subset(&next.may) || !self.lost_builders().is_empty();
        if narrower || next.valid_from != self.entry.valid_from {
            return None;
        }
        let from = self.after.revocation(next).map(|(from, _)| from);
        [from, next.valid_until].into_iter().flatten().min()
    }

    fn falling(&self, why: Vec<String>, client: &Client) -> Result<Falling, Failure> {
        let mut falling = Falling {
            name: self.entry.name.clone(),
            signer: self.entry.id.to_string(),
            why,
            falls: 0,
            by_type: BTreeMap::new(),
            attestations: Vec::new(),
        };
        let signer = self.entry.id.signer();
        let query = Query::default().with("signer", Some(&signer)).with("since", self.earliest());
        query.each(client, u32::MAX, |item| {
            if self.falls(&signer, &item, client)? {
                falling.falls += 1;
                *falling.by_type.entry(word(&item).to_owned()).or_default() += 1;
                falling.attestations.push(item);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(falling)
    }

    /// Whether an attestation counts now and would not any more.
    fn falls(
        &self,
        signer: &verify::Signer,
        item: &FoundItem,
        client: &Client,
    ) -> Result<bool, Failure> {
        let malformed = || {
            Failure::undecided(format!(
                "{}: expected a time in logged_at of {}",
                client.url(),
                item.digest
            ))
        };
        let logged_at = item.logged_at.as_deref().and_then(UtcTime::from_rfc3339);
        let logged_at = logged_at.ok_or_else(malformed)?;
        let uri = item.predicate_type.as_deref().unwrap_or_default();
        let counts = |trust: &Trust| {
            let signer = trust.signer(signer, logged_at);
            signer.is_ok_and(|entry| entry.may.contains(word(item)) || entry.may.contains(uri))
        };
        if !counts(self.before) {
            return Ok(false);
        }
        if !counts(self.after) {
            return Ok(true);
        }
        let lost = self.lost_builders();
        if lost.is_empty() || word(item) != "provenance" {
            return Ok(false);
        }
        let answer = client.fetch(&format!("/v1/attestations/{}", item.digest))?;
        let envelope = bundle_file::stored_envelope(&answer.body).ok();
        let statement = envelope.and_then(|envelope| Statement::parse(&envelope.payload).ok());
        let provenance = statement.and_then(|said| Provenance::from_value(&said.predicate).ok());
        Ok(provenance.is_some_and(|said| lost.contains(said.run_details.builder.id.as_str())))
    }
}

/// The word by which the roster permits an attestation.
fn word(item: &FoundItem) -> &str {
    match item.predicate_type.as_deref() {
        None | Some(SIGN_V1) => SIGNATURE,
        Some(uri) => predicate::from_uri(uri).map_or(uri, |known| known.short),
    }
}

impl Impact {
    /// Judges what runs under who rules now, and under who would.
    fn judge(
        &mut self,
        item: &Running,
        proposal: &Proposal,
        asked: &Asked<'_>,
        now: UtcTime,
    ) -> Result<(), Failure> {
        let Asked { client, root, .. } = *asked;
        let (Ok(subject), Some(Ok(deployment))) =
            (item.subject.parse::<Sha256>(), item.deployment.as_deref().map(str::parse::<Sha256>))
        else {
            return Err(Failure::undecided(format!(
                "{}: expected the digests of a deployment, found others",
                client.url()
            )));
        };
        // It is asked as its decision was: by the same name, caller and configuration.
        let decision = item.decision.as_deref().filter(|_| item.authorized);
        let decision = decision.and_then(|digest| digest.parse::<Sha256>().ok());
        let made = decision.map(|digest| Made::fetch(digest, root, client)).transpose()?;
        let details = made.map(|made| made.details);
        let name = match &details {
            Some(details) => details.name.clone(),
            None => item.name.clone(),
        };
        // One that was recorded in a place that nobody can ask for keeps nobody from the answer about the others.
        if !is_plain(&item.environment) || name.as_deref().is_some_and(|name| !is_plain(name)) {
            self.unjudged.push(item.subject.clone());
            return Ok(());
        }
        let opened = opened(asked, subject, &item.environment, name.as_deref())?;
        self.left_out.extend(opened.left_out.iter().map(|left| LeftOut {
            why: format!("{} {subject}: {left}", item.environment),
            ..left.clone()
        }));
        // What the log holds has happened, whatever this machine's clock says.
        let newest = opened.evidence.iter().map(|one| one.logged_at()).max();
        let question = Question {
            subject,
            name,
            environment: item.environment.clone(),
            caller: details.as_ref().and_then(|details| details.caller.clone()),
            configuration: details
                .and_then(|details| details.configuration)
                .and_then(|digest| digest.parse().ok()),
            now: newest.map_or(now, |newest| newest.max(now)),
            log_size: opened.size,
            origin: opened.origin.clone(),
            purpose: Purpose::Run(Run {
                deployment,
                name: item.name.clone(),
                because: None,
                since: None,
            }),
        };
        self.judged += 1;
        if !decide(&question, &opened, &opened.governance).passed() {
            self.flagged_already += 1;
            return Ok(());
        }
        let decision = decide(&question, &opened, &opened.governance_with(proposal));
        if !decision.passed() {
            self.deployments.push(Flagged {
                environment: item.environment.clone(),
                name: item.name.clone(),
                subject: item.subject.clone(),
                deployment: item.deployment.clone(),
                reasons: reasons(&decision),
            });
        }
        Ok(())
    }

    /// Tells it; of each signer at most `limit` attestations, unless all are asked for as JSON.
    ///
    /// # Errors
    /// When the answer cannot be written.
    pub(super) fn tell(&self, limit: usize, session: &mut Session) -> Result<Exit, Failure> {
        let falls: u64 = self.signers.iter().map(|signer| signer.falls).sum();
        let nothing = falls == 0 && self.policies.is_empty() && self.deployments.is_empty();
        let exit = if nothing { Exit::Success } else { Exit::Refused };
        if self.truncated {
            session.warn("more runs than the registry tells at once: only the first are judged");
        }
        for subject in &self.unjudged {
            session.warn(printable(&format!(
                "{subject} is not judged: it was recorded in an environment or by a name that no policy can name; attestry deploy status shows it"
            )));
        }
        crate::trust::warn_of_left_out("the evidence of what runs", &self.left_out, session);
        if session.json() {
            session.answer(self)?;
            return Ok(exit);
        }
        self.signers.iter().for_each(|signer| signer.tell(limit, session));
        for Lapsing { name, version, found } in &self.policies {
            let mark = session.paint("✗", RED);
            let told = format!("policy {name}@{version} would deny all that it is for: {found}");
            session.line(format!("{mark} {}", printable(&told)));
        }
        for flagged in &self.deployments {
            let mark = session.paint("✗", RED);
            let name = flagged.name.as_deref().unwrap_or("-");
            let told = format!("{} {name} {}", flagged.environment, flagged.subject);
            session.line(format!("{mark} {} would no longer be allowed:", printable(&told)));
            flagged.reasons.iter().for_each(|why| session.line(printable(&format!("    {why}"))));
        }
        let attestations = count(falls, "attestation", "attestations");
        let judged = count(self.judged, "running artifact", "running artifacts");
        let flagged = self.deployments.len();
        let already = match self.flagged_already {
            0 => String::new(),
            already => format!(", {already} not allowed already"),
        };
        session.line(format!("{attestations} would no longer count; of {judged}, {flagged} would no longer be allowed{already}"));
        Ok(exit)
    }
}

impl Falling {
    fn tell(&self, limit: usize, session: &mut Session) {
        let Self { name, signer, why, falls, .. } = self;
        session.line(printable(&format!("signer {name} {signer}: {}", why.join("; "))));
        let types: Vec<String> =
            self.by_type.iter().map(|(word, count)| format!("{count} {word}")).collect();
        let types =
            if types.is_empty() { String::new() } else { format!(": {}", types.join(", ")) };
        session.line(printable(&format!("    {falls} would no longer count{types}")));
        for item in self.attestations.iter().take(limit) {
            let at = item.logged_at.as_deref().unwrap_or("-");
            let told = format!("      {} {} index {} at {at}", item.digest, word(item), item.index);
            session.line(printable(&told));
        }
        let more = self.attestations.len().saturating_sub(limit);
        if more > 0 {
            session.line(format!("      and {more} more; --limit or --json shows them"));
        }
    }
}

fn decide(question: &Question, opened: &Opened, governance: &Governance) -> Decision {
    let documents = |digest: Sha256| opened.document(digest);
    let trust = governance.trust.as_deref();
    gate::decide(question, trust, &governance.ruling(), &opened.evidence, &documents)
}

/// Why a verdict denies, in lines.
fn reasons(decision: &Decision) -> Vec<String> {
    if let Some(refused) = &decision.details().refused {
        return vec![refused.why.clone()];
    }
    let policies = decision.policies().iter();
    let bad = policies.filter(|policy| !policy.passed && policy.mode == Mode::Enforce);
    let bad = bad.flat_map(|policy| {
        let answers = policy.rules.iter().filter(|answer| !answer.outcome.is_good());
        let title = format!("{}@{}", policy.name, policy.version);
        answers.map(move |answer| format!("{title}: {}: {}", answer.rule, answer.found))
    });
    bad.take(MAX_REASONS).collect()
}
