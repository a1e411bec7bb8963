//! Tags against their moves, and their moves against the statements in the log that prove them.

use std::ops::ControlFlow;

use attestry_schemas::digest::{Digest, DigestSet, Sha256};
use attestry_schemas::dsse::Envelope;
use attestry_schemas::key::Fingerprint;
use attestry_schemas::oci::{RepositoryName, Tag};
use attestry_schemas::predicate::Predicate as _;
use attestry_schemas::predicate::attestry::tag::{TagEvent, TagMove};
use attestry_schemas::problem::chain;
use attestry_schemas::statement::Statement;

use super::oci::sound;
use super::{FaultKind, FsckError, Report};
use crate::store::engine::Family;
use crate::store::key::{Term, TermKind, sequence_of};
use crate::store::oci::{LinkKind, MoveKind, MoveRecord, TagRecord, key, parse};
use crate::store::{Reader, StoreError, record};

/// Checks the tags of a store. `signer` is the log's own key, which signs their moves.
pub(super) fn check(
    reader: &Reader<'_>,
    signer: Fingerprint,
    report: &mut Report,
) -> Result<(), FsckError> {
    let mut check = Check { reader, signer, report };
    let outcome = check.tags().and_then(|()| check.stray_moves()).and_then(|()| check.statements());
    outcome.or_else(|error| report.damage("tags", error))
}

struct Check<'a, 's> {
    reader: &'a Reader<'s>,
    signer: Fingerprint,
    report: &'a mut Report,
}

/// The move before the one that is checked.
#[derive(Default)]
struct Before {
    statement: Option<Sha256>,
    /// The manifest that the tag pointed to.
    points: Option<Digest>,
    at_ms: i64,
}

