//! The causes that several programs recognise, each by one stable name.

use std::fmt;
use std::io;
use std::str::FromStr;

use super::{Diagnose, Failure, Rung, TlsFault};

macro_rules! known_causes {
    ($($(#[$doc:meta])* $cause:ident = $name:literal, $rung:expr, $remedy:literal;)*) => {
        /// A cause that the libraries, the live diagnosis and the reader of logs all know, whatever words the program
        /// at hand has for it.
        ///
        /// `Display` and [`FromStr`] use the name, which does not change between releases.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum KnownCause {
            $($(#[$doc])* $cause,)*
        }

        impl KnownCause {
            /// All of them, in the order of the ladder.
            pub const ALL: &[Self] = &[$(Self::$cause),*];

            /// The stable name, like `not-yet-valid`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$cause => $name,)*
                }
            }

            /// The rung on which the side sees it that it happens to. What a peer reports of its own upstream stands on
            /// [`Rung::Upstream`] instead.
            #[must_use]
            pub const fn rung(self) -> Rung {
                match self {
                    $(Self::$cause => $rung,)*
                }
            }

            /// What to do about it, one sentence, when nothing more is known of the case.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self {
                    $(Self::$cause => $remedy,)*
                }
            }
        }
    };
}

known_causes! {
    /// The host name has no address.
    NameNotResolved = "name-not-resolved", Rung::NameResolution,
        "Correct the host name, or the DNS server and search domain of this machine; `getent ahosts NAME` shows what they know.";
    /// The host answers, but nothing listens on the port.
    ConnectionRefused = "connection-refused", Rung::Tcp,
        "Start the service on the other side, or correct the port.";
    /// Nothing answers on the address: no route, or something on the way drops the packets.
    ConnectionTimedOut = "connection-timed-out", Rung::Tcp,
        "Check the route and the firewalls on the way; a port that is closed would have answered at once.";
    /// The connection was reset or closed before the answer was complete.
    ConnectionLost = "connection-lost", Rung::Tcp,
        "Look into the log of the other side for the reason; a load balancer or a firewall on the way may also have cut it.";
    /// The proxy did not open the tunnel.
    ProxyRefused = "proxy-refused", Rung::Proxy,
        "Allow the host and port on the proxy, or go round it.";
    /// The chain ends at an authority that the verifier does not trust, or an intermediate certificate is missing.
    IssuerNotTrusted = "issuer-not-trusted", Rung::Tls(TlsFault::Chain),
        "Add the root (and the intermediate, when the server does not send it) to the trust store of the side that refused.";
    /// The certificate is self-signed, and the verifier wants one of an authority.
    SelfSigned = "self-signed", Rung::Tls(TlsFault::Chain),
        "Give the server a certificate of an authority that the other side trusts; a self-signed one is not accepted even if it is in the trust store of the vendor's registration authority.";
    /// The certificate is revoked.
    CertificateRevoked = "certificate-revoked", Rung::Tls(TlsFault::Chain),
        "Enrol a new certificate.";
    /// The verifier wants a certificate, and none was sent.
    CertificateRequired = "certificate-required", Rung::Tls(TlsFault::Chain),
        "Give the client a certificate and key that the other side accepts.";
    /// The certificate belongs to another name than the one asked for.
    NameMismatch = "name-mismatch", Rung::Tls(TlsFault::Name),
        "Use the full name that stands in the certificate, or issue a certificate whose subject alternative name is the name of the URL.";
    /// The certificate is not valid yet, or a clock is wrong.
    NotYetValid = "not-yet-valid", Rung::Tls(TlsFault::Time),
        "Synchronise the clocks of both sides by NTP; if they are right, wait until the validity begins.";
    /// The certificate is no longer valid, or a clock is wrong.
    Expired = "expired", Rung::Tls(TlsFault::Time),
        "Renew the certificate; check the clocks of both sides first.";
    /// The certificate is valid, but the authlist does not admit its MAC address or its key hash.
    AuthlistRefused = "authlist-refused", Rung::Tls(TlsFault::AuthList),
        "Compare the MAC address and the key hash of the peer with the authlist entry of the side that refused, and correct the entry.";
    /// The two sides have no TLS version or cipher suite in common.
    TlsNotCommon = "tls-not-common", Rung::Tls(TlsFault::Protocol),
        "Allow TLS 1.2 with ECDHE, or TLS 1.3, on the other side; for an old device use a transport that speaks its version.";
    /// The other side does not speak TLS on this port.
    NotTls = "not-tls", Rung::Tls(TlsFault::Protocol),
        "Correct the port, or the scheme of the URL.";
    /// The user name or the password is wrong, or the account may not do this.
    CredentialsRefused = "credentials-refused", Rung::Status,
        "Correct the user name and the password, and check the rights of the account.";
    /// The server offers no way to log in that this side has been allowed to use.
    LoginNotOffered = "login-not-offered", Rung::Status,
        "Enable NTLM or Basic on the server, or configure the way it offers.";
    /// The server is reached, but what was asked for is not there.
    PageNotFound = "page-not-found", Rung::Status,
        "Correct the path of the URL; the service may not be installed on this server.";
    /// The server answered that it failed.
    ServerFailed = "server-failed", Rung::Status,
        "Look into the log of the server.";
    /// The connection is up, but the answer did not come in time.
    AnswerTimedOut = "answer-timed-out", Rung::Status,
        "Look for the load on the other side, and raise the time-out if the answer is only slow.";
    /// The certificate template is not in the list of the authority.
    TemplateNotOffered = "template-not-offered", Rung::Body,
        "Correct the name of the template (the name, not the display name), or publish it on the authority and let the account enrol by it.";
    /// The authority has denied the request.
    RequestDenied = "request-denied", Rung::Body,
        "Read the disposition message; change the request or the policy of the authority.";
    /// The authority waits for an administrator.
    RequestPending = "request-pending", Rung::Body,
        "Have the request approved on the authority, and ask again.";
    /// The answer is not what this protocol says.
    AnswerNotUnderstood = "answer-not-understood", Rung::Body,
        "Check that the URL leads to the right service; a proxy or a login page in between answers in its stead.";
    /// The chain is that of the authority before its last renewal.
    OldChain = "old-chain", Rung::Body,
        "Ask for the newest renewal; a fixed `Renewal=0` gets the first certificate for ever.";
    /// The clocks of the two sides differ.
    ClockSkew = "clock-skew", Rung::Body,
        "Synchronise the clocks of both sides by NTP.";
}

