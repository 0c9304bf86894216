//! Programs that we did not write and test against: found on the machine, skipped when absent, demanded when listed.
//!
//! A test asks for its peer and returns when there is none:
//!
//! ```
//! let Some(openssl) = interop::peers::find_or_skip("openssl") else { return };
//! assert!(openssl.is_file());
//! ```
//!
//! What [`REQUIRE`] lists are names of programs and of peers; a peer that is several programs stands for each of them
//! ([`programs`]).
//!
//! The tests of the other crates include this one file by its path: they need the rule, but must not depend on this
//! crate.

use std::env;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The environment variable that lists, separated by commas, the peers whose absence is a failure and not a skip.
pub const REQUIRE: &str = "INTEROP_REQUIRE";

/// Peers whose name is not that of their one program, and the programs that they are.
const PEERS: [(&str, &[&str]); 5] = [
    ("bouncycastle", &["java", "javac"]),
    ("libest", &["estserver", "estclient"]),
    ("proxy", &["tinyproxy"]),
    ("python", &["python3"]),
    ("strongswan", &["pki"]),
];

/// The programs that a peer is: those that must be there for it, and whose absence is a failure where it is demanded.
///
/// A name that is no peer's is that of a program.
pub fn programs(name: &str) -> Vec<&str> {
    PEERS
        .iter()
        .find(|(peer, _)| *peer == name)
        .map_or_else(|| vec![name], |(_, programs)| programs.to_vec())
}

/// The names that [`REQUIRE`] lists.
pub fn demanded() -> Vec<String> {
    let listed = env::var(REQUIRE).unwrap_or_default();
    let names = listed.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(ToOwned::to_owned).collect()
}

/// Whether this name of [`REQUIRE`] demands a peer or program: it is its name, or that of a peer that it is a part of.
pub fn demands(listed: &str, name: &str) -> bool {
    listed == name || programs(listed).contains(&name)
}

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
    let found = find_python_module(module);
    if found.is_none() {
        skip(module, "is no module of the python3 in PATH");
    }
    found
}

/// Looks for a Python that can import a module and returns the Python.
pub fn find_python_module(module: &str) -> Option<PathBuf> {
    let imports = |python: &PathBuf| {
        let mut command = Command::new(python);
        command
            .args(["-c", &format!("import {module}")])
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    find("python3").filter(imports)
}

/// Looks a program up in `PATH`.
pub fn find(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// Reports a missing peer, or fails because it is demanded.
fn skip(name: &str, problem: &str) {
    let listed = demanded().into_iter().find(|listed| demands(listed, name));
    if let Some(listed) = listed {
        panic!("{listed} is listed in {REQUIRE} but {name} {problem}");
    }
    report_skip(name);
}

/// Prints `skipped: not installed: NAME`, past the test harness, which keeps what a passing test prints to itself: the
/// reader of a run must see what was not run.
pub fn report_skip(name: &str) {
    let written = writeln!(std::io::stderr(), "skipped: not installed: {name}");
    // Without a standard error there is nobody to tell.
    drop(written);
}
