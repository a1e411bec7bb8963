//! Who asks, and what they may do.
//!
//! Nothing here knows HTTP. A credential (an API token, a token of an issuer, a client certificate, a bearer
//! token that this registry signed) becomes a [`Caller`]: a principal with its rights. What the rights follow
//! from (the file of tokens and `access.toml`) is looked at for each request, so a line that is taken out
//! ends what it allowed with the next request, whatever was handed out before.
//!
//! | module | is |
//! |---|---|
//! | [`principal`] | as whom a caller is known |
//! | [`document`] | `access.toml` |
//! | [`jwt`], [`algorithm`], [`jwks`] | tokens of issuers, and the keys that they are verified with |
//! | [`discovery`] | the thread that asks issuers for their keys |
//! | [`bearer`] | the short-lived tokens of Docker's token flow |
//! | [`certificate`] | what a client certificate says |
//! | [`limit`] | how much a principal may ask |

pub mod algorithm;
pub mod bearer;
pub mod certificate;
pub mod discovery;
pub mod document;
pub mod jwks;
pub mod jwt;
pub mod limit;
pub mod principal;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use attestry_schemas::digest::Sha256;
use attestry_schemas::document::Faults;
use attestry_schemas::predicate::UtcTime;

use crate::clock::Clock;
use crate::data::{ACCESS_FILE, DataError, DataFolder, TOKENS_FILE};
use crate::rights::{Grant, Rights, Role, Roles};
use crate::tokens::{Accepted, Tokens};
use crate::watched::Watched;

use bearer::{BearerKey, Scope};
use certificate::Presented;
use discovery::Keys;
use document::{Access, Certificate, Identity};
use limit::Buckets;
pub use principal::Principal;

/// Why what says who may do what cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file of the data folder is refused.
    #[error("the data folder is refused")]
    Data(#[source] DataError),
    /// The document has faults.
    #[error("{} is refused: {faults}", path.display())]
    Faults {
        /// The file.
        path: PathBuf,
        /// All of them.
        faults: Faults,
    },
    /// The document was there and is not any more.
    #[error("expected {}, which was there at the start, found none; put it back, or restart without it", path.display())]
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// The system gave no random bytes.
    #[error("expected random bytes from the system, found none")]
    Random,
}

/// A credential that is not accepted. What is told of it is no more than its bearer knew before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// It is none of this registry, or no longer.
    #[error(
        "expected a token of this registry, found another, or one that was revoked or has ended"
    )]
    Credential,
    /// A token of an issuer was verified and is refused for what it says.
    #[error("expected a token {expected}, found {found}")]
    Workload {
        /// What would have been accepted.
        expected: &'static str,
        /// What the token says.
        found: String,
    },
}

/// What callers without a credential may where there is no `access.toml`.
#[derive(Debug, Clone, Copy)]
pub struct Open {
    /// Reading.
    pub reads: bool,
    /// Writing.
    pub writes: bool,
}

/// Who asks, with what they may do now.
#[derive(Debug, Clone)]
pub struct Caller {
    /// As whom the registry knows them.
    pub principal: Principal,
    /// What their issuer or certificate calls them.
    pub subject: Option<String>,
    /// What they may do by this credential.
    pub rights: Rights,
    /// What the principal may, when the credential is a bearer token with a narrower scope.
    pub own: Rights,
    /// Whether all that they may read may be listed.
    pub lists: bool,
    /// Until when the credential is good, Unix seconds.
    pub expires_s: Option<i64>,
    /// What the principal was recognised by: it must be the same for what was handed out to count.
    stamp: String,
}

impl Caller {
    /// Whether they sent no credential.
    #[must_use]
    pub fn is_anyone(&self) -> bool {
        self.principal == Principal::Anyone
    }
}

type Reloaded<T> = Watched<T, AuthorityError>;

/// Knows who may do what.
pub struct Authority {
    tokens: Reloaded<Tokens>,
    access: Reloaded<Option<Access>>,
    open: Open,
    clock: Clock,
    keys: Arc<Keys>,
    bearer: BearerKey,
    buckets: Buckets,
}

