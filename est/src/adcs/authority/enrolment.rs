//! One enrolment, from the request to what AD CS says of it. It runs to its end whether or not somebody waits for it.

use std::sync::Arc;
use std::time::Instant;

use pki_common::{Certificate, KnownCause};
use sha2::{Digest as _, Sha256};

use super::Shared;
use super::open_requests::{Entry, Key, State};
use crate::adcs::client::Session;
use crate::adcs::form::RequestId;
use crate::adcs::page::{Disposition, DispositionPage, HResult, Retrieved, Verdict};
use crate::adcs::{CertsrvError, Page};
use crate::ca::IssuedCertificate;
use crate::ca::serial::SerialNumber;

/// What is to be certified.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The request in DER.
    pub(super) csr: Vec<u8>,
    /// The key that the certificate must be for.
    pub(super) spki: Vec<u8>,
    /// The subject, for the log.
    pub(super) subject: String,
}

impl Wanted {
    pub(super) fn key(&self) -> Key {
        Sha256::digest(&self.csr).into()
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) enum Done {
    Issued(IssuedCertificate),
    /// A person has to look at it.
    Pending,
    /// Its answer was lost, and it is not found yet.
    Lost,
}

impl Shared {
    /// Submits the request, or asks for what is known of it.
    pub(super) async fn enroll(self: &Arc<Self>, wanted: &Wanted) -> Result<Done, CertsrvError> {
        let key = wanted.key();
        let entry = self.open.entry(&key, self.now());
        let mut session = self.client.session().await?;
        let done = match entry {
            None => self.submit(&mut session, wanted).await,
            Some(Entry {
                state: State::Open | State::Issued,
                request,
                ..
            }) => self.pick_up(&mut session, wanted, request).await,
            Some(lost) => self.look_up(&mut session, wanted, lost).await,
        };
        session.finish().await;
        done
    }

    async fn submit(self: &Arc<Self>, session: &mut Session, wanted: &Wanted) -> Result<Done, CertsrvError> {
        self.require_template(session).await?;
        // Before the request leaves: should this program end now, nobody submits it again without looking.
        let newest = self.open.newest();
        self.keep(wanted, State::Sending, newest).await?;
        let verdict = match session.submit(&wanted.csr).await {
            Ok(verdict) => verdict,
            Err(error) => {
                if !may_be_on_the_ca(&error) {
                    self.forget(wanted.key()).await;
                }
                return Err(error);
            }
        };
        match verdict {
            Verdict::Issued { request } => {
                self.keep_anyway(wanted, State::Open, request).await;
                self.pick_up(session, wanted, request).await
            }
            Verdict::Pending { request } => {
                self.keep_anyway(wanted, State::Open, request).await;
                self.pending(wanted, request);
                Ok(Done::Pending)
            }
            Verdict::Unclear { request, message } => self.resolve(session, wanted, request, message).await,
            Verdict::Denied {
                request,
                message,
                code,
            } => {
                match request {
                    Some(request) => self.keep_anyway(wanted, State::Open, request).await,
                    None => self.forget(wanted.key()).await,
                }
                Err(self.denied(request, Disposition::DENIED, message, code))
            }
            Verdict::Failed { message, code } => {
                self.forget(wanted.key()).await;
                Err(self.failed(None, message, code))
            }
        }
    }

    /// A page in a language that nobody here reads: the state of the request with the number on it decides.
    async fn resolve(
        self: &Arc<Self>,
        session: &mut Session,
        wanted: &Wanted,
        request: RequestId,
        message: String,
    ) -> Result<Done, CertsrvError> {
        tracing::info!(%request, page = message, "the verdict of AD CS is not clear; asking for the request of its number");
        match session.certificate(request).await? {
            Retrieved::Certificates(found) => {
                let issued = issued(found, wanted, request)?;
                self.keep_anyway(wanted, State::Issued, request).await;
                Ok(Done::Issued(issued))
            }
            Retrieved::NotIssued(page) => {
                self.keep_anyway(wanted, State::Open, request).await;
                self.not_issued(wanted, request, page)
            }
        }
    }

    /// What there is for a request that the CA has.
    async fn pick_up(
        self: &Arc<Self>,
        session: &mut Session,
        wanted: &Wanted,
        request: RequestId,
    ) -> Result<Done, CertsrvError> {
        match session.certificate(request).await? {
            Retrieved::Certificates(found) => {
                let issued = issued(found, wanted, request)?;
                tracing::info!(
                    %request, serial = %issued.serial, subject = wanted.subject,
                    "AD CS has issued a certificate"
                );
                self.keep_anyway(wanted, State::Issued, request).await;
                Ok(Done::Issued(issued))
            }
            Retrieved::NotIssued(page) => self.not_issued(wanted, request, page),
        }
    }

    fn not_issued(
        &self,
        wanted: &Wanted,
        request: RequestId,
        page: DispositionPage,
    ) -> Result<Done, CertsrvError> {
        let DispositionPage {
            disposition,
            message,
            status,
        } = page;
        match disposition {
            // With an error, it is a request that the CA does not know.
            Disposition::INCOMPLETE if status.is_none() => {
                self.pending(wanted, request);
                Ok(Done::Pending)
            }
            Disposition::UNDER_SUBMISSION => {
                self.pending(wanted, request);
                Ok(Done::Pending)
            }
            Disposition::DENIED | Disposition::REVOKED => {
                Err(self.denied(Some(request), disposition, message, status))
            }
            other => Err(self.failed(Some(request), format!("disposition {other}: {message}"), status)),
        }
    }

