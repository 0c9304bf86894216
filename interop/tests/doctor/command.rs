//! The command: exit status, JSON, marks, secrets.

use std::process::{Command, Output};

use serde_json::Value;

use super::est_server::{Lab, PASSWORD};
use super::pki::{Leaf, Pki, text};

fn doctor(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_interop"))
        .arg("doctor")
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .env("DOCTOR_PASSWORD", PASSWORD)
        .output()
        .unwrap()
}

fn status(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn prints_a_checklist_for_people_and_an_object_for_programs() {
    let lab = Lab::start().await;
    let url = format!("https://{}", lab.address);
    let anchors = lab.folder.path().join("ca.der");
    let arguments = ["est", &url, "--trust-anchors", text(&anchors), "--user", "phone"];
    let output = doctor(&arguments);
    let shown = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(status(&output), 0, "{shown}");
    assert!(
        shown.contains("✓ TLS handshake (") && shown.contains("verdict: healthy"),
        "{shown}"
    );
    assert!(shown.contains("let in as phone"), "{shown}");
    assert!(!shown.contains(PASSWORD), "{shown}");

    let output = doctor(&[&arguments[..], &["--ascii"]].concat());
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("ok     TLS handshake (") && shown.is_ascii(),
        "{shown}"
    );

    let output = doctor(&[&arguments[..], &["--json"]].concat());
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["healthy"], true);
    assert_eq!(
        (&object["exit"], &object["verdict"]),
        (&Value::from(0), &Value::Null)
    );
    let checks = object["checks"].as_array().unwrap();
    assert!(
        checks
            .iter()
            .any(|check| check["name"] == "cacerts" && check["state"] == "passed")
    );
}

#[test]
fn exits_by_the_rung_that_failed() {
    let pki = Pki::new();
    let root = pki.root_file();
    let anchors = ["--trust-anchors", text(&root)];
    let run = |arguments: &[&str]| doctor(&[arguments, &anchors].concat());
    let output = run(&["est", "https://lab-dcc.invalid"]);
    assert_eq!(status(&output), 10);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("✗ name resolution") && shown.contains("· TCP: not reached"),
        "{shown}"
    );
    assert!(
        shown.contains("verdict: name-not-resolved\nrung: name resolution\ncause: "),
        "{shown}"
    );
    assert_eq!(status(&run(&["nmsp", "lab-dcc.invalid"])), 10);
    assert_eq!(status(&run(&["adcs", "https://lab-dcc.invalid", "--json"])), 10);

    // A wrong command line, and files that are not there.
    assert_eq!(status(&doctor(&["est", "http://est.example"])), 2);
    assert_eq!(status(&doctor(&["est"])), 2);
    let missing = [
        "est",
        "https://est.example",
        "--trust-anchors",
        "no-such-file.pem",
    ];
    assert_eq!(status(&doctor(&missing)), 3);
}

#[test]
fn the_help_and_the_guide_list_the_same_exit_numbers() {
    let guide = include_str!("../../../docs/doctor.md");
    let output = Command::new(env!("CARGO_BIN_EXE_interop"))
        .args(["doctor", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for (number, rung) in [
        (3, "this machine"),
        (10, "name resolution"),
        (20, "TCP"),
        (30, "proxy"),
        (40, "TLS protocol"),
        (41, "certificate chain"),
        (42, "name"),
        (43, "time"),
        (44, "authlist"),
        (45, "alert without a cause"),
        (50, "status"),
        (60, "body"),
        (70, "upstream"),
    ] {
        assert!(
            help.contains(&format!("{number} {rung}")),
            "{number} {rung} is not in --help"
        );
        assert!(
            guide.contains(&format!("| {number} | {rung}")),
            "{number} {rung} is not in the guide"
        );
    }
}

/// The example behind a mark in the guide, against a report: `…` stands for any text, a line of it for any lines.
#[track_caller]
fn assert_shaped_as_in_the_guide(mark: &str, report: &interop::doctor::Report) {
    let guide = include_str!("../../../docs/doctor.md");
    let (_, rest) = guide.split_once(&format!("<!-- {mark} -->\n```text\n")).unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let shown = interop::doctor::to_text(report, interop::doctor::Marks::Unicode);
    let printed: Vec<&str> = shown.lines().collect();
    let mut expected = example.lines().peekable();
    let mut rest = printed.as_slice();
    while let Some(line) = expected.next() {
        if line == "…" {
            let next = expected.peek().unwrap();
            let skipped = rest.iter().position(|printed| fits(next, printed));
            rest = &rest[skipped.unwrap_or_else(|| panic!("{next:?} is not in\n{shown}"))..];
        } else {
            let (first, others) = rest
                .split_first()
                .unwrap_or_else(|| panic!("{line:?} is missing\n{shown}"));
            assert!(fits(line, first), "{line:?} is not {first:?}\n{shown}");
            rest = others;
        }
    }
    assert!(rest.is_empty(), "{rest:?} is not in the guide");
}

fn fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap()) else {
        return false;
    };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_guide_are_what_is_printed() {
    let lab = Lab::start().await;
    let report = interop::doctor::est::diagnose(&lab.settings()).await;
    assert_shaped_as_in_the_guide("healthy", &report);

    let pki = Pki::new();
    let Some(server) = pki.serve(Leaf::WrongName, &["-www"]) else {
        return;
    };
    let report = interop::doctor::est::diagnose(&pki.look_at(server.port)).await;
    assert_shaped_as_in_the_guide("wrong-name", &report);
}
