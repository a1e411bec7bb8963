//! SLSA predicates without a statement around them: provenance v1 and v0.2, and verification
//! summaries. They say nothing of a subject, and become statements about the one that is named.

use attestry_schemas::predicate::{facts, from_short};
use attestry_schemas::statement::ResourceDescriptor;
use serde_json::Value;

use super::verifier;
use crate::evidence::kind::name_original;
use crate::evidence::outline::{Outline, Sketch};
use crate::evidence::{
    Evidence, Fit, Format, ImportError, Imported, Product, Report, Supplement, Totals, document,
};

pub(super) const PROVENANCE: Format = Format {
    name: "slsa-provenance",
    title: "SLSA provenance v1, without a statement",
    media_type: "application/json",
    becomes: Some("provenance"),
    remedy: "correct that member after https://slsa.dev/spec/v1.0/provenance, or have the builder write the predicate again",
    fit: |outline| bare(outline, |sketch| sketch.has_all(&["buildDefinition", "runDetails"])),
    import: |report| import(report, "provenance"),
};

pub(super) const PROVENANCE_V0_2: Format = Format {
    name: "slsa-provenance-v0.2",
    title: "SLSA provenance v0.2, without a statement",
    media_type: "application/json",
    becomes: Some("provenance-v0.2"),
    remedy: "correct that member after https://slsa.dev/spec/v0.2/provenance, or have the builder write the predicate again",
    fit: |outline| {
        bare(outline, |sketch| {
            let of_build = ["invocation", "buildConfig", "materials"];
            sketch.has_all(&["buildType"])
                && sketch.has(&["builder", "id"])
                && of_build.iter().any(|name| sketch.has(&[name]))
        })
    },
    import: |report| import(report, "provenance-v0.2"),
};

pub(super) const SUMMARY: Format = Format {
    name: "slsa-vsa",
    title: "SLSA verification summary, without a statement",
    media_type: "application/json",
    becomes: Some("vsa"),
    remedy: "correct that member after https://slsa.dev/spec/v1.0/verification_summary, or have the verifier write the predicate again",
    fit: |outline| {
        bare(outline, |sketch| {
            sketch.has(&["verifier", "id"])
                && sketch.has_all(&["resourceUri", "verificationResult"])
        })
    },
    import: |report| import(report, "vsa"),
};

/// A predicate on its own.
#[derive(Debug)]
struct Bare {
    uri: &'static str,
    value: Value,
    materials: usize,
    tool: Option<String>,
}

fn bare(outline: &Outline, fits: impl Fn(&Sketch) -> bool) -> Fit {
    let Some(sketch) = outline.json() else { return Fit::No };
    Fit::from(!sketch.has(&["_type"]) && !sketch.has(&["predicateType"]) && fits(sketch))
}

fn import(report: &Report, short: &str) -> Result<Imported, ImportError> {
    let known = from_short(short);
    let known = known.ok_or_else(|| document::malformed(report, "a known predicate", short))?;
    let value = Value::Object(document::object(report, known.description)?);
    document::check(report, known.uri, &value)?;
    let found = facts(known.uri, &value);
    let tool = found.builder_id.or_else(|| verifier(&value));
    Ok(Imported::one(Bare { uri: known.uri, value, materials: found.materials.len(), tool }))
}

impl Evidence for Bare {
    fn product(
        &self,
        _: &Report,
        original: &ResourceDescriptor,
        _: &Supplement,
    ) -> Result<Product, ImportError> {
        let mut value = self.value.clone();
        if let Some(members) = value.as_object_mut() {
            name_original(members, original);
        }
        Ok(Product::predicate(self.uri, value))
    }

    fn totals(&self) -> Totals {
        vec![("materials", self.materials as u64)]
    }

    fn tool(&self) -> Option<String> {
        self.tool.clone()
    }
}
