//! The predicate types that are known by name.
//!
//! People ask for predicates by short names, and tools write their URIs with and without a
//! version. One table says which belongs to which. A short name is never a prefix match, and a
//! URI stands for itself alone.

use super::rules::Specification;
use super::{attestry, cosign, cyclonedx, in_toto, openvex, provenance, vsa, vulns};

/// A predicate type: its names and its specification.
pub struct PredicateType {
    /// The short name, as in `attest --type`.
    pub short: &'static str,
    /// The URI that is written.
    pub uri: &'static str,
    /// Further short names, among them cosign's.
    pub aliases: &'static [&'static str],
    /// Further URIs of the same type, for reading.
    pub other_uris: &'static [&'static str],
    /// Whether `uri` may be followed by `/v` and a version.
    pub versioned: bool,
    /// What a predicate of this type says.
    pub description: &'static str,
    pub(super) specifications: Specifications,
}

/// Where the rules of a type are.
pub(super) enum Specifications {
    /// One set of rules for every URI of the type.
    One(&'static Specification),
    /// The first rules for `uri`, the second for `other_uris`.
    Two(&'static Specification, &'static Specification),
    /// The rules depend on the document.
    Spdx,
}

use Specifications::{One, Two};

/// Every predicate type with a short name.
///
/// `slsaprovenance`, `vuln` and `custom` mean what they mean to cosign; `link` means the current
/// in-toto link as well as the classic link that cosign writes under that name, because
/// `link.md` declares `https://in-toto.io/Link/*` the deprecated URI of one and the same type.
pub static PREDICATE_TYPES: &[PredicateType] = &[
    PredicateType {
        short: "provenance",
        uri: "https://slsa.dev/provenance/v1",
        aliases: &["slsaprovenance1"],
        other_uris: &[],
        versioned: false,
        description: "SLSA provenance v1: how artifacts were built",
        specifications: One(&provenance::V1),
    },
    PredicateType {
        short: "provenance-v0.2",
        uri: "https://slsa.dev/provenance/v0.2",
        aliases: &["slsaprovenance", "slsaprovenance02"],
        other_uris: &[],
        versioned: false,
        description: "SLSA provenance v0.2, for reading",
        specifications: One(&provenance::V02),
    },
    PredicateType {
        short: "vsa",
        uri: "https://slsa.dev/verification_summary/v1",
        aliases: &["verification-summary"],
        other_uris: &[],
        versioned: false,
        description: "SLSA verification summary v1: that artifacts met a policy; also decisions",
        specifications: One(&vsa::VSA),
    },
    PredicateType {
        short: "svr",
        uri: "https://in-toto.io/attestation/svr/v0.2",
        aliases: &[],
        other_uris: &["https://in-toto.io/attestation/svr/v0.1"],
        versioned: false,
        description: "in-toto simple verification result: which properties were verified",
        specifications: Two(&vsa::SVR_V02, &vsa::SVR_V01),
    },
    PredicateType {
        short: "test-result",
        uri: "https://in-toto.io/attestation/test-result/v0.1",
        aliases: &[],
        other_uris: &[],
        versioned: false,
        description: "in-toto test result v0.1: one run of a test suite",
        specifications: One(&in_toto::TEST_RESULT),
    },
    PredicateType {
        short: "link",
        uri: "https://in-toto.io/attestation/link/v0.3",
        aliases: &[],
        other_uris: &["https://in-toto.io/Link/v1", "https://in-toto.io/Link/v0.2"],
        versioned: false,
        description: "in-toto link v0.3: one step of a supply chain",
        specifications: Two(&in_toto::LINK, &in_toto::CLASSIC_LINK),
    },
    PredicateType {
        short: "vulns",
        uri: "https://in-toto.io/attestation/vulns/v0.2",
        aliases: &[],
        other_uris: &[],
        versioned: false,
        description: "in-toto vulnerabilities v0.2: the result of a vulnerability scan",
        specifications: One(&vulns::VULNS),
    },
    PredicateType {
        short: "vuln",
        uri: "https://cosign.sigstore.dev/attestation/vuln/v1",
        aliases: &[],
        other_uris: &["cosign.sigstore.dev/attestation/vuln/v1"],
        versioned: false,
        description: "cosign vulnerability scan v1, the forerunner of vulns",
        specifications: One(&vulns::COSIGN_VULN),
    },
    PredicateType {
        short: "scai",
        uri: "https://in-toto.io/attestation/scai/v0.3",
        aliases: &[],
        other_uris: &["https://in-toto.io/attestation/scai/attribute-report/v0.2"],
        versioned: false,
        description: "SCAI v0.3: attributes of an artifact, with evidence",
        specifications: One(&in_toto::SCAI),
    },
    PredicateType {
        short: "release",
        uri: "https://in-toto.io/attestation/release/v0.1",
        aliases: &[],
        other_uris: &[],
        versioned: false,
        description: "in-toto release v0.1: which artifacts make up a release",
        specifications: One(&in_toto::RELEASE),
    },
    PredicateType {
        short: "reference",
        uri: "https://in-toto.io/attestation/reference/v0.1",
        aliases: &[],
        other_uris: &[],
        versioned: false,
        description: "in-toto reference v0.1: documents that concern an artifact",
        specifications: One(&in_toto::REFERENCE),
    },
    PredicateType {
        short: "runtime-trace",
        uri: "https://in-toto.io/attestation/runtime-trace/v0.1",
        aliases: &[],
        other_uris: &["https://in-toto.io/attestation/runtime-trace/v0.2"],
        versioned: false,
        description: "in-toto runtime trace: what a monitor saw of a process",
        specifications: One(&in_toto::RUNTIME_TRACE),
    },
    PredicateType {
        short: "spdx",
        uri: "https://spdx.dev/Document",
        aliases: &["spdxjson"],
        other_uris: &[],
        versioned: true,
        description: "SPDX 2 or 3: a bill of materials",
        specifications: Specifications::Spdx,
    },
    PredicateType {
        short: "cyclonedx",
        uri: "https://cyclonedx.org/bom",
        aliases: &[],
        other_uris: &[],
        versioned: true,
        description: "CycloneDX: a bill of materials",
        specifications: One(&cyclonedx::CYCLONEDX),
    },
    PredicateType {
        short: "openvex",
        uri: "https://openvex.dev/ns",
        aliases: &[],
        other_uris: &[],
        versioned: true,
        description: "OpenVEX: whether vulnerabilities affect products",
        specifications: One(&openvex::OPENVEX),
    },
    PredicateType {
        short: "cosign-sign",
        uri: "https://sigstore.dev/cosign/sign/v1",
        aliases: &[],
        other_uris: &[],
        versioned: false,
        description: "cosign's plain signature, as a statement",
        specifications: One(&cosign::SIGN),
    },
    PredicateType {
        short: "custom",
        uri: "https://cosign.sigstore.dev/attestation/v1",
        aliases: &[],
        other_uris: &["cosign.sigstore.dev/attestation/v1"],
        versioned: false,
        description: "cosign's generic predicate: any data, with a time",
        specifications: One(&cosign::CUSTOM),
    },
    ours(
        "genesis",
        "https://attestry.dev/genesis/v1",
        "the first entry of a log: which log it is",
        &attestry::governance::GENESIS,
    ),
    ours(
        "roster",
        "https://attestry.dev/roster/v1",
        "a version of the roster: who may sign what",
        &attestry::governance::ROSTER,
    ),
    ours(
        "policy",
        "https://attestry.dev/policy/v1",
        "a version of a policy: what an environment demands",
        &attestry::governance::POLICY,
    ),
    ours(
        "review",
        "https://attestry.dev/review/v1",
        "that a commit was reviewed, by whom",
        &attestry::source::REVIEW,
    ),
    ours(
        "approval",
        "https://attestry.dev/approval/v1",
        "consent that artifacts enter an environment",
        &attestry::governance::APPROVAL,
    ),
    ours(
        "waiver",
        "https://attestry.dev/waiver/v1",
        "consent that a finding does not count for a time",
        &attestry::governance::WAIVER,
    ),
    ours(
        "break-glass",
        "https://attestry.dev/break-glass/v1",
        "an emergency exception, to be reviewed",
        &attestry::governance::BREAK_GLASS,
    ),
    ours(
        "deployment",
        "https://attestry.dev/deployment/v1",
        "artifacts entered or left an environment",
        &attestry::environment::DEPLOYMENT,
    ),
    ours(
        "readiness",
        "https://attestry.dev/readiness/v1",
        "the state of an environment's configuration",
        &attestry::environment::READINESS,
    ),
    ours(
        "secret-scan",
        "https://attestry.dev/secret-scan/v1",
        "the result of a search for secrets, redacted",
        &attestry::environment::SECRET_SCAN,
    ),
    ours(
        "static-analysis",
        "https://attestry.dev/static-analysis/v1",
        "the result of a static analysis, by rule and level",
        &attestry::analysis::STATIC_ANALYSIS,
    ),
    ours(
        "revocation",
        "https://attestry.dev/revocation/v1",
        "a signer that must not be trusted from a moment on",
        &attestry::governance::REVOCATION,
    ),
    ours(
        "tag",
        "https://attestry.dev/tag/v1",
        "that a tag of a repository moved, signed by the registry",
        &attestry::tag::TAG,
    ),
];

const fn ours(
    short: &'static str,
    uri: &'static str,
    description: &'static str,
    specification: &'static Specification,
) -> PredicateType {
    PredicateType {
        short,
        uri,
        aliases: &[],
        other_uris: &[],
        versioned: false,
        description,
        specifications: One(specification),
    }
}

impl PredicateType {
    /// Whether `uri` names this type.
    #[must_use]
    pub fn has_uri(&self, uri: &str) -> bool {
        uri == self.uri || self.other_uris.contains(&uri) || self.is_version_of(uri)
    }

