//! Broken EST servers. HTTP is hyper's; what is broken is what such a device has of its own.

mod authority;
mod noticing;
pub(crate) mod padding_index;
pub(crate) mod reset_leak;
pub(crate) mod unchecked_signature;

use std::convert::Infallible;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use est::wire::base64::{Base64Layout, decode, encode};
use est::wire::certs_only;
use est::wire::csr::{CertificationRequest, CsrLimits, UnverifiedCsr, VerificationPolicy};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE,
};
use hyper::http::request::Parts;
use hyper::http::uri;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::lab::{Failed, Lab};
use authority::Authority;
use noticing::Noticing;

/// How long a handshake, a header and a body may take, each.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a device waits when it cannot accept a connection.
const PAUSE: Duration = Duration::from_millis(10);

/// The longest body of a request, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// User and password that may enrol.
const LOGIN: &str = "tester:tester";

const CERTS_ONLY: &str = "application/pkcs7-mime; smime-type=certs-only";

/// What these devices have of their own. As it stands here it is right; each device has one of the three in another way.
trait Own: Send + Sync + 'static {
    /// The body of an enrolment, as DER.
    fn decode(&self, body: &[u8]) -> Result<Vec<u8>, String> {
        decode(body, MAX_BODY).map_err(|error| error.to_string())
    }

    /// Whether the request comes from the holder of its key; the request.
    fn check(&self, request: UnverifiedCsr) -> Result<CertificationRequest, String> {
        let verified = request.verify(&VerificationPolicy::default());
        verified
            .map(|request| CertificationRequest::clone(&request))
            .map_err(|error| error.to_string())
    }

    /// A connection has ended. This is its socket, which is closed when nobody keeps it.
    fn ended(&self, _socket: TcpStream, _was_reset: bool) {}
}

struct Server<O> {
    own: O,
    authority: Authority,
    tls: Arc<ServerConfig>,
}

type Answer = Response<Full<Bytes>>;

/// Accepts for ever.
fn serve(listener: TcpListener, lab: &Lab, own: impl Own) -> Result<(), Failed> {
    let server = Arc::new(Server {
        own,
        authority: Authority::new(lab)?,
        tls: lab.est_tls()?,
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(Arc::clone(&server).connection(stream));
                }
                // No descriptor is left, or the peer has gone again.
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    })
}

impl<O: Own> Server<O> {
    async fn connection(self: Arc<Self>, stream: tokio::net::TcpStream) {
        let Ok((stream, socket)) = two_of(stream) else {
            return;
        };
        let was_reset = Arc::new(AtomicBool::new(false));
        let stream = Noticing::new(stream, Arc::clone(&was_reset));
        // Whatever ended it, the connection has ended.
        drop(Arc::clone(&self).converse(stream).await);
        self.own.ended(socket, was_reset.load(Ordering::Relaxed));
    }

