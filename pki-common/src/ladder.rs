//! The failure ladder: one list of rungs on which every failure of the two protocols stands.
//!
//! A connection climbs from the name look-up through TCP, a proxy and TLS to the protocol above. An error says
//! on which rung it stopped, which side refused, the cause and the remedy in one sentence each. That replaces
//! misleading native texts: an authlist refusal must say "authlist", never "no certificate returned" as the
//! vendor's trace does (Cisco document 200206, F001-28 and F001-29).

use std::fmt;

use crate::Escaped;

/// How far a connection came before it failed. Ordered: a lower rung comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// This side's own configuration, files or arguments; nothing was sent.
    Local,
    /// The host name has no address.
    NameResolution,
    /// No TCP connection, or it broke before anything was said.
    Tcp,
    /// An HTTP proxy refused the `CONNECT`.
    Proxy,
    /// The TLS handshake failed.
    Tls(TlsFault),
    /// The peer answered with a status that means failure.
    Status,
    /// The peer's message could not be understood.
    Body,
    /// The peer's own upstream (certificate authority, database) failed.
    Upstream,
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::NameResolution => f.write_str("name resolution"),
            Self::Tcp => f.write_str("TCP"),
            Self::Proxy => f.write_str("proxy"),
            Self::Tls(fault) => write!(f, "TLS ({fault})"),
            Self::Status => f.write_str("status"),
            Self::Body => f.write_str("body"),
            Self::Upstream => f.write_str("upstream"),
        }
    }
}

/// What was wrong in a TLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsFault {
    /// The certificate chain: unknown issuer, bad signature, wrong purpose, a key or algorithm too weak.
    Chain,
    /// The certificate belongs to another name.
    Name,
    /// The certificate is not valid now, or a clock is wrong.
    Time,
    /// The certificate is valid, but the authlist does not admit it.
    AuthList,
    /// An alert that names no cause of its own.
    Alert,
    /// The bytes are not the TLS that this side speaks.
    Protocol,
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chain => "chain",
            Self::Name => "name",
            Self::Time => "time",
            Self::AuthList => "authlist",
            Self::Alert => "alert",
            Self::Protocol => "protocol",
        })
    }
}

/// Who refused. The same alert means opposite remedies depending on who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// This program.
    Local,
    /// The program at the other end.
    Peer,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "this side",
            Self::Peer => "the peer",
        })
    }
}

/// A failure, placed on the ladder and explained.
///
/// Displays as exactly three lines, `rung: `, `cause: ` and `remedy: `; control characters in the texts are
/// escaped, because a peer may have chosen them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where it stopped.
    pub rung: Rung,
    /// Who refused, when somebody did: a time-out has no such side.
    pub refused_by: Option<Side>,
    /// The TLS alert that was sent or received.
    pub alert: Option<Alert>,
    /// What happened, one sentence.
    pub cause: String,
    /// What to do about it, one sentence.
    pub remedy: String,
}

impl Failure {
    /// A failure that nobody's refusal and no alert belongs to.
    pub fn new(rung: Rung, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            rung,
            refused_by: None,
            alert: None,
            cause: cause.into(),
            remedy: remedy.into(),
        }
    }

    /// The same failure with the side that refused.
    #[must_use]
    pub fn refused_by(mut self, side: Side) -> Self {
        self.refused_by = Some(side);
        self
    }

    /// The same failure with the alert that went over the wire.
    #[must_use]
    pub fn with_alert(mut self, alert: Alert) -> Self {
        self.alert = Some(alert);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rung: {}", self.rung)?;
        match (self.refused_by, self.alert) {
            (Some(side), Some(alert)) => write!(f, ", refused by {side} with {alert}")?,
            (Some(side), None) => write!(f, ", refused by {side}")?,
            (None, Some(alert)) => write!(f, ", {alert}")?,
            (None, None) => {}
        }
        write!(
            f,
            "\ncause: {}\nremedy: {}",
            Escaped::new(&self.cause),
            Escaped::new(&self.remedy)
        )
    }
}

/// An error that can say where on the ladder it stands.
pub trait Diagnose {
    /// The rung, the cause and the remedy.
    fn diagnose(&self) -> Failure;
}

impl Diagnose for Failure {
    fn diagnose(&self) -> Failure {
        self.clone()
    }
}

/// A TLS alert description (RFC 8446 section 6; the names only TLS 1.2 and older have are in RFC 5246
/// section 7.2). Any number can be held.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alert(pub u8);

