//! The simulated AD CS with its faults, looked at.

use std::sync::Arc;

use est::adcs::WindowsAccount;
use interop::adcs_sim::{Fault, Settings as SimulatorSettings, Simulator};
use interop::doctor::adcs::{Scheme, Settings, diagnose};
use interop::doctor::{Report, State};
use pki_common::KnownCause;
use pki_common::trust_store::TrustStore;
use rcgen::{CertificateParams, DnType, KeyPair};

use super::{PATIENCE, SHORT, assert_ends, assert_healthy, notes};

async fn simulator(faults: &[&str]) -> Simulator {
    let settings = SimulatorSettings {
        faults: faults
            .iter()
            .map(|fault| fault.parse::<Fault>().unwrap())
            .collect(),
        ..SimulatorSettings::default()
    };
    Simulator::start(settings).await.unwrap()
}

fn settings(simulator: &Simulator) -> Settings {
    let anchors = TrustStore::from_pem("doctor", simulator.authority_pem().as_bytes()).unwrap();
    let mut settings = Settings::new(simulator.url().parse().unwrap(), Arc::new(anchors));
    settings.account = Some(WindowsAccount::new("MICHAMEN\\ciscora", "cisco").unwrap());
    settings.template = Some("CiscoRA".to_owned());
    settings.timeout = PATIENCE;
    settings
}

async fn look(faults: &[&str]) -> Report {
    let simulator = simulator(faults).await;
    diagnose(&settings(&simulator)).await
}

fn csr() -> Vec<u8> {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "SEP74A02FC0A675");
    let key = KeyPair::generate().unwrap();
    params.serialize_request(&key).unwrap().der().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_server_is_healthy_and_no_request_reaches_it() {
    let simulator = simulator(&[]).await;
    let report = diagnose(&settings(&simulator)).await;
    assert_healthy(&report);
    assert!(notes(&report, "HTTP").contains("offers NTLM"));
    assert!(notes(&report, "login").contains("MICHAMEN\\ciscora by NTLM"));
    assert!(notes(&report, "templates").contains("CiscoRA"));
    assert_eq!(report.check("enrolment").unwrap().state, State::Skipped);
    assert!(simulator.requests().is_empty());
    // Whoever has no account gets as far as the door.
    let mut stranger = settings(&simulator);
    stranger.account = None;
    let report = diagnose(&stranger).await;
    assert_eq!(report.check("login").unwrap().state, State::Skipped);
    assert_eq!(
        (report.check("templates").unwrap().state, report.exit_number()),
        (State::NotReached, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_ends_on_its_rung_with_its_name() {
    for (fault, rung, known_cause) in [
        ("wrong-name", "TLS handshake", KnownCause::NameMismatch),
        ("self-signed", "TLS handshake", KnownCause::SelfSigned),
        ("not-yet-valid", "TLS handshake", KnownCause::NotYetValid),
        ("expired", "TLS handshake", KnownCause::Expired),
        ("unknown-ca", "TLS handshake", KnownCause::IssuerNotTrusted),
        (
            "missing-intermediate",
            "TLS handshake",
            KnownCause::IssuerNotTrusted,
        ),
        ("drop=tls", "TLS versions", KnownCause::ConnectionLost),
        ("drop=certrqxt", "templates", KnownCause::ConnectionLost),
        ("server-error=certrqxt", "templates", KnownCause::ServerFailed),
        ("server-error=certnew.p7b", "chain", KnownCause::ServerFailed),
    ] {
        let report = look(&[fault]).await;
        assert_ends(&report, rung, known_cause);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_hangs_is_named_and_the_rungs_below_it_stand() {
    let simulator = simulator(&["hang=certcarc"]).await;
    let mut settings = settings(&simulator);
    // Enough for the pages that do answer on a busy machine.
    settings.timeout = SHORT * 10;
    let report = diagnose(&settings).await;
    assert_ends(&report, "renewals", KnownCause::AnswerTimedOut);
    assert_eq!(report.check("templates").unwrap().state, State::Passed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_refused_or_not_offered_is_told_apart() {
    let simulator = simulator(&[]).await;
    let mut wrong = settings(&simulator);
    wrong.account = Some(WindowsAccount::new("MICHAMEN\\ciscora", "wrong").unwrap());
    let report = diagnose(&wrong).await;
    assert_ends(&report, "login", KnownCause::CredentialsRefused);
    assert_eq!(report.exit_number(), 50);
    let shown = format!("{report:?} {}", interop::doctor::to_json(&report));
    assert!(!shown.contains("wrong\""), "{shown}");

    simulator.set_faults([Fault::NoNtlm]).unwrap();
    let mut insisting = settings(&simulator);
    insisting.scheme = Scheme::Ntlm;
    assert_ends(&diagnose(&insisting).await, "login", KnownCause::LoginNotOffered);
    // With Basic alone, Basic is taken.
    assert!(notes(&look(&["no-ntlm"]).await, "login").contains("by Basic"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_is_not_in_the_list_is_not_a_401() {
    let simulator = simulator(&[]).await;
    let mut settings = settings(&simulator);
    settings.template = Some("CiscoRa2".to_owned());
    let report = diagnose(&settings).await;
    assert_ends(&report, "templates", KnownCause::TemplateNotOffered);
    assert_eq!(report.exit_number(), 60);
    assert!(report.failure().unwrap().cause.contains("CiscoRA"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_authority_and_a_wrong_clock_are_warnings() {
    let report = look(&["renewed=2", "clock=-120"]).await;
    assert_healthy(&report);
    let known: Vec<_> = report
        .warnings()
        .filter_map(|warning| warning.known_cause)
        .collect();
    assert!(
        known.contains(&KnownCause::OldChain) && known.contains(&KnownCause::ClockSkew),
        "{known:?}"
    );
    assert!(
        notes(&report, "clock").contains("2 min behind ours"),
        "{}",
        notes(&report, "clock")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_submitted_only_when_told_to() {
    for (fault, known_cause) in [
        (None, None),
        (Some("pending"), Some(KnownCause::RequestPending)),
        (Some("denied"), Some(KnownCause::RequestDenied)),
    ] {
        let simulator = simulator(&fault.into_iter().collect::<Vec<_>>()).await;
        let mut settings = settings(&simulator);
        settings.submit = Some(csr());
        let report = diagnose(&settings).await;
        assert_eq!(simulator.requests().len(), 1);
        let check = report.check("enrolment").unwrap();
        let told = check.failure.iter().chain(&check.warnings).next();
        assert_eq!(
            told.and_then(|failure| failure.known_cause),
            known_cause,
            "{report:?}"
        );
    }
}
