//! Profiles from files.

use nmsp::wire::message::Measurement;
use nmsp::wire::{MessageId, MessageType, OwnedMessage, Services, WireProfile, oracle};
use proptest::prelude::*;

const FICTITIOUS: &str = include_str!("../../examples/fictitious.toml");

fn problems(text: &str) -> Vec<String> {
    let error = WireProfile::from_toml(text).unwrap_err();
    error.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_built_in_profile_as_a_file_reads_as_the_built_in_profile() {
    let text = WireProfile::built_in().to_toml();
    oracle::profile_file(&text);
    let read = WireProfile::from_toml(&text).unwrap();
    for message in MessageType::ALL {
        assert_eq!(
            read.message_id(*message),
            WireProfile::built_in().message_id(*message)
        );
    }
    assert!(
        text.contains("measurement-notification = 15 # recalled"),
        "{text}"
    );
    assert!(text.contains("station-measurement = 0x10 # ours"), "{text}");
}

#[test]
fn an_empty_file_is_the_built_in_profile() {
    let profile = WireProfile::from_toml("").unwrap();
    assert_eq!(profile.definition(), WireProfile::built_in().definition());
}

#[test]
fn the_fictitious_device_has_its_own_header_and_numbers() {
    let profile = WireProfile::from_toml(FICTITIOUS).unwrap();
    let message = OwnedMessage::MeasurementNotification(nmsp::wire::message::bodies::Measurements {
        stations: vec![Measurement::default()],
    });
    let mut out = bytes::BytesMut::new();
    message.encode(0x0102_0304, &profile, &mut out).unwrap();
    assert_eq!(
        hex::encode(&out),
        // length, id, version, unexplained, transaction
        "15000000 0f00 0300 00000000 04030201 \
         f0 150000 000000000000 00 0000000000000000 0000"
            .replace(' ', "")
    );
    oracle::decode_encode_under(&profile, &out);
    assert_eq!(profile.services_to_wire(Services::INFO_MS), 1 << 1);
    assert_eq!(
        profile.message_type(MessageId(0x30)),
        Some(MessageType::AttachmentNotification)
    );
    assert_eq!(profile.message_id(MessageType::DisconnectNotification), None);
    assert!(
        profile
            .describe()
            .contains("| 48 | Attachment Notification | controller | AttachmentNotification | file |")
    );
}

/// Files, and how their problem begins.
const REFUSED: &[(&str, &str)] = &[
    ("name = 5", "line 1: name: a text is expected here"),
    ("nam = \"x\"", "line 1: nam: there is no such key"),
    (
        "\nbyte-order = \"middle\"",
        "line 2: byte-order: one of \"big-endian\", \"little-endian\" is expected here",
    ),
    (
        "[header]\nlength = 300",
        "line 2: header.length: a number from 0 to 255 is expected here",
    ),
    ("[header]\nlength = 10", "line 2: header.length"),
    (
        "header = 12",
        "line 1: header: a table is expected here, not a integer",
    ),
    ("[header]\nversion = { offset = 3 }", "line 2: header.version"),
    (
        "[header]\n\nmessage-id = { width = 3 }",
        "line 3: header.message-id: message id is 3 bytes wide",
    ),
    (
        "[header]\nversion = { spoken = 256 }",
        "line 2: header.version: version 256 does not fit its field",
    ),
    (
        "[header]\ntransaction = { counts = \"payload\" }",
        "line 2: header.transaction.counts: there is no such key",
    ),
    (
        "[tlv]\ntype-width = 3",
        "line 2: tlv.type-width: TLV type is 3 bytes wide",
    ),
    (
        "[tlv]\nlength-counts = \"nothing\"",
        "line 2: tlv.length-counts: one of",
    ),
    (
        "[messages]\necho = 3",
        "line 2: messages.echo: there is no such key",
    ),
    (
        "[messages]\necho-request = false",
        "line 2: messages.echo-request: the message Echo Request has no number",
    ),
    (
        "[messages]\necho-request = 2",
        "line 2: messages.echo-request: 2 belongs to messages.echo-response, which has it built in",
    ),
    (
        "[messages]\necho-request = 200\necho-response = 200",
        "line 3: messages.echo-response: 200 belongs to messages.echo-request in line 2",
    ),
    (
        "[messages]\necho-request = 65536",
        "line 2: messages.echo-request: a number from 0 to 65535 is expected here",
    ),
    (
        "[elements]\nssid = \"x\"",
        "line 2: elements.ssid: a number from 0 to 65535 is expected here",
    ),
    (
        "[elements]\nssid = 0x1234\n[tlv]\ntype-width = 1",
        "line 2: elements.ssid: the TLV number 4660 of SSID does not fit its field",
    ),
    (
        "[services]\nrssi-ms = 64",
        "line 2: services.rssi-ms: a number from 0 to 63 is expected here",
    ),
    (
        "[services]\nrssi-ms = 1",
        "line 2: services.rssi-ms: 1 belongs to services.rssi-rfid, which has it built in",
    ),
    (
        "[services]\nrssi = 1",
        "line 2: services.rssi: there is no such key",
    ),
    ("name = \"a\"\nname = \"b\"", "line 2: "),
    ("[header", "line 1: "),
];

#[test]
fn a_file_is_refused_with_line_key_and_remedy() {
    for (text, expected) in REFUSED {
        let found = problems(text);
        assert!(
            found.iter().any(|problem| problem.starts_with(*expected)),
            "{text:?} gives {found:?}, expected {expected:?}"
        );
        oracle::profile_file(text);
    }
}

#[test]
fn all_problems_of_a_file_are_reported_in_the_order_of_its_lines() {
    let found = problems("[tlv]\ntype-width = 300\nwidth = 1\n[messages]\nnothing = 1\necho-request = -1");
    let lines: Vec<_> = found.iter().map(|problem| &problem[..6]).collect();
    assert_eq!(lines, ["line 2", "line 3", "line 5", "line 6"], "{found:?}");
}

proptest! {
    #[test]
    fn any_text_keeps_the_promises(text in "\\PC{0,80}") {
        oracle::profile_file(&text);
    }

    #[test]
    fn any_change_to_a_good_file_keeps_the_promises(position: u16, replacement in "[0-9a-z={}\"\\n\\[\\].# -]{0,6}", cut in 0_usize..6) {
        let at = usize::from(position) % FICTITIOUS.len();
        let (before, behind) = FICTITIOUS.split_at(at);
        let behind = behind.get(cut..).unwrap_or_default();
        oracle::profile_file(&format!("{before}{replacement}{behind}"));
    }

    #[test]
    fn any_header_that_is_accepted_keeps_every_byte(
        length in 8_u8..40, offsets: [u8; 4], widths in [1_u8..5, 1_u8..3, 2_u8..5, 1_u8..5],
        little: bool, everything: bool, seed: u64,
    ) {
        let order = if little { "little-endian" } else { "big-endian" };
        let counts = if everything { "everything" } else { "payload" };
        let place = |index: usize| format!("offset = {}, width = {}", offsets[index] % length, widths[index]);
        let text = format!(
            "byte-order = \"{order}\"\n[header]\nlength = {length}\nversion = {{ {} }}\nmessage-id = {{ {} }}\n\
             message-length = {{ {}, counts = \"{counts}\" }}\ntransaction = {{ {} }}\n",
            place(0), place(1), place(2), place(3),
        );
        oracle::profile_file(&text);
        if let Ok(profile) = WireProfile::from_toml(&text) {
            for kind in [MessageType::InformationNotification, MessageType::MeasurementNotification] {
                if let Some(bytes) = crate::generator::message(&profile, kind, seed) {
                    oracle::decode_encode_under(&profile, &bytes);
                }
            }
        }
    }
}
