//! All messages × {round trip, cut at every byte, every inner length corrupted, one byte at a time}, random bytes,
//! and known-answer vectors of the built-in profile.

use bytes::BytesMut;
use nmsp::wire::frame::{Header, encode_message};
use nmsp::wire::message::{
    AccessPointReading, Capability, Measurement, ServiceSubscribeRequest, ServiceSubscribeResponse,
    SubscribeOutcome, Timestamp,
};
use nmsp::wire::numbers::{Band, StationClass, StationState, SubscribeStatus};
use nmsp::wire::profile::{ByteOrder, LengthCounts};
use nmsp::wire::{
    DEFAULT_MAX_MESSAGE_LENGTH, DecodeError, DecodeErrorKind, EncodeError, Frame, FrameBuffer, Message,
    MessageId, MessageType, Services, TlvType, WireProfile, Writer, oracle,
};
use pki_common::MacAddr;
use proptest::prelude::*;

fn measurement() -> Measurement {
    let reading = |last, rssi_dbm, channel| AccessPointReading {
        access_point: MacAddr::from([0x00, 0x3a, 0x7d, 0, 0, last]),
        rssi_dbm,
        band: Band::GHZ_5,
        channel,
        snr_db: None,
        antenna: None,
    };
    Measurement {
        station: MacAddr::from([0x00, 0x50, 0x56, 0x9c, 0x34, 0x89]),
        class: StationClass::CLIENT,
        timestamp: Timestamp(1_433_612_873_000),
        access_points: vec![
            AccessPointReading {
                snr_db: Some(31),
                antenna: Some(1),
                ..reading(1, -58, 36)
            },
            reading(2, -71, 149),
        ],
        state: None,
    }
}

fn subscribe(services: Services) -> ServiceSubscribeRequest {
    ServiceSubscribeRequest {
        services,
        ..ServiceSubscribeRequest::default()
    }
}

fn message(
    profile: &WireProfile,
    kind: MessageType,
    body: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode_message(
        Header::new(profile.message_id(kind).unwrap(), 7),
        profile,
        &mut out,
        body,
    )
    .unwrap();
    out.to_vec()
}

/// One message of every family; bodies with unknown elements in front, between and behind.
fn every_message(profile: &WireProfile) -> Vec<(&'static str, Vec<u8>)> {
    let unknown = [0x7f, 0x01, 0x00, 0x03, 1, 2, 3];
    let capability = Capability {
        version: 1,
        services: Services::MEASUREMENTS | Services(1 << 50),
        ..Capability::default()
    };
    let outcome = SubscribeOutcome::of(Services::RSSI_MS | Services::WIPS, Services::MEASUREMENTS);
    let measured = measurement();
    vec![
        (
            "echo request",
            message(profile, MessageType::EchoRequest, |_| Ok(())),
        ),
        (
            "echo response with an unknown element",
            message(profile, MessageType::EchoResponse, |w| {
                w.bytes(&unknown);
                Ok(())
            }),
        ),
        (
            "capability",
            message(profile, MessageType::CapabilityNotification, |w| {
                w.bytes(&unknown);
                capability.encode(w)
            }),
        ),
        (
            "subscribe request",
            message(profile, MessageType::ServiceSubscribeRequest, |w| {
                subscribe(Services::RSSI_MS | Services::RSSI_RFID).encode(w)
            }),
        ),
        (
            "subscribe response",
            message(profile, MessageType::ServiceSubscribeResponse, |w| {
                ServiceSubscribeResponse::from(outcome).encode(w)
            }),
        ),
        (
            "measurement of two stations with an unknown element between them",
            message(profile, MessageType::MeasurementNotification, |w| {
                measured.encode(w)?;
                w.bytes(&unknown);
                Measurement {
                    class: StationClass(99),
                    access_points: Vec::new(),
                    ..measured.clone()
                }
                .encode(w)
            }),
        ),
    ]
}

fn decode(bytes: &[u8]) -> Result<Option<Vec<u8>>, DecodeError> {
    let profile = WireProfile::built_in();
    let Some((frame, length)) = Frame::cut(profile, DEFAULT_MAX_MESSAGE_LENGTH, bytes)? else {
        return Ok(None);
    };
    assert_eq!(length, bytes.len());
    let mut out = BytesMut::new();
    Message::decode(&frame, profile)?
        .encode(frame.header, profile, &mut out)
        .unwrap();
    Ok(Some(out.to_vec()))
}