    /// `https://cyclonedx.org/bom/v1.6` is a version of `https://cyclonedx.org/bom`.
    fn is_version_of(&self, uri: &str) -> bool {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let version = uri.strip_prefix(self.uri).and_then(|rest| rest.strip_prefix("/v"));
        self.versioned && version.is_some_and(|version| version.split('.').all(digits))
    }

    fn has_short(&self, name: &str) -> bool {
        name == self.short || self.aliases.contains(&name)
    }
}

/// The type of a short name or alias.
#[must_use]
pub fn from_short(name: &str) -> Option<&'static PredicateType> {
    PREDICATE_TYPES.iter().find(|known| known.has_short(name))
}

/// The type of a URI.
#[must_use]
pub fn from_uri(uri: &str) -> Option<&'static PredicateType> {
    PREDICATE_TYPES.iter().find(|known| known.has_uri(uri))
}

/// Whether a predicate of type `found_uri` is what `requested` asks for.
///
/// A short name asks for every URI of its type; anything else asks for itself, letter by letter.
#[must_use]
pub fn matches(requested: &str, found_uri: &str) -> bool {
    match from_short(requested) {
        Some(known) => known.has_uri(found_uri),
        None => requested == found_uri,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn short_names_match_their_type_and_no_other() {
        let check = |requested: &str, found: &[&str]| {
            for known in PREDICATE_TYPES {
                for uri in [&[known.uri], known.other_uris].concat() {
                    assert_eq!(matches(requested, uri), found.contains(&uri), "{requested} {uri}");
                }
            }
        };
        let v1 = "https://slsa.dev/provenance/v1";
        let v02 = "https://slsa.dev/provenance/v0.2";
        check("provenance", &[v1]);
        check("slsaprovenance1", &[v1]);
        check("slsaprovenance", &[v02]);
        check("slsaprovenance02", &[v02]);
        check("spdxjson", &["https://spdx.dev/Document"]);
        check(
            "vuln",
            &[
                "https://cosign.sigstore.dev/attestation/vuln/v1",
                "cosign.sigstore.dev/attestation/vuln/v1",
            ],
        );
        check("vulns", &["https://in-toto.io/attestation/vulns/v0.2"]);
        check(
            "custom",
            &["https://cosign.sigstore.dev/attestation/v1", "cosign.sigstore.dev/attestation/v1"],
        );
        check("deployment", &["https://attestry.dev/deployment/v1"]);
        check("no-such-name", &[]);
        check("", &[]);
        check("https://slsa.dev/provenance", &[]);
    }

    #[test]
    fn versioned_families_match_their_versions_by_short_name_only() {
        let check = |requested, found, expected| {
            assert_eq!(matches(requested, found), expected, "{requested} {found}");
        };
        check("spdx", "https://spdx.dev/Document/v2.3", true);
        check("cyclonedx", "https://cyclonedx.org/bom/v1.6", true);
        check("openvex", "https://openvex.dev/ns/v0.2.0", true);
        check("spdx", "https://spdx.dev/Documents", false);
        check("spdx", "https://spdx.dev/Document/v", false);
        check("spdx", "https://spdx.dev/Document/v2.3/", false);
        check("spdx", "https://spdx.dev/Document/v2.x", false);
        check("spdx", "https://spdx.dev/Document/2.3", false);
        check("cyclonedx", "https://cyclonedx.org/bom.evil/v1.6", false);
        check("provenance", "https://slsa.dev/provenance/v1.1", false);
        check("provenance", "https://slsa.dev/provenance/v1/v1", false);
        check("https://spdx.dev/Document", "https://spdx.dev/Document/v2.3", false);
        check("https://spdx.dev/Document", "https://spdx.dev/Document", true);
        check("https://example.com/mine/v1", "https://example.com/mine/v1", true);
        check("https://slsa.dev/provenance/v1", "https://SLSA.dev/provenance/v1", false);
    }

    #[test]
    fn no_two_types_share_a_name_or_a_uri() {
        let mut names = BTreeSet::new();
        let mut uris = BTreeSet::new();
        for known in PREDICATE_TYPES {
            for name in [&[known.short], known.aliases].concat() {
                assert!(names.insert(name), "{name}");
            }
            for uri in [&[known.uri], known.other_uris].concat() {
                assert!(uris.insert(uri), "{uri}");
                assert_eq!(from_uri(uri).unwrap().short, known.short);
            }
        }
    }
}
