//! Targets for what a log writes and is asked for: entries, notes, checkpoints, tiles, roots of trust.

use attestry_schemas::checkpoint::{Checkpoint, SignedCheckpoint};
use attestry_schemas::merkle::leaf_hash;
use attestry_schemas::note::{Note, NoteKey};
use attestry_schemas::rekor::{Entry, TlogEntry, WriteRequest, request_for};
use attestry_schemas::signing_config::SigningConfig;
use attestry_schemas::tile::{self, TilePath};
use attestry_schemas::trusted_root::TrustedRoot;
use attestry_schemas::{cosignature, json as strict};

use crate::{MAX_JSON_BYTES, text};

/// The body of a Rekor v2 entry, or a log entry in protobuf JSON.
pub fn rekor_body(input: &[u8]) -> bool {
    let entry = Entry::parse(input).ok();
    if let Some(entry) = &entry {
        assert_eq!(entry.body(), input, "a leaf has one spelling");
        assert_eq!(entry.leaf_hash(), leaf_hash(input));
        let canonical: serde_json::Value =
            strict::read(input, MAX_JSON_BYTES, "the body").expect("a body is strict JSON");
        assert_eq!(strict::canonical(&canonical).as_deref(), Ok(input), "a body is canonical");
    }
    let logged: Option<TlogEntry> = strict::read(input, MAX_JSON_BYTES, "the log entry").ok();
    if let Some(logged) = &logged {
        let written = serde_json::to_vec(logged).expect("a log entry is JSON");
        assert_eq!(strict::read(&written, usize::MAX, "the log entry").as_ref(), Ok(logged));
    }
    entry.is_some() || logged.is_some()
}

/// A write request of a stock client, with the check of its signature.
pub fn rekor_request(input: &[u8]) -> bool {
    let Ok(request) = WriteRequest::parse(input) else { return false };
    if let WriteRequest::HashedRekord(asked) = &request {
        let written = request_for(&asked.entry).to_string();
        let again = WriteRequest::parse(written.as_bytes()).expect("what parsed parses again");
        assert_eq!(again, request);
    }
    if let Ok(entry) = request.verified_entry() {
        assert_eq!(Entry::parse(&entry.body()).as_ref(), Ok(&entry), "a leaf that cannot be read");
    }
    true
}

/// A signed note, or a verifier key.
pub fn note(input: &[u8]) -> bool {
    let note = Note::parse(input).ok();
    if let Some(note) = &note {
        assert_eq!(note.to_string().as_bytes(), input, "a note has one spelling");
        let built = Note::new(note.text().to_owned(), note.signatures().to_vec());
        assert_eq!(built.as_ref(), Ok(note));
    }
    let key = text(input).and_then(|text| text.parse::<NoteKey>().ok());
    if let Some(key) = &key {
        assert_eq!(key.to_string().parse().as_ref(), Ok(key));
    }
    note.is_some() || key.is_some()
}

/// The body of a checkpoint; or a verifier key, a newline and a signed checkpoint to open with it.
pub fn checkpoint(input: &[u8]) -> bool {
    let Some(text) = text(input) else { return false };
    let body = Checkpoint::parse(text).ok();
    if let Some(checkpoint) = &body {
        let written = checkpoint.body().expect("what parsed can be written");
        assert_eq!(written, text, "a checkpoint has one spelling");
    }
    let opened = text.split_once('\n').and_then(|(key, signed)| {
        let key: NoteKey = key.parse().ok()?;
        let note = Note::parse(signed).ok()?;
        // An input cannot hold a valid signature by chance; the reader must still be total.
        let _ = cosignature::verify_note(&key, &note);
        SignedCheckpoint::open(signed, &key).ok()
    });
    if let Some(opened) = &opened {
        assert!(opened.checkpoint.body().is_ok());
    }
    body.is_some() || opened.is_some()
}

/// The path of a tile or of an entry bundle.
pub fn tile_path(input: &[u8]) -> bool {
    let Some(Ok(path)) = text(input).map(str::parse::<TilePath>) else { return false };
    assert_eq!(path.to_string().as_bytes(), input, "a path has one spelling");
    true
}

/// A tile or an entry bundle: its width (less one) in the first byte, then its bytes.
pub fn entry_bundle(input: &[u8]) -> bool {
    let Some((&width, bytes)) = input.split_first() else { return false };
    let width = u16::from(width) + 1;
    let entries = tile::read_entries(bytes, width).ok();
    if let Some(entries) = &entries {
        assert_eq!(entries.len(), usize::from(width));
        let mut written = Vec::new();
        for entry in entries {
            tile::append_entry(&mut written, entry).expect("an entry that was read fits");
        }
        assert_eq!(written, bytes, "an entry bundle has one spelling");
    }
    let hashes = tile::read_hashes(bytes, width).ok();
    if let Some(hashes) = &hashes {
        assert_eq!(tile::write_hashes(hashes), bytes);
        let pyramid = tile::Pyramid::from_hashes(bytes).expect("a tile of 1 to 256 hashes");
        assert_eq!(pyramid.hashes(), hashes);
    }
    entries.is_some() || hashes.is_some()
}

/// A trusted root, and the note key of each log it lists.
pub fn trusted_root(input: &[u8]) -> bool {
    let Ok(root) = TrustedRoot::parse(input) else { return false };
    assert_eq!(root.text().as_bytes(), input, "a root is kept as it was given");
    assert_eq!(TrustedRoot::parse(root.text().as_bytes()).as_ref(), Ok(&root));
    for log in root.logs() {
        if let Ok(key) = log.note_key() {
            assert_eq!(key.name(), log.origin);
        }
        assert!(root.log(&log.log_id).is_some());
    }
    true
}

/// A signing configuration.
pub fn signing_config(input: &[u8]) -> bool {
    let Ok(config) = SigningConfig::parse(input) else { return false };
    assert_eq!(config.text().as_bytes(), input, "a configuration is kept as it was given");
    assert_eq!(SigningConfig::parse(config.text().as_bytes()).as_ref(), Ok(&config));
    true
}
