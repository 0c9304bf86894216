//! Our own EST server in several configurations, and what the cases for it are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use est::auth::digest::{DigestAlgorithm, DigestSecrets, DigestSettings, DigestVerifier, NonceKey};
use est::auth::{Accounts, AuthenticationRequirement, Authenticator, BasicCredentials, Users};
use est::ca::database::MemoryLog;
use est::ca::embedded::EmbeddedCertificateAuthority;
use est::ca::issuer::Issuer;
use est::ca::policy::IssuancePolicy;
use est::operation::{
    FullCmcSettings, KeyPackageSigner, LabelService, LabelSettings, Operation, Operations, ProofOfPossession,
    ServerKeyGenerationSettings,
};
use est::server::{BlockingKeyGenerator, Server, ServerConfig, ServerHandle, ServerLimits, own_identity};
use interop::device_fuzz::case::{Case, Layer};
use interop::device_fuzz::examine::Examiner;
use interop::device_fuzz::grammar::est::{Est, Settings};
use interop::device_fuzz::grammar::{CaseBudget, Grammar as _};
use interop::device_fuzz::liveness::est::CaCerts;
use interop::device_fuzz::play::{End, Observation, Seen};
use interop::device_fuzz::resume::{Identity as RunIdentity, State};
use interop::device_fuzz::run::{Budget, Settings as RunSettings, run};
use interop::device_fuzz::target::Server as Target;
use interop::device_fuzz::verdict::Verdict;
use pki_common::Certificate;
use pki_common::clock::system_clock;
use pki_common::identity::{Identity, NewKey, generate_key};
use pki_common::tls::{
    ClientAuthentication, ClientTls, PeerVerifier, ServerTls, TlsVersions, crypto_provider,
};
use pki_common::trust_store::TrustStore;
use rustls_pki_types::PrivateKeyDer;
use tokio::task::JoinHandle;

const USER: &str = "fuzz";
const PASSWORD: &str = "correct horse";

/// What a server of a test has beside the defaults.
#[derive(Clone, Copy, Default)]
struct Configuration {
    /// `serverkeygen` and `fullcmc`, too.
    every_operation: bool,
    demands_proof_of_possession: bool,
    /// Links are looked at where there are some.
    verifies_proof_of_possession: bool,
    /// The account may log in by Digest.
    digest: bool,
    versions: TlsVersions,
    /// The tester authenticates by a certificate.
    certificate: bool,
    /// The authority is under a label.
    label: bool,
}

struct Lab {
    address: SocketAddr,
    handle: ServerHandle,
    running: JoinHandle<()>,
    anchors: Arc<TrustStore>,
    client: Option<Arc<Identity>>,
    configuration: Configuration,
}

fn limits() -> ServerLimits {
    ServerLimits {
        // Stalls of the cases are longer: a run meets these bounds.
        header_time: Duration::from_millis(700),
        body_time: Duration::from_millis(700),
        handshake_time: Duration::from_millis(700),
        ..ServerLimits::default()
    }
}

fn authority() -> Arc<EmbeddedCertificateAuthority> {
    let provider = crypto_provider().unwrap();
    let key = PrivateKeyDer::Pkcs8(generate_key(NewKey::EcP256).unwrap());
    let clock = system_clock();
    let year = Duration::from_secs(365 * 86_400);
    let now = clock.current_time().unwrap();
    let issuer = Issuer::self_signed(
        "CN=Fuzz Root,DC=example,DC=com",
        key,
        year,
        now,
        Arc::clone(&provider),
    )
    .unwrap();
    let log = Arc::new(MemoryLog::new(provider));
    let policy = IssuancePolicy::default();
    Arc::new(EmbeddedCertificateAuthority::new(issuer, policy, log, clock))
}

/// The account, by Digest too if asked.
fn accounts(digest: bool) -> Arc<dyn Authenticator> {
    let mut users = Users::new();
    users.set_password(USER, PASSWORD).unwrap();
    if !digest {
        return Arc::new(users);
    }
    let mut secrets = DigestSecrets::new();
    secrets
        .set_password(USER, "EST", PASSWORD, DigestAlgorithm::Sha256)
        .unwrap();
    let verifier = DigestVerifier::new(DigestSettings::default(), NonceKey::from_bytes([7; 32]));
    Arc::new(Accounts::new(users).with_digest(Arc::new(verifier), secrets))
}

