//! The words of a script that a shell is given as an argument, as far as they are needed to redact one
//! of them (POSIX.1-2024, XCU 2.2 and 2.3). It is no shell: it expands nothing and knows no grammar.
//!
//! What it cannot read, such as a here-document or an open quote, is judged as a whole, and so is what
//! is left of a script once its words are redacted. In doubt nothing of the script is recorded.

use super::{Finding, MAX_DEPTH, Recorded, read};
use crate::capture::credential::{REDACTED, Sign, looks_like_credential};

/// A word: where it stands in the script, and what it is without quotes.
#[derive(Debug, Default)]
struct Word {
    start: usize,
    end: usize,
    value: String,
}

/// What stands in the place of a part of the script.
struct Edit {
    start: usize,
    end: usize,
    text: String,
}

/// A script with [`REDACTED`] in the place of what looks like a credential.
pub(super) fn redacted(script: &str, depth: usize) -> Recorded {
    let Some(commands) = (depth < MAX_DEPTH).then(|| Reader::commands(script)).flatten() else {
        return as_a_whole(script);
    };
    let mut edits = Vec::new();
    let mut findings = Vec::new();
    for command in &commands {
        let values: Vec<&str> = command.iter().map(|word| word.value.as_str()).collect();
        for (word, (flag, found)) in command.iter().zip(read(&values, depth + 1)) {
            let text = match found {
                Recorded::AsIs => continue,
                Recorded::Without(stays, sign) => {
                    findings.push(Finding { flag, sign });
                    format!("{stays}{REDACTED}")
                }
                Recorded::Script(_, within) if within.is_empty() => continue,
                Recorded::Script(inner, within) => {
                    findings.extend(within);
                    format!("'{}'", inner.replace('\'', r"'\''"))
                }
            };
            edits.push(Edit { start: word.start, end: word.end, text });
        }
    }
    let kept = edited(script, edits);
    if let Some(sign) = looks_like_credential("", &kept) {
        return whole(sign);
    }
    Recorded::Script(kept, findings)
}

/// The script with its edits. Those within another, of a substitution in a word, are done with it.
fn edited(script: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| (edit.start, std::cmp::Reverse(edit.end)));
    let mut kept = String::with_capacity(script.len());
    let mut at = 0;
    for edit in edits.into_iter() {
        if edit.start < at {
            continue;
        }
        kept.push_str(script.get(at..edit.start).unwrap_or_default());
        kept.push_str(&edit.text);
        at = edit.end;
    }
    kept.push_str(script.get(at..).unwrap_or_default());
    kept
}

/// Judges a script whose words cannot be told: by its text, and by all that might be words.
fn as_a_whole(script: &str) -> Recorded {
    if let Some(sign) = looks_like_credential("", script) {
        return whole(sign);
    }
    let parts: Vec<&str> = script
        .split(|c: char| c.is_whitespace() || "\"'`;&|()<>".contains(c))
        .filter(|part| !part.is_empty())
        .collect();
    // At the deepest level, so that no script within is read once more.
    let found = read(&parts, MAX_DEPTH).into_iter().find_map(|(_, found)| match found {
        Recorded::AsIs => None,
        Recorded::Without(_, sign) => Some(sign),
        Recorded::Script(_, within) => within.first().map(|finding| finding.sign),
    });
    match found {
        Some(sign) => whole(sign),
        None => Recorded::Script(script.to_owned(), Vec::new()),
    }
}

fn whole(sign: Sign) -> Recorded {
    Recorded::Script(REDACTED.to_owned(), vec![Finding { flag: String::new(), sign }])
}

/// Reads words, and the words of substitutions as commands of their own.
struct Reader<'t> {
    text: &'t str,
    at: usize,
    commands: Vec<Vec<Word>>,
}

/// Where a list of commands ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Text,
    Parenthesis,
    Backtick,
}

