//! XML event by event, with the path to where it is.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::error::line_of;
use super::{Kind, LockfileError};

/// How deep elements nest.
const MAX_DEPTH: usize = 64;
/// The longest text of an element that is kept.
const MAX_TEXT_BYTES: usize = 4_096;

/// An element that begins or ends.
pub(super) enum Node<'a> {
    /// It begins; its name is the last of the path.
    Start(&'a BytesStart<'a>),
    /// It ends: the text in it that stands in no other element. Cut off where it is too long.
    End(&'a str),
}

/// What is told of each element: the path, the element and the line.
pub(super) type Tell<'a> = dyn FnMut(&[&str], Node<'_>, usize) -> Result<(), LockfileError> + 'a;

/// Reads a document and tells each element that begins or ends, with the names of the elements
/// around it, the outermost first, and its line. Names are without prefixes. Entities beside the
/// five of XML itself are not resolved, whatever the document declares.
///
/// # Errors
/// [`LockfileError`] for what is not well-formed or nests too deep, and what `tell` returns.
pub(super) fn walk(kind: Kind, text: &str, tell: &mut Tell<'_>) -> Result<(), LockfileError> {
    let mut reader = Reader::from_str(text);
    let mut names: Vec<String> = Vec::new();
    let mut texts: Vec<String> = Vec::new();
    let mut roots = 0;
    // The line is counted on from event to event, not each time from the beginning.
    let (mut line, mut counted) = (1, 0);
    loop {
        let offset = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        line += text.get(counted..offset).map_or(0, |passed| line_of(passed, usize::MAX) - 1);
        counted = offset;
        let event = reader.read_event().map_err(|e| {
            let offset = usize::try_from(reader.error_position()).unwrap_or(usize::MAX);
            let line = Some(line_of(text, offset));
            LockfileError::malformed(kind, line, "well-formed XML", &e.to_string())
        })?;
        match event {
            Event::Start(element) | Event::Empty(element) if names.len() == MAX_DEPTH => {
                let found = format!("{} in them", element.local_name().as_ref());
                let expected = format!("at most {MAX_DEPTH} elements in each other");
                return Err(LockfileError::malformed(kind, Some(line), expected, &found));
            }
            Event::Start(element) => {
                roots += usize::from(names.is_empty());
                names.push(element.local_name().as_ref().to_owned());
                texts.push(String::new());
                tell(&path(&names), Node::Start(&element), line)?;
            }
            Event::Empty(element) => {
                roots += usize::from(names.is_empty());
                names.push(element.local_name().as_ref().to_owned());
                tell(&path(&names), Node::Start(&element), line)?;
                tell(&path(&names), Node::End(""), line)?;
                names.pop();
            }
            Event::End(_) => {
                let text = texts.pop().unwrap_or_default();
                tell(&path(&names), Node::End(text.trim()), line)?;
                names.pop();
            }
            Event::Text(part) => append(&mut texts, &part.xml10_content()),
            Event::CData(part) => append(&mut texts, &part.xml10_content()),
            Event::GeneralRef(reference) => {
                let name = reference.xml10_content();
                match (reference.resolve_char_ref(), quick_xml::escape::resolve_xml_entity(&name)) {
                    (Ok(Some(c)), _) => append(&mut texts, c.encode_utf8(&mut [0; 4])),
                    (_, Some(known)) => append(&mut texts, known),
                    // What is not known stays as it is written, so that no text is another's.
                    _ => append(&mut texts, &format!("&{name};")),
                }
            }
            Event::Eof if names.is_empty() && roots == 1 => return Ok(()),
            Event::Eof => {
                let found = names.last().map_or("no single root", |_| "an element without an end");
                return Err(LockfileError::malformed(kind, Some(line), "well-formed XML", found));
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

fn path(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

fn append(texts: &mut [String], part: &str) {
    let Some(text) = texts.last_mut() else { return };
    for c in part.chars() {
        if text.len() + c.len_utf8() > MAX_TEXT_BYTES {
            return;
        }
        text.push(c);
    }
}

/// The value of an attribute.
pub(super) fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    // Duplicates are not looked for: that takes quadratic time.
    let found = element
        .attributes()
        .with_checks(false)
        .filter_map(Result::ok)
        .find(|attribute| attribute.key.local_name().as_ref() == name)?;
    let value = found.normalized_value(quick_xml::XmlVersion::Implicit1_0).ok()?;
    Some(value.into_owned())
}
