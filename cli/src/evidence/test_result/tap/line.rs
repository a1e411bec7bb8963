//! One line of TAP, without the spaces that indent it.

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Blank,
    Comment,
    /// `TAP version 14`
    Version,
    Plan(Plan),
    Point(Point<'a>),
    /// Why it bailed out.
    BailOut(&'a str),
    /// `---`
    YamlStart,
    /// `...`
    YamlEnd,
    /// `{` after a test point: its subtest follows.
    Brace,
    /// `}`
    BraceEnd,
    /// No TAP.
    Other,
}

/// `1..3`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Plan {
    /// How many tests it plans; none for `1..0`.
    pub(super) fn tests(self) -> u64 {
        self.last.saturating_add(1).saturating_sub(self.first)
    }
}

/// `not ok 2 - description # Todo later`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Point<'a> {
    pub(super) ok: bool,
    pub(super) number: Option<u64>,
    /// As it is written, with escapes.
    pub(super) description: &'a str,
    pub(super) directive: Option<Directive>,
    /// Whether a subtest in braces may follow.
    pub(super) braces: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Directive {
    Skip,
    Todo,
}

impl<'a> Line<'a> {
    pub(super) fn of(line: &'a str) -> Self {
        let line = line.trim_end();
        match line {
            "" => return Self::Blank,
            "---" => return Self::YamlStart,
            "..." => return Self::YamlEnd,
            "{" => return Self::Brace,
            "}" => return Self::BraceEnd,
            _ if line.starts_with('#') => return Self::Comment,
            _ => {}
        }
        if let Some(point) = Point::of(line) {
            return Self::Point(point);
        }
        if let Some(plan) = plan(line) {
            return Self::Plan(plan);
        }
        if let Some(version) = strip_word(line, "tap version ")
            && version.parse::<u64>().is_ok()
        {
            return Self::Version;
        }
        strip_word(line, "bail out!").map_or(Self::Other, |why| Self::BailOut(why.trim()))
    }
}

/// What follows `word`, which is in small letters, however it is written in `text`.
fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (found, rest) = text.split_at_checked(word.len())?;
    found.eq_ignore_ascii_case(word).then_some(rest)
}

fn plan(line: &str) -> Option<Plan> {
    let (first, rest) = line.split_once("..")?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (last, rest) = rest.split_at_checked(end)?;
    let rest = rest.trim_start();
    if !(rest.is_empty() || rest.starts_with('#')) || !first.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(Plan { first: first.parse().ok()?, last: last.parse().ok()? })
}

impl<'a> Point<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let (ok, rest) = match line.strip_prefix("not ok") {
            Some(rest) => (false, rest),
            None => (true, line.strip_prefix("ok")?),
        };
        let text = rest.trim_start();
        if text.len() == rest.len() && !rest.is_empty() {
            return None;
        }
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (word, after) = text.split_at_checked(end)?;
        let numeric = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        let (number, text) = match word.parse().ok().filter(|_| numeric) {
            Some(number) => (Some(number), after.trim_start()),
            None => (None, text),
        };
        let text = text.strip_prefix('-').map_or(text, |rest| {
            if rest.is_empty() || rest.starts_with(' ') { rest.trim_start() } else { text }
        });
        let (description, directive) = directive(text);
        let braces = text == "{" || text.ends_with(" {");
        Some(Self { ok, number, description, directive, braces })
    }

    /// The description without escapes. A backslash before `#` is one in every version, and before
    /// a backslash only where `escapes` says so.
    pub(super) fn name(&self, escapes: bool) -> String {
        let mut name = String::with_capacity(self.description.len());
        let mut chars = self.description.chars().peekable();
        while let Some(c) = chars.next() {
            let escaped = |next: &char| *next == '#' || (escapes && *next == '\\');
            name.push(if c == '\\' { chars.next_if(escaped).unwrap_or(c) } else { c });
        }
        name
    }
}

