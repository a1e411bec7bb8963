//! XML without what stands between its tags.
//!
//! A test's output is character data of any size in one node, and an XML reader keeps a node whole.
//! So it is left out before: what is read from here has the tags and the other markup of the source
//! (XML 1.0, section 2), but of character data only whether there is any, of comments and CDATA
//! sections only that they begin and end, and of attributes' values at most a bound. What is not
//! well-formed, such as a section without an end, stays so for the XML reader to find.

use std::io::{self, BufRead, Read};

use super::super::{CUT, MAX_TEXT_BYTES};

/// How many bytes one tag may have, with its attributes' values as far as they are kept.
const MAX_MARKUP_BYTES: usize = 1 << 20;

const COMMENT: &[u8] = b"<!--";
const CDATA: &[u8] = b"<![CDATA[";
const DOCTYPE: &[u8] = b"<!DOCTYPE";

/// Why the source is not read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("a tag of more than {MAX_MARKUP_BYTES} bytes")]
    Long,
    /// Entities could stand for anything of any size.
    #[error("a document type with declarations of its own")]
    Declarations,
    #[error("markup that is no comment, CDATA section or document type")]
    Unknown,
}

/// A reader of the markup of a source. It gives at most one tag at a time, so that it is never
/// further than the XML reader behind it.
pub(super) struct Markup<R> {
    source: R,
    filter: Filter,
    /// How many bytes of what the filter has were given.
    given: usize,
    line: u64,
}

impl<R: BufRead> Markup<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, filter: Filter::default(), given: 0, line: 1 }
    }

    /// The line in which the last tag ends, from 1, or in which what is refused stands.
    pub(super) fn line(&self) -> u64 {
        self.line
    }
}

impl<R: BufRead> Read for Markup<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.filter.kept.len() {
            self.given = 0;
            self.filter.kept.clear();
            self.filter.complete = false;
            while !self.filter.complete {
                let bytes = self.source.fill_buf()?;
                if bytes.is_empty() {
                    break;
                }
                let (used, refused) = self.filter.take(bytes);
                let taken = bytes.get(..used).unwrap_or_default();
                self.line += taken.iter().filter(|byte| **byte == b'\n').count() as u64;
                if let Some(refused) = refused {
                    return Err(io::Error::other(refused));
                }
                self.source.consume(used);
            }
        }
        let rest = self.filter.kept.get(self.given..).unwrap_or_default();
        let count = (&*rest).read(buffer)?;
        self.given += count;
        Ok(count)
    }
}

/// What is kept, and where in the source it is.
#[derive(Debug, Default)]
struct Filter {
    state: State,
    kept: Vec<u8>,
    /// Where in `kept` the tag begins.
    begin: usize,
    /// Whether `kept` ends with the end of a tag.
    complete: bool,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Text,
    /// After `<`.
    Opened,
    /// After `<!`.
    Bang,
    /// In a comment or a CDATA section, which ends with two of `mark` and `>`.
    Elided {
        mark: u8,
        /// How many of them were met in a row, at most two.
        marks: u8,
    },
    /// In a processing instruction, or the XML declaration.
    Instruction {
        /// Whether `?` was the last byte.
        ending: bool,
    },
    /// In a tag, or a document type.
    Tag { document_type: bool },
    /// In a quoted value of one.
    Value { document_type: bool, quote: u8, bytes: usize, dropping: bool },
}

impl Filter {
    /// Takes bytes of the source until a tag ends, or until one is refused; gives how many.
    fn take(&mut self, bytes: &[u8]) -> (usize, Option<Refused>) {
        let mut used = 0;
        while let Some(rest) = bytes.get(used..).filter(|rest| !rest.is_empty() && !self.complete) {
            used += match self.state {
                State::Text => self.text(rest),
                State::Elided { mark, marks: 0 } => {
                    let next = rest.iter().position(|byte| *byte == mark);
                    match next {
                        Some(0) => {
                            self.state = State::Elided { mark, marks: 1 };
                            1
                        }
                        _ => next.unwrap_or(rest.len()),
                    }
                }
                state => {
                    let byte = rest.first().copied().unwrap_or_default();
                    if let Err(refused) = self.step(state, byte) {
                        return (used, Some(refused));
                    }
                    1
                }
            };
        }
        (used, None)
    }

