//! Which log to believe: the trusted root, and checkpoints opened with it.

use std::path::{Path, PathBuf};

use attestry_schemas::checkpoint::{OpenedCheckpoint, SignedCheckpoint};
use attestry_schemas::gate::pack::LeftOut;
use attestry_schemas::trusted_root::{self, TrustedLog, TrustedRoot};
use attestry_schemas::verify::CertificateRoots;

use crate::client::Client;
use crate::config::{NamedRoot, Settings, Source};
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

/// The authorities whose certificates count: those of the files, else those that ship with the program.
///
/// # Errors
/// As [`read`], and when a file has no certificate authority.
pub(crate) fn certificates(paths: &[PathBuf]) -> Result<CertificateRoots, Failure> {
    if paths.is_empty() {
        return Ok(CertificateRoots::embedded());
    }
    let read = |path: &PathBuf| Ok((path.display().to_string(), read(path)?.text().to_owned()));
    let texts: Vec<(String, String)> = paths.iter().map(read).collect::<Result<_, Failure>>()?;
    CertificateRoots::given(texts).map_err(|error| {
        Failure::undecided(chain(&error)).fix(
            "name the trusted_root.json of a Sigstore, as certificate_roots of the registry does",
        )
    })
}

/// Tells what of a pack did not verify.
pub(crate) fn warn_of_left_out<'l>(
    pack: &str,
    left_out: impl IntoIterator<Item = &'l LeftOut>,
    session: &mut Session,
) {
    let mut has_certificates = false;
    for left in left_out {
        has_certificates |= left.is_certificate;
        session.warn(printable(&format!("{pack}: left out: {left}")));
    }
    if has_certificates {
        session.warn("a registry may have certificate_roots of its own: --certificate-root FILE names the same authorities here");
    }
}

/// Reads the trusted root that is named, if one is, and says where a file that nobody chose named it.
///
/// # Errors
/// As [`read`].
pub(crate) fn named(
    flag: Option<&Path>,
    settings: &Settings,
    session: &mut Session,
) -> Result<Option<TrustedRoot>, Failure> {
    let Some(NamedRoot { path, source }) = settings.named_root(flag) else { return Ok(None) };
    if let Source::Folder(file) = &source {
        session.say(format!(
            "the trusted root is {}, which {} names",
            path.display(),
            file.display()
        ));
    }
    read(&path).map(Some)
}

/// Reads the trusted root that certificates are checked against; nothing for the roots that ship
/// with the program. Those stand in for a root that no flag names and that has no certificate
/// authority, as a registry's own has none: such a root was set for its log. A root that the file in
/// the current folder names is never taken: whoever wrote the file would decide who is believed.
///
/// # Errors
/// As [`read`], and when a root that a flag names has no certificate authority.
pub(crate) fn of_certificates(
    flag: Option<&Path>,
    settings: &Settings,
    session: &mut Session,
) -> Result<Option<TrustedRoot>, Failure> {
    let Some(NamedRoot { path, source }) = settings.named_root(flag) else { return Ok(None) };
    let shown = path.display();
    let named_by = match source {
        Source::Folder(file) => {
            session.warn(format!(
                "{} names the trusted root {shown}, which is not taken for certificates; --trusted-root {shown} takes it",
                file.display()
            ));
            return Ok(None);
        }
        Source::Flag => "--trusted-root".to_owned(),
        Source::Environment => "ATTESTRY_TRUSTED_ROOT".to_owned(),
        Source::Chosen(ref file) => file.display().to_string(),
    };
    let root = read(&path)?;
    if root.has_certificate_authorities() {
        return Ok(Some(root));
    }
    if source == Source::Flag {
        return Err(Failure::undecided(format!(
            "expected certificate authorities for --identity in {shown}, which {named_by} names, found none"
        ))
        .fix("leave --trusted-root out to use the roots of Sigstore and of GitHub, which ship with this program"));
    }
    session.say(format!(
        "{shown}, which {named_by} names, has no certificate authorities: using the roots of Sigstore and of GitHub, which ship with this program"
    ));
    Ok(None)
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
    match named(flag, settings, session)? {
        Some(root) => Ok(root),
        None => of_registry(client, session),
    }
}

/// Believes a registry about itself, and says so.
///
/// # Errors
/// When the registry gives no trusted root.
pub(crate) fn of_registry(client: &Client, session: &mut Session) -> Result<TrustedRoot, Failure> {
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
