//! What the tools look for that write SARIF.
//!
//! SARIF does not say what a result is about. The tool's name does, where the tool does one thing;
//! where it does several, its rules do.

use super::log::Rule;
use crate::evidence::scanner;

/// What a result is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::evidence) enum Kind {
    /// A known vulnerability of a package.
    Vulnerabilities,
    /// A secret in a file.
    Secrets,
    /// The configuration of an environment.
    Configuration,
    /// Anything else.
    Analysis,
}

impl Kind {
    /// The name of the format, as `--type` takes it.
    pub(in crate::evidence) fn format(self) -> &'static str {
        match self {
            Self::Vulnerabilities => "sarif-vulns",
            Self::Secrets => "sarif-secrets",
            Self::Configuration => "sarif-config",
            Self::Analysis => "sarif",
        }
    }

    /// What the format is called.
    pub(in crate::evidence) fn title(self) -> &'static str {
        match self {
            Self::Vulnerabilities => "SARIF of a vulnerability scanner",
            Self::Secrets => "SARIF of a secret scanner",
            Self::Configuration => "SARIF of a configuration scanner",
            Self::Analysis => "SARIF of a static analysis",
        }
    }

    /// What its results are called.
    pub(super) fn results(self) -> &'static str {
        match self {
            Self::Vulnerabilities => "vulnerabilities",
            Self::Secrets => "secrets",
            Self::Configuration => "misconfigurations",
            Self::Analysis => "results of a static analysis",
        }
    }
}

/// What a tool looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duty {
    /// One thing.
    One(Kind),
    /// Several things; its rules tell them apart.
    Several,
    /// Nobody knows.
    Unknown,
}

use Kind::{Analysis, Configuration, Secrets, Vulnerabilities};

/// Tools by the beginning of their names, in lower-case letters and digits; the first that fits.
static DUTIES: &[(&str, Duty)] = &[
    ("trivy", Duty::Several),
    ("checkov", Duty::Several),
    ("bridgecrew", Duty::Several),
    ("prismacloud", Duty::Several),
    ("wiz", Duty::Several),
    ("snykcode", Duty::One(Analysis)),
    ("snykiac", Duty::One(Configuration)),
    ("snykinfrastructure", Duty::One(Configuration)),
    ("snyksecrets", Duty::One(Secrets)),
    ("snyk", Duty::One(Vulnerabilities)),
    ("grype", Duty::One(Vulnerabilities)),
    ("anchore", Duty::One(Vulnerabilities)),
    ("osvscanner", Duty::One(Vulnerabilities)),
    ("dockerscout", Duty::One(Vulnerabilities)),
    ("govulncheck", Duty::One(Vulnerabilities)),
    ("dependencycheck", Duty::One(Vulnerabilities)),
    ("pipaudit", Duty::One(Vulnerabilities)),
    ("cargoaudit", Duty::One(Vulnerabilities)),
    ("npmaudit", Duty::One(Vulnerabilities)),
    ("bundleraudit", Duty::One(Vulnerabilities)),
    ("retirejs", Duty::One(Vulnerabilities)),
    ("clair", Duty::One(Vulnerabilities)),
    ("gitleaks", Duty::One(Secrets)),
    ("betterleaks", Duty::One(Secrets)),
    ("trufflehog", Duty::One(Secrets)),
    ("detectsecrets", Duty::One(Secrets)),
    ("ggshield", Duty::One(Secrets)),
    ("gitguardian", Duty::One(Secrets)),
    ("secretlint", Duty::One(Secrets)),
    ("noseyparker", Duty::One(Secrets)),
    ("kingfisher", Duty::One(Secrets)),
    ("whispers", Duty::One(Secrets)),
    ("talisman", Duty::One(Secrets)),
    ("gitsecrets", Duty::One(Secrets)),
    ("ripsecrets", Duty::One(Secrets)),
    ("kics", Duty::One(Configuration)),
    ("tfsec", Duty::One(Configuration)),
    ("defsec", Duty::One(Configuration)),
    ("cfsec", Duty::One(Configuration)),
    ("terrascan", Duty::One(Configuration)),
    ("kubelinter", Duty::One(Configuration)),
    ("kubescore", Duty::One(Configuration)),
    ("kubesec", Duty::One(Configuration)),
    ("kubescape", Duty::One(Configuration)),
    ("kubeconform", Duty::One(Configuration)),
    ("polaris", Duty::One(Configuration)),
    ("datree", Duty::One(Configuration)),
    ("dockle", Duty::One(Configuration)),
    ("conftest", Duty::One(Configuration)),
    ("cfnnag", Duty::One(Configuration)),
    ("regula", Duty::One(Configuration)),
    ("prowler", Duty::One(Configuration)),
    ("templateanalyzer", Duty::One(Configuration)),
    ("psrule", Duty::One(Configuration)),
];

