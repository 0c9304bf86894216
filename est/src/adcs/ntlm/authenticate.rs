//! The client's second message (MS-NLMP section 2.2.1.3).

use super::challenge::{Challenge, pair};
use super::response::{FileTime, ResponseKey, hmac_md5, utf16};
use super::{ChannelBindingToken, NtlmError, SIGNATURE, VERSION, flag, negotiate_message};
use crate::adcs::WindowsAccount;

/// Tells the server that the message has an integrity code (MS-NLMP section 2.2.2.1).
const AV_FLAG_HAS_INTEGRITY_CODE: u32 = 2;

/// Where the integrity code stands: behind the fields, the flags and the version.
const INTEGRITY_CODE: core::ops::Range<usize> = 72..88;

/// What a login brings besides name and password.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// Eight random bytes.
    pub client_challenge: [u8; 8],
    /// The time, for a server that tells none.
    pub now: FileTime,
    /// The host of the URL; the server may check that it is meant.
    pub host: &'a str,
    /// The channel binding of the TLS connection.
    pub channel_binding: Option<ChannelBindingToken>,
}

/// One login: the first message has been made, the second waits for the challenge.
#[derive(Debug)]
pub struct NtlmLogin {
    negotiate: Vec<u8>,
}

impl NtlmLogin {
    /// A login, and the message that begins it.
    #[must_use]
    pub fn begin() -> (Self, Vec<u8>) {
        let negotiate = negotiate_message();
        let login = Self {
            negotiate: negotiate.clone(),
        };
        (login, negotiate)
    }

    /// The message that answers the challenge.
    ///
    /// # Errors
    /// [`NtlmError`] when the challenge cannot be read.
    pub fn answer(
        self,
        account: &WindowsAccount,
        challenge: &[u8],
        login: &Login<'_>,
    ) -> Result<Vec<u8>, NtlmError> {
        let read = Challenge::from_bytes(challenge)?;
        let timestamp = read.timestamp();
        let has_code = timestamp.is_some();
        let info = target_info(&read, login, has_code);
        let time = timestamp.map_or(login.now, FileTime);
        let responses =
            ResponseKey::new(account).respond(read.server_challenge, login.client_challenge, time, &info);
        // A server that tells its time takes the response of version 2 alone (MS-NLMP section 3.1.5.1.2).
        let lm = if has_code {
            vec![0; 24]
        } else {
            responses.lm.clone()
        };
        let mut message = write(&read, account, &lm, &responses.nt, has_code);
        if has_code {
            let parts = [self.negotiate.as_slice(), challenge, &message];
            let code = hmac_md5(responses.session_key.as_slice(), &parts);
            if let Some(place) = message.get_mut(INTEGRITY_CODE) {
                place.copy_from_slice(&code);
            }
        }
        Ok(message)
    }
}

/// The pairs of the challenge with ours, which replace those of the same kind.
fn target_info(challenge: &Challenge, login: &Login<'_>, has_code: bool) -> Vec<u8> {
    let ours = [pair::FLAGS, pair::TARGET_NAME, pair::CHANNEL_BINDINGS];
    let mut info = Vec::new();
    let mut flags = 0;
    for (id, value) in &challenge.target_info {
        if *id == pair::FLAGS {
            flags = value.as_slice().try_into().map_or(0, u32::from_le_bytes);
        }
        if !ours.contains(id) {
            push_pair(&mut info, *id, value);
        }
    }
    if has_code {
        flags |= AV_FLAG_HAS_INTEGRITY_CODE;
    }
    if flags != 0 {
        push_pair(&mut info, pair::FLAGS, &flags.to_le_bytes());
    }
    if !challenge.target_info.is_empty() {
        // Sixteen zeros say that the client knows of channel bindings and has none.
        let binding = login.channel_binding.map_or([0; 16], |token| token.0);
        push_pair(&mut info, pair::CHANNEL_BINDINGS, &binding);
        let name = format!("HTTP/{}", login.host);
        push_pair(&mut info, pair::TARGET_NAME, &utf16(&name));
        push_pair(&mut info, pair::END, &[]);
    }
    info
}

fn push_pair(info: &mut Vec<u8>, id: u16, value: &[u8]) {
    // The values are those of a challenge within its bound, or a host name.
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    info.extend_from_slice(&id.to_le_bytes());
    info.extend_from_slice(&length.to_le_bytes());
    info.extend_from_slice(value.get(..usize::from(length)).unwrap_or_default());
}

fn write(challenge: &Challenge, account: &WindowsAccount, lm: &[u8], nt: &[u8], has_code: bool) -> Vec<u8> {
    let start = if has_code {
        INTEGRITY_CODE.end
    } else {
        INTEGRITY_CODE.start
    };
    let (domain, user) = (utf16(account.domain()), utf16(account.user()));
    // Neither workstation nor session key.
    let fields = [lm, nt, &domain, &user, &[], &[]];
    let mut message = SIGNATURE.to_vec();
    message.extend_from_slice(&3_u32.to_le_bytes());
    let mut offset = start;
    for field in fields {
        let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
        message.extend_from_slice(&length.to_le_bytes());
        message.extend_from_slice(&length.to_le_bytes());
        message.extend_from_slice(&u32::try_from(offset).unwrap_or(u32::MAX).to_le_bytes());
        offset += field.len();
    }
    let flags = (flag::OURS & challenge.flags) | flag::UNICODE | flag::VERSION;
    message.extend_from_slice(&flags.to_le_bytes());
    message.extend_from_slice(&VERSION);
    message.resize(start, 0);
    for field in fields {
        message.extend_from_slice(field);
    }
    message
}
