//! Who is connected, and who was.

use core::fmt;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use pki_common::MacAddr;

use super::Limits;
use super::peers::{PeerStatus, PeerTotals, listed};
use super::subscriber::Subscriber;
use crate::proto::{ConnectionCounters, CounterSnapshot};
use crate::wire::Services;

/// How many peers that are gone `show nmsp status` still lists as inactive.
pub const REMEMBERED_PEERS: usize = 64;

/// How a connection is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// TLS 1.2 or 1.3 over TCP.
    Tls,
    /// What old devices speak over TCP (feature `openssl`).
    LegacyTls,
    /// DTLS 1.2 over UDP (feature `openssl`).
    Dtls,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls => f.pad("TLS"),
            Self::LegacyTls => f.pad("TLS-legacy"),
            Self::Dtls => f.pad("DTLS"),
        }
    }
}

/// A connection at one moment.
#[derive(Clone, Debug)]
pub struct ConnectionStatus {
    /// `peer-ip`, with the port.
    pub peer: SocketAddr,
    /// `connection-id`: the smallest number that was free, as in `NMSP connection success! conn 0`.
    pub connection_id: u32,
    /// `active`.
    pub active: bool,
    /// The MAC address in the peer's certificate.
    pub mac: Option<MacAddr>,
    /// `subscriptions`.
    pub subscriptions: Services,
    /// `transport`.
    pub transport: Transport,
    /// The counters of the connection.
    pub counters: CounterSnapshot,
    /// Ours: notifications that wait to be sent.
    pub queued_notifications: usize,
    /// Ours: notifications dropped because the peer was slow.
    pub dropped_notifications: u64,
}

/// An established connection.
#[derive(Debug)]
pub(super) struct Established {
    pub(super) transport: Transport,
    pub(super) mac: Option<MacAddr>,
    pub(super) counters: Arc<ConnectionCounters>,
    pub(super) subscriber: Arc<Subscriber>,
}

#[derive(Debug)]
struct Entry {
    peer: SocketAddr,
    established: Option<Established>,
}

impl Entry {
    fn status(&self, connection_id: u32, active: bool) -> Option<ConnectionStatus> {
        let established = self.established.as_ref()?;
        Some(ConnectionStatus {
            peer: self.peer,
            connection_id,
            active,
            mac: established.mac,
            subscriptions: established.subscriber.services(),
            transport: established.transport,
            counters: established.counters.snapshot(),
            queued_notifications: established.subscriber.waiting(),
            dropped_notifications: established.subscriber.dropped(),
        })
    }
}

#[derive(Debug, Default)]
struct Entries {
    live: BTreeMap<u32, Entry>,
    gone: VecDeque<ConnectionStatus>,
    totals: PeerTotals,
}

impl Entries {
    fn statuses(&self) -> Vec<ConnectionStatus> {
        let live = self.live.iter().filter_map(|(id, entry)| entry.status(*id, true));
        live.chain(self.gone.iter().cloned()).collect()
    }

    /// Lists a connection that ended, and forgets the peer that has been gone for longest if there are too many.
    fn retire(&mut self, status: ConnectionStatus) {
        let peer = listed(&status);
        self.totals.disconnected(&status);
        self.gone.retain(|gone| listed(gone) != peer);
        self.gone.push_front(status);
        if self.gone.len() > REMEMBERED_PEERS {
            let forgotten = self.gone.pop_back().map(|gone| listed(&gone));
            let connected = |ip| {
                let mut established = self.live.values().filter(|entry| entry.established.is_some());
                established.any(|entry| entry.peer.ip().to_canonical() == ip)
            };
            if let Some(ip) = forgotten.filter(|ip| !connected(*ip)) {
                self.totals.forget(ip);
            }
        }
    }
}

/// All connections of a server. The lock is taken when a connection begins, is established or ends, and when somebody
/// asks for the status; publishing only loads the list of subscribers.
#[derive(Debug, Default)]
pub(super) struct Registry {
    entries: Arc<Mutex<Entries>>,
    subscribers: Arc<ArcSwap<Vec<Arc<Subscriber>>>>,
}

impl Registry {
    /// Takes a place for a peer, or says which limit is reached.
    pub(super) fn reserve(&self, peer: SocketAddr, limits: &Limits) -> Result<Slot, usize> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.live.len() >= limits.max_connections {
            return Err(limits.max_connections);
        }
        let handshakes = entries
            .live
            .values()
            .filter(|entry| entry.established.is_none())
            .count();
        if handshakes >= limits.max_handshakes {
            return Err(limits.max_handshakes);
        }
        // Keys are sorted, so the first one that differs from its position marks the smallest free number.
        let free = (0_u32..)
            .zip(entries.live.keys())
            .find(|(number, key)| number != *key)
            .map(|(number, _)| number);
        let id = free.unwrap_or_else(|| u32::try_from(entries.live.len()).unwrap_or(u32::MAX));
        entries.live.insert(
            id,
            Entry {
                peer,
                established: None,
            },
        );
        Ok(Slot {
            id,
            peer,
            entries: Arc::clone(&self.entries),
            subscribers: Arc::clone(&self.subscribers),
        })
    }

    pub(super) fn subscribers(&self) -> arc_swap::Guard<Arc<Vec<Arc<Subscriber>>>> {
        self.subscribers.load()
    }

    pub(super) fn status(&self) -> Vec<ConnectionStatus> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.statuses()
    }

    /// The same by address, with what is kept of earlier connections.
    pub(super) fn peers(&self) -> Vec<PeerStatus> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.totals.peers(entries.statuses())
    }
}

