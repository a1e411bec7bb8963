//! SHA-256 of a stream: one thread reads while another hashes. SHA-512 only where it is asked for.

use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::dsse::PAE_PREFIX;
use sha2::Digest as _;

use super::SubjectError;
use crate::progress::Progress;

/// How many bytes are read at a time.
const BLOCK_BYTES: usize = 1024 * 1024;
/// How many blocks are under way: one read, one hashed, one between.
const BLOCKS: usize = 3;
/// Below this length a second thread costs more than it gains.
const THREAD_BYTES: u64 = 4 * 1024 * 1024;

/// What was seen of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hashed {
    /// The digest of all its bytes.
    pub(super) sha256: Sha256,
    /// Whether they begin with [`PAE_PREFIX`].
    pub(super) begins_as_pae: bool,
}

/// Hashes everything that `reader` gives. `length` is how much that should be, where it is known.
///
/// # Errors
/// [`SubjectError::Unreadable`], and [`SubjectError::Stopped`] once `stop` is set.
pub(super) fn stream(
    mut reader: impl Read + Send,
    path: &Path,
    length: Option<u64>,
    progress: &mut Progress,
    stop: &AtomicBool,
) -> Result<Hashed, SubjectError> {
    let mut hasher = sha2::Sha256::new();
    let mut begins_as_pae = None;
    let mut take = |block: &[u8]| {
        if stop.load(Ordering::Relaxed) {
            return Err(SubjectError::Stopped { path: path.to_path_buf() });
        }
        // A block is only shorter than the prefix where the stream is.
        begins_as_pae.get_or_insert(block.starts_with(PAE_PREFIX));
        hasher.update(block);
        progress.advance(block.len() as u64);
        Ok(())
    };
    let unreadable = |source| SubjectError::Unreadable { path: path.to_path_buf(), source };
    if length.is_some_and(|length| length < THREAD_BYTES) {
        // One byte more than expected shows the end without growing the block.
        let length = length.and_then(|n| usize::try_from(n).ok()).unwrap_or(BLOCK_BYTES);
        let mut block = vec![0; (length + 1).clamp(PAE_PREFIX.len(), BLOCK_BYTES)];
        loop {
            let filled = fill(&mut reader, &mut block).map_err(unreadable)?;
            take(block.get(..filled).unwrap_or_default())?;
            if filled < block.len() {
                break;
            }
        }
        let sha256 = Sha256(hasher.finalize().into());
        return Ok(Hashed { sha256, begins_as_pae: begins_as_pae.unwrap_or(false) });
    }
    std::thread::scope(|scope| {
        let (full_sender, full) = sync_channel::<std::io::Result<Block>>(BLOCKS);
        let (empty, empty_receiver) = sync_channel::<Vec<u8>>(BLOCKS);
        for _ in 0..BLOCKS {
            let _ = empty.send(vec![0; BLOCK_BYTES]);
        }
        scope.spawn(move || read_blocks(reader, &empty_receiver, &full_sender));
        for block in full {
            let block = block.map_err(unreadable)?;
            take(block.bytes.get(..block.filled).unwrap_or_default())?;
            // The reader is gone when it has met the end.
            let _ = empty.send(block.bytes);
        }
        Ok(())
    })?;
    let sha256 = Sha256(hasher.finalize().into());
    Ok(Hashed { sha256, begins_as_pae: begins_as_pae.unwrap_or(false) })
}

/// Hashes everything that `reader` gives with SHA-256 and with SHA-512, in one pass.
///
/// # Errors
/// As [`stream`], which is for everything else and faster.
pub(super) fn both(
    mut reader: impl Read,
    path: &Path,
    progress: &mut Progress,
) -> Result<(Sha256, Digest), SubjectError> {
    let unreadable = |source| SubjectError::Unreadable { path: path.to_path_buf(), source };
    let (mut sha256, mut sha512) = (sha2::Sha256::new(), sha2::Sha512::new());
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let filled = fill(&mut reader, &mut block).map_err(unreadable)?;
        let bytes = block.get(..filled).unwrap_or_default();
        sha256.update(bytes);
        sha512.update(bytes);
        progress.advance(filled as u64);
        if filled < block.len() {
            break;
        }
    }
    let sha512 = hex::encode(sha512.finalize());
    let sha512 = Digest::new("sha512", &sha512).expect("a SHA-512 is 128 hex digits");
    Ok((Sha256(sha256.finalize().into()), sha512))
}

