//! A client's exchange with a server that answers as the script says.

use std::time::Duration;

use bytes::Bytes;
use est::auth::{BasicCredentials, BearerToken};
use est::exchange::{
    Action, ClientError, Connected, Credentials, Event, Exchange, ExchangeSettings, FingerprintCheck,
    HttpRequest, MAX_RETRY_AFTER, Outcome, PasswordUse, PendingPolicy, Progress, RequestBody, ServerUrl,
    answer,
};
use est::operation::Operation;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use pki_common::Diagnose as _;
use pki_common::channel_binding::ChannelBindings;

use crate::keys;

/// Between two answers of a script.
const SEPARATOR: &[u8] = b"\n---\n";
const SERVER: &str = "est.example.com:8443";
const PASSWORD: &str = "password-of-the-fuzz-target";
const TOKEN: &str = "dG9rZW4gb2YgdGhlIGZ1enogY29ycHVz";
/// What a client waits at most after a 202.
const PATIENCE: PendingPolicy = PendingPolicy {
    attempts: 2,
    total: Duration::from_secs(7200),
};
const MAX_REDIRECTS: u8 = 2;
/// Each of three tries may answer two challenges and replace a connection, and two redirects are followed.
const MAX_SENDS: usize = 3 * 4 + 2;

/// What a script has made happen; tests of the corpus ask for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Requests that went out.
    pub sent: usize,
    /// The wait after a 202.
    pub waited: bool,
    /// An `Authorization` was sent.
    pub authorized: bool,
    /// A redirect was followed.
    pub redirected: bool,
    /// The exchange ended well.
    pub done: bool,
    /// Certificates were read from the answer.
    pub certificates: bool,
}

/// A script for a client's exchange. The first byte says which operation, and what the client may show; then come the
/// answers of the server, with a line `---` between them: a status, headers, an empty line, the body. `lost`, `unsent` and
/// `unanswered` instead of a status are connections that end.
///
/// Whatever the answers are: the exchange ends; it waits and follows no more than it may; nothing leaves the origin, and
/// nothing secret goes out unasked with a GET or on first contact, or stands in an error; and behind the end there is
/// nothing.
pub fn est_exchange(data: &[u8]) {
    let _reached = script(data);
}

/// Runs a script; see [`est_exchange`].
#[must_use]
pub fn script(data: &[u8]) -> Reached {
    let Some((choice, answers)) = data.split_first() else {
        return Reached::default();
    };
    // A server that knows the secret may have it repeated.
    if [PASSWORD, TOKEN]
        .iter()
        .any(|secret| memchr::memmem::find(data, secret.as_bytes()).is_some())
    {
        return Reached::default();
    }
    let server: ServerUrl = format!("https://{SERVER}").parse().expect("a URL");
    let (mut exchange, operation, first_contact) = exchange(*choice, &server);
    let mut subject = Subject {
        operation,
        first_contact,
        target: None,
        waited: Duration::ZERO,
        waits: 0,
        redirects: 0,
        reached: Reached::default(),
    };
    let mut answers = Answers { rest: Some(answers) };
    let mut action = exchange.start();
    let mut connection = 0;
    loop {
        let event = match action {
            Action::Connect { provisional, .. } => {
                assert_eq!(provisional, first_contact);
                connection += 1;
                Event::Connected(Connected {
                    id: connection,
                    bindings: ChannelBindings::new(Some([3; 12]), None),
                })
            }
            Action::Send(request) => {
                subject.sent(&request);
                answers.next()
            }
            Action::Wait(wait) => {
                subject.waits(wait);
                Event::Woke
            }
            Action::AskFingerprint(shown) => Event::Confirmed((!shown.is_empty()).then_some(0)),
            Action::Done(outcome) => {
                subject.done(outcome);
                break;
            }
            Action::Failed(error) => {
                check_error(&error);
                break;
            }
        };
        action = exchange.handle(event, keys::NOW);
    }
    let behind = exchange.handle(Event::Woke, keys::NOW);
    assert!(
        matches!(behind, Action::Failed(ClientError::Sequence { .. })),
        "the exchange goes on behind its end"
    );
    subject.reached
}

/// The lowest three bits choose the operation (6: first contact with a fingerprint, 7: first contact with a person), the
/// next two the credentials, the next one whether the request is bound, the next one whether it may be repeated.
fn exchange(choice: u8, server: &ServerUrl) -> (Exchange<'static>, Operation, bool) {
    if choice & 7 >= 6 {
        let check = match choice & 7 {
            6 => FingerprintCheck::Expect(pki_common::Fingerprint::of_der(
                pki_common::HashAlgorithm::Sha256,
                keys::ROOT,
            )),
            _ => FingerprintCheck::Ask,
        };
        let exchange = Exchange::first_contact(server.clone(), None, check, MAX_REDIRECTS);
        return (exchange, Operation::CaCerts, true);
    }
    let operation = *Operation::ALL.get(usize::from(choice & 7)).expect("six");
    let password = || BasicCredentials::new("phone", PASSWORD).ok();
    let token = || BearerToken::new(TOKEN).ok();
    let credentials = match choice >> 3 & 3 {
        0 => Credentials::default(),
        1 => Credentials {
            password: password(),
            ..Credentials::default()
        },
        2 => Credentials {
            password: password(),
            password_use: PasswordUse::DigestOnly,
            ..Credentials::default()
        },
        _ => Credentials {
            password: password(),
            bearer: token(),
            password_use: PasswordUse::Preemptive,
        },
    };
    let body = if operation.method() == Method::GET {
        RequestBody::Empty
    } else if choice & 0x20 == 0 {
        RequestBody::Fixed(b"a request".to_vec())
    } else {
        RequestBody::Bound(Box::new(|bindings| {
            let (_, text) = bindings.preferred().expect("the connection has one");
            Ok(text.into_bytes())
        }))
    };
    let settings = ExchangeSettings {
        credentials,
        pending: PATIENCE,
        max_redirects: MAX_REDIRECTS,
        repeat_unanswered: choice & 0x40 != 0,
        client_nonce: 9,
    };
    let label = (choice & 0x80 != 0).then(|| "label".parse().expect("a label"));
    (
        Exchange::new(server.clone(), label, operation, body, settings),
        operation,
        false,
    )
}

