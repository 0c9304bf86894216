//! Certificates made by OpenSSL, read and verified here.

use std::path::Path;

use pki_common::certificate::{
    Certificate, CertificateError, CertificateType, EcCurve, KeyType, MAX_CERTIFICATE_BYTES,
    SignatureAlgorithm, SignatureDigest, SubjectAlternativeName,
};
use pki_common::signature::{SignatureError, SignaturePolicy};
use pki_common::{HashAlgorithm, MacAddr};

fn pem(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/certificates");
    std::fs::read(folder.join(name).with_extension("pem")).expect("test data")
}

fn certificate(name: &str) -> Certificate {
    Certificate::from_pem(&pem(name)).expect("test data")
}

fn mac(text: &str) -> MacAddr {
    text.parse().expect("test data")
}

#[test]
fn shows_every_fact_of_a_certificate() {
    let certificate = certificate("p256");
    assert_eq!(
        certificate.subject(),
        "/DC=com/DC=example/OU=eng/OU=lab/CN=00-50-56-9C-34-89"
    );
    assert_eq!(certificate.issuer(), certificate.subject());
    assert_eq!(certificate.common_name(), Some("00-50-56-9C-34-89"));
    assert_eq!(certificate.subject_mac(), Some(mac("0050569c3489")));
    assert_eq!(certificate.version(), 3);
    assert_eq!(certificate.key_type(), &KeyType::Ec { curve: EcCurve::P256 });
    assert_eq!(
        certificate.signature_algorithm(),
        &SignatureAlgorithm::Ecdsa(SignatureDigest::Sha256)
    );
    assert_eq!(certificate.certificate_type(), CertificateType::Ssc);
    assert!(certificate.is_self_issued() && certificate.is_self_signed());
    let validity = certificate.not_after().as_secs() - certificate.not_before().as_secs();
    assert_eq!(validity, 27_000 * 86_400);
    assert_eq!(certificate.serial_number().len(), 20);
    assert_eq!(certificate.subject_der().first(), Some(&0x30));
    let names: Vec<_> = certificate
        .subject_alternative_names()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        names,
        [
            "DNS:mse.example.com",
            "IP:192.0.2.7",
            "IP:2001:db8::7",
            "email:noc@example.com",
            "URI:urn:x",
            "registered id 1.2.3"
        ]
    );
    assert_eq!(
        certificate.subject_alternative_names()[1],
        SubjectAlternativeName::Ip("192.0.2.7".parse().unwrap())
    );
}

#[test]
fn the_key_hash_is_that_of_openssl_over_the_public_key() {
    let certificate = certificate("rsa2048-sha256");
    assert_eq!(
        certificate.key_hash(HashAlgorithm::Sha1).to_string(),
        "8701959cfc826c950bc7c37bb2ce1c9c4634b11a"
    );
    assert_eq!(
        certificate.key_hash(HashAlgorithm::Sha256).to_string(),
        "41a65feb63c0c1778ff5b058be9029eef142da6fd938ad7ac6e4f7e3e9a7053a"
    );
}

#[test]
fn finds_the_mac_address_in_the_subject() {
    for (name, expected) in [
        ("rsa2048-sha256", Some("0050569c3489")),
        ("p384", Some("0050569c3489")),
        ("p521", Some("0050569c3489")),
        ("same-mac-twice", Some("0050569c3489")),
        ("mic-by-name", Some("00146a1b3744")),
        ("two-macs", None),
        ("ed25519", None),
        ("utf8", None),
    ] {
        assert_eq!(certificate(name).subject_mac(), expected.map(mac), "{name}");
    }
}

#[test]
fn writes_a_subject_as_openssl_does() {
    let certificate = certificate("utf8");
    assert_eq!(certificate.subject(), r"/O=Ex\xC3\xA4mple/CN=Z\xC3\xBCrich");
    assert_eq!(certificate.common_name(), Some("Zürich"));
}

#[test]
fn verifies_the_own_signature_of_each_algorithm() {
    for (name, key, algorithm) in [
        ("rsa2048-sha256", "RSA-2048", "RSA PKCS#1 v1.5 with SHA-256"),
        ("rsa2048-sha1", "RSA-2048", "RSA PKCS#1 v1.5 with SHA-1"),
        ("rsa1024-sha256", "RSA-1024", "RSA PKCS#1 v1.5 with SHA-256"),
        ("rsa3072-sha384", "RSA-3072", "RSA PKCS#1 v1.5 with SHA-384"),
        ("v1-rsa1024-sha1", "RSA-1024", "RSA PKCS#1 v1.5 with SHA-1"),
        ("pss-default", "RSA-2048", "RSASSA-PSS with SHA-256"),
        ("pss-salt-32", "RSA-2048", "RSASSA-PSS with SHA-256"),
        ("pss-salt-0", "RSA-2048", "RSASSA-PSS with SHA-384"),
        ("pss-salt-190", "RSA-2048", "RSASSA-PSS with SHA-512"),
        ("pss-sha1", "RSA-2048", "RSASSA-PSS with SHA-1"),
        ("pss-key", "RSA-2048", "RSASSA-PSS with SHA-256"),
        ("p384", "EC P-384", "ECDSA with SHA-384"),
        ("ed25519", "Ed25519", "Ed25519"),
    ] {
        let certificate = certificate(name);
        assert_eq!(certificate.key_type().to_string(), key, "{name}");
        assert_eq!(certificate.signature_algorithm().to_string(), algorithm, "{name}");
        assert!(certificate.is_self_signed(), "{name}");
        // One bit of the signature, the last of the certificate.
        let mut der = certificate.der().to_vec();
        *der.last_mut().unwrap() ^= 1;
        let damaged = Certificate::from_der(&der).unwrap();
        assert!(damaged.is_self_issued() && !damaged.is_self_signed(), "{name}");
    }
}

