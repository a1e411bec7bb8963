//! Which evidence a manifest carries in its layers, by the media types that the tools of the field write.
//!
//! | written by | form |
//! |---|---|
//! | cosign 3 (a referrer) | a Sigstore bundle in a layer |
//! | cosign 2, tag `.att` | a DSSE envelope in a layer |
//! | cosign 2, tag `.sig` | a document of what was signed in a layer, its signature in the layer's annotations |
//! | oras, witness | a DSSE envelope, or an in-toto statement without signature |
//! | BuildKit, both shapes | in-toto statements without signature |
//! | SBOM tools | a bill of materials without signature |
//!
//! Nothing of it is believed here: this only says what to look at.

use super::manifest::{Link, Manifest};

/// The most layers of a manifest that are looked at.
pub const MAX_CARRIED: usize = 256;

/// The annotation in which cosign 2 keeps a signature, in base64.
pub const COSIGN_SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// How evidence lies in a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// A Sigstore bundle.
    Bundle,
    /// A DSSE envelope.
    Envelope,
    /// A DSSE envelope or a bare statement: both have been written under this type.
    InToto,
    /// What was signed, with the signature in base64.
    SimpleSigning {
        /// The signature.
        signature: String,
    },
    /// A document that nobody signed.
    Unsigned,
}

/// A layer that holds evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// The layer.
    pub link: Link,
    /// How the evidence lies in it.
    pub form: Form,
}

/// The evidence that a manifest carries, at most [`MAX_CARRIED`] layers of it.
#[must_use]
pub fn carried(manifest: &Manifest) -> Vec<Carried> {
    let layers = manifest.layers.iter();
    let known = layers.filter_map(|link| Some(Carried { form: form(link)?, link: link.clone() }));
    known.take(MAX_CARRIED).collect()
}

fn form(layer: &Link) -> Option<Form> {
    let is_bundle = |text: &str| {
        text.starts_with("application/vnd.dev.sigstore.bundle") && text.ends_with("+json")
    };
    match layer.media_type.as_str() {
        text if is_bundle(text) => Some(Form::Bundle),
        "application/vnd.dsse.envelope.v1+json" => Some(Form::Envelope),
        "application/vnd.in-toto+json" => Some(Form::InToto),
        "application/vnd.dev.cosign.simplesigning.v1+json" => {
            let signature = layer.annotations.get(COSIGN_SIGNATURE)?.clone();
            Some(Form::SimpleSigning { signature })
        }
        "application/spdx+json"
        | "text/spdx"
        | "text/spdx+json"
        | "application/vnd.cyclonedx+json"
        | "application/vnd.cyclonedx"
        | "application/vnd.cyclonedx+xml"
        | "application/vnd.syft+json" => Some(Form::Unsigned),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(media_type: &str) -> Link {
        Link {
            at: "layers[0]".to_owned(),
            digest: crate::digest::Sha256::of(b"layer").into(),
            size_bytes: 5,
            media_type: media_type.to_owned(),
            is_elsewhere: false,
            annotations: Default::default(),
        }
    }

    #[test]
    fn each_tools_layers_are_known_by_their_type() {
        let check = |media_type: &str, expected: Option<Form>| {
            assert_eq!(form(&layer(media_type)), expected, "{media_type}");
        };
        check("application/vnd.dev.sigstore.bundle.v0.3+json", Some(Form::Bundle));
        check("application/vnd.dev.sigstore.bundle+json;version=0.1", None);
        check("application/vnd.dsse.envelope.v1+json", Some(Form::Envelope));
        check("application/vnd.in-toto+json", Some(Form::InToto));
        check("application/vnd.cyclonedx+json", Some(Form::Unsigned));
        check("application/vnd.oci.image.layer.v1.tar+gzip", None);
        // Without its signature there is nothing to verify.
        check("application/vnd.dev.cosign.simplesigning.v1+json", None);
        let mut signed = layer("application/vnd.dev.cosign.simplesigning.v1+json");
        signed.annotations.insert(COSIGN_SIGNATURE.to_owned(), "MEUC".to_owned());
        let signature = "MEUC".to_owned();
        assert_eq!(form(&signed), Some(Form::SimpleSigning { signature }));
    }
}
