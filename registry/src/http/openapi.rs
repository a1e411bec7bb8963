//! The description of every route (OpenAPI 3.1), kept in `registry/openapi.json`.
//!
//! It is generated from the table of routes, the types of the answers and the texts below; a test
//! fails when the file and the code differ.

use attestry_schemas::dsse;
use attestry_schemas::oci::media_type;
use attestry_schemas::problem::{self, Problem, ProblemType};
use serde_json::{Map, Value, json};

use super::routes::{ROUTES, Route, described};
use super::{attestations, audit, content, digests, log};

mod gate;
mod oci;
mod sigstore;

/// The description as it is served.
pub const DOCUMENT: &str = include_str!("../../openapi.json");

/// What a route does: summary, query parameters (name, type, meaning) and which of them are
/// required, kinds of body (media type, schema or nothing), success answers (status, media type or
/// schema or nothing, meaning), statuses of refusals.
struct Text {
    summary: &'static str,
    parameters: &'static [(&'static str, &'static str, &'static str)],
    required: &'static [&'static str],
    body: Option<&'static [(&'static str, &'static [&'static str])]>,
    answers: &'static [(&'static str, &'static str, &'static str)],
    refusals: &'static [u16],
}

const OCTETS: &str = "application/octet-stream";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain";
const UNCHANGED: &str = "what If-None-Match names is unchanged";
const BUNDLE: &str = attestry_schemas::bundle::MEDIA_TYPE;
const IMAGE_SIGNATURE: &str = attestry_schemas::oci::image_signature::MEDIA_TYPE;

/// A route without parameters and body.
fn plain(
    summary: &'static str,
    answers: &'static [(&'static str, &'static str, &'static str)],
    refusals: &'static [u16],
) -> Text {
    Text { summary, parameters: &[], required: &[], body: None, answers, refusals }
}

