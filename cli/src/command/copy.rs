//! `attestry copy`: an artifact from one OCI registry to another, with its blobs, the manifests within it, and
//! everything that refers to any of them.
//!
//! What is below is copied before what is above: blobs, then the manifest that needs them, then what refers to it, and
//! the tag last, so that whoever follows the tag at the destination finds the evidence with it.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::Read;
use std::rc::Rc;

use attestry_schemas::oci::{BlobDigest, Link, Tag};
use serde::Serialize;

use crate::args::CopyArgs;
use crate::oci::family::{Around, MAX_DEPTH, MAX_MANIFESTS};
use crate::oci::repository::Mount;
use crate::oci::{Access, Fetched, OciError, OciReference, Repository};
use crate::output::{Exit, Failure, Session, chain};
use crate::progress::{Progress, Unit};

/// The most that is told of what could not be copied.
const MAX_TOLD: usize = 100;

/// What became of everything.
#[derive(Debug, Default, Serialize)]
struct Summary {
    manifests: u64,
    manifests_existing: u64,
    referrers: u64,
    blobs: u64,
    blobs_existing: u64,
    blobs_mounted: u64,
    bytes: u64,
    /// How much could not be copied.
    missing_count: u64,
    /// What could not be copied, and why; the first of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    source: String,
    destination: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'a str>,
    #[serde(flatten)]
    summary: &'a Summary,
}

/// Runs `attestry copy`.
pub(super) fn run(args: &CopyArgs, session: &mut Session) -> Result<Exit, Failure> {
    super::reach(&args.oci, &args.registry, session);
    let access = Access::of(session)?;
    let (from, to) = (&args.source.0, &args.destination.0);
    let source = access.repository(from);
    let destination = access.repository(to);
    let root = source.resolve(from)?;
    if from.digest().is_none() {
        session.say(format!("{from} is {}", root.digest));
    }
    let tag = tag(from, to, &root)?;
    let progress = Rc::new(Counter::new(Progress::start(session, "copying", Unit::Bytes, None)));
    let mut copy = Copy {
        source: &source,
        destination: &destination,
        with_referrers: !args.no_referrers,
        seen: BTreeSet::new(),
        count: 0,
        missing: 0,
        summary: Summary::default(),
        progress: Rc::clone(&progress),
    };
    copy.manifest(&root, 0)?;
    copy.summary.missing_count = copy.missing;
    if let Some(tag) = &tag {
        destination.push_manifest(&root, Some(tag))?;
    }
    let mut summary = copy.summary;
    summary.bytes = progress.bytes.get();
    drop(progress);
    tell(&summary, &source, &destination, &root, tag.as_ref(), session)
}

/// The tag at the destination: the one that is named there, else the source's.
fn tag(from: &OciReference, to: &OciReference, root: &Fetched) -> Result<Option<Tag>, Failure> {
    if let Some(digest) = to.digest()
        && *digest != root.digest
    {
        return Err(Failure::undecided(format!(
            "expected {digest} at the source, as the destination names it, found {}",
            root.digest
        ))
        .fix("name the destination without a digest"));
    }
    if to.has_tag() {
        return Ok(to.tag());
    }
    Ok(if from.digest().is_some() && !from.has_tag() { None } else { from.tag() })
}

fn tell(
    summary: &Summary,
    source: &Repository,
    destination: &Repository,
    root: &Fetched,
    tag: Option<&Tag>,
    session: &mut Session,
) -> Result<Exit, Failure> {
    let place = destination.place(&root.digest);
    if session.json() {
        let source = source.place(&root.digest);
        let (destination, tag) = (place.clone(), tag.map(Tag::as_str));
        session.answer(&Answer { source, destination, tag, summary })?;
    } else {
        session.line(&place);
        if let Some(tag) = tag {
            session.say(format!("  tag {tag}"));
        }
        let Summary { manifests, manifests_existing, referrers, .. } = summary;
        session.say(format!(
            "  {} copied, {manifests_existing} there already; {referrers} of them refer to another",
            super::count(*manifests, "manifest", "manifests")
        ));
        let Summary { blobs, blobs_existing, blobs_mounted, bytes, .. } = summary;
        session.say(format!(
            "  {} copied ({bytes} bytes), {blobs_mounted} mounted, {blobs_existing} there already",
            super::count(*blobs, "blob", "blobs")
        ));
    }
    if summary.missing.is_empty() {
        return Ok(Exit::Success);
    }
    for missing in &summary.missing {
        session.name_error(missing);
    }
    let count = super::count(summary.missing_count, "thing", "things");
    Err(Failure::undecided(format!("{place} is not complete: {count} could not be copied"))
        .fix("see what is named above; running this again copies what is missing"))
}

/// Counts bytes as they pass.
struct Counter {
    progress: std::cell::RefCell<Progress>,
    bytes: Cell<u64>,
}

impl Counter {
    fn new(progress: Progress) -> Self {
        Self { progress: progress.into(), bytes: Cell::new(0) }
    }

    fn advance(&self, bytes: u64) {
        self.bytes.set(self.bytes.get() + bytes);
        self.progress.borrow_mut().advance(bytes);
    }
}

