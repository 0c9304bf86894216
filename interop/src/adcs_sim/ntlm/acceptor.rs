//! One NTLM handshake, from the client's first message to the verdict.

use subtle::ConstantTimeEq as _;

use super::keys;
use super::message::{
    self, Authenticate, ClientBlob, MIC_PLACE, av, flags, negotiate_flags, push_av_pair, utf16,
};

/// Seconds from 1601, where the clock of Windows begins, to 1970.
const WINDOWS_EPOCH: u64 = 11_644_473_600;

/// How the server and its domain are called.
#[derive(Clone, Debug)]
pub(in super::super) struct ServerNames {
    /// The NetBIOS name of the domain, like `MICHAMEN`.
    pub(in super::super) domain: String,
    /// The DNS name of the domain, like `michamen.com`.
    pub(in super::super) dns_domain: String,
    /// The NetBIOS name of the server.
    pub(in super::super) computer: String,
}

/// Why an AUTHENTICATE was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum NtlmRefusal {
    /// It is no such message, or it is damaged: `SEC_E_INVALID_TOKEN`.
    InvalidToken,
    /// User, domain or password are wrong: `SEC_E_LOGON_DENIED`.
    LogonDenied,
    /// The message was changed on its way: `SEC_E_MESSAGE_ALTERED`.
    MessageAltered,
}

/// A handshake whose challenge has been sent. It belongs to one TCP connection.
#[derive(Debug)]
pub(in super::super) struct Handshake {
    negotiate: Vec<u8>,
    challenge: Vec<u8>,
    server_challenge: [u8; 8],
}

impl Handshake {
    /// Answers a NEGOTIATE. `now` is in seconds since the Unix epoch. `None` when it is none.
    pub(in super::super) fn begin(
        negotiate: &[u8],
        names: &ServerNames,
        server_challenge: [u8; 8],
        now: u64,
    ) -> Option<Self> {
        let offered = negotiate_flags(negotiate)?;
        let unicode = offered & flags::UNICODE != 0;
        let echoed = flags::SIGN
            | flags::SEAL
            | flags::ALWAYS_SIGN
            | flags::EXTENDED_SESSION_SECURITY
            | flags::VERSION
            | flags::KEY_128
            | flags::KEY_EXCHANGE
            | flags::KEY_56;
        let chosen = (offered & echoed)
            | if unicode { flags::UNICODE } else { flags::OEM }
            | flags::REQUEST_TARGET
            | flags::NTLM
            | flags::TARGET_TYPE_DOMAIN
            | flags::TARGET_INFO;
        let target = if unicode {
            utf16(&names.domain)
        } else {
            names.domain.clone().into_bytes()
        };
        Some(Self {
            negotiate: negotiate.to_vec(),
            challenge: message::challenge(chosen, &target, server_challenge, &target_info(names, now)),
            server_challenge,
        })
    }

    /// The CHALLENGE to send.
    pub(in super::super) fn challenge(&self) -> &[u8] {
        &self.challenge
    }

    /// Checks an AUTHENTICATE. `password_of` knows the password of a user in a domain.
    ///
    /// Returns the user's name as the client wrote it, without the domain.
    pub(in super::super) fn finish<'p>(
        &self,
        authenticate: &[u8],
        password_of: impl FnOnce(&str, &str) -> Option<&'p str>,
    ) -> Result<String, NtlmRefusal> {
        let message = Authenticate::parse(authenticate).ok_or(NtlmRefusal::InvalidToken)?;
        let (proof, blob) = message
            .nt_response
            .split_first_chunk::<16>()
            .ok_or(NtlmRefusal::LogonDenied)?;
        let password = password_of(&message.domain, &message.user).ok_or(NtlmRefusal::LogonDenied)?;
        let key = keys::response_key(password, &message.user, &message.domain);
        let expected = keys::proof(&key, &self.server_challenge, blob);
        if !bool::from(expected.ct_eq(proof)) {
            return Err(NtlmRefusal::LogonDenied);
        }
        if ClientBlob(blob).has_mic() {
            let encrypted =
                (message.flags & flags::KEY_EXCHANGE != 0).then_some(message.encrypted_session_key);
            let session_key = keys::session_key(&key, proof, encrypted);
            let mic = keys::mic(&session_key, &self.negotiate, &self.challenge, authenticate);
            let sent = authenticate.get(MIC_PLACE).ok_or(NtlmRefusal::InvalidToken)?;
            if !bool::from(mic.ct_eq(sent)) {
                return Err(NtlmRefusal::MessageAltered);
            }
        }
        Ok(message.user)
    }
}

