//! The certificates themselves: read back with `x509-cert`, and with `openssl`.

use std::path::Path;
use std::time::Duration;

use der::{Decode as _, Encode as _};
use est::ca::issuer::{Issuer, IssuerError};
use est::ca::policy::{AlternativeNamePolicy, IssuancePolicy, ValidityPolicy};
use est::ca::{EnrollError, issue};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, UnixTime};
use x509_cert::Certificate;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::time::Time;

use crate::support::{DAY, NOW, csr, issue_with, issuer, now, openssl, test_data};

fn issued(name: &str) -> Certificate {
    let policy = IssuancePolicy {
        alternative_names: AlternativeNamePolicy {
            dns_wildcards: true,
            ..Default::default()
        },
        ..Default::default()
    };
    Certificate::from_der(&issue_with(&policy, name).unwrap().certificate).unwrap()
}

#[test]
fn carries_subject_and_key_byte_for_byte() {
    for name in ["p256", "rsa2048", "ed25519", "p384", "empty-san"] {
        let policy = IssuancePolicy {
            alternative_names: AlternativeNamePolicy {
                dns_wildcards: true,
                ..Default::default()
            },
            ..Default::default()
        };
        let certificate = issue_with(&policy, name).unwrap().certificate;
        let request = csr(name);
        let parsed = Certificate::from_der(&certificate).unwrap().tbs_certificate;
        assert_eq!(parsed.subject.to_der().unwrap(), request.subject_der(), "{name}");
        assert_eq!(
            parsed.subject_public_key_info.to_der().unwrap(),
            request.public_key().spki_der(),
            "{name}"
        );
    }
}

#[test]
fn sets_the_extensions_of_an_end_entity() {
    let certificate = issued("p256").tbs_certificate;
    let (critical, constraints) = certificate.get::<BasicConstraints>().unwrap().unwrap();
    assert!(critical && !constraints.ca && constraints.path_len_constraint.is_none());
    let (critical, usage) = certificate.get::<KeyUsage>().unwrap().unwrap();
    assert!(critical);
    assert_eq!(usage.0, KeyUsages::DigitalSignature);
    let (_, usage) = certificate.get::<ExtendedKeyUsage>().unwrap().unwrap();
    let usages: Vec<String> = usage.0.iter().map(ToString::to_string).collect();
    assert_eq!(usages, ["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"]);
    let (_, key_identifier) = certificate.get::<SubjectKeyIdentifier>().unwrap().unwrap();
    assert_eq!(
        key_identifier.0.as_bytes(),
        csr("p256").public_key().key_identifier()
    );
    let authority = Certificate::from_der(issuer("p256").certificate())
        .unwrap()
        .tbs_certificate;
    let (_, authority_key) = authority.get::<SubjectKeyIdentifier>().unwrap().unwrap();
    let (_, key_identifier) = certificate.get::<AuthorityKeyIdentifier>().unwrap().unwrap();
    assert_eq!(key_identifier.key_identifier, Some(authority_key.0));

    let (_, usage) = issued("rsa2048")
        .tbs_certificate
        .get::<KeyUsage>()
        .unwrap()
        .unwrap();
    assert_eq!(usage.0, KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment);
}

#[test]
fn grants_what_was_asked_for_when_it_is_less() {
    let (_, usage) = issued("rsa-server")
        .tbs_certificate
        .get::<KeyUsage>()
        .unwrap()
        .unwrap();
    assert_eq!(usage.0, KeyUsages::DigitalSignature);
    let (_, usage) = issued("server")
        .tbs_certificate
        .get::<ExtendedKeyUsage>()
        .unwrap()
        .unwrap();
    let usages: Vec<String> = usage.0.iter().map(ToString::to_string).collect();
    assert_eq!(usages, ["1.3.6.1.5.5.7.3.1"]);
}

#[test]
fn copies_alternative_names_byte_for_byte() {
    let certificate = issued("san").tbs_certificate;
    let request = csr("san");
    let requested = &request.requested_extensions()[0].value;
    let copied = certificate
        .extensions
        .as_ref()
        .unwrap()
        .iter()
        .find(|e| e.extn_id.to_string() == "2.5.29.17");
    assert_eq!(copied.unwrap().extn_value.as_bytes(), requested);
    let (critical, names) = certificate.get::<SubjectAltName>().unwrap().unwrap();
    assert!(!critical);
    assert_eq!(names.0.len(), 5);
    // RFC 5280 section 4.1.2.6: critical when the subject is empty.
    let (critical, _) = issued("empty-san")
        .tbs_certificate
        .get::<SubjectAltName>()
        .unwrap()
        .unwrap();
    assert!(critical);
}

#[test]
fn never_outlives_the_authority_and_starts_a_little_early() {
    let validity = ValidityPolicy {
        validity: Duration::from_secs(20 * 365 * DAY),
        ..Default::default()
    };
    let policy = IssuancePolicy {
        validity,
        ..Default::default()
    };
    let issued = issue_with(&policy, "p256").unwrap();
    assert_eq!(issued.not_after, NOW + 3650 * DAY);
    assert_eq!(issued.not_before, NOW - 300);
    let parsed = Certificate::from_der(&issued.certificate)
        .unwrap()
        .tbs_certificate
        .validity;
    assert_eq!(parsed.not_after.to_unix_duration().as_secs(), issued.not_after);
    assert_eq!(parsed.not_before.to_unix_duration().as_secs(), issued.not_before);
}