/// What the tool of a name looks for.
pub(super) fn duty(name: &str) -> Duty {
    let key = scanner::key(name);
    let known = DUTIES.iter().find(|(known, _)| key.starts_with(known));
    known.map_or(Duty::Unknown, |(_, duty)| *duty)
}

/// How the databases of vulnerabilities begin their identifiers.
static VULNERABILITY_PREFIXES: &[&str] = &[
    "CVE-", "GHSA-", "RUSTSEC-", "PYSEC-", "OSV-", "MAL-", "BDSA-", "SNYK-", "DSA-", "DLA-",
    "RHSA-", "ELSA-", "ALAS", "USN-", "NSWG-", "TEMP-",
];

/// Whether a rule is a vulnerability. An older template of Trivy's writes `[HIGH] CVE-2020-1`.
pub(in crate::evidence) fn is_vulnerability(rule_id: &str) -> bool {
    let rule_id = match rule_id.strip_prefix('[') {
        Some(rest) => rest.split_once("] ").map_or(rule_id, |(_, id)| id),
        None => rule_id,
    };
    let go = rule_id.strip_prefix("GO-").is_some_and(|rest| rest.starts_with("20"));
    go || VULNERABILITY_PREFIXES.iter().any(|prefix| rule_id.starts_with(prefix))
}

/// What a rule of a tool that does several things is about.
pub(super) fn kind_of_rule(id: &str, rule: Option<&Rule>) -> Kind {
    if let Some(kind) = rule.and_then(kind_by_description) {
        return kind;
    }
    let upper = id.to_ascii_uppercase();
    let has = |prefixes: &[&str]| prefixes.iter().any(|prefix| upper.starts_with(prefix));
    if is_vulnerability(&upper) || has(&["CKV_CVE"]) {
        Vulnerabilities
    } else if has(&["CKV_SECRET"]) {
        Secrets
    } else if has(&["CKV", "BC_", "AVD-", "KSV", "KCV", "DS-", "DS0"]) || is_cloud_check(&upper) {
        Configuration
    } else {
        Analysis
    }
}

/// Trivy says it in the rule's name and in the first of its tags.
fn kind_by_description(rule: &Rule) -> Option<Kind> {
    let by_name = match rule.name.as_deref() {
        Some("OsPackageVulnerability" | "LanguageSpecificPackageVulnerability") => {
            Some(Vulnerabilities)
        }
        Some("Misconfiguration") => Some(Configuration),
        Some("Secret") => Some(Secrets),
        Some("License" | "UnknownIssue") => Some(Analysis),
        _ => None,
    };
    let tags = rule.properties.iter().flat_map(|properties| &properties.tags);
    by_name.or_else(|| {
        tags.into_iter().find_map(|tag| match tag.as_str() {
            "vulnerability" => Some(Vulnerabilities),
            "misconfiguration" => Some(Configuration),
            "secret" => Some(Secrets),
            "license" => Some(Analysis),
            _ => None,
        })
    })
}

/// `AWS-0086`: the checks of newer versions of Trivy.
fn is_cloud_check(id: &str) -> bool {
    let number = |text: &str| text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    let clouds = ["AWS", "AZU", "GCP", "DIG", "GIT", "NIF", "OCI", "OPNSTK", "CLDSTK"];
    id.split_once('-').is_some_and(|(cloud, rest)| clouds.contains(&cloud) && number(rest))
}

