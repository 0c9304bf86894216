//! What a stranger can send, and the documented answer to each, over real TLS sockets.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step of a test is a failed test; clippy sees only functions marked as tests"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use est::client::Client;
use est::operation::{Operation, OperationSettings};
use est::request::KeyAndRequest;
use est::server::{ServerLimits, ServerStatistics};
use pki_common::identity::NewKey;
use pki_common::tls::{ClientTls, PeerVerifier, TlsVersions};
use rustls_pki_types::ServerName;
use support::{PASSWORD, PATIENCE, Setup, TestServer, USER, pem};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const ENROLL: &str = "/.well-known/est/simpleenroll";
const CACERTS: &str = "/.well-known/est/cacerts";

/// `Authorization` of the one user.
fn authorization() -> String {
    let credentials = est::auth::BasicCredentials::new(USER, PASSWORD).unwrap();
    format!("Authorization: {}\r\n", credentials.to_header().as_str())
}

fn csr() -> Vec<u8> {
    let made = KeyAndRequest::generate("CN=x".parse().unwrap(), vec![], NewKey::EcP256).unwrap();
    made.csr_der().to_vec()
}

fn base64(bytes: &[u8]) -> String {
    est::wire::base64::encode(bytes, est::wire::base64::Base64Layout::SingleLine)
}

