//! Enveloped data.

use est::wire::cms::enveloped_data::{
    ContentEncryption, DecryptionKey, EnvelopedData, KeyEncryptionKey, KeyTransport, Recipient, encrypt,
};
use est::wire::cms::{CertificateIdentifier, CmsError, CmsLimits, ID_DATA, ID_SIGNED_DATA};
use pki_common::identity::Identity;
use rustls_pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

use crate::support::{ED25519, Lab, P256, P384, P521, RSA, certificate, has_key};

const CONTENT: &[u8] = b"a secret of more than one block of the cipher";

const ENCRYPTIONS: [ContentEncryption; 3] = [
    ContentEncryption::Aes128Cbc,
    ContentEncryption::Aes192Cbc,
    ContentEncryption::Aes256Cbc,
];

fn parse(message: &[u8]) -> EnvelopedData {
    EnvelopedData::parse(message, &CmsLimits::default()).unwrap()
}

fn private_key(identity: &Identity, with_certificate: bool) -> DecryptionKey {
    let PrivateKeyDer::Pkcs8(key) = identity.private_key() else {
        panic!("openssl genpkey writes PKCS#8");
    };
    DecryptionKey::private_key(key, with_certificate.then(|| certificate(identity))).unwrap()
}

fn shared_key(identifier: &[u8], length: u8) -> KeyEncryptionKey {
    KeyEncryptionKey::new(identifier.to_vec(), Zeroizing::new((1..=length).collect())).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn openssl_decrypts_what_is_encrypted_for_an_rsa_certificate() {
    let Some(lab) = Lab::open() else { return };
    let identity = lab.identity("rsa", RSA);
    for transport in [KeyTransport::RsaesOaep, KeyTransport::RsaesPkcs1V15] {
        let recipient = Recipient::certificate(&certificate(&identity), transport).unwrap();
        for encryption in ENCRYPTIONS {
            let message = encrypt(ID_DATA, CONTENT, std::slice::from_ref(&recipient), encryption).unwrap();
            lab.write("message.der", &message);
            let decrypted =
                lab.openssl("cms -decrypt -inform DER -in message.der -recip rsa.pem -inkey rsa.key");
            assert_eq!(decrypted, CONTENT, "{transport:?} {encryption:?}");
        }
    }
}

#[test]
fn openssl_decrypts_what_is_encrypted_for_an_ec_certificate() {
    let Some(lab) = Lab::open() else { return };
    for (name, kind) in [("p256", P256), ("p384", P384), ("p521", P521)] {
        if !has_key(kind) {
            continue;
        }
        let identity = lab.identity(name, kind);
        let recipient = Recipient::certificate(&certificate(&identity), KeyTransport::default()).unwrap();
        for encryption in ENCRYPTIONS {
            let message = encrypt(ID_DATA, CONTENT, std::slice::from_ref(&recipient), encryption).unwrap();
            lab.write("message.der", &message);
            let arguments =
                format!("cms -decrypt -inform DER -in message.der -recip {name}.pem -inkey {name}.key");
            assert_eq!(lab.openssl(&arguments), CONTENT, "{name} {encryption:?}");
        }
    }
}

#[test]
fn openssl_decrypts_what_is_encrypted_under_a_shared_key() {
    let Some(lab) = Lab::open() else { return };
    for length in [16, 24, 32] {
        let key = shared_key(b"device 7", length);
        let recipient = Recipient::key_encryption_key(key);
        let message = encrypt(ID_DATA, CONTENT, &[recipient], ContentEncryption::default()).unwrap();
        lab.write("message.der", &message);
        let secret: Vec<u8> = (1..=length).collect();
        let arguments = format!(
            "cms -decrypt -inform DER -in message.der -secretkey {} -secretkeyid {}",
            hex(&secret),
            hex(b"device 7")
        );
        assert_eq!(lab.openssl(&arguments), CONTENT, "{length}");
    }
}

#[test]
fn decrypts_what_openssl_encrypts_for_certificates() {
    let Some(lab) = Lab::open() else { return };
    lab.write("content", CONTENT);
    let table = [
        (
            "rsa",
            RSA,
            [
                "",
                "-keyopt rsa_padding_mode:oaep",
                "-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256",
            ],
        ),
        (
            "p256",
            P256,
            [
                "",
                "-keyopt ecdh_kdf_md:sha256",
                "-keyopt ecdh_kdf_md:sha384 -aes256-wrap",
            ],
        ),
        (
            "p384",
            P384,
            ["", "-keyopt ecdh_kdf_md:sha384", "-keyopt ecdh_cofactor_mode:1"],
        ),
        (
            "p521",
            P521,
            ["", "-keyopt ecdh_kdf_md:sha512", "-keyopt ecdh_kdf_md:sha256"],
        ),
    ];
    for (name, kind, key_options) in table {
        if !has_key(kind) {
            continue;
        }
        let identity = lab.identity(name, kind);
        for key_option in key_options {
            for options in ["-aes-128-cbc", "-aes-192-cbc -keyid", "-aes-256-cbc -stream"] {
                lab.openssl(&format!(
                    "cms -encrypt -binary -in content -outform DER -out message.der {options} -recip {name}.pem \
                     {key_option}"
                ));
                let message = parse(&lab.read("message.der"));
                for with_certificate in [true, false] {
                    let content = message.decrypt(&private_key(&identity, with_certificate));
                    assert_eq!(*content.unwrap(), CONTENT, "{name} {options} {key_option}");
                }
            }
        }
    }
}

#[test]
fn decrypts_what_openssl_encrypts_under_a_shared_key() {
    let Some(lab) = Lab::open() else { return };
    lab.write("content", CONTENT);
    for length in [16, 24, 32] {
        let secret: Vec<u8> = (1..=length).collect();
        lab.openssl(&format!(
            "cms -encrypt -binary -in content -outform DER -out message.der -aes-256-cbc -secretkey {} \
             -secretkeyid {}",
            hex(&secret),
            hex(b"device 7")
        ));
        let message = parse(&lab.read("message.der"));
        let key = DecryptionKey::key_encryption_key(shared_key(b"device 7", length));
        assert_eq!(*message.decrypt(&key).unwrap(), CONTENT);
    }
}

#[test]
fn every_one_of_several_recipients_decrypts() {
    let Some(lab) = Lab::open() else { return };
    let (rsa, ec) = (lab.identity("rsa", RSA), lab.identity("ec", P256));
    let shared = shared_key(b"7", 32);
    let recipients = [
        Recipient::certificate(&certificate(&rsa), KeyTransport::default()).unwrap(),
        Recipient::certificate(&certificate(&ec), KeyTransport::default()).unwrap(),
        Recipient::key_encryption_key(shared.clone()),
    ];
    let message = encrypt(ID_SIGNED_DATA, CONTENT, &recipients, ContentEncryption::default()).unwrap();
    let message = parse(&message);
    assert_eq!(message.content_type(), ID_SIGNED_DATA);
    let shared = DecryptionKey::key_encryption_key(shared);
    for key in [private_key(&rsa, true), private_key(&ec, true), shared] {
        assert_eq!(*message.decrypt(&key).unwrap(), CONTENT);
    }
}

#[test]
fn a_recipient_known_by_a_key_identifier_decrypts() {
    let Some(lab) = Lab::open() else { return };
    for (name, kind) in [("rsa", RSA), ("p256", P256)] {
        let identity = lab.identity(name, kind);
        let identifier = CertificateIdentifier::SubjectKeyIdentifier(b"key of device 7".to_vec());
        let spki = certificate(&identity).spki_der().to_vec();
        let recipient = Recipient::public_key(&spki, identifier, KeyTransport::default()).unwrap();
        let message = encrypt(ID_DATA, CONTENT, &[recipient], ContentEncryption::default()).unwrap();
        assert_eq!(
            *parse(&message).decrypt(&private_key(&identity, false)).unwrap(),
            CONTENT
        );
        lab.write("message.der", &message);
        let decrypted = lab.openssl(&format!(
            "cms -decrypt -inform DER -in message.der -inkey {name}.key"
        ));
        assert_eq!(decrypted, CONTENT, "{name}");
    }
}

#[test]
fn no_two_messages_share_a_key_or_a_vector() {
    let key = shared_key(b"7", 16);
    let mut seen = std::collections::HashSet::new();
    for _ in 0..64 {
        let recipient = Recipient::key_encryption_key(key.clone());
        let message = encrypt(ID_DATA, CONTENT, &[recipient], ContentEncryption::default()).unwrap();
        // Key wrap is deterministic: equal content keys would give equal recipient infos, and equal vectors with
        // equal keys equal ciphertexts.
        let wrapped = message[40..100].to_vec();
        let end = message[message.len() - 48..].to_vec();
        assert!(seen.insert(wrapped) && seen.insert(end));
    }
}

#[test]
fn another_key_is_not_a_recipient_and_the_error_names_those_who_are() {
    let Some(lab) = Lab::open() else { return };
    let (one, other) = (lab.identity("one", P256), lab.identity("other", P256));
    let recipient = Recipient::certificate(&certificate(&one), KeyTransport::default()).unwrap();
    let message = encrypt(ID_DATA, CONTENT, &[recipient], ContentEncryption::default()).unwrap();
    let error = parse(&message).decrypt(&private_key(&other, true)).unwrap_err();
    let CmsError::NotARecipient { recipients } = &error else {
        panic!("{error:?}");
    };
    assert!(recipients.contains("CN=one"), "{error}");
    assert_eq!(
        parse(&message).decrypt(&private_key(&other, false)),
        Err(CmsError::Decryption)
    );
    let shared = DecryptionKey::key_encryption_key(shared_key(b"7", 16));
    assert!(matches!(
        parse(&message).decrypt(&shared),
        Err(CmsError::NotARecipient { .. })
    ));
}

/// Whatever byte of a secret part is changed, the error is the same.
#[test]
fn a_damaged_message_gives_one_error_for_every_damage() {
    let Some(lab) = Lab::open() else { return };
    let identity = lab.identity("rsa", RSA);
    for transport in [KeyTransport::RsaesOaep, KeyTransport::RsaesPkcs1V15] {
        let recipient = Recipient::certificate(&certificate(&identity), transport).unwrap();
        let message = encrypt(ID_DATA, CONTENT, &[recipient], ContentEncryption::default()).unwrap();
        let key = private_key(&identity, true);
        // The last two blocks of the content hold the padding; the encrypted key stands before the content.
        let in_key = message.len() - 48 - 80;
        for place in [message.len() - 1, message.len() - 17, in_key, in_key - 100] {
            let mut damaged = message.clone();
            damaged[place] ^= 0x80;
            // CBC authenticates nothing: one damage in 256 leaves what looks like a padding. One bit of the padding
            // itself never does.
            match parse(&damaged).decrypt(&key) {
                Err(error) => assert_eq!(error, CmsError::Decryption, "{transport:?} {place}"),
                Ok(content) => assert!(
                    *content != CONTENT && place != message.len() - 17,
                    "{transport:?} {place}"
                ),
            }
        }
    }
}

#[test]
fn certificates_that_must_not_receive_are_refused_by_name() {
    let Some(lab) = Lab::open() else { return };
    let identity = lab.identity("ed25519", ED25519);
    let error = Recipient::certificate(&certificate(&identity), KeyTransport::default()).unwrap_err();
    assert!(error.to_string().contains("Ed25519"), "{error}");
    for (name, kind, missing) in [("rsa", RSA, "keyEncipherment"), ("p256", P256, "keyAgreement")] {
        lab.identity(name, kind);
        lab.openssl(&format!(
            "req -x509 -new -key {name}.key -subj /CN={name} -addext keyUsage=digitalSignature -out sign.pem"
        ));
        let signer = pki_common::Certificate::from_pem(&lab.read("sign.pem")).unwrap();
        let error = Recipient::certificate(&signer, KeyTransport::default()).unwrap_err();
        assert!(error.to_string().contains(missing), "{error}");
    }
}

#[test]
fn cut_messages_and_other_algorithms_are_named_errors() {
    let Some(lab) = Lab::open() else { return };
    let recipient = Recipient::key_encryption_key(shared_key(b"7", 16));
    let message = encrypt(ID_DATA, CONTENT, &[recipient], ContentEncryption::default()).unwrap();
    for length in 0..message.len() {
        assert!(
            EnvelopedData::parse(&message[..length], &CmsLimits::default()).is_err(),
            "{length}"
        );
    }
    lab.write("content", CONTENT);
    let identity = lab.identity("rsa", RSA);
    lab.openssl("cms -encrypt -binary -in content -outform DER -out message.der -des3 -recip rsa.pem");
    let error = parse(&lab.read("message.der"))
        .decrypt(&private_key(&identity, true))
        .unwrap_err();
    assert!(error.to_string().contains("1.2.840.113549.3.7"), "{error}");
}
