//! HTTPS: the certificate and the key that the settings name, and the authorities of client certificates.
//!
//! TLS 1.2 and 1.3 by rustls over aws-lc-rs. The files are looked at for each connection and read anew when they
//! changed, so a renewed certificate, and an authority that is taken out, count for the next one. A client may
//! show a certificate and need not; one of another authority is refused. Whom it names is for `access.toml`.

use std::any::Any;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, VerifierBuilderError,
    WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
};

use crate::authority::certificate::Presented;
use crate::config::TlsFiles;
use crate::watched::Watched;

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
    /// The authorities of client certificates are refused.
    #[error("the authorities in {} are refused", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why.
        source: VerifierBuilderError,
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

/// What the files say.
struct Served {
    key: Arc<CertifiedKey>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
}

type Current = Arc<Watched<Served, TlsError>>;

/// Reads the files, and checks that they belong together.
///
/// # Errors
/// [`TlsError`], which names the file.
pub(super) fn server_config(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let TlsFiles { certificate, key, client_ca } = files.clone();
    let refused = |source| TlsError::Refused { certificate: files.certificate.clone(), source };
    let paths = [Some(certificate), Some(key), client_ca].into_iter().flatten().collect();
    let from = files.clone();
    let current = Arc::new(Watched::open(paths, move || Served::read(&from))?);
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(refused)?;
    let builder = match files.client_ca {
        Some(_) => builder.with_client_cert_verifier(Arc::new(Clients(Arc::clone(&current)))),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(Certificate(current)));
    if files.client_ca.is_some() {
        // A session that goes on would bring its certificate along unverified, also after its authority was taken out.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

impl Served {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let TlsFiles { certificate, key, client_ca } = files;
        let expected = "PEM certificates, the server's own first";
        let chain = certificates("tls_certificate", certificate, expected)?;
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
        let key = CertifiedKey::from_der(chain, private, &provider()).map_err(refused)?;
        let clients = client_ca.as_deref().map(authorities).transpose()?;
        Ok(Self { key: Arc::new(key), clients })
    }
}

fn authorities(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let expected = "PEM certificates of authorities";
    let mut roots = RootCertStore::empty();
    for authority in certificates("tls_client_ca", path, expected)? {
        let refused = |source| TlsError::Refused { certificate: path.to_owned(), source };
        roots.add(authority).map_err(refused)?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .allow_unauthenticated()
        .build()
        .map_err(|source| TlsError::Authorities { path: path.to_owned(), source })
}

/// The server's certificate, as it is now.
struct Certificate(Current);

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate(..)")
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.now().key))
    }
}

/// The authorities of client certificates, as they are now.
struct Clients(Current);

impl Clients {
    fn now(&self) -> Result<Arc<dyn ClientCertVerifier>, rustls::Error> {
        let missing = || rustls::Error::General("no authority of client certificates".to_owned());
        self.0.now().clients.clone().ok_or_else(missing)
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clients(..)")
    }
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // The authorities may change; without hints a client shows what it has.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.now()?.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.now()?.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.now()?.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.now().map(|now| now.supported_verify_schemes()).unwrap_or_default()
    }
}

/// Keeps with a connection what the client's certificate says.
pub(super) fn note_client(connection: &dyn Any, extensions: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<TlsStream<TcpStream>>() else { return };
    let (_, session) = stream.get_ref();
    let shown = session.peer_certificates().and_then(|chain| chain.first());
    if let Some(presented) = shown.and_then(|certificate| Presented::read(certificate)) {
        extensions.insert(presented);
    }
}

fn certificates(
    setting: &'static str,
    path: &Path,
    expected: &'static str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
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
pub(super) mod tests;
