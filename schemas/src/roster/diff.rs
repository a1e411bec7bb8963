//! What changes from one roster to the next, and what a reader should look at twice.

use serde::Serialize;

use super::{Quorum, Roster, Signer};

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it is about: `signer ci`, `group builders`, `version`.
    pub what: String,
    /// What is different.
    pub change: String,
    /// What follows from it that is easily overlooked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// The differences from `old` to `new`, in the order of the roster.
#[must_use]
pub fn changes(old: &Roster, new: &Roster) -> Vec<Change> {
    let mut all = Vec::new();
    let mut add = |what: String, change: String, warning: Option<String>| {
        all.push(Change { what, change, warning });
    };
    if old.version != new.version {
        let warning = (new.version <= old.version)
            .then(|| format!("a version only grows: {} will be refused", new.version));
        add("version".to_owned(), format!("{} → {}", old.version, new.version), warning);
    }
    if old.expires != new.expires {
        add("expires".to_owned(), format!("{} → {}", old.expires, new.expires), None);
    }
    for entry in &new.signers {
        let what = format!("signer {}", entry.name);
        match old.signers.iter().find(|other| other.id.to_string() == entry.id.to_string()) {
            None => add(what, format!("added: {}", entry.id), None),
            Some(before) => {
                for (change, warning) in signer_changes(before, entry) {
                    add(what.clone(), change, warning);
                }
            }
        }
    }
    for entry in &old.signers {
        if !new.signers.iter().any(|other| other.id.to_string() == entry.id.to_string()) {
            let warning = "everything that it signed stops to count; valid_until or revoked_at keeps what was signed before";
            let change = format!("removed: {}", entry.id);
            add(format!("signer {}", entry.name), change, Some(warning.to_owned()));
        }
    }
    for (name, members) in &new.groups {
        let what = format!("group {name}");
        match old.groups.get(name) {
            None => add(what, format!("added: {}", joined(members)), None),
            Some(before) if before != members => {
                let publishes = new.policies.as_ref().is_some_and(|quorum| quorum.group == *name);
                let leave = (publishes && !before.is_subset(members))
                    .then(|| fewer_publish("those who leave have signed"));
                let join = (publishes && !members.is_subset(before))
                    .then(|| "those who join publish policies".to_owned());
                let warning = leave.or(join);
                add(what, format!("{} → {}", joined(before), joined(members)), warning);
            }
            Some(_) => {}
        }
    }
    for name in old.groups.keys().filter(|name| !new.groups.contains_key(*name)) {
        let warning = "policies that name it deny everything";
        add(format!("group {name}"), "removed".to_owned(), Some(warning.to_owned()));
    }
    if old.policies != new.policies {
        let told = |roster: &Roster| match &roster.policies {
            Some(quorum) => format!("{} of {}", quorum.threshold, quorum.group),
            None => "nobody".to_owned(),
        };
        let is_kept = |quorum: &Quorum| {
            let members =
                |roster: &Roster, quorum: &Quorum| roster.groups.get(&quorum.group).cloned();
            new.policies.as_ref().is_some_and(|now| {
                let (before, after) = (members(old, quorum), members(new, now));
                now.threshold <= quorum.threshold
                    && before.zip(after).is_some_and(|(before, after)| before.is_subset(&after))
            })
        };
        let warning = old.policies.as_ref().filter(|quorum| !is_kept(quorum));
        let warning = warning.map(|_| match new.policies {
            Some(_) => fewer_publish("too few of those who now publish have signed"),
            None => "nobody publishes policies any more, and none rules: everything is denied"
                .to_owned(),
        });
        let count = |roster: &Roster| roster.policies.as_ref().map(|quorum| quorum.threshold);
        let falls = count(old).zip(count(new)).is_some_and(|(before, after)| after < before);
        let fewer = falls.then(|| "fewer signers suffice to publish a policy".to_owned());
        let warning = warning.or(fewer);
        add("policies".to_owned(), format!("{} → {}", told(old), told(new)), warning);
    }
    all
}

/// What becomes of policies when others publish them.
fn fewer_publish(which: &str) -> String {
    format!(
        "policies that {which} deny everything they are for until enough others push them again; attestry roster impact tells"
    )
}

fn signer_changes(old: &Signer, new: &Signer) -> Vec<(String, Option<String>)> {
    let mut all = Vec::new();
    let time = |time: Option<crate::predicate::UtcTime>| {
        time.map_or_else(|| "none".to_owned(), |time| time.to_string())
    };
    if old.name != new.name {
        all.push((format!("name {} → {}", old.name, new.name), None));
    }
    if old.may != new.may {
        all.push((format!("may {} → {}", joined(&old.may), joined(&new.may)), None));
    }
    if old.builders != new.builders {
        let told = |signer: &Signer| {
            let told = signer.builders.iter().map(|b| format!("{} at level {}", b.id, b.level));
            told.collect::<Vec<_>>().join(", ")
        };
        all.push((format!("builders [{}] → [{}]", told(old), told(new)), None));
    }
    if old.principals != new.principals {
        let change =
            format!("principals {} → {}", joined(&old.principals), joined(&new.principals));
        all.push((change, None));
    }
    for (what, before, after) in [
        ("valid_from", old.valid_from, new.valid_from),
        ("valid_until", old.valid_until, new.valid_until),
    ] {
        if before != after {
            all.push((format!("{what} {} → {}", time(before), time(after)), None));
        }
    }
    if old.revoked != new.revoked {
        let told = |signer: &Signer| match signer.revoked {
            Some(revoked) => {
                format!("{} ({})", revoked.at, super::trust::reason_name(revoked.reason))
            }
            None => "not revoked".to_owned(),
        };
        let warning = new.revoked.is_none().then(|| "what it signed counts again".to_owned());
        all.push((format!("revoked {} → {}", told(old), told(new)), warning));
    }
    all
}

fn joined(names: &std::collections::BTreeSet<String>) -> String {
    format!("[{}]", names.iter().cloned().collect::<Vec<_>>().join(", "))
}
