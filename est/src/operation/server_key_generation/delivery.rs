//! How the key gets to the client: in the clear within TLS, or encrypted for those whom the request names.

use pki_common::Certificate;
use pki_common::identity::Identity;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use super::ServerKeyGenerationSettings;
use crate::operation::Refusal;
use crate::wire::cms::enveloped_data::{ContentEncryption, Recipient};
use crate::wire::cms::signed_data::Signer;
use crate::wire::cms::{CertificateIdentifier, CmsError};
use crate::wire::media_type::{PKCS7_MIME_SERVER_GENERATED_KEY, PKCS8};
use crate::wire::server_key::{KeyEncryptionWishes, encrypt_key_package};

/// Whether a key may leave without encryption beyond that of TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum KeyEncryption {
    /// A key is encrypted when the request names a key to encrypt for.
    #[default]
    WhenAsked,
    /// A request that names none is refused.
    Required,
}

/// Who signs the key packages, and the certificates that go with the signature.
#[derive(Debug, Clone)]
pub struct KeyPackageSigner {
    signer: Signer,
    certificates: Vec<CertificateDer<'static>>,
}

impl KeyPackageSigner {
    /// A key, how it is named, and the chain to send along.
    #[must_use]
    pub const fn new(signer: Signer, certificates: Vec<CertificateDer<'static>>) -> Self {
        Self { signer, certificates }
    }

    /// Our own certificate, its chain and its key.
    #[must_use]
    pub fn with_identity(identity: &Identity) -> Self {
        Self::new(Signer::with_identity(identity), identity.chain().to_vec())
    }
}

/// A certificate whose holder receives keys, under the identifier that requests name it by.
#[derive(Debug, Clone)]
pub struct RecipientCertificate {
    /// What an AsymmetricDecryptKeyIdentifier says.
    pub identifier: Vec<u8>,
    /// The certificate.
    pub certificate: Certificate,
}

/// What will be done with the key of one request.
pub(super) enum Delivery<'a> {
    Clear,
    Encrypted {
        recipients: Vec<Recipient>,
        encryption: ContentEncryption,
        signer: &'a KeyPackageSigner,
    },
}

impl<'a> Delivery<'a> {
    /// Finds every recipient that the request names.
    pub(super) fn plan(
        settings: &'a ServerKeyGenerationSettings,
        wishes: &KeyEncryptionWishes,
        connection: Option<&Certificate>,
    ) -> Result<Self, Refusal> {
        if !wishes.asks_for_encryption() {
            return match settings.encryption {
                KeyEncryption::WhenAsked => Ok(Self::Clear),
                KeyEncryption::Required => Err(refused(
                    "the request names no key to encrypt for, which this server demands; add the attribute \
                     DecryptKeyIdentifier or AsymmetricDecryptKeyIdentifier (RFC 7030 section 4.4.1)",
                )),
            };
        }
        let encryption = wishes.content_encryption(settings.content_encryption).ok_or_else(|| {
            refused("the SMIMECapabilities of the request list none of AES-128, AES-192 and AES-256 in CBC mode")
        })?;
        let mut recipients = Vec::new();
        if let Some(identifier) = &wishes.shared_key {
            let key = settings
                .shared_keys
                .iter()
                .find(|key| key.identifier() == identifier);
            let key = key.ok_or_else(|| {
                refused("no shared key is known by the DecryptKeyIdentifier of the request")
            })?;
            recipients.push(Recipient::key_encryption_key(key.clone()));
        }
        if let Some(identifier) = &wishes.asymmetric_key {
            let certificate = asymmetric_recipient(settings, identifier, connection)?;
            let transport = wishes.key_transport(settings.key_transport);
            // RFC 7030 section 4.4.1.2: its use must include, or not be restricted from, receiving keys.
            let recipient = Recipient::certificate(certificate, transport)
                .map_err(|error| refused(&error.to_string()))?;
            recipients.push(recipient);
        }
        Ok(Self::Encrypted {
            recipients,
            encryption,
            signer: &settings.signer,
        })
    }

    /// The media type and the body of the key's part, before base64.
    pub(super) fn encode(
        &self,
        key: &PrivatePkcs8KeyDer<'_>,
    ) -> Result<(&'static str, Zeroizing<Vec<u8>>), Refusal> {
        let (recipients, encryption, signer) = match self {
            Self::Clear => return Ok((PKCS8, Zeroizing::new(key.secret_pkcs8_der().to_vec()))),
            Self::Encrypted {
                recipients,
                encryption,
                signer,
            } => (recipients, *encryption, *signer),
        };
        let message = encrypt_key_package(key, &signer.signer, &signer.certificates, recipients, encryption);
        match message {
            Ok(message) => Ok((PKCS7_MIME_SERVER_GENERATED_KEY, Zeroizing::new(message))),
            Err(error @ CmsError::CannotEncrypt(_)) => Err(refused(&error.to_string())),
            Err(error) => Err(Refusal::Internal {
                cause: error.to_string(),
            }),
        }
    }
}

/// The certificate that the identifier names: one that is configured, or the client's own.
fn asymmetric_recipient<'a>(
    settings: &'a ServerKeyGenerationSettings,
    identifier: &[u8],
    connection: Option<&'a Certificate>,
) -> Result<&'a Certificate, Refusal> {
    let configured = settings
        .recipients
        .iter()
        .find(|recipient| recipient.identifier == identifier)
        .map(|recipient| &recipient.certificate);
    let named = CertificateIdentifier::SubjectKeyIdentifier(identifier.to_vec());
    configured
        .or_else(|| connection.filter(|certificate| named.names(certificate)))
        .ok_or_else(|| {
            refused(
                "no certificate is known by the AsymmetricDecryptKeyIdentifier of the request; it must be one that is \
                 configured here, or the subject key identifier of the client certificate of the connection",
            )
        })
}

fn refused(cause: &str) -> Refusal {
    Refusal::KeyEncryption {
        cause: cause.to_owned(),
    }
}
