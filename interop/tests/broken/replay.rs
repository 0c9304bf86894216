//! The command that every report names: `interop fuzz replay` with the files of the page, against a device that was just
//! started.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output};
use std::thread;

use crate::device::{Device, Lab};
use crate::page;
use crate::search::{EST_HOST, USER};

/// Plays the file of one device to another, at its address and with the credentials of its lab.
fn replay(file: &str, lab: &Lab, address: SocketAddr, more: &[&str]) -> Output {
    let text = fs::read_to_string(page::file(file)).unwrap();
    let place = format!("{}/", lab.path().display());
    let address = address.to_string();
    let here = text
        .replace("\"lab/", &format!("\"{place}"))
        // A machine under load may take longer for a device that is well.
        .replace(
            "\"--alive-within\",\n    \"3\"",
            "\"--alive-within\",\n    \"15\"",
        )
        .replace(page::NMSP_ADDRESS, &address)
        .replace(&format!("https://{EST_HOST}"), &format!("https://{address}"));
    let copy = lab.path().join("finding.json");
    fs::write(&copy, here).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_interop"))
        .args(["fuzz", "replay"])
        .arg(copy)
        .args(more)
        .env("EST_PASSWORD", USER)
        .output();
    output.unwrap()
}

#[track_caller]
fn ends_with(output: &Output, status: i32, sentence: &str) {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert_eq!(output.status.code(), Some(status), "{text}");
    assert!(text.contains(sentence), "{sentence:?} is not in {text}");
}

#[test]
fn a_finding_happens_again_by_the_command_of_the_report() {
    const GONE: &str = "now: the device did not come back";
    thread::scope(|scope| {
        for (name, pid, sentence) in [
            ("length-wrap", false, GONE),
            ("padding-index", false, GONE),
            (
                "unchecked-signature",
                false,
                "now: wrong answer: a certificate was issued",
            ),
            ("reset-leak", true, "now: it leaks file descriptors"),
        ] {
            scope.spawn(move || {
                let lab = Lab::new();
                let device = Device::start(name, &lab);
                let process = device.process().to_string();
                let more = ["--pid", process.as_str()];
                let more = if pid { &more[..] } else { &[] };
                ends_with(&replay(name, &lab, device.address, more), 1, sentence);
            });
        }
        scope.spawn(|| {
            let lab = Lab::with_certificates();
            // The command listens itself; the device comes when it does.
            let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let _device = Device::start_towards("unknown-id", &lab, free);
            ends_with(&replay("unknown-id", &lab, free, &[]), 1, GONE);
        });
    });
}

#[test]
fn a_device_without_the_defect_goes_on() {
    let lab = Lab::new();
    let mut device = Device::start("double-goodbye", &lab);
    let output = replay("length-wrap", &lab, device.address, &[]);
    ends_with(&output, 0, "now: the device goes on");
    assert!(device.lives());
}
