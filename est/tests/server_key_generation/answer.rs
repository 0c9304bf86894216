//! The client's reading of answers, ours and those of careless servers.

use base64::Engine as _;
use est::request::server_key::{ServerKeyAnswer, ServerKeyError, ServerKeyLimits, read_answer};
use est::wire::certs_only;
use est::wire::cms::CmsError;
use est::wire::cms::enveloped_data::{
    ContentEncryption, DecryptionKey, KeyEncryptionKey, KeyTransport, Recipient,
};
use est::wire::cms::signed_data::Signer;
use est::wire::multipart::{OutgoingPart, encode};
use est::wire::server_key::encrypt_key_package;
use pki_common::identity::Identity;
use pki_common::signature::SignaturePolicy;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::lab::{Lab, P256, RSA, certificate};

const CERTS_ONLY: &str = "application/pkcs7-mime; smime-type=certs-only";
const SERVER_GENERATED_KEY: &str = "application/pkcs7-mime; smime-type=server-generated-key";

fn pkcs8(identity: &Identity) -> PrivatePkcs8KeyDer<'static> {
    let PrivateKeyDer::Pkcs8(key) = identity.private_key() else {
        panic!("openssl genpkey writes PKCS#8");
    };
    key.clone_key()
}

fn base64(der: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(der) + "\n"
}

fn read(content_type: &str, body: &[u8]) -> Result<ServerKeyAnswer, ServerKeyError> {
    read_answer(content_type, body, ServerKeyLimits::default())
}

