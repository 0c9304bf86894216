//! A server takes a new configuration while it serves.

use std::sync::Arc;

use est::auth::Users;
use est::operation::{LabelSettings, Operations};
use est::server::{ServerConfig, ServerLimits};
use tokio::io::AsyncWriteExt as _;

use crate::support::raw::{base64, csr, get, good_headers, post, read_answer, tls, unharmed};
use crate::support::{Setup, TestServer};

#[tokio::test]
async fn a_connection_outlives_a_reload_and_its_next_request_has_the_new_users() {
    let server = TestServer::start(Setup::default()).await;
    let mut stream = tls(&server).await;
    let enroll = post(&good_headers(), &base64(&csr()));
    stream.write_all(enroll.as_bytes()).await.unwrap();
    assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 200 "));
    let config = ServerConfig {
        authenticator: Arc::new(Users::new()),
        ..server.config(Operations::new(
            Arc::clone(&server.authority),
            LabelSettings::default(),
        ))
    };
    server.handle.reload(config).unwrap();
    stream.write_all(enroll.as_bytes()).await.unwrap();
    assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 401 "));
    server.stop().await;
}

#[tokio::test]
async fn a_configuration_that_cannot_work_leaves_the_old_one_in_force() {
    let server = TestServer::start(Setup::default()).await;
    let config = ServerConfig {
        limits: ServerLimits {
            header_size: 1,
            ..ServerLimits::default()
        },
        ..server.config(Operations::none())
    };
    let error = server.handle.reload(config).unwrap_err();
    assert!(error.to_string().contains("header_size"), "{error}");
    unharmed(&server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_the_configuration_changes() {
    let server = Arc::new(TestServer::start(Setup::default()).await);
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let server = Arc::clone(&server);
        clients.spawn(async move {
            let mut stream = tls(&server).await;
            for _ in 0..50 {
                stream
                    .write_all(get("/.well-known/est/cacerts").as_bytes())
                    .await
                    .unwrap();
                let answer = read_answer(&mut stream).await;
                assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            }
        });
    }
    for _ in 0..20 {
        server.reload(Operations::new(
            Arc::clone(&server.authority),
            LabelSettings::default(),
        ));
        tokio::task::yield_now().await;
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    assert_eq!(
        server
            .handle
            .statistics()
            .answers(Some(est::operation::Operation::CaCerts), 200),
        200
    );
}

#[tokio::test]
async fn one_address_does_not_take_all_connections() {
    let limits = ServerLimits {
        connections_per_address: 1,
        ..ServerLimits::default()
    };
    let server = TestServer::start(Setup {
        limits,
        ..Setup::default()
    })
    .await;
    let first = tls(&server).await;
    let mut second = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let closed = tokio::io::AsyncReadExt::read(&mut second, &mut [0]).await;
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    assert_eq!(server.handle.statistics().connections_refused, 1);
    drop(first);
    server.stop().await;
}
