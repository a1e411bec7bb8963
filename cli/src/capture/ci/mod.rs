//! Which CI system runs this, from the variables that the system documents.
//!
//! One file for each system. What is read is listed there and by [`variables`], and nothing else is
//! read: no file, no token, no network. All of it is a claim of whoever holds the signing key:
//! a process can set any variable before it calls Attestry. What a claim is worth is the roster's
//! business, which says for each signer the builder ids that it may claim.
//!
//! # Builder ids
//!
//! SLSA provenance v1, `builder.id`: "URI indicating the transitive closure of the trusted build
//! platform". Where the platform's own tools have an id, it is that one; elsewhere it lies under
//! [`BUILDERS`] and names the installation, because two Jenkins controllers are two platforms.
//! In every case the signature was made within the build, by a key that the build could reach, so
//! an id says where the build ran and not that the platform signed.
//!
//! | system | builder id | means |
//! |---|---|---|
//! | `github-actions` | `https://github.com/actions/runner/github-hosted` | a machine of GitHub's that ran one job; the id that npm writes |
//! | | `https://github.com/actions/runner/self-hosted` | a machine of the repository's owner, on github.com or a server of its own |
//! | `gitlab-ci` | `<project URL>/-/runners/<runner id>` | one registered runner; the id that GitLab writes |
//! | `jenkins` | `https://attestry.dev/builders/jenkins/v1/<host and path of Jenkins>` | a Jenkins controller and any node that it gave the build to |
//! | `buildkite` | `https://attestry.dev/builders/buildkite/v1/<organization>/hosted` or `/self-hosted` | an organization's agents, on Buildkite's machines or its own |
//! | `circleci` | `https://attestry.dev/builders/circleci/v1/<organization id>` | an organization on CircleCI and any executor of it |
//! | `azure-pipelines` | `https://attestry.dev/builders/azure-pipelines/v1/<host and path of the collection>` | an Azure DevOps organization or collection and any agent of it |
//! | `tekton` | `https://attestry.dev/builders/tekton/v1` | some Kubernetes cluster with Tekton Pipelines |
//! | `woodpecker` | `https://attestry.dev/builders/woodpecker/v1/<host and path of the server>` | a Woodpecker server and any agent of it |
//! | `none` | `https://attestry.dev/builders/plain-machine/v1` | a machine that no known CI system runs, such as a developer's |
//!
//! Where a variable for the last part is missing, the id ends before it, and means less.

mod azure_pipelines;
mod buildkite;
mod circleci;
mod github_actions;
mod gitlab_ci;
mod jenkins;
mod tekton;
#[cfg(test)]
mod tests;
mod variables;
mod woodpecker;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use self::variables::Variables;
use super::uri::encoded;
use super::{Lookup, Refused};

/// Where the builder ids of Attestry's own lie.
pub(crate) const BUILDERS: &str = "https://attestry.dev/builders";
/// The name for a machine that no known system runs.
pub(crate) const NONE: &str = "none";
/// The builder id of such a machine.
pub(crate) const PLAIN_MACHINE: &str = "https://attestry.dev/builders/plain-machine/v1";

/// In the order in which they are tried. Woodpecker comes last, because it alone is told by a
/// variable that other systems have, too.
const SYSTEMS: &[&System] = &[
    &github_actions::SYSTEM,
    &gitlab_ci::SYSTEM,
    &buildkite::SYSTEM,
    &circleci::SYSTEM,
    &azure_pipelines::SYSTEM,
    &tekton::SYSTEM,
    &jenkins::SYSTEM,
    &woodpecker::SYSTEM,
];

/// What is known of the run that this is part of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ci {
    /// The system: `github-actions`, or [`NONE`].
    pub(crate) system: &'static str,
    /// SLSA `builder.id`; the table at the top of this module says what each means.
    pub(crate) builder_id: String,
    /// SLSA `invocationId`: names this run of this job and attempt.
    pub(crate) invocation_id: Option<String>,
    /// The page of the run, for a person.
    pub(crate) run_url: Option<String>,
    /// What the run was started with, by names that mean the same for every system that has them:
    /// `event`, `job`, `attempt`, `runner.os`, …; texts, or objects of texts.
    pub(crate) parameters: BTreeMap<String, Value>,
    /// What the run was started for.
    pub(crate) source: SourceHints,
    /// Variables that were not taken, because of their values.
    pub(crate) refused: Vec<Refused>,
}

