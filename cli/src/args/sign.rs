//! `attestry sign`.

use clap::Args;

use super::{Destination, LoggingArgs, OciPushArgs, SigningKeyArgs, SubjectArg, TrustedRootArgs};

/// `attestry sign`.
#[derive(Debug, Args)]
#[command(after_help = "\
With --registry the signature is logged, and the bundle holds the proof of it. The signature of an artifact in an OCI
registry is put beside it there, where attestry verify and cosign verify find it.

Example:
  attestry sign app.tar.gz --key release.key
  attestry sign app.tar.gz --key release.key --registry https://attest.example.com --namespace pay/api
  attestry sign oci://registry.example.com/pay/api:1.4 --key release.key")]
pub(crate) struct SignArgs {
    /// What to sign: a file, a folder, - for stdin, sha256:DIGEST, or oci://HOST/NAME[:TAG|@DIGEST]
    #[arg(value_name = "FILE")]
    pub(crate) subject: SubjectArg,
    /// The key to sign with.
    #[command(flatten)]
    pub(crate) key: SigningKeyArgs,
    /// Where to write the bundle; - is stdout [default: FILE.sigstore.json, or none for
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
