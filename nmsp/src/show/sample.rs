//! A state that the golden tests of the texts, of RESTCONF and of the metrics share.

use pki_common::authlist::AuthListType;

use super::state::{
    AccessPointGroup, AuthListRow, AuthListState, ConStats, ControllerState, Losses, MessageCounter,
    NotificationState, PeerState, QueueState, RecordCount, SrvStats, State, StoreState, TunnelState,
};
use crate::server::{AaaStats, ServerCounters, SslStats};
use crate::wire::elements::ServiceParameters;
use crate::wire::message::Timestamp;
use crate::wire::{MessageType, Services};

fn counter(message: MessageType, counter: u64) -> MessageCounter {
    MessageCounter {
        msg_id: message.built_in_number(),
        name: message.name().to_owned(),
        counter,
    }
}

/// One location server that is connected, one that is gone, and numbers that are all different.
pub(crate) fn state() -> State {
    State {
        controller: ControllerState {
            version: "0.0.0".to_owned(),
            started: Timestamp(1_600_000_000_000),
            taken: Timestamp(1_600_000_100_500),
            shutting_down: false,
            tasks: Some(9),
        },
        capability: Services::RSSI_MS | Services::RSSI_RFID | Services::INFO_MS | Services::AP_INFO,
        peers: vec![connected(), gone()],
        statistics: statistics(),
        srv_stats: SrvStats { srv_restarts: 1 },
        notification: notification(),
        auth_list: Some(auth_list()),
        store: StoreState {
            records: vec![RecordCount {
                kind: "client measurements".to_owned(),
                count: 2000,
            }],
            evicted: 4,
        },
    }
}

fn connected() -> PeerState {
    let subscriptions = Services::RSSI_MS | Services::RSSI_RFID | Services::INFO_MS;
    PeerState {
        peer_ip: "192.0.2.10".parse().unwrap(),
        connection_id: 0,
        active: true,
        con_stats: ConStats {
            tx_msg_counter: vec![
                counter(MessageType::EchoResponse, 14),
                counter(MessageType::CapabilityNotification, 1),
                counter(MessageType::MeasurementNotification, 1595),
                counter(MessageType::ServiceSubscribeResponse, 1),
            ],
            rx_msg_counter: vec![
                counter(MessageType::EchoRequest, 14),
                counter(MessageType::CapabilityNotification, 2),
                counter(MessageType::ServiceSubscribeRequest, 1),
            ],
            unsupported_msg_count: 0,
            tx_data_frames: 1611,
            rx_data_frames: 17,
            connections: 2,
            disconnections: 1,
            tx_bytes: 90_000,
            rx_bytes: 400,
            unmatched_responses: 1,
            timed_out_requests: 2,
            duplicate_requests: 3,
            refused_requests: 4,
        },
        subscriptions,
        transport: "TLS".to_owned(),
        tunnels: vec![tunnel(subscriptions)],
    }
}

fn tunnel(subscriptions: Services) -> TunnelState {
    TunnelState {
        connection_id: 0,
        peer: "192.0.2.10:40000".parse().unwrap(),
        active: true,
        mac: Some("00:50:56:9c:34:89".parse().unwrap()),
        subscriptions,
        subscribed: Some(Timestamp(1_600_000_020_000)),
        connected: Some(Timestamp(1_600_000_010_000)),
        access_point_groups: vec![AccessPointGroup {
            // A peer chooses the name; a line break in it must not make a line.
            name: "floor-1\n".to_owned(),
            access_points: vec![
                "00:3a:7d:00:00:09".parse().unwrap(),
                "00:3a:7d:00:00:0a".parse().unwrap(),
            ],
        }],
        queue: QueueState {
            length: 3,
            bound: 1024,
        },
        parameters: vec![ServiceParameters {
            services: Services::RSSI_MS,
            interval_seconds: 5,
            rssi_threshold_db: 6,
        }],
        losses: vec![Losses {
            kind: "client measurements".to_owned(),
            replaced: 7,
            dropped: 2,
        }],
        unchanged_measurements: 11,
        ended: None,
    }
}

fn gone() -> PeerState {
    PeerState {
        peer_ip: "2001:db8::7".parse().unwrap(),
        connection_id: 1,
        active: false,
        con_stats: ConStats {
            tx_msg_counter: vec![counter(MessageType::CapabilityNotification, 1)],
            rx_msg_counter: vec![counter(MessageType::CapabilityNotification, 1)],
            unsupported_msg_count: 0,
            tx_data_frames: 1,
            rx_data_frames: 1,
            connections: 1,
            disconnections: 1,
            ..ConStats::default()
        },
        subscriptions: Services::NONE,
        transport: "TLS".to_owned(),
        tunnels: Vec::new(),
    }
}

fn statistics() -> ServerCounters {
    ServerCounters {
        ssl_stats: SslStats {
            verify_count: 21,
            verify_fail: 2,
            verify_success: 19,
            connection_created: 18,
            connection_closed: 17,
            accept_attempts: 30,
            accept_fail: 9,
            accept_reject: 3,
            accept_success: 18,
            accept_register_fail: 0,
        },
        aaa_stats: AaaStats {
            aaa_request: 22,
            aaa_send_fail: 0,
            aaa_send_success: 22,
            aaa_response: 22,
            aaa_validation_total: 22,
            aaa_validation_fail: 4,
            aaa_validation_success: 18,
        },
        handshake_timeouts: 5,
        protocol_errors: 6,
        peer_timeouts: 7,
        replaced_notifications: 9,
        dropped_notifications: 8,
        rejected_connections: 1,
        rejected_per_address: 1,
        rejected_handshakes: 0,
        rejected_rate: 1,
        throttled: 12,
        authorization_withdrawn: 13,
        reloads: 14,
        failed_reloads: 15,
    }
}

fn notification() -> Vec<NotificationState> {
    let rule = |class: &str, interval_seconds, rssi_threshold_db| NotificationState {
        class: class.to_owned(),
        interval_seconds,
        rssi_threshold_db,
    };
    vec![
        rule("clients", 2, 3),
        rule("rfid-tags", 50, 0),
        rule("rogue-aps", 2, 0),
        rule("rogue-clients", 2, 0),
        rule("spectrum", 2, 0),
        rule("attachment", 30, 0),
        rule("location", 30, 0),
    ]
}

fn auth_list() -> AuthListState {
    AuthListState {
        length: 2,
        entries: Some(vec![
            AuthListRow {
                mac: "00:14:6a:1b:37:44".parse().unwrap(),
                cert_type: AuthListType::LbsSsc,
                key_hash: Some("9e4ddd8dfcdd8458ba7b273fc37284b31a384eb9".parse().unwrap()),
            },
            AuthListRow {
                mac: "00:50:56:9c:34:89".parse().unwrap(),
                cert_type: AuthListType::Lsc,
                key_hash: None,
            },
        ]),
    }
}
