//! `attestry verify`.

use std::path::PathBuf;

use clap::Args;

use super::{OciArgs, OfflineArgs, PredicateType, RegistryArgs, SubjectArg, TrustedRootArgs};

/// `attestry verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Either --key or --identity with --issuer says whose signature counts. Without --type and --any-type a signature of the artifact itself is demanded. Without --bundle and
--registry the evidence is looked for beside SUBJECT: in SUBJECT.sigstore.json, or, of an artifact in an OCI registry, in what
refers to it there (bundles as cosign 3 writes them, signatures and attestations of cosign 2).

Example:
  attestry verify app.tar.gz --key release.pub
  attestry verify app.tar.gz --key ci.pub --type provenance --type test-result --registry https://attest.example.com
  attestry verify oci://registry.example.com/pay/api:1.4 --key release.pub")]
pub(crate) struct VerifyArgs {
    /// What to verify: a file, a folder, - for stdin, sha256:DIGEST, or oci://HOST/NAME[:TAG|@DIGEST]
    #[arg(value_name = "SUBJECT")]
    pub(crate) subject: SubjectArg,
    /// A public key whose signature counts; may be given several times
    #[arg(long = "key", value_name = "PUB", conflicts_with = "identity")]
    pub(crate) keys: Vec<PathBuf>,
    /// The exact identity in the Fulcio certificate: an e-mail address or a workflow's URL
    #[arg(long, value_name = "ID", requires = "issuer")]
    pub(crate) identity: Option<String>,
    /// The exact OpenID Connect issuer in the Fulcio certificate
    #[arg(long, value_name = "URL", requires = "identity")]
    pub(crate) issuer: Option<String>,
    /// A file of evidence: a bundle, an envelope, or JSON lines of them; - is stdin
    #[arg(long = "bundle", value_name = "FILE")]
    pub(crate) bundles: Vec<PathBuf>,
    /// Demand an attestation of this type, a short name or a URI; each one given is demanded
    #[arg(long = "type", value_name = "TYPE", conflicts_with = "any_type")]
    pub(crate) types: Vec<PredicateType>,
    /// Accept any attestation about the subject
    #[arg(long)]
    pub(crate) any_type: bool,
    /// What the log entry and certificate are checked against.
    #[command(flatten)]
    pub(crate) trusted_root: TrustedRootArgs,
    /// The registry to find the evidence in.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    /// Whether to ask a registry at all.
    #[command(flatten)]
    pub(crate) offline: OfflineArgs,
    /// How an OCI registry is reached.
    #[command(flatten)]
    pub(crate) oci: OciArgs,
}
