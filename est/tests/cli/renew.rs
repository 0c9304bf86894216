//! `est renew`: a folder of identities against a real server.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use pki_common::identity::Identity;
use serde_json::Value;

use crate::process::{self, Serving, est, laboratory};

fn identity(folder: &Path, url: &str, name: &str, more: &str) {
    let path = folder.join("identities").join(name);
    fs::create_dir_all(&path).unwrap();
    let text = format!(
        "url = \"{url}\"\ntrust-anchors = [\"../../ca/ca.pem\"]\nsubject = \"CN={name}\"\nuser = \"{}\"\npassword-file = \"../../password\"\n{more}",
        process::USER
    );
    fs::write(path.join("est.toml"), text).unwrap();
}

fn once(folder: &Path, extra: &[&str]) -> (Option<i32>, Vec<Value>) {
    let output = est(
        folder,
        &[&["--json", "renew", "--watch", "identities", "--once"], extra].concat(),
        "",
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (output.status.code(), lines)
}

fn current(folder: &Path, name: &str) -> Identity {
    let path = folder.join("identities").join(name).join("current");
    Identity::load(path.join("certificate.pem"), path.join("key.pem")).unwrap()
}

#[test]
fn enrols_and_renews_and_runs_the_hook() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let server = Serving::start(folder);
    identity(folder, &server.url, "a", "");
    identity(
        folder,
        &server.url,
        "b",
        "[renewal]\nfraction = 0.000001\njitter = 0.0\n",
    );
    let hook = [
        "--hook",
        "echo \"$EST_IDENTITY $EST_SUBJECT\" >> hooks; test -s \"$EST_KEY\"",
    ];
    let (status, lines) = once(folder, &hook);
    assert_eq!(status, Some(0), "{lines:?}");
    assert_eq!(lines.last().unwrap()["summary"]["valid"], 2);
    let first = (current(folder, "a"), current(folder, "b"));
    assert_eq!(first.0.certificate().subject(), "/CN=a");
    let hooks = fs::read_to_string(folder.join("hooks")).unwrap();
    assert_eq!(hooks.lines().count(), 2, "{hooks}");
    assert!(hooks.contains("b /CN=b"), "{hooks}");

    // `a` is fresh; `b` is due again at once, and its old pair stays.
    let (status, _) = once(folder, &hook);
    assert_eq!(status, Some(0));
    assert_eq!(
        current(folder, "a").certificate().der(),
        first.0.certificate().der()
    );
    let renewed = current(folder, "b");
    assert_ne!(renewed.certificate().der(), first.1.certificate().der());
    assert_ne!(renewed.certificate().spki_der(), first.1.certificate().spki_der());
    assert_eq!(
        fs::read_dir(folder.join("identities/b/versions"))
            .unwrap()
            .count(),
        2
    );
}

#[test]
fn what_fails_is_told_and_does_not_stop_the_others() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let server = Serving::start(folder);
    identity(folder, &server.url, "good", "");
    identity(folder, "https://127.0.0.1:1", "dead", "");
    identity(folder, &server.url, "typo", "colour = \"red\"\n");
    let (status, lines) = once(folder, &[]);
    assert_eq!(status, Some(1));
    let summary = &lines.last().unwrap()["summary"];
    assert_eq!(
        (&summary["valid"], &summary["failed"]),
        (&1.into(), &2.into()),
        "{lines:?}"
    );
    let cause = |name: &str| {
        let found = lines
            .iter()
            .find(|line| line["identity"] == name && line["event"] == "failed");
        found.unwrap()["error"]["cause"].as_str().unwrap().to_owned()
    };
    assert!(cause("typo").contains("colour"), "{}", cause("typo"));
    assert!(cause("dead").contains("127.0.0.1"), "{}", cause("dead"));
    assert_eq!(current(folder, "good").certificate().subject(), "/CN=good");
}

#[test]
fn a_hook_that_fails_is_run_again() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let server = Serving::start(folder);
    identity(folder, &server.url, "a", "");
    let (status, lines) = once(folder, &["--hook", "echo broken >&2; exit 3"]);
    assert_eq!(status, Some(1), "{lines:?}");
    let failed = lines.iter().find(|line| line["event"] == "hook-failed").unwrap();
    assert!(
        failed["error"]["cause"].as_str().unwrap().contains("broken"),
        "{failed}"
    );
    let (status, lines) = once(folder, &["--hook", "sleep 100", "--hook-timeout", "1"]);
    assert_eq!(status, Some(1), "{lines:?}");
    let (status, lines) = once(folder, &["--hook", "true"]);
    assert_eq!(status, Some(0), "{lines:?}");
    assert!(
        lines.iter().any(|line| line["event"] == "hook-succeeded"),
        "{lines:?}"
    );
    let (_, lines) = once(folder, &["--hook", "false"]);
    assert!(
        lines.iter().all(|line| line["event"] != "hook-failed"),
        "{lines:?}"
    );
}

