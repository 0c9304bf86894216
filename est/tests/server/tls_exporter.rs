//! Proof of possession over TLS 1.3, with the exporter value of programs that are not our client (RFC 9266).

use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use est::operation::{LabelSettings, ProofOfPossession};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::support::peers::find_or_skip;
use crate::support::raw::{good_headers, post};
use crate::support::{PATIENCE, Setup, TestServer};

/// A connection by `openssl s_client`, and what it says its exporter value is.
struct OpenSsl {
    child: Child,
    output: BufReader<tokio::process::ChildStdout>,
    exporter: Vec<u8>,
}

impl OpenSsl {
    async fn connect(server: &TestServer, folder: &Path) -> Self {
        let address = server.address.to_string();
        let mut child = Command::new("openssl")
            .args([
                "s_client",
                "-connect",
                &address,
                "-tls1_3",
                "-CAfile",
                "anchor.pem",
            ])
            .args(["-verify_return_error", "-nocommands", "-ign_eof"])
            .args([
                "-keymatexport",
                "EXPORTER-Channel-Binding",
                "-keymatexportlen",
                "32",
            ])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let told = async {
            loop {
                let mut line = String::new();
                assert_ne!(output.read_line(&mut line).await.unwrap(), 0, "openssl ends");
                if let Some((_, hexadecimal)) = line.split_once("Keying material: ") {
                    return super::proof_of_possession::hex(hexadecimal.trim());
                }
            }
        };
        let exporter = timeout(PATIENCE, told).await.expect("openssl connects");
        assert_eq!(exporter.len(), 32);
        Self {
            child,
            output,
            exporter,
        }
    }

    /// Sends a request and gives back the whole answer.
    async fn ask(mut self, request: &str) -> String {
        let mut input = self.child.stdin.take().unwrap();
        input.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, self.output.read_to_string(&mut answer))
            .await
            .expect("the server answers and closes")
            .unwrap();
        answer
    }
}

/// A request by `openssl req` with this challengePassword, in PEM.
async fn request_with(folder: &Path, challenge_password: &str) -> String {
    let config = format!(
        "[req]\ndistinguished_name=dn\nattributes=at\nprompt=no\n[dn]\nCN=x\n[at]\nchallengePassword={challenge_password}\n"
    );
    std::fs::write(folder.join("req.cnf"), config).unwrap();
    let output = Command::new("openssl")
        .args([
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ])
        .args(["-nodes", "-keyout", "key.pem", "-config", "req.cnf"])
        .current_dir(folder)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A server that wants requests linked to their connection, and a folder with its anchor; `None` without openssl.
async fn linked() -> Option<(TestServer, TempDir)> {
    find_or_skip("openssl")?;
    let settings = LabelSettings {
        proof_of_possession: ProofOfPossession::Required,
        ..LabelSettings::default()
    };
    let server = TestServer::start(Setup {
        settings,
        ..Setup::default()
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("anchor.pem"), server.anchor_pem()).unwrap();
    Some((server, folder))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_tied_to_a_tls_1_3_connection_of_openssl_is_accepted_and_from_another_one_refused() {
    let Some((server, folder)) = linked().await else {
        return;
    };
    let folder = folder.path();
    let headers = format!("Connection: close\r\n{}", good_headers());

    let (first, second) = (
        OpenSsl::connect(&server, folder).await,
        OpenSsl::connect(&server, folder).await,
    );
    assert_ne!(first.exporter, second.exporter);
    let request = request_with(folder, &STANDARD.encode(&first.exporter)).await;
    let request = post(&headers, &request);
    let other = second.ask(&request).await;
    assert!(other.contains("HTTP/1.1 403 "), "{other}");
    assert!(other.contains("another TLS connection"), "{other}");
    let same = first.ask(&request).await;
    assert!(same.contains("HTTP/1.1 200 "), "{same}");
    server.stop().await;
}

/// libest once put a line end into the text; the bytes that are meant are the same.
#[tokio::test(flavor = "multi_thread")]
async fn white_space_in_the_binding_changes_nothing() {
    let Some((server, folder)) = linked().await else {
        return;
    };
    let folder = folder.path();
    let headers = format!("Connection: close\r\n{}", good_headers());
    let connection = OpenSsl::connect(&server, folder).await;
    let binding = STANDARD.encode(&connection.exporter);
    let (front, back) = binding.split_at(20);
    // \n is the escape of openssl's configuration files.
    let request = request_with(folder, &format!("{front}\\n{back}\\n")).await;
    let answer = connection.ask(&post(&headers, &request)).await;
    assert!(answer.contains("HTTP/1.1 200 "), "{answer}");
    server.stop().await;
}
