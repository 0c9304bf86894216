//! The hot paths allocate nothing per message, counted by an allocator that counts for one thread.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::time::Instant;

use allocation_counter::measure;
use bytes::BytesMut;
use nmsp::proto::{Connection, ConnectionConfig, Event, Role};
use nmsp::wire::frame::{Frame, Header, encode_message};
use nmsp::wire::message::{AccessPointReading, Measurement, Timestamp};
use nmsp::wire::{Band, DEFAULT_MAX_MESSAGE_LENGTH, Message, MessageId, Services, StationClass, WireProfile};
use pki_common::MacAddr;

const MESSAGES: u32 = 1000;
const STATIONS: u8 = 20;
const ACCESS_POINTS: u8 = 4;

fn floor() -> Vec<Measurement> {
    let reading = |number| AccessPointReading {
        access_point: MacAddr::from([0, 0x3a, 0x7d, 0, 0, number]),
        rssi_dbm: -60,
        band: Band::GHZ_5,
        channel: 36,
        snr_db: Some(30),
        antenna: Some(1),
    };
    let station = |number| Measurement {
        station: MacAddr::from([2, 0, 0, 0, 0, number]),
        class: StationClass::CLIENT,
        timestamp: Timestamp(1_433_612_873_000),
        access_points: (0..ACCESS_POINTS).map(reading).collect(),
        state: None,
    };
    (0..STATIONS).map(station).collect()
}

fn encode_floor(stations: &[Measurement], sequence: u32, out: &mut BytesMut) {
    let header = Header::new(MessageId(15), sequence);
    encode_message(header, WireProfile::built_in(), out, |writer| {
        stations.iter().try_for_each(|station| station.encode(writer))
    })
    .unwrap();
}

/// Decodes one message to the last reading; the number of readings.
fn decode_floor(bytes: &[u8]) -> usize {
    let profile = WireProfile::built_in();
    let (frame, _) = Frame::cut(profile, DEFAULT_MAX_MESSAGE_LENGTH, bytes)
        .unwrap()
        .unwrap();
    let Message::MeasurementNotification(notification) = Message::decode(&frame, profile).unwrap() else {
        panic!("not a Measurement Notification");
    };
    notification
        .stations()
        .map(|station| station.access_points().count())
        .sum()
}

const READINGS: usize = 80;

#[test]
fn the_counter_counts() {
    let counted = measure(|| drop(std::hint::black_box(vec![0_u8; 100])));
    assert_eq!((counted.count_total, counted.bytes_total), (1, 100));
}

#[test]
fn decoding_measurements_allocates_nothing() {
    let mut bytes = BytesMut::new();
    encode_floor(&floor(), 1, &mut bytes);
    assert_eq!(decode_floor(&bytes), READINGS);
    let mut readings = 0;
    let counted = measure(|| {
        for _ in 0..MESSAGES {
            readings += decode_floor(&bytes);
        }
    });
    assert_eq!(readings, READINGS * 1000);
    assert_eq!(counted.count_total, 0);
}

#[test]
fn encoding_into_a_reused_buffer_allocates_nothing() {
    let stations = floor();
    let mut out = BytesMut::new();
    encode_floor(&stations, 0, &mut out);
    let length = out.len();
    let counted = measure(|| {
        for sequence in 1..=MESSAGES {
            out.clear();
            encode_floor(&stations, sequence, &mut out);
        }
    });
    assert_eq!(out.len(), length);
    assert_eq!(counted.count_total, 0);
}

#[test]
fn encoding_a_decoded_message_again_allocates_nothing() {
    let profile = WireProfile::built_in();
    let (mut bytes, mut out) = (BytesMut::new(), BytesMut::new());
    encode_floor(&floor(), 7, &mut bytes);
    out.reserve(bytes.len());
    let (frame, _) = Frame::cut(profile, DEFAULT_MAX_MESSAGE_LENGTH, &bytes)
        .unwrap()
        .unwrap();
    let message = Message::decode(&frame, profile).unwrap();
    let counted = measure(|| {
        for _ in 0..MESSAGES {
            out.clear();
            message.encode(frame.header, profile, &mut out).unwrap();
        }
    });
    assert_eq!(out, bytes);
    assert_eq!(counted.count_total, 0);
}

