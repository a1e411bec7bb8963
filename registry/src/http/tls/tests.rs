use std::io::{Read as _, Write as _};
use std::time::Duration;

use rustls::pki_types::{ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};

use super::*;

/// Made for these tests: attest.example.org, of its own key, from the end of 2026 for a century.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBwDCCAWWgAwIBAgIUQp1q9DK7TJ2Y8gA9k5WjQEbty70wCgYIKoZIzj0EAwIw
HTEbMBkGA1UEAwwSYXR0ZXN0LmV4YW1wbGUub3JnMCAXDTI2MTEyOTAwNDYzMVoY
DzIxMjYxMTA1MDA0NjMxWjAdMRswGQYDVQQDDBJhdHRlc3QuZXhhbXBsZS5vcmcw
WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASZFyakR0dJxORcU6qeIbg+4miYrVmB
UsFRjU+LnxH76xeQBpPjurMUAhCkgUOoDZLHQ+3RPaJx3tH6KwRGJwFVo4GAMH4w
HQYDVR0OBBYEFLZS+d/IdtXxqW2X6qsxpGq53ZytMB8GA1UdIwQYMBaAFLZS+d/I
dtXxqW2X6qsxpGq53ZytMC4GA1UdEQQnMCWCEmF0dGVzdC5leGFtcGxlLm9yZ4IJ
bG9jYWxob3N0hwR/AAABMAwGA1UdEwEB/wQCMAAwCgYIKoZIzj0EAwIDSQAwRgIh
AP9bKiN5hxZ/+i3esAK1jLBgSyH+nEH0n4xYOdQc10ElAiEA77nyHX7S9uYEE6g6
o5CffOBOXvOjoJOpU2HQVjS7Rqg=
-----END CERTIFICATE-----
";
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg03TIq/tXt7H7LqZ6
fu6MJ1HsO6N6FOwGKD0DOUm0DpGhRANCAASZFyakR0dJxORcU6qeIbg+4miYrVmB
UsFRjU+LnxH76xeQBpPjurMUAhCkgUOoDZLHQ+3RPaJx3tH6KwRGJwFV
-----END PRIVATE KEY-----
";
/// Of no certificate.
const OTHER_KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgDP3y4H3WFGK3JL7B
mwpZ2bSsw6JjnK5C6flRUmEekO6hRANCAATlCarnd+NvFJN3vn8mfvlYGdKbTQFn
9koYs8vkag/zR5D16uxWIPQi6gHUMCWHs/YVfPxWF6FtxlfeWaI1ANmn
-----END PRIVATE KEY-----
";

#[derive(Debug)]
struct In2030;

impl TimeProvider for In2030 {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(1_893_456_000)))
    }
}

fn client() -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_details(provider, Arc::new(In2030))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("attest.example.org").unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

/// The server's configuration of files with these texts.
fn of(certificate: &str, key: &str) -> Result<ServerConfig, TlsError> {
    let dir = tempfile::tempdir().unwrap();
    let files =
        TlsFiles { certificate: dir.path().join("tls.crt"), key: dir.path().join("tls.key") };
    std::fs::write(&files.certificate, certificate).unwrap();
    std::fs::write(&files.key, key).unwrap();
    server_config(&files)
}

#[test]
fn a_client_that_trusts_the_certificate_is_served() {
    let mut client = client();
    let mut server = ServerConnection::new(Arc::new(of(CERTIFICATE, KEY).unwrap())).unwrap();
    client.writer().write_all(b"hello").unwrap();
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets().unwrap();
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets().unwrap();
    }
    let mut heard = [0; 5];
    server.reader().read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"hello");
}

#[test]
fn files_that_cannot_serve_are_named_with_what_was_expected() {
    let both = format!("{CERTIFICATE}{KEY}");
    assert!(of(&both, &both).is_ok(), "one file may hold both");
    for (certificate, key, words) in [
        ("", KEY, &["tls.crt", "tls_certificate", "found none"][..]),
        (KEY, KEY, &["tls.crt", "tls_certificate", "found none"]),
        (CERTIFICATE, CERTIFICATE, &["tls.key", "tls_key", "found none"]),
        (CERTIFICATE, "-----BEGIN PRIVATE KEY-----\nAAAA", &["tls.key", "malformed"]),
        (CERTIFICATE, OTHER_KEY, &["tls.crt", "tls.key", "belong together"]),
    ] {
        let refused = of(certificate, key).unwrap_err().to_string();
        assert!(words.iter().all(|word| refused.contains(word)), "{refused}");
        assert!(!refused.contains("AAAA"), "{refused}");
    }
    let missing = TlsFiles { certificate: "no/such.crt".into(), key: "no/such.key".into() };
    let refused = server_config(&missing).unwrap_err().to_string();
    assert!(refused.contains("no/such.crt") && refused.contains("tls_certificate"), "{refused}");
}
