//! How many connections one address holds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections by address. Locked when a connection starts and ends, never for a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Addresses(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A place among the connections of an address; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    addresses: Addresses,
    address: IpAddr,
}

impl Addresses {
    /// A place for one more connection of an address, `None` when it has `limit` already.
    pub(crate) fn take(&self, address: IpAddr, limit: usize) -> Option<Place> {
        // A client with IPv6 has a whole network to itself; counting single addresses would count nothing.
        let address = network_of(address);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_insert(0);
        if *count >= limit {
            return None;
        }
        *count += 1;
        let addresses = self.clone();
        Some(Place { addresses, address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
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

    #[test]
    fn each_address_has_its_own_limit_and_places_come_back() {
        let addresses = Addresses::default();
        let take = |address: &str| addresses.take(address.parse().unwrap(), 2);
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
        let _place = addresses.take("2001:db8::1".parse().unwrap(), 1).unwrap();
        assert!(addresses.take("2001:db8::2".parse().unwrap(), 1).is_none());
        assert!(addresses.take("2001:db8:0:1::1".parse().unwrap(), 1).is_some());
    }

    #[test]
    fn forgets_addresses_without_connections() {
        let addresses = Addresses::default();
        drop(addresses.take("192.0.2.1".parse().unwrap(), 1));
        assert!(addresses.0.lock().unwrap().is_empty());
    }
}
