//! One repository: manifests, blobs, tags and referrers, every byte held against the digest that it was asked for by.

use std::collections::BTreeSet;
use std::io::{Error, ErrorKind, Read};

use attestry_schemas::json;
use attestry_schemas::oci::manifest::MAX_MANIFEST_BYTES;
use attestry_schemas::oci::{BlobDigest, Manifest, RepositoryName, Tag, media_type};
use serde::Deserialize;
use sha2::{Digest as _, Sha256, Sha512};
use ureq::http::Method;
use zeroize::Zeroizing;

use super::transport::{Reply, Request, Sent, Target, Transport};
use super::{OciError, OciReference};

/// The most bytes of one page of referrers or of a tag's history.
const MAX_PAGE_BYTES: usize = 8 << 20;
/// The most pages of one list.
const MAX_PAGES: usize = 1_000;
/// The most referrers of one manifest that are listed.
pub(crate) const MAX_REFERRERS: usize = 50_000;

/// The types of manifests that are asked for.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";
/// The type of a blob that is sent.
const BYTES: &str = "application/octet-stream";
/// The configuration of what has none.
pub(crate) const EMPTY: &[u8] = b"{}";

/// A manifest whose bytes have its digest.
#[derive(Debug, Clone)]
pub(crate) struct Fetched {
    /// The bytes, as they came.
    pub(crate) bytes: Vec<u8>,
    /// Their digest.
    pub(crate) digest: BlobDigest,
    /// What they say.
    pub(crate) manifest: Manifest,
}

/// What refers to a manifest, as a registry lists it: nothing of it is proven.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    /// The media type of the manifest.
    pub(crate) media_type: String,
    /// Its digest.
    pub(crate) digest: BlobDigest,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// What it says it is.
    #[serde(default)]
    pub(crate) artifact_type: Option<String>,
    /// What it says of itself.
    #[serde(default)]
    pub(crate) annotations: std::collections::BTreeMap<String, String>,
}

/// An index, whose entries are read one by one: one that cannot be read must not hide the others.
#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<serde_json::Value>,
}

impl Index {
    fn descriptors(self) -> impl Iterator<Item = Descriptor> {
        self.manifests.into_iter().filter_map(|entry| serde_json::from_value(entry).ok())
    }
}

/// A list, and whether there is more than was read.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// What was read.
    pub(crate) entries: Vec<Descriptor>,
    /// Whether a bound was met.
    pub(crate) is_cut: bool,
}

/// What a registry answered to a mount.
pub(crate) enum Mount {
    /// It has the blob now.
    Done,
    /// It wants the bytes, here.
    Upload(String),
}

/// One repository of one registry.
pub(crate) struct Repository {
    transport: Transport,
    name: RepositoryName,
}

impl Repository {
    pub(super) fn new(transport: Transport, name: RepositoryName) -> Self {
        Self { transport, name }
    }

    /// Host and name, as a person names it.
    pub(crate) fn label(&self) -> String {
        format!("{}/{}", self.transport.host().as_str(), self.name)
    }

    /// The name within the registry.
    pub(crate) fn name(&self) -> &RepositoryName {
        &self.name
    }

    /// The URL of the registry, without a slash at its end.
    pub(crate) fn origin(&self) -> String {
        self.transport.origin()
    }

