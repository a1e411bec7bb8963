//! Canonical JSON as in-toto's implementations sign it: OLPC's.
//!
//! Keys in the order of their bytes, no white space, integers only, and of all characters only `"`
//! and `\` escaped; the others, control characters too, stand as they are. The result is what a
//! signature covers and need not be JSON. It is not RFC 8785 (JCS), which escapes control
//! characters, orders keys by UTF-16 and knows fractions: for that see [`crate::json::canonical`].
//!
//! Text is not normalized. The crate `olpc-cjson` would bring it into form NFC, which neither
//! securesystemslib (Python) nor go-securesystemslib does, so a link that names a file in another
//! form would verify nowhere.

use serde_json::{Map, Value};

use crate::json::MAX_DEPTH;

/// Why a value has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// OLPC's form has integers only.
    #[error("expected an integer (canonical JSON of in-toto has no others), found {found}")]
    Number {
        /// The number as JSON writes it.
        found: String,
    },
    /// The value nests deeper than anything that is read.
    #[error("expected a value of at most {MAX_DEPTH} levels, found a deeper one")]
    Depth,
}

/// Returns the bytes that a signature over `value` covers.
///
/// # Errors
/// [`CanonicalError::Number`] for a fraction or an integer beyond 64 bits,
/// [`CanonicalError::Depth`] for a value that nests deeper than [`MAX_DEPTH`].
pub fn canonical(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::new();
    write(value, 0, &mut out)?;
    Ok(out)
}

fn write(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    if depth > MAX_DEPTH {
        return Err(CanonicalError::Depth);
    }
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            out.extend_from_slice(number.to_string().as_bytes());
        }
        Value::Number(number) => {
            return Err(CanonicalError::Number { found: number.to_string() });
        }
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            let mut separator = b'[';
            for item in items {
                out.push(separator);
                separator = b',';
                write(item, depth + 1, out)?;
            }
            close(items.is_empty(), b"[]", out);
        }
        Value::Object(members) => {
            let mut separator = b'{';
            for (name, member) in in_order(members) {
                out.push(separator);
                separator = b',';
                write_text(name, out);
                out.push(b':');
                write(member, depth + 1, out)?;
            }
            close(members.is_empty(), b"{}", out);
        }
    }
    Ok(())
}

/// Ends a list or an object; an empty one has not been opened yet.
fn close(is_empty: bool, [open, end]: &[u8; 2], out: &mut Vec<u8>) {
    if is_empty {
        out.push(*open);
    }
    out.push(*end);
}

/// The members by name. A [`Map`] may keep the order of the text, if another crate asks for that.
fn in_order(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    sorted
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    const ESCAPED: [char; 2] = ['"', '\\'];
    out.push(b'"');
    for piece in text.split_inclusive(ESCAPED) {
        let (plain, escaped) = piece.split_at(piece.trim_end_matches(ESCAPED).len());
        out.extend_from_slice(plain.as_bytes());
        if !escaped.is_empty() {
            out.push(b'\\');
            out.extend_from_slice(escaped.as_bytes());
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn is_what_securesystemslib_writes() {
        // securesystemslib.formats.encode_canonical (1.6.0) of the same values, in hex.
        for (value, expected) in [
            (json!({}), "7b7d"),
            (json!([]), "5b5d"),
            (json!([[], {}, ""]), "5b5b5d2c7b7d2c22225d"),
            (
                json!({"b": [1, -2, true], "a": null}),
                "7b2261223a6e756c6c2c2262223a5b312c2d322c747275655d7d",
            ),
            // Quotes and backslashes are escaped; a backslash before an n stays two characters.
            (json!("\"\\n\\"), "225c225c5c6e5c5c22"),
            // Control characters, DEL and U+2028 are not.
            (json!("\u{0}\t\n\r\u{1f}\u{7f}/\u{2028}"), "2200090a0d1f7f2fe280a822"),
            // Keys by code point: U+FF21 before U+1F600, which UTF-16 would put first.
            (
                json!({"😀": 1, "Ａ": 2, "a": 3, "B": 4}),
                "7b2242223a342c2261223a332c22efbca1223a322c22f09f9880223a317d",
            ),
            // A decomposed e with acute stays decomposed.
            (json!("e\u{301}"), "2265cc8122"),
            (json!(u64::MAX), "3138343436373434303733373039353531363135"),
        ] {
            assert_eq!(hex::encode(canonical(&value).unwrap()), expected, "{value}");
        }
    }

    #[test]
    fn refuses_fractions_and_what_nests_too_deep() {
        for number in [json!(0.5), json!(1.0), json!(-0.0), json!(1e30)] {
            let error = canonical(&json!([{ "a": number }])).unwrap_err().to_string();
            assert!(error.contains("expected an integer"), "{error}");
        }
        let nest = |levels| (0..levels).fold(json!(0), |inner, _| json!([inner]));
        assert!(canonical(&nest(MAX_DEPTH)).is_ok());
        assert_eq!(canonical(&nest(MAX_DEPTH + 1)), Err(CanonicalError::Depth));
    }
}
