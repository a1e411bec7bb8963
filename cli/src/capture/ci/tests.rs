use std::cell::RefCell;
use std::collections::BTreeSet;

use attestry_schemas::predicate::{self, Severity};
use serde_json::json;

use super::*;
use crate::capture::Why;
use crate::capture::credential::{Sign, says_credential};

const COMMIT: &str = "83a20ec058e2fb00e7fa4558c4c6e81e2dcf253d";

fn detected(environment: &[(&str, &str)]) -> Ci {
    let find = |name: &str| environment.iter().find(|(known, _)| *known == name);
    detect(&|name| find(name).map(|(_, value)| (*value).to_owned()))
}

/// What a system makes of its variables.
struct Expected {
    system: &'static str,
    builder_id: &'static str,
    invocation_id: &'static str,
    run_url: Option<&'static str>,
    /// Repository and reference; the commit is [`COMMIT`].
    source: (Option<&'static str>, Option<&'static str>),
    parameters: Value,
}

fn check(environment: &[(&str, &str)], expected: Expected) {
    let ci = detected(environment);
    assert_eq!(ci.system, expected.system);
    assert_eq!(ci.builder_id, expected.builder_id);
    assert_eq!(ci.invocation_id.as_deref(), Some(expected.invocation_id));
    assert_eq!(ci.run_url.as_deref(), expected.run_url);
    assert_eq!(ci.source.repository.as_deref(), expected.source.0);
    assert_eq!(ci.source.reference.as_deref(), expected.source.1);
    assert_eq!(ci.source.commit.as_deref(), Some(COMMIT));
    assert_eq!(json!(ci.parameters), expected.parameters);
    assert_eq!(ci.refused, []);
    lints_clean(&ci);
}

