//! A pack: everything that a decision stands on, in one file, to decide again offline.
//!
//! `application/vnd.attestry.pack.v1+json`: the question's artifact and environment, the size of the log, the genesis
//! statement, the statements that say who rules, the evidence, and the documents that they name by digest. Every
//! bundle carries its log proof. [`Pack::open`] verifies all of it against a trusted root that the user names: the registry's
//! signature over the whole, so that nothing was taken out or given a later proof since, and each bundle by itself. What
//! does not verify is left out and told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::governance::{Governance, Proposal, Roots};
use super::{Evidence, Held};
use crate::base64;
use crate::bundle::{Bundle, Content};
use crate::digest::Sha256;
use crate::dsse::{self, Envelope};
use crate::json::{self, JsonError};
use crate::key::{PublicKey, SigningKey};
use crate::oci::image_signature::ImageSignature;
use crate::predicate::attestry::governance::Genesis;
use crate::predicate::{Predicate as _, UtcTime};
use crate::problem::chain;
use crate::rekor::{self, Entry, TlogEntry};
use crate::trusted_root::TrustedRoot;
use crate::verify::{self, CertificateRoots, Verified};

/// The media type of a pack.
pub const MEDIA_TYPE: &str = "application/vnd.attestry.pack.v1+json";
/// The most bytes of a pack.
pub const MAX_PACK_BYTES: usize = 256 << 20;
/// The most bundles of a pack.
pub const MAX_BUNDLES: usize = 100_000;

/// Why a pack is of no use.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// It is not a pack.
    #[error("expected a pack ({MEDIA_TYPE})")]
    Json(#[source] JsonError),
    /// It is of another media type.
    #[error("expected mediaType {MEDIA_TYPE}, found {0:?}")]
    MediaType(String),
    /// It has more bundles than are read.
    #[error("expected at most {MAX_BUNDLES} bundles, found {0}")]
    TooMany(usize),
    /// It is not as the registry made it.
    #[error(
        "expected the signature of the registry over the whole pack: {0}; it was changed, or made by an older version: make it again with attestry gate pack"
    )]
    Signature(String),
    /// Its genesis statement does not say whose log this is.
    #[error("expected the genesis statement of a log of the trusted root, at index 0: {0}")]
    Genesis(String),
}

/// A pack as it was read: nothing of it is verified.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pack {
    /// [`MEDIA_TYPE`].
    pub media_type: String,
    /// The artifact, `sha256:…`.
    pub subject: String,
    /// The environment.
    pub environment: String,
    /// What the caller called the artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The size of the log when the pack was made.
    pub size: u64,
    /// The bundle of the genesis statement.
    pub genesis: Value,
    /// The keys of the roster that stand in it by fingerprint alone, as PEM.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Roster, policy and revocation statements.
    pub governance: Vec<Packed>,
    /// The evidence.
    pub evidence: Vec<Packed>,
    /// The documents that statements and policies name, in base64 by digest.
    pub documents: BTreeMap<String, String>,
    /// The signature of the log's key over the PAE of the media type and all else as canonical JSON (RFC 8785), in base64.
    #[serde(default)]
    pub signature: String,
}

/// One attestation of a pack.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Packed {
    /// The Sigstore bundle with its log proof.
    pub bundle: Value,
    /// The envelope as it was posted, in base64, where those are not the bytes that a bundle's envelope has: what the
    /// attestation's digest is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posted: Option<String>,
    /// The document that a signature of cosign 2 is over, in base64: it names the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
}

/// What of a pack did not verify.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LeftOut {
    /// What it is, and why.
    pub why: String,
    /// Whether it is signed with a certificate: of an authority that is not among those that were named, perhaps.
    pub is_certificate: bool,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// A pack whose content was verified against a trusted root.
#[derive(Debug)]
pub struct Opened {
    /// The host name of the log.
    pub origin: String,
    /// The size of the log when the pack was made.
    pub size: u64,
    /// Who rules.
    pub governance: Governance,
    /// The evidence that verified.
    pub evidence: Vec<Arc<Evidence>>,
    /// What did not verify, and why.
    pub left_out: Vec<LeftOut>,
    documents: BTreeMap<Sha256, Vec<u8>>,
    roots: Roots,
    statements: Vec<Arc<Evidence>>,
}

