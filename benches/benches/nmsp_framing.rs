//! NMSP frames against `tokio_util`'s `LengthDelimitedCodec` on the same bytes.
//!
//! The codec only cuts the stream at the length field; ours also reads the header, checks every element of the body and
//! (in "decode and visit") looks at every reading of four access points per station. When encoding, the codec copies a body
//! that is ready; ours makes it from stations. The baseline is therefore a bound and not a competitor.

#![allow(
    missing_docs,
    reason = "criterion's macro-free main needs no documentation of its own"
)]

use std::hint::black_box;

use benches::Comparison;
use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput};
use nmsp::proto::ConnectionConfig;
use nmsp::server::{Limits, RecordId, RecordKind, StationStore};
use nmsp::wire::message::{
    AccessPointReading, EncodedMeasurement, Measurement, Message, Timestamp, write_encoded_measurements,
};
use nmsp::wire::{
    Band, DEFAULT_MAX_MESSAGE_LENGTH, Frame, Header, MessageId, StationClass, WireProfile,
    frame::encode_message,
};
use pki_common::MacAddr;
use tokio_util::codec::{Decoder, Encoder, LengthDelimitedCodec};

const MESSAGES: u32 = 1_000;
/// What ours is compared with.
const BASELINE: &str = "LengthDelimitedCodec";
/// Measurement Notification.
const MEASUREMENT: MessageId = MessageId(15);
/// Where the built-in profile has the message length, and how wide it is. It counts the whole message, which is what the
/// codec expects when it skips nothing.
const LENGTH_OFFSET: usize = 4;
const LENGTH_WIDTH: usize = 4;

fn main() {
    let profile = WireProfile::built_in();
    let mut criterion = benches::criterion();
    for (stations, decode, encode) in [
        (1, "nmsp-decode-1-station", "nmsp-encode-1-station"),
        (8, "nmsp-decode-8-stations", "nmsp-encode-8-stations"),
    ] {
        let measurements: Vec<Measurement> = (0..stations).map(measurement).collect();
        compare_decoding(&mut criterion, profile, &measurements, decode);
        compare_encoding(&mut criterion, profile, &measurements, encode);
    }
    criterion.final_summary();
    for (group, ours, what) in [
        ("nmsp-decode-1-station", "typed", "decode and visit, 1 station"),
        ("nmsp-decode-1-station", "check-only", "decode only, 1 station"),
        ("nmsp-decode-8-stations", "typed", "decode and visit, 8 stations"),
        ("nmsp-decode-8-stations", "check-only", "decode only, 8 stations"),
        ("nmsp-encode-1-station", "typed", "encode from structs, 1 station"),
        (
            "nmsp-encode-1-station",
            "from-records",
            "encode from records, 1 station",
        ),
        (
            "nmsp-encode-1-station",
            "from-store",
            "encode from the store, 1 station",
        ),
        (
            "nmsp-encode-8-stations",
            "from-store",
            "encode from the store, 8 stations",
        ),
        (
            "nmsp-encode-8-stations",
            "typed",
            "encode from structs, 8 stations",
        ),
        (
            "nmsp-encode-8-stations",
            "from-records",
            "encode from records, 8 stations",
        ),
    ] {
        Comparison {
            group,
            ours,
            baseline: BASELINE,
            what,
        }
        .report();
    }
}

fn compare_decoding(
    criterion: &mut Criterion,
    profile: &WireProfile,
    measurements: &[Measurement],
    name: &str,
) {
    let stream = stream(profile, measurements);
    let (codec_messages, (messages, _)) = (decode_with_codec(&stream), decode_typed(profile, &stream));
    assert_eq!(codec_messages, messages, "both must see the same messages");
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(u64::from(MESSAGES)));
    group.bench_function("typed", |b| b.iter(|| decode_typed(profile, black_box(&stream))));
    group.bench_function("check-only", |b| {
        b.iter(|| decode_only(profile, black_box(&stream)));
    });
    group.bench_function(BASELINE, |b| b.iter(|| decode_with_codec(black_box(&stream))));
    group.finish();
}

fn compare_encoding(
    criterion: &mut Criterion,
    profile: &WireProfile,
    measurements: &[Measurement],
    name: &str,
) {
    let capacity = stream(profile, measurements).len();
    let body = body(profile, measurements);
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(u64::from(MESSAGES)));
    group.bench_function("typed", |b| {
        let mut out = BytesMut::with_capacity(capacity);
        b.iter(|| encode_typed(profile, black_box(measurements), &mut out));
    });
    group.bench_function("from-records", |b| {
        let stations: Vec<_> = measurements.iter().map(EncodedStation::of).collect();
        let mut out = BytesMut::with_capacity(capacity);
        b.iter(|| encode_records(profile, black_box(&stations), &mut out));
    });
    group.bench_function("from-store", |b| {
        let store = StationStore::new(&Limits::default(), &ConnectionConfig::default());
        store.observe(measurements).expect("small measurements");
        let ids = store.ids(RecordKind::ClientMeasurement);
        let mut out = BytesMut::with_capacity(capacity);
        b.iter(|| encode_from_store(profile, black_box(&store), black_box(&ids), &mut out));
    });
    group.bench_function(BASELINE, |b| {
        let mut out = BytesMut::with_capacity(capacity);
        b.iter(|| encode_with_codec(black_box(&body), &mut out));
    });
    group.finish();
}

