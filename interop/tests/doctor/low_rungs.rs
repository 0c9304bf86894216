//! Name resolution, TCP, the proxy, and servers that say nothing.

use std::net::Ipv4Addr;
use std::sync::Arc;

use est::auth::BasicCredentials;
use interop::doctor::est::{Settings, diagnose};
use interop::doctor::{Report, State};
use pki_common::trust_store::TrustStore;
use pki_common::{KnownCause, Side};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::pki::{Leaf, Pki};
use super::{PATIENCE, SHORT, assert_ends, notes};

fn settings(url: &str) -> Settings {
    let mut settings = Settings::new(url.parse().unwrap(), Arc::new(TrustStore::empty("doctor")));
    settings.timeout = PATIENCE;
    settings
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn a_name_without_an_address_is_said_for_each_family() {
    // RFC 6761: nobody has a name under this domain.
    let report = diagnose(&settings("https://lab-dcc.invalid")).await;
    assert_ends(&report, "name resolution", KnownCause::NameNotResolved);
    assert_eq!(report.exit_number(), 10);
    let notes = notes(&report, "name resolution");
    assert!(
        notes.contains("A    none") && notes.contains("AAAA none"),
        "{notes}"
    );
}

#[tokio::test]
async fn a_closed_port_is_refused_by_the_other_side() {
    let (listener, port) = listener().await;
    drop(listener);
    let report = diagnose(&settings(&format!("https://127.0.0.1:{port}"))).await;
    assert_ends(&report, "TCP", KnownCause::ConnectionRefused);
    assert_eq!(report.exit_number(), 20);
    assert_eq!(report.failure().unwrap().refused_by, Some(Side::Peer));
    assert!(notes(&report, "TCP").contains("refused"));
}

#[tokio::test]
async fn an_address_that_drops_packets_is_silent() {
    // Linux answers no SYN of its own once the queue of a listener is full.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(SHORT, TcpStream::connect(address)).await {
        waiting.push(stream);
        assert!(waiting.len() < 64, "the queue of the listener has no end");
    }
    let mut settings = settings(&format!("https://{address}"));
    settings.timeout = SHORT;
    let report = diagnose(&settings).await;
    assert_ends(&report, "TCP", KnownCause::ConnectionTimedOut);
    assert!(notes(&report, "TCP").contains("silent"));
}

#[tokio::test]
async fn one_address_that_works_is_enough_and_the_other_is_a_warning() {
    let pki = Pki::new();
    let Some(server) = pki.serve(Leaf::Good, &["-www"]) else {
        return;
    };
    // It listens on 127.0.0.1 only, and localhost is ::1 as well, where the hosts file says so.
    let report = diagnose(&pki.look_at(server.port)).await;
    let tcp = report.check("TCP").unwrap();
    if notes(&report, "name resolution").contains("::1") {
        assert_eq!(tcp.state, State::Warning);
        assert_eq!(tcp.warnings[0].known_cause, Some(KnownCause::ConnectionRefused));
    } else {
        assert_eq!(tcp.state, State::Passed);
    }
    assert_eq!(report.check("TLS handshake").unwrap().state, State::Passed);
}

#[tokio::test]
async fn a_server_that_says_nothing_to_a_hello_is_not_taken_for_a_closed_port() {
    let (listener, port) = listener().await;
    let silent = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    let mut settings = settings(&format!("https://127.0.0.1:{port}"));
    settings.timeout = SHORT;
    let report = diagnose(&settings).await;
    assert_ends(&report, "TLS versions", KnownCause::AnswerTimedOut);
    assert_eq!(report.exit_number(), 40);
    silent.abort();
}

#[tokio::test]
async fn plain_http_is_told_from_tls() {
    let (listener, port) = listener().await;
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await
                .unwrap();
        }
    });
    let report = diagnose(&settings(&format!("https://127.0.0.1:{port}"))).await;
    assert_ends(&report, "TLS versions", KnownCause::NotTls);
    assert!(notes(&report, "TLS versions").contains("HTTP/1.1 400"));
    server.abort();
}

#[tokio::test]
async fn a_connection_that_is_reset_is_lost_and_not_refused() {
    let (listener, port) = listener().await;
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // What was received and not read makes the end a reset.
            stream.readable().await.unwrap();
            drop(stream);
        }
    });
    let report = diagnose(&settings(&format!("https://127.0.0.1:{port}"))).await;
    assert_ends(&report, "TLS versions", KnownCause::ConnectionLost);
    server.abort();
}

/// A proxy that answers every CONNECT in this way. With `200` it makes the connection.
async fn proxy(answer: &'static str) -> u16 {
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answer));
        }
    });
    port
}

async fn serve(mut stream: TcpStream, answer: &str) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap();
    let head = format!("HTTP/1.1 {answer}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    if answer.starts_with("200") {
        let mut server = TcpStream::connect(target).await.unwrap();
        // The two ends decide when it is over.
        drop(tokio::io::copy_bidirectional(&mut stream, &mut server).await);
    }
}

async fn through(answer: &'static str, mut settings: Settings) -> Report {
    let port = proxy(answer).await;
    let mut proxy: est::client::Proxy = format!("http://127.0.0.1:{port}").parse().unwrap();
    proxy.credentials = Some(BasicCredentials::new("walker", "correct horse").unwrap());
    settings.proxy = Some(proxy);
    diagnose(&settings).await
}

#[tokio::test]
async fn a_proxy_that_refuses_is_quoted_with_status_and_reason() {
    let report = through("403 Not On My Watch", settings("https://est.example:8443")).await;
    assert_ends(&report, "proxy", KnownCause::ProxyRefused);
    assert_eq!(report.exit_number(), 30);
    let cause = &report.failure().unwrap().cause;
    assert!(
        cause.contains("403 Not On My Watch") && cause.contains("est.example:8443"),
        "{cause}"
    );

    let report = through(
        "407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM",
        settings("https://est.example:8443"),
    )
    .await;
    assert_ends(&report, "proxy", KnownCause::ProxyRefused);
    let remedy = &report.failure().unwrap().remedy;
    assert!(
        remedy.contains("Negotiate, NTLM") && remedy.contains("--proxy-user"),
        "{remedy}"
    );
}

#[tokio::test]
async fn the_rungs_above_a_proxy_go_through_it() {
    let pki = Pki::new();
    let Some(server) = pki.serve(Leaf::Good, &["-www"]) else {
        return;
    };
    let mut settings = pki.look_at(server.port);
    settings.url = format!("https://localhost:{}", server.port).parse().unwrap();
    let report = through("200 Connection established", settings).await;
    for rung in ["proxy", "TLS versions", "certificate", "TLS handshake", "HTTP"] {
        assert_eq!(report.check(rung).unwrap().state, State::Passed, "{rung}");
    }
    assert!(notes(&report, "name resolution").contains("looked up by the proxy"));
    // No secret in any form of the report.
    let shown = format!("{report:?} {}", interop::doctor::to_json(&report));
    assert!(
        !shown.contains("correct horse") && !shown.contains("d2Fsa2Vy"),
        "{shown}"
    );
}
