//! Where evidence is found: in the files that are named, in a registry, or beside the subject.

use std::path::{Path, PathBuf};

use attestry_schemas::bundle::{Bundle, Content, MAX_BUNDLE_BYTES, SignerMaterial, Version};
use attestry_schemas::digest::Digest;
use attestry_schemas::dsse::Envelope;
use attestry_schemas::predicate;
use attestry_schemas::verify::{Claim, Keys, SIGN_V1};

use super::Demand;
use crate::answers::FoundItem;
use crate::args::{PredicateType, VerifyArgs};
use crate::bundle_file::{Document, Documents, beside};
use crate::client::Client;
use crate::command::search::Query;
use crate::output::{Failure, Session, chain};
use crate::subject::{self, Subject};

/// The most attestations of a subject that are looked through in a registry.
const MAX_LISTED: u32 = 1_000;
/// The most bundles that are fetched for one demand.
const MAX_FETCHED: usize = 32;

/// A bundle, and where it is from. Nothing of it is believed yet.
pub(super) struct Evidence {
    /// The file and line, or the URL.
    pub(super) place: String,
    /// The bundle; an envelope alone is one that says nothing of its signer and log.
    pub(super) bundle: Bundle,
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    /// What could prove a demand.
    pub(super) evidence: Vec<Evidence>,
    /// The names of the types, each once, that a registry lists about the subject.
    pub(super) listed: Vec<String>,
    /// The subject's SHA-512, where it was asked for.
    pub(super) sha512: Option<Digest>,
}

/// Finds the evidence that `args` call for.
///
/// # Errors
/// When a file or the registry cannot be read, or what it holds is malformed.
pub(super) fn find(
    args: &VerifyArgs,
    subject: &Subject,
    demands: &[Demand],
    keys: &Keys,
    client: Option<&Client>,
    session: &mut Session,
) -> Result<Found, Failure> {
    let mut found = Found::default();
    for path in &args.bundles {
        read(path, session, &mut found.evidence)?;
    }
    if let Some(client) = client {
        ask(client, args, subject, demands, keys, session, &mut found)?;
    } else if args.bundles.is_empty() {
        for path in beside_subject(args) {
            if path.exists() {
                read(&path, session, &mut found.evidence)?;
            }
        }
    }
    Ok(found)
}

/// Asks a registry by the subject's SHA-256 and, where that gives too little, by its SHA-512: some
/// statements, npm's provenance among them, name their subject by nothing else.
fn ask(
    client: &Client,
    args: &VerifyArgs,
    subject: &Subject,
    demands: &[Demand],
    keys: &Keys,
    session: &mut Session,
    found: &mut Found,
) -> Result<(), Failure> {
    let mut listed = list(client, &subject.digest, session)?;
    let proves = |demand: &Demand| listed.iter().any(|item| could_prove(item, &demand.claim));
    if !demands.iter().all(proves) {
        found.sha512 = subject::sha512(&args.subject, subject, session)?;
        if let Some(sha512) = &found.sha512 {
            listed.extend(list(client, sha512, session)?);
        }
    }
    fetch(client, &listed, demands, keys, &mut found.evidence)?;
    found.listed = listed.iter().map(kind).collect();
    found.listed.sort();
    found.listed.dedup();
    Ok(())
}

/// What an attestation that a registry lists is, in the user's terms.
fn kind(item: &FoundItem) -> String {
    match item.predicate_type.as_deref() {
        None | Some(SIGN_V1) => "signature".to_owned(),
        Some(uri) => predicate::from_uri(uri).map_or(uri, |known| known.short).to_owned(),
    }
}

fn read(path: &Path, session: &mut Session, found: &mut Vec<Evidence>) -> Result<(), Failure> {
    for document in Documents::open(path, session)? {
        let document = document?;
        let bundle = bundle(&document)?;
        found.push(Evidence { place: document.place, bundle });
    }
    Ok(())
}

