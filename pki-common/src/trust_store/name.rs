//! The name a peer's certificate must carry.

use core::fmt;

use rustls_pki_types::ServerName;

use crate::MacAddr;
use crate::certificate::{Certificate, SubjectAlternativeName};

/// The name a peer's certificate must carry.
///
/// A DNS name or address is looked for in the subject alternative names only, as RFC 9525 says.
/// Peers that are known by a MAC address carry it in the common name (Cisco document 70341),
/// so the two other forms ask for the common name, and only they do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedName {
    /// A DNS name or IP address of the subject alternative names; wildcards as in RFC 9525.
    Server(ServerName<'static>),
    /// The whole common name, letter for letter.
    CommonName(String),
    /// The MAC address at the end of the common name.
    Mac(MacAddr),
}

impl ExpectedName {
    /// A DNS name or an IP address in text.
    ///
    /// # Errors
    /// The text is neither.
    pub fn server(name: &str) -> Result<Self, rustls_pki_types::InvalidDnsNameError> {
        Ok(Self::Server(ServerName::try_from(name)?.to_owned()))
    }
}

impl From<ServerName<'_>> for ExpectedName {
    fn from(name: ServerName<'_>) -> Self {
        Self::Server(name.to_owned())
    }
}

impl fmt::Display for ExpectedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(name) => write!(f, "the name {:?}", name.to_str()),
            Self::CommonName(name) => write!(f, "the common name {name:?}"),
            Self::Mac(mac) => write!(f, "the MAC address {mac} at the end of the common name"),
        }
    }
}

/// Every name `certificate` presents, for a message: alternative names first, then the common name.
pub(super) fn presented_names(certificate: &Certificate) -> Vec<String> {
    let mut names: Vec<String> = certificate
        .subject_alternative_names()
        .iter()
        .map(SubjectAlternativeName::to_string)
        .collect();
    if let Some(common_name) = certificate.common_name() {
        names.push(format!("CN={common_name}"));
    }
    names
}
