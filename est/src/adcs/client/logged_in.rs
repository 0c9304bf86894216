//! One connection, from the login on.

use std::time::SystemTime;

use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION, REFERER, USER_AGENT, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use pki_common::tls::ClientTls;
use rand_core::{OsRng, RngCore as _};
use tokio::time::timeout;

use super::connect::{Connected, connect};
use crate::adcs::ntlm::{self, FileTime, Login, NtlmLogin};
use crate::adcs::{CertsrvAuthentication, CertsrvError, CertsrvSettings, Page, Step, WindowsAccount};
use crate::client::connection::{Broken, Connection};
use crate::exchange::{ClientError, HttpRequest, Progress};

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) page: Page,
    pub(super) query: &'a str,
    /// The form, for [`Page::Submit`].
    pub(super) body: Option<&'a Bytes>,
}

impl Asked<'_> {
    pub(super) const fn of(page: Page) -> Self {
        Self {
            page,
            query: "",
            body: None,
        }
    }
}

/// An exchange that gave no answer of use.
pub(super) struct Failed {
    pub(super) error: CertsrvError,
    /// On a kept connection: the server has not worked on the request, or it does no harm to ask again.
    pub(super) repeatable: bool,
}

impl Failed {
    fn finally(error: CertsrvError) -> Self {
        Self {
            error,
            repeatable: false,
        }
    }
}

/// A connection that is logged in.
pub(super) struct LoggedIn {
    connection: Connection,
    /// Sent with each request: HTTP Basic. NTLM logs in the connection.
    authorization: Option<HeaderValue>,
    /// The exchanges since the login.
    used: bool,
}

impl LoggedIn {
    /// Connects and logs in: `GET /certsrv`, where 301 to the same with a slash is a success (F002-19).
    pub(super) async fn new(
        settings: &CertsrvSettings,
        tls: &ClientTls,
        authentication: &CertsrvAuthentication,
        id: u64,
    ) -> Result<Self, CertsrvError> {
        let Connected {
            connection,
            channel_binding,
        } = connect(settings, tls, id).await?;
        let mut made = Self {
            connection,
            authorization: None,
            used: false,
        };
        let account = authentication.account_name();
        let answer = match authentication {
            CertsrvAuthentication::Ntlm(account) => {
                let mut client_challenge = [0; 8];
                OsRng.fill_bytes(&mut client_challenge);
                let login = Login {
                    client_challenge,
                    now: FileTime::from_system(SystemTime::now()),
                    host: settings.url.host(),
                    channel_binding,
                };
                made.ntlm(settings, account, &login).await?
            }
            CertsrvAuthentication::Basic(account) => {
                made.authorization = Some(basic(account)?);
                made.knock(settings, None).await?
            }
            CertsrvAuthentication::Certificate(_) => made.knock(settings, None).await?,
        };
        accept_login(settings, authentication, &answer)?;
        tracing::info!(url = %settings.url, account, scheme = authentication.scheme(), "login_to_certsrv: logged in to AD CS");
        Ok(made)
    }

    /// The first message comes first, without an anonymous attempt (F002-18).
    async fn ntlm(
        &mut self,
        settings: &CertsrvSettings,
        account: &WindowsAccount,
        login: &Login<'_>,
    ) -> Result<Response<Bytes>, CertsrvError> {
        let (begun, negotiate) = NtlmLogin::begin();
        let answer = self.knock(settings, Some(ntlm::to_header(&negotiate))).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let Some(challenge) = challenge(answer.headers())? else {
            return Err(CertsrvError::LoginNotOffered {
                wanted: "NTLM",
                offered: offered(answer.headers()),
            });
        };
        let authenticate = begun.answer(account, &challenge, login)?;
        self.knock(settings, Some(ntlm::to_header(&authenticate))).await
    }

