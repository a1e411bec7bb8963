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

/// What stands behind the scheme, whose case does not matter (RFC 3986 §3.1); nothing of another URI.
pub(super) fn behind_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_at_checked("pkg:".len())?;
    scheme.eq_ignore_ascii_case("pkg:").then_some(rest)
}

/// Takes a package URL apart; nothing when it is not one.
pub(super) fn parse(text: &str) -> Option<Purl<'_>> {
    let rest = behind_scheme(text)?.trim_start_matches('/');
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

/// Types whose names have no capitals, as purl-spec's `PURL-TYPES` says of each, or as their
/// registries treat them.
const CASELESS: &[&str] = &[
    "alpm",
    "apk",
    "bitbucket",
    "bitnami",
    "composer",
    "deb",
    "github",
    "golang",
    "hex",
    "npm",
    "oci",
    "pub",
    "pypi",
];

/// The one spelling of a package URL, under which it is indexed and asked for (purl-spec, "How to
/// build a purl string"): each part percent-encoded where it must be and nowhere else, the type in small
/// letters, names as their type spells them, qualifiers in order. What is no package URL comes back as
/// it is.
pub fn canonical_purl(text: &str) -> String {
    let Some(purl) = parse(text) else { return text.to_owned() };
    let rest = behind_scheme(text).unwrap_or(text).trim_start_matches('/');
    let (rest, subpath) = rest.split_once('#').unwrap_or((rest, ""));
    let (path, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
    let path = path.split_once('/').map_or("", |(_, path)| path);
    let names = match purl.version {
        Some(version) => path.strip_suffix(version).unwrap_or(path),
        None => path,
    };
    let kind = purl.kind.to_ascii_lowercase();
    let mut canonical = format!("pkg:{kind}");
    for part in names.trim_end_matches('@').split('/').filter(|part| !part.is_empty()) {
        canonical.push('/');
        canonical.push_str(&encoded(&name_of_type(&kind, percent_decoded(part))));
    }
    if let Some(version) = purl.version {
        canonical.push('@');
        canonical.push_str(&encoded(&percent_decoded(version)));
    }
    let mut pairs: Vec<String> = qualifiers
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| {
            format!("{}={}", key.to_ascii_lowercase(), encoded(&percent_decoded(value)))
        })
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    if !pairs.is_empty() {
        canonical.push('?');
        canonical.push_str(&pairs.join("&"));
    }
    let steps = subpath.split('/').filter(|step| !matches!(*step, "" | "." | ".."));
    let steps: Vec<String> = steps.map(|step| encoded(&percent_decoded(step))).collect();
    if !steps.is_empty() {
        canonical.push('#');
        canonical.push_str(&steps.join("/"));
    }
    canonical
}

/// A name as its type spells it. In a name of PyPI, runs of dashes, underscores and dots are one dash
/// (PEP 503), because tools write either.
fn name_of_type(kind: &str, mut name: Vec<u8>) -> Vec<u8> {
    if CASELESS.contains(&kind) {
        name.make_ascii_lowercase();
    }
    if kind == "pypi" {
        let joins = |byte: u8| matches!(byte, b'-' | b'_' | b'.');
        name.dedup_by(|next, before| joins(*next) && joins(*before));
        for byte in &mut name {
            if joins(*byte) {
                *byte = b'-';
            }
        }
    }
    name
}

/// The bytes that a percent-encoded text stands for; a percent sign that encodes nothing is itself.
pub(crate) fn percent_decoded(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.first_chunk::<2>().filter(|_| *first == b'%');
        let mut byte = [0];
        if let Some(code) = code
            && hex::decode_to_slice(code, &mut byte).is_ok()
        {
            bytes.extend(byte);
            rest = tail.get(code.len()..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    bytes
}

/// Percent-encodes what purl-spec says: all but letters, digits and `.-_~:`.
fn encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b".-_~:".contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push('%');
            text.push_str(&hex::encode_upper([*byte]));
        }
    }
    text
}

/// The names by which a package URL is found, each in its [canonical](canonical_purl) spelling: in
/// full, without qualifiers and subpath, and without version; each once. Only the text itself when it
/// is no package URL.
pub fn purl_names(text: &str) -> Vec<String> {
    let full = canonical_purl(text);
    let mut names = vec![full.clone()];
    if let Some(parts) = Parts::of(&full) {
        names.extend([parts.plain.to_owned(), parts.bare.to_owned()]);
        names.dedup();
    }
    names
}

/// A package URL in its canonical spelling, by what one can cover of another.
struct Parts<'a> {
    /// Without qualifiers and subpath.
    plain: &'a str,
    /// Without version, too.
    bare: &'a str,
    version: Option<&'a str>,
    /// `key=value` each.
    qualifiers: Vec<&'a str>,
    subpath: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(canonical: &'a str) -> Option<Self> {
        let version = parse(canonical)?.version;
        let (rest, subpath) = match canonical.split_once('#') {
            Some((rest, subpath)) => (rest, Some(subpath)),
            None => (canonical, None),
        };
        let (plain, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
        let bare = version.and_then(|version| plain.strip_suffix(version)?.strip_suffix('@'));
        let qualifiers = qualifiers.split('&').filter(|pair| !pair.is_empty()).collect();
        Some(Self { plain, bare: bare.unwrap_or(plain), version, qualifiers, subpath })
    }
}

