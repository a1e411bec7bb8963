//! A signature of cosign 2 as it is kept: with the document that it is over, so that both verify together, here and in years.
//!
//! ```json
//! {"mediaType":"application/vnd.attestry.image-signature.v1+json","bundle":{…},"document":"BASE64"}
//! ```
//!
//! The bundle is a Sigstore bundle of the message signature without log entries. [`crate::verify::image_signature`] makes
//! something that counts of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::simple_signing::MAX_PAYLOAD_BYTES;
use crate::base64::{self, Base64Error};
use crate::bundle::{Bundle, BundleError, Content, MAX_BUNDLE_BYTES, MessageSignature};
use crate::digest::{Digest, Sha256};
use crate::json::{self, JsonError};
use crate::verify::Author;

/// The media type.
pub const MEDIA_TYPE: &str = "application/vnd.attestry.image-signature.v1+json";
/// The most bytes of one.
pub const MAX_BYTES: usize = MAX_BUNDLE_BYTES + 2 * MAX_PAYLOAD_BYTES;

/// Why it cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageSignatureError {
    /// It is not the JSON that it should be.
    #[error("expected a signature with its document ({MEDIA_TYPE})")]
    Json(#[source] JsonError),
    /// It is of another media type.
    #[error("expected mediaType {MEDIA_TYPE}, found {0:?}")]
    MediaType(String),
    /// The bundle is none.
    #[error("the bundle in it")]
    Bundle(#[source] BundleError),
    /// The bundle signs a statement.
    #[error("expected a message signature in the bundle, found an envelope")]
    Envelope,
    /// The document is not base64.
    #[error("the document in it")]
    Document(#[source] Base64Error),
    /// The document is longer than one may be.
    #[error("expected a document of at most {MAX_PAYLOAD_BYTES} bytes, found {0}")]
    TooLong(usize),
    /// The signature is over something else.
    #[error("expected the document {expected} that was signed, found {found}")]
    Other {
        /// What was signed.
        expected: Digest,
        /// What is there.
        found: Digest,
    },
}

/// A signature and the document that it is over. Nothing is verified.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageSignature {
    message: MessageSignature,
    document: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    media_type: String,
    bundle: Value,
    document: String,
}

impl ImageSignature {
    /// A signature over a document.
    ///
    /// # Errors
    /// [`ImageSignatureError::TooLong`].
    pub fn new(signature: Vec<u8>, document: Vec<u8>) -> Result<Self, ImageSignatureError> {
        if document.len() > MAX_PAYLOAD_BYTES {
            return Err(ImageSignatureError::TooLong(document.len()));
        }
        let message = MessageSignature { digest: Sha256::of(&document).into(), signature };
        Ok(Self { message, document })
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`ImageSignatureError`].
    pub fn parse(text: &[u8]) -> Result<Self, ImageSignatureError> {
        let value = json::parse(text, MAX_BYTES).map_err(ImageSignatureError::Json)?;
        let wire: Wire =
            json::from_value(value, "the signature").map_err(ImageSignatureError::Json)?;
        if wire.media_type != MEDIA_TYPE {
            let found = wire.media_type.chars().take(100).collect();
            return Err(ImageSignatureError::MediaType(found));
        }
        let bundle = Bundle::from_value(wire.bundle).map_err(ImageSignatureError::Bundle)?;
        let Content::Message(message) = bundle.content else {
            return Err(ImageSignatureError::Envelope);
        };
        let document =
            base64::decode(&wire.document, "document").map_err(ImageSignatureError::Document)?;
        let read = Self::new(message.signature, document)?;
        match read.message.digest == message.digest {
            true => Ok(read),
            false => Err(ImageSignatureError::Other {
                expected: message.digest,
                found: read.message.digest,
            }),
        }
    }

    /// Its bytes as they are kept, with who made the signature.
    #[must_use]
    pub fn to_json(&self, author: &Author) -> Vec<u8> {
        let content = Content::Message(self.message.clone());
        let bundle = Bundle::of_signer(author.material(), content).to_value();
        let document = base64::encode(&self.document);
        let wire =
            serde_json::json!({"mediaType": MEDIA_TYPE, "bundle": bundle, "document": document});
        wire.to_string().into_bytes()
    }

    /// The signature.
    #[must_use]
    pub fn message(&self) -> &MessageSignature {
        &self.message
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> &[u8] {
        &self.document
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;
    use crate::verify;

    #[test]
    fn it_is_a_signature_of_the_image_that_its_document_names() {
        let image: Digest = Sha256::of(b"image").into();
        let document = format!(
            r#"{{"critical":{{"identity":{{}},"image":{{"docker-manifest-digest":"{image}"}},"type":"cosign container image signature"}}}}"#
        );
        for key in [SigningKey::from_ed25519_seed([7; 32]), crate::key::tests::p256()] {
            let keys = [key.public_key().clone()];
            let of = |signed: &[u8], document: &str| {
                let signature =
                    ImageSignature::new(key.sign(signed), document.as_bytes().to_vec()).unwrap();
                verify::image_signature(&signature, &keys)
            };
            let signed = of(document.as_bytes(), &document).unwrap();
            assert_eq!(signed.get().image, Some(image.clone()));
            assert_eq!(of(b"another", &document).unwrap_err().check, verify::Check::Signature);
            assert_eq!(of(b"{}", "{}").unwrap_err().check, verify::Check::Statement);
        }
    }

    #[test]
    fn what_is_written_is_read_again_and_another_document_is_refused() {
        let key = SigningKey::from_ed25519_seed([7; 32]);
        let signature = ImageSignature::new(key.sign(b"{}"), b"{}".to_vec()).unwrap();
        let text = signature.to_json(&Author::Key(key.public_key().clone()));
        assert_eq!(ImageSignature::parse(&text), Ok(signature));
        let text = String::from_utf8(text).unwrap();
        for (from, to, expected) in [
            (base64::encode(b"{}"), base64::encode(b"{ }"), "expected the document"),
            (MEDIA_TYPE.to_owned(), "text/plain".to_owned(), "expected mediaType"),
            ("\"document\"".to_owned(), "\"doc\"".to_owned(), "expected a signature"),
            (base64::encode(b"{}"), "%".to_owned(), "the document in it"),
        ] {
            let refused = ImageSignature::parse(text.replacen(&from, &to, 1).as_bytes());
            assert!(refused.unwrap_err().to_string().contains(expected), "{to}");
        }
        let long = ImageSignature::new(Vec::new(), vec![b' '; MAX_PAYLOAD_BYTES + 1]);
        assert_eq!(long, Err(ImageSignatureError::TooLong(MAX_PAYLOAD_BYTES + 1)));
    }
}
