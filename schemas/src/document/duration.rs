//! A length of time as people write it: a whole number and a unit, such as `30d`.

use std::fmt;
use std::str::FromStr;

/// What a length of time looks like.
pub const EXPECTED: &str = "a length of time such as 30d, 12h, 15m or 90s";

/// The longest: a hundred years.
const MAX_SECONDS: i64 = 100 * 366 * 86_400;

const UNITS: [(char, i64); 5] =
    [('w', 7 * 86_400), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// A text that is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {EXPECTED}, found {0:?}")]
pub struct DurationError(String);

/// A length of time in whole seconds, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(i64);

impl Duration {
    /// Its seconds.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0
    }
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let error = || DurationError(text.chars().take(40).collect());
        let unit = text.chars().last().ok_or_else(error)?;
        let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(error)?;
        let number = text.get(..text.len() - unit.len_utf8()).ok_or_else(error)?;
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(error());
        }
        let number: i64 = number.parse().map_err(|_| error())?;
        match number.checked_mul(*seconds) {
            Some(total @ 1..=MAX_SECONDS) => Ok(Self(total)),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&lasting(self.0))
    }
}

/// Seconds in the largest two units that tell them, such as `2d 3h`.
#[must_use]
pub fn lasting(seconds: i64) -> String {
    let mut rest = seconds.max(0);
    let mut parts = Vec::new();
    for (name, unit) in UNITS.iter().skip(1) {
        if rest >= *unit && parts.len() < 2 {
            parts.push(format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_units_and_refuses_the_rest() {
        for (text, seconds) in [("30d", 2_592_000), ("2w", 1_209_600), ("90s", 90), ("15m", 900)] {
            assert_eq!(text.parse::<Duration>().unwrap().seconds(), seconds);
        }
        for text in ["", "d", "0d", "-1d", "+1d", "1", "1.5h", "1 d", "1y", "999999999w", "１d"] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
        assert_eq!("36h".parse::<Duration>().unwrap().to_string(), "1d 12h");
        assert_eq!(lasting(90_061), "1d 1h");
        assert_eq!(lasting(0), "0s");
    }
}
