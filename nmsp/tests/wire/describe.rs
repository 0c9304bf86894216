//! A message taken apart for people.

use nmsp::wire::WireProfile;
use nmsp::wire::describe::{Part, describe, describe_stream};

/// The measurement of `built-in-profile.hex`.
const MEASUREMENT: &str = "0100000f0000003900000007001000290050569c3489010000014dc9fc6d280002\
                           003a7d000001c602241f0103003a7d000002b90295000000";

fn bytes(digits: &str) -> Vec<u8> {
    hex::decode(digits.replace(' ', "")).unwrap()
}

fn lines(parts: &[Part<'_>]) -> Vec<String> {
    parts
        .iter()
        .map(|part| {
            format!(
                "{}{} {}: {}",
                " ".repeat(part.depth),
                part.offset,
                part.name,
                part.value
            )
        })
        .collect()
}

#[test]
fn shows_every_field_with_its_offset_and_unit() {
    let bytes = bytes(MEASUREMENT);
    let parts = describe(WireProfile::built_in(), &bytes);
    let expected = [
        "0 message: Measurement Notification (15), 57 bytes",
        " 0 version: 1",
        " 1 unused header byte: 0",
        " 2 message id: 15 (Measurement Notification)",
        " 4 message length: 57 bytes",
        " 8 transaction: 7",
        " 12 Station Measurement: 45 bytes",
        "  12 TLV type: 0x0010",
        "  14 TLV length: 41",
        "  16 station MAC address: 00:50:56:9c:34:89",
        "  22 station class: client (1)",
        "  23 timestamp: 1433612873.000",
        "  31 number of reading records: 2",
        "  33 reading: 1 of 2",
        "   33 access point MAC address: 00:3a:7d:00:00:01",
        "   39 RSSI: -58 dBm",
        "   40 band: 5 GHz (2)",
        "   41 channel: 36",
        "   42 SNR: 31 dB",
        "   43 antenna: 1",
        "   44 reading flags: 0x3 (SNR known, antenna known)",
        "  45 reading: 2 of 2",
    ];
    assert_eq!(lines(&parts)[..expected.len()], expected);
}

#[test]
fn shows_what_is_unknown_and_what_is_malformed_without_losing_a_byte() {
    let profile = WireProfile::built_in();
    for (digits, expected) in [
        (
            "01000001 00000010 00000007 7f000000",
            " 12 unknown element 0x7f00: 4 bytes",
        ),
        ("01000001 00000013 00000007 7f010003aabbcc", "  16 value: aabbcc"),
        ("01009c40 0000000e 00000007 beef", " 12 body: beef"),
        (
            "0100000f 00000010 00000007 00100029",
            " 12 malformed: byte 16 (TLV value): 41 bytes are needed but only 0 follow",
        ),
        (
            "0100001e 00000011 00000007 0002000105",
            "  16 malformed: byte 16 (Services): 8 bytes are needed but only 1 follow",
        ),
        ("010000", "0 malformed: incomplete header, 12 bytes are needed"),
        (
            "01000001 00000063 00000007",
            " 4 message length: 99 bytes, but there are 12",
        ),
    ] {
        let bytes = bytes(digits);
        let parts = describe(profile, &bytes);
        let lines = lines(&parts);
        assert!(lines.iter().any(|line| line == expected), "{digits}: {lines:#?}");
        let covered: Vec<u8> = parts
            .iter()
            .filter(|part| part.leaf)
            .flat_map(|part| part.bytes.to_vec())
            .collect();
        assert_eq!(covered, bytes);
    }
}

#[test]
fn a_stream_is_shown_message_by_message_up_to_a_broken_header() {
    let stream = bytes(&format!(
        "01000001 0000000c 00000001 {MEASUREMENT} 09000001 0000000c 00000001"
    ));
    let messages = describe_stream(WireProfile::built_in(), 65_536, &stream);
    let starts: Vec<_> = messages.iter().map(|(start, _)| *start).collect();
    assert_eq!(starts, [0, 12, 69]);
    let last = messages[2].1.last().unwrap();
    assert!(
        last.malformed && last.value.contains("protocol version 9"),
        "{last:?}"
    );
}
