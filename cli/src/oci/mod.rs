//! Artifacts and their evidence in OCI registries, any of them, ours or not (distribution-spec 1.1).
//!
//! - [`reference`]: how an artifact is named.
//! - [`credentials`]: who we are, as docker's configuration and podman's have it.
//! - [`challenge`]: what a registry asks for before it answers (RFC 9110 §11, docker's token protocol).
//! - [`transport`]: requests, bounded, whose credentials never leave the registry they are for.
//! - [`repository`]: manifests, blobs, referrers and tags of one repository, every byte held against its digest.
//! - [`discover`]: the evidence about an artifact, wherever cosign 2, cosign 3 and others put it.
//! - [`family`]: what belongs to a manifest.
//! - [`attach`]: a bundle beside its artifact, as cosign 3 writes it.
//!
//! Nothing that a registry says is believed before it is hashed: a tag is resolved once, by reading what it points
//! to, and from there on everything goes by digest.

pub(crate) mod attach;
mod challenge;
mod credentials;
pub(crate) mod discover;
mod error;
pub(crate) mod family;
mod reference;
pub(crate) mod repository;
mod transport;

pub(crate) use error::OciError;
pub(crate) use reference::{OciReference, ReferenceError};
pub(crate) use repository::{Fetched, Repository};

use std::rc::Rc;

use crate::args::RegistryArgs;
use crate::authorities;
use crate::config::{Settings, Source};
use crate::output::{Failure, Session};
use credentials::Credentials;
use transport::Transport;
use ureq::tls::RootCerts;

/// How registries are reached in one run of a command.
pub(crate) struct Access {
    credentials: Rc<Credentials>,
    plain_http: bool,
    own: Option<OwnRegistry>,
    roots: RootCerts,
    pause: fn(std::time::Duration),
}

/// The registry of ours that is named, with the token for it.
struct OwnRegistry {
    authority: String,
    tls: bool,
    token: Option<zeroize::Zeroizing<String>>,
}

impl Access {
    /// Takes the settings and the command's flags; reads credentials when a registry asks for some.
    ///
    /// # Errors
    /// When the token of the named registry cannot be read.
    pub(crate) fn of(session: &Session) -> Result<Self, Failure> {
        let settings = Settings::load(&session.io, session.global.config.as_deref())?;
        let OciFlags { registry, plain_http } = &session.oci;
        let own = settings.registry(registry)?.and_then(|named| {
            // What only the current folder's file names decides nothing here.
            let chosen = !matches!(named.source, Source::Folder(_)) || named.token.is_some();
            let authority = named.url.authority()?;
            let tls = named.url.is_tls();
            chosen.then_some(OwnRegistry { authority, tls, token: named.token })
        });
        let credentials = Rc::new(Credentials::of(&session.io));
        let roots = authorities::roots(settings.authorities(registry).as_deref())?;
        let pause = session.io.pause;
        Ok(Self { credentials, plain_http: *plain_http, own, roots, pause })
    }

    /// The repository that a reference names; connects to nothing.
    pub(crate) fn repository(&self, reference: &OciReference) -> Repository {
        let host = reference.host();
        let own = self.own.as_ref().filter(|own| own.authority == host.authority());
        let tls = match own {
            Some(own) => own.tls,
            None => !self.plain_http && !host.is_loopback(),
        };
        let token = own.and_then(|own| own.token.clone());
        let credentials = Rc::clone(&self.credentials);
        let transport =
            Transport::new(host.clone(), tls, self.roots.clone(), credentials, token, self.pause);
        Repository::new(transport, reference.name().clone())
    }
}

/// The flags of a command that say how registries are reached.
#[derive(Debug, Default, Clone)]
pub(crate) struct OciFlags {
    /// The registry of ours that is named.
    pub(crate) registry: RegistryArgs,
    /// Whether registries on other machines are spoken to in the clear.
    pub(crate) plain_http: bool,
}
