//! Content against its digests, in the engine and in files.

use std::ops::ControlFlow;

use attestry_schemas::digest::Sha256;
use attestry_schemas::problem::chain;
use sha2::Digest as _;

use super::{FaultKind, FsckError, Progress, Report};
use crate::store::content::{ContentError, ContentFiles, Listed};
use crate::store::engine::Family;
use crate::store::{Reader, StoreError, is_inline};

/// How much content passes between two calls of `progress`.
const PROGRESS_STEP: u64 = 1024;
/// How much of a file is in memory.
const READ_BUFFER_BYTES: usize = 256 << 10;

/// Hashes all content again.
pub(super) fn check(
    reader: &Reader<'_>,
    files: &ContentFiles,
    report: &mut Report,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), FsckError> {
    let mut unreferenced = 0;
    inline(reader, report, progress, &mut unreferenced)
        .or_else(|error| report.damage("content", error))?;
    for listed in files.list() {
        let listed = listed.map_err(|e| FsckError::Store(StoreError::Content(e)))?;
        let digest = match listed {
            Listed::Content { digest, .. } => digest,
            Listed::Stray { path } => {
                let place = path.display().to_string();
                report.fault(FaultKind::StrayFile, place, "content files only", "another file");
                continue;
            }
        };
        report.counts.content_files += 1;
        match hash_file(files, &digest) {
            Ok(Some(found)) if found == digest => {}
            Ok(found) => {
                let place = format!("content file {}", digest.hex());
                let found = found.map_or_else(|| "nothing".to_owned(), |f| f.to_string());
                report.fault(FaultKind::Content, place, digest.to_string(), found);
            }
            Err(error) => {
                let place = format!("content file {}", digest.hex());
                report.fault(FaultKind::Content, place, "a readable file", chain(&error));
            }
        }
        unreferenced += u64::from(!is_referenced(reader, &digest).map_err(FsckError::Store)?);
        let done = report.counts.content_files;
        progress(Progress { stage: "content files", done, of: None });
    }
    if unreferenced > 0 {
        report.notes.push(format!(
            "nothing refers to {unreferenced} pieces of content: left by a crash between a file's \
             rename or removal and the commit, and to be collected"
        ));
    }
    Ok(())
}

/// The digest that a file's bytes have; nothing when there is no such file.
fn hash_file(files: &ContentFiles, digest: &Sha256) -> Result<Option<Sha256>, ContentError> {
    let Some(file) = files.open_content(digest)? else { return Ok(None) };
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; READ_BUFFER_BYTES];
    let mut offset = 0;
    loop {
        let read = file.read_at(offset, &mut buffer)?;
        if read == 0 {
            return Ok(Some(Sha256(hasher.finalize().into())));
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
        offset += read as u64;
    }
}

fn inline(
    reader: &Reader<'_>,
    report: &mut Report,
    progress: &mut dyn FnMut(Progress),
    unreferenced: &mut u64,
) -> Result<(), StoreError> {
    let mut outcome = Ok(());
    let visited = reader.snapshot().visit(Family::Content, &[], None, |key, bytes| {
        let place = format!("content {}", hex::encode(key));
        let found = Sha256::of(bytes);
        report.counts.inline_content += 1;
        if report.counts.inline_content.is_multiple_of(PROGRESS_STEP) {
            let done = report.counts.inline_content;
            progress(Progress { stage: "content", done, of: None });
        }
        if key != found.as_bytes() {
            report.fault(FaultKind::Content, place, "bytes of that digest", found.to_string());
        } else if !is_inline(bytes) {
            let found = format!("{} bytes", bytes.len());
            report.fault(FaultKind::Content, place, "small content", found);
        }
        let digest = Sha256::from_slice(key);
        match digest.map_or(Ok(false), |digest| is_referenced(reader, &digest)) {
            Ok(referenced) => *unreferenced += u64::from(!referenced),
            Err(error) => outcome = Err(error),
        }
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    outcome.and(visited.map_err(StoreError::Engine))
}

/// Whether anything keeps content: an attestation, a repository, or that it was put there by itself.
fn is_referenced(reader: &Reader<'_>, digest: &Sha256) -> Result<bool, StoreError> {
    reader.is_kept(digest)
}
