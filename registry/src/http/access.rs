//! The one door: who asks, and whether they may.
//!
//! A caller is made known once for each request, by the token of its `Authorization` header (RFC 6750, or as
//! the password of any user, RFC 7617) or by its client certificate; the user's name is read nowhere. What was
//! demanded of them stays with the request, for the record of who did what.
//!
//! A refusal follows from the caller and the name that was asked for, never from what is stored, so that it
//! tells nothing of that. Under `/v1` a read passes a [`Visibility`], and what it does not let through is as
//! if it were not there. Under `/v2` a read without the right is answered as that of a repository that is not
//! there, or, to a caller without a credential, with the challenge.

use std::sync::Arc;

use actix_web::http::header::AUTHORIZATION;
use actix_web::{HttpMessage as _, HttpRequest};
use attestry_schemas::oci::RepositoryName;
use attestry_schemas::problem::ProblemType;

use super::State;
use super::oci::OciRefusal;
use super::problem::Refusal;
use crate::authority::certificate::Presented;
use crate::authority::{Caller, Unknown};
use crate::oci::{Actor, OciError};
use crate::rights::Role;
use crate::store::query::Visibility;

/// Reading, of any kind.
const READING: &[Role] = &[Role::Pull, Role::Audit];

/// What was demanded of the caller of a request, for the record of who did what.
#[derive(Debug, Clone, Default)]
pub(super) struct Demanded {
    /// As whom the registry knows the caller.
    pub(super) principal: Option<String>,
    /// What their issuer or certificate calls them.
    pub(super) subject: Option<String>,
    /// The role.
    pub(super) role: Option<Role>,
    /// The namespace, where there is one.
    pub(super) namespace: Option<String>,
    /// Whether it was refused, whatever the answer's status tells of that.
    pub(super) is_denied: bool,
}

/// Why a caller goes no further.
enum Stop {
    Unknown(Unknown),
    TooMany { seconds: u64 },
}

fn note(request: &HttpRequest, change: impl FnOnce(&mut Demanded)) {
    let mut extensions = request.extensions_mut();
    if extensions.get::<Demanded>().is_none() {
        extensions.insert(Demanded::default());
    }
    if let Some(demanded) = extensions.get_mut::<Demanded>() {
        change(demanded);
    }
}

fn noted(request: &HttpRequest, role: Role, namespace: Option<&str>, is_denied: bool) {
    note(request, |demanded| {
        demanded.role = Some(role);
        demanded.namespace = namespace.map(str::to_owned);
        demanded.is_denied = is_denied;
    });
}

/// The token that a request carries: nothing where it carries none.
fn sent(request: &HttpRequest) -> Result<Option<String>, Unknown> {
    use base64::Engine as _;
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let Some(header) = headers.next() else { return Ok(None) };
    // Two of them could be read differently by whoever stands before this server.
    if headers.next().is_some() {
        return Err(Unknown::Credential);
    }
    let read = || {
        let (scheme, sent) = header.to_str().ok()?.trim().split_once(' ')?;
        // The scheme's case does not matter (RFC 9110 §11.1).
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(sent.trim().to_owned());
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let pair = base64::engine::general_purpose::STANDARD.decode(sent.trim()).ok()?;
        let pair = String::from_utf8(pair).ok()?;
        pair.split_once(':').map(|(_, password)| password.to_owned())
    };
    read().map(Some).ok_or(Unknown::Credential)
}

fn identified(request: &HttpRequest, state: &State) -> Result<Caller, Unknown> {
    if let Some(token) = sent(request)? {
        return state.authority.by_token(&token);
    }
    let certificate = request.conn_data::<Presented>();
    let known = certificate.and_then(|presented| state.authority.by_certificate(presented));
    Ok(known.unwrap_or_else(|| state.authority.anyone()))
}

