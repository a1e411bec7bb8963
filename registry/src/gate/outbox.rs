//! Events on their way to the webhook: which one is tried next, and how far everything is told.
//!
//! What is told of one thing that runs is told in the order of the log. An event that is not taken waits for its next
//! attempt, and what is about other things goes meanwhile.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use super::event::Event;

/// The most events that are on their way: what comes waits in the log.
const MAX_EVENTS: usize = if cfg!(test) { 4 } else { 256 };

/// An event on its way.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    /// Its place among all that ever were on their way.
    number: u64,
    /// The leaf that it follows from.
    sequence: u64,
    pub(super) event: Event,
    /// How often it was tried.
    pub(super) attempts: u32,
    /// How often the receiver refused it.
    pub(super) refusals: u32,
    due: Instant,
    is_out: bool,
}

/// Events on their way, in the order of the log.
#[derive(Debug)]
pub(super) struct Outbox {
    letters: BTreeMap<u64, Letter>,
    put: u64,
    /// The first leaf whose events were not put in.
    next: u64,
}

impl Outbox {
    /// An empty one, before this leaf.
    pub(super) fn new(next: u64) -> Self {
        Self { letters: BTreeMap::new(), put: 0, next }
    }

    /// Whether there is room for the events of another leaf.
    pub(super) fn has_room(&self) -> bool {
        self.letters.len() < MAX_EVENTS
    }

    /// Puts in the events of a leaf.
    pub(super) fn put(&mut self, sequence: u64, events: Vec<Event>, now: Instant) {
        for event in events {
            let number = self.put;
            let letter = Letter {
                number,
                sequence,
                event,
                attempts: 0,
                refusals: 0,
                due: now,
                is_out: false,
            };
            self.letters.insert(number, letter);
            self.put += 1;
        }
        self.next = self.next.max(sequence + 1);
    }

    /// Those that may go, now or at their time: nothing else is told of the same thing before.
    fn free(&self) -> impl Iterator<Item = &Letter> {
        let mut about = HashSet::new();
        self.letters.values().filter(move |letter| {
            let Event { environment, name, subject, .. } = &letter.event;
            about.insert((environment, name, subject)) && !letter.is_out
        })
    }

    /// Takes out the one whose time came first.
    pub(super) fn take(&mut self, now: Instant) -> Option<Letter> {
        let due = self.free().filter(|letter| letter.due <= now);
        let number = due.min_by_key(|letter| letter.due)?.number;
        let letter = self.letters.get_mut(&number)?;
        letter.is_out = true;
        letter.attempts += 1;
        Some(letter.clone())
    }

    /// When the next one may go.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.free().map(|letter| letter.due).min()
    }

    /// Puts back one that was not taken.
    pub(super) fn put_back(&mut self, letter: &Letter, due: Instant) {
        if let Some(known) = self.letters.get_mut(&letter.number) {
            (known.is_out, known.refusals, known.due) = (false, letter.refusals, due);
        }
    }

    /// Ends with one that was taken, or given up.
    pub(super) fn end(&mut self, letter: &Letter) {
        self.letters.remove(&letter.number);
    }

    /// The leaf below which the events of every leaf are told.
    pub(super) fn told_before(&self) -> u64 {
        self.letters.values().map(|letter| letter.sequence).fold(self.next, u64::min)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn about(subject: &str) -> Event {
        Event {
            id: String::new(),
            event: "non-compliant",
            at: String::new(),
            environment: "production".to_owned(),
            name: None,
            subject: subject.to_owned(),
            deployment: String::new(),
            decision: None,
            index: None,
            because: None,
            since: None,
            reasons: Vec::new(),
        }
    }

    #[test]
    fn what_is_not_taken_holds_what_is_about_the_same_and_nothing_else() {
        let (mut outbox, now) = (Outbox::new(5), Instant::now());
        outbox.put(5, vec![about("a")], now);
        outbox.put(6, vec![about("a"), about("b")], now);
        outbox.put(7, Vec::new(), now);
        let first = outbox.take(now).unwrap();
        assert_eq!((first.event.subject.as_str(), first.attempts), ("a", 1));
        let other = outbox.take(now).unwrap();
        assert_eq!(other.event.subject, "b");
        assert!(outbox.take(now).is_none(), "the second about a waits for the first");
        assert_eq!(outbox.next_due(), None);
        let later = now + Duration::from_secs(1);
        outbox.put_back(&first, later);
        assert_eq!(outbox.next_due(), Some(later));
        assert!(outbox.take(now).is_none());
        outbox.end(&other);
        assert_eq!(outbox.told_before(), 5, "one of leaf 5 is not told");
        let again = outbox.take(later).unwrap();
        assert_eq!((again.event.subject.as_str(), again.attempts), ("a", 2));
        outbox.end(&again);
        assert_eq!(outbox.told_before(), 6, "one of leaf 6 is not told");
        let second = outbox.take(later).unwrap();
        outbox.end(&second);
        assert_eq!(outbox.told_before(), 8);
    }

    #[test]
    fn refusals_are_counted_apart_from_attempts() {
        let (mut outbox, now) = (Outbox::new(0), Instant::now());
        outbox.put(0, vec![about("a")], now);
        for attempt in 1..4 {
            let mut letter = outbox.take(now).unwrap();
            assert_eq!((letter.attempts, letter.refusals), (attempt, attempt / 2));
            letter.refusals += attempt % 2;
            outbox.put_back(&letter, now);
        }
    }

    #[test]
    fn of_what_is_due_the_longest_waiting_goes_first() {
        let (mut outbox, now) = (Outbox::new(0), Instant::now());
        outbox.put(0, vec![about("a")], now + Duration::from_secs(2));
        outbox.put(1, vec![about("b")], now + Duration::from_secs(1));
        let taken = outbox.take(now + Duration::from_secs(3)).unwrap();
        assert_eq!(taken.event.subject, "b");
    }

    #[test]
    fn a_leaf_that_is_known_late_moves_nothing_on() {
        let (mut outbox, now) = (Outbox::new(9), Instant::now());
        outbox.put(3, vec![about("a")], now);
        assert_eq!(outbox.told_before(), 3);
        let late = outbox.take(now).unwrap();
        outbox.end(&late);
        assert_eq!(outbox.told_before(), 9);
        (0..4).for_each(|n| outbox.put(9 + n, vec![about(&n.to_string())], now));
        assert!(!outbox.has_room());
    }
}
