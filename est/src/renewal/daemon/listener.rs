//! `GET /metrics` on a loopback address.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use pki_common::{Diagnose, Failure, Rung};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::exposition;

/// One scraper and a person who looks: more are not needed, and none can fill the memory.
const MAX_CONNECTIONS: usize = 16;
/// How long a scraper may take to send its request.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// The longest a connection lives.
const CONNECTION_TIME: Duration = Duration::from_secs(60);

/// A listener for metrics. They name the identities of this machine, so it is for this machine only.
#[derive(Debug)]
pub struct MetricsListener {
    listener: TcpListener,
    address: SocketAddr,
}

/// Why metrics cannot be offered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsListenerError {
    /// The address can be reached from other machines.
    #[error("{0} is no loopback address")]
    NotLoopback(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        reason: String,
    },
}

impl Diagnose for MetricsListenerError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::NotLoopback(_) => {
                "Give 127.0.0.1:PORT or [::1]:PORT, and put a proxy in front for other machines."
            }
            Self::Bind { .. } => "Choose a port that is free and allowed.",
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

impl MetricsListener {
    /// Listens on a loopback address; port 0 takes a free one.
    ///
    /// # Errors
    /// [`MetricsListenerError`]
    pub async fn bind(address: SocketAddr) -> Result<Self, MetricsListenerError> {
        if !exposition::only_this_machine_reaches(address) {
            return Err(MetricsListenerError::NotLoopback(address));
        }
        let failed = |error: std::io::Error| MetricsListenerError::Bind {
            address,
            reason: error.to_string(),
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers until it is dropped.
    pub async fn run(self, text: Arc<ArcSwap<String>>) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection for metrics is not accepted");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            let text = Arc::clone(&text);
            tokio::spawn(async move {
                let service = hyper::service::service_fn(move |request| {
                    let text = Arc::clone(&text);
                    async move { Ok::<_, Infallible>(metrics(&request, &text)) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADER_TIME)
                    .serve_connection(TokioIo::new(stream), service);
                // A scraper that breaks off is no concern of ours.
                drop(tokio::time::timeout(CONNECTION_TIME, connection).await);
                drop(place);
            });
        }
    }
}

fn metrics(request: &Request<Incoming>, text: &ArcSwap<String>) -> Response<Full<Bytes>> {
    exposition::answer(request, || text.load().as_str().to_owned())
}
