//! Several exchanges in a row: kept connections, proxies, first contact, re-enrolment, the channel binding.

use std::sync::Arc;
use std::time::Duration;

use est::auth::BasicCredentials;
use est::client::{
    Client, ClientError, EnrollOptions, EnrollOutcome, Enrolled, Fingerprint, FirstContact, PasswordUse,
    ProofOfPossession, Proxy, ReenrollKey, ReenrollOptions,
};
use est::wire::csr::{CsrLimits, UnverifiedCsr};
use pki_common::identity::NewKey;
use pki_common::tls::TlsVersions;
use pki_common::trust_store::TrustStore;
use pki_common::{Diagnose as _, HashAlgorithm, Rung};

use crate::authority::{Authority, certs_only};
use crate::scripted::{Received, Reply, Scripted, TestProxy, Then, reply};
use crate::support::{self, Setup, TestServer};

const CERTS_ONLY: &str = "Content-Type: application/pkcs7-mime; smime-type=certs-only\r\n";

async fn cacerts_server(then: Then) -> Scripted {
    let authority = Arc::new(Authority::root("Scripted Root"));
    let body = certs_only(&[&authority.certificate]);
    let script = move |_: &Received| Reply(reply("200 OK", CERTS_ONLY, &body).0, then);
    Scripted::start_shared(authority, TlsVersions::Tls12And13, script).await
}

fn enrolled(outcome: EnrollOutcome) -> Enrolled {
    match outcome {
        EnrollOutcome::Enrolled(enrolled) => *enrolled,
        EnrollOutcome::Pending { .. } => panic!("pending"),
    }
}

#[tokio::test]
async fn one_connection_serves_a_whole_session() {
    let server = cacerts_server(Then::Keep).await;
    let client = server.client();
    for _ in 0..5 {
        client.cacerts().await.unwrap();
    }
    let connections: Vec<_> = server
        .received()
        .iter()
        .map(|received| received.connection)
        .collect();
    assert_eq!(connections, [0; 5]);
    let mut config = server.config();
    config.max_idle_connections = 0;
    let client = Client::new(config).unwrap();
    for _ in 0..2 {
        client.cacerts().await.unwrap();
    }
    assert_eq!(server.received().last().unwrap().connection, 2, "none is kept");
}

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_is_replaced() {
    for then in [Then::Close, Then::Cut] {
        let server = cacerts_server(then).await;
        let client = server.client();
        for _ in 0..4 {
            client.cacerts().await.unwrap();
        }
        assert_eq!(server.received().len(), 4);
    }
}

#[tokio::test]
async fn a_proxy_is_passed_with_and_without_a_password() {
    let server = cacerts_server(Then::Keep).await;
    let proxy = TestProxy::start("HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n").await;
    let mut config = server.config();
    let mut there: Proxy = format!("http://{}", proxy.address).parse().unwrap();
    config.proxy = Some(there.clone());
    Client::new(config.clone()).unwrap().cacerts().await.unwrap();
    there.credentials = Some(BasicCredentials::new("user", "secret").unwrap());
    config.proxy = Some(there);
    Client::new(config).unwrap().cacerts().await.unwrap();
    let heads = proxy.heads.lock().unwrap().clone();
    let target = format!("CONNECT {} HTTP/1.1", server.address);
    assert!(heads.iter().all(|head| head.starts_with(&target)), "{heads:?}");
    assert!(!heads[0].contains("Proxy-Authorization"));
    assert!(heads[1].contains("Proxy-Authorization: Basic dXNlcjpzZWNyZXQ="));
    let to_server = server.received();
    assert!(to_server.iter().all(|received| !received.head.contains("Proxy-")));
}

