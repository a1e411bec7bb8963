//! `access.toml`: who may do what in which namespace, as people write it.
//!
//! ```toml
//! schema = "access/v1"
//!
//! [groups]
//! builders = ["token:ci", "oidc:pay-ci"]
//!
//! [[grant]]
//! to = ["group:builders"]
//! roles = ["pull", "push", "attest"]
//! on = ["pay/**"]
//!
//! [[issuer]]
//! name = "github"
//! url = "https://token.actions.githubusercontent.com"
//! audience = ["https://attest.example.org"]
//! algorithms = ["RS256"]
//!
//! [[identity]]
//! name = "pay-ci"
//! issuer = "github"
//! claims = { repository = ["acme/pay"], ref = ["refs/heads/main", "refs/heads/release-*"] }
//!
//! [[certificate]]
//! name = "deployer"
//! san = ["uri:spiffe://example.org/deployer"]
//! ```
//!
//! What nothing grants is refused. An unknown key, role or group is a fault with its line.

use std::collections::HashMap;
use std::sync::Arc;

use attestry_schemas::document::{self, Faults, Pattern, Placed, Section, quoted};

use super::algorithm::Algorithm;
use super::principal::{self, Principal};
use crate::rights::{Grant, Roles};
use crate::tokens;

/// The schema's name.
pub const SCHEMA: &str = "access/v1";
/// How far the clocks of issuers may be off where nothing else is said.
const DEFAULT_LEEWAY_SECONDS: i64 = 60;
/// How far they may be off at most.
const MAX_LEEWAY_SECONDS: i64 = 300;

/// Who may do what.
#[derive(Debug, Default)]
pub struct Access {
    grants: Vec<(Vec<Principal>, Arc<Grant>)>,
    /// Who vouches for workloads.
    pub issuers: Vec<Issuer>,
    /// Which workloads are known.
    pub identities: Vec<Identity>,
    /// Which client certificates are known.
    pub certificates: Vec<Certificate>,
    /// How much a principal may ask.
    pub limits: Vec<Limit>,
}

/// An issuer of JSON Web Tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// What the document calls it.
    pub name: String,
    /// The exact text of the claim `iss`, and where its metadata is.
    pub url: String,
    /// Texts of which one must be in the claim `aud`.
    pub audience: Vec<String>,
    /// The algorithms that it signs with.
    pub algorithms: Vec<Algorithm>,
    /// The file of its keys; they are discovered where there is none.
    pub jwks: Option<String>,
    /// How far its clock may be off, in seconds.
    pub leeway_seconds: i64,
}

/// A workload, by what its issuer says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What the document calls it.
    pub name: String,
    /// The issuer's name.
    pub issuer: String,
    /// Each claim must be there and fit one of its values.
    pub claims: Vec<(String, Vec<ClaimValue>)>,
}

/// What a claim may say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimValue {
    /// This text.
    Exact(String),
    /// What the pattern matches: it was written with a `*`.
    Like(Pattern),
}

impl ClaimValue {
    /// Whether a claim's text fits.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == text,
            Self::Like(pattern) => pattern.matches(text),
        }
    }
}

/// A client certificate that the authorities of `tls_client_ca` issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// What the document calls its holder.
    pub name: String,
    /// Its subject as RFC 4514 writes it.
    pub subject: Option<String>,
    /// Subject alternative names, as `dns:`, `uri:` or `email:`, of which it must have one.
    pub san: Vec<String>,
}

/// How much a principal may ask and keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Whom it bounds, each by itself; everyone whom no other limit names where it is empty.
    pub to: Vec<Principal>,
    /// How many requests; as many as can be answered when absent.
    pub rate: Option<Rate>,
    /// How many bytes of what it pushed to repositories are kept; no matter how many when absent.
    pub stored_bytes: Option<u64>,
}

/// How many requests a principal may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests in a second, in the long run.
    pub per_second: u64,
    /// Requests at once.
    pub burst: u64,
}

impl Access {
    /// Reads the document.
    ///
    /// # Errors
    /// [`Faults`]: all of them, with their places.
    pub fn read(text: &[u8]) -> Result<Self, Faults> {
        document::read(text, SCHEMA, |root| Some(access(root)))
    }

    /// The grants of a principal.
    #[must_use]
    pub fn granted(&self, principal: &Principal) -> Vec<Arc<Grant>> {
        let its = self.grants.iter().filter(|(to, _)| to.contains(principal));
        its.map(|(_, grant)| Arc::clone(grant)).collect()
    }

    /// The issuer of this exact `iss`.
    #[must_use]
    pub fn issuer(&self, url: &str) -> Option<&Issuer> {
        self.issuers.iter().find(|issuer| issuer.url == url)
    }

