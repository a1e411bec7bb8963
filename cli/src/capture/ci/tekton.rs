//! Tekton Pipelines.
//!
//! Tekton sets no variables for the steps of a task: its documentation has substitutions
//! ("Variable Substitutions Supported by Tasks and Pipelines"), which the author of a task passes
//! on. So these names are Attestry's, and the task that calls it has to set them; without
//! `TEKTON_TASKRUN_NAME`, a step looks like a plain machine.
//!
//! ```yaml
//! params:
//!   - name: repository-url
//!   - name: revision
//!   - name: commit
//! steps:
//!   - name: build
//!     env:
//!       - {name: TEKTON_TASKRUN_NAME, value: $(context.taskRun.name)}            # required
//!       - {name: TEKTON_TASKRUN_NAMESPACE, value: $(context.taskRun.namespace)}
//!       - {name: TEKTON_TASKRUN_UID, value: $(context.taskRun.uid)}
//!       - {name: TEKTON_TASK_NAME, value: $(context.task.name)}
//!       - {name: TEKTON_TASK_RETRY_COUNT, value: $(context.task.retry-count)}
//!       - name: TEKTON_PIPELINERUN_NAME
//!         valueFrom: {fieldRef: {fieldPath: "metadata.labels['tekton.dev/pipelineRun']"}}
//!       - name: TEKTON_PIPELINE_NAME
//!         valueFrom: {fieldRef: {fieldPath: "metadata.labels['tekton.dev/pipeline']"}}
//!       - {name: TEKTON_REPOSITORY_URL, value: $(params.repository-url)}
//!       - {name: TEKTON_REF, value: $(params.revision)}     # in full: refs/heads/main
//!       - {name: TEKTON_COMMIT, value: $(params.commit)}
//! ```
//!
//! `TEKTON_RUN_URL` may name the page of the run on a dashboard.

use super::variables::Variables;
use super::{Identity, SourceHints, System};

pub(super) const SYSTEM: System = System {
    name: "tekton",
    marks: &["TEKTON_TASKRUN_NAME"],
    runs: |variables| variables.has("TEKTON_TASKRUN_NAME"),
    parameters: &[
        ("job", "TEKTON_TASK_NAME"),
        ("retryCount", "TEKTON_TASK_RETRY_COUNT"),
        ("taskRun.name", "TEKTON_TASKRUN_NAME"),
        ("taskRun.namespace", "TEKTON_TASKRUN_NAMESPACE"),
        ("taskRun.uid", "TEKTON_TASKRUN_UID"),
        ("pipeline", "TEKTON_PIPELINE_NAME"),
        ("pipelineRun", "TEKTON_PIPELINERUN_NAME"),
    ],
    others: &["TEKTON_RUN_URL", "TEKTON_REPOSITORY_URL", "TEKTON_REF", "TEKTON_COMMIT"],
    identify,
};

fn identify(variables: &Variables<'_>) -> Identity {
    let by_name = || {
        let name = variables.text("TEKTON_TASKRUN_NAME")?;
        Some(match variables.text("TEKTON_TASKRUN_NAMESPACE") {
            Some(namespace) => format!("{namespace}/{name}"),
            None => name,
        })
    };
    Identity {
        builder_id: None,
        // What Tekton Chains names a run by.
        invocation_id: variables.text("TEKTON_TASKRUN_UID").or_else(by_name),
        run_url: variables.url("TEKTON_RUN_URL"),
        parameters: Vec::new(),
        source: SourceHints {
            repository: variables.repository("TEKTON_REPOSITORY_URL"),
            reference: variables.reference("TEKTON_REF"),
            commit: variables.commit("TEKTON_COMMIT"),
        },
    }
}
