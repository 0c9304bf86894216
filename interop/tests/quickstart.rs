//! The lab that a newcomer runs first, as the command and as a library.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of a test: a panic is its verdict"
)]

use std::fs;
use std::process::{Command, Output};

use interop::quickstart::{self, Options};
use interop::trace::TraceCapture;

/// The command that the README names.
fn quickstart(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_interop"))
        .arg("quickstart")
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_command_shows_every_step_and_ends_with_status_0() {
    let output = quickstart(&[]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}\n{}", text(&output.stderr));
    let in_order = [
        "1. enrolment by EST",
        "Certificate Type: LSC",
        "2. introduction: the authlist",
        "attribute type password ",
        "3. the NMSP tunnel",
        "127.0.0.1  ",
        "[1]",
        "4. the failure of the vendor's document",
        "looks like a truncated copy of",
        " trailing digits agree",
        "refused by the peer with alert 46 certificate_unknown",
        "has no entry for 02:00:00:00:00:02",
        "ret_desc_string=certificate unknown",
        "pins another key",
        "tunnel up",
        "5. what to try next",
    ];
    let mut rest = shown.as_str();
    for expected in in_order {
        let at = rest
            .find(expected)
            .unwrap_or_else(|| panic!("{expected:?} is not where it should be in\n{shown}"));
        rest = &rest[at..];
    }
    // Digits 47 to 49 are missing. The digits behind them may happen to be the missing ones; then more lead.
    let (leading, trailing) = agreeing_digits(&shown);
    assert!(
        leading >= 46 && leading + trailing == 61,
        "{leading} and {trailing}"
    );
}

/// The two numbers of `46 leading and 15 trailing digits agree`.
fn agreeing_digits(shown: &str) -> (u8, u8) {
    let (before, after) = shown.split_once(" leading and ").unwrap();
    let (_, leading) = before.rsplit_once(' ').unwrap();
    let (trailing, _) = after.split_once(' ').unwrap();
    (leading.parse().unwrap(), trailing.parse().unwrap())
}

#[test]
fn a_folder_that_is_not_empty_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
    let output = quickstart(&["--keep", folder.path().to_str().unwrap()]);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    for part in ["rung: local", "is not empty", "remedy: "] {
        assert!(errors.contains(part), "{part} is missing in {errors}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn an_unknown_option_ends_with_status_2() {
    assert_eq!(quickstart(&["--no-such-option"]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_labs_run_side_by_side() {
    let lab = || async {
        let mut narration = Vec::new();
        let outcome = quickstart::run(&Options::default(), &TraceCapture::default(), &mut narration).await;
        outcome.unwrap_or_else(|failed| panic!("{failed}\n{}", text(&narration)));
    };
    tokio::join!(lab(), lab(), lab());
}
