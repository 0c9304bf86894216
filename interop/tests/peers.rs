//! Peers are found, skipped or demanded.

use std::process::Command;

use interop::peers::{REQUIRE, demands, find, find_or_skip};

#[test]
fn finds_a_program_that_every_unix_has() {
    assert!(find("sh").is_some());
}

#[test]
fn skips_a_program_that_does_not_exist() {
    assert_eq!(find_or_skip("a-program-that-does-not-exist"), None);
}

/// Runs the test above again, in a process of its own whose environment demands the peer or does not.
fn run_the_skipping_test(required: &str) -> (bool, String) {
    let output = Command::new(std::env::current_exe().expect("this test runs"))
        .args(["--exact", "skips_a_program_that_does_not_exist"])
        .env(REQUIRE, required)
        .output()
        .expect("this test can be started again");
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn a_skipped_peer_is_reported_although_the_test_passes() {
    let (passed, errors) = run_the_skipping_test("openssl");
    assert!(
        passed && errors.contains("skipped: not installed: a-program-that-does-not-exist"),
        "{errors}"
    );
}

#[test]
fn a_required_peer_that_is_missing_fails_the_test() {
    let (passed, _) = run_the_skipping_test("openssl,a-program-that-does-not-exist");
    assert!(!passed);
}

#[test]
fn a_peer_that_is_several_programs_demands_each_of_them() {
    assert!(demands("libest", "estserver") && demands("libest", "estclient") && demands("libest", "libest"));
    assert!(demands("curl", "curl"));
    assert!(!demands("estserver", "estclient") && !demands("libest", "curl"));
}
