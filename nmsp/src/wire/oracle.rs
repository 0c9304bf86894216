//! What must hold for any bytes whatever. Fuzz targets and tests call these functions; a violation panics.

use std::sync::LazyLock;

use bytes::BytesMut;

use super::describe;
use super::elements::{AccessPointReading, Measurement};
use super::error::{DecodeError, EncodeError};
use super::frame::{DEFAULT_MAX_MESSAGE_LENGTH, Frame, FrameBuffer};
use super::message::{
    EncodedMeasurement, MeasurementNotification, Message, OwnedMessage, write_encoded_measurements,
};
use super::profile::WireProfile;
use super::schema::Element;
use super::writer::Writer;

/// The profiles that the promises are tried under: the built-in one and some that differ in everything a profile can say.
#[must_use]
pub fn profiles() -> &'static [WireProfile] {
    static PROFILES: LazyLock<Vec<WireProfile>> = LazyLock::new(|| {
        const NARROW: &str = "[tlv]\ntype-width = 1\nlength-width = 2\n[messages]\nap-info-notification = false\n\
                              [elements]\nssid = 0x10\nstation-measurement = 0x20\nvlan = false";
        const WIDE: &str = "byte-order = \"little-endian\"\n[tlv]\nlength-width = 4\nlength-counts = \"everything\"\n\
                            [elements]\nlocation = 0x1234\n[services]\nrssi-ms = 63";
        ["", include_str!("../../examples/fictitious.toml"), NARROW, WIDE]
            .into_iter()
            .map(|text| WireProfile::from_toml(text).expect("these profiles are valid, a test reads them"))
            .collect()
    });
    &PROFILES
}

/// Runs [`decode_encode_under`] with each of the [`profiles`].
///
/// # Panics
/// If one of the promises is broken.
pub fn decode_encode(bytes: &[u8]) {
    for profile in profiles() {
        decode_encode_under(profile, bytes);
        let shown = describe::describe_stream(profile, DEFAULT_MAX_MESSAGE_LENGTH, bytes);
        let leaves = shown.iter().flat_map(|(_, parts)| parts).filter(|part| part.leaf);
        let covered: usize = leaves.map(|part| part.bytes.len()).sum();
        assert_eq!(covered, bytes.len(), "the parts of a stream must cover it");
    }
}

/// Takes the bytes as a stream. Every accepted message, encoded again from its decoded values, must give the same bytes;
/// and the stream must give the same messages and the same error in one piece and byte by byte.
///
/// # Panics
/// If one of these promises is broken, or one of those of [`message`].
pub fn decode_encode_under(profile: &WireProfile, bytes: &[u8]) {
    let (whole, whole_error) = in_one_piece(profile, bytes);
    let (single, single_error) = byte_by_byte(profile, bytes);
    assert_eq!(
        whole, single,
        "the same stream must give the same messages however it arrives"
    );
    assert_eq!(
        whole_error, single_error,
        "the same stream must give the same error however it arrives"
    );
}

/// What must hold for one message, accepted or not: taking it apart covers every byte once; its values are read with the
/// same result whether it is checked first or read at once, and survive a second trip.
///
/// # Panics
/// If one of these promises is broken.
pub fn message(profile: &WireProfile, frame: &Frame<'_>, bytes: &[u8]) {
    let mut covered = Vec::new();
    for part in describe::describe(profile, bytes) {
        if part.leaf {
            assert_eq!(
                part.offset,
                covered.len(),
                "{part:?} must follow the part before it"
            );
            covered.extend_from_slice(part.bytes);
        }
    }
    assert_eq!(covered, bytes, "the parts of a message must cover it");

    let checked = Message::decode(frame, profile).and_then(|message| message.to_owned());
    let direct = OwnedMessage::decode(frame, profile);
    assert_eq!(checked, direct, "checking and reading must agree");
    let Ok(owned) = checked else { return };
    if let (Ok(Message::MeasurementNotification(view)), OwnedMessage::MeasurementNotification(owned)) =
        (Message::decode(frame, profile), &owned)
    {
        measurements(profile, &view, &owned.stations);
    }
    let mut out = BytesMut::new();
    // What was received may be written shorter, never longer, so it fits the fields again.
    owned
        .encode(frame.header.transaction, profile, &mut out)
        .expect("values that were read can be written");
    let (again, length) = Frame::cut(profile, usize::MAX, &out)
        .expect("our own message")
        .expect("a whole message");
    assert_eq!(length, out.len());
    assert_eq!(
        OwnedMessage::decode(&again, profile),
        Ok(owned),
        "values must survive"
    );
}

