//! The variables of the environment that are recorded: an allow-list.
//!
//! [`ALWAYS`] holds what changes the output of common tools and is no secret of anyone; everything
//! else has to be asked for by name (`--env NAME`, `--env PREFIX*`). No variable whose name or value
//! looks like a credential is recorded, asked for or not.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use super::credential::looks_like_credential;
use super::{Lookup, Refused, Why};

/// Variables that are recorded where they are set, without being asked for.
pub(crate) const ALWAYS: &[&str] = &[
    // Of every program: the time, language and zone that a reproducible build fixes.
    "SOURCE_DATE_EPOCH",
    "TZ",
    "LANG",
    "LC_ALL",
    // C and C++ (GNU make's implicit rules).
    "CC",
    "CXX",
    "AR",
    "LD",
    "CPPFLAGS",
    "CFLAGS",
    "CXXFLAGS",
    "LDFLAGS",
    "MAKEFLAGS",
    // Rust.
    "RUSTFLAGS",
    "RUSTUP_TOOLCHAIN",
    "CARGO_BUILD_TARGET",
    // Go.
    "GOFLAGS",
    "GOOS",
    "GOARCH",
    "GOTOOLCHAIN",
    "CGO_ENABLED",
    // JavaScript, Python and Java.
    "NODE_ENV",
    "NODE_OPTIONS",
    "PYTHONHASHSEED",
    "JAVA_TOOL_OPTIONS",
    "MAVEN_OPTS",
    "GRADLE_OPTS",
];

/// The longest value that is recorded.
const MAX_VALUE_BYTES: usize = 4096;
/// The most variables that are recorded.
const MAX_VARIABLES: usize = 256;
/// The longest name that can be asked for.
const MAX_NAME_BYTES: usize = 256;

/// What `--env` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// One variable.
    Name(String),
    /// Every variable whose name starts so.
    Prefix(String),
}

/// Why `--env` was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of a variable, or its beginning and a *, found {found:?}")]
pub(crate) struct WantedError {
    /// What it says, as much as is repeated.
    found: String,
}

impl FromStr for Wanted {
    type Err = WantedError;

    fn from_str(text: &str) -> Result<Self, WantedError> {
        let (name, is_prefix) = match text.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (text, false),
        };
        let fits = |c: char| !c.is_control() && !c.is_whitespace() && c != '=' && c != '*';
        if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.chars().all(fits) {
            // What stands after an equals sign is a value, and not repeated.
            let found = text.split('=').next().unwrap_or_default().chars().take(80).collect();
            return Err(WantedError { found });
        }
        let name = name.to_owned();
        Ok(if is_prefix { Self::Prefix(name) } else { Self::Name(name) })
    }
}

/// Takes the variables that are recorded, and names those that were asked for and are not.
///
/// `names` gives the names of all variables; it is asked only where `wanted` has a prefix.
pub(crate) fn recorded(
    variable: Lookup<'_>,
    names: &dyn Fn() -> Vec<String>,
    wanted: &[Wanted],
) -> (BTreeMap<String, String>, Vec<Refused>) {
    let mut taken = BTreeMap::new();
    let mut refused = Vec::new();
    for (name, is_expected) in chosen(names, wanted) {
        let Some(value) = variable(&name) else {
            if is_expected {
                refused.push(Refused { name, why: Why::NotSet });
            }
            continue;
        };
        let why = if let Some(sign) = looks_like_credential(&name, &value) {
            Some(Why::Credential(sign))
        } else if value.len() > MAX_VALUE_BYTES {
            Some(Why::TooLong(MAX_VALUE_BYTES))
        } else if taken.len() == MAX_VARIABLES {
            Some(Why::TooMany(MAX_VARIABLES))
        } else {
            None
        };
        match why {
            Some(why) => refused.push(Refused { name, why }),
            None => {
                taken.insert(name, value);
            }
        }
    }
    (taken, refused)
}