fn text(route: &Route) -> Text {
    if let Some(text) = gate::text(route).or_else(|| oci::text(route)) {
        return text;
    }
    match (route.method, route.path) {
        ("POST", "/v1/attestations") => Text {
            summary: "Record one DSSE envelope, one Sigstore bundle, or JSON lines of them; a single refused item is answered with its own problem",
            parameters: &[(
                "namespace",
                "string",
                "where it belongs, such as pay/api; default when none is given",
            )],
            required: &[],
            body: Some(&[(JSON, &["Envelope", "Bundle"]), ("application/x-ndjson", &[])]),
            answers: &[
                ("200", "SubmitAnswer", "every item was in the log before"),
                ("201", "SubmitAnswer", "at least one item is new"),
                ("207", "SubmitAnswer", "some items of a list were refused"),
            ],
            refusals: &[400, 401, 408, 413, 415, 422, 500, 503, 507],
        },
        (_, "/v1/attestations") => Text {
            summary: "Search attestations, newest first",
            parameters: &[
                ("subject", "string", "a subject's digest"),
                ("type", "string", "a predicate type: a short name or a URI"),
                (
                    "signer",
                    "string",
                    "a key's fingerprint, or a certificate's identity as SUBJECT (ISSUER)",
                ),
                (
                    "component",
                    "string",
                    "a package URL, with or without version, or a digest, of a part of the subject",
                ),
                ("namespace", "string", "exactly this namespace"),
                ("since", "string", "logged at or after this time, RFC 3339"),
                ("until", "string", "logged at or before this time, RFC 3339"),
                ("limit", "integer", "the page size, 1 to 1000; 100 when none is given"),
                ("cursor", "string", "from the next link of the page before"),
            ],
            required: &[],
            body: None,
            answers: &[("200", "ListAnswer", "a page")],
            refusals: &[400, 401, 500],
        },
        (_, "/v1/attestations/{digest}") => plain(
            "The exact bytes of an attestation",
            &[
                ("200", dsse::MEDIA_TYPE, "a DSSE envelope"),
                ("200", BUNDLE, "the bundle of a message signature, or of a certificate"),
                (
                    "200",
                    IMAGE_SIGNATURE,
                    "a signature of cosign 2 with the document that it is over",
                ),
                ("200", JSON, "the body of a leaf that was logged by digest alone"),
                ("304", "", UNCHANGED),
            ],
            &[400, 401, 404, 500],
        ),
        (_, "/v1/attestations/{digest}/bundle") => Text {
            parameters: &[("size", "integer", "prove it under the checkpoint of this size")],
            ..plain(
                "The complete Sigstore bundle, with inclusion proof and checkpoint",
                &[(
                    "200",
                    BUNDLE,
                    "a bundle of version 0.3, or of the version that a certificate's came in",
                )],
                &[400, 401, 404, 500],
            )
        },
        (_, "/v1/digests/{start}") => plain(
            "The digests of attestations that begin with sha256: and 8 to 64 hex digits",
            &[("200", "DigestsAnswer", "at most 10 of them")],
            &[400, 401, 404, 500],
        ),
        ("PUT", "/v1/content/{digest}") => Text {
            body: Some(&[(OCTETS, &[])]),
            ..plain(
                "Store a file that statements name, of any size",
                &[("200", "Stored", "it was here before"), ("201", "Stored", "it is new")],
                &[400, 401, 408, 413, 415, 422, 500, 507],
            )
        },
        (_, "/v1/content/{digest}") => plain(
            "A stored file, whole or one range",
            &[
                ("200", OCTETS, "the file"),
                ("206", OCTETS, "a range of it"),
                ("304", "", UNCHANGED),
            ],
            &[400, 401, 404, 416, 500],
        ),
        (_, "/v1/log/inclusion") => Text {
            parameters: &[
                ("index", "integer", "a leaf's index; or digest"),
                ("digest", "string", "an attestation's digest; or index"),
                ("size", "integer", "the size of the tree; the newest when none is given"),
            ],
            ..plain(
                "Prove that a leaf is in the tree of any past size",
                &[("200", "Inclusion", "a proof")],
                &[400, 401, 404, 500],
            )
        },
        (_, "/v1/log/consistency") => Text {
            parameters: &[
                ("from", "integer", "the smaller size"),
                ("to", "integer", "the greater size; the newest when none is given"),
            ],
            required: &["from"],
            ..plain(
                "Prove that one tree is the beginning of another",
                &[("200", "Consistency", "a proof")],
                &[400, 401, 500],
            )
        },
        (_, "/v1/audit/access") => Text {
            parameters: &[
                ("principal", "string", "exactly this caller, such as token:ci"),
                ("role", "string", "exactly this role, such as push"),
                ("outcome", "string", "allowed or denied"),
                ("namespace", "string", "exactly this namespace or repository"),
                ("since", "string", "at or after this time, RFC 3339"),
                ("until", "string", "at or before this time, RFC 3339"),
                ("limit", "integer", "the page size, 1 to 1000; 100 when none is given"),
                ("cursor", "integer", "from the next link of the page before"),
            ],
            ..plain(
                "Who did what, and what was refused, newest first, of the namespaces that the caller may audit",
                &[("200", "AccessAnswer", "a page")],
                &[400, 401, 500],
            )
        },
        (_, "/v1/trusted-root") => plain(
            "Sigstore's trusted_root.json for this registry",
            &[("200", JSON, "media type version 0.1")],
            &[],
        ),
        (_, "/v1/signing-config") => plain(
            "Sigstore's signing_config.json for this registry",
            &[("200", JSON, "version 0.2")],
            &[],
        ),
        (_, "/api/v2/checkpoint") => plain(
            "The newest signed checkpoint (C2SP tlog-tiles)",
            &[("200", TEXT, "a signed note")],
            &[401, 500],
        ),
        (_, "/api/v2/tile/{path:.*}") => plain(
            "A tile <L>/<N>[.p/<W>] or an entry bundle entries/<N>[.p/<W>] (C2SP tlog-tiles)",
            &[("200", OCTETS, "hashes, or entries with their lengths"), ("304", "", UNCHANGED)],
            &[400, 401, 404, 500],
        ),
        ("POST", "/api/v2/log/entries") => Text {
            body: Some(&[(JSON, &["CreateEntryRequest"])]),
            ..plain(
                "Rekor v2's write path for stock clients: hashedRekordRequestV002 or dsseRequestV002; the signature is the credential",
                &[("201", "TransparencyLogEntry", "also for an entry that was there")],
                &[400, 403, 408, 413, 415, 422, 500, 503, 507],
            )
        },
        (_, "/healthz") => plain("The process runs", &[("200", TEXT, "ok")], &[]),
        (_, "/readyz") => plain("The store answers", &[("200", TEXT, "ready")], &[500]),
        (_, "/metrics") => plain("Prometheus metrics", &[("200", TEXT, "version 0.0.4")], &[]),
        _ => plain("This description", &[("200", JSON, "OpenAPI 3.1")], &[]),
    }
}

