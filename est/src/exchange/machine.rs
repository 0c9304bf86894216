//! One EST operation from the first byte to its outcome, as a state machine.

use core::fmt;
use core::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use pki_common::channel_binding::ChannelBindings;
use pki_common::{Certificate, Fingerprint, HashAlgorithm};
use rustls_pki_types::UnixTime;

use super::answer::{self, printable, refused, text_of};
use super::challenge::{Answer, Offers};
use super::fingerprint::{CaFingerprint, FingerprintCheck};
use super::{
    ClientError, DEFAULT_RETRY_AFTER, ExchangeSettings, PasswordUse, ServerUrl, redirect, retry_after,
};
use crate::auth::BearerToken;
use crate::auth::digest::{DigestAnswer, DigestChallenge};
use crate::operation::{EstPath, Operation};
use crate::wire::base64::{self, Base64Layout};
use crate::wire::label::PathLabel;

/// What the caller tells. `Debug` hides the body of a response, which may be a private key.
pub enum Event {
    /// A connection is there: a new one, or one kept from an earlier exchange.
    Connected(Connected),
    /// The whole answer to the last request.
    Response(Response<Bytes>),
    /// The connection ended or timed out, or could not be made.
    Lost {
        /// Why.
        error: ClientError,
        /// How far the exchange had come.
        progress: Progress,
    },
    /// The wait is over.
    Woke,
    /// The person confirms the CA certificate with this index, or none.
    Confirmed(Option<usize>),
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected(connected) => f.debug_tuple("Connected").field(connected).finish(),
            Self::Response(response) => shown(f, "Response", response),
            Self::Lost { error, progress } => f
                .debug_struct("Lost")
                .field("error", error)
                .field("progress", progress)
                .finish(),
            Self::Woke => f.write_str("Woke"),
            Self::Confirmed(index) => f.debug_tuple("Confirmed").field(index).finish(),
        }
    }
}

fn shown(f: &mut fmt::Formatter<'_>, name: &str, response: &Response<Bytes>) -> fmt::Result {
    f.debug_struct(name)
        .field("status", &response.status())
        .field("length", &response.body().len())
        .finish_non_exhaustive()
}

impl Event {
    const fn name(&self) -> &'static str {
        match self {
            Self::Connected(_) => "a connection",
            Self::Response(_) => "a response",
            Self::Lost { .. } => "a lost connection",
            Self::Woke => "the end of a wait",
            Self::Confirmed(_) => "an answer of a person",
        }
    }
}

/// How far a request came on a connection that was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Progress {
    /// Nothing of it has left: the server cannot have seen it.
    Unsent,
    /// On a connection that had served an exchange before, and no part of an answer had arrived: the connection may
    /// have ended before the request, or because of it.
    Unanswered,
    /// On a new connection, or a part of the answer had arrived: the server has seen it, or nothing can be known.
    Begun,
}

/// A connection as far as an exchange needs to know it.
#[derive(Debug, Clone, Default)]
pub struct Connected {
    /// Tells connections apart: a body that was made for one is not sent on another.
    pub id: u64,
    /// Its channel bindings.
    pub bindings: ChannelBindings,
}

/// What the caller is to do.
#[derive(Debug)]
pub enum Action {
    /// Have a connection to the server and tell [`Event::Connected`] or [`Event::Lost`].
    Connect {
        /// Not one that is kept: it may be as dead as the last.
        fresh: bool,
        /// The server's certificate cannot be verified yet (bootstrap). Nothing secret is sent on this connection.
        provisional: bool,
    },
    /// Send this on the connection and tell [`Event::Response`] or [`Event::Lost`].
    Send(Box<HttpRequest>),
    /// Wait so long and tell [`Event::Woke`].
    Wait(Duration),
    /// Show these to a person and tell [`Event::Confirmed`].
    AskFingerprint(Vec<CaFingerprint>),
    /// The exchange is over.
    Done(Outcome),
    /// The exchange has failed.
    Failed(ClientError),
}

/// A request as it goes onto the connection. `Debug` hides the body, in which may be a password.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// GET or POST.
    pub method: Method,
    /// The target in origin form.
    pub target: String,
    /// The headers but those that frame the body. Values with credentials are marked as sensitive.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// How an exchange ends well. `Debug` hides the body of an answer, which may be a private key.
