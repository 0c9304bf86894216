//! Who is connected, and who was.

use core::fmt;
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use pki_common::MacAddr;
use pki_common::certificate::Certificate;

use super::Limits;
use super::arrivals::{Arrivals, Rejection, origin};
use super::ending::Ending;
use super::peers::{PeerStatus, PeerTotals, listed};
use super::store::Subscribers;
use super::subscriber::{Loss, Subscriber};
use crate::proto::{ConnectionCounters, CounterSnapshot, Subscription};
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
    /// Ours: since when it is established.
    pub connected_since: SystemTime,
    /// Ours: why it ended, once it has.
    pub ended: Option<String>,
    /// `subscriptions`.
    pub subscriptions: Services,
    /// Ours: the subscription with its AP groups and parameters.
    pub subscription: Subscription,
    /// Ours: since when it holds; `None` before the first one.
    pub subscribed_since: Option<SystemTime>,
    /// `transport`.
    pub transport: Transport,
    /// The counters of the connection.
    pub counters: CounterSnapshot,
    /// Ours: notifications that wait to be sent.
    pub queued_notifications: usize,
    /// Ours: how many may wait ([`Limits::queue_length`]).
    pub queue_bound: usize,
    /// Ours: notifications superseded by newer values while they waited, because the peer was slow.
    pub replaced_notifications: u64,
    /// Ours: notifications dropped because the peer was slow.
    pub dropped_notifications: u64,
    /// Ours: both by kind.
    pub losses: Vec<Loss>,
    /// Ours: measurements left out because the signal strength moved by less than the threshold.
    pub unchanged_measurements: u64,
}

impl ConnectionStatus {
    /// A connection that has just been established, over which nothing has come yet.
    #[must_use]
    pub fn new(peer: SocketAddr, connection_id: u32) -> Self {
        Self {
            peer,
            connection_id,
            active: true,
            mac: None,
            connected_since: SystemTime::now(),
            ended: None,
            subscriptions: Services::NONE,
            subscription: Subscription::default(),
            subscribed_since: None,
            transport: Transport::Tls,
            counters: CounterSnapshot::default(),
            queued_notifications: 0,
            queue_bound: 0,
            replaced_notifications: 0,
            dropped_notifications: 0,
            losses: Vec::new(),
            unchanged_measurements: 0,
        }
    }
}

/// An established connection.
#[derive(Debug)]
pub(super) struct Established {
    pub(super) transport: Transport,
    pub(super) mac: Option<MacAddr>,
    /// What the authlist was asked about, if there is one.
    pub(super) certificate: Option<Arc<Certificate>>,
    pub(super) counters: Arc<ConnectionCounters>,
    pub(super) subscriber: Arc<Subscriber>,
    pub(super) ending: Arc<Ending>,
}

/// A connection that may have to end: who it is, and how to end it.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) id: u32,
    pub(super) certificate: Arc<Certificate>,
    pub(super) ending: Arc<Ending>,
}

#[derive(Debug)]
struct Entry {
    peer: SocketAddr,
    since: SystemTime,
    ended: Option<String>,
    established: Option<Established>,
}

impl Entry {
    fn status(&self, connection_id: u32, active: bool) -> Option<ConnectionStatus> {
        let established = self.established.as_ref()?;
        let subscriber = &established.subscriber;
        let (losses, terms) = (subscriber.losses(), subscriber.terms());
        Some(ConnectionStatus {
            peer: self.peer,
            connection_id,
            active,
            mac: established.mac,
            connected_since: self.since,
            ended: self.ended.clone(),
            subscriptions: subscriber.services(),
            subscription: terms.subscription.clone(),
            subscribed_since: terms.since,
            transport: established.transport,
            counters: established.counters.snapshot(),
            queued_notifications: subscriber.waiting(),
            queue_bound: subscriber.bound(),
            replaced_notifications: losses.iter().map(|loss| loss.replaced).sum(),
            dropped_notifications: losses.iter().map(|loss| loss.dropped).sum(),
            losses,
            unchanged_measurements: subscriber.unchanged(),
        })
    }
}

/// What one address has.
#[derive(Clone, Copy, Debug, Default)]
struct OfOrigin {
    connections: usize,
    /// How many of them are in the handshake.
    handshakes: usize,
}

#[derive(Debug, Default)]
struct Entries {
    live: BTreeMap<u32, Entry>,
    /// Numbers below the greatest one in use that are free.
    free: BTreeSet<u32>,
    /// How many of the live ones are in the handshake.
    handshakes: usize,
    by_origin: HashMap<IpAddr, OfOrigin>,
    arrivals: Arrivals,
    gone: VecDeque<ConnectionStatus>,
    totals: PeerTotals,
}

impl Entries {
    fn statuses(&self) -> Vec<ConnectionStatus> {
        let live = self.live.iter().filter_map(|(id, entry)| entry.status(*id, true));
        live.chain(self.gone.iter().cloned()).collect()
    }

