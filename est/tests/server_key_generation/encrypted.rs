//! Keys encrypted for whom the request names: each form decrypted and verified by `openssl cms`.

use const_oid::ObjectIdentifier;
use est::operation::{RecipientCertificate, parse_shared_keys};
use est::wire::cms::ID_SIGNED_DATA;
use est::wire::cms::enveloped_data::ContentEncryption;
use est::wire::csr::Attribute;
use est::wire::server_key::{asymmetric_decrypt_key_identifier, decrypt_key_identifier, smime_capabilities};

use crate::exchange::Exchange;
use crate::lab::{P256, P384, P521, RSA, certificate, has_key};

const SHARED_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82], &length[..], &content].concat()
}

impl Exchange {
    /// Decrypts `part0` with these options of `openssl cms`, verifies who signed, and takes the key out to `key.der`.
    fn unpack(&self, options: &str) {
        let lab = &self.lab;
        lab.openssl(&format!(
            "cms -decrypt -inform DER -in part0 -out signed.content {options}"
        ));
        let content = lab.read("signed.content");
        // Only the content is encrypted; its type stands outside. For openssl both are put together again.
        let oid = ID_SIGNED_DATA.as_bytes();
        let oid = [&[6, u8::try_from(oid.len()).unwrap()], oid].concat();
        lab.write("signed.der", &tlv(0x30, &[&oid, &tlv(0xa0, &[&content])]));
        lab.openssl(
            "cms -verify -binary -inform DER -in signed.der -CAfile signer.pem -purpose any -out package.der",
        );
        let structure =
            String::from_utf8(lab.openssl("cms -cmsout -print -inform DER -in signed.der")).unwrap();
        assert!(structure.contains("2.16.840.1.101.2.1.2.78.5"), "{structure}");
        // AsymmetricKeyPackage ::= SEQUENCE OF OneAsymmetricKey
        let package = lab.read("package.der");
        let header = match package[1] {
            0x82 => 4,
            0x81 => 3,
            _ => 2,
        };
        lab.write("key.der", &package[header..]);
    }

    fn ask_for_encryption(&self, key: &str, attributes: &[Attribute], options: &str) {
        self.form(key, attributes);
        let answer = self.ask();
        assert_eq!(answer.status, "200", "{}", String::from_utf8_lossy(&answer.body));
        let types = self.split();
        assert_eq!(
            types[0],
            "application/pkcs7-mime; smime-type=server-generated-key"
        );
        self.unpack(options);
        self.check_pair();
    }

    fn ask_in_vain(&self, attributes: &[Attribute], cause: &str) {
        self.form(P256, attributes);
        let answer = self.ask();
        let text = String::from_utf8(answer.body).unwrap();
        assert!(
            ["422", "400"].contains(&answer.status.as_str()),
            "{} {text}",
            answer.status
        );
        assert!(text.contains(cause), "{text}");
        assert!(!answer.head.contains("multipart"), "{}", answer.head);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_shared_key() {
    let opened = Exchange::open(|_, settings| {
        settings.shared_keys = parse_shared_keys(&format!("device 7:{SHARED_KEY}"), "test").unwrap();
    });
    let Some(exchange) = opened.await else { return };
    let options = format!("-secretkey {SHARED_KEY} -secretkeyid 6465766963652037");
    for kind in [P256, RSA] {
        exchange.ask_for_encryption(kind, &[decrypt_key_identifier(b"device 7")], &options);
    }
    let unknown = [decrypt_key_identifier(b"device 8")];
    exchange.ask_in_vain(&unknown, "no shared key is known by the DecryptKeyIdentifier");
    let twice = Attribute {
        values: [
            decrypt_key_identifier(b"7").values,
            decrypt_key_identifier(b"8").values,
        ]
        .concat(),
        ..decrypt_key_identifier(b"7")
    };
    exchange.ask_in_vain(&[twice], "2 values");
    exchange.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn for_the_certificate_of_a_recipient() {
    let mut recipients = vec![("rsa", RSA), ("p256", P256), ("p384", P384), ("p521", P521)];
    recipients.retain(|(_, kind)| has_key(kind));
    let opened = Exchange::open(|lab, settings| {
        settings.recipients = recipients
            .iter()
            .map(|(name, kind)| RecipientCertificate {
                identifier: name.as_bytes().to_vec(),
                certificate: certificate(&lab.identity(name, kind)),
            })
            .collect();
    });
    let Some(exchange) = opened.await else { return };
    for (name, _) in recipients {
        let asked = [asymmetric_decrypt_key_identifier(name.as_bytes())];
        exchange.ask_for_encryption(P256, &asked, &format!("-recip {name}.pem -inkey {name}.key"));
    }
    let unknown = [asymmetric_decrypt_key_identifier(b"unknown")];
    exchange.ask_in_vain(
        &unknown,
        "no certificate is known by the AsymmetricDecryptKeyIdentifier",
    );
    exchange.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_the_capabilities_say_or_not_at_all() {
    let opened = Exchange::open(|lab, settings| {
        settings.recipients = vec![RecipientCertificate {
            identifier: b"rsa".to_vec(),
            certificate: certificate(&lab.identity("rsa", RSA)),
        }];
    });
    let Some(exchange) = opened.await else { return };
    let rsa_encryption = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    let triple_des = ObjectIdentifier::new_unwrap("1.2.840.113549.3.7");
    let asked = [
        asymmetric_decrypt_key_identifier(b"rsa"),
        smime_capabilities(&[triple_des, ContentEncryption::Aes128Cbc.oid(), rsa_encryption]),
    ];
    exchange.ask_for_encryption(P256, &asked, "-recip rsa.pem -inkey rsa.key");
    let structure = exchange.lab.openssl("cms -cmsout -print -inform DER -in part0");
    let structure = String::from_utf8(structure).unwrap();
    assert!(
        structure.contains("aes-128-cbc") && structure.contains("rsaEncryption"),
        "{structure}"
    );
    let asked = [
        asymmetric_decrypt_key_identifier(b"rsa"),
        smime_capabilities(&[triple_des]),
    ];
    exchange.ask_in_vain(&asked, "SMIMECapabilities");
    exchange.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_must_not_receive_keys_is_refused() {
    let opened = Exchange::open(|lab, settings| {
        lab.openssl(&format!("genpkey {P256} -out sign.key"));
        lab.openssl(
            "req -x509 -new -key sign.key -subj /CN=sign -addext keyUsage=digitalSignature -out sign.pem",
        );
        settings.recipients = vec![RecipientCertificate {
            identifier: b"sign".to_vec(),
            certificate: pki_common::Certificate::from_pem(&lab.read("sign.pem")).unwrap(),
        }];
    });
    let Some(exchange) = opened.await else { return };
    exchange.ask_in_vain(&[asymmetric_decrypt_key_identifier(b"sign")], "keyAgreement");
    exchange.server.stop().await;
}
