//! Makes enveloped data.

use const_oid::ObjectIdentifier;
use rand_core::{OsRng, RngCore as _};
use zeroize::Zeroizing;

use super::content::ContentEncryption;
use super::recipient::Recipient;
use crate::wire::asn1::{self, tag};
use crate::wire::cms::identifier::CONTEXT_0_PRIMITIVE;
use crate::wire::cms::{CmsError, ID_ENVELOPED_DATA, content_info, oid, set_of};

/// Encrypts `content` for every one of the recipients, under a fresh key.
///
/// # Errors
/// [`CmsError::CannotEncrypt`] without a recipient, for a recipient whose key cannot be used, or when the operating
/// system has no random numbers to give.
pub fn encrypt(
    content_type: ObjectIdentifier,
    content: &[u8],
    recipients: &[Recipient],
    encryption: ContentEncryption,
) -> Result<Vec<u8>, CmsError> {
    if recipients.is_empty() {
        return Err(CmsError::CannotEncrypt("there is no recipient".to_owned()));
    }
    let content_key = random(encryption.key_length())?;
    let infos = recipients
        .iter()
        .map(|recipient| recipient.info(&content_key))
        .collect::<Result<Vec<_>, _>>()?;
    let version = if recipients.iter().all(Recipient::is_version_0) {
        0
    } else {
        2
    };
    let (algorithm, encrypted) = encryption.encrypt(&content_key, content)?;
    let encrypted_content_info = asn1::encode(
        tag::SEQUENCE,
        &[
            &oid(content_type),
            &algorithm,
            &asn1::encode(CONTEXT_0_PRIMITIVE, &[&encrypted]),
        ],
    );
    let enveloped = asn1::encode(
        tag::SEQUENCE,
        &[
            &[tag::INTEGER, 1, version],
            &set_of(tag::SET, infos),
            &encrypted_content_info,
        ],
    );
    Ok(content_info(ID_ENVELOPED_DATA, &enveloped))
}

/// Random bytes of the operating system.
pub(super) fn random(length: usize) -> Result<Zeroizing<Vec<u8>>, CmsError> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| {
        CmsError::CannotEncrypt(format!("the operating system gives no random numbers: {error}"))
    })?;
    Ok(bytes)
}