    async fn knock(
        &mut self,
        settings: &CertsrvSettings,
        authorization: Option<String>,
    ) -> Result<Response<Bytes>, CertsrvError> {
        let mut request = self.request(settings, Asked::of(Page::Login))?;
        if let Some(value) = authorization {
            let mut value = header(&value)?;
            value.set_sensitive(true);
            request.headers.insert(AUTHORIZATION, value);
        }
        self.exchange(settings, Page::Login, request)
            .await
            .map_err(|failed| failed.error)
    }

    /// Asks for a page.
    pub(super) async fn ask(
        &mut self,
        settings: &CertsrvSettings,
        authentication: &CertsrvAuthentication,
        asked: Asked<'_>,
    ) -> Result<Bytes, Failed> {
        let request = self.request(settings, asked).map_err(Failed::finally)?;
        let kept = core::mem::replace(&mut self.used, true);
        let answer = self.exchange(settings, asked.page, request).await?;
        accept(settings, authentication, asked.page, &answer).map_err(|error| Failed {
            // The server has forgotten the login of this connection; it has not worked on the request.
            repeatable: kept && error.is_refused_login(),
            error,
        })?;
        tracing::debug!(
            url = settings.url.page(asked.page.name()),
            query = asked.query,
            bytes = answer.body().len(),
            "AD CS has answered"
        );
        Ok(answer.into_body())
    }

    /// Whether the server keeps it open.
    pub(super) async fn is_usable(&mut self, settings: &CertsrvSettings) -> bool {
        self.connection.is_usable(settings.max_idle_time).await
    }

    async fn exchange(
        &mut self,
        settings: &CertsrvSettings,
        page: Page,
        request: HttpRequest,
    ) -> Result<Response<Bytes>, Failed> {
        let time = match page {
            Page::Submit => settings.timeouts.submission,
            _ => settings.timeouts.answer,
        };
        let sent = self.connection.exchange(request, settings.max_answer);
        match timeout(time, sent).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(broken)) => Err(broken_off(page, broken)),
            Err(_) if page == Page::Submit => Err(Failed::finally(CertsrvError::SubmissionUnanswered {
                cause: format!("there was none within {} s", time.as_secs_f32()),
                timed_out: true,
            })),
            Err(_) => Err(Failed::finally(CertsrvError::TimedOut {
                step: Step::Answer(page),
                time,
            })),
        }
    }

    fn request(&self, settings: &CertsrvSettings, asked: Asked<'_>) -> Result<HttpRequest, CertsrvError> {
        let url = &settings.url;
        let mut target = url.path().to_owned();
        if !asked.page.name().is_empty() {
            target.push('/');
            target.push_str(asked.page.name());
        }
        if !asked.query.is_empty() {
            target.push('?');
            target.push_str(asked.query);
        }
        let mut headers = HeaderMap::new();
        let mut insert =
            |name: HeaderName, value: &str| header(value).map(|value| headers.insert(name, value));
        insert(HOST, &url.host_header())?;
        insert(USER_AGENT, &settings.user_agent)?;
        insert(ACCEPT, "*/*")?;
        if asked.body.is_some() {
            // As a browser and the vendor's registration authority do (F002-29).
            insert(REFERER, &url.page(Page::RequestForm.name()))?;
            insert(CONTENT_TYPE, "application/x-www-form-urlencoded")?;
        }
        if let Some(value) = &self.authorization {
            headers.insert(AUTHORIZATION, value.clone());
        }
        Ok(HttpRequest {
            method: if asked.body.is_some() {
                Method::POST
            } else {
                Method::GET
            },
            target,
            headers,
            body: asked.body.cloned().unwrap_or_default(),
        })
    }
}

fn header(value: &str) -> Result<HeaderValue, CertsrvError> {
    HeaderValue::from_str(value).map_err(|_| CertsrvError::Settings {
        problem: "the URL or the user agent makes no valid HTTP header".to_owned(),
    })
}

fn basic(account: &WindowsAccount) -> Result<HeaderValue, CertsrvError> {
    let credentials = account.to_basic().map_err(|error| CertsrvError::Settings {
        problem: format!("the account cannot log in by Basic: {error}"),
    })?;
    let mut value = header(&credentials.to_header())?;
    value.set_sensitive(true);
    Ok(value)
}

