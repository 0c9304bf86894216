//! Keys that our server makes and encrypts: `openssl cms` decrypts them and verifies who has made them.

use std::sync::Arc;

use der::asn1::{Any, SetOfVec};
use der::{Decode as _, Encode as _};
use est::ca::policy::IssuancePolicy;
use est::operation::{
    DirectKeyGenerator, KeyPackageSigner, LabelSettings, RecipientCertificate, ServerKeyGenerationSettings,
    parse_shared_keys,
};
use est::server::own_identity;
use est::wire::cms::enveloped_data::KeyTransport;
use est::wire::csr::Attribute;
use est::wire::server_key::{asymmetric_decrypt_key_identifier, decrypt_key_identifier};
use pki_common::Certificate;
use pki_common::identity::NewKey;
use x509_cert::request::CertReq;

use super::exchange::{PKCS10, decode, post, tlv};
use super::openssl;
use crate::case::Case;
use crate::support::est::{Setup, embedded_authority};
use crate::support::folder::{Folder, said};
use crate::support::lab::Lab;

/// 32 octets, and under which identifier both sides know them.
const SHARED_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const SHARED_KEY_IDENTIFIER: &str = "device 7";

/// `id-signedData`.
const SIGNED_DATA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";

const RSA: &str = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048";
const P256: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";
const P384: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-384";
const P521: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-521";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "cms decrypts and verifies a key from our server for an RSA certificate, by OAEP",
            || decrypts_by_rsa(KeyTransport::RsaesOaep, "rsaesOaep"),
        ),
        Case::new(
            "cms decrypts and verifies a key from our server for an RSA certificate, by PKCS #1 v1.5",
            || decrypts_by_rsa(KeyTransport::RsaesPkcs1V15, "rsaEncryption"),
        ),
        Case::new(
            "cms decrypts and verifies a key from our server for an EC certificate on P-256",
            || decrypts_by_ec(P256),
        ),
        Case::new(
            "cms decrypts and verifies a key from our server for an EC certificate on P-384",
            || decrypts_by_ec(P384),
        ),
        Case::new(
            "cms decrypts and verifies a key from our server for an EC certificate on P-521",
            || decrypts_by_ec(P521),
        ),
        Case::new(
            "cms decrypts and verifies a key from our server under a shared key",
            decrypts_under_a_shared_key,
        ),
        Case::new(
            "cms cannot decrypt a key from our server with the keys of others",
            does_not_decrypt_for_others,
        ),
    ]
}

/// A server that makes keys and signs them with a certificate of its authority, and this folder beside it.
async fn open(folder: Folder, configure: impl FnOnce(&mut ServerKeyGenerationSettings)) -> Lab {
    let embedded = embedded_authority(IssuancePolicy::default());
    let subject = "CN=key package signer".parse().unwrap();
    let signer = own_identity(&*embedded, subject, Vec::new(), NewKey::EcP256)
        .await
        .unwrap();
    let signer = KeyPackageSigner::with_identity(&signer);
    let mut keys = ServerKeyGenerationSettings::new(Arc::new(DirectKeyGenerator), signer);
    configure(&mut keys);
    let setup = Setup {
        settings: LabelSettings {
            server_key_generation: Some(keys),
            ..LabelSettings::default()
        },
        embedded: Some(embedded),
        ..Setup::default()
    };
    let mut lab = Lab::with(setup, |authority| authority).await;
    folder.write("anchor.pem", lab.server.anchor_pem());
    lab.folder = folder;
    lab
}

/// Has `openssl` make `NAME.key` and the self-signed `NAME.pem`, to which the identifier `NAME` leads.
async fn recipient(folder: &Folder, name: &str, key: &str) -> RecipientCertificate {
    openssl(folder, &format!("genpkey {key} -out {name}.key")).await;
    let make = format!("req -x509 -new -key {name}.key -subj /DC=example/CN={name} -days 30 -out {name}.pem");
    openssl(folder, &make).await;
    let certificate = folder.read(&format!("{name}.pem"));
    RecipientCertificate {
        identifier: name.as_bytes().to_vec(),
        certificate: Certificate::from_pem(certificate.as_bytes()).unwrap(),
    }
}

