//! Problem details for HTTP APIs (RFC 9457), from one closed list of types.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// Where the types live; the last segment is [`ProblemType::name`].
pub const TYPE_BASE: &str = "https://attestry.dev/problems/";

macro_rules! problem_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $title:literal;)+) => {
        /// Every kind of problem a registry answers with.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemType {
            $($(#[$doc])* $variant,)+
        }

        impl ProblemType {
            /// The closed list.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The last segment of the type's URI.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The HTTP status it is answered with.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status),+ }
            }

            /// A short summary that does not change from occurrence to occurrence.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }
        }
    };
}

problem_types! {
    /// The body or an item of it does not parse.
    MalformedBody = "malformed-body", 400, "The body does not parse";
    /// A query parameter is unknown or malformed.
    MalformedQuery = "malformed-query", 400, "The query does not parse";
    /// A path segment is malformed.
    MalformedPath = "malformed-path", 400, "The path does not parse";
    /// A Rekor entry kind that this log does not record.
    UnsupportedEntry = "unsupported-entry", 400, "This kind of log entry is not supported";
    /// No credential, or one that is not known.
    Unauthorized = "unauthorized", 401, "A valid token is required";
    /// The credential or the signer may not do this.
    Forbidden = "forbidden", 403, "Not allowed";
    /// No such thing, or none that the caller may see.
    NotFound = "not-found", 404, "Not found";
    /// The path exists, the method does not.
    MethodNotAllowed = "method-not-allowed", 405, "Method not allowed";
    /// The client was too slow.
    RequestTimeout = "request-timeout", 408, "The request took too long";
    /// Another resource stands in the way.
    Conflict = "conflict", 409, "Conflict";
    /// A bound on size or count was met.
    TooLarge = "too-large", 413, "Too large";
    /// The content type is not one that is read here.
    UnsupportedMediaType = "unsupported-media-type", 415, "Unsupported media type";
    /// The range lies outside the content.
    RangeNotSatisfiable = "range-not-satisfiable", 416, "Range not satisfiable";
    /// Well formed, but a signature, a digest or a required field does not hold.
    DoesNotVerify = "does-not-verify", 422, "Does not verify";
    /// The signer is not one that this registry accepts.
    UntrustedSigner = "untrusted-signer", 422, "The signer is not trusted here";
    /// Too many requests.
    TooManyRequests = "too-many-requests", 429, "Too many requests";
    /// A fault of the server.
    Internal = "internal", 500, "Internal error";
    /// The queue is full or the server is stopping.
    Overloaded = "overloaded", 503, "Overloaded, try again";
    /// The store cannot take a write.
    StorageUnavailable = "storage-unavailable", 507, "The store cannot be written";
}

impl ProblemType {
    /// The type's URI.
    #[must_use]
    pub fn uri(self) -> String {
        format!("{TYPE_BASE}{}", self.name())
    }
}

/// One occurrence of a problem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Problem {
    /// The URI of the problem's type.
    #[serde(rename = "type")]
    pub type_: String,
    /// The summary of the type.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was expected, what was found and what to do, for this occurrence.
    pub detail: String,
    /// Members of this occurrence, for programs.
    #[serde(flatten)]
    pub extensions: Map<String, Value>,
}

impl Problem {
    /// Builds a problem of a type.
    #[must_use]
    pub fn new(type_: ProblemType, detail: impl Into<String>) -> Self {
        Self {
            type_: type_.uri(),
            title: type_.title().to_owned(),
            status: type_.status(),
            detail: detail.into(),
            extensions: Map::new(),
        }
    }

    /// Adds a member for programs.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extensions.insert(name.to_owned(), value.into());
        self
    }
}

/// Writes an error with its sources, outermost first, joined by `: `.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_own_name_and_a_status_that_tells_the_fault() {
        let mut names: Vec<_> = ProblemType::ALL.iter().map(|t| t.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ProblemType::ALL.len());
        assert!(ProblemType::ALL.iter().all(|t| (400..600).contains(&t.status())));
    }

    #[test]
    fn writes_the_members_of_rfc_9457() {
        let problem = Problem::new(ProblemType::TooLarge, "at most 5 bytes").with("limit_bytes", 5);
        assert_eq!(
            serde_json::to_value(&problem).unwrap(),
            serde_json::json!({
                "type": "https://attestry.dev/problems/too-large", "title": "Too large",
                "status": 413, "detail": "at most 5 bytes", "limit_bytes": 5,
            })
        );
    }
}
