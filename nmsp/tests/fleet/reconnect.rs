//! What happens when a controller is not there, refuses, breaks off or changes.

use std::sync::Arc;
use std::time::Duration;

use nmsp::client::fleet::{ControllerEvent, ControllerState, RetryClass};
use nmsp::client::{ClientConfig, dangerous_pin_controllers_on_first_use};
use nmsp::wire::message::Disconnect;
use nmsp::wire::numbers::DisconnectReason;
use nmsp::wire::{Services, StationClass};
use pki_common::ladder::{Alert, Rung, Side, TlsFault};
use pki_common::tls::ClientTls;
use pki_common::{Fingerprint, HashAlgorithm};
use tokio::net::TcpListener;

use super::scripted::ScriptedController;
use super::support::{CONTROLLER, Lab, authlist_with_wrong_hash, identity, measurement, until};
use super::{
    add, add_lab, disconnected, fleet, health, is_alone, is_up, next, notified, restart, retry, subscribed,
    take,
};

#[tokio::test]
async fn a_controller_that_restarts_is_connected_and_subscribed_again() {
    let lab = Lab::start(|_| {}).await;
    let mut fleet = fleet(|_| {});
    let id = add_lab(&fleet, &lab);
    subscribed(&mut fleet, id).await;
    lab.handle.publish(&measurement(1, StationClass::CLIENT)).unwrap();
    assert_eq!(notified(&mut fleet, id).await, 1);

    lab.handle.shutdown();
    let why = disconnected(&mut fleet, id).await;
    assert_eq!(why.class, RetryClass::Passing, "{why:?}");
    let again = restart(lab.address, &lab, Arc::clone(&lab.controller)).await;
    let outcome = subscribed(&mut fleet, id).await;
    assert_eq!(
        outcome.accepted,
        Services::MEASUREMENTS,
        "the subscription is there again"
    );
    again.publish(&measurement(2, StationClass::CLIENT)).unwrap();
    assert_eq!(notified(&mut fleet, id).await, 1, "a new connection counts anew");

    let health = health(&fleet, id);
    assert!(is_up(&health), "{health}");
    assert_eq!((health.reconnects, health.totals.connections), (1, 2));
    assert_eq!((health.totals.notifications, health.totals.lost), (2, 0));
    assert!(health.totals.failures >= 1 && health.last_error.is_some());
    fleet.close().await;
}

#[tokio::test]
async fn a_controller_that_does_not_admit_us_is_marked_and_not_hammered() {
    let lab = Lab::start(|_| {}).await;
    lab.authlist
        .replace(authlist_with_wrong_hash(super::LOCATION_SERVER));
    let mut fleet = fleet(|_| {});
    let id = add_lab(&fleet, &lab);
    let why = disconnected(&mut fleet, id).await;
    assert_eq!(why.class, RetryClass::NeedsAttention);
    assert_eq!(why.failure.alert, Some(Alert::CERTIFICATE_UNKNOWN));
    assert_eq!(why.failure.rung, Rung::Tls(TlsFault::AuthList));
    assert_eq!(why.failure.refused_by, Some(Side::Peer));
    assert!(why.retry_in >= retry().attention / 2, "{:?}", why.retry_in);
    let waiting = health(&fleet, id);
    assert_eq!(waiting.state, ControllerState::Waiting);
    assert!(waiting.needs_attention() && waiting.next_attempt.is_some());
    assert_eq!(waiting.totals.attempts, 1);

    // Somebody mends the list and says so.
    lab.authlist
        .replace((*super::authlist_of(&lab.location_server).load()).clone());
    assert!(fleet.handle().retry_now(id));
    subscribed(&mut fleet, id).await;
    assert!(!health(&fleet, id).needs_attention());
    assert_eq!(health(&fleet, id).totals.attempts, 2);
    fleet.close().await;
}

