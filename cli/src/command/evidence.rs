//! `attestry evidence`: signed attestations of what other tools report.

mod inspect;
mod read;

use std::path::PathBuf;

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::digest::Digest;
use attestry_schemas::dsse::{self, Envelope};
use attestry_schemas::key::{PublicKey, SigningKey};
use attestry_schemas::statement::{ResourceDescriptor, Statement};

use super::publish::{self, Delivery, EvidenceFile, Place, Product};
use super::sign::open_key_and_read;
use crate::args::{Destination, EvidenceAddArgs, EvidenceCommand, PredicateType, SubjectArg};
use crate::evidence::{self, Evidence, ImportError, Report};
use crate::output::{Exit, Failure, Session, chain, printable};
use crate::subject::{self, Subject};
use read::Reading;

/// Runs `attestry evidence`.
pub(super) fn run(command: &EvidenceCommand, session: &mut Session) -> Result<Exit, Failure> {
    match command {
        EvidenceCommand::Add(args) => add(args, session),
        EvidenceCommand::Inspect(args) => inspect::run(args, session),
    }
}

/// Nothing is sent or written before every report is read.
fn add(args: &EvidenceAddArgs, session: &mut Session) -> Result<Exit, Failure> {
    let settings = super::settings(session)?;
    let key_path = settings.demand_key(args.key.key.as_deref())?;
    let mut supplement = read::supplement(&args.reading, &settings, session)?;
    let target = publish::target(settings, &args.logging, &args.reading.trusted_root, session)?;
    let (key, subjects) =
        open_key_and_read(&args.subjects, &key_path, &args.key.password, session)?;
    supplement.subject = subjects.first().map(|subject| subject.digest.clone());
    let folder = args.out.clone().unwrap_or_default();
    let mut signing = Signing {
        key: &key,
        subjects: &subjects,
        arguments: &args.subjects,
        folder,
        delivery: Delivery { folder: args.out.clone(), ..Delivery::default() },
    };
    for file in &args.files {
        let reading = Reading::of(file, &args.reading, session)?;
        reading.tell(session);
        signing.sign(&reading, &supplement, session)?;
    }
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).map_err(|e| Failure::file("make", folder, &e))?;
    }
    publish::deliver(signing.delivery, &target, session)
}

/// What the reports become, signed.
struct Signing<'a> {
    key: &'a SigningKey,
    subjects: &'a [Subject],
    /// The subjects as they were named.
    arguments: &'a [SubjectArg],
    folder: PathBuf,
    delivery: Delivery,
}

