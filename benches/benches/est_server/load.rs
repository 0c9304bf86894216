//! Clients that do as little as possible: prepared requests over TLS, and of the answers only status and length read.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use est::auth::BasicCredentials;
use est::request::{KeyAndRequest, Subject};
use est::wire::base64::{self, Base64Layout};
use pki_common::identity::NewKey;
use pki_common::tls::{ClientTls, PeerVerifier, TlsVersions};
use pki_common::trust_store::TrustStore;
use rustls::client::Resumption;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Who the clients are.
pub(crate) const USER: &str = "bench";
/// What they know.
pub(crate) const PASSWORD: &str = "a password for one machine and one run";

/// Requests ready to be sent.
pub(crate) type Requests = Arc<[Vec<u8>]>;

/// How a load is made.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// Clients at a time, each with one request in flight.
    pub(crate) clients: usize,
    /// Whether a client keeps its connection.
    pub(crate) keep_alive: bool,
    /// When to stop.
    pub(crate) until: Until,
}

/// When a load ends.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    /// After this time.
    Elapsed(Duration),
    /// After so many answers.
    Answers(usize),
}

/// Where the clients go.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) connector: TlsConnector,
}

impl Target {
    /// A server whose certificate leads to the CA certificate in the file. No session is ever resumed.
    pub(crate) fn new(address: SocketAddr, ca_pem: &Path, versions: TlsVersions) -> Self {
        let anchors = TrustStore::from_paths("bench", [ca_pem]).expect("the CA certificate was just written");
        let mut tls = ClientTls::new(PeerVerifier::trust_store(Arc::new(anchors)));
        tls.versions = versions;
        let mut config = (*tls.rustls_config().expect("a valid configuration")).clone();
        config.resumption = Resumption::disabled();
        Self {
            address,
            connector: TlsConnector::from(Arc::new(config)),
        }
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address)
            .await
            .expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        let name = ServerName::IpAddress(self.address.ip().into());
        self.connector
            .connect(name, stream)
            .await
            .expect("the handshake succeeds")
    }
}

/// `GET cacerts`.
pub(crate) fn cacerts() -> Requests {
    let text = "GET /.well-known/est/cacerts HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    Arc::from([text.as_bytes().to_vec()])
}

/// `POST simpleenroll`, each with a request of its own: a repeated one is another path through the server.
pub(crate) fn enrolments(count: usize, user: &str, password: &str, first: usize) -> Requests {
    let credentials = BasicCredentials::new(user, password).expect("valid credentials");
    let authorization = credentials.to_header();
    let key = pki_common::identity::generate_key(NewKey::EcP256).expect("the provider makes P-256 keys");
    (first..first + count)
        .map(|number| {
            let subject: Subject = format!("DC=com,DC=example,OU=eng,OU=lab,CN=device-{number}")
                .parse()
                .expect("a valid subject");
            let request = KeyAndRequest::for_key(subject, Vec::new(), key.clone_key()).expect("a valid request");
            let mut body = base64::encode(request.csr_der(), Base64Layout::SingleLine);
            body.push('\n'); // libest reads nothing without it
            format!(
                "POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/pkcs10\r\n\
                 Authorization: {}\r\nContent-Length: {}\r\n\r\n{body}",
                authorization.as_str(),
                body.len()
            )
            .into_bytes()
        })
        .collect()
}

/// Sends the requests, from the first on and around again, and returns answers per second.
pub(crate) async fn run(target: &Target, requests: &Requests, load: Load) -> f64 {
    let (answers, next) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let stop = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..load.clients {
        let client = OneClient {
            target: target.clone(),
            requests: Arc::clone(requests),
            keep_alive: load.keep_alive,
            stop: Arc::clone(&stop),
            next: Arc::clone(&next),
            answers: Arc::clone(&answers),
            most: match load.until {
                Until::Elapsed(_) => usize::MAX,
                Until::Answers(count) => count,
            },
        };
        clients.spawn(client.run());
    }
    let wakefulness = tokio::spawn(never_sleep());
    if let Until::Elapsed(time) = load.until {
        tokio::time::sleep(time).await;
        stop.store(true, Ordering::Relaxed);
    }
    clients.join_all().await;
    wakefulness.abort();
    let answered = u32::try_from(answers.load(Ordering::Relaxed)).expect("fewer than four billion");
    f64::from(answered) / started.elapsed().as_secs_f64()
}

/// Keeps the core of the clients busy. On loopback, it is the sender who pays for waking a sleeping receiver; over a
/// network, the receiver's own machine does. A client that never sleeps does not charge the server for it.
async fn never_sleep() {
    loop {
        tokio::task::yield_now().await;
    }
}

struct OneClient {
    target: Target,
    requests: Requests,
    keep_alive: bool,
    stop: Arc<AtomicBool>,
    next: Arc<AtomicUsize>,
    answers: Arc<AtomicUsize>,
    most: usize,
}

impl OneClient {
    async fn run(self) {
        let mut kept = None;
        let mut buffer = Vec::with_capacity(16 * 1024);
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.most || self.stop.load(Ordering::Relaxed) {
                return;
            }
            let request = &self.requests[number % self.requests.len()];
            let mut stream = match kept.take() {
                Some(stream) => stream,
                None => self.target.connect().await,
            };
            stream.write_all(request).await.expect("the server reads");
            stream.flush().await.expect("the server reads");
            let closes = answer(&mut stream, &mut buffer).await;
            self.answers.fetch_add(1, Ordering::Relaxed);
            if self.keep_alive && !closes {
                kept = Some(stream);
            }
        }
    }
}

/// Reads one answer to its end and tells whether the server closes the connection after it.
async fn answer(stream: &mut TlsStream<TcpStream>, buffer: &mut Vec<u8>) -> bool {
    buffer.clear();
    let head = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        let length = stream.read_buf(buffer).await.expect("an answer");
        assert!(length > 0, "the server closed the connection before its answer");
    };
    let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
    let status = text.split(' ').nth(1).unwrap_or_default();
    assert_eq!(
        status,
        "200",
        "{text}{}",
        String::from_utf8_lossy(&buffer[head..])
    );
    let length: usize = text
        .split_once("content-length:")
        .and_then(|(_, rest)| rest.split("\r\n").next())
        .and_then(|value| value.trim().parse().ok())
        .expect("the server tells the length");
    while buffer.len() < head + length {
        let length = stream.read_buf(buffer).await.expect("the rest of the answer");
        assert!(length > 0, "the server closed the connection within its answer");
    }
    text.starts_with("http/1.0") || text.contains("connection: close")
}
