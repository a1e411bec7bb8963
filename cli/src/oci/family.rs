//! What belongs to a manifest: the manifests of an index, and whatever refers to it.

use attestry_schemas::oci::{Link, Tag};

use super::discover::{COSIGN_ATTESTATIONS, COSIGN_SIGNATURES};
use super::repository::{Descriptor, fallback_tag};
use super::{Fetched, OciError, Repository};

/// How deep manifests are followed: an index in an index, a signature of a signature.
pub(crate) const MAX_DEPTH: usize = 8;
/// The most manifests that belong to one artifact.
pub(crate) const MAX_MANIFESTS: usize = 20_000;

/// What cosign 2 adds to the fallback tag for bills of materials.
const COSIGN_SBOMS: &str = ".sbom";

/// What refers to a manifest.
#[derive(Debug, Default)]
pub(crate) struct Around {
    /// The referrers that the registry lists.
    pub(crate) referrers: Vec<Descriptor>,
    /// What lies at cosign 2's tags.
    pub(crate) tagged: Vec<(Tag, Fetched)>,
    /// Whether the registry has more than was listed.
    pub(crate) is_cut: bool,
}

impl Around {
    /// Asks for what refers to a manifest. At cosign 2's tags it is looked for where the manifest itself refers to
    /// nothing: nobody signs signatures that way, and each tag is a request.
    ///
    /// # Errors
    /// [`OciError`].
    pub(crate) fn of(repository: &Repository, fetched: &Fetched) -> Result<Self, OciError> {
        let digest = &fetched.digest;
        let listing = repository.referrers(digest)?;
        let mut tagged = Vec::new();
        let suffixes = [COSIGN_SIGNATURES, COSIGN_ATTESTATIONS, COSIGN_SBOMS];
        for suffix in suffixes.into_iter().filter(|_| fetched.manifest.subject.is_none()) {
            let Ok(tag) = (fallback_tag(digest).to_string() + suffix).parse::<Tag>() else {
                continue;
            };
            if let Some(fetched) = repository.tagged(&tag)? {
                tagged.push((tag, fetched));
            }
        }
        Ok(Self { referrers: listing.entries, tagged, is_cut: listing.is_cut })
    }
}

/// What tells BuildKit's attestation manifests from images.
const BUILDKIT: &str = "vnd.docker.reference.type";

/// What an entry of an index is for: its platform, or that it holds attestations of BuildKit.
pub(crate) fn role(index: &Fetched, place: usize, link: &Link) -> Option<String> {
    if let Some(kind) = link.annotations.get(BUILDKIT) {
        return Some(format!("{kind} of BuildKit, unsigned"));
    }
    let value: serde_json::Value = serde_json::from_slice(&index.bytes).ok()?;
    let platform = value.get("manifests")?.get(place)?.get("platform")?;
    let part = |name: &str| platform.get(name).and_then(|part| part.as_str());
    let variant = part("variant").map(|variant| format!("/{variant}")).unwrap_or_default();
    Some(format!("{}/{}{variant}", part("os")?, part("architecture")?))
}
