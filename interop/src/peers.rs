//! Programs that we did not write and test against: found on the machine, skipped when absent, demanded when listed.
//!
//! A test asks for its peer and returns when there is none:
//!
//! ```
//! let Some(openssl) = interop::peers::find_or_skip("openssl") else { return };
//! assert!(openssl.is_file());
//! ```

use std::env;
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

#[expect(
    clippy::print_stderr,
    reason = "the reader of a test run must see what was not run"
)]
fn report_skip(name: &str) {
    eprintln!("skipped: not installed: {name}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_program_that_every_unix_has() {
        assert!(find("sh").is_some());
    }

    #[test]
    fn skips_a_program_that_does_not_exist() {
        assert_eq!(find_or_skip("a-program-that-does-not-exist"), None);
    }
}