pub enum Outcome {
    /// The answer with status 200, or a CMC message with another.
    Answer(Response<Bytes>),
    /// Nothing: the server has no CSR attributes (204 or 404).
    Nothing,
    /// The request waits for approval, longer than the exchange may wait; ask again after this time.
    Pending {
        /// The time to wait.
        retry_after: Duration,
        /// The answer with status 202: that to a CMC request says in its body what it waits for (RFC 5272 section
        /// 6.1.1).
        response: Response<Bytes>,
    },
    /// The certificates of a first contact, one of which has the fingerprint that was expected or confirmed.
    Trusted {
        /// That one.
        anchor: Certificate,
        /// All of the answer.
        certificates: Vec<Certificate>,
    },
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("target", &self.target)
            .field("headers", &self.headers)
            .field("length", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(response) => shown(f, "Answer", response),
            Self::Nothing => f.write_str("Nothing"),
            Self::Pending { retry_after, .. } => {
                let mut pending = f.debug_struct("Pending");
                pending.field("retry_after", retry_after).finish_non_exhaustive()
            }
            Self::Trusted { anchor, .. } => {
                let mut trusted = f.debug_struct("Trusted");
                trusted.field("anchor", &anchor.subject()).finish_non_exhaustive()
            }
        }
    }
}

/// Makes a body for a connection with these bindings.
type BoundBody<'a> = Box<dyn FnMut(&ChannelBindings) -> Result<Vec<u8>, ClientError> + Send + 'a>;

/// The body of a request.
pub enum RequestBody<'a> {
    /// None: GET.
    Empty,
    /// The same binary on every connection.
    Fixed(Vec<u8>),
    /// A binary made anew for each connection, with its channel binding in it.
    Bound(BoundBody<'a>),
}

impl fmt::Debug for RequestBody<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Fixed(_) => "Fixed",
            Self::Bound(_) => "Bound",
        })
    }
}

#[derive(Debug)]
enum State {
    Connecting,
    InFlight,
    Waiting,
    Asking(Vec<CaFingerprint>, Vec<Certificate>),
    Over,
}

/// What is shown in the `Authorization` header.
#[derive(Debug)]
enum Shown {
    Nothing,
    Bearer,
    Basic,
    Digest(Box<DigestChallenge>),
}

/// One operation in progress. See the module's documentation for what it decides.
#[derive(Debug)]
pub struct Exchange<'a> {
    server: ServerUrl,
    operation: Operation,
    target: String,
    settings: ExchangeSettings,
    first_contact: Option<FingerprintCheck>,
    body: RequestBody<'a>,
    made_for: Option<(u64, Bytes)>,
    shown: Shown,
    /// Challenges answered; a Digest nonce that has gone stale may be answered once more.
    answers: u8,
    redirects: u8,
    waits: u32,
    waited: Duration,
    reconnected: bool,
    digest_requests: u32,
    state: State,
}

impl<'a> Exchange<'a> {
    /// An operation with a server. [`start`](Self::start) gives the first action.
    #[must_use]
    pub fn new(
        server: ServerUrl,
        label: Option<PathLabel>,
        operation: Operation,
        body: RequestBody<'a>,
        settings: ExchangeSettings,
    ) -> Self {
        let mut exchange = Self {
            server,
            operation,
            target: EstPath { label, operation }.to_string(),
            settings,
            first_contact: None,
            body,
            made_for: None,
            shown: Shown::Nothing,
            answers: 0,
            redirects: 0,
            waits: 0,
            waited: Duration::ZERO,
            reconnected: false,
            digest_requests: 0,
            state: State::Over,
        };
        exchange.shown = exchange.shown_at_first();
        exchange
    }

    /// `cacerts` from a server that nothing is known of but, perhaps, a fingerprint. Nothing secret is sent.
    #[must_use]
    pub fn first_contact(
        server: ServerUrl,
        label: Option<PathLabel>,
        check: FingerprintCheck,
        max_redirects: u8,
    ) -> Self {
        let settings = ExchangeSettings {
            max_redirects,
            ..ExchangeSettings::default()
        };
        let mut exchange = Self::new(server, label, Operation::CaCerts, RequestBody::Empty, settings);
        exchange.first_contact = Some(check);
        exchange
    }

