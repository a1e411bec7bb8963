//! Conditional requests (RFC 9110 §13), for what has an entity tag. Every tag here is strong, and
//! there are no dates of change.

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};

/// Whether the client has what the tag names, so that 304 is the answer (RFC 9110 §13.1.2). The
/// comparison is the weak one.
pub(super) fn is_unchanged(request: &HttpRequest, tag: &str) -> bool {
    let mut sent = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    sent.any(|list| list.trim() == "*" || tags(list).any(|found| found == tag))
}

/// The `Range` header, where it counts: in a GET (RFC 9110 §14.2), and under an `If-Range` only when
/// that is this very tag (§13.1.5).
pub(super) fn range<'r>(request: &'r HttpRequest, tag: &str) -> Option<&'r str> {
    if request.method() != Method::GET {
        return None;
    }
    if let Some(condition) = request.headers().get(IF_RANGE)
        && condition.as_bytes().trim_ascii() != tag.as_bytes()
    {
        return None;
    }
    request.headers().get(RANGE).and_then(|value| value.to_str().ok())
}

/// The tags of a list with their quotes, without the mark of weak ones. A tag may hold a comma.
fn tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        rest = rest.get(rest.find('"')?..)?;
        let end = rest.get(1..)?.find('"')? + 2;
        let (tag, after) = rest.split_at_checked(end)?;
        rest = after;
        Some(tag)
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_forms_of_if_none_match_are_read() {
        for (sent, expected) in [
            ("\"a\"", true),
            ("*", true),
            (" * ", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("\"b,c\",W/\"a\"", true),
            ("\"b\"", false),
            ("\"x,\"a\"", false),
            ("a", false),
            ("\"a", false),
            ("", false),
        ] {
            let request =
                TestRequest::default().insert_header((IF_NONE_MATCH, sent)).to_http_request();
            assert_eq!(is_unchanged(&request, "\"a\""), expected, "{sent}");
        }
        assert!(!is_unchanged(&TestRequest::default().to_http_request(), "\"a\""));
    }

    #[test]
    fn a_range_counts_in_a_get_and_for_the_tag_that_it_names() {
        let range_of = |method: Method, condition: Option<&str>| {
            let mut request =
                TestRequest::default().method(method).insert_header((RANGE, "bytes=0-1"));
            if let Some(condition) = condition {
                request = request.insert_header((IF_RANGE, condition));
            }
            range(&request.to_http_request(), "\"a\"").is_some()
        };
        assert!(range_of(Method::GET, None));
        assert!(range_of(Method::GET, Some("\"a\"")));
        assert!(!range_of(Method::GET, Some("\"b\"")));
        assert!(!range_of(Method::GET, Some("W/\"a\"")), "a weak tag is not the same bytes");
        assert!(!range_of(Method::GET, Some("Sat, 31 Jan 2026 09:30:00 GMT")));
        assert!(!range_of(Method::HEAD, None));
    }
}
