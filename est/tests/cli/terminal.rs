//! `--ask`: first contact by a question on the terminal, which is a pseudo terminal of Python here.

use std::path::Path;
use std::process::{Command, Output};

use crate::peers::find_or_skip;
use crate::process::{Serving, est, laboratory};

/// Runs a command on a terminal, types an answer when it is asked, and ends with its status.
const TERMINAL: &str = r"
import os, pty, sys
answer, command = sys.argv[1], sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.execv(command[0], command)
shown, answered = b'', False
while True:
    try:
        data = os.read(terminal, 4096)
    except OSError:
        break
    if not data:
        break
    shown += data
    if not answered and b'anything else: none' in shown:
        os.write(terminal, answer.encode() + b'\n')
        answered = True
sys.stdout.buffer.write(shown)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
";

fn on_a_terminal(folder: &Path, answer: &str, arguments: &[&str]) -> Option<Output> {
    let python = find_or_skip("python3")?;
    let output = Command::new(python)
        .args(["-c", TERMINAL, answer, env!("CARGO_BIN_EXE_est")])
        .args(arguments)
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    Some(output)
}

#[test]
fn the_fingerprint_is_shown_and_only_a_yes_makes_an_anchor() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let server = Serving::start(folder);
    let ca = pki_common::Certificate::from_pem(&std::fs::read(folder.join("ca/ca.pem")).unwrap()).unwrap();
    let fingerprint = pki_common::Fingerprint::of(pki_common::HashAlgorithm::Sha256, &ca).to_string();
    let ask = ["cacerts", "--url", &server.url, "--ask", "--out", "anchors.pem"];
    for answer in ["n", "", "0", "2", "yes"] {
        let Some(refused) = on_a_terminal(folder, answer, &ask) else {
            return;
        };
        let text = String::from_utf8_lossy(&refused.stdout);
        assert_eq!(refused.status.code(), Some(1), "{answer:?}: {text}");
        assert!(
            text.contains(&fingerprint) && text.contains("CN=Test Root"),
            "{text}"
        );
        assert!(!folder.join("anchors.pem").exists(), "{answer:?}");
    }
    let confirmed = on_a_terminal(folder, "1", &ask).unwrap();
    let text = String::from_utf8_lossy(&confirmed.stdout);
    assert_eq!(confirmed.status.code(), Some(0), "{text}");
    assert_eq!(
        std::fs::read(folder.join("anchors.pem")).unwrap(),
        std::fs::read(folder.join("ca/ca.pem")).unwrap()
    );
}

#[test]
fn without_a_terminal_nobody_is_asked_and_nothing_trusted() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let server = Serving::start(folder);
    // Whoever pipes an answer in has compared nothing.
    let ask = ["cacerts", "--url", &server.url, "--ask", "--out", "anchors.pem"];
    let output = est(folder, &ask, "1\n");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains("no terminal") && errors.contains("--fingerprint"),
        "{errors}"
    );
    assert!(!folder.join("anchors.pem").exists());
}
