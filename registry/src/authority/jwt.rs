//! JSON Web Tokens of an issuer (RFC 7515 compact form, RFC 7519), read strictly (RFC 8725).
//!
//! The token chooses nothing: its `alg` must be one that the issuer is configured with and that the key is
//! for, its `kid` picks among the issuer's configured keys and is looked up nowhere else, and `jwk`, `jku`,
//! `x5u` and `x5c` are not read. What it says of itself is read only for the name of the issuer before its
//! signature is verified. Signatures are verified by aws-lc-rs.

use attestry_schemas::json;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::algorithm::Algorithm;
use super::document::{Identity, Issuer};
use super::jwks::KeySet;

/// The longest token.
const MAX_TOKEN_BYTES: usize = 16 << 10;
/// The longest id of a key, and the longest text of a claim that is told again.
const MAX_TEXT_CHARS: usize = 200;

/// Why a token is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// It is not a token in the compact form.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// No configured key verifies it.
    #[error("not verified: {0}")]
    Key(&'static str),
    /// It is the issuer's, and says what is not accepted.
    #[error("expected a token {expected}, found {found}")]
    Claim {
        /// What would be.
        expected: &'static str,
        /// What it says.
        found: String,
    },
}

/// Whether a credential has the form of one: three parts, the first of which begins a JSON object.
#[must_use]
pub fn looks_like(text: &str) -> bool {
    text.starts_with("eyJ") && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// A token whose signature was not verified yet.
pub struct Jwt<'t> {
    signed: &'t [u8],
    signature: Vec<u8>,
    algorithm: Algorithm,
    key_id: Option<String>,
    claims: Value,
    /// Whose token it claims to be.
    pub issuer: String,
}

/// What a verified token says.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// `sub`.
    pub subject: String,
    /// `exp`, Unix seconds.
    pub expires_s: i64,
    all: Value,
}

impl<'t> Jwt<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// [`JwtError::Malformed`]; [`JwtError::Key`] for an algorithm that no issuer can have.
    pub fn parse(text: &'t str) -> Result<Self, JwtError> {
        use JwtError::Malformed;
        if text.len() > MAX_TOKEN_BYTES {
            return Err(Malformed("too long"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Malformed("no signature"))?;
        let (header, payload) = signed.split_once('.').ok_or(Malformed("no payload"))?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Malformed("base64url"));
        let object = |part: &str| {
            let value =
                json::parse(&decode(part)?, MAX_TOKEN_BYTES).map_err(|_| Malformed("JSON"))?;
            if value.is_object() { Ok(value) } else { Err(Malformed("no object")) }
        };
        let (header, claims) = (object(header)?, object(payload)?);
        let text = |value: &Value, name| value.get(name).and_then(Value::as_str).map(str::to_owned);
        // RFC 7515 §4.1.11: what must be understood is not.
        if header.get("crit").is_some() {
            return Err(Malformed("critical extensions"));
        }
        let type_ = text(&header, "typ").unwrap_or_else(|| "JWT".to_owned()).to_ascii_lowercase();
        if !matches!(type_.as_str(), "jwt" | "at+jwt") {
            return Err(Malformed("another type"));
        }
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) if id.len() <= MAX_TEXT_CHARS => Some(id.clone()),
            Some(_) => return Err(Malformed("kid")),
        };
        let algorithm = text(&header, "alg").as_deref().and_then(Algorithm::from_name);
        let algorithm = algorithm.ok_or(JwtError::Key("an algorithm that is not supported"))?;
        let issuer = text(&claims, "iss").ok_or(Malformed("no iss"))?;
        let signature = decode(signature)?;
        Ok(Self { signed: signed.as_bytes(), signature, algorithm, key_id, claims, issuer })
    }

    /// Verifies the signature with the issuer's keys, then what the token says, as of `now_s` (Unix seconds).
    ///
    /// # Errors
    /// [`JwtError`].
    pub fn verified(self, issuer: &Issuer, keys: &KeySet, now_s: i64) -> Result<Claims, JwtError> {
        if issuer.url != self.issuer {
            return Err(JwtError::Key("another issuer"));
        }
        if !issuer.algorithms.contains(&self.algorithm) {
            return Err(JwtError::Key("an algorithm that the issuer is not configured with"));
        }
        let key = keys.select(self.key_id.as_deref(), self.algorithm);
        let key = key.ok_or(JwtError::Key("no key of the issuer is named"))?;
        if !key.verifies(self.algorithm, self.signed, &self.signature) {
            return Err(JwtError::Key("the signature is not the key's"));
        }
        check(self.claims, issuer, now_s)
    }
}

fn check(claims: Value, issuer: &Issuer, now_s: i64) -> Result<Claims, JwtError> {
    let leeway_s = issuer.leeway_seconds;
    let audience = claims.get("aud");
    if !texts(audience).iter().any(|found| issuer.audience.contains(found)) {
        let found = audience.map_or_else(|| "none".to_owned(), Value::to_string);
        return Err(claim("whose aud is one of the issuer's audience in access.toml", &found));
    }
    let expires_s = moment(&claims, "exp")?.ok_or_else(|| claim("with exp", "none"))?;
    if now_s >= expires_s.saturating_add(leeway_s) {
        return Err(claim("that has not expired", &format!("exp {expires_s}")));
    }
    for name in ["nbf", "iat"] {
        let begins_s = moment(&claims, name)?;
        if let Some(begins_s) = begins_s.filter(|at| at.saturating_sub(leeway_s) > now_s) {
            return Err(claim("that is valid already", &format!("{name} {begins_s}")));
        }
    }
    let subject = claims.get("sub").and_then(Value::as_str).filter(|text| !text.is_empty());
    let subject = subject.ok_or_else(|| claim("with sub", "none"))?;
    let subject = subject.chars().take(MAX_TEXT_CHARS).collect();
    Ok(Claims { subject, expires_s, all: claims })
}

fn claim(expected: &'static str, found: &str) -> JwtError {
    JwtError::Claim { expected, found: found.chars().take(MAX_TEXT_CHARS).collect() }
}

/// A NumericDate (RFC 7519 §2), whose fraction is dropped. A claim of another type is no missing claim.
fn moment(claims: &Value, name: &str) -> Result<Option<i64>, JwtError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let whole = value.as_i64().or_else(|| {
        let fraction = value.as_f64().filter(|at| at.is_finite() && at.abs() < 1e12)?;
        // In range, as was just made sure.
        Some(fraction.trunc() as i64)
    });
    match whole {
        Some(seconds) => Ok(Some(seconds)),
        None => Err(claim("whose exp, nbf and iat are numbers", &value.to_string())),
    }
}

/// What a claim says, as texts: one, or those of a list.
fn texts(value: Option<&Value>) -> Vec<String> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(one).collect(),
        Some(value) => one(value).into_iter().collect(),
        None => Vec::new(),
    }
}

impl Claims {
    /// Whether every claim that the identity names is there and fits.
    #[must_use]
    pub fn fit(&self, identity: &Identity) -> bool {
        identity.claims.iter().all(|(name, values)| {
            let said = texts(self.all.get(name));
            said.iter().any(|text| values.iter().any(|value| value.fits(text)))
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
