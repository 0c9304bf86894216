//! The `est` command from the first key to the issued certificate.

use std::process::Command;

use pki_common::Certificate;

use crate::process::{self, Serving, est, laboratory, succeeds};
use crate::{enroll, peers};

const SUBJECT: &str = "DC=com,DC=example,OU=eng,OU=lab,CN=x";

#[test]
fn enrols_from_nothing_to_a_second_certificate() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let server = Serving::start(folder);

    let printed = succeeds(
        folder,
        &["cacerts", "--url", &server.url, "--trust-anchors", "ca/ca.pem"],
        "",
    );
    assert_eq!(
        printed,
        std::fs::read_to_string(folder.join("ca/ca.pem")).unwrap()
    );

    let password = ["--user", process::USER, "--password-file", "password"];
    let asked = ["--subject", SUBJECT, "--name", "DNS:x.example"];
    let output = enroll(folder, &server.url, &[password, asked].concat(), "first");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let first = Certificate::from_pem(&std::fs::read(folder.join("first.pem")).unwrap()).unwrap();
    assert_eq!(first.subject(), "/DC=com/DC=example/OU=eng/OU=lab/CN=x");

    let own = ["--certificate", "first.pem", "--key", "first.key.pem"];
    let asked = ["--mac", "0050.569c.3489", "--key-type", "rsa-2048"];
    let output = enroll(folder, &server.url, &[own, asked].concat(), "second");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let second = Certificate::from_pem(&std::fs::read(folder.join("second.pem")).unwrap()).unwrap();
    assert_eq!(second.subject(), "/CN=Device-0050569c3489");

    let again = [
        "enroll",
        "--url",
        &server.url,
        "--trust-anchors",
        "ca/ca.pem",
        "--existing-key",
        "first.key.pem",
    ];
    let rest = ["--subject", "CN=again", "--out-certificate", "third.pem"];
    succeeds(folder, &[&again[..], &password, &rest].concat(), "");
    let third = Certificate::from_pem(&std::fs::read(folder.join("third.pem")).unwrap()).unwrap();
    assert_eq!(third.spki_der(), first.spki_der());

    let listed = succeeds(folder, &["ca", "list", "--dir", "ca"], "");
    assert_eq!(listed.lines().count(), 4, "{listed}");
    assert!(listed.contains("operator\toperator"), "{listed}");
    assert!(listed.contains("phone\thttp-basic\t127.0.0.1"), "{listed}");
    assert!(
        listed.contains("client-certificate\t127.0.0.1\tCN=Device-0050569c3489"),
        "{listed}"
    );
    let shown = succeeds(folder, &["ca", "show", "--dir", "ca"], "");
    assert!(
        shown.contains("/DC=com/DC=example/CN=Test Root") && shown.contains("issued:     4"),
        "{shown}"
    );
}

#[test]
fn every_failure_ends_with_rung_cause_and_remedy() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    std::fs::write(folder.join("wrong"), "wrong\n").unwrap();
    std::fs::write(folder.join("bad.toml"), "listen = 1\n").unwrap();
    let server = Serving::start(folder);
    let url = server.url.as_str();
    let wrong_password = ["--user", "phone", "--password-file", "wrong", "--subject", "CN=x"];
    for (output, says) in [
        (
            enroll(folder, url, &wrong_password, "a"),
            "user name or password is wrong",
        ),
        (enroll(folder, url, &["--subject", "CN=x"], "a"), "401"),
        (
            enroll(folder, "https://127.0.0.1:1", &["--subject", "CN=x"], "a"),
            "no connection to 127.0.0.1 port 1",
        ),
        (
            enroll(folder, url, &["--subject", "CN=x"], "server"),
            "exists already",
        ),
        (est(folder, &["serve", "--config", "bad.toml"], ""), "bad.toml"),
        (
            est(folder, &["serve", "--config", "missing.toml"], ""),
            "missing.toml",
        ),
        (est(folder, &["ca", "show", "--dir", "nowhere"], ""), "nowhere"),
        (
            est(folder, &["ca", "init", "--dir", "ca", "--subject", "CN=y"], ""),
            "exists already",
        ),
    ] {
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(says), "{text:?} does not say {says:?}");
        let last: Vec<_> = text
            .lines()
            .rev()
            .take(3)
            .map(|line| line.split(':').next().unwrap())
            .collect();
        assert_eq!(last, ["remedy", "cause", "rung"], "{text}");
        assert!(
            !text.contains("wrong\n") && !text.contains(process::PASSWORD),
            "{text}"
        );
    }
    assert!(!folder.join("a.pem").exists() && !folder.join("a.key.pem").exists());
}