impl KnownCause {
    /// What an error of the operating system on a connection is known as.
    #[must_use]
    pub const fn of_io(kind: io::ErrorKind) -> Option<Self> {
        match kind {
            io::ErrorKind::ConnectionRefused => Some(Self::ConnectionRefused),
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Some(Self::ConnectionLost),
            io::ErrorKind::TimedOut
            | io::ErrorKind::WouldBlock
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown => Some(Self::ConnectionTimedOut),
            _ => None,
        }
    }

    /// A failure of this cause with its own rung and remedy; `cause` is the sentence that tells the case.
    pub fn failure(self, cause: impl Into<String>) -> Failure {
        Failure::new(self.rung(), cause, self.remedy()).known_as(self)
    }
}

impl fmt::Display for KnownCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for KnownCause {
    type Err = UnknownCause;

    fn from_str(text: &str) -> Result<Self, UnknownCause> {
        let found = Self::ALL.iter().find(|known| known.name() == text);
        found.copied().ok_or_else(|| UnknownCause {
            found: text.to_owned(),
        })
    }
}

/// A text that names no [`KnownCause`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not the name of a known cause")]
pub struct UnknownCause {
    /// The text.
    pub found: String,
}

impl Diagnose for UnknownCause {
    fn diagnose(&self) -> Failure {
        let remedy = "Use a name that the documentation of the failure ladder lists, letter for letter.";
        Failure::new(Rung::Local, format!("{self}."), remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_one_name_that_leads_back_to_it() {
        for cause in KnownCause::ALL {
            assert_eq!(cause.name().parse(), Ok(*cause));
            assert!(cause.remedy().ends_with('.'), "{cause}");
        }
        let mut names: Vec<_> = KnownCause::ALL.iter().map(|cause| cause.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KnownCause::ALL.len());
    }

    #[test]
    fn the_list_climbs_the_ladder() {
        assert!(KnownCause::ALL.is_sorted_by_key(|cause| cause.rung()));
    }

    #[test]
    fn a_text_that_is_no_name_is_told_back() {
        let error = "certificate-too-pretty".parse::<KnownCause>().unwrap_err();
        assert!(error.to_string().contains("certificate-too-pretty"));
    }
}
