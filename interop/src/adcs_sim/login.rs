//! Who a request is from: NTLM, Basic or a client certificate, as IIS does it (B-10).

use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HeaderMap};
use rustls::crypto::CryptoProvider;

use super::fault::{Fault, Faults};
use super::iis_log::win32;
use super::ntlm::{Handshake, MessageType, NtlmRefusal, ServerNames, message_type};
use super::settings::{Logins, Settings};

/// What one TCP connection knows of its client.
#[derive(Debug, Default)]
pub(super) struct ConnectionLogin {
    /// The user of the client's certificate.
    certificate: Option<String>,
    ntlm: Mutex<NtlmState>,
}

#[derive(Debug, Default)]
struct NtlmState {
    handshake: Option<Handshake>,
    user: Option<String>,
}

/// What a request has proven.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is from this user.
    User(String),
    /// It is refused.
    Refused(RefusedLogin),
}

/// How a request is refused, in the columns of the log.
#[derive(Debug)]
pub(super) struct RefusedLogin {
    pub(super) status: u16,
    pub(super) substatus: u16,
    pub(super) win32: u32,
    /// The values of `WWW-Authenticate`.
    pub(super) challenges: Vec<String>,
    /// The name that was given with a wrong password.
    pub(super) user: Option<String>,
}

impl ConnectionLogin {
    pub(super) fn of_certificate(user: Option<String>) -> Self {
        Self {
            certificate: user,
            ntlm: Mutex::default(),
        }
    }
}

/// Checks logins.
#[derive(Debug)]
pub(super) struct Gate<'a> {
    pub(super) settings: &'a Settings,
    pub(super) names: &'a ServerNames,
    pub(super) faults: &'a Faults,
    pub(super) provider: &'a CryptoProvider,
    /// In seconds since the Unix epoch.
    pub(super) now: u64,
}

