//! Repositories against the content that they link: links, manifests, referrers, and what refers to what.
//!
//! Links are the ground: from each follow its uses, from a manifest's bytes what it needs and where it stands
//! among referrers. The families are then read once for what no link and no tag accounts for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use attestry_schemas::oci::{BlobDigest, Manifest, RepositoryName};
use attestry_schemas::problem::chain;
use sha2::Digest as _;

use super::{FaultKind, FsckError, Progress, Report};
use crate::store::content::ContentFile;
use crate::store::engine::Family;
use crate::store::oci::parse::{self, Use};
use crate::store::oci::{LinkKind, LinkRecord, ReferrerRecord, RepositoryRecord, key, stored};
use crate::store::{Content, Reader, StoreError, record};

/// How many links pass between two calls of `progress`.
const PROGRESS_STEP: u64 = 1024;
/// How much of a file is in memory.
const READ_BUFFER_BYTES: usize = 256 << 10;

/// Checks the repositories of a store, all but their tags.
pub(super) fn check(
    reader: &Reader<'_>,
    report: &mut Report,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), FsckError> {
    let mut check = Check { reader, report, lacking: 0, stored: BTreeMap::new() };
    let outcome = check
        .repositories()
        .and_then(|()| check.links(progress))
        .and_then(|()| check.referrers())
        .and_then(|()| check.uses())
        .and_then(|()| check.stored());
    let lacking = check.lacking;
    outcome.or_else(|error| report.damage("repositories", error))?;
    if lacking > 0 {
        report.notes.push(format!(
            "{lacking} manifests need blobs that were deleted from their repository"
        ));
    }
    Ok(())
}

struct Check<'a, 's> {
    reader: &'a Reader<'s>,
    report: &'a mut Report,
    /// Manifests whose blobs were deleted, which the API lets happen.
    lacking: u64,
    /// The sizes of the links by who made them.
    stored: BTreeMap<String, u64>,
}

impl Check<'_, '_> {
    fn stray(&mut self, family: Family, key: &[u8], expected: &str) {
        let place = format!("key {} of {}", hex::encode(key), family.name());
        self.report.fault(FaultKind::StrayKey, place, expected, "a key that nothing accounts for");
    }

