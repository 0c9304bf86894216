//! Real TLS handshakes in memory: which alert leaves which side, and what each side says about it.

#![cfg(any(feature = "aws-lc-rs", feature = "ring"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is wrong"
)]

mod tls_support;

use std::sync::{Arc, Mutex};

use pki_common::authlist::{AuthListRefusal, AuthListType, SharedAuthList};
use pki_common::certificate::{Certificate, CertificateType};
use pki_common::clock::FixedClock;
use pki_common::identity::{Identity, NewKey};
use pki_common::ladder::{Alert, Rung, Side, TlsFault};
use pki_common::tls::{
    ClientAuthentication, ClientTls, HandshakeContext, PeerVerifier, Refusal, RefusalRecorder, ServerTls,
    TlsVersions, VerificationObserver, alert_sent_for, diagnose_io, diagnose_tls,
};
use pki_common::trust_store::{ExpectedName, TrustError, TrustStore};
use pki_common::{HashAlgorithm, KeyHash};
use rustls_pki_types::CertificateDer;
use tls_support::{
    Authority, Outcome, admitting, authlist, days_from, handshake, handshake_to, localhost, mac, now,
    only_server_auth, self_signed, self_signed_at,
};

const BOTH_VERSIONS: [TlsVersions; 2] = [TlsVersions::Tls12, TlsVersions::Tls13];

/// A server that every client trusts, and whose clients must satisfy `verifier`.
fn server_asking(verifier: PeerVerifier, versions: TlsVersions) -> ServerTls {
    let mut server = ServerTls::new(Arc::new(self_signed()));
    server.client_authentication = ClientAuthentication::Required(verifier);
    server.versions = versions;
    server
}

fn client_of(server: &ServerTls, identity: Option<Identity>) -> ClientTls {
    let mut client = ClientTls::new(PeerVerifier::authlist(admitting(server.identity.certificate())));
    client.identity = identity.map(Arc::new);
    client
}

/// One situation of a client's certificate before a server.
struct Case {
    name: &'static str,
    client: Option<Identity>,
    verifier: PeerVerifier,
    /// Alert of the server, its rung, and a word of the cause and of the remedy it tells.
    refused: Option<(Alert, TlsFault, &'static str, &'static str)>,
}

impl Case {
    fn check(self, versions: TlsVersions) {
        let name = format!("{} with {versions:?}", self.name);
        let server = server_asking(self.verifier, versions);
        let client = client_of(&server, self.client);
        let recorder = Arc::new(RefusalRecorder::default());
        let server_config = server
            .rustls_config_observed(Arc::<RefusalRecorder>::clone(&recorder))
            .unwrap();
        let outcome = handshake(&client.rustls_config().unwrap(), &server_config);
        let Some((alert, fault, cause, remedy)) = self.refused else {
            assert!(outcome.succeeded(), "{name}: {outcome:?}");
            assert_eq!(recorder.refusal(), None, "{name}");
            return;
        };
        let server_error = outcome
            .server
            .as_ref()
            .unwrap_or_else(|| panic!("{name}: {outcome:?}"));
        assert_eq!(
            Outcome::received(outcome.client.as_ref()),
            Some(alert),
            "{name}: {outcome:?}"
        );
        assert_eq!(alert_sent_for(server_error), Some(alert), "{name}");

        let told = HandshakeContext::default().diagnose_tls(server_error, Some(&*recorder));
        assert_eq!(told.rung, Rung::Tls(fault), "{name}: {told}");
        assert_eq!(
            (told.refused_by, told.alert),
            (Some(Side::Local), Some(alert)),
            "{name}: {told}"
        );
        assert!(told.cause.contains(cause), "{name}: {told}");
        assert!(told.remedy.contains(remedy), "{name}: {told}");

        let seen_by_client = diagnose_tls(outcome.client.as_ref().unwrap());
        assert_eq!(
            (seen_by_client.refused_by, seen_by_client.alert),
            (Some(Side::Peer), Some(alert)),
            "{name}"
        );
    }
}