fn body(key_type: &str, key: &[u8], certificates: &[CertificateDer<'_>]) -> (String, Vec<u8>) {
    let (key, certificates) = (base64(key), base64(&certs_only::encode(certificates).unwrap()));
    let part = |content_type, body| OutgoingPart {
        content_type,
        transfer_encoding: Some("base64"),
        body,
    };
    let encoded = encode(&[
        part(key_type, key.as_bytes()),
        part(CERTS_ONLY, certificates.as_bytes()),
    ]);
    (encoded.content_type, encoded.body)
}

#[test]
fn the_certificate_is_found_by_its_key_among_others() {
    let Some(lab) = Lab::open() else { return };
    let (own, other) = (lab.identity("own", RSA), lab.identity("other", P256));
    let chain = [other.chain()[0].clone(), own.chain()[0].clone()];
    let (content_type, message) = body("application/pkcs8", pkcs8(&own).secret_pkcs8_der(), &chain);
    let key = read(&content_type, &message)
        .unwrap()
        .open(&[], SignaturePolicy::strict())
        .unwrap();
    assert_eq!(key.certificate(), &own.chain()[0]);
    assert_eq!(key.other_certificates(), [other.chain()[0].clone()]);
    assert_eq!(key.private_key(), &pkcs8(&own));
    assert!(!key.was_encrypted());

    let (content_type, message) = body("application/pkcs8", pkcs8(&own).secret_pkcs8_der(), other.chain());
    let error = read(&content_type, &message)
        .unwrap()
        .open(&[], SignaturePolicy::strict())
        .unwrap_err();
    assert_eq!(error, ServerKeyError::Mismatch { certificates: 1 });
}

#[test]
fn an_encrypted_key_is_decrypted_and_its_signer_is_told() {
    let Some(lab) = Lab::open() else { return };
    let (own, signer) = (lab.identity("own", P256), lab.identity("signer", P256));
    let recipients = [
        ("rsa", lab.identity("rsa", RSA)),
        ("ec", lab.identity("ec", P256)),
    ];
    let shared = KeyEncryptionKey::new(b"7".to_vec(), Zeroizing::new(vec![9; 32])).unwrap();
    let other = KeyEncryptionKey::new(b"8".to_vec(), Zeroizing::new(vec![9; 32])).unwrap();
    let mut all = vec![(
        Recipient::key_encryption_key(shared.clone()),
        DecryptionKey::key_encryption_key(shared),
    )];
    for (_, identity) in &recipients {
        let certificate = certificate(identity);
        all.push((
            Recipient::certificate(&certificate, KeyTransport::default()).unwrap(),
            DecryptionKey::private_key(&pkcs8(identity), Some(certificate)).unwrap(),
        ));
    }
    for (recipient, key) in all {
        let message = encrypt_key_package(
            &pkcs8(&own),
            &Signer::with_identity(&signer),
            signer.chain(),
            &[recipient],
            ContentEncryption::default(),
        )
        .unwrap();
        let (content_type, message) = body(SERVER_GENERATED_KEY, &message, own.chain());
        let open = |keys: &[DecryptionKey]| {
            let answer = read(&content_type, &message).unwrap();
            assert!(answer.is_encrypted());
            answer.open(keys, SignaturePolicy::strict())
        };
        assert_eq!(open(&[]).unwrap_err(), ServerKeyError::Encrypted);
        let wrong = DecryptionKey::key_encryption_key(other.clone());
        let error = open(&[wrong]).unwrap_err();
        assert!(
            matches!(error, ServerKeyError::Cms(CmsError::NotARecipient { .. })),
            "{error}"
        );
        let wrong = DecryptionKey::key_encryption_key(other.clone());
        let opened = open(&[wrong, key]).unwrap();
        assert_eq!(opened.private_key(), &pkcs8(&own));
        assert_eq!(opened.package_signers(), [certificate(&signer)]);
        assert!(opened.was_encrypted());
    }
}

#[test]
fn lives_with_every_order_line_end_and_armour() {
    let Some(lab) = Lab::open() else { return };
    let own = lab.identity("own", P256);
    let key = base64(pkcs8(&own).secret_pkcs8_der());
    let certificates = base64(&certs_only::encode(own.chain()).unwrap());
    let key_pem = String::from_utf8(lab.read("own.key")).unwrap();
    let certificate_pem = String::from_utf8(lab.read("own.pem")).unwrap();
    lab.openssl("crl2pkcs7 -nocrl -certfile own.pem -out own.p7");
    let pkcs7_pem = String::from_utf8(lab.read("own.p7")).unwrap();
    let table = [
        (
            "boundary=b",
            format!(
                "--b\r\nContent-Type: application/pkcs8\r\n\r\n{key}\r\n--b\r\nContent-Type: application/pkcs7-mime\r\n\r\n{certificates}\r\n--b--\r\n"
            ),
        ),
        (
            "boundary=\"b\"",
            format!(
                "--b\nContent-Type: {CERTS_ONLY}\n\n{certificates}\n--b\nContent-Type: application/pkcs8\n\n{key}\n--b--"
            ),
        ),
        (
            "boundary=b",
            format!(
                "preamble\r\n--b\r\n\r\n{key}--b\r\ncontent-type: APPLICATION/PKCS7-MIME\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{pkcs7_pem}\r\n--b--\r\n"
            ),
        ),
        (
            "boundary=b",
            format!(
                "--b\r\nContent-Type: application/pkcs8\r\n\r\n{key_pem}\r\n--b\r\nContent-Type: application/pkcs7-mime\r\n\r\n{certificate_pem}\r\n--b--\r\n"
            ),
        ),
        // The end is missing, but everything is there.
        (
            "boundary=b",
            format!("--b\r\n\r\n{key}\r\n--b\r\n\r\n{certificates}"),
        ),
    ];
    for (boundary, message) in table {
        let answer = read(&format!("multipart/mixed; {boundary}"), message.as_bytes())
            .unwrap_or_else(|error| panic!("{error}: {message}"));
        let opened = answer.open(&[], SignaturePolicy::strict()).unwrap();
        assert_eq!(opened.certificate(), &own.chain()[0], "{message}");
    }
}

#[test]
fn an_answer_whose_content_length_is_too_short_is_said_to_be_cut_off() {
    let Some(lab) = Lab::open() else { return };
    let own = lab.identity("own", P256);
    let (content_type, message) = body("application/pkcs8", pkcs8(&own).secret_pkcs8_der(), own.chain());
    let error = read(&content_type, &message[..message.len() - 246]).unwrap_err();
    assert!(matches!(error, ServerKeyError::CutOff { .. }), "{error}");
    assert!(error.to_string().contains("Content-Length"), "{error}");
    // Wherever it is cut, it is an error, unless only white space and the closing boundary are gone.
    let needed = message.len() - "\n\r\n--est-part-boundary--\r\n".len();
    for length in 0..needed {
        assert!(read(&content_type, &message[..length]).is_err(), "{length}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let Some(lab) = Lab::open() else { return };
    let own = lab.identity("own", P256);
    let key = base64(pkcs8(&own).secret_pkcs8_der());
    let message = format!("--b\r\nContent-Type: application/pkcs8\r\n\r\n{key}\r\n--b--\r\n");
    let error = read("multipart/mixed; boundary=b", message.as_bytes()).unwrap_err();
    assert_eq!(error, ServerKeyError::Missing("certificates"));
    let error = read("application/pkcs8", key.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("multipart/mixed"), "{error}");
    let message = message.replace(&key, "AAAA*\n");
    let error = read("multipart/mixed; boundary=b", message.as_bytes()).unwrap_err();
    assert!(
        error.to_string().contains("0x2a is not a base64 character"),
        "{error}"
    );
}