/// Whether the results of a rule show code with a secret in it, whatever the tool looks for: CWE-259,
/// CWE-321 and CWE-798 are hard-coded passwords, keys and credentials.
pub(super) fn shows_secrets(id: &str, rule: Option<&Rule>) -> bool {
    let tags = rule.and_then(|rule| rule.properties.as_ref()).map_or(&[][..], |found| &found.tags);
    let by_weakness = tags.iter().any(|tag| matches!(weakness(tag), Some(259 | 321 | 798)));
    let id = scanner::key(id);
    let by_name = ["hardcodedsecret", "hardcodedpassword", "hardcodedcredential", "hardcodedtoken"];
    by_weakness
        || by_name.iter().any(|name| id.contains(name))
        || id.contains("genericsecrets")
        || id.contains("detectedprivatekey")
}

/// The number of the weakness (CWE) that a tag names.
fn weakness(tag: &str) -> Option<u32> {
    let tag = tag.to_ascii_lowercase();
    let (_, rest) = tag.split_once("cwe-")?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_tools_look_for_however_they_write_their_names() {
        for (name, expected) in [
            ("Trivy", Duty::Several),
            ("Checkov", Duty::Several),
            ("Snyk Open Source", Duty::One(Vulnerabilities)),
            ("Snyk Container", Duty::One(Vulnerabilities)),
            ("Snyk IaC", Duty::One(Configuration)),
            ("SnykCode", Duty::One(Analysis)),
            ("osv-scanner", Duty::One(Vulnerabilities)),
            ("docker scout", Duty::One(Vulnerabilities)),
            ("Gitleaks", Duty::One(Secrets)),
            ("detect-secrets", Duty::One(Secrets)),
            ("KICS", Duty::One(Configuration)),
            ("kube-linter", Duty::One(Configuration)),
            ("CodeQL", Duty::Unknown),
            ("", Duty::Unknown),
        ] {
            assert_eq!(duty(name), expected, "{name}");
        }
    }

    fn rule(name: &str, tags: &[&str]) -> Rule {
        serde_json::from_value(serde_json::json!({ "name": name, "properties": { "tags": tags } }))
            .unwrap()
    }

    #[test]
    fn tells_the_rules_of_a_tool_apart() {
        for (id, described, expected) in [
            ("CVE-2019-1549", None, Vulnerabilities),
            ("GHSA-xxxx", None, Vulnerabilities),
            ("[HIGH] CVE-2020-1", None, Vulnerabilities),
            ("CKV_AWS_20", None, Configuration),
            ("CKV2_AWS_6", None, Configuration),
            ("CKV_SECRET_6", None, Secrets),
            ("KSV-0001", None, Configuration),
            ("DS002", None, Configuration),
            ("AWS-0086", None, Configuration),
            ("aws-access-key-id", None, Analysis),
            ("aws-access-key-id", Some(rule("Secret", &[])), Secrets),
            ("x", Some(rule("OsPackageVulnerability", &[])), Vulnerabilities),
            ("x", Some(rule("y", &["security", "misconfiguration"])), Configuration),
            ("gpl:x", Some(rule("License", &["license"])), Analysis),
        ] {
            assert_eq!(kind_of_rule(id, described.as_ref()), expected, "{id} {described:?}");
        }
    }

    #[test]
    fn sees_which_rules_show_secrets() {
        for (id, tags, expected) in [
            ("a.rule-hardcoded-jwt-secret", &["CWE-798"][..], true),
            ("js/hardcoded-credentials", &["external/cwe/cwe-259"], true),
            ("js/x", &["external/cwe/cwe-0798"], true),
            ("python.hard_coded_password", &["CWE-321: Use of Hard-coded Key"], true),
            ("generic.secrets.security.detected-aws-key", &[], true),
            ("hardcoded_password_string", &[], true),
            ("js/sql-injection", &["CWE-89", "CWE-7981"], false),
            ("js/unused", &[], false),
        ] {
            assert_eq!(shows_secrets(id, Some(&rule("r", tags))), expected, "{id}");
        }
        assert!(!shows_secrets("js/unused", None));
    }
}
