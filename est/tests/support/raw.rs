//! Requests as bytes, and what comes back, over a TLS connection of the test's own.

use std::sync::Arc;
use std::time::Duration;

use est::client::Client;
use est::request::KeyAndRequest;
use est::server::ServerStatistics;
use pki_common::identity::NewKey;
use pki_common::tls::{ClientTls, PeerVerifier, TlsVersions};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{PASSWORD, PATIENCE, TestServer, USER};

pub(crate) const ENROLL: &str = "/.well-known/est/simpleenroll";
pub(crate) const CACERTS: &str = "/.well-known/est/cacerts";

/// `Authorization` of the one user.
pub(crate) fn authorization() -> String {
    let credentials = est::auth::BasicCredentials::new(USER, PASSWORD).unwrap();
    format!("Authorization: {}\r\n", credentials.to_header().as_str())
}

pub(crate) fn csr() -> Vec<u8> {
    let made = KeyAndRequest::generate("CN=x".parse().unwrap(), vec![], NewKey::EcP256).unwrap();
    made.csr_der().to_vec()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    est::wire::base64::encode(bytes, est::wire::base64::Base64Layout::SingleLine)
}

/// A complete enrolment request with these headers.
pub(crate) fn post(headers: &str, body: &str) -> String {
    format!(
        "POST {ENROLL} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) fn good_headers() -> String {
    format!("Content-Type: application/pkcs10\r\n{}", authorization())
}

pub(crate) async fn tls(server: &TestServer) -> TlsStream<TcpStream> {
    let mut tls = ClientTls::new(PeerVerifier::trust_store(Arc::clone(&server.anchors)));
    tls.versions = TlsVersions::Tls12And13;
    let connector = TlsConnector::from(tls.rustls_config().unwrap());
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    connector.connect(name, stream).await.unwrap()
}

/// Everything that the server answers until it closes the connection, or until the first answer is complete.
pub(crate) async fn read_answer(stream: &mut TlsStream<TcpStream>) -> String {
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    let read = async {
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(length) => answer.extend_from_slice(&buffer[..length]),
            }
            if complete(&answer) {
                break;
            }
        }
    };
    timeout(PATIENCE, read)
        .await
        .expect("the server answers or closes within a bounded time");
    String::from_utf8_lossy(&answer).into_owned()
}

pub(crate) fn complete(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    // 100 Continue is not the answer.
    let (head, body) = match head.starts_with("http/1.1 100") {
        true => match body.split_once("\r\n\r\n") {
            Some(parts) => parts,
            None => return false,
        },
        false => (head, body),
    };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.is_some_and(|length| body.len() >= length.trim().parse::<usize>().unwrap())
}

pub(crate) async fn ask(server: &TestServer, request: &str) -> String {
    let mut stream = tls(server).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    read_answer(&mut stream).await
}

/// Asserts that the next client is served.
pub(crate) async fn unharmed(server: &TestServer) {
    let found = Client::new(server.client_config())
        .unwrap()
        .cacerts()
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
}

/// Waits until the counters show what is expected; they are written after the answer.
pub(crate) async fn counted(server: &TestServer, what: &str, expected: impl Fn(&ServerStatistics) -> bool) {
    let wait = async {
        while !expected(&server.handle.statistics()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = timeout(PATIENCE, wait).await;
    assert!(
        waited.is_ok(),
        "{what} is not counted: {:?}",
        server.handle.statistics()
    );
}

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}
