//! The daemon against a server over TLS. All three clocks, of daemon, client and authority, are the one of the test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use est::auth::BasicCredentials;
use est::ca::database::MemoryLog;
use est::ca::embedded::EmbeddedCertificateAuthority;
use est::ca::issuer::Issuer;
use est::ca::policy::IssuancePolicy;
use est::client::{EnrollOptions, ProofOfPossession};
use est::operation::{LabelSettings, Operations, ProofOfPossession as Demanded};
use est::renewal::RenewalSettings;
use est::renewal::daemon::{ClientEnroller, Daemon, DaemonSettings, EventKind, ManagedIdentity};
use est::renewal::folder::IdentityFolder;
use est::server::own_identity;
use pki_common::Certificate;
use pki_common::identity::{NewKey, generate_key};
use pki_common::tls::{ClientAuthentication, PeerVerifier, ServerTls, TlsVersions, crypto_provider};
use pki_common::trust_store::TrustStore;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::{PrivateKeyDer, UnixTime};

use super::clock::HandClock;
use super::lab::{ByName, DAY, HOUR, Lab, Running, failed, renewed};
use crate::support::{PASSWORD, Setup, TestServer, USER};

const NAME: &str = "device";

fn clock() -> Arc<HandClock> {
    HandClock::new(UnixTime::now())
}

async fn serve(clock: &Arc<HandClock>, setup: Setup) -> TestServer {
    let clock = Arc::<HandClock>::clone(clock);
    TestServer::start(Setup { clock, ..setup }).await
}

fn enroller(server: &TestServer, clock: &Arc<HandClock>) -> ClientEnroller {
    let mut config = server.client_config();
    config.basic = Some(BasicCredentials::new(USER, PASSWORD).unwrap());
    config.clock = Arc::<HandClock>::clone(clock);
    ClientEnroller {
        config,
        first: EnrollOptions::new("CN=device".parse().unwrap()),
        reuse_key: false,
    }
}

fn daemon(lab: &Lab, clock: &Arc<HandClock>, enroller: ClientEnroller) -> Daemon {
    // Early, so that the server's own certificate outlives several renewals.
    let settings = RenewalSettings {
        fraction: 0.2,
        ..RenewalSettings::default()
    };
    let managed = ManagedIdentity::new(settings, Arc::new(enroller));
    let mut identities = ByName::default();
    identities.0.insert(NAME.to_owned(), managed);
    lab.daemon_of(DaemonSettings::default(), identities)
        .with_clock(Arc::<HandClock>::clone(clock))
}

/// Lets the time come at which the certificate is due.
fn until_due(lab: &Lab, clock: &HandClock) {
    let certificate = lab.current(NAME).unwrap();
    let certificate = certificate.certificate();
    let (start, end) = (
        certificate.not_before().as_secs(),
        certificate.not_after().as_secs(),
    );
    clock.advance((start + (end - start) / 5).saturating_sub(clock.wall()) + HOUR);
}

