//! Revocation lists over plain HTTP, as relying parties fetch them (RFC 5280, section 4.2.1.13): a list is signed, and
//! fetching it over TLS would need a certificate whose revocation has to be checked first.

use core::convert::Infallible;
use std::net::SocketAddr;
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
use crate::operation::{OperationResponse, Refusal};

/// Connections at a time. A fetch takes a moment, and this keeps them from the places of EST clients.
const CONNECTIONS: usize = 128;

/// How long one connection may last, whatever it does.
const CONNECTION_TIME: Duration = Duration::from_secs(60);

pub(super) struct RevocationListener {
    pub(super) listener: TcpListener,
    pub(super) address: SocketAddr,
}

impl RevocationListener {
    pub(super) async fn run(self, state: Arc<ServerState>, shutdown: CancellationToken) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                accepted = accept(&self.listener, &places) => accepted,
                () = shutdown.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer, place)) => {
                    let (state, shutdown) = (Arc::clone(&state), shutdown.clone());
                    tokio::spawn(async move {
                        let _place = place;
                        tokio::select! {
                            served = timeout(CONNECTION_TIME, serve(stream, state)) => {
                                if let Ok(Err(error)) = served {
                                    tracing::debug!(%peer, cause = %error, "HTTP connection for a revocation list failed");
                                }
                            }
                            () = shutdown.cancelled() => {}
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection for revocation lists");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn serve(stream: TcpStream, state: Arc<ServerState>) -> Result<(), hyper::Error> {
    let limits = state.serving.load().limits;
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(answer(&state, &request).await) }
    });
    let stream = TokioIo::new(WriteTimeout::new(stream, limits.write_time));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .keep_alive(false)
        .serve_connection(stream, service)
        .await
}

async fn answer(state: &ServerState, request: &Request<Incoming>) -> Response<Full<Bytes>> {
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