#[test]
fn wrong_arguments_end_with_status_2() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["enroll"][..],
        &["no-such-command"],
        &["ca", "init", "--dir", "x", "--subject", "XY=z"],
        &["cacerts", "--url", "http://a", "--trust-anchors", "x"],
        &["user", "add", "--users", "users"],
    ] {
        assert_eq!(
            est(folder.path(), arguments, "").status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_request_made_here_is_read_by_openssl() {
    let folder = tempfile::tempdir().unwrap();
    let csr = succeeds(
        folder.path(),
        &[
            "csr",
            "new",
            "--subject",
            SUBJECT,
            "--name",
            "DNS:x.example",
            "--out-key",
            "key.pem",
        ],
        "",
    );
    assert!(csr.starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"), "{csr}");
    std::fs::write(folder.path().join("csr.pem"), &csr).unwrap();
    let Some(openssl) = peers::find_or_skip("openssl") else {
        return;
    };
    let read = Command::new(openssl)
        .args([
            "req", "-in", "csr.pem", "-noout", "-verify", "-subject", "-nameopt", "compat",
        ])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&read.stdout);
    assert!(
        read.status.success() && shown.contains("subject=/DC=com/DC=example/OU=eng/OU=lab/CN=x"),
        "{shown}"
    );
}

#[cfg(unix)]
#[test]
fn keys_and_users_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let laboratory = laboratory();
    for name in ["ca/ca.key.pem", "server.key.pem", "users"] {
        let mode = std::fs::metadata(laboratory.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{name} has mode {mode:o}");
    }
}

#[cfg(unix)]
#[test]
fn sigterm_ends_the_server_in_order() {
    let laboratory = laboratory();
    let mut server = Serving::start(laboratory.path());
    let id = server.child.id().to_string();
    assert!(
        // The shell's own kill: a small system has no program of that name.
        Command::new("sh")
            .args(["-c", &format!("kill -TERM {id}")])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_request_that_waits_is_approved_and_fetched_with_the_same_bytes() {
    let laboratory = crate::server_key::laboratory_with("[policy]\napproval = \"operator\"\n");
    let folder = laboratory.path();
    let server = Serving::start(folder);
    let password = crate::server_key::PASSWORD;
    let asked = enroll(
        folder,
        &server.url,
        &[&password[..], &["--subject", "CN=x"]].concat(),
        "x",
    );
    assert_eq!(asked.status.code(), Some(75));
    let again = ["enroll", "--url", &server.url, "--trust-anchors", "ca/ca.pem"];
    let files = ["--csr", "x.pem.csr", "-o", "x.pem"];
    let again = [&again[..], &password, &files].concat();
    assert_eq!(est(folder, &again, "").status.code(), Some(75));
    let waiting = succeeds(folder, &["ca", "pending", "--dir", "ca"], "");
    assert_eq!(waiting.lines().count(), 1, "asked twice, queued once: {waiting}");
    let id = waiting.split('\t').next().unwrap();
    succeeds(folder, &["ca", "approve", "--dir", "ca", id], "");
    succeeds(folder, &again, "");
    // The key that the first call made is the certificate's.
    pki_common::identity::Identity::load(folder.join("x.pem"), folder.join("x.key.pem")).unwrap();
}

/// The number of the only request that waits.
fn waiting(folder: &std::path::Path) -> String {
    let listed = succeeds(folder, &["ca", "pending", "--dir", "ca", "--json"], "");
    assert_eq!(listed.lines().count(), 1, "{listed}");
    let entry: serde_json::Value = serde_json::from_str(&listed).unwrap();
    entry["id"].to_string()
}

#[test]
fn a_renewal_that_waits_is_sent_again_and_gets_its_certificate() {
    let laboratory = crate::server_key::laboratory_with("[policy]\napproval = \"operator\"\n");
    let folder = laboratory.path();
    let server = Serving::start(folder);
    let password = ["--user", process::USER, "--password-file", "password"];
    let asked = [&password[..], &["--subject", "CN=phone"]].concat();
    let output = enroll(folder, &server.url, &asked, "old");
    assert_eq!(output.status.code(), Some(75));
    succeeds(folder, &["ca", "approve", "--dir", "ca", &waiting(folder)], "");
    let start = ["--url", server.url.as_str(), "--trust-anchors", "ca/ca.pem"];
    let again = ["--csr", "old.pem.csr", "-o", "old.pem"];
    succeeds(folder, &[&["enroll"][..], &start, &password, &again].concat(), "");

    let own = [
        "--certificate",
        "old.pem",
        "--key",
        "old.key.pem",
        "-o",
        "next.pem",
    ];
    let renew = |more: &[&str]| est(folder, &[&["reenroll"][..], &start, &own, more].concat(), "");
    let output = renew(&["--out-key", "next.key"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(75), "{told}");
    assert!(told.contains("kept in next.pem.csr"), "{told}");
    let kept = ["--csr", "next.pem.csr", "--existing-key", "next.key"];
    let id = waiting(folder);
    assert_eq!(renew(&kept).status.code(), Some(75));
    assert_eq!(waiting(folder), id, "sent again, it is the same entry");
    succeeds(folder, &["ca", "approve", "--dir", "ca", &id], "");
    let output = renew(&kept);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    let renewed =
        pki_common::identity::Identity::load(folder.join("next.pem"), folder.join("next.key")).unwrap();
    assert_eq!(renewed.certificate().subject(), "/CN=phone");

    // Another key is not the one that the request is for.
    std::fs::remove_file(folder.join("next.pem")).unwrap();
    let output = renew(&["--csr", "next.pem.csr", "--existing-key", "old.key.pem"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("the request is for another key"), "{told}");
}

#[test]
fn a_renewal_that_is_rejected_says_why() {
    let laboratory = crate::server_key::laboratory_with("[policy]\napproval = \"operator\"\n");
    let folder = laboratory.path();
    let server = Serving::start(folder);
    let start = ["--url", server.url.as_str(), "--trust-anchors", "ca/ca.pem"];
    let own = [
        "--certificate",
        "server.pem",
        "--key",
        "server.key.pem",
        "-o",
        "next.pem",
    ];
    let renew = |more: &[&str]| est(folder, &[&["reenroll"][..], &start, &own, more].concat(), "");
    assert_eq!(renew(&["--out-key", "next.key"]).status.code(), Some(75));
    let id = waiting(folder);
    succeeds(
        folder,
        &["ca", "reject", "--dir", "ca", "--reason", "out of service", &id],
        "",
    );
    let output = renew(&["--csr", "next.pem.csr", "--existing-key", "next.key"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("out of service"), "{told}");
}
