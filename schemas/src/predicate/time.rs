//! Times as predicates write them: RFC 3339.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Why a text is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an RFC 3339 time in UTC such as 2026-01-31T09:30:00Z, found {found:?}")]
pub struct TimeError {
    /// The text as it was given, shortened.
    pub found: String,
}

/// A moment, written in RFC 3339 with the offset `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcTime(Timestamp);

impl UtcTime {
    /// The moment itself.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        self.0
    }

    /// The moment of an RFC 3339 time with any offset, as predicates that are not ours may write it.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        parse_rfc3339(text).map(Self)
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded towards the past.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        self.0.as_nanosecond().div_euclid(1_000_000_000).try_into().unwrap_or(i64::MAX)
    }
}

impl From<Timestamp> for UtcTime {
    fn from(moment: Timestamp) -> Self {
        Self(moment)
    }
}

impl fmt::Display for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for UtcTime {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let error = || TimeError { found: text.chars().take(80).collect() };
        if !text.ends_with('Z') {
            return Err(error());
        }
        parse_rfc3339(text).map(Self).ok_or_else(error)
    }
}

impl Serialize for UtcTime {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UtcTime {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for UtcTime {
    fn schema_name() -> Cow<'static, str> {
        "UtcTime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A moment in RFC 3339, in UTC, with the offset Z.",
            "type": "string",
            "format": "date-time",
            "pattern": "Z$"
        })
    }
}

/// Reads an RFC 3339 date-time with any offset (RFC 3339 §5.6); nothing when it is not one.
///
/// The shape is checked first, because jiff also reads forms that RFC 3339 does not have.
pub(super) fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    const SHAPE: &[u8; 19] = b"dddd-dd-ddTdd:dd:dd";
    let (head, tail) = text.as_bytes().split_at_checked(SHAPE.len())?;
    let head_fits = head.iter().zip(SHAPE).all(|(byte, shape)| match shape {
        b'd' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't'),
        _ => byte == shape,
    });
    let offset = match tail.strip_prefix(b".") {
        Some(fraction) => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            // RFC 3339 bounds no fraction; nanoseconds are what a clock gives.
            if !(1..=9).contains(&digits) {
                return None;
            }
            fraction.get(digits..)?
        }
        None => tail,
    };
    let offset_fits = match offset {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit()),
        _ => false,
    };
    if head_fits && offset_fits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rfc3339_and_nothing_that_only_resembles_it() {
        for good in [
            "1985-04-12T23:20:50.52Z",
            "2023-07-17T18:28:47.696004345-06:00",
            "2024-02-29T00:00:00Z",
            "2024-01-01t00:00:00z",
        ] {
            assert!(parse_rfc3339(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "2024-01-01",
            "2024-01-01 00:00:00Z",
            "2024-01-01T00:00Z",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00+0100",
            "2024-01-01T00:00:00.Z",
            "2023-02-29T00:00:00Z",
            "2024-01-01T25:00:00Z",
            "2024-01-01T00:00:00Z[UTC]",
            "2024-01-01T00:00:0éZ",
        ] {
            assert!(parse_rfc3339(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn our_own_times_are_in_utc_and_round_trip() {
        let time: UtcTime = "1985-04-12T23:20:50.52Z".parse().unwrap();
        assert_eq!(time.to_string(), "1985-04-12T23:20:50.52Z");
        assert_eq!(time.unix_seconds(), 482_196_050);
        for bad in ["1985-04-12T23:20:50+00:00", "yesterday"] {
            assert!(bad.parse::<UtcTime>().unwrap_err().to_string().contains(bad));
        }
    }
}