    fn check(&mut self, peer: IpAddr, limits: &Limits, now: Instant) -> Result<(), Rejection> {
        self.arrivals
            .note(peer, now, limits.max_new_connections_per_second)?;
        if self.live.len() >= limits.max_connections {
            return Err(Rejection::Connections(limits.max_connections));
        }
        let of_address = self.by_origin.get(&origin(peer)).copied().unwrap_or_default();
        if of_address.connections >= limits.max_connections_per_address {
            return Err(Rejection::PerAddress(limits.max_connections_per_address));
        }
        if self.handshakes >= limits.max_handshakes {
            return Err(Rejection::Handshakes(limits.max_handshakes));
        }
        if of_address.handshakes >= limits.max_handshakes_per_address {
            return Err(Rejection::HandshakesPerAddress(limits.max_handshakes_per_address));
        }
        Ok(())
    }

    fn insert(&mut self, peer: SocketAddr) -> u32 {
        // Without a free number, those in use are 0, 1, 2 and so on without a gap.
        let id = self
            .free
            .pop_first()
            .unwrap_or_else(|| u32::try_from(self.live.len()).unwrap_or(u32::MAX));
        let entry = Entry {
            peer,
            since: SystemTime::now(),
            ended: None,
            established: None,
        };
        self.live.insert(id, entry);
        self.handshakes += 1;
        let of_address = self.by_origin.entry(origin(peer.ip())).or_default();
        of_address.connections += 1;
        of_address.handshakes += 1;
        id
    }

    fn remove(&mut self, id: u32) -> Option<Entry> {
        let entry = self.live.remove(&id)?;
        self.free.insert(id);
        if self.live.is_empty() {
            self.free.clear();
        }
        if entry.established.is_none() {
            self.handshake_ended(entry.peer);
        }
        let origin = origin(entry.peer.ip());
        if let Some(count) = self.by_origin.get_mut(&origin) {
            count.connections -= 1;
            if count.connections == 0 {
                self.by_origin.remove(&origin);
            }
        }
        Some(entry)
    }

    fn handshake_ended(&mut self, peer: SocketAddr) {
        self.handshakes -= 1;
        if let Some(of_address) = self.by_origin.get_mut(&origin(peer.ip())) {
            of_address.handshakes -= 1;
        }
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

/// All connections of a server. The lock is taken when a connection begins, is established, subscribes or ends, and when
/// somebody asks for the status; publishing only loads the list of subscribers.
#[derive(Debug, Default)]
pub(super) struct Registry {
    entries: Arc<Mutex<Entries>>,
    /// Those that have subscribed something.
    subscribers: Subscribers,
}

impl Registry {
    /// Takes a place for a peer, or says which limit is reached.
    pub(super) fn reserve(&self, peer: SocketAddr, limits: &Limits, now: Instant) -> Result<Slot, Rejection> {
        let mut entries = lock(&self.entries);
        entries.check(peer.ip(), limits, now)?;
        Ok(Slot {
            id: entries.insert(peer),
            peer,
            entries: Arc::clone(&self.entries),
            subscribers: Arc::clone(&self.subscribers),
        })
    }

    /// The list of subscribers, as it is at any moment.
    pub(super) const fn subscribers(&self) -> &Subscribers {
        &self.subscribers
    }

    /// The connections that an authlist has admitted.
    pub(super) fn admitted(&self) -> Vec<Admitted> {
        let entries = lock(&self.entries);
        let admitted = entries.live.iter().filter_map(|(id, entry)| {
            let established = entry.established.as_ref()?;
            Some(Admitted {
                id: *id,
                certificate: Arc::clone(established.certificate.as_ref()?),
                ending: Arc::clone(&established.ending),
            })
        });
        admitted.collect()
    }

    /// What ends a connection.
    pub(super) fn ending(&self, id: u32) -> Option<Arc<Ending>> {
        let entries = lock(&self.entries);
        let established = entries.live.get(&id)?.established.as_ref()?;
        Some(Arc::clone(&established.ending))
    }

    pub(super) fn status(&self) -> Vec<ConnectionStatus> {
        lock(&self.entries).statuses()
    }

    /// The same by address, with what is kept of earlier connections.
    pub(super) fn peers(&self) -> Vec<PeerStatus> {
        let entries = lock(&self.entries);
        entries.totals.peers(entries.statuses())
    }
}

fn lock(entries: &Mutex<Entries>) -> MutexGuard<'_, Entries> {
    entries.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The place of one connection; it is given back when dropped, however the connection's task ends.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: u32,
    pub(super) peer: SocketAddr,
    entries: Arc<Mutex<Entries>>,
    subscribers: Subscribers,
}

impl Slot {
    /// The handshake is done: the connection no longer counts as one in handshake and can be published to.
    pub(super) fn establish(&self, established: Established) {
        let mut entries = lock(&self.entries);
        let peer = self.peer.ip().to_canonical();
        entries.gone.retain(|gone| listed(gone) != peer);
        entries.totals.connected(peer);
        if let Some(entry) = entries.live.get_mut(&self.id) {
            entry.since = SystemTime::now();
            entry.established = Some(established);
            entries.handshake_ended(self.peer);
        }
    }

