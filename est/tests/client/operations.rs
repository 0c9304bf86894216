//! Every operation from end to end: our client and our server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use est::auth::digest::{DigestAlgorithm, DigestSecrets, DigestSettings, DigestVerifier, NonceKey};
use est::auth::{Accounts, AuthenticationRequirement, BasicCredentials, BearerToken, BearerTokens, Users};
use est::ca::{
    CaFuture, CertificateAuthority, ChannelBindingState, EnrollOutcome as Decision, EnrollRequest,
};
use est::client::{
    Client, ClientConfig, ClientError, CmcOutcome, EnrollOptions, EnrollOutcome, Enrolled, PasswordUse,
    PendingPolicy, ProofOfPossession as Linking, ServerKeyOptions, ServerKeyOutcome,
};
use est::operation::{
    CsrAttributesPolicy, DirectKeyGenerator, FullCmcSettings, KeyPackageSigner, LabelSettings, Operations,
    ProofOfPossession, RecipientCertificate, ServerKeyGenerationSettings, SharedSecrets,
};
use est::request::cmc::{CmcAnswerError, CmcRequest, CmcRequestBuilder};
use est::request::{BindingAttribute, KeyAndRequest};
use est::wire::cms::enveloped_data::{DecryptionKey, KeyEncryptionKey};
use est::wire::cms::signed_data::Signer;
use est::wire::csr_attributes::{
    CsrAttributesConfig, EntryConfig, ExtensionConfig, SubjectPartConfig, TemplateConfig,
};
use est::wire::server_key::{asymmetric_decrypt_key_identifier, decrypt_key_identifier};
use pki_common::channel_binding::ChannelBindingType;
use pki_common::identity::{NewKey, generate_key};
use pki_common::tls::TlsVersions;
use rcgen::KeyPair;
use rustls_pki_types::CertificateDer;

use crate::authority::Authority;
use crate::support::{PASSWORD, Setup, TestServer, USER};

fn options(subject: &str) -> EnrollOptions {
    EnrollOptions::new(subject.parse().unwrap())
}

fn issued(outcome: EnrollOutcome) -> Enrolled {
    match outcome {
        EnrollOutcome::Enrolled(enrolled) => *enrolled,
        EnrollOutcome::Pending { .. } => panic!("pending"),
    }
}

fn with_password(server: &TestServer) -> ClientConfig {
    let mut config = server.client_config();
    config.basic = Some(BasicCredentials::new(USER, PASSWORD).unwrap());
    config
}

async fn start(settings: LabelSettings, versions: TlsVersions) -> TestServer {
    TestServer::start(Setup {
        settings,
        versions,
        ..Setup::default()
    })
    .await
}

fn required() -> LabelSettings {
    LabelSettings {
        proof_of_possession: ProofOfPossession::Required,
        ..LabelSettings::default()
    }
}

const VERSIONS: [TlsVersions; 2] = [TlsVersions::Tls12, TlsVersions::Tls13];

