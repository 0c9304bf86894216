//! What a location server asks is answered from the store, in as many messages as it takes.

use std::sync::Arc;

use nmsp::server::{RequestHandler, Requester, StationUpdate};
use nmsp::wire::elements::{
    AccessPointInformation, AirQuality, Attachment, ClientInformation, ClientStatistics, FloorPosition,
    IdsAlarm, IdsParameters, Location, LocationTarget, MonitorParameters, MonitorReport,
};
use nmsp::wire::message::Measurement;
use nmsp::wire::message::bodies::*;
use nmsp::wire::numbers::{AttackType, LocationCapabilities, LocationSubject, StatusCode};
use nmsp::wire::{OwnedMessage, Services, StationClass, StationState};
use pki_common::MacAddr;

use crate::peer::Peer;
use crate::support::{Lab, measurement};

fn mac(last: u8) -> MacAddr {
    MacAddr::from([2, 0, 0, 0, 0, last])
}

async fn lab_and_peer() -> (Lab, Peer) {
    let lab = Lab::start(|_| {}).await;
    let peer = Peer::connect(&lab).await;
    (lab, peer)
}

/// Asks, and expects one message.
async fn answer(peer: &mut Peer, request: OwnedMessage) -> OwnedMessage {
    let mut parts = peer.ask(&request).await;
    assert_eq!(parts.len(), 1, "{parts:?}");
    parts.remove(0)
}

fn about(services: Services, stations: &[u8]) -> StationRequest {
    StationRequest {
        services,
        stations: stations.iter().map(|last| mac(*last)).collect(),
        access_point_groups: Vec::new(),
    }
}

#[tokio::test]
async fn measurements_are_answered_by_service_and_station() {
    let (lab, mut peer) = lab_and_peer().await;
    let (client, tag) = (
        measurement(1, StationClass::CLIENT),
        measurement(2, StationClass::RFID_TAG),
    );
    lab.handle
        .store()
        .observe(&[client.clone(), tag.clone()])
        .unwrap();
    let both = Services::RSSI_MS | Services::RSSI_RFID;
    let table: [(StationRequest, StatusCode, &[&Measurement]); 6] = [
        (about(both, &[]), StatusCode::SUCCESS, &[&client, &tag]),
        (about(Services::RSSI_RFID, &[]), StatusCode::SUCCESS, &[&tag]),
        (about(both, &[1]), StatusCode::SUCCESS, &[&client]),
        (about(both, &[1, 9]), StatusCode::PARTLY_DONE, &[&client]),
        (about(both, &[9]), StatusCode::NOT_FOUND, &[]),
        (about(Services::RSSI_ROGUE, &[]), StatusCode::SUCCESS, &[]),
    ];
    for (request, status, stations) in table {
        let answer = answer(&mut peer, OwnedMessage::MeasurementRequest(request.clone())).await;
        let OwnedMessage::MeasurementResponse(response) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(response.status, status, "{request:?}");
        assert_eq!(
            response.stations.iter().collect::<Vec<_>>(),
            stations,
            "{request:?}"
        );
        assert_eq!(response.explanation.is_some(), status != StatusCode::SUCCESS);
    }
    lab.stop().await;
}

#[tokio::test]
async fn a_long_answer_comes_in_parts_and_is_complete() {
    const STATIONS: u16 = 3000;
    let (lab, mut peer) = lab_and_peer().await;
    let stations: Vec<Measurement> = (0..STATIONS)
        .map(|number| {
            let [high, low] = number.to_be_bytes();
            Measurement {
                station: MacAddr::from([2, 0, 0, 0, high, low]),
                ..measurement(0, StationClass::CLIENT)
            }
        })
        .collect();
    lab.handle.store().observe(&stations).unwrap();
    let request = OwnedMessage::MeasurementRequest(about(Services::RSSI_MS, &[]));
    for _ in 0..2 {
        let mut received = Vec::new();
        let parts = peer.ask(&request).await;
        assert!(parts.len() > 3, "{}", parts.len());
        for (message, number) in parts.iter().zip(1..) {
            let OwnedMessage::MeasurementResponse(response) = message else {
                panic!("{message:?}");
            };
            let part = response.part.clone().unwrap();
            assert_eq!((part.number, usize::from(part.total)), (number, parts.len()));
            received.extend(response.stations.iter().cloned());
        }
        assert_eq!(received, stations);
    }
    lab.stop().await;
}

fn known_client() -> ClientInformation {
    ClientInformation {
        station: mac(1),
        state: StationState::RUNNING,
        user_name: Some("somebody".into()),
        vlan: Some(7),
        ..ClientInformation::default()
    }
}

