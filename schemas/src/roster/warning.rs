//! What the author of a roster should look at twice: signers who can never sign.

use super::{Roster, Signer, SignerId};

/// What is signed with keys alone, because it says who rules, or because its format knows nothing else.
const BY_KEY: [&str; 4] = ["link", "policy", "revocation", "roster"];

/// What is odd about an identity.
pub(super) fn of_identity(entry: &Signer) -> impl Iterator<Item = String> {
    let mut all = Vec::new();
    if let SignerId::Identity { issuer, subject } = &entry.id {
        if !["https://", "http://"].iter().any(|scheme| issuer.starts_with(scheme)) {
            all.push(format!(
                "expected the issuer of a certificate, such as https://token.actions.githubusercontent.com, found {issuer:?}, which no certificate has"
            ));
        }
        if subject.contains('*') {
            all.push(format!(
                "the subject {subject:?} is compared exactly, and * stands for itself; name each identity in an entry of its own"
            ));
        }
        if subject.starts_with("mailto:") {
            all.push(format!(
                "certificates have an e-mail address without a scheme, found {subject:?}; take mailto: out"
            ));
        }
        let never = BY_KEY.iter().filter(|word| entry.may.contains(**word));
        all.extend(never.map(|word| {
            format!("{word} in may is never used: that is signed with keys alone, and this is an identity")
        }));
    }
    all.into_iter()
}

/// Whether enough of those who publish policies have a key.
pub(super) fn of_policies(roster: &Roster) -> Option<String> {
    let quorum = roster.policies.as_ref()?;
    let group = roster.groups.get(&quorum.group)?;
    let has_key = |name: &&String| {
        let entries = roster.signers.iter().filter(|entry| entry.name == **name);
        entries.map(|entry| &entry.id).any(|id| id.fingerprint().is_some())
    };
    let with_key = group.iter().filter(has_key).count() as u64;
    (with_key < quorum.threshold).then(|| {
        format!(
            "no policy can be published: {} of group {} must sign it with keys, which {with_key} of them have",
            quorum.threshold, quorum.group
        )
    })
}