/// The source that a CI system says it runs for. The folder may hold another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SourceHints {
    /// The URL of the repository, without credentials.
    pub(crate) repository: Option<String>,
    /// The branch, tag or change in full: `refs/heads/main`.
    pub(crate) reference: Option<String>,
    /// The commit, in lower-case hex.
    pub(crate) commit: Option<String>,
}

/// A CI system.
#[cfg_attr(not(test), expect(dead_code, reason = "tests hold what is read against what is listed"))]
struct System {
    name: &'static str,
    /// The variables by which it is told; read whichever system runs.
    marks: &'static [&'static str],
    /// Tells whether this system runs, by its marks.
    runs: fn(&Variables<'_>) -> bool,
    /// Parameters that are a variable as it is: name and variable. A dot nests.
    parameters: &'static [(&'static str, &'static str)],
    /// The other variables that `identify` reads.
    others: &'static [&'static str],
    /// Takes what makes the ids and the source, and parameters that are more than a variable.
    identify: fn(&Variables<'_>) -> Identity,
}

/// What [`System::identify`] takes.
#[derive(Default)]
struct Identity {
    builder_id: Option<String>,
    invocation_id: Option<String>,
    run_url: Option<String>,
    parameters: Vec<(&'static str, String)>,
    source: SourceHints,
}

/// Finds out which CI system runs this, from its documented variables only.
///
/// Values are bounded; URLs lose their credentials; a variable whose value looks like a credential
/// is left out and named in [`Ci::refused`].
pub(crate) fn detect(variable: Lookup<'_>) -> Ci {
    let variables = Variables::new(variable);
    let Some(system) = SYSTEMS.iter().find(|system| (system.runs)(&variables)) else {
        return Ci {
            system: NONE,
            builder_id: PLAIN_MACHINE.to_owned(),
            invocation_id: None,
            run_url: None,
            parameters: BTreeMap::new(),
            source: SourceHints::default(),
            refused: Vec::new(),
        };
    };
    let identity = (system.identify)(&variables);
    let mut parameters = BTreeMap::new();
    for (name, variable) in system.parameters {
        if let Some(value) = variables.text(variable) {
            insert(&mut parameters, name, value);
        }
    }
    for (name, value) in identity.parameters {
        insert(&mut parameters, name, value);
    }
    Ci {
        system: system.name,
        builder_id: identity.builder_id.unwrap_or_else(|| own_builder(system.name, &[])),
        invocation_id: identity.invocation_id,
        run_url: identity.run_url,
        parameters,
        source: identity.source,
        refused: variables.into_refused(),
    }
}

/// The variables that [`detect`] may read for each system, sorted, each once.
#[cfg(test)]
pub(crate) fn variables() -> Vec<(&'static str, Vec<&'static str>)> {
    let of = |system: &&System| {
        let taken = system.parameters.iter().map(|(_, variable)| *variable);
        let mut names: Vec<&'static str> = taken
            .chain(system.marks.iter().copied())
            .chain(system.others.iter().copied())
            .collect();
        names.sort_unstable();
        names.dedup();
        (system.name, names)
    };
    SYSTEMS.iter().map(of).collect()
}

/// Sets a parameter; `a.b` is member `b` of the object `a`.
fn insert(parameters: &mut BTreeMap<String, Value>, name: &str, value: String) {
    match name.split_once('.') {
        None => {
            parameters.insert(name.to_owned(), Value::String(value));
        }
        Some((outer, inner)) => {
            let object = parameters.entry(outer.to_owned()).or_insert_with(|| Map::new().into());
            if let Value::Object(members) = object {
                members.insert(inner.to_owned(), Value::String(value));
            }
        }
    }
}

/// A builder id under [`BUILDERS`], with what names the installation.
fn own_builder(system: &str, installation: &[&str]) -> String {
    let mut id = format!("{BUILDERS}/{system}/v1");
    for part in installation {
        id.push('/');
        id.push_str(&encoded(part.trim_matches('/'), b"%@"));
    }
    id
}

/// Host and path of a web address, which name an installation.
fn place(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, place)| place)
}