#[tokio::test]
async fn information_statistics_and_devices_are_answered_from_what_the_application_said() {
    let (lab, mut peer) = lab_and_peer().await;
    let statistics = ClientStatistics {
        station: mac(1),
        session_seconds: 60,
        ..ClientStatistics::default()
    };
    let attachment = Attachment {
        station: mac(1),
        model: Some("laptop".into()),
        ..Attachment::default()
    };
    let updates = [
        StationUpdate::Client(known_client()),
        StationUpdate::ClientStatistics(statistics.clone()),
        StationUpdate::Attachment(attachment.clone()),
    ];
    lab.handle.store().update_all(&updates).unwrap();
    let heard = measurement(1, StationClass::CLIENT);
    lab.handle.store().observe(core::slice::from_ref(&heard)).unwrap();

    let request = OwnedMessage::InformationRequest(about(Services::INFO_MS, &[]));
    let OwnedMessage::InformationResponse(response) = answer(&mut peer, request).await else {
        panic!("not information");
    };
    assert_eq!(response.clients, [known_client()]);
    let request = OwnedMessage::StatisticsRequest(about(Services::STATS_MS, &[1]));
    let OwnedMessage::StatisticsResponse(response) = answer(&mut peer, request).await else {
        panic!("not statistics");
    };
    assert_eq!(response.clients, [statistics]);
    let request = OwnedMessage::AttachmentRequest(AttachmentRequest::default());
    let OwnedMessage::AttachmentResponse(response) = answer(&mut peer, request).await else {
        panic!("not attachments");
    };
    assert_eq!(response.attachments, [attachment]);

    let request = OwnedMessage::DeviceInfoRequest(DeviceRequest {
        stations: vec![mac(1), mac(1), mac(5)],
    });
    let OwnedMessage::DeviceInfoResponse(response) = answer(&mut peer, request).await else {
        panic!("not a device");
    };
    assert_eq!(response.status, StatusCode::PARTLY_DONE);
    let [device] = &response.devices[..] else {
        panic!("{response:?}");
    };
    assert_eq!((device.station, device.class), (mac(1), StationClass::CLIENT));
    assert_eq!((device.state, device.vlan), (StationState::RUNNING, Some(7)));
    assert_eq!(device.model, Some("laptop".into()));
    assert_eq!(device.timestamp, heard.timestamp);
    assert_eq!(device.heard_by.as_ref().unwrap().readings, heard.access_points);
    lab.handle.store().remove(mac(1));
    assert!(lab.handle.store().is_empty());
    lab.stop().await;
}

fn place(last: u8) -> Location {
    Location {
        target: LocationTarget {
            subject: LocationSubject::STATION,
            address: mac(last),
            port: None,
        },
        floor_position: Some(FloorPosition {
            x_cm: i32::from(last),
            ..FloorPosition::default()
        }),
        emergency_number: Some("0123456789".into()),
        ..Location::default()
    }
}

#[tokio::test]
async fn locations_are_asked_for_and_subscribed_in_the_forms_that_the_requester_can_use() {
    let (lab, mut peer) = lab_and_peer().await;
    let store = lab.handle.store();
    let places = [1, 2].map(|last| StationUpdate::Location(place(last)));
    store.update_all(&places).unwrap();
    let floor_only = |last| Location {
        emergency_number: None,
        ..place(last)
    };
    let capabilities = Some(LocationCapabilities::FLOOR_POSITION);
    let request = OwnedMessage::LocationRequest(LocationRequest {
        capabilities,
        targets: vec![place(2).target],
    });
    let OwnedMessage::LocationResponse(response) = answer(&mut peer, request).await else {
        panic!("not locations");
    };
    assert_eq!(response.locations, [floor_only(2)]);

    let request = OwnedMessage::LocationSubscribe(LocationSubscribe {
        capabilities,
        targets: vec![place(3).target],
        ..LocationSubscribe::default()
    });
    let answered = answer(&mut peer, request).await;
    assert!(
        matches!(answered, OwnedMessage::LocationResponse(response) if response.status == StatusCode::SUCCESS)
    );
    for last in [4, 3] {
        store.update(&StationUpdate::Location(place(last))).unwrap();
    }
    let (_, notification) = peer.notification().await;
    let OwnedMessage::LocationNotification(notification) = notification else {
        panic!("{notification:?}");
    };
    assert_eq!(notification.locations, [floor_only(3)]);
    let end = OwnedMessage::LocationUnsubscribe(LocationUnsubscribe::default());
    let answered = answer(&mut peer, end).await;
    assert!(matches!(answered, OwnedMessage::LocationResponse(_)));
    lab.stop().await;
}

