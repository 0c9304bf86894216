//! `est ca` as a process.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::process::{PASSWORD, Serving, USER, est, laboratory, succeeds};
use crate::support::openssl;

/// The exit status when a request waits for approval (`EX_TEMPFAIL`).
const PENDING: i32 = 75;

fn ca(folder: &Path, arguments: &[&str]) -> Output {
    let (command, rest) = arguments.split_first().unwrap();
    est(folder, &[&["ca", command, "--dir", "ca"], rest].concat(), "")
}

fn ca_succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = ca(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", errors(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// The command fails with status 1 and says this.
fn ca_fails(folder: &Path, arguments: &[&str], says: &str) {
    let output = ca(folder, arguments);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{arguments:?}: {}",
        errors(&output)
    );
    assert!(
        errors(&output).contains(says),
        "{arguments:?}: {}",
        errors(&output)
    );
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// With EST_CA_PASSPHRASE.
fn with_passphrase(folder: &Path, passphrase: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_est"))
        .args(["ca", arguments[0], "--dir", "ca"])
        .args(&arguments[1..])
        .env("EST_CA_PASSPHRASE", passphrase)
        .env_remove("RUST_LOG")
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn rows(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn enroll(folder: &Path, server: &Serving, name: &str) -> Output {
    let (key, out, subject) = (
        format!("{name}.key.pem"),
        format!("{name}.pem"),
        format!("CN={name}"),
    );
    let key_option = if folder.join(&key).exists() {
        "--existing-key"
    } else {
        "--out-key"
    };
    let arguments = [
        "enroll",
        "--url",
        &server.url,
        "--trust-anchors",
        "ca/ca.pem",
        "--user",
        USER,
        "--password-file",
        "password",
        "--subject",
        &subject,
        key_option,
        &key,
        "--out-certificate",
        &out,
    ];
    est(folder, &arguments, "")
}

#[test]
fn an_operator_approves_and_rejects_what_waits() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let config = folder.join("est.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\n[policy]\napproval = \"operator\"\n")).unwrap();
    assert!(PASSWORD.len() > 1);
    let server = Serving::start(folder);
    assert_eq!(ca_succeeds(folder, &["pending"]), "");
    for name in ["good", "bad"] {
        let output = enroll(folder, &server, name);
        assert_eq!(output.status.code(), Some(PENDING), "{}", errors(&output));
    }
    let pending = ca_succeeds(folder, &["pending"]);
    let lines: Vec<Vec<&str>> = pending.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), 2, "{pending}");
    assert_eq!((lines[0][0], lines[0][2], lines[0][3]), ("1", USER, "http-basic"));
    assert_eq!(
        (lines[1][0], lines[1][5], lines[1][6]),
        ("2", "CN=bad", "waiting")
    );
    assert!(ca_succeeds(folder, &["show"]).contains("pending:    2"));

    let said = ca_succeeds(
        folder,
        &["approve", "1", "--by", "carol", "--reason", "rack 7", "--json"],
    );
    assert_eq!(rows(&said)[0]["state"], "approved");
    assert_eq!(rows(&said)[0]["by"], "carol");
    ca_fails(folder, &["approve", "1"], "approved already");
    ca_fails(folder, &["approve", "99"], "there is no such request");
    ca_fails(
        folder,
        &["reject", "99", "--reason", "x"],
        "there is no such request",
    );
    let without_a_reason = ca(folder, &["reject", "2"]);
    assert_eq!(
        without_a_reason.status.code(),
        Some(2),
        "{}",
        errors(&without_a_reason)
    );
    let said = ca_succeeds(folder, &["reject", "2", "--reason", "unknown device"]);
    assert!(said.contains("rejected request 2"), "{said}");

    let output = enroll(folder, &server, "good");
    assert!(output.status.success(), "{}", errors(&output));
    let output = enroll(folder, &server, "bad");
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("unknown device"), "{}", errors(&output));

    assert_eq!(ca_succeeds(folder, &["pending"]), "");
    let all = rows(&ca_succeeds(folder, &["pending", "--all", "--json"]));
    let states: Vec<&str> = all.iter().map(|row| row["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["issued", "rejected"]);
    assert_eq!(all[0]["decided_by"], "carol");
    assert_eq!(all[1]["reason"], "unknown device");
    let csv = ca_succeeds(folder, &["export", "queue"]);
    assert_eq!(csv.lines().count(), 3, "{csv}");
    assert!(csv.lines().next().unwrap().contains("decided_by"), "{csv}");
}

/// Exports the list and has OpenSSL verify it, where it is installed.
fn openssl_finds_on_the_list(folder: &Path, serial: &str) {
    ca_succeeds(folder, &["export", "crl", "--format", "der", "--out", "ca.crl"]);
    let (crl, anchor) = (folder.join("ca.crl"), folder.join("ca/ca.pem"));
    let (crl, anchor) = (crl.to_str().unwrap(), anchor.to_str().unwrap());
    if let Some(output) = openssl(&[
        "crl", "-inform", "DER", "-in", crl, "-noout", "-text", "-CAfile", anchor,
    ]) {
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        for says in ["verify OK", &serial.to_uppercase(), "Key Compromise"] {
            assert!(text.contains(says), "{says}: {text}");
        }
    }
}

#[test]
fn a_revoked_certificate_is_found_by_its_first_digits_listed_and_on_the_list() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let listed = rows(&ca_succeeds(folder, &["list", "--json"]));
    assert_eq!(listed.len(), 1);
    let serial = listed[0]["serial"].as_str().unwrap();
    assert_eq!(
        (&listed[0]["status"], &listed[0]["requester"]),
        (&Value::from("valid"), &Value::from("operator"))
    );
    let prefix = &serial[..8];
    ca_fails(folder, &["revoke", "not-hexadecimal"], "is no serial number");
    let other = if serial.starts_with("00") { "11" } else { "00" };
    ca_fails(
        folder,
        &["revoke", other],
        "no certificate's serial number begins with",
    );
    let output = ca(folder, &["revoke", prefix, "--reason", "boredom"]);
    assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
    let said = rows(&ca_succeeds(
        folder,
        &["revoke", prefix, "--reason", "keyCompromise", "--json"],
    ));
    assert_eq!(
        (&said[0]["serial"], &said[0]["listed"]),
        (&Value::from(serial), &Value::from(true))
    );
    ca_fails(folder, &["revoke", prefix], "revoked already");

    let count = |filter: &[&str]| ca_succeeds(folder, &[&["list"], filter].concat()).lines().count();
    for (filter, expected) in [
        (&["--status", "revoked"][..], 1),
        (&["--status", "valid"], 0),
        (&["--status", "expired"], 0),
        (&["--requester", "operator"], 1),
        (&["--requester", "mallory"], 0),
        (&["--subject", "EST server"], 1),
        (&["--subject", "elsewhere"], 0),
        (&["--label", "phones"], 0),
        (&["--serial", prefix], 1),
        (&["--serial", other], 0),
        (&["--since", "2020-01-01T00:00:00Z"], 1),
        (&["--since", "2100-01-01T00:00:00Z"], 0),
    ] {
        assert_eq!(count(filter), expected, "{filter:?}");
    }
    openssl_finds_on_the_list(folder, serial);
    for (what, format) in [("crl", "csv"), ("certificates", "der")] {
        ca_fails(folder, &["export", what, "--format", format], "--format");
    }
    let exported = rows(&ca_succeeds(
        folder,
        &["export", "certificates", "--format", "json"],
    ));
    assert_eq!(exported[0]["revocation_reason"], "keyCompromise");
}

