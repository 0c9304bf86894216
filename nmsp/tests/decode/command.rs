//! `nmsp decode` as a person uses it.

use std::io::Write as _;
use std::process::Stdio;

use crate::lab::{at, echo, expect, nmsp};
use crate::pcap::{From, pcap};

#[test]
fn prints_every_field_of_hexadecimal_text_with_its_offset() {
    let mut child = nmsp(&["decode"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let text = "00000000: 0100 0001 0000 000c 0000 0007 0100 0002  ................\n00000010: 0000 000c 0000 0008                      ........\n";
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let expected = "\
byte 0: Echo Request (1), 12 bytes
  0000  01                   version: 1
  0001  00                   unused header byte: 0
  0002  0001                 message id: 1 (Echo Request)
  0004  0000000c             message length: 12 bytes
  0008  00000007             transaction: 7
byte 12: Echo Response (2), 12 bytes
  0000  01                   version: 1
  0001  00                   unused header byte: 0
  0002  0002                 message id: 2 (Echo Response)
  0004  0000000c             message length: 12 bytes
  0008  00000008             transaction: 8
";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn json_has_values_parts_and_place_of_each_message_of_a_capture() {
    let folder = tempfile::tempdir().unwrap();
    let file = at(folder.path(), "session.pcap");
    let log = [(From::LocationServer, echo(1, 7)), (From::Controller, echo(2, 7))];
    std::fs::write(&file, pcap(&log, 5, false)).unwrap();
    let (out, _) = expect(0, &["decode", &file, "--json"]);
    let lines: Vec<serde_json::Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3, "{out}");
    assert_eq!(lines[0]["location-server"], "192.0.2.1:40000");
    let request = &lines[1];
    // Two SYNs and three segments.
    assert_eq!(
        (request["packet"].as_u64(), request["connection"].as_u64()),
        (Some(5), Some(1))
    );
    assert_eq!(request["time"], "2015-06-06T17:47:53.004000Z");
    assert_eq!(request["direction"], "to-controller");
    assert_eq!(request["name"], "Echo Request");
    assert_eq!(request["decoded"]["message"], "echo-request");
    assert_eq!(request["bytes"], "01000001".to_owned() + "0000000c00000007");
    assert_eq!(request["parts"][5]["name"], "transaction");
    assert_eq!(lines[2]["direction"], "to-location-server");
    // Only what was asked for.
    let (out, _) = expect(0, &["decode", &file, "--json", "--message", "echo-response"]);
    assert_eq!(
        out.lines().filter(|line| line.contains("\"name\"")).count(),
        1,
        "{out}"
    );
    let (out, _) = expect(0, &["decode", &file, "--connection", "2"]);
    assert_eq!(out, "");
    let (out, _) = expect(0, &["decode", &file, "--port", "1"]);
    assert_eq!(out, "");
    expect(2, &["decode", &file, "--message", "nonsense"]);
}

#[test]
fn goes_on_behind_what_is_malformed_and_fails_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = at(folder.path(), "messages.bin");
    let mut other_version = echo(1, 8);
    other_version[0] = 5;
    // A body that ends in the middle of an element, between two good messages; and half a message.
    let broken = [&[1, 0, 0, 15, 0, 0, 0, 15, 0, 0, 0, 9][..], &[0, 1, 0]].concat();
    let stream = [
        echo(1, 7),
        other_version,
        broken,
        echo(2, 7),
        echo(2, 8)[..9].to_vec(),
    ]
    .concat();
    std::fs::write(&file, stream).unwrap();
    let (out, err) = expect(1, &["decode", &file]);
    for text in [
        "byte 0: Echo Request (1), 12 bytes",
        "problem: byte 0 (version): protocol version 5, this profile speaks version 1 in the message at byte 12",
        "byte 24: Measurement Notification (15), 15 bytes",
        "malformed: byte 14 (TLV length)",
        "byte 39: Echo Response (2), 12 bytes",
        "problem: the direction ends 9 bytes into a message",
        "byte 51: incomplete message",
    ] {
        assert!(out.contains(text), "{text} is not in\n{out}");
    }
    assert!(
        err.contains("4 messages, of which 2 are malformed; 2 other problems"),
        "{err}"
    );
}

