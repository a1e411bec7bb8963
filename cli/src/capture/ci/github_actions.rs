//! GitHub Actions, on github.com and on GitHub Enterprise Server.
//!
//! Variables: GitHub's "Variables reference", default environment variables. Invocation id and
//! workflow: the SLSA community's build type `github-actions-buildtypes/workflow/v1`. Builder id:
//! what npm writes for a package that is built on a runner. (GitHub's own `attest` action writes the
//! workflow of the job instead; it has that from an OIDC token, which no variable tells.)
//!
//! Gitea, Forgejo and `act` set the same variables and are not GitHub: they are not this system.

use super::variables::Variables;
use super::{Identity, SourceHints, System};

pub(super) const SYSTEM: System = System {
    name: "github-actions",
    marks: &["GITHUB_ACTIONS", "GITEA_ACTIONS", "FORGEJO_ACTIONS", "ACT"],
    runs: |variables| {
        let others = ["GITEA_ACTIONS", "FORGEJO_ACTIONS", "ACT"];
        variables.is("GITHUB_ACTIONS", "true") && !others.iter().any(|name| variables.has(name))
    },
    parameters: &[
        ("event", "GITHUB_EVENT_NAME"),
        ("job", "GITHUB_JOB"),
        ("attempt", "GITHUB_RUN_ATTEMPT"),
        ("runId", "GITHUB_RUN_ID"),
        ("runNumber", "GITHUB_RUN_NUMBER"),
        ("repositoryId", "GITHUB_REPOSITORY_ID"),
        ("repositoryOwnerId", "GITHUB_REPOSITORY_OWNER_ID"),
        ("baseRef", "GITHUB_BASE_REF"),
        ("headRef", "GITHUB_HEAD_REF"),
        ("refProtected", "GITHUB_REF_PROTECTED"),
        ("workflow.name", "GITHUB_WORKFLOW"),
        ("workflow.commit", "GITHUB_WORKFLOW_SHA"),
        ("runner.environment", "RUNNER_ENVIRONMENT"),
        ("runner.os", "RUNNER_OS"),
        ("runner.arch", "RUNNER_ARCH"),
    ],
    others: &[
        "GITHUB_SERVER_URL",
        "GITHUB_REPOSITORY",
        "GITHUB_WORKFLOW_REF",
        "GITHUB_REF",
        "GITHUB_SHA",
    ],
    identify,
};

/// Where runners' ids lie; on a GitHub Enterprise Server, too.
const RUNNERS: &str = "https://github.com/actions/runner";

fn identify(variables: &Variables<'_>) -> Identity {
    let runner = variables.text("RUNNER_ENVIRONMENT");
    let runner = runner.filter(|runner| matches!(runner.as_str(), "github-hosted" | "self-hosted"));
    let owner_and_name = variables.text("GITHUB_REPOSITORY");
    let server = variables.url("GITHUB_SERVER_URL");
    let repository = match (&server, &owner_and_name) {
        (Some(server), Some(name)) => Some(format!("{}/{name}", server.trim_end_matches('/'))),
        _ => None,
    };
    let run_url = match (&repository, variables.text("GITHUB_RUN_ID")) {
        (Some(repository), Some(id)) => Some(format!("{repository}/actions/runs/{id}")),
        _ => None,
    };
    // The first attempt is 1; a server before attempts were counted does not say.
    let attempt = variables.text("GITHUB_RUN_ATTEMPT").unwrap_or_else(|| "1".to_owned());
    let mut parameters = Vec::new();
    if let (Some(name), Some(workflow)) = (&owner_and_name, variables.text("GITHUB_WORKFLOW_REF")) {
        parameters = workflow_of(name, &workflow);
    }
    if let Some(repository) = &repository {
        parameters.push(("workflow.repository", repository.clone()));
    }
    Identity {
        builder_id: runner.map(|runner| format!("{RUNNERS}/{runner}")),
        invocation_id: run_url.as_ref().map(|url| format!("{url}/attempts/{attempt}")),
        run_url,
        parameters,
        source: SourceHints {
            repository,
            reference: variables.reference("GITHUB_REF"),
            commit: variables.commit("GITHUB_SHA"),
        },
    }
}

/// Path and ref of `octocat/hello/.github/workflows/a.yml@refs/heads/main`. Both may hold an `@`.
fn workflow_of(repository: &str, workflow: &str) -> Vec<(&'static str, String)> {
    let path = workflow.strip_prefix(repository).and_then(|rest| rest.strip_prefix('/'));
    let path = path.unwrap_or(workflow);
    let at = path.rfind("@refs/").or_else(|| path.find('@'));
    let (path, reference) = match at {
        Some(at) => (path.get(..at), path.get(at + 1..)),
        None => (Some(path), None),
    };
    let parameter = |name, value: Option<&str>| value.map(|value| (name, value.to_owned()));
    [parameter("workflow.path", path), parameter("workflow.ref", reference)]
        .into_iter()
        .flatten()
        .collect()
}
