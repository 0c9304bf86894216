//! `nmsp simulate` and `nmsp connect` in two processes, as a person or a script uses them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "../../../interop/src/peers.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "written for a library, and each test uses a part of it"
)]
mod peers;

#[path = "../decode/pcap.rs"]
#[allow(
    dead_code,
    reason = "the captures of another test, of which this one uses a part"
)]
mod pcap;
#[path = "../decode/tshark.rs"]
#[allow(dead_code, reason = "made for another test")]
mod tshark;

mod captured;
mod refusals;
mod removed_entry;
mod two_processes;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn nmsp(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nmsp"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}

fn run(arguments: &[&str]) -> Output {
    nmsp(arguments).output().unwrap()
}

/// Ends with the test, however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A simulated controller with a lab in the folder, which listens when this returns.
fn simulate(lab: &Path, more: &[&str]) -> Running {
    let arguments = [
        &[
            "simulate",
            "--lab",
            lab.to_str().unwrap(),
            "--listen",
            "127.0.0.1:0",
        ],
        more,
    ]
    .concat();
    let mut child = nmsp(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.starts_with("listening on 127.0.0.1:"), "{first}");
    let second = lines.next().unwrap().unwrap();
    assert!(
        second.starts_with("the other side: nmsp connect --config"),
        "{second}"
    );
    Running(child)
}

fn json_file(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