fn authlist_cases() -> Vec<Case> {
    let known = |list_type, algorithm: HashAlgorithm| {
        let identity = self_signed();
        let list = authlist(list_type, Some(identity.certificate().key_hash(algorithm)));
        (Some(identity), PeerVerifier::authlist(list))
    };
    let wrong_hash: KeyHash = "e0afbe2e2abeed5a2f9ffc75f059da6a1bf2bfa0".parse().unwrap();
    let (sha256_client, by_sha256) = known(AuthListType::Sha256LbsSsc, HashAlgorithm::Sha256);
    let (sha1_client, by_sha1) = known(AuthListType::LbsSsc, HashAlgorithm::Sha1);
    let alert = Alert::CERTIFICATE_UNKNOWN;
    vec![
        Case {
            name: "a listed client",
            client: sha256_client,
            verifier: by_sha256,
            refused: None,
        },
        Case {
            name: "a client listed by SHA-1",
            client: sha1_client,
            verifier: by_sha1,
            refused: None,
        },
        Case {
            name: "a client without an entry",
            client: Some(self_signed()),
            verifier: PeerVerifier::authlist(SharedAuthList::default()),
            refused: Some((alert, TlsFault::AuthList, "no entry", "show server-auth-info")),
        },
        Case {
            name: "a client with another key",
            client: Some(self_signed()),
            verifier: PeerVerifier::authlist(authlist(AuthListType::LbsSsc, Some(wrong_hash))),
            refused: Some((
                alert,
                TlsFault::AuthList,
                "pins another key",
                "show server-auth-info",
            )),
        },
        Case {
            name: "a self-signed certificate where a MIC is listed",
            client: Some(self_signed()),
            verifier: PeerVerifier::authlist(authlist(AuthListType::Mic, None)),
            refused: Some((alert, TlsFault::AuthList, "is a SSC", "type")),
        },
        Case {
            name: "a certificate that only claims to be self-signed",
            client: Some(forged()),
            verifier: PeerVerifier::authlist(authlist(
                AuthListType::Sha256LbsSsc,
                Some(forged().certificate().key_hash(HashAlgorithm::Sha256)),
            )),
            refused: Some((alert, TlsFault::AuthList, "not verifiable", "anew")),
        },
    ]
}

/// A self-signed certificate whose signature was changed by one bit.
fn forged() -> Identity {
    let genuine = self_signed();
    let mut der = genuine.certificate().der().to_vec();
    *der.last_mut().unwrap() ^= 1;
    Identity::from_parts(vec![CertificateDer::from(der)], genuine.private_key().clone_key()).unwrap()
}

#[test]
fn an_authlist_admits_its_peers_and_refuses_all_others_with_alert_46() {
    for versions in BOTH_VERSIONS {
        authlist_cases().into_iter().for_each(|case| case.check(versions));
    }
}

fn time_cases() -> Vec<Case> {
    let today = now();
    let case = |name, issued_in_days, clock_in_days, cause, remedy| {
        let client = self_signed_at(days_from(today, issued_in_days), NewKey::EcP256);
        let verifier = PeerVerifier::authlist(admitting(client.certificate()))
            .with_clock(Arc::new(FixedClock(days_from(today, clock_in_days))));
        Case {
            name,
            client: Some(client),
            verifier,
            refused: Some((Alert::CERTIFICATE_EXPIRED, TlsFault::Time, cause, remedy)),
        }
    };
    vec![
        case(
            "a certificate of the future",
            30,
            0,
            "becomes valid in 29 d",
            "behind",
        ),
        case("an old certificate", -30, 0, "expired 20 d ago", "Renew"),
        case(
            "a server whose clock is behind",
            0,
            -3,
            "becomes valid in 2 d",
            "behind",
        ),
    ]
}

#[test]
fn a_certificate_outside_its_time_is_refused_with_alert_45_and_both_times() {
    for versions in BOTH_VERSIONS {
        time_cases().into_iter().for_each(|case| case.check(versions));
    }
}

