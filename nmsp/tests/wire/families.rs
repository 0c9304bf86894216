//! Every family under several profiles: random bodies made from the schema, and the same damaged.

use nmsp::wire::message::{EncodedMeasurement, write_encoded_measurements, write_measurement};
use nmsp::wire::{
    AccessPointReading, DEFAULT_MAX_MESSAGE_LENGTH, Element, Frame, Measurement, Message, MessageType,
    OwnedMessage, WireProfile, Writer, oracle,
};
use proptest::prelude::*;

use crate::generator::{self, Random};

/// One message of every family in JSON, as an application would build it.
const EXAMPLES: &str = include_str!("../../testdata/messages.jsonl");

fn examples() -> Vec<OwnedMessage> {
    EXAMPLES
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn every_type() -> impl Strategy<Value = MessageType> {
    proptest::sample::select(MessageType::ALL)
}

#[test]
fn there_is_an_example_of_every_message() {
    let types: Vec<_> = examples().iter().filter_map(OwnedMessage::message_type).collect();
    assert_eq!(types, MessageType::ALL);
}

#[test]
fn the_examples_survive_the_wire_and_json() {
    for profile in oracle::profiles() {
        for (example, line) in examples().iter().zip(EXAMPLES.lines()) {
            let mut out = bytes::BytesMut::new();
            let name = &profile.definition().name;
            if let Err(error) = example.encode(9, profile, &mut out) {
                assert!(error.to_string().contains("no number"), "{name}: {error}");
                continue;
            }
            oracle::decode_encode_under(profile, &out);
            let (frame, _) = Frame::cut(profile, DEFAULT_MAX_MESSAGE_LENGTH, &out)
                .unwrap()
                .unwrap();
            assert_eq!(
                OwnedMessage::decode(&frame, profile).as_ref(),
                Ok(example),
                "{name}"
            );
            let written: serde_json::Value = serde_json::to_value(example).unwrap();
            let given: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(written, given, "the JSON form says everything and nothing more");
        }
    }
}

#[test]
fn the_examples_use_every_field_of_every_element_at_least_once() {
    let profile = WireProfile::built_in();
    let mut seen = std::collections::BTreeSet::new();
    for example in examples() {
        let mut out = bytes::BytesMut::new();
        example.encode(9, profile, &mut out).unwrap();
        for part in nmsp::wire::describe::describe(profile, &out) {
            assert!(!part.malformed, "{part:?}");
            seen.insert(part.name);
        }
    }
    for element in Element::ALL {
        assert!(
            seen.contains(element.name()),
            "no example has the element {element}"
        );
    }
}

#[test]
fn every_cut_and_every_changed_byte_of_the_examples_keeps_the_promises() {
    let profile = WireProfile::built_in();
    for example in examples() {
        let mut out = bytes::BytesMut::new();
        example.encode(9, profile, &mut out).unwrap();
        for position in 12..out.len() {
            let mut cut = out[..position].to_vec();
            cut[4..8].copy_from_slice(&u32::try_from(position).unwrap().to_be_bytes());
            check(profile, &cut);
            for change in [1, 0x80] {
                let mut changed = out.to_vec();
                changed[position] ^= change;
                check(profile, &changed);
            }
        }
    }
}

/// One message, without feeding it byte by byte.
fn check(profile: &WireProfile, bytes: &[u8]) {
    let Ok(Some((frame, length))) = Frame::cut(profile, DEFAULT_MAX_MESSAGE_LENGTH, bytes) else {
        return;
    };
    let bytes = &bytes[..length];
    oracle::message(profile, &frame, bytes);
    if let Ok(message) = Message::decode(&frame, profile) {
        let mut again = bytes::BytesMut::new();
        message.encode(frame.header, profile, &mut again).unwrap();
        assert_eq!(again, bytes);
    }
}

/// The shortcuts of measurements against the code that all bodies share.
#[test]
fn a_measurement_is_written_the_same_in_all_three_ways() {
    let examples = examples();
    let Some(OwnedMessage::MeasurementNotification(body)) = examples
        .iter()
        .find(|example| example.message_type() == Some(MessageType::MeasurementNotification))
    else {
        panic!("an example is missing")
    };
    for profile in oracle::profiles() {
        for station in &body.stations {
            let station = Measurement {
                state: None,
                ..station.clone()
            };
            let written = |write: &dyn Fn(&mut Writer<'_>)| {
                let mut out = bytes::BytesMut::new();
                write(&mut Writer::new(&mut out, profile));
                out
            };
            let general = written(&|writer| writer.element(Element::STATION_MEASUREMENT, &station).unwrap());
            let (mac, class, time) = (station.station, station.class, station.timestamp);
            let direct = written(&|writer| {
                write_measurement(writer, mac, class, time, &station.access_points).unwrap();
            });
            let encoded: Vec<_> = station
                .access_points
                .iter()
                .map(AccessPointReading::to_bytes)
                .collect();
            let copied = written(&|writer| {
                let station = EncodedMeasurement {
                    station: mac,
                    class,
                    timestamp: time,
                    readings: &encoded,
                };
                write_encoded_measurements(writer, [station, station].into_iter()).unwrap();
            });
            assert_eq!(direct, general);
            assert_eq!(copied, [&general[..], &general[..]].concat());
        }
    }
}

proptest! {
    #[test]
    fn any_body_of_any_family_survives_under_every_profile(kind in every_type(), seed: u64) {
        for profile in oracle::profiles() {
            let Some(bytes) = generator::message(profile, kind, seed) else { continue };
            let (frame, _) = Frame::cut(profile, DEFAULT_MAX_MESSAGE_LENGTH, &bytes).unwrap().unwrap();
            let message = Message::decode(&frame, profile).unwrap();
            prop_assert_eq!(message.message_type(), Some(kind));
            oracle::decode_encode_under(profile, &bytes);
        }
    }

    #[test]
    fn any_damage_to_any_family_keeps_the_promises(
        kind in every_type(), seed: u64, damage in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..8),
    ) {
        for profile in oracle::profiles() {
            let Some(mut bytes) = generator::message(profile, kind, seed) else { continue };
            let header = usize::from(profile.definition().header.length);
            let body = bytes.len() - header;
            if body == 0 { continue }
            for (position, value) in &damage {
                let small = u8::try_from(Random::new((*value).into()).below(6)).unwrap();
                bytes[header + usize::from(*position) % body] = if value % 2 == 0 { *value } else { small };
            }
            check(profile, &bytes);
        }
    }
}
