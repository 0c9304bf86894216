//! Requests that mean harm, or that somebody got wrong.

use std::time::Duration;

use nmsp::admin::{AdminConfig, AdminLimits};
use pki_common::authlist::{AuthList, AuthListEntry, AuthListType};
use pki_common::{HashAlgorithm, KeyHash, MacAddr};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use crate::http::{self, Answer};
use crate::support::{Lab, PATIENCE};
use crate::{Admin, ROOT};

/// Longer than a request on loopback takes, also on a machine that is busy; short enough to wait for.
const SHORT: Duration = Duration::from_millis(500);

async fn with_limits(limits: AdminLimits) -> (Lab, Admin) {
    let lab = Lab::start(|_| {}).await;
    let config = AdminConfig {
        limits,
        ..AdminConfig::default()
    };
    let admin = Admin::start(&lab.handle, config).await;
    (lab, admin)
}

#[tokio::test]
async fn requests_that_are_no_requests_are_refused_and_the_next_one_is_answered() {
    let (lab, admin) = with_limits(AdminLimits::default()).await;
    let long = "x".repeat(100_000);
    let host = format!("Host: {}\r\n", admin.address);
    let many: String = (0..200).map(|number| format!("X-{number}: y\r\n")).collect();
    for (what, request, statuses) in [
        (
            "a huge header",
            format!("GET /healthz HTTP/1.1\r\n{host}X: {long}\r\n\r\n"),
            &[431][..],
        ),
        (
            "a huge path",
            format!("GET /{long} HTTP/1.1\r\n{host}\r\n"),
            &[414, 431],
        ),
        (
            "too many headers",
            format!("GET /healthz HTTP/1.1\r\n{host}{many}\r\n"),
            &[431],
        ),
        ("no HTTP", "\u{16}\u{3}\u{1} hello\r\n\r\n".to_owned(), &[400]),
        (
            "POST",
            format!("POST /state HTTP/1.1\r\n{host}Content-Length: 2\r\n\r\n{{}}"),
            &[405],
        ),
        (
            "a body that never comes",
            format!("PUT {ROOT} HTTP/1.1\r\n{host}Content-Length: 999999999\r\n\r\n"),
            &[405],
        ),
        (
            "another host",
            "GET /state HTTP/1.1\r\nHost: attacker.example\r\n\r\n".to_owned(),
            &[421],
        ),
        (
            "another host in the target",
            format!("GET http://attacker.example/state HTTP/1.1\r\n{host}\r\n"),
            &[421],
        ),
        (
            "CONNECT",
            format!("CONNECT 192.0.2.1:22 HTTP/1.1\r\n{host}\r\n"),
            &[405],
        ),
    ] {
        // These connections need not be closed by the server at once; the idle time does that.
        let answer = first_answer(&admin, request.as_bytes()).await;
        assert!(statuses.contains(&answer.status), "{what}: {answer:?}");
        let next = admin.get("/healthz").await;
        assert_eq!((next.status, next.text()), (200, "ok\n"), "after {what}");
    }
    lab.stop().await;
}

async fn first_answer(admin: &Admin, request: &[u8]) -> Answer {
    let talk = async {
        let mut stream = TcpStream::connect(admin.address).await.unwrap();
        drop(stream.write_all(request).await);
        let mut answer = Vec::new();
        while !answer.windows(4).any(|four| four == b"\r\n\r\n") {
            let mut part = [0; 4096];
            match stream.read(&mut part).await {
                Ok(length @ 1..) => answer.extend(&part[..length]),
                end => panic!("no answer: {end:?} {}", String::from_utf8_lossy(&answer)),
            }
        }
        Answer::parse(&answer)
    };
    timeout(PATIENCE, talk).await.expect("the server hangs")
}

#[tokio::test]
async fn paths_that_lead_nowhere_are_404() {
    let (lab, admin) = with_limits(AdminLimits::default()).await;
    for path in [
        "/nothing",
        "/metrics/",
        "//state",
        "/../etc/passwd",
        "/state%00",
        "/restconf/operations",
        "/restconfx",
    ] {
        assert_eq!(admin.get(path).await.status, 404, "{path}");
    }
    lab.stop().await;
}

