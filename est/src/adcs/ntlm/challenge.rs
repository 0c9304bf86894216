//! The server's message (MS-NLMP section 2.2.1.2).

use super::{NtlmError, SIGNATURE, flag};

/// The longest challenge that is read, in bytes. One of a server in a domain has about 300.
pub const MAX_CHALLENGE: usize = 8 * 1024;

/// Identifiers of attribute-value pairs (MS-NLMP section 2.2.2.1).
pub(super) mod pair {
    pub(in crate::adcs::ntlm) const END: u16 = 0;
    pub(in crate::adcs::ntlm) const FLAGS: u16 = 6;
    pub(in crate::adcs::ntlm) const TIMESTAMP: u16 = 7;
    pub(in crate::adcs::ntlm) const TARGET_NAME: u16 = 9;
    pub(in crate::adcs::ntlm) const CHANNEL_BINDINGS: u16 = 10;
}

/// A challenge of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub(super) flags: u32,
    pub(super) server_challenge: [u8; 8],
    /// The attribute-value pairs in their order, without the end.
    pub(super) target_info: Vec<(u16, Vec<u8>)>,
}

impl Challenge {
    /// Reads the message.
    ///
    /// # Errors
    /// [`NtlmError`]
    pub fn from_bytes(message: &[u8]) -> Result<Self, NtlmError> {
        if message.len() > MAX_CHALLENGE {
            return Err(NtlmError::TooLong);
        }
        let signature: [u8; 8] = at(message, 0, "the signature")?;
        let kind = u32::from_le_bytes(at(message, 8, "the message type")?);
        if signature != SIGNATURE || kind != 2 {
            return Err(NtlmError::NotAChallenge);
        }
        let flags = u32::from_le_bytes(at(message, 20, "the flags")?);
        let server_challenge = at(message, 24, "the challenge")?;
        if flags & flag::UNICODE == 0 {
            return Err(NtlmError::NoUnicode);
        }
        let target_info = if flags & flag::TARGET_INFO == 0 {
            Vec::new()
        } else {
            pairs(buffer(message, 40, "the target information")?)?
        };
        Ok(Self {
            flags,
            server_challenge,
            target_info,
        })
    }

    /// The time of the server, in units of 100 ns since 1601, when it tells it.
    #[must_use]
    pub fn timestamp(&self) -> Option<u64> {
        let (_, value) = self.target_info.iter().find(|(id, _)| *id == pair::TIMESTAMP)?;
        Some(u64::from_le_bytes(value.as_slice().try_into().ok()?))
    }
}

/// The bytes at an offset.
fn at<const N: usize>(message: &[u8], offset: usize, field: &'static str) -> Result<[u8; N], NtlmError> {
    message
        .get(offset..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .ok_or(NtlmError::Truncated { field })
}

/// What the length and offset at `offset` point to.
fn buffer<'a>(message: &'a [u8], offset: usize, field: &'static str) -> Result<&'a [u8], NtlmError> {
    let truncated = || NtlmError::Truncated { field };
    let length = usize::from(u16::from_le_bytes(at(message, offset, field)?));
    let start = u32::from_le_bytes(at(message, offset + 4, field)?);
    let start = usize::try_from(start).map_err(|_| truncated())?;
    message
        .get(start..)
        .and_then(|rest| rest.get(..length))
        .ok_or_else(truncated)
}

fn pairs(info: &[u8]) -> Result<Vec<(u16, Vec<u8>)>, NtlmError> {
    const FIELD: &str = "the target information";
    let mut pairs = Vec::new();
    let mut rest = info;
    while !rest.is_empty() {
        let id = u16::from_le_bytes(at(rest, 0, FIELD)?);
        let length = usize::from(u16::from_le_bytes(at(rest, 2, FIELD)?));
        if id == pair::END {
            break;
        }
        let value = rest
            .get(4..)
            .and_then(|rest| rest.get(..length))
            .ok_or(NtlmError::Truncated { field: FIELD })?;
        pairs.push((id, value.to_vec()));
        rest = rest.get(4 + length..).unwrap_or_default();
    }
    Ok(pairs)
}
