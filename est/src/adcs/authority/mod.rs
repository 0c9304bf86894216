//! Web enrolment as a [`CertificateAuthority`].
//!
//! An EST client waits no longer than the answer time. What takes longer goes on without it: the client is told to come
//! back (202), and finds its certificate then. A request is known by its bytes, so the client must send the same one. It is
//! submitted once: while it is under way, others who send it wait for the same answer, and once it has a number, the CA is
//! asked for that.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | the authority: who waits for what, the chain |
//! | `enrolment.rs` | one enrolment with AD CS |
//! | `open_requests.rs` | the numbers of requests, over a restart |
//! | `settings.rs` | times and bounds |
//!
//! # A submission whose answer is lost
//! When the connection ends between the form and its answer, nobody knows whether the CA has the request, or its number.
//! The client is told to come back. Its next try asks the CA for the numbers that follow the newest one known, and takes
//! the certificate that is for its key. Only when there is none, and after
//! [`resubmit_after`](AuthoritySettings::resubmit_after), is the request submitted again, with a warning in the log.

mod enrolment;
mod open_requests;
mod settings;

use core::fmt;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls_pki_types::CertificateDer;
use tokio::sync::watch;
use tokio::time::timeout;

pub use settings::{
    AuthoritySettings, DEFAULT_ANSWER_TIME, DEFAULT_CHAIN_LIFETIME, DEFAULT_KEEP_ISSUED, DEFAULT_KEEP_OPEN,
    DEFAULT_LATE_RETRY, DEFAULT_LOOK_UP, DEFAULT_MAX_OPEN, DEFAULT_PENDING_RETRY, DEFAULT_RESUBMIT_AFTER,
    DEFAULT_TEMPLATE_LIFETIME,
};

use super::client::CertsrvClient;
use super::{CertsrvError, Page, Step};
use crate::ca::{
    CaFuture, CertificateAuthority, EnrollError, EnrollOperation, EnrollOutcome, EnrollRequest,
    PolicyRefusal, PolicyRule,
};
use enrolment::{Done, Wanted};
use open_requests::{Key, OpenRequests};

/// Requests that are with AD CS at the same time. Each waits for one of a few connections, so more only wait longer.
const MAX_UNDER_WAY: usize = 1024;

type Outcome = Result<Done, CertsrvError>;

/// A CA behind web enrolment; see [the module](self). It needs a tokio runtime, and revokes nothing.
pub struct CertsrvCertificateAuthority {
    shared: Arc<Shared>,
}

