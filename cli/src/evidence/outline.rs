//! The outline of a document: enough to recognise what it is, in memory that does not grow with it.
//!
//! A JSON document is sketched to a fixed depth: the members of its objects, the beginnings of its
//! texts, and of each list one element in which all of its elements are laid over each other. The
//! whole document is read for that, so what is no JSON to its end is refused here.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{BufRead, Read as _};

use serde::de::{
    Deserialize as _, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess,
    Visitor,
};

use super::ImportError;
use super::error::{WELL_FORMED_JSON, WELL_FORMED_XML};

/// How many of the first bytes are kept as they are.
const HEAD_BYTES: usize = 64 * 1024;
/// How deep a JSON document is sketched.
const MAX_DEPTH: usize = 7;
/// How many members of one object are kept.
const MAX_MEMBERS: usize = 64;
/// How many members are kept in all.
const MAX_SKETCHES: usize = 4_096;
/// How many characters of a text are kept.
const MAX_TEXT_CHARS: usize = 256;
/// How many values of a file of JSON lines are looked at.
const MAX_LINES: usize = 64;

/// What a document looks like.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outline {
    /// The first bytes, at most [`HEAD_BYTES`], without a byte order mark.
    pub(crate) head: Vec<u8>,
    /// What they are the beginning of.
    pub(crate) shape: Shape,
}

/// What a document is made of.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Shape {
    /// Nothing but white space.
    #[default]
    Empty,
    /// One JSON document.
    Json(Sketch),
    /// JSON lines: the first lines that are objects, laid over each other. Other lines may stand
    /// between them, because programs write to where their test runner writes, too.
    JsonLines(Sketch),
    /// XML: the name of the root element, without a prefix.
    Xml {
        /// The name.
        root: String,
    },
    /// Any other text.
    Text,
    /// Bytes that are no UTF-8 text.
    Binary,
}

/// What a JSON value looks like.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Sketch {
    /// `null`, or deeper than is looked.
    #[default]
    Null,
    /// A boolean.
    Bool,
    /// A number.
    Number,
    /// A text, or its beginning.
    Text(String),
    /// A list: how long, and its elements laid over each other.
    List(usize, Box<Sketch>),
    /// An object's members.
    Map(BTreeMap<String, Sketch>),
}

impl Sketch {
    /// What lies at `path`: names of members, and `*` for the elements of a list.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        let Some((name, rest)) = path.split_first() else { return Some(self) };
        match self {
            Self::Map(members) => members.get(*name)?.at(rest),
            Self::List(_, element) if *name == "*" => element.at(rest),
            _ => None,
        }
    }

    /// Whether there is anything at `path`, `null` included.
    pub(crate) fn has(&self, path: &[&str]) -> bool {
        self.at(path).is_some()
    }

    /// Whether all of these members are there.
    pub(crate) fn has_all(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.has(&[name]))
    }

    /// The text at `path`.
    pub(crate) fn text(&self, path: &[&str]) -> Option<&str> {
        match self.at(path)? {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// How long the list at `path` is; nothing where there is no list.
    pub(crate) fn count(&self, path: &[&str]) -> Option<usize> {
        match self.at(path)? {
            Self::List(count, _) => Some(*count),
            _ => None,
        }
    }
}

impl Outline {
    /// The sketch of a single JSON document.
    pub(crate) fn json(&self) -> Option<&Sketch> {
        match &self.shape {
            Shape::Json(sketch) => Some(sketch),
            _ => None,
        }
    }

    /// The sketch of JSON lines; a single line on its own is one, too.
    pub(crate) fn json_lines(&self) -> Option<&Sketch> {
        match &self.shape {
            Shape::JsonLines(sketch) | Shape::Json(sketch) => Some(sketch),
            _ => None,
        }
    }

    /// The name of the root element of an XML document.
    pub(crate) fn xml_root(&self) -> Option<&str> {
        match &self.shape {
            Shape::Xml { root } => Some(root),
            _ => None,
        }
    }

    /// The beginning as text. A character that is cut in two at the end is left out.
    pub(crate) fn head_text(&self) -> &str {
        match std::str::from_utf8(&self.head) {
            Ok(text) => text,
            Err(error) => {
                let valid = self.head.get(..error.valid_up_to()).unwrap_or_default();
                std::str::from_utf8(valid).unwrap_or_default()
            }
        }
    }

    /// What it looks like, for a person.
    pub(crate) fn describe(&self) -> String {
        let members = |sketch: &Sketch| match sketch {
            Sketch::Map(members) if members.is_empty() => "an object without members".to_owned(),
            Sketch::Map(members) => {
                let names: Vec<&str> = members.keys().take(12).map(String::as_str).collect();
                format!("an object with the members {}", names.join(", "))
            }
            Sketch::List(0, _) => "an empty list".to_owned(),
            Sketch::List(count, _) => format!("a list of {count}"),
            _ => "a plain value".to_owned(),
        };
        let text = match &self.shape {
            Shape::Empty => "an empty file".to_owned(),
            Shape::Json(sketch) => format!("JSON, {}", members(sketch)),
            Shape::JsonLines(sketch) => format!("JSON lines, {}", members(sketch)),
            Shape::Xml { root } => format!("XML with the root element {root}"),
            Shape::Text => "text".to_owned(),
            Shape::Binary => "binary data".to_owned(),
        };
        crate::output::printable(&text)
    }
}

/// Takes the outline of what `reader` gives.
///
/// # Errors
/// [`ImportError::Malformed`] for what begins as JSON or XML and is neither,
/// [`ImportError::OtherEncoding`] for UTF-16 and UTF-32, else [`ImportError::Unreadable`].
pub(super) fn take(reader: &mut dyn BufRead, name: &str) -> Result<Outline, ImportError> {
    let unreadable = |source| ImportError::Unreadable { name: name.to_owned(), source };
    let mut head = Vec::new();
    reader.take(HEAD_BYTES as u64).read_to_end(&mut head).map_err(unreadable)?;
    if let Some(encoding) = other_encoding(&head) {
        return Err(ImportError::OtherEncoding { name: name.to_owned(), encoding });
    }
    let marked = head.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec);
    let head = marked.unwrap_or(head);
    let whole = head.len() < HEAD_BYTES;
    let shape = match head.trim_ascii_start().first() {
        None if whole => Shape::Empty,
        Some(b'{' | b'[') => json(&head, reader, name)?,
        Some(b'<') => xml(&head, name)?,
        _ if is_binary(&head, whole) => Shape::Binary,
        // Something may have been printed before the first event of a test runner.
        _ => lines(&head).map_or(Shape::Text, Shape::JsonLines),
    };
    Ok(Outline { head, shape })
}