#[tokio::test]
async fn links_its_request_to_the_connection_when_the_label_requires_it() {
    for versions in VERSIONS {
        let server = start(required(), versions).await;
        for linking in [Linking::WhenAsked, Linking::Always] {
            let mut config = with_password(&server);
            config.proof_of_possession = linking;
            config.ask_csr_attributes = linking == Linking::WhenAsked;
            let client = Client::new(config).unwrap();
            issued(client.enroll(options("CN=linked")).await.unwrap());
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn a_request_that_was_linked_to_another_connection_is_refused() {
    for (versions, bytes) in [(TlsVersions::Tls12, 12), (TlsVersions::Tls13, 32)] {
        let server = start(required(), versions).await;
        let request = KeyAndRequest::generate("CN=x".parse().unwrap(), vec![], NewKey::EcP256).unwrap();
        let elsewhere = "QUJD".repeat(bytes / 3) + if bytes == 32 { "QUI=" } else { "" };
        for attribute in [
            BindingAttribute::ChallengePassword,
            BindingAttribute::EstIdentityLinking,
        ] {
            let csr = request.bound_csr_der(attribute, &elsewhere).unwrap();
            let error = server.client().enroll_csr(&csr).await.unwrap_err();
            let text = error.to_string();
            assert!(
                matches!(&error, ClientError::Status { status, .. } if *status == 403)
                    && text.contains("another TLS connection"),
                "{attribute:?}: {text}"
            );
        }
        server.stop().await;
    }
}

fn attributes(entries: Vec<EntryConfig>, template: Option<TemplateConfig>) -> CsrAttributesPolicy {
    let config = CsrAttributesConfig {
        entries,
        template,
        ..CsrAttributesConfig::default()
    };
    CsrAttributesPolicy {
        attributes: config.to_attributes().unwrap(),
        enforce: true,
    }
}

/// RFC 7894, section 3.3: the linking goes into an attribute of its own.
#[tokio::test]
async fn links_by_the_attribute_that_the_server_asks_for() {
    let linking = EntryConfig {
        oid: Some("1.2.840.113549.1.9.16.2.58".to_owned()),
        ..EntryConfig::default()
    };
    let settings = LabelSettings {
        csr_attributes: Some(attributes(vec![linking], None)),
        ..required()
    };
    for versions in VERSIONS {
        let server = start(settings.clone(), versions).await;
        let client = server.client();
        let request = client.prepare(options("CN=linked")).await.unwrap();
        assert_eq!(request.binding(), Some(BindingAttribute::EstIdentityLinking));
        issued(client.enroll_with(request).await.unwrap());
        server.stop().await;
    }
}

#[tokio::test]
async fn asks_for_what_the_template_of_the_server_wants() {
    let part = |kind: &str, value: Option<&str>| SubjectPartConfig {
        kind: kind.to_owned(),
        value: value.map(str::to_owned),
    };
    let template = TemplateConfig {
        subject: Some(vec![part("OU", Some("lab")), part("CN", None)]),
        key: Some("P-384".to_owned()),
        extensions: vec![ExtensionConfig {
            oid: "extKeyUsage".to_owned(),
            usages: Some(vec!["clientAuth".to_owned()]),
            ..ExtensionConfig::default()
        }],
        ..TemplateConfig::default()
    };
    let settings = LabelSettings {
        csr_attributes: Some(attributes(vec![], Some(template))),
        ..LabelSettings::default()
    };
    let server = start(settings, TlsVersions::Tls13).await;
    let made = issued(server.client().enroll(options("CN=ap")).await.unwrap());
    assert_eq!(made.certificate.subject(), "/OU=lab/CN=ap");
    let p384 = generate_key(NewKey::EcP384).unwrap();
    let p384 = est::request::RequestKey::from_pkcs8(p384).unwrap();
    assert_eq!(made.certificate.spki_der().len(), p384.spki_der().len());

    let mut deaf = with_password(&server);
    deaf.ask_csr_attributes = false;
    let error = Client::new(deaf)
        .unwrap()
        .enroll(options("CN=ap"))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("P-384"), "{error}");
    server.stop().await;
}

/// A server whose only user can log in by every scheme, and must by one of `require`.
async fn server_for(require: &[&str], settings: LabelSettings) -> (TestServer, BearerToken) {
    let mut users = Users::new();
    users.set_password(USER, PASSWORD).unwrap();
    let mut secrets = DigestSecrets::new();
    let algorithm = DigestAlgorithm::Sha256;
    secrets.set_password(USER, "EST", PASSWORD, algorithm).unwrap();
    let verifier = DigestVerifier::new(DigestSettings::default(), NonceKey::from_bytes([7; 32]));
    let mut tokens = BearerTokens::new();
    let token = tokens.issue(USER, None).unwrap();
    let accounts = Accounts::new(users)
        .with_digest(Arc::new(verifier), secrets)
        .with_tokens(tokens);
    let settings = LabelSettings {
        authentication: AuthenticationRequirement::parse(require).unwrap(),
        ..settings
    };
    let setup = Setup {
        settings,
        authenticator: Some(Arc::new(accounts)),
        ..Setup::default()
    };
    (TestServer::start(setup).await, token)
}

#[tokio::test]
async fn digest_goes_together_with_proof_of_possession() {
    let (server, _) = server_for(&["digest"], required()).await;
    for password_use in [
        PasswordUse::Preemptive,
        PasswordUse::AfterChallenge,
        PasswordUse::DigestOnly,
    ] {
        for versions in VERSIONS {
            let mut config = with_password(&server);
            config.password_use = password_use;
            config.versions = versions;
            let client = Client::new(config).unwrap();
            for _ in 0..2 {
                issued(client.enroll(options("CN=digest")).await.unwrap());
            }
        }
    }
    let mut wrong = server.client_config();
    wrong.basic = Some(BasicCredentials::new(USER, "wrong").unwrap());
    wrong.password_use = PasswordUse::DigestOnly;
    let error = Client::new(wrong)
        .unwrap()
        .enroll(options("CN=x"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ClientError::Status { status, .. } if *status == 401),
        "{error}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_bearer_token_lets_in() {
    let (server, token) = server_for(&["bearer"], LabelSettings::default()).await;
    let mut config = server.client_config();
    config.bearer = Some(token.as_str().parse().unwrap());
    issued(
        Client::new(config.clone())
            .unwrap()
            .enroll(options("CN=token"))
            .await
            .unwrap(),
    );
    config.bearer = Some("another".parse().unwrap());
    let error = Client::new(config)
        .unwrap()
        .enroll(options("CN=x"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ClientError::Status { status, .. } if *status == 401),
        "{error}"
    );
    server.stop().await;
}

/// Lets the first request wait, and remembers all.
#[derive(Debug)]
struct Hesitant {
    authority: Arc<dyn CertificateAuthority>,
    asked: Arc<Mutex<Vec<EnrollRequest>>>,
}

impl CertificateAuthority for Hesitant {
    fn ca_certificates(&self) -> CaFuture<'_, Arc<[CertificateDer<'static>]>> {
        self.authority.ca_certificates()
    }

    fn enroll(&self, request: EnrollRequest) -> CaFuture<'_, Decision> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(request.clone());
        if asked.len() == 1 {
            let retry_after = Duration::from_secs(1);
            return Box::pin(async move { Ok(Decision::Pending { retry_after }) });
        }
        self.authority.enroll(request)
    }
}

#[tokio::test]
async fn after_a_wait_the_request_is_linked_to_the_new_connection() {
    for (versions, binding) in [
        (TlsVersions::Tls12, ChannelBindingType::TlsUnique),
        (TlsVersions::Tls13, ChannelBindingType::TlsExporter),
    ] {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&asked);
        let setup = Setup {
            settings: required(),
            versions,
            ..Setup::default()
        };
        let hesitant = |authority| -> Arc<dyn CertificateAuthority> {
            Arc::new(Hesitant {
                authority,
                asked: record,
            })
        };
        let server = TestServer::start_with(setup, hesitant).await;
        let mut config = with_password(&server);
        config.pending = PendingPolicy::up_to(Duration::from_secs(60));
        issued(
            Client::new(config)
                .unwrap()
                .enroll(options("CN=patient"))
                .await
                .unwrap(),
        );
        let asked = asked.lock().unwrap().clone();
        assert_eq!(asked.len(), 2);
        let expected = ChannelBindingState::Verified(binding);
        assert!(
            asked.iter().all(|request| request.channel_binding == expected),
            "{asked:?}"
        );
        assert_ne!(asked[0].csr.der(), asked[1].csr.der(), "signed anew");
        assert_eq!(asked[0].csr.public_key(), asked[1].csr.public_key());
        server.stop().await;
    }
}

