//! `attestry push`: sends attestations to a registry, many in one request.

mod beside;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use attestry_schemas::bundle::Bundle;
use attestry_schemas::digest::Sha256;
use attestry_schemas::dsse::Envelope;
use attestry_schemas::problem::ProblemType;
use serde::Serialize;

use super::publish::{
    self, EvidenceFile, MAX_REQUEST_BYTES, MAX_REQUEST_ITEMS, Place, Publication,
};
use crate::answers::{PostedItem, PostedStatus};
use crate::args::{PushArgs, TrustedRootArgs};
use crate::bundle_file::{self, Document, Documents};
use crate::client::Problem;
use crate::output::{Exit, Failure, GREEN, RED, Session, printable};
use crate::progress::{Progress, Unit};
use crate::spool::{self, Spool};

/// How the names of files of attestations end, without `.json` or `.jsonl`.
const STEMS: &[&str] = &[".sigstore", ".intoto", ".bundle", ".dsse"];
/// The most files of one folder.
const MAX_FILES: usize = 1_000_000;

/// What became of one attestation.
#[derive(Serialize)]
struct Line {
    place: String,
    status: PostedStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

/// What became of all of them.
#[derive(Debug, Default, Clone, Copy, Serialize)]
struct Summary {
    created: u64,
    existing: u64,
    refused: u64,
    /// Those of the refused that are no attestations at all.
    #[serde(skip_serializing_if = "is_zero")]
    malformed: u64,
    /// Evidence files of a spool.
    #[serde(skip_serializing_if = "is_zero")]
    files: u64,
    elapsed_ms: u64,
    per_second: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Summary {
    fn count(&mut self, status: PostedStatus) {
        match status {
            PostedStatus::Created => self.created += 1,
            PostedStatus::Existing => self.existing += 1,
            PostedStatus::Refused => self.refused += 1,
        }
    }

    fn timed(mut self, started: Instant) -> Self {
        let elapsed = started.elapsed();
        self.elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let answered = self.created + self.existing + self.refused;
        self.per_second = answered.saturating_mul(1000) / self.elapsed_ms.max(1);
        self
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { created, existing, refused, files, elapsed_ms, per_second, .. } = *self;
        write!(f, "{created} created, {existing} existing, {refused} refused")?;
        if files > 0 {
            write!(f, ", {}", super::count(files, "evidence file", "evidence files"))?;
        }
        // One attestation has no rate.
        if created + existing + refused > 1 {
            let (whole, tenths) = (elapsed_ms / 1000, elapsed_ms % 1000 / 100);
            write!(f, " in {whole}.{tenths} s ({per_second}/s)")?;
        }
        Ok(())
    }
}

/// Runs `attestry push`.
pub(super) fn run(args: &PushArgs, session: &mut Session) -> Result<Exit, Failure> {
    super::reach(&args.oci, &args.registry, session);
    if let Some(artifact) = beside::artifact(args)? {
        return beside::run(&artifact, args, session);
    }
    let settings = super::settings(session)?;
    settings.demand_registry(&args.registry)?;
    if args.update && args.files.iter().any(|file| file == Path::new("-")) {
        return Err(Failure::undecided("expected files to --update, found -")
            .fix("save stdin to a file and push that"));
    }
    demand_readable(&args.files)?;
    let namespace = settings.namespace(args.namespace.namespace.as_ref());
    let root = TrustedRootArgs::default();
    let publication = publish::registry(settings, &args.registry, namespace, &root, session)?;
    let Some(publication) = publication else {
        return Err(crate::config::ConfigError::NoRegistry.into());
    };
    let started = Instant::now();
    let progress = Progress::start(session, "pushing", Unit::Count, None);
    let mut push = Push {
        publication,
        progress,
        summary: Summary::default(),
        update: args.update,
        waiting: Vec::new(),
        waiting_bytes: 0,
        updated: None,
    };
    for path in &args.files {
        match Spool::at(path) {
            Some(spool) => {
                let namespace = args.namespace.namespace.as_ref();
                push = push.spool(&spool, namespace, session)?;
            }
            None if path.is_dir() => push.folder(path, session)?,
            None => push.file(path, session)?,
        }
    }
    push.send(session)?;
    let summary = push.summary.timed(started);
    drop(push);
    if session.json() {
        session.answer(&serde_json::json!({ "summary": summary }))?;
    } else {
        session.line(summary.to_string());
    }
    match summary {
        Summary { refused: 0, .. } => Ok(Exit::Success),
        // Of what is no attestation nobody can tell whether it is to be refused.
        Summary { refused, malformed, .. } if refused == malformed => {
            let found = super::count(malformed, "document that is", "documents that are");
            Err(Failure::undecided(format!(
                "expected envelopes and bundles, found {found} neither"
            ))
            .fix("attestry lint says what is wrong with each"))
        }
        _ => Ok(Exit::Refused),
    }
}

/// Finds what is missing or may not be read before anything is sent. A pipe is not opened: whoever
/// writes to it would lose its reader.
fn demand_readable(files: &[PathBuf]) -> Result<(), Failure> {
    for path in files.iter().filter(|path| path.as_path() != Path::new("-")) {
        let fail = |e: std::io::Error| Failure::file("read", path, &e);
        let metadata = std::fs::metadata(path).map_err(fail)?;
        if metadata.is_dir() {
            std::fs::read_dir(path).map_err(fail)?;
        } else if metadata.is_file() {
            File::open(path).map_err(fail)?;
        }
    }
    Ok(())
}

/// A push under way.
struct Push {
    publication: Publication,
    progress: Progress,
    summary: Summary,
    /// Whether complete bundles are written back.
    update: bool,
    /// What goes into the next request, each with the file that it is from where it is a spool's.
    waiting: Vec<(Document, Option<PathBuf>)>,
    waiting_bytes: usize,
    /// The complete bundles of a file that is to be updated.
    updated: Option<Vec<u8>>,
}

impl Push {
    /// Sends the files of attestations in a folder, at any depth, in the order of their paths.
    fn folder(&mut self, folder: &Path, session: &mut Session) -> Result<(), Failure> {
        let (files, others) = attestation_files(folder)?;
        if files.is_empty() {
            return Err(Failure::undecided(format!(
                "expected files of attestations in {}, found none among {}",
                folder.display(),
                super::count(others, "file", "files"),
            ))
            .fix("they are named *.sigstore.json, *.intoto.jsonl, *.bundle.json or *.dsse.json; name others one by one"));
        }
        if others > 0 {
            let others = super::count(others, "other file", "other files");
            session.say(format!("leaving out {others} of {}", folder.display()));
        }
        self.send_files(&spool::contents_of(folder)?)?;
        for file in files {
            if self.update {
                self.update(&file, session)?;
            } else {
                self.one_of_many(&file, false, session)?;
            }
        }
        Ok(())
    }

