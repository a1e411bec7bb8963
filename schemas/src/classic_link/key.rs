//! Public keys as in-toto layouts hold them, and the names that they go by there.
//!
//! A layout and a link's signature name a key by its keyid, "the hexadecimal encoding of the SHA-256
//! hash of the canonical JSON form of the public key" (in-toto specification 1.0, §4.2.1), and the
//! link's file name begins it. The implementations do not write a key in the same form, so that one
//! key has several keyids:
//!
//! | [`KeyForm`] | `keyval.public` of P-256 | of Ed25519 | `keyid_hash_algorithms` |
//! |---|---|---|---|
//! | `Python`: in-toto 2.2 and newer with PEM keys | PEM and a line feed | hex | absent |
//! | `Go`: in-toto-golang, and in-toto (Python) before | PEM | hex | `["sha256","sha512"]` |
//! | `RustPoint`: the crate `in-toto`, key of a point | hex of the point | hex | absent |
//! | `RustSpki`: the crate `in-toto`, key of an SPKI | hex of the point | hex | `["sha256","sha512"]` |
//!
//! The first is the specification's. Python and Go take the keyid that a layout states; the crate
//! computes it anew and drops a key that the layout has under another. A layout that Go verifies
//! must hold keys in Go's form, because Go signs a key without `keyid_hash_algorithms` as if it had
//! null there.

use serde_json::{Value, json};

use super::canonical::canonical;
use crate::digest::Sha256;
use crate::key::{KeyType, PublicKey};

/// Whose form a key has in a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyForm {
    /// Of in-toto (Python) as of 2.2 with securesystemslib's signers: the reference today.
    Python,
    /// Of in-toto-golang, and of in-toto (Python) with the keys it had before.
    Go,
    /// Of the crate `in-toto`, for a key that it read as a point or from a layout without
    /// `keyid_hash_algorithms`.
    RustPoint,
    /// Of the crate `in-toto`, for a key that it read from an SPKI or from a layout with
    /// `keyid_hash_algorithms`.
    RustSpki,
}

impl KeyForm {
    /// All forms, the reference implementation's first.
    pub const ALL: [Self; 4] = [Self::Python, Self::Go, Self::RustPoint, Self::RustSpki];

    fn names_hash_algorithms(self) -> bool {
        matches!(self, Self::Go | Self::RustSpki)
    }
}

/// The keyid of a key: 64 lower-case hex digits.
#[must_use]
pub fn keyid(key: &PublicKey, form: KeyForm) -> String {
    let hashed = canonical(&nameless(key, form)).expect("a key holds text only");
    Sha256::of(&hashed).hex()
}

/// Every keyid of a key, each once, the reference implementation's first.
#[must_use]
pub fn keyids(key: &PublicKey) -> Vec<String> {
    let mut keyids = Vec::new();
    for form in KeyForm::ALL {
        let keyid = keyid(key, form);
        if !keyids.contains(&keyid) {
            keyids.push(keyid);
        }
    }
    keyids
}

/// The key as a layout's member `keys` holds it, under its [`keyid`].
#[must_use]
pub fn layout_key(key: &PublicKey, form: KeyForm) -> Value {
    let mut value = nameless(key, form);
    if let Value::Object(members) = &mut value {
        members.insert("keyid".to_owned(), keyid(key, form).into());
    }
    value
}

/// The form of which the keyid is the hash.
fn nameless(key: &PublicKey, form: KeyForm) -> Value {
    let (keytype, scheme) = match key.key_type() {
        KeyType::P256 => ("ecdsa", "ecdsa-sha2-nistp256"),
        KeyType::Ed25519 => ("ed25519", "ed25519"),
    };
    let mut value = json!({
        "keytype": keytype,
        "scheme": scheme,
        "keyval": { "public": public(key, form) },
    });
    if let (true, Value::Object(members)) = (form.names_hash_algorithms(), &mut value) {
        members.insert("keyid_hash_algorithms".to_owned(), json!(["sha256", "sha512"]));
    }
    value
}

fn public(key: &PublicKey, form: KeyForm) -> String {
    if let Some(raw) = key.ed25519_raw() {
        return hex::encode(raw);
    }
    match form {
        KeyForm::Python => key.to_pem(),
        KeyForm::Go => key.to_pem().trim_end().to_owned(),
        KeyForm::RustPoint | KeyForm::RustSpki => {
            hex::encode(key.p256_raw().expect("a key that is not Ed25519 is P-256"))
        }
    }
}
