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
use std::process::{Command, Stdio};

/// The environment variable that lists, separated by commas, the peers whose absence is a failure and not a skip.
pub const REQUIRE: &str = "INTEROP_REQUIRE";

/// Looks a program up in `PATH`.
///
/// Without it, prints `skipped: not installed: NAME` and returns `None`.
///
/// # Panics
/// When the peer is absent and [`REQUIRE`] lists it: continuous integration must not pass by skipping.
pub fn find_or_skip(name: &str) -> Option<PathBuf> {
    let found = find(name);
    if found.is_none() {
        skip(name, "is not in PATH");
    }
    found
}

/// Looks for a Python that can import a module and returns the Python.
///
/// Without one, prints `skipped: not installed: MODULE` and returns `None`.
///
/// # Panics
/// As [`find_or_skip`].
pub fn find_python_module_or_skip(module: &str) -> Option<PathBuf> {
    let imports = |python: &PathBuf| {
        let mut command = Command::new(python);
        command
            .args(["-c", &format!("import {module}")])
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let found = find("python3").filter(imports);
    if found.is_none() {
        skip(module, "is no module of the python3 in PATH");
    }
    found
}

/// Reports a missing peer, or fails because it is demanded.
fn skip(name: &str, problem: &str) {
    let required = env::var(REQUIRE).unwrap_or_default();
    assert!(
        !required.split(',').any(|peer| peer.trim() == name),
        "{name} is listed in {REQUIRE} but {problem}"
    );
    report_skip(name);
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
