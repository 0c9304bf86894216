//! Who asks for a certificate, and how that is known.

use std::fmt;
use std::net::IpAddr;

use pki_common::Certificate;
pub use pki_common::channel_binding::ChannelBindingType;

/// Who asks for a certificate, as the EST server authenticated them.
#[derive(Clone, Debug)]
pub struct Requester {
    /// The user name, or the subject of the client certificate.
    pub name: String,
    /// How the name was proven.
    pub authentication: Authentication,
    /// Where the request came from, when known.
    pub address: Option<IpAddr>,
    /// The client certificate of the TLS connection, when one was verified.
    pub certificate: Option<Certificate>,
}

impl Requester {
    /// The owner of the authority's files, on the command line.
    pub fn operator() -> Self {
        Self {
            name: "operator".to_owned(),
            authentication: Authentication::OPERATOR,
            address: None,
            certificate: None,
        }
    }
}

/// The methods by which a requester was authenticated (RFC 7030 section 3.3); all that are set were verified.
///
/// `Display` gives the form kept in the database: `client-certificate+http-digest`, or `none`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Authentication {
    /// A TLS client certificate.
    pub certificate: bool,
    /// User name and password in HTTP Basic (RFC 7617).
    pub basic: bool,
    /// User name and password in HTTP Digest (RFC 7616).
    pub digest: bool,
    /// A bearer token (RFC 6750).
    pub bearer: bool,
    /// Being the owner of the CA's files, on the command line.
    pub operator: bool,
}

impl Authentication {
    /// Not at all.
    pub const NONE: Self = Self {
        certificate: false,
        basic: false,
        digest: false,
        bearer: false,
        operator: false,
    };
    /// By a TLS client certificate.
    pub const CERTIFICATE: Self = Self {
        certificate: true,
        ..Self::NONE
    };
    /// By HTTP Basic.
    pub const BASIC: Self = Self {
        basic: true,
        ..Self::NONE
    };
    /// By HTTP Digest.
    pub const DIGEST: Self = Self {
        digest: true,
        ..Self::NONE
    };
    /// By a bearer token.
    pub const BEARER: Self = Self {
        bearer: true,
        ..Self::NONE
    };
    /// By being the owner of the CA's files, on the command line.
    pub const OPERATOR: Self = Self {
        operator: true,
        ..Self::NONE
    };

    /// These methods and those of `other`.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            certificate: self.certificate || other.certificate,
            basic: self.basic || other.basic,
            digest: self.digest || other.digest,
            bearer: self.bearer || other.bearer,
            operator: self.operator || other.operator,
        }
    }

    /// Whether no method is set.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

impl fmt::Display for Authentication {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods = [
            (self.certificate, "client-certificate"),
            (self.basic, "http-basic"),
            (self.digest, "http-digest"),
            (self.bearer, "http-bearer"),
            (self.operator, "operator"),
        ];
        let mut set = methods.iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name);
        match set.next() {
            None => formatter.write_str("none"),
            Some(first) => {
                formatter.write_str(first)?;
                set.try_for_each(|name| write!(formatter, "+{name}"))
            }
        }
    }
}

/// Whether a request proves that its maker has the private key and made it on this very TLS connection.
/// `Display` gives the form kept in the database: `absent`, `tls-unique` or `tls-exporter`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ChannelBindingState {
    /// The request carries no channel binding, or nobody looked.
    #[default]
    Absent,
    /// It does, and the value is the one of the connection.
    Verified(ChannelBindingType),
}

impl fmt::Display for ChannelBindingState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => formatter.write_str("absent"),
            Self::Verified(kind) => kind.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_every_method_that_was_used() {
        let both = Authentication::CERTIFICATE.and(Authentication::DIGEST);
        assert_eq!(both.to_string(), "client-certificate+http-digest");
        assert_eq!(Authentication::NONE.to_string(), "none");
        assert_eq!(Authentication::OPERATOR.to_string(), "operator");
        assert!(Authentication::default().is_none() && !both.is_none());
    }
}
