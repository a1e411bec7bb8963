//! What `sign`, `attest` and `push` share: sending to a registry, checking what comes back, and
//! writing the bundle.

mod beside;
mod deliver;

use std::path::PathBuf;

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::trusted_root::TrustedRoot;
use attestry_schemas::verify::{self, Claim, Keys, Verifier};

use crate::answers::{Posted, PostedItem};
use crate::args::{Destination, LoggingArgs, Namespace, RegistryArgs, TrustedRootArgs};
use crate::client::{Client, ClientError, query_value};
use crate::config::Settings;
use crate::output::{Failure, Session, printable};
use crate::spool::Spool;
use crate::trust;

pub(super) use beside::{Attachment, attachments};
pub(super) use deliver::{AnswerRegistry, Delivery, EvidenceFile, Place, Product, deliver, log};

/// Where a registry puts what comes without a namespace.
const DEFAULT_NAMESPACE: &str = "default";

/// A registry to write to.
pub(super) struct Publication {
    client: Client,
    namespace: Option<Namespace>,
    settings: Settings,
    trusted_root: Option<PathBuf>,
}

/// The most attestations of one request.
pub(super) const MAX_REQUEST_ITEMS: usize = 256;
/// The most bytes of one request, unless one attestation alone is larger.
pub(super) const MAX_REQUEST_BYTES: usize = 4 * 1024 * 1024;

/// Where what a command makes goes, beside its files: a registry, a spool, both, or neither.
pub(super) struct Target {
    registry: Option<Publication>,
    spool: Option<Spool>,
    namespace: Option<Namespace>,
}

impl Target {
    /// Whether evidence files are kept anywhere but in files of the command.
    pub(super) fn keeps_files(&self) -> bool {
        self.registry.is_some() || self.spool.is_some()
    }

    /// The registry's URL.
    pub(super) fn url(&self) -> Option<String> {
        self.registry.as_ref().map(Publication::url)
    }
}

/// Takes the registry and the spool that are named, if any are, before any work is done.
///
/// # Errors
/// When the settings, the registry's URL or token, or the spool cannot be used.
pub(super) fn target(
    settings: Settings,
    args: &LoggingArgs,
    trusted_root: &TrustedRootArgs,
    session: &mut Session,
) -> Result<Target, Failure> {
    let namespace = settings.namespace(args.namespace.namespace.as_ref());
    let spool = args.spool.spool.as_deref().map(Spool::create).transpose()?;
    let registry = if args.offline.offline {
        None
    } else {
        registry(settings, &args.registry, namespace.clone(), trusted_root, session)?
    };
    Ok(Target { registry, spool, namespace })
}

/// Takes the registry that is named, if one is.
///
/// # Errors
/// When the settings or the registry's URL or token cannot be used.
pub(super) fn registry(
    settings: Settings,
    registry: &RegistryArgs,
    namespace: Option<Namespace>,
    trusted_root: &TrustedRootArgs,
    session: &mut Session,
) -> Result<Option<Publication>, Failure> {
    let Some(registry) = settings.registry(registry)? else { return Ok(None) };
    let client = super::client(registry, session)?;
    let trusted_root = trusted_root.trusted_root.clone();
    Ok(Some(Publication { client, namespace, settings, trusted_root }))
}

/// Refuses to write a bundle and an answer to the same stream.
///
/// # Errors
/// With `--json` and stdout as the bundle's place.
pub(super) fn check_output(out: &Destination, session: &Session) -> Result<(), Failure> {
    if session.json() && *out == Destination::Stdout {
        return Err(Failure::undecided(
            "expected a file for the bundle, because --json answers on stdout, found stdout",
        )
        .fix("give --out FILE, or leave out --json"));
    }
    Ok(())
}

impl Publication {
    /// The client, to ask what became of what was sent.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Where the registry is.
    pub(super) fn url(&self) -> String {
        self.client.url()
    }