#[test]
fn every_message_survives_byte_for_byte() {
    for (name, bytes) in every_message(WireProfile::built_in()) {
        assert_eq!(decode(&bytes).unwrap().as_deref(), Some(&bytes[..]), "{name}");
        oracle::decode_encode(&bytes);
    }
}

#[test]
fn a_message_cut_at_any_byte_is_incomplete_and_never_wrong() {
    for (name, bytes) in every_message(WireProfile::built_in()) {
        for cut in 0..bytes.len() {
            assert_eq!(decode(&bytes[..cut]), Ok(None), "{name} cut at {cut}");
        }
    }
}

/// The body is cut although the header's length agrees with what is left: every cut either falls between two elements
/// or is reported with an offset inside the message.
#[test]
fn a_body_cut_at_any_byte_is_refused_or_is_a_shorter_body() {
    for (name, bytes) in every_message(WireProfile::built_in()) {
        for cut in 12..bytes.len() {
            let mut shorter = bytes[..cut].to_vec();
            shorter[4..8].copy_from_slice(&u32::try_from(cut).unwrap().to_be_bytes());
            match decode(&shorter) {
                Ok(again) => assert_eq!(again.as_deref(), Some(&shorter[..]), "{name} cut at {cut}"),
                Err(error) => assert!((12..=cut).contains(&error.offset), "{name} cut at {cut}: {error}"),
            }
        }
    }
}

#[test]
fn a_corrupted_inner_length_is_refused_or_survives_but_never_panics() {
    for (name, bytes) in every_message(WireProfile::built_in()) {
        for position in 12..bytes.len() {
            for value in [
                0,
                1,
                0x7f,
                0xff,
                bytes[position].wrapping_add(1),
                bytes[position].wrapping_sub(1),
            ] {
                let mut corrupt = bytes.clone();
                corrupt[position] = value;
                oracle::decode_encode(&corrupt);
                if let Err(error) = decode(&corrupt) {
                    assert!(
                        (12..=bytes.len()).contains(&error.offset),
                        "{name}, byte {position}: {error}"
                    );
                }
            }
        }
    }
}

#[test]
fn more_readings_than_there_are_bytes_are_refused_where_they_begin() {
    let profile = WireProfile::built_in();
    let mut bytes = message(profile, MessageType::MeasurementNotification, |w| {
        measurement().encode(w)
    });
    // Header 12, TLV header 4, fixed fields 15, then the count of readings.
    bytes[31..33].copy_from_slice(&200_u16.to_be_bytes());
    let error = decode(&bytes).unwrap_err();
    assert_eq!((error.offset, error.field), (33, "reading"));
    assert!(
        matches!(error.kind, DecodeErrorKind::Truncated { needed: 2400, .. }),
        "{error}"
    );
}

#[test]
fn a_second_single_occurrence_element_is_refused_with_its_offset() {
    let profile = WireProfile::built_in();
    let capability = Capability {
        version: 1,
        services: Services::NONE,
        ..Capability::default()
    };
    let twice = message(profile, MessageType::CapabilityNotification, |w| {
        capability.encode(w)?;
        capability.encode(w)
    });
    let error = decode(&twice).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::DuplicateTlv(TlvType(1)));
    assert_eq!(error.offset, 12 + 6 + 12);
}

#[test]
fn a_missing_mandatory_element_is_refused() {
    let profile = WireProfile::built_in();
    for (kind, number) in [
        (MessageType::CapabilityNotification, 1),
        (MessageType::ServiceSubscribeRequest, 2),
        (MessageType::ServiceSubscribeResponse, 4),
    ] {
        let error = decode(&message(profile, kind, |_| Ok(()))).unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::MissingTlv(TlvType(number)), "{kind}");
    }
}

#[test]
fn an_element_of_the_wrong_length_is_refused() {
    let profile = WireProfile::built_in();
    for (value, kind) in [
        (
            &[0_u8; 7][..],
            DecodeErrorKind::Truncated {
                needed: 8,
                available: 7,
            },
        ),
        (&[0_u8; 9][..], DecodeErrorKind::TrailingBytes { count: 1 }),
    ] {
        let bytes = message(profile, MessageType::ServiceSubscribeRequest, |w| {
            w.tlv(nmsp::wire::Element::SERVICES, |w| {
                w.bytes(value);
                Ok(())
            })
        });
        assert_eq!(decode(&bytes).unwrap_err().kind, kind);
    }
}

