use std::time::Duration;

use nmsp::proto::{CloseReason, Connection, ConnectionConfig, Event, ProtocolError, Role};
use nmsp::wire::elements::ServiceParameters;
use nmsp::wire::message::{Capability, ServiceSubscribeRequest};
use nmsp::wire::{MessageType, OwnedMessage, Services, SubscribeStatus, Text, WireProfile};

use super::network::Network;
use super::{close_reason, encoded, events_of, lone, offering, sent};

fn capability(version: u16, services: Services) -> Vec<u8> {
    let capability = Capability {
        version,
        services,
        ..Capability::default()
    };
    encoded(1, &OwnedMessage::CapabilityNotification(capability))
}

fn full_request(services: Services) -> ServiceSubscribeRequest {
    ServiceSubscribeRequest {
        services,
        access_point_groups: vec!["north".into(), "east".into()],
        parameters: vec![ServiceParameters {
            services,
            interval_seconds: 5,
            rssi_threshold_db: 3,
        }],
    }
}

#[test]
fn the_lower_version_of_both_is_spoken() {
    for (ours, theirs) in [(1, 1), (1, 7), (7, 1), (65_535, 2)] {
        let config = ConnectionConfig {
            protocol_version: ours,
            ..ConnectionConfig::default()
        };
        let now = std::time::Instant::now();
        let mut connection = Connection::new(config, Role::Controller, now);
        assert_eq!(connection.version(), None);
        connection.handle_input(now, &capability(theirs, Services::NONE));
        assert_eq!(connection.version(), Some(ours.min(theirs)));
        assert!(matches!(events_of(&mut connection)[..], [Event::Established(_)]));
    }
}

#[test]
fn a_version_that_nobody_speaks_ends_the_connection_and_says_so() {
    let (mut connection, now) = lone(Role::LocationServer);
    connection.handle_input(now, &capability(0, Services::RSSI_MS));
    let version = ProtocolError::Version {
        offered: 0,
        lowest: 1,
    };
    assert_eq!(
        close_reason(&events_of(&mut connection)),
        Some(&CloseReason::Protocol(version))
    );
}

#[test]
fn peers_without_a_common_service_stay_connected_and_unknown_bits_survive() {
    let strange = Services::WIPS | Services(1 << 50);
    let mut network = Network::between(41, &offering(Services::RSSI_MS), &offering(strange));
    network.run(Duration::from_secs(1));
    assert_eq!(network.controller.connection.peer().unwrap().services, strange);
    network.subscribe(strange);
    network.run(Duration::from_secs(100));
    let outcomes: Vec<_> = network
        .location_server
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Subscribed { outcome, .. } => Some(*outcome),
            _ => None,
        })
        .collect();
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0].status, SubscribeStatus::REJECTED);
    assert_eq!(outcomes[0].rejected, strange);
    assert!(!network.controller.connection.is_closed() && !network.location_server.connection.is_closed());
}

#[test]
fn names_and_versions_of_software_are_announced() {
    let config = ConnectionConfig {
        system_name: Some("wlc-1".into()),
        software_version: Some("17.9".into()),
        ..ConnectionConfig::default()
    };
    let mut network = Network::new(42, &config);
    network.run(Duration::from_secs(1));
    let peer = network.location_server.connection.peer().unwrap();
    assert_eq!(peer.system_name, Some(Text::from("wlc-1")));
    assert_eq!(peer.software_version, Some(Text::from("17.9")));
}

#[test]
fn both_sides_hold_the_same_groups_and_parameters() {
    let mut network = Network::new(43, &ConnectionConfig::default());
    let request = full_request(Services::RSSI_MS | Services::RSSI_RFID | Services::WIPS);
    let server = &mut network.location_server.connection;
    server.subscribe(network.now, &request).unwrap();
    network.run(Duration::from_secs(2));
    let held = network.controller.connection.subscription_detail().clone();
    assert_eq!(&held, network.location_server.connection.subscription_detail());
    assert_eq!(held.services, Services::RSSI_MS | Services::RSSI_RFID);
    assert_eq!(held.access_point_groups.len(), 2);
    assert_eq!(held.parameters[0].services, held.services);

    let server = &mut network.location_server.connection;
    server.unsubscribe(network.now, Services::RSSI_MS).unwrap();
    network.run(Duration::from_secs(2));
    let held = network.controller.connection.subscription_detail().clone();
    assert_eq!(&held, network.location_server.connection.subscription_detail());
    assert_eq!(held.services, Services::RSSI_RFID);
    assert_eq!(held.parameters[0].services, Services::RSSI_RFID);
    let answers = network.location_server.events.iter();
    let answers = answers.filter(|event| matches!(event, Event::Subscribed { .. }));
    assert_eq!(answers.count(), 2);
}

