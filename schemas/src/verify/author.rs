//! Who made a signature, with what verifies it: a managed key, or the certificate of an identity.

use super::{Identity, Signer};
use crate::bundle::{SignerMaterial, key_hint};
use crate::key::PublicKey;
use crate::predicate::UtcTime;
use crate::rekor;

/// Who made a signature that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    /// A managed key.
    Key(PublicKey),
    /// The holder of a certificate.
    Certificate {
        /// X.509 DER.
        der: Vec<u8>,
        /// Sigstore's name for the algorithm of its key (`PublicKeyDetails`).
        key_details: String,
        /// Whom it names.
        identity: Identity,
        /// When it ended: what it signed, it signed before.
        not_after: UtcTime,
    },
}

impl Author {
    /// Whose signature it is, as a roster knows it.
    #[must_use]
    pub fn signer(&self) -> Signer {
        match self {
            Self::Key(key) => Signer::Key(key.fingerprint()),
            Self::Certificate { identity: Identity { subject, issuer }, .. } => {
                Signer::Identity { subject: subject.clone(), issuer: issuer.clone() }
            }
        }
    }

    /// What a log entry names as the verifier of the signature.
    #[must_use]
    pub fn verifier(&self) -> rekor::Verifier {
        match self {
            Self::Key(key) => rekor::Verifier::PublicKey(key.clone()),
            Self::Certificate { der, key_details, .. } => {
                rekor::Verifier::Certificate { der: der.clone(), key_details: key_details.clone() }
            }
        }
    }

    /// What a bundle of version 0.3 names as the signer.
    #[must_use]
    pub fn material(&self) -> SignerMaterial {
        match self {
            Self::Key(key) => SignerMaterial::PublicKey { hint: key_hint(key) },
            Self::Certificate { der, .. } => SignerMaterial::Certificate { der: der.clone() },
        }
    }

    /// Before when the signature was made, as far as what verifies it tells: the end of a certificate. Nothing is known of a key.
    #[must_use]
    pub fn signed_before(&self) -> Option<UtcTime> {
        match self {
            Self::Key(_) => None,
            Self::Certificate { not_after, .. } => Some(*not_after),
        }
    }

    /// The managed key; none of a certificate.
    #[must_use]
    pub fn key(&self) -> Option<&PublicKey> {
        match self {
            Self::Key(key) => Some(key),
            Self::Certificate { .. } => None,
        }
    }
}