/// Makes the caller known, once for each request, and counts the request.
fn known(request: &HttpRequest, state: &State) -> Result<Arc<Caller>, Stop> {
    if let Some(caller) = request.extensions().get::<Arc<Caller>>() {
        return Ok(Arc::clone(caller));
    }
    let address = request.peer_addr().map(|address| address.ip());
    let charged = |principal| {
        let charged = state.authority.charge(principal, address);
        charged.map_err(|seconds| Stop::TooMany { seconds })
    };
    let caller = match identified(request, state) {
        Ok(caller) => Arc::new(caller),
        Err(unknown) => {
            note(request, |demanded| demanded.is_denied = true);
            charged(&crate::authority::Principal::Anyone)?;
            return Err(Stop::Unknown(unknown));
        }
    };
    // Before it is counted: a refusal of one who asks too much is recorded, too.
    note(request, |demanded| {
        demanded.principal = Some(caller.principal.to_string());
        demanded.subject.clone_from(&caller.subject);
    });
    charged(&caller.principal)?;
    request.extensions_mut().insert(Arc::clone(&caller));
    Ok(caller)
}

impl From<Stop> for Refusal {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Unknown(Unknown::Credential) => Self::new(
                ProblemType::Unauthorized,
                "expected a token of this registry as Authorization: Bearer attestry_…, found another, or one that was revoked or has ended",
            ),
            Stop::Unknown(unknown) => Self::new(ProblemType::Unauthorized, unknown.to_string()),
            Stop::TooMany { seconds } => Self::new(
                ProblemType::TooManyRequests,
                format!("expected fewer requests of one principal, as access.toml bounds them; try again in {seconds} s"),
            )
            .with("retry_after", seconds),
        }
    }
}

fn missing() -> Refusal {
    Refusal::new(
        ProblemType::Unauthorized,
        "expected a token as Authorization: Bearer attestry_…, found none; init showed one, and the CLI takes it from ATTESTRY_TOKEN",
    )
}

fn forbidden(caller: &Caller, role: Role, of: &str) -> Refusal {
    let (principal, role) = (&caller.principal, role.word());
    Refusal::new(
        ProblemType::Forbidden,
        format!(
            "expected the role {role} {of}, found that {principal} does not have it; access.toml and the token's scope say who has"
        ),
    )
}

/// Demands a right: without a credential 401, with one 403.
fn demand(
    request: &HttpRequest,
    caller: &Caller,
    (role, namespace): (Role, Option<&str>),
    of: &str,
    is_held: bool,
) -> Result<(), Refusal> {
    noted(request, role, namespace, !is_held);
    match is_held {
        true => Ok(()),
        false if caller.is_anyone() => Err(missing()),
        false => Err(forbidden(caller, role, of)),
    }
}

/// Demands a role in some namespace: which one is not read yet.
pub(super) fn somewhere(
    request: &HttpRequest,
    state: &State,
    roles: &[Role],
) -> Result<Arc<Caller>, Refusal> {
    let caller = known(request, state)?;
    let held = roles.iter().find(|role| caller.rights.may_somewhere(**role));
    let first = held.or(roles.first()).copied().unwrap_or(Role::Pull);
    demand(request, &caller, (first, None), "in some namespace", held.is_some())?;
    Ok(caller)
}

/// Demands a role in every namespace: for what concerns the registry as a whole.
pub(super) fn everywhere(
    request: &HttpRequest,
    state: &State,
    role: Role,
) -> Result<Arc<Caller>, Refusal> {
    let caller = known(request, state)?;
    let is_held = caller.rights.may_everywhere(role);
    demand(request, &caller, (role, None), "in every namespace (\"**\")", is_held)?;
    Ok(caller)
}

/// Demands one of the roles in a namespace.
pub(super) fn within(
    request: &HttpRequest,
    caller: &Caller,
    roles: &[Role],
    namespace: &str,
) -> Result<(), Refusal> {
    let held = roles.iter().find(|role| caller.rights.may(**role, namespace));
    let first = held.or(roles.first()).copied().unwrap_or(Role::Pull);
    let of = format!("in {namespace}");
    demand(request, caller, (first, Some(namespace)), &of, held.is_some())
}

