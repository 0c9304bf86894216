//! Requests that an operator has to approve, against `est serve` and `est ca approve|reject`.
#![cfg(feature = "cli")]

use std::path::Path;
use std::sync::Arc;

use est::auth::BasicCredentials;
use est::client::{ClientConfig, EnrollOptions, ProofOfPossession};
use est::renewal::RenewalSettings;
use est::renewal::daemon::{ClientEnroller, DaemonSettings, EventKind, ManagedIdentity};
use pki_common::trust_store::TrustStore;
use rustls_pki_types::UnixTime;

use super::clock::HandClock;
use super::lab::{ByName, HOUR, Lab, Running, failed, pending, renewed};
use crate::process::{PASSWORD, Serving, USER, laboratory, succeeds};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_asked_for_until_it_is_approved_and_made_anew_after_a_rejection() {
    for given in [ProofOfPossession::Never, ProofOfPossession::Always] {
        approve_and_reject(given).await;
    }
}

async fn approve_and_reject(given: ProofOfPossession) {
    let (laboratory, lab) = (laboratory(), Lab::new());
    let folder = laboratory.path();
    let config = std::fs::read_to_string(folder.join("est.toml")).unwrap();
    let approval = "[policy]\napproval = \"operator\"\n[policy.queue]\nretry-after = 7\n";
    std::fs::write(folder.join("est.toml"), format!("{config}{approval}")).unwrap();
    let server = Serving::start(folder);
    let number = |name: &str| {
        let listed = succeeds(folder, &["ca", "pending", "--dir", "ca"], "");
        let line = listed.lines().find(|line| line.contains(&format!("CN={name}")));
        line.unwrap_or_else(|| panic!("{name}: {listed}"))
            .split('\t')
            .next()
            .unwrap()
            .to_owned()
    };

    let clock = HandClock::new(UnixTime::now());
    let running = watch(&lab, &clock, &server, folder, given);
    for name in ["yes", "no"] {
        lab.until(name, 1, pending).await;
    }
    clock.advance(61);
    for name in ["yes", "no"] {
        lab.until(name, 2, pending).await;
    }
    let queue = succeeds(folder, &["ca", "pending", "--dir", "ca"], "");
    assert_eq!(queue.lines().count(), 2, "one entry each: {queue}");

    succeeds(folder, &["ca", "approve", "--dir", "ca", &number("yes")], "");
    let rejected = number("no");
    let reason = ["--reason", "unknown device"];
    succeeds(
        folder,
        &[&["ca", "reject", "--dir", "ca", &rejected][..], &reason].concat(),
        "",
    );
    clock.advance(61);
    lab.until("yes", 1, renewed).await;
    assert_eq!(lab.current("yes").unwrap().certificate().subject(), "/CN=yes");
    lab.until("no", 1, failed).await;
    let events = lab.events("no");
    let said = events.iter().any(
        |kind| matches!(kind, EventKind::FailedUntil(failure, _) if failure.cause.contains("unknown device")),
    );
    assert!(said, "{events:?}");
    // Another request, with another key: a person can decide otherwise.
    clock.advance(HOUR);
    lab.until("no", 3, pending).await;
    let again = number("no");
    assert_ne!(again, rejected);
    succeeds(folder, &["ca", "approve", "--dir", "ca", &again], "");
    clock.advance(HOUR);
    lab.until("no", 1, renewed).await;
    running.stop().await;
}

/// A daemon over the identities `yes` and `no`.
fn watch(
    lab: &Lab,
    clock: &Arc<HandClock>,
    server: &Serving,
    folder: &Path,
    given: ProofOfPossession,
) -> Running {
    let mut identities = ByName::default();
    for name in ["yes", "no"] {
        let anchors = TrustStore::from_paths("anchors", [crate::process::anchor(folder)]).unwrap();
        let mut config = ClientConfig::new(server.url.parse().unwrap(), Arc::new(anchors));
        config.basic = Some(BasicCredentials::new(USER, PASSWORD).unwrap());
        config.proof_of_possession = given;
        let enroller = ClientEnroller {
            config,
            first: EnrollOptions::new(format!("CN={name}").parse().unwrap()),
            reuse_key: false,
        };
        let managed = ManagedIdentity::new(RenewalSettings::default(), Arc::new(enroller));
        identities.0.insert(name.to_owned(), managed);
    }
    let daemon = lab.daemon_of(DaemonSettings::default(), identities);
    Running::start(daemon.with_clock(Arc::<HandClock>::clone(clock)))
}
