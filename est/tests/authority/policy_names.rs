//! Policies as a configuration has them, against requests that `openssl` made and certificates that it reads.

use std::path::Path;

use est::ca::policy::{IssuancePolicy, PolicyConfig, Template};
use est::ca::{EnrollError, IssuedCertificate, PolicyRule, issue};
use est::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy, VerifiedCsr};
use serde_json::{Value, json};
use x509_cert::der::{Decode as _, Encode as _};

use crate::support::{csr, issuer, now, openssl, refusal};
use crate::write_pem;

fn config(value: Value) -> PolicyConfig {
    serde_json::from_value(value).unwrap()
}

fn policy(value: Value) -> IssuancePolicy {
    config(value).policy().unwrap()
}

fn issue_to(policy: &IssuancePolicy, csr: &VerifiedCsr) -> Result<IssuedCertificate, EnrollError> {
    let issuer = issuer("p256");
    issue::issue(&issuer, csr, policy, issuer.random_serial().unwrap(), now())
}

/// A request with attributes beside the extensions, and an extension that nobody knows; `None` without openssl.
fn request(folder: &Path) -> Option<VerifiedCsr> {
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (config, key, out) = (file("request.cnf"), file("request.key"), file("request.der"));
    std::fs::write(
        &config,
        "[req]\nprompt = no\nstring_mask = utf8only\ndistinguished_name = dn\nattributes = att\n\
         req_extensions = ext\n[dn]\nO = Example\nemailAddress = ops@example.com\nCN = device.example.com\n\
         [att]\nunstructuredName = rack 7\n\
         [ext]\nsubjectAltName = DNS:device.example.com, email:ops@example.com\n\
         1.3.6.1.4.1.55555.1 = critical, ASN1:UTF8String:hello\n",
    )
    .unwrap();
    let made = openssl(&[
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        &key,
        "-config",
        &config,
        "-outform",
        "DER",
        "-out",
        &out,
    ])?;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let read = UnverifiedCsr::from_der(&std::fs::read(out).unwrap(), &CsrLimits::default()).unwrap();
    Some(read.verify(&VerificationPolicy::default()).unwrap())
}

#[test]
fn a_forbidden_attribute_or_extension_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let Some(csr) = request(folder.path()) else { return };
    let copied = "1.3.6.1.4.1.55555.1";
    for (key, oid, rule, names) in [
        (
            "forbidden-attributes",
            "1.2.840.113549.1.9.2",
            PolicyRule::Attribute,
            &["1.2.840.113549.1.9.2", "of the request"][..],
        ),
        (
            "forbidden-attributes",
            "1.2.840.113549.1.9.1",
            PolicyRule::Attribute,
            &["email (1.2.840.113549.1.9.1)", "in the subject"],
        ),
        (
            "forbidden-extensions",
            copied,
            PolicyRule::Extension,
            &[copied, "forbidden"],
        ),
        (
            "forbidden-extensions",
            "2.5.29.17",
            PolicyRule::Extension,
            &["subjectAltName (2.5.29.17)", "forbidden"],
        ),
    ] {
        let refused = refusal(issue_to(
            &policy(json!({ "copied-extensions": [copied], key: [oid] })),
            &csr,
        ));
        assert_eq!(refused.rule, rule, "{refused}");
        for name in names {
            assert!(refused.text.contains(name), "{name}: {refused}");
        }
    }
    // Not listed anywhere is enough.
    let refused = refusal(issue_to(&IssuancePolicy::default(), &csr));
    assert!(refused.text.contains(copied), "{refused}");
}

#[test]
fn what_the_policy_allows_arrives_in_the_certificate_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let Some(csr) = request(folder.path()) else { return };
    let allowed = policy(json!({
        "copied-extensions": ["1.3.6.1.4.1.55555.1"],
        "required-extensions": ["1.3.6.1.4.1.55555.1", "2.5.29.17"],
    }));
    let issued = issue_to(&allowed, &csr).unwrap();
    let certificate = x509_cert::Certificate::from_der(&issued.certificate).unwrap();
    let contents = &certificate.tbs_certificate;
    assert_eq!(contents.subject.to_der().unwrap(), csr.subject_der());
    let spki = contents.subject_public_key_info.to_der().unwrap();
    assert_eq!(spki, csr.public_key().spki_der());
    let extensions = contents.extensions.as_deref().unwrap();
    let asked = csr.requested_extensions();
    assert_eq!(asked.len(), 2);
    for asked in asked {
        let found = extensions
            .iter()
            .find(|found| found.extn_id.as_bytes() == asked.oid.as_bytes());
        let found = found.unwrap();
        assert_eq!(found.extn_value.as_bytes(), asked.value);
        assert_eq!(found.critical, asked.critical);
    }
}