/// A complete enrolment request with these headers.
fn post(headers: &str, body: &str) -> String {
    format!(
        "POST {ENROLL} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn good_headers() -> String {
    format!("Content-Type: application/pkcs10\r\n{}", authorization())
}

async fn tls(server: &TestServer) -> TlsStream<TcpStream> {
    let mut tls = ClientTls::new(PeerVerifier::trust_store(Arc::clone(&server.anchors)));
    tls.versions = TlsVersions::Tls12And13;
    let connector = TlsConnector::from(tls.rustls_config().unwrap());
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    connector.connect(name, stream).await.unwrap()
}

/// Everything that the server answers until it closes the connection, or until the first answer is complete.
async fn read_answer(stream: &mut TlsStream<TcpStream>) -> String {
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

fn complete(answer: &[u8]) -> bool {
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

async fn ask(server: &TestServer, request: &str) -> String {
    let mut stream = tls(server).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    read_answer(&mut stream).await
}

/// Asserts that the next client is served.
async fn unharmed(server: &TestServer) {
    let found = Client::new(server.client_config())
        .unwrap()
        .cacerts()
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
}

/// Waits until the counters show what is expected; they are written after the answer.
async fn counted(server: &TestServer, what: &str, expected: impl Fn(&ServerStatistics) -> bool) {
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

struct Case {
    name: &'static str,
    request: String,
    status: u16,
    /// Must occur in the answer, headers included.
    says: &'static str,
}

fn case(name: &'static str, request: String, status: u16, says: &'static str) -> Case {
    Case {
        name,
        request,
        status,
        says,
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

/// A request whose signature is of another length-preserving content.
fn csr_with_wrong_signature() -> Vec<u8> {
    let mut der = csr();
    // The subject CN=x is the only "x" behind its OID in the first 60 bytes; the signature no longer covers it.
    let position = der
        .windows(3)
        .position(|window| window == [0x0c, 0x01, b'x'])
        .unwrap();
    der[position + 2] = b'y';
    der
}

/// Made by openssl; see testdata/csr/make.sh.
const RSA_512_CSR: &[u8] = include_bytes!("../testdata/csr/rsa512.der");

fn content_cases() -> Vec<Case> {
    let auth = authorization();
    let good = good_headers();
    let body = base64(&csr());
    let mut trailing = csr();
    trailing.push(0);
    let huge = "A".repeat(65 * 1024);
    vec![
        case(
            "no Content-Type",
            post(&auth, &body),
            415,
            "Content-Type is missing",
        ),
        case(
            "wrong Content-Type",
            post(&format!("Content-Type: text/plain\r\n{auth}"), &body),
            415,
            "text/plain",
        ),
        case(
            "compressed",
            post(&format!("Content-Encoding: gzip\r\n{good}"), &body),
            415,
            "gzip",
        ),
        case(
            "not base64",
            post(&good, "%%%%"),
            400,
            "base64, byte 0: 0x25 is not a base64 character",
        ),
        case("cut off", post(&good, &body[..body.len() - 3]), 400, "cut off"),
        case("empty", post(&good, ""), 400, "empty"),
        case("not DER", post(&good, "aGVsbG8="), 400, "certification request"),
        case(
            "bytes behind",
            post(&good, &base64(&trailing)),
            400,
            "1 bytes follow",
        ),
        case(
            "wrong signature",
            post(&good, &base64(&csr_with_wrong_signature())),
            400,
            "signature",
        ),
        case("RSA-512", post(&good, &base64(RSA_512_CSR)), 400, "512"),
        case(
            "over the limit",
            post(&good, &huge),
            413,
            "larger than the 65536 bytes",
        ),
    ]
}

fn authentication_cases() -> Vec<Case> {
    let body = base64(&csr());
    vec![
        case(
            "no password",
            post("Content-Type: application/pkcs10\r\n", &body),
            401,
            "Basic realm=",
        ),
        case(
            "malformed credentials",
            post(
                "Content-Type: application/pkcs10\r\nAuthorization: Basic !!\r\n",
                &body,
            ),
            400,
            "not base64",
        ),
    ]
}

fn path_cases() -> Vec<Case> {
    vec![
        case(
            "NUL in the path",
            get("/.well-known/est/cacerts%00.txt"),
            404,
            "byte for byte",
        ),
        case(
            "escaped path",
            get("/.well-known/est/%63acerts"),
            404,
            "byte for byte",
        ),
        case("another path", get("/index.html"), 404, "byte for byte"),
        case(
            "label unknown",
            get("/.well-known/est/nowhere/cacerts"),
            404,
            "no such EST path",
        ),
        case("GET on simpleenroll", get(ENROLL), 405, "allow: post"),
        case(
            "POST on cacerts",
            post("", "").replace(ENROLL, CACERTS),
            405,
            "allow: get, head",
        ),
        case(
            "csrattrs",
            get("/.well-known/est/csrattrs"),
            404,
            "no particular attributes",
        ),
        case(
            "fullcmc",
            post("", "").replace("simpleenroll", "fullcmc"),
            501,
            "does not offer",
        ),
        case(
            "simplereenroll",
            post("", "").replace("simpleenroll", "simplereenroll"),
            501,
            "does not offer",
        ),
        case(
            "serverkeygen",
            post("", "").replace("simpleenroll", "serverkeygen"),
            501,
            "does not offer",
        ),
    ]
}

fn http_cases() -> Vec<Case> {
    let good = good_headers();
    let body = base64(&csr());
    let length = body.len();
    let start = format!("POST {ENROLL} HTTP/1.1\r\nHost: x\r\n{good}");
    vec![
        case(
            "two lengths",
            format!("{start}Content-Length: {length}\r\nContent-Length: 1\r\n\r\n{body}"),
            400,
            "",
        ),
        case(
            "bad chunk",
            format!("{start}Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
            400,
            "",
        ),
        case("not HTTP", "hello\r\n\r\n".to_owned(), 400, ""),
        case(
            "giant header",
            format!("GET {CACERTS} HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(64 * 1024)),
            431,
            "",
        ),
    ]
}

#[tokio::test]
async fn every_bad_request_gets_its_documented_answer_and_harms_nobody() {
    for versions in [TlsVersions::Tls12, TlsVersions::Tls13] {
        let setup = Setup {
            versions,
            ..Setup::default()
        };
        answers_every_case(TestServer::start(setup).await).await;
    }
}

async fn answers_every_case(server: TestServer) {
    for case in content_cases()
        .into_iter()
        .chain(authentication_cases())
        .chain(path_cases())
        .chain(http_cases())
    {
        let answer = ask(&server, &case.request).await;
        let expected = format!("HTTP/1.1 {}", case.status);
        assert!(answer.starts_with(&expected), "{}: {answer:?}", case.name);
        let found = answer.contains(case.says) || answer.to_ascii_lowercase().contains(case.says);
        assert!(found, "{}: {answer:?} does not say {:?}", case.name, case.says);
        assert!(
            !answer.contains("BEGIN") && !answer.contains("MII"),
            "{}: no certificate",
            case.name
        );
        unharmed(&server).await;
    }
    let found = server.handle.statistics();
    let enroll = Some(Operation::SimpleEnroll);
    assert_eq!(found.answers(enroll, 415), 3);
    assert_eq!(found.answers(enroll, 413), 1);
    assert_eq!(found.answers(enroll, 401), 1);
    assert_eq!(found.answers(enroll, 405), 1);
    assert_eq!(found.answers(enroll, 200), 0);
    assert_eq!(found.oversized_bodies, 1);
    assert_eq!(found.broken_bodies, 1);
    assert!(found.malformed_requests >= 3, "{found:?}");
    server.stop().await;
}

/// RFC 9112, section 6.1, lets a server go by the Transfer-Encoding, but it must close the connection then: what follows
/// could be a request that somebody in between did not see.
#[tokio::test]
async fn bytes_behind_a_body_of_two_lengths_are_not_answered() {
    let server = TestServer::start(Setup::default()).await;
    let body = base64(&csr());
    let request = format!(
        "POST {ENROLL} HTTP/1.1\r\nHost: x\r\n{}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n\
         {:x}\r\n{body}\r\n0\r\n\r\n{}",
        good_headers(),
        body.len(),
        get(CACERTS)
    );
    let mut stream = tls(&server).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answers = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answers))
        .await
        .expect("closed")
        .unwrap_or_default();
    let answers = String::from_utf8_lossy(&answers).to_ascii_lowercase();
    assert_eq!(answers.matches("http/1.1 ").count(), 1, "{answers}");
    assert!(answers.contains("connection: close"), "{answers}");
    assert_eq!(
        server.handle.statistics().answers(Some(Operation::CaCerts), 200),
        0
    );
}

#[tokio::test]
async fn bodies_arrive_in_every_shape_that_clients_send() {
    let server = TestServer::start(Setup::default()).await;
    let good = good_headers();
    let der = csr();
    let line = base64(&der);
    let chunked: String = line
        .as_bytes()
        .chunks(7)
        .map(|part| format!("{:x}\r\n{}\r\n", part.len(), String::from_utf8_lossy(part)))
        .collect();
    let wrapped: String = line
        .trim()
        .as_bytes()
        .chunks(64)
        .map(|part| format!("{}\r\n", String::from_utf8_lossy(part)))
        .collect();
    let start = format!("POST {ENROLL} HTTP/1.1\r\nHost: x\r\n{good}");
    for (name, request) in [
        ("one line", post(&good, &line)),
        ("without the final newline", post(&good, line.trim())),
        ("64 columns", post(&good, &wrapped)),
        ("PEM", post(&good, &pem("CERTIFICATE REQUEST", &der))),
        (
            "chunked",
            format!("{start}Transfer-Encoding: chunked\r\n\r\n{chunked}0\r\n\r\n"),
        ),
        ("HTTP/1.0", post(&good, &line).replace("HTTP/1.1", "HTTP/1.0")),
        (
            "upper case and parameters",
            post(&good, &line).replace(
                "application/pkcs10",
                "APPLICATION/PKCS10; charset=\"us-ascii\"; x=y",
            ),
        ),
        (
            "a wrong Content-Transfer-Encoding",
            post(&format!("Content-Transfer-Encoding: binary\r\n{good}"), &line),
        ),
    ] {
        let answer = ask(&server, &request).await;
        assert!(
            answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.0 200"),
            "{name}: {answer}"
        );
        let lower = answer.to_ascii_lowercase();
        assert!(
            lower.contains("content-type: application/pkcs7-mime; smime-type=certs-only"),
            "{name}: {answer}"
        );
        assert!(
            lower.contains("content-transfer-encoding: base64"),
            "{name}: {answer}"
        );
    }
}

#[tokio::test]
async fn continues_when_a_client_asks_before_it_sends() {
    let server = TestServer::start(Setup::default()).await;
    let line = base64(&csr());
    let mut stream = tls(&server).await;
    let head = format!(
        "POST {ENROLL} HTTP/1.1\r\nHost: x\r\n{}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        good_headers(),
        line.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 25];
    timeout(PATIENCE, stream.read_exact(&mut first))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&first, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(line.as_bytes()).await.unwrap();
    let answer = read_answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn refuses_before_the_body_when_a_client_asks_before_it_sends() {
    let server = TestServer::start(Setup::default()).await;
    let mut stream = tls(&server).await;
    let head = format!(
        "POST {ENROLL} HTTP/1.1\r\nHost: x\r\nContent-Type: application/pkcs10\r\nExpect: 100-continue\r\n\
         Content-Length: 1000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = read_answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

/// Limits that a test can wait for.
fn impatient() -> Setup {
    let short = Duration::from_millis(300);
    let limits = ServerLimits {
        handshake_time: short,
        header_time: short,
        body_time: short,
        ..ServerLimits::default()
    };
    Setup {
        limits,
        ..Setup::default()
    }
}

#[tokio::test]
async fn a_client_that_stalls_is_cut_off_and_counted() {
    let server = TestServer::start(impatient()).await;

    let mut silent = TcpStream::connect(server.address).await.unwrap();
    timeout(PATIENCE, silent.read_to_end(&mut Vec::new()))
        .await
        .expect("closed")
        .unwrap_or_default();
    counted(&server, "a silent client", |found| found.handshake_timeouts == 1).await;

    let mut half = TcpStream::connect(server.address).await.unwrap();
    half.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
        .await
        .unwrap();
    timeout(PATIENCE, half.read_to_end(&mut Vec::new()))
        .await
        .expect("closed")
        .unwrap_or_default();
    counted(&server, "a stalled handshake", |found| {
        found.handshake_timeouts == 2
    })
    .await;

    let answer = ask(&server, &format!("GET {CACERTS} HTTP/1.1\r\nHost:")).await;
    assert!(!answer.contains("200"), "{answer}");
    counted(&server, "a stalled header", |found| found.header_timeouts == 1).await;

    let stalled_body = format!(
        "POST {ENROLL} HTTP/1.1\r\n{}Content-Length: 100\r\n\r\nMII",
        good_headers()
    );
    let answer = ask(&server, &stalled_body).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    counted(&server, "a stalled body", |found| found.body_timeouts == 1).await;
    unharmed(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn an_endless_chunked_body_ends_at_the_limit() {
    let server = TestServer::start(Setup::default()).await;
    let mut stream = tls(&server).await;
    let head = format!(
        "POST {ENROLL} HTTP/1.1\r\n{}Transfer-Encoding: chunked\r\n\r\n",
        good_headers()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let chunk = format!("1000\r\n{}\r\n", "A".repeat(4096));
    let endless = tokio::spawn(async move { while writer.write_all(chunk.as_bytes()).await.is_ok() {} });
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(Ok(length)) = timeout(PATIENCE, reader.read(&mut buffer)).await {
        answer.extend_from_slice(&buffer[..length]);
        if length == 0 || complete(&answer) {
            break;
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(
        answer.to_ascii_lowercase().contains("connection: close"),
        "{answer}"
    );
    timeout(PATIENCE, endless)
        .await
        .expect("the server closes the connection")
        .unwrap();
    counted(&server, "the body", |found| found.oversized_bodies == 1).await;
    unharmed(&server).await;
}

#[tokio::test]
async fn a_client_that_does_not_speak_tls_is_turned_away_and_counted() {
    let server = TestServer::start(Setup::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(get(CACERTS).as_bytes()).await.unwrap();
    timeout(PATIENCE, stream.read_to_end(&mut Vec::new()))
        .await
        .expect("closed")
        .unwrap_or_default();
    counted(&server, "plain HTTP", |found| found.not_tls == 1).await;

    drop(TcpStream::connect(server.address).await.unwrap());
    counted(&server, "a port scan", |found| found.closed_in_handshake == 1).await;
    unharmed(&server).await;
}

#[tokio::test]
async fn silent_connections_do_not_keep_others_from_the_handshake() {
    let limits = ServerLimits {
        handshakes: 2,
        ..ServerLimits::default()
    };
    let server = TestServer::start(Setup {
        limits,
        ..Setup::default()
    })
    .await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    unharmed(&server).await;
    drop(silent);
}

#[tokio::test]
async fn a_connection_serves_several_requests_up_to_its_limit() {
    let limits = ServerLimits {
        requests_per_connection: 3,
        ..ServerLimits::default()
    };
    let server = TestServer::start(Setup {
        limits,
        ..Setup::default()
    })
    .await;
    let mut stream = tls(&server).await;
    for number in 1..=3 {
        stream.write_all(get(CACERTS).as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream).await.to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 200"), "{answer}");
        assert_eq!(
            answer.contains("connection: close"),
            number == 3,
            "request {number}: {answer}"
        );
    }
    assert_eq!(
        stream.read(&mut [0]).await.unwrap(),
        0,
        "the connection is closed in order"
    );
}

#[tokio::test]
async fn a_shutdown_ends_idle_connections_and_frees_the_port() {
    let server = TestServer::start(Setup::default()).await;
    let mut idle = tls(&server).await;
    idle.write_all(get(CACERTS).as_bytes()).await.unwrap();
    read_answer(&mut idle).await;
    let address = server.address;
    server.stop().await;
    assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn the_base64_layout_of_answers_is_a_setting() {
    use est::wire::base64::Base64Layout;
    for (layout, longest) in [(Base64Layout::Columns64Lf, 64), (Base64Layout::Columns76CrLf, 76)] {
        let settings = OperationSettings {
            layout,
            content_transfer_encoding: false,
            ..OperationSettings::default()
        };
        let server = TestServer::start(Setup {
            settings,
            ..Setup::default()
        })
        .await;
        let answer = ask(&server, &get(CACERTS)).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            !head.to_ascii_lowercase().contains("content-transfer-encoding"),
            "{head}"
        );
        assert_eq!(body.lines().map(str::len).max(), Some(longest));
        unharmed(&server).await;
    }
}

#[tokio::test]
async fn head_is_answered_like_get_without_a_body() {
    let server = TestServer::start(Setup::default()).await;
    let mut stream = tls(&server).await;
    let request = get(CACERTS)
        .replace("GET", "HEAD")
        .replace("Host: x", "Host: x\r\nConnection: close");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
}
