//! Requests of a location server to one controller: several at a time, in parts, given up, and unanswered.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "../support/scripted.rs"]
mod scripted;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use nmsp::Error;
use nmsp::client::{Client, ClientConfig};
use nmsp::proto::{CloseReason, Event};
use nmsp::wire::elements::Part;
use nmsp::wire::message::bodies::*;
use nmsp::wire::numbers::{DisconnectReason, StatusCode, SubscribeStatus};
use nmsp::wire::{MessageType, OwnedMessage, Services, StationClass};
use pki_common::Diagnose as _;
use scripted::{ScriptedController, Tunnel};
use support::{PATIENCE, measurement};

async fn connect(change: impl FnOnce(&mut ClientConfig)) -> (Client, Tunnel) {
    let controller = ScriptedController::start().await;
    let mut config = controller.client_config();
    change(&mut config);
    let address = controller.address.to_string();
    let accepted = async {
        let mut tunnel = controller.accept().await;
        tunnel.send().await;
        tunnel
    };
    let (client, tunnel) = tokio::join!(Client::connect(&address, config), accepted);
    (client.unwrap(), tunnel)
}

fn heard(last: u8) -> OwnedMessage {
    OwnedMessage::MeasurementNotification(Measurements {
        stations: vec![measurement(last, StationClass::CLIENT)],
    })
}

/// A part of an answer, with one station.
fn measured(number: u16, total: u16) -> OwnedMessage {
    OwnedMessage::MeasurementResponse(MeasurementResponse {
        status: StatusCode::SUCCESS,
        part: Some(Part { number, total }),
        stations: vec![measurement(u8::try_from(number).unwrap(), StationClass::CLIENT)],
        ..MeasurementResponse::default()
    })
}

fn of_clients() -> StationRequest {
    StationRequest {
        services: Services::RSSI_MS,
        ..StationRequest::default()
    }
}

#[tokio::test]
async fn an_answer_in_parts_is_one_answer() {
    let (client, mut tunnel) = connect(|_| {}).await;
    let controller = async {
        let (transaction, frame) = tunnel.request().await;
        assert_eq!(frame.message_type(), Some(MessageType::MeasurementRequest));
        for number in 1..=3 {
            tunnel.respond(transaction, &measured(number, 3)).await;
            tunnel.notify(number.into(), &heard(9)).await;
        }
    };
    let (answer, ()) = tokio::join!(client.measurements(of_clients()), controller);
    let answer = answer.unwrap();
    let stations: Vec<_> = answer.stations.iter().map(|measured| measured.station).collect();
    let expected: Vec<_> = (1..=3)
        .map(|last| measurement(last, StationClass::CLIENT).station)
        .collect();
    assert_eq!(stations, expected);
    assert_eq!((answer.status, answer.part), (StatusCode::SUCCESS, None));
}

#[tokio::test]
async fn every_request_gets_its_own_answer() {
    let (client, mut tunnel) = connect(|_| {}).await;
    let controller = tokio::spawn(async move {
        loop {
            let (transaction, frame) = tunnel.request().await;
            let last = frame.message_type() == Some(MessageType::DeviceInfoRequest);
            let explained = format!("{}", frame.message_type().unwrap());
            // Every response has a status and an explanation.
            tunnel
                .connection
                .refuse(transaction, StatusCode::BUSY, &explained)
                .unwrap();
            tunnel.send().await;
            if last {
                return tunnel;
            }
        }
    });
    macro_rules! busy {
        ($($call:ident($request:expr) is $name:literal;)+) => {
            $(
                let answer = client.$call($request).await.unwrap();
                assert_eq!(answer.status, StatusCode::BUSY, $name);
                assert_eq!(answer.explanation.unwrap().to_string(), $name);
            )+
        };
    }
    busy! {
        measurements(of_clients()) is "Measurement Request";
        information(StationRequest { services: Services::INFO_MS, ..StationRequest::default() }) is "Information Request";
        statistics(StationRequest { services: Services::STATS_MS, ..StationRequest::default() }) is "Statistics Request";
        attachments(AttachmentRequest::default()) is "Attachment Request";
        locations(LocationRequest::default()) is "Location Request";
        subscribe_locations(LocationSubscribe::default()) is "Location Subscribe";
        unsubscribe_locations(LocationUnsubscribe::default()) is "Location Unsubscribe";
        monitor(MonitorSubscription::default()) is "AP Monitor Subscription";
        access_points(AccessPointDiscoveryRequest::default()) is "AP Discovery Request";
        configure_path_loss(PathLossConfiguration::default()) is "Path Loss Config Request";
        spectrum(SpectrumRequest { services: Services::SPECTRUM_AIR_QUALITY, ..SpectrumRequest::default() })
            is "Spectrum Request";
        ids_parameters(IdsGetRequest::default()) is "IDS Get Request";
        set_ids_parameters(IdsSetRequest::default()) is "IDS Set Request";
        devices(DeviceRequest::default()) is "Device Info Request";
    }
    controller.await.unwrap();
}

