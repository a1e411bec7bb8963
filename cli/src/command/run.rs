//! `attestry run`: runs a build step and attests what went in, how it ran and what came out.

mod facts;
mod lockfiles;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::classic_link::ClassicLink;
use attestry_schemas::dsse::{self, Envelope};
use attestry_schemas::key::SigningKey;
use attestry_schemas::predicate::in_toto::Link;
use attestry_schemas::predicate::provenance::Provenance;
use attestry_schemas::predicate::{Predicate, UtcTime};
use attestry_schemas::statement::{ResourceDescriptor, Statement};

use super::publish::{self, Delivery, EvidenceFile, Place, Product, Target};
use crate::args::{Destination, LinkFormat, RunArgs};
use crate::bundle_file;
use crate::capture::files::{self, ExpectedProducts, HashedFile};
use crate::capture::process::{self, Ended, Through};
use crate::capture::statements::{Step, StepOutput, descriptor};
use crate::keyfile::KeyText;
use crate::output::{Exit, Failure, Session, chain};
use crate::progress::{Progress, Unit};
use crate::subject::Subject;
use facts::Facts;

/// Runs `attestry run`.
pub(super) fn run(args: &RunArgs, session: &mut Session) -> Result<Exit, Failure> {
    let settings = super::settings(session)?;
    let key_path = settings.demand_key(args.key.key.as_deref())?;
    let target = publish::target(settings, &args.logging, &args.trusted_root, session)?;
    // Everything that can be wrong is found out before the command runs.
    let key = KeyText::read(&key_path, session)?.private(session, &args.key.password)?.unlock()?;
    let expected = ExpectedProducts::before(&session.io.current, &args.subjects)?;
    let facts = Facts::before(args, session)?;
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).map_err(|e| Failure::file("make", folder, &e))?;
    }
    let started_on = UtcTime::from((session.io.now)());
    // Output is kept beside the statements that name it, wherever they go.
    let ended = execute(&args.command, target.keeps_files() || args.out.is_some(), session)?;
    let finished_on = UtcTime::from((session.io.now)());
    if ended.left_behind {
        session.warn(
            "the command left a process behind that still holds its output; what that writes is not recorded",
        );
    }
    if ended.status != 0 && !args.record_failure {
        session.say(format!(
            "the command ended with status {}: nothing is attested; --record-failure attests that it failed",
            ended.status
        ));
        return Ok(Exit::Command(ended.status));
    }
    let status = ended.status;
    let run = Run { args, key: &key, facts: &facts, expected: &expected, started_on, finished_on };
    match (run.attest(ended, &target, session), status) {
        (attested, 0) => attested,
        (Ok(_), status) => Ok(Exit::Command(status)),
        // The command's own status says more than that its failure could not be recorded.
        (Err(failure), status) => {
            session.fail(&failure);
            Ok(Exit::Command(status))
        }
    }
}

/// A step whose command has ended.
struct Run<'a> {
    args: &'a RunArgs,
    key: &'a SigningKey,
    facts: &'a Facts,
    expected: &'a ExpectedProducts,
    started_on: UtcTime,
    finished_on: UtcTime,
}

impl Run<'_> {
    fn attest(
        &self,
        ended: Ended,
        target: &Target,
        session: &mut Session,
    ) -> Result<Exit, Failure> {
        let Self { args, key, facts, expected, started_on, finished_on } = *self;
        let products = if ended.status == 0 {
            let names = expected.after(args.allow_unchanged)?;
            facts::warn_of_machine_names(&names, session);
            let total = Some(names.len() as u64);
            let mut progress = Progress::start(session, "reading products", Unit::Count, total);
            files::hash(names, &mut progress)?
        } else {
            Vec::new()
        };
        let outputs = outputs(&ended, target);
        let step = facts.step(args, &ended, started_on, finished_on, outputs, session)?;
        let capture = Capture { args, key, step: &step, products: &products };
        let delivery = capture.delivery(ended, session)?;
        if args.link_format == LinkFormat::Classic {
            capture.write_classic_link(session)?;
        }
        publish::deliver(delivery, target, session)
    }
}

/// Runs the command with this process's own output streams.
fn execute(
    command: &[OsString],
    keep: bool,
    session: &mut Session,
) -> Result<Ended, process::ProcessError> {
    // What was said before must stand before what the command says.
    let _ = session.io.stdout.flush();
    let _ = session.io.stderr.flush();
    let [stdout, stderr]: [Through; 2] = (session.io.passthrough)();
    process::run(command, stdout, stderr, keep)
}