const PEER: &str = "Peer-0050569c3489";

type Refused = Option<(Alert, TlsFault, &'static str, &'static str)>;

fn case(name: &'static str, client: Identity, verifier: PeerVerifier, refused: Refused) -> Case {
    Case {
        name,
        client: Some(client),
        verifier,
        refused,
    }
}

fn unknown_ca(cause: &'static str, remedy: &'static str) -> Refused {
    Some((Alert::UNKNOWN_CA, TlsFault::Chain, cause, remedy))
}

fn chain_cases() -> Vec<Case> {
    let root = Authority::root("Test Root");
    let sub = root.intermediate("Test Issuer");
    let stranger = Authority::root("Stranger");
    let by_store = || PeerVerifier::trust_store(root.store("test-clients"));
    vec![
        case(
            "a whole chain",
            sub.issue(PEER, &[&sub.certificate], |_| {}),
            by_store(),
            None,
        ),
        case(
            "a chain without its intermediate",
            sub.issue(PEER, &[], |_| {}),
            by_store(),
            unknown_ca(
                "the issuer /CN=Test Issuer is missing",
                "certificate of /CN=Test Issuer",
            ),
        ),
        case(
            "the chain of a stranger",
            stranger.issue(PEER, &[&stranger.certificate], |_| {}),
            by_store(),
            unknown_ca("test-clients", "/CN=Stranger"),
        ),
        case(
            "a self-signed certificate",
            self_signed(),
            by_store(),
            unknown_ca("is self-signed", "test-clients"),
        ),
    ]
}

fn listed_chain_cases() -> Vec<Case> {
    let root = Authority::root("Test Root");
    let sub = root.intermediate("Test Issuer");
    let list = authlist(AuthListType::Lsc, None);
    vec![
        case(
            "a listed LSC with its chain",
            sub.issue(PEER, &[&sub.certificate], |_| {}),
            PeerVerifier::authlist(list.clone()).with_trust_store(root.store("test-clients")),
            None,
        ),
        case(
            "a listed LSC without any trust store",
            root.issue(PEER, &[], |_| {}),
            PeerVerifier::authlist(list),
            unknown_ca("none configured", "/CN=Test Root"),
        ),
    ]
}

fn unfit_cases() -> Vec<Case> {
    let root = Authority::root("Test Root");
    let by_store = || PeerVerifier::trust_store(root.store("test-clients"));
    vec![
        case(
            "a certificate for servers only",
            root.issue(PEER, &[], only_server_auth),
            by_store(),
            Some((
                Alert::UNSUPPORTED_CERTIFICATE,
                TlsFault::Chain,
                "serverAuth",
                "clientAuth",
            )),
        ),
        case(
            "a client with another MAC address",
            root.issue("Peer-0050569c348a", &[], |_| {}),
            by_store().expecting_name(ExpectedName::Mac(mac())),
            Some((
                Alert::BAD_CERTIFICATE,
                TlsFault::Name,
                "CN=Peer-0050569c348a",
                "letter for letter",
            )),
        ),
        Case {
            name: "no certificate at all",
            client: None,
            verifier: by_store(),
            refused: Some((
                Alert::CERTIFICATE_REQUIRED,
                TlsFault::Chain,
                "no certificate",
                "Configure",
            )),
        },
    ]
}

#[test]
fn a_chain_that_reaches_no_anchor_is_refused_with_alert_48_and_the_missing_issuer() {
    for versions in BOTH_VERSIONS {
        chain_cases().into_iter().for_each(|case| case.check(versions));
    }
}

#[test]
fn a_certificate_of_an_authority_must_be_valid_before_the_authlist_is_asked() {
    for versions in BOTH_VERSIONS {
        listed_chain_cases()
            .into_iter()
            .for_each(|case| case.check(versions));
    }
}

#[test]
fn a_certificate_that_is_missing_or_for_another_use_or_name_is_refused_with_its_alert() {
    for versions in BOTH_VERSIONS {
        unfit_cases().into_iter().for_each(|case| case.check(versions));
    }
}

