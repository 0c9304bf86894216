use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nmsp::proto::{CloseReason, Connection, ConnectionConfig, Event, Exchange, Role};
use nmsp::wire::elements::{Part, ServiceParameters};
use nmsp::wire::message::{Sender, ServiceSubscribeRequest};
use nmsp::wire::numbers::{DisconnectReason, StatusCode};
use nmsp::wire::{MessageType, OwnedMessage, Services};
use proptest::prelude::*;

use super::conversation::exchange_measurements;
use super::network::{Network, Seeded};
use super::{close_reason, everything, examples, offering};

/// What the two applications do, one step after another.
#[derive(Clone, Debug)]
enum Step {
    Run { milliseconds: u64 },
    Subscribe { services: u64, groups: u8 },
    Unsubscribe { services: u64 },
    Ask { role: Role, request: usize },
    Tell { role: Role, notification: usize },
    Offer { services: u64 },
    Pause { role: Role, milliseconds: u64 },
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Controller), Just(Role::LocationServer)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..12_000).prop_map(|milliseconds| Step::Run { milliseconds }),
        3 => (any::<u64>(), 0_u8..4).prop_map(|(services, groups)| Step::Subscribe { services, groups }),
        1 => any::<u64>().prop_map(|services| Step::Unsubscribe { services }),
        5 => (role(), any::<usize>()).prop_map(|(role, request)| Step::Ask { role, request }),
        5 => (role(), any::<usize>()).prop_map(|(role, notification)| Step::Tell { role, notification }),
        1 => any::<u64>().prop_map(|services| Step::Offer { services }),
        1 => (role(), 0_u64..30_000).prop_map(|(role, milliseconds)| Step::Pause { role, milliseconds }),
    ]
}

/// How a session ends.
#[derive(Clone, Debug)]
enum End {
    Quiet,
    Cut,
    Goodbye(Role),
    Goodbyes,
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        Just(End::Quiet),
        Just(End::Cut),
        role().prop_map(End::Goodbye),
        Just(End::Goodbyes),
    ]
}

/// Two applications that answer whatever they are asked in a way that the seed decides: at once, in parts, with a status,
/// or not at all.
struct Session {
    network: Network,
    random: Seeded,
    requests: Vec<OwnedMessage>,
    notifications: Vec<OwnedMessage>,
    responses: Vec<OwnedMessage>,
    /// Transactions of requests, by the side that asked.
    asked: BTreeMap<bool, Vec<u32>>,
    /// What was told, by the side that told it.
    told: BTreeMap<bool, Vec<(u32, OwnedMessage)>>,
}

pub(crate) fn may_send(role: Role, message: &OwnedMessage) -> bool {
    match (message.message_type().unwrap().sender(), role) {
        (Sender::Controller, role) => role == Role::Controller,
        (Sender::LocationServer, role) => role == Role::LocationServer,
        _ => true,
    }
}

impl Session {
    fn new(seed: u64, request_timeout: Duration) -> Self {
        let config = ConnectionConfig {
            request_timeout,
            ..offering(everything())
        };
        let of = |wanted: fn(Exchange) -> bool| -> Vec<_> {
            let own = [
                MessageType::CapabilityNotification,
                MessageType::DisconnectNotification,
            ];
            let mut all = examples();
            all.retain(|message| {
                let message = message.message_type().unwrap();
                wanted(Exchange::of(message)) && !own.contains(&message)
            });
            all
        };
        Self {
            network: Network::new(seed, &config),
            random: Seeded::new(seed ^ 0x5bd1_e995),
            requests: of(|exchange| matches!(exchange, Exchange::Request { .. })),
            notifications: of(|exchange| matches!(exchange, Exchange::Notification { .. })),
            responses: of(|exchange| exchange == Exchange::Response),
            asked: BTreeMap::new(),
            told: BTreeMap::new(),
        }
    }

