//! JSON text, copied byte for byte but for its strings (RFC 8259).
//!
//! The text must have been read by a JSON parser before: nothing here checks its grammar.

use std::io::{self, BufRead, Write};

/// How deep a text may nest; the parser that reads the copy goes a little deeper.
pub(super) const MAX_DEPTH: usize = 100;
/// The longest string, as it is written.
pub(super) const MAX_STRING_BYTES: usize = 16 << 20;

/// One step on the way to a value: the name of a member, or the position of an element.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::evidence) enum Step {
    /// The member of an object.
    Name(String),
    /// The element of a list.
    Position(usize),
}

/// What a string is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::evidence) enum Role {
    /// The name of a member of the object at the path.
    Name,
    /// The value at the path.
    Value,
}

/// Why a text was not copied.
#[derive(Debug)]
pub(super) enum CopyError {
    /// The text cannot be read.
    Read(io::Error),
    /// The copy cannot be written.
    Write(io::Error),
    /// More than the limit of it.
    TooMuch(&'static str, usize),
}

/// Decides about a string: what stands in its place, or nothing where it stays. A string that is no
/// Unicode text (a surrogate alone) comes as nothing.
pub(super) type Edit<'a> = dyn FnMut(&[Step], Role, Option<&str>) -> Option<String> + 'a;

/// Copies what `reader` gives, any number of JSON texts, with its strings as `edit` wants them.
pub(super) fn rewrite(
    reader: &mut dyn BufRead,
    writer: &mut dyn Write,
    edit: &mut Edit<'_>,
) -> Result<(), CopyError> {
    let mut copy = Copy { path: Vec::new(), names_next: false, string: None, escaped: false };
    loop {
        let block = reader.fill_buf().map_err(CopyError::Read)?;
        let length = block.len();
        if length == 0 {
            return Ok(());
        }
        copy.block(block, writer, edit)?;
        reader.consume(length);
    }
}

struct Copy {
    /// One step for each open list and object.
    path: Vec<Step>,
    /// Whether the next string of the innermost object is a name.
    names_next: bool,
    /// The string that is being read, from its first quote.
    string: Option<Vec<u8>>,
    /// Whether the last byte of the string was a backslash that escapes the next one.
    escaped: bool,
}

impl Copy {
    fn block(
        &mut self,
        mut block: &[u8],
        writer: &mut dyn Write,
        edit: &mut Edit<'_>,
    ) -> Result<(), CopyError> {
        while !block.is_empty() {
            let taken = match self.string.take() {
                Some(string) => self.within(string, block, writer, edit)?,
                None => {
                    let end = block.iter().position(|&byte| byte == b'"').unwrap_or(block.len());
                    let between = block.get(..end).unwrap_or_default();
                    self.between(between)?;
                    writer.write_all(between).map_err(CopyError::Write)?;
                    if end < block.len() {
                        self.string = Some(vec![b'"']);
                    }
                    (end + 1).min(block.len())
                }
            };
            block = block.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Follows what stands between strings.
    fn between(&mut self, bytes: &[u8]) -> Result<(), CopyError> {
        for byte in bytes {
            match byte {
                b'{' | b'[' => {
                    if self.path.len() == MAX_DEPTH {
                        return Err(CopyError::TooMuch("levels of nesting", MAX_DEPTH));
                    }
                    let list = *byte == b'[';
                    self.path.push(if list {
                        Step::Position(0)
                    } else {
                        Step::Name(String::new())
                    });
                    self.names_next = !list;
                }
                b'}' | b']' => {
                    self.path.pop();
                    self.names_next = false;
                }
                b',' => match self.path.last_mut() {
                    Some(Step::Position(position)) => *position = position.saturating_add(1),
                    Some(Step::Name(_)) => self.names_next = true,
                    None => {}
                },
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads on in a string; when it ends, writes what stands in its place.
    fn within(
        &mut self,
        mut string: Vec<u8>,
        block: &[u8],
        writer: &mut dyn Write,
        edit: &mut Edit<'_>,
    ) -> Result<usize, CopyError> {
        let mut end = None;
        for (index, &byte) in block.iter().enumerate() {
            if self.escaped {
                self.escaped = false;
            } else if byte == b'\\' {
                self.escaped = true;
            } else if byte == b'"' {
                end = Some(index + 1);
                break;
            }
        }
        let taken = end.unwrap_or(block.len());
        string.extend_from_slice(block.get(..taken).unwrap_or_default());
        if string.len() > MAX_STRING_BYTES {
            return Err(CopyError::TooMuch("bytes in one text", MAX_STRING_BYTES));
        }
        match end {
            Some(_) => self.write(&string, writer, edit)?,
            None => self.string = Some(string),
        }
        Ok(taken)
    }

    fn write(
        &mut self,
        string: &[u8],
        writer: &mut dyn Write,
        edit: &mut Edit<'_>,
    ) -> Result<(), CopyError> {
        let text: Option<String> = serde_json::from_slice(string).ok();
        let is_name = std::mem::take(&mut self.names_next);
        let edited = if is_name {
            let (_, parents) = self.path.split_last().unwrap_or((&Step::Position(0), &[]));
            edit(parents, Role::Name, text.as_deref())
        } else {
            edit(&self.path, Role::Value, text.as_deref())
        };
        match &edited {
            Some(edited) => {
                serde_json::to_writer(&mut *writer, edited)
                    .map_err(|e| CopyError::Write(e.into()))?;
            }
            None => writer.write_all(string).map_err(CopyError::Write)?,
        }
        if is_name && let Some(Step::Name(name)) = self.path.last_mut() {
            *name = text.unwrap_or_default();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str, edit: &mut Edit<'_>) -> Result<String, CopyError> {
        let mut copy = Vec::new();
        // Blocks of one byte meet every state at the end of a block.
        let mut reader = io::BufReader::with_capacity(1, text.as_bytes());
        rewrite(&mut reader, &mut copy, edit)?;
        Ok(String::from_utf8(copy).unwrap())
    }

    #[test]
    fn leaves_everything_but_edited_strings_as_it_is() {
        let text = "\u{feff}{ \"a\" : [1.50e+3, \"x\\\"y\\\\\", {\"b\":\"\\u0041\"}, \"\"],\n\"c\":\"x\"}\n{\"d\":\"é\"}";
        assert_eq!(rewritten(text, &mut |_, _, _| None).unwrap(), text);
        let edited = rewritten(text, &mut |_, role, text| {
            (role == Role::Value && text == Some("A")).then(|| "\n\"B".to_owned())
        });
        assert_eq!(edited.unwrap(), text.replace("\\u0041", "\\n\\\"B"));
    }

    #[test]
    fn knows_where_each_string_stands() {
        let mut seen = Vec::new();
        let text = r#"{"a":["p",{"b":"q"},["r"]],"c":{"d":{}, "e":"s"}}{"f":"\ud800"}"#;
        rewritten(text, &mut |path, role, text| {
            let path: Vec<String> = path
                .iter()
                .map(|step| match step {
                    Step::Name(name) => name.clone(),
                    Step::Position(position) => position.to_string(),
                })
                .collect();
            let mark = if role == Role::Name { "." } else { "=" };
            seen.push(format!("{}{mark}{}", path.join("/"), text.unwrap_or("?")));
            None
        })
        .unwrap();
        let expected = [
            ".a", "a/0=p", "a/1.b", "a/1/b=q", "a/2/0=r", ".c", "c.d", "c.e", "c/e=s", ".f", "f=?",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn ends_at_its_bounds() {
        let deep = "[".repeat(MAX_DEPTH + 1);
        let refused = rewritten(&deep, &mut |_, _, _| None);
        assert!(matches!(refused, Err(CopyError::TooMuch("levels of nesting", MAX_DEPTH))));
        let long = format!("[\"{}\"]", "x".repeat(MAX_STRING_BYTES));
        let mut reader = io::BufReader::new(long.as_bytes());
        let refused = rewrite(&mut reader, &mut io::sink(), &mut |_, _, _| None);
        assert!(matches!(refused, Err(CopyError::TooMuch("bytes in one text", _))));
    }
}
