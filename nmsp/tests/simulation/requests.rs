use std::time::Duration;

use nmsp::proto::{Connection, ConnectionConfig, Event, Exchange, RequestError, Role};
use nmsp::wire::elements::Part;
use nmsp::wire::message::Sender;
use nmsp::wire::message::bodies::{LocationResponse, StatusResponse};
use nmsp::wire::numbers::StatusCode;
use nmsp::wire::{MessageType, OwnedMessage, Services};

use super::network::Network;
use super::{encoded, events_of, everything, example, examples, lone, offering, sent};

/// Two connected ends that offer everything.
fn network(seed: u64) -> Network {
    let mut network = Network::new(seed, &offering(everything()));
    network.run(Duration::from_secs(1));
    network
}

fn location_response(part: Option<(u16, u16)>) -> OwnedMessage {
    OwnedMessage::LocationResponse(LocationResponse {
        part: part.map(|(number, total)| Part { number, total }),
        ..LocationResponse::default()
    })
}

/// A controller that has received this.
fn controller_with(config: ConnectionConfig, received: &[Vec<u8>]) -> (Connection, std::time::Instant) {
    let now = std::time::Instant::now();
    let mut controller = Connection::new(config, Role::Controller, now);
    sent(&mut controller);
    controller.handle_input(now, &received.concat());
    (controller, now)
}

fn status_of(message: &OwnedMessage) -> StatusCode {
    let json = serde_json::to_value(message).unwrap();
    json["body"]["status"].as_str().unwrap().parse().unwrap()
}

#[test]
fn every_request_of_every_family_is_asked_and_answered_in_both_roles() {
    for request in examples() {
        let kind = request.message_type().unwrap();
        let Exchange::Request { response, .. } = Exchange::of(kind) else {
            continue;
        };
        let roles: &[Role] = match kind.sender() {
            Sender::Controller => &[Role::Controller],
            Sender::LocationServer => &[Role::LocationServer],
            _ => &[Role::Controller, Role::LocationServer],
        };
        for role in roles {
            let mut network = network(31);
            let now = network.now;
            let transaction = network.end(*role).connection.request(now, &request).unwrap();
            let mut answer = example(response);
            if let OwnedMessage::LocationResponse(body) = &mut answer {
                body.part = None;
            }
            let parts = serde_json::to_value(&answer).unwrap()["body"]["part"].is_object();
            let mut asked = Vec::new();
            network.run_with(Duration::from_secs(5), &mut |connection, now, event| {
                if let Event::Request { transaction, frame } = event {
                    asked.push(frame.to_owned());
                    connection.respond(now, *transaction, &answer).unwrap();
                }
            });
            assert_eq!(asked, std::slice::from_ref(&request), "{kind}");
            let answers: Vec<_> = network
                .end(*role)
                .events
                .iter()
                .filter_map(|event| match event {
                    Event::Response {
                        transaction,
                        frame,
                        last,
                    } => Some((*transaction, frame.to_owned(), *last)),
                    _ => None,
                })
                .collect();
            assert_eq!(answers, [(transaction, answer, !parts)], "{kind}");
            // An example with a part is the first of two; the second never comes.
            let open = usize::from(parts);
            assert_eq!(network.end(*role).connection.open_requests().0, open, "{kind}");
        }
    }
}

