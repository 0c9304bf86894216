//! Programs that we did not write and test against: found on the machine, skipped when absent, demanded when listed.
//!
//! A test asks for its peer and returns when there is none:
//!
//! ```
//! let Some(openssl) = interop::peers::find_or_skip("openssl") else { return };
//! assert!(openssl.is_file());
//! ```
//!
//! The tests of the other crates include this one file by its path: they need the rule, but must not depend on this
//! crate.

use std::env;
use std::io::Write as _;
use std::path::PathBuf;

/// The environment variable that lists, separated by commas, the peers whose absence is a failure and not a skip.
pub const REQUIRE: &str = "INTEROP_REQUIRE";

/// Looks a program up in `PATH`.
///
/// Without it, prints `skipped: not installed: NAME` and returns `None`.
///
/// # Panics
/// When the peer is absent and [`REQUIRE`] lists it: continuous integration must not pass by skipping.
pub fn find_or_skip(name: &str) -> Option<PathBuf> {
    if let Some(program) = find(name) {
        return Some(program);
    }
    let required = env::var(REQUIRE).unwrap_or_default();
    assert!(
        !required.split(',').any(|peer| peer.trim() == name),
        "{name} is listed in {REQUIRE} but is not in PATH"
    );
    report_skip(name);
    None
}

/// Looks a program up in `PATH`.
pub fn find(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// Past the test harness, which keeps what a passing test prints to itself: the reader of a run must see what was not
/// run.
fn report_skip(name: &str) {
    let written = writeln!(std::io::stderr(), "skipped: not installed: {name}");
    // Without a standard error there is nobody to tell.
    drop(written);
}
