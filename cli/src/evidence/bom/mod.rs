//! Bills of materials: CycloneDX and SPDX.
//!
//! The document itself becomes the predicate. Nothing of it is changed but for the one place in
//! which its own schema lets it name the file that it was read from.

mod cyclonedx;
mod spdx;
mod spdx3;

#[cfg(test)]
mod tests;

use std::str::FromStr as _;

use attestry_schemas::digest::{Digest, Sha256};
use attestry_schemas::statement::ResourceDescriptor;
use packageurl::PackageUrl;
use serde_json::{Map, Value};

use super::kind::{mark, original_digest, tool_name};
use super::{
    Evidence, Format, ImportError, Imported, Product, Report, Supplement, Totals, document,
};

/// The formats that become it.
pub(super) const FORMATS: &[Format] = &[cyclonedx::FORMAT, spdx::FORMAT, spdx3::FORMAT];

/// The URI of CycloneDX predicates, without the version that the document itself states.
const CYCLONEDX: &str = "https://cyclonedx.org/bom";
/// The URI of SPDX predicates, likewise.
const SPDX: &str = "https://spdx.dev/Document";

/// A bill of materials.
#[derive(Debug)]
struct Bom {
    uri: &'static str,
    document: Value,
    name_original: NameOriginal,
    totals: Totals,
    tool: Option<String>,
    about: Vec<Digest>,
}

/// Names the original in a document, given its digest. What stands in the way is for a person.
type NameOriginal = fn(&mut Map<String, Value>, &Digest) -> Result<(), &'static str>;

impl Bom {
    /// Demands that the document is a predicate of its type, and gives it with what a person should
    /// know.
    fn import(mut self, report: &Report, warnings: Vec<String>) -> Result<Imported, ImportError> {
        document::check(report, self.uri, &self.document)?;
        self.about.sort();
        self.about.dedup();
        Ok(Imported { warnings, ..Imported::one(self) })
    }
}

impl Evidence for Bom {
    fn product(
        &self,
        report: &Report,
        original: &ResourceDescriptor,
        _: &Supplement,
    ) -> Result<Product, ImportError> {
        let mut value = self.document.clone();
        let original = original_digest(original, report);
        let named = match value.as_object_mut() {
            Some(document) => (self.name_original)(document, &original),
            None => Ok(()),
        };
        let unnamed = |why| format!("{} is not named in the predicate: {why}", report.name());
        let warnings = named.err().map(unnamed).into_iter().collect();
        Ok(Product::Predicate { uri: self.uri.to_owned(), value, warnings })
    }

    fn totals(&self) -> Totals {
        self.totals.clone()
    }

    fn tool(&self) -> Option<String> {
        self.tool.clone()
    }

    fn about(&self) -> &[Digest] {
        &self.about
    }
}

/// The text member `name`.
fn text<'v>(of: &'v Map<String, Value>, name: &str) -> Option<&'v str> {
    of.get(name).and_then(Value::as_str)
}

/// The objects in the list `name`.
fn objects<'v>(
    of: &'v Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = &'v Map<String, Value>> {
    of.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

/// A digest that no other artifact has, from an algorithm as either format writes it: `SHA-256`,
/// `SHA256`, `sha256`. A subject is compared with no other than SHA-2.
fn artifact_digest(algorithm: Option<&str>, value: Option<&str>) -> Option<Digest> {
    let algorithm = algorithm?.to_ascii_lowercase().replace('-', "");
    let known = ["sha256", "sha384", "sha512"].into_iter().find(|known| *known == algorithm)?;
    Digest::new(known, &value?.to_ascii_lowercase()).ok()
}

/// The digest in a package URL whose version is one: `pkg:oci/x@sha256:…`.
fn purl_digest(purl: &str) -> Option<Digest> {
    let purl = PackageUrl::from_str(purl).ok()?;
    version_digest(purl.version()?)
}

/// A version or an identifier that is nothing but a SHA-256.
fn version_digest(text: &str) -> Option<Digest> {
    text.parse::<Sha256>().ok().map(Digest::from)
}
