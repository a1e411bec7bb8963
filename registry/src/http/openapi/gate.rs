//! What the gate's routes do: decisions, who rules, deployments, numbers, admission.

use super::super::routes::Route;
use super::super::{decisions, deployments, governance};
use super::{JSON, Text, plain};
use attestry_schemas::gate::pack;

const TIMEOUT: (&str, &str, &str) =
    ("timeout", "string", "how long the API server waits, such as 10s; it adds this itself");

/// The two addresses of admission.
fn admission(summary: &'static str) -> Text {
    Text {
        summary,
        parameters: &[],
        required: &[],
        body: Some(&[(JSON, &[])]),
        answers: &[(
            "200",
            "AdmissionReview",
            "the object is admitted or, with the reason, denied; errors and deadlines deny",
        )],
        refusals: &[400, 401, 408, 413, 415],
    }
}

const VERSION: (&str, &str, &str) = ("version", "integer", "an earlier version");

/// The text of a route of the gate; nothing for another's.
pub(super) fn text(route: &Route) -> Option<Text> {
    Some(match (route.method, route.path) {
        (_, "/v1/decisions") => Text {
            body: Some(&[(JSON, &["DecisionRequest"])]),
            ..plain(
                "Decide whether an artifact may enter an environment; the decision is signed and in the log before it is answered",
                &[
                    (
                        "200",
                        "DecisionAnswer",
                        "it was decided before, and nothing has changed since",
                    ),
                    ("201", "DecisionAnswer", "a new decision"),
                ],
                &[400, 401, 408, 413, 415, 500, 503, 507],
            )
        },
        (_, "/v1/decisions/{digest}/replay") => plain(
            "Make a recorded decision again, of the evidence, the roster and the policies as they were",
            &[("200", "ReplayAnswer", "both, and whether they are the same bytes")],
            &[400, 401, 404, 422, 500],
        ),
        (_, "/v1/replays") => Text {
            body: Some(&[(JSON, &["WhatIfRequest"])]),
            ..plain(
                "List the past deployments that a policy would have denied, and which of them run",
                &[("200", "WhatIfAnswer", "those that it would deny")],
                &[400, 401, 408, 413, 415, 500],
            )
        },
        (_, "/v1/packs") => Text {
            parameters: &[
                ("subject", "string", "the artifact, sha256:<64 hex digits>"),
                ("environment", "string", "the environment"),
                ("name", "string", "what the artifact is called"),
            ],
            required: &["subject", "environment"],
            ..plain(
                "Everything that a decision stands on, to decide again without the registry",
                &[("200", pack::MEDIA_TYPE, "a pack")],
                &[400, 401, 422, 500],
            )
        },
        (_, "/v1/roster") => Text {
            parameters: &[VERSION],
            ..plain(
                "The roster that rules, and what waits for signatures",
                &[("200", "RosterAnswer", "with its document")],
                &[400, 401, 404, 500],
            )
        },
        (_, "/v1/policies") => plain(
            "The policies that rule, and what waits for signatures",
            &[("200", "PoliciesAnswer", "the newest version of each")],
            &[400, 401, 500],
        ),
        (_, "/v1/policies/{name}") => Text {
            parameters: &[VERSION],
            ..plain(
                "A policy that rules, with its document",
                &[("200", "PolicyAnswer", "its newest version, or the one that is asked for")],
                &[400, 401, 404, 500],
            )
        },
        (_, "/v1/deployments") => Text {
            parameters: &[
                ("environment", "string", "in this environment alone"),
                (
                    "all",
                    "string",
                    "true: everything that was stated, the newest first; false, the default: what runs",
                ),
            ],
            ..plain(
                "Tell what runs where, since when, by which decision, and whether it would still be allowed",
                &[("200", "DeploymentsAnswer", "as the log says")],
                &[400, 401, 500],
            )
        },
        (_, "/v1/metrics/delivery") => Text {
            parameters: &[
                ("environment", "string", "in this environment alone"),
                ("since", "string", "what was logged from this time on, RFC 3339 in UTC"),
            ],
            ..plain(
                "Count coverage, unauthorized deployments, rollbacks, time to detect, denials and exceptions from the log",
                &[("200", "DeliveryNumbers", "the numbers")],
                &[400, 401, 500],
            )
        },
        ("POST", "/k8s/admission") => Text {
            parameters: &[
                (
                    "environment",
                    "string",
                    "the cluster's environment; that of the setting admission_environment when none is given",
                ),
                TIMEOUT,
            ],
            ..admission("Answer an AdmissionReview of Kubernetes (admission.k8s.io/v1)")
        },
        (_, "/k8s/admission/{path:.*}") => Text {
            parameters: &[TIMEOUT],
            ..admission(
                "Answer an AdmissionReview of a cluster whose environment is the rest of the path, as the URL of a webhook may have no query",
            )
        },
        _ => return None,
    })
}

/// The types of the gate's bodies.
pub(super) fn subschemas(generator: &mut schemars::SchemaGenerator) {
    generator.subschema_for::<attestry_schemas::admission::AdmissionReview>();
    generator.subschema_for::<decisions::DecisionRequest>();
    generator.subschema_for::<decisions::DecisionAnswer>();
    generator.subschema_for::<decisions::ReplayAnswer>();
    generator.subschema_for::<decisions::WhatIfRequest>();
    generator.subschema_for::<decisions::WhatIfAnswer>();
    generator.subschema_for::<governance::RosterAnswer>();
    generator.subschema_for::<governance::PoliciesAnswer>();
    generator.subschema_for::<deployments::DeploymentsAnswer>();
    generator.subschema_for::<crate::gate::delivery::DeliveryNumbers>();
}
