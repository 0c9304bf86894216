//! The command line.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use nmsp::server::{Server, ServerConfig, ServerHandle};
use pki_common::identity::Identity;
use tokio::task::JoinHandle;

use crate::support::Pair;

fn fuzz(folder: &Path, arguments: &[&str]) -> Output {
    let command = Command::new(env!("CARGO_BIN_EXE_interop"))
        .arg("fuzz")
        .args(arguments)
        .current_dir(folder)
        .output();
    command.unwrap()
}

fn told(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn save(identity: &Identity, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    identity
        .save(folder.join("certificate.pem"), folder.join("key.pem"))
        .unwrap();
    fs::write(folder.join("authlist.txt"), identity.server_auth_info()).unwrap();
}

#[test]
fn a_public_address_is_refused_unless_the_user_owns_it() {
    let folder = tempfile::tempdir().unwrap();
    let output = fuzz(
        folder.path(),
        &["nmsp", "192.0.2.1", "--dangerous-accept-any-certificate"],
    );
    let text = told(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("devices that you own") && text.contains("--i-own-this"),
        "{text}"
    );
    assert!(!folder.path().join("interop-fuzz").exists(), "nothing was begun");
}

#[test]
fn a_finding_does_not_say_that_the_user_owns_the_device() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("finding.json");
    let replay = serde_json::json!({
        "format": 1, "version": "0", "grammar": "nmsp", "harm": { "kind": "dead", "symptom": "" },
        "arguments": ["nmsp", "192.0.2.1", "--dangerous-accept-any-certificate", "--i-own-this"],
        "case": { "index": 0, "seed": 0, "layer": "tcp", "name": "", "script": [] },
    });
    fs::write(&file, replay.to_string()).unwrap();
    let output = fuzz(folder.path(), &["replay", "finding.json"]);
    let text = told(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("neither loopback, private"), "{text}");
}

#[test]
fn says_what_is_missing_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let table: &[(&[&str], &str)] = &[
        (&["nmsp", "127.0.0.1:1"], "--dangerous-accept-any-certificate"),
        (
            &["nmsp", "127.0.0.1:1", "--dangerous-accept-any-certificate"],
            "the device does not work",
        ),
        (
            &["nmsp-client", "127.0.0.1:0", "--dangerous-accept-any-certificate"],
            "--identity",
        ),
        (&["nmsp", "127.0.0.1:1", "--rate", "0"], "0.01 to 1000"),
        (&["replay", "none.json"], "none.json"),
    ];
    for (arguments, part) in table {
        let output = fuzz(folder.path(), arguments);
        let text = told(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

/// What every run against [`controller`] has on its command line.
const COMMON: [&str; 8] = [
    "--identity",
    "own",
    "--authlist",
    "device/authlist.txt",
    "--rate",
    "50",
    "--case-stall",
    "50",
];

/// A controller of ours, and in the folder what the tester needs to be let in.
async fn controller(folder: &Path) -> (String, ServerHandle, JoinHandle<()>) {
    let pair = Pair::new();
    save(&pair.location_server, &folder.join("own"));
    save(&pair.controller, &folder.join("device"));
    let admitted = crate::support::admit(&pair.location_server);
    let config = ServerConfig::new(Arc::clone(&pair.controller), admitted);
    let server = Server::bind("127.0.0.1:0", config).await.unwrap();
    let (address, handle) = (server.local_addr().unwrap().to_string(), server.handle());
    let running = tokio::spawn(server.run());
    (address, handle, running)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_by_the_command_leaves_reports_and_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    let (address, handle, running) = controller(folder.path()).await;
    let path = folder.path().to_owned();
    let outputs = tokio::task::spawn_blocking(move || {
        let run = |more: &[&str]| fuzz(&path, &[&["nmsp", address.as_str()], &COMMON[..], more].concat());
        [
            run(&["--seed", "8", "--cases", "6"]),
            run(&["--cases", "9"]),
            run(&["--cases", "9", "--resume"]),
        ]
    });
    let [first, again, resumed] = outputs.await.unwrap();
    handle.shutdown();
    running.await.unwrap();

    assert_eq!(first.status.code(), Some(0), "{}", told(&first));
    assert!(
        told(&first).contains("seed 8") && told(&first).contains("6 cases"),
        "{}",
        told(&first)
    );
    assert_eq!(again.status.code(), Some(2), "{}", told(&again));
    assert!(told(&again).contains("--resume"), "{}", told(&again));
    assert_eq!(resumed.status.code(), Some(0), "{}", told(&resumed));
    let text = told(&resumed);
    assert!(
        text.contains("seed 8, from case 6 on") && text.contains("9 cases"),
        "{text}"
    );
    for file in ["state.json", "report.html", "report.xml"] {
        assert!(folder.path().join("interop-fuzz").join(file).exists(), "{file}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn control_c_ends_a_run_behind_its_case_and_nothing_of_it_is_lost() {
    use rustix::process::{Pid, Signal, kill_process};

    let folder = tempfile::tempdir().unwrap();
    let (address, handle, running) = controller(folder.path()).await;
    let path = folder.path().to_owned();
    let outputs = tokio::task::spawn_blocking(move || {
        let arguments = [&["fuzz", "nmsp", address.as_str()], &COMMON[..], &["--seed", "8"]].concat();
        let mut child = Command::new(env!("CARGO_BIN_EXE_interop"))
            .args(arguments)
            .current_dir(&path)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut text = String::new();
        while !text.contains("Ctrl-C ends the run") {
            assert_ne!(said.read_line(&mut text).unwrap(), 0, "{text}");
        }
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        said.read_to_string(&mut text).unwrap();
        let ended = child.wait_with_output().unwrap();
        text.push_str(&String::from_utf8_lossy(&ended.stdout));
        let arguments = [
            &["nmsp", address.as_str()],
            &COMMON[..],
            &["--resume", "--time", "1"],
        ];
        (ended.status.code(), text, fuzz(&path, &arguments.concat()))
    });
    let (code, text, resumed) = outputs.await.unwrap();
    handle.shutdown();
    running.await.unwrap();

    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("interrupted") && text.contains("nothing was found"),
        "{text}"
    );
    let played = text
        .lines()
        .find_map(|line| line.split_once(" cases (")?.0.parse::<u64>().ok());
    let played = played.expect("the summary says how many cases were played");
    let text = told(&resumed);
    assert_eq!(resumed.status.code(), Some(0), "{text}");
    assert!(text.contains(&format!("seed 8, from case {played} on")), "{text}");
}
