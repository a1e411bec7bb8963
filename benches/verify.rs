//! Verifying a bundle with its log proof, from its bytes to the verdict.

#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on ends with what it met")]

use std::hint::black_box;
use std::path::Path;

use attestry_benches::{fixtures, log};
use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::digest::Digest;
use attestry_schemas::trusted_root::TrustedRoot;
use attestry_schemas::verify::{Claim, Keys, Subject, Verifier};
use criterion::{Criterion, criterion_group, criterion_main};

/// Leaves of the log that the bundle's proof is from.
const LEAVES: u64 = 1000;

fn bundles(criterion: &mut Criterion) {
    let key = fixtures::p256_key();
    let running = log::Running::start(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let envelopes: Vec<_> = (0..LEAVES).map(|n| fixtures::envelope(n, &key)).collect();
    let submissions = envelopes.iter().map(|envelope| log::submission_of(envelope, &key)).collect();
    let receipt = running.commit(submissions).pop().unwrap();
    let content = Content::Envelope(envelopes.last().unwrap().clone());
    let mut bundle = Bundle::of_key(key.public_key(), content);
    let entry = running.log.identity().tlog_entry(receipt.body.clone(), &receipt.proven);
    bundle.tlog_entries = vec![entry];
    let (text, root_text) = (bundle.to_json(), running.trusted_root());
    let root = TrustedRoot::parse(root_text.as_bytes()).unwrap();
    let digest = Digest::from(fixtures::subject_digest(LEAVES - 1));
    let verify = |bundle: &Bundle, root: Option<&TrustedRoot>| {
        let keys = Keys::Managed(vec![key.public_key().clone()]);
        let subject = Subject::of_digest(&digest);
        Verifier { keys, root }.bundle(bundle, subject, &Claim::AnyType).unwrap()
    };
    criterion.bench_function("bundle/parse", |b| {
        b.iter(|| Bundle::parse(black_box(&text)).unwrap());
    });
    criterion.bench_function("bundle/verify_signature_only", |b| {
        b.iter(|| verify(black_box(&bundle), None));
    });
    criterion.bench_function("bundle/verify_with_log_proof", |b| {
        b.iter(|| verify(black_box(&bundle), Some(&root)));
    });
    criterion.bench_function("trusted_root/parse", |b| {
        b.iter(|| TrustedRoot::parse(black_box(root_text.as_bytes())).unwrap());
    });
}

criterion_group! {
    name = benches;
    config = attestry_benches::criterion();
    targets = bundles
}
criterion_main!(benches);
