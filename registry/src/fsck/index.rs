//! Records against what they say: signatures, lookups, postings and edges, nothing missing and
//! nothing extra.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use attestry_schemas::bundle::MessageSignature;
use attestry_schemas::digest::Sha256;
use attestry_schemas::key::SignatureError;
use attestry_schemas::rekor::{Entry, Verifier};
use attestry_schemas::verify;

use super::{FaultKind, FsckError, Progress, Report};
use crate::log::{Payload, Submission};
use crate::store::engine::Family;
use crate::store::record::{Kind, Record};
use crate::store::{Reader, StoreError, key};

/// How many keys pass between two calls of `progress`.
const PROGRESS_STEP: u64 = 1 << 16;

/// The families whose keys follow from the records, with the kind of their faults.
const FAMILIES: [(Family, FaultKind); 3] = [
    (Family::Lookups, FaultKind::Lookup),
    (Family::Postings, FaultKind::Posting),
    (Family::Edges, FaultKind::Edge),
];

/// Every key that a record accounts for, with its value.
type Expected = BTreeMap<(Family, Vec<u8>), Vec<u8>>;

/// One record under check.
pub(super) struct Index<'a, 's> {
    reader: &'a Reader<'s>,
    report: &'a mut Report,
}

impl<'a, 's> Index<'a, 's> {
    pub(super) fn new(reader: &'a Reader<'s>, report: &'a mut Report) -> Self {
        Self { reader, report }
    }

    /// Checks a record whose leaf is whole.
    pub(super) fn check(
        &mut self,
        index: u64,
        body: &[u8],
        record: &Record,
    ) -> Result<(), StoreError> {
        self.report.counts.records += 1;
        let place = format!("record {index}");
        let Some(bytes) = self.bytes(&place, record)? else { return Ok(()) };
        let namespace = &record.namespace;
        let taken =
            Submission::from_stored(record.kind, body, bytes, namespace, record.signer_known);
        let submission = match taken {
            Ok(submission) => submission,
            Err(found) => {
                let expected = "what verifies and fits its leaf";
                self.report.fault(FaultKind::Signature, place, expected, found);
                return Ok(());
            }
        };
        match record.kind {
            Kind::Entry => self.entry_signature(&place, body),
            _ => self.report.counts.signatures += 1,
        }
        self.compare(&place, record, &submission);
        for earlier in earlier(self.reader, index, &submission, record.earlier)? {
            let Payload { kind, digest, .. } = earlier.payload;
            if kind == Kind::Message && self.reader.content(digest)?.is_none() {
                let expected = format!("content {digest}, a signature that came before");
                self.report.fault(FaultKind::Content, place.as_str(), expected, "nothing");
            }
        }
        if let Some(digest) = record.earlier
            && earlier_bundle(self.reader, &submission, digest)?.is_none()
        {
            let expected = format!("content {digest}, a bundle of the same signature");
            self.report.fault(FaultKind::Content, place.as_str(), expected, "nothing like it");
        }
        for ((family, key), value) in
            expected_keys(self.reader, index, &submission, record.earlier)?
        {
            self.demand(&place, family, &key, &value)?;
        }
        Ok(())
    }