#[tokio::test]
async fn what_a_proxy_refuses_stands_on_its_own_rung() {
    let server = cacerts_server(Then::Keep).await;
    let failure = async |proxy: String| {
        let mut config = server.config();
        config.proxy = Some(proxy.parse().unwrap());
        config.timeouts.connect = Duration::from_secs(1);
        Client::new(config).unwrap().cacerts().await.unwrap_err()
    };
    for (answer, part) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407"),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "403 Forbidden"),
        ("SSH-2.0-OpenSSH\r\n\r\n", "not HTTP"),
        ("", "took longer"),
    ] {
        let proxy = TestProxy::start(answer).await;
        let error = failure(format!("http://{}", proxy.address)).await;
        assert_eq!(error.diagnose().rung, Rung::Proxy, "{error}");
        assert!(
            error.to_string().contains(part) || part == "took longer",
            "{error}"
        );
    }
    let closed = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let error = failure(format!("http://{closed}")).await;
    assert_eq!(error.diagnose().rung, Rung::Proxy, "{error}");
}

#[tokio::test]
async fn first_contact_sends_nothing_secret_and_leads_to_anchors() {
    let server = TestServer::start(Setup::default()).await;
    let root = server.anchors.anchors()[0].clone();
    let mut config = server.client_config();
    config.anchors = Arc::new(TrustStore::empty("nothing yet"));
    config.basic = Some(BasicCredentials::new(support::USER, support::PASSWORD).unwrap());
    let error = Client::new(config.clone()).unwrap().cacerts().await.unwrap_err();
    assert!(
        matches!(error.diagnose().rung, Rung::Tls(_)),
        "nothing is trusted yet"
    );

    let expect = FirstContact::Expect(Fingerprint::of(HashAlgorithm::Sha256, &root));
    let first = Client::bootstrap(config.clone(), expect).await.unwrap();
    assert_eq!(first.confirmed, root);
    assert_eq!(first.anchors().len(), 1);
    let options = EnrollOptions::new("CN=new".parse().unwrap());
    enrolled(first.client.enroll(options).await.unwrap());

    let shown = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&shown);
    let ask = FirstContact::Ask(Box::new(move |certificates| {
        seen.lock().unwrap().extend_from_slice(certificates);
        None
    }));
    let error = Client::bootstrap(config.clone(), ask).await.unwrap_err();
    assert_eq!(error, ClientError::FingerprintRejected);
    assert_eq!(shown.lock().unwrap()[0].certificate, root);

    let wrong = "00".repeat(32).parse().unwrap();
    let error = Client::bootstrap(config, FirstContact::Expect(wrong))
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::FingerprintDiffers { .. }), "{error}");
}

#[tokio::test]
async fn first_contact_shows_neither_certificate_nor_password_nor_token() {
    let server = cacerts_server(Then::Keep).await;
    let root = server.authority.certificate.clone();
    let ours = server.authority.leaf("client");
    let key = rustls_pki_types::PrivateKeyDer::Pkcs8(ours.key);
    let identity =
        pki_common::identity::Identity::from_parts(vec![ours.certificate.der().clone()], key).unwrap();
    let mut config = server.config();
    config.anchors = Arc::new(TrustStore::empty("nothing yet"));
    config.identity = Some(Arc::new(identity));
    config.basic = Some(BasicCredentials::new("phone", "secret").unwrap());
    config.bearer = Some("token".parse().unwrap());
    let expect = FirstContact::Expect(Fingerprint::of(HashAlgorithm::Sha256, &root));
    let first = Client::bootstrap(config, expect).await.unwrap();
    first.client.cacerts().await.unwrap();
    let received = server.received();
    assert!(!received[0].with_certificate && received[0].header("Authorization").is_none());
    assert_ne!(received[1].connection, received[0].connection);
    assert!(
        received[1].with_certificate,
        "the authenticated server is shown who we are"
    );
}

