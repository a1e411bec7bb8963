//! Signed notes (C2SP signed-note): a text and who signed it.
//!
//! ```text
//! <text, any number of lines>
//!
//! — <key name> base64(32-bit key ID ‖ signature)
//! ```
//!
//! A parsed [`Note`] is well formed and nothing more: only [`NoteKey::verify_note`] says whose
//! text it is. What the text means is for [`crate::checkpoint`].

mod key;
#[cfg(test)]
mod tests;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use key::{NoteKey, SignatureType};

/// The longest note that is read or made, in bytes.
pub const MAX_NOTE_BYTES: usize = 64 * 1024;

/// The most signatures of a note; "MUST accept at least up to 16 signatures" (C2SP signed-note).
pub const MAX_SIGNATURES: usize = 16;

/// The longest name of a key, in bytes.
pub const MAX_NAME_BYTES: usize = 1024;

/// The size of a key ID, in bytes.
pub const KEY_ID_BYTES: usize = 4;

/// What begins a signature line: em dash (U+2014), space.
const LINE_START: &str = "\u{2014} ";

/// Why a note or a key of one was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The note is too long.
    #[error("a note is at most {MAX_NOTE_BYTES} bytes, found {found_bytes}")]
    TooLarge {
        /// The length of the note, in bytes.
        found_bytes: usize,
    },
    /// The note has too many signatures, or none.
    #[error("a note has 1 to {MAX_SIGNATURES} signatures, found {found}")]
    SignatureCount {
        /// How many there were.
        found: usize,
    },
    /// The note is not UTF-8, or has a control character other than newline.
    #[error("expected UTF-8 without control characters but newline, found another byte at {at}")]
    Character {
        /// The offset of the first such byte.
        at: usize,
    },
    /// The note does not have a text, a blank line and signature lines.
    #[error("expected a text that ends in newline, a blank line, and signature lines")]
    Form,
    /// A signature line is not `— <name> <base64>`.
    #[error("expected \"\u{2014} <key name> <base64>\" in signature line {line}, found {found:?}")]
    SignatureLine {
        /// The place among the signature lines, from 1.
        line: usize,
        /// The line, cut at 200 characters.
        found: String,
    },
    /// A key's name is empty, too long, or has a space, a plus or a control character.
    #[error("expected a key name without spaces and plus signs, found {found:?}")]
    Name {
        /// The name, cut at 200 characters.
        found: String,
    },
    /// A verifier key is not `<name>+<hex key ID>+<base64>`, or its parts contradict each other.
    #[error("not a verifier key: expected {expected}, found {found:?}")]
    VerifierKey {
        /// The part that was expected.
        expected: &'static str,
        /// What was found, cut at 200 characters.
        found: String,
    },
    /// The key is of a type that is not supported.
    #[error("expected signature type 0x01 or 0x04, found {found:#04x}")]
    SignatureType {
        /// The signature type identifier byte.
        found: u8,
    },
    /// The raw key is not a point on the curve, or one that verifies anything.
    #[error("the 32 bytes are not a usable Ed25519 public key")]
    Ed25519Key,
    /// A key of one signature type was used as one of another.
    #[error("expected a key of signature type {expected}, found {found}")]
    KeyUse {
        /// The type that the operation needs.
        expected: SignatureType,
        /// The type of the key.
        found: SignatureType,
    },
    /// No signature is from the key.
    #[error("the note is not signed by {name}+{}", hex::encode(.key_id))]
    NotSigned {
        /// The key's name.
        name: String,
        /// The key's ID.
        key_id: [u8; KEY_ID_BYTES],
    },
    /// A signature names the key but does not verify with it.
    #[error("the signature by {name}+{} does not verify", hex::encode(.key_id))]
    Signature {
        /// The key's name.
        name: String,
        /// The key's ID.
        key_id: [u8; KEY_ID_BYTES],
    },
    /// A cosignature's time is beyond what the format allows.
    #[error("a cosignature's time is at most 2^63 - 1 seconds, found {found_s}")]
    Time {
        /// The time, in seconds since the epoch.
        found_s: u64,
    },
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NoteSignature {
    /// The name of the key.
    pub name: String,
    /// The ID of the key; with the name it tells keys apart, but it proves nothing.
    pub key_id: [u8; KEY_ID_BYTES],
    /// The signature, in the form of its type; never empty in a parsed note.
    pub signature: Vec<u8>,
}

