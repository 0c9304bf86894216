//! The EST client: every operation of RFC 7030 over rustls and hyper.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | the configuration, `cacerts` and `csrattrs` |
//! | `enroll.rs` | enrolment and re-enrolment: key, request, exchange and the checks on what comes back |
//! | `server_key.rs`, `cmc.rs` | keys made by the server; full CMC |
//! | `bootstrap.rs` | first contact by fingerprint |
//! | `run.rs` | carries out what the state machine of [`exchange`](crate::exchange) asks for |
//! | `reach.rs`, `connect.rs`, `proxy.rs`, `connection.rs` | TCP, proxy, TLS; HTTP connections and their keeping |
//! | `connector.rs` | another way to the server than TCP |
//! | `retry.rs` | trying again after failures that pass |
//!
//! Nothing is taken from the environment, and there are no trust anchors but those given.
//!
//! # A certificate for a new key
//! ```no_run
//! use std::sync::Arc;
//!
//! use est::client::{Client, ClientConfig, EnrollOptions, EnrollOutcome};
//! use pki_common::trust_store::TrustStore;
//!
//! # async fn enrol() -> Result<(), Box<dyn std::error::Error>> {
//! let anchors = TrustStore::from_paths("EST trust anchors", ["ca.pem"])?;
//! let mut config = ClientConfig::new("https://est.example".parse()?, Arc::new(anchors));
//! config.basic = Some(est::auth::BasicCredentials::new("phone", "correct horse")?);
//! let client = Client::new(config)?;
//! // Asks for the server's CSR attributes and makes the key. Keep the key before anything is sent.
//! let request = client.prepare(EnrollOptions::new("DC=com,DC=example,CN=AP-0050569c3489".parse()?)).await?;
//! let key = request.private_key();
//! # let _: &rustls_pki_types::PrivatePkcs8KeyDer<'_> = key;
//! match client.enroll_with(request).await? {
//!     EnrollOutcome::Enrolled(enrolled) => println!("{}", enrolled.certificate.subject()),
//!     EnrollOutcome::Pending { retry_after, .. } => println!("ask again in {} s", retry_after.as_secs()),
//! }
//! # Ok(()) }
//! ```

mod bootstrap;
mod cmc;
mod connect;
// Web enrolment reaches its server in the same way and speaks HTTP over the same connections.
pub(crate) mod connection;
mod connector;
mod enroll;
mod proxy;
pub(crate) mod reach;
mod retry;
mod run;
mod server_key;

use std::sync::Arc;
use std::time::Duration;

use pki_common::Certificate;
use pki_common::clock::system_clock;
use pki_common::identity::Identity;
use pki_common::tls::{ClientTls, PeerVerifier, TlsVersions};
use pki_common::trust_store::TrustStore;
use rand_core::{OsRng, RngCore as _};
use rustls::time_provider::TimeProvider;

pub use crate::auth::BearerToken;
pub use crate::exchange::{
    CaFingerprint, ClientError, Credentials, DEFAULT_MAX_REDIRECTS, DEFAULT_RETRY_AFTER, Difference,
    DifferenceKind, Fingerprint, Grounds, Issued, IssuedChecks, MAX_RETRY_AFTER, PasswordUse, PendingPolicy,
    Rollover, ServerUrl, Step, TrustSource,
};
pub use bootstrap::{Bootstrapped, FirstContact};
pub use cmc::CmcOutcome;
pub use connector::{ByteStream, Connector, ConnectorFuture};
pub use enroll::{
    CsrOutcome, EnrollOptions, EnrollOutcome, Enrolled, ProofOfPossession, ReenrollKey, ReenrollOptions,
    SimpleEnrollResponse,
};
pub use proxy::Proxy;
pub use retry::RetryPolicy;
pub use run::AskFingerprint;
pub use server_key::{ServerKey, ServerKeyOptions, ServerKeyOutcome};

use crate::auth::BasicCredentials;
use crate::exchange::{Exchange, ExchangeSettings, Outcome, RequestBody, answer};
use crate::operation::Operation;
use crate::wire::csr_attributes::{CsrAttributes, CsrAttributesLimits};
use crate::wire::label::PathLabel;
use connection::Idle;

/// How long each step of an exchange may take.
///
/// # Defaults
/// Ten seconds per step, as libest waits (`EST_SSL_READ_TIMEOUT_DEF`, fact F002-33).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientTimeouts {
    /// Name resolution and TCP connection; with a proxy, once for the connection to it and once for its answer.
    pub connect: Duration,
    /// TLS handshake.
    pub handshake: Duration,
    /// From the request to the end of the response.
    pub response: Duration,
}