impl Gate<'_> {
    fn logins(&self) -> Logins {
        let mut logins = self.settings.logins;
        if self.faults.has(&Fault::NoNtlm) {
            logins.ntlm = false;
            logins.negotiate = false;
        }
        if self.faults.has(&Fault::NoBasic) {
            logins.basic = false;
        }
        logins
    }

    /// Who the request is from.
    pub(super) fn check(&self, connection: &ConnectionLogin, headers: &HeaderMap) -> Outcome {
        let Some(header) = headers.get(AUTHORIZATION) else {
            let ntlm = connection.ntlm.lock().unwrap_or_else(PoisonError::into_inner);
            let known = ntlm.user.clone().or_else(|| connection.certificate.clone());
            return known.map_or_else(|| self.anonymous(), Outcome::User);
        };
        let (scheme, token) = header
            .to_str()
            .ok()
            .and_then(|text| text.split_once(' '))
            .unwrap_or_default();
        let logins = self.logins();
        let token = STANDARD.decode(token.trim()).ok();
        match (scheme.to_ascii_lowercase().as_str(), token) {
            ("ntlm", Some(token)) if logins.ntlm => self.ntlm("NTLM", &token, connection),
            ("negotiate", Some(token)) if logins.negotiate => self.ntlm("Negotiate", &token, connection),
            ("basic", Some(token)) if logins.basic => self.basic(&token),
            _ => self.anonymous(),
        }
    }

    /// 401.2 with Win32 code 5: what is offered. Where only a certificate would do, 403.7.
    fn anonymous(&self) -> Outcome {
        let challenges = self.offered();
        let (status, substatus) = if challenges.is_empty() { (403, 7) } else { (401, 2) };
        Outcome::Refused(RefusedLogin {
            status,
            substatus,
            win32: win32::ACCESS_DENIED,
            challenges,
            user: None,
        })
    }

    /// 401.1: what was tried failed.
    fn failed(&self, win32: u32, user: Option<String>) -> Outcome {
        Outcome::Refused(RefusedLogin {
            status: 401,
            substatus: 1,
            win32,
            challenges: self.offered(),
            user,
        })
    }

    fn offered(&self) -> Vec<String> {
        let logins = self.logins();
        let basic = format!("Basic realm=\"{}\"", self.names.dns_domain);
        let ways = [
            (logins.negotiate, "Negotiate".to_owned()),
            (logins.ntlm, "NTLM".to_owned()),
            (logins.basic, basic),
        ];
        ways.into_iter()
            .filter_map(|(offered, way)| offered.then_some(way))
            .collect()
    }

    fn basic(&self, token: &[u8]) -> Outcome {
        // Browsers send one octet a character or UTF-8, curl what it was given.
        let given = match std::str::from_utf8(token) {
            Ok(text) => text.to_owned(),
            Err(_) => token.iter().copied().map(char::from).collect(),
        };
        let (user, password) = given.split_once(':').unwrap_or((&given, ""));
        let (domain, name) = user.split_once('\\').unwrap_or(("", user));
        match self.password_of(domain, name) {
            Some(expected) if same(expected, password) => Outcome::User(user.to_owned()),
            _ => self.failed(win32::LOGON_FAILURE, Some(user.to_owned())),
        }
    }

    fn ntlm(&self, scheme: &str, token: &[u8], connection: &ConnectionLogin) -> Outcome {
        let mut state = connection.ntlm.lock().unwrap_or_else(PoisonError::into_inner);
        match message_type(token) {
            Some(MessageType::Negotiate) => {
                state.user = None;
                state.handshake = self.challenge(token);
                let Some(handshake) = &state.handshake else {
                    return self.failed(win32::INVALID_TOKEN, None);
                };
                Outcome::Refused(RefusedLogin {
                    status: 401,
                    substatus: 1,
                    win32: win32::NO_CREDENTIALS,
                    challenges: vec![format!("{scheme} {}", STANDARD.encode(handshake.challenge()))],
                    user: None,
                })
            }
            // A challenge is good for one answer.
            Some(MessageType::Authenticate) => match state.handshake.take() {
                Some(handshake) => {
                    let found = handshake.finish(token, |domain, user| self.password_of(domain, user));
                    let outcome = self.finished(found);
                    if let Outcome::User(user) = &outcome {
                        state.user = Some(user.clone());
                    }
                    outcome
                }
                None => self.failed(win32::INVALID_TOKEN, None),
            },
            _ => self.failed(win32::INVALID_TOKEN, None),
        }
    }

    fn challenge(&self, negotiate: &[u8]) -> Option<Handshake> {
        let mut random = [0; 8];
        self.provider.secure_random.fill(&mut random).ok()?;
        Handshake::begin(negotiate, self.names, random, self.now)
    }

    fn finished(&self, found: Result<String, NtlmRefusal>) -> Outcome {
        match found {
            Ok(user) if user.contains('@') => Outcome::User(user),
            Ok(user) => Outcome::User(format!("{}\\{user}", self.names.domain)),
            Err(NtlmRefusal::InvalidToken) => self.failed(win32::INVALID_TOKEN, None),
            Err(NtlmRefusal::LogonDenied) => self.failed(win32::LOGON_DENIED, None),
            Err(NtlmRefusal::MessageAltered) => self.failed(win32::MESSAGE_ALTERED, None),
        }
    }

    /// The password of a user: `DOMAIN\user`, `user@dns.domain`, or `user` alone.
    fn password_of(&self, domain: &str, user: &str) -> Option<&str> {
        let (user, domain) = match user.split_once('@') {
            Some((user, dns_domain)) if domain.is_empty() => (user, dns_domain),
            _ => (user, domain),
        };
        let is_here = domain.is_empty()
            || domain.eq_ignore_ascii_case(&self.names.domain)
            || domain.eq_ignore_ascii_case(&self.names.dns_domain);
        let mut users = self.settings.users.iter();
        let found = users.find(|known| known.name.to_lowercase() == user.to_lowercase());
        found.filter(|_| is_here).map(|known| known.password.as_str())
    }
}

fn same(expected: &str, given: &str) -> bool {
    use subtle::ConstantTimeEq as _;
    expected.as_bytes().ct_eq(given.as_bytes()).into()
}
