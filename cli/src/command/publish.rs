//! What `sign`, `attest` and `push` share: sending to a registry, checking what comes back, and
//! writing the bundle.

use std::path::PathBuf;

use attestry_schemas::bundle::{Bundle, Content};
use attestry_schemas::key::PublicKey;
use attestry_schemas::verify::{self, Claim, Keys, Verifier};
use serde::Serialize;

use crate::answers::{Posted, PostedItem, PostedStatus};
use crate::args::{
    Destination, Namespace, NamespaceArgs, OfflineArgs, RegistryArgs, TrustedRootArgs,
};
use crate::bundle_file;
use crate::client::{Client, ClientError, query_value};
use crate::config::Settings;
use crate::output::{Exit, Failure, Session, printable};
use crate::subject::Subject;
use crate::trust;

/// Where a registry puts what comes without a namespace.
const DEFAULT_NAMESPACE: &str = "default";

/// A registry to write to.
pub(super) struct Publication {
    client: Client,
    namespace: Option<Namespace>,
    settings: Settings,
    trusted_root: Option<PathBuf>,
}

/// A signed bundle that is to be written, and logged where a registry is named.
pub(super) struct Product {
    /// The bundle, without a log entry.
    pub(super) bundle: Bundle,
    /// The key that signed it.
    pub(super) key: PublicKey,
    /// What it is about.
    pub(super) subjects: Vec<Subject>,
    /// Where to write it.
    pub(super) out: Destination,
}

#[derive(Serialize)]
struct Answer {
    bundle: String,
    signer: String,
    subjects: Vec<AnswerSubject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registry: Option<AnswerRegistry>,
}

#[derive(Serialize)]
struct AnswerSubject {
    name: String,
    digest: String,
}

#[derive(Serialize)]
struct AnswerRegistry {
    url: String,
    status: PostedStatus,
    digest: Option<String>,
    index: Option<u64>,
}

/// Takes the registry that is named, if one is, before any work is done.
///
/// # Errors
/// When the settings or the registry's URL or token cannot be used.
pub(super) fn prepare(
    settings: Settings,
    registry: &RegistryArgs,
    namespace: &NamespaceArgs,
    trusted_root: &TrustedRootArgs,
    offline: &OfflineArgs,
    session: &Session,
) -> Result<Option<Publication>, Failure> {
    if offline.offline {
        return Ok(None);
    }
    let Some(registry) = settings.registry(registry)? else { return Ok(None) };
    let client = super::client(registry, session)?;
    let namespace = settings.namespace(namespace.namespace.as_ref());
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
    /// Sends documents, each on one line unless it is the only one, and gives what became of each.
    ///
    /// # Errors
    /// When the registry could not tell, or answers for another number of documents.
    pub(super) fn post(&self, documents: &[&[u8]]) -> Result<Vec<PostedItem>, Failure> {
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
            return Err(answer.malformed(detail).into());
        }
        Ok(posted.items)
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

    /// Logs a bundle and gives the complete one, verified.
    fn log(
        &self,
        product: &Product,
        session: &mut Session,
    ) -> Result<(Bundle, AnswerRegistry), Failure> {
        let items = self.post(&[&product.bundle.to_json()])?;
        let Some(item) = items.into_iter().next() else {
            return Err(Failure::undecided("expected one item in the registry's answer"));
        };
        let url = self.client.url();
        if item.status == PostedStatus::Refused {
            let problem = item.problem.unwrap_or_default();
            let fix = match problem.type_name() {
                Some("untrusted-signer" | "forbidden") => {
                    "nothing was logged or written; ask the registry's operator to trust the key, with attestry-registry trust add"
                }
                _ => "nothing was logged or written; correct what it names and run this again",
            };
            let told = format!("{url} refused the attestation{problem}");
            return Err(Failure::refused(told).fix(fix));
        }
        self.note_namespace(&item, session);
        let malformed = |detail: String| {
            Failure::undecided(format!("the answer of {url} is malformed: {detail}"))
                .fix("check that the URL is that of an Attestry registry")
        };
        let bundle = item.bundle.ok_or_else(|| malformed("it has no bundle".to_owned()))?;
        let bundle = Bundle::from_value(bundle).map_err(|e| malformed(crate::output::chain(&e)))?;
        self.check(&bundle, product, session)?;
        let PostedItem { status, digest, index, .. } = item;
        Ok((bundle, AnswerRegistry { url, status, digest, index }))
    }

    /// Demands that what came back is what was sent, and that the log's proof of it holds.
    fn check(
        &self,
        bundle: &Bundle,
        product: &Product,
        session: &mut Session,
    ) -> Result<(), Failure> {
        let url = self.client.url();
        if bundle.content != product.bundle.content {
            return Err(Failure::refused(format!(
                "expected the signature that was sent in the answer of {url}, found another"
            ))
            .fix("do not rely on this registry before its operator has explained this"));
        }
        let flag = self.trusted_root.as_deref();
        let root = trust::find(flag, &self.settings, &self.client, session)?;
        let keys = Keys::Managed(vec![product.key.clone()]);
        let verifier = Verifier { keys, root: Some(&root) };
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

/// Logs the bundle where a registry is named, writes it, and tells.
///
/// # Errors
/// When it is refused, cannot be checked, or cannot be written.
pub(super) fn deliver(
    product: Product,
    publication: Option<&Publication>,
    session: &mut Session,
) -> Result<Exit, Failure> {
    let (bundle, registry) = match publication {
        Some(publication) => {
            let (bundle, registry) = publication.log(&product, session)?;
            (bundle, Some(registry))
        }
        None => (product.bundle.clone(), None),
    };
    let mut text = bundle.to_json();
    text.push(b'\n');
    bundle_file::write(&product.out, &text, session)?;
    let signer = product.key.fingerprint().to_string();
    let place = match &product.out {
        Destination::Stdout => "stdout".to_owned(),
        Destination::File(path) => path.display().to_string(),
    };
    for subject in &product.subjects {
        session.say(format!("signed {}", subject.label()));
    }
    session.say(format!("  with {signer}"));
    if let Some(AnswerRegistry { url, index: Some(index), status, .. }) = &registry {
        session.say(format!("  logged by {url} at index {index} ({})", status.as_str()));
    }
    session.say(format!("  bundle in {place}"));
    if session.json() {
        let subjects = product
            .subjects
            .iter()
            .map(|s| AnswerSubject { name: s.name.clone(), digest: s.digest.to_string() })
            .collect();
        session.answer(&Answer { bundle: place, signer, subjects, registry })?;
    }
    Ok(Exit::Success)
}
