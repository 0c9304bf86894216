//! What a client of web enrolment needs to know.

use std::sync::Arc;
use std::time::Duration;

use pki_common::clock::system_clock;
use pki_common::identity::Identity;
use pki_common::trust_store::TrustStore;
use rustls::time_provider::TimeProvider;

use super::account::WindowsAccount;
use super::circuit_breaker::CircuitBreakerSettings;
use super::form::{check_attributes, check_template};
use super::{CertsrvError, CertsrvUrl};

/// The longest answer that is read, in bytes. A chain of ten certificates has about 20,000, the page of a thousand
/// templates about 200,000.
pub const DEFAULT_MAX_ANSWER: usize = 512 * 1024;

/// Connections at the same time. IIS with web enrolment works on about ten requests at once.
pub const DEFAULT_MAX_CONNECTIONS: usize = 8;

/// Connections kept, logged in, for the next exchange.
pub const DEFAULT_MAX_IDLE_CONNECTIONS: usize = 4;

/// How long a connection is kept. IIS closes one after 120 seconds.
pub const DEFAULT_MAX_IDLE_TIME: Duration = Duration::from_secs(60);

/// What the client calls itself. Some servers choose the type of a file by it (B-07).
pub const DEFAULT_USER_AGENT: &str = concat!("est/", env!("CARGO_PKG_VERSION"));

/// How this client logs in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CertsrvAuthentication {
    /// NTLMv2, as IIS offers by default (B-10).
    Ntlm(WindowsAccount),
    /// Name and password within TLS, where IIS has it enabled.
    Basic(WindowsAccount),
    /// A certificate that IIS maps to an account.
    Certificate(Arc<Identity>),
}

impl CertsrvAuthentication {
    /// The account as logs show it.
    #[must_use]
    pub fn account_name(&self) -> String {
        match self {
            Self::Ntlm(account) | Self::Basic(account) => account.name(),
            Self::Certificate(_) => "the client certificate".to_owned(),
        }
    }

    /// The name of the scheme.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        match self {
            Self::Ntlm(_) => "NTLM",
            Self::Basic(_) => "Basic",
            Self::Certificate(_) => "client certificate",
        }
    }
}

/// How long each step may take.
///
/// # Defaults
/// Ten seconds each, as the vendor's registration authority waits (F002-42), but for a submission, which may go on for
/// five minutes: it cannot be taken back, and its answer has the number of the request. An EST client is answered long
/// before; see [`AuthoritySettings::answer_time`](super::authority::AuthoritySettings::answer_time).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertsrvTimeouts {
    /// Name resolution and TCP connection.
    pub connect: Duration,
    /// TLS handshake.
    pub handshake: Duration,
    /// From a request to the end of its answer.
    pub answer: Duration,
    /// The same for a submission.
    pub submission: Duration,
}

impl Default for CertsrvTimeouts {
    fn default() -> Self {
        let step = Duration::from_secs(10);
        Self {
            connect: step,
            handshake: step,
            answer: step,
            submission: Duration::from_secs(300),
        }
    }
}

/// Whose chain is fetched: a CA has a certificate of each of its renewals (B-08).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChainRenewal {
    /// The newest, by `nRenewals` of `certcarc.asp`.
    #[default]
    Newest,
    /// Always this one. The vendor's registration authority has 0 for ever; a CA that was renewed then gets a warning.
    Fixed(u32),
}

/// What a [`CertsrvClient`](super::client::CertsrvClient) needs to know.
///
/// # Defaults
/// No attributes beside the template's; [`ChainRenewal::Newest`]; [`DEFAULT_USER_AGENT`]; [`CertsrvTimeouts`];
/// [`DEFAULT_MAX_ANSWER`]; [`DEFAULT_MAX_CONNECTIONS`], [`DEFAULT_MAX_IDLE_CONNECTIONS`], [`DEFAULT_MAX_IDLE_TIME`];
/// [`CircuitBreakerSettings`].
#[derive(Clone, Debug)]
pub struct CertsrvSettings {
    /// Where web enrolment is.
    pub url: CertsrvUrl,
    /// Whom the server's certificate may lead to.
    pub anchors: Arc<TrustStore>,
    /// How this client logs in.
    pub authentication: CertsrvAuthentication,
    /// The name of the certificate template, not its display name.
    pub template: String,
    /// More attributes of each request, `name:value`.
    pub attributes: Vec<String>,
    /// Which chain is the CA's.
    pub renewal: ChainRenewal,
    /// What the client calls itself.
    pub user_agent: String,
    /// Time per step.
    pub timeouts: CertsrvTimeouts,
    /// The longest answer that is read, in bytes; no more than [`MAX_PAGE`](super::page::MAX_PAGE) is of use.
    pub max_answer: usize,
    /// Connections at the same time.
    pub max_connections: usize,
    /// Connections kept, logged in, for the next exchange. 0: each enrolment logs in, as the vendor's registration
    /// authority does (F002-29).
    pub max_idle_connections: usize,
    /// How long a connection is kept.
    pub max_idle_time: Duration,
    /// When a server that fails is left alone.
    pub circuit_breaker: CircuitBreakerSettings,
    /// The clock by which certificates are valid or not.
    pub clock: Arc<dyn TimeProvider>,
}

impl CertsrvSettings {
    /// The settings that have no default, and the defaults.
    #[must_use]
    pub fn new(
        url: CertsrvUrl,
        anchors: Arc<TrustStore>,
        authentication: CertsrvAuthentication,
        template: impl Into<String>,
    ) -> Self {
        Self {
            url,
            anchors,
            authentication,
            template: template.into(),
            attributes: Vec::new(),
            renewal: ChainRenewal::Newest,
            user_agent: DEFAULT_USER_AGENT.to_owned(),
            timeouts: CertsrvTimeouts::default(),
            max_answer: DEFAULT_MAX_ANSWER,
            max_connections: DEFAULT_MAX_CONNECTIONS,
            max_idle_connections: DEFAULT_MAX_IDLE_CONNECTIONS,
            max_idle_time: DEFAULT_MAX_IDLE_TIME,
            circuit_breaker: CircuitBreakerSettings::default(),
            clock: system_clock(),
        }
    }

    /// Whether they can work.
    ///
    /// # Errors
    /// [`CertsrvError::Form`], [`CertsrvError::Settings`]
    pub fn check(&self) -> Result<(), CertsrvError> {
        check_template(&self.template)?;
        check_attributes(&self.attributes)?;
        let wrong = |problem: &str| {
            Err(CertsrvError::Settings {
                problem: problem.to_owned(),
            })
        };
        if http::HeaderValue::from_str(&self.user_agent).is_err() || self.user_agent.is_empty() {
            return wrong("the user agent must be printable and not empty");
        }
        if self.max_connections == 0 {
            return wrong("no connection to AD CS is allowed; allow at least one");
        }
        if let CertsrvAuthentication::Basic(account) = &self.authentication
            && let Err(problem) = account.to_basic()
        {
            return wrong(&format!("the account cannot log in by Basic: {problem}"));
        }
        let timeouts = &self.timeouts;
        if [
            timeouts.connect,
            timeouts.handshake,
            timeouts.answer,
            timeouts.submission,
        ]
        .contains(&Duration::ZERO)
        {
            return wrong("a time-out of 0 s leaves no time for an answer");
        }
        Ok(())
    }
}