impl Signing<'_> {
    fn sign(
        &mut self,
        reading: &Reading,
        supplement: &evidence::Supplement,
        session: &mut Session,
    ) -> Result<(), Failure> {
        let kept = reading.imported.redacted.as_ref().unwrap_or(&reading.report);
        let original = evidence::original(kept, reading.format);
        let supplement = reading.supplement(supplement);
        for item in &reading.imported.evidence {
            let product = item.product(&reading.report, &original, &supplement)?;
            self.demand_subject(&reading.report, item.as_ref(), &product, session)?;
            let product = self.signed(&reading.report, product, session)?;
            self.delivery.products.push(product);
        }
        let place = match (&reading.imported.redacted, &reading.path) {
            (None, Some(path)) => Place::Path(path.clone()),
            _ => Place::Open(kept.file()?),
        };
        let (sha256, bytes) = (kept.sha256(), kept.bytes());
        self.delivery.files.push(EvidenceFile { sha256, bytes, place });
        Ok(())
    }

    /// Signs what a report became.
    fn signed(
        &self,
        report: &Report,
        product: evidence::Product,
        session: &mut Session,
    ) -> Result<Product, Failure> {
        let malformed = |e: &dyn std::error::Error| Failure::undecided(chain(e));
        let descriptor = |s: &Subject| ResourceDescriptor::named(&s.name, s.digest.clone());
        let descriptors = || self.subjects.iter().map(descriptor).collect();
        let (payload, predicate_type) = match product {
            evidence::Product::Predicate { uri, value, warnings } => {
                warn_of(&warnings, session);
                super::attest::check(&uri, &value, session)?;
                let statement =
                    Statement::new(descriptors(), &uri, value).map_err(|e| malformed(&e))?;
                (statement.to_json(), uri)
            }
            evidence::Product::Written { uri, frame, json, warnings } => {
                warn_of(&warnings, session);
                super::attest::check(uri, &frame, session)?;
                let statement = Statement::json_around(descriptors(), uri, json);
                (statement.map_err(|e| malformed(&e))?, uri.to_owned())
            }
            evidence::Product::Statement(bytes) => {
                let statement = Statement::parse(&bytes).map_err(|e| malformed(&e))?;
                (bytes, statement.predicate_type)
            }
            evidence::Product::Bundle { bundle, warnings } => {
                warn_of(&warnings, session);
                return Ok(self.product(report, *bundle, None, None));
            }
        };
        let envelope = Envelope::sign(dsse::PAYLOAD_TYPE, &payload, self.key);
        let key = self.key.public_key().clone();
        let bundle = Bundle::of_key(&key, Content::Envelope(envelope));
        Ok(self.product(report, bundle, Some(key), Some(predicate_type)))
    }

    fn product(
        &self,
        report: &Report,
        bundle: Bundle,
        key: Option<PublicKey>,
        predicate_type: Option<String>,
    ) -> Product {
        let place = self.place(report, predicate_type.as_deref());
        let subjects = self.subjects.to_vec();
        Product { bundle, key, subjects, predicate_type, out: Destination::File(place) }
    }

    /// `REPORT.TYPE.sigstore.json`, with a number where one report makes several of a type.
    fn place(&self, report: &Report, predicate_type: Option<&str>) -> PathBuf {
        let kind = predicate_type.and_then(|uri| uri.parse::<PredicateType>().ok());
        let kind = kind.map_or("signed".to_owned(), |kind| kind.file_part());
        let base = report.name();
        let taken = |path: &PathBuf| {
            let out = Destination::File(path.clone());
            self.delivery.products.iter().any(|product| product.out == out)
        };
        let first = std::iter::once(format!("{base}.{kind}.sigstore.json"));
        let more = (2_u32..).map(|number| format!("{base}.{kind}.{number}.sigstore.json"));
        let mut places = first.chain(more).map(|name| self.folder.join(name));
        places.find(|path| !taken(path)).unwrap_or_default()
    }

    /// Refuses a report that names another artifact than one of the subjects, and warns of one that
    /// looked at another form of it.
    fn demand_subject(
        &self,
        report: &Report,
        item: &dyn Evidence,
        product: &evidence::Product,
        session: &mut Session,
    ) -> Result<(), Failure> {
        // What is signed already, or as it is, says itself what it is about.
        let says_itself =
            matches!(product, evidence::Product::Statement(_) | evidence::Product::Bundle { .. });
        for (subject, argument) in self.subjects.iter().zip(self.arguments) {
            let about = item.about();
            if names(about, &subject.digest) == Some(true) {
                continue;
            }
            let named_otherwise = says_itself
                && about.iter().any(|digest| digest.algorithm().name() == "sha512")
                && subject::sha512(argument, subject, session)?
                    .is_some_and(|digest| about.contains(&digest));
            if !named_otherwise && (says_itself || names(about, &subject.digest) == Some(false)) {
                return Err(ImportError::Contradicts {
                    name: report.name().to_owned(),
                    expected: subject.digest.clone(),
                    found: told(about),
                }
                .into());
            }
            if names(item.looked_at(), &subject.digest) == Some(false) {
                let looked_at = told(item.looked_at());
                session.warn(format!(
                    "{} looked at {looked_at}, which may be another form of {}",
                    report.name(),
                    subject.digest
                ));
            }
        }
        Ok(())
    }
}

fn warn_of(warnings: &[String], session: &mut Session) {
    for warning in warnings {
        session.warn(printable(warning));
    }
}

/// Whether a digest is among others; nothing where none of them can be compared with it.
fn names(digests: &[Digest], digest: &Digest) -> Option<bool> {
    let comparable = digests.iter().any(|other| other.algorithm() == digest.algorithm());
    comparable.then(|| digests.contains(digest))
}

/// A few of some digests, for a person.
fn told(digests: &[Digest]) -> String {
    /// Reports of images may name very many.
    const MAX_TOLD: usize = 4;
    let told: Vec<String> = digests.iter().take(MAX_TOLD).map(Digest::to_string).collect();
    match digests.len() {
        0 => "no digest".to_owned(),
        count if count > MAX_TOLD => format!("{} and {} more", told.join(", "), count - MAX_TOLD),
        _ => told.join(", "),
    }
}