    /// Begins.
    pub fn start(&mut self) -> Action {
        // Whoever makes two certificates with the same SHA-1 has the other one trusted.
        if let Some(FingerprintCheck::Expect(expected)) = self.first_contact
            && expected.algorithm() != HashAlgorithm::Sha256
        {
            return Action::Failed(ClientError::WeakFingerprint);
        }
        self.connect(false)
    }

    /// Takes an event at the time `now` and says what to do next. Behind [`Action::Done`] and [`Action::Failed`] there
    /// is nothing.
    pub fn handle(&mut self, event: Event, now: UnixTime) -> Action {
        let state = core::mem::replace(&mut self.state, State::Over);
        let acted = match (state, event) {
            (State::Connecting, Event::Connected(connected)) => self.send(&connected),
            (State::InFlight, Event::Response(response)) => self.answered(response, now),
            (State::Connecting | State::InFlight, Event::Lost { error, progress }) => {
                self.lost(error, progress)
            }
            (State::Waiting, Event::Woke) => Ok(self.connect(false)),
            (State::Asking(shown, certificates), Event::Confirmed(choice)) => {
                let chosen = choice.and_then(|index| shown.into_iter().nth(index));
                chosen.map_or(Err(ClientError::FingerprintRejected), |ca| {
                    Ok(Action::Done(Outcome::Trusted {
                        anchor: ca.certificate,
                        certificates,
                    }))
                })
            }
            (_, event) => Err(ClientError::Sequence { event: event.name() }),
        };
        acted.unwrap_or_else(Action::Failed)
    }

    fn connect(&mut self, fresh: bool) -> Action {
        self.state = State::Connecting;
        Action::Connect {
            fresh,
            provisional: self.first_contact.is_some(),
        }
    }

    /// A kept connection may have ended while nobody looked: once, the same is tried on a new one. A request for a
    /// certificate is not repeated once a part of it has left, because the server may have issued a certificate
    /// already: POST is not idempotent (RFC 9110, section 9.2.2).
    fn lost(&mut self, error: ClientError, progress: Progress) -> Result<Action, ClientError> {
        let harmless = self.operation.method() == Method::GET || self.settings.repeat_unanswered;
        let again = match progress {
            Progress::Unsent => true,
            Progress::Unanswered => harmless,
            Progress::Begun => false,
        };
        if again && !self.reconnected {
            self.reconnected = true;
            return Ok(self.connect(true));
        }
        match error {
            ClientError::Http { cause, .. } if progress == Progress::Unanswered && !harmless => {
                Err(ClientError::Unanswered { cause })
            }
            error => Err(error),
        }
    }

    /// Goes on after an answer that wants the same request sent otherwise. Many a server closes after such an answer
    /// without saying so, and a request for a certificate that it no longer reads could not be repeated; so that goes
    /// out on a new connection.
    fn connect_again(&mut self) -> Action {
        self.connect(self.operation.method() == Method::POST)
    }

    fn send(&mut self, connected: &Connected) -> Result<Action, ClientError> {
        let body = self.body_for(connected)?;
        let headers = self.headers()?;
        self.state = State::InFlight;
        Ok(Action::Send(Box::new(HttpRequest {
            method: self.operation.method(),
            target: self.target.clone(),
            headers,
            body,
        })))
    }

    fn body_for(&mut self, connected: &Connected) -> Result<Bytes, ClientError> {
        let encoded = |binary: &[u8]| Bytes::from(base64::encode(binary, Base64Layout::SingleLine));
        match (&mut self.body, &self.made_for) {
            (RequestBody::Empty, _) => Ok(Bytes::new()),
            (RequestBody::Fixed(_), Some((_, body))) => Ok(body.clone()),
            (RequestBody::Bound(_), Some((id, body))) if *id == connected.id => Ok(body.clone()),
            (RequestBody::Fixed(binary), None) => {
                let body = encoded(binary);
                self.made_for = Some((connected.id, body.clone()));
                Ok(body)
            }
            (RequestBody::Bound(make), _) => {
                let body = encoded(&make(&connected.bindings)?);
                self.made_for = Some((connected.id, body.clone()));
                Ok(body)
            }
        }
    }

