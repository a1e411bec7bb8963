//! A report: a file, or stdin, that is read more than once and must stay the same.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::SystemTime;

use attestry_schemas::digest::Sha256;
use attestry_schemas::predicate::UtcTime;
use sha2::Digest as _;

use super::ImportError;
use super::outline::{self, Outline};
use crate::progress::{Progress, Unit};

/// How many bytes are read at a time.
const BLOCK_BYTES: usize = 256 * 1024;

/// A report whose digest and outline are known.
pub(crate) struct Report {
    name: String,
    source: Source,
    bytes: u64,
    sha256: Sha256,
    outline: Outline,
    /// When the file was last written.
    written: Option<UtcTime>,
    /// Whether somebody named its format or type.
    insisted_on: Cell<bool>,
    progress: RefCell<Progress>,
}

/// Where the bytes are.
enum Source {
    File(File),
    Memory(Vec<u8>),
}

impl Report {
    /// Reads `file` once: its digest and its outline. `name` is how the report is told of, and
    /// named in predicates.
    ///
    /// # Errors
    /// [`ImportError::Unreadable`], or [`ImportError::Malformed`] for what begins as JSON or XML and is
    /// not.
    pub(crate) fn of_file(name: &str, file: File, progress: Progress) -> Result<Self, ImportError> {
        let written = file
            .metadata()
            .and_then(|metadata| metadata.modified())
            .ok()
            .and_then(|moment: SystemTime| jiff::Timestamp::try_from(moment).ok())
            .map(UtcTime::from);
        let progress = RefCell::new(progress);
        Self::of_source(name, Source::File(file), written, progress)
    }

    /// Reads what came on stdin, which has no time of its own.
    ///
    /// # Errors
    /// As [`Report::of_file`].
    pub(crate) fn of_stdin(file: File, progress: Progress) -> Result<Self, ImportError> {
        Self::of_source("stdin", Source::File(file), None, RefCell::new(progress))
    }

    /// A report that is in memory.
    ///
    /// # Errors
    /// As [`Report::of_file`].
    pub(crate) fn of_memory(name: &str, bytes: Vec<u8>) -> Result<Self, ImportError> {
        Self::of_source(
            name,
            Source::Memory(bytes),
            None,
            RefCell::new(Progress::hidden(Unit::Bytes)),
        )
    }

    /// A report for a test, with an outline of nothing when it is malformed.
    #[cfg(test)]
    pub(crate) fn of_bytes(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref().to_vec();
        Self::of_memory(name, bytes.clone()).unwrap_or_else(|_| Self {
            name: name.to_owned(),
            bytes: bytes.len() as u64,
            sha256: Sha256::of(&bytes),
            source: Source::Memory(bytes),
            outline: Outline::default(),
            written: None,
            insisted_on: Cell::new(false),
            progress: RefCell::new(Progress::hidden(Unit::Bytes)),
        })
    }

    fn of_source(
        name: &str,
        source: Source,
        written: Option<UtcTime>,
        progress: RefCell<Progress>,
    ) -> Result<Self, ImportError> {
        let mut report = Self {
            name: name.to_owned(),
            source,
            bytes: 0,
            sha256: Sha256([0; 32]),
            outline: Outline::default(),
            written,
            insisted_on: Cell::new(false),
            progress,
        };
        let (outline, sha256, bytes) = report.pass(|reader| outline::take(reader, name))?;
        (report.outline, report.sha256, report.bytes) = (outline, sha256, bytes);
        Ok(report)
    }

    /// How the report is told of: the file's own name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The digest of its bytes.
    pub(crate) fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// How many bytes it has.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The report as a file of its own, to be sent: the file itself, or a copy of what is in memory.
    ///
    /// # Errors
    /// [`ImportError::Unreadable`].
    pub(crate) fn file(&self) -> Result<File, ImportError> {
        let copy = || match &self.source {
            Source::File(file) => file.try_clone(),
            Source::Memory(bytes) => {
                let mut file = tempfile::tempfile()?;
                file.write_all(bytes)?;
                Ok(file)
            }
        };
        copy().map_err(|e| self.unreadable(e))
    }

    /// What it looks like.
    pub(crate) fn outline(&self) -> &Outline {
        &self.outline
    }