impl Lab {
    async fn start(configuration: Configuration) -> Self {
        let embedded = authority();
        let root = Certificate::from_der(embedded.ca_certificate()).unwrap();
        let mut anchors = TrustStore::empty("test anchors");
        anchors.add(&root).unwrap();
        let anchors = Arc::new(anchors);
        let names = vec!["IP:127.0.0.1".parse().unwrap(), "DNS:localhost".parse().unwrap()];
        let subject = "CN=EST server".parse().unwrap();
        let identity = own_identity(&*embedded, subject, names.clone(), NewKey::EcP256);
        let identity = Arc::new(identity.await.unwrap());
        let client = own_identity(
            &*embedded,
            "CN=fuzz client".parse().unwrap(),
            names,
            NewKey::EcP256,
        );
        let client = Arc::new(client.await.unwrap());
        let mut tls = ServerTls::new(Arc::clone(&identity));
        tls.client_authentication =
            ClientAuthentication::Optional(PeerVerifier::trust_store(Arc::clone(&anchors)));
        let mut settings = LabelSettings::default();
        if configuration.every_operation {
            let signer = KeyPackageSigner::with_identity(&identity);
            let generator = Arc::new(BlockingKeyGenerator::default());
            settings.server_key_generation = Some(ServerKeyGenerationSettings::new(generator, signer));
            settings.full_cmc = Some(FullCmcSettings::new(identity, Arc::clone(&anchors)));
        }
        if configuration.demands_proof_of_possession {
            settings.proof_of_possession = ProofOfPossession::Required;
        } else if configuration.verifies_proof_of_possession {
            settings.proof_of_possession = ProofOfPossession::Accepted;
        }
        if configuration.digest {
            settings.authentication = AuthenticationRequirement::parse(["digest", "basic"]).unwrap();
        }
        let mut operations = Operations::new(embedded.clone(), settings.clone());
        if configuration.label {
            let label = "phones".parse().unwrap();
            operations = operations.with_label(label, LabelService::new(embedded, settings));
        }
        let config = ServerConfig {
            tls,
            operations,
            authenticator: accounts(configuration.digest),
            limits: limits(),
        };
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), config)
            .await
            .unwrap();
        let (address, handle) = (server.local_addr(), server.handle());
        Self {
            address,
            handle,
            running: tokio::spawn(server.run()),
            anchors,
            client: configuration.certificate.then_some(client),
            configuration,
        }
    }

    fn settings(&self) -> Settings {
        let mut settings = settings();
        settings.host = self.address.to_string();
        settings.demands_proof_of_possession = self.configuration.demands_proof_of_possession;
        settings.verifies_proof_of_possession = self.configuration.verifies_proof_of_possession;
        settings.digest = self.configuration.digest;
        settings.certificate = self
            .client
            .as_ref()
            .map(|client| client.certificate().der().to_vec().into());
        if self.configuration.label {
            settings.label = Some("phones".parse().unwrap());
        }
        settings
    }

    fn examiner(&self) -> Examiner<Est, Target, CaCerts> {
        let settings = self.settings();
        let mut tls = ClientTls::new(PeerVerifier::trust_store(Arc::clone(&self.anchors)));
        tls.identity.clone_from(&self.client);
        tls.channel_binding = settings.links();
        tls.versions = self.configuration.versions;
        let target = Target {
            address: self.address,
            tls: tls.rustls_config().unwrap(),
            name: self.address.ip().into(),
        };
        let liveness = CaCerts::new(&settings);
        let mut examiner = Examiner::new(Est::new(settings), target, liveness);
        examiner.look.bound = Duration::from_secs(30);
        examiner.pid = Some(std::process::id());
        // The whole test process is watched, which has other tests in it.
        examiner.growth.descriptors = 10_000;
        examiner.growth.resident_kib = 4 * 1024 * 1024;
        examiner.growth.address_space_kib = 64 * 1024 * 1024;
        examiner
    }

    /// Ends it; a panic in it fails the test.
    async fn stop(self) {
        self.handle.shutdown();
        self.running.await.unwrap();
    }
}