/// Whether a package URL means a package among others: it is of the same type and name, and each of version, qualifiers and
/// subpath that it has is the package's. So do the tools of OpenVEX compare them. None where the package does not say what is
/// asked, or is spelled otherwise. Both in their [canonical](canonical_purl) spelling.
pub fn purl_means(meaning: &str, package: &str) -> Option<bool> {
    let (Some(meaning), Some(package)) = (Parts::of(meaning), Parts::of(package)) else {
        return Some(false);
    };
    if !meaning.bare.eq_ignore_ascii_case(package.bare) {
        return Some(false);
    }
    let plain = |version: &str| version.strip_prefix('v').unwrap_or(version).to_owned();
    let mut all = vec![(meaning.bare == package.bare).then_some(true)];
    all.extend(
        meaning.version.map(|version| package.version.map(|other| plain(version) == plain(other))),
    );
    all.extend(meaning.subpath.map(|subpath| package.subpath.map(|other| subpath == other)));
    all.extend(meaning.qualifiers.iter().map(|pair| {
        let key = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
        let other = package.qualifiers.iter().find(|other| key(other) == key(pair));
        other.map(|other| other == pair)
    }));
    match all.contains(&Some(false)) {
        true => Some(false),
        false => all.iter().all(Option::is_some).then_some(true),
    }
}

