//! `attestry evidence`: signed attestations of what other tools report.

mod inspect;
mod prepare;
mod read;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::dsse::{self, Envelope};
use attestry_schemas::key::{PublicKey, SigningKey};

use self::prepare::{Prepared, Unsigned};
use super::publish::{self, Delivery, Product};
use crate::args::{Destination, EvidenceAddArgs, EvidenceCommand, PredicateType};
use crate::keyfile::KeyText;
use crate::output::{Exit, Failure, Session};
use crate::subject::{self, Subject};

/// Runs `attestry evidence`.
pub(super) fn run(command: &EvidenceCommand, session: &mut Session) -> Result<Exit, Failure> {
    match command {
        EvidenceCommand::Add(args) => add(args, session),
        EvidenceCommand::Inspect(args) => inspect::run(args, session),
    }
}

/// Nothing is sent or written, and nobody is asked for a key or its password, before every report is
/// read and found fine.
fn add(args: &EvidenceAddArgs, session: &mut Session) -> Result<Exit, Failure> {
    let settings = super::settings(session)?;
    let mut supplement = read::supplement(&args.reading, &settings, session)?;
    let running = AtomicBool::new(false);
    let subjects: Vec<Subject> = args
        .subjects
        .iter()
        .map(|argument| subject::resolve(argument, session, &running))
        .collect::<Result<_, _>>()?;
    supplement.subject = subjects.first().map(|subject| subject.digest.clone());
    let prepared = prepare::all(args, &subjects, &supplement, session)?;
    let key_path = settings.demand_key(args.key.key.as_deref())?;
    let target = publish::target(settings, &args.logging, &args.reading.trusted_root, session)?;
    let key = KeyText::read(&key_path, session)?.private(session, &args.key.password)?.unlock()?;
    let folder = args.out.clone().unwrap_or_default();
    let delivery = Delivery { folder: args.out.clone(), ..Delivery::default() };
    let mut signing = Signing { key: &key, subjects: &subjects, folder, delivery };
    for report in prepared {
        signing.sign(report);
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
    folder: PathBuf,
    delivery: Delivery,
}

impl Signing<'_> {
    fn sign(&mut self, report: Prepared) {
        let Prepared { name, unsigned, file } = report;
        for one in unsigned {
            let product = match one {
                Unsigned::Statement { payload, predicate_type } => {
                    let envelope = Envelope::sign(dsse::PAYLOAD_TYPE, &payload, self.key);
                    let key = self.key.public_key().clone();
                    let bundle = Bundle::of_key(&key, Content::Envelope(envelope));
                    self.product(&name, bundle, Some(key), Some(predicate_type))
                }
                Unsigned::Bundle(bundle) => self.product(&name, *bundle, None, None),
            };
            self.delivery.products.push(product);
        }
        self.delivery.files.push(file);
    }

    fn product(
        &self,
        report: &str,
        bundle: Bundle,
        key: Option<PublicKey>,
        predicate_type: Option<String>,
    ) -> Product {
        let place = self.place(report, predicate_type.as_deref());
        let subjects = self.subjects.to_vec();
        let (out, attachments) = (Destination::File(place), Vec::new());
        Product { bundle, key, subjects, predicate_type, out, attachments }
    }

    /// `REPORT.TYPE.sigstore.json`, with a number where one report makes several of a type.
    fn place(&self, report: &str, predicate_type: Option<&str>) -> PathBuf {
        let kind = predicate_type.and_then(|uri| uri.parse::<PredicateType>().ok());
        let kind = kind.map_or("signed".to_owned(), |kind| kind.file_part());
        let taken = |path: &PathBuf| {
            let out = Destination::File(path.clone());
            self.delivery.products.iter().any(|product| product.out == out)
        };
        let first = std::iter::once(format!("{report}.{kind}.sigstore.json"));
        let more = (2_u32..).map(|number| format!("{report}.{kind}.{number}.sigstore.json"));
        let mut places = first.chain(more).map(|name| self.folder.join(name));
        places.find(|path| !taken(path)).unwrap_or_default()
    }
}
