//! `attestry attest`.

use std::path::PathBuf;

use clap::Args;

use super::{
    Destination, LoggingArgs, OciPushArgs, PredicateType, SigningKeyArgs, SubjectArg,
    TrustedRootArgs,
};

/// `attestry attest`.
#[derive(Debug, Args)]
#[command(after_help = "\
The predicate is checked against its specification before it is signed. An attestation about an artifact in an OCI
registry is put beside it there, where attestry verify and cosign verify-attestation find it.

Example:
  attestry attest app.tar.gz --type provenance --predicate provenance.json --key release.key
  attestry attest oci://registry.example.com/pay/api:1.4 --type spdx --predicate sbom.json --key release.key")]
pub(crate) struct AttestArgs {
    /// What the statement is about: files, folders, - for stdin, sha256:DIGEST, or
    /// oci://HOST/NAME[:TAG|@DIGEST]
    #[arg(value_name = "SUBJECT", required = true)]
    pub(crate) subjects: Vec<SubjectArg>,
    /// The predicate's type: a short name such as provenance, test-result or spdx, or a URI
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) predicate_type: PredicateType,
    /// The predicate, a JSON object; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) predicate: PathBuf,
    /// The key to sign with.
    #[command(flatten)]
    pub(crate) key: SigningKeyArgs,
    /// Where to write the bundle; - is stdout [default: SUBJECT.TYPE.sigstore.json, or none for
    /// oci://]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<Destination>,
    /// What the registry's answer is checked against.
    #[command(flatten)]
    pub(crate) trusted_root: TrustedRootArgs,
    /// Where it goes, beside the files.
    #[command(flatten)]
    pub(crate) logging: LoggingArgs,
    /// What becomes of it in an OCI registry.
    #[command(flatten)]
    pub(crate) push: OciPushArgs,
}
