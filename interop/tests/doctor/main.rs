//! `interop doctor` against real peers: each rung of the ladder, well and broken.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of a test: a panic is its verdict"
)]

mod adcs;
mod command;
mod est_server;
mod low_rungs;
mod nmsp;
mod pki;
mod tls;

use core::time::Duration;

use interop::doctor::{Report, State};
use pki_common::KnownCause;

/// Far more than any step on loopback needs; only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

/// For steps that are meant to run into it.
const SHORT: Duration = Duration::from_millis(400);

/// The walk ended on this rung with this cause, and nothing above was tried.
#[track_caller]
fn assert_ends(report: &Report, rung: &str, known_cause: KnownCause) {
    let text = interop::doctor::to_text(report, interop::doctor::Marks::Ascii);
    let check = report
        .check(rung)
        .unwrap_or_else(|| panic!("no rung {rung:?}\n{text}"));
    assert_eq!(check.state, State::Failed, "{rung}\n{text}");
    let failure = check.failure.as_ref().unwrap();
    assert_eq!(failure.known_cause, Some(known_cause), "{text}");
    let above = report
        .checks
        .iter()
        .skip_while(|check| check.name != rung)
        .skip(1);
    assert!(
        above.clone().all(|check| check.state == State::NotReached),
        "{text}"
    );
    assert!(text.contains(&format!("verdict: {known_cause}")), "{text}");
}

/// Nothing failed, and everything that was asked for was tried.
#[track_caller]
fn assert_healthy(report: &Report) {
    let text = interop::doctor::to_text(report, interop::doctor::Marks::Ascii);
    assert_eq!(report.exit_number(), 0, "{text}");
    let tried = |state| matches!(state, State::Passed | State::Warning | State::Skipped);
    assert!(report.checks.iter().all(|check| tried(check.state)), "{text}");
    assert!(text.contains("verdict: healthy"), "{text}");
}

/// The notes of a rung, a line each.
#[track_caller]
fn notes(report: &Report, rung: &str) -> String {
    report.check(rung).unwrap().notes.join("\n")
}
