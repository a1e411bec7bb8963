//! What a client certificate says of its holder (RFC 5280 §4.1.2.6, §4.2.1.6).
//!
//! Whether its authority is trusted, and whether it is valid now, TLS has verified before.

use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::document::Certificate;

/// A verified certificate, as documents name one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// Its subject as RFC 4514 writes it.
    pub subject: String,
    /// Its alternative names, as `dns:`, `uri:` and `email:`.
    pub san: Vec<String>,
}

impl Presented {
    /// Reads a certificate; nothing when it is none.
    #[must_use]
    pub fn read(der: &[u8]) -> Option<Self> {
        let certificate = x509_cert::Certificate::from_der(der).ok()?.tbs_certificate;
        let names = certificate.get::<SubjectAltName>().ok()?.map(|(_, names)| names.0);
        let san = names.unwrap_or_default().iter().filter_map(alternative).collect();
        Some(Self { subject: certificate.subject.to_string(), san })
    }

    /// Whether it is the one that an entry describes: all that the entry says must hold.
    #[must_use]
    pub fn fits(&self, entry: &Certificate) -> bool {
        let subject = entry.subject.as_ref().is_none_or(|subject| *subject == self.subject);
        let san = entry.san.is_empty() || entry.san.iter().any(|name| self.san.contains(name));
        subject && san
    }
}

fn alternative(name: &GeneralName) -> Option<String> {
    match name {
        // Host names have no case (RFC 5280 §7.2).
        GeneralName::DnsName(name) => Some(format!("dns:{}", name.as_str().to_ascii_lowercase())),
        GeneralName::UniformResourceIdentifier(uri) => Some(format!("uri:{}", uri.as_str())),
        GeneralName::Rfc822Name(address) => Some(format!("email:{}", address.as_str())),
        _ => None,
    }
}
