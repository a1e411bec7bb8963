use super::*;
use crate::store::Store;
use crate::store::engine::{Batch, Family};
use crate::store::key;
use crate::testing::{self, Registry};

impl super::super::Gate {
    /// Demands that what is kept is what the store has, by its signatures; tells how much that is.
    pub(crate) fn kept_as_stored(&self) -> usize {
        let reader = self.store.reader();
        let kept = self.shelf.kept.read().unwrap();
        let check = |(sequence, slot): (&u64, &Slot)| {
            let record = reader.record(*sequence).unwrap().unwrap();
            let stored = match record.kind {
                Kind::Bundle => self.shelf.bundle(&reader, *sequence, &record).unwrap(),
                _ => by_signature(&reader, *sequence, &record).unwrap().map(|(_, stored)| stored),
            };
            assert_eq!(stored, Some((*slot.evidence).clone()));
        };
        kept.by.iter().map(check).count()
    }
}

fn evidence(index: u64) -> Arc<Evidence> {
    let key = testing::ed25519();
    let signed = verify::envelope(&testing::signed(1, &key), &[key.public_key().clone()]).unwrap();
    let evidence = Evidence::of_statement(&signed, held(Sha256([0; 32]), 0, 0).unwrap());
    let at = evidence.logged_at();
    Arc::new(evidence.logged(index, at))
}

#[test]
fn what_nobody_asks_for_makes_room_before_what_is_asked_for_again() {
    let one = estimated_bytes(&evidence(0));
    assert!(one > OVERHEAD_BYTES, "its statement counts");
    let mut kept = Kept::default();
    for index in 0..1_000 {
        kept.put(evidence(index), 10 * one);
        if let Some(slot) = kept.by.get(&3) {
            slot.asked_for.store(true, Ordering::Relaxed);
        }
        assert!(kept.bytes <= 10 * one, "{index}: {}", kept.bytes);
    }
    assert_eq!((kept.by.len(), kept.order.len(), kept.bytes), (10, 10, 10 * one));
    assert!(kept.by.contains_key(&3), "it was asked for between any two that came");
    assert!(kept.by.contains_key(&999) && kept.by.contains_key(&991));
    assert!(!kept.by.contains_key(&4) && !kept.by.contains_key(&990));
    for _ in 0..10 {
        kept.put(evidence(999), 10 * one);
    }
    assert_eq!((kept.by.len(), kept.bytes), (10, 10 * one), "the same again takes no room");
    kept.put(evidence(1_000), 1);
    assert_eq!(kept.by.len(), 1, "what came last is kept, however little room there is");
    assert!(kept.by.contains_key(&1_000));
}

/// A registry of 600 leaves by one key, and what verifies its checkpoints.
fn filled() -> (Registry, Arc<Store>, NoteKey) {
    let registry = Registry::new();
    registry.log((1..600).map(testing::envelope).collect(), 256);
    let (folder, store) = (registry.folder(), registry.store());
    let key = folder.log_key().unwrap();
    let raw = key.public_key().ed25519_raw().unwrap();
    let key = NoteKey::ed25519(&folder.log().unwrap().origin, raw).unwrap();
    (registry, store, key)
}

/// An empty shelf of a log; facts are written under no seal of it.
fn of(log: Option<NoteKey>) -> Shelf {
    Shelf::new(log, Seal::of(&testing::ed25519()), 1 << 30)
}

/// How many tiles a shelf has verified.
fn tiles(shelf: &Shelf) -> usize {
    shelf.leaves.read().unwrap().values().flatten().count()
}

#[test]
fn what_a_full_tile_holds_is_verified_by_its_leaf_and_the_rest_by_its_signature() {
    let (_registry, store, key) = filled();
    let reader = store.reader();
    let (shelf, by_signatures) = (of(Some(key)), of(None));
    for sequence in 0..600 {
        let read = shelf.evidence(&reader, sequence).unwrap().unwrap();
        assert_eq!(by_signatures.evidence(&reader, sequence).unwrap(), Some(read), "{sequence}");
    }
    assert_eq!((tiles(&shelf), tiles(&by_signatures)), (2, 0), "the third is not full");
}

#[test]
fn nothing_that_was_changed_in_the_store_is_evidence() {
    let (_registry, store, key) = filled();
    let put = |family: Family, key: Vec<u8>, value: Vec<u8>| {
        let mut batch = Batch::default();
        batch.put(family, key, value);
        store.commit(batch).unwrap();
    };
    let record = |sequence| store.reader().record(sequence).unwrap().unwrap();
    // The envelope of leaf 7 in the place of that of leaf 5, under another signature.
    let other = store.reader().stored_bytes(&record(7)).unwrap();
    let other = Envelope::parse(&other).unwrap();
    let mut bytes = store.reader().stored_bytes(&record(5)).unwrap();
    let mut changed = Envelope::parse(&bytes).unwrap();
    changed.payload = other.payload;
    bytes = changed.to_json();
    put(Family::Content, record(5).digest.0.to_vec(), bytes);
    let shelf = || of(Some(key.clone()));
    let warm = shelf();
    let reader = store.reader();
    assert!(warm.evidence(&reader, 4).unwrap().is_some(), "the key is known by now");
    assert_eq!(warm.evidence(&reader, 5).unwrap(), None);
    assert_eq!(tiles(&warm), 1);
    // A leaf of the tile that holds it is another: the tile is worth nothing, and signatures are verified.
    let mut hashes = reader.tile_hashes(0, 0, TILE_WIDTH).unwrap().unwrap();
    hashes[9 * 32] ^= 1;
    put(Family::Tiles, key::tile(0, 0).to_vec(), hashes);
    let damaged = shelf();
    let reader = store.reader();
    for sequence in [4, 6, 8, 9, 300] {
        assert!(damaged.evidence(&reader, sequence).unwrap().is_some(), "{sequence}");
    }
    assert_eq!(damaged.evidence(&reader, 5).unwrap(), None);
    assert_eq!(tiles(&damaged), 1, "the second is as it was");
}

#[test]
fn facts_in_a_damaged_block_are_as_if_there_were_none() {
    let damaged = |detail: &str| EngineError::Corruption { detail: detail.to_owned() };
    let read = readable(Err(StoreError::Engine(damaged("a block"))), 3).unwrap();
    assert_eq!(read, [None, None, None]);
    let failing = EngineError::Io { detail: "no disk".to_owned() };
    assert!(
        readable(Err(StoreError::Engine(failing)), 3).is_err(),
        "a disk that fails is no damage"
    );
}
