//! What one side sends is what the other gets.

use std::collections::HashSet;

use nmsp::wire::message::Measurement;
use serde_json::Value;

use super::{json_file, nmsp, run, simulate};

/// Runs both sides until the controller says goodbye. Returns the summaries of the controller and of the location server,
/// and what that one printed.
fn session(simulated: &[&str], connected: &[&str]) -> (Value, Value, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (lab, sent, received) = (
        folder.path().join("lab"),
        path("sent.json"),
        path("received.json"),
    );
    let own = ["--seconds", "6", "--summary", &sent];
    let mut controller = simulate(&lab, &[&own, simulated].concat());
    let config = lab.join("connect.toml");
    let arguments = [
        &[
            "connect",
            "--config",
            config.to_str().unwrap(),
            "--no-reconnect",
            "--summary",
            &received,
        ],
        connected,
    ]
    .concat();
    let output = nmsp(&arguments).output().unwrap();
    let report = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{report}");
    assert!(controller.0.wait().unwrap().success());
    let shown = String::from_utf8(output.stdout).unwrap();
    (
        json_file(&folder.path().join("sent.json")),
        json_file(&folder.path().join("received.json")),
        shown,
    )
}

#[test]
fn two_hundred_stations_arrive_without_a_gap_and_the_counters_of_both_sides_agree() {
    let (sent, received, shown) = session(
        &["--stations", "200", "--access-points", "6", "--rate", "2"],
        &["--json"],
    );
    assert_eq!(received["lost"], 0, "{received}");
    let (controller, connection) = (&received["controllers"][0], &sent["connections"][0]);
    let counters = |side: &Value, name: &str| side["counters"][name].clone();
    for (one, other) in [
        ("tx_msg_counter", "rx_msg_counter"),
        ("rx_msg_counter", "tx_msg_counter"),
        ("tx_data_frames", "rx_data_frames"),
        ("rx_data_frames", "tx_data_frames"),
    ] {
        let (of_controller, of_location_server) = (counters(connection, one), counters(controller, other));
        assert_eq!(of_controller, of_location_server, "{one}\n{sent}\n{received}");
    }
    assert_eq!(connection["dropped"], 0);
    let notifications = controller["received"]["Measurement Notification"]
        .as_u64()
        .unwrap();
    assert_eq!(
        controller["counters"]["rx_msg_counter"]["Measurement Notification"],
        notifications
    );
    assert!(notifications > 10, "{received}");

    let measurements: Vec<Measurement> = shown
        .lines()
        .filter(|line| line.starts_with("{\"station\""))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        u64::try_from(measurements.len()).ok(),
        received["measurements"].as_u64()
    );
    let stations: HashSet<_> = measurements.iter().map(|each| each.station).collect();
    // 200 clients, 5 tags, 2 rogues with a client each, 2 interferers.
    assert_eq!(stations.len(), 211);
    assert!(
        measurements
            .iter()
            .filter(|each| !each.access_points.is_empty())
            .count()
            > 1000
    );
}

#[test]
fn every_family_that_a_controller_reports_arrives() {
    let (_, received, shown) = session(
        &["--stations", "30", "--rogues", "3", "--interferers", "3"],
        &["--json", "--service", "all"],
    );
    assert_eq!(received["lost"], 0, "{received}");
    let families = received["controllers"][0]["received"].as_object().unwrap();
    for family in [
        "Measurement Notification",
        "Information Notification",
        "Statistics Notification",
        "Attachment Notification",
        "Location Notification",
        "AP Info Notification",
        "Spectrum Notification",
        "AP Monitor Notification",
        "IDS Notification",
    ] {
        assert!(families.contains_key(family), "{family} is missing: {families:?}");
    }
    let lines = shown
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let others: Vec<Value> = lines.filter(|line| line.get("station").is_none()).collect();
    assert!(others.len() >= 8, "{shown}");
    for line in others {
        assert!(
            line["controller"].is_string() && line["sequence"].is_u64(),
            "{line}"
        );
        assert!(line["message"].is_string() && line["body"].is_object(), "{line}");
    }
}

#[test]
fn plain_lines_end_after_a_count_and_the_summary_says_what_came() {
    let (_, received, shown) = session(
        &[
            "--stations",
            "20",
            "--tags",
            "0",
            "--rogues",
            "0",
            "--interferers",
            "0",
        ],
        &["--count", "30", "--service", "rssi-ms"],
    );
    assert_eq!(shown.lines().count(), 30, "{shown}");
    assert!(
        shown
            .lines()
            .all(|line| line.contains(" client ") && line.contains(" dBm ")),
        "{shown}"
    );
    assert_eq!(
        received["controllers"][0]["state"], "up",
        "as it was before the goodbye"
    );
}

#[test]
fn a_lab_is_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let lab = folder.path().join("lab");
    let certificate = || std::fs::read(lab.join("controller/certificate.pem")).unwrap();
    drop(simulate(&lab, &[]));
    let first = certificate();
    drop(simulate(&lab, &[]));
    assert_eq!(first, certificate());
}

#[test]
fn a_certificate_is_pinned_on_first_use_with_its_fingerprint_and_known_the_next_time() {
    let folder = tempfile::tempdir().unwrap();
    let lab = folder.path().join("lab");
    let _controller = simulate(&lab, &[]);
    let path = |name: &str| lab.join(name).to_str().unwrap().to_owned();
    let config = std::fs::read_to_string(lab.join("connect.toml")).unwrap();
    let address = config.split('"').nth(1).unwrap().to_owned();
    let (certificate, key, pins) = (
        path("location-server/certificate.pem"),
        path("location-server/key.pem"),
        path("pins"),
    );
    let connect = || {
        let arguments = [
            "connect",
            "--controller",
            &address,
            "--certificate",
            &certificate,
            "--key",
            &key,
            "--count",
            "1",
            "--dangerous-pin-on-first-use",
            &pins,
        ];
        let output = nmsp(&arguments).output().unwrap();
        let report = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{report}");
        report
    };
    let first = connect();
    assert!(first.to_lowercase().contains("fingerprint"), "{first}");
    let pinned = std::fs::read_to_string(&pins).unwrap();
    connect();
    assert_eq!(pinned, std::fs::read_to_string(&pins).unwrap());
}

#[test]
fn wired_devices_are_reported_with_the_ports_that_they_are_plugged_into() {
    let folder = tempfile::tempdir().unwrap();
    let lab = folder.path().join("lab");
    let _controller = simulate(&lab, &["--stations", "1", "--wired", "3"]);
    let connect = lab.join("connect.toml");
    let output = run(&[
        "connect",
        "--config",
        connect.to_str().unwrap(),
        "--service",
        "attach",
        "--seconds",
        "10",
        "--json",
    ]);
    let text = String::from_utf8(output.stdout).unwrap();
    let mut ports = std::collections::BTreeSet::new();
    for line in text.lines() {
        let told: Value = serde_json::from_str(line).unwrap();
        let attachments = told["body"]["attachments"].as_array().into_iter().flatten();
        for wired in attachments.filter(|each| each["port"].is_object()) {
            assert_eq!(
                wired["location"]["civic"][0]["elements"][1]["value"], "1",
                "{wired}"
            );
            ports.insert(wired["port"]["port"].as_u64().unwrap());
        }
    }
    assert_eq!(ports.into_iter().collect::<Vec<_>>(), [1, 2, 3], "{text}");
}
