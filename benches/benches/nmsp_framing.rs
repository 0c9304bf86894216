//! NMSP frames against `tokio_util`'s `LengthDelimitedCodec` on the same bytes.
//!
//! The codec only cuts the stream at the length field; ours also reads the header, checks every element of the body and
//! visits every reading. The baseline is therefore a bound and not a competitor.

#![allow(
    missing_docs,
    reason = "criterion's macro-free main needs no documentation of its own"
)]

use std::hint::black_box;

use benches::Comparison;
use bytes::{Bytes, BytesMut};
use criterion::Throughput;
use nmsp::wire::message::{AccessPointReading, Measurement, Message, Timestamp};
use nmsp::wire::{
    Band, DEFAULT_MAX_MESSAGE_LENGTH, Frame, Header, MessageId, StationClass, WireProfile,
    frame::encode_message,
};
use pki_common::MacAddr;
use tokio_util::codec::{Decoder, Encoder, LengthDelimitedCodec};

const MESSAGES: u32 = 1_000;
/// Stations in one notification, each heard by four access points.
const STATIONS: u8 = 8;
/// Measurement Notification.
const MEASUREMENT: MessageId = MessageId(15);
/// Where the built-in profile has the message length, and what it counts: everything.
const LENGTH_OFFSET: usize = 4;
const HEADER_LENGTH: isize = 12;

fn main() {
    let profile = WireProfile::built_in();
    let measurements: Vec<Measurement> = (0..STATIONS).map(measurement).collect();
    let stream = stream(profile, &measurements);
    let bytes = u64::try_from(stream.len()).expect("a few hundred kilobytes");
    assert_eq!(
        decode_with_codec(&stream),
        decode_typed(profile, &stream).0,
        "both must see the same messages"
    );

    let mut criterion = benches::criterion();
    let mut group = criterion.benchmark_group("nmsp-decode");
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("typed", |b| b.iter(|| decode_typed(profile, black_box(&stream))));
    group.bench_function("LengthDelimitedCodec", |b| {
        b.iter(|| decode_with_codec(black_box(&stream)));
    });
    group.finish();

    let body = body(profile, &measurements);
    let mut group = criterion.benchmark_group("nmsp-encode");
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("typed", |b| {
        let mut out = BytesMut::with_capacity(stream.len());
        b.iter(|| encode_typed(profile, black_box(&measurements), &mut out));
    });
    group.bench_function("LengthDelimitedCodec", |b| {
        let mut out = BytesMut::with_capacity(stream.len());
        b.iter(|| encode_with_codec(black_box(&body), &mut out));
    });
    group.finish();
    criterion.final_summary();

    let baseline = "LengthDelimitedCodec";
    Comparison {
        group: "nmsp-decode",
        ours: "typed",
        baseline,
        what: "full typed decode",
    }
    .report();
    Comparison {
        group: "nmsp-encode",
        ours: "typed",
        baseline,
        what: "encode from typed values",
    }
    .report();
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

fn encode_with_codec(body: &Bytes, out: &mut BytesMut) {
    out.clear();
    let mut codec = LengthDelimitedCodec::new();
    for _ in 0..MESSAGES {
        codec.encode(body.clone(), out).expect("a small message");
    }
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
                .map(|reading| i64::from(reading.reading.rssi_dbm))
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
        .length_field_length(4)
        .length_adjustment(-HEADER_LENGTH + 4 + 4)
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
