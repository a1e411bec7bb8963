//! The members of a SARIF log that are read (SARIF 2.1.0 §3.13 to §3.58).
//!
//! Everything may be missing or of another type: the specification demands little, and tools keep
//! less of it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::evidence::bounded::{Beginning, List, MAX_RESULTS, Members};
use crate::evidence::loose;

/// A run (§3.14), without its results.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Head {
    #[serde(deserialize_with = "loose::or_default")]
    pub(super) tool: Tool,
    pub(super) invocations: List<Invocation>,
    pub(super) original_uri_base_ids: Members<ArtifactLocation>,
    pub(super) version_control_provenance: Beginning<VersionControl>,
    pub(super) artifacts: Beginning<Artifact>,
    pub(super) results: Tally,
    pub(super) properties: Option<RunProperties>,
}

/// What Trivy adds to a run about an image.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RunProperties {
    #[serde(deserialize_with = "loose::texts")]
    pub(super) repo_digests: Vec<String>,
    #[serde(rename = "imageID", deserialize_with = "loose::text")]
    pub(super) image_id: Option<String>,
}

/// A tool (§3.18).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tool {
    #[serde(deserialize_with = "loose::or_default")]
    pub(super) driver: Component,
    pub(super) extensions: List<Component>,
}

/// A part of a tool (§3.19).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Component {
    #[serde(deserialize_with = "loose::text")]
    pub(super) name: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    pub(super) version: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    pub(super) semantic_version: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    pub(super) information_uri: Option<String>,
    pub(super) rules: List<Rule>,
}

/// A rule (§3.49).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::evidence) struct Rule {
    #[serde(deserialize_with = "loose::text")]
    pub(in crate::evidence) id: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    pub(in crate::evidence) name: Option<String>,
    pub(in crate::evidence) short_description: Option<Message>,
    #[serde(deserialize_with = "loose::texts")]
    pub(in crate::evidence) deprecated_ids: Vec<String>,
    pub(super) default_configuration: Option<Configuration>,
    pub(in crate::evidence) properties: Option<RuleProperties>,
}

/// What a rule does where nobody configures it (§3.50).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Configuration {
    #[serde(deserialize_with = "loose::text")]
    pub(super) level: Option<String>,
}

/// What tools add to a rule.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(in crate::evidence) struct RuleProperties {
    #[serde(deserialize_with = "loose::texts")]
    pub(in crate::evidence) tags: Vec<String>,
    #[serde(deserialize_with = "loose::text")]
    pub(in crate::evidence) security_severity: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    pub(in crate::evidence) severity: Option<String>,
    #[serde(deserialize_with = "loose::texts")]
    pub(in crate::evidence) purls: Vec<String>,
    /// What Trivy takes from the Common Vulnerability Scoring System.
    #[serde(rename = "cvssv3_baseScore", deserialize_with = "loose::text")]
    pub(in crate::evidence) cvss_v3_score: Option<String>,
    #[serde(rename = "cvssv3_vector", deserialize_with = "loose::text")]
    pub(in crate::evidence) cvss_v3_vector: Option<String>,
    #[serde(rename = "cvssv2_score", deserialize_with = "loose::text")]
    pub(in crate::evidence) cvss_v2_score: Option<String>,
    #[serde(rename = "cvssv2_vector", deserialize_with = "loose::text")]
    pub(in crate::evidence) cvss_v2_vector: Option<String>,
}

/// How a tool was run (§3.20).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Invocation {
    #[serde(deserialize_with = "loose::text")]
    pub(super) start_time_utc: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    pub(super) end_time_utc: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    pub(super) execution_successful: Option<String>,
    pub(super) working_directory: Option<ArtifactLocation>,
    pub(super) tool_execution_notifications: Beginning<Notification>,
    pub(super) tool_configuration_notifications: Beginning<Notification>,
}

/// Something that a tool tells of its own run (§3.58).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Notification {
    #[serde(deserialize_with = "loose::text")]
    pub(super) level: Option<String>,
}

/// Where the sources were checked out (§3.23).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct VersionControl {
    pub(super) mapped_to: Option<ArtifactLocation>,
}

/// A file (§3.24).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Artifact {
    pub(super) location: Option<ArtifactLocation>,
}

/// Where a file is (§3.4).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ArtifactLocation {
    #[serde(deserialize_with = "loose::text")]
    pub(super) uri: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    pub(super) uri_base_id: Option<String>,
    #[serde(deserialize_with = "loose::count")]
    pub(super) index: Option<u64>,
}

/// A text for people (§3.11, §3.12).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::evidence) struct Message {
    #[serde(deserialize_with = "loose::text")]
    pub(in crate::evidence) text: Option<String>,
}

