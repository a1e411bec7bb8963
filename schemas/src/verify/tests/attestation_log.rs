//! Attacks on the log entry, its inclusion proof and the checkpoint.

use super::*;
use crate::note::Note;

#[test]
fn refuses_each_attack_on_the_log_entry() {
    let cases: &[Case] = &[
        (
            "with a trusted root the log is consulted",
            |t| t.bundle.tlog_entries.clear(),
            Check::LogEntry,
            "a log entry in the bundle, because a trusted root was given",
            "none",
        ),
        (
            "a checkpoint is signed while its key may sign",
            |t| t.bound_log_key(TIME_S as i64 + 1, None),
            Check::Checkpoint,
            "whose key is valid from 2026-",
            "signed at Unix second 1795480867",
        ),
        (
            "a checkpoint is signed while its key still may sign",
            |t| t.bound_log_key(0, Some(TIME_S as i64 - 1)),
            Check::Checkpoint,
            "whose key is valid from 1970-01-01T00:00:00Z until 2026-",
            "signed at Unix second 1795480867",
        ),
        (
            "an entry records this very signature",
            |t| *t.entry() = t.log.entry(0),
            Check::LogEntry,
            "an entry that records this signature",
            "one that records another",
        ),
        (
            "every entry records this very signature",
            |t| {
                let other = t.log.entry(0);
                t.bundle.tlog_entries.push(other);
            },
            Check::LogEntry,
            "an entry that records this signature",
            "one that records another",
        ),
        (
            "an entry of another signature of the same key is another entry",
            |t| {
                // ECDSA is randomized: the same payload has many signatures.
                let payload = t.envelope().payload.clone();
                let again = Envelope::sign(PAYLOAD_TYPE, &payload, &t.signer);
                let body = Entry::for_envelope(&again, t.signer.public_key()).body();
                t.entry().canonicalized_body = body;
            },
            Check::LogEntry,
            "an entry that records this signature",
            "one that records another",
        ),
        (
            "an entry names the key that signed",
            |t| {
                let other = p256(2);
                let body = Entry::for_envelope(t.envelope(), other.public_key()).body();
                t.entry().canonicalized_body = body;
            },
            Check::LogEntry,
            "an entry that records this signature",
            "one that records another",
        ),
        (
            "an entry's body has one spelling",
            |t| t.entry().canonicalized_body.push(b' '),
            Check::LogEntry,
            "an entry that records this signature",
            "one that records another",
        ),
        (
            "an entry has a body",
            |t| t.entry().canonicalized_body.clear(),
            Check::LogEntry,
            "an entry that records this signature",
            "one that records another",
        ),
        (
            "an entry is of a log that the root trusts",
            |t| t.entry().log_id.key_id[0] ^= 1,
            Check::LogEntry,
            "an entry of a log in the trusted root (registry.example.com)",
            "log id",
        ),
        (
            "an entry names its log, in a few bytes",
            |t| t.entry().log_id.key_id = vec![0; 1 << 20],
            Check::LogEntry,
            "an entry of a log in the trusted root",
            "log id AAAA",
        ),
        (
            "a root trusts a log by its key",
            |t| t.root = Some(Log { key: ed25519(8), bodies: vec![] }.root()),
            Check::LogEntry,
            "an entry of a log in the trusted root (registry.example.com)",
            "log id",
        ),
        (
            "a label of another kind changes nothing",
            |t| t.entry().kind_version.version = "0.0.1".to_owned(),
            Check::LogEntry,
            "a Rekor v1 entry that records this signature",
            "",
        ),
        (
            "a label of no kind changes nothing",
            |t| t.entry().kind_version = KindVersion::default(),
            Check::LogEntry,
            "a Rekor v1 entry that records this signature",
            "",
        ),
    ];
    check(Trial::attestation, cases);
    check(
        Trial::signature,
        &[(
            "an entry of a statement about the artifact is not one of its signature",
            |t| *t.entry() = Trial::attestation().log.entry(Log::INDEX),
            Check::LogEntry,
            "an entry that records this signature",
            "one that records another",
        )],
    );
}

