//! The alerts of TLS by number and name.

use std::fmt;

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
