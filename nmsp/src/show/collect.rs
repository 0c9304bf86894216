//! The state of a running server.

use std::time::{SystemTime, UNIX_EPOCH};

use super::state::{
    AuthListRow, AuthListState, ConStats, ControllerState, MessageCounter, PeerState, QueueState, State,
    TunnelState,
};
use crate::proto::{CounterSnapshot, MessageCount};
use crate::server::{ConnectionStatus, PeerStatus, ServerHandle};
use crate::wire::message::Timestamp;
use crate::wire::{Services, WireProfile};

impl State {
    /// What there is to see of a server now. Each counter is read once, and everything made of this state shows the same
    /// numbers. The entries of the authlist are left out: [`with_auth_list`](Self::with_auth_list) adds them.
    #[must_use]
    pub fn of(server: &ServerHandle) -> Self {
        let profile = &server.connection_config().profile;
        let queue_bound = server.limits().queue_length;
        let peers = server.peers();
        Self {
            controller: ControllerState {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                started: timestamp(server.started()),
                taken: timestamp(SystemTime::now()),
                shutting_down: server.is_shutting_down(),
            },
            capability: server.connection_config().services,
            peers: peers
                .iter()
                .map(|peer| peer_state(peer, profile, queue_bound))
                .collect(),
            statistics: server.counters(),
            auth_list: server.auth_list().map(|list| AuthListState {
                length: list.len(),
                entries: None,
            }),
            ..Self::default()
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

/// A clock before 1970 reads as 1970.
fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn peer_state(peer: &PeerStatus, profile: &WireProfile, queue_bound: usize) -> PeerState {
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
            .map(|status| tunnel_state(status, queue_bound))
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
        ..
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
    }
}

fn tunnel_state(status: &ConnectionStatus, queue_bound: usize) -> TunnelState {
    TunnelState {
        connection_id: status.connection_id,
        peer: status.peer,
        active: status.active,
        mac: status.mac,
        subscriptions: status.subscriptions,
        subscribed: None,
        connected: None,
        access_point_groups: Vec::new(),
        queue: QueueState {
            length: status.queued_notifications,
            bound: queue_bound,
        },
        losses: Vec::new(),
    }
}
