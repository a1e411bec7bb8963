//! Times as reports write them, as predicates want them: RFC 3339 in UTC.

use attestry_schemas::predicate::UtcTime;

/// Reads an RFC 3339 time with any offset, with `T` or a space, with up to nine digits of a
/// second's fraction. Nothing for what is no moment, such as a time without an offset, and for
/// Go's zero time.
pub(crate) fn utc(text: &str) -> Option<UtcTime> {
    let moment: jiff::Timestamp = text.trim().parse().ok()?;
    (moment.as_second() > GO_ZERO_S).then(|| UtcTime::from(moment))
}

/// `0001-01-01T00:00:00Z`, which Go programs write for no time.
const GO_ZERO_S: i64 = -62_135_596_800;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_every_moment_in_utc() {
        for (text, expected) in [
            ("2024-02-22T19:46:26.372724916+01:00", Some("2024-02-22T18:46:26.372724916Z")),
            ("2026-01-31T12:00:00Z", Some("2026-01-31T12:00:00Z")),
            (" 2026-01-31 12:00:00+00:00 ", Some("2026-01-31T12:00:00Z")),
            ("0001-01-01T00:00:00Z", None),
            ("2026-01-31T12:00:00", None),
            ("2026-01-31", None),
            ("", None),
        ] {
            assert_eq!(utc(text).map(|t| t.to_string()).as_deref(), expected, "{text}");
        }
    }
}
