//! Classic in-toto layouts: what a supply chain shall be, and whether links say that it was
//! (in-toto specification 1.0, §4.3, §4.5 and §5.2).
//!
//! ```text
//! {"_type": "layout", "expires": "2030-01-01T00:00:00Z", "readme": "",
//!  "keys": {keyid: {"keytype": …, "scheme": …, "keyval": {"public": …}}, …},
//!  "steps": [{"_type": "step", "name": …, "threshold": 1, "pubkeys": [keyid, …],
//!             "expected_materials": [[rule, …], …], "expected_products": [[rule, …], …],
//!             "expected_command": […]}, …],
//!  "inspect": []}
//! ```
//!
//! A layout comes signed, in the metadata of classic links or in a DSSE envelope
//! ([`LayoutDocument`]); [`crate::verify::layout`] says by whom, and [`verify`] whether links fulfil
//! it. Where more is demanded here than by the specification: an inspection, which would run a
//! command, is refused; a rule names a step of the layout; a threshold can be reached by distinct
//! keys. Parameter substitution, certificate constraints and OpenPGP keys are not supported: what
//! depends on them is never fulfilled.

mod artifacts;
mod document;
mod key;
mod link;
mod pattern;
mod refusal;
mod rule;
mod search;
mod verification;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::base64::Base64Error;
use crate::classic_link::{CanonicalError, ClassicLinkError};
use crate::json::{self, JsonError};
use crate::key::{Fingerprint, PublicKey};
use crate::predicate::{TimeError, UtcTime};

pub use artifacts::Artifacts;
pub use document::LayoutDocument;
pub use key::{LayoutKey, LayoutKeyError};
pub use link::{StepLink, StepLinkError};
pub use pattern::{MAX_PATTERN_BYTES, Pattern};
pub use refusal::{LayoutCheck, LayoutRefusal};
pub use rule::{ArtifactList, ArtifactRule, MatchRule, RuleError};
pub use verification::{Counted, LayoutReport, StepReport, verify};

/// The most bytes of a layout, signed and in its envelope.
pub const MAX_LAYOUT_BYTES: usize = 1 << 20;
/// The most signatures of a layout.
pub const MAX_SIGNATURES: usize = 16;
/// The most keys of a layout.
pub const MAX_KEYS: usize = 256;
/// The most steps of a layout.
pub const MAX_STEPS: usize = 128;
/// The most keys that may sign for one step.
pub const MAX_STEP_KEYS: usize = 64;
/// The most rules for the materials, and for the products, of one step.
pub const MAX_RULES: usize = 1024;
/// The most bytes of the name of a step.
pub const MAX_NAME_BYTES: usize = crate::classic_link::MAX_NAME_BYTES;
/// The most bytes of the path of an artifact. A link with a longer one counts for nothing.
pub const MAX_PATH_BYTES: usize = 4096;
/// The most sublayouts that are offered.
pub const MAX_SUBLAYOUTS: usize = 32;
/// How deep sublayouts may stand in each other.
pub const MAX_SUBLAYOUT_DEPTH: usize = 4;
/// The most ways in which links fulfil one sublayout, each with other materials or products, that
/// are tried.
pub const MAX_SUMMARIES: usize = 256;
/// The most work that verifying a layout may take, its sublayouts included: about so many
/// comparisons of two characters, which is some seconds at worst.
pub const MAX_WORK: u64 = 1 << 29;

/// The most characters of a text that an error repeats.
const MAX_SHOWN_CHARS: usize = 100;

