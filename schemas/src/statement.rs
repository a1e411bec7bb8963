//! in-toto Statement v1, and v0.1 on reading.
//!
//! A statement binds a predicate to its subjects by digest. Parsing checks what the specification
//! demands of every statement; what a predicate must hold is [`crate::predicate`]'s business.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::{Digest, DigestSet};
use crate::json::{self, JsonError};

/// `_type` of the version that is written.
pub const TYPE_V1: &str = "https://in-toto.io/Statement/v1";
/// `_type` of the older version, which stock `cosign attest-blob` still writes.
pub const TYPE_V0_1: &str = "https://in-toto.io/Statement/v0.1";

/// The most bytes a statement may have.
pub const MAX_STATEMENT_BYTES: usize = 12 << 20;
/// The most subjects a statement may name.
pub const MAX_SUBJECTS: usize = 1024;

/// Why a statement was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Not strict JSON, or members of the wrong type.
    #[error("the in-toto statement does not parse")]
    Json(#[source] JsonError),
    /// `_type` is not one of the two that are read.
    #[error("expected _type {TYPE_V1} or {TYPE_V0_1}, found {found:?}")]
    Type {
        /// `_type` as it was given.
        found: String,
    },
    /// A statement names at least one subject, and not too many.
    #[error("expected 1 to {MAX_SUBJECTS} subjects in the statement, found {found}")]
    SubjectCount {
        /// How many there were.
        found: usize,
    },
    /// Every subject is matched by digest, so each must have one.
    #[error("subject {index} of the statement has no digest (in-toto Statement v1, subject)")]
    SubjectDigest {
        /// Which subject, from 0.
        index: usize,
    },
    /// `predicateType` is a URI that names the predicate's meaning.
    #[error("expected predicateType to be a URI of 1 to 512 characters, found {found:?}")]
    PredicateType {
        /// `predicateType` as it was given.
        found: String,
    },
    /// `predicate` is an object where it is present.
    #[error("expected predicate to be a JSON object, found {found}")]
    Predicate {
        /// The JSON type that was found.
        found: &'static str,
    },
    /// A statement that is too long would not be read again.
    #[error("expected a statement of at most {MAX_STATEMENT_BYTES} bytes, found {found}")]
    TooLong {
        /// How many it would have.
        found: usize,
    },
}

/// The version of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// [`TYPE_V0_1`], only read.
    V0_1,
    /// [`TYPE_V1`].
    V1,
}

/// in-toto ResourceDescriptor v1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceDescriptor {
    /// A name that tells this resource from others in the statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where the resource is identified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Its digests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<DigestSet>,
    /// Its bytes in base64, when small.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Where it can be fetched; never fetched by Attestry.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "download_location")]
    pub download_location: Option<String>,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "media_type")]
    pub media_type: Option<String>,
    /// Anything else, unauthenticated by any specification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<serde_json::Map<String, Value>>,
}

impl ResourceDescriptor {
    /// A descriptor with a name and one digest, as subjects have.
    #[must_use]
    pub fn named(name: &str, digest: Digest) -> Self {
        Self { name: Some(name.to_owned()), digest: Some(digest.into()), ..Self::default() }
    }
}

/// A statement. Parsed, not verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Which `_type` it carries.
    pub version: Version,
    /// What the statement is about: 1 to [`MAX_SUBJECTS`], each with a digest.
    pub subject: Vec<ResourceDescriptor>,
    /// The URI that says what the predicate means.
    pub predicate_type: String,
    /// The predicate, a JSON object (empty when the statement has none).
    pub predicate: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(rename = "_type")]
    type_: String,
    subject: Vec<ResourceDescriptor>,
    #[serde(alias = "predicate_type")]
    predicate_type: String,
    #[serde(default)]
    predicate: Option<Value>,
}

/// A statement as it is written: its members in the order of their names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    #[serde(rename = "_type")]
    type_: &'a str,
    predicate: &'a Value,
    predicate_type: &'a str,
    subject: Value,
}

/// The compact JSON of one predicate, an object. For predicates so large that a tree of values
/// would be many times their text.
#[derive(Clone, PartialEq, Eq)]
pub struct PredicateJson(Vec<u8>);

impl PredicateJson {
    /// Writes a predicate.
    ///
    /// # Errors
    /// [`StatementError::Predicate`] when it is not an object, [`StatementError::Json`] when it has
    /// no form in JSON, such as a map whose keys are no texts.
    pub fn of<P: Serialize + ?Sized>(predicate: &P) -> Result<Self, StatementError> {
        let text = serde_json::to_vec(predicate).map_err(|error| {
            StatementError::Json(JsonError::Shape {
                what: "the predicate",
                detail: error.to_string(),
            })
        })?;
        // What was written is one whole value, so its first byte says which type it is of.
        match text.first() {
            Some(b'{') => Ok(Self(text)),
            _ => Err(StatementError::Predicate { found: "another value" }),
        }
    }

