//! Packing: everything that a decision stands on, in one file that verifies offline.

use std::collections::BTreeMap;

use attestry_schemas::base64;
use attestry_schemas::bundle::{Bundle, Content, SignerMaterial};
use attestry_schemas::digest::Sha256;
use attestry_schemas::gate::governance::sha256;
use attestry_schemas::gate::pack::{MEDIA_TYPE, Pack, Packed};
use attestry_schemas::gate::{Evidence, Said};
use attestry_schemas::oci::image_signature::ImageSignature;
use attestry_schemas::policy::RuleKind;
use attestry_schemas::problem::chain;

use super::gather::Moment;
use super::{Gate, GateError, Request, Ruling, ruling};
use crate::store::Reader;
use crate::store::record::Kind;

impl Gate {
    /// Packs what a decision about the request would stand on now.
    ///
    /// # Errors
    /// [`GateError`].
    pub fn pack(&self, reader: &Reader<'_>, request: &Request) -> Result<Pack, GateError> {
        let size = reader.tree_size().map_err(|e| GateError::Signing(chain(&e)))?;
        let ruling = self.ruling(reader)?;
        let question = self.question(request, self.now(), size);
        let gathered = self.gather_for(reader, &question, &ruling, Moment::Any)?;
        if gathered.is_cut {
            // Offline nobody could tell that there is more, and there it would not deny.
            return Err(GateError::TooMuch);
        }
        let mut evidence = Vec::new();
        for one in &gathered.evidence {
            evidence.push(self.packed(reader, one)?);
        }
        let mut governance = Vec::new();
        for one in &ruling.statements {
            governance.push(self.packed(reader, one)?);
        }
        let pack = Pack {
            media_type: MEDIA_TYPE.to_owned(),
            subject: request.subject.to_string(),
            environment: request.environment.clone(),
            name: request.name.clone(),
            size,
            genesis: self.bundle(reader, 0)?.to_value(),
            keys: self.known_keys.iter().map(attestry_schemas::key::PublicKey::to_pem).collect(),
            governance,
            evidence,
            documents: documents(reader, &ruling),
            signature: String::new(),
        };
        pack.signed(&self.key).map_err(|e| GateError::Signing(chain(&e)))
    }

    fn packed(&self, reader: &Reader<'_>, evidence: &Evidence) -> Result<Packed, GateError> {
        let bundle = self.bundle(reader, evidence.index())?;
        if let Some(document) = document(reader, evidence)? {
            let document = Some(base64::encode(document));
            return Ok(Packed { bundle: bundle.to_value(), posted: None, document });
        }
        let posted = match (&bundle.signer, &bundle.content) {
            // A certificate's bundle without this log's entry, which stands last, is what is kept.
            (SignerMaterial::PublicKey { .. }, Content::Envelope(envelope))
                if Sha256::of(&envelope.to_json()) != evidence.digest() =>
            {
                Some(base64::encode(reader.attested_bytes(evidence.digest())?))
            }
            _ => None,
        };
        Ok(Packed { bundle: bundle.to_value(), posted, document: None })
    }

    /// The bundle of a leaf with its first proof.
    fn bundle(&self, reader: &Reader<'_>, index: u64) -> Result<Bundle, GateError> {
        let fault = |text: String| GateError::Signing(text);
        let record = reader.record(index)?.ok_or_else(|| fault(format!("no record {index}")))?;
        let kind = record.kind;
        reader
            .bundle(index, &record, kind, None, self.log.identity())
            .map_err(|error| fault(chain(&error)))
    }
}

/// The document that a signature of cosign 2 is over.
fn document(reader: &Reader<'_>, evidence: &Evidence) -> Result<Option<Vec<u8>>, GateError> {
    let record = reader.record(evidence.index())?;
    if record.is_none_or(|record| record.kind != Kind::ImageSignature) {
        return Ok(None);
    }
    let bytes = reader.attested_bytes(evidence.digest())?;
    let signature = ImageSignature::parse(&bytes).map_err(|e| GateError::Signing(chain(&e)))?;
    Ok(Some(signature.document().to_vec()))
}

/// The documents that the governance statements and the policies name.
fn documents(reader: &Reader<'_>, ruling: &Ruling) -> BTreeMap<String, String> {
    let published = ruling.statements.iter().filter_map(|one| match one.said() {
        Said::Roster(said) => sha256(&said.digest),
        Said::Policy(said) => sha256(&said.digest),
        _ => None,
    });
    let policies = ruling.governance.policies.iter().map(|published| &published.policy);
    let rules = policies.flat_map(|policy| policy.all_rules());
    let layouts = rules.flat_map(|rule| match &rule.kind {
        RuleKind::Layout { document, sublayouts, .. } => {
            std::iter::once(*document).chain(sublayouts.iter().copied()).collect()
        }
        _ => Vec::new(),
    });
    let with_bytes = |digest: Sha256| {
        Some((digest.to_string(), base64::encode(ruling::document(reader, digest).ok()??)))
    };
    published.chain(layouts).filter_map(with_bytes).collect()
}
