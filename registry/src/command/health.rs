//! `attestry-registry health`: for the health check of a container, which has no other client.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{Failed, REFUSED, answer, say};

/// Longer than any healthy server takes.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The most bytes of the answer's status line, which is all that is read.
const MAX_LINE_BYTES: u64 = 4096;

/// `attestry-registry health`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 well, 1 not well or not there.

Example:
  attestry-registry health --url http://127.0.0.1:8080")]
pub(super) struct HealthArgs {
    /// Where the server listens: http://, or https:// with --ca-file
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// PEM file of the certificates that an https:// server is trusted by: its authority's, or its own
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// Where to ask, and how.
struct Target {
    authority: String,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

pub(super) fn run(args: &HealthArgs) -> Result<ExitCode, Failed> {
    let target = target(&args.url, args.ca_file.as_deref())?;
    match ask(&target) {
        Ok(line) if line.split(' ').nth(1) == Some("200") => {
            answer("ok\n")?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(line) => {
            say(&format!("attestry-registry: expected status 200 of /healthz, found {line:?}"));
            Ok(REFUSED.into())
        }
        Err(error) => {
            say(&format!("attestry-registry: no answer from {}: {error}", target.authority));
            Ok(REFUSED.into())
        }
    }
}

fn target(url: &str, ca_file: Option<&Path>) -> Result<Target, Failed> {
    let wrong =
        || Failed::new(format!("expected a URL such as http://127.0.0.1:8080, found {url:?}"));
    if let Some(rest) = url.strip_prefix("http://") {
        return Ok(Target { authority: authority(rest, 80).ok_or_else(wrong)?, tls: None });
    }
    let rest = url.strip_prefix("https://").ok_or_else(wrong)?;
    let authority = authority(rest, 443).ok_or_else(wrong)?;
    let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
    let name = ServerName::try_from(host.trim_matches(['[', ']'])).map_err(|_| wrong())?.to_owned();
    let ca_file = ca_file.ok_or_else(|| {
        Failed::new("expected --ca-file with an https:// URL, found none".to_owned())
    })?;
    Ok(Target { authority, tls: Some((trusting(ca_file)?, name)) })
}

/// The host and port of what follows a scheme.
fn authority(rest: &str, port: u16) -> Option<String> {
    let authority = rest.trim_end_matches('/');
    if authority.is_empty() || authority.contains(['/', '@', '?', '#', ' ']) {
        return None;
    }
    // The colon of a port stands behind the bracket of an IPv6 address.
    let has_port = authority.rsplit(']').next().is_some_and(|tail| tail.contains(':'));
    Some(if has_port { authority.to_owned() } else { format!("{authority}:{port}") })
}

/// A client that trusts the certificates of a file alone.
fn trusting(ca_file: &Path) -> Result<Arc<ClientConfig>, Failed> {
    let mut roots = RootCertStore::empty();
    let what = "read the certificates of --ca-file";
    for certificate in CertificateDer::pem_file_iter(ca_file).map_err(Failed::to(what))? {
        roots.add(certificate.map_err(Failed::to(what))?).map_err(Failed::to(what))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Failed::to(what))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn ask(target: &Target) -> io::Result<String> {
    let mut refusal = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in target.authority.to_socket_addrs()? {
        match ask_at(&address, target) {
            Err(error) => refusal = error,
            answered => return answered,
        }
    }
    Err(refusal)
}

fn ask_at(address: &SocketAddr, target: &Target) -> io::Result<String> {
    let stream = TcpStream::connect_timeout(address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    match &target.tls {
        None => exchange(stream, &target.authority),
        Some((config, name)) => {
            let connection = ClientConnection::new(Arc::clone(config), name.clone());
            let connection = connection.map_err(io::Error::other)?;
            exchange(StreamOwned::new(connection, stream), &target.authority)
        }
    }
}

/// Asks over an open connection; gives the status line.
fn exchange(mut stream: impl Read + Write, authority: &str) -> io::Result<String> {
    let request =
        format!("GET /healthz HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).take(MAX_LINE_BYTES).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_of_a_url_has_a_port() {
        for (url, expected) in [
            ("http://127.0.0.1:8080", Some("127.0.0.1:8080")),
            ("http://localhost/", Some("localhost:80")),
            ("http://[::1]", Some("[::1]:80")),
            ("http://[::1]:9", Some("[::1]:9")),
            ("https://localhost", None),
            ("http://", None),
            ("http://host/path", None),
            ("localhost:8080", None),
        ] {
            let found = target(url, None).ok().map(|target| target.authority);
            assert_eq!(found.as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn a_server_is_asked_and_its_status_line_read() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(&stream).lines().map(Result::unwrap);
            let request: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
            request
        });
        let target = target(&format!("http://{address}"), None).unwrap();
        assert_eq!(ask(&target).unwrap(), "HTTP/1.1 200 OK");
        assert_eq!(server.join().unwrap()[0], "GET /healthz HTTP/1.1");
    }
}
