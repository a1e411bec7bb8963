//! Writing a classic link: from the link v0.3 predicate and its subjects, which say the same.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    ClassicLink, ClassicLinkError, ClassicSignature, LinkRecord, MAX_ARTIFACTS, MAX_BYPRODUCTS,
    MAX_UNSIGNED_BYTES, cut, demand_at_most, keyids,
};
use crate::digest::{Digest, DigestSet};
use crate::json;
use crate::key::SigningKey;
use crate::predicate::in_toto::Link;
use crate::statement::ResourceDescriptor;

/// What classic readers look for, text in all implementations.
const STREAMS: [&str; 2] = ["stdout", "stderr"];
/// The status with which the command ended; an integer of 32 bits to the crate in-toto.
const RETURN_VALUE: &str = "return-value";

impl ClassicLink {
    /// Signs a link whose products are the subjects of its statement.
    ///
    /// One signature is written once under each of the key's [`keyids`], the reference
    /// implementation's first, so that the link verifies wherever the layout's key came from.
    ///
    /// Of an artifact only its SHA-256 is written: in-toto compares whole sets of digests, and its
    /// own tools write no other. Of the byproducts, text and `return-value` are written as they
    /// are. One that is given by digest, such as the output, becomes `NAME-sha256`; `stdout` and
    /// `stderr` are then empty, which is what `in-toto-run` writes for output that it did not
    /// record. The environment is not written.
    ///
    /// # Errors
    /// [`ClassicLinkError`], naming the artifact or byproduct that a classic link cannot hold, or
    /// the bound that was met.
    pub fn sign(
        link: &Link,
        products: &[ResourceDescriptor],
        key: &SigningKey,
    ) -> Result<Self, ClassicLinkError> {
        demand_at_most(MAX_ARTIFACTS, "artifacts", link.materials.len() + products.len())?;
        demand_at_most(MAX_BYPRODUCTS, "byproducts", link.byproducts.len())?;
        let record = LinkRecord {
            name: link.name.clone(),
            command: link.command.clone(),
            materials: artifacts("material", &link.materials)?,
            products: artifacts("product", products)?,
            byproducts: byproducts(&link.byproducts)?,
            environment: Map::new(),
        };
        // What is signed is read first, so that nothing is signed that would not be read again.
        let unsigned = json!({ "signatures": [], "signed": record.to_value() });
        let found_bytes = unsigned.to_string().len();
        if found_bytes > MAX_UNSIGNED_BYTES {
            return Err(ClassicLinkError::TooLarge { found_bytes });
        }
        let mut written = Self::from_value(unsigned)?;
        let value = key.sign(&written.signed_bytes);
        written.signatures = keyids(key.public_key())
            .into_iter()
            .map(|keyid| ClassicSignature { keyid, value: Some(value.clone()) })
            .collect();
        let sig = hex::encode(&value);
        let signatures: Vec<Value> = written
            .signatures
            .iter()
            .map(|signature| json!({ "keyid": signature.keyid, "sig": sig }))
            .collect();
        if let Value::Object(members) = &mut written.metablock {
            members.insert("signatures".to_owned(), signatures.into());
        }
        Ok(written)
    }
}

fn artifacts(
    what: &'static str,
    descriptors: &[ResourceDescriptor],
) -> Result<BTreeMap<String, DigestSet>, ClassicLinkError> {
    let mut artifacts = BTreeMap::new();
    for (index, descriptor) in descriptors.iter().enumerate() {
        let name = descriptor.name.as_deref().filter(|name| !name.is_empty());
        let name = name.ok_or(ClassicLinkError::Unnamed { what, index })?;
        let sha256 = descriptor
            .digest
            .as_ref()
            .and_then(|set| set.iter().find(|digest| digest.as_sha256().is_some()));
        let sha256 = sha256.ok_or_else(|| ClassicLinkError::NoSha256 { what, name: cut(name) })?;
        if artifacts.insert(name.to_owned(), sha256.into()).is_some() {
            return Err(ClassicLinkError::Repeated { what, name: cut(name) });
        }
    }
    Ok(artifacts)
}

fn byproducts(given: &Map<String, Value>) -> Result<Map<String, Value>, ClassicLinkError> {
    let mut written = Map::new();
    for (name, value) in given {
        let (name, value) = byproduct(name, value)?;
        if written.insert(name.clone(), value).is_some() {
            return Err(ClassicLinkError::Repeated { what: "byproduct", name: cut(&name) });
        }
    }
    for stream in STREAMS {
        written.entry(stream).or_insert_with(|| "".into());
    }
    Ok(written)
}

/// The name and value of a byproduct in a classic link.
fn byproduct(name: &str, value: &Value) -> Result<(String, Value), ClassicLinkError> {
    let refused = |expected, found: String| {
        Err(ClassicLinkError::Byproduct { name: cut(name), expected, found })
    };
    match value {
        Value::Number(number) if name == RETURN_VALUE => {
            match number.as_i64().and_then(|status| i32::try_from(status).ok()) {
                Some(status) => Ok((name.to_owned(), status.into())),
                None => refused("an integer of 32 bits", number.to_string()),
            }
        }
        other if name == RETURN_VALUE => {
            refused("an integer of 32 bits", json::type_name(other).to_owned())
        }
        Value::String(text) => Ok((name.to_owned(), text.as_str().into())),
        Value::Object(members) => {
            // A descriptor, or a set of digests.
            let set = members.get("digest").unwrap_or(value);
            let sha256 = set.get("sha256").and_then(Value::as_str);
            match sha256.and_then(|hex| Digest::new("sha256", hex).ok()) {
                Some(digest) => Ok((format!("{name}-sha256"), digest.value().into())),
                None => refused("text, or what has a sha256 digest", "an object".to_owned()),
            }
        }
        other => refused("text, or what has a sha256 digest", json::type_name(other).to_owned()),
    }
}
