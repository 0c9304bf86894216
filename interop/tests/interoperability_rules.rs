//! The rules by which the run of the peers passes or fails, with peers that we make up.

#![allow(dead_code, reason = "the run uses all of it, each test a part")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of a test: a panic is its verdict"
)]

#[path = "interoperability/arguments.rs"]
mod arguments;
#[path = "interoperability/case.rs"]
mod case;
#[path = "interoperability/matrix/mod.rs"]
mod matrix;
#[path = "interoperability/run.rs"]
mod run;

use std::sync::Arc;
use std::time::Duration;

use case::{Case, Missing, Peer};
use clap::Parser as _;
use libtest_mimic::Arguments;
use matrix::expected::Expected;
use matrix::page::{PeerLine, Row, compare, render};
use matrix::{Outcome, Verdict, judge};
use run::Report;

/// One expected divergence, of the case that [`one_peer`] has.
const REFUSED: &str = "\
[[divergence]]
peer = \"openssl\"
case = \"answers\"
result = \"refused\"
says = \"no such thing\"
reason = \"It has no such thing.\"
";

fn expected(text: &str) -> Expected {
    Expected::parse("expected.toml", text).unwrap()
}

fn refusal(text: &str) -> String {
    Expected::parse("expected.toml", text).unwrap_err()
}

fn one_peer(outcome: Outcome) -> Vec<Peer> {
    vec![Peer {
        name: "openssl",
        about: "made up",
        find: || Ok("1.0".to_owned()),
        cases: vec![Case::blocking("answers", || outcome)],
    }]
}

fn run(peers: Vec<Peer>, expectations: &str, filters: &[&str], demanded: &[&str]) -> Result<Report, String> {
    // Its output would look like that of this run.
    let options = Arguments::parse_from(["test", "--quiet", "--logfile", "/dev/null"]);
    let [filters, demanded] =
        [filters, demanded].map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    run::run(
        peers,
        &Arc::new(expected(expectations)),
        &options,
        &filters,
        &demanded,
    )
}

/// The number of cases that passed and failed.
fn counted(peers: Vec<Peer>, expectations: &str) -> (u64, u64) {
    let report = run(peers, expectations, &[], &[]).unwrap();
    (report.conclusion.num_passed, report.conclusion.num_failed)
}

fn refused(text: &str) -> Outcome {
    Outcome::Refused(text.to_owned())
}

fn failed(text: &str) -> Outcome {
    Outcome::Failed(text.to_owned())
}

#[test]
fn a_case_without_an_entry_must_pass() {
    assert_eq!(counted(one_peer(Outcome::Passed), ""), (1, 0));
    assert_eq!(counted(one_peer(refused("no such thing")), ""), (0, 1));
    assert_eq!(counted(one_peer(failed("a crash")), ""), (0, 1));
}

#[test]
fn an_expected_refusal_passes() {
    assert_eq!(
        counted(one_peer(refused("there is no such thing here")), REFUSED),
        (1, 0)
    );
}

#[test]
fn an_unexpected_pass_fails() {
    assert_eq!(counted(one_peer(Outcome::Passed), REFUSED), (0, 1));
    let divergence = expected(REFUSED);
    let verdict = judge(&Outcome::Passed, divergence.find("openssl", "answers"));
    assert_eq!(
        verdict.unwrap_err(),
        "passed, but expected.toml:1 expects that it is refused: take the entry out"
    );
}

#[test]
fn an_expected_refusal_that_becomes_a_failure_fails() {
    assert_eq!(counted(one_peer(failed("no such thing")), REFUSED), (0, 1));
}

#[test]
fn an_expected_refusal_for_another_reason_fails() {
    assert_eq!(counted(one_peer(refused("I am out of paper")), REFUSED), (0, 1));
}

#[test]
fn an_entry_whose_case_no_longer_exists_fails_the_run() {
    let gone = REFUSED.replace("answers", "answered");
    let error = run(one_peer(Outcome::Passed), &gone, &[], &[]).unwrap_err();
    assert!(
        error.contains("expected.toml:1: there is no case \"answered\" of the peer \"openssl\""),
        "{error}"
    );
}

