//! Captures with pieces missing, changed or too many.

use nmsp::capture::{Capture, Item, Options, oracle};

use crate::lab::echo;
use crate::pcap::{From, file, pcap};

fn items(capture: &[u8], options: Options) -> (usize, Vec<String>) {
    let mut capture = Capture::new(capture, options).unwrap();
    let (mut messages, mut problems) = (0, Vec::new());
    while let Some(item) = capture.next_item() {
        match item {
            Item::Message(_) => messages += 1,
            Item::Problem(finding) => problems.push(finding.to_string()),
            _ => {}
        }
    }
    (messages, problems)
}

/// The packets of a capture, apart.
fn packets(capture: &[u8]) -> Vec<Vec<u8>> {
    let (mut rest, mut found) = (&capture[24..], Vec::new());
    while let Some(length) = rest.get(8..12) {
        let length = usize::try_from(u32::from_le_bytes(length.try_into().unwrap())).unwrap();
        found.push(rest[16..16 + length].to_vec());
        rest = &rest[16 + length..];
    }
    found
}

fn conversation() -> Vec<u8> {
    let log: Vec<(From, Vec<u8>)> = (1..=20)
        .flat_map(|number| {
            [
                (From::LocationServer, echo(1, number)),
                (From::Controller, echo(2, number)),
            ]
        })
        .collect();
    pcap(&log, 9, false)
}

#[test]
fn a_missing_packet_ends_its_direction_and_not_the_other() {
    let capture = conversation();
    let mut packets = packets(&capture);
    assert_eq!(items(&capture, Options::default()), (40, vec![]));
    // The second segment of the third request.
    packets.remove(2 + 8 + 1);
    let (messages, problems) = items(&file(&packets), Options::default());
    assert_eq!(messages, 20 + 2);
    assert_eq!(problems.len(), 1);
    let expected = "connection 1, to the controller: 3 bytes are missing in the capture";
    assert!(problems[0].contains(expected), "{problems:?}");
}

#[test]
fn what_waits_for_a_missing_packet_is_bounded() {
    let mut packets = packets(&conversation());
    packets.remove(2);
    let options = Options {
        max_held_bytes: 50,
        ..Options::default()
    };
    let (messages, problems) = items(&file(&packets), options);
    assert_eq!(messages, 20);
    assert!(
        problems[0].contains("wait for 9 missing ones, more than may be held"),
        "{problems:?}"
    );
    assert_eq!(problems.len(), 1);
}

#[test]
fn connections_beyond_the_limit_replace_the_one_that_is_silent_for_longest() {
    let mut all = Vec::new();
    for port in 1..=5_u8 {
        for mut packet in packets(&pcap(&[(From::LocationServer, echo(1, port))], 100, false)) {
            // Another location server each time: the last byte of its address.
            let place = if packet[15] == 1 { 15 } else { 19 };
            packet[place] = 100 + port;
            all.push(packet);
        }
    }
    let options = Options {
        max_connections: 2,
        ..Options::default()
    };
    let (messages, problems) = items(&file(&all), options);
    assert_eq!(messages, 5);
    assert_eq!(problems.len(), 3);
    assert!(
        problems[0].contains("more than 2 connections at a time"),
        "{problems:?}"
    );
}

#[test]
fn a_new_connection_between_the_same_ports_is_another_one() {
    let one = packets(&pcap(&[(From::LocationServer, echo(1, 1))], 100, false));
    let mut again = packets(&pcap(&[(From::LocationServer, echo(1, 2))], 100, false));
    for packet in &mut again {
        // Other sequence numbers: the third byte of them.
        packet[26] ^= 0x55;
    }
    let capture = file(&[one, again].concat());
    let mut capture = Capture::new(&capture[..], Options::default()).unwrap();
    let mut connections = Vec::new();
    while let Some(item) = capture.next_item() {
        match item {
            Item::Message(message) => connections.push(message.connection),
            Item::Problem(finding) => panic!("{finding}"),
            _ => {}
        }
    }
    assert_eq!(connections, [1, 2]);
}

#[test]
fn no_single_changed_byte_and_no_cut_breaks_the_reader() {
    let capture = conversation();
    let short = &capture[..600];
    for at in 0..short.len() {
        let mut changed = short.to_vec();
        changed[at] ^= 0xff;
        oracle::capture(&changed);
        oracle::capture(&short[..at]);
    }
}
