//! `est serverkeygen` against `est serve`: where the key ends up, and how it gets there.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::Output;

use pki_common::Certificate;
use pki_common::identity::Identity;
use serde_json::Value;
use tempfile::TempDir;

use crate::peers;
use crate::process::{self, Serving, est, laboratory, succeeds};

pub(crate) const PASSWORD: [&str; 4] = ["--user", process::USER, "--password-file", "password"];

/// The laboratory with more at the end of its configuration.
pub(crate) fn laboratory_with(more: &str) -> TempDir {
    let laboratory = laboratory();
    let path = laboratory.path().join("est.toml");
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(more.as_bytes()).unwrap();
    laboratory
}

fn serverkeygen(folder: &Path, url: &str, extra: &[&str]) -> Output {
    let start = [
        "serverkeygen",
        "--json",
        "--url",
        url,
        "--trust-anchors",
        "ca/ca.pem",
    ];
    let files = ["--subject", "CN=phone", "-o", "new.pem", "--out-key", "new.key"];
    est(folder, &[&start[..], &files, extra].concat(), "")
}

fn made(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Loading checks that the key belongs to the certificate.
fn identity(folder: &Path) -> Identity {
    Identity::load(folder.join("new.pem"), folder.join("new.key")).unwrap()
}

#[test]
fn a_key_of_the_server_is_for_its_owner_only_and_fits_the_certificate() {
    let laboratory = laboratory_with("[server-key-generation]\n");
    let folder = laboratory.path();
    let server = Serving::start(folder);
    let object = made(&serverkeygen(folder, &server.url, &PASSWORD));
    assert_eq!(object["encrypted"], false);
    assert_eq!(object["certificate"]["subject"], "/CN=phone");
    assert_eq!(identity(folder).certificate().subject(), "/CN=phone");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(folder.join("new.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // A second call does not overwrite the first key.
    let key = std::fs::read(folder.join("new.key")).unwrap();
    assert_eq!(
        serverkeygen(folder, &server.url, &PASSWORD).status.code(),
        Some(1)
    );
    assert_eq!(std::fs::read(folder.join("new.key")).unwrap(), key);
}

/// A certificate whose key may receive keys; a request of ours does not ask for that, so openssl makes it.
fn own_certificate(folder: &Path, url: &str, kind: &str) -> bool {
    let Some(openssl) = peers::find_or_skip("openssl") else {
        return false;
    };
    let (key, usage) = match kind {
        "rsa" => (
            &["rsa:2048"][..],
            "keyUsage=critical,digitalSignature,keyEncipherment",
        ),
        _ => (
            &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"][..],
            "keyUsage=critical,digitalSignature,keyAgreement",
        ),
    };
    let made = std::process::Command::new(openssl)
        .args(["req", "-new", "-nodes", "-subj", "/CN=phone", "-addext", usage])
        .args(["-keyout", "own.key.pem", "-out", "own.csr", "-newkey"])
        .args(key)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let start = ["enroll", "--url", url, "--trust-anchors", "ca/ca.pem"];
    let files = ["--csr", "own.csr", "-o", "own.pem"];
    succeeds(folder, &[&start[..], &PASSWORD, &files].concat(), "");
    true
}

#[test]
fn a_key_comes_encrypted_for_an_rsa_and_for_an_ec_certificate() {
    for kind in ["rsa", "ec"] {
        let laboratory = laboratory_with("[server-key-generation]\nencryption = \"required\"\n");
        let folder = laboratory.path();
        let server = Serving::start(folder);
        if !own_certificate(folder, &server.url, kind) {
            return;
        }
        let own = ["--cert", "own.pem", "--key", "own.key.pem"];
        let output = serverkeygen(folder, &server.url, &own);
        assert_eq!(output.status.code(), Some(1), "{kind}: in the clear");
        assert!(!folder.join("new.key").exists());
        let output = serverkeygen(
            folder,
            &server.url,
            &[&own[..], &["--decrypt-key", "own.key.pem"]].concat(),
        );
        let object = made(&output);
        assert_eq!(object["encrypted"], true, "{kind}");
        assert_eq!(object["package_signers"][0], "/CN=EST server", "{kind}");
        let own = Certificate::from_pem(&std::fs::read(folder.join("own.pem")).unwrap()).unwrap();
        assert_ne!(identity(folder).certificate().spki_der(), own.spki_der());
    }
}

#[test]
fn a_key_comes_encrypted_under_a_shared_key() {
    let laboratory = laboratory_with("[server-key-generation]\nshared-keys = \"shared-keys\"\n");
    let folder = laboratory.path();
    let key = "000102030405060708090a0b0c0d0e0f";
    std::fs::write(folder.join("shared-keys"), format!("line-7:{key}\n")).unwrap();
    std::fs::write(folder.join("kek"), format!("{key}\n")).unwrap();
    std::fs::write(folder.join("other"), format!("{}\n", "00".repeat(16))).unwrap();
    let server = Serving::start(folder);
    let with = |file: &str, id: &str| {
        let shared = ["--shared-key", file, "--key-id", id];
        serverkeygen(folder, &server.url, &[&PASSWORD[..], &shared].concat())
    };
    for (file, id) in [("other", "line-7"), ("kek", "line-8")] {
        let output = with(file, id);
        assert_eq!(output.status.code(), Some(1), "{file} {id}");
        let error: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert!(
            !error["error"]["cause"].as_str().unwrap().contains(key),
            "{error}"
        );
        assert!(!folder.join("new.key").exists() && !folder.join("new.pem").exists());
    }
    assert_eq!(made(&with("kek", "line-7"))["encrypted"], true);
    assert_eq!(identity(folder).certificate().subject(), "/CN=phone");
}

const APPROVED: &str = "[server-key-generation]\n[policy]\napproval = \"operator\"\n";

/// The number of the only request that waits.
fn waiting(folder: &Path) -> String {
    let listed = succeeds(folder, &["ca", "pending", "--dir", "ca", "--json"], "");
    assert_eq!(listed.lines().count(), 1, "{listed}");
    let entry: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(entry["operation"], "serverkeygen", "{entry}");
    entry["id"].to_string()
}

#[test]
fn a_key_that_was_approved_is_made_after_a_restart_and_fits_its_certificate() {
    let laboratory = laboratory_with(APPROVED);
    let folder = laboratory.path();
    let server = Serving::start(folder);
    for _ in 0..3 {
        let output = serverkeygen(folder, &server.url, &PASSWORD);
        assert_eq!(output.status.code(), Some(75));
        waiting(folder);
    }
    // Before the decision and after it.
    drop(server);
    let server = Serving::start(folder);
    let id = waiting(folder);
    succeeds(folder, &["ca", "approve", "--dir", "ca", &id], "");
    drop(server);
    let server = Serving::start(folder);
    let object = made(&serverkeygen(folder, &server.url, &PASSWORD));
    assert_eq!(object["certificate"]["subject"], "/CN=phone");
    assert_eq!(identity(folder).certificate().subject(), "/CN=phone");

    // One approval, one certificate: a second one is for the operator again.
    for name in ["new.pem", "new.key"] {
        std::fs::rename(folder.join(name), folder.join(format!("first-{name}"))).unwrap();
    }
    assert_eq!(
        serverkeygen(folder, &server.url, &PASSWORD).status.code(),
        Some(75)
    );
    let id = waiting(folder);
    succeeds(folder, &["ca", "approve", "--dir", "ca", &id], "");
    made(&serverkeygen(folder, &server.url, &PASSWORD));
    let first = Identity::load(folder.join("first-new.pem"), folder.join("first-new.key")).unwrap();
    assert_ne!(
        identity(folder).certificate().spki_der(),
        first.certificate().spki_der()
    );
}

#[test]
fn a_key_that_was_rejected_is_refused_with_the_reason() {
    let laboratory = laboratory_with(APPROVED);
    let folder = laboratory.path();
    let server = Serving::start(folder);
    assert_eq!(
        serverkeygen(folder, &server.url, &PASSWORD).status.code(),
        Some(75)
    );
    let reason = ["--reason", "no such phone"];
    let id = waiting(folder);
    succeeds(
        folder,
        &[&["ca", "reject", "--dir", "ca", &id][..], &reason].concat(),
        "",
    );
    for _ in 0..2 {
        let output = serverkeygen(folder, &server.url, &PASSWORD);
        assert_eq!(output.status.code(), Some(1));
        let error: Value = serde_json::from_slice(&output.stderr).unwrap_or_else(|_| {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            serde_json::from_str(text.lines().last().unwrap()).unwrap()
        });
        let cause = error["error"]["cause"].as_str().unwrap();
        assert!(cause.contains("no such phone"), "{cause}");
    }
    assert!(!folder.join("new.key").exists());
}