impl Pack {
    /// The same with the signature of the log's key: nothing can be added, left out, or given a later proof.
    ///
    /// # Errors
    /// [`PackError::Json`], which a pack that was made of values never is.
    pub fn signed(mut self, key: &SigningKey) -> Result<Self, PackError> {
        self.signature = base64::encode(key.sign(&self.signed_bytes()?));
        Ok(self)
    }

    fn signed_bytes(&self) -> Result<Vec<u8>, PackError> {
        let bare = Self { signature: String::new(), ..self.clone() };
        let canonical = json::canonical(&bare).map_err(PackError::Json)?;
        Ok(dsse::pae(MEDIA_TYPE, &canonical))
    }

    fn demand_signature(&self, key: &PublicKey) -> Result<(), PackError> {
        let signature = base64::decode(&self.signature, "signature");
        let signature = signature.map_err(|e| PackError::Signature(chain(&e)))?;
        let verified = key.verify(&self.signed_bytes()?, &signature);
        verified.map_err(|e| PackError::Signature(e.to_string()))
    }

    /// Reads a pack.
    ///
    /// # Errors
    /// [`PackError`].
    pub fn parse(text: &[u8]) -> Result<Self, PackError> {
        let value = json::parse(text, MAX_PACK_BYTES).map_err(PackError::Json)?;
        let pack: Self = json::from_value(value, "the pack").map_err(PackError::Json)?;
        if pack.media_type != MEDIA_TYPE {
            return Err(PackError::MediaType(pack.media_type.chars().take(100).collect()));
        }
        let count = pack.governance.len() + pack.evidence.len();
        if count > MAX_BUNDLES { Err(PackError::TooMany(count)) } else { Ok(pack) }
    }

    /// Verifies the pack against a trusted root that the user names, and certificates in it against the roots that ship with the
    /// program.
    ///
    /// # Errors
    /// As [`Pack::open_with`].
    pub fn open(&self, root: &TrustedRoot) -> Result<Opened, PackError> {
        self.open_with(root, &CertificateRoots::embedded())
    }

    /// Verifies the pack against a trusted root that the user names, and certificates in it against these roots.
    ///
    /// # Errors
    /// [`PackError::Genesis`] when the log cannot be told; what else does not verify is left out.
    pub fn open_with(
        &self,
        root: &TrustedRoot,
        certificates: &CertificateRoots,
    ) -> Result<Opened, PackError> {
        let (origin, roots) = self.roots(root)?;
        let key = log_key(root, &origin).ok_or_else(|| PackError::Genesis("no key".to_owned()))?;
        self.demand_signature(&key)?;
        let mut left_out = Vec::new();
        let documents = self.documents(&mut left_out);
        let find = |digest: Sha256| documents.get(&digest).cloned();
        // Root keys are named by fingerprint in the genesis statement; the keys themselves may stand anywhere.
        let mut keys = self.keys();
        // Keys alone say who rules.
        let trust = |keys: &[PublicKey]| Trusted { keys: keys.to_vec(), root, certificates: None };
        let statements = verified(&self.governance, &trust(&keys), &mut Vec::new());
        let governance = Governance::at(self.size, &roots, &statements, &find);
        if let Some(trust) = &governance.trust {
            keys.extend(trust.roster().keys().cloned());
        }
        // The policies' signers stand in the roster, which is known only now.
        let statements = verified(&self.governance, &trust(&keys), &mut left_out);
        let governance = Governance::at(self.size, &roots, &statements, &find);
        keys.extend(log_key(root, &origin));
        let trust = Trusted { keys, root, certificates: Some(certificates) };
        let evidence = verified(&self.evidence, &trust, &mut left_out);
        let size = self.size;
        Ok(Opened { origin, size, governance, evidence, left_out, documents, roots, statements })
    }

    fn keys(&self) -> Vec<PublicKey> {
        self.keys.iter().filter_map(|pem| PublicKey::from_pem(pem).ok()).collect()
    }

