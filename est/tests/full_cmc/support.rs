//! A label with full CMC over an embedded authority, and clients for it.

use std::fmt::Debug;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use est::auth::Client;
use est::ca::database::MemoryLog;
use est::ca::embedded::EmbeddedCertificateAuthority;
use est::ca::issuer::Issuer;
use est::ca::policy::IssuancePolicy;
use est::ca::{CaFuture, CertificateAuthority, EnrollError, EnrollOutcome, EnrollRequest, RevokeRequest};
use est::operation::{
    ConnectionFacts, FullCmcSettings, LabelSettings, Operation, OperationRequest, OperationResponse,
    Operations, Route, SharedSecrets,
};
use est::request::cmc::{AnswerCheck, CmcAnswer, CmcRequest, CmcRequestBuilder};
use est::request::{RequestKey, RequestTemplate};
use est::wire::base64::{self, Base64Layout};
use est::wire::cms::signed_data::Signer;
use pki_common::Certificate;
use pki_common::clock::FixedClock;
use pki_common::identity::{Identity, NewKey, generate_key};
use pki_common::tls::crypto_provider;
use pki_common::trust_store::TrustStore;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};

pub(crate) const SECRET: &str = "0123456789abcdef";
pub(crate) const NAME: &str = "device-7";

pub(crate) fn test_data(name: &str) -> Vec<u8> {
    let path = format!("{}/testdata/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// 2026-11-21 20:00:00 UTC.
pub(crate) fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_795_291_200))
}

/// What the authority does instead of issuing.
#[derive(Clone, Debug, Default)]
pub(crate) enum Mood {
    #[default]
    Issues,
    Waits,
    Fails(EnrollError),
}

/// The embedded authority with moods, and a record of what it was asked.
#[derive(Debug)]
pub(crate) struct Authority {
    embedded: EmbeddedCertificateAuthority,
    /// What `cacerts` has beside its own.
    pub(crate) above: Mutex<Vec<CertificateDer<'static>>>,
    pub(crate) mood: Mutex<Mood>,
    pub(crate) asked: Mutex<Vec<EnrollRequest>>,
    pub(crate) revoked: Mutex<Vec<RevokeRequest>>,
}

impl CertificateAuthority for Authority {
    fn ca_certificates(&self) -> CaFuture<'_, Arc<[CertificateDer<'static>]>> {
        let above = self.above.lock().unwrap().clone();
        Box::pin(async move {
            let own = self.embedded.ca_certificates().await?;
            Ok(own.iter().cloned().chain(above).collect())
        })
    }

    fn enroll(&self, request: EnrollRequest) -> CaFuture<'_, EnrollOutcome> {
        self.asked.lock().unwrap().push(request.clone());
        match self.mood.lock().unwrap().clone() {
            Mood::Issues => self.embedded.enroll(request),
            Mood::Waits => Box::pin(async {
                Ok(EnrollOutcome::Pending {
                    retry_after: Duration::from_secs(30),
                })
            }),
            Mood::Fails(error) => Box::pin(async { Err(error) }),
        }
    }

    fn revoke(&self, request: RevokeRequest) -> CaFuture<'_, ()> {
        self.revoked.lock().unwrap().push(request);
        Box::pin(async { Ok(()) })
    }
}

