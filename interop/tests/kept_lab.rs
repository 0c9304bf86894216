//! The commands that `quickstart --keep` prints, typed by a newcomer: every one of them must do what it says.

#![allow(clippy::unwrap_used, reason = "helpers of a test: a panic is its verdict")]

use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use interop::peers::{REQUIRE, find_or_skip};

/// A command that serves, ended with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

struct Suggestion {
    shows: String,
    command: String,
}

#[test]
fn every_printed_command_works() {
    if ["openssl", "curl", "base64", "timeout", "bash"]
        .iter()
        .any(|peer| find_or_skip(peer).is_none())
    {
        return;
    }
    let Some(commands) = built_commands() else { return };
    let parent = tempfile::tempdir().unwrap();
    // A blank in the path shows that the commands quote it.
    let lab = parent.path().join("my lab");
    let output = Command::new(env!("CARGO_BIN_EXE_interop"))
        .args(["quickstart", "--keep"])
        .arg(&lab)
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let mut serving = Vec::new();
    let mut outputs = Vec::new();
    for suggestion in suggestions(&String::from_utf8_lossy(&output.stdout)) {
        if suggestion.command.starts_with("cargo build") {
            continue;
        }
        let line = suggestion
            .command
            .replace("target/release/", &format!("{}/", commands.display()));
        if suggestion.shows.ends_with("in a terminal of its own") {
            serving.push(serve(&line));
        } else {
            outputs.push((suggestion.shows, run(&line)));
        }
    }
    assert_eq!(serving.len(), 2, "the EST server and the controller");

    check(&lab, &outputs);
}

/// What a newcomer must see.
fn check(lab: &Path, outputs: &[(String, Output)]) {
    expect(outputs, "the certificate authority, by curl", "Lab Root CA");
    expect(
        outputs,
        "verified by OpenSSL",
        "subject=CN=mine,OU=lab,OU=eng,DC=example,DC=com",
    );
    expect(outputs, "every certificate", "CN=mine");
    expect(outputs, "a location server", "\"rssi_dbm\":");
    expect(
        outputs,
        "OpenSSL as a location server",
        "Verify return code: 0 (ok)",
    );
    expect(outputs, "not in the authlist", "alert number 46");
    expect(
        outputs,
        "the authlist as AireOS commands",
        "config auth-list add lsc ",
    );
    let info = fs::read_to_string(lab.join("location-server/server-auth-info.txt")).unwrap();
    let hash = info
        .lines()
        .find_map(|line| line.strip_prefix("SHA2 Key Hash: "))
        .unwrap();
    expect(outputs, "the key hash", hash.trim());
}

/// The folder with `est` and `nmsp`, which `cargo test --workspace` builds beside the lab.
fn built_commands() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_BIN_EXE_interop")).parent().unwrap();
    let built = ["est", "nmsp"].iter().all(|name| folder.join(name).is_file());
    if !built {
        assert!(
            std::env::var_os(REQUIRE).is_none(),
            "est and nmsp must be built where peers are required"
        );
        let note = "skipped: not built: est and nmsp (cargo test --workspace builds them)";
        drop(writeln!(std::io::stderr(), "{note}"));
    }
    built.then(|| folder.to_owned())
}

fn suggestions(shown: &str) -> Vec<Suggestion> {
    let lines: Vec<&str> = shown.lines().collect();
    lines
        .windows(2)
        .filter_map(|pair| {
            let [heading, line] = pair else { return None };
            let (shows, command) = (heading.strip_prefix("# ")?, line.strip_prefix("$ ")?);
            Some(Suggestion {
                shows: shows.to_owned(),
                command: command.to_owned(),
            })
        })
        .collect()
}

fn serve(line: &str) -> Serving {
    // `exec`, so that the end of the test reaches the server and not a shell around it.
    let mut child = Command::new("bash")
        .args(["-c", &format!("exec {line}")])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first_line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut first_line)
        .unwrap();
    assert!(first_line.starts_with("listening on "), "{line}: {first_line:?}");
    Serving(child)
}

fn run(line: &str) -> Output {
    Command::new("bash")
        .args(["-o", "pipefail", "-c", line])
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn expect(outputs: &[(String, Output)], shows: &str, part: &str) {
    let (_, output) = outputs
        .iter()
        .find(|(heading, _)| heading.contains(shows))
        .unwrap_or_else(|| panic!("no command shows {shows:?}"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains(part),
        "{shows}: {part:?} is not in\n{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
