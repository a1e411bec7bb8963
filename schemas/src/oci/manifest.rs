//! Manifests: image manifests and image indexes of OCI, and those of Docker that have the same form.
//!
//! The bytes are parsed once, strictly (duplicate members are refused at every depth), and read by
//! the types of `oci-spec`; what is served later is the bytes as they came. A document that could be
//! taken for a manifest by one program and for an index by another is refused (CVE-2021-41190):
//! image-spec `manifest.md` and `image-index.md` say that `mediaType` should be there and, when it is,
//! must be this document's own.

use std::collections::BTreeMap;

use oci_spec::image::{Descriptor, ImageIndex, ImageManifest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::media_type;
use super::name::BlobDigest;
use crate::json::{self, JsonError};

/// The most bytes of a manifest: what the specification asks a registry to take at least, and what
/// clients read at most.
pub const MAX_MANIFEST_BYTES: usize = 4 << 20;

/// The most descriptors of a manifest.
pub const MAX_DESCRIPTORS: usize = 10_000;

/// The most bytes of the annotations that a listing of referrers repeats for one of them.
pub const MAX_LISTED_ANNOTATION_BYTES: usize = 16 << 10;

/// The most characters of a media type.
const MAX_MEDIA_TYPE_CHARS: usize = 255;

/// Why bytes are not a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is too large.
    #[error("expected a manifest of at most {MAX_MANIFEST_BYTES} bytes, found {found_bytes}")]
    TooLarge {
        /// Its size.
        found_bytes: usize,
    },
    /// It is not strict JSON.
    #[error("the manifest is not the JSON that was expected")]
    Json(#[source] JsonError),
    /// Its media type is none that this registry keeps.
    #[error(
        "expected a manifest of type {}, {}, {} or {}, found {found:?}",
        media_type::OCI_MANIFEST,
        media_type::OCI_INDEX,
        media_type::DOCKER_MANIFEST,
        media_type::DOCKER_LIST
    )]
    MediaType {
        /// The type that was named.
        found: String,
    },
    /// The header says one type and the document another.
    #[error(
        "expected the Content-Type {document:?} that the manifest's mediaType names, found {header:?}"
    )]
    Contradiction {
        /// The type in the header.
        header: String,
        /// The type in the document.
        document: String,
    },
    /// It could be read as a document of another kind.
    #[error(
        "expected no member {member:?} in {kind}, found one; some programs would read it as another kind of document"
    )]
    Confusion {
        /// What it is.
        kind: Kind,
        /// The member of the other kind.
        member: &'static str,
    },
    /// A member has not the form that the specification gives it.
    #[error("expected {expected} at {at}, found {found:?}")]
    Member {
        /// The member, such as `layers[2].digest`.
        at: String,
        /// What may stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
}

/// What a manifest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A configuration and layers.
    Image,
    /// A list of manifests.
    Index,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Image => "an image manifest",
            Self::Index => "an image index",
        })
    }
}

/// What a manifest refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where it stands, such as `layers[2]`.
    pub at: String,
    /// Its digest.
    pub digest: BlobDigest,
    /// Its size in bytes, as the manifest claims it.
    pub size_bytes: u64,
    /// Its media type.
    pub media_type: String,
    /// Whether it may be kept elsewhere (`urls`, or a layer that must not be distributed).
    pub is_elsewhere: bool,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// A manifest, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// What it is.
    pub kind: Kind,
    /// Its media type.
    pub media_type: String,
    /// What it says it is a manifest of: `artifactType`, or of an image without one the media type of its
    /// configuration (distribution-spec, "Listing Referrers").
    pub artifact_type: Option<String>,
    /// The configuration, of an image.
    pub config: Option<Link>,
    /// The layers of an image.
    pub layers: Vec<Link>,
    /// The manifests of an index.
    pub manifests: Vec<Link>,
    /// What it is about.
    pub subject: Option<Link>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads a manifest; `content_type` is the header's value, where there is one.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge { found_bytes: bytes.len() });
        }
        let value = json::parse(bytes, MAX_MANIFEST_BYTES).map_err(ManifestError::Json)?;
        let (kind, media_type) = kind(&value, content_type)?;
        let foreign: &[&str] = match kind {
            Kind::Image => &["manifests", "fsLayers"],
            Kind::Index => &["config", "layers", "fsLayers"],
        };
        if let Some(member) = foreign.iter().find(|member| value.get(**member).is_some()) {
            return Err(ManifestError::Confusion { kind, member });
        }
        match kind {
            Kind::Image => image(value, media_type),
            Kind::Index => index(value, media_type),
        }
    }

    /// Everything that it refers to and that a registry keeps beside it, but for its subject.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.config.iter().chain(&self.layers).chain(&self.manifests)
    }

    /// The annotations as a listing of referrers repeats them: none when they are too many.
    #[must_use]
    pub fn listed_annotations(&self) -> BTreeMap<String, String> {
        let bytes: usize = self.annotations.iter().map(|(k, v)| k.len() + v.len()).sum();
        match bytes <= MAX_LISTED_ANNOTATION_BYTES {
            true => self.annotations.clone(),
            false => BTreeMap::new(),
        }
    }
}

