//! Principals: as whom the registry knows a caller.

use std::fmt;
use std::str::FromStr;

use crate::tokens;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// A caller that sent no credential.
    Anyone,
    /// The bearer of an API token, by the token's name.
    Token(String),
    /// A workload that an issuer vouches for, by the name of the identity that its claims fit.
    Identity(String),
    /// The holder of a client certificate, by the name of the entry that it fits.
    Certificate(String),
}

/// What names a principal in a document.
pub const EXPECTED: &str = "anyone, token:NAME, oidc:NAME or mtls:NAME, the name of ASCII letters, digits, '-', '_', '.' and '@'";

/// A text that names no principal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {EXPECTED}, found {0:?}")]
pub struct PrincipalError(String);

impl FromStr for Principal {
    type Err = PrincipalError;

    fn from_str(text: &str) -> Result<Self, PrincipalError> {
        let named = match text.split_once(':') {
            None if text == "anyone" => return Ok(Self::Anyone),
            Some(("token", name)) => Some((Self::Token as fn(String) -> Self, name)),
            Some(("oidc", name)) => Some((Self::Identity as fn(String) -> Self, name)),
            Some(("mtls", name)) => Some((Self::Certificate as fn(String) -> Self, name)),
            _ => None,
        };
        let plain = named.filter(|(_, name)| tokens::check_name(name).is_ok());
        let refused = || PrincipalError(text.chars().take(100).collect());
        plain.map(|(of, name)| of(name.to_owned())).ok_or_else(refused)
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::Token(name) => write!(f, "token:{name}"),
            Self::Identity(name) => write!(f, "oidc:{name}"),
            Self::Certificate(name) => write!(f, "mtls:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_is_read_as_it_is_written_and_no_other_text_is_one() {
        for text in ["anyone", "token:ci", "oidc:pay-ci", "mtls:deploy.example.org"] {
            assert_eq!(text.parse::<Principal>().unwrap().to_string(), text);
        }
        for text in
            ["", "ci", "token:", "token:a b", "token:a\nb", "Token:ci", "group:x", "anyone:x"]
        {
            assert!(text.parse::<Principal>().is_err(), "{text:?}");
        }
    }
}
