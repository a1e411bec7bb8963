//! The lines of a report, of which each is kept only as far as it is needed.
//!
//! Test runners write what a test printed into one line with its result, however long. Of a line of
//! JSON the texts are shortened, so that the line stays JSON; of other lines the beginning is kept.

use std::io::{self, BufRead};

use serde::de::IgnoredAny;

use super::{CUT, ImportError, MAX_TEXT_BYTES, Report, counted};

/// How many bytes of one line are kept.
const MAX_LINE_BYTES: usize = 256 * 1024;

/// What is kept of a line that is long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Its beginning.
    Beginning,
    /// All of it but the ends of long JSON texts.
    ShortTexts,
}

/// The lines of a reader.
pub(super) struct Lines<'a> {
    reader: &'a mut dyn BufRead,
    keep: Keep,
    number: u64,
    buffer: Vec<u8>,
}

/// One line.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: u64,
    /// What is kept of it, without the line feed. A JSON text that was shortened ends with [`CUT`].
    pub(super) bytes: &'a [u8],
    /// Whether a line feed ended it.
    pub(super) ended: bool,
    /// Whether it was longer, and nothing says where it was cut.
    pub(super) cut: bool,
}

impl<'a> Lines<'a> {
    pub(super) fn new(reader: &'a mut dyn BufRead, keep: Keep) -> Self {
        Self { reader, keep, number: 0, buffer: Vec::new() }
    }

    /// The next line, or nothing at the end.
    ///
    /// # Errors
    /// Those of the reader.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        self.number += 1;
        let mut texts = Texts::default();
        let (mut any, mut ended, mut cut) = (false, false, false);
        while !ended {
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                break;
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
            let used = part.len() + usize::from(end.is_some());
            // Most lines are short and whole.
            let short = !any && end.is_some() && part.len() <= MAX_TEXT_BYTES;
            if self.keep == Keep::Beginning || short {
                let room = MAX_LINE_BYTES - self.buffer.len();
                cut |= part.len() > room;
                self.buffer.extend_from_slice(part.get(..room).unwrap_or(part));
            } else {
                cut |= !texts.shorten(part, &mut self.buffer);
            }
            (any, ended) = (true, end.is_some());
            self.reader.consume(used);
        }
        let Self { number, buffer, .. } = self;
        let bytes = match *number {
            1 => buffer.strip_prefix(b"\xef\xbb\xbf").unwrap_or(buffer),
            _ => buffer,
        };
        Ok(any.then_some(Line { number: *number, bytes, ended, cut }))
    }
}

/// Where in the JSON of a line the bytes are.
#[derive(Debug, Default)]
struct Texts {
    within: bool,
    /// How many bytes of this text were met.
    bytes: usize,
    dropping: bool,
    escape: Escape,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    /// After the backslash.
    Begun,
    /// So many digits of `\u` are left.
    Digits(u8),
}

impl Texts {
    /// Takes the next bytes of a line into `kept`; whether all of them were taken that should be.
    fn shorten(&mut self, bytes: &[u8], kept: &mut Vec<u8>) -> bool {
        for &byte in bytes {
            self.step(byte, kept);
            if !self.dropping {
                if kept.len() >= MAX_LINE_BYTES {
                    return false;
                }
                kept.push(byte);
            }
        }
        true
    }

