//! What a captured step becomes: SLSA provenance v1 and in-toto link v0.3, of the same facts.
//!
//! The build type [`BUILD_TYPE`] means: `attestry run` ran `externalParameters.command` in
//! `externalParameters.directory` (relative to the top of the source repository; left out where there is none) and
//! attests what `externalParameters.subjects` fits and the command wrote. External parameters are what whoever
//! started the step chose: `step`, `command`, `directory`, `subjects`, `materials`. Internal parameters are what
//! the machine brought: `environment`, the variables that were allowed and are set; `ci`, the system and the
//! parameters of its run. Dependencies are, in this order: the source, lockfiles, what the lockfiles resolve,
//! declared materials, and the tools that took part.

use std::collections::BTreeMap;

use attestry_schemas::digest::{Digest, DigestSet, Sha256};
use attestry_schemas::predicate::UtcTime;
use attestry_schemas::predicate::in_toto::Link;
use attestry_schemas::predicate::provenance::{
    BuildDefinition, BuildMetadata, Builder, Provenance, RunDetails,
};
use attestry_schemas::statement::ResourceDescriptor;
use serde_json::{Map, Value, json};

use super::files::HashedFile;

/// The build type of provenance that `attestry run` makes.
pub(crate) const BUILD_TYPE: &str = "https://attestry.dev/build-types/run/v1";

/// A step that was captured.
#[derive(Debug)]
pub(crate) struct Step {
    /// Its name.
    pub(crate) name: String,
    /// The command line, without what looks like a credential.
    pub(crate) command: Vec<String>,
    /// Where it ran, relative to the top of the source repository.
    pub(crate) directory: Option<String>,
    /// The globs of what it should make.
    pub(crate) subjects: Vec<String>,
    /// The paths of what it declares to read.
    pub(crate) materials: Vec<String>,
    /// The variables that are recorded.
    pub(crate) environment: BTreeMap<String, String>,
    /// The CI system and the parameters of its run.
    pub(crate) ci: Map<String, Value>,
    /// Who ran it: a URI.
    pub(crate) builder_id: String,
    /// Which run it was.
    pub(crate) invocation_id: String,
    /// Source, lockfiles, what they resolve, declared materials, tools.
    pub(crate) dependencies: Vec<ResourceDescriptor>,
    /// The files of the declared materials.
    pub(crate) material_files: Vec<HashedFile>,
    /// When the command started.
    pub(crate) started_on: UtcTime,
    /// When it had ended.
    pub(crate) finished_on: UtcTime,
    /// Its exit status.
    pub(crate) status: u8,
    /// What it wrote: name (`stdout`), digest, bytes, and where it can be fetched.
    pub(crate) outputs: Vec<StepOutput>,
}

/// What a command wrote to one stream.
#[derive(Debug)]
pub(crate) struct StepOutput {
    /// `stdout` or `stderr`.
    pub(crate) name: &'static str,
    /// The digest of its bytes.
    pub(crate) sha256: Sha256,
    /// How many bytes there are.
    pub(crate) bytes: u64,
    /// The URL of the content, where it is kept.
    pub(crate) location: Option<String>,
}

impl StepOutput {
    fn descriptor(&self) -> ResourceDescriptor {
        let mut annotations = Map::new();
        annotations.insert("bytes".to_owned(), self.bytes.into());
        ResourceDescriptor {
            media_type: Some("text/plain".to_owned()),
            download_location: self.location.clone(),
            annotations: Some(annotations),
            ..ResourceDescriptor::named(self.name, self.sha256.into())
        }
    }
}

