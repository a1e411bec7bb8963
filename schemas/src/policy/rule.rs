//! From a rule's table to a [`RuleKind`].

use std::collections::BTreeMap;

use super::read::{Reader, parsed, references, repositories};
use super::window::{Freeze, Hours};
use super::{Demand, Role, RuleKind, Severity};
use crate::digest::Sha256;
use crate::document::pattern::is_plain;
use crate::document::{Placed, Section, quoted};
use crate::predicate;
use crate::predicate::attestry::environment::CheckSeverity;
use crate::roster::{MAX_BUILD_LEVEL, SIGNATURE};

/// The highest source level of SLSA 1.2.
const MAX_SOURCE_LEVEL: u64 = 4;

const KINDS: [(&str, Kind); 16] = [
    ("signature", Kind::Signature),
    ("provenance", Kind::Provenance),
    ("source", Kind::Source),
    ("test-result", Kind::TestResult),
    ("vuln-scan", Kind::VulnScan),
    ("sbom", Kind::Sbom),
    ("secret-scan", Kind::SecretScan),
    ("readiness", Kind::Readiness),
    ("promotion", Kind::Promotion),
    ("approval", Kind::Approval),
    ("deployer", Kind::Deployer),
    ("window", Kind::Window),
    ("no-rollback", Kind::NoRollback),
    ("vsa", Kind::Vsa),
    ("layout", Kind::Layout),
    ("rego", Kind::Rego),
];

#[derive(Clone, Copy)]
enum Kind {
    Signature,
    Provenance,
    Source,
    TestResult,
    VulnScan,
    Sbom,
    SecretScan,
    Readiness,
    Promotion,
    Approval,
    Deployer,
    Window,
    NoRollback,
    Vsa,
    Layout,
    Rego,
}

const SEVERITIES: [(&str, Severity); 4] = [
    ("low", Severity::Low),
    ("medium", Severity::Medium),
    ("high", Severity::High),
    ("critical", Severity::Critical),
];

const CHECK_SEVERITIES: [(&str, CheckSeverity); 5] = [
    ("info", CheckSeverity::Info),
    ("low", CheckSeverity::Low),
    ("medium", CheckSeverity::Medium),
    ("high", CheckSeverity::High),
    ("critical", CheckSeverity::Critical),
];

const ROLES: [Role; 3] = [Role::Author, Role::Builder, Role::Deployer];

pub(super) fn kind(reader: &Reader<'_>, table: &Section<'_, '_>) -> Option<RuleKind> {
    let kind = table.word("type", &KINDS)?;
    match kind {
        Kind::Signature => {
            let demand = reader.demand(table);
            let threshold = reader.threshold(table, &demand.signers);
            Some(RuleKind::Signature { demand, threshold })
        }
        Kind::Provenance => Some(RuleKind::Provenance {
            demand: reader.demand(table),
            builders: names(
                table,
                "builders",
                "a builder by its id, as provenance names it; there are no patterns of them",
            ),
            level: level(table, "level", 1, MAX_BUILD_LEVEL),
            sources: repositories(table, "sources"),
            refs: references(table, "refs"),
            build_types: names(
                table,
                "build_types",
                "a build type by its URI; there are no patterns of them",
            ),
            parameters: reader.parameters(table),
        }),
        Kind::Source => Some(RuleKind::Source {
            demand: reader.demand(table),
            level: level(table, "level", 1, MAX_SOURCE_LEVEL),
            two_party: table.flag("two_party"),
        }),
        Kind::TestResult => Some(RuleKind::TestResult {
            demand: reader.demand(table),
            suites: names(table, "suites", "a suite by its name; there are no patterns of them"),
            least_passed: table.optional_count("least_passed", 1).map_or(1, |count| count.value),
        }),
        Kind::VulnScan => vuln_scan(reader, table),
        Kind::Sbom => Some(RuleKind::Sbom {
            demand: reader.demand(table),
            kinds: kinds(table),
            deny_components: components(table),
            deny_licenses: names(
                table,
                "deny_licenses",
                "a licence by its SPDX identifier or its name, such as GPL-3.0-only; there are no patterns of them",
            ),
        }),
        Kind::SecretScan => Some(RuleKind::SecretScan {
            demand: reader.demand(table),
            most: table.optional_count("most", 0).map_or(0, |count| count.value),
        }),
        Kind::Readiness => Some(RuleKind::Readiness {
            demand: reader.demand(table),
            checks: names(table, "checks", "a check by its id; there are no patterns of them"),
            categories: names(
                table,
                "categories",
                "a category by its name; there are no patterns of them",
            ),
            block: table.optional_word("block", &CHECK_SEVERITIES).unwrap_or(CheckSeverity::High),
            bind_configuration: table.flag("bind_configuration"),
        }),
        Kind::Promotion => {
            Some(RuleKind::Promotion { from: earlier(table)?, soak: table.duration("soak")?.value })
        }
        Kind::Approval => {
            let demand = named(reader.demand(table), table, "the group whose consent is needed");
            let threshold = reader.threshold(table, &demand.signers);
            Some(RuleKind::Approval { demand, threshold, distinct_from: roles(table) })
        }
        Kind::Deployer => Some(RuleKind::Deployer { signers: reader.names(table, "signers") }),
        Kind::Window => window(reader, table),
        Kind::NoRollback => {
            let approvers = reader.optional_names(table, "approvers");
            let threshold = reader.threshold(table, &approvers);
            if approvers.is_empty() && table.has("threshold") && !table.has("approvers") {
                table.missing("approvers", "of whom so many approve a rollback");
            }
            Some(RuleKind::NoRollback { approvers, threshold })
        }
        Kind::Vsa => Some(RuleKind::Vsa {
            demand: named(reader.demand(table), table, "who may speak for the verifier"),
            verifier: exact(
                table,
                "verifier",
                "a verifier by its id, as summaries name it; there are no patterns of them",
            )?,
            resource: optional_patterns_one(table, "resource"),
            levels: names(
                table,
                "levels",
                "a level such as SLSA_BUILD_LEVEL_3; there are no patterns of them",
            ),
        }),
        Kind::Layout => layout(reader, table),
        Kind::Rego => rego(reader, table),
    }
}

