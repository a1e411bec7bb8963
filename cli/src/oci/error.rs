//! Why a registry gave nothing that can be used.

use std::path::PathBuf;

use attestry_schemas::oci::{BlobDigest, ManifestError};

use crate::output::{Exit, Remedy, printable};

/// Why a registry gave nothing that can be used. URLs are told without their query, which may hold a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OciError {
    /// It cannot be reached, or the connection broke.
    #[error("cannot reach {url}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What the transport says.
        #[source]
        source: Box<ureq::Error>,
    },
    /// It stayed busy.
    #[error("{url} is busy: {attempts} attempts were answered with status {status}")]
    Busy {
        /// What was asked for.
        url: String,
        /// How often.
        attempts: u32,
        /// 429 or 503.
        status: u16,
    },
    /// It refused.
    #[error("{url} answered {status}{}", told(.message))]
    Refused {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What it says.
        message: String,
        /// Whether credentials were sent.
        authenticated: bool,
    },
    /// Its bytes are not those that were asked for.
    #[error("{url}: expected bytes with digest {expected}, found {found}")]
    Digest {
        /// What was asked for.
        url: String,
        /// The digest by which it was asked for.
        expected: BlobDigest,
        /// What its bytes have.
        found: String,
    },
    /// It sent more or fewer bytes than the descriptor says.
    #[error("{url}: expected {expected_bytes} bytes, found {found}")]
    Size {
        /// What was asked for.
        url: String,
        /// What the descriptor says.
        expected_bytes: u64,
        /// What there was.
        found: String,
    },
    /// A manifest is none.
    #[error("{url} is no manifest that can be read")]
    Manifest {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        #[source]
        source: ManifestError,
    },
    /// The answer is not what the specification says.
    #[error("the answer of {url} is malformed: {detail}")]
    Malformed {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        detail: String,
    },
    /// It sends us where credentials or trust would be lost.
    #[error("{url} sends us to {to}: {why}")]
    Elsewhere {
        /// What was asked for.
        url: String,
        /// Where to.
        to: String,
        /// Why that is not followed.
        why: &'static str,
    },
    /// Credentials cannot be read.
    #[error("the credentials of {}: {detail}", path.display())]
    Credentials {
        /// The file that holds or names them.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A token endpoint gave no token.
    #[error("{url} gave no token: {detail}")]
    Token {
        /// The endpoint.
        url: String,
        /// What it says.
        detail: String,
    },
    /// There is more than is read.
    #[error("expected at most {limit} {what}, found more")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The bound that was met.
        limit: usize,
    },
}

impl OciError {
    /// The HTTP status of a refusal.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether there is no such thing.
    pub(crate) fn is_absent(&self) -> bool {
        self.status() == Some(404)
    }

    /// Whether one item is at fault, and not the registry as a whole: another may still be good.
    pub(crate) fn is_of_item(&self) -> bool {
        matches!(
            self,
            Self::Digest { .. }
                | Self::Size { .. }
                | Self::Manifest { .. }
                | Self::Malformed { .. }
        ) || self.is_absent()
    }
}

impl Remedy for OciError {
    /// 403 and wrong bytes say that somebody looked and refused; all else that nobody could tell.
    fn exit(&self) -> Exit {
        match self {
            Self::Refused { status: 403, .. } | Self::Digest { .. } => Exit::Refused,
            _ => Exit::Undecided,
        }
    }

    fn fix(&self) -> Option<String> {
        let fix = match self {
            Self::Unreachable { .. } => {
                "check the host and that the registry runs; --plain-http speaks http:// to one without TLS"
            }
            Self::Busy { .. } => "try again later",
            Self::Refused { status: 401 | 403, authenticated: false, .. } => {
                "log in with docker login or podman login, or name the registry with --registry and set ATTESTRY_TOKEN"
            }
            Self::Refused { status: 401, .. } => {
                "the credentials were not accepted; log in again with docker login or podman login"
            }
            Self::Refused { status: 403, .. } => "ask for the right to do this in that repository",
            Self::Refused { status: 404, .. } => "check the name, and the tag or digest",
            Self::Refused { status: 500..=599, .. } => "see the registry's log",
            Self::Refused { .. } => return None,
            Self::Digest { .. } | Self::Size { .. } => {
                "do not use it: it is not what its digest names; ask the registry's operator"
            }
            Self::Manifest { .. } => "name an image, an index or another artifact of OCI",
            Self::Malformed { .. } => "check that the host is that of an OCI registry",
            Self::Elsewhere { .. } => "name the registry itself, and ask its operator about this",
            Self::Credentials { .. } => {
                "correct it, or log in again with docker login or podman login"
            }
            Self::Token { .. } => "log in with docker login or podman login",
            Self::TooMany { .. } => {
                "see what the repository holds, and remove what does not belong there"
            }
        };
        Some(fix.to_owned())
    }
}

/// What a registry says, cut and made printable.
fn told(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {}", printable(message)) }
}
