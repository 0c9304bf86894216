//! The three messages of NTLM (MS-NLMP section 2.2.1). All numbers are little-endian.

/// What every message begins with.
const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";

/// Negotiate flags (MS-NLMP section 2.2.2.5).
pub(super) mod flags {
    pub(in super::super) const UNICODE: u32 = 0x0000_0001;
    pub(in super::super) const OEM: u32 = 0x0000_0002;
    pub(in super::super) const REQUEST_TARGET: u32 = 0x0000_0004;
    pub(in super::super) const SIGN: u32 = 0x0000_0010;
    pub(in super::super) const SEAL: u32 = 0x0000_0020;
    pub(in super::super) const NTLM: u32 = 0x0000_0200;
    pub(in super::super) const ALWAYS_SIGN: u32 = 0x0000_8000;
    pub(in super::super) const TARGET_TYPE_DOMAIN: u32 = 0x0001_0000;
    pub(in super::super) const EXTENDED_SESSION_SECURITY: u32 = 0x0008_0000;
    pub(in super::super) const TARGET_INFO: u32 = 0x0080_0000;
    pub(in super::super) const VERSION: u32 = 0x0200_0000;
    pub(in super::super) const KEY_128: u32 = 0x2000_0000;
    pub(in super::super) const KEY_EXCHANGE: u32 = 0x4000_0000;
    pub(in super::super) const KEY_56: u32 = 0x8000_0000;
}

/// Numbers of the AV_PAIRs (MS-NLMP section 2.2.2.1).
pub(super) mod av {
    pub(in super::super) const END: u16 = 0;
    pub(in super::super) const COMPUTER: u16 = 1;
    pub(in super::super) const DOMAIN: u16 = 2;
    pub(in super::super) const DNS_COMPUTER: u16 = 3;
    pub(in super::super) const DNS_DOMAIN: u16 = 4;
    pub(in super::super) const FLAGS: u16 = 6;
    pub(in super::super) const TIMESTAMP: u16 = 7;
    /// In the value of [`FLAGS`]: the message has a MIC.
    pub(in super::super) const MIC_PRESENT: u32 = 0x2;
}

/// Version 10.0 build 17763 (Windows Server 2019), NTLM revision 15.
const VERSION: [u8; 8] = [10, 0, 0x63, 0x45, 0, 0, 0, 15];

/// Where the payload of a CHALLENGE begins.
const CHALLENGE_HEADER: usize = 56;

/// Where an AUTHENTICATE has its message integrity code, 16 octets.
pub(super) const MIC_PLACE: core::ops::Range<usize> = 72..88;

/// Which of the three it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum MessageType {
    Negotiate,
    Challenge,
    Authenticate,
}

/// The type of a message, `None` when it is none of NTLM.
pub(in super::super) fn message_type(message: &[u8]) -> Option<MessageType> {
    let rest = message.strip_prefix(SIGNATURE)?;
    match u32_at(rest, 0)? {
        1 => Some(MessageType::Negotiate),
        2 => Some(MessageType::Challenge),
        3 => Some(MessageType::Authenticate),
        _ => None,
    }
}

/// The flags of a NEGOTIATE.
pub(super) fn negotiate_flags(message: &[u8]) -> Option<u32> {
    (message_type(message)? == MessageType::Negotiate).then(|| u32_at(message, 12))?
}

/// Writes a CHALLENGE (MS-NLMP section 2.2.1.2).
pub(super) fn challenge(flags: u32, target: &[u8], server_challenge: [u8; 8], target_info: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(CHALLENGE_HEADER + target.len() + target_info.len());
    message.extend_from_slice(SIGNATURE);
    message.extend_from_slice(&2_u32.to_le_bytes());
    push_field(&mut message, target.len(), CHALLENGE_HEADER);
    message.extend_from_slice(&flags.to_le_bytes());
    message.extend_from_slice(&server_challenge);
    message.extend_from_slice(&[0; 8]);
    push_field(&mut message, target_info.len(), CHALLENGE_HEADER + target.len());
    message.extend_from_slice(&VERSION);
    message.extend_from_slice(target);
    message.extend_from_slice(target_info);
    message
}

