//! References to artifacts in registries: `oci://HOST[:PORT]/NAME[:TAG][@DIGEST]`, and the same without `oci://` as
//! docker writes it, where a name without a host is one of Docker Hub's.

use std::fmt;
use std::str::FromStr;

use attestry_schemas::oci::{BlobDigest, NameError, RepositoryName, Tag};

/// What every reference of ours begins with.
const SCHEME: &str = "oci://";
/// Docker Hub as references name it, and the host that answers for it.
const HUB: &str = "docker.io";
const HUB_API: &str = "registry-1.docker.io";

/// Why a text is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReferenceError {
    /// Its host is none.
    #[error("expected oci://HOST[:PORT]/NAME[:TAG][@DIGEST], found {found:?}: {why}")]
    Host {
        /// The text.
        found: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// It is a digest, and names no repository.
    #[error(
        "expected HOST/NAME with a tag or a digest, such as registry.example.com/pay/api@sha256:…, found the digest {found:?} alone"
    )]
    Alone {
        /// The text.
        found: String,
    },
    /// One of its names is none.
    #[error("expected oci://HOST[:PORT]/NAME[:TAG][@DIGEST], found {found:?}: {source}")]
    Name {
        /// The text.
        found: String,
        /// What is wrong with it.
        source: NameError,
    },
}

/// A registry's host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Host(String);

impl Host {
    /// Host and port as a person names them.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Host and port that are connected to.
    pub(crate) fn authority(&self) -> &str {
        if self.0 == HUB { HUB_API } else { &self.0 }
    }

    /// Whether it is this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// The names under which docker's configuration may know it, the best first.
    pub(crate) fn credential_keys(&self) -> Vec<String> {
        if self.0 == HUB {
            return ["https://index.docker.io/v1/", "index.docker.io", HUB, HUB_API]
                .map(str::to_owned)
                .to_vec();
        }
        let host = &self.0;
        vec![
            host.clone(),
            format!("https://{host}"),
            format!("https://{host}/"),
            format!("https://{host}/v1/"),
            format!("https://{host}/v2/"),
            format!("http://{host}"),
        ]
    }
}

/// Whether an authority (host with or without port) is this machine.
pub(crate) fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl FromStr for Host {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('@') {
            return Err("a reference is no place for a secret; use docker login");
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, rest) = rest.split_once(']').ok_or("its host is no IPv6 address")?;
                let is_one = address.parse::<std::net::Ipv6Addr>().is_ok();
                let port = rest.strip_prefix(':');
                if !is_one || (port.is_none() && !rest.is_empty()) {
                    return Err("its host is no IPv6 address");
                }
                (None, port)
            }
            None => match text.split_once(':') {
                Some((host, port)) => (Some(host), Some(port)),
                None => (Some(text), None),
            },
        };
        if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
            return Err("its port is no number from 1 to 65535");
        }
        let label = |label: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(plain)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if host.is_some_and(|host| host.len() > 253 || !host.split('.').all(label)) {
            return Err("its host is no name of one");
        }
        let text = text.to_ascii_lowercase();
        Ok(Self(if text == "index.docker.io" || text == HUB_API { HUB.to_owned() } else { text }))
    }
}

/// An artifact in a registry, as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OciReference {
    host: Host,
    name: RepositoryName,
    tag: Option<Tag>,
    digest: Option<BlobDigest>,
}

impl OciReference {
    /// Whether a text is meant to be a reference and not, say, a path.
    pub(crate) fn is_meant(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// Reads a reference with or without `oci://`.
    ///
    /// # Errors
    /// [`ReferenceError`].
    pub(crate) fn of_any_form(text: &str) -> Result<Self, ReferenceError> {
        if Self::is_meant(text) {
            return text.parse();
        }
        if text.to_ascii_lowercase().parse::<BlobDigest>().is_ok() {
            // Docker Hub would have it for an image of that name.
            return Err(ReferenceError::Alone { found: text.to_owned() });
        }
        let first = text.split('/').next().unwrap_or_default();
        let names_host = text.contains('/')
            && (first.contains(['.', ':', '[']) || first.eq_ignore_ascii_case("localhost"));
        match names_host {
            true => Self::parse(text, text),
            false if text.contains('/') => Self::parse(&format!("{HUB}/{text}"), text),
            false => Self::parse(&format!("{HUB}/library/{text}"), text),
        }
    }

    /// Host and repository, without tag and digest.
    pub(crate) fn repository(&self) -> String {
        format!("{}/{}", self.host.as_str(), self.name)
    }

    /// The host.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// The repository's name.
    pub(crate) fn name(&self) -> &RepositoryName {
        &self.name
    }

    /// The tag; none where only a digest is named, `latest` where neither is.
    pub(crate) fn tag(&self) -> Option<Tag> {
        let latest = || "latest".parse().ok().filter(|_| self.digest.is_none());
        self.tag.clone().or_else(latest)
    }

    /// Whether a tag is written out.
    pub(crate) fn has_tag(&self) -> bool {
        self.tag.is_some()
    }

    /// The digest, where it is named.
    pub(crate) fn digest(&self) -> Option<&BlobDigest> {
        self.digest.as_ref()
    }

    fn parse(rest: &str, whole: &str) -> Result<Self, ReferenceError> {
        let found = || whole.chars().take(300).collect::<String>();
        let host_error = |why| ReferenceError::Host { found: found(), why };
        let name_error = |source| ReferenceError::Name { found: found(), source };
        let (host, rest) = rest.split_once('/').ok_or_else(|| host_error("it has no name"))?;
        let host: Host = host.parse().map_err(host_error)?;
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(name_error)?)),
            None => (rest, None),
        };
        let (name, tag) = match rest.split_once(':') {
            Some((name, tag)) => (name, Some(tag.parse().map_err(name_error)?)),
            None => (rest, None),
        };
        let name = name.parse().map_err(name_error)?;
        Ok(Self { host, name, tag, digest })
    }
}