/// A demand that names signers, without which anybody could say what it asks for.
fn named(demand: Demand, table: &Section<'_, '_>, who: &str) -> Demand {
    if demand.signers.is_empty() && !table.has("signers") {
        table.missing("signers", who);
    }
    demand
}

fn texts(placed: Option<Vec<Placed<String>>>) -> Vec<String> {
    placed.into_iter().flatten().map(|text| text.value).collect()
}

/// Texts that are compared as they are: one with space around it, or with a star, would match nothing.
fn names(table: &Section<'_, '_>, name: &str, expected: &str) -> Vec<String> {
    let given = table.optional_texts(name).unwrap_or_default();
    for text in &given {
        if text.value.trim() != text.value || text.value.contains('*') {
            table.fault(text.span.clone(), expected, &quoted(&text.value));
        }
    }
    texts(Some(given))
}

/// A text that is compared as it is, likewise.
fn exact(table: &Section<'_, '_>, name: &str, expected: &str) -> Option<String> {
    let given = table.text(name)?;
    if given.value.trim() != given.value || given.value.contains('*') {
        table.fault(given.span, expected, &quoted(&given.value));
    }
    Some(given.value)
}

/// The environment before: one, by its name.
fn earlier(table: &Section<'_, '_>) -> Option<String> {
    let from = table.text("from")?;
    if !is_plain(&from.value) || from.value.contains('*') {
        let expected = "one environment by its name, such as staging";
        table.fault(from.span, expected, &quoted(&from.value));
    }
    Some(from.value)
}

fn level(table: &Section<'_, '_>, name: &str, default: u64, most: u64) -> u64 {
    let Some(level) = table.optional_count(name, 0) else { return default };
    if level.value > most {
        let expected = format!("a level of 0 to {most}");
        table.fault(level.span, &expected, &level.value.to_string());
    }
    level.value
}

fn vuln_scan(reader: &Reader<'_>, table: &Section<'_, '_>) -> Option<RuleKind> {
    let demand = reader.demand(table);
    let block = table.word("block", &SEVERITIES);
    let leeway = table.section("leeway", |leeway| {
        let given = SEVERITIES.iter().filter_map(|(name, severity)| {
            Some((*severity, leeway.optional_duration(name)?.value))
        });
        Some(given.collect::<BTreeMap<_, _>>())
    });
    Some(RuleKind::VulnScan {
        demand,
        scanners: names(table, "scanners", "a scanner by its name or URI, such as trivy"),
        block: block?,
        leeway: leeway.unwrap_or_default(),
        vex: reader.optional_names(table, "vex"),
    })
}

