//! An artifact in an OCI registry, and the evidence that lies beside it.

use attestry_schemas::digest::Digest;
use attestry_schemas::oci::BlobDigest;
use attestry_schemas::predicate;
use attestry_schemas::verify::{Claim, Keys, SIGN_V1, Verifier};

use super::About;
use super::evidence::{Evidence, Found};
use super::judge::Judging;
use crate::args::SubjectArg;
use crate::oci::discover::{Discovery, Wanted};
use crate::oci::{Access, Fetched, Repository};
use crate::output::{Failure, Session, printable};
use crate::progress::{Progress, Unit};
use crate::subject::Subject;

/// An artifact that was read once: from here on its digest counts, wherever its tag may move.
pub(super) struct InRegistry {
    repository: Repository,
    fetched: Fetched,
}

impl InRegistry {
    /// Reads the artifact, where the subject is one of a registry.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn read(
        subject: &SubjectArg,
        session: &mut Session,
    ) -> Result<Option<Self>, Failure> {
        let SubjectArg::Oci(reference) = subject else { return Ok(None) };
        let repository = Access::of(session)?.repository(reference);
        let fetched = repository.resolve(reference)?;
        if reference.digest().is_none() {
            session.say(format!("{reference} is {}", fetched.digest));
        }
        Ok(Some(Self { repository, fetched }))
    }

    /// Host and name of the repository.
    pub(super) fn label(&self) -> String {
        self.repository.label()
    }

    /// The artifact as a subject.
    pub(super) fn subject(&self) -> Subject {
        let digest = self.fetched.digest.digest().clone();
        Subject { name: self.label(), digest, begins_as_pae: false }
    }

    /// The manifest's bytes, which a pure signature may be over.
    pub(super) fn message_bytes(&self) -> Option<Vec<u8>> {
        (!self.fetched.digest.is_sha512()).then(|| self.fetched.bytes.clone())
    }

    /// The manifest's other digest.
    pub(super) fn sha512(&self) -> Digest {
        BlobDigest::sha512_of(&self.fetched.bytes).digest().clone()
    }

    /// Holds what lies beside the artifact against what is not proven yet, until all is.
    ///
    /// # Errors
    /// When the registry cannot be asked.
    pub(super) fn hear(
        &self,
        judging: &mut [Judging<'_>],
        verifier: &Verifier<'_>,
        about: &About<'_>,
        found: &mut Found,
        session: &mut Session,
    ) -> Result<(), Failure> {
        if !judging.iter().any(Judging::is_open) {
            return Ok(());
        }
        let wanted = wanted(judging, &verifier.keys);
        let mut discovery = Discovery::of(&self.repository, &self.fetched.digest, &wanted)?;
        let mut progress = Progress::start(session, "reading evidence", Unit::Count, None);
        while judging.iter().any(Judging::is_open) {
            let Some(piece) = discovery.next_piece()? else { break };
            let evidence =
                Evidence { place: piece.place, bundle: piece.bundle, document: piece.document };
            judging.iter_mut().for_each(|judging| judging.hear(&evidence, verifier, about));
            progress.advance(1);
        }
        drop(progress);
        let open = judging.iter().filter(|judging| judging.is_open());
        if discovery.is_cut {
            found.cut.extend(open.map(|judging| judging.demand().name.clone()));
        } else if open.count() > 0 && discovery.unreadable_count > 0 {
            let count = discovery.unreadable_count;
            let pieces = crate::command::count(count, "piece of evidence", "pieces of evidence");
            session.say(format!("{pieces} cannot be read and counts for nothing:"));
            for why in &discovery.unreadable {
                session.say(format!("  {}", printable(why)));
            }
        }
        let short =
            |uri: String| predicate::from_uri(&uri).map_or(uri.clone(), |t| t.short.to_owned());
        found.listed.extend(discovery.listed.into_iter().map(short));
        Ok(())
    }
}

/// What could prove one of the demands.
fn wanted(judging: &[Judging<'_>], keys: &Keys) -> Wanted {
    let signers = match keys {
        Keys::Managed(keys) => keys.iter().map(|key| key.fingerprint().to_string()).collect(),
        Keys::Identity(_) | Keys::AnyIdentity => Vec::new(),
    };
    let open = judging.iter().filter(|judging| judging.is_open());
    let claims: Vec<Claim> = open.map(|judging| judging.demand().claim.clone()).collect();
    let is_wanted = move |uri: &str| {
        claims.iter().any(|claim| match claim {
            Claim::Signature => uri == SIGN_V1,
            Claim::Type(requested) => predicate::matches(requested, uri),
            Claim::AnyType => true,
        })
    };
    Wanted { signers, is_wanted: Box::new(is_wanted) }
}