    /// The namespace that new attestations belong to.
    pub(super) fn namespace(&self) -> Option<&Namespace> {
        self.namespace.as_ref()
    }

    /// The same registry, for attestations of another namespace.
    pub(super) fn into_namespace(self, namespace: Option<Namespace>) -> Self {
        Self { namespace, ..self }
    }

    /// Sends documents, each on one line unless it is the only one, and gives what became of each.
    ///
    /// # Errors
    /// When the registry could not tell, or answers for another number of documents.
    pub(super) fn post(&self, documents: &[&[u8]]) -> Result<Vec<PostedItem>, ClientError> {
        let path = match &self.namespace {
            Some(namespace) => {
                format!("/v1/attestations?namespace={}", query_value(namespace.as_str()))
            }
            None => "/v1/attestations".to_owned(),
        };
        let answer = match documents {
            [one] => self.client.send(&path, "application/json", one),
            many => self.client.send(&path, "application/x-ndjson", &many.join(&b'\n')),
        };
        let answer = match answer {
            Err(ClientError::Problem { status: 400 | 403 | 409 | 413 | 422, problem, .. })
                if documents.len() == 1 =>
            {
                return Ok(vec![PostedItem::refused(problem)]);
            }
            answer => answer?,
        };
        let posted: Posted = answer.json()?;
        let (expected, found) = (documents.len(), posted.items.len());
        if expected != found {
            let detail = format!("expected {expected} items, found {found}");
            return Err(answer.malformed(detail));
        }
        Ok(posted.items)
    }

    /// Sends an evidence file, which the registry keeps under its digest.
    ///
    /// # Errors
    /// When the registry does not take it.
    pub(super) fn put_content(&self, file: &EvidenceFile) -> Result<(), ClientError> {
        let path = format!("/v1/content/{}", file.sha256);
        self.client.put(&path, &|| file.open(), file.bytes).map(drop)
    }

    /// Says that an attestation stays in the namespace that it was recorded in before.
    pub(super) fn note_namespace(&self, item: &PostedItem, session: &mut Session) {
        let asked = self.namespace.as_ref().map_or(DEFAULT_NAMESPACE, Namespace::as_str);
        if let Some(found) = item.namespace.as_deref().filter(|found| *found != asked) {
            let found = printable(found);
            session.warn(format!(
                "it stays in the namespace {found}, where it was recorded before, and is not in {asked}"
            ));
        }
    }

    /// The trusted root that answers are checked against.
    ///
    /// # Errors
    /// When it cannot be read, or the registry gives none.
    pub(super) fn trusted_root(&self, session: &mut Session) -> Result<TrustedRoot, Failure> {
        trust::find(self.trusted_root.as_deref(), &self.settings, &self.client, session)
    }

    /// Demands that what came back is what was sent, and that the log's proof of it holds.
    fn check(&self, bundle: &Bundle, product: &Product, root: &TrustedRoot) -> Result<(), Failure> {
        let url = self.client.url();
        if bundle.content != product.bundle.content {
            return Err(Failure::refused(format!(
                "expected the signature that was sent in the answer of {url}, found another"
            ))
            .fix("do not rely on this registry before its operator has explained this"));
        }
        // What somebody else signed was verified before it was sent, by whoever passes it through.
        let Some(key) = &product.key else { return Ok(()) };
        let keys = Keys::Managed(vec![key.clone()]);
        let verifier = Verifier { keys, root: Some(root) };
        let claim = match &bundle.content {
            Content::Message(_) => Claim::Signature,
            // A sign/v1 statement is also a statement.
            Content::Envelope(_) => Claim::AnyType,
        };
        for subject in &product.subjects {
            let about = verify::Subject::of_digest(&subject.digest);
            verifier.bundle(bundle, about, &claim).map_err(|refusal| {
                Failure::refused(format!("the answer of {url} does not verify: {refusal}"))
                    .fix("check that the trusted root is that of this registry")
            })?;
        }
        Ok(())
    }
}