    /// The stored bytes, when they are those that the record names.
    fn bytes(&mut self, place: &str, record: &Record) -> Result<Option<Vec<u8>>, StoreError> {
        if record.kind == Kind::Entry {
            return Ok(Some(Vec::new()));
        }
        match self.reader.stored_bytes(record) {
            // Bytes that do not have their digest are named when the content itself is checked.
            Ok(bytes) => Ok((Sha256::of(&bytes) == record.digest).then_some(bytes)),
            Err(StoreError::Missing { .. }) => {
                let expected = format!("content {}", record.digest);
                self.report.fault(FaultKind::Content, place, expected, "nothing");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// An entry that was logged by digest: P-256 can be verified again, Ed25519 needs the message.
    fn entry_signature(&mut self, place: &str, body: &[u8]) {
        let Ok(entry) = Entry::parse(body) else { return };
        let Verifier::PublicKey(key) = &entry.verifier else { return };
        match entry.verify_over_digest(key) {
            Ok(()) => self.report.counts.signatures += 1,
            Err(SignatureError::NeedsMessage) => {}
            Err(error) => {
                let expected = "a signature over the entry's digest";
                self.report.fault(FaultKind::Signature, place, expected, error.found());
            }
        }
    }

    fn compare(&mut self, place: &str, record: &Record, submission: &Submission) {
        let payload = &submission.payload;
        let mut field = |name: &str, expected: String, found: String| {
            if expected != found {
                let expected = format!("{name} {expected}");
                self.report.fault(FaultKind::Record, place, expected, found);
            }
        };
        field("digest", payload.digest.to_string(), record.digest.to_string());
        field("leaf_hash", submission.leaf_hash.to_string(), record.leaf_hash.to_string());
        field("signer", payload.signer.to_string(), record.signer.to_string());
        let words = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        field("predicate_type", words(&payload.predicate_type), words(&record.predicate_type));
        field("subject_count", payload.subject_count.to_string(), record.subject_count.to_string());
        if payload.subjects != record.subjects {
            field("subjects", format!("{:?}", payload.subjects), format!("{:?}", record.subjects));
        }
    }

    fn demand(
        &mut self,
        place: &str,
        family: Family,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StoreError> {
        let (kind, count) = match family {
            Family::Lookups => (FaultKind::Lookup, &mut self.report.counts.lookups),
            Family::Postings => (FaultKind::Posting, &mut self.report.counts.postings),
            _ => (FaultKind::Edge, &mut self.report.counts.edges),
        };
        let found = self.reader.snapshot().get(family, key).map_err(StoreError::Engine)?;
        *count += u64::from(found.is_some());
        if found.as_deref() != Some(value) {
            let place = format!("{place}, key {}", words(family, key));
            let found = found.map_or_else(|| "nothing".to_owned(), |v| format!("{v:02x?}"));
            self.report.fault(kind, place, format!("the value {value:02x?}"), found);
        }
        Ok(())
    }
}

/// The keys that a submission has written, at its index.
fn expected_keys(
    reader: &Reader<'_>,
    index: u64,
    submission: &Submission,
    before: Option<Sha256>,
) -> Result<Expected, StoreError> {
    let mut expected = Expected::new();
    let lookup = key::leaf_lookup(&submission.leaf_hash);
    expected.insert((Family::Lookups, lookup.to_vec()), key::sequence(index).to_vec());
    add_keys(&mut expected, index, submission);
    for earlier in earlier(reader, index, submission, before)? {
        add_keys(&mut expected, index, &earlier);
    }
    Ok(expected)
}

/// What a leaf was before more of it came: logged by digest alone, and as a signature without what
/// it covers, in either form of the signature. It keeps the keys of those times, all but the
/// namespace, because clients have them; it is known by the lookup of its digest. A certificate's bundle is not made of the leaf,
/// so the record names the one that came before.
fn earlier(
    reader: &Reader<'_>,
    index: u64,
    submission: &Submission,
    before: Option<Sha256>,
) -> Result<Vec<Submission>, StoreError> {
    let kind = submission.payload.kind;
    let mut earlier = Vec::new();
    if let Some(digest) = before {
        earlier.extend(earlier_bundle(reader, submission, digest)?);
    }
    if kind != Kind::Entry
        && let Ok(entry) = Entry::parse(&submission.body)
        && let Verifier::PublicKey(key) = &entry.verifier
    {
        let (namespace, known) = (&submission.payload.namespace, submission.payload.signer_known);
        earlier.push(Submission::of_entry(&entry, key, namespace, known));
        if matches!(kind, Kind::Envelope | Kind::ImageSignature) {
            for form in [Some(entry.clone()), entry.other_form()].into_iter().flatten() {
                let (digest, signature) = (form.digest.into(), form.signature);
                let message = MessageSignature { digest, signature };
                // Pure Ed25519 covers the whole message, so there is none of it.
                if let Ok(signed) = verify::message(&message, std::slice::from_ref(key)) {
                    earlier.push(Submission::of_message(&signed, namespace, known));
                }
            }
        }
    }
    let mut there = Vec::new();
    for submission in earlier {
        if reader.sequence_of_digest(&submission.payload.digest)? == Some(index) {
            // Its leaf is the one that is there, whatever the form of its signature.
            there.push(submission);
        }
    }
    Ok(there)
}

/// The bundle of an artifact's signature that a leaf was before its envelope came.
fn earlier_bundle(
    reader: &Reader<'_>,
    submission: &Submission,
    digest: Sha256,
) -> Result<Option<Submission>, StoreError> {
    let bytes = match reader.attested_bytes(digest) {
        Err(StoreError::Missing { .. }) => return Ok(None),
        bytes => bytes?,
    };
    let (namespace, known) = (&submission.payload.namespace, submission.payload.signer_known);
    let taken =
        Submission::from_stored(Kind::Bundle, &submission.body, bytes, namespace, known).ok();
    Ok(taken.filter(|taken| taken.payload.digest == digest))
}

fn add_keys(expected: &mut Expected, index: u64, submission: &Submission) {
    let payload = &submission.payload;
    let sequence = key::sequence(index).to_vec();
    let lookup = key::digest_lookup(&payload.digest);
    expected.insert((Family::Lookups, lookup.to_vec()), sequence.clone());
    for term in &payload.terms {
        expected.insert((Family::Postings, term.posting(index)), Vec::new());
    }
    for key in payload.edges.iter().flat_map(|edge| edge.keys(index)) {
        expected.insert((Family::Edges, key), Vec::new());
    }
}

/// Names the keys that no record accounts for. They are looked for only where a family has more
/// keys than the records do, because naming them takes each record again for each key.
pub(super) fn extras(
    reader: &Reader<'_>,
    size: u64,
    report: &mut Report,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), FsckError> {
    for (family, kind) in FAMILIES {
        let counts = report.counts;
        let accounted = match family {
            Family::Lookups => counts.lookups,
            Family::Postings => counts.postings,
            _ => counts.edges,
        };
        let mut keys = 0;
        let counted = reader.visit_keys(family, |_| {
            keys += 1;
            if keys % PROGRESS_STEP == 0 {
                progress(Progress { stage: family.name(), done: keys, of: Some(accounted) });
            }
        });
        let named = counted.and_then(|()| match keys > accounted {
            true => name_extras(reader, family, kind, size, report),
            false => Ok(()),
        });
        named.or_else(|error| report.damage(family.name(), error))?;
    }
    Ok(())
}

fn name_extras(
    reader: &Reader<'_>,
    family: Family,
    kind: FaultKind,
    size: u64,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut taken = Taken { reader, index: None, expected: None };
    let mut outcome = Ok(());
    let visited = reader.snapshot().visit(family, &[], None, |key, value| {
        let at = if family == Family::Lookups { value } else { key };
        let extra = match key::sequence_of(at).filter(|index| *index < size) {
            None => Ok(true),
            Some(index) => taken.at(index).map(|expected| {
                // A record that cannot be taken again is a fault already, and says nothing here.
                expected.is_some_and(|e| !e.contains_key(&(family, key.to_vec())))
            }),
        };
        match extra {
            Ok(true) => report.fault(kind, words(family, key), "no such key", "one"),
            Ok(false) => {}
            Err(error) => {
                outcome = Err(error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    });
    outcome.and(visited.map_err(StoreError::Engine))
}

/// The keys of the record that was taken last.
struct Taken<'a, 's> {
    reader: &'a Reader<'s>,
    index: Option<u64>,
    expected: Option<Expected>,
}

impl Taken<'_, '_> {
    fn at(&mut self, index: u64) -> Result<Option<&Expected>, StoreError> {
        if self.index != Some(index) {
            self.expected = self.take(index)?;
            self.index = Some(index);
        }
        Ok(self.expected.as_ref())
    }

    fn take(&self, index: u64) -> Result<Option<Expected>, StoreError> {
        let record = match self.reader.record(index) {
            Ok(Some(record)) => record,
            Ok(None) | Err(StoreError::Record(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(body) = self.reader.leaf(index)? else { return Ok(None) };
        let bytes = match record.kind {
            Kind::Entry => Vec::new(),
            _ => match self.reader.stored_bytes(&record) {
                Err(StoreError::Missing { .. }) => return Ok(None),
                bytes => bytes?,
            },
        };
        let known = record.signer_known;
        let taken = Submission::from_stored(record.kind, &body, bytes, &record.namespace, known);
        match taken {
            Ok(submission) => {
                expected_keys(self.reader, index, &submission, record.earlier).map(Some)
            }
            Err(_) => Ok(None),
        }
    }
}

/// A key as a reader can place it: its text parts, and the sequence at its end.
fn words(family: Family, key: &[u8]) -> String {
    if family == Family::Lookups {
        return hex::encode(key);
    }
    let (text, sequence) = key.split_at(key.len().saturating_sub(8));
    let text = String::from_utf8_lossy(text).replace(char::is_control, " ");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{text:?} of {}", key::sequence_of(sequence).unwrap_or_default())
}