    /// The limit of a principal: the one that names it, else the one that names nobody.
    #[must_use]
    pub fn limit(&self, principal: &Principal) -> Option<&Limit> {
        let named = self.limits.iter().find(|limit| limit.to.contains(principal));
        named.or_else(|| self.limits.iter().find(|limit| limit.to.is_empty()))
    }
}

type Groups = HashMap<String, Vec<Principal>>;

fn access(root: &Section<'_, '_>) -> Access {
    let groups = root.section("groups", |section| Some(groups(section))).unwrap_or_default();
    let issuers = root.sections("issuer", issuer);
    unique(root, "issuer.name", issuers.iter().map(|one| one.name.as_str()));
    unique(root, "issuer.url", issuers.iter().map(|one| one.url.as_str()));
    let identities = root.sections("identity", |section| identity(section, &issuers));
    unique(root, "identity.name", identities.iter().map(|one| one.name.as_str()));
    let certificates = root.sections("certificate", certificate);
    unique(root, "certificate.name", certificates.iter().map(|one| one.name.as_str()));
    let known = Known { groups: &groups, identities: &identities, certificates: &certificates };
    let grants = root.sections("grant", |section| grant(section, &known));
    let limits = root.sections("limit", |section| limit(section, &known));
    Access { grants, issuers, identities, certificates, limits }
}

fn unique<'n>(root: &Section<'_, '_>, what: &str, names: impl Iterator<Item = &'n str>) {
    let mut seen = std::collections::HashSet::new();
    for name in names {
        if !seen.insert(name) {
            root.fault(root.span(), &format!("each {what} once"), &quoted(name));
        }
    }
}

fn groups(section: &Section<'_, '_>) -> Groups {
    let names: Vec<Placed<String>> = section.names().collect();
    let mut groups = Groups::new();
    for name in names {
        let members = section.texts(&name.value);
        let members = members.iter().filter_map(|member| principal(section, member)).collect();
        groups.insert(name.value, members);
    }
    groups
}

fn principal(section: &Section<'_, '_>, text: &Placed<String>) -> Option<Principal> {
    let read = text.value.parse();
    if read.is_err() {
        section.fault(text.span.clone(), principal::EXPECTED, &quoted(&text.value));
    }
    read.ok()
}

/// What a grant may name.
struct Known<'d> {
    groups: &'d Groups,
    identities: &'d [Identity],
    certificates: &'d [Certificate],
}

impl Known<'_> {
    /// The principals that a list names, those of its groups included.
    fn principals(&self, section: &Section<'_, '_>, texts: &[Placed<String>]) -> Vec<Principal> {
        let mut named = Vec::new();
        for text in texts {
            match text.value.strip_prefix("group:") {
                None => named.extend(
                    principal(section, text).filter(|one| self.is_known(section, text, one)),
                ),
                Some(group) => match self.groups.get(group) {
                    Some(members) => named.extend(members.iter().cloned()),
                    None => {
                        let expected = "a group of the table groups";
                        section.fault(text.span.clone(), expected, &quoted(group));
                    }
                },
            }
        }
        named
    }

    fn is_known(&self, section: &Section<'_, '_>, text: &Placed<String>, one: &Principal) -> bool {
        let known = match one {
            Principal::Identity(name) => self.identities.iter().any(|other| other.name == *name),
            Principal::Certificate(name) => {
                self.certificates.iter().any(|other| other.name == *name)
            }
            // Tokens are made and revoked without this document.
            Principal::Anyone | Principal::Token(_) => true,
        };
        if !known {
            let expected = "an identity or a certificate of this document";
            section.fault(text.span.clone(), expected, &quoted(&text.value));
        }
        known
    }
}

fn grant(section: &Section<'_, '_>, known: &Known<'_>) -> Option<(Vec<Principal>, Arc<Grant>)> {
    let to = known.principals(section, &section.texts("to"));
    let mut roles = Roles::default();
    for word in section.texts("roles") {
        match Roles::from_word(&word.value) {
            Some(more) => roles = roles.with(more),
            None => {
                let words: Vec<&str> = Roles::words().into_iter().map(|(word, _)| word).collect();
                section.fault(word.span, &words.join(", "), &quoted(&word.value));
            }
        }
    }
    let on = patterns(section, "on");
    Some((to, Arc::new(Grant { roles, on })))
}

fn patterns(section: &Section<'_, '_>, name: &str) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    for text in section.texts(name) {
        match text.value.parse() {
            Ok(pattern) => patterns.push(pattern),
            Err(_) => {
                let expected = "a pattern of namespaces such as pay/** or base/*";
                section.fault(text.span, expected, &quoted(&text.value));
            }
        }
    }
    patterns
}

