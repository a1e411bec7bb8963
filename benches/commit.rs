//! The commit: from a verified submission to its durable, proven receipt, on a real disk.
//!
//! A burst is submitted at once. The log commits what is waiting when it looks, so a burst takes
//! one commit for its first submissions and few more for the rest; how many is printed.

#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on ends with what it met")]
#![allow(clippy::print_stdout, reason = "figures are for the terminal")]

use std::path::Path;
use std::time::{Duration, Instant};

use attestry_benches::{fixtures, log, machine};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn bursts(criterion: &mut Criterion) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let key = fixtures::p256_key();
    let running = log::Running::start(folder).unwrap();
    let sync = machine::disk_sync(folder, 200).unwrap();
    println!("adding 4 KiB to a file and syncing it: median {:?}", sync.median());
    let mut next = 0;
    for burst in [1_u64, 16, 256] {
        let mut group = criterion.benchmark_group("commit");
        group.sample_size(10).throughput(Throughput::Elements(burst));
        let (commits, mut bursts) = (running.commits(), 0);
        group.bench_function(format!("burst/{burst}"), |b| {
            b.iter_custom(|rounds| {
                let mut measured = Duration::ZERO;
                for _ in 0..rounds {
                    let fresh: Vec<_> =
                        (next..next + burst).map(|n| log::submission(n, &key)).collect();
                    next += burst;
                    bursts += 1;
                    let started = Instant::now();
                    let receipts = running.commit(fresh);
                    measured += started.elapsed();
                    assert!(receipts.iter().all(|receipt| receipt.created));
                }
                measured
            });
        });
        group.finish();
        let commits = (running.commits() - commits) as f64;
        println!("commits for each burst of {burst}: {:.2}", commits / f64::from(bursts.max(1)));
    }
}

criterion_group! {
    name = benches;
    config = attestry_benches::criterion();
    targets = bursts
}
criterion_main!(benches);
