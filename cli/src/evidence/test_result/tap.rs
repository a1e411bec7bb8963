//! TAP, the Test Anything Protocol, versions 12, 13 and 14, with subtests.
//!
//! A subtest is indented by four spaces and followed by the test point that sums it up, which gives
//! it its name; or it stands in braces after that point, as tapjs writes it. All test points count,
//! at every depth. A plan that is missing or not met is a failure, as the specification says.

mod line;

use self::line::{Directive, Line, Plan, Point};
use super::lines::{Keep, Lines};
use super::{
    EXPECTED_TO_FAIL, HELD_NAME_BYTES, MAX_NAME_BYTES, Outcome, SKIPPED, TestRun, counted, quoted,
    too_much,
};
use crate::evidence::outline::{Outline, Shape};
use crate::evidence::{Fit, Format, ImportError, Imported, Report};

pub(super) const FORMAT: Format = Format {
    name: "tap",
    title: "TAP",
    media_type: "text/plain",
    becomes: Some("test-result"),
    remedy: "have the test runner write TAP 12, 13 or 14 again, to its end and without other output in it",
    fit,
    import,
};

/// How many spaces a subtest is indented by.
const INDENT: usize = 4;
/// How deep subtests may nest.
const MAX_DEPTH: usize = 32;

fn fit(outline: &Outline) -> Fit {
    // What tests print may stand before the first line, except where JSON lines are met as well.
    let lines = outline.head_text().lines().map(Line::of);
    let mut lines = lines.filter(|line| !matches!(line, Line::Blank | Line::Comment));
    let telling = |line: &Line<'_>| match line {
        Line::Version | Line::Plan(_) => true,
        Line::Point(point) => point.number.is_some(),
        _ => false,
    };
    let first = lines.next();
    match outline.shape {
        _ if first.as_ref().is_some_and(telling) => match outline.shape {
            Shape::Text | Shape::JsonLines(_) => Fit::Certain,
            _ => Fit::No,
        },
        Shape::Text if lines.any(|line| telling(&line)) => Fit::Certain,
        _ => Fit::No,
    }
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    report.read(|reader| {
        let mut lines = Lines::new(reader, Keep::Beginning);
        let mut document = Document::new(report);
        while !document.bailed_out
            && let Some(line) = lines.next().map_err(|e| report.unreadable(e))?
        {
            let text = match std::str::from_utf8(line.bytes) {
                Ok(text) => text,
                // Where it was cut, or what a test printed; a test point is not passed over.
                Err(error) => {
                    let valid = line.bytes.get(..error.valid_up_to()).unwrap_or_default();
                    let valid = std::str::from_utf8(valid).unwrap_or_default();
                    if !line.cut && matches!(Line::of(valid.trim_start()), Line::Point(_)) {
                        let found = format!("line {}, which is not", line.number);
                        return Err(report.malformed("test points in UTF-8", found));
                    }
                    valid
                }
            };
            document.line(text, line.number, line.cut)?;
        }
        document.finish()
    })
}

/// What is known of the report so far.
struct Document<'r> {
    report: &'r Report,
    run: TestRun,
    warnings: Vec<String>,
    /// The document, and the subtests that are open, the outermost first.
    levels: Vec<Level>,
    /// A YAML block that is open: how deep it is indented, and the line in which it began.
    yaml: Option<(usize, u64)>,
    /// At which depth the last line of TAP was a test point, if it was one.
    after_point: Option<usize>,
    /// Whether anything was TAP.
    any: bool,
    /// Whether a backslash escapes a backslash: from version 13 on, the first to have a version line.
    escapes: bool,
    bailed_out: bool,
    /// What the names of open subtests cost.
    held_bytes: usize,
}

/// The document, or a subtest.
#[derive(Debug, Default)]
struct Level {
    plan: Option<Plan>,
    points: u64,
    highest: u64,
    /// The points of a subtest, which have no whole names before the subtest has one.
    waiting: Vec<(Outcome, String)>,
    /// The last point.
    last: Option<Sum>,
    /// Whether the subtest of the last point follows it in braces.
    braces: bool,
    /// What is wrong with the plans of subtests.
    fault: Option<String>,
}

/// The test point that sums a subtest up.
#[derive(Debug, Clone)]
struct Sum {
    name: String,
    /// Why the subtest may fail.
    excuse: Option<&'static str>,
}

