//! When deployments are allowed: weekly hours in UTC, and freezes.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use crate::predicate::UtcTime;

/// What hours look like.
pub const EXPECTED: &str = "days and hours in UTC such as \"mon-fri 08:00-16:00\"";

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

const DAY_MINUTES: u16 = 24 * 60;
const WEEK_MINUTES: u32 = 7 * DAY_MINUTES as u32;

/// A text that names no hours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {EXPECTED}, found {0:?}")]
pub struct HoursError(String);

/// Hours of some days of the week, in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// The first and the last day, from Monday = 0; the last may come before the first.
    days: (u16, u16),
    /// From this minute of the day on.
    from: u16,
    /// Until this minute of the day, not included.
    until: u16,
}

impl Hours {
    /// Whether a moment lies within.
    #[must_use]
    pub fn contains(&self, moment: UtcTime) -> bool {
        self.holds(minute_of_week(moment))
    }

    fn holds(&self, minute: u32) -> bool {
        let day = u16::try_from(minute / u32::from(DAY_MINUTES)).unwrap_or(0);
        let minute = u16::try_from(minute % u32::from(DAY_MINUTES)).unwrap_or(0);
        let (first, last) = self.days;
        let is_day =
            if first <= last { (first..=last).contains(&day) } else { day >= first || day <= last };
        is_day && (self.from..self.until).contains(&minute)
    }
}

/// Whether a moment lies within any of the hours, and for how many seconds that stays so.
#[must_use]
pub fn stays(hours: &[Hours], moment: UtcTime) -> (bool, i64) {
    let now = minute_of_week(moment);
    let is_open = |minute: u32| hours.iter().any(|hours| hours.holds(minute % WEEK_MINUTES));
    let open = is_open(now);
    let minutes = (1..=WEEK_MINUTES).find(|ahead| is_open(now + ahead) != open);
    let minutes = minutes.unwrap_or(WEEK_MINUTES);
    (open, i64::from(minutes) * 60 - moment.unix_seconds().rem_euclid(60))
}

fn minute_of_week(moment: UtcTime) -> u32 {
    let civil = moment.timestamp().to_zoned(TimeZone::UTC).datetime();
    let day = civil.weekday().to_monday_zero_offset().unsigned_abs();
    let (hour, minute) = (civil.hour().unsigned_abs(), civil.minute().unsigned_abs());
    u32::from(day) * u32::from(DAY_MINUTES) + u32::from(hour) * 60 + u32::from(minute)
}

impl FromStr for Hours {
    type Err = HoursError;

    fn from_str(text: &str) -> Result<Self, HoursError> {
        let error = || HoursError(text.chars().take(60).collect());
        let (days, hours) = text.trim().split_once(' ').ok_or_else(error)?;
        let day = |name: &str| {
            let found = DAYS.iter().find(|(short, _)| short.eq_ignore_ascii_case(name));
            found.map(|(_, day)| u16::from(day.to_monday_zero_offset().unsigned_abs()))
        };
        let (first, last) = days.split_once('-').unwrap_or((days, days));
        let days = (day(first).ok_or_else(error)?, day(last).ok_or_else(error)?);
        let (from, until) = hours.trim().split_once('-').ok_or_else(error)?;
        let (from, until) = (minute(from).ok_or_else(error)?, minute(until).ok_or_else(error)?);
        if from >= until {
            return Err(error());
        }
        Ok(Self { days, from, until })
    }
}

/// The minute of the day of `HH:MM`, up to 24:00.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse::<u16>().ok()).flatten()
    };
    let (hour, minute) = (two(hour)?, two(minute)?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= DAY_MINUTES).then_some(total)
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |index: u16| DAYS.get(usize::from(index)).map_or("?", |(name, _)| name);
        let (first, last) = self.days;
        if first == last {
            f.write_str(day(first))?;
        } else {
            write!(f, "{}-{}", day(first), day(last))?;
        }
        let minute = |at: u16| format!("{:02}:{:02}", at / 60, at % 60);
        write!(f, " {}-{}", minute(self.from), minute(self.until))
    }
}

/// A time in which nothing is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// From when on.
    pub from: UtcTime,
    /// Until when, not included.
    pub until: UtcTime,
    /// Why.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UtcTime {
        text.parse().unwrap()
    }

    #[test]
    fn hours_hold_on_their_days_and_not_at_their_end() {
        let week: Hours = "mon-fri 08:00-16:00".parse().unwrap();
        // 2026-11-27 is a Friday.
        for (moment, expected) in [
            ("2026-11-27T08:00:00Z", true),
            ("2026-11-27T15:59:59Z", true),
            ("2026-11-27T16:00:00Z", false),
            ("2026-11-28T10:00:00Z", false),
        ] {
            assert_eq!(week.contains(at(moment)), expected, "{moment}");
        }
        let around: Hours = "sat-mon 00:00-24:00".parse().unwrap();
        assert!(around.contains(at("2026-11-29T23:59:59Z")));
        assert!(around.contains(at("2026-11-30T00:00:00Z")));
        assert!(!around.contains(at("2026-11-27T10:00:00Z")));
        assert_eq!(week.to_string(), "mon-fri 08:00-16:00");
    }

    #[test]
    fn tells_how_long_it_stays_open_or_closed() {
        let week = ["mon-fri 08:00-16:00".parse().unwrap()];
        assert_eq!(stays(&week, at("2026-11-27T15:59:30Z")), (true, 30));
        assert_eq!(stays(&week, at("2026-11-27T16:00:00Z")), (false, 64 * 3_600));
        assert!(!stays(&[], at("2026-11-27T16:00:00Z")).0);
    }

    #[test]
    fn refuses_hours_that_never_are() {
        for text in [
            "",
            "mon",
            "mon 8-16",
            "mon 16:00-08:00",
            "mon 08:00-08:00",
            "xyz 08:00-09:00",
            "mon 08:00-24:01",
            "mon 08:60-09:00",
            "mon-fri-sat 08:00-09:00",
        ] {
            assert!(text.parse::<Hours>().is_err(), "{text}");
        }
    }
}
