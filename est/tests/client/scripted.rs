//! A TLS server that answers bytes from a script, and a tiny CONNECT proxy.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use est::client::{Client, ClientConfig};
use pki_common::identity::Identity;
use pki_common::tls::{ClientAuthentication, PeerVerifier, ServerTls, TlsVersions};
use pki_common::trust_store::TrustStore;
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::authority::Authority;
use crate::support::PATIENCE;

/// What the server got.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// Connections are counted from 0.
    pub(crate) connection: usize,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) with_certificate: bool,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }
}

/// What the server does after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Keep,
    /// `close_notify`, then the end of TCP.
    Close,
    /// The end of TCP alone, as old servers do it.
    Cut,
    /// Nothing more, and the connection stays open.
    Stall,
}

pub(crate) struct Reply(pub(crate) Vec<u8>, pub(crate) Then);

pub(crate) fn reply(status: &str, headers: &str, body: &[u8]) -> Reply {
    let length = body.len();
    let mut bytes = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n").into_bytes();
    bytes.extend_from_slice(body);
    Reply(bytes, Then::Keep)
}

type Script = dyn Fn(&Received) -> Reply + Send + Sync;

pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    pub(crate) authority: Arc<Authority>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Scripted {
    /// Answers every request with what `script` makes of it.
    pub(crate) async fn start(script: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_for(Authority::root("Scripted Root"), TlsVersions::Tls12And13, script).await
    }

    pub(crate) async fn start_for(
        authority: Authority,
        versions: TlsVersions,
        script: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start_shared(Arc::new(authority), versions, script).await
    }

    /// For scripts that issue certificates themselves.
    pub(crate) async fn start_shared(
        authority: Arc<Authority>,
        versions: TlsVersions,
        script: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let leaf = authority.leaf("scripted server");
        let chain = vec![leaf.certificate.der().clone()];
        let identity = Identity::from_parts(chain, PrivateKeyDer::Pkcs8(leaf.key)).unwrap();
        let mut tls = ServerTls::new(Arc::new(identity));
        tls.versions = versions;
        let mut anchors = TrustStore::empty("scripted clients");
        anchors.add(&authority.certificate).unwrap();
        tls.client_authentication =
            ClientAuthentication::Optional(PeerVerifier::trust_store(Arc::new(anchors)));
        let acceptor = TlsAcceptor::from(tls.rustls_config().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (seen, script): (_, Arc<Script>) = (Arc::clone(&received), Arc::new(script));
        tokio::spawn(async move {
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                let (acceptor, seen, script) = (acceptor.clone(), Arc::clone(&seen), Arc::clone(&script));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let with_certificate = stream.get_ref().1.peer_certificates().is_some();
                        serve(stream, connection, with_certificate, &seen, &*script).await;
                    }
                });
            }
        });
        Self {
            address,
            authority,
            received,
        }
    }

    pub(crate) fn config(&self) -> ClientConfig {
        let mut anchors = TrustStore::empty("test anchors");
        anchors.add(&self.authority.certificate).unwrap();
        let url = format!("https://{}", self.address).parse().unwrap();
        let mut config = ClientConfig::new(url, Arc::new(anchors));
        config.timeouts = est::client::ClientTimeouts::per_step(PATIENCE);
        config.ask_csr_attributes = false;
        config
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.config()).unwrap()
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    connection: usize,
    with_certificate: bool,
    seen: &Mutex<Vec<Received>>,
    script: &Script,
) {
    while let Some((head, body)) = read_request(&mut stream).await {
        let received = Received {
            connection,
            head,
            body,
            with_certificate,
        };
        let Reply(bytes, then) = script(&received);
        seen.lock().unwrap().push(received);
        if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        match then {
            Then::Keep => {}
            Then::Close => {
                let _ended = stream.shutdown().await;
                return;
            }
            Then::Cut => return,
            Then::Stall => std::future::pending().await,
        }
    }
}

async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let split = loop {
        if let Some(split) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break split;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..split].to_vec()).unwrap();
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    let end = split + 4 + length.unwrap_or(0);
    while bytes.len() < end {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some((head, bytes[split + 4..end].to_vec()))
}

/// A CONNECT proxy that answers the head with `answer` and, when that is a 200, passes bytes on.
pub(crate) struct TestProxy {
    pub(crate) address: SocketAddr,
    pub(crate) heads: Arc<Mutex<Vec<String>>>,
}

impl TestProxy {
    pub(crate) async fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        tokio::spawn(async move {
            loop {
                let Ok((mut stream, _)) = listener.accept().await else {
                    return;
                };
                let seen = Arc::clone(&seen);
                tokio::spawn(async move {
                    let Some((head, _)) = read_request(&mut stream).await else {
                        return;
                    };
                    let target = head.split(' ').nth(1).unwrap().to_owned();
                    seen.lock().unwrap().push(head);
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    if answer.contains(" 200 ") {
                        let mut server = TcpStream::connect(target).await.unwrap();
                        let _ended = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
                    }
                });
            }
        });
        Self { address, heads }
    }
}