#[test]
fn every_notification_arrives_where_its_service_is_subscribed_and_is_counted_where_not() {
    for subscribed in [true, false] {
        let mut network = network(32);
        if subscribed {
            network.subscribe(everything());
            network.run(Duration::from_secs(1));
        }
        let is_notification = |message: &OwnedMessage| {
            let kind = message.message_type().unwrap();
            matches!(Exchange::of(kind), Exchange::Notification { services } if !services.is_empty())
        };
        let all: Vec<_> = examples().into_iter().filter(is_notification).collect();
        assert_eq!(all.len(), 9);
        for (sequence, message) in (1..).zip(&all) {
            network.controller.connection.notify(sequence, message).unwrap();
        }
        network.run(Duration::from_secs(5));
        let received: Vec<_> = network
            .location_server
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Notification(frame) => Some((frame.sequence(), frame.to_owned())),
                _ => None,
            })
            .collect();
        let counters = network.location_server.connection.counters().snapshot();
        if subscribed {
            assert_eq!(received, (1..).zip(all).collect::<Vec<_>>());
            assert!(counters.unsolicited_notifications.is_empty());
        } else {
            assert_eq!(received, []);
            for message in all {
                let kind = message.message_type().unwrap();
                assert_eq!((counters.rx(kind), counters.unsolicited(kind)), (1, 1), "{kind}");
            }
        }
    }
}

#[test]
fn locations_and_monitor_reports_are_wanted_after_a_subscription_of_their_own() {
    let done = StatusResponse::default();
    for (asks, subscribe, answer, tells) in [
        (
            Role::LocationServer,
            MessageType::LocationSubscribe,
            location_response(None),
            MessageType::LocationNotification,
        ),
        (
            Role::Controller,
            MessageType::LocationSubscribe,
            location_response(None),
            MessageType::LocationNotification,
        ),
        (
            Role::LocationServer,
            MessageType::ApMonitorSubscription,
            OwnedMessage::ApMonitorResponse(done),
            MessageType::ApMonitorNotification,
        ),
    ] {
        let mut network = network(33);
        let other = match asks {
            Role::Controller => Role::LocationServer,
            Role::LocationServer => Role::Controller,
        };
        let told = example(tells);
        let tell = |network: &mut Network, sequence| {
            network.end(other).connection.notify(sequence, &told).unwrap();
            network.run(Duration::from_secs(1));
            let counters = network.end(asks).connection.counters().snapshot();
            let heard = network.end(asks).events.iter();
            let heard = heard.filter(|event| matches!(event, Event::Notification(_)));
            (heard.count(), counters.unsolicited(tells))
        };
        let ask = |network: &mut Network, message: &OwnedMessage| {
            let now = network.now;
            network.end(asks).connection.request(now, message).unwrap();
            network.run_with(Duration::from_secs(1), &mut |connection, now, event| {
                if let Event::Request { transaction, .. } = event {
                    connection.respond(now, *transaction, &answer).unwrap();
                }
            });
        };
        assert_eq!(tell(&mut network, 1), (0, 1), "{subscribe}");
        ask(&mut network, &example(subscribe));
        assert_eq!(tell(&mut network, 2), (1, 1), "{subscribe}");
        let end = match subscribe {
            MessageType::LocationSubscribe => OwnedMessage::LocationUnsubscribe(Default::default()),
            _ => OwnedMessage::ApMonitorSubscription(Default::default()),
        };
        ask(&mut network, &end);
        assert_eq!(tell(&mut network, 3), (1, 2), "{subscribe}");
    }
}

#[test]
fn an_answer_in_parts_is_complete_with_its_last_part_and_each_part_has_its_own_time() {
    let mut network = network(34);
    let timeout = ConnectionConfig::default().request_timeout;
    let request = example(MessageType::LocationRequest);
    let now = network.now;
    let transaction = network.location_server.connection.request(now, &request).unwrap();
    network.run(Duration::from_secs(1));
    for number in 1..=4 {
        let controller = &mut network.controller.connection;
        let part = location_response(Some((number, 4)));
        controller.respond(network.now, transaction, &part).unwrap();
        network.run(timeout - Duration::from_secs(1));
    }
    let lasts: Vec<bool> = network
        .location_server
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Response {
                transaction: t,
                last,
                frame,
            } => {
                assert_eq!(*t, transaction);
                assert!(frame.part().is_some());
                Some(*last)
            }
            _ => None,
        })
        .collect();
    assert_eq!(lasts, [false, false, false, true]);
    assert_eq!(network.location_server.connection.open_requests(), (0, 0));
    assert_eq!(network.controller.connection.open_requests(), (0, 0));
    assert_eq!(
        network
            .controller
            .connection
            .respond(network.now, transaction, &location_response(None)),
        Err(RequestError::NotAsked(transaction))
    );
}

