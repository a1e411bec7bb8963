//! What looks like a credential, so that it is not recorded.
//!
//! A guard against mistakes, by the [`name`] of a variable or flag and by the [`value`]. It is no
//! scanner: a secret that looks like a hash, such as 32 hex digits under a harmless name, is not
//! seen, because commits and digests have to pass. What is refused in error costs a warning and a
//! missing parameter; what passes in error would be published, so doubt refuses.

mod name;
mod value;

#[cfg(test)]
mod tests;

use std::fmt;

pub(crate) use name::says_credential;
pub(super) use value::{flag_name, is_reference};

/// What is recorded in a credential's place.
pub(crate) const REDACTED: &str = "REDACTED";

/// By what a credential was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// The name says so.
    Name,
    /// A private key in PEM, or in the text form of another tool.
    PrivateKey,
    /// A URL with a user and password before the host.
    UserInfo,
    /// A URL whose query is a signature or token that gives access.
    SignedUrl,
    /// The form of one issuer's tokens.
    Token(&'static str),
    /// A JSON Web Token.
    Jwt,
    /// An HTTP authorization: `Bearer` or `Basic` with what follows.
    Authorization,
    /// A name that says so with a value, within a longer text: `-Dpassword=…`.
    Pair,
    /// A long run of characters that look random, and no hash.
    Random,
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "its name says that it is a credential",
            Self::PrivateKey => "it holds a private key",
            Self::UserInfo => "it holds a URL with a user or password",
            Self::SignedUrl => "it holds a URL that gives access by its query",
            Self::Token(issuer) => return write!(f, "it holds what looks like {issuer}"),
            Self::Jwt => "it holds a JSON Web Token",
            Self::Authorization => "it holds an HTTP authorization",
            Self::Pair => "it sets something whose name says that it is a credential",
            Self::Random => "it holds a long run of characters that look random",
        })
    }
}

/// Tells whether a variable, flag or parameter looks like a credential, and by what.
///
/// An empty value is none, whatever its name.
pub(crate) fn looks_like_credential(name: &str, value: &str) -> Option<Sign> {
    if value.trim().is_empty() {
        return None;
    }
    if says_credential(name) {
        return Some(Sign::Name);
    }
    value::sign(value)
}

/// A URL without what gives access: the user and password before the host, and credentials in the
/// query. A user of SSH without a password stays, because it is part of the place. What is no URL
/// comes back as it is.
pub(crate) fn without_credentials(url: &str) -> String {
    value::without_credentials(url)
}
