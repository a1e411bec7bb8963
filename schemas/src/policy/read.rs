//! From a policy's TOML to a [`Policy`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::str::FromStr;

use super::{Demand, Exceptions, MAX_RULES, Mode, Policy, Rule, RuleKind, rule};
use crate::digest::Sha256;
use crate::document::{self, Duration, Faults, Pattern, Placed, Section, quoted};
use crate::predicate::repository_of;
use crate::roster::{Quorum, Roster};

/// What a policy's `schema` member says.
pub const SCHEMA: &str = "policy/v1";

pub(super) const MODES: [(&str, Mode); 3] =
    [("enforce", Mode::Enforce), ("warn", Mode::Warn), ("shadow", Mode::Shadow)];

/// The longest that an exception lasts where the policy does not say.
const LONGEST_WAIVER: &str = "90d";
const LONGEST_BREAK_GLASS: &str = "24h";

/// What rules are read with: the names that the roster knows, and the ids of the rules so far, with the environments from which
/// those promote that must hold.
pub(super) struct Reader<'r> {
    roster: Option<&'r Roster>,
    ids: RefCell<Vec<Placed<String>>>,
    promotions: RefCell<Vec<Placed<String>>>,
}

pub(super) fn policy(text: &[u8], roster: Option<&Roster>) -> Result<Policy, Faults> {
    let digest = Sha256::of(text);
    let reader = Reader { roster, ids: RefCell::default(), promotions: RefCell::default() };
    document::read(text, SCHEMA, |section| {
        let name = section.text("name").filter(|name| is_name(section, name));
        let version = section.count("version", 1);
        let expires = section.time("expires");
        let mode = section.word("mode", &MODES);
        let scope = section.section("match", |table| {
            Some((patterns(table, "artifacts"), patterns(table, "environments")))
        });
        if !section.has("match") {
            section.missing("match", "a table with artifacts and environments");
        }
        let rules = section.sections("rule", |table| reader.rule(table, true));
        if !section.has("rule") {
            section
                .missing("rule", "at least one [[rule]]; an empty policy would allow everything");
        }
        let ids = reader.ids.take();
        distinct(section, &ids);
        if !rules.is_empty() && rules.iter().all(|rule| matches!(rule.kind, RuleKind::Rego { .. }))
        {
            let found = "nothing but rules of type rego, which deny and demand nothing";
            section.fault(section.span(), "at least one typed rule", found);
        }
        let waivers = section.section("waivers", |table| {
            let waived = table.optional_texts("rules").unwrap_or_default();
            known_rules(table, &waived, &ids);
            single_rules(table, &waived, &rules);
            let terms = reader.exceptions(table, LONGEST_WAIVER)?;
            let rules = waived.into_iter().map(|rule| rule.value).collect();
            Some(Exceptions { rules, ..terms })
        });
        let break_glass =
            section.section("break_glass", |table| reader.exceptions(table, LONGEST_BREAK_GLASS));
        let (artifacts, environments) = scope?;
        satisfiable(section, &environments, &reader.promotions.take());
        Some(Policy {
            name: name?.value,
            version: version?.value,
            expires: expires?.value,
            mode: mode?,
            artifacts,
            environments,
            rules,
            waivers,
            break_glass,
            digest,
            unread: None,
        })
    })
}

/// Names of policies stand in URIs.
fn is_name(section: &Section<'_, '_>, name: &Placed<String>) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let fits = name.value.len() <= 100 && name.value.chars().all(plain);
    if !fits {
        let expected = "a name of at most 100 lower-case letters, digits, '-' and '.'";
        section.fault(name.span.clone(), expected, &quoted(&name.value));
    }
    fits
}

/// Rules are named in waivers and in answers, so each has a name of its own, those inside `any` included.
fn distinct(section: &Section<'_, '_>, ids: &[Placed<String>]) {
    let mut in_order: Vec<&Placed<String>> = ids.iter().collect();
    in_order.sort_by_key(|id| id.span.start);
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for id in in_order {
        match first.get(id.value.as_str()) {
            Some(line) => {
                let found = format!(
                    "{} again, which a rule of line {line} has; give one of them an id of its own",
                    quoted(&id.value)
                );
                section.fault(id.span.clone(), "each rule's id once", &found);
            }
            None => {
                first.insert(&id.value, section.line_of(&id.span));
            }
        }
    }
    if ids.len() > MAX_RULES {
        let span = section.span_of("rule");
        section.fault(span, &format!("at most {MAX_RULES} rules"), &ids.len().to_string());
    }
}