impl Level {
    /// What is wrong with its plan, or with those of its subtests.
    fn fault(&self) -> Option<String> {
        let Self { points, highest, .. } = self;
        match self.plan {
            Some(plan) if plan.tests() != *points => {
                let planned = counted(plan.tests(), "test");
                Some(format!("planned {planned} but lists {points}"))
            }
            Some(Plan { first, last }) if *highest > last => {
                Some(format!("test {highest} is not in the plan of {first} to {last}"))
            }
            _ => self.fault.clone(),
        }
    }
}

impl<'r> Document<'r> {
    fn new(report: &'r Report) -> Self {
        Self {
            report,
            run: TestRun::default(),
            warnings: Vec::new(),
            levels: Vec::new(),
            yaml: None,
            after_point: None,
            any: false,
            escapes: false,
            bailed_out: false,
            held_bytes: 0,
        }
    }

    fn line(&mut self, text: &str, number: u64, cut: bool) -> Result<(), ImportError> {
        let body = text.trim_start_matches(' ');
        let indent = text.len() - body.len();
        let line = Line::of(body);
        if self.is_yaml(&line, indent, number) || !indent.is_multiple_of(INDENT) {
            return Ok(());
        }
        let depth = indent / INDENT;
        match line {
            Line::Version if depth == 0 => self.version()?,
            Line::Plan(plan) => self.plan(depth, plan, number)?,
            Line::Point(_) if cut => {
                return Err(too_much(self.report, "bytes in the line of a test", text.len()));
            }
            Line::Point(point) => {
                self.point(depth, &point, number)?;
                self.after_point = Some(depth);
                return Ok(());
            }
            Line::BailOut(why) => {
                (self.any, self.bailed_out) = (true, true);
                let colon = if why.is_empty() { "" } else { ": " };
                self.warnings.push(format!("bailed out{colon}{}", quoted(why)));
            }
            Line::Brace if self.after_point == Some(depth) => {
                if let Some(level) = self.levels.get_mut(depth) {
                    level.braces = true;
                }
            }
            Line::BraceEnd => {
                let level = self.levels.get_mut(depth).filter(|level| level.braces);
                if let Some(sum) = level.and_then(|level| level.last.take()) {
                    self.close_to(depth, Some(&sum))?;
                }
            }
            // Comments, and what tests print, may stand anywhere.
            _ => return Ok(()),
        }
        self.after_point = None;
        Ok(())
    }

    /// Whether a line is of a YAML block, which may stand after a test point, indented further.
    fn is_yaml(&mut self, line: &Line<'_>, indent: usize, number: u64) -> bool {
        if let Some((block, _)) = self.yaml {
            if *line == Line::YamlEnd && indent == block {
                self.yaml = None;
                return true;
            }
            if indent >= block || *line == Line::Blank {
                return true;
            }
            // It was none, or its end is missing.
            self.yaml = None;
        }
        let starts = *line == Line::YamlStart
            && self.after_point.is_some_and(|depth| indent > depth * INDENT);
        if starts {
            self.yaml = Some((indent, number));
        }
        starts
    }

    /// A further version line begins a further document, as when files are put together.
    fn version(&mut self) -> Result<(), ImportError> {
        self.end_of_document()?;
        (self.any, self.escapes) = (true, true);
        Ok(())
    }

    /// The level at a depth; opens it, and those above it, where they are not.
    fn level(&mut self, depth: usize, number: u64) -> Result<&mut Level, ImportError> {
        self.any = true;
        if depth > MAX_DEPTH {
            let found = format!("deeper ones in line {number}");
            return Err(self.report.malformed(format!("at most {MAX_DEPTH} subtests deep"), found));
        }
        if self.levels.len() <= depth {
            self.levels.resize_with(depth + 1, Level::default);
        }
        Ok(self.levels.get_mut(depth).expect("the levels reach to this depth"))
    }

    fn plan(&mut self, depth: usize, plan: Plan, number: u64) -> Result<(), ImportError> {
        let level = self.level(depth, number)?;
        if level.plan.replace(plan).is_some() {
            return Err(self.report.malformed("one plan", format!("another in line {number}")));
        }
        Ok(())
    }