fn causes(lab: &Lab) -> Vec<String> {
    let cause = |kind: EventKind| match kind {
        EventKind::Failed(failure) | EventKind::FailedUntil(failure, _) => Some(failure.cause),
        _ => None,
    };
    lab.events(NAME).into_iter().filter_map(cause).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn proof_of_possession_is_given_at_every_renewal_over_both_versions_of_tls() {
    for versions in [TlsVersions::Tls12, TlsVersions::Tls13] {
        for given in [ProofOfPossession::WhenAsked, ProofOfPossession::Always] {
            let (lab, clock) = (Lab::new(), clock());
            let settings = LabelSettings {
                proof_of_possession: Demanded::Required,
                ..LabelSettings::default()
            };
            let setup = Setup {
                settings,
                versions,
                ..Setup::default()
            };
            let server = serve(&clock, setup).await;
            let mut enroller = enroller(&server, &clock);
            enroller.config.proof_of_possession = given;
            let running = Running::start(daemon(&lab, &clock, enroller));
            lab.until(NAME, 1, renewed).await;
            let first = lab.current(NAME).unwrap();
            for number in [2, 3] {
                until_due(&lab, &clock);
                lab.until(NAME, number, renewed).await;
            }
            assert_eq!(causes(&lab), Vec::<String>::new());
            let last = lab.current(NAME).unwrap();
            assert_ne!(last.certificate().spki_der(), first.certificate().spki_der());
            assert!(last.certificate().not_after().as_secs() > clock.wall());
            running.stop().await;
            server.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_by_policy_keeps_the_old_files_says_the_reason_and_is_asked_again() {
    let (lab, clock) = (Lab::new(), clock());
    let server = serve(&clock, Setup::default()).await;
    let running = Running::start(daemon(&lab, &clock, enroller(&server, &clock)));
    lab.until(NAME, 1, renewed).await;
    let files = |name: &str| std::fs::read(lab.path(NAME).join("current").join(name)).unwrap();
    let before = [files("certificate.pem"), files("key.pem"), files("identity.pem")];

    let embedded = Arc::clone(&server.authority);
    let mut policy = IssuancePolicy::default();
    policy.key.ec_p256 = false;
    let strict = strict(&clock, policy);
    server.reload(Operations::new(strict, LabelSettings::default()));
    until_due(&lab, &clock);
    lab.until(NAME, 1, failed).await;
    for number in 2..=4 {
        clock.advance(HOUR);
        lab.until(NAME, number, failed).await;
    }
    let said = causes(&lab);
    assert!(said.iter().all(|cause| cause.contains("key")), "{said:?}");
    assert_eq!(
        [files("certificate.pem"), files("key.pem"), files("identity.pem")],
        before
    );
    assert!(running.metric("consecutive_failures", NAME).unwrap() >= 3);

    // The policy is put right.
    server.reload(Operations::new(embedded, LabelSettings::default()));
    clock.advance(6 * HOUR);
    lab.until(NAME, 2, renewed).await;
    running.stop().await;
    server.stop().await;
}

/// An authority that refuses everything by its policy.
fn strict(clock: &HandClock, policy: IssuancePolicy) -> Arc<EmbeddedCertificateAuthority> {
    crate::support::embedded_authority_at(policy, HandClock::new(clock.current_time().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_down_and_comes_back_is_asked_until_it_answers() {
    let (lab, clock) = (Lab::new(), clock());
    let shared: Arc<dyn TimeProvider> = Arc::<HandClock>::clone(&clock);
    let embedded = crate::support::embedded_authority_at(IssuancePolicy::default(), shared);
    let setup = |address: SocketAddr| Setup {
        address,
        embedded: Some(Arc::clone(&embedded)),
        ..Setup::default()
    };
    let server = serve(&clock, setup("127.0.0.1:0".parse().unwrap())).await;
    let address = server.address;
    let running = Running::start(daemon(&lab, &clock, enroller(&server, &clock)));
    lab.until(NAME, 1, renewed).await;
    let first = lab.end(NAME);
    server.stop().await;
    until_due(&lab, &clock);
    for number in 1..=5 {
        lab.until(NAME, number, failed).await;
        clock.advance(2 * HOUR);
    }
    assert!(
        causes(&lab).iter().all(|cause| cause.contains("127.0.0.1")),
        "{:?}",
        causes(&lab)
    );
    assert_eq!(lab.end(NAME), first);
    let server = serve(&clock, setup(address)).await;
    clock.advance(6 * HOUR);
    lab.until(NAME, 2, renewed).await;
    assert!(lab.end(NAME) > first);
    running.stop().await;
    server.stop().await;
}

/// A root that takes over from another.
struct NewRoot {
    authority: Arc<EmbeddedCertificateAuthority>,
    root: Certificate,
}

fn roll_over(old: &Issuer, clock: &Arc<HandClock>) -> NewRoot {
    let key = PrivateKeyDer::Pkcs8(generate_key(NewKey::EcP256).unwrap());
    let year = Duration::from_secs(365 * DAY);
    let rolled = old.roll_over(key, year, clock.current_time().unwrap()).unwrap();
    let log = Arc::new(MemoryLog::new(crypto_provider().unwrap()));
    let shared: Arc<dyn TimeProvider> = Arc::<HandClock>::clone(clock);
    let authority = EmbeddedCertificateAuthority::new(rolled.issuer, IssuancePolicy::default(), log, shared);
    let root = Certificate::from_der(authority.ca_certificate()).unwrap();
    let others = vec![rolled.old_with_new, rolled.new_with_old];
    NewRoot {
        authority: Arc::new(authority.with_rollover_certificates(others)),
        root,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_roots_of_a_rollover_are_learned_before_the_server_moves_to_them() {
    let (lab, clock) = (Lab::new(), clock());
    let shared: Arc<dyn TimeProvider> = Arc::<HandClock>::clone(&clock);
    let provider = crypto_provider().unwrap();
    let key = || PrivateKeyDer::Pkcs8(generate_key(NewKey::EcP256).unwrap());
    let year = Duration::from_secs(365 * DAY);
    let key = key();
    let make = || {
        let now = clock.current_time().unwrap();
        let provider = Arc::clone(&provider);
        Issuer::self_signed("CN=Test Root", key.clone_key(), year, now, provider).unwrap()
    };
    let log = Arc::new(MemoryLog::new(Arc::clone(&provider)));
    let first = EmbeddedCertificateAuthority::new(make(), IssuancePolicy::default(), log, shared);
    let old_root = Certificate::from_der(first.ca_certificate()).unwrap();
    let setup = Setup {
        embedded: Some(Arc::new(first)),
        ..Setup::default()
    };
    let server = serve(&clock, setup).await;
    let running = Running::start(daemon(&lab, &clock, enroller(&server, &clock)));
    lab.until(NAME, 1, renewed).await;
    assert!(!IdentityFolder::new(lab.path(NAME)).anchors_path().exists());

    // The authority has a new root; the server still shows a certificate under the old one.
    let new = roll_over(&make(), &clock);
    let mut both = TrustStore::empty("both roots");
    both.add(&old_root).unwrap();
    both.add(&new.root).unwrap();
    let both = Arc::new(both);
    let verifier = || {
        let verifier = PeerVerifier::trust_store(Arc::clone(&both));
        ClientAuthentication::Optional(verifier.with_clock(Arc::<HandClock>::clone(&clock)))
    };
    let operations = || Operations::new(new.authority.clone(), LabelSettings::default());
    let mut config = server.config(operations());
    config.tls.client_authentication = verifier();
    server.handle.reload(config).unwrap();
    until_due(&lab, &clock);
    lab.until(NAME, 2, renewed).await;
    let added = |kind: &EventKind| matches!(kind, EventKind::AnchorsAdded(_));
    lab.until(NAME, 1, added).await;
    let folder = IdentityFolder::new(lab.path(NAME));
    assert!(folder.anchors().unwrap().contains(&new.root));

    // Now the server shows one under the new root, which the configured anchors do not know.
    let names = vec!["IP:127.0.0.1".parse().unwrap()];
    let subject = "CN=EST server".parse().unwrap();
    let identity = own_identity(&*new.authority, subject, names, NewKey::EcP256)
        .await
        .unwrap();
    let mut config = server.config(operations());
    config.tls = ServerTls::new(Arc::new(identity));
    config.tls.client_authentication = verifier();
    server.handle.reload(config).unwrap();
    until_due(&lab, &clock);
    lab.until(NAME, 3, renewed).await;
    assert_eq!(causes(&lab), Vec::<String>::new());
    running.stop().await;
    server.stop().await;
}
