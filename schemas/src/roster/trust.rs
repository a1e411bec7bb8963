//! What a signature is worth: the ruling roster, its history, and the revocations.
//!
//! A signature counts if its signer was valid, and not yet revoked, when the log first held it
//! (DESIGN 8). An ordinary revocation is known from the moment that the log first held it, so what was
//! logged before stays; one for compromise takes effect from the moment that it states, whatever
//! was logged in between.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{Roster, Signer};
use crate::digest::Sha256;
use crate::key::Fingerprint;
use crate::predicate::UtcTime;
use crate::predicate::attestry::governance::{RevocationReason, RevokedSigner};
use crate::verify;

/// A roster that k of n root keys have signed, and when the log first held enough of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// The roster.
    pub roster: Roster,
    /// When the log first held the signature that made it rule.
    pub at: UtcTime,
}

/// A roster that k of n root keys have signed, of which the document is not at hand, or which this version does not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Its version.
    pub version: u64,
    /// The digest of its document.
    pub digest: Sha256,
    /// What is wrong with it.
    pub why: String,
}

/// A revocation that k of n root keys have signed outside a roster.
#[derive(Debug, Clone, PartialEq)]
pub struct Revocation {
    /// Whose signatures stop to count.
    pub signer: RevokedSigner,
    /// Why.
    pub reason: RevocationReason,
    /// From when on, as it states.
    pub effective_at: UtcTime,
    /// When the log first held it.
    pub logged_at: UtcTime,
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// Nobody of the roster made it.
    #[error("{signer} is not in the roster (version {version})")]
    Unknown {
        /// Who signed.
        signer: String,
        /// The ruling roster.
        version: u64,
    },
    /// It was logged before its signer became valid.
    #[error("{name} signs from {from} on, and this was logged at {logged_at}")]
    NotYetValid {
        /// The signer's name.
        name: String,
        /// From when on it counts.
        from: UtcTime,
        /// When the log first held the signature.
        logged_at: UtcTime,
    },
    /// It was logged when its signer was no longer valid.
    #[error("{name} signed until {until}, and this was logged at {logged_at}")]
    NoLongerValid {
        /// The signer's name.
        name: String,
        /// Until when it counted.
        until: UtcTime,
        /// When the log first held the signature.
        logged_at: UtcTime,
    },
    /// Its signer was revoked by then.
    #[error("{name} is revoked ({reason}) from {from} on, and this was logged at {logged_at}")]
    Revoked {
        /// The signer's name.
        name: String,
        /// Why.
        reason: &'static str,
        /// From when on nothing counts.
        from: UtcTime,
        /// When the log first held the signature.
        logged_at: UtcTime,
    },
}

/// The ruling roster with what its history says of revocations.
#[derive(Debug, Clone, PartialEq)]
pub struct Trust {
    roster: Roster,
    published_at: UtcTime,
    /// By signer, as it is shown: from when on its signatures do not count.
    revoked: BTreeMap<String, (UtcTime, RevocationReason)>,
    gate: Fingerprint,
    superseded: Option<Unread>,
    /// Every roster, by version.
    history: Vec<Published>,
}

impl Trust {
    /// The trust at one moment: every roster that was published until then, in any order, and every revocation.
    /// The highest version rules. None without a roster.
    ///
    /// `gate` is the key of the registry, which signs decisions.
    #[must_use]
    pub fn new(
        published: &[Published],
        revocations: &[Revocation],
        gate: Fingerprint,
    ) -> Option<Self> {
        // Of two rosters of one version the first rules, in whatever order they are given.
        let rank =
            |one: &&Published| (one.roster.version, Reverse(one.at), Reverse(one.roster.digest));
        let ruling = published.iter().max_by_key(rank)?;
        let mut revoked = BTreeMap::new();
        for entry in &ruling.roster.signers {
            let Some(revocation) = entry.revoked else { continue };
            let id = entry.id.to_string();
            let says = |published: &&Published| {
                let mut entries = published.roster.signers.iter();
                entries.any(|other| other.id.to_string() == id && other.revoked.is_some())
            };
            let known_at = published.iter().filter(says).map(|published| published.at).min();
            let known_at = known_at.unwrap_or(ruling.at);
            let from = effective(revocation.reason, revocation.at, known_at);
            revoke(&mut revoked, id, from, revocation.reason);
        }
        // Whoever is taken out of the roster stays revoked, as the newest roster that names them has it.
        let mut earlier: Vec<&Published> = published.iter().collect();
        earlier.sort_by_key(|one| Reverse(rank(one)));
        let mut named: BTreeSet<String> =
            ruling.roster.signers.iter().map(|entry| entry.id.to_string()).collect();
        for one in earlier {
            for entry in &one.roster.signers {
                let id = entry.id.to_string();
                if let (true, Some(revoked_then)) = (named.insert(id.clone()), entry.revoked) {
                    let from = effective(revoked_then.reason, revoked_then.at, one.at);
                    revoke(&mut revoked, id, from, revoked_then.reason);
                }
            }
        }
        for revocation in revocations {
            let id = id_of(&revocation.signer);
            let from = effective(revocation.reason, revocation.effective_at, revocation.logged_at);
            revoke(&mut revoked, id, from, revocation.reason);
        }
        Some(Self {
            roster: ruling.roster.clone(),
            published_at: ruling.at,
            revoked,
            gate,
            superseded: None,
            history: {
                let mut all = published.to_vec();
                all.sort_by_key(|one| rank(&one));
                all
            },
        })
    }