    /// The secret that the registry is given, where there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn secret(&self) -> Result<Option<Zeroizing<String>>, OciError> {
        self.transport.secret(self.name.as_str())
    }

    /// A reference to one of its manifests.
    pub(crate) fn place(&self, digest: &BlobDigest) -> String {
        format!("oci://{}@{digest}", self.label())
    }

    /// Whether both are of one registry, which may then mount blobs of the other.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        self.transport.host() == other.transport.host()
    }

    /// Reads what a reference points to. A digest counts where both are named.
    ///
    /// # Errors
    /// [`OciError`].
    pub(crate) fn resolve(&self, reference: &OciReference) -> Result<Fetched, OciError> {
        match (reference.digest(), reference.tag()) {
            (Some(digest), _) => self.manifest(digest),
            (None, Some(tag)) => self.at(tag.as_str(), None),
            (None, None) => self.at("latest", None),
        }
    }

    /// Reads a manifest by its digest.
    ///
    /// # Errors
    /// [`OciError`], also when its bytes have another digest.
    pub(crate) fn manifest(&self, digest: &BlobDigest) -> Result<Fetched, OciError> {
        self.at(&digest.to_string(), Some(digest))
    }

    /// Reads what a tag points to, where there is such a tag.
    ///
    /// # Errors
    /// [`OciError`].
    pub(crate) fn tagged(&self, tag: &Tag) -> Result<Option<Fetched>, OciError> {
        match self.at(tag.as_str(), None) {
            Err(error) if error.is_absent() => Ok(None),
            fetched => fetched.map(Some),
        }
    }

    fn at(&self, reference: &str, digest: Option<&BlobDigest>) -> Result<Fetched, OciError> {
        let reply = self.pull(Method::GET, &format!("manifests/{reference}"), Some(MANIFESTS))?;
        let reply = reply.demand(&[200])?;
        let (reply, bytes) = reply.bytes(MAX_MANIFEST_BYTES as u64)?;
        let url = reply.url();
        // What a tag points to has the digest that the registry says it has, or that of SHA-256.
        let said = reply.header("docker-content-digest").and_then(|text| text.parse().ok());
        let expected: Option<BlobDigest> = digest.cloned().or(said);
        let of_sha256 = || attestry_schemas::digest::Sha256::of(&bytes).into();
        let found =
            expected.as_ref().map_or_else(of_sha256, |digest| digest.of_same_algorithm(&bytes));
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            return Err(OciError::Digest { url, expected, found: found.to_string() });
        }
        let content_type = reply.header("content-type");
        let manifest = Manifest::parse(&bytes, content_type)
            .map_err(|source| OciError::Manifest { url, source })?;
        Ok(Fetched { bytes, digest: found, manifest })
    }

    /// Whether a manifest is there.
    ///
    /// # Errors
    /// [`OciError`].
    pub(crate) fn has_manifest(&self, digest: &BlobDigest) -> Result<bool, OciError> {
        self.has(&format!("manifests/{digest}"), Some(MANIFESTS))
    }

    /// Whether a blob is there.
    ///
    /// # Errors
    /// [`OciError`].
    pub(crate) fn has_blob(&self, digest: &BlobDigest) -> Result<bool, OciError> {
        self.has(&format!("blobs/{digest}"), None)
    }

    fn has(&self, path: &str, accept: Option<&str>) -> Result<bool, OciError> {
        let reply = self.pull(Method::HEAD, path, accept)?;
        Ok(reply.demand(&[200, 404])?.status == 200)
    }

    /// Reads a blob as a whole, where it has at most `limit_bytes`.
    ///
    /// # Errors
    /// [`OciError`], also when its bytes have another digest.
    pub(crate) fn blob(
        &self,
        digest: &BlobDigest,
        size_bytes: u64,
        limit_bytes: u64,
    ) -> Result<Vec<u8>, OciError> {
        let reply = self.pull(Method::GET, &format!("blobs/{digest}"), None)?.demand(&[200])?;
        let url = reply.url();
        if size_bytes > limit_bytes {
            let found = format!("a blob of {size_bytes}");
            return Err(OciError::Size { url, expected_bytes: limit_bytes, found });
        }
        let mut bytes = Vec::new();
        let body = reply.body.into_reader().take(size_bytes + 1).read_to_end(&mut bytes);
        body.map_err(|e| OciError::Unreachable { url: url.clone(), source: Box::new(e.into()) })?;
        if bytes.len() as u64 != size_bytes {
            let more = bytes.len() as u64 > size_bytes;
            let found = if more { "more".to_owned() } else { bytes.len().to_string() };
            return Err(OciError::Size { url, expected_bytes: size_bytes, found });
        }
        let found = digest.of_same_algorithm(&bytes);
        if found != *digest {
            let (expected, found) = (digest.clone(), found.to_string());
            return Err(OciError::Digest { url, expected, found });
        }
        Ok(bytes)
    }

    /// Opens a blob to be read in constant memory. The last read fails where the bytes are not those of the digest.
    ///
    /// # Errors
    /// [`OciError`].
    pub(crate) fn open_blob(
        &self,
        digest: &BlobDigest,
        size_bytes: u64,
    ) -> Result<Box<dyn Read>, OciError> {
        let reply = self.pull(Method::GET, &format!("blobs/{digest}"), None)?.demand(&[200])?;
        let hasher = match digest.is_sha512() {
            true => Hasher::Sha512(Sha512::new()),
            false => Hasher::Sha256(Sha256::new()),
        };
        let reader = Box::new(reply.body.into_reader());
        let (digest, left_bytes) = (digest.clone(), size_bytes);
        Ok(Box::new(HeldAgainst { reader, hasher, digest, left_bytes, failed: false }))
    }

    /// Asks for a blob of another repository of the same registry.
    ///
    /// # Errors
    /// [`OciError`].
    pub(crate) fn mount(&self, digest: &BlobDigest, from: &Self) -> Result<Mount, OciError> {
        let further = format!("repository:{}:pull", from.name);
        let path = format!("blobs/uploads/?mount={digest}&from={}", encode_name(&from.name));
        let reply = self.write(Method::POST, &path, None, Sent::Nothing, Some(further))?;
        let reply = reply.demand(&[201, 202])?;
        match reply.status {
            201 => Ok(Mount::Done),
            _ => self.location(&reply).map(Mount::Upload),
        }
    }

    /// Begins an upload, and tells where its bytes go.
    ///
    /// # Errors
    /// [`OciError`].
    pub(crate) fn begin_upload(&self) -> Result<String, OciError> {
        let reply = self.write(Method::POST, "blobs/uploads/", None, Sent::Nothing, None)?;
        self.location(&reply.demand(&[202])?)
    }

    fn location(&self, reply: &Reply) -> Result<String, OciError> {
        let location = reply.header("location").ok_or_else(|| OciError::Malformed {
            url: reply.url(),
            detail: "it says not where to upload to".to_owned(),
        })?;
        self.transport.own_path(&reply.target, location)
    }

    /// Sends the bytes of an upload that was begun, in constant memory.
    ///
    /// # Errors
    /// [`OciError`].
    pub(crate) fn finish_upload(
        &self,
        location: &str,
        digest: &BlobDigest,
        size_bytes: u64,
        open: &dyn Fn() -> Result<Box<dyn Read>, OciError>,
    ) -> Result<(), OciError> {
        let mark = if location.contains('?') { '&' } else { '?' };
        let request = Request {
            method: Method::PUT,
            path: format!(
                "{location}{mark}digest={}",
                crate::client::query_value(&digest.to_string())
            ),
            accept: None,
            content_type: Some(BYTES),
            body: Sent::Stream(open, size_bytes),
            scopes: &self.scopes("pull,push"),
        };
        let reply = self.transport.run(&request, self.name.as_str())?;
        reply.demand(&[201, 204]).map(drop)
    }

    /// Sends a blob that is in memory, unless it is there.
    ///
    /// # Errors
    /// [`OciError`].
    pub(crate) fn push_small_blob(&self, bytes: &[u8]) -> Result<BlobDigest, OciError> {
        let digest: BlobDigest = attestry_schemas::digest::Sha256::of(bytes).into();
        if !self.has_blob(&digest)? {
            let location = self.begin_upload()?;
            let owned = bytes.to_vec();
            let open = || -> Result<Box<dyn Read>, OciError> {
                Ok(Box::new(std::io::Cursor::new(owned.clone())))
            };
            self.finish_upload(&location, &digest, bytes.len() as u64, &open)?;
        }
        Ok(digest)
    }

    /// Writes a manifest at a tag or at its digest. Where it has a subject and the registry keeps no referrers, it
    /// is added to the index at the fallback tag (distribution-spec, "Unavailable Referrers API").
    ///
    /// # Errors
    /// [`OciError`].
    pub(crate) fn push_manifest(
        &self,
        fetched: &Fetched,
        tag: Option<&Tag>,
    ) -> Result<(), OciError> {
        let digest = &fetched.digest;
        let reference = tag.map_or_else(|| digest.to_string(), ToString::to_string);
        let reply = self.write(
            Method::PUT,
            &format!("manifests/{reference}"),
            Some(&fetched.manifest.media_type),
            Sent::Bytes(&fetched.bytes),
            None,
        )?;
        let reply = reply.demand(&[201, 202, 200])?;
        let said: Option<BlobDigest> =
            reply.header("docker-content-digest").and_then(|text| text.parse().ok());
        // A registry may name what it took by another algorithm.
        if let Some(said) = said.filter(|said| said.is_sha512() == digest.is_sha512())
            && said != *digest
        {
            let (url, expected) = (reply.url(), digest.clone());
            return Err(OciError::Digest { url, expected, found: said.to_string() });
        }
        match &fetched.manifest.subject {
            Some(subject) if reply.header("oci-subject").is_none() => {
                self.add_to_fallback(&subject.digest, fetched)
            }
            _ => Ok(()),
        }
    }

    /// Adds a descriptor to the index at the fallback tag. What others add between our reading and writing is lost, as
    /// the specification warns.
    fn add_to_fallback(&self, subject: &BlobDigest, fetched: &Fetched) -> Result<(), OciError> {
        let tag = fallback_tag(subject);
        let mut entries = Vec::new();
        if let Some(index) = self.tagged(&tag)? {
            let value: serde_json::Value = serde_json::from_slice(&index.bytes).unwrap_or_default();
            if let Some(serde_json::Value::Array(held)) = value.get("manifests") {
                entries.clone_from(held);
            }
        }
        let digest = fetched.digest.to_string();
        if entries.iter().any(|entry| entry.get("digest").and_then(|d| d.as_str()) == Some(&digest))
        {
            return Ok(());
        }
        let mut entry = serde_json::json!({
            "mediaType": fetched.manifest.media_type,
            "digest": digest,
            "size": fetched.bytes.len(),
        });
        if let Some(members) = entry.as_object_mut() {
            if let Some(artifact_type) = &fetched.manifest.artifact_type {
                members.insert("artifactType".to_owned(), artifact_type.as_str().into());
            }
            let annotations = fetched.manifest.listed_annotations();
            if !annotations.is_empty() {
                members.insert("annotations".to_owned(), serde_json::json!(annotations));
            }
        }
        entries.push(entry);
        let index = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_INDEX,
            "manifests": entries,
        });
        let bytes = index.to_string().into_bytes();
        let path = format!("manifests/{tag}");
        let sent = Sent::Bytes(&bytes);
        let reply = self.write(Method::PUT, &path, Some(media_type::OCI_INDEX), sent, None)?;
        reply.demand(&[201, 202, 200]).map(drop)
    }

    /// What refers to a manifest: from the registry's list, page after page, else from the index at the fallback tag.
    ///
    /// # Errors
    /// [`OciError`].
    pub(crate) fn referrers(&self, subject: &BlobDigest) -> Result<Listing, OciError> {
        let path = format!("referrers/{subject}");
        match self.pages(&path, &[200, 404], MAX_REFERRERS)? {
            Some(listing) => Ok(listing),
            None => Ok(Listing { entries: self.fallback(subject)?, is_cut: false }),
        }
    }

    fn fallback(&self, subject: &BlobDigest) -> Result<Vec<Descriptor>, OciError> {
        let Some(index) = self.tagged(&fallback_tag(subject))? else { return Ok(Vec::new()) };
        let index: Index = json::read(&index.bytes, MAX_MANIFEST_BYTES, "the index")
            .map_err(|e| self.malformed_at(&format!("manifests/{}", fallback_tag(subject)), &e))?;
        Ok(index.descriptors().collect())
    }

    /// Reads an index that comes in pages; nothing where the first is not there, or is no index.
    ///
    /// # Errors
    /// [`OciError`].
    pub(crate) fn pages(
        &self,
        path: &str,
        expected: &[u16],
        limit: usize,
    ) -> Result<Option<Listing>, OciError> {
        let mut listing = Listing::default();
        let mut seen = BTreeSet::new();
        let mut next = Some(self.path(path));
        while let Some(path) = next.take() {
            if seen.len() == MAX_PAGES || listing.entries.len() >= limit {
                listing.is_cut = true;
                break;
            }
            if !seen.insert(path.clone()) {
                let detail = "its pages lead back to one that was read".to_owned();
                return Err(OciError::Malformed { url: self.transport.at(&path).shown(), detail });
            }
            let reply = self.pull_path(Method::GET, path, Some(media_type::OCI_INDEX))?;
            let reply = reply.demand(expected)?;
            let kind = reply.header("content-type").unwrap_or_default();
            let kind = kind.split(';').next().unwrap_or_default().trim();
            if seen.len() == 1 && (reply.status != 200 || kind != media_type::OCI_INDEX) {
                return Ok(None);
            }
            let (reply, bytes) = reply.demand(&[200])?.bytes(MAX_PAGE_BYTES as u64)?;
            let index: Index = json::read(&bytes, MAX_PAGE_BYTES, "the index")
                .map_err(|e| OciError::Malformed { url: reply.url(), detail: e.to_string() })?;
            listing.entries.extend(index.descriptors());
            if let Some(link) = reply.header("link").and_then(next_link) {
                next = Some(self.transport.own_path(&reply.target, &link)?);
            }
        }
        if listing.entries.len() > limit {
            listing.entries.truncate(limit);
            listing.is_cut = true;
        }
        Ok(Some(listing))
    }

    fn malformed_at(&self, path: &str, error: &dyn std::error::Error) -> OciError {
        let url = self.target(path).shown();
        OciError::Malformed { url, detail: error.to_string() }
    }

    fn target(&self, path: &str) -> Target {
        self.transport.at(&self.path(path))
    }

    fn path(&self, path: &str) -> String {
        format!("/v2/{}/{path}", self.name)
    }

    fn scopes(&self, what: &str) -> Vec<String> {
        vec![format!("repository:{}:{what}", self.name)]
    }

    fn pull(&self, method: Method, path: &str, accept: Option<&str>) -> Result<Reply, OciError> {
        self.pull_path(method, self.path(path), accept)
    }

    fn pull_path(
        &self,
        method: Method,
        path: String,
        accept: Option<&str>,
    ) -> Result<Reply, OciError> {
        let scopes = self.scopes("pull");
        let (content_type, body) = (None, Sent::Nothing);
        let request = Request { method, path, accept, content_type, body, scopes: &scopes };
        self.transport.run(&request, self.name.as_str())
    }

    fn write(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Sent<'_>,
        further: Option<String>,
    ) -> Result<Reply, OciError> {
        let mut scopes = self.scopes("pull,push");
        scopes.extend(further);
        let (path, accept) = (self.path(path), None);
        let request = Request { method, path, accept, content_type, body, scopes: &scopes };
        self.transport.run(&request, self.name.as_str())
    }
}

