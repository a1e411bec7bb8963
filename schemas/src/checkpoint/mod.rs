//! Checkpoints of a log (C2SP tlog-checkpoint).
//!
//! ```text
//! registry.example.com                             origin
//! 20852163                                         size
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=     root
//!                                                  (extension lines, then a blank line)
//! — registry.example.com Az3grl…                   the log's signature, type 0x01
//! — registry.example.com jWbPPw…                   the log's own timestamped cosignature, 0x04
//! ```
//!
//! The log signs twice with one key under one name, which C2SP signed-note allows because the key
//! IDs differ and `cosignature/v1` separates the messages. So a checkpoint says when.

#[cfg(test)]
mod tests;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cosignature;
use crate::digest::Sha256;
use crate::key::SigningKey;
use crate::merkle::EMPTY_ROOT;
use crate::note::{Note, NoteError, NoteKey, SignatureType, cut};

/// Why a checkpoint was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The text is not lines that end in newline, at least three, none of them empty.
    #[error("expected at least three non-empty lines, found {found} before the first empty one")]
    Lines {
        /// How many lines precede the fault.
        found: usize,
    },
    /// The origin or an extension is empty or more than one line.
    #[error("expected one line of text without control characters, found {found:?}")]
    Line {
        /// The line, cut at 200 characters.
        found: String,
    },
    /// The size is not a decimal number of 64 bits without leading zeros.
    #[error("expected a decimal tree size without leading zeros, found {found:?}")]
    Size {
        /// The line, cut at 200 characters.
        found: String,
    },
    /// The root is not the base64 of 32 bytes.
    #[error("expected the base64 of a root of 32 bytes, found {found:?}")]
    Root {
        /// The line, cut at 200 characters.
        found: String,
    },
    /// The tree has no leaves, yet its root is not that of the empty tree.
    #[error("the root of the empty tree is {EMPTY_ROOT}, found {found}")]
    EmptyRoot {
        /// The root as it was given.
        found: Sha256,
    },
    /// The checkpoint is of another log than the key.
    #[error("expected a checkpoint of {expected:?}, found one of {found:?}")]
    Origin {
        /// The name of the key.
        expected: String,
        /// The origin of the checkpoint.
        found: String,
    },
    /// The signing key is not Ed25519.
    #[error("a log signs with an Ed25519 key; this one is of another type")]
    SigningKeyType,
    /// The note around the checkpoint was refused, or its signatures were.
    #[error("the signed note was refused")]
    Note(#[source] NoteError),
}

/// What a log claims about its tree: signed by nobody yet, or no longer known to be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    /// The name of the log; one non-empty line.
    pub origin: String,
    /// How many leaves the tree has.
    pub size: u64,
    /// The root of the tree; [`EMPTY_ROOT`] when it has no leaves.
    pub root: Sha256,
    /// Further lines, none of them empty; opaque, and best left out.
    pub extensions: Vec<String>,
}

impl Checkpoint {
    /// The note text: what is signed.
    ///
    /// # Errors
    /// A [`CheckpointError`] when [`Checkpoint::parse`] would refuse the result.
    pub fn body(&self) -> Result<String, CheckpointError> {
        for line in std::iter::once(&self.origin).chain(&self.extensions) {
            check_line(line)?;
        }
        self.check_root()?;
        let root = STANDARD.encode(self.root.as_bytes());
        let mut body = format!("{}\n{}\n{root}\n", self.origin, self.size);
        for extension in &self.extensions {
            body.push_str(extension);
            body.push('\n');
        }
        Ok(body)
    }

    /// Parses a note text strictly, so that [`Checkpoint::body`] gives the same bytes.
    ///
    /// # Errors
    /// A [`CheckpointError`] naming the rule of C2SP tlog-checkpoint that is broken.
    pub fn parse(body: &str) -> Result<Self, CheckpointError> {
        // "a sequence of at least three non-empty lines, separated by newlines", and a note text
        // ends in one.
        let lines: Vec<&str> = body.strip_suffix('\n').unwrap_or_default().split('\n').collect();
        if let Some(found) = lines.iter().position(|line| line.is_empty()) {
            return Err(CheckpointError::Lines { found });
        }
        let [origin, size, root, extensions @ ..] = lines.as_slice() else {
            return Err(CheckpointError::Lines { found: lines.len() });
        };
        for line in std::iter::once(origin).chain(extensions) {
            check_line(line)?;
        }
        let checkpoint = Self {
            origin: (*origin).to_owned(),
            size: parse_size(size).ok_or_else(|| CheckpointError::Size { found: cut(size) })?,
            root: parse_root(root).ok_or_else(|| CheckpointError::Root { found: cut(root) })?,
            extensions: extensions.iter().map(|line| (*line).to_owned()).collect(),
        };
        checkpoint.check_root()?;
        Ok(checkpoint)
    }

