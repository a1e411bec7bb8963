//! `attestry verify`: whether evidence proves what is demanded of an artifact.
//!
//! This module finds the evidence, asks `attestry_schemas::verify`, and reports. It decides
//! nothing: of all evidence at hand, each demand needs one piece that passes every check.

mod evidence;
mod in_registry;
mod judge;
mod report;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::digest::{Algorithm, Digest};
use attestry_schemas::key::{KeyType, PublicKey};
use attestry_schemas::verify::{self, Claim, Identity, Keys, Verifier};

use crate::args::{SubjectArg, VerifyArgs};
use crate::client::Client;
use crate::config::{Settings, Source};
use crate::keyfile::KeyText;
use crate::output::{Exit, Failure, Session};
use crate::subject::{self, Subject};
use crate::trust;
use evidence::Evidence;
use in_registry::InRegistry;
use judge::{Asked, Judging};
use report::Report;

/// The longest artifact that is read into memory, which only a signature that pure Ed25519 made
/// over the artifact itself calls for.
const MAX_MESSAGE_BYTES: u64 = 64 * 1024 * 1024;

/// Runs `attestry verify`.
pub(super) fn run(args: &VerifyArgs, session: &mut Session) -> Result<Exit, Failure> {
    let settings = super::settings(session)?;
    super::reach(&args.oci, &args.registry, session);
    let keys = keys(args, session)?;
    let client = registry(args, &settings, session)?;
    let flag = args.trusted_root.trusted_root.as_deref();
    let by_key = matches!(keys, Keys::Managed(_));
    let root = if by_key {
        trust::named(flag, &settings, session)?
    } else {
        trust::of_certificates(flag, &settings, session)?
    };
    let in_registry = InRegistry::read(&args.subject, session)?;
    let subject = match &in_registry {
        Some(artifact) => artifact.subject(),
        None => subject::resolve(&args.subject, session, &AtomicBool::new(false))?,
    };
    let demands = demands(args);
    let mut found = evidence::find(args, &subject, &demands, &keys, client.as_ref(), session)?;
    let root = match (&client, root) {
        (Some(client), None) if by_key => Some(trust::of_registry(client, session)?),
        // A registry is never asked which certificate authorities to believe.
        (_, root) => root,
    };
    let bytes = match &in_registry {
        Some(artifact) => artifact.message_bytes(),
        None => message_bytes(&args.subject, &found.evidence, &keys)?,
    };
    let about = About {
        sha256: &subject.digest,
        sha512: match (&found.sha512, &in_registry) {
            (Some(sha512), _) => Some(sha512.clone()),
            (None, Some(artifact)) => Some(artifact.sha512()),
            (None, None) => sha512(&args.subject, &subject, &found.evidence, session)?,
        },
        bytes: bytes.as_deref(),
        begins_as_pae: subject.begins_as_pae,
    };
    let verifier = Verifier { keys, root: root.as_ref() };
    let mut judging: Vec<Judging<'_>> = demands.iter().map(Judging::of).collect();
    for evidence in &found.evidence {
        judging.iter_mut().for_each(|judging| judging.hear(evidence, &verifier, &about));
    }
    let asked = match &in_registry {
        Some(artifact) if args.bundles.is_empty() => {
            artifact.hear(&mut judging, &verifier, &about, &mut found, session)?;
            Asked::Registry(artifact.label())
        }
        _ => client.as_ref().map_or(Asked::Files, |client| Asked::Registry(client.url())),
    };
    let outcomes = judging.into_iter().map(|judging| judging.end(&about, &found, &asked)).collect();
    Report { subject: &subject, outcomes, cut: &found.cut }.tell(session)
}

/// The public keys, or the identity.
fn keys(args: &VerifyArgs, session: &mut Session) -> Result<Keys, Failure> {
    if let (Some(subject), Some(issuer)) = (&args.identity, &args.issuer) {
        let (subject, issuer) = (subject.clone(), issuer.clone());
        return Ok(Keys::Identity(Identity { subject, issuer }));
    }
    if args.keys.is_empty() {
        return Err(Failure::undecided(
            "expected to be told whose signature counts, found neither a key nor an identity",
        )
        .fix("give --key PUB, or --identity ID and --issuer URL for a Fulcio certificate"));
    }
    let key = |path: &std::path::PathBuf| -> Result<PublicKey, Failure> {
        Ok(KeyText::read(path, session)?.public()?)
    };
    Ok(Keys::Managed(args.keys.iter().map(key).collect::<Result<_, _>>()?))
}