fn bundle(document: &Document) -> Result<Bundle, Failure> {
    let value = document.value.clone();
    if value.get("payloadType").is_none() {
        return Bundle::from_value(value).map_err(|e| document.malformed(&e));
    }
    let envelope = Envelope::from_value(value).map_err(|e| document.malformed(&e))?;
    Ok(Bundle {
        version: Version::V0_3,
        signer: SignerMaterial::PublicKey { hint: String::new() },
        tlog_entries: Vec::new(),
        timestamps: Vec::new(),
        content: Content::Envelope(envelope),
    })
}

/// `SUBJECT.sigstore.json`, and what `attest` writes for the types that are demanded.
fn beside_subject(args: &VerifyArgs) -> Vec<PathBuf> {
    let any: Vec<PredicateType> = if args.any_type {
        predicate::PREDICATE_TYPES.iter().filter_map(|known| known.short.parse().ok()).collect()
    } else {
        Vec::new()
    };
    let of_type = args.types.iter().chain(&any).filter_map(|t| beside(&args.subject, Some(t)));
    let mut paths: Vec<PathBuf> = beside(&args.subject, None).into_iter().chain(of_type).collect();
    paths.dedup();
    paths
}

/// Lists what the registry has about a digest.
fn list(
    client: &Client,
    digest: &Digest,
    session: &mut Session,
) -> Result<Vec<FoundItem>, Failure> {
    let mut listed: Vec<FoundItem> = Vec::new();
    let query = Query::default().with("subject", Some(digest));
    let more = query.each(client, MAX_LISTED, |item| {
        listed.push(item);
        Ok(())
    })?;
    if more {
        session.warn(format!("only the first {MAX_LISTED} attestations of the subject are read"));
    }
    Ok(listed)
}

/// Fetches what could prove a demand: what the list says only saves work, and is not believed.
fn fetch(
    client: &Client,
    listed: &[FoundItem],
    demands: &[Demand],
    keys: &Keys,
    found: &mut Vec<Evidence>,
) -> Result<(), Failure> {
    let ours: Vec<String> = match keys {
        Keys::Managed(keys) => keys.iter().map(|key| key.fingerprint().to_string()).collect(),
        Keys::Identity(identity) => vec![identity.subject.clone()],
    };
    let of_us = |item: &FoundItem| item.signer.as_ref().is_some_and(|s| ours.contains(s));
    // Newest first, those of the demanded signers before the others.
    let mut listed: Vec<&FoundItem> = listed.iter().collect();
    listed.sort_by_key(|item| (!of_us(item), std::cmp::Reverse(item.index)));
    let mut wanted: Vec<&FoundItem> = Vec::new();
    for demand in demands {
        let fits = listed.iter().filter(|item| could_prove(item, &demand.claim)).take(MAX_FETCHED);
        for item in fits.copied() {
            if !wanted.iter().any(|known| known.digest == item.digest) {
                wanted.push(item);
            }
        }
    }
    for item in wanted {
        // The digest comes from the registry, so it may be no digest at all.
        let digest: attestry_schemas::digest::Sha256 = item.digest.parse().map_err(|_| {
            Failure::undecided(format!("{} lists an attestation without a digest", client.url()))
        })?;
        let path = format!("/v1/attestations/{digest}/bundle");
        let answer = client.fetch_bounded(&path, MAX_BUNDLE_BYTES as u64)?;
        let bundle = Bundle::parse(&answer.body).map_err(|e| answer.malformed(chain(&e)))?;
        found.push(Evidence { place: format!("{} index {}", client.url(), item.index), bundle });
    }
    Ok(())
}

fn could_prove(item: &FoundItem, claim: &Claim) -> bool {
    match (claim, item.predicate_type.as_deref()) {
        (Claim::Signature, found) => found.is_none_or(|uri| uri == SIGN_V1),
        (Claim::Type(requested), found) => {
            found.is_some_and(|uri| predicate::matches(requested, uri))
        }
        (Claim::AnyType, found) => found.is_some(),
    }
}