/// The place of one connection; it is given back when dropped, however the connection's task ends.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: u32,
    pub(super) peer: SocketAddr,
    entries: Arc<Mutex<Entries>>,
    subscribers: Arc<ArcSwap<Vec<Arc<Subscriber>>>>,
}

impl Slot {
    /// The handshake is done: the connection no longer counts as one in handshake and can be published to.
    pub(super) fn establish(&self, established: Established) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let peer = self.peer.ip().to_canonical();
        entries.gone.retain(|gone| listed(gone) != peer);
        entries.totals.connected(peer);
        if let Some(entry) = entries.live.get_mut(&self.id) {
            entry.established = Some(established);
        }
        self.renew_subscribers(&entries);
    }

    fn renew_subscribers(&self, entries: &Entries) {
        let established = entries
            .live
            .values()
            .filter_map(|entry| entry.established.as_ref());
        self.subscribers.store(Arc::new(
            established.map(|entry| Arc::clone(&entry.subscriber)).collect(),
        ));
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(status) = entries
            .live
            .remove(&self.id)
            .and_then(|entry| entry.status(self.id, false))
        else {
            return;
        };
        entries.retire(status);
        self.renew_subscribers(&entries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::MessageType;

    fn peer(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 40_000))
    }

    #[test]
    fn gives_the_smallest_free_number_and_keeps_the_limits() {
        let registry = Registry::default();
        let limits = Limits {
            max_connections: 3,
            max_handshakes: 3,
            ..Limits::default()
        };
        let first = registry.reserve(peer(1), &limits).unwrap();
        let second = registry.reserve(peer(2), &limits).unwrap();
        drop(first);
        let third = registry.reserve(peer(3), &limits).unwrap();
        assert_eq!((second.id, third.id), (1, 0));
        let fourth = registry.reserve(peer(4), &limits).unwrap();
        assert_eq!(registry.reserve(peer(5), &limits).unwrap_err(), 3);
        drop(fourth);
        let fewer = Limits {
            max_handshakes: 2,
            ..limits
        };
        assert_eq!(registry.reserve(peer(5), &fewer).unwrap_err(), 2);
    }

    #[test]
    fn lists_a_peer_that_is_gone_as_inactive_until_it_returns() {
        let registry = Registry::default();
        let established = || Established {
            transport: Transport::Tls,
            mac: None,
            counters: Arc::default(),
            subscriber: Arc::new(Subscriber::new(1)),
        };
        let active = || {
            registry
                .status()
                .iter()
                .map(|status| status.active)
                .collect::<Vec<_>>()
        };
        let slot = registry.reserve(peer(1), &Limits::default()).unwrap();
        slot.establish(established());
        assert_eq!(registry.subscribers().len(), 1);
        drop(slot);
        assert_eq!(registry.subscribers().len(), 0);
        assert_eq!(active(), [false]);
        let again = registry.reserve(peer(1), &Limits::default()).unwrap();
        again.establish(established());
        assert_eq!(active(), [true]);
    }

    fn counted(frames: u64) -> Established {
        let counters = Arc::new(ConnectionCounters::default());
        for _ in 0..frames {
            counters.received(Some(MessageType::EchoRequest), 12);
        }
        Established {
            transport: Transport::Tls,
            mac: None,
            counters,
            subscriber: Arc::new(Subscriber::new(1)),
        }
    }

    #[test]
    fn the_counters_of_a_peer_go_on_when_it_comes_back() {
        let registry = Registry::default();
        let connect = |frames| {
            let slot = registry.reserve(peer(1), &Limits::default()).unwrap();
            slot.establish(counted(frames));
            slot
        };
        drop(connect(3));
        let (second, third) = (connect(4), connect(5));
        let peers = registry.peers();
        let [one] = &peers[..] else {
            panic!("one address: {peers:?}")
        };
        assert_eq!((one.connections, one.disconnections, one.active), (3, 1, true));
        assert_eq!(one.counters.rx(MessageType::EchoRequest), 12);
        assert_eq!((one.tunnels.len(), one.connection_id), (2, 0));
        drop(second);
        drop(third);
        let peers = registry.peers();
        assert_eq!(
            (peers[0].connections, peers[0].disconnections, peers[0].active),
            (3, 3, false)
        );
        assert_eq!(peers[0].counters.rx_data_frames, 12);
        assert_eq!(peers[0].tunnels.len(), 1);
    }

    #[test]
    fn forgets_the_peers_that_have_been_gone_for_longest() {
        let registry = Registry::default();
        let stays = registry.reserve(peer(0), &Limits::default()).unwrap();
        stays.establish(counted(1));
        let visit = |last| {
            let slot = registry.reserve(peer(last), &Limits::default()).unwrap();
            slot.establish(counted(1));
        };
        visit(0);
        for last in 1..=REMEMBERED_PEERS {
            visit(u8::try_from(last).unwrap());
        }
        // The address of the first visit is still connected, so its totals stay.
        let peers = registry.peers();
        assert_eq!(peers.len(), 1 + REMEMBERED_PEERS);
        assert_eq!((peers[0].connections, peers[0].disconnections), (2, 1));
        visit(100);
        visit(1);
        let again = registry.peers();
        let first = again.iter().find(|one| one.ip == peer(1).ip()).unwrap();
        assert_eq!(first.connections, 1, "its earlier visit is forgotten");
    }

    #[test]
    fn an_ipv4_peer_of_an_ipv6_listener_is_listed_by_its_ipv4_address() {
        let registry = Registry::default();
        let mapped = std::net::Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped();
        let slot = registry
            .reserve((mapped, 40_000).into(), &Limits::default())
            .unwrap();
        slot.establish(counted(1));
        assert_eq!(registry.peers()[0].ip, peer(7).ip());
    }
}
