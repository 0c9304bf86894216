//! Notices that a server asks for a certificate, and when it gets it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use pki_common::identity::Identity;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

/// Most names of accepted authorities that are kept: a server may send thousands.
const MAX_AUTHORITIES: usize = 32;

/// What a server asked for.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct Asked {
    /// When it had asked: our certificate, if there is one, leaves at once.
    pub(in crate::doctor) at: Instant,
    /// The names of the authorities it accepts; empty when it does not say.
    pub(in crate::doctor) authorities: Vec<String>,
}

/// Gives the identity when a server asks, and remembers the question.
#[derive(Debug)]
pub(super) struct Resolver {
    key: Option<Arc<CertifiedKey>>,
    asked: Mutex<Option<Asked>>,
}

impl Resolver {
    pub(super) fn new(identity: Option<&Arc<Identity>>) -> Arc<Self> {
        Arc::new(Self {
            key: identity.map(|identity| identity.certified_key()),
            asked: Mutex::new(None),
        })
    }

    /// What the server asked for, if it did.
    pub(super) fn asked(&self) -> Option<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesClientCert for Resolver {
    fn resolve(&self, authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let asked = Asked {
            at: Instant::now(),
            authorities: authorities
                .iter()
                .take(MAX_AUTHORITIES)
                .map(|der| name_of(der))
                .collect(),
        };
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn name_of(der: &[u8]) -> String {
    match X509Name::from_der(der) {
        Ok((_, name)) => name.to_string(),
        Err(_) => format!("a name that cannot be read ({} bytes)", der.len()),
    }
}
