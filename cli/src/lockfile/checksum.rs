//! The checksums that lockfiles state, in the ways in which they write them.

use std::collections::BTreeSet;

use attestry_schemas::digest::{Digest, DigestSet};
use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// Base64 as npm, yarn and go write it; some writers of old lockfiles left the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The algorithms that lockfiles name, by their in-toto names.
const ALGORITHMS: &[&str] = &["sha256", "sha512", "sha384", "sha224", "sha1", "md5"];

/// What a lockfile says of the files of one package.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Checksums {
    /// Nothing.
    #[default]
    Unstated,
    /// The checksums of one file, one for each algorithm.
    OneFile(BTreeSet<Digest>),
    /// The checksums of several files, such as the wheels of several platforms, or several for one
    /// algorithm. The lockfile does not say which of them the build used.
    Several(BTreeSet<Digest>),
}

impl Checksums {
    /// The checksums of one file.
    pub(super) fn of_file(digests: impl IntoIterator<Item = Digest>) -> Self {
        let digests: BTreeSet<Digest> = digests.into_iter().collect();
        // A set is sorted by algorithm, so equal algorithms are neighbours.
        let same = |(a, b): (&Digest, &Digest)| a.algorithm() == b.algorithm();
        if digests.is_empty() {
            Self::Unstated
        } else if digests.iter().zip(digests.iter().skip(1)).any(same) {
            Self::Several(digests)
        } else {
            Self::OneFile(digests)
        }
    }

    /// The checksums of files, each with its own. A file without any counts, too: the checksum of
    /// another is then not known to be that of the file that was used.
    pub(super) fn of_files<F: IntoIterator<Item = Digest>>(
        files: impl IntoIterator<Item = F>,
    ) -> Self {
        let mut files = files.into_iter().map(Self::of_file);
        let Some(first) = files.next() else { return Self::Unstated };
        files.fold(first, |all, file| if all == file { all } else { all.several(file) })
    }

    /// What two entries of one lockfile say of the same package.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (one, Self::Unstated) | (Self::Unstated, one) => one,
            (Self::OneFile(a), Self::OneFile(b)) if !a.is_disjoint(&b) => {
                Self::of_file(a.into_iter().chain(b))
            }
            (one, other) => one.several(other),
        }
    }

    fn several(self, other: Self) -> Self {
        let mut digests = self.into_digests();
        digests.extend(other.into_digests());
        Self::Several(digests)
    }

    fn into_digests(self) -> BTreeSet<Digest> {
        match self {
            Self::Unstated => BTreeSet::new(),
            Self::OneFile(digests) | Self::Several(digests) => digests,
        }
    }

    /// The digest set, where it is known which file it is of.
    pub(super) fn digest_set(&self) -> Option<DigestSet> {
        let Self::OneFile(digests) = self else { return None };
        let pair = |digest: &Digest| (digest.algorithm().name().to_owned(), digest.value().into());
        digests.iter().map(pair).collect::<std::collections::BTreeMap<_, _>>().try_into().ok()
    }

    /// The checksums, where it is not known which of them is of the file that was used.
    pub(super) fn several_hashes(&self) -> impl Iterator<Item = &Digest> {
        match self {
            Self::Several(digests) => Some(digests),
            Self::Unstated | Self::OneFile(_) => None,
        }
        .into_iter()
        .flatten()
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Unstated => 0,
            Self::OneFile(digests) | Self::Several(digests) => digests.len(),
        }
    }
}

/// Reads the metadata of W3C Subresource Integrity: `sha512-<base64>`, several with white space
/// between them. As there, algorithms that are not known are passed over.
///
/// Nothing where an algorithm that is known has a value that it cannot have.
pub(super) fn integrity(text: &str) -> Option<Vec<Digest>> {
    let mut digests = Vec::new();
    for part in text.split_ascii_whitespace() {
        let (algorithm, value) = part.split_once('-')?;
        if ALGORITHMS.contains(&algorithm) {
            // Options follow the value after a question mark; none are defined.
            let value = value.split('?').next().unwrap_or(value);
            digests.push(base64(algorithm, value)?);
        }
    }
    Some(digests)
}

/// Reads `sha256:<hex>`, as Python's package managers write it. Upper-case digits are accepted.
pub(super) fn tagged_hex(text: &str) -> Option<Digest> {
    let (algorithm, value) = text.split_once([':', '='])?;
    hex(algorithm, value)
}

/// A digest in hex, where the algorithm is one that lockfiles name and the value one of it.
pub(super) fn hex(algorithm: &str, value: &str) -> Option<Digest> {
    let known = ALGORITHMS.contains(&algorithm);
    known.then(|| Digest::new(algorithm, &value.to_ascii_lowercase()).ok())?
}

/// A digest in base64.
fn base64(algorithm: &str, value: &str) -> Option<Digest> {
    Digest::new(algorithm, &hex::encode(BASE64.decode(value).ok()?)).ok()
}