fn encode_name(name: &RepositoryName) -> String {
    crate::client::query_value(name.as_str())
}

/// The tag under which clients keep the referrers of a manifest where a registry does not (distribution-spec,
/// "Referrers Tag Schema").
pub(crate) fn fallback_tag(subject: &BlobDigest) -> Tag {
    let text: String = subject.to_string().replace(':', "-").chars().take(128).collect();
    text.parse().expect("a digest has the characters of a tag")
}

/// The target of the link to the next page (RFC 8288 §3).
fn next_link(value: &str) -> Option<String> {
    // A comma within a target is not followed by another.
    value.split('<').skip(1).find_map(|link| {
        let (target, parameters) = link.split_once('>')?;
        let parameters = parameters.trim_end().trim_end_matches(',');
        let is_next = parameters.split(';').any(|parameter| {
            let Some((name, value)) = parameter.trim().split_once('=') else { return false };
            let relations = value.trim().trim_matches('"').to_ascii_lowercase();
            name.trim().eq_ignore_ascii_case("rel") && relations.split(' ').any(|one| one == "next")
        });
        is_next.then(|| target.to_owned())
    })
}

enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

/// A stream whose end is an error where it was not what its digest names.
struct HeldAgainst {
    reader: Box<dyn Read>,
    hasher: Hasher,
    digest: BlobDigest,
    left_bytes: u64,
    failed: bool,
}