    fn point(&mut self, depth: usize, point: &Point<'_>, number: u64) -> Result<(), ImportError> {
        let escapes = self.escapes;
        let level = self.level(depth, number)?;
        level.points += 1;
        let own_number = point.number.unwrap_or(level.points);
        level.highest = level.highest.max(own_number);
        let name = match point.name(escapes) {
            name if name.is_empty() => own_number.to_string(),
            name => name,
        };
        // A point with either directive is no failure, whatever it says.
        let excuse = point.directive.map(|directive| match directive {
            Directive::Skip => SKIPPED,
            Directive::Todo => EXPECTED_TO_FAIL,
        });
        let outcome = match (excuse, point.ok) {
            (Some(reason), _) => Outcome::Warned(reason),
            (None, true) => Outcome::Passed,
            (None, false) => Outcome::Failed,
        };
        let sum = Sum { name: name.clone(), excuse };
        self.close_to(depth, Some(&sum))?;
        self.list(depth, outcome, name)?;
        let name = sum.name.strip_suffix(" {").unwrap_or(&sum.name).to_owned();
        let level = self.level(depth, number)?;
        level.braces = point.braces;
        level.last = Some(Sum { name, ..sum });
        Ok(())
    }

    /// Lists a test, or lets it wait for the name of its subtest.
    fn list(&mut self, depth: usize, outcome: Outcome, name: String) -> Result<(), ImportError> {
        let Some(level) = self.levels.get_mut(depth).filter(|_| depth > 0) else {
            return self.run.add(self.report, outcome, "", &name);
        };
        self.held_bytes += name.len() + HELD_NAME_BYTES;
        if self.held_bytes > MAX_NAME_BYTES {
            return Err(too_much(self.report, "bytes of names in one subtest", MAX_NAME_BYTES));
        }
        level.waiting.push((outcome, name));
        Ok(())
    }

    /// Closes the subtests below `depth`, of which `sum` sums the outermost up.
    fn close_to(&mut self, depth: usize, sum: Option<&Sum>) -> Result<(), ImportError> {
        while self.levels.len() > depth + 1 {
            let Some(subtest) = self.levels.pop() else { break };
            let parent_depth = self.levels.len() - 1;
            let sum = sum.filter(|_| parent_depth == depth);
            let excuse = sum.and_then(|sum| sum.excuse);
            if let Some(parent) = self.levels.last_mut()
                && excuse.is_none()
                && parent.fault.is_none()
            {
                parent.fault = subtest.fault().map(|fault| match sum {
                    Some(sum) => format!("{}: {fault}", quoted(&sum.name)),
                    None => fault,
                });
            }
            for (outcome, name) in subtest.waiting {
                self.held_bytes = self.held_bytes.saturating_sub(name.len() + HELD_NAME_BYTES);
                let outcome = match (outcome, excuse) {
                    (Outcome::Failed, Some(reason)) => Outcome::Warned(reason),
                    _ => outcome,
                };
                let name = match sum {
                    Some(sum) => format!("{} > {name}", sum.name),
                    None => name,
                };
                self.list(parent_depth, outcome, name)?;
            }
        }
        Ok(())
    }

    /// Closes a document and looks whether its plan was met. A document that bailed out has failed
    /// whatever its plan.
    fn end_of_document(&mut self) -> Result<(), ImportError> {
        let open = self.levels.len() > 1;
        self.close_to(0, None)?;
        self.after_point = None;
        let Some(document) = self.levels.pop() else { return Ok(()) };
        let missing = document.plan.is_none() && document.points > 0;
        let fault = document.fault().or_else(|| {
            let open = open.then(|| "ends within a subtest".to_owned());
            open.or_else(|| missing.then(|| "has no plan to tell whether all tests ran".to_owned()))
        });
        if let Some(fault) = fault.filter(|_| !self.bailed_out) {
            self.run.fail();
            self.warnings.push(fault);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Imported, ImportError> {
        if let Some((_, number)) = self.yaml {
            let expected = format!("an end of the YAML block of line {number}");
            return Err(self.report.malformed(expected, "the end of the report"));
        }
        self.end_of_document()?;
        if !self.any {
            return Err(self.report.malformed("TAP", "no version, plan or test point"));
        }
        if self.bailed_out {
            self.run.fail();
        }
        self.run.imported(self.report, self.warnings)
    }
}

#[cfg(test)]
mod tests;
