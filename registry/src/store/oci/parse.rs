//! The keys of the OCI families, read back into what they name. Whoever checks or lists whole families
//! needs that; what looks up one thing makes its key by [`super::key`].

use std::str::FromStr;

use attestry_schemas::digest::Sha256;
use attestry_schemas::oci::{BlobDigest, RepositoryName, Tag};

use super::LinkKind;

/// A use of content, of a blob or of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Use {
    /// Something else than a repository keeps content.
    Pin(Sha256),
    /// A repository links content.
    Content(Sha256, RepositoryName, LinkKind, BlobDigest),
    /// A repository has a blob.
    Holder(BlobDigest, RepositoryName),
    /// A manifest of a repository needs a digest.
    Need {
        /// The repository.
        name: RepositoryName,
        /// What is needed.
        needed: BlobDigest,
        /// The manifest.
        manifest: BlobDigest,
    },
    /// A tag of a repository points to a manifest.
    Points(RepositoryName, BlobDigest, Tag),
}

/// The rest of a key behind a text with its length in front.
fn text<T: FromStr>(key: &[u8]) -> Option<(T, &[u8])> {
    let (length, rest) = key.split_at_checked(2)?;
    let length = u16::from_be_bytes(length.try_into().ok()?);
    let (value, rest) = rest.split_at_checked(usize::from(length))?;
    Some((whole(value)?, rest))
}

fn whole<T: FromStr>(bytes: &[u8]) -> Option<T> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// The repository of its key.
#[must_use]
pub fn repository(key: &[u8]) -> Option<RepositoryName> {
    whole(key)
}

/// Repository, kind and digest of a link's key.
#[must_use]
pub fn link(key: &[u8]) -> Option<(RepositoryName, LinkKind, BlobDigest)> {
    let (name, rest) = text(key)?;
    let (kind, digest) = rest.split_first()?;
    let kind = match *kind {
        b'b' => LinkKind::Blob,
        b'm' => LinkKind::Manifest,
        _ => return None,
    };
    Some((name, kind, whole(digest)?))
}

/// Repository and tag of a tag's key.
#[must_use]
pub fn tag(key: &[u8]) -> Option<(RepositoryName, Tag)> {
    let (name, rest) = text(key)?;
    Some((name, whole(rest)?))
}

/// Repository, tag and number of a move's key.
#[must_use]
pub fn tag_move(key: &[u8]) -> Option<(RepositoryName, Tag, u64)> {
    let (name, rest) = text(key)?;
    let (tag, number) = text(rest)?;
    Some((name, tag, u64::from_be_bytes(number.try_into().ok()?)))
}

/// Repository, subject and manifest of a referrer's key.
#[must_use]
pub fn referrer(key: &[u8]) -> Option<(RepositoryName, BlobDigest, BlobDigest)> {
    let (name, rest) = text(key)?;
    let (subject, manifest) = text(rest)?;
    Some((name, subject, whole(manifest)?))
}

/// What the key of a use says.
#[must_use]
pub fn used(key: &[u8]) -> Option<Use> {
    let (first, rest) = key.split_first()?;
    match *first {
        b'c' => {
            let (content, rest) = rest.split_at_checked(32)?;
            let content = Sha256::from_slice(content)?;
            match rest.split_first()? {
                (b'p', []) => Some(Use::Pin(content)),
                (b'l', rest) => {
                    let (name, kind, digest) = link(rest)?;
                    Some(Use::Content(content, name, kind, digest))
                }
                _ => None,
            }
        }
        b'h' => {
            let (digest, name) = text(rest)?;
            Some(Use::Holder(digest, whole(name)?))
        }
        b'm' => {
            let (name, rest) = text(rest)?;
            let (needed, manifest) = text(rest)?;
            Some(Use::Need { name, needed, manifest: whole(manifest)? })
        }
        b't' => {
            let (name, rest) = text(rest)?;
            let (manifest, tag) = text(rest)?;
            Some(Use::Points(name, manifest, whole(tag)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::key;
    use super::*;

    #[test]
    fn every_key_is_read_back_and_a_cut_one_is_none() {
        let name: RepositoryName = "pay/api".parse().unwrap();
        let tag_name: Tag = "v1".parse().unwrap();
        let content = Sha256::of(b"x");
        let (one, two) = (BlobDigest::from(content), BlobDigest::sha512_of(b"y"));
        assert_eq!(repository(&key::repository(&name)), Some(name.clone()));
        for kind in [LinkKind::Blob, LinkKind::Manifest] {
            let made = key::link(&name, kind, &two);
            assert_eq!(link(&made), Some((name.clone(), kind, two.clone())));
            assert_eq!(link(&made[..made.len() - 1]), None);
        }
        assert_eq!(tag(&key::tag(&name, &tag_name)), Some((name.clone(), tag_name.clone())));
        let moved = key::tag_move(&name, &tag_name, 7);
        assert_eq!(tag_move(&moved), Some((name.clone(), tag_name.clone(), 7)));
        assert_eq!(tag_move(&moved[..moved.len() - 1]), None);
        let made = key::referrer(&name, &one, &two);
        assert_eq!(referrer(&made), Some((name.clone(), one.clone(), two.clone())));
        let cases = [
            (key::pin(&content), Use::Pin(content)),
            (
                key::content_link(&content, &name, LinkKind::Blob, &one),
                Use::Content(content, name.clone(), LinkKind::Blob, one.clone()),
            ),
            (key::holder(&one, &name), Use::Holder(one.clone(), name.clone())),
            (
                key::need(&name, &one, &two),
                Use::Need { name: name.clone(), needed: one.clone(), manifest: two.clone() },
            ),
            (key::points(&name, &one, &tag_name), Use::Points(name, one, tag_name)),
        ];
        for (made, expected) in cases {
            assert_eq!(used(&made), Some(expected));
            assert_eq!(used(&made[..4]), None);
        }
        assert_eq!(used(b"z"), None);
        assert_eq!(used(b""), None);
    }
}
