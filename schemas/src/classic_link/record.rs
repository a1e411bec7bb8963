//! What a classic link says (in-toto specification 1.0, §4.4), between its metadata and the link
//! v0.3 predicate.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    ClassicLinkError, MAX_ARGUMENTS, MAX_ARTIFACTS, MAX_NAME_BYTES, cut, demand_at_most, quoted,
};
use crate::digest::DigestSet;
use crate::json;
use crate::predicate::in_toto::Link;
use crate::statement::ResourceDescriptor;

/// The signed part of a classic link.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LinkRecord {
    /// The step.
    pub name: String,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// What went in, by path.
    pub materials: BTreeMap<String, DigestSet>,
    /// What came out, by path.
    pub products: BTreeMap<String, DigestSet>,
    /// More about the step; opaque, by custom with `return-value`, `stdout` and `stderr`.
    pub byproducts: Map<String, Value>,
    /// More about where the step ran; opaque.
    pub environment: Map<String, Value>,
}

#[derive(Deserialize)]
struct Wire {
    name: String,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    materials: BTreeMap<String, DigestSet>,
    #[serde(default)]
    products: BTreeMap<String, DigestSet>,
    #[serde(default)]
    byproducts: Map<String, Value>,
    // Null, which the crate in-toto writes for an environment that was not recorded, is an empty map.
    #[serde(default)]
    environment: Map<String, Value>,
}

impl LinkRecord {
    /// Reads what a link says from strictly parsed JSON: the signed part of its metadata, or the
    /// payload of an envelope.
    ///
    /// # Errors
    /// [`ClassicLinkError`] naming the member that breaks the specification or the bound.
    pub fn from_value(signed: Value) -> Result<Self, ClassicLinkError> {
        // Said before anything else, because a layout has the same metadata around it.
        match signed.get("_type") {
            Some(Value::String(found)) if found == "link" => {}
            Some(Value::String(found)) => {
                return Err(ClassicLinkError::Type { found: quoted(found) });
            }
            Some(other) => {
                return Err(ClassicLinkError::Type { found: json::type_name(other).to_owned() });
            }
            None => return Err(ClassicLinkError::Type { found: "none".to_owned() }),
        }
        let Wire { name, command, materials, products, byproducts, environment } =
            json::from_value(signed, "the signed part of the in-toto link")
                .map_err(ClassicLinkError::Json)?;
        let record = Self { name, command, materials, products, byproducts, environment };
        record.check()?;
        Ok(record)
    }

    pub(super) fn check(&self) -> Result<(), ClassicLinkError> {
        let separates = |c: char| matches!(c, '/' | '\\') || c.is_control();
        let name = &self.name;
        if !(1..=MAX_NAME_BYTES).contains(&name.len()) || name.contains(separates) {
            return Err(ClassicLinkError::Name { found: cut(name) });
        }
        demand_at_most(MAX_ARTIFACTS, "artifacts", self.materials.len() + self.products.len())?;
        demand_at_most(MAX_ARGUMENTS, "arguments", self.command.len())
    }

    pub(super) fn to_value(&self) -> Value {
        json!({
            "_type": "link",
            "name": self.name,
            "command": self.command,
            "materials": self.materials,
            "products": self.products,
            "byproducts": self.byproducts,
            "environment": self.environment,
        })
    }

    /// The same step as a link v0.3 predicate; its subjects are [`LinkRecord::subjects`].
    #[must_use]
    pub fn to_predicate(&self) -> Link {
        Link {
            name: self.name.clone(),
            command: self.command.clone(),
            materials: descriptors(&self.materials),
            byproducts: self.byproducts.clone(),
            environment: self.environment.clone(),
        }
    }

    /// The products as the subjects of a statement. There may be none, or more than one statement
    /// holds ([`crate::statement::MAX_SUBJECTS`]).
    #[must_use]
    pub fn subjects(&self) -> Vec<ResourceDescriptor> {
        descriptors(&self.products)
    }
}

fn descriptors(artifacts: &BTreeMap<String, DigestSet>) -> Vec<ResourceDescriptor> {
    let descriptor = |(path, digest): (&String, &DigestSet)| ResourceDescriptor {
        name: Some(path.clone()),
        digest: Some(digest.clone()),
        ..ResourceDescriptor::default()
    };
    artifacts.iter().map(descriptor).collect()
}
