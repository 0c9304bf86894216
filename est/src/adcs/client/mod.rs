//! The client of web enrolment: connections, logins, time-outs, and what may be tried again.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | the client, its kept connections and its circuit breaker |
//! | `connect.rs` | TCP and TLS |
//! | `logged_in.rs` | one connection: login, requests, what a status means |
//! | `session.rs` | each page, and once more on a new connection where that is safe |
//! | `chain.rs` | the order of the CA's certificates |

mod chain;
mod connect;
mod logged_in;
mod session;

use core::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use pki_common::Diagnose as _;
use pki_common::tls::{ClientTls, PeerVerifier};
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use chain::Chain;
pub use session::Session;

use super::circuit_breaker::CircuitBreaker;
use super::form::RequestId;
use super::page::{Retrieved, Template, Verdict};
use super::{CertsrvAuthentication, CertsrvError, CertsrvSettings, WindowsAccount};
use logged_in::LoggedIn;

/// How long the client's own account is not tried again once it was refused: each attempt counts towards the lock-out of
/// the account in Active Directory, and every EST client that asks would be one.
const REFUSED_REST: Duration = Duration::from_secs(30);

/// A client of web enrolment. Clones share their connections.
#[derive(Clone)]
pub struct CertsrvClient {
    shared: Arc<Shared>,
}

struct Shared {
    settings: CertsrvSettings,
    tls: ClientTls,
    /// Without this client's certificate, for logins of others.
    tls_of_others: ClientTls,
    kept: Mutex<Vec<LoggedIn>>,
    permits: Arc<Semaphore>,
    breaker: Mutex<CircuitBreaker>,
    connections: AtomicU64,
    /// The last refusal of the client's own account.
    refused: Mutex<Option<(Instant, CertsrvError)>>,
}

impl CertsrvClient {
    /// A client with these settings. Nothing is sent yet.
    ///
    /// # Errors
    /// [`CertsrvError::Settings`], [`CertsrvError::Form`], [`CertsrvError::TlsConfig`]
    pub fn new(settings: CertsrvSettings) -> Result<Self, CertsrvError> {
        settings.check()?;
        let verifier = PeerVerifier::trust_store(Arc::clone(&settings.anchors));
        let mut tls = ClientTls::new(verifier.with_clock(Arc::clone(&settings.clock)));
        tls.alpn = vec![b"http/1.1".to_vec()];
        let tls_of_others = tls.clone();
        if let CertsrvAuthentication::Certificate(identity) = &settings.authentication {
            tls.identity = Some(Arc::clone(identity));
        }
        // Each connection gets a configuration of its own, whose verification is watched. What is wrong with it shows now.
        tls.rustls_config()
            .map_err(|error| CertsrvError::TlsConfig(Box::new(error.diagnose())))?;
        let permits = settings.max_connections.min(Semaphore::MAX_PERMITS);
        Ok(Self {
            shared: Arc::new(Shared {
                tls,
                tls_of_others,
                kept: Mutex::new(Vec::new()),
                permits: Arc::new(Semaphore::new(permits)),
                breaker: Mutex::new(CircuitBreaker::new(settings.circuit_breaker)),
                connections: AtomicU64::new(0),
                refused: Mutex::new(None),
                settings,
            }),
        })
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &CertsrvSettings {
        &self.shared.settings
    }

    /// A session on a kept connection, or on one that its first exchange makes.
    ///
    /// # Errors
    /// [`CertsrvError::Busy`] when no connection is free within the time for an answer.
    pub async fn session(&self) -> Result<Session, CertsrvError> {
        let permit = self.permit().await?;
        let authentication = self.shared.settings.authentication.clone();
        let kept = self.take_kept().await;
        Ok(Session::new(
            self.clone(),
            authentication,
            true,
            kept,
            Some(permit),
        ))
    }

    /// Logs in, on a kept connection or a new one.
    ///
    /// # Errors
    /// [`CertsrvError`]
    pub async fn log_in(&self) -> Result<(), CertsrvError> {
        let mut session = self.session().await?;
        let done = session.log_in().await;
        session.finish().await;
        done
    }

    /// The templates that the account may use.
    ///
    /// # Errors
    /// [`CertsrvError`]
    pub async fn templates(&self) -> Result<Vec<Template>, CertsrvError> {
        let mut session = self.session().await?;
        let done = session.templates().await;
        session.finish().await;
        done
    }

    /// Whether the template of the settings is among these.
    ///
    /// # Errors
    /// [`CertsrvError::TemplateNotOffered`]
    pub fn require_template(&self, offered: &[Template]) -> Result<(), CertsrvError> {
        let template = &self.shared.settings.template;
        // Active Directory compares names of templates without case.
        if offered
            .iter()
            .any(|found| found.name.eq_ignore_ascii_case(template))
        {
            return Ok(());
        }
        Err(CertsrvError::TemplateNotOffered {
            template: template.clone(),
            offered: offered.iter().map(|found| found.name.clone()).collect(),
        })
    }

    /// Submits a request; see [`Session::submit`].
    ///
    /// # Errors
    /// [`CertsrvError`]
    pub async fn submit(&self, csr: &[u8]) -> Result<Verdict, CertsrvError> {
        let mut session = self.session().await?;
        let done = session.submit(csr).await;
        session.finish().await;
        done
    }

    /// What there is for a request.
    ///
    /// # Errors
    /// [`CertsrvError`]
    pub async fn certificate(&self, request: RequestId) -> Result<Retrieved, CertsrvError> {
        let mut session = self.session().await?;
        let done = session.certificate(request).await;
        session.finish().await;
        done
    }

    /// The CA's certificates; see [`Session::chain`].
    ///
    /// # Errors
    /// [`CertsrvError`]
    pub async fn chain(&self) -> Result<Chain, CertsrvError> {
        let mut session = self.session().await?;
        let done = session.chain().await;
        session.finish().await;
        done
    }

    /// The CA's revocation list of a renewal, in DER.
    ///
    /// # Errors
    /// [`CertsrvError`]
    pub async fn revocation_list(&self, renewal: u32) -> Result<Bytes, CertsrvError> {
        let mut session = self.session().await?;
        let done = session.revocation_list(renewal).await;
        session.finish().await;
        done
    }

    /// Logs in as this account on a connection of its own, and asks for the templates it may use: what the vendor's
    /// registration authority does with the name and the password of an EST client (F002-30). By Basic when this
    /// client uses that, else by NTLM. The caller bounds how many there are at the same time.
    ///
    /// # Errors
    /// [`CertsrvError`]; [`CertsrvError::CredentialsRefused`] says that name or password are wrong.
    pub async fn check_login(&self, account: &WindowsAccount) -> Result<Vec<Template>, CertsrvError> {
        let authentication = match &self.shared.settings.authentication {
            CertsrvAuthentication::Basic(_) => CertsrvAuthentication::Basic(account.clone()),
            _ => CertsrvAuthentication::Ntlm(account.clone()),
        };
        // Not one of the connections of the settings: submissions that hang must not keep logins out.
        Session::new(self.clone(), authentication, false, None, None)
            .templates()
            .await
    }

    async fn permit(&self) -> Result<tokio::sync::OwnedSemaphorePermit, CertsrvError> {
        let settings = &self.shared.settings;
        let busy = CertsrvError::Busy {
            limit: settings.max_connections,
        };
        let permit = Arc::clone(&self.shared.permits).acquire_owned();
        match timeout(settings.timeouts.answer, permit).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(busy),
        }
    }