/// A location server that is subscribed.
fn subscribed(now: Instant) -> (Connection, Connection, BytesMut) {
    let mut controller = Connection::new(ConnectionConfig::default(), Role::Controller, now);
    let mut location_server = Connection::new(ConnectionConfig::default(), Role::LocationServer, now);
    location_server.subscribe(now, &Services::RSSI_MS.into()).unwrap();
    let mut bytes = BytesMut::new();
    location_server.poll_transmit(&mut bytes);
    controller.handle_input(now, &bytes);
    bytes.clear();
    controller.poll_transmit(&mut bytes);
    location_server.handle_input(now, &bytes);
    while location_server.poll_event().is_some() {}
    assert_eq!(location_server.subscription(), Services::RSSI_MS);
    (controller, location_server, bytes)
}

#[test]
fn a_connection_sends_and_receives_measurements_without_allocating() {
    let now = Instant::now();
    let (mut controller, mut location_server, mut bytes) = subscribed(now);
    let mut body = BytesMut::new();
    let mut writer = nmsp::wire::Writer::new(&mut body, WireProfile::built_in());
    for station in floor() {
        station.encode(&mut writer).unwrap();
    }
    let mut readings = 0;
    let mut turn = |sequence| {
        bytes.clear();
        controller.send_measurement(sequence, &body).unwrap();
        controller.poll_transmit(&mut bytes);
        location_server.handle_input(now, &bytes);
        while let Some(event) = location_server.poll_event() {
            let Event::Notification(frame) = event else {
                panic!("{event:?}")
            };
            let stations = frame.measurement().unwrap().stations();
            readings += stations
                .map(|station| station.access_points().count())
                .sum::<usize>();
        }
    };
    // The buffers grow to their size, and become shared, with the first messages.
    (1..=4).for_each(&mut turn);
    let counted = measure(|| (5..5 + MESSAGES).for_each(&mut turn));
    assert_eq!(readings, READINGS * 1004);
    assert_eq!(counted.count_total, 0);
}

#[test]
fn a_peer_that_asks_without_end_costs_bounded_memory() {
    let now = Instant::now();
    let mut controller = Connection::new(ConnectionConfig::default(), Role::Controller, now);
    let request = nmsp::wire::message::bodies::StationRequest {
        services: Services::RSSI_MS,
        ..Default::default()
    };
    let request = nmsp::wire::OwnedMessage::MeasurementRequest(request);
    let (mut bytes, mut out) = (BytesMut::new(), BytesMut::new());
    let mut ask = |transaction| {
        bytes.clear();
        request
            .encode(transaction, WireProfile::built_in(), &mut bytes)
            .unwrap();
        controller.handle_input(now, &bytes);
        while controller.poll_event().is_some() {}
        out.clear();
        controller.poll_transmit(&mut out);
    };
    (0..100).for_each(&mut ask);
    let counted = measure(|| (100..100 + 100 * MESSAGES).for_each(&mut ask));
    // A few buffers of one message each, and what the refusal says; not one of 100,000 requests stays.
    assert!(counted.bytes_max < 16_384, "{counted:?}");
    assert!(counted.bytes_current < 4096, "{counted:?}");
}

/// A store that knows the floor. Taking over what was measured and making messages of it allocates nothing once every
/// station has been seen.
#[cfg(feature = "tokio")]
#[test]
fn a_store_takes_measurements_over_and_writes_them_without_allocating() {
    use nmsp::server::{Limits, RecordKind, StationStore};

    let store = StationStore::new(&Limits::default(), &ConnectionConfig::default());
    let mut stations = floor();
    store.observe(&stations).unwrap();
    let ids = store.ids(RecordKind::ClientMeasurement);
    let mut out = BytesMut::new();
    let mut turn = |sequence: u32| {
        for station in &mut stations {
            station.timestamp = Timestamp(u64::from(sequence));
        }
        store.observe(&stations).unwrap();
        out.clear();
        let header = Header::new(MessageId(15), sequence);
        encode_message(header, WireProfile::built_in(), &mut out, |writer| {
            store.write_records(RecordKind::ClientMeasurement, &ids, writer);
            Ok(())
        })
        .unwrap();
    };
    turn(0);
    let counted = measure(|| (1..=MESSAGES).for_each(&mut turn));
    let mut expected = BytesMut::new();
    encode_floor(&stations, MESSAGES, &mut expected);
    assert_eq!(out, expected);
    assert_eq!(counted.count_total, 0);
}
