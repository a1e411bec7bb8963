//! What the index and the graph take from a predicate.
//!
//! Facts are read leniently from the JSON, because a predicate that lints clean may still hold
//! values that fit no type of ours: what does not fit is left out. Lists are bounded; when a
//! bound was met, [`Facts::truncated`] says so.

mod bill_of_materials;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::EVIDENCE_EXTENSION;
use super::purl::behind_scheme;
use super::rules::{items_of, text_of};
use super::types::from_uri;
use super::vsa::GATE_EXTENSION;
use crate::digest::Digest;

/// The most source repositories that are taken from one predicate.
pub const MAX_SOURCES: usize = 256;
/// The most materials that are taken from one predicate.
pub const MAX_MATERIALS: usize = 4_096;
/// The most component package URLs that are taken from one predicate.
pub const MAX_PURLS: usize = 16_384;
/// The most digests of components that are taken from one predicate.
pub const MAX_COMPONENT_DIGESTS: usize = 16_384;
/// The most related digests that are taken from one predicate.
pub const MAX_RELATED: usize = 1_024;
/// The longest text that is taken, in bytes.
pub const MAX_FACT_BYTES: usize = 1_024;
/// The repository of a source that is longer than that.
const TOO_LONG: &str = "(a repository or reference that is too long)";
/// The most digests that are taken from one descriptor.
const MAX_DIGESTS: usize = crate::digest::MAX_DIGESTS;

/// What the index and the graph take from one predicate. Claims of its signer, not truths.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// The builder of a provenance.
    pub builder_id: Option<String>,
    /// Where the source came from, in order of appearance, each once.
    pub sources: Vec<Source>,
    /// What went into the build or step and has a digest, in order of appearance.
    pub materials: Vec<Material>,
    /// `PASSED`, `WARNED` or `FAILED`, of a verification summary or test result.
    pub verdict: Option<String>,
    /// The environment of one of our own predicates, or of a decision.
    pub environment: Option<String>,
    /// The package URLs of a bill of materials' components, and of what went into a build, sorted,
    /// each once.
    pub purls: Vec<String>,
    /// The digests of a bill of materials' components, sorted, each once.
    pub component_digests: Vec<Digest>,
    /// Other digests that the predicate names, with their role, in order of appearance.
    pub related: Vec<Related>,
    /// Whether a bound was met, so that the lists are incomplete.
    pub truncated: bool,
}

/// A source repository at a commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source {
    /// The URI of the repository, without `git+`, reference, `.git` and trailing slash.
    pub repository: String,
    /// The branch or tag that was asked for.
    pub reference: Option<String>,
    /// The commit, in lower-case hex.
    pub commit: Option<String>,
}

/// Something that went into a build or step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Material {
    /// Its URI, or else its name.
    pub name: Option<String>,
    /// Its well-formed digests, at least one.
    pub digests: Vec<Digest>,
}

/// A digest that a predicate names, and what for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Related {
    /// What for.
    pub role: Role,
    /// The digest.
    pub digest: Digest,
}

/// What a predicate names a digest for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The policy of a verification.
    Policy,
    /// An attestation that a verification used.
    Input,
    /// The decision that allowed a deployment.
    Decision,
    /// The artifact that a deployment took the place of.
    Replaces,
    /// Evidence of an attribute, or a referenced document.
    Evidence,
    /// The document that a roster or policy statement publishes.
    Document,
    /// The configuration that was tested or checked.
    Configuration,
}

/// Takes the facts from a predicate. A predicate of an unknown type has none.
#[must_use]
pub fn facts(predicate_type: &str, predicate: &Value) -> Facts {
    let mut facts = Facts::default();
    let (Some(known), Value::Object(map)) = (from_uri(predicate_type), predicate) else {
        return facts;
    };
    match known.short {
        "provenance" => facts.provenance(map),
        "provenance-v0.2" => facts.provenance_v02(map),
        "link" => facts.link(map),
        "vsa" => facts.summary(map),
        "svr" => facts.related_list(Role::Policy, map.get("verifier"), "policies"),
        "test-result" => {
            facts.verdict = facts.text(map, "result");
            facts.related_list(Role::Configuration, Some(predicate), "configuration");
        }
        "scai" => {
            for attribute in items_of(map, "attributes") {
                facts.related(Role::Evidence, attribute.get("evidence"));
            }
        }
        "reference" => facts.related_list(Role::Evidence, Some(predicate), "references"),
        "cyclonedx" => {
            facts.cyclonedx(map);
            facts.marked_report(map);
        }
        "spdx" => {
            facts.spdx(map);
            facts.marked_report(map);
        }
        "openvex" => facts.marked_report(map),
        "roster" | "policy" => facts.related(Role::Document, Some(predicate)),
        "approval" | "waiver" | "break-glass" => facts.environment = facts.text(map, "environment"),
        "deployment" => {
            facts.environment = facts.text(map, "environment");
            facts.related_digests(Role::Decision, map.get("decision"));
            facts.related_digests(Role::Replaces, map.get("replaces"));
        }
        "readiness" => {
            facts.environment = facts.text(map, "environment");
            facts.related_digests(Role::Configuration, map.get("configuration"));
            facts.related(Role::Evidence, map.get("report"));
        }
        "secret-scan" | "static-analysis" => facts.related(Role::Evidence, map.get("report")),
        _ => {}
    }
    let extension = map.get(EVIDENCE_EXTENSION).and_then(|extension| extension.get("report"));
    facts.related(Role::Evidence, extension);
    facts
}