    fn headers(&mut self) -> Result<HeaderMap, ClientError> {
        let mut headers = HeaderMap::new();
        let host = HeaderValue::try_from(self.server.authority()).map_err(|_| ClientError::Url {
            url: self.server.to_string(),
            problem: "the host makes no valid header",
        })?;
        headers.insert(HOST, host);
        let agent = concat!("est/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        let (sends, accepts) = media_types(self.operation);
        headers.insert(ACCEPT, HeaderValue::from_static(accepts));
        if let Some(media_type) = sends {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
            // RFC 8951 has servers ignore it; servers of RFC 7030's time look for it.
            let name = HeaderName::from_static("content-transfer-encoding");
            headers.insert(name, HeaderValue::from_static("base64"));
        }
        if let Some(authorization) = self.authorization()? {
            headers.insert(AUTHORIZATION, authorization);
        }
        Ok(headers)
    }

    /// What goes out before the server has asked: with requests for a certificate only.
    fn shown_at_first(&self) -> Shown {
        let credentials = &self.settings.credentials;
        if self.operation.method() != Method::POST {
            Shown::Nothing
        } else if credentials.bearer.is_some() {
            Shown::Bearer
        } else if credentials.password.is_some() && credentials.password_use == PasswordUse::Preemptive {
            Shown::Basic
        } else {
            Shown::Nothing
        }
    }

    fn authorization(&mut self) -> Result<Option<HeaderValue>, ClientError> {
        let credentials = &self.settings.credentials;
        let text = match &self.shown {
            Shown::Nothing => return Ok(None),
            Shown::Bearer => return Ok(credentials.bearer.as_ref().map(BearerToken::to_header)),
            Shown::Basic => credentials
                .password
                .as_ref()
                .map(crate::auth::BasicCredentials::to_header),
            Shown::Digest(challenge) => {
                let Some(password) = &credentials.password else {
                    return Ok(None);
                };
                self.digest_requests += 1;
                let method = self.operation.method();
                let cnonce = format!("{:032x}", self.settings.client_nonce);
                let answer = challenge.answer(&DigestAnswer {
                    method: method.as_str(),
                    uri: &self.target,
                    user: password.user(),
                    password: password.password(),
                    cnonce: &cnonce,
                    count: self.digest_requests,
                });
                return answer.map(Some).map_err(|error| ClientError::Http {
                    cause: error.to_string(),
                    lost: false,
                });
            }
        };
        let Some(text) = text else { return Ok(None) };
        let mut value = HeaderValue::try_from(text.as_str()).map_err(|_| ClientError::Http {
            cause: "the credentials make no valid header".to_owned(),
            lost: false,
        })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    fn answered(&mut self, response: Response<Bytes>, now: UnixTime) -> Result<Action, ClientError> {
        let status = response.status();
        if redirect::is_redirect(status) {
            return self.redirected(&response);
        }
        match status {
            StatusCode::OK => self.accepted(response),
            StatusCode::UNAUTHORIZED => self.challenged(&response, now),
            StatusCode::ACCEPTED if self.operation.method() == Method::POST => {
                Ok(self.pending(&response, now))
            }
            StatusCode::NO_CONTENT | StatusCode::NOT_FOUND if self.operation == Operation::CsrAttrs => {
                Ok(Action::Done(Outcome::Nothing))
            }
            // RFC 7030, section 4.3.2: a CMC refusal has an HTTP status of its own and says more in its body.
            _ if self.operation == Operation::FullCmc && answer::is_pkcs7(response.headers()) => {
                Ok(Action::Done(Outcome::Answer(response)))
            }
            _ => Err(refused(&response, now)),
        }
    }

    fn accepted(&mut self, response: Response<Bytes>) -> Result<Action, ClientError> {
        let Some(check) = self.first_contact else {
            return Ok(Action::Done(Outcome::Answer(response)));
        };
        let certificates = answer::certificates(&response)?;
        let shown = CaFingerprint::of_answer(&certificates);
        match check {
            FingerprintCheck::Ask => {
                self.state = State::Asking(shown.clone(), certificates);
                Ok(Action::AskFingerprint(shown))
            }
            FingerprintCheck::Expect(expected) => {
                let fitting = shown.iter().find(|ca| ca.fingerprint == expected);
                let anchor = fitting
                    .ok_or_else(|| differs(expected, &shown))?
                    .certificate
                    .clone();
                Ok(Action::Done(Outcome::Trusted { anchor, certificates }))
            }
        }
    }

    fn redirected(&mut self, response: &Response<Bytes>) -> Result<Action, ClientError> {
        let method = self.operation.method();
        let status = response.status();
        let target = redirect::follow(&self.server, &self.target, &method, status, response.headers())?;
        if self.redirects >= self.settings.max_redirects {
            let limit = self.settings.max_redirects;
            return Err(ClientError::TooManyRedirects { limit });
        }
        self.redirects += 1;
        self.target = target;
        Ok(self.connect_again())
    }

    /// Once, or twice when the nonce had gone stale: whoever is refused again is refused.
    fn challenged(&mut self, response: &Response<Bytes>, now: UnixTime) -> Result<Action, ClientError> {
        let offers = Offers::of(response.headers());
        let credentials = &self.settings.credentials;
        let exhausted = match (&self.shown, self.answers) {
            (Shown::Digest(_), 1) => !offers.is_stale(),
            (_, answers) => answers > 0,
        };
        // On first contact nobody knows whom the credentials would go to.
        if exhausted || self.first_contact.is_some() {
            return Err(refused(response, now));
        }
        let next = match offers.choose(credentials) {
            // The same again would be refused again.
            Some(Answer::Bearer) if matches!(self.shown, Shown::Bearer) => {
                return Err(refused(response, now));
            }
            // Nor does a password that went out as Digest follow in the clear.
            Some(Answer::Basic) if matches!(self.shown, Shown::Basic | Shown::Digest(_)) => {
                return Err(refused(response, now));
            }
            Some(Answer::Bearer) => Shown::Bearer,
            Some(Answer::Basic) => Shown::Basic,
            Some(Answer::Digest(challenge)) => Shown::Digest(Box::new(challenge)),
            None if offers.is_empty() || (credentials.password.is_none() && credentials.bearer.is_none()) => {
                return Err(refused(response, now));
            }
            None => {
                return Err(ClientError::Challenge {
                    status: response.status(),
                    offered: printable(&offers.names()),
                    text: text_of(response),
                });
            }
        };
        self.answers += 1;
        self.digest_requests = 0;
        self.shown = next;
        Ok(self.connect_again())
    }

    fn pending(&mut self, response: &Response<Bytes>, now: UnixTime) -> Action {
        let wait = retry_after(response.headers(), now).unwrap_or(DEFAULT_RETRY_AFTER);
        // A server that says 0 is asked again, but not as fast as the line allows.
        let wait = wait.max(Duration::from_secs(1));
        let policy = self.settings.pending;
        let total = self.waited.saturating_add(wait);
        if self.waits >= policy.attempts || total > policy.total {
            return Action::Done(Outcome::Pending {
                retry_after: wait,
                response: response.clone(),
            });
        }
        self.waits += 1;
        self.waited = total;
        // Each try may meet a stale nonce and a dead connection of its own.
        self.answers = 0;
        self.reconnected = false;
        self.state = State::Waiting;
        Action::Wait(wait)
    }
}

/// What an operation sends, if anything, and what it accepts.
const fn media_types(operation: Operation) -> (Option<&'static str>, &'static str) {
    const PKCS10: &str = "application/pkcs10";
    match operation {
        Operation::CaCerts => (None, "application/pkcs7-mime, text/plain;q=0.5"),
        Operation::CsrAttrs => (None, "application/csrattrs, text/plain;q=0.5"),
        Operation::SimpleEnroll | Operation::SimpleReenroll => {
            (Some(PKCS10), "application/pkcs7-mime, text/plain;q=0.5")
        }
        Operation::ServerKeyGen => (Some(PKCS10), "multipart/mixed, text/plain;q=0.5"),
        Operation::FullCmc => (
            Some("application/pkcs7-mime; smime-type=CMC-request"),
            "application/pkcs7-mime, text/plain;q=0.5",
        ),
    }
}

fn differs(expected: Fingerprint, shown: &[CaFingerprint]) -> ClientError {
    // A handful is enough to see what is wrong; the answer may hold hundreds.
    let shown: Vec<_> = shown
        .iter()
        .take(4)
        .map(|ca| ca.fingerprint.to_string())
        .collect();
    ClientError::FingerprintDiffers {
        expected: expected.to_string(),
        shown: if shown.is_empty() {
            "none".to_owned()
        } else {
            shown.join(", ")
        },
    }
}
