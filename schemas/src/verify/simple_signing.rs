//! Signatures of cosign 2, which are over a document that names the artifact.

use super::{Check, Claim, Evidence, Passed, Refusal, Subject, Verified, Verifier};
use crate::bundle::Bundle;
use crate::digest::{Digest, Sha256};
use crate::oci::simple_signing::SimpleSigning;
use crate::problem::chain;

impl Verifier<'_> {
    /// Verifies that `bundle` signs `payload`, and that this document names `artifact`: a signature of the artifact.
    ///
    /// # Errors
    /// [`Refusal`] with the first check that failed and those that held before it.
    pub fn simple_signing(
        &self,
        bundle: &Bundle,
        payload: &[u8],
        artifact: &Digest,
        claim: &Claim,
    ) -> Result<Verified<Evidence>, Refusal> {
        let found = "a signature of the artifact";
        match claim {
            Claim::Signature => {}
            Claim::Type(name) => {
                let expected = format!("an attestation of type {name}");
                return Err(Refusal::new(Check::Type, expected, found));
            }
            Claim::AnyType => {
                return Err(Refusal::new(Check::Type, "an attestation of any type", found));
            }
        }
        let document = SimpleSigning::parse(payload).map_err(|error| {
            Refusal::new(Check::Statement, "a document that names an image", chain(&error))
        })?;
        if document.manifest.digest() != artifact {
            let expected = format!("the signed image {}", document.manifest);
            let found = format!("an artifact with digest {artifact}");
            return Err(Refusal::new(Check::Subject, expected, found));
        }
        // The document is the message: what is verified from here on is a signature of its bytes.
        let digest = Digest::from(Sha256::of(payload));
        let message = Subject { digest: &digest, bytes: Some(payload), begins_as_pae: false };
        let mut evidence = self.bundle(bundle, message, claim)?.into_inner();
        evidence.subject = artifact.clone();
        for passed in &mut evidence.passed {
            if passed.check == Check::Subject {
                *passed = Passed {
                    check: Check::Subject,
                    detail: format!("{artifact}, which the signed document {digest} names"),
                };
            }
        }
        Ok(Verified::new(evidence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{Content, MessageSignature};
    use crate::key::SigningKey;
    use crate::verify::{Keys, SIGN_V1};

    fn document(artifact: &Digest) -> Vec<u8> {
        format!(
            r#"{{"critical":{{"identity":{{"docker-reference":""}},"image":{{"docker-manifest-digest":"{artifact}"}},"type":"cosign container image signature"}},"optional":null}}"#
        )
        .into_bytes()
    }

    #[test]
    fn a_signature_counts_for_the_image_that_its_document_names_and_for_no_other() {
        let artifact: Digest = Sha256::of(b"manifest").into();
        let other: Digest = Sha256::of(b"another").into();
        let payload = document(&artifact);
        for signing in [SigningKey::from_ed25519_seed([7; 32]), crate::key::tests::p256()] {
            let signature = signing.sign(&payload);
            let digest = Sha256::of(&payload).into();
            let content = Content::Message(MessageSignature { digest, signature });
            let bundle = Bundle::of_key(signing.public_key(), content);
            let of = |key: &SigningKey| Verifier {
                keys: Keys::Managed(vec![key.public_key().clone()]),
                root: None,
            };
            let ours = of(&signing);
            let verified = ours.simple_signing(&bundle, &payload, &artifact, &Claim::Signature);
            assert_eq!(verified.unwrap().get().subject, artifact);
            let check = |verifier: &Verifier<'_>, payload: &[u8], about: &Digest, claim: &Claim| {
                verifier.simple_signing(&bundle, payload, about, claim).unwrap_err().check
            };
            let signature = Claim::Signature;
            assert_eq!(check(&ours, &payload, &other, &signature), Check::Subject);
            assert_eq!(
                check(
                    &of(&SigningKey::from_ed25519_seed([8; 32])),
                    &payload,
                    &artifact,
                    &signature
                ),
                Check::Signature
            );
            // The same digest in a document that was not signed.
            let mut changed = payload.clone();
            changed.push(b' ');
            assert_eq!(check(&ours, &changed, &artifact, &signature), Check::Subject);
            assert_eq!(check(&ours, b"{}", &artifact, &signature), Check::Statement);
            let typed = Claim::Type(SIGN_V1.to_owned());
            assert_eq!(check(&ours, &payload, &artifact, &typed), Check::Type);
        }
    }
}