#[tokio::test]
async fn requests_at_the_same_time_are_answered_in_any_order() {
    let (client, mut tunnel) = connect(|_| {}).await;
    let controller = async {
        let mut asked = Vec::new();
        for _ in 0..3 {
            asked.push(tunnel.request().await.0);
        }
        for (position, transaction) in asked.into_iter().enumerate().rev() {
            let status = [StatusCode::SUCCESS, StatusCode::BUSY, StatusCode::FAILED][position];
            tunnel.connection.refuse(transaction, status, "").unwrap();
            tunnel.send().await;
        }
    };
    let handle = client.handle().clone();
    let (first, second, third, ()) = tokio::join!(
        client.measurements(of_clients()),
        handle.attachments(AttachmentRequest::default()),
        handle.devices(DeviceRequest::default()),
        controller
    );
    assert_eq!(first.unwrap().status, StatusCode::SUCCESS);
    assert_eq!(second.unwrap().status, StatusCode::BUSY);
    assert_eq!(third.unwrap().status, StatusCode::FAILED);
}

#[tokio::test]
async fn more_requests_than_may_be_open_wait_for_their_turn() {
    let (client, mut tunnel) = connect(|config| config.connection.max_pending_requests = 2).await;
    let controller = tokio::spawn(async move {
        for _ in 0..100 {
            let (transaction, _) = tunnel.request().await;
            tunnel
                .connection
                .refuse(transaction, StatusCode::SUCCESS, "")
                .unwrap();
            tunnel.send().await;
        }
        tunnel
    });
    let asking: Vec<_> = (0..100)
        .map(|_| {
            let handle = client.handle().clone();
            tokio::spawn(async move { handle.devices(DeviceRequest::default()).await })
        })
        .collect();
    for asked in asking {
        assert_eq!(asked.await.unwrap().unwrap().status, StatusCode::SUCCESS);
    }
    controller.await.unwrap();
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_the_connection_as_it_was() {
    let (client, mut tunnel) = connect(|_| {}).await;
    let given_up = tokio::time::timeout(Duration::from_millis(50), client.measurements(of_clients()));
    let controller = async { tunnel.request().await.0 };
    let (given_up, transaction) = tokio::join!(given_up, controller);
    assert!(given_up.is_err());
    let controller = async {
        for number in 1..=2 {
            tunnel.respond(transaction, &measured(number, 2)).await;
        }
        let (transaction, _) = tunnel.request().await;
        tunnel.respond(transaction, &measured(1, 1)).await;
    };
    let (answer, ()) = tokio::join!(client.measurements(of_clients()), controller);
    assert_eq!(answer.unwrap().stations.len(), 1);
}

#[tokio::test]
async fn notifications_that_nobody_takes_do_not_hold_up_an_answer() {
    let (mut client, mut tunnel) = connect(|config| config.event_queue_length = 4).await;
    let controller = tokio::spawn(async move {
        assert_eq!(tunnel.subscribed().await, Services::RSSI_MS);
        for sequence in 1..=500 {
            tunnel.notify(sequence, &heard(1)).await;
        }
        let (transaction, _) = tunnel.request().await;
        tunnel.respond(transaction, &measured(1, 1)).await;
        tunnel
    });
    client.subscribe(Services::RSSI_MS).await.unwrap();
    let answer = tokio::time::timeout(PATIENCE, client.measurements(of_clients())).await;
    assert_eq!(answer.unwrap().unwrap().stations.len(), 1);
    for expected in 1..=500 {
        let Some(Event::Notification(frame)) = client.next().await.unwrap() else {
            panic!("notification {expected} is missing")
        };
        assert_eq!(
            frame.sequence(),
            expected,
            "none is lost, and none is out of order"
        );
    }
    controller.await.unwrap();
}

#[tokio::test]
async fn what_is_set_aside_for_an_answer_is_bounded() {
    let change = |config: &mut ClientConfig| {
        config.event_queue_length = 1;
        config.max_set_aside = 1;
    };
    let (mut client, mut tunnel) = connect(change).await;
    let controller = tokio::spawn(async move {
        tunnel.subscribed().await;
        for sequence in 1..=3 {
            tunnel.notify(sequence, &heard(1)).await;
        }
        let (transaction, _) = tunnel.request().await;
        tunnel.respond(transaction, &measured(1, 1)).await;
        tunnel
    });
    client.subscribe(Services::RSSI_MS).await.unwrap();
    let handle = client.handle().clone();
    let mut asking = tokio::spawn(async move { handle.measurements(of_clients()).await });
    let early = tokio::time::timeout(Duration::from_millis(200), &mut asking).await;
    assert!(early.is_err(), "it waits until the application takes events");
    for _ in 0..3 {
        client.next().await.unwrap();
    }
    assert!(asking.await.unwrap().is_ok());
    controller.await.unwrap();
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_refused_and_the_connection_lives() {
    let (client, mut tunnel) = connect(|config| config.max_response_length = 100).await;
    let controller = async {
        let (transaction, _) = tunnel.request().await;
        for number in 1..=3 {
            tunnel.respond(transaction, &measured(number, 3)).await;
        }
        let (transaction, _) = tunnel.request().await;
        tunnel
            .connection
            .refuse(transaction, StatusCode::SUCCESS, "")
            .unwrap();
        tunnel.send().await;
    };
    let asking = async {
        let refused = client.measurements(of_clients()).await.unwrap_err();
        assert!(
            matches!(refused, Error::ResponseTooLong { limit: 100 }),
            "{refused}"
        );
        assert!(refused.diagnose().remedy.contains("less at a time"));
        client.measurements(of_clients()).await.unwrap();
    };
    tokio::join!(asking, controller);
}

#[tokio::test]
async fn a_request_without_an_answer_times_out_by_itself() {
    let (client, mut tunnel) =
        connect(|config| config.connection.request_timeout = Duration::from_millis(50)).await;
    let controller = async {
        tunnel.request().await;
        tunnel.subscribed().await
    };
    let asking = async {
        let unanswered = client.devices(DeviceRequest::default()).await;
        assert!(
            matches!(unanswered, Err(Error::TimedOut { .. })),
            "{unanswered:?}"
        );
        client.subscribe(Services::WIPS).await.unwrap()
    };
    let (outcome, _) = tokio::join!(asking, controller);
    assert_eq!(outcome.status, SubscribeStatus::ACCEPTED);
}

#[tokio::test]
async fn whoever_waits_when_the_connection_ends_hears_why() {
    let (mut client, mut tunnel) = connect(|_| {}).await;
    let controller = async {
        tunnel.request().await;
        let goodbye = DisconnectReason::NOT_AUTHORIZED;
        tunnel.connection.close_with(goodbye, "entry removed");
        tunnel.end().await;
    };
    let handle = client.handle().clone();
    let (answer, ()) = tokio::join!(handle.devices(DeviceRequest::default()), controller);
    let told = |error: Error| match error {
        Error::Closed(CloseReason::Disconnected { reason, text, .. }) => {
            assert_eq!(reason, DisconnectReason::NOT_AUTHORIZED);
            assert_eq!(text.to_string(), "entry removed");
        }
        other => panic!("{other:?}"),
    };
    told(answer.unwrap_err());
    told(handle.devices(DeviceRequest::default()).await.unwrap_err());
    told(client.next().await.unwrap_err());
}

#[tokio::test]
async fn a_subscription_names_groups_and_can_be_ended_in_part() {
    let (client, mut tunnel) = connect(|_| {}).await;
    let controller = tokio::spawn(async move {
        loop {
            if let Event::Closed(_) = tunnel.event().await {
                return tunnel;
            }
        }
    });
    let request = ServiceSubscribeRequest {
        services: Services::RSSI_MS | Services::RSSI_RFID,
        access_point_groups: vec!["north".into()],
        ..ServiceSubscribeRequest::default()
    };
    let answer = client
        .handle()
        .request(OwnedMessage::ServiceSubscribeRequest(request))
        .await
        .unwrap();
    let OwnedMessage::ServiceSubscribeResponse(answer) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(answer.access_point_groups, ["north".into()]);
    let rest = client.unsubscribe(Services::RSSI_RFID).await.unwrap();
    assert_eq!(rest.accepted, Services::RSSI_MS);
    client.close().await.unwrap();
    controller.await.unwrap();
}

#[tokio::test]
async fn a_location_server_answers_the_controllers_questions() {
    let (mut client, mut tunnel) = connect(|_| {}).await;
    let asked = OwnedMessage::LocationRequest(LocationRequest::default());
    let controller = async {
        // The location server's capabilities come first.
        tunnel.event().await;
        let transaction = tunnel
            .connection
            .request(std::time::Instant::now(), &asked)
            .unwrap();
        loop {
            if let Event::Response {
                transaction: answered,
                frame,
                ..
            } = tunnel.event().await
            {
                assert_eq!(answered, transaction);
                return frame.status();
            }
        }
    };
    let answering = async {
        let Some(Event::Request { transaction, frame }) = client.next().await.unwrap() else {
            panic!("the question did not arrive")
        };
        assert_eq!(frame.message_type(), Some(MessageType::LocationRequest));
        let answer = LocationResponse {
            status: StatusCode::NOT_FOUND,
            ..LocationResponse::default()
        };
        let answer = OwnedMessage::LocationResponse(answer);
        client.handle().respond(transaction, answer).await.unwrap();
    };
    let (status, ()) = tokio::join!(controller, answering);
    assert_eq!(status, Some(StatusCode::NOT_FOUND));
}

#[tokio::test]
async fn dropping_the_client_says_goodbye_although_handles_are_left() {
    let (client, mut tunnel) = connect(|_| {}).await;
    let handle = client.handle().clone();
    drop(client);
    loop {
        match tunnel.event().await {
            Event::Closed(CloseReason::Disconnected { .. }) => break,
            Event::Closed(other) => panic!("{other:?}"),
            _ => {}
        }
    }
    let refused = handle.devices(DeviceRequest::default()).await.unwrap_err();
    assert!(
        matches!(refused, Error::Closed(CloseReason::ClosedLocally)),
        "{refused:?}"
    );
}
