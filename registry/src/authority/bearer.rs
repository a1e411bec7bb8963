//! The short-lived tokens of Docker's token flow.
//!
//! A bearer token names a principal, by what it was recognised, and what was asked for. It grants nothing by
//! itself: each use asks anew what the principal may, so revoking an API token ends every bearer token that
//! was made for it. It is authenticated with HMAC-SHA-256 (RFC 2104) under a key that is drawn at the start
//! and never leaves the process; after a restart clients ask for another. It is no JSON Web Token, so nothing
//! that verifies those can be made to take one, nor the other way round.

use attestry_schemas::oci::RepositoryName;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::{Caller, Principal};
use crate::rights::{Grant, Role, Roles};

/// What every bearer token starts with.
const PREFIX: &str = "attestrybearer_";
/// How long one is good: long enough for the push of a large image's next request.
pub const LIFETIME_S: i64 = 300;
/// The most scopes of one token.
pub const MAX_SCOPES: usize = 100;

/// What a token is asked for (distribution's token scope grammar).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// `registry:catalog:*`.
    Catalog,
    /// `repository:NAME:pull,push,delete`.
    Repository {
        /// The repository.
        name: String,
        /// Whether reading is asked for.
        pull: bool,
        /// Whether adding and moving tags is.
        push: bool,
        /// Whether removing is.
        delete: bool,
    },
}

impl Scope {
    /// Reads one scope; nothing for what this registry does not have.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        if (kind, name) == ("registry", "catalog") {
            return Some(Self::Catalog);
        }
        // A name that is none could be a pattern of another's.
        let name = name.parse::<RepositoryName>().ok().filter(|_| kind == "repository")?;
        let asks = |action: &str| actions.split(',').any(|one| one == action || one == "*");
        let (pull, push, delete) = (asks("pull"), asks("push"), asks("delete"));
        Some(Self::Repository { name: name.to_string(), pull, push, delete })
    }

    fn roles(&self) -> Vec<Role> {
        let Self::Repository { pull, push, delete, .. } = self else { return Vec::new() };
        let mut roles = Vec::new();
        for (asked, of) in [
            (pull, &[Role::Pull][..]),
            // What is pushed may be evidence.
            (push, &[Role::Push, Role::Overwrite, Role::Attest]),
            (delete, &[Role::DeleteTag, Role::DeleteDigest]),
        ] {
            if *asked {
                roles.extend_from_slice(of);
            }
        }
        roles
    }

    /// The grant that the scope bounds a caller to.
    pub(super) fn grant(&self) -> Option<Grant> {
        let Self::Repository { name, .. } = self else { return None };
        Some(Grant { roles: Roles::of(&self.roles()), on: vec![name.parse().ok()?] })
    }

    /// What of it a caller may do by their credential; nothing when that is nothing.
    pub(super) fn within(&self, caller: &Caller) -> Option<Self> {
        let Self::Repository { name, pull, push, delete } = self else {
            return caller.lists.then(|| self.clone());
        };
        let may = |role| caller.rights.may(role, name);
        let (pull, push) = (*pull && may(Role::Pull), *push && may(Role::Push));
        let delete = *delete && (may(Role::DeleteTag) || may(Role::DeleteDigest));
        let name = name.clone();
        (pull || push || delete).then_some(Self::Repository { name, pull, push, delete })
    }
}

/// What a bearer token holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    principal: String,
    stamp: String,
    subject: Option<String>,
    expires_s: i64,
    scopes: Vec<Scope>,
}

/// What an authentic bearer token says.
pub(super) struct Opened {
    pub(super) principal: Principal,
    pub(super) stamp: String,
    pub(super) subject: Option<String>,
    pub(super) expires_s: i64,
    pub(super) scopes: Vec<Scope>,
}

/// A bearer token, just made.
pub struct Issued {
    /// What the client sends.
    pub token: String,
    /// How long it is good.
    pub expires_in_s: i64,
    /// When it was made, Unix seconds.
    pub issued_at_s: i64,
}

/// The key of bearer tokens.
pub(super) struct BearerKey(hmac::Key);

/// The part of a bearer token that is authenticated, with its authentication.
pub(super) fn payload(sent: &str) -> Option<&str> {
    sent.strip_prefix(PREFIX)
}

impl BearerKey {
    pub(super) fn draw() -> Option<Self> {
        let mut random = [0; 32];
        aws_lc_rs::rand::fill(&mut random).ok()?;
        Some(Self(hmac::Key::new(hmac::HMAC_SHA256, &random)))
    }

    pub(super) fn issue(
        &self,
        caller: &Caller,
        stamp: &str,
        scopes: Vec<Scope>,
        now_s: i64,
    ) -> Issued {
        let ends_s = now_s + LIFETIME_S;
        let expires_s = caller.expires_s.map_or(ends_s, |credential_s| credential_s.min(ends_s));
        let held = Held {
            principal: caller.principal.to_string(),
            stamp: stamp.to_owned(),
            subject: caller.subject.clone(),
            expires_s,
            scopes,
        };
        let body = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&held).unwrap_or_default());
        let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, body.as_bytes()));
        let token = format!("{PREFIX}{body}.{tag}");
        Issued { token, expires_in_s: (expires_s - now_s).max(0), issued_at_s: now_s }
    }

    pub(super) fn open(&self, payload: &str, now_s: i64) -> Option<Opened> {
        let (body, tag) = payload.split_once('.')?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.0, body.as_bytes(), &tag).ok()?;
        let held: Held = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()?;
        let Held { principal, stamp, subject, expires_s, scopes } = held;
        let principal = principal.parse().ok().filter(|_| now_s < expires_s)?;
        Some(Opened { principal, stamp, subject, expires_s, scopes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rights::Rights;

    #[test]
    fn a_scope_is_of_one_repository_and_never_a_pattern() {
        let scope = Scope::parse("repository:pay/api:pull,push").unwrap();
        let grant = scope.grant().unwrap();
        assert_eq!(
            (grant.roles.to_string().as_str(), grant.on[0].as_str()),
            ("pull,push,overwrite,attest", "pay/api")
        );
        assert_eq!(Scope::parse("registry:catalog:*"), Some(Scope::Catalog));
        for text in [
            "repository:**:pull",
            "repository:pay/*:pull",
            "repository:../x:pull",
            "repository:A:pull",
            "other:pay:pull",
            "repository:pay",
            "",
        ] {
            assert_eq!(Scope::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_bearer_token_of_another_key_or_with_another_body_says_nothing() {
        let (one, two) = (BearerKey::draw().unwrap(), BearerKey::draw().unwrap());
        let caller = Caller {
            principal: Principal::Anyone,
            subject: None,
            rights: Rights::default(),
            own: Rights::default(),
            lists: true,
            expires_s: Some(1_100),
            stamp: String::new(),
        };
        let issued = one.issue(&caller, "", vec![Scope::Catalog], 1_000);
        assert_eq!(issued.expires_in_s, 100, "no longer than the credential that it was made for");
        let sent = payload(&issued.token).unwrap();
        assert_eq!(one.open(sent, 1_099).unwrap().scopes, [Scope::Catalog]);
        assert!(one.open(sent, 1_100).is_none(), "it has ended");
        assert!(two.open(sent, 1_000).is_none(), "another key");
        let (body, tag) = sent.split_once('.').unwrap();
        for changed in
            [format!("{body}A.{tag}"), format!("{body}."), body.to_owned(), format!("{tag}.{body}")]
        {
            assert!(one.open(&changed, 1_000).is_none(), "{changed}");
        }
    }
}
