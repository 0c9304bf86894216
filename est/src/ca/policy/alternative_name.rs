//! Which alternative names are certified (RFC 5280 section 4.2.1.6).

use std::net::IpAddr;

use der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::network::IpNetwork;
use crate::ca::{PolicyRefusal, PolicyRule};

/// Public authorities accept 100; certificates with more do not fit the first flight of a handshake.
pub const DEFAULT_MAX_ALTERNATIVE_NAMES: usize = 100;

/// Which alternative names are certified. The extension is copied byte for byte when every name in it is allowed
/// and well formed.
///
/// # Defaults
/// DNS names (wildcards not), IP addresses, e-mail addresses, URIs; up to [`DEFAULT_MAX_ALTERNATIVE_NAMES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlternativeNamePolicy {
    /// `dNSName`.
    pub dns: bool,
    /// `dNSName` with `*` as its first label (RFC 6125 section 6.4.3).
    pub dns_wildcards: bool,
    /// `iPAddress`, version 4 or 6.
    pub ip: bool,
    /// `rfc822Name`.
    pub email: bool,
    /// `uniformResourceIdentifier`.
    pub uri: bool,
    /// `otherName` of any type, copied without a look at its value; Microsoft's user principal name is one.
    pub other_name: bool,
    /// `directoryName`.
    pub directory_name: bool,
    /// Most names.
    pub max_names: usize,
    /// Whether there must be an alternative name.
    pub required: bool,
    /// The domains that DNS names must be in, like `example.com`: the domain itself and every name below it. Empty
    /// for any.
    pub dns_domains: Vec<String>,
    /// The ranges that IP addresses must be in. Empty for any.
    pub ip_networks: Vec<IpNetwork>,
    /// The domains that e-mail addresses must be of, exactly. Empty for any.
    pub email_domains: Vec<String>,
    /// What URIs must begin with. Empty for anything.
    pub uri_prefixes: Vec<String>,
}

impl Default for AlternativeNamePolicy {
    fn default() -> Self {
        Self {
            dns: true,
            dns_wildcards: false,
            ip: true,
            email: true,
            uri: true,
            other_name: false,
            directory_name: false,
            max_names: DEFAULT_MAX_ALTERNATIVE_NAMES,
            required: false,
            dns_domains: Vec::new(),
            ip_networks: Vec::new(),
            email_domains: Vec::new(),
            uri_prefixes: Vec::new(),
        }
    }
}

impl AlternativeNamePolicy {
    /// Checks the value of a `subjectAltName` extension.
    pub(super) fn check(&self, value: &[u8]) -> Result<(), PolicyRefusal> {
        let names = SubjectAltName::from_der(value)
            .map_err(|error| refusal(format!("it cannot be read: {error}")))?
            .0;
        if names.is_empty() {
            return Err(refusal("it holds no name"));
        }
        if names.len() > self.max_names {
            return Err(refusal(format!(
                "it holds {} names; at most {} are certified",
                names.len(),
                self.max_names
            )));
        }
        names.iter().try_for_each(|name| self.check_name(name))
    }

    fn check_name(&self, name: &GeneralName) -> Result<(), PolicyRefusal> {
        let (allowed, well_formed, shown) = match name {
            GeneralName::DnsName(name) => {
                let name = name.as_str();
                if name.starts_with("*.") && !self.dns_wildcards {
                    return Err(refusal(format!(
                        "the wildcard DNS name {name:?} is not certified"
                    )));
                }
                (
                    self.dns,
                    is_dns_name(name.strip_prefix("*.").unwrap_or(name)),
                    format!("DNS name {name:?}"),
                )
            }
            GeneralName::IpAddress(octets) => {
                let octets = octets.as_bytes();
                (
                    self.ip,
                    matches!(octets.len(), 4 | 16),
                    format!("IP address of {} octets", octets.len()),
                )
            }
            GeneralName::Rfc822Name(name) => (
                self.email,
                is_email(name.as_str()),
                format!("e-mail address {:?}", name.as_str()),
            ),
            GeneralName::UniformResourceIdentifier(uri) => {
                (self.uri, is_uri(uri.as_str()), format!("URI {:?}", uri.as_str()))
            }
            GeneralName::OtherName(name) => (
                self.other_name,
                true,
                format!("otherName of type {}", name.type_id),
            ),
            GeneralName::DirectoryName(name) => (self.directory_name, true, format!("directoryName {name}")),
            GeneralName::EdiPartyName(_) => (false, true, "ediPartyName".to_owned()),
            GeneralName::RegisteredId(oid) => (false, true, format!("registeredID {oid}")),
        };
        if !allowed {
            return Err(refusal(format!("a name of this kind is not certified: {shown}")));
        }
        if !well_formed {
            return Err(refusal(format!("the name is malformed: {shown}")));
        }
        self.check_range(name)
    }

