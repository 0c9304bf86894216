//! Packets from a capture file: pcap in its four forms, pcapng with its sections and interfaces.

use core::time::Duration;
use std::borrow::Cow;
use std::io::Read;

use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::{PcapNgReader, RawBlock};
use pcap_file::{DataLink, Endianness, PcapError, TsResolution};

use super::error::CaptureError;
use crate::wire::Reader;
use crate::wire::profile::ByteOrder;

/// Block types of pcapng that `pcap-file` leaves to its callers (draft-ietf-opsawg-pcapng section 4).
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 10;

/// Secrets in the format of NSS, in a Decryption Secrets Block.
const SECRETS_TLS_KEY_LOG: u32 = 0x544c_534b;

/// The first bytes of both formats.
const PCAPNG_MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const PCAP_MAGICS: [[u8; 4]; 4] = [
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x4d, 0x3c, 0xb2, 0xa1],
];

/// Whether a file that starts like this is a capture.
///
/// ```
/// assert!(nmsp::capture::is_capture(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0]));
/// assert!(!nmsp::capture::is_capture(&[1, 0, 0, 1, 0, 0, 0, 12]));
/// ```
#[must_use]
pub fn is_capture(start: &[u8]) -> bool {
    start
        .first_chunk()
        .is_some_and(|magic| *magic == PCAPNG_MAGIC || PCAP_MAGICS.contains(magic))
}

/// One packet as it stands in the file.
#[derive(Clone, Debug)]
pub struct Packet<'a> {
    /// Its number in the file, the first is 1, as Wireshark counts.
    pub number: u64,
    /// When it was captured, since 1970-01-01T00:00:00Z.
    pub time: Duration,
    /// The link type, a number of the tcpdump registry.
    pub link_type: u32,
    /// The captured bytes.
    pub data: Cow<'a, [u8]>,
    /// How many bytes of it were not captured because of the snap length.
    pub missing: u32,
}

/// What stands in a file.
#[derive(Debug)]
pub(super) enum Record<'a> {
    Packet(Packet<'a>),
    /// A key log in the file itself.
    Secrets(Cow<'a, [u8]>),
}

/// Reads packets one after the other, in bounded memory.
pub(super) struct PacketReader<R: Read> {
    format: Format<R>,
    /// Packets (pcap) or blocks (pcapng) read so far.
    packets: u64,
    interfaces: Vec<Interface>,
    ended: bool,
}

enum Format<R: Read> {
    Pcap(PcapReader<R>),
    PcapNg(PcapNgReader<R>),
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link_type: u32,
    snap_length: u32,
    resolution: Resolution,
    /// Seconds to add to every time stamp.
    offset: u64,
}

/// The unit of a time stamp: a negative power of ten or of two, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Resolution(u8);

impl Resolution {
    const MICROSECONDS: Self = Self(6);

    fn units_per_second(self) -> Option<u64> {
        let exponent = u32::from(self.0 & 0x7f);
        if self.0 & 0x80 == 0 {
            10_u64.checked_pow(exponent)
        } else {
            1_u64.checked_shl(exponent)
        }
    }

    /// A count of units as time. Units too small to count a second in 64 bits are taken as zero: no clock has them.
    fn time(self, units: u64) -> Duration {
        let Some(per_second) = self.units_per_second() else {
            return Duration::ZERO;
        };
        let rest = u128::from(units % per_second) * 1_000_000_000 / u128::from(per_second);
        Duration::new(units / per_second, u32::try_from(rest).unwrap_or_default())
    }
}

impl<R: Read> core::fmt::Debug for PacketReader<R> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PacketReader")
            .field("packets", &self.packets)
            .finish_non_exhaustive()
    }
}

impl<R: Read> PacketReader<std::io::Chain<std::io::Cursor<Vec<u8>>, R>> {
    /// Reads the head of a file.
    pub(super) fn new(mut input: R) -> Result<Self, CaptureError> {
        let mut start = Vec::with_capacity(4);
        input
            .by_ref()
            .take(4)
            .read_to_end(&mut start)
            .map_err(|error| CaptureError::read(&error))?;
        if !is_capture(&start) {
            return Err(CaptureError::NotACapture { start });
        }
        let is_pcapng = start == PCAPNG_MAGIC;
        let input = std::io::Cursor::new(start).chain(input);
        let format = if is_pcapng {
            PcapNgReader::new(input).map(Format::PcapNg)
        } else {
            PcapReader::new(input).map(Format::Pcap)
        };
        Ok(Self {
            format: format.map_err(|error| CaptureError::file(0, &error))?,
            packets: 0,
            interfaces: Vec::new(),
            ended: false,
        })
    }
}