/// A name that can stand in a principal.
fn name(section: &Section<'_, '_>) -> Option<String> {
    let name = section.text("name")?;
    if tokens::check_name(&name.value).is_err() {
        let expected = "a name of ASCII letters, digits, '-', '_', '.' and '@'";
        section.fault(name.span, expected, &quoted(&name.value));
    }
    Some(name.value)
}

fn issuer(section: &Section<'_, '_>) -> Option<Issuer> {
    let name = name(section);
    let url = section.text("url");
    let audience = section.texts("audience").into_iter().map(|text| text.value).collect();
    let mut algorithms = Vec::new();
    for word in section.texts("algorithms") {
        match Algorithm::from_name(&word.value) {
            Some(algorithm) => algorithms.push(algorithm),
            None => section.fault(word.span, Algorithm::EXPECTED, &quoted(&word.value)),
        }
    }
    let jwks = section.optional_text("jwks").map(|text| text.value);
    let leeway = section.optional_duration("leeway");
    let leeway_seconds = leeway.as_ref().map_or(DEFAULT_LEEWAY_SECONDS, |one| one.value.seconds());
    if let Some(leeway) = leeway.filter(|_| leeway_seconds > MAX_LEEWAY_SECONDS) {
        let expected = format!("at most {MAX_LEEWAY_SECONDS}s");
        section.fault(leeway.span, &expected, &format!("{leeway_seconds}s"));
    }
    let url = url?;
    if jwks.is_none() && !is_discoverable(&url.value) {
        let expected = "an https:// URL without a query, or a file of keys in jwks";
        section.fault(url.span, expected, &quoted(&url.value));
    }
    Some(Issuer { name: name?, url: url.value, audience, algorithms, jwks, leeway_seconds })
}

/// Whether keys may be asked for there: over TLS, or from this machine.
#[must_use]
pub fn is_discoverable(url: &str) -> bool {
    let Ok(parsed) = url.parse::<ureq::http::Uri>() else { return false };
    let host = parsed.host().unwrap_or_default();
    let is_here = matches!(host, "127.0.0.1" | "[::1]" | "localhost");
    let scheme = parsed.scheme_str().unwrap_or_default();
    let is_safe = scheme == "https" || (scheme == "http" && is_here);
    is_safe && !host.is_empty() && !url.contains(['@', '?', '#'])
}

fn identity(section: &Section<'_, '_>, issuers: &[Issuer]) -> Option<Identity> {
    let name = name(section);
    let issuer = section.text("issuer");
    if let Some(issuer) = &issuer
        && !issuers.iter().any(|one| one.name == issuer.value)
    {
        let expected = "the name of an issuer of this document";
        section.fault(issuer.span.clone(), expected, &quoted(&issuer.value));
    }
    let claims = section.section("claims", |claims| Some(self::claims(claims))).unwrap_or_default();
    // Without one, everybody whom the issuer knows would be this identity: with a public issuer, the world.
    if claims.is_empty() {
        section.missing("claims", "at least one claim, such as repository = [\"acme/pay\"]");
    }
    Some(Identity { name: name?, issuer: issuer?.value, claims })
}

fn claims(section: &Section<'_, '_>) -> Vec<(String, Vec<ClaimValue>)> {
    let names: Vec<Placed<String>> = section.names().collect();
    let mut claims = Vec::new();
    for name in names {
        let mut values = Vec::new();
        for text in section.texts(&name.value) {
            if !text.value.contains('*') {
                values.push(ClaimValue::Exact(text.value));
                continue;
            }
            match text.value.parse() {
                Ok(pattern) => values.push(ClaimValue::Like(pattern)),
                Err(_) => {
                    let expected = "a text, or a pattern such as refs/heads/*";
                    section.fault(text.span, expected, &quoted(&text.value));
                }
            }
        }
        claims.push((name.value, values));
    }
    claims
}

fn certificate(section: &Section<'_, '_>) -> Option<Certificate> {
    let name = name(section);
    let subject = section.optional_text("subject").map(|text| text.value);
    let mut san = Vec::new();
    for text in section.optional_texts("san").unwrap_or_default() {
        let kind = text.value.split_once(':').map(|(kind, _)| kind);
        if !matches!(kind, Some("dns" | "uri" | "email")) {
            section.fault(text.span.clone(), "dns:…, uri:… or email:…", &quoted(&text.value));
        }
        san.push(text.value);
    }
    if subject.is_none() && san.is_empty() {
        section.missing("subject", "or san: what the certificate must say");
    }
    Some(Certificate { name: name?, subject, san })
}

