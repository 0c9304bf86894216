//! From publisher to subscriber: structs on one side, every reading looked at on the other, against bytes that somebody
//! writes and somebody reads.

use core::time::Duration;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use benches::process::{self, Process};
use bytes::{Bytes, BytesMut};
use nmsp::client::{Client, ClientConfig};
use nmsp::proto::Event;
use nmsp::server::ServerHandle;
use nmsp::wire::frame::{Header, encode_message};
use nmsp::wire::message::{AccessPointReading, Measurement, Timestamp};
use nmsp::wire::{Band, MessageType, Services, StationClass, WireProfile, Writer};
use pki_common::MacAddr;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{credentials, median, servers};

/// Notifications that may wait in the controller.
pub(crate) const QUEUE_LENGTH: usize = 65_536;
/// The publisher pauses while more than this wait.
const ENOUGH_WAITING: usize = 4_096;
/// Stations in one call of the publisher.
const BATCH: u16 = 1_024;
/// As many calls until a station comes again: none that still waits may be replaced by its next measurement.
const BATCHES: u32 = 8;
/// Bytes that fill a message: a TLS record.
const CHUNK: usize = 16_000;
/// How long each side is measured.
const SPAN: Duration = Duration::from_secs(2);
/// Before that, caches and congestion windows fill.
const WARM_UP: Duration = Duration::from_millis(500);
const ROUNDS: usize = 5;

/// What arrived in [`SPAN`].
#[derive(Clone, Copy)]
struct Received {
    bytes: f64,
    stations: f64,
    /// Of both processes.
    processor: f64,
}

pub(crate) async fn compare(folder: &Path) {
    let mut ours = Process::start(servers::PUBLISHER, folder);
    let mut bare = Process::start(servers::BARE_WRITER, folder);
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push((subscribe(&mut ours, folder).await, read(&mut bare, folder).await));
    }
    ours.stop();
    bare.stop();
    report(&rounds);
}

#[expect(clippy::print_stdout, reason = "the report is the product of a benchmark")]
fn report(rounds: &[(Received, Received)]) {
    let span = SPAN.as_secs_f64();
    let rate = |of: fn(&(Received, Received)) -> f64| median(rounds.iter().map(of)) / span;
    println!(
        "ratio  publisher to subscriber over TLS             {:.2} × the bytes of bare tokio-rustls ({:.0} MB/s against {:.0} MB/s); \
         {:.2} × per second of processor time; {:.0} stations/s of 4 readings",
        median(rounds.iter().map(|(ours, bare)| ours.bytes / bare.bytes)),
        rate(|(ours, _)| ours.bytes) / 1e6,
        rate(|(_, bare)| bare.bytes) / 1e6,
        median(
            rounds
                .iter()
                .map(|(ours, bare)| ours.bytes / ours.processor / (bare.bytes / bare.processor))
        ),
        rate(|(ours, _)| ours.stations),
    );
}

/// A location server that looks at every reading.
async fn subscribe(controller: &mut Process, folder: &Path) -> Received {
    let config = ClientConfig::new(credentials::location_server(folder));
    let mut client = Client::connect(controller.line(), config)
        .await
        .expect("admitted");
    client.subscribe(Services::RSSI_MS).await.expect("offered");
    let bytes_of_a_station = encoded(&measurements(1, 0)).len();
    let (mut stations, mut readings) = (0_u32, 0_i64);
    let (mut measured, mut before) = (false, process::own_processor_seconds());
    let mut started = Instant::now();
    loop {
        let event = client
            .next()
            .await
            .expect("the controller lives")
            .expect("it goes on");
        if let Event::Notification(frame) = event
            && let Some(notification) = frame.measurement()
        {
            for station in notification.stations() {
                stations += 1;
                readings += station
                    .access_points()
                    .map(|reading| i64::from(reading.rssi_dbm))
                    .sum::<i64>();
            }
        }
        if !measured && started.elapsed() > WARM_UP {
            (measured, stations, started) = (true, 0, Instant::now());
            before = process::own_processor_seconds() + controller.usage().processor;
        }
        if measured && started.elapsed() > SPAN {
            break;
        }
    }
    std::hint::black_box(readings);
    let processor = process::own_processor_seconds() + controller.usage().processor - before;
    client.close().await.expect("a goodbye");
    Received {
        bytes: f64::from(stations) * f64::from(u32::try_from(bytes_of_a_station).unwrap_or(u32::MAX)),
        stations: f64::from(stations),
        processor,
    }
}

