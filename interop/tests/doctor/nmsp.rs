//! Our controller, looked at as a location server.

use std::sync::Arc;

use interop::doctor::State;
use interop::doctor::nmsp::{Settings, diagnose};
use interop::quickstart::enrolment::{self, Devices, location_server_mac};
use interop::quickstart::folder::LabFolder;
use interop::quickstart::introduction;
use interop::quickstart::tunnel::Lab;
use nmsp::wire::Services;
use pki_common::identity::{Identity, SelfSigned};
use pki_common::tls::PeerVerifier;
use pki_common::{Alert, KnownCause, Side};

use super::{PATIENCE, SHORT, assert_ends, assert_healthy, notes};

async fn lab() -> (LabFolder, Devices, Lab) {
    let folder = LabFolder::open(None).unwrap();
    let mut narration = Vec::new();
    let devices = enrolment::run(&folder, &mut narration).await.unwrap();
    let authlist = introduction::run(&folder, &devices, &mut narration).unwrap();
    let lab = Lab::start(&devices, authlist).await.unwrap();
    (folder, devices, lab)
}

fn settings(devices: &Devices, lab: &Lab) -> Settings {
    let verifier = PeerVerifier::trust_store(Arc::clone(&devices.anchors));
    let mut settings = Settings::new(lab.controller.to_string(), verifier);
    settings.anchors = Some(Arc::clone(&devices.anchors));
    settings.identity = Some(Arc::clone(&devices.location_server));
    settings.timeout = PATIENCE;
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_controller_is_healthy_up_to_the_echo() {
    let (_folder, devices, lab) = lab().await;
    let mut settings = settings(&devices, &lab);
    let report = diagnose(&settings).await;
    assert_healthy(&report);
    assert!(notes(&report, "authlist verdict").contains("after our certificate had left"));
    assert!(notes(&report, "capability").contains("protocol version 1"));
    assert!(notes(&report, "echo").contains("round trip"));
    assert_eq!(report.check("subscription").unwrap().state, State::Skipped);

    settings.subscribe = Some(Services::RSSI_MS);
    // Nothing is measured here, and that is waited for; everything else must fit in on a busy machine, too.
    settings.timeout = SHORT * 10;
    let report = diagnose(&settings).await;
    assert_healthy(&report);
    assert!(notes(&report, "subscription").contains("accepted rssi-ms"));
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refusal_of_the_authlist_has_its_name_and_not_that_of_the_alert() {
    let (_folder, devices, lab) = lab().await;
    let mut settings = settings(&devices, &lab);
    let other_key = Identity::self_signed(SelfSigned::new(location_server_mac())).unwrap();
    settings.identity = Some(Arc::new(other_key));
    let report = diagnose(&settings).await;
    assert_ends(&report, "authlist verdict", KnownCause::AuthlistRefused);
    assert_eq!(report.exit_number(), 44);
    let failure = report.failure().unwrap();
    assert_eq!(failure.refused_by, Some(Side::Peer));
    assert_eq!(failure.alert, Some(Alert::CERTIFICATE_UNKNOWN));
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_server_without_a_certificate_hears_that_one_is_wanted() {
    let (_folder, devices, lab) = lab().await;
    let mut settings = settings(&devices, &lab);
    settings.identity = None;
    let report = diagnose(&settings).await;
    assert_ends(&report, "authlist verdict", KnownCause::CertificateRequired);
    assert!(report.failure().unwrap().remedy.contains("--certificate"));
    lab.stop().await;
}

#[tokio::test]
async fn a_text_that_names_no_controller_is_this_sides_fault() {
    let verifier = PeerVerifier::trust_store(pki_common::trust_store::TrustStore::empty("doctor"));
    let report = diagnose(&Settings::new("wlc.example:port", verifier)).await;
    assert_eq!(report.exit_number(), 3);
}
