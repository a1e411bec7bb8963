//! Timestamped cosignatures of checkpoints (C2SP tlog-cosignature, Ed25519, `cosignature/v1`).
//!
//! ```text
//! signed:     cosignature/v1⏎ time <decimal>⏎ <the note's text>
//! signature:  u64 big-endian timestamp ‖ 64 bytes Ed25519
//! ```
//!
//! It says that at that time this was the largest tree its signer had seen. Which signers are
//! witnesses, and whether a time is plausible, is for the caller.

use crate::note::{Note, NoteError, NoteKey, NoteSignature, SignatureType};

/// The greatest time of a cosignature, in seconds since the epoch: "It MUST NOT exceed 2^63 - 1".
pub const MAX_TIME_S: u64 = i64::MAX as u64;

/// The bytes that a cosignature of the checkpoint `text` at `time_s` signs.
///
/// # Errors
/// [`NoteError::Time`] above [`MAX_TIME_S`].
pub fn message(text: &str, time_s: u64) -> Result<String, NoteError> {
    if time_s > MAX_TIME_S {
        return Err(NoteError::Time { found_s: time_s });
    }
    Ok(format!("cosignature/v1\ntime {time_s}\n{text}"))
}

/// Makes the cosignature line for the checkpoint `text` at `time_s` seconds since the epoch.
///
/// `sign` is the private key's pure Ed25519 (RFC 8032) over exactly the bytes it is given.
///
/// # Errors
/// [`NoteError::KeyUse`] unless the key's type is [`SignatureType::CosignatureV1`],
/// [`NoteError::Time`], and [`NoteError::Signature`] when `sign` is not of this key.
pub fn sign(
    key: &NoteKey,
    text: &str,
    time_s: u64,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Result<NoteSignature, NoteError> {
    let mut timestamped = time_s.to_be_bytes().to_vec();
    timestamped.extend(sign(message(text, time_s)?.as_bytes()));
    verify(key, text, &timestamped)?;
    Ok(key.line(timestamped))
}

/// Verifies a cosignature of the checkpoint `text` and returns its time, in seconds since the
/// epoch.
///
/// # Errors
/// [`NoteError::KeyUse`] unless the key's type is [`SignatureType::CosignatureV1`],
/// [`NoteError::Time`], else [`NoteError::Signature`].
pub fn verify(key: &NoteKey, text: &str, timestamped: &[u8]) -> Result<u64, NoteError> {
    key.check_type(SignatureType::CosignatureV1)?;
    let (time, signature) = timestamped.split_first_chunk().ok_or_else(|| {
        NoteError::Signature { name: key.name().to_owned(), key_id: key.key_id() }
    })?;
    let time_s = u64::from_be_bytes(*time);
    key.verify_message(message(text, time_s)?.as_bytes(), signature)?;
    Ok(time_s)
}

/// Verifies every cosignature by `key` under the note and returns the earliest time, or nothing
/// when there is none.
///
/// # Errors
/// As [`verify`], when a line of the key's name and ID does not verify.
pub fn verify_note(key: &NoteKey, note: &Note) -> Result<Option<u64>, NoteError> {
    key.check_type(SignatureType::CosignatureV1)?;
    let times = key.lines_in(note).map(|line| verify(key, note.text(), &line.signature));
    Ok(times.collect::<Result<Vec<_>, _>>()?.into_iter().min())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::Signer as _;

    const TEXT: &str = "log.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
    const TIME_S: u64 = 1_679_315_147;

    fn signer() -> ed25519_dalek::SigningKey {
        ed25519_dalek::SigningKey::from_bytes(&[9; 32])
    }

    fn key(signature_type: SignatureType) -> NoteKey {
        let raw = signer().verifying_key().to_bytes();
        NoteKey::new("witness.example/w1", signature_type, raw).unwrap()
    }

    fn line(text: &str, time_s: u64) -> Result<NoteSignature, NoteError> {
        let sign_message = |message: &[u8]| signer().sign(message).to_bytes().to_vec();
        sign(&key(SignatureType::CosignatureV1), text, time_s, sign_message)
    }

    fn refusal() -> NoteError {
        let key = key(SignatureType::CosignatureV1);
        NoteError::Signature { name: key.name().to_owned(), key_id: key.key_id() }
    }

    #[test]
    fn the_signed_message_is_a_header_a_time_and_the_whole_text() {
        let expected = "cosignature/v1\ntime 1679315147\nlog.example\n0\n\
                        47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
        assert_eq!(message(TEXT, TIME_S).unwrap(), expected);
    }

    #[test]
    fn a_cosignature_is_the_time_and_the_signature_and_verifies_to_its_time() {
        let made = line(TEXT, TIME_S).unwrap();
        assert_eq!(made.signature.len(), 8 + 64);
        assert_eq!(made.signature[..8], TIME_S.to_be_bytes());
        let key = key(SignatureType::CosignatureV1);
        assert_eq!(verify(&key, TEXT, &made.signature), Ok(TIME_S));
    }

    #[test]
    fn rejects_another_text_another_time_and_every_other_length() {
        let key = key(SignatureType::CosignatureV1);
        let made = line(TEXT, TIME_S).unwrap().signature;
        assert_eq!(verify(&key, "log.example\n1\n", &made), Err(refusal()));
        for bit in 0..made.len() * 8 {
            let mut flipped = made.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(&key, TEXT, &flipped).is_err(), "bit {bit}");
        }
        for length in 0..made.len() {
            assert_eq!(verify(&key, TEXT, &made[..length]), Err(refusal()), "{length} bytes");
        }
        assert_eq!(verify(&key, TEXT, &[&made[..], &[0]].concat()), Err(refusal()));
    }

    #[test]
    fn rejects_a_time_above_2_to_the_63_minus_1() {
        assert!(line(TEXT, MAX_TIME_S).is_ok());
        let found_s = MAX_TIME_S + 1;
        assert_eq!(line(TEXT, found_s), Err(NoteError::Time { found_s }));
        let mut bytes = found_s.to_be_bytes().to_vec();
        let message = format!("cosignature/v1\ntime {found_s}\n{TEXT}");
        bytes.extend(signer().sign(message.as_bytes()).to_bytes());
        let key = key(SignatureType::CosignatureV1);
        assert_eq!(verify(&key, TEXT, &bytes), Err(NoteError::Time { found_s }));
    }

    #[test]
    fn refuses_a_key_that_signs_plain_notes() {
        let key = key(SignatureType::Ed25519);
        let refused = Err(NoteError::KeyUse {
            expected: SignatureType::CosignatureV1,
            found: SignatureType::Ed25519,
        });
        assert_eq!(verify(&key, TEXT, &line(TEXT, TIME_S).unwrap().signature), refused);
        let note = Note::new(TEXT.to_owned(), vec![line(TEXT, TIME_S).unwrap()]).unwrap();
        assert_eq!(verify_note(&key, &note).err(), refused.err());
    }

    #[test]
    fn a_line_that_will_not_verify_is_never_made() {
        let key = key(SignatureType::CosignatureV1);
        assert_eq!(sign(&key, TEXT, TIME_S, |_| vec![0; 64]), Err(refusal()));
    }

    #[test]
    fn of_several_cosignatures_by_one_key_the_earliest_time_counts_and_all_must_verify() {
        let key = key(SignatureType::CosignatureV1);
        let lines = vec![line(TEXT, 20).unwrap(), line(TEXT, 10).unwrap()];
        let note = Note::new(TEXT.to_owned(), lines.clone()).unwrap();
        assert_eq!(verify_note(&key, &note), Ok(Some(10)));
        let wrong = vec![lines[0].clone(), line("another text\n", 10).unwrap()];
        let note = Note::new(TEXT.to_owned(), wrong).unwrap();
        assert_eq!(verify_note(&key, &note), Err(refusal()));
    }

    #[test]
    fn a_note_without_a_cosignature_by_the_key_has_no_time() {
        let mut other = line(TEXT, TIME_S).unwrap();
        other.name = "witness.example/w2".to_owned();
        let note = Note::new(TEXT.to_owned(), vec![other]).unwrap();
        assert_eq!(verify_note(&key(SignatureType::CosignatureV1), &note), Ok(None));
    }
}
