//! An AdmissionReview as the API server of Kubernetes sends it (`admission.k8s.io/v1`).
//!
//! What is not named here is left alone: the API server of tomorrow sends members that nobody knows today. What is
//! named must have its type, and an object of two meanings (a repeated key) is refused, as everywhere.

use serde::Deserialize;
use serde_json::Value;

use crate::json::{self, JsonError};

/// The most bytes of a review: two objects of at most 3 MiB, the API server's own bound, and what is around them.
pub const MAX_REVIEW_BYTES: usize = 8 << 20;
/// The version that is spoken.
pub const API_VERSION: &str = "admission.k8s.io/v1";
/// The kind of request and answer alike.
pub const KIND: &str = "AdmissionReview";
/// The most bytes of a uid, which is a UUID.
const MAX_UID_BYTES: usize = 128;
/// The most characters of a user's name that a decision repeats.
const MAX_USER_CHARS: usize = 500;

/// Why there is nothing to review.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// The body is not JSON within its bounds.
    #[error("the body is no AdmissionReview")]
    Json(#[source] JsonError),
    /// It is something else, or of another version; there is no uid to answer to.
    #[error("expected {expected}, found {found}")]
    NotAReview {
        /// What a review has.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// The request has a uid, which can be answered to, and does not tell what is asked.
    #[error("{detail}")]
    Request {
        /// The uid.
        uid: String,
        /// What is wrong.
        detail: String,
    },
}

/// What is done to the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// It is new.
    Create,
    /// It is changed.
    Update,
    /// It goes.
    Delete,
    /// Somebody attaches to it.
    Connect,
}

/// The kind of an object.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Kind {
    /// The API group; empty for the core.
    #[serde(default)]
    pub group: String,
    /// The version in the group.
    #[serde(default)]
    pub version: String,
    /// The kind.
    pub kind: String,
}

/// A request for admission.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    /// The request, which the answer names.
    pub uid: String,
    /// What is done.
    pub operation: Operation,
    /// The kind of `object`.
    pub kind: Kind,
    /// As whom the API server knows who asks; see [`Review::check_user`].
    pub user: String,
    /// Whether nothing will come of it.
    pub dry_run: bool,
    /// The object as it would be; null where there is none.
    pub object: Value,
    /// The object as it is; null where there is none.
    pub old_object: Value,
}

/// `AdmissionRequest` of `admission.k8s.io/v1`, as far as it matters here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    operation: Operation,
    kind: Kind,
    #[serde(default)]
    user_info: UserInfo,
    #[serde(default)]
    dry_run: Option<bool>,
    #[serde(default)]
    object: Value,
    #[serde(default)]
    old_object: Value,
}

#[derive(Default, Deserialize)]
struct UserInfo {
    #[serde(default)]
    username: String,
}

impl Review {
    /// Reads a review of at most [`MAX_REVIEW_BYTES`].
    ///
    /// # Errors
    /// [`ReviewError`]. With [`ReviewError::Request`] the API server can be told why.
    pub fn parse(text: &[u8]) -> Result<Self, ReviewError> {
        let review = json::parse(text, MAX_REVIEW_BYTES).map_err(ReviewError::Json)?;
        let member = |name: &str| review.get(name).and_then(Value::as_str).unwrap_or_default();
        for (name, expected) in [("apiVersion", API_VERSION), ("kind", KIND)] {
            if member(name) != expected {
                let found: String = member(name).chars().take(100).collect();
                let found = format!("the {name} {found:?}");
                let expected = "an AdmissionReview of admission.k8s.io/v1";
                return Err(ReviewError::NotAReview { expected, found });
            }
        }
        let not_there =
            |expected, found: &str| ReviewError::NotAReview { expected, found: found.to_owned() };
        let Value::Object(mut members) = review else {
            return Err(not_there("an object", "another value"));
        };
        let request = members.remove("request").unwrap_or_default();
        let uid = request.get("uid").and_then(Value::as_str).unwrap_or_default().to_owned();
        if !(1..=MAX_UID_BYTES).contains(&uid.len()) {
            return Err(not_there("a request with a uid", "none"));
        }
        let refused = |detail: String| ReviewError::Request { uid: uid.clone(), detail };
        let request: Request =
            json::from_value(request, "the request").map_err(|error| refused(error.to_string()))?;
        let review = Self {
            uid: uid.clone(),
            operation: request.operation,
            kind: request.kind,
            user: request.user_info.username,
            dry_run: request.dry_run.unwrap_or_default(),
            object: request.object,
            old_object: request.old_object,
        };
        review.check_kind().map_err(refused)?;
        Ok(review)
    }

    /// Demands a name by which the caller of a decision can be called.
    ///
    /// # Errors
    /// What is expected of it.
    pub fn check_user(&self) -> Result<(), String> {
        let count = self.user.chars().count();
        match (1..=MAX_USER_CHARS).contains(&count) && !self.user.chars().any(char::is_control) {
            true => Ok(()),
            false => Err(format!(
                "expected userInfo.username to be a name of 1 to {MAX_USER_CHARS} characters, found another text"
            )),
        }
    }

    /// An object that says of itself to be something else is not looked at as what the request says.
    fn check_kind(&self) -> Result<(), String> {
        for (name, object) in [("object", &self.object), ("oldObject", &self.old_object)] {
            let says = object.get("kind").and_then(Value::as_str);
            if let Some(says) = says.filter(|says| *says != self.kind.kind) {
                let says: String = says.chars().take(100).collect();
                return Err(format!(
                    "expected {name} to be a {}, found a {says:?}",
                    self.kind.kind
                ));
            }
        }
        Ok(())
    }

    /// Whether one of Kubernetes' own workload controllers asks, which make again what was admitted already.
    /// The API server has authenticated them.
    #[must_use]
    pub fn is_by_controller(&self) -> bool {
        const CONTROLLERS: [&str; 7] = [
            "replicaset-controller",
            "deployment-controller",
            "statefulset-controller",
            "daemon-set-controller",
            "replication-controller",
            "job-controller",
            "cronjob-controller",
        ];
        let account = self.user.strip_prefix("system:serviceaccount:kube-system:");
        account.is_some_and(|account| CONTROLLERS.contains(&account))
            || self.user == "system:kube-controller-manager"
    }
}