    /// Looks for a request whose answer was lost among those that came after the last one known.
    async fn look_up(
        self: &Arc<Self>,
        session: &mut Session,
        wanted: &Wanted,
        lost: Entry,
    ) -> Result<Done, CertsrvError> {
        let RequestId(before) = lost.request;
        // Without a number from before, there is no place to look.
        let most = if before == 0 { 0 } else { self.settings.look_up };
        for number in (1..=most).map_while(|step| before.checked_add(step)) {
            let request = RequestId(number);
            match session.certificate(request).await {
                Ok(Retrieved::Certificates(found)) => {
                    if let Ok(issued) = issued(found, wanted, request) {
                        tracing::info!(%request, subject = wanted.subject, "found the request whose answer was lost");
                        self.keep_anyway(wanted, State::Issued, request).await;
                        return Ok(Done::Issued(issued));
                    }
                }
                // The CA knows no such number yet.
                Ok(Retrieved::NotIssued(page))
                    if page.disposition == Disposition::INCOMPLETE && page.status.is_some() =>
                {
                    break;
                }
                Ok(Retrieved::NotIssued(_)) => {}
                Err(CertsrvError::Page { .. } | CertsrvError::PageNotFound { .. }) => break,
                Err(error) => return Err(error),
            }
        }
        if self.now() < lost.since.saturating_add(self.settings.resubmit_after.as_secs()) {
            return Ok(Done::Lost);
        }
        tracing::warn!(
            subject = wanted.subject,
            "the answer to this request was lost and AD CS has no certificate of it that can be found; submitting it again"
        );
        self.submit(session, wanted).await
    }

    async fn require_template(&self, session: &mut Session) -> Result<(), CertsrvError> {
        let known = *self.template_seen();
        if known.is_some_and(|seen| seen.elapsed() < self.settings.template_lifetime) {
            return Ok(());
        }
        let offered = session.templates().await?;
        let checked = self.client.require_template(&offered);
        *self.template_seen() = checked.is_ok().then(Instant::now);
        if let Err(error) = &checked {
            tracing::error!(%error, known_cause = %KnownCause::TemplateNotOffered, "the template is not offered");
        }
        checked
    }

    fn pending(&self, wanted: &Wanted, request: RequestId) {
        tracing::info!(%request, subject = wanted.subject, "AD CS waits for a person to approve the request");
    }

    fn denied(
        &self,
        request: Option<RequestId>,
        disposition: Disposition,
        message: String,
        code: Option<HResult>,
    ) -> CertsrvError {
        let error = CertsrvError::Denied {
            request,
            disposition,
            message,
            code,
        };
        if let Some(HResult::UNSUPPORTED_CERT_TYPE | HResult::TEMPLATE_DENIED) = code {
            // The list may have changed since it was read: the next request reads it again, and tells the template.
            *self.template_seen() = None;
        }
        tracing::warn!(
            request = request.map(|number| number.0), %error, code = code.map(|code| code.to_string()),
            known_cause = %KnownCause::RequestDenied, "AD CS has denied the request"
        );
        error
    }

    fn failed(&self, request: Option<RequestId>, message: String, code: Option<HResult>) -> CertsrvError {
        tracing::error!(
            request = request.map(|number| number.0),
            message,
            code = code.map(|code| code.to_string()),
            "AD CS could not work on the request"
        );
        CertsrvError::RequestFailed {
            request,
            message,
            code,
        }
    }

    async fn keep(
        self: &Arc<Self>,
        wanted: &Wanted,
        state: State,
        request: RequestId,
    ) -> Result<(), CertsrvError> {
        let (shared, key) = (Arc::clone(self), wanted.key());
        let entry = Entry {
            state,
            request,
            since: self.now(),
        };
        let kept = tokio::task::spawn_blocking(move || shared.open.put(key, entry));
        kept.await.unwrap_or_else(|error| {
            Err(CertsrvError::OpenRequests {
                path: String::new(),
                problem: error.to_string(),
            })
        })
    }

    /// The request is on the CA: what went wrong with the file is for the log.
    async fn keep_anyway(self: &Arc<Self>, wanted: &Wanted, state: State, request: RequestId) {
        if let Err(error) = self.keep(wanted, state, request).await {
            tracing::error!(%error, %request, "the number of this request is kept in memory only");
        }
    }

    pub(super) async fn forget(self: &Arc<Self>, key: Key) {
        let (shared, now) = (Arc::clone(self), self.now());
        let removed = tokio::task::spawn_blocking(move || shared.open.remove(&key, now)).await;
        if let Ok(Err(error)) = removed {
            tracing::error!(%error, "a request that is over stays in the file");
        }
    }
}

/// Whether the CA may have the request although there was no verdict of it.
fn may_be_on_the_ca(error: &CertsrvError) -> bool {
    match error {
        CertsrvError::SubmissionUnanswered { .. }
        | CertsrvError::AnswerTooLarge { .. }
        | CertsrvError::Page { .. } => true,
        CertsrvError::Status { page, status } => *page == Page::Submit && *status >= 500,
        _ => false,
    }
}

/// The certificate for the key of the request.
fn issued(
    found: Vec<Certificate>,
    wanted: &Wanted,
    request: RequestId,
) -> Result<IssuedCertificate, CertsrvError> {
    let other = || CertsrvError::OtherKey { request };
    let certificate = found
        .into_iter()
        .find(|certificate| certificate.spki_der() == wanted.spki)
        .ok_or_else(other)?;
    let serial = SerialNumber::from_unsigned(certificate.serial_number()).ok_or_else(|| {
        CertsrvError::RequestFailed {
            request: Some(request),
            message: "the serial number of the certificate has more than 20 octets".to_owned(),
            code: None,
        }
    })?;
    Ok(IssuedCertificate {
        serial,
        not_before: certificate.not_before().as_secs(),
        not_after: certificate.not_after().as_secs(),
        certificate: certificate.der().clone(),
    })
}
