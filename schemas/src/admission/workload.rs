//! Which images a Kubernetes object would run: all container kinds of all workload kinds.
//!
//! A workload is a kind that carries a `PodSpec` (`k8s.io/api/core/v1`). Of a PodSpec, four lists name
//! images: `containers`, `initContainers` (sidecars included), `ephemeralContainers`, and the image volumes of `volumes`.
//! Everything else that runs does so as a Pod in the end, and is asked about then.

use serde_json::{Map, Value};

use crate::json::type_name;

/// The most images that one object may bring.
pub const MAX_IMAGES: usize = 200;

/// Where the PodSpec of a workload stands in its object.
type Place = &'static [&'static str];

const TEMPLATE: Place = &["spec", "template", "spec"];

/// The API groups, kinds and places of PodSpecs. `extensions` is where some of them began.
const WORKLOADS: &[(&[&str], &str, Place)] = &[
    (&[""], "Pod", &["spec"]),
    (&[""], "PodTemplate", &["template", "spec"]),
    (&[""], "ReplicationController", TEMPLATE),
    (&["apps", "extensions"], "ReplicaSet", TEMPLATE),
    (&["apps", "extensions"], "Deployment", TEMPLATE),
    (&["apps"], "StatefulSet", TEMPLATE),
    (&["apps", "extensions"], "DaemonSet", TEMPLATE),
    (&["batch"], "Job", TEMPLATE),
    (&["batch"], "CronJob", &["spec", "jobTemplate", "spec", "template", "spec"]),
];

/// The lists of containers of a PodSpec, with what one is called.
const CONTAINERS: [(&str, &str); 3] = [
    ("containers", "container"),
    ("initContainers", "init container"),
    ("ephemeralContainers", "ephemeral container"),
];

/// One use of an image by an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// What uses it, such as `container api`.
    pub place: String,
    /// The reference as it is written; otherwise what was expected in its place, and found.
    pub reference: Result<String, String>,
}

/// An object of a kind that runs images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload {
    kind: &'static str,
    place: Place,
}

impl Workload {
    /// The workload of an API group and kind; none of a kind that carries no PodSpec that is known here.
    #[must_use]
    pub fn of(group: &str, kind: &str) -> Option<Self> {
        let is =
            |known: &&(&[&str], &'static str, Place)| known.1 == kind && known.0.contains(&group);
        WORKLOADS.iter().find(is).map(|(_, kind, place)| Self { kind, place })
    }

    /// Whether it is a Pod itself.
    #[must_use]
    pub fn is_pod(self) -> bool {
        self.kind == "Pod"
    }

    /// The images of an object of this kind.
    ///
    /// # Errors
    /// What was expected and found, where a place that may name images cannot be read: then nobody knows what would run.
    pub fn uses(self, object: &Value) -> Result<Vec<Use>, String> {
        let mut spec = object;
        let mut path = self.kind.to_owned();
        for name in self.place {
            let members = members(spec, &path)?;
            path = format!("{path}.{name}");
            spec = members.get(*name).ok_or_else(|| format!("expected {path}, found none"))?;
        }
        let spec = members(spec, &path)?;
        let mut uses = Vec::new();
        for (list, called) in CONTAINERS {
            for (index, container) in items(spec, list, &path)? {
                let at = format!("{path}.{list}[{index}]");
                let container = members(container, &at)?;
                let place = place(called, container, index);
                uses.push(Use { place, reference: reference(container.get("image"), &at) });
            }
        }
        for (index, volume) in items(spec, "volumes", &path)? {
            let at = format!("{path}.volumes[{index}]");
            let volume = members(volume, &at)?;
            let Some(image) = volume.get("image").filter(|image| !image.is_null()) else {
                continue;
            };
            let at = format!("{at}.image");
            let found = members(image, &at)?.get("reference");
            let place = place("image volume", volume, index);
            uses.push(Use { place, reference: reference(found, &at) });
        }
        Ok(uses)
    }
}

/// What one container or volume is called in messages.
fn place(called: &str, holder: &Map<String, Value>, index: usize) -> String {
    match holder.get("name").and_then(Value::as_str) {
        Some(name) => format!("{called} {}", name.chars().take(100).collect::<String>()),
        None => format!("{called} number {}", index + 1),
    }
}

/// The image that a place names; otherwise what was expected there.
fn reference(found: Option<&Value>, path: &str) -> Result<String, String> {
    let found = match found {
        Some(Value::String(reference)) if !reference.is_empty() => return Ok(reference.clone()),
        None | Some(Value::Null | Value::String(_)) => "none",
        Some(other) => type_name(other),
    };
    Err(format!("expected {path} to name an image, found {found}"))
}

fn members<'v>(value: &'v Value, path: &str) -> Result<&'v Map<String, Value>, String> {
    value
        .as_object()
        .ok_or_else(|| format!("expected {path} to be an object, found {}", type_name(value)))
}

/// The items of a list, which may be absent.
fn items<'v>(
    spec: &'v Map<String, Value>,
    name: &str,
    path: &str,
) -> Result<impl Iterator<Item = (usize, &'v Value)> + use<'v>, String> {
    let list: &[Value] = match spec.get(name) {
        None | Some(Value::Null) => &[],
        Some(Value::Array(list)) => list,
        Some(other) => {
            let found = type_name(other);
            return Err(format!("expected {path}.{name} to be an array, found {found}"));
        }
    };
    Ok(list.iter().enumerate())
}
