//! What stock cosign writes beside the standard predicates: `sign/v1` and the generic predicate.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Predicate;
use super::rules::{Form, Section, Specification, Unknown, nothing_more, recommended};
use super::walk::{Linter, quote};

/// cosign `sign/v1`: a plain signature over the subjects; the predicate is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Signature {}

impl Predicate for Signature {
    const URI: &'static str = "https://sigstore.dev/cosign/sign/v1";
}

/// `https://sigstore.dev/cosign/sign/v1`.
pub(super) static SIGN: Specification =
    Specification { name: "cosign sign v1", root: &EMPTY, more: more_sign, strict: false };

static EMPTY: Section = Section { title: "Fields", unknown: Unknown::Ignored, rules: &[] };

fn more_sign(linter: &mut Linter<'_>, predicate: &Map<String, Value>) {
    if !predicate.is_empty() {
        let found = quote(&Value::Object(predicate.clone()));
        linter.unusual("Fields: the predicate is empty", "an empty object", &found);
    }
}

/// cosign `specs/COSIGN_PREDICATE_SPEC.md`: anything, with a time. The fields are `Data` and
/// `Timestamp` in what cosign writes, whatever the text of the specification says.
pub(super) static CUSTOM: Specification =
    Specification { name: "cosign generic v1", root: &GENERIC, more: nothing_more, strict: false };

static GENERIC: Section = Section {
    title: "Fields",
    unknown: Unknown::Ignored,
    rules: &[recommended("Data", Form::Any), recommended("Timestamp", Form::AnyTime)],
};
