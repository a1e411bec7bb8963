//! What somebody else signed: DSSE envelopes, Sigstore bundles, and the answers in which npm and
//! GitHub give several bundles. Each is verified before it is passed through; `schemas::verify`
//! alone says whether it is.

use attestry_schemas::bundle::{Bundle, Content, SignerMaterial};
use attestry_schemas::digest::Digest;
use attestry_schemas::dsse::{Envelope, PAYLOAD_TYPE};
use attestry_schemas::problem::chain;
use attestry_schemas::statement::{MAX_STATEMENT_BYTES, ResourceDescriptor};
use attestry_schemas::verify::{self, Claim, Keys, Signer, Verifier};
use serde_json::Value;

use super::link::{self, Step};
use super::reading::{self, Document};
use super::{Said, statement, unverified};
use crate::evidence::kind::Trust;
use crate::evidence::outline::{Outline, Sketch};
use crate::evidence::{Evidence, Fit, Format, ImportError, Product, Report, Supplement, Totals};

pub(super) const BUNDLE: Format = Format {
    name: "sigstore-bundle",
    title: "Sigstore bundle",
    media_type: "application/vnd.dev.sigstore.bundle.v0.3+json",
    becomes: None,
    remedy: "have the tool that signed it write a Sigstore bundle again, as cosign does with --new-bundle-format",
    fit: |outline| lines(outline, |sketch| is_bundle(sketch, &[])),
    import: |report| {
        reading::each(report, "a Sigstore bundle", |document| {
            Ok(vec![Box::new(bundle(&document)?)])
        })
    },
};

pub(super) const ENVELOPE: Format = Format {
    name: "dsse",
    title: "DSSE envelope",
    media_type: "application/vnd.dsse.envelope.v1+json",
    becomes: None,
    remedy: "have the tool that signed it write the envelope again, with payload, payloadType and signatures, and with an in-toto statement as its payload",
    fit: |outline| {
        lines(outline, |sketch| {
            let envelope = sketch.has_all(&["payload", "payloadType", "signatures"]);
            envelope && !is_bundle(sketch, &[])
        })
    },
    import: |report| {
        reading::each(report, "a DSSE envelope", |document| Ok(vec![envelope(&document)?]))
    },
};

pub(super) const ATTESTATIONS: Format = Format {
    name: "attestations",
    title: "attestations of npm or GitHub",
    media_type: "application/json",
    becomes: None,
    remedy: "fetch it again: from npm with /-/npm/v1/attestations/NAME@VERSION, from GitHub with gh attestation download",
    fit: |outline| {
        lines(outline, |sketch| {
            is_bundle(sketch, &["attestations", "*", "bundle"])
                || sketch.has(&["attestations", "*", "bundle_url"])
        })
    },
    import: |report| {
        reading::each(report, "a list of attestations", |document| attestations(&document))
    },
};

type Boxed = Box<dyn Evidence>;

fn lines(outline: &Outline, fits: impl Fn(&Sketch) -> bool) -> Fit {
    Fit::from(outline.json_lines().is_some_and(fits))
}

fn is_bundle(sketch: &Sketch, path: &[&str]) -> bool {
    sketch.at(path).is_some_and(|bundle| {
        let content = bundle.has(&["dsseEnvelope"]) || bundle.has(&["messageSignature"]);
        content || bundle.has_all(&["mediaType", "verificationMaterial"])
    })
}

/// A signed statement, or a signed artifact.
#[derive(Debug)]
struct Signed {
    /// The file, and the place in it.
    name: String,
    bundle: Bundle,
    /// Whether there was only an envelope, which says nothing of its signer and log.
    bare: bool,
    /// Whether there is a certificate beside the signature, with nothing that proves its time.
    certificate: bool,
    /// What the statement says; nothing where an artifact is signed.
    said: Option<Said>,
    /// The digests that it is about, one of which is verified.
    about: Vec<Digest>,
}

fn bundle(document: &Document<'_>) -> Result<Signed, ImportError> {
    let bundle = Bundle::from_value(document.value.clone())
        .map_err(|error| document.malformed("a Sigstore bundle", chain(&error)))?;
    let said = match &bundle.content {
        Content::Envelope(envelope) => {
            let value = payload(document, envelope)?;
            Some(Said::by(&statement(document, value)?))
        }
        Content::Message(_) => None,
    };
    let about = match (&said, &bundle.content) {
        (None, Content::Message(message)) => vec![message.digest.clone()],
        (said, _) => said.as_ref().map(|said| said.about.clone()).unwrap_or_default(),
    };
    let name = document.name();
    Ok(Signed { name, bundle, bare: false, certificate: false, said, about })
}

/// An envelope around a statement, or around a classic link.
fn envelope(document: &Document<'_>) -> Result<Boxed, ImportError> {
    let value = document.value.clone();
    let envelope = Envelope::from_value(value)
        .map_err(|error| document.malformed("a DSSE envelope", chain(&error)))?;
    let payload = payload(document, &envelope)?;
    if link::is_classic(&payload) {
        return Ok(Box::new(Step::of_envelope(document, envelope, &payload)?));
    }
    let said = Said::by(&statement(document, payload)?);
    let signatures = document.value.get("signatures").and_then(Value::as_array);
    // As slsa-github-generator writes it, and as witness does.
    let certificate = |signature: &Value| {
        let mut members = ["cert", "certificate"].into_iter();
        members
            .any(|name| signature.get(name).and_then(Value::as_str).is_some_and(|c| !c.is_empty()))
    };
    Ok(Box::new(Signed {
        name: document.name(),
        bundle: link::unsaid_signer(envelope),
        bare: true,
        certificate: signatures.into_iter().flatten().any(certificate),
        about: said.about.clone(),
        said: Some(said),
    }))
}