#[test]
fn says_what_is_wrong_with_its_input() {
    let folder = tempfile::tempdir().unwrap();
    let file = at(folder.path(), "input.txt");
    std::fs::write(&file, "01 00\n01 0g\n").unwrap();
    let (_, err) = expect(1, &["decode", &file]);
    assert!(
        err.contains("input.txt line 2: 'g' is no hexadecimal digit"),
        "{err}"
    );
    let (_, err) = expect(1, &["decode", &file, "--format", "capture"]);
    assert!(err.contains("neither pcap nor pcapng"), "{err}");
    expect(1, &["decode", &at(folder.path(), "nothing")]);
}

#[test]
fn packets_as_tcpdump_prints_them_are_put_together() {
    let folder = tempfile::tempdir().unwrap();
    let capture = pcap(&[(From::LocationServer, echo(1, 7))], 7, false);
    // The packets behind the head of the file, as dumps.
    let (mut rest, mut text) = (&capture[24..], String::new());
    while let Some(length) = rest.get(8..12) {
        let length = usize::try_from(u32::from_le_bytes(length.try_into().unwrap())).unwrap();
        text.push_str("07:45:00.000001 IP 192.0.2.1.40000 > 192.0.2.2.16113: Flags [P.]\n");
        for (row, bytes) in (0..).step_by(16).zip(rest[16..16 + length].chunks(16)) {
            let digits: Vec<String> = bytes.chunks(2).map(hex::encode).collect();
            text.push_str(&format!(
                "\t0x{row:04x}:  {:<39}  ................\n",
                digits.join(" ")
            ));
        }
        rest = &rest[16 + length..];
    }
    let file = at(folder.path(), "dump.txt");
    std::fs::write(&file, text).unwrap();
    let (out, _) = expect(0, &["decode", &file]);
    assert!(
        out.contains("#1 to the controller, packet 4, byte 0: Echo Request (1), 12 bytes"),
        "{out}"
    );
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (script, _) = expect(0, &["completions", shell]);
        for command in ["decode", "record", "replay", "serve", "connect"] {
            assert!(script.contains(command), "{shell} {command}");
        }
    }
    expect(2, &["completions", "nonsense"]);
}

#[test]
fn configuration_files_are_checked_with_everything_that_they_name() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    crate::lab::prepare(folder);
    let file = at(folder, "serve.toml");
    let (out, _) = expect(0, &["config", "check", &file]);
    for text in [
        "serve.toml: can be used",
        "listen    127.0.0.1:0",
        "identity  00:3a:7d:00:00:01",
    ] {
        assert!(out.contains(text), "{text} is not in {out}");
    }
    // Two files are missing: both are told, with line and key.
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        good.replace("controller/key.pem", "no-key")
            .replace("servers.txt", "no-list"),
    )
    .unwrap();
    let (_, err) = expect(1, &["config", "check", &file]);
    for text in ["serve.toml line 3, key: ", "serve.toml line 5, file: "] {
        assert!(err.contains(text), "{text} is not in {err}");
    }
    std::fs::write(&file, good.replace("listen", "listem")).unwrap();
    let (_, err) = expect(1, &["config", "check", &file]);
    assert!(err.contains("line 1") && err.contains("listem"), "{err}");
    let connect = at(folder, "connect.toml");
    let text = "controller = [\"192.0.2.1\"]\ncertificate = \"server/certificate.pem\"\nkey = \"server/key.pem\"\n\
        controller-authlist = \"controllers.txt\"\n";
    std::fs::write(&connect, text).unwrap();
    let (out, _) = expect(0, &["config", "check", &connect]);
    assert!(
        out.contains("command   nmsp connect\nto        192.0.2.1\n"),
        "{out}"
    );
    std::fs::write(&connect, text.replace("controllers.txt", "nothing.txt")).unwrap();
    let (_, err) = expect(1, &["config", "check", &connect]);
    assert!(
        err.contains("connect.toml line 4, controller-authlist: "),
        "{err}"
    );
}