fn lints_clean(ci: &Ci) {
    let mut metadata = Map::new();
    if let Some(id) = &ci.invocation_id {
        metadata.insert("invocationId".to_owned(), json!(id));
    }
    let provenance = json!({
        "buildDefinition": {
            "buildType": "https://example.com/build/v1",
            "externalParameters": ci.parameters,
        },
        "runDetails": { "builder": { "id": ci.builder_id }, "metadata": metadata },
    });
    let findings = predicate::lint("https://slsa.dev/provenance/v1", &provenance);
    let errors: Vec<_> =
        findings.iter().filter(|found| found.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn github_actions_is_told_by_its_variables() {
    check(
        &[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", "o/r"),
            ("GITHUB_REPOSITORY_ID", "11"),
            ("GITHUB_RUN_ID", "1658821493"),
            ("GITHUB_RUN_ATTEMPT", "2"),
            ("GITHUB_WORKFLOW_REF", "o/r/.github/workflows/a@b.yml@refs/tags/@scope/p@1"),
            ("GITHUB_WORKFLOW_SHA", COMMIT),
            ("GITHUB_REF", "refs/tags/@scope/p@1"),
            ("GITHUB_SHA", COMMIT),
            ("GITHUB_EVENT_NAME", "push"),
            ("GITHUB_JOB", "build"),
            ("GITHUB_TOKEN", "x"),
            ("RUNNER_ENVIRONMENT", "github-hosted"),
            ("RUNNER_OS", "Linux"),
            ("RUNNER_ARCH", "X64"),
        ],
        Expected {
            system: "github-actions",
            builder_id: "https://github.com/actions/runner/github-hosted",
            invocation_id: "https://github.com/o/r/actions/runs/1658821493/attempts/2",
            run_url: Some("https://github.com/o/r/actions/runs/1658821493"),
            source: (Some("https://github.com/o/r"), Some("refs/tags/@scope/p@1")),
            parameters: json!({
                "event": "push",
                "job": "build",
                "attempt": "2",
                "runId": "1658821493",
                "repositoryId": "11",
                "workflow": {
                    "path": ".github/workflows/a@b.yml",
                    "ref": "refs/tags/@scope/p@1",
                    "repository": "https://github.com/o/r",
                    "commit": COMMIT,
                },
                "runner": { "environment": "github-hosted", "os": "Linux", "arch": "X64" },
            }),
        },
    );
    let id = |environment: &[(&str, &str)]| detected(environment).builder_id;
    let actions = ("GITHUB_ACTIONS", "true");
    assert_eq!(id(&[actions]), "https://attestry.dev/builders/github-actions/v1");
    let own = id(&[actions, ("RUNNER_ENVIRONMENT", "self-hosted")]);
    assert_eq!(own, "https://github.com/actions/runner/self-hosted");
}

#[test]
fn what_only_imitates_github_actions_is_not_it() {
    for other in ["GITEA_ACTIONS", "FORGEJO_ACTIONS", "ACT"] {
        let ci = detected(&[
            ("GITHUB_ACTIONS", "true"),
            ("RUNNER_ENVIRONMENT", "github-hosted"),
            (other, "true"),
        ]);
        assert_eq!((ci.system, ci.builder_id.as_str()), (NONE, PLAIN_MACHINE), "{other}");
    }
}

#[test]
fn gitlab_ci_is_told_by_its_variables() {
    let environment = &[
        ("GITLAB_CI", "true"),
        ("CI_PROJECT_URL", "https://gitlab.example.com/g/p"),
        ("CI_REPOSITORY_URL", "https://gitlab-ci-token:x@gitlab.example.com/g/p.git"),
        ("CI_JOB_URL", "https://gitlab.example.com/g/p/-/jobs/7"),
        ("CI_JOB_ID", "7"),
        ("CI_JOB_NAME", "build"),
        ("CI_JOB_TOKEN", "x"),
        ("CI_PIPELINE_ID", "5"),
        ("CI_PIPELINE_URL", "https://gitlab.example.com/g/p/-/pipelines/5"),
        ("CI_PIPELINE_SOURCE", "push"),
        ("CI_COMMIT_SHA", COMMIT),
        ("CI_COMMIT_REF_NAME", "feature/a"),
        ("CI_RUNNER_ID", "12"),
        ("CI_CONFIG_PATH", ".gitlab-ci.yml"),
    ][..];
    let mut expected = Expected {
        system: "gitlab-ci",
        builder_id: "https://gitlab.example.com/g/p/-/runners/12",
        invocation_id: "https://gitlab.example.com/g/p/-/jobs/7",
        run_url: Some("https://gitlab.example.com/g/p/-/jobs/7"),
        source: (Some("https://gitlab.example.com/g/p"), Some("refs/heads/feature/a")),
        parameters: json!({
            "event": "push",
            "job": "build",
            "jobId": "7",
            "pipelineId": "5",
            "pipelineUrl": "https://gitlab.example.com/g/p/-/pipelines/5",
            "configPath": ".gitlab-ci.yml",
            "runner": { "id": "12" },
        }),
    };
    let parameters = expected.parameters.clone();
    check(environment, expected);
    let tagged = [environment, &[("CI_COMMIT_TAG", "v1")]].concat();
    assert_eq!(detected(&tagged).source.reference.as_deref(), Some("refs/tags/v1"));
    let merge = [environment, &[("CI_MERGE_REQUEST_REF_PATH", "refs/merge-requests/1/head")]];
    let reference = detected(&merge.concat()).source.reference;
    assert_eq!(reference.as_deref(), Some("refs/merge-requests/1/head"));
    // An older server tells the project by its parts.
    let older: Vec<(&str, &str)> = environment
        .iter()
        .copied()
        .filter(|(name, _)| *name != "CI_PROJECT_URL")
        .chain([("CI_SERVER_URL", "https://gitlab.example.com/"), ("CI_PROJECT_PATH", "g/p")])
        .collect();
    expected = Expected {
        system: "gitlab-ci",
        builder_id: "https://gitlab.example.com/g/p/-/runners/12",
        invocation_id: "https://gitlab.example.com/g/p/-/jobs/7",
        run_url: Some("https://gitlab.example.com/g/p/-/jobs/7"),
        source: (Some("https://gitlab.example.com/g/p"), Some("refs/heads/feature/a")),
        parameters,
    };
    check(&older, expected);
}

#[test]
fn jenkins_is_told_by_its_variables() {
    let environment = &[
        ("JENKINS_URL", "https://ci.example.com/jenkins/"),
        ("BUILD_URL", "https://ci.example.com/jenkins/job/a%20b/15/"),
        ("BUILD_TAG", "jenkins-a b-15"),
        ("BUILD_NUMBER", "15"),
        ("JOB_NAME", "a b"),
        ("NODE_NAME", "agent-1"),
        ("GIT_URL", "https://me:secret@git.example.com/o/r.git"),
        ("GIT_COMMIT", COMMIT),
        ("GIT_BRANCH", "origin/main"),
    ][..];
    let repository = "https://git.example.com/o/r.git";
    check(
        environment,
        Expected {
            system: "jenkins",
            builder_id: "https://attestry.dev/builders/jenkins/v1/ci.example.com/jenkins",
            invocation_id: "https://ci.example.com/jenkins/job/a%20b/15/",
            run_url: Some("https://ci.example.com/jenkins/job/a%20b/15/"),
            source: (Some(repository), Some("refs/heads/main")),
            parameters: json!({
                "job": "a b",
                "runNumber": "15",
                "runner": { "name": "agent-1" },
            }),
        },
    );
    let reference = |more: &[(&str, &str)]| {
        detected(&[more, environment].concat()).source.reference.unwrap_or_default()
    };
    assert_eq!(reference(&[("TAG_NAME", "v1"), ("BRANCH_NAME", "v1")]), "refs/tags/v1");
    assert_eq!(reference(&[("BRANCH_NAME", "PR-24"), ("CHANGE_ID", "24")]), "");
    assert_eq!(reference(&[("GIT_LOCAL_BRANCH", "origin/x")]), "refs/heads/origin/x");
    assert_eq!(reference(&[("GIT_BRANCH", "detached")]), "");
    // The controller's URL is not configured.
    let bare = detected(&[("BUILD_TAG", "jenkins-a-15")]);
    assert_eq!(bare.builder_id, "https://attestry.dev/builders/jenkins/v1");
    assert_eq!(bare.invocation_id.as_deref(), Some("jenkins-a-15"));
    assert_eq!(detected(&[("JENKINS_URL", "https://ci.example.com")]).system, NONE);
}

#[test]
fn buildkite_is_told_by_its_variables() {
    let environment = &[
        ("BUILDKITE", "true"),
        ("BUILDKITE_BUILD_URL", "https://buildkite.com/acme-inc/my-project/builds/1514"),
        ("BUILDKITE_BUILD_NUMBER", "1514"),
        ("BUILDKITE_JOB_ID", "e44f9784-e20e-4b93-a21d-f41fd5869db9"),
        ("BUILDKITE_ORGANIZATION_SLUG", "acme-inc"),
        ("BUILDKITE_PIPELINE_SLUG", "my-project"),
        ("BUILDKITE_COMPUTE_TYPE", "self-hosted"),
        ("BUILDKITE_SOURCE", "webhook"),
        ("BUILDKITE_REPO", "git@github.com:acme-inc/my-project.git"),
        ("BUILDKITE_COMMIT", COMMIT),
        ("BUILDKITE_BRANCH", "main"),
        ("BUILDKITE_AGENT_ACCESS_TOKEN", "x"),
    ][..];
    let job = "https://buildkite.com/acme-inc/my-project/builds/1514#e44f9784-e20e-4b93-a21d-f41fd5869db9";
    check(
        environment,
        Expected {
            system: "buildkite",
            builder_id: "https://attestry.dev/builders/buildkite/v1/acme-inc/self-hosted",
            invocation_id: job,
            run_url: Some(job),
            source: (Some("git@github.com:acme-inc/my-project.git"), Some("refs/heads/main")),
            parameters: json!({
                "event": "webhook",
                "jobId": "e44f9784-e20e-4b93-a21d-f41fd5869db9",
                "runNumber": "1514",
                "organization": "acme-inc",
                "pipeline": "my-project",
                "runner": { "environment": "self-hosted" },
            }),
        },
    );
    let hints = |more: &[(&str, &str)]| detected(&[more, environment].concat()).source;
    assert_eq!(hints(&[("BUILDKITE_TAG", "v1")]).reference.as_deref(), Some("refs/tags/v1"));
    assert_eq!(hints(&[("BUILDKITE_BRANCH", "fork:main")]).reference, None);
    assert_eq!(hints(&[("BUILDKITE_COMMIT", "HEAD")]).commit, None);
}

#[test]
fn circleci_is_told_by_its_variables() {
    let environment = &[
        ("CIRCLECI", "true"),
        ("CIRCLE_BUILD_URL", "https://circleci.com/gh/o/r/15"),
        ("CIRCLE_BUILD_NUM", "15"),
        ("CIRCLE_JOB", "build"),
        ("CIRCLE_ORGANIZATION_ID", "4e1ffd3b-c260-43db-a66c-8766eaf7fc88"),
        ("CIRCLE_WORKFLOW_ID", "476fa7ff-7534-440f-9a65-a2779170d344"),
        ("CIRCLE_REPOSITORY_URL", "git@github.com:o/r.git"),
        ("CIRCLE_OIDC_TOKEN", "x"),
        ("CIRCLE_SHA1", COMMIT),
        ("CIRCLE_BRANCH", "main"),
    ][..];
    check(
        environment,
        Expected {
            system: "circleci",
            builder_id: "https://attestry.dev/builders/circleci/v1/4e1ffd3b-c260-43db-a66c-8766eaf7fc88",
            invocation_id: "https://circleci.com/gh/o/r/15",
            run_url: Some("https://circleci.com/gh/o/r/15"),
            source: (Some("git@github.com:o/r.git"), Some("refs/heads/main")),
            parameters: json!({
                "job": "build",
                "runNumber": "15",
                "workflowId": "476fa7ff-7534-440f-9a65-a2779170d344",
                "organizationId": "4e1ffd3b-c260-43db-a66c-8766eaf7fc88",
            }),
        },
    );
    let hints = |more: &[(&str, &str)]| detected(&[more, environment].concat()).source.reference;
    assert_eq!(hints(&[("CIRCLE_TAG", "v1")]).as_deref(), Some("refs/tags/v1"));
    assert_eq!(hints(&[("CIRCLE_BRANCH", "pull/7")]), None);
}

#[test]
fn azure_pipelines_is_told_by_its_variables() {
    let run = "https://dev.azure.com/fabrikam/a%20project/_build/results?buildId=51";
    check(
        &[
            ("TF_BUILD", "True"),
            ("SYSTEM_COLLECTIONURI", "https://dev.azure.com/fabrikam/"),
            ("SYSTEM_TEAMPROJECT", "a project"),
            ("SYSTEM_JOBID", "12f1170f-54f2-53f3-20dd-22fc7dff55f9"),
            ("SYSTEM_JOBATTEMPT", "1"),
            ("SYSTEM_ACCESSTOKEN", "x"),
            ("BUILD_BUILDID", "51"),
            ("BUILD_REASON", "IndividualCI"),
            ("BUILD_REPOSITORY_URI", "https://fabrikam@dev.azure.com/fabrikam/a/_git/r"),
            ("BUILD_SOURCEBRANCH", "refs/heads/main"),
            ("BUILD_SOURCEVERSION", COMMIT),
            ("AGENT_OS", "Linux"),
            ("AGENT_OSARCHITECTURE", "X64"),
        ],
        Expected {
            system: "azure-pipelines",
            builder_id: "https://attestry.dev/builders/azure-pipelines/v1/dev.azure.com/fabrikam",
            invocation_id: "https://dev.azure.com/fabrikam/a%20project/_build/results?buildId=51&j=12f1170f-54f2-53f3-20dd-22fc7dff55f9",
            run_url: Some(run),
            source: (Some("https://dev.azure.com/fabrikam/a/_git/r"), Some("refs/heads/main")),
            parameters: json!({
                "event": "IndividualCI",
                "jobId": "12f1170f-54f2-53f3-20dd-22fc7dff55f9",
                "attempt": "1",
                "runId": "51",
                "project": "a project",
                "runner": { "os": "Linux", "arch": "X64" },
            }),
        },
    );
}

#[test]
fn tekton_is_told_by_what_a_task_passes_on() {
    let environment = &[
        ("TEKTON_TASKRUN_NAME", "build-x7"),
        ("TEKTON_TASKRUN_NAMESPACE", "pay"),
        ("TEKTON_TASK_NAME", "build"),
        ("TEKTON_REPOSITORY_URL", "https://git.example.com/o/r"),
        ("TEKTON_REF", "refs/heads/main"),
        ("TEKTON_COMMIT", COMMIT),
    ][..];
    let mut expected = Expected {
        system: "tekton",
        builder_id: "https://attestry.dev/builders/tekton/v1",
        invocation_id: "pay/build-x7",
        run_url: None,
        source: (Some("https://git.example.com/o/r"), Some("refs/heads/main")),
        parameters: json!({
            "job": "build",
            "taskRun": { "name": "build-x7", "namespace": "pay" },
        }),
    };
    check(environment, expected);
    expected = Expected {
        system: "tekton",
        builder_id: "https://attestry.dev/builders/tekton/v1",
        invocation_id: "4735ba57-80d0-46e2-8fa0-b28223a86586",
        run_url: Some("https://dashboard.example.com/runs/7"),
        source: (Some("https://git.example.com/o/r"), Some("refs/heads/main")),
        parameters: json!({
            "job": "build",
            "taskRun": {
                "name": "build-x7",
                "namespace": "pay",
                "uid": "4735ba57-80d0-46e2-8fa0-b28223a86586",
            },
        }),
    };
    let more = &[
        ("TEKTON_TASKRUN_UID", "4735ba57-80d0-46e2-8fa0-b28223a86586"),
        ("TEKTON_RUN_URL", "https://dashboard.example.com/runs/7"),
    ][..];
    check(&[environment, more].concat(), expected);
}

#[test]
fn woodpecker_is_told_by_its_variables() {
    check(
        &[
            ("CI", "woodpecker"),
            ("CI_SYSTEM_NAME", "woodpecker"),
            ("CI_SYSTEM_URL", "https://ci.example.com"),
            ("CI_PIPELINE_URL", "https://ci.example.com/repos/7/pipeline/8"),
            ("CI_STEP_URL", "https://ci.example.com/repos/7/pipeline/8/3"),
            ("CI_PIPELINE_NUMBER", "8"),
            ("CI_PIPELINE_EVENT", "push"),
            ("CI_WORKFLOW_NAME", "release"),
            ("CI_REPO_URL", "https://git.example.com/o/r"),
            ("CI_COMMIT_SHA", COMMIT),
            ("CI_COMMIT_REF", "refs/heads/main"),
        ],
        Expected {
            system: "woodpecker",
            builder_id: "https://attestry.dev/builders/woodpecker/v1/ci.example.com",
            invocation_id: "https://ci.example.com/repos/7/pipeline/8/3",
            run_url: Some("https://ci.example.com/repos/7/pipeline/8"),
            source: (Some("https://git.example.com/o/r"), Some("refs/heads/main")),
            parameters: json!({ "event": "push", "job": "release", "runNumber": "8" }),
        },
    );
}

#[test]
fn a_plain_machine_has_a_builder_id_and_nothing_else() {
    for environment in [&[][..], &[("CI", "true")], &[("HOME", "/"), ("GITHUB_ACTIONS", "false")]] {
        let ci = detected(environment);
        assert_eq!((ci.system, ci.builder_id.as_str()), (NONE, PLAIN_MACHINE));
        assert_eq!((ci.invocation_id.as_ref(), ci.run_url.as_ref()), (None, None));
        assert_eq!((ci.parameters.len(), ci.source.clone()), (0, SourceHints::default()));
        lints_clean(&ci);
    }
}

#[test]
fn takes_no_credential_and_nothing_without_an_end() {
    let token = format!("ghp_{}", "aB3".repeat(12));
    let long = "x".repeat(1025);
    let ci = detected(&[
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_SERVER_URL", "https://me:hunter2@github.example.com/?token=hunter2"),
        ("GITHUB_REPOSITORY", "o/r"),
        ("GITHUB_JOB", &token),
        ("GITHUB_HEAD_REF", "-Dpassword=hunter2"),
        ("GITHUB_WORKFLOW", &long),
        ("GITHUB_EVENT_NAME", "a\u{1b}b"),
        ("GITHUB_SHA", "HEAD"),
        ("GITHUB_REF", "main"),
    ]);
    let of = |name: &str, why| Refused { name: name.to_owned(), why };
    assert_eq!(
        ci.refused,
        [
            of("GITHUB_HEAD_REF", Why::Credential(Sign::Pair)),
            of("GITHUB_JOB", Why::Credential(Sign::Token("a GitHub token"))),
            of("GITHUB_WORKFLOW", Why::TooLong(1024)),
        ]
    );
    let repository = "https://github.example.com/o/r";
    assert_eq!(
        ci.source,
        SourceHints { repository: Some(repository.to_owned()), ..Default::default() }
    );
    assert_eq!(json!(ci.parameters), json!({ "workflow": { "repository": repository } }));
    let told = format!("{ci:?} {}", ci.refused.iter().map(ToString::to_string).collect::<String>());
    assert!(!told.contains("hunter2") && !told.contains(&token), "{told}");
}

/// Every variable that a system lists is read when it runs, and none that it does not list.
#[test]
fn what_is_read_is_what_is_listed() {
    let marks: BTreeSet<&str> = SYSTEMS.iter().flat_map(|system| system.marks).copied().collect();
    for (system, listed) in variables() {
        let running = |name: &str| match (system, name) {
            ("github-actions", "GITHUB_ACTIONS")
            | ("gitlab-ci", "GITLAB_CI")
            | ("buildkite", "BUILDKITE")
            | ("circleci", "CIRCLECI")
            | ("azure-pipelines", "TF_BUILD") => Some("true"),
            ("tekton", "TEKTON_TASKRUN_NAME") => Some("x"),
            ("jenkins", "BUILD_TAG") => Some("jenkins-x"),
            ("woodpecker", "CI_SYSTEM_NAME") => Some("woodpecker"),
            _ => None,
        };
        let read = RefCell::new(BTreeSet::new());
        // With one variable at a time, because some are read only when another is there or not.
        for set in &listed {
            let _ = detect(&|name| {
                read.borrow_mut().insert(name.to_owned());
                let value = running(name).or((name == *set).then_some("https://example.com"));
                value.map(str::to_owned)
            });
        }
        let read = read.into_inner();
        for name in &listed {
            let told = marks.contains(name);
            assert!(told || read.contains(*name), "{system} lists {name} and does not read it");
            assert!(!says_credential(name), "{system} lists {name}");
        }
        for name in &read {
            let told = marks.contains(name.as_str());
            assert!(told || listed.contains(&name.as_str()), "{system} reads {name}, unlisted");
        }
    }
    assert_eq!(variables().len(), 8);
}
