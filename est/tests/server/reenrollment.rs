//! The rules of `simplereenroll` (RFC 7030, section 4.2.2), asked without a network.

use std::sync::Arc;

use bytes::Bytes;
use est::auth::Client;
use est::ca::policy::IssuancePolicy;
use est::operation::{
    CHANGE_SUBJECT_NAME, ConnectionFacts, LabelSettings, Operation, OperationRequest, OperationResponse,
    Operations, ReenrollmentPolicy, Refusal, Route,
};
use est::request::{KeyAndRequest, RequestKey, RequestTemplate, Subject};
use est::server::own_identity;
use est::wire::csr::Attribute;
use pki_common::Certificate;
use pki_common::identity::NewKey;

use crate::support::embedded_authority;

const SUBJECT: &str = "CN=ap7,OU=lab,DC=example,DC=com";

fn request(subject: &str, names: &[&str]) -> Vec<u8> {
    let names = names.iter().map(|name| name.parse().unwrap()).collect();
    let made = KeyAndRequest::generate(subject.parse().unwrap(), names, NewKey::EcP256).unwrap();
    made.csr_der().to_vec()
}

struct Lab {
    operations: Operations,
    certificate: Certificate,
}

impl Lab {
    /// A device `ap7` with the alternative names `DNS:ap7.example.com` and `IP:192.0.2.7`.
    async fn new(reenrollment: ReenrollmentPolicy) -> Self {
        let authority = embedded_authority(IssuancePolicy::default());
        let names = ["DNS:ap7.example.com", "IP:192.0.2.7"].map(|name| name.parse().unwrap());
        let subject = SUBJECT.parse().unwrap();
        let identity = own_identity(&*authority, subject, names.to_vec(), NewKey::EcP256)
            .await
            .unwrap();
        let settings = LabelSettings {
            reenrollment,
            ..LabelSettings::default()
        };
        Self {
            operations: Operations::new(authority, settings),
            certificate: identity.certificate().clone(),
        }
    }

    async fn renew(&self, csr: &[u8], certificate: bool) -> Result<OperationResponse, Refusal> {
        let certificate = certificate.then(|| self.certificate.clone());
        let connection = ConnectionFacts {
            certificate: certificate.clone(),
            ..ConnectionFacts::default()
        };
        let request = OperationRequest {
            route: Route {
                operation: Operation::SimpleReenroll,
                label: None,
            },
            client: certificate.map_or_else(Client::anonymous, Client::by_certificate),
            connection: Arc::new(connection),
            user_agent: None,
            body: Bytes::from(crate::support::raw::base64(csr)),
        };
        self.operations.answer(request).await
    }
}