#[tokio::test]
async fn a_forged_answer_with_the_right_root_in_it_adds_no_other_root() {
    let (genuine, forger) = (Authority::root("genuine"), Arc::new(Authority::root("forger")));
    let body = certs_only(&[&genuine.certificate, &forger.certificate]);
    let script = move |_: &Received| reply("200 OK", CERTS_ONLY, &body);
    let server = Scripted::start_shared(forger, TlsVersions::Tls12And13, script).await;
    let mut config = server.config();
    config.anchors = Arc::new(TrustStore::empty("nothing yet"));
    let expect = FirstContact::Expect(Fingerprint::of(HashAlgorithm::Sha256, &genuine.certificate));
    let first = Client::bootstrap(config, expect).await.unwrap();
    assert_eq!(first.anchors().anchors(), [genuine.certificate]);
    assert_eq!(first.rollover.refused.len(), 1);
    let error = first.client.cacerts().await.unwrap_err();
    assert!(
        matches!(error.diagnose().rung, Rung::Tls(_)),
        "the forger's server is not trusted: {error}"
    );
}

#[tokio::test]
async fn renews_with_the_same_names_and_the_old_certificate_as_identity() {
    let server = TestServer::start(Setup::default()).await;
    let mut options = EnrollOptions::new("DC=com,OU=eng,OU=lab,CN=ap".parse().unwrap());
    options.names = vec!["DNS:ap.example".parse().unwrap()];
    let first = enrolled(server.client().enroll(options).await.unwrap());
    let client = server.client_with_identity(first.identity().unwrap());
    for same_key in [true, false] {
        let key = if same_key {
            ReenrollKey::Existing(first.request.private_key().clone_key())
        } else {
            ReenrollKey::New(NewKey::EcP384)
        };
        let certificate = first.certificate.clone();
        let renewed = enrolled(
            client
                .reenroll(ReenrollOptions { certificate, key })
                .await
                .unwrap(),
        );
        assert_eq!(renewed.certificate.subject_der(), first.certificate.subject_der());
        assert_eq!(
            renewed.certificate.subject_alternative_names(),
            first.certificate.subject_alternative_names()
        );
        assert_ne!(renewed.certificate, first.certificate);
        assert_eq!(
            renewed.certificate.spki_der() == first.certificate.spki_der(),
            same_key
        );
    }
}

/// The challengePassword of a request.
fn password(received: &Received) -> Option<String> {
    let der = est::wire::base64::decode(&received.body, 100_000).unwrap();
    let csr = UnverifiedCsr::from_der(&der, &CsrLimits::default()).unwrap();
    let password = csr.unverified_contents().challenge_password()?;
    Some(password.expose().to_owned())
}

#[tokio::test]
async fn the_binding_is_that_of_the_connection_whatever_the_server_closes() {
    for versions in [TlsVersions::Tls12, TlsVersions::Tls13] {
        for then in [Then::Keep, Then::Close] {
            let script = move |received: &Received| match received.header("Authorization") {
                None => {
                    let challenge = "WWW-Authenticate: Digest realm=\"est\", nonce=\"n\", qop=\"auth\"\r\n";
                    Reply(reply("401 Unauthorized", challenge, b"").0, then)
                }
                Some(_) => reply("403 Forbidden", "", b"seen"),
            };
            let server = Scripted::start_for(Authority::root("Scripted Root"), versions, script).await;
            let mut config = server.config();
            config.basic = Some(BasicCredentials::new("phone", "secret").unwrap());
            config.password_use = PasswordUse::AfterChallenge;
            config.proof_of_possession = ProofOfPossession::Always;
            let client = Client::new(config).unwrap();
            client
                .enroll(EnrollOptions::new("CN=x".parse().unwrap()))
                .await
                .unwrap_err();
            let received = server.received();
            assert_eq!(received.len(), 2);
            let passwords: Vec<_> = received
                .iter()
                .map(|received| password(received).unwrap())
                .collect();
            let characters = if versions == TlsVersions::Tls12 { 16 } else { 44 };
            assert_eq!(
                passwords[0].len(),
                characters,
                "base64 of tls-unique or of tls-exporter"
            );
            assert_ne!(received[0].connection, received[1].connection);
            assert_ne!(passwords[0], passwords[1]);
        }
    }
}

