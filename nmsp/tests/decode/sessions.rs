//! Sessions of this crate's own controller and location server: captured, decrypted, recorded, replayed.

use std::process::Stdio;

use nmsp::capture::Direction;
use nmsp::proto::Exchange;
use nmsp::session_file::{Entry, SessionReader};
use nmsp::wire::{Frame, WireProfile};

use crate::lab::{Running, at, expect, have, listen, location_server, nmsp, prepare, serve};
use crate::pcap::{pcap, proxy};
use crate::tshark;

/// The messages of a session file.
fn entries(file: &str) -> Vec<Entry> {
    let text = std::fs::read(file).unwrap();
    let mut reader = SessionReader::new(&text[..]).unwrap();
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry() {
        entries.push(entry.unwrap());
    }
    entries
}

/// What the controller sent, without the transactions of answers and without echoes.
fn of_the_controller(entries: &[Entry]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for entry in entries
        .iter()
        .filter(|entry| entry.direction == Direction::ToLocationServer)
    {
        let profile = WireProfile::built_in();
        let (frame, _) = Frame::cut(profile, usize::MAX, &entry.bytes).unwrap().unwrap();
        let kind = profile.message_type(frame.header.id).unwrap();
        let mut bytes = entry.bytes.clone();
        match Exchange::of(kind) {
            Exchange::Response if kind.name().starts_with("Echo") => continue,
            Exchange::Response => bytes[8..12].fill(0),
            _ => {}
        }
        found.push(bytes);
    }
    found
}

fn strings(owned: &[String]) -> Vec<&str> {
    owned.iter().map(String::as_str).collect()
}

#[test]
fn a_recorded_session_replayed_and_recorded_again_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepare(folder);
    let (first, second, config) = (
        at(folder, "1.jsonl"),
        at(folder, "2.jsonl"),
        at(folder, "serve.toml"),
    );
    let controller = serve(folder, &[]);
    let options = location_server(folder, &controller.1);
    let record = [
        &["record", "--count", "30", "--out", &first][..],
        &strings(&options),
    ]
    .concat();
    expect(0, &record);
    drop(controller);
    let recorded = entries(&first);
    assert!(recorded.len() >= 30);
    // Another recording does not write over it.
    let (_, err) = expect(1, &record);
    assert!(err.contains("is there already"), "{err}");

    let replay = [
        "replay",
        &first,
        "--config",
        &config,
        "--speed",
        "50",
        "--compare",
        "--patience",
        "5",
    ];
    let (mut replaying, address) = listen(&replay);
    let options = location_server(folder, &address);
    expect(
        0,
        &[&["record", "--out", &second][..], &strings(&options)].concat(),
    );
    let status = replaying.0.wait().unwrap();
    let again = entries(&second);
    assert_eq!(of_the_controller(&again), of_the_controller(&recorded));
    assert!(status.success());
    // Both decode without a complaint, with times.
    let (out, _) = expect(0, &["decode", &second, "--message", "Measurement Notification"]);
    assert!(out.contains("to the location server, byte "), "{out}");
}

#[test]
fn the_location_server_side_of_a_recording_is_played_to_a_controller() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepare(folder);
    let file = at(folder, "1.jsonl");
    let controller = serve(folder, &[]);
    let options = location_server(folder, &controller.1);
    expect(
        0,
        &[
            &["record", "--count", "8", "--out", &file][..],
            &strings(&options),
        ]
        .concat(),
    );
    let replay = [
        &["replay", &file, "--compare", "--repeat", "2"][..],
        &strings(&options),
    ]
    .concat();
    let (out, _) = expect(0, &replay);
    assert!(out.lines().count() == 2 && out.contains("0 differ"), "{out}");
    // An answer that the controller does not give.
    let text = std::fs::read_to_string(&file).unwrap();
    let response = text
        .lines()
        .find(|line| line.contains("Service Subscribe Response"))
        .unwrap();
    let mut changed = response.to_owned();
    // The last digits of the message.
    let end = changed.rfind("\"}").unwrap();
    changed.replace_range(
        end - 1..end,
        if &changed[end - 1..end] == "0" { "1" } else { "0" },
    );
    std::fs::write(&file, text.replace(response, &changed)).unwrap();
    let (out, err) = expect(1, &replay);
    assert!(
        out.contains("expected Service Subscribe Response with body"),
        "{out}"
    );
    assert!(err.contains("2 requests or answers of the peer differ"), "{err}");
}

