//! Why the registry of artifacts refuses: each variant is one code of the specification, or a failure of
//! what lies below.

use attestry_schemas::digest::Sha256;
use attestry_schemas::oci::{BlobDigest, ManifestError, NameError};

use crate::log::{ChangeError, SubmitError};
use crate::store::StoreError;
use crate::store::content::ContentError;

/// Why something was not pushed, pulled or deleted.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// A name, tag or digest is not one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The bytes are not a manifest that is kept here.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest contradicts what is there.
    #[error("{0}")]
    ManifestInvalid(String),
    /// The manifest refers to blobs that the repository does not have.
    #[error("expected the blobs of the manifest in the repository, found none for {}", list(.0))]
    ManifestBlobUnknown(Vec<BlobDigest>),
    /// The repository has no such manifest.
    #[error("no manifest {0} is here")]
    ManifestUnknown(String),
    /// The repository has no such blob.
    #[error("no blob {0} is here")]
    BlobUnknown(BlobDigest),
    /// There is no such repository, or the caller may not know of it.
    #[error("no repository {0} is here")]
    NameUnknown(String),
    /// There is no such session, or it is not the caller's.
    #[error("no upload session {0} is here; begin anew with POST")]
    UploadUnknown(String),
    /// The session is busy, or what was sent does not fit it.
    #[error("{0}")]
    UploadInvalid(String),
    /// There are too many sessions.
    #[error(
        "expected at most {limit} uploads at once, found as many; try again when one has ended"
    )]
    TooManyUploads {
        /// The bound that was met.
        limit: usize,
    },
    /// The chunk does not begin where the last one ended.
    #[error("expected the chunk from byte {expected} on, found {found}")]
    OutOfOrder {
        /// The next byte of the session.
        expected: u64,
        /// What the header says.
        found: String,
    },
    /// The bytes are not as many as the header says.
    #[error("expected {expected} bytes, found {found}")]
    Size {
        /// What was announced.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// The bytes do not have the digest.
    #[error("expected the digest {expected}, found {found}")]
    Digest {
        /// What was announced.
        expected: BlobDigest,
        /// What the bytes have.
        found: BlobDigest,
    },
    /// The content is too large.
    #[error("expected at most {limit_bytes} bytes, found more")]
    TooLarge {
        /// The bound that was met.
        limit_bytes: u64,
    },
    /// The caller may not do this.
    #[error("{0}")]
    Denied(String),
    /// The principal keeps as much as it may.
    #[error(
        "expected {principal} to keep at most {most_bytes} bytes (stored_bytes of its limit in access.toml), found {stored_bytes} and {more_bytes} more; delete what is not needed, or ask the operator"
    )]
    Quota {
        /// Who pushes.
        principal: String,
        /// The bound that was met.
        most_bytes: u64,
        /// What is kept.
        stored_bytes: u64,
        /// What would come.
        more_bytes: u64,
    },
    /// The content went between its upload and its use.
    #[error("the content {0} was collected meanwhile; send it again")]
    Collected(Sha256),
    /// The store failed.
    #[error("the store failed")]
    Store(#[source] StoreError),
    /// The log did not take it.
    #[error("the log did not take it")]
    Log(#[source] SubmitError),
    /// What was to be signed could not be.
    #[error("the move of a tag cannot be signed: {0}")]
    Signing(String),
    /// The server is stopping.
    #[error("the server is stopping; try again in a second")]
    Stopping,
}

fn list(digests: &[BlobDigest]) -> String {
    let texts: Vec<String> = digests.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

impl From<StoreError> for OciError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Content(error) => error.into(),
            error => Self::Store(error),
        }
    }
}

impl From<ContentError> for OciError {
    fn from(error: ContentError) -> Self {
        match error {
            ContentError::DigestMismatch { expected, found } => Self::Digest { expected, found },
            ContentError::TooLarge { limit_bytes } => Self::TooLarge { limit_bytes },
            error => Self::Store(StoreError::Content(error)),
        }
    }
}

impl From<SubmitError> for OciError {
    fn from(error: SubmitError) -> Self {
        Self::Log(error)
    }
}

impl From<ChangeError<OciError>> for OciError {
    fn from(error: ChangeError<OciError>) -> Self {
        match error {
            ChangeError::Refused(error) => error,
            ChangeError::Log(error) => Self::Log(error),
        }
    }
}
