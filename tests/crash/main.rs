//! A loaded server is killed at random moments and at every named fault point, over one data
//! folder. After each death the folder must be sound, and hold all that was acknowledged.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test panics when it fails"
)]

mod pushes;

use std::sync::Arc;
use std::time::{Duration, Instant};

use attestry_registry::fault::FaultPoint;
use attestry_tests::{Ledger, Load, Random, Registry, Server, State, Workload, programs, wait_for};

/// How often a server is killed at a random moment.
const KILLS: u64 = 32;
/// The latest moment of a kill, counted from the start of the load.
const LATEST_KILL: Duration = Duration::from_millis(200);
/// How often a fault point is passed before it strikes, at most.
const LATEST_PASSING: u64 = 12;

/// A registry, what was sent to it, and what it is sent.
struct Setting {
    registry: Registry,
    ledger: Arc<Ledger>,
    workload: Workload,
    random: Random,
}

impl Setting {
    fn new() -> Self {
        let workload = Workload::new(4, 2);
        let keys = [workload.keys.0.public_key().clone(), workload.keys.1.public_key().clone()];
        let registry = Registry::init(&programs!(), &keys.each_ref());
        let ledger = Arc::new(Ledger::new(registry.trusted_root(), keys.to_vec()));
        Self { registry, ledger, workload, random: Random::announced() }
    }

    fn load(&mut self, server: &Server) -> Load {
        Load::start(server, &self.workload, &self.ledger, self.random.draw())
    }

    /// Demands that a dead server left a sound folder, then that a new one has everything that the
    /// dead one acknowledged, and continues its log. Gives the log's size.
    fn demand_sound(&self) -> u64 {
        self.registry.demand_clean();
        let server = self.registry.serve();
        let client = server.client();
        let size = self.ledger.demand_consistent(&client);
        self.ledger.demand_kept(&client);
        server.terminate();
        size
    }

    /// At the end everything is looked at once more, however long ago it was acknowledged.
    fn finish(self) {
        let server = self.registry.serve();
        self.ledger.demand_all_kept(&server.client());
        self.ledger.demand_consistent(&server.client());
        server.terminate();
        self.registry.demand_clean();
        let count = |state: &State| self.ledger.count(|found| found == state);
        eprintln!(
            "{} acknowledged and kept, {} without an answer, {} answered with an error",
            self.ledger.acknowledged(),
            count(&State::Sent),
            count(&State::Failed),
        );
    }
}

#[test]
fn a_kill_at_any_moment_under_load_loses_nothing_that_was_acknowledged() {
    let mut setting = Setting::new();
    let mut sizes = Vec::new();
    for _ in 0..KILLS {
        let server = setting.registry.serve();
        let load = setting.load(&server);
        let moment = setting.random.below(u64::try_from(LATEST_KILL.as_micros()).unwrap());
        let until = Instant::now() + Duration::from_micros(moment);
        while let Some(rest) = until.checked_duration_since(Instant::now()) {
            std::thread::park_timeout(rest);
        }
        server.kill();
        load.stop();
        sizes.push(setting.demand_sound());
    }
    eprintln!("sizes after each kill: {sizes:?}");
    assert!(sizes.is_sorted() && sizes.first() < sizes.last(), "nothing was ever logged");
    setting.finish();
}

#[test]
fn a_death_at_any_fault_point_loses_nothing_that_was_acknowledged() {
    let mut setting = Setting::new();
    for point in FaultPoint::ALL {
        for passing in [1, 2 + setting.random.below(LATEST_PASSING)] {
            let fault = format!("{}=kill@{passing}", point.name());
            let mut server = setting.registry.serve_with(&[], &[("ATTESTRY_FAULT", &fault)]);
            let load = setting.load(&server);
            let status = server.until_ended();
            assert!(!status.success(), "{fault}: {status}");
            load.stop();
            let size = setting.demand_sound();
            eprintln!("{fault}: the log has {size} leaves");
        }
    }
    setting.finish();
}

#[test]
fn a_write_error_at_any_fault_point_is_an_error_to_the_writer_and_nothing_more() {
    let mut setting = Setting::new();
    for point in FaultPoint::ALL {
        let passing = 1 + setting.random.below(LATEST_PASSING);
        let fault = format!("{}=error@{passing}", point.name());
        let (failed, acknowledged) = (setting.failed(), setting.ledger.acknowledged());
        let server = setting.registry.serve_with(&[], &[("ATTESTRY_FAULT", &fault)]);
        let load = setting.load(&server);
        // After the commit there is no error to answer: only a death can come between.
        let is_answered = !matches!(point, FaultPoint::BatchAfter);
        wait_for("the error and what follows it", || {
            let has_failed = !is_answered || setting.failed() > failed;
            (has_failed && setting.ledger.acknowledged() > acknowledged + 100).then_some(())
        });
        load.stop();
        // The server that met the error serves what it acknowledged, before and after it.
        setting.ledger.demand_kept(&server.client());
        let told = server.log().contains("ERROR");
        assert_eq!(told, is_answered, "{fault}: the log says\n{}", server.log());
        server.terminate();
        let size = setting.demand_sound();
        eprintln!("{fault}: {} errors, {size} leaves", setting.failed() - failed);
    }
    setting.finish();
}

#[test]
fn the_ledger_sees_a_registry_that_forgot() {
    let mut setting = Setting::new();
    let server = setting.registry.serve();
    let earlier = setting.registry.beside("earlier");
    setting.registry.backup(&earlier);
    let load = setting.load(&server);
    wait_for("a load", || (setting.ledger.acknowledged() > 50).then_some(()));
    load.stop();
    setting.ledger.demand_kept(&server.client());
    setting.ledger.demand_consistent(&server.client());
    server.terminate();

    let forgetful = setting.registry.serve_folder(&earlier, &[], &[]);
    let client = forgetful.client();
    let ledger = &setting.ledger;
    let message = |check: &dyn Fn()| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    };
    assert!(message(&|| ledger.demand_all_kept(&client)).contains("Acknowledged"));
    assert!(message(&|| _ = ledger.demand_consistent(&client)).contains("the log shrank"));
    forgetful.terminate();

    // One content file less, and one changed byte in another.
    let files: Vec<_> = attestry_tests::snapshot(&setting.registry.data)
        .into_keys()
        .filter(|path| path.to_string_lossy().contains("/content/sha256/"))
        .collect();
    let [first, second, ..] = files.as_slice() else { panic!("too few content files") };
    let lost = std::fs::read(first).unwrap();
    std::fs::remove_file(first).unwrap();
    let server = setting.registry.serve();
    assert!(message(&|| ledger.demand_all_kept(&server.client())).contains("content"));
    server.terminate();
    let (status, report) = attestry_tests::fsck_report(&programs!(), &setting.registry.data);
    assert_eq!(status, Some(1), "what was uploaded is said to stay: {report}");
    std::fs::write(first, lost).unwrap();
    setting.registry.demand_clean();
    let mut bytes = std::fs::read(second).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(second, bytes).unwrap();
    let (status, report) = attestry_tests::fsck_report(&programs!(), &setting.registry.data);
    assert_eq!((status, report["faults"][0]["kind"].as_str()), (Some(1), Some("content")));
}

impl Setting {
    fn failed(&self) -> usize {
        self.ledger.count(|state| *state == State::Failed)
    }
}