fn measurement(station: u8) -> Measurement {
    let access_points = (0..4_u8)
        .map(|number| AccessPointReading {
            access_point: MacAddr::from([2, 0, 0, 0xa0, 0, number]),
            rssi_dbm: -50 - i8::try_from(number).expect("under four"),
            band: Band::GHZ_5,
            channel: 36 + 4 * number,
            snr_db: None,
            antenna: None,
        })
        .collect();
    Measurement {
        station: MacAddr::from([2, 0, 0, 0xc0, 0, station]),
        class: StationClass::CLIENT,
        timestamp: Timestamp(1_792_592_434_309),
        access_points,
        state: None,
    }
}

fn stream(profile: &WireProfile, measurements: &[Measurement]) -> Bytes {
    let mut out = BytesMut::new();
    encode_typed(profile, measurements, &mut out);
    out.freeze()
}

fn body(profile: &WireProfile, measurements: &[Measurement]) -> Bytes {
    let whole = stream(profile, measurements);
    let (frame, _) = Frame::cut(profile, DEFAULT_MAX_MESSAGE_LENGTH, &whole)
        .expect("our own message")
        .expect("a whole message");
    Bytes::copy_from_slice(frame.body)
}

fn encode_typed(profile: &WireProfile, measurements: &[Measurement], out: &mut BytesMut) {
    out.clear();
    for sequence in 0..MESSAGES {
        encode_message(Header::new(MEASUREMENT, sequence), profile, out, |writer| {
            measurements
                .iter()
                .try_for_each(|measurement| measurement.encode(writer))
        })
        .expect("a small message");
    }
}

/// A station as a store keeps it: its readings are in the form of the wire.
struct EncodedStation {
    station: MacAddr,
    class: StationClass,
    timestamp: Timestamp,
    readings: Vec<[u8; AccessPointReading::LENGTH]>,
}

impl EncodedStation {
    fn borrow(&self) -> EncodedMeasurement<'_> {
        EncodedMeasurement {
            station: self.station,
            class: self.class,
            timestamp: self.timestamp,
            readings: &self.readings,
        }
    }

    fn of(measurement: &Measurement) -> Self {
        Self {
            station: measurement.station,
            class: measurement.class,
            timestamp: measurement.timestamp,
            readings: measurement
                .access_points
                .iter()
                .map(AccessPointReading::to_bytes)
                .collect(),
        }
    }
}

fn encode_records(profile: &WireProfile, stations: &[EncodedStation], out: &mut BytesMut) {
    out.clear();
    for sequence in 0..MESSAGES {
        encode_message(Header::new(MEASUREMENT, sequence), profile, out, |writer| {
            write_encoded_measurements(writer, stations.iter().map(EncodedStation::borrow))
        })
        .expect("a small message");
    }
}

/// As the controller makes its messages: under the lock of the store, from records that were encoded when they changed.
fn encode_from_store(profile: &WireProfile, store: &StationStore, ids: &[RecordId], out: &mut BytesMut) {
    out.clear();
    for sequence in 0..MESSAGES {
        encode_message(Header::new(MEASUREMENT, sequence), profile, out, |writer| {
            store.write_records(RecordKind::ClientMeasurement, ids, writer);
            Ok(())
        })
        .expect("a small message");
    }
}

fn encode_with_codec(body: &Bytes, out: &mut BytesMut) {
    out.clear();
    let mut codec = LengthDelimitedCodec::new();
    for _ in 0..MESSAGES {
        codec.encode(body.clone(), out).expect("a small message");
    }
}

/// Every message checked to its last byte, no reading looked at.
fn decode_only(profile: &WireProfile, stream: &[u8]) -> usize {
    let (mut rest, mut messages) = (stream, 0);
    while let Some((frame, length)) =
        Frame::cut(profile, DEFAULT_MAX_MESSAGE_LENGTH, rest).expect("our own messages")
    {
        black_box(Message::decode(&frame, profile).expect("our own message"));
        messages += 1;
        rest = rest.get(length..).unwrap_or_default();
    }
    messages
}

/// Messages, and a sum over all readings so that none can be skipped.
fn decode_typed(profile: &WireProfile, stream: &[u8]) -> (usize, i64) {
    let (mut rest, mut messages, mut sum) = (stream, 0, 0);
    while let Some((frame, length)) =
        Frame::cut(profile, DEFAULT_MAX_MESSAGE_LENGTH, rest).expect("our own messages")
    {
        let Message::MeasurementNotification(notification) =
            Message::decode(&frame, profile).expect("our own message")
        else {
            unreachable!("the stream holds measurements only");
        };
        for station in notification.stations() {
            sum += station
                .access_points()
                .map(|reading| i64::from(reading.rssi_dbm))
                .sum::<i64>();
        }
        messages += 1;
        rest = rest.get(length..).unwrap_or_default();
    }
    (messages, sum)
}

fn decode_with_codec(stream: &[u8]) -> usize {
    let mut codec = LengthDelimitedCodec::builder()
        .length_field_offset(LENGTH_OFFSET)
        .length_field_length(LENGTH_WIDTH)
        .num_skip(0)
        .max_frame_length(DEFAULT_MAX_MESSAGE_LENGTH)
        .new_codec();
    let mut buffer = BytesMut::from(stream);
    let mut messages = 0;
    while let Some(frame) = codec.decode(&mut buffer).expect("our own messages") {
        black_box(frame);
        messages += 1;
    }
    messages
}
