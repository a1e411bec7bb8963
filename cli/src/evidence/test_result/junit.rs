//! JUnit XML, as pytest, nextest, Surefire, gotestsum, jest and many others write it.
//!
//! There is no specification. What is read is what these tools have in common: `testsuite` and
//! `testsuites`, nested as they like, with the counts that they state; `testcase` with a name; and
//! in it what happened, where Surefire's schema (`surefire-test-report.xsd`) knows more than the
//! others. Names count without their prefixes. Entities of a document type are not expanded.

mod markup;

use std::io::BufReader;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use self::markup::{Markup, Refused};
use super::{CUT, FLAKY, Outcome, SKIPPED, TestRun, counted, quoted};
use crate::evidence::error::WELL_FORMED_XML;
use crate::evidence::outline::Outline;
use crate::evidence::{Fit, Format, ImportError, Imported, Report};

pub(super) const FORMAT: Format = Format {
    name: "junit",
    title: "JUnit XML",
    media_type: "application/xml",
    becomes: Some("test-result"),
    remedy: "have the test runner write JUnit XML again, in UTF-8: testcase elements with a name, in testsuite elements",
    fit,
    import,
};

/// The names of the root element.
const ROOTS: &[&str] = &["testsuites", "testsuite"];
/// What the report is expected to be.
const EXPECTED: &str = "JUnit XML";
/// What mends a document type that declares something.
const UNDECLARED: &str = "remove what stands from [ to ] in <!DOCTYPE …>, or all of it: a report of tests needs no entities, and they are not expanded";
/// How deep elements may nest.
const MAX_DEPTH: usize = 256;
/// How many attributes one element may have.
const MAX_ATTRIBUTES: usize = 256;

