//! A bundle beside its artifact: a manifest that refers to it, as cosign 3 writes them, so that every client
//! finds it through the referrers of the artifact.

use attestry_schemas::bundle::{self, Bundle, Content, SignerMaterial};
use attestry_schemas::oci::{BlobDigest, Manifest, media_type};
use attestry_schemas::statement::Statement;
use jiff::Timestamp;
use serde_json::json;

use super::repository::EMPTY;
use super::{Fetched, OciError, Repository};

/// What the annotations of such a manifest are called: when it was made, what kind of bundle it holds, the
/// type of its statement (cosign), and whose signature it is said to be (ours).
const CREATED: &str = "org.opencontainers.image.created";
const CONTENT: &str = "dev.sigstore.bundle.content";
pub(crate) const PREDICATE_TYPE: &str = "dev.sigstore.bundle.predicateType";
pub(crate) const SIGNER: &str = "dev.attestry.bundle.signer";
/// The name that a layer gives itself as a file.
const TITLE: &str = "org.opencontainers.image.title";

/// The most referrers that are looked at for one that holds the same bundle.
const MAX_COMPARED: usize = 64;

/// What became of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attached {
    /// The manifest that refers to the artifact.
    pub(crate) digest: BlobDigest,
    /// Whether it was there before.
    pub(crate) existing: bool,
}

/// Puts a bundle beside an artifact, unless it lies there.
///
/// # Errors
/// [`OciError`].
pub(crate) fn attach(
    repository: &Repository,
    subject: &Fetched,
    bundle: &Bundle,
    now: Timestamp,
) -> Result<Attached, OciError> {
    let bytes = bundle.to_json();
    let layer: BlobDigest = attestry_schemas::digest::Sha256::of(&bytes).into();
    if repository.has_blob(&layer)?
        && let Some(digest) =
            existing(repository, subject, &layer, predicate_type(bundle).as_deref())?
    {
        return Ok(Attached { digest, existing: true });
    }
    let config = repository.push_small_blob(EMPTY)?;
    repository.push_small_blob(&bytes)?;
    let fetched = manifest(repository, subject, bundle, &config, (&layer, bytes.len()), now)?;
    repository.push_manifest(&fetched, None)?;
    Ok(Attached { digest: fetched.digest, existing: false })
}

/// The manifest that refers to the artifact already and holds this very bundle.
fn existing(
    repository: &Repository,
    subject: &Fetched,
    layer: &BlobDigest,
    predicate_type: Option<&str>,
) -> Result<Option<BlobDigest>, OciError> {
    let listing = repository.referrers(&subject.digest)?;
    let same = listing.entries.iter().filter(|entry| {
        let said = entry.annotations.get(PREDICATE_TYPE).map(String::as_str);
        entry.artifact_type.as_deref() == Some(bundle::MEDIA_TYPE) && said == predicate_type
    });
    for entry in same.take(MAX_COMPARED) {
        match repository.manifest(&entry.digest) {
            Ok(found) if found.manifest.layers.iter().any(|link| link.digest == *layer) => {
                return Ok(Some(found.digest));
            }
            Ok(_) => {}
            Err(error) if error.is_of_item() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn manifest(
    repository: &Repository,
    subject: &Fetched,
    bundle: &Bundle,
    config: &BlobDigest,
    (layer, layer_bytes): (&BlobDigest, usize),
    now: Timestamp,
) -> Result<Fetched, OciError> {
    let created = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let kind = match &bundle.content {
        Content::Envelope(_) => "dsse-envelope",
        Content::Message(_) => "message-signature",
    };
    let mut annotations = json!({ CREATED: created, CONTENT: kind });
    if let Some(members) = annotations.as_object_mut() {
        members.extend(predicate_type(bundle).map(|uri| (PREDICATE_TYPE.to_owned(), uri.into())));
        members.extend(signer(bundle).map(|signer| (SIGNER.to_owned(), signer.into())));
    }
    let title = format!("{}.sigstore.json", layer.to_string().replace(':', "-"));
    let document = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "artifactType": bundle::MEDIA_TYPE,
        "config": { "mediaType": media_type::EMPTY, "digest": config, "size": EMPTY.len() },
        "layers": [{
            "mediaType": bundle::MEDIA_TYPE,
            "digest": layer,
            "size": layer_bytes,
            "annotations": { TITLE: title },
        }],
        "subject": {
            "mediaType": subject.manifest.media_type,
            "digest": subject.digest,
            "size": subject.bytes.len(),
        },
        "annotations": annotations,
    });
    let bytes = document.to_string().into_bytes();
    let manifest = Manifest::parse(&bytes, None)
        .map_err(|source| OciError::Manifest { url: repository.label(), source })?;
    let digest = attestry_schemas::digest::Sha256::of(&bytes).into();
    Ok(Fetched { bytes, digest, manifest })
}

/// The type of the bundle's statement, where it has one.
fn predicate_type(bundle: &Bundle) -> Option<String> {
    let Content::Envelope(envelope) = &bundle.content else { return None };
    Statement::parse(&envelope.payload).ok().map(|statement| statement.predicate_type)
}

/// The fingerprint of the key that the bundle hints at: a hint for readers, like the bundle's own.
fn signer(bundle: &Bundle) -> Option<String> {
    let SignerMaterial::PublicKey { hint } = &bundle.signer else { return None };
    let hash = attestry_schemas::base64::decode(hint, "hint").ok()?;
    (hash.len() == 32).then(|| format!("SHA256:{}", hint.trim_end_matches('=')))
}
