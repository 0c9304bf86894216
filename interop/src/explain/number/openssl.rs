//! The numbers of OpenSSL: handshake states and places of the info callback (`ssl.h` and `ssl3.h` of 1.0.x), and packed
//! error codes in the forms of 1.x and 3.x (`err.h`).

use core::fmt;

use pki_common::Alert;

/// A handshake state as the info callback of OpenSSL 1.0.x prints it, such as `0x2180`. Any number can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HandshakeState(pub u32);

/// The bit of a server's states.
const ACCEPT: u32 = 0x2000;
/// The bit of a client's states.
const CONNECT: u32 = 0x1000;

impl HandshakeState {
    /// The verdict on a client certificate that comes later. Stock OpenSSL has no such state: it is an extension of the
    /// vendor's (F001-16).
    pub const CERTIFICATE_VERDICT: Self = Self(0x2182);

    /// Whether this is a state of a server.
    #[must_use]
    pub const fn is_server(self) -> bool {
        self.0 & ACCEPT != 0
    }

    /// What is done in this state; `None` for a number that is not listed.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0x3 => "negotiation finished",
            0x4000 => "before the handshake",
            0x6000 => "before accepting",
            0x5000 => "before connecting",
            0x2100 => "flush data",
            0x2110..=0x2112 => "read client hello",
            0x2120 | 0x2121 => "write hello request",
            0x2130 | 0x2131 => "write server hello",
            0x2140 | 0x2141 => "write certificate",
            0x2150 | 0x2151 => "write key exchange",
            0x2160 | 0x2161 => "write certificate request",
            0x2170 | 0x2171 => "write server done",
            0x2180 | 0x2181 => "read client certificate",
            0x2182 => "verdict on the client certificate",
            0x2190 | 0x2191 => "read client key exchange",
            0x21a0 | 0x21a1 => "read certificate verify",
            0x21b0 | 0x21b1 => "read change cipher spec",
            0x21c0 | 0x21c1 => "read finished",
            0x21d0 | 0x21d1 => "write change cipher spec",
            0x21e0 | 0x21e1 => "write finished",
            0x21f0 | 0x21f1 => "write session ticket",
            0x2200 | 0x2201 => "write certificate status",
            0x1100 => "flush data",
            0x1110 | 0x1111 => "write client hello",
            0x1120 | 0x1121 => "read server hello",
            0x1130 | 0x1131 => "read server certificate",
            0x1140 | 0x1141 => "read server key exchange",
            0x1150 | 0x1151 => "read certificate request",
            0x1160 | 0x1161 => "read server done",
            0x1170..=0x1173 => "write client certificate",
            0x1180 | 0x1181 => "write client key exchange",
            0x1190 | 0x1191 => "write certificate verify",
            0x11a0 | 0x11a1 => "write change cipher spec",
            0x11b0 | 0x11b1 => "write finished",
            0x11c0 | 0x11c1 => "read change cipher spec",
            0x11d0 | 0x11d1 => "read finished",
            _ => return None,
        })
    }
}

impl fmt::Display for HandshakeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.0 {
            number if number & ACCEPT != 0 => "a server's ",
            number if number & CONNECT != 0 => "a client's ",
            _ => "",
        };
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{role}state {:#x}", self.0),
        }
    }
}

/// From where the info callback was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallbackPlace(pub u32);

impl CallbackPlace {
    /// A handshake begins.
    pub const HANDSHAKE_START: Self = Self(0x10);
    /// A handshake has succeeded.
    pub const HANDSHAKE_DONE: Self = Self(0x20);
    /// A step of a server is done.
    pub const ACCEPT_LOOP: Self = Self(0x2001);
    /// A server's handshake function returns: it waits, has failed or is done.
    pub const ACCEPT_EXIT: Self = Self(0x2002);
    /// An alert has been received.
    pub const READ_ALERT: Self = Self(0x4004);
    /// An alert has been sent.
    pub const WRITE_ALERT: Self = Self(0x4008);

    /// The constant's name without its prefix, `None` for a number not listed.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::HANDSHAKE_START => "handshake starts",
            Self::HANDSHAKE_DONE => "handshake done",
            Self::ACCEPT_LOOP => "step done",
            Self::ACCEPT_EXIT => "returns",
            Self(0x1001) => "step done",
            Self(0x1002) => "returns",
            Self::READ_ALERT => "alert received",
            Self::WRITE_ALERT => "alert sent",
            _ => return None,
        })
    }
}

/// The level and description that `ret` holds for an alert: `level << 8 | description`. `None` when it holds none.
#[must_use]
pub fn alert_of(ret: u32) -> Option<(u8, Alert)> {
    let [0, 0, level @ 1..=2, description] = ret.to_be_bytes() else {
        return None;
    };
    Some((level, Alert(description)))
}

/// A packed error code, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode {
    /// The number as printed.
    pub code: u32,
    /// The library, 20 is SSL.
    pub library: u32,
    /// The function; OpenSSL 3 has none.
    pub function: Option<u32>,
    /// The reason, of that library.
    pub reason: u32,
}

/// The library number of SSL.
pub const LIBRARY_SSL: u32 = 20;
/// Reasons from here on are alerts that were received.
const ALERT_REASONS: u32 = 1000;

impl ErrorCode {
    /// `ssl3_get_client_certificate`: no certificate returned. The controller writes it for a refusal of its authlist.
    pub const NO_CERTIFICATE_RETURNED: u32 = 178;