#[test]
fn a_client_checks_the_name_it_connects_to_unless_told_otherwise() {
    let root = Authority::root("Test Root");
    let server = ServerTls::new(Arc::new(root.issue("some-server", &[], localhost)));
    let server_config = server.rustls_config().unwrap();
    let verifier = || PeerVerifier::trust_store(root.store("test-servers"));
    let connect = |verifier: PeerVerifier, name: &str| {
        handshake_to(
            name,
            &ClientTls::new(verifier).rustls_config().unwrap(),
            &server_config,
        )
    };
    assert!(connect(verifier(), "localhost").succeeded());
    let common_name = ExpectedName::CommonName("some-server".to_owned());
    assert!(connect(verifier().expecting_name(common_name), "elsewhere.example").succeeded());
    assert!(connect(verifier().dangerous_accept_any_name(), "elsewhere.example").succeeded());

    let outcome = connect(verifier(), "elsewhere.example");
    assert_eq!(
        Outcome::received(outcome.server.as_ref()),
        Some(Alert::BAD_CERTIFICATE)
    );
    let told = diagnose_tls(&outcome.client.unwrap());
    assert_eq!(told.rung, Rung::Tls(TlsFault::Name));
    for part in ["elsewhere.example", "DNS:localhost", "CN=some-server"] {
        assert!(told.cause.contains(part), "{told}");
    }
}

#[test]
fn a_common_name_is_no_substitute_for_a_missing_dns_name() {
    let root = Authority::root("Test Root");
    let server = ServerTls::new(Arc::new(root.issue("localhost", &[], |_| {})));
    let client = ClientTls::new(PeerVerifier::trust_store(root.store("test-servers")));
    let outcome = handshake(&client.rustls_config().unwrap(), &server.rustls_config().unwrap());
    assert_eq!(
        Outcome::received(outcome.server.as_ref()),
        Some(Alert::BAD_CERTIFICATE)
    );
}

#[test]
fn a_certificate_that_is_no_der_is_refused_with_alert_42() {
    let garbage = rustls::sign::CertifiedKey::new(
        vec![CertificateDer::from(b"not a certificate".to_vec())],
        Arc::clone(&self_signed().certified_key().key),
    );
    for versions in BOTH_VERSIONS {
        let server = server_asking(PeerVerifier::authlist(SharedAuthList::default()), versions);
        let mut config = (*client_of(&server, None).rustls_config().unwrap()).clone();
        config.client_auth_cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(garbage.clone()));
        let outcome = handshake(&Arc::new(config), &server.rustls_config().unwrap());
        assert_eq!(
            Outcome::received(outcome.client.as_ref()),
            Some(Alert::BAD_CERTIFICATE),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_client_may_come_without_a_certificate_when_it_is_optional_but_not_with_a_bad_one() {
    let listed = self_signed();
    let mut server = ServerTls::new(Arc::new(self_signed()));
    server.client_authentication =
        ClientAuthentication::Optional(PeerVerifier::authlist(admitting(listed.certificate())));
    for (identity, welcome) in [(None, true), (Some(listed), true), (Some(self_signed()), false)] {
        let client = client_of(&server, identity);
        let outcome = handshake(&client.rustls_config().unwrap(), &server.rustls_config().unwrap());
        assert_eq!(outcome.succeeded(), welcome, "{outcome:?}");
    }
}

#[test]
fn a_client_refuses_a_server_that_is_not_in_its_authlist() {
    let server = ServerTls::new(Arc::new(self_signed()));
    let client = ClientTls::new(PeerVerifier::authlist(SharedAuthList::default()));
    let outcome = handshake(&client.rustls_config().unwrap(), &server.rustls_config().unwrap());
    assert_eq!(
        Outcome::received(outcome.server.as_ref()),
        Some(Alert::CERTIFICATE_UNKNOWN)
    );
    assert_eq!(
        diagnose_tls(&outcome.client.unwrap()).rung,
        Rung::Tls(TlsFault::AuthList)
    );
}

#[test]
fn a_replaced_authlist_holds_for_the_next_handshake_of_the_same_configuration() {
    let peer = self_signed();
    let list = SharedAuthList::default();
    let server = server_asking(PeerVerifier::authlist(list.clone()), TlsVersions::Tls12And13);
    let admitted = admitting(peer.certificate());
    let client_config = client_of(&server, Some(peer)).rustls_config().unwrap();
    let server_config = server.rustls_config().unwrap();
    assert!(!handshake(&client_config, &server_config).succeeded());
    list.replace((*admitted.load()).clone());
    assert!(handshake(&client_config, &server_config).succeeded());
}

/// RFC 5280 section 4.2: what is critical and not understood refuses, also where no path is walked.
#[test]
fn a_self_signed_certificate_with_an_unknown_critical_extension_is_refused_before_the_authlist() {
    for (critical, welcome) in [(false, true), (true, false)] {
        let key = pki_common::identity::generate_key(NewKey::EcP256).unwrap();
        let mut parameters = rcgen::CertificateParams::default();
        parameters
            .distinguished_name
            .push(rcgen::DnType::CommonName, "Device-0050569c3489");
        let mut extension =
            rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], vec![5, 0]);
        extension.set_criticality(critical);
        parameters.custom_extensions.push(extension);
        let pair = rcgen::KeyPair::try_from(&key).unwrap();
        let certificate = parameters.self_signed(&pair).unwrap().der().clone();
        let peer = Identity::from_parts(vec![certificate], key.into()).unwrap();
        let server = server_asking(
            PeerVerifier::authlist(admitting(peer.certificate())),
            TlsVersions::Tls13,
        );
        let client = client_of(&server, Some(peer));
        let outcome = handshake(&client.rustls_config().unwrap(), &server.rustls_config().unwrap());
        assert_eq!(outcome.succeeded(), welcome, "{outcome:?}");
    }
}

