//! A run of a tool, and what its results mean: rule, level, place, fingerprint, suppression.

use std::collections::{BTreeMap, HashMap};

use attestry_schemas::digest::Digest;
use attestry_schemas::predicate::UtcTime;
use attestry_schemas::predicate::attestry::analysis::Level;

use super::log::{
    ArtifactLocation, Component, Head, Invocation, Location, ResultObject, Rule, RuleKey,
    RunProperties, Tally,
};
use super::tools::{self, Duty, Kind};
use crate::evidence::place::{self, Place};
use crate::evidence::scanner::Scanner;
use crate::evidence::time;

/// How many base folders may stand on each other.
const MAX_BASES: usize = 8;
/// What a result is told of that names no rule.
const NO_RULE: &str = "unknown";

/// A run: what its tool is, how it went, and what its results refer to.
pub(in crate::evidence) struct Run {
    /// Its position in the log.
    pub(in crate::evidence) index: usize,
    /// The tool.
    pub(in crate::evidence) scanner: Scanner,
    /// When it ended, else when it began, where the log says.
    pub(in crate::evidence) time: Option<UtcTime>,
    /// The digests of the image that was scanned, where the log names them.
    pub(in crate::evidence) image: Vec<Digest>,
    /// Whether the tool itself says that it failed.
    pub(super) failed: bool,
    /// How many errors the tool told of while it ran.
    pub(super) errors: usize,
    pub(super) tally: Tally,
    pub(super) duty: Duty,
    rules: Vec<Rule>,
    /// How many of the rules are the tool's own, and where those of each extension begin.
    own_rules: usize,
    extensions: Vec<usize>,
    by_id: HashMap<String, usize>,
    bases: BTreeMap<String, ArtifactLocation>,
    /// The folders of the machine that are known.
    roots: Vec<String>,
    artifacts: Vec<ArtifactLocation>,
}

impl Run {
    pub(super) fn new(index: usize, head: Head) -> Self {
        let Head { tool, invocations, original_uri_base_ids, version_control_provenance, .. } =
            head;
        let Component { name, version, semantic_version, information_uri, rules } = tool.driver;
        let name = name.unwrap_or_default();
        let version = semantic_version.or(version);
        let mut run = Self {
            index,
            scanner: Scanner::new(&name, version.as_deref(), information_uri.as_deref()),
            time: time_of(&invocations.0),
            image: head.properties.map(image).unwrap_or_default(),
            failed: invocations
                .0
                .iter()
                .any(|run| run.execution_successful.as_deref() == Some("false")),
            errors: invocations.0.iter().map(errors_of).sum(),
            tally: head.results,
            duty: tools::duty(&name),
            own_rules: rules.0.len(),
            rules: rules.0,
            extensions: Vec::new(),
            by_id: HashMap::new(),
            bases: original_uri_base_ids.0,
            roots: Vec::new(),
            artifacts: Vec::new(),
        };
        for extension in tool.extensions.0 {
            run.extensions.push(run.rules.len());
            run.rules.extend(extension.rules.0);
        }
        for (position, rule) in run.rules.iter().enumerate() {
            if let Some(id) = &rule.id {
                run.by_id.entry(id.clone()).or_insert(position);
            }
        }
        let folders = invocations.0.into_iter().filter_map(|run| run.working_directory);
        let checkouts = version_control_provenance.0.into_iter().filter_map(|vcs| vcs.mapped_to);
        let known = run.bases.values().cloned().chain(checkouts).chain(folders);
        run.roots = known.filter_map(|location| location.uri).collect();
        let artifacts = head.artifacts.0.into_iter();
        run.artifacts = artifacts.map(|artifact| artifact.location.unwrap_or_default()).collect();
        run
    }

    /// What the run's results are about, and how many there are of each; nothing where a tool that
    /// does several things found nothing.
    pub(super) fn kinds(&self) -> BTreeMap<Kind, u64> {
        let total = self.tally.total;
        let mut by_rule =
            self.tally.by_rule.iter().map(|(key, count)| (self.rule_id(key), key, *count));
        match self.duty {
            Duty::One(kind) => BTreeMap::from([(kind, total)]),
            Duty::Several => by_rule.fold(BTreeMap::new(), |mut kinds, (id, key, count)| {
                *kinds.entry(tools::kind_of_rule(&id, self.rule(key))).or_default() += count;
                kinds
            }),
            Duty::Unknown => {
                let vulnerable = |(id, _, _): (String, _, _)| tools::is_vulnerability(&id);
                let all = total > 0 && by_rule.all(vulnerable);
                let kind = if all { Kind::Vulnerabilities } else { Kind::Analysis };
                BTreeMap::from([(kind, total)])
            }
        }
    }

