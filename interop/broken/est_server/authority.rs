//! The authority of a broken EST server: it certifies subject and key of a request, and nothing else that it asks for.

use std::time::Duration;

use der::asn1::BitString;
use der::{Decode as _, Encode as _};
use est::wire::csr::CertificationRequest;
use rand_core::{OsRng, RngCore as _};
use rcgen::{KeyPair, SigningKey as _};
use rustls_pki_types::CertificateDer;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, ObjectIdentifier, SubjectPublicKeyInfoOwned};
use x509_cert::time::Validity;
use x509_cert::{Certificate, TbsCertificate, Version};

use crate::lab::{Failed, Lab};

/// How long a certificate is valid.
const VALIDITY: Duration = Duration::from_secs(24 * 3600);

/// RFC 5758: the key of the lab is on P-256.
const ECDSA_WITH_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

pub(super) struct Authority {
    certificate: CertificateDer<'static>,
    name: Name,
    key: KeyPair,
}

impl Authority {
    pub(super) fn new(lab: &Lab) -> Result<Self, Failed> {
        let certificate = Certificate::from_der(&lab.authority)?;
        Ok(Self {
            certificate: lab.authority.clone(),
            name: certificate.tbs_certificate.subject,
            key: lab.authority_key()?,
        })
    }

    /// Its own certificate.
    pub(super) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Makes a certificate. Whether the request deserves one is asked before.
    pub(super) fn issue(&self, request: &CertificationRequest) -> Result<CertificateDer<'static>, Failed> {
        let algorithm = AlgorithmIdentifierOwned {
            oid: ECDSA_WITH_SHA_256,
            parameters: None,
        };
        let mut serial = [0; 16];
        OsRng.fill_bytes(&mut serial);
        // Positive, and of full length.
        if let Some(first) = serial.first_mut() {
            *first = (*first & 0x7f) | 0x40;
        }
        let contents = TbsCertificate {
            version: Version::V3,
            serial_number: SerialNumber::new(&serial)?,
            signature: algorithm.clone(),
            issuer: self.name.clone(),
            validity: Validity::from_now(VALIDITY)?,
            subject: Name::from_der(request.subject_der())?,
            subject_public_key_info: SubjectPublicKeyInfoOwned::from_der(request.public_key().spki_der())?,
            issuer_unique_id: None,
            subject_unique_id: None,
            extensions: None,
        };
        let signature = self.key.sign(&contents.to_der()?)?;
        let certificate = Certificate {
            tbs_certificate: contents,
            signature_algorithm: algorithm,
            signature: BitString::from_bytes(&signature)?,
        };
        Ok(CertificateDer::from(certificate.to_der()?))
    }
}