/// A block of which the first `filled` bytes were read.
struct Block {
    bytes: Vec<u8>,
    filled: usize,
}

/// Reads until the end, an error, or until nobody takes the blocks any more.
fn read_blocks(
    mut reader: impl Read,
    empty: &Receiver<Vec<u8>>,
    full: &SyncSender<std::io::Result<Block>>,
) {
    while let Ok(mut bytes) = empty.recv() {
        let block = fill(&mut reader, &mut bytes).map(|filled| Block { bytes, filled });
        let last = block.as_ref().map_or(true, |block| block.filled < BLOCK_BYTES);
        if full.send(block).is_err() || last {
            return;
        }
    }
}

/// Reads until `block` is full or the end is met, and says how much was read.
fn fill(reader: &mut impl Read, block: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Unit;

    /// Gives at most `step` bytes at a time, as pipes do.
    struct Slow<'a> {
        bytes: &'a [u8],
        step: usize,
    }

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let step = self.step.min(buffer.len());
            (&mut self.bytes).take(step as u64).read(buffer)
        }
    }

    fn hashed(bytes: &[u8], length: Option<u64>, step: usize) -> Result<Hashed, SubjectError> {
        let mut progress = Progress::hidden(Unit::Bytes);
        let reader = Slow { bytes, step };
        stream(reader, Path::new("x"), length, &mut progress, &AtomicBool::new(false))
    }

    #[test]
    fn hashes_every_byte_whatever_the_length_is_said_to_be() {
        for size in [0, 1, 63, BLOCK_BYTES - 1, BLOCK_BYTES, 5 * BLOCK_BYTES + 7] {
            let bytes: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            for length in [None, Some(0), Some(size as u64), Some(1 << 40)] {
                let found = hashed(&bytes, length, 100_000).unwrap();
                let expected = Hashed { sha256: Sha256::of(&bytes), begins_as_pae: false };
                assert_eq!(found, expected, "{size} {length:?}");
            }
        }
    }

    #[test]
    fn sees_how_a_stream_begins_however_it_comes() {
        for (bytes, expected) in [
            (&b"DSSEv1 28 application"[..], true),
            (b"DSSEv1 ", true),
            (b"DSSEv1", false),
            (b" DSSEv1 ", false),
        ] {
            for length in [None, Some(0), Some(bytes.len() as u64)] {
                let found = hashed(bytes, length, 1).unwrap();
                assert_eq!(found.begins_as_pae, expected, "{bytes:?} {length:?}");
            }
        }
    }

    #[test]
    fn hashes_with_both_algorithms_in_one_pass() {
        for size in [0, 3, BLOCK_BYTES, BLOCK_BYTES + 1] {
            let bytes = vec![7; size];
            let mut progress = Progress::hidden(Unit::Bytes);
            let (sha256, sha512) = both(&bytes[..], Path::new("x"), &mut progress).unwrap();
            assert_eq!(sha256, Sha256::of(&bytes), "{size}");
            assert_eq!(sha512.value(), hex::encode(sha2::Sha512::digest(&bytes)), "{size}");
        }
    }

    #[test]
    fn stops_when_told_to() {
        let mut progress = Progress::hidden(Unit::Bytes);
        let stop = AtomicBool::new(true);
        for length in [None, Some(5)] {
            let result = stream(&b"hello"[..], Path::new("x"), length, &mut progress, &stop);
            assert!(matches!(result, Err(SubjectError::Stopped { .. })));
        }
    }
}