    /// Its text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for PredicateJson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PredicateJson({} bytes)", self.0.len())
    }
}

impl Statement {
    /// Builds a v1 statement.
    ///
    /// # Errors
    /// As [`Statement::parse`], for the same rules.
    pub fn new(
        subject: Vec<ResourceDescriptor>,
        predicate_type: &str,
        predicate: Value,
    ) -> Result<Self, StatementError> {
        let predicate_type = predicate_type.to_owned();
        Self { version: Version::V1, subject, predicate_type, predicate }.checked()
    }

    /// Reads a statement from JSON, v1 or v0.1.
    ///
    /// # Errors
    /// [`StatementError`] naming the member that breaks the specification.
    pub fn parse(text: &[u8]) -> Result<Self, StatementError> {
        Self::from_value(json::parse(text, MAX_STATEMENT_BYTES).map_err(StatementError::Json)?)
    }

    /// Reads a statement from strictly parsed JSON.
    ///
    /// # Errors
    /// As [`Statement::parse`].
    pub fn from_value(value: Value) -> Result<Self, StatementError> {
        let wire: Wire =
            json::from_value(value, "the in-toto statement").map_err(StatementError::Json)?;
        let version = match wire.type_.as_str() {
            TYPE_V1 => Version::V1,
            TYPE_V0_1 => Version::V0_1,
            other => {
                return Err(StatementError::Type { found: other.chars().take(200).collect() });
            }
        };
        Self {
            version,
            subject: wire.subject,
            predicate_type: wire.predicate_type,
            predicate: wire.predicate.unwrap_or_else(|| Value::Object(serde_json::Map::new())),
        }
        .checked()
    }

    fn checked(self) -> Result<Self, StatementError> {
        let found = self.subject.len();
        if found == 0 || found > MAX_SUBJECTS {
            return Err(StatementError::SubjectCount { found });
        }
        if let Some(index) = self.subject.iter().position(|s| s.digest.is_none()) {
            return Err(StatementError::SubjectDigest { index });
        }
        // RFC 3986: a URI has a scheme and no spaces or control characters.
        let uri = self.predicate_type.as_str();
        let graphic = !uri.chars().any(|c| c.is_whitespace() || c.is_control());
        let scheme = uri.split_once(':').is_some_and(|(s, rest)| {
            s.starts_with(|c: char| c.is_ascii_alphabetic()) && !rest.is_empty()
        });
        if !(1..=512).contains(&uri.len()) || !graphic || !scheme {
            return Err(StatementError::PredicateType { found: uri.chars().take(200).collect() });
        }
        match &self.predicate {
            Value::Object(_) => Ok(self),
            other => Err(StatementError::Predicate { found: json_type(other) }),
        }
    }

    /// The statement as compact JSON with the `_type` of its version.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let type_ = match self.version {
            Version::V1 => TYPE_V1,
            Version::V0_1 => TYPE_V0_1,
        };
        let subject = serde_json::to_value(&self.subject).expect("descriptors are JSON");
        let (predicate, predicate_type) = (&self.predicate, self.predicate_type.as_str());
        serde_json::to_vec(&Written { type_, predicate, predicate_type, subject })
            .expect("JSON values and texts are JSON")
    }

    /// The JSON of a v1 statement around a predicate that is JSON already, the same bytes that
    /// [`Statement::to_json`] would give for it. The predicate is not copied.
    ///
    /// It is spliced in as it is. That is sound because it is exactly one JSON object
    /// ([`PredicateJson`]): an object stands for itself wherever the grammar has a value (RFC 8259,
    /// section 4), and cannot end the object around it.
    ///
    /// # Errors
    /// As [`Statement::new`], and [`StatementError::TooLong`].
    pub fn json_around(
        subject: Vec<ResourceDescriptor>,
        predicate_type: &str,
        predicate: PredicateJson,
    ) -> Result<Vec<u8>, StatementError> {
        let before = format!("{{\"_type\":\"{TYPE_V1}\",\"predicate\":");
        let none = Value::Object(serde_json::Map::new());
        let frame = Self::new(subject, predicate_type, none)?.to_json();
        let after = frame
            .strip_prefix(before.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"{}"))
            .expect("statements are written with these members first");
        let PredicateJson(mut json) = predicate;
        let found = before.len() + json.len() + after.len();
        if found > MAX_STATEMENT_BYTES {
            return Err(StatementError::TooLong { found });
        }
        json.reserve_exact(before.len() + after.len());
        json.splice(..0, before.bytes());
        json.extend_from_slice(after);
        Ok(json)
    }

    /// The subject that has exactly this digest, if any.
    #[must_use]
    pub fn subject_with(&self, digest: &Digest) -> Option<&ResourceDescriptor> {
        self.subject.iter().find(|s| s.digest.as_ref().is_some_and(|set| set.contains(digest)))
    }

    /// Every digest of every subject.
    pub fn subject_digests(&self) -> impl Iterator<Item = Digest> + '_ {
        self.subject.iter().filter_map(|s| s.digest.as_ref()).flat_map(DigestSet::iter)
    }
}

