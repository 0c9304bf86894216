//! What can be wrong with bytes, and where.

use core::fmt;

use pki_common::{Diagnose, Failure, KnownCause, Rung, Side};

use super::numbers::TlvType;

/// Bytes that cannot be decoded: what is wrong, in which field, at which byte.
///
/// The rendering is one sentence, for example `byte 14 (TLV value): 9 bytes are announced but only 4 follow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Distance in bytes from the first byte of the message header.
    pub offset: usize,
    /// The field being read, in the words of `PROTOCOL.md`.
    pub field: &'static str,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

impl DecodeError {
    pub(crate) const fn new(offset: usize, field: &'static str, kind: DecodeErrorKind) -> Self {
        Self { offset, field, kind }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {} ({}): {}", self.offset, self.field, self.kind)
    }
}

impl core::error::Error for DecodeError {}

impl Diagnose for DecodeError {
    fn diagnose(&self) -> Failure {
        let remedy = match self.kind {
            DecodeErrorKind::UnsupportedVersion { .. } => {
                "use the wire profile of the peer's protocol version, or check that the peer speaks NMSP at all"
            }
            DecodeErrorKind::LengthBelowHeader { .. } => {
                "check that the peer speaks NMSP, with the header of the same wire profile"
            }
            DecodeErrorKind::MessageTooLong { .. } => {
                "raise the greatest message length (`max_message_length`) if the peer is meant to send so much"
            }
            _ => "check that both peers use the same wire profile (`nmsp profile` prints this side's)",
        };
        Failure::new(Rung::Body, self.to_string(), remedy)
            .refused_by(Side::Local)
            .known_as(KnownCause::AnswerNotUnderstood)
    }
}

/// The ways in which bytes can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The header carries a protocol version that the profile does not speak.
    #[error("protocol version {found}, this profile speaks version {expected}")]
    UnsupportedVersion {
        /// The version in the header.
        found: u32,
        /// The version of the profile.
        expected: u32,
    },
    /// The length field is smaller than the header it is part of (a zero length is one case of this).
    #[error("message length {length} is shorter than the {header}-byte header")]
    LengthBelowHeader {
        /// The length of the whole message as announced.
        length: u64,
        /// The length of the header.
        header: usize,
    },
    /// The announced message is longer than the receiver is willing to hold.
    #[error("message length {length} exceeds the limit of {limit} bytes")]
    MessageTooLong {
        /// The length of the whole message as announced.
        length: u64,
        /// The receiver's limit for a whole message.
        limit: usize,
    },
    /// A field or value needs more bytes than there are.
    #[error("{needed} bytes are needed but only {available} follow")]
    Truncated {
        /// How many bytes the field needs.
        needed: usize,
        /// How many bytes are left.
        available: usize,
    },
    /// A value of fixed length is followed by bytes that belong to nothing.
    #[error("{count} bytes too many")]
    TrailingBytes {
        /// How many bytes are left over.
        count: usize,
    },
    /// An element that may occur once occurs again.
    #[error("TLV {0} occurs a second time and may occur only once")]
    DuplicateTlv(TlvType),
    /// An element that the message cannot do without is absent.
    #[error("the mandatory TLV {0} is missing")]
    MissingTlv(TlvType),
}

/// A value that the profile's layout has no room or no number for. The caller's fault, never the peer's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A TLV value or message is longer than its length field can say.
    #[error("{what} of {length} bytes is longer than its {width}-byte length field can say")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
        /// The width of the length field in bytes.
        width: u8,
    },
    /// A message is longer than the connection carries.
    #[error("{message} of {length} bytes: this connection carries at most {limit} bytes in one message")]
    TooLongToSend {
        /// The message.
        message: &'static str,
        /// Its length in bytes, with the header.
        length: usize,
        /// What the connection carries.
        limit: usize,
    },
    /// The profile gives this message or TLV no number.
    #[error("the wire profile has no number for {0}")]
    NotInProfile(&'static str),
    /// A number does not fit its field.
    #[error("{value} does not fit the {width}-byte field {field}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// The value that does not fit.
        value: u64,
        /// The width of the field in bytes.
        width: u8,
    },
    /// A number is outside of what the field can mean.
    #[error("{field} is not within ±{limit}")]
    NotWithin {
        /// The field.
        field: &'static str,
        /// The greatest amount.
        limit: u32,
    },
    /// A received body that is to be encoded again was never checked.
    #[error("the body cannot be encoded again: {0}")]
    NotDecoded(DecodeError),
}

impl Diagnose for EncodeError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::TooLong { .. } => {
                "put fewer readings or stations into one message, or widen the length field in the wire profile"
            }
            Self::TooLongToSend { .. } => {
                "put fewer stations or readings into one message, or connect over TCP: a message over DTLS is one record"
            }
            Self::NotInProfile(_) => "give it a number in the wire profile, or do not send it",
            Self::OutOfRange { .. } => "use a smaller value, or widen the field in the wire profile",
            Self::NotWithin { .. } => "give a value within the range",
            Self::NotDecoded(_) => "decode the message before it is encoded again",
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_error_says_where_it_is_and_an_encode_error_is_our_own() {
        let kind = DecodeErrorKind::MessageTooLong {
            length: 70_000,
            limit: 65_536,
        };
        let failure = DecodeError::new(4, "message length", kind).diagnose();
        assert_eq!(
            (failure.rung, failure.refused_by),
            (Rung::Body, Some(Side::Local))
        );
        assert!(
            failure.cause.contains("byte 4") && failure.cause.contains("70000"),
            "{failure}"
        );
        assert!(failure.remedy.contains("max_message_length"), "{failure}");
        let failure = EncodeError::NotInProfile("Antenna").diagnose();
        assert_eq!((failure.rung, failure.refused_by), (Rung::Local, None));
    }
}