#[test]
fn a_session_of_one_configuration_is_not_resumed_under_a_stricter_one() {
    let mut open = server_asking(
        PeerVerifier::authlist(SharedAuthList::default()),
        TlsVersions::Tls12,
    );
    open.resumption = true;
    let strict = open.clone();
    open.client_authentication = ClientAuthentication::None;
    let mut client = client_of(&open, None);
    client.resumption = true;
    let client_config = client.rustls_config().unwrap();
    assert!(handshake(&client_config, &open.rustls_config().unwrap()).succeeded());
    let outcome = handshake(&client_config, &strict.rustls_config().unwrap());
    assert!(!outcome.succeeded(), "a client without certificate got in");
}

#[derive(Debug, Default)]
struct Steps(Mutex<Vec<String>>);

impl VerificationObserver for Steps {
    fn certificate_validated(&self, certificate: &Certificate) {
        self.0
            .lock()
            .unwrap()
            .push(format!("validated {}", certificate.subject()));
    }
    fn certificate_refused(&self, error: &TrustError) {
        self.0.lock().unwrap().push(format!("refused {error}"));
    }
    fn authlist_verdict(&self, verdict: Result<(), &AuthListRefusal>) {
        self.0
            .lock()
            .unwrap()
            .push(format!("authlist {}", verdict.is_ok()));
    }
}

#[test]
fn an_observer_sees_validation_before_the_verdict_of_the_authlist() {
    let listed = self_signed();
    let verifier = PeerVerifier::authlist(admitting(listed.certificate()));
    for (identity, verdict) in [(listed, true), (self_signed(), false)] {
        let steps = Arc::new(Steps::default());
        let server = server_asking(verifier.clone(), TlsVersions::Tls13);
        let observed = server
            .rustls_config_observed(Arc::<Steps>::clone(&steps))
            .unwrap();
        let client = client_of(&server, Some(identity)).rustls_config().unwrap();
        handshake(&client, &observed);
        let expected = vec![
            "validated /CN=Device-0050569c3489".to_owned(),
            format!("authlist {verdict}"),
        ];
        assert_eq!(*steps.0.lock().unwrap(), expected);
    }
}

