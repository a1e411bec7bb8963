//! What the routes of the OCI API do, with its own form of refusals (distribution-spec, "Error Codes").

use attestry_schemas::oci::media_type::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use serde_json::{Map, Value, json};

use super::super::oci::arrival;
use super::super::routes::Route;
use super::{OCTETS, Text, UNCHANGED, add, header, plain, reference};

/// The schema of a refusal.
pub(super) const REFUSAL: &str = "OciErrors";
/// The schema of a listing in the form of an image index.
pub(super) const INDEX: &str = "OciIndex";

const BASE: &str = "/v2/";
const CATALOG: &str = "/v2/_catalog";
const TOKEN: &str = "/v2/token";
const UPLOADS: &str = "/v2/{name:.+}/blobs/uploads/";
const SESSION: &str = "/v2/{name:.+}/blobs/uploads/{session}";
const BLOB: &str = "/v2/{name:.+}/blobs/{digest}";
const MANIFEST: &str = "/v2/{name:.+}/manifests/{reference}";
const TAGS: &str = "/v2/{name:.+}/tags/list";
const REFERRERS: &str = "/v2/{name:.+}/referrers/{digest}";
const HISTORY: &str = "/v2/{name:.+}/_oci/tag-history/{tag}";
const EVIDENCE: &str = "/v1/repositories/{name:.+}/evidence/{digest}";

const SIZE_OF_PAGE: (&str, &str, &str) =
    ("n", "string", "the most entries of a page, a whole number of any size");
const LAST: (&str, &str, &str) = ("last", "string", "the last entry of the page before");
const DIGEST: (&str, &str, &str) =
    ("digest", "string", "sha256:<64 hex digits> or sha512:<128 hex digits> of the whole blob");

/// What any request to a repository may be refused with.
const READING: &[u16] = &[400, 401, 403, 404, 500];
const WRITING: &[u16] = &[400, 401, 403, 404, 429, 500, 503];
const UPLOADING: &[u16] = &[400, 401, 403, 404, 408, 409, 413, 416, 429, 500, 503];

/// Whether a route refuses in the form of the specification.
pub(super) fn is_of(route: &Route) -> bool {
    route.path.starts_with(BASE)
}

/// Whether a body may be left out: the last chunk of an upload, and what begins one.
pub(super) fn may_be_empty(route: &Route) -> bool {
    matches!((route.method, route.path), ("POST", UPLOADS) | ("PUT", SESSION))
}

