//! A simulated Microsoft AD CS web enrolment, to test and to show against: an HTTPS server with the pages below
//! `/certsrv`, NTLM and Basic, a real authority behind them, the log that IIS would write, and a switch for each failure
//! of Cisco document 214396.
//!
//! It answers as public clients of the original expect it (facts B-01 to B-10). It is no copy of the original: its pages
//! carry the marks that clients read and nothing more, and it has been compared with clients only, never with a server of
//! Microsoft. Its passwords protect nothing.
//!
//! | module | what it does |
//! |---|---|
//! | `settings` | what the server is like |
//! | `fault` | what can go wrong |
//! | `connection` | TLS, HTTP, the faults on the way |
//! | `login`, `ntlm` | who a request is from |
//! | `site`, `page`, `answer` | from a request to the page |
//! | `requests`, `disposition`, `authority` | what becomes of requests, and who signs certificates |
//! | `web_certificate` | what the server presents in the handshake |
//! | `iis_log` | the log |
//! | `control` | commands for a running simulator |
//!
//! ```
//! use interop::adcs_sim::{Fault, Settings, Simulator};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), interop::adcs_sim::SimulatorError> {
//! let simulator = Simulator::start(Settings::default()).await?;
//! assert!(simulator.url().starts_with("https://localhost:"));
//! assert!(simulator.authority_pem().starts_with("-----BEGIN CERTIFICATE-----"));
//! simulator.set_faults([Fault::SelfSigned, Fault::Pending])?;
//! assert!(simulator.log().is_empty());
//! # Ok(())
//! # }
//! ```

mod answer;
mod authority;
mod connection;
mod control;
mod disposition;
mod error;
mod fault;
mod iis_log;
mod login;
mod ntlm;
mod page;
mod requests;
mod settings;
mod site;
mod web_certificate;

use std::fmt;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use pki_common::identity::Identity;
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

pub use connection::{MAX_BODY, MAX_CONNECTIONS};
pub use control::{COMMANDS, execute};
pub use disposition::{Disposition, Hresult, UnknownHresult};
pub use error::SimulatorError;
pub use fault::{DEFAULT_WRONG_NAME, FAULT_NAMES, Fault, MAX_RENEWALS, Place, UnknownFault};
pub use iis_log::{FIELDS, LogLine, MAX_LINES, win32};
pub use page::Language;
pub use requests::{MAX_REQUESTS, RequestRecord};
pub use settings::{Logins, MAX_ENTRIES, MAX_NAME_LENGTH, Rule, Settings, Template, User, Verdict};

use authority::Authority;
use connection::{Lab, Moment};
use fault::Faults;
use iis_log::IisLog;
use ntlm::ServerNames;
use requests::Requests;

/// The NetBIOS name of the simulated server.
const COMPUTER: &str = "LAB-DC";

/// A running simulator. It ends when it is dropped, and its connections with it.
pub struct Simulator {
    lab: Arc<Lab>,
    address: SocketAddr,
    accepting: AbortHandle,
}

impl Simulator {
    /// Makes keys and certificates and begins to listen.
    ///
    /// # Errors
    /// [`SimulatorError`]: the settings cannot work, or the address cannot be had.
    pub async fn start(settings: Settings) -> Result<Self, SimulatorError> {
        settings.check().map_err(SimulatorError::Settings)?;
        let provider = pki_common::tls::crypto_provider()
            .map_err(|error| SimulatorError::Authority(error.to_string()))?;
        let authority = Authority::new(&settings.domain, Arc::clone(&provider))?;
        let faults = Faults(settings.faults.clone());
        authority.renew_up_to(faults.renewals())?;
        let tls = web_certificate::server_config(
            &authority,
            &settings.host_names,
            &faults,
            settings.logins.client_certificate,
            &provider,
        )?;
        let lab = Arc::new(Lab {
            names: ServerNames {
                domain: settings.domain.clone(),
                dns_domain: settings.dns_domain.clone(),
                computer: COMPUTER.to_owned(),
            },
            requests: Requests::new(settings.first_request_id),
            log: IisLog::default(),
            moment: watch::Sender::new(Arc::new(Moment { faults, tls })),
            authority,
            provider,
            settings,
        });
        let address = lab.settings.listen;
        let listening = |cause| SimulatorError::Listen { address, cause };
        let listener = TcpListener::bind(address).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let accepting = tokio::spawn(connection::accept(listener, Arc::clone(&lab))).abort_handle();
        Ok(Self {
            lab,
            address,
            accepting,
        })
    }

