//! The Wireshark dissector, by its structure; `tshark` itself is asked if it is installed.

use std::process::Command;

use crate::peers;
use nmsp::wire::{MessageType, WireProfile, dissector, oracle};

#[test]
fn the_script_knows_every_message_and_element_of_the_profile() {
    for profile in oracle::profiles() {
        let script = dissector::lua(profile);
        let definition = profile.definition();
        for entry in &definition.messages {
            let line = format!("  [{}] = \"{}\",\n", entry.number, entry.message.name());
            assert!(script.contains(&line), "{line}");
        }
        for entry in &definition.elements {
            let line = format!("  [{}] = {{ name = \"{}\",", entry.number, entry.element.name());
            assert!(script.contains(&line), "{line}");
        }
        let count = |letter| script.matches(letter).count();
        assert_eq!(count('{'), count('}'));
        assert_eq!(count('('), count(')'));
    }
}

#[test]
fn the_script_says_where_the_profile_has_its_header() {
    let profile = WireProfile::from_toml(include_str!("../../examples/fictitious.toml")).unwrap();
    let script = dissector::lua(&profile);
    for line in [
        "local LITTLE_ENDIAN = true",
        "local HEADER = { length = 16, counts_everything = false, version_spoken = 3,",
        "  message_id = { offset = 4, width = 2 },",
        "local TLV = { type_width = 1, length_width = 3, counts_everything = true }",
    ] {
        assert!(script.contains(line), "{line} in\n{script}");
    }
}

/// Messages over plain TCP, decoded as NMSP by the script: every message by its name, nothing malformed.
#[test]
fn tshark_names_every_message_and_finds_nothing_malformed() {
    let Some(tshark) = peers::find_or_skip("tshark") else {
        return;
    };
    for profile in oracle::profiles() {
        let folder = tempfile::tempdir().unwrap();
        let (script, capture) = (folder.path().join("nmsp.lua"), folder.path().join("nmsp.pcap"));
        std::fs::write(&script, dissector::lua(profile)).unwrap();
        let mut expected = Vec::new();
        let mut stream = Vec::new();
        for kind in MessageType::ALL {
            if let Some(message) = crate::generator::message(profile, *kind, 5) {
                expected.push(kind.name());
                stream.push(message);
            }
        }
        std::fs::write(&capture, pcap(&stream)).unwrap();
        let output = Command::new(&tshark)
            .args(["-r", capture.to_str().unwrap(), "-X"])
            .arg(format!("lua_script:{}", script.display()))
            .args(["-d", "tcp.port==4000,nmsp", "-V"])
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !errors.contains("Lua"), "{errors}");
        for name in expected {
            let line = format!("Network Mobility Services Protocol, {name}");
            assert!(shown.contains(&line), "{line} is missing: {errors}\n{shown}");
        }
        assert!(
            !shown.contains("Malformed") && !shown.contains("Lua Error"),
            "{shown}"
        );
    }
}

/// A capture of one TCP stream, one message a packet.
fn pcap(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(0xa1b2_c3d4_u32.to_le_bytes());
    out.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.extend(65_535_u32.to_le_bytes());
    // Link type: raw IP.
    out.extend(101_u32.to_le_bytes());
    let mut sequence = 1_u32;
    for message in messages {
        let length = u16::try_from(40 + message.len()).unwrap();
        let mut packet = vec![0x45, 0];
        packet.extend(length.to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        packet.extend(4000_u16.to_be_bytes());
        packet.extend(4001_u16.to_be_bytes());
        packet.extend(sequence.to_be_bytes());
        packet.extend([0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
        packet.extend(message);
        sequence += u32::try_from(message.len()).unwrap();
        out.extend([0; 8]);
        let length = u32::from(length).to_le_bytes();
        out.extend(length);
        out.extend(length);
        out.extend(packet);
    }
    out
}
