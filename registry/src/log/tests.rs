use attestry_schemas::bundle::{Bundle, Content, MessageSignature};
use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::dsse::Envelope;
use attestry_schemas::key::SigningKey;
use attestry_schemas::rekor::Entry;
use attestry_schemas::verify::{self, Claim, Keys, Subject, Verifier};

use super::*;
use crate::fsck;
use crate::store::key::{Term, TermKind};
use crate::store::query::{Query, Visibility};
use crate::store::record::Kind;
use crate::testing::{self, Registry};

/// The signature of an envelope as one over a digest: that of the bytes which it covers.
fn message(envelope: &Envelope, key: &SigningKey, namespace: &str) -> Submission {
    let (digest, signature) = (envelope.pae_digest().into(), envelope.signature.clone());
    let message = MessageSignature { digest, signature };
    let verified = verify::message(&message, &[key.public_key().clone()]).unwrap();
    Submission::of_message(&verified, namespace, true)
}

/// The same envelope with its signature in the other form.
fn other_form(envelope: &Envelope, key: &SigningKey) -> Envelope {
    let signature = key.public_key().other_form(&envelope.signature).unwrap();
    Envelope { signature, ..envelope.clone() }
}

/// The indexes that a search by one term finds.
fn found(registry: &Registry, kind: TermKind, value: &str) -> Vec<u64> {
    let query = Query {
        terms: vec![Term::new(kind, value)],
        since_ms: None,
        until_ms: None,
        visibility: Visibility::All,
        below: None,
        limit: 100,
    };
    let page = registry.store().reader().search(&query).unwrap();
    page.records.into_iter().map(|(index, _)| index).collect()
}

/// Logs submissions, all in one batch and each in its own, and looks at each registry.
#[track_caller]
fn logged(submissions: &[Submission], look: impl Fn(&Registry, &[Receipt])) {
    for batch_limit in [1, 100] {
        let registry = Registry::new();
        let receipts = registry.log(submissions.to_vec(), batch_limit);
        look(&registry, &receipts);
        assert_eq!(fsck::check(registry.path(), &mut |_| {}).unwrap().faults, []);
    }
}

fn size(registry: &Registry) -> u64 {
    registry.store().reader().tree_size().unwrap()
}

#[test]
fn an_envelope_completes_the_signature_that_came_without_it() {
    let key = testing::p256();
    let envelope = testing::signed(1, &key);
    for order in [vec![0, 1, 2], vec![1, 0, 2], vec![1, 2, 0], vec![0, 2, 1]] {
        let all = [
            testing::entry(&envelope, &key),
            message(&envelope, &key, "pay/first"),
            testing::of_envelope(&envelope, &key, "pay/later"),
        ];
        let submissions: Vec<_> = order.iter().map(|n| all[*n].clone()).collect();
        let position = |of: usize| order.iter().position(|n| *n == of).unwrap();
        logged(&submissions, |registry, receipts| {
            assert_eq!(size(registry), 2, "one leaf beside the genesis");
            let receipt = &receipts[position(2)];
            assert!(receipt.created, "{order:?}");
            assert_eq!(receipt.digest, all[2].payload.digest);
            assert_eq!(found(registry, TermKind::TypeName, "provenance"), [1]);
            let namespace = if position(1) < position(2) { "pay/first" } else { "pay/later" };
            assert_eq!(receipt.namespace, namespace, "{order:?}");
            assert_eq!(found(registry, TermKind::Namespace, namespace), [1]);
            assert_eq!(found(registry, TermKind::Namespace, "default"), [0]);
            let store = registry.store();
            let reader = store.reader();
            let record = reader.record(1).unwrap().unwrap();
            assert_eq!(record.kind, Kind::Envelope);
            assert_eq!(reader.stored_bytes(&record).unwrap(), envelope.to_json());
            if position(1) < position(2) {
                let before = &all[1].payload;
                assert_eq!(reader.sequence_of_digest(&before.digest).unwrap(), Some(1));
                let kind = reader.kind_under(1, &record, &before.digest).unwrap();
                assert_eq!(kind, Kind::Message);
                assert_eq!(reader.attested_bytes(before.digest).unwrap(), before.bytes);
            }
        });
    }
}

