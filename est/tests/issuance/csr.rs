//! Decoding and verifying certification requests.

use est::wire::csr::oracle::oracle;
use est::wire::csr::{CsrLimits, PublicKeyKind, UnverifiedCsr, VerificationPolicy};
use est::{CsrError, DerProblem, WireError};

use crate::support::{csr, test_data};

fn parse(name: &str) -> Result<UnverifiedCsr, CsrError> {
    UnverifiedCsr::from_der(&test_data(&format!("csr/{name}.der")), &CsrLimits::default())
}

fn verify(name: &str, policy: &VerificationPolicy) -> Result<(), CsrError> {
    parse(name)?.verify(policy).map(drop)
}

#[test]
fn verifies_every_usual_signature_that_openssl_makes() {
    let table = [
        ("p256", PublicKeyKind::EcP256),
        ("p384", PublicKeyKind::EcP384),
        ("p384-sha256", PublicKeyKind::EcP384),
        ("ed25519", PublicKeyKind::Ed25519),
        ("rsa2048", PublicKeyKind::Rsa { bits: 2048 }),
        ("rsa3072-sha512", PublicKeyKind::Rsa { bits: 3072 }),
        ("rsa2048-pss-digest-salt", PublicKeyKind::Rsa { bits: 2048 }),
        ("rsa2048-pss-default-salt", PublicKeyKind::Rsa { bits: 2048 }),
        ("rsapss-key", PublicKeyKind::RsaPss { bits: 2048 }),
    ];
    for (name, kind) in table {
        assert_eq!(
            parse(name).unwrap().unverified_contents().public_key().kind(),
            &kind,
            "{name}"
        );
        assert_eq!(verify(name, &VerificationPolicy::default()), Ok(()), "{name}");
    }
}

#[cfg(feature = "aws-lc-rs")]
#[test]
fn verifies_p521_where_the_provider_does() {
    assert_eq!(verify("p521", &VerificationPolicy::default()), Ok(()));
    assert_eq!(verify("p256-sha512", &VerificationPolicy::default()), Ok(()));
}

#[test]
fn refuses_weak_keys_and_signatures_by_default() {
    for (name, word) in [
        ("rsa512", "512 bits"),
        ("rsa1024", "1024 bits"),
        ("rsa2048-sha1", "SHA-1"),
        ("p256-sha1", "SHA-1"),
    ] {
        let error = verify(name, &VerificationPolicy::default()).unwrap_err();
        assert!(matches!(error, CsrError::TooWeak(_)), "{name}: {error:?}");
        assert!(error.to_string().contains(word), "{name}: {error}");
    }
}

#[test]
fn accepts_weak_ones_only_by_their_dangerous_names() {
    let short = VerificationPolicy::default().dangerous_min_rsa_bits(1024);
    assert_eq!(verify("rsa1024", &short), Ok(()));
    assert!(matches!(verify("rsa512", &short), Err(CsrError::TooWeak(_))));
    let sha1 = VerificationPolicy::default().dangerous_accept_sha1();
    assert_eq!(verify("rsa2048-sha1", &sha1), Ok(()));
}

#[test]
fn refuses_a_wrong_signature() {
    assert_eq!(
        verify("wrong-signature", &VerificationPolicy::default()),
        Err(CsrError::BadSignature)
    );
}

#[test]
fn refuses_a_signature_over_other_bytes_for_every_algorithm() {
    for name in ["p256", "p384", "ed25519", "rsa2048", "rsa2048-pss-default-salt"] {
        let mut der = test_data(&format!("csr/{name}.der"));
        // A letter of the common name.
        let at = der
            .windows(3)
            .position(|window| window == [0x06, 0x03, 0x55])
            .unwrap()
            + 8;
        der[at] ^= 1;
        let outcome = UnverifiedCsr::from_der(&der, &CsrLimits::default())
            .and_then(|csr| csr.verify(&VerificationPolicy::default()));
        assert!(
            matches!(outcome, Err(CsrError::BadSignature)),
            "{name}: {outcome:?}"
        );
    }
}

#[test]
fn names_a_curve_that_nobody_verifies() {
    let error = verify("brainpool", &VerificationPolicy::default()).unwrap_err();
    assert!(matches!(error, CsrError::UnsupportedAlgorithm(_)), "{error:?}");
}

#[test]
fn refuses_bytes_behind_the_request() {
    let length = test_data("csr/p256.der").len();
    let expected = WireError::Der {
        position: length,
        field: "CertificationRequest",
        problem: DerProblem::TrailingBytes(1),
    };
    assert_eq!(parse("trailing-byte"), Err(CsrError::Wire(expected)));
}

