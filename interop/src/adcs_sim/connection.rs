//! Connections: TLS, HTTP, the faults on the way, and the log.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderName, HeaderValue, REFERER, SERVER,
};
use hyper::header::{USER_AGENT, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use pki_common::Certificate;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::answer::{Answer, AnswerBody};
use super::authority::Authority;
use super::fault::{Faults, Place};
use super::iis_log::{IisLog, LogLine, win32};
use super::login::{ConnectionLogin, Gate, Outcome};
use super::ntlm::ServerNames;
use super::requests::Requests;
use super::settings::Settings;
use super::site::{PageRequest, Site, place_of};

/// The most connections at once: a registration authority has a pool of a few, a load test some hundreds.
pub const MAX_CONNECTIONS: usize = 1_024;

/// The longest body of a request, in bytes. A form with a request of RSA-8192 has 20 kB.
pub const MAX_BODY: usize = 256 * 1024;

/// How long a handshake may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(30);

/// How long a connection may be idle, as with IIS, and how long a body may take.
const IDLE_TIME: Duration = Duration::from_secs(120);

/// How long to wait before accepting again when the operating system has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What all connections share.
#[derive(Debug)]
pub(super) struct Lab {
    pub(super) settings: Settings,
    pub(super) names: ServerNames,
    pub(super) authority: Authority,
    pub(super) requests: Requests,
    pub(super) log: IisLog,
    pub(super) moment: watch::Sender<Arc<Moment>>,
    pub(super) provider: Arc<CryptoProvider>,
}

/// The faults of a moment, and the TLS configuration they make.
#[derive(Debug)]
pub(super) struct Moment {
    pub(super) faults: Faults,
    pub(super) tls: Arc<ServerConfig>,
}

/// One connection.
#[derive(Debug)]
struct Connection {
    lab: Arc<Lab>,
    server: SocketAddr,
    client: SocketAddr,
    login: ConnectionLogin,
}

/// Ends a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the simulator drops the connection")]
struct Dropped;

/// Accepts connections until the task is aborted, and with it those that run.
pub(super) async fn accept(listener: TcpListener, lab: Arc<Lab>) -> Infallible {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut tasks = JoinSet::new();
    loop {
        while tasks.try_join_next().is_some() {}
        let place = Arc::clone(&places).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, client)) => {
                let lab = Arc::clone(&lab);
                tasks.spawn(async move {
                    let _place = place;
                    serve(lab, stream, client).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the simulator cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(lab: Arc<Lab>, stream: TcpStream, client: SocketAddr) {
    let moment = lab.moment();
    lab.stall(&moment, Place::Tls).await;
    let (Ok(server), Ok(())) = (stream.local_addr(), stream.set_nodelay(true)) else {
        return;
    };
    if moment.faults.drops(Place::Tls) {
        return;
    }
    let acceptor = TlsAcceptor::from(Arc::clone(&lab.moment().tls));
    let stream = match timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::info!(%client, %error, "TLS handshake with the simulator failed"),
        Err(_elapsed) => return tracing::info!(%client, "TLS handshake with the simulator took too long"),
    };
    let certificates = stream.get_ref().1.peer_certificates();
    let certificate = certificates.and_then(<[_]>::first);
    let login = ConnectionLogin::of_certificate(certificate.and_then(|der| lab.user_of(der)));
    let connection = Arc::new(Connection {
        lab,
        server,
        client,
        login,
    });
    let service = service_fn(move |request| respond(Arc::clone(&connection), request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIME)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::info!(%client, %error, "connection with the simulator ended");
    }
}

impl Lab {
    fn moment(&self) -> Arc<Moment> {
        Arc::clone(&self.moment.borrow())
    }

    /// Waits as the faults want it: the delay of before, and a hang until it is taken away.
    async fn stall(&self, moment: &Moment, place: Place) {
        tokio::time::sleep(moment.faults.delay(place)).await;
        if moment.faults.hangs(place) {
            let mut moments = self.moment.subscribe();
            // The sender is ours, so the wait ends by the condition.
            drop(moments.wait_for(|now| !now.faults.hangs(place)).await);
        }
    }

    /// The user of a certificate that the TLS layer has verified: its common name, when there is such an account.
    fn user_of(&self, certificate: &[u8]) -> Option<String> {
        let certificate = Certificate::from_der(certificate).ok()?;
        let name = certificate.common_name()?;
        let mut users = self.settings.users.iter();
        let known = users.find(|user| user.name.eq_ignore_ascii_case(name))?;
        Some(format!("{}\\{}", self.settings.domain, known.name))
    }

    fn clock(&self, faults: &Faults) -> OffsetDateTime {
        OffsetDateTime::now_utc() + time::Duration::seconds(faults.clock_offset())
    }
}

async fn respond(
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Dropped> {
    let started = Instant::now();
    let lab = &connection.lab;
    let moment = lab.moment();
    let (head, body) = request.into_parts();
    let body = match timeout(IDLE_TIME, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(body)) => Some(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => None,
        Ok(Err(_)) | Err(_) => return Err(Dropped),
    };
    let place = place_of(head.uri.path());
    let (answer, user) = connection.answer(&moment.faults, &head, body.as_ref(), place);
    let mut record = Record {
        connection: &connection,
        started,
        line: Some(connection.line(&head, &answer, user)),
    };
    let place = place.unwrap_or(Place::AllPages);
    lab.stall(&moment, place).await;
    if moment.faults.drops(place) {
        return Err(Dropped);
    }
    if moment.faults.drops_in_answer(place) {
        return Ok(connection.response(&moment.faults, answer, true));
    }
    record.complete();
    Ok(connection.response(&moment.faults, answer, false))
}

impl Connection {
    /// The answer, and the user for the log.
    fn answer(
        &self,
        faults: &Faults,
        head: &http::request::Parts,
        body: Option<&Bytes>,
        place: Option<Place>,
    ) -> (Answer, Option<String>) {
        let Some(place) = place else {
            return (Answer::status(404, 0, win32::FILE_NOT_FOUND, "Not Found"), None);
        };
        let lab = &self.lab;
        let gate = Gate {
            settings: &lab.settings,
            names: &lab.names,
            faults,
            provider: &lab.provider,
            now: u64::try_from(lab.clock(faults).unix_timestamp()).unwrap_or(0),
        };
        let user = match gate.check(&self.login, &head.headers) {
            Outcome::User(user) => user,
            Outcome::Refused(refused) => {
                let title = if refused.status == 401 {
                    "Unauthorized"
                } else {
                    "Forbidden"
                };
                let mut answer = Answer::status(refused.status, refused.substatus, refused.win32, title);
                let challenges = refused.challenges.into_iter();
                answer
                    .headers
                    .extend(challenges.map(|challenge| (WWW_AUTHENTICATE.as_str(), challenge)));
                return (answer, refused.user);
            }
        };
        if faults.server_error(place) {
            return (Answer::status(500, 0, 0, "Internal Server Error"), Some(user));
        }
        let Some(body) = body else {
            return (Answer::status(413, 0, 0, "Request Entity Too Large"), Some(user));
        };
        let request = PageRequest {
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            body,
            host: text_of(&head.headers, HOST).unwrap_or_default(),
            user_agent: text_of(&head.headers, USER_AGENT).unwrap_or_default(),
            user: &user,
        };
        let site = Site {
            settings: &lab.settings,
            authority: &lab.authority,
            requests: &lab.requests,
            faults,
        };
        let answer = site.answer(place, &request);
        (answer, Some(user))
    }

    fn line(&self, head: &http::request::Parts, answer: &Answer, user: Option<String>) -> LogLine {
        let text = |name| text_of(&head.headers, name).map(str::to_owned);
        LogLine {
            time: OffsetDateTime::UNIX_EPOCH,
            server: self.server,
            method: head.method.to_string(),
            stem: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            user,
            client: self.client,
            user_agent: text(USER_AGENT),
            referer: text(REFERER),
            status: answer.status,
            substatus: answer.substatus,
            win32: answer.win32,
            time_taken: 0,
        }
    }

    fn response(&self, faults: &Faults, answer: Answer, cut: bool) -> Response<AnswerBody> {
        let body = if cut {
            AnswerBody::cut(&answer.body)
        } else {
            AnswerBody::whole(answer.body)
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
        headers.insert(SERVER, HeaderValue::from_static("Microsoft-IIS/10.0 (simulated)"));
        for (name, value) in answer.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        let stamp = format_description!(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
        );
        let date = self.lab.clock(faults).format(stamp).ok();
        if let Some(date) = date.and_then(|date| HeaderValue::from_str(&date).ok()) {
            headers.insert(DATE, date);
        }
        if answer.status == 413 {
            // The rest of the body is not read.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Writes the line when the answer is decided, or when the client went away before.
struct Record<'a> {
    connection: &'a Connection,
    started: Instant,
    line: Option<LogLine>,
}

impl Record<'_> {
    fn complete(&mut self) {
        if let Some(line) = self.line.take() {
            self.write(line);
        }
    }

    fn write(&self, mut line: LogLine) {
        let lab = &self.connection.lab;
        line.time = lab.clock(&lab.moment().faults);
        line.time_taken = self.started.elapsed().as_millis();
        lab.log.add(line);
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if let Some(mut line) = self.line.take() {
            line.win32 = win32::CONNECTION_LOST;
            self.write(line);
        }
    }
}

fn text_of(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