#[test]
fn refuses_each_attack_on_the_inclusion_proof() {
    let at_root = "leaf 6 is in the tree of size 11";
    let cases: &[Case] = &[
        (
            "an entry has a proof",
            |t| t.entry().inclusion_proof = None,
            Check::Inclusion,
            "an inclusion proof",
            "none",
        ),
        (
            "a proof is of the entry's index",
            |t| t.entry().log_index = 5,
            Check::Inclusion,
            "a proof for index 5",
            "one for index 6",
        ),
        (
            "an entry is of the proof's index",
            |t| t.proof().log_index = 7,
            Check::Inclusion,
            "a proof for index 6",
            "one for index 7",
        ),
        (
            "a leaf is where it is said to be",
            |t| {
                t.entry().log_index = 7;
                t.proof().log_index = 7;
            },
            Check::Inclusion,
            "leaf 7 is in the tree of size 11",
            "root",
        ),
        (
            "an index is within the tree",
            |t| {
                t.entry().log_index = Log::SIZE;
                t.proof().log_index = Log::SIZE;
            },
            Check::Inclusion,
            "leaf 11 is in the tree of size 11",
            "11",
        ),
        (
            "an index that no tree has is refused like any other",
            |t| {
                t.entry().log_index = u64::MAX;
                t.proof().log_index = u64::MAX;
            },
            Check::Inclusion,
            "leaf 18446744073709551615",
            "11",
        ),
        (
            "a proof is for the checkpoint's size",
            |t| t.proof().tree_size = 12,
            Check::Inclusion,
            "the checkpoint's tree of size 11",
            "one for size 12",
        ),
        (
            "a proof is for the checkpoint's root",
            |t| t.proof().root_hash[31] ^= 1,
            Check::Inclusion,
            "with root sha256:",
            "one for size 11 with root sha256:",
        ),
        (
            "a proof names its root, in 32 bytes",
            |t| t.proof().root_hash = vec![0; 1 << 20],
            Check::Inclusion,
            "with root sha256:",
            "one for size 11 with root sha256:000000",
        ),
        (
            "a hash of the proof counts to its last bit",
            |t| t.proof().hashes[1][31] ^= 1,
            Check::Inclusion,
            at_root,
            "root",
        ),
        (
            "a proof has no hash too many",
            |t| t.proof().hashes.push(vec![0; 32]),
            Check::Inclusion,
            at_root,
            "the proof has 5 hashes, expected 4",
        ),
        (
            "a proof has no hash too few",
            |t| t.proof().hashes.truncate(3),
            Check::Inclusion,
            at_root,
            "the proof has 3 hashes, expected 4",
        ),
        (
            "a proof is not empty",
            |t| t.proof().hashes.clear(),
            Check::Inclusion,
            at_root,
            "the proof has 0 hashes, expected 4",
        ),
        (
            "the hashes of a proof have an order",
            |t| t.proof().hashes.swap(0, 1),
            Check::Inclusion,
            at_root,
            "root",
        ),
        (
            "a hash has 32 bytes",
            |t| {
                t.proof().hashes[0].pop();
            },
            Check::Inclusion,
            "hashes of 32 bytes",
            "another length",
        ),
        (
            "a tree that was signed before the leaf does not hold it",
            |t| t.sign_head(&t.log.head(5)),
            Check::Inclusion,
            "leaf 6 is in the tree of size 5",
            "6",
        ),
        (
            "another tree of the log does not hold the leaf",
            |t| {
                t.log.bodies[6] = b"another".to_vec();
                t.sign_head(&t.log.head(Log::SIZE));
            },
            Check::Inclusion,
            at_root,
            "root",
        ),
        (
            "the greatest tree there can be is refused like any other",
            |t| {
                let head = Checkpoint { size: u64::MAX, ..t.log.head(Log::SIZE) };
                t.sign_head(&head);
            },
            Check::Inclusion,
            "the tree of size 18446744073709551615",
            "64",
        ),
        (
            "the empty tree holds nothing",
            |t| t.sign_head(&t.log.head(0)),
            Check::Inclusion,
            "the tree of size 0",
            "",
        ),
    ];
    check(Trial::attestation, cases);
}