pub use crate::json::type_name as json_type;

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    const DIGEST_OF_A: &str =
        "sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";

    fn statement(change: impl Fn(&mut Value)) -> Result<Statement, StatementError> {
        let mut value = serde_json::json!({
            "_type": TYPE_V1,
            "subject": [{"name": "a", "digest": {"sha256": DIGEST}}],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {"x": 1},
        });
        change(&mut value);
        Statement::parse(value.to_string().as_bytes())
    }

    #[test]
    fn reads_both_versions_and_writes_what_it_read() {
        for type_ in [TYPE_V1, TYPE_V0_1] {
            let read = statement(|v| v["_type"] = type_.into()).unwrap();
            assert_eq!(Statement::parse(&read.to_json()).unwrap(), read);
        }
    }

    #[test]
    fn writes_the_members_in_the_order_of_their_names() {
        let read = statement(|_| ()).unwrap();
        let expected = format!(
            "{{\"_type\":\"{TYPE_V1}\",\"predicate\":{{\"x\":1}},\
             \"predicateType\":\"https://slsa.dev/provenance/v1\",\
             \"subject\":[{{\"digest\":{{\"sha256\":\"{DIGEST}\"}},\"name\":\"a\"}}]}}"
        );
        assert_eq!(String::from_utf8(read.to_json()).unwrap(), expected);
    }

    #[test]
    fn writes_the_same_around_a_predicate_that_is_text_already() {
        let subject = || vec![ResourceDescriptor::named("a\"}", DIGEST_OF_A.parse().unwrap())];
        let around = |uri: &str, predicate: &Value| {
            Statement::json_around(subject(), uri, PredicateJson::of(predicate)?)
        };
        for predicate in [
            serde_json::json!({}),
            serde_json::json!({ "predicate": {}, "_type": "}\\\"", "n": [1.5, null, { "ü": [] }] }),
        ] {
            let uri = "https://example.org/p/v1";
            let json = around(uri, &predicate).unwrap();
            let statement = Statement::new(subject(), uri, predicate).unwrap();
            assert_eq!(json, statement.to_json());
            assert_eq!(Statement::parse(&json).unwrap(), statement);
        }
        let object = serde_json::json!({});
        assert!(matches!(around("x", &object), Err(StatementError::PredicateType { .. })));
        let none = Statement::json_around(Vec::new(), "a:b", PredicateJson::of(&object).unwrap());
        assert_eq!(none, Err(StatementError::SubjectCount { found: 0 }));
        for other in [serde_json::json!([{}]), serde_json::json!("{"), Value::Null] {
            assert!(matches!(around("a:b", &other), Err(StatementError::Predicate { .. })));
        }
        let keys = std::collections::BTreeMap::from([(vec![1], 1)]);
        assert!(matches!(PredicateJson::of(&keys), Err(StatementError::Json(_))));
    }

    #[test]
    fn writes_no_statement_that_would_not_be_read() {
        let frame = Statement::json_around(
            vec![ResourceDescriptor::named("a", DIGEST_OF_A.parse().unwrap())],
            "a:b",
            PredicateJson::of(&serde_json::json!({ "x": "" })).unwrap(),
        );
        let room = MAX_STATEMENT_BYTES - frame.unwrap().len();
        let around = |length: usize| {
            let predicate = serde_json::json!({ "x": "x".repeat(length) });
            Statement::json_around(
                vec![ResourceDescriptor::named("a", DIGEST_OF_A.parse().unwrap())],
                "a:b",
                PredicateJson::of(&predicate).unwrap(),
            )
        };
        assert!(Statement::parse(&around(room).unwrap()).is_ok());
        let found = MAX_STATEMENT_BYTES + 1;
        assert_eq!(around(room + 1), Err(StatementError::TooLong { found }));
    }

    #[test]
    fn finds_a_subject_only_by_its_exact_digest() {
        let read = statement(|_| ()).unwrap();
        let digest = |s: &str| s.parse::<Digest>().unwrap();
        assert!(read.subject_with(&digest(&format!("sha256:{DIGEST}"))).is_some());
        assert!(read.subject_with(&digest(&format!("sha3_256:{DIGEST}"))).is_none());
    }

    #[test]
    fn names_the_member_that_breaks_the_specification() {
        type Change = fn(&mut Value);
        let cases: &[(Change, &str)] = &[
            (|v| v["_type"] = "x".into(), "expected _type"),
            (|v| v["subject"] = Value::Array(vec![]), "found 0"),
            (
                |v| v["subject"][0]["digest"] = Value::Null,
                "subject 0 of the statement has no digest",
            ),
            (|v| v["predicateType"] = "".into(), "predicateType"),
            (|v| v["predicateType"] = "no scheme".into(), "predicateType"),
            (|v| v["predicate"] = "text".into(), "found a string"),
        ];
        for (change, expected) in cases {
            let message = statement(change).expect_err(expected).to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
