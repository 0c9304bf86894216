//! The rules of the policy that concern who asks, which names, and what the authority adds.

use est::ca::policy::{IssuancePolicy, RequesterRule, Template};
use est::ca::{Authentication, PolicyRule, Requester};
use est::request::KeyAndRequest;
use est::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy, VerifiedCsr};
use pki_common::identity::NewKey;

use crate::support::{csr, issue_with, openssl, refusal};
use crate::write_pem;

fn user(name: &str) -> Requester {
    Requester {
        name: name.to_owned(),
        authentication: Authentication::BASIC,
        address: None,
        certificate: None,
    }
}

#[test]
fn a_user_gets_certificates_in_the_own_name_only() {
    let request: VerifiedCsr = csr("p256");
    let own = "AP-00:50:56:9c:34:89";
    for rule in [RequesterRule::CommonName, RequesterRule::AnyName] {
        assert_eq!(rule.check(&user(own), &request), Ok(()));
        for other in ["", "mallory", "ap-00:50:56:9c:34:89"] {
            let refusal = rule.check(&user(other), &request).unwrap_err();
            assert_eq!(refusal.rule, PolicyRule::Requester, "{refusal}");
        }
        assert_eq!(rule.check(&Requester::operator(), &request), Ok(()));
    }
    assert_eq!(RequesterRule::Anyone.check(&user("mallory"), &request), Ok(()));
}

#[test]
fn alternative_names_of_others_are_refused_whatever_their_kind() {
    let request = |names: &[&str]| -> VerifiedCsr {
        let names = names.iter().map(|name| name.parse().unwrap()).collect();
        let made = KeyAndRequest::generate("CN=phone-7".parse().unwrap(), names, NewKey::EcP256).unwrap();
        UnverifiedCsr::from_der(made.csr_der(), &CsrLimits::default())
            .unwrap()
            .verify(&VerificationPolicy::default())
            .unwrap()
    };
    for rule in [RequesterRule::CommonName, RequesterRule::AnyName] {
        assert_eq!(rule.check(&user("phone-7"), &request(&["DNS:Phone-7"])), Ok(()));
        for other in [
            "DNS:phone-8",
            "IP:192.0.2.1",
            "URI:urn:phone-8",
            "email:phone-7@example.com",
        ] {
            let refusal = rule
                .check(&user("phone-7"), &request(&["DNS:phone-7", other]))
                .unwrap_err();
            assert_eq!(refusal.rule, PolicyRule::Requester, "{other}");
            assert!(refusal.text.contains("alternative"), "{other}: {refusal}");
        }
    }
}

#[test]
fn a_forbidden_extension_and_a_missing_one_are_named() {
    let mut policy = IssuancePolicy::default();
    policy
        .extensions
        .required
        .push("1.3.6.1.5.5.7.1.24".parse().unwrap());
    let text = refusal(issue_with(&policy, "p256")).text;
    assert!(
        text.contains("1.3.6.1.5.5.7.1.24") && text.contains("required"),
        "{text}"
    );
    let text = refusal(issue_with(&IssuancePolicy::of(Template::Server), "p256")).text;
    assert!(text.contains("subjectAltName"), "{text}");
}

#[test]
fn what_the_authority_adds_is_what_openssl_reads() {
    let mut policy = IssuancePolicy::of(Template::Client);
    policy.added.crl_distribution_points = vec!["http://est.example/ca.crl".to_owned()];
    policy.added.ca_issuers = vec!["http://est.example/ca.cer".to_owned()];
    policy.added.ocsp = vec!["http://ocsp.example".to_owned()];
    policy
        .added
        .certificate_policies
        .push("1.3.6.1.4.1.32473.1".parse().unwrap());
    let issued = issue_with(&policy, "p256").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = write_pem(
        &folder.path().join("leaf.pem"),
        "CERTIFICATE",
        &[&issued.certificate],
    );
    let Some(output) = openssl(&["x509", "-in", &path, "-noout", "-text"]) else {
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for says in [
        "CA Issuers - URI:http://est.example/ca.cer",
        "OCSP - URI:http://ocsp.example",
        "URI:http://est.example/ca.crl",
        "Policy: 1.3.6.1.4.1.32473.1",
        "TLS Web Client Authentication",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    assert!(!text.contains("TLS Web Server Authentication"), "{text}");
}