#[test]
fn an_encrypted_key_opens_with_its_passphrase_from_a_file_or_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("right"), "correct horse\n").unwrap();
    std::fs::write(folder.join("wrong"), "battery staple\n").unwrap();
    std::fs::write(folder.join("empty"), "\n").unwrap();
    ca_succeeds(
        folder,
        &["init", "--subject", "CN=Lab Root", "--passphrase-file", "right"],
    );
    let key = std::fs::read_to_string(folder.join("ca/ca.key.pem")).unwrap();
    assert!(key.contains("ENCRYPTED PRIVATE KEY"));

    ca_fails(folder, &["export", "crl"], "needs a passphrase");
    ca_fails(
        folder,
        &["export", "crl", "--passphrase-file", "wrong"],
        "does not decrypt",
    );
    ca_fails(
        folder,
        &["export", "crl", "--passphrase-file", "empty"],
        "the first line is empty",
    );
    ca_fails(
        folder,
        &["export", "crl", "--passphrase-file", "missing"],
        "missing",
    );
    for (passphrase, status, says) in [("correct horse", 0, ""), ("", 1, "the passphrase is empty")] {
        let output = with_passphrase(folder, passphrase, &["export", "crl"]);
        assert_eq!(
            output.status.code(),
            Some(status),
            "{passphrase:?}: {}",
            errors(&output)
        );
        assert!(errors(&output).contains(says), "{}", errors(&output));
    }
    let names = [
        "server-certificate",
        "--name",
        "DNS:localhost",
        "--passphrase-file",
        "right",
    ];
    let files = ["--out-certificate", "server.pem", "--out-key", "server.key.pem"];
    ca_succeeds(folder, &[&names[..], &files].concat());
    // Revoking needs no passphrase: the list is made by who has it.
    let serial = rows(&ca_succeeds(folder, &["list", "--json"]))[0]["serial"].clone();
    let said = rows(&ca_succeeds(
        folder,
        &["revoke", serial.as_str().unwrap(), "--json"],
    ));
    assert_eq!(said[0]["listed"], false);
    let renewed = ca_succeeds(folder, &["renew", "--passphrase-file", "right"]);
    assert!(renewed.contains("ca.old-1"), "{renewed}");
    let key = std::fs::read_to_string(folder.join("ca/ca.key.pem")).unwrap();
    assert!(
        key.contains("ENCRYPTED PRIVATE KEY"),
        "the new key is encrypted as the old one was"
    );
}