/// Writes `form.der`: a request by `openssl req` that names whom to encrypt for. No option of `req` makes such an
/// attribute, so it is put in afterwards, and the signature is wrong then: a server must not look at it (RFC 7030
/// section 4.4.1).
async fn form(folder: &Folder, attribute: Attribute) {
    openssl(folder, &format!("genpkey {P256} -out form.key")).await;
    let make = "req -new -key form.key -subj /DC=example/CN=device-7 -outform DER -out form.der";
    openssl(folder, make).await;
    let mut request = CertReq::from_der(&std::fs::read(folder.file("form.der")).unwrap()).unwrap();
    let mut values = SetOfVec::new();
    for value in &attribute.values {
        values.insert(Any::from_der(value).unwrap()).unwrap();
    }
    let attribute = x509_cert::attr::Attribute {
        oid: attribute.oid,
        values,
    };
    request.info.attributes.insert(attribute).unwrap();
    folder.write("form.der", request.to_der().unwrap());
}

/// Sends the form. The encrypted key is `key.p7` then, the certificate `certificate.p7`.
async fn ask(lab: &Lab, attribute: Attribute) {
    form(&lab.folder, attribute).await;
    let answer = post(lab, "serverkeygen", PKCS10, "form.der").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let parts = answer.parts();
    let [(key_head, key), (_, certificate)] = parts[..] else {
        panic!("{parts:?}");
    };
    assert!(key_head.contains("smime-type=server-generated-key"), "{key_head}");
    decode(lab, key, "key.p7").await;
    decode(lab, certificate, "certificate.p7").await;
}

/// Decrypts with these options, verifies who signed, and compares the key with the certificate. Returns what `openssl`
/// prints about the encryption.
async fn decrypt(lab: &Lab, options: &str) -> String {
    let folder = &lab.folder;
    let decrypt = format!("cms -decrypt -inform DER -in key.p7 -out content {options}");
    openssl(folder, &decrypt).await;
    // What is encrypted is SignedData without the type around it, which `openssl` wants there.
    let content = std::fs::read(folder.file("content")).unwrap();
    let signed = tlv(0x30, &[SIGNED_DATA, &tlv(0xa0, &[&content])]);
    folder.write("signed.p7", signed);
    let verify = "cms -verify -binary -inform DER -in signed.p7 -CAfile anchor.pem -purpose any -out package \
                  -signer signer.pem";
    openssl(folder, verify).await;
    let signer = openssl(folder, "x509 -in signer.pem -noout -subject").await;
    assert!(signer.contains("CN = key package signer"), "{signer}");
    let structure = openssl(folder, "cms -cmsout -print -inform DER -in signed.p7").await;
    // id-ct-KP-aKeyPackage (RFC 5958 section 2).
    assert!(structure.contains("2.16.840.1.101.2.1.2.78.5"), "{structure}");

    // AsymmetricKeyPackage ::= SEQUENCE OF OneAsymmetricKey
    let package = std::fs::read(folder.file("package")).unwrap();
    let header = match package[1] {
        0x82 => 4,
        0x81 => 3,
        _ => 2,
    };
    folder.write("made.key.der", &package[header..]);
    let made = openssl(folder, "pkey -inform DER -in made.key.der -pubout").await;
    let certificate = "pkcs7 -inform DER -in certificate.p7 -print_certs -out certificate.pem";
    openssl(folder, certificate).await;
    let certified = openssl(folder, "x509 -in certificate.pem -noout -pubkey").await;
    assert_eq!(certified, made);
    assert_ne!(openssl(folder, "pkey -in form.key -pubout").await, made);
    openssl(folder, "verify -CAfile anchor.pem certificate.pem").await;
    openssl(folder, "cms -cmsout -print -inform DER -in key.p7").await
}

