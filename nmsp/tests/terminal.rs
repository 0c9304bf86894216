//! `nmsp connect --tui` on a terminal: however it ends, the terminal is as it was.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

mod support;

#[path = "../../interop/src/peers.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "a part of it is used here, as a module of this test"
)]
mod peers;

use std::path::Path;
use std::process::Command;

use pki_common::authlist::AuthListFormat;
use serde_json::Value;
use support::{CONTROLLER, LOCATION_SERVER, authlist_of, identity};

/// Runs `nmsp connect --tui` on a terminal until this signal; what became of both. `None` without Python.
fn ended_by(signal: &str, folder: &Path) -> Option<Value> {
    let python = peers::find_or_skip("python3")?;
    let file = |name: &str| folder.join(name);
    let own = identity(LOCATION_SERVER);
    std::fs::write(file("own.pem"), own.certificate_chain_pem()).unwrap();
    std::fs::write(file("own.key"), own.private_key_pem().as_bytes()).unwrap();
    let list = authlist_of(&identity(CONTROLLER)).load();
    std::fs::write(file("list.toml"), list.export(AuthListFormat::Toml).unwrap()).unwrap();
    let ran = Command::new(python)
        .args([
            "-c",
            include_str!("support/pty.py"),
            signal,
            env!("CARGO_BIN_EXE_nmsp"),
        ])
        // Nobody listens there: with several controllers the view is up all the same, and tries again.
        .args(["connect", "--tui", "--controller", "127.0.0.1:9"])
        .args(["--controller", "127.0.0.2:9", "--certificate"])
        .arg(file("own.pem"))
        .arg("--key")
        .arg(file("own.key"))
        .arg("--controller-authlist")
        .arg(file("list.toml"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&ran.stdout);
    Some(
        serde_json::from_str(&text)
            .unwrap_or_else(|_| panic!("{text} {}", String::from_utf8_lossy(&ran.stderr))),
    )
}

#[test]
fn the_terminal_is_given_back_when_a_signal_ends_the_view() {
    for signal in ["SIGTERM", "SIGINT"] {
        let folder = tempfile::tempdir().unwrap();
        let Some(ended) = ended_by(signal, folder.path()) else {
            return;
        };
        for what in ["was_raw", "same_settings", "left_screen", "cursor_shown"] {
            assert_eq!(ended[what], true, "{signal}, {what}: {ended}");
        }
        assert_eq!(ended["status"], 0, "{signal}: {ended}");
    }
}
