use super::*;
use crate::key::SigningKey;

fn bundle() -> Bundle {
    let key = SigningKey::from_ed25519_seed([7; 32]);
    Bundle::of_key(key.public_key(), Content::Envelope(Envelope::sign("t", b"payload", &key)))
}

#[test]
fn reads_what_it_writes_in_canonical_form() {
    let message = Bundle {
        content: Content::Message(MessageSignature {
            digest: Sha256::of(b"x").into(),
            signature: vec![1, 2, 3],
        }),
        ..bundle()
    };
    for bundle in [bundle(), message] {
        let text = bundle.to_json();
        assert_eq!(Bundle::parse(&text).unwrap(), bundle);
        assert_eq!(strict::canonical(&bundle.to_value()).unwrap(), text);
    }
}

#[test]
fn refuses_each_malformed_bundle_by_name() {
    type Change = fn(&mut Value);
    let cases: &[(Change, &str)] = &[
        (|v| v["mediaType"] = "application/vnd.dev.sigstore.bundle.v0.4+json".into(), "mediaType"),
        (|v| v["unknown"] = 1.into(), "unknown field `unknown`"),
        (|v| v["verificationMaterial"]["certificate"] = json!({"rawBytes": "AA=="}), "found 2"),
        (|v| v["verificationMaterial"]["publicKey"] = Value::Null, "found 0"),
        (|v| v["dsseEnvelope"] = Value::Null, "messageSignature and dsseEnvelope"),
        (|v| v["dsseEnvelope"]["signatures"] = json!([]), "exactly one signature"),
        (
            |v| {
                v["messageSignature"] = json!({"messageDigest": {"algorithm": "SHA2_256", "digest": "AA=="}, "signature": "AA=="});
            },
            "found 2",
        ),
        (
            |v| {
                v["verificationMaterial"]["publicKey"] = Value::Null;
                v["verificationMaterial"]["x509CertificateChain"] =
                    json!({"certificates": [{"rawBytes": "AA=="}]});
            },
            "has certificate, not x509CertificateChain",
        ),
        (
            |v| {
                v["verificationMaterial"]["tlogEntries"] =
                    json!([{"logIndex": "-1", "logId": {"keyId": "AA=="}}]);
            },
            "non-negative 64-bit integer",
        ),
        (
            |v| {
                v["verificationMaterial"]["tlogEntries"] =
                    json!([{"logIndex": "1", "logId": {"keyId": "AA=="}}]);
            },
            "has an inclusionProof in every log entry",
        ),
    ];
    for (change, expected) in cases {
        let mut value = bundle().to_value();
        change(&mut value);
        let error = Bundle::parse(value.to_string().as_bytes()).expect_err(expected);
        let mut message = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            message = format!("{message}: {inner}");
            source = inner.source();
        }
        assert!(message.contains(expected), "expected {expected:?} in {message:?}");
    }
}

#[test]
fn reads_the_bundles_of_real_tools() {
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples/provenance");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return;
    }
    for (file, version) in [
        ("github-artifact-attestation.bundle.jsonl", Version::V0_3),
        ("npm-sigstore-js-2.1.0.bundle.json", Version::V0_3),
    ] {
        let text = std::fs::read(folder.join(file)).unwrap();
        let line = text.split(|b| *b == b'\n').next().filter(|l| l.ends_with(b"}"));
        let bundle = Bundle::parse(line.unwrap_or(&text)).unwrap();
        assert_eq!(bundle.version, version, "{file}");
        assert_eq!(Bundle::parse(&bundle.to_json()).unwrap(), bundle, "{file}");
    }
}