/// The text of a route of the OCI API; nothing for another's.
pub(super) fn text(route: &Route) -> Option<Text> {
    let uploads = matches!(route.path, UPLOADS | SESSION);
    Some(match (route.method, route.path) {
        _ if uploads => return upload(route),
        (_, BASE) => plain(
            "Tell that this is an OCI registry, and whether it knows the caller",
            &[("200", "OciBase", "it is, version 1.1")],
            &[401],
        ),
        ("POST", TOKEN) => Text {
            body: Some(&[("application/x-www-form-urlencoded", &[])]),
            ..plain(
                "Get a bearer token for a form with grant_type=password and a token as the password",
                &[("200", "OciToken", "it, for no more than was asked for and may be done")],
                &[400, 401, 408, 413],
            )
        },
        (_, TOKEN) => Text {
            parameters: &[
                ("service", "string", "the registry, as the challenge names it"),
                (
                    "scope",
                    "string",
                    "such as repository:pay/api:pull,push; repeatable, or joined by spaces",
                ),
                ("account", "string", "a user name, which says nothing here"),
                ("client_id", "string", "what asks"),
                ("offline_token", "string", "there are no refresh tokens"),
            ],
            ..plain(
                "Get a short-lived bearer token for the credential in Authorization (Docker's token flow)",
                &[("200", "OciToken", "it, for no more than was asked for and may be done")],
                &[400, 401],
            )
        },
        (_, CATALOG) => Text {
            parameters: &[SIZE_OF_PAGE, LAST],
            ..plain(
                "List the repositories that the caller may read",
                &[("200", "OciCatalog", "a page, in order; Link names the next")],
                &[400, 401, 403, 500],
            )
        },
        ("DELETE", BLOB) => plain(
            "Unlink a blob from a repository; its content goes when nothing else refers to it",
            &[("202", "", "it is unlinked")],
            WRITING,
        ),
        (_, BLOB) => plain(
            "A blob that the repository has, whole or one range",
            &[
                ("200", OCTETS, "the blob"),
                ("206", OCTETS, "a range of it"),
                ("304", "", UNCHANGED),
            ],
            &[400, 401, 403, 404, 416, 500],
        ),
        ("PUT", MANIFEST) => Text {
            parameters: &[(
                "tag",
                "string",
                "beside a digest: a tag that is to point to it, up to 32 times",
            )],
            body: Some(&[
                (OCI_MANIFEST, &[]),
                (OCI_INDEX, &[]),
                (DOCKER_MANIFEST, &[]),
                (DOCKER_LIST, &[]),
            ]),
            ..plain(
                "Keep a manifest with its tags; it, its referrers and the moves of its tags are durable when this answers",
                &[(
                    "201",
                    "",
                    "it is kept; OCI-Subject and OCI-Tag say what was understood, Attestry-Evidence what became of the evidence in it",
                )],
                &[400, 401, 403, 404, 408, 413, 429, 500, 503],
            )
        },
        ("DELETE", MANIFEST) => plain(
            "Delete a manifest with the tags that point to it, or a tag alone",
            &[("202", "", "it is gone; the history of tags stays")],
            WRITING,
        ),
        (_, MANIFEST) => plain(
            "A manifest by tag or digest, the bytes as they came",
            &[
                ("200", OCI_MANIFEST, "an image manifest"),
                ("200", OCI_INDEX, "an image index"),
                ("200", DOCKER_MANIFEST, "Docker's manifest"),
                ("200", DOCKER_LIST, "Docker's manifest list"),
                ("304", "", UNCHANGED),
            ],
            READING,
        ),
        (_, TAGS) => Text {
            parameters: &[SIZE_OF_PAGE, LAST],
            ..plain(
                "List the tags of a repository",
                &[("200", "OciTags", "a page, in order; Link names the next")],
                READING,
            )
        },
        (_, REFERRERS) => Text {
            parameters: &[
                ("artifactType", "string", "of this type alone; OCI-Filters-Applied says so"),
                SIZE_OF_PAGE,
                LAST,
            ],
            ..plain(
                "List the manifests whose subject a digest is, whether that is here or not",
                &[("200", OCI_INDEX, "an index, one page up to 4 MiB; Link names the next")],
                READING,
            )
        },
        (_, HISTORY) => Text {
            parameters: &[
                SIZE_OF_PAGE,
                ("before", "string", "moved before this time, RFC 3339"),
                ("since", "string", "moved after this time, RFC 3339"),
                ("digest", "string", "moved to or from this manifest"),
                ("below", "integer", "from the next link of the page before"),
            ],
            ..plain(
                "Tell where a tag pointed, the newest first, each move with the statement that proves it",
                &[("200", OCI_INDEX, "an index of moves, also of what was deleted")],
                READING,
            )
        },
        (_, EVIDENCE) => plain(
            "Tell what became of the evidence in a manifest that was pushed",
            &[("200", "Arrivals", "each layer that holds evidence")],
            READING,
        ),
        _ => return None,
    })
}

/// The text of a route of uploads.
fn upload(route: &Route) -> Option<Text> {
    Some(match (route.method, route.path) {
        ("POST", UPLOADS) => Text {
            parameters: &[
                DIGEST,
                ("mount", "string", "the digest of a blob of another repository"),
                (
                    "from",
                    "string",
                    "that repository; any that the caller may read when none is named",
                ),
                ("digest-algorithm", "string", "sha512, when the digest will be one"),
            ],
            body: Some(&[(OCTETS, &[])]),
            ..plain(
                "Begin an upload, mount a blob of another repository, or take a whole blob",
                &[
                    ("201", "", "the repository has the blob"),
                    ("202", "", "a session has begun at Location"),
                ],
                UPLOADING,
            )
        },
        ("PATCH", SESSION) => Text {
            body: Some(&[(OCTETS, &[])]),
            ..plain(
                "Append a chunk or a stream to an upload",
                &[("202", "", "it was appended; Range says how far the session is")],
                UPLOADING,
            )
        },
        ("PUT", SESSION) => Text {
            parameters: &[DIGEST],
            required: &["digest"],
            body: Some(&[(OCTETS, &[])]),
            ..plain(
                "End an upload, with its last chunk if any",
                &[("201", "", "the repository has the blob, durably")],
                UPLOADING,
            )
        },
        ("DELETE", SESSION) => plain(
            "Cancel an upload",
            &[("204", "", "it is forgotten")],
            &[400, 401, 403, 404, 409, 500],
        ),
        (_, SESSION) => plain(
            "How far an upload is",
            &[("204", "", "Range says it")],
            &[400, 401, 403, 404, 409, 500],
        ),
        _ => return None,
    })
}