#[test]
fn a_recorder_keeps_the_reason_that_rustls_has_no_room_for() {
    let root = Authority::root("Test Root");
    let verifier = PeerVerifier::trust_store(Arc::new(TrustStore::empty("test-clients")));
    let server = server_asking(verifier, TlsVersions::Tls13);
    let client = client_of(&server, Some(root.issue("x", &[], |_| {})));
    let recorder = Arc::new(RefusalRecorder::default());
    let observed = server
        .rustls_config_observed(Arc::<RefusalRecorder>::clone(&recorder))
        .unwrap();
    let outcome = handshake(&client.rustls_config().unwrap(), &observed);
    let error = outcome.server.unwrap();
    let Some(Refusal::Certificate(TrustError::UnknownIssuer {
        missing_issuer,
        anchors,
        ..
    })) = recorder.refusal()
    else {
        panic!("{:?}", recorder.refusal());
    };
    assert_eq!((missing_issuer.as_str(), anchors), ("/CN=Test Root", 0));
    assert!(!diagnose_tls(&error).cause.contains("Test Root"));
    let io_error = std::io::Error::new(std::io::ErrorKind::InvalidData, error);
    let told = HandshakeContext::default().diagnose_io(&io_error, Some(&*recorder));
    assert!(told.cause.contains("Test Root"), "{told}");
}

#[test]
fn versions_and_protocols_without_overlap_end_with_their_alerts() {
    let mut server = ServerTls::new(Arc::new(self_signed()));
    server.versions = TlsVersions::Tls13;
    let mut client = client_of(&server, None);
    client.versions = TlsVersions::Tls12;
    let outcome = handshake(&client.rustls_config().unwrap(), &server.rustls_config().unwrap());
    assert_eq!(
        Outcome::received(outcome.client.as_ref()),
        Some(Alert::PROTOCOL_VERSION)
    );
    let (ours, theirs) = (
        diagnose_tls(&outcome.server.unwrap()),
        diagnose_tls(&outcome.client.unwrap()),
    );
    assert_eq!(
        (ours.alert, ours.refused_by),
        (Some(Alert::PROTOCOL_VERSION), Some(Side::Local))
    );
    assert_eq!(
        (theirs.rung, theirs.refused_by),
        (Rung::Tls(TlsFault::Protocol), Some(Side::Peer))
    );

    let mut server = ServerTls::new(Arc::new(self_signed()));
    server.alpn = vec![b"http/1.1".to_vec()];
    let mut client = client_of(&server, None);
    client.alpn = vec![b"something-else".to_vec()];
    let outcome = handshake(&client.rustls_config().unwrap(), &server.rustls_config().unwrap());
    assert_eq!(
        Outcome::received(outcome.client.as_ref()),
        Some(Alert::NO_APPLICATION_PROTOCOL)
    );
    assert_eq!(
        diagnose_tls(&outcome.server.unwrap()).alert,
        Some(Alert::NO_APPLICATION_PROTOCOL)
    );
}