/// Nothing enters an environment by having run in it before: where a policy is for that one alone, it would never pass.
fn satisfiable(section: &Section<'_, '_>, environments: &[Pattern], froms: &[Placed<String>]) {
    let [only] = environments else { return };
    for from in froms.iter().filter(|from| from.value == only.as_str()) {
        let found = format!("{}, the only one that this policy is for", quoted(&from.value));
        section.fault(from.span.clone(), "an earlier environment to promote from", &found);
    }
}

/// A waiver can only be for a rule that is there.
fn known_rules(waivers: &Section<'_, '_>, rules: &[Placed<String>], ids: &[Placed<String>]) {
    for rule in rules.iter().filter(|rule| !ids.iter().any(|id| id.value == rule.value)) {
        let expected = "waivers.rules to name rules of this policy";
        waivers.fault(rule.span.clone(), expected, &quoted(&rule.value));
    }
}

/// Of an `any` a finding of one of its rules is waived.
fn single_rules(waivers: &Section<'_, '_>, waived: &[Placed<String>], rules: &[Rule]) {
    let is_any = |rule: &&Rule| matches!(rule.kind, RuleKind::Any(_));
    let several: Vec<&str> = rules.iter().filter(is_any).map(|rule| rule.id.as_str()).collect();
    for rule in waived.iter().filter(|rule| several.contains(&rule.value.as_str())) {
        let expected = "waivers.rules to name a rule inside any, whose findings can be waived";
        waivers.fault(rule.span.clone(), expected, &quoted(&rule.value));
    }
}

/// A list of patterns, each of which can match something.
pub(super) fn patterns(table: &Section<'_, '_>, name: &str) -> Vec<Pattern> {
    parsed(table, table.texts(name))
}

/// Patterns over repositories, in the form that provenance is read into: a pattern in another form matches none.
pub(super) fn repositories(table: &Section<'_, '_>, name: &str) -> Vec<Pattern> {
    let texts = table.optional_texts(name).unwrap_or_default();
    let fits = |text: &Placed<String>| {
        let form = repository_of(&text.value).unwrap_or_default();
        let is_uri = text.value.contains("://");
        let prefixed = text.value.starts_with("git+") || text.value.ends_with(".git");
        if form.is_empty() || form == text.value || !(is_uri || prefixed) {
            return true;
        }
        let expected = format!(
            "a repository as provenance is compared by it, without git+, .git, a reference and a last slash: {}",
            quoted(form)
        );
        table.fault(text.span.clone(), &expected, &quoted(&text.value));
        false
    };
    parsed(table, texts.into_iter().filter(fits).collect())
}

/// Patterns over references by their full names: a bare `main` matches nothing that a builder records.
pub(super) fn references(table: &Section<'_, '_>, name: &str) -> Vec<Pattern> {
    let texts = table.optional_texts(name).unwrap_or_default();
    let fits = |text: &Placed<String>| {
        let first = text.value.split('/').next().unwrap_or_default();
        let is_full = first == "refs" && text.value.contains('/');
        if is_full || first.contains('*') {
            return true;
        }
        let shown: String = text.value.chars().take(100).collect();
        let expected = format!(
            "the full name of a reference, such as refs/heads/{shown} or refs/tags/{shown} (**/{shown} matches it however a builder records it)"
        );
        table.fault(text.span.clone(), &expected, &quoted(&text.value));
        false
    };
    parsed(table, texts.into_iter().filter(fits).collect())
}

/// Parses each text; those that do not are faults.
pub(super) fn parsed<T: FromStr<Err: std::fmt::Display>>(
    table: &Section<'_, '_>,
    texts: Vec<Placed<String>>,
) -> Vec<T> {
    let mut all = Vec::new();
    for text in texts {
        match text.value.parse() {
            Ok(value) => all.push(value),
            Err(error) => {
                let error = T::Err::to_string(&error);
                let (expected, found) = error
                    .strip_prefix("expected ")
                    .and_then(|rest| rest.rsplit_once(", found "))
                    .map_or_else(
                        || (error.clone(), quoted(&text.value)),
                        |(e, f)| (e.to_owned(), f.to_owned()),
                    );
                table.fault(text.span, &expected, &found);
            }
        }
    }
    all
}