    /// Of character data one byte is kept where it is more than white space, because it may not
    /// stand everywhere.
    fn text(&mut self, bytes: &[u8]) -> usize {
        let end = bytes.iter().position(|byte| *byte == b'<');
        let text = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        if self.kept.is_empty() && !text.trim_ascii().is_empty() {
            self.kept.push(b'.');
        }
        if end.is_some() {
            self.begin = self.kept.len();
            self.kept.push(b'<');
            self.state = State::Opened;
        }
        text.len() + usize::from(end.is_some())
    }

    fn step(&mut self, state: State, byte: u8) -> Result<(), Refused> {
        match state {
            State::Opened => match byte {
                b'!' => {
                    self.keep(byte)?;
                    self.state = State::Bang;
                }
                b'?' => {
                    self.keep(byte)?;
                    self.state = State::Instruction { ending: false };
                }
                _ => self.tag(false, byte)?,
            },
            State::Bang => self.bang(byte)?,
            State::Elided { mark, marks } => match (byte, marks) {
                (b'>', 2) => {
                    self.kept.extend([mark, mark]);
                    self.end();
                }
                _ if byte == mark => self.state = State::Elided { mark, marks: 2 },
                _ => self.state = State::Elided { mark, marks: 0 },
            },
            State::Instruction { ending: true } if byte == b'>' => self.end(),
            State::Instruction { .. } => {
                self.keep(byte)?;
                self.state = State::Instruction { ending: byte == b'?' };
            }
            State::Tag { document_type } => self.tag(document_type, byte)?,
            State::Value { document_type, quote, .. } if byte == quote => {
                self.keep(byte)?;
                self.state = State::Tag { document_type };
            }
            State::Value { document_type, quote, bytes, dropping } => {
                // Never within a character.
                let begins = byte.is_ascii() || byte >= 0xc0;
                let drops = dropping || (begins && bytes >= MAX_TEXT_BYTES);
                if drops && !dropping {
                    self.kept.extend_from_slice(CUT.encode_utf8(&mut [0; 4]).as_bytes());
                }
                if !drops {
                    self.keep(byte)?;
                }
                let bytes = bytes.saturating_add(1);
                self.state = State::Value { document_type, quote, bytes, dropping: drops };
            }
            State::Text => {}
        }
        Ok(())
    }

    fn bang(&mut self, byte: u8) -> Result<(), Refused> {
        self.keep(byte)?;
        let tag = self.kept.get(self.begin..).unwrap_or_default();
        match tag {
            COMMENT => self.state = State::Elided { mark: b'-', marks: 0 },
            CDATA => self.state = State::Elided { mark: b']', marks: 0 },
            DOCTYPE => self.state = State::Tag { document_type: true },
            _ if [COMMENT, CDATA, DOCTYPE].iter().any(|known| known.starts_with(tag)) => {}
            _ => return Err(Refused::Unknown),
        }
        Ok(())
    }

    fn tag(&mut self, document_type: bool, byte: u8) -> Result<(), Refused> {
        match byte {
            b'>' => self.end(),
            b'[' if document_type => return Err(Refused::Declarations),
            b'"' | b'\'' => {
                self.keep(byte)?;
                let (bytes, dropping) = (0, false);
                self.state = State::Value { document_type, quote: byte, bytes, dropping };
            }
            _ => {
                self.keep(byte)?;
                self.state = State::Tag { document_type };
            }
        }
        Ok(())
    }

    fn keep(&mut self, byte: u8) -> Result<(), Refused> {
        if self.kept.len() >= MAX_MARKUP_BYTES {
            return Err(Refused::Long);
        }
        self.kept.push(byte);
        Ok(())
    }

