//! Certs-only messages, against `openssl` and the `cms` crate.

use cms::content_info::ContentInfo;
use cms::signed_data::SignedData;
use der::{Decode as _, Encode as _};
use est::wire::certs_only::{CertsOnlyLimits, decode, encode};
use est::{DerProblem, WireError};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::support::{openssl, test_data};

fn three() -> Vec<CertificateDer<'static>> {
    let pem = test_data("certs_only/three-certificates.pem");
    CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .unwrap()
}

fn sorted(mut certificates: Vec<CertificateDer<'static>>) -> Vec<CertificateDer<'static>> {
    certificates.sort_by(|left, right| left.as_ref().cmp(right.as_ref()));
    certificates
}

#[test]
fn writes_what_an_independent_decoder_reads() {
    let message = encode(&three()).unwrap();
    let content_info = ContentInfo::from_der(&message).unwrap();
    let signed_data: SignedData = content_info.content.decode_as().unwrap();
    assert!(signed_data.signer_infos.0.is_empty());
    let found: Vec<CertificateDer<'static>> = signed_data
        .certificates
        .unwrap()
        .0
        .iter()
        .map(|certificate| CertificateDer::from(certificate.to_der().unwrap()))
        .collect();
    assert_eq!(sorted(found), sorted(three()));
    assert_eq!(
        sorted(decode(&message, &CertsOnlyLimits::default()).unwrap()),
        sorted(three())
    );
}

#[test]
fn writes_what_openssl_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("message.der");
    std::fs::write(&path, encode(&three()).unwrap()).unwrap();
    let arguments = [
        "pkcs7",
        "-inform",
        "DER",
        "-print_certs",
        "-noout",
        "-in",
        path.to_str().unwrap(),
    ];
    let Some(output) = openssl(&arguments) else { return };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for name in ["one", "two", "three"] {
        assert!(
            text.contains(&format!("CN = {name}")) || text.contains(&format!("CN={name}")),
            "{text}"
        );
    }
}

#[test]
fn reads_what_openssl_writes() {
    let certificates = three();
    let table = [
        ("three-certificates.der", certificates.as_slice()),
        ("duplicate.der", &certificates[..2]),
        ("signed-indefinite-length.ber", &certificates[..2]),
    ];
    for (file, expected) in table {
        let found = decode(
            &test_data(&format!("certs_only/{file}")),
            &CertsOnlyLimits::default(),
        )
        .unwrap();
        assert_eq!(sorted(found), sorted(expected.to_vec()), "{file}");
    }
}

#[test]
fn sends_a_duplicate_once() {
    let certificates = three();
    let message = encode(&[
        certificates[0].clone(),
        certificates[1].clone(),
        certificates[0].clone(),
    ])
    .unwrap();
    assert_eq!(decode(&message, &CertsOnlyLimits::default()).unwrap().len(), 2);
    assert_eq!(
        decode(&encode(&[]).unwrap(), &CertsOnlyLimits::default()),
        Ok(Vec::new())
    );
}

#[test]
fn refuses_to_encode_what_is_no_certificate() {
    assert!(matches!(
        encode(&[CertificateDer::from(b"hello".to_vec())]),
        Err(WireError::Der { .. })
    ));
}

#[test]
fn refuses_a_message_cut_off_at_any_byte() {
    for file in ["duplicate.der", "signed-indefinite-length.ber"] {
        let message = test_data(&format!("certs_only/{file}"));
        for length in 0..message.len() {
            let outcome = decode(&message[..length], &CertsOnlyLimits::default());
            assert!(
                matches!(outcome, Err(WireError::Der { .. })),
                "{file} cut to {length} bytes: {outcome:?}"
            );
        }
    }
}

#[test]
fn refuses_bytes_behind_the_message() {
    let mut message = test_data("certs_only/duplicate.der");
    let position = message.len();
    message.push(0);
    let expected = WireError::Der {
        position,
        field: "ContentInfo",
        problem: DerProblem::TrailingBytes(1),
    };
    assert_eq!(decode(&message, &CertsOnlyLimits::default()), Err(expected));
}

#[test]
fn survives_every_changed_byte() {
    let message = test_data("certs_only/signed-indefinite-length.ber");
    let mut refused = 0;
    for position in 0..message.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = message.clone();
            changed[position] ^= change;
            refused += usize::from(decode(&changed, &CertsOnlyLimits::default()).is_err());
        }
    }
    assert!(refused > 20, "only {refused} changes were noticed");
}

#[test]
fn bounds_length_and_number() {
    let message = test_data("certs_only/three-certificates.der");
    let limits = CertsOnlyLimits {
        certificates: 2,
        ..CertsOnlyLimits::default()
    };
    assert_eq!(
        decode(&message, &limits),
        Err(WireError::TooMany {
            what: "certificates",
            limit: 2
        })
    );
    let limits = CertsOnlyLimits {
        length: 10,
        ..CertsOnlyLimits::default()
    };
    assert_eq!(
        decode(&message, &limits),
        Err(WireError::TooLong {
            what: "certs-only message",
            limit: 10
        })
    );
}

#[test]
fn says_what_came_instead_of_signed_data() {
    let data = b"\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x02\x04\x00";
    let error = decode(data, &CertsOnlyLimits::default()).unwrap_err();
    assert!(
        error.to_string().contains("found 1.2.840.113549.1.7.1"),
        "{error}"
    );
}
