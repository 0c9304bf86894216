//! One session of every family as each party counts it: the location server, the capture read by `nmsp decode` and by
//! `tshark`, RESTCONF and the metrics.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Stdio;

use nmsp::wire::{MessageType, WireProfile};
use serde_json::Value;

use super::pcap::{pcap, proxy};
use super::{Running, json_file, nmsp, peers, run, simulate, tshark};

/// Messages by name, in one direction.
type Counts = BTreeMap<String, u64>;

/// How often a session is measured again in which a message was under way when the location server left: its sender
/// has counted it, and nobody else could.
const SESSIONS: usize = 5;

#[test]
fn every_party_counts_the_messages_of_a_session_alike() {
    let folder = tempfile::tempdir().unwrap();
    let lab = folder.path().join("lab");
    // Makes the lab; the session is another one, with an admin listener.
    drop(simulate(&lab, &["--seconds", "60"]));
    let config = lab.join("simulate.toml");
    let mut text = std::fs::read_to_string(&config).unwrap();
    text.push_str("\n[admin]\nlisten = \"127.0.0.1:0\"\n");
    std::fs::write(&config, text).unwrap();
    let mut sessions = (0..SESSIONS).map(|_| session(folder.path()));
    let session = sessions.find(|session| session.controller_sent == session.received);
    let session = session.expect("every session ended with a message under way");
    assert_eq!(session.controller_received, session.sent);
    assert_eq!(session.metrics, [session.received.clone(), session.sent.clone()]);

    let mut both = session.received;
    for (name, count) in session.sent {
        *both.entry(name).or_default() += count;
    }
    let keys = folder.path().join("keys.txt");
    let capture = folder.path().join("session.pcap");
    std::fs::write(&capture, session.capture).unwrap();
    is_in_the_capture(
        &both,
        capture.to_str().unwrap(),
        keys.to_str().unwrap(),
        folder.path(),
    );
}

/// What the parties have counted, and the bytes between them.
struct Session {
    /// By the location server.
    received: Counts,
    sent: Counts,
    /// By the controller, from RESTCONF.
    controller_sent: Counts,
    controller_received: Counts,
    /// By the controller, sent and received, from the metrics.
    metrics: [Counts; 2],
    capture: Vec<u8>,
}

fn session(folder: &Path) -> Session {
    let (controller, address, admin) = start(folder.join("lab/simulate.toml").to_str().unwrap());
    let (through, log) = proxy(address);
    let [connect, summary, keys] = ["lab/connect.toml", "summary.json", "keys.txt"].map(|name| {
        let path = folder.join(name);
        path.to_str().unwrap().to_owned()
    });
    // One that was made before is of another session.
    drop(std::fs::remove_file(&keys));
    let through = through.to_string();
    let options = [
        &["connect", "--config", &connect, "--controller", &through][..],
        &["--service", "all", "--seconds", "5", "--no-reconnect", "--json"],
        &["--summary", &summary, "--dangerous-key-log", &keys],
    ];
    let output = run(&options.concat());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let summary = json_file(&folder.join("summary.json"));
    assert_eq!(summary["lost"], 0, "{summary}");
    let counters = &summary["controllers"][0]["counters"];
    let received = named(&counters["rx_msg_counter"]);
    assert!(received.len() >= 9, "{received:?}");

    let document = get(
        admin,
        "/restconf/data/Cisco-IOS-XE-wireless-nmsp-oper:nmsp-oper-data",
    );
    let document: Value = serde_json::from_str(&document).unwrap();
    let statistics =
        &document["Cisco-IOS-XE-wireless-nmsp-oper:nmsp-oper-data"]["cmx-connection"][0]["con-stats"];
    let metrics = get(admin, "/metrics");
    drop(controller);
    let capture = pcap(&log.lock().unwrap(), 1400, false);
    Session {
        received,
        sent: named(&counters["tx_msg_counter"]),
        controller_sent: numbered(&statistics["tx-msg-counter"]),
        controller_received: numbered(&statistics["rx-msg-counter"]),
        metrics: ["tx", "rx"].map(|direction| measured(&metrics, direction)),
        capture,
    }
}

/// `nmsp decode` and `tshark` find these messages.
fn is_in_the_capture(messages: &Counts, capture: &str, keys: &str, folder: &Path) {
    let output = run(&["decode", capture, "--key-log", keys, "--json"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    let lines = shown
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    // The alerts of TLS have a name and no message identifier.
    let names: Vec<String> = lines
        .filter(|line| line["id"].is_number())
        .filter_map(|line| line["name"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(tshark::counted(names.into_iter()), *messages);
    if peers::find_or_skip("tshark").is_some() {
        tshark::sees_the_same(folder, capture, keys, messages);
    }
}

/// The simulated controller, its address and that of its admin listener.
fn start(config: &str) -> (Running, SocketAddr, SocketAddr) {
    let mut child = nmsp(&[
        "simulate",
        "--config",
        config,
        "--listen",
        "127.0.0.1:0",
        "--stations",
        "200",
    ])
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let mut address_after = |words: &str| {
        let line = lines.next().unwrap().unwrap();
        let address = line.strip_prefix(words).map(str::parse);
        address.unwrap_or_else(|| panic!("{line}")).unwrap()
    };
    let address = address_after("listening on ");
    let admin = address_after("admin listener on ");
    (Running(child), address, admin)
}

/// The body of an answer.
fn get(admin: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(admin).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    body.to_owned()
}

/// `{"Echo Request": 1}`
fn named(counters: &Value) -> Counts {
    let counters = counters.as_object().unwrap().iter();
    counters
        .map(|(name, count)| (name.clone(), count.as_u64().unwrap()))
        .collect()
}

/// `[{"msg-id": 1, "counter": "1"}]`
fn numbered(counters: &Value) -> Counts {
    let counters = counters.as_array().unwrap().iter();
    counters
        .map(|entry| {
            let id = u16::try_from(entry["msg-id"].as_u64().unwrap()).unwrap();
            (name_of(id), entry["counter"].as_str().unwrap().parse().unwrap())
        })
        .collect()
}

/// `nmsp_…_tx_msg_counter_total{…,msg_id="1",…} 1`
fn measured(metrics: &str, direction: &str) -> Counts {
    let family = format!("{direction}_msg_counter");
    metrics
        .lines()
        .filter(|line| !line.starts_with('#') && line.contains(&family))
        .map(|line| {
            let (labels, count) = line.rsplit_once(' ').unwrap();
            let (_, rest) = labels.split_once("msg_id=\"").unwrap();
            let (id, _) = rest.split_once('"').unwrap();
            (name_of(id.parse().unwrap()), count.parse().unwrap())
        })
        .collect()
}

fn name_of(id: u16) -> String {
    let profile = WireProfile::built_in();
    let message = MessageType::ALL
        .iter()
        .find(|message| profile.message_id(**message).is_some_and(|found| found.0 == id));
    message.unwrap().name().to_owned()
}
