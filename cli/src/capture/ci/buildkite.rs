//! Buildkite.
//!
//! Variables: Buildkite's "Environment variables" page. A job's page is the build's with the job's
//! id as fragment; a retried job has a new id.

use super::variables::Variables;
use super::{Identity, SourceHints, System, own_builder};

pub(super) const SYSTEM: System = System {
    name: "buildkite",
    marks: &["BUILDKITE"],
    runs: |variables| variables.is("BUILDKITE", "true"),
    parameters: &[
        ("event", "BUILDKITE_SOURCE"),
        ("job", "BUILDKITE_LABEL"),
        ("jobId", "BUILDKITE_JOB_ID"),
        ("step", "BUILDKITE_STEP_KEY"),
        ("retryCount", "BUILDKITE_RETRY_COUNT"),
        ("runId", "BUILDKITE_BUILD_ID"),
        ("runNumber", "BUILDKITE_BUILD_NUMBER"),
        ("organization", "BUILDKITE_ORGANIZATION_SLUG"),
        ("pipeline", "BUILDKITE_PIPELINE_SLUG"),
        ("pipelineId", "BUILDKITE_PIPELINE_ID"),
        ("pullRequest", "BUILDKITE_PULL_REQUEST"),
        ("runner.id", "BUILDKITE_AGENT_ID"),
        ("runner.environment", "BUILDKITE_COMPUTE_TYPE"),
    ],
    others: &[
        "BUILDKITE_BUILD_URL",
        "BUILDKITE_REPO",
        "BUILDKITE_COMMIT",
        "BUILDKITE_BRANCH",
        "BUILDKITE_TAG",
    ],
    identify,
};

fn identify(variables: &Variables<'_>) -> Identity {
    let organization = variables.text("BUILDKITE_ORGANIZATION_SLUG");
    let compute = variables.text("BUILDKITE_COMPUTE_TYPE");
    let compute = compute.filter(|compute| matches!(compute.as_str(), "hosted" | "self-hosted"));
    let installation: Vec<&str> = match (&organization, &compute) {
        (Some(organization), Some(compute)) => vec![organization, compute],
        (Some(organization), None) => vec![organization],
        (None, _) => Vec::new(),
    };
    let build = variables.url("BUILDKITE_BUILD_URL");
    let job = variables.text("BUILDKITE_JOB_ID");
    let run_url = match (build, &job) {
        (Some(build), Some(job)) => Some(format!("{build}#{job}")),
        (build, _) => build,
    };
    Identity {
        builder_id: Some(own_builder(SYSTEM.name, &installation)),
        invocation_id: run_url.clone().or(job),
        run_url,
        parameters: Vec::new(),
        source: SourceHints {
            repository: variables.repository("BUILDKITE_REPO"),
            // A fork's branch has the fork's owner before it, and is no branch of this repository.
            reference: variables.tag("BUILDKITE_TAG").or_else(|| {
                variables.branch("BUILDKITE_BRANCH").filter(|branch| !branch.contains(':'))
            }),
            // A build by hand may say HEAD, which is no commit.
            commit: variables.commit("BUILDKITE_COMMIT"),
        },
    }
}
