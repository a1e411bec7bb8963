//! Azure Pipelines, on Azure DevOps Services and Server.
//!
//! Variables: Microsoft's "Predefined variables". A variable `Build.BuildId` is `BUILD_BUILDID` in
//! the environment.

use super::variables::Variables;
use super::{Identity, SourceHints, System, own_builder, place};
use crate::capture::uri::encoded;

pub(super) const SYSTEM: System = System {
    name: "azure-pipelines",
    marks: &["TF_BUILD"],
    runs: |variables| variables.is("TF_BUILD", "true"),
    parameters: &[
        ("event", "BUILD_REASON"),
        ("stage", "SYSTEM_STAGENAME"),
        ("job", "SYSTEM_JOBNAME"),
        ("jobId", "SYSTEM_JOBID"),
        ("attempt", "SYSTEM_JOBATTEMPT"),
        ("runId", "BUILD_BUILDID"),
        ("runNumber", "BUILD_BUILDNUMBER"),
        ("pipeline", "BUILD_DEFINITIONNAME"),
        ("pipelineId", "SYSTEM_DEFINITIONID"),
        ("pipelineVersion", "BUILD_DEFINITIONVERSION"),
        ("project", "SYSTEM_TEAMPROJECT"),
        ("projectId", "SYSTEM_TEAMPROJECTID"),
        ("repositoryId", "BUILD_REPOSITORY_ID"),
        ("repositoryProvider", "BUILD_REPOSITORY_PROVIDER"),
        ("pullRequest", "SYSTEM_PULLREQUEST_PULLREQUESTID"),
        ("runner.id", "AGENT_ID"),
        ("runner.os", "AGENT_OS"),
        ("runner.arch", "AGENT_OSARCHITECTURE"),
    ],
    others: &[
        "SYSTEM_COLLECTIONURI",
        "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI",
        "BUILD_REPOSITORY_URI",
        "BUILD_SOURCEBRANCH",
        "BUILD_SOURCEVERSION",
    ],
    identify,
};

fn identify(variables: &Variables<'_>) -> Identity {
    // Two names of the same, of which older servers have the second.
    let collection = variables
        .url("SYSTEM_COLLECTIONURI")
        .or_else(|| variables.url("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"));
    let run = run_url(variables, collection.as_deref());
    // A job's id is new with every attempt.
    let invocation_id = match (&run, variables.text("SYSTEM_JOBID")) {
        (Some(run), Some(job)) => Some(format!("{run}&j={job}")),
        (None, job) => job,
        (Some(run), None) => Some(run.clone()),
    };
    Identity {
        builder_id: collection.map(|url| own_builder(SYSTEM.name, &[place(&url)])),
        invocation_id,
        run_url: run,
        parameters: Vec::new(),
        source: SourceHints {
            repository: variables.repository("BUILD_REPOSITORY_URI"),
            // Of Team Foundation Version Control, neither has this form.
            reference: variables.reference("BUILD_SOURCEBRANCH"),
            commit: variables.commit("BUILD_SOURCEVERSION"),
        },
    }
}

fn run_url(variables: &Variables<'_>, collection: Option<&str>) -> Option<String> {
    let collection = collection?.trim_end_matches('/');
    let project = encoded(&variables.text("SYSTEM_TEAMPROJECT")?, b"/%");
    let id = variables.text("BUILD_BUILDID").filter(|id| id.bytes().all(|b| b.is_ascii_digit()))?;
    Some(format!("{collection}/{project}/_build/results?buildId={id}"))
}
