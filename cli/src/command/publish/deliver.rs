//! What becomes of signed bundles: logged where a registry is named, kept where it cannot be
//! reached and a spool is named, written to files, told.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use attestry_schemas::bundle::Bundle;
use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::key::PublicKey;
use serde::Serialize;

use super::{Attachment, MAX_REQUEST_BYTES, MAX_REQUEST_ITEMS, Publication, Target};
use crate::answers::{PostedItem, PostedStatus};
use crate::args::{Destination, Namespace};
use crate::bundle_file;
use crate::client::ClientError;
use crate::output::{Exit, Failure, Session, chain};
use crate::progress::{Progress, Unit};
use crate::spool::{self, Spool};
use crate::subject::Subject;

/// A signed bundle that is to be written, and logged where a registry is named.
pub(in crate::command) struct Product {
    /// The bundle, without a log entry.
    pub(in crate::command) bundle: Bundle,
    /// The key that signed it; nothing for what somebody else signed and is passed through.
    pub(in crate::command) key: Option<PublicKey>,
    /// What it is about.
    pub(in crate::command) subjects: Vec<Subject>,
    /// The predicate type's short name or URI, where there is one.
    pub(in crate::command) predicate_type: Option<String>,
    /// Where to write it.
    pub(in crate::command) out: Destination,
    /// The artifacts in OCI registries that it is put beside.
    pub(in crate::command) attachments: Vec<Attachment>,
}

/// An evidence file that statements name by digest.
pub(in crate::command) struct EvidenceFile {
    /// Its digest.
    pub(in crate::command) sha256: Sha256,
    /// How many bytes it has.
    pub(in crate::command) bytes: u64,
    /// Where they are.
    pub(in crate::command) place: Place,
}

/// Where the bytes of an evidence file are. What lies at a path is opened when it is sent, because
/// there may be more files than may be open.
pub(in crate::command) enum Place {
    /// At a path.
    Path(PathBuf),
    /// In a file that has no name, or that stdin came from.
    Open(File),
}

impl EvidenceFile {
    /// The file, to be read from its beginning.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(in crate::command) fn open(&self) -> std::io::Result<File> {
        match &self.place {
            Place::Path(path) => File::open(path),
            Place::Open(file) => {
                let mut file = file.try_clone()?;
                file.seek(SeekFrom::Start(0))?;
                Ok(file)
            }
        }
    }
}

/// Everything that one command made.
#[derive(Default)]
pub(in crate::command) struct Delivery {
    /// The bundles.
    pub(in crate::command) products: Vec<Product>,
    /// The evidence files that they name.
    pub(in crate::command) files: Vec<EvidenceFile>,
    /// The folder that evidence files are kept in where no registry and no spool has them.
    pub(in crate::command) folder: Option<PathBuf>,
}

impl Delivery {
    /// One bundle and no evidence file.
    pub(in crate::command) fn one(product: Product) -> Self {
        Self { products: vec![product], ..Self::default() }
    }
}

/// What became of one bundle.
enum Outcome {
    /// It is in the log, and this is what the log says.
    Logged(Box<Bundle>, AnswerRegistry),
    /// It is in the spool.
    Spooled,
    /// There is no registry.
    Local,
}

#[derive(Serialize)]
struct Answer {
    bundle: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    predicate_type: Option<String>,
    subjects: Vec<AnswerSubject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registry: Option<AnswerRegistry>,
    /// Whether it is kept for later.
    spooled: bool,
    /// The manifests that refer to the artifacts in OCI registries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attached: Vec<String>,
}

#[derive(Serialize)]
struct AnswerSubject {
    name: String,
    digest: String,
}

/// What a registry said of an attestation that it has in its log.
#[derive(Serialize)]
pub(in crate::command) struct AnswerRegistry {
    /// The registry.
    pub(in crate::command) url: String,
    /// Whether it is there as of now.
    pub(in crate::command) status: PostedStatus,
    /// The digest by which it is kept.
    pub(in crate::command) digest: Option<String>,
    /// Its place in the log.
    pub(in crate::command) index: Option<u64>,
}

