//! Objects of a Kubernetes cluster, as tools name them.

use serde::Deserialize;

use crate::evidence::loose;

/// What an object's `metadata` says of its name.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ObjectMeta {
    #[serde(deserialize_with = "loose::text")]
    pub(super) name: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    pub(super) namespace: Option<String>,
}

impl ObjectMeta {
    /// The object with its kind.
    pub(super) fn object(&self, kind: Option<&str>) -> String {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        object(kind.unwrap_or_default(), &text(&self.namespace), &text(&self.name))
    }
}

/// An object by its names: `Deployment default/web`.
pub(super) fn object(kind: &str, namespace: &str, name: &str) -> String {
    let slash = if namespace.is_empty() { "" } else { "/" };
    format!("{kind} {namespace}{slash}{name}").trim().to_owned()
}
