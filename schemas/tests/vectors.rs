//! Runs `schemas/vectors`: a folder for each format, in it the texts that are accepted and those
//! that are refused, each named by the rule it keeps or breaks. Beside a refused text stands the
//! message it must get.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test panics when it fails"
)]

use std::error::Error;
use std::path::{Path, PathBuf};

use attestry_schemas::bundle::Bundle;
use attestry_schemas::classic_link::ClassicLink;
use attestry_schemas::dsse::Envelope;
use attestry_schemas::problem::chain;
use attestry_schemas::rekor::{Entry, WriteRequest, request_for};
use attestry_schemas::statement::Statement;

/// Reads a text and writes what was read, or says why it is refused.
type Read = fn(&[u8]) -> Result<Vec<u8>, Box<dyn Error>>;

/// The folders of this form; those of another are read by the tests of their modules.
const FOLDERS: &[(&str, Read)] = &[
    ("dsse", |text| Ok(Envelope::parse(text)?.to_json())),
    ("statement", |text| Ok(Statement::parse(text)?.to_json())),
    ("bundle", |text| Ok(Bundle::parse(text)?.to_json())),
    ("classic-link", |text| Ok(ClassicLink::parse(text)?.to_json())),
    ("rekor-body", |text| {
        let written = Entry::parse(text)?.body();
        assert_eq!(written, text, "a body has one spelling");
        Ok(written)
    }),
    ("rekor-request", |text| {
        Ok(match WriteRequest::parse(text)? {
            WriteRequest::HashedRekord(request) => request_for(&request.entry).to_string().into(),
            WriteRequest::Dsse(_) => text.to_vec(),
        })
    }),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    found.sort();
    assert!(!found.is_empty(), "{} holds no {extension}", folder.display());
    found
}

#[track_caller]
fn check(area: &str) {
    let (_, read) = FOLDERS.iter().find(|(name, _)| *name == area).unwrap();
    let folder = folder().join(area);
    for path in files(&folder.join("accepted"), "json") {
        let name = path.display();
        let written = read(&std::fs::read(&path).unwrap())
            .unwrap_or_else(|error| panic!("{name}: {}", chain(&*error)));
        assert_eq!(read(&written).unwrap(), written, "{name} is read as it was written");
    }
    let refused = files(&folder.join("refused"), "json");
    assert_eq!(refused.len(), files(&folder.join("refused"), "txt").len());
    for path in refused {
        let message = match read(&std::fs::read(&path).unwrap()) {
            Ok(_) => panic!("{} is accepted", path.display()),
            Err(error) => chain(&*error),
        };
        let expected = std::fs::read_to_string(path.with_extension("txt")).unwrap();
        assert_eq!(message, expected.trim_end(), "{}", path.display());
    }
}

#[test]
fn reads_the_vectors_of_envelopes() {
    check("dsse");
}

#[test]
fn reads_the_vectors_of_statements() {
    check("statement");
}

#[test]
fn reads_the_vectors_of_bundles() {
    check("bundle");
}

#[test]
fn reads_the_vectors_of_classic_links() {
    check("classic-link");
}

#[test]
fn reads_the_vectors_of_log_entries() {
    check("rekor-body");
}

#[test]
fn reads_the_vectors_of_write_requests() {
    check("rekor-request");
}

#[test]
fn every_folder_of_this_form_is_read() {
    let of_this_form = |path: &PathBuf| path.join("refused").is_dir();
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    for path in entries.filter(of_this_form) {
        let known = |(name, _): &(&str, Read)| path.file_name().is_some_and(|n| n == *name);
        assert!(FOLDERS.iter().any(known), "{} is not read by a test", path.display());
    }
}
