//! What a location server subscribed, service by service, is what it is sent; and what it may ask for.

use std::collections::BTreeSet;
use std::time::Instant;

use nmsp::proto::{Connection, ConnectionConfig, Event, Role};
use nmsp::server::StationUpdate;
use nmsp::wire::elements::{
    AccessPointInformation, AggregateInterference, AirQuality, Attachment, ClientInformation,
    ClientStatistics, Handover, IdsAlarm, Interferer, Location, MonitorReport, RogueAccessPoint, RogueClient,
    RogueStatistics, ServiceParameters, TagInformation, TagStatistics,
};
use nmsp::wire::message::bodies::{InformationNotification, LocationSubscribe};
use nmsp::wire::message::{Measurement, ServiceSubscribeRequest};
use nmsp::wire::numbers::{StatusCode, SubscribeStatus};
use nmsp::wire::{OwnedMessage, Service, Services, StationClass, StationState};

use crate::peer::Peer;
use crate::support::{Lab, measurement};

/// One record of every kind.
fn updates() -> Vec<StationUpdate> {
    vec![
        StationUpdate::Client(ClientInformation::default()),
        StationUpdate::Tag(TagInformation::default()),
        StationUpdate::RogueAccessPoint(RogueAccessPoint::default()),
        StationUpdate::RogueClient(RogueClient::default()),
        StationUpdate::Handover(Handover::default()),
        StationUpdate::ClientStatistics(ClientStatistics::default()),
        StationUpdate::TagStatistics(TagStatistics::default()),
        StationUpdate::RogueStatistics(RogueStatistics::default()),
        StationUpdate::Attachment(Attachment::default()),
        StationUpdate::Location(Location::default()),
        StationUpdate::AccessPoint(AccessPointInformation::default()),
        StationUpdate::MonitorReport(MonitorReport::default()),
        StationUpdate::Interferer(Interferer::default()),
        StationUpdate::AirQuality(AirQuality::default()),
        StationUpdate::AggregateInterference(AggregateInterference::default()),
        StationUpdate::Alarm(IdsAlarm::default()),
    ]
}

/// One measurement of every class, and of a client that is not associated.
fn measurements() -> Vec<Measurement> {
    let classes = [
        StationClass::CLIENT,
        StationClass::RFID_TAG,
        StationClass::ROGUE_AP,
        StationClass::ROGUE_CLIENT,
        StationClass::INTERFERER,
        StationClass::HANDOVER_CLIENT,
    ];
    let mut all: Vec<Measurement> = (1..)
        .zip(classes)
        .map(|(last, class)| measurement(last, class))
        .collect();
    all[0].state = Some(StationState::RUNNING);
    all.push(Measurement {
        state: Some(StationState::PROBING),
        ..measurement(9, StationClass::CLIENT)
    });
    all
}

/// The lists of a message that have something in them, by their names in JSON; stations by their class.
fn contents(message: &OwnedMessage, into: &mut BTreeSet<String>) {
    let json = serde_json::to_value(message).unwrap();
    let family = json["message"]
        .as_str()
        .unwrap()
        .trim_end_matches("-notification");
    for (name, list) in json["body"].as_object().unwrap() {
        let list = list.as_array().unwrap();
        if name == "stations" {
            let class = |each: &serde_json::Value| {
                let state = each["state"].as_str().unwrap_or_default();
                format!("{} {state}", each["class"].as_str().unwrap())
                    .trim()
                    .to_owned()
            };
            into.extend(list.iter().map(class));
        } else if !list.is_empty() {
            into.insert(format!("{family} {name}"));
        }
    }
}

#[tokio::test]
async fn a_subscriber_of_one_service_gets_its_records_and_no_others() {
    let table: [(Service, &[&str]); 22] = [
        (Service::RssiMs, &["client running", "client probing"]),
        (Service::RssiRfid, &["rfid-tag"]),
        (Service::RssiRogue, &["rogue-ap", "rogue-client"]),
        (Service::RssiInterferer, &["interferer"]),
        (Service::RssiHs, &["handover-client"]),
        (Service::RssiMsAssociatedOnly, &["client running"]),
        (Service::SpectrumInterferer, &["spectrum interferers"]),
        (Service::SpectrumAirQuality, &["spectrum air_quality"]),
        (Service::SpectrumAggregateInterferer, &["spectrum aggregates"]),
        (Service::InfoMs, &["information clients"]),
        (Service::InfoRfid, &["information tags"]),
        (
            Service::InfoRogue,
            &["information rogue_access_points", "information rogue_clients"],
        ),
        (Service::InfoHs, &["information handovers"]),
        (Service::Fmchs, &["information handovers"]),
        (Service::StatsMs, &["statistics clients"]),
        (Service::StatsRfid, &["statistics tags"]),
        (Service::StatsRogue, &["statistics rogues"]),
        (Service::Attach, &["attachment attachments"]),
        (Service::Location, &["location locations"]),
        (Service::ApMonitor, &["ap-monitor reports"]),
        (Service::Wips, &["ids alarms"]),
        (Service::ApInfo, &["ap-info access_points"]),
    ];
    let lab = Lab::start(|_| {}).await;
    let mut peers = Vec::new();
    for (service, expected) in table {
        let mut peer = Peer::connect(&lab).await;
        peer.subscribe_services(service.into()).await;
        peers.push((service, expected, peer));
    }
    lab.handle.store().update_all(&updates()).unwrap();
    lab.handle.store().observe(&measurements()).unwrap();
    // What waits is sent before the goodbye.
    lab.handle.shutdown();
    for (service, expected, mut peer) in peers {
        let mut got = BTreeSet::new();
        for message in peer.rest().await {
            contents(&message, &mut got);
        }
        let expected: BTreeSet<String> = expected.iter().map(|&each| each.to_owned()).collect();
        assert_eq!(got, expected, "{service}");
    }
}

