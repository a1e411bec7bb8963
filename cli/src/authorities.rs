//! Certificate authorities: what a registry's own certificate is checked against.
//!
//! Those of Mozilla's programme ship with the binary. A file of the user's (`--ca-file`) adds to them, so
//! that one configuration reaches a registry behind a private authority and one behind a public one. Nothing is read
//! or parsed before a registry with TLS is asked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use ureq::tls::{Certificate, RootCerts};

use crate::config::{ConfigError, read_bounded};
use crate::output::{Remedy, file_fix};

/// The most bytes of a file of certificates: a system's whole bundle fits.
const MAX_CA_BYTES: u64 = 4 * 1024 * 1024;

/// Why a file of certificates was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthoritiesError {
    /// It cannot be read, or is too large.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// It has no certificates, or something else in their place.
    #[error("expected certificates (PEM) in {}, found {found}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is there instead.
        found: String,
    },
}

impl Remedy for AuthoritiesError {
    fn fix(&self) -> Option<String> {
        Some(match self {
            Self::File(ConfigError::Unreadable { path, source }) => file_fix(source, path),
            Self::File(error) => return error.fix(),
            Self::Content { .. } => {
                "name the certificate of the authority that signed the registry's, as PEM"
                    .to_owned()
            }
        })
    }
}

/// The authorities that ship with this program and, where a file is given, those in it.
///
/// # Errors
/// [`AuthoritiesError`] when the file cannot be read, has no certificate, or has one that no authority has.
pub(crate) fn roots(ca_file: Option<&Path>) -> Result<RootCerts, AuthoritiesError> {
    let Some(path) = ca_file else { return Ok(RootCerts::WebPki) };
    let shipped = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    let all = shipped.cloned().chain(read(path)?);
    let all: Vec<_> = all.map(|one| Certificate::from_der(&one).to_owned()).collect();
    Ok(RootCerts::Specific(Arc::new(all)))
}

/// The certificates of a file, each of which can be an authority's.
fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, AuthoritiesError> {
    let bytes = read_bounded(path, MAX_CA_BYTES)?;
    let fault = |found: String| AuthoritiesError::Content { path: path.to_owned(), found };
    let mut store = RootCertStore::empty();
    let mut all = Vec::new();
    for (number, one) in (1..).zip(CertificateDer::pem_slice_iter(&bytes)) {
        let one = one.map_err(|e| fault(format!("something else: {e}")))?;
        store.add(one.clone()).map_err(|e| fault(format!("that number {number} is none: {e}")))?;
        all.push(one);
    }
    if all.is_empty() { Err(fault("none".to_owned())) } else { Ok(all) }
}

