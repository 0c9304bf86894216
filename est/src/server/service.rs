//! From an HTTP request to the operation and back, as a [`tower::Service`].

use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{HeaderValue, Request, Response, Version};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Body;
use time::OffsetDateTime;
use tokio::time::timeout;

use super::ServerLimits;
use super::access_log::AccessLine;
use super::authentication::{AuthenticationGate, AuthenticationRequest};
use super::counters::{Counters, count};
use crate::auth::{Authenticator, Client};
use crate::operation::{
    ConnectionFacts, EstPath, OperationRequest, OperationResponse, Operations, Refusal, Route,
};

type BoxError = Box<dyn core::error::Error + Send + Sync>;

/// When a client should come back after an answer that took too long.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The EST operations as a [`tower::Service`], for one connection.
///
/// [`Server`](super::Server) makes one per connection. It can also be mounted in another HTTP server, behind TLS:
/// make one with [`EstService::new`] and give each connection a copy through [`EstService::for_connection`].
#[derive(Debug, Clone)]
pub struct EstService {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
}

/// What all connections have in common.
#[derive(Debug)]
struct Shared {
    operations: Operations,
    authentication: AuthenticationGate,
    limits: ServerLimits,
    counters: Arc<Counters>,
}

/// One connection: what is known of it, and what it has cost.
#[derive(Debug, Default)]
struct Connection {
    facts: Arc<ConnectionFacts>,
    requests: AtomicU32,
}

impl EstService {
    /// A service for a connection of which nothing is known.
    #[must_use]
    pub fn new(operations: Operations, authenticator: Arc<dyn Authenticator>, limits: ServerLimits) -> Self {
        Self::counting(operations, authenticator, limits, Arc::default())
    }

    pub(crate) fn counting(
        operations: Operations,
        authenticator: Arc<dyn Authenticator>,
        limits: ServerLimits,
        counters: Arc<Counters>,
    ) -> Self {
        let authentication = AuthenticationGate::new(authenticator, &limits, Arc::clone(&counters));
        Self {
            shared: Arc::new(Shared {
                operations,
                authentication,
                limits,
                counters,
            }),
            connection: Arc::default(),
        }
    }

    /// The same service for a connection of which this is known.
    #[must_use]
    pub fn for_connection(&self, facts: ConnectionFacts) -> Self {
        let connection = Connection {
            facts: Arc::new(facts),
            requests: AtomicU32::new(0),
        };
        Self {
            shared: Arc::clone(&self.shared),
            connection: Arc::new(connection),
        }
    }

    async fn respond<B>(self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data: Send, Error: Into<BoxError>> + Send,
    {
        let (head, body) = request.into_parts();
        let mut client = Client::anonymous();
        let outcome = self.exchange(&head, body, &mut client).await;
        let mut response = match outcome {
            Ok(response) => response,
            Err(refusal) => {
                self.count_refusal(&refusal);
                refusal.to_response()
            }
        };
        // The limit is reached with this answer.
        if self.connection.requests.fetch_add(1, Ordering::Relaxed) + 1
            >= self.shared.limits.requests_per_connection
        {
            response
                .headers
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        self.record(&head, &client, &response);
        let (parts, body) = Response::<Bytes>::from(response).into_parts();
        Response::from_parts(parts, Full::new(body))
    }

    async fn exchange<B>(
        &self,
        head: &http::request::Parts,
        body: B,
        client: &mut Client,
    ) -> Result<OperationResponse, Refusal>
    where
        B: Body<Data: Send, Error: Into<BoxError>> + Send,
    {
        let Shared {
            operations, limits, ..
        } = &*self.shared;
        check_host(head)?;
        let route = operations.route(&head.method, head.uri.path(), &head.headers)?;
        let slow = |_| Refusal::Unavailable {
            retry_after: RETRY_AFTER,
            cause: format!("no answer within {} s", limits.answer_time.as_secs_f32()),
        };
        *client = timeout(limits.answer_time, self.authenticate(&route, head))
            .await
            .map_err(slow)??;
        let body = self.read_body(&route, body).await?;
        let request = OperationRequest {
            route,
            client: client.clone(),
            connection: Arc::clone(&self.connection.facts),
            user_agent: head.headers.get(USER_AGENT).cloned(),
            body,
        };
        timeout(limits.answer_time, operations.answer(request))
            .await
            .map_err(slow)?
    }

    async fn authenticate(&self, route: &Route, head: &http::request::Parts) -> Result<Client, Refusal> {
        let Shared {
            operations,
            authentication,
            ..
        } = &*self.shared;
        let Some(required) = operations.authentication(route) else {
            return Ok(Client::anonymous());
        };
        let asked = AuthenticationRequest {
            required,
            realm: operations.realm(route.label.as_ref()),
            operation: route.operation,
            head,
            certificate: self.connection.facts.certificate.as_ref(),
            address: self.connection.facts.address,
        };
        authentication.authenticate(asked).await
    }

    async fn read_body<B>(&self, route: &Route, body: B) -> Result<Bytes, Refusal>
    where
        B: Body<Data: Send, Error: Into<BoxError>> + Send,
    {
        let operation = route.operation;
        let limit = self.shared.operations.body_limit(route);
        if limit == 0 {
            // A body of a GET means nothing (RFC 9110, section 9.3.1) and is not read.
            return Ok(Bytes::new());
        }
        let too_large = Refusal::BodyTooLarge { operation, limit };
        if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
            return Err(too_large);
        }
        let time = self.shared.limits.body_time;
        match timeout(time, Limited::new(body, limit).collect()).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large),
            Ok(Err(error)) => Err(Refusal::BodyBroken {
                cause: error.to_string(),
            }),
            Err(_elapsed) => Err(Refusal::BodyTimeout { time }),
        }
    }

    fn count_refusal(&self, refusal: &Refusal) {
        let counters = &self.shared.counters;
        match refusal {
            Refusal::BodyTooLarge { .. } => count(&counters.oversized_bodies),
            Refusal::BodyTimeout { .. } => count(&counters.body_timeouts),
            Refusal::BodyBroken { .. } => count(&counters.broken_bodies),
            _ => {}
        }
    }

    fn record(&self, head: &http::request::Parts, client: &Client, response: &OperationResponse) {
        let operation = EstPath::parse(head.uri.path()).map(|path| path.operation);
        self.shared.counters.answered(operation, response.status);
        let address = self.connection.facts.address;
        AccessLine {
            address: address.unwrap_or(core::net::Ipv4Addr::UNSPECIFIED.into()),
            user: client.name(),
            time: OffsetDateTime::now_utc(),
            method: &head.method,
            target: head.uri.path(),
            version: head.version,
            status: response.status,
            body_length: response.body.len(),
            est_error: response.est_error,
            cause: response.log_cause.as_deref(),
        }
        .log();
    }
}

/// hyper leaves this to its users.
fn check_host(head: &http::request::Parts) -> Result<(), Refusal> {
    let found = head.headers.get_all(HOST).iter().count();
    if head.version == Version::HTTP_11 && found != 1 {
        return Err(Refusal::Host { found });
    }
    Ok(())
}

impl<B> tower::Service<Request<B>> for EstService
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.respond(request).await) })
    }
}
