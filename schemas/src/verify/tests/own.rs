//! What a log's own program reads back.

use super::*;
use crate::note::NoteKey;
use crate::statement::Statement;
use crate::tile::{Pyramid, TILE_WIDTH};

/// The leaf with the envelope: the fourth of the second tile.
const INDEX: u64 = 259;
const SIZE: u64 = 700;

/// A log of 700 leaves, of which one is an envelope's.
struct Own {
    log: Log,
    envelope: Envelope,
    signer: SigningKey,
}

impl Own {
    fn new() -> Self {
        let subject = ResourceDescriptor::named("app", digest(ARTIFACT));
        let statement = Statement::new(vec![subject], TEST_RESULT, serde_json::json!({}));
        let signer = p256(3);
        let envelope = Envelope::sign(PAYLOAD_TYPE, &statement.unwrap().to_json(), &signer);
        let mut bodies: Vec<Vec<u8>> = (0..SIZE).map(|i| i.to_be_bytes().to_vec()).collect();
        bodies[INDEX as usize] = Entry::for_envelope(&envelope, signer.public_key()).body();
        Self { log: Log { key: ed25519(7), bodies }, envelope, signer }
    }

    fn key(&self) -> NoteKey {
        NoteKey::ed25519(ORIGIN, self.log.key.public_key().ed25519_raw().unwrap()).unwrap()
    }

    fn checkpoint(&self) -> String {
        self.log.signed(&self.log.head(SIZE))
    }

    fn tile(&self, index: u64) -> Pyramid {
        let mut tile = Pyramid::new();
        let leaves = self.log.bodies.iter().skip((index * u64::from(TILE_WIDTH)) as usize);
        for body in leaves.take(usize::from(TILE_WIDTH)) {
            tile.push(merkle::leaf_hash(body)).unwrap();
        }
        tile
    }

    fn proof(&self, index: u64) -> Vec<Sha256> {
        let node = |at| Ok::<_, std::convert::Infallible>(self.log.node(at));
        merkle::inclusion_proof(index * u64::from(TILE_WIDTH), SIZE, node).unwrap()
    }

    fn leaves(&self, index: u64) -> Result<Verified<OwnLeaves>, Refusal> {
        own_leaves(&self.checkpoint(), &self.key(), &self.tile(index), index, &self.proof(index))
    }
}

#[test]
fn an_envelope_of_the_log_is_verified_as_by_its_signature() {
    let own = Own::new();
    let leaves = own.leaves(1).unwrap();
    let key = own.signer.public_key();
    let read = own_envelope(&own.envelope, key, &leaves, INDEX).unwrap();
    assert_eq!(read, envelope(&own.envelope, std::slice::from_ref(key)).unwrap());
    assert!(own.leaves(0).is_ok());
}

#[test]
fn refuses_an_envelope_that_is_not_the_leafs() {
    let own = Own::new();
    let leaves = own.leaves(1).unwrap();
    let refused = |envelope: Envelope, key: &SigningKey, index: u64| {
        own_envelope(&envelope, key.public_key(), &leaves, index).unwrap_err().check
    };
    let good = || own.envelope.clone();
    for index in [INDEX - 1, INDEX + 1, 0, u64::MAX] {
        assert_eq!(refused(good(), &own.signer, index), Check::LogEntry, "{index}");
    }
    assert_eq!(refused(good(), &p256(4), INDEX), Check::LogEntry, "another key");
    let mut other = good();
    other.payload.push(b' ');
    assert_eq!(refused(other, &own.signer, INDEX), Check::LogEntry, "another payload");
    let mut other = good();
    other.payload_type.push('x');
    assert_eq!(refused(other, &own.signer, INDEX), Check::LogEntry, "another type");
    let mut other = good();
    *other.signature.last_mut().unwrap() ^= 1;
    assert_eq!(refused(other, &own.signer, INDEX), Check::LogEntry, "another signature");
}

#[test]
fn refuses_hashes_that_the_checkpoint_does_not_cover() {
    let own = Own::new();
    let (checkpoint, key) = (own.checkpoint(), own.key());
    let refused = |tile: &Pyramid, index: u64, proof: &[Sha256]| {
        own_leaves(&checkpoint, &key, tile, index, proof).unwrap_err().check
    };
    for place in [0, 1, 2, 3, 100, 255] {
        let mut tile = Pyramid::new();
        for (at, hash) in own.tile(1).hashes().iter().enumerate() {
            tile.push(if at == place { Sha256([1; 32]) } else { *hash }).unwrap();
        }
        assert_eq!(refused(&tile, 1, &own.proof(1)), Check::Inclusion, "{place}");
    }
    assert_eq!(refused(&own.tile(1), 0, &own.proof(0)), Check::Inclusion, "another place");
    assert_eq!(refused(&own.tile(2), 2, &own.proof(2)), Check::Inclusion, "not full");
    assert_eq!(refused(&own.tile(1), u64::MAX, &own.proof(1)), Check::Inclusion, "no such place");
    assert_eq!(refused(&own.tile(1), 1, &own.proof(1)[..8]), Check::Inclusion, "a short proof");
    // Whatever the proof says of the tile itself is computed and not believed.
    let mut proof = own.proof(1);
    proof[0] = Sha256([1; 32]);
    assert!(own_leaves(&checkpoint, &key, &own.tile(1), 1, &proof).is_ok());
}

#[test]
fn refuses_a_checkpoint_of_another_key() {
    let mut own = Own::new();
    let key = own.key();
    own.log.key = ed25519(8);
    let refused = own_leaves(&own.checkpoint(), &key, &own.tile(1), 1, &own.proof(1));
    assert_eq!(refused.unwrap_err().check, Check::Checkpoint);
}

#[test]
fn one_leaf_is_proven_by_its_own_path() {
    let own = Own::new();
    let (checkpoint, key) = (own.checkpoint(), own.key());
    let leaf = |index: u64| merkle::leaf_hash(&own.log.bodies[index as usize]);
    let proof = |index: u64| {
        let node = |at| Ok::<_, std::convert::Infallible>(own.log.node(at));
        merkle::inclusion_proof(index, SIZE, node).unwrap()
    };
    for index in [0, INDEX, SIZE - 1] {
        let proven = own_leaf(&checkpoint, &key, leaf(index), index, &proof(index)).unwrap();
        assert_eq!(proven.get().hash(index), Some(&leaf(index)));
        assert_eq!((proven.get().hash(index + 1), proven.get().hash(u64::MAX)), (None, None));
    }
    let refused = |leaf: Sha256, index: u64, proof: &[Sha256]| {
        own_leaf(&checkpoint, &key, leaf, index, proof).unwrap_err().check
    };
    assert_eq!(refused(leaf(5), 6, &proof(6)), Check::Inclusion, "another leaf");
    assert_eq!(refused(leaf(6), 6, &proof(5)), Check::Inclusion, "another path");
    assert_eq!(refused(leaf(6), SIZE, &proof(6)), Check::Inclusion, "beyond the tree");
    let envelope = own_leaf(&checkpoint, &key, leaf(INDEX), INDEX, &proof(INDEX)).unwrap();
    own_envelope(&own.envelope, own.signer.public_key(), &envelope, INDEX).unwrap();
    let mut other = own;
    other.log.key = ed25519(8);
    let refused = own_leaf(&other.checkpoint(), &key, Sha256([0; 32]), 0, &[]);
    assert_eq!(refused.unwrap_err().check, Check::Checkpoint);
}
