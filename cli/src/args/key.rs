//! `attestry key`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::PasswordArgs;

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key pair: NAME.key (encrypted, for you alone) and NAME.pub
    Generate(KeyGenerateArgs),
    /// Take a private key from another tool and keep it encrypted: PKCS#8 or cosign's own file
    Import(KeyImportArgs),
    /// Show a key's type, fingerprint and public half
    Show(KeyShowArgs),
}

/// The kinds of signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyTypeArg {
    /// ECDSA over P-256, which every Sigstore client verifies
    P256,
    /// Ed25519, pure (RFC 8032)
    Ed25519,
}

/// `attestry key generate`.
#[derive(Debug, Args)]
#[command(after_help = "\
The password is asked for, or read from --password-file or ATTESTRY_PASSWORD. The variable may be
empty; the file may not, because a secret that was not delivered looks the same.

Example:
  attestry key generate --out release --type p256")]
pub(crate) struct KeyGenerateArgs {
    /// The name of the two files, without .key and .pub
    #[arg(long, value_name = "NAME")]
    pub(crate) out: PathBuf,
    /// The kind of key
    #[arg(long = "type", value_name = "TYPE", value_enum, default_value_t = KeyTypeArg::P256)]
    pub(crate) key_type: KeyTypeArg,
    /// Overwrite files of that name
    #[arg(long)]
    pub(crate) force: bool,
    /// Where the password comes from.
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}

/// `attestry key import`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out plain.pem
  attestry key import plain.pem --out release")]
pub(crate) struct KeyImportArgs {
    /// The private key: PEM of PKCS#8 or of a cosign key file; - is stdin
    pub(crate) file: PathBuf,
    /// The name of the two files, without .key and .pub
    #[arg(long, value_name = "NAME")]
    pub(crate) out: PathBuf,
    /// Overwrite files of that name
    #[arg(long)]
    pub(crate) force: bool,
    /// Where the password comes from: one password opens an encrypted FILE and closes NAME.key.
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}

/// `attestry key show`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  attestry key show release.pub")]
pub(crate) struct KeyShowArgs {
    /// A public key, or a private key file (which needs its password); - is stdin
    pub(crate) file: PathBuf,
    /// Where the password comes from.
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}