#[test]
fn names_outside_the_ranges_are_refused_and_named() {
    // DNS:device.example.com, IP:192.0.2.7, IP:2001:db8::7, email:ops@example.com, URI:https://example.com/device
    let csr = csr("san");
    for (key, inside, outside, named) in [
        (
            "dns-domains",
            json!(["example.com"]),
            json!(["ample.com"]),
            "device.example.com",
        ),
        (
            "dns-domains",
            json!(["device.EXAMPLE.com"]),
            json!(["x.device.example.com"]),
            "device.example.com",
        ),
        (
            "email-domains",
            json!(["example.com"]),
            json!(["ample.com", "mail.example.com"]),
            "ops@example.com",
        ),
        (
            "uri-prefixes",
            json!(["https://example.com/"]),
            json!(["http://example.com/"]),
            "https://example.com/device",
        ),
        (
            "ip-networks",
            json!(["192.0.2.0/24", "2001:db8::/32"]),
            json!(["192.0.2.0/24"]),
            "2001:db8::7",
        ),
    ] {
        let with = |range: &Value| policy(json!({ "alternative-names": { key: range } }));
        issue_to(&with(&inside), &csr).unwrap();
        let refused = refusal(issue_to(&with(&outside), &csr));
        assert_eq!(refused.rule, PolicyRule::SubjectAlternativeName);
        assert!(refused.text.contains(named), "{key}: {refused}");
    }
    for kind in ["dns", "ip", "email", "uri"] {
        let refused = refusal(issue_to(
            &policy(json!({ "alternative-names": { kind: false } })),
            &csr,
        ));
        assert!(refused.text.contains("of this kind"), "{kind}: {refused}");
    }
    let refused = refusal(issue_to(
        &policy(json!({ "alternative-names": { "max-names": 4 } })),
        &csr,
    ));
    assert!(refused.text.contains("5 names; at most 4"), "{refused}");
}

#[test]
fn a_policy_that_makes_no_sense_is_refused_with_its_key() {
    for (value, key) in [
        (json!({ "validity-days": 0 }), "validity-days"),
        (json!({ "max-validity-days": 0 }), "max-validity-days"),
        (json!({ "not-after": "tomorrow" }), "not-after"),
        (json!({ "keys": ["dsa"] }), "keys"),
        (
            json!({ "min-rsa-bits": 4096, "max-rsa-bits": 3072 }),
            "min-rsa-bits",
        ),
        (
            json!({ "extended-key-usages": ["codeSign"] }),
            "extended-key-usages",
        ),
        (json!({ "copied-extensions": ["x"] }), "copied-extensions"),
        (
            json!({ "forbidden-attributes": ["email"] }),
            "forbidden-attributes",
        ),
        (
            json!({ "required-extensions": ["2.5.29.17"], "forbidden-extensions": ["2.5.29.17"] }),
            "required-extensions",
        ),
        (
            json!({ "crl-distribution-points": ["ca.crl"] }),
            "crl-distribution-points",
        ),
        (
            json!({ "alternative-names": { "ip-networks": ["192.0.2.0/33"] } }),
            "alternative-names.ip-networks",
        ),
    ] {
        let error = config(value.clone()).policy().unwrap_err();
        assert_eq!(error.key, key, "{value}");
        assert!(
            error.to_string().starts_with(&format!("policy.{key}: ")),
            "{error}"
        );
    }
    let unknown = serde_json::from_value::<PolicyConfig>(json!({ "validity": 7 })).unwrap_err();
    assert!(
        unknown.to_string().contains("unknown field `validity`"),
        "{unknown}"
    );
}

#[test]
fn templates_make_what_openssl_takes_for_their_purpose() {
    let folder = tempfile::tempdir().unwrap();
    for (template, client, server) in [
        (Template::Client, "Yes", "No"),
        (Template::Server, "No", "Yes"),
        (Template::ClientAndServer, "Yes", "Yes"),
    ] {
        let issued = issue_to(&IssuancePolicy::of(template), &csr("san")).unwrap();
        let path = write_pem(
            &folder.path().join("leaf.pem"),
            "CERTIFICATE",
            &[&issued.certificate],
        );
        let Some(output) = openssl(&["x509", "-in", &path, "-noout", "-purpose", "-text"]) else {
            return;
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for says in [
            format!("SSL client : {client}"),
            format!("SSL server : {server}"),
            "SSL client CA : No".to_owned(),
            "CA:FALSE".to_owned(),
            "Digital Signature".to_owned(),
        ] {
            assert!(text.contains(&says), "{template:?}: {says}: {text}");
        }
    }
}
