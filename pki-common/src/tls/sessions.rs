//! Sessions that a server remembers, apart for each set of rules that let a client in.

use std::sync::Arc;

use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};

use super::ClientAuthentication;

/// A view of the remembered sessions: those that were let in by the rules, anchors, lists and authlist of now.
///
/// A resumed session presents no certificate. So whenever something was replaced that could refuse its client, the
/// session must not be found again: it is remembered under the generation of everything that was asked.
#[derive(Debug)]
pub(super) struct SessionsOfRules {
    pub(super) remembered: Arc<ServerSessionMemoryCache>,
    pub(super) authentication: ClientAuthentication,
}

impl SessionsOfRules {
    fn key(&self, key: &[u8]) -> Vec<u8> {
        let (kind, verifier) = match &self.authentication {
            ClientAuthentication::None => (0, None),
            ClientAuthentication::Optional(verifier) => (1, Some(verifier)),
            ClientAuthentication::Required(verifier) => (2, Some(verifier)),
        };
        let mut prefixed = vec![kind];
        for generation in verifier.map(super::PeerVerifier::generations).unwrap_or_default() {
            prefixed.extend_from_slice(&generation.to_be_bytes());
        }
        prefixed.extend_from_slice(key);
        prefixed
    }
}

impl StoresServerSessions for SessionsOfRules {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.remembered.put(self.key(&key), value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.remembered.get(&self.key(key))
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.remembered.take(&self.key(key))
    }

    fn can_cache(&self) -> bool {
        self.remembered.can_cache()
    }
}
