//! The issued certificate, compared with what was asked for.

use std::time::Duration;

use est::exchange::{
    ClientError, Difference, DifferenceKind, Expectation, IssuedChecks, compare, find_by_key, validate,
};
use est::wire::csr::RequestedExtension;
use pki_common::Certificate;
use pki_common::trust_store::TrustStore;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls_pki_types::UnixTime;

use crate::authority::Authority;

/// 2030-01-01
const NOW: u64 = 1_893_456_000;

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(NOW))
}

fn issued(root: &Authority, change: impl FnOnce(&mut CertificateParams)) -> Certificate {
    let mut parameters = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, "x");
    change(&mut parameters);
    let key = KeyPair::generate().unwrap();
    Certificate::from_der(parameters.signed_by(&key, &root.issuer).unwrap().der()).unwrap()
}

fn expected(certificate: &Certificate, names: &str, extensions: Vec<RequestedExtension>) -> Expectation {
    let template = est::request::RequestTemplate::new(
        "CN=x".parse().unwrap(),
        &names
            .split_whitespace()
            .map(|name| name.parse().unwrap())
            .collect::<Vec<_>>(),
    )
    .unwrap();
    Expectation {
        spki_der: certificate.spki_der().to_vec(),
        subject: Some(template.subject),
        extensions: template.extensions.into_iter().chain(extensions).collect(),
    }
}