impl<R: Read> PacketReader<R> {
    /// The next packet or secrets. After an error there is nothing more: the place of the next packet is not known.
    pub(super) fn next(&mut self) -> Option<Result<Record<'_>, CaptureError>> {
        if self.ended {
            return None;
        }
        if matches!(self.format, Format::PcapNg(_)) {
            return self.next_of_pcapng();
        }
        let Format::Pcap(reader) = &mut self.format else {
            return None;
        };
        let header = reader.header();
        let unit = match header.ts_resolution {
            TsResolution::NanoSecond => 1,
            TsResolution::MicroSecond => 1000,
        };
        match reader.next_raw_packet()? {
            Ok(raw) => {
                self.packets += 1;
                let fraction = Duration::from_nanos(u64::from(raw.ts_frac) * unit);
                Some(Ok(Record::Packet(Packet {
                    number: self.packets,
                    time: Duration::from_secs(raw.ts_sec.into()) + fraction,
                    link_type: link_number(header.datalink),
                    missing: raw.orig_len.saturating_sub(raw.incl_len),
                    data: raw.data,
                })))
            }
            Err(error) => {
                self.ended = true;
                Some(Err(CaptureError::file(self.packets + 1, &error)))
            }
        }
    }

    fn next_of_pcapng(&mut self) -> Option<Result<Record<'_>, CaptureError>> {
        let Self {
            format: Format::PcapNg(reader),
            packets,
            interfaces,
            ended,
        } = self
        else {
            return None;
        };
        loop {
            // A new section has its own byte order and interfaces.
            let known = reader.interfaces().len();
            if known < interfaces.len() {
                interfaces.clear();
            }
            for description in reader.interfaces().iter().skip(interfaces.len()) {
                interfaces.push(interface(description));
            }
            let order = match reader.section().endianness {
                Endianness::Big => ByteOrder::BigEndian,
                Endianness::Little => ByteOrder::LittleEndian,
            };
            let block = match reader.next_raw_block()? {
                Ok(block) => block,
                Err(error) => {
                    *ended = true;
                    return Some(Err(CaptureError::file(*packets + 1, &error)));
                }
            };
            if let Some(outcome) = record(&block, order, interfaces, *packets + 1) {
                if !matches!(outcome, Ok(Record::Secrets(_))) {
                    *packets += 1;
                }
                return Some(outcome);
            }
        }
    }
}

/// What a block holds; `None` for blocks that are of no interest. A malformed block does not stop the reading.
fn record(
    block: &RawBlock<'_>,
    order: ByteOrder,
    interfaces: &[Interface],
    number: u64,
) -> Option<Result<Record<'static>, CaptureError>> {
    let reader = Reader::new(&block.body, 8, order);
    let outcome = match block.type_ {
        ENHANCED_PACKET => enhanced_packet(reader, interfaces, number),
        SIMPLE_PACKET => simple_packet(reader, interfaces, number),
        DECRYPTION_SECRETS => return secrets(reader, number).transpose(),
        _ => return None,
    };
    Some(outcome.map(Record::Packet))
}

fn unknown_interface(number: u64, interface: u32) -> CaptureError {
    CaptureError::MalformedBlock {
        packet: number,
        cause: format!("interface {interface} has not been described"),
    }
}

fn enhanced_packet(
    mut reader: Reader<'_>,
    interfaces: &[Interface],
    number: u64,
) -> Result<Packet<'static>, CaptureError> {
    let broken = |error: crate::wire::DecodeError| CaptureError::MalformedBlock {
        packet: number,
        cause: error.to_string(),
    };
    let id = reader.u32("interface").map_err(broken)?;
    let high = reader.u32("timestamp").map_err(broken)?;
    let low = reader.u32("timestamp").map_err(broken)?;
    let captured = reader.u32("captured length").map_err(broken)?;
    let original = reader.u32("original length").map_err(broken)?;
    let length = usize::try_from(captured).unwrap_or(usize::MAX);
    let data = reader.take(length, "packet").map_err(broken)?;
    let interface = usize::try_from(id).ok().and_then(|index| interfaces.get(index));
    let interface = interface.ok_or_else(|| unknown_interface(number, id))?;
    let units = u64::from(high) << 32 | u64::from(low);
    Ok(Packet {
        number,
        time: interface
            .resolution
            .time(units)
            .saturating_add(Duration::from_secs(interface.offset)),
        link_type: interface.link_type,
        missing: original.saturating_sub(captured),
        data: Cow::Owned(data.to_vec()),
    })
}

