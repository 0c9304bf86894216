//! Asks the admin listener of a running controller.

use core::time::Duration;
use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::header::{ACCEPT, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use pki_common::{Diagnose, Escaped, Failure, KnownCause, Rung};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::show::State;

/// How long asking may take, from the name to the last byte: longer than any answer of a controller on the same machine
/// or behind a tunnel takes.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(15);

/// The longest answer that is read, in bytes: an authlist of 400,000 entries.
pub const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// How many bytes of an answer that is no success are shown.
const SHOWN: usize = 200;

/// Why a controller could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminClientError {
    /// The address cannot be used.
    #[error("{address} cannot be resolved: {source}")]
    NameResolution {
        /// As given.
        address: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// No connection.
    #[error("no admin listener answers at {address}: {source}")]
    Connect {
        /// As given.
        address: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// It took too long.
    #[error("{address} did not answer within {FETCH_TIMEOUT:?}")]
    TimedOut {
        /// As given.
        address: String,
    },
    /// It does not speak HTTP, or the connection broke.
    #[error("{address} does not answer in HTTP: {source}")]
    Http {
        /// As given.
        address: String,
        /// What was wrong.
        source: hyper::Error,
    },
    /// It refused.
    #[error("{address} answered {status}: {text}")]
    Status {
        /// As given.
        address: String,
        /// The status.
        status: StatusCode,
        /// The beginning of its explanation, on one line.
        text: String,
    },
    /// The answer is too long.
    #[error("{address} answered with more than {MAX_ANSWER} bytes")]
    TooLong {
        /// As given.
        address: String,
    },
    /// The answer is not the state of a controller.
    #[error("{address} answered with something else than the state of a controller: {source}")]
    NoState {
        /// As given.
        address: String,
        /// Where and why.
        source: serde_json::Error,
    },
}

impl AdminClientError {
    fn known_cause(&self) -> Option<KnownCause> {
        match self {
            Self::NameResolution { .. } => Some(KnownCause::NameNotResolved),
            Self::Connect { source, .. } => KnownCause::of_io(source.kind()),
            Self::TimedOut { .. } => Some(KnownCause::AnswerTimedOut),
            Self::Status { status, .. } => match status.as_u16() {
                404 => Some(KnownCause::PageNotFound),
                500..=599 => Some(KnownCause::ServerFailed),
                _ => None,
            },
            Self::Http { .. } | Self::NoState { .. } => Some(KnownCause::AnswerNotUnderstood),
            Self::TooLong { .. } => None,
        }
    }
}

impl Diagnose for AdminClientError {
    fn diagnose(&self) -> Failure {
        let (rung, remedy) = match self {
            Self::NameResolution { .. } => (
                Rung::NameResolution,
                "give an address and a port, such as 127.0.0.1:16180",
            ),
            Self::Connect { .. } => (
                Rung::Tcp,
                "start the controller with [admin] listen = \"127.0.0.1:16180\" in its configuration, or say with --admin \
                 where its admin listener is",
            ),
            Self::TimedOut { .. } => (
                Rung::Tcp,
                "check that a controller listens there, and that it is not overloaded",
            ),
            Self::Http { .. } => (
                Rung::Body,
                "check that --admin names the admin listener, not the NMSP port",
            ),
            Self::Status { .. } => (
                Rung::Status,
                "check that --admin names the admin listener of a controller",
            ),
            Self::TooLong { .. } | Self::NoState { .. } => (
                Rung::Body,
                "check that --admin names the admin listener of a controller of this version",
            ),
        };
        let failure = Failure::new(rung, self.to_string(), remedy);
        match self.known_cause() {
            Some(known_cause) => failure.known_as(known_cause),
            None => failure,
        }
    }
}

/// Reads the state of the controller whose admin listener is at `address` (`host:port`), with the entries of its authlist
/// or without.
///
/// # Errors
/// If nobody answers there within [`FETCH_TIMEOUT`], or not with the state of a controller in at most [`MAX_ANSWER`] bytes.
pub async fn fetch_state(address: &str, with_auth_list: bool) -> Result<State, AdminClientError> {
    let path = if with_auth_list {
        "/state"
    } else {
        "/state?without=auth-list"
    };
    let body =
        timeout(FETCH_TIMEOUT, fetch(address, path))
            .await
            .map_err(|_| AdminClientError::TimedOut {
                address: address.to_owned(),
            })??;
    serde_json::from_slice(&body).map_err(|source| AdminClientError::NoState {
        address: address.to_owned(),
        source,
    })
}

async fn fetch(address: &str, path: &str) -> Result<Bytes, AdminClientError> {
    let http = |source| AdminClientError::Http {
        address: address.to_owned(),
        source,
    };
    let stream = connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(http)?;
    let exchange = async {
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = hyper::Uri::try_from(path).unwrap_or_default();
        let json = hyper::header::HeaderValue::from_static("application/json");
        request.headers_mut().insert(ACCEPT, json);
        if let Ok(host) = address.parse() {
            request.headers_mut().insert(HOST, host);
        }
        let answer = sender.send_request(request).await.map_err(http)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(source) => http(*source),
            Err(other) => {
                debug_assert!(other.is::<LengthLimitError>(), "{other}");
                AdminClientError::TooLong {
                    address: address.to_owned(),
                }
            }
        })?;
        Ok((status, body.to_bytes()))
    };
    // The connection has to be driven. When it ends by itself, the exchange says how, or only that it was cancelled by that.
    let mut exchange = core::pin::pin!(exchange);
    let outcome = tokio::select! {
        outcome = exchange.as_mut() => outcome,
        ended = connection => match (exchange.await, ended) {
            (Err(AdminClientError::Http { source, .. }), Err(cause)) if source.is_canceled() => Err(http(cause)),
            (outcome, _) => outcome,
        },
    };
    match outcome? {
        (StatusCode::OK, body) => Ok(body),
        (status, body) => {
            let text = String::from_utf8_lossy(&body);
            Err(AdminClientError::Status {
                address: address.to_owned(),
                status,
                text: Escaped::new(text.trim()).at_most(SHOWN).to_string(),
            })
        }
    }
}

async fn connect(address: &str) -> Result<TcpStream, AdminClientError> {
    let resolved = tokio::net::lookup_host(address).await;
    let resolved = resolved.map_err(|source| AdminClientError::NameResolution {
        address: address.to_owned(),
        source,
    })?;
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for candidate in resolved {
        match TcpStream::connect(candidate).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(AdminClientError::Connect {
        address: address.to_owned(),
        source: failure,
    })
}