impl Authority {
    /// Reads the tokens and, where it is there, the document.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn open(folder: &DataFolder, open: Open, clock: Clock) -> Result<Self, AuthorityError> {
        let (of_tokens, path) = (folder.clone(), folder.file(ACCESS_FILE));
        let tokens = Watched::open(vec![folder.file(TOKENS_FILE)], move || {
            of_tokens.tokens().map_err(AuthorityError::Data)
        })?;
        let (file, was_there) = (path.clone(), AtomicBool::new(false));
        let access = Watched::open(vec![path], move || {
            let read = read_access(&file)?;
            if read.is_none() && was_there.load(Ordering::Acquire) {
                // Every token may do everything where there is no document: losing it must not open the registry.
                return Err(AuthorityError::Gone { path: file.clone() });
            }
            was_there.fetch_or(read.is_some(), Ordering::AcqRel);
            Ok(read)
        })?;
        let keys = Arc::new(Keys::new(folder.path()));
        let bearer = BearerKey::draw().ok_or(AuthorityError::Random)?;
        Ok(Self { tokens, access, open, clock, keys, bearer, buckets: Buckets::default() })
    }

    /// Whether an `access.toml` says who may do what.
    #[must_use]
    pub fn is_documented(&self) -> bool {
        self.access.now().is_some()
    }

    /// The keys of issuers, for [`discovery::Discovery`].
    #[must_use]
    pub fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    /// The issuers whose keys are to be discovered, by their URLs.
    #[must_use]
    pub fn discoverable(&self) -> Vec<String> {
        let access = self.access.now();
        let issuers = access.iter().flat_map(|access| &access.issuers);
        issuers.filter(|issuer| issuer.jwks.is_none()).map(|issuer| issuer.url.clone()).collect()
    }

    fn now(&self) -> UtcTime {
        self.clock.now().into()
    }

    /// A caller without a credential.
    #[must_use]
    pub fn anyone(&self) -> Caller {
        self.caller(Principal::Anyone, &self.access.now(), String::new())
    }

    /// Who sends this token: one of the registry's, one of an issuer, or a bearer token.
    ///
    /// # Errors
    /// [`Unknown`].
    pub fn by_token(&self, sent: &str) -> Result<Caller, Unknown> {
        if let Some(payload) = bearer::payload(sent) {
            return self.by_bearer(payload);
        }
        if jwt::looks_like(sent) {
            return self.by_workload(sent);
        }
        let tokens = self.tokens.now();
        let accepted = tokens.find(sent).ok_or(Unknown::Credential)?;
        self.by_accepted(accepted)
    }

    fn by_accepted(&self, accepted: &Accepted) -> Result<Caller, Unknown> {
        if accepted.has_ended(&self.now()) {
            return Err(Unknown::Credential);
        }
        let principal = Principal::Token(accepted.name.clone());
        let mut caller = self.caller(principal, &self.access.now(), accepted.hash.hex());
        if let Some(scope) = &accepted.bounds.scope {
            caller.own = caller.own.within(vec![Arc::clone(scope)]);
            caller.rights = caller.own.clone();
        }
        Ok(caller)
    }

    fn by_workload(&self, sent: &str) -> Result<Caller, Unknown> {
        let access = self.access.now();
        let access_now = access.as_ref().as_ref().ok_or(Unknown::Credential)?;
        let read = jwt::Jwt::parse(sent).map_err(|error| unknown(&error))?;
        let issuer = access_now.issuer(&read.issuer).ok_or(Unknown::Credential)?;
        let keys = self.keys.of(issuer).ok_or_else(|| {
            tracing::warn!(issuer = issuer.name, "a token of an issuer whose keys are not known");
            Unknown::Credential
        })?;
        let now_s = self.clock.now().as_second();
        let claims = read.verified(issuer, &keys, now_s).map_err(|error| unknown(&error))?;
        let fits = |one: &&Identity| one.issuer == issuer.name && claims.fit(one);
        let identity =
            access_now.identities.iter().find(fits).ok_or_else(|| Unknown::Workload {
                expected: "whose claims fit an identity of access.toml",
                found: claims.subject.clone(),
            })?;
        let principal = Principal::Identity(identity.name.clone());
        let mut caller = self.caller(principal, &access, stamp_of(&(issuer, identity)));
        caller.subject = Some(claims.subject);
        caller.expires_s = Some(claims.expires_s);
        Ok(caller)
    }

    /// Who presents this certificate, which TLS has verified; nobody when no entry fits it.
    #[must_use]
    pub fn by_certificate(&self, presented: &Presented) -> Option<Caller> {
        let access = self.access.now();
        let fits = |one: &&Certificate| presented.fits(one);
        let found = access.as_ref().as_ref()?.certificates.iter().find(fits)?;
        let principal = Principal::Certificate(found.name.clone());
        let mut caller = self.caller(principal, &access, stamp_of(found));
        caller.subject = Some(presented.subject.clone());
        Some(caller)
    }

    /// A bearer token for what a caller asks, as far as they may do it by this credential, and when it ends: whoever
    /// asks with a bearer token gets no more than that one is good for.
    #[must_use]
    pub fn bearer(&self, caller: &Caller, asked: &[Scope]) -> bearer::Issued {
        let granted = asked.iter().filter_map(|scope| scope.within(caller)).collect();
        let now_s = self.clock.now().as_second();
        self.bearer.issue(caller, &caller.stamp, granted, now_s)
    }

    fn by_bearer(&self, payload: &str) -> Result<Caller, Unknown> {
        let now_s = self.clock.now().as_second();
        let held = self.bearer.open(payload, now_s).ok_or(Unknown::Credential)?;
        let mut caller =
            self.recognised(&held.principal, &held.stamp).ok_or(Unknown::Credential)?;
        caller.subject = held.subject;
        caller.expires_s = Some(held.expires_s);
        caller.lists = held.scopes.contains(&Scope::Catalog);
        let bound = held.scopes.iter().filter_map(Scope::grant).map(Arc::new).collect();
        caller.rights = caller.own.clone().within(bound);
        Ok(caller)
    }

    /// The principal as it may act now, if it is still what was recognised then.
    fn recognised(&self, principal: &Principal, stamp: &str) -> Option<Caller> {
        if let Principal::Token(name) = principal {
            let hash: Sha256 = format!("sha256:{stamp}").parse().ok()?;
            return self.by_accepted(self.tokens.now().named(name, &hash)?).ok();
        }
        let access = self.access.now();
        let now = match (principal, access.as_ref()) {
            (Principal::Identity(name), Some(access)) => {
                let identity = access.identities.iter().find(|one| one.name == *name)?;
                let issuer = access.issuers.iter().find(|one| one.name == identity.issuer)?;
                stamp_of(&(issuer, identity))
            }
            (Principal::Certificate(name), Some(access)) => {
                stamp_of(access.certificates.iter().find(|one| one.name == *name)?)
            }
            (Principal::Anyone, _) => String::new(),
            _ => return None,
        };
        (now == stamp).then(|| self.caller(principal.clone(), &access, now))
    }

    fn caller(&self, principal: Principal, access: &Option<Access>, stamp: String) -> Caller {
        let rights = Rights::of(match access {
            Some(access) => documented(access, &principal),
            None => undocumented(&principal, self.open),
        });
        let own = rights.clone();
        Caller { principal, subject: None, rights, own, lists: true, expires_s: None, stamp }
    }

    /// Counts a request. A caller without a credential counts by its address.
    ///
    /// # Errors
    /// In how many seconds to come again.
    pub fn charge(&self, principal: &Principal, from: Option<IpAddr>) -> Result<(), u64> {
        let access = self.access.now();
        let limit = access.as_ref().as_ref().and_then(|access| access.limit(principal));
        match limit.and_then(|limit| limit.rate) {
            Some(rate) => self.buckets.charge(principal, from, &rate),
            None => Ok(()),
        }
    }

    /// How many bytes of what a principal pushes may be kept; none where nothing bounds them.
    #[must_use]
    pub fn most_stored_bytes(&self, principal: &Principal) -> Option<u64> {
        self.access.now().as_ref().as_ref()?.limit(principal)?.stored_bytes
    }
}