/// The encoding that a byte order mark tells of, where it is another than UTF-8 (Unicode §23.8).
fn other_encoding(head: &[u8]) -> Option<&'static str> {
    // That of UTF-16 is the beginning of that of UTF-32.
    let marks: [(&[u8], &str); 4] = [
        (b"\xff\xfe\0\0", "UTF-32"),
        (b"\0\0\xfe\xff", "UTF-32"),
        (b"\xff\xfe", "UTF-16"),
        (b"\xfe\xff", "UTF-16"),
    ];
    marks.into_iter().find(|(mark, _)| head.starts_with(mark)).map(|(_, encoding)| encoding)
}

/// A text has no NUL and is UTF-8, but for a character that is cut in two at the end of the head.
fn is_binary(head: &[u8], whole: bool) -> bool {
    let cut = |error: std::str::Utf8Error| !whole && error.error_len().is_none();
    head.contains(&0) || std::str::from_utf8(head).is_err_and(|error| !cut(error))
}

fn json(head: &[u8], reader: &mut dyn BufRead, name: &str) -> Result<Shape, ImportError> {
    // The first line alone tells JSON lines from one document, where it is complete.
    let first = head.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty());
    let first = first.unwrap_or_default();
    let left = Cell::new(MAX_SKETCHES);
    if first.len() < head.trim_ascii().len() && sketch_line(first, &left).is_some() {
        return Ok(lines(head).map_or(Shape::Text, Shape::JsonLines));
    }
    let left = Cell::new(MAX_SKETCHES);
    let mut sketch = Sketch::default();
    let mut deserializer = serde_json::Deserializer::from_reader(head.chain(reader));
    let overlay = Overlay { sketch: &mut sketch, depth: 0, left: &left };
    if let Err(error) = overlay.deserialize(&mut deserializer) {
        // A log that begins with a bracket, with the events of a test runner after it.
        let printed_first = error.is_syntax() && error.line() == 1;
        let lines = printed_first.then(|| lines(head)).flatten();
        return lines.map(Shape::JsonLines).ok_or_else(|| malformed(error, name));
    }
    match deserializer.end() {
        Ok(()) => Ok(Shape::Json(sketch)),
        // The first of several lines may be longer than the head.
        Err(error)
            if matches!(sketch, Sketch::Map(_))
                && error.is_syntax()
                && error.line() > 1
                && one_line(head) =>
        {
            Ok(Shape::JsonLines(sketch))
        }
        Err(error) => Err(malformed(error, name)),
    }
}

fn one_line(head: &[u8]) -> bool {
    !head.trim_ascii_start().contains(&b'\n')
}