#[tokio::test]
async fn csr_attributes_decide_key_and_binding() {
    // challengePassword, ecPublicKey on P-384, ecdsa-with-SHA384: as the first entries of RFC 7030, section 4.5.2.
    let body = b"\x30\x29\
        \x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07\
        \x30\x12\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x31\x07\x06\x05\x2b\x81\x04\x00\x22\
        \x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03";
    let body = est::wire::base64::encode(body, est::wire::base64::Base64Layout::SingleLine);
    let server = Scripted::start(move |received| {
        if received.path().ends_with("csrattrs") {
            reply(
                "200 OK",
                "Content-Type: application/csrattrs\r\n",
                body.as_bytes(),
            )
        } else {
            reply("403 Forbidden", "", b"seen")
        }
    })
    .await;
    let mut config = server.config();
    config.ask_csr_attributes = true;
    let client = Client::new(config).unwrap();
    let request = client
        .prepare(EnrollOptions::new("CN=x".parse().unwrap()))
        .await
        .unwrap();
    client.enroll_with(request).await.unwrap_err();
    let received = server.received();
    assert_eq!(received[1].connection, 0, "the same connection");
    let der = est::wire::base64::decode(&received[1].body, 100_000).unwrap();
    let csr = UnverifiedCsr::from_der(&der, &CsrLimits::default()).unwrap();
    let kind = csr.unverified_contents().public_key().kind();
    assert_eq!(*kind, est::wire::csr::PublicKeyKind::EcP384);
    assert!(password(&received[1]).is_some());
    // A key that the server does not want is refused before anything is sent.
    let key = pki_common::identity::generate_key(NewKey::EcP256).unwrap();
    let error = client
        .prepare_with_key(EnrollOptions::new("CN=x".parse().unwrap()), key)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ClientError::Attributes { cause } if cause.contains("EC P-384")),
        "{error}"
    );
}

#[tokio::test]
async fn a_retried_request_succeeds_when_the_server_is_back() {
    let tries = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counted = Arc::clone(&tries);
    let authority = Arc::new(Authority::root("Scripted Root"));
    let body = certs_only(&[&authority.certificate]);
    let script = move |_: &Received| {
        if counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2 {
            reply("503 Service Unavailable", "Retry-After: 0\r\n", b"")
        } else {
            reply("200 OK", CERTS_ONLY, &body)
        }
    };
    let server = Scripted::start_shared(authority, TlsVersions::Tls13, script).await;
    let client = server.client();
    let policy = est::client::RetryPolicy {
        tries: 3,
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(2),
    };
    assert_eq!(policy.run(|| client.cacerts()).await.unwrap().len(), 1);
    assert_eq!(tries.load(std::sync::atomic::Ordering::SeqCst), 3);
}

/// RFC 9110, section 9.2.2: the server may have issued a certificate before it went away.
#[tokio::test]
async fn an_enrolment_without_an_answer_is_not_sent_again_unasked() {
    for (repeat, times) in [(false, 1), (true, 2)] {
        let server = Scripted::start(|received| {
            if received.head.starts_with("POST") {
                Reply(Vec::new(), Then::Cut)
            } else {
                reply("204 No Content", "", b"")
            }
        })
        .await;
        let mut config = server.config();
        config.repeat_unanswered = repeat;
        let client = Client::new(config).unwrap();
        assert!(client.csrattrs().await.unwrap().is_none());
        let error = client
            .enroll(EnrollOptions::new("CN=x".parse().unwrap()))
            .await
            .unwrap_err();
        let unanswered = matches!(error, ClientError::Unanswered { .. });
        assert_eq!(unanswered, !repeat, "{error}");
        assert!(error.is_transient(), "{error}");
        let posts: Vec<_> = server.received().into_iter().skip(1).collect();
        assert_eq!(posts.len(), times);
        assert_eq!(posts[0].connection, 0, "on the kept connection");
        assert!(posts.iter().all(|post| post.body == posts[0].body));
    }
}
