//! From an HTTP request to the operation and back, as a [`tower::Service`].

use core::convert::Infallible;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{HeaderValue, Request, Response, Version};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Body;
use rustls_pki_types::UnixTime;
use time::OffsetDateTime;

use super::access_log::AccessLine;
use super::authentication::AuthenticationRequest;
use super::counters::count;
use super::host::is_host;
use super::libest_clients;
use super::state::{ServerState, Serving};
use super::unnamed_clients;
use super::within::within;
use crate::auth::Client;
use crate::operation::{ConnectionFacts, EstPath, OperationRequest, OperationResponse, Refusal, Route};

type BoxError = Box<dyn core::error::Error + Send + Sync>;

/// The EST operations as a [`tower::Service`], for one connection.
///
/// [`Server`](super::Server) makes one per connection. It can also be mounted in another HTTP server, behind TLS:
/// make one with [`ServerHandle::service`](super::ServerHandle::service) and give each connection a copy through
/// [`EstService::for_connection`].
#[derive(Debug, Clone)]
pub struct EstService {
    state: Arc<ServerState>,
    connection: Arc<Connection>,
}

/// One connection: what is known of it, and what it has cost.
#[derive(Debug, Default)]
struct Connection {
    facts: Arc<ConnectionFacts>,
    requests: AtomicU32,
}

impl EstService {
    pub(crate) fn new(state: Arc<ServerState>) -> Self {
        Self {
            state,
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
            state: Arc::clone(&self.state),
            connection: Arc::new(connection),
        }
    }

    /// The answer to a request; never an error, which hyper wants in the type.
    pub(crate) async fn respond<B>(self, request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible>
    where
        B: Body<Data: Send, Error: Into<BoxError>> + Send,
    {
        let (head, body) = request.into_parts();
        // One configuration for the whole request, even if another comes meanwhile.
        let serving = self.state.serving.load_full();
        let mut client = Client::anonymous();
        let outcome = self.exchange(&serving, &head, body, &mut client).await;
        let mut response = match outcome {
            Ok(response) => response,
            Err(refusal) => {
                self.count_refusal(&refusal);
                let mut response = refusal.to_response();
                unnamed_clients::suit(&head.headers, &mut response);
                response
            }
        };
        // The limit is reached with this answer.
        if self.connection.requests.fetch_add(1, Ordering::Relaxed) + 1
            >= serving.limits.requests_per_connection
        {
            response
                .headers
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        self.record(&head, &client, &response);
        let mut response = Response::<Bytes>::from(response);
        libest_clients::choose_challenge(head.headers.get(USER_AGENT), &mut response);
        libest_clients::spell(&mut response).await;
        Ok(response.map(Full::new))
    }

    async fn exchange<B>(
        &self,
        serving: &Serving,
        head: &http::request::Parts,
        body: B,
        client: &mut Client,
    ) -> Result<OperationResponse, Refusal>
    where
        B: Body<Data: Send, Error: Into<BoxError>> + Send,
    {
        let Serving {
            operations, limits, ..
        } = serving;
        check_host(head)?;
        let time = limits.answer_time;
        let slow = |_| Refusal::slow(time);
        if operations.has_revocation_lists() {
            let list = operations.revocation_list(&head.method, head.uri.path());
            if let Some(answer) = within(time, pin!(list)).await.map_err(slow)? {
                return answer;
            }
        }
        let route = operations.route(&head.method, head.uri.path(), &head.headers)?;
        let connection = operations.connection_for(&route, &self.connection.facts, UnixTime::now());
        if operations.authentication(&route).is_some() {
            let mut found = Box::pin(self.authenticate(serving, &route, head, &connection));
            *client = within(time, found.as_mut()).await.map_err(slow)??;
        }
        let body = self.read_body(serving, &route, body).await?;
        let request = OperationRequest {
            route,
            client: client.clone(),
            connection,
            user_agent: head.headers.get(USER_AGENT).cloned(),
            body,
        };
        let answer = pin!(operations.answer(request));
        within(time, answer).await.map_err(slow)?
    }

    async fn authenticate(
        &self,
        serving: &Serving,
        route: &Route,
        head: &http::request::Parts,
        connection: &ConnectionFacts,
    ) -> Result<Client, Refusal> {
        let operations = &serving.operations;
        let Some(required) = operations.authentication(route) else {
            return Ok(Client::anonymous());
        };
        serving.check_not_revoked(self.connection.facts.certificate.as_ref())?;
        let asked = AuthenticationRequest {
            required,
            realm: operations.realm(route.label.as_ref()),
            operation: route.operation,
            head,
            certificate: connection.certificate.as_ref(),
            address: self.connection.facts.address,
        };
        serving.gate(&route.label).authenticate(asked).await
    }

    async fn read_body<B>(&self, serving: &Serving, route: &Route, body: B) -> Result<Bytes, Refusal>
    where
        B: Body<Data: Send, Error: Into<BoxError>> + Send,
    {
        let operation = route.operation;
        let limit = serving.operations.body_limit(route);
        if limit == 0 {
            // A body of a GET means nothing (RFC 9110, section 9.3.1) and is not read.
            return Ok(Bytes::new());
        }
        let too_large = Refusal::BodyTooLarge { operation, limit };
        if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
            return Err(too_large);
        }
        let time = serving.limits.body_time;
        let collected = pin!(Limited::new(body, limit).collect());
        match within(time, collected).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large),
            Ok(Err(error)) => Err(Refusal::BodyBroken {
                cause: error.to_string(),
            }),
            Err(_elapsed) => Err(Refusal::BodyTimeout { time }),
        }
    }

    fn count_refusal(&self, refusal: &Refusal) {
        let counters = &self.state.counters;
        match refusal {
            Refusal::BodyTooLarge { .. } => count(&counters.oversized_bodies),
            Refusal::BodyTimeout { .. } => count(&counters.body_timeouts),
            Refusal::BodyBroken { .. } => count(&counters.broken_bodies),
            _ => {}
        }
    }

    fn record(&self, head: &http::request::Parts, client: &Client, response: &OperationResponse) {
        let operation = EstPath::parse(head.uri.path()).map(|path| path.operation);
        self.state.counters.answered(operation, response.status);
        if !AccessLine::is_wanted() {
            return;
        }
        let address = self.connection.facts.address;
        AccessLine {
            address: address.unwrap_or(core::net::Ipv4Addr::UNSPECIFIED.into()),
            user: client.name(),
            authentication: client.methods,
            channel_binding: response.channel_binding,
            time: OffsetDateTime::now_utc(),
            method: &head.method,
            target: head.uri.path(),
            version: head.version,
            status: response.status,
            body_length: response.body.len(),
            est_error: response.est_error,
            known_cause: response.known_cause,
            cause: response.log_cause.as_deref(),
        }
        .log();
    }
}

/// hyper leaves this to its users.
fn check_host(head: &http::request::Parts) -> Result<(), Refusal> {
    let mut hosts = head.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.count()) {
        (None, _) if head.version != Version::HTTP_11 => Ok(()),
        (None, _) => Err(Refusal::Host { found: 0 }),
        (Some(host), 0) if is_host(host.as_bytes()) => Ok(()),
        (Some(_), 0) => Err(Refusal::InvalidHost),
        (Some(_), others) => Err(Refusal::Host { found: others + 1 }),
    }
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
        Box::pin(self.clone().respond(request))
    }
}
