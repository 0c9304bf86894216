//! The first contact with AD CS at the start of the server, and after a reload that changed it.
//!
//! A template that AD CS does not offer is a mistake in the configuration, and the server does not start with it. When
//! AD CS cannot be reached, or refuses the login, the server starts: other labels work, its clients are told why theirs
//! does not (503), and the contact is tried until it is there.

use std::sync::Arc;
use std::time::Duration;

use pki_common::{Diagnose as _, Failure, KnownCause};
use tokio::time::{sleep, timeout};

use super::super::CliError;
use crate::adcs::CertsrvError;
use crate::adcs::authority::CertsrvCertificateAuthority;

/// How long the start waits for AD CS: as long as the vendor's registration authority does (F002-42).
const START_TIME: Duration = Duration::from_secs(10);
/// The wait before the second try; doubled each time.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Those that nobody has tried yet.
#[derive(Debug, Default)]
pub(crate) struct FirstContacts(Vec<(String, Arc<CertsrvCertificateAuthority>)>);

impl FirstContacts {
    pub(super) const fn new(fresh: Vec<(String, Arc<CertsrvCertificateAuthority>)>) -> Self {
        Self(fresh)
    }

    /// Tries all of them at the same time. Those that cannot be reached are tried again on tasks of their own.
    pub(crate) async fn make(self) -> Result<(), CliError> {
        let tries = self.0.into_iter().map(|(place, authority)| {
            tokio::spawn(async move {
                let outcome = contact(&authority).await;
                (place, authority, outcome)
            })
        });
        let mut first_error = None;
        for running in tries.collect::<Vec<_>>() {
            let Ok((place, authority, outcome)) = running.await else {
                continue;
            };
            match outcome {
                Ok(()) => {}
                Err(failure) if failure.known_cause == Some(KnownCause::TemplateNotOffered) => {
                    let failure = Failure {
                        cause: format!("{place}.template: {}", failure.cause),
                        ..failure
                    };
                    first_error.get_or_insert(failure);
                }
                Err(_) => drop(tokio::spawn(keep_trying(authority))),
            }
        }
        first_error.map_or(Ok(()), |failure| Err(CliError::from(failure)))
    }
}

async fn keep_trying(authority: Arc<CertsrvCertificateAuthority>) {
    let mut wait = FIRST_WAIT;
    // An authority that a reload has dropped is contacted by nobody else.
    while Arc::strong_count(&authority) > 1 {
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
        if contact(&authority).await.is_ok() {
            return;
        }
    }
}

/// Logs in, looks for the template, fetches the chain, and tells of it in the words of Cisco document 214396 (F002-16).
async fn contact(authority: &CertsrvCertificateAuthority) -> Result<(), Failure> {
    let settings = authority.client().settings();
    let (url, template) = (&settings.url, &settings.template);
    let outcome = match timeout(START_TIME, authority.check()).await {
        Ok(outcome) => outcome.map_err(|error: CertsrvError| error.diagnose()),
        Err(_elapsed) => {
            let cause = format!("AD CS at {url} did not answer within {} s.", START_TIME.as_secs());
            Err(KnownCause::AnswerTimedOut.failure(cause))
        }
    };
    match &outcome {
        Ok(()) => {
            tracing::info!(
                %url,
                account = settings.authentication.account_name(),
                scheme = settings.authentication.scheme(),
                "login_to_certsrv_ca: Secure connection to MS CertServ completed successfully"
            );
            tracing::info!(%url, template, "the certificate template is offered to the account");
            tracing::info!(%url, "retrieve_cacerts: CA Cert chain retrieved from CA, will be passed to EST");
        }
        Err(failure) => tracing::error!(
            %url,
            known_cause = failure.known_cause.map_or("none", KnownCause::name),
            rung = %failure.rung,
            cause = %failure.cause,
            remedy = %failure.remedy,
            "AD CS cannot be used"
        ),
    }
    outcome
}
