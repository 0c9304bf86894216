//! Our client against our server, over real TLS sockets.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step of a test is a failed test; clippy sees only functions marked as tests"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use est::auth::BasicCredentials;
use est::ca::{CaFuture, CertificateAuthority, EnrollError, EnrollOutcome as Outcome, EnrollRequest};
use est::client::{Client, ClientError, ClientTimeouts, EnrollOptions, EnrollOutcome, Enrolled, Step};
use est::operation::Operation;
use est::wire::label::PathLabel;
use pki_common::identity::NewKey;
use pki_common::tls::TlsVersions;
use pki_common::trust_store::TrustStore;
use pki_common::{Diagnose as _, Rung};
use rustls_pki_types::CertificateDer;
use support::{Setup, TestServer};
use tokio::net::TcpListener;

async fn enrolled(client: &Client, options: EnrollOptions) -> Enrolled {
    match client.enroll(options).await.unwrap() {
        EnrollOutcome::Enrolled(enrolled) => *enrolled,
        EnrollOutcome::Pending { .. } => panic!("the certificate should be issued at once"),
    }
}

fn options(subject: &str) -> EnrollOptions {
    EnrollOptions::new(subject.parse().unwrap())
}

#[tokio::test]
async fn enrols_by_password_and_then_by_the_certificate_over_both_tls_versions() {
    for versions in [TlsVersions::Tls12, TlsVersions::Tls13] {
        let server = TestServer::start(Setup {
            versions,
            ..Setup::default()
        })
        .await;
        let mut wanted = options("DC=com,DC=example,OU=eng,OU=lab,CN=AP-0050569c3489");
        wanted.names = vec!["DNS:ap.example".parse().unwrap(), "IP:10.0.0.1".parse().unwrap()];
        let first = enrolled(&server.client(), wanted).await;
        assert_eq!(
            first.certificate.subject(),
            "/DC=com/DC=example/OU=eng/OU=lab/CN=AP-0050569c3489"
        );
        assert_eq!(
            first.certificate.subject_mac(),
            Some("00:50:56:9c:34:89".parse().unwrap())
        );

        let by_certificate = server.client_with_identity(first.identity().unwrap());
        let second = enrolled(&by_certificate, options("CN=second")).await;
        assert_eq!(second.certificate.common_name(), Some("second"));
        let statistics = server.handle.statistics();
        assert_eq!(statistics.answers(Some(Operation::SimpleEnroll), 200), 2);
        assert_eq!(statistics.password_checks, 1, "a certificate needs no password");
        server.stop().await;
    }
}

#[tokio::test]
async fn enrols_every_kind_of_key() {
    let server = TestServer::start(Setup::default()).await;
    for key in [NewKey::EcP256, NewKey::EcP384, NewKey::Rsa2048] {
        let found = enrolled(
            &server.client(),
            EnrollOptions {
                key,
                ..options("CN=any")
            },
        )
        .await;
        assert_eq!(found.certificate.spki_der(), found.request.spki_der());
    }
}

#[tokio::test]
async fn cacerts_needs_no_authentication() {
    let server = TestServer::start(Setup::default()).await;
    let client = Client::new(server.client_config()).unwrap();
    let found = client.cacerts().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].der(), server.anchors.anchors()[0].der());
}