/// Stations that are visited without a copy are those of the values; and written from either form they are the same bytes,
/// by the shortcuts and by the general code.
fn measurements(profile: &WireProfile, view: &MeasurementNotification<'_>, owned: &[Measurement]) {
    let visited: Vec<Measurement> = view.stations().map(|station| station.to_owned()).collect();
    assert_eq!(
        visited, owned,
        "the stations that are visited are those that are read"
    );
    let written = |write: &dyn Fn(&mut Writer<'_>) -> Result<(), EncodeError>| {
        let mut out = BytesMut::new();
        write(&mut Writer::new(&mut out, profile)).map(|()| out)
    };
    let without_state = owned.iter().all(|station| station.state.is_none());
    let one_by_one = written(&|writer| owned.iter().try_for_each(|station| station.encode(writer)));
    let general = written(&|writer| {
        let mut stations = owned.iter();
        stations.try_for_each(|station| writer.element(Element::STATION_MEASUREMENT, station))
    });
    assert_eq!(one_by_one, general, "a shortcut writes something else");
    if without_state {
        // What is reserved in a reading is not part of its values.
        let readings = |station: &Measurement| -> Vec<_> {
            station
                .access_points
                .iter()
                .map(AccessPointReading::to_bytes)
                .collect()
        };
        let readings: Vec<_> = owned.iter().map(readings).collect();
        let encoded = owned
            .iter()
            .zip(&readings)
            .map(|(station, readings)| EncodedMeasurement {
                station: station.station,
                class: station.class,
                timestamp: station.timestamp,
                readings,
            });
        let in_one_block = written(&|writer| write_encoded_measurements(writer, encoded.clone()));
        assert_eq!(in_one_block, general, "a block is something else");
    }
}

/// A text as a profile file. A profile that is accepted must be written as a file that reads as the same profile, and keep
/// the promises of decoding; one that is refused must say where and what to do.
///
/// # Panics
/// If one of these promises is broken.
pub fn profile_file(text: &str) {
    let profile = match WireProfile::from_toml(text) {
        Ok(profile) => profile,
        Err(error) => {
            let lines = text.matches('\n').count() + 1;
            assert!(!error.problems.is_empty());
            for problem in &error.problems {
                assert!(problem.line <= lines, "{problem:?} is beyond the file");
                assert!(!problem.problem.is_empty() && !problem.remedy.is_empty());
            }
            return;
        }
    };
    let written = profile.to_toml();
    let again = WireProfile::from_toml(&written).expect("a profile that was written can be read");
    let values = |text: &str| -> Vec<String> {
        let without_comment = |line: &str| line.split(" #").next().unwrap_or_default().to_owned();
        text.lines()
            .filter(|line| !line.starts_with("name"))
            .map(without_comment)
            .collect()
    };
    assert_eq!(values(&again.to_toml()), values(&written));
    assert_eq!(again.definition().name, profile.definition().name);
    decode_encode_under(&profile, &[0; 80]);
    let mut out = BytesMut::new();
    if OwnedMessage::EchoRequest(super::message::Echo::default())
        .encode(7, &profile, &mut out)
        .is_ok()
    {
        decode_encode_under(&profile, &out);
    }
}

/// The messages of a stream, each encoded again, up to the first error.
fn in_one_piece(profile: &WireProfile, mut bytes: &[u8]) -> (Vec<Vec<u8>>, Option<DecodeError>) {
    let mut messages = Vec::new();
    loop {
        match Frame::cut(profile, DEFAULT_MAX_MESSAGE_LENGTH, bytes) {
            Ok(Some((frame, length))) => {
                let (whole, rest) = bytes.split_at(length);
                message(profile, &frame, whole);
                match encode_again(profile, &frame) {
                    Ok(encoded) => {
                        assert_eq!(encoded, whole, "an accepted message must survive byte for byte");
                        messages.push(encoded);
                    }
                    Err(error) => return (messages, Some(error)),
                }
                bytes = rest;
            }
            Ok(None) => return (messages, None),
            Err(error) => return (messages, Some(error)),
        }
    }
}

fn byte_by_byte(profile: &WireProfile, bytes: &[u8]) -> (Vec<Vec<u8>>, Option<DecodeError>) {
    let (mut messages, mut buffer) = (Vec::new(), FrameBuffer::default());
    for byte in bytes {
        buffer.extend(&[*byte]);
        match buffer.next_frame(profile, DEFAULT_MAX_MESSAGE_LENGTH) {
            Ok(None) => {}
            Ok(Some(frame)) => match encode_again(profile, &frame.borrow()) {
                Ok(encoded) => messages.push(encoded),
                Err(error) => return (messages, Some(error)),
            },
            Err(error) => return (messages, Some(error)),
        }
    }
    (messages, None)
}

fn encode_again(profile: &WireProfile, frame: &Frame<'_>) -> Result<Vec<u8>, DecodeError> {
    let message = Message::decode(frame, profile)?;
    let mut out = BytesMut::new();
    message
        .encode(frame.header, profile, &mut out)
        .expect("a decoded message fits the fields it was decoded from");
    Ok(out.to_vec())
}