    fn check_root(&self) -> Result<(), CheckpointError> {
        // RFC 9162 §2.1.1: the hash of an empty list is the hash of an empty string.
        if self.size == 0 && self.root != EMPTY_ROOT {
            return Err(CheckpointError::EmptyRoot { found: self.root });
        }
        Ok(())
    }
}

/// A checkpoint as the log publishes it: a signed note with the log's two lines.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SignedCheckpoint(String);

impl SignedCheckpoint {
    /// Signs a checkpoint as its log, whose key name is the origin: first the log's line, then its
    /// own cosignature at `time_s` seconds since the epoch.
    ///
    /// # Errors
    /// [`CheckpointError::SigningKeyType`] unless the key is Ed25519, [`CheckpointError::Note`]
    /// when the origin cannot be a key name or the time is too great, and as
    /// [`Checkpoint::body`].
    pub fn sign(
        checkpoint: &Checkpoint,
        key: &SigningKey,
        time_s: u64,
    ) -> Result<Self, CheckpointError> {
        let text = checkpoint.body()?;
        let raw = key.public_key().ed25519_raw().ok_or(CheckpointError::SigningKeyType)?;
        let log = NoteKey::ed25519(&checkpoint.origin, raw).map_err(CheckpointError::Note)?;
        let cosigner = log.with_type(SignatureType::CosignatureV1);
        let sign = |message: &[u8]| key.sign(message);
        let lines = [log.sign(&text, sign), cosignature::sign(&cosigner, &text, time_s, sign)];
        lines
            .into_iter()
            .collect::<Result<_, _>>()
            .and_then(|lines| Note::new(text, lines))
            .map(|note| Self(note.to_string()))
            .map_err(CheckpointError::Note)
    }

    /// Verifies a checkpoint of the log with the key `log`, of type 0x01.
    ///
    /// The log's line is required and every one must verify; so must its own cosignature lines
    /// when there are any. Lines of other keys, such as witnesses, are ignored.
    ///
    /// # Errors
    /// [`CheckpointError::Note`] when the note is malformed or a signature missing or wrong,
    /// [`CheckpointError::Origin`] when it is of another log, and as [`Checkpoint::parse`].
    pub fn open(
        signed: impl AsRef<[u8]>,
        log: &NoteKey,
    ) -> Result<OpenedCheckpoint, CheckpointError> {
        let note = Note::parse(signed).map_err(CheckpointError::Note)?;
        log.verify_note(&note).map_err(CheckpointError::Note)?;
        let cosigner = log.with_type(SignatureType::CosignatureV1);
        let cosigned_at_s =
            cosignature::verify_note(&cosigner, &note).map_err(CheckpointError::Note)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        // "The log's key name in its signature line SHOULD match the origin line": for our logs
        // it must, so that one key never speaks for two logs.
        if checkpoint.origin != log.name() {
            return Err(CheckpointError::Origin {
                expected: log.name().to_owned(),
                found: checkpoint.origin,
            });
        }
        Ok(OpenedCheckpoint { checkpoint, cosigned_at_s })
    }

    /// The signed note.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The signed note, without a copy.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl AsRef<[u8]> for SignedCheckpoint {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A checkpoint whose log signature was verified by [`SignedCheckpoint::open`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OpenedCheckpoint {
    /// What the log claims.
    pub checkpoint: Checkpoint,
    /// When the log says it signed, in seconds since the epoch: the earliest of its own
    /// cosignatures, if it has one.
    pub cosigned_at_s: Option<u64>,
}

fn parse_size(line: &str) -> Option<u64> {
    // "with no leading zeroes (unless the tree is empty, in which case the tree size is 0)"
    let canonical = line == "0" || !line.starts_with('0');
    (canonical && line.bytes().all(|b| b.is_ascii_digit())).then(|| line.parse().ok())?
}

fn parse_root(line: &str) -> Option<Sha256> {
    Sha256::from_slice(&STANDARD.decode(line).ok()?)
}

fn check_line(line: &str) -> Result<(), CheckpointError> {
    if line.is_empty() || line.bytes().any(|b| b < 0x20) {
        return Err(CheckpointError::Line { found: cut(line) });
    }
    Ok(())
}