impl Reader<'_> {
    /// One rule; inside `any` no further `any`.
    pub(super) fn rule(&self, table: &Section<'_, '_>, may_be_any: bool) -> Option<Rule> {
        let id = table.optional_text("id").filter(|id| is_name(table, id));
        let span = id.as_ref().map_or_else(|| table.span_of("type"), |id| id.span.clone());
        let kind = if may_be_any && table.has("any") {
            let rules = table.sections("any", |inner| self.rule(inner, false));
            Some(RuleKind::Any(rules))
        } else {
            rule::kind(self, table)
        }?;
        if !may_be_any && matches!(kind, RuleKind::Rego { .. }) {
            let expected = "typed rules in any: rego may add denials, and in any it would stand in for a rule that fails";
            table.fault(table.span(), expected, "rego");
        }
        if let (true, RuleKind::Promotion { from, .. }) = (may_be_any, &kind) {
            let from = Placed { value: from.clone(), span: table.span_of("from") };
            self.promotions.borrow_mut().push(from);
        }
        let id = id.map_or_else(|| kind.name().to_owned(), |id| id.value);
        self.ids.borrow_mut().push(Placed { value: id.clone(), span });
        Some(Rule { id, kind })
    }

    /// Whose evidence counts, and how old it may be.
    pub(super) fn demand(&self, table: &Section<'_, '_>) -> Demand {
        let signers = self.optional_names(table, "signers");
        let max_age = table.optional_duration("max_age").map(|age| age.value);
        Demand { signers, max_age }
    }

    /// Names of signers and groups; a fault when there are none.
    pub(super) fn names(&self, table: &Section<'_, '_>, name: &str) -> Vec<String> {
        self.known(table, table.texts(name))
    }

    /// Names of signers and groups, if the member is there.
    pub(super) fn optional_names(&self, table: &Section<'_, '_>, name: &str) -> Vec<String> {
        self.known(table, table.optional_texts(name).unwrap_or_default())
    }

    fn known(&self, table: &Section<'_, '_>, names: Vec<Placed<String>>) -> Vec<String> {
        names.into_iter().map(|name| self.known_name(table, name)).collect()
    }

    fn known_name(&self, table: &Section<'_, '_>, name: Placed<String>) -> String {
        if self.roster.is_some_and(|roster| !roster.knows(&name.value)) {
            let expected = "a signer or group of the roster";
            table.fault(name.span, expected, &quoted(&name.value));
        }
        name.value
    }

    /// A threshold of at least 1 that the named signers can reach.
    pub(super) fn threshold(&self, table: &Section<'_, '_>, signers: &[String]) -> u64 {
        let Some(threshold) = table.optional_count("threshold", 1) else { return 1 };
        self.reachable(table, &threshold, signers);
        threshold.value
    }

    fn reachable(&self, table: &Section<'_, '_>, threshold: &Placed<u64>, signers: &[String]) {
        let Some(roster) = self.roster else { return };
        // Without a name it is everybody.
        let named = |entry: &&crate::roster::Signer| {
            signers.is_empty() || roster.is_named(&entry.name, signers.iter().map(String::as_str))
        };
        let all: std::collections::BTreeSet<&str> =
            roster.signers.iter().filter(named).map(|entry| entry.name.as_str()).collect();
        if threshold.value > all.len() as u64 {
            let expected = match signers {
                [] => format!("a threshold that the {} signers of the roster can reach", all.len()),
                _ => format!("a threshold that the {} named signers can reach", all.len()),
            };
            table.fault(threshold.span.clone(), &expected, &threshold.value.to_string());
        }
    }

    fn exceptions(&self, table: &Section<'_, '_>, longest: &str) -> Option<Exceptions> {
        let group = table.text("group").map(|group| self.known_name(table, group));
        let threshold = table.count("threshold", 1);
        let longest: Option<Duration> =
            table.optional_duration("longest").map(|d| d.value).or_else(|| longest.parse().ok());
        let (group, threshold) = (group?, threshold?);
        self.reachable(table, &threshold, std::slice::from_ref(&group));
        Some(Exceptions {
            quorum: Quorum { group, threshold: threshold.value },
            longest: longest?,
            rules: Vec::new(),
        })
    }

    /// Parameter to its allowed values.
    pub(super) fn parameters(
        &self,
        table: &Section<'_, '_>,
    ) -> Option<BTreeMap<String, Vec<String>>> {
        table.section("parameters", |parameters| {
            let names: Vec<_> = parameters.names().collect();
            let allowed = |name: &Placed<String>| {
                let values = parameters.texts(&name.value);
                (name.value.clone(), values.into_iter().map(|value| value.value).collect())
            };
            Some(names.iter().map(allowed).collect())
        })
    }
}