impl Check<'_, '_> {
    fn tags(&mut self) -> Result<(), StoreError> {
        let reader = self.reader;
        reader.scan(Family::Tags, &[], None, |key, value| {
            self.report.counts.tags += 1;
            let Some((name, tag)) = parse::tag(key) else {
                let place = format!("key {} of {}", hex::encode(key), Family::Tags.name());
                self.report.fault(FaultKind::StrayKey, place, "a repository and a tag", "another");
                return Ok(ControlFlow::Continue(()));
            };
            match record::decode::<TagRecord>(value, "tag") {
                Ok(record) => self.tag(&name, &tag, &record)?,
                Err(error) => {
                    let place = format!("tag {tag} of {name}");
                    self.report.fault(FaultKind::Tag, place, "a record", chain(&error));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    fn tag(
        &mut self,
        name: &RepositoryName,
        tag: &Tag,
        held: &TagRecord,
    ) -> Result<(), StoreError> {
        let place = format!("tag {tag} of {name}");
        if let Some(digest) = &held.digest {
            if self
                .reader
                .value(Family::Links, &key::link(name, LinkKind::Manifest, digest))?
                .is_none()
            {
                let expected = format!("manifest {digest}, to which it points");
                self.report.fault(FaultKind::Tag, place.as_str(), expected, "nothing");
            }
            if self.reader.value(Family::Uses, &key::points(name, digest, tag))?.is_none() {
                let expected = "the use that says that it points to its manifest";
                self.report.fault(FaultKind::Use, place.as_str(), expected, "nothing");
            }
        }
        let (mut before, mut next) = (Before::default(), 1);
        let (reader, prefix) = (self.reader, key::tag_moves(name, tag));
        let mut last = None;
        reader.scan(Family::TagMoves, &prefix, None, |key, value| {
            let Some((_, _, number)) = parse::tag_move(key) else {
                return Ok(ControlFlow::Continue(()));
            };
            if number > held.number {
                return Ok(ControlFlow::Break(()));
            }
            self.gap(&place, next, number);
            next = number + 1;
            let place = format!("move {number} of {place}");
            match record::decode::<MoveRecord>(value, "move of a tag") {
                Ok(one) => {
                    self.one_move(&place, (name, tag, number), &one, &before)?;
                    before = Before {
                        statement: Some(one.statement),
                        points: (one.event == MoveKind::Created)
                            .then(|| one.digest.digest().clone()),
                        at_ms: one.at_ms,
                    };
                    last = Some(one);
                }
                Err(error) => {
                    self.report.fault(FaultKind::TagMove, place, "a record", chain(&error));
                    before = Before::default();
                    last = None;
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        self.gap(&place, next, held.number + 1);
        if let Some(last) = last.filter(|_| next == held.number + 1) {
            let now = TagRecord {
                digest: (last.event == MoveKind::Created).then_some(last.digest),
                number: held.number,
                moved_at_ms: last.at_ms,
                statement: last.statement,
            };
            if now != *held {
                let (expected, found) = (format!("{now:?}, as its last move"), format!("{held:?}"));
                self.report.fault(FaultKind::Tag, place, expected, found);
            }
        }
        Ok(())
    }

    /// Names moves that are missing before `found`.
    fn gap(&mut self, place: &str, next: u64, found: u64) {
        if next < found {
            let expected = format!("moves {next} to {}", found - 1);
            self.report.fault(FaultKind::TagMove, place, expected, "nothing");
        }
    }

    fn one_move(
        &mut self,
        place: &str,
        (name, tag, number): (&RepositoryName, &Tag, u64),
        one: &MoveRecord,
        before: &Before,
    ) -> Result<(), StoreError> {
        self.report.counts.tag_moves += 1;
        if one.at_ms < before.at_ms {
            let expected = format!("a time not before {} ms", before.at_ms);
            self.report.fault(FaultKind::TagMove, place, expected, format!("{} ms", one.at_ms));
        }
        let Some((told, subjects)) = self.statement(place, &one.statement)? else { return Ok(()) };
        let set = |digest: Option<Digest>| digest.map(DigestSet::from);
        let created = one.event == MoveKind::Created;
        let expected = TagMove {
            repository: name.to_string(),
            tag: tag.to_string(),
            event: if created { TagEvent::Created } else { TagEvent::Deleted },
            number,
            previous: set(before.statement.map(Digest::from)),
            replaces: set(before.points.clone().filter(|_| created)),
            // Who it was stands in the statement alone.
            by: told.by.clone(),
            moved_at: told.moved_at,
        };
        // The first after one that cannot be read has nothing to be held against.
        let is_known = number == 1 || before.statement.is_some();
        let at_ms = told.moved_at.timestamp().as_millisecond();
        if (is_known && told != expected) || at_ms != one.at_ms {
            let expected = format!("{expected:?} at {} ms", one.at_ms);
            self.report.fault(FaultKind::TagMove, place, expected, format!("{told:?} in the log"));
        }
        if subjects != [one.digest.digest().clone()] {
            let expected = format!("the subject {}", one.digest);
            self.report.fault(FaultKind::TagMove, place, expected, format!("{subjects:?}"));
        }
        Ok(())
    }

    /// What the log says of a move; nothing when it cannot be read, which is told.
    fn statement(
        &mut self,
        place: &str,
        digest: &Sha256,
    ) -> Result<Option<(TagMove, Vec<Digest>)>, StoreError> {
        let mut missing = |found: String| {
            let expected = format!("statement {digest} of the log's own key in the log");
            self.report.fault(FaultKind::TagMove, place, expected, found);
        };
        let sequence = self.reader.sequence_of_digest(digest)?;
        let record = match sequence {
            Some(sequence) => sound(self.reader.record(sequence))?.flatten(),
            None => {
                missing("nothing".to_owned());
                return Ok(None);
            }
        };
        if let Some(record) = record.filter(|record| record.signer != self.signer) {
            missing(format!("one that {} signed", record.signer));
            return Ok(None);
        }
        // Bytes that are gone or not as they were are named where records are checked.
        let bytes = match self.reader.attested_bytes(*digest) {
            Err(StoreError::Missing { .. }) => return Ok(None),
            bytes => bytes?,
        };
        match read(&bytes) {
            Some(read) => Ok(Some(read)),
            None => {
                missing("a statement of another form".to_owned());
                Ok(None)
            }
        }
    }

    /// Names the moves of tags that are not there.
    fn stray_moves(&mut self) -> Result<(), StoreError> {
        let reader = self.reader;
        reader.scan(Family::TagMoves, &[], None, |key, _| {
            let Some((name, tag, number)) = parse::tag_move(key) else {
                let place = format!("key {} of {}", hex::encode(key), Family::TagMoves.name());
                let expected = "a repository, a tag and a number";
                self.report.fault(FaultKind::StrayKey, place, expected, "another");
                return Ok(ControlFlow::Continue(()));
            };
            let held = sound(reader.tag(&name, &tag))?;
            let is_one = |held: &TagRecord| (1..=held.number).contains(&number);
            if held.is_some_and(|held| !held.as_ref().is_some_and(is_one)) {
                let place = format!("move {number} of tag {tag} of {name}");
                let expected = "a tag that has moved as often";
                self.report.fault(FaultKind::TagMove, place, expected, "none");
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Names the moves that the log tells of and the repositories do not.
    fn statements(&mut self) -> Result<(), StoreError> {
        let reader = self.reader;
        let prefix = Term::new(TermKind::PredicateType, TagMove::URI).prefix();
        reader.scan(Family::Postings, &prefix, None, |key, _| {
            let record = sequence_of(key).map(|sequence| sound(reader.record(sequence)));
            let record = record.transpose()?.flatten().flatten();
            let Some(record) = record.filter(|record| record.signer == self.signer) else {
                return Ok(ControlFlow::Continue(()));
            };
            let bytes = match reader.attested_bytes(record.digest) {
                Err(StoreError::Missing { .. }) => return Ok(ControlFlow::Continue(())),
                bytes => bytes?,
            };
            let told = read(&bytes).map(|(told, _)| told);
            let names = told.as_ref().and_then(|told| {
                Some((told.repository.parse().ok()?, told.tag.parse().ok()?, told.number))
            });
            let Some((name, tag, number)) = names else { return Ok(ControlFlow::Continue(())) };
            let kept = reader.value(Family::TagMoves, &key::tag_move(&name, &tag, number))?;
            let kept = kept.map(|bytes| record::decode::<MoveRecord>(&bytes, "move of a tag"));
            let found = match kept {
                // One that cannot be read is named already.
                Some(Err(_)) => None,
                Some(Ok(one)) if one.statement == record.digest => None,
                Some(Ok(one)) => Some(format!("statement {}", one.statement)),
                None => Some("nothing".to_owned()),
            };
            if let Some(found) = found {
                let place = format!("move {number} of tag {tag} of {name}");
                let expected = format!("statement {}, which the log has", record.digest);
                self.report.fault(FaultKind::TagMove, place, expected, found);
            }
            Ok(ControlFlow::Continue(()))
        })
    }
}

/// The move and the subjects of an attestation.
fn read(bytes: &[u8]) -> Option<(TagMove, Vec<Digest>)> {
    let envelope = Envelope::parse(bytes).ok()?;
    let statement = Statement::parse(&envelope.payload).ok()?;
    let told = TagMove::from_value(&statement.predicate).ok()?;
    Some((told, statement.subject_digests().collect()))
}
