//! From a request to its answer.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use tokio::sync::Semaphore;

use super::accept::quality;
use super::metrics::{open_metrics, prometheus_text};
use super::restconf::{self, RestconfError};
use crate::server::ServerHandle;
use crate::show::{SrvStats, State};

/// How many answers with a whole authlist may be in memory: one of 100,000 entries takes some 15 MB.
const WHOLE_STATES: usize = 2;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

const INDEX: &str =
    "/restconf/data/Cisco-IOS-XE-wireless-nmsp-oper:nmsp-oper-data\n/metrics\n/healthz\n/state\n";

type Answer = Response<Full<Bytes>>;

/// What can be asked for.
#[derive(Debug)]
pub(super) struct Routes {
    server: ServerHandle,
    restarts: u64,
    /// Whether the listener is on a loopback address, where no name but `localhost` belongs.
    loopback: bool,
    whole_states: Arc<Semaphore>,
}

impl Routes {
    pub(super) fn new(server: ServerHandle, restarts: u64, loopback: bool) -> Self {
        Self {
            server,
            restarts,
            loopback,
            whole_states: Arc::new(Semaphore::new(WHOLE_STATES)),
        }
    }

    fn state(&self) -> State {
        State {
            srv_stats: SrvStats {
                srv_restarts: self.restarts,
            },
            ..State::of(&self.server)
        }
    }

    pub(super) async fn answer(&self, request: &Request<Incoming>) -> Answer {
        let path = request.uri().path();
        let mut answer = if self.loopback && !is_local_name(request) {
            plain(
                StatusCode::MISDIRECTED_REQUEST,
                "ask by an IP address or localhost",
            )
        } else if restconf::is_below(path) {
            self.restconf(request)
        } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
            plain(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only")
        } else {
            match path {
                "/" => plain(StatusCode::OK, INDEX.trim_end()),
                "/healthz" => self.health(),
                "/metrics" => self.metrics(request.headers()),
                "/state" => self.whole_state(request.uri().query()).await,
                _ => plain(StatusCode::NOT_FOUND, "nothing here; / lists what there is"),
            }
        };
        if answer.status() == StatusCode::METHOD_NOT_ALLOWED {
            let allowed = HeaderValue::from_static("GET, HEAD");
            answer.headers_mut().insert(ALLOW, allowed);
        }
        let fresh = HeaderValue::from_static("no-store");
        answer.headers_mut().insert(CACHE_CONTROL, fresh);
        tracing::debug!(method = %request.method(), path, status = answer.status().as_u16(), "admin request");
        answer
    }

    fn health(&self) -> Answer {
        if self.server.is_shutting_down() {
            plain(StatusCode::SERVICE_UNAVAILABLE, "shutting down")
        } else {
            plain(StatusCode::OK, "ok")
        }
    }

    fn metrics(&self, headers: &HeaderMap) -> Answer {
        let open = quality(headers, "application/openmetrics-text");
        let text = quality(headers, "text/plain");
        let (content_type, made) = if text == 0 && open == 0 {
            return plain(
                StatusCode::NOT_ACCEPTABLE,
                "application/openmetrics-text or text/plain",
            );
        } else if open > text {
            (OPEN_METRICS, open_metrics(&self.state()))
        } else {
            (PROMETHEUS_TEXT, prometheus_text(&self.state()))
        };
        respond(StatusCode::OK, content_type, made.into())
    }

    fn restconf(&self, request: &Request<Incoming>) -> Answer {
        let resource = if quality(request.headers(), restconf::MEDIA_TYPE) == 0 {
            Err(RestconfError::not_acceptable())
        } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
            Err(RestconfError::read_only())
        } else {
            restconf::resource(&self.state(), request.uri().path(), request.uri().query())
        };
        let (status, document) = match resource {
            Ok(document) => (StatusCode::OK, document),
            Err(error) => (error.status, error.document()),
        };
        respond(status, restconf::MEDIA_TYPE, document.to_string().into())
    }

    /// With an authlist it may be long: it is made on a thread of its own, and few at a time.
    async fn whole_state(&self, query: Option<&str>) -> Answer {
        match query {
            None => {}
            Some("without=auth-list") => return json(&self.state()),
            Some(_) => {
                let what = "the only query is ?without=auth-list";
                return plain(StatusCode::BAD_REQUEST, what);
            }
        }
        let busy = || plain(StatusCode::SERVICE_UNAVAILABLE, "shutting down");
        let Ok(place) = Arc::clone(&self.whole_states).acquire_owned().await else {
            return busy();
        };
        let (state, server) = (self.state(), self.server.clone());
        let made = tokio::task::spawn_blocking(move || json_bytes(&state.with_auth_list(&server)));
        match made.await {
            // The place is given back when the answer has been sent.
            Ok(body) => respond(
                StatusCode::OK,
                JSON,
                Bytes::from_owner(Held { body, _place: place }),
            ),
            Err(_) => busy(),
        }
    }
}

/// An answer with its place among the few.
struct Held {
    body: Vec<u8>,
    _place: tokio::sync::OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

fn json_bytes(state: &State) -> Vec<u8> {
    let mut body = serde_json::to_vec(state).unwrap_or_default();
    body.push(b'\n');
    body
}

fn json(state: &State) -> Answer {
    respond(StatusCode::OK, JSON, json_bytes(state).into())
}

fn plain(status: StatusCode, text: &str) -> Answer {
    respond(status, TEXT, format!("{text}\n").into())
}

fn respond(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}

/// Whether a request was made to this machine by an address or `localhost`. A browser that was led here by a name which
/// its owner points to 127.0.0.1 says that name.
fn is_local_name(request: &Request<Incoming>) -> bool {
    let asked = request.uri().authority().map(hyper::http::uri::Authority::host);
    let host = asked.map(str::to_owned).or_else(|| {
        let header = request.headers().get(HOST)?.to_str().ok()?;
        let authority: hyper::http::uri::Authority = header.parse().ok()?;
        Some(authority.host().to_owned())
    });
    match host {
        Some(host) => is_local_host(&host),
        // HTTP/1.0 has no such header, and no browser of today speaks it; an unreadable one is refused.
        None => !request.headers().contains_key(HOST),
    }
}

fn is_local_host(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_somebody_else_is_not_local() {
        for (host, local) in [
            ("localhost", true),
            ("LocalHost", true),
            ("127.0.0.1", true),
            ("[::1]", true),
            ("attacker.example", false),
            ("localhost.attacker.example", false),
            ("127.0.0.1.attacker.example", false),
            ("", false),
        ] {
            assert_eq!(is_local_host(host), local, "{host}");
        }
    }
}