#[test]
fn parts_that_are_missing_repeated_or_impossible_are_ignored_and_the_request_times_out() {
    let ignored: &[&[(u16, u16)]] = &[
        &[(2, 2)],
        &[(0, 2)],
        &[(3, 2)],
        &[(1, 3), (1, 3)],
        &[(1, 3), (3, 3)],
        &[(1, 3), (2, 2)],
        &[(1, 0)],
    ];
    for parts in ignored {
        let (mut server, now) = lone(Role::LocationServer);
        let request = example(MessageType::LocationRequest);
        let transaction = server.request(now, &request).unwrap();
        for part in *parts {
            server.handle_input(now, &encoded(transaction, &location_response(Some(*part))));
        }
        server.handle_input(now, &encoded(1, &example(MessageType::CapabilityNotification)));
        server.handle_timeout(now + Duration::from_secs(10));
        let events = events_of(&mut server);
        let accepted = parts.len() - 1;
        let answers = events
            .iter()
            .filter(|event| matches!(event, Event::Response { last: false, .. }));
        assert_eq!(answers.count(), accepted, "{parts:?}");
        assert!(
            matches!(events.last(), Some(Event::RequestTimedOut { transaction: t }) if *t == transaction)
        );
        let counters = server.counters().snapshot();
        assert_eq!(
            (counters.unmatched_responses, counters.timed_out_requests),
            (1, 1),
            "{parts:?}"
        );
    }
}

#[test]
fn a_response_of_another_kind_late_or_twice_answers_nothing() {
    let (mut server, now) = lone(Role::LocationServer);
    let transaction = server.request(now, &example(MessageType::IdsGetRequest)).unwrap();
    let mut hear = |transaction, message| {
        server.handle_input(now, &encoded(transaction, &example(message)));
        (
            events_of(&mut server).len(),
            server.counters().snapshot().unmatched_responses,
        )
    };
    assert_eq!(hear(transaction, MessageType::IdsSetResponse), (0, 1));
    assert_eq!(hear(transaction + 1, MessageType::IdsGetResponse), (0, 2));
    assert_eq!(hear(transaction, MessageType::IdsGetResponse), (1, 2));
    assert_eq!(hear(transaction, MessageType::IdsGetResponse), (0, 3));
}

#[test]
fn responses_may_come_in_another_order_than_their_requests() {
    let mut network = network(35);
    let now = network.now;
    let kinds = [
        MessageType::IdsGetRequest,
        MessageType::ApDiscoveryRequest,
        MessageType::IdsSetRequest,
    ];
    let server = &mut network.location_server.connection;
    let transactions = kinds.map(|kind| server.request(now, &example(kind)).unwrap());
    network.run(Duration::from_secs(1));
    for transaction in transactions.iter().rev() {
        let controller = &mut network.controller.connection;
        controller
            .refuse(*transaction, StatusCode::NOT_FOUND, "")
            .unwrap();
    }
    network.run(Duration::from_secs(1));
    let answered: Vec<_> = network
        .location_server
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Response {
                transaction,
                frame,
                last: true,
            } => Some((*transaction, frame.status())),
            _ => None,
        })
        .collect();
    let expected = transactions.map(|transaction| (transaction, Some(StatusCode::NOT_FOUND)));
    assert_eq!(answered, expected.into_iter().rev().collect::<Vec<_>>());
}

