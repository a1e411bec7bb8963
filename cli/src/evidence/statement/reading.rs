//! Files of one JSON document, or of one on each line.

use std::rc::Rc;

use attestry_schemas::bundle::MAX_BUNDLE_BYTES;
use attestry_schemas::digest::Digest;
use attestry_schemas::predicate::UtcTime;
use attestry_schemas::statement::ResourceDescriptor;
use serde_json::Value;

use crate::evidence::outline::Shape;
use crate::evidence::{
    Evidence, ImportError, Imported, Product, Report, Supplement, Totals, document,
};
use crate::output::{Exit, Remedy as _};

/// The most bytes of a file that are read: it is kept as a whole, because its parts are signed as
/// they are.
const MAX_BYTES: usize = 32 << 20;
/// The most documents of one file.
const MAX_DOCUMENTS: usize = 1_024;

const _: () = assert!(MAX_BYTES >= MAX_BUNDLE_BYTES);

/// One document.
pub(super) struct Document<'r> {
    pub(super) report: &'r Report,
    /// Where it stands, where the file has several: `line 2`.
    pub(super) place: Option<String>,
    /// Its exact bytes.
    pub(super) bytes: &'r [u8],
    pub(super) value: Value,
}

impl Document<'_> {
    /// The error that something else was found than what was expected.
    pub(super) fn malformed(&self, expected: &str, found: impl ToString) -> ImportError {
        self.placed(document::malformed(self.report, expected, found))
    }

    /// The error with the place of this document.
    pub(super) fn placed(&self, error: ImportError) -> ImportError {
        match (error, &self.place) {
            (ImportError::Malformed { name, expected, found, remedy }, Some(place)) => {
                let found = format!("in {place} {found}");
                ImportError::Malformed { name, expected, found, remedy }
            }
            (error, _) => error,
        }
    }

    /// The name of the report, and the place of the document in it.
    pub(super) fn name(&self) -> String {
        match &self.place {
            Some(place) => format!("{} {place}", self.report.name()),
            None => self.report.name().to_owned(),
        }
    }
}

/// Reads each document of a report as the evidence that it is.
///
/// # Errors
/// [`ImportError::TooMuch`], [`ImportError::Malformed`], and those of `read`.
pub(super) fn each(
    report: &Report,
    expected: &str,
    read: impl Fn(Document<'_>) -> Result<Vec<Box<dyn Evidence>>, ImportError>,
) -> Result<Imported, ImportError> {
    let bytes = document::bytes(report, MAX_BYTES)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut imported = Imported { evidence: Vec::new(), warnings: Vec::new(), redacted: None };
    if !matches!(report.outline().shape, Shape::JsonLines(_)) {
        let value = document::parse(report, bytes, expected)?;
        imported.evidence = among(read(Document { report, place: None, bytes, value })?);
        return Ok(imported);
    }
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).zip(1_usize..);
    for (bytes, number) in lines.filter(|(line, _)| !line.is_empty()) {
        let mut document =
            Document { report, place: Some(format!("line {number}")), bytes, value: Value::Null };
        let value = document::parse(report, bytes, expected);
        document.value = value.map_err(|error| document.placed(error))?;
        imported.evidence.extend(read(document)?);
        if imported.evidence.len() > MAX_DOCUMENTS {
            let (name, what) = (report.name().to_owned(), "documents");
            return Err(ImportError::TooMuch { name, what, limit: MAX_DOCUMENTS });
        }
    }
    imported.evidence = among(imported.evidence);
    Ok(imported)
}

/// One of several documents of a report. What is missing for one, such as a key, is told only when
/// none of the others is refused: a document that was changed must not go unnoticed.
#[derive(Debug)]
struct Among {
    all: Rc<[Box<dyn Evidence>]>,
    index: usize,
}

fn among(all: Vec<Box<dyn Evidence>>) -> Vec<Box<dyn Evidence>> {
    if all.len() < 2 {
        return all;
    }
    let all: Rc<[Box<dyn Evidence>]> = all.into();
    let one = |index| Box::new(Among { all: Rc::clone(&all), index }) as Box<dyn Evidence>;
    (0..all.len()).map(one).collect()
}

impl Among {
    fn own(&self) -> &dyn Evidence {
        self.all.get(self.index).expect("there is one of each index").as_ref()
    }
}

impl Evidence for Among {
    fn product(
        &self,
        report: &Report,
        original: &ResourceDescriptor,
        supplement: &Supplement,
    ) -> Result<Product, ImportError> {
        let missing = match self.own().product(report, original, supplement) {
            Err(error) if error.exit() != Exit::Refused => error,
            made => return made,
        };
        let refusal = |other: &dyn Evidence| {
            let refused = other.product(report, original, supplement).err();
            refused.filter(|error| error.exit() == Exit::Refused)
        };
        Err(self.all.iter().map(AsRef::as_ref).find_map(refusal).unwrap_or(missing))
    }

    fn totals(&self) -> Totals {
        self.own().totals()
    }

    fn tool(&self) -> Option<String> {
        self.own().tool()
    }

    fn about(&self) -> &[Digest] {
        self.own().about()
    }

    fn looked_at(&self) -> &[Digest] {
        self.own().looked_at()
    }

    fn stated_time(&self) -> Option<UtcTime> {
        self.own().stated_time()
    }

    fn predicate_type(&self) -> Option<&str> {
        self.own().predicate_type()
    }
}
