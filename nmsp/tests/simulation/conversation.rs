use std::time::Duration;

use nmsp::proto::{CloseReason, ConnectionConfig, Event};
use nmsp::wire::message::{Capability, ServiceSubscribeResponse, SubscribeOutcome};
use nmsp::wire::{MessageType, OwnedMessage, Service, Services, SubscribeStatus};

use super::network::Network;
use super::{close_reason, encoded, measurements};

fn established(events: &[Event]) -> Option<Capability> {
    events.iter().find_map(|event| match event {
        Event::Established(capability) => Some(capability.clone()),
        _ => None,
    })
}

pub(crate) fn exchange_measurements(seed: u64) {
    let mut network = Network::new(seed, &ConnectionConfig::default());
    network.run(Duration::from_secs(2));
    assert_eq!(
        established(&network.controller.events).unwrap().services,
        Services::MEASUREMENTS
    );
    assert_eq!(
        established(&network.location_server.events).unwrap().services,
        Services::MEASUREMENTS
    );

    network.subscribe(Services::RSSI_MS | Services::WIPS);
    network.run(Duration::from_secs(2));
    assert!(network.location_server.events.iter().any(|event| matches!(
        event,
        Event::Subscribed { outcome, .. } if outcome.status == SubscribeStatus::PARTLY_ACCEPTED
            && outcome.accepted == Services::RSSI_MS && outcome.rejected == Services::WIPS
    )));
    assert!(
        network
            .controller
            .connection
            .subscription()
            .contains(Service::RssiMs)
    );

    for count in 1..=20 {
        network
            .controller
            .connection
            .send_measurement(count.into(), &measurements(count))
            .unwrap();
    }
    network.run(Duration::from_secs(600));
    let received: Vec<_> = network
        .location_server
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Notification(frame) => {
                Some((frame.sequence(), frame.measurement().unwrap().stations().count()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        received,
        (1..=20)
            .map(|n| (n, usize::try_from(n).unwrap()))
            .collect::<Vec<_>>()
    );

    // Ten minutes of silence: the echo keepalive holds the connection, and both sides count the same.
    assert!(close_reason(&network.controller.events).is_none());
    let (controller, server) = (
        network.controller.connection.counters().snapshot(),
        network.location_server.connection.counters().snapshot(),
    );
    assert!(server.tx(MessageType::EchoRequest) >= 39);
    assert_eq!(server.tx_msg_counter, controller.rx_msg_counter);
    assert_eq!(server.rx_msg_counter, controller.tx_msg_counter);
    assert_eq!(server.tx_data_frames, controller.rx_data_frames);
}

#[test]
fn a_session_in_single_bytes_and_delays_loses_nothing() {
    exchange_measurements(7);
}

#[test]
fn both_sides_notice_a_cut_network() {
    let mut network = Network::new(3, &ConnectionConfig::default());
    network.run(Duration::from_secs(5));
    network.cut();
    network.run(Duration::from_secs(300));
    assert_eq!(
        close_reason(&network.location_server.events),
        Some(&CloseReason::EchoUnanswered(3))
    );
    let idle = ConnectionConfig::default().idle_timeout;
    assert_eq!(
        close_reason(&network.controller.events),
        Some(&CloseReason::Idle(idle))
    );
    assert_eq!(network.controller.connection.poll_timeout(), None);
}

#[test]
fn a_request_without_an_answer_times_out_once_and_its_late_answer_only_tells_what_is_subscribed() {
    let mut network = Network::new(5, &ConnectionConfig::default());
    network.run(Duration::from_secs(2));
    network.cut();
    let transaction = network.subscribe(Services::RSSI_MS);
    network.run(Duration::from_secs(11));
    let timeouts = |events: &[Event]| {
        events
            .iter()
            .filter(|e| matches!(e, Event::RequestTimedOut { transaction: t } if *t == transaction))
            .count()
    };
    assert_eq!(timeouts(&network.location_server.events), 1);

    let outcome = SubscribeOutcome::of(Services::RSSI_MS, Services::MEASUREMENTS);
    let response = ServiceSubscribeResponse::from(outcome);
    let late = encoded(transaction, &OwnedMessage::ServiceSubscribeResponse(response));
    network
        .location_server
        .connection
        .handle_input(network.now, &late);
    assert_eq!(
        network
            .location_server
            .connection
            .counters()
            .snapshot()
            .unmatched_responses,
        1
    );
    let events = super::events_of(&mut network.location_server.connection);
    assert!(
        matches!(&events[..], [Event::SubscriptionChanged { subscription, .. }] if subscription.services == Services::RSSI_MS),
        "{events:?}"
    );
    assert!(!network.location_server.connection.is_closed());
}

#[test]
fn a_second_subscription_replaces_the_first_and_the_empty_one_unsubscribes() {
    let mut network = Network::new(11, &ConnectionConfig::default());
    for services in [
        Services::RSSI_MS | Services::RSSI_RFID,
        Services::RSSI_ROGUE,
        Services::NONE,
    ] {
        network.subscribe(services);
        network.run(Duration::from_secs(2));
        assert_eq!(network.controller.connection.subscription(), services);
        assert_eq!(network.location_server.connection.subscription(), services);
    }
}
