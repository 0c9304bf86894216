//! What a fleet says of its controllers.

use std::time::{Duration, SystemTime};

use nmsp::client::fleet::ControllerState;
use nmsp::wire::StationClass;
use nmsp::wire::message::{Measurement, Timestamp};
use pki_common::tls::{ClientTls, PeerVerifier};

use super::support::{Lab, authlist_with_wrong_hash, identity, measurement};
use super::{CONTROLLER, LOCATION_SERVER, SocketAddr};
use super::{add, add_lab, authlist_of, disconnected, fleet, health, notified, subscribed};

fn measured_at(offset_seconds: i64) -> Measurement {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let milliseconds = u64::try_from(now.as_millis()).unwrap();
    Measurement {
        timestamp: Timestamp(milliseconds.saturating_add_signed(offset_seconds * 1000)),
        ..measurement(1, StationClass::CLIENT)
    }
}

#[tokio::test]
async fn the_clock_of_a_controller_is_compared_with_ours() {
    let mut fleet = fleet(|_| {});
    for (offset, behind) in [(3_600, false), (-3_600, true)] {
        let lab = Lab::start(|_| {}).await;
        let id = add_lab(&fleet, &lab);
        subscribed(&mut fleet, id).await;
        assert_eq!(health(&fleet, id).clock_skew, None, "nothing was measured yet");
        lab.handle.publish(&measured_at(offset)).unwrap();
        notified(&mut fleet, id).await;
        let health = health(&fleet, id);
        let skew = health.clock_skew.unwrap();
        // The message was on its way for less than the patience of a test.
        let late = offset * 1000 - skew.at_least_ahead_ms;
        assert!((0..60_000).contains(&late), "{skew:?}");
        assert_eq!(skew.seems_behind(), behind);
        let text = health.to_string();
        assert_eq!(text.contains("compare both with NTP"), behind, "{text}");
    }
    fleet.close().await;
}

#[tokio::test]
async fn a_refusal_names_rung_cause_and_remedy_whoever_refused() {
    let mut fleet = fleet(|_| {});
    let lab = Lab::start(|_| {}).await;

    // We refuse: the controller is not in our list.
    let stranger = PeerVerifier::authlist(authlist_of(&identity(CONTROLLER)));
    let tls = ClientTls::new(stranger).with_identity(lab.location_server.clone());
    let id = add(&fleet, lab.address, nmsp::client::ClientConfig::new(tls));
    disconnected(&mut fleet, id).await;
    let text = health(&fleet, id).to_string();
    assert!(
        text.contains("rung: TLS (authlist), refused by this side with alert 46"),
        "{text}"
    );
    fleet.remove(id).await;

    // The controller refuses.
    lab.authlist.replace(authlist_with_wrong_hash(LOCATION_SERVER));
    let id = add_lab(&fleet, &lab);
    disconnected(&mut fleet, id).await;
    let text = health(&fleet, id).to_string();
    for part in [
        "waiting for",
        "next attempt in",
        "needs attention",
        "rung: TLS (authlist), refused by the peer with alert 46 certificate_unknown",
        "\ncause: ",
        "\nremedy: ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    fleet.close().await;
}

#[tokio::test]
async fn nobody_there_is_told_apart_from_a_name_that_nobody_has() {
    let mut fleet = fleet(|_| {});
    let unused: SocketAddr = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let nobody = fleet.add(unused.to_string()).unwrap();
    disconnected(&mut fleet, nobody).await;
    let told = health(&fleet, nobody);
    assert!(told.to_string().contains("rung: TCP"), "{told}");
    assert!(!told.needs_attention());
    assert!(fleet.remove(nobody).await);

    let nameless = fleet.add("no-such-controller.invalid").unwrap();
    disconnected(&mut fleet, nameless).await;
    let told = health(&fleet, nameless);
    assert!(told.to_string().contains("rung: name resolution"), "{told}");
    assert_eq!(&*told.controller.host, "no-such-controller.invalid:16113");
    fleet.close().await;
}

#[tokio::test]
async fn a_stable_connection_forgets_the_failures_before_it() {
    let lab = Lab::start(|_| {}).await;
    lab.authlist.replace(authlist_with_wrong_hash(LOCATION_SERVER));
    let mut fleet = fleet(|config| {
        config.retry.stable_after = Duration::from_millis(10);
        config.retry.attention = Duration::from_millis(20);
    });
    let id = add_lab(&fleet, &lab);
    for _ in 0..2 {
        disconnected(&mut fleet, id).await;
    }
    assert!(health(&fleet, id).failures_in_a_row >= 2);
    lab.authlist
        .replace((*authlist_of(&lab.location_server).load()).clone());
    subscribed(&mut fleet, id).await;
    super::support::until("it is stable", || health(&fleet, id).failures_in_a_row == 0).await;
    assert_eq!(health(&fleet, id).state, ControllerState::Up);
    fleet.close().await;
}