impl Step {
    /// How the products were made.
    pub(crate) fn provenance(&self) -> Provenance {
        let mut external = Map::new();
        external.insert("step".to_owned(), self.name.clone().into());
        external.insert("command".to_owned(), self.command.clone().into());
        external.insert("subjects".to_owned(), self.subjects.clone().into());
        external.insert("materials".to_owned(), self.materials.clone().into());
        if let Some(directory) = &self.directory {
            external.insert("directory".to_owned(), directory.clone().into());
        }
        let mut internal = Map::new();
        internal.insert("environment".to_owned(), json!(self.environment));
        if !self.ci.is_empty() {
            internal.insert("ci".to_owned(), self.ci.clone().into());
        }
        let version =
            BTreeMap::from([("attestry".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]);
        Provenance {
            build_definition: BuildDefinition {
                build_type: BUILD_TYPE.to_owned(),
                external_parameters: external,
                internal_parameters: Some(internal),
                resolved_dependencies: Some(self.dependencies.clone()),
            },
            run_details: RunDetails {
                builder: Builder {
                    id: self.builder_id.clone(),
                    builder_dependencies: None,
                    version: Some(version),
                },
                metadata: Some(BuildMetadata {
                    invocation_id: Some(self.invocation_id.clone()),
                    started_on: Some(self.started_on.to_string()),
                    finished_on: Some(self.finished_on.to_string()),
                }),
                byproducts: Some(self.outputs.iter().map(StepOutput::descriptor).collect()),
            },
        }
    }

    /// The step as a link; its products are the subjects of the statement. The byproducts have the names
    /// of the classic link, with digests in the place of texts: `return-value`, `stdout`, `stderr`.
    pub(crate) fn link(&self) -> Link {
        let mut byproducts = Map::new();
        byproducts.insert("return-value".to_owned(), self.status.into());
        for output in &self.outputs {
            let digest = json!({ "sha256": output.sha256.hex() });
            byproducts.insert(output.name.to_owned(), json!({ "digest": digest }));
        }
        let mut environment = Map::new();
        if let Some(directory) = &self.directory {
            environment.insert("workdir".to_owned(), directory.clone().into());
        }
        environment.insert("variables".to_owned(), json!(self.environment));
        Link {
            name: self.name.clone(),
            command: self.command.clone(),
            materials: self.material_files.iter().map(descriptor).collect(),
            byproducts,
            environment,
        }
    }
}

/// A file by its path.
pub(crate) fn descriptor(file: &HashedFile) -> ResourceDescriptor {
    ResourceDescriptor::named(&file.path, file.sha256.into())
}

/// A declared material: a file by its SHA-256, a folder by its `dirHash` (in-toto `digest_set.md`:
/// Go's Hash1 over the paths within the folder, in hex). Nothing where no file of it counts.
pub(crate) fn declared(path: &str, files: &[HashedFile]) -> Option<ResourceDescriptor> {
    if let Some(file) = files.iter().find(|file| file.path == path) {
        return Some(descriptor(file));
    }
    let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
    let within: Vec<(&str, Sha256)> = files
        .iter()
        .filter_map(|file| Some((file.path.strip_prefix(&prefix)?, file.sha256)))
        .collect();
    if within.is_empty() {
        return None;
    }
    let mut annotations = Map::new();
    annotations.insert("files".to_owned(), within.len().into());
    let digest = Digest::new("dirHash", &dir_hash(within).hex()).ok().map(DigestSet::from);
    let name = if path.is_empty() { "." } else { path };
    Some(ResourceDescriptor {
        name: Some(name.to_owned()),
        digest,
        annotations: Some(annotations),
        ..ResourceDescriptor::default()
    })
}

/// `find . -type f | cut -c3- | LC_ALL=C sort | xargs -r sha256sum | sha256sum`.
fn dir_hash(mut files: Vec<(&str, Sha256)>) -> Sha256 {
    use std::fmt::Write as _;
    files.sort_unstable_by_key(|(path, _)| *path);
    let mut summary = String::new();
    for (path, sha256) in files {
        let _ = writeln!(summary, "{}  {path}", sha256.hex());
    }
    Sha256::of(summary.as_bytes())
}

#[cfg(test)]
mod tests {
    use attestry_schemas::predicate::{self, Predicate as _};

    use super::*;

    fn file(path: &str) -> HashedFile {
        HashedFile { path: path.to_owned(), sha256: Sha256::of(path.as_bytes()) }
    }

    fn step() -> Step {
        Step {
            name: "build".to_owned(),
            command: vec!["make".to_owned(), "all".to_owned()],
            directory: Some("sub".to_owned()),
            subjects: vec!["out/*".to_owned()],
            materials: vec!["src".to_owned()],
            environment: BTreeMap::from([("LANG".to_owned(), "C".to_owned())]),
            ci: Map::new(),
            builder_id: "https://attestry.dev/builders/x".to_owned(),
            invocation_id: "1".to_owned(),
            dependencies: declared("src", &[file("src/a")]).into_iter().collect(),
            material_files: vec![file("src/a")],
            started_on: "2026-01-31T12:00:00Z".parse().unwrap(),
            finished_on: "2026-01-31T12:00:01Z".parse().unwrap(),
            status: 0,
            outputs: vec![StepOutput {
                name: "stdout",
                sha256: Sha256::of(b"hi"),
                bytes: 2,
                location: Some("https://a.example/v1/content/x".to_owned()),
            }],
        }
    }

    #[test]
    fn both_predicates_keep_to_their_specifications() {
        let step = step();
        let provenance = step.provenance().to_value().unwrap();
        assert_eq!(predicate::lint(Provenance::URI, &provenance), []);
        let link = step.link().to_value().unwrap();
        assert_eq!(predicate::lint(Link::URI, &link), []);
        assert_eq!(link["byproducts"]["return-value"], 0);
        assert_eq!(link["materials"][0]["name"], "src/a");
        let dependency = &provenance["buildDefinition"]["resolvedDependencies"][0];
        assert_eq!(dependency["annotations"]["files"], 1);
    }

    #[test]
    fn a_folder_has_the_hash_that_go_gives_it() {
        // As the pipeline of digest_set.md gives it for files `a` and `b/c` that hold their names.
        let files = [file("src/b/c"), file("src/a"), file("srcs/x")];
        let found = declared("src", &files).unwrap();
        let lines =
            format!("{}  a\n{}  b/c\n", Sha256::of(b"src/a").hex(), Sha256::of(b"src/b/c").hex());
        let digest = found.digest.unwrap();
        assert_eq!(digest.value("dirHash"), Some(Sha256::of(lines.as_bytes()).hex().as_str()));
        assert_eq!(declared("src/a", &files).unwrap().digest.unwrap().value("dirHash"), None);
        assert!(declared("other", &files).is_none());
        assert_eq!(declared("", &files).unwrap().name.as_deref(), Some("."));
    }
}
