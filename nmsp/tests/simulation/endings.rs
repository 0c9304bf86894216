use std::time::Duration;

use nmsp::proto::{CloseReason, Connection, ConnectionConfig, Event, ProtocolError, Role};
use nmsp::wire::message::Disconnect;
use nmsp::wire::numbers::DisconnectReason;
use nmsp::wire::{MessageType, OwnedMessage, Services, WireProfile};
use pki_common::{Diagnose as _, Rung, Side, TlsFault};

use super::network::Network;
use super::{close_reason, encoded, events_of, example, lone, measurements, offering, raw, sent};

fn goodbyes(connection: &mut Connection) -> Vec<Disconnect> {
    let goodbye = |(_, message)| match message {
        OwnedMessage::DisconnectNotification(goodbye) => Some(goodbye),
        _ => None,
    };
    sent(connection).into_iter().filter_map(goodbye).collect()
}

#[test]
fn a_goodbye_reaches_the_other_side_with_its_reason_behind_everything_that_was_sent_before() {
    for role in [Role::Controller, Role::LocationServer] {
        let mut network = Network::new(21, &ConnectionConfig::default());
        network.run(Duration::from_secs(1));
        network.subscribe(Services::RSSI_MS);
        network.run(Duration::from_secs(1));
        for sequence in 1..=5 {
            let controller = &mut network.controller.connection;
            controller.send_measurement(sequence, &measurements(9)).unwrap();
        }
        let entry_gone = "its entry was removed";
        network
            .end(role)
            .connection
            .close_with(DisconnectReason::NOT_AUTHORIZED, entry_gone);
        network.run(Duration::from_secs(2));

        let (here, there) = match role {
            Role::Controller => (&network.controller, &network.location_server),
            Role::LocationServer => (&network.location_server, &network.controller),
        };
        assert_eq!(close_reason(&here.events), Some(&CloseReason::ClosedLocally));
        let reason = close_reason(&there.events).unwrap();
        let expected = CloseReason::Disconnected {
            reason: DisconnectReason::NOT_AUTHORIZED,
            text: entry_gone.into(),
            retry_after: None,
        };
        assert_eq!(reason, &expected);
        assert!(!reason.is_ordinary());
        let failure = reason.diagnose();
        assert_eq!(failure.rung, Rung::Tls(TlsFault::AuthList));
        assert_eq!(failure.refused_by, Some(Side::Peer));
        assert!(matches!(there.events.last(), Some(Event::Closed(_))));
        if role == Role::Controller {
            let received = there.events.iter();
            let received = received.filter(|event| matches!(event, Event::Notification(_)));
            assert_eq!(received.count(), 5);
        }
    }
}

#[test]
fn both_sides_may_say_goodbye_at_once() {
    let mut network = Network::new(22, &ConnectionConfig::default());
    network.run(Duration::from_secs(1));
    network.controller.connection.close();
    network.location_server.connection.close();
    network.run(Duration::from_secs(1));
    for end in [&network.controller, &network.location_server] {
        assert_eq!(close_reason(&end.events), Some(&CloseReason::ClosedLocally));
        assert_eq!(
            end.events
                .iter()
                .filter(|e| matches!(e, Event::Closed(_)))
                .count(),
            1
        );
        assert_eq!(end.connection.poll_timeout(), None);
    }
}

#[test]
fn a_goodbye_says_when_to_come_back_and_is_not_answered() {
    let (mut server, now) = lone(Role::LocationServer);
    sent(&mut server);
    let goodbye = example(MessageType::DisconnectNotification);
    server.handle_input(now, &encoded(3, &goodbye));
    let events = events_of(&mut server);
    let expected = CloseReason::Disconnected {
        reason: DisconnectReason::SHUTTING_DOWN,
        text: "software update".into(),
        retry_after: Some(Duration::from_secs(30)),
    };
    assert_eq!(close_reason(&events), Some(&expected));
    assert!(expected.is_ordinary());
    assert_eq!(
        expected.to_string(),
        "the peer said goodbye: shutting down: software update"
    );
    assert_eq!(sent(&mut server), []);
}