pub(crate) struct World {
    pub(crate) authority: Arc<Authority>,
    pub(crate) anchors: Arc<TrustStore>,
    pub(crate) root: Certificate,
    operations: Operations,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_, _| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut FullCmcSettings, &mut LabelSettings)) -> Self {
        let provider = crypto_provider().unwrap();
        let key = PrivateKeyDer::Pkcs8(generate_key(NewKey::EcP256).unwrap());
        let year = Duration::from_secs(365 * 86_400);
        let issuer = Issuer::self_signed(
            "CN=CMC Root,DC=example,DC=com",
            key,
            10 * year,
            now(),
            Arc::clone(&provider),
        )
        .unwrap();
        let embedded = EmbeddedCertificateAuthority::new(
            issuer,
            IssuancePolicy::default(),
            Arc::new(MemoryLog::new(provider)),
            Arc::new(FixedClock(now())),
        );
        let root = Certificate::from_der(embedded.ca_certificate()).unwrap();
        let mut anchors = TrustStore::empty("CMC anchors");
        anchors.add(&root).unwrap();
        let anchors = Arc::new(anchors);
        let authority = Arc::new(Authority {
            embedded,
            above: Mutex::default(),
            mood: Mutex::default(),
            asked: Mutex::default(),
            revoked: Mutex::default(),
        });
        let responder = Arc::new(identity(&authority, "CN=CMC responder", NewKey::EcP256));
        let mut cmc = FullCmcSettings::new(responder, Arc::clone(&anchors));
        cmc.clock = Arc::new(FixedClock(now()));
        cmc.secrets = Arc::new(SharedSecrets::parse(&format!("{NAME}:{SECRET}\n")).unwrap());
        let mut settings = LabelSettings::default();
        change(&mut cmc, &mut settings);
        settings.full_cmc = Some(cmc);
        authority.asked.lock().unwrap().clear();
        let shared: Arc<dyn CertificateAuthority> = Arc::<Authority>::clone(&authority);
        let operations = Operations::new(shared, settings);
        Self {
            authority,
            anchors,
            root,
            operations,
        }
    }

    /// A certificate of the authority with its key.
    pub(crate) fn identity(&self, subject: &str) -> Identity {
        let identity = identity(&self.authority, subject, NewKey::EcP256);
        self.authority.asked.lock().unwrap().clear();
        identity
    }

    /// A certificate for these extended key usages, or for none in particular, with its key.
    pub(crate) fn responder(&self, usages: Option<&[&str]>) -> Identity {
        let usages = usages.unwrap_or_default().iter();
        let mut policy = IssuancePolicy::default();
        policy.extensions.extended_key_usages = usages.map(|usage| usage.parse().unwrap()).collect();
        let other = self.authority.embedded.with_policy(policy);
        identity_of(&other, "CN=another responder", NewKey::EcP256)
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        *self.authority.mood.lock().unwrap() = mood;
    }

    /// Sends a message in DER.
    pub(crate) fn post(&self, der: &[u8]) -> OperationResponse {
        self.post_text(base64::encode(der, Base64Layout::Columns64Lf))
    }

    pub(crate) fn post_text(&self, text: String) -> OperationResponse {
        let request = OperationRequest {
            route: Route {
                operation: Operation::FullCmc,
                label: None,
            },
            client: Client::anonymous(),
            connection: Arc::new(ConnectionFacts::default()),
            user_agent: None,
            body: Bytes::from(text),
        };
        block_on(self.operations.answer(request)).unwrap()
    }

    pub(crate) fn check(&self) -> AnswerCheck<'_> {
        AnswerCheck::new(&self.anchors, now())
    }

    /// Sends a request and reads the answer.
    pub(crate) fn ask(&self, request: &CmcRequest) -> CmcAnswer {
        request
            .read(&der_of(&self.post(request.der())), &self.check())
            .unwrap()
    }

    /// Sends a message and gives the words of the answer: `failed (badRequest): text`, one a line.
    pub(crate) fn words(&self, der: &[u8]) -> String {
        words(&self.post(der), self)
    }
}

/// The statuses of a response, in words.
pub(crate) fn words(response: &OperationResponse, world: &World) -> String {
    let answer = est::request::cmc::read_simple(&der_of(response), &world.check()).unwrap();
    let lines: Vec<String> = answer.statuses.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

pub(crate) fn der_of(response: &OperationResponse) -> Vec<u8> {
    base64::decode(&response.body, 1 << 20).unwrap()
}

fn identity(authority: &Authority, subject: &str, kind: NewKey) -> Identity {
    identity_of(&authority.embedded, subject, kind)
}

fn identity_of(authority: &EmbeddedCertificateAuthority, subject: &str, kind: NewKey) -> Identity {
    let key = RequestKey::generate(kind).unwrap();
    let template = RequestTemplate::new(subject.parse().unwrap(), &[]).unwrap();
    let csr = verified(&template.sign(&key, None).unwrap());
    let asked = EnrollRequest {
        csr,
        requester: est::ca::Requester::operator(),
        label: None,
        operation: est::ca::EnrollOperation::SimpleEnroll,
        channel_binding: est::ca::ChannelBindingState::Absent,
    };
    match block_on(authority.enroll(asked)).unwrap() {
        EnrollOutcome::Issued(issued) => {
            let pkcs8 = PrivateKeyDer::Pkcs8(key.pkcs8().clone_key());
            Identity::from_parts(vec![issued.certificate], pkcs8).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) fn verified(der: &[u8]) -> est::wire::csr::VerifiedCsr {
    est::wire::csr::UnverifiedCsr::from_der(der, &est::wire::csr::CsrLimits::default())
        .unwrap()
        .verify(&est::wire::csr::VerificationPolicy::default())
        .unwrap()
}

/// A new key and a template for this subject.
pub(crate) fn device(subject: &str) -> (RequestTemplate, RequestKey) {
    let template = RequestTemplate::new(subject.parse().unwrap(), &[]).unwrap();
    (template, RequestKey::generate(NewKey::EcP256).unwrap())
}

pub(crate) fn pkcs10(subject: &str) -> Vec<u8> {
    let (template, key) = device(subject);
    template.sign(&key, None).unwrap()
}

/// The same octets each time: no test sends two requests in one transaction.
pub(crate) fn builder() -> CmcRequestBuilder {
    CmcRequestBuilder::new([7; 32])
}

/// Signs with a certificate.
pub(crate) fn signed(builder: CmcRequestBuilder, identity: &Identity) -> CmcRequest {
    builder
        .sign(&Signer::with_identity(identity), identity.chain())
        .unwrap()
}

/// The certificate among those of an answer that has this subject's common name.
pub(crate) fn named(answer: &CmcAnswer, common_name: &str) -> Certificate {
    answer
        .certificates
        .iter()
        .map(|der| Certificate::from_der(der).unwrap())
        .find(|certificate| certificate.common_name() == Some(common_name))
        .unwrap()
}

/// Drives a future that never waits for anything outside.
pub(crate) fn block_on<T: Debug>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..10_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("the future never ends");
}
