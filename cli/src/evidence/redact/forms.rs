//! Many texts, looked for at once.

use std::borrow::Cow;
use std::collections::HashMap;

/// How many bytes a text must have to be looked for: shorter ones are in everything.
pub(super) const MIN_BYTES: usize = 4;
/// What stands where a text was taken out.
pub(in crate::evidence) const REDACTED: &str = "REDACTED";

/// Texts that are looked for in others. The time for a text grows with its length, whatever the
/// number of texts that are looked for.
pub(super) struct Forms {
    /// By their first bytes; the longest first.
    by_start: HashMap<[u8; MIN_BYTES], Vec<String>>,
    /// One bit for each pair of bytes that begins one of them.
    pairs: Vec<u64>,
}

impl Forms {
    /// The texts of at least [`MIN_BYTES`]; others cannot be looked for.
    pub(super) fn new(texts: impl IntoIterator<Item = String>) -> Self {
        let mut forms = Self { by_start: HashMap::new(), pairs: vec![0; 1 << 10] };
        for text in texts {
            let Some(start) = text.as_bytes().first_chunk::<MIN_BYTES>().copied() else { continue };
            let pair = pair(start);
            if let Some(word) = forms.pairs.get_mut(pair / 64) {
                *word |= 1 << (pair % 64);
            }
            forms.by_start.entry(start).or_default().push(text);
        }
        for texts in forms.by_start.values_mut() {
            texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
            texts.dedup();
        }
        forms
    }

    /// Whether one of the texts is in `text`.
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.first_in(text).is_some()
    }

    /// `text` with [`REDACTED`] in the place of each of the texts. Where the word and its
    /// neighbours happen to make up one of them again, the word is all that is left.
    pub(super) fn replace<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(first) = self.first_in(text) else { return Cow::Borrowed(text) };
        let (mut clean, mut rest, mut next) =
            (String::with_capacity(text.len()), text, Some(first));
        while let Some((start, length)) = next {
            clean.push_str(rest.get(..start).unwrap_or_default());
            clean.push_str(REDACTED);
            rest = rest.get(start + length..).unwrap_or_default();
            next = self.first_in(rest);
        }
        clean.push_str(rest);
        if self.is_in(&clean) { Cow::Borrowed(REDACTED) } else { Cow::Owned(clean) }
    }

    /// Where the first of the texts is, and how long it is.
    fn first_in(&self, text: &str) -> Option<(usize, usize)> {
        let bytes = text.as_bytes();
        bytes.windows(MIN_BYTES).enumerate().find_map(|(index, window)| {
            let start = *window.first_chunk::<MIN_BYTES>()?;
            let pair = pair(start);
            if self.pairs.get(pair / 64)? & (1 << (pair % 64)) == 0 {
                return None;
            }
            let rest = bytes.get(index..)?;
            let found =
                self.by_start.get(&start)?.iter().find(|form| rest.starts_with(form.as_bytes()))?;
            Some((index, found.len()))
        })
    }
}

fn pair([first, second, ..]: [u8; MIN_BYTES]) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_the_longest_text_at_each_place() {
        let forms = Forms::new(["hunter2", "hunter22", "pass", "ßecret", "abc"].map(str::to_owned));
        for (text, expected) in [
            ("nothing", "nothing"),
            ("hunter2", "REDACTED"),
            ("xhunter22y hunter2", "xREDACTEDy REDACTED"),
            ("password", "REDACTEDword"),
            ("ein ßecret", "ein REDACTED"),
            ("abc", "abc"),
            ("hunter", "hunter"),
        ] {
            assert_eq!(forms.replace(text), expected, "{text}");
            assert_eq!(forms.is_in(text), text != expected, "{text}");
        }
    }

    #[test]
    fn leaves_nothing_that_comes_about_by_replacing() {
        let forms = Forms::new(["1234", "aREDA", "TEDb"].map(str::to_owned));
        assert_eq!(forms.replace("a1234 and more"), REDACTED);
        assert_eq!(forms.replace("x1234b"), REDACTED);
        assert_eq!(forms.replace("x1234x"), "xREDACTEDx");
    }
}
