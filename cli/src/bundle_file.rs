//! Files of evidence: how they are named, read and written.
//!
//! A file holds one JSON document (a bundle, an envelope, a statement) over any number of lines,
//! or JSON lines, one document each. Lines are read one at a time, so a file of any length fits.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use attestry_schemas::bundle::MAX_BUNDLE_BYTES;
use attestry_schemas::bundle::{Bundle, Content, SignerMaterial};
use attestry_schemas::dsse::{DsseError, Envelope};
use attestry_schemas::json;
use serde_json::Value;

use crate::args::{Destination, PredicateType, SubjectArg};
use crate::output::{Failure, Session};

/// The most bytes of one document that are read.
pub(crate) const MAX_DOCUMENT_BYTES: usize = MAX_BUNDLE_BYTES;

/// One document of a file: well-formed JSON without duplicate keys, of what kind is not known.
#[derive(Debug)]
pub(crate) struct Document {
    /// Where it is from: the file, and the line where there are several.
    pub(crate) place: String,
    /// Its exact bytes, without white space around them.
    pub(crate) bytes: Vec<u8>,
    /// What they say.
    pub(crate) value: Value,
}

impl Document {
    /// The error that this document is not what it should be.
    pub(crate) fn malformed(&self, error: &dyn std::error::Error) -> Failure {
        Failure::undecided(format!("{}: {}", self.place, crate::output::chain(error)))
            .fix("make it anew, or take it again from whoever made it")
    }

    /// Demands that a bundle carries the signature of this document, and the certificate where it has one.
    ///
    /// # Errors
    /// [`Failure::refused`] when it carries another.
    pub(crate) fn same_signature(&self, bundle: &Bundle) -> Result<(), Failure> {
        let value = self.value.clone();
        let (ours, signer) = if value.get("payload").is_some() {
            (Content::Envelope(Envelope::from_value(value).map_err(|e| self.malformed(&e))?), None)
        } else {
            let ours = Bundle::from_value(value).map_err(|e| self.malformed(&e))?;
            (ours.content, Some(ours.signer))
        };
        // The hint of a managed key is the registry's to give; a certificate is what the signature is worth.
        let same_certificate = match signer {
            None | Some(SignerMaterial::PublicKey { .. }) => true,
            Some(certificate) => certificate == bundle.signer,
        };
        // The hint in an envelope is not signed and not kept.
        let plain = |content: &Content| match content {
            Content::Envelope(e) => Content::Envelope(Envelope { keyid: None, ..e.clone() }),
            Content::Message(_) => content.clone(),
        };
        if same_certificate && plain(&ours) == plain(&bundle.content) {
            return Ok(());
        }
        Err(Failure::refused(format!(
            "{}: expected the registry to answer with this signature, found another",
            self.place
        ))
        .fix("do not rely on this registry before its operator has explained this"))
    }
}

/// The envelope in the exact bytes of an attestation of a registry: they are an envelope, or the bundle of one where a certificate's
/// holder signed it.
///
/// # Errors
/// Why they are no envelope, when they are no such bundle either.
pub(crate) fn stored_envelope(bytes: &[u8]) -> Result<Envelope, DsseError> {
    Envelope::parse(bytes).or_else(|error| match Bundle::parse(bytes).map(|b| b.content) {
        Ok(Content::Envelope(envelope)) => Ok(envelope),
        _ => Err(error),
    })
}

/// The documents of one file, read as they are asked for.
pub(crate) struct Documents {
    name: String,
    reader: BufReader<Box<dyn Read + Send>>,
    /// The line that was read last, from 1.
    line: u64,
    ended: bool,
}

