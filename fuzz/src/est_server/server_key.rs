//! Requests for a key that the server makes (RFC 7030, section 4.4), which say how it is to be encrypted, and what must be
//! true of the answer.

use bytes::Bytes;
use const_oid::ObjectIdentifier;
use est::request::server_key::{ServerKeyLimits, read_answer};
use est::wire::cms::CertificateIdentifier;
use est::wire::cms::enveloped_data::{ContentEncryption, DecryptionKey};
use est::wire::csr::Attribute;
use est::wire::server_key::{asymmetric_decrypt_key_identifier, decrypt_key_identifier, smime_capabilities};
use http::Response;
use http::header::CONTENT_TYPE;
use pki_common::Certificate;
use pki_common::signature::SignaturePolicy;

use super::material::Request;
use super::world::RECIPIENT;

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSAES_OAEP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.7");
/// Which the server does not have.
const TRIPLE_DES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.3.7");

/// What a request says about the encryption: the lowest three bits name a key, the next three the algorithms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish(u8);

/// Whose key is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    Nobody,
    Shared,
    UnknownShared,
    OwnCertificate,
    Configured,
    SharedAndConfigured,
    /// The attribute has two values.
    Twice,
    /// Its value is no OCTET STRING.
    NoIdentifier,
}

impl Wish {
    pub(super) const fn new(byte: u8) -> Self {
        Self(byte)
    }

    /// The key goes out as it is.
    pub(super) const fn none() -> Self {
        Self(0)
    }

    const fn recipient(self) -> For {
        match self.0 & 7 {
            0 => For::Nobody,
            1 => For::Shared,
            2 => For::UnknownShared,
            3 => For::OwnCertificate,
            4 => For::Configured,
            5 => For::SharedAndConfigured,
            6 => For::Twice,
            _ => For::NoIdentifier,
        }
    }

    /// The attributes that say so, on a connection with this certificate.
    pub(super) fn attributes(self, connection: Option<&Certificate>) -> Vec<Attribute> {
        let shared = || decrypt_key_identifier(crate::keys::shared_key().identifier());
        let configured = || asymmetric_decrypt_key_identifier(RECIPIENT);
        let mut attributes = match self.recipient() {
            For::Nobody => Vec::new(),
            For::Shared => vec![shared()],
            For::UnknownShared => vec![decrypt_key_identifier(b"nobody knows it")],
            For::OwnCertificate => {
                let identifier = connection.and_then(subject_key_identifier);
                vec![asymmetric_decrypt_key_identifier(&identifier.unwrap_or_default())]
            }
            For::Configured => vec![configured()],
            For::SharedAndConfigured => vec![shared(), configured()],
            For::Twice => {
                let once = shared();
                let values = [once.values.clone(), once.values].concat();
                vec![Attribute { values, ..once }]
            }
            For::NoIdentifier => {
                let values = vec![vec![0x05, 0x00]];
                vec![Attribute { values, ..shared() }]
            }
        };
        attributes.extend(self.capabilities());
        attributes
    }

    fn capabilities(self) -> Option<Attribute> {
        let [short, middle, long] = [
            ContentEncryption::Aes128Cbc,
            ContentEncryption::Aes192Cbc,
            ContentEncryption::Aes256Cbc,
        ]
        .map(ContentEncryption::oid);
        Some(match self.0 >> 3 & 7 {
            0 => return None,
            1 => smime_capabilities(&[short, RSAES_OAEP]),
            2 => smime_capabilities(&[TRIPLE_DES]),
            3 => smime_capabilities(&[TRIPLE_DES, middle, RSA_ENCRYPTION]),
            4 => smime_capabilities(&[]),
            5 => smime_capabilities(&[TRIPLE_DES; 65]),
            6 => Attribute {
                values: vec![vec![0x30, 0x03, 0x30, 0x01, 0x00]],
                ..smime_capabilities(&[])
            },
            _ => smime_capabilities(&[long]),
        })
    }

    /// A key that was to be encrypted is, for those who were named and for nobody else.
    pub(super) fn check(self, response: &Response<Bytes>, connection: Option<&Certificate>) {
        let media_type = response.headers().get(CONTENT_TYPE).expect("a media type");
        let media_type = media_type.to_str().expect("printable");
        let answer = read_answer(media_type, response.body(), ServerKeyLimits::default())
            .expect("a key and certificates");
        let recipient = self.recipient();
        assert_eq!(
            answer.is_encrypted(),
            recipient != For::Nobody,
            "encrypted for {recipient:?}"
        );
        let own = connection.and_then(decryption_key);
        let [shared, configured, ..] = crate::keys::decryption_keys() else {
            unreachable!("there are five")
        };
        let keys: Vec<&DecryptionKey> = match recipient {
            For::Nobody => Vec::new(),
            For::Shared => vec![shared],
            For::OwnCertificate => own.iter().collect(),
            For::Configured => vec![configured],
            For::SharedAndConfigured => vec![configured, shared],
            For::UnknownShared | For::Twice | For::NoIdentifier => {
                panic!("a key for {recipient:?}")
            }
        };
        // Each of those who were named can read it alone.
        for key in &keys {
            let answer = read_answer(media_type, response.body(), ServerKeyLimits::default());
            let opened = answer
                .expect("it was read before")
                .open(std::slice::from_ref(*key), SignaturePolicy::strict())
                .expect("the key can be decrypted, and belongs to the certificate");
            assert!(opened.was_encrypted() && !opened.package_signers().is_empty());
        }
        if keys.is_empty() {
            let opened = answer.open(&[], SignaturePolicy::strict());
            opened.expect("the key belongs to the certificate");
        }
    }
}

/// As the authority writes it into certificates.
fn subject_key_identifier(certificate: &Certificate) -> Option<Vec<u8>> {
    match CertificateIdentifier::of_public_key(certificate.spki_der()).ok()? {
        CertificateIdentifier::SubjectKeyIdentifier(identifier) => Some(identifier),
        _ => None,
    }
}

fn decryption_key(certificate: &Certificate) -> Option<DecryptionKey> {
    let key = Request::key_of(certificate.spki_der())?;
    let key = DecryptionKey::private_key(key.pkcs8(), Some(certificate.clone()));
    Some(key.expect("P-256 is supported"))
}