/// Somebody who reads the same bytes and does nothing with them.
async fn read(writer: &mut Process, folder: &Path) -> Received {
    let mut stream = connect(writer, folder).await;
    let mut buffer = vec![0; 65_536];
    let (mut bytes, mut measured, mut before) = (0_u64, false, 0.0);
    let mut started = Instant::now();
    loop {
        let length = stream.read(&mut buffer).await.expect("the writer lives");
        bytes += u64::try_from(length).unwrap_or(u64::MAX);
        if !measured && started.elapsed() > WARM_UP {
            (measured, bytes, started) = (true, 0, Instant::now());
            before = process::own_processor_seconds() + writer.usage().processor;
        }
        if measured && started.elapsed() > SPAN {
            break;
        }
    }
    let processor = process::own_processor_seconds() + writer.usage().processor - before;
    let kib = f64::from(u32::try_from(bytes / 1024).unwrap_or(u32::MAX));
    Received {
        bytes: kib * 1024.0,
        stations: 0.0,
        processor,
    }
}

/// A TLS stream with the credentials of the location server.
pub(crate) async fn connect(server: &Process, folder: &Path) -> TlsStream<TcpStream> {
    let tls = credentials::location_server(folder)
        .rustls_config()
        .expect("a crypto provider");
    connect_with(tls, server.address()).await
}

/// A TLS stream.
pub(crate) async fn connect_with(
    tls: Arc<rustls::ClientConfig>,
    address: SocketAddr,
) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    TlsConnector::from(tls)
        .connect(address.ip().into(), stream)
        .await
        .expect("admitted")
}

/// The publisher's side: goes on for ever.
pub(crate) async fn publish(handle: ServerHandle) {
    let publisher = handle.publisher();
    // Made before, because making them is the application's work.
    let batches: Vec<_> = (0..BATCHES).map(|number| measurements(BATCH, number)).collect();
    for batch in batches.iter().cycle() {
        while handle
            .status()
            .iter()
            .filter(|connection| connection.active)
            .any(|connection| connection.queued_notifications > ENOUGH_WAITING)
            || !handle.status().iter().any(|connection| connection.active)
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        publisher.publish(batch).expect("small measurements");
        tokio::task::yield_now().await;
    }
}

/// One message with as many stations as the publisher puts into one.
pub(crate) fn chunk() -> Bytes {
    let profile = WireProfile::built_in();
    let body = encoded(&measurements(BATCH, 0));
    let of_one = encoded(&measurements(1, 0)).len();
    let stations = CHUNK.div_ceil(of_one);
    let id = profile
        .message_id(MessageType::MeasurementNotification)
        .expect("part of the built-in profile");
    let mut out = BytesMut::new();
    encode_message(Header::new(id, 1), profile, &mut out, |writer| {
        writer.bytes(body.get(..stations * of_one).unwrap_or_default());
        Ok(())
    })
    .expect("a message of a record");
    out.freeze()
}

fn encoded(measurements: &[Measurement]) -> BytesMut {
    let mut out = BytesMut::new();
    for measurement in measurements {
        measurement
            .encode(&mut Writer::new(&mut out, WireProfile::built_in()))
            .expect("a small measurement");
    }
    out
}

/// Stations that are in no other batch.
fn measurements(count: u16, batch: u32) -> Vec<Measurement> {
    let [_, _, high, low] = batch.to_be_bytes();
    (0..count)
        .map(|station| {
            let [upper, lower] = station.to_be_bytes();
            Measurement {
                station: MacAddr::from([2, high, low, 0, upper, lower]),
                class: StationClass::CLIENT,
                timestamp: Timestamp(1_792_592_434_309),
                access_points: (0..4_u8)
                    .map(|number| AccessPointReading {
                        access_point: MacAddr::from([2, 0, 0, 0xa0, 0, number]),
                        rssi_dbm: -50 - i8::try_from(number).expect("under four"),
                        band: Band::GHZ_5,
                        channel: 36 + 4 * number,
                        snr_db: None,
                        antenna: None,
                    })
                    .collect(),
                state: None,
            }
        })
        .collect()
}
