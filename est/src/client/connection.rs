//! An HTTP connection that can serve several exchanges, and the place where it waits for the next.

use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::response::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use pki_common::KnownCause;
use pki_common::channel_binding::ChannelBindings;
use pki_common::tls::diagnose_io;
use tokio::io::AsyncReadExt as _;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use super::connector::ByteStream;
use crate::exchange::{ClientError, Connected, HttpRequest, Progress, answer};

/// The largest head of a response, in bytes; hyper takes no less than 8 KiB.
const MAX_RESPONSE_HEAD: usize = 64 * 1024;

/// How long a connection waits for the next exchange. Servers close theirs after 15 to 75 s; one that is about to be
/// closed is not worth the risk.
const MAX_IDLE: Duration = Duration::from_secs(10);

type Driver = http1::Connection<TokioIo<TlsStream<Box<dyn ByteStream>>>, Full<Bytes>>;

/// A connection. It is driven only while somebody uses it.
pub(crate) struct Connection {
    connected: Connected,
    sender: http1::SendRequest<Full<Bytes>>,
    /// `None` once it has been taken apart.
    driver: Option<Driver>,
    /// The driver has finished and must not be polled again.
    ended: bool,
    served: u32,
    idle_since: Instant,
}

/// An exchange that broke off.
pub(crate) struct Broken {
    pub(crate) error: ClientError,
    pub(crate) progress: Progress,
}

impl Connection {
    pub(crate) async fn new(
        id: u64,
        stream: TlsStream<Box<dyn ByteStream>>,
        bindings: ChannelBindings,
    ) -> Result<Self, ClientError> {
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(MAX_RESPONSE_HEAD)
            // Servers older than HTTP/2 have been seen to compare header names with case.
            .title_case_headers(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| http_error(&error))?;
        Ok(Self {
            connected: Connected { id, bindings },
            sender,
            driver: Some(driver),
            ended: false,
            served: 0,
            idle_since: Instant::now(),
        })
    }

    pub(super) fn connected(&self) -> Connected {
        self.connected.clone()
    }

    /// Sends the request and reads the answer to its end, but no more than `max_body` bytes of it.
    pub(crate) async fn exchange(
        &mut self,
        request: HttpRequest,
        max_body: usize,
    ) -> Result<Response<Bytes>, Broken> {
        let begun = |error| Broken {
            error,
            progress: Progress::Begun,
        };
        let unanswered = if self.served > 0 {
            Progress::Unanswered
        } else {
            Progress::Begun
        };
        let request = to_http(request).map_err(begun)?;
        let sent = self.sender.try_send_request(request);
        let response = drive(&mut self.driver, &mut self.ended, sent).await;
        let response = response.ok_or_else(|| Broken {
            error: closed(),
            progress: unanswered,
        })?;
        let response = response.map_err(|mut error| Broken {
            // The request comes back when no part of it was written.
            progress: error.take_message().map_or(unanswered, |_| Progress::Unsent),
            error: http_error(error.error()),
        })?;
        let (head, body) = response.into_parts();
        let read = read_body(&head, body, max_body);
        let body = drive(&mut self.driver, &mut self.ended, read).await;
        let mut body = body.unwrap_or_else(|| Err(closed())).map_err(begun)?;
        if answer::is_cut_off(&head.headers, &body) {
            self.read_on(&mut body, &head, max_body).await;
        }
        self.served += 1;
        self.idle_since = Instant::now();
        Ok(Response::from_parts(head, body.freeze()))
    }

    /// What the server sent beyond its Content-Length, when the body shows that the length was wrong (libest's
    /// multipart answers are 246 bytes longer than they say). The connection is of no use afterwards.
    async fn read_on(&mut self, body: &mut BytesMut, head: &Parts, max_body: usize) {
        self.ended = true;
        let Some(driver) = self.driver.take() else { return };
        // What hyper has read and not taken for a part of the answer.
        let parts = driver.into_parts();
        body.extend_from_slice(&parts.read_buf);
        let mut stream = parts.io.into_inner();
        while body.len() < max_body && answer::is_cut_off(&head.headers, body) {
            match stream.read_buf(body).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        body.truncate(max_body);
    }

    /// Whether it can serve another exchange: the server keeps it open, and has not closed it since, and it has not
    /// waited for longer than `max_idle`.
    pub(crate) async fn is_usable(&mut self, max_idle: Duration) -> bool {
        if self.ended || self.idle_since.elapsed() > max_idle {
            return false;
        }
        // One look at the socket; the driver notices an end of the stream.
        let ready = poll_fn(|context| {
            let ended = self
                .driver
                .as_mut()
                .is_none_or(|driver| driver.poll_without_shutdown(context).is_ready());
            if ended {
                self.ended = true;
                return Poll::Ready(false);
            }
            Poll::Ready(matches!(self.sender.poll_ready(context), Poll::Ready(Ok(()))))
        });
        ready.await
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.connected.id)
            .field("served", &self.served)
            .finish_non_exhaustive()
    }
}