    fn run(&mut self, milliseconds: u64) {
        let (random, responses) = (&mut self.random, &self.responses);
        self.network.run_with(
            Duration::from_millis(milliseconds),
            &mut |connection, now, event| {
                if let Event::Request { transaction, frame } = event {
                    let request = frame.message_type().unwrap();
                    answer(connection, now, *transaction, request, random.below(6), responses);
                }
            },
        );
    }

    fn asked(&mut self, role: Role, transaction: Option<u32>) {
        let by = self.asked.entry(role == Role::Controller).or_default();
        by.extend(transaction);
    }

    fn take(&mut self, step: &Step) {
        let now = self.network.now;
        let server = &mut self.network.location_server.connection;
        match *step {
            Step::Run { milliseconds } => self.run(milliseconds),
            Step::Subscribe { services, groups } => {
                let request = ServiceSubscribeRequest {
                    services: Services(services),
                    access_point_groups: (0..groups).map(|n| format!("group {n}").into()).collect(),
                    parameters: vec![ServiceParameters {
                        services: Services(services.rotate_left(3)),
                        interval_seconds: 180,
                        rssi_threshold_db: groups,
                    }],
                };
                let transaction = server.subscribe(now, &request).ok();
                self.asked(Role::LocationServer, transaction);
            }
            Step::Unsubscribe { services } => {
                let transaction = server.unsubscribe(now, Services(services)).ok();
                self.asked(Role::LocationServer, transaction);
            }
            Step::Ask { role, request } => {
                let request = &self.requests[request % self.requests.len()];
                if may_send(role, request) {
                    let transaction = self.network.end(role).connection.request(now, request).ok();
                    self.asked(role, transaction);
                }
            }
            Step::Tell { role, notification } => {
                let told = self.notifications[notification % self.notifications.len()].clone();
                if may_send(role, &told) {
                    let by = self.told.entry(role == Role::Controller).or_default();
                    let sequence = u32::try_from(by.len()).unwrap() + 1;
                    if self.network.end(role).connection.notify(sequence, &told).is_ok() {
                        by.push((sequence, told));
                    }
                }
            }
            Step::Offer { services } => {
                let controller = &mut self.network.controller.connection;
                assert_eq!(
                    controller.offer(Services(services)).is_err(),
                    controller.is_closed()
                );
            }
            Step::Pause { role, milliseconds } => {
                self.network.end(role).connection.set_receiving(now, false);
                self.run(milliseconds);
                let now = self.network.now;
                self.network.end(role).connection.set_receiving(now, true);
            }
        }
    }

    /// Every request has exactly one of: an answer, a time-out, the end of the connection.
    fn every_request_has_one_end(&mut self) {
        for role in [Role::Controller, Role::LocationServer] {
            let asked = self.asked.remove(&(role == Role::Controller)).unwrap_or_default();
            let end = self.network.end(role);
            let mut ends: BTreeMap<u32, usize> = asked.iter().map(|transaction| (*transaction, 0)).collect();
            assert_eq!(
                ends.len(),
                asked.len(),
                "each request has a transaction of its own"
            );
            for event in &end.events {
                let (Event::Subscribed { transaction, .. }
                | Event::RequestTimedOut { transaction }
                | Event::Response {
                    transaction,
                    last: true,
                    ..
                }) = event
                else {
                    continue;
                };
                *ends.get_mut(transaction).expect("nobody asked this") += 1;
            }
            let open = ends.values().filter(|count| **count == 0).count();
            assert!(ends.values().all(|count| *count <= 1), "{role}: {ends:?}");
            if end.connection.is_closed() {
                assert!(matches!(end.events.last(), Some(Event::Closed(_))));
            } else {
                assert_eq!((open, end.connection.open_requests()), (0, (0, 0)), "{role}");
            }
        }
    }