fn broken_off(page: Page, broken: Broken) -> Failed {
    let Broken { error, progress } = broken;
    let error = match error {
        ClientError::Tls(failure) => CertsrvError::Tls(failure),
        ClientError::ResponseTooLarge { limit } => CertsrvError::AnswerTooLarge { page, limit },
        other => CertsrvError::ConnectionLost {
            page,
            cause: other.to_string(),
        },
    };
    let lost = matches!(error, CertsrvError::ConnectionLost { .. } | CertsrvError::Tls(_));
    match (page, progress) {
        (Page::Submit, Progress::Unsent) => Failed {
            error,
            repeatable: true,
        },
        (Page::Submit, _) => Failed::finally(CertsrvError::SubmissionUnanswered {
            cause: error.to_string(),
            timed_out: false,
        }),
        _ => Failed {
            error,
            repeatable: lost,
        },
    }
}

/// The message of the server, when it goes on with NTLM.
fn challenge(headers: &HeaderMap) -> Result<Option<Vec<u8>>, CertsrvError> {
    for value in headers.get_all(WWW_AUTHENTICATE) {
        if let Ok(text) = value.to_str()
            && let Some(message) = ntlm::from_header(text)?
        {
            return Ok(Some(message));
        }
    }
    Ok(None)
}

/// The schemes of the answer, for an error.
fn offered(headers: &HeaderMap) -> String {
    let schemes: Vec<&str> = headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok()?.split([' ', ',']).next())
        .collect();
    if schemes.is_empty() {
        "nothing".to_owned()
    } else {
        schemes.join(", ")
    }
}

fn accept_login(
    settings: &CertsrvSettings,
    authentication: &CertsrvAuthentication,
    answer: &Response<Bytes>,
) -> Result<(), CertsrvError> {
    let location = answer
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok());
    if answer.status().is_redirection() && location.is_some_and(|location| is_own_folder(settings, location))
    {
        return Ok(());
    }
    accept(settings, authentication, Page::Login, answer)
}

/// The same folder with its slash, on whatever name and port the server has for itself (F002-19).
fn is_own_folder(settings: &CertsrvSettings, location: &str) -> bool {
    let path = match location.split_once("://") {
        Some((_, rest)) => rest
            .find('/')
            .and_then(|start| rest.get(start..))
            .unwrap_or_default(),
        None => location,
    };
    path.strip_suffix('/')
        .is_some_and(|path| path.eq_ignore_ascii_case(settings.url.path()))
}

fn accept(
    settings: &CertsrvSettings,
    authentication: &CertsrvAuthentication,
    page: Page,
    answer: &Response<Bytes>,
) -> Result<(), CertsrvError> {
    let status = answer.status();
    match status.as_u16() {
        200 => Ok(()),
        401 if !offers(authentication, answer.headers()) => Err(CertsrvError::LoginNotOffered {
            wanted: authentication.scheme(),
            offered: offered(answer.headers()),
        }),
        401 | 403 => Err(CertsrvError::CredentialsRefused {
            account: authentication.account_name(),
            status: status.as_u16(),
        }),
        404 => Err(CertsrvError::PageNotFound {
            url: settings.url.page(page.name()).trim_end_matches('/').to_owned(),
        }),
        other => Err(CertsrvError::Status { page, status: other }),
    }
}

/// Whether the way this client logs in is among those of the answer.
fn offers(authentication: &CertsrvAuthentication, headers: &HeaderMap) -> bool {
    let wanted = match authentication {
        CertsrvAuthentication::Ntlm(_) => "NTLM",
        CertsrvAuthentication::Basic(_) => "Basic",
        // Nothing of it is in a header.
        CertsrvAuthentication::Certificate(_) => return true,
    };
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| {
            value
                .split([' ', ','])
                .next()
                .is_some_and(|scheme| scheme.eq_ignore_ascii_case(wanted))
        })
}