    /// Visits a whole family; what the visitor finds wrong it tells itself.
    fn visit(
        &mut self,
        family: Family,
        mut visitor: impl FnMut(&mut Self, &[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let reader = self.reader;
        reader.scan(family, &[], None, |key, value| {
            visitor(self, key, value)?;
            Ok(ControlFlow::Continue(()))
        })
    }

    fn repositories(&mut self) -> Result<(), StoreError> {
        self.visit(Family::Repositories, |check, key, value| {
            check.report.counts.repositories += 1;
            let Some(name) = parse::repository(key) else {
                check.stray(Family::Repositories, key, "a repository's name");
                return Ok(());
            };
            if let Err(error) = record::decode::<RepositoryRecord>(value, "repository") {
                let place = format!("repository {name}");
                check.report.fault(FaultKind::Repository, place, "a record", chain(&error));
            }
            Ok(())
        })
    }

    fn links(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<(), StoreError> {
        self.visit(Family::Links, |check, key, value| {
            check.report.counts.links += 1;
            if check.report.counts.links.is_multiple_of(PROGRESS_STEP) {
                let done = check.report.counts.links;
                progress(Progress { stage: "links", done, of: None });
            }
            let Some((name, kind, digest)) = parse::link(key) else {
                check.stray(Family::Links, key, "a repository, a kind and a digest");
                return Ok(());
            };
            let place = format!("{} {digest} of {name}", word(kind));
            match record::decode::<LinkRecord>(value, "link of a repository") {
                Ok(link) => {
                    for principal in link.pushed_by.iter().cloned() {
                        *check.stored.entry(principal).or_default() += link.size_bytes;
                    }
                    check.link(&place, &name, kind, &digest, &link)
                }
                Err(error) => {
                    check.report.fault(FaultKind::Link, place, "a record", chain(&error));
                    Ok(())
                }
            }
        })
    }

    fn link(
        &mut self,
        place: &str,
        name: &RepositoryName,
        kind: LinkKind,
        digest: &BlobDigest,
        link: &LinkRecord,
    ) -> Result<(), StoreError> {
        if self.reader.value(Family::Repositories, &key::repository(name))?.is_none() {
            self.report.fault(FaultKind::Repository, place, format!("repository {name}"), "none");
        }
        self.demand_use(
            place,
            key::content_link(&link.content, name, kind, digest),
            "its content",
        )?;
        if kind == LinkKind::Blob {
            self.demand_use(place, key::holder(digest, name), "that the repository has it")?;
        }
        let Some(content) = self.reader.content(link.content)? else {
            let expected = format!("content {}", link.content);
            self.report.fault(FaultKind::Content, place, expected, "nothing");
            return Ok(());
        };
        if content.size_bytes() != link.size_bytes {
            let (expected, found) = (link.size_bytes, content.size_bytes());
            let expected = format!("{expected} bytes");
            self.report.fault(FaultKind::Link, place, expected, format!("{found} bytes"));
        }
        // That content has its SHA-256 is checked where all content is.
        let is_named = match digest.as_sha256() {
            Some(sha256) => sha256 == link.content,
            None => sha512(&content)? == *digest,
        };
        if !is_named {
            let found = format!("content {}", link.content);
            self.report.fault(FaultKind::Link, place, "content of that digest", found);
        }
        match kind {
            LinkKind::Blob => Ok(()),
            LinkKind::Manifest => self.manifest(place, name, digest, link),
        }
    }

    fn manifest(
        &mut self,
        place: &str,
        name: &RepositoryName,
        digest: &BlobDigest,
        link: &LinkRecord,
    ) -> Result<(), StoreError> {
        self.report.counts.manifests += 1;
        let bytes = self.reader.attested_bytes(link.content)?;
        let manifest = match Manifest::parse(&bytes, link.media_type.as_deref()) {
            Ok(manifest) => manifest,
            Err(error) => {
                self.report.fault(FaultKind::Manifest, place, "a manifest", chain(&error));
                return Ok(());
            }
        };
        let words = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
        let subject = manifest.subject.as_ref().map(|subject| subject.digest.to_string());
        let fields = [
            ("media type", Some(manifest.media_type.clone()), link.media_type.clone()),
            ("subject", subject, link.subject.as_ref().map(ToString::to_string)),
        ];
        for (what, expected, found) in fields {
            if expected != found {
                let expected = format!("{what} {}", words(expected));
                self.report.fault(FaultKind::Link, place, expected, words(found));
            }
        }
        let needed: BTreeSet<&BlobDigest> = manifest.links().map(|link| &link.digest).collect();
        for one in needed {
            self.demand_use(place, key::need(name, one, digest), "that it needs another")?;
        }
        if let Some(subject) = &manifest.subject {
            let referrer = ReferrerRecord::of(&manifest, link.size_bytes);
            self.demand_referrer(place, key::referrer(name, &subject.digest, digest), &referrer)?;
        }
        let blobs = manifest.config.iter().chain(&manifest.layers);
        for blob in blobs.filter(|blob| !blob.is_elsewhere) {
            if self.reader.link(name, LinkKind::Blob, &blob.digest)?.is_none() {
                self.lacking += 1;
                break;
            }
        }
        for evidence in &link.evidence {
            if let Some(logged) = &evidence.attestation
                && self.reader.sequence_of_digest(logged)?.is_none()
            {
                let expected =
                    format!("attestation {logged} of layer {} in the log", evidence.layer);
                self.report.fault(FaultKind::Manifest, place, expected, "nothing");
            }
        }
        Ok(())
    }

    /// Demands a use that follows from a link.
    fn demand_use(&mut self, place: &str, key: Vec<u8>, what: &str) -> Result<(), StoreError> {
        if self.reader.value(Family::Uses, &key)?.is_none() {
            let expected = format!("the use that says {what}");
            self.report.fault(FaultKind::Use, place, expected, "nothing");
        }
        Ok(())
    }

    fn demand_referrer(
        &mut self,
        place: &str,
        key: Vec<u8>,
        expected: &ReferrerRecord,
    ) -> Result<(), StoreError> {
        let found = self.reader.value(Family::Referrers, &key)?;
        let found = found.map(|bytes| record::decode::<ReferrerRecord>(&bytes, "referrer"));
        let found = match found {
            Some(Ok(found)) if found == *expected => return Ok(()),
            Some(Ok(found)) => format!("{found:?}"),
            Some(Err(error)) => chain(&error),
            None => "nothing".to_owned(),
        };
        self.report.fault(FaultKind::Referrer, place, format!("{expected:?}"), found);
        Ok(())
    }

    /// Names the referrers that no manifest accounts for.
    fn referrers(&mut self) -> Result<(), StoreError> {
        self.visit(Family::Referrers, |check, key, _| {
            check.report.counts.referrers += 1;
            let Some((name, subject, digest)) = parse::referrer(key) else {
                check.stray(Family::Referrers, key, "a repository, a subject and a manifest");
                return Ok(());
            };
            let link = sound(check.reader.link(&name, LinkKind::Manifest, &digest))?;
            if link
                .is_some_and(|link| link.is_none_or(|link| link.subject != Some(subject.clone())))
            {
                let place = format!("referrer {digest} of {subject} in {name}");
                let found = "no manifest with that subject";
                check.report.fault(FaultKind::Referrer, place, "a manifest that names it", found);
            }
            Ok(())
        })
    }

    /// Names the uses that no link and no tag accounts for.
    fn uses(&mut self) -> Result<(), StoreError> {
        self.visit(Family::Uses, |check, key, _| {
            check.report.counts.uses += 1;
            let Some(one) = parse::used(key) else {
                check.stray(Family::Uses, key, "a use of content, of a blob or of a manifest");
                return Ok(());
            };
            let expected = match check.accounted(&one)? {
                true => return Ok(()),
                false => match &one {
                    Use::Pin(_) => "content that is kept",
                    Use::Content(..) | Use::Holder(..) => "a link",
                    Use::Need { .. } => "a manifest that needs it",
                    Use::Points(..) => "a tag that points there",
                },
            };
            check.report.fault(FaultKind::Use, format!("{one:?}"), expected, "none");
            Ok(())
        })
    }

    /// Compares what is counted for each principal with what its links come to.
    fn stored(&mut self) -> Result<(), StoreError> {
        let mut expected = std::mem::take(&mut self.stored);
        self.visit(Family::Stored, |check, key, value| {
            let principal = String::from_utf8_lossy(key).into_owned();
            let expected = expected.remove(&principal).unwrap_or_default();
            let found = stored(Some(value.to_vec()));
            check.demand_stored(&principal, expected, found);
            Ok(())
        })?;
        for (principal, expected) in expected {
            self.demand_stored(&principal, expected, 0);
        }
        Ok(())
    }

    fn demand_stored(&mut self, principal: &str, expected: u64, found: u64) {
        if expected != found {
            let (expected, found) = (format!("{expected} bytes"), format!("{found} bytes"));
            self.report.fault(
                FaultKind::Stored,
                format!("what {principal} pushed"),
                expected,
                found,
            );
        }
    }

    fn accounted(&self, one: &Use) -> Result<bool, StoreError> {
        let reader = self.reader;
        // A link that cannot be read is a fault already.
        Ok(match one {
            Use::Pin(content) => reader.content(*content)?.is_some(),
            Use::Content(content, name, kind, digest) => sound(reader.link(name, *kind, digest))?
                .is_none_or(|link| link.is_some_and(|link| link.content == *content)),
            Use::Holder(digest, name) => {
                sound(reader.link(name, LinkKind::Blob, digest))?.is_none_or(|link| link.is_some())
            }
            Use::Need { name, needed, manifest } => {
                match sound(reader.link(name, LinkKind::Manifest, manifest))? {
                    None => true,
                    Some(None) => false,
                    Some(Some(link)) => self.needs(&link, needed)?,
                }
            }
            Use::Points(name, manifest, tag) => sound(reader.tag(name, tag))?
                .is_none_or(|tag| tag.is_some_and(|tag| tag.digest.as_ref() == Some(manifest))),
        })
    }

    /// Whether a manifest names a digest. One that cannot be read is a fault already.
    fn needs(&self, link: &LinkRecord, needed: &BlobDigest) -> Result<bool, StoreError> {
        let bytes = match self.reader.attested_bytes(link.content) {
            Err(StoreError::Missing { .. }) => return Ok(true),
            bytes => bytes?,
        };
        // A manifest stands in as text what it needs, so most keys are told without parsing.
        let text = needed.to_string();
        let is_named = bytes.windows(text.len()).any(|window| window == text.as_bytes());
        let parsed = Manifest::parse(&bytes, link.media_type.as_deref());
        Ok(is_named
            && parsed.map_or(true, |manifest| manifest.links().any(|link| link.digest == *needed)))
    }
}

/// A record that was read; nothing when it cannot be, which is told where its family is checked.
pub(super) fn sound<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(StoreError::Record(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn word(kind: LinkKind) -> &'static str {
    match kind {
        LinkKind::Blob => "blob",
        LinkKind::Manifest => "manifest",
    }
}

/// The SHA-512 of content.
fn sha512(content: &Content) -> Result<BlobDigest, StoreError> {
    match content {
        Content::Inline(bytes) => Ok(BlobDigest::sha512_of(bytes)),
        Content::File(file) => sha512_of_file(file),
    }
}

fn sha512_of_file(file: &ContentFile) -> Result<BlobDigest, StoreError> {
    let mut hasher = sha2::Sha512::new();
    let mut buffer = vec![0; READ_BUFFER_BYTES];
    let mut offset = 0;
    loop {
        let read = file.read_at(offset, &mut buffer).map_err(StoreError::Content)?;
        if read == 0 {
            return Ok(BlobDigest::of_sha512(&hasher.finalize().into()));
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
        offset += read as u64;
    }
}
