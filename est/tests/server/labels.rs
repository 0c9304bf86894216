//! Labels know nothing of each other.

use std::sync::Arc;
use std::time::Duration;

use est::auth::{AuthenticationRequirement, BasicCredentials, Users};
use est::ca::CertificateAuthority;
use est::ca::embedded::EmbeddedCertificateAuthority;
use est::ca::policy::IssuancePolicy;
use est::client::{Client, EnrollOptions};
use est::operation::{LabelService, LabelSettings, Operation, Operations};
use est::server::{ServerLimits, own_identity};
use pki_common::Certificate;
use pki_common::identity::{Identity, NewKey};
use pki_common::tls::{ClientAuthentication, PeerVerifier};
use pki_common::trust_store::TrustStore;

use crate::support::raw::{ask, base64, csr, get, good_headers, post, unharmed};
use crate::support::{Setup, TestServer, embedded_authority};

fn users(name: &str, password: &str) -> Arc<Users> {
    let mut users = Users::new();
    users.set_password(name, password).unwrap();
    Arc::new(users)
}

fn post_to(label: &str, user: &str, password: &str) -> String {
    let credentials = BasicCredentials::new(user, password).unwrap();
    let headers = format!(
        "Content-Type: application/pkcs10\r\nAuthorization: {}\r\n",
        credentials.to_header().as_str()
    );
    post(&headers, &base64(&csr())).replace("est/simpleenroll", &format!("est/{label}/simpleenroll"))
}

#[tokio::test]
async fn a_user_of_one_label_cannot_enrol_under_another() {
    let server = TestServer::start(Setup::default()).await;
    let label = |name: &str, user: &str| {
        let authority: Arc<dyn CertificateAuthority> = embedded_authority(IssuancePolicy::default());
        let service = LabelService::new(authority, LabelSettings::default());
        (
            name.parse().unwrap(),
            service.with_authenticator(users(user, "secret")),
        )
    };
    let (a, b) = (label("a", "alice"), label("b", "bob"));
    let operations = Operations::new(Arc::clone(&server.authority), LabelSettings::default())
        .with_label(a.0, a.1)
        .with_label(b.0, b.1);
    server.reload(operations);
    for (name, user, status) in [
        ("a", "alice", 200),
        ("b", "alice", 401),
        ("b", "bob", 200),
        ("a", "bob", 401),
        ("c", "bob", 404),
    ] {
        let answer = ask(&server, &post_to(name, user, "secret")).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{user} at {name}: {answer}"
        );
    }
    // The users of the server are not those of the labels, nor the other way round.
    let known = post(&good_headers(), &base64(&csr()));
    assert!(ask(&server, &known).await.starts_with("HTTP/1.1 200 "));
    let elsewhere = known.replace("est/simpleenroll", "est/a/simpleenroll");
    assert!(ask(&server, &elsewhere).await.starts_with("HTTP/1.1 401 "));
    // Each label has the certificates of its own authority.
    let mut bodies: Vec<String> = Vec::new();
    for path in ["cacerts", "a/cacerts", "b/cacerts"] {
        let answer = ask(&server, &get(&format!("/.well-known/est/{path}"))).await;
        bodies.push(answer.split_once("\r\n\r\n").unwrap().1.to_owned());
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 3);
    unharmed(&server).await;
    server.stop().await;
}

/// A certificate of an authority with its key.
async fn device(authority: &dyn CertificateAuthority) -> Arc<Identity> {
    let subject = "CN=device".parse().unwrap();
    let made = own_identity(authority, subject, Vec::new(), NewKey::EcP256).await;
    Arc::new(made.unwrap())
}

fn anchor(authority: &EmbeddedCertificateAuthority) -> Certificate {
    Certificate::from_der(authority.ca_certificate()).unwrap()
}

fn store(anchors: &[&Certificate]) -> Arc<TrustStore> {
    let mut store = TrustStore::empty("anchors of a label");
    for anchor in anchors {
        store.add(anchor).unwrap();
    }
    Arc::new(store)
}

