//! GitLab CI/CD, on gitlab.com and self-managed.
//!
//! Variables: GitLab's "Predefined CI/CD variables reference". Builder id: what GitLab Runner and
//! GitLab write into their own SLSA provenance, the project's page of the runner.
//!
//! `CI_REPOSITORY_URL` is not read, because it always holds the job's token.

use super::variables::Variables;
use super::{Identity, SourceHints, System};

pub(super) const SYSTEM: System = System {
    name: "gitlab-ci",
    marks: &["GITLAB_CI"],
    runs: |variables| variables.is("GITLAB_CI", "true"),
    parameters: &[
        ("event", "CI_PIPELINE_SOURCE"),
        ("job", "CI_JOB_NAME"),
        ("jobId", "CI_JOB_ID"),
        ("stage", "CI_JOB_STAGE"),
        ("image", "CI_JOB_IMAGE"),
        ("pipelineId", "CI_PIPELINE_ID"),
        ("pipelineNumber", "CI_PIPELINE_IID"),
        ("projectId", "CI_PROJECT_ID"),
        ("configPath", "CI_CONFIG_PATH"),
        ("refProtected", "CI_COMMIT_REF_PROTECTED"),
        ("environment", "CI_ENVIRONMENT_NAME"),
        ("serverVersion", "CI_SERVER_VERSION"),
        ("runner.id", "CI_RUNNER_ID"),
        ("runner.version", "CI_RUNNER_VERSION"),
        ("runner.platform", "CI_RUNNER_EXECUTABLE_ARCH"),
        ("runner.tags", "CI_RUNNER_TAGS"),
    ],
    others: &[
        "CI_SERVER_URL",
        "CI_PROJECT_PATH",
        "CI_PROJECT_URL",
        "CI_JOB_URL",
        "CI_PIPELINE_URL",
        "CI_COMMIT_SHA",
        "CI_COMMIT_TAG",
        "CI_COMMIT_REF_NAME",
        "CI_MERGE_REQUEST_REF_PATH",
    ],
    identify,
};

fn identify(variables: &Variables<'_>) -> Identity {
    let project = variables.url("CI_PROJECT_URL").or_else(|| {
        let server = variables.url("CI_SERVER_URL")?;
        let path = variables.text("CI_PROJECT_PATH")?;
        Some(format!("{}/{path}", server.trim_end_matches('/')))
    });
    let runner = variables.text("CI_RUNNER_ID");
    let runner = runner.filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
    let builder_id = match (&project, runner) {
        (Some(project), Some(runner)) => Some(format!("{project}/-/runners/{runner}")),
        _ => None,
    };
    let run_url = variables.url("CI_JOB_URL");
    let pipeline = variables.url("CI_PIPELINE_URL");
    Identity {
        builder_id,
        invocation_id: run_url.clone().or_else(|| variables.text("CI_JOB_ID")),
        run_url,
        parameters: pipeline.map(|url| ("pipelineUrl", url)).into_iter().collect(),
        source: SourceHints {
            repository: project,
            // Only pipelines for tags have a tag; those of merge requests have a ref of their own.
            reference: variables
                .tag("CI_COMMIT_TAG")
                .or_else(|| variables.reference("CI_MERGE_REQUEST_REF_PATH"))
                .or_else(|| variables.branch("CI_COMMIT_REF_NAME")),
            commit: variables.commit("CI_COMMIT_SHA"),
        },
    }
}
