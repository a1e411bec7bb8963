//! Classic in-toto links: on their own, in a metablock, or in an envelope. A registry holds
//! statements alone, so that they become the predicate link v0.3 about the subject that is named.

use attestry_schemas::bundle::{Bundle, Content, SignerMaterial, Version};
use attestry_schemas::classic_link::{ClassicLink, ClassicLinkError, LinkRecord};
use attestry_schemas::digest::{Digest, DigestSet};
use attestry_schemas::dsse::Envelope;
use attestry_schemas::key::PublicKey;
use attestry_schemas::predicate::Predicate as _;
use attestry_schemas::predicate::in_toto::Link;
use attestry_schemas::problem::chain;
use attestry_schemas::statement::ResourceDescriptor;
use attestry_schemas::verify;
use serde_json::Value;

use super::reading::{self, Document};
use super::{telling_apart, unverified};
use crate::evidence::kind::name_original;
use crate::evidence::outline::Outline;
use crate::evidence::{
    Evidence, Fit, Format, ImportError, Imported, Product, Report, Supplement, Totals, document,
};

pub(super) const FORMAT: Format = Format {
    name: "in-toto-link",
    title: "classic in-toto link",
    media_type: "application/vnd.in-toto+json",
    becomes: Some("link"),
    remedy: "write it again with in-toto-run, or with attestry run --link-format classic",
    fit,
    import,
};

/// `_type` of a link.
const LINK: &str = "link";

/// A step, and who signed it.
#[derive(Debug)]
pub(super) struct Step {
    /// The file, and the place in it.
    name: String,
    link: LinkRecord,
    signed: Signature,
    about: Vec<Digest>,
}

/// What the signature is in.
#[derive(Debug)]
enum Signature {
    Nowhere,
    Metablock(Box<ClassicLink>),
    Envelope(Box<Envelope>),
}

/// Layouts have the same form, and are refused for what they are.
fn fit(outline: &Outline) -> Fit {
    let Some(sketch) = outline.json_lines() else { return Fit::No };
    let signed = sketch.text(&["signed", "_type"]).filter(|_| sketch.has(&["signatures"]));
    let metablock = matches!(signed, Some(LINK | "layout"));
    Fit::from(metablock || sketch.text(&["_type"]) == Some(LINK))
}

fn import(report: &Report) -> Result<Imported, ImportError> {
    reading::each(report, "a classic in-toto link", |document| Ok(vec![Box::new(read(&document)?)]))
}

fn read(document: &Document<'_>) -> Result<Step, ImportError> {
    let malformed =
        |error: ClassicLinkError| document.malformed("a classic in-toto link", chain(&error));
    if document.value.get("signed").is_none() {
        let link = LinkRecord::from_value(document.value.clone()).map_err(malformed)?;
        return Ok(Step::of(document, link, Signature::Nowhere));
    }
    let metablock = ClassicLink::from_value(document.value.clone()).map_err(malformed)?;
    let link = metablock.record().clone();
    Ok(Step::of(document, link, Signature::Metablock(Box::new(metablock))))
}

/// Whether the payload of an envelope is a link, and no statement.
pub(super) fn is_classic(payload: &Value) -> bool {
    payload.get("_type").and_then(Value::as_str) == Some(LINK)
}

/// An envelope as a bundle that says nothing of its signer.
pub(super) fn unsaid_signer(envelope: Envelope) -> Bundle {
    Bundle {
        version: Version::V0_3,
        signer: SignerMaterial::PublicKey { hint: String::new() },
        tlog_entries: Vec::new(),
        timestamps: Vec::new(),
        content: Content::Envelope(envelope),
    }
}

impl Step {
    fn of(document: &Document<'_>, link: LinkRecord, signed: Signature) -> Self {
        let about = telling_apart(link.products.values().flat_map(DigestSet::iter));
        Self { name: document.name(), link, signed, about }
    }

    /// A link in an envelope.
    pub(super) fn of_envelope(
        document: &Document<'_>,
        envelope: Envelope,
        payload: &Value,
    ) -> Result<Self, ImportError> {
        let link = LinkRecord::from_value(payload.clone())
            .map_err(|error| document.malformed("a classic in-toto link", chain(&error)))?;
        Ok(Self::of(document, link, Signature::Envelope(Box::new(envelope))))
    }

    /// The key that made the signature, where there is one.
    fn verified(&self, keys: &[PublicKey]) -> Result<Option<PublicKey>, ImportError> {
        let signed = match &self.signed {
            Signature::Nowhere => return Ok(None),
            _ if keys.is_empty() => {
                let expected = "a P-256 or Ed25519 key";
                return Err(ImportError::NoKey { name: self.name.clone(), expected });
            }
            Signature::Metablock(metablock) => verify::classic_link(metablock, keys),
            Signature::Envelope(envelope) => verify::link_envelope(envelope, keys),
        };
        let signed = signed.map_err(|refusal| unverified(&self.name, &refusal))?;
        Ok(signed.into_inner().keys.into_iter().next())
    }
}

impl Evidence for Step {
    fn product(
        &self,
        report: &Report,
        original: &ResourceDescriptor,
        supplement: &Supplement,
    ) -> Result<Product, ImportError> {
        let key = self.verified(&supplement.trust.keys)?;
        let mut warnings = Vec::new();
        if let Some(key) = key {
            let fingerprint = key.fingerprint();
            warnings.push(format!(
                "{} is signed by {fingerprint}; as it is no statement, it is signed anew",
                self.name
            ));
        }
        let link = self.link.to_predicate().to_value();
        let mut value =
            link.map_err(|error| document::malformed(report, "a classic in-toto link", error))?;
        if let Some(members) = value.as_object_mut() {
            name_original(members, original);
        }
        document::check(report, Link::URI, &value)?;
        Ok(Product::Predicate { uri: Link::URI.to_owned(), value, warnings })
    }

    fn totals(&self) -> Totals {
        vec![
            ("materials", self.link.materials.len() as u64),
            ("products", self.link.products.len() as u64),
        ]
    }

    fn about(&self) -> &[Digest] {
        &self.about
    }

    fn predicate_type(&self) -> Option<&str> {
        Some(Link::URI)
    }
}