    fn documents(&self, left_out: &mut Vec<LeftOut>) -> BTreeMap<Sha256, Vec<u8>> {
        let mut documents = BTreeMap::new();
        for (digest, text) in &self.documents {
            let bytes = base64::decode(text, "document").ok();
            match (digest.parse::<Sha256>(), bytes) {
                (Ok(digest), Some(bytes)) if Sha256::of(&bytes) == digest => {
                    documents.insert(digest, bytes);
                }
                _ => left_out.push(LeftOut {
                    why: format!("the document {digest}: its bytes have another digest"),
                    is_certificate: false,
                }),
            }
        }
        documents
    }

    fn roots(&self, root: &TrustedRoot) -> Result<(String, Roots), PackError> {
        let fault = |text: String| PackError::Genesis(text);
        let bundle = Bundle::from_value(self.genesis.clone()).map_err(|e| fault(chain(&e)))?;
        for log in root.logs() {
            let Some(key) = log_key(root, &log.origin) else { continue };
            let Ok((signed, held)) = logged(&bundle, std::slice::from_ref(&key), root) else {
                continue;
            };
            let statement = &signed.get().statement;
            if held.index != 0 || statement.predicate_type != Genesis::URI {
                continue;
            }
            let genesis =
                Genesis::from_value(&statement.predicate).map_err(|e| fault(chain(&e)))?;
            if genesis.origin == log.origin {
                return Ok((
                    genesis.origin.clone(),
                    Roots::of_genesis(&genesis, key.fingerprint()),
                ));
            }
        }
        Err(fault("found none".to_owned()))
    }
}

impl Opened {
    /// Who would rule, if something more were published.
    #[must_use]
    pub fn governance_with(&self, proposal: &Proposal) -> Governance {
        let find = |digest: Sha256| self.document(digest);
        Governance::with(self.size, &self.roots, &self.statements, &find, proposal)
    }

    /// A document that a policy names.
    #[must_use]
    pub fn document(&self, digest: Sha256) -> Option<Vec<u8>> {
        self.documents.get(&digest).cloned()
    }
}

fn log_key(root: &TrustedRoot, origin: &str) -> Option<PublicKey> {
    root.logs().iter().find(|log| log.origin == origin).map(|log| log.key.clone())
}

/// Whose signatures count in a pack, and whose log.
struct Trusted<'r> {
    keys: Vec<PublicKey>,
    root: &'r TrustedRoot,
    /// None where no certificate counts.
    certificates: Option<&'r CertificateRoots>,
}

/// The evidence of the bundles that verify with one of the keys or a certificate, each once.
fn verified(
    bundles: &[Packed],
    trust: &Trusted<'_>,
    left_out: &mut Vec<LeftOut>,
) -> Vec<Arc<Evidence>> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for (index, packed) in bundles.iter().enumerate() {
        match of_packed(packed, trust) {
            Ok(evidence) if seen.insert(evidence.index()) => all.push(Arc::new(evidence)),
            Ok(_) => {}
            Err(why) => left_out.push(LeftOut {
                why: format!("bundle {index}: {why}"),
                is_certificate: Bundle::from_value(packed.bundle.clone())
                    .is_ok_and(|bundle| bundle.signer.leaf().is_some()),
            }),
        }
    }
    all
}