#[test]
fn a_broken_file_of_expectations_is_told_with_file_and_line() {
    for (from, to, told) in [
        ("[[divergence]]", "[[divergence]", "expected.toml:1: "),
        (
            "\"refused\"",
            "\"passed\"",
            "expected.toml:4: result is \"passed\"",
        ),
        (
            "\"It has no such thing.\"",
            "\" \"",
            "expected.toml:6: reason is empty",
        ),
        ("says = ", "say = ", "expected.toml:5: unknown field `say`"),
        (
            "reason = ",
            "# reason = ",
            "expected.toml:1: missing field `reason`",
        ),
    ] {
        let error = refusal(&REFUSED.replacen(from, to, 1));
        assert!(error.starts_with(told), "{told}: {error}");
    }
    let error = refusal(&format!("{REFUSED}\n{REFUSED}"));
    assert!(error.starts_with("expected.toml:8: a second entry"), "{error}");
}

#[test]
fn a_case_that_panics_has_failed_with_what_it_said() {
    let case = Case::new("panics", || async { assert_eq!(1 + 1, 3, "arithmetic") });
    let Outcome::Failed(text) = case.run() else {
        panic!("it panicked");
    };
    assert!(text.contains("arithmetic"), "{text}");
}

#[test]
fn a_case_that_hangs_has_failed() {
    let (_kept, never) = std::sync::mpsc::channel::<()>();
    let case = Case::blocking("hangs", move || never.recv().unwrap_or_default());
    let Outcome::Failed(text) = case.run_within(Duration::from_millis(50)) else {
        panic!("it hung");
    };
    assert!(text.contains("did not end within"), "{text}");
}

#[test]
fn two_cases_of_one_name_and_a_peer_without_cases_are_refused() {
    let mut twice = one_peer(Outcome::Passed);
    twice[0].cases.push(Case::blocking("answers", || ()));
    assert!(run(twice, "", &[], &[]).unwrap_err().contains("two cases"));
    let mut none = one_peer(Outcome::Passed);
    none[0].cases.clear();
    assert!(run(none, "", &[], &[]).unwrap_err().contains("has no cases"));
}

#[test]
fn any_number_of_filters_selects_cases() {
    let mut peers = one_peer(Outcome::Passed);
    peers[0].cases.push(Case::blocking("questions", || ()));
    peers[0].cases.push(Case::blocking("is silent", || ()));
    let report = run(peers, "", &["answers", "quest"], &[]).unwrap();
    assert_eq!(report.conclusion.num_passed, 2);
    assert_eq!(report.incomplete.unwrap(), "2 of 3 cases were run");
    let arguments = ["a", "--skip", "b", "c", "-q", "--test-threads", "1", "--exact"].map(str::to_owned);
    let (options, filters) = arguments::split(arguments);
    assert_eq!(filters, ["a", "c"]);
    assert_eq!(options, ["--skip", "b", "-q", "--test-threads", "1", "--exact"]);
}

fn missing_peer() -> Vec<Peer> {
    let mut peers = one_peer(failed("it is not there, so it cannot have been run"));
    peers[0].find = || Err(Missing("a program".to_owned()));
    peers
}

#[test]
fn the_cases_of_a_missing_peer_are_ignored() {
    let report = run(missing_peer(), "", &[], &[]).unwrap();
    assert_eq!(report.incomplete.unwrap(), "not installed: openssl (a program)");
    assert!(!report.rows[0].was_run);
    assert_eq!(report.conclusion.num_failed, 0);
    assert_eq!(report.conclusion.num_ignored, 1);
}

#[test]
fn a_missing_peer_that_is_demanded_fails_the_run() {
    let error = run(missing_peer(), "", &[], &["openssl"]).unwrap_err();
    assert!(error.contains("no case was run"), "{error}");
    let mut peers = missing_peer();
    let mut other = one_peer(Outcome::Passed);
    other[0].name = "curl";
    peers.append(&mut other);
    let report = run(peers, "", &[], &["openssl"]).unwrap();
    assert_eq!(report.conclusion.num_failed, 1);
}

#[test]
fn a_peer_is_demanded_by_the_name_of_one_of_its_programs_too() {
    for demanded in ["libest", "estclient", "estserver"] {
        let mut peers = missing_peer();
        peers[0].name = "libest";
        run(peers, "", &[], &[demanded]).unwrap_err();
    }
}