#[tokio::test]
async fn a_controller_that_changes_its_certificate_is_refused_with_both_fingerprints() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Lab::start(|_| {}).await;
    let mut fleet = fleet(|_| {});
    let verifier = dangerous_pin_controllers_on_first_use(folder.path().join("pins")).unwrap();
    let tls = ClientTls::new(verifier).with_identity(Arc::clone(&lab.location_server));
    let id = add(&fleet, lab.address, ClientConfig::new(tls));
    subscribed(&mut fleet, id).await;
    let pinned = Fingerprint::of(HashAlgorithm::Sha256, lab.controller.certificate());
    let certificate = health(&fleet, id).controller.certificate.clone().unwrap();
    assert_eq!(certificate.fingerprint, pinned);
    assert_eq!(certificate.mac, Some(CONTROLLER.into()));
    let pins = std::fs::read_to_string(folder.path().join("pins")).unwrap();
    let name = format!("[127.0.0.1]:{}", lab.address.port());
    assert!(pins.contains(&format!("{name} {pinned} ")), "{pins}");

    lab.handle.shutdown();
    disconnected(&mut fleet, id).await;
    let other = identity(CONTROLLER);
    restart(lab.address, &lab, Arc::clone(&other)).await;
    let why = loop {
        let why = disconnected(&mut fleet, id).await;
        // Until the new one listens.
        if why.failure.rung != Rung::Tcp {
            break why;
        }
    };
    assert_eq!(why.class, RetryClass::NeedsAttention, "{why:?}");
    assert_eq!(why.failure.refused_by, Some(Side::Local));
    let presented = Fingerprint::of(HashAlgorithm::Sha256, other.certificate());
    for fingerprint in [pinned, presented] {
        assert!(
            why.failure.cause.contains(&fingerprint.to_string()),
            "{}",
            why.failure
        );
    }
    assert!(why.failure.remedy.contains("pins"), "{}", why.failure);
    fleet.close().await;
}

#[tokio::test]
async fn a_controller_that_breaks_off_is_tried_again_with_growing_waits() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let controller = ScriptedController::start().await;
    let mut fleet = fleet(|_| {});
    let id = add(&fleet, address, controller.client_config());
    let cutting = tokio::spawn(async move {
        loop {
            drop(listener.accept().await.unwrap());
        }
    });
    for expected in 1..=4 {
        let why = disconnected(&mut fleet, id).await;
        assert_eq!(why.class, RetryClass::Passing, "{why:?}");
        let ceiling = (retry().first * 2_u32.pow(expected - 1)).min(retry().longest);
        assert!(why.retry_in <= ceiling, "{:?} after {expected}", why.retry_in);
    }
    assert!(health(&fleet, id).failures_in_a_row >= 4);
    cutting.abort();
    fleet.close().await;
}

#[tokio::test]
async fn a_controller_that_stalls_in_the_handshake_is_given_up_and_keeps_nobody_out() {
    let mut fleet = fleet(|config| config.handshake_limit = 2);
    let mut stalling = Vec::new();
    for _ in 0..6 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let controller = ScriptedController::start().await;
        let mut config = controller.client_config();
        config.handshake_timeout = Duration::from_millis(50);
        let id = add(&fleet, listener.local_addr().unwrap(), config);
        stalling.push((id, listener));
    }
    let labs = [Lab::start(|_| {}).await, Lab::start(|_| {}).await];
    let mut up = Vec::new();
    for lab in &labs {
        up.push(add_lab(&fleet, lab));
    }
    while !up.is_empty() {
        let id = take(&mut fleet, |event| {
            matches!(event.event, ControllerEvent::Subscribed(_)).then_some(event.id)
        })
        .await;
        up.retain(|other| *other != id);
    }
    let (id, _listener) = &stalling[0];
    let why = disconnected(&mut fleet, *id).await;
    assert!(why.failure.cause.contains("handshake"), "{}", why.failure);
    assert_eq!(why.class, RetryClass::Passing);
    fleet.close().await;
}

#[tokio::test]
async fn a_controller_that_asks_for_a_pause_gets_it() {
    let controller = ScriptedController::start().await;
    let mut fleet = fleet(|_| {});
    let id = add(&fleet, controller.address, controller.client_config());
    let mut tunnel = controller.accept().await;
    tunnel.subscribed().await;
    tunnel.connection.say_goodbye(&Disconnect {
        reason: DisconnectReason::RESTARTING,
        retry_after_seconds: Some(90),
        explanation: Some("software upgrade".into()),
    });
    tunnel.end().await;
    let why = disconnected(&mut fleet, id).await;
    assert!(why.retry_in >= Duration::from_secs(90), "{:?}", why.retry_in);
    assert!(why.failure.cause.contains("software upgrade"), "{}", why.failure);
    fleet.close().await;
}