fn unknown(error: &jwt::JwtError) -> Unknown {
    tracing::debug!(%error, "a token of an issuer is refused");
    match error {
        jwt::JwtError::Claim { expected, found } => {
            Unknown::Workload { expected, found: found.clone() }
        }
        jwt::JwtError::Malformed(_) | jwt::JwtError::Key(_) => Unknown::Credential,
    }
}

fn read_access(path: &Path) -> Result<Option<Access>, AuthorityError> {
    let text = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(DataError::at("reading", path)).map_err(AuthorityError::Data)?,
    };
    let faults = |faults| AuthorityError::Faults { path: path.to_owned(), faults };
    Access::read(&text).map(Some).map_err(faults)
}

/// What the document grants the principal, and anyone.
fn documented(access: &Access, principal: &Principal) -> Vec<Arc<Grant>> {
    let mut grants = access.granted(principal);
    if *principal != Principal::Anyone {
        grants.extend(access.granted(&Principal::Anyone));
    }
    grants
}

/// Where there is no document: a token may do everything, and others what the settings leave open.
fn undocumented(principal: &Principal, open: Open) -> Vec<Arc<Grant>> {
    use Role::{
        Approve, Attest, Audit, Decide, DeleteDigest, DeleteTag, Deploy, Overwrite, Pull, Push,
    };
    let mut roles = match principal {
        Principal::Token(_) => return vec![Arc::new(Grant::everywhere(Roles::ALL))],
        Principal::Anyone => Roles::default(),
        Principal::Identity(_) | Principal::Certificate(_) => return Vec::new(),
    };
    if open.reads {
        roles = roles.with(Roles::of(&[Pull, Audit]));
    }
    if open.writes {
        let writing = [Push, Overwrite, DeleteTag, DeleteDigest, Attest, Decide, Deploy, Approve];
        roles = roles.with(Roles::of(&writing));
    }
    vec![Arc::new(Grant::everywhere(roles))]
}

/// Names a definition by its content, so that what was recognised by another is not recognised by this one.
fn stamp_of(definition: &dyn std::fmt::Debug) -> String {
    Sha256::of(format!("{definition:?}").as_bytes()).hex()
}

/// Reads the document of a data folder, for a check of it.
///
/// # Errors
/// [`AuthorityError`].
pub fn check(folder: &DataFolder) -> Result<Option<Access>, AuthorityError> {
    read_access(&folder.file(ACCESS_FILE))
}