#[test]
fn a_run_that_demands_peers_does_not_pass_by_running_nothing() {
    let filter = ["a filter that fits nothing"];
    run(one_peer(Outcome::Passed), "", &filter, &[]).unwrap();
    let error = run(one_peer(Outcome::Passed), "", &filter, &["openssl"]).unwrap_err();
    assert!(error.contains("no case was run"), "{error}");
}

#[test]
fn a_demand_that_no_test_knows_is_refused() {
    let error = run(one_peer(Outcome::Passed), "", &[], &["openssl", "opensls"]).unwrap_err();
    assert!(error.contains("lists opensls, which no test knows"), "{error}");
}

#[test]
fn a_case_that_was_not_run_is_on_the_page_as_it_is_expected_to_end() {
    for (expectations, verdict) in [("", Verdict::Passed), (REFUSED, Verdict::Refused)] {
        let report = run(missing_peer(), expectations, &[], &[]).unwrap();
        assert_eq!(report.rows[0].outcome.verdict(), verdict);
        let page = render(&report.peers, &report.rows);
        compare(&page, &report.peers, &report.rows).unwrap();
        let of_other_expectations = run(
            missing_peer(),
            if expectations.is_empty() { REFUSED } else { "" },
            &[],
            &[],
        );
        compare(&page, &report.peers, &of_other_expectations.unwrap().rows).unwrap_err();
    }
}

fn lines() -> (Vec<PeerLine>, Vec<Row>) {
    let [name, version, about] = ["openssl", "3.0.19", "a library"].map(str::to_owned);
    let row = |case: &str, outcome: Outcome, reason: &str| Row {
        peer: name.clone(),
        version: version.clone(),
        case: case.to_owned(),
        outcome,
        was_run: true,
        reason: reason.to_owned(),
    };
    let rows = vec![
        row("answers", Outcome::Passed, ""),
        row("asks | listens", refused("no"), "It\nwill not."),
    ];
    (
        vec![PeerLine {
            name: name.clone(),
            version: version.clone(),
            about,
        }],
        rows,
    )
}

#[test]
fn the_page_shows_peer_version_case_result_and_reason() {
    let (peers, rows) = lines();
    let page = render(&peers, &rows);
    for line in [
        "| openssl | 3.0.19 | a library | 1 | 1 | 0 |",
        "| openssl | 3.0.19 | answers | passed |  |",
        "| openssl | 3.0.19 | asks \\| listens | refused | It will not. |",
    ] {
        assert!(page.lines().any(|shown| shown == line), "{line}\n{page}");
    }
}

#[test]
fn the_page_of_the_same_run_with_another_version_is_up_to_date() {
    let (peers, mut rows) = lines();
    let page = render(&peers, &rows);
    compare(&page, &peers, &rows).unwrap();
    for row in &mut rows {
        row.version = "3.5.0".to_owned();
    }
    compare(&page, &peers, &rows).unwrap();
}

#[test]
fn a_page_that_differs_from_the_run_is_told_by_its_rows() {
    let (peers, rows) = lines();
    let page = render(&peers, &rows);
    let differs = |change: &dyn Fn(&mut Vec<Row>)| {
        let mut rows = rows.clone();
        change(&mut rows);
        compare(&page, &peers, &rows).unwrap_err()
    };
    type Change<'a> = (&'a str, &'a dyn Fn(&mut Vec<Row>));
    let changes: [Change<'_>; 5] = [
        ("openssl: answers: failed, but the page says passed", &|rows| {
            rows[0].outcome = failed("x");
        }),
        (
            "openssl: answers: on the page, but there is no such case",
            &|rows| drop(rows.remove(0)),
        ),
        ("openssl: speaks: not on the page", &|rows| {
            rows[1].case = "speaks".to_owned();
        }),
        ("openssl: answers: the page has another reason", &|rows| {
            rows[0].reason = "a whim".to_owned();
        }),
        ("the order differs", &|rows| rows.swap(0, 1)),
    ];
    for (told, change) in changes {
        let error = differs(change);
        assert!(error.contains(told), "{told}: {error}");
    }
    assert_eq!(Verdict::Failed.name(), "failed");
}