    /// What one side told arrived in its order, each once; what is missing was counted, or is behind a cut.
    fn nothing_is_lost_duplicated_or_reordered(&mut self, was_cut: bool) {
        for role in [Role::Controller, Role::LocationServer] {
            let told = self.told.remove(&(role == Role::Controller)).unwrap_or_default();
            let receiver = self.network.end(match role {
                Role::Controller => Role::LocationServer,
                Role::LocationServer => Role::Controller,
            });
            let counters = receiver.connection.counters().snapshot();
            let ignored: u64 = counters
                .unsolicited_notifications
                .iter()
                .map(|count| count.count)
                .sum();
            let mut rest = told.iter();
            let mut received = 0;
            for event in &receiver.events {
                if let Event::Notification(frame) = event {
                    received += 1;
                    let found = rest.find(|(sequence, _)| *sequence == frame.sequence());
                    assert_eq!(
                        found.map(|(_, message)| message),
                        Some(&frame.to_owned()),
                        "{role}"
                    );
                }
            }
            let arrived = received + ignored;
            let told = u64::try_from(told.len()).unwrap();
            assert!(
                arrived == told || (was_cut && arrived < told),
                "{arrived} of {told}"
            );
        }
    }

    fn both_sides_agree(&self) {
        let (controller, server) = (
            &self.network.controller.connection,
            &self.network.location_server.connection,
        );
        assert!(self.network.is_quiet());
        assert_eq!(controller.subscription_detail(), server.subscription_detail());
        let (c, s) = (controller.counters().snapshot(), server.counters().snapshot());
        assert_eq!(c.tx_msg_counter, s.rx_msg_counter);
        assert_eq!(c.rx_msg_counter, s.tx_msg_counter);
        assert_eq!(
            (c.tx_data_frames, c.rx_data_frames),
            (s.rx_data_frames, s.tx_data_frames)
        );
        assert_eq!((c.tx_bytes, c.rx_bytes), (s.rx_bytes, s.tx_bytes));
    }

    fn finish(&mut self, end: &End) {
        match end {
            End::Quiet => {
                self.run(120_000);
                // An echo may be on its way just now; between two of them nothing is.
                while !self.network.is_quiet() {
                    self.run(1000);
                }
                self.both_sides_agree();
                for end in [&self.network.controller, &self.network.location_server] {
                    assert_eq!(close_reason(&end.events), None);
                }
            }
            End::Cut => {
                self.network.cut();
                self.run(300_000);
                for end in [&self.network.controller, &self.network.location_server] {
                    let reason = close_reason(&end.events).expect("both sides notice");
                    let is_silence = matches!(
                        reason,
                        CloseReason::EchoUnanswered(_)
                            | CloseReason::Idle(_)
                            | CloseReason::CapabilityTimedOut(_)
                    );
                    assert!(is_silence, "{reason}");
                }
            }
            End::Goodbye(role) => {
                let reason = DisconnectReason::ADMINISTRATIVE;
                self.network.end(*role).connection.close_with(reason, "enough");
                self.run(1000);
                for end in [Role::Controller, Role::LocationServer] {
                    let closed = close_reason(&self.network.end(end).events).expect("both sides notice");
                    if end == *role {
                        assert_eq!(closed, &CloseReason::ClosedLocally);
                    } else {
                        assert!(
                            matches!(closed, CloseReason::Disconnected { reason: r, .. } if *r == reason),
                            "{closed}"
                        );
                    }
                }
            }
            End::Goodbyes => {
                self.network.controller.connection.close();
                self.network.location_server.connection.close();
                self.run(1000);
                for end in [&self.network.controller, &self.network.location_server] {
                    assert_eq!(close_reason(&end.events), Some(&CloseReason::ClosedLocally));
                }
            }
        }
        for end in [&self.network.controller, &self.network.location_server] {
            assert_eq!(end.connection.pending_events(), 0);
            assert_eq!(
                end.connection.poll_timeout().is_none(),
                end.connection.is_closed()
            );
        }
    }
}