/// Logs the bundles where a registry is named, writes them, and tells. Evidence files go first, so
/// that no statement names what is not there. With a spool, what a registry cannot be sent now is
/// kept, and that is no failure. What a command with a folder of its own made is written there even
/// when it cannot be logged: a build need not run again.
///
/// # Errors
/// When a bundle is refused, cannot be checked, or cannot be written.
pub(in crate::command) fn deliver(
    delivery: Delivery,
    target: &Target,
    session: &mut Session,
) -> Result<Exit, Failure> {
    let (outcomes, failed) = match (&target.registry, &target.spool) {
        (Some(registry), spool) => publish(&delivery, registry, spool.as_ref(), session)?,
        (None, Some(spool)) => {
            keep(spool, &delivery.files, &delivery.products, target.namespace.as_ref())?;
            (delivery.products.iter().map(|_| Outcome::Spooled).collect(), None)
        }
        (None, None) => (Vec::new(), None),
    };
    if !target.keeps_files() || failed.is_some() {
        keep_in_folder(&delivery, session)?;
    }
    if failed.is_some() && delivery.folder.is_none() {
        return failed.map_or(Ok(Exit::Success), Err);
    }
    let outcomes = outcomes.into_iter().chain(std::iter::repeat_with(|| Outcome::Local));
    for (product, outcome) in delivery.products.into_iter().zip(outcomes) {
        write_and_tell(product, outcome, session)?;
    }
    match failed {
        Some(failure) => Err(failure.fix(
            "the attestations are written, and those without a line \"logged by\" are not logged; attestry push sends their folder once that is mended",
        )),
        None => Ok(Exit::Success),
    }
}

/// Logs one bundle, after the files that it names, checks the answer, and leaves the telling to the caller.
///
/// # Errors
/// When it is refused, or the answer cannot be believed.
pub(in crate::command) fn log(
    product: Product,
    files: Vec<EvidenceFile>,
    registry: &Publication,
    session: &mut Session,
) -> Result<AnswerRegistry, Failure> {
    let delivery = Delivery { files, ..Delivery::one(product) };
    let (outcomes, failed) = publish(&delivery, registry, None, session)?;
    if let Some(failure) = failed {
        return Err(failure);
    }
    match outcomes.into_iter().next() {
        Some(Outcome::Logged(_, answer)) => Ok(answer),
        _ => Err(Failure::undecided(format!("{} said nothing of the attestation", registry.url()))
            .fix("check that the URL is that of an Attestry registry")),
    }
}

/// Keeps evidence files beside the bundles, for `attestry push` to send with them.
fn keep_in_folder(delivery: &Delivery, session: &mut Session) -> Result<(), Failure> {
    let Some(folder) = &delivery.folder else {
        if !delivery.files.is_empty() {
            session.say(
                "no registry, --spool or --out keeps the evidence files; the attestations name them by digest",
            );
        }
        return Ok(());
    };
    for file in &delivery.files {
        let fail =
            |e: std::io::Error| Failure::undecided(format!("cannot read {}: {e}", file.sha256));
        let mut content = file.open().map_err(fail)?.take(file.bytes);
        spool::keep_content_in(folder, file.sha256, &mut content)?;
    }
    Ok(())
}

/// Sends everything, in the order in which it was made. What was answered before something failed
/// counts, so the failure comes beside it.
fn publish(
    delivery: &Delivery,
    registry: &Publication,
    spool: Option<&Spool>,
    session: &mut Session,
) -> Result<(Vec<Outcome>, Option<Failure>), Failure> {
    let (items, failed) = match send_files(&delivery.files, registry, session) {
        Ok(()) => send_bundles(&delivery.products, registry),
        Err(error) => (Vec::new(), Some(error)),
    };
    let root = if items.is_empty() { None } else { Some(registry.trusted_root(session)?) };
    let mut outcomes = Vec::new();
    for (item, product) in items.into_iter().zip(&delivery.products) {
        let checked = accepted(item, registry, session).and_then(|(bundle, answer)| {
            if let Some(root) = &root {
                registry.check(&bundle, product, root)?;
            }
            Ok(Outcome::Logged(Box::new(bundle), answer))
        });
        match checked {
            Ok(outcome) => outcomes.push(outcome),
            Err(failure) => return Ok((outcomes, Some(failure))),
        }
    }
    match (spool, failed) {
        (Some(spool), Some(error)) if error.is_passing() || error.is_unauthorized() => {
            let left = delivery.products.get(outcomes.len()..).unwrap_or_default();
            keep(spool, &delivery.files, left, registry.namespace())?;
            session.warn(format!(
                "{}; kept for later, not logged yet: send it with attestry push",
                chain(&error)
            ));
            outcomes.extend(left.iter().map(|_| Outcome::Spooled));
            Ok((outcomes, None))
        }
        (_, failed) => Ok((outcomes, failed.map(Failure::from))),
    }
}

fn send_files(
    files: &[EvidenceFile],
    publication: &Publication,
    session: &Session,
) -> Result<(), ClientError> {
    let total = files.iter().map(|file| file.bytes).sum();
    let mut progress = Progress::start(session, "sending evidence files", Unit::Bytes, Some(total));
    for file in files {
        publication.put_content(file)?;
        progress.advance(file.bytes);
    }
    Ok(())
}

