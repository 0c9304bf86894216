//! curl and openssl, programs that we did not write, against our server.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step of a test is a failed test; clippy sees only functions marked as tests"
)]

mod support;

use std::path::Path;
use std::process::{Command, Output};

use support::peers::find_or_skip;
use support::{PASSWORD, Setup, TestServer, USER};
use tempfile::TempDir;

const SUBJECT: &str = "/DC=com/DC=example/OU=eng/OU=lab/CN=AP-0050569c3489";

/// Runs a program off the runtime that serves it, in `folder`.
async fn run(folder: &Path, program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    // These would override --cacert.
    for variable in [
        "CURL_CA_BUNDLE",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "https_proxy",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ] {
        command.env_remove(variable);
    }
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    if !output.status.success() {
        eprintln!(
            "{program} {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    output
}

async fn succeeds(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output = run(folder, program, arguments).await;
    assert!(output.status.success(), "{program} {arguments:?} fails");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn start() -> (TestServer, TempDir, String) {
    let server = TestServer::start(Setup::default()).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("anchor.pem"), server.anchor_pem()).unwrap();
    let url = format!("https://{}/.well-known/est", server.address);
    (server, folder, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_and_openssl_read_the_ca_certificates() {
    if find_or_skip("curl").is_none() || find_or_skip("openssl").is_none() {
        return;
    }
    let (server, folder, url) = start().await;
    let folder = folder.path();
    for version in [&["--tlsv1.2", "--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        let user = format!("{USER}:{PASSWORD}");
        let url = format!("{url}/cacerts");
        let mut arguments = vec![
            "-sS",
            "--fail",
            "--cacert",
            "anchor.pem",
            "-u",
            &user,
            "-o",
            "body",
            &url,
        ];
        arguments.extend(version);
        succeeds(folder, "curl", &arguments).await;
        succeeds(
            folder,
            "openssl",
            &["base64", "-d", "-A", "-in", "body", "-out", "body.p7"],
        )
        .await;
        let shown = succeeds(
            folder,
            "openssl",
            &["pkcs7", "-inform", "DER", "-in", "body.p7", "-print_certs"],
        )
        .await;
        assert!(shown.contains("CN = Test Root"), "{shown}");
        assert_eq!(shown.matches("BEGIN CERTIFICATE").count(), 1);
    }
    server.stop().await;
}

/// The request of `openssl req`, enrolled by curl; the certificate is left in `issued.pem`.
async fn enroll(folder: &Path, url: &str, new_key: &[&str], csr_form: &str) {
    let mut request = vec!["req", "-new", "-nodes", "-keyout", "key.pem", "-subj", SUBJECT];
    request.extend(["-outform", csr_form, "-out", "csr"]);
    request.extend(new_key);
    succeeds(folder, "openssl", &request).await;
    if csr_form == "DER" {
        succeeds(folder, "openssl", &["base64", "-in", "csr", "-out", "csr.txt"]).await;
        std::fs::rename(folder.join("csr.txt"), folder.join("csr")).unwrap();
    }
    let user = format!("{USER}:{PASSWORD}");
    let url = format!("{url}/simpleenroll");
    let arguments = ["-sS", "--fail-with-body", "--cacert", "anchor.pem", "-u", &user]
        .into_iter()
        .chain([
            "-H",
            "Content-Type: application/pkcs10",
            "--data-binary",
            "@csr",
            "-o",
            "body",
            &url,
        ]);
    succeeds(folder, "curl", &arguments.collect::<Vec<_>>()).await;
    succeeds(
        folder,
        "openssl",
        &["base64", "-d", "-A", "-in", "body", "-out", "body.p7"],
    )
    .await;
    let print = [
        "pkcs7",
        "-inform",
        "DER",
        "-in",
        "body.p7",
        "-print_certs",
        "-out",
        "issued.pem",
    ];
    succeeds(folder, "openssl", &print).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_openssl_enrols_by_curl_and_openssl_accepts_the_certificate() {
    if find_or_skip("curl").is_none() || find_or_skip("openssl").is_none() {
        return;
    }
    let (server, folder, url) = start().await;
    let folder = folder.path();
    let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    for (new_key, form) in [
        (&ec[..], "PEM"),
        (&ec[..], "DER"),
        (&["-newkey", "rsa:2048"], "PEM"),
    ] {
        enroll(folder, &url, new_key, form).await;
        let verified = succeeds(
            folder,
            "openssl",
            &["verify", "-x509_strict", "-CAfile", "anchor.pem", "issued.pem"],
        )
        .await;
        assert!(verified.contains("issued.pem: OK"), "{verified}");
        let subject = [
            "x509",
            "-in",
            "issued.pem",
            "-noout",
            "-subject",
            "-nameopt",
            "compat",
        ];
        let subject = succeeds(folder, "openssl", &subject).await;
        assert_eq!(subject.trim(), format!("subject={SUBJECT}"));
        let of_certificate = succeeds(
            folder,
            "openssl",
            &["x509", "-in", "issued.pem", "-noout", "-pubkey"],
        )
        .await;
        let of_key = succeeds(folder, "openssl", &["pkey", "-in", "key.pem", "-pubout"]).await;
        assert_eq!(of_certificate, of_key);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_enrols_with_a_certificate_instead_of_a_password() {
    if find_or_skip("curl").is_none() || find_or_skip("openssl").is_none() {
        return;
    }
    let (server, folder, url) = start().await;
    let folder = folder.path();
    enroll(
        folder,
        &url,
        &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
        "PEM",
    )
    .await;
    let url = format!("{url}/simpleenroll");
    for version in [&["--tlsv1.2", "--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        let mut arguments = vec![
            "-sS",
            "--fail-with-body",
            "--cacert",
            "anchor.pem",
            "-o",
            "again",
            &url,
        ];
        arguments.extend(["--cert", "issued.pem", "--key", "key.pem"]);
        arguments.extend(["-H", "Content-Type: application/pkcs10", "--data-binary", "@csr"]);
        arguments.extend(version);
        succeeds(folder, "curl", &arguments).await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_is_told_what_is_wrong() {
    if find_or_skip("curl").is_none() {
        return;
    }
    let (server, folder, url) = start().await;
    let folder = folder.path();
    let url = format!("{url}/simpleenroll");
    for (extra, status, says) in [
        (
            &["-u", "phone:wrong"][..],
            "401",
            "user name or password is wrong.",
        ),
        (&[][..], "401", "simpleenroll needs authentication"),
    ] {
        let mut arguments = vec!["-sS", "--cacert", "anchor.pem", "-w", "%{http_code}", &url];
        arguments.extend(["-H", "Content-Type: application/pkcs10", "--data-binary", "x"]);
        arguments.extend(extra);
        let said = succeeds(folder, "curl", &arguments).await;
        assert!(said.contains(says) && said.ends_with(status), "{said}");
    }
    server.stop().await;
}
