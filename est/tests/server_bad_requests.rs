//! Every bad request with its documented answer: status, text, counter, and the next client unharmed. Over real TLS
//! sockets, with TLS 1.2 and 1.3.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step of a test is a failed test; clippy sees only functions marked as tests"
)]

mod support;

use est::operation::Operation;
use est::server::ServerStatistics;
use pki_common::tls::TlsVersions;
use support::raw::{
    CACERTS, ENROLL, ask, authorization, base64, counted, csr, get, good_headers, post, unharmed,
};
use support::{Setup, TestServer};

struct Case {
    name: &'static str,
    request: String,
    status: u16,
    /// Must occur in the answer, headers included.
    says: &'static str,
    /// Where it is counted.
    counted: Counted,
}

#[derive(Debug, Clone, Copy)]
enum Counted {
    /// As an answer with its status, to this operation or to a path that is none.
    Answer(Option<Operation>),
    /// As a request that is no HTTP.
    Malformed,
}

impl Counted {
    fn of(self, statistics: &ServerStatistics, status: u16) -> u64 {
        match self {
            Self::Answer(operation) => statistics.answers(operation, status),
            Self::Malformed => statistics.malformed_requests,
        }
    }
}

fn case(name: &'static str, request: String, status: u16, says: &'static str) -> Case {
    Case {
        name,
        request,
        status,
        says,
        counted: Counted::Answer(Some(Operation::SimpleEnroll)),
    }
}

impl Case {
    fn counted_as(mut self, operation: impl Into<Option<Operation>>) -> Self {
        self.counted = Counted::Answer(operation.into());
        self
    }

    fn malformed(mut self) -> Self {
        self.counted = Counted::Malformed;
        self
    }
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

fn header_cases() -> Vec<Case> {
    let auth = authorization();
    let good = good_headers();
    let body = base64(&csr());
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
            "two Content-Types",
            post(&format!("{good}Content-Type: text/plain\r\n"), &body),
            415,
            "application/pkcs10, text/plain",
        ),
        case(
            "compressed",
            post(&format!("Content-Encoding: gzip\r\n{good}"), &body),
            415,
            "gzip",
        ),
        case(
            "compressed, said second",
            post(
                &format!("Content-Encoding: identity\r\nContent-Encoding: gzip\r\n{good}"),
                &body,
            ),
            415,
            "gzip",
        ),
    ]
}

fn body_cases() -> Vec<Case> {
    let good = good_headers();
    let body = base64(&csr());
    let mut trailing = csr();
    trailing.push(0);
    let huge = "A".repeat(65 * 1024);
    vec![
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

fn with_password(user: &str, password: &str) -> String {
    let credentials = est::auth::BasicCredentials::new(user, password).unwrap();
    format!(
        "Content-Type: application/pkcs10\r\nAuthorization: {}\r\n",
        credentials.to_header().as_str()
    )
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
            "wrong password",
            post(&with_password(support::USER, "wrong"), &body),
            401,
            "user name or password is wrong",
        ),
        case(
            "unknown user",
            post(&with_password("nobody", support::PASSWORD), &body),
            401,
            "user name or password is wrong",
        ),
        case(
            "two Authorization headers",
            post(&format!("{}{}", good_headers(), authorization()), &body),
            400,
            "more than one Authorization header",
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
        )
        .counted_as(None),
        case(
            "escaped path",
            get("/.well-known/est/%63acerts"),
            404,
            "byte for byte",
        )
        .counted_as(None),
        case("another path", get("/index.html"), 404, "byte for byte").counted_as(None),
        case(
            "label unknown",
            get("/.well-known/est/nowhere/cacerts"),
            404,
            "no such EST path",
        )
        .counted_as(Operation::CaCerts),
        case("GET on simpleenroll", get(ENROLL), 405, "allow: post"),
        case(
            "POST on cacerts",
            post("", "").replace(ENROLL, CACERTS),
            405,
            "allow: get, head",
        )
        .counted_as(Operation::CaCerts),
        case(
            "fullcmc",
            post("", "").replace("simpleenroll", "fullcmc"),
            404,
            "not configured",
        )
        .counted_as(Operation::FullCmc),
        case(
            "serverkeygen",
            post("", "").replace("simpleenroll", "serverkeygen"),
            404,
            "not configured",
        )
        .counted_as(Operation::ServerKeyGen),
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
        )
        .malformed(),
        case(
            "bad chunk",
            format!("{start}Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
            400,
            "",
        ),
        case(
            "no Host",
            get(CACERTS).replace("Host: x\r\n", ""),
            400,
            "0 Host headers",
        )
        .counted_as(Operation::CaCerts),
        case(
            "a Host that is none",
            get(CACERTS).replace("Host: x\r\n", "Host: user@x/y\r\n"),
            400,
            "no host and port",
        )
        .counted_as(Operation::CaCerts),
        case(
            "two Hosts in HTTP/1.0",
            get(CACERTS)
                .replace("HTTP/1.1", "HTTP/1.0")
                .replace("Host: x\r\n", "Host: x\r\nHost: x\r\n"),
            400,
            "2 Host headers",
        )
        .counted_as(Operation::CaCerts),
        case(
            "two Hosts",
            get(CACERTS).replace("Host: x\r\n", "Host: x\r\nHost: y\r\n"),
            400,
            "2 Host headers",
        )
        .counted_as(Operation::CaCerts),
        case("not HTTP", "hello\r\n\r\n".to_owned(), 400, "").malformed(),
        case(
            "giant header",
            format!("GET {CACERTS} HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(64 * 1024)),
            431,
            "",
        )
        .malformed(),
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
    for case in header_cases()
        .into_iter()
        .chain(body_cases())
        .chain(authentication_cases())
        .chain(path_cases())
        .chain(http_cases())
    {
        let before = case.counted.of(&server.handle.statistics(), case.status);
        let answer = ask(&server, &case.request).await;
        let version = if case.request.contains("HTTP/1.0") {
            "HTTP/1.0"
        } else {
            "HTTP/1.1"
        };
        let expected = format!("{version} {} ", case.status);
        assert!(answer.starts_with(&expected), "{}: {answer:?}", case.name);
        let found = answer.contains(case.says) || answer.to_ascii_lowercase().contains(case.says);
        assert!(found, "{}: {answer:?} does not say {:?}", case.name, case.says);
        assert!(
            !answer.contains("BEGIN") && !answer.contains("MII"),
            "{}: no certificate",
            case.name
        );
        counted(&server, case.name, |now| {
            case.counted.of(now, case.status) == before + 1
        })
        .await;
        unharmed(&server).await;
    }
    let found = server.handle.statistics();
    let enroll = Some(Operation::SimpleEnroll);
    assert_eq!(found.answers(enroll, 200), 0);
    assert_eq!(found.oversized_bodies, 1);
    assert_eq!(found.broken_bodies, 1);
    assert_eq!(found.malformed_requests, 3);
    server.stop().await;
}