    /// The rule of a result (§3.27.7, §3.52.4: `CA1000/1` is of the rule `CA1000`).
    fn rule(&self, key: &RuleKey) -> Option<&Rule> {
        let by_index = key.index.and_then(|index| {
            let index = usize::try_from(index).ok()?;
            match key.extension {
                Some(extension) => {
                    let start = self.extensions.get(usize::try_from(extension).ok()?)?;
                    self.rules.get(start.checked_add(index)?)
                }
                None => self.rules.get(index).filter(|_| index < self.own_rules),
            }
        });
        let Some(id) = key.id.as_deref() else { return by_index };
        // An index that leads to another rule is a mistake of the tool's; the id is what it shows.
        let fits = |rule: &&Rule| rule.id.as_deref().is_some_and(|of| is_or_below(id, of));
        by_index.filter(fits).or_else(|| {
            let mut ids = std::iter::successors(Some(id), |id| Some(id.rsplit_once('/')?.0));
            self.rules.get(ids.find_map(|id| self.by_id.get(id).copied())?)
        })
    }

    fn rule_id(&self, key: &RuleKey) -> String {
        let id = key.id.clone().or_else(|| self.rule(key)?.id.clone());
        id.filter(|id| !id.is_empty()).unwrap_or_else(|| NO_RULE.to_owned())
    }

    /// The rule whose id or name a message begins with: some tools name it nowhere else.
    fn rule_of_message(&self, message: &str) -> Option<&Rule> {
        let begins = |text: &Option<String>| {
            text.as_deref().is_some_and(|text| !text.is_empty() && message.starts_with(text))
        };
        let fitting = self.rules.iter().filter(|rule| begins(&rule.id));
        fitting.max_by_key(|rule| rule.id.as_ref().map_or(0, String::len))
    }

    /// What a result says; nothing for one that is no longer there (§3.27.24: `absent`).
    pub(super) fn finding<'r>(&'r self, result: &ResultObject) -> Option<Finding<'r>> {
        if result.baseline_state.as_deref() == Some("absent") {
            return None;
        }
        let key = RuleKey::new(result.rule_id.as_ref(), result.rule_index, result.rule.as_ref());
        let message = result.message.as_ref().and_then(|message| message.text.as_deref());
        let message = message.unwrap_or_default();
        let (rule, rule_id) = match (self.rule(&key), self.rule_id(&key)) {
            (None, id) if id == NO_RULE => {
                let rule = self.rule_of_message(message);
                (rule, rule.and_then(|rule| rule.id.clone()).unwrap_or(id))
            }
            found => found,
        };
        let location = result.locations.0.first();
        Some(Finding {
            kind: match self.duty {
                Duty::One(kind) => kind,
                Duty::Several => tools::kind_of_rule(&rule_id, rule),
                Duty::Unknown => Kind::Analysis,
            },
            status: Status::of(result.kind.as_deref()),
            level: level(result, rule),
            place: self.place(location),
            line: line(location),
            object: object(location),
            fingerprint: fingerprint(result),
            suppressed: is_suppressed(result),
            message: message.to_owned(),
            commit: result
                .properties
                .get("commit")
                .or_else(|| result.partial_fingerprints.get("commitSha"))
                .cloned(),
            properties: result.properties.clone(),
            rule_id,
            rule,
        })
    }

    fn place(&self, location: Option<&Location>) -> Place {
        let artifact = location
            .and_then(|location| location.physical_location.as_ref())
            .and_then(|physical| physical.artifact_location.as_ref());
        let Some(artifact) = artifact else { return Place::Relative(String::new()) };
        let indexed =
            artifact.index.and_then(|index| self.artifacts.get(usize::try_from(index).ok()?));
        let artifact = if artifact.uri.is_some() { artifact } else { indexed.unwrap_or(artifact) };
        let uri = artifact.uri.as_deref().unwrap_or_default();
        match Place::of(uri) {
            Place::Relative(path) if path.contains("://") => Place::Relative(path),
            Place::Relative(path) => {
                Place::Relative(self.below_bases(&place::decode(&path), artifact))
            }
            absolute => absolute.relative_to(self.roots.iter().map(String::as_str)),
        }
    }

    /// A path below those of its bases that are relative themselves (§3.14.14).
    fn below_bases(&self, path: &str, artifact: &ArtifactLocation) -> String {
        let mut path = path.to_owned();
        let mut base = artifact.uri_base_id.as_ref().and_then(|id| self.bases.get(id));
        for _ in 0..MAX_BASES {
            let Some(folder) = base else { break };
            match folder.uri.as_deref().map(Place::of) {
                Some(Place::Relative(folder)) if !folder.is_empty() && !folder.contains("://") => {
                    path = format!("{}/{path}", place::decode(&folder).trim_end_matches('/'));
                }
                _ => break,
            }
            base = folder.uri_base_id.as_ref().and_then(|id| self.bases.get(id));
        }
        path
    }
}

