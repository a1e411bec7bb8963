//! Classic in-toto links: what a step of a supply chain took, did and made, in the signed metadata
//! that `in-toto-run` writes and `in-toto-verify` reads (in-toto specification 1.0, §4.2 and §4.4).
//!
//! ```text
//! {"signatures": [{"keyid": …, "sig": hex}, …],
//!  "signed": {"_type": "link", "name": …, "command": […],
//!             "materials": {path: {"sha256": hex}, …}, "products": {…},
//!             "byproducts": {"return-value": 0, "stdout": "", "stderr": ""}, "environment": {}}}
//! ```
//!
//! A signature covers the [`canonical`] form of `signed`, with ECDSA P-256 over its SHA-256 (ASN.1
//! DER) or pure Ed25519, in hex. This is not the link v0.3 predicate of a statement, which is
//! [`crate::predicate::in_toto::Link`], nor a link in a DSSE envelope, nor a layout. Reading proves
//! nothing; [`crate::verify::classic_link`] verifies.
//!
//! Where an implementation reads less than the others: the crate `in-toto` 0.4 verifies no link that
//! has a character below U+0020 but a line feed, or the two characters `\n`, in a name, path or
//! argument, because its canonical form escapes them.

mod canonical;
mod key;
mod record;
mod sign;

#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde_json::Value;

use crate::json::{self, JsonError};

pub use canonical::{CanonicalError, canonical};
pub use key::{KeyForm, keyid, keyids, layout_key};
pub use record::LinkRecord;

/// The most bytes a link may have.
pub const MAX_LINK_BYTES: usize = 32 << 20;
/// The most materials and products together.
pub const MAX_ARTIFACTS: usize = 200_000;
/// The most arguments of a command.
pub const MAX_ARGUMENTS: usize = 1 << 16;
/// The most signatures.
pub const MAX_SIGNATURES: usize = 64;
/// The most bytes of a step's name, which is part of a file name.
pub const MAX_NAME_BYTES: usize = 200;
/// The most byproducts that are written.
pub const MAX_BYPRODUCTS: usize = 64;

/// The most bytes that are signed, so that the signatures still fit.
const MAX_UNSIGNED_BYTES: usize = MAX_LINK_BYTES - (4 << 10);
// A link with so many artifacts, two values each, can be read again.
const _: () = assert!(2 * MAX_ARTIFACTS + MAX_ARGUMENTS + (1 << 10) < json::MAX_VALUES);

/// How many characters of a keyid are part of a file name: eight in all implementations, where the
/// specification (§4.4) speaks of "the first six bytes".
const SHORT_KEYID_CHARS: usize = 8;
/// OpenPGP's keyids have 40 hex digits, all others 64.
const MAX_KEYID_CHARS: usize = 128;
/// The most characters of a text that an error repeats.
const MAX_SHOWN_CHARS: usize = 100;

/// Why a link was not read, or not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClassicLinkError {
    /// Not strict JSON, or members of the wrong type.
    #[error("the in-toto link does not parse")]
    Json(#[source] JsonError),
    /// Other metadata of in-toto, or none.
    #[error("expected signed._type to be \"link\", found {found}")]
    Type {
        /// What was there.
        found: String,
    },
    /// The name of the step is part of the link's file name.
    #[error(
        "expected a step name of 1 to {MAX_NAME_BYTES} bytes without slashes, backslashes and \
         control characters, found {found:?}"
    )]
    Name {
        /// The beginning of the name.
        found: String,
    },
    /// A list is too long.
    #[error("expected at most {limit} {what} in the link, found {found}")]
    TooMany {
        /// Which list.
        what: &'static str,
        /// The bound.
        limit: usize,
        /// How many there were.
        found: usize,
    },
    /// The link is longer than what is read.
    #[error(
        "expected a link of at most {MAX_UNSIGNED_BYTES} bytes without its signatures, found \
         {found_bytes}"
    )]
    TooLarge {
        /// The length as JSON, in bytes.
        found_bytes: usize,
    },
    /// A signature is not in one of the two forms.
    #[error("expected signatures[{index}] to have {expected}, found {found}")]
    Signature {
        /// Which signature, from 0.
        index: usize,
        /// What it must have.
        expected: &'static str,
        /// What was there.
        found: String,
    },
    /// What is signed has no canonical form.
    #[error("the in-toto link has no canonical form, which is what a signature covers")]
    Canonical(#[source] CanonicalError),
    /// A classic link knows an artifact by its path.
    #[error("expected a name for {what} {index}, found none")]
    Unnamed {
        /// `material` or `product`.
        what: &'static str,
        /// Which one, from 0.
        index: usize,
    },
    /// Two artifacts of one path cannot both stand in the link.
    #[error("expected each {what} once, found {name:?} again")]
    Repeated {
        /// `material` or `product`.
        what: &'static str,
        /// The beginning of the name.
        name: String,
    },
    /// A classic link compares artifacts by SHA-256.
    #[error("expected a sha256 digest of {what} {name:?}, found none")]
    NoSha256 {
        /// `material` or `product`.
        what: &'static str,
        /// The beginning of the name.
        name: String,
    },
    /// A byproduct that classic readers do not understand.
    #[error(
        "expected byproduct {name:?} to be {expected} (classic links have no others), found {found}"
    )]
    Byproduct {
        /// The beginning of the name.
        name: String,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
}

/// A signature of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicSignature {
    /// The name of the key, which proves nothing; at least 8 hex digits.
    pub keyid: String,
    /// The signature over the link's [`signed bytes`](ClassicLink::signed_bytes); none where
    /// OpenPGP made it, which is read and never verified.
    pub value: Option<Vec<u8>>,
}

