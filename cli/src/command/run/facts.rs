//! What is known of a step: gathered before its command runs, and put together after.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use attestry_schemas::predicate::UtcTime;
use attestry_schemas::statement::ResourceDescriptor;
use serde_json::{Map, Value};

use super::lockfiles::Lockfiles;
use crate::args::RunArgs;
use crate::capture::ci::{self, Ci};
use crate::capture::command_line::redact_arguments;
use crate::capture::files::{self, HashedFile, Ignored};
use crate::capture::process::Ended;
use crate::capture::source::{self, Source};
use crate::capture::statements::{Step, StepOutput, declared};
use crate::capture::{environment, toolchain};
use crate::keyfile::{KeyError, random};
use crate::output::{Failure, Session};
use crate::progress::{Progress, Unit};

/// What is known before the command runs.
pub(super) struct Facts {
    ci: Ci,
    source: Source,
    directory: Option<String>,
    environment: BTreeMap<String, String>,
    command: Vec<String>,
    materials: Vec<String>,
    material_files: Vec<HashedFile>,
    lockfiles: Lockfiles,
    tools: Vec<ResourceDescriptor>,
}

impl Facts {
    /// Gathers what goes into the step. What is refused or unknown is warned of.
    ///
    /// # Errors
    /// When a material or lockfile that is named cannot be read.
    pub(super) fn before(args: &RunArgs, session: &mut Session) -> Result<Self, Failure> {
        let ci = ci::detect(&|name| session.io.variable(name));
        let source = source::of(&session.io.directory, &ci.source);
        let variable = |name: &str| session.io.variable(name);
        let (environment, mut refused) =
            environment::recorded(&variable, &session.io.variable_names, &args.env);
        let command: Vec<String> =
            args.command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let (command, arguments) = redact_arguments(&command);
        refused.extend(arguments);
        refused.extend(ci.refused.iter().cloned());
        for refused in refused {
            session.warn(refused.to_string());
        }
        warn_of_source(&source, session);
        let lockfiles = Lockfiles::read(args, &session.io.directory, top(&source))?;
        let ignored = if args.with_ignored { Ignored::Taken } else { Ignored::Left };
        let names = files::materials(&session.io.current, &args.materials, ignored)?;
        warn_of_machine_names(&names, session);
        let total = Some(names.len() as u64);
        let mut progress = Progress::start(session, "reading materials", Unit::Count, total);
        let material_files = files::hash(names, &mut progress)?;
        let tools = toolchain::of_step(&args.command, &lockfiles.kinds(), &session.io);
        let materials = args
            .materials
            .iter()
            .map(|path| name_of(&files::within(&session.io.current, path)))
            .collect();
        let directory =
            top(&source).and_then(|top| session.io.directory.strip_prefix(top).ok()).map(name_of);
        Ok(Self {
            ci,
            source,
            directory,
            environment,
            command,
            materials,
            material_files,
            lockfiles,
            tools,
        })
    }

    /// Puts the step together.
    ///
    /// # Errors
    /// When a lockfile cannot be read.
    pub(super) fn step(
        &self,
        args: &RunArgs,
        ended: &Ended,
        started_on: UtcTime,
        finished_on: UtcTime,
        outputs: Vec<StepOutput>,
        session: &mut Session,
    ) -> Result<Step, Failure> {
        let mut dependencies: Vec<ResourceDescriptor> = self.source.descriptors();
        // The command may have resolved anew, so what counts is what is there now.
        let lockfiles = Lockfiles::read(args, &session.io.directory, top(&self.source))?;
        for changed in lockfiles.changed_since(&self.lockfiles) {
            session.warn(format!("the step changed {changed}; what it resolved is recorded"));
        }
        dependencies.extend(lockfiles.descriptors(&self.lockfiles));
        for path in &self.materials {
            dependencies.extend(declared(path, &self.material_files));
        }
        dependencies.extend(self.tools.iter().cloned());
        let invocation_id = match &self.ci.invocation_id {
            Some(id) => id.clone(),
            None => random_id()?,
        };
        Ok(Step {
            name: args.step.as_str().to_owned(),
            command: self.command.clone(),
            directory: self.directory.clone(),
            subjects: args
                .subjects
                .iter()
                .map(|text| files::pattern_within(&session.io.current, text))
                .collect(),
            materials: self.materials.clone(),
            environment: self.environment.clone(),
            ci: self.run_parameters(),
            builder_id: args.builder_id.clone().unwrap_or_else(|| self.ci.builder_id.clone()),
            invocation_id,
            dependencies,
            material_files: self.material_files.clone(),
            started_on,
            finished_on,
            status: ended.status,
            outputs,
        })
    }

    /// The CI system and the parameters of its run; nothing on a plain machine.
    fn run_parameters(&self) -> Map<String, Value> {
        let mut ci = Map::new();
        if self.ci.system != ci::NONE {
            ci.insert("system".to_owned(), self.ci.system.into());
            if let Some(url) = &self.ci.run_url {
                ci.insert("url".to_owned(), url.clone().into());
            }
            let parameters = self.ci.parameters.clone().into_iter().collect::<Map<_, _>>();
            ci.insert("parameters".to_owned(), parameters.into());
        }
        ci
    }
}

/// Says which names of files are those of this machine: statements are read elsewhere.
pub(super) fn warn_of_machine_names(names: &[String], session: &mut Session) {
    let mut found = names.iter().filter(|name| files::is_of_this_machine(name));
    if let Some(first) = found.next() {
        let more = match found.count() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        session.warn(format!(
            "{first}{more} is recorded as it is, which says where things lie on this machine"
        ));
    }
}

/// The top of the working tree.
fn top(source: &Source) -> Option<&Path> {
    match source {
        Source::Checkout(checkout) => Some(&checkout.top),
        Source::Reported(..) | Source::Absent(_) => None,
    }
}

fn warn_of_source(source: &Source, session: &mut Session) {
    match source {
        Source::Checkout(checkout) if checkout.changes.is_empty() => {}
        Source::Checkout(checkout) => session.warn(format!(
            "the source tree differs from commit {}; it is recorded as modified",
            checkout.commit
        )),
        Source::Reported(why, _) => session
            .warn(format!("the commit is recorded as the CI system reports it, unchecked: {why}")),
        Source::Absent(why) => session.warn(format!("no source is recorded: {why}")),
    }
}

/// A name for an invocation that nothing else names.
fn random_id() -> Result<String, KeyError> {
    let id = uuid::Builder::from_random_bytes(random()?).into_uuid();
    Ok(id.urn().to_string())
}

/// A path as a statement names it; one that is no text is named as well as it can be.
fn name_of(path: &Path) -> String {
    let parts: PathBuf =
        path.components().filter(|part| *part != std::path::Component::CurDir).collect();
    parts.to_string_lossy().into_owned()
}
