//! NMSP messages as these devices cut them from the stream. The header is that of the built-in wire profile.

use std::io::{self, Read};

/// Version, a byte without meaning, identifier, length of the whole message, transaction.
pub(crate) const HEADER: usize = 12;

/// The longest message that a device takes, as long as it has a bound.
pub(crate) const LONGEST: usize = 64 * 1024;

/// Identifiers that some devices look at themselves.
pub(crate) mod id {
    pub(crate) const CAPABILITY_NOTIFICATION: u16 = 7;
    pub(crate) const SERVICE_SUBSCRIBE_REQUEST: u16 = 30;
    pub(crate) const DISCONNECT_NOTIFICATION: u16 = 130;
}

/// The identifier in a header; zero if the header is not complete.
pub(crate) fn id_of(message: &[u8]) -> u16 {
    match *message {
        [_, _, high, low, ..] => u16::from_be_bytes([high, low]),
        _ => 0,
    }
}

/// The length of the whole message, as its header announces it.
pub(crate) fn announced_length(header: &[u8]) -> usize {
    match *header {
        [_, _, _, _, a, b, c, d, ..] => {
            usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX)
        }
        _ => 0,
    }
}

/// Reads the next message in the right way; `None` at the end of the stream. Of a message with a length that cannot be,
/// only the header is read: the protocol machine refuses it by that.
pub(crate) fn read(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let Some(header) = read_header(stream)? else {
        return Ok(None);
    };
    let mut message = header.to_vec();
    let length = announced_length(&header);
    if (HEADER..=LONGEST).contains(&length) {
        message.resize(length, 0);
        stream.read_exact(message.get_mut(HEADER..).unwrap_or_default())?;
    }
    Ok(Some(message))
}

/// Reads the next header; `None` at the end of the stream.
pub(crate) fn read_header(stream: &mut impl Read) -> io::Result<Option<[u8; HEADER]>> {
    let mut header = [0; HEADER];
    let (first, rest) = header.split_at_mut(1);
    if stream.read(first)? == 0 {
        return Ok(None);
    }
    stream.read_exact(rest)?;
    Ok(Some(header))
}
