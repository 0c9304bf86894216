//! What is served over plain HTTP, each at an address of its own.
//!
//! Revocation lists, as relying parties fetch them (RFC 5280, section 4.2.1.13): a list is signed, and fetching it over TLS
//! would need a certificate whose revocation has to be checked first. And metrics, as Prometheus scrapes them.

use core::convert::Infallible;
use core::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::state::ServerState;
use super::write_timeout::WriteTimeout;
use super::{ACCEPT_PAUSE, accept};
use crate::exposition;
use crate::operation::{OperationResponse, Refusal};

/// Connections at a time to one address. A fetch takes a moment, and this keeps them from the places of EST clients.
const CONNECTIONS: usize = 128;

/// How long one connection may last, whatever it does.
const CONNECTION_TIME: Duration = Duration::from_secs(60);

/// What is served at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    RevocationLists,
    Metrics,
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RevocationLists => "revocation lists",
            Self::Metrics => "metrics",
        })
    }
}

#[derive(Debug)]
pub(super) struct PlainListener {
    pub(super) listener: TcpListener,
    pub(super) content: Content,
}

impl PlainListener {
    pub(super) async fn run(self, state: Arc<ServerState>, shutdown: CancellationToken) {
        let Self { listener, content } = self;
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener, &places) => accepted,
                () = shutdown.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer, place)) => {
                    let (state, shutdown) = (Arc::clone(&state), shutdown.clone());
                    tokio::spawn(async move {
                        let _place = place;
                        let served = tokio::select! {
                            served = timeout(CONNECTION_TIME, serve(stream, state, content)) => served,
                            () = shutdown.cancelled() => return,
                        };
                        if let Ok(Err(error)) = served {
                            tracing::debug!(%peer, %content, cause = %error, "a plain HTTP connection failed");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%content, %error, "cannot accept a plain HTTP connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn serve(stream: TcpStream, state: Arc<ServerState>, content: Content) -> Result<(), hyper::Error> {
    let limits = state.serving.load().limits;
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        async move {
            Ok::<_, Infallible>(match content {
                Content::RevocationLists => revocation_list(&state, &request).await,
                Content::Metrics => exposition::answer(&request, || state.metrics()),
            })
        }
    });
    let stream = TokioIo::new(WriteTimeout::new(stream, limits.write_time));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .keep_alive(false)
        .serve_connection(stream, service)
        .await
}

async fn revocation_list(state: &ServerState, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let serving = state.serving.load_full();
    let answer = serving
        .operations
        .revocation_list(request.method(), request.uri().path());
    let found = match timeout(serving.limits.answer_time, answer).await {
        Ok(found) => found.unwrap_or(Err(Refusal::NotFound)),
        Err(_elapsed) => Err(Refusal::slow(serving.limits.answer_time)),
    };
    let response = found.unwrap_or_else(|refusal| {
        tracing::debug!(
            path = request.uri().path(),
            cause = refusal.log_cause(),
            "no revocation list"
        );
        refusal.to_response()
    });
    whole(response)
}

fn whole(response: OperationResponse) -> Response<Full<Bytes>> {
    let (parts, body) = Response::<Bytes>::from(response).into_parts();
    Response::from_parts(parts, Full::new(body))
}
