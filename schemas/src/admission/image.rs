//! Image references, as container runtimes read them: `registry.example.com:5000/pay/api:v1@sha256:…`.
//!
//! The grammar and the defaults are those of the distribution project's `reference` package, from which
//! Kubernetes and containerd take theirs: a first component without a dot, a colon or capitals is no host, so that
//! `nginx` is `docker.io/library/nginx`. An image has one name here, whatever of that is spelled out.

use std::fmt;

use crate::digest::Sha256;

/// The longest reference that is read, in bytes: a repository (255), a tag (128) and a digest.
pub const MAX_REFERENCE_BYTES: usize = 512;
/// The longest repository with its host, in bytes (distribution `reference.NameTotalLengthMax`).
const MAX_REPOSITORY_BYTES: usize = 255;
/// The longest tag, in bytes.
const MAX_TAG_BYTES: usize = 128;
/// The host that short names stand for.
const DEFAULT_HOST: &str = "docker.io";
/// What a name without a host and without a folder is in.
const DEFAULT_FOLDER: &str = "library";

/// Why a reference is not one that can be decided about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// It has no digest: a tag can be moved after it was checked.
    #[error(
        "expected an image by its digest, such as {repository}@sha256:<64 hex digits>, found {found:?}; a tag can be moved after it was checked"
    )]
    NotPinned {
        /// The repository that it names.
        repository: String,
        /// The reference.
        found: String,
    },
    /// Its digest is of another algorithm than the one by which evidence names images.
    #[error("expected the image's sha256 digest, by which evidence names it, found {found:?}")]
    Algorithm {
        /// The reference.
        found: String,
    },
    /// It is no reference.
    #[error(
        "expected an image such as registry.example.com/pay/api@sha256:<64 hex digits>, found {found:?}"
    )]
    Malformed {
        /// As much of it as a message repeats.
        found: String,
    },
}

/// An image by its digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Image {
    /// Host and path, such as `registry.example.com/pay/api`.
    pub repository: String,
    /// What the runtime pulls, whatever the tag says.
    pub digest: Sha256,
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repository, self.digest)
    }
}

impl Image {
    /// Reads a reference. A tag beside the digest is read and left out: nothing pulls by it.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        let found = || text.chars().take(200).collect::<String>();
        let malformed = || ImageError::Malformed { found: found() };
        if text.len() > MAX_REFERENCE_BYTES {
            return Err(malformed());
        }
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        // The colon of a tag stands after the last slash; one before it is a port's.
        let (path, tag) = match name.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (name, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(malformed());
        }
        let repository = repository(path).ok_or_else(malformed)?;
        let Some(digest) = digest else {
            return Err(ImageError::NotPinned { repository, found: found() });
        };
        match digest.split_once(':') {
            Some(("sha256", _)) => {
                let digest = digest.parse().map_err(|_| malformed())?;
                Ok(Self { repository, digest })
            }
            Some((algorithm, _)) if !algorithm.is_empty() => {
                Err(ImageError::Algorithm { found: found() })
            }
            _ => Err(malformed()),
        }
    }
}

/// A tag of the grammar `[\w][\w.-]{0,127}`.
fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=MAX_TAG_BYTES).contains(&tag.len())
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

/// The repository in full; none for a text that is no repository.
fn repository(path: &str) -> Option<String> {
    let (host, rest) = match path.split_once('/') {
        Some((first, rest)) if is_host_like(first) => (host(first)?, rest),
        _ => (DEFAULT_HOST.to_owned(), path),
    };
    if !rest.split('/').all(is_component) {
        return None;
    }
    let folder = match (host.as_str(), rest.contains('/')) {
        (DEFAULT_HOST, false) => format!("{DEFAULT_FOLDER}/"),
        _ => String::new(),
    };
    let repository = format!("{host}/{folder}{rest}");
    (repository.len() <= MAX_REPOSITORY_BYTES).then_some(repository)
}

/// Whether the first component names a host and no folder of the default one.
fn is_host_like(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':'])
        || first.bytes().any(|b| b.is_ascii_uppercase())
}

