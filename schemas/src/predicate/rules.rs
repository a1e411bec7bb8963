//! The language in which predicate specifications are written down.
//!
//! A [`Specification`] is data: sections of fields, each with its need and its form; rules that
//! span fields are functions beside the data. [`super::walk`] applies it. This is not a general
//! schema language: it knows the field types of in-toto (`field_types.md`) and nothing else.

use serde_json::{Map, Value};

use super::walk::{Linter, is_empty};

/// One version of a predicate specification.
pub(super) struct Specification {
    /// The name that starts each clause: `SLSA provenance v1`.
    pub(super) name: &'static str,
    /// The fields of the predicate itself.
    pub(super) root: &'static Section,
    /// Rules that need more than one field, or the predicate type URI.
    pub(super) more: fn(&mut Linter<'_>, &Map<String, Value>),
    /// Whether every broken form is an error, as in our own predicates.
    pub(super) strict: bool,
}

/// For specifications whose fields say it all.
pub(super) fn nothing_more(_: &mut Linter<'_>, _: &Map<String, Value>) {}

/// One object of a specification: its title there, and its fields.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) unknown: Unknown,
    pub(super) rules: &'static [Rule],
}

/// What a specification says of fields that it does not name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// in-toto parsing rules: consumers MUST ignore unrecognized fields.
    Ignored,
    /// SLSA provenance v1, Extension fields: named `<vendor>_<fieldname>`.
    WithUnderscore,
    /// SLSA VSA v1, Parsing rules: extension fields are named by URIs.
    NamedByUri,
    /// Our own predicates: every field is known.
    Refused,
}

/// One field.
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) need: Need,
    pub(super) form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Required,
    Recommended,
    Optional,
}

pub(super) const fn required(name: &'static str, form: Form) -> Rule {
    Rule { name, need: Need::Required, form }
}

pub(super) const fn recommended(name: &'static str, form: Form) -> Rule {
    Rule { name, need: Need::Recommended, form }
}

pub(super) const fn optional(name: &'static str, form: Form) -> Rule {
    Rule { name, need: Need::Optional, form }
}

/// The form of a value.
pub(super) enum Form {
    /// Any JSON value.
    Any,
    /// A string, perhaps empty.
    Text,
    /// A string of at least one character.
    Name,
    /// in-toto TypeURI and ResourceURI.
    Uri,
    /// in-toto Timestamp: RFC 3339 in UTC.
    Time,
    /// RFC 3339 with any offset.
    AnyTime,
    /// in-toto DigestSet.
    DigestSet,
    /// in-toto DigestSet that holds a SHA-256.
    Sha256Set,
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// An integer from 0.
    Count,
    /// A boolean.
    Boolean,
    /// Any JSON object.
    Map,
    /// An object whose values are strings.
    TextMap,
    /// An object whose values are integers from 0.
    CountMap,
    /// An object whose values are DigestSets.
    DigestSetMap,
    /// An object with known fields.
    Object(&'static Section),
    /// An array, perhaps empty.
    List(&'static Form),
    /// An array of at least one element.
    Many(&'static Form),
    /// in-toto ResourceDescriptor, with the fields that the context demands and recommends.
    Descriptor { must: &'static [&'static str], should: &'static [&'static str] },
}

/// A ResourceDescriptor of which the context demands nothing further.
pub(super) const DESCRIPTOR: Form = Form::Descriptor { must: &[], should: &[] };

impl Form {
    /// Whether the value is the empty one of this form, and so stands for none.
    pub(super) fn is_unset_by(&self, value: &Value) -> bool {
        is_empty(value)
            && match self {
                Self::Any | Self::Count | Self::Boolean => false,
                Self::Text
                | Self::Name
                | Self::Uri
                | Self::Time
                | Self::AnyTime
                | Self::OneOf(_) => value.is_string(),
                Self::List(_) | Self::Many(_) => value.is_array(),
                Self::DigestSet
                | Self::Sha256Set
                | Self::Map
                | Self::TextMap
                | Self::CountMap
                | Self::DigestSetMap
                | Self::Object(_)
                | Self::Descriptor { .. } => value.is_object(),
            }
    }

    /// Names the form in a message.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Any => "any value".into(),
            Self::Text => "a string".into(),
            Self::Name => "a non-empty string".into(),
            Self::Uri => "a URI (RFC 3986)".into(),
            Self::Time => "an RFC 3339 time in UTC".into(),
            Self::AnyTime => "an RFC 3339 time".into(),
            Self::DigestSet => "a DigestSet".into(),
            Self::Sha256Set => "a DigestSet with sha256".into(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
            Self::Count => "an integer from 0".into(),
            Self::Boolean => "a boolean".into(),
            Self::Map | Self::Object(_) => "an object".into(),
            Self::TextMap => "an object of strings".into(),
            Self::CountMap => "an object of integers from 0".into(),
            Self::DigestSetMap => "an object of DigestSets".into(),
            Self::List(inner) => format!("an array, each element {}", inner.describe()),
            Self::Many(inner) => format!("a non-empty array, each element {}", inner.describe()),
            Self::Descriptor { .. } => "a ResourceDescriptor".into(),
        }
    }
}

/// in-toto `resource_descriptor.md`, Fields.
pub(super) static RESOURCE_DESCRIPTOR: Section = Section {
    title: "ResourceDescriptor",
    unknown: Unknown::Ignored,
    rules: &[
        optional("name", Form::Text),
        optional("uri", Form::Uri),
        optional("digest", Form::DigestSet),
        optional("content", Form::Text),
        optional("downloadLocation", Form::Uri),
        optional("mediaType", Form::Text),
        optional("annotations", Form::Map),
    ],
};

/// The string member `name`, when it is one.
pub(super) fn text_of<'v>(map: &'v Map<String, Value>, name: &str) -> Option<&'v str> {
    map.get(name).and_then(Value::as_str)
}

/// The elements of the array member `name`; none when it is not an array.
pub(super) fn items_of<'v>(map: &'v Map<String, Value>, name: &str) -> &'v [Value] {
    map.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
