//! What can be wrong with a capture: with the file, and with what was captured.

use pki_common::{Diagnose, Failure, Rung};

use super::Direction;
use crate::wire::DecodeError;
use crate::wire::text::hexadecimal;

/// A capture file that cannot be read, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The file has neither of the two formats.
    #[error("the file starts with {}, which is neither pcap nor pcapng", hexadecimal(.start))]
    NotACapture {
        /// Its first bytes, four at most.
        start: Vec<u8>,
    },
    /// The file ends in the middle of a packet, as it does when the capturing program was killed.
    #[error("packet {packet}: the file ends in the middle of it")]
    EndsInPacket {
        /// The number of the packet, the first is 1.
        packet: u64,
    },
    /// The structure of the file is broken; nothing can be read from here on.
    #[error("packet {packet}: {cause}; nothing can be read from here on")]
    MalformedFile {
        /// The number of the packet that would come next.
        packet: u64,
        /// What is wrong.
        cause: String,
    },
    /// A block of pcapng is broken; reading goes on behind it.
    #[error("packet {packet}: {cause}")]
    MalformedBlock {
        /// The number of the packet, or of the one that would come next.
        packet: u64,
        /// What is wrong.
        cause: String,
    },
    /// The operating system could not read.
    #[error("the capture cannot be read: {cause}")]
    Read {
        /// What it said.
        cause: String,
    },
}

impl Diagnose for CaptureError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::NotACapture { .. } => "give a file that tcpdump, dumpcap or Wireshark wrote, unpacked",
            Self::EndsInPacket { .. } => "capture again, and end the capturing program with an interrupt",
            Self::MalformedFile { .. } | Self::MalformedBlock { .. } => {
                "read and write the file with `editcap`, or capture again"
            }
            Self::Read { .. } => "check the file and its permissions",
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

/// Something in the captured traffic that could not be read. What it costs is in the text; reading goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file is broken here.
    #[error(transparent)]
    File(#[from] CaptureError),
    /// A link type that this crate does not take apart.
    #[error(
        "link type {0} is not supported (Ethernet, raw IP, Linux cooked and loopback are); its packets are skipped"
    )]
    LinkType(u32),
    /// A packet for the port that cannot be taken apart.
    #[error("{0}; the packet is skipped")]
    Packet(String),
    /// IP fragments are not put together.
    #[error("an IP fragment, which is not put together; its bytes are missing")]
    Fragment,
    /// The packet was not captured whole.
    #[error(
        "{missing} bytes of the packet were not captured; capture with a greater snap length (tcpdump -s 0)"
    )]
    CutShort {
        /// How many bytes are missing.
        missing: u32,
    },
    /// Segments of a direction are missing.
    #[error("{missing} bytes are missing in the capture; nothing more of this direction can be read")]
    Gap {
        /// How many bytes.
        missing: u64,
    },
    /// More segments wait for a missing one than may be held.
    #[error(
        "{held} bytes wait for {missing} missing ones, more than may be held; nothing more of this direction can be read"
    )]
    TooMuchHeld {
        /// How many bytes wait.
        held: usize,
        /// How many are missing.
        missing: u64,
    },
    /// More connections than may be followed at a time.
    #[error("more than {limit} connections at a time; this one, silent for the longest time, is given up")]
    TooManyConnections {
        /// The limit.
        limit: usize,
    },
    /// A line of the key log.
    #[error("key log line {line}: {cause}; the line is skipped")]
    KeyLog {
        /// The line, the first is 1.
        line: usize,
        /// What is wrong with it. Never the line itself: it may hold a secret.
        cause: &'static str,
    },
    /// The TLS session cannot be read.
    #[error("TLS: {0}")]
    Tls(#[from] TlsProblem),
    /// A message is malformed.
    #[error("{error} in the message at byte {offset} of this direction; {}", if *.lost { "nothing more of it can be read" } else { "reading goes on behind it" })]
    Message {
        /// Where the message starts, in bytes of the direction's plain text.
        offset: u64,
        /// What is wrong.
        error: DecodeError,
        /// Whether the place of the next message is unknown.
        lost: bool,
    },
    /// A direction ends in the middle of a message.
    #[error("the direction ends {held} bytes into a message")]
    Incomplete {
        /// How many bytes of the message there are.
        held: usize,
    },
}

/// Why a TLS session, or the rest of a direction of it, cannot be decrypted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsProblem {
    /// The capture began when the session was there already.
    #[error("the capture does not hold the start of the session; it cannot be decrypted")]
    NoStart,
    /// There is no secret for the session.
    #[error("the key log has no {label} for client random {}; give the key log of this session", hexadecimal(.client_random))]
    NoSecret {
        /// The label in the key log.
        label: &'static str,
        /// What names the session in a key log.
        client_random: [u8; 32],
    },
    /// A cipher suite that is not implemented.
    #[error("cipher suite 0x{suite:04x} with version {version} is not supported")]
    CipherSuite {
        /// The number of the suite (IANA TLS Cipher Suites).
        suite: u16,
        /// The version of TLS.
        version: TlsVersion,
    },
    /// A version that is none of TLS 1.0 to 1.3.
    #[error("version 0x{0:04x} is not supported")]
    Version(u16),
    /// A record does not decrypt.
    #[error(
        "record {record} of this direction does not decrypt: the secret is of another session, or bytes were changed"
    )]
    Decrypt {
        /// Its number since the keys changed, the first is 0.
        record: u64,
    },
    /// A record or a handshake message breaks its format.
    #[error("{0}")]
    Malformed(&'static str),
    /// 0-RTT data, which have keys of their own.
    #[error("early data are not decrypted")]
    EarlyData,
}

impl TlsProblem {
    pub(super) const fn version(version: u16) -> Self {
        Self::Version(version)
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.0 (RFC 2246).
    Tls10,
    /// TLS 1.1 (RFC 4346).
    Tls11,
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl core::fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(match self {
            Self::Tls10 => "TLS 1.0",
            Self::Tls11 => "TLS 1.1",
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}

/// A problem with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The packet at which it showed, the first is 1; 0 if it belongs to none.
    pub packet: u64,
    /// The number of the connection, if it belongs to one.
    pub connection: Option<u32>,
    /// The direction, if it belongs to one.
    pub direction: Option<Direction>,
    /// What is wrong.
    pub problem: Problem,
}

impl core::fmt::Display for Finding {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Errors of the file say the packet themselves.
        if self.packet > 0 && !matches!(self.problem, Problem::File(_)) {
            write!(f, "packet {}", self.packet)?;
            if let Some(connection) = self.connection {
                write!(f, ", connection {connection}")?;
            }
            if let Some(direction) = self.direction {
                write!(f, ", {direction}")?;
            }
            f.write_str(": ")?;
        }
        self.problem.fmt(f)
    }
}
