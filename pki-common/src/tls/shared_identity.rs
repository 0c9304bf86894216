//! An identity that can be replaced while connections run.

use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::identity::Identity;
use crate::shared::Shared;

/// An identity that can be replaced while connections run, for example after its renewal.
///
/// Clones share the identity. A replacement holds from the next handshake on; connections that are established stay.
/// Give it to [`ServerTls::with_shared_identity`](super::ServerTls::with_shared_identity) or
/// [`ClientTls::with_shared_identity`](super::ClientTls::with_shared_identity); for a configuration of your own it is
/// a resolver of rustls for both roles.
#[derive(Clone, Debug)]
pub struct SharedIdentity(Shared<Identity>);

impl SharedIdentity {
    /// Shares an identity.
    #[must_use]
    pub fn new(identity: impl Into<Arc<Identity>>) -> Self {
        Self(Shared::new(identity.into()))
    }

    /// The identity of this moment. Takes no lock.
    #[must_use]
    pub fn load(&self) -> Arc<Identity> {
        self.0.load()
    }

    /// Puts another identity in its place.
    pub fn replace(&self, identity: impl Into<Arc<Identity>>) {
        self.0.replace(identity.into());
    }
}

impl ResolvesServerCert for SharedIdentity {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.load().certified_key())
    }
}

impl ResolvesClientCert for SharedIdentity {
    fn resolve(&self, _hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let certified = self.load().certified_key();
        certified
            .key
            .choose_scheme(schemes)
            .is_some()
            .then_some(certified)
    }

    fn has_certs(&self) -> bool {
        true
    }
}
