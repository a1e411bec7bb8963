//! Who signed a layout: its owners, of whom a threshold is demanded.

use std::num::NonZeroUsize;

use super::ingest::signers;
use super::{Check, Refusal, Verified, key_names};
use crate::digest::Sha256;
use crate::key::PublicKey;
use crate::layout::{Layout, LayoutDocument};

/// What a layout says, and whose word it is.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedLayout {
    /// What the layout says: exactly what the signatures cover.
    pub layout: Layout,
    /// The digest of its document.
    pub source: Sha256,
    /// The keys that signed it, of those that were asked for; each once, at least the threshold.
    pub keys: Vec<PublicKey>,
}

/// Verifies that at least `threshold` of the keys signed a layout.
///
/// A keyid neither helps nor harms: a key counts by its signature, and once, however often it signed.
/// Whether the layout has expired, and whether links fulfil it, is [`crate::layout::verify`]'s
/// business.
///
/// # Errors
/// [`Refusal`] of [`Check::Signature`] when fewer of the keys signed it.
pub fn layout(
    document: &LayoutDocument,
    keys: &[PublicKey],
    threshold: NonZeroUsize,
) -> Result<Verified<SignedLayout>, Refusal> {
    let values: Vec<&[u8]> = document.signatures().iter().map(Vec::as_slice).collect();
    let (keys, found) = match signers(&values, document.signed_bytes(), keys) {
        Ok(signed) if signed.len() >= threshold.get() => {
            return Ok(Verified::new(SignedLayout {
                layout: document.layout().clone(),
                source: document.source(),
                keys: signed,
            }));
        }
        Ok(signed) => (keys, format!("signatures by {} of them", signed.len())),
        Err(_) if values.is_empty() => (keys, "a layout without signatures".to_owned()),
        Err(found) => (keys, found),
    };
    let expected = match threshold.get() {
        1 => key_names(keys),
        many => format!("signatures by {many} distinct keys, each {}", key_names(keys)),
    };
    Err(Refusal::new(Check::Signature, expected, found))
}