impl Facts {
    fn provenance(&mut self, map: &Map<String, Value>) {
        let builder = map.get("runDetails").and_then(|run| run.get("builder"));
        self.builder_id = self.member_text(builder, "id");
        let Some(definition) = map.get("buildDefinition").and_then(Value::as_object) else {
            return;
        };
        self.materials(items_of(definition, "resolvedDependencies"));
    }

    fn provenance_v02(&mut self, map: &Map<String, Value>) {
        self.builder_id = self.member_text(map.get("builder"), "id");
        if let Some(config) = map.get("invocation").and_then(|value| value.get("configSource")) {
            self.source(config);
        }
        self.materials(items_of(map, "materials"));
    }

    fn link(&mut self, map: &Map<String, Value>) {
        match map.get("materials") {
            // The classic link: name to DigestSet.
            Some(Value::Object(materials)) => {
                for (name, digests) in materials {
                    let name = self.bounded(name);
                    self.material(name, digests);
                }
            }
            _ => self.materials(items_of(map, "materials")),
        }
    }

    fn summary(&mut self, map: &Map<String, Value>) {
        self.verdict = self.text(map, "verificationResult");
        self.environment = self.member_text(map.get(GATE_EXTENSION), "environment");
        self.related(Role::Policy, map.get("policy"));
        for input in items_of(map, "inputAttestations") {
            self.related(Role::Input, Some(input));
        }
        // A SLSA Source VSA names the repository; the commit is its subject.
        let resource = text_of(map, "resourceUri").filter(|uri| uri.starts_with("git+"));
        if let Some((repository, reference)) = resource.and_then(split_repository) {
            self.add_source(repository, reference, None);
        }
    }

    fn materials(&mut self, descriptors: &[Value]) {
        let mut purls = BTreeSet::new();
        for descriptor in descriptors {
            self.source(descriptor);
            if let Some(uri) = descriptor.get("uri").and_then(Value::as_str) {
                self.purl(&mut purls, uri);
            }
            let name = self
                .member_text(Some(descriptor), "uri")
                .or_else(|| self.member_text(Some(descriptor), "name"));
            if let Some(digests) = descriptor.get("digest").filter(|_| !is_modified(descriptor)) {
                self.material(name, digests);
            }
        }
        self.purls = purls.into_iter().collect();
    }

    fn material(&mut self, name: Option<String>, digests: &Value) {
        let digests = self.digests(digests);
        if digests.is_empty() {
            return;
        }
        if self.materials.len() >= MAX_MATERIALS {
            self.truncated = true;
            return;
        }
        self.materials.push(Material { name, digests });
    }

    /// A descriptor names a source when its URI is `git+…` or a digest is a git commit. A package at
    /// a commit is a dependency, not where the build's own source came from.
    fn source(&mut self, descriptor: &Value) {
        let Some(uri) = descriptor.get("uri").and_then(Value::as_str) else { return };
        let digest = |name: &str| descriptor.get("digest")?.get(name)?.as_str();
        let is_git = without_git(uri).is_some();
        // SLSA v0.2 builders write the commit of a git URI under sha1.
        let commit = digest("gitCommit").or_else(|| digest("sha1").filter(|_| is_git));
        let commit = commit.filter(|commit| is_commit(commit));
        if !is_git && (commit.is_none() || uri.starts_with("pkg:")) {
            return;
        }
        if let Some((repository, reference)) = split_repository(uri) {
            let pinned = reference.filter(|reference| is_commit(reference));
            let reference = reference.filter(|_| pinned.is_none());
            let commit = commit.or(pinned).filter(|_| !is_modified(descriptor));
            self.add_source(repository, reference, commit);
        }
    }

    fn add_source(&mut self, repository: &str, reference: Option<&str>, commit: Option<&str>) {
        let bounded = |text: &str| text.len() <= MAX_FACT_BYTES;
        let is_read = bounded(repository) && reference.is_none_or(bounded);
        self.truncated |= !is_read;
        // What is too long keeps its place, so that nothing behind it is taken for what came first, and is no repository.
        let source = match is_read {
            true => Source {
                repository: repository.to_owned(),
                reference: reference.map(str::to_owned),
                commit: commit.map(str::to_owned),
            },
            false => Source { repository: TOO_LONG.to_owned(), reference: None, commit: None },
        };
        if self.sources.contains(&source) {
            return;
        }
        if self.sources.len() >= MAX_SOURCES {
            self.truncated = true;
            return;
        }
        self.sources.push(source);
    }

