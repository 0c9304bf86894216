//! Verifies the signatures of a message.

use const_oid::ObjectIdentifier;
use pki_common::Certificate;
use pki_common::signature::{SignatureError, SignaturePolicy, verify_signature};
use rustls_pki_types::CertificateDer;

use super::{CONTENT_TYPE, MESSAGE_DIGEST, SignedAttributes, SignedData, SignerInfo, too_many};
use crate::wire::asn1::{self, Reader, Rules, tag};
use crate::wire::cms::algorithm::complete_signature_algorithm;
use crate::wire::cms::octets::octets;
use crate::wire::cms::{CmsError, DigestAlgorithm, ID_DATA, read_oid, set_of};

/// Most certificates that are tried for one signer. A key that was certified again keeps its identifier, so a few may
/// fit; each costs up to two signature verifications, and a message may hold hundreds.
const MAX_CANDIDATES: usize = 8;

/// A signature that is right, and the certificate whose key made it. The certificate itself is not validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedSigner {
    /// Index into [`SignedData::signers`].
    pub index: usize,
    /// The signer's certificate.
    pub certificate: Certificate,
}

impl SignedData {
    /// Verifies every signature with the certificates of the message and `more` that the caller knows.
    ///
    /// The digest of the content, the signed content type and the signature itself are checked. Whether the
    /// certificates are trusted, and for what, remains to be decided.
    ///
    /// # Errors
    /// [`CmsError::NotSigned`] without any signature; else what is wrong with the first signature that is not
    /// accepted.
    pub fn verify(
        &self,
        more: &[CertificateDer<'_>],
        policy: SignaturePolicy,
    ) -> Result<Vec<VerifiedSigner>, CmsError> {
        if self.signers().is_empty() {
            return Err(CmsError::NotSigned);
        }
        // One that cannot be read cannot be the signer's.
        let certificates: Vec<Certificate> = self
            .certificates()
            .iter()
            .map(AsRef::as_ref)
            .chain(more.iter().map(AsRef::as_ref))
            .filter_map(|der| Certificate::from_der(der).ok())
            .collect();
        self.signers()
            .iter()
            .enumerate()
            .map(|(index, signer)| {
                self.certificate_of(signer, &certificates, policy)
                    .map(|certificate| VerifiedSigner { index, certificate })
            })
            .collect()
    }

    /// The one among the certificates that a signer's name fits whose key has made the signature.
    fn certificate_of(
        &self,
        signer: &SignerInfo,
        certificates: &[Certificate],
        policy: SignaturePolicy,
    ) -> Result<Certificate, CmsError> {
        let named = certificates
            .iter()
            .filter(|certificate| signer.identifier().names(certificate));
        let mut refusal = CmsError::NoSignerCertificate {
            signer: signer.identifier().to_string(),
        };
        for (tried, certificate) in named.enumerate() {
            if tried >= MAX_CANDIDATES {
                return Err(too_many("certificates that the name of one signer fits", MAX_CANDIDATES).into());
            }
            match self.verify_signer(signer, certificate.spki_der(), policy) {
                Ok(()) => return Ok(certificate.clone()),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    /// Verifies one signature of this message with a public key, for signers without a certificate.
    ///
    /// # Errors
    /// See [`CmsError`].
    pub fn verify_signer(
        &self,
        signer: &SignerInfo,
        spki_der: &[u8],
        policy: SignaturePolicy,
    ) -> Result<(), CmsError> {
        let refused = |cause| CmsError::Signature {
            signer: signer.identifier().to_string(),
            cause,
        };
        let content = self.content().ok_or(CmsError::NoContent)?;
        let digest = signer.digest_algorithm()?;
        if digest == DigestAlgorithm::Sha1 && !policy.accepts_sha1() {
            return Err(refused(SignatureError::Sha1Refused));
        }
        let algorithm = complete_signature_algorithm(
            &signer.signature_algorithm,
            &signer.signature_algorithm_der,
            digest,
        );
        let verify = |message: &[u8]| {
            verify_signature(spki_der, &algorithm, message, &signer.signature, policy).map_err(refused)
        };
        let Some(attributes) = &signer.signed_attributes else {
            // Without this rule the attributes of another message could pass for content.
            return if self.content_type() == ID_DATA {
                verify(content)
            } else {
                Err(CmsError::NoSignedAttributes(self.content_type()))
            };
        };
        attributes.check(self.content_type(), &digest.digest(content))?;
        let sorted = attributes.sorted();
        let as_sent = asn1::encode(tag::SET, &[&attributes.as_sent]);
        match verify(&sorted) {
            // Some signers do not sort the set, and sign it as it is.
            Err(CmsError::Signature {
                cause: SignatureError::Invalid,
                ..
            }) if as_sent != sorted => verify(&as_sent),
            verdict => verdict,
        }
    }
}

impl SignedAttributes {
    fn check(&self, content_type: ObjectIdentifier, digest: &[u8]) -> Result<(), CmsError> {
        let wrong = || CmsError::SignedAttribute("content-type");
        let value = self.single_value(CONTENT_TYPE).ok_or_else(wrong)?;
        let signed = read_oid(&mut Reader::new(value, Rules::Ber), "content-type")?;
        if signed != content_type {
            return Err(CmsError::ContentTypeAttribute {
                signed,
                found: content_type,
            });
        }
        let value = self
            .single_value(MESSAGE_DIGEST)
            .ok_or(CmsError::SignedAttribute("message-digest"))?;
        let element = Reader::new(value, Rules::Ber).any("message-digest")?;
        if octets(&element, tag::OCTET_STRING, "message-digest")? == digest {
            Ok(())
        } else {
            Err(CmsError::MessageDigest)
        }
    }

    fn single_value(&self, identifier: ObjectIdentifier) -> Option<&[u8]> {
        let mut found = self
            .attributes
            .iter()
            .filter(|attribute| attribute.oid == identifier);
        match (
            found.next().map(|attribute| attribute.values.as_slice()),
            found.next(),
        ) {
            (Some([value]), None) => Some(value),
            _ => None,
        }
    }

    /// The attributes as DER sorts them, which is what RFC 5652 section 5.4 has the signature over.
    fn sorted(&self) -> Vec<u8> {
        let elements = self
            .attributes
            .iter()
            .map(|attribute| attribute.der.clone())
            .collect();
        set_of(tag::SET, elements)
    }
}