/// Why a layout was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// Not strict JSON, or members of the wrong type.
    #[error("the in-toto layout does not parse")]
    Json(#[source] JsonError),
    /// Neither of the two forms of signed metadata.
    #[error("expected a layout in an object with signed and signatures, or in a DSSE envelope")]
    Form,
    /// Other metadata of in-toto, or none.
    #[error("expected {member} to be \"{expected}\", found {found}")]
    Type {
        /// Which member says so.
        member: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What was there.
        found: String,
    },
    /// A member of the envelope is not base64.
    #[error("the envelope of the in-toto layout does not parse")]
    Base64(#[source] Base64Error),
    /// A signature is malformed.
    #[error("the in-toto layout has a malformed signature")]
    Signature(#[source] ClassicLinkError),
    /// What is signed has no canonical form.
    #[error("the in-toto layout has no canonical form, which is what a signature covers")]
    Canonical(#[source] CanonicalError),
    /// A list is too long, or empty.
    #[error("expected {least} to {limit} {what} in the layout, found {found}")]
    Count {
        /// Which list.
        what: &'static str,
        /// How many it has at least.
        least: usize,
        /// How many it has at most.
        limit: usize,
        /// How many there were.
        found: usize,
    },
    /// `expires` is not a time.
    #[error("the layout's expires is not a time")]
    Expires(#[source] TimeError),
    /// The name of a step or of an inspection.
    #[error(
        "expected a name of 1 to {MAX_NAME_BYTES} bytes without control characters for each step, \
         found {found}"
    )]
    Name {
        /// The beginning of the name.
        found: String,
    },
    /// Names are unique among steps and inspections.
    #[error(
        "expected each name once in the layout (in-toto specification, 4.3.1), found {name} again"
    )]
    Repeated {
        /// The beginning of the name.
        name: String,
    },
    /// A key is malformed.
    #[error("key {keyid} of the layout cannot be read")]
    Key {
        /// The beginning of the name of the key.
        keyid: String,
        /// What is wrong with it.
        #[source]
        source: LayoutKeyError,
    },
    /// A step names a key that the layout does not have.
    #[error("expected key {keyid} of step {step} among the layout's keys, found none of that name")]
    UnknownKey {
        /// The step.
        step: String,
        /// The beginning of the name of the key.
        keyid: String,
    },
    /// A threshold that demands nothing, or what cannot be.
    #[error(
        "expected step {step} to have a threshold of 1 to {limit}, the number of its distinct keys, \
         found {found}"
    )]
    Threshold {
        /// The step.
        step: String,
        /// How many distinct keys may sign for it.
        limit: usize,
        /// Its threshold.
        found: i64,
    },
    /// A rule is malformed.
    #[error("rule {index} for the {list} of step {step} cannot be read")]
    Rule {
        /// The step.
        step: String,
        /// `materials` or `products`.
        list: &'static str,
        /// Which rule, from 0.
        index: usize,
        /// What is wrong with it.
        #[source]
        source: RuleError,
    },
    /// A `MATCH` would never consume anything.
    #[error("expected a step of the layout after FROM in {rule} of step {step}, found {found}")]
    UnknownStep {
        /// The step that has the rule.
        step: String,
        /// The rule.
        rule: String,
        /// The beginning of the name that it has.
        found: String,
    },
}

/// What a supply chain shall be. Parsed, not verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// The last moment at which it may be used.
    pub expires: UtcTime,
    /// What it says to people.
    pub readme: String,
    /// Its keys, by the keyids that its steps use.
    pub keys: BTreeMap<String, LayoutKey>,
    /// Its steps, at least one, in their order.
    pub steps: Vec<Step>,
    /// The names of the inspections, for which [`verify`] refuses it.
    pub inspections: Vec<String>,
}

/// A step of a [`Layout`].
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its name, which its links have too.
    pub name: String,
    /// How many functionaries must report the same; at least 1, at most its distinct keys.
    pub threshold: usize,
    /// The rules for what went in.
    pub expected_materials: Vec<ArtifactRule>,
    /// The rules for what came out.
    pub expected_products: Vec<ArtifactRule>,
    /// The keyids of its functionaries, each in [`Layout::keys`].
    pub pubkeys: Vec<String>,
    /// What was to be run; another command is worth a warning.
    pub expected_command: Vec<String>,
}

#[derive(Deserialize)]
struct Wire {
    expires: String,
    #[serde(default)]
    readme: String,
    keys: BTreeMap<String, Value>,
    steps: Vec<WireStep>,
    #[serde(default)]
    inspect: Vec<WireInspection>,
}

#[derive(Deserialize)]
struct WireStep {
    name: String,
    threshold: i64,
    #[serde(default)]
    expected_materials: Vec<Vec<String>>,
    #[serde(default)]
    expected_products: Vec<Vec<String>>,
    pubkeys: Vec<String>,
    #[serde(default)]
    expected_command: Vec<String>,
}

#[derive(Deserialize)]
struct WireInspection {
    name: String,
}

impl Layout {
    /// Reads a layout, without its signatures, from strictly parsed JSON.
    ///
    /// # Errors
    /// [`LayoutError`] naming the member that breaks the specification or the bound.
    pub fn from_value(signed: Value) -> Result<Self, LayoutError> {
        demand_type("signed._type", "layout", signed.get("_type"))?;
        let wire: Wire = json::from_value(signed, "the layout").map_err(LayoutError::Json)?;
        let expires = wire.expires.parse().map_err(LayoutError::Expires)?;
        demand("keys", 0, MAX_KEYS, wire.keys.len())?;
        demand("steps", 1, MAX_STEPS, wire.steps.len())?;
        demand("inspections", 0, MAX_STEPS, wire.inspect.len())?;
        let key = |(keyid, value): (String, Value)| match LayoutKey::from_value(&keyid, value) {
            Ok(key) => Ok((keyid, key)),
            Err(source) => Err(LayoutError::Key { keyid: quoted(&keyid), source }),
        };
        let keys = wire.keys.into_iter().map(key).collect::<Result<_, _>>()?;
        let inspections: Vec<_> = wire.inspect.into_iter().map(|wire| wire.name).collect();
        let step = |wire| Step::from_wire(wire, &keys);
        let steps = wire.steps.into_iter().map(step).collect::<Result<_, _>>()?;
        let layout = Self { expires, readme: wire.readme, keys, steps, inspections };
        layout.demand_names()?;
        Ok(layout)
    }

