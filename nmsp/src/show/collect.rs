//! The state of a running server.

use std::time::SystemTime;

use tokio::runtime::Handle;

use super::state::{
    AccessPointGroup, AuthListRow, AuthListState, ConStats, ControllerState, Losses, MessageCounter,
    NotificationState, PeerState, QueueState, RecordCount, SrvStats, State, StoreState, TunnelState,
};
use crate::proto::policy::{NotificationClass, NotificationPolicy};
use crate::proto::{CounterSnapshot, MessageCount};
use crate::server::{ConnectionStatus, PeerStatus, RecordKind, ServerHandle, StationStore};
use crate::wire::message::Timestamp;
use crate::wire::{Services, WireProfile};

impl State {
    /// What there is to see of a server now. Each counter is read once, and everything made of this state shows the same
    /// numbers. The entries of the authlist are left out: [`with_auth_list`](Self::with_auth_list) adds them.
    #[must_use]
    pub fn of(server: &ServerHandle) -> Self {
        let profile = &server.connection_config().profile;
        let store = server.store();
        let peers = server.peers();
        Self {
            controller: ControllerState {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                started: Timestamp::from(server.started()),
                taken: Timestamp::from(SystemTime::now()),
                shutting_down: server.is_shutting_down(),
                tasks: tasks_of_this_runtime(),
            },
            capability: server.connection_config().services,
            peers: peers
                .iter()
                .map(|peer| peer_state(peer, profile, store))
                .collect(),
            statistics: server.counters(),
            auth_list: server.auth_list().map(|list| AuthListState {
                length: list.len(),
                entries: None,
            }),
            notification: notification(&server.notification_policy()),
            store: store_state(store),
            srv_stats: SrvStats::default(),
        }
    }

    /// Adds the entries of the authlist, ordered by MAC address. There may be a hundred thousand.
    #[must_use]
    pub fn with_auth_list(mut self, server: &ServerHandle) -> Self {
        self.auth_list = server.auth_list().map(|list| {
            let row = |entry: &&pki_common::authlist::AuthListEntry| AuthListRow {
                mac: entry.mac,
                cert_type: entry.list_type,
                key_hash: entry.key_hash,
            };
            let entries: Vec<AuthListRow> = list.sorted().iter().map(row).collect();
            AuthListState {
                length: entries.len(),
                entries: Some(entries),
            }
        });
        self
    }
}

fn tasks_of_this_runtime() -> Option<u64> {
    let runtime = Handle::try_current().ok()?;
    u64::try_from(runtime.metrics().num_alive_tasks()).ok()
}

fn peer_state(peer: &PeerStatus, profile: &WireProfile, store: &StationStore) -> PeerState {
    let live = peer.tunnels.iter().filter(|tunnel| tunnel.active);
    PeerState {
        peer_ip: peer.ip,
        connection_id: peer.connection_id,
        active: peer.active,
        con_stats: con_stats(peer, profile),
        subscriptions: live.fold(Services::NONE, |all, tunnel| all | tunnel.subscriptions),
        transport: peer
            .tunnels
            .first()
            .map(|tunnel| tunnel.transport.to_string())
            .unwrap_or_default(),
        tunnels: peer
            .tunnels
            .iter()
            .map(|status| tunnel_state(status, store))
            .collect(),
    }
}

fn con_stats(peer: &PeerStatus, profile: &WireProfile) -> ConStats {
    let CounterSnapshot {
        tx_msg_counter,
        rx_msg_counter,
        unsupported_msg_count,
        tx_data_frames,
        rx_data_frames,
        tx_bytes,
        rx_bytes,
        unmatched_responses,
        // A controller subscribes nothing.
        unsolicited_notifications: _,
        timed_out_requests,
        duplicate_requests,
        refused_requests,
    } = &peer.counters;
    let numbered = |counts: &[MessageCount]| {
        // A message without a number in the profile is neither sent nor recognised.
        let counter = |entry: &MessageCount| {
            Some(MessageCounter {
                msg_id: profile.message_id(entry.message)?.0,
                name: entry.message.name().to_owned(),
                counter: entry.count,
            })
        };
        let mut counters: Vec<MessageCounter> = counts.iter().filter_map(counter).collect();
        counters.sort_by_key(|counter| counter.msg_id);
        counters
    };
    ConStats {
        tx_msg_counter: numbered(tx_msg_counter),
        rx_msg_counter: numbered(rx_msg_counter),
        unsupported_msg_count: *unsupported_msg_count,
        tx_data_frames: *tx_data_frames,
        rx_data_frames: *rx_data_frames,
        connections: peer.connections,
        disconnections: peer.disconnections,
        tx_bytes: *tx_bytes,
        rx_bytes: *rx_bytes,
        unmatched_responses: *unmatched_responses,
        timed_out_requests: *timed_out_requests,
        duplicate_requests: *duplicate_requests,
        refused_requests: *refused_requests,
    }
}

fn tunnel_state(status: &ConnectionStatus, store: &StationStore) -> TunnelState {
    let groups = status.subscription.access_point_groups.iter();
    let losses = status.losses.iter().map(|loss| Losses {
        kind: loss.kind.map_or("messages", RecordKind::name).to_owned(),
        replaced: loss.replaced,
        dropped: loss.dropped,
    });
    TunnelState {
        connection_id: status.connection_id,
        peer: status.peer,
        active: status.active,
        mac: status.mac,
        subscriptions: status.subscriptions,
        subscribed: status.subscribed_since.map(Timestamp::from),
        connected: Some(Timestamp::from(status.connected_since)),
        access_point_groups: groups
            .map(|name| AccessPointGroup {
                // A name that is not UTF-8 is shown as the log shows it.
                name: name.as_str().map_or_else(|| name.to_string(), str::to_owned),
                access_points: store.access_points_of_group(name),
            })
            .collect(),
        queue: QueueState {
            length: status.queued_notifications,
            bound: status.queue_bound,
        },
        parameters: status.subscription.parameters.clone(),
        losses: losses.collect(),
        unchanged_measurements: status.unchanged_measurements,
        ended: status.ended.clone(),
    }
}

fn notification(policy: &NotificationPolicy) -> Vec<NotificationState> {
    let rule = |class: &NotificationClass| {
        let rule = policy.rule(*class);
        NotificationState {
            class: class.name().to_owned(),
            interval_seconds: rule.interval_seconds,
            rssi_threshold_db: rule.rssi_threshold_db,
        }
    };
    NotificationClass::ALL.iter().map(rule).collect()
}

fn store_state(store: &StationStore) -> StoreState {
    let counted = RecordKind::ALL.iter().map(|kind| RecordCount {
        kind: kind.name().to_owned(),
        count: store.len_of(*kind),
    });
    StoreState {
        records: counted.filter(|one| one.count > 0).collect(),
        evicted: store.evicted(),
    }
}
