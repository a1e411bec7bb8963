//! PAE and strict JSON: a small statement, and one of 1 MiB.

#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on ends with what it met")]

use std::hint::black_box;

use attestry_benches::fixtures;
use attestry_schemas::dsse::{self, PAYLOAD_TYPE};
use attestry_schemas::json;
use attestry_schemas::statement::Statement;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const LIMIT_BYTES: usize = 16 << 20;

fn formats(criterion: &mut Criterion) {
    let statements =
        [("small", fixtures::provenance(0)), ("1MiB", fixtures::large_provenance(1 << 20))];
    for (name, text) in statements {
        let mut group = criterion.benchmark_group("formats");
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("pae/{name}"), |b| {
            b.iter(|| dsse::pae(PAYLOAD_TYPE, black_box(&text)));
        });
        group.bench_function(format!("json_strict/{name}"), |b| {
            b.iter(|| json::parse(black_box(&text), LIMIT_BYTES).unwrap());
        });
        group.bench_function(format!("statement/{name}"), |b| {
            b.iter(|| Statement::parse(black_box(&text)).unwrap());
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = attestry_benches::criterion();
    targets = formats
}
criterion_main!(benches);
