//! Signing and verifying: both kinds of key, over a small statement.

#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on ends with what it met")]

use std::hint::black_box;

use attestry_benches::fixtures;
use attestry_registry::log::Submission;
use attestry_schemas::dsse::Envelope;
use attestry_schemas::key::SigningKey;
use attestry_schemas::verify;
use criterion::{Criterion, criterion_group, criterion_main};

fn keys() -> [(&'static str, SigningKey); 2] {
    [("p256", fixtures::p256_key()), ("ed25519", fixtures::ed25519_key())]
}

fn signatures(criterion: &mut Criterion) {
    for (name, key) in keys() {
        let envelope = fixtures::envelope(0, &key);
        let (pae, signature) = (envelope.pae(), envelope.signature);
        let public = key.public_key();
        criterion.bench_function(&format!("sign/{name}"), |b| b.iter(|| key.sign(black_box(&pae))));
        criterion.bench_function(&format!("verify_signature/{name}"), |b| {
            b.iter(|| public.verify(black_box(&pae), &signature).unwrap());
        });
    }
}

/// Everything the registry does with an envelope between its bytes and the log's queue.
fn ingest(criterion: &mut Criterion) {
    for (name, key) in keys() {
        let bytes = fixtures::envelope(0, &key).to_json();
        let trusted = [key.public_key().clone()];
        criterion.bench_function(&format!("ingest/{name}"), |b| {
            b.iter(|| {
                let envelope = Envelope::parse(black_box(&bytes)).unwrap();
                let signed = verify::envelope(&envelope, &trusted).unwrap();
                Submission::of_statement(&signed, bytes.clone(), "default", true)
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = attestry_benches::criterion();
    targets = signatures, ingest
}
criterion_main!(benches);