#[test]
fn both_sides_may_ask_the_same_with_the_same_transaction_at_once() {
    let (mut controller, now) = controller_with(offering(everything()), &[]);
    let request = example(MessageType::LocationRequest);
    let ours = controller.request(now, &request).unwrap();
    controller.handle_input(now, &encoded(ours, &request));
    assert_eq!(controller.open_requests(), (1, 1));
    controller.refuse(ours, StatusCode::NOT_FOUND, "").unwrap();
    controller.handle_input(now, &encoded(ours, &location_response(None)));
    assert_eq!(controller.open_requests(), (0, 0));
    let events = events_of(&mut controller);
    assert!(
        matches!(
            &events[..],
            [Event::Request { .. }, Event::Response { last: true, .. }]
        ),
        "{events:?}"
    );
}

#[test]
fn a_repeated_request_is_answered_once_and_its_transaction_can_be_used_again_afterwards() {
    let request = encoded(7, &example(MessageType::IdsGetRequest));
    let other = encoded(7, &example(MessageType::ApDiscoveryRequest));
    let received = [request.clone(), request.clone(), other];
    let (mut controller, now) = controller_with(offering(everything()), &received);
    // The other message under the same transaction cannot wait for an answer of its own.
    let refused = sent(&mut controller);
    assert_eq!(refused.len(), 1);
    assert_eq!(
        refused[0].1.message_type(),
        Some(MessageType::ApDiscoveryResponse)
    );
    assert_eq!(status_of(&refused[0].1), StatusCode::MALFORMED);
    assert_eq!(events_of(&mut controller).len(), 1);
    controller.refuse(7, StatusCode::BUSY, "later").unwrap();
    let counters = controller.counters().snapshot();
    assert_eq!((counters.duplicate_requests, counters.refused_requests), (1, 1));
    assert_eq!(sent(&mut controller).len(), 1);

    controller.handle_input(now, &request);
    assert_eq!(events_of(&mut controller).len(), 1);
    controller.refuse(7, StatusCode::BUSY, "later").unwrap();
    assert_eq!(
        controller.refuse(7, StatusCode::BUSY, ""),
        Err(RequestError::NotAsked(7))
    );
}

#[test]
fn more_requests_than_may_wait_are_told_to_come_later() {
    let config = ConnectionConfig {
        max_peer_requests: 3,
        ..offering(everything())
    };
    let request = |transaction| encoded(transaction, &example(MessageType::IdsGetRequest));
    let (mut controller, _) = controller_with(config, &[1, 2, 3, 4, 5].map(request));
    assert_eq!(controller.open_requests(), (0, 3));
    let busy = sent(&mut controller);
    assert_eq!(
        busy.iter()
            .map(|(transaction, _)| *transaction)
            .collect::<Vec<_>>(),
        [4, 5]
    );
    for (_, message) in busy {
        assert_eq!(status_of(&message), StatusCode::BUSY);
    }
    assert_eq!(controller.counters().snapshot().refused_requests, 2);
}

#[test]
fn a_request_that_the_application_forgets_is_answered_by_the_connection() {
    let request = encoded(9, &example(MessageType::DeviceInfoRequest));
    let capability = encoded(1, &example(MessageType::CapabilityNotification));
    let (mut controller, now) = controller_with(offering(everything()), &[capability, request]);
    let due = now + ConnectionConfig::default().request_timeout;
    assert_eq!(controller.poll_timeout(), Some(due));
    controller.handle_timeout(due);
    let [(9, answer)] = &sent(&mut controller)[..] else {
        panic!("one answer")
    };
    assert_eq!(status_of(answer), StatusCode::FAILED);
    let late = controller.respond(due, 9, &example(MessageType::DeviceInfoResponse));
    assert_eq!(late, Err(RequestError::NotAsked(9)));
}

