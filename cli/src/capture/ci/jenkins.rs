//! Jenkins, with the git plugin and multibranch pipelines where they are used.
//!
//! Variables: the list that every controller serves at `/env-vars.html`, from the core's
//! `CoreEnvironmentContributor` and the branch API plugin; the git plugin's README, "Environment
//! Variables". `JENKINS_URL` and `BUILD_URL` are there only where the controller's URL is
//! configured.

use super::variables::Variables;
use super::{Identity, SourceHints, System, own_builder, place};

pub(super) const SYSTEM: System = System {
    name: "jenkins",
    marks: &["JENKINS_URL", "BUILD_NUMBER", "BUILD_TAG"],
    // A person's shell may name a Jenkins, but no build of it.
    runs: |variables| {
        let tagged = variables.text("BUILD_TAG").is_some_and(|tag| tag.starts_with("jenkins-"));
        tagged || (variables.has("JENKINS_URL") && variables.has("BUILD_NUMBER"))
    },
    parameters: &[
        ("job", "JOB_NAME"),
        ("runNumber", "BUILD_NUMBER"),
        ("runner.name", "NODE_NAME"),
        ("runner.labels", "NODE_LABELS"),
        ("changeId", "CHANGE_ID"),
        ("changeTarget", "CHANGE_TARGET"),
    ],
    others: &[
        "BUILD_URL",
        "GIT_URL",
        "GIT_COMMIT",
        "GIT_BRANCH",
        "GIT_LOCAL_BRANCH",
        "BRANCH_NAME",
        "TAG_NAME",
    ],
    identify,
};

fn identify(variables: &Variables<'_>) -> Identity {
    let controller = variables.url("JENKINS_URL");
    let run_url = variables.url("BUILD_URL");
    Identity {
        builder_id: controller.map(|url| own_builder(SYSTEM.name, &[place(&url)])),
        invocation_id: run_url.clone().or_else(|| variables.text("BUILD_TAG")),
        run_url,
        parameters: Vec::new(),
        source: SourceHints {
            repository: variables.repository("GIT_URL"),
            reference: reference(variables),
            commit: variables.commit("GIT_COMMIT"),
        },
    }
}

/// The tag or branch. `GIT_BRANCH` has the remote's name before it, as in `origin/main`; for a
/// change request, `BRANCH_NAME` is a made-up name such as `PR-24`.
fn reference(variables: &Variables<'_>) -> Option<String> {
    if let Some(tag) = variables.tag("TAG_NAME") {
        return Some(tag);
    }
    if variables.has("CHANGE_ID") {
        return None;
    }
    variables.branch("BRANCH_NAME").or_else(|| variables.branch("GIT_LOCAL_BRANCH")).or_else(|| {
        let branch = variables.text("GIT_BRANCH").filter(|branch| branch != "detached")?;
        let branch = branch.strip_prefix("refs/heads/").unwrap_or(&branch);
        Some(format!("refs/heads/{}", branch.strip_prefix("origin/").unwrap_or(branch)))
    })
}
