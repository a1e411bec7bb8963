//! CircleCI, cloud and server.
//!
//! Variables: CircleCI's "Project values and variables", built-in environment variables.
//! `CIRCLE_REPOSITORY_URL` is there for GitHub OAuth and Bitbucket Cloud projects only. No variable
//! tells what started the pipeline, or whose machine runs the job.

use super::variables::Variables;
use super::{Identity, SourceHints, System, own_builder};

pub(super) const SYSTEM: System = System {
    name: "circleci",
    marks: &["CIRCLECI"],
    runs: |variables| variables.is("CIRCLECI", "true"),
    parameters: &[
        ("job", "CIRCLE_JOB"),
        ("jobId", "CIRCLE_WORKFLOW_JOB_ID"),
        ("runNumber", "CIRCLE_BUILD_NUM"),
        ("workflowId", "CIRCLE_WORKFLOW_ID"),
        ("pipelineId", "CIRCLE_PIPELINE_ID"),
        ("organizationId", "CIRCLE_ORGANIZATION_ID"),
        ("projectId", "CIRCLE_PROJECT_ID"),
        ("nodeIndex", "CIRCLE_NODE_INDEX"),
        ("nodeTotal", "CIRCLE_NODE_TOTAL"),
    ],
    others: &[
        "CIRCLE_BUILD_URL",
        "CIRCLE_REPOSITORY_URL",
        "CIRCLE_PULL_REQUEST",
        "CIRCLE_SHA1",
        "CIRCLE_BRANCH",
        "CIRCLE_TAG",
    ],
    identify,
};

fn identify(variables: &Variables<'_>) -> Identity {
    let organization = variables.text("CIRCLE_ORGANIZATION_ID");
    let run_url = variables.url("CIRCLE_BUILD_URL");
    let pull_request = variables.url("CIRCLE_PULL_REQUEST");
    Identity {
        builder_id: organization.map(|id| own_builder(SYSTEM.name, &[&id])),
        invocation_id: run_url.clone().or_else(|| variables.text("CIRCLE_WORKFLOW_JOB_ID")),
        run_url,
        parameters: pull_request.map(|url| ("pullRequest", url)).into_iter().collect(),
        source: SourceHints {
            repository: variables.repository("CIRCLE_REPOSITORY_URL"),
            // For the change of a fork, the branch is pull/N, which is none.
            reference: variables.tag("CIRCLE_TAG").or_else(|| {
                let branch = variables.branch("CIRCLE_BRANCH");
                branch.filter(|branch| !branch.starts_with("refs/heads/pull/"))
            }),
            commit: variables.commit("CIRCLE_SHA1"),
        },
    }
}
