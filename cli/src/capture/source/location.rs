//! Where a repository is, as SLSA names it: `git+https://host/path@refs/heads/main`.
//!
//! SLSA asks for the form of an SPDX download location (SPDX 2.3 §7.7):
//! `<tool>+<transport>://<host>[/<path>][@<revision>][#<sub path>]`. A path's own `.git` is left
//! out, as in the build type of GitHub Actions, so that one repository has one name.

use crate::capture::credential::without_credentials;
use crate::capture::uri::encoded;

/// Transports of git that name a place on a network.
const TRANSPORTS: &[&str] = &["https", "http", "ssh", "git", "ftps", "ftp"];
/// The longest URL that is recorded.
const MAX_URL_BYTES: usize = 2048;

/// The URI of the repository that git reaches at `url` (git-clone, "Git URLs"): without credentials,
/// query and fragment. Nothing for a path of this machine, or another form that no network reaches.
pub(super) fn repository(url: &str) -> Option<String> {
    let url = url.trim();
    if url.len() > MAX_URL_BYTES || url.contains(char::is_control) {
        return None;
    }
    let url = match url.split_once("://") {
        Some(_) => url.to_owned(),
        None => from_scp(url)?,
    };
    let url = without_credentials(&url);
    let (transport, rest) = url.split_once("://")?;
    let transport = transport.to_ascii_lowercase();
    // git+ssh and ssh+git are old names of ssh.
    let transport = transport.strip_prefix("git+").unwrap_or(&transport);
    let transport = transport.strip_suffix("+git").unwrap_or(transport);
    if !TRANSPORTS.contains(&transport) {
        return None;
    }
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (format!("{}@", encoded(user, b"/%@:")), host),
        None => (String::new(), authority),
    };
    let host = host.to_ascii_lowercase();
    let host_fits =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte) || byte >= 0x80;
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/');
    if host.is_empty() || !host.bytes().all(host_fits) {
        return None;
    }
    // An @ in the path would start the revision.
    let path = encoded(path, b"@");
    Some(format!("git+{transport}://{user}{host}/{path}").trim_end_matches('/').to_owned())
}

/// A repository at a branch, tag or other name in full.
pub(super) fn at_reference(repository: &str, reference: Option<&str>) -> String {
    match reference {
        Some(reference) => format!("{repository}@{}", encoded(reference, b"%")),
        None => repository.to_owned(),
    }
}

/// `[user@]host:path`, the short form of ssh, in the long form. What has a slash before the colon
/// is a path of this machine, and so is a single letter before it.
fn from_scp(url: &str) -> Option<String> {
    let (place, path) = match url.find("]:") {
        // git@[::1]:path
        Some(bracket) => (url.get(..=bracket)?, url.get(bracket + 2..)?),
        None => url.split_once(':')?,
    };
    let host = place.rsplit('@').next().unwrap_or(place);
    // Two colons name a program that transports: ext::command.
    let is_local = place.contains('/') || host.len() < 2 || path.starts_with(':');
    if is_local || path.is_empty() || place.contains(char::is_whitespace) {
        return None;
    }
    Some(format!("ssh://{place}/{}", path.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_git_become_locations() {
        let check = |url: &str, expected: &str| {
            assert_eq!(repository(url).as_deref(), Some(expected), "{url}");
        };
        check("https://github.com/o/r.git", "git+https://github.com/o/r");
        check("https://github.com/o/r/", "git+https://github.com/o/r");
        check("HTTPS://GitHub.com/O/R", "git+https://github.com/O/R");
        check("https://u:secret@git.example.com:8443/o/r", "git+https://git.example.com:8443/o/r");
        check("https://token@git.example.com/o/r?a=b#c", "git+https://git.example.com/o/r");
        check("http://git.example.com/a b/@c", "git+http://git.example.com/a%20b/%40c");
        check("git@github.com:o/r.git", "git+ssh://git@github.com/o/r");
        check("github.com:/o/r.git", "git+ssh://github.com/o/r");
        check("git@[::1]:o/r", "git+ssh://git@[::1]/o/r");
        check("ssh://git@git.example.com:2222/o/r.git", "git+ssh://git@git.example.com:2222/o/r");
        check("ssh://git:secret@git.example.com/o/r", "git+ssh://git@git.example.com/o/r");
        check("git+ssh://git@git.example.com/o/r", "git+ssh://git@git.example.com/o/r");
        check("git://git.example.com/r.git", "git+git://git.example.com/r");
        check("https://git.example.com", "git+https://git.example.com");
    }

    #[test]
    fn paths_of_a_machine_are_no_location() {
        for url in [
            "",
            "/srv/git/r.git",
            "../r",
            "./host:path",
            "r.git",
            "C:\\r",
            "C:/r",
            "file:///srv/git/r.git",
            "ext::sh -c x",
            "host:",
            "https://",
            "https://a b/r",
            "a\nb:c",
        ] {
            assert_eq!(repository(url), None, "{url}");
        }
        assert_eq!(repository(&format!("https://h/{}", "x".repeat(MAX_URL_BYTES))), None);
    }

    #[test]
    fn a_reference_follows_the_location() {
        let at = |reference| at_reference("git+https://h/r", Some(reference));
        assert_eq!(at("refs/heads/main"), "git+https://h/r@refs/heads/main");
        assert_eq!(at("refs/tags/@scope/p@1"), "git+https://h/r@refs/tags/@scope/p@1");
        assert_eq!(at("refs/heads/a#b%c\u{e4}"), "git+https://h/r@refs/heads/a%23b%25c%C3%A4");
        assert_eq!(at_reference("git+https://h/r", None), "git+https://h/r");
    }
}