struct Subject {
    operation: Operation,
    first_contact: bool,
    target: Option<String>,
    waited: Duration,
    waits: u32,
    redirects: u8,
    reached: Reached,
}

impl Subject {
    fn sent(&mut self, request: &HttpRequest) {
        self.reached.sent += 1;
        assert!(self.reached.sent <= MAX_SENDS, "it asks again and again");
        assert_eq!(request.method, self.operation.method());
        assert!(request.target.starts_with('/'), "{:?}", request.target);
        assert!(request.target.bytes().all(|byte| byte.is_ascii_graphic()));
        assert_eq!(request.headers.get_all(HOST).iter().count(), 1);
        assert_eq!(request.headers.get(HOST).expect("Host"), SERVER);
        if self
            .target
            .as_ref()
            .is_some_and(|before| *before != request.target)
        {
            self.redirects += 1;
            self.reached.redirected = true;
            assert!(self.redirects <= MAX_REDIRECTS);
        }
        self.target = Some(request.target.clone());
        let mut authorizations = request.headers.get_all(AUTHORIZATION).iter();
        if let Some(value) = authorizations.next() {
            self.reached.authorized = true;
            assert!(value.is_sensitive(), "a secret that is not marked");
            assert!(!self.first_contact, "a secret on first contact");
            let unasked = self.reached.sent == 1 && request.method == Method::GET;
            assert!(!unasked, "a secret that nobody asked for");
        }
        assert!(authorizations.next().is_none());
        no_secret(&format!("{request:?}"));
    }

    fn waits(&mut self, wait: Duration) {
        self.reached.waited = true;
        self.waits += 1;
        self.waited += wait;
        assert!(!wait.is_zero() && self.waits <= PATIENCE.attempts && self.waited <= PATIENCE.total);
    }

    fn done(&mut self, outcome: Outcome) {
        self.reached.done = true;
        no_secret(&format!("{outcome:?}"));
        match outcome {
            Outcome::Answer(response) => self.answer(&response),
            Outcome::Nothing => assert_eq!(self.operation, Operation::CsrAttrs),
            Outcome::Pending { retry_after, .. } => assert!(retry_after <= MAX_RETRY_AFTER),
            Outcome::Trusted { anchor, certificates } => {
                assert!(self.first_contact);
                assert!(
                    certificates.contains(&anchor),
                    "an anchor that was not in the answer"
                );
            }
        }
    }

    fn answer(&mut self, response: &Response<Bytes>) {
        assert!(response.status() == 200 || self.operation == Operation::FullCmc);
        match answer::certificates(response) {
            Ok(certificates) => self.reached.certificates = !certificates.is_empty(),
            Err(error) => check_error(&error),
        }
        let _ = answer::is_cut_off(response.headers(), response.body());
    }
}

fn check_error(error: &ClientError) {
    let failure = error.diagnose();
    no_secret(&format!("{error} {error:?} {failure:?}"));
    assert!(!failure.cause.is_empty() && !failure.remedy.is_empty());
    let printable = |text: &str| !text.chars().any(char::is_control);
    assert!(printable(&error.to_string()), "{error:?}");
}

fn no_secret(text: &str) {
    assert!(
        !text.contains(PASSWORD) && !text.contains(TOKEN),
        "a secret in {text}"
    );
}

struct Answers<'a> {
    rest: Option<&'a [u8]>,
}

impl Answers<'_> {
    /// What the next answer is; behind the last one, connections are lost.
    fn next(&mut self) -> Event {
        let text = self.rest.unwrap_or_default();
        let end = text
            .windows(SEPARATOR.len())
            .position(|window| window == SEPARATOR);
        let (this, rest) = match end {
            Some(end) => (
                text.get(..end).unwrap_or_default(),
                text.get(end + SEPARATOR.len()..),
            ),
            None => (text, None),
        };
        self.rest = rest;
        event(this)
    }
}

fn event(text: &[u8]) -> Event {
    let lost = |progress| Event::Lost {
        error: ClientError::Http {
            cause: "the script says so".to_owned(),
            lost: true,
        },
        progress,
    };
    let mut lines = text;
    let mut line = || {
        let end = lines
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or(lines.len());
        let (line, rest) = lines.split_at(end);
        lines = rest.get(1..).unwrap_or_default();
        (line.strip_suffix(b"\r").unwrap_or(line), lines)
    };
    let (first, _) = line();
    match first {
        b"unsent" => return lost(Progress::Unsent),
        b"unanswered" => return lost(Progress::Unanswered),
        _ => {}
    }
    let Ok(status) = StatusCode::from_bytes(first) else {
        return lost(Progress::Begun);
    };
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    let body = loop {
        let (header, rest) = line();
        if header.is_empty() {
            break rest;
        }
        let colon = header
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(header.len());
        let (name, value) = header.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            response.headers_mut().append(name, value);
        }
    };
    *response.body_mut() = Bytes::copy_from_slice(body);
    Event::Response(response)
}
