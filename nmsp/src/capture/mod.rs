//! Captures (pcap, pcapng): from packets to NMSP messages, through TCP and TLS.
//!
//! No I/O but a [`Read`]. [`Capture`] reads a file and gives [`Item`]s in the order of the packets: connections, messages,
//! alerts, and everything that could not be read, with its packet. What is decrypted is decrypted with the secrets of a key
//! log ([`KeyLog`], the format of `SSLKEYLOGFILE`), or with those in the capture itself (Decryption Secrets Blocks of
//! pcapng, which must stand before the packets they are for). Supported are TLS 1.0 to 1.3 with AES-GCM,
//! ChaCha20-Poly1305 and AES-CBC; links are Ethernet with or without VLANs, raw IP, Linux cooked (1 and 2) and loopback.
//!
//! Checksums are not compared, because network cards compute them after a capture sees the packet. IP fragments are not put
//! together. Behind a gap nothing more of that direction is read: neither TLS records nor messages can be found again.
//!
//! ```
//! use nmsp::capture::{Capture, Item, Options};
//!
//! # let file: &[u8] = &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
//! let mut capture = Capture::new(file, Options::default())?;
//! while let Some(item) = capture.next_item() {
//!     if let Item::Message(message) = item {
//!         println!("packet {}: {} bytes {}", message.packet, message.bytes.len(), message.direction);
//!     }
//! }
//! # Ok::<(), nmsp::capture::CaptureError>(())
//! ```

mod analysis;
mod connection;
pub(crate) mod cutter;
mod error;
mod file;
mod key_log;
mod link;
mod reassembly;
mod tls;

pub mod oracle;

use core::fmt;
use core::time::Duration;
use std::io::{Cursor, Read};
use std::net::SocketAddr;
use std::sync::Arc;

pub use analysis::Analysis;
pub use error::{CaptureError, Finding, Problem, TlsProblem, TlsVersion};
pub use file::{Packet, is_capture};
pub use key_log::{KeyLog, MAX_SESSIONS};
pub use reassembly::DEFAULT_MAX_HELD_BYTES;

use crate::wire::{DEFAULT_MAX_MESSAGE_LENGTH, WireProfile};
use file::{PacketReader, Record};

/// The port that is looked for: that of controllers (Cisco documents 200906 and 214729).
pub const DEFAULT_PORT: u16 = 16_113;

/// How many connections are followed at a time. A controller takes ten location servers and a capture of a whole network
/// holds some hundred controllers; a port scan must not cost memory.
pub const DEFAULT_MAX_CONNECTIONS: usize = 4096;

/// Raw IP, the link type of packets that stand there without a frame.
const RAW_IP: u32 = 101;

/// What a message or a problem belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the location server, the client of TCP and TLS.
    ToController,
    /// From the controller.
    ToLocationServer,
}

impl Direction {
    /// The other one.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::ToController => Self::ToLocationServer,
            Self::ToLocationServer => Self::ToController,
        }
    }

    /// The name in JSON and session files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ToController => "to-controller",
            Self::ToLocationServer => "to-location-server",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ToController => "to the controller",
            Self::ToLocationServer => "to the location server",
        })
    }
}

/// What to look for and how much to hold.
#[derive(Clone, Debug)]
pub struct Options {
    /// The ports of controllers; a connection to one of them is followed. Default: [`DEFAULT_PORT`].
    pub ports: Vec<u16>,
    /// The profile that messages are cut with. Default: the built-in one.
    pub profile: Arc<WireProfile>,
    /// The longest message. Default: [`DEFAULT_MAX_MESSAGE_LENGTH`].
    pub max_message_length: usize,
    /// Connections at a time. Default: [`DEFAULT_MAX_CONNECTIONS`].
    pub max_connections: usize,
    /// Bytes that may wait for missing segments, of all connections. Default: [`DEFAULT_MAX_HELD_BYTES`].
    pub max_held_bytes: usize,
    /// The secrets of TLS sessions. Default: none.
    pub key_log: KeyLog,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ports: vec![DEFAULT_PORT],
            profile: Arc::clone(WireProfile::built_in()),
            max_message_length: DEFAULT_MAX_MESSAGE_LENGTH,
            max_connections: DEFAULT_MAX_CONNECTIONS,
            max_held_bytes: DEFAULT_MAX_HELD_BYTES,
            key_log: KeyLog::default(),
        }
    }
}

