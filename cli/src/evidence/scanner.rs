//! The tools that reports are made by: how predicates name them.

use attestry_schemas::predicate::attestry::Tool;
use packageurl::PackageUrl;

use super::Supplement;

/// What stands for a version that nobody knows.
const UNKNOWN_VERSION: &str = "unknown";

/// The package URLs of tools, by name in lower-case letters and digits.
static PACKAGES: &[(&str, &str)] = &[
    ("cargoaudit", "pkg:cargo/cargo-audit"),
    ("checkov", "pkg:pypi/checkov"),
    ("codeql", "pkg:github/github/codeql-cli-binaries"),
    ("gitleaks", "pkg:github/gitleaks/gitleaks"),
    ("grype", "pkg:github/anchore/grype"),
    ("kics", "pkg:github/checkmarx/kics"),
    ("kubelinter", "pkg:github/stackrox/kube-linter"),
    ("kubescape", "pkg:github/kubescape/kubescape"),
    ("kubescore", "pkg:github/zegl/kube-score"),
    ("osvscanner", "pkg:github/google/osv-scanner"),
    ("pipaudit", "pkg:pypi/pip-audit"),
    ("polaris", "pkg:github/fairwindsops/polaris"),
    ("semgrep", "pkg:pypi/semgrep"),
    ("semgreposs", "pkg:pypi/semgrep"),
    ("terrascan", "pkg:github/tenable/terrascan"),
    ("tfsec", "pkg:github/aquasecurity/tfsec"),
    ("trivy", "pkg:github/aquasecurity/trivy"),
    ("trufflehog", "pkg:github/trufflesecurity/trufflehog"),
];

/// The tool that made a report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scanner {
    /// As it calls itself: `Trivy`.
    pub(super) name: String,
    /// A URI that names it.
    pub(super) uri: String,
    /// Its version, where the report says.
    pub(super) version: Option<String>,
}

impl Scanner {
    /// The tool of a name. `uri` is where it says that it is at home.
    pub(super) fn new(name: &str, version: Option<&str>, uri: Option<&str>) -> Self {
        let key = key(name);
        let package = PACKAGES.iter().find(|(known, _)| *known == key).map(|(_, uri)| *uri);
        let uri = package.or_else(|| uri.filter(|uri| is_uri(uri))).map(str::to_owned);
        let version = version.map(str::trim).filter(|version| !version.is_empty());
        Self {
            name: name.to_owned(),
            uri: uri.unwrap_or_else(|| generic(name)),
            version: version.map(str::to_owned),
        }
    }

    /// As a predicate names it. `supplement` may know the version where the report does not.
    pub(super) fn tool(&self, supplement: &Supplement) -> Tool {
        let version = self.version.as_ref().or(supplement.tool_version.as_ref());
        let version = version.map_or(UNKNOWN_VERSION, String::as_str).to_owned();
        Tool { uri: self.uri.clone(), version }
    }

    /// As a person is told of it: `trivy 0.58.1`.
    pub(super) fn told(&self) -> String {
        match &self.version {
            Some(version) => format!("{} {version}", self.name),
            None => self.name.clone(),
        }
    }
}

/// A name for comparison: tools write their own names in different ways.
pub(super) fn key(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// A tool that nobody knows better has a package URL of the type `generic`.
fn generic(name: &str) -> String {
    let name = if name.trim().is_empty() { "unknown" } else { name.trim() };
    match PackageUrl::new("generic", name) {
        Ok(package) => package.to_string(),
        Err(_) => "pkg:generic/unknown".to_owned(),
    }
}

/// What a predicate takes for a URI (RFC 3986 §3).
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let plain = |c: char| !(c.is_control() || c.is_whitespace() || "<>\"{}|\\^`".contains(c));
    scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.chars().all(|c| c.is_ascii_digit() || c.is_ascii_lowercase() || "+-.".contains(c))
        && !rest.is_empty()
        && rest.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tools_by_package_else_by_their_home_else_by_name() {
        for (name, uri, expected) in [
            ("Trivy", Some("https://trivy.example"), "pkg:github/aquasecurity/trivy"),
            ("kube-score", None, "pkg:github/zegl/kube-score"),
            ("Other", Some("https://other.example/x"), "https://other.example/x"),
            ("My Tool", Some("not a URI"), "pkg:generic/My%20Tool"),
            ("My Tool", Some("HTTPS://x"), "pkg:generic/My%20Tool"),
            ("", None, "pkg:generic/unknown"),
        ] {
            assert_eq!(Scanner::new(name, None, uri).uri, expected, "{name}");
        }
    }

    #[test]
    fn takes_the_version_from_the_report_else_from_who_ran_the_command() {
        let supplement = Supplement { tool_version: Some("2".to_owned()), ..Supplement::default() };
        let version = |version, supplement: &Supplement| {
            Scanner::new("x", version, None).tool(supplement).version
        };
        assert_eq!(version(Some(" 1 "), &supplement), "1");
        assert_eq!(version(Some(""), &supplement), "2");
        assert_eq!(version(None, &Supplement::default()), "unknown");
        assert_eq!(Scanner::new("x", Some("1"), None).told(), "x 1");
        assert_eq!(Scanner::new("x", None, None).told(), "x");
    }
}
