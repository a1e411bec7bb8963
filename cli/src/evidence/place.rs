//! Paths as reports name them, and what of them belongs to the machine on which the tool ran.

/// A path of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Relative to what was analysed.
    Relative(String),
    /// Absolute on the machine on which the tool ran.
    Absolute(String),
}

impl Place {
    /// Reads a path, or a `file` URI.
    pub(super) fn of(text: &str) -> Self {
        let path = match text.strip_prefix("file:") {
            Some(rest) => file_path(rest),
            None => text.to_owned(),
        };
        let path = path.strip_prefix("./").map(str::to_owned).unwrap_or(path);
        if is_absolute(&path) { Self::Absolute(path) } else { Self::Relative(path) }
    }

    /// The path relative to one of `bases`, which are paths or `file` URIs of folders.
    pub(super) fn relative_to<'b>(self, bases: impl IntoIterator<Item = &'b str>) -> Self {
        let Self::Absolute(path) = &self else { return self };
        let parts: Vec<&str> = parts(path).collect();
        let strip = |base: &str| {
            let Self::Absolute(base) = Self::of(base) else { return None };
            let base: Vec<&str> = self::parts(&base).collect();
            let within = parts.starts_with(&base);
            parts.get(base.len()..).filter(|rest| within && !rest.is_empty())
        };
        // The longest base gives the shortest path.
        match bases.into_iter().filter_map(strip).min_by_key(|rest| rest.len()) {
            Some(rest) => Self::Relative(rest.join("/")),
            None => self,
        }
    }

    /// The path, whichever it is.
    pub(super) fn into_path(self) -> String {
        match self {
            Self::Relative(path) | Self::Absolute(path) => path,
        }
    }

    /// The path if it is relative, else only the last name in it.
    pub(super) fn shortened(self) -> String {
        match self {
            Self::Relative(path) => path,
            Self::Absolute(path) => parts(&path).next_back().unwrap_or_default().to_owned(),
        }
    }
}

/// How many absolute paths a report names. None of them is kept to be told: a secret may be in one,
/// and what the secrets are is known only when all of a report is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Absolutes {
    count: u64,
}

impl Absolutes {
    /// Counts `place` if it is absolute.
    pub(super) fn note(&mut self, place: &Place) {
        if matches!(place, Place::Absolute(_)) {
            self.count += 1;
        }
    }

    /// What a person should know: that `what` name them, and what was done about it. Where
    /// the report shows secrets, they are taken out of paths, too.
    pub(super) fn warning(&self, what: &str, done: &str) -> Option<String> {
        let Self { count } = self;
        (*count > 0).then(|| {
            format!(
                "{count} {what} name absolute paths of the machine on which the tool ran: but for what is redacted, {done}"
            )
        })
    }
}

fn parts(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".")
}

fn is_absolute(path: &str) -> bool {
    let drive = |path: &str| {
        let mut characters = path.chars();
        characters.next().is_some_and(|c| c.is_ascii_alphabetic())
            && characters.next() == Some(':')
            && matches!(characters.next(), Some('/' | '\\'))
    };
    path.starts_with(['/', '\\']) || drive(path)
}

/// The path of a `file` URI (RFC 8089), without `file:`. Some tools write a relative path where the
/// host should stand.
fn file_path(rest: &str) -> String {
    let Some(rest) = rest.strip_prefix("//") else { return decode(rest) };
    let path = rest.strip_prefix("localhost").filter(|path| path.starts_with('/')).unwrap_or(rest);
    let path = decode(path);
    // `/C:/folder` is `C:/folder`.
    match path.strip_prefix('/') {
        Some(drive) if is_absolute(drive) && !drive.starts_with('/') => drive.to_owned(),
        _ => path,
    }
}

/// Decodes percent-encoding (RFC 3986 §2.1); what is not UTF-8 then is left as it is.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = match (byte, after) {
            (b'%', [high, low, ..]) => hex::decode([*high, *low]).ok(),
            _ => None,
        };
        match escaped {
            Some(escaped) => {
                bytes.extend(escaped);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_relative_from_absolute_paths() {
        let relative = |path: &str| Place::Relative(path.to_owned());
        let absolute = |path: &str| Place::Absolute(path.to_owned());
        for (text, expected) in [
            ("src/a.rs", relative("src/a.rs")),
            ("./src/a.rs", relative("src/a.rs")),
            ("file://manifests/a.yaml", relative("manifests/a.yaml")),
            ("file:///home/me/a%20b.c", absolute("/home/me/a b.c")),
            ("file://localhost/home/a", absolute("/home/a")),
            ("file:/home/a", absolute("/home/a")),
            ("file:///C:/code/file1.c", absolute("C:/code/file1.c")),
            ("/etc/passwd", absolute("/etc/passwd")),
            ("C:\\code\\a.c", absolute("C:\\code\\a.c")),
            ("\\\\host\\share\\a", absolute("\\\\host\\share\\a")),
            ("https://example.com/a", relative("https://example.com/a")),
            ("a:b", relative("a:b")),
            ("", relative("")),
        ] {
            assert_eq!(Place::of(text), expected, "{text}");
        }
    }

    #[test]
    fn takes_the_machine_s_part_off_where_it_is_known() {
        let check = |text: &str, bases: &[&str], expected: &str| {
            let place = Place::of(text).relative_to(bases.iter().copied());
            assert_eq!(place.into_path(), expected, "{text}");
        };
        check("/home/me/repo/src/a.rs", &["file:///home/me/", "/home/me/repo"], "src/a.rs");
        check("C:\\code\\src\\a.c", &["file:///C:/code"], "src/a.c");
        check("/home/me/repo2/a", &["/home/me/repo"], "/home/me/repo2/a");
        check("/home/me", &["/home/me"], "/home/me");
        check("src/a", &["/home"], "src/a");
        check("/a/b", &["relative"], "/a/b");
        assert_eq!(Place::of("/home/me/nginx.yaml").shortened(), "nginx.yaml");
        assert_eq!(Place::of("charts/nginx.yaml").shortened(), "charts/nginx.yaml");
    }

    #[test]
    fn counts_absolute_paths_and_tells_none_because_a_secret_may_be_in_it() {
        let mut absolutes = Absolutes::default();
        assert_eq!(absolutes.warning("results", "kept"), None);
        for text in ["a", "/b/hunter22", "/d"] {
            absolutes.note(&Place::of(text));
        }
        let warning = absolutes.warning("results", "kept").unwrap();
        assert!(warning.starts_with("2 results name absolute paths"), "{warning}");
        assert!(!warning.contains("hunter22"), "{warning}");
        assert!(warning.ends_with(": but for what is redacted, kept"), "{warning}");
    }

    #[test]
    fn decodes_what_is_encoded_and_nothing_else() {
        for (text, expected) in [
            ("a%20b", "a b"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("%ff", "%ff"),
            ("%C3%A4", "ä"),
        ] {
            assert_eq!(decode(text), expected);
        }
    }
}