/// Parts a description from what follows it: a directive, or the time that tapjs writes. Another
/// `#` is part of the description.
fn directive(text: &str) -> (&str, Option<Directive>) {
    let mut end = None;
    for (at, _) in text.match_indices('#') {
        let (Some(before), Some(after)) = (text.get(..at), text.get(at + 1..)) else { continue };
        if !before.is_empty() && !before.ends_with(char::is_whitespace) {
            continue;
        }
        let after = after.trim_start();
        let todo = strip_word(after, "todo")
            .filter(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
        let found = match strip_word(after, "skip") {
            Some(_) => Some(Directive::Skip),
            None => todo.map(|_| Directive::Todo),
        };
        if found.is_some() {
            return (end.unwrap_or(before).trim_end(), found);
        }
        if after.starts_with("time=") {
            end.get_or_insert(before);
        }
    }
    (end.unwrap_or(text).trim_end(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(line: &str) -> (bool, Option<u64>, String, Option<Directive>, bool) {
        match Line::of(line) {
            Line::Point(point) => {
                (point.ok, point.number, point.name(true), point.directive, point.braces)
            }
            other => panic!("expected a test point in {line}, found {other:?}"),
        }
    }

    #[test]
    fn reads_test_points() {
        use Directive::{Skip, Todo};
        for (line, ok, number, name, directive) in [
            ("ok", true, None, "", None),
            ("not ok", false, None, "", None),
            ("ok 1", true, Some(1), "", None),
            ("not ok 2 - what fails \r", false, Some(2), "what fails", None),
            ("ok 3 plain", true, Some(3), "plain", None),
            ("ok - no number", true, None, "no number", None),
            ("ok 4 - -x is a flag", true, Some(4), "-x is a flag", None),
            ("ok 5 -x", true, Some(5), "-x", None),
            ("ok 6 - 7 dwarfs", true, Some(6), "7 dwarfs", None),
            ("ok +7 - a", true, None, "+7 - a", None),
            ("ok 7th", true, None, "7th", None),
            ("ok 8 # SKIP no network", true, Some(8), "", Some(Skip)),
            ("ok 9 - a # skipped", true, Some(9), "a", Some(Skip)),
            ("not ok 10 - b # ToDo: later", false, Some(10), "b", Some(Todo)),
            ("ok 11 - c # todos", true, Some(11), "c # todos", None),
            ("ok 12 - C# skip list", true, Some(12), "C# skip list", None),
            ("ok 13 - issue #42 fixed", true, Some(13), "issue #42 fixed", None),
            (r"ok 14 - a \# SKIP b \\ c", true, Some(14), r"a # SKIP b \ c", None),
            ("ok 15 - d # time=1.5ms", true, Some(15), "d", None),
            ("ok 16 - e # time=1ms # SKIP", true, Some(16), "e", Some(Skip)),
            ("ok 17 - f # SKIP # time=1ms", true, Some(17), "f", Some(Skip)),
            ("ok 18 - ünïcode", true, Some(18), "ünïcode", None),
        ] {
            let expected = (ok, number, name.to_owned(), directive, false);
            assert_eq!(point(line), expected, "{line}");
        }
        assert_eq!(point("ok 1 - a # time=2ms {"), (true, Some(1), "a".to_owned(), None, true));
        assert_eq!(point("ok 1 - a {"), (true, Some(1), "a {".to_owned(), None, true));
        let Line::Point(point) = Line::of(r"ok 1 - a\\b\#") else { panic!("expected a point") };
        assert_eq!(point.name(false), r"a\\b#");
    }

    #[test]
    fn reads_other_lines() {
        let plan = |first, last| Line::Plan(Plan { first, last });
        for (line, expected) in [
            (" ", Line::Blank),
            ("# Subtest: a", Line::Comment),
            ("TAP version 13", Line::Version),
            ("tap Version 14\r", Line::Version),
            ("TAP version x", Line::Other),
            ("1..3", plan(1, 3)),
            ("1..0 # SKIP all", plan(1, 0)),
            ("1..0# no", plan(1, 0)),
            ("1..3 tests", Line::Other),
            ("1..N", Line::Other),
            ("..", Line::Other),
            ("1..99999999999999999999", Line::Other),
            ("Bail out!", Line::BailOut("")),
            ("bail Out! no disk", Line::BailOut("no disk")),
            ("okay", Line::Other),
            ("ok: 3", Line::Other),
            ("not okay", Line::Other),
            (" ok 1", Line::Other),
            ("pragma +strict", Line::Other),
            ("---", Line::YamlStart),
            ("...", Line::YamlEnd),
            ("{", Line::Brace),
            ("}", Line::BraceEnd),
            ("é", Line::Other),
        ] {
            assert_eq!(Line::of(line), expected, "{line}");
        }
        for (first, last, tests) in [(1, 3, 3), (1, 0, 0), (5, 8, 4), (0, u64::MAX, u64::MAX)] {
            assert_eq!(Plan { first, last }.tests(), tests);
        }
    }
}
