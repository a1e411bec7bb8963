//! `attestry push`, `search`, `show` and `lint`.

use std::path::PathBuf;

use attestry_schemas::digest::{Abbreviated, Digest};
use clap::Args;

use super::{NamespaceArgs, OciArgs, PredicateType, RegistryArgs, Since};

/// `attestry push`.
#[derive(Debug, Args)]
#[command(after_help = "\
Many attestations travel in one request. A folder that --spool filled is emptied as the registry
acknowledges; of any other folder, the files named *.sigstore.json, *.intoto.json, *.bundle.json,
*.dsse.json, or .jsonl in the place of .json, are sent and left as they are.

With an oci:// reference first, bundles are put beside that artifact in its OCI registry, any one, where cosign verify and
attestry verify find them; the artifact must be a subject of each.

The exit status is 1 where the registry refused anything, and 2 where all that it refused is no
attestation at all.

Example:
  attestry push app.tar.gz.sigstore.json --registry https://attest.example.com --namespace pay/api
  attestry push attestations/ --registry https://attest.example.com
  attestry push oci://registry.example.com/pay/api:1.4 api.sigstore.json api.provenance.sigstore.json")]
pub(crate) struct PushArgs {
    /// Files that hold a bundle, an envelope, or JSON lines of them; - is stdin; or folders of such files; before them
    /// the artifact, where they go beside it: oci://HOST/NAME[:TAG|@DIGEST]
    #[arg(value_name = "BUNDLE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Write the complete bundles, with their log entries, back to the files
    #[arg(long)]
    pub(crate) update: bool,
    /// The registry to send to.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    /// The namespace to write to.
    #[command(flatten)]
    pub(crate) namespace: NamespaceArgs,
    /// How an OCI registry is reached.
    #[command(flatten)]
    pub(crate) oci: OciArgs,
}

/// `attestry search`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  attestry search --subject sha256:9f86d0… --type provenance --registry https://attest.example.com"
)]
pub(crate) struct SearchArgs {
    /// The registry to search.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    /// Only attestations about this digest
    #[arg(long, value_name = "DIGEST")]
    pub(crate) subject: Option<Digest>,
    /// Only attestations of artifacts that contain this: a package URL, with a version or without
    /// (pkg:cargo/serde), or a component's digest
    #[arg(long, value_name = "PURL|DIGEST")]
    pub(crate) component: Option<String>,
    /// Only attestations of this type, a short name or a URI
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) predicate_type: Option<PredicateType>,
    /// Only attestations by this signer: a key's fingerprint (SHA256:…), or a certificate's identity as search shows it,
    /// "SUBJECT (ISSUER)"
    #[arg(long, value_name = "SIGNER")]
    pub(crate) signer: Option<String>,
    /// Only attestations logged at or after this time: 2026-01-31 or 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Since>,
    /// Only attestations logged at or before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Since>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
}

/// `attestry show`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  attestry show sha256:9f86d081884c --registry https://attest.example.com --raw > envelope.json"
)]
pub(crate) struct ShowArgs {
    /// The attestation's digest, as push and search name it, or its first 8 or more digits, as explanations do
    pub(crate) digest: Abbreviated,
    /// Print the attestation's exact bytes
    #[arg(long, conflicts_with = "bundle")]
    pub(crate) raw: bool,
    /// Print the complete bundle, with the log's proof
    #[arg(long)]
    pub(crate) bundle: bool,
    /// The registry that holds it.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// `attestry lint`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  attestry lint app.tar.gz.provenance.sigstore.json")]
pub(crate) struct LintArgs {
    /// Files that hold a statement, an envelope, a bundle, or JSON lines of them; - is stdin
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}
