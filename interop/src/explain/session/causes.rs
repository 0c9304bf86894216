//! The causes of a failed step towards AD CS, in the words of the registration authority's position.

use pki_common::{Failure, KnownCause, Rung};

use super::{OTHER, WRITER};

/// What happened, as a sentence without a full stop.
pub(super) const fn words(cause: KnownCause) -> &'static str {
    match cause {
        KnownCause::NameNotResolved => "the host name of AD CS has no address",
        KnownCause::ConnectionRefused => "nothing listens on the port of AD CS",
        KnownCause::ConnectionTimedOut => "nothing answers on the address of AD CS",
        KnownCause::ConnectionLost => "the connection to AD CS was lost",
        KnownCause::ProxyRefused => "the proxy did not open the way to AD CS",
        KnownCause::IssuerNotTrusted => "the issuer of AD CS's certificate is not trusted",
        KnownCause::SelfSigned => "AD CS presents a self-signed certificate",
        KnownCause::CertificateRevoked => "AD CS's certificate is revoked",
        KnownCause::NameMismatch => "AD CS's certificate is for another name than that of the URL",
        KnownCause::NotYetValid => "AD CS's certificate is not valid yet, or a clock is wrong",
        KnownCause::Expired => "AD CS's certificate has expired, or a clock is wrong",
        KnownCause::TlsNotCommon => {
            "AD CS and the registration authority have no TLS version or cipher suite in common"
        }
        KnownCause::NotTls => "what answers on the port of AD CS does not speak TLS",
        KnownCause::CredentialsRefused => "AD CS refused the user name or the password",
        KnownCause::PageNotFound => "AD CS's server has no web enrolment at this path",
        KnownCause::ServerFailed => "AD CS's server failed",
        KnownCause::AnswerTimedOut => "AD CS did not answer in time",
        _ => "the transfer failed",
    }
}

/// Who refused: of certificates the registration authority, of requests AD CS; nobody for a time-out.
pub(super) const fn refused_by(cause: KnownCause) -> Option<&'static str> {
    match cause.rung() {
        Rung::Tls(_) => Some("the registration authority"),
        Rung::Status | Rung::Body if !matches!(cause, KnownCause::AnswerTimedOut) => Some("AD CS"),
        _ => None,
    }
}

/// The failure of a step towards AD CS.
pub(super) fn failure(cause: KnownCause, sentence: &str) -> Failure {
    let mut characters = sentence.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    let failure = cause.failure(first.into_iter().chain(characters).collect::<String>());
    match refused_by(cause) {
        Some("AD CS") => failure.refused_by(OTHER),
        Some(_) => failure.refused_by(WRITER),
        None => failure,
    }
}
