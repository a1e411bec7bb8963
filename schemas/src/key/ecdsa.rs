//! The two forms of one ECDSA signature.
//!
//! With (r, s) also (r, n − s) verifies, and anyone can make one of the other (SEC 1 §4.1.4 asks
//! only that both lie between 1 and n − 1). Signers make either, so both are accepted everywhere;
//! whoever counts signatures must count the two as one.

use spki::der::asn1::UintRef;
use spki::der::{Decode as _, Encode as _, Reader as _, SliceReader};

/// The order n of P-256's base point (SEC 2 §2.4.2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The DER of (r, n − s); nothing when the bytes are not the DER of a P-256 signature.
pub(crate) fn other_form(signature: &[u8]) -> Option<Vec<u8>> {
    let mut reader = SliceReader::new(signature).ok()?;
    let read = reader.sequence(|body| Ok((UintRef::decode(body)?, UintRef::decode(body)?)));
    let (r, s) = read.ok()?;
    let s = difference(s.as_bytes())?;
    let integers = [r.to_der().ok()?, UintRef::new(&s).ok()?.to_der().ok()?].concat();
    let length = u8::try_from(integers.len()).ok().filter(|length| *length < 0x80)?;
    Some([&[0x30, length], integers.as_slice()].concat())
}

/// n − s, for s below n.
fn difference(s: &[u8]) -> Option<[u8; 32]> {
    let mut padded = [0; 32];
    padded.get_mut(32_usize.checked_sub(s.len())?..)?.copy_from_slice(s);
    let mut borrow = false;
    for (byte, order) in padded.iter_mut().zip(ORDER).rev() {
        let (once, first) = order.overflowing_sub(*byte);
        let (twice, second) = once.overflowing_sub(u8::from(borrow));
        (*byte, borrow) = (twice, first || second);
    }
    (!borrow).then_some(padded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256;
    use crate::key::tests::p256;

    #[test]
    fn both_forms_verify_and_each_is_the_others_other() {
        let key = p256();
        for n in 0..64_u64 {
            let digest = Sha256::of(&n.to_be_bytes());
            let signature = key.sign_digest(&digest).unwrap();
            let other = other_form(&signature).unwrap();
            assert_ne!(other, signature);
            key.public_key().verify_digest(&digest, &other).unwrap();
            assert_eq!(other_form(&other).unwrap(), signature);
        }
    }

    #[test]
    fn what_is_no_signature_has_no_other_form() {
        let of = |s: &[u8]| {
            let integers = [&[2, 1, 1, 2, u8::try_from(s.len()).unwrap()], s].concat();
            [&[0x30, u8::try_from(integers.len()).unwrap()], integers.as_slice()].concat()
        };
        assert!(other_form(&of(&[5])).is_some());
        let above = [&[0], ORDER.as_slice()].concat();
        let mut above_by_one = above.clone();
        above_by_one[32] += 1;
        for bytes in [of(&above_by_one), of(&[0x7f; 33]), vec![7; 64], Vec::new()] {
            assert_eq!(other_form(&bytes), None, "{bytes:02x?}");
        }
    }
}
