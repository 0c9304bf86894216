//! Extensions that the authority adds on its own.

use const_oid::ObjectIdentifier;
use der::{self, Encode as _};

use crate::ca::x509::{
    AUTHORITY_INFORMATION_ACCESS, CERTIFICATE_POLICIES, CRL_DISTRIBUTION_POINTS, Extension,
};
use crate::wire::asn1::{self, tag};
use crate::wire::csr::RequestedExtension;

const ID_AD_OCSP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1");
const ID_AD_CA_ISSUERS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.2");

/// `uniformResourceIdentifier [6] IA5String` of GeneralName (RFC 5280 section 4.2.1.6).
const URI: u8 = 0x86;

/// Extensions that the authority adds on its own. One that is set here is never taken from a request.
///
/// # Defaults
/// None.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddedExtensions {
    /// Where the revocation list is (`cRLDistributionPoints`): URIs of the same list. `{key}` in one stands for the key
    /// identifier of the issuing authority in hexadecimal, so that after a new key of the authority each certificate
    /// leads to the list that the key it was signed by has signed.
    pub crl_distribution_points: Vec<String>,
    /// Where the certificate of the authority is (`authorityInfoAccess`, `caIssuers`).
    pub ca_issuers: Vec<String>,
    /// Where an OCSP responder is (`authorityInfoAccess`, `ocsp`).
    pub ocsp: Vec<String>,
    /// The policies that the certificate is issued under (`certificatePolicies`).
    pub certificate_policies: Vec<ObjectIdentifier>,
}

/// In a distribution point or the path of a list, what stands for the key identifier of the authority.
pub(crate) const KEY_PLACE: &str = "{key}";

impl AddedExtensions {
    /// For the certificates under one key of the authority: its identifier in place of `{key}`.
    pub(crate) fn for_key(&self, identifier: &str) -> Self {
        let points = self.crl_distribution_points.iter();
        Self {
            crl_distribution_points: points.map(|uri| uri.replace(KEY_PLACE, identifier)).collect(),
            ..self.clone()
        }
    }

    /// Whether the authority sets this extension.
    pub(super) fn sets(&self, oid: ObjectIdentifier) -> bool {
        match oid {
            CRL_DISTRIBUTION_POINTS => !self.crl_distribution_points.is_empty(),
            AUTHORITY_INFORMATION_ACCESS => !self.ca_issuers.is_empty() || !self.ocsp.is_empty(),
            CERTIFICATE_POLICIES => !self.certificate_policies.is_empty(),
            _ => false,
        }
    }

    /// Whether the authority sets this extension to just what is asked for.
    pub(super) fn has(&self, asked: &RequestedExtension) -> bool {
        self.encode().is_ok_and(|added| {
            added.iter().any(|one| {
                one.extn_id == asked.oid
                    && one.critical == asked.critical
                    && one.extn_value.as_bytes() == asked.value
            })
        })
    }

    /// RFC 5280 sections 4.2.1.4, 4.2.1.13 and 4.2.2.1; none of them critical.
    pub(super) fn encode(&self) -> der::Result<Vec<Extension>> {
        let mut extensions = Vec::new();
        let mut add = |oid, value: Vec<u8>| -> der::Result<()> {
            extensions.push(Extension::from_value(oid, false, value)?);
            Ok(())
        };
        if self.sets(CRL_DISTRIBUTION_POINTS) {
            let names: Vec<u8> = self.crl_distribution_points.iter().flat_map(uri).collect();
            let full_name = asn1::encode(tag::CONTEXT_0, &[&names]);
            let name = asn1::encode(tag::CONTEXT_0, &[&full_name]);
            let point = asn1::encode(tag::SEQUENCE, &[&name]);
            add(CRL_DISTRIBUTION_POINTS, asn1::encode(tag::SEQUENCE, &[&point]))?;
        }
        if self.sets(AUTHORITY_INFORMATION_ACCESS) {
            let mut descriptions = Vec::new();
            for (method, uris) in [(ID_AD_OCSP, &self.ocsp), (ID_AD_CA_ISSUERS, &self.ca_issuers)] {
                for location in uris {
                    descriptions.extend(asn1::encode(tag::SEQUENCE, &[&method.to_der()?, &uri(location)]));
                }
            }
            add(
                AUTHORITY_INFORMATION_ACCESS,
                asn1::encode(tag::SEQUENCE, &[&descriptions]),
            )?;
        }
        if self.sets(CERTIFICATE_POLICIES) {
            let mut policies = Vec::new();
            for policy in &self.certificate_policies {
                policies.extend(asn1::encode(tag::SEQUENCE, &[&policy.to_der()?]));
            }
            add(CERTIFICATE_POLICIES, asn1::encode(tag::SEQUENCE, &[&policies]))?;
        }
        Ok(extensions)
    }
}

fn uri(text: &String) -> Vec<u8> {
    asn1::encode(URI, &[text.as_bytes()])
}
