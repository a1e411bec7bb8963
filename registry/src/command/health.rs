//! `attestry-registry health`: for the health check of a container, which has no other client.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

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
    /// Where the server listens, without TLS
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,
}

pub(super) fn run(args: &HealthArgs) -> Result<ExitCode, Failed> {
    let authority = authority(&args.url)?;
    match ask(&authority) {
        Ok(line) if line.split(' ').nth(1) == Some("200") => {
            answer("ok\n")?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(line) => {
            say(&format!("attestry-registry: expected status 200 of /healthz, found {line:?}"));
            Ok(REFUSED.into())
        }
        Err(error) => {
            say(&format!("attestry-registry: no answer from {authority}: {error}"));
            Ok(REFUSED.into())
        }
    }
}

/// The host and port of a URL.
fn authority(url: &str) -> Result<String, Failed> {
    let wrong =
        || Failed::new(format!("expected a URL such as http://127.0.0.1:8080, found {url:?}"));
    let rest = url.strip_prefix("http://").ok_or_else(wrong)?;
    let authority = rest.trim_end_matches('/');
    if authority.is_empty() || authority.contains(['/', '@', '?', '#', ' ']) {
        return Err(wrong());
    }
    // The colon of a port stands behind the bracket of an IPv6 address.
    let has_port = authority.rsplit(']').next().is_some_and(|tail| tail.contains(':'));
    Ok(if has_port { authority.to_owned() } else { format!("{authority}:80") })
}

fn ask(authority: &str) -> io::Result<String> {
    let mut refusal = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in authority.to_socket_addrs()? {
        match ask_at(&address, authority) {
            Err(error) => refusal = error,
            answered => return answered,
        }
    }
    Err(refusal)
}

fn ask_at(address: &std::net::SocketAddr, authority: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
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
            assert_eq!(authority(url).ok().as_deref(), expected, "{url}");
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
        assert_eq!(ask(&address.to_string()).unwrap(), "HTTP/1.1 200 OK");
        assert_eq!(server.join().unwrap()[0], "GET /healthz HTTP/1.1");
    }
}