    /// Sends the documents of one file of a folder or spool. What is malformed in it is told and
    /// counted, and does not keep the others from being sent.
    fn one_of_many(
        &mut self,
        path: &Path,
        spooled: bool,
        session: &mut Session,
    ) -> Result<(), Failure> {
        for document in Documents::open(path, session)? {
            match document {
                Ok(document) => {
                    let spooled = spooled.then(|| path.to_path_buf());
                    self.take(document, spooled, session)?;
                }
                Err(failure) => {
                    session.fail(&failure);
                    self.summary.count(PostedStatus::Refused);
                    self.summary.malformed += 1;
                }
            }
        }
        Ok(())
    }

    /// Sends what a spool holds and removes what is acknowledged. Each namespace is sent for itself.
    fn spool(
        mut self,
        spool: &Spool,
        namespace: Option<&crate::args::Namespace>,
        session: &mut Session,
    ) -> Result<Self, Failure> {
        self.send(session)?;
        let _alone = spool.begin_sending()?;
        let files = spool.contents()?;
        self.send_files(&files)?;
        let own = self.publication.namespace().cloned();
        for (kept_for, path) in spool.bundles()? {
            let target = namespace.or(kept_for.as_ref()).or(own.as_ref()).cloned();
            if target.as_ref() != self.publication.namespace() {
                self.send(session)?;
                self.publication = self.publication.into_namespace(target);
            }
            self.one_of_many(&path, true, session)?;
        }
        self.send(session)?;
        self.publication = self.publication.into_namespace(own);
        // Only when no bundle is left that may name them.
        if spool.bundles()?.is_empty() {
            for (_, path) in &files {
                spool::acknowledged(path)?;
            }
        }
        Ok(self)
    }