impl ClientTimeouts {
    /// The same time for each step.
    #[must_use]
    pub const fn per_step(step: Duration) -> Self {
        Self {
            connect: step,
            handshake: step,
            response: step,
        }
    }
}

impl Default for ClientTimeouts {
    fn default() -> Self {
        Self::per_step(Duration::from_secs(10))
    }
}

/// The largest response body accepted, in bytes: base64 of a `cacerts` chain is under 100 KiB, and the decoder's own
/// bound ([`DEFAULT_MAX_LENGTH`](crate::wire::certs_only::DEFAULT_MAX_LENGTH)) fits in with its line ends.
pub const DEFAULT_MAX_RESPONSE: usize = 1024 * 1024;

/// Connections kept for the next exchange by default: a client that does one thing after the other needs one.
pub const DEFAULT_MAX_IDLE_CONNECTIONS: usize = 1;

/// How to reach an EST server and what to show it.
///
/// # Defaults
/// [`ClientConfig::new`] trusts the given anchors alone and shows nothing of itself.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Where the server is.
    pub url: ServerUrl,
    /// The label of one of several authorities of the server, if one is wanted.
    pub label: Option<PathLabel>,
    /// Explicit anchors: what the server's and the issued certificates must lead to.
    pub anchors: Arc<TrustStore>,
    /// Implicit anchors, for instance those of [`TrustStore::system`]: the server's certificate may lead to one of them
    /// instead.
    /// An issued certificate may then lead to a root of the server's `cacerts` (RFC 7030, section 4.1.3).
    pub implicit_anchors: Option<Arc<TrustStore>>,
    /// Our own certificate and key, to authenticate by.
    pub identity: Option<Arc<Identity>>,
    /// Name and password, to authenticate by. With `cacerts` and `csrattrs` they are sent only when the server asks.
    pub basic: Option<BasicCredentials>,
    /// A bearer token, to authenticate by.
    pub bearer: Option<BearerToken>,
    /// When name and password are sent, and whether in the clear within TLS.
    pub password_use: PasswordUse,
    /// TLS versions.
    pub versions: TlsVersions,
    /// Whether requests are linked to their TLS connection.
    pub proof_of_possession: ProofOfPossession,
    /// Whether the server is asked for its CSR attributes before a request is made.
    pub ask_csr_attributes: bool,
    /// What the issued certificate may have otherwise than it was asked for.
    pub checks: IssuedChecks,
    /// How long to wait for an approval.
    pub pending: PendingPolicy,
    /// An HTTP proxy between here and the server.
    pub proxy: Option<Proxy>,
    /// Another way to the server, or to the proxy, than TCP from this machine.
    pub connector: Option<Arc<dyn Connector>>,
    /// Time per step.
    pub timeouts: ClientTimeouts,
    /// The largest response body accepted, in bytes.
    pub max_response: usize,
    /// Redirects followed in one exchange, within the server's origin.
    pub max_redirects: u8,
    /// Connections kept for the next exchange. 0: none.
    pub max_idle_connections: usize,
    /// Whether a request for a certificate is sent once more when a kept connection ends without an answer to it; else
    /// that is [`ClientError::Unanswered`]. Off: the server may have issued a certificate already, and POST is not
    /// idempotent (RFC 9110, section 9.2.2). Safe with a server that answers the same request with the same
    /// certificate. A request of which nothing has left is sent again in any case.
    pub repeat_unanswered: bool,
    /// The clock by which certificates are valid or not.
    pub clock: Arc<dyn TimeProvider>,
}

impl ClientConfig {
    /// A client that trusts these anchors and shows nothing of itself.
    #[must_use]
    pub fn new(url: ServerUrl, anchors: Arc<TrustStore>) -> Self {
        Self {
            url,
            label: None,
            anchors,
            implicit_anchors: None,
            identity: None,
            basic: None,
            bearer: None,
            password_use: PasswordUse::default(),
            versions: TlsVersions::Tls12And13,
            proof_of_possession: ProofOfPossession::default(),
            ask_csr_attributes: true,
            checks: IssuedChecks::default(),
            pending: PendingPolicy::no_wait(),
            proxy: None,
            connector: None,
            timeouts: ClientTimeouts::default(),
            max_response: DEFAULT_MAX_RESPONSE,
            max_redirects: DEFAULT_MAX_REDIRECTS,
            max_idle_connections: DEFAULT_MAX_IDLE_CONNECTIONS,
            repeat_unanswered: false,
            clock: system_clock(),
        }
    }

