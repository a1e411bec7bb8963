//! Bundles beside artifacts in OCI registries.

use attestry_schemas::bundle::Bundle;

use crate::args::{OciPushArgs, SubjectArg};
use crate::oci::attach::attach;
use crate::oci::{Access, Fetched, Repository};
use crate::output::{Failure, Session};
use crate::subject::Subject;

/// An artifact in a registry, beside which a bundle is put.
pub(in crate::command) struct Attachment {
    repository: Repository,
    subject: Fetched,
}

impl Attachment {
    /// An artifact that was read.
    pub(in crate::command) fn of(repository: Repository, subject: Fetched) -> Self {
        Self { repository, subject }
    }

    /// The artifact.
    pub(in crate::command) fn subject(&self) -> &Fetched {
        &self.subject
    }

    /// Host and name of the repository.
    pub(in crate::command) fn label(&self) -> String {
        self.repository.label()
    }

    /// Puts a bundle there, and tells the reference of the manifest that holds it.
    ///
    /// # Errors
    /// When the registry does not take it.
    pub(in crate::command) fn put(
        &self,
        bundle: &Bundle,
        session: &Session,
    ) -> Result<String, Failure> {
        let attached = attach(&self.repository, &self.subject, bundle, (session.io.now)())?;
        Ok(self.repository.place(&attached.digest))
    }
}

/// The artifacts in registries among the subjects, by the digests that were resolved, unless nothing is to be put there.
///
/// # Errors
/// When one cannot be read.
pub(in crate::command) fn attachments(
    arguments: &[SubjectArg],
    subjects: &[Subject],
    args: &OciPushArgs,
    session: &mut Session,
) -> Result<Vec<Attachment>, Failure> {
    if args.no_push {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for (argument, subject) in arguments.iter().zip(subjects) {
        let SubjectArg::Oci(reference) = argument else { continue };
        let repository = Access::of(session)?.repository(reference);
        let digest = subject
            .digest
            .to_string()
            .parse()
            .map_err(|e| Failure::undecided(format!("{reference}: {e}")));
        let digest: attestry_schemas::oci::BlobDigest = digest?;
        let subject = repository.manifest(&digest)?;
        found.push(Attachment::of(repository, subject));
    }
    Ok(found)
}