/// What mends it where an attempt to connect failed for the registry's certificate, or for how it is spoken to.
pub(crate) fn fix_of(error: &ureq::Error) -> Option<&'static str> {
    let of_tls = match error {
        ureq::Error::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref()),
        ureq::Error::Rustls(error) => Some(error),
        // What answers is no HTTP; a server of TLS answers so to plain text.
        ureq::Error::Protocol(_) => {
            return Some("check the scheme of the URL: a registry with TLS is https://");
        }
        _ => None,
    };
    Some(match of_tls? {
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
            "name the certificate of the authority that signed the registry's: --ca-file FILE, ATTESTRY_CA_FILE, or ca-file in attestry.toml"
        }
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(_)) => {
            "give the registry a certificate of its own, which an authority has signed (a self-signed one that is an authority's is refused), and name that authority's with --ca-file FILE"
        }
        rustls::Error::InvalidMessage(_) => {
            "check the scheme of the URL: a registry without TLS is http://"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use rustls::pki_types::PrivateKeyDer;
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    use super::*;
    use crate::client::Client;
    use crate::config::{Registry, Source};

    /// Made for these tests: a private authority, and the certificate that it gave to localhost; both until 2120.
    const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----
MIIBfzCCASWgAwIBAgIBATAKBggqhkjOPQQDAjAmMSQwIgYDVQQDDBtQcml2YXRl
IGF1dGhvcml0eSBvZiBhIHRlc3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEw
MDAwMDBaMCYxJDAiBgNVBAMMG1ByaXZhdGUgYXV0aG9yaXR5IG9mIGEgdGVzdDBZ
MBMGByqGSM49AgEGCCqGSM49AwEHA0IABAntnws/n2Lfa9lu8aoYgJ6sKNodWZQI
VuHpeMYwrKz4XKWzRLkuhnBrj0ZyCZR0FAemXwPFspEihIaUoBjia/yjQjBAMA8G
A1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgIEMB0GA1UdDgQWBBSn9C3LrdjQ
iV/1xrK3n5QjGCmywjAKBggqhkjOPQQDAgNIADBFAiEAm8YKJCHf/JP4yQ2n4nvR
8FawQCIyTH0vuJPiBSSCX4sCIDsppzDiuzJ8zFpaUGY0mbScdtJABjN3BTzoe/Fe
eVlI
-----END CERTIFICATE-----
";
    const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBrTCCAVOgAwIBAgIBAjAKBggqhkjOPQQDAjAmMSQwIgYDVQQDDBtQcml2YXRl
IGF1dGhvcml0eSBvZiBhIHRlc3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEw
MDAwMDBaMBQxEjAQBgNVBAMMCWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49
AwEHA0IABCJwL3+ooO+7NZNbOEpLidKXKMtscRvhkO7R8UkWrCooJTCdPfJt2SW0
Z6z0h7W4EvUUULiMW5q6mJCW7p5XqvijgYEwfzAaBgNVHREEEzARgglsb2NhbGhv
c3SHBH8AAAEwDAYDVR0TAQH/BAIwADATBgNVHSUEDDAKBggrBgEFBQcDATAdBgNV
HQ4EFgQUqJMKoETb7vx5H6L2difVeYc1EA0wHwYDVR0jBBgwFoAUp/Qty63Y0Ilf
9cayt5+UIxgpssIwCgYIKoZIzj0EAwIDSAAwRQIhAMqS0K63pjr2ZGuauKl+W3VS
dgkPuTEj6RmFsH08tjSbAiBm1GpE09UYt3cVYn2Vcr+SbDxiUuoWdIep2sQOjqfY
8g==
-----END CERTIFICATE-----
";
    const KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg7vbgfb1/VU/QMq3v
+XX4CwJtMr0/W7RAouZ2GZUIU1ChRANCAAQicC9/qKDvuzWTWzhKS4nSlyjLbHEb
4ZDu0fFJFqwqKCUwnT3ybdkltGes9Ie1uBL1FFC4jFuaupiQlu6eV6r4
-----END PRIVATE KEY-----
";

    /// Made for these tests, too: as `openssl req -x509` makes one, for itself and an authority at once.
    const SELF_SIGNED: &str = "\
-----BEGIN CERTIFICATE-----
MIIBYTCCAQegAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAVtmPfkZzIr7wr5
jf9JidXq+Y9v2aDjfD9VPx1FJZQqQ/W9l+nCXPdH48oH9zvUakXvCbE4dkfVvP9J
RDvYvsqjSDBGMA8GA1UdEwEB/wQFMAMBAf8wFAYDVR0RBA0wC4IJbG9jYWxob3N0
MB0GA1UdDgQWBBS3gndNkHygWWFa+z8oKXonu0b4MTAKBggqhkjOPQQDAgNIADBF
AiEApAl2Nd4651VJMSZIm/AEnhLE/V6S9QsKEbUqZ9AcR0ICICyIl7oy1/Yg5R8Z
a36sNbHPe52fQSHzrxKLn4gfi2MO
-----END CERTIFICATE-----
";
    const ITS_KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgv8Y8d0vl0hpVhqYC
WSHtucfuY48EVeW1D0MLh343QnShRANCAAQFbZj35GcyK+8K+Y3/SYnV6vmPb9mg
43w/VT8dRSWUKkP1vZfpwlz3R+PKB/c71GpF7wmxOHZH1bz/SUQ72L7K
-----END PRIVATE KEY-----
";

    /// Serves one connection with TLS; a client that hangs up ends it.
    fn serve() -> String {
        serve_as(CERTIFICATE, KEY)
    }

    fn serve_as(certificate: &str, key: &str) -> String {
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        std::thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            let connection = ServerConnection::new(Arc::new(config)).unwrap();
            let mut stream = StreamOwned::new(connection, socket);
            let mut request = [0; 1024];
            if stream.read(&mut request).is_ok_and(|read| read > 0) {
                let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
                stream.write_all(answer).unwrap();
                stream.conn.send_close_notify();
                stream.flush().unwrap();
            }
        });
        url
    }

    fn client(ca_file: Option<PathBuf>) -> Client {
        client_of(&serve(), ca_file)
    }

    fn client_of(url: &str, ca_file: Option<PathBuf>) -> Client {
        let registry = Registry {
            url: url.parse().unwrap(),
            source: Source::Flag,
            token: None,
            withheld: None,
            insecure_http: false,
            ca_file,
            unused_ca_file: None,
        };
        Client::new(registry, |_| {}).unwrap()
    }

    #[test]
    fn a_private_authority_is_believed_when_its_file_is_given_and_not_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        std::fs::write(&file, format!("# of the office\n{AUTHORITY}")).unwrap();
        assert_eq!(client(Some(file)).fetch("/healthz").unwrap().body, b"ok");
        let refused = client(None).fetch("/healthz").unwrap_err();
        assert!(refused.fix().unwrap().contains("--ca-file"), "{refused:?}");
    }

    #[test]
    fn what_mends_a_connection_is_told_by_what_ails_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        std::fs::write(&file, SELF_SIGNED).unwrap();
        let fix = |url: &str, ca_file: Option<&PathBuf>| {
            let refused = client_of(url, ca_file.cloned()).fetch("/healthz").unwrap_err();
            refused.fix().unwrap_or_else(|| panic!("no fix: {refused:?}"))
        };
        let found = fix(&serve_as(SELF_SIGNED, ITS_KEY), Some(&file));
        assert!(found.contains("a self-signed one"), "{found}");
        let found = fix(&serve().replace("https://", "http://"), None);
        assert!(found.contains("with TLS is https://"), "{found}");
        let plain = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}", plain.local_addr().unwrap().port());
        std::thread::spawn(move || {
            let (mut socket, _) = plain.accept().unwrap();
            let _ = socket.read(&mut [0; 1024]);
            socket.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").unwrap();
        });
        let found = fix(&url, None);
        assert!(found.contains("without TLS is http://"), "{found}");
    }

    #[test]
    fn a_file_adds_to_the_authorities_that_ship_with_the_program() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        std::fs::write(&file, AUTHORITY).unwrap();
        let RootCerts::Specific(all) = roots(Some(&file)).unwrap() else { panic!("not specific") };
        assert_eq!(all.len(), webpki_root_certs::TLS_SERVER_ROOT_CERTS.len() + 1);
        assert!(all.len() > 100);
        assert!(matches!(roots(None).unwrap(), RootCerts::WebPki));
    }

    #[test]
    fn a_file_without_certificates_is_refused_with_what_it_should_be() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        let broken = AUTHORITY.replace("MII", "AAA");
        for (text, expected) in
            [("", "found none"), (KEY, "found none"), (&broken, "number 1 is none")]
        {
            std::fs::write(&file, text).unwrap();
            let error = roots(Some(&file)).unwrap_err();
            assert!(error.to_string().contains(expected), "{expected}: {error}");
            assert!(error.fix().is_some());
        }
        std::fs::remove_file(&file).unwrap();
        assert!(matches!(roots(Some(&file)), Err(AuthoritiesError::File(_))));
    }
}
