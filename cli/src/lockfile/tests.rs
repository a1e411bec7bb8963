//! How the tests of each format say what a lockfile holds, and what holds for all formats.

use std::path::PathBuf;

use attestry_schemas::predicate;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use super::*;

/// Puts checksums in the places of a sample: `<sha256:a>` is hex of which each digit is `a`,
/// `<sri512:a>` an integrity, `<h1:a>` a hash of go's and `<commit:a>` a commit.
pub(super) fn sample(text: &str) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        filled.push_str(before);
        let place = after.split_once('>').and_then(|(place, after)| {
            let (what, digit) = place.split_once(':')?;
            Some((checksum(what, digit)?, after))
        });
        let (text, after) = place.unwrap_or(("<".to_owned(), after));
        filled.push_str(&text);
        rest = after;
    }
    filled + rest
}

fn checksum(what: &str, digit: &str) -> Option<String> {
    let base64 = |bytes: usize| BASE64.encode(hex::decode(digit.repeat(2 * bytes)).unwrap());
    Some(match what {
        "md5" => digit.repeat(32),
        "sha1" | "commit" => digit.repeat(40),
        "sha256" => digit.repeat(64),
        "sha512" => digit.repeat(128),
        "sri1" => format!("sha1-{}", base64(20)),
        "sri512" => format!("sha512-{}", base64(64)),
        "h1" => format!("h1:{}", base64(32)),
        _ => return None,
    })
}

/// Reads a sample and writes each dependency as its package URL, the digests that it has, and in
/// brackets the hashes of several files: the algorithm and the first digit.
pub(super) fn listed(kind: Kind, text: &str) -> Result<Vec<String>, LockfileError> {
    listed_with(kind, text, None)
}

/// The same for a file that has another beside it.
pub(super) fn listed_with(
    kind: Kind,
    text: &str,
    other: Option<(&str, &str)>,
) -> Result<Vec<String>, LockfileError> {
    let beside = |name: &str| {
        other.filter(|(other, _)| *other == name).map(|(_, text)| text.as_bytes().to_vec())
    };
    let short = |digest: String| {
        let (algorithm, value) = digest.split_once(':').unwrap();
        format!("{algorithm}:{}", &value[..1])
    };
    let written = |dependency: &Dependency| {
        let descriptor = dependency.descriptor();
        let mut words = vec![descriptor.uri.unwrap()];
        words.extend(descriptor.digest.iter().flat_map(|d| d.iter()).map(|d| short(d.to_string())));
        if let Some(annotations) = descriptor.annotations {
            let hashes = annotations["hashes"].as_array().unwrap().iter();
            let hashes = hashes.map(|hash| short(hash.as_str().unwrap().to_owned()));
            words.push(format!("[{}]", hashes.collect::<Vec<_>>().join(" ")));
        }
        words.join(" ")
    };
    Ok(read(kind, sample(text).as_bytes(), &beside)?.iter().map(written).collect())
}

/// Checks what a sample holds.
pub(super) fn check(kind: Kind, text: &str, expected: &[&str]) {
    assert_eq!(listed(kind, text).unwrap(), expected, "{text}");
}

/// Checks what is said of a sample that is refused.
pub(super) fn check_refused(kind: Kind, text: &str, expected: &str) {
    let error = listed(kind, text).unwrap_err().to_string();
    assert!(error.contains(expected), "expected {expected:?}, found {error:?}");
}

