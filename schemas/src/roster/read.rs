//! From a roster's TOML to a [`Roster`].

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::{
    Builder, MAX_BUILD_LEVEL, MAX_SIGNERS, Quorum, Revoked, Roster, SIGNATURE, Signer, SignerId,
};
use crate::digest::Sha256;
use crate::document::{self, Faults, Placed, Section, Span, quoted};
use crate::key::PublicKey;
use crate::predicate;
use crate::predicate::attestry::governance::RevocationReason;

/// What a roster's `schema` member says.
pub const SCHEMA: &str = "roster/v1";

const REASONS: [(&str, RevocationReason); 5] = [
    ("compromised", RevocationReason::Compromised),
    ("superseded", RevocationReason::Superseded),
    ("affiliation-changed", RevocationReason::AffiliationChanged),
    ("cessation-of-operation", RevocationReason::CessationOfOperation),
    ("unspecified", RevocationReason::Unspecified),
];

/// What was read of a roster, with the places that later checks name.
#[derive(Default)]
struct Names {
    signers: RefCell<BTreeMap<String, Span>>,
    ids: RefCell<BTreeMap<String, String>>,
    principals: RefCell<BTreeMap<String, String>>,
}

pub(super) fn roster(text: &[u8]) -> Result<Roster, Faults> {
    let digest = Sha256::of(text);
    document::read(text, SCHEMA, |section| {
        let names = Names::default();
        let version = section.count("version", 1);
        let expires = section.time("expires");
        let signers = section.sections("signer", |entry| signer(entry, &names));
        if !section.has("signer") {
            section.missing("signer", "at least one [[signer]]");
        } else if signers.len() > MAX_SIGNERS {
            let expected = format!("at most {MAX_SIGNERS} signers");
            section.fault(section.span(), &expected, &signers.len().to_string());
        }
        let groups = section.section("groups", |table| Some(groups(table, &names)));
        let groups = groups.unwrap_or_default();
        let policies = section.section("policies", |table| quorum(table, &groups));
        Some(Roster {
            version: version?.value,
            expires: expires?.value,
            signers,
            groups,
            policies,
            digest,
        })
    })
}

fn signer(entry: &Section<'_, '_>, names: &Names) -> Option<Signer> {
    let name = entry.text("name").filter(|name| is_name(entry, name));
    let id = id(entry);
    let may = permissions(entry);
    let builders = entry.sections("builders", builder);
    let principals = entry.optional_texts("principals").unwrap_or_default();
    let valid_from = entry.optional_time("valid_from");
    let valid_until = entry.optional_time("valid_until");
    if let (Some(from), Some(until)) = (&valid_from, &valid_until)
        && from.value >= until.value
    {
        let expected = format!("valid_until after valid_from ({})", from.value);
        entry.fault(until.span.clone(), &expected, &until.value.to_string());
    }
    let revoked = revoked(entry);
    let name = name?;
    for principal in &principals {
        let owner =
            names.principals.borrow_mut().insert(principal.value.clone(), name.value.clone());
        if let Some(owner) = owner.filter(|owner| *owner != name.value) {
            let found = format!("{}, which {owner} is known as, too", quoted(&principal.value));
            entry.fault(principal.span.clone(), "a principal of one signer", &found);
        }
    }
    let id = id?;
    let owner = names.ids.borrow_mut().insert(id.value.to_string(), name.value.clone());
    if let Some(owner) = owner {
        let found = format!("{}, which stands under {owner} already", id.value);
        entry.fault(id.span, "each key and identity once, under one name", &found);
    }
    names.signers.borrow_mut().insert(name.value.clone(), name.span);
    Some(Signer {
        name: name.value,
        id: id.value,
        may,
        builders,
        principals: principals.into_iter().map(|principal| principal.value).collect(),
        valid_from: valid_from.map(|time| time.value),
        valid_until: valid_until.map(|time| time.value),
        revoked,
    })
}

/// Whether a text may be the name of a signer or a group.
fn is_name(section: &Section<'_, '_>, name: &Placed<String>) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    let fits = name.value.len() <= 100 && name.value.chars().all(plain);
    if !fits {
        let expected = "a name of at most 100 ASCII letters, digits, '-', '_', '.' and '@'";
        section.fault(name.span.clone(), expected, &quoted(&name.value));
    }
    fits
}

