//! Where evidence is found: in the files that are named, in a registry, or beside the subject.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use attestry_schemas::bundle::{Bundle, Content, MAX_BUNDLE_BYTES, SignerMaterial, Version};
use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::dsse::Envelope;
use attestry_schemas::oci::image_signature::{self, ImageSignature};
use attestry_schemas::predicate;
use attestry_schemas::verify::{Claim, Identity, Keys, SIGN_V1, Signer};

use super::Demand;
use crate::answers::FoundItem;
use crate::args::{PredicateType, VerifyArgs};
use crate::bundle_file::{Document, Documents, beside};
use crate::client::Client;
use crate::command::search::Query;
use crate::output::{Failure, Session, chain};
use crate::subject::{self, Subject};

/// The most attestations that are looked through for one demand and one signer. A list says
/// nothing of the type of a message signature, so it is found among all that its signer made.
const MAX_LISTED: u32 = 10_000;
/// The most bundles that are fetched for one demand and one signer.
const MAX_FETCHED: usize = 32;
/// The most attestations of a subject, whoever signed them, that are looked at where the demanded
/// signers made none that could prove the demand: they tell what there is instead.
const MAX_OTHERS: u32 = 100;

/// What a registry calls a signature of cosign 2 in its lists.
const IMAGE_SIGNATURE: &str = "image-signature";

/// A bundle, and where it is from. Nothing of it is believed yet.
pub(super) struct Evidence {
    /// The file and line, or the URL.
    pub(super) place: String,
    /// The bundle; an envelope alone is one that says nothing of its signer and log.
    pub(super) bundle: Bundle,
    /// The document that cosign 2 signed in the artifact's place.
    pub(super) document: Option<Vec<u8>>,
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    /// What could prove a demand.
    pub(super) evidence: Vec<Evidence>,
    /// The names of the types, each once, that a registry lists about the subject.
    pub(super) listed: Vec<String>,
    /// The demands, by name, for which the registry has more than was looked at.
    pub(super) cut: Vec<String>,
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
    let mut wanted = Vec::new();
    let mut open = candidates(client, &subject.digest, demands.iter(), keys, &mut wanted, found)?;
    if !open.is_empty() {
        found.sha512 = subject::sha512(&args.subject, subject, session)?;
        if let Some(sha512) = found.sha512.clone() {
            open = candidates(client, &sha512, open.into_iter(), keys, &mut wanted, found)?;
        }
    }
    if !open.is_empty() {
        let digests = std::iter::once(&subject.digest).chain(&found.sha512);
        for digest in digests {
            let query = Query::default().with("subject", Some(digest));
            query.each(client, MAX_OTHERS, |item| {
                found.listed.push(kind(&item));
                if open.iter().any(|demand| could_prove(&item, &demand.claim)) {
                    wanted.push(item);
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        wanted.truncate(wanted.len().min(demands.len() * MAX_FETCHED));
    }
    fetch(client, &wanted, &mut found.evidence)?;
    found.listed.sort();
    found.listed.dedup();
    Ok(())
}

/// Adds what the demanded signers said about a digest and could prove a demand, newest first; gives
/// the demands for which there is nothing. What a list says only saves work, and is not believed.
fn candidates<'d>(
    client: &Client,
    digest: &Digest,
    demands: impl Iterator<Item = &'d Demand>,
    keys: &Keys,
    wanted: &mut Vec<FoundItem>,
    found: &mut Found,
) -> Result<Vec<&'d Demand>, Failure> {
    let signers: Vec<Option<String>> = match keys {
        Keys::Managed(keys) => keys.iter().map(|k| Some(k.fingerprint().to_string())).collect(),
        Keys::Identity(Identity { subject, issuer }) => {
            let (subject, issuer) = (subject.clone(), issuer.clone());
            vec![Some(Signer::Identity { subject, issuer }.to_string())]
        }
        Keys::AnyIdentity => vec![None],
    };
    let mut open = Vec::new();
    for demand in demands {
        let before = wanted.len();
        for signer in &signers {
            let query = Query::default()
                .with("subject", Some(digest))
                .with("signer", signer.as_ref())
                .with("type", requested(&demand.claim));
            let start = wanted.len();
            let mut cut = query.each(client, MAX_LISTED, |item| {
                if !could_prove(&item, &demand.claim) {
                    return Ok(ControlFlow::Continue(()));
                }
                if wanted.len() - start == MAX_FETCHED {
                    return Ok(ControlFlow::Break(()));
                }
                wanted.push(item);
                Ok(ControlFlow::Continue(()))
            })?;
            cut |= wanted.len() - start == MAX_FETCHED;
            if cut && !found.cut.contains(&demand.name) {
                found.cut.push(demand.name.clone());
            }
        }
        if wanted.len() == before {
            open.push(demand);
        }
    }
    Ok(open)
}

/// The type that a claim asks for, as a registry takes it.
fn requested(claim: &Claim) -> Option<&str> {
    match claim {
        Claim::Type(requested) => Some(requested),
        Claim::Signature | Claim::AnyType => None,
    }
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
        found.push(Evidence { place: document.place, bundle, document: None });
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

/// Fetches the bundle of each, once.
fn fetch(client: &Client, wanted: &[FoundItem], found: &mut Vec<Evidence>) -> Result<(), Failure> {
    let mut fetched = BTreeSet::new();
    for item in wanted.iter().filter(|item| fetched.insert(item.digest.as_str())) {
        // The digest comes from the registry, so it may be no digest at all.
        let digest: Sha256 = item.digest.parse().map_err(|_| {
            Failure::undecided(format!("{} lists an attestation without a digest", client.url()))
        })?;
        let path = format!("/v1/attestations/{digest}/bundle");
        let answer = client.fetch_bounded(&path, MAX_BUNDLE_BYTES as u64)?;
        let bundle = Bundle::parse(&answer.body).map_err(|e| answer.malformed(chain(&e)))?;
        let place = format!("{} index {}", client.url(), item.index);
        let document = match item.kind.as_deref() {
            Some(IMAGE_SIGNATURE) => Some(document(client, &digest)?),
            _ => None,
        };
        found.push(Evidence { place, bundle, document });
    }
    Ok(())
}

/// The document that a signature of cosign 2 is over, which names the image.
fn document(client: &Client, digest: &Sha256) -> Result<Vec<u8>, Failure> {
    let path = format!("/v1/attestations/{digest}");
    let answer = client.fetch_bounded(&path, image_signature::MAX_BYTES as u64)?;
    let signature = ImageSignature::parse(&answer.body);
    let signature = signature.map_err(|e| answer.malformed(chain(&e)))?;
    Ok(signature.document().to_vec())
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
