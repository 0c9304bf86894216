//! An entry that goes from the authlist takes its tunnel with it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use super::{Running, nmsp, run, simulate};

#[test]
fn a_tunnel_whose_entry_is_removed_ends_with_its_reason_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let lab = folder.path().join("lab");
    let path = |name: &str| lab.join(name).to_str().unwrap().to_owned();
    let mut controller = simulate(&lab, &["--stations", "20", "--log", "nmsp=info"]);
    let mut location_server = Running(
        nmsp(&[
            "connect",
            "--config",
            &path("connect.toml"),
            "--no-reconnect",
            "--json",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap(),
    );
    // Its first line shows that the tunnel is up.
    let mut lines = BufReader::new(location_server.0.stdout.as_mut().unwrap());
    lines.read_line(&mut String::new()).unwrap();
    let removed = run(&[
        "authlist",
        "remove",
        &path("location-servers.txt"),
        "02:00:00:00:00:02",
    ]);
    assert!(removed.status.success(), "{removed:?}");
    // It ends by itself, else the test does not.
    lines.read_to_end(&mut Vec::new()).unwrap();
    assert!(!location_server.0.wait().unwrap().success());
    let mut report = String::new();
    let mut errors = location_server.0.stderr.take().unwrap();
    errors.read_to_string(&mut report).unwrap();
    assert!(report.contains("authlist"), "{report}");

    controller.0.kill().unwrap();
    let mut log = String::new();
    let mut errors = controller.0.stderr.take().unwrap();
    errors.read_to_string(&mut log).unwrap();
    let closed = log
        .lines()
        .find(|line| line.contains("02:00:00:00:00:02") || line.contains("authlist"));
    assert!(closed.is_some(), "{log}");
}