/// The SHA-256 that a package URL of an image has as its version, or that any has as its checksum, in hex. In its canonical spelling.
pub fn purl_sha256(canonical: &str) -> Option<String> {
    let parts = Parts::of(canonical)?;
    let version = parts.version.filter(|_| names_image(canonical));
    let mut checksums = parts.qualifiers.iter().filter_map(|pair| pair.strip_prefix("checksum="));
    let digest = version.or_else(|| checksums.next())?;
    let hex = digest.strip_prefix("sha256:")?.to_ascii_lowercase();
    (hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(hex)
}

/// Whether two package URLs are of one type, in their canonical spelling.
pub fn same_purl_type(one: &str, other: &str) -> bool {
    let kind = |text| parse(text).map(|purl| purl.kind);
    kind(one).is_some() && kind(one) == kind(other)
}

/// Whether a package URL, in its canonical spelling, is that of an image.
pub fn names_image(canonical: &str) -> bool {
    canonical.starts_with("pkg:oci/") || canonical.starts_with("pkg:docker/")
}

/// The package URL of an image by the name of its repository, with its tag if the name has one, in its canonical spelling
/// (purl-spec, type `oci`): `pkg:oci/api?repository_url=registry.example.com%2Fpay%2Fapi`. None of another URI.
pub fn image_purl(name: &str) -> Option<String> {
    let schemes = ["oci://", "docker://"];
    let name = schemes.iter().find_map(|scheme| name.strip_prefix(scheme)).unwrap_or(name);
    if name.contains("://") || behind_scheme(name).is_some() {
        return None;
    }
    let path = name.split_once('@').map_or(name, |(path, _)| path);
    let (repository, tag) = match path.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, format!("&tag={tag}")),
        _ => (path, String::new()),
    };
    let last = repository.rsplit('/').next().filter(|last| !last.is_empty())?;
    Some(canonical_purl(&format!("pkg:oci/{last}?repository_url={repository}{tag}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_found_by_each_of_its_names() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(purl_names(text), expected);
        };
        check("pkg:cargo/serde", &["pkg:cargo/serde"]);
        check("pkg:cargo/serde@1.0.0", &["pkg:cargo/serde@1.0.0", "pkg:cargo/serde"]);
        check("pkg:npm/@a/b@1", &["pkg:npm/%40a/b@1", "pkg:npm/%40a/b"]);
        check(
            "pkg:deb/debian/x@1-2?arch=amd64",
            &["pkg:deb/debian/x@1-2?arch=amd64", "pkg:deb/debian/x@1-2", "pkg:deb/debian/x"],
        );
        check("pkg:golang/a/b#c", &["pkg:golang/a/b#c", "pkg:golang/a/b"]);
        check("pkg:npm/@a/", &["pkg:npm/@a/"]);
        check("", &[""]);
    }

    #[test]
    fn a_package_url_means_what_has_all_that_it_says() {
        let check = |meaning: &str, package: &str, expected: Option<bool>| {
            let found = purl_means(&canonical_purl(meaning), &canonical_purl(package));
            assert_eq!(found, expected, "{meaning} of {package}");
        };
        let git = "pkg:apk/wolfi/git@2.39.0-r1?arch=x86_64&distro=wolfi";
        for (meaning, expected) in [
            (git, Some(true)),
            ("pkg:apk/wolfi/git", Some(true)),
            ("pkg:apk/wolfi/git@2.39.0-r1", Some(true)),
            ("pkg:apk/wolfi/git@2.39.0-r1?distro=wolfi", Some(true)),
            ("pkg:apk/wolfi/git?arch=x86_64", Some(true)),
            ("pkg:apk/wolfi/git@2.39.0-r2", Some(false)),
            ("pkg:apk/wolfi/git?arch=aarch64", Some(false)),
            ("pkg:apk/wolfi/git@2.39.0-r2?other=1", Some(false)),
            ("pkg:apk/wolfi/git?other=1", None),
            ("pkg:apk/wolfi/git#sub", None),
            ("pkg:apk/alpine/git", Some(false)),
            ("pkg:apk/git", Some(false)),
            ("pkg:deb/wolfi/git", Some(false)),
            ("git", Some(false)),
        ] {
            check(meaning, git, expected);
        }
        check("pkg:golang/a/b@1#c", "pkg:golang/a/b@1#c", Some(true));
        check("pkg:golang/a/b@1", "pkg:golang/a/b", None);
        check("pkg:golang/a/b@v1.2", "pkg:golang/a/b@1.2", Some(true));
        check("pkg:npm/@Scope/x", "pkg:npm/%40scope/x@1", Some(true));
        check("pkg:nuget/newtonsoft.json", "pkg:nuget/Newtonsoft.Json@13", None);
        check("git", "git", Some(false));
    }

    #[test]
    fn a_digest_is_a_version_of_an_image_or_a_checksum_and_no_other_text() {
        let hex = "ab".repeat(32);
        let check = |text: &str, expected: bool| {
            let found = purl_sha256(&canonical_purl(text));
            assert_eq!(found, expected.then(|| hex.clone()), "{text}");
        };
        check(&format!("pkg:oci/api@sha256%3A{hex}"), true);
        check(&format!("pkg:docker/api@sha256:{}?tag=1", hex.to_uppercase()), true);
        check(&format!("pkg:generic/api@1?checksum=sha256:{hex}"), true);
        check(&format!("pkg:oci/api@sha256%3A{hex}0"), false);
        check(&format!("pkg:oci/api?base=sha256:{hex}"), false);
        check(&format!("pkg:npm/api@sha256%3A{hex}"), false);
        check(&format!("https://x.example/?checksum=sha256:{hex}"), false);
    }

    #[test]
    fn an_image_has_the_package_url_of_its_repository() {
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(image_purl(name).as_deref(), expected, "{name}");
        };
        let api = "pkg:oci/api?repository_url=r.example:5000%2Fpay%2FAPI";
        check("r.example:5000/pay/API", Some(api));
        check("oci://r.example:5000/pay/API@sha256:00", Some(api));
        check("docker://r.example:5000/pay/API:1@sha256:00", Some(&format!("{api}&tag=1")));
        check("api", Some("pkg:oci/api?repository_url=api"));
        for name in ["https://r.example/api", "pkg:oci/api", "", "a/", ":1"] {
            check(name, None);
        }
    }

    #[test]
    fn one_package_has_one_spelling() {
        let check = |spellings: &[&str], expected: &str| {
            for text in spellings.iter().chain([&expected]) {
                assert_eq!(canonical_purl(text), expected, "{text}");
            }
        };
        check(
            &["pkg:npm/@scope/x@2.0.0", "pkg:npm/%40Scope/x@2.0.0", "PKG://NPM/@scope//x@2.0.0"],
            "pkg:npm/%40scope/x@2.0.0",
        );
        check(&["pkg:npm/@scope/x", "pkg:npm/%40scope/x@"], "pkg:npm/%40scope/x");
        check(
            &["pkg:pypi/Flask_Login@0.6", "pkg:PyPI/flask.login@0.6", "pkg:pypi/flask-_Login@0.6"],
            "pkg:pypi/flask-login@0.6",
        );
        check(&["pkg:cargo/a_b@1.0.0+x"], "pkg:cargo/a_b@1.0.0%2Bx");
        check(&["pkg:maven/Org.X/Y@1"], "pkg:maven/Org.X/Y@1");
        check(
            &[
                "pkg:rpm/a/b@1?Epoch=1&arch=x86&empty=#/./c//d/",
                "pkg:rpm/a/b@1?arch=x86&epoch=1#c/d",
            ],
            "pkg:rpm/a/b@1?arch=x86&epoch=1#c/d",
        );
        check(
            &["pkg:oci/i@sha256%3aff?repository_url=ghcr.io/o/i"],
            "pkg:oci/i@sha256:ff?repository_url=ghcr.io%2Fo%2Fi",
        );
        check(&["pkg:generic/100%@1"], "pkg:generic/100%25@1");
        // What is no package URL is left alone.
        check(&[], "sha256:AB");
        check(&[], "pkg:npm/@scope");
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