/// What a caller may state in a namespace.
pub(super) struct Stating {
    principal: String,
    namespace: String,
    attest: bool,
    deploy: bool,
    approve: bool,
}

impl Stating {
    /// What a caller may.
    pub(super) fn of(caller: &Caller, namespace: &str) -> Self {
        let may = |role| caller.rights.may(role, namespace);
        Self {
            principal: caller.principal.to_string(),
            namespace: namespace.to_owned(),
            attest: may(Role::Attest),
            deploy: may(Role::Deploy),
            approve: may(Role::Approve),
        }
    }

    /// What whoever pushes to a repository may.
    pub(super) fn of_actor(actor: &Actor, repository: &RepositoryName) -> Self {
        Self {
            principal: actor.name.clone(),
            namespace: repository.to_string(),
            attest: actor.may_attest,
            deploy: actor.may_deploy,
            approve: actor.may_approve,
        }
    }

    /// Demands the right to state something of this type: without it one item is refused.
    pub(super) fn demand(&self, predicate_type: Option<&str>) -> Result<(), Refusal> {
        let role = stated_by(predicate_type);
        let is_held = match role {
            Role::Deploy => self.deploy,
            Role::Approve => self.approve,
            _ => self.attest,
        };
        if is_held {
            return Ok(());
        }
        let (principal, namespace, role) = (&self.principal, &self.namespace, role.word());
        Err(Refusal::new(
            ProblemType::Forbidden,
            format!(
                "expected the role {role} in {namespace} to state this, found that {principal} does not have it"
            ),
        ))
    }
}

/// Which role states a type of predicate.
fn stated_by(predicate_type: Option<&str>) -> Role {
    let known = predicate_type.and_then(attestry_schemas::predicate::from_uri);
    match known.map(|known| known.short) {
        Some("deployment") => Role::Deploy,
        Some("approval" | "waiver" | "break-glass") => Role::Approve,
        _ => Role::Attest,
    }
}

/// The roles of which one lets a caller post attestations at all.
pub(super) const STATING: &[Role] = &[Role::Attest, Role::Deploy, Role::Approve];

/// Demands the right to ask the gate, and tells as whom it knows the caller: nothing for one without a credential.
pub(super) fn caller(request: &HttpRequest, state: &State) -> Result<Arc<Caller>, Refusal> {
    somewhere(request, state, &[Role::Decide])
}

/// Demands the right to ask the gate about an artifact: by its name, within this registry or as it stands;
/// about one without a name, everywhere.
pub(super) fn decide(
    request: &HttpRequest,
    state: &State,
    caller: &Caller,
    name: Option<&str>,
) -> Result<(), Refusal> {
    let Some(name) = name else {
        let is_held = caller.rights.may_everywhere(Role::Decide);
        let of = "in every namespace (\"**\") to ask about an artifact without a name";
        return demand(request, caller, (Role::Decide, None), of, is_held);
    };
    let is_held = names(state, name).any(|name| caller.rights.may(Role::Decide, name));
    demand(request, caller, (Role::Decide, Some(name)), &format!("for {name}"), is_held)
}

/// An artifact's name, and the namespace that it names when it is one of this registry.
pub(super) fn names<'n>(state: &State, name: &'n str) -> impl Iterator<Item = &'n str> {
    let host = state.public_url.split_once("://").map_or("", |(_, host)| host);
    let own = name.strip_prefix(host).and_then(|rest| rest.strip_prefix('/'));
    std::iter::once(name).chain(own)
}

/// Demands the right to speak for a cluster. Whoever has it says as whom the API server knows who asks.
pub(super) fn admission(request: &HttpRequest, state: &State) -> Result<(), Refusal> {
    if state.authority.is_documented() {
        return everywhere(request, state, Role::Decide).map(|_| ());
    }
    let caller = known(request, state)?;
    let is_held = match caller.is_anyone() {
        true => !state.config.require_token_for_admission,
        false => caller.rights.may_everywhere(Role::Decide),
    };
    demand(request, &caller, (Role::Decide, None), "in every namespace (\"**\")", is_held)
}

