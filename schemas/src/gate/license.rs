//! Licences that a policy denies, against those that a bill of materials names.
//!
//! SPDX identifiers match in any case (SPDX 2.3, annex D). `+` after one means that version or any later, which allows that very
//! version: what is denied is denied so, too. The GNU licences have two names each (SPDX License List 3.0, "deprecated license
//! identifiers"): `GPL-3.0` is `GPL-3.0-only`, and `GPL-3.0+` is `GPL-3.0-or-later`.

/// The families of which the bare identifier is deprecated.
const GNU: [&str; 4] = ["gpl-", "lgpl-", "agpl-", "gfdl-"];
/// What an exception has between it and the deprecated identifier, as in `GPL-2.0-with-classpath-exception`.
const WITH: &str = "-with-";

/// A licence by its identifier.
#[derive(Debug, PartialEq, Eq)]
struct License {
    /// The identifier in lower case, without what says whether later versions are meant.
    name: String,
    /// Whether any later version is meant.
    or_later: bool,
}

impl License {
    fn of(identifier: &str) -> Self {
        let lower = identifier.to_ascii_lowercase();
        let lower = lower.strip_suffix(".html").unwrap_or(&lower);
        let is_gnu = GNU.iter().any(|family| lower.starts_with(family));
        // The deprecated identifier of a licence with an exception: that of the licence is before it.
        let bare = lower.split_once(WITH).filter(|_| is_gnu).map_or(lower, |(bare, _)| bare);
        let ended = |ends: &[&str]| ends.iter().find_map(|end| bare.strip_suffix(end));
        let ends: &[&str] = if is_gnu { &["+", "-or-later"] } else { &["+"] };
        if let Some(name) = ended(ends) {
            return Self { name: name.to_owned(), or_later: true };
        }
        let only = bare.strip_suffix("-only").filter(|_| is_gnu);
        Self { name: only.unwrap_or(bare).to_owned(), or_later: false }
    }

    /// Whether who denies this denies the other: the same version, or a choice that has it.
    fn denies(&self, other: &Self) -> bool {
        self.name == other.name && (other.or_later || !self.or_later)
    }
}

/// Whether a licence is the denied one, by its identifier or its name, or an expression with it.
pub(super) fn is_denied(license: &str, denied: &str) -> bool {
    let denying = License::of(denied);
    // An expression has operators and parentheses between the identifiers; a slash is how Cargo wrote a choice, and what is before an
    // identifier in its URL.
    let parts = license.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '/' | ','));
    let mut identifiers = parts.filter(|part| !part.is_empty());
    license.eq_ignore_ascii_case(denied)
        || identifiers.any(|part| denying.denies(&License::of(part)))
}

#[cfg(test)]
mod tests {
    use super::is_denied;

    #[test]
    fn the_two_names_of_a_gnu_licence_are_one() {
        for family in ["GPL-2.0", "GPL-3.0", "LGPL-2.1", "AGPL-3.0", "GFDL-1.3"] {
            let only = [family.to_owned(), format!("{family}-only"), family.to_lowercase()];
            let later = [format!("{family}+"), format!("{family}-or-later")];
            for one in &only {
                assert!(only.iter().all(|other| is_denied(other, one)), "{one}");
                // Whoever gets any later version gets this one.
                assert!(later.iter().all(|other| is_denied(other, one)), "{one}");
            }
            for one in &later {
                assert!(later.iter().all(|other| is_denied(other, one)), "{one}");
                assert!(!only.iter().any(|other| is_denied(other, one)), "{one}");
            }
        }
    }

    #[test]
    fn what_is_denied_is_found_in_expressions_and_nothing_beside_it() {
        for (license, denied, expected) in [
            ("(MIT OR GPL-3.0-or-later)", "GPL-3.0+", true),
            ("GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0", true),
            ("GPL-2.0-with-classpath-exception", "GPL-2.0-only", true),
            ("Apache-2.0+", "Apache-2.0", true),
            ("(MIT OR Apache-2.0+)", "Apache-2.0+", true),
            ("Apache-2.0", "Apache-2.0+", false),
            ("LGPL-3.0-only", "GPL-3.0", false),
            ("AGPL-3.0", "GPL-3.0-only", false),
            ("GPL-2.0", "GPL-3.0", false),
            ("CC-BY-3.0-only", "CC-BY-3.0", false),
            ("Some Licence", "some licence", true),
            ("MIT/GPL-3.0", "GPL-3.0", true),
            ("https://spdx.org/licenses/GPL-3.0-only.html", "GPL-3.0", true),
            ("", "MIT", false),
        ] {
            assert_eq!(is_denied(license, denied), expected, "{license} by {denied}");
        }
    }
}