#[tokio::test]
async fn a_notification_of_the_application_loses_what_a_subscriber_has_not_subscribed() {
    let lab = Lab::start(|_| {}).await;
    let (mut of_clients, mut of_both) = (Peer::connect(&lab).await, Peer::connect(&lab).await);
    let mut of_alarms = Peer::connect(&lab).await;
    of_clients.subscribe_services(Services::INFO_MS).await;
    of_both
        .subscribe_services(Services::INFO_MS | Services::INFO_RFID)
        .await;
    of_alarms.subscribe_services(Services::WIPS).await;
    let clients = InformationNotification {
        clients: vec![ClientInformation::default()],
        ..InformationNotification::default()
    };
    let both = OwnedMessage::InformationNotification(InformationNotification {
        tags: vec![TagInformation::default()],
        ..clients.clone()
    });
    assert_eq!(lab.handle.notify(&both).unwrap(), 2);
    let clients = OwnedMessage::InformationNotification(clients);
    assert_eq!(of_clients.notification().await, (1, clients));
    assert_eq!(of_both.notification().await, (1, both));
    lab.handle.shutdown();
    assert!(of_alarms.rest().await.is_empty());
}

fn out_of_range() -> [(ServiceParameters, &'static str); 2] {
    let parameters = |interval_seconds, rssi_threshold_db| ServiceParameters {
        services: Services::RSSI_MS | Services::LOCATION,
        interval_seconds,
        rssi_threshold_db,
    };
    [
        (
            parameters(181, 0),
            "an interval of 181 s for rssi-ms, location: 1 to 180 s are possible",
        ),
        (
            parameters(5, 128),
            "a threshold of 128 dB for rssi-ms, location: 0 to 127 dB are possible",
        ),
    ]
}

#[tokio::test]
async fn parameters_out_of_range_are_refused_and_the_subscription_stays() {
    let lab = Lab::start(|_| {}).await;
    let mut peer = Peer::connect(&lab).await;
    peer.subscribe_services(Services::RSSI_RFID).await;
    for (parameters, cause) in out_of_range() {
        let response = peer
            .subscribe_for_response(&ServiceSubscribeRequest {
                services: Services::RSSI_MS | Services::LOCATION,
                parameters: vec![parameters.clone()],
                ..ServiceSubscribeRequest::default()
            })
            .await;
        assert_eq!(response.status, SubscribeStatus::REJECTED);
        assert_eq!(response.accepted, Services::RSSI_RFID);
        let explanation = response.explanation.unwrap().to_string();
        assert_eq!(explanation, format!("{cause}; nothing has changed"));

        let request = OwnedMessage::LocationSubscribe(LocationSubscribe {
            parameters: Some(parameters),
            ..LocationSubscribe::default()
        });
        let answer = peer.ask(&request).await.remove(0);
        let OwnedMessage::LocationResponse(response) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(response.status, StatusCode::MALFORMED);
        assert_eq!(response.explanation.unwrap().to_string(), cause);
    }
    let status = lab.handle.status();
    assert_eq!(status[0].subscriptions, Services::RSSI_RFID);
    lab.stop().await;
}

/// The rule belongs to the connection, not to this controller: it needs no socket.
#[test]
fn a_connection_without_a_socket_refuses_them_likewise() {
    let now = Instant::now();
    let offering = || ConnectionConfig {
        services: Services::RSSI_MS,
        ..ConnectionConfig::default()
    };
    let mut controller = Connection::new(offering(), Role::Controller, now);
    let mut server = Connection::new(offering(), Role::LocationServer, now);
    let (mut there, mut back) = (bytes::BytesMut::new(), bytes::BytesMut::new());
    let [(parameters, _), _] = out_of_range();
    let request = ServiceSubscribeRequest {
        services: Services::RSSI_MS,
        parameters: vec![parameters],
        ..ServiceSubscribeRequest::default()
    };
    let asked = server.subscribe(now, &request).unwrap();
    server.poll_transmit(&mut there);
    controller.handle_input(now, &there);
    controller.poll_transmit(&mut back);
    server.handle_input(now, &back);
    let mut events = core::iter::from_fn(|| server.poll_event());
    let answered = events.any(|event| {
        matches!(event, Event::Subscribed { transaction, outcome, .. }
            if transaction == asked && outcome.status == SubscribeStatus::REJECTED && outcome.accepted.is_empty())
    });
    assert!(answered);
    assert!(
        core::iter::from_fn(|| controller.poll_event())
            .all(|event| !matches!(event, Event::SubscriptionChanged { .. }))
    );
}
