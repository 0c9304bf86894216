//! TCP and TLS below the messages.

use super::draft::{Draft, Values};
use super::talk::Talk;
use crate::device_fuzz::case::{Hex, Step};
use crate::device_fuzz::grammar::tls;

fn a_message(talk: &mut Talk<'_>) -> Vec<u8> {
    let (_, draft) = talk.own_message(Values::Ordinary);
    draft.bytes(talk.profile)
}

fn send(talk: &mut Talk<'_>, records: Vec<Vec<u8>>, segments: Vec<usize>, stall_milliseconds: u64) {
    talk.script.push(Step::Send {
        records: records.into_iter().map(Hex).collect(),
        segments,
        stall_milliseconds,
    });
}

/// The bytes of a record, each in a TCP segment of its own.
pub(super) fn byte_by_byte(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let mut message = a_message(talk);
    // With the overhead of TLS this is every byte.
    message.truncate(300);
    let segments = vec![1; message.len() + 29];
    send(talk, vec![message], segments, 0);
    talk.ask_for_life();
    String::new()
}

/// Records cut into TCP segments anywhere.
pub(super) fn segments(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let records: Vec<Vec<u8>> = (0..3).map(|_| a_message(talk)).collect();
    let sizes: Vec<usize> = (0..6).map(|_| talk.random.usize(1..60)).collect();
    let detail = format!("{sizes:?}");
    send(talk, records, sizes, 2);
    talk.ask_for_life();
    detail
}

/// A wait between the segments of one record, or between the records of one message.
pub(super) fn stall(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, stall) = (a_message(talk), talk.stall());
    let half = message.len() / 2;
    let within_record = talk.random.bool();
    if within_record {
        send(talk, vec![message], vec![half], stall);
    } else {
        let (first, rest) = message.split_at(half);
        let (first, rest) = (first.to_vec(), rest.to_vec());
        talk.say(first);
        talk.pause(stall);
        talk.say(rest);
    }
    talk.ask_for_life();
    let what = if within_record { "record" } else { "message" };
    format!("{stall} ms within a {what}")
}

/// The end of the connection within a message: in good order, by half, or by force.
pub(super) fn closed(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let mut message = a_message(talk);
    let kept = talk.random.usize(0..message.len().max(1));
    message.truncate(kept);
    talk.say(message);
    let (end, name) = match talk.random.u8(0..3) {
        0 => (Step::Close, "closed"),
        1 => (Step::HalfClose, "half-closed"),
        _ => (Step::Reset, "reset"),
    };
    talk.script.push(end);
    format!("{name} after {kept} bytes")
}

/// Bytes that are no TLS at all.
pub(super) fn no_tls(talk: &mut Talk<'_>) -> String {
    talk.open_tcp();
    let (bytes, name) = match talk.random.u8(0..5) {
        0 => (b"GET / HTTP/1.1\r\nHost: device\r\n\r\n".to_vec(), "HTTP"),
        1 => (a_message(talk), "NMSP in the clear"),
        2 => (b"SSH-2.0-tester\r\n".to_vec(), "SSH"),
        3 => (vec![0; 64], "zeros"),
        _ => (super::draft::bytes(&mut talk.random, 200), "chance"),
    };
    talk.script.push(Step::send_raw(bytes));
    name.to_owned()
}

/// A part of a handshake, and then a wait.
pub(super) fn half_handshake(talk: &mut Talk<'_>) -> String {
    talk.open_tcp();
    let mut hello = tls::client_hello(&mut talk.random);
    let kept = talk.random.usize(1..hello.len());
    hello.truncate(kept);
    talk.script.push(Step::send_raw(hello));
    let stall = talk.stall();
    talk.pause(stall);
    format!("{kept} bytes of it")
}

/// A hello in which something is wrong.
pub(super) fn broken_handshake(talk: &mut Talk<'_>) -> String {
    talk.open_tcp();
    let (bytes, detail) = tls::broken_hello(&mut talk.random);
    talk.script.push(Step::send_raw(bytes));
    detail
}

/// A record that is none, within a connection that is up.
pub(super) fn broken_record(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (bytes, detail) = tls::broken_record(&mut talk.random);
    talk.script.push(Step::send_raw(bytes));
    detail
}

/// Every byte of a message in a TLS record of its own.
pub(super) fn record_for_each_byte(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let mut message = a_message(talk);
    message.truncate(300);
    send(
        talk,
        message.into_iter().map(|byte| vec![byte]).collect(),
        Vec::new(),
        0,
    );
    talk.ask_for_life();
    String::new()
}

/// Many messages in one record.
pub(super) fn joined(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let mut all = Vec::new();
    for _ in 0..talk.random.usize(2..40) {
        let message = match talk.random.u8(0..3) {
            0 => a_message(talk),
            1 => talk.echo(),
            _ => Draft::new(talk.random.u16(0..160), 1).bytes(talk.profile),
        };
        all.extend(message);
    }
    all.truncate(16_000);
    talk.say(all);
    talk.ask_for_life();
    String::new()
}

/// Messages over records that end anywhere.
pub(super) fn odd_records(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let mut all: Vec<u8> = (0..4).flat_map(|_| a_message(talk)).collect();
    all.truncate(16_000);
    let mut records = Vec::new();
    let mut rest = all.as_slice();
    while !rest.is_empty() {
        let (record, others) = rest.split_at(talk.random.usize(1..=rest.len().min(400)));
        records.push(record.to_vec());
        rest = others;
    }
    let detail = format!("{} records", records.len());
    send(talk, records, Vec::new(), 0);
    talk.ask_for_life();
    detail
}