#[tokio::test]
async fn renews_the_presented_certificate_with_names_in_another_order() {
    let lab = Lab::new(ReenrollmentPolicy::default()).await;
    for names in [
        ["DNS:ap7.example.com", "IP:192.0.2.7"],
        ["IP:192.0.2.7", "DNS:AP7.example.com"],
    ] {
        let answer = lab.renew(&request(SUBJECT, &names), true).await.unwrap();
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn refuses_another_subject_and_shows_both() {
    let lab = Lab::new(ReenrollmentPolicy::default()).await;
    let csr = request(
        "CN=ap8,OU=lab,DC=example,DC=com",
        &["DNS:ap7.example.com", "IP:192.0.2.7"],
    );
    let refusal = lab.renew(&csr, true).await.unwrap_err();
    let text = refusal.to_string();
    assert_eq!(refusal.status(), 422);
    assert!(
        text.contains("rule re-enrollment") && text.contains("the subject"),
        "{text}"
    );
    assert!(text.contains("CN=ap8") && text.contains("CN=ap7"), "{text}");
}

#[tokio::test]
async fn refuses_other_alternative_names_and_shows_both() {
    let lab = Lab::new(ReenrollmentPolicy::default()).await;
    for names in [
        &["DNS:ap8.example.com", "IP:192.0.2.7"][..],
        &["DNS:ap7.example.com"],
        &[],
    ] {
        let refusal = lab.renew(&request(SUBJECT, names), true).await.unwrap_err();
        let text = refusal.to_string();
        assert!(text.contains("subjectAltName"), "{text}");
        assert!(text.contains("DNS:ap7.example.com, IP:192.0.2.7"), "{text}");
    }
}

#[tokio::test]
async fn refuses_a_client_without_a_certificate_unless_the_policy_allows_it() {
    let csr = request(SUBJECT, &[]);
    let lab = Lab::new(ReenrollmentPolicy::default()).await;
    let refusal = lab.renew(&csr, false).await.unwrap_err();
    assert_eq!(refusal, Refusal::NoClientCertificate);
    assert_eq!(refusal.status(), 403);
    let policy = ReenrollmentPolicy {
        certificate_required: false,
        ..ReenrollmentPolicy::default()
    };
    let lab = Lab::new(policy).await;
    assert_eq!(lab.renew(&csr, false).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_certificate_without_the_usage_of_a_registrar_renews_for_nobody_else() {
    let policy = ReenrollmentPolicy {
        registrars: true,
        ..ReenrollmentPolicy::default()
    };
    let lab = Lab::new(policy).await;
    let refusal = lab.renew(&request("CN=ap8", &[]), true).await.unwrap_err();
    assert!(refusal.to_string().contains("the subject"), "{refusal}");
}

/// A certificate with the extended key usage id-kp-cmcRA, by openssl; nobody checks its issuer here.
fn registrar() -> Option<Certificate> {
    crate::support::peers::find_or_skip("openssl")?;
    let folder = tempfile::tempdir().unwrap();
    let output = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args(["-keyout", "key.pem", "-subj", "/CN=registrar"])
        .args(["-addext", "extendedKeyUsage=clientAuth,1.3.6.1.5.5.7.3.28"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(Certificate::from_pem(&output.stdout).unwrap())
}

#[tokio::test]
async fn a_registrar_renews_for_others_where_the_policy_allows_it() {
    let Some(registrar) = registrar() else { return };
    for registrars in [true, false] {
        let policy = ReenrollmentPolicy {
            registrars,
            ..ReenrollmentPolicy::default()
        };
        let mut lab = Lab::new(policy).await;
        lab.certificate = registrar.clone();
        let answer = lab.renew(&request(SUBJECT, &[]), true).await;
        assert_eq!(answer.is_ok(), registrars, "{answer:?}");
    }
}

/// A request of the device that asks for the name `ap9` by ChangeSubjectName.
fn request_for_another_name() -> Vec<u8> {
    let names = ["DNS:ap7.example.com", "IP:192.0.2.7"].map(|name| name.parse().unwrap());
    let mut template = RequestTemplate::new(SUBJECT.parse().unwrap(), &names).unwrap();
    let wanted: Subject = "CN=ap9".parse().unwrap();
    let mut value = vec![0x30, u8::try_from(wanted.to_der().len()).unwrap()];
    value.extend(wanted.to_der());
    template.attributes.push(Attribute {
        oid: CHANGE_SUBJECT_NAME,
        values: vec![value],
    });
    let key = RequestKey::generate(NewKey::EcP256).unwrap();
    KeyAndRequest::new(template, key).unwrap().csr_der().to_vec()
}

#[tokio::test]
async fn changes_the_subject_where_the_policy_allows_it() {
    let csr = request_for_another_name();
    let lab = Lab::new(ReenrollmentPolicy::default()).await;
    let refusal = lab.renew(&csr, true).await.unwrap_err().to_string();
    assert!(refusal.contains("rule change-subject-name"), "{refusal}");
    let policy = ReenrollmentPolicy {
        change_subject_name: true,
        ..ReenrollmentPolicy::default()
    };
    let lab = Lab::new(policy).await;
    let answer = lab.renew(&csr, true).await.unwrap();
    let message = est::wire::base64::decode(&answer.body, 100_000).unwrap();
    let certificates =
        est::wire::certs_only::decode(&message, &est::wire::certs_only::CertsOnlyLimits::default());
    let issued = Certificate::from_der(&certificates.unwrap()[0]).unwrap();
    assert_eq!(issued.common_name(), Some("ap9"));
    let names: Vec<String> = issued
        .subject_alternative_names()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(names, ["DNS:ap7.example.com", "IP:192.0.2.7"]);
}
