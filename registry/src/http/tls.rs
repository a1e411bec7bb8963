//! HTTPS: the certificate and the key that the settings name.
//!
//! TLS 1.2 and 1.3 by rustls over aws-lc-rs, without client certificates. The files are read at the start; after a
//! certificate was renewed, start again.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};

use crate::config::TlsFiles;

/// The most bytes of either file.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// The most certificates.
const MAX_CERTIFICATES: usize = 100;

/// Why HTTPS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}, which the setting {setting} names", path.display())]
    Unreadable {
        /// The setting.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("expected {expected} in {}, which the setting {setting} names, found {found}", path.display())]
    Content {
        /// The setting.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// What it holds.
        found: String,
    },
    /// The key is another one than the certificate's.
    #[error(
        "expected the private key of the first certificate in {}, found another one in {}; tls_certificate and tls_key must belong together",
        certificate.display(),
        key.display()
    )]
    Mismatch {
        /// The certificates' file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The library refuses them for another reason.
    #[error("the certificate in {} is refused", certificate.display())]
    Refused {
        /// The certificates' file.
        certificate: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// Reads the files, and checks that they belong together.
///
/// # Errors
/// [`TlsError`], which names the file.
pub(super) fn server_config(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let TlsFiles { certificate, key } = files;
    let chain = certificates(certificate)?;
    let text = read("tls_key", key)?;
    let private = PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let expected = "an unencrypted PEM private key (PKCS#8, PKCS#1 or SEC 1)";
        content("tls_key", key, expected, &error)
    })?;
    let refused = |source: rustls::Error| match source {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::Mismatch { certificate: certificate.clone(), key: key.clone() }
        }
        source => TlsError::Refused { certificate: certificate.clone(), source },
    };
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(refused)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let setting = "tls_certificate";
    let expected = "PEM certificates, the server's own first";
    let text = read(setting, path)?;
    let all: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(&text).take(MAX_CERTIFICATES).collect();
    let all = all.map_err(|error| content(setting, path, expected, &error))?;
    if all.is_empty() {
        return Err(content(setting, path, expected, &pem::Error::NoItemsFound));
    }
    Ok(all)
}

fn content(
    setting: &'static str,
    path: &Path,
    expected: &'static str,
    error: &pem::Error,
) -> TlsError {
    let found = match error {
        pem::Error::NoItemsFound => "none".to_owned(),
        // Never the text itself: it may be a key.
        _ => "malformed PEM".to_owned(),
    };
    TlsError::Content { setting, path: path.to_owned(), expected, found }
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        Ok(bytes)
    };
    read().map_err(|source| TlsError::Unreadable { setting, path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
