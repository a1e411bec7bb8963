//! `attestry push`: sends attestations to a registry, many in one request.

use std::path::{Path, PathBuf};

use attestry_schemas::bundle::Bundle;
use serde::Serialize;

use super::publish::{self, Publication};
use crate::answers::{PostedItem, PostedStatus};
use crate::args::{OfflineArgs, PushArgs, TrustedRootArgs};
use crate::bundle_file::{self, Document, Documents};
use crate::client::Problem;
use crate::output::{Exit, Failure, GREEN, RED, Session, printable};
use crate::progress::{Progress, Unit};

/// The most attestations of one request.
const MAX_REQUEST_ITEMS: usize = 256;
/// The most bytes of one request, unless one attestation alone is larger.
const MAX_REQUEST_BYTES: usize = 4 * 1024 * 1024;

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
}

impl Summary {
    fn count(&mut self, status: PostedStatus) {
        match status {
            PostedStatus::Created => self.created += 1,
            PostedStatus::Existing => self.existing += 1,
            PostedStatus::Refused => self.refused += 1,
        }
    }
}

/// Runs `attestry push`.
pub(super) fn run(args: &PushArgs, session: &mut Session) -> Result<Exit, Failure> {
    let settings = super::settings(session)?;
    settings.demand_registry(&args.registry)?;
    if args.update && args.files.iter().any(|file| file == Path::new("-")) {
        return Err(Failure::undecided("expected files to --update, found -")
            .fix("save stdin to a file and push that"));
    }
    let (root, offline) = (TrustedRootArgs::default(), OfflineArgs::default());
    let publication =
        publish::prepare(settings, &args.registry, &args.namespace, &root, &offline, session)?;
    let Some(publication) = publication else {
        return Err(crate::config::ConfigError::NoRegistry.into());
    };
    let mut summary = Summary::default();
    let progress = Progress::start(session, "pushing", Unit::Count, None);
    let mut push = Push { publication, progress, summary: &mut summary };
    for file in &args.files {
        push.file(file, args.update, session)?;
    }
    drop(push);
    if session.json() {
        session.answer(&serde_json::json!({ "summary": summary }))?;
    } else {
        let Summary { created, existing, refused } = summary;
        session.line(format!("{created} created, {existing} existing, {refused} refused"));
    }
    Ok(if summary.refused > 0 { Exit::Refused } else { Exit::Success })
}

/// A push under way.
struct Push<'a> {
    publication: Publication,
    progress: Progress,
    summary: &'a mut Summary,
}

impl Push<'_> {
    fn file(&mut self, path: &Path, update: bool, session: &mut Session) -> Result<(), Failure> {
        let mut updated = update.then(|| (path.to_path_buf(), Vec::new()));
        let mut waiting: Vec<Document> = Vec::new();
        let mut waiting_bytes = 0;
        for document in Documents::open(path, session)? {
            let document = document?;
            let bytes = document.bytes.len() + 1;
            // What spans lines keeps its exact bytes only in a request of its own.
            let alone = document.bytes.contains(&b'\n');
            let full = waiting.len() == MAX_REQUEST_ITEMS
                || waiting_bytes + bytes > MAX_REQUEST_BYTES
                || alone;
            if full {
                self.send(&mut waiting, &mut updated, session)?;
                waiting_bytes = 0;
            }
            waiting.push(document);
            waiting_bytes += bytes;
            if alone {
                self.send(&mut waiting, &mut updated, session)?;
                waiting_bytes = 0;
            }
        }
        self.send(&mut waiting, &mut updated, session)?;
        if let Some((path, text)) = updated {
            let written = bundle_file::replace(&path, &text);
            written.map_err(|e| Failure::file("write", &path, &e))?;
        }
        Ok(())
    }

    fn send(
        &mut self,
        waiting: &mut Vec<Document>,
        updated: &mut Option<(PathBuf, Vec<u8>)>,
        session: &mut Session,
    ) -> Result<(), Failure> {
        let documents = std::mem::take(waiting);
        if documents.is_empty() {
            return Ok(());
        }
        let bodies: Vec<&[u8]> = documents.iter().map(|d| d.bytes.as_slice()).collect();
        let items = self.publication.post(&bodies)?;
        for (document, item) in documents.iter().zip(items) {
            if let Some((_, text)) = updated {
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