    /// The connection has subscribed something, or nothing any more.
    pub(super) fn subscription_changed(&self) {
        self.renew_subscribers(&lock(&self.entries));
    }

    /// Keeps why the connection ended.
    pub(super) fn ended(&self, reason: String) {
        if let Some(entry) = lock(&self.entries).live.get_mut(&self.id) {
            entry.ended = Some(reason);
        }
    }

    fn renew_subscribers(&self, entries: &Entries) {
        let established = entries
            .live
            .values()
            .filter_map(|entry| entry.established.as_ref());
        let subscribed = established.filter(|entry| !entry.subscriber.services().is_empty());
        self.subscribers.store(Arc::new(
            subscribed.map(|entry| Arc::clone(&entry.subscriber)).collect(),
        ));
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut entries = lock(&self.entries);
        let Some(entry) = entries.remove(self.id) else {
            return;
        };
        let Some(status) = entry.status(self.id, false) else {
            return;
        };
        let subscribed = !status.subscriptions.is_empty();
        entries.retire(status);
        if subscribed {
            self.renew_subscribers(&entries);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::subscriber::{QueueBounds, Terms};
    use crate::wire::MessageType;

    fn peer(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 40_000))
    }

    fn reserve(registry: &Registry, peer: SocketAddr, limits: &Limits) -> Result<Slot, Rejection> {
        registry.reserve(peer, limits, Instant::now())
    }

    #[test]
    fn gives_the_smallest_free_number_and_keeps_the_limits() {
        let registry = Registry::default();
        let limits = Limits {
            max_connections: 3,
            max_handshakes: 3,
            ..Limits::default()
        };
        let first = reserve(&registry, peer(1), &limits).unwrap();
        let second = reserve(&registry, peer(2), &limits).unwrap();
        drop(first);
        let third = reserve(&registry, peer(3), &limits).unwrap();
        assert_eq!((second.id, third.id), (1, 0));
        let fourth = reserve(&registry, peer(4), &limits).unwrap();
        assert_eq!(fourth.id, 2);
        let refused = |peer, limits: &Limits| reserve(&registry, peer, limits).unwrap_err();
        assert_eq!(refused(peer(5), &limits), Rejection::Connections(3));
        drop(fourth);
        let fewer = Limits {
            max_handshakes: 2,
            ..limits
        };
        assert_eq!(refused(peer(5), &fewer), Rejection::Handshakes(2));
        let alone = Limits {
            max_connections_per_address: 1,
            ..limits
        };
        assert_eq!(refused(peer(3), &alone), Rejection::PerAddress(1));
        drop(third);
        assert!(reserve(&registry, peer(3), &alone).is_ok());
        second.establish(counted(0));
        let rare = Limits {
            max_new_connections_per_second: 1,
            ..alone
        };
        assert!(reserve(&registry, peer(9), &rare).is_ok());
        assert_eq!(refused(peer(9), &rare), Rejection::Rate(1));
    }

    #[test]
    fn lists_a_peer_that_is_gone_as_inactive_until_it_returns() {
        let registry = Registry::default();
        let active = || {
            registry
                .status()
                .iter()
                .map(|status| status.active)
                .collect::<Vec<_>>()
        };
        let slot = reserve(&registry, peer(1), &Limits::default()).unwrap();
        let established = counted(0);
        let subscriber = Arc::clone(&established.subscriber);
        slot.establish(established);
        assert_eq!(
            registry.subscribers().load().len(),
            0,
            "it has subscribed nothing"
        );
        let mut terms = Terms::default();
        terms.subscription.services = Services::RSSI_MS;
        subscriber.set_terms(terms);
        slot.subscription_changed();
        assert_eq!(registry.subscribers().load().len(), 1);
        slot.ended("closed by the peer".to_owned());
        drop(slot);
        assert_eq!(registry.subscribers().load().len(), 0);
        assert_eq!(registry.status()[0].ended.as_deref(), Some("closed by the peer"));
        assert_eq!(active(), [false]);
        let again = reserve(&registry, peer(1), &Limits::default()).unwrap();
        again.establish(counted(0));
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
            certificate: None,
            counters,
            subscriber: Arc::new(Subscriber::new(
                QueueBounds { entries: 1, bytes: 1 },
                Arc::default(),
            )),
            ending: Arc::default(),
        }
    }

    #[test]
    fn the_counters_of_a_peer_go_on_when_it_comes_back() {
        let registry = Registry::default();
        let connect = |frames| {
            let slot = reserve(&registry, peer(1), &Limits::default()).unwrap();
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
        let stays = reserve(&registry, peer(0), &Limits::default()).unwrap();
        stays.establish(counted(1));
        let visit = |last| {
            let slot = reserve(&registry, peer(last), &Limits::default()).unwrap();
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
        let slot = reserve(&registry, (mapped, 40_000).into(), &Limits::default()).unwrap();
        slot.establish(counted(1));
        assert_eq!(registry.peers()[0].ip, peer(7).ip());
    }
}
