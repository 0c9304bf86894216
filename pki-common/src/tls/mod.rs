//! TLS for clients and servers that check each other's certificates.
//!
//! [`PeerVerifier`] says what a peer's certificate must satisfy, [`ServerTls`] and [`ClientTls`] make a
//! configuration for rustls of it, and [`diagnose_tls`] and [`diagnose_io`] explain a failed handshake.

mod alert_remedy;
mod config;
mod diagnose;
mod handshake_signature;
mod observer;
mod provider;
mod verifier;

pub use config::{
    ClientAuthentication, ClientTls, RESUMABLE_SESSIONS, ServerTls, TlsConfigError, TlsVersions,
};
pub use diagnose::{HandshakeContext, alert_sent_for, diagnose_io, diagnose_tls};
pub use observer::{Refusal, RefusalRecorder, VerificationObserver};
pub use provider::crypto_provider;
pub use verifier::PeerVerifier;