#[test]
fn reads_every_form_of_the_body() {
    let expected = parse("p256").unwrap();
    let der = test_data("csr/p256.der");
    for file in ["csr/p256.pem", "csr/with-text.pem", "csr/p256.base64"] {
        let body = test_data(file);
        assert_eq!(
            UnverifiedCsr::from_body(&body, &CsrLimits::default()).as_ref(),
            Ok(&expected),
            "{file}"
        );
    }
    let one_line: Vec<u8> = test_data("csr/p256.base64")
        .into_iter()
        .filter(|byte| *byte != b'\n')
        .collect();
    assert_eq!(
        UnverifiedCsr::from_body(&one_line, &CsrLimits::default()).as_ref(),
        Ok(&expected)
    );
    // DER as the body is no base64, which RFC 7030 demands. (Its first byte is the digit 0.)
    let error = UnverifiedCsr::from_body(&der, &CsrLimits::default()).unwrap_err();
    assert!(
        matches!(error, CsrError::Wire(WireError::Base64 { position: 1, .. })),
        "{error:?}"
    );
}

#[test]
fn keeps_the_subject_byte_for_byte() {
    let request = csr("p256");
    assert_eq!(
        request.subject_text(),
        "CN=AP-00:50:56:9c:34:89,OU=lab,OU=eng,DC=example,DC=com"
    );
    let der = test_data("csr/p256.der");
    assert!(
        der.windows(request.subject_der().len())
            .any(|window| window == request.subject_der())
    );
    assert!(csr("empty").subject_is_empty());
    assert!(!request.subject_is_empty());
}

#[test]
fn gives_typed_access_to_the_attributes() {
    let request = csr("challenge");
    assert_eq!(request.challenge_password().unwrap().expose(), "0123456789abcdef");
    let oids: Vec<String> = request
        .attributes()
        .iter()
        .map(|attribute| attribute.oid.to_string())
        .collect();
    assert_eq!(oids, ["1.2.840.113549.1.9.2", "1.2.840.113549.1.9.7"]);
    assert!(request.requested_extensions().is_empty());
    assert!(!format!("{request:?}").contains("0123456789abcdef"));

    let request = csr("server");
    let names: Vec<String> = request
        .requested_extensions()
        .iter()
        .map(est::wire::csr::RequestedExtension::display_name)
        .collect();
    assert_eq!(
        names,
        [
            "basicConstraints (2.5.29.19)",
            "keyUsage (2.5.29.15)",
            "extKeyUsage (2.5.29.37)",
            "subjectKeyIdentifier (2.5.29.14)",
            "subjectAltName (2.5.29.17)"
        ]
    );
}

/// `p256.der` with the attributes replaced; the signature is wrong then, which parsing does not look at.
fn with_attributes(attributes: &[u8]) -> Vec<u8> {
    let original = parse("p256").unwrap();
    let request = original.unverified_contents();
    let spki = request.public_key().spki_der();
    let info = encode(
        0x30,
        &[
            &[2, 1, 0],
            request.subject_der(),
            spki,
            &encode(0xa0, &[attributes]),
        ],
    );
    let signature = encode(0x03, &[&[0], request.signature()]);
    encode(0x30, &[&info, request.signature_algorithm_der(), &signature])
}

fn encode(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let mut out = vec![tag];
    match length {
        [0, short @ 0..0x80] => out.push(short),
        [0, long] => out.extend([0x81, long]),
        [high, low] => out.extend([0x82, high, low]),
    }
    out.extend(content);
    out
}

fn extension_request(extensions: &[&[u8]]) -> Vec<u8> {
    let oid = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e";
    encode(0x30, &[oid, &encode(0x31, &[&encode(0x30, extensions)])])
}

#[test]
fn refuses_duplicates() {
    let extension = encode(0x30, &[b"\x06\x03\x55\x1d\x11", &encode(4, &[b"x"])]);
    let twice = with_attributes(&extension_request(&[&extension, &extension]));
    let error = UnverifiedCsr::from_der(&twice, &CsrLimits::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("subjectAltName (2.5.29.17) occurs twice"),
        "{error}"
    );

    let attribute = extension_request(&[&extension]);
    let twice = with_attributes(&[attribute.clone(), attribute].concat());
    let error = UnverifiedCsr::from_der(&twice, &CsrLimits::default()).unwrap_err();
    assert!(error.to_string().contains("occurs twice"), "{error}");

    // Microsoft's number for the same attribute does not get around it.
    let microsoft = b"\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0e";
    let other = encode(0x30, &[microsoft, &encode(0x31, &[&encode(0x30, &[&extension])])]);
    let twice = with_attributes(&[extension_request(&[&extension]), other].concat());
    let error = UnverifiedCsr::from_der(&twice, &CsrLimits::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("subjectAltName (2.5.29.17) occurs twice"),
        "{error}"
    );
}