#[test]
fn what_is_not_offered_is_answered_with_a_status_and_the_connection_lives() {
    let mut network = Network::new(36, &ConnectionConfig::default());
    network.run(Duration::from_secs(1));
    let mut asked = 0;
    for request in examples() {
        let kind = request.message_type().unwrap();
        let Exchange::Request { services, .. } = Exchange::of(kind) else {
            continue;
        };
        if (services & Services::MEASUREMENTS).is_empty() && kind.sender() != Sender::Controller {
            let now = network.now;
            network.location_server.connection.request(now, &request).unwrap();
            asked += 1;
        }
    }
    network.run(Duration::from_secs(5));
    let refused = network.location_server.events.iter().filter(|event| {
        matches!(event, Event::Response { frame, last: true, .. } if frame.status() == Some(StatusCode::NOT_SUPPORTED))
    });
    assert_eq!((refused.count(), asked), (12, 12));
    assert!(!network.controller.connection.is_closed());
    assert_eq!(
        network
            .controller
            .connection
            .counters()
            .snapshot()
            .refused_requests,
        12
    );
    let to_owner = network.controller.events.iter();
    assert_eq!(
        to_owner
            .filter(|event| matches!(event, Event::Request { .. }))
            .count(),
        0
    );
}

#[test]
fn a_request_that_names_services_is_measured_by_them() {
    // Measurements are offered, those of interferers are not.
    let services = Services::RSSI_MS;
    let mut request = example(MessageType::MeasurementRequest);
    let OwnedMessage::MeasurementRequest(body) = &mut request else {
        unreachable!()
    };
    body.services = Services::RSSI_INTERFERER;
    let (mut controller, _) = controller_with(offering(services), &[encoded(5, &request)]);
    let [(5, answer)] = &sent(&mut controller)[..] else {
        panic!("one answer")
    };
    assert_eq!(status_of(answer), StatusCode::NOT_SUPPORTED);
}

#[test]
fn each_call_takes_the_messages_it_is_for() {
    let (mut server, now) = lone(Role::LocationServer);
    let wrong = |outcome: Result<(), RequestError>| matches!(outcome, Err(RequestError::WrongKind { .. }));
    for message in examples() {
        let exchange = Exchange::of(message.message_type().unwrap());
        if exchange.response().is_none() {
            assert!(wrong(server.request(now, &message).map(drop)), "{message:?}");
        }
        if !matches!(exchange, Exchange::Notification { .. }) {
            assert!(wrong(server.notify(1, &message)), "{message:?}");
        }
    }
    let unknown = serde_json::from_str(r#"{"message":"unknown","body":{"id":4000,"body":""}}"#).unwrap();
    assert!(wrong(server.request(now, &unknown).map(drop)));
    assert!(wrong(server.notify(1, &unknown)));
    for own in [
        MessageType::CapabilityNotification,
        MessageType::DisconnectNotification,
    ] {
        assert!(wrong(server.notify(1, &example(own))));
    }
    let measured = server.notify(1, &example(MessageType::MeasurementNotification));
    assert_eq!(measured, Err(RequestError::WrongRole(Role::LocationServer)));
    assert_eq!(server.open_requests(), (0, 0), "nothing was sent");

    let (mut controller, now) = controller_with(
        offering(everything()),
        &[encoded(5, &example(MessageType::IdsGetRequest))],
    );
    let answer = controller.respond(now, 5, &example(MessageType::IdsSetResponse));
    assert!(wrong(answer));
    assert_eq!(controller.open_requests(), (0, 1), "the request is still open");
}

#[test]
fn a_request_does_not_time_out_while_nobody_reads() {
    let (mut server, now) = lone(Role::LocationServer);
    server.handle_input(now, &encoded(1, &example(MessageType::CapabilityNotification)));
    server.request(now, &example(MessageType::IdsGetRequest)).unwrap();
    let second = Duration::from_secs(1);
    server.set_receiving(now + 4 * second, false);
    server.handle_timeout(now + 100 * second);
    server.set_receiving(now + 104 * second, true);
    server.handle_timeout(now + 109 * second);
    assert_eq!(server.open_requests(), (1, 0));
    server.handle_timeout(now + 110 * second);
    assert_eq!(server.open_requests(), (0, 0));
}