    /// Takes a code apart. OpenSSL 1.x packs library, function and reason into 8, 12 and 12 bits; OpenSSL 3 the library
    /// into bits 23 to 30 and the reason into 23 bits. The bits that were the function are zero there.
    #[must_use]
    pub const fn unpack(code: u32) -> Self {
        let (library, reason) = ((code >> 23) & 0xff, code & 0x7f_ffff);
        if reason < 0x1000 && is_library_of_3(library) {
            return Self {
                code,
                library,
                function: None,
                reason,
            };
        }
        Self {
            code,
            library: code >> 24,
            function: Some((code >> 12) & 0xfff),
            reason: code & 0xfff,
        }
    }

    /// Finds `error:XXXXXXXX` in a text.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("error:")?;
        let end = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        let digits = rest.get(..end).filter(|digits| (7..=8).contains(&digits.len()))?;
        u32::from_str_radix(digits, 16).ok().map(Self::unpack)
    }

    /// The alert that the peer sent, when the reason says so.
    #[must_use]
    pub fn alert(self) -> Option<Alert> {
        let number = self.reason.checked_sub(ALERT_REASONS)?;
        let known = u8::try_from(number).ok().map(Alert)?;
        (self.library == LIBRARY_SSL).then_some(known)
    }

    /// What the reason says.
    #[must_use]
    pub const fn reason_text(self) -> Option<&'static str> {
        if self.library != LIBRARY_SSL {
            return None;
        }
        Some(match self.reason {
            134 => "certificate verify failed",
            155 => "https proxy request",
            156 => "http request",
            Self::NO_CERTIFICATE_RETURNED => "no certificate returned",
            193 => "no shared cipher",
            199 => "peer did not return a certificate",
            252 => "unknown protocol",
            258 => "unsupported protocol",
            267 => "wrong version number",
            280 => "ssl handshake failure",
            294 => "unexpected eof while reading",
            _ => return None,
        })
    }

    /// The function's name.
    #[must_use]
    pub const fn function_text(self) -> Option<&'static str> {
        match (self.library, self.function) {
            (LIBRARY_SSL, Some(118)) => Some("ssl23_get_client_hello"),
            (LIBRARY_SSL, Some(119)) => Some("ssl23_get_server_hello"),
            (LIBRARY_SSL, Some(137)) => Some("ssl3_get_client_certificate"),
            (LIBRARY_SSL, Some(138)) => Some("ssl3_get_client_hello"),
            (LIBRARY_SSL, Some(143)) => Some("ssl3_get_record"),
            (LIBRARY_SSL, Some(144)) => Some("ssl3_get_server_certificate"),
            (LIBRARY_SSL, Some(148)) => Some("ssl3_read_bytes"),
            _ => None,
        }
    }
}

/// The libraries whose numbers OpenSSL 3 prints: of the base, and those from 32 on that came later.
const fn is_library_of_3(library: u32) -> bool {
    matches!(library, 2..=17 | LIBRARY_SSL | 32..=61)
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08X} = library {}", self.code, self.library)?;
        if self.library == LIBRARY_SSL {
            f.write_str(" (SSL)")?;
        }
        if let Some(function) = self.function {
            write!(f, ", function {function}")?;
            if let Some(name) = self.function_text() {
                write!(f, " ({name})")?;
            }
        }
        write!(f, ", reason {}", self.reason)?;
        match (self.reason_text(), self.alert()) {
            (Some(text), _) => write!(f, " ({text})"),
            (None, Some(alert)) => write!(f, " ({alert} received)"),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_code_of_the_source_document_apart() {
        let text = "error:140890B2:SSL routines:SSL3_GET_CLIENT_CERTIFICATE:no certificate returned";
        let code = ErrorCode::find(text).unwrap();
        assert_eq!((code.library, code.function, code.reason), (20, Some(137), 178));
        assert_eq!(
            code.to_string(),
            "140890B2 = library 20 (SSL), function 137 (ssl3_get_client_certificate), reason 178 (no certificate returned)"
        );
    }

    #[test]
    fn takes_a_code_of_openssl_3_apart() {
        // `openssl errstr 0A000086` of OpenSSL 3.0: error:0A000086:SSL routines::certificate verify failed
        let code = ErrorCode::unpack(0x0A00_0086);
        assert_eq!((code.library, code.function, code.reason), (20, None, 134));
        assert_eq!(code.reason_text(), Some("certificate verify failed"));
        let alert = ErrorCode::unpack(0x0A00_0418);
        assert_eq!(alert.alert(), Some(Alert::UNKNOWN_CA));
    }

    #[test]
    fn an_alert_is_in_both_bytes_of_ret() {
        assert_eq!(alert_of(0x22e), Some((2, Alert::CERTIFICATE_UNKNOWN)));
        assert_eq!(alert_of(0x100), Some((1, Alert::CLOSE_NOTIFY)));
        for ret in [0, 1, 0x2e, 0x32e, u32::MAX] {
            assert_eq!(alert_of(ret), None, "{ret:#x}");
        }
    }

    #[test]
    fn names_every_state_of_the_source_document_and_keeps_the_others() {
        let seen = [
            0x6000, 0x2111, 0x2130, 0x2140, 0x2160, 0x2100, 0x2180, 0x2182, 0x2190, 0x21a0, 0x21c0, 0x21d0,
            0x21e0, 0x3,
        ];
        for state in seen {
            assert!(HandshakeState(state).name().is_some(), "{state:#x}");
        }
        assert_eq!(HandshakeState(0x2999).to_string(), "a server's state 0x2999");
    }
}
