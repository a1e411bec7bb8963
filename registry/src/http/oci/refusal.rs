//! Refusals in the form of the specification (distribution-spec, "Error Codes"): one table from errors to
//! codes and statuses.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_RANGE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use attestry_schemas::oci::NameError;
use attestry_schemas::problem::chain;
use serde_json::{Value, json};

use crate::http::body::BodyError;
use crate::log::{BatchError, SubmitError};
use crate::oci::OciError;

/// A refusal on its way out.
#[derive(Debug)]
pub(in crate::http) struct OciRefusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    detail: Value,
    headers: Vec<(&'static str, String)>,
}

impl OciRefusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), detail: Value::Null, headers: Vec::new() }
    }

    fn detailed(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }

    /// Adds a header.
    pub(in crate::http) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The caller is not known. `challenge` says how to become it.
    pub(in crate::http) fn unauthorized(message: impl Into<String>, challenge: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message)
            .with(WWW_AUTHENTICATE.as_str(), challenge)
    }

    /// The same, with another challenge where it has one.
    pub(in crate::http) fn challenging(mut self, challenge: &str) -> Self {
        for (name, value) in &mut self.headers {
            if *name == WWW_AUTHENTICATE.as_str() {
                challenge.clone_into(value);
            }
        }
        self
    }

    /// The caller is known and may not.
    pub(in crate::http) fn denied(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "DENIED", message)
    }

    /// Nothing is there.
    pub(in crate::http) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", message)
    }

    /// What was asked is not done here.
    pub(in crate::http) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "UNSUPPORTED", message)
    }

    /// A page that cannot be.
    pub(in crate::http) fn page(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "PAGINATION_NUMBER_INVALID", message)
    }

    /// The path is known, the method is not.
    pub(in crate::http) fn method(message: impl Into<String>, allowed: &str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message)
            .with(ALLOW.as_str(), allowed)
    }

    /// The caller asks more than its share.
    pub(in crate::http) fn too_many(seconds: u64) -> Self {
        let message = format!("expected fewer requests; try again in {seconds} s");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", message)
            .with(RETRY_AFTER.as_str(), seconds.to_string())
    }

    /// The body did not arrive whole, or not in time.
    pub(in crate::http) fn body(status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(status, "BLOB_UPLOAD_INVALID", message)
    }

    /// The range is not within the content.
    pub(in crate::http) fn range(size_bytes: u64, message: impl Into<String>) -> Self {
        Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "SIZE_INVALID", message)
            .with(CONTENT_RANGE.as_str(), format!("bytes */{size_bytes}"))
    }

    /// A failure of this server: told to its log, not to the client.
    fn internal(detail: &str) -> Self {
        tracing::error!(error = detail, "an OCI request failed");
        let message = "this server failed; its log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", message)
    }

    fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "TOOMANYREQUESTS", message)
            .with(RETRY_AFTER.as_str(), "1")
    }
}

impl fmt::Display for OciRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for OciRefusal {}

impl ResponseError for OciRefusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status);
        for (name, value) in &self.headers {
            response.insert_header((*name, value.as_str()));
        }
        let mut error = json!({ "code": self.code, "message": self.message });
        if let (Some(members), false) = (error.as_object_mut(), self.detail.is_null()) {
            members.insert("detail".to_owned(), self.detail.clone());
        }
        response.json(json!({ "errors": [error] }))
    }
}

impl From<BodyError> for OciRefusal {
    fn from(error: BodyError) -> Self {
        let text = error.to_string();
        match error {
            BodyError::TooLarge { limit_bytes, .. } => {
                OciError::TooLarge { limit_bytes: limit_bytes as u64 }.into()
            }
            BodyError::CutShort(_) => Self::body(StatusCode::BAD_REQUEST, text),
            BodyError::TooSlow { .. } => Self::body(StatusCode::REQUEST_TIMEOUT, text),
        }
    }
}

impl From<OciError> for OciRefusal {
    fn from(error: OciError) -> Self {
        let text = chain(&error);
        let of = |status, code| Self::new(status, code, text.clone());
        match error {
            OciError::Name(NameError::Repository { .. }) => {
                of(StatusCode::BAD_REQUEST, "NAME_INVALID")
            }
            OciError::Name(NameError::Tag { .. }) => of(StatusCode::BAD_REQUEST, "TAG_INVALID"),
            OciError::Name(NameError::Digest { .. }) | OciError::Digest { .. } => {
                of(StatusCode::BAD_REQUEST, "DIGEST_INVALID")
            }
            OciError::Manifest(attestry_schemas::oci::ManifestError::TooLarge { .. }) => {
                of(StatusCode::PAYLOAD_TOO_LARGE, "MANIFEST_INVALID")
            }
            OciError::Manifest(_) | OciError::ManifestInvalid(_) => {
                of(StatusCode::BAD_REQUEST, "MANIFEST_INVALID")
            }
            OciError::ManifestBlobUnknown(digests) => {
                of(StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN")
                    .detailed(json!({ "digests": digests }))
            }
            OciError::ManifestUnknown(reference) => of(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN")
                .detailed(json!({ "reference": reference })),
            OciError::BlobUnknown(digest) => {
                of(StatusCode::NOT_FOUND, "BLOB_UNKNOWN").detailed(json!({ "digest": digest }))
            }
            OciError::NameUnknown(_) => of(StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
            OciError::UploadUnknown(_) => of(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
            OciError::UploadInvalid(_) => of(StatusCode::CONFLICT, "BLOB_UPLOAD_INVALID"),
            OciError::TooManyUploads { .. } => {
                of(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS").with("retry-after", "1")
            }
            OciError::OutOfOrder { .. } => {
                of(StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID")
            }
            OciError::Size { .. } => of(StatusCode::BAD_REQUEST, "SIZE_INVALID"),
            OciError::TooLarge { .. } => of(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID"),
            OciError::Denied(_) | OciError::Quota { .. } => of(StatusCode::FORBIDDEN, "DENIED"),
            OciError::Collected(_) | OciError::Stopping => Self::unavailable(text),
            OciError::Log(
                SubmitError::Overloaded { .. } | SubmitError::Stopping | SubmitError::Late { .. },
            ) => Self::unavailable(text),
            OciError::Log(SubmitError::Failed(batch)) => match &*batch {
                BatchError::Store(store) if store.is_storage() => storage(&text),
                _ => Self::internal(&text),
            },
            OciError::Store(store) if store.is_storage() => storage(&text),
            OciError::Store(_) | OciError::Signing(_) => Self::internal(&text),
        }
    }
}

fn storage(text: &str) -> OciRefusal {
    tracing::error!(error = text, "the store cannot be written or read");
    OciRefusal::unavailable(
        "the server's disk is full or failing; nothing was stored; try again when its operator has made room",
    )
}