#[test]
fn a_root_is_renewed_with_the_same_key_and_with_a_new_one() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    ca_fails(folder, &["init", "--subject", "CN=Another"], "never overwritten");
    let certificates = |what: &str| {
        ca_succeeds(folder, &["export", what])
            .matches("BEGIN CERTIFICATE")
            .count()
    };
    assert_eq!((certificates("certificate"), certificates("cacerts")), (1, 1));
    let said = rows(&ca_succeeds(folder, &["renew", "--same-key", "--json"]));
    assert_eq!(said[0]["kept_as"], "ca/ca.old-1");
    assert_eq!(certificates("cacerts"), 2);
    let said = ca_succeeds(folder, &["renew", "--key", "ec-p384", "--days", "7300"]);
    assert!(said.contains("ca/ca.old-2.key.pem"), "{said}");
    assert_eq!((certificates("certificate"), certificates("cacerts")), (1, 5));
    let shown = rows(&ca_succeeds(folder, &["show", "--json"]));
    assert_eq!(shown[0]["subject"], "/DC=com/DC=example/CN=Test Root");
    assert!(shown[0]["key"].as_str().unwrap().contains("384"), "{shown:?}");
    let output = ca(folder, &["renew", "--same-key", "--key", "ec-p256"]);
    assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
    for arguments in [
        &["show"][..],
        &["list"],
        &["pending"],
        &["export", "crl"],
        &["renew"],
    ] {
        let (command, rest) = arguments.split_first().unwrap();
        let output = est(folder, &[&["ca", command, "--dir", "nowhere"], rest].concat(), "");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(
            errors(&output).contains("nowhere"),
            "{arguments:?}: {}",
            errors(&output)
        );
    }
}

/// A root of OpenSSL's beside the authority; `false` without OpenSSL.
fn outside_root(folder: &Path) -> bool {
    let extensions =
        "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n";
    std::fs::write(folder.join("extensions"), extensions).unwrap();
    let (key, root) = (path(folder, "root.key"), path(folder, "root.pem"));
    let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650".split(' ');
    let named = ["-keyout", &key, "-out", &root, "-subj", "/CN=Outside Root"];
    openssl(&new.chain(named).collect::<Vec<_>>()).is_some_and(|output| output.status.success())
}