/// Of a server that asks for the password of an account.
fn settings() -> Settings {
    let mut settings = Settings::new("localhost");
    settings.credentials = Some(BasicCredentials::new(USER, PASSWORD).unwrap());
    settings.demands_password = true;
    settings.budget = budget();
    settings
}

/// Stalls that a test has time for.
fn budget() -> CaseBudget {
    CaseBudget {
        stall_milliseconds: 80,
        bytes: 256 * 1024,
        ..CaseBudget::default()
    }
}

async fn finds_nothing(configuration: Configuration, rounds: u64) {
    let lab = Lab::start(configuration).await;
    let mut examiner = lab.examiner();
    let identity = RunIdentity::of(&examiner.grammar, "ours".to_owned(), 20_261_122, budget());
    let cases = rounds * examiner.grammar.rules();
    let settings = RunSettings {
        budget: Budget {
            cases: Some(cases),
            time: None,
            bytes: None,
            connections: None,
        },
        pace: Duration::ZERO,
        ..RunSettings::default()
    };
    let state = State::new(identity, vec!["est".to_owned()]);
    let state = run(&mut examiner, &settings, state, &mut (), &AtomicBool::new(false)).await;
    let state = state.unwrap();
    lab.stop().await;

    assert!(state.findings.is_empty(), "{:#?}", state.findings);
    assert_eq!(state.next, cases);
    let verdicts = state.verdicts();
    for verdict in [Verdict::Accepted, Verdict::RefusedCleanly] {
        let count = verdicts.get(&verdict).copied().unwrap_or_default();
        assert!(count * 10 > cases, "{verdict}: {verdicts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_nothing_in_our_est_server() {
    finds_nothing(Configuration::default(), 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_nothing_in_our_est_server_with_every_operation_under_a_label() {
    let configuration = Configuration {
        every_operation: true,
        label: true,
        ..Configuration::default()
    };
    finds_nothing(configuration, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_nothing_in_our_est_server_when_the_tester_has_a_certificate() {
    let configuration = Configuration {
        every_operation: true,
        certificate: true,
        ..Configuration::default()
    };
    finds_nothing(configuration, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_est_server_issues_nothing_that_is_not_linked_to_its_connection_where_that_is_demanded() {
    let lab = Lab::start(Configuration {
        demands_proof_of_possession: true,
        ..Configuration::default()
    })
    .await;
    let mut examiner = lab.examiner();
    for index in 0..examiner.grammar.rules() {
        let case = examiner.grammar.case(9, index);
        if case.layer == Layer::CertificateRequest {
            let examined = examiner.examine(&case).await;
            assert_eq!(examined.harm, None, "{}", case.name);
        }
    }
    lab.stop().await;
}

/// Plays every entry of a rule. What our server makes of each: its name, and the verdict.
async fn every_turn(configuration: Configuration, rule: &str) -> Vec<(String, Verdict)> {
    let lab = Lab::start(configuration).await;
    let mut examiner = lab.examiner();
    let rules = examiner.grammar.rules();
    let first = (0..rules).find(|index| examiner.grammar.case(9, *index).mutation() == rule);
    let mut index = first.unwrap();
    let mut verdicts: Vec<(String, Verdict)> = Vec::new();
    loop {
        let case = examiner.grammar.case(9, index);
        index += rules;
        if verdicts.iter().any(|(name, _)| *name == case.name) {
            break;
        }
        let examined = examiner.examine(&case).await;
        assert_eq!(examined.harm, None, "{}", case.name);
        verdicts.push((case.name, examined.verdict));
    }
    lab.stop().await;
    verdicts
}

fn of<'a>(verdicts: &'a [(String, Verdict)], end: &str) -> &'a Verdict {
    let found = verdicts.iter().find(|(name, _)| name.ends_with(end));
    &found.unwrap_or_else(|| panic!("no {end:?} in {verdicts:?}")).1
}

#[tokio::test(flavor = "multi_thread")]
async fn our_est_server_grants_requests_that_are_linked_rightly_and_finds_out_the_others() {
    for versions in [TlsVersions::Tls12, TlsVersions::Tls12And13] {
        for demands in [true, false] {
            let configuration = Configuration {
                demands_proof_of_possession: demands,
                verifies_proof_of_possession: true,
                versions,
                ..Configuration::default()
            };
            let verdicts = every_turn(configuration, "linked requests").await;
            assert_eq!(verdicts.len(), 27, "{verdicts:?}");
            assert_eq!(*of(&verdicts, ": the right one"), Verdict::Accepted);
            let other = of(&verdicts, ": that of another connection");
            assert_eq!(*other, Verdict::RefusedCleanly);
            let none = if demands {
                Verdict::RefusedCleanly
            } else {
                Verdict::Accepted
            };
            assert_eq!(*of(&verdicts, ": none"), none);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_est_server_lets_the_right_answers_to_digest_challenges_in() {
    let configuration = Configuration {
        digest: true,
        ..Configuration::default()
    };
    let verdicts = every_turn(configuration, "digest login").await;
    assert_eq!(verdicts.len(), 39, "{verdicts:?}");
    for right in [": the right one", ": the right one, on another connection"] {
        assert_eq!(*of(&verdicts, right), Verdict::Accepted, "{right}");
    }
    for wrong in [
        ": for another password",
        ": a nonce with a character more",
        ": for GET",
    ] {
        assert_eq!(*of(&verdicts, wrong), Verdict::RefusedCleanly, "{wrong}");
    }
}

#[test]
fn a_run_of_other_operations_or_another_account_is_another_run() {
    let of = |settings| RunIdentity::of(&Est::new(settings), "ours".to_owned(), 4, budget());
    let first = of(settings());
    assert_eq!(first, of(settings()));
    let mut fewer = settings();
    fewer.operations.pop();
    let mut other = settings();
    other.credentials = Some(BasicCredentials::new("another", PASSWORD).unwrap());
    for settings in [fewer, other] {
        assert_ne!(first, of(settings));
    }
    let folder = tempfile::tempdir().unwrap();
    State::new(first, Vec::new()).save(folder.path()).unwrap();
    let mut labelled = settings();
    labelled.label = Some("phones".parse().unwrap());
    let refused = State::open(folder.path(), of(labelled), Vec::new(), true).unwrap_err();
    assert!(refused.to_string().contains("of its first cases"), "{refused}");
}

#[test]
fn the_same_seed_makes_the_same_cases() {
    let (one, other) = (Est::new(settings()), Est::new(settings()));
    let all = one.rules() * 2;
    let mut differing = 0;
    for index in 0..all {
        let case = one.case(1, index);
        assert_eq!(case, other.case(1, index), "case {index}");
        differing += usize::from(case.script != one.case(2, index).script);
    }
    assert!(differing > 0);
}

#[test]
fn every_rule_has_its_turn_within_one_round_and_each_layer_is_attacked() {
    let grammar = Est::new(settings());
    let mut rules = BTreeSet::new();
    let mut layers: BTreeMap<Layer, u32> = BTreeMap::new();
    for index in 0..grammar.rules() {
        let case = grammar.case(7, index);
        rules.insert(case.mutation().to_owned());
        *layers.entry(case.layer).or_default() += 1;
    }
    assert_eq!(u64::try_from(rules.len()).unwrap(), grammar.rules());
    for layer in [
        Layer::Valid,
        Layer::Tcp,
        Layer::Tls,
        Layer::Http,
        Layer::Header,
        Layer::Base64,
        Layer::Der,
        Layer::Cms,
        Layer::CertificateRequest,
        Layer::State,
        Layer::Exhaustion,
    ] {
        assert!(layers.contains_key(&layer), "{layer}: {layers:?}");
    }
}

#[test]
fn keeps_to_the_budget_of_a_case() {
    let grammar = Est::new(settings());
    let budget = budget();
    for index in 0..grammar.rules() * 6 {
        let case = grammar.case(3, index);
        let connections = u32::try_from(case.connections()).unwrap();
        assert!(connections <= budget.connections, "{}: {connections}", case.name);
        assert!(
            case.bytes() <= u64::from(budget.bytes),
            "{}: {} bytes",
            case.name,
            case.bytes()
        );
    }
}

#[test]
fn leaves_out_what_the_user_does_not_want_asked() {
    let mut settings = settings();
    settings.operations = vec![Operation::CaCerts, Operation::CsrAttrs];
    let grammar = Est::new(settings);
    for index in 0..grammar.rules() * 3 {
        let case = grammar.case(5, index);
        for sent in case.sent() {
            let text = String::from_utf8_lossy(&sent).into_owned();
            assert!(
                !text.starts_with("POST /.well-known/est/s"),
                "{}: {text}",
                case.name
            );
        }
    }
}

/// What the judge says when a server answers this to the case.
fn judged(case: &Case, answer: &str) -> Option<String> {
    let seen = Seen {
        received: answer.as_bytes().to_vec(),
        received_total: u64::try_from(answer.len()).unwrap(),
        received_after_send: true,
        made: Vec::new(),
        bindings: Vec::new(),
        end: End::Closed,
    };
    let connections = vec![seen; case.connections()];
    let grammar = Est::new(settings());
    grammar.judge(case, &Observation { connections }).wrong_answer
}

/// An answer with a certificate.
fn granted() -> String {
    let message = include_bytes!("../../../est/testdata/certs_only/three-certificates.der");
    let body = est::wire::base64::encode(message, est::wire::base64::Base64Layout::SingleLine);
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/pkcs7-mime\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Cases of these names which a server that grants everything gets wrong, and what is said about it.
#[test]
fn a_server_that_grants_what_must_be_refused_is_found_out() {
    let grammar = Est::new(settings());
    let wanted = [
        ("paths around cacerts: cacerts with \"%00\"", "RFC 3986"),
        (
            "two content lengths: two Content-Length: the right one, then one too long",
            "RFC 9112 section 6.3",
        ),
        (
            "broken line: a header line with a blank before the colon",
            "RFC 9112 section 5.1",
        ),
        ("host: Host: two different", "RFC 9112 section 3.2"),
        (
            "bad signature: a certificate request whose signature is wrong: by another key",
            "RFC 2986",
        ),
        (
            "ec keys: a certificate request for a key whose point is not on the curve",
            "SEC 1",
        ),
        (
            "rsa numbers: a certificate request for an RSA key with exponent 1",
            "RFC 8017",
        ),
        (
            "wrong password: credentials: a wrong password",
            "RFC 7030 section 3.2.3",
        ),
        (
            "wrong password: credentials: the password and a NUL",
            "RFC 7030 section 3.2.3",
        ),
        (
            "method of an enrolment: a request for a certificate by \"GET\"",
            "RFC 9110 section 9.2.1",
        ),
        ("chunks: chunks without the last", "RFC 9112 sections 7.1 and 8"),
    ];
    let mut missing: BTreeSet<&str> = wanted.iter().map(|(name, _)| *name).collect();
    for index in 0..grammar.rules() * 40 {
        if missing.is_empty() {
            break;
        }
        let case = grammar.case(11, index);
        let Some((name, reason)) = wanted.iter().find(|(name, _)| case.name.starts_with(name)) else {
            continue;
        };
        let enrols = String::from_utf8_lossy(&case.sent()[0]).contains("serverkeygen");
        if !missing.contains(name) || enrols {
            continue;
        }
        let complaint = judged(&case, &granted()).unwrap_or_default();
        assert!(complaint.contains(reason), "{}: {complaint:?}", case.name);
        let refused = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        assert_eq!(judged(&case, refused), None, "{}", case.name);
        missing.remove(name);
    }
    assert!(missing.is_empty(), "no case of the kind {missing:?}");
}

#[test]
fn valid_requests_may_be_granted() {
    let grammar = Est::new(settings());
    let mut judged_cases = 0;
    for index in 0..grammar.rules() * 10 {
        let case = grammar.case(13, index);
        if case.layer == Layer::Valid && case.name.starts_with("each operation") {
            assert_eq!(judged(&case, &granted()), None, "{}", case.name);
            judged_cases += 1;
        }
    }
    assert!(judged_cases >= 10);
}