#[tokio::test]
async fn a_label_that_is_not_configured_is_not_found() {
    let server = TestServer::start(Setup::default()).await;
    let mut config = server.client_config();
    config.label = Some("nowhere".parse::<PathLabel>().unwrap());
    let error = Client::new(config).unwrap().cacerts().await.unwrap_err();
    assert!(
        matches!(error, ClientError::Status { status, .. } if status == 404),
        "{error}"
    );
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_get_the_same_answer() {
    let server = TestServer::start(Setup::default()).await;
    let mut texts = Vec::new();
    for (user, password) in [(support::USER, "wrong"), ("nobody", support::PASSWORD)] {
        let mut config = server.client_config();
        config.basic = Some(BasicCredentials::new(user, password).unwrap());
        let error = Client::new(config)
            .unwrap()
            .enroll(options("CN=x"))
            .await
            .unwrap_err();
        assert_eq!(error.diagnose().rung, Rung::Status);
        texts.push(error.to_string());
    }
    assert_eq!(texts[0], texts[1]);
    assert_eq!(
        texts[0],
        "the server answers 401 Unauthorized: user name or password is wrong."
    );
    assert_eq!(
        server
            .handle
            .statistics()
            .answers(Some(Operation::SimpleEnroll), 401),
        2
    );
}

#[tokio::test]
async fn a_server_of_another_authority_is_refused_by_the_client() {
    let server = TestServer::start(Setup::default()).await;
    let stranger = TestServer::start(Setup::default()).await;
    let mut config = server.client_config();
    config.anchors = Arc::clone(&stranger.anchors);
    let failure = Client::new(config)
        .unwrap()
        .cacerts()
        .await
        .unwrap_err()
        .diagnose();
    assert_eq!(failure.rung, Rung::Tls(pki_common::TlsFault::Chain));
    assert_eq!(failure.refused_by, Some(pki_common::Side::Local));
}

#[tokio::test]
async fn a_client_certificate_of_another_authority_is_refused_by_the_server() {
    for versions in [TlsVersions::Tls12, TlsVersions::Tls13] {
        let server = TestServer::start(Setup {
            versions,
            ..Setup::default()
        })
        .await;
        let stranger = TestServer::start(Setup::default()).await;
        let foreign = enrolled(&stranger.client(), options("CN=foreign"))
            .await
            .identity()
            .unwrap();
        let failure = server
            .client_with_identity(foreign)
            .cacerts()
            .await
            .unwrap_err()
            .diagnose();
        assert!(matches!(failure.rung, Rung::Tls(_)), "{failure}");
        assert_eq!(failure.refused_by, Some(pki_common::Side::Peer), "{failure}");
        assert_eq!(server.handle.statistics().client_certificates_refused, 1);
        // The next client is unharmed.
        Client::new(server.client_config())
            .unwrap()
            .cacerts()
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn every_rung_below_http_is_told_apart() {
    let anchors = Arc::new(TrustStore::empty("none"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = listener.local_addr().unwrap();
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let ask = async |url: String| {
        let mut config = est::client::ClientConfig::new(url.parse().unwrap(), Arc::clone(&anchors));
        let step = Duration::from_secs(1);
        config.timeouts = ClientTimeouts {
            connect: 10 * step,
            handshake: step,
            response: step,
        };
        Client::new(config).unwrap().cacerts().await.unwrap_err()
    };
    let error = ask("https://nowhere.invalid".to_owned()).await;
    assert_eq!(error.diagnose().rung, Rung::NameResolution, "{error}");
    let error = ask(format!("https://{closed}")).await;
    assert_eq!(error.diagnose().rung, Rung::Tcp, "{error}");
    let error = ask(format!("https://{silent}")).await;
    assert!(
        matches!(
            error,
            ClientError::Timeout {
                step: Step::Handshake,
                ..
            }
        ),
        "{error}"
    );
}

/// An authority that changes the order of things: answers from a script.
#[derive(Debug)]
struct Scripted {
    inner: Arc<dyn CertificateAuthority>,
    answer: fn() -> Result<Outcome, EnrollError>,
}

impl CertificateAuthority for Scripted {
    fn ca_certificates(&self) -> CaFuture<'_, Arc<[CertificateDer<'static>]>> {
        self.inner.ca_certificates()
    }

    fn enroll(&self, _request: EnrollRequest) -> CaFuture<'_, Outcome> {
        let answer = (self.answer)();
        Box::pin(async move { answer })
    }
}

#[tokio::test]
async fn a_pending_request_comes_back_with_its_key_and_the_time_to_wait() {
    let answer = || {
        Ok(Outcome::Pending {
            retry_after: Duration::from_secs(120),
        })
    };
    let server = TestServer::start_with(Setup::default(), |inner| Arc::new(Scripted { inner, answer })).await;
    let outcome = server.client().enroll(options("CN=x")).await.unwrap();
    let EnrollOutcome::Pending { request, retry_after } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(retry_after, Duration::from_secs(120));
    let again = server.client().enroll_with(*request).await.unwrap();
    assert!(matches!(again, EnrollOutcome::Pending { .. }));
    assert_eq!(
        server
            .handle
            .statistics()
            .answers(Some(Operation::SimpleEnroll), 202),
        2
    );
}

#[tokio::test]
async fn an_authority_that_is_not_available_is_a_503_with_a_time() {
    let answer = || {
        Err(EnrollError::Unavailable {
            reason: "disk /secret is full".into(),
            retry_after: Duration::from_secs(7),
        })
    };
    let server = TestServer::start_with(Setup::default(), |inner| Arc::new(Scripted { inner, answer })).await;
    let error = server.client().enroll(options("CN=x")).await.unwrap_err();
    assert_eq!(error.diagnose().rung, Rung::Upstream);
    let ClientError::Status {
        status,
        text,
        retry_after,
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(
        (status.as_u16(), retry_after),
        (503, Some(Duration::from_secs(7)))
    );
    assert!(!text.contains("secret"), "{text}");
}

/// An authority that issues, but under a subject of its own.
#[derive(Debug)]
struct Renaming(Arc<dyn CertificateAuthority>);

impl CertificateAuthority for Renaming {
    fn ca_certificates(&self) -> CaFuture<'_, Arc<[CertificateDer<'static>]>> {
        self.0.ca_certificates()
    }

    fn enroll(&self, mut request: EnrollRequest) -> CaFuture<'_, Outcome> {
        use est::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy};
        let other =
            est::request::KeyAndRequest::generate("CN=other".parse().unwrap(), vec![], NewKey::EcP256);
        let csr = UnverifiedCsr::from_der(other.unwrap().csr_der(), &CsrLimits::default()).unwrap();
        request.csr = csr.verify(&VerificationPolicy::default()).unwrap();
        self.0.enroll(request)
    }
}

#[tokio::test]
async fn a_certificate_for_another_key_is_not_taken() {
    let server = TestServer::start_with(Setup::default(), |inner| Arc::new(Renaming(inner))).await;
    let error = server.client().enroll(options("CN=x")).await.unwrap_err();
    assert_eq!(error, ClientError::NoCertificateForKey { found: 1 });
}
