//! The components of bills of materials: their package URLs and digests. Services, tools and what
//! the bill describes as a whole are no components.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::super::EVIDENCE_MARK;
use super::{Facts, MAX_COMPONENT_DIGESTS, Related, Role, items_of, text_of};
use crate::digest::Digest;

impl Facts {
    /// CycloneDX 1.2 to 1.7: `components`, nested ones too, and the parts of the main component.
    pub(super) fn cyclonedx(&mut self, map: &Map<String, Value>) {
        let main = map.get("metadata").and_then(|metadata| metadata.get("component"));
        let mut waiting: Vec<&Value> = items_of(map, "components").iter().collect();
        if let Some(main) = main.and_then(Value::as_object) {
            waiting.extend(items_of(main, "components"));
        }
        let (mut purls, mut digests) = (BTreeSet::new(), BTreeSet::new());
        while let Some(component) = waiting.pop().and_then(Value::as_object) {
            if let Some(purl) = text_of(component, "purl") {
                self.purl(&mut purls, purl);
            }
            self.cyclonedx_hashes(&mut digests, component);
            // Where the package itself is fetched, tools of npm and PyPI note its hash beside the URL.
            for reference in items_of(component, "externalReferences") {
                let Some(reference) = reference.as_object() else { continue };
                if text_of(reference, "type") == Some("distribution") {
                    self.cyclonedx_hashes(&mut digests, reference);
                }
            }
            waiting.extend(items_of(component, "components"));
        }
        self.purls = purls.into_iter().collect();
        self.component_digests = digests.into_iter().collect();
    }

    fn cyclonedx_hashes(&mut self, digests: &mut BTreeSet<Digest>, of: &Map<String, Value>) {
        for hash in items_of(of, "hashes") {
            self.component_digest(digests, hash.get("alg"), hash.get("content"));
        }
    }

    /// SPDX 2 and SPDX 3, whichever the document is.
    pub(super) fn spdx(&mut self, map: &Map<String, Value>) {
        let (mut purls, mut digests) = (BTreeSet::new(), BTreeSet::new());
        for package in items_of(map, "packages").iter().filter_map(Value::as_object) {
            self.spdx_checksums(&mut digests, package);
            for reference in items_of(package, "externalRefs").iter().filter_map(Value::as_object) {
                // Clause 7.21 and Annex F: by name, or by the URI of the reference type.
                let kind = text_of(reference, "referenceType").unwrap_or_default();
                if matches!(kind, "purl" | "http://spdx.org/rdf/references/purl")
                    && let Some(purl) = text_of(reference, "referenceLocator")
                {
                    self.purl(&mut purls, purl);
                }
            }
        }
        // After the packages, so that files fill only the room that those leave.
        for file in items_of(map, "files").iter().filter_map(Value::as_object) {
            self.spdx_checksums(&mut digests, file);
        }
        self.spdx_elements(items_of(map, "@graph"), &mut purls, &mut digests);
        self.purls = purls.into_iter().collect();
        self.component_digests = digests.into_iter().collect();
    }

    fn spdx_checksums(&mut self, digests: &mut BTreeSet<Digest>, of: &Map<String, Value>) {
        for sum in items_of(of, "checksums") {
            self.component_digest(digests, sum.get("algorithm"), sum.get("checksumValue"));
        }
    }

    fn spdx_elements<'v>(
        &mut self,
        elements: &'v [Value],
        purls: &mut BTreeSet<String>,
        digests: &mut BTreeSet<Digest>,
    ) {
        // What has no identity of its own stands in its place, or in the graph under a blank node.
        let apart: BTreeMap<&str, &Map<String, Value>> = elements
            .iter()
            .filter_map(|element| Some((element.get("@id")?.as_str()?, element.as_object()?)))
            .collect();
        let resolve = |item: &'v Value| match item {
            Value::String(id) => apart.get(id.as_str()).copied(),
            other => other.as_object(),
        };
        for element in elements.iter().filter_map(Value::as_object) {
            if let Some(purl) = text_of(element, "software_packageUrl") {
                self.purl(purls, purl);
            }
            for hash in items_of(element, "verifiedUsing").iter().filter_map(resolve) {
                // A package verification code is over the list of files, and no file has it.
                if text_of(hash, "type") != Some("PackageVerificationCode") {
                    self.component_digest(digests, hash.get("algorithm"), hash.get("hashValue"));
                }
            }
            for id in items_of(element, "externalIdentifier").iter().filter_map(resolve) {
                if text_of(id, "externalIdentifierType") == Some("packageUrl")
                    && let Some(purl) = text_of(id, "identifier")
                {
                    self.purl(purls, purl);
                }
            }
        }
    }

    /// The report of which a document was made, where it may not have a member of ours: CycloneDX in
    /// a property, SPDX and OpenVEX in a text.
    pub(super) fn marked_report(&mut self, map: &Map<String, Value>) {
        let metadata = map.get("metadata").and_then(Value::as_object);
        for property in metadata.map_or(&[][..], |metadata| items_of(metadata, "properties")) {
            if property.get("name").and_then(Value::as_str) == Some(EVIDENCE_MARK) {
                self.report(property.get("value").and_then(Value::as_str));
            }
        }
        for commented in items_of(map, "annotations").iter().chain(items_of(map, "@graph")) {
            self.report(marked(commented.get("comment")));
        }
        self.report(marked(map.get("tooling")));
    }

    fn report(&mut self, digest: Option<&str>) {
        if let Some(digest) = digest.and_then(|text| text.parse().ok()) {
            self.relate(Related { role: Role::Evidence, digest });
        }
    }

    /// Bills of materials name algorithms each in their own way: `SHA-256`, `SHA256`, `sha256`.
    fn component_digest(
        &mut self,
        digests: &mut BTreeSet<Digest>,
        algorithm: Option<&Value>,
        value: Option<&Value>,
    ) {
        let (Some(algorithm), Some(value)) =
            (algorithm.and_then(Value::as_str), value.and_then(Value::as_str))
        else {
            return;
        };
        let algorithm = match algorithm.to_ascii_lowercase().replace(['-', '_'], "").as_str() {
            "sha256" => "sha256",
            "sha384" => "sha384",
            "sha512" => "sha512",
            "sha1" => "sha1",
            "sha224" => "sha224",
            "sha3224" => "sha3_224",
            "sha3256" => "sha3_256",
            "sha3384" => "sha3_384",
            "sha3512" => "sha3_512",
            "blake2b512" => "blake2b",
            _ => return,
        };
        let Ok(digest) = Digest::new(algorithm, &value.to_ascii_lowercase()) else { return };
        if digests.len() >= MAX_COMPONENT_DIGESTS && !digests.contains(&digest) {
            self.truncated = true;
            return;
        }
        digests.insert(digest);
    }
}

/// What follows the mark in a text: `attestry:evidence:report sha256:…`.
fn marked(text: Option<&Value>) -> Option<&str> {
    let (_, rest) = text?.as_str()?.rsplit_once(EVIDENCE_MARK)?;
    rest.split_whitespace().next()
}
