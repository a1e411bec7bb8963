//! Package URLs, as far as this crate needs them (purl-spec, "Rules for each purl component").

/// The parts of a package URL that the checks ask for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Purl<'a> {
    /// The package type: `npm`.
    pub(super) kind: &'a str,
    /// The version, undecoded.
    pub(super) version: Option<&'a str>,
    /// Whether there are qualifiers or a subpath.
    pub(super) qualified: bool,
}

/// Takes a package URL apart; nothing when it is not one.
pub(super) fn parse(text: &str) -> Option<Purl<'_>> {
    let rest = text.strip_prefix("pkg:")?.trim_start_matches('/');
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    if !rest.chars().all(plain) {
        return None;
    }
    let path = rest.split(['?', '#']).next().unwrap_or(rest);
    let (kind, path) = path.split_once('/')?;
    let kind_fits = kind.starts_with(|c: char| c.is_ascii_alphabetic())
        && kind.chars().all(|c| c.is_ascii_alphanumeric() || ".+-".contains(c));
    // An npm scope may begin with an unencoded '@', so only the last segment has the version.
    let last = path.rsplit('/').next().unwrap_or(path);
    let (name, version) = match last.split_once('@') {
        Some((name, version)) => (name, (!version.is_empty()).then_some(version)),
        None => (last, None),
    };
    let qualified = rest.len() > kind.len() + 1 + path.len();
    (kind_fits && !name.is_empty()).then_some(Purl { kind, version, qualified })
}

/// The names by which a package URL is found: as it is written, without qualifiers and subpath, and
/// without version; each once. Only the first when it is no package URL.
pub fn purl_names(text: &str) -> impl Iterator<Item = &str> {
    let parsed = parse(text);
    let plain = text.split(['?', '#']).next().filter(|_| parsed.is_some());
    let version = parsed.and_then(|purl| purl.version);
    let bare = plain
        .zip(version)
        .and_then(|(plain, version)| plain.strip_suffix(version)?.strip_suffix('@'));
    let plain = plain.filter(|plain| *plain != text);
    [Some(text), plain, bare].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_found_by_each_of_its_names() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(purl_names(text).collect::<Vec<_>>(), expected);
        };
        check("pkg:cargo/serde", &["pkg:cargo/serde"]);
        check("pkg:cargo/serde@1.0.0", &["pkg:cargo/serde@1.0.0", "pkg:cargo/serde"]);
        check("pkg:npm/@a/b@1", &["pkg:npm/@a/b@1", "pkg:npm/@a/b"]);
        check(
            "pkg:deb/debian/x@1-2?arch=amd64",
            &["pkg:deb/debian/x@1-2?arch=amd64", "pkg:deb/debian/x@1-2", "pkg:deb/debian/x"],
        );
        check("pkg:golang/a/b#c", &["pkg:golang/a/b#c", "pkg:golang/a/b"]);
        check("pkg:npm/@a/", &["pkg:npm/@a/"]);
    }

    #[test]
    fn takes_package_urls_apart() {
        let check = |text, expected: Option<(&str, Option<&str>, bool)>| {
            let found = parse(text).map(|p| (p.kind, p.version, p.qualified));
            assert_eq!(found, expected, "{text}");
        };
        check("pkg:npm/@angular/http@7.2.16", Some(("npm", Some("7.2.16"), false)));
        check("pkg:npm/%40angular/http@7.2.16", Some(("npm", Some("7.2.16"), false)));
        check("pkg:deb/debian/stunnel@5.50-3?arch=amd64", Some(("deb", Some("5.50-3"), true)));
        check("pkg:golang/example.com/a/b#sub/dir", Some(("golang", None, true)));
        check("pkg:oci/i@sha256%3Aff?tag=v1", Some(("oci", Some("sha256%3Aff"), true)));
        check("pkg:pypi/urllib3", Some(("pypi", None, false)));
        check("pkg:npm/@scope", None);
        check("pkg:npm/", None);
        check("pkg:npm", None);
        check("https://example.com/x@1", None);
        check("pkg:1npm/x@1", None);
        check("pkg:npm/a b@1", None);
    }
}