    /// The same, where a newer roster was published and cannot be read: what it permits and revokes is not known.
    #[must_use]
    pub fn superseded_by(self, newer: Option<Unread>) -> Self {
        Self { superseded: newer, ..self }
    }

    /// The newer roster that cannot be read: nothing may be decided by this one.
    #[must_use]
    pub fn superseded(&self) -> Option<&Unread> {
        self.superseded.as_ref()
    }

    /// The ruling roster.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The digest of the ruling roster's document.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        self.roster.digest
    }

    /// Since when it rules.
    #[must_use]
    pub fn published_at(&self) -> UtcTime {
        self.published_at
    }

    /// The key that signs decisions.
    #[must_use]
    pub fn gate(&self) -> Fingerprint {
        self.gate
    }

    /// Whether what a signer signed, and the log first held at `logged_at`, falls with a compromise: also of one whom the roster does not
    /// name any more.
    #[must_use]
    pub fn is_compromised(&self, signer: &verify::Signer, logged_at: UtcTime) -> bool {
        let revoked = self.revoked.get(&signer.to_string());
        revoked.is_some_and(|(from, reason)| {
            *reason == RevocationReason::Compromised && logged_at >= *from
        })
    }

    /// The roster's entry of who signed something that the log first held at `logged_at`.
    ///
    /// # Errors
    /// [`Distrust`] when the signature does not count.
    pub fn signer(&self, signer: &verify::Signer, logged_at: UtcTime) -> Result<&Signer, Distrust> {
        let entry = self.roster.signer(signer).ok_or_else(|| Distrust::Unknown {
            signer: signer.to_string(),
            version: self.roster.version,
        })?;
        self.stands(entry, logged_at).map(|()| entry)
    }

    /// Whether the roster that ruled when the log first held something let its signer say it, by one of these words; where none ruled yet,
    /// whoever was let in. What counted then and does not any more was taken for true in between.
    #[must_use]
    pub fn counted_then(&self, signer: &verify::Signer, at: UtcTime, words: &[&str]) -> bool {
        let Some(then) = self.history.iter().rfind(|one| one.at <= at) else { return true };
        then.roster.signer(signer).is_some_and(|entry| {
            words.iter().any(|word| entry.may.contains(*word))
                && entry.valid_from.is_none_or(|from| at >= from)
                && entry.valid_until.is_none_or(|until| at < until)
        })
    }

    /// Whether what an entry of the ruling roster does at a moment counts.
    ///
    /// # Errors
    /// [`Distrust`] when it is not yet valid, no longer valid, or revoked by then.
    pub fn stands(&self, entry: &Signer, logged_at: UtcTime) -> Result<(), Distrust> {
        let name = || entry.name.clone();
        if let Some(from) = entry.valid_from.filter(|from| logged_at < *from) {
            return Err(Distrust::NotYetValid { name: name(), from, logged_at });
        }
        if let Some(until) = entry.valid_until.filter(|until| logged_at >= *until) {
            return Err(Distrust::NoLongerValid { name: name(), until, logged_at });
        }
        match self.revoked.get(&entry.id.to_string()) {
            Some((from, reason)) if logged_at >= *from => Err(Distrust::Revoked {
                name: name(),
                reason: reason_name(*reason),
                from: *from,
                logged_at,
            }),
            _ => Ok(()),
        }
    }

    /// From when on what an entry signs does not count, and why; none while it is not revoked.
    #[must_use]
    pub fn revocation(&self, entry: &Signer) -> Option<(UtcTime, RevocationReason)> {
        self.revoked.get(&entry.id.to_string()).copied()
    }

    /// The first moment after `now` at which [`Trust::stands`] says something else of an entry.
    #[must_use]
    pub fn next_change(&self, entry: &Signer, now: UtcTime) -> Option<UtcTime> {
        let revoked = self.revoked.get(&entry.id.to_string()).map(|(from, _)| *from);
        let moments = [entry.valid_from, entry.valid_until, revoked];
        moments.into_iter().flatten().filter(|moment| *moment > now).min()
    }
}

/// A revoked signer as the roster shows the entry's id.
#[must_use]
pub fn id_of(signer: &RevokedSigner) -> String {
    match signer {
        RevokedSigner::Fingerprint(fingerprint) => fingerprint.to_string(),
        RevokedSigner::Identity(identity) => format!("{} ({})", identity.subject, identity.issuer),
    }
}

/// From when on a revocation works: what compromise states, and nothing else before it was known.
fn effective(reason: RevocationReason, at: UtcTime, known_at: UtcTime) -> UtcTime {
    match reason {
        RevocationReason::Compromised => at,
        _ => at.max(known_at),
    }
}

fn revoke(
    revoked: &mut BTreeMap<String, (UtcTime, RevocationReason)>,
    id: String,
    from: UtcTime,
    reason: RevocationReason,
) {
    let earliest = revoked.entry(id).or_insert((from, reason));
    if from < earliest.0 {
        *earliest = (from, reason);
    }
}

/// The reason's word.
#[must_use]
pub fn reason_name(reason: RevocationReason) -> &'static str {
    match reason {
        RevocationReason::Compromised => "compromised",
        RevocationReason::Superseded => "superseded",
        RevocationReason::AffiliationChanged => "affiliation-changed",
        RevocationReason::CessationOfOperation => "cessation-of-operation",
        RevocationReason::Unspecified => "unspecified",
    }
}