fn limit(section: &Section<'_, '_>, known: &Known<'_>) -> Option<Limit> {
    let to = section.optional_texts("to").unwrap_or_default();
    let to = known.principals(section, &to);
    let per_second = section.optional_count("requests_per_second", 1).map(|count| count.value);
    let burst = section.optional_count("burst", 1).map(|count| count.value);
    let stored_bytes = section.optional_count("stored_bytes", 1).map(|count| count.value);
    if per_second.is_none() && (burst.is_some() || stored_bytes.is_none()) {
        section.missing("requests_per_second", "or stored_bytes: what the limit is");
    }
    let rate = per_second.map(|per_second| Rate { per_second, burst: burst.unwrap_or(per_second) });
    Some(Limit { to, rate, stored_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rights::Role;

    const WHOLE: &str = r#"
schema = "access/v1"

[groups]
builders = ["token:ci", "oidc:pay-ci"]

[[grant]]
to = ["group:builders", "mtls:deployer"]
roles = ["pull", "push"]
on = ["pay/**"]

[[grant]]
to = ["anyone"]
roles = ["pull"]
on = ["public/*"]

[[issuer]]
name = "github"
url = "https://token.actions.githubusercontent.com"
audience = ["https://attest.example.org"]
algorithms = ["RS256"]
leeway = "30s"

[[identity]]
name = "pay-ci"
issuer = "github"
claims = { repository = ["acme/pay"], ref = ["refs/heads/release-*", "refs/heads/main"] }

[[certificate]]
name = "deployer"
subject = "CN=deployer"

[[limit]]
requests_per_second = 50
"#;

    #[test]
    fn a_whole_document_says_who_may_what() {
        let access = Access::read(WHOLE.as_bytes()).unwrap();
        let roles = |principal: &str| {
            let grants = access.granted(&principal.parse().unwrap());
            grants.iter().map(|grant| grant.roles.to_string()).collect::<Vec<_>>()
        };
        for principal in ["token:ci", "oidc:pay-ci", "mtls:deployer"] {
            assert_eq!(roles(principal), ["pull,push"], "{principal}");
        }
        assert_eq!(roles("anyone"), ["pull"]);
        assert_eq!(roles("token:other"), Vec::<String>::new());
        assert!(access.granted(&Principal::Anyone)[0].roles.has(Role::Pull));
        assert_eq!(access.issuers[0].leeway_seconds, 30);
        let rate = access.limit(&Principal::Anyone).and_then(|limit| limit.rate);
        assert_eq!(rate, Some(Rate { per_second: 50, burst: 50 }));
    }

    #[test]
    fn what_would_grant_more_than_was_meant_is_a_fault_with_its_place() {
        for (from, to, words) in [
            ("roles = [\"pull\"]", "roles = [\"read\"]", "expected pull, push"),
            ("on = [\"public/*\"]", "on = [\"a**\"]", "a pattern of namespaces"),
            ("to = [\"anyone\"]", "to = [\"everyone\"]", "expected anyone, token:NAME"),
            ("to = [\"anyone\"]", "to = [\"group:gone\"]", "a group of the table groups"),
            ("to = [\"anyone\"]", "to = [\"oidc:gone\"]", "an identity or a certificate"),
            ("to = [\"anyone\"]", "to = []", "a list of 1 to"),
            ("algorithms = [\"RS256\"]", "algorithms = [\"HS256\"]", "RS256"),
            ("algorithms = [\"RS256\"]", "algorithms = [\"none\"]", "RS256"),
            ("audience = [\"https://attest.example.org\"]\n", "", "issuer[0].audience"),
            ("url = \"https://", "url = \"http://", "an https:// URL"),
            ("leeway = \"30s\"", "leeway = \"1h\"", "at most 300s"),
            ("issuer = \"github\"", "issuer = \"gitlab\"", "the name of an issuer"),
            (
                "repository = [\"acme/pay\"], ref = [\"refs/heads/release-*\", \"refs/heads/main\"]",
                "",
                "at least one claim",
            ),
            ("subject = \"CN=deployer\"", "", "certificate[0].subject"),
            ("subject = \"CN=deployer\"", "san = [\"ip:1\"]", "dns:"),
            ("name = \"deployer\"", "name = \"a\\nb\"", "a name of ASCII letters"),
            ("[groups]", "[group]", "one of the keys"),
            ("requests_per_second = 50", "requests_per_minute = 50", "requests_per_second"),
            (
                "requests_per_second = 50",
                "burst = 50\nstored_bytes = 1",
                "limit[0].requests_per_second",
            ),
            ("requests_per_second = 50", "stored_bytes = 0", "at least 1"),
        ] {
            let text = WHOLE.replacen(from, to, 1);
            assert_ne!(text, WHOLE, "{from}");
            let faults = Access::read(text.as_bytes()).unwrap_err().to_string();
            assert!(faults.contains(words) && faults.contains("line "), "{from}: {faults}");
        }
    }
}
