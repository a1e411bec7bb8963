//! Roles: what a principal may do in the namespaces that a grant names.

use std::fmt;

/// One thing that may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reading: artifacts, attestations, tags.
    Pull,
    /// Adding artifacts, and new tags.
    Push,
    /// Making a tag that is, or was, there point to another manifest.
    Overwrite,
    /// Removing tags.
    DeleteTag,
    /// Removing manifests and blobs by digest.
    DeleteDigest,
    /// Adding attestations and the files that they name.
    Attest,
    /// Asking the gate for decisions.
    Decide,
    /// Stating deployments.
    Deploy,
    /// Stating approvals, waivers and broken glass.
    Approve,
    /// Reading decisions, deployments, numbers, and who did what.
    Audit,
}

impl Role {
    /// Every role.
    pub const ALL: &'static [Self] = &[
        Self::Pull,
        Self::Push,
        Self::Overwrite,
        Self::DeleteTag,
        Self::DeleteDigest,
        Self::Attest,
        Self::Decide,
        Self::Deploy,
        Self::Approve,
        Self::Audit,
    ];

    /// The word of documents and of the record of who did what.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Overwrite => "overwrite",
            Self::DeleteTag => "delete-tag",
            Self::DeleteDigest => "delete-digest",
            Self::Attest => "attest",
            Self::Decide => "decide",
            Self::Deploy => "deploy",
            Self::Approve => "approve",
            Self::Audit => "audit",
        }
    }
}

/// A set of roles.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Roles(u16);

impl Roles {
    /// All of them: what `admin` stands for.
    pub const ALL: Self = Self((1 << Role::ALL.len()) - 1);

    /// The words that a document may use, with what each stands for.
    #[must_use]
    pub fn words() -> Vec<(&'static str, Self)> {
        let mut words: Vec<_> =
            Role::ALL.iter().map(|role| (role.word(), Self::of(&[*role]))).collect();
        words.push(("delete", Self::of(&[Role::DeleteTag, Role::DeleteDigest])));
        words.push(("admin", Self::ALL));
        words
    }

    /// The set of these.
    #[must_use]
    pub fn of(roles: &[Role]) -> Self {
        Self(roles.iter().fold(0, |set, role| set | 1 << *role as u16))
    }

    /// What a word stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::words().into_iter().find(|(known, _)| *known == word).map(|(_, roles)| roles)
    }

    /// Both sets.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the role is in the set.
    #[must_use]
    pub fn has(self, role: Role) -> bool {
        self.0 & (1 << role as u16) != 0
    }

    /// Whether one of the roles is in the set.
    #[must_use]
    pub fn has_any(self, roles: &[Role]) -> bool {
        self.0 & Self::of(roles).0 != 0
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ALL {
            return f.write_str("admin");
        }
        let words: Vec<_> =
            Role::ALL.iter().filter(|role| self.has(**role)).map(|r| r.word()).collect();
        f.write_str(&words.join(","))
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roles({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stands_for_its_roles_and_for_no_other() {
        for role in Role::ALL {
            let roles = Roles::from_word(role.word()).unwrap();
            let found: Vec<_> = Role::ALL.iter().filter(|other| roles.has(**other)).collect();
            assert_eq!(found, [role], "{}", role.word());
        }
        let delete = Roles::from_word("delete").unwrap();
        assert!(delete.has(Role::DeleteTag) && delete.has(Role::DeleteDigest));
        assert!(!delete.has(Role::Overwrite) && !delete.has(Role::Push));
        assert!(Role::ALL.iter().all(|role| Roles::from_word("admin").unwrap().has(*role)));
        assert_eq!(Roles::from_word("Pull"), None);
        assert_eq!(Roles::of(&[Role::Push, Role::Pull]).to_string(), "pull,push");
    }
}