/// A host in the one spelling that policies name: lower case, without the port that https has anyway.
fn host(text: &str) -> Option<String> {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (text, None),
    };
    let is_port =
        |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
    if port.is_some_and(|port| !is_port(port)) {
        return None;
    }
    let label = |label: &str| {
        let plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        !label.is_empty() && plain && !label.starts_with('-') && !label.ends_with('-')
    };
    let bracketed = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_host = match bracketed {
        Some(address) => address.parse::<core::net::Ipv6Addr>().is_ok(),
        None => name.split('.').all(label),
    };
    if !is_host {
        return None;
    }
    let name = match name.to_ascii_lowercase() {
        name if name == "index.docker.io" => DEFAULT_HOST.to_owned(),
        name => name,
    };
    Some(match port {
        Some(port) if port != "443" => format!("{name}:{port}"),
        _ => name,
    })
}

/// A component of the grammar `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_component(component: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separator =
        |text: &&str| matches!(*text, "" | "." | "_" | "__") || text.bytes().all(|b| b == b'-');
    // What stands between the letters: nothing at either end, and one separator at most elsewhere.
    let between: Vec<&str> = component.split(letter).collect();
    matches!(between.as_slice(), ["", .., ""]) && between.iter().all(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn an_image_has_one_name_however_it_is_spelled() {
        for (text, repository) in [
            ("nginx", "docker.io/library/nginx"),
            ("docker.io/nginx", "docker.io/library/nginx"),
            ("index.docker.io/library/nginx:1.27", "docker.io/library/nginx"),
            ("pay/api", "docker.io/pay/api"),
            ("localhost/api", "localhost/api"),
            ("localhost:5000/api:v1", "localhost:5000/api"),
            ("registry.example.com/pay/api:v1", "registry.example.com/pay/api"),
            ("Registry.Example.com:443/pay/api", "registry.example.com/pay/api"),
            ("registry.example.com:5000/a.b/c__d/e--f", "registry.example.com:5000/a.b/c__d/e--f"),
            ("[2001:db8::1]:5000/api", "[2001:db8::1]:5000/api"),
        ] {
            let image = Image::parse(&format!("{text}@sha256:{HEX}")).unwrap();
            assert_eq!(image.repository, repository, "{text}");
            assert_eq!(image.to_string(), format!("{repository}@sha256:{HEX}"));
        }
    }

    #[test]
    fn a_tag_alone_is_refused_with_the_form_that_is_wanted() {
        for text in ["nginx", "nginx:1.27", "registry.example.com:5000/pay/api:v1"] {
            let refused = Image::parse(text).unwrap_err();
            assert!(matches!(refused, ImageError::NotPinned { .. }), "{refused}");
            let told = refused.to_string();
            assert!(told.contains("@sha256:<64 hex digits>") && told.contains(text), "{told}");
        }
    }

    #[test]
    fn a_digest_of_another_algorithm_is_refused_by_its_name() {
        let text = format!("registry.example.com/pay/api@sha512:{HEX}{HEX}");
        let refused = Image::parse(&text).unwrap_err();
        assert!(matches!(refused, ImageError::Algorithm { .. }), "{refused}");
        assert!(refused.to_string().contains("sha512"), "{refused}");
    }

    #[test]
    fn what_no_runtime_would_pull_is_malformed() {
        let long = format!("a/{}", "b".repeat(300));
        for name in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "Pay/api/",
            "pay/Api",
            "a..b",
            "a_-b",
            "-a",
            "a-",
            "a/../b",
            "a b",
            " a",
            "a\n",
            "a%2fb",
            "a\\b",
            "example.com:port/a",
            "example.com:/a",
            "a:",
            "a:-v",
            "-x.com/a",
            "x..com/a",
            "[::1/a",
            "[zz]/a",
            "https://example.com/a",
            &long,
        ] {
            let refused = Image::parse(&format!("{name}@sha256:{HEX}")).unwrap_err();
            assert!(matches!(refused, ImageError::Malformed { .. }), "{name:?}: {refused}");
        }
        let upper = HEX.to_ascii_uppercase();
        for digest in [
            "",
            "sha256",
            ":",
            "sha256:",
            "sha256:00",
            &format!("sha256:{upper}"),
            &format!("sha256:{HEX}@sha256:{HEX}"),
        ] {
            let refused = Image::parse(&format!("a@{digest}")).unwrap_err();
            assert!(matches!(refused, ImageError::Malformed { .. }), "{digest:?}: {refused}");
        }
        let endless = "a".repeat(1 << 20);
        assert!(Image::parse(&endless).unwrap_err().to_string().len() < 500);
    }
}