    /// The keys that may sign for a step and that can be verified with, each once, under however
    /// many keyids the step names it.
    #[must_use]
    pub fn functionaries(&self, step: &Step) -> Vec<PublicKey> {
        let mut known: BTreeMap<Fingerprint, PublicKey> = BTreeMap::new();
        for key in step.pubkeys.iter().filter_map(|keyid| self.keys.get(keyid)) {
            if let LayoutKey::Known(key) = key {
                known.insert(key.fingerprint(), key.clone());
            }
        }
        known.into_values().collect()
    }

    /// The index of the step of this name.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.name == name)
    }

    /// Names are told apart, and rules name steps.
    fn demand_names(&self) -> Result<(), LayoutError> {
        let mut seen = BTreeSet::new();
        for name in self.steps.iter().map(|step| &step.name).chain(&self.inspections) {
            if !(1..=MAX_NAME_BYTES).contains(&name.len()) || name.contains(char::is_control) {
                return Err(LayoutError::Name { found: quoted(name) });
            }
            if !seen.insert(name.as_str()) {
                return Err(LayoutError::Repeated { name: quoted(name) });
            }
        }
        for step in &self.steps {
            for rule in step.expected_materials.iter().chain(&step.expected_products) {
                match rule {
                    ArtifactRule::Match(of) if !seen.contains(of.from.as_str()) => {
                        return Err(LayoutError::UnknownStep {
                            step: quoted(&step.name),
                            rule: quoted(&rule.to_string()),
                            found: quoted(&of.from),
                        });
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

impl Step {
    fn from_wire(wire: WireStep, keys: &BTreeMap<String, LayoutKey>) -> Result<Self, LayoutError> {
        let step = || quoted(&wire.name);
        demand("keys of one step", 1, MAX_STEP_KEYS, wire.pubkeys.len())?;
        let mut distinct = BTreeSet::new();
        for keyid in &wire.pubkeys {
            let Some(key) = keys.get(keyid) else {
                return Err(LayoutError::UnknownKey { step: step(), keyid: quoted(keyid) });
            };
            distinct.insert(key.identity(keyid));
        }
        let limit = distinct.len();
        let threshold = usize::try_from(wire.threshold).ok().filter(|t| (1..=limit).contains(t));
        let Some(threshold) = threshold else {
            let found = wire.threshold;
            return Err(LayoutError::Threshold { step: step(), limit, found });
        };
        Ok(Self {
            expected_materials: rules(&wire.name, "materials", &wire.expected_materials)?,
            expected_products: rules(&wire.name, "products", &wire.expected_products)?,
            threshold,
            name: wire.name,
            pubkeys: wire.pubkeys,
            expected_command: wire.expected_command,
        })
    }
}

fn rules(
    step: &str,
    list: &'static str,
    rules: &[Vec<String>],
) -> Result<Vec<ArtifactRule>, LayoutError> {
    demand("rules of one list", 0, MAX_RULES, rules.len())?;
    let read = |(index, words): (usize, &Vec<String>)| {
        let named = |source| LayoutError::Rule { step: quoted(step), list, index, source };
        ArtifactRule::from_words(words).map_err(named)
    };
    rules.iter().enumerate().map(read).collect()
}

fn demand(what: &'static str, least: usize, limit: usize, found: usize) -> Result<(), LayoutError> {
    if (least..=limit).contains(&found) {
        Ok(())
    } else {
        Err(LayoutError::Count { what, least, limit, found })
    }
}

fn demand_type(
    member: &'static str,
    expected: &'static str,
    found: Option<&Value>,
) -> Result<(), LayoutError> {
    let found = match found {
        Some(Value::String(found)) if found == expected => return Ok(()),
        Some(Value::String(found)) => quoted(found),
        Some(other) => json::type_name(other).to_owned(),
        None => "none".to_owned(),
    };
    Err(LayoutError::Type { member, expected, found })
}

/// As much of a text as an error repeats, in quotes.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((at, _)) => format!("{:?}…", text.get(..at).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}
