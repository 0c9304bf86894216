//! TLS configuration for the two roles.
//!
//! Only TLS 1.2 with forward secrecy and TLS 1.3, as rustls offers them.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ClientConfig, KeyLog, ServerConfig, SupportedProtocolVersion};

use super::sessions::SessionsOfRules;
use super::{PeerVerifier, SharedIdentity, VerificationObserver, crypto_provider};
use crate::channel_binding::recording_provider;
use crate::identity::Identity;
use crate::ladder::{Diagnose, Failure, Rung};

/// Sessions a server remembers when resumption is on.
pub const RESUMABLE_SESSIONS: usize = 256;

/// Why a TLS configuration cannot be made. The build or the caller is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// Neither a feature nor the process chose a crypto provider.
    #[error(
        "no crypto provider: neither the feature aws-lc-rs nor ring is on, and the process installed none"
    )]
    NoCryptoProvider,
    /// A certificate was to be pinned by a SHA-1 fingerprint.
    #[error("a certificate cannot be pinned by a SHA-1 fingerprint: another one with the same can be made")]
    WeakFingerprint,
    /// rustls refused the configuration.
    #[error("TLS cannot be configured: {0}")]
    Refused(String),
}

impl Diagnose for TlsConfigError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::NoCryptoProvider => {
                "Build with the feature aws-lc-rs or ring, or call CryptoProvider::install_default first."
            }
            Self::WeakFingerprint => {
                "Give the SHA-256 fingerprint: `openssl x509 -noout -fingerprint -sha256`."
            }
            Self::Refused(_) => "Choose TLS versions that the crypto provider has cipher suites for.",
        };
        Failure {
            rung: Rung::Local,
            refused_by: None,
            alert: None,
            known_cause: None,
            cause: format!("{self}."),
            remedy: remedy.to_owned(),
        }
    }
}

/// What a server asks of its clients.
#[derive(Debug, Clone)]
pub enum ClientAuthentication {
    /// No certificate is requested.
    None,
    /// A certificate is requested; a client without one is let in, a bad certificate is refused.
    Optional(PeerVerifier),
    /// A client without a good certificate is refused.
    Required(PeerVerifier),
}

/// Versions of TLS that are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TlsVersions {
    /// TLS 1.3, or 1.2 with peers that have no better.
    #[default]
    Tls12And13,
    /// Only TLS 1.2.
    Tls12,
    /// Only TLS 1.3.
    Tls13,
}

impl TlsVersions {
    fn as_rustls(self) -> &'static [&'static SupportedProtocolVersion] {
        static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        static ONLY_12: [&SupportedProtocolVersion; 1] = [&TLS12];
        static ONLY_13: [&SupportedProtocolVersion; 1] = [&TLS13];
        match self {
            Self::Tls12And13 => &BOTH,
            Self::Tls12 => &ONLY_12,
            Self::Tls13 => &ONLY_13,
        }
    }
}

/// What TLS 1.2 demands when channel bindings are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum ExtendedMasterSecret {
    #[default]
    WithChannelBinding,
    NeverDemanded,
}

impl ExtendedMasterSecret {
    /// Whether it is demanded, beside what a FIPS provider demands anyway.
    fn is_demanded(self, channel_binding: bool) -> bool {
        channel_binding && self == Self::WithChannelBinding
    }
}

/// The provider whose cipher suites serve the wanted channel bindings.
fn provider_for(channel_binding: bool) -> Result<Arc<CryptoProvider>, TlsConfigError> {
    if channel_binding {
        recording_provider()
    } else {
        crypto_provider()
    }
}