/// A registry that only the configuration names is not asked when evidence is given in files.
fn registry(
    args: &VerifyArgs,
    settings: &Settings,
    session: &mut Session,
) -> Result<Option<Client>, Failure> {
    let files_only = args.registry.registry.is_none() && !args.bundles.is_empty();
    if args.offline.offline || files_only {
        return Ok(None);
    }
    let registry = settings.registry(&args.registry)?.filter(|registry| {
        // The evidence about what is in an OCI registry lies there, unless another is named for it.
        let elsewhere = matches!(args.subject, SubjectArg::Oci(_));
        !elsewhere || registry.source == Source::Flag
    });
    registry.map(|registry| super::client(registry, session)).transpose()
}

/// One thing that must be proven.
pub(super) struct Demand {
    /// In the verifier's terms.
    pub(super) claim: Claim,
    /// In the user's.
    pub(super) name: String,
}

fn demands(args: &VerifyArgs) -> Vec<Demand> {
    let types = args.types.iter().map(|t| Demand {
        claim: Claim::Type(t.requested().to_owned()),
        name: t.requested().to_owned(),
    });
    if args.any_type {
        vec![Demand { claim: Claim::AnyType, name: "any attestation".to_owned() }]
    } else if args.types.is_empty() {
        vec![Demand { claim: Claim::Signature, name: "signature".to_owned() }]
    } else {
        types.collect()
    }
}

/// The artifact's bytes, where a signature needs them and they are few enough.
fn message_bytes(
    subject: &SubjectArg,
    found: &[Evidence],
    keys: &Keys,
) -> Result<Option<Vec<u8>>, Failure> {
    let message = |e: &Evidence| matches!(e.bundle.content, Content::Message(_));
    let pure = match keys {
        Keys::Managed(keys) => keys.iter().any(|key| key.key_type() == KeyType::Ed25519),
        Keys::Identity(_) | Keys::AnyIdentity => false,
    };
    match subject.path() {
        Some(path) if pure && found.iter().any(message) => read_small(path),
        _ => Ok(None),
    }
}

fn read_small(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let fail = |e: std::io::Error| Failure::file("read", path, &e);
    let metadata = std::fs::metadata(path).map_err(fail)?;
    if !metadata.is_file() || metadata.len() > MAX_MESSAGE_BYTES {
        return Ok(None);
    }
    std::fs::read(path).map(Some).map_err(fail)
}

/// What is known of the artifact.
struct About<'a> {
    /// Its digest as it was resolved: SHA-256 unless another was named.
    sha256: &'a Digest,
    /// Its SHA-512, where evidence calls for it.
    sha512: Option<Digest>,
    /// Its bytes, where a signature calls for them.
    bytes: Option<&'a [u8]>,
    /// Whether they begin as what an envelope's signature covers.
    begins_as_pae: bool,
}

impl<'a> About<'a> {
    /// The artifact by the digest that this bundle may name.
    fn of(&'a self, bundle: &Bundle) -> verify::Subject<'a> {
        let digest = match &self.sha512 {
            Some(sha512) if by_sha512(bundle, self.sha256) => sha512,
            _ => self.sha256,
        };
        verify::Subject { digest, bytes: self.bytes, begins_as_pae: self.begins_as_pae }
    }
}

fn by_sha512(bundle: &Bundle, sha256: &Digest) -> bool {
    verify::subject_algorithm(bundle, sha256) == Algorithm::Sha512
}

/// The artifact's SHA-512, for evidence that names it by nothing else, as npm's provenance does.
fn sha512(
    argument: &SubjectArg,
    subject: &Subject,
    found: &[Evidence],
    session: &mut Session,
) -> Result<Option<Digest>, Failure> {
    if found.iter().any(|evidence| by_sha512(&evidence.bundle, &subject.digest)) {
        subject::sha512(argument, subject, session)
    } else {
        Ok(None)
    }
}
