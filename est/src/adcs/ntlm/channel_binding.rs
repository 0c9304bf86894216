//! The certificate of the server as a channel binding (RFC 5929 section 4, RFC 2743, MS-NLMP section 2.2.2.1).

use md5::{Digest as _, Md5};
use pki_common::Certificate;
use pki_common::certificate::{SignatureAlgorithm, SignatureDigest};
use sha2::{Sha256, Sha384, Sha512};

/// The MD5 hash of the channel bindings of a TLS connection, as NTLM carries it (`MsvAvChannelBindings`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelBindingToken(pub [u8; 16]);

impl ChannelBindingToken {
    /// Of the server's certificate (tls-server-end-point).
    #[must_use]
    pub fn of_server(certificate: &Certificate) -> Self {
        Self::of_certificate_hash(&certificate_hash(certificate))
    }

    /// Of the hash of the server's certificate.
    #[must_use]
    pub fn of_certificate_hash(hash: &[u8]) -> Self {
        let mut data = b"tls-server-end-point:".to_vec();
        data.extend_from_slice(hash);
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        // gss_channel_bindings_struct: no addresses of either side, then the data with its length.
        let mut md5 = Md5::new();
        md5.update([0; 16]);
        md5.update(length.to_le_bytes());
        md5.update(&data);
        Self(md5.finalize().into())
    }
}

/// By the hash of the certificate's own signature, but SHA-256 where that is MD5 or SHA-1 (RFC 5929 section 4.1).
fn certificate_hash(certificate: &Certificate) -> Vec<u8> {
    let der = certificate.der();
    let digest = match certificate.signature_algorithm() {
        SignatureAlgorithm::RsaPkcs1(digest)
        | SignatureAlgorithm::RsaPss(digest)
        | SignatureAlgorithm::Ecdsa(digest) => Some(*digest),
        _ => None,
    };
    match digest {
        Some(SignatureDigest::Sha384) => Sha384::digest(der).to_vec(),
        Some(SignatureDigest::Sha512) => Sha512::digest(der).to_vec(),
        _ => Sha256::digest(der).to_vec(),
    }
}
