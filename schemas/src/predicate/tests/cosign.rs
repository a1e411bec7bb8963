//! Cosign's own predicates.

use serde_json::{Value, json};

use super::{check_type, odd, wrong};

#[test]
fn what_cosign_writes() {
    let sign = "https://sigstore.dev/cosign/sign/v1";
    check_type(sign, &json!({}), &[odd("/a", json!(1), "predicate", "the predicate is empty")]);
    check_type(
        "https://cosign.sigstore.dev/attestation/v1",
        &json!({ "Data": "foo\n", "Timestamp": "2021-08-11T14:51:09Z" }),
        &[
            odd("/Data", Value::Null, "predicate.Data", "cosign generic v1, Fields: Data SHOULD"),
            wrong("/Timestamp", json!("now"), "predicate.Timestamp", "an RFC 3339 time"),
        ],
    );
}