const SHARED: [u8; 32] = [7; 32];

fn shared_key() -> KeyEncryptionKey {
    KeyEncryptionKey::new(b"device 7".to_vec(), SHARED.to_vec().into()).unwrap()
}

async fn server_that_makes_keys(recipients: Vec<RecipientCertificate>) -> TestServer {
    let server = TestServer::start(Setup::default()).await;
    let signer = issued(server.client().enroll(options("CN=key maker")).await.unwrap());
    let signer = KeyPackageSigner::with_identity(&signer.identity().unwrap());
    let mut keys = ServerKeyGenerationSettings::new(Arc::new(DirectKeyGenerator), signer);
    keys.shared_keys = vec![shared_key()];
    keys.recipients = recipients;
    let settings = LabelSettings {
        server_key_generation: Some(keys),
        ..LabelSettings::default()
    };
    server.reload(Operations::new(Arc::clone(&server.authority), settings));
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn has_the_server_make_a_key_in_the_clear_and_encrypted_in_every_way() {
    let authority = Authority::root("devices");
    let mut ways = Vec::new();
    let mut recipients = Vec::new();
    for (name, kind) in [("rsa", NewKey::Rsa2048), ("ec", NewKey::EcP256)] {
        let key = generate_key(kind).unwrap();
        let pair = KeyPair::try_from(key.secret_pkcs8_der()).unwrap();
        let certificate = authority
            .leaf_for(name, &["device.example".to_owned()], &pair)
            .certificate;
        recipients.push(RecipientCertificate {
            identifier: name.as_bytes().to_vec(),
            certificate: certificate.clone(),
        });
        let decrypts = DecryptionKey::private_key(&key, Some(certificate)).unwrap();
        ways.push((asymmetric_decrypt_key_identifier(name.as_bytes()), decrypts));
    }
    let decrypts = DecryptionKey::key_encryption_key(shared_key());
    ways.push((decrypt_key_identifier(b"device 7"), decrypts));
    let server = server_that_makes_keys(recipients).await;
    let client = server.client();

    let made = |outcome| match outcome {
        ServerKeyOutcome::Made(made) => made,
        ServerKeyOutcome::Pending { .. } => panic!("pending"),
    };
    for key in [NewKey::EcP384, NewKey::Rsa2048] {
        let mut wanted = options("CN=plain");
        wanted.key = key;
        let made = made(client.serverkeygen(ServerKeyOptions::new(wanted)).await.unwrap());
        assert!(!made.key.was_encrypted());
        assert_eq!(made.identity().unwrap().certificate().subject(), "/CN=plain");
    }
    for (attribute, decrypts) in ways {
        let mut wanted = ServerKeyOptions::new(options("CN=encrypted"));
        wanted.enroll.attributes.push(attribute);
        wanted.decryption_keys.push(decrypts);
        let made = made(client.serverkeygen(wanted).await.unwrap());
        assert!(made.key.was_encrypted());
        assert_eq!(made.key.package_signers()[0].subject(), "/CN=key maker");
        assert_eq!(made.identity().unwrap().certificate().subject(), "/CN=encrypted");
    }
    // Whoever can decrypt does not take a key that came in the clear.
    let mut wanted = ServerKeyOptions::new(options("CN=x"));
    wanted
        .decryption_keys
        .push(DecryptionKey::key_encryption_key(shared_key()));
    let error = client.serverkeygen(wanted).await.unwrap_err();
    assert_eq!(error, ClientError::ServerKeyInTheClear);
    server.stop().await;
}

const SECRET: &[u8] = b"0123456789abcdef";

fn by_secret(request: &KeyAndRequest, secret: &[u8], random: u8) -> CmcRequest {
    CmcRequestBuilder::new([random; 32])
        .pkcs10(request.csr_der().to_vec())
        .identity_proof("device-7", secret)
        .unsigned()
        .unwrap()
}

#[tokio::test]
async fn full_cmc_by_a_secret_and_by_a_certificate() {
    let server = TestServer::start(Setup::default()).await;
    let responder = issued(server.client().enroll(options("CN=CMC responder")).await.unwrap());
    let responder = Arc::new(responder.identity().unwrap());
    let mut cmc = FullCmcSettings::new(responder, Arc::clone(&server.anchors));
    cmc.secrets = Arc::new(SharedSecrets::parse("device-7:0123456789abcdef\n").unwrap());
    let settings = LabelSettings {
        full_cmc: Some(cmc),
        ..LabelSettings::default()
    };
    server.reload(Operations::new(Arc::clone(&server.authority), settings));
    let client = server.client();
    let request = KeyAndRequest::generate("CN=cmc".parse().unwrap(), vec![], NewKey::EcP256).unwrap();
    let ask = async |request: &CmcRequest| match client.fullcmc(request).await.unwrap() {
        CmcOutcome::Answer(answer) => answer,
        CmcOutcome::Pending { .. } => panic!("pending"),
    };

    let answer = ask(&by_secret(&request, SECRET, 1)).await;
    assert_eq!(answer.signer.as_ref().unwrap().subject(), "/CN=CMC responder");
    let first = client.issued_by_cmc(&answer, &request).await.unwrap();
    assert_eq!(first.certificate.subject(), "/CN=cmc");

    let key = request.private_key().clone_key().into();
    let identity = pki_common::identity::Identity::from_parts(first.chain(), key).unwrap();
    let next = KeyAndRequest::generate("CN=cmc".parse().unwrap(), vec![], NewKey::EcP384).unwrap();
    let signed = CmcRequestBuilder::new([2; 32])
        .pkcs10(next.csr_der().to_vec())
        .sign(&Signer::with_identity(&identity), identity.chain())
        .unwrap();
    let answer = ask(&signed).await;
    let renewed = client.issued_by_cmc(&answer, &next).await.unwrap();
    assert_eq!(renewed.certificate.spki_der(), next.spki_der());
    let error = client.issued_by_cmc(&answer, &request).await.unwrap_err();
    assert!(
        matches!(error, ClientError::NoCertificateForKey { .. }),
        "{error}"
    );

    let answer = ask(&by_secret(&request, b"another secret, as long", 3)).await;
    let error = client.issued_by_cmc(&answer, &request).await.unwrap_err();
    assert!(
        matches!(&error, ClientError::Cmc(cause) if matches!(**cause, CmcAnswerError::Refused { .. })),
        "{error}"
    );
    // The answer to one request is none to another.
    let CmcOutcome::Answer(message) = client.fullcmc_message(signed.der()).await.unwrap() else {
        panic!("pending")
    };
    let check = est::request::cmc::AnswerCheck::new(&server.anchors, rustls_pki_types::UnixTime::now());
    assert!(by_secret(&request, SECRET, 4).read(&message, &check).is_err());
    server.stop().await;
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread")]
async fn follows_the_authority_to_its_new_root() {
    use est::ca::embedded::{AuthorityFiles, EmbeddedCertificateAuthority, KeyChange, NewAuthority};
    use est::ca::policy::IssuancePolicy;
    use est::client::Grounds;
    use rustls::time_provider::DefaultTimeProvider;

    let folder = tempfile::tempdir().unwrap();
    let files = AuthorityFiles::in_folder(folder.path());
    let validity = Duration::from_secs(3650 * 86_400);
    let new = NewAuthority {
        subject: "CN=Lab Root".to_owned(),
        key: NewKey::EcP256,
        validity,
    };
    let policy = IssuancePolicy::default();
    let clock = Arc::new(DefaultTimeProvider);
    let old = EmbeddedCertificateAuthority::create(&files, &new, policy.clone(), clock.clone()).unwrap();
    let old_root = pki_common::Certificate::from_der(old.ca_certificate()).unwrap();
    let server = TestServer::start(Setup::default()).await;
    server.reload(Operations::new(Arc::new(old), LabelSettings::default()));
    let mut config = with_password(&server);
    let mut anchors = (*server.anchors).clone();
    anchors.add(&old_root).unwrap();
    config.anchors = Arc::new(anchors);
    let client = Client::new(config.clone()).unwrap();
    issued(client.enroll(options("CN=before")).await.unwrap());
    assert!(client.rollover().await.unwrap().added.is_empty());

    // The database of the old one is closed first.
    server.reload(Operations::new(
        Arc::clone(&server.authority),
        LabelSettings::default(),
    ));
    EmbeddedCertificateAuthority::renew(&files, None, KeyChange::New(NewKey::EcP384), validity, &*clock)
        .unwrap();
    let renewed = EmbeddedCertificateAuthority::open(&files, policy, clock).unwrap();
    let new_root = pki_common::Certificate::from_der(renewed.ca_certificate()).unwrap();
    server.reload(Operations::new(Arc::new(renewed), LabelSettings::default()));

    let rollover = client.rollover().await.unwrap();
    let added: Vec<_> = rollover
        .added
        .iter()
        .map(|new| (&new.certificate, new.grounds))
        .collect();
    assert_eq!(added, [(&new_root, Grounds::Chained)]);
    // A client that has not looked yet finds the way by itself.
    let made = issued(client.enroll(options("CN=after")).await.unwrap());
    assert_eq!(made.certificate.issuer_der(), new_root.subject_der());
    config.anchors = Arc::new(rollover.anchors(&config.anchors).unwrap());
    let client = Client::new(config).unwrap();
    issued(client.enroll(options("CN=after")).await.unwrap());
    assert!(client.rollover().await.unwrap().added.is_empty());
    server.stop().await;
}
