use std::time::Duration;

use nmsp::proto::{CloseReason, ConnectionConfig, Event, ProtocolError, RequestError, Role};
use nmsp::wire::{MessageId, MessageType, Services};
use proptest::prelude::*;

use super::{close_reason, events_of, lone, measurements, raw};

#[test]
fn an_unknown_message_is_counted_and_surfaced_and_the_connection_lives() {
    let (mut controller, now) = lone(Role::Controller);
    controller.handle_input(now, &raw(40_000, b"whatever"));
    let events = events_of(&mut controller);
    let [Event::Unsupported(unsupported)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(
        (unsupported.id(), unsupported.message_type()),
        (MessageId(40_000), None)
    );
    assert_eq!(&unsupported.body()[..], b"whatever");
    assert_eq!(controller.counters().snapshot().unsupported_msg_count, 1);
    assert!(!controller.is_closed());
}

#[test]
fn a_message_that_only_the_other_role_sends_ends_the_connection() {
    let wrong = |role, id: u16, body: &[u8]| {
        let (mut connection, now) = lone(role);
        connection.handle_input(now, &raw(id, body));
        match close_reason(&events_of(&mut connection)) {
            Some(CloseReason::Protocol(ProtocolError::WrongDirection { message, .. })) => *message,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        wrong(Role::Controller, 15, &measurements(1)),
        MessageType::MeasurementNotification
    );
    assert_eq!(wrong(Role::Controller, 2, b""), MessageType::EchoResponse);
    assert_eq!(wrong(Role::LocationServer, 1, b""), MessageType::EchoRequest);
    let mask = [0, 2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1];
    assert_eq!(
        wrong(Role::LocationServer, 30, &mask),
        MessageType::ServiceSubscribeRequest
    );
}

#[test]
fn a_measurement_without_a_subscription_is_counted_and_ignored() {
    let (mut server, now) = lone(Role::LocationServer);
    server.handle_input(now, &raw(15, &measurements(3)));
    assert!(events_of(&mut server).is_empty());
    assert_eq!(
        server
            .counters()
            .snapshot()
            .unsolicited(MessageType::MeasurementNotification),
        1
    );
}

#[test]
fn a_broken_body_names_message_byte_and_field() {
    let (mut controller, now) = lone(Role::Controller);
    controller.handle_input(now, &raw(30, &[0, 2, 0, 8, 1]));
    let events = events_of(&mut controller);
    assert_eq!(
        close_reason(&events).unwrap().to_string(),
        "protocol error: Service Subscribe Request cannot be decoded: byte 16 (TLV value): 8 bytes are needed but only \
         1 follow"
    );
}

#[test]
fn a_stream_that_ends_inside_a_message_is_told_from_one_that_ends_between_messages() {
    for (bytes, expected) in [
        (
            &raw(1, b"")[..7],
            CloseReason::Protocol(ProtocolError::StreamCut { pending: 7 }),
        ),
        (&[][..], CloseReason::ClosedByPeer),
    ] {
        let (mut controller, now) = lone(Role::Controller);
        controller.handle_input(now, bytes);
        controller.handle_end_of_stream();
        assert_eq!(close_reason(&events_of(&mut controller)), Some(&expected));
    }
}

#[test]
fn half_a_message_does_not_keep_a_controller_waiting_for_ever() {
    let (mut controller, now) = lone(Role::Controller);
    let capability = raw(7, &[0, 1, 0, 2, 0, 1, 0, 2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 31]);
    controller.handle_input(now, &capability);
    for second in 1..60 {
        // One byte a second is not a sign of life.
        controller.handle_input(
            now + Duration::from_secs(second),
            &raw(1, &[0; 100])[..1][..usize::from(second == 1)],
        );
        controller.handle_timeout(now + Duration::from_secs(second));
    }
    assert!(!controller.is_closed());
    controller.handle_timeout(now + Duration::from_secs(60));
    assert!(matches!(
        close_reason(&events_of(&mut controller)),
        Some(CloseReason::Idle(_))
    ));
}

#[test]
fn a_peer_that_never_says_what_it_can_do_is_given_up() {
    for role in [Role::Controller, Role::LocationServer] {
        let (mut connection, now) = lone(role);
        let timeout = ConnectionConfig::default().capability_timeout;
        connection.handle_timeout(now + timeout);
        assert_eq!(
            close_reason(&events_of(&mut connection)),
            Some(&CloseReason::CapabilityTimedOut(timeout))
        );
    }
}

#[test]
fn silence_is_not_held_against_the_peer_while_nobody_reads() {
    let (mut server, start) = lone(Role::LocationServer);
    server.handle_input(
        start,
        &raw(7, &[0, 1, 0, 2, 0, 1, 0, 2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 31]),
    );
    server.set_receiving(start, false);
    for minute in 1..=30 {
        server.handle_timeout(start + Duration::from_secs(60 * minute));
    }
    assert!(!server.is_closed());
    assert_eq!(server.counters().tx(MessageType::EchoRequest), 30);
}

#[test]
fn requests_are_bounded_and_belong_to_the_location_server() {
    let (mut server, now) = lone(Role::LocationServer);
    let limit = nmsp::proto::DEFAULT_MAX_PENDING_REQUESTS;
    for _ in 0..limit {
        server.subscribe(now, &Services::NONE.into()).unwrap();
    }
    assert_eq!(
        server.subscribe(now, &Services::NONE.into()),
        Err(RequestError::TooManyPending { limit })
    );
    let (mut controller, now) = lone(Role::Controller);
    assert_eq!(
        controller.subscribe(now, &Services::NONE.into()),
        Err(RequestError::WrongRole(Role::Controller))
    );
    controller.close();
    assert_eq!(controller.send_measurement(1, &[]), Err(RequestError::Closed));
}

proptest! {
    #[test]
    fn no_input_makes_a_connection_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for role in [Role::Controller, Role::LocationServer] {
            let (mut connection, now) = lone(role);
            connection.handle_input(now, &bytes);
            connection.handle_timeout(now + Duration::from_secs(100));
            connection.handle_end_of_stream();
            prop_assert!(connection.is_closed());
        }
    }
}
