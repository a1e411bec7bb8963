use super::*;
use crate::testing::Registry;

fn event(path: &str) -> Event {
    Event { path: path.to_owned(), method: "PUT", status: 201, ..Event::default() }
}

fn record(path: &str) -> EventRecord {
    EventRecord {
        at_ms: 0,
        request: String::new(),
        principal: None,
        subject: None,
        role: None,
        namespace: None,
        method: "PUT".to_owned(),
        path: path.to_owned(),
        address: None,
        status: 201,
        dropped: 0,
    }
}

/// The paths of a ring, the newest first.
fn paths(store: &Store, ring: Ring) -> Vec<String> {
    let (reader, mut below, mut paths) = (store.reader(), u64::MAX, Vec::new());
    while let Some((number, event)) = reader.event_below(ring, below).unwrap() {
        below = number;
        paths.push(event.path);
    }
    paths
}

#[test]
fn events_are_kept_over_a_restart_and_numbered_on() {
    let registry = Registry::new();
    let store = registry.store();
    for path in ["a", "b"] {
        let trail =
            Trail::start(Arc::clone(&store), Clock::system(), Arc::new(Metrics::new())).unwrap();
        trail.add(Ring::Done, event(path));
        trail.add(Ring::Denied, event(&format!("not {path}")));
        trail.stop();
    }
    assert_eq!(paths(&store, Ring::Done), ["b", "a"]);
    assert_eq!(paths(&store, Ring::Denied), ["not b", "not a"]);
}

#[test]
fn a_full_ring_loses_its_oldest_and_nothing_of_the_other() {
    let registry = Registry::new();
    let store = registry.store();
    let kept = [(Ring::Done, 2), (Ring::Denied, 3)];
    let mut rings = Rings::read(&store, kept).unwrap();
    rings.write(&store, vec![(Ring::Done, record("done"))]).unwrap();
    for number in 0..10 {
        rings.write(&store, vec![(Ring::Denied, record(&number.to_string()))]).unwrap();
    }
    assert_eq!(paths(&store, Ring::Denied), ["9", "8", "7"]);
    assert_eq!(paths(&store, Ring::Done), ["done"]);
    let mut again = Rings::read(&store, kept).unwrap();
    again.write(&store, vec![(Ring::Denied, record("10"))]).unwrap();
    assert_eq!(paths(&store, Ring::Denied), ["10", "9", "8"]);
}

#[test]
fn a_flood_of_refusals_is_recorded_in_part_and_counted_whole() {
    let registry = Registry::new();
    let (store, metrics) = (registry.store(), Arc::new(Metrics::new()));
    let trail = Trail::start(Arc::clone(&store), Clock::system(), Arc::clone(&metrics)).unwrap();
    for _ in 0..5000 {
        trail.add(Ring::Denied, event("x"));
    }
    trail.add(Ring::Done, event("done"));
    trail.stop();
    let counted = |outcome| metrics.access_events.with_label_values(&[outcome]).get();
    assert_eq!(counted("denied") + counted("dropped"), 5000);
    assert!(counted("dropped") > 1000, "{}", counted("dropped"));
    assert_eq!(paths(&store, Ring::Denied).len() as u64, counted("denied"));
    assert_eq!(
        paths(&store, Ring::Done),
        ["done"],
        "what is done is not held up by what is refused"
    );
}

#[test]
fn a_path_of_any_length_is_cut() {
    let registry = Registry::new();
    let store = registry.store();
    let trail =
        Trail::start(Arc::clone(&store), Clock::system(), Arc::new(Metrics::new())).unwrap();
    trail.add(Ring::Denied, event(&"x".repeat(100_000)));
    trail.stop();
    assert_eq!(paths(&store, Ring::Denied)[0].len(), 1000);
}
