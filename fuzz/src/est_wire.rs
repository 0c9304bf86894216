//! What must hold for anything that claims to be a message of EST.

use est::auth::{AuthenticationMethod, AuthenticationMethods, BasicCredentials, BearerToken, Credentials};
use est::request::server_key::{ServerKeyLimits, read_answer};
use est::wire::base64::{self, Base64Layout};
use est::wire::certs_only::{self, CertsOnlyLimits};
use est::wire::cms::enveloped_data::{ContentEncryption, EnvelopedData, Recipient, encrypt};
use est::wire::cms::signed_data::{SignedData, Signer, sign};
use est::wire::cms::{CmsError, CmsLimits, ID_DATA};
use est::wire::csr::VerificationPolicy;
use est::wire::media_type::MediaType;
use est::wire::multipart::{self, OutgoingPart};
use est::wire::server_key::open_key_package;
use est::{Base64Problem, WireError};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use rustls_pki_types::CertificateDer;

use crate::keys;

/// Every refusal that says where says it within the input.
fn check_position(error: &WireError, length: usize) {
    let position = match error {
        WireError::Base64 { position, .. }
        | WireError::Pem { position, .. }
        | WireError::Der { position, .. }
        | WireError::Multipart { position, .. }
        | WireError::MediaType { position, .. } => *position,
        _ => 0,
    };
    assert!(
        position <= length,
        "byte {position} of {length} is behind the end: {error}"
    );
}

fn check_cms_position(error: &CmsError, length: usize) {
    if let CmsError::Wire(error) = error {
        check_position(error, length);
    }
}

/// A body in base64: what is accepted is the one encoding of what it decodes to, white space apart; a refusal names the
/// byte that is wrong.
pub fn est_base64(data: &[u8]) {
    const SHORT: usize = 16;
    let limit = data.len();
    let outcome = base64::decode(data, limit);
    match &outcome {
        Ok(decoded) => {
            for layout in Base64Layout::ALL {
                let text = base64::encode(decoded, layout);
                assert_eq!(base64::decode(text.as_bytes(), limit).as_ref(), Ok(decoded));
                assert_eq!(
                    symbols(text.as_bytes()),
                    symbols(data),
                    "two texts for the same bytes"
                );
            }
        }
        Err(error) => check_base64_refusal(error, data),
    }
    match base64::decode(data, SHORT) {
        Ok(decoded) => assert!(decoded.len() <= SHORT && outcome == Ok(decoded)),
        Err(WireError::TooLong { .. }) => assert!(data.len() > SHORT),
        Err(error) => assert_eq!(outcome, Err(error), "the limit changes the reason"),
    }
    if !data.is_empty() {
        let text = base64::encode(data, Base64Layout::Columns76CrLf);
        assert_eq!(base64::decode(text.as_bytes(), limit).as_deref(), Ok(data));
    }
}

/// What is left without white space.
fn symbols(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| !is_blank(*byte)).collect()
}

fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

fn check_base64_refusal(error: &WireError, data: &[u8]) {
    let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    check_position(error, data.len());
    let WireError::Base64 { position, problem } = error else {
        assert!(
            matches!(error, WireError::Empty { .. }) && symbols(data).is_empty(),
            "{error}"
        );
        return;
    };
    let (before, from) = data.split_at(*position);
    let there = from.first().copied();
    match problem {
        Base64Problem::NotInAlphabet(byte) => {
            assert!(
                there == Some(*byte) && !in_alphabet(*byte) && !is_blank(*byte),
                "{error}"
            );
        }
        Base64Problem::BehindPadding => assert!(before.contains(&b'=') && there.is_some(), "{error}"),
        Base64Problem::UnusedBits => assert!(there.is_some_and(in_alphabet), "{error}"),
        Base64Problem::Truncated => assert!(matches!(there, None | Some(b'=')), "{error}"),
        _ => {}
    }
}

