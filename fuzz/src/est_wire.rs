//! What must hold for anything that claims to be a message of EST.

use est::auth::{AuthenticationMethod, AuthenticationMethods, Credentials};
use est::wire::certs_only::{self, CertsOnlyLimits};
use est::wire::cms::CmsLimits;
use est::wire::cms::enveloped_data::{DecryptionKey, EnvelopedData, KeyEncryptionKey};
use est::wire::cms::signed_data::SignedData;
use est::wire::media_type::MediaType;
use est::wire::multipart;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

/// A certs-only message: no bytes panic, the number of certificates is bounded, each occurs once, and they survive
/// a second trip.
pub fn est_certs_only(data: &[u8]) {
    let limits = CertsOnlyLimits::default();
    let Ok(mut certificates) = certs_only::decode(data, &limits) else {
        return;
    };
    assert!(certificates.len() <= limits.certificates);
    // One in BER is data, but cannot be sent again.
    let Ok(message) = certs_only::encode(&certificates) else {
        return;
    };
    let mut again = certs_only::decode(&message, &limits).expect("what was encoded can be decoded");
    let by_bytes = |one: &CertificateDer<'_>, other: &CertificateDer<'_>| one.as_ref().cmp(other.as_ref());
    certificates.sort_by(by_bytes);
    again.sort_by(by_bytes);
    assert_eq!(certificates, again, "a second trip changed the certificates");
}

/// CMS signed data: no bytes panic while they are read or verified, and what is read is bounded.
pub fn est_signed_data(data: &[u8]) {
    let limits = CmsLimits::default();
    let Ok(message) = SignedData::parse(data, &limits) else {
        return;
    };
    assert!(message.certificates().len() <= limits.certificates);
    assert!(message.signers().len() <= limits.signers);
    if let Ok(signers) = message.verify(&[], est::wire::csr::VerificationPolicy::default()) {
        assert_eq!(
            signers.len(),
            message.signers().len(),
            "every signature is verified"
        );
    }
}

/// CMS enveloped data: no bytes panic while they are read or decrypted.
pub fn est_enveloped_data(data: &[u8]) {
    let Ok(message) = EnvelopedData::parse(data, &CmsLimits::default()) else {
        return;
    };
    assert!(!message.recipients_text().is_empty());
    let key = Zeroizing::new(vec![0x42; 32]);
    let key = KeyEncryptionKey::new(vec![1, 2, 3, 4], key).expect("32 bytes are a key");
    drop(message.decrypt(&DecryptionKey::key_encryption_key(key)));
}

/// The body of a `serverkeygen` answer with the boundary `b`: no bytes panic, and every part lies where it says.
pub fn est_multipart(data: &[u8]) {
    let content_type = MediaType::parse("multipart/mixed; boundary=b").expect("a media type");
    let Ok(parts) = multipart::decode(&content_type, data) else {
        return;
    };
    assert!(parts.len() <= multipart::MAX_PARTS);
    for part in parts {
        let end = part.position + part.body.len();
        assert_eq!(
            data.get(part.position..end),
            Some(part.body),
            "a part lies elsewhere"
        );
    }
}

/// An `Authorization` header: no bytes panic, nothing that was not accepted is read, and no secret is shown.
pub fn est_authorization(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else {
        return;
    };
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, value);
    for method in AuthenticationMethod::ALL {
        let found = Credentials::from_headers(&headers, AuthenticationMethods::only(method));
        if let Ok(Some(found)) = &found {
            assert_eq!(found.method(), method);
        }
        if let Ok(Some(Credentials::Basic(found))) = &found {
            let again = est::auth::BasicCredentials::new(found.user(), found.password());
            assert_eq!(again.as_ref(), Ok(found), "a second trip changed the credentials");
            let shown = format!("{found:?}");
            // A short password may occur in the words around it.
            assert!(
                found.password().len() < 12 || !shown.contains(found.password()),
                "{shown}"
            );
        }
    }
}