impl HeldAgainst {
    fn fail(&mut self, why: String) -> Error {
        self.failed = true;
        Error::new(ErrorKind::InvalidData, why)
    }

    fn finish(&mut self) -> Result<(), Error> {
        let found = match &mut self.hasher {
            Hasher::Sha256(hasher) => hex::encode(hasher.finalize_reset()),
            Hasher::Sha512(hasher) => hex::encode(hasher.finalize_reset()),
        };
        if self.digest.digest().value() == found {
            return Ok(());
        }
        let why = format!("expected bytes with digest {}, found {found}", self.digest);
        Err(self.fail(why))
    }
}

impl Read for HeldAgainst {
    /// The bytes that complete the blob are handed out only when the digest holds: whoever sends them on must not
    /// have sent a whole blob that is another.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        if self.failed {
            return Err(Error::new(
                ErrorKind::InvalidData,
                "the blob is not what its digest names",
            ));
        }
        if buffer.is_empty() || self.left_bytes == 0 {
            return Ok(0);
        }
        let most = usize::try_from(self.left_bytes).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.reader.read(buffer.get_mut(..most).unwrap_or_default())?;
        if count == 0 {
            let why = format!("expected {} more bytes, found the end", self.left_bytes);
            return Err(self.fail(why));
        }
        let read = buffer.get(..count).unwrap_or_default();
        match &mut self.hasher {
            Hasher::Sha256(hasher) => hasher.update(read),
            Hasher::Sha512(hasher) => hasher.update(read),
        }
        self.left_bytes -= count as u64;
        if self.left_bytes == 0 {
            self.finish()?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
