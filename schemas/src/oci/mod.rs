//! The OCI distribution and image specifications, as far as bytes and names go: repository names,
//! tags, digests, and manifests read with the types of `oci-spec`.
//!
//! Nothing here knows a registry. Names are the newtypes of [`name`]; a manifest's bytes become a
//! [`manifest::Manifest`] once, strictly, within limits.

pub mod carried;
pub mod image_signature;
pub mod manifest;
pub mod name;
pub mod simple_signing;

pub use carried::{Carried, Form, carried};
pub use manifest::{Kind, Link, Manifest, ManifestError};
pub use name::{BlobDigest, NameError, Reference, RepositoryName, Tag};

/// Media types (image-spec `media-types.md`, and those of Docker that the same tools write).
pub mod media_type {
    /// An image manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An image index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// Docker's image manifest, version 2 schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker's manifest list.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// The configuration of something that has none.
    pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
}