/// TLS for a server.
///
/// A clone remembers sessions of its own. What was let in is resumed only as long as the same is asked of clients: not
/// after `client_authentication` changed, nor after a [`SharedTrustStore`](crate::trust_store::SharedTrustStore),
/// revocation lists or authlist in it were replaced. A handshake that is under way at that moment may still be
/// remembered as let in by the new ones; [`ReloadableServerTls`](super::ReloadableServerTls) leaves not even that.
#[derive(Debug)]
pub struct ServerTls {
    /// Our own certificate and key.
    pub identity: Arc<Identity>,
    /// What is asked of clients.
    pub client_authentication: ClientAuthentication,
    /// Versions of TLS.
    pub versions: TlsVersions,
    /// Protocols by ALPN (RFC 7301), best first; empty: ALPN is not used.
    pub alpn: Vec<Vec<u8>>,
    /// Whether sessions may be resumed. Off by default: a resumed session presents no certificate, so trust store,
    /// revocation lists and authlist are asked again only when one of them was replaced, and a certificate that
    /// expires meanwhile keeps its session to the end of the session's own life (a day).
    pub resumption: bool,
    /// Whether channel bindings can be had ([`channel_binding`](crate::channel_binding)). TLS 1.2 then demands the
    /// extended master secret (RFC 7627); peers without it (OpenSSL before 1.1.0) fail the handshake. Off by default.
    pub channel_binding: bool,
    /// Whether AES-128-GCM with SHA-256 is taken wherever the client offers it, as RFC 9325 section 4.2 lists it first.
    /// Processors have instructions for SHA-256 more often than for SHA-384, and the keys of a TLS 1.3 handshake are all
    /// made of hashes. For many short connections. Off by default: the client's order counts, which for a device
    /// without instructions for AES begins with ChaCha20.
    pub prefer_aes_128: bool,
    extended_master_secret: ExtendedMasterSecret,
    shared_identity: Option<SharedIdentity>,
    key_log: Option<Arc<dyn KeyLog>>,
    sessions: Arc<ServerSessionMemoryCache>,
}

impl Clone for ServerTls {
    fn clone(&self) -> Self {
        Self {
            identity: Arc::clone(&self.identity),
            client_authentication: self.client_authentication.clone(),
            versions: self.versions,
            alpn: self.alpn.clone(),
            resumption: self.resumption,
            channel_binding: self.channel_binding,
            prefer_aes_128: self.prefer_aes_128,
            extended_master_secret: self.extended_master_secret,
            shared_identity: self.shared_identity.clone(),
            key_log: self.key_log.clone(),
            sessions: ServerSessionMemoryCache::new(RESUMABLE_SESSIONS),
        }
    }
}

impl ServerTls {
    /// A server that asks clients for nothing, speaks TLS 1.2 and 1.3, and resumes no session.
    #[must_use]
    pub fn new(identity: Arc<Identity>) -> Self {
        Self {
            identity,
            client_authentication: ClientAuthentication::None,
            versions: TlsVersions::default(),
            alpn: Vec::new(),
            resumption: false,
            channel_binding: false,
            prefer_aes_128: false,
            extended_master_secret: ExtendedMasterSecret::default(),
            shared_identity: None,
            key_log: None,
            sessions: ServerSessionMemoryCache::new(RESUMABLE_SESSIONS),
        }
    }

    /// Presents an identity that can be replaced while connections run, instead of the one in `identity`.
    #[must_use]
    pub fn with_shared_identity(mut self, identity: SharedIdentity) -> Self {
        self.shared_identity = Some(identity);
        self
    }

    /// What is presented in the next handshake: the shared identity of this moment, or the one in `identity`.
    #[must_use]
    pub fn current_identity(&self) -> Arc<Identity> {
        match &self.shared_identity {
            Some(shared) => shared.load(),
            None => Arc::clone(&self.identity),
        }
    }

    /// Where the secrets of every connection go, for transports of one's own.
    #[must_use]
    pub fn key_log(&self) -> Option<&Arc<dyn KeyLog>> {
        self.key_log.as_ref()
    }

    /// Gives the secrets of every connection to `key_log`, for example `rustls::KeyLogFile` for Wireshark.
    /// Whoever reads them can read the traffic.
    #[must_use]
    pub fn dangerous_key_log(mut self, key_log: Arc<dyn KeyLog>) -> Self {
        tracing::warn!("TLS secrets of this server are given to a key log: its traffic can be decrypted");
        self.key_log = Some(key_log);
        self
    }

    /// Lets TLS 1.2 clients without the extended master secret (RFC 7627) connect although channel bindings are on.
    ///
    /// Without it an attacker between can make two connections with the same tls-unique (RFC 7627 section 1), so
    /// a request made for one passes on the other. For old peers only (OpenSSL before 1.1.0).
    #[must_use]
    pub fn dangerous_accept_no_extended_master_secret(mut self) -> Self {
        tracing::warn!("TLS 1.2 without extended master secret is accepted: tls-unique is not safe there");
        self.extended_master_secret = ExtendedMasterSecret::NeverDemanded;
        self
    }

