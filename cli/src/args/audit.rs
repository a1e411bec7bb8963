//! `attestry audit`.

use clap::{Args, Subcommand, ValueEnum};

use super::{RegistryArgs, Since};

/// What can be asked about a registry's use.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List who did what, and what was refused, the newest first
    #[command(after_help = "\
The token needs the role audit; it is told of the namespaces that it may audit.

Example:
  attestry audit access --outcome denied --since 2026-01-31 --registry https://attest.example.com")]
    Access(AccessArgs),
}

/// `attestry audit access`.
#[derive(Debug, Args)]
pub(crate) struct AccessArgs {
    /// Only of this caller, such as token:ci, oidc:pay-ci, mtls:deployer or anyone
    #[arg(long, value_name = "PRINCIPAL")]
    pub(crate) principal: Option<String>,
    /// Only where this role was demanded, such as push
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: Option<String>,
    /// Only what was allowed, or only what was denied
    #[arg(long, value_name = "OUTCOME")]
    pub(crate) outcome: Option<Outcome>,
    /// Only in exactly this namespace or repository
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Only at or after this time: 2026-01-31 or 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Since>,
    /// Only at or before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Since>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// The registry to ask.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Outcome {
    /// It was done.
    Allowed,
    /// It was refused.
    Denied,
}

impl Outcome {
    /// The word of the registry.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
        }
    }
}
