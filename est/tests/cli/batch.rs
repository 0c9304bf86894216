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

#[test]
fn a_list_of_names_chooses_the_devices_and_each_step_is_logged() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    requests(folder, 4);
    fs::rename(
        folder.join("phones/SEP0050569C3402.csr"),
        folder.join("phones/from-the-desk.csr"),
    )
    .unwrap();
    let names = "# the lobby\nSEP0050569C3403\nSEP0050569C3402 from-the-desk.csr\n\nSEP0050569C34FF\n";
    fs::write(folder.join("names"), names).unwrap();
    let server = Serving::start(folder);
    let options = [
        "--names-file",
        "names",
        "--format",
        "der",
        "--step-log",
        "steps.log",
        "-j",
        "1",
    ];
    let output = batch(folder, &server.url, &options);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "the one without a request: {text}");
    assert!(
        text.ends_with("2 issued, 0 skipped, 0 pending, 1 failed\n"),
        "{text}"
    );
    for number in [2, 3] {
        let der = fs::read(folder.join(format!("phones/SEP0050569C340{number}.der"))).unwrap();
        let subject = format!("/CN=SEP0050569C340{number}");
        assert_eq!(Certificate::from_der(&der).unwrap().subject(), subject);
    }
    assert!(
        !folder.join("phones/SEP0050569C3400.der").exists(),
        "it is not in the list"
    );

    the_steps_are_those_of_the_phone_service(folder);
    fs::write(folder.join("names"), "SEP1\n../SEP2\n").unwrap();
    let output = batch(folder, &server.url, &["--names-file", "names"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("names:2: "), "{error}");
}

fn the_steps_are_those_of_the_phone_service(folder: &Path) {
    let log = fs::read_to_string(folder.join("steps.log")).unwrap();
    for line in log.lines() {
        let (time, rest) = line.split_once(" | debug 1:SEP").unwrap();
        let shape: String = time
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        assert_eq!(shape, "00:00:00.000", "{line}");
        assert!(rest.contains(':'), "{line}");
    }
    let of = |device: &str| -> Vec<&str> {
        let lines = log.lines().filter_map(|line| line.split_once(device));
        lines.map(|(_, text)| text).collect()
    };
    let issued = of(":SEP0050569C3402:");
    assert_eq!(issued[0], "Initiating Automatic Certificate Enrollment");
    assert_eq!(issued[1], "csr_file=phones/from-the-desk.csr");
    let length = issued[3]
        .strip_prefix("Enrollment rv = 0 (EST_ERR_NONE) with pkcs7 length = ")
        .unwrap();
    assert!(length.parse::<usize>().unwrap() > 500, "{length}");
    assert_eq!(issued[4], "Signed Cert written to phones/SEP0050569C3402.der");
    assert_eq!(issued.last(), Some(&"Online Cert Signing successful"));
    assert_eq!(
        log.find(":SEP0050569C3403:").map(|at| at < 80),
        Some(true),
        "the order of the list"
    );
    let missing = of(":SEP0050569C34FF:");
    assert!(
        missing.contains(&"Enrollment rv = 94 (EST_ERR_UNKNOWN) with pkcs7 length = 0"),
        "{missing:?}"
    );
    assert!(
        missing.last().unwrap().ends_with("Online Cert Signing Failed"),
        "{missing:?}"
    );
}

#[test]
fn a_refusal_has_the_error_number_of_libest_in_every_place_it_is_told() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    requests(folder, 1);
    fs::write(folder.join("password"), "wrong").unwrap();
    let server = Serving::start(folder);
    let output = batch(folder, &server.url, &["--json", "--step-log", "steps.log"]);
    assert_eq!(output.status.code(), Some(1));
    let lines = String::from_utf8(output.stdout).unwrap();
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["error"]["est_error"]["number"], 22, "{first}");
    assert_eq!(first["error"]["est_error"]["name"], "EST_ERR_AUTH_FAIL");
    let steps = fs::read_to_string(folder.join("steps.log")).unwrap();
    assert!(
        steps.contains(":Enrollment rv = 22 (EST_ERR_AUTH_FAIL) with pkcs7 length = 0\n"),
        "{steps}"
    );
    let reason = fs::read_to_string(folder.join("phones/SEP0050569C3400.failed")).unwrap();
    assert!(
        reason.starts_with("EST error: 22 (EST_ERR_AUTH_FAIL)\nknown cause: credentials-refused\n"),
        "{reason}"
    );
}
