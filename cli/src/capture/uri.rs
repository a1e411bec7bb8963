//! Parts of URIs (RFC 3986): percent-encoding, and web addresses that are safe to record.

use std::fmt::Write as _;

use super::credential::without_credentials;

/// Percent-encodes what may not stand in a path, and what `also` names (RFC 3986 §2.1, §3.3).
pub(super) fn encoded(text: &str, also: &[u8]) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        let may_stand = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte);
        if may_stand && !also.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// A web address without credentials, query and fragment; nothing when it is no web address.
pub(super) fn web_address(text: &str) -> Option<String> {
    let text = without_credentials(text.trim());
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "https" && scheme != "http" {
        return None;
    }
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    let host_fits = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte));
    let path = rest.get(host.len()..).unwrap_or_default();
    host_fits.then(|| format!("{scheme}://{host}{}", encoded(path, &[])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_address_loses_what_is_secret_or_no_part_of_the_place() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(web_address(text).as_deref(), expected, "{text}");
        };
        check("https://ci.example.com/a/1/", Some("https://ci.example.com/a/1/"));
        check("HTTPS://ci.example.com:8443/a b", Some("https://ci.example.com:8443/a%20b"));
        check("http://[::1]:8080/x", Some("http://[::1]:8080/x"));
        check("https://me:secret@ci.example.com/a?b=c#d", Some("https://ci.example.com/a"));
        for other in ["", "ci.example.com", "ssh://ci.example.com/a", "https://", "https://a b/c"] {
            check(other, None);
        }
    }

    #[test]
    fn encodes_what_may_not_stand_in_a_path() {
        assert_eq!(encoded("a b/ä#?%", b"%"), "a%20b/%C3%A4%23%3F%25");
        assert_eq!(encoded("a@b/%20", b"@"), "a%40b/%20");
    }
}
