//! The waivers that a decision names, taken from the registry to tell who consented, until when and why.
//!
//! Nothing of it is believed for the registry's word: the decision, which was verified, has the digests of the waivers and of the
//! roster, and the names are those of the keys that have signed. What cannot be had is told by its digest, as the decision has it.

use attestry_schemas::bundle::Bundle;
use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::Envelope;
use attestry_schemas::gate::consent::{self, Consent, Consents};
use attestry_schemas::gate::{Details, decision::RosterUsed};
use attestry_schemas::key::PublicKey;
use attestry_schemas::predicate::Predicate as _;
use attestry_schemas::predicate::attestry::governance::Waiver;
use attestry_schemas::rekor::{Entry, Verifier};
use attestry_schemas::roster::Roster;
use attestry_schemas::verify::{self, Certified, SignedStatement, Verified};

use super::super::governance as documents;
use crate::client::Client;
use crate::output::{Failure, Session, chain, printable};

/// The most waivers that are asked for.
const MAX_ASKED: usize = 100;

/// The waivers of a decision, as far as the registry has them.
pub(super) fn of(details: &Details, client: &Client, session: &mut Session) -> Consents {
    let waivers = consent::waivers(details);
    let mut all = Consents::default();
    if waivers.is_empty() {
        return all;
    }
    let roster = match &details.roster {
        Some(used) => told(roster(used, client, session), "who waived is told by key", session),
        None => None,
    };
    for digest in waivers.into_iter().take(MAX_ASKED) {
        let found = consent(&digest, roster.as_ref(), client);
        let without = format!("the waiver {digest} is told by its digest alone");
        if let Some(consent) = told(found, &without, session) {
            all.add(digest, consent);
        }
    }
    all
}

/// What was found; without it the explanation is poorer, and no other.
fn told<T>(found: Result<T, Failure>, without: &str, session: &mut Session) -> Option<T> {
    found
        .map_err(|failure| {
            session.warn(printable(&format!("{without}: {}", failure.problem())));
        })
        .ok()
}

/// The roster by which the decision was made.
fn roster(used: &RosterUsed, client: &Client, session: &mut Session) -> Result<Roster, Failure> {
    let ruled = documents::ruling(client, Some(used.version))?.unwrap_or_default();
    let text = documents::same_digest(ruled.document.as_deref(), Some(&used.digest), client)?;
    let place = format!("the roster of {}", client.url());
    documents::Document { place, text: text.as_bytes().to_vec() }.roster(session)
}

fn consent(digest: &str, roster: Option<&Roster>, client: &Client) -> Result<Consent, Failure> {
    let posted = client.fetch(&format!("/v1/attestations/{digest}"))?;
    if Sha256::of(&posted.body).to_string() != digest {
        return Err(posted.malformed("its bytes have another digest").into());
    }
    let signed = match Bundle::parse(&posted.body) {
        Ok(bundle) => certified(&bundle).map_err(|found| posted.malformed(found))?,
        Err(_) => {
            let envelope =
                Envelope::parse(&posted.body).map_err(|e| posted.malformed(chain(&e)))?;
            let mut keys: Vec<PublicKey> =
                roster.into_iter().flat_map(Roster::keys).cloned().collect();
            if verify::envelope(&envelope, &keys).is_err() {
                // A roster may have the fingerprint alone; the log has the key.
                keys.extend(logged_key(digest, client)?);
            }
            let signed = verify::envelope(&envelope, &keys);
            signed.map_err(|refusal| posted.malformed(refusal.to_string()))?
        }
    };
    let SignedStatement { statement, author, .. } = signed.get();
    let waiver =
        Waiver::from_value(&statement.predicate).map_err(|e| posted.malformed(chain(&e)))?;
    Ok(Consent::of(&waiver, &author.signer(), roster))
}

/// A statement that was signed with a certificate. The decision, which was verified, names it by its digest, so its authority is one that
/// the registry believed; here is only demanded that the certificate's key made the signature.
fn certified(bundle: &Bundle) -> Result<Verified<SignedStatement>, String> {
    match verify::own_bundle_signature(bundle) {
        Ok(Certified::Statement(signed)) => Ok(signed),
        Ok(Certified::Message(_)) => Err("expected a waiver, found a signature".to_owned()),
        Err(refusal) => Err(refusal.to_string()),
    }
}

/// The key that the log has beside a signature.
fn logged_key(digest: &str, client: &Client) -> Result<Option<PublicKey>, Failure> {
    let answer = client.fetch(&format!("/v1/attestations/{digest}/bundle"))?;
    let bundle = Bundle::parse(&answer.body).map_err(|e| answer.malformed(chain(&e)))?;
    let entry = bundle.tlog_entries.first().map(|entry| Entry::parse(&entry.canonicalized_body));
    Ok(match entry.and_then(Result::ok).map(|entry| entry.verifier) {
        Some(Verifier::PublicKey(key)) => Some(key),
        _ => None,
    })
}