/// Builds the description from the code.
#[must_use]
pub fn build() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let path = described(route.path);
        let operations = paths.entry(path).or_insert_with(|| json!({}));
        if let Some(operations) = operations.as_object_mut() {
            operations.insert(route.method.to_lowercase(), operation(route));
        }
    }
    let types: Vec<String> = ProblemType::ALL.iter().map(|t| t.uri()).collect();
    let mut schemas = Map::new();
    // OpenAPI 3.1 takes JSON Schema 2020-12 as it is, with definitions in a place of its own.
    let mut settings = schemars::generate::SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    let mut generator = settings.into_generator();
    generator.subschema_for::<Problem>();
    generator.subschema_for::<attestations::SubmitAnswer>();
    generator.subschema_for::<attestations::ListAnswer>();
    generator.subschema_for::<digests::DigestsAnswer>();
    generator.subschema_for::<content::Stored>();
    generator.subschema_for::<audit::AccessAnswer>();
    generator.subschema_for::<log::Inclusion>();
    generator.subschema_for::<log::Consistency>();
    gate::subschemas(&mut generator);
    oci::subschemas(&mut generator);
    for (name, schema) in generator.take_definitions(true) {
        schemas.insert(name, schema);
    }
    schemas.extend(sigstore::schemas());
    schemas.extend(oci::schemas());
    if let Some(type_) = schemas.get_mut("Problem").and_then(|p| p.pointer_mut("/properties/type"))
    {
        *type_ = json!({"type": "string", "enum": types});
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Attestry registry",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Records signed build attestations, proves every answer.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "password": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "any user, with a token as the password",
                },
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let text = text(route);
    let mut parameters: Vec<Value> = text
        .parameters
        .iter()
        .map(|(name, type_, description)| {
            json!({
                "name": name,
                "in": "query",
                "description": description,
                "required": text.required.contains(name),
                "schema": {"type": type_},
            })
        })
        .collect();
    for name in ["digest", "name", "path", "reference", "session", "start", "tag"] {
        if route.path.contains(&format!("{{{name}")) {
            parameters.push(
                json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}),
            );
        }
    }
    let responses = responses(route, &text);
    let mut operation = json!({"summary": text.summary, "responses": responses});
    if let Some(members) = operation.as_object_mut() {
        if !parameters.is_empty() {
            members.insert("parameters".to_owned(), parameters.into());
        }
        if let Some(types) = text.body {
            let schema = |names: &[&str]| match names {
                [] => json!({}),
                [name] => reference(name),
                names => json!({"anyOf": names.iter().map(|n| reference(n)).collect::<Vec<_>>()}),
            };
            let content: Map<String, Value> = types
                .iter()
                .map(|(type_, names)| ((*type_).to_owned(), json!({"schema": schema(names)})))
                .collect();
            let required = !oci::may_be_empty(route);
            members.insert(
                "requestBody".to_owned(),
                json!({"required": required, "content": content}),
            );
        }
        if text.refusals.contains(&401) {
            let security = match oci::is_of(route) {
                true => json!([{"password": []}, {"token": []}, {}]),
                false => json!([{"token": []}, {}]),
            };
            members.insert("security".to_owned(), security);
        }
    }
    operation
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The answers of an operation, by status; those to HEAD have no content.
fn responses(route: &Route, text: &Text) -> Map<String, Value> {
    let mut responses = Map::new();
    let mut statuses: Vec<&str> = text.answers.iter().map(|(status, ..)| *status).collect();
    statuses.dedup();
    for status in statuses {
        // One status may have several media types.
        let of_status = || text.answers.iter().filter(|(found, ..)| *found == status);
        let descriptions: Vec<&str> = of_status().map(|(_, _, description)| *description).collect();
        let content: Map<String, Value> =
            of_status().filter_map(|(_, what, _)| answer_content(what)).collect();
        let mut response = json!({"description": descriptions.join("; or ")});
        if let Some(headers) = oci::answer_headers(route, status) {
            add(&mut response, "headers", headers);
        }
        responses.insert(status.to_owned(), with_content(route, response, content));
    }
    // Whoever asks for a credential may also find it wanting, or used too often.
    let mut refusals = text.refusals.to_vec();
    if refusals.contains(&401) {
        refusals.extend([403, 429]);
    }
    refusals.sort_unstable();
    refusals.dedup();
    for status in &refusals {
        let (description, media_type, schema) = match oci::is_of(route) {
            true => (oci::codes(*status).to_owned(), JSON, oci::REFUSAL),
            false => (titles(*status), problem::MEDIA_TYPE, "Problem"),
        };
        let mut response = json!({"description": description});
        let header =
            if oci::is_of(route) { oci::header_of(*status) } else { refusal_header(*status) };
        if let Some(header) = header {
            add(&mut response, "headers", header);
        }
        let content = [(media_type.to_owned(), json!({"schema": reference(schema)}))];
        let content = content.into_iter().collect();
        responses.insert(status.to_string(), with_content(route, response, content));
    }
    responses
}