#[test]
fn a_recording_that_is_killed_is_good_to_its_last_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepare(folder);
    let file = at(folder, "1.jsonl");
    let controller = serve(folder, &[]);
    let options = location_server(folder, &controller.1);
    let arguments = [&["record", "--out", &file][..], &strings(&options)].concat();
    let mut recording = Running(nmsp(&arguments).stdout(Stdio::null()).spawn().unwrap());
    let end = std::time::Instant::now() + crate::lab::PATIENCE;
    while std::fs::read(&file).is_ok_and(|text| text.len() < 4000) || !std::path::Path::new(&file).exists() {
        assert!(std::time::Instant::now() < end);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    recording.0.kill().unwrap();
    recording.0.wait().unwrap();
    assert!(entries(&file).len() > 5);
}

/// A session between two processes, with the key log of either side: this command, and tshark, see the same messages.
#[test]
fn our_own_session_is_decrypted_with_the_key_log_of_either_side() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepare(folder);
    let [capture, server_keys, client_keys, recorded] =
        ["session.pcap", "server.keys", "client.keys", "1.jsonl"].map(|name| at(folder, name));
    let controller = serve(folder, &["--dangerous-key-log", &server_keys]);
    let (address, log) = proxy(controller.1.parse().unwrap());
    let options = location_server(folder, &address.to_string());
    let record = [
        "record",
        "--count",
        "12",
        "--out",
        &recorded,
        "--dangerous-key-log",
        &client_keys,
    ];
    expect(0, &[&record[..], &strings(&options)].concat());
    drop(controller);
    let log = log.lock().unwrap().clone();
    std::fs::write(&capture, pcap(&log, 1400, false)).unwrap();
    let json = |keys: &str| {
        let (out, _) = expect(0, &["decode", &capture, "--key-log", keys, "--json"]);
        let lines = out
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter(|line| line["id"].is_number()).collect::<Vec<_>>()
    };
    let decoded = json(&server_keys);
    assert_eq!(decoded, json(&client_keys));
    has_what_was_recorded(&decoded, &recorded);
    // The same recording comes out of the capture.
    let from = at(folder, "2.jsonl");
    expect(
        0,
        &[
            "record",
            "--from-capture",
            &capture,
            "--key-log",
            &server_keys,
            "--out",
            &from,
        ],
    );
    assert_eq!(entries(&from).len(), decoded.len());
    // Without the secrets it says what is missing.
    let (out, _) = expect(1, &["decode", &capture]);
    assert!(out.contains("TLS: the key log has no "), "{out}");
    if have("tshark") {
        let names = decoded.iter().map(|line| line["name"].as_str().unwrap());
        tshark::sees_the_same(folder, &capture, &server_keys, &tshark::counted(names));
    }
}

/// In the order of each direction.
fn has_what_was_recorded(decoded: &[serde_json::Value], recorded: &str) {
    let bytes = |direction: &str| -> Vec<String> {
        let of = decoded.iter().filter(|line| line["direction"] == direction);
        of.map(|line| line["bytes"].as_str().unwrap().to_owned())
            .collect()
    };
    for direction in [Direction::ToController, Direction::ToLocationServer] {
        let of = entries(recorded)
            .into_iter()
            .filter(|entry| entry.direction == direction);
        let kept: Vec<String> = of.map(|entry| hex::encode(entry.bytes)).collect();
        // What the controller sent after the location server had enough is in the capture only.
        assert_eq!(bytes(direction.name())[..kept.len()], kept);
    }
}