#[test]
fn refuses_each_attack_on_the_checkpoint() {
    let ours = "a checkpoint of registry.example.com signed by its key SHA256:";
    let cases: &[Case] = &[
        (
            "a checkpoint is signed by the log's key",
            |t| {
                let head = t.log.head(Log::SIZE);
                *t.checkpoint() = Log { key: ed25519(8), bodies: vec![] }.signed(&head);
            },
            Check::Checkpoint,
            ours,
            "the note is not signed by registry.example.com+",
        ),
        (
            "a checkpoint of another log of the same key is another's",
            |t| {
                let origin = "other.example.com".to_owned();
                *t.checkpoint() = t.log.signed(&Checkpoint { origin, ..t.log.head(Log::SIZE) });
            },
            Check::Checkpoint,
            ours,
            "the note is not signed by registry.example.com+",
        ),
        (
            "the log's key speaks for its own origin",
            |t| {
                let body = t.log.head(Log::SIZE).body().unwrap();
                let body = body.replace(ORIGIN, "other.example.com");
                let key = t.root.as_ref().unwrap().logs()[0].note_key().unwrap();
                let line = key.sign(&body, |message| t.log.key.sign(message)).unwrap();
                *t.checkpoint() = Note::new(body, vec![line]).unwrap().to_string();
            },
            Check::Checkpoint,
            ours,
            "found one of \"other.example.com\"",
        ),
        (
            "the signature covers the size",
            |t| *t.checkpoint() = t.checkpoint().replace("\n11\n", "\n12\n"),
            Check::Checkpoint,
            ours,
            "signature",
        ),
        (
            "the signature covers the root",
            |t| {
                let root = crate::base64::encode(t.log.head(10).root.0);
                let old = crate::base64::encode(t.log.head(Log::SIZE).root.0);
                *t.checkpoint() = t.checkpoint().replace(&old, &root);
            },
            Check::Checkpoint,
            ours,
            "signature",
        ),
        (
            "the signature covers every line",
            |t| *t.checkpoint() = t.checkpoint().replacen("=\n\n", "=\nmore\n\n", 1),
            Check::Checkpoint,
            ours,
            "signature",
        ),
        (
            "a cosignature is not the log's signature",
            |t| *t.checkpoint() = without_line(t.checkpoint(), 0),
            Check::Checkpoint,
            ours,
            "the note is not signed by registry.example.com+",
        ),
        (
            "a checkpoint has a signature",
            |t| {
                let bare = without_line(&without_line(t.checkpoint(), 0), 0);
                *t.checkpoint() = bare;
            },
            Check::Checkpoint,
            ours,
            "the signed note was refused",
        ),
        (
            "there is a checkpoint",
            |t| t.checkpoint().clear(),
            Check::Checkpoint,
            ours,
            "the signed note was refused",
        ),
        (
            "the time is the log's",
            |t| {
                let head = t.log.head(Log::SIZE);
                let signed = SignedCheckpoint::sign(&head, &t.log.key, TIME_S).unwrap();
                let note = Note::parse(signed).unwrap();
                let mut lines = note.signatures().to_vec();
                lines[1].signature[7] ^= 1;
                *t.checkpoint() = Note::new(note.text().to_owned(), lines).unwrap().to_string();
            },
            Check::Checkpoint,
            ours,
            "signature",
        ),
    ];
    check(Trial::attestation, cases);
}

/// A checkpoint without one of its signature lines.
fn without_line(signed: &str, line: usize) -> String {
    let (text, lines) = signed.split_once("\n\n").unwrap();
    let mut lines: Vec<&str> = lines.lines().collect();
    lines.remove(line);
    format!("{text}\n\n{}\n", lines.join("\n"))
}

#[test]
fn a_checkpoint_without_a_cosignature_proves_inclusion_and_no_time() {
    let mut trial = Trial::attestation();
    *trial.checkpoint() = without_line(trial.checkpoint(), 1);
    assert_eq!(trial.verify().unwrap().logged[0].cosigned_at_s, None);
}

#[test]
fn an_entry_verifies_in_every_tree_that_holds_it() {
    let mut trial = Trial::attestation();
    for size in Log::INDEX + 1..=Log::SIZE {
        trial.sign_head(&trial.log.head(size));
        let node = |at| Ok::<_, std::convert::Infallible>(trial.log.node(at));
        let hashes = merkle::inclusion_proof(Log::INDEX, size, node).unwrap();
        trial.proof().hashes = hashes.iter().map(|hash| hash.0.to_vec()).collect();
        assert_eq!(trial.verify().unwrap().logged[0].size, size);
    }
}
