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

/// Another one of the same names, with its key, from 2020 for a century, as are those below.
pub(in crate::http) const RENEWED: &str = "\
-----BEGIN CERTIFICATE-----
MIIBjDCCATGgAwIBAgICEAMwCgYIKoZIzj0EAwIwHTEbMBkGA1UEAwwSYXR0ZXN0
LmV4YW1wbGUub3JnMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAd
MRswGQYDVQQDDBJhdHRlc3QuZXhhbXBsZS5vcmcwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASFBXQXJblqAEqJEpxla84qJcHAFLktjBoWbHgHZj1+Mv6apeHUGdRm
moLZyKG7wLrQHzHMHz2TOFSgQQNXm7uCo18wXTAuBgNVHREEJzAlghJhdHRlc3Qu
ZXhhbXBsZS5vcmeCCWxvY2FsaG9zdIcEfwAAATAMBgNVHRMBAf8EAjAAMB0GA1Ud
DgQWBBQmzJfUHyHA/IojIDKYOdjO9PmBVzAKBggqhkjOPQQDAgNJADBGAiEA2PnM
ulXedI0nfBbRldoQ5wxS48MqfQH2EU4bw8aBxaoCIQCnaI3UsTrYjrkGT8xh0Gr1
OBheeqKycRFFhVrUyRzOeQ==
-----END CERTIFICATE-----
";
pub(in crate::http) const RENEWED_KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgH4Q5gWBr6zwYVFO1
Xt7kO0ilZz2uHwOrXIwHN3N44u+hRANCAASFBXQXJblqAEqJEpxla84qJcHAFLkt
jBoWbHgHZj1+Mv6apeHUGdRmmoLZyKG7wLrQHzHMHz2TOFSgQQNXm7uC
-----END PRIVATE KEY-----
";
/// An authority of client certificates, and one that issued none of them.
pub(in crate::http) const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----
MIIBgTCCASigAwIBAgICEAAwCgYIKoZIzj0EAwIwJzETMBEGA1UEAwwKY2xpZW50
cyBjYTEQMA4GA1UECgwHRXhhbXBsZTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEw
MTAwMDAwMFowJzETMBEGA1UEAwwKY2xpZW50cyBjYTEQMA4GA1UECgwHRXhhbXBs
ZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABGgybWFm/s+gwpK33sNuYVg2w/My
KZQt5tcrILAjsuuZqUXn69SSnO3fHv2opmfddabrdxixvuL60g2YZ5qTKnmjQjBA
MA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgIEMB0GA1UdDgQWBBTCwPSQ
G1f7Ju+eQU1czbkOIppNmDAKBggqhkjOPQQDAgNHADBEAiB6SZOxnYERhOi0DDj8
DpKje973zzLHOlAhAFNOdjr5+QIgBtAZa/pL+5aVFr3Aa0jHgHaX2OKAFfUXQT8X
l25OIyI=
-----END CERTIFICATE-----
";
pub(in crate::http) const OTHER_AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----
MIIBhTCCASqgAwIBAgICEAEwCgYIKoZIzj0EAwIwKDEUMBIGA1UEAwwLY2xpZW50
cyBjYTIxEDAOBgNVBAoMB0V4YW1wbGUwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAx
MDEwMDAwMDBaMCgxFDASBgNVBAMMC2NsaWVudHMgY2EyMRAwDgYDVQQKDAdFeGFt
cGxlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5an9lh7PAlz+oBg7G+yvA7R/
hlxJfApljIXSsmwbd40P0YSkBmEGdWfI0OoE3JuKGWchGcNfYJO597GVMa7Q36NC
MEAwDwYDVR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAgQwHQYDVR0OBBYEFFwD
xdQ1CgoOfis+w3VGu+4rjOuvMAoGCCqGSM49BAMCA0kAMEYCIQCVB6gLv/1PailG
CtNH0Ls7FGymcKByYDJDVy3XsRXhOQIhANfBftgrVcU117/690kjjKLgKNnQ7uul
hyyABbA6Y9/7
-----END CERTIFICATE-----
";
/// O=Example,CN=deployer with three alternative names, of the authority, with its key.
pub(in crate::http) const CLIENT: &str = "\
-----BEGIN CERTIFICATE-----
MIIB8DCCAZegAwIBAgICEAIwCgYIKoZIzj0EAwIwJzETMBEGA1UEAwwKY2xpZW50
cyBjYTEQMA4GA1UECgwHRXhhbXBsZTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEw
MTAwMDAwMFowJTERMA8GA1UEAwwIZGVwbG95ZXIxEDAOBgNVBAoMB0V4YW1wbGUw
WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAS3dVBojn/E3EEQPoES978q8u3gbC5X
WydmY4QU6eU1BCXwtg+6GvoU3BSIewg65VZt3/MMXk9XXOe77MMEbFT1o4GyMIGv
ME0GA1UdEQRGMESGHXNwaWZmZTovL2V4YW1wbGUub3JnL2RlcGxveWVyghJEZXBs
b3kuZXhhbXBsZS5vcmeBD29wc0BleGFtcGxlLm9yZzATBgNVHSUEDDAKBggrBgEF
BQcDAjAJBgNVHRMEAjAAMB0GA1UdDgQWBBTJo3O01+9leJrrvrQnCjYmfPHZmzAf
BgNVHSMEGDAWgBTCwPSQG1f7Ju+eQU1czbkOIppNmDAKBggqhkjOPQQDAgNHADBE
AiBy5jkRW9q3D6nVLzFh2aR8Aco1rF7HtfqpBBKIwdsfVAIgHDKgewA4Qa7BP5G9
PTx7UJ+5PwJkgwfwLmMiS2VkA2U=
-----END CERTIFICATE-----
";
pub(in crate::http) const CLIENT_KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZdj1y0+E1AwGm9Yn
b71loNjdt0M803Uqe1iKFmIcboqhRANCAAS3dVBojn/E3EEQPoES978q8u3gbC5X
WydmY4QU6eU1BCXwtg+6GvoU3BSIewg65VZt3/MMXk9XXOe77MMEbFT1
-----END PRIVATE KEY-----
";