/// Has the root sign the request of the authority.
fn sign(folder: &Path, out: &str, as_authority: bool) {
    let (key, root) = (path(folder, "root.key"), path(folder, "root.pem"));
    let (request, extensions) = (path(folder, "ca/ca.csr.pem"), path(folder, "extensions"));
    let out = path(folder, out);
    let mut arguments = vec![
        "x509",
        "-req",
        "-CAcreateserial",
        "-in",
        &request,
        "-CA",
        &root,
        "-CAkey",
        &key,
    ];
    arguments.extend(["-out", &out]);
    if as_authority {
        arguments.extend(["-extfile", &extensions]);
    }
    assert!(openssl(&arguments).unwrap().status.success());
}

/// The certificate that the root has made, and the root.
fn import_chain(folder: &Path) -> String {
    sign(folder, "signed.pem", true);
    let read = |name| std::fs::read(folder.join(name)).unwrap();
    std::fs::write(
        folder.join("chain.pem"),
        [read("signed.pem"), read("root.pem")].concat(),
    )
    .unwrap();
    ca_succeeds(folder, &["import-certificate", "--certificate", "chain.pem"])
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

fn the_old_certificate_is_in_force_until_the_new_one_has_come(folder: &Path) {
    let before = ca_succeeds(folder, &["export", "certificate"]);
    let said = ca_succeeds(folder, &["renew"]);
    assert!(said.contains("ca.csr.pem"), "{said}");
    assert_eq!(ca_succeeds(folder, &["export", "certificate"]), before);
    import_chain(folder);
    assert_ne!(ca_succeeds(folder, &["export", "certificate"]), before);
    assert!(ca_succeeds(folder, &["export", "cacerts"]).contains(before.trim()));
    succeeds(folder, &["ca", "show", "--dir", "ca"], "");
}

#[test]
fn an_intermediate_authority_takes_its_certificate_from_an_outside_root() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    ca_succeeds(
        folder,
        &[
            "init",
            "--subject",
            "O=Example,CN=Lab Issuing CA",
            "--intermediate",
        ],
    );
    ca_fails(folder, &["export", "certificate"], "have ca.csr.pem signed");
    if !outside_root(folder) {
        return;
    }
    sign(folder, "end-entity.pem", false);
    for (file, reason) in [
        ("missing.pem", "missing.pem"),
        ("extensions", "no certificate in PEM"),
        ("end-entity.pem", "is not a CA certificate"),
        ("root.pem", "does not belong to the certificate"),
    ] {
        ca_fails(folder, &["import-certificate", "--certificate", file], reason);
    }
    assert!(!folder.join("ca/ca.pem").exists());
    let said = import_chain(folder);
    assert!(said.contains("is ready, with 1 certificates above it"), "{said}");
    assert_eq!(
        ca_succeeds(folder, &["export", "chain"])
            .matches("BEGIN CERTIFICATE")
            .count(),
        2
    );

    let names = ["server-certificate", "--name", "DNS:localhost"];
    let files = ["--out-certificate", "server.pem", "--out-key", "server.key.pem"];
    ca_succeeds(folder, &[&names[..], &files].concat());
    let (own, leaf, root) = (
        path(folder, "ca/ca.pem"),
        path(folder, "server.pem"),
        path(folder, "root.pem"),
    );
    let verified = openssl(&["verify", "-CAfile", &root, "-untrusted", &own, &leaf]).unwrap();
    assert!(verified.status.success(), "{}", errors(&verified));
    // The root gave no cRLSign: a revocation is on record all the same.
    let serial = rows(&ca_succeeds(folder, &["list", "--json"]))[0]["serial"].clone();
    let said = rows(&ca_succeeds(
        folder,
        &["revoke", serial.as_str().unwrap(), "--json"],
    ));
    assert_eq!(said[0]["listed"], false);
    ca_fails(folder, &["export", "crl"], "cRLSign");

    the_old_certificate_is_in_force_until_the_new_one_has_come(folder);
}