macro_rules! alerts {
    ($($(#[$doc:meta])* $constant:ident = $number:literal, $name:literal;)*) => {
        impl Alert {
            $($(#[$doc])* pub const $constant: Self = Self($number);)*

            /// The standard's name, or `None` for a number that is not assigned.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

alerts! {
    /// The sender will send no more.
    CLOSE_NOTIFY = 0, "close_notify";
    /// A message came at the wrong moment.
    UNEXPECTED_MESSAGE = 10, "unexpected_message";
    /// A record could not be decrypted.
    BAD_RECORD_MAC = 20, "bad_record_mac";
    /// Reserved, TLS 1.0.
    DECRYPTION_FAILED = 21, "decryption_failed";
    /// A record was too long.
    RECORD_OVERFLOW = 22, "record_overflow";
    /// Reserved, TLS 1.2 and older.
    DECOMPRESSION_FAILURE = 30, "decompression_failure";
    /// No acceptable set of parameters.
    HANDSHAKE_FAILURE = 40, "handshake_failure";
    /// Reserved, SSL 3.0.
    NO_CERTIFICATE = 41, "no_certificate";
    /// A certificate was corrupt or for another name.
    BAD_CERTIFICATE = 42, "bad_certificate";
    /// A certificate was of an unsupported type or purpose.
    UNSUPPORTED_CERTIFICATE = 43, "unsupported_certificate";
    /// A certificate was revoked.
    CERTIFICATE_REVOKED = 44, "certificate_revoked";
    /// A certificate has expired or is not valid yet.
    CERTIFICATE_EXPIRED = 45, "certificate_expired";
    /// Some other reason; here: the authlist refused (F001-27).
    CERTIFICATE_UNKNOWN = 46, "certificate_unknown";
    /// A field was out of range or inconsistent.
    ILLEGAL_PARAMETER = 47, "illegal_parameter";
    /// The issuer is not trusted.
    UNKNOWN_CA = 48, "unknown_ca";
    /// The certificate was valid, access control refused.
    ACCESS_DENIED = 49, "access_denied";
    /// A message could not be decoded.
    DECODE_ERROR = 50, "decode_error";
    /// A handshake signature did not verify.
    DECRYPT_ERROR = 51, "decrypt_error";
    /// Reserved, TLS 1.0.
    EXPORT_RESTRICTION = 60, "export_restriction";
    /// The TLS version is not supported.
    PROTOCOL_VERSION = 70, "protocol_version";
    /// The server asks for stronger parameters.
    INSUFFICIENT_SECURITY = 71, "insufficient_security";
    /// The sender had a fault of its own.
    INTERNAL_ERROR = 80, "internal_error";
    /// The client retried with a lower version without need.
    INAPPROPRIATE_FALLBACK = 86, "inappropriate_fallback";
    /// The user gave up.
    USER_CANCELED = 90, "user_canceled";
    /// TLS 1.2 and older: no renegotiation now.
    NO_RENEGOTIATION = 100, "no_renegotiation";
    /// A mandatory extension is missing.
    MISSING_EXTENSION = 109, "missing_extension";
    /// An extension is not allowed here.
    UNSUPPORTED_EXTENSION = 110, "unsupported_extension";
    /// Reserved, TLS 1.2 and older.
    CERTIFICATE_UNOBTAINABLE = 111, "certificate_unobtainable";
    /// The server does not know the name.
    UNRECOGNIZED_NAME = 112, "unrecognized_name";
    /// The stapled OCSP response was bad.
    BAD_CERTIFICATE_STATUS_RESPONSE = 113, "bad_certificate_status_response";
    /// Reserved, TLS 1.2 and older.
    BAD_CERTIFICATE_HASH_VALUE = 114, "bad_certificate_hash_value";
    /// The pre-shared key identity is not known.
    UNKNOWN_PSK_IDENTITY = 115, "unknown_psk_identity";
    /// The client sent no certificate, but one is required.
    CERTIFICATE_REQUIRED = 116, "certificate_required";
    /// No common application protocol.
    NO_APPLICATION_PROTOCOL = 120, "no_application_protocol";
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "alert {} {name}", self.0),
            None => write!(f, "alert {}", self.0),
        }
    }
}

impl fmt::Debug for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Alert({} {})", self.0, self.name().unwrap_or("unassigned"))
    }
}

impl From<u8> for Alert {
    fn from(number: u8) -> Self {
        Self(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_are_ordered_as_a_connection_climbs_them() {
        let climb = [
            Rung::Local,
            Rung::NameResolution,
            Rung::Tcp,
            Rung::Proxy,
            Rung::Tls(TlsFault::Chain),
            Rung::Tls(TlsFault::Protocol),
            Rung::Status,
            Rung::Body,
            Rung::Upstream,
        ];
        assert!(climb.is_sorted_by(|lower, higher| lower < higher));
    }

    #[test]
    fn a_failure_prints_its_rung_cause_and_remedy_on_three_lines() {
        let failure = Failure::new(
            Rung::Tls(TlsFault::AuthList),
            "Key hash differs.",
            "Correct the authlist.",
        )
        .refused_by(Side::Peer)
        .with_alert(Alert::CERTIFICATE_UNKNOWN);
        assert_eq!(
            failure.to_string(),
            "rung: TLS (authlist), refused by the peer with alert 46 certificate_unknown\n\
             cause: Key hash differs.\n\
             remedy: Correct the authlist."
        );
        let hostile = Failure::new(Rung::Tcp, "a\r\nremedy: b\u{1b}[2J\u{202e}", "c");
        assert_eq!(
            hostile.to_string(),
            "rung: TCP\ncause: a\\u{d}\\u{a}remedy: b\\u{1b}[2J\\u{202e}\nremedy: c"
        );
    }

    #[test]
    fn alerts_carry_the_names_of_the_standard_and_any_number() {
        assert_eq!(
            Alert::CERTIFICATE_UNKNOWN.to_string(),
            "alert 46 certificate_unknown"
        );
        assert_eq!(Alert(48).to_string(), "alert 48 unknown_ca");
        assert_eq!(Alert(200).to_string(), "alert 200");
        assert_eq!((0..=255).filter(|n| Alert(*n).name().is_some()).count(), 34);
    }
}
