//! A folder of requests.

use std::fs;
use std::path::Path;

use pki_common::Certificate;

use crate::process::{self, Serving, est, laboratory, succeeds};

fn batch(folder: &Path, url: &str, extra: &[&str]) -> std::process::Output {
    let mut arguments = vec![
        "enroll",
        "--url",
        url,
        "--trust-anchors",
        "ca/ca.pem",
        "--batch",
        "phones",
    ];
    arguments.extend(["--user", process::USER, "--password-file", "password"]);
    arguments.extend(extra);
    est(folder, &arguments, "")
}

fn requests(folder: &Path, count: usize) {
    fs::create_dir(folder.join("phones")).unwrap();
    for number in 0..count {
        let name = format!("SEP0050569C34{number:02X}");
        let (subject, csr, key) = (
            format!("CN={name}"),
            format!("phones/{name}.csr"),
            format!("{name}.key"),
        );
        succeeds(
            folder,
            &[
                "csr",
                "new",
                "--subject",
                &subject,
                "--out-csr",
                &csr,
                "--out-key",
                &key,
            ],
            "",
        );
    }
}

#[test]
fn enrols_a_folder_and_resumes() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    requests(folder, 5);
    let server = Serving::start(folder);
    let output = batch(folder, &server.url, &["-j", "3"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(text.lines().count(), 6, "{text}");
    assert!(
        text.ends_with("5 issued, 0 skipped, 0 pending, 0 failed\n"),
        "{text}"
    );
    for number in 0..5 {
        let path = folder.join(format!("phones/SEP0050569C34{number:02X}.pem"));
        let certificate = Certificate::from_pem(&fs::read(path).unwrap()).unwrap();
        assert_eq!(certificate.subject(), format!("/CN=SEP0050569C34{number:02X}"));
    }

    // One is missing: only that one is asked for.
    fs::remove_file(folder.join("phones/SEP0050569C3402.pem")).unwrap();
    let output = batch(folder, &server.url, &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.ends_with("1 issued, 4 skipped, 0 pending, 0 failed\n"),
        "{text}"
    );
    let listed = succeeds(folder, &["ca", "list", "--dir", "ca"], "");
    // The server's own, five, and one more.
    assert_eq!(listed.lines().count(), 7, "{listed}");
}

#[test]
fn counts_failures_in_the_exit_status_and_leaves_the_reason_in_a_file() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    requests(folder, 2);
    fs::write(folder.join("phones/broken.csr"), "no request").unwrap();
    fs::write(folder.join("phones/empty.p10"), "").unwrap();
    // A certificate of another key is in the way.
    fs::copy(
        folder.join("ca/ca.pem"),
        folder.join("phones/SEP0050569C3400.pem"),
    )
    .unwrap();
    let server = Serving::start(folder);
    let output = batch(folder, &server.url, &["--json"]);
    assert_eq!(output.status.code(), Some(3));
    let lines: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[4]["summary"]["failed"], 3);
    assert_eq!(lines[4]["summary"]["issued"], 1);
    for line in lines.iter().filter(|line| line["status"] == "failed") {
        assert!(line["error"]["remedy"].as_str().unwrap().ends_with('.'), "{line}");
    }
    let reason = fs::read_to_string(folder.join("phones/broken.failed")).unwrap();
    assert!(
        reason.contains("rung: ") && reason.contains("remedy: "),
        "{reason}"
    );
    assert_eq!(
        fs::read(folder.join("phones/SEP0050569C3400.pem")).unwrap(),
        fs::read(folder.join("ca/ca.pem")).unwrap()
    );
}

#[test]
fn writes_der_where_it_is_told() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    requests(folder, 1);
    fs::create_dir(folder.join("cert")).unwrap();
    let server = Serving::start(folder);
    for skipped in [0, 1] {
        let output = batch(folder, &server.url, &["--format", "der", "--out-dir", "cert"]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(&format!("{skipped} skipped")), "{text}");
        let der = fs::read(folder.join("cert/SEP0050569C3400.der")).unwrap();
        assert_eq!(
            Certificate::from_der(&der).unwrap().subject(),
            "/CN=SEP0050569C3400"
        );
    }
}

#[test]
fn requests_that_wait_for_approval_are_fetched_by_a_later_run() {
    let laboratory = crate::server_key::laboratory_with("[policy]\napproval = \"operator\"\n");
    let folder = laboratory.path();
    requests(folder, 3);
    let server = Serving::start(folder);
    let run = || {
        let output = batch(folder, &server.url, &[]);
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), text.lines().last().unwrap().to_owned())
    };
    let approve = |name: &str| {
        let waiting = succeeds(folder, &["ca", "pending", "--dir", "ca"], "");
        let line = waiting.lines().find(|line| line.contains(name)).unwrap();
        let number = line.split('\t').next().unwrap();
        succeeds(folder, &["ca", "approve", "--dir", "ca", number], "");
    };
    let file = |number: usize, ending: &str| folder.join(format!("phones/SEP0050569C340{number}.{ending}"));
    let expected = "0 issued, 0 skipped, 3 pending, 0 failed".to_owned();
    assert_eq!(run(), (Some(75), expected.clone()));
    assert!((0..3).all(|number| file(number, "pending").exists() && !file(number, "pem").exists()));
    assert_eq!(run(), (Some(75), expected), "asking again changes nothing");
    let waiting = succeeds(folder, &["ca", "pending", "--dir", "ca"], "");
    assert_eq!(waiting.lines().count(), 3, "{waiting}");

    approve("SEP0050569C3400");
    approve("SEP0050569C3402");
    let expected = "2 issued, 0 skipped, 1 pending, 0 failed".to_owned();
    assert_eq!(run(), (Some(75), expected));
    assert!(file(0, "pem").exists() && !file(0, "pending").exists() && file(1, "pending").exists());

    approve("SEP0050569C3401");
    let expected = "1 issued, 2 skipped, 0 pending, 0 failed".to_owned();
    assert_eq!(run(), (Some(0), expected));
    for number in 0..3 {
        let certificate = Certificate::from_pem(&fs::read(file(number, "pem")).unwrap()).unwrap();
        assert_eq!(certificate.subject(), format!("/CN=SEP0050569C340{number}"));
        assert!(!file(number, "pending").exists());
    }
}