fn id(entry: &Section<'_, '_>) -> Option<Placed<SignerId>> {
    let (key, issuer, subject) =
        (entry.optional_text("key"), entry.optional_text("issuer"), entry.optional_text("subject"));
    match (key, issuer, subject) {
        (Some(key), None, None) => {
            let text = key.value.trim();
            let id = if text.starts_with("SHA256:") {
                text.parse().map(SignerId::Fingerprint).map_err(|error| error.to_string())
            } else {
                PublicKey::from_pem(text)
                    .map(SignerId::Key)
                    .map_err(|error| crate::problem::chain(&error))
            };
            match id {
                Ok(value) => Some(Placed { value, span: key.span }),
                Err(found) => {
                    let expected = "key to be a PEM public key, or SHA256: and its fingerprint";
                    entry.fault(key.span, expected, &found);
                    None
                }
            }
        }
        (None, Some(issuer), Some(subject)) => {
            let span = subject.span;
            Some(Placed {
                value: SignerId::Identity { issuer: issuer.value, subject: subject.value },
                span,
            })
        }
        _ => {
            let expected = "either key, or issuer and subject";
            entry.fault(entry.span(), expected, "another combination");
            None
        }
    }
}

fn permissions(entry: &Section<'_, '_>) -> BTreeSet<String> {
    let mut may = BTreeSet::new();
    for permission in entry.texts("may") {
        let text = permission.value;
        match predicate::from_short(&text) {
            Some(known) => {
                may.insert(known.short.to_owned());
            }
            None if text == SIGNATURE || text.contains("://") => {
                may.insert(text);
            }
            None => {
                let expected = "signature, the short name of a predicate type such as provenance, or the type's URI";
                entry.fault(permission.span, expected, &quoted(&text));
            }
        }
    }
    may
}

fn builder(table: &Section<'_, '_>) -> Option<Builder> {
    let id = table.text("id");
    let level = table.count("level", 0);
    if let Some(level) = level.as_ref().filter(|level| level.value > MAX_BUILD_LEVEL) {
        let expected = format!("a SLSA build level of 0 to {MAX_BUILD_LEVEL}");
        table.fault(level.span.clone(), &expected, &level.value.to_string());
    }
    Some(Builder { id: id?.value, level: level?.value })
}

fn revoked(entry: &Section<'_, '_>) -> Option<Revoked> {
    let at = entry.optional_time("revoked_at");
    let reason = entry.optional_word("reason", &REASONS);
    match (at, reason) {
        (Some(at), Some(reason)) => Some(Revoked { at: at.value, reason }),
        (None, None) => None,
        _ => {
            entry.fault(entry.span(), "revoked_at and reason together", "one of them");
            None
        }
    }
}

fn groups(table: &Section<'_, '_>, names: &Names) -> BTreeMap<String, BTreeSet<String>> {
    let signers = names.signers.borrow();
    let mut groups = BTreeMap::new();
    for name in table.names().collect::<Vec<_>>() {
        let members = table.texts(&name.value);
        if !is_name(table, &name) {
            continue;
        }
        if signers.contains_key(&name.value) {
            let found = format!("{}, which is a signer", quoted(&name.value));
            table.fault(name.span.clone(), "a name of its own for each group", &found);
        }
        for member in members.iter().filter(|member| !signers.contains_key(&member.value)) {
            table.fault(member.span.clone(), "the name of a [[signer]]", &quoted(&member.value));
        }
        let members = members.into_iter().map(|member| member.value).collect();
        groups.insert(name.value, members);
    }
    groups
}

fn quorum(table: &Section<'_, '_>, groups: &BTreeMap<String, BTreeSet<String>>) -> Option<Quorum> {
    let group = table.text("group");
    let threshold = table.count("threshold", 1);
    let (group, threshold) = (group?, threshold?);
    match groups.get(&group.value) {
        None => table.fault(group.span, "the name of a group", &quoted(&group.value)),
        Some(members) if members.len() as u64 >= threshold.value => {
            return Some(Quorum { group: group.value, threshold: threshold.value });
        }
        Some(members) => {
            let expected = format!("at most {}, the signers of {}", members.len(), group.value);
            table.fault(threshold.span, &expected, &threshold.value.to_string());
        }
    }
    None
}
