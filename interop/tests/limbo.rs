//! `interop limbo`: the harness for x509-limbo, over a few cases of its format that openssl made.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of a test: a panic is its verdict"
)]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use interop::limbo::{ActualResult, Case, Comparison, Exceptions, ResultFile, Suite, evaluate};

const SUITE: &str = include_str!("../testdata/limbo/suite.json");

fn suite() -> Suite {
    Suite::from_json(SUITE.as_bytes()).unwrap()
}

fn case(name: &str) -> Case {
    let id = format!("ours::{name}");
    let mut cases = suite().testcases.into_iter();
    cases.find(|case| case.id == id).unwrap()
}

fn limbo(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_interop"))
        .arg("limbo")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn chains_are_judged_as_our_clients_and_servers_judge_them() {
    for (name, part_of_reason) in [
        ("wrong-name", "expected the name \"other.example\""),
        ("unknown-issuer", "is missing"),
        ("client-as-server", "extended key usage"),
        ("expired", "expired"),
        ("revoked", "was revoked by"),
        ("anchor-that-is-none", "(0 anchors)"),
    ] {
        let result = evaluate(&case(name));
        assert_eq!(result.actual_result, ActualResult::Failure, "{name}");
        let context = result.context.unwrap();
        assert!(context.contains(part_of_reason), "{name}: {context}");
    }
    for name in ["server", "server-by-address", "client", "not-revoked"] {
        let result = evaluate(&case(name));
        assert_eq!(result.actual_result, ActualResult::Success, "{name}: {result:?}");
        assert_eq!(result.context, None);
    }
}

#[test]
fn what_we_have_no_setting_for_is_skipped_with_the_reason() {
    for (name, reason) in [
        ("depth", "the length of a chain has no setting"),
        ("mail-address", "mail addresses are not compared"),
        ("code-signing", "only the purposes"),
    ] {
        let result = evaluate(&case(name));
        assert_eq!(result.actual_result, ActualResult::Skipped, "{name}");
        assert!(result.context.unwrap().contains(reason), "{name}");
    }
}

#[test]
fn the_command_writes_the_result_format_and_names_what_is_unexpected() {
    let run = limbo(&["-"], SUITE);
    let results: ResultFile = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(
        (results.version, results.results.len()),
        (1, suite().testcases.len())
    );
    let told = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(1), "{told}");
    assert!(told.contains("ours::depth: SKIPPED, expected SUCCESS"), "{told}");
    assert!(
        told.contains("10 as expected, 0 as excepted, 3 unexpected"),
        "{told}"
    );
}

#[test]
fn as_a_harness_it_only_writes_results() {
    let run = limbo(&["-", "--harness"], SUITE);
    assert_eq!(run.status.code(), Some(0));
    assert!(run.stderr.is_empty());
    let json: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(json["harness"], "rust-pki-common");
    assert_eq!(json["results"][0]["id"], "ours::server");
    assert_eq!(json["results"][0]["actual_result"], "SUCCESS");
    assert_eq!(json["results"][0]["context"], serde_json::Value::Null);
}

#[test]
fn exceptions_excuse_what_they_name_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("exceptions.toml");
    let text = "[[exception]]\nids = [\"ours::depth\", \"ours::mail-address\", \"ours::code-signing\"]\nresult = \"SKIPPED\"\n\
                reason = \"no setting\"\n";
    std::fs::write(&list, text).unwrap();
    let arguments = ["-", "--exceptions", list.to_str().unwrap()];
    let run = limbo(&arguments, SUITE);
    let told = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(0), "{told}");
    assert!(
        told.contains("10 as expected, 3 as excepted, 0 unexpected"),
        "{told}"
    );

    let outdated = text.replace(
        "\"ours::depth\"",
        "\"ours::depth\", \"ours::server\", \"ours::gone\"",
    );
    std::fs::write(&list, outdated).unwrap();
    let run = limbo(&arguments, SUITE);
    let told = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(1), "{told}");
    let still_met = "ours::server: SUCCESS, expected SUCCESS (the exceptions say SKIPPED)";
    assert!(told.contains(still_met), "{told}");
    assert!(
        told.contains("ours::gone: excepted, but not among these cases"),
        "{told}"
    );
}

#[test]
fn a_result_that_is_missing_is_no_pass() {
    let suite = suite();
    let mut results = ResultFile::of(&suite);
    results.results.retain(|result| result.id != "ours::server");
    let comparison = Comparison::new(&suite, &results, &Exceptions::none());
    assert!(
        comparison
            .surprises
            .iter()
            .any(|surprise| surprise.id == "ours::server")
    );
}

#[test]
fn a_file_that_is_no_suite_is_refused_with_its_place() {
    let run = limbo(&["-"], "{\"version\": 1,\n\"testcases\": 3}");
    let told = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(2), "{told}");
    assert!(told.contains("line 2"), "{told}");
}
