//! Woodpecker CI.
//!
//! Variables: Woodpecker's "Environment variables", built-in environment variables.

use super::variables::Variables;
use super::{Identity, SourceHints, System, own_builder, place};

pub(super) const SYSTEM: System = System {
    name: "woodpecker",
    marks: &["CI", "CI_SYSTEM_NAME"],
    runs: |variables| ["CI", "CI_SYSTEM_NAME"].iter().any(|name| variables.is(name, "woodpecker")),
    parameters: &[
        ("event", "CI_PIPELINE_EVENT"),
        ("job", "CI_WORKFLOW_NAME"),
        ("step", "CI_STEP_NAME"),
        ("runNumber", "CI_PIPELINE_NUMBER"),
        ("parentRunNumber", "CI_PIPELINE_PARENT"),
        ("pullRequest", "CI_COMMIT_PULL_REQUEST"),
        ("serverVersion", "CI_SYSTEM_VERSION"),
        ("forge", "CI_FORGE_TYPE"),
    ],
    others: &[
        "CI_SYSTEM_URL",
        "CI_PIPELINE_URL",
        "CI_STEP_URL",
        "CI_REPO_URL",
        "CI_COMMIT_SHA",
        "CI_COMMIT_REF",
    ],
    identify,
};

fn identify(variables: &Variables<'_>) -> Identity {
    let run_url = variables.url("CI_PIPELINE_URL");
    Identity {
        builder_id: variables
            .url("CI_SYSTEM_URL")
            .map(|url| own_builder(SYSTEM.name, &[place(&url)])),
        // A restarted pipeline has a new number.
        invocation_id: variables.url("CI_STEP_URL").or_else(|| run_url.clone()),
        run_url,
        parameters: Vec::new(),
        source: SourceHints {
            repository: variables.repository("CI_REPO_URL"),
            reference: variables.reference("CI_COMMIT_REF"),
            commit: variables.commit("CI_COMMIT_SHA"),
        },
    }
}