fn extended_key_usage(purposes: &[u8]) -> RequestedExtension {
    let each: Vec<u8> = purposes
        .iter()
        .flat_map(|purpose| [&b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03"[..], &[*purpose]].concat())
        .collect();
    RequestedExtension {
        oid: const_oid::ObjectIdentifier::new_unwrap("2.5.29.37"),
        critical: false,
        value: [&[0x30, u8::try_from(each.len()).unwrap()][..], &each].concat(),
    }
}

fn differences(certificate: &Certificate, expected: &Expectation, checks: &IssuedChecks) -> Vec<Difference> {
    match compare(certificate, expected, &[], checks, now()) {
        Ok(accepted) => accepted,
        Err(ClientError::Differs(differences)) => differences,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn purposes_are_compared_without_regard_to_order() {
    let root = Authority::root("root");
    let certificate = issued(&root, |parameters| {
        parameters.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
    });
    let none = IssuedChecks::default();
    let find = |purposes: &[u8]| {
        let expected = expected(&certificate, "DNS:a.example", vec![extended_key_usage(purposes)]);
        differences(&certificate, &expected, &none)
    };
    assert_eq!(find(&[2, 1]), []);
    let found = find(&[2, 3]);
    let [Difference::ExtendedKeyUsage { missing, added }] = &found[..] else {
        panic!("{found:?}")
    };
    assert!(missing[0].contains("1.3.6.1.5.5.7.3.3"), "{missing:?}");
    assert!(added[0].contains("1.3.6.1.5.5.7.3.1"), "{added:?}");
}

#[test]
fn names_are_compared_without_regard_to_order_and_none_may_be_added() {
    let root = Authority::root("root");
    let certificate = issued(&root, |parameters| {
        parameters
            .subject_alt_names
            .push(rcgen::SanType::IpAddress([10, 0, 0, 1].into()));
    });
    let find = |names: &str| {
        differences(
            &certificate,
            &expected(&certificate, names, vec![]),
            &IssuedChecks::default(),
        )
    };
    assert_eq!(find("IP:10.0.0.1 DNS:a.example"), []);
    let added = find("DNS:a.example");
    assert!(
        matches!(&added[..], [Difference::AlternativeNames { missing, added }] if missing.is_empty() && added[..] == ["IP:10.0.0.1"])
    );
    let other = find("IP:10.0.0.1 DNS:A.example");
    assert_eq!(other.len(), 1, "{other:?}");
    assert_eq!(find("")[0].kind(), DifferenceKind::AlternativeNames);
}

#[test]
fn a_certificate_that_ends_too_soon_or_outlives_its_issuer_is_told() {
    let root = Authority::root("root");
    let end = time::OffsetDateTime::from_unix_timestamp(i64::try_from(NOW).unwrap() + 3600).unwrap();
    let certificate = issued(&root, |parameters| parameters.not_after = end);
    let wanted = expected(&certificate, "DNS:a.example", vec![]);
    let checks = IssuedChecks {
        validity: Some(Duration::from_secs(3601)),
        ..IssuedChecks::default()
    };
    let found = differences(&certificate, &wanted, &checks);
    assert_eq!(
        found[0].to_string(),
        "it is valid for 3600 s, but 3601 s were asked for"
    );
    let enough = IssuedChecks {
        validity: Some(Duration::from_secs(3600)),
        ..IssuedChecks::default()
    };
    assert_eq!(differences(&certificate, &wanted, &enough), []);

    let certificate = issued(&root, |parameters| {
        parameters.not_after = rcgen::date_time_ymd(4097, 1, 1);
    });
    let wanted = expected(&certificate, "DNS:a.example", vec![]);
    let accepted = compare(
        &certificate,
        &wanted,
        &[&root.certificate],
        &IssuedChecks::default(),
        now(),
    )
    .unwrap();
    assert_eq!(
        accepted[0].kind(),
        DifferenceKind::OutlivesIssuer,
        "told, and no error by default"
    );
    let strict = IssuedChecks {
        accept: vec![],
        validity: None,
    };
    assert!(compare(&certificate, &wanted, &[&root.certificate], &strict, now()).is_err());
}

#[test]
fn of_two_certificates_for_the_key_the_newer_is_taken() {
    let root = Authority::root("root");
    let key = KeyPair::generate().unwrap();
    let make = |year| {
        let mut parameters = CertificateParams::default();
        parameters.not_before = rcgen::date_time_ymd(year, 1, 1);
        Certificate::from_der(parameters.signed_by(&key, &root.issuer).unwrap().der()).unwrap()
    };
    let (old, new) = (make(2024), make(2025));
    for order in [[&old, &new], [&new, &old]] {
        let certificates = order.into_iter().cloned().collect();
        let (found, others) = find_by_key(certificates, old.spki_der()).unwrap();
        assert_eq!(found, new);
        assert_eq!(others, std::slice::from_ref(&old));
    }
    let error = find_by_key(vec![old], root.certificate.spki_der()).unwrap_err();
    assert_eq!(error, ClientError::NoCertificateForKey { found: 1 });
}

#[test]
fn a_chain_is_followed_in_any_order_and_a_stranger_is_not_trusted() {
    let root = Authority::root("root");
    let upper = root.intermediate("upper");
    let lower = upper.intermediate("lower");
    let leaf = lower.leaf("leaf").certificate;
    let mut anchors = TrustStore::empty("test");
    anchors.add(&root.certificate).unwrap();
    let others = [lower.certificate.clone(), upper.certificate.clone()];
    assert!(validate(&anchors, &leaf, &others, now()).is_ok());
    let others = [others[1].clone(), others[0].clone()];
    assert!(validate(&anchors, &leaf, &others, now()).is_ok());
    assert!(validate(&anchors, &leaf, &others[..1], now()).is_err());
}

#[test]
fn a_subject_in_another_string_type_is_the_same_and_in_other_letters_is_not() {
    let root = Authority::root("root");
    let named = |value: rcgen::DnValue| {
        issued(&root, |parameters| {
            parameters.distinguished_name = rcgen::DistinguishedName::new();
            parameters.distinguished_name.push(DnType::CommonName, value);
        })
    };
    let found = |certificate: &Certificate| {
        let expected = expected(certificate, "DNS:a.example", vec![]);
        differences(certificate, &expected, &IssuedChecks::default())
    };
    let printable = |text: &str| rcgen::DnValue::PrintableString(text.try_into().unwrap());
    for same in [printable("x"), rcgen::DnValue::Utf8String("x".to_owned())] {
        assert_eq!(found(&named(same)), []);
    }
    for other in [printable("X"), printable("x ")] {
        assert_eq!(found(&named(other))[0].kind(), DifferenceKind::Subject);
    }
}
