//! What the two hellos say that keys depend on.

use super::suite::{Suite, suite};
use crate::capture::error::{TlsProblem, TlsVersion};
use crate::wire::profile::ByteOrder;
use crate::wire::{DecodeError, Reader};

const EXTENSION_ENCRYPT_THEN_MAC: u16 = 22;
const EXTENSION_EARLY_DATA: u16 = 42;
const EXTENSION_SUPPORTED_VERSIONS: u16 = 43;

/// The random of a ServerHello that asks for another ClientHello (RFC 8446 section 4.1.3).
const HELLO_RETRY_REQUEST: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// A ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientHello {
    pub(super) random: [u8; 32],
    pub(super) early_data: bool,
}

/// A ServerHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ServerHello {
    pub(super) random: [u8; 32],
    pub(super) version: TlsVersion,
    pub(super) suite: Suite,
    pub(super) encrypt_then_mac: bool,
}

impl ClientHello {
    pub(super) fn read(body: &[u8]) -> Result<Self, TlsProblem> {
        let mut early_data = false;
        let mut read = || {
            let mut reader = Reader::new(body, 0, ByteOrder::BigEndian);
            reader.u16("version")?;
            let random = reader.array("random")?;
            let session = reader.u8("session id")?;
            reader.take(session.into(), "session id")?;
            let suites = reader.u16("cipher suites")?;
            reader.take(suites.into(), "cipher suites")?;
            let compressions = reader.u8("compression methods")?;
            reader.take(compressions.into(), "compression methods")?;
            extensions(&mut reader, |number, _| {
                early_data |= number == EXTENSION_EARLY_DATA;
            })?;
            Ok::<_, DecodeError>(random)
        };
        let random = read().map_err(|_| TlsProblem::Malformed("the ClientHello is malformed"))?;
        Ok(Self { random, early_data })
    }
}

impl ServerHello {
    /// `None` for a HelloRetryRequest.
    pub(super) fn read(body: &[u8]) -> Result<Option<Self>, TlsProblem> {
        let (mut selected, mut encrypt_then_mac) = (None, false);
        let mut read = || {
            let mut reader = Reader::new(body, 0, ByteOrder::BigEndian);
            let version = reader.u16("version")?;
            let random: [u8; 32] = reader.array("random")?;
            let session = reader.u8("session id")?;
            reader.take(session.into(), "session id")?;
            let number = reader.u16("cipher suite")?;
            reader.u8("compression method")?;
            extensions(&mut reader, |extension, value| match (extension, value) {
                (EXTENSION_SUPPORTED_VERSIONS, [high, low]) => {
                    selected = Some(u16::from_be_bytes([*high, *low]));
                }
                (EXTENSION_ENCRYPT_THEN_MAC, _) => encrypt_then_mac = true,
                _ => {}
            })?;
            Ok::<_, DecodeError>((version, random, number))
        };
        let (version, random, number) =
            read().map_err(|_| TlsProblem::Malformed("the ServerHello is malformed"))?;
        if random == HELLO_RETRY_REQUEST {
            return Ok(None);
        }
        let version = match selected.unwrap_or(version) {
            0x0301 => TlsVersion::Tls10,
            0x0302 => TlsVersion::Tls11,
            0x0303 => TlsVersion::Tls12,
            0x0304 => TlsVersion::Tls13,
            other => return Err(TlsProblem::version(other)),
        };
        let is_of_tls13 = number >> 8 == 0x13;
        let suite = suite(number)
            .filter(|_| is_of_tls13 == (version == TlsVersion::Tls13))
            .ok_or(TlsProblem::CipherSuite {
                suite: number,
                version,
            })?;
        Ok(Some(Self {
            random,
            version,
            suite,
            encrypt_then_mac,
        }))
    }
}

/// Hands over number and value of each extension. Old hellos have none.
fn extensions(reader: &mut Reader<'_>, mut each: impl FnMut(u16, &[u8])) -> Result<(), DecodeError> {
    if reader.is_empty() {
        return Ok(());
    }
    let length = reader.u16("extensions")?;
    let mut reader = reader.sub(length.into(), "extensions")?;
    while !reader.is_empty() {
        let number = reader.u16("extension")?;
        let length = reader.u16("extension")?;
        each(number, reader.take(length.into(), "extension")?);
    }
    Ok(())
}