    /// The configuration for rustls.
    ///
    /// # Errors
    /// There is no crypto provider, or it cannot serve the chosen TLS versions.
    pub fn rustls_config(&self) -> Result<Arc<ServerConfig>, TlsConfigError> {
        self.build(&self.client_authentication)
    }

    /// As [`rustls_config`](Self::rustls_config), for one connection whose verification `observer` watches.
    ///
    /// Keys and anchors are shared, not parsed again, so a server can build one for each connection.
    ///
    /// # Errors
    /// As [`rustls_config`](Self::rustls_config).
    pub fn rustls_config_observed(
        &self,
        observer: Arc<dyn VerificationObserver>,
    ) -> Result<Arc<ServerConfig>, TlsConfigError> {
        let watch = |verifier: &PeerVerifier| verifier.clone().observed_by(observer);
        self.build(&match &self.client_authentication {
            ClientAuthentication::None => ClientAuthentication::None,
            ClientAuthentication::Optional(verifier) => ClientAuthentication::Optional(watch(verifier)),
            ClientAuthentication::Required(verifier) => ClientAuthentication::Required(watch(verifier)),
        })
    }

    fn build(&self, authentication: &ClientAuthentication) -> Result<Arc<ServerConfig>, TlsConfigError> {
        let mut provider = provider_for(self.channel_binding)?;
        if self.prefer_aes_128 {
            let suites = &mut Arc::make_mut(&mut provider).cipher_suites;
            suites.sort_by_key(|suite| !is_aes_128(suite.suite()));
        }
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(self.versions.as_rustls())
            .map_err(refused)?;
        let builder = match authentication {
            ClientAuthentication::None => builder.with_no_client_auth(),
            ClientAuthentication::Optional(verifier) => {
                builder.with_client_cert_verifier(verifier.client_verifier(&provider, false))
            }
            ClientAuthentication::Required(verifier) => {
                builder.with_client_cert_verifier(verifier.client_verifier(&provider, true))
            }
        };
        let certificate: Arc<dyn ResolvesServerCert> = match &self.shared_identity {
            Some(shared) => Arc::new(shared.clone()),
            None => certificate_of(&self.identity),
        };
        let mut config = builder.with_cert_resolver(certificate);
        config.alpn_protocols.clone_from(&self.alpn);
        if self.resumption {
            config.session_storage = Arc::new(SessionsOfRules {
                remembered: Arc::clone(&self.sessions),
                authentication: authentication.clone(),
            });
        } else {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        config.ignore_client_order = self.prefer_aes_128;
        config.require_ems |= self.extended_master_secret.is_demanded(self.channel_binding);
        if let Some(key_log) = &self.key_log {
            config.key_log = Arc::clone(key_log);
        }
        Ok(Arc::new(config))
    }
}

/// TLS for a client.
#[derive(Debug, Clone)]
pub struct ClientTls {
    /// Our own certificate and key, when the server wants one.
    pub identity: Option<Arc<Identity>>,
    /// What the server's certificate must satisfy.
    pub peer: PeerVerifier,
    /// Versions of TLS.
    pub versions: TlsVersions,
    /// Protocols by ALPN (RFC 7301), best first; empty: ALPN is not used.
    pub alpn: Vec<Vec<u8>>,
    /// Whether sessions may be resumed. Off by default: a resumed session presents no certificate.
    /// Sessions are remembered inside one `rustls::ClientConfig`; keep it to resume.
    pub resumption: bool,
    /// Whether channel bindings can be had ([`channel_binding`](crate::channel_binding)). TLS 1.2 then demands the
    /// extended master secret (RFC 7627); peers without it (OpenSSL before 1.1.0) fail the handshake. Off by default.
    pub channel_binding: bool,
    extended_master_secret: ExtendedMasterSecret,
    shared_identity: Option<SharedIdentity>,
    key_log: Option<Arc<dyn KeyLog>>,
}

impl ClientTls {
    /// A client without a certificate of its own that speaks TLS 1.2 and 1.3 and resumes no session.
    #[must_use]
    pub fn new(peer: PeerVerifier) -> Self {
        Self {
            identity: None,
            peer,
            versions: TlsVersions::default(),
            alpn: Vec::new(),
            resumption: false,
            channel_binding: false,
            extended_master_secret: ExtendedMasterSecret::default(),
            shared_identity: None,
            key_log: None,
        }
    }