fn fit(outline: &Outline) -> Fit {
    outline.xml_root().is_some_and(|root| ROOTS.contains(&root)).into()
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    report.read(|reader| {
        let beginning = reader.fill_buf().map_err(|e| report.unreadable(e))?;
        if [b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<"].iter().any(|two| beginning.starts_with(*two))
        {
            return Err(report.malformed("a report in UTF-8", "one in UTF-16"));
        }
        if beginning.starts_with(b"\xef\xbb\xbf") {
            reader.consume(3);
        }
        let mut xml = quick_xml::Reader::from_reader(BufReader::new(Markup::new(reader)));
        xml.config_mut().expand_empty_elements = true;
        let mut document = Document::new(report);
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            let event = xml.read_event_into(&mut buffer);
            document.line = xml.get_ref().get_ref().line();
            match event.map_err(|error| document.ill_formed(&error))? {
                Event::Decl(declaration) => document.declared(&declaration.encoding()),
                Event::Start(tag) => document.opened(&tag)?,
                Event::End(_) => document.closed()?,
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => document.text()?,
                Event::Eof => break,
                Event::Empty(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        document.finish()
    })
}

/// How many tests there are of each kind.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    tests: u64,
    /// Failures and errors, which tools part differently.
    failed: u64,
    skipped: u64,
}

/// An element that is open.
#[derive(Debug)]
enum Open {
    /// `testsuites` or `testsuite`.
    Suite(Suite),
    Case(Case),
    /// What says nothing that is kept.
    Other,
}

#[derive(Debug)]
struct Suite {
    name: String,
    /// What it says that it holds, as far as it does.
    tests: Option<u64>,
    failed: Option<u64>,
    skipped: Option<u64>,
    /// What was listed before it began.
    before: Counts,
}

#[derive(Debug, Default)]
struct Case {
    class: String,
    name: String,
    failed: bool,
    skipped: bool,
    flaky: bool,
}

impl Suite {
    /// What it states differently from what it lists.
    fn difference(&self, listed: Counts) -> Option<String> {
        let parts = [
            (self.tests, listed.tests, "test"),
            (self.failed, listed.failed, "failed test"),
            (self.skipped, listed.skipped, "skipped test"),
        ];
        let differing: Vec<String> = parts
            .into_iter()
            .filter_map(|(stated, listed, what)| {
                let stated = stated.filter(|stated| *stated != listed)?;
                Some(format!("states {} but lists {listed}", counted(stated, what)))
            })
            .collect();
        (!differing.is_empty()).then(|| differing.join(", "))
    }
}

/// What is known of the report so far.
struct Document<'r> {
    report: &'r Report,
    run: TestRun,
    /// The elements that are open, the outermost first.
    open: Vec<Open>,
    has_root: bool,
    listed: Counts,
    /// How the whole report differs from what it states.
    difference: Option<String>,
    /// How many suites in it do, and how the first.
    suites_differing: u64,
    first_differing: Option<String>,
    /// The encoding that it is said to be in, where that is not UTF-8.
    other_encoding: Option<String>,
    /// The line of the tag that was read last.
    line: u64,
}

impl<'r> Document<'r> {
    fn new(report: &'r Report) -> Self {
        Self {
            report,
            run: TestRun::default(),
            open: Vec::new(),
            has_root: false,
            listed: Counts::default(),
            difference: None,
            suites_differing: 0,
            first_differing: None,
            other_encoding: None,
            line: 1,
        }
    }

    fn malformed(&self, expected: &str, found: impl std::fmt::Display) -> ImportError {
        self.report.malformed(expected, format!("{found} in line {}", self.line))
    }

    fn ill_formed(&self, error: &quick_xml::Error) -> ImportError {
        match error {
            quick_xml::Error::Io(source) => {
                match source.get_ref().and_then(|inner| inner.downcast_ref::<Refused>()) {
                    Some(Refused::Declarations) => self
                        .malformed("a document type without declarations of its own", "[")
                        .with_remedy(UNDECLARED),
                    Some(refused) => self.malformed(EXPECTED, refused),
                    None => self.report.unreadable(source.kind().into()),
                }
            }
            quick_xml::Error::Encoding(_) => {
                let said = match &self.other_encoding {
                    Some(encoding) => format!(", as it says that it is in {}", quoted(encoding)),
                    None => String::new(),
                };
                self.malformed("a report in UTF-8", format_args!("other bytes{said}"))
            }
            error => self.malformed(WELL_FORMED_XML, quoted(&error.to_string())),
        }
    }

    fn declared(&mut self, encoding: &Option<Result<std::borrow::Cow<'_, str>, impl Sized>>) {
        if let Some(Ok(encoding)) = encoding {
            let known = ["utf-8", "utf8", "us-ascii", "ascii"];
            if !known.iter().any(|known| encoding.eq_ignore_ascii_case(known)) {
                self.other_encoding = Some(encoding.clone().into_owned());
            }
        }
    }

    /// There is text, or a CDATA section.
    fn text(&self) -> Result<(), ImportError> {
        match self.open.is_empty() {
            true => Err(self.malformed("nothing beside the root element", "text")),
            false => Ok(()),
        }
    }

    fn opened(&mut self, tag: &BytesStart<'_>) -> Result<(), ImportError> {
        if self.open.len() >= MAX_DEPTH {
            let expected = format!("elements at most {MAX_DEPTH} deep");
            return Err(self.malformed(&expected, "deeper ones"));
        }
        let name = tag.local_name();
        let name = name.as_ref();
        if self.open.is_empty() {
            if !ROOTS.contains(&name) {
                let expected = "a root element testsuites or testsuite";
                return Err(self.malformed(expected, quoted(name)));
            }
            if std::mem::replace(&mut self.has_root, true) {
                return Err(self.malformed("one root element", "another"));
            }
        }
        let element = match (name, self.open.last_mut()) {
            ("testsuites" | "testsuite", _) => Open::Suite(self.suite(tag)?),
            ("testcase", _) => {
                if self.open.iter().any(|open| matches!(open, Open::Case(_))) {
                    return Err(self.malformed("an end of the testcase", "another testcase"));
                }
                Open::Case(self.case(tag)?)
            }
            // Surefire writes what failed at last, and what failed again, side by side; nextest, too.
            ("failure" | "error" | "rerunFailure" | "rerunError", Some(Open::Case(case))) => {
                case.failed = true;
                Open::Other
            }
            ("skipped" | "ignored" | "disabled", Some(Open::Case(case))) => {
                case.skipped = true;
                Open::Other
            }
            ("flakyFailure" | "flakyError", Some(Open::Case(case))) => {
                case.flaky = true;
                Open::Other
            }
            ("failure" | "error", Some(Open::Suite(suite))) => {
                let name = suite.name.clone();
                self.suite_failed(&name)?;
                Open::Other
            }
            _ => Open::Other,
        };
        self.open.push(element);
        Ok(())
    }

    /// A suite failed itself, not in a test of it.
    fn suite_failed(&mut self, name: &str) -> Result<(), ImportError> {
        self.listed.failed += 1;
        if name.is_empty() {
            self.run.fail();
            return Ok(());
        }
        self.run.add(self.report, Outcome::Failed, name, "")
    }

    fn suite(&self, tag: &BytesStart<'_>) -> Result<Suite, ImportError> {
        let mut suite = Suite {
            name: String::new(),
            tests: None,
            failed: None,
            skipped: None,
            before: self.listed,
        };
        self.attributes(tag, |name, value| {
            let count = match name {
                "name" => {
                    suite.name = value;
                    return;
                }
                "tests" => &mut suite.tests,
                "failures" | "errors" => &mut suite.failed,
                "skipped" | "disabled" | "ignored" => &mut suite.skipped,
                _ => return,
            };
            // A count that is none is not stated.
            if let Ok(value) = value.trim().parse::<u64>() {
                *count = Some(count.unwrap_or_default().saturating_add(value));
            }
        })?;
        Ok(suite)
    }

    fn case(&self, tag: &BytesStart<'_>) -> Result<Case, ImportError> {
        let mut case = Case::default();
        let mut named = false;
        self.attributes(tag, |name, value| match name {
            "name" => (case.name, named) = (value, true),
            "classname" => (case.class, named) = (value, true),
            // googletest, CTest and others say it here, some of them only here.
            "status" | "result" => match value.trim().to_ascii_lowercase().as_str() {
                "fail" | "failed" | "failure" | "error" => case.failed = true,
                "notrun" | "disabled" | "skipped" | "ignored" | "suppressed" => case.skipped = true,
                _ => {}
            },
            _ => {}
        })?;
        if !named {
            return Err(self.malformed("a testcase with a name", "one without"));
        }
        if self.other_encoding.is_some() && !(case.name.is_ascii() && case.class.is_ascii()) {
            let encoding = self.other_encoding.as_deref().unwrap_or_default();
            let found = format!("a name in what it says is {}", quoted(encoding));
            return Err(self.malformed("a report in UTF-8", found));
        }
        Ok(case)
    }

    /// Gives the attributes of a tag that have no prefix, unescaped. A value that was cut is given
    /// as it is, because the cut may part an escape.
    fn attributes(
        &self,
        tag: &BytesStart<'_>,
        mut each: impl FnMut(&str, String),
    ) -> Result<(), ImportError> {
        const READ: &[&str] = &[
            "name",
            "classname",
            "status",
            "result",
            "tests",
            "failures",
            "errors",
            "skipped",
            "disabled",
            "ignored",
        ];
        for (count, attribute) in tag.attributes().enumerate() {
            if count >= MAX_ATTRIBUTES {
                let expected = format!("at most {MAX_ATTRIBUTES} attributes");
                return Err(self.malformed(&expected, "more"));
            }
            let attribute = attribute.map_err(|error| self.ill_formed(&error.into()))?;
            let name = attribute.key.as_ref();
            if !READ.contains(&name) {
                continue;
            }
            let value = if attribute.value.ends_with(CUT) {
                attribute.value
            } else {
                attribute
                    .normalized_value(XmlVersion::Implicit1_0)
                    .map_err(|error| self.ill_formed(&error))?
            };
            each(name, value.into_owned());
        }
        Ok(())
    }

    fn closed(&mut self) -> Result<(), ImportError> {
        match self.open.pop() {
            Some(Open::Case(case)) => self.case_closed(&case),
            Some(Open::Suite(suite)) => {
                self.suite_closed(&suite);
                Ok(())
            }
            Some(Open::Other) | None => Ok(()),
        }
    }

    fn case_closed(&mut self, case: &Case) -> Result<(), ImportError> {
        self.listed.tests += 1;
        self.listed.failed += u64::from(case.failed);
        self.listed.skipped += u64::from(case.skipped && !case.failed);
        let outcome = match case {
            Case { failed: true, .. } => Outcome::Failed,
            Case { skipped: true, .. } => Outcome::Warned(SKIPPED),
            Case { flaky: true, .. } => Outcome::Warned(FLAKY),
            _ => Outcome::Passed,
        };
        self.run.add(self.report, outcome, &case.class, &case.name)
    }

    fn suite_closed(&mut self, suite: &Suite) {
        // What a suite counts and does not list failed all the same.
        if suite.failed.is_some_and(|failed| failed > 0) {
            self.run.fail();
        }
        let Counts { tests, failed, skipped } = self.listed;
        let listed = Counts {
            tests: tests - suite.before.tests,
            failed: failed - suite.before.failed,
            skipped: skipped - suite.before.skipped,
        };
        let Some(difference) = suite.difference(listed) else { return };
        if self.open.is_empty() {
            self.difference = Some(difference);
            return;
        }
        self.suites_differing += 1;
        self.first_differing
            .get_or_insert_with(|| format!("suite {} {difference}", quoted(&suite.name)));
    }

    fn finish(self) -> Result<Imported, ImportError> {
        if let Some(open) = self.open.last() {
            let expected = match open {
                Open::Case(_) => "an end of the testcase",
                Open::Suite(_) => "an end of the testsuite",
                Open::Other => "an end of the element",
            };
            return Err(self.malformed(expected, "the end of the report"));
        }
        if !self.has_root {
            return Err(self.malformed("a root element testsuites or testsuite", "none"));
        }
        let mut warnings = Vec::new();
        warnings.extend(self.difference.map(|difference| format!("the report {difference}")));
        warnings.extend(self.first_differing.map(|first| match self.suites_differing {
            1 => first,
            all => format!("{first}, and so does {} more", counted(all - 1, "suite")),
        }));
        self.run.imported(self.report, warnings)
    }
}

#[cfg(test)]
mod tests;