/// Polls the connection beside the future that needs it. `None` when the connection has ended and the future still
/// waits: nothing will come any more.
async fn drive<F: Future>(driver: &mut Option<Driver>, ended: &mut bool, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| {
        if !*ended
            && let Some(driver) = driver
            && let Poll::Ready(result) = driver.poll_without_shutdown(context)
        {
            *ended = true;
            if let Err(error) = result {
                tracing::debug!(%error, "connection ended");
            }
        }
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            // The end may have been noticed in this very poll: what it leaves behind is there now.
            Poll::Pending if *ended => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

async fn read_body(head: &Parts, mut body: Incoming, max_body: usize) -> Result<BytesMut, ClientError> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                let Ok(data) = frame.into_data() else { continue };
                if read.len().saturating_add(data.len()) > max_body {
                    return Err(ClientError::ResponseTooLarge { limit: max_body });
                }
                read.extend_from_slice(&data);
            }
            // A body that ends with the connection, from a server that does not say goodbye in TLS. That the body is
            // whole shows in the body: ASN.1 carries its own length.
            Err(error) if ends_with_connection(head) && is_abrupt_end(&error) => break,
            Err(error) => return Err(http_error(&error)),
        }
    }
    Ok(read)
}

fn ends_with_connection(head: &Parts) -> bool {
    !head.headers.contains_key(CONTENT_LENGTH) && !head.headers.contains_key(TRANSFER_ENCODING)
}

fn is_abrupt_end(error: &hyper::Error) -> bool {
    matches!(
        io_kind(error),
        Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset)
    )
}

/// Whether the connection broke, in contrast to an answer that cannot be read.
fn is_lost(error: &hyper::Error) -> bool {
    io_kind(error).and_then(KnownCause::of_io) == Some(KnownCause::ConnectionLost)
}

fn io_kind(error: &hyper::Error) -> Option<io::ErrorKind> {
    let mut source = core::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        source = cause.source();
    }
    None
}

fn to_http(request: HttpRequest) -> Result<Request<Full<Bytes>>, ClientError> {
    let HttpRequest {
        method,
        target,
        headers,
        body,
    } = request;
    let mut made = Request::new(Full::new(body));
    *made.method_mut() = method;
    *made.uri_mut() = target.parse().map_err(|_| ClientError::Url {
        url: target.clone(),
        problem: "it makes no valid HTTP request",
    })?;
    *made.headers_mut() = headers;
    Ok(made)
}

fn closed() -> ClientError {
    ClientError::Http {
        lost: true,
        cause: "the connection ended before the answer did".to_owned(),
    }
}

/// A TLS alert can arrive after the handshake (TLS 1.3 tells a client so that its certificate is refused); it is found
/// in the sources of the HTTP error.
fn http_error(error: &hyper::Error) -> ClientError {
    let mut source = core::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io_error) = cause.downcast_ref::<io::Error>()
            && let Some(inner) = io_error.get_ref()
            && inner.is::<rustls::Error>()
        {
            return ClientError::Tls(Box::new(diagnose_io(io_error)));
        }
        source = cause.source();
    }
    let mut cause = error.to_string();
    let mut source = core::error::Error::source(error);
    while let Some(inner) = source {
        cause = format!("{cause}: {inner}");
        source = inner.source();
    }
    let lost = error.is_incomplete_message() || error.is_closed() || is_lost(error);
    ClientError::Http { cause, lost }
}

/// Connections that wait for the next exchange.
#[derive(Debug)]
pub(super) struct Idle {
    waiting: Mutex<Vec<Connection>>,
    limit: usize,
}

impl Idle {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            waiting: Mutex::new(Vec::new()),
            limit,
        }
    }

    /// One that still works. Those that do not are dropped.
    pub(super) async fn take(&self) -> Option<Connection> {
        loop {
            let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut connection = next?;
            if connection.is_usable(MAX_IDLE).await {
                return Some(connection);
            }
        }
    }

    pub(super) async fn keep(&self, mut connection: Connection) {
        if !connection.is_usable(MAX_IDLE).await {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < self.limit {
            waiting.push(connection);
        }
    }
}
