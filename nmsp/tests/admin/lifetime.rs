//! The listener lives as long as the server.

use std::sync::Arc;
use std::time::Duration;

use nmsp::admin::AdminConfig;
use nmsp::server::{Server, ServerConfig};
use pki_common::tls::PeerVerifier;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{CONTROLLER, LOCATION_SERVER, Lab, PATIENCE, authlist_of, identity};
use crate::{Admin, ROOT};

#[tokio::test]
async fn it_answers_during_the_shutdown_and_closes_after_it() {
    let list = authlist_of(&identity(LOCATION_SERVER));
    let mut config = ServerConfig::new(Arc::clone(&identity(CONTROLLER)), PeerVerifier::authlist(list));
    config.limits.shutdown_timeout = PATIENCE;
    let server = Server::bind("127.0.0.1:0", config).await.unwrap();
    let handle = server.handle();
    let admin = Admin::start(&handle, AdminConfig::default()).await;
    assert_eq!(admin.get("/healthz").await.status, 200);
    // The shutdown begins; as long as the server does not run, it does not end.
    handle.shutdown();
    let health = admin.get("/healthz").await;
    assert_eq!((health.status, health.text()), (503, "shutting down\n"));
    assert_eq!(
        admin.get("/state").await.json()["controller"]["shutting-down"],
        true
    );
    assert_eq!(admin.get(ROOT).await.status, 200);
    timeout(PATIENCE, server.run()).await.unwrap();
    timeout(PATIENCE, admin.task).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(admin.address).await.is_err());
}

#[tokio::test]
async fn a_connection_that_idles_does_not_hold_the_end_back() {
    let lab = Lab::start(|_| {}).await;
    let admin = Admin::start(&lab.handle, AdminConfig::default()).await;
    let _idle = TcpStream::connect(admin.address).await.unwrap();
    assert_eq!(admin.get("/healthz").await.status, 200);
    lab.stop().await;
    let ended = timeout(Duration::from_secs(9), admin.task).await;
    ended.expect("within less than its idle time").unwrap().unwrap();
}