/// Counts a request that demands nothing.
pub(super) fn counted(request: &HttpRequest, state: &State) -> Result<(), Refusal> {
    known(request, state)?;
    Ok(())
}

/// Whether a caller may know of what carries this name.
pub(super) fn may_audit(state: &State, caller: &Caller, name: Option<&str>) -> bool {
    caller.rights.may_everywhere(Role::Audit)
        || name.is_some_and(|n| names(state, n).any(|name| caller.rights.may(Role::Audit, name)))
}

/// Demands the right to read something, and tells what may be seen.
pub(super) fn read(request: &HttpRequest, state: &State) -> Result<Visibility, Refusal> {
    let caller = somewhere(request, state, READING)?;
    Ok(seen(&caller))
}

/// What a caller may see.
pub(super) fn seen(caller: &Caller) -> Visibility {
    match READING.iter().any(|role| caller.rights.may_everywhere(*role)) {
        true => Visibility::All,
        false => Visibility::Within(caller.rights.patterns(READING)),
    }
}

/// What is done to a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    /// Reading.
    Pull,
    /// Adding.
    Push,
    /// Removing a tag.
    DeleteTag,
    /// Removing by digest.
    DeleteDigest,
}

impl Right {
    fn role(self) -> Role {
        match self {
            Self::Pull => Role::Pull,
            Self::Push => Role::Push,
            Self::DeleteTag => Role::DeleteTag,
            Self::DeleteDigest => Role::DeleteDigest,
        }
    }

    /// What a client asks a token for, as Docker's token flow words it.
    fn actions(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
            Self::DeleteTag | Self::DeleteDigest => "delete",
        }
    }
}

/// How a client of the OCI API becomes known (RFC 6750 §3, and Docker's token flow).
fn challenge(state: &State, scope: Option<&str>, error: Option<&str>) -> String {
    let mut text = format!(
        "Bearer realm=\"{}/v2/token\",service=\"{}\"",
        state.public_url,
        state.log.identity().origin
    );
    for (name, value) in [("scope", scope), ("error", error)] {
        if let Some(value) = value {
            text.push_str(&format!(",{name}=\"{value}\""));
        }
    }
    text
}

/// Makes the caller of an OCI request known.
fn oci_known(
    request: &HttpRequest,
    state: &State,
    scope: Option<&str>,
) -> Result<Arc<Caller>, OciRefusal> {
    known(request, state).map_err(|stop| match stop {
        Stop::Unknown(unknown) => OciRefusal::unauthorized(
            unknown.to_string(),
            &challenge(state, scope, Some("invalid_token")),
        ),
        Stop::TooMany { seconds } => OciRefusal::too_many(seconds),
    })
}

fn oci_missing(state: &State, scope: Option<&str>) -> OciRefusal {
    let message =
        "expected a token of this registry as the password, found none; log in with any user name";
    OciRefusal::unauthorized(message, &challenge(state, scope, None))
}

/// Who asks for a bearer token.
pub(super) fn asking(request: &HttpRequest, state: &State) -> Result<Arc<Caller>, OciRefusal> {
    oci_known(request, state, None)
}

/// As [`asking`], by a token that did not come in the header.
pub(super) fn asking_with(
    request: &HttpRequest,
    state: &State,
    token: &str,
) -> Result<Arc<Caller>, OciRefusal> {
    // The header's caller, if any, has been counted; the form's is another.
    oci_known(request, state, None)?;
    state.authority.by_token(token).map(Arc::new).map_err(|unknown| {
        note(request, |demanded| demanded.is_denied = true);
        OciRefusal::unauthorized(unknown.to_string(), &challenge(state, None, None))
    })
}

