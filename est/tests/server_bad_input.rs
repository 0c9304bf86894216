//! How the server treats clients that are slow, silent, endless or of another protocol, over real TLS sockets. Single
//! bad requests are in `server_bad_requests.rs`.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step of a test is a failed test; clippy sees only functions marked as tests"
)]

mod support;

use std::time::Duration;

use est::operation::{LabelSettings, Operation};
use est::server::ServerLimits;
use support::raw::{
    CACERTS, ENROLL, ask, base64, complete, counted, csr, get, good_headers, post, read_answer, tls, unharmed,
};
use support::{PATIENCE, Setup, TestServer, pem};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

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
        "POST {ENROLL} HTTP/1.1\r\nHost: x\r\n{}Content-Length: 100\r\n\r\nMII",
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
        "POST {ENROLL} HTTP/1.1\r\nHost: x\r\n{}Transfer-Encoding: chunked\r\n\r\n",
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
async fn an_address_whose_handshakes_never_end_leaves_turns_for_the_others() {
    let limits = ServerLimits {
        handshakes: 4,
        handshakes_per_address: 3,
        ..ServerLimits::default()
    };
    let server = TestServer::start(Setup {
        limits,
        ..Setup::default()
    })
    .await;
    let mut stalled = Vec::new();
    for _ in 0..8 {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.1.1:0".parse().unwrap()).unwrap();
        let mut stream = socket.connect(server.address).await.unwrap();
        // A record that announces a handshake, and the first byte of a ClientHello.
        stream.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
        stalled.push(stream);
    }
    unharmed(&server).await;
    drop(stalled);
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
        let settings = LabelSettings {
            layout: layout.into(),
            content_transfer_encoding: false,
            ..LabelSettings::default()
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

/// The time for headers counts between requests, too: a connection that says nothing more is not kept.
#[tokio::test]
async fn a_kept_alive_connection_that_idles_is_closed() {
    let server = TestServer::start(impatient()).await;
    let mut stream = tls(&server).await;
    stream.write_all(get(CACERTS).as_bytes()).await.unwrap();
    let answer = read_answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let read = timeout(PATIENCE, stream.read(&mut [0])).await.expect("closed");
    assert_eq!(read.unwrap_or(0), 0);
    unharmed(&server).await;
    server.stop().await;
}
