//! Grants: roles in namespaces, and what follows from several of them for a caller.

use std::sync::Arc;

use attestry_schemas::document::Pattern;

use super::role::{Role, Roles};

/// Roles in the namespaces that one of the patterns matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The roles.
    pub roles: Roles,
    /// The namespaces. A repository is the namespace of its name.
    pub on: Vec<Pattern>,
}

impl Grant {
    /// Roles everywhere.
    ///
    /// # Panics
    /// Never: the pattern is a constant and valid.
    #[must_use]
    pub fn everywhere(roles: Roles) -> Self {
        Self { roles, on: vec![EVERYWHERE.parse().expect("the pattern is a constant and valid")] }
    }

    fn allows(&self, role: Role, namespace: &str) -> bool {
        self.roles.has(role) && self.on.iter().any(|pattern| pattern.matches(namespace))
    }
}

/// The pattern that every namespace matches.
const EVERYWHERE: &str = "**";

/// What a caller may do: what one of its grants allows, within every bound of its credential.
#[derive(Debug, Clone, Default)]
pub struct Rights {
    grants: Vec<Arc<Grant>>,
    /// Each is a list of grants of which one must allow it too.
    bounds: Vec<Vec<Arc<Grant>>>,
}

impl Rights {
    /// What these grants allow.
    #[must_use]
    pub fn of(grants: Vec<Arc<Grant>>) -> Self {
        Self { grants, bounds: Vec::new() }
    }

    /// The same, and no more than one of `bound` allows.
    #[must_use]
    pub fn within(mut self, bound: Vec<Arc<Grant>>) -> Self {
        self.bounds.push(bound);
        self
    }

    fn lists(&self) -> impl Iterator<Item = &Vec<Arc<Grant>>> {
        std::iter::once(&self.grants).chain(&self.bounds)
    }

    /// Whether the role is held in the namespace.
    #[must_use]
    pub fn may(&self, role: Role, namespace: &str) -> bool {
        self.lists().all(|list| list.iter().any(|grant| grant.allows(role, namespace)))
    }

    /// Whether the role is held in some namespace.
    #[must_use]
    pub fn may_somewhere(&self, role: Role) -> bool {
        self.lists().all(|list| list.iter().any(|grant| grant.roles.has(role)))
    }

    /// Whether the role is held in every namespace: what concerns the registry as a whole asks for that.
    #[must_use]
    pub fn may_everywhere(&self, role: Role) -> bool {
        let all = |grant: &Arc<Grant>| {
            grant.roles.has(role) && grant.on.iter().any(|on| on.as_str() == EVERYWHERE)
        };
        self.lists().all(|list| list.iter().any(all))
    }

    /// The patterns within which one of the roles is held: a namespace must match one of each list.
    #[must_use]
    pub fn patterns(&self, roles: &[Role]) -> Vec<Vec<Pattern>> {
        let of = |list: &Vec<Arc<Grant>>| {
            let granting = list.iter().filter(|grant| grant.roles.has_any(roles));
            granting.flat_map(|grant| grant.on.iter().cloned()).collect()
        };
        self.lists().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(roles: &str, on: &[&str]) -> Arc<Grant> {
        let roles =
            roles.split(' ').filter_map(Roles::from_word).fold(Roles::default(), Roles::with);
        Arc::new(Grant { roles, on: on.iter().map(|p| p.parse().unwrap()).collect() })
    }

    #[test]
    fn a_right_is_one_grants_and_within_every_bound() {
        let rights = Rights::of(vec![grant("pull push", &["pay/**"]), grant("pull", &["base/*"])]);
        for (role, namespace, expected) in [
            (Role::Pull, "pay/api", true),
            (Role::Push, "pay/api", true),
            (Role::Overwrite, "pay/api", false),
            (Role::Pull, "base/os", true),
            (Role::Push, "base/os", false),
            (Role::Pull, "base/os/x", false),
            (Role::Pull, "payroll", false),
            (Role::Pull, "pay/../x", false),
        ] {
            assert_eq!(rights.may(role, namespace), expected, "{role:?} {namespace}");
        }
        let bound = rights.clone().within(vec![grant("pull", &["pay/api", "other"])]);
        assert!(bound.may(Role::Pull, "pay/api") && !bound.may(Role::Push, "pay/api"));
        assert!(!bound.may(Role::Pull, "pay/web"), "outside of the bound");
        assert!(!bound.may(Role::Pull, "other"), "a bound grants nothing");
        assert!(
            !rights.within(Vec::new()).may(Role::Pull, "pay/api"),
            "nothing is within an empty bound"
        );
    }

    #[test]
    fn everywhere_is_what_is_granted_everywhere_and_nothing_less() {
        let all = Rights::of(vec![grant("decide", &["**"])]);
        assert!(all.may_everywhere(Role::Decide) && !all.may_everywhere(Role::Audit));
        for on in ["*", "*/**", "pay/**"] {
            let some = Rights::of(vec![grant("decide", &[on])]);
            assert!(!some.may_everywhere(Role::Decide) && some.may_somewhere(Role::Decide), "{on}");
        }
        assert!(!all.within(vec![grant("admin", &["pay/**"])]).may_everywhere(Role::Decide));
    }
}
