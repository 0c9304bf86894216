//! What a legacy transport may speak.

use core::fmt;
use core::str::FromStr;

use openssl::ssl::SslVersion;

use crate::error::Error;

/// Cipher suites unless told otherwise, best first; static RSA comes last. For peers that know only RC4 or 3DES, ask for
/// those by name, if the installed OpenSSL still has them.
pub const DEFAULT_CIPHERS: &str = "ECDHE+AESGCM:ECDHE+AES:AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA256:\
                                   AES256-SHA256:AES128-SHA:AES256-SHA";

/// Suites without a certificate would leave out the authlist, those without encryption everything else.
const NEVER: &str = ":!aNULL:!eNULL:!PSK:!SRP";

/// A version of TLS over TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LegacyVersion {
    /// TLS 1.0 (RFC 2246).
    Tls10,
    /// TLS 1.1 (RFC 4346).
    Tls11,
    /// TLS 1.2 (RFC 5246).
    Tls12,
}

impl LegacyVersion {
    const fn as_openssl(self) -> SslVersion {
        match self {
            Self::Tls10 => SslVersion::TLS1,
            Self::Tls11 => SslVersion::TLS1_1,
            Self::Tls12 => SslVersion::TLS1_2,
        }
    }
}

impl fmt::Display for LegacyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tls10 => "1.0",
            Self::Tls11 => "1.1",
            Self::Tls12 => "1.2",
        })
    }
}

impl FromStr for LegacyVersion {
    type Err = Error;

    /// "1.0", "1.1" or "1.2".
    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "1.0" => Ok(Self::Tls10),
            "1.1" => Ok(Self::Tls11),
            "1.2" => Ok(Self::Tls12),
            _ => Err(Error::Configuration {
                cause: format!("{text:?} is no version of TLS that the legacy transport speaks"),
                remedy: "choose 1.0, 1.1 or 1.2; the normal transport speaks 1.2 and 1.3".to_owned(),
            }),
        }
    }
}

/// Below the records: a stream or single datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// TLS over TCP.
    Tls {
        /// The oldest version that is spoken.
        oldest: LegacyVersion,
        /// The newest one.
        newest: LegacyVersion,
    },
    /// DTLS 1.2 (RFC 6347) over UDP: the connectionless form.
    Dtls,
}

/// A transport for old devices. Made by [`dangerous_tls`](Self::dangerous_tls) or
/// [`dangerous_dtls`](Self::dangerous_dtls).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyTransport {
    carrier: Carrier,
    /// Cipher suites as `openssl ciphers` writes them. Default: [`DEFAULT_CIPHERS`].
    pub ciphers: String,
}

impl LegacyTransport {
    /// TLS 1.0 to 1.2 over TCP, static RSA included.
    #[must_use]
    pub fn dangerous_tls() -> Self {
        Self::dangerous_tls_versions(LegacyVersion::Tls10, LegacyVersion::Tls12)
    }

    /// TLS over TCP in these versions only. When `oldest` is newer than `newest`, no handshake succeeds.
    #[must_use]
    pub fn dangerous_tls_versions(oldest: LegacyVersion, newest: LegacyVersion) -> Self {
        Self {
            carrier: Carrier::Tls { oldest, newest },
            ciphers: DEFAULT_CIPHERS.to_owned(),
        }
    }

    /// DTLS 1.2 over UDP.
    #[must_use]
    pub fn dangerous_dtls() -> Self {
        Self {
            carrier: Carrier::Dtls,
            ciphers: DEFAULT_CIPHERS.to_owned(),
        }
    }

    /// TCP or UDP, and the versions.
    #[must_use]
    pub const fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// Oldest and newest version.
    pub(super) const fn versions(&self) -> (SslVersion, SslVersion) {
        match self.carrier {
            Carrier::Tls { oldest, newest } => (oldest.as_openssl(), newest.as_openssl()),
            Carrier::Dtls => (SslVersion::DTLS1_2, SslVersion::DTLS1_2),
        }
    }

    pub(super) fn cipher_list(&self) -> String {
        format!("{}{NEVER}", self.ciphers)
    }

    /// Whether the installed OpenSSL can do it.
    pub(crate) fn check(&self) -> Result<(), Error> {
        super::session::context(self).map(drop)
    }

    /// Says in the log what is given up.
    pub(crate) fn warn(&self, role: &str) {
        tracing::warn!(
            "dangerous: {role} speaks {self} by OpenSSL at security level 0 (ciphers {}): traffic with static RSA can be \
             read by whoever gets the key later",
            self.ciphers
        );
    }
}

impl fmt::Display for LegacyTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.carrier {
            Carrier::Tls { oldest, newest } if oldest == newest => write!(f, "TLS {oldest}"),
            Carrier::Tls { oldest, newest } => write!(f, "TLS {oldest} to {newest}"),
            Carrier::Dtls => f.write_str("DTLS 1.2"),
        }
    }
}