/// A result (§3.27).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ResultObject {
    #[serde(deserialize_with = "loose::text")]
    pub(super) rule_id: Option<String>,
    #[serde(deserialize_with = "loose::count")]
    pub(super) rule_index: Option<u64>,
    pub(super) rule: Option<RuleReference>,
    #[serde(deserialize_with = "loose::text")]
    pub(super) kind: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    pub(super) level: Option<String>,
    pub(super) message: Option<Message>,
    pub(super) locations: Beginning<Location>,
    pub(super) suppressions: Beginning<Suppression>,
    #[serde(deserialize_with = "loose::text_map")]
    pub(super) fingerprints: BTreeMap<String, String>,
    #[serde(deserialize_with = "loose::text_map")]
    pub(super) partial_fingerprints: BTreeMap<String, String>,
    #[serde(deserialize_with = "loose::text")]
    pub(super) correlation_guid: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    pub(super) baseline_state: Option<String>,
    #[serde(deserialize_with = "loose::text_map")]
    pub(super) properties: BTreeMap<String, String>,
}

/// Which rule a result is of (§3.52).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RuleReference {
    #[serde(deserialize_with = "loose::text")]
    id: Option<String>,
    #[serde(deserialize_with = "loose::count")]
    index: Option<u64>,
    tool_component: Option<ComponentReference>,
}

/// Which part of the tool a rule is of (§3.54).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ComponentReference {
    #[serde(deserialize_with = "loose::count")]
    index: Option<u64>,
}

/// A place (§3.28).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Location {
    pub(super) physical_location: Option<PhysicalLocation>,
    pub(super) logical_locations: Beginning<LogicalLocation>,
}

/// A place in a file (§3.29).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PhysicalLocation {
    pub(super) artifact_location: Option<ArtifactLocation>,
    pub(super) region: Option<Region>,
    pub(super) context_region: Option<Region>,
}

/// A place in a program or a configuration (§3.33).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LogicalLocation {
    #[serde(deserialize_with = "loose::text")]
    pub(super) fully_qualified_name: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    pub(super) name: Option<String>,
}

/// A part of a file (§3.30).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Region {
    #[serde(deserialize_with = "loose::count")]
    pub(super) start_line: Option<u64>,
    pub(super) snippet: Option<Message>,
}

/// A decision that a result does not count (§3.35).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Suppression {
    #[serde(deserialize_with = "loose::text")]
    pub(super) status: Option<String>,
}

/// Which rule a result is of, in whichever of three ways it says so (§3.27.5 to §3.27.7).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct RuleKey {
    pub(super) id: Option<String>,
    pub(super) index: Option<u64>,
    /// The extension of the tool, where the rule is of one.
    pub(super) extension: Option<u64>,
}

impl RuleKey {
    pub(super) fn new(
        id: Option<&String>,
        index: Option<u64>,
        rule: Option<&RuleReference>,
    ) -> Self {
        Self {
            id: id.or_else(|| rule?.id.as_ref()).filter(|id| !id.is_empty()).cloned(),
            index: index.or_else(|| rule?.index),
            extension: rule.and_then(|rule| rule.tool_component.as_ref()?.index),
        }
    }
}

/// How many results a run has, and of which rules.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Whether there is a list of results: without one, nothing was found because nothing was
    /// looked for (§3.14.23).
    pub(super) listed: bool,
    pub(super) total: u64,
    pub(super) by_rule: HashMap<RuleKey, u64>,
}

impl<'de> Deserialize<'de> for Tally {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct Rules {
            #[serde(deserialize_with = "loose::text")]
            rule_id: Option<String>,
            #[serde(deserialize_with = "loose::count")]
            rule_index: Option<u64>,
            rule: Option<RuleReference>,
        }

        struct Results;

        impl<'de> Visitor<'de> for Results {
            type Value = Tally;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of results")
            }

            fn visit_unit<E>(self) -> Result<Tally, E> {
                Ok(Tally::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tally, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Tally::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tally, A::Error> {
                let mut tally = Tally { listed: true, ..Tally::default() };
                while let Some(Rules { rule_id, rule_index, rule }) = seq.next_element()? {
                    tally.total += 1;
                    let key = RuleKey::new(rule_id.as_ref(), rule_index, rule.as_ref());
                    *tally.by_rule.entry(key).or_default() += 1;
                    if tally.by_rule.len() > MAX_RESULTS {
                        let limit = format_args!("results of more than {MAX_RESULTS} rules");
                        return Err(A::Error::custom(limit));
                    }
                }
                Ok(tally)
            }
        }

        deserializer.deserialize_any(Results)
    }
}
