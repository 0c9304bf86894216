//! Checks the signature by which a peer proves in the handshake that it holds its private key.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme};
use rustls_pki_types::{AlgorithmIdentifier, CertificateDer, alg_id};

use crate::certificate::{Certificate, KeyType};
use crate::signature::{MIN_RSA_BITS, SignaturePolicy, verify_signature};

/// Verifies with the provider, and with the raw public key what the provider refuses as too old.
#[derive(Debug, Clone)]
pub(super) struct HandshakeSignatures {
    pub(super) supported: WebPkiSupportedAlgorithms,
    /// Present when old certificates are accepted.
    pub(super) legacy: Option<SignaturePolicy>,
}

impl HandshakeSignatures {
    pub(super) fn verify_tls12(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if let Some(verdict) = self.verify_legacy(message, certificate, signed) {
            return verdict;
        }
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.supported)
    }

    pub(super) fn verify_tls13(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // TLS 1.3 has no PKCS#1 v1.5 and no SHA-1 in handshake signatures (RFC 8446 section 4.2.3).
        let allowed = !matches!(
            signed.scheme,
            SignatureScheme::RSA_PKCS1_SHA256
                | SignatureScheme::RSA_PKCS1_SHA384
                | SignatureScheme::RSA_PKCS1_SHA512
        );
        if allowed && let Some(verdict) = self.verify_legacy(message, certificate, signed) {
            return verdict;
        }
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.supported)
    }

    /// `None` when the provider can do it: only version 1 certificates, which rustls-webpki does not
    /// read, and RSA keys under 2048 bits come here.
    fn verify_legacy(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Option<Result<HandshakeSignatureValid, Error>> {
        let policy = self.legacy?;
        let certificate = Certificate::from_der(certificate).ok()?;
        let short_key = matches!(certificate.key_type(), KeyType::Rsa { bits } if *bits < MIN_RSA_BITS);
        if certificate.version() >= 3 && !short_key {
            return None;
        }
        Some(self.verify_with_raw_key(policy, message, &certificate, signed))
    }

    fn verify_with_raw_key(
        &self,
        policy: SignaturePolicy,
        message: &[u8],
        certificate: &Certificate,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if !self.supported.supported_schemes().contains(&signed.scheme) {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        let algorithm =
            algorithm_of(signed.scheme).ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        verify_signature(
            certificate.spki_der(),
            &in_sequence(&algorithm),
            message,
            signed.signature(),
            policy,
        )
        .map(|()| HandshakeSignatureValid::assertion())
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadSignature))
    }
}

fn algorithm_of(scheme: SignatureScheme) -> Option<AlgorithmIdentifier> {
    Some(match scheme {
        SignatureScheme::RSA_PKCS1_SHA256 => alg_id::RSA_PKCS1_SHA256,
        SignatureScheme::RSA_PKCS1_SHA384 => alg_id::RSA_PKCS1_SHA384,
        SignatureScheme::RSA_PKCS1_SHA512 => alg_id::RSA_PKCS1_SHA512,
        SignatureScheme::RSA_PSS_SHA256 => alg_id::RSA_PSS_SHA256,
        SignatureScheme::RSA_PSS_SHA384 => alg_id::RSA_PSS_SHA384,
        SignatureScheme::RSA_PSS_SHA512 => alg_id::RSA_PSS_SHA512,
        SignatureScheme::ECDSA_NISTP256_SHA256 => alg_id::ECDSA_SHA256,
        SignatureScheme::ECDSA_NISTP384_SHA384 => alg_id::ECDSA_SHA384,
        SignatureScheme::ECDSA_NISTP521_SHA512 => alg_id::ECDSA_SHA512,
        SignatureScheme::ED25519 => alg_id::ED25519,
        _ => return None,
    })
}

/// The AlgorithmIdentifiers of rustls-pki-types come without their SEQUENCE, which is short for all of them.
fn in_sequence(algorithm: &AlgorithmIdentifier) -> Vec<u8> {
    let content: &[u8] = algorithm.as_ref();
    let mut der = Vec::with_capacity(content.len() + 2);
    der.push(0x30);
    der.push(u8::try_from(content.len()).unwrap_or(u8::MAX));
    der.extend_from_slice(content);
    der
}