#[tokio::test]
async fn access_points_spectrum_and_monitor_reports_are_answered_and_reported() {
    let (lab, mut peer) = lab_and_peer().await;
    let store = lab.handle.store();
    let radio = |last, group: &str| AccessPointInformation {
        access_point: mac(last),
        group: Some(group.into()),
        ..AccessPointInformation::default()
    };
    let air = |last| AirQuality {
        access_point: mac(last),
        average: 99,
        ..AirQuality::default()
    };
    let updates = [
        StationUpdate::AccessPoint(radio(1, "north")),
        StationUpdate::AccessPoint(radio(2, "south")),
        StationUpdate::AirQuality(air(1)),
        StationUpdate::AirQuality(air(2)),
    ];
    store.update_all(&updates).unwrap();
    let request = OwnedMessage::ApDiscoveryRequest(AccessPointDiscoveryRequest {
        access_points: Vec::new(),
        access_point_groups: vec!["south".into()],
    });
    let OwnedMessage::ApDiscoveryResponse(response) = answer(&mut peer, request).await else {
        panic!("not access points");
    };
    assert_eq!(response.access_points, [radio(2, "south")]);
    let request = OwnedMessage::SpectrumRequest(SpectrumRequest {
        services: Services::SPECTRUM_AIR_QUALITY,
        access_points: vec![mac(1)],
        access_point_groups: Vec::new(),
    });
    let OwnedMessage::SpectrumResponse(response) = answer(&mut peer, request).await else {
        panic!("not the spectrum");
    };
    assert_eq!(response.air_quality, [air(1)]);

    let request = OwnedMessage::ApMonitorSubscription(MonitorSubscription {
        parameters: vec![MonitorParameters::default()],
    });
    let answered = answer(&mut peer, request).await;
    assert!(
        matches!(answered, OwnedMessage::ApMonitorResponse(response) if response.status == StatusCode::SUCCESS)
    );
    let report = MonitorReport {
        transmitter: mac(7),
        frame_count: 12,
        ..MonitorReport::default()
    };
    store
        .update(&StationUpdate::MonitorReport(report.clone()))
        .unwrap();
    let (_, notification) = peer.notification().await;
    let OwnedMessage::ApMonitorNotification(notification) = notification else {
        panic!("{notification:?}");
    };
    assert_eq!(notification.reports, [report]);
    lab.stop().await;
}

/// Takes over every attack but jamming.
#[derive(Debug)]
struct Ids;

impl RequestHandler for Ids {
    fn answer(&self, from: &Requester, request: &OwnedMessage) -> Option<StatusResponse> {
        let OwnedMessage::IdsSetRequest(request) = request else {
            return None;
        };
        assert!(from.mac.is_some());
        let jamming = |each: &IdsParameters| each.attack == AttackType::RADIO_JAMMING;
        let status = if request.parameters.iter().any(jamming) {
            StatusCode::FAILED
        } else {
            StatusCode::SUCCESS
        };
        Some(StatusResponse {
            status,
            explanation: None,
        })
    }
}

#[tokio::test]
async fn intrusion_detection_is_set_by_the_application_and_remembered() {
    let set = |attack| {
        let parameters = IdsParameters {
            attack,
            threshold_frames: 40,
            ..IdsParameters::default()
        };
        OwnedMessage::IdsSetRequest(IdsSetRequest {
            parameters: vec![parameters],
        })
    };
    let (lab, mut peer) = lab_and_peer().await;
    let refused = answer(&mut peer, set(AttackType::HONEYPOT)).await;
    let OwnedMessage::IdsSetResponse(refused) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(refused.status, StatusCode::NOT_SUPPORTED);
    lab.stop().await;

    let lab = Lab::start(|config| config.request_handler = Some(Arc::new(Ids))).await;
    let mut peer = Peer::connect(&lab).await;
    for (attack, status) in [
        (AttackType::HONEYPOT, StatusCode::SUCCESS),
        (AttackType::RADIO_JAMMING, StatusCode::FAILED),
    ] {
        let OwnedMessage::IdsSetResponse(response) = answer(&mut peer, set(attack)).await else {
            panic!("not a status");
        };
        assert_eq!(response.status, status);
    }
    let request = OwnedMessage::IdsGetRequest(IdsGetRequest::default());
    let OwnedMessage::IdsGetResponse(response) = answer(&mut peer, request).await else {
        panic!("not parameters");
    };
    let known: Vec<_> = response.parameters.iter().map(|each| each.attack).collect();
    assert_eq!(known, [AttackType::HONEYPOT]);
    lab.stop().await;
}

#[tokio::test]
async fn every_family_is_reported_to_who_subscribed_it() {
    let (lab, mut peer) = lab_and_peer().await;
    peer.subscribe_services(Services::INFO_MS | Services::WIPS).await;
    let store = lab.handle.store();
    store.update(&StationUpdate::Client(known_client())).unwrap();
    let (_, first) = peer.notification().await;
    assert!(matches!(first, OwnedMessage::InformationNotification(body) if body.clients == [known_client()]));
    store.update(&StationUpdate::Client(known_client())).unwrap();
    let alarm = IdsAlarm {
        alarm: 3,
        ..IdsAlarm::default()
    };
    store.update(&StationUpdate::Alarm(alarm.clone())).unwrap();
    let (sequence, second) = peer.notification().await;
    assert!(matches!(second, OwnedMessage::IdsNotification(body) if body.alarms == [alarm]));
    assert_eq!(sequence, 2, "what has not changed is not reported again");
    lab.stop().await;
}