/// The names, and the time: a client that finds it adds a MIC to its answer.
fn target_info(names: &ServerNames, now: u64) -> Vec<u8> {
    let mut pairs = Vec::new();
    let dns_computer = format!("{}.{}", names.computer.to_lowercase(), names.dns_domain);
    for (id, name) in [
        (av::DOMAIN, &names.domain),
        (av::COMPUTER, &names.computer),
        (av::DNS_DOMAIN, &names.dns_domain),
        (av::DNS_COMPUTER, &dns_computer),
    ] {
        push_av_pair(&mut pairs, id, &utf16(name));
    }
    let ticks = now.saturating_add(WINDOWS_EPOCH).saturating_mul(10_000_000);
    push_av_pair(&mut pairs, av::TIMESTAMP, &ticks.to_le_bytes());
    push_av_pair(&mut pairs, av::END, &[]);
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> ServerNames {
        ServerNames {
            domain: "MICHAMEN".to_owned(),
            dns_domain: "michamen.com".to_owned(),
            computer: "LAB-DC".to_owned(),
        }
    }

    fn begun() -> Handshake {
        let mut negotiate = b"NTLMSSP\0\x01\0\0\0".to_vec();
        negotiate.extend((flags::UNICODE | flags::KEY_EXCHANGE | flags::KEY_128).to_le_bytes());
        negotiate.extend([0; 16]);
        Handshake::begin(&negotiate, &names(), [7; 8], 1_700_000_000).unwrap()
    }

    /// What a client answers. `tamper` changes its last octet after the MIC was computed.
    fn answer(handshake: &Handshake, user: &str, password: &str, tamper: bool) -> Vec<u8> {
        let key = keys::response_key(password, user, "MICHAMEN");
        let mut blob = vec![1, 1, 0, 0, 0, 0, 0, 0];
        blob.extend([0; 8]);
        blob.extend([0xaa; 8]);
        blob.extend([0; 4]);
        push_av_pair(&mut blob, av::FLAGS, &av::MIC_PRESENT.to_le_bytes());
        push_av_pair(&mut blob, av::END, &[]);
        let proof = keys::proof(&key, &handshake.server_challenge, &blob);
        let response = [&proof[..], &blob].concat();
        let (domain, user) = (utf16("MICHAMEN"), utf16(user));
        let mut message = b"NTLMSSP\0\x03\0\0\0".to_vec();
        let mut offset = 88;
        for part in [&[][..], &response, &domain, &user, &[], &[]] {
            let length = u16::try_from(part.len()).unwrap().to_le_bytes();
            message.extend([length, length].concat());
            message.extend(u32::try_from(offset).unwrap().to_le_bytes());
            offset += part.len();
        }
        message.extend(flags::UNICODE.to_le_bytes());
        message.extend([0; 24]);
        message.extend([&response[..], &domain, &user].concat());
        let session_key = keys::session_key(&key, &proof, None);
        let mic = keys::mic(&session_key, &handshake.negotiate, &handshake.challenge, &message);
        message[MIC_PLACE].copy_from_slice(&mic);
        if tamper {
            message[64] ^= 1;
        }
        message
    }

    fn password_of<'p>(domain: &str, user: &str) -> Option<&'p str> {
        (domain == "MICHAMEN" && user == "ciscora").then_some("secret")
    }

    #[test]
    fn accepts_the_right_password_only() {
        let handshake = begun();
        let finish =
            |user, password| handshake.finish(&answer(&handshake, user, password, false), password_of);
        assert_eq!(finish("ciscora", "secret"), Ok("ciscora".to_owned()));
        assert_eq!(finish("ciscora", "Secret"), Err(NtlmRefusal::LogonDenied));
        assert_eq!(finish("another", "secret"), Err(NtlmRefusal::LogonDenied));
    }

    #[test]
    fn notices_a_change_under_the_integrity_code() {
        let handshake = begun();
        let changed = answer(&handshake, "ciscora", "secret", true);
        assert_eq!(
            handshake.finish(&changed, password_of),
            Err(NtlmRefusal::MessageAltered)
        );
    }

    #[test]
    fn an_answer_to_another_challenge_is_refused() {
        let handshake = begun();
        let message = answer(&handshake, "ciscora", "secret", false);
        let other = Handshake {
            server_challenge: [8; 8],
            ..begun()
        };
        assert_eq!(other.finish(&message, password_of), Err(NtlmRefusal::LogonDenied));
    }

    #[test]
    fn no_truncation_panics_or_logs_in() {
        let handshake = begun();
        let message = answer(&handshake, "ciscora", "secret", false);
        for length in 0..message.len() {
            assert!(
                handshake.finish(&message[..length], password_of).is_err(),
                "{length}"
            );
        }
        for length in 0..handshake.negotiate.len().min(16) {
            assert!(Handshake::begin(&handshake.negotiate[..length], &names(), [0; 8], 0).is_none());
        }
    }

    #[test]
    fn a_client_without_unicode_gets_its_names_in_octets() {
        let negotiate = [&b"NTLMSSP\0\x01\0\0\0"[..], &flags::OEM.to_le_bytes(), &[0; 16]].concat();
        let handshake = Handshake::begin(&negotiate, &names(), [0; 8], 0).unwrap();
        assert_eq!(handshake.challenge()[56..64], *b"MICHAMEN");
        let chosen = message::u32_at(handshake.challenge(), 20).unwrap();
        assert_eq!(chosen & (flags::OEM | flags::UNICODE), flags::OEM);
    }
}
