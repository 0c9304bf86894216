//! `--json`, shell completions, and keys that are kept.

use serde_json::Value;

use crate::process::{self, Serving, est, laboratory, succeeds};

fn object(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn every_client_command_prints_one_object() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let server = Serving::start(folder);
    let to = ["--url", &server.url, "--trust-anchors", "ca/ca.pem"];
    let run = |arguments: &[&str]| object(&succeeds(folder, &[&["--json"], arguments, &to].concat(), ""));

    let found = run(&["cacerts"]);
    assert_eq!(
        found["certificates"][0]["subject"],
        "/DC=com/DC=example/CN=Test Root"
    );
    assert!(found["pem"].as_str().unwrap().starts_with("-----BEGIN"));

    let made = object(&succeeds(
        folder,
        &[
            "csr",
            "new",
            "--json",
            "--subject",
            "CN=x",
            "--out-key",
            "x.key",
            "--out-csr",
            "x.csr",
        ],
        "",
    ));
    assert_eq!((&made["key"], &made["csr"]), (&"x.key".into(), &"x.csr".into()));

    let password = ["--user", process::USER, "--password-file", "password"];
    let issued = run(&[&["enroll", "--csr", "x.csr", "-o", "x.pem"][..], &password].concat());
    assert_eq!(issued["status"], "issued");
    assert_eq!(issued["certificate"]["subject"], "/CN=x");

    let renewed = run(&[
        "reenroll",
        "--cert",
        "x.pem",
        "--key",
        "x.key",
        "-o",
        "y.pem",
        "--out-key",
        "y.key",
    ]);
    assert_eq!(renewed["certificate"]["subject"], "/CN=x");
    assert_ne!(renewed["certificate"]["serial"], issued["certificate"]["serial"]);

    let report = object(&succeeds(folder, &["inspect", "--json", "y.pem"], ""));
    assert_eq!(report[0]["report"]["kind"], "certificate");
    assert_eq!(report[0]["report"]["facts"]["subject"], "/CN=x");
}

#[test]
fn failures_are_objects_too() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), "nothing").unwrap();
    let output = est(
        folder.path(),
        &[
            "--json",
            "cacerts",
            "-s",
            "https://127.0.0.1:1",
            "--cacert",
            "ca.pem",
        ],
        "",
    );
    assert_eq!(output.status.code(), Some(1));
    let error = object(&String::from_utf8(output.stderr).unwrap());
    for member in ["rung", "cause", "remedy"] {
        assert!(error["error"][member].is_string(), "{error}");
    }
}

#[test]
fn a_first_contact_needs_the_right_fingerprint() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let server = Serving::start(folder);
    let known = object(&succeeds(
        folder,
        &[
            "--json",
            "cacerts",
            "--url",
            &server.url,
            "--trust-anchors",
            "ca/ca.pem",
        ],
        "",
    ));
    let fingerprint = known["certificates"][0]["fingerprint_sha256"]
        .as_str()
        .unwrap()
        .to_owned();
    let to = |fingerprint: &str| {
        est(
            folder,
            &["cacerts", "--url", &server.url, "--fingerprint", fingerprint],
            "",
        )
    };
    let output = to(&fingerprint);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        std::fs::read_to_string(folder.join("ca/ca.pem")).unwrap()
    );
    let wrong = to(&"00".repeat(32));
    assert_eq!(wrong.status.code(), Some(1));
    assert!(wrong.stdout.is_empty());
    // Without a terminal there is nobody to ask.
    let unasked = est(folder, &["cacerts", "--url", &server.url, "--ask"], "1\n");
    assert_eq!(unasked.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unasked.stderr).contains("no terminal"));
}