struct Shared {
    client: CertsrvClient,
    settings: AuthoritySettings,
    open: OpenRequests,
    under_way: Mutex<HashMap<Key, watch::Receiver<Option<Outcome>>>>,
    /// When the template was last seen in the list.
    template_seen: Mutex<Option<Instant>>,
    chain: Mutex<Option<KnownChain>>,
    /// Held by the one who fetches the chain.
    fetching_chain: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct KnownChain {
    certificates: Arc<[CertificateDer<'static>]>,
    since: Instant,
}

impl CertsrvCertificateAuthority {
    /// An authority behind this client. The file of open requests is read; nothing is sent yet.
    ///
    /// # Errors
    /// [`CertsrvError::OpenRequests`]
    pub fn open(client: CertsrvClient, settings: AuthoritySettings) -> Result<Self, CertsrvError> {
        let open = OpenRequests::load(&settings, now(&client))?;
        Ok(Self {
            shared: Arc::new(Shared {
                client,
                settings,
                open,
                under_way: Mutex::new(HashMap::new()),
                template_seen: Mutex::new(None),
                chain: Mutex::new(None),
                fetching_chain: tokio::sync::Mutex::new(()),
            }),
        })
    }

    /// Logs in, fetches the chain and looks for the template: what a start-up should show.
    ///
    /// # Errors
    /// [`CertsrvError`]; [`CertsrvError::TemplateNotOffered`] lists what there is instead.
    pub async fn check(&self) -> Result<(), CertsrvError> {
        let mut session = self.shared.client.session().await?;
        session.log_in().await?;
        let chain = session.chain().await?;
        self.shared.keep_chain(&chain.certificates);
        let offered = session.templates().await?;
        session.finish().await;
        self.shared.client.require_template(&offered)?;
        *self.shared.template_seen() = Some(Instant::now());
        Ok(())
    }

    /// The client.
    #[must_use]
    pub fn client(&self) -> &CertsrvClient {
        &self.shared.client
    }

    async fn ask(&self, request: EnrollRequest) -> Result<EnrollOutcome, EnrollError> {
        let shared = &self.shared;
        let wanted = Wanted {
            csr: request.csr.der().to_vec(),
            spki: request.csr.public_key().spki_der().to_vec(),
            subject: request.csr.subject_text().to_owned(),
        };
        let key = wanted.key();
        let late = Duration::max(shared.settings.late_retry, Duration::from_secs(1));
        let mut outcome = shared.join(wanted).map_err(|error| enroll_error(&error, late))?;
        let waited = timeout(shared.settings.answer_time, outcome.wait_for(Option::is_some)).await;
        let waited = waited.map(|outcome| outcome.map(|done| done.clone()));
        let retry_after = match waited {
            Ok(Ok(done)) => match done {
                Some(Ok(Done::Issued(issued))) => return Ok(EnrollOutcome::Issued(issued)),
                Some(Ok(Done::Pending)) => shared.settings.pending_retry,
                Some(Err(error)) => {
                    if is_final(&error) {
                        shared.forget(key).await;
                    }
                    return Err(enroll_error(&error, late));
                }
                Some(Ok(Done::Lost)) | None => late,
            },
            // The task ended without a word.
            Ok(Err(_)) => {
                return Err(EnrollError::Internal {
                    reason: "the task of this enrolment ended".to_owned(),
                });
            }
            Err(_) => {
                tracing::warn!(
                    subject = request.csr.subject_text(),
                    seconds = shared.settings.answer_time.as_secs_f32(),
                    known_cause = %pki_common::KnownCause::AnswerTimedOut,
                    "AD CS has not answered in time; the request goes on, and the client is asked to come back"
                );
                late
            }
        };
        if request.operation == EnrollOperation::ServerKeyGen {
            let text = "a key made by the server cannot wait for AD CS; enrol with a key of your own";
            return Err(PolicyRefusal::new(PolicyRule::ExternalAuthority, text).into());
        }
        Ok(EnrollOutcome::Pending { retry_after })
    }

    async fn chain(&self) -> Result<Arc<[CertificateDer<'static>]>, EnrollError> {
        let shared = &self.shared;
        let known = shared.known_chain().clone();
        if let Some(known) = &known
            && known.since.elapsed() < shared.settings.chain_lifetime
        {
            return Ok(Arc::clone(&known.certificates));
        }
        let fetching = Arc::clone(shared);
        let fetched = tokio::spawn(async move { fetching.fetch_chain().await });
        if let Some(known) = known {
            return Ok(known.certificates);
        }
        let fetched = timeout(shared.settings.answer_time, fetched).await;
        let error = match fetched {
            Ok(Ok(Ok(()))) => match shared.known_chain().clone() {
                Some(known) => return Ok(known.certificates),
                None => CertsrvError::Busy { limit: 0 },
            },
            Ok(Ok(Err(error))) => error,
            Ok(Err(error)) => {
                return Err(EnrollError::Internal {
                    reason: error.to_string(),
                });
            }
            Err(_) => CertsrvError::TimedOut {
                step: Step::Answer(Page::Chain),
                time: shared.settings.answer_time,
            },
        };
        Err(enroll_error(&error, shared.settings.late_retry))
    }
}

impl Shared {
    /// Joins the enrolment of the same request that is under way, or begins one.
    fn join(self: &Arc<Self>, wanted: Wanted) -> Result<watch::Receiver<Option<Outcome>>, CertsrvError> {
        let key = wanted.key();
        let mut under_way = self.under_way();
        if let Some(outcome) = under_way.get(&key) {
            return Ok(outcome.clone());
        }
        if under_way.len() >= MAX_UNDER_WAY {
            return Err(CertsrvError::Busy { limit: MAX_UNDER_WAY });
        }
        let (sender, receiver) = watch::channel(None);
        under_way.insert(key, receiver.clone());
        let end = EndOfEnrolment {
            shared: Arc::clone(self),
            key,
        };
        tokio::spawn(async move {
            let outcome = end.shared.enroll(&wanted).await;
            // Who comes after this finds the outcome; who comes after the end finds the number.
            sender.send_replace(Some(outcome));
            drop(end);
        });
        Ok(receiver)
    }

    async fn fetch_chain(&self) -> Result<(), CertsrvError> {
        let asked = Instant::now();
        let _fetching = self.fetching_chain.lock().await;
        // Another one may have fetched it meanwhile.
        if self
            .known_chain()
            .as_ref()
            .is_some_and(|known| known.since > asked)
        {
            return Ok(());
        }
        let chain = self.client.chain().await?;
        self.keep_chain(&chain.certificates);
        Ok(())
    }

    /// The same `Arc` as long as the certificates are the same.
    fn keep_chain(&self, certificates: &[pki_common::Certificate]) {
        let certificates: Arc<[CertificateDer<'static>]> = certificates
            .iter()
            .map(|certificate| certificate.der().clone())
            .collect();
        let mut known = self.known_chain();
        let certificates = match known.take() {
            Some(old) if old.certificates == certificates => old.certificates,
            _ => certificates,
        };
        *known = Some(KnownChain {
            certificates,
            since: Instant::now(),
        });
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<Key, watch::Receiver<Option<Outcome>>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn template_seen(&self) -> MutexGuard<'_, Option<Instant>> {
        self.template_seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_chain(&self) -> MutexGuard<'_, Option<KnownChain>> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        now(&self.client)
    }
}

/// Takes the enrolment from the list when its task ends, however it ends.
struct EndOfEnrolment {
    shared: Arc<Shared>,
    key: Key,
}

impl Drop for EndOfEnrolment {
    fn drop(&mut self) {
        self.shared.under_way().remove(&self.key);
    }
}

impl CertificateAuthority for CertsrvCertificateAuthority {
    fn ca_certificates(&self) -> CaFuture<'_, Arc<[CertificateDer<'static>]>> {
        Box::pin(self.chain())
    }

    fn enroll(&self, request: EnrollRequest) -> CaFuture<'_, EnrollOutcome> {
        Box::pin(self.ask(request))
    }
}

impl fmt::Debug for CertsrvCertificateAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertsrvCertificateAuthority")
            .field("client", &self.shared.client)
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

/// Whether the CA has said its last word about a request: the client has heard it, and the same request may be submitted
/// as a new one.
const fn is_final(error: &CertsrvError) -> bool {
    matches!(
        error,
        CertsrvError::Denied { .. }
            | CertsrvError::TemplateNotOffered { .. }
            | CertsrvError::RequestFailed { .. }
            | CertsrvError::OtherKey { .. }
    )
}

fn enroll_error(error: &CertsrvError, late: Duration) -> EnrollError {
    if let CertsrvError::OpenRequests { .. } | CertsrvError::Settings { .. } = error {
        return EnrollError::Internal {
            reason: error.to_string(),
        };
    }
    let retry_after = match error {
        CertsrvError::LeftAlone { again_in, .. } => Some(*again_in),
        error => error.is_transient().then_some(late),
    };
    EnrollError::Upstream {
        failure: Box::new(error.upstream_failure()),
        retry_after,
    }
}

/// Seconds since 1970, by the clock of the settings.
fn now(client: &CertsrvClient) -> u64 {
    let time = client.settings().clock.current_time();
    time.map_or(0, |time| time.as_secs())
}
