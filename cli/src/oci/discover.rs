//! The evidence about an artifact in a repository, wherever the tools of the field put it.
//!
//! | written by | where | form |
//! |---|---|---|
//! | cosign 3, attestry | a referrer | a Sigstore bundle |
//! | cosign 2 | the tag `sha256-<hex>.att` | DSSE envelopes |
//! | cosign 2 | the tag `sha256-<hex>.sig` | documents that were signed, signatures in annotations |
//! | oras, witness, others | a referrer | DSSE envelopes |
//!
//! Anybody who may push can add referrers, so how many are looked at is bounded, and those that say they are what is
//! wanted come first. What they say only sorts them: it is believed of none, and hides none.

use std::collections::VecDeque;

use attestry_schemas::bundle::{Bundle, Content, MAX_BUNDLE_BYTES};
use attestry_schemas::dsse::{Envelope, MAX_ENVELOPE_BYTES};
use attestry_schemas::json;
use attestry_schemas::oci::carried::MAX_CARRIED;
use attestry_schemas::oci::simple_signing::{self, MAX_PAYLOAD_BYTES};
use attestry_schemas::oci::{BlobDigest, Carried, Form, carried};

use super::attach::{PREDICATE_TYPE, SIGNER};
use super::repository::{Descriptor, fallback_tag};
use super::{OciError, Repository};
use crate::output::chain;

/// The most manifests and layers that are read for one artifact.
pub(crate) const MAX_READ: usize = 24_576;
/// The most bytes that are read for one artifact.
const MAX_TOTAL_BYTES: u64 = 512 << 20;
/// The most reasons that are kept of what cannot be read.
const MAX_REASONS: usize = 3;
/// What cosign 2 adds to the fallback tag for signatures and for attestations.
pub(crate) const COSIGN_SIGNATURES: &str = ".sig";
pub(crate) const COSIGN_ATTESTATIONS: &str = ".att";

/// What is looked for.
pub(crate) struct Wanted {
    /// The fingerprints of the keys whose signatures count.
    pub(crate) signers: Vec<String>,
    /// Whether a predicate type could prove what is demanded.
    pub(crate) is_wanted: Box<dyn Fn(&str) -> bool>,
}

/// A piece of evidence. Nothing of it is believed yet.
pub(crate) struct Piece {
    /// Where it is from.
    pub(crate) place: String,
    /// The signature, with what proves its time.
    pub(crate) bundle: Bundle,
    /// The document that cosign 2 signed in the artifact's place.
    pub(crate) document: Option<Vec<u8>>,
}

/// Something to be read.
enum Source {
    /// A manifest that refers to the artifact.
    Referrer(Descriptor),
    /// A layer of a manifest at one of cosign 2's tags.
    Layer(String, Carried),
}

/// A search under way: what was found is read as it is asked for, so that a good signature ends it early.
pub(crate) struct Discovery<'r> {
    repository: &'r Repository,
    waiting: VecDeque<Source>,
    read: usize,
    read_bytes: u64,
    /// Whether there is more than was read.
    pub(crate) is_cut: bool,
    /// What could not be read, and why; the first few.
    pub(crate) unreadable: Vec<String>,
    /// How much could not be read.
    pub(crate) unreadable_count: u64,
    /// What the referrers say they are, each once.
    pub(crate) listed: Vec<String>,
}

impl<'r> Discovery<'r> {
    /// Lists what there is about an artifact.
    ///
    /// # Errors
    /// [`OciError`].
    pub(crate) fn of(
        repository: &'r Repository,
        artifact: &BlobDigest,
        wanted: &Wanted,
    ) -> Result<Self, OciError> {
        let listing = repository.referrers(artifact)?;
        let mut found = Self {
            repository,
            waiting: VecDeque::new(),
            read: 0,
            read_bytes: 0,
            is_cut: listing.is_cut,
            unreadable: Vec::new(),
            unreadable_count: 0,
            listed: Vec::new(),
        };
        let mut ranked: Vec<(u8, Source)> = Vec::new();
        for entry in listing.entries {
            found.note(&entry);
            if let Some(rank) = rank(&entry, wanted) {
                ranked.push((rank, Source::Referrer(entry)));
            }
        }
        for suffix in [COSIGN_SIGNATURES, COSIGN_ATTESTATIONS] {
            let tag = fallback_tag(artifact).to_string() + suffix;
            let Ok(tag) = tag.parse() else { continue };
            match repository.tagged(&tag) {
                Ok(Some(fetched)) => {
                    let place = format!("oci://{}:{tag}", repository.label());
                    found.is_cut |= fetched.manifest.layers.len() > MAX_CARRIED;
                    // The newest come last, and only as many as there can be signatures of one artifact.
                    let layers = carried(&fetched.manifest).into_iter().rev();
                    ranked.extend(
                        layers.map(|layer| (RANK_TAGGED, Source::Layer(place.clone(), layer))),
                    );
                    found.listed.push(format!("{tag}"));
                }
                Ok(None) => {}
                Err(error) if error.is_of_item() => found.skip(&chain(&error)),
                Err(error) => return Err(error),
            }
        }
        ranked.sort_by_key(|(rank, _)| *rank);
        found.waiting = ranked.into_iter().map(|(_, source)| source).collect();
        found.listed.sort();
        found.listed.dedup();
        Ok(found)
    }

