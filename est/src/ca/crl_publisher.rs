//! Keeps the revocation list of an authority current.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;

use super::database::{CertificateLog, CrlOrder, LogError, LogFuture, StoredCrl};
use super::issuer::{CrlSettings, Issuer, IssuerError};

/// How often the log is asked for new revocations: this long after `est ca revoke` in another process, the list has
/// the certificate. The question costs some microseconds.
const POLL: Duration = Duration::from_secs(1);

/// Makes lists on a thread of its own: when a certificate was revoked, in this process or another one, and when the
/// current list is about to end. Ends with the last clone of its authority.
#[derive(Debug)]
pub(super) struct CrlPublisher {
    work: Arc<Work>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Work {
    issuer: Arc<Issuer>,
    log: Arc<dyn CertificateLog>,
    clock: Arc<dyn TimeProvider>,
    settings: CrlSettings,
    current: ArcSwapOption<Published>,
    stopped: Mutex<bool>,
    stop: Condvar,
}

#[derive(Debug)]
struct Published {
    number: u64,
    last_revocation: i64,
    this_update: u64,
    next_update: u64,
    der: Bytes,
}

impl CrlPublisher {
    pub(super) fn start(
        issuer: Arc<Issuer>,
        log: Arc<dyn CertificateLog>,
        clock: Arc<dyn TimeProvider>,
        settings: CrlSettings,
    ) -> Result<Self, IssuerError> {
        issuer.may_sign_crls()?;
        let work = Arc::new(Work {
            issuer,
            log,
            clock,
            settings: possible(settings),
            current: ArcSwapOption::empty(),
            stopped: Mutex::new(false),
            stop: Condvar::new(),
        });
        let own = Arc::clone(&work);
        let thread = thread::Builder::new()
            .name("revocation-list".to_owned())
            .spawn(move || own.run())
            .map_err(|error| IssuerError::Signing(format!("a thread did not start: {error}")))?;
        Ok(Self {
            work,
            thread: Some(thread),
        })
    }

    /// When lists are made.
    #[cfg(feature = "sqlite")]
    pub(super) fn settings(&self) -> CrlSettings {
        self.work.settings
    }

    /// Whether it makes lists as these settings want it.
    pub(super) fn keeps_to(&self, settings: CrlSettings) -> bool {
        self.work.settings == possible(settings)
    }

    /// Who signs the lists.
    pub(super) fn issuer(&self) -> &Issuer {
        &self.work.issuer
    }

    /// The current list; made first when there is none that is still valid.
    pub(super) async fn current(&self) -> Result<Bytes, LogError> {
        let now = self.work.now()?;
        if let Some(current) = self.work.current.load().as_deref()
            && (current.this_update..current.next_update).contains(&now.as_secs())
        {
            return Ok(current.der.clone());
        }
        self.publish().await
    }

    /// Makes a list when the one on record lacks a revocation or is about to end.
    pub(super) async fn publish(&self) -> Result<Bytes, LogError> {
        let stored = self.work.order(self.work.now()?).await?;
        Ok(self.work.take(stored))
    }
}

/// The settings with an overlap that does not have each list replaced as soon as it is made.
fn possible(settings: CrlSettings) -> CrlSettings {
    let overlap = settings.overlap.min(settings.validity / 2);
    CrlSettings { overlap, ..settings }
}

impl Drop for CrlPublisher {
    fn drop(&mut self) {
        *self.work.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.work.stop.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that makes revocation lists ended by a panic");
        }
    }
}

impl Work {
    fn run(&self) {
        let mut failed_before = false;
        loop {
            let outcome = self.look();
            if let Err(error) = &outcome
                && !failed_before
            {
                tracing::error!(%error, "no revocation list could be made; trying again every second");
            }
            failed_before = outcome.is_err();
            let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
            let (stopped, _) = self
                .stop
                .wait_timeout_while(stopped, POLL, |stopped| !*stopped)
                .unwrap_or_else(PoisonError::into_inner);
            if *stopped {
                return;
            }
        }
    }

    /// One look at clock and log.
    fn look(&self) -> Result<(), LogError> {
        let now = self.now()?;
        let last_revocation = self.log.last_revocation()?;
        let is_current = self.current.load().as_deref().is_some_and(|current| {
            current.last_revocation == last_revocation
                && current.next_update >= self.not_due_before(now)
                && current.this_update <= now.as_secs()
        });
        if !is_current {
            let stored = block_on(self.order(now))?;
            self.take(stored);
        }
        Ok(())
    }

    fn order(&self, now: UnixTime) -> LogFuture<StoredCrl> {
        let (issuer, settings) = (Arc::clone(&self.issuer), self.settings);
        self.log.revocation_list(CrlOrder {
            issuer_key: issuer.key_identifier().to_vec(),
            now: now.as_secs(),
            not_due_before: self.not_due_before(now),
            // By `est ca revoke`, for instance, which knows nothing of the settings here.
            not_due_after: now.as_secs().saturating_add(self.settings.validity.as_secs()),
            always: false,
            make: Box::new(move |contents| {
                tracing::info!(
                    number = contents.number,
                    revoked = contents.revoked.len(),
                    "made a revocation list"
                );
                issuer
                    .sign_crl(&contents, &settings, now)
                    .map_err(|error| error.to_string())
            }),
        })
    }

    /// Makes it the current one, unless a later one is.
    fn take(&self, stored: StoredCrl) -> Bytes {
        let der = Bytes::from(stored.crl.der);
        let published = Arc::new(Published {
            number: stored.number,
            last_revocation: stored.last_revocation,
            this_update: stored.crl.this_update,
            next_update: stored.crl.next_update,
            der: der.clone(),
        });
        self.current.rcu(|current| match current {
            Some(current) if current.number > published.number => Some(Arc::clone(current)),
            _ => Some(Arc::clone(&published)),
        });
        der
    }

    fn not_due_before(&self, now: UnixTime) -> u64 {
        now.as_secs().saturating_add(self.settings.overlap.as_secs())
    }

    fn now(&self) -> Result<UnixTime, LogError> {
        self.clock.current_time().ok_or_else(|| LogError::RevocationList {
            reason: "this machine does not tell the time".to_owned(),
        })
    }
}

/// Wakes a parked thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for the writer of the log, on this thread. Its answers always come, and if it is only that it has stopped.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