/// A classic link. Parsed, not verified.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassicLink {
    /// The whole metadata, members that are not read included. The other fields are of it.
    metablock: Value,
    record: LinkRecord,
    signatures: Vec<ClassicSignature>,
    signed_bytes: Vec<u8>,
}

#[derive(Deserialize)]
struct Wire {
    signatures: Vec<WireSignature>,
    signed: Value,
}

/// A signature of metadata of in-toto, as it is written.
#[derive(Deserialize)]
pub(crate) struct WireSignature {
    keyid: String,
    sig: Option<String>,
    // The two members of an OpenPGP signature.
    signature: Option<String>,
    other_headers: Option<String>,
}

impl ClassicLink {
    /// Reads a link, signed or not.
    ///
    /// # Errors
    /// [`ClassicLinkError`] naming the member that breaks the specification or the bound.
    pub fn parse(text: &[u8]) -> Result<Self, ClassicLinkError> {
        Self::from_value(json::parse(text, MAX_LINK_BYTES).map_err(ClassicLinkError::Json)?)
    }

    /// Reads a link from strictly parsed JSON.
    ///
    /// # Errors
    /// As [`ClassicLink::parse`].
    pub fn from_value(metablock: Value) -> Result<Self, ClassicLinkError> {
        let wire: Wire = json::from_value(metablock.clone(), "the in-toto link")
            .map_err(ClassicLinkError::Json)?;
        demand_at_most(MAX_SIGNATURES, "signatures", wire.signatures.len())?;
        let signatures = wire.signatures.into_iter().enumerate();
        let signatures =
            signatures.map(|(index, wire)| signature(index, wire)).collect::<Result<_, _>>()?;
        let signed_bytes = canonical(&wire.signed).map_err(ClassicLinkError::Canonical)?;
        let record = LinkRecord::from_value(wire.signed)?;
        Ok(Self { metablock, record, signatures, signed_bytes })
    }

    /// What the link says.
    #[must_use]
    pub fn record(&self) -> &LinkRecord {
        &self.record
    }

    /// Its signatures, at most [`MAX_SIGNATURES`]; none for an inspection's link.
    #[must_use]
    pub fn signatures(&self) -> &[ClassicSignature] {
        &self.signatures
    }

    /// The bytes that its signatures cover.
    #[must_use]
    pub fn signed_bytes(&self) -> &[u8] {
        &self.signed_bytes
    }

    /// The name of the key of the first signature.
    #[must_use]
    pub fn keyid(&self) -> Option<&str> {
        self.signatures.first().map(|signature| signature.keyid.as_str())
    }

    /// The name of its file: `STEP.KEYID.link` with 8 characters of the first signature's keyid,
    /// `STEP.link` for a link without signatures.
    #[must_use]
    pub fn file_name(&self) -> String {
        let name = &self.record.name;
        self.file_names().into_iter().next().unwrap_or_else(|| format!("{name}.link"))
    }

    /// The names of its file, one for each signature, in their order. A layout that names the key
    /// by another keyid than the first finds the link in the file that is named by that keyid.
    #[must_use]
    pub fn file_names(&self) -> Vec<String> {
        let named = |signature: &ClassicSignature| {
            let short: String = signature.keyid.chars().take(SHORT_KEYID_CHARS).collect();
            format!("{}.{short}.link", self.record.name)
        };
        self.signatures.iter().map(named).collect()
    }

    /// The link as compact JSON: the bytes of its file.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        self.metablock.to_string().into_bytes()
    }
}

fn demand_at_most(limit: usize, what: &'static str, found: usize) -> Result<(), ClassicLinkError> {
    if found > limit { Err(ClassicLinkError::TooMany { what, limit, found }) } else { Ok(()) }
}

/// Reads one signature. The members beside these (`cert`, a certificate that is not used here) say
/// nothing that is signed.
pub(crate) fn signature(
    index: usize,
    wire: WireSignature,
) -> Result<ClassicSignature, ClassicLinkError> {
    let refused = |expected, found| Err(ClassicLinkError::Signature { index, expected, found });
    let WireSignature { keyid, sig, signature, other_headers } = wire;
    let chars = SHORT_KEYID_CHARS..=MAX_KEYID_CHARS;
    if !chars.contains(&keyid.len()) || !keyid.bytes().all(|b| b.is_ascii_hexdigit()) {
        return refused("a keyid of 8 to 128 hex digits", quoted(&keyid));
    }
    let is_hex = |text: &str| !text.is_empty() && hex::decode(text).is_ok();
    let value = match (sig, signature, other_headers) {
        (Some(sig), None, None) => match hex::decode(&sig) {
            Ok(bytes) if !bytes.is_empty() => Some(bytes),
            _ => return refused("a sig in hex", quoted(&sig)),
        },
        (None, Some(openpgp), Some(headers)) => {
            match [&openpgp, &headers].into_iter().find(|text| !is_hex(text)) {
                None => None,
                Some(other) => {
                    return refused("signature and other_headers in hex", quoted(other));
                }
            }
        }
        (None, None, None) => {
            return refused("a sig, or signature and other_headers", "none".to_owned());
        }
        _ => {
            let found = "a part or a mixture of them".to_owned();
            return refused("either sig, or signature and other_headers", found);
        }
    };
    Ok(ClassicSignature { keyid, value })
}

/// As much of a text as an error repeats, in quotes.
fn quoted(text: &str) -> String {
    format!("{:?}", cut(text))
}

/// As much of a text as an error repeats.
fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((at, _)) => text.get(..at).unwrap_or_default().to_owned() + "…",
        None => text.to_owned(),
    }
}