    /// Whether the name is among those that this authority speaks for.
    fn check_range(&self, name: &GeneralName) -> Result<(), PolicyRefusal> {
        let (inside, shown, ranges) = match name {
            GeneralName::DnsName(name) => {
                let name = name.as_str();
                let inside = self.dns_domains.iter().any(|domain| is_in_domain(name, domain));
                (inside, format!("DNS name {name:?}"), self.dns_domains.clone())
            }
            GeneralName::IpAddress(octets) => {
                let address = ip_address(octets.as_bytes());
                let inside = address
                    .is_some_and(|address| self.ip_networks.iter().any(|network| network.contains(address)));
                let shown = address.map_or_else(String::new, |address| address.to_string());
                let ranges = self.ip_networks.iter().map(ToString::to_string).collect();
                (inside, format!("IP address {shown}"), ranges)
            }
            GeneralName::Rfc822Name(name) => {
                let domain = name.as_str().rsplit_once('@').map_or("", |(_, domain)| domain);
                let is_one = |known: &String| known.eq_ignore_ascii_case(domain);
                let inside = self.email_domains.iter().any(is_one);
                let shown = format!("e-mail address {:?}", name.as_str());
                (inside, shown, self.email_domains.clone())
            }
            GeneralName::UniformResourceIdentifier(uri) => {
                let uri = uri.as_str();
                let inside = self
                    .uri_prefixes
                    .iter()
                    .any(|prefix| uri.starts_with(prefix.as_str()));
                (inside, format!("URI {uri:?}"), self.uri_prefixes.clone())
            }
            _ => return Ok(()),
        };
        if inside || ranges.is_empty() {
            return Ok(());
        }
        let ranges = ranges.join(", ");
        Err(refusal(format!(
            "the {shown} is not one that this authority speaks for ({ranges})"
        )))
    }
}

/// The domain itself, or a name below it.
fn is_in_domain(name: &str, domain: &str) -> bool {
    let domain = domain.trim_start_matches('.');
    let (name, domain) = (name.to_ascii_lowercase(), domain.to_ascii_lowercase());
    name.strip_suffix(&domain)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn ip_address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        return Some(octets.into());
    }
    <[u8; 16]>::try_from(octets).ok().map(Into::into)
}

fn refusal(text: impl AsRef<str>) -> PolicyRefusal {
    let text = format!("the requested subjectAltName: {}", text.as_ref());
    PolicyRefusal::new(PolicyRule::SubjectAlternativeName, text)
}

/// Letters, digits, hyphens and (seen in device names) underscores; labels of 1 to 63, 253 in all (RFC 1034
/// section 3.5).
fn is_dns_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// `local@domain` (RFC 5280 section 4.2.1.6: no display name, no comment).
fn is_email(name: &str) -> bool {
    let is_local = |local: &str| {
        !local.is_empty()
            && local
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"<>()[],;:\\\"@".contains(&byte))
    };
    name.rsplit_once('@')
        .is_some_and(|(local, domain)| is_local(local) && is_dns_name(domain))
}

/// An absolute URI (RFC 5280 section 4.2.1.6: a scheme and a scheme-specific part).
fn is_uri(uri: &str) -> bool {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    uri.split_once(':').is_some_and(|(scheme, rest)| {
        is_scheme(scheme) && !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_well_formed_names() {
        for name in ["a", "device.example.com", "ap_7.example.com", "1.2.3.4"] {
            assert!(is_dns_name(name), "{name}");
        }
        for name in [
            "",
            ".",
            "a.",
            "a..b",
            "-a",
            "a b",
            "a\0b",
            "*.example.com",
            &"a".repeat(64),
        ] {
            assert!(!is_dns_name(name), "{name}");
        }
        assert!(is_email("ops+ap@example.com"));
        for name in [
            "",
            "ops",
            "@example.com",
            "ops@",
            "Ops <ops@example.com>",
            "a b@example.com",
        ] {
            assert!(!is_email(name), "{name}");
        }
        assert!(is_uri("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"));
        for uri in ["", "/relative", "https:", "1a:b", "https://a b"] {
            assert!(!is_uri(uri), "{uri}");
        }
    }
}