fn outputs(ended: &Ended, target: &Target) -> Vec<StepOutput> {
    [("stdout", &ended.stdout), ("stderr", &ended.stderr)]
        .into_iter()
        .map(|(name, output)| StepOutput {
            name,
            sha256: output.sha256,
            bytes: output.bytes,
            location: target.url().map(|url| format!("{url}/v1/content/{}", output.sha256)),
        })
        .collect()
}

/// A step that has run, and what it is attested with.
struct Capture<'a> {
    args: &'a RunArgs,
    key: &'a SigningKey,
    step: &'a Step,
    products: &'a [HashedFile],
}

impl Capture<'_> {
    fn delivery(&self, ended: Ended, session: &mut Session) -> Result<Delivery, Failure> {
        let mut delivery = Delivery { folder: self.args.out.clone(), ..Delivery::default() };
        let link = to_value(&self.step.link())?;
        if self.step.status == 0 {
            let subjects: Vec<ResourceDescriptor> = self.products.iter().map(descriptor).collect();
            let provenance = to_value(&self.step.provenance())?;
            for (uri, value) in [(Provenance::URI, provenance), (Link::URI, link)] {
                delivery.products.push(self.product(subjects.clone(), uri, value, session)?);
            }
        } else {
            let subjects = self.failed_on()?;
            delivery.products.push(self.product(subjects, Link::URI, link, session)?);
        }
        for output in [ended.stdout, ended.stderr] {
            if let Some(file) = output.kept {
                let (sha256, bytes) = (output.sha256, output.bytes);
                delivery.files.push(EvidenceFile { sha256, bytes, place: Place::Open(file) });
            }
        }
        Ok(delivery)
    }

    fn product(
        &self,
        descriptors: Vec<ResourceDescriptor>,
        uri: &str,
        value: serde_json::Value,
        session: &mut Session,
    ) -> Result<Product, Failure> {
        super::attest::check(uri, &value, session)?;
        let subjects = subjects(&descriptors);
        let statement =
            Statement::new(descriptors, uri, value).map_err(|e| Failure::undecided(chain(&e)))?;
        let envelope = Envelope::sign(dsse::PAYLOAD_TYPE, &statement.to_json(), self.key);
        let key = self.key.public_key().clone();
        let bundle = Bundle::of_key(&key, Content::Envelope(envelope));
        let kind = if uri == Link::URI { "link" } else { "provenance" };
        let name = format!("{}.{kind}.sigstore.json", self.step.name);
        let out = Destination::File(self.folder().join(name));
        let (key, predicate_type) = (Some(key), Some(uri.to_owned()));
        Ok(Product { bundle, key, subjects, predicate_type, out, attachments: Vec::new() })
    }

    /// What a failed step is about: the source that it ran on, else its declared materials.
    fn failed_on(&self) -> Result<Vec<ResourceDescriptor>, Failure> {
        let commit = |d: &&ResourceDescriptor| {
            d.digest.as_ref().is_some_and(|digests| digests.value("gitCommit").is_some())
        };
        let source = self.step.dependencies.iter().find(commit);
        let materials = self.step.material_files.iter().map(descriptor);
        let about: Vec<ResourceDescriptor> = source.cloned().into_iter().collect();
        let about = if about.is_empty() { materials.collect() } else { about };
        if about.is_empty() {
            return Err(Failure::undecided(
                "expected an unmodified git commit or --material that a failed step can be about, found neither",
            )
            .fix("name what the step reads with --material"));
        }
        Ok(about)
    }

    fn write_classic_link(&self, session: &mut Session) -> Result<(), Failure> {
        let products: Vec<ResourceDescriptor> = self.products.iter().map(descriptor).collect();
        let link = ClassicLink::sign(&self.step.link(), &products, self.key)
            .map_err(|e| Failure::undecided(chain(&e)))?;
        let path = self.folder().join(link.file_name());
        bundle_file::write(&Destination::File(path.clone()), &link.to_json(), session)?;
        session.say(format!("classic link in {}", path.display()));
        Ok(())
    }

    fn folder(&self) -> PathBuf {
        self.args.out.clone().unwrap_or_default()
    }
}

fn to_value(predicate: &impl Predicate) -> Result<serde_json::Value, Failure> {
    predicate.to_value().map_err(|e| Failure::undecided(chain(&e)))
}

/// The subjects as answers tell them.
fn subjects(descriptors: &[ResourceDescriptor]) -> Vec<Subject> {
    descriptors
        .iter()
        .filter_map(|descriptor| {
            let digest = descriptor.digest.as_ref()?.iter().next()?;
            let name = descriptor.name.clone().unwrap_or_else(|| digest.to_string());
            Some(Subject { name, digest, begins_as_pae: false })
        })
        .collect()
}