impl fmt::Display for NoteSignature {
    /// Writes the line without its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(KEY_ID_BYTES + self.signature.len());
        bytes.extend_from_slice(&self.key_id);
        bytes.extend_from_slice(&self.signature);
        write!(f, "{LINE_START}{} {}", self.name, STANDARD.encode(bytes))
    }
}

/// A text with its signatures, as yet unverified.
///
/// The text ends in newline, and note and text are within the rules and bounds of this module, so
/// that writing a note and parsing it gives the same note.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// Puts signatures under a text.
    ///
    /// # Errors
    /// A [`NoteError`] when [`Note::parse`] would refuse the result.
    pub fn new(text: String, signatures: Vec<NoteSignature>) -> Result<Self, NoteError> {
        if !text.ends_with('\n') {
            return Err(NoteError::Form);
        }
        check_signature_count(signatures.len())?;
        for (signature, line) in signatures.iter().zip(1..) {
            check_name(&signature.name)?;
            if signature.signature.is_empty() {
                return Err(NoteError::SignatureLine { line, found: cut(&signature.to_string()) });
            }
        }
        let note = Self { text, signatures };
        check_characters(note.to_string().as_bytes())?;
        Ok(note)
    }

    /// Parses a note strictly, in its one written form.
    ///
    /// # Errors
    /// A [`NoteError`] naming the first rule of C2SP signed-note, or bound, that is broken.
    pub fn parse(note: impl AsRef<[u8]>) -> Result<Self, NoteError> {
        let note = check_characters(note.as_ref())?;
        // "the text is separated from the signatures by the last empty line in the note"
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Form)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Form)?;
        check_signature_count(lines.split('\n').count())?;
        let signatures = lines
            .split('\n')
            .zip(1..)
            .map(|(text, line)| {
                parse_line(text).ok_or_else(|| NoteError::SignatureLine { line, found: cut(text) })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// The text with its last newline: what is signed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, in the order of their lines, 1 to [`MAX_SIGNATURES`].
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

fn check_characters(note: &[u8]) -> Result<&str, NoteError> {
    if note.len() > MAX_NOTE_BYTES {
        return Err(NoteError::TooLarge { found_bytes: note.len() });
    }
    // "MUST be valid UTF-8 and MUST NOT contain any ASCII control characters (those below
    // U+0020) other than newline"
    if let Some(at) = note.iter().position(|byte| *byte < 0x20 && *byte != b'\n') {
        return Err(NoteError::Character { at });
    }
    std::str::from_utf8(note).map_err(|e| NoteError::Character { at: e.valid_up_to() })
}

fn check_signature_count(found: usize) -> Result<(), NoteError> {
    if !(1..=MAX_SIGNATURES).contains(&found) {
        return Err(NoteError::SignatureCount { found });
    }
    Ok(())
}

fn parse_line(line: &str) -> Option<NoteSignature> {
    let (name, base64) = line.strip_prefix(LINE_START)?.split_once(' ')?;
    check_name(name).ok()?;
    let bytes = STANDARD.decode(base64).ok()?;
    let (key_id, signature) = bytes.split_first_chunk()?;
    // "Signatures are the base64 encoding of 4+n bytes."
    (!signature.is_empty()).then(|| NoteSignature {
        name: name.to_owned(),
        key_id: *key_id,
        signature: signature.to_vec(),
    })
}

/// "Key names MUST be non-empty and MUST NOT contain any Unicode spaces or plus" (C2SP
/// signed-note).
fn check_name(name: &str) -> Result<(), NoteError> {
    let allowed = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.chars().all(allowed) {
        return Err(NoteError::Name { found: cut(name) });
    }
    Ok(())
}

/// The beginning of a text for an error message.
pub(crate) fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}