    /// The anchors that the server's certificate may lead to: explicit and implicit.
    fn server_anchors(&self) -> Result<Arc<TrustStore>, ClientError> {
        let Some(implicit) = &self.implicit_anchors else {
            return Ok(Arc::clone(&self.anchors));
        };
        let mut both = (*self.anchors).clone();
        for anchor in implicit.anchors() {
            both.add(anchor).map_err(|error| ClientError::Anchors {
                cause: error.to_string(),
            })?;
        }
        Ok(Arc::new(both))
    }

    /// By what the server is authenticated, as far as the answer to `cacerts` is concerned.
    fn trust_source(&self) -> TrustSource {
        if self.implicit_anchors.is_some() {
            TrustSource::Implicit
        } else {
            TrustSource::Explicit
        }
    }
}

/// An EST client. Clones share their kept connections.
#[derive(Debug, Clone)]
pub struct Client {
    config: Arc<ClientConfig>,
    tls: ClientTls,
    idle: Arc<Idle>,
}

impl Client {
    /// A client with this configuration. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::TlsConfig`] when the configuration cannot work.
    pub fn new(config: ClientConfig) -> Result<Self, ClientError> {
        let verifier = PeerVerifier::trust_store(config.server_anchors()?);
        let mut tls = ClientTls::new(verifier.with_clock(Arc::clone(&config.clock)));
        tls.identity.clone_from(&config.identity);
        tls.versions = config.versions;
        tls.alpn = vec![b"http/1.1".to_vec()];
        // Servers without the extended master secret cannot be bound to, and can be talked to without.
        tls.channel_binding = config.proof_of_possession != ProofOfPossession::Never;
        // Each connection gets a configuration of its own, whose verification is watched. What is wrong with it shows now.
        tls.rustls_config()
            .map_err(|error| ClientError::tls_config(&error))?;
        Ok(Self {
            idle: Arc::new(Idle::new(config.max_idle_connections)),
            config: Arc::new(config),
            tls,
        })
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// Asks for the certificates of the certificate authority (RFC 7030, section 4.1). They are as trustworthy as the
    /// TLS connection: its server certificate leads to the configured anchors.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn cacerts(&self) -> Result<Vec<Certificate>, ClientError> {
        match self.ask(Operation::CaCerts, RequestBody::Empty).await? {
            Outcome::Answer(response) => answer::certificates(&response),
            other => Err(unexpected(&other)),
        }
    }

    /// Asks for the certificates of the certificate authority and says what they change: which roots are new and why
    /// they may be trusted, which are gone.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn rollover(&self) -> Result<Rollover, ClientError> {
        let answer = self.cacerts().await?;
        let source = self.config.trust_source();
        Ok(Rollover::compare(
            &self.config.anchors,
            &answer,
            source,
            self.config.now(),
        ))
    }

    /// Asks what the server wants to see in a request (RFC 7030, section 4.5); `None` when it wants nothing special.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn csrattrs(&self) -> Result<Option<CsrAttributes>, ClientError> {
        match self.ask(Operation::CsrAttrs, RequestBody::Empty).await? {
            Outcome::Answer(response) => {
                let limits = CsrAttributesLimits::default();
                let der = answer::binary(&response, limits.length, |media_type| {
                    media_type.essence() == "application/csrattrs"
                })?;
                let Some(der) = der else { return Ok(None) };
                Ok(Some(CsrAttributes::from_der(&der, &limits)?))
            }
            Outcome::Nothing => Ok(None),
            other => Err(unexpected(&other)),
        }
    }

    async fn ask(&self, operation: Operation, body: RequestBody<'_>) -> Result<Outcome, ClientError> {
        let config = &*self.config;
        let mut nonce = [0; 16];
        OsRng.fill_bytes(&mut nonce);
        let settings = ExchangeSettings {
            credentials: Credentials {
                password: config.basic.clone(),
                bearer: config.bearer.clone(),
                password_use: config.password_use,
            },
            pending: config.pending,
            max_redirects: config.max_redirects,
            repeat_unanswered: config.repeat_unanswered,
            client_nonce: u128::from_be_bytes(nonce),
        };
        let (url, label) = (config.url.clone(), config.label.clone());
        self.run(Exchange::new(url, label, operation, body, settings))
            .await
    }
}

/// The state machine gives each operation its own outcomes only.
fn unexpected(_outcome: &Outcome) -> ClientError {
    ClientError::Sequence { event: "an outcome" }
}