    fn purl(&mut self, purls: &mut BTreeSet<String>, purl: &str) {
        if behind_scheme(purl).is_none() || purls.contains(purl) {
            return;
        }
        if purls.len() >= MAX_PURLS || purl.len() > MAX_FACT_BYTES {
            self.truncated = true;
            return;
        }
        purls.insert(purl.to_owned());
    }

    fn related_list(&mut self, role: Role, outer: Option<&Value>, name: &str) {
        let list = outer.and_then(|outer| outer.get(name)).and_then(Value::as_array);
        for descriptor in list.into_iter().flatten() {
            self.related(role, Some(descriptor));
        }
    }

    fn related(&mut self, role: Role, descriptor: Option<&Value>) {
        self.related_digests(role, descriptor.and_then(|descriptor| descriptor.get("digest")));
    }

    fn related_digests(&mut self, role: Role, digests: Option<&Value>) {
        for digest in digests.map(|digests| self.digests(digests)).unwrap_or_default() {
            self.relate(Related { role, digest });
        }
    }

    fn relate(&mut self, related: Related) {
        if self.related.len() >= MAX_RELATED {
            self.truncated = true;
            return;
        }
        self.related.push(related);
    }

    /// The well-formed digests of a DigestSet; "consumers MUST ignore unrecognized" others.
    fn digests(&mut self, digests: &Value) -> Vec<Digest> {
        let mut found = Vec::new();
        for (algorithm, value) in digests.as_object().into_iter().flatten() {
            let Some(value) = value.as_str() else { continue };
            let Ok(digest) = Digest::new(algorithm.as_str(), value) else { continue };
            if found.len() >= MAX_DIGESTS {
                self.truncated = true;
                break;
            }
            found.push(digest);
        }
        found
    }

    fn member_text(&mut self, outer: Option<&Value>, name: &str) -> Option<String> {
        self.text(outer?.as_object()?, name)
    }

    fn text(&mut self, map: &Map<String, Value>, name: &str) -> Option<String> {
        self.bounded(text_of(map, name)?)
    }

    fn bounded(&mut self, text: &str) -> Option<String> {
        if text.is_empty() {
            return None;
        }
        if text.len() > MAX_FACT_BYTES {
            self.truncated = true;
            return None;
        }
        Some(text.to_owned())
    }
}

/// Whether a source says that its tree differed from the commit it names (`attestry run` writes that):
/// what was built from it was not built from the commit.
fn is_modified(descriptor: &Value) -> bool {
    let dirty = descriptor.get("annotations").and_then(|annotations| annotations.get("dirty"));
    dirty.is_some_and(|dirty| *dirty == Value::Bool(true))
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The repository that a URI names, in the form of [`Source::repository`].
#[must_use]
pub fn repository_of(uri: &str) -> Option<&str> {
    split_repository(uri).map(|(repository, _)| repository)
}

/// A repository for comparison with another: scheme and host are the same in any case, and a scheme's own port says nothing.
#[must_use]
pub fn comparable_repository(repository: &str) -> String {
    let Some((scheme, rest)) = repository.split_once("://") else { return repository.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (scheme, authority) = (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
    let port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        "ssh" => ":22",
        _ => "",
    };
    format!("{scheme}://{}{path}", authority.strip_suffix(port).unwrap_or(&authority))
}

/// A URI without `git+` before its scheme, which is spelled in any case.
fn without_git(uri: &str) -> Option<&str> {
    let (prefix, rest) = uri.split_at_checked("git+".len())?;
    prefix.eq_ignore_ascii_case("git+").then_some(rest)
}

/// Splits `git+https://host/path.git@reference#fragment` into repository and reference.
fn split_repository(uri: &str) -> Option<(&str, Option<&str>)> {
    let uri = without_git(uri).unwrap_or(uri);
    let uri = uri.split('#').next().unwrap_or(uri);
    // An '@' before the path belongs to the authority: git+ssh://git@host/path.
    let path_start = match uri.find("://") {
        Some(scheme_end) => {
            let authority = scheme_end + 3;
            authority + uri.get(authority..)?.find('/').unwrap_or(uri.len() - authority)
        }
        None => 0,
    };
    let (repository, reference) = match uri.get(path_start..)?.find('@') {
        Some(at) => {
            let at = path_start + at;
            (uri.get(..at)?, uri.get(at + 1..).filter(|reference| !reference.is_empty()))
        }
        None => (uri, None),
    };
    let repository = repository.trim_end_matches('/');
    let repository = repository.strip_suffix(".git").unwrap_or(repository);
    (!repository.is_empty()).then_some((repository, reference))
}