#[test]
fn a_refusal_leaves_no_key_behind_and_a_key_that_is_there_is_not_overwritten() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let server = Serving::start(folder);
    let ask = |out: &str, user: &[&str]| {
        let key = format!("{out}.key");
        let certificate = format!("{out}.pem");
        let start = [
            "enroll",
            "--url",
            &server.url,
            "--trust-anchors",
            "ca/ca.pem",
            "--subject",
            "CN=x",
        ];
        let files = ["--out-key", &key, "-o", &certificate];
        est(folder, &[&start[..], &files, user].concat(), "")
    };
    // A refusal: no certificate, and no key in the way of the next call.
    assert_eq!(ask("refused", &[]).status.code(), Some(1));
    assert!(!folder.join("refused.key").exists());
    std::fs::write(folder.join("kept.key"), "mine").unwrap();
    let password = ["--user", process::USER, "--password-file", "password"];
    assert_eq!(ask("kept", &password).status.code(), Some(1));
    assert_eq!(std::fs::read(folder.join("kept.key")).unwrap(), b"mine");
}

#[test]
fn a_password_in_the_arguments_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = est(
        folder.path(),
        &[
            "csrattrs",
            "-s",
            "https://a",
            "--cacert",
            "x",
            "-u",
            "name:secret",
        ],
        "",
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--password-file"));
}

#[test]
fn completions_are_there_for_the_usual_shells() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = succeeds(folder.path(), &["completions", shell], "");
        assert!(
            script.contains("reenroll") && script.contains("metrics-file"),
            "{shell}"
        );
    }
}

/// One switch, before or behind the command.
#[test]
fn authority_users_and_server_speak_json_too() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let before = succeeds(folder, &["--json", "ca", "show", "--dir", "ca"], "");
    assert_eq!(
        before,
        succeeds(folder, &["ca", "show", "--dir", "ca", "--json"], "")
    );
    assert_eq!(object(&before)["issued"], 1);

    let files = ["--users", "users", "--bearer", "tokens"];
    let add = [
        &["user", "add", "--json"],
        &files[..],
        &["--password-stdin", "ap"],
    ]
    .concat();
    let added = succeeds(folder, &add, "a long password\n");
    let added: Vec<Value> = added.lines().map(object).collect();
    assert_eq!(
        (&added[0]["method"], &added[0]["done"]),
        (&"basic".into(), &"added".into())
    );
    assert!(added[1]["token"].as_str().unwrap().len() > 20);
    let listed = succeeds(folder, &[&["user", "list", "--json"], &files[..]].concat(), "");
    let listed: Vec<Value> = listed.lines().map(object).collect();
    assert_eq!(
        listed[2],
        serde_json::json!({ "user": "ap", "method": "bearer", "expires": null })
    );
    let remove = [&["user", "remove", "--json"], &files[..], &["ap"]].concat();
    let removed = succeeds(folder, &remove, "");
    assert!(
        removed.lines().map(object).all(|line| line["done"] == "removed"),
        "{removed}"
    );

    let mut server = std::process::Command::new(env!("CARGO_BIN_EXE_est"))
        .args(["--json", "serve", "--config", "est.toml"])
        .current_dir(folder)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = std::io::BufReader::new(server.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut line).unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    let started = object(&line);
    assert!(
        started["listening"]
            .as_str()
            .unwrap()
            .starts_with("https://127.0.0.1:")
    );
    assert_eq!(started["revocation_lists"], Value::Null);
}

#[test]
fn wrong_arguments_are_told_as_an_object_too() {
    let folder = tempfile::tempdir().unwrap();
    let output = est(folder.path(), &["--json", "cacerts", "--no-such-option"], "");
    assert_eq!(output.status.code(), Some(2));
    let error = object(&String::from_utf8(output.stderr).unwrap());
    assert!(
        error["error"]["cause"]
            .as_str()
            .unwrap()
            .contains("--no-such-option"),
        "{error}"
    );
}

#[test]
fn without_a_terminal_there_must_be_a_password() {
    let folder = laboratory();
    let arguments = [
        "csrattrs",
        "-s",
        "https://127.0.0.1:1",
        "--cacert",
        "ca/ca.pem",
        "-u",
        "name",
    ];
    let output = est(folder.path(), &arguments, "");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("there is no password") && text.contains("EST_PASSWORD"),
        "{text}"
    );
}
