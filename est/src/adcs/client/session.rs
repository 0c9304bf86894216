//! A few exchanges in a row on one connection.

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use super::logged_in::{Asked, Failed, LoggedIn};
use super::{CertsrvClient, Chain};
use crate::adcs::form::{
    Encoding, RequestId, Submission, ca_query, certificate_query, revocation_list_query,
};
use crate::adcs::page::{self, PageError, Retrieved, Template, Verdict};
use crate::adcs::{CertsrvAuthentication, CertsrvError, ChainRenewal, Page};

/// A few exchanges in a row on one connection, which is logged in when the first of them needs it.
///
/// [`finish`](Self::finish) keeps the connection for others; a session that is dropped closes it.
pub struct Session {
    client: CertsrvClient,
    authentication: CertsrvAuthentication,
    /// The account is the client's own, and its connections may be kept.
    own: bool,
    connection: Option<LoggedIn>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl core::fmt::Debug for Session {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Session")
            .field("account", &self.authentication.account_name())
            .field("connected", &self.connection.is_some())
            .finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(
        client: CertsrvClient,
        authentication: CertsrvAuthentication,
        own: bool,
        connection: Option<LoggedIn>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self {
            client,
            authentication,
            own,
            connection,
            _permit: permit,
        }
    }

    /// Logs in, unless the connection is.
    ///
    /// # Errors
    /// [`CertsrvError`]
    pub async fn log_in(&mut self) -> Result<(), CertsrvError> {
        self.client.admit()?;
        let done = self.connected().await.map(|_| ());
        self.client.report(&done);
        done
    }

    /// The templates that the account may use (`certrqxt.asp`).
    ///
    /// # Errors
    /// [`CertsrvError`]
    pub async fn templates(&mut self) -> Result<Vec<Template>, CertsrvError> {
        let page = self.ask(Asked::of(Page::RequestForm)).await?;
        page::templates(&page).map_err(of_page(Page::RequestForm))
    }

    /// Submits a request by the template of the settings (`certfnsh.asp`). Never twice: when the connection ends without an
    /// answer, nobody knows whether the CA has the request.
    ///
    /// # Errors
    /// [`CertsrvError::SubmissionUnanswered`] then; otherwise the CA has no request of it.
    pub async fn submit(&mut self, csr: &[u8]) -> Result<Verdict, CertsrvError> {
        let settings = self.client.settings();
        let form = Submission {
            csr,
            template: &settings.template,
            attributes: &settings.attributes,
        };
        let body = Bytes::from(form.body()?);
        let page = self
            .ask(Asked {
                page: Page::Submit,
                query: "",
                body: Some(&body),
            })
            .await?;
        page::verdict(&page).map_err(of_page(Page::Submit))
    }

    /// What there is for a request (`certnew.cer`).
    ///
    /// # Errors
    /// [`CertsrvError`]
    pub async fn certificate(&mut self, request: RequestId) -> Result<Retrieved, CertsrvError> {
        let query = certificate_query(request, Encoding::B64);
        let body = self.get(Page::Certificate, &query).await?;
        page::retrieved(&body).map_err(of_page(Page::Certificate))
    }

    /// How often the CA was renewed (`certcarc.asp`).
    ///
    /// # Errors
    /// [`CertsrvError`]
    pub async fn renewals(&mut self) -> Result<u32, CertsrvError> {
        let page = self.get(Page::Renewals, "").await?;
        page::renewals(&page).map_err(of_page(Page::Renewals))
    }

    /// The CA's certificates (`certnew.p7b`) of the renewal that the settings say. A fixed one that is not the newest is
    /// logged as a warning.
    ///
    /// # Errors
    /// [`CertsrvError`]
    pub async fn chain(&mut self) -> Result<Chain, CertsrvError> {
        let newest = self.renewals().await;
        let (renewal, newest) = match (self.client.settings().renewal, newest) {
            (ChainRenewal::Newest, newest) => {
                let newest = newest?;
                (newest, Some(newest))
            }
            (ChainRenewal::Fixed(fixed), newest) => (fixed, newest.ok()),
        };
        let query = ca_query(renewal, Encoding::Bin);
        let body = self.get(Page::Chain, &query).await?;
        let certificates = page::certificates(&body).map_err(of_page(Page::Chain))?;
        let chain = Chain {
            certificates: super::chain::ordered(certificates),
            renewal,
            newest,
        };
        let url = format!("{}?{query}", self.client.settings().url.page(Page::Chain.name()));
        if chain.is_old() {
            tracing::warn!(
                url, renewal, newest, known_cause = %pki_common::KnownCause::OldChain,
                "retrieve_cacerts: this chain is that of the CA before its last renewal; let the newest be asked for"
            );
        } else {
            tracing::info!(
                url,
                certificates = chain.certificates.len(),
                "retrieve_cacerts: the CA's chain is here"
            );
        }
        Ok(chain)
    }

    /// The CA's revocation list (`certcrl.crl`) of a renewal, in DER.
    ///
    /// # Errors
    /// [`CertsrvError`]
    pub async fn revocation_list(&mut self, renewal: u32) -> Result<Bytes, CertsrvError> {
        let body = self
            .get(Page::RevocationList, &revocation_list_query(renewal))
            .await?;
        match <x509_cert::crl::CertificateList as der::Decode>::from_der(&body) {
            Ok(_) => Ok(body),
            Err(error) => Err(of_page(Page::RevocationList)(PageError::BadCertificate {
                problem: format!("no revocation list: {error}"),
            })),
        }
    }

    /// Keeps the connection for others, when the settings allow it and the server has not closed it.
    pub async fn finish(mut self) {
        if self.own
            && let Some(connection) = self.connection.take()
        {
            self.client.keep(connection).await;
        }
    }

    async fn get(&mut self, page: Page, query: &str) -> Result<Bytes, CertsrvError> {
        self.ask(Asked {
            page,
            query,
            body: None,
        })
        .await
    }

    async fn ask(&mut self, asked: Asked<'_>) -> Result<Bytes, CertsrvError> {
        self.client.admit()?;
        let answer = self.attempts(asked).await;
        self.client.report(&answer);
        if let Err(error) = &answer {
            tracing::warn!(
                url = self.client.settings().url.page(asked.page.name()),
                query = asked.query,
                %error,
                known_cause = error.known_cause().map_or("", pki_common::KnownCause::name),
                "AD CS did not answer as it should"
            );
        }
        answer
    }

    /// Once more on a new connection when the one that was kept no longer works, and that is safe.
    async fn attempts(&mut self, asked: Asked<'_>) -> Result<Bytes, CertsrvError> {
        let kept = self.connection.is_some();
        match self.once(asked).await {
            Err(Failed { error, repeatable }) if kept && repeatable => {
                tracing::debug!(%error, "the kept connection to AD CS is of no use; logging in again");
                self.once(asked).await.map_err(|failed| failed.error)
            }
            other => other.map_err(|failed| failed.error),
        }
    }

    async fn once(&mut self, asked: Asked<'_>) -> Result<Bytes, Failed> {
        let client = self.client.clone();
        let authentication = self.authentication.clone();
        let connection = self.connected().await.map_err(|error| Failed {
            error,
            repeatable: false,
        })?;
        let answer = connection.ask(client.settings(), &authentication, asked).await;
        if answer.is_err() {
            self.connection = None;
        }
        answer
    }

    async fn connected(&mut self) -> Result<&mut LoggedIn, CertsrvError> {
        if self.connection.is_none() {
            let made = self.client.connect(&self.authentication, self.own).await;
            if let Err(error) = &made {
                tracing::warn!(
                    url = %self.client.settings().url,
                    %error,
                    known_cause = error.known_cause().map_or("", pki_common::KnownCause::name),
                    "login_to_certsrv: no login to AD CS"
                );
            }
            self.connection = Some(made?);
        }
        self.connection.as_mut().ok_or(CertsrvError::Busy { limit: 0 })
    }
}

fn of_page(page: Page) -> impl Fn(PageError) -> CertsrvError {
    move |problem| CertsrvError::Page { page, problem }
}
