//! The keys of a layout (in-toto specification 1.0, §4.2.1).
//!
//! A keyid only names a key inside the layout. The implementations derive it in different ways (see
//! [`crate::classic_link::keyids`]), and a key may stand in a layout under two of them, so who is who
//! is told by the fingerprint of the key itself.

use serde::Deserialize;
use serde_json::Value;

use super::quoted;
use crate::json::{self, JsonError};
use crate::key::{Fingerprint, KeyError, PublicKey};

/// The most characters of a keyid.
const MAX_KEYID_CHARS: usize = 128;
/// The DER of a P-256 key before the 65 bytes of its point (RFC 5480 §2).
const P256_SPKI_HEAD: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
/// The DER of an Ed25519 key before its 32 bytes (RFC 8410 §4).
const ED25519_SPKI_HEAD: &str = "302a300506032b6570032100";

/// Why a key of a layout was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutKeyError {
    /// Members of the wrong type.
    #[error("the key does not parse")]
    Json(#[source] JsonError),
    /// The name is not one.
    #[error("expected a keyid of 1 to {MAX_KEYID_CHARS} hex digits, found {found}")]
    KeyidForm {
        /// The beginning of the name.
        found: String,
    },
    /// The key says that its name is another.
    #[error("expected the key to have the keyid under which it stands, found {found}")]
    Keyid {
        /// The beginning of the name that it says.
        found: String,
    },
    /// The public key is malformed.
    #[error("expected keyval.public to be a {keytype} key, as {form}")]
    Public {
        /// The key's type.
        keytype: &'static str,
        /// How it is written.
        form: &'static str,
        /// What is wrong with it.
        #[source]
        source: KeyError,
    },
}

/// A key of a layout.
#[derive(Debug, Clone, PartialEq)]
pub enum LayoutKey {
    /// One that signatures can be verified with.
    Known(PublicKey),
    /// One of another kind. What it signed counts for nothing.
    Unsupported {
        /// The key's type and scheme, for a reader.
        found: String,
    },
}

#[derive(Deserialize)]
struct Wire {
    keyid: Option<String>,
    keytype: String,
    scheme: String,
    keyval: WireKeyval,
}

#[derive(Deserialize)]
struct WireKeyval {
    // A key of OpenPGP or with a certificate may have other members.
    public: Option<Value>,
}

impl LayoutKey {
    /// Reads the key that stands under a keyid.
    pub(super) fn from_value(keyid: &str, value: Value) -> Result<Self, LayoutKeyError> {
        let is_hex = keyid.bytes().all(|b| b.is_ascii_hexdigit());
        if !(1..=MAX_KEYID_CHARS).contains(&keyid.len()) || !is_hex {
            return Err(LayoutKeyError::KeyidForm { found: quoted(keyid) });
        }
        let wire: Wire = json::from_value(value, "the key").map_err(LayoutKeyError::Json)?;
        if let Some(found) = wire.keyid.filter(|found| found != keyid) {
            return Err(LayoutKeyError::Keyid { found: quoted(&found) });
        }
        let unsupported = || Self::Unsupported {
            found: format!("{} of {}", quoted(&wire.scheme), quoted(&wire.keytype)),
        };
        let Some(Value::String(public)) = wire.keyval.public else { return Ok(unsupported()) };
        let (keytype, form, key) = match (wire.keytype.as_str(), wire.scheme.as_str()) {
            ("ed25519", "ed25519") => {
                let form = "64 hex digits";
                ("ed25519", form, from_hex(ED25519_SPKI_HEAD, &public, form))
            }
            ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => {
                ("ecdsa-sha2-nistp256", "PEM, or 130 hex digits of its point", p256(&public))
            }
            _ => return Ok(unsupported()),
        };
        match key {
            Ok(key) => Ok(Self::Known(key)),
            Err(KeyError::Algorithm { .. }) => Ok(unsupported()),
            Err(source) => Err(LayoutKeyError::Public { keytype, form, source }),
        }
    }

    /// Who the key is: equal for equal keys, whatever their keyids.
    pub(super) fn identity<'k>(&self, keyid: &'k str) -> Result<Fingerprint, &'k str> {
        match self {
            Self::Known(key) => Ok(key.fingerprint()),
            Self::Unsupported { .. } => Err(keyid),
        }
    }
}

/// PEM as Python and Go write it, or the point as the crate `in-toto` does.
fn p256(public: &str) -> Result<PublicKey, KeyError> {
    if public.bytes().all(|b| b.is_ascii_hexdigit()) {
        from_hex(P256_SPKI_HEAD, public, "130 hex digits")
    } else {
        PublicKey::from_pem(public)
    }
}

fn from_hex(head: &str, public: &str, expected: &str) -> Result<PublicKey, KeyError> {
    let malformed =
        || KeyError::Der { detail: format!("expected {expected}, found {}", quoted(public)) };
    PublicKey::from_spki_der(&hex::decode(format!("{head}{public}")).map_err(|_| malformed())?)
}
