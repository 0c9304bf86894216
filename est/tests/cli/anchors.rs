//! The anchors of the operating system as implicit trust anchors.

use std::path::Path;
use std::process::{Command, Output};

use crate::process::{self, Serving, laboratory};

/// Runs `est` where the operating system has the anchors of one file, and no others.
fn est_with_system_anchors(folder: &Path, anchors: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_est"))
        .args(arguments)
        .env("SSL_CERT_FILE", folder.join(anchors))
        .env_remove("SSL_CERT_DIR")
        .current_dir(folder)
        .output()
        .unwrap()
}

#[test]
fn the_servers_certificate_may_lead_to_an_anchor_of_the_system() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let server = Serving::start(folder);
    let cacerts = ["cacerts", "--url", &server.url, "--system-anchors"];
    let output = est_with_system_anchors(folder, "ca/ca.pem", &cacerts);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("BEGIN CERTIFICATE"));

    let enroll = [
        "enroll",
        "--url",
        &server.url,
        "--system-anchors",
        "--subject",
        "CN=x",
    ];
    let files = ["-o", "x.pem", "--out-key", "x.key"];
    let password = ["--user", process::USER, "--password-file", "password"];
    let output = est_with_system_anchors(folder, "ca/ca.pem", &[&enroll[..], &files, &password].concat());
    assert!(output.status.success(), "{output:?}");
    assert!(folder.join("x.pem").exists());
}

#[test]
fn a_system_without_anchors_is_named_as_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["cacerts", "--url", "https://127.0.0.1:1", "--system-anchors"];
    let output = est_with_system_anchors(folder.path(), "missing.pem", &arguments);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("no anchors of the operating system were found") && said.contains("missing.pem"),
        "{said}"
    );
}
