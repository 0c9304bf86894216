//! NTLM version 2 as a client over HTTP (MS-NLMP, MS-NTHT), without I/O; time and randomness are passed in.
//!
//! Three messages on one connection: the client negotiates, the server challenges (with a 401), the client authenticates;
//! from then on the *connection* is logged in (F002-20). Only the response of version 2 is made, never one of LM or
//! version 1. The message is tied to the two before it by a message integrity code, and to the TLS connection by the
//! server's certificate (RFC 5929 tls-server-end-point), which IIS demands where extended protection is on, as Microsoft
//! recommends for AD CS.
//!
//! | file | what it holds |
//! |---|---|
//! | `challenge.rs` | the server's message |
//! | `response.rs` | what is computed from the password (MS-NLMP section 3.3.2) |
//! | `authenticate.rs` | the client's second message |
//! | `channel_binding.rs` | the certificate of the server as a channel binding |

mod authenticate;
mod challenge;
mod channel_binding;
mod response;

pub use authenticate::{Login, NtlmLogin};
pub use challenge::{Challenge, MAX_CHALLENGE};
pub use channel_binding::ChannelBindingToken;
pub use response::{FileTime, ResponseKey, Responses};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const SIGNATURE: [u8; 8] = *b"NTLMSSP\0";

/// Flags of a negotiation (MS-NLMP section 2.2.2.5).
mod flag {
    pub(super) const UNICODE: u32 = 0x0000_0001;
    pub(super) const REQUEST_TARGET: u32 = 0x0000_0004;
    pub(super) const NTLM: u32 = 0x0000_0200;
    pub(super) const ALWAYS_SIGN: u32 = 0x0000_8000;
    pub(super) const EXTENDED_SESSION_SECURITY: u32 = 0x0008_0000;
    pub(super) const TARGET_INFO: u32 = 0x0080_0000;
    pub(super) const VERSION: u32 = 0x0200_0000;
    pub(super) const KEY_128: u32 = 0x2000_0000;
    pub(super) const KEY_56: u32 = 0x8000_0000;

    /// What this client can. No key exchange: HTTP signs and seals nothing with the session key.
    pub(super) const OURS: u32 = UNICODE
        | REQUEST_TARGET
        | NTLM
        | ALWAYS_SIGN
        | EXTENDED_SESSION_SECURITY
        | TARGET_INFO
        | VERSION
        | KEY_128
        | KEY_56;
}

/// The version of NTLM, revision 15, and of a Windows that has it (MS-NLMP section 2.2.2.10).
const VERSION: [u8; 8] = [10, 0, 0, 0, 0, 0, 0, 15];

/// The first message (MS-NLMP section 2.2.1.1). It names neither domain nor workstation.
#[must_use]
pub fn negotiate_message() -> Vec<u8> {
    let mut message = Vec::with_capacity(40);
    message.extend_from_slice(&SIGNATURE);
    message.extend_from_slice(&1_u32.to_le_bytes());
    message.extend_from_slice(&flag::OURS.to_le_bytes());
    // Neither domain nor workstation: two fields of length 0.
    message.extend_from_slice(&[0; 16]);
    message.extend_from_slice(&VERSION);
    message
}

/// A message as the value of `Authorization`.
#[must_use]
pub fn to_header(message: &[u8]) -> String {
    format!("NTLM {}", STANDARD.encode(message))
}

/// The message of one `WWW-Authenticate` value; `None` when it is of another scheme, or without a message.
///
/// # Errors
/// [`NtlmError::NotBase64`], [`NtlmError::TooLong`]
pub fn from_header(value: &str) -> Result<Option<Vec<u8>>, NtlmError> {
    let Some((scheme, message)) = value.trim().split_once(' ') else {
        return Ok(None);
    };
    if !scheme.eq_ignore_ascii_case("NTLM") {
        return Ok(None);
    }
    if message.len() > MAX_CHALLENGE / 3 * 4 {
        return Err(NtlmError::TooLong);
    }
    STANDARD
        .decode(message.trim())
        .map(Some)
        .map_err(|_| NtlmError::NotBase64)
}

/// A challenge that cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NtlmError {
    /// The value behind the scheme.
    #[error("the NTLM message is not base64")]
    NotBase64,
    /// More bytes than the bound.
    #[error("the NTLM challenge is longer than {MAX_CHALLENGE} bytes")]
    TooLong,
    /// Cut off, or fields that lie outside of it.
    #[error("the NTLM challenge ends within {field}")]
    Truncated {
        /// The field.
        field: &'static str,
    },
    /// Another message.
    #[error("the NTLM message is no challenge")]
    NotAChallenge,
    /// The server does not speak Unicode, which version 2 needs.
    #[error("the NTLM challenge offers no Unicode")]
    NoUnicode,
}

impl pki_common::Diagnose for NtlmError {
    fn diagnose(&self) -> pki_common::Failure {
        let remedy =
            "Check that the server is IIS with Windows authentication; a proxy in between breaks NTLM.";
        pki_common::Failure {
            remedy: remedy.to_owned(),
            ..pki_common::KnownCause::AnswerNotUnderstood
                .failure(format!("{self}."))
                .refused_by(pki_common::Side::Local)
        }
    }
}
