//! TLS for clients and servers that check each other's certificates.
//!
//! [`PeerVerifier`] says what a peer's certificate must satisfy, [`ServerTls`] and [`ClientTls`] make a
//! configuration for rustls of it, and [`diagnose_tls`] and [`diagnose_io`] explain a failed handshake.

mod alert_remedy;
mod bootstrap;
mod config;
mod diagnose;
mod handshake_signature;
mod key_log;
mod observer;
mod provider;
mod reload;
mod sessions;
mod shared_identity;
mod verifier;

pub use bootstrap::{MAX_PRESENTED_CERTIFICATES, PresentedChain};
pub use config::{
    ClientAuthentication, ClientTls, RESUMABLE_SESSIONS, ServerTls, TlsConfigError, TlsVersions,
};
pub use diagnose::{HandshakeContext, alert_sent_for, diagnose_io, diagnose_tls};
pub use key_log::KeyLogFile;
pub use observer::{Refusal, RefusalRecorder, VerificationObserver};
pub use provider::crypto_provider;
pub use reload::ReloadableServerTls;
pub use shared_identity::SharedIdentity;
pub use verifier::PeerVerifier;
