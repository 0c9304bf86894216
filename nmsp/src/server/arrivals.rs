//! Who may connect now: what one address may take of the places, and how often it may come.

use core::fmt;
use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;
use std::collections::HashMap;
use std::time::Instant;

/// New connections are counted over this time.
const WINDOW: Duration = Duration::from_secs(1);

/// The part of an IPv6 address that belongs to the site: one host has every address behind it.
const IPV6_NETWORK: u128 = !((1 << 64) - 1);

/// Why a connection was turned away, with the limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejection {
    /// All connections.
    Connections(usize),
    /// Connections of the address.
    PerAddress(usize),
    /// Handshakes in flight.
    Handshakes(usize),
    /// Handshakes of the address in flight.
    HandshakesPerAddress(usize),
    /// New connections of the address in a second.
    Rate(u32),
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connections(limit) => write!(f, "there are {limit} connections already"),
            Self::PerAddress(limit) => write!(f, "this address has {limit} connections already"),
            Self::Handshakes(limit) => write!(f, "{limit} handshakes are in flight already"),
            Self::HandshakesPerAddress(limit) => {
                write!(f, "this address has {limit} handshakes in flight already")
            }
            Self::Rate(limit) => write!(f, "this address has come {limit} times within a second"),
        }
    }
}

/// What counts as one address: an IPv4 address, or a /64 of IPv6.
pub(super) fn origin(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & IPV6_NETWORK).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[derive(Debug)]
struct Recent {
    since: Instant,
    count: u32,
}

/// The addresses that came within the last second. What is older is forgotten once a second, so that the memory is bounded
/// by what can arrive in two seconds.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    recent: HashMap<IpAddr, Recent>,
    tidied: Option<Instant>,
}

impl Arrivals {
    /// Notes that an address comes; the limit if it came that often already.
    pub(super) fn note(&mut self, peer: IpAddr, now: Instant, limit: u32) -> Result<(), Rejection> {
        let is_recent = |since: Instant| now.saturating_duration_since(since) < WINDOW;
        if self.tidied.is_none_or(|tidied| !is_recent(tidied)) {
            self.recent.retain(|_, recent| is_recent(recent.since));
            self.tidied = Some(now);
        }
        let recent = self
            .recent
            .entry(origin(peer))
            .or_insert(Recent { since: now, count: 0 });
        if !is_recent(recent.since) {
            *recent = Recent { since: now, count: 0 };
        }
        if recent.count >= limit {
            return Err(Rejection::Rate(limit));
        }
        recent.count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_may_come_so_often_in_a_second_and_others_are_unharmed() {
        let (mut arrivals, start) = (Arrivals::default(), Instant::now());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut comes =
            |peer: &str, milliseconds| arrivals.note(peer.parse().unwrap(), at(milliseconds), 2).is_ok();
        let table = [
            ("192.0.2.1", 0, true),
            ("192.0.2.1", 1, true),
            ("192.0.2.1", 2, false),
            ("::ffff:192.0.2.1", 3, false),
            ("192.0.2.2", 4, true),
            ("2001:db8::1", 5, true),
            ("2001:db8::2", 6, true),
            ("2001:db8::3:4", 7, false),
            ("2001:db8:0:1::1", 8, true),
            ("192.0.2.1", 999, false),
            ("192.0.2.1", 1000, true),
            ("2001:db8::3", 1500, true),
        ];
        for (peer, milliseconds, admitted) in table {
            assert_eq!(comes(peer, milliseconds), admitted, "{peer} at {milliseconds} ms");
        }
        assert!(comes("192.0.2.9", 9000));
        assert_eq!(arrivals.recent.len(), 1, "the others are forgotten");
    }
}