    fn step(&mut self, byte: u8, kept: &mut Vec<u8>) {
        self.bytes += 1;
        if !self.within {
            self.within = byte == b'"';
            self.bytes = 0;
            return;
        }
        match (self.escape, byte) {
            (Escape::Begun, b'u') => self.escape = Escape::Digits(4),
            (Escape::Begun | Escape::Digits(1), _) => self.escape = Escape::None,
            (Escape::Digits(left), _) => self.escape = Escape::Digits(left - 1),
            (Escape::None, b'\\') => self.escape = Escape::Begun,
            (Escape::None, b'"') => (self.within, self.dropping) = (false, false),
            // Never within a character or an escape, nor between the two halves of a surrogate pair.
            (Escape::None, _) => {
                let begins = byte.is_ascii() || byte >= 0xc0;
                if begins && self.bytes > MAX_TEXT_BYTES && !self.dropping {
                    self.dropping = true;
                    kept.extend_from_slice(CUT.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
    }
}

/// Reads a report of JSON lines. `read` says whether a line was an event; other lines are counted
/// and warned of, because build tools and tests write to where their test runner writes.
///
/// # Errors
/// [`ImportError::Malformed`] for a report without an event, or whose last line is cut off, else
/// those of `read`.
pub(super) fn events(
    report: &Report,
    expected: &'static str,
    mut read: impl FnMut(&[u8]) -> Result<bool, ImportError>,
) -> Result<Vec<String>, ImportError> {
    report.read(|reader| {
        let mut lines = Lines::new(reader, Keep::ShortTexts);
        let (mut events, mut others) = (0_u64, 0_u64);
        while let Some(line) = lines.next().map_err(|e| report.unreadable(e))? {
            if line.bytes.trim_ascii().is_empty() {
                continue;
            }
            if read(line.bytes)? {
                events += 1;
                continue;
            }
            others += 1;
            if !line.ended && is_cut_off(line.bytes) {
                let found = format!("line {}, which is cut off", line.number);
                return Err(report.malformed(expected, found));
            }
        }
        if events == 0 {
            return Err(report.malformed(expected, "no line that is one"));
        }
        let passed_over = format!("passed over {} of another program", counted(others, "line"));
        Ok(if others == 0 { Vec::new() } else { vec![passed_over] })
    })
}

fn is_cut_off(line: &[u8]) -> bool {
    line.starts_with(b"{")
        && serde_json::from_slice::<IgnoredAny>(line).is_err_and(|error| error.is_eof())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: impl AsRef<[u8]>, keep: Keep) -> Vec<(u64, Vec<u8>, bool, bool)> {
        // A small buffer, so that lines lie across its ends.
        let mut reader = io::BufReader::with_capacity(7, text.as_ref());
        let mut lines = Lines::new(&mut reader, keep);
        let mut all = Vec::new();
        while let Some(Line { number, bytes, ended, cut }) = lines.next().unwrap() {
            all.push((number, bytes.to_vec(), ended, cut));
        }
        all
    }

    #[test]
    fn gives_short_lines_as_they_are() {
        for keep in [Keep::Beginning, Keep::ShortTexts] {
            let expected = [(1, "{\"a\\\"\":\"ä\"}", true), (2, "", true), (3, "last one", false)];
            let found = lines("\u{feff}{\"a\\\"\":\"ä\"}\n\nlast one", keep);
            let found: Vec<_> = found
                .iter()
                .map(|(number, bytes, ended, cut)| {
                    assert!(!cut);
                    (*number, std::str::from_utf8(bytes).unwrap(), *ended)
                })
                .collect();
            assert_eq!(found, expected);
            assert!(lines("", keep).is_empty());
        }
    }

    #[test]
    fn shortens_texts_so_that_the_line_stays_json() {
        // Whatever stands where the text is cut.
        for unit in ["x", "ä", "😀", r"\n ", r"\\ä", r#"\"x"#, r"\u00e4x", r"\ud83d\ude00x"] {
            for shift in 0..8 {
                let text = format!("{}{}", "-".repeat(shift), unit.repeat(4 * MAX_TEXT_BYTES));
                let line = format!("{{\"out\":\"{text}\",\"name\":\"n\"}}\n");
                let [(1, bytes, true, false)] = &lines(&line, Keep::ShortTexts)[..] else {
                    panic!("expected one line for {unit}")
                };
                assert!(bytes.len() < MAX_TEXT_BYTES + 64, "{unit} {}", bytes.len());
                let value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
                assert_eq!(value["name"], "n", "{unit}");
                let kept = value["out"].as_str().unwrap().strip_suffix(CUT).unwrap();
                let whole: String = serde_json::from_str(&format!("\"{text}\"")).unwrap();
                assert!(whole.starts_with(kept), "{unit}");
            }
        }
    }

    #[test]
    fn keeps_no_more_than_a_bound_of_a_line() {
        let long = "x".repeat(3 * MAX_LINE_BYTES);
        let found = lines(format!("{long}\nshort\n"), Keep::Beginning);
        assert_eq!((found[0].1.len(), found[0].3), (MAX_LINE_BYTES, true));
        assert_eq!((found[1].1.as_slice(), found[1].3), (b"short".as_slice(), false));
        let many = format!("[{}]", "\"x\",".repeat(MAX_LINE_BYTES));
        assert!(lines(many, Keep::ShortTexts)[0].3);
    }

    #[test]
    fn counts_lines_that_are_no_events_and_refuses_a_last_one_that_is_cut_off() {
        let read = |text: &str| {
            let report = Report::of_bytes("r", text);
            events(&report, "an event", |line| Ok(line == b"{}"))
        };
        assert_eq!(read("{}\n \n{}").unwrap(), [""; 0]);
        assert!(read("{}\nx\n").unwrap()[0].starts_with("passed over 1 line of"));
        assert!(read("{}\nx\n{\"a\":1}").unwrap()[0].starts_with("passed over 2 lines of"));
        // Cut off, but not by the end of the report; and nothing that was going to be JSON.
        assert!(read("{}\n{\"a\":\n{}").unwrap()[0].starts_with("passed over 1 line of"));
        assert!(read("{}\n{x").unwrap()[0].starts_with("passed over 1 line of"));
        let refused = read("{}\n{\"a\":").unwrap_err().to_string();
        assert!(refused.contains("line 2, which is cut off"), "{refused}");
        assert!(read("x\n").unwrap_err().to_string().contains("no line that is one"));
    }
}