fn malformed(error: serde_json::Error, name: &str) -> ImportError {
    match error.io_error_kind() {
        Some(kind) => ImportError::Unreadable { name: name.to_owned(), source: kind.into() },
        None => ImportError::malformed(name, WELL_FORMED_JSON, error.to_string()),
    }
}

/// The first objects of JSON lines, laid over each other; nothing where no line is one.
fn lines(head: &[u8]) -> Option<Sketch> {
    let left = Cell::new(MAX_SKETCHES);
    let mut all: Option<Sketch> = None;
    for line in
        head.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{")).take(MAX_LINES)
    {
        let into = all.take().unwrap_or_default();
        // The last line may be cut off by the end of the head.
        let kept = into.clone();
        all = match overlay_line(line, into, &left) {
            Some(sketch) => Some(sketch),
            None if kept == Sketch::Null => None,
            None => Some(kept),
        };
    }
    all
}

fn sketch_line(line: &[u8], left: &Cell<usize>) -> Option<Sketch> {
    overlay_line(line, Sketch::default(), left)
}

/// Lays the object of one line over `sketch`.
fn overlay_line(line: &[u8], mut sketch: Sketch, left: &Cell<usize>) -> Option<Sketch> {
    let mut deserializer = serde_json::Deserializer::from_slice(line);
    Overlay { sketch: &mut sketch, depth: 0, left }.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    matches!(sketch, Sketch::Map(_)).then_some(sketch)
}

fn xml(head: &[u8], name: &str) -> Result<Shape, ImportError> {
    let mut reader = quick_xml::Reader::from_reader(head);
    let line = |position: u64| {
        let before = head.iter().take(usize::try_from(position).unwrap_or(usize::MAX));
        1 + before.filter(|byte| **byte == b'\n').count()
    };
    let mut buffer = Vec::new();
    loop {
        use quick_xml::events::Event;
        let event = reader.read_event_into(&mut buffer).map_err(|error| {
            let found = format!("{error} in line {}", line(reader.error_position()));
            ImportError::malformed(name, WELL_FORMED_XML, found)
        })?;
        match event {
            Event::Start(element) | Event::Empty(element) => {
                let name = element.local_name();
                let root = name.as_ref().chars().take(MAX_TEXT_CHARS).collect();
                return Ok(Shape::Xml { root });
            }
            Event::Eof => {
                return Err(ImportError::malformed(name, WELL_FORMED_XML, "no root element"));
            }
            _ => buffer.clear(),
        }
    }
}

/// Lays a JSON value over a sketch.
struct Overlay<'a> {
    sketch: &'a mut Sketch,
    depth: usize,
    /// How many more members are kept.
    left: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Overlay<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        // A plain value that is known already is not looked at again.
        let known = !matches!(self.sketch, Sketch::Null | Sketch::List(..) | Sketch::Map(_));
        if known || self.depth >= MAX_DEPTH {
            return IgnoredAny::deserialize(deserializer).map(drop);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Overlay<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.plain(Sketch::Bool);
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.plain(Sketch::Number);
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.plain(Sketch::Number);
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.plain(Sketch::Number);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.plain(Sketch::Text(text.chars().take(MAX_TEXT_CHARS).collect()));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { sketch, depth, left } = self;
        if *sketch == Sketch::Null {
            *sketch = Sketch::List(0, Box::default());
        }
        let mut elsewhere = Sketch::default();
        let (count, element) = match sketch {
            Sketch::List(count, element) => (count, &mut **element),
            // An object elsewhere: this one is only skipped.
            _ => (&mut 0, &mut elsewhere),
        };
        while seq.next_element_seed(Overlay { sketch: element, depth: depth + 1, left })?.is_some()
        {
            *count = count.saturating_add(1);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { sketch, depth, left } = self;
        if *sketch == Sketch::Null {
            *sketch = Sketch::Map(BTreeMap::new());
        }
        let Sketch::Map(members) = sketch else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        while let Some(name) = map.next_key::<String>()? {
            if !members.contains_key(&name) {
                if members.len() >= MAX_MEMBERS || left.get() == 0 || name.len() > MAX_TEXT_CHARS {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                left.set(left.get() - 1);
                members.insert(name.clone(), Sketch::default());
            }
            let sketch = members.get_mut(&name).ok_or_else(|| A::Error::custom("no member"))?;
            map.next_value_seed(Overlay { sketch, depth: depth + 1, left })?;
        }
        Ok(())
    }
}

impl Overlay<'_> {
    fn plain(self, found: Sketch) {
        if *self.sketch == Sketch::Null {
            *self.sketch = found;
        }
    }
}

#[cfg(test)]
mod tests;
