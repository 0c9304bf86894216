//! Requests that are tied to their TLS connection (RFC 7030, section 3.5).

use std::path::Path;

use est::auth::BasicCredentials;
use est::operation::{LabelSettings, ProofOfPossession};

use crate::support::peers::find_or_skip;
use crate::support::raw::{ask, base64, csr, get, good_headers, post};
use crate::support::{PASSWORD, Setup, TestServer, USER};

async fn start(proof_of_possession: ProofOfPossession) -> TestServer {
    let settings = LabelSettings {
        proof_of_possession,
        ..LabelSettings::default()
    };
    TestServer::start(Setup {
        settings,
        ..Setup::default()
    })
    .await
}

/// What the server answers to a request that Python ties to a connection of TLS 1.2.
async fn ask_by_python(server: &TestServer, folder: &Path, connection: &str) -> String {
    std::fs::write(folder.join("anchor.pem"), server.anchor_pem()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server/tls_unique_client.py");
    let credentials = BasicCredentials::new(USER, PASSWORD).unwrap();
    let output = tokio::process::Command::new("python3")
        .arg(script)
        .args([
            "127.0.0.1",
            &server.address.port().to_string(),
            "anchor.pem",
            connection,
        ])
        .arg(credentials.to_header().as_str())
        .current_dir(folder)
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_python_ties_to_its_connection_is_accepted_and_from_another_connection_refused() {
    if find_or_skip("python3").is_none() || find_or_skip("openssl").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (mode, without) in [
        (ProofOfPossession::Required, "403"),
        (ProofOfPossession::Accepted, "200"),
    ] {
        let server = start(mode).await;
        let same = ask_by_python(&server, folder.path(), "same").await;
        assert!(same.starts_with("HTTP/1.1 200 "), "{mode:?}: {same}");
        let other = ask_by_python(&server, folder.path(), "other").await;
        assert!(other.starts_with("HTTP/1.1 403 "), "{mode:?}: {other}");
        assert!(other.contains("another TLS connection"), "{mode:?}: {other}");
        let none = ask_by_python(&server, folder.path(), "none").await;
        assert!(
            none.starts_with(&format!("HTTP/1.1 {without} ")),
            "{mode:?}: {none}"
        );
        server.stop().await;
    }
}

#[tokio::test]
async fn a_label_that_requires_it_says_so_in_the_refusal_and_in_csrattrs() {
    let server = start(ProofOfPossession::Required).await;
    let answer = ask(&server, &post(&good_headers(), &base64(&csr()))).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains("rule proof-of-possession"), "{answer}");
    let answer = ask(&server, &get("/.well-known/est/csrattrs")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // SEQUENCE { OBJECT IDENTIFIER challengePassword }
    assert!(
        answer.ends_with(&base64(&hex("300b06092a864886f70d010907"))),
        "{answer}"
    );
    server.stop().await;
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

#[tokio::test]
async fn without_attributes_and_proof_of_possession_csrattrs_is_204() {
    let server = start(ProofOfPossession::Accepted).await;
    let request = get("/.well-known/est/csrattrs").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let answer = ask(&server, &request).await;
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    server.stop().await;
}