/// A message as it was on the wire, without TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedMessage {
    /// The number of the connection in the capture, the first is 1.
    pub connection: u32,
    /// Who sent it.
    pub direction: Direction,
    /// The packet that completed it, the first is 1.
    pub packet: u64,
    /// When that packet was captured, since 1970-01-01T00:00:00Z.
    pub time: Duration,
    /// Where it starts, in bytes of the direction's plain text.
    pub offset: u64,
    /// Header and body.
    pub bytes: Vec<u8>,
}

/// What a capture holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// The first packet of a connection.
    Connection {
        /// Its number, the first is 1.
        connection: u32,
        /// The packet.
        packet: u64,
        /// When.
        time: Duration,
        /// Address and port of the location server.
        location_server: SocketAddr,
        /// Address and port of the controller.
        controller: SocketAddr,
    },
    /// A TLS session agreed on version and cipher suite.
    Tls {
        /// The connection.
        connection: u32,
        /// The packet.
        packet: u64,
        /// The version.
        version: TlsVersion,
        /// The cipher suite's name in the registry of IANA.
        suite: &'static str,
    },
    /// A message.
    Message(CapturedMessage),
    /// A TLS alert that could be read.
    Alert {
        /// The connection.
        connection: u32,
        /// Who sent it.
        direction: Direction,
        /// The packet.
        packet: u64,
        /// When.
        time: Duration,
        /// Whether it ends the session.
        fatal: bool,
        /// The number of the alert (RFC 8446 section 6).
        description: u8,
    },
    /// Something that could not be read.
    Problem(Finding),
}

/// Reads a capture file.
#[derive(Debug)]
pub struct Capture<R: Read> {
    packets: PacketReader<std::io::Chain<Cursor<Vec<u8>>, R>>,
    analysis: Analysis,
    finished: bool,
}

impl<R: Read> Capture<R> {
    /// Reads the head of a file.
    ///
    /// # Errors
    /// If it is no capture.
    pub fn new(input: R, options: Options) -> Result<Self, CaptureError> {
        Ok(Self {
            packets: PacketReader::new(input)?,
            analysis: Analysis::new(options),
            finished: false,
        })
    }

    /// The next thing in the capture. Nothing is read ahead but the rest of the packet that the last item came from.
    pub fn next_item(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.analysis.next_item() {
                return Some(item);
            }
            if self.finished {
                return None;
            }
            match self.packets.next() {
                Some(Ok(Record::Packet(packet))) => self.analysis.packet(&packet),
                Some(Ok(Record::Secrets(text))) => self.analysis.secrets(&String::from_utf8_lossy(&text)),
                Some(Err(error)) => self.analysis.broken(error),
                None => {
                    self.finished = true;
                    self.analysis.finish();
                }
            }
        }
    }
}

/// Whether these bytes are one whole IP packet with TCP in it, as `tcpdump -X` prints packets.
#[must_use]
pub fn is_whole_tcp_packet(bytes: &[u8]) -> bool {
    link::is_whole_tcp_packet(bytes)
}

/// A raw IP packet that came from somewhere else than a capture file.
#[must_use]
pub fn raw_ip_packet(number: u64, bytes: &[u8]) -> Packet<'_> {
    Packet {
        number,
        time: Duration::ZERO,
        link_type: RAW_IP,
        data: bytes.into(),
        missing: 0,
    }
}