#[tokio::test]
async fn one_that_sends_a_byte_now_and_then_is_cut_and_keeps_nobody_waiting() {
    let (lab, admin) = with_limits(AdminLimits {
        header_time: SHORT,
        ..AdminLimits::default()
    })
    .await;
    let mut slow = TcpStream::connect(admin.address).await.unwrap();
    let mut cut = false;
    for byte in b"GET /healthz HTTP/1.1\r\nX-Slow: zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
        .iter()
        .cycle()
    {
        assert_eq!(admin.get("/healthz").await.status, 200);
        if slow.write_all(&[*byte]).await.is_err() {
            cut = true;
            break;
        }
        sleep(SHORT / 5).await;
        let mut end = [0; 512];
        if timeout(Duration::from_millis(1), slow.read(&mut end))
            .await
            .is_ok_and(|read| !matches!(read, Ok(1..)))
        {
            cut = true;
            break;
        }
    }
    assert!(cut);
    lab.stop().await;
}

#[tokio::test]
async fn idle_connections_that_take_every_place_are_cut_and_the_next_request_is_answered() {
    let (lab, admin) = with_limits(AdminLimits {
        connections: 4,
        header_time: SHORT,
        ..AdminLimits::default()
    })
    .await;
    let mut idle = Vec::new();
    for _ in 0..40 {
        idle.push(TcpStream::connect(admin.address).await.unwrap());
    }
    assert_eq!(admin.get("/healthz").await.status, 200);
    lab.stop().await;
}

#[tokio::test]
async fn one_that_does_not_read_a_long_answer_is_cut() {
    let (lab, admin) = with_limits(AdminLimits {
        connection_time: SHORT,
        answer_time: 16 * SHORT,
        ..AdminLimits::default()
    })
    .await;
    // 8 MB: more than the system keeps of it for those that do not read.
    let hash = KeyHash::of_spki(HashAlgorithm::Sha256, b"a key");
    let mut list = AuthList::new();
    for number in 0..60_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        let entry = AuthListEntry {
            mac: MacAddr::from([2, 0, 0, a, b, c]),
            list_type: AuthListType::Lsc,
            key_hash: Some(hash),
        };
        list.insert(entry).unwrap();
    }
    lab.authlist.replace(list);
    let mut readers = Vec::new();
    for _ in 0..3 {
        // With a small buffer here, what the system keeps of the answer is less than half of it.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut reader = socket.connect(admin.address).await.unwrap();
        let request = format!("GET /state HTTP/1.1\r\nHost: {}\r\n\r\n", admin.address);
        reader.write_all(request.as_bytes()).await.unwrap();
        readers.push(reader);
    }
    // Both places for whole states are taken by those. They come free, and this one is answered; until then it is cut.
    let request = format!(
        "GET /state HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        admin.address
    );
    let asked = async {
        loop {
            let answer = http::exchange(admin.address, request.as_bytes()).await;
            let whole = (!answer.is_empty()).then(|| Answer::parse(&answer));
            if let Some(whole) =
                whole.filter(|whole| whole.header("content-length") == whole.body.len().to_string())
            {
                break whole;
            }
        }
    };
    let answer = timeout(3 * PATIENCE, asked)
        .await
        .expect("it is answered in the end");
    assert_eq!(answer.status, 200);
    let length = answer.body.len();
    for mut reader in readers {
        let mut received = Vec::new();
        let outcome = timeout(PATIENCE, reader.read_to_end(&mut received))
            .await
            .expect("cut");
        assert!(received.len() < length, "{outcome:?}: not even one whole answer");
    }
    lab.stop().await;
}

#[tokio::test]
async fn an_address_that_others_reach_is_refused_unless_it_is_dangerously_allowed() {
    let lab = Lab::start(|_| {}).await;
    let everywhere = "0.0.0.0:0".parse().unwrap();
    let error = nmsp::admin::bind(everywhere, &AdminConfig::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no authentication"), "{error}");
    // A listener that somebody else bound is checked as well.
    let listener = tokio::net::TcpListener::bind(everywhere).await.unwrap();
    let outcome = nmsp::admin::serve(listener, lab.handle.clone(), AdminConfig::default()).await;
    assert!(
        matches!(outcome, Err(nmsp::admin::AdminError::NotLoopback { .. })),
        "{outcome:?}"
    );

    let dangerous = AdminConfig {
        dangerous_accept_any_address: true,
        ..AdminConfig::default()
    };
    let listener = nmsp::admin::bind(everywhere, &dangerous).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(nmsp::admin::serve(listener, lab.handle.clone(), dangerous));
    let local = format!("127.0.0.1:{port}").parse().unwrap();
    let named = [("Host", "controller.example")];
    assert_eq!(
        http::get(local, "/healthz", &named).await.status,
        200,
        "it has names there"
    );
    lab.stop().await;
    task.await.unwrap().unwrap();
}
