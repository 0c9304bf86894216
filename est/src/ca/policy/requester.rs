//! Whose certificate it may be, against who asks.

use const_oid::ObjectIdentifier;
use der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

use crate::ca::x509::SUBJECT_ALT_NAME;
use crate::ca::{PolicyRefusal, PolicyRule, Requester};
use crate::wire::csr::CertificationRequest;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// Whose certificate a requester may ask for. The name of a requester is the user name, or the common name of the
/// client certificate. The operator may ask for any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RequesterRule {
    /// Any: the requester is a registrar, or the network decides who gets here.
    #[default]
    Anyone,
    /// One whose only common name is the requester's name, byte for byte. Alternative names may only be that name, too.
    CommonName,
    /// One that has the requester's name as its only common name, or as a DNS name or e-mail address among its
    /// alternative names. Every alternative name must be the requester's; a URI, an IP address and other kinds are
    /// nobody's.
    AnyName,
}

impl RequesterRule {
    /// Asks the rule.
    ///
    /// # Errors
    /// [`PolicyRule::Requester`]
    pub fn check(self, requester: &Requester, request: &CertificationRequest) -> Result<(), PolicyRefusal> {
        if self == Self::Anyone || requester.authentication.operator {
            return Ok(());
        }
        let name = match (&requester.certificate, requester.authentication.certificate) {
            (Some(certificate), true) => certificate.common_name().unwrap_or_default(),
            _ => requester.name.as_str(),
        };
        let common_names = common_names(request)
            .ok_or_else(|| refusal("the common name of the subject cannot be read as text".to_owned()))?;
        let is_common_name = common_names.len() == 1 && common_names.iter().all(|found| found == name);
        let others = alternative_names(request);
        let own = |other: &Option<String>| {
            other
                .as_ref()
                .is_some_and(|other| other.eq_ignore_ascii_case(name))
        };
        let allowed = !name.is_empty()
            && others.iter().all(own)
            && match self {
                Self::Anyone => true,
                Self::CommonName => is_common_name,
                Self::AnyName => is_common_name || common_names.is_empty() && !others.is_empty(),
            };
        if allowed {
            return Ok(());
        }
        let strange = others.iter().filter(|other| !own(other)).count();
        Err(refusal(format!(
            "{name:?} asked, and the names of the certificate would be {} and {strange} alternative names of others; it \
             may only be the requester's own name",
            request.subject_text()
        )))
    }
}

fn refusal(text: String) -> PolicyRefusal {
    PolicyRefusal::new(PolicyRule::Requester, text)
}

/// The common names of the subject; `None` when one is no text.
fn common_names(request: &CertificationRequest) -> Option<Vec<String>> {
    let name = Name::from_der(request.subject_der()).ok()?;
    name.0
        .iter()
        .flat_map(|part| part.0.iter())
        .filter(|attribute| attribute.oid == COMMON_NAME)
        .map(|attribute| String::from_utf8(attribute.value.value().to_vec()).ok())
        .collect()
}

/// The alternative names that are asked for, `None` for one that is neither a DNS name nor an e-mail address. Whether
/// the extension can be read is another rule's business.
fn alternative_names(request: &CertificationRequest) -> Vec<Option<String>> {
    request
        .requested_extensions()
        .iter()
        .filter(|extension| extension.oid == SUBJECT_ALT_NAME)
        .filter_map(|extension| SubjectAltName::from_der(&extension.value).ok())
        .flat_map(|names| names.0)
        .map(|name| match name {
            GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
            GeneralName::Rfc822Name(name) => Some(name.as_str().to_owned()),
            _ => None,
        })
        .collect()
}