    /// When the file was last written, where it is a file.
    pub(crate) fn written(&self) -> Option<UtcTime> {
        self.written
    }

    /// Notes that somebody named the format or the type: an importer may then leave out what the
    /// report holds beside it, where it would else refuse to choose.
    pub(crate) fn insist(&self) {
        self.insisted_on.set(true);
    }

    /// Whether somebody named the format or the type.
    pub(crate) fn is_insisted_on(&self) -> bool {
        self.insisted_on.get()
    }

    /// Reads the report from its beginning. What `read` leaves is read, too, because the whole
    /// report must still have its digest.
    ///
    /// # Errors
    /// Those of `read`, else [`ImportError::Unreadable`] and [`ImportError::Changed`].
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&mut dyn BufRead) -> Result<T, ImportError>,
    ) -> Result<T, ImportError> {
        let (value, sha256, _) = self.pass(read)?;
        if sha256 == self.sha256 {
            Ok(value)
        } else {
            Err(ImportError::Changed { name: self.name.clone() })
        }
    }

    /// The error that the report cannot be read.
    pub(crate) fn unreadable(&self, source: std::io::Error) -> ImportError {
        ImportError::Unreadable { name: self.name.clone(), source }
    }

    /// The error that the report is not what its format says.
    pub(crate) fn malformed(
        &self,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> ImportError {
        ImportError::malformed(&self.name, expected, found)
    }

    /// The error that the report, as a whole, looks like something else.
    pub(crate) fn unlike(&self, expected: &str) -> ImportError {
        self.malformed(expected, self.outline.describe())
    }

    fn pass<T>(
        &self,
        read: impl FnOnce(&mut dyn BufRead) -> Result<T, ImportError>,
    ) -> Result<(T, Sha256, u64), ImportError> {
        let inner: Box<dyn Read + '_> = match &self.source {
            Source::File(file) => {
                let mut file = file;
                file.seek(SeekFrom::Start(0)).map_err(|e| self.unreadable(e))?;
                Box::new(file)
            }
            Source::Memory(bytes) => Box::new(Cursor::new(bytes.as_slice())),
        };
        let hashing =
            Hashing { inner, hasher: sha2::Sha256::new(), bytes: 0, progress: &self.progress };
        let mut reader = BufReader::with_capacity(BLOCK_BYTES, hashing);
        let value = read(&mut reader)?;
        std::io::copy(&mut reader, &mut std::io::sink()).map_err(|e| self.unreadable(e))?;
        let Hashing { hasher, bytes, .. } = reader.into_inner();
        Ok((value, Sha256(hasher.finalize().into()), bytes))
    }
}

impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, bytes, .. } = self;
        f.debug_struct("Report").field("name", name).field("bytes", bytes).finish_non_exhaustive()
    }
}

/// Opens a report by its path.
///
/// # Errors
/// As [`Report::of_file`].
pub(crate) fn open(path: &Path) -> Result<File, ImportError> {
    File::open(path)
        .map_err(|source| ImportError::Unreadable { name: path.display().to_string(), source })
}

/// Hashes and counts what is read.
struct Hashing<'a> {
    inner: Box<dyn Read + 'a>,
    hasher: sha2::Sha256,
    bytes: u64,
    progress: &'a RefCell<Progress>,
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        self.progress.borrow_mut().advance(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_same_bytes_as_often_as_it_is_asked() {
        let report = Report::of_bytes("r", "[1]");
        for _ in 0..2 {
            let mut text = String::new();
            let read = report.read(|reader| Ok(reader.read_to_string(&mut text).unwrap()));
            assert_eq!((read.unwrap(), text.as_str()), (3, "[1]"));
        }
        assert_eq!((report.sha256(), report.bytes()), (Sha256::of(b"[1]"), 3));
    }

    #[test]
    fn sees_that_the_file_changed_even_where_the_importer_did_not_look() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"[1]").unwrap();
        let again = file.try_clone().unwrap();
        let report = Report::of_file("r", file, Progress::hidden(Unit::Bytes)).unwrap();
        assert!(report.read(|_| Ok(())).is_ok());
        (&again).write_all(b" ").unwrap();
        assert!(matches!(report.read(|_| Ok(())), Err(ImportError::Changed { .. })));
    }
}