/// What an envelope holds, which must be of the payload type of in-toto.
fn payload(document: &Document<'_>, envelope: &Envelope) -> Result<Value, ImportError> {
    if envelope.payload_type != PAYLOAD_TYPE {
        let expected = format!("payloadType {PAYLOAD_TYPE}");
        let found: String = envelope.payload_type.chars().take(100).collect();
        return Err(document.malformed(&expected, format!("{found:?}")));
    }
    attestry_schemas::json::parse(&envelope.payload, MAX_STATEMENT_BYTES)
        .map_err(|error| document.malformed("a payload that is strict JSON", error))
}

/// Each bundle of an answer.
fn attestations(document: &Document<'_>) -> Result<Vec<Boxed>, ImportError> {
    let list = document.value.get("attestations").and_then(Value::as_array);
    let list = list.filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| document.malformed("at least one attestation", "none"))?;
    let each = list.iter().zip(1_usize..).map(|(attestation, number)| {
        let place = match &document.place {
            Some(line) => format!("{line} attestation {number}"),
            None => format!("attestation {number}"),
        };
        let value = attestation.get("bundle").cloned().unwrap_or_default();
        let inner = Document { place: Some(place), value, ..*document };
        // GitHub may give the address of a bundle instead.
        if inner.value.is_null() {
            return Err(inner.malformed("a bundle", "none, or only its address"));
        }
        bundle(&inner).map(|signed| Box::new(signed) as Boxed)
    });
    each.collect()
}

impl Signed {
    /// Verifies what was signed; gives what is passed through.
    fn verified(&self, supplement: &Supplement) -> Result<(Bundle, Vec<String>), ImportError> {
        let trust = &supplement.trust;
        let managed = matches!(self.bundle.signer, SignerMaterial::PublicKey { .. });
        if managed && trust.keys.is_empty() {
            let expected = match self.certificate {
                true => "the key, or the bundle that proves when its certificate was used,",
                false => "a key",
            };
            return Err(ImportError::NoKey { name: self.name.clone(), expected });
        }
        if let (true, Content::Envelope(envelope)) = (self.bare, &self.bundle.content) {
            let signed = verify::envelope(envelope, &trust.keys)
                .map_err(|refusal| unverified(&self.name, &refusal))?;
            let material = signed.get().author.material();
            let bundle = Bundle::of_signer(material, self.bundle.content.clone());
            return Ok((bundle, Vec::new()));
        }
        let keys = match (managed, &trust.identity) {
            (true, _) => Keys::Managed(trust.keys.clone()),
            (false, Some(identity)) => Keys::Identity(identity.clone()),
            (false, None) => Keys::AnyIdentity,
        };
        let verifier = Verifier { keys, root: trust.root.as_ref() };
        let claim = if self.said.is_some() { Claim::AnyType } else { Claim::Signature };
        let digest = self.digest(supplement)?;
        let evidence = verifier
            .bundle(&self.bundle, verify::Subject::of_digest(digest), &claim)
            .map_err(|refusal| unverified(&self.name, &refusal))?;
        let warnings = self.unchecked(&evidence.get().signer, trust);
        Ok((self.bundle.clone(), warnings))
    }

    /// The digest that the bundle is verified for: the subject's, or else one of its own.
    fn digest<'a>(&'a self, supplement: &'a Supplement) -> Result<&'a Digest, ImportError> {
        let subject = supplement.subject.as_ref().filter(|subject| self.about.contains(subject));
        let named = |algorithm| self.about.iter().find(|d| d.algorithm().name() == algorithm);
        subject
            .or_else(|| named("sha256"))
            .or_else(|| named("sha512"))
            .or_else(|| self.about.first())
            .ok_or_else(|| {
                let expected = "a subject with a digest that no other artifact has";
                ImportError::malformed(&self.name, expected, "none")
            })
    }

    /// What was not checked, so that nobody believes it was.
    fn unchecked(&self, signer: &Signer, trust: &Trust) -> Vec<String> {
        let name = &self.name;
        match signer {
            Signer::Identity { .. } if trust.identity.is_none() => vec![format!(
                "{name} is signed by {signer}, which is not checked: no --identity is given"
            )],
            Signer::Key(_) if trust.root.is_none() && !self.bundle.tlog_entries.is_empty() => {
                vec![format!("{name} has a log entry, not checked: no --trusted-root is given")]
            }
            _ => Vec::new(),
        }
    }
}

impl Evidence for Signed {
    fn product(
        &self,
        _: &Report,
        _: &ResourceDescriptor,
        supplement: &Supplement,
    ) -> Result<Product, ImportError> {
        let (bundle, warnings) = self.verified(supplement)?;
        Ok(Product::Bundle { bundle: Box::new(bundle), warnings })
    }

    fn totals(&self) -> Totals {
        match &self.said {
            Some(said) => said.totals.clone(),
            None => vec![("subjects", 1)],
        }
    }

    fn tool(&self) -> Option<String> {
        self.said.as_ref()?.tool.clone()
    }

    fn about(&self) -> &[Digest] {
        &self.about
    }

    fn predicate_type(&self) -> Option<&str> {
        Some(&self.said.as_ref()?.predicate_type)
    }
}
