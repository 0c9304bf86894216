//! The error numbers of libest: what they are the cause of. Their names are those of [`EstErrorNumber`].

use est::operation::EstErrorNumber;
use pki_common::KnownCause;

/// The cause that the number alone tells; `None` for success and for numbers that say too little.
///
/// 22 is what the vendor's registration authority answers for a wrong template, too: the lines around it decide.
#[must_use]
pub const fn cause(number: EstErrorNumber) -> Option<KnownCause> {
    Some(match number {
        EstErrorNumber::HTTP_WRITE | EstErrorNumber::SSL_WRITE => KnownCause::ConnectionLost,
        EstErrorNumber::HTTP_NOT_FOUND => KnownCause::PageNotFound,
        EstErrorNumber::BAD_CONTENT_TYPE | EstErrorNumber::INVALID_RETRY_VALUE => {
            KnownCause::AnswerNotUnderstood
        }
        EstErrorNumber::AUTH_FAIL => KnownCause::CredentialsRefused,
        EstErrorNumber::CA_ENROLL_FAIL => KnownCause::RequestDenied,
        EstErrorNumber::CA_ENROLL_RETRY => KnownCause::RequestPending,
        EstErrorNumber::SSL_READ => KnownCause::AnswerTimedOut,
        EstErrorNumber::IP_GETADDR => KnownCause::NameNotResolved,
        EstErrorNumber::IP_CONNECT => KnownCause::ConnectionRefused,
        EstErrorNumber::FQDN_MISMATCH => KnownCause::NameMismatch,
        EstErrorNumber::CACERT_VERIFICATION => KnownCause::IssuerNotTrusted,
        _ => return None,
    })
}

/// The name of libest's `AUTH_…` number, which its log prints as `Auth type`.
#[must_use]
pub const fn authentication_name(kind: u32) -> &'static str {
    match kind {
        0 => "none",
        1 => "Basic",
        2 => "Digest",
        3 => "token",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_the_source_document_have_their_names_and_causes() {
        assert_eq!(EstErrorNumber(60).to_string(), "60 (EST_ERR_CACERT_VERIFICATION)");
        assert_eq!(cause(EstErrorNumber(35)), Some(KnownCause::AnswerTimedOut));
        assert_eq!(cause(EstErrorNumber(0)), None);
        assert_eq!(cause(EstErrorNumber(94)), None);
    }
}