#[tokio::test]
async fn a_controller_that_does_not_answer_the_subscription_is_left_with_a_goodbye() {
    let controller = ScriptedController::start().await;
    let mut fleet = fleet(|_| {});
    let mut config = controller.client_config();
    config.connection.request_timeout = Duration::from_millis(50);
    let id = add(&fleet, controller.address, config);
    let mut tunnel = controller.accept().await;
    tunnel.send().await;
    let why = disconnected(&mut fleet, id).await;
    assert!(why.failure.cause.contains("response"), "{}", why.failure);
    loop {
        if let nmsp::proto::Event::Closed(reason) = tunnel.event().await {
            assert!(
                matches!(reason, nmsp::proto::CloseReason::Disconnected { .. }),
                "{reason:?}"
            );
            break;
        }
    }
    fleet.close().await;
}

#[tokio::test]
async fn removing_a_controller_says_goodbye_to_it_alone() {
    let (first, second) = (Lab::start(|_| {}).await, Lab::start(|_| {}).await);
    let mut fleet = fleet(|_| {});
    let (leaving, staying) = (add_lab(&fleet, &first), add_lab(&fleet, &second));
    let mut up = 0;
    while up < 2 {
        up += usize::from(matches!(
            next(&mut fleet).await.event,
            ControllerEvent::Subscribed(_)
        ));
    }
    assert!(
        fleet.add(first.address.to_string()).is_err(),
        "a controller is in a fleet once"
    );
    assert!(fleet.remove(leaving).await);
    assert!(!fleet.remove(leaving).await);
    let last = take(&mut fleet, |event| {
        (event.id == leaving).then_some(matches!(event.event, ControllerEvent::Removed))
    });
    assert!(last.await, "nothing comes after it");
    until("the connection is gone", || is_alone(&first)).await;
    assert!(fleet.handle().health_of(leaving).is_none());
    assert!(is_up(&health(&fleet, staying)));
    add_lab(&fleet, &first);
    fleet.close().await;
    until("both are gone", || is_alone(&first) && is_alone(&second)).await;
}

#[tokio::test]
async fn a_removed_controller_is_let_go_in_whatever_state_it_is() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let controller = ScriptedController::start().await;
    let fleet = fleet(|config| config.handshake_limit = 1);
    let stalled = add(&fleet, listener.local_addr().unwrap(), controller.client_config());
    let queued = add(&fleet, controller.address, controller.client_config());
    until("the first is on its way", || {
        health(&fleet, stalled).state == ControllerState::Connecting
    })
    .await;
    assert_eq!(health(&fleet, queued).state, ControllerState::Queued);
    for id in [queued, stalled] {
        let removed = tokio::time::timeout(super::PATIENCE, fleet.remove(id)).await;
        assert!(removed.unwrap());
    }
    fleet.close().await;
}

#[tokio::test]
async fn a_new_subscription_holds_now_and_after_a_reconnect() {
    let controller = ScriptedController::start().await;
    let mut fleet = fleet(|_| {});
    let id = add(&fleet, controller.address, controller.client_config());
    let mut tunnel = controller.accept().await;
    assert_eq!(tunnel.subscribed().await, Services::MEASUREMENTS);
    subscribed(&mut fleet, id).await;
    let handle = fleet.handle().clone();
    let changing = handle.set_subscription(id, Services::WIPS);
    let (outcome, services) = tokio::join!(changing, tunnel.subscribed());
    assert_eq!(services, Services::WIPS);
    assert_eq!(outcome.unwrap().unwrap().accepted, Services::WIPS);
    tunnel.end().await;
    let mut tunnel = controller.accept().await;
    assert_eq!(tunnel.subscribed().await, Services::WIPS);
    fleet.close().await;
}
