//! One HTTP connection over a handshake that is done, to see what a server says before anybody logs in.

use core::error::Error as _;
use core::time::Duration;
use std::io;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, SERVER, USER_AGENT, WWW_AUTHENTICATE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use pki_common::{Escaped, Failure, KnownCause, Rung};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::tls::{Handshake, Terms};
use super::walk::Findings;

/// The largest head of a response, in bytes; hyper takes no less than 8 KiB.
const MAX_HEAD: usize = 32 * 1024;

/// The largest body that is read, in bytes: error pages and lists of certificates are far below.
const MAX_BODY: usize = 1024 * 1024;

/// The longest challenge that is shown, in characters.
const MAX_CHALLENGE: usize = 120;

/// What a server answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// By our clock, when the request left and when the head of the answer was there.
    pub(super) between: (SystemTime, SystemTime),
}

impl Answer {
    /// The schemes of `WWW-Authenticate`, each challenge as it stands but without what follows a first comma.
    pub(super) fn challenges(&self) -> Vec<String> {
        self.headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .map(|challenge| Escaped::new(&challenge).at_most(MAX_CHALLENGE).to_string())
            .collect()
    }

    /// Tells status and server.
    pub(super) fn note(&self, path: &str, findings: &mut Findings) {
        findings.note(format!("GET {path}: {}", self.status));
        findings.fact("status", self.status.as_u16());
        if let Some(server) = self.headers.get(SERVER) {
            let server = String::from_utf8_lossy(server.as_bytes());
            findings.note(format!("server {server}"));
            findings.fact("server", server);
        }
    }
}

/// What is asked, without a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) method: &'static str,
    /// The value of the `Host` header.
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    /// The type of the body that is not there.
    pub(super) content_type: Option<&'static str>,
}

/// Asks on a connection of its own, as nobody in particular.
pub(super) async fn ask(
    handshake: Handshake,
    terms: &Terms,
    question: Question<'_>,
    limit: Duration,
) -> Result<Answer, Failure> {
    let Question { method, path, .. } = question;
    let asked = handshake.asked.clone();
    let explain = |error: &hyper::Error| terms.explain(failure(error, terms), asked.as_ref());
    let io = TokioIo::new(handshake.stream);
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .handshake(io)
        .await
        .map_err(|error| explain(&error))?;
    // Ends with this function.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let request = request(question)?;
    let sent = SystemTime::now();
    let slow = || {
        let cause = format!(
            "The server did not answer {method} {path} within {} s.",
            limit.as_secs_f32()
        );
        KnownCause::AnswerTimedOut.failure(cause)
    };
    let response = timeout(limit, sender.send_request(request)).await;
    let response = response.map_err(|_| slow())?.map_err(|error| explain(&error))?;
    let between = (sent, SystemTime::now());
    let (head, body) = response.into_parts();
    // Read to its end, so that a connection that is cut within it is noticed; what it says is of no interest.
    let body = timeout(limit, Limited::new(body, MAX_BODY).collect()).await;
    match body.map_err(|_| slow())? {
        Ok(_) => Ok(Answer {
            status: head.status,
            headers: head.headers,
            between,
        }),
        Err(error) => match error.downcast::<hyper::Error>() {
            Ok(error) => Err(explain(&error)),
            Err(_) => Err(KnownCause::AnswerNotUnderstood.failure(format!(
                "The answer to {method} {path} is larger than {MAX_BODY} bytes."
            ))),
        },
    }
}

fn request(question: Question<'_>) -> Result<Request<Empty<Bytes>>, Failure> {
    let mut request = Request::builder()
        .method(question.method)
        .uri(question.path)
        .header(HOST, question.host)
        .header(USER_AGENT, concat!("interop-doctor/", env!("CARGO_PKG_VERSION")));
    if let Some(content_type) = question.content_type {
        request = request
            .header(CONTENT_TYPE, content_type)
            .header(CONTENT_LENGTH, 0);
    }
    request.body(Empty::new()).map_err(|error| {
        let cause = format!("{:?} makes no request: {error}.", question.path);
        Failure::new(Rung::Local, cause, "Correct the URL.")
    })
}

/// A TLS alert can arrive after the handshake: TLS 1.3 tells a client so that its certificate is refused.
fn failure(error: &hyper::Error, terms: &Terms) -> Failure {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            let is_tls = error
                .get_ref()
                .is_some_and(<dyn core::error::Error + Send + Sync>::is::<rustls::Error>);
            if is_tls || KnownCause::of_io(error.kind()).is_some() {
                return terms.context.diagnose_io(error, None);
            }
        }
        source = cause.source();
    }
    if error.is_incomplete_message() || error.is_closed() {
        return KnownCause::ConnectionLost
            .failure("The server ended the connection before its answer was complete.");
    }
    KnownCause::AnswerNotUnderstood.failure(format!("What the server answers is not HTTP: {error}."))
}
