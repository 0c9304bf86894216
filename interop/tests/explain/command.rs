//! The command: what it prints, its exit status, and the examples of the guide.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use super::{trace, traces};

const GUIDE: &str = include_str!("../../../docs/explain.md");

fn interop(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_interop"))
        .arg("explain")
        .args(arguments)
        .current_dir(traces())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The command may end without reading it.
    let _closed = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Commands, and what they print: `sh` blocks of the guide, each followed by a `text` block.
fn examples() -> Vec<(String, String)> {
    let mut fences = GUIDE.split("\n```");
    fences.next();
    let blocks: Vec<_> = fences
        .step_by(2)
        .map(|block| block.split_once('\n').unwrap_or((block, "")))
        .collect();
    let pairs = blocks
        .windows(2)
        .filter(|pair| pair[0].0 == "sh" && pair[1].0 == "text");
    pairs
        .map(|pair| (pair[0].1.trim().to_owned(), pair[1].1.to_owned()))
        .collect()
}

#[test]
fn the_examples_of_the_guide_print_what_stands_below_them() {
    let examples = examples();
    assert!(examples.len() >= 4, "{}", examples.len());
    for (command, expected) in examples {
        let arguments: Vec<_> = command
            .strip_prefix("interop explain ")
            .unwrap()
            .split(' ')
            .collect();
        let output = printed(&interop(&arguments, ""));
        assert_eq!(output.trim_end(), expected.trim_end(), "{command}");
    }
}

#[test]
fn the_exit_status_tells_whether_something_failed() {
    for (arguments, status) in [
        (&["nmsp-tunnel-up.log"][..], 0),
        (&["nmsp-authlist-refused.log"], 1),
        (&["nmsp-tunnel-up.log", "nmsp-authlist-refused.log"], 1),
        (&[], 2),
        (&["no-such-file.log"], 2),
        (&["--zone", "other.log=UTC", "nmsp-tunnel-up.log"], 2),
        (
            &["--zone", "nmsp-tunnel-up.log=somewhere", "nmsp-tunnel-up.log"],
            2,
        ),
        (&["--skew", "nmsp-tunnel-up.log=soon", "nmsp-tunnel-up.log"], 2),
        (&["--skew", "nmsp-tunnel-up.log=-1.5", "nmsp-tunnel-up.log"], 0),
    ] {
        let output = interop(arguments, "");
        assert_eq!(
            output.status.code(),
            Some(status),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn reads_the_standard_input() {
    let output = interop(&["-"], &trace("nmsp-tunnel-up.log"));
    assert_eq!(output.status.code(), Some(0));
    assert!(
        printed(&output)
            .contains("tunnel up after 1.332 s, of which 1.000 s waiting for the authlist verdict")
    );
}

#[test]
fn prints_what_it_does_not_understand_when_asked() {
    let output = printed(&interop(&["--show-unknown", "-"], "a strange line\n"));
    assert!(output.starts_with("-:1: a strange line\n"), "{output}");
    assert!(!printed(&interop(&["-"], "a strange line\n")).starts_with("-:1:"));
}

#[test]
fn prints_json_for_programs() {
    let output = printed(&interop(
        &["--json", "--show-unknown", "nmsp-authlist-refused.log", "-"],
        "a strange line\n",
    ));
    let mut lines = output
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    assert_eq!(lines.next().unwrap()["unknown"]["text"], "a strange line");
    let report = lines.next().unwrap();
    let session = &report["sessions"][0];
    assert_eq!(session["verdict"]["known_cause"], "authlist-refused");
    assert_eq!(session["verdict"]["refused_by"], "the controller");
    assert_eq!(session["verdict"]["alert"]["number"], 46);
    assert_eq!(session["misleading"][0]["words"], "no certificate returned");
    assert_eq!(report["files"][0]["lines"], 59);
    assert_eq!(report["summary"]["failed"], 1);
    assert_eq!(lines.next(), None);
}
