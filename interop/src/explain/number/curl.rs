//! Failures of libcurl, by their text.

use pki_common::KnownCause;

/// What stands in the text of a failure, in lower case, and what it means. The first that fits wins.
///
/// The number is of no use alone: libcurl 7.62 merged 51 (wrong name) into 60 (certificate), and 28 stands for every
/// time-out (F002-37).
const TEXTS: &[(&str, KnownCause)] = &[
    ("could not resolve", KnownCause::NameNotResolved),
    ("couldn't resolve", KnownCause::NameNotResolved),
    ("resolving timed out", KnownCause::NameNotResolved),
    ("does not match target host name", KnownCause::NameMismatch),
    (
        "no alternative certificate subject name matches",
        KnownCause::NameMismatch,
    ),
    ("hostname mismatch", KnownCause::NameMismatch),
    ("unable to obtain common name", KnownCause::NameMismatch),
    ("not yet valid", KnownCause::NotYetValid),
    ("has expired", KnownCause::Expired),
    ("certificate expired", KnownCause::Expired),
    ("revoked", KnownCause::CertificateRevoked),
    (
        "self signed certificate in certificate chain",
        KnownCause::IssuerNotTrusted,
    ),
    (
        "self-signed certificate in certificate chain",
        KnownCause::IssuerNotTrusted,
    ),
    ("self signed certificate", KnownCause::SelfSigned),
    ("self-signed certificate", KnownCause::SelfSigned),
    ("issuer certificate", KnownCause::IssuerNotTrusted),
    (
        "unable to verify the first certificate",
        KnownCause::IssuerNotTrusted,
    ),
    ("unknown ca", KnownCause::IssuerNotTrusted),
    ("connect tunnel failed", KnownCause::ProxyRefused),
    ("from proxy after connect", KnownCause::ProxyRefused),
    ("connection refused", KnownCause::ConnectionRefused),
    ("connection timed out", KnownCause::ConnectionTimedOut),
    ("connection timeout", KnownCause::ConnectionTimedOut),
    ("connection time-out", KnownCause::ConnectionTimedOut),
    ("no route to host", KnownCause::ConnectionTimedOut),
    ("network is unreachable", KnownCause::ConnectionTimedOut),
    ("ssl connection timeout", KnownCause::AnswerTimedOut),
    ("timed out", KnownCause::AnswerTimedOut),
    ("empty reply", KnownCause::ConnectionLost),
    ("recv failure", KnownCause::ConnectionLost),
    ("send failure", KnownCause::ConnectionLost),
    ("reset by peer", KnownCause::ConnectionLost),
    ("transfer closed", KnownCause::ConnectionLost),
    ("unexpected eof", KnownCause::ConnectionLost),
    ("wrong version number", KnownCause::NotTls),
    ("unknown protocol", KnownCause::NotTls),
    ("unsupported protocol", KnownCause::TlsNotCommon),
    ("handshake failure", KnownCause::TlsNotCommon),
    ("no cipher", KnownCause::TlsNotCommon),
    ("protocol version", KnownCause::TlsNotCommon),
    ("login denied", KnownCause::CredentialsRefused),
    ("returned error: 401", KnownCause::CredentialsRefused),
    ("returned error: 404", KnownCause::PageNotFound),
    ("returned error: 5", KnownCause::ServerFailed),
];

/// The cause of a failed transfer: by its text, and by its number only when the text says nothing.
#[must_use]
pub fn cause(number: u32, text: &str) -> Option<KnownCause> {
    let text = text.to_ascii_lowercase();
    let by_text = TEXTS.iter().find(|(words, _)| text.contains(words));
    by_text.map(|(_, cause)| *cause).or_else(|| by_number(number))
}

/// What the number alone says. 35, 60 and others say too little.
#[must_use]
pub const fn by_number(number: u32) -> Option<KnownCause> {
    Some(match number {
        5 | 6 => KnownCause::NameNotResolved,
        28 => KnownCause::AnswerTimedOut,
        51 => KnownCause::NameMismatch,
        52 | 55 | 56 => KnownCause::ConnectionLost,
        67 => KnownCause::CredentialsRefused,
        97 => KnownCause::ProxyRefused,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: &[(u32, &str, KnownCause)] = &[
        (
            60,
            "SSL certificate problem: unable to get local issuer certificate",
            KnownCause::IssuerNotTrusted,
        ),
        (
            60,
            "SSL certificate problem: certificate is not yet valid",
            KnownCause::NotYetValid,
        ),
        (
            60,
            "SSL certificate problem: certificate has expired",
            KnownCause::Expired,
        ),
        (
            60,
            "SSL certificate problem: self signed certificate",
            KnownCause::SelfSigned,
        ),
        (
            60,
            "SSL certificate problem: self-signed certificate in certificate chain",
            KnownCause::IssuerNotTrusted,
        ),
        (
            60,
            "SSL: no alternative certificate subject name matches target host name 'a'",
            KnownCause::NameMismatch,
        ),
        (
            51,
            "SSL: certificate subject name 'a' does not match target host name 'a.b'",
            KnownCause::NameMismatch,
        ),
        (
            6,
            "Could not resolve: lab-dcc.michamen.com (Domain name not found)",
            KnownCause::NameNotResolved,
        ),
        (
            28,
            "Operation timed out after 10000 milliseconds with 0 bytes received",
            KnownCause::AnswerTimedOut,
        ),
        (
            28,
            "Connection timed out after 10001 milliseconds",
            KnownCause::ConnectionTimedOut,
        ),
        (
            28,
            "Resolving timed out after 10001 milliseconds",
            KnownCause::NameNotResolved,
        ),
        (
            7,
            "Failed to connect to a port 443: Connection refused",
            KnownCause::ConnectionRefused,
        ),
        (52, "Empty reply from server", KnownCause::ConnectionLost),
    ];

    #[test]
    fn the_text_decides_and_not_the_number() {
        for (number, text, expected) in CASES {
            assert_eq!(cause(*number, text), Some(*expected), "{text}");
        }
    }

    #[test]
    fn without_a_text_the_number_says_what_it_can() {
        assert_eq!(cause(6, ""), Some(KnownCause::NameNotResolved));
        assert_eq!(cause(60, ""), None);
    }
}
