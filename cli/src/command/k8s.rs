//! `attestry k8s manifests`: what makes a cluster ask the gate before anything runs.
//!
//! `ValidatingWebhookConfiguration` of `admissionregistration.k8s.io/v1`. The URL of a webhook may have no
//! query, so the environment is the last part of its path. JSON is YAML: each value is written so, and the
//! comments between them say what it is for.

use std::io::Read as _;
use std::path::Path;

use attestry_schemas::base64;
use serde_json::{Value, json};

use crate::args::{FailurePolicy, K8sCommand, K8sManifestsArgs};
use crate::output::{Exit, Failure, Session};

/// The most characters of the name of a namespace: a label of RFC 1123.
const MAX_NAMESPACE_CHARS: usize = 63;
/// The most bytes of the certificates.
const MAX_CA_BYTES: u64 = 1 << 20;
/// The namespaces of Kubernetes itself: a gate that must run in the cluster before it can answer would
/// keep the cluster from starting.
const OWN_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// Runs `attestry k8s`.
pub(super) fn run(command: &K8sCommand, session: &mut Session) -> Result<Exit, Failure> {
    let K8sCommand::Manifests(args) = command;
    if !args.registry_url.is_tls() {
        return Err(Failure::undecided(format!(
            "expected an https:// URL, because a cluster asks over TLS alone, found {}",
            args.registry_url
        ))
        .fix("give the URL under which attestry-registry serves TLS, as the cluster reaches it"));
    }
    args.namespace.iter().try_for_each(|namespace| demand_namespace(namespace))?;
    let ca = certificates(&args.ca_file)?;
    let manifest = manifest(args, &ca);
    if session.json() {
        session.answer(&manifest)?;
    } else {
        session.data(yaml(&manifest, args).as_bytes());
    }
    if args.environment.is_none() {
        session.warn(
            "no --environment: without admission_environment in its settings the registry denies everything that asks there",
        );
    }
    if args.failure_policy == FailurePolicy::Ignore {
        session.warn(
            "--failure-policy Ignore: whoever keeps the gate from answering can run anything",
        );
    }
    for own in OWN_NAMESPACES.iter().filter(|own| args.namespace.iter().any(|name| name == *own)) {
        session.warn(format!(
            "--namespace {own}: Kubernetes itself runs there, and cannot start while the gate does not answer"
        ));
    }
    Ok(Exit::Success)
}

/// Demands a name that a namespace can have: another would select nothing.
fn demand_namespace(name: &str) -> Result<(), Failure> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_label = (1..=MAX_NAMESPACE_CHARS).contains(&name.len())
        && name.chars().all(plain)
        && !name.starts_with('-')
        && !name.ends_with('-');
    if is_label {
        return Ok(());
    }
    let shown: String = name.chars().take(100).collect();
    Err(Failure::undecided(format!(
        "expected namespace to be at most {MAX_NAMESPACE_CHARS} lower-case letters, digits and -, with no - at either end; found {shown:?}"
    ))
    .fix("give --namespace as kubectl get namespaces lists it"))
}

fn certificates(path: &Path) -> Result<Vec<u8>, Failure> {
    let fail = |e: std::io::Error| Failure::file("read", path, &e);
    let mut text = Vec::new();
    std::fs::File::open(path)
        .map_err(fail)?
        .take(MAX_CA_BYTES)
        .read_to_end(&mut text)
        .map_err(fail)?;
    let pem = String::from_utf8_lossy(&text);
    if pem.contains("PRIVATE KEY-----") {
        return Err(Failure::undecided(format!(
            "expected certificates in {}, found a private key",
            path.display()
        ))
        .fix("name the file that holds the certificate of the authority alone"));
    }
    if !pem.contains("-----BEGIN CERTIFICATE-----") {
        return Err(Failure::undecided(format!(
            "expected PEM certificates in {}, found none",
            path.display()
        ))
        .fix("name the certificate of the authority that signed the registry's"));
    }
    Ok(text)
}

fn manifest(args: &K8sManifestsArgs, ca: &[u8]) -> Value {
    let url = match &args.environment {
        Some(environment) => {
            let path = format!("/k8s/admission/{}", crate::client::query_value(environment));
            args.registry_url.join(&path)
        }
        None => args.registry_url.join("/k8s/admission"),
    };
    let namespaces = if args.namespace.is_empty() {
        json!({"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": OWN_NAMESPACES})
    } else {
        json!({"key": "kubernetes.io/metadata.name", "operator": "In", "values": args.namespace})
    };
    let rule = |groups: &[&str], resources: &[&str]| {
        json!({
            "apiGroups": groups,
            "apiVersions": ["*"],
            "operations": ["CREATE", "UPDATE"],
            "resources": resources,
            "scope": "Namespaced",
        })
    };
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "attestry-gate"},
        "webhooks": [{
            "name": "gate.attestry.dev",
            "admissionReviewVersions": ["v1"],
            "clientConfig": {"url": url, "caBundle": base64::encode(ca)},
            "rules": [
                rule(&[""], &["pods", "pods/ephemeralcontainers", "replicationcontrollers", "podtemplates"]),
                rule(&["apps"], &["deployments", "replicasets", "statefulsets", "daemonsets"]),
                rule(&["batch"], &["jobs", "cronjobs"]),
            ],
            "namespaceSelector": {"matchExpressions": [namespaces]},
            "failurePolicy": match args.failure_policy {
                FailurePolicy::Fail => "Fail",
                FailurePolicy::Ignore => "Ignore",
            },
            "matchPolicy": "Equivalent",
            // A decision is logged, but for a dry run.
            "sideEffects": "NoneOnDryRun",
            "timeoutSeconds": args.timeout_s,
        }],
    })
}

/// The manifest as YAML, in the order in which people read it.
fn yaml(manifest: &Value, args: &K8sManifestsArgs) -> String {
    let mut text = String::from("# Made by attestry k8s manifests.\n");
    let environment = args.environment.as_deref().map_or_else(
        || "the registry says which environment the cluster is".to_owned(),
        |environment| format!("the cluster is {environment:?}"),
    );
    text.push_str(&format!("# Every workload's images are put to the gate; {environment}.\n"));
    if args.failure_policy == FailurePolicy::Fail {
        text.push_str(
            "# While the gate does not answer, nothing new is admitted (failurePolicy: Fail).\n",
        );
    }
    write(manifest, 0, &mut text);
    text
}

/// Writes a value at an indentation: texts and numbers as JSON, which YAML includes.
fn write(value: &Value, indent: usize, text: &mut String) {
    let space = " ".repeat(indent);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                text.push_str(&format!("{space}{key}:"));
                member(value, indent + 2, text);
            }
        }
        Value::Array(items) => {
            for item in items {
                let mut inner = String::new();
                write(item, indent + 2, &mut inner);
                text.push_str(&format!("{space}- {}", inner.trim_start()));
            }
        }
        plain => text.push_str(&format!("{space}{plain}\n")),
    }
}

fn member(value: &Value, indent: usize, text: &mut String) {
    let plain = |value: &Value| !value.is_array() && !value.is_object();
    match value {
        Value::Array(items) if items.iter().all(plain) => text.push_str(&format!(" {value}\n")),
        Value::Array(_) | Value::Object(_) => {
            text.push('\n');
            write(value, indent, text);
        }
        plain => text.push_str(&format!(" {plain}\n")),
    }
}