/// Reads the hash of a Go module, `h1:<base64>`: SHA-256 over the names and hashes of the files in
/// the module's zip, not a digest of the zip itself.
///
/// "`dirHash`: The directory Hash1 function, omitting the "h1:" prefix and output in lowercase
/// hexadecimal instead of base64. This algorithm was designed for go modules" (in-toto `digest_set.md`
/// v1.1; its first version called this `goModuleH1`).
pub(super) fn directory_hash(text: &str) -> Option<Digest> {
    const SHA256_BYTES: usize = 32;
    let bytes = BASE64.decode(text.strip_prefix("h1:")?).ok()?;
    (bytes.len() == SHA256_BYTES).then(|| Digest::new("dirHash", &hex::encode(bytes)).ok())?
}

/// A git commit by its full id.
pub(super) fn commit(text: &str) -> Option<Digest> {
    Digest::new("gitCommit", text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        text.parse().unwrap()
    }

    #[test]
    fn reads_subresource_integrity() {
        let check = |text: &str, expected: Option<&[&str]>| {
            let found = integrity(text).map(|digests| {
                digests.iter().map(ToString::to_string).map(|d| d[..10].to_owned()).collect()
            });
            let expected: Option<Vec<String>> =
                expected.map(|texts| texts.iter().map(|text| (*text).to_owned()).collect());
            assert_eq!(found, expected, "{text}");
        };
        let sha1 = "sha1-L7nZh0Eb1w3gp0hHYyIm3rgN62s=";
        check(sha1, Some(&["sha1:2fb9d"]));
        check(&format!("  {sha1} sha3-zzz {sha1}?opt "), Some(&["sha1:2fb9d", "sha1:2fb9d"]));
        check("sha1-L7nZh0Eb1w3gp0hHYyIm3rgN62s", Some(&["sha1:2fb9d"]));
        check("", Some(&[]));
        check("sha512-abcd", None);
        check("sha1-!", None);
        check("sha1", None);
    }

    /// The example of in-toto's `digest_set.md`.
    #[test]
    fn writes_go_s_module_hash_as_in_toto_does() {
        let found = directory_hash("h1:Khu2En+0gcYPZ2kuIihfswbzxv/mIHXgzPZ018Oty48=");
        let hex = "2a1bb6127fb481c60f67692e22285fb306f3c6ffe62075e0ccf674d7c3adcb8f";
        assert_eq!(found, Some(digest(&format!("dirHash:{hex}"))));
        for text in ["h1:Khu2", "h2:Khu2En+0gcYPZ2kuIihfswbzxv/mIHXgzPZ018Oty48=", ""] {
            assert_eq!(directory_hash(text), None, "{text}");
        }
    }

    #[test]
    fn reads_tagged_hex_in_either_case_and_of_known_algorithms() {
        let upper = format!("sha256:{}", "AB".repeat(32));
        assert_eq!(tagged_hex(&upper), Some(digest(&upper.to_ascii_lowercase())));
        for text in ["sha256:ab", "h1:abcd", "sha256"] {
            assert_eq!(tagged_hex(text), None, "{text}");
        }
    }

    #[test]
    fn a_digest_set_describes_one_file_and_never_one_of_several() {
        let (a, b) = (digest(&format!("sha1:{:040}", 1)), digest(&format!("sha1:{:040}", 2)));
        let c = digest(&format!("md5:{:032}", 3));
        let one = |digests: &[&Digest]| Checksums::of_file(digests.iter().copied().cloned());
        let set = |sums: &Checksums| sums.digest_set().map(|set| set.iter().count());
        let hashes = |sums: &Checksums| sums.several_hashes().count();
        for (what, sums, in_set, in_list) in [
            ("nothing", one(&[]), None, 0),
            ("one", one(&[&a]), Some(1), 0),
            ("two algorithms", one(&[&a, &c]), Some(2), 0),
            ("one algorithm twice", one(&[&a, &b]), None, 2),
            ("two files", Checksums::of_files([vec![a.clone()], vec![c.clone()]]), None, 2),
            ("a file twice", Checksums::of_files([vec![a.clone()], vec![a.clone()]]), Some(1), 0),
            ("a file without", Checksums::of_files([vec![a.clone()], vec![]]), None, 1),
            ("one file", Checksums::of_files([vec![a.clone(), c.clone()]]), Some(2), 0),
            ("no files", Checksums::of_files([] as [Vec<Digest>; 0]), None, 0),
            ("an entry without", one(&[&a]).and(one(&[])), Some(1), 0),
            ("entries that agree", one(&[&a]).and(one(&[&a, &c])), Some(2), 0),
            ("entries that differ", one(&[&a]).and(one(&[&b])), None, 2),
            ("entries that may differ", one(&[&a]).and(one(&[&c])), None, 2),
            ("entries in part", one(&[&a, &c]).and(one(&[&b, &c])), None, 3),
        ] {
            assert_eq!((set(&sums), hashes(&sums)), (in_set, in_list), "{what}");
        }
    }
}
