//! in-toto statements that nobody has signed yet (in-toto Statement v1, and v0.1).

use attestry_schemas::digest::Digest;
use attestry_schemas::statement::ResourceDescriptor;

use super::{Said, reading, statement};
use crate::evidence::outline::Outline;
use crate::evidence::{
    Evidence, Fit, Format, ImportError, Imported, Product, Report, Supplement, Totals,
};

pub(super) const FORMAT: Format = Format {
    name: "statement",
    title: "in-toto statement",
    media_type: "application/vnd.in-toto+json",
    becomes: None,
    remedy: "have the tool write an in-toto statement again: https://github.com/in-toto/attestation says what each member holds",
    fit,
    import,
};

/// A statement, and the very bytes that say it.
#[derive(Debug)]
struct Plain {
    bytes: Vec<u8>,
    said: Said,
}

/// By its members: a statement whose `_type` is wrong or missing is one that is refused.
fn fit(outline: &Outline) -> Fit {
    let Some(sketch) = outline.json_lines() else { return Fit::No };
    let type_ = sketch.text(&["_type"]).unwrap_or_default();
    let claimed = type_.starts_with("https://in-toto.io/Statement/");
    Fit::from(claimed || sketch.has_all(&["subject", "predicateType"]))
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    reading::each(report, "an in-toto statement", |document| {
        let statement = statement(&document, document.value.clone())?;
        let said = Said::by(&statement);
        Ok(vec![Box::new(Plain { bytes: document.bytes.to_vec(), said })])
    })
}

impl Evidence for Plain {
    fn product(
        &self,
        _: &Report,
        _: &ResourceDescriptor,
        _: &Supplement,
    ) -> Result<Product, ImportError> {
        Ok(Product::Statement(self.bytes.clone()))
    }

    fn totals(&self) -> Totals {
        self.said.totals.clone()
    }

    fn tool(&self) -> Option<String> {
        self.said.tool.clone()
    }

    fn about(&self) -> &[Digest] {
        &self.said.about
    }

    fn predicate_type(&self) -> Option<&str> {
        Some(&self.said.predicate_type)
    }
}
