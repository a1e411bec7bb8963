//! Which log to believe: the trusted root, and checkpoints opened with it.

use std::path::Path;

use attestry_schemas::checkpoint::{OpenedCheckpoint, SignedCheckpoint};
use attestry_schemas::trusted_root::{self, TrustedLog, TrustedRoot};

use crate::client::Client;
use crate::config::Settings;
use crate::output::{Failure, Session, chain, printable};

/// Reads a trusted root file.
///
/// # Errors
/// When it cannot be read or is malformed.
pub(crate) fn read(path: &Path) -> Result<TrustedRoot, Failure> {
    use std::io::Read as _;
    let fail = |e: std::io::Error| Failure::file("read", path, &e);
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(fail)?;
    file.take(trusted_root::MAX_BYTES as u64 + 1).read_to_end(&mut text).map_err(fail)?;
    TrustedRoot::parse(&text).map_err(|e| {
        Failure::undecided(format!("{}: {}", path.display(), chain(&e)))
            .fix("name the trusted_root.json of the registry, or one that cosign takes")
    })
}

/// Takes the trusted root that is named, else the registry's own, and says so.
///
/// # Errors
/// As [`read`], and when the registry gives none.
pub(crate) fn find(
    flag: Option<&Path>,
    settings: &Settings,
    client: &Client,
    session: &mut Session,
) -> Result<TrustedRoot, Failure> {
    if let Some(path) = settings.trusted_root(flag) {
        return read(&path);
    }
    let answer = client.fetch_bounded("/v1/trusted-root", trusted_root::MAX_BYTES as u64)?;
    let root = TrustedRoot::parse(&answer.body).map_err(|e| answer.malformed(chain(&e)))?;
    session.say(format!(
        "no trusted root is given: believing the one that {} gives for itself",
        client.url()
    ));
    Ok(root)
}

/// Verifies a checkpoint with the key that the trusted root has for its log.
///
/// # Errors
/// Refused when the root has no such log, or the checkpoint is not signed by it.
pub(crate) fn open_checkpoint<'a>(
    root: &'a TrustedRoot,
    signed: &str,
) -> Result<(OpenedCheckpoint, &'a TrustedLog), Failure> {
    let origin = signed.lines().next().unwrap_or_default();
    let log = root.logs().iter().find(|log| log.origin == origin).ok_or_else(|| {
        let known: Vec<&str> = root.logs().iter().map(|log| log.origin.as_str()).collect();
        Failure::refused(format!(
            "expected a checkpoint of a log in the trusted root ({}), found one of {:?}",
            known.join(", "),
            printable(&origin.chars().take(200).collect::<String>()),
        ))
        .fix("check that the trusted root is that of this registry")
    })?;
    let key = log.note_key().map_err(|e| Failure::undecided(chain(&e)))?;
    let opened = SignedCheckpoint::open(signed, &key).map_err(|e| {
        Failure::refused(format!("the checkpoint of {origin} does not verify: {}", chain(&e)))
            .fix("do not rely on this registry before its operator has explained this")
    })?;
    Ok((opened, log))
}
