//! Two connections in one simulated network: virtual clock, seeded delays, fragments down to single bytes, cuts.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

/// Sessions between two ends, step by step.
mod conversation;
/// `PROTOCOL.md` and the code.
mod document;
/// Goodbyes and other ends.
mod endings;
/// What one end does with what a peer with a mind of its own sends.
mod lone;
/// Connections lost at every byte, and clocks that jump.
mod lost;
/// Versions, offers and subscriptions that do not match.
mod mismatch;
/// The simulated network.
mod network;
/// Random sessions: whatever two applications and the network do, the promises hold.
mod random;
/// Requests and responses of every family.
mod requests;

use std::time::Instant;

use bytes::BytesMut;
use nmsp::proto::{CloseReason, Connection, ConnectionConfig, Event, Role};
use nmsp::wire::frame::{Header, encode_message};
use nmsp::wire::message::{Measurement, Timestamp};
use nmsp::wire::{MessageId, MessageType, OwnedMessage, Services, StationClass, WireProfile, Writer};
use pki_common::MacAddr;

/// Every service that has a name.
fn everything() -> Services {
    nmsp::wire::Service::ALL.iter().copied().collect()
}

/// A configuration that offers these services.
fn offering(services: Services) -> ConnectionConfig {
    ConnectionConfig {
        services,
        ..ConnectionConfig::default()
    }
}

fn lone(role: Role) -> (Connection, Instant) {
    let now = Instant::now();
    (Connection::new(ConnectionConfig::default(), role, now), now)
}

fn events_of(connection: &mut Connection) -> Vec<Event> {
    std::iter::from_fn(|| connection.poll_event()).collect()
}

fn close_reason(events: &[Event]) -> Option<&CloseReason> {
    events.iter().find_map(|event| match event {
        Event::Closed(reason) => Some(reason),
        _ => None,
    })
}

/// A Measurement Notification's body.
fn measurements(stations: u8) -> Vec<u8> {
    let mut out = BytesMut::new();
    for last in 0..stations {
        let measurement = Measurement {
            station: MacAddr::from([2, 0, 0, 0, 0, last]),
            class: StationClass::CLIENT,
            timestamp: Timestamp(1_000 + u64::from(last)),
            ..Measurement::default()
        };
        measurement
            .encode(&mut Writer::new(&mut out, WireProfile::built_in()))
            .unwrap();
    }
    out.to_vec()
}

/// What a peer with a mind of its own sends: a whole message with any id, transaction and body.
fn raw_with(id: u16, transaction: u32, body: &[u8]) -> Vec<u8> {
    let (header, profile) = (Header::new(MessageId(id), transaction), WireProfile::built_in());
    let mut out = BytesMut::new();
    encode_message(header, profile, &mut out, |w| {
        w.bytes(body);
        Ok(())
    })
    .unwrap();
    out.to_vec()
}

fn raw(id: u16, body: &[u8]) -> Vec<u8> {
    raw_with(id, 99, body)
}

/// A whole message in the form of the wire.
fn encoded(transaction: u32, message: &OwnedMessage) -> Vec<u8> {
    let mut out = BytesMut::new();
    message
        .encode(transaction, WireProfile::built_in(), &mut out)
        .unwrap();
    out.to_vec()
}

/// One message of every family, as `testdata/messages.jsonl` has them.
fn examples() -> Vec<OwnedMessage> {
    include_str!("../../testdata/messages.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn example(message: MessageType) -> OwnedMessage {
    let is_wanted = |example: &OwnedMessage| example.message_type() == Some(message);
    examples().into_iter().find(is_wanted).unwrap()
}

/// What a connection has to send, as messages with their transactions.
fn sent(connection: &mut Connection) -> Vec<(u32, OwnedMessage)> {
    let (mut out, profile) = (BytesMut::new(), WireProfile::built_in());
    connection.poll_transmit(&mut out);
    let (mut rest, mut messages) = (&out[..], Vec::new());
    while let Some((frame, length)) = nmsp::wire::Frame::cut(profile, usize::MAX, rest).unwrap() {
        let message = OwnedMessage::decode(&frame, profile).unwrap();
        messages.push((frame.header.transaction, message));
        rest = &rest[length..];
    }
    assert!(rest.is_empty(), "only whole messages are sent");
    messages
}