async fn decrypts_by_rsa(transport: KeyTransport, algorithm: &str) {
    let folder = Folder::new();
    let recipient = recipient(&folder, "rsa", RSA).await;
    let lab = open(folder, |keys| {
        keys.recipients = vec![recipient];
        keys.key_transport = transport;
    })
    .await;
    ask(&lab, asymmetric_decrypt_key_identifier(b"rsa")).await;
    let structure = decrypt(&lab, "-recip rsa.pem -inkey rsa.key").await;
    for part in ["d.ktri", algorithm, "aes-256-cbc"] {
        assert!(structure.contains(part), "{part} is not in {structure}");
    }
}

async fn decrypts_by_ec(curve: &str) {
    let folder = Folder::new();
    let recipient = recipient(&folder, "ec", curve).await;
    let lab = open(folder, |keys| keys.recipients = vec![recipient]).await;
    ask(&lab, asymmetric_decrypt_key_identifier(b"ec")).await;
    let structure = decrypt(&lab, "-recip ec.pem -inkey ec.key").await;
    for part in ["d.kari", "dhSinglePass-stdDH", "aes-256-cbc"] {
        assert!(structure.contains(part), "{part} is not in {structure}");
    }
}

/// A server that knows the shared key.
async fn sharing(folder: Folder) -> Lab {
    let line = format!("{SHARED_KEY_IDENTIFIER}:{SHARED_KEY}");
    open(folder, |keys| {
        keys.shared_keys = parse_shared_keys(&line, "test").unwrap();
    })
    .await
}

async fn decrypts_under_a_shared_key() {
    let lab = sharing(Folder::new()).await;
    let identifier = SHARED_KEY_IDENTIFIER.as_bytes();
    ask(&lab, decrypt_key_identifier(identifier)).await;
    let identifier = hex::encode(identifier);
    let options = format!("-secretkey {SHARED_KEY} -secretkeyid {identifier}");
    let structure = decrypt(&lab, &options).await;
    for part in ["d.kekri", "id-aes256-wrap", "aes-256-cbc"] {
        assert!(structure.contains(part), "{part} is not in {structure}");
    }
}

/// Neither with a certificate that the key was not encrypted for, nor with another shared key under the same identifier.
async fn does_not_decrypt_for_others() {
    let folder = Folder::new();
    let own = recipient(&folder, "own", P256).await;
    recipient(&folder, "other", P256).await;
    let lab = open(folder, |keys| keys.recipients = vec![own]).await;
    ask(&lab, asymmetric_decrypt_key_identifier(b"own")).await;
    fails(&lab, "-recip other.pem -inkey other.key").await;
    decrypt(&lab, "-recip own.pem -inkey own.key").await;

    let lab = sharing(Folder::new()).await;
    let identifier = SHARED_KEY_IDENTIFIER.as_bytes();
    ask(&lab, decrypt_key_identifier(identifier)).await;
    let identifier = hex::encode(identifier);
    let other = SHARED_KEY.replace("00", "ff");
    fails(&lab, &format!("-secretkey {other} -secretkeyid {identifier}")).await;
}

async fn fails(lab: &Lab, options: &str) {
    let decrypt = format!("cms -decrypt -inform DER -in key.p7 -out nothing {options}");
    let arguments: Vec<_> = decrypt.split(' ').collect();
    let output = lab.folder.run("openssl", &arguments).await;
    assert!(!output.status.success(), "{options}");
    let said = said(&output);
    assert!(said.contains("Error decrypting CMS"), "{said}");
    let left = std::fs::read(lab.folder.file("nothing")).unwrap_or_default();
    assert!(left.is_empty(), "{options}: {} octets", left.len());
}