/// A sample of each kind, as small as it can be with one dependency.
const SMALLEST: &[(Kind, &str)] = &[
    (Kind::Cargo, "[[package]]\nname='a'\nversion='1.0.0'\nsource='registry+https://h/i'\n"),
    (Kind::Npm, r#"{"lockfileVersion":3,"packages":{"node_modules/a":{"version":"1"}}}"#),
    (Kind::Pnpm, "lockfileVersion: '9.0'\npackages:\n  a@1.0.0: {}\n"),
    (Kind::Yarn, "# a\n# yarn lockfile v1\n\n\na@1:\n  version \"1\"\n"),
    (Kind::Go, "h/a v1.0.0 h1:Khu2En+0gcYPZ2kuIihfswbzxv/mIHXgzPZ018Oty48=\n"),
    (Kind::Poetry, "[[package]]\nname='a'\nversion='1'\n"),
    (Kind::Uv, "version=1\n[[package]]\nname='a'\nversion='1'\nsource={registry='https://h'}\n"),
    (Kind::Requirements, "a==1\n"),
    (Kind::Pipfile, r#"{"_meta":{},"default":{"a":{"version":"==1"}}}"#),
    (
        Kind::Pom,
        "<project><dependencies><dependency><groupId>g</groupId><artifactId>a</artifactId>\
         <version>1</version></dependency></dependencies></project>",
    ),
    (Kind::Gradle, "g:a:1=x\n"),
    (
        Kind::GradleVerification,
        "<verification-metadata><components><component group='g' name='a' version='1'>\
         <artifact name='a-1.jar'/></component></components></verification-metadata>",
    ),
    (Kind::Composer, r#"{"packages":[{"name":"v/a","version":"1"}]}"#),
    (Kind::Gem, "GEM\n  remote: https://rubygems.org/\n  specs:\n    a (1)\n"),
];

#[test]
fn knows_lockfiles_by_their_names() {
    for (path, expected) in [
        ("Cargo.lock", Some(Kind::Cargo)),
        ("web/package-lock.json", Some(Kind::Npm)),
        ("npm-shrinkwrap.json", Some(Kind::Npm)),
        ("pnpm-lock.yaml", Some(Kind::Pnpm)),
        ("yarn.lock", Some(Kind::Yarn)),
        ("go.sum", Some(Kind::Go)),
        ("poetry.lock", Some(Kind::Poetry)),
        ("uv.lock", Some(Kind::Uv)),
        ("requirements.txt", Some(Kind::Requirements)),
        ("requirements-dev.txt", Some(Kind::Requirements)),
        ("Pipfile.lock", Some(Kind::Pipfile)),
        ("pom.xml", Some(Kind::Pom)),
        ("gradle.lockfile", Some(Kind::Gradle)),
        ("buildscript-gradle.lockfile", Some(Kind::Gradle)),
        ("gradle/verification-metadata.xml", Some(Kind::GradleVerification)),
        ("composer.lock", Some(Kind::Composer)),
        ("Gemfile.lock", Some(Kind::Gem)),
        ("gems.locked", Some(Kind::Gem)),
        ("go.mod", None),
        ("Cargo.toml", None),
        ("requirements.in", None),
        ("cargo.lock", None),
        ("", None),
    ] {
        assert_eq!(kind_of(Path::new(path)), expected, "{path}");
    }
}

/// No name is longer than a name is, whichever package manager the file claims to be of.
#[test]
fn refuses_what_no_lockfile_holds_and_says_of_which_kind_it_was() {
    for (kind, text) in SMALLEST {
        assert_eq!(listed(*kind, text).unwrap().len(), 1, "{kind}");
        let bytes = [text.as_bytes(), b"\n\xff"].concat();
        let not_text = read(*kind, &bytes, &|_| None).unwrap_err().to_string();
        assert!(not_text.starts_with(&format!("expected UTF-8 text in {kind} line ")), "{kind}");
        let long = format!("a{}", "b".repeat(300));
        let named = |quote: &str| text.replacen(&format!("{quote}a"), &format!("{quote}{long}"), 1);
        let named = ["'", "/", "\n", "\"v/", "\"default\":{\"", "Id>", ":", "    ", "  ", ""]
            .map(named)
            .into_iter()
            .filter(|named| named.contains(&long))
            .filter_map(|named| listed(*kind, &named).err())
            .find(|error| error.to_string().contains("of at most 256 bytes"));
        assert!(named.is_some(), "{kind}");
    }
}

#[test]
fn refuses_files_that_are_too_large() {
    for kind in SMALLEST.iter().map(|(kind, _)| *kind) {
        let (what, limit) = ("bytes", kind.max_bytes());
        let error = read(kind, &vec![b' '; limit + 1], &|_| None).unwrap_err();
        assert_eq!(error, LockfileError::TooMuch { kind, what, limit });
    }
}

#[test]
fn refuses_more_dependencies_than_it_may_list() {
    use std::fmt::Write as _;
    let lines = |count: usize| {
        (0..count).fold(String::new(), |mut text, i| {
            let _ = writeln!(text, "g:a{i}:1=x");
            text
        })
    };
    let most = read(Kind::Gradle, lines(MAX_DEPENDENCIES).as_bytes(), &|_| None).unwrap();
    assert_eq!(most.len(), MAX_DEPENDENCIES);
    let error = read(Kind::Gradle, lines(MAX_DEPENDENCIES + 1).as_bytes(), &|_| None).unwrap_err();
    let (what, limit) = ("dependencies", MAX_DEPENDENCIES);
    assert_eq!(error, LockfileError::TooMuch { kind: Kind::Gradle, what, limit });
}

#[test]
fn cut_off_files_never_panic() {
    for (kind, text) in SMALLEST {
        for end in 0..text.len() {
            let _ = read(*kind, &text.as_bytes()[..end], &|_| None).map_err(|e| e.to_string());
        }
    }
}

#[test]
fn reads_on_behind_a_byte_order_mark() {
    for (kind, text) in SMALLEST {
        assert_eq!(listed(*kind, &format!("\u{feff}{text}")), listed(*kind, text), "{kind}");
    }
}

#[test]
fn every_refusal_says_what_to_do() {
    use crate::output::Remedy as _;
    let kind = Kind::Npm;
    for error in [
        LockfileError::malformed(kind, None, "x", "y\n  z"),
        LockfileError::version(kind, "1", 2),
        LockfileError::TooMuch { kind, what: "bytes", limit: 1 },
    ] {
        assert!(error.fix().is_some(), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn descriptors_are_resolved_dependencies_as_slsa_has_them() {
    let text = sample(
        "a==1 --hash=sha256:<sha256:a>\n\
         b==2 --hash=sha256:<sha256:a> --hash=sha256:<sha256:b>\n\
         c==3\n",
    );
    let dependencies = read(Kind::Requirements, text.as_bytes(), &|_| None).unwrap();
    let descriptors: Vec<_> = dependencies.iter().map(Dependency::descriptor).collect();
    let predicate = json!({
        "buildDefinition": {
            "buildType": "https://example.com/build/v1",
            "externalParameters": {},
            "resolvedDependencies": descriptors,
        },
        "runDetails": { "builder": { "id": "https://example.com/builder" } },
    });
    let [a, b] = ["a", "b"].map(|digit| digit.repeat(64));
    assert_eq!(
        predicate["buildDefinition"]["resolvedDependencies"],
        json!([
            { "uri": "pkg:pypi/a@1", "digest": { "sha256": a } },
            {
                "uri": "pkg:pypi/b@2",
                "annotations": { "hashes": [format!("sha256:{a}"), format!("sha256:{b}")] },
            },
            { "uri": "pkg:pypi/c@3" },
        ])
    );
    predicate::check("https://slsa.dev/provenance/v1", &predicate).unwrap();
    let facts = predicate::facts("https://slsa.dev/provenance/v1", &predicate);
    assert_eq!(facts.purls, ["pkg:pypi/a@1", "pkg:pypi/b@2", "pkg:pypi/c@3"]);
    assert!(facts.sources.is_empty());
}

/// Every package of this repository's own lockfile that is from a registry, by another reading.
#[test]
fn reads_the_lockfile_of_this_repository() {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"));
    let text = std::fs::read_to_string(&path).unwrap();
    let sources = text.lines().filter(|line| line.starts_with("source = ")).count();
    let members =
        text.split("[[package]]").filter(|part| part.contains("name = \"attestry")).count();
    assert!(sources > 100 && members > 3, "{sources} {members}");
    let found = read(kind_of(&path).unwrap(), text.as_bytes(), &|_| None).unwrap();
    assert_eq!(found.len(), sources);
    assert!(found.iter().all(|d| d.descriptor().digest.unwrap().value("sha256").is_some()));
    assert!(found.iter().all(|d| !d.name.starts_with("attestry")));
    let serde = found.iter().find(|dependency| dependency.name == "serde").unwrap();
    assert_eq!(serde.purl, format!("pkg:cargo/serde@{}", serde.version.as_deref().unwrap()));
    let sum = serde.descriptor().digest.unwrap().value("sha256").unwrap().to_owned();
    assert!(text.contains(&format!("checksum = \"{sum}\"")));
}
