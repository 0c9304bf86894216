//! The `openssl` command: as a client and a server of TLS, and as a reader and writer of certificates, CMS and PKCS #7.

mod encrypted_keys;
mod est_server;
mod exchange;
mod full_cmc;
mod messages;
mod nmsp_controller;
mod own_clients;

use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use crate::case::{Missing, Peer};
use crate::support::folder::{Folder, said};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) fn peer() -> Peer {
    let cases = est_server::cases().into_iter();
    Peer {
        name: "openssl",
        about: "command of OpenSSL: TLS client and server, X.509, CMS, PKCS #7",
        find: version,
        cases: cases
            .chain(nmsp_controller::cases())
            .chain(own_clients::cases())
            .chain(messages::cases())
            .chain(encrypted_keys::cases())
            .chain(full_cmc::cases())
            .collect(),
    }
}

/// `OpenSSL 3.0.17 1 Jul 2025 (…)`
fn version() -> Result<String, Missing> {
    Missing::programs("openssl")?;
    let output = std::process::Command::new("openssl").arg("version").output();
    let said = output.map(|output| said(&output)).unwrap_or_default();
    let version = said.split_whitespace().nth(1);
    version
        .map(ToOwned::to_owned)
        .ok_or_else(|| Missing(format!("an openssl that says its version; it says {said}")))
}

/// What `openssl` prints for the words of this command line; it must succeed.
async fn openssl(folder: &Folder, command: &str) -> String {
    folder
        .openssl(&command.split_whitespace().collect::<Vec<_>>())
        .await
}

/// What `openssl req` prints about the request in this file, whose signature must be right: its exit status does not say.
async fn verify_request(folder: &Folder, file: &str) -> String {
    let arguments = ["req", "-inform", "DER", "-in", file, "-verify", "-noout", "-text"];
    let output = folder.run("openssl", &arguments).await;
    let said = said(&output);
    assert!(output.status.success() && said.contains("verify OK"), "{said}");
    said
}

/// Runs `openssl s_client` towards this port until it ends by itself. Its standard input has `input` and stays open, so
/// that it is the other side that ends the connection.
async fn s_client(folder: &Folder, port: &str, arguments: &[&str], input: &str) -> Output {
    let mut command = folder.command("openssl");
    let address = format!("127.0.0.1:{port}");
    command
        .args(["s_client", "-connect", &address, "-CAfile", "anchor.pem"])
        .args(["-verify_return_error"])
        .args(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may have ended already, which its output tells.
    drop(stdin.write_all(input.as_bytes()).await);
    drop(stdin.flush().await);
    let ended = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
    drop(stdin);
    ended
        .unwrap_or_else(|_| panic!("openssl s_client {arguments:?} does not end"))
        .unwrap()
}