/// A Simple Packet Block has neither time nor captured length.
fn simple_packet(
    mut reader: Reader<'_>,
    interfaces: &[Interface],
    number: u64,
) -> Result<Packet<'static>, CaptureError> {
    let original = reader
        .u32("original length")
        .map_err(|error| CaptureError::MalformedBlock {
            packet: number,
            cause: error.to_string(),
        })?;
    let interface = interfaces.first().ok_or_else(|| unknown_interface(number, 0))?;
    let limit = match interface.snap_length {
        0 => original,
        snap_length => original.min(snap_length),
    };
    let data = reader.rest();
    let length = usize::try_from(limit).unwrap_or(usize::MAX).min(data.len());
    let captured = u32::try_from(length).unwrap_or(u32::MAX);
    Ok(Packet {
        number,
        time: Duration::ZERO,
        link_type: interface.link_type,
        missing: original.saturating_sub(captured),
        data: Cow::Owned(data.get(..length).unwrap_or_default().to_vec()),
    })
}

fn secrets(mut reader: Reader<'_>, number: u64) -> Result<Option<Record<'static>>, CaptureError> {
    let broken = |error: crate::wire::DecodeError| CaptureError::MalformedBlock {
        packet: number,
        cause: error.to_string(),
    };
    let kind = reader.u32("secrets type").map_err(broken)?;
    let length = reader.u32("secrets length").map_err(broken)?;
    if kind != SECRETS_TLS_KEY_LOG {
        return Ok(None);
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let data = reader.take(length, "secrets").map_err(broken)?;
    Ok(Some(Record::Secrets(Cow::Owned(data.to_vec()))))
}

fn interface(description: &InterfaceDescriptionBlock<'_>) -> Interface {
    let mut interface = Interface {
        link_type: link_number(description.linktype),
        snap_length: description.snaplen,
        resolution: Resolution::MICROSECONDS,
        offset: 0,
    };
    for option in &description.options {
        match option {
            InterfaceDescriptionOption::IfTsResol(value) => interface.resolution = Resolution(*value),
            InterfaceDescriptionOption::IfTsOffset(seconds) => interface.offset = *seconds,
            _ => {}
        }
    }
    interface
}

/// The upper half of the field tells about checksums; only the lower half is the type.
fn link_number(link: DataLink) -> u32 {
    u32::from(link) & 0xffff
}

impl CaptureError {
    /// An error of the library at a packet.
    fn file(packet: u64, error: &PcapError) -> Self {
        match error {
            PcapError::IoError(source) if source.kind() == std::io::ErrorKind::UnexpectedEof => {
                Self::EndsInPacket { packet }
            }
            PcapError::IoError(source) => Self::read(source),
            other => Self::MalformedFile {
                packet,
                cause: other.to_string(),
            },
        }
    }

    fn read(error: &std::io::Error) -> Self {
        Self::Read {
            cause: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Number, time, link type and bytes.
    type Found = (u64, Duration, u32, Vec<u8>);

    fn packets(bytes: &[u8]) -> Vec<Result<Found, CaptureError>> {
        let mut reader = PacketReader::new(bytes).unwrap();
        let mut found = Vec::new();
        while let Some(record) = reader.next() {
            match record {
                Ok(Record::Packet(packet)) => {
                    let link = packet.link_type;
                    found.push(Ok((packet.number, packet.time, link, packet.data.into_owned())));
                }
                Ok(Record::Secrets(text)) => {
                    found.push(Ok((0, Duration::ZERO, 0, text.into_owned())));
                }
                Err(error) => found.push(Err(error)),
            }
        }
        found
    }

    fn pcap(magic: u32, big_endian: bool, fraction: u32) -> Vec<u8> {
        let word = |value: u32| {
            if big_endian {
                value.to_be_bytes()
            } else {
                value.to_le_bytes()
            }
        };
        let half = |value: u16| {
            if big_endian {
                value.to_be_bytes()
            } else {
                value.to_le_bytes()
            }
        };
        let mut out = word(magic).to_vec();
        out.extend([half(2), half(4)].concat());
        out.extend([word(0), word(0), word(65_535), word(101)].concat());
        out.extend([word(1_433_612_873), word(fraction), word(3), word(3)].concat());
        out.extend([7, 8, 9]);
        out
    }

    #[test]
    fn reads_the_four_forms_of_pcap() {
        for big_endian in [true, false] {
            for (magic, fraction) in [(0xa1b2_c3d4, 250_000), (0xa1b2_3c4d, 250_000_000)] {
                let found = packets(&pcap(magic, big_endian, fraction));
                let time = Duration::from_millis(1_433_612_873_250);
                assert_eq!(found, [Ok((1, time, 101, vec![7, 8, 9]))]);
            }
        }
    }

    #[test]
    fn says_in_which_packet_a_file_ends() {
        let whole = pcap(0xa1b2_c3d4, true, 0);
        for length in 25..whole.len() {
            let found = packets(&whole[..length]);
            assert_eq!(found, [Err(CaptureError::EndsInPacket { packet: 1 })], "{length}");
        }
    }

    fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let padding = vec![0; (4 - body.len() % 4) % 4];
        let length = u32::try_from(12 + body.len() + padding.len())
            .unwrap()
            .to_le_bytes();
        [&kind.to_le_bytes()[..], &length, body, &padding, &length].concat()
    }

    fn section() -> Vec<u8> {
        let body = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
        block(0x0a0d_0d0a, &body)
    }

    fn enhanced(interface: u32, units: u64, data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap().to_le_bytes();
        let (high, low) = (
            u32::try_from(units >> 32).unwrap(),
            u32::try_from(units & 0xffff_ffff).unwrap(),
        );
        let head = [interface, high, low].map(u32::to_le_bytes).concat();
        block(6, &[&head[..], &length, &length, data].concat())
    }

    #[test]
    fn reads_pcapng_with_interfaces_of_different_units_and_secrets() {
        let interface =
            |link: u8, options: &[u8]| block(1, &[&[link, 0, 0, 0, 0, 0, 0, 0], options].concat());
        let mut file = section();
        file.extend(interface(1, &[]));
        // Time stamps in units of 2^-10 seconds, 100 s later.
        let options = [
            9, 0, 1, 0, 0x8a, 0, 0, 0, 14, 0, 8, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        file.extend(interface(113, &options));
        let secrets = [
            &SECRETS_TLS_KEY_LOG.to_le_bytes()[..],
            &3_u32.to_le_bytes(),
            b"abc",
        ]
        .concat();
        file.extend(block(10, &secrets));
        file.extend(enhanced(0, 1_500_000, &[1, 2, 3, 4, 5]));
        file.extend(enhanced(9, 0, &[6]));
        file.extend(enhanced(1, 1024 * 5 + 512, &[7]));
        file.extend(block(3, &[2, 0, 0, 0, 8, 9, 0, 0]));
        // The second section starts with interfaces of its own.
        file.extend(section());
        file.extend(interface(101, &[]));
        file.extend(enhanced(0, 7, &[10]));
        let found = packets(&file);
        assert_eq!(found[0], Ok((0, Duration::ZERO, 0, b"abc".to_vec())));
        assert_eq!(
            found[1],
            Ok((1, Duration::from_millis(1500), 1, vec![1, 2, 3, 4, 5]))
        );
        let error = found[2].as_ref().unwrap_err().to_string();
        assert_eq!(error, "packet 2: interface 9 has not been described");
        assert_eq!(found[3], Ok((3, Duration::from_millis(105_500), 113, vec![7])));
        assert_eq!(found[4], Ok((4, Duration::ZERO, 1, vec![8, 9])));
        assert_eq!(found[5], Ok((5, Duration::from_micros(7), 101, vec![10])));
        assert_eq!(found.len(), 6);
    }

    #[test]
    fn refuses_what_is_no_capture() {
        let error = PacketReader::new(&[1_u8, 0, 0, 1][..]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the file starts with 01000001, which is neither pcap nor pcapng"
        );
    }
}
