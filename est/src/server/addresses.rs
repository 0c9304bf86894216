//! How many connections and handshakes one address holds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::ServerLimits;

/// Counts connections by address. Locked when a connection starts and ends, never for a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Addresses(Arc<Mutex<HashMap<IpAddr, OfAddress>>>);

/// What an address has, as long as it has a connection.
#[derive(Debug)]
struct OfAddress {
    connections: usize,
    handshakes: Arc<Semaphore>,
}

/// A place among the connections of an address; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    addresses: Addresses,
    address: IpAddr,
    handshakes: Arc<Semaphore>,
}

impl Addresses {
    /// A place for one more connection of an address, `None` when it has as many as the limits allow.
    pub(crate) fn take(&self, address: IpAddr, limits: &ServerLimits) -> Option<Place> {
        // A client with IPv6 has a whole network to itself; counting single addresses would count nothing.
        let address = network_of(address);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = counts.entry(address).or_insert_with(|| OfAddress {
            connections: 0,
            handshakes: Arc::new(Semaphore::new(limits.handshakes_per_address)),
        });
        if held.connections >= limits.connections_per_address {
            return None;
        }
        held.connections += 1;
        Some(Place {
            addresses: self.clone(),
            address,
            handshakes: Arc::clone(&held.handshakes),
        })
    }
}

impl Place {
    /// The turns of the address to make a handshake.
    pub(crate) const fn handshakes(&self) -> &Arc<Semaphore> {
        &self.handshakes
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = counts.get_mut(&self.address) {
            held.connections = held.connections.saturating_sub(1);
            if held.connections == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// The address of IPv4, the /64 network of IPv6.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(connections_per_address: usize) -> ServerLimits {
        ServerLimits {
            connections_per_address,
            ..ServerLimits::default()
        }
    }

    #[test]
    fn each_address_has_its_own_limit_and_places_come_back() {
        let addresses = Addresses::default();
        let take = |address: &str| addresses.take(address.parse().unwrap(), &connections(2));
        let first = take("192.0.2.1").unwrap();
        let _second = take("::ffff:192.0.2.1").unwrap();
        assert!(take("192.0.2.1").is_none());
        assert!(take("192.0.2.2").is_some());
        drop(first);
        assert!(take("192.0.2.1").is_some());
    }

    #[test]
    fn an_ipv6_network_counts_as_one_client() {
        let addresses = Addresses::default();
        let _place = addresses
            .take("2001:db8::1".parse().unwrap(), &connections(1))
            .unwrap();
        assert!(
            addresses
                .take("2001:db8::2".parse().unwrap(), &connections(1))
                .is_none()
        );
        assert!(
            addresses
                .take("2001:db8:0:1::1".parse().unwrap(), &connections(1))
                .is_some()
        );
    }

    #[test]
    fn forgets_addresses_without_connections() {
        let addresses = Addresses::default();
        drop(addresses.take("192.0.2.1".parse().unwrap(), &connections(1)));
        assert!(addresses.0.lock().unwrap().is_empty());
    }
}
