//! That a change was reviewed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::governance::closed;
use crate::predicate::Predicate;
use crate::predicate::UtcTime;
use crate::predicate::rules::{
    Form, Section, Specification, Unknown, nothing_more, optional, required,
};

/// That the commit which is the subject was reviewed, as the signer (a code host, or a reviewer) saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Review {
    /// The repository, as `git+https://…` or another URI.
    pub repository: String,
    /// Who wrote the change: the name of a signer, or one of its principals.
    pub author: String,
    /// Who approved it, likewise.
    pub reviewers: Vec<String>,
    /// When the last of them did.
    pub reviewed_at: UtcTime,
    /// Where the review can be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub url: Option<String>,
}

impl Predicate for Review {
    const URI: &'static str = "https://attestry.dev/review/v1";
}

closed!(
    /// `schemas/json/review-v1.json`.
    REVIEW, REVIEW_FIELDS, "review", nothing_more,
    [
        required("repository", Form::Uri),
        required("author", Form::Name),
        required("reviewers", Form::Many(&Form::Name)),
        required("reviewedAt", Form::Time),
        optional("url", Form::Uri),
    ]
);