/// What kind of document it is: by its header and its own `mediaType`, which must not contradict each other.
fn kind(value: &Value, content_type: Option<&str>) -> Result<(Kind, String), ManifestError> {
    let header = content_type.map(|text| text.split(';').next().unwrap_or_default().trim());
    let header = header.filter(|text| !text.is_empty());
    let document = match value.get("mediaType") {
        None => None,
        Some(Value::String(text)) => Some(text.as_str()),
        Some(other) => {
            let found = json::type_name(other).to_owned();
            return Err(member("mediaType", "a string", &found));
        }
    };
    if let (Some(header), Some(document)) = (header, document)
        && !header.eq_ignore_ascii_case(document)
    {
        let (header, document) = (header.to_owned(), document.to_owned());
        return Err(ManifestError::Contradiction { header, document });
    }
    let named = document.or(header);
    let kind = match named.map(str::to_ascii_lowercase).as_deref() {
        Some(media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST) => Kind::Image,
        Some(media_type::OCI_INDEX | media_type::DOCKER_LIST) => Kind::Index,
        found => {
            let found = found.unwrap_or("none").chars().take(MAX_MEDIA_TYPE_CHARS).collect();
            return Err(ManifestError::MediaType { found });
        }
    };
    Ok((kind, named.unwrap_or_default().to_ascii_lowercase()))
}

fn image(value: Value, media_type: String) -> Result<Manifest, ManifestError> {
    let read: ImageManifest =
        json::from_value(value, "image manifest").map_err(ManifestError::Json)?;
    demand_version(read.schema_version())?;
    demand_count("layers", read.layers().len())?;
    let config = link(read.config(), "config")?;
    let artifact_type = read.artifact_type().as_ref().map(ToString::to_string);
    let artifact_type = match artifact_type.filter(|text| !text.is_empty()) {
        Some(text) => demand_media_type("artifactType", text)?,
        None => config.media_type.clone(),
    };
    Ok(Manifest {
        kind: Kind::Image,
        media_type,
        artifact_type: Some(artifact_type),
        layers: links(read.layers(), "layers")?,
        config: Some(config),
        manifests: Vec::new(),
        subject: read.subject().as_ref().map(|subject| link(subject, "subject")).transpose()?,
        annotations: sorted(read.annotations().as_ref()),
    })
}

fn index(value: Value, media_type: String) -> Result<Manifest, ManifestError> {
    let read: ImageIndex = json::from_value(value, "image index").map_err(ManifestError::Json)?;
    demand_version(read.schema_version())?;
    demand_count("manifests", read.manifests().len())?;
    let artifact_type = read.artifact_type().as_ref().map(ToString::to_string);
    let artifact_type = artifact_type.filter(|text| !text.is_empty());
    Ok(Manifest {
        kind: Kind::Index,
        media_type,
        artifact_type: artifact_type
            .map(|text| demand_media_type("artifactType", text))
            .transpose()?,
        config: None,
        layers: Vec::new(),
        manifests: links(read.manifests(), "manifests")?,
        subject: read.subject().as_ref().map(|subject| link(subject, "subject")).transpose()?,
        annotations: sorted(read.annotations().as_ref()),
    })
}

fn member(at: &str, expected: &str, found: &str) -> ManifestError {
    ManifestError::Member {
        at: at.to_owned(),
        expected: expected.to_owned(),
        found: found.chars().take(100).collect(),
    }
}

fn demand_version(version: u32) -> Result<(), ManifestError> {
    match version {
        2 => Ok(()),
        found => Err(member("schemaVersion", "2", &found.to_string())),
    }
}

fn demand_count(at: &str, count: usize) -> Result<(), ManifestError> {
    match count <= MAX_DESCRIPTORS {
        true => Ok(()),
        false => Err(member(at, &format!("at most {MAX_DESCRIPTORS}"), &count.to_string())),
    }
}

/// A media type as RFC 6838 §4.2 has them, as far as what could leave a header or a line goes.
fn demand_media_type(at: &str, text: String) -> Result<String, ManifestError> {
    let plain = |byte: u8| byte.is_ascii_graphic();
    let is_one = text.len() <= MAX_MEDIA_TYPE_CHARS && !text.is_empty() && text.bytes().all(plain);
    match is_one {
        true => Ok(text),
        false => Err(member(at, "a media type", &text)),
    }
}

fn links(descriptors: &[Descriptor], at: &str) -> Result<Vec<Link>, ManifestError> {
    let numbered = descriptors.iter().enumerate();
    numbered.map(|(place, descriptor)| link(descriptor, &format!("{at}[{place}]"))).collect()
}

fn link(descriptor: &Descriptor, at: &str) -> Result<Link, ManifestError> {
    let text = descriptor.digest().to_string();
    let digest: BlobDigest = text
        .parse()
        .map_err(|_| member(&format!("{at}.digest"), "a sha256 or sha512 digest", &text))?;
    let media_type =
        demand_media_type(&format!("{at}.mediaType"), descriptor.media_type().to_string())?;
    let size_bytes = descriptor.size();
    if let Some(data) = descriptor.data() {
        let at = format!("{at}.data");
        let bytes = crate::base64::decode(data, "data")
            .map_err(|_| member(&at, "the content in base64", data))?;
        if bytes.len() as u64 != size_bytes || digest.of_same_algorithm(&bytes) != digest {
            let expected = format!("{size_bytes} bytes with digest {digest}");
            let found = format!("{} bytes with {}", bytes.len(), digest.of_same_algorithm(&bytes));
            return Err(member(&at, &expected, &found));
        }
    }
    let has_urls = descriptor.urls().as_ref().is_some_and(|urls| !urls.is_empty());
    let is_elsewhere = has_urls
        || media_type.contains(".nondistributable.")
        || media_type.contains(".rootfs.foreign.");
    let annotations = sorted(descriptor.annotations().as_ref());
    Ok(Link { at: at.to_owned(), digest, size_bytes, media_type, is_elsewhere, annotations })
}

fn sorted(
    annotations: Option<&std::collections::HashMap<String, String>>,
) -> BTreeMap<String, String> {
    let pairs = annotations.into_iter().flatten();
    pairs.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests;
