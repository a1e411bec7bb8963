//! The arguments of the benches that are not criterion's.

use crate::Failure;

/// What `cargo bench` and the caller gave.
#[derive(Debug, Default)]
pub struct Options {
    given: Vec<(String, String)>,
    filters: Vec<String>,
    is_bench: bool,
}

impl Options {
    /// Reads `--name value` pairs; other words are filters, as criterion has them.
    ///
    /// # Errors
    /// An option that is not among `known`, or has no value.
    pub fn read(known: &[&str]) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.strip_prefix("--") {
                Some("bench") => options.is_bench = true,
                Some(name) if known.contains(&name) => {
                    let value = words.next().ok_or(format!("expected a value after {word}"))?;
                    options.given.push((name.to_owned(), value));
                }
                Some(_) => {
                    return Err(
                        format!("expected one of --{}, found {word}", known.join(" --")).into()
                    );
                }
                None => options.filters.push(word),
            }
        }
        Ok(options)
    }

    /// Whether this bench was asked for: by `cargo bench`, and by every filter.
    #[must_use]
    pub fn wants(&self, bench: &str) -> bool {
        self.is_bench && self.filters.iter().all(|filter| bench.contains(filter.as_str()))
    }

    /// The words of an option, if it was given.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.given.iter().find(|(given, _)| given == name).map(|(_, text)| text.as_str())
    }

    /// A number, or the list of numbers between commas.
    ///
    /// # Errors
    /// A value that is none.
    pub fn numbers(&self, name: &str, default: &[u64]) -> Result<Vec<u64>, Failure> {
        let Some(text) = self.text(name) else { return Ok(default.to_vec()) };
        text.split(',')
            .map(|n| {
                n.parse().map_err(|_| format!("expected numbers for --{name}, found {text}").into())
            })
            .collect()
    }

    /// One number.
    ///
    /// # Errors
    /// A value that is none.
    pub fn number(&self, name: &str, default: u64) -> Result<u64, Failure> {
        Ok(self.numbers(name, &[default])?.first().copied().unwrap_or(default))
    }
}
