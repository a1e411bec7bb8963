//! The one exhaustive table from what goes wrong inside to what a client is told (RFC 9457).

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use attestry_schemas::problem::{MEDIA_TYPE, Problem, ProblemType, chain};
use attestry_schemas::verify;

use crate::log::BatchError;
use crate::log::{ProofFault, SubmitError};
use crate::store::StoreError;
use crate::store::content::ContentError;

/// A refusal on its way to the client.
#[derive(Debug, Clone)]
pub struct Refusal(Box<Problem>);

impl Refusal {
    /// A refusal of a type, with what was expected, what was found and what to do.
    #[must_use]
    pub fn new(type_: ProblemType, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem::new(type_, detail)))
    }

    /// A fault of the server. The chain goes to the log, the client is told no more than that.
    #[must_use]
    pub fn internal(detail: &str) -> Self {
        tracing::error!(detail, "a request failed");
        let told = "the server failed; its log says why, under this answer's x-request-id";
        Self::new(ProblemType::Internal, told)
    }

    /// Adds a member for programs.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.0.extensions.insert(name.to_owned(), value.into());
        self
    }

    /// The problem.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.0
    }

    /// The refusal of something that does not verify.
    #[must_use]
    pub fn unverified(refusal: &verify::Refusal) -> Self {
        Self::new(ProblemType::DoesNotVerify, refusal.to_string())
            .with("check", refusal.check.name())
            .with("expected", refusal.expected.clone())
            .with("found", refusal.found.clone())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.title, self.0.detail)
    }
}

impl std::error::Error for Refusal {}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((CONTENT_TYPE, MEDIA_TYPE));
        match self.0.status {
            429 | 503 => response.insert_header((RETRY_AFTER, "1")),
            // RFC 9110 §15.5.16: which codings would have been taken.
            415 => response.insert_header((ACCEPT_ENCODING, "identity")),
            // RFC 9110 §15.5.17: how long the content is.
            416 => match self.0.extensions.get("size_bytes") {
                Some(size) => response.insert_header((CONTENT_RANGE, format!("bytes */{size}"))),
                None => &mut response,
            },
            401 => response.insert_header(("WWW-Authenticate", "Bearer realm=\"attestry\"")),
            _ => &mut response,
        };
        response.body(serde_json::to_vec(&*self.0).unwrap_or_default())
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Content(content) => of_content(content),
            _ if error.is_storage() => storage(&error),
            StoreError::Engine(_)
            | StoreError::Record(_)
            | StoreError::Tile(_)
            | StoreError::Missing { .. }
            | StoreError::Version { .. } => Self::internal(&chain(&error)),
        }
    }
}

fn of_content(error: &ContentError) -> Refusal {
    match error {
        ContentError::DigestMismatch { .. } => {
            Refusal::new(ProblemType::DoesNotVerify, error.to_string())
        }
        ContentError::TooLarge { .. } => Refusal::new(ProblemType::TooLarge, error.to_string()),
        ContentError::DiskFull { .. } | ContentError::Io { .. } => storage(error),
    }
}

fn storage(error: &(dyn std::error::Error + 'static)) -> Refusal {
    tracing::error!(error = chain(error), "the store cannot be written or read");
    Refusal::new(
        ProblemType::StorageUnavailable,
        "the server's disk is full or failing; nothing was stored; try again when its operator has made room",
    )
}

impl From<SubmitError> for Refusal {
    fn from(error: SubmitError) -> Self {
        match &error {
            SubmitError::Overloaded { .. } | SubmitError::Stopping | SubmitError::Late { .. } => {
                Self::new(ProblemType::Overloaded, error.to_string())
            }
            SubmitError::Failed(batch) => match &**batch {
                BatchError::Store(store) if store.is_storage() => storage(store),
                BatchError::Store(_) | BatchError::Tree(_) => Self::internal(&chain(&error)),
            },
        }
    }
}

impl From<ProofFault> for Refusal {
    fn from(fault: ProofFault) -> Self {
        match fault {
            ProofFault::OutOfRange(detail) => Self::new(ProblemType::MalformedQuery, detail),
            ProofFault::NoCheckpoint { next, .. } => {
                Self::new(ProblemType::MalformedQuery, fault.to_string()).with("next_size", next)
            }
            ProofFault::Store(error) => error.into(),
        }
    }
}