#[tokio::test]
async fn a_certificate_of_another_label_is_none_where_a_label_has_its_own_anchors() {
    let server = TestServer::start(Setup::default()).await;
    let (guests, staff) = (
        embedded_authority(IssuancePolicy::default()),
        embedded_authority(IssuancePolicy::default()),
    );
    let label = |authority: &Arc<EmbeddedCertificateAuthority>| {
        let settings = LabelSettings {
            authentication: AuthenticationRequirement::parse(["certificate"]).unwrap(),
            client_anchors: Some(store(&[&anchor(authority)])),
            ..LabelSettings::default()
        };
        LabelService::new(Arc::<EmbeddedCertificateAuthority>::clone(authority), settings)
    };
    let operations = Operations::new(Arc::clone(&server.authority), LabelSettings::default())
        .with_label("guests".parse().unwrap(), label(&guests))
        .with_label("staff".parse().unwrap(), label(&staff));
    let mut config = server.config(operations);
    let all = store(&[&anchor(&guests), &anchor(&staff)]);
    config.tls.client_authentication = ClientAuthentication::Optional(PeerVerifier::trust_store(all));
    server.handle.reload(config).unwrap();
    for (who, identity) in [
        ("guests", device(&*guests).await),
        ("staff", device(&*staff).await),
    ] {
        for asked in ["guests", "staff"] {
            let mut config = server.client_config();
            config.identity = Some(Arc::clone(&identity));
            config.label = Some(asked.parse().unwrap());
            let wanted = EnrollOptions::new("CN=device".parse().unwrap());
            let outcome = Client::new(config).unwrap().enroll(wanted).await;
            match outcome {
                // The certificate comes from the label's own root, which this client does not trust.
                Err(error) if who == asked => {
                    assert!(!error.to_string().contains("403"), "{who} at {asked}: {error}");
                }
                Err(error) => assert!(error.to_string().contains("403"), "{who} at {asked}: {error}"),
                Ok(_) => assert_eq!(who, asked),
            }
        }
    }
    let answers = server.handle.statistics();
    let enrolled = |status| answers.answers(Some(Operation::SimpleEnroll), status);
    assert_eq!((enrolled(200), enrolled(403)), (2, 2));
    server.stop().await;
}

#[tokio::test]
async fn libest_gets_lines_and_everybody_else_one_line() {
    let server = TestServer::start(Setup::default()).await;
    for (agent, lines) in [
        ("", false),
        ("User-Agent: libest 3.2.0p\r\n", true),
        ("User-Agent: curl/8\r\n", false),
    ] {
        let request = get("/.well-known/est/cacerts").replace("Host: x\r\n", &format!("Host: x\r\n{agent}"));
        let answer = ask(&server, &request).await;
        let longest = answer
            .split_once("\r\n\r\n")
            .unwrap()
            .1
            .lines()
            .map(str::len)
            .max();
        assert_eq!(longest == Some(64), lines, "{agent:?}: {answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn failed_logins_count_for_all_labels_together_and_over_a_reload() {
    let mut limits = ServerLimits::default();
    limits.login_failures.per_address.burst = 2;
    limits.login_failures.per_address.interval = Duration::from_secs(3600);
    let server = TestServer::start(Setup {
        limits,
        ..Setup::default()
    })
    .await;
    let operations = || {
        let service = LabelService::new(Arc::clone(&server.authority), LabelSettings::default());
        let service = service.with_authenticator(users("alice", "secret"));
        Operations::new(Arc::clone(&server.authority), LabelSettings::default())
            .with_label("a".parse().unwrap(), service)
    };
    server.reload(operations());
    let wrong = post(&good_headers(), &base64(&csr())).replace("est/simpleenroll", "est/a/simpleenroll");
    assert!(ask(&server, &wrong).await.starts_with("HTTP/1.1 401 "));
    server.reload(operations());
    assert!(ask(&server, &wrong).await.starts_with("HTTP/1.1 401 "));
    server.reload(operations());
    let right = post(&good_headers(), &base64(&csr()));
    for request in [&wrong, &right] {
        let answer = ask(&server, request).await;
        assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    }
    server.stop().await;
}