    fn end(&mut self) {
        self.kept.push(b'>');
        self.complete = true;
        self.state = State::Text;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of a text, read with a small buffer.
    fn markup(text: &str) -> Result<String, String> {
        let mut reader = Markup::new(io::BufReader::with_capacity(5, text.as_bytes()));
        let mut kept = String::new();
        reader.read_to_string(&mut kept).map_err(|error| error.to_string())?;
        assert_eq!(reader.line(), 1 + text.matches('\n').count() as u64, "{text}");
        Ok(kept)
    }

    #[test]
    fn keeps_markup_and_of_text_only_that_there_is_some() {
        for (text, expected) in [
            ("", ""),
            ("<a/>", "<a/>"),
            ("<?xml version='1.0'?>\n<a>\n</a>\n", "<?xml version='1.0'?><a></a>"),
            ("<a> much &amp; more </a>x", "<a>.</a>."),
            ("<a b='>' c=\"'>\">t</a>", "<a b='>' c=\"'>\">.</a>"),
            ("<a><![CDATA[ <b> ]] ]> ]]]></a>", "<a><![CDATA[]]></a>"),
            ("<a><![CDATA[]]>]]></a>", "<a><![CDATA[]]>.</a>"),
            ("<!-- <a> - -- ->x--><a/>", "<!----><a/>"),
            ("<a><!--->--></a>", "<a><!----></a>"),
            ("<?p > ? ??><a/>", "<?p > ? ??><a/>"),
            ("<!DOCTYPE a SYSTEM 'x[>'><a/>", "<!DOCTYPE a SYSTEM 'x[>'><a/>"),
            ("<a>ä</a ><b\n/>", "<a>.</a ><b\n/>"),
        ] {
            assert_eq!(markup(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn leaves_what_has_no_end_without_one() {
        for (text, expected) in [
            ("<a><![CDATA[ ]] >", "<a><![CDATA["),
            ("<!-- - ->", "<!--"),
            ("<!-->", "<!--"),
            ("<a b='>", "<a b='>"),
            ("<a", "<a"),
            ("<", "<"),
            ("<!", "<!"),
            ("<?a", "<?a"),
            ("<![CD", "<![CD"),
        ] {
            assert_eq!(markup(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_bound() {
        for (text, why) in [
            ("<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", Refused::Declarations),
            ("<!ENTITY a 'b'>", Refused::Unknown),
            ("<![cdata[x]]>", Refused::Unknown),
            ("<!>", Refused::Unknown),
        ] {
            assert_eq!(markup(text), Err(why.to_string()), "{text}");
        }
        let long = format!("<a{}/>", " b=''".repeat(MAX_MARKUP_BYTES / 4));
        assert_eq!(markup(&long), Err(Refused::Long.to_string()));
    }

    #[test]
    fn cuts_long_values_between_characters_and_marks_them() {
        for unit in ["x", "ä", "😀", "&lt;"] {
            for shift in 0..4 {
                let value = format!("{}{}", "-".repeat(shift), unit.repeat(2 * MAX_TEXT_BYTES));
                let kept = markup(&format!("<a b='{value}' c=\"d\"/>")).unwrap();
                let (cut, rest) = kept.split_once(CUT).unwrap();
                assert_eq!(rest, "' c=\"d\"/>", "{unit}");
                assert!(value.starts_with(cut.strip_prefix("<a b='").unwrap()), "{unit}");
                assert!(cut.len() < MAX_TEXT_BYTES + 16, "{unit}");
            }
        }
    }

    #[test]
    fn does_not_grow_with_what_it_leaves_out() {
        for (before, after) in [("<![CDATA[", "]]>"), ("", ""), ("<!--", "-->"), ("<b c='", "'/>")]
        {
            let long = io::repeat(b'x').take(4 << 20);
            let before = format!("<a>{before}");
            let after = format!("{after}</a>");
            let source = before.as_bytes().chain(long).chain(after.as_bytes());
            let mut reader = Markup::new(io::BufReader::new(source));
            let bytes = io::copy(&mut reader, &mut io::sink()).unwrap();
            assert!(bytes < 2 * MAX_TEXT_BYTES as u64, "{before} {bytes}");
            assert!(reader.filter.kept.capacity() < 4 * MAX_TEXT_BYTES, "{before}");
        }
    }
}