/// The codes of refusals with a status.
pub(super) fn codes(status: u16) -> &'static str {
    match status {
        400 => {
            "NAME_INVALID, TAG_INVALID, DIGEST_INVALID, SIZE_INVALID, MANIFEST_INVALID, MANIFEST_BLOB_UNKNOWN, BLOB_UPLOAD_INVALID, PAGINATION_NUMBER_INVALID or UNSUPPORTED"
        }
        401 => "UNAUTHORIZED",
        403 => "DENIED",
        404 => "NAME_UNKNOWN, MANIFEST_UNKNOWN, BLOB_UNKNOWN or BLOB_UPLOAD_UNKNOWN",
        408 => "BLOB_UPLOAD_INVALID: the body did not come in time",
        409 => "BLOB_UPLOAD_INVALID: another request holds the session",
        413 => "SIZE_INVALID or MANIFEST_INVALID: it is too large",
        416 => "SIZE_INVALID, or BLOB_UPLOAD_INVALID for a chunk out of order",
        429 | 503 => "TOOMANYREQUESTS",
        _ => "UNKNOWN",
    }
}

/// What a refusal says in a header of its own.
pub(super) fn header_of(status: u16) -> Option<Value> {
    match status {
        401 => Some(header("WWW-Authenticate", "how to become known", "string")),
        429 | 503 => Some(header("Retry-After", "seconds to wait before the next try", "integer")),
        _ => None,
    }
}

/// What an answer says in headers; nothing for the routes of others.
pub(super) fn answer_headers(route: &Route, status: &str) -> Option<Value> {
    let place = header("Location", "where it is", "string");
    let digest = header("Docker-Content-Digest", "its digest", "string");
    let reached = header("Range", "the bytes that have arrived, as 0-<last>", "string");
    let mut headers = Map::new();
    let mut add = |all: &[&Value]| {
        for one in all.iter().filter_map(|header| header.as_object()) {
            headers.extend(one.clone());
        }
    };
    match (route.method, route.path, status) {
        ("POST", UPLOADS, "202") | ("PATCH" | "GET" | "HEAD", SESSION, _) => {
            add(&[&place, &reached]);
        }
        (_, UPLOADS, "201") | ("PUT", SESSION | MANIFEST, _) => add(&[&place, &digest]),
        ("GET" | "HEAD", BLOB | MANIFEST, "200" | "206") => add(&[&digest]),
        _ => return None,
    }
    Some(headers.into())
}

/// The schemas of the specification's own bodies.
pub(super) fn schemas() -> Map<String, Value> {
    let text = || json!({"type": "string"});
    let texts = || json!({"type": "array", "items": text()});
    let object = |required: &[&str], properties: Value| {
        json!({
            "type": "object",
            "required": required,
            "properties": properties,
            "additionalProperties": false,
        })
    };
    let error = object(
        &["code", "message"],
        json!({"code": text(), "message": text(), "detail": {"type": "object"}}),
    );
    let mut errors =
        object(&["errors"], json!({"errors": {"type": "array", "minItems": 1, "items": error}}));
    add(&mut errors, "description", "Why it was refused, with a code of the specification.".into());
    let open = |required: &[&str], properties: Value| json!({"type": "object", "required": required, "properties": properties});
    let descriptor = open(
        &["mediaType", "digest", "size"],
        json!({
            "mediaType": text(),
            "digest": text(),
            "size": {"type": "integer", "minimum": 0},
            "artifactType": text(),
            "annotations": {"type": "object", "additionalProperties": text()},
        }),
    );
    // An index that was pushed may have members that a listing has not.
    let index = open(
        &["schemaVersion", "manifests"],
        json!({
            "schemaVersion": {"const": 2},
            "mediaType": {"const": OCI_INDEX},
            "manifests": {"type": "array", "items": reference("OciDescriptor")},
        }),
    );
    let all = [
        (REFUSAL, errors),
        ("OciBase", object(&[], json!({}))),
        ("OciCatalog", object(&["repositories"], json!({"repositories": texts()}))),
        (
            "OciToken",
            object(
                &["token", "access_token", "expires_in", "issued_at"],
                json!({
                    "token": text(),
                    "access_token": text(),
                    "expires_in": {"type": "integer", "minimum": 0},
                    "issued_at": text(),
                }),
            ),
        ),
        ("OciTags", object(&["name", "tags"], json!({"name": text(), "tags": texts()}))),
        ("OciDescriptor", descriptor),
        (INDEX, index),
    ];
    all.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// The types of our own bodies.
pub(super) fn subschemas(generator: &mut schemars::SchemaGenerator) {
    generator.subschema_for::<arrival::Arrivals>();
}