    fn admit(&self) -> Result<(), CertsrvError> {
        self.breaker().admit(Instant::now())
    }

    /// Tells the circuit breaker. A server that refuses is well.
    fn report<T>(&self, outcome: &Result<T, CertsrvError>) {
        match outcome {
            Err(CertsrvError::LeftAlone { .. } | CertsrvError::Busy { .. }) => {}
            Err(error) if error.is_transient() => self.breaker().failure(error.diagnose(), Instant::now()),
            _ => self.breaker().success(),
        }
    }

    fn breaker(&self) -> MutexGuard<'_, CircuitBreaker> {
        self.shared.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(
        &self,
        authentication: &CertsrvAuthentication,
        own: bool,
    ) -> Result<LoggedIn, CertsrvError> {
        let shared = &self.shared;
        let id = shared.connections.fetch_add(1, Ordering::Relaxed);
        if !own {
            return LoggedIn::new(&shared.settings, &shared.tls_of_others, authentication, id).await;
        }
        if let Some((since, refusal)) = &*self.refused()
            && since.elapsed() < REFUSED_REST
        {
            return Err(refusal.clone());
        }
        let made = LoggedIn::new(&shared.settings, &shared.tls, authentication, id).await;
        *self.refused() = match &made {
            Err(error) if error.is_refused_login() => Some((Instant::now(), error.clone())),
            _ => None,
        };
        made
    }

    fn refused(&self) -> MutexGuard<'_, Option<(Instant, CertsrvError)>> {
        self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take_kept(&self) -> Option<LoggedIn> {
        loop {
            let mut connection = self.kept().pop()?;
            if connection.is_usable(&self.shared.settings).await {
                return Some(connection);
            }
        }
    }

    async fn keep(&self, mut connection: LoggedIn) {
        let settings = &self.shared.settings;
        if settings.max_idle_connections == 0 || !connection.is_usable(settings).await {
            return;
        }
        let mut kept = self.kept();
        if kept.len() < settings.max_idle_connections {
            kept.push(connection);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<LoggedIn>> {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CertsrvClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertsrvClient")
            .field("url", &self.shared.settings.url)
            .field("authentication", &self.shared.settings.authentication)
            .field("template", &self.shared.settings.template)
            .finish_non_exhaustive()
    }
}
