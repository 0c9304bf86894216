//! The same request in every form that `curl` can give it: versions of HTTP, framing, media types, encodings of the
//! body.

use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

use crate::support::peers::find_or_skip;
use crate::support::raw::csr;
use crate::support::{PASSWORD, Setup, TestServer, USER, pem};

/// Breaks base64 into lines of this many columns, the last without line end.
fn wrapped(base64: &str, columns: usize, line_end: &str) -> String {
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(columns)
        .map(|line| core::str::from_utf8(line).unwrap())
        .collect();
    lines.join(line_end)
}

/// One certification request in each form of a body, by name.
fn bodies() -> Vec<(&'static str, String)> {
    let der = csr();
    let line = crate::support::raw::base64(&der).trim_end().to_owned();
    let armoured = pem("CERTIFICATE REQUEST", &der);
    vec![
        ("line", line.clone()),
        ("line-and-newline", format!("{line}\n")),
        ("64-lf", wrapped(&line, 64, "\n")),
        ("64-lf-and-newline", format!("{}\n", wrapped(&line, 64, "\n"))),
        ("64-crlf", wrapped(&line, 64, "\r\n")),
        ("76-crlf", wrapped(&line, 76, "\r\n")),
        (
            "76-crlf-and-newline",
            format!("{}\r\n", wrapped(&line, 76, "\r\n")),
        ),
        (
            "odd-white-space",
            format!("\n \t{}\n\n", wrapped(&line, 7, " \t")),
        ),
        ("pem", armoured.clone()),
        ("pem-crlf", armoured.replace('\n', "\r\n")),
        ("pem-without-newline", armoured.trim_end().to_owned()),
        (
            "pem-new",
            armoured.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"),
        ),
        (
            "pem-behind-text",
            format!("Certificate Request:\n    Data:\n{armoured}"),
        ),
    ]
}

/// How the bytes travel: arguments of `curl`.
const TRANSPORTS: [&[&str]; 7] = [
    &["--http1.0"],
    &["--http1.1"],
    // Offers h2 by ALPN, and must be content with http/1.1.
    &["--http2"],
    &["--http1.1", "-H", "Transfer-Encoding: chunked"],
    &["--http1.1", "-H", "Expect: 100-continue"],
    &[
        "--http1.1",
        "-H",
        "Expect: 100-continue",
        "-H",
        "Transfer-Encoding: chunked",
    ],
    &["--tls-max", "1.2"],
];

/// A server, and a folder with its anchor.
async fn start() -> Option<(TestServer, TempDir)> {
    find_or_skip("curl")?;
    let server = TestServer::start(Setup::default()).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("anchor.pem"), server.anchor_pem()).unwrap();
    Some((server, folder))
}

/// Posts a file. The last line of the standard output is the status.
async fn post(server: &TestServer, folder: &Path, file: &str, content_type: &str, more: &[&str]) -> Output {
    tokio::process::Command::new("curl")
        .args(["-sS", "--cacert", "anchor.pem", "-w", "\n%{http_code}"])
        .args(["-u", &format!("{USER}:{PASSWORD}")])
        .args(["-H", &format!("Content-Type: {content_type}")])
        .args(["--data-binary", &format!("@{file}")])
        .args(more)
        .arg(format!("https://{}/.well-known/est/simpleenroll", server.address))
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .await
        .unwrap()
}

fn status(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().last().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_body_enrols_over_every_transport() {
    let Some((server, folder)) = start().await else {
        return;
    };
    let folder = folder.path();
    for (name, body) in bodies() {
        std::fs::write(folder.join(name), body).unwrap();
        for transport in TRANSPORTS {
            let output = post(&server, folder, name, "application/pkcs10", transport).await;
            assert_eq!(status(&output), "200", "{name} by {transport:?}: {output:?}");
            assert!(output.stdout.starts_with(b"MII"), "{name} by {transport:?}");
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_hears_100_continue_before_it_sends() {
    let Some((server, folder)) = start().await else {
        return;
    };
    let folder = folder.path();
    std::fs::write(folder.join("pem"), pem("CERTIFICATE REQUEST", &csr())).unwrap();
    let arguments = ["-v", "--http1.1", "-H", "Expect: 100-continue"];
    let output = post(&server, folder, "pem", "application/pkcs10", &arguments).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("< HTTP/1.1 100 Continue"), "{said}");
    assert_eq!(status(&output), "200", "{said}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_media_type_is_read_in_any_case_with_parameters_in_any_order() {
    let Some((server, folder)) = start().await else {
        return;
    };
    let folder = folder.path();
    std::fs::write(folder.join("pem"), pem("CERTIFICATE REQUEST", &csr())).unwrap();
    for (content_type, expected) in [
        ("application/pkcs10", "200"),
        ("APPLICATION/PKCS10", "200"),
        ("Application/Pkcs10 ; charset=us-ascii", "200"),
        ("application/pkcs10;charset=UTF-8;name=\"a;b.p10\"", "200"),
        ("application/pkcs10; name=smime.p10; charset=utf-8", "200"),
        ("application/pkcs10; x=\"quoted \\\" mark\"", "200"),
        ("application/pkcs7-mime", "415"),
        ("application/x-www-form-urlencoded", "415"),
        ("application/pkcs10x", "415"),
        ("application", "415"),
        ("text/plain; application/pkcs10", "415"),
    ] {
        let output = post(&server, folder, "pem", content_type, &[]).await;
        assert_eq!(status(&output), expected, "{content_type}: {output:?}");
    }
    server.stop().await;
}

/// RFC 8951, section 3.1: bodies are base64, whatever a Content-Transfer-Encoding claims.
#[tokio::test(flavor = "multi_thread")]
async fn the_content_transfer_encoding_means_nothing() {
    let Some((server, folder)) = start().await else {
        return;
    };
    let folder = folder.path();
    std::fs::write(folder.join("pem"), pem("CERTIFICATE REQUEST", &csr())).unwrap();
    for encoding in ["base64", "BASE64", "binary", "7bit", "x-nonsense"] {
        let header = format!("Content-Transfer-Encoding: {encoding}");
        let output = post(&server, folder, "pem", "application/pkcs10", &["-H", &header]).await;
        assert_eq!(status(&output), "200", "{encoding}: {output:?}");
    }
    server.stop().await;
}

/// DER is no body of EST (RFC 8951, section 3.1). Whoever sends it is told which byte is no base64.
#[tokio::test(flavor = "multi_thread")]
async fn binary_der_is_refused_with_the_reason() {
    let Some((server, folder)) = start().await else {
        return;
    };
    let folder = folder.path();
    std::fs::write(folder.join("der"), csr()).unwrap();
    let output = post(&server, folder, "der", "application/pkcs10", &[]).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("is not a base64 character"), "{said}");
    assert_eq!(status(&output), "400", "{said}");
    server.stop().await;
}