impl<'t> Reader<'t> {
    /// The commands of a script; nothing when it cannot be read.
    fn commands(text: &'t str) -> Option<Vec<Vec<Word>>> {
        let mut reader = Self { text, at: 0, commands: Vec::new() };
        reader.list(End::Text, 0)?;
        Some(reader.commands)
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn skips(&mut self, start: &str) -> bool {
        let starts = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(start));
        if starts {
            self.at += start.len();
        }
        starts
    }

    /// Reads commands up to the end, and over it.
    fn list(&mut self, end: End, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        let mut words = Vec::new();
        let mut open = 0_usize;
        loop {
            let Some(next) = self.peek() else {
                self.commands.push(words);
                return (end == End::Text).then_some(());
            };
            match next {
                '\\' if self.skips("\\\n") => {}
                ' ' | '\t' | '\r' => self.at += 1,
                '#' => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.next();
                    }
                }
                // A here-document has rules of its own.
                '<' if self.skips("<<") => return None,
                // Redirections belong to the command: `2>&1`, `&>file`.
                '<' | '>' => {
                    self.at += 1;
                    self.skips("&");
                }
                '&' if self.skips("&>") => {}
                '`' if end == End::Backtick => {
                    self.at += 1;
                    self.commands.push(words);
                    return Some(());
                }
                ';' | '&' | '|' | '\n' | '(' | ')' => {
                    self.at += 1;
                    self.commands.push(std::mem::take(&mut words));
                    match next {
                        '(' => open += 1,
                        ')' if open > 0 => open -= 1,
                        ')' if end == End::Parenthesis => return Some(()),
                        _ => {}
                    }
                }
                _ => words.push(self.word(end, depth)?),
            }
        }
    }

    fn word(&mut self, end: End, depth: usize) -> Option<Word> {
        let mut word = Word { start: self.at, ..Word::default() };
        while let Some(next) = self.peek() {
            match next {
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' => break,
                '`' if end == End::Backtick => break,
                '\'' => {
                    self.at += 1;
                    let rest = self.text.get(self.at..)?;
                    let close = rest.find('\'')?;
                    word.value.push_str(rest.get(..close)?);
                    self.at += close + 1;
                }
                '"' => self.double_quoted(&mut word.value, depth)?,
                '\\' => {
                    self.at += 1;
                    word.value.extend(self.next().filter(|c| *c != '\n'));
                }
                // Quotes with escapes of their own.
                '$' if self.skips("$'") => return None,
                '$' | '`' => self.expansion(&mut word.value, depth)?,
                other => {
                    self.at += other.len_utf8();
                    word.value.push(other);
                }
            }
        }
        word.end = self.at;
        Some(word)
    }

    fn double_quoted(&mut self, value: &mut String, depth: usize) -> Option<()> {
        self.at += 1;
        loop {
            match self.peek()? {
                '"' => {
                    self.at += 1;
                    return Some(());
                }
                '\\' => {
                    self.at += 1;
                    let escaped = self.next()?;
                    if !"$`\"\\\n".contains(escaped) {
                        value.push('\\');
                    }
                    value.extend(Some(escaped).filter(|c| *c != '\n'));
                }
                '$' | '`' => self.expansion(value, depth)?,
                other => {
                    self.at += other.len_utf8();
                    value.push(other);
                }
            }
        }
    }

    /// Takes `$name`, `${…}`, `$(…)` or `` `…` `` into the value as it is written.
    fn expansion(&mut self, value: &mut String, depth: usize) -> Option<()> {
        let start = self.at;
        if self.skips("$(") {
            self.list(End::Parenthesis, depth + 1)?;
        } else if self.skips("${") {
            let mut open = 1_usize;
            while open > 0 {
                match self.next()? {
                    '{' => open += 1,
                    '}' => open -= 1,
                    _ => {}
                }
            }
        } else if self.skips("`") {
            self.list(End::Backtick, depth + 1)?;
            // What is escaped within would have to be read twice.
            if self.text.get(start..self.at)?.contains('\\') {
                return None;
            }
        } else {
            self.at += 1;
        }
        value.push_str(self.text.get(start..self.at)?);
        Some(())
    }
}

#[cfg(test)]
mod tests;