/// Sends the bundles, many in one request. With an error comes what was answered before it.
fn send_bundles(
    products: &[Product],
    publication: &Publication,
) -> (Vec<PostedItem>, Option<ClientError>) {
    let documents: Vec<Vec<u8>> = products.iter().map(|product| product.bundle.to_json()).collect();
    let mut items = Vec::new();
    let mut rest = documents.as_slice();
    while !rest.is_empty() {
        let mut bytes = 0;
        let count = rest
            .iter()
            .take(MAX_REQUEST_ITEMS)
            .take_while(|document| {
                bytes += document.len() + 1;
                bytes <= MAX_REQUEST_BYTES
            })
            .count()
            .max(1);
        let (now, later) = rest.split_at(count);
        let bodies: Vec<&[u8]> = now.iter().map(Vec::as_slice).collect();
        match publication.post(&bodies) {
            Ok(posted) => items.extend(posted),
            Err(error) => return (items, Some(error)),
        }
        rest = later;
    }
    (items, None)
}

fn keep(
    spool: &Spool,
    files: &[EvidenceFile],
    products: &[Product],
    namespace: Option<&Namespace>,
) -> Result<(), Failure> {
    for file in files {
        let fail =
            |e: std::io::Error| Failure::undecided(format!("cannot read {}: {e}", file.sha256));
        let mut content = file.open().map_err(fail)?.take(file.bytes);
        spool.keep_content(file.sha256, &mut content)?;
    }
    for product in products {
        spool.keep_bundle(namespace, &product.bundle.to_json())?;
    }
    Ok(())
}

/// The complete bundle of an accepted item; a refusal otherwise.
fn accepted(
    item: PostedItem,
    publication: &Publication,
    session: &mut Session,
) -> Result<(Bundle, AnswerRegistry), Failure> {
    let url = publication.url();
    if item.status == PostedStatus::Refused {
        let problem = item.problem.unwrap_or_default();
        let fix = match problem.type_name() {
            Some("untrusted-signer" | "forbidden") => {
                "nothing was written; attestry roster show tells who may sign what; before a roster rules, the registry's operator trusts keys with attestry-registry trust add"
            }
            _ => "nothing was written; correct what it names and run this again",
        };
        let told = format!("{url} refused the attestation{problem}");
        return Err(Failure::refused(told).fix(fix));
    }
    publication.note_namespace(&item, session);
    let malformed = |detail: String| {
        Failure::undecided(format!("the answer of {url} is malformed: {detail}"))
            .fix("check that the URL is that of an Attestry registry")
    };
    let bundle = item.bundle.ok_or_else(|| malformed("it has no bundle".to_owned()))?;
    let bundle = Bundle::from_value(bundle).map_err(|e| malformed(chain(&e)))?;
    let PostedItem { status, digest, index, .. } = item;
    Ok((bundle, AnswerRegistry { url: url.clone(), status, digest, index }))
}

fn write_and_tell(
    product: Product,
    outcome: Outcome,
    session: &mut Session,
) -> Result<(), Failure> {
    let (bundle, registry, spooled) = match outcome {
        Outcome::Logged(bundle, registry) => (*bundle, Some(registry), false),
        Outcome::Spooled => (product.bundle, None, true),
        Outcome::Local => (product.bundle, None, false),
    };
    let mut text = bundle.to_json();
    text.push(b'\n');
    bundle_file::write(&product.out, &text, session)?;
    let mut attached = Vec::new();
    for attachment in &product.attachments {
        attached.push(attachment.put(&bundle, session)?);
    }
    let signer = product.key.as_ref().map(|key| key.fingerprint().to_string());
    let place = match &product.out {
        Destination::Registry => attached.first().cloned().unwrap_or_default(),
        Destination::Stdout => "stdout".to_owned(),
        Destination::File(path) => path.display().to_string(),
    };
    for subject in &product.subjects {
        let did = if signer.is_some() { "signed" } else { "passed through, about" };
        session.say(format!("{did} {}", subject.label()));
    }
    if let Some(predicate_type) = &product.predicate_type {
        session.say(format!("  as {predicate_type}"));
    }
    if let Some(signer) = &signer {
        session.say(format!("  with {signer}"));
    }
    if let Some(AnswerRegistry { url, index: Some(index), status, .. }) = &registry {
        session.say(format!("  logged by {url} at index {index} ({})", status.as_str()));
    }
    if spooled {
        session.say("  kept in the spool, not logged yet");
    }
    let elsewhere = attached.iter().filter(|other| **other != place);
    for place in std::iter::once(&place).chain(elsewhere) {
        session.say(format!("  bundle in {place}"));
    }
    if session.json() {
        let digest = |digest: &Digest| digest.to_string();
        let subjects = product
            .subjects
            .iter()
            .map(|s| AnswerSubject { name: s.name.clone(), digest: digest(&s.digest) })
            .collect();
        let predicate_type = product.predicate_type;
        let bundle = place;
        session.answer(&Answer {
            bundle,
            signer,
            predicate_type,
            subjects,
            registry,
            spooled,
            attached,
        })?;
    }
    Ok(())
}
