//! What is right with these devices: the protocol machine of the `nmsp` crate. A device hands it each message that its own
//! code has cut from the stream, and sends what it answers.

use std::io::{self, Read as _, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use nmsp::proto::{Connection, ConnectionConfig, Event, Role};
use nmsp::wire::message::bodies::Measurements;
use nmsp::wire::message::{AccessPointReading, Measurement, ServiceSubscribeRequest, Timestamp};
use nmsp::wire::numbers::{DisconnectReason, StatusCode};
use nmsp::wire::{OwnedMessage, Services, StationClass};
use pki_common::MacAddr;
use rustls::{ConnectionCommon, SideData, StreamOwned};

/// How often a location server asks for a sign of life.
pub(crate) const ECHO_INTERVAL: Duration = Duration::from_millis(500);

/// How long, and how much, a device that ends a connection takes what is still under way. Who closes at once sends RST
/// instead of what was said last.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_READS: usize = 64;

/// The protocol machine of one connection.
pub(crate) struct Machine {
    connection: Connection,
    sequence: u32,
}

impl Machine {
    /// Of a controller that takes messages of at most so many bytes.
    pub(crate) fn controller(longest: usize) -> Self {
        Self::of(Role::Controller, longest)
    }

    /// Of a location server that takes messages of at most so many bytes.
    pub(crate) fn location_server(longest: usize) -> Self {
        Self::of(Role::LocationServer, longest)
    }

    fn of(role: Role, longest: usize) -> Self {
        let config = ConnectionConfig {
            max_message_length: longest,
            echo_interval: ECHO_INTERVAL,
            system_name: Some("broken".into()),
            ..ConnectionConfig::default()
        };
        Self {
            connection: Connection::new(config, role, Instant::now()),
            sequence: 0,
        }
    }

    /// Takes one message, and prepares the answer.
    pub(crate) fn take(&mut self, message: &[u8]) {
        self.connection.handle_input(Instant::now(), message);
        self.handle_events();
    }

    /// Does what is due: a location server asks for an echo.
    pub(crate) fn tick(&mut self) {
        self.connection.handle_timeout(Instant::now());
        self.handle_events();
    }

    /// Says goodbye for this reason.
    pub(crate) fn say_goodbye(&mut self, reason: DisconnectReason, text: &str) {
        self.connection.close_with(reason, text);
    }

    /// Whether the connection goes on.
    pub(crate) const fn is_open(&self) -> bool {
        !self.connection.is_closed()
    }

    /// Sends what waits.
    pub(crate) fn send(&mut self, stream: &mut impl Write) -> io::Result<()> {
        let mut out = BytesMut::new();
        if self.connection.poll_transmit(&mut out) {
            stream.write_all(&out)?;
            stream.flush()?;
        }
        Ok(())
    }

    fn handle_events(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            let outcome = match event {
                Event::Established(_) if self.connection.role() == Role::LocationServer => {
                    let request = ServiceSubscribeRequest {
                        services: Services::MEASUREMENTS,
                        ..ServiceSubscribeRequest::default()
                    };
                    self.connection.subscribe(Instant::now(), &request).map(drop)
                }
                Event::SubscriptionChanged { subscription, .. }
                    if self.connection.role() == Role::Controller
                        && !(subscription.services & Services::RSSI_MS).is_empty() =>
                {
                    self.sequence = self.sequence.wrapping_add(1);
                    self.connection.notify(self.sequence, &measurement())
                }
                Event::Request { transaction, .. } => {
                    let nothing = "this device has heard of nothing else";
                    self.connection
                        .refuse(transaction, StatusCode::NOT_FOUND, nothing)
                }
                _ => Ok(()),
            };
            // Fails when the connection has just ended: there is nobody left to tell.
            drop(outcome);
        }
    }
}

/// The one station that a broken controller hears.
fn measurement() -> OwnedMessage {
    let station = Measurement {
        station: MacAddr::new([2, 0, 0, 0, 0x10, 1]),
        class: StationClass::CLIENT,
        timestamp: Timestamp::from(std::time::SystemTime::now()),
        access_points: vec![AccessPointReading {
            access_point: MacAddr::new([2, 0, 0, 0, 0x20, 1]),
            rssi_dbm: -60,
            channel: 6,
            ..AccessPointReading::default()
        }],
        ..Measurement::default()
    };
    OwnedMessage::MeasurementNotification(Measurements {
        stations: vec![station],
    })
}

/// Ends a connection in good order.
pub(crate) fn part<C, S>(stream: &mut StreamOwned<C, TcpStream>)
where
    C: DerefMut + Deref<Target = ConnectionCommon<S>>,
    S: SideData,
{
    stream.conn.send_close_notify();
    // The peer may be gone already.
    drop(stream.flush());
    drop(stream.sock.shutdown(Shutdown::Write));
    drop(stream.sock.set_nonblocking(false));
    drop(stream.sock.set_read_timeout(Some(LINGER)));
    let mut rest = [0; 4096];
    for _ in 0..LINGER_READS {
        if !matches!(stream.sock.read(&mut rest), Ok(1..)) {
            break;
        }
    }
}
