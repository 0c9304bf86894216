//! Intervals, thresholds, AP groups and associated clients, as a subscriber sees them.

use nmsp::proto::policy::{NotificationClass, NotificationPolicy};
use nmsp::server::StationUpdate;
use nmsp::wire::elements::{AccessPointInformation, ClientInformation, ServiceParameters};
use nmsp::wire::message::{AccessPointReading, Measurement, ServiceSubscribeRequest, Timestamp};
use nmsp::wire::{OwnedMessage, Services, StationClass, StationState};
use pki_common::MacAddr;

use crate::peer::Peer;
use crate::support::{Lab, measurement, until};

fn client(last: u8, rssi_dbm: i8, time: u64) -> Measurement {
    let mut client = measurement(last, StationClass::CLIENT);
    client.timestamp = Timestamp(time);
    client.access_points[0].rssi_dbm = rssi_dbm;
    client
}

fn every_second() -> NotificationPolicy {
    let mut policy = NotificationPolicy::default();
    policy.set_interval(NotificationClass::Client, 1).unwrap();
    policy
}

#[tokio::test]
async fn within_an_interval_a_subscriber_gets_the_newest_value_only_and_nothing_counts_as_lost() {
    let lab = Lab::start(|config| config.notification_policy = every_second()).await;
    let mut peer = Peer::connect(&lab).await;
    peer.subscribe_services(Services::RSSI_MS).await;
    let store = lab.handle.store();
    store.observe(&[client(1, -50, 1)]).unwrap();
    assert_eq!(peer.measurements().await, (1, vec![client(1, -50, 1)]));
    for time in 2..=9 {
        store
            .observe(&[client(1, -50, time), client(2, -60, time)])
            .unwrap();
    }
    let newest = vec![client(1, -50, 9), client(2, -60, 9)];
    assert_eq!(peer.measurements().await, (2, newest));
    let status = lab.handle.status();
    assert!(status[0].losses.is_empty(), "{:?}", status[0].losses);

    let mut slower = every_second();
    slower.set_interval(NotificationClass::Client, 180).unwrap();
    lab.handle.set_notification_policy(slower);
    store.observe(&[client(1, -50, 10)]).unwrap();
    lab.handle.set_notification_policy(every_second());
    assert_eq!(peer.measurements().await, (3, vec![client(1, -50, 10)]));
    assert_eq!(store.len(), 2);
    lab.stop().await;
}

#[tokio::test]
async fn a_station_that_moved_by_less_than_the_threshold_is_left_out() {
    let lab = Lab::start(|_| {}).await;
    let (mut picky, mut other) = (Peer::connect(&lab).await, Peer::connect(&lab).await);
    picky
        .subscribe(&ServiceSubscribeRequest {
            services: Services::RSSI_MS,
            parameters: vec![ServiceParameters {
                services: Services::RSSI_MS,
                interval_seconds: 1,
                rssi_threshold_db: 5,
            }],
            ..ServiceSubscribeRequest::default()
        })
        .await;
    other.subscribe_services(Services::RSSI_MS).await;
    let store = lab.handle.store();
    store.observe(&[client(1, -60, 1)]).unwrap();
    assert_eq!(picky.measurements().await.1, [client(1, -60, 1)]);
    assert_eq!(other.measurements().await.1, [client(1, -60, 1)]);
    store.observe(&[client(1, -64, 2)]).unwrap();
    assert_eq!(other.measurements().await.1, [client(1, -64, 2)]);
    until("it is left out", || {
        lab.handle.status()[0].unchanged_measurements == 1
    })
    .await;
    store.observe(&[client(1, -65, 3)]).unwrap();
    assert_eq!(picky.measurements().await.1, [client(1, -65, 3)]);
    lab.stop().await;
}

fn access_point(last: u8, group: &str) -> StationUpdate {
    StationUpdate::AccessPoint(AccessPointInformation {
        access_point: MacAddr::from([0, 0, 0, 0, 9, last]),
        group: Some(group.into()),
        ..AccessPointInformation::default()
    })
}

fn heard_by(last: u8, access_points: &[u8]) -> Measurement {
    let mut client = client(last, -60, 1);
    let reading = client.access_points[0];
    client.access_points = access_points
        .iter()
        .map(|last| AccessPointReading {
            access_point: MacAddr::from([0, 0, 0, 0, 9, *last]),
            ..reading
        })
        .collect();
    client
}

#[tokio::test]
async fn a_subscriber_with_access_point_groups_gets_what_these_groups_hear() {
    let lab = Lab::start(|_| {}).await;
    let (mut north, mut all) = (Peer::connect(&lab).await, Peer::connect(&lab).await);
    let services = Services::RSSI_MS | Services::AP_INFO;
    north
        .subscribe(&ServiceSubscribeRequest {
            services,
            access_point_groups: vec!["north".into()],
            ..ServiceSubscribeRequest::default()
        })
        .await;
    all.subscribe_services(services).await;
    let store = lab.handle.store();
    let radios = [access_point(1, "north"), access_point(2, "south")];
    store.update_all(&radios).unwrap();
    let (_, announced) = north.notification().await;
    let OwnedMessage::ApInfoNotification(announced) = announced else {
        panic!("{announced:?}");
    };
    assert_eq!(
        StationUpdate::AccessPoint(announced.access_points[0].clone()),
        radios[0]
    );
    assert_eq!(announced.access_points.len(), 1);
    let stations = [heard_by(1, &[1, 2]), heard_by(2, &[2]), heard_by(3, &[1])];
    assert_eq!(lab.handle.publisher().publish(&stations).unwrap(), 5);
    assert_eq!(
        north.measurements().await.1,
        [heard_by(1, &[1]), heard_by(3, &[1])]
    );
    let mut received = 0;
    while received < 3 {
        if let (_, OwnedMessage::MeasurementNotification(body)) = all.notification().await {
            received += body.stations.len();
        }
    }
    let status = lab.handle.status();
    assert_eq!(status[0].subscription.access_point_groups, ["north".into()]);
    assert!(status[0].subscribed_since.is_some());
    lab.stop().await;
}

#[tokio::test]
async fn the_associated_only_service_leaves_other_clients_out() {
    let lab = Lab::start(|_| {}).await;
    let mut peer = Peer::connect(&lab).await;
    peer.subscribe_services(Services::RSSI_MS_ASSOCIATED_ONLY).await;
    let with_state = |last, state| Measurement {
        state: Some(state),
        ..client(last, -60, 1)
    };
    let known = StationUpdate::Client(ClientInformation {
        station: client(3, 0, 0).station,
        state: StationState::RUNNING,
        ..ClientInformation::default()
    });
    lab.handle.store().update(&known).unwrap();
    let stations = [
        with_state(1, StationState::PROBING),
        with_state(2, StationState::ASSOCIATED),
        client(3, -60, 1),
        client(4, -60, 1),
    ];
    assert_eq!(lab.handle.publisher().publish(&stations).unwrap(), 2);
    assert_eq!(
        peer.measurements().await.1,
        [stations[1].clone(), stations[2].clone()]
    );
    lab.stop().await;
}