fn kinds(table: &Section<'_, '_>) -> Vec<String> {
    let kinds = table.optional_texts("kinds").unwrap_or_default();
    for kind in &kinds {
        if !matches!(kind.value.as_str(), "cyclonedx" | "spdx") {
            table.fault(kind.span.clone(), "cyclonedx or spdx", &quoted(&kind.value));
        }
    }
    texts(Some(kinds))
}

fn components(table: &Section<'_, '_>) -> Vec<String> {
    let components = table.optional_texts("deny_components").unwrap_or_default();
    for component in &components {
        let path = component.value.strip_prefix("pkg:").map(|path| path.trim_start_matches('/'));
        let parts = path.and_then(|path| path.split_once('/'));
        let is_whole = parts.is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty());
        let is_odd = |c: char| c.is_whitespace() || c == '*';
        if !is_whole || component.value.contains(is_odd) {
            let expected = "a package URL such as pkg:cargo/openssl or pkg:npm/left-pad@1.3.0; one without a version denies all, and there are no patterns of them";
            table.fault(component.span.clone(), expected, &quoted(&component.value));
        }
    }
    texts(Some(components))
}

fn roles(table: &Section<'_, '_>) -> Vec<Role> {
    let mut roles = Vec::new();
    for text in table.optional_texts("distinct_from").unwrap_or_default() {
        match ROLES.iter().find(|role| role.name() == text.value) {
            Some(role) => roles.push(*role),
            None => table.fault(text.span, "author, builder or deployer", &quoted(&text.value)),
        }
    }
    roles
}

fn window(reader: &Reader<'_>, table: &Section<'_, '_>) -> Option<RuleKind> {
    let hours: Vec<Hours> = parsed(table, table.optional_texts("hours").unwrap_or_default());
    let freezes = table.sections("freezes", |freeze| {
        let (from, until, reason) =
            (freeze.time("from"), freeze.time("until"), freeze.text("reason"));
        let (from, until) = (from?, until?);
        if from.value >= until.value {
            let expected = format!("until after from ({})", from.value);
            freeze.fault(until.span, &expected, &until.value.to_string());
        }
        Some(Freeze { from: from.value, until: until.value, reason: reason?.value })
    });
    if !table.has("hours") && !table.has("freezes") {
        table.missing("hours", "hours, freezes, or both");
    }
    let exceptions = reader.optional_names(table, "exceptions");
    Some(RuleKind::Window { hours, freezes, exceptions })
}

fn optional_patterns_one(table: &Section<'_, '_>, name: &str) -> Option<crate::document::Pattern> {
    let text = table.optional_text(name)?;
    parsed(table, vec![text]).pop()
}

fn rego(reader: &Reader<'_>, table: &Section<'_, '_>) -> Option<RuleKind> {
    let demand = reader.demand(table);
    let types = table.optional_texts("types").unwrap_or_default();
    for name in &types {
        let is_short = name.value == SIGNATURE || predicate::from_short(&name.value).is_some();
        if !is_short && !name.value.contains(':') {
            let expected = "a predicate type by its short name, such as vulns, or by its URI";
            table.fault(name.span.clone(), expected, &quoted(&name.value));
        }
    }
    let types = texts(Some(types));
    let moment = table.flag("moment");
    let module = table.text("module")?;
    loads(table, &module);
    Some(RuleKind::Rego { demand, types, moment, module: module.value })
}

#[cfg(feature = "rego")]
fn loads(table: &Section<'_, '_>, module: &Placed<String>) {
    if let Err(error) = crate::rego::lint(&module.value) {
        let at = table.within_text(module, error.at);
        table.fault(at, &error.expected, &error.found);
    }
}

/// A program that cannot evaluate a rule must not pass over it.
#[cfg(not(feature = "rego"))]
fn loads(table: &Section<'_, '_>, module: &Placed<String>) {
    let expected = "no rule of type rego, because this program was built without it (build it with \
                    --features attestry/rego,attestry-registry/rego)";
    table.fault(module.span.clone(), expected, "one");
}

fn layout(reader: &Reader<'_>, table: &Section<'_, '_>) -> Option<RuleKind> {
    let document: Option<Sha256> =
        table.text("document").and_then(|text| parsed(table, vec![text]).pop());
    let owners = reader.names(table, "owners");
    let threshold = reader.threshold(table, &owners);
    let sublayouts = parsed(table, table.optional_texts("sublayouts").unwrap_or_default());
    Some(RuleKind::Layout { document: document?, owners, threshold, sublayouts })
}