    fn note(&mut self, entry: &Descriptor) {
        let predicate = entry.annotations.get(PREDICATE_TYPE).cloned();
        let kind = predicate.or_else(|| entry.artifact_type.clone());
        // A list of ten thousand kinds tells nobody anything.
        if self.listed.len() < MAX_READ {
            self.listed.push(kind.unwrap_or_else(|| entry.media_type.clone()));
        }
    }

    fn skip(&mut self, why: &str) {
        self.unreadable_count += 1;
        if self.unreadable.len() < MAX_REASONS {
            self.unreadable.push(why.to_owned());
        }
    }

    /// Reads on until there is a piece of evidence, or nothing more.
    ///
    /// # Errors
    /// [`OciError`] when the registry cannot be asked any further.
    pub(crate) fn next_piece(&mut self) -> Result<Option<Piece>, OciError> {
        while let Some(source) = self.waiting.pop_front() {
            if self.read >= MAX_READ || self.read_bytes >= MAX_TOTAL_BYTES {
                self.is_cut = true;
                return Ok(None);
            }
            self.read += 1;
            let outcome = match source {
                Source::Layer(place, layer) => self.piece(&place, &layer).map(Some),
                Source::Referrer(entry) => self.open(&entry).map(|()| None),
            };
            match outcome {
                Ok(Some(piece)) => return Ok(Some(piece)),
                Ok(None) => {}
                Err(Fault::Item(why)) => self.skip(&why),
                Err(Fault::Registry(error)) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Reads a manifest that refers to the artifact, and puts its layers next.
    fn open(&mut self, entry: &Descriptor) -> Result<(), Fault> {
        let fetched = self.repository.manifest(&entry.digest)?;
        self.read_bytes += fetched.bytes.len() as u64;
        let place = self.repository.place(&entry.digest);
        let layers = carried(&fetched.manifest);
        for layer in layers.into_iter().rev().filter(|layer| layer.form != Form::Unsigned) {
            self.waiting.push_front(Source::Layer(place.clone(), layer));
        }
        Ok(())
    }

    fn piece(&mut self, place: &str, layer: &Carried) -> Result<Piece, Fault> {
        let limit_bytes = match layer.form {
            Form::Bundle => MAX_BUNDLE_BYTES,
            Form::Envelope | Form::InToto => MAX_ENVELOPE_BYTES,
            Form::SimpleSigning { .. } => MAX_PAYLOAD_BYTES,
            Form::Unsigned => return Err(Fault::Item(format!("{place}: nobody signed it"))),
        };
        let link = &layer.link;
        let bytes = self.repository.blob(&link.digest, link.size_bytes, limit_bytes as u64)?;
        self.read_bytes += bytes.len() as u64;
        let unreadable =
            |error: &dyn std::error::Error| Fault::Item(format!("{place}: {}", chain(error)));
        let (bundle, document) = match &layer.form {
            Form::Bundle => (Bundle::parse(&bytes).map_err(|e| unreadable(&e))?, None),
            Form::SimpleSigning { .. } => {
                let bundle = simple_signing::bundle_of(&bytes, &link.annotations);
                (bundle.map_err(|e| unreadable(&e))?, Some(bytes))
            }
            Form::Envelope | Form::InToto | Form::Unsigned => {
                let value = json::parse(&bytes, MAX_ENVELOPE_BYTES).map_err(|e| unreadable(&e))?;
                let envelope = Envelope::from_value(value).map_err(|e| unreadable(&e))?;
                let content = Content::Envelope(envelope);
                let bundle = simple_signing::with_annotations(content, &link.annotations);
                (bundle.map_err(|e| unreadable(&e))?, None)
            }
        };
        Ok(Piece { place: place.to_owned(), bundle, document })
    }
}

/// Whose fault it is that something cannot be read.
enum Fault {
    /// Its own: there may be other evidence.
    Item(String),
    /// The registry's: nothing more can be read.
    Registry(OciError),
}

impl From<OciError> for Fault {
    fn from(error: OciError) -> Self {
        if error.is_of_item() { Self::Item(chain(&error)) } else { Self::Registry(error) }
    }
}

/// Where layers at cosign 2's tags stand between referrers: behind those that say to be what is wanted.
const RANK_TAGGED: u8 = 2;

/// How likely a referrer is what is wanted, 0 first; nothing for what holds no signature.
fn rank(entry: &Descriptor, wanted: &Wanted) -> Option<u8> {
    let kind = entry.artifact_type.as_deref().unwrap_or_default();
    let may_be_signed = kind.is_empty()
        || kind.starts_with("application/vnd.dev.sigstore.bundle")
        || kind.starts_with("application/vnd.dev.cosign.")
        || kind.contains("in-toto")
        || kind.contains("dsse")
        || kind.contains("witness")
        // Of these the listing says nothing: their configuration stands for their type.
        || kind.starts_with("application/vnd.oci.");
    if !may_be_signed {
        return None;
    }
    let says = |name: &str| entry.annotations.get(name);
    let by_signer = says(SIGNER).is_some_and(|signer| wanted.signers.contains(signer));
    let fits = says(PREDICATE_TYPE).map(|uri| (wanted.is_wanted)(uri));
    Some(match (by_signer, fits) {
        (true, Some(true)) => 0,
        (_, Some(true)) | (true, None) => 1,
        (_, None) => 3,
        (_, Some(false)) => 4,
    })
}
