//! The error numbers of libest, for people who know its logs.

use core::fmt;

/// An `EST_ERROR` of libest's `est.h`, the number that its logs and Cisco document 214396 print.
///
/// It stands in our log beside the HTTP status, where one fits; it is never sent to the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EstErrorNumber(pub u16);

impl EstErrorNumber {
    /// Success.
    pub const NONE: Self = Self(0);
    /// The request is no readable PKCS #10, or its signature is wrong.
    pub const BAD_PKCS10: Self = Self(9);
    /// The answer could not be written.
    pub const HTTP_WRITE: Self = Self(10);
    /// Something of HTTP that is not supported.
    pub const HTTP_UNSUPPORTED: Self = Self(11);
    /// A malformed request.
    pub const HTTP_BAD_REQ: Self = Self(13);
    /// No such path.
    pub const HTTP_NOT_FOUND: Self = Self(14);
    /// Nothing to answer.
    pub const HTTP_NO_CONTENT: Self = Self(15);
    /// Content-Type is missing or wrong.
    pub const BAD_CONTENT_TYPE: Self = Self(19);
    /// Neither certificate nor password was accepted.
    pub const AUTH_FAIL: Self = Self(22);
    /// The challenge password of a request is not the channel binding of its connection.
    pub const AUTH_FAIL_TLSUID: Self = Self(23);
    /// Authentication is not finished.
    pub const AUTH_PENDING: Self = Self(24);
    /// The certificate authority refused.
    pub const CA_ENROLL_FAIL: Self = Self(25);
    /// The certificate authority asks to come back later.
    pub const CA_ENROLL_RETRY: Self = Self(26);
    /// The wrong HTTP method.
    pub const WRONG_METHOD: Self = Self(27);
    /// Nothing could be sent on the TLS connection.
    pub const SSL_WRITE: Self = Self(34);
    /// The peer did not send in time.
    pub const SSL_READ: Self = Self(35);
    /// The TLS handshake failed.
    pub const SSL_CONNECT: Self = Self(38);
    /// The host name has no address.
    pub const IP_GETADDR: Self = Self(42);
    /// No TCP connection came about.
    pub const IP_CONNECT: Self = Self(43);
    /// The server's certificate is for another name.
    pub const FQDN_MISMATCH: Self = Self(53);
    /// A call of the operating system failed.
    pub const SYSCALL: Self = Self(54);
    /// The request lacks an attribute that the server asks for.
    pub const CSR_ATTR_MISSING: Self = Self(58);
    /// The certificates of `cacerts` do not verify.
    pub const CACERT_VERIFICATION: Self = Self(60);
    /// The time to wait before the next attempt cannot be read.
    pub const INVALID_RETRY_VALUE: Self = Self(62);
    /// Anything else.
    pub const UNKNOWN: Self = Self(94);

    /// The name without its `EST_ERR_` prefix, `None` for a number not listed here.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NONE => "NONE",
            Self::BAD_PKCS10 => "BAD_PKCS10",
            Self::HTTP_WRITE => "HTTP_WRITE",
            Self::HTTP_UNSUPPORTED => "HTTP_UNSUPPORTED",
            Self::HTTP_BAD_REQ => "HTTP_BAD_REQ",
            Self::HTTP_NOT_FOUND => "HTTP_NOT_FOUND",
            Self::HTTP_NO_CONTENT => "HTTP_NO_CONTENT",
            Self::BAD_CONTENT_TYPE => "BAD_CONTENT_TYPE",
            Self::AUTH_FAIL => "AUTH_FAIL",
            Self::AUTH_FAIL_TLSUID => "AUTH_FAIL_TLSUID",
            Self::AUTH_PENDING => "AUTH_PENDING",
            Self::CA_ENROLL_FAIL => "CA_ENROLL_FAIL",
            Self::CA_ENROLL_RETRY => "CA_ENROLL_RETRY",
            Self::WRONG_METHOD => "WRONG_METHOD",
            Self::SSL_WRITE => "SSL_WRITE",
            Self::SSL_READ => "SSL_READ",
            Self::SSL_CONNECT => "SSL_CONNECT",
            Self::IP_GETADDR => "IP_GETADDR",
            Self::IP_CONNECT => "IP_CONNECT",
            Self::FQDN_MISMATCH => "FQDN_MISMATCH",
            Self::SYSCALL => "SYSCALL",
            Self::CSR_ATTR_MISSING => "CSR_ATTR_MISSING",
            Self::CACERT_VERIFICATION => "CACERT_VERIFICATION",
            Self::INVALID_RETRY_VALUE => "INVALID_RETRY_VALUE",
            Self::UNKNOWN => "UNKNOWN",
            _ => return None,
        })
    }
}

impl fmt::Display for EstErrorNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} (EST_ERR_{name})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_the_log_of_the_source_document_does() {
        assert_eq!(EstErrorNumber::AUTH_FAIL.to_string(), "22 (EST_ERR_AUTH_FAIL)");
        assert_eq!(EstErrorNumber::SSL_READ.to_string(), "35 (EST_ERR_SSL_READ)");
        assert_eq!(EstErrorNumber(77).to_string(), "77");
    }
}