#[derive(Debug)]
struct In2030;

impl TimeProvider for In2030 {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(1_893_456_000)))
    }
}

/// A client that trusts these certificates, and shows its own when it is told to.
fn client(trusted: &[&str], own: bool) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    for trusted in trusted {
        roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_details(provider(), Arc::new(In2030))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match own {
        true => {
            let chain = vec![CertificateDer::from_pem_slice(CLIENT.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(CLIENT_KEY.as_bytes()).unwrap();
            config.with_client_auth_cert(chain, key).unwrap()
        }
        false => config.with_no_client_auth(),
    };
    let name = ServerName::try_from("attest.example.org").unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

/// Files of the settings, in a folder of their own.
struct Files {
    files: TlsFiles,
    _dir: tempfile::TempDir,
}

impl Files {
    fn new(certificate: &str, key: &str, client_ca: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let files = TlsFiles {
            certificate: path("tls.crt"),
            key: path("tls.key"),
            client_ca: client_ca.map(|_| path("clients.crt")),
        };
        let files = Self { files, _dir: dir };
        files.write(certificate, key, client_ca);
        files
    }

    fn write(&self, certificate: &str, key: &str, client_ca: Option<&str>) {
        std::fs::write(&self.files.certificate, certificate).unwrap();
        std::fs::write(&self.files.key, key).unwrap();
        if let (Some(path), Some(text)) = (&self.files.client_ca, client_ca) {
            std::fs::write(path, text).unwrap();
        }
    }
}

/// The server's configuration of files with these texts.
fn of(certificate: &str, key: &str) -> Result<ServerConfig, TlsError> {
    server_config(&Files::new(certificate, key, None).files)
}

/// Connects, says hello, and gives what the server knows of the client.
fn meet(
    config: &Arc<ServerConfig>,
    mut client: ClientConnection,
) -> Result<Option<Presented>, rustls::Error> {
    let mut server = ServerConnection::new(Arc::clone(config)).unwrap();
    client.writer().write_all(b"hello").unwrap();
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    let mut heard = [0; 5];
    server.reader().read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"hello");
    let shown = server.peer_certificates().and_then(|chain| chain.first());
    Ok(shown.and_then(|certificate| Presented::read(certificate)))
}

#[test]
fn a_client_that_trusts_the_certificate_is_served() {
    let config = Arc::new(of(CERTIFICATE, KEY).unwrap());
    assert_eq!(meet(&config, client(&[CERTIFICATE], false)), Ok(None));
}

#[test]
fn a_renewed_certificate_is_served_without_a_restart_and_half_of_one_is_not() {
    let files = Files::new(CERTIFICATE, KEY, None);
    let config = Arc::new(server_config(&files.files).unwrap());
    let serves = |certificate| meet(&config, client(&[certificate], false)).is_ok();
    assert!(serves(CERTIFICATE) && !serves(RENEWED));
    // Between the renewal of one file and that of the other.
    files.write(RENEWED, KEY, None);
    assert!(serves(CERTIFICATE) && !serves(RENEWED));
    files.write(RENEWED, RENEWED_KEY, None);
    assert!(serves(RENEWED) && !serves(CERTIFICATE));
    files.write("", "", None);
    assert!(serves(RENEWED), "what was read last stays");
}

#[test]
fn a_client_is_known_by_a_certificate_of_the_authorities_alone() {
    let files = Files::new(CERTIFICATE, KEY, Some(AUTHORITY));
    let config = Arc::new(server_config(&files.files).unwrap());
    let shown = meet(&config, client(&[CERTIFICATE], true)).unwrap().unwrap();
    assert_eq!(shown.subject, "O=Example,CN=deployer");
    let san =
        ["uri:spiffe://example.org/deployer", "dns:deploy.example.org", "email:ops@example.org"];
    assert_eq!(shown.san, san);
    assert_eq!(meet(&config, client(&[CERTIFICATE], false)), Ok(None), "a certificate is no must");
    files.write(CERTIFICATE, KEY, Some(OTHER_AUTHORITY));
    assert!(meet(&config, client(&[CERTIFICATE], true)).is_err(), "its authority was taken out");
    files.write(CERTIFICATE, KEY, Some(AUTHORITY));
    assert!(meet(&config, client(&[CERTIFICATE], true)).is_ok());
    // Where none is asked for, none is believed.
    let none = Arc::new(of(CERTIFICATE, KEY).unwrap());
    assert_eq!(meet(&none, client(&[CERTIFICATE], true)), Ok(None));
}

#[test]
fn an_entry_fits_the_certificate_of_which_all_holds_that_it_says() {
    let der = CertificateDer::from_pem_slice(CLIENT.as_bytes()).unwrap();
    let shown = Presented::read(&der).unwrap();
    let entry = |subject: Option<&str>, san: &[&str]| crate::authority::document::Certificate {
        name: "deployer".to_owned(),
        subject: subject.map(str::to_owned),
        san: san.iter().map(|name| (*name).to_owned()).collect(),
    };
    let uri = "uri:spiffe://example.org/deployer";
    for (subject, san, expected) in [
        (Some("O=Example,CN=deployer"), &[][..], true),
        (None, &[uri], true),
        (Some("O=Example,CN=deployer"), &["dns:other", uri], true),
        (Some("CN=deployer"), &[uri], false),
        (Some("O=Example,CN=deployer"), &["dns:other"], false),
        (None, &["uri:spiffe://example.org/deploy"], false),
    ] {
        assert_eq!(shown.fits(&entry(subject, san)), expected, "{subject:?} {san:?}");
    }
    assert_eq!(Presented::read(b"no certificate"), None);
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
    let missing =
        TlsFiles { certificate: "no/such.crt".into(), key: "no/such.key".into(), client_ca: None };
    let refused = server_config(&missing).unwrap_err().to_string();
    assert!(refused.contains("no/such.crt") && refused.contains("tls_certificate"), "{refused}");
}
