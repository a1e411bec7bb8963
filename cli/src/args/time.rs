//! Moments as arguments: a time, or how long from now or before now.

use std::fmt;
use std::str::FromStr;

use attestry_schemas::document::Duration;
use attestry_schemas::predicate::UtcTime;
use jiff::{SignedDuration, Timestamp};

use super::Since;

/// Why a moment was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MomentError {
    /// The text is neither.
    #[error(
        "expected a time such as 2026-01-31 or 2026-01-31T12:00:00Z, or a length of time such as 30d or 2h, found {found:?}"
    )]
    Text {
        /// The text.
        found: String,
    },
    /// The moment is later, or earlier, than times go.
    #[error("expected a moment that a calendar has, found {0}")]
    Range(Duration),
}

/// A time, or a length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    Time(Since),
    Length(Duration),
}

impl FromStr for Given {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        let length = || text.parse().ok().map(Self::Length);
        let given = text.parse().ok().map(Self::Time).or_else(length);
        given.ok_or_else(|| MomentError::Text { found: text.to_owned() })
    }
}

/// A moment to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Until(Given);

impl Until {
    /// The moment itself; of a length of time, so long after `now`, in whole seconds.
    ///
    /// # Errors
    /// [`MomentError::Range`].
    pub(crate) fn moment(self, now: Timestamp) -> Result<UtcTime, MomentError> {
        match self.0 {
            Given::Time(time) => Ok(time.moment()),
            Given::Length(length) => moved(now, length, length.seconds()),
        }
    }
}

impl FromStr for Until {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        text.parse().map(Self)
    }
}

/// A moment that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Past(Given);

impl Past {
    /// The moment itself; of a length of time, so long before `now`, in whole seconds.
    ///
    /// # Errors
    /// [`MomentError::Range`].
    pub(crate) fn moment(self, now: Timestamp) -> Result<UtcTime, MomentError> {
        match self.0 {
            Given::Time(time) => Ok(time.moment()),
            Given::Length(length) => moved(now, length, -length.seconds()),
        }
    }
}

impl FromStr for Past {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        text.parse().map(Self)
    }
}

fn moved(now: Timestamp, length: Duration, seconds: i64) -> Result<UtcTime, MomentError> {
    let range = |_| MomentError::Range(length);
    let whole = Timestamp::from_second(now.as_second()).map_err(range)?;
    let moment = whole.checked_add(SignedDuration::from_secs(seconds)).map_err(range)?;
    Ok(moment.into())
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => time.fmt(f),
            Self::Length(length) => length.fmt(f),
        }
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_a_length_of_time_from_now_in_whole_seconds() {
        let now: Timestamp = "2026-10-01T12:00:00.25Z".parse().unwrap();
        for (text, until, past) in [
            ("2026-10-03", "2026-10-03T00:00:00Z", "2026-10-03T00:00:00Z"),
            ("2026-10-03T08:00:00Z", "2026-10-03T08:00:00Z", "2026-10-03T08:00:00Z"),
            ("2d", "2026-10-03T12:00:00Z", "2026-09-29T12:00:00Z"),
        ] {
            let found = text.parse::<Until>().unwrap().moment(now).unwrap();
            assert_eq!(found.to_string(), until);
            let found = text.parse::<Past>().unwrap().moment(now).unwrap();
            assert_eq!(found.to_string(), past);
        }
        for text in ["", "soon", "0d", "-1d"] {
            assert!(text.parse::<Until>().is_err(), "{text}");
        }
        let last = Timestamp::MAX;
        assert!("2d".parse::<Until>().unwrap().moment(last).is_err());
    }
}