#[test]
fn the_header_is_refused_for_its_version_and_length_as_soon_as_it_is_complete() {
    let header = |version, length: u32| {
        let mut bytes = vec![version, 0, 0, 1];
        bytes.extend(length.to_be_bytes());
        bytes.extend([0; 4]);
        bytes
    };
    let cases = [
        (
            header(9, 12),
            "byte 0 (version): protocol version 9, this profile speaks version 1",
        ),
        (
            header(1, 0),
            "byte 4 (message length): message length 0 is shorter than the 12-byte header",
        ),
        (
            header(1, 11),
            "byte 4 (message length): message length 11 is shorter than the 12-byte header",
        ),
        (
            header(1, 65_537),
            "byte 4 (message length): message length 65537 exceeds the limit of 65536 bytes",
        ),
        (
            header(1, u32::MAX),
            "byte 4 (message length): message length 4294967295 exceeds the limit of 65536 bytes",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(decode(&bytes).unwrap_err().to_string(), expected);
        let mut buffer = FrameBuffer::default();
        buffer.extend(&bytes[..11]);
        let profile = WireProfile::built_in();
        assert_eq!(buffer.next_frame(profile, DEFAULT_MAX_MESSAGE_LENGTH), Ok(None));
        buffer.extend(&bytes[11..]);
        assert_eq!(
            buffer
                .next_frame(profile, DEFAULT_MAX_MESSAGE_LENGTH)
                .unwrap_err()
                .to_string(),
            expected
        );
    }
}

#[test]
fn opaque_header_bytes_survive() {
    let mut bytes = message(WireProfile::built_in(), MessageType::EchoRequest, |_| Ok(()));
    bytes[1] = 0xa5;
    assert_eq!(decode(&bytes).unwrap(), Some(bytes));
}

#[test]
fn a_measurement_reads_back_as_it_was_written() {
    let profile = WireProfile::built_in();
    let bytes = message(profile, MessageType::MeasurementNotification, |w| {
        measurement().encode(w)
    });
    let (frame, _) = Frame::cut(profile, DEFAULT_MAX_MESSAGE_LENGTH, &bytes)
        .unwrap()
        .unwrap();
    let Ok(Message::MeasurementNotification(notification)) = Message::decode(&frame, profile) else {
        panic!("not a measurement");
    };
    let stations: Vec<_> = notification
        .stations()
        .map(|station| station.to_owned())
        .collect();
    assert_eq!(stations, [measurement()]);
}

#[test]
fn another_profile_moves_fields_and_keeps_every_promise() {
    let mut definition = WireProfile::built_in().definition().clone();
    definition.byte_order = ByteOrder::LittleEndian;
    definition.header.length = 20;
    definition.header.message_length.offset = 14;
    definition.header.message_length.width = 3;
    definition.header.length_counts = LengthCounts::Payload;
    definition.tlv.type_width = 1;
    definition.tlv.length_counts = LengthCounts::Everything;
    definition.messages[5].number = 0x1234;
    for (bit, entry) in (30_u8..).zip(&mut definition.services) {
        entry.bit = bit;
    }
    let profile = WireProfile::new(definition).unwrap();
    let body = |w: &mut Writer<'_>| measurement().encode(w);
    let mut stream = message(&profile, MessageType::MeasurementNotification, body);
    assert_eq!(stream[2..4], [0x34, 0x12]);
    let capability = Capability {
        version: 1,
        services: Services::RSSI_MS,
        ..Capability::default()
    };
    stream.extend(message(&profile, MessageType::CapabilityNotification, |w| {
        capability.encode(w)
    }));
    oracle::decode_encode_under(&profile, &stream);

    let (first, length) = Frame::cut(&profile, 4096, &stream).unwrap().unwrap();
    assert_eq!(
        Message::decode(&first, &profile).unwrap().message_type(),
        Some(MessageType::MeasurementNotification)
    );
    let (second, _) = Frame::cut(&profile, 4096, &stream[length..]).unwrap().unwrap();
    let Ok(Message::CapabilityNotification(read)) = Message::decode(&second, &profile) else {
        panic!("not a capability notification");
    };
    assert_eq!(read.read().unwrap(), capability);
}

#[test]
fn known_answers_of_the_built_in_profile() {
    let text = include_str!("../../testdata/built-in-profile.hex");
    let profile = WireProfile::built_in();
    let outcome = SubscribeOutcome {
        status: SubscribeStatus::PARTLY_ACCEPTED,
        accepted: Services::RSSI_MS,
        rejected: Services::WIPS,
    };
    let capability = Capability {
        version: 1,
        services: Services::MEASUREMENTS,
        ..Capability::default()
    };
    let computed = [
        (
            "echo-request",
            message(profile, MessageType::EchoRequest, |_| Ok(())),
        ),
        (
            "echo-response",
            message(profile, MessageType::EchoResponse, |_| Ok(())),
        ),
        (
            "capability",
            message(profile, MessageType::CapabilityNotification, |w| {
                capability.encode(w)
            }),
        ),
        (
            "subscribe-request",
            message(profile, MessageType::ServiceSubscribeRequest, |w| {
                subscribe(Services::RSSI_MS | Services::WIPS).encode(w)
            }),
        ),
        (
            "subscribe-response",
            message(profile, MessageType::ServiceSubscribeResponse, |w| {
                ServiceSubscribeResponse::from(outcome).encode(w)
            }),
        ),
        (
            "measurement",
            message(profile, MessageType::MeasurementNotification, |w| {
                measurement().encode(w)
            }),
        ),
    ];
    let vectors: Vec<(&str, Vec<u8>)> = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let (name, digits) = line.split_once(':').unwrap();
            (name, hex::decode(digits.replace(' ', "")).unwrap())
        })
        .collect();
    assert_eq!(vectors.len(), computed.len());
    for ((name, vector), (computed_name, bytes)) in vectors.iter().zip(&computed) {
        assert_eq!(name, computed_name);
        assert_eq!(hex::encode(bytes), hex::encode(vector), "{name}");
    }
}

