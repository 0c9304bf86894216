//! Two connections in one simulated network: virtual clock, seeded delays, fragments down to single bytes, cuts.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::time::{Duration, Instant};

use bytes::BytesMut;
use nmsp::proto::{CloseReason, Connection, ConnectionConfig, Event, ProtocolError, RequestError, Role};
use nmsp::wire::frame::{Header, encode_message};
use nmsp::wire::message::{Capability, Measurement, ServiceSubscribeResponse, Timestamp};
use nmsp::wire::{
    MessageId, MessageType, Service, Services, StationClass, SubscribeStatus, WireProfile, Writer,
};
use pki_common::MacAddr;
use proptest::prelude::*;

/// A small generator with a seed (xorshift), so that a failure can be repeated.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// One end with the bytes that travel towards it and the events it reported.
struct End {
    connection: Connection,
    arriving: Vec<(Instant, Vec<u8>)>,
    events: Vec<Event>,
}

struct Network {
    now: Instant,
    random: Seeded,
    controller: End,
    location_server: End,
    /// Nothing arrives any more.
    cut: bool,
}

impl Network {
    fn new(seed: u64, config: &ConnectionConfig) -> Self {
        let now = Instant::now();
        let end = |role| End {
            connection: Connection::new(config.clone(), role, now),
            arriving: Vec::new(),
            events: Vec::new(),
        };
        Self {
            now,
            random: Seeded(seed | 1),
            controller: end(Role::Controller),
            location_server: end(Role::LocationServer),
            cut: false,
        }
    }

    fn run(&mut self, for_how_long: Duration) {
        let end = self.now + for_how_long;
        loop {
            self.exchange();
            let next = [&self.controller, &self.location_server]
                .into_iter()
                .flat_map(|end| {
                    end.connection
                        .poll_timeout()
                        .into_iter()
                        .chain(end.arriving.first().map(|(at, _)| *at))
                })
                .min();
            match next {
                Some(at) if at <= end => self.now = self.now.max(at),
                _ => break,
            }
            self.deliver();
        }
        self.now = end;
    }

    /// Moves what the ends want to send onto the wire, in fragments that arrive in order, and collects events.
    fn exchange(&mut self) {
        for _ in 0..2 {
            send(
                self.now,
                self.cut,
                &mut self.random,
                &mut self.controller,
                &mut self.location_server,
            );
            std::mem::swap(&mut self.controller, &mut self.location_server);
        }
    }

    fn deliver(&mut self) {
        for end in [&mut self.controller, &mut self.location_server] {
            while end.arriving.first().is_some_and(|(at, _)| *at <= self.now) {
                let (_, bytes) = end.arriving.remove(0);
                end.connection.handle_input(self.now, &bytes);
            }
            end.connection.handle_timeout(self.now);
        }
    }

    fn subscribe(&mut self, services: Services) -> u32 {
        self.location_server
            .connection
            .subscribe(self.now, &services.into())
            .unwrap()
    }
}

fn send(now: Instant, cut: bool, random: &mut Seeded, from: &mut End, to: &mut End) {
    from.events
        .extend(std::iter::from_fn(|| from.connection.poll_event()));
    let mut out = BytesMut::new();
    from.connection.poll_transmit(&mut out);
    let mut bytes = &out[..];
    while !bytes.is_empty() && !cut {
        let length = usize::try_from(1 + random.below(40)).unwrap().min(bytes.len());
        let length = if random.below(3) == 0 { 1 } else { length };
        let (fragment, rest) = bytes.split_at(length);
        let earliest = to.arriving.last().map_or(now, |(at, _)| *at);
        to.arriving.push((
            earliest.max(now + Duration::from_millis(random.below(50))),
            fragment.to_vec(),
        ));
        bytes = rest;
    }
}

fn body(stations: u8) -> Vec<u8> {
    let mut out = BytesMut::new();
    for last in 0..stations {
        let measurement = Measurement {
            station: MacAddr::from([2, 0, 0, 0, 0, last]),
            class: StationClass::CLIENT,
            timestamp: Timestamp(1_000 + u64::from(last)),
            ..Measurement::default()
        };
        measurement
            .encode(&mut Writer::new(&mut out, WireProfile::built_in()))
            .unwrap();
    }
    out.to_vec()
}

fn established(events: &[Event]) -> Option<Capability> {
    events.iter().find_map(|event| match event {
        Event::Established(capability) => Some(capability.clone()),
        _ => None,
    })
}

fn close_reason(events: &[Event]) -> Option<&CloseReason> {
    events.iter().find_map(|event| match event {
        Event::Closed(reason) => Some(reason),
        _ => None,
    })
}

/// What a peer with a mind of its own sends: a whole message with any id and body.
fn raw(id: u16, body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode_message(
        Header::new(MessageId(id), 99),
        WireProfile::built_in(),
        &mut out,
        |w| {
            w.bytes(body);
            Ok(())
        },
    )
    .unwrap();
    out.to_vec()
}

fn lone(role: Role) -> (Connection, Instant) {
    let now = Instant::now();
    (Connection::new(ConnectionConfig::default(), role, now), now)
}

fn events_of(connection: &mut Connection) -> Vec<Event> {
    std::iter::from_fn(|| connection.poll_event()).collect()
}

fn exchange_measurements(seed: u64) {
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
            .send_measurement(count.into(), &body(count))
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
    network.cut = true;
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
fn a_request_without_an_answer_times_out_once_and_its_late_answer_is_ignored() {
    let mut network = Network::new(5, &ConnectionConfig::default());
    network.run(Duration::from_secs(2));
    network.cut = true;
    let transaction = network.subscribe(Services::RSSI_MS);
    network.run(Duration::from_secs(11));
    let timeouts = |events: &[Event]| {
        events
            .iter()
            .filter(|e| matches!(e, Event::RequestTimedOut { transaction: t } if *t == transaction))
            .count()
    };
    assert_eq!(timeouts(&network.location_server.events), 1);

    let outcome = nmsp::wire::message::SubscribeOutcome::of(Services::RSSI_MS, Services::MEASUREMENTS);
    let mut late = BytesMut::new();
    encode_message(
        Header::new(MessageId(31), transaction),
        WireProfile::built_in(),
        &mut late,
        |w| ServiceSubscribeResponse::from(outcome).encode(w),
    )
    .unwrap();
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
        wrong(Role::Controller, 15, &body(1)),
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
    server.handle_input(now, &raw(15, &body(3)));
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
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_session_loses_nothing_whatever_the_network_does(seed: u64) {
        exchange_measurements(seed);
    }

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
