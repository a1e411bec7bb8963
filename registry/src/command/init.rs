//! `attestry-registry init`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use attestry_schemas::key::PublicKey;
use clap::Args;

use super::{Failed, answer};
use crate::clock::Clock;
use crate::data;
use crate::init::{InitOptions, NewRegistry, Secrets, init};

/// `attestry-registry init`.
#[derive(Debug, Args)]
#[command(after_help = "\
The host name of the URL becomes the origin of the log and cannot change later. The log's key lies \
in the data folder in the clear, readable by its owner alone, because the server starts unattended.

Example:
  attestry-registry init --data data --url https://attest.example.com --root-key release.pub")]
pub(super) struct InitArgs {
    /// The data folder to make: not there yet, or empty
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// What clients will call the registry, such as https://attest.example.com
    #[arg(long, value_name = "URL")]
    url: String,
    /// A key that will publish the roster, and may sign until there is one; repeatable
    #[arg(long = "root-key", value_name = "PUB")]
    root_keys: Vec<PathBuf>,
    /// How many root keys must sign a roster; more than half of them when not given
    #[arg(long, value_name = "K", requires = "root_keys", value_parser = clap::value_parser!(u64).range(1..))]
    root_threshold: Option<u64>,
    /// A further key whose envelopes are accepted; repeatable
    #[arg(long = "trusted-key", value_name = "PUB")]
    trusted_keys: Vec<PathBuf>,
}

pub(super) fn run(args: &InitArgs) -> Result<ExitCode, Failed> {
    let read = |paths: &[PathBuf]| -> Result<Vec<PublicKey>, Failed> {
        paths
            .iter()
            .map(|path| data::read_public_key(path).map_err(Failed::to("read a key")))
            .collect()
    };
    let options = InitOptions {
        data: args.data.clone(),
        url: args.url.clone(),
        root_keys: read(&args.root_keys)?,
        root_threshold: threshold(args)?,
        trusted_keys: read(&args.trusted_keys)?,
        clock: Clock::system(),
        secrets: Secrets::draw().map_err(Failed::to("make the registry"))?,
    };
    let trusted = args.root_keys.iter().chain(&args.trusted_keys).next();
    let made = init(options).map_err(Failed::to("make the registry"))?;
    let has_roots = !args.root_keys.is_empty();
    answer(&welcome(&made, trusted.map(PathBuf::as_path), has_roots))?;
    Ok(ExitCode::SUCCESS)
}

/// A threshold that the root keys can reach.
fn threshold(args: &InitArgs) -> Result<Option<u64>, Failed> {
    let count = args.root_keys.len() as u64;
    match args.root_threshold {
        Some(threshold) if threshold > count => Err(Failed::new(format!(
            "expected --root-threshold of at most {count}, the number of root keys, found {threshold}"
        ))),
        threshold => Ok(threshold),
    }
}

/// What to do next, as commands that can be copied.
fn welcome(made: &NewRegistry, trusted: Option<&Path>, has_roots: bool) -> String {
    let NewRegistry { url, origin, log_id, token, .. } = made;
    let data = made.data.display();
    let log_key = made.log_key.fingerprint();
    let genesis = made.genesis.digest;
    let token = token.reveal();
    // The private half lies beside the public one, as `attestry key generate` writes them.
    let key = trusted.map_or_else(|| PathBuf::from("release.pub"), Path::to_owned);
    let (public, private) = (key.display(), key.with_extension("key"));
    let private = private.display();
    let listen = loopback(url).map_or_else(String::new, |address| format!(" --listen {address}"));
    let gate = match has_roots {
        true => "",
        false => {
            "\nNo --root-key was given: no roster can rule here, and the gate denies everything.\n"
        }
    };
    let make_key = match trusted {
        Some(_) => String::new(),
        None => format!(
            "  attestry key generate --out release\n  \
             attestry-registry trust add --data {data} release.pub    # before serve, or restart it\n"
        ),
    };
    format!(
        "\
The registry {url} is ready in {data}.
  log      {origin}, id {log_id}
  log key  {log_key}
  genesis  {genesis}

The admin token is shown now and never again; only its hash is kept:
  export ATTESTRY_TOKEN={token}
  export ATTESTRY_REGISTRY={url}

Start the server:
  attestry-registry serve --data {data}{listen}

Sign, record and verify:
{make_key}  attestry sign FILE --key {private} --registry {url}
  attestry verify FILE --key {public} --registry {url}

The same with stock cosign (3.1 or newer); its key must be trusted:
  attestry-registry trust add --data {data} cosign.pub    # then restart serve
  curl -sSf {url}/v1/trusted-root -o trusted_root.json
  curl -sSf {url}/v1/signing-config -o signing_config.json
  cosign sign-blob --key cosign.key --signing-config signing_config.json --trusted-root trusted_root.json --bundle FILE.sigstore.json FILE
  cosign verify-blob --key cosign.pub --trusted-root trusted_root.json --bundle FILE.sigstore.json FILE
{gate}"
    )
}

/// The address to listen on, when the URL says that it is this machine's own.
fn loopback(url: &str) -> Option<SocketAddr> {
    let authority = url.strip_prefix("http://")?;
    let address: SocketAddr = authority.replacen("localhost", "127.0.0.1", 1).parse().ok()?;
    address.ip().is_loopback().then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_listens_where_a_loopback_url_points() {
        for (url, expected) in [
            ("http://127.0.0.1:9000", Some("127.0.0.1:9000")),
            ("http://localhost:9000", Some("127.0.0.1:9000")),
            ("http://[::1]:9000", Some("[::1]:9000")),
            ("http://localhost", None),
            ("http://10.0.0.1:9000", None),
            ("https://attest.example.org", None),
        ] {
            assert_eq!(loopback(url).map(|a| a.to_string()).as_deref(), expected, "{url}");
        }
    }
}