#[test]
fn issues_nothing_with_an_expired_authority() {
    let issuer = issuer("p256");
    let later = UnixTime::since_unix_epoch(Duration::from_secs(NOW + 3651 * DAY));
    let serial = issuer.random_serial().unwrap();
    let outcome = issue::issue(&issuer, &csr("p256"), &IssuancePolicy::default(), serial, later);
    assert!(
        matches!(outcome, Err(EnrollError::Unavailable { .. })),
        "{outcome:?}"
    );
}

#[test]
fn writes_times_after_2049_as_generalized_time() {
    let key = PrivateKeyDer::from_pem_slice(&test_data("ca/p256.key.pem")).unwrap();
    let provider = pki_common::tls::crypto_provider().unwrap();
    let century = Duration::from_secs(100 * 365 * DAY);
    let issuer = Issuer::self_signed("CN=Old", key, century, now(), provider).unwrap();
    let root = Certificate::from_der(issuer.certificate())
        .unwrap()
        .tbs_certificate
        .validity;
    assert!(matches!(root.not_before, Time::UtcTime(_)));
    assert!(matches!(root.not_after, Time::GeneralTime(_)));
}

#[test]
fn makes_a_root_that_is_a_ca() {
    let issuer = issuer("p384");
    let root = Certificate::from_der(issuer.certificate())
        .unwrap()
        .tbs_certificate;
    assert_eq!(root.subject, root.issuer);
    assert_eq!(root.subject.to_string(), "CN=Lab Root,OU=pki,DC=example,DC=com");
    assert!(root.get::<BasicConstraints>().unwrap().unwrap().1.ca);
    let (critical, usage) = root.get::<KeyUsage>().unwrap().unwrap();
    assert!(critical);
    assert_eq!(usage.0, KeyUsages::KeyCertSign | KeyUsages::CRLSign);
}

#[test]
fn refuses_a_certificate_and_key_that_cannot_issue() {
    let provider = pki_common::tls::crypto_provider().unwrap();
    let key = |name: &str| PrivateKeyDer::from_pem_slice(&test_data(&format!("ca/{name}.key.pem"))).unwrap();
    let root = issuer("p256").certificate().clone();
    let mismatch = Issuer::new(root.clone(), key("p384"), provider.clone());
    assert!(
        matches!(mismatch, Err(IssuerError::KeyMismatch { .. })),
        "{mismatch:?}"
    );
    assert!(Issuer::new(root, key("p256"), provider.clone()).is_ok());
    let leaf = issue_with(&IssuancePolicy::default(), "p256")
        .unwrap()
        .certificate;
    let not_a_ca = Issuer::new(leaf, key("p256"), provider.clone());
    assert!(
        matches!(not_a_ca, Err(IssuerError::NotACa { .. })),
        "{not_a_ca:?}"
    );
    for subject in ["", "no name", "CN"] {
        let outcome = Issuer::self_signed(
            subject,
            key("p256"),
            Duration::from_secs(DAY),
            now(),
            provider.clone(),
        );
        assert!(
            matches!(outcome, Err(IssuerError::Subject { .. })),
            "{subject:?}: {outcome:?}"
        );
    }
    let outcome = Issuer::self_signed("CN=x", key("p256"), Duration::MAX, now(), provider);
    assert!(matches!(outcome, Err(IssuerError::Validity(_))), "{outcome:?}");
}

fn write_pem(path: &Path, der: &[u8]) {
    std::fs::write(path, pem(der)).unwrap();
}

fn pem(der: &[u8]) -> String {
    der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, der).unwrap()
}

/// `openssl verify` with every strictness it has, for every CA key type and every request key type.
#[test]
fn openssl_verifies_what_every_kind_of_authority_issues() {
    let folder = tempfile::tempdir().unwrap();
    let [root, leaf] = ["root.pem", "leaf.pem"].map(|name| folder.path().join(name));
    for key in ["p256", "p384", "ed25519", "rsa2048"] {
        let issuer = issuer(key);
        write_pem(&root, issuer.certificate());
        for request in [
            "p256",
            "p384",
            "ed25519",
            "rsa2048",
            "san",
            "server",
            "rsa-server",
            "p384-sha256",
        ] {
            let serial = issuer.random_serial().unwrap();
            let issued =
                issue::issue(&issuer, &csr(request), &IssuancePolicy::default(), serial, now()).unwrap();
            write_pem(&leaf, &issued.certificate);
            let time = NOW.to_string();
            let (root, leaf) = (root.to_str().unwrap(), leaf.to_str().unwrap());
            let arguments = [
                "verify",
                "-x509_strict",
                "-check_ss_sig",
                "-policy_check",
                "-purpose",
                "sslserver",
                "-attime",
                &time,
                "-CAfile",
                root,
                leaf,
            ];
            let Some(output) = openssl(&arguments) else { return };
            assert!(output.status.success(), "CA {key}, request {request}: {output:?}");
        }
    }
}

#[test]
fn openssl_shows_the_subject_with_all_its_repeated_parts() {
    let folder = tempfile::tempdir().unwrap();
    let leaf = folder.path().join("leaf.pem");
    let issued = issue_with(&IssuancePolicy::default(), "p256").unwrap();
    write_pem(&leaf, &issued.certificate);
    let arguments = [
        "x509",
        "-in",
        leaf.to_str().unwrap(),
        "-noout",
        "-subject",
        "-serial",
        "-nameopt",
        "RFC2253",
    ];
    let Some(output) = openssl(&arguments) else { return };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("subject=CN=AP-00:50:56:9c:34:89,OU=lab,OU=eng,DC=example,DC=com\n"),
        "{text}"
    );
    assert!(text.contains(&issued.serial.to_string().to_uppercase()), "{text}");
}