/// The names that are to be recorded, each once, and whether they should be set.
fn chosen(names: &dyn Fn() -> Vec<String>, wanted: &[Wanted]) -> BTreeMap<String, bool> {
    let mut chosen: BTreeMap<String, bool> =
        ALWAYS.iter().map(|name| ((*name).to_owned(), false)).collect();
    let prefixes: BTreeSet<&str> = wanted
        .iter()
        .filter_map(|wanted| match wanted {
            Wanted::Prefix(prefix) => Some(prefix.as_str()),
            Wanted::Name(_) => None,
        })
        .collect();
    if !prefixes.is_empty() {
        for name in names() {
            if prefixes.iter().any(|prefix| name.starts_with(prefix)) {
                chosen.entry(name).or_insert(false);
            }
        }
    }
    for wanted in wanted {
        if let Wanted::Name(name) = wanted {
            chosen.insert(name.clone(), true);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::credential::{Sign, says_credential};

    fn check(
        environment: &[(&str, &str)],
        wanted: &[&str],
        expected: &[(&str, &str)],
        expected_refused: &[(&str, Why)],
    ) {
        let find = |name: &str| environment.iter().find(|(known, _)| *known == name);
        let variable = |name: &str| find(name).map(|(_, value)| (*value).to_owned());
        let names = || environment.iter().map(|(name, _)| (*name).to_owned()).collect();
        let wanted: Vec<Wanted> = wanted.iter().map(|text| text.parse().unwrap()).collect();
        let (taken, refused) = recorded(&variable, &names, &wanted);
        let taken: Vec<(&str, &str)> =
            taken.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(taken, expected);
        let refused_names: Vec<(&str, Why)> =
            refused.iter().map(|refused| (refused.name.as_str(), refused.why)).collect();
        assert_eq!(refused_names, expected_refused);
        for told in refused.iter().map(ToString::to_string) {
            assert!(!told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn records_the_allow_list_and_nothing_else() {
        check(
            &[("HOME", "/home/me"), ("CFLAGS", "-O2"), ("TZ", ""), ("PATH", "/bin")],
            &[],
            &[("CFLAGS", "-O2"), ("TZ", "")],
            &[],
        );
        check(&[], &[], &[], &[]);
    }

    #[test]
    fn records_what_is_asked_for_by_name_and_by_prefix() {
        let environment = &[("CI_A", "1"), ("CI_B", "2"), ("C", "3"), ("TZ", "UTC")];
        let ci = &[("CI_A", "1"), ("CI_B", "2"), ("TZ", "UTC")];
        check(environment, &["CI_*"], ci, &[]);
        check(environment, &["CI_*", "CI_A", "TZ"], ci, &[]);
        check(environment, &["C"], &[("C", "3"), ("TZ", "UTC")], &[]);
        check(environment, &["D", "D*"], &[("TZ", "UTC")], &[("D", Why::NotSet)]);
    }

    #[test]
    fn records_no_credential_even_when_it_is_asked_for() {
        check(
            &[
                ("CI_TOKEN", "hunter2"),
                ("CI_URL", "https://me:hunter2@example.com"),
                ("CI_OK", "1"),
                ("MAVEN_OPTS", "-Xmx1g -Dpassword=hunter2"),
            ],
            &["CI_*", "CI_TOKEN"],
            &[("CI_OK", "1")],
            &[
                ("CI_TOKEN", Why::Credential(Sign::Name)),
                ("CI_URL", Why::Credential(Sign::UserInfo)),
                ("MAVEN_OPTS", Why::Credential(Sign::Pair)),
            ],
        );
        for name in ALWAYS {
            assert!(!says_credential(name), "{name}");
        }
    }

    #[test]
    fn records_nothing_without_an_end() {
        let long = "x".repeat(MAX_VALUE_BYTES + 1);
        check(&[("TZ", &long)], &[], &[], &[("TZ", Why::TooLong(MAX_VALUE_BYTES))]);
        let many: Vec<String> = (0..=MAX_VARIABLES).map(|index| format!("V{index:03}")).collect();
        let variable = |name: &str| name.starts_with('V').then(|| "1".to_owned());
        let (taken, refused) = recorded(&variable, &|| many.clone(), &["V*".parse().unwrap()]);
        assert_eq!(taken.len(), MAX_VARIABLES);
        let last = Refused { name: "V256".to_owned(), why: Why::TooMany(MAX_VARIABLES) };
        assert_eq!(refused, [last]);
    }

    #[test]
    fn refuses_to_ask_for_what_is_no_name() {
        let check = |text: &str, found: &str| {
            let error = text.parse::<Wanted>().unwrap_err().to_string();
            assert!(error.ends_with(&format!("found {found:?}")), "{error}");
        };
        check("", "");
        check("*", "*");
        check("A*B", "A*B");
        check("A B", "A B");
        check("TOKEN=hunter2", "TOKEN");
        assert_eq!("A*".parse(), Ok(Wanted::Prefix("A".to_owned())));
        assert_eq!("A".parse(), Ok(Wanted::Name("A".to_owned())));
    }
}