#[test]
fn unsubscribing_works_under_a_profile_without_a_message_for_it() {
    let profile = WireProfile::from_toml("[messages]\nservice-unsubscribe-request = false").unwrap();
    let config = ConnectionConfig {
        profile: profile.into(),
        ..ConnectionConfig::default()
    };
    let mut network = Network::new(44, &config);
    network.subscribe(Services::RSSI_MS | Services::RSSI_RFID);
    network.run(Duration::from_secs(2));
    let server = &mut network.location_server.connection;
    server.unsubscribe(network.now, Services::RSSI_MS).unwrap();
    network.run(Duration::from_secs(2));
    assert_eq!(network.controller.connection.subscription(), Services::RSSI_RFID);
    assert_eq!(
        network.location_server.connection.subscription(),
        Services::RSSI_RFID
    );
}

#[test]
fn a_controller_that_offers_less_ends_what_it_does_not_offer_any_more_on_both_sides() {
    let mut network = Network::new(45, &ConnectionConfig::default());
    let request = full_request(Services::RSSI_MS | Services::RSSI_RFID);
    let server = &mut network.location_server.connection;
    server.subscribe(network.now, &request).unwrap();
    network.run(Duration::from_secs(2));
    network.controller.connection.offer(Services::RSSI_RFID).unwrap();
    network.run(Duration::from_secs(2));
    for end in [&network.controller, &network.location_server] {
        assert_eq!(end.connection.subscription(), Services::RSSI_RFID);
        assert!(matches!(
            end.events.last(),
            Some(Event::SubscriptionChanged { subscription, rejected })
                if subscription.services == Services::RSSI_RFID && *rejected == Services::RSSI_MS
        ));
    }
    let changed = network.location_server.events.iter();
    let changed = changed.filter(|event| matches!(event, Event::CapabilityChanged(_)));
    assert_eq!(changed.count(), 1);
}

#[test]
fn a_subscription_with_too_many_groups_is_rejected_and_changes_nothing() {
    let config = ConnectionConfig {
        max_subscription_entries: 3,
        ..ConnectionConfig::default()
    };
    let mut network = Network::new(46, &config);
    network.subscribe(Services::RSSI_RFID);
    network.run(Duration::from_secs(2));
    let request = ServiceSubscribeRequest {
        access_point_groups: ["a", "b", "c", "d"].map(Text::from).into(),
        ..Services::RSSI_MS.into()
    };
    let server = &mut network.location_server.connection;
    server.subscribe(network.now, &request).unwrap();
    network.run(Duration::from_secs(2));
    let Some(Event::Subscribed {
        outcome, response, ..
    }) = network.location_server.events.last()
    else {
        panic!("answered")
    };
    assert_eq!(outcome.status, SubscribeStatus::REJECTED);
    assert_eq!(outcome.rejected, Services::RSSI_MS);
    let text = response.explanation.as_ref().unwrap().to_string();
    assert_eq!(
        text,
        "4 groups and parameters, at most 3 are taken; nothing has changed"
    );
    assert_eq!(network.controller.connection.subscription(), Services::RSSI_RFID);
    assert_eq!(
        network.location_server.connection.subscription(),
        Services::RSSI_RFID
    );
}

#[test]
fn requests_before_the_capabilities_are_answered() {
    let (mut controller, now) = lone(Role::Controller);
    sent(&mut controller);
    let request = OwnedMessage::ServiceSubscribeRequest(Services::RSSI_MS.into());
    controller.handle_input(now, &encoded(8, &request));
    let answers = sent(&mut controller);
    assert_eq!(answers.len(), 1);
    assert_eq!(
        answers[0].1.message_type(),
        Some(MessageType::ServiceSubscribeResponse)
    );
}