    async fn converse(self: Arc<Self>, stream: Noticing) -> Result<(), Failed> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.tls));
        let stream = timeout(PATIENCE, acceptor.accept(stream)).await??;
        let known = stream.get_ref().1.peer_certificates().is_some();
        let service = service_fn(move |request| Arc::clone(&self).respond(request, known));
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), service)
            .await?;
        Ok(())
    }

    async fn respond(self: Arc<Self>, request: Request<Incoming>, known: bool) -> Result<Answer, Infallible> {
        let (head, body) = request.into_parts();
        if !has_host(&head) {
            return Ok(status(StatusCode::BAD_REQUEST));
        }
        let Some(operation) = head.uri.path().strip_prefix("/.well-known/est/") else {
            return Ok(status(StatusCode::NOT_FOUND));
        };
        let allowed = match operation {
            "cacerts" | "csrattrs" => Method::GET,
            "simpleenroll" | "simplereenroll" => Method::POST,
            _ => return Ok(status(StatusCode::NOT_FOUND)),
        };
        if head.method != allowed {
            let allowed = HeaderValue::from_str(allowed.as_str()).ok();
            return Ok(with(status(StatusCode::METHOD_NOT_ALLOWED), ALLOW, allowed));
        }
        Ok(match operation {
            "cacerts" => certificates(self.authority.certificate(), "application/pkcs7-mime"),
            "csrattrs" => status(StatusCode::NO_CONTENT),
            _ => self.enroll(&head.headers, body, known).await,
        })
    }

    async fn enroll(&self, headers: &HeaderMap, body: Incoming, known: bool) -> Answer {
        if !known && !is_logged_in(headers) {
            let challenge = HeaderValue::from_static("Basic realm=\"broken\"");
            return with(
                status(StatusCode::UNAUTHORIZED),
                WWW_AUTHENTICATE,
                Some(challenge),
            );
        }
        if !is_pkcs10(headers) {
            return status(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        let body = match timeout(PATIENCE, Limited::new(body, MAX_BODY).collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return status(StatusCode::PAYLOAD_TOO_LARGE),
            Ok(Err(_)) => return status(StatusCode::BAD_REQUEST),
            Err(_elapsed) => return status(StatusCode::REQUEST_TIMEOUT),
        };
        match self.issue(&body) {
            Ok(certificate) => certificates(&certificate, CERTS_ONLY),
            Err(reason) => {
                let mut answer = status(StatusCode::BAD_REQUEST);
                *answer.body_mut() = Full::from(reason);
                with(answer, CONTENT_TYPE, Some(HeaderValue::from_static("text/plain")))
            }
        }
    }

    fn issue(&self, body: &[u8]) -> Result<CertificateDer<'static>, String> {
        let der = self.own.decode(body)?;
        let request =
            UnverifiedCsr::from_der(&der, &CsrLimits::default()).map_err(|error| error.to_string())?;
        let request = self.own.check(request)?;
        self.authority.issue(&request).map_err(|error| error.to_string())
    }
}

/// The same socket twice: one to speak over, one to be kept or closed in the end.
fn two_of(stream: tokio::net::TcpStream) -> io::Result<(tokio::net::TcpStream, TcpStream)> {
    stream.set_nodelay(true)?;
    let socket = stream.into_std()?;
    let speaking = tokio::net::TcpStream::from_std(socket.try_clone()?)?;
    Ok((speaking, socket))
}

/// Whether there is one `Host`, and it is one (RFC 9112 section 3.2); hyper leaves that to its users.
fn has_host(head: &Parts) -> bool {
    let mut hosts = head.headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return head.version != Version::HTTP_11 && !head.headers.contains_key(HOST);
    };
    let Some(authority) = host
        .to_str()
        .ok()
        .and_then(|host| host.parse::<uri::Authority>().ok())
    else {
        return false;
    };
    let is_bare = authority.as_str() == authority.host();
    !authority.as_str().contains('@') && (is_bare || authority.port_u16().is_some())
}

fn is_logged_in(headers: &HeaderMap) -> bool {
    let expected = format!("Basic {}", STANDARD.encode(LOGIN));
    headers
        .get(AUTHORIZATION)
        .is_some_and(|given| given.as_bytes() == expected.as_bytes())
}

fn is_pkcs10(headers: &HeaderMap) -> bool {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = given.and_then(|given| given.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/pkcs10"))
}

fn certificates(certificate: &CertificateDer<'_>, content_type: &'static str) -> Answer {
    let Ok(message) = certs_only::encode(std::slice::from_ref(certificate)) else {
        return status(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let mut answer = status(StatusCode::OK);
    *answer.body_mut() = Full::from(encode(&message, Base64Layout::default()));
    let encoding = HeaderName::from_static("content-transfer-encoding");
    let answer = with(answer, encoding, Some(HeaderValue::from_static("base64")));
    with(answer, CONTENT_TYPE, Some(HeaderValue::from_static(content_type)))
}

fn status(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

fn with(mut answer: Answer, name: HeaderName, value: Option<HeaderValue>) -> Answer {
    if let Some(value) = value {
        answer.headers_mut().insert(name, value);
    }
    answer
}