#[test]
fn unknown_message_ids_keep_number_and_bytes() {
    let profile = WireProfile::built_in();
    let mut out = BytesMut::new();
    encode_message(Header::new(MessageId(40_000), 3), profile, &mut out, |w| {
        w.bytes(b"opaque");
        Ok(())
    })
    .unwrap();
    let (frame, _) = Frame::cut(profile, 1024, &out).unwrap().unwrap();
    let Ok(Message::Unknown(unknown)) = Message::decode(&frame, profile) else {
        panic!("known")
    };
    assert_eq!((unknown.id, unknown.body), (MessageId(40_000), &b"opaque"[..]));
}

proptest! {
    #[test]
    fn any_bytes_at_all_keep_the_promises(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        oracle::decode_encode(&bytes);
    }

    #[test]
    fn any_body_behind_a_good_header_keeps_the_promises(
        id in prop_oneof![Just(1_u8), Just(2), Just(7), Just(15), Just(30), Just(31), any::<u8>()],
        elements in proptest::collection::vec((0_u8..0x15, proptest::collection::vec(any::<u8>(), 0..40)), 0..6),
    ) {
        let mut out = BytesMut::new();
        encode_message(Header::new(MessageId(id.into()), 1), WireProfile::built_in(), &mut out, |w| {
            for (number, value) in &elements {
                w.u16((*number).into());
                w.u16(u16::try_from(value.len()).unwrap());
                w.bytes(value);
            }
            Ok(())
        }).unwrap();
        oracle::decode_encode(&out);
    }

    #[test]
    fn any_measurement_reads_back(
        station: [u8; 6], class: u8, time: u64, state: Option<u8>,
        readings in proptest::collection::vec(any::<([u8; 6], i8, u8, u8, Option<i8>, Option<u8>)>(), 0..20),
    ) {
        let profile = WireProfile::built_in();
        let written = Measurement {
            station: station.into(),
            class: StationClass(class),
            timestamp: Timestamp(time),
            access_points: readings.into_iter().map(|(mac, rssi_dbm, band, channel, snr_db, antenna)| {
                AccessPointReading { access_point: mac.into(), rssi_dbm, band: Band(band), channel, snr_db, antenna }
            }).collect(),
            state: state.map(StationState),
        };
        let bytes = message(profile, MessageType::MeasurementNotification, |w| written.encode(w));
        let (frame, _) = Frame::cut(profile, DEFAULT_MAX_MESSAGE_LENGTH, &bytes).unwrap().unwrap();
        let Ok(Message::MeasurementNotification(read)) = Message::decode(&frame, profile) else { panic!() };
        prop_assert_eq!(read.stations().map(|s| s.to_owned()).collect::<Vec<_>>(), vec![written]);
        oracle::decode_encode(&bytes);
    }
}