#[test]
fn a_peer_that_speaks_http_is_told_apart_from_a_broken_tls_peer() {
    let server = ServerTls::new(Arc::new(self_signed()));
    let mut connection = rustls::ServerConnection::new(server.rustls_config().unwrap()).unwrap();
    connection
        .read_tls(&mut b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".as_slice())
        .unwrap();
    let error = connection.process_new_packets().unwrap_err();
    let told = diagnose_tls(&error);
    assert_eq!(
        (told.rung, told.refused_by),
        (Rung::Tls(TlsFault::Protocol), Some(Side::Local))
    );
    assert!(told.cause.contains("does not speak TLS"), "{told}");
}

#[test]
fn network_errors_stand_on_the_tcp_rung() {
    use std::io::{Error, ErrorKind};
    for (kind, rung, word) in [
        (ErrorKind::ConnectionRefused, Rung::Tcp, "nobody listens"),
        (ErrorKind::ConnectionReset, Rung::Tcp, "broke the connection"),
        (ErrorKind::TimedOut, Rung::Tcp, "in time"),
        (
            ErrorKind::UnexpectedEof,
            Rung::Tls(TlsFault::Protocol),
            "without a TLS alert",
        ),
        (ErrorKind::AddrInUse, Rung::Local, "socket"),
        (ErrorKind::Other, Rung::Tcp, "failed"),
    ] {
        let told = diagnose_io(&Error::from(kind));
        assert_eq!(told.rung, rung, "{told}");
        assert!(told.cause.contains(word), "{told}");
        assert_eq!(told.alert, None, "{told}");
    }
}

#[test]
fn alert_46_of_a_device_with_an_authlist_is_explained_as_an_authlist_mismatch() {
    let error = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateUnknown);
    let told = HandshakeContext::with_authlist("the controller").diagnose_tls(&error, None);
    assert_eq!(told.rung, Rung::Tls(TlsFault::AuthList));
    assert!(told.cause.contains("authlist of the controller"), "{told}");
    assert!(told.remedy.contains("show server-auth-info"), "{told}");
    assert_eq!(diagnose_tls(&error).rung, Rung::Tls(TlsFault::Alert));
}

#[test]
fn every_alert_a_peer_can_send_has_a_sentence_of_its_own_side() {
    for number in 0..=u8::MAX {
        let error = rustls::Error::AlertReceived(rustls::AlertDescription::from(number));
        let told = diagnose_tls(&error);
        assert_eq!(
            (told.alert, told.refused_by),
            (Some(Alert(number)), Some(Side::Peer))
        );
        assert!(told.cause.ends_with('.') && told.remedy.ends_with('.'), "{told}");
    }
}

#[test]
fn hints_name_the_anchors_but_never_stand_in_the_way_of_an_authlist() {
    let root = Authority::root("Test Root");
    let hints = |verifier: PeerVerifier| {
        verifier
            .into_client_verifier()
            .unwrap()
            .root_hint_subjects()
            .len()
    };
    assert_eq!(hints(PeerVerifier::trust_store(root.store("r"))), 1);
    assert_eq!(
        hints(PeerVerifier::authlist(SharedAuthList::default()).with_trust_store(root.store("r"))),
        0
    );
}

#[test]
fn a_certificate_is_checked_as_the_type_it_was_validated_as() {
    // A self-signed certificate stays an SSC for the list even when a trust store vouches for it.
    let peer = self_signed();
    let mut store = TrustStore::empty("test-clients");
    store.add(peer.certificate()).unwrap();
    assert_eq!(peer.certificate().certificate_type(), CertificateType::Ssc);
    let verifier =
        PeerVerifier::authlist(authlist(AuthListType::Lsc, None)).with_trust_store(Arc::new(store));
    let server = server_asking(verifier, TlsVersions::Tls13);
    let client = client_of(&server, Some(peer)).rustls_config().unwrap();
    let outcome = handshake(&client, &server.rustls_config().unwrap());
    assert_eq!(
        Outcome::received(outcome.client.as_ref()),
        Some(Alert::CERTIFICATE_UNKNOWN)
    );
}

#[test]
fn no_changed_bit_of_a_certificate_passes_and_none_panics() {
    let peer = self_signed();
    let verifier = PeerVerifier::authlist(admitting(peer.certificate()))
        .into_client_verifier()
        .unwrap();
    let der = peer.certificate().der().to_vec();
    let verify = |der: Vec<u8>| verifier.verify_client_cert(&CertificateDer::from(der), &[], now());
    verify(der.clone()).unwrap();
    for position in 0..der.len() {
        for bit in 0..8 {
            let mut changed = der.clone();
            changed[position] ^= 1 << bit;
            assert!(verify(changed).is_err(), "byte {position}, bit {bit}");
        }
        assert!(
            verify(der[..position].to_vec()).is_err(),
            "cut at byte {position}"
        );
    }
}