#[test]
fn whoever_ends_a_connection_for_a_reason_tells_it() {
    type Act = fn(&mut Connection, std::time::Instant);
    let broken: Act = |connection, now| connection.handle_input(now, &raw(7, &[1]));
    let cut_inside: Act = |connection, now| {
        connection.handle_input(now, &raw(7, b"")[..5]);
        connection.handle_end_of_stream();
    };
    let silent: Act = |connection, now| connection.handle_timeout(now + Duration::from_secs(10));
    let closed: Act = |connection, _| connection.close();
    let left: Act = |connection, _| connection.handle_end_of_stream();
    for (what, act, reason) in [
        ("a broken body", broken, Some(DisconnectReason::PROTOCOL_ERROR)),
        (
            "half a message",
            cut_inside,
            Some(DisconnectReason::PROTOCOL_ERROR),
        ),
        ("no capability", silent, Some(DisconnectReason::PROTOCOL_ERROR)),
        ("closed", closed, Some(DisconnectReason::UNSPECIFIED)),
        ("the peer left", left, None),
    ] {
        for role in [Role::Controller, Role::LocationServer] {
            let (mut connection, now) = lone(role);
            act(&mut connection, now);
            assert!(connection.is_closed(), "{what}");
            let told: Vec<_> = goodbyes(&mut connection).iter().map(|told| told.reason).collect();
            assert_eq!(told, Vec::from_iter(reason), "{what}");
            // Whatever comes later changes nothing.
            connection.handle_input(now, &raw(40_000, b""));
            connection.handle_timeout(now + Duration::from_secs(1000));
            connection.handle_end_of_stream();
            connection.close();
            assert_eq!(sent(&mut connection), [], "{what}");
            assert_eq!(events_of(&mut connection).len(), 1, "{what}");
        }
    }
}

#[test]
fn the_words_of_a_goodbye_are_cut_at_a_character_and_it_is_left_out_where_the_profile_has_none() {
    let (mut connection, _) = lone(Role::Controller);
    connection.close_with(DisconnectReason::OVERLOADED, &"ä".repeat(700));
    let told = goodbyes(&mut connection);
    assert_eq!(told[0].explanation, Some("ä".repeat(256).into()));

    let profile = WireProfile::from_toml("[messages]\ndisconnect-notification = false").unwrap();
    let config = ConnectionConfig {
        profile: profile.into(),
        ..ConnectionConfig::default()
    };
    let mut connection = Connection::new(config, Role::Controller, std::time::Instant::now());
    sent(&mut connection);
    connection.close();
    assert!(connection.is_closed());
    assert_eq!(sent(&mut connection), []);
}

#[test]
fn a_stream_that_is_closed_in_one_direction_is_closed_in_the_other_and_what_waits_is_sent() {
    let (mut controller, now) = lone(Role::Controller);
    let capability = encoded(1, &example(MessageType::CapabilityNotification));
    controller.handle_input(now, &capability);
    controller.handle_input(now, &encoded(2, &OwnedMessage::EchoRequest(Default::default())));
    controller.handle_end_of_stream();
    assert_eq!(
        close_reason(&events_of(&mut controller)),
        Some(&CloseReason::ClosedByPeer)
    );
    let answered = sent(&mut controller);
    assert_eq!(
        answered.last(),
        Some(&(2, OwnedMessage::EchoResponse(Default::default())))
    );
}

#[test]
fn a_cut_ends_both_sides_with_a_reason_and_open_requests_with_them() {
    let mut network = Network::new(23, &offering(super::everything()));
    network.run(Duration::from_secs(5));
    network.cut();
    let server = &mut network.location_server.connection;
    let request = example(MessageType::DeviceInfoRequest);
    let transaction = server.request(network.now, &request).unwrap();
    network.run(Duration::from_secs(300));
    let ended = network.location_server.events.iter();
    let ended = ended.filter(|e| matches!(e, Event::RequestTimedOut { transaction: t } if *t == transaction));
    assert_eq!(ended.count(), 1);
    assert_eq!(
        close_reason(&network.location_server.events),
        Some(&CloseReason::EchoUnanswered(3))
    );
    assert!(matches!(
        close_reason(&network.controller.events),
        Some(CloseReason::Idle(_))
    ));
}

#[test]
fn a_stream_that_ends_inside_a_message_is_not_an_ordinary_end() {
    let reason = CloseReason::from(ProtocolError::StreamCut { pending: 3 });
    assert!(!reason.is_ordinary());
    assert!(CloseReason::ClosedByPeer.is_ordinary() && CloseReason::ClosedLocally.is_ordinary());
}
