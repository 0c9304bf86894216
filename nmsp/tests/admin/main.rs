//! What people and monitoring see of a controller: over HTTP, and by `nmsp show`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

mod agreement;
mod command;
mod curl;
mod exposition;
mod hostile;
mod http;
mod lifetime;
#[allow(dead_code, reason = "the tests of the server use the rest of it")]
#[path = "../server/peer.rs"]
mod peer;
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the file is a module of another crate as well"
)]
#[path = "../../../interop/src/peers.rs"]
mod peers;
#[path = "../support/mod.rs"]
mod support;

use std::net::SocketAddr;

use nmsp::admin::{AdminConfig, AdminError};
use nmsp::server::ServerHandle;
use tokio::task::JoinHandle;

const ROOT: &str = "/restconf/data/Cisco-IOS-XE-wireless-nmsp-oper:nmsp-oper-data";

/// An admin listener on a port of its own.
struct Admin {
    address: SocketAddr,
    task: JoinHandle<Result<(), AdminError>>,
}

impl Admin {
    async fn start(server: &ServerHandle, config: AdminConfig) -> Self {
        let listener = nmsp::admin::bind("127.0.0.1:0".parse().unwrap(), &config)
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(nmsp::admin::serve(listener, server.clone(), config));
        Self { address, task }
    }

    async fn get(&self, path: &str) -> http::Answer {
        http::get(self.address, path, &[]).await
    }
}