impl Documents {
    /// Opens a file, or stdin for `-`.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn open(path: &Path, session: &mut Session) -> Result<Self, Failure> {
        let (name, reader): (String, Box<dyn Read + Send>) = if path == Path::new("-") {
            ("stdin".to_owned(), session.stdin()?)
        } else {
            let file = File::open(path).map_err(|e| Failure::file("read", path, &e))?;
            (path.display().to_string(), Box::new(file))
        };
        Ok(Self { name, reader: BufReader::new(reader), line: 0, ended: false })
    }

    fn next_document(&mut self) -> Result<Option<Document>, Failure> {
        loop {
            let mut text = Vec::new();
            let limit = MAX_DOCUMENT_BYTES as u64 + 1;
            let count = (&mut self.reader).take(limit).read_until(b'\n', &mut text);
            if count.map_err(|e| self.unreadable(&e))? == 0 {
                self.ended = true;
                return if self.line == 0 { Err(self.empty()) } else { Ok(None) };
            }
            if text.trim_ascii().is_empty() {
                continue;
            }
            let first = self.line == 0;
            self.line += 1;
            return match json::parse(text.trim_ascii(), MAX_DOCUMENT_BYTES) {
                Ok(value) => {
                    let only = first && self.reader.fill_buf().is_ok_and(<[u8]>::is_empty);
                    let place = if only {
                        self.name.clone()
                    } else {
                        format!("{} line {}", self.name, self.line)
                    };
                    Ok(Some(Document { place, bytes: text.trim_ascii().to_vec(), value }))
                }
                // The first line alone is no document: then the whole file should be one.
                Err(_) if first => self.whole(text).map(Some),
                Err(error) => Err(self.malformed(Some(self.line), &error)),
            };
        }
    }

    fn whole(&mut self, mut text: Vec<u8>) -> Result<Document, Failure> {
        self.ended = true;
        let limit = (MAX_DOCUMENT_BYTES + 1).saturating_sub(text.len()) as u64;
        let read = (&mut self.reader).take(limit).read_to_end(&mut text);
        read.map_err(|e| self.unreadable(&e))?;
        let bytes = text.trim_ascii().to_vec();
        let value =
            json::parse(&bytes, MAX_DOCUMENT_BYTES).map_err(|e| self.malformed(None, &e))?;
        Ok(Document { place: self.name.clone(), bytes, value })
    }

    fn unreadable(&self, error: &std::io::Error) -> Failure {
        Failure::undecided(format!("cannot read {}: {error}", self.name))
            .fix("check that it is the file you mean")
    }

    fn empty(&self) -> Failure {
        Failure::undecided(format!("expected JSON in {}, found nothing", self.name))
            .fix("check that it is the file you mean")
    }

    fn malformed(&self, line: Option<u64>, error: &json::JsonError) -> Failure {
        let place = line.map_or_else(String::new, |line| format!(" line {line}"));
        let fix = match error {
            json::JsonError::TooLarge { .. } => "check that it is the file you mean",
            _ => "a file holds one JSON document, or one on each line",
        };
        Failure::undecided(format!("{}{place}: {error}", self.name)).fix(fix)
    }
}

impl Iterator for Documents {
    type Item = Result<Document, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let document = self.next_document();
        self.ended |= document.is_err();
        document.transpose()
    }
}

/// Where the bundle about a subject lies when nothing else is said: `FILE.sigstore.json` for its
/// signature, `FILE.TYPE.sigstore.json` for an attestation. Nothing for what is not a path.
pub(crate) fn beside(subject: &SubjectArg, attestation: Option<&PredicateType>) -> Option<PathBuf> {
    let path = subject.path()?;
    // A trailing slash, `.` and `..` leave no name to put anything beside.
    let path: PathBuf = path.components().collect();
    let mut name = OsString::from(path.file_name()?);
    if let Some(predicate_type) = attestation {
        name.push(".");
        name.push(predicate_type.file_part());
    }
    name.push(".sigstore.json");
    Some(path.with_file_name(name))
}

/// Writes an answer as a whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write(
    destination: &Destination,
    bytes: &[u8],
    session: &mut Session,
) -> Result<(), Failure> {
    match destination {
        Destination::Registry => Ok(()),
        Destination::Stdout => {
            session.data(bytes);
            Ok(())
        }
        Destination::File(path) => {
            replace(path, bytes).map_err(|e| Failure::file("write", path, &e))
        }
    }
}

/// Replaces a file by way of a temporary one beside it, so that a reader sees the old or the new.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let special = std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
    if special {
        // A device or pipe, such as /dev/null, is written to and not replaced.
        return File::options().write(true).open(path)?.write_all(bytes);
    }
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".attestry-")
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(text: &str) -> Result<Vec<Document>, Failure> {
        let bytes = text.as_bytes().to_vec();
        let reader: Box<dyn Read + Send> = Box::new(std::io::Cursor::new(bytes));
        let reader = BufReader::new(reader);
        Documents { name: "f".to_owned(), reader, line: 0, ended: false }.collect()
    }

    #[test]
    fn reads_one_document_over_many_lines_or_one_on_each_line() {
        for (text, expected) in [
            ("{\"a\":\n1}\n", vec!["{\"a\":\n1}"]),
            ("{\"a\":1}", vec!["{\"a\":1}"]),
            ("\n{\"a\":1}\r\n\n{\"b\":2}\n", vec!["{\"a\":1}", "{\"b\":2}"]),
        ] {
            let found = documents(text).unwrap();
            let found: Vec<_> = found.iter().map(|d| d.bytes.as_slice()).collect();
            assert_eq!(found, expected.iter().map(|t| t.as_bytes()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn refuses_nothing_at_all_and_what_is_not_strict_json() {
        for text in ["", "\n\n", "{", "{\"a\":1,\"a\":2}", "{\"a\":1}\nx\n", "{}{}"] {
            assert!(documents(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_bundle_lies_beside_its_subject() {
        for (subject, expected) in [
            ("a/app.tgz", Some("a/app.tgz.sigstore.json")),
            ("dist/", Some("dist.sigstore.json")),
            (".", None),
            ("..", None),
            ("-", None),
        ] {
            let found = beside(&subject.parse().unwrap(), None);
            assert_eq!(found, expected.map(PathBuf::from), "{subject}");
        }
    }
}