/// Whether the caller may use the OCI API at all.
pub(super) fn registry(request: &HttpRequest, state: &State) -> Result<(), OciRefusal> {
    let caller = oci_known(request, state, None)?;
    // Without a credential it must be told how to become known, unless there is nothing that it would gain.
    let both = [Role::Pull, Role::Push];
    let is_open = both.iter().all(|role| caller.rights.may_everywhere(*role));
    let shows_none = !request.headers().contains_key(AUTHORIZATION);
    match caller.is_anyone() && shows_none && !is_open {
        true => Err(oci_missing(state, None)),
        false => Ok(()),
    }
}

/// Demands a right to a repository, and tells who acts.
pub(super) fn repository(
    request: &HttpRequest,
    state: &State,
    name: &RepositoryName,
    right: Right,
) -> Result<Actor, OciRefusal> {
    let scope = format!("repository:{name}:{}", right.actions());
    let caller = oci_known(request, state, Some(&scope))?;
    let (role, of) = (right.role(), name.as_str());
    let is_held = caller.rights.may(role, of);
    noted(request, role, Some(of), !is_held);
    if is_held {
        return Ok(Actor {
            name: caller.principal.to_string(),
            may_pull: caller.rights.may(Role::Pull, of),
            may_overwrite: caller.rights.may(Role::Overwrite, of),
            may_attest: caller.rights.may(Role::Attest, of),
            may_deploy: caller.rights.may(Role::Deploy, of),
            may_approve: caller.rights.may(Role::Approve, of),
            may_untag: caller.rights.may(Role::DeleteTag, of),
            most_stored_bytes: state.authority.most_stored_bytes(&caller.principal),
        });
    }
    if caller.is_anyone() && !caller.own.may(role, of) {
        return Err(oci_missing(state, Some(&scope)));
    }
    if caller.own.may(role, of) {
        // A bearer token for something else: the client asks for another one (RFC 6750 §3.1).
        let message = format!("expected a token for {scope}, found one for something else");
        let challenge = challenge(state, Some(&scope), Some("insufficient_scope"));
        return Err(OciRefusal::unauthorized(message, &challenge));
    }
    match right {
        Right::Pull => Err(OciError::NameUnknown(name.to_string()).into()),
        _ => Err(OciRefusal::denied(format!(
            "expected the role {} for {name}, found that {} does not have it",
            role.word(),
            caller.principal
        ))),
    }
}

/// Notes that what was refused is for the lack of another role than the one that let the caller in.
pub(super) fn lacking(request: &HttpRequest, role: Role, name: &RepositoryName) {
    noted(request, role, Some(name.as_str()), true);
}

/// Whether the caller may read a repository too, which it has not asked for by name: to mount from it. What a bearer
/// token was asked for does not bound this, since clients name the repository alone to which they push; what they may
/// themselves does.
pub(super) fn may_pull(request: &HttpRequest, state: &State, name: &RepositoryName) -> bool {
    known(request, state).is_ok_and(|caller| caller.own.may(Role::Pull, name.as_str()))
}

/// Which repositories a caller may know of.
pub(super) struct Visible(Arc<Caller>);

impl Visible {
    /// Whether they may know of this one.
    pub(super) fn may_read(&self, name: &RepositoryName) -> bool {
        let rights = if self.0.lists { &self.0.own } else { &self.0.rights };
        rights.may(Role::Pull, name.as_str())
    }
}

/// Demands the right to read, and tells which repositories may be listed.
pub(super) fn catalog(request: &HttpRequest, state: &State) -> Result<Visible, OciRefusal> {
    const SCOPE: &str = "registry:catalog:*";
    let caller = oci_known(request, state, Some(SCOPE))?;
    let reads = caller.own.may_somewhere(Role::Pull);
    noted(request, Role::Pull, None, !reads && caller.is_anyone());
    match reads || !caller.is_anyone() {
        true => Ok(Visible(caller)),
        false => Err(oci_missing(state, Some(SCOPE))),
    }
}
