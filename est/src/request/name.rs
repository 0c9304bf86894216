//! The names that a request asks for in the subject alternative name extension (RFC 5280, section 4.2.1.6).

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use der::Encode as _;
use der::asn1::{Ia5String, OctetString};
use pki_common::certificate::SubjectAlternativeName;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::{RequestError, issued};
use crate::wire::asn1::{Reader, Rules};

/// A name to ask for in the subject alternative name extension.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestedName {
    /// A host name.
    Dns(String),
    /// An IP address.
    Ip(IpAddr),
    /// An e-mail address.
    Email(String),
    /// A URI.
    Uri(String),
    /// Another kind of name, as a certificate or a request of somebody else may hold it; described for a reader.
    Other(String),
}

impl FromStr for RequestedName {
    type Err = RequestError;

    /// `DNS:name`, `IP:address`, `email:address`, `URI:uri`, as OpenSSL writes them.
    fn from_str(text: &str) -> Result<Self, RequestError> {
        let wrong = || RequestError::Name {
            text: text.to_owned(),
        };
        let (kind, value) = text.split_once(':').ok_or_else(wrong)?;
        if value.is_empty() || !value.is_ascii() {
            return Err(wrong());
        }
        match kind.to_ascii_lowercase().as_str() {
            "dns" => Ok(Self::Dns(value.to_owned())),
            "ip" => value.parse().map(Self::Ip).map_err(|_| wrong()),
            "email" => Ok(Self::Email(value.to_owned())),
            "uri" => Ok(Self::Uri(value.to_owned())),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for RequestedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "DNS:{name}"),
            Self::Ip(address) => write!(f, "IP:{address}"),
            Self::Email(address) => write!(f, "email:{address}"),
            Self::Uri(uri) => write!(f, "URI:{uri}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl RequestedName {
    fn to_general_name(&self) -> Result<GeneralName, RequestError> {
        let text = |text: &str| {
            Ia5String::new(text).map_err(|_| RequestError::Name {
                text: self.to_string(),
            })
        };
        Ok(match self {
            Self::Dns(name) => GeneralName::DnsName(text(name)?),
            Self::Email(address) => GeneralName::Rfc822Name(text(address)?),
            Self::Uri(uri) => GeneralName::UniformResourceIdentifier(text(uri)?),
            Self::Other(text) => return Err(RequestError::Name { text: text.clone() }),
            Self::Ip(address) => {
                let octets = match address {
                    IpAddr::V4(address) => address.octets().to_vec(),
                    IpAddr::V6(address) => address.octets().to_vec(),
                };
                GeneralName::IpAddress(OctetString::new(octets).map_err(RequestError::encoding)?)
            }
        })
    }

    /// Whether a certificate's name is this one.
    #[must_use]
    pub fn is(&self, issued: &SubjectAlternativeName) -> bool {
        match (self, issued) {
            (Self::Dns(asked), SubjectAlternativeName::Dns(issued)) => asked == issued,
            (Self::Ip(asked), SubjectAlternativeName::Ip(issued)) => asked == issued,
            (Self::Email(asked), SubjectAlternativeName::Email(issued)) => asked == issued,
            (Self::Uri(asked), SubjectAlternativeName::Uri(issued)) => asked == issued,
            _ => false,
        }
    }
}

/// The extension's value: GeneralNames in DER, in the order given.
pub(super) fn encode(names: &[RequestedName]) -> Result<Vec<u8>, RequestError> {
    let names = names
        .iter()
        .map(RequestedName::to_general_name)
        .collect::<Result<Vec<_>, _>>()?;
    SubjectAltName(names).to_der().map_err(RequestError::encoding)
}

/// The names in the extension's value; one that is not understood is described. Empty when the value is no list.
pub(super) fn decode(value: &[u8]) -> Vec<RequestedName> {
    let names = issued::elements(value).unwrap_or_default();
    names.into_iter().map(read).collect()
}

pub(super) fn read(name: &[u8]) -> RequestedName {
    let mut reader = Reader::new(name, Rules::Der);
    let Ok(element) = reader.any("GeneralName") else {
        return RequestedName::Other("an unreadable name".to_owned());
    };
    let text = || String::from_utf8_lossy(element.content).into_owned();
    let ip = || {
        <[u8; 4]>::try_from(element.content)
            .map(IpAddr::from)
            .or_else(|_| <[u8; 16]>::try_from(element.content).map(IpAddr::from))
            .ok()
    };
    // The context-specific tags of GeneralName.
    match element.tag {
        0x81 => RequestedName::Email(text()),
        0x82 => RequestedName::Dns(text()),
        0x86 => RequestedName::Uri(text()),
        0x87 => ip().map_or_else(
            || RequestedName::Other(format!("an IP address of {} octets", element.content.len())),
            RequestedName::Ip,
        ),
        tag => RequestedName::Other(format!("a name with tag 0x{tag:02x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_as_openssl_writes_them() {
        for text in [
            "DNS:a.example",
            "IP:10.0.0.1",
            "IP:2001:db8::1",
            "email:a@b.example",
            "URI:https://a.example/",
        ] {
            assert_eq!(text.parse::<RequestedName>().unwrap().to_string(), text);
        }
        for text in ["a.example", "DNS:", "IP:a", "XMPP:a", "DNS:ü"] {
            assert_eq!(
                text.parse::<RequestedName>(),
                Err(RequestError::Name {
                    text: text.to_owned()
                })
            );
        }
    }
}