impl FromStr for OciReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let found = || text.chars().take(300).collect::<String>();
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| ReferenceError::Host {
            found: found(),
            why: "it does not begin with oci://",
        })?;
        Self::parse(rest, text)
    }
}

impl fmt::Display for OciReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.repository())?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_host_a_name_and_a_tag_or_digest() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, host, name, tag, has_digest) in [
            ("oci://localhost:5000/pay/api:1.2", "localhost:5000", "pay/api", Some("1.2"), false),
            ("oci://registry.example.com/a", "registry.example.com", "a", Some("latest"), false),
            ("oci://[::1]:5000/a:b", "[::1]:5000", "a", Some("b"), false),
            (&format!("oci://h/a@{digest}"), "h", "a", None, true),
            (&format!("oci://h/a:t@{digest}"), "h", "a", Some("t"), true),
            ("oci://EXAMPLE.com/a", "example.com", "a", Some("latest"), false),
        ] {
            let found: OciReference = text.parse().unwrap();
            assert_eq!(found.host().as_str(), host, "{text}");
            assert_eq!(found.name().as_str(), name, "{text}");
            assert_eq!(found.tag().as_ref().map(Tag::as_str), tag, "{text}");
            assert_eq!(found.digest().is_some(), has_digest, "{text}");
            assert_eq!(found.to_string().parse::<OciReference>(), Ok(found), "{text}");
        }
    }

    #[test]
    fn refuses_what_could_reach_another_place_than_it_seems() {
        let long = format!("oci://h/{}", "a".repeat(256));
        for text in [
            "h/a",
            "oci://",
            "oci://h",
            "oci://h/",
            "oci:///a",
            "oci://user:pw@h/a",
            "oci://h/A",
            "oci://h/a/../b",
            "oci://h/%2e%2e/b",
            "oci://h/a:",
            "oci://h/a@",
            "oci://h/a@sha256:abc",
            "oci://h:0/a",
            "oci://h:99999/a",
            "oci://h:x/a",
            "oci://h\r\n/a",
            "oci://-h/a",
            "oci://h?x/a",
            "oci://h#x/a",
            "oci://[::1/a",
            "oci://[x]/a",
            "oci://h/a:b:c",
            "oci://h/a?n=1",
            &long,
        ] {
            assert!(text.parse::<OciReference>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_name_without_a_host_is_one_of_docker_hub() {
        for (text, expected) in [
            ("alpine", "oci://docker.io/library/alpine"),
            ("alpine:3", "oci://docker.io/library/alpine:3"),
            ("grafana/loki:2", "oci://docker.io/grafana/loki:2"),
            ("docker.io/a/b", "oci://docker.io/a/b"),
            ("index.docker.io/a/b", "oci://docker.io/a/b"),
            ("localhost/a", "oci://localhost/a"),
            ("localhost:5000/a:t", "oci://localhost:5000/a:t"),
            ("ghcr.io/x/y", "oci://ghcr.io/x/y"),
        ] {
            let found = OciReference::of_any_form(text).unwrap();
            assert_eq!(found.to_string(), expected, "{text}");
        }
        let hub = OciReference::of_any_form("alpine").unwrap();
        assert_eq!(hub.host().authority(), "registry-1.docker.io");
    }

    #[test]
    fn a_digest_alone_is_no_image_of_docker_hub() {
        for digest in ["a".repeat(64), "A".repeat(64)] {
            let refused = OciReference::of_any_form(&format!("sha256:{digest}"));
            assert!(matches!(refused, Err(ReferenceError::Alone { .. })), "{refused:?}");
        }
    }

    #[test]
    fn knows_which_hosts_are_this_machine() {
        for (text, expected) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.9.9.9", true),
            ("[::1]:80", true),
            ("localhost.example.com", false),
            ("10.0.0.1:5000", false),
        ] {
            assert_eq!(text.parse::<Host>().unwrap().is_loopback(), expected, "{text}");
        }
    }
}