fn of_packed(packed: &Packed, trust: &Trusted<'_>) -> Result<Evidence, String> {
    let bundle = Bundle::from_value(packed.bundle.clone()).map_err(|e| chain(&e))?;
    let Trusted { keys, root, .. } = trust;
    // What a leaf says of its signer is what the registry goes by: who has left the roster has signed all the same.
    let keys: Vec<PublicKey> = leaf_key(&bundle).into_iter().chain(keys.iter().cloned()).collect();
    let keys = keys.as_slice();
    match (&bundle.signer, &bundle.content) {
        (signer, _) if signer.leaf().is_some() => {
            let certificates = trust.certificates.ok_or("expected a key, found a certificate")?;
            of_certificate(bundle, root, certificates)
        }
        (_, Content::Envelope(envelope)) => {
            let (signed, mut held) = logged(&bundle, keys, root)?;
            if let Some(posted) = &packed.posted {
                let bytes = base64::decode(posted, "envelope").map_err(|e| chain(&e))?;
                let same = Envelope::parse(&bytes).map_err(|e| chain(&e))?;
                if same != *envelope {
                    return Err(
                        "expected the posted envelope of the bundle, found another".to_owned()
                    );
                }
                held.digest = Sha256::of(&bytes);
            }
            Ok(Evidence::of_statement(&signed, held))
        }
        (_, Content::Message(message)) => {
            let (signed, kept) = match &packed.document {
                Some(document) => {
                    let document = base64::decode(document, "document").map_err(|e| chain(&e))?;
                    let signature = ImageSignature::new(message.signature.clone(), document)
                        .map_err(|e| chain(&e))?;
                    let signed = verify::image_signature(&signature, keys);
                    let signed = signed.map_err(|e| e.to_string())?;
                    let kept = signature.to_json(&signed.get().author);
                    (signed, kept)
                }
                None => {
                    let signed = verify::message(message, keys).map_err(|e| e.to_string())?;
                    // Message signatures are kept as their bundle without log entries.
                    let material = signed.get().author.material();
                    let kept = Bundle::of_signer(material, bundle.content.clone()).to_json();
                    (signed, kept)
                }
            };
            let held = held(&bundle.tlog_entries, &signed.get().entry, Sha256::of(&kept), root)?;
            Ok(Evidence::of_message(&signed, held))
        }
    }
}

/// The key that the leaf of a bundle names. The leaf is proven, and the signature verified by it, before anything is believed.
fn leaf_key(bundle: &Bundle) -> Option<PublicKey> {
    let entry = Entry::parse(&bundle.tlog_entries.first()?.canonicalized_body).ok()?;
    match entry.verifier {
        rekor::Verifier::PublicKey(key) => Some(key),
        _ => None,
    }
}

/// The evidence of a certificate's bundle: the log's entry stands behind those that it came with.
fn of_certificate(
    mut bundle: Bundle,
    root: &TrustedRoot,
    certificates: &CertificateRoots,
) -> Result<Evidence, String> {
    let proof = Vec::from_iter(bundle.tlog_entries.pop());
    let digest = Sha256::of(&bundle.to_json());
    let certified = verify::certified(&bundle, certificates).map_err(|e| e.to_string())?;
    let entry = certified.entry();
    let found = held(&proof, entry, digest, root).or_else(|why| match entry.other_form() {
        // The log may have the signature from before, in the other form.
        Some(other) => held(&proof, &other, digest, root).map_err(|_| why),
        None => Err(why),
    });
    Ok(Evidence::of_certified(&certified, found?))
}

fn logged(
    bundle: &Bundle,
    keys: &[PublicKey],
    root: &TrustedRoot,
) -> Result<(Verified<verify::SignedStatement>, Held), String> {
    let Content::Envelope(envelope) = &bundle.content else {
        return Err("expected an envelope, found a message signature".to_owned());
    };
    let signed = verify::envelope(envelope, keys).map_err(|e| e.to_string())?;
    let digest = Sha256::of(&envelope.to_json());
    let held = held(&bundle.tlog_entries, &signed.get().entry, digest, root)?;
    Ok((signed, held))
}

/// Where the log holds what a bundle signs, by its own proof, which stands first.
fn held(
    proofs: &[TlogEntry],
    entry: &Entry,
    digest: Sha256,
    root: &TrustedRoot,
) -> Result<Held, String> {
    let proof = proofs.first().ok_or("expected a log entry, found none")?;
    let logged = verify::log_entry(proof, entry, root).map_err(|e| e.to_string())?;
    let logged = logged.get();
    let seconds =
        logged.cosigned_at_s.ok_or("expected a checkpoint that says when it was signed")?;
    let seconds = i64::try_from(seconds).map_err(|_| "the checkpoint's time is out of range")?;
    let moment = jiff::Timestamp::from_second(seconds).map_err(|e| e.to_string())?;
    Ok(Held { digest, index: logged.index, logged_at: UtcTime::from(moment) })
}
