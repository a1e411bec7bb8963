//! The base score of a CVSS version 3 vector.
//!
//! Some reports state only the vector, while people and policies speak of the score. FIRST's
//! Common Vulnerability Scoring System v3.1, section 7.1, defines the one by the other. Other
//! versions, temporal and environmental metrics are not this module's business.

/// The base score of a vector of CVSS 3.0 or 3.1, 0.0 to 10.0; nothing for any other text.
#[must_use]
pub fn base_score(vector: &str) -> Option<f64> {
    let metrics = vector.strip_prefix("CVSS:3.0/").or_else(|| vector.strip_prefix("CVSS:3.1/"))?;
    let value = |name: &str| {
        metrics.split('/').find_map(|metric| metric.split_once(':').filter(|(n, _)| *n == name))
    };
    let word = |name: &str| value(name).map(|(_, word)| word);

    let changed = match word("S")? {
        "U" => false,
        "C" => true,
        _ => return None,
    };
    let access = match word("AV")? {
        "N" => 0.85,
        "A" => 0.62,
        "L" => 0.55,
        "P" => 0.2,
        _ => return None,
    };
    let complexity = match word("AC")? {
        "L" => 0.77,
        "H" => 0.44,
        _ => return None,
    };
    let privileges = match (word("PR")?, changed) {
        ("N", _) => 0.85,
        ("L", false) => 0.62,
        ("L", true) => 0.68,
        ("H", false) => 0.27,
        ("H", true) => 0.5,
        _ => return None,
    };
    let interaction = match word("UI")? {
        "N" => 0.85,
        "R" => 0.62,
        _ => return None,
    };
    let lost = |name: &str| match word(name)? {
        "H" => Some(0.56),
        "L" => Some(0.22),
        "N" => Some(0.0),
        _ => None,
    };

    let kept: f64 = (1.0 - lost("C")?) * (1.0 - lost("I")?) * (1.0 - lost("A")?);
    let sub_score = 1.0 - kept;
    let impact = if changed {
        7.52 * (sub_score - 0.029) - 3.25 * (sub_score - 0.02).powi(15)
    } else {
        6.42 * sub_score
    };
    if impact <= 0.0 {
        return Some(0.0);
    }
    let exploitability = 8.22 * access * complexity * privileges * interaction;
    let sum = impact + exploitability;
    Some(round_up(if changed { (1.08 * sum).min(10.0) } else { sum.min(10.0) }))
}

/// Appendix A of version 3.1: rounding up to one decimal on integers, so that every machine gives
/// the same.
fn round_up(score: f64) -> f64 {
    let scaled = (score * 100_000.0).round();
    if scaled % 10_000.0 == 0.0 {
        scaled / 100_000.0
    } else {
        ((scaled / 10_000.0).floor() + 1.0) / 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_as_the_vulnerability_database_does() {
        for (vector, expected) in [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Some(9.8)),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", Some(10.0)),
            ("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H", Some(8.1)),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N", Some(5.3)),
            ("CVSS:3.0/AV:N/AC:H/PR:N/UI:N/S:U/C:N/I:L/A:N", Some(3.7)),
            ("CVSS:3.1/AV:N/AC:L/PR:L/UI:R/S:C/C:L/I:L/A:N", Some(5.4)),
            ("CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:C/C:N/I:N/A:H", Some(6.0)),
            ("CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:P/RL:O", Some(6.8)),
            ("CVSS:3.1/AV:A/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", Some(0.0)),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H", None),
            ("CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", None),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", None),
            ("AV:N/AC:L/Au:N/C:P/I:N/A:N", None),
            ("", None),
        ] {
            assert_eq!(base_score(vector), expected, "{vector}");
        }
    }
}