/// A certs-only message: no bytes panic, the number of certificates is bounded, each occurs once, and they survive
/// a second trip.
pub fn est_certs_only(data: &[u8]) {
    let limits = CertsOnlyLimits::default();
    let mut certificates = match certs_only::decode(data, &limits) {
        Ok(certificates) => certificates,
        Err(error) => return check_position(&error, data.len()),
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
    assert_eq!(
        certs_only::encode(&again).as_ref(),
        Ok(&message),
        "DER has one encoding"
    );
}

/// CMS signed data: no bytes panic while they are read or verified, what is read is bounded, and a message that was
/// changed after it was signed does not verify with other content.
pub fn est_signed_data(data: &[u8]) {
    check_signed_data(data);
    check_changed_signature(data);
}

fn check_signed_data(data: &[u8]) {
    let limits = CmsLimits::default();
    let message = match SignedData::parse(data, &limits) {
        Ok(message) => message,
        Err(error) => return check_cms_position(&error, data.len()),
    };
    assert!(message.certificates().len() <= limits.certificates);
    assert!(message.signers().len() <= limits.signers);
    let parts: usize = message
        .certificates()
        .iter()
        .map(|certificate| certificate.len())
        .sum();
    assert!(parts <= data.len() && message.content().map_or(0, <[u8]>::len) <= data.len());
    if let Ok(signers) = message.verify(&[], VerificationPolicy::default()) {
        assert_eq!(
            signers.len(),
            message.signers().len(),
            "every signature is verified"
        );
        for found in signers {
            let signer = message.signers().get(found.index).expect("it is one of them");
            assert!(
                signer.identifier().names(&found.certificate),
                "another's certificate"
            );
        }
    }
}

/// Signs what follows the first four bytes; they say which byte of the message is changed, and how.
fn check_changed_signature(data: &[u8]) {
    let [high, low, change, _, content @ ..] = data else {
        return;
    };
    let limits = CmsLimits::default();
    let identity = keys::signer();
    let mut message = sign(
        ID_DATA,
        content,
        &Signer::with_identity(identity),
        identity.chain(),
    )
    .expect("P-256 signs");
    let read = SignedData::parse(&message, &limits).expect("what was signed can be read");
    assert_eq!(read.content(), Some(content));
    let signers = read.verify(&[], VerificationPolicy::default());
    assert_eq!(
        signers.expect("what was signed verifies").len(),
        1,
        "there is one signer"
    );
    let position = (usize::from(*high) << 8 | usize::from(*low)) % message.len();
    if let Some(byte) = message.get_mut(position) {
        *byte ^= *change;
    }
    let Ok(changed) = SignedData::parse(&message, &limits) else {
        return;
    };
    if let Ok(signers) = changed.verify(&[], VerificationPolicy::default())
        && !signers.is_empty()
    {
        assert_eq!(changed.content(), Some(content), "changed content verifies");
    }
}

/// CMS enveloped data: no bytes panic while they are read or decrypted with an RSA, an EC or a shared key, and what is
/// encrypted can be decrypted.
pub fn est_enveloped_data(data: &[u8]) {
    check_encryption(data);
    let limits = CmsLimits::default();
    let message = match EnvelopedData::parse(data, &limits) {
        Ok(message) => message,
        Err(error) => return check_cms_position(&error, data.len()),
    };
    let recipients = message.recipients_text();
    assert!(
        !recipients.is_empty() && !recipients.ends_with(' '),
        "{recipients:?} names nobody"
    );
    for key in keys::decryption_keys() {
        if let Ok(content) = message.decrypt(key) {
            assert!(content.len() < data.len(), "decryption adds nothing");
            // Must not panic, whatever was encrypted.
            drop(open_key_package(
                data,
                key,
                VerificationPolicy::default(),
                &limits,
            ));
        }
    }
}

fn check_encryption(data: &[u8]) {
    let encryptions = [
        ContentEncryption::Aes128Cbc,
        ContentEncryption::Aes192Cbc,
        ContentEncryption::Aes256Cbc,
    ];
    let Some((encryption, content)) = data.split_first().and_then(|(choice, content)| {
        let encryption = encryptions.get(usize::from(choice % 3))?;
        Some((*encryption, content))
    }) else {
        return;
    };
    let recipient = Recipient::key_encryption_key(keys::shared_key());
    let message = encrypt(ID_DATA, content, &[recipient], encryption).expect("a shared key encrypts");
    let read = EnvelopedData::parse(&message, &CmsLimits::default()).expect("what was encrypted can be read");
    let key = keys::decryption_keys().first().expect("the shared key is first");
    let decrypted = read.decrypt(key).expect("what was encrypted can be decrypted");
    assert_eq!(decrypted.as_slice(), content);
    // What was encrypted goes through the key package's decoder too, which a change of the message never reaches.
    drop(open_key_package(
        &message,
        key,
        VerificationPolicy::default(),
        &CmsLimits::default(),
    ));
}

/// The body of a `serverkeygen` answer with the boundary `b`: no bytes panic, every part lies where it says, none holds
/// a boundary, and the parts survive a second trip. The key and the certificates in it are read too.
pub fn est_multipart(data: &[u8]) {
    const CONTENT_TYPE: &str = "multipart/mixed; boundary=b";
    let content_type = MediaType::parse(CONTENT_TYPE).expect("a media type");
    // Must not panic, whatever the parts hold.
    drop(read_answer(CONTENT_TYPE, data, ServerKeyLimits::default()));
    let parts = match multipart::decode(&content_type, data) {
        Ok(parts) => parts,
        Err(error) => return check_position(&error, data.len()),
    };
    assert!(parts.len() <= multipart::MAX_PARTS);
    for part in &parts {
        let end = part.position + part.body.len();
        assert_eq!(
            data.get(part.position..end),
            Some(part.body),
            "a part lies elsewhere"
        );
        let mut lines = part.body.split(|byte| *byte == b'\n');
        assert!(
            !lines.any(|line| matches!(line.trim_ascii_end(), b"--b" | b"--b--")),
            "a part goes on behind its boundary"
        );
    }
    let types: Vec<String> = parts
        .iter()
        .map(|part| {
            let found = part.content_type.as_ref();
            found.map_or_else(|| "text/plain".to_owned(), ToString::to_string)
        })
        .collect();
    let outgoing: Vec<OutgoingPart<'_>> = parts
        .iter()
        .zip(&types)
        .map(|(part, content_type)| OutgoingPart {
            content_type,
            transfer_encoding: None,
            body: part.body,
        })
        .collect();
    let encoded = multipart::encode(&outgoing);
    let content_type = MediaType::parse(&encoded.content_type).expect("ours can be read");
    let again = multipart::decode(&content_type, &encoded.body).expect("what was encoded can be decoded");
    let bodies = |parts: &[multipart::Part<'_>]| -> Vec<Vec<u8>> {
        parts.iter().map(|part| part.body.to_vec()).collect()
    };
    assert_eq!(bodies(&again), bodies(&parts), "a second trip changed the parts");
    for (one, other) in again.iter().zip(&parts) {
        assert!(
            other.content_type.is_none() || one.content_type == other.content_type,
            "a second trip changed {:?} to {:?}",
            other.content_type,
            one.content_type
        );
    }
}

/// An `Authorization` header: no bytes panic, nothing that was not accepted is read, what is read can be sent again, and
/// no secret is shown.
pub fn est_authorization(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else {
        return;
    };
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, value);
    let mut accepting = 0;
    for method in AuthenticationMethod::ALL {
        let found = Credentials::from_headers(&headers, AuthenticationMethods::only(method));
        let Ok(Some(found)) = &found else {
            continue;
        };
        accepting += 1;
        assert_eq!(found.method(), method);
        let shown = format!("{found:?}");
        match found {
            Credentials::Basic(found) => {
                let again = BasicCredentials::new(found.user(), found.password());
                assert_eq!(again.as_ref(), Ok(found), "a second trip changed the credentials");
                let again = BasicCredentials::parse(found.to_header().as_bytes());
                assert_eq!(
                    again.as_ref(),
                    Ok(&Some(found.clone())),
                    "its own header is another"
                );
                // A short password may occur in the words around it.
                assert!(
                    found.password().len() < 12 || !shown.contains(found.password()),
                    "{shown}"
                );
            }
            Credentials::Bearer(token) => {
                let again = BearerToken::parse(token.to_header().as_bytes());
                assert_eq!(
                    again.as_ref(),
                    Ok(&Some(token.clone())),
                    "its own header is another"
                );
                assert!(
                    token.as_str().len() < 12 || !shown.contains(token.as_str()),
                    "{shown}"
                );
            }
            _ => {}
        }
    }
    assert!(accepting <= 1, "a header of two schemes");
}
