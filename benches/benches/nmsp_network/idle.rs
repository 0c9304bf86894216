//! The memory of connections that are up and silent.

use std::path::Path;

use benches::process::Process;
use bytes::BytesMut;
use nmsp::wire::message::{Capability, OwnedMessage, ServiceSubscribeRequest};
use nmsp::wire::{Services, WireProfile};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{servers, stream};

/// Connections, as many as one process may have files open on a plain system twice over.
const CONNECTIONS: u32 = 10_000;
/// Connections that are there before the first reading, so that what a process needs once is not counted.
const BEFORE: u32 = 100;

#[expect(clippy::print_stdout, reason = "the report is the product of a benchmark")]
pub(crate) async fn compare(folder: &Path) {
    let greeting = greeting();
    let ours = per_connection(servers::CONTROLLER, folder, &greeting).await;
    let bare = per_connection(servers::BARE_ECHO, folder, &greeting).await;
    println!(
        "ratio  memory of {CONNECTIONS} idle connections            {:.2} × that of a bare tokio-rustls echo server ({ours:.1} KiB against {bare:.1} KiB each)",
        ours / bare
    );
}

/// KiB that each connection adds to the server.
async fn per_connection(role: &str, folder: &Path, greeting: &[u8]) -> f64 {
    let mut server = Process::start(role, folder);
    let mut held = Vec::new();
    let mut first = 0;
    for number in 0..CONNECTIONS + BEFORE {
        if number == BEFORE {
            first = server.usage().resident;
        }
        let mut connection = stream::connect(&server, folder).await;
        connection.write_all(greeting).await.expect("it reads");
        connection.flush().await.expect("it reads");
        // The echo, or as many bytes of the controller's capabilities and its answer: the connection is up on both sides.
        let mut answer = vec![0; greeting.len()];
        connection.read_exact(&mut answer).await.expect("it answers");
        held.push(connection);
    }
    let last = server.usage().resident;
    drop(held);
    server.stop();
    let kib = |value: u64| f64::from(u32::try_from(value).unwrap_or(u32::MAX));
    (kib(last) - kib(first)) / f64::from(CONNECTIONS)
}

/// What a location server says first.
fn greeting() -> Vec<u8> {
    let profile = WireProfile::built_in();
    let mut out = BytesMut::new();
    let capability = OwnedMessage::CapabilityNotification(Capability {
        version: nmsp::proto::PROTOCOL_VERSION,
        services: Services::MEASUREMENTS,
        ..Capability::default()
    });
    let subscription = OwnedMessage::ServiceSubscribeRequest(ServiceSubscribeRequest {
        services: Services::RSSI_MS,
        ..ServiceSubscribeRequest::default()
    });
    for (message, transaction) in [(capability, 1), (subscription, 2)] {
        message
            .encode(transaction, profile, &mut out)
            .expect("small messages");
    }
    out.to_vec()
}