/// What a result says.
pub(in crate::evidence) struct Finding<'r> {
    /// What it is about.
    pub(in crate::evidence) kind: Kind,
    /// The rule, as the tool names it.
    pub(in crate::evidence) rule_id: String,
    /// What the log says of the rule.
    pub(in crate::evidence) rule: Option<&'r Rule>,
    /// Whether it is a failure at all.
    pub(in crate::evidence) status: Status,
    /// How grave it is.
    pub(in crate::evidence) level: Level,
    /// The file.
    pub(in crate::evidence) place: Place,
    /// The line, from 1; 0 where it is not known.
    pub(in crate::evidence) line: u64,
    /// The object of a program or of a configuration.
    pub(in crate::evidence) object: Option<String>,
    /// Names the result across runs.
    pub(in crate::evidence) fingerprint: Option<String>,
    /// Whether people decided that it does not count.
    pub(in crate::evidence) suppressed: bool,
    /// What the tool tells of it.
    pub(in crate::evidence) message: String,
    /// The commit in which it was found.
    pub(in crate::evidence) commit: Option<String>,
    /// What the tool adds.
    pub(in crate::evidence) properties: BTreeMap<String, String>,
}

/// What kind of result it is (§3.27.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::evidence) enum Status {
    /// The rule is broken: `fail`, which is what a result is that does not say.
    Fail,
    /// The rule is kept: `pass`.
    Pass,
    /// Nobody knows, or it does not apply: all others.
    Open,
}

impl Status {
    fn of(kind: Option<&str>) -> Self {
        match kind {
            None | Some("fail") => Self::Fail,
            Some("pass") => Self::Pass,
            Some(_) => Self::Open,
        }
    }
}

/// §3.27.10: a result that is no failure has no level; else it is what the result says, else what
/// its rule says, else `warning`.
fn level(result: &ResultObject, rule: Option<&Rule>) -> Level {
    if Status::of(result.kind.as_deref()) != Status::Fail {
        return Level::None;
    }
    let by_rule = rule.and_then(|rule| rule.default_configuration.as_ref()?.level.as_deref());
    match result.level.as_deref().or(by_rule) {
        Some("error") => Level::Error,
        Some("note") => Level::Note,
        Some("none") => Level::None,
        _ => Level::Warning,
    }
}

/// §3.27.23 and §3.35.3: a suppression without a status is accepted; one that is rejected or under
/// review leaves the result as it is.
fn is_suppressed(result: &ResultObject) -> bool {
    let suppressions = &result.suppressions.0;
    let accepted = |status: Option<&str>| matches!(status, None | Some("accepted"));
    !suppressions.is_empty() && suppressions.iter().all(|one| accepted(one.status.as_deref()))
}

/// §3.27.17 and §3.27.18: of partial fingerprints those are taken whose name says that they are
/// one, because tools also keep the author or the date of a commit there.
fn fingerprint(result: &ResultObject) -> Option<String> {
    let named = |name: &&String| {
        let name = name.to_ascii_lowercase();
        ["fingerprint", "hash", "guid", "stableid", "matchbasedid"].iter().any(|w| name.contains(w))
    };
    let partial = &result.partial_fingerprints;
    let by_line = partial.get("primaryLocationLineHash");
    let by_name = || partial.iter().find(|(name, _)| named(name)).map(|(_, value)| value);
    let all = result.fingerprints.values().next().or(by_line).or_else(by_name);
    all.or(result.correlation_guid.as_ref()).filter(|text| !text.is_empty()).cloned()
}

fn line(location: Option<&Location>) -> u64 {
    let physical = location.and_then(|location| location.physical_location.as_ref());
    let region = physical.and_then(|physical| {
        physical.region.as_ref().or(physical.context_region.as_ref())?.start_line
    });
    region.unwrap_or_default()
}

fn object(location: Option<&Location>) -> Option<String> {
    let object = location?.logical_locations.0.first()?;
    let name = object.fully_qualified_name.as_ref().or(object.name.as_ref());
    name.filter(|name| !name.is_empty()).cloned()
}

fn is_or_below(id: &str, of: &str) -> bool {
    id.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn time_of(invocations: &[Invocation]) -> Option<UtcTime> {
    let time = |run: &Invocation| {
        let read = |text: &Option<String>| text.as_deref().and_then(time::utc);
        read(&run.end_time_utc).or_else(|| read(&run.start_time_utc))
    };
    invocations.iter().filter_map(time).max()
}

/// An image that was never pushed has another digest afterwards: what else it is called by counts
/// only together with what a registry calls it.
fn image(properties: RunProperties) -> Vec<Digest> {
    let digest = |text: &str| text.parse::<Digest>().ok();
    let named = properties.repo_digests.iter().filter_map(|name| name.rsplit_once('@'));
    let mut digests: Vec<Digest> = named.filter_map(|(_, text)| digest(text)).collect();
    if !digests.is_empty() {
        digests.extend(properties.image_id.as_deref().and_then(digest));
    }
    digests
}

fn errors_of(invocation: &Invocation) -> usize {
    let told = [
        &invocation.tool_execution_notifications.0,
        &invocation.tool_configuration_notifications.0,
    ];
    let errors = told.into_iter().flatten();
    errors.filter(|told| told.level.as_deref() == Some("error")).count()
}