/// A stream whose bytes are counted.
struct Counted(Box<dyn Read>, Rc<Counter>);

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.read(buffer)?;
        self.1.advance(count as u64);
        Ok(count)
    }
}

/// A copy under way.
struct Copy<'r> {
    source: &'r Repository,
    destination: &'r Repository,
    with_referrers: bool,
    seen: BTreeSet<BlobDigest>,
    count: usize,
    missing: u64,
    summary: Summary,
    progress: Rc<Counter>,
}

impl Copy<'_> {
    /// Copies a manifest after what it needs, then what refers to it.
    fn manifest(&mut self, fetched: &Fetched, depth: usize) -> Result<(), OciError> {
        if !self.seen.insert(fetched.digest.clone()) {
            return Ok(());
        }
        // Anybody may make a long chain of referrers: it must not keep the rest from being copied.
        let bound = match depth > MAX_DEPTH {
            true => Some((MAX_DEPTH, "manifests within each other")),
            false => (self.count == MAX_MANIFESTS).then_some((MAX_MANIFESTS, "manifests")),
        };
        if let Some((limit, what)) = bound {
            let error = OciError::TooMany { what, limit };
            self.miss(format!("{}: {error}", self.source.place(&fetched.digest)));
            return Ok(());
        }
        self.count += 1;
        let manifest = &fetched.manifest;
        for link in &manifest.manifests {
            self.below(&link.digest, depth)?;
        }
        if self.destination.has_manifest(&fetched.digest)? {
            self.summary.manifests_existing += 1;
            if manifest.subject.is_some() {
                // A copy that ended in between may have left it out of the index at the fallback tag.
                self.destination.push_manifest(fetched, None)?;
            }
        } else {
            for link in manifest.config.iter().chain(&manifest.layers) {
                self.blob(link)?;
            }
            self.destination.push_manifest(fetched, None)?;
            self.summary.manifests += 1;
        }
        if self.with_referrers { self.around(fetched, depth) } else { Ok(()) }
    }

    /// Copies a manifest that another names. One that the source does not have is told, and the rest is copied.
    fn below(&mut self, digest: &BlobDigest, depth: usize) -> Result<(), OciError> {
        if self.seen.contains(digest) {
            return Ok(());
        }
        let copied = self.source.manifest(digest);
        match copied.and_then(|fetched| self.manifest(&fetched, depth + 1)) {
            Err(error) if error.is_of_item() => {
                self.miss(chain(&error));
                Ok(())
            }
            copied => copied,
        }
    }

    fn miss(&mut self, what: String) {
        self.missing += 1;
        if self.summary.missing.len() < MAX_TOLD {
            self.summary.missing.push(what);
        }
    }

    fn around(&mut self, fetched: &Fetched, depth: usize) -> Result<(), OciError> {
        let around = Around::of(self.source, fetched)?;
        if around.is_cut {
            let place = self.source.place(&fetched.digest);
            self.miss(format!("{place} has more referrers than are listed"));
        }
        for referrer in around.referrers {
            let before = self.seen.len();
            self.below(&referrer.digest, depth)?;
            self.summary.referrers += u64::from(self.seen.len() > before);
        }
        for (tag, tagged) in around.tagged {
            self.manifest(&tagged, depth + 1)?;
            match self.destination.tagged(&tag)? {
                Some(held) if held.digest == tagged.digest => {}
                // Signatures that others put there must not be lost.
                Some(held) => self.miss(format!(
                    "the tag {tag} points to {} at the destination, and to {} at the source",
                    held.digest, tagged.digest
                )),
                None => self.destination.push_manifest(&tagged, Some(&tag))?,
            }
            self.summary.referrers += 1;
        }
        Ok(())
    }

    /// Copies a blob: not at all where it is there, by mount within one registry, else as a stream.
    fn blob(&mut self, link: &Link) -> Result<(), OciError> {
        let (digest, size_bytes) = (&link.digest, link.size_bytes);
        if !self.seen.insert(digest.clone()) {
            return Ok(());
        }
        if self.destination.has_blob(digest)? {
            self.summary.blobs_existing += 1;
            return Ok(());
        }
        let location = if self.destination.is_beside(self.source) {
            match self.destination.mount(digest, self.source)? {
                Mount::Done => {
                    self.summary.blobs_mounted += 1;
                    return Ok(());
                }
                Mount::Upload(location) => Some(location),
            }
        } else {
            None
        };
        // What may be kept elsewhere need not be in the registry, and no URL of a manifest is ever followed.
        if link.is_elsewhere && !self.source.has_blob(digest)? {
            return Ok(());
        }
        let location = location.map_or_else(|| self.destination.begin_upload(), Ok)?;
        let open = || -> Result<Box<dyn Read>, OciError> {
            let blob = self.source.open_blob(digest, size_bytes)?;
            Ok(Box::new(Counted(blob, Rc::clone(&self.progress))))
        };
        self.destination.finish_upload(&location, digest, size_bytes, &open)?;
        self.summary.blobs += 1;
        Ok(())
    }
}
