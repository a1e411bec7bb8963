//! JSON Schemas of what stock clients send and get: protobuf JSON of `dev.sigstore.rekor.v2` and
//! `dev.sigstore.common.v1`. They describe the spelling that is written; protobuf's snake_case is read,
//! too.

use serde_json::{Map, Value, json};

/// The schemas by name.
pub(super) fn schemas() -> Map<String, Value> {
    let all = [
        ("CreateEntryRequest", create_entry_request()),
        ("Verifier", verifier()),
        ("Envelope", envelope()),
        ("Bundle", bundle()),
        ("TransparencyLogEntry", entry()),
    ];
    all.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn base64() -> Value {
    json!({"type": "string", "contentEncoding": "base64"})
}

/// Protobuf JSON writes 64-bit integers as strings.
fn int64() -> Value {
    json!({"type": "string", "pattern": "^[0-9]+$"})
}

fn object(required: &[&str], properties: &[(&str, Value)]) -> Value {
    let properties: Map<String, Value> =
        properties.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}

fn create_entry_request() -> Value {
    let signature = object(
        &["content", "verifier"],
        &[("content", base64()), ("verifier", reference("Verifier"))],
    );
    let hashed =
        object(&["digest", "signature"], &[("digest", base64()), ("signature", signature)]);
    let verifiers =
        json!({"type": "array", "items": reference("Verifier"), "minItems": 1, "maxItems": 1});
    let dsse = object(
        &["envelope", "verifiers"],
        &[("envelope", reference("Envelope")), ("verifiers", verifiers)],
    );
    json!({
        "description": "dev.sigstore.rekor.v2.CreateEntryRequest: a digest or an envelope, with its signature and key.",
        "oneOf": [
            object(&["hashedRekordRequestV002"], &[("hashedRekordRequestV002", hashed)]),
            object(&["dsseRequestV002"], &[("dsseRequestV002", dsse)]),
        ],
    })
}

fn verifier() -> Value {
    let raw = object(&["rawBytes"], &[("rawBytes", base64())]);
    let details = json!({"type": "string", "enum": ["PKIX_ECDSA_P256_SHA_256", "PKIX_ED25519"]});
    let mut schema =
        object(&["publicKey", "keyDetails"], &[("publicKey", raw), ("keyDetails", details)]);
    if let Some(members) = schema.as_object_mut() {
        let text = "A public key: its SubjectPublicKeyInfo in DER. Certificates are refused; their bundles are posted to /v1/attestations.";
        members.insert("description".to_owned(), text.into());
    }
    schema
}

fn envelope() -> Value {
    json!({
        "description": "A DSSE envelope with exactly one signature.",
        "type": "object",
        "required": ["payload", "payloadType", "signatures"],
        "properties": {
            "payload": base64(),
            "payloadType": {"type": "string"},
            "signatures": {
                "type": "array",
                "minItems": 1,
                "maxItems": 1,
                "items": {
                    "type": "object",
                    "required": ["sig"],
                    "properties": {"sig": base64(), "keyid": {"type": "string"}},
                },
            },
        },
    })
}

fn bundle() -> Value {
    let certificate = || object(&["rawBytes"], &[("rawBytes", base64())]);
    let chain = json!({"type": "array", "items": certificate(), "minItems": 1, "maxItems": 16});
    let timestamp = object(&["signedTimestamp"], &[("signedTimestamp", base64())]);
    let timestamps = json!({"type": "array", "items": timestamp, "maxItems": 32});
    json!({
        "description": "A Sigstore bundle; written as version 0.3, a certificate's in the version that it came in, read as 0.1 to 0.3.",
        "type": "object",
        "required": ["mediaType", "verificationMaterial"],
        "properties": {
            "mediaType": {"type": "string"},
            "verificationMaterial": {
                "type": "object",
                "properties": {
                    "publicKey": {
                        "type": "object",
                        "required": ["hint"],
                        "properties": {"hint": {"type": "string"}},
                    },
                    "certificate": certificate(),
                    "x509CertificateChain": object(&["certificates"], &[("certificates", chain)]),
                    "timestampVerificationData":
                        object(&[], &[("rfc3161Timestamps", timestamps)]),
                    "tlogEntries": {"type": "array", "items": reference("TransparencyLogEntry")},
                },
            },
            "dsseEnvelope": reference("Envelope"),
            "messageSignature": {
                "type": "object",
                "required": ["messageDigest", "signature"],
                "properties": {
                    "messageDigest": {
                        "type": "object",
                        "required": ["algorithm", "digest"],
                        "properties": {"algorithm": {"type": "string"}, "digest": base64()},
                    },
                    "signature": base64(),
                },
            },
        },
    })
}

fn entry() -> Value {
    let text = json!({"type": "string"});
    let proof = object(
        &["rootHash", "treeSize", "checkpoint"],
        &[
            ("logIndex", int64()),
            ("rootHash", base64()),
            ("treeSize", int64()),
            ("hashes", json!({"type": "array", "maxItems": 64, "items": base64()})),
            ("checkpoint", object(&["envelope"], &[("envelope", text.clone())])),
        ],
    );
    let promise = object(&["signedEntryTimestamp"], &[("signedEntryTimestamp", base64())]);
    let kind = object(&["kind", "version"], &[("kind", text.clone()), ("version", text)]);
    let mut schema = object(
        &["logId", "kindVersion", "canonicalizedBody"],
        &[
            ("logIndex", int64()),
            ("logId", object(&["keyId"], &[("keyId", base64())])),
            ("kindVersion", kind),
            ("integratedTime", int64()),
            ("inclusionPromise", promise),
            ("inclusionProof", proof),
            ("canonicalizedBody", base64()),
        ],
    );
    if let Some(members) = schema.as_object_mut() {
        let text = "dev.sigstore.rekor.v1.TransparencyLogEntry. Those of this log have the proof and the checkpoint; those that a certificate's bundle came with are as they came.";
        members.insert("description".to_owned(), text.into());
    }
    schema
}