    /// The address listened on, with the real port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `https://`, the first of the host names, and the port; the pages are below `/certsrv`.
    #[must_use]
    pub fn url(&self) -> String {
        let host = self
            .lab
            .settings
            .host_names
            .first()
            .map_or("localhost", String::as_str);
        let port = self.address.port();
        if host.contains(':') {
            return format!("https://[{host}]:{port}");
        }
        format!("https://{host}:{port}")
    }

    /// The root certificate in PEM: what a client must trust.
    #[must_use]
    pub fn authority_pem(&self) -> String {
        pem(self.lab.authority.root())
    }

    /// The root certificate.
    #[must_use]
    pub fn root_certificate(&self) -> CertificateDer<'static> {
        self.lab.authority.root().clone()
    }

    /// The certificate of the issuing authority after so many renewals, in PEM; `None` when there were fewer.
    #[must_use]
    pub fn issuing_authority_pem(&self, renewal: usize) -> Option<String> {
        let generation = self.lab.authority.generation(renewal)?;
        Some(pem(generation.certificate()))
    }

    /// A certificate and key to log in with, for [`Logins::client_certificate`].
    ///
    /// # Errors
    /// [`SimulatorError::Authority`] when the name cannot stand in a certificate.
    pub fn client_identity(&self, user: &str) -> Result<Identity, SimulatorError> {
        web_certificate::client_identity(&self.lab.authority, user)
    }

    /// Replaces what goes wrong. Connections that are open keep their TLS; requests that hang go on as soon as their
    /// fault is gone.
    ///
    /// # Errors
    /// [`SimulatorError::Authority`]: the certificate that a fault wants cannot be made. Nothing has changed then.
    pub fn set_faults(&self, faults: impl IntoIterator<Item = Fault>) -> Result<(), SimulatorError> {
        let lab = &self.lab;
        let faults = Faults(faults.into_iter().collect());
        lab.authority.renew_up_to(faults.renewals())?;
        let tls = web_certificate::server_config(
            &lab.authority,
            &lab.settings.host_names,
            &faults,
            lab.settings.logins.client_certificate,
            &lab.provider,
        )?;
        lab.moment.send_replace(Arc::new(Moment { faults, tls }));
        Ok(())
    }

    /// What goes wrong now.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.lab.moment.borrow().faults.0.clone()
    }

    /// The lines of the log so far, at most [`MAX_LINES`].
    #[must_use]
    pub fn log(&self) -> Vec<LogLine> {
        self.lab.log.lines()
    }

    /// Writes the log's header and every line from now on to `writer`, on a thread of its own.
    pub fn write_log_to(&self, writer: Box<dyn Write + Send>) {
        self.lab.log.follow(writer, OffsetDateTime::now_utc());
    }

    /// The requests so far, at most [`MAX_REQUESTS`].
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.lab.requests.all()
    }

    /// Issues the certificate of a pending request.
    ///
    /// # Errors
    /// [`SimulatorError::Request`] when there is none that waits under this number.
    pub fn approve(&self, request_id: u32) -> Result<RequestRecord, SimulatorError> {
        self.lab.requests.approve(request_id, &self.lab.authority)
    }

    /// Denies a pending request as an administrator does.
    ///
    /// # Errors
    /// As [`Self::approve`].
    pub fn deny(&self, request_id: u32) -> Result<RequestRecord, SimulatorError> {
        self.lab
            .requests
            .deny(request_id, Hresult::DENIED_BY_ADMINISTRATOR)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator")
            .field("address", &self.address)
            .field("faults", &self.faults())
            .finish_non_exhaustive()
    }
}

fn pem(certificate: &[u8]) -> String {
    let text = String::from_utf8_lossy(&answer::armour("CERTIFICATE", certificate)).into_owned();
    text.replace("\r\n", "\n")
}