#[test]
#[cfg(feature = "aws-lc-rs")]
fn verifies_p521_where_the_provider_has_it() {
    assert!(certificate("p521").is_self_signed());
}

#[test]
fn a_self_issued_certificate_of_another_key_is_not_self_signed() {
    let forged = certificate("forged-self-issued");
    assert!(forged.is_self_issued() && !forged.is_self_signed());
    assert_eq!(forged.certificate_type(), CertificateType::Ssc);
}

#[test]
fn weak_signatures_verify_only_by_a_dangerous_policy() {
    let strict = SignaturePolicy::strict();
    let small = SignatureError::RsaKeySize {
        bits: 1024,
        min: 2048,
        max: 8192,
    };
    for (name, refusal, policy) in [
        (
            "rsa2048-sha1",
            SignatureError::Sha1Refused,
            strict.dangerous_accept_sha1(),
        ),
        (
            "pss-sha1",
            SignatureError::Sha1Refused,
            strict.dangerous_accept_sha1(),
        ),
        (
            "rsa1024-sha256",
            small.clone(),
            strict.dangerous_min_rsa_bits(1024),
        ),
        (
            "v1-rsa1024-sha1",
            small,
            strict.dangerous_accept_sha1().dangerous_min_rsa_bits(1024),
        ),
    ] {
        let certificate = certificate(name);
        let verify = |policy| certificate.verify_signed_by(certificate.spki_der(), policy);
        assert_eq!(verify(strict), Err(refusal), "{name}");
        assert_eq!(verify(policy), Ok(()), "{name}");
    }
    let v1 = certificate("v1-rsa1024-sha1");
    let both = v1.verify_signed_by(v1.spki_der(), strict.dangerous_min_rsa_bits(1024));
    assert_eq!(both, Err(SignatureError::Sha1Refused));
}

#[test]
fn a_signature_of_another_kind_of_key_is_refused() {
    let rsa = certificate("rsa2048-sha256");
    let pss_only = certificate("pss-key");
    let policy = SignaturePolicy::strict();
    assert_eq!(
        rsa.verify_signed_by(certificate("p256").spki_der(), policy),
        Err(SignatureError::Unsupported {
            signature_algorithm: "1.2.840.113549.1.1.11".to_owned(),
            key_algorithm: "1.2.840.10045.2.1".to_owned()
        })
    );
    assert!(matches!(
        rsa.verify_signed_by(pss_only.spki_der(), policy),
        Err(SignatureError::Unsupported { .. })
    ));
    assert_eq!(
        rsa.verify_signed_by(certificate("rsa3072-sha384").spki_der(), policy),
        Err(SignatureError::Invalid)
    );
    assert!(matches!(
        rsa.verify_signed_by(b"\x30\x00", policy),
        Err(SignatureError::BadPublicKey { .. })
    ));
}

#[test]
fn tells_the_certificate_types_apart() {
    for (name, expected) in [
        ("rsa2048-sha256", CertificateType::Ssc),
        ("lsc", CertificateType::Lsc),
        ("mic-by-name", CertificateType::Mic),
        ("mic-other-org", CertificateType::Lsc),
    ] {
        assert_eq!(certificate(name).certificate_type(), expected, "{name}");
    }
}

#[test]
fn refuses_what_is_no_certificate() {
    let der = certificate("p256").der().to_vec();
    assert_eq!(
        Certificate::from_der(&[der.as_slice(), b"xy"].concat()),
        Err(CertificateError::TrailingBytes {
            offset: der.len(),
            count: 2
        })
    );
    assert_eq!(
        Certificate::from_der(&vec![0x30; MAX_CERTIFICATE_BYTES + 1]),
        Err(CertificateError::TooLarge {
            bytes: MAX_CERTIFICATE_BYTES + 1
        })
    );
    for end in 0..der.len() {
        let cut = Certificate::from_der(&der[..end]);
        assert!(
            matches!(cut, Err(CertificateError::Malformed { .. })),
            "cut at {end}: {cut:?}"
        );
    }
    assert_eq!(
        Certificate::from_pem(b"hello"),
        Err(CertificateError::NoCertificate)
    );
    assert_eq!(
        Certificate::all_from_pem(b""),
        Err(CertificateError::NoCertificate)
    );
    let broken = b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
    assert!(matches!(
        Certificate::from_pem(broken),
        Err(CertificateError::BadPem { .. })
    ));
    let second_broken = [pem("p256").as_slice(), broken].concat();
    assert!(matches!(
        Certificate::all_from_pem(&second_broken),
        Err(CertificateError::InPem { number: 2, .. })
    ));
}

#[test]
fn no_damaged_byte_panics() {
    for name in ["p256", "pss-default", "v1-rsa1024-sha1"] {
        let der = certificate(name).der().to_vec();
        for position in 0..der.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = der.clone();
                damaged[position] ^= flip;
                if let Ok(certificate) = Certificate::from_der(&damaged) {
                    // Bytes of the name may change so that the certificate is not self-issued any more, but no
                    // damaged one may verify.
                    assert!(
                        !certificate.is_self_signed(),
                        "{name}: byte {position} ^ {flip:#x}"
                    );
                }
            }
        }
    }
}

#[test]
fn reads_every_certificate_of_a_pem_text_in_order() {
    let both = [pem("p256"), pem("lsc")].concat();
    let certificates = Certificate::all_from_pem(&both).unwrap();
    assert_eq!(certificates, [certificate("p256"), certificate("lsc")]);
    assert_eq!(Certificate::from_pem(&both).unwrap(), certificate("p256"));
}
