//! Which attributes a request may have.

use const_oid::ObjectIdentifier;
use der::Decode as _;
use x509_cert::name::Name;

use crate::ca::{PolicyRefusal, PolicyRule};
use crate::wire::csr::{CertificationRequest, name_with_oid};

/// Which attributes a request may have: those beside the subject (RFC 2986), and those that the subject is made of
/// (RFC 5280 section 4.1.2.4). What is let in of the subject is certified byte for byte; attributes beside it never
/// are part of a certificate.
///
/// # Defaults
/// All.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributePolicy {
    /// Attributes that a request must have neither in its subject nor beside it.
    pub forbidden: Vec<ObjectIdentifier>,
}

impl AttributePolicy {
    pub(super) fn check(&self, request: &CertificationRequest) -> Result<(), PolicyRefusal> {
        if self.forbidden.is_empty() {
            return Ok(());
        }
        let refuse = |oid: &ObjectIdentifier, place: &str| {
            let name = name_with_oid(oid);
            let text = format!("the attribute {name} {place} is forbidden here; ask without it");
            Err(PolicyRefusal::new(PolicyRule::Attribute, text))
        };
        let is_forbidden = |oid: &ObjectIdentifier| self.forbidden.contains(oid);
        let mut attributes = request.attributes().iter().map(|attribute| &attribute.oid);
        if let Some(oid) = attributes.find(|oid| is_forbidden(oid)) {
            return refuse(oid, "of the request");
        }
        let subject = Name::from_der(request.subject_der()).map_err(|error| {
            PolicyRefusal::new(
                PolicyRule::Subject,
                format!("the subject cannot be read: {error}"),
            )
        })?;
        let mut attributes = subject.0.iter().flat_map(|part| part.0.iter());
        match attributes.find(|attribute| is_forbidden(&attribute.oid)) {
            Some(attribute) => refuse(&attribute.oid, "in the subject"),
            None => Ok(()),
        }
    }
}