#[test]
fn the_two_forms_of_a_signature_are_one_entry() {
    let key = testing::p256();
    let one = testing::signed(1, &key);
    let other = other_form(&one, &key);
    let bodies = |envelope: &Envelope| Entry::for_envelope(envelope, key.public_key()).body();
    for (first, second) in [(&one, &other), (&other, &one)] {
        let submissions = [
            testing::entry(first, &key),
            testing::entry(second, &key),
            testing::of_envelope(second, &key, "pay/api"),
            testing::of_envelope(first, &key, "pay/api"),
            message(second, &key, "pay/api"),
        ];
        logged(&submissions, |registry, receipts| {
            assert_eq!(size(registry), 2, "one leaf beside the genesis");
            let created: Vec<_> = receipts.iter().map(|r| r.created).collect();
            assert_eq!(created, [true, false, true, false, false]);
            for receipt in receipts {
                assert_eq!(receipt.proven.index, 1);
                assert_eq!(receipt.body, bodies(first), "what is in the log");
            }
            let (store, log) = registry.start(LogLimits { queue_capacity: 1, batch_limit: 1 });
            let reader = store.reader();
            let record = reader.record(1).unwrap().unwrap();
            assert_eq!(reader.stored_bytes(&record).unwrap(), second.to_json(), "as it came");
            let bundle = reader.bundle(1, &record, record.kind, None, log.identity()).unwrap();
            demand_proven(registry, &bundle, &key);
            log.stop();
        });
    }
}

/// Demands that a client with the registry's trusted root accepts a bundle about artifact 1.
fn demand_proven(registry: &Registry, bundle: &Bundle, key: &SigningKey) {
    assert!(matches!(bundle.content, Content::Envelope(_)));
    let root = registry.folder().trusted_root().unwrap();
    let verifier =
        Verifier { keys: Keys::Managed(vec![key.public_key().clone()]), root: Some(&root) };
    let digest = Digest::from(Sha256::of(&1_u64.to_be_bytes()));
    verifier.bundle(bundle, Subject::of_digest(&digest), &Claim::AnyType).unwrap();
}

#[test]
fn the_two_forms_that_an_old_store_holds_as_two_entries_stay_two() {
    let key = testing::p256();
    let one = testing::signed(1, &key);
    let as_before = |envelope: &Envelope| {
        let mut submission = testing::entry(envelope, &key);
        submission.other_hash = None;
        submission
    };
    let other = other_form(&one, &key);
    let registry = Registry::new();
    registry.log(vec![as_before(&one), as_before(&other)], 2);
    let later = [&one, &other].map(|e| testing::of_envelope(e, &key, "pay/api"));
    let receipts = registry.log(later.to_vec(), 2);
    let indexes: Vec<_> = receipts.iter().map(|r| r.proven.index).collect();
    assert_eq!((indexes, size(&registry)), (vec![1, 2], 3));
    assert_eq!(fsck::check(registry.path(), &mut |_| {}).unwrap().faults, []);
}

#[test]
fn a_record_of_the_path_without_tokens_goes_to_the_first_who_has_one() {
    let key = testing::ed25519();
    let envelope = testing::signed(1, &key);
    let of = |namespace| testing::of_envelope(&envelope, &key, namespace);
    let submissions =
        [of("default").unclaimed(), of("pay/api"), of("pay/web"), of("default").unclaimed()];
    logged(&submissions, |registry, receipts| {
        let namespaces: Vec<_> = receipts.iter().map(|r| r.namespace.as_str()).collect();
        assert_eq!(namespaces[1..], ["pay/api"; 3]);
        assert_eq!(receipts.iter().filter(|r| r.created).count(), 1);
        assert_eq!(found(registry, TermKind::Namespace, "pay/api"), [1]);
        assert_eq!(found(registry, TermKind::Namespace, "default"), [0]);
        assert!(!registry.store().reader().record(1).unwrap().unwrap().unclaimed);
    });
    // Who has a token and names no namespace has said default.
    logged(&[of("default").unclaimed(), of("default"), of("pay/api")], |registry, _| {
        assert_eq!(found(registry, TermKind::Namespace, "default"), [1, 0]);
    });
}
