//! A backup made while writers write.

use std::sync::Arc;

use attestry_tests::{Ledger, Load, Registry, Workload, fsck, programs, wait_for};

#[test]
fn a_backup_under_load_is_whole_and_serves() {
    let workload = Workload::new(4, 1);
    let keys = [workload.keys.0.public_key().clone(), workload.keys.1.public_key().clone()];
    let programs = programs!();
    let registry = Registry::init(&programs, &keys.each_ref());
    let server = registry.serve();
    let root = registry.trusted_root();
    // What is acknowledged before the copy must be in it; what comes later may be.
    let (before, later) =
        (Ledger::new(root.clone(), keys.to_vec()), Ledger::new(root, keys.to_vec()));
    let (before, later) = (Arc::new(before), Arc::new(later));
    let first = Load::start(&server, &workload, &before, 1);
    wait_for("a first load", || (before.acknowledged() > 100).then_some(()));
    first.stop();
    let second = Load::start(&server, &workload, &later, 2);
    wait_for("a second load", || (later.acknowledged() > 20).then_some(()));
    let copies = [registry.beside("copy-1"), registry.beside("copy-2")];
    for copy in &copies {
        registry.backup(copy);
    }
    let during = later.acknowledged();
    wait_for("the load to go on", || (later.acknowledged() > during + 20).then_some(()));
    second.stop();
    for copy in &copies {
        fsck(&programs, copy);
        let restored = registry.serve_folder(copy, &[], &[]);
        before.demand_all_kept(&restored.client());
        before.demand_consistent(&restored.client());
        let sample = attestry_tests::envelope_about(u64::MAX, &workload.keys.0);
        let _ = restored.client().submit(&sample.bytes).unwrap().expect(201);
        restored.terminate();
        fsck(&programs, copy);
    }
    before.demand_all_kept(&server.client());
    later.demand_all_kept(&server.client());
    server.terminate();
    registry.demand_clean();
}