/// The length twice (the second is the allocated one), then the offset.
fn push_field(message: &mut Vec<u8>, length: usize, offset: usize) {
    let length = u16::try_from(length).expect("names of the settings are checked to be short");
    let offset = u32::try_from(offset).expect("names of the settings are checked to be short");
    message.extend_from_slice(&length.to_le_bytes());
    message.extend_from_slice(&length.to_le_bytes());
    message.extend_from_slice(&offset.to_le_bytes());
}

/// Writes one AV_PAIR.
pub(super) fn push_av_pair(pairs: &mut Vec<u8>, id: u16, value: &[u8]) {
    let length = u16::try_from(value.len()).expect("names of the settings are checked to be short");
    pairs.extend_from_slice(&id.to_le_bytes());
    pairs.extend_from_slice(&length.to_le_bytes());
    pairs.extend_from_slice(value);
}

/// An AUTHENTICATE (MS-NLMP section 2.2.1.3).
#[derive(Debug)]
pub(super) struct Authenticate<'a> {
    pub(super) nt_response: &'a [u8],
    pub(super) domain: String,
    pub(super) user: String,
    pub(super) encrypted_session_key: &'a [u8],
    pub(super) flags: u32,
}

impl<'a> Authenticate<'a> {
    /// Reads one. `None` when it is cut off or a field points outside.
    pub(super) fn parse(message: &'a [u8]) -> Option<Self> {
        if message_type(message)? != MessageType::Authenticate {
            return None;
        }
        let flags = u32_at(message, 60)?;
        let text = |at| field(message, at).map(|bytes| text(bytes, flags));
        Some(Self {
            nt_response: field(message, 20)?,
            domain: text(28)?,
            user: text(36)?,
            encrypted_session_key: field(message, 52)?,
            flags,
        })
    }
}

/// A name: UTF-16, or one octet a character. What curl sends as OEM are the octets it was given, and it hashes them
/// one by one.
fn text(bytes: &[u8], flags: u32) -> String {
    if flags & flags::UNICODE == 0 {
        return bytes.iter().copied().map(char::from).collect();
    }
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .filter_map(|unit| unit.try_into().ok().map(u16::from_le_bytes))
        .collect();
    String::from_utf16_lossy(&units)
}

/// The part of the payload that the descriptor at `at` points to.
fn field(message: &[u8], at: usize) -> Option<&[u8]> {
    let length = usize::from(u16_at(message, at)?);
    let offset = usize::try_from(u32_at(message, at.checked_add(4)?)?).ok()?;
    if length == 0 {
        return Some(&[]);
    }
    message.get(offset..offset.checked_add(length)?)
}

/// What follows the 16 octets of proof in an NTLMv2 response (MS-NLMP section 2.2.2.7).
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientBlob<'a>(pub(super) &'a [u8]);

impl<'a> ClientBlob<'a> {
    /// The value of an AV_PAIR.
    pub(super) fn av_pair(self, wanted: u16) -> Option<&'a [u8]> {
        let mut rest = self.0.get(28..)?;
        loop {
            let id = u16_at(rest, 0)?;
            let length = usize::from(u16_at(rest, 2)?);
            let value = rest.get(4..4 + length)?;
            if id == wanted {
                return Some(value);
            }
            if id == av::END {
                return None;
            }
            rest = rest.get(4 + length..)?;
        }
    }

    /// Whether the client says that its message has a MIC.
    pub(super) fn has_mic(self) -> bool {
        self.av_pair(av::FLAGS)
            .and_then(|value| u32_at(value, 0))
            .is_some_and(|flags| flags & av::MIC_PRESENT != 0)
    }
}

pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let octets = bytes.get(at..at.checked_add(2)?)?;
    octets.try_into().ok().map(u16::from_le_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let octets = bytes.get(at..at.checked_add(4)?)?;
    octets.try_into().ok().map(u32::from_le_bytes)
}