#[test]
fn the_daemon_picks_up_new_folders_offers_metrics_and_ends_on_sigterm() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let server = Serving::start(folder);
    fs::create_dir(folder.join("identities")).unwrap();
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_est"))
        .args(["--json", "renew", "--watch", "identities", "--scan", "1"])
        .args([
            "--metrics-listen",
            "127.0.0.1:0",
            "--metrics-file",
            "metrics.prom",
        ])
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(daemon.stdout.take().unwrap()).lines();
    let mut next = move || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let url = next()["metrics"].as_str().unwrap().to_owned();
    identity(folder, &server.url, "late", "");
    while next()["event"] != "renewed" {}
    // A prober waits for what the daemon publishes after the event.
    let address = url
        .strip_prefix("http://")
        .unwrap()
        .strip_suffix("/metrics")
        .unwrap();
    let mut text = String::new();
    for _ in 0..600 {
        text = scrape(address);
        if text.contains("est_renewal_last_success_timestamp_seconds{") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let end = current(folder, "late").certificate().not_after().as_secs();
    assert!(
        text.contains(&format!(
            "est_renewal_certificate_not_after_timestamp_seconds{{identity=\"late\"}} {end}\n"
        )),
        "{text}"
    );
    let file = fs::read_to_string(folder.join("metrics.prom")).unwrap();
    assert!(file.contains("est_renewal_identities 1"), "{file}");

    let killed = Command::new("sh")
        .args(["-c", &format!("kill -TERM {}", daemon.id())])
        .status()
        .unwrap();
    assert!(killed.success());
    assert_eq!(daemon.wait().unwrap().code(), Some(0));
}

fn scrape(address: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn metrics_are_for_this_machine_only() {
    let folder = tempfile::tempdir().unwrap();
    let output = est(
        folder.path(),
        &["renew", "--watch", ".", "--metrics-listen", "0.0.0.0:0"],
        "",
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("loopback"));
}

#[test]
fn a_second_daemon_over_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("identities")).unwrap();
    let mut first = Command::new(env!("CARGO_BIN_EXE_est"))
        .args(["renew", "--watch", "identities"])
        .current_dir(folder.path())
        .spawn()
        .unwrap();
    let lock = folder.path().join("identities").join(est::renewal::daemon::LOCK);
    let arguments = ["renew", "--watch", "identities", "--once"];
    // The first daemon takes the lock a moment after it has made the file.
    let mut refused = None;
    for _ in 0..600 {
        std::thread::sleep(std::time::Duration::from_millis(100));
        if lock.exists() {
            let output = est(folder.path(), &arguments, "");
            if output.status.code() == Some(1) {
                refused = Some(output);
                break;
            }
        }
    }
    first.kill().unwrap();
    first.wait().unwrap();
    let text = String::from_utf8(refused.unwrap().stderr).unwrap();
    assert!(text.contains("another process watches identities"), "{text}");
    // The lock does not outlive its holder.
    assert_eq!(est(folder.path(), &arguments, "").status.code(), Some(0));
}

#[test]
fn encrypted_keys_stay_encrypted_by_the_same_passphrase() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let server = Serving::start(folder);
    fs::write(folder.join("passphrase"), "battery staple\n").unwrap();
    let soon = "[renewal]\nfraction = 0.000001\njitter = 0.0\n";
    let locked = format!("passphrase-file = \"../../passphrase\"\n{soon}");
    identity(folder, &server.url, "a", &locked);
    let key = || {
        let path = folder.join("identities/a/current/key.pem");
        assert!(
            fs::read_to_string(&path)
                .unwrap()
                .contains("BEGIN ENCRYPTED PRIVATE KEY")
        );
        pki_common::identity::load_private_key(&path, Some(b"battery staple")).unwrap()
    };
    let (status, lines) = once(folder, &[]);
    assert_eq!(status, Some(0), "{lines:?}");
    let first = key();
    let (status, lines) = once(folder, &[]);
    assert_eq!(status, Some(0), "{lines:?}");
    assert_ne!(key().secret_der(), first.secret_der());

    // The passphrase is lost, or another: the file is named, and what to do; nothing is asked for.
    identity(folder, &server.url, "a", soon);
    let last = key();
    for wrong in [None, Some("correct horse")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_est"));
        command
            .args(["renew", "--watch", "identities", "--once"])
            .current_dir(folder);
        if let Some(wrong) = wrong {
            command.env("EST_KEY_PASSPHRASE", wrong);
        }
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        for said in ["key.pem", "passphrase-file", "EST_KEY_PASSPHRASE"] {
            assert!(text.contains(said), "{said}: {text}");
        }
        assert_eq!(key().secret_der(), last.secret_der());
    }
    let output = Command::new(env!("CARGO_BIN_EXE_est"))
        .args(["renew", "--watch", "identities", "--once"])
        .args(["--hook", "test -z \"$EST_KEY_PASSPHRASE\""])
        .current_dir(folder)
        .env("EST_KEY_PASSPHRASE", "battery staple")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert_ne!(key().secret_der(), last.secret_der());
}