fn add(response: &mut Value, member: &str, value: Value) {
    if let Some(members) = response.as_object_mut() {
        members.insert(member.to_owned(), value);
    }
}

/// The problems of one status.
fn titles(status: u16) -> String {
    let named = |t: &&ProblemType| t.status() == status;
    let titles: Vec<&str> = ProblemType::ALL.iter().filter(named).map(|t| t.title()).collect();
    titles.join("; ")
}

/// The media type of an answer with its schema; nothing for an answer without a body.
fn answer_content(what: &str) -> Option<(String, Value)> {
    let (media_type, schema) = match what {
        "" => return None,
        BUNDLE => (what, reference("Bundle")),
        dsse::MEDIA_TYPE => (what, reference("Envelope")),
        media_type::OCI_INDEX => (what, reference(oci::INDEX)),
        _ if what.contains('/') => (what, json!({})),
        name => (JSON, reference(name)),
    };
    Some((media_type.to_owned(), json!({"schema": schema})))
}

fn with_content(route: &Route, mut response: Value, content: Map<String, Value>) -> Value {
    if route.method != "HEAD" && !content.is_empty() {
        add(&mut response, "content", content.into());
    }
    response
}

/// A header that an answer must have.
fn header(name: &str, description: &str, type_: &str) -> Value {
    json!({name: {"description": description, "required": true, "schema": {"type": type_}}})
}

/// What a refusal says in a header of its own.
fn refusal_header(status: u16) -> Option<Value> {
    match status {
        401 => Some(header("WWW-Authenticate", "the scheme Bearer", "string")),
        415 => Some(header("Accept-Encoding", "the codings that are read", "string")),
        416 => Some(header("Content-Range", "bytes */N: how long the content is", "string")),
        429 | 503 => Some(header("Retry-After", "seconds to wait before the next try", "integer")),
        _ => None,
    }
}
