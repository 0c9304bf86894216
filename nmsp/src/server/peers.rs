//! Location servers by their address, over all connections that they made.

use std::collections::HashMap;
use std::net::IpAddr;

use super::registry::ConnectionStatus;
use crate::proto::CounterSnapshot;

/// A location server as the vendor's YANG model lists it (`cmx-connection`, one entry for an address): what its connections
/// have in common, and its counters over all of them, so that they go on when it comes back.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /// `peer-ip`. An IPv4 address is written as one, also when the listener is an IPv6 socket.
    pub ip: IpAddr,
    /// `active`: whether at least one connection is up.
    pub active: bool,
    /// `connection-id` of the first connection in [`tunnels`](Self::tunnels).
    pub connection_id: u32,
    /// `connections`: handshakes that succeeded.
    pub connections: u64,
    /// `disconnections`: connections that ended since.
    pub disconnections: u64,
    /// `con-stats` over all connections, those that ended included.
    pub counters: CounterSnapshot,
    /// The connections that are up, by number; if there is none, the last one that ended.
    pub tunnels: Vec<ConnectionStatus>,
}

/// What is kept of an address beyond its live connections.
#[derive(Debug, Default)]
struct Totals {
    connections: u64,
    disconnections: u64,
    /// The counters of the connections that ended.
    ended: CounterSnapshot,
}

/// The address of a peer as it is listed.
pub(super) fn listed(status: &ConnectionStatus) -> IpAddr {
    status.peer.ip().to_canonical()
}

/// The totals by address. An entry is made by a handshake that succeeded and goes when the registry forgets the peer, so
/// that its size is bounded by the limits of the registry.
#[derive(Debug, Default)]
pub(super) struct PeerTotals(HashMap<IpAddr, Totals>);

impl PeerTotals {
    pub(super) fn connected(&mut self, peer: IpAddr) {
        self.0.entry(peer.to_canonical()).or_default().connections += 1;
    }

    pub(super) fn disconnected(&mut self, status: &ConnectionStatus) {
        let totals = self.0.entry(listed(status)).or_default();
        totals.disconnections += 1;
        totals.ended.merge(&status.counters);
    }

    pub(super) fn forget(&mut self, peer: IpAddr) {
        self.0.remove(&peer);
    }

    /// `statuses` has live connections first.
    pub(super) fn peers(&self, statuses: Vec<ConnectionStatus>) -> Vec<PeerStatus> {
        let mut peers: Vec<PeerStatus> = Vec::new();
        let mut places = HashMap::new();
        for status in statuses {
            let ip = listed(&status);
            let place = *places.entry(ip).or_insert_with(|| {
                peers.push(self.begin(ip, &status));
                peers.len() - 1
            });
            if let Some(peer) = peers.get_mut(place) {
                if status.active {
                    peer.counters.merge(&status.counters);
                }
                if status.active || peer.tunnels.is_empty() {
                    peer.tunnels.push(status);
                }
            }
        }
        peers
    }

    fn begin(&self, ip: IpAddr, first: &ConnectionStatus) -> PeerStatus {
        let totals = self.0.get(&ip);
        PeerStatus {
            ip,
            active: first.active,
            connection_id: first.connection_id,
            connections: totals.map_or(0, |totals| totals.connections),
            disconnections: totals.map_or(0, |totals| totals.disconnections),
            counters: totals.map(|totals| totals.ended.clone()).unwrap_or_default(),
            tunnels: Vec::new(),
        }
    }
}