fn too_many(what: &'static str) -> CsrError {
    WireError::TooMany { what, limit: 2 }.into()
}

#[test]
fn bounds_everything_a_peer_can_repeat() {
    let limits = CsrLimits {
        attributes: 2,
        extensions: 2,
        ..CsrLimits::default()
    };
    let extension = |number: u8| encode(0x30, &[&[6, 3, 0x55, 0x1d, number], &encode(4, &[b"x"])]);
    let attribute =
        |number: u8, values: &[&[u8]]| encode(0x30, &[&[6, 3, 0x55, 4, number], &encode(0x31, values)]);
    let table = [
        (
            extension_request(&[&extension(1), &extension(2), &extension(3)]),
            "requested extensions",
        ),
        (
            [attribute(3, &[]), attribute(4, &[]), attribute(5, &[])].concat(),
            "attributes",
        ),
        (
            attribute(3, &[&[5, 0], &[5, 0], &[5, 0]]),
            "values of one attribute",
        ),
    ];
    for (attributes, what) in table {
        let outcome = UnverifiedCsr::from_der(&with_attributes(&attributes), &limits);
        assert_eq!(outcome, Err(too_many(what)));
        // The same is welcome within the limits.
        let outcome = UnverifiedCsr::from_der(&with_attributes(&attributes), &CsrLimits::default());
        assert!(outcome.is_ok(), "{what}: {outcome:?}");
    }
}

#[test]
fn bounds_the_length() {
    let limits = CsrLimits {
        length: 100,
        ..CsrLimits::default()
    };
    let error = UnverifiedCsr::from_der(&test_data("csr/p256.der"), &limits).unwrap_err();
    let what = "certification request";
    assert_eq!(error, WireError::TooLong { what, limit: 100 }.into());
    let error = UnverifiedCsr::from_body(&test_data("csr/p256.pem"), &limits).unwrap_err();
    let what = "body";
    assert_eq!(error, WireError::TooLong { what, limit: 100 }.into());
}

#[test]
fn refuses_a_request_cut_off_at_any_byte() {
    for name in ["p256", "server", "challenge", "rsa2048-pss-default-salt"] {
        let der = test_data(&format!("csr/{name}.der"));
        for length in 0..der.len() {
            let outcome = UnverifiedCsr::from_der(&der[..length], &CsrLimits::default());
            assert!(
                matches!(outcome, Err(CsrError::Wire(_))),
                "{name} cut to {length} bytes: {outcome:?}"
            );
        }
    }
}

#[test]
fn survives_every_changed_byte() {
    for name in ["server", "challenge", "rsa2048-pss-default-salt"] {
        let der = test_data(&format!("csr/{name}.der"));
        for position in 0..der.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut changed = der.clone();
                changed[position] ^= change;
                oracle(&changed);
            }
        }
    }
}

#[test]
fn satisfies_the_oracle_with_all_test_data() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/csr");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        oracle(&std::fs::read(entry.unwrap().path()).unwrap());
        seen += 1;
    }
    assert!(seen > 30, "only {seen} files");
}

#[test]
fn accepts_a_request_without_the_attributes_field() {
    let original = parse("p256").unwrap();
    let request = original.unverified_contents();
    let info = encode(
        0x30,
        &[&[2, 1, 0], request.subject_der(), request.public_key().spki_der()],
    );
    let signature = encode(0x03, &[&[0], request.signature()]);
    let der = encode(0x30, &[&info, request.signature_algorithm_der(), &signature]);
    let parsed = UnverifiedCsr::from_der(&der, &CsrLimits::default()).unwrap();
    assert!(parsed.unverified_contents().attributes().is_empty());
    oracle(&der);
}

proptest::proptest! {
    /// Arbitrary bytes, plain and behind a plausible beginning.
    #[test]
    fn survives_arbitrary_bodies(body: Vec<u8>, armoured: bool) {
        let mut input = if armoured { b"-----BEGIN CERTIFICATE REQUEST-----".to_vec() } else { b"MIIB".to_vec() };
        oracle(&body);
        input.extend(&body);
        oracle(&input);
    }
}
