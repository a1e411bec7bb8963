//! How bad a failure is, from the words and numbers of the tools.

use attestry_schemas::predicate::attestry::environment::CheckSeverity;

/// Reads a word, in whatever case, or a score from 0 to 10 (CVSS v3.1 §5).
pub(super) fn severity(text: Option<&str>) -> CheckSeverity {
    let text = text.unwrap_or_default().trim().to_ascii_lowercase();
    match text.as_str() {
        "critical" => CheckSeverity::Critical,
        "high" | "danger" | "error" => CheckSeverity::High,
        "medium" | "moderate" | "warning" => CheckSeverity::Medium,
        "low" | "note" => CheckSeverity::Low,
        "info" | "informational" | "negligible" | "none" | "ignore" => CheckSeverity::Info,
        score => score.parse().map_or(CheckSeverity::Unknown, of_score),
    }
}

/// The severity of a score from 0 to 10.
pub(super) fn of_score(score: f64) -> CheckSeverity {
    match score {
        score if score >= 9.0 => CheckSeverity::Critical,
        score if score >= 7.0 => CheckSeverity::High,
        score if score >= 4.0 => CheckSeverity::Medium,
        score if score > 0.0 => CheckSeverity::Low,
        _ => CheckSeverity::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_words_and_scores() {
        use CheckSeverity::{Critical, High, Info, Low, Medium, Unknown};
        for (text, expected) in [
            (Some("CRITICAL"), Critical),
            (Some("High"), High),
            (Some("danger"), High),
            (Some("moderate"), Medium),
            (Some("LOW"), Low),
            (Some("NONE"), Info),
            (Some("9.8"), Critical),
            (Some("7"), High),
            (Some("4.0"), Medium),
            (Some("0.1"), Low),
            (Some("0"), Unknown),
            (Some("NaN"), Unknown),
            (Some("grave"), Unknown),
            (None, Unknown),
        ] {
            assert_eq!(severity(text), expected, "{text:?}");
        }
    }
}