pub(crate) fn answer(
    connection: &mut Connection,
    now: Instant,
    transaction: u32,
    request: MessageType,
    manner: u64,
    responses: &[OwnedMessage],
) {
    // An event may be older than the end of the connection.
    if connection.is_closed() {
        return;
    }
    let response = Exchange::of(request).response();
    let response = responses
        .iter()
        .find(|message| message.message_type() == response)
        .unwrap();
    match manner {
        // Not at all: the connection answers when the time is over.
        0 => {}
        1 => connection
            .refuse(transaction, StatusCode::NOT_FOUND, "never heard of it")
            .unwrap(),
        // Only some families have answers in parts; theirs is the first of two in the examples.
        _ => {
            connection.respond(now, transaction, response).unwrap();
            if let Some(last) = last_part(response).filter(|_| manner < 5) {
                connection.respond(now, transaction, &last).unwrap();
            }
        }
    }
}

/// The second part of an answer whose first part this is.
fn last_part(response: &OwnedMessage) -> Option<OwnedMessage> {
    let mut json = serde_json::to_value(response).unwrap();
    let part = json["body"].get_mut("part").filter(|part| part.is_object())?;
    *part = serde_json::to_value(Part { number: 2, total: 2 }).unwrap();
    Some(serde_json::from_value(json).unwrap())
}

/// A step of a script for `nmsp::proto::oracle`: mostly good messages and ordinary calls, some of it any bytes.
fn script_step() -> impl Strategy<Value = Vec<u8>> {
    let examples = examples();
    let arrives = (0..examples.len(), 0_u32..10).prop_map(move |(index, transaction)| {
        let message = super::encoded(transaction, &examples[index]);
        let [high, low] = u16::try_from(message.len() - 1).unwrap().to_be_bytes();
        [&[high, low][..], &message].concat()
    });
    prop_oneof![
        8 => arrives,
        // Subscribes, asks, answers.
        6 => (0x80_u8..0xe0).prop_map(|step| vec![step]),
        // Pauses, offers, tells.
        2 => (0xe3_u8..).prop_map(|step| vec![step]),
        // Time passes.
        3 => (0x40_u8..0x80).prop_map(|step| vec![step]),
        1 => any::<u8>().prop_map(|step| vec![step]),
        1 => (0_u8..64, 0_u8..10).prop_map(|(message, transaction)| vec![0x20, message, transaction]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_session_loses_nothing_whatever_the_network_does(seed: u64) {
        exchange_measurements(seed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_arrives_and_whatever_the_application_does_the_promises_hold(
        role in 0_u8..2,
        steps in proptest::collection::vec(script_step(), 0..60),
    ) {
        let script = [&[role][..], &steps.concat()].concat();
        let _reached = nmsp::proto::oracle::script(&script);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_two_applications_and_the_network_do_the_promises_hold(
        seed: u64,
        delay in 1_u64..400,
        // Shorter than the way there and back, at times: then responses are late.
        request_timeout in prop_oneof![Just(200_u64), Just(10_000)],
        steps in proptest::collection::vec(step(), 0..40),
        end in end(),
    ) {
        let mut session = Session::new(seed, Duration::from_millis(request_timeout));
        session.network.delay = delay;
        for step in &steps {
            session.take(step);
        }
        session.finish(&end);
        session.every_request_has_one_end();
        session.nothing_is_lost_duplicated_or_reordered(!matches!(end, End::Quiet));
    }
}

#[test]
fn a_flood_of_requests_nobody_answers_keeps_within_its_bounds() {
    let config = ConnectionConfig::default();
    let (mut controller, now) = super::lone(Role::Controller);
    let request = examples()
        .into_iter()
        .find(|message| message.message_type() == Some(MessageType::MeasurementRequest))
        .unwrap();
    super::sent(&mut controller);
    let mut answered = 0;
    for transaction in 0..20_000 {
        controller.handle_input(now, &super::encoded(transaction, &request));
        assert!(controller.pending_events() <= 1);
        super::events_of(&mut controller);
        assert!(controller.open_requests().1 <= config.max_peer_requests);
        answered += super::sent(&mut controller).len();
    }
    assert_eq!(answered, 20_000 - config.max_peer_requests);
}
