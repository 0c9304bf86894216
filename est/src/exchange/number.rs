//! The error numbers of libest for what an exchange failed by, so that its users find what they know.

use pki_common::{KnownCause, Rung, TlsFault};

use super::error::{ClientError, Step};
use crate::operation::EstErrorNumber;
use crate::upstream;

impl ClientError {
    /// The number that libest's client reports this failure by, [`EstErrorNumber::UNKNOWN`] where it has none.
    #[must_use]
    pub fn est_error(&self) -> EstErrorNumber {
        match self {
            Self::NameResolution { .. } => EstErrorNumber::IP_GETADDR,
            Self::Tcp { .. } | Self::Proxy { .. } => EstErrorNumber::IP_CONNECT,
            Self::Timeout { step, .. } => match step {
                Step::Connect | Step::Proxy => EstErrorNumber::IP_CONNECT,
                Step::Handshake => EstErrorNumber::SSL_CONNECT,
                Step::Response => EstErrorNumber::SSL_READ,
            },
            Self::Tls(failure) if failure.rung == Rung::Tls(TlsFault::Name) => EstErrorNumber::FQDN_MISMATCH,
            Self::Tls(_) | Self::TlsConfig { .. } => EstErrorNumber::SSL_CONNECT,
            Self::Http { .. } | Self::Unanswered { .. } => EstErrorNumber::SSL_READ,
            Self::Challenge { .. } => EstErrorNumber::AUTH_FAIL,
            Self::Status { status, .. } => of_status(status.as_u16()),
            Self::MediaType { .. } => EstErrorNumber::BAD_CONTENT_TYPE,
            Self::Untrusted(_)
            | Self::Anchors { .. }
            | Self::FingerprintDiffers { .. }
            | Self::FingerprintRejected => EstErrorNumber::CACERT_VERIFICATION,
            Self::Attributes { .. } => EstErrorNumber::CSR_ATTR_MISSING,
            Self::NoChannelBinding => EstErrorNumber::AUTH_FAIL_TLSUID,
            Self::Csr(_) => EstErrorNumber::BAD_PKCS10,
            Self::Redirect { .. } | Self::TooManyRedirects { .. } => EstErrorNumber::HTTP_UNSUPPORTED,
            _ => EstErrorNumber::UNKNOWN,
        }
    }

    /// What the server says that its own upstream failed by.
    #[must_use]
    pub fn upstream_cause(&self) -> Option<KnownCause> {
        match self {
            Self::Status { text, .. } => upstream::named_in(text),
            _ => None,
        }
    }
}

/// As the server at the other end numbers its refusals, where libest has a number at all.
const fn of_status(status: u16) -> EstErrorNumber {
    match status {
        400 | 411 | 413 | 431 => EstErrorNumber::HTTP_BAD_REQ,
        401 | 403 | 407 | 429 => EstErrorNumber::AUTH_FAIL,
        404 => EstErrorNumber::HTTP_NOT_FOUND,
        405 => EstErrorNumber::WRONG_METHOD,
        408 => EstErrorNumber::SSL_READ,
        415 => EstErrorNumber::BAD_CONTENT_TYPE,
        422 => EstErrorNumber::CA_ENROLL_FAIL,
        501 => EstErrorNumber::HTTP_UNSUPPORTED,
        502..=504 => EstErrorNumber::CA_ENROLL_RETRY,
        _ => EstErrorNumber::UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use http::StatusCode;
    use pki_common::Failure;

    fn status(code: u16, text: &str) -> ClientError {
        ClientError::Status {
            status: StatusCode::from_u16(code).unwrap(),
            text: text.to_owned(),
            retry_after: None,
        }
    }

    #[test]
    fn a_read_that_times_out_is_the_error_of_the_source_document() {
        let slow = |step| ClientError::Timeout {
            step,
            time: Duration::from_secs(10),
        };
        assert_eq!(
            slow(Step::Response).est_error().to_string(),
            "35 (EST_ERR_SSL_READ)"
        );
        assert_eq!(slow(Step::Handshake).est_error(), EstErrorNumber::SSL_CONNECT);
        assert_eq!(slow(Step::Connect).est_error(), EstErrorNumber::IP_CONNECT);
    }

    #[test]
    fn a_wrong_name_differs_from_the_other_faults_of_tls() {
        let tls = |fault| ClientError::Tls(Box::new(Failure::new(Rung::Tls(fault), "x", "y.")));
        assert_eq!(tls(TlsFault::Name).est_error(), EstErrorNumber::FQDN_MISMATCH);
        for fault in [
            TlsFault::Chain,
            TlsFault::Time,
            TlsFault::Alert,
            TlsFault::Protocol,
        ] {
            assert_eq!(tls(fault).est_error(), EstErrorNumber::SSL_CONNECT);
        }
    }

    #[test]
    fn every_status_of_a_refusal_has_a_number() {
        for (code, number) in [(401, 22), (404, 14), (405, 27), (422, 25), (503, 26), (500, 94)] {
            assert_eq!(status(code, "").est_error(), EstErrorNumber(number), "{code}");
        }
    }

    #[test]
    fn the_cause_of_a_503_is_the_one_that_the_server_names() {
        let text = "the certificate authority behind this server cannot be used at present (upstream cause: \
                    not-yet-valid); the log";
        assert_eq!(status(503, text).upstream_cause(), Some(KnownCause::NotYetValid));
        assert_eq!(status(503, "busy").upstream_cause(), None);
    }
}