    /// The same client with a certificate of its own.
    #[must_use]
    pub fn with_identity(mut self, identity: Arc<Identity>) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Presents an identity that can be replaced while connections run, instead of the one in `identity`.
    #[must_use]
    pub fn with_shared_identity(mut self, identity: SharedIdentity) -> Self {
        self.shared_identity = Some(identity);
        self
    }

    /// What is presented in the next handshake when the server wants a certificate: the shared identity of this moment,
    /// or the one in `identity`.
    #[must_use]
    pub fn current_identity(&self) -> Option<Arc<Identity>> {
        match &self.shared_identity {
            Some(shared) => Some(shared.load()),
            None => self.identity.clone(),
        }
    }

    /// Where the secrets of every connection go, for transports of one's own.
    #[must_use]
    pub fn key_log(&self) -> Option<&Arc<dyn KeyLog>> {
        self.key_log.as_ref()
    }

    /// Gives the secrets of every connection to `key_log`, for example `rustls::KeyLogFile` for Wireshark.
    /// Whoever reads them can read the traffic.
    #[must_use]
    pub fn dangerous_key_log(mut self, key_log: Arc<dyn KeyLog>) -> Self {
        tracing::warn!("TLS secrets of this client are given to a key log: its traffic can be decrypted");
        self.key_log = Some(key_log);
        self
    }

    /// Lets TLS 1.2 servers without the extended master secret (RFC 7627) connect although channel bindings are on.
    ///
    /// Without it an attacker between can make two connections with the same tls-unique (RFC 7627 section 1), so
    /// a request made for one passes on the other. For old peers only (OpenSSL before 1.1.0).
    #[must_use]
    pub fn dangerous_accept_no_extended_master_secret(mut self) -> Self {
        tracing::warn!("TLS 1.2 without extended master secret is accepted: tls-unique is not safe there");
        self.extended_master_secret = ExtendedMasterSecret::NeverDemanded;
        self
    }

    /// The configuration for rustls.
    ///
    /// # Errors
    /// There is no crypto provider, or it cannot serve the chosen TLS versions.
    pub fn rustls_config(&self) -> Result<Arc<ClientConfig>, TlsConfigError> {
        self.build(&self.peer)
    }

    /// As [`rustls_config`](Self::rustls_config), for one connection whose verification `observer` watches.
    ///
    /// # Errors
    /// As [`rustls_config`](Self::rustls_config).
    pub fn rustls_config_observed(
        &self,
        observer: Arc<dyn VerificationObserver>,
    ) -> Result<Arc<ClientConfig>, TlsConfigError> {
        self.build(&self.peer.clone().observed_by(observer))
    }

    fn build(&self, peer: &PeerVerifier) -> Result<Arc<ClientConfig>, TlsConfigError> {
        let provider = provider_for(self.channel_binding)?;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(self.versions.as_rustls())
            .map_err(refused)?
            .dangerous()
            .with_custom_certificate_verifier(peer.server_verifier(&provider));
        let mut config = match (&self.shared_identity, &self.identity) {
            (Some(shared), _) => builder.with_client_cert_resolver(Arc::new(shared.clone())),
            (None, Some(identity)) => builder.with_client_cert_resolver(certificate_of(identity)),
            (None, None) => builder.with_no_client_auth(),
        };
        config.alpn_protocols.clone_from(&self.alpn);
        if !self.resumption {
            config.resumption = rustls::client::Resumption::disabled();
        }
        config.require_ems |= self.extended_master_secret.is_demanded(self.channel_binding);
        if let Some(key_log) = &self.key_log {
            config.key_log = Arc::clone(key_log);
        }
        Ok(Arc::new(config))
    }
}

/// AES-128-GCM with SHA-256, whatever the key exchange.
const fn is_aes_128(suite: CipherSuite) -> bool {
    matches!(
        suite,
        CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    )
}

fn certificate_of(identity: &Identity) -> Arc<SingleCertAndKey> {
    Arc::new(SingleCertAndKey::from(identity.certified_key()))
}

#[expect(clippy::needless_pass_by_value, reason = "the signature map_err wants")]
fn refused(error: rustls::Error) -> TlsConfigError {
    TlsConfigError::Refused(error.to_string())
}
