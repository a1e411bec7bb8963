//! Where a tag of a repository points: one statement for each of its moves, which the registry signs.
//!
//! The subject is the manifest that the tag points to, or that it pointed to before it was deleted. Moves are
//! numbered from 1 and each names the statement of the one before, so that a history cannot leave one out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::governance::closed;
use crate::digest::DigestSet;
use crate::predicate::Predicate;
use crate::predicate::rules::{Form, Section, Specification, Unknown, optional, required};
use crate::predicate::time::UtcTime;
use crate::predicate::walk::Linter;

/// That a tag moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TagMove {
    /// The repository.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// What happened.
    pub event: TagEvent,
    /// Which move of the tag this is, from 1.
    pub number: u64,
    /// The digest of the attestation of the move before; none in the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DigestSet")]
    pub previous: Option<DigestSet>,
    /// The manifest that the tag pointed to before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DigestSet")]
    pub replaces: Option<DigestSet>,
    /// Who moved it, as the registry knows them, such as `token:ci`.
    pub by: String,
    /// When.
    pub moved_at: UtcTime,
}

impl Predicate for TagMove {
    const URI: &'static str = "https://attestry.dev/tag/v1";
}

/// What happened to a tag (the words of the draft of tag history in distribution-spec's `_oci` extension).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TagEvent {
    /// It was made to point to the subject.
    Created,
    /// It was removed.
    Deleted,
}

closed!(
    /// `schemas/json/tag-v1.json`.
    TAG, TAG_FIELDS, "tag", more_tag,
    [
        required("repository", Form::Name),
        required("tag", Form::Name),
        required("event", Form::OneOf(&["created", "deleted"])),
        required("number", Form::Count),
        optional("previous", Form::DigestSet),
        optional("replaces", Form::DigestSet),
        required("by", Form::Name),
        required("movedAt", Form::Time),
    ]
);

fn more_tag(linter: &mut Linter<'_>, predicate: &Map<String, Value>) {
    let number = predicate.get("number").and_then(Value::as_u64);
    let has_previous = predicate.contains_key("previous");
    if number.is_some_and(|number| (number > 1) != has_previous) {
        linter.at("previous", |linter| {
            let clause = "tag: previous in every move but the first";
            let found = if has_previous { "one" } else { "none" };
            linter.broken(clause, "previous exactly where number is above 1", found);
        });
    }
}