    /// Sends evidence files, before the bundles that name them.
    fn send_files(&mut self, files: &[(Sha256, PathBuf)]) -> Result<(), Failure> {
        for (sha256, path) in files {
            let metadata = std::fs::metadata(path).map_err(|e| Failure::file("read", path, &e))?;
            let (sha256, bytes, place) = (*sha256, metadata.len(), Place::Path(path.clone()));
            self.publication.put_content(&EvidenceFile { sha256, bytes, place })?;
            self.summary.files += 1;
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, session: &mut Session) -> Result<(), Failure> {
        if self.update {
            return self.update(path, session);
        }
        for document in Documents::open(path, session)? {
            self.take(document?, None, session)?;
        }
        Ok(())
    }

    /// Sends the documents of a file and writes the complete bundles in their place.
    fn update(&mut self, path: &Path, session: &mut Session) -> Result<(), Failure> {
        self.send(session)?;
        self.updated = Some(Vec::new());
        for document in Documents::open(path, session)? {
            self.take(document?, None, session)?;
        }
        self.send(session)?;
        let text = self.updated.take().unwrap_or_default();
        let written = bundle_file::replace(path, &text);
        written.map_err(|e| Failure::file("write", path, &e))
    }

    /// Puts a document into the next request, and sends that when it is full.
    fn take(
        &mut self,
        document: Document,
        spooled: Option<PathBuf>,
        session: &mut Session,
    ) -> Result<(), Failure> {
        let bytes = document.bytes.len() + 1;
        // What spans lines keeps its exact bytes only in a request of its own.
        let alone = document.bytes.contains(&b'\n');
        let full = self.waiting.len() == MAX_REQUEST_ITEMS
            || self.waiting_bytes + bytes > MAX_REQUEST_BYTES;
        if full || alone {
            self.send(session)?;
        }
        self.waiting.push((document, spooled));
        self.waiting_bytes += bytes;
        if alone { self.send(session) } else { Ok(()) }
    }

    fn send(&mut self, session: &mut Session) -> Result<(), Failure> {
        let documents = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        if documents.is_empty() {
            return Ok(());
        }
        let bodies: Vec<&[u8]> = documents.iter().map(|(d, _)| d.bytes.as_slice()).collect();
        let items = self.publication.post(&bodies)?;
        for ((document, spooled), item) in documents.iter().zip(items) {
            if let (Some(path), true) = (spooled, item.status != PostedStatus::Refused) {
                spool::acknowledged(path)?;
            }
            if let Some(text) = &mut self.updated {
                text.extend(updated_line(document, &item)?);
                text.push(b'\n');
            }
            self.tell(document, item, session)?;
        }
        Ok(())
    }

    fn tell(
        &mut self,
        document: &Document,
        item: PostedItem,
        session: &mut Session,
    ) -> Result<(), Failure> {
        self.progress.advance(1);
        self.summary.count(item.status);
        if is_malformed(document, &item) {
            self.summary.malformed += 1;
        }
        self.publication.note_namespace(&item, session);
        let PostedItem { status, digest, index, namespace, problem, .. } = item;
        if session.json() {
            let place = document.place.clone();
            return session.answer(&Line { place, status, digest, index, namespace, problem });
        }
        let colour = if status == PostedStatus::Refused { RED } else { GREEN };
        let word = session.paint(&format!("{:<8}", status.as_str()), colour);
        let digest = printable(digest.as_deref().unwrap_or("-"));
        let index = index.map_or_else(|| "-".to_owned(), |index| index.to_string());
        let problem = problem.map(|problem| problem.to_string()).unwrap_or_default();
        session.line(format!("{word} {digest} index {index} {}{problem}", document.place));
        Ok(())
    }
}

/// Whether a document was refused because it is neither an envelope nor a bundle.
fn is_malformed(document: &Document, item: &PostedItem) -> bool {
    let named = item.problem.as_ref().and_then(Problem::type_name);
    let parses = || {
        let value = &document.value;
        Bundle::from_value(value.clone()).is_ok() || Envelope::from_value(value.clone()).is_ok()
    };
    item.status == PostedStatus::Refused
        && (named == Some(ProblemType::MalformedBody.name()) || !parses())
}

/// The files of attestations below a folder, sorted, and how many other files there are.
fn attestation_files(folder: &Path) -> Result<(Vec<PathBuf>, u64), Failure> {
    let (mut files, mut others) = (Vec::new(), 0);
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        let fail = |e: std::io::Error| Failure::file("read", &folder, &e);
        for entry in std::fs::read_dir(&folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            if entry.file_type().map_err(fail)?.is_dir() {
                // What begins with a dot is the folder's own: evidence files lie there.
                if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                    waiting.push(entry.path());
                }
            } else if holds_attestations(&entry.file_name().to_string_lossy()) {
                files.push(entry.path());
            } else {
                others += 1;
            }
            if files.len() > MAX_FILES {
                return Err(Failure::undecided(format!(
                    "expected at most {MAX_FILES} files, found more"
                ))
                .fix("push the folders within it one by one"));
            }
        }
    }
    files.sort_unstable();
    Ok((files, others))
}

fn holds_attestations(name: &str) -> bool {
    let stem = name.strip_suffix(".json").or_else(|| name.strip_suffix(".jsonl"));
    stem.is_some_and(|stem| STEMS.iter().any(|end| stem.ends_with(end)))
}

/// The complete bundle; what was refused stays as it is, on one line.
fn updated_line(document: &Document, item: &PostedItem) -> Result<Vec<u8>, Failure> {
    match &item.bundle {
        Some(bundle) => {
            let bundle = Bundle::from_value(bundle.clone()).map_err(|e| document.malformed(&e))?;
            document.same_signature(&bundle)?;
            Ok(bundle.to_json())
        }
        None => Ok(document.value.to_string().into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_files_of_attestations_by_how_their_names_end() {
        for (name, expected) in [
            ("app.sigstore.json", true),
            ("app.provenance.sigstore.json", true),
            ("multiple.intoto.jsonl", true),
            ("x.bundle.json", true),
            ("package.json", false),
            ("sigstore.json", false),
            ("app.sigstore.json.bak", false),
        ] {
            assert_eq!(holds_attestations(name), expected, "{name}");
        }
    }

    #[test]
    fn a_rate_is_told_of_several() {
        let summary =
            Summary { created: 10, elapsed_ms: 2_500, per_second: 4, ..Summary::default() };
        assert_eq!(summary.to_string(), "10 created, 0 existing, 0 refused in 2.5 s (4/s)");
        let one = Summary { existing: 1, files: 1, ..Summary::default() };
        assert_eq!(one.to_string(), "0 created, 1 existing, 0 refused, 1 evidence file");
    }
}
